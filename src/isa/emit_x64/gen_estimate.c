/* SPDX-License-Identifier: Apache-2.0 */
/* FRECPE and FRSQRTE of singles.  The architecture fixes every bit (DDI 0487, RecipEstimate() and
 * RecipSqrtEstimate(), in integers): with the highest 8 (7) bits of the fraction, and half a unit,
 *
 *   1.ffffffff1 = D / 2^9   q = the integer part of 2^10 / (D / 2^9) = 2^19 / D
 *   1.fffffff1  = D / 2^8   q = that of 2^10 / sqrt(w): w = D / 2^8 if the exponent is odd, D / 2^7
 *                           if it is even; never exact
 *
 * and the estimate is (q + 1) / 2, a 1 and 8 bits of the result's fraction.  VRCPPS and VRSQRTPS,
 * which raise no flags, are off by 1.5 / 2^12 at most, so that the first 10 bits of theirs are q or
 * next to it; which, integers tell.
 *
 * Zeroes, denormals, infinities, NaNs, and of FRSQRTE negative numbers, go the slow way, and what
 * has a reciprocal that is no normal number. */
#include "isa/emit_x64/gen_fp_int.h"

#include <assert.h>

enum { OP_AND = P(0xdb), OP_OR = P(0xeb), OP_ADD = P(0xfe), OP_SUB = P(0xfa), OP_GT = P(0x66) };

bool gen_estimate_native(unsigned vop, uint32_t arg)
{
    return (vop == VOP_frecpe || vop == VOP_frsqrte) && V_SIZE(arg) == 2 && V_LG(arg) != 3;
}

static void vv(struct gen *g, unsigned o, int d, int a, int b)
{
    x64_v(&g->c, o, d, a, b);
}

/* Digit 2 SRL, 4 SRA, 6 SLL. */
static void shift(struct gen *g, unsigned digit, int d, int a, unsigned n)
{
    x64_vi(&g->c, P(0x72), digit, d, a, n);
}

static void with(struct gen *g, unsigned o, int d, int a, uint32_t k)
{
    uint64_t each = k | (uint64_t)k << 32;

    gen_lit(g, o, d, a, each, each);
}

/* Jumps unless all lanes of a, less the smallest normal number, are 0 to most. */
static uint8_t *jump_unless(struct gen *g, bool scalar, int a, uint32_t most)
{
    with(g, OP_SUB, T0, a, 0x00800000);
    gen_vconst(g, T1, most | (uint64_t)most << 32, most | (uint64_t)most << 32);
    vv(g, OP_GT, T1, T0, T1);
    vv(g, OP_OR, T0, T0, T1);
    if (scalar) {
        vv(g, P(0x7e), T0, 0, RAX);                                     /* vmovd */
        x64_test_rr(&g->c, false, RAX, RAX);
        return x64_jcc(&g->c, CC_S);
    }
    vv(g, 0x50 | OP_0F, RAX, 0, T0);                                    /* vmovmskps */
    x64_test_rr(&g->c, false, RAX, RAX);
    return x64_jcc(&g->c, CC_NE);
}

/* q = the first ten bits of the approximation in q, which is in [1/2, 1). */
static void first_bits(struct gen *g, int q)
{
    with(g, OP_AND, q, q, 0x007fffff);
    with(g, OP_OR, q, q, 0x00800000);
    shift(g, 2, q, q, 14);
}

/* d = (q + 1) / 2 as a fraction. */
static void fraction(struct gen *g, int d, int q)
{
    with(g, OP_ADD, d, q, 1);
    shift(g, 2, d, d, 1);
    with(g, OP_AND, d, d, 0xff);
    shift(g, 6, d, d, 15);
}

