/* SPDX-License-Identifier: Apache-2.0 */
#include "gen.h"

#include "a64.gen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t gen_random(struct gen *g)
{
    g->s ^= g->s << 13;
    g->s ^= g->s >> 7;
    g->s ^= g->s << 17;
    return g->s * UINT64_C(0x2545f4914f6cdd1d);
}

unsigned gen_below(struct gen *g, unsigned n)
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

void gen_seed(struct gen *g, uint64_t seed)
{
    g->s = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (unsigned i = 0; i < 20; i++) {
        gen_random(g);
    }
}

void gen_init(struct gen *g, uint64_t seed, uint64_t features, unsigned group_mask,
              const char *only, bool for_qemu)
{
    *g = (struct gen){ .features = features, .group_mask = group_mask, .only = only,
                       .for_qemu = for_qemu };
    gen_seed(g, seed);
    for (unsigned i = 1; i < a64_row_n; i++) {
        if (wanted(g, i)) {
            g->candidates[g->candidate_n++] = i;
            g->of_group[a64_rows[i].group][g->of_group_n[a64_rows[i].group]++] = i;
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

    switch (gen_below(g, 4)) {
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

    switch (gen_below(g, 6)) {
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

/* Which registers play the parts of the conventions: any but X30, which BL writes. */
static void choose_roles(struct gen *g)
{
    uint8_t reg[30];

    for (unsigned i = 0; i < 30; i++) {
        unsigned j = gen_below(g, i + 1);
        reg[i] = reg[j];
        reg[j] = i;
    }
    memcpy(g->role, reg, sizeof(g->role));
    g->reserved = UINT32_C(1) << 31;
    for (unsigned i = 0; i < GEN_ROLES_BASIC; i++) {
        g->reserved |= UINT32_C(1) << g->role[i];
    }
    g->walks = 0;
    g->counters = 0;
}

void gen_state(struct gen *g, struct diff_state *s)
{
    static const uint32_t fpcr[] = { 0, 0, 0, 1u << 22, 2u << 22, 3u << 22, 1u << 24, 1u << 25,
                                     3u << 24, 1u << 26, 1u << 19, 0x07c80000 };
    uint64_t mid = DIFF_SCRATCH + DIFF_SCRATCH_BYTES / 2 - (64 << 10);

    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < 31; i++) {
        s->x[i] = interesting(g);
    }
    choose_roles(g);
    s->x[g->role[GEN_INDEX]] = (int64_t)gen_below(g, 512) - 256;
    s->x[g->role[GEN_INDEX + 1]] = gen_below(g, 2048);
    s->x[g->role[GEN_ALIGNED]] = mid + 16 * gen_below(g, 1024);
    s->x[g->role[GEN_ALIGNED + 1]] = mid + 16 * gen_below(g, 16);
    s->x[g->role[GEN_BASE]] = mid + gen_below(g, 16384);
    s->x[g->role[GEN_BASE + 1]] = (mid + gen_below(g, 64)) | (uint64_t)(gen_below(g, 256)) << 56;
    s->x[g->role[GEN_BASE + 2]] = mid + 4096 * gen_below(g, 4) + 4096 - gen_below(g, 40);
    s->sp = mid + 16 * gen_below(g, 64);
    s->nzcv = (uint64_t)gen_below(g, 16) << 28;
    for (unsigned i = 0; i < 32; i++) {
        s->v[i][0] = lane64(g);
        s->v[i][1] = gen_below(g, 4) ? lane64(g) : s->v[i][0];
    }
    if (gen_below(g, 3) == 0) {
        s->fpcr = fpcr[gen_below(g, sizeof(fpcr) / sizeof(fpcr[0]))];
    }
    if (gen_below(g, 4) == 0) {
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
static uint32_t spare(struct gen *g, const struct a64_row *r, uint32_t w, const char *name)
{
    unsigned v = get(r, w, name);

    return field_of(r, name) && v != 31 && (g->reserved >> v & 1) ?
           set(r, w, name, gen_spare(g)) : w;
}

unsigned gen_spare(struct gen *g)
{
    unsigned v;

    do {
        v = gen_below(g, 31);
    } while (g->reserved >> v & 1);
    return v;
}

/* More than one access to memory: QEMU may have done the first when the second faults. */
static bool is_split(const struct a64_row *r, uint32_t w)
{
    return field_of(r, "rt2") || r->group == A64_GROUP_VMEM ||
           (r->group == A64_GROUP_MEM && (w >> 26 & 1)) || strstr(r->ops, "%Q{");
}

static unsigned any_base(struct gen *g, const struct a64_row *r, uint32_t w)
{
    for (;;) {
        static const uint8_t any[] = { GEN_ALIGNED, GEN_ALIGNED + 1, GEN_BASE, GEN_BASE + 1,
                                       GEN_BASE + 2, GEN_ROLES };
        unsigned i = needs_alignment(r) ? gen_below(g, 3) : writes_back(r) ? 2 + gen_below(g, 3) :
                     gen_below(g, 6);
        unsigned role = needs_alignment(r) && i == 2 ? GEN_ROLES : any[i];
        if (role == GEN_ROLES) {
            return 31;
        }
        if (!g->for_qemu || !is_split(r, w) || !(g->walks >> role & 1)) {
            return g->role[role];
        }
    }
}

static uint32_t fix_memory(struct gen *g, const struct a64_row *r, uint32_t w)
{
    unsigned base;

    if (needs_alignment(r)) {
        w = set(r, w, "imm9", get(r, w, "imm9") & ~7u);
    }
    base = any_base(g, r, w);
    w = set(r, w, "rn", base);
    if (g->walks && gen_below(g, 4)) {
        w = set(r, w, "imm12", gen_below(g, 8));
    }
    if (field_of(r, "rm")) {
        w = set(r, w, "rm", writes_back(r) && gen_below(g, 2) ? 31 :
                            g->counters && gen_below(g, 2) ?
                            g->role[GEN_COUNTER + gen_below(g, g->counters)] :
                            g->role[GEN_INDEX + gen_below(g, 2)]);
    }
    /* Where a field should be ones, QEMU insists. */
    if (is_exclusive(r) || starts(r->name, "ldap") || starts(r->name, "stl") ||
        starts(r->name, "ldar") || starts(r->name, "ldlar")) {
        w = set(r, w, "rs", 31);
        w = strchr(r->name, 'p') && is_exclusive(r) ? w : set(r, w, "rt2", 31);
    }
    return w;
}

/* CASP writes rs and the next one. */
static uint32_t fix_casp(struct gen *g, const struct a64_row *r, uint32_t w)
{
    if (!gen_below(g, 16)) {
        return w | 1;                               /* odd: undefined */
    }
    w &= ~(1u << 16 | 1u);
    while (g->reserved >> (get(r, w, "rs")) & 3) {
        w = set(r, w, "rs", gen_below(g, 15) * 2);
    }
    return w;
}

/* One instruction of row r, as the conventions want it. */
static uint32_t make(struct gen *g, const struct a64_row *r, unsigned left)
{
    uint32_t w = ((uint32_t)gen_random(g) & ~r->mask) | r->value;
    bool memory = r->group == A64_GROUP_MEM || touches_memory(r) ||
                  (custom_memory(r) && field_of(r, "rn") && field_of(r, "rt"));

    if (!strcmp(r->name, "dc_zva")) {
        return set(r, w, "rt", g->role[GEN_ALIGNED + gen_below(g, 5)]);
    }
    w = spare(g, r, w, "rd");
    w = spare(g, r, w, "rt");
    w = spare(g, r, w, "rt2");
    w = spare(g, r, w, "rs");
    if (!strcmp(r->name, "casp")) {
        w = fix_casp(g, r, w);
    }
    while (field_of(r, "rt2") && get(r, w, "rt2") == get(r, w, "rt")) {
        w = set(r, w, "rt2", gen_spare(g));         /* loading one twice: UNPREDICTABLE */
    }
    if (r->group == A64_GROUP_BRANCH) {
        unsigned off = 1 + gen_below(g, left);
        return set(r, set(r, set(r, w, "imm26", off), "imm19", off), "imm14", off);
    }
    if (field_of(r, "imm19")) {
        w = set(r, w, "imm19", gen_below(g, 256) - 128);
    } else if (memory) {
        w = fix_memory(g, r, w);
    }
    if (g->close && (r->group == A64_GROUP_SIMD || r->group == A64_GROUP_FP)) {
        static const char *const fields[] = { "rd", "rn", "rm", "ra" };
        for (unsigned i = 0; i < 4; i++) {
            w = set(r, w, fields[i], get(r, w, fields[i]) & 3);
        }
        w = spare(g, r, w, "rd");       /* it may be a general register */
    }
    if (r->group == A64_GROUP_INT && get(r, w, "rd") == 31) {
        w = set(r, w, "rd", gen_below(g, 2) && !strstr(r->ops, "%Rs{rd}") ? 31 : gen_spare(g));
    }
    return w;
}

uint32_t gen_store_ex(struct gen *g, uint32_t load)
{
    unsigned rs = gen_spare(g), rt = gen_spare(g);
    uint32_t w = (load & ~(1u << 22 | 0x1f0000u | 31u)) | rs << 16 | rt;

    if (!(load >> 21 & 1)) {
        w |= 31u << 10;
    }
    return gen_below(g, 8) ? w : w ^ 1u << 15;
}

unsigned gen_insn(struct gen *g, unsigned row, unsigned left, uint32_t word[2])
{
    const struct a64_row *r = &a64_rows[row];
    uint32_t w;

    do {
        w = make(g, r, left);
    } while (&a64_rows[a64_decode(w)] != r);
    word[0] = w;
    if (!is_load_ex(r)) {
        return 1;
    }
    word[0] = w | 0x1f0000 | (w >> 21 & 1 ? 0 : 31u << 10);
    word[1] = gen_store_ex(g, w);
    return 2;
}

void gen_test(struct gen *g, struct diff_test *t, unsigned insns)
{
    unsigned n = 0;

    gen_state(g, &t->state);
    g->close = gen_below(g, 4) == 0;
    t->hot_runs = 2;
    while (n < insns) {
        uint32_t word[2];
        unsigned row = g->candidates[gen_below(g, g->candidate_n)];
        unsigned k = gen_insn(g, row, insns - n, word);
        if (n + k <= insns) {
            memcpy(&t->word[n], word, k * 4);
            n += k;
        }
    }
    while (n <= DIFF_WORDS) {
        t->word[n++] = GEN_BRK;
    }
}
