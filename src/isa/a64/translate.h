/* SPDX-License-Identifier: Apache-2.0 */
/* From aarch64 code to IR: a superblock, or a loop as a region, within one 4 KiB page.
 *
 * A block depends on nothing but the code, the model and the mode bits below; the virtual address
 * of its page is known only at run time (cpu->jit_page_last), so all processes share it. */
#pragma once
#include "isa/a64/cpu.h"
#include "isa/ir/ir.h"
#include "isa/softfp/softfp.h"

#include <stdbool.h>
#include <stdint.h>

struct a64_model;
struct gen_guest;
struct ir_names;

/* Mode: the part of the PE's state that translation depends on; it is part of a block's key. */
enum {
    A64_MODE_EL1 = 1,
    A64_MODE_FP = 2,            /* FP/SIMD is accessible */
    A64_MODE_FP_PLAIN = 4,      /* FPCR.FZ, FZ16, AHP are 0: as the host computes */
    A64_MODE_GUARDED = 8,       /* page with GP (FEAT_BTI): the caller checks branch targets */
    A64_MODE_BTI = 16,          /* this PE has seen guarded pages: PSTATE.BTYPE is kept */
    A64_MODES = 32,
};

/* Helpers of CALL and CALLC, in scratch[0 …]; each returns true to leave the block (go on at
 * cpu->pc).  accel/jit has the table. */
enum a64_helper {
    A64_H_INTERP,               /* the instruction in scratch[3], by the interpreter */
    A64_H_INTERP_END,           /* the same, and leave in any case */
    A64_H_SYSREG_READ,          /* [0] enc, [1] rt → [0] */
    A64_H_SYSREG_WRITE,         /* [0] enc, [1] rt, [2] value */
    A64_H_SYS_OP,               /* [0] enc, [1] rt, [2] value */
    A64_H_PSTATE_WRITE,         /* [0] op1 << 8 | op2 << 4 | crm */
    A64_H_RAISE,                /* [0] EC, [1] ISS, [2] ret_off; always leaves */
    A64_H_ERET,                 /* always leaves */
    A64_H_PAUTH,                /* [0] op, [1] pointer, [2] modifier → [0] */
    A64_H_DSB,
    A64_H_DC_ZVA,               /* [0] address */
    A64_H_UNMASKED,             /* PSTATE.DAIF has been written */
    A64_H_COUNT
};

/* The instructions that a translation was made from, each as it was read. */
struct a64_words {
    uint64_t used[16];          /* bit per instruction of the page */
    uint32_t word[1024];        /* where the bit is set */
};

enum {
    A64_REGION_PAGES = 4,       /* of code, that a region can have */
    A64_REGION_RETURNS = 3,     /* places that one RET is compared with */
};

/* A page of code besides the first. */
struct a64_more_code {
    const uint32_t *code;
    int32_t distance;           /* in pages of VA, from the first */
};

struct a64_block {
    const uint32_t *code;       /* the page; read by a64_block_word() only */
    struct a64_words *words;    /* result: what was read; NULL = nobody wants to know */
    unsigned first;             /* index of the first instruction in the page */
    unsigned insn_max;
    unsigned mode;
    uint32_t host;              /* enum gen_host */
    uint64_t va;                /* of the page, for dumps: the translation does not depend on it */
    const struct a64_model *model;
    const struct a64_more_code *more;   /* a region: pages that it may go to */
    unsigned more_n;
    bool with_calls;            /* a region: calls and returns are inside */
    bool first_interp;          /* the first instruction cannot be translated here */
    /* results */
    unsigned insn_n;
    unsigned interp_n;          /* of these, left to the interpreter */
};

static inline void a64_words_forget(struct a64_words *w)
{
    for (unsigned i = 0; w && i < 16; i++) {
        w->used[i] = 0;
    }
}

/* Instruction i of the page.  It may change under our feet, so it is read once. */
static inline uint32_t a64_block_word(const struct a64_block *b, unsigned i)
{
    struct a64_words *w = b->words;

    if (!w) {
        return __atomic_load_n(&b->code[i], __ATOMIC_RELAXED);
    }
    if (!(w->used[i / 64] >> i % 64 & 1)) {
        w->word[i] = __atomic_load_n(&b->code[i], __ATOMIC_RELAXED);
        w->used[i / 64] |= UINT64_C(1) << i % 64;
    }
    return w->word[i];
}

/* Translates; ir->full: did not fit, try again with a smaller insn_max. */
void a64_translate_block(struct a64_block *b, struct ir *ir);

/* Translates the loop whose head is b->first as a region: all code of its pages that lies on a way
 * from the head back to it, through calls and returns too, at most insn_max instructions.  False:
 * there is no such loop, or it does not fit.  Pages other than the first are not in b->words. */
bool a64_translate_region(struct a64_block *b, struct ir *ir);
/* To which other pages direct branches go from what is within reach of b->first: distances from its
 * page, at most `max`; those of b->more are not among them.  Returns how many. */
unsigned a64_region_wants(const struct a64_block *b, int32_t *distance, unsigned max);

/* For ir_print(). */
extern const struct ir_names a64_ir_names;

/* The mode that the PE is in; false: a rare state that only the interpreter handles. */
static inline bool a64_mode_of(const struct a64_cpu *cpu, unsigned *mode)
{
    unsigned fpen = cpu->cpacr_el1 >> 20 & 3;

    if (cpu->debug_slow || cpu->uao || (cpu->el && !cpu->spsel) || cpu->il) {
        return false;
    }
    *mode = (cpu->el ? A64_MODE_EL1 : 0) |
            (fpen == 3 || (fpen == 1 && cpu->el) ? A64_MODE_FP : 0) |
            (cpu->fpcr & (FPCR_FZ | FPCR_FZ16 | FPCR_AHP) ? 0 : A64_MODE_FP_PLAIN) |
            (cpu->jit_bti ? A64_MODE_BTI : 0);
    return true;
}

/* struct a64_cpu and struct a64_tlb_set for emit_x64. */
void a64_gen_guest(struct gen_guest *g);
