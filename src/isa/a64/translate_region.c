/* SPDX-License-Identifier: Apache-2.0 */
/* Loops as regions: which code belongs to the loop, and in what order it becomes IR.
 *
 * The head is where a hot branch backwards goes.  From there the pages are searched along direct
 * branches and calls; the loop is what can reach the head again, where a function that is called
 * comes back to behind its call.  Blocks keep the order of their addresses, so that ways which
 * follow each other in the guest's code do so in ours.  A block that only its predecessor in this
 * order runs into has no label: what is known goes on being known.
 *
 * A *place* is an instruction: page of the region * 1024 + index in the page. */
#include "isa/a64/translate.h"

#include "a64.gen.h"
#include "isa/a64/model.h"
#include "isa/a64/translate_env.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_INSNS = 1024, PLACES = PAGE_INSNS * A64_REGION_PAGES, BLOCKS_MAX = 100,
};

enum { SEEN = 1, LEADER = 2, JOIN = 4, LOOP_TARGET = 8 };

struct rblock {
    uint16_t first, end;        /* places; `end` may be the first of what is another page */
    int16_t succ[2];            /* places where it goes: next, target; -1 = nowhere in here */
    bool is_call, is_return;    /* a call goes to `target`, a return to … */
    uint8_t ret_n;
    int16_t ret[A64_REGION_RETURNS];    /* … the places behind these calls */
    bool in;                    /* part of the loop */
    bool seen;                  /* scratch of mark_returns() */
};

struct cfg {
    const struct a64_block *b;
    unsigned insn_n, block_n, todo_n;
    uint8_t mark[PLACES];
    int16_t todo[PLACES];
    struct rblock block[BLOCKS_MAX];
    int32_t *wants;             /* pages that branches go to and that are not there */
    unsigned want_n, want_max;
};

/* How an instruction goes on: to the next one, to `target`, to both or (neither) out of here. */
struct flow {
    bool next, ends, is_call, is_return;
    int target;                 /* place, -1 = not in here */
};

static int32_t distance_of(const struct cfg *g, unsigned page)
{
    return page ? g->b->more[page - 1].distance : 0;
}

static uint32_t word_at(const struct cfg *g, unsigned place)
{
    unsigned page = place / PAGE_INSNS, i = place % PAGE_INSNS;

    return page ? __atomic_load_n(&g->b->more[page - 1].code[i], __ATOMIC_RELAXED)
                : a64_block_word(g->b, i);
}

static void want(struct cfg *g, int32_t distance)
{
    for (unsigned n = 0; n < g->want_n; n++) {
        if (g->wants[n] == distance) {
            return;
        }
    }
    if (g->want_n < g->want_max) {
        g->wants[g->want_n++] = distance;
    }
}

/* The place `imm` instructions from `place`, -1 if that is in no page of ours. */
static int place_from(struct cfg *g, unsigned place, int64_t imm)
{
    int64_t i = (int64_t)(place % PAGE_INSNS) + imm;
    int64_t distance = distance_of(g, place / PAGE_INSNS) + (i >> 10);

    for (unsigned n = 0; n <= g->b->more_n; n++) {
        if (distance_of(g, n) == distance) {
            return n * PAGE_INSNS + (i & (PAGE_INSNS - 1));
        }
    }
    want(g, distance);
    return -1;
}

static struct flow flow_of(struct cfg *g, unsigned p)
{
    uint32_t w = word_at(g, p);
    unsigned row = a64_decode_for(g->b->model->features, w);

    switch (row) {
    case A64_I_b:
        return (struct flow){ .ends = true, .target = place_from(g, p, a64_get_b(w).imm26) };
    case A64_I_bl:
        if (!g->b->with_calls) {
            break;
        }
        return (struct flow){ .next = true, .ends = true, .is_call = true,
                              .target = place_from(g, p, a64_get_bl(w).imm26) };
    case A64_I_ret:
        return (struct flow){ .ends = true, .target = -1, .is_return = a64_get_ret(w).rn == 30 };
    case A64_I_b_cond:
        return (struct flow){ .next = a64_get_b_cond(w).cond < 14, .ends = true,
                              .target = place_from(g, p, a64_get_b_cond(w).imm19) };
    case A64_I_cbz:
        return (struct flow){ .next = true, .ends = true,
                              .target = place_from(g, p, a64_get_cbz(w).imm19) };
    case A64_I_cbnz:
        return (struct flow){ .next = true, .ends = true,
                              .target = place_from(g, p, a64_get_cbnz(w).imm19) };
    case A64_I_tbz:
        return (struct flow){ .next = true, .ends = true,
                              .target = place_from(g, p, a64_get_tbz(w).imm14) };
    case A64_I_tbnz:
        return (struct flow){ .next = true, .ends = true,
                              .target = place_from(g, p, a64_get_tbnz(w).imm14) };
    default:
        break;
    }
    if (!row || a64_rows[row].group == A64_GROUP_BRANCH || (a64_rows[row].flags & A64_ROW_INTERP)) {
        return (struct flow){ .ends = true, .target = -1 };
    }
    /* The last of a page goes on like a branch, for what follows may be another page. */
    return (struct flow){ .next = true, .ends = p % PAGE_INSNS == PAGE_INSNS - 1, .target = -1 };
}

