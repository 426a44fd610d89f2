/* SPDX-License-Identifier: Apache-2.0 */
/* Programs with loops: nested, with several ways in, through and out.
 *
 * Each loop has a counter of its own, which nothing else writes, and every way back to its head
 * goes by the counter's step: so programs end.  Flags are whatever the instruction before left,
 * in this block or another one. */
#include "gen.h"

#include "a64.gen.h"

#include <assert.h>
#include <string.h>

#define A64_B 0x14000000u
#define A64_BL 0x94000000u
#define A64_ADR 0x10000000u
#define A64_RET 0xd65f03c0u

enum { DEPTH_MAX = 3, FIXES_MAX = 64, SUBS_MAX = 2, SUB_INSNS = 6, DATA_WORDS = 4, RESERVE = 10 };

enum style { STYLE_INT, STYLE_MEM, STYLE_FP, STYLE_VEC, STYLE_MIX, STYLES };

/* Weight of each group of rows (enum a64_group) by style. */
static const uint8_t group_weight[STYLES][8] = {
    /*              int br mem sys fp simd crypto vmem */
    [STYLE_INT] = { 60, 0, 15, 1, 2, 2, 0, 2 },
    [STYLE_MEM] = { 25, 0, 40, 1, 2, 3, 0, 20 },
    [STYLE_FP]  = { 15, 0, 5, 1, 50, 15, 0, 10 },
    [STYLE_VEC] = { 10, 0, 5, 1, 5, 50, 3, 20 },
    [STYLE_MIX] = { 20, 0, 15, 2, 15, 20, 2, 15 },
};

/* Branches whose targets are not known yet. */
struct fixes {
    unsigned n;
    uint8_t at[FIXES_MAX];
};

struct level {
    unsigned head;
    bool may_continue;          /* the counter's step is at the head */
    struct fixes exits;
};

struct prog {
    struct gen *g;
    struct diff_state *state;
    uint32_t *word;
    unsigned n, max;            /* max: keep room for what comes behind */
    enum style style;
    unsigned depth, depth_max;
    struct level level[DEPTH_MAX];
    struct fixes end, data, sub[SUBS_MAX];
    bool calls, changes, leaves;
    int target;                 /* instruction that changes, -1 = not yet */
    struct fixes to_target;
};

static void body(struct prog *p, unsigned want);

/* ---- words ---- */

static unsigned emit(struct prog *p, uint32_t w)
{
    assert(p->n < DIFF_WORDS);
    p->word[p->n] = w;
    return p->n++;
}

static uint32_t field(int32_t v, unsigned width, unsigned lsb)
{
    return ((uint32_t)v & ((UINT32_C(1) << width) - 1)) << lsb;
}

/* Lets the branch or ADR at `at` go to `to`. */
static void aim(struct prog *p, unsigned at, unsigned to)
{
    uint32_t *w = &p->word[at];
    int32_t d = (int32_t)to - (int32_t)at;

    if ((*w & 0x7c000000) == A64_B) {
        *w |= field(d, 26, 0);
    } else if ((*w & 0x9f000000) == A64_ADR) {
        *w |= field(d * 4 & 3, 2, 29) | field(d, 19, 5);
    } else if ((*w & 0x7e000000) == 0x36000000) {
        *w |= field(d, 14, 5);
    } else {
        *w |= field(d, 19, 5);
    }
}

static void fix_later(struct fixes *f, unsigned at)
{
    assert(f->n < FIXES_MAX);
    f->at[f->n++] = at;
}

static void fix(struct prog *p, struct fixes *f, unsigned to)
{
    for (unsigned i = 0; i < f->n; i++) {
        aim(p, f->at[i], to);
    }
    f->n = 0;
}

static unsigned pick(struct prog *p, unsigned n)
{
    return gen_below(p->g, n);
}

/* A conditional branch on anything. */
static unsigned branch_any(struct prog *p)
{
    switch (pick(p, 4)) {
    case 0:                                                 /* cbz, cbnz */
        return emit(p, 0x34000000 | pick(p, 2) << 31 | pick(p, 2) << 24 | pick(p, 32));
    case 1:                                                 /* tbz, tbnz */
        return emit(p, 0x36000000 | pick(p, 2) << 31 | pick(p, 2) << 24 | pick(p, 32) << 19 |
                       pick(p, 32));
    default:                                                /* b.cond */
        return emit(p, 0x54000000 | pick(p, pick(p, 8) ? 14 : 16));
    }
}

