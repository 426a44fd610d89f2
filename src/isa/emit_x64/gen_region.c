/* SPDX-License-Identifier: Apache-2.0 */
/* Regions: loops with registers of their own choice.
 *
 * In front of a region's entry are three routines that its slow ways call, so that each of them
 * is short.  All of them may use no register but those they load.
 *   save   variables to their places in memory (C code will look at them)
 *   load   variables back to their registers
 *   out    from the region's registers to those of the convention (gen.h), to leave */
#include "isa/emit_x64/gen.h"

#include <string.h>

enum { ATTEMPTS = 3 };

/* Registers that hold variables beyond the convention, and by attempt how many. */
static const int8_t more_regs[] = { RDI, RSI };
static const uint8_t more_regs_n[ATTEMPTS] = { 2, 1, 0 };
static const uint8_t vec_homes_n[ATTEMPTS] = { 9, 8, 6 };

static void count_uses(const struct ir *ir, uint32_t weight[IR_VAR_N], uint64_t *dirty)
{
    /* Nested loops: a label that is jumped to from below counts until the last such jump. */
    uint16_t begin[IR_LABELS_MAX] = { 0 };
    static const uint16_t by_depth[] = { 1, 8, 64, 512 };
    int8_t change[IR_MAX];
    unsigned depth = 0;

    memset(weight, 0, sizeof(weight[0]) * IR_VAR_N);
    memset(change, 0, ir->n);
    *dirty = 0;
    for (unsigned i = 1; i < ir->n; i++) {
        const struct ir_op *p = &ir->op[i];
        if (p->op == IR_LABEL && p->x) {
            begin[p->k] = i;
        } else if ((p->op == IR_JUMP || p->op == IR_JUMPC) && begin[p->k] &&
                   change[begin[p->k]] < 3) {
            change[begin[p->k]]++;
            change[i]--;
        }
    }
    for (unsigned i = 1; i < ir->n; i++) {
        const struct ir_op *p = &ir->op[i];
        depth += change[i];
        if (p->op == IR_GET || p->op == IR_VGET || p->op == IR_PUT || p->op == IR_VPUT) {
            weight[p->k] += by_depth[depth < 3 ? depth : 3];
            *dirty |= (uint64_t)(p->op == IR_PUT || p->op == IR_VPUT) << p->k;
        }
    }
}

static int heaviest(const uint32_t *weight, const struct gen_homes *h, unsigned from, unsigned to,
                    uint64_t not)
{
    int best = -1;

    for (unsigned v = from; v < to; v++) {
        if (weight[v] && h->reg[v] < 0 && !(not >> v & 1) &&
            (best < 0 || weight[v] > weight[best])) {
            best = v;
        }
    }
    return best;
}

bool gen_homes_choose(struct gen_homes *h, const struct ir *ir, unsigned attempt)
{
    uint32_t weight[IR_VAR_N];
    uint16_t free_regs = 0;
    uint64_t chosen = 0;
    unsigned n = 0;

    if (attempt >= ATTEMPTS) {
        return false;
    }
    memset(h->reg, -1, sizeof(h->reg));
    count_uses(ir, weight, &h->dirty);
    for (unsigned v = 0; v < IR_VAR_VEC; v++) {
        if (gen_pinned(v) >= 0) {
            free_regs |= 1u << gen_pinned(v);
            n++;
        }
    }
    for (unsigned i = 0; i < more_regs_n[attempt]; i++) {
        free_regs |= 1u << more_regs[i];
        n++;
    }
    /* Who gets one at all; then those that the convention has a place for; then the others. */
    for (int v; n && (v = heaviest(weight, h, 0, IR_VAR_VEC, chosen)) >= 0; n--) {
        chosen |= UINT64_C(1) << v;
    }
    for (unsigned v = 0; v < IR_VAR_VEC; v++) {
        int r = gen_pinned(v);
        if (r >= 0 && (chosen >> v & 1)) {
            h->reg[v] = r;
            free_regs &= ~(1u << r);
        }
    }
    for (unsigned v = 0; v < IR_VAR_VEC; v++) {
        if ((chosen >> v & 1) && h->reg[v] < 0) {
            h->reg[v] = __builtin_ctz(free_regs);
            free_regs &= free_regs - 1;
        }
    }
    /* Nobody took the place: the variable stays there. */
    for (unsigned v = 0; v < IR_VAR_VEC; v++) {
        int r = gen_pinned(v);
        if (r >= 0 && h->reg[v] < 0 && (free_regs >> r & 1)) {
            h->reg[v] = r;
        }
    }
    for (unsigned i = 0; i < vec_homes_n[attempt]; i++) {
        int v = heaviest(weight, h, IR_VAR_VEC, IR_VAR_N, 0);
        if (v < 0) {
            break;
        }
        h->reg[v] = 13 - i;
    }
    return true;
}

