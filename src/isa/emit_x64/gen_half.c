/* SPDX-License-Identifier: Apache-2.0 */
/* Half-precision arithmetic, if FPCR.FZ, FZ16 and AHP are 0: by AVX512-FP16, which computes with
 * denormals whatever MXCSR says, or in single precision by F16C, rounded a second time.
 *
 * The second rounding does no harm to a sum, product, quotient or square root: a single has at
 * least 2 × 11 + 2 bits (S. A. Figueroa, "When is double rounding innocuous?", 1995), and rounding
 * twice in one direction is rounding once.  Nor does it to the flags: what is exact as a half is
 * exact as a single; products, and sums below the smallest normal half, are exact as singles, and
 * no quotient is as near to a denormal half as that single rounding would meet it, so that the
 * conversion sees whether a tiny result is inexact; nothing overflows or is tiny as a single.
 * A product added to something is not safe.  The product is exact as a single; the sum is made in
 * double precision, and becomes a single by rounding to odd, which keeps that there was more (S.
 * Boldo, G. Melquiond, "Emulation of FMA and correctly rounded sums", 2008): then rounding to a
 * half does no harm.  Where the sum is rounded as a double it is no more than an addend and far
 * less, from whose ends halves are far.
 *
 * NaNs and tiny results go the slow way as in gen_fp.c. */
#include "isa/emit_x64/gen_fp_int.h"

#include "isa/softfp/softfp.h"

#include <assert.h>

#define M5(op) ((op) | OP_EVEX | OP_MAP5)
#define M5S(op) (M5(op) | OP_F3)                /* of a scalar */
#define M6(op) ((op) | OP_EVEX | OP_MAP6 | OP_66)
#define E3AH(op) ((op) | OP_EVEX | OP_0F3A)

static uint64_t each(uint64_t k)
{
    return k * UINT64_C(0x0001000100010001);
}

static bool has_fp16(const struct gen *g)
{
    return g->guest->host & GEN_HOST_AVX512_FP16;
}

bool gen_half_native(uint32_t host, unsigned vop, uint32_t arg)
{
    unsigned lg = V_LG(arg), x = V_X(arg);

    if (V_SIZE(arg) != 1 || (lg != 1 && lg < 3)) {
        return false;
    }
    switch (vop) {
    case VOP_fadd: case VOP_fsub: case VOP_fmul: case VOP_fdiv: case VOP_fsqrt: case VOP_fmla:
    case VOP_fcmeq: case VOP_fcmge: case VOP_fcmgt:
        return host & (GEN_HOST_AVX512_FP16 | GEN_HOST_F16C);
    case VOP_fmax: case VOP_fmin: case VOP_fmaxnm: case VOP_fminnm:
        return true;
    case VOP_frint:
        return (host & GEN_HOST_F16C) && V_ROUND_OF(x) != FP_TIEAWAY && !(x >> 4);
    case VOP_fcvts: case VOP_fcvtu:
        return (host & GEN_HOST_F16C) && V_ROUND_OF(x) != FP_TIEAWAY && V_INT_LG(x) == 1 &&
               !V_INT_FBITS(x);
    case VOP_scvtf: case VOP_ucvtf:
        return (host & GEN_HOST_F16C) && V_INT_LG(x) == 1;
    default:
        return false;
    }
}

static void vv(struct gen *g, unsigned o, int d, int a, int b)
{
    x64_v(&g->c, o, d, a, b);
}

/* ---- checks ---- */
static uint8_t *jump_if_any(struct gen *g, int t)
{
    vv(g, P(0xd7), RAX, 0, t);                                          /* vpmovmskb */
    x64_test_rr(&g->c, false, RAX, RAX);
    return x64_jcc(&g->c, CC_NE);
}

static void nan_lanes(struct gen *g, int t, int a)
{
    gen_lit(g, P(0xdb), t, a, each(0x7fff), each(0x7fff));
    gen_lit(g, P(0x65), t, t, each(0x7c00), each(0x7c00));              /* vpcmpgtw */
}