/* ---- what a body is made of ---- */

static void plain(struct prog *p)
{
    struct gen *g = p->g;
    unsigned total = 0, group, r, row = 0;
    uint32_t word[2];

    for (group = 0; group < 8; group++) {
        total += g->of_group_n[group] ? group_weight[p->style][group] : 0;
    }
    if (!total) {
        return;
    }
    r = pick(p, total);
    for (group = 0; group < 8; group++) {
        unsigned w = g->of_group_n[group] ? group_weight[p->style][group] : 0;
        if (r < w) {
            break;
        }
        r -= w;
    }
    for (unsigned try = 0; try < 4; try++) {
        row = g->of_group[group][pick(p, g->of_group_n[group])];
        if (!(a64_rows[row].flags & A64_ROW_INTERP) || !pick(p, 8)) {
            break;
        }
    }
    r = gen_insn(g, row, 1, word);
    for (unsigned i = 0; i < r; i++) {
        emit(p, word[i]);
    }
}

/* Moves a pointer along, or SP. */
static void step(struct prog *p)
{
    static const uint16_t by[] = { 1, 2, 4, 8, 8, 16, 16, 24, 32, 64, 100, 256, 1000, 4095 };
    const uint8_t *role = p->g->role;
    unsigned r = pick(p, 6), imm = by[pick(p, sizeof(by) / sizeof(by[0]))];
    unsigned reg = r < 2 ? role[GEN_ALIGNED + r] : r < 5 ? role[GEN_BASE + r - 2] : 31;
    bool aligned = r < 2 || r == 5;
    uint32_t w = pick(p, 4) ? 0x91000000 : 0xd1000000;      /* add, sub */

    if (!aligned && !pick(p, 4)) {                          /* add x, x, index */
        emit(p, 0x8b000000 | role[GEN_INDEX + pick(p, 2)] << 16 | reg << 5 | reg);
    } else {
        aligned &= p->g->for_qemu || pick(p, 6);            /* QEMU 7.2 has no LSE2 */
        emit(p, w | (aligned ? imm & 0x1f0 : imm) << 10 | reg << 5 | reg);
    }
}

/* Sets flags that something somewhere uses. */
static void flags(struct prog *p)
{
    static const uint32_t op[] = { 0x6b00001f, 0x2b00001f, 0x6a00001f, 0x7a400800, 0x7a400000,
                                   0x3a400000, 0x1e202000, 0x1e602000, 0x1e202010 };
    uint32_t w = op[pick(p, 9)];

    w |= pick(p, 32) << 16 | pick(p, 32) << 5;
    if (w >> 24 == 0x1e) {
        emit(p, w);
        return;
    }
    w |= pick(p, 2) << 31;
    if ((w & 0x3fe00000) == 0x3a400000) {                   /* ccmp, ccmn */
        w |= pick(p, 16) << 12 | pick(p, 16);
    }
    emit(p, w);
}

static void movz(struct prog *p, unsigned reg, unsigned imm, unsigned shift)
{
    emit(p, 0xd2800000 | (shift / 16) << 21 | imm << 5 | reg);
}

static void system_register(struct prog *p)
{
    unsigned t = gen_spare(p->g);

    switch (pick(p, 8)) {
    case 0:
        emit(p, 0xd53b4200 | t);                            /* mrs x, nzcv */
        break;
    case 1:
        emit(p, 0xd51b4200 | pick(p, 32));
        break;
    case 2:
        emit(p, 0xd53b4420 | t);                            /* mrs x, fpsr */
        break;
    case 3:
        movz(p, t, pick(p, 0x100) & 0x9f, 0);
        emit(p, 0xd51b4420 | t);
        break;
    case 4:
        emit(p, 0xd53b4400 | t);                            /* mrs x, fpcr */
        break;
    case 5:                                                 /* the rounding mode changes */
        emit(p, 0xd53b4400 | t);
        emit(p, (pick(p, 2) ? 0xd26a0400 : 0xd2690400) | t << 5 | t);   /* eor, 3 << 22 or 23 */
        emit(p, 0xd51b4400 | t);
        break;
    case 6:                                                 /* AHP, DN, FZ, RMode, FZ16 */
        movz(p, t, pick(p, 0x800) & (pick(p, 2) ? 0xc8 : 0x7c8), 16);
        emit(p, 0xd51b4400 | t);
        break;
    default:
        if (!p->g->for_qemu) {
            emit(p, (pick(p, 2) ? 0xd53bd040 : 0xd51bd040) | t);    /* tpidr_el0 */
        }
        break;
    }
}

