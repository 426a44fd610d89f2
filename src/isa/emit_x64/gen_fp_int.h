/* SPDX-License-Identifier: Apache-2.0 */
/* Between gen_fp.c and gen_cvt.c. */
#pragma once
#include "isa/a64/vecops.h"
#include "isa/emit_x64/gen_fp.h"

#define P(op) ((op) | OP_0F | OP_66)
#define P38(op) ((op) | OP_0F38 | OP_66)
#define P3A(op) ((op) | OP_0F3A | OP_66)

enum { T0 = 15, T1 = 14, K1 = 1, K2 = 2 };      /* scratch */

struct gen_fp_regs {
    int a, b, c, d;             /* -1 = none */
};

struct gen_fp_fmt {
    bool dbl, scalar;
};

static inline const struct ir_op *op(const struct gen *g)
{
    return &g->ir->op[g->i];
}

static inline struct gen_fp_fmt fmt_of(uint32_t arg)
{
    return (struct gen_fp_fmt){ V_SIZE(arg) == 3, V_LG(arg) == V_SIZE(arg) };
}

/* The scalar or packed form for the format. */
static inline unsigned form(struct gen_fp_fmt f, unsigned o)
{
    return o | OP_0F | (f.scalar ? (f.dbl ? OP_F2 : OP_F3) : (f.dbl ? OP_66 : 0));
}

static const uint64_t abs_mask[2] = { UINT64_C(0x7fffffff7fffffff), UINT64_C(0x7fffffffffffffff) };

static inline bool gen_has_avx512(const struct gen *g)
{
    return g->guest->host & GEN_HOST_AVX512;
}

enum { CMP_UNORD_Q = 3, CMP_EQ_UQ = 8, CMP_NLT_UQ = 0x15 };

/* Jumps if the comparison (of VCMPPS) holds in a lane; b = -1: with k in each. */
uint8_t *gen_fp_jump_if(struct gen *g, bool dbl, unsigned predicate, int a, int b, uint64_t k);
/* The slow way, to be taken by the jump whose displacement is `from`, comes back here. */
struct gen_stub *gen_fp_slow(struct gen *g, uint8_t *from, struct gen_fp_regs r);
/* With GEN_FP_FZ: jumps if a lane of a or b (-1 = none) is not zero, but less than 2^-n, or with
 * n = 0, than the smallest normal number.  Otherwise returns NULL.  t: gen_fp_fz_tmp(), which must
 * come before all jumps. */
int gen_fp_fz_tmp(struct gen *g);
uint8_t *gen_fp_jump_if_small(struct gen *g, int t, int a, int b, struct gen_fp_fmt f, unsigned n);
/* Jumps if a lane of `d` is NaN, or, `tiny`, the smallest normal number. */
uint8_t *gen_fp_jump_if_odd(struct gen *g, int d, struct gen_fp_fmt f, bool tiny);

/* op d, a, the constant in each lane, or in the lowest of a scalar */
void gen_fp_lit(struct gen *g, unsigned o, int d, int a, struct gen_fp_fmt f, uint32_t single,
                uint64_t dbl);

/* Half precision: gen_half.c.  ucomis: sets EFLAGS as UCOMISS, of scalars with zeroes above. */
bool gen_half_native(uint32_t host, unsigned vop, uint32_t arg);
void gen_half(struct gen *g);
void gen_half_ucomis(struct gen *g, int a, int b, bool signal);

/* Estimates: gen_estimate.c; of two singles as of four. */
bool gen_estimate_native(unsigned vop, uint32_t arg);
void gen_estimate(struct gen *g);

/* Conversions and rounding: gen_cvt.c. */
bool gen_cvt_native(uint32_t host, unsigned vop, uint32_t arg);
void gen_cvt(struct gen *g);
void gen_cvt_to_scalar(struct gen *g);          /* VI2F */
void gen_cvt_from_scalar(struct gen *g);        /* VF2I */
