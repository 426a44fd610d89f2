/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer: whatever reads text of the user or of a QMP client.  The first byte chooses which. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "base/trace.h"
#include "host/chr/chr.h"
#include "host/net/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is accepted is written, and read again as the same. */
static void fuzz_json(const char *text, size_t n)
{
    struct json *j = json_parse(text, n, NULL), *again;
    struct strbuf once = { 0 }, twice = { 0 };

    if (j) {
        json_write(j, true, &once);
        again = json_parse(once.text, once.len, NULL);
        assert(again);
        json_write(again, true, &twice);
        assert(!strcmp(once.text, twice.text));
        json_free(again);
    }
    json_free(j);
    strbuf_free(&once);
    strbuf_free(&twice);
}

/* In pieces of different sizes, the same values come out. */
static void fuzz_framer(const char *text, size_t n)
{
    unsigned done[2] = { 0 }, bad[2] = { 0 };

    for (int pass = 0; pass < 2; pass++) {
        struct json_framer f = { 0 };

        for (size_t at = 0, used; at < n; at += used) {
            size_t step = pass ? 1 + at % 7 : n;
            enum json_frame r = json_framer_feed(&f, text + at, MIN(step, n - at), &used);

            assert(used > 0);
            done[pass] += r == JSON_FRAME_DONE;
            bad[pass] += r == JSON_FRAME_BAD;
            if (r != JSON_FRAME_MORE) {
                json_framer_reset(&f);
            }
        }
        json_framer_free(&f);
    }
    assert(done[0] == done[1] && bad[0] == bad[1]);
}

static void fuzz_opts(const char *text, bool implied)
{
    static const struct opt_row rows[] = {
        { "a", OPT_BOOL }, { "b", OPT_SIZE, .min = 1, .max = 1 << 20 }, { "c", OPT_GROUP },
        { "d", OPT_ENUM, .choices = "x|y" }, { "e.f", OPT_U64 }, { 0 },
    };
    struct opts *o = opts_create(), *copy = opts_create();
    struct strbuf b = { 0 }, c = { 0 };
    struct err e = { 0 };
    unsigned n;

    if (opts_parse(o, text, implied ? "c" : NULL, &e)) {
        opts_dump(o, &b);
        opts_merge(copy, o);
        opts_dump(copy, &c);
        assert(!strcmp(b.text, c.text));
        (void)opts_check(o, rows, "x", &e);
        (void)opts_check_read(o, "x", &e);
        (void)opts_list_len(o, "c", &n, &e);
        opts_add_defaults(o, rows);
        opts_remove(o, "c.0");
        opts_remove(o, "c");
        assert(!opts_has(o, "c"));
    } else {
        assert(e.text[0]);
    }
    strbuf_free(&b);
    strbuf_free(&c);
    opts_destroy(o);
    opts_destroy(copy);
}

static void fuzz_short(const char *text)
{
    struct opts *o = opts_create();
    struct err e = { 0 };
    bool mon;

    if (!chr_opts_from_short(o, text, &mon, &e)) {
        assert(e.text[0]);
    }
    opts_destroy(o);
}

static void fuzz_user_net(const char *text)
{
    static struct user_config c;
    struct opts *o = opts_create();
    struct user_hostfwd f;
    struct err e = { 0 };

    (void)user_hostfwd_parse(&f, text, false, &e);
    (void)user_hostfwd_parse(&f, text, true, &e);
    if (opts_parse(o, text, "net", &e)) {
        (void)user_config_read(&c, o, &e);
    }
    opts_destroy(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct trace trace = { 0 };
    struct err e;
    uint64_t u;
    char *text;

    if (n == 0 || n > 65536) {
        return 0;
    }
    text = malloc(n);               /* exactly as long, so that reading beyond is seen */
    memcpy(text, data + 1, n - 1);
    text[n - 1] = 0;
    switch (data[0] % 7) {
    case 0: fuzz_json(text, n - 1); break;
    case 1: fuzz_framer(text, n - 1); break;
    case 2: fuzz_opts(text, false); break;
    case 3: fuzz_opts(text, true); break;
    case 4: fuzz_short(text); break;
    case 5: fuzz_user_net(text); break;
    case 6:
        (void)opts_parse_size("x", text, MiB, &u, &e);
        (void)opts_parse_u64("x", text, 0, UINT64_MAX, &u, &e);
        (void)log_items_set(text, &trace, &e);
        (void)log_items_set("none", NULL, &e);
        break;
    }
    free(text);
    return 0;
}
