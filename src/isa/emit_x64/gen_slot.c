/* SPDX-License-Identifier: Apache-2.0 */
/* Page slots: in a loop, an address that walks linearly stays in one page for many turns.
 *
 * A slot in the frame holds {page, addend, limit}: an address is in the page if address - page <
 * limit (unsigned), and then at host address + addend; limit 0 = empty.  Testing that takes fewer
 * instructions than the TLB, and above all the access does not wait for a load that depends on
 * the address.  The stub of a miss asks the TLB and fills the slot.
 *
 * A slot is a cached host pointer: it must not outlive a safepoint, so each call of C empties all
 * (gen_region_load), and a region begins with empty ones.
 *
 * Outside of loops there are slots in the TLB set for the frame pointer and SP (struct a64_near).
 * The other registers that calls keep were measured too: they change pages too often. */
#include "isa/emit_x64/gen.h"

#include <string.h>

enum {
    VAR_FP = 29, VAR_SP = 31,
    NEAR_BYTES_MAX = 64,
};

struct range {
    uint16_t first, last;       /* operations of a loop */
};

struct find {
    const struct ir *ir;
    struct range loop[IR_LABELS_MAX];
    unsigned loop_n;
    /* Of the loop looked at: variables that only move linearly in it. */
    bool linear[IR_VAR_VEC];
};

static void find_loops(struct find *f)
{
    uint16_t begin[IR_LABELS_MAX] = { 0 }, end[IR_LABELS_MAX] = { 0 };

    for (unsigned i = 1; i < f->ir->n; i++) {
        const struct ir_op *p = &f->ir->op[i];
        if (p->op == IR_LABEL && p->x) {
            begin[p->k] = i;
        } else if ((p->op == IR_JUMP || p->op == IR_JUMPC) && begin[p->k]) {
            end[p->k] = i;
        }
    }
    for (unsigned l = 0; l < IR_LABELS_MAX; l++) {
        if (end[l]) {
            f->loop[f->loop_n++] = (struct range){ begin[l], end[l] };
        }
    }
}

/* Is the value a sum of things that do not change, or change linearly, from turn to turn? */
static bool is_linear(const struct find *f, ir_ref v, unsigned depth)
{
    const struct ir_op *p = &f->ir->op[v];

    if (depth > 8) {
        return false;
    }
    switch (p->op) {
    case IR_CONST: case IR_PCREL:
        return true;
    case IR_GET:
        return f->linear[p->k];
    case IR_ADD: case IR_ADDSH: case IR_SUB: case IR_ADDS: case IR_SUBS:
        return is_linear(f, p->a, depth + 1) && is_linear(f, p->b, depth + 1);
    case IR_SHL:
        return f->ir->op[p->b].op == IR_CONST && is_linear(f, p->a, depth + 1);
    case IR_UBFX: case IR_SBFX:
        return p->k == 0 && p->cc == 32 && is_linear(f, p->a, depth + 1);
    default:
        return false;
    }
}

static void find_linear(struct find *f, const struct range *in)
{
    bool again = true;

    memset(f->linear, true, sizeof(f->linear));
    while (again) {
        again = false;
        for (unsigned i = in->first; i <= in->last; i++) {
            const struct ir_op *p = &f->ir->op[i];
            if (p->op == IR_CALLC) {
                memset(f->linear, false, sizeof(f->linear));
                return;
            }
            if (p->op == IR_PUT && f->linear[p->k] && !is_linear(f, p->a, 0)) {
                f->linear[p->k] = false;
                again = true;
            }
        }
    }
}

/* What accesses with the same key share a slot for. */
static uint32_t key_of(const struct find *f, const struct ir_op *p)
{
    ir_ref v = p->a;
    uint32_t is_store = p->k2 & GEN_MI_STORE ? 1u << 31 : 0;

    while (f->ir->op[v].op == IR_ADD && f->ir->op[f->ir->op[v].b].op == IR_CONST) {
        v = f->ir->op[v].a;
    }
    return is_store | (f->ir->op[v].op == IR_GET ? f->ir->op[v].k : IR_VAR_N + (uint32_t)v);
}