static void move(struct gen *g, unsigned var, int reg, bool store)
{
    struct x64_mem m = gen_at(g, g->guest->var[var]);

    if (var >= IR_VAR_VEC) {
        x64_vm(&g->c, (store ? 0x29 : 0x28) | OP_0F, reg, 0, m);
    } else if (store) {
        x64_store(&g->c, true, m, reg);
    } else {
        x64_load(&g->c, true, reg, m);
    }
}

static int convention(unsigned var)
{
    return var < IR_VAR_VEC ? gen_pinned(var) : -1;
}

static void displaced(struct gen *g, bool store)
{
    for (unsigned v = 0; v < IR_VAR_VEC; v++) {
        if (convention(v) >= 0 && g->home[v] != convention(v)) {
            move(g, v, convention(v), store);
        }
    }
}

void gen_region_routines(struct gen *g)
{
    g->region_save = g->c.p;
    for (unsigned v = 0; v < IR_VAR_N; v++) {
        if (g->home[v] >= 0 && (g->home[v] == convention(v) || (g->homes->dirty >> v & 1))) {
            move(g, v, g->home[v], true);
        }
    }
    x64_b(&g->c, 0xc3);
    g->region_load = g->c.p;
    for (unsigned v = 0; v < IR_VAR_N; v++) {
        if (g->home[v] >= 0) {
            move(g, v, g->home[v], false);
        }
    }
    gen_slots_empty(g, 8);
    x64_b(&g->c, 0xc3);
    g->region_out = g->c.p;
    for (unsigned v = 0; v < IR_VAR_N; v++) {
        if (g->home[v] >= 0 && g->home[v] != convention(v) && (g->homes->dirty >> v & 1)) {
            move(g, v, g->home[v], true);
        }
    }
    displaced(g, false);
    x64_b(&g->c, 0xc3);
    while ((uintptr_t)g->c.p & 15) {
        x64_b(&g->c, 0xcc);
    }
}

void gen_region_enter(struct gen *g)
{
    gen_slots_empty(g, 0);
    displaced(g, true);
    for (unsigned v = 0; v < IR_VAR_N; v++) {
        if (g->home[v] >= 0 && g->home[v] != convention(v)) {
            move(g, v, g->home[v], false);
        }
    }
}

void gen_region_save(struct gen *g)
{
    if (g->homes) {
        x64_call(&g->c, g->region_save);
    }
}

void gen_region_load(struct gen *g)
{
    if (g->homes) {
        x64_call(&g->c, g->region_load);
    }
}

void gen_label(struct gen *g, const struct ir_op *p)
{
    struct gen_stub *s;

    /* Multi-byte NOPs, so that the head of a loop begins a line of the decoder's. */
    while (p->x && ((uintptr_t)g->c.p & 15)) {
        unsigned n = 16 - ((uintptr_t)g->c.p & 15);
        if (n >= 4) {
            x64_b(&g->c, 0x0f);
            x64_b(&g->c, 0x1f);
            x64_b(&g->c, 0x40);
            x64_b(&g->c, 0x00);
        } else {
            x64_b(&g->c, 0x90);
        }
    }
    g->label_at[p->k] = g->c.p;
    g->groups_ready = 0;
    memset(g->var_cur, 0, sizeof(g->var_cur));
    memset(g->host, 0, sizeof(g->host));
    memset(g->xmm, 0, sizeof(g->xmm));
    g->spills = g->vspills = 0;
    g->ef = g->mf = g->df = g->logic = 0;
    g->ef_inv = false;
    g->ef_fp = 0;
    if (p->x) {
        x64_alu_mi(&g->c, ALU_CMP, false, gen_at(g, g->guest->poll), 0);
        s = gen_stub(g, GEN_STUB_LEAVE);
        s->from = x64_jcc(&g->c, CC_NE);
        s->info = p->pc;
        s->poll = true;
    }
}

void gen_jump(struct gen *g, unsigned label, int cc)
{
    uint8_t *at = cc >= 0 ? x64_jcc(&g->c, cc) : x64_jmp(&g->c);

    if (g->jump_n == GEN_JUMPS_MAX) {
        g->failed = true;
        return;
    }
    g->jump[g->jump_n].at = at;
    g->jump[g->jump_n++].label = label;
}

bool gen_jumps_patch(struct gen *g)
{
    for (unsigned i = 0; i < g->jump_n; i++) {
        const uint8_t *to = g->label_at[g->jump[i].label];
        if (!to) {
            return false;
        }
        x64_patch(g->jump[i].at, to);
    }
    return true;
}