/* Mostly one that a pointer is in. */
static unsigned walked_page(struct prog *p)
{
    unsigned role = GEN_ALIGNED + pick(p, 5), page = pick(p, DIFF_WALK_PAGES);

    if ((p->g->walks >> role & 1) && pick(p, 8)) {
        page = ((p->state->x[p->g->role[role]] - DIFF_WALK) >> 12 & 31) + pick(p, 2);
    }
    return page % DIFF_WALK_PAGES;
}

static void store_to_device(struct prog *p)
{
    unsigned imm = pick(p, 8) << 5 | walked_page(p);

    emit(p, (pick(p, 2) ? 0xf9000000 : 0xb9000000) | imm << 10 | p->g->role[GEN_DEVICE] << 5 |
            pick(p, 32));
}

static void exclusive_loop(struct prog *p)
{
    unsigned base = p->g->role[GEN_ALIGNED + pick(p, 2)], t = gen_spare(p->g), s = t;
    uint32_t size = (2 + pick(p, 2)) << 30 | pick(p, 2) << 15;
    unsigned head = p->n;

    while (s == t) {
        s = gen_spare(p->g);
    }
    emit(p, 0x085f7c00 | size | base << 5 | t);
    emit(p, (pick(p, 2) ? 0x91000400 : 0x11000c00) | t << 5 | t);
    emit(p, 0x08007c00 | size | s << 16 | base << 5 | t);
    aim(p, emit(p, 0x35000000 | s), head);                  /* cbnz w */
}

/* Data in the page of the code. */
static void near_data(struct prog *p)
{
    unsigned t = gen_spare(p->g);

    fix_later(&p->data, emit(p, A64_ADR | t));
    emit(p, (pick(p, 2) ? 0xb9000000 : 0xb9400000) | pick(p, 2) << 10 | t << 5 | gen_spare(p->g));
}

static void call(struct prog *p)
{
    unsigned t = gen_spare(p->g);
    struct fixes *f = &p->sub[pick(p, SUBS_MAX)];

    if (pick(p, 2)) {
        fix_later(f, emit(p, A64_BL));
    } else {
        fix_later(f, emit(p, A64_ADR | t));
        emit(p, 0xd63f0000 | t << 5);                       /* blr */
    }
}

static void jump_by_register(struct prog *p)
{
    unsigned t = gen_spare(p->g), at = emit(p, A64_ADR | t);

    if (!pick(p, 4)) {                                      /* a tag: movk */
        emit(p, 0xf2e00000 | pick(p, 256) << 13 | t);
    }
    emit(p, 0xd61f0000 | t << 5);                           /* br */
    if (pick(p, 2)) {
        plain(p);
    }
    aim(p, at, p->n);
}

/* The instruction that changes, and its change: of an ADD, of a condition, of a bit test. */
static void target(struct prog *p)
{
    unsigned t = gen_spare(p->g), at = p->n;
    uint64_t *mask = &p->state->x[p->g->role[GEN_CODE + 1]];

    p->target = at;
    switch (pick(p, 3)) {
    case 0:
        emit(p, 0x91000400 | t << 5 | t);
        *mask = pick(p, 2) ? 1 << 11 : 1 << 30;
        return;
    case 1:
        emit(p, 0x54000000 | pick(p, 14));
        *mask = 1;
        break;
    default:
        emit(p, 0x36000000 | pick(p, 32) << 19 | pick(p, 31));
        *mask = 1 << 24;
        break;
    }
    plain(p);
    aim(p, at, p->n);
}

