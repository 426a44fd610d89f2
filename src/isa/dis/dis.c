/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/dis/dis.h"

#include "base/log.h"
#include "isa/dis/dis_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dis_put(struct dis *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(d->p, d->end - d->p, fmt, ap);
    va_end(ap);
    d->p += n < d->end - d->p ? n : d->end - d->p - 1;
}

static const struct a64_row_field *field_find(const struct dis *d, const char *name, size_t len)
{
    for (unsigned i = 0; i < d->row->field_n; i++) {
        const struct a64_row_field *f = &d->row->field[i];
        if (!strncmp(f->name, name, len) && !f->name[len]) {
            return f;
        }
    }
    return NULL;
}

bool dis_has(const struct dis *d, const char *name)
{
    return field_find(d, name, strlen(name));
}

static int64_t field_value(const struct dis *d, const struct a64_row_field *f)
{
    uint64_t v = d->w >> f->lsb & ((UINT64_C(1) << f->width) - 1);

    return f->is_signed ? (int64_t)(v << (64 - f->width)) >> (64 - f->width) : (int64_t)v;
}

int64_t dis_field(const struct dis *d, const char *name)
{
    const struct a64_row_field *f = field_find(d, name, strlen(name));

    return f ? field_value(d, f) : 0;
}

void dis_gpr(struct dis *d, bool x, unsigned r, bool sp)
{
    if (r == 31) {
        dis_put(d, "%s", sp ? x ? "sp" : "wsp" : x ? "xzr" : "wzr");
    } else {
        dis_put(d, "%c%u", x ? 'x' : 'w', r);
    }
}

void dis_imm(struct dis *d, uint64_t v)
{
    dis_put(d, v > 9 ? "#%#" PRIx64 : "#%" PRIu64, v);
}

void dis_simm(struct dis *d, int64_t v)
{
    if (v < 0) {
        dis_put(d, v < -9 ? "#-%#" PRIx64 : "#-%" PRIu64, -(uint64_t)v);
    } else {
        dis_imm(d, v);
    }
}

/* What is in braces: a field, a:b (concatenated), or name=constant. */
static int64_t braces(const struct dis *d, const char *s, size_t len)
{
    const char *eq = memchr(s, '=', len), *colon = memchr(s, ':', len);

    if (eq) {
        return strtol(eq + 1, NULL, 0);
    }
    if (colon) {
        const struct a64_row_field *lo = field_find(d, colon + 1, s + len - colon - 1);
        return braces(d, s, colon - s) << (lo ? lo->width : 0) | (lo ? field_value(d, lo) : 0);
    }
    const struct a64_row_field *f = field_find(d, s, len);
    return f ? field_value(d, f) : 0;
}

