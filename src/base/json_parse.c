/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of base/json.h: recursive descent, JSON_DEPTH_MAX deep. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "base/utf8.h"

struct parser {
    const char *start, *at, *end;
    unsigned depth;
    struct err *e;
};

static struct json *parse_value(struct parser *p);

/* All return "failed", so that the caller can pass it on. */
static void *fail(struct parser *p, const char *what)
{
    unsigned line = 1, column = 1;

    for (const char *s = p->start; s < p->at; s++) {
        column = *s == '\n' ? 1 : column + 1;
        line += *s == '\n';
    }
    err_set(p->e, "JSON: line %u, column %u: %s", line, column, what);
    return NULL;
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && *p->at && strchr(" \t\r\n", *p->at)) {
        p->at++;
    }
}

static bool peek(const struct parser *p, char c)
{
    return p->at < p->end && *p->at == c;
}

static bool take(struct parser *p, char c)
{
    if (!peek(p, c)) {
        return false;
    }
    p->at++;
    return true;
}

static bool parse_hex4(struct parser *p, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        if (p->at >= p->end || !isxdigit((unsigned char)*p->at)) {
            return fail(p, "\\u needs four hexadecimal digits");
        }
        *out = *out << 4 | (isdigit((unsigned char)*p->at)
                            ? *p->at - '0' : (*p->at | 0x20) - 'a' + 10);
    }
    return true;
}

/* After "\u": a character, which above U+FFFF is two escapes (a surrogate pair). */
static bool parse_u(struct parser *p, struct strbuf *b)
{
    char bytes[4];
    uint32_t c, low;

    if (!parse_hex4(p, &c)) {
        return false;
    }
    if (c >= 0xd800 && c < 0xdc00) {
        if (!take(p, '\\') || !take(p, 'u') || !parse_hex4(p, &low) || low < 0xdc00 ||
            low > 0xdfff) {
            return fail(p, "a surrogate without its second half");
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return fail(p, "a surrogate without its first half");
    }
    if (c == 0) {
        return fail(p, "a zero character in a string");
    }
    strbuf_add_bytes(b, bytes, utf8_encode(c, bytes));
    return true;
}

static bool parse_escape(struct parser *p, struct strbuf *b)
{
    static const char from[] = "\"'\\/bfnrt", to[] = "\"'\\/\b\f\n\r\t";
    const char *at = p->at < p->end && *p->at ? strchr(from, *p->at) : NULL;

    if (at) {
        p->at++;
        strbuf_add_char(b, to[at - from]);
        return true;
    }
    if (take(p, 'u')) {
        return parse_u(p, b);
    }
    return fail(p, "unknown escape in a string");
}

/* The text, which is the caller's; NULL on failure. */
static char *parse_text(struct parser *p)
{
    struct strbuf b = { 0 };
    char quote = *p->at++;
    uint32_t c;

    while (p->at < p->end && *p->at != quote) {
        unsigned n = utf8_decode(p->at, p->end - p->at, &c);

        if (n == 0) {
            fail(p, "not valid UTF-8");
            goto failed;
        }
        if (c < 0x20) {
            fail(p, "a control character in a string");
            goto failed;
        }
        if (c == '\\') {
            p->at++;
            if (!parse_escape(p, &b)) {
                goto failed;
            }
            continue;
        }
        strbuf_add_bytes(&b, p->at, n);
        p->at += n;
    }
    if (!take(p, quote)) {
        fail(p, "the string does not end");
        goto failed;
    }
    return strbuf_take(&b);
failed:
    strbuf_free(&b);
    return NULL;
}

static bool digits(struct parser *p)
{
    const char *from = p->at;

    while (p->at < p->end && isdigit((unsigned char)*p->at)) {
        p->at++;
    }
    return p->at > from;
}

static struct json *parse_number(struct parser *p)
{
    const char *from = p->at;
    bool negative = take(p, '-'), whole = true;
    const char *first = p->at;
    struct json *j = NULL;
    char *text;

    if (!digits(p) || (*first == '0' && p->at - first > 1)) {
        return fail(p, "not a number");
    }
    if (take(p, '.')) {
        whole = false;
        if (!digits(p)) {
            return fail(p, "digits must follow the point");
        }
    }
    if (take(p, 'e') || take(p, 'E')) {
        whole = false;
        if (!take(p, '+')) {
            take(p, '-');
        }
        if (!digits(p)) {
            return fail(p, "digits must follow the exponent's sign");
        }
    }
    text = strndup(from, p->at - from);
    errno = 0;
    if (whole && negative) {
        int64_t i = strtoll(text, NULL, 10);

        j = errno ? NULL : json_new_int(i);
    } else if (whole) {
        uint64_t u = strtoull(text, NULL, 10);

        j = errno ? NULL : json_new_uint(u);
    }
    if (!j) {
        j = json_new_real(strtod(text, NULL));
    }
    free(text);
    return j;
}

static struct json *parse_word(struct parser *p)
{
    static const char *const words[] = { "null", "true", "false" };

    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);

        if ((size_t)(p->end - p->at) >= n && !memcmp(p->at, words[i], n)) {
            p->at += n;
            return i == 0 ? json_new_null() : json_new_bool(i == 1);
        }
    }
    return fail(p, p->at < p->end ? "a value is expected" : "the text ends too early");
}

static char *parse_key(struct parser *p)
{
    char *key;

    skip_blanks(p);
    if (!peek(p, '"') && !peek(p, '\'')) {
        return fail(p, "a name in quotes is expected");
    }
    key = parse_text(p);
    skip_blanks(p);
    if (key && !take(p, ':')) {
        free(key);
        return fail(p, "':' is expected");
    }
    return key;
}

static struct json *parse_members(struct parser *p)
{
    bool dict = *p->at++ == '{';
    char close = dict ? '}' : ']';
    struct json *j;

    if (++p->depth > JSON_DEPTH_MAX) {
        return fail(p, "nested too deep");
    }
    j = dict ? json_new_dict() : json_new_list();
    skip_blanks(p);
    while (!peek(p, close) || j->members.n) {
        char *key = dict ? parse_key(p) : NULL;
        struct json *value = !dict || key ? parse_value(p) : NULL;

        if (!value) {
            free(key);
            goto failed;
        }
        if (dict) {
            json_put(j, key, value);
            free(key);
        } else {
            json_append(j, value);
        }
        skip_blanks(p);
        if (peek(p, close)) {
            break;
        }
        if (!take(p, ',')) {
            fail(p, dict ? "',' or '}' is expected" : "',' or ']' is expected");
            goto failed;
        }
    }
    p->at++;
    p->depth--;
    return j;
failed:
    json_free(j);
    return NULL;
}

static struct json *parse_value(struct parser *p)
{
    struct json *j;

    skip_blanks(p);
    if (peek(p, '{') || peek(p, '[')) {
        return parse_members(p);
    }
    if (peek(p, '"') || peek(p, '\'')) {
        char *text = parse_text(p);

        if (!text) {
            return NULL;
        }
        j = json_new_str("");
        free(j->text);
        j->text = text;
        return j;
    }
    if (p->at < p->end && (isdigit((unsigned char)*p->at) || *p->at == '-')) {
        return parse_number(p);
    }
    return parse_word(p);
}

struct json *json_parse(const char *text, size_t n_bytes, struct err *e)
{
    struct parser p = { .start = text, .at = text, .end = text + n_bytes, .e = e };
    struct json *j = parse_value(&p);

    if (j) {
        skip_blanks(&p);
        if (p.at < p.end) {
            json_free(j);
            return fail(&p, "something follows the value");
        }
    }
    return j;
}