static void change_code(struct prog *p)
{
    unsigned t = gen_spare(p->g), c = p->g->role[GEN_CODE], m = p->g->role[GEN_CODE + 1];

    emit(p, 0xb9400000 | c << 5 | t);
    emit(p, 0x4a000000 | m << 16 | t << 5 | t);
    emit(p, 0xb9000000 | c << 5 | t);
    emit(p, 0xd50b7b20 | c);                                /* dc cvau */
    emit(p, 0xd5033b9f);                                    /* dsb ish */
    emit(p, 0xd50b7520 | c);                                /* ic ivau */
    emit(p, 0xd5033b9f);
    emit(p, 0xd5033fdf);                                    /* isb */
}

/* ---- structure ---- */

static void branch_over(struct prog *p, unsigned want)
{
    unsigned at = branch_any(p), over;

    body(p, 1 + pick(p, want));
    if (pick(p, 3)) {
        aim(p, at, p->n);
        return;
    }
    over = emit(p, A64_B);
    aim(p, at, p->n);
    body(p, 1 + pick(p, want));
    aim(p, over, p->n);
}

/* Mostly not before some turn of some loop. */
static void leave_loop(struct prog *p)
{
    unsigned to = pick(p, p->depth + 1), t = gen_spare(p->g);
    struct fixes *f = to < p->depth ? &p->level[to].exits : &p->end;

    if (f->n == FIXES_MAX) {
        return;
    }
    if (!p->depth || !pick(p, 4)) {
        fix_later(f, branch_any(p));
        return;
    }
    unsigned c = p->g->role[GEN_COUNTER + pick(p, p->depth)];
    if (pick(p, 2)) {
        emit(p, 0x51000000 | pick(p, 8) << 10 | c << 5 | t);        /* sub w; cbz */
        fix_later(f, emit(p, 0x34000000 | t));
    } else {
        emit(p, 0x7100001f | pick(p, 8) << 10 | c << 5);            /* cmp w; b.eq */
        fix_later(f, emit(p, 0x54000000));
    }
}

static void continue_loop(struct prog *p)
{
    const struct level *l;

    if (p->depth && (l = &p->level[pick(p, p->depth)])->may_continue) {
        aim(p, branch_any(p), l->head);
    }
}

/* How a loop counts: down from k (or k - 1) or up to it. */
struct count {
    unsigned reg, k;
    uint32_t sf;
    bool up;
};

static void count_begin(struct prog *p, const struct count *c)
{
    movz(p, c->reg, c->up ? 0 : c->k, 0);
    if (!c->sf && !pick(p, 4)) {                /* nobody may look at the upper half */
        emit(p, 0xf2e00000 | 0x5a5a << 5 | c->reg);
    }
}

/* One step, and the branch back if it is not the last one. */
static unsigned count_end(struct prog *p, const struct count *c, bool stepped)
{
    static const uint8_t down[] = { 1, 12, 8 }, up[] = { 11, 3, 1 };    /* ne gt hi, lt lo ne */
    uint32_t r = c->reg << 5 | c->reg, sf = c->sf;

    if (c->up) {
        if (!stepped) {
            emit(p, 0x11000400 | sf | r);
        }
        emit(p, 0x7100001f | sf | c->k << 10 | c->reg << 5);            /* cmp */
        return emit(p, 0x54000000 | up[pick(p, 3)]);
    }
    if (stepped) {
        return emit(p, 0x35000000 | sf | c->reg);                       /* cbnz */
    }
    switch (pick(p, 4)) {
    case 0:
        emit(p, 0x51000400 | sf | r);
        return emit(p, 0x35000000 | sf | c->reg);
    case 1:                                                             /* until it is negative */
        emit(p, 0x51000400 | sf | r);
        return emit(p, 0x36000000 | sf | 31 << 19 | c->reg);
    case 2:
        emit(p, 0x51000400 | sf | r);
        emit(p, 0x7100001f | sf | c->reg << 5);
        return emit(p, 0x54000000 | (pick(p, 2) ? 1 : 12));
    default:
        emit(p, 0x71000400 | sf | r);                                   /* subs */
        return emit(p, 0x54000000 | down[pick(p, 3)]);
    }
}

/* head: step, leave; … ; any branch to the head. */
static void loop_while(struct prog *p, const struct count *c, struct level *l, unsigned want)
{
    uint32_t r = c->reg << 5 | c->reg;

    l->head = p->n;
    l->may_continue = true;
    if (pick(p, 2)) {
        emit(p, 0x71000400 | c->sf | r);
        fix_later(&l->exits, emit(p, 0x54000000 | (pick(p, 2) ? 4 : 13)));      /* mi, le */
    } else {
        emit(p, 0x51000400 | c->sf | r);
        fix_later(&l->exits, emit(p, 0x37000000 | c->sf | 31 << 19 | c->reg));  /* tbnz */
    }
    body(p, want);
    aim(p, pick(p, 3) ? emit(p, A64_B) : branch_any(p), l->head);
}

