/* SPDX-License-Identifier: Apache-2.0 */
#include "gen.h"

#include "a64.gen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BRK 0xd4200000u

uint64_t gen_random(struct gen *g)
{
    g->s ^= g->s << 13;
    g->s ^= g->s >> 7;
    g->s ^= g->s << 17;
    return g->s * UINT64_C(0x2545f4914f6cdd1d);
}

static unsigned below(struct gen *g, unsigned n)
{
    return (gen_random(g) >> 32) % n;
}

static const struct a64_row_field *field_of(const struct a64_row *r, const char *name)
{
    for (unsigned i = 0; i < r->field_n; i++) {
        if (!strcmp(r->field[i].name, name)) {
            return &r->field[i];
        }
    }
    return NULL;
}

static unsigned get(const struct a64_row *r, uint32_t w, const char *name)
{
    const struct a64_row_field *f = field_of(r, name);

    return f ? w >> f->lsb & ((1u << f->width) - 1) : 0;
}

static uint32_t set(const struct a64_row *r, uint32_t w, const char *name, unsigned v)
{
    const struct a64_row_field *f = field_of(r, name);

    if (!f) {
        return w;
    }
    uint32_t m = ((1u << f->width) - 1) << f->lsb;
    return (w & ~m) | (v << f->lsb & m);
}

static bool starts(const char *s, const char *with)
{
    return !strncmp(s, with, strlen(with));
}

static bool is_exclusive(const struct a64_row *r)
{
    return starts(r->name, "ldxr") || starts(r->name, "stxr") || starts(r->name, "ldaxr") ||
           starts(r->name, "stlxr") || starts(r->name, "ldxp") || starts(r->name, "stxp") ||
           starts(r->name, "ldaxp") || starts(r->name, "stlxp");
}

static bool is_load_ex(const struct a64_row *r)
{
    return is_exclusive(r) && r->name[0] == 'l';
}

/* Rows of which QEMU 7.2 makes something else than the manual:
 *   fjcvtzs     sets Z for a positive denormal that FPCR.FZ flushed
 *   fcvtzs_sih  leaves 32 bits of sign in a 16-bit scalar result
 *   dc_zva      (right, but `max` has other blocks) */
