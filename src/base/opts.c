/* SPDX-License-Identifier: Apache-2.0 */
/* The tree, and what fills it.  Reading is opts_read.c, checking opts_check.c. */
#include "base/opts.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "base/opts_tree.h"
#include "base/strbuf.h"

/* ---- nodes -------------------------------------------------------------------------------- */

static char *copy_n(const char *text, size_t n)
{
    char *s = malloc(n + 1);

    assert(s);
    memcpy(s, text, n);
    s[n] = 0;
    return s;
}

struct opts *opts_create(void)
{
    struct opts *o = calloc(1, sizeof *o);

    assert(o);
    return o;
}

void opts_destroy(struct opts *o)
{
    if (!o) {
        return;
    }
    for (struct opts *m = o->first, *next; m; m = next) {
        next = m->next;
        opts_destroy(m);
    }
    free(o->key);
    free(o->value);
    free(o);
}

static struct opts *append(struct opts *o, const char *key, size_t n)
{
    struct opts *m = opts_create();

    m->key = copy_n(key, n);
    if (o->last) {
        o->last->next = m;
    } else {
        o->first = m;
    }
    o->last = m;
    return m;
}

static struct opts *find_first(const struct opts *o, const char *key, size_t n)
{
    for (struct opts *m = o->first; m; m = m->next) {
        if (!strncmp(m->key, key, n) && !m->key[n]) {
            return m;
        }
    }
    return NULL;
}

static bool key_is_good(const char *key, size_t n)
{
    if (n == 0 || n > OPTS_KEY_LEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)key[i]) && !strchr("-_?+:/#@", key[i])) {
            return false;
        }
    }
    return true;
}

/* Walks all keys of the path but the last, making them; *last is the last one. */
static struct opts *walk_make(struct opts *o, const char *path, size_t n, const char **last,
                              struct err *e)
{
    const char *end = path + n;

    for (unsigned depth = 0;; depth++) {
        const char *dot = memchr(path, '.', end - path);
        size_t len = (dot ? dot : end) - path;
        struct opts *m;

        if (!key_is_good(path, len) || depth >= OPTS_DEPTH_MAX) {
            err_set(e, "'%.*s' is not a valid option name", (int)MIN(n, (size_t)80), end - n);
            return NULL;
        }
        if (!dot) {
            *last = path;
            return o;
        }
        m = find_first(o, path, len);
        o = m ? m : append(o, path, len);
        path = dot + 1;
    }
}

static bool set_n(struct opts *o, const char *path, size_t n, const char *value, size_t value_n,
                  struct err *e)
{
    const char *last;
    struct opts *m;

    o = walk_make(o, path, n, &last, e);
    if (!o) {
        return false;
    }
    n -= last - path;
    m = find_first(o, last, n);
    if (!m || m->value) {
        m = append(o, last, n);
    }
    m->value = copy_n(value, value_n);
    return true;
}

bool opts_set(struct opts *o, const char *path, const char *value, struct err *e)
{
    return set_n(o, path, strlen(path), value, strlen(value), e);
}

bool opts_setf(struct opts *o, struct err *e, const char *path, const char *fmt, ...)
{
    struct strbuf b = { 0 };
    va_list ap;
    bool ok;

    va_start(ap, fmt);
    strbuf_vadd(&b, fmt, ap);
    va_end(ap);
    ok = opts_set(o, path, b.text, e);
    strbuf_free(&b);
    return ok;
}

struct opts *opts_sub_make(struct opts *o, const char *path, struct err *e)
{
    const char *last;
    struct opts *m;

    o = walk_make(o, path, strlen(path), &last, e);
    if (!o) {
        return NULL;
    }
    m = find_first(o, last, strlen(last));
    return m ? m : append(o, last, strlen(last));
}

void opts_merge(struct opts *o, const struct opts *from)
{
    for (const struct opts *m = from->first; m; m = m->next) {
        struct opts *to = find_first(o, m->key, strlen(m->key));

        if (!to || (m->value && to->value)) {
            struct opts *fresh = append(o, m->key, strlen(m->key));

            to = to && m->first ? to : fresh;       /* members hang on the first */
            fresh->value = m->value ? copy_n(m->value, strlen(m->value)) : NULL;
        } else if (m->value) {
            to->value = copy_n(m->value, strlen(m->value));
        }
        opts_merge(to, m);
    }
}

bool opts_remove(struct opts *o, const char *path)
{
    const char *dot = strrchr(path, '.');
    const char *key = dot ? dot + 1 : path;
    bool found = false;

    if (dot) {
        char *group = copy_n(path, dot - path);

        o = opts_sub(o, group);
        free(group);
        if (!o) {
            return false;
        }
    }
    for (struct opts **at = &o->first, *prev = NULL; *at;) {
        struct opts *m = *at;

        if (strcmp(m->key, key)) {
            prev = m;
            at = &m->next;
            continue;
        }
        *at = m->next;
        if (o->last == m) {
            o->last = prev;
        }
        opts_destroy(m);
        found = true;
    }
    return found;
}

/* ---- walking ------------------------------------------------------------------------------ */

struct opts *opts_sub(const struct opts *o, const char *path)
{
    while (o) {
        size_t n = strcspn(path, ".");

        o = find_first(o, path, n);
        if (!path[n]) {
            return (struct opts *)o;
        }
        path += n + 1;
    }
    return NULL;
}