static void lead(struct cfg *g, int p)
{
    if (p < 0 || (g->mark[p] & LEADER)) {
        return;
    }
    g->mark[p] |= LEADER;
    g->todo[g->todo_n++] = p;
}

/* Marks all instructions within reach, at most insn_max. */
static void search(struct cfg *g)
{
    lead(g, g->b->first);
    while (g->todo_n) {
        for (unsigned p = g->todo[--g->todo_n]; !(g->mark[p] & SEEN); p++) {
            struct flow f;
            if (g->insn_n == g->b->insn_max) {
                return;
            }
            g->mark[p] |= SEEN;
            g->insn_n++;
            f = flow_of(g, p);
            lead(g, f.target);
            if (f.ends) {
                if (f.next) {
                    lead(g, place_from(g, p, 1));
                }
                break;
            }
        }
    }
}

static bool split(struct cfg *g)
{
    for (unsigned p = 0; p < PLACES;) {
        struct rblock *k = &g->block[g->block_n];
        struct flow f;
        if (!(g->mark[p] & SEEN)) {
            p++;
            continue;
        }
        if (g->block_n++ == BLOCKS_MAX) {
            return false;
        }
        k->first = p;
        do {
            f = flow_of(g, p++);
        } while (!f.ends && (g->mark[p] & SEEN) && !(g->mark[p] & LEADER));
        k->end = p;
        k->succ[0] = f.next ? place_from(g, p - 1, 1) : -1;
        k->succ[1] = f.target;
        k->is_call = f.is_call;
        k->is_return = f.is_return;
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

/* The returns of the function that begins at `first` go to `back`, too. */
static void mark_returns(struct cfg *g, struct rblock *first, int back)
{
    bool again = true;

    for (unsigned i = 0; i < g->block_n; i++) {
        g->block[i].seen = false;
    }
    first->seen = true;
    while (again) {
        again = false;
        for (unsigned i = 0; i < g->block_n; i++) {
            struct rblock *k = &g->block[i];
            for (unsigned s = 0; k->seen && s < 2; s++) {
                /* Over calls within the function, to behind them. */
                struct rblock *to = s && k->is_call ? NULL : block_of(g, k->succ[s]);
                again |= to && !to->seen;
                if (to) {
                    to->seen = true;
                }
            }
        }
    }
    for (unsigned i = 0; i < g->block_n; i++) {
        struct rblock *k = &g->block[i];
        if (k->seen && k->is_return && k->ret_n < A64_REGION_RETURNS) {
            k->ret[k->ret_n++] = back;
        }
    }
}

static void find_returns(struct cfg *g)
{
    for (unsigned i = 0; i < g->block_n; i++) {
        struct rblock *k = &g->block[i], *to = k->is_call ? block_of(g, k->succ[1]) : NULL;

        if (to && block_of(g, k->succ[0])) {
            mark_returns(g, to, k->succ[0]);
        }
    }
}

/* Where the block goes, one after the other; NULL after the last. */
static struct rblock *goes_to(struct cfg *g, const struct rblock *k, unsigned n, bool *is_last)
{
    *is_last = n + 1 >= 2u + k->ret_n;
    if (n >= 2) {
        return block_of(g, k->ret[n - 2]);
    }
    /* A call does not go to behind itself: its function's return does. */
    return k->is_call && n == 0 ? NULL : block_of(g, k->succ[n]);
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
            bool is_last = false;
            for (unsigned n = 0; !is_last; n++) {
                struct rblock *to = goes_to(g, &g->block[i], n, &is_last);
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

static bool same_page(unsigned a, unsigned b)
{
    return a / PAGE_INSNS == b / PAGE_INSNS;
}

static void mark_target(struct cfg *g, const struct rblock *k, int to)
{
    if (to >= 0) {
        g->mark[to] |= JOIN | (to <= k->end - 1 ? LOOP_TARGET : 0);
    }
}

/* Marks where several ways meet, or that is jumped to. */
static void mark_joins(struct cfg *g)
{
    const struct rblock *above = NULL;

    g->mark[g->b->first] |= JOIN;
    for (unsigned i = 0; i < g->block_n; i++) {
        const struct rblock *k = &g->block[i];
        int last = k->end - 1;
        if (!k->in) {
            continue;
        }
        mark_target(g, k, k->succ[1]);
        for (unsigned n = 0; n < k->ret_n; n++) {
            mark_target(g, k, k->ret[n]);
        }
        /* A conditional branch to another page jumps to the next instruction. */
        if (k->succ[0] >= 0 && !k->is_call &&
            (!same_page(last, k->succ[0]) ||
             ((k->succ[1] < 0 || !same_page(last, k->succ[1])) && flow_of(g, last).ends))) {
            mark_target(g, k, k->succ[0]);
        }
        if (!above || above->end != k->first || above->succ[0] != k->first || above->is_call) {
            g->mark[k->first] |= JOIN;
        }
        above = k;
    }
}

/* For the translation of the block's last instruction. */
static void set_returns(struct cfg *g, const struct rblock *k, struct trans_pages *pages)
{
    pages->ret_n = 0;
    for (unsigned n = 0; n < k->ret_n; n++) {
        const struct rblock *to = block_of(g, k->ret[n]);
        if (to && to->in) {
            pages->ret[pages->ret_n].page = k->ret[n] / PAGE_INSNS;
            pages->ret[pages->ret_n++].index = k->ret[n] % PAGE_INSNS;
        }
    }
}

static void begin_block(struct cfg *g, env *e, const struct rblock *k, bool open)
{
    struct ir *ir = e->ir;
    int label = e->pages->label[e->page][e->index];

    if (!(g->mark[k->first] & JOIN) && open) {
        return;
    }
    ir->pc = e->index * 4;
    if (open) {
        ir_emit(ir, IR_JUMP, true, 0, 0, 0, label);
    }
    ir_label(ir, label < 0 ? IR_LABELS_MAX - 1 : label, g->mark[k->first] & LOOP_TARGET);
    ir->op[ir->n - 1].cc = e->page;
}

static void emit(struct cfg *g, env *e)
{
    struct ir *ir = e->ir;
    bool open = false;          /* runs on into what comes next */

    if (g->b->mode & A64_MODE_BTI) {
        a64_translate_clear_btype(e);
    }
    ir_emit(ir, IR_JUMP, true, 0, 0, 0, e->pages->label[0][g->b->first]);
    for (unsigned n = 0; n < g->block_n && !ir->full; n++) {
        const struct rblock *k = &g->block[n], *next;
        if (!k->in) {
            continue;
        }
        e->page = k->first / PAGE_INSNS;
        e->index = k->first % PAGE_INSNS;
        begin_block(g, e, k, open);
        set_returns(g, k, e->pages);
        e->ended = false;
        for (unsigned p = k->first; p < k->end && !e->ended && !ir->full; p++) {
            e->index = p % PAGE_INSNS;
            e->insn = word_at(g, p);
            a64_translate_insn(e);
            e->b->insn_n++;
        }
        open = !e->ended;
        next = block_of(g, k->succ[0]);
        if (open && !(next && next->in && next->first == k->end && same_page(k->end - 1, k->end))) {
            a64_translate_leave(e, 4);
            open = false;
        }
    }
}

unsigned a64_region_wants(const struct a64_block *b, int32_t *distance, unsigned max)
{
    struct cfg *g = calloc(1, sizeof(*g));
    unsigned n;

    if (!g) {
        return 0;
    }
    g->b = b;
    g->wants = distance;
    g->want_max = max;
    search(g);
    n = g->want_n;
    free(g);
    return n;
}

static bool translate(struct cfg *g, struct a64_block *b, struct ir *ir)
{
    int16_t label[PLACES];
    struct trans_pages pages = { .n = 1 + b->more_n };
    env e = { .ir = ir, .b = b, .pages = &pages };

    _Static_assert((int)BLOCKS_MAX < (int)IR_LABELS_MAX, "a label for each block");
    g->b = b;
    search(g);
    if (!split(g)) {
        return false;
    }
    find_returns(g);
    if (!find_loop(g)) {
        return false;
    }
    mark_joins(g);
    memset(label, 0xff, sizeof(label));
    for (unsigned i = 0; i < g->block_n; i++) {
        if (g->block[i].in && (g->mark[g->block[i].first] & JOIN)) {
            label[g->block[i].first] = pages.label_n++;
        }
    }
    for (unsigned n = 0; n < pages.n; n++) {
        pages.distance[n] = distance_of(g, n);
        pages.label[n] = label + n * PAGE_INSNS;
    }
    ir_begin(ir);
    ir->pc = b->first * 4;
    b->insn_n = b->interp_n = 0;
    emit(g, &e);
    return !ir->full;
}

bool a64_translate_region(struct a64_block *b, struct ir *ir)
{
    struct cfg *g = calloc(1, sizeof(*g));
    bool done;

    if (!g) {
        return false;
    }
    a64_words_forget(b->words);
    done = translate(g, b, ir);
    free(g);
    if (done) {
        ir_finish(ir);
    }
    return done;
}