static const char *const conditions[] = { "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc",
                                          "hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };

static void simple(struct dis *d, const char *kind, int64_t v)
{
    bool sp = kind[1] == 's';

    switch (kind[0]) {
    case 'X': dis_gpr(d, true, v, sp); break;
    case 'W': dis_gpr(d, false, v, sp); break;
    case 'R': dis_gpr(d, dis_field(d, "sf"), v, sp); break;
    case 'S': dis_gpr(d, dis_field(d, "sz"), v, sp); break;
    case 'T': dis_gpr(d, dis_field(d, "size") == 3, v, sp); break;
    case 'c': dis_put(d, "%s", conditions[v & 15]); break;
    case 'C': dis_put(d, "%s", conditions[(v ^ 1) & 15]); break;
    case 'u': dis_put(d, v > 9 ? "%#" PRIx64 : "%" PRIu64, v); break;
    case 'd':
        if (v < 0) {
            dis_put(d, v < -9 ? "-%#" PRIx64 : "-%" PRIu64, -v);
        } else {
            dis_put(d, v > 9 ? "%#" PRIx64 : "%" PRIu64, v);
        }
        break;
    case 'x': dis_put(d, v > 9 ? "%#" PRIx64 : "%" PRIu64, v); break;
    case 'b': dis_put(d, "#%#" PRIx64, d->pc + (uint64_t)v * 4); break;
    case 'V': dis_vreg(d, kind + 1, v); break;
    case 'F': dis_freg(d, kind + 1, v); break;
    default: dis_put(d, "?%s", kind); break;
    }
}

/* %z, %Z, %o, %2 of mnemonics. */
static void suffix(struct dis *d, char c)
{
    static const char *const size[] = { "b", "h", "", "" }, *const ssize[] = { "b", "h", "w", "" };
    unsigned n = dis_field(d, "size");

    switch (c) {
    case 'z': dis_put(d, "%s", size[n]); break;
    case 'Z': dis_put(d, "%s", ssize[n]); break;
    case 'o':
        dis_put(d, "%s%s", dis_field(d, "a") ? "a" : "", dis_field(d, "r") ? "l" : "");
        break;
    case '2': dis_put(d, "%s", dis_field(d, "q") ? "2" : ""); break;
    default: dis_put(d, "?%c", c); break;
    }
}

static void custom(struct dis *d, const char *name, size_t len)
{
    const struct dis_format *const tables[] = { dis_formats_int, dis_formats_simd };

    for (unsigned t = 0; t < 2; t++) {
        for (const struct dis_format *f = tables[t]; f->name; f++) {
            if (!strncmp(f->name, name, len) && !f->name[len]) {
                f->fn(d);
                return;
            }
        }
    }
    dis_put(d, "?%.*s", (int)len, name);
}

static void expand(struct dis *d, const char *s)
{
    while (*s) {
        if (*s != '%') {
            dis_put(d, "%c", *s++);
            continue;
        }
        s++;
        bool is_custom = *s == '!';
        s += is_custom;
        size_t len = 0;
        char kind[8] = "";
        const char *name = s;
        if (!is_custom && strchr("zZo2", *s) && s[1] != '{') {
            suffix(d, *s++);
            continue;
        }
        while (isalnum((unsigned char)s[len])) {
            len++;
        }
        memcpy(kind, s, len < 7 ? len : 7);
        s += len;
        if (*s == '{') {
            const char *close = strchr(s, '}');
            d->arg = braces(d, s + 1, close - s - 1);
            if (!is_custom) {
                simple(d, kind, braces(d, s + 1, close - s - 1));
            }
            s = close + 1;
        } else if (!is_custom) {
            dis_put(d, "?%s", kind);
        }
        if (is_custom) {
            custom(d, name, len);
        }
    }
}

static const struct a64_row *row_of(uint32_t w)
{
    unsigned i = a64_decode(w);

    for (const struct a64_row *r = a64_alias_rows; i && r->name; r++) {
        if (a64_row_matches(r, w) && (!r->when || r->when(w))) {
            return r;
        }
    }
    return i ? &a64_rows[i] : NULL;
}

void dis_a64(uint32_t word, uint64_t pc, char *text, size_t size)
{
    struct dis d = { .row = row_of(word), .w = word, .pc = pc, .p = text, .end = text + size };

    *text = 0;
    if (!d.row) {
        dis_put(&d, ".inst 0x%08x", word);
        return;
    }
    expand(&d, d.row->mnem);
    if (!strcmp(d.row->name, "b_cond")) {
        dis_put(&d, "%s", conditions[word & 15]);
    }
    if (*d.row->ops) {
        dis_put(&d, " ");
        expand(&d, d.row->ops);
    }
}

void dis_a64_log(const uint32_t *code, unsigned n, uint64_t pc)
{
    for (unsigned i = 0; i < n; i++) {
        char text[160];
        dis_a64(code[i], pc + 4 * i, text, sizeof(text));
        log_text("0x%016" PRIx64 ":  %08x  %s\n", pc + 4 * i, code[i], text);
    }
    if (n > 1) {
        log_text("\n");
    }
}
