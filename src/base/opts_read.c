/* SPDX-License-Identifier: Apache-2.0 */
/* The typed getters of struct opts. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "base/opts_tree.h"

/* The text for errors is cut: a value may be as long as the command line. */
#define SHOWN(text) (int)MIN(strlen(text), (size_t)80), text

/* ---- parsers ------------------------------------------------------------------------------ */

bool opts_parse_bool(const char *what, const char *text, bool *out, struct err *e)
{
    static const char *const yes[] = { "on", "yes", "true", "y" };
    static const char *const no[] = { "off", "no", "false", "n" };

    for (unsigned i = 0; i < ARRAY_LEN(yes); i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *out = !strcmp(text, yes[i]);
            return true;
        }
    }
    return err_set(e, "%s: '%.*s' is neither 'on' nor 'off'", what, SHOWN(text));
}

static bool range_check(const char *what, const char *text, uint64_t v, uint64_t min,
                        uint64_t max, struct err *e)
{
    if (v < min || v > max) {
        return err_set(e, "%s: %.*s is not within %" PRIu64 " … %" PRIu64, what, SHOWN(text),
                       min, max);
    }
    return true;
}

bool opts_parse_u64(const char *what, const char *text, uint64_t min, uint64_t max,
                    uint64_t *out, struct err *e)
{
    char *end;
    uint64_t v;

    errno = 0;
    /* strtoull() takes signs and leading blanks; an option does not. */
    v = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 0) : 0;
    if (!isdigit((unsigned char)text[0]) || *end) {
        return err_set(e, "%s: '%.*s' is not a number", what, SHOWN(text));
    }
    if (errno == ERANGE) {
        return err_set(e, "%s: %.*s does not fit into 64 bits", what, SHOWN(text));
    }
    if (!range_check(what, text, v, min, max, e)) {
        return false;
    }
    *out = v;
    return true;
}

/* 1 for no suffix; 0 when the text is not a suffix. */
static uint64_t suffix_bytes(const char *suffix, uint64_t unit_bytes)
{
    static const char letters[] = "bkmgtpe";
    const char *at;

    if (!suffix[0]) {
        return unit_bytes;
    }
    at = strchr(letters, tolower((unsigned char)suffix[0]));
    return at && *at && !suffix[1] ? UINT64_C(1) << 10 * (at - letters) : 0;
}

bool opts_parse_size(const char *what, const char *text, uint64_t unit_bytes,
                     uint64_t *out_bytes, struct err *e)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    uint64_t whole, mul, bytes, part = 0;
    double fraction = 0;
    char *end = NULL;

    errno = 0;
    whole = isdigit((unsigned char)text[0]) ? strtoull(text, &end, hex ? 16 : 10) : 0;
    if (end && *end == '.' && !hex && isdigit((unsigned char)end[1])) {
        double scale = 0.1;

        for (end++; isdigit((unsigned char)*end); end++, scale /= 10) {
            fraction += (*end - '0') * scale;
        }
    }
    mul = end ? suffix_bytes(end, unit_bytes) : 0;
    /* "0x1b" is a number, so a suffix behind a hexadecimal one would be read in two ways. */
    if (!mul || (hex && *end) || (fraction > 0 && mul == 1)) {
        return err_set(e, "%s: '%.*s' is not a size; a size is a number with one of the suffixes "
                       "K, M, G, T", what, SHOWN(text));
    }
    part = (uint64_t)(fraction * mul + 0.5);
    if (errno == ERANGE || __builtin_mul_overflow(whole, mul, &bytes) ||
        __builtin_add_overflow(bytes, part, &bytes)) {
        return err_set(e, "%s: %.*s does not fit into 64 bits", what, SHOWN(text));
    }
    *out_bytes = bytes;
    return true;
}

/* The index of `text` in "a|b|c", or -1. */
static int choice_find(const char *choices, const char *text)
{
    size_t text_n = strlen(text);

    for (int i = 0;; i++) {
        size_t n = strcspn(choices, "|");

        if (n == text_n && !memcmp(choices, text, n)) {
            return i;
        }
        if (!choices[n]) {
            return -1;
        }
        choices += n + 1;
    }
}

/* ---- getters ------------------------------------------------------------------------------ */

static const char *value_read(const struct opts *o, const char *path)
{
    struct opts *node = opts_last_value(o, path);

    if (!node) {
        return NULL;
    }
    node->read = true;
    return node->value;
}

const char *opts_str(const struct opts *o, const char *path, const char *dflt)
{
    const char *value = value_read(o, path);

    return value ? value : dflt;
}

bool opts_str_required(const struct opts *o, const char *path, const char **out, struct err *e)
{
    *out = value_read(o, path);
    return *out || err_set(e, "option '%s' is missing", path);
}

bool opts_bool(const struct opts *o, const char *path, bool dflt, bool *out, struct err *e)
{
    const char *value = value_read(o, path);

    *out = dflt;
    return !value || opts_parse_bool(path, value, out, e);
}

bool opts_u64(const struct opts *o, const char *path, uint64_t dflt, uint64_t min, uint64_t max,
              uint64_t *out, struct err *e)
{
    const char *value = value_read(o, path);

    *out = dflt;
    return !value || opts_parse_u64(path, value, min, max, out, e);
}

bool opts_size(const struct opts *o, const char *path, uint64_t dflt_bytes, uint64_t *out_bytes,
               struct err *e)
{
    const char *value = value_read(o, path);

    *out_bytes = dflt_bytes;
    return !value || opts_parse_size(path, value, 1, out_bytes, e);
}

