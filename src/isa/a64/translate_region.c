/* SPDX-License-Identifier: Apache-2.0 */
/* Loops as regions: which code belongs to the loop, and in what order it becomes IR.
 *
 * The head is where a hot branch backwards goes.  From there the page is searched along direct
 * branches; the loop is what can reach the head again.  Blocks keep the order of their addresses,
 * so that ways which follow each other in the guest's code do so in ours.  A block that only its
 * predecessor in this order runs into has no label: what is known goes on being known. */
#include "isa/a64/translate.h"

#include "a64.gen.h"
#include "isa/a64/model.h"
#include "isa/a64/translate_env.h"

#include <string.h>

enum { PAGE_INSNS = 1024, BLOCKS_MAX = 100 };

enum { SEEN = 1, LEADER = 2, JOIN = 4, LOOP_TARGET = 8 };

struct rblock {
    uint16_t first, end;        /* indices in the page */
    int16_t succ[2];            /* indices in the page where it goes; -1 = nowhere in it */
    bool in;                    /* part of the loop */
};

struct cfg {
    const struct a64_block *b;
    unsigned insn_n, block_n, todo_n;
    uint8_t mark[PAGE_INSNS + 1];
    uint16_t todo[PAGE_INSNS];
    struct rblock block[BLOCKS_MAX];
};

/* How an instruction goes on: to the next one, to `target`, to both or (neither) out of here. */
struct flow {
    bool next, ends;
    int target;                 /* index in the page, -1 = not in it */
};

static int target_of(unsigned i, int64_t imm)
{
    int64_t t = (int64_t)i + imm;

    return t >= 0 && t < PAGE_INSNS ? (int)t : -1;
}

static struct flow flow_of(const struct cfg *g, unsigned i)
{
    uint32_t w = a64_block_word(g->b, i);
    unsigned row = a64_decode_for(g->b->model->features, w);

    switch (row) {
    case A64_I_b:
        return (struct flow){ false, true, target_of(i, a64_get_b(w).imm26) };
    case A64_I_b_cond:
        return (struct flow){ a64_get_b_cond(w).cond < 14, true,
                              target_of(i, a64_get_b_cond(w).imm19) };
    case A64_I_cbz:
        return (struct flow){ true, true, target_of(i, a64_get_cbz(w).imm19) };
    case A64_I_cbnz:
        return (struct flow){ true, true, target_of(i, a64_get_cbnz(w).imm19) };
    case A64_I_tbz:
        return (struct flow){ true, true, target_of(i, a64_get_tbz(w).imm14) };
    case A64_I_tbnz:
        return (struct flow){ true, true, target_of(i, a64_get_tbnz(w).imm14) };
    default:
        break;
    }
    if (!row || a64_rows[row].group == A64_GROUP_BRANCH || (a64_rows[row].flags & A64_ROW_INTERP)) {
        return (struct flow){ false, true, -1 };
    }
    return (struct flow){ true, false, -1 };
}

static void lead(struct cfg *g, int i)
{
    if (i < 0 || (g->mark[i] & LEADER)) {
        return;
    }
    g->mark[i] |= LEADER;
    g->todo[g->todo_n++] = i;
}

/* Marks all instructions within reach, at most insn_max. */
static void search(struct cfg *g)
{
    lead(g, g->b->first);
    while (g->todo_n) {
        for (unsigned i = g->todo[--g->todo_n]; i < PAGE_INSNS && !(g->mark[i] & SEEN); i++) {
            struct flow f;
            if (g->insn_n == g->b->insn_max) {
                return;
            }
            g->mark[i] |= SEEN;
            g->insn_n++;
            f = flow_of(g, i);
            lead(g, f.target);
            if (f.ends) {
                if (f.next && i + 1 < PAGE_INSNS) {
                    lead(g, i + 1);
                }
                break;
            }
        }
    }
}

static bool split(struct cfg *g)
{
    for (unsigned i = 0; i < PAGE_INSNS;) {
        struct rblock *k = &g->block[g->block_n];
        struct flow f = { true, false, -1 };
        if (!(g->mark[i] & SEEN)) {
            i++;
            continue;
        }
        if (g->block_n++ == BLOCKS_MAX) {
            return false;
        }
        k->first = i;
        do {
            f = flow_of(g, i++);
        } while (!f.ends && i < PAGE_INSNS && (g->mark[i] & SEEN) && !(g->mark[i] & LEADER));
        k->end = i;
        k->succ[0] = f.next && i < PAGE_INSNS ? (int)i : -1;
        k->succ[1] = f.target;
    }
    return true;
}

