/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mono.h"
#include "base/prng.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

/* Parses and writes again. */
static void round_trip(const char *in, const char *want)
{
    struct err e = { 0 };
    struct strbuf b = { 0 };
    struct json *j = json_parse(in, strlen(in), &e);

    CHECK(j, "%s: %s", in, e.text);
    if (j) {
        json_write(j, false, &b);
        CHECK(!strcmp(b.text, want), "%s: %s", in, b.text);
    }
    strbuf_free(&b);
    json_free(j);
}

static void refuse(const char *in, const char *why)
{
    struct err e = { 0 };
    struct json *j = json_parse(in, strlen(in), &e);

    CHECK(!j, "%s", in);
    CHECK(strstr(e.text, why), "%s: %s", in, e.text);
    json_free(j);
}

static void test_values(void)
{
    static const char *const same[] = {
        "null", "true", "false", "0", "18446744073709551615", "9223372036854775808",
        "-9223372036854775808", "-1", "1.5", "\"\"", "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001z\"",
        "[]", "{}", "[1, [2, []], {\"a\": {}}]", "\"\u00e4\u20ac\U0001f332\"",
    };

    for (unsigned i = 0; i < ARRAY_LEN(same); i++) {
        round_trip(same[i], same[i]);
    }
    round_trip(" { 'a' :\n1 , 'b' : 'it\\'s' } ", "{\"a\": 1, \"b\": \"it's\"}");
    round_trip("\"\\ud83c\\udf32\\u00e4\\/\"", "\"\U0001f332\u00e4/\"");
    round_trip("18446744073709551616", "1.8446744073709552e+19");
    round_trip("-0", "0");
    round_trip("1e2", "100.0");

    refuse("", "line 1, column 1: the text ends too early");
    refuse("[1,\n2,]", "line 2, column 3");
    refuse("{\"a\" 1}", "':' is expected");
    refuse("{a: 1}", "a name in quotes");
    refuse("{\"a\": 1,}", "a name in quotes");
    refuse("[1 2]", "',' or ']'");
    refuse("01", "not a number");
    refuse("-", "not a number");
    refuse("1.", "digits");
    refuse("1e+", "digits");
    refuse("nul", "a value is expected");
    refuse("1 x", "something follows");
    refuse("\"abc", "does not end");
    refuse("\"a\nb\"", "control character");
    refuse("\"\\x\"", "unknown escape");
    refuse("\"\\u00g0\"", "four hex");
    refuse("\"\\ud83c\"", "surrogate");
    refuse("\"\\udf32\"", "surrogate");
    refuse("\"\\u0000\"", "zero character");
    refuse("\"\xc0\x80\"", "UTF-8");
    refuse("\"\xff\"", "UTF-8");
    refuse("\"\xe2\x82", "UTF-8");
}

static void test_depth(void)
{
    char *deep = malloc(4 * JSON_DEPTH_MAX);
    struct err e = { 0 };
    struct json *j;

    memset(deep, '[', JSON_DEPTH_MAX);
    memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    j = json_parse(deep, 2 * JSON_DEPTH_MAX, &e);
    CHECK(j, "%s", e.text);
    json_free(j);
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    CHECK(!json_parse(deep, JSON_DEPTH_MAX + 1, &e) && strstr(e.text, "too deep"), "%s", e.text);
    free(deep);
}

static void test_access(void)
{
    const char *text = "{\"u\": 18446744073709551615, \"i\": -5, \"s\": \"x\", \"b\": true,"
                       " \"l\": [1, 2], \"u\": 7}";
    struct json *j = json_parse(text, strlen(text), NULL);
    struct strbuf b = { 0 };
    uint64_t u;
    int64_t i;
    bool t = false;

    CHECK(json_u64(json_get(j, "u"), &u) && u == 7);
    CHECK(json_u64(j->members.first, &u) && u == UINT64_MAX);
    CHECK(!json_i64(j->members.first, &i));
    CHECK(json_i64(json_get(j, "i"), &i) && i == -5 && !json_u64(json_get(j, "i"), &u));
    CHECK(!strcmp(json_str(json_get(j, "s")), "x") && !json_str(json_get(j, "u")));
    CHECK(json_bool(json_get(j, "b"), &t) && t && !json_bool(json_get(j, "i"), &t));
    CHECK(json_u64(json_at(json_get(j, "l"), 1), &u) && u == 2 && !json_at(json_get(j, "l"), 2));
    CHECK(!json_get(j, "none") && !json_get(json_get(j, "l"), "u"));
    json_free(j);

    j = json_new_dict();
    json_put(j, "bad", json_new_strf("%s", "a\xff\x7f"));
    json_append(json_put(j, "l", json_new_list()), json_new_int(3));
    json_write(j, true, &b);
    CHECK(!strcmp(b.text, "{\n    \"bad\": \"a\\uFFFD\\u007F\",\n    \"l\": ["
                  "\n        3\n    ]\n}"),
          "%s", b.text);
    strbuf_free(&b);
    json_free(j);
}

static void test_framer(void)
{
    const char *stream = "  {\"a\": \"}\\\"]\"}\n[1,{'b':'\"'}] x {}";
    static const char *const want[] = { "{\"a\": \"}\\\"]\"}", "[1,{'b':'\"'}]", NULL, "{}" };

    for (size_t step = 1; step < 40; step++) {
        struct json_framer f = { 0 };
        size_t n = strlen(stream);
        unsigned found = 0;

        for (size_t at = 0; at < n;) {
            size_t used;
            enum json_frame r = json_framer_feed(&f, stream + at, MIN(step, n - at), &used);

            at += used;
            if (r == JSON_FRAME_MORE) {
                continue;
            }
            CHECK(r == (want[found] ? JSON_FRAME_DONE : JSON_FRAME_BAD));
            CHECK(!want[found] || !strcmp(f.text, want[found]), "%s", f.text);
            found++;
            json_framer_reset(&f);
        }
        CHECK(found == 4, "step %zu found %u", step, found);
        json_framer_free(&f);
    }
}

/* Damaged texts never crash, and whatever is accepted is written and read again alike. */
static void test_random(void)
{
    const char *text = "{\"a\": [1, -2, 3.5e1, \"x\\u00e4\", null], \"b\": {\"c\": true}}";
    uint64_t seed = (uint64_t)mono_now_ns();
    struct prng p;

    prng_init(&p, seed);
    for (int round = 0; round < 20000; round++) {
        char buf[128];
        size_t n = strlen(text);
        struct json *j;

        memcpy(buf, text, n);
        for (uint64_t k = 1 + prng_below(&p, 4); k > 0; k--) {
            buf[prng_below(&p, n)] = "{}[]\",:\\u0e-.1 '\xc3"[prng_below(&p, 17)];
        }
        j = json_parse(buf, prng_below(&p, 2) ? n : prng_below(&p, n), NULL);
        if (j) {
            struct strbuf once = { 0 }, twice = { 0 };
            struct json *again;

            json_write(j, false, &once);
            again = json_parse(once.text, once.len, NULL);
            CHECK(again, "seed %llu: %s", (unsigned long long)seed, once.text);
            if (again) {
                json_write(again, false, &twice);
                CHECK(!strcmp(once.text, twice.text), "seed %llu", (unsigned long long)seed);
            }
            json_free(again);
            strbuf_free(&once);
            strbuf_free(&twice);
        }
        json_free(j);
    }
}

int main(void)
{
    test_values();
    test_depth();
    test_access();
    test_framer();
    test_random();
    return check_result();
}