static void loop(struct prog *p, unsigned want)
{
    static const uint8_t turns[DEPTH_MAX][DEPTH_MAX] = { { 40 }, { 12, 8 }, { 8, 5, 4 } };
    struct level *l = &p->level[p->depth];
    struct count c = {
        .reg = p->g->role[GEN_COUNTER + p->depth], .sf = pick(p, 2) << 31, .up = !pick(p, 3),
        .k = 1 + pick(p, turns[p->depth_max - 1][p->depth]),
    };
    unsigned form = pick(p, 8), enter = 0;
    bool stepped = false;

    *l = (struct level){ .head = 0 };
    c.up &= form < 5;
    count_begin(p, &c);
    p->g->counters = ++p->depth;
    if (form >= 5) {
        loop_while(p, &c, l, want);
    } else {
        enter = form == 1 ? branch_any(p) : form == 2 ? emit(p, A64_B) : 0;
        l->head = p->n;
        if (form == 3) {
            emit(p, (c.up ? 0x11000400 : 0x51000400) | c.sf | c.reg << 5 | c.reg);
            stepped = true;
        }
        body(p, form == 1 ? want / 2 + 1 : want);
        if (form == 1) {
            aim(p, enter, p->n);
            body(p, want / 2 + 1);
        } else if (form == 2) {
            aim(p, enter, p->n);
        }
        aim(p, count_end(p, &c, stepped), l->head);
    }
    p->g->counters = --p->depth;
    fix(p, &l->exits, p->n);
}

/* ---- at EL1 ---- */

/* Registers whose writes change nothing for what the programs compare but themselves. */
static void el1_register(struct prog *p)
{
    static const struct { uint8_t op1, crn, crm, op2, read_only; } reg[] = {
        { 0, 4, 0, 0, 0 }, { 0, 4, 0, 1, 0 },           /* SPSR_EL1, ELR_EL1 */
        { 0, 5, 2, 0, 0 }, { 0, 6, 0, 0, 0 },           /* ESR_EL1, FAR_EL1 */
        { 0, 13, 0, 1, 0 }, { 0, 7, 4, 0, 0 },          /* CONTEXTIDR_EL1, PAR_EL1 */
        { 0, 4, 1, 0, 0 }, { 3, 13, 0, 3, 0 },          /* SP_EL0, TPIDRRO_EL0 */
        { 3, 4, 2, 1, 0 }, { 0, 4, 2, 2, 1 },           /* DAIF, CurrentEL */
        { 0, 12, 0, 0, 1 }, { 0, 2, 0, 0, 1 },          /* VBAR_EL1, TTBR0_EL1 */
        { 0, 0, 0, 0, 1 }, { 3, 0, 0, 1, 1 }, { 3, 0, 0, 7, 1 },    /* MIDR, CTR, DCZID */
    };
    unsigned i = pick(p, sizeof(reg) / sizeof(reg[0]));
    uint32_t w = 0xd5180000 | (uint32_t)reg[i].op1 << 16 | (uint32_t)reg[i].crn << 12 |
                 (uint32_t)reg[i].crm << 8 | (uint32_t)reg[i].op2 << 5;

    if (reg[i].read_only || pick(p, 2)) {
        unsigned t = gen_spare(p->g);
        emit(p, w | 1 << 21 | t);
        if (i == 0) {
            emit(p, 0x9274f400 | t << 5 | t);           /* without BTYPE: see engine.c */
        }
    } else {
        emit(p, w | pick(p, 32));
    }
}

/* An exception return to the next instruction. */
static void el1_return(struct prog *p)
{
    unsigned t = gen_spare(p->g), at = emit(p, A64_ADR | t);

    emit(p, 0xd5184020 | t);                                /* msr elr_el1 */
    movz(p, t, 0x3c5 & ~(pick(p, 16) << 6), 0);
    if (pick(p, 2)) {
        emit(p, 0xf2a00000 | (pick(p, 16) << 12) << 5 | t); /* movk: flags */
    }
    emit(p, 0xd5184000 | t);                                /* msr spsr_el1 */
    emit(p, 0xd69f03e0);                                    /* eret */
    aim(p, at, p->n);
}