/* Jumps if a lane of d is NaN, or, `tiny`, the smallest normal number. */
static uint8_t *jump_if_odd(struct gen *g, int d, bool tiny)
{
    if (!has_fp16(g)) {
        nan_lanes(g, T0, d);
        if (tiny) {
            gen_lit(g, P(0xdb), T1, d, each(0x7fff), each(0x7fff));
            gen_lit(g, P(0x75), T1, T1, each(0x0400), each(0x0400));
            vv(g, P(0xeb), T0, T0, T1);
        }
        return jump_if_any(g, T0);
    }
    if (tiny) {
        gen_lit(g, P(0xdb), T0, d, each(0x7fff), each(0x7fff));
        gen_lit_i(g, E3AH(0xc2), K1, T0, each(0x0400), each(0x0400), CMP_EQ_UQ);
    } else {
        x64_vi(&g->c, E3AH(0x66), K1, 0, d, 0x81);                      /* vfpclassph */
    }
    vv(g, P(0x98), K1, 0, K1);                                          /* kortestb */
    return x64_jcc(&g->c, CC_NE);
}

/* ---- arithmetic ---- */
/* t = the low or high four of a as singles; only the lowest of a scalar is not zero. */
static void widen(struct gen *g, bool high, int t, int a)
{
    if (high) {
        x64_vi(&g->c, P(0x70), t, 0, a, 0xee);
        a = t;
    }
    vv(g, P38(0x13), t, 0, a);                                          /* vcvtph2ps */
}

static void put_half(struct gen *g, bool high, int d, int t)
{
    x64_vi(&g->c, P3A(0x1d), t, 0, high ? t : d, 4);                    /* vcvtps2ph */
    if (high) {
        vv(g, P(0x6c), d, d, t);                                        /* vpunpcklqdq */
    }
}

static void by_singles(struct gen *g, unsigned o, bool scalar, bool high, struct gen_fp_regs r)
{
    unsigned form = o | OP_0F | (scalar ? OP_F3 : 0);

    widen(g, high, T0, r.a);
    if (r.b < 0) {
        vv(g, form, T0, scalar ? T0 : 0, T0);
    } else {
        widen(g, high, T1, r.b);
        vv(g, form, T0, T0, T1);
    }
    put_half(g, high, r.d, T0);
}

static void arithmetic(struct gen *g, unsigned o, bool tiny)
{
    const struct ir_op *p = op(g);
    unsigned lg = V_LG(p->k >> 16);
    bool scalar = lg == 1;
    struct gen_fp_regs r = { gen_vuse(g, p->a), p->b ? gen_vuse(g, p->b) : -1, -1, -1 };

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    if (!has_fp16(g)) {
        by_singles(g, o, scalar, false, r);
        if (lg == 4) {
            by_singles(g, o, scalar, true, r);
        }
    } else if (r.b < 0) {
        vv(g, scalar ? M5S(o) : M5(o), r.d, scalar ? r.a : 0, r.a);
    } else {
        vv(g, scalar ? M5S(o) : M5(o), r.d, r.a, r.b);
    }
    gen_fp_slow(g, jump_if_odd(g, r.d, tiny), r)->back = g->c.p;
}

/* t = two singles of product + two of addend, in the low half; x is scratch. */
static void add_to_odd(struct gen *g, int t, int product, int addend, int x)
{
    const uint64_t lost = (UINT64_C(1) << 29) - 1;

    vv(g, 0x5a | OP_0F, t, 0, product);                                 /* vcvtps2pd */
    vv(g, 0x5a | OP_0F, x, 0, addend);
    vv(g, P(0x58), t, t, x);
    gen_lit(g, P(0xdb), x, t, lost, lost);
    gen_lit(g, P(0xd4), x, x, lost, lost);                              /* bit 29: any of them */
    vv(g, P(0xeb), t, t, x);
    gen_lit(g, P(0xdb), t, t, ~lost, ~lost);
    vv(g, P(0x5a), t, 0, t);                                            /* vcvtpd2ps */
}

static void multiply_add_half(struct gen *g, uint64_t k, bool high, struct gen_fp_regs r, int x,
                              int t)
{
    bool scalar = V_LG(k >> 16) == 1;           /* and zero above */
    uint64_t lo = scalar ? 0x80000000 : UINT64_C(0x8000000080000000), hi = scalar ? 0 : lo;

    widen(g, high, T0, r.a);
    widen(g, high, T1, r.b);
    vv(g, 0x59 | OP_0F, T0, T0, T1);
    if (k & GEN_FP_NEG_A) {
        gen_lit(g, P(0xef), T0, T0, lo, hi);
    }
    widen(g, high, T1, r.c);
    if (k & GEN_FP_NEG_C) {
        gen_lit(g, P(0xef), T1, T1, lo, hi);
    }
    add_to_odd(g, x, T0, T1, t);
    x64_vi(&g->c, P(0x70), T0, 0, T0, 0xee);
    x64_vi(&g->c, P(0x70), T1, 0, T1, 0xee);
    add_to_odd(g, T0, T0, T1, T1);
    vv(g, P(0x6c), T0, x, T0);                                          /* vpunpcklqdq */
    put_half(g, high, r.d, T0);
}