static struct rblock *block_of(struct cfg *g, int first)
{
    for (unsigned i = 0; first >= 0 && i < g->block_n; i++) {
        if (g->block[i].first == first) {
            return &g->block[i];
        }
    }
    return NULL;
}

/* The blocks from which the head can be reached.  False: not even the head itself. */
static bool find_loop(struct cfg *g)
{
    struct rblock *head = block_of(g, g->b->first);
    bool again = true, closed = false;

    head->in = true;
    while (again) {
        again = false;
        for (unsigned i = 0; i < g->block_n; i++) {
            for (unsigned s = 0; s < 2; s++) {
                struct rblock *to = block_of(g, g->block[i].succ[s]);
                if (to && to->in) {
                    closed |= to == head;
                    again |= !g->block[i].in;
                    g->block[i].in = true;
                }
            }
        }
    }
    return closed;
}

/* Marks where several ways meet. */
static void mark_joins(struct cfg *g)
{
    const struct rblock *above = NULL;

    g->mark[g->b->first] |= JOIN;
    for (unsigned i = 0; i < g->block_n; i++) {
        const struct rblock *k = &g->block[i];
        if (!k->in) {
            continue;
        }
        if (k->succ[1] >= 0) {
            g->mark[k->succ[1]] |= JOIN | (k->succ[1] <= k->end - 1 ? LOOP_TARGET : 0);
        }
        /* A conditional branch to another page jumps to the next instruction. */
        if (k->succ[0] >= 0 && k->succ[1] < 0 && flow_of(g, k->end - 1).ends) {
            g->mark[k->succ[0]] |= JOIN;
        }
        if (!above || above->end != k->first || above->succ[0] != k->first) {
            g->mark[k->first] |= JOIN;
        }
        above = k;
    }
}

static bool is_in(struct cfg *g, unsigned first)
{
    const struct rblock *k = first < PAGE_INSNS ? block_of(g, first) : NULL;

    return k && k->in;
}

static void emit(struct cfg *g, env *e)
{
    struct ir *ir = e->ir;
    bool open = false;          /* runs on into what comes next */

    ir_emit(ir, IR_JUMP, true, 0, 0, 0, e->label[g->b->first]);
    for (unsigned n = 0; n < g->block_n && !ir->full; n++) {
        const struct rblock *k = &g->block[n];
        if (!k->in) {
            continue;
        }
        if ((g->mark[k->first] & JOIN) || !open) {
            ir->pc = k->first * 4;
            if (open) {
                ir_emit(ir, IR_JUMP, true, 0, 0, 0, e->label[k->first]);
            }
            ir_label(ir, e->label[k->first] < 0 ? IR_LABELS_MAX - 1 : e->label[k->first],
                     g->mark[k->first] & LOOP_TARGET);
        }
        e->ended = false;
        for (e->index = k->first; e->index < k->end && !e->ended && !ir->full; e->index++) {
            e->insn = a64_block_word(g->b, e->index);
            a64_translate_insn(e);
            e->b->insn_n++;
        }
        e->index--;
        open = !e->ended;
        if (open && !is_in(g, k->end)) {
            a64_translate_leave(e, 4);
            open = false;
        }
    }
}

bool a64_translate_region(struct a64_block *b, struct ir *ir)
{
    struct cfg g = { .b = b };
    int16_t label[PAGE_INSNS + 1];
    env e = { .ir = ir, .b = b, .label = label };
    unsigned label_n = 0;

    a64_words_forget(b->words);
    search(&g);
    if (!split(&g) || !find_loop(&g)) {
        return false;
    }
    mark_joins(&g);
    memset(label, 0xff, sizeof(label));
    for (unsigned i = 0; i < g.block_n; i++) {
        if (g.block[i].in && (g.mark[g.block[i].first] & JOIN)) {
            label[g.block[i].first] = label_n++;
        }
    }
    _Static_assert((int)BLOCKS_MAX < (int)IR_LABELS_MAX, "a label for each block");
    ir_begin(ir);
    ir->pc = b->first * 4;
    b->insn_n = b->interp_n = 0;
    emit(&g, &e);
    if (ir->full) {
        return false;
    }
    ir_finish(ir);
    return true;
}
