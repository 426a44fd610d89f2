/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/a64/translate.h"

#include "a64.gen.h"
#include "isa/a64/cpu.h"
#include "isa/a64/exception.h"
#include "isa/a64/model.h"
#include "isa/a64/pauth.h"
#include "isa/a64/sysreg.h"
#include "isa/a64/tlb.h"
#include "isa/a64/translate_env.h"
#include "isa/a64/vecops.h"
#include "isa/a64/vocab.h"
#include "isa/emit_x64/gen_fp.h"
#include "isa/emit_x64/gen_vop.h"
#include "isa/softfp/softfp.h"

#include <assert.h>
#include <string.h>

#include "isa/a64/translate_int.h"
#include "isa/a64/translate_sys.h"
#include "isa/a64/translate_vec.h"

#include "isa/a64/sem_all.h"

static void translate_one(env *e, unsigned row)
{
    switch (row) {
#define CASE(n) case A64_I_##n: sem_##n(e, a64_get_##n(e->insn)); break;
    A64_ALL_INSNS(CASE)
#undef CASE
    default:
        give_up(e, true);
    }
}

/* Rows that the table leaves to the interpreter, but for which this engine has helpers. */
static bool for_interp(unsigned row)
{
    return (a64_rows[row].flags & A64_ROW_INTERP) && row != A64_I_msr_imm && row != A64_I_sys &&
           row != A64_I_eret;
}

static void interpret(env *e)
{
    ir_ref r = ir_emit(e->ir, IR_CALLC, true, 0, 0, 0,
                       e->give_up_ends ? A64_H_INTERP_END : A64_H_INTERP);
    e->ir->op[r].k2 = e->insn;
    e->ir->op[r].x = e->give_up_ends;
    e->ir->flags = 0;
    ir_forget_vars(e->ir);
    e->b->interp_n++;
    e->ended |= e->give_up_ends;
}

/* One instruction; if a body finds that it is the interpreter's after all, what it has emitted
 * is taken back (what variables hold is not known behind it anyway). */
void a64_translate_insn(env *e)
{
    struct ir *ir = e->ir;
    unsigned row = a64_decode_for(e->b->model->features, e->insn), n = ir->n;
    uint16_t flags = ir->flags;

    e->sp_base = 0;
    e->btype = 0;
    e->give_up = e->give_up_ends = false;
    ir->pc = e->index * 4;
    if (for_interp(row)) {
        give_up(e, true);
    } else {
        translate_one(e, row);
    }
    if (e->give_up) {
        ir->n = n;
        ir->flags = flags;
        e->ended = e->follow = false;
        interpret(e);
    }
}

void a64_translate_clear_btype(env *e)
{
    st_env(e, offsetof(struct a64_cpu, btype), 0, ir_const(e->ir, 0));
}

void a64_translate_leave(env *e, int64_t off)
{
    leave_to(e, off);
}

void a64_translate_block(struct a64_block *b, struct ir *ir)
{
    env e = { .ir = ir, .b = b, .index = b->first };

    ir_begin(ir);
    ir->pc = b->first * 4;
    b->insn_n = b->interp_n = 0;
    a64_words_forget(b->words);
    if (b->first_interp) {
        ir->pc = e.index * 4;
        e.insn = a64_block_word(b, e.index);
        e.give_up_ends = true;
        interpret(&e);
        b->insn_n = 1;
    } else if (b->mode & A64_MODE_BTI) {
        a64_translate_clear_btype(&e);
    }
    while (!e.ended && !ir->full) {
        e.follow = false;
        e.insn = a64_block_word(b, e.index);
        a64_translate_insn(&e);
        b->insn_n++;
        if (e.ended) {
            break;
        }
        if (e.follow) {
            e.index = e.next;
        } else {
            e.index++;
        }
        if (b->insn_n >= b->insn_max || e.index > 1023 || ir->n > IR_MAX - 200) {
            ir->pc = (e.index - 1) * 4;
            e.index--;
            leave_to(&e, 4);
        }
    }
    ir_finish(ir);
}

void a64_gen_guest(struct gen_guest *g)
{
    memset(g, 0, sizeof(*g));
    for (unsigned i = 0; i < 32; i++) {
        g->var[i] = i == 31 ? offsetof(struct a64_cpu, sp) : offsetof(struct a64_cpu, x) + 8 * i;
        g->var[IR_VAR_VEC + i] = offsetof(struct a64_cpu, v) + 16 * i;
    }
    _Static_assert(offsetof(struct a64_cpu, x[5]) - GEN_BIAS == -128 &&
                   offsetof(struct a64_cpu, jit_scratch) - GEN_BIAS < 128, "short displacements");
    g->fpcr = offsetof(struct a64_cpu, fpcr);
    g->fpsr = offsetof(struct a64_cpu, fpsr);
    g->nzcv = offsetof(struct a64_cpu, nzcv_);
    g->pc = offsetof(struct a64_cpu, pc);
    g->page_last = offsetof(struct a64_cpu, jit_page_last);
    g->btype = offsetof(struct a64_cpu, btype);
    g->poll = offsetof(struct a64_cpu, poll);
    g->heat = offsetof(struct a64_cpu, jit_heat);
    _Static_assert(sizeof(((struct a64_cpu *)0)->jit_heat) == 4 * GEN_HEATS, "a counter each");
    g->scratch = offsetof(struct a64_cpu, jit_scratch);
    g->attention = offsetof(struct a64_cpu, attention);
    g->tlb = offsetof(struct a64_cpu, tlb);
    g->tlb_unpriv = offsetof(struct a64_tlb, unpriv);
    g->ex_addr = offsetof(struct a64_cpu, ex_addr);
    g->ex_val = offsetof(struct a64_cpu, ex_val);
    g->ex_size = offsetof(struct a64_cpu, ex_size_log2);
    g->read = offsetof(struct a64_tlb_set, read_tag);
    g->write = offsetof(struct a64_tlb_set, write_tag);
    g->addends = sizeof(((struct a64_tlb_set *)0)->read_tag);
    _Static_assert(offsetof(struct a64_tlb_set, read_addend) -
                   offsetof(struct a64_tlb_set, read_tag) ==
                   offsetof(struct a64_tlb_set, write_addend) -
                   offsetof(struct a64_tlb_set, write_tag), "the same distance");
    _Static_assert(A64_TLB_BITS == 32 - 12, "a place is 32 bits of the address, shifted");
    g->jump = offsetof(struct a64_tlb_set, jump);
    g->link = offsetof(struct a64_tlb_set, link);
    g->near = offsetof(struct a64_tlb_set, near);
    g->near_used = offsetof(struct a64_tlb_set, near_used);
    g->jump_bits = A64_TLB_JUMP_BITS;
    g->host = gen_host();
}