static bool qemu_differs(const struct a64_row *r)
{
    static const char *const names[] = { "fjcvtzs", "fcvtzs_sih", "dc_zva" };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(r->name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool wanted(const struct gen *g, unsigned i)
{
    const struct a64_row *r = &a64_rows[i];

    if ((r->flags & A64_ROW_NODIFF) || !(g->features >> r->feat & 1)) {
        return false;
    }
    if (g->group_mask && !(g->group_mask >> r->group & 1)) {
        return false;
    }
    if (g->only && !strstr(r->name, g->only)) {
        return false;
    }
    if (r->group == A64_GROUP_BRANCH && field_of(r, "rn")) {
        return false;               /* BR, BLR, RET: no address to go to */
    }
    if (is_exclusive(r) && !is_load_ex(r)) {
        return false;               /* made together with its load */
    }
    if (g->for_qemu && qemu_differs(r)) {
        return false;
    }
    return strcmp(r->name, "isb") && strcmp(r->name, "dsb");
}

void gen_init(struct gen *g, uint64_t seed, uint64_t features, unsigned group_mask,
              const char *only, bool for_qemu)
{
    *g = (struct gen){ .s = seed * UINT64_C(0x9e3779b97f4a7c15) | 1, .features = features,
                       .group_mask = group_mask, .only = only, .for_qemu = for_qemu };
    for (unsigned i = 0; i < 20; i++) {
        gen_random(g);
    }
    for (unsigned i = 1; i < a64_row_n; i++) {
        if (wanted(g, i)) {
            g->candidates[g->candidate_n++] = i;
        }
    }
    if (!g->candidate_n) {
        fprintf(stderr, "no row is left to test\n");
        exit(1);
    }
}

/* ---- registers ---- */

static uint64_t interesting(struct gen *g)
{
    static const uint64_t edge[] = {
        0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
        0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
        0xffffffff00000000, 0xffffffff80000000, 0x5555555555555555, 0x0123456789abcdef,
    };
    uint64_t r = gen_random(g);

    switch (below(g, 4)) {
    case 0: return edge[r % (sizeof(edge) / sizeof(edge[0]))];
    case 1: return r >> (r & 63);
    case 2: return edge[r % (sizeof(edge) / sizeof(edge[0]))] + (r >> 61) - 4;
    default: return r;
    }
}

static uint64_t fp_bits(struct gen *g, unsigned bits)
{
    static const uint16_t h[] = { 0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0x7d00,
                                  0xfe01, 0x0001, 0x83ff, 0x0400, 0x7bff, 0x4900, 0x3800 };
    static const uint32_t s[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
                                  0x7fc00000, 0x7f800001, 0xffc12345, 1, 0x807fffff, 0x00800000,
                                  0x7f7fffff, 0x4f000000, 0x5f000000, 0x3f000000, 0x4b000001 };
    static const uint64_t d[] = { 0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000,
                                  0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
                                  0x7ff0000000000001, 0xfff8123456789abc, 1, 0x800fffffffffffff,
                                  0x0010000000000000, 0x7fefffffffffffff, 0x41e0000000000000,
                                  0x43e0000000000000, 0x3fe0000000000000, 0x4330000000000001,
                                  0x36a0000000000000, 0x380fffffe0000000, 0x3f10000000000000 };
    uint64_t r = gen_random(g);
    uint64_t v = bits == 16 ? h[r % (sizeof(h) / sizeof(h[0]))] :
                 bits == 32 ? s[r % (sizeof(s) / sizeof(s[0]))] :
                              d[r % (sizeof(d) / sizeof(d[0]))];

    switch (r >> 60 & 3) {
    case 0: return v + (r >> 62) - 1;       /* a neighbour */
    case 1:                                 /* a number of ordinary size */
        return bits == 16 ? (r & 0x83ff) | (0x2c00 + (r >> 16 & 0x1c00)) :
               bits == 32 ? (r & 0x807fffff) | (0x3c000000 + (r >> 32 & 0x07800000)) :
                            (r & 0x800fffffffffffff) | (0x3f80000000000000 + (r >> 4 & 0x00f0000000000000));
    default: return v;
    }
}

static uint64_t lane64(struct gen *g)
{
    uint64_t r = 0;

    switch (below(g, 6)) {
    case 0: return fp_bits(g, 64);
    case 1: return fp_bits(g, 32) << 32 | (uint32_t)fp_bits(g, 32);
    case 2:
        for (unsigned i = 0; i < 4; i++) {
            r = r << 16 | (uint16_t)fp_bits(g, 16);
        }
        return r;
    case 3: return gen_random(g);
    case 4: return 0;
    default: return interesting(g);
    }
}

static void random_state(struct gen *g, struct diff_state *s)
{
    static const uint32_t fpcr[] = { 0, 0, 0, 1u << 22, 2u << 22, 3u << 22, 1u << 24, 1u << 25,
                                     3u << 24, 1u << 26, 1u << 19, 0x07c80000 };
    uint64_t mid = DIFF_SCRATCH + DIFF_SCRATCH_BYTES / 2 - (64 << 10);

    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < 31; i++) {
        s->x[i] = interesting(g);
    }
    s->x[22] = (int64_t)below(g, 512) - 256;
    s->x[23] = below(g, 2048);
    s->x[24] = mid + 16 * below(g, 1024);
    s->x[25] = mid + 16 * below(g, 16);
    s->x[26] = mid + below(g, 16384);
    s->x[27] = (mid + below(g, 64)) | (uint64_t)(below(g, 256)) << 56;
    s->x[28] = mid + 4096 * below(g, 4) + 4096 - below(g, 40);
    s->sp = mid + 16 * below(g, 64);
    s->nzcv = (uint64_t)below(g, 16) << 28;
    for (unsigned i = 0; i < 32; i++) {
        s->v[i][0] = lane64(g);
        s->v[i][1] = below(g, 4) ? lane64(g) : s->v[i][0];
    }
    if (below(g, 3) == 0) {
        s->fpcr = fpcr[below(g, sizeof(fpcr) / sizeof(fpcr[0]))];
    }
    if (below(g, 4) == 0) {
        s->fpsr = gen_random(g) & 0x0800009f;
    }
}

/* ---- instructions ---- */

static bool touches_memory(const struct a64_row *r)
{
    return strchr(r->ops, '[') && field_of(r, "rn") && strstr(r->ops, "{rn}") &&
           strstr(r->ops, "[%Xs{rn}");
}

static bool custom_memory(const struct a64_row *r)
{
    return strstr(r->ops, "%!uimm") || strstr(r->ops, "%!simm") || strstr(r->ops, "%!pimm") ||
           strstr(r->ops, "%!regoff") || strstr(r->ops, "%!v");
}

static bool needs_alignment(const struct a64_row *r)
{
    return r->feat == A64_FEAT_LSE || is_exclusive(r) || starts(r->name, "ldar") ||
           starts(r->name, "stlr") || starts(r->name, "ldlar") || starts(r->name, "stllr") ||
           starts(r->name, "ldap") || starts(r->name, "stlur");
}

static bool writes_back(const struct a64_row *r)
{
    return strstr(r->name, "_pre") || strstr(r->name, "_post") || strstr(r->name, "_vp") ||
           strstr(r->name, "_bp") || strstr(r->name, "_hp") || strstr(r->name, "_sp") ||
           strstr(r->name, "_dp") || !strcmp(r->name, "ldnr_p");
}

/* A general-purpose destination stays away from the reserved registers. */
static uint32_t spare(const struct a64_row *r, uint32_t w, const char *name)
{
    unsigned v = get(r, w, name);

    return field_of(r, name) && v >= 22 && v <= 28 ? set(r, w, name, v - 16) : w;
}

static uint32_t fix_memory(struct gen *g, const struct a64_row *r, uint32_t w)
{
    static const uint8_t any[] = { 24, 25, 26, 27, 28, 31 }, aligned[] = { 24, 25, 31 };
    unsigned base;

    if (needs_alignment(r)) {
        base = aligned[below(g, 3)];
        w = set(r, w, "imm9", get(r, w, "imm9") & ~7u);
    } else {
        base = writes_back(r) ? 26 + below(g, 3) : any[below(g, 6)];
    }
    w = set(r, w, "rn", base);
    if (field_of(r, "rm")) {
        w = set(r, w, "rm", writes_back(r) && below(g, 2) ? 31 : 22 + below(g, 2));
    }
    /* Where a field should be ones, QEMU insists. */
    if (is_exclusive(r) || starts(r->name, "ldap") || starts(r->name, "stl") ||
        starts(r->name, "ldar") || starts(r->name, "ldlar")) {
        w = set(r, w, "rs", 31);
        w = strchr(r->name, 'p') && is_exclusive(r) ? w : set(r, w, "rt2", 31);
    }
    return w;
}

/* One instruction of row r, as the conventions want it. */
static uint32_t make(struct gen *g, const struct a64_row *r, unsigned left)
{
    uint32_t w = ((uint32_t)gen_random(g) & ~r->mask) | r->value;
    bool memory = r->group == A64_GROUP_MEM || touches_memory(r) ||
                  (custom_memory(r) && field_of(r, "rn") && field_of(r, "rt"));

    if (!strcmp(r->name, "casp")) {
        w &= below(g, 16) ? ~(1u << 16 | 1u) : ~0u;
    }
    if (!strcmp(r->name, "dc_zva")) {
        return set(r, w, "rt", 24 + below(g, 5));
    }
    w = spare(r, w, "rd");
    w = spare(r, w, "rt");
    w = spare(r, w, "rt2");
    w = spare(r, w, "rs");
    if (field_of(r, "rt2") && get(r, w, "rt2") == get(r, w, "rt")) {
        w = set(r, w, "rt2", (get(r, w, "rt") + 1) % 20);   /* loading one twice: UNPREDICTABLE */
    }
    if (r->group == A64_GROUP_BRANCH) {
        unsigned off = 1 + below(g, left);
        return set(r, set(r, set(r, w, "imm26", off), "imm19", off), "imm14", off);
    }
    if (field_of(r, "imm19")) {
        w = set(r, w, "imm19", below(g, 256) - 128);
    } else if (memory) {
        w = fix_memory(g, r, w);
    }
    if (g->close && (r->group == A64_GROUP_SIMD || r->group == A64_GROUP_FP)) {
        static const char *const fields[] = { "rd", "rn", "rm", "ra" };
        for (unsigned i = 0; i < 4; i++) {
            w = set(r, w, fields[i], get(r, w, fields[i]) & 3);
        }
    }
    if (r->group == A64_GROUP_INT && get(r, w, "rd") == 31) {
        w = set(r, w, "rd", below(g, 2) && !strstr(r->ops, "%Rs{rd}") ? 31 : below(g, 22));
    }
    return w;
}

/* The store that goes with a load-exclusive: same size and base. */
static uint32_t make_store_ex(struct gen *g, uint32_t load)
{
    unsigned rs = below(g, 20), rt = below(g, 20);
    uint32_t w = (load & ~(1u << 22 | 0x1f0000u | 31u)) | rs << 16 | rt;

    if (!(load >> 21 & 1)) {
        w |= 31u << 10;
    }
    return below(g, 8) ? w : w ^ 1u << 15;
}

void gen_test(struct gen *g, struct diff_test *t, unsigned insns)
{
    unsigned n = 0;

    random_state(g, &t->state);
    g->close = below(g, 4) == 0;
    while (n < insns) {
        const struct a64_row *r = &a64_rows[g->candidates[below(g, g->candidate_n)]];
        uint32_t w = make(g, r, insns - n);

        if (&a64_rows[a64_decode(w)] != r) {
            continue;
        }
        if (is_load_ex(r)) {
            if (n + 2 > insns) {
                continue;
            }
            t->word[n++] = w | 0x1f0000 | (w >> 21 & 1 ? 0 : 31u << 10);
            t->word[n++] = make_store_ex(g, w);
            continue;
        }
        t->word[n++] = w;
    }
    while (n <= DIFF_WORDS) {
        t->word[n++] = BRK;
    }
}