bool opts_enum(const struct opts *o, const char *path, const char *choices, unsigned dflt,
               unsigned *out, struct err *e)
{
    const char *value = value_read(o, path);
    int i;

    *out = dflt;
    if (!value) {
        return true;
    }
    i = choice_find(choices, value);
    if (i < 0) {
        return err_set(e, "%s: '%.*s' is none of %s", path, SHOWN(value), choices);
    }
    *out = i;
    return true;
}

const char *opts_value_at(const struct opts *o, const char *path, unsigned index)
{
    const char *dot = strrchr(path, '.');

    if (dot) {
        char group[OPTS_DEPTH_MAX * (OPTS_KEY_LEN_MAX + 1) + 1];

        assert((size_t)(dot - path) < sizeof group);
        snprintf(group, sizeof group, "%.*s", (int)(dot - path), path);
        o = opts_sub(o, group);
        path = dot + 1;
    }
    for (struct opts *m = o ? o->first : NULL; m; m = m->next) {
        if (m->value && !strcmp(m->key, path) && index-- == 0) {
            m->read = true;
            return m->value;
        }
    }
    return NULL;
}

struct opts *opts_list_at(const struct opts *o, const char *path, unsigned index)
{
    const struct opts *list = opts_sub(o, path);
    char key[16];

    snprintf(key, sizeof key, "%u", index);
    return list ? opts_sub(list, key) : NULL;
}

bool opts_list_len(const struct opts *o, const char *path, unsigned *n, struct err *e)
{
    const struct opts *list = opts_sub(o, path);
    unsigned found = 0;
    uint64_t top = 0;

    *n = 0;
    if (!list) {
        return true;
    }
    for (const struct opts *m = list->first; m; m = m->next) {
        uint64_t index;

        if (!opts_parse_u64(path, m->key, 0, OPTS_LIST_LEN_MAX - 1, &index, e)) {
            return false;
        }
        if (opts_sub(list, m->key) == m) {      /* else a second value for an index */
            found++;
            top = MAX(top, index + 1);
        }
    }
    if (found != top) {
        return err_set(e, "list '%s' has %u members but its highest index is %" PRIu64, path,
                       found, top - 1);
    }
    *n = found;
    return true;
}

/* ---- checking ----------------------------------------------------------------------------- */

static const struct opt_row *row_find(const struct opt_row *rows, const char *path)
{
    for (const struct opt_row *r = rows; r->name; r++) {
        size_t n = strlen(r->name);

        if (!strcmp(path, r->name)) {
            return r;
        }
        if ((r->type == OPT_GROUP || r->type == OPT_LIST) && !strncmp(path, r->name, n) &&
            path[n] == '.') {
            return r;
        }
    }
    return NULL;
}

static bool value_check(const struct opt_row *r, const char *path, const char *value,
                        struct err *e)
{
    uint64_t u, max = r->max ? r->max : UINT64_MAX;
    bool b;

    switch (r->type) {
    case OPT_BOOL:
        return opts_parse_bool(path, value, &b, e);
    case OPT_U64:
        return opts_parse_u64(path, value, r->min, max, &u, e);
    case OPT_SIZE:
        return opts_parse_size(path, value, 1, &u, e) &&
               range_check(path, value, u, r->min, max, e);
    case OPT_ENUM:
        if (choice_find(r->choices, value) < 0) {
            return err_set(e, "%s: '%.*s' is none of %s", path, SHOWN(value), r->choices);
        }
        return true;
    case OPT_STR:
    case OPT_GROUP:
    case OPT_LIST:
        return true;
    }
    return true;
}

static bool unknown_key(const struct opt_row *rows, const char *path, struct err *e)
{
    struct nearest near;

    nearest_init(&near, path);
    for (const struct opt_row *r = rows; r->name; r++) {
        nearest_add(&near, r->name);
    }
    return err_set(e, "unknown option '%s'%s", path, nearest_hint(&near));
}

static bool members_check(const struct opts *o, const struct opt_row *rows, const char *prefix,
                          struct err *e)
{
    for (const struct opts *m = o->first; m; m = m->next) {
        char path[OPTS_DEPTH_MAX * (OPTS_KEY_LEN_MAX + 1) + 1];
        const struct opt_row *r;

        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", m->key);
        r = row_find(rows, path);
        if (m->value) {
            if (!r) {
                return unknown_key(rows, path, e);
            }
            if (!value_check(r, path, m->value, e)) {
                return false;
            }
        }
        if (!members_check(m, rows, path, e)) {
            return false;
        }
    }
    return true;
}

bool opts_check(const struct opts *o, const struct opt_row *rows, const char *what,
                struct err *e)
{
    return members_check(o, rows, "", e) || err_prefix(e, "%s", what);
}

void opts_add_defaults(struct opts *o, const struct opt_row *rows)
{
    for (const struct opt_row *r = rows; r->name; r++) {
        if (r->dflt && !opts_last_value(o, r->name)) {
            bool ok = opts_set(o, r->name, r->dflt, NULL);
            assert(ok);
        }
    }
}

static const struct opts *first_unread(const struct opts *o)
{
    for (const struct opts *m = o->first; m; m = m->next) {
        const struct opts *deeper;

        /* An earlier value of a key that was given twice counts by the last one. */
        if (m->value && !m->read && opts_last_value(o, m->key) == m) {
            return m;
        }
        deeper = first_unread(m);
        if (deeper) {
            return deeper;
        }
    }
    return NULL;
}

bool opts_check_read(const struct opts *o, const char *what, struct err *e)
{
    const struct opts *m = first_unread(o);

    if (m) {
        return err_set(e, "%s: option '%s' means nothing here", what, m->key);
    }
    return true;
}