static void multiply_add(struct gen *g)
{
    static const uint8_t opcode[4] = { 0xb8, 0xbc, 0xba, 0xbe };    /* as gen_fp.c */
    const struct ir_op *p = op(g);
    unsigned neg = (p->k & GEN_FP_NEG_A ? 1 : 0) | (p->k & GEN_FP_NEG_C ? 2 : 0);
    struct gen_fp_regs r = { gen_vuse(g, p->a), gen_vuse(g, p->b), gen_vuse(g, p->c), -1 };

    int x = has_fp16(g) ? -1 : gen_vtmp(g), t = has_fp16(g) ? -1 : gen_vtmp(g);

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    if (!has_fp16(g)) {
        multiply_add_half(g, p->k, false, r, x, t);
        if (V_LG(p->k >> 16) == 4) {
            multiply_add_half(g, p->k, true, r, x, t);
        }
        gen_fp_slow(g, jump_if_odd(g, r.d, true), r)->back = g->c.p;
        return;
    }
    vv(g, 0x28 | OP_0F, r.d, 0, r.c);
    vv(g, M6(opcode[neg] + (V_LG(p->k >> 16) == 1)), r.d, r.a, r.b);
    gen_fp_slow(g, jump_if_odd(g, r.d, true), r)->back = g->c.p;
}

/* t = a as an integer of the same order, or back; uses T1. */
static void ordered(struct gen *g, int t, int a)
{
    x64_vi(&g->c, P(0x71), 4, T1, a, 15);                               /* vpsraw */
    gen_lit(g, P(0xdb), T1, T1, each(0x7fff), each(0x7fff));
    vv(g, P(0xef), t, a, T1);
}

/* Numbers are compared as integers, of which -0 is less than 0. */
static void extremum(struct gen *g, bool max)
{
    const struct ir_op *p = op(g);
    struct gen_fp_regs r = { gen_vuse(g, p->a), gen_vuse(g, p->b), -1, -1 };
    struct gen_stub *s;

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    nan_lanes(g, T0, r.a);
    nan_lanes(g, T1, r.b);
    vv(g, P(0xeb), T0, T0, T1);
    s = gen_fp_slow(g, jump_if_any(g, T0), r);
    ordered(g, T0, r.a);
    ordered(g, r.d, r.b);
    vv(g, P(max ? 0xee : 0xea), T0, T0, r.d);                           /* vpmaxsw, vpminsw */
    ordered(g, r.d, T0);
    s->back = g->c.p;
}

static void compare_to_mask(struct gen *g, unsigned predicate)
{
    const struct ir_op *p = op(g);
    unsigned lg = V_LG(p->k >> 16);
    unsigned ss = lg == 1 ? OP_F3 : 0;
    int a = gen_vuse(g, p->a), b = gen_vuse(g, p->b), d = gen_vdef(g, g->i);

    if (has_fp16(g)) {
        x64_vi(&g->c, E3AH(0xc2) | ss, K1, a, b, predicate);
        vv(g, 0x28 | OP_0F38 | OP_F3 | OP_W | OP_EVEX, d, 0, K1);       /* vpmovm2w */
        return;
    }
    widen(g, false, T0, a);
    widen(g, false, T1, b);
    x64_vi(&g->c, 0xc2 | OP_0F | ss, d, T0, T1, predicate);
    if (lg == 4) {
        widen(g, true, T0, a);
        widen(g, true, T1, b);
        x64_vi(&g->c, 0xc2 | OP_0F, T0, T0, T1, predicate);
    } else {
        vv(g, P(0xef), T0, T0, T0);
    }
    vv(g, P(0x6b), d, d, T0);                                           /* vpackssdw */
}

void gen_half_ucomis(struct gen *g, int a, int b, bool signal)
{
    if (has_fp16(g)) {
        vv(g, M5(signal ? 0x2f : 0x2e), a, 0, b);
        return;
    }
    widen(g, false, T0, a);
    widen(g, false, T1, b);
    vv(g, (signal ? 0x2f : 0x2e) | OP_0F, T0, 0, T1);
}

/* ---- rounding and conversion, in single precision ---- */
/* The immediate of VROUNDPS; 4: as MXCSR says, 8: raises nothing. */
static unsigned round_imm(unsigned x)
{
    static const uint8_t rc[8] = { 0, 2, 1, 3, 0, 0, 0, 4 };

    return rc[V_ROUND_OF(x)];
}

