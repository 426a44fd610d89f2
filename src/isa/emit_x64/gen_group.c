/* SPDX-License-Identifier: Apache-2.0 */
/* Groups: accesses at constant distances from the same address, as to the fields of a struct or to
 * a stack frame, are in the same page nearly always.
 *
 * The first of a group asks the TLB for all bytes from the lowest to the highest of them, and
 * keeps the addend in the frame; the others only look whether it is there (0: it is not).  That
 * takes three instructions instead of eight, none of which depends on the address.  When the
 * range crosses a page, and after any other slow access, each asks for itself, in its stub.
 *
 * An addend is a cached host pointer: it must not outlive a safepoint.  So each call of C empties
 * those that are in use, and where calls and labels are groups end. */
#include "isa/emit_x64/gen.h"

#include <string.h>

/* Wider ranges cross pages more often than they save. */
#define RANGE_MAX 256

struct where {
    ir_ref root;
    int64_t off;
};

static struct where where_is(const struct ir *ir, ir_ref a)
{
    struct where w = { a, 0 };

    for (;;) {
        const struct ir_op *p = &ir->op[w.root];
        bool is_sum = (p->op == IR_ADD || p->op == IR_SUB) && p->sf;

        if (!is_sum || ir->op[p->b].op != IR_CONST) {
            return w;
        }
        w.off += p->op == IR_ADD ? (int64_t)ir->op[p->b].k : -(int64_t)ir->op[p->b].k;
        w.root = p->a;
    }
}

static unsigned bytes_of(const struct ir_op *p)
{
    bool two = p->op == IR_LOAD2 || p->op == IR_STORE2 ||
               (p->op == IR_VSTORE && (p->k2 & GEN_MI_PAIR));

    return (two ? 2u : 1u) << GEN_MI_SIZE(p->k2);
}

static bool can_have(const struct gen *g, unsigned i)
{
    const struct ir_op *p = &g->ir->op[i];

    switch (p->op) {
    case IR_LOAD: case IR_LOAD2: case IR_STORE: case IR_STORE2: case IR_VLOAD: case IR_VSTORE:
        return !(p->k2 & (GEN_MI_UNPRIV | GEN_MI_STXR | GEN_MI_ATOMIC | GEN_MI_ORDERED)) &&
               GEN_MI_SIZE(p->k2) <= 4 && !(g->homes && g->slot_of[i]);
    default:
        return false;
    }
}

static void join(struct gen *g, unsigned i, unsigned first)
{
    const struct ir_op *p = &g->ir->op[i];
    struct where w = where_is(g->ir, p->a);
    int64_t lo = w.off + (int64_t)p->k, hi = lo + bytes_of(p);
    bool is_store = p->k2 & GEN_MI_STORE;
    struct gen_group *q;

    if (lo < -(1 << 20) || hi > 1 << 20) {
        return;
    }
    for (unsigned n = g->group_n; n-- > first;) {
        q = &g->group[n];
        if (q->root == w.root && q->is_store == is_store &&
            (hi > q->hi ? hi : q->hi) - (lo < q->lo ? lo : q->lo) <= RANGE_MAX) {
            q->lo = lo < q->lo ? lo : q->lo;
            q->hi = hi > q->hi ? hi : q->hi;
            q->members_n = ++q->all_n;
            g->group_of[i] = n + 1;
            return;
        }
    }
    if (g->group_n < GEN_GROUPS) {
        g->group[g->group_n++] = (struct gen_group){
            .root = w.root, .is_store = is_store, .lo = lo, .hi = hi, .all_n = 1, .members_n = 1,
        };
        g->group_of[i] = g->group_n;
    }
}

void gen_groups_choose(struct gen *g)
{
    const struct ir_op *op = g->ir->op;
    unsigned first = 0, n = g->ir->n, joined_n = 0;
    uint16_t joined[IR_MAX];

    g->group_n = 0;
    g->groups_ready = 0;
    memset(g->group_of, 0, n);
    for (unsigned i = 1; i < n; i++) {
        if (!(ir_attr[op[i].op] & (IR_A_EXACT | IR_A_JOIN))) {
            continue;
        }
        if (op[i].op == IR_CALL || op[i].op == IR_CALLC || op[i].op == IR_LABEL) {
            first = g->group_n;
        } else if (can_have(g, i)) {
            join(g, i, first);
            joined[joined_n++] = i;
        }
    }
    while (joined_n) {
        unsigned i = joined[--joined_n];
        if (g->group_of[i] && g->group[g->group_of[i] - 1].members_n == 1) {
            g->group_of[i] = 0;
        }
    }
}

struct x64_mem gen_group_at(unsigned group)
{
    return x64_at(RSP, GEN_GROUPS_AT + group * 8);
}

int32_t gen_group_range(const struct gen *g, unsigned *bytes)
{
    const struct ir_op *p = &g->ir->op[g->i];
    const struct gen_group *q = &g->group[g->group_of[g->i] - 1];

    *bytes = q->hi - q->lo;
    return q->lo - where_is(g->ir, p->a).off;
}

unsigned gen_group_use(struct gen *g, int32_t disp, unsigned bytes)
{
    unsigned group = g->group_of[g->i], all;
    int32_t lo;

    if (!group) {
        return 0;
    }
    g->group[group - 1].members_n--;
    /* A pair of operations is one access, and the second may be in another group. */
    lo = gen_group_range(g, &all);
    return disp >= lo && disp + (int64_t)bytes <= lo + (int64_t)all ? group : 0;
}

uint16_t gen_groups_left(const struct gen *g)
{
    uint16_t left = 0;

    for (unsigned n = 0; n < g->group_n; n++) {
        if (g->groups_ready >> n & 1 && g->group[n].members_n) {
            left |= 1u << n;
        }
    }
    return left;
}

bool gen_group_aligned(struct gen *g)
{
    struct gen_group *q = &g->group[g->group_of[g->i] - 1];
    unsigned low = where_is(g->ir, g->ir->op[g->i].a).off & 15;

    if (g->groups_ready >> (g->group_of[g->i] - 1) & 1 && q->sp_known && q->sp_low == low) {
        return true;
    }
    q->sp_known = true;
    q->sp_low = low;
    return false;
}

void gen_groups_empty(struct gen *g, uint16_t groups)
{
    for (unsigned m = groups; m; m &= m - 1) {
        x64_store_i(&g->c, true, gen_group_at(__builtin_ctz(m)), 0);
    }
}
