/* SPDX-License-Identifier: Apache-2.0 */
/* Values: making, reading out, writing, and the framer.  The parser is json_parse.c. */
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/strbuf.h"
#include "base/utf8.h"

/* ---- making ------------------------------------------------------------------------------- */

static struct json *json_new(enum json_type type)
{
    struct json *j = calloc(1, sizeof *j);

    assert(j);
    j->type = type;
    return j;
}

struct json *json_new_null(void)
{
    return json_new(JSON_NULL);
}

struct json *json_new_bool(bool b)
{
    struct json *j = json_new(JSON_BOOL);

    j->b = b;
    return j;
}

struct json *json_new_int(int64_t i)
{
    struct json *j = json_new(i < 0 ? JSON_INT : JSON_UINT);

    j->i = i;           /* the same bits, when it is not negative */
    return j;
}

struct json *json_new_uint(uint64_t u)
{
    struct json *j = json_new(JSON_UINT);

    j->u = u;
    return j;
}

struct json *json_new_real(double real)
{
    struct json *j = json_new(JSON_REAL);

    j->real = real;
    return j;
}

struct json *json_new_str(const char *text)
{
    struct json *j = json_new(JSON_STRING);

    j->text = strdup(text);
    assert(j->text);
    return j;
}

struct json *json_new_strf(const char *fmt, ...)
{
    struct json *j = json_new(JSON_STRING);
    struct strbuf b = { 0 };
    va_list ap;

    va_start(ap, fmt);
    strbuf_vadd(&b, fmt, ap);
    va_end(ap);
    j->text = strbuf_take(&b);
    return j;
}

struct json *json_new_list(void)
{
    return json_new(JSON_LIST);
}

struct json *json_new_dict(void)
{
    return json_new(JSON_DICT);
}

static struct json *member_add(struct json *j, struct json *value)
{
    assert(!value->next);
    if (j->members.last) {
        j->members.last->next = value;
    } else {
        j->members.first = value;
    }
    j->members.last = value;
    j->members.n++;
    return value;
}

struct json *json_put(struct json *dict, const char *key, struct json *value)
{
    assert(dict->type == JSON_DICT && !value->key);
    value->key = strdup(key);
    assert(value->key);
    return member_add(dict, value);
}

struct json *json_append(struct json *list, struct json *value)
{
    assert(list->type == JSON_LIST);
    return member_add(list, value);
}

void json_free(struct json *j)
{
    if (!j) {
        return;
    }
    if (j->type == JSON_STRING) {
        free(j->text);
    } else if (j->type == JSON_LIST || j->type == JSON_DICT) {
        for (struct json *m = j->members.first, *next; m; m = next) {
            next = m->next;
            json_free(m);
        }
    }
    free(j->key);
    free(j);
}

/* ---- reading out ---------------------------------------------------------------------------- */

struct json *json_get(const struct json *dict, const char *key)
{
    struct json *found = NULL;

    if (!dict || dict->type != JSON_DICT) {
        return NULL;
    }
    for (struct json *m = dict->members.first; m; m = m->next) {
        if (!strcmp(m->key, key)) {
            found = m;
        }
    }
    return found;
}

struct json *json_at(const struct json *list, size_t index)
{
    struct json *m = list && list->type == JSON_LIST ? list->members.first : NULL;

    while (m && index--) {
        m = m->next;
    }
    return m;
}

const char *json_str(const struct json *j)
{
    return j && j->type == JSON_STRING ? j->text : NULL;
}

bool json_u64(const struct json *j, uint64_t *out)
{
    if (!j || j->type != JSON_UINT) {
        return false;
    }
    *out = j->u;
    return true;
}

bool json_i64(const struct json *j, int64_t *out)
{
    if (!j || (j->type != JSON_INT && (j->type != JSON_UINT || j->u > INT64_MAX))) {
        return false;
    }
    *out = j->i;
    return true;
}

bool json_bool(const struct json *j, bool *out)
{
    if (!j || j->type != JSON_BOOL) {
        return false;
    }
    *out = j->b;
    return true;
}

const char *json_type_name(enum json_type t)
{
    static const char *const names[] = {
        [JSON_NULL] = "null", [JSON_BOOL] = "a boolean", [JSON_INT] = "an integer",
        [JSON_UINT] = "an integer", [JSON_REAL] = "a number", [JSON_STRING] = "a string",
        [JSON_LIST] = "a list", [JSON_DICT] = "an object",
    };

    return names[t];
}

/* ---- writing -------------------------------------------------------------------------------- */

/* The letter that follows the backslash for `c`, or 0. */
static char escape_letter(uint32_t c)
{
    switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
    }
}

