/* SPDX-License-Identifier: Apache-2.0 */
/* Integer operations; between the files of this folder. */
#pragma once
#include "isa/emit_x64/gen.h"

void gen_int(struct gen *g);
/* Tests the COND or CMP `c` here; returns the condition under which it holds. */
enum x64_cc gen_fused(struct gen *g, ir_ref c);
/* EFLAGS become those of `f`; gen_carry: with this polarity of the carry. */
void gen_flags_load(struct gen *g, ir_ref f);
void gen_carry(struct gen *g, ir_ref f, bool inverted);