static void round_to_integral(struct gen *g)
{
    const struct ir_op *p = op(g);
    unsigned x = V_X((uint32_t)(p->k >> 16)), imm = round_imm(x) | (x & V_ROUND_EXACT ? 0 : 8);
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    for (unsigned high = 0; high <= (V_LG(p->k >> 16) == 4); high++) {
        widen(g, high, T0, r.a);
        x64_vi(&g->c, P3A(0x08), T0, 0, T0, imm);                       /* vroundps */
        put_half(g, high, r.d, T0);
    }
    gen_fp_slow(g, jump_if_odd(g, r.d, false), r)->back = g->c.p;
}

/* To 16 bits.  From 2^15 on, or without sign from infinity on and if negative, the slow way. */
static void to_int(struct gen *g, bool is_signed)
{
    const struct ir_op *p = op(g);
    unsigned x = V_X((uint32_t)(p->k >> 16)), lg = V_LG(p->k >> 16), imm = round_imm(x);
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };
    uint64_t most = each(is_signed ? 0x77ff : 0x7bff);
    struct gen_stub *s;

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    gen_lit(g, P(0xdb), T0, r.a, each(0x7fff), each(0x7fff));
    gen_lit(g, P(0x65), T0, T0, most, most);
    if (!is_signed) {
        x64_vi(&g->c, P(0x71), 4, T1, r.a, 15);                         /* vpsraw */
        vv(g, P(0xeb), T0, T0, T1);
    }
    s = gen_fp_slow(g, jump_if_any(g, T0), r);
    for (unsigned high = 0; high <= (lg == 4); high++) {
        widen(g, high, T0, r.a);
        if (imm != 3) {                 /* raises what the conversion no longer sees */
            x64_vi(&g->c, P3A(0x08), T0, 0, T0, imm);
        }
        vv(g, 0x5b | OP_0F | OP_F3, high ? T0 : r.d, 0, T0);            /* vcvttps2dq */
    }
    if (lg < 4) {
        vv(g, P(0xef), T0, T0, T0);
    }
    vv(g, is_signed ? P(0x6b) : P38(0x2b), r.d, r.d, T0);               /* vpack[su]sdw */
    s->back = g->c.p;
}

static void from_int(struct gen *g, bool is_signed)
{
    const struct ir_op *p = op(g);
    unsigned fbits = V_INT_FBITS(V_X((uint32_t)(p->k >> 16))), lg = V_LG(p->k >> 16);
    int a = gen_vuse(g, p->a), d = gen_vdef(g, g->i);
    uint32_t scale = (127 - fbits) << 23;

    for (unsigned high = 0; high <= (lg == 4); high++) {
        if (high) {
            x64_vi(&g->c, P(0x70), T0, 0, a, 0xee);
        }
        vv(g, P38(is_signed ? 0x23 : 0x33), T0, 0, high ? T0 : a);      /* vpmov[sz]xwd */
        vv(g, 0x5b | OP_0F, T0, 0, T0);                                 /* vcvtdq2ps */
        if (fbits) {
            uint64_t k = scale | (uint64_t)scale << 32;
            gen_lit(g, 0x59 | OP_0F, T0, T0, k, k);
        }
        put_half(g, high, d, T0);
    }
}

void gen_half(struct gen *g)
{
    switch (op(g)->k & 0x3fff) {
    case VOP_fadd: arithmetic(g, 0x58, false); break;
    case VOP_fsub: arithmetic(g, 0x5c, false); break;
    case VOP_fmul: arithmetic(g, 0x59, true); break;
    case VOP_fdiv: arithmetic(g, 0x5e, true); break;
    case VOP_fsqrt: arithmetic(g, 0x51, false); break;
    case VOP_fmla: multiply_add(g); break;
    case VOP_fmax: case VOP_fmaxnm: extremum(g, true); break;
    case VOP_fmin: case VOP_fminnm: extremum(g, false); break;
    case VOP_frint: round_to_integral(g); break;
    case VOP_fcvts: to_int(g, true); break;
    case VOP_fcvtu: to_int(g, false); break;
    case VOP_scvtf: from_int(g, true); break;
    case VOP_ucvtf: from_int(g, false); break;
    case VOP_fcmeq: compare_to_mask(g, 0x00); break;                    /* EQ_OQ */
    case VOP_fcmge: compare_to_mask(g, 0x0d); break;                    /* GE_OS */
    case VOP_fcmgt: compare_to_mask(g, 0x0e); break;                    /* GT_OS */
    default: assert(!"half-precision operation");
    }
}
