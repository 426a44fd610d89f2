/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/prng.h"
#include "base/trace.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t slurp(const char *path, char *buf, size_t n)
{
    FILE *f = fopen(path, "r");
    size_t got = f ? fread(buf, 1, n - 1, f) : 0;

    if (f) {
        fclose(f);
    }
    buf[got] = 0;
    return got;
}

static unsigned count(const char *text, const char *needle)
{
    unsigned n = 0;

    for (; (text = strstr(text, needle)); text++) {
        n++;
    }
    return n;
}

static void test_limit(void)
{
    struct log_limit l = { 0 };
    uint64_t withheld = 99;
    int64_t t = 1000;

    for (int i = 0; i < LOG_LIMIT_BURST; i++) {
        CHECK(log_limit_admit(&l, t++, &withheld));
        CHECK(withheld == 0);
    }
    for (int i = 0; i < 7; i++) {
        CHECK(!log_limit_admit(&l, t++, &withheld));
    }
    CHECK(!log_limit_admit(&l, 1000 + LOG_LIMIT_WINDOW_NS - 1, &withheld));
    CHECK(log_limit_admit(&l, 1000 + LOG_LIMIT_WINDOW_NS, &withheld));
    CHECK(withheld == 8);
    CHECK(log_limit_admit(&l, 1000 + LOG_LIMIT_WINDOW_NS + 1, &withheld));
    CHECK(withheld == 0);
}

static void test_items(void)
{
    struct err e = { 0 };
    struct trace t = { 0 };

    CHECK(!log_on(LOG_INT));
    CHECK(log_items_set("int,guest_errors,,trace:chr_*", &t, &e), "%s", e.text);
    CHECK(log_on(LOG_INT) && log_on(LOG_GUEST_ERRORS) && !log_on(LOG_UNIMP));
    CHECK(trace_is_on(&t, TRACE_chr_open) && !trace_is_on(&t, TRACE_blk_submit));
    CHECK(!log_items_set("guest_error", &t, &e));
    CHECK(strstr(e.text, "'guest_error'") && strstr(e.text, "'guest_errors'"), "%s", e.text);
    CHECK(!log_items_set("trace:nonesuch", &t, &e));
    CHECK(log_items_set("none", NULL, &e) && !log_on(LOG_INT));
    CHECK(log_items_help(NULL, 0) > 100);
}

static void test_file(void)
{
    char path[] = "/tmp/pando-test-log-XXXXXX";
    char text[16384];
    struct err e = { 0 };
    struct trace t = { 0 };
    int fd = mkstemp(path);

    close(fd);
    CHECK(log_file_set(path, false, &e), "%s", e.text);
    log_guest("pl011", "not shown: the item is off");
    CHECK(log_items_set("guest_errors", &t, &e));
    for (int i = 0; i < 100; i++) {
        log_guest("pl011", "write of 0x%x to a read-only register", i);
        log_unimp("pl011", "off");
    }
    trace_chr_open(&t, "serial0", 5);
    CHECK(trace_set(&t, "chr_open", true, &e));
    trace_chr_open(&t, "serial0", 6);
    CHECK(trace_set(&t, "-chr_open", true, &e));
    trace_chr_open(&t, "serial0", 7);
    log_item(LOG_EXEC, "off\n");
    CHECK(log_file_set(NULL, false, &e));
    slurp(path, text, sizeof text);
    CHECK(count(text, "pl011: write of 0x") == LOG_LIMIT_BURST, "%s", text);
    CHECK(count(text, "not shown: the item") == 0 && count(text, "off") == 0);
    CHECK(count(text, "chr_open label 'serial0' fd 6\n") == 1);
    CHECK(count(text, "chr_open") == 1);
    CHECK(!log_file_set("/nonexistent/x", false, &e) && strstr(e.text, "/nonexistent/x"));
    unlink(path);
}

static void test_nearest(void)
{
    struct nearest n;

    nearest_init(&n, "redonly");
    nearest_add(&n, "format");
    nearest_add(&n, "readonly");
    nearest_add(&n, "snapshot");
    CHECK(!strcmp(nearest_hint(&n), "; did you mean 'readonly'?"), "%s", nearest_hint(&n));
    nearest_init(&n, "zzzzzzz");
    nearest_add(&n, "format");
    CHECK(!strcmp(nearest_hint(&n), ""));
}

static void test_prng(void)
{
    struct prng a, b;
    uint64_t seed = 0;
    uint8_t buf[11] = { 0 }, any = 0;

    /* The published first output of splitmix64 with the seed 0. */
    CHECK(prng_splitmix(&seed) == UINT64_C(0xe220a8397b1dcdaf));
    prng_init(&a, 42);
    prng_init(&b, 42);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = prng_below(&a, 7);
        CHECK(x < 7 && x == prng_below(&b, 7));
    }
    prng_fill(&a, buf, sizeof buf);
    for (unsigned i = 0; i < sizeof buf; i++) {
        any |= buf[i];
    }
    CHECK(any);
    prng_init(&b, 43);
    CHECK(prng_u64(&a) != prng_u64(&b));
}

int main(void)
{
    test_limit();
    test_items();
    test_file();
    test_nearest();
    test_prng();
    return check_result();
}