void json_write_str(const char *text, struct strbuf *out)
{
    const char *end = text + strlen(text);

    strbuf_add_char(out, '"');
    while (text < end) {
        uint32_t c = 0;
        unsigned n = utf8_decode(text, end - text, &c);

        if (n == 0) {
            strbuf_add(out, "\\uFFFD");
            n = 1;
        } else if (escape_letter(c)) {
            strbuf_add(out, "\\%c", escape_letter(c));
        } else if (c < 0x20 || c == 0x7f) {
            strbuf_add(out, "\\u%04X", (unsigned)c);
        } else {
            strbuf_add_bytes(out, text, n);
        }
        text += n;
    }
    strbuf_add_char(out, '"');
}

static void newline(bool pretty, unsigned depth, struct strbuf *out)
{
    if (pretty) {
        strbuf_add(out, "\n%*s", 4 * depth, "");
    }
}

static void write_real(double real, struct strbuf *out)
{
    char text[40];

    /* JSON has no infinity and no NaN. */
    if (!isfinite(real)) {
        strbuf_add(out, "null");
        return;
    }
    snprintf(text, sizeof text, "%.17g", real);
    strbuf_add(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void write_value(const struct json *j, bool pretty, unsigned depth, struct strbuf *out)
{
    bool dict = j->type == JSON_DICT;

    switch (j->type) {
    case JSON_NULL:
        strbuf_add(out, "null");
        break;
    case JSON_BOOL:
        strbuf_add(out, j->b ? "true" : "false");
        break;
    case JSON_INT:
        strbuf_add(out, "%" PRId64, j->i);
        break;
    case JSON_UINT:
        strbuf_add(out, "%" PRIu64, j->u);
        break;
    case JSON_REAL:
        write_real(j->real, out);
        break;
    case JSON_STRING:
        json_write_str(j->text, out);
        break;
    case JSON_LIST:
    case JSON_DICT:
        strbuf_add_char(out, dict ? '{' : '[');
        for (const struct json *m = j->members.first; m; m = m->next) {
            newline(pretty, depth + 1, out);
            if (dict) {
                json_write_str(m->key, out);
                strbuf_add(out, ": ");
            }
            write_value(m, pretty, depth + 1, out);
            if (m->next) {
                strbuf_add(out, pretty ? "," : ", ");
            }
        }
        if (j->members.n) {
            newline(pretty, depth, out);
        }
        strbuf_add_char(out, dict ? '}' : ']');
        break;
    }
}

void json_write(const struct json *j, bool pretty, struct strbuf *out)
{
    write_value(j, pretty, 0, out);
}

/* ---- framer --------------------------------------------------------------------------------- */

/* One more byte of a value that has started; true when the value is complete. */
static bool framer_step(struct json_framer *f, char c)
{
    if (f->quote) {
        if (f->escaped) {
            f->escaped = false;
        } else if (c == '\\') {
            f->escaped = true;
        } else if (c == f->quote) {
            f->quote = 0;
        }
        return false;
    }
    switch (c) {
    case '"':
    case '\'':
        f->quote = c;
        return false;
    case '{':
    case '[':
        f->depth++;
        return false;
    case '}':
    case ']':
        return --f->depth == 0;
    default:
        return false;
    }
}

enum json_frame json_framer_feed(struct json_framer *f, const char *p, size_t n_bytes,
                                 size_t *used)
{
    for (size_t i = 0; i < n_bytes; i++) {
        char c = p[i];

        *used = i + 1;
        if (!f->started) {
            if (strchr(" \t\r\n", c) && c) {
                continue;
            }
            if (c != '{' && c != '[') {
                return JSON_FRAME_BAD;
            }
            f->started = true;
        }
        if (f->len + 1 >= f->room) {
            if (f->room >= JSON_BYTES_MAX) {
                return JSON_FRAME_BAD;
            }
            f->room = MAX(f->room * 2, (size_t)256);
            f->text = realloc(f->text, f->room);
            assert(f->text);
        }
        f->text[f->len++] = c;
        f->text[f->len] = 0;
        if (framer_step(f, c)) {
            return JSON_FRAME_DONE;
        }
        if (f->depth > JSON_DEPTH_MAX) {
            return JSON_FRAME_BAD;
        }
    }
    *used = n_bytes;
    return JSON_FRAME_MORE;
}

void json_framer_reset(struct json_framer *f)
{
    f->len = 0;
    f->depth = 0;
    f->quote = 0;
    f->escaped = f->started = false;
}

void json_framer_free(struct json_framer *f)
{
    free(f->text);
    *f = (struct json_framer){ 0 };
}