/* A page to walk over becomes read only or writable, missing or present, or other memory. */
static void el1_remap(struct prog *p)
{
    static const uint32_t tlbi[] = { 0xd5088720, 0xd5088320, 0xd5088760, 0xd50887a0, 0xd508871f };
    static const uint8_t bit[] = { 0, 7, 12 };
    unsigned t = gen_spare(p->g), u = t, page = walked_page(p);
    uint64_t entry = DIFF_WALK_TABLE + page * 8, number = (DIFF_WALK >> 12) + page;
    uint32_t w = tlbi[pick(p, 5)];

    while (u == t) {
        u = gen_spare(p->g);
    }
    movz(p, t, entry & 0xffff, 0);
    emit(p, 0xf2a00000 | (uint32_t)(entry >> 16) << 5 | t);
    emit(p, 0xf9400000 | t << 5 | u);
    emit(p, 0xd2400000 | (64 - bit[pick(p, 3)]) % 64 << 16 | u << 5 | u);       /* eor */
    emit(p, 0xf9000000 | t << 5 | u);
    emit(p, 0xd5033a9f);                                    /* dsb ishst */
    movz(p, t, number & 0xffff, 0);
    emit(p, 0xf2a00000 | (uint32_t)(number >> 16) << 5 | t);
    emit(p, w | ((w & 31) == 31 ? 0 : t));                  /* tlbi */
    emit(p, 0xd5033b9f);                                    /* dsb ish */
    if (pick(p, 2)) {
        emit(p, 0xd5033fdf);                                /* isb */
    }
}

static void el1(struct prog *p)
{
    const uint8_t *role = p->g->role;
    unsigned t = gen_spare(p->g);

    switch (pick(p, 10)) {
    case 8:
    case 9:
        el1_remap(p);
        break;
    case 0:
        emit(p, (pick(p, 2) ? 0xd50340df : 0xd50340ff) | pick(p, 16) << 8);     /* daif */
        break;
    case 1:                                                 /* tlbi vae1, vmalle1 */
        emit(p, pick(p, 4) ? 0xd5088720 | role[GEN_BASE + pick(p, 3)] : 0xd508871f);
        emit(p, 0xd5033f9f);                                /* dsb sy */
        if (pick(p, 2)) {
            emit(p, 0xd5033fdf);
        }
        break;
    case 2:
        emit(p, 0xd5087800 | pick(p, 2) << 5 | role[GEN_ALIGNED + pick(p, 5)]); /* at s1e1 */
        emit(p, 0xd5387400 | t);                            /* mrs x, par_el1 */
        break;
    case 3:
        el1_return(p);
        break;
    case 4:                                                 /* floating point off, or on */
        if (!pick(p, 4)) {
            movz(p, t, pick(p, 3) ? 0x30 : 0x10, 16);
            emit(p, 0xd5181040 | t);                        /* msr cpacr_el1 */
            if (pick(p, 2)) {
                emit(p, 0xd5033fdf);
            }
        }
        break;
    default:
        el1_register(p);
        break;
    }
}

static void rare(struct prog *p)
{
    if (p->g->el1 && pick(p, 2)) {
        el1(p);
        return;
    }
    switch (pick(p, 6)) {
    case 0:
        if (!p->g->for_qemu) {
            emit(p, 0xd4000001);                            /* svc */
        }
        break;
    case 1:
        if (p->calls) {
            call(p);
        }
        break;
    case 2:
        exclusive_loop(p);
        break;
    case 3:
        near_data(p);
        break;
    case 4:
        jump_by_register(p);
        break;
    default:
        system_register(p);
        break;
    }
}