struct opts *opts_last_value(const struct opts *o, const char *path)
{
    const char *dot = strrchr(path, '.');
    struct opts *found = NULL;

    if (dot) {
        char *group = copy_n(path, dot - path);

        o = opts_sub(o, group);
        free(group);
        if (!o) {
            return NULL;
        }
        path = dot + 1;
    }
    for (struct opts *m = o->first; m; m = m->next) {
        if (m->value && !strcmp(m->key, path)) {
            found = m;
        }
    }
    return found;
}

const char *opts_key(const struct opts *node)
{
    return node->key;
}

const char *opts_value(const struct opts *node)
{
    return node->value;
}

struct opts *opts_first(const struct opts *o)
{
    return o->first;
}

struct opts *opts_next(const struct opts *member)
{
    return member->next;
}

bool opts_has(const struct opts *o, const char *path)
{
    return opts_sub(o, path) != NULL;
}

bool opts_wants_help(const struct opts *o)
{
    for (const struct opts *m = o->first; m; m = m->next) {
        if (m->value && (!strcmp(m->key, "help") || !strcmp(m->key, "?") ||
                         !strcmp(m->value, "help") || !strcmp(m->value, "?"))) {
            return true;
        }
    }
    return false;
}

/* ---- the command line's text ---------------------------------------------------------------- */

/* The value up to a single comma, `,,` standing for a comma.  Returns what follows the value. */
static const char *lex_value(const char *at, struct strbuf *value)
{
    for (; *at; at++) {
        if (*at == ',') {
            if (at[1] != ',') {
                break;
            }
            at++;
        }
        strbuf_add_char(value, *at);
    }
    return at;
}

static bool add_flag(struct opts *o, const char *key, size_t n, struct err *e)
{
    const char *value = "on";

    if (n == 1 && key[0] == '?') {
        key = "help";
        n = 4;
    } else if (n > 2 && !strncmp(key, "no", 2)) {
        key += 2;
        n -= 2;
        value = "off";
    }
    return set_n(o, key, n, value, strlen(value), e);
}

bool opts_parse(struct opts *o, const char *text, const char *implied_key, struct err *e)
{
    const char *at = text;

    if (*at == '{') {
        struct json *j = json_parse(text, strlen(text), e);
        bool ok = j && opts_add_json(o, j, e);

        json_free(j);
        return ok;
    }
    while (*at) {
        size_t key_n = strcspn(at, "=,");
        bool first = at == text;
        const char *key = at;
        struct strbuf value = { 0 };
        bool ok;

        /* An implied value may contain anything but `=` before its single comma (`a,,b`). */
        if (at[key_n] == '=') {
            at = lex_value(at + key_n + 1, &value);
        } else if (first && implied_key) {
            key = implied_key;
            key_n = strlen(key);
            at = lex_value(at, &value);
        } else {
            at += key_n;
            if (!add_flag(o, key, key_n, e)) {
                return false;
            }
            goto next;
        }
        strbuf_add(&value, "%s", "");
        ok = set_n(o, key, key_n, value.text, value.len, e);
        strbuf_free(&value);
        if (!ok) {
            return false;
        }
next:
        if (*at) {
            at++;               /* the comma; one at the very end is ignored, as QEMU does */
        }
    }
    return true;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static bool add_json_value(struct opts *o, const char *key, const struct json *j, unsigned depth,
                           struct err *e);

static bool add_json_members(struct opts *o, const struct json *j, unsigned depth, struct err *e)
{
    unsigned i = 0;

    if (depth >= OPTS_DEPTH_MAX) {
        return err_set(e, "options are nested more than %d deep", OPTS_DEPTH_MAX);
    }
    if (j->type == JSON_LIST && j->members.n > OPTS_LIST_LEN_MAX) {
        return err_set(e, "a list of more than %d members", OPTS_LIST_LEN_MAX);
    }
    for (const struct json *m = j->members.first; m; m = m->next) {
        char index[16];

        snprintf(index, sizeof index, "%u", i++);
        if (!add_json_value(o, j->type == JSON_LIST ? index : m->key, m, depth, e)) {
            return false;
        }
    }
    return true;
}

static bool add_json_value(struct opts *o, const char *key, const struct json *j, unsigned depth,
                           struct err *e)
{
    struct opts *sub;

    if (!key_is_good(key, strlen(key))) {
        return err_set(e, "'%.80s' is not a valid option name", key);
    }
    switch (j->type) {
    case JSON_NULL:
        return err_set(e, "option '%s' is null; leave it out instead", key);
    case JSON_BOOL:
        return opts_set(o, key, j->b ? "on" : "off", e);
    case JSON_INT:
        return opts_setf(o, e, key, "%" PRId64, j->i);
    case JSON_UINT:
        return opts_setf(o, e, key, "%" PRIu64, j->u);
    case JSON_REAL:
        return opts_setf(o, e, key, "%.17g", j->real);
    case JSON_STRING:
        return opts_set(o, key, j->text, e);
    case JSON_LIST:
    case JSON_DICT:
        sub = opts_sub_make(o, key, e);
        return sub && (add_json_members(sub, j, depth + 1, e) || err_prefix(e, "%s", key));
    }
    return false;
}

bool opts_add_json(struct opts *o, const struct json *object, struct err *e)
{
    if (object->type != JSON_DICT) {
        return err_set(e, "options must be a JSON object, not %s", json_type_name(object->type));
    }
    return add_json_members(o, object, 0, e);
}
