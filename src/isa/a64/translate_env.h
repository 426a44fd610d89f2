/* SPDX-License-Identifier: Apache-2.0 */
/* The engine context of the translator.  Private to translate*.  */
#pragma once
#include "isa/a64/translate.h"

typedef struct {
    ir_ref r;
} val;
typedef struct {
    ir_ref r;
} vec;

/* The pages of a region: label by index in the page, -1 = none. */
struct trans_pages {
    unsigned n, label_n;        /* labels: used so far */
    int32_t distance[A64_REGION_PAGES];
    const int16_t *label[A64_REGION_PAGES];
    /* Where RET, the last instruction of a block, may go: the instructions behind calls. */
    unsigned ret_n;
    struct {
        unsigned page, index;
    } ret[A64_REGION_RETURNS];
};

typedef struct a64_trans {
    struct ir *ir;
    struct a64_block *b;
    uint32_t insn;
    unsigned index;             /* of the instruction in the page */
    ir_ref sp_base;             /* SP as the base of this instruction's access, 0 = none */
    bool give_up;               /* leave this instruction to the interpreter */
    bool give_up_ends;          /* … and the block with it */
    unsigned btype;             /* PSTATE.BTYPE that this instruction's branch leaves */
    bool ended;
    bool follow;                /* go on translating at `index` = next */
    unsigned next;
    struct trans_pages *pages;  /* a region's; NULL: a block */
    unsigned page;              /* of them, that `index` is in */
} env;

/* The instruction at `index`, which is in `insn`. */
void a64_translate_insn(env *e);
/* PSTATE.BTYPE = 0. */
void a64_translate_clear_btype(env *e);
/* To the instruction `off` bytes from here: a jump in the region, a direct exit if it is in this
 * page, else by address.  Ends the block. */
void a64_translate_leave(env *e, int64_t off);
