/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mono.h"
#include "base/opts.h"
#include "base/prng.h"
#include "base/strbuf.h"

#include <string.h>

/* Parses `text` and compares the dump with `want`; NULL: it must be refused. */
static void lex(const char *text, const char *implied, const char *want, const char *why)
{
    struct opts *o = opts_create();
    struct strbuf b = { 0 };
    struct err e = { 0 };
    bool ok = opts_parse(o, text, implied, &e);

    CHECK(ok == (want != NULL), "%s: %s", text, e.text);
    if (ok && want) {
        opts_dump(o, &b);
        CHECK(!strcmp(b.text, want), "%s: got\n%s", text, b.text);
    } else {
        CHECK(strstr(e.text, why), "%s: %s", text, e.text);
    }
    strbuf_free(&b);
    opts_destroy(o);
}

static void test_lex(void)
{
    lex("", "driver", "", "");
    lex("a=b,c.d=e,,f", NULL, "a=b\nc.d=e,f\n", "");
    lex("virtio-blk-pci,drive=d0", "driver", "driver=virtio-blk-pci\ndrive=d0\n", "");
    lex("driver=x", "driver", "driver=x\n", "");
    lex("a,,b,c=1", "file", "file=a,b\nc=1\n", "");
    lex("x,server,nowait", "path", "path=x\nserver=on\nwait=off\n", "");
    lex("a=", NULL, "a=\n", "");
    lex("a=,,", NULL, "a=,\n", "");
    lex("a==b=c", NULL, "a==b=c\n", "");
    lex("a=1,", NULL, "a=1\n", "");
    lex("l.0.x=1,l.1.x=2,l.0.y=3", NULL, "l.0.x=1\nl.0.y=3\nl.1.x=2\n", "");
    lex("h=1,h=2,g=3", NULL, "h=1\nh=2\ng=3\n", "");
    lex("file=a,file.locking=off", NULL, "file=a\nfile.locking=off\n", "");
    lex("file.locking=off,file=a", NULL, "file=a\nfile.locking=off\n", "");
    lex("help", NULL, "help=on\n", "");
    lex("?", NULL, "help=on\n", "");
    lex("{'driver':'nbd','n':18446744073709551615,'t':true,'f':false,'l':[1,{'x':-2}]}", NULL,
        "driver=nbd\nn=18446744073709551615\nt=on\nf=off\nl.0=1\nl.1.x=-2\n", "");
    lex("=1", NULL, NULL, "not a valid option name");
    lex("a..b=1", NULL, NULL, "'a..b' is not a valid option name");
    lex("a=1,,=2", NULL, "a=1,=2\n", "");
    lex("a=1,b c=2", NULL, NULL, "'b c'");
    lex("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17=x", NULL, NULL, "valid");
    lex("{'a':null}", NULL, NULL, "'a' is null");
    lex("{'a':1", NULL, NULL, "JSON: line 1");
}

static void test_getters(void)
{
    struct opts *o = opts_create();
    struct err e = { 0 };
    const char *s;
    uint64_t u;
    unsigned n;
    bool b;

    CHECK(opts_parse(o, "b=yes,nof,u=0x10,neg=-1,big=18446744073709551616,s=1.5G,e=raw,"
                     "h=1,h=2,c.0.n=a,c.1.n=b,hole.1=x", NULL, &e), "%s", e.text);
    CHECK(opts_bool(o, "b", false, &b, &e) && b);
    CHECK(opts_bool(o, "f", true, &b, &e) && !b);
    CHECK(opts_bool(o, "absent", true, &b, &e) && b);
    CHECK(!opts_bool(o, "u", true, &b, &e) && strstr(e.text, "u: '0x10'"), "%s", e.text);
    CHECK(opts_u64(o, "u", 0, 0, 16, &u, &e) && u == 16);
    CHECK(!opts_u64(o, "u", 0, 0, 15, &u, &e) && strstr(e.text, "0 … 15"), "%s", e.text);
    CHECK(!opts_u64(o, "neg", 0, 0, UINT64_MAX, &u, &e) && strstr(e.text, "not a number"));
    CHECK(!opts_u64(o, "big", 0, 0, UINT64_MAX, &u, &e) && strstr(e.text, "64 bits"));
    CHECK(opts_size(o, "s", 0, &u, &e) && u == 3 * GiB / 2);
    CHECK(opts_enum(o, "e", "qcow2|raw", 0, &n, &e) && n == 1);
    CHECK(!opts_enum(o, "e", "qcow2|vmdk", 0, &n, &e) && strstr(e.text, "qcow2|vmdk"));
    CHECK(!strcmp(opts_str(o, "h", ""), "2") && !strcmp(opts_value_at(o, "h", 0), "1"));
    CHECK(!strcmp(opts_value_at(o, "h", 1), "2") && !opts_value_at(o, "h", 2));
    CHECK(opts_list_len(o, "c", &n, &e) && n == 2);
    CHECK(!strcmp(opts_str(opts_list_at(o, "c", 1), "n", ""), "b"));
    CHECK(!strcmp(opts_str(o, "c.0.n", ""), "a"));
    CHECK(!opts_list_len(o, "hole", &n, &e) && strstr(e.text, "'hole'"), "%s", e.text);
    CHECK(opts_str_required(o, "e", &s, &e) && !opts_str_required(o, "zz", &s, &e));
    CHECK(!opts_check_read(o, "-x", &e) && strstr(e.text, "-x: option '1'"), "%s", e.text);
    CHECK(opts_str(o, "hole.1", NULL) && opts_check_read(o, "-x", &e));
    CHECK(opts_remove(o, "c.1") && opts_list_len(o, "c", &n, &e) && n == 1);
    CHECK(opts_remove(o, "h") && !opts_has(o, "h") && !opts_remove(o, "h"));
    opts_destroy(o);
}

