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

typedef struct a64_trans {
    struct ir *ir;
    struct a64_block *b;
    uint32_t insn;
    unsigned index;             /* of the instruction in the page */
    ir_ref sp_base;             /* SP as the base of this instruction's access, 0 = none */
    bool give_up;               /* leave this instruction to the interpreter */
    bool give_up_ends;          /* … and the block with it */
    bool ended;
    bool follow;                /* go on translating at `index` = next */
    unsigned next;
} env;