static void recip(struct gen *g, int d, int a, int q)
{
    with(g, OP_AND, T1, a, 0x007f8000);
    with(g, OP_OR, T1, T1, 0x3f804000);
    vv(g, 0x53 | OP_0F, q, 0, T1);                                      /* vrcpps */
    first_bits(g, q);
    with(g, OP_AND, T1, T1, 0x007fc000);
    with(g, OP_OR, T1, T1, 0x00800000);
    shift(g, 2, T1, T1, 14);                                            /* D */
    vv(g, P(0xf5), d, q, T1);                                           /* vpmaddwd: q D */
    gen_vconst(g, T0, UINT64_C(0x0008000000080000), UINT64_C(0x0008000000080000));
    vv(g, OP_SUB, T0, T0, d);                                           /* the remainder */
    shift(g, 4, d, T0, 31);
    vv(g, OP_ADD, q, q, d);                                             /* negative: q - 1 */
    vv(g, OP_GT, T1, T1, T0);
    with(g, OP_ADD, q, q, 1);
    vv(g, OP_ADD, q, q, T1);                                            /* not less than D: q + 1 */
    fraction(g, q, q);
    with(g, OP_AND, T1, a, 0x7f800000);
    gen_vconst(g, d, UINT64_C(0x7e8000007e800000), UINT64_C(0x7e8000007e800000));
    vv(g, OP_SUB, d, d, T1);                                            /* exponent 253 - e */
    with(g, OP_AND, T1, a, 0x80000000);
    vv(g, OP_OR, d, d, T1);
    vv(g, OP_OR, d, d, q);
}

static void rsqrt(struct gen *g, int d, int a, int q)
{
    with(g, OP_AND, T1, a, 0x00800000);
    gen_vconst(g, d, UINT64_C(0x4000000040000000), UINT64_C(0x4000000040000000));
    vv(g, OP_SUB, d, d, T1);                                            /* exponent 0 or 1 */
    with(g, OP_AND, T0, a, 0x007f0000);
    with(g, OP_OR, T0, T0, 0x00008000);
    vv(g, OP_OR, q, d, T0);
    vv(g, 0x52 | OP_0F, q, 0, q);                                       /* vrsqrtps */
    first_bits(g, q);
    with(g, OP_OR, T0, T0, 0x00800000);
    shift(g, 2, T0, T0, 15);                                            /* D */
    shift(g, 2, T1, T1, 23);                                            /* odd: 1 */
    gen_vconst(g, d, UINT64_C(0x0000000100000001), UINT64_C(0x0000000100000001));
    vv(g, OP_SUB, d, d, T1);
    vv(g, P38(0x47), T0, T0, d);                                        /* vpsllvd: 2^8 w */
    with(g, OP_ADD, T1, q, 1);
    vv(g, P(0xf5), d, q, q);
    vv(g, P38(0x40), d, d, T0);                                         /* vpmulld: q² 2^8 w */
    vv(g, P(0xf5), T1, T1, T1);
    vv(g, P38(0x40), T1, T1, T0);                                       /* (q + 1)² 2^8 w */
    with(g, OP_SUB, d, d, 0x10000000);
    with(g, OP_SUB, T1, T1, 0x10000000);
    shift(g, 4, d, d, 31);                                              /* -1: q is not too large */
    shift(g, 4, T1, T1, 31);                                            /* -1: too small */
    vv(g, OP_SUB, q, q, T1);
    vv(g, OP_SUB, q, q, d);
    with(g, OP_SUB, q, q, 1);
    fraction(g, q, q);
    with(g, OP_AND, T1, a, 0x7f800000);
    gen_vconst(g, d, UINT64_C(0xbe000000be000000), UINT64_C(0xbe000000be000000));
    vv(g, OP_SUB, d, d, T1);
    shift(g, 2, d, d, 1);                                               /* exponent (380 - e) / 2 */
    with(g, OP_AND, d, d, 0x7f800000);
    vv(g, OP_OR, d, d, q);
}

void gen_estimate(struct gen *g)
{
    const struct ir_op *p = op(g);
    bool scalar = V_LG(p->k >> 16) == 2, is_recip = (p->k & 0x3fff) == VOP_frecpe;
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };
    int q = gen_vtmp(g), from = r.a;
    struct gen_stub *s;

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    if (is_recip) {
        with(g, OP_AND, T1, r.a, 0x7fffffff);
        from = T1;
    }
    s = gen_fp_slow(g, jump_unless(g, scalar, from, is_recip ? 0x7dffffff : 0x7effffff), r);
    if (is_recip) {
        recip(g, r.d, r.a, q);
    } else {
        rsqrt(g, r.d, r.a, q);
    }
    if (scalar) {
        gen_keep_low(g, r.d, r.d, 4);
    }
    s->back = g->c.p;
}