static void test_sizes(void)
{
    static const struct { const char *text; uint64_t unit, want; } good[] = {
        { "0", 1, 0 }, { "512", 1, 512 }, { "512", MiB, 512 * MiB }, { "4k", MiB, 4096 },
        { "2G", MiB, 2 * GiB }, { "1t", 1, 1024 * GiB }, { "0x200", 1, 512 },
        { "1.25M", 1, MiB + MiB / 4 }, { "100b", MiB, 100 }, { "15E", 1, 15ull << 60 },
        { "0.5", MiB, MiB / 2 }, { "18446744073709551615", 1, UINT64_MAX },
    };
    static const char *const bad[] = {
        "", "k", "-1", " 1", "1kk", "1.G", "1x", "16E", "18446744073709551616", "1.5", "0x1k",
        ".5G", "1 G",
    };
    struct err e = { 0 };
    uint64_t u;

    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        CHECK(opts_parse_size("x", good[i].text, good[i].unit, &u, &e) && u == good[i].want,
              "%s: %s", good[i].text, e.text);
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!opts_parse_size("x", bad[i], 1, &u, &e), "%s", bad[i]);
    }
}

static void test_table(void)
{
    static const struct opt_row rows[] = {
        { "file", OPT_STR, NULL, "the image" },
        { "readonly", OPT_BOOL, "off", "refuse writes" },
        { "cache-size", OPT_SIZE, NULL, "of the cache", .min = 4096, .max = 1 << 20 },
        { "queues", OPT_U64, "1", "number of queues", .min = 1, .max = 8 },
        { "format", OPT_ENUM, "raw", "of the image", "raw|qcow2" },
        { "backing", OPT_GROUP, NULL, "the image below" },
        { 0 },
    };
    static const struct { const char *text, *why; } t[] = {
        { "file=x,readonly=on,queues=8,format=qcow2,backing.file=y,cache-size=8k", NULL },
        { "backing.a.b.c=1", NULL },
        { "redonly=on", "-drive: unknown option 'redonly'; did you mean 'readonly'?" },
        { "zzzzzzz=on", "-drive: unknown option 'zzzzzzz'" },
        { "file.x=on", "unknown option 'file.x'" },
        { "readonly=maybe", "-drive: readonly: 'maybe' is neither" },
        { "queues=9", "queues: 9 is not within 1 … 8" },
        { "cache-size=1", "cache-size: 1 is not within 4096" },
        { "format=vmdk", "format: 'vmdk' is none of raw|qcow2" },
    };
    struct strbuf help = { 0 };
    struct err e = { 0 };

    for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
        struct opts *o = opts_create();

        CHECK(opts_parse(o, t[i].text, NULL, &e));
        CHECK(opts_check(o, rows, "-drive", &e) == !t[i].why, "%s: %s", t[i].text, e.text);
        CHECK(!t[i].why || strstr(e.text, t[i].why), "%s: %s", t[i].text, e.text);
        opts_destroy(o);
    }
    struct opts *o = opts_create(), *more = opts_create();
    struct strbuf b = { 0 };

    CHECK(opts_parse(o, "queues=2,backing.x=1", NULL, &e));
    opts_add_defaults(o, rows);
    CHECK(opts_parse(more, "queues=3,backing.y=2,new=n", NULL, &e));
    opts_merge(o, more);
    opts_dump(o, &b);
    CHECK(!strcmp(b.text, "queues=2\nbacking.x=1\nbacking.y=2\nreadonly=off\nformat=raw\n"
                  "queues=3\nnew=n\n"), "%s", b.text);
    opts_rows_help(rows, &help);
    CHECK(strstr(help.text, "  format=<raw|qcow2> - of the image (default: raw)\n"), "%s",
          help.text);
    CHECK(!opts_wants_help(o) && opts_parse(o, "?", NULL, &e) && opts_wants_help(o));
    strbuf_free(&help);
    strbuf_free(&b);
    opts_destroy(o);
    opts_destroy(more);
}

/* Any text is either refused with a reason, or means the same when its dump is read again. */
static void test_random(void)
{
    static const char letters[] = "ab.0,,==no-{}'\":[]1x?";
    uint64_t seed = (uint64_t)mono_now_ns();
    struct prng p;

    prng_init(&p, seed);
    for (int round = 0; round < 20000; round++) {
        struct opts *o = opts_create(), *again = opts_create();
        struct strbuf b = { 0 }, c = { 0 };
        struct err e = { 0 };
        char text[40] = { 0 }, *save, *line;

        for (uint64_t i = 0, n = prng_below(&p, sizeof text - 1); i < n; i++) {
            text[i] = letters[prng_below(&p, sizeof letters - 1)];
        }
        if (opts_parse(o, text, prng_below(&p, 2) ? "driver" : NULL, &e)) {
            opts_dump(o, &b);
            opts_merge(again, o);
            opts_dump(again, &c);
            CHECK(!strcmp(b.text, c.text), "seed %llu: '%s'\n%s\n%s", (unsigned long long)seed,
                  text, b.text, c.text);
            for (line = strtok_r(b.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                line[strcspn(line, "=")] = 0;
                CHECK(opts_has(o, line), "seed %llu: '%s' has no %s", (unsigned long long)seed,
                      text, line);
            }
        } else {
            CHECK(e.text[0], "seed %llu: '%s'", (unsigned long long)seed, text);
        }
        strbuf_free(&b);
        strbuf_free(&c);
        opts_destroy(o);
        opts_destroy(again);
    }
}

int main(void)
{
    test_random();
    test_lex();
    test_getters();
    test_sizes();
    test_table();
    return check_result();
}