static void item(struct prog *p, unsigned want)
{
    unsigned r = pick(p, 100);

    if (p->changes && p->target < 0 && p->depth && r < 50) {
        target(p);
    } else if (r < 10) {
        branch_over(p, want < 6 ? want : 6);
    } else if (r < 20 && p->depth < p->depth_max && want >= 5) {
        loop(p, 2 + pick(p, want - 3));
    } else if (r < 24) {
        leave_loop(p);
    } else if (r < 27) {
        continue_loop(p);
    } else if (r < 33) {
        flags(p);
    } else if (r < 39) {
        step(p);
    } else if (r < (p->g->el1 ? 49 : 45)) {
        rare(p);
    } else if (r < 52 && p->changes && p->target >= 0) {
        change_code(p);
    } else if (r < 55 && p->leaves) {
        store_to_device(p);
    } else if (r < 60 && p->calls) {
        call(p);
    } else {
        plain(p);
    }
}

/* About `want` instructions. */
static void body(struct prog *p, unsigned want)
{
    unsigned end = p->n + want;

    while (p->n < end && p->n < p->max) {
        item(p, end - p->n);
    }
}

/* ---- the whole program ---- */

static void reserve(struct gen *g, unsigned role)
{
    g->reserved |= UINT32_C(1) << g->role[role];
}

/* Pointers into the pages to walk over, most of them close to the end of a page. */
static void choose_walks(struct gen *g, struct diff_state *s)
{
    for (unsigned role = GEN_ALIGNED; role < GEN_BASE + 3; role++) {
        uint64_t *x = &s->x[g->role[role]], tag = *x & UINT64_C(0xff) << 56;
        bool aligned = role < GEN_BASE;
        if (gen_below(g, 2) || (g->for_qemu && (aligned || role == GEN_BASE))) {
            continue;
        }
        *x = DIFF_WALK + (1 + gen_below(g, 30)) * 4096;
        *x += gen_below(g, 3) ? 4096 - gen_below(g, 256) : gen_below(g, 4096);
        *x = (aligned ? *x & ~UINT64_C(15) : *x) | tag;
        g->walks |= 1u << role;
    }
}

static void begin(struct prog *p, struct gen *g, struct diff_test *t, unsigned insns)
{
    *p = (struct prog){
        .g = g, .state = &t->state, .word = t->word,
        .target = -1, .depth_max = 1 + gen_below(g, DEPTH_MAX),
        .style = gen_below(g, STYLES), .calls = !gen_below(g, 3), .changes = !gen_below(g, 8),
        .leaves = !gen_below(g, 8),
    };
    p->max = insns;
    for (unsigned i = 0; i < p->depth_max; i++) {
        reserve(g, GEN_COUNTER + i);
    }
    if (p->calls) {
        g->reserved |= UINT32_C(1) << 30;
    }
    if (p->changes) {
        reserve(g, GEN_CODE);
        reserve(g, GEN_CODE + 1);
    }
    if (p->leaves) {
        reserve(g, GEN_DEVICE);
        t->state.x[g->role[GEN_DEVICE]] = DIFF_DEVICE;
    }
}

/* What is behind the end: data, subroutines. */
static void finish(struct prog *p)
{
    fix(p, &p->end, p->n);
    emit(p, GEN_BRK);
    fix(p, &p->data, p->n);
    for (unsigned i = 0; i < DATA_WORDS; i++) {
        emit(p, (uint32_t)gen_random(p->g));
    }
    for (unsigned i = 0; i < SUBS_MAX && p->calls; i++) {
        unsigned n = 1 + pick(p, SUB_INSNS);
        fix(p, &p->sub[i], p->n);
        for (unsigned k = 0; k < n; k++) {
            plain(p);
        }
        emit(p, A64_RET);
    }
    while (p->n < DIFF_WORDS) {
        emit(p, GEN_BRK);
    }
    p->word[DIFF_WORDS] = GEN_BRK;
}

void gen_loop_test(struct gen *g, struct diff_test *t, unsigned insns)
{
    struct prog p;
    unsigned want;

    gen_state(g, &t->state);
    choose_walks(g, &t->state);
    g->close = !gen_below(g, 4);
    t->hot_runs = gen_below(g, 4);
    begin(&p, g, t, insns);
    if (p.changes) {
        fix_later(&p.to_target, emit(&p, A64_ADR | g->role[GEN_CODE]));
    }
    body(&p, gen_below(g, 4));
    want = insns > p.n + 5 ? insns - p.n : 5;
    loop(&p, 2 + gen_below(g, want - 3));
    body(&p, gen_below(g, 6));
    fix(&p, &p.to_target, p.target < 0 ? 0 : p.target);
    finish(&p);
}
