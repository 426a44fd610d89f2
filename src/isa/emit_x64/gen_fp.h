/* SPDX-License-Identifier: Apache-2.0 */
/* Floating point; between the files of this folder and the translator. */
#pragma once
#include "isa/emit_x64/gen.h"

/* k of V1, V2, V3, VI2F, VF2I: primitive in bits 15:0, argument in bits 47:16, and */
#define GEN_FP_NEG_A (UINT64_C(1) << 48)    /* fmla: the first factor is negated */
#define GEN_FP_NEG_C (UINT64_C(1) << 49)    /* … the addend */
#define GEN_FP_FZ (UINT64_C(1) << 50)       /* FPCR.FZ may be 1 */

/* Is there a case for the primitive, if FPCR.FZ is 0?  gen_fp_scalar_int(): of VI2F and VF2I.
 * gen_fp_native_fz(): of those, is there one with GEN_FP_FZ? */
bool gen_fp_native(uint32_t host, uint64_t k);
bool gen_fp_native_fz(uint64_t k);
bool gen_fp_scalar_int(uint64_t k);

void gen_fp(struct gen *g);
void gen_fp_stub(struct gen *g, const struct gen_stub *s);
/* NZCV of a VFCMP that is in EFLAGS, to memory; keeps EFLAGS. */
void gen_fp_flags_store(struct gen *g);
/* The condition under which `arm_cc` holds, or -1: only by way of memory. */
int gen_fp_cc(struct gen *g, unsigned arm_cc);

/* op reg, vvvv, [constant] */
void gen_lit(struct gen *g, unsigned op, unsigned reg, unsigned vvvv, uint64_t lo, uint64_t hi);
void gen_lit_i(struct gen *g, unsigned op, unsigned reg, unsigned vvvv, uint64_t lo, uint64_t hi,
               uint8_t imm);
/* Puts the constants here.  False: no room. */
bool gen_lits_flush(struct gen *g);