static bool can_have(const struct ir_op *p)
{
    switch (p->op) {
    case IR_LOAD: case IR_LOAD2: case IR_STORE: case IR_STORE2: case IR_VLOAD: case IR_VSTORE:
        return !(p->k2 & (GEN_MI_UNPRIV | GEN_MI_STXR | GEN_MI_ATOMIC));
    default:
        return false;
    }
}

static void give(struct gen *g, unsigned i, uint32_t key)
{
    const struct ir_op *p = &g->ir->op[i];
    bool one = p->op == IR_LOAD || p->op == IR_STORE;
    unsigned bytes = (one ? 1u : 2u) << GEN_MI_SIZE(p->k2), s;

    for (s = 0; s < g->slot_n && g->slot[s].key != key; s++) {
    }
    if (s == GEN_SLOTS) {
        return;
    }
    if (s == g->slot_n) {
        g->slot_n++;
        g->slot[s].key = key;
        g->slot[s].bytes = 0;
    }
    if (bytes > g->slot[s].bytes) {
        g->slot[s].bytes = bytes;
    }
    g->slot_of[i] = s + 1;
}

void gen_slots_choose(struct gen *g)
{
    struct find f = { .ir = g->ir };

    g->slot_n = 0;
    memset(g->slot_of, 0, g->ir->n);
    find_loops(&f);
    /* Inner loops are inside of outer ones: the shortest first. */
    while (f.loop_n) {
        unsigned best = 0;
        for (unsigned l = 1; l < f.loop_n; l++) {
            if (f.loop[l].last - f.loop[l].first < f.loop[best].last - f.loop[best].first) {
                best = l;
            }
        }
        find_linear(&f, &f.loop[best]);
        for (unsigned i = f.loop[best].first; i <= f.loop[best].last; i++) {
            const struct ir_op *p = &g->ir->op[i];
            if (g->slot_of[i] || !can_have(p)) {
                continue;
            }
            if (is_linear(&f, p->a, 0)) {
                give(g, i, key_of(&f, p));
            }
        }
        f.loop[best] = f.loop[--f.loop_n];
    }
}

unsigned gen_slot_near(const struct gen *g, ir_ref base, bool is_store)
{
    int var = g->val[base].var;

    return var == VAR_FP || var == VAR_SP ? GEN_SLOTS + 1 + is_store * 2 + (var == VAR_SP) : 0;
}

static struct x64_mem part(const struct gen *g, unsigned slot, unsigned which, int32_t below)
{
    if (slot >= GEN_SLOTS) {
        return x64_at(R15, g->guest->near + (slot - GEN_SLOTS) * 32 + which * 8);
    }
    return x64_at(RSP, below + GEN_SLOTS_AT + slot * 24 + which * 8);
}

void gen_slots_empty(struct gen *g, int32_t below)
{
    for (unsigned s = 0; s < g->slot_n; s++) {
        x64_store_i(&g->c, true, part(g, s, 2, below), 0);
    }
}

uint8_t *gen_slot_check(struct gen *g, unsigned slot, int a, int32_t disp, int v)
{
    uint8_t *miss;

    if (disp) {
        x64_lea(&g->c, true, v, x64_at(a, disp));
    } else {
        x64_mov_rr(&g->c, true, v, a);
    }
    x64_alu_rm(&g->c, ALU_SUB, true, v, part(g, slot, 0, 0));
    x64_alu_rm(&g->c, ALU_CMP, true, v, part(g, slot, 2, 0));
    miss = x64_jcc(&g->c, CC_AE);
    x64_load(&g->c, true, RAX, part(g, slot, 1, 0));
    return miss;
}

void gen_slot_fill(struct gen *g, unsigned slot, int page)
{
    x64_store(&g->c, true, part(g, slot, 0, 0), page);
    x64_store(&g->c, true, part(g, slot, 1, 0), RAX);
    x64_store_i(&g->c, true, part(g, slot, 2, 0),
                4096 - (slot < GEN_SLOTS ? g->slot[slot].bytes : NEAR_BYTES_MAX) + 1);
    if (slot >= GEN_SLOTS) {
        x64_store_i(&g->c, true, x64_at(R15, g->guest->near_used), 1);
    }
}
