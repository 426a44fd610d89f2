/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between formats and to and from integers, and rounding to integers: see gen_fp.c
 * for what is native and what is not. */
#include "isa/emit_x64/gen_fp_int.h"
#include "isa/emit_x64/gen_int.h"
#include "isa/softfp/softfp.h"

#include <assert.h>

/* ---- rounding and conversion ---- */
/* The immediate of VROUND; -1 for round to nearest, ties away. */
static int round_imm(unsigned x)
{
    static const int8_t rc[8] = { 0, 2, 1, 3, -1, -1, -1, 4 };

    return rc[V_ROUND_OF(x)];
}

enum { ROUND_QUIET = 8 };

static void vround(struct gen *g, struct gen_fp_fmt f, int d, int a, unsigned imm)
{
    if (f.scalar) {
        x64_vi(&g->c, P3A(0x0a + f.dbl), d, a, a, imm);
    } else {
        x64_vi(&g->c, P3A(0x08 + f.dbl), d, 0, a, imm);
    }
}

static const uint64_t sign_mask[2] = { UINT64_C(0x8000000080000000), UINT64_C(1) << 63 };

/* d = a to the nearest integer, ties away from zero.  Jumps if there is a NaN or a number so
 * large that it has no fraction.  Raises nothing: every step is exact. */
static uint8_t *round_ties_away(struct gen *g, struct gen_fp_fmt f, int d, int a)
{
    unsigned pd = f.dbl ? OP_66 : 0;
    uint8_t *from;

    gen_lit(g, 0x54 | OP_0F | pd, T1, a, abs_mask[f.dbl], abs_mask[f.dbl]);
    gen_fp_lit(g, 0x28 | OP_0F, T0, 0, f, 0x4b000000, UINT64_C(0x4330000000000000));
    if (f.scalar) {
        x64_v(&g->c, 0x2e | OP_0F | pd, T0, 0, T1);
        from = x64_jcc(&g->c, CC_BE);
    } else {
        from = gen_fp_jump_if(g, f.dbl, CMP_NLT_UQ, T1, T0, 0);
    }
    vround(g, f, d, T1, 3 | ROUND_QUIET);
    x64_v(&g->c, form(f, 0x5c), T1, T1, d);
    gen_fp_lit(g, 0x28 | OP_0F, T0, 0, f, 0x3f000000, UINT64_C(0x3fe0000000000000));
    x64_vi(&g->c, form(f, 0xc2), T1, T1, T0, 0x1d);                     /* GE_OQ: half or more */
    gen_fp_lit(g, P(0xdb), T1, T1, f, 0x3f800000, UINT64_C(0x3ff0000000000000));
    x64_v(&g->c, form(f, 0x58), d, d, T1);
    gen_lit(g, P(0xdb), T1, a, sign_mask[f.dbl], sign_mask[f.dbl]);
    x64_v(&g->c, P(0xeb), d, d, T1);
    return from;
}

static void round_to_integral(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t arg = p->k >> 16;
    struct gen_fp_fmt f = fmt_of(arg);
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };
    struct gen_stub *s;
    int t;

    r.d = gen_vdef(g, g->i);
    t = gen_fp_fz_tmp(g);
    gen_clobber_ef(g);
    s = gen_fp_slow(g, gen_fp_jump_if_small(g, t, r.a, -1, f, 0), r);
    if (V_ROUND_OF(V_X(arg)) == FP_TIEAWAY) {
        s->from2 = round_ties_away(g, f, r.d, r.a);
    } else {
        unsigned quiet = V_X(arg) & V_ROUND_EXACT ? 0 : ROUND_QUIET;
        vround(g, f, r.d, r.a, round_imm(V_X(arg)) | quiet);
        s->from2 = gen_fp_jump_if_odd(g, r.d, f, false);
    }
    s->back = g->c.p;
}

/* Between single and double. */
static void convert(struct gen *g, unsigned o, bool to_dbl, bool scalar)
{
    const struct ir_op *p = op(g);
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };
    struct gen_fp_fmt from = { !to_dbl, scalar }, to = { to_dbl, scalar };
    int a = r.a, t;
    struct gen_stub *s;

    r.d = gen_vdef(g, g->i);
    t = gen_fp_fz_tmp(g);
    gen_clobber_ef(g);
    s = gen_fp_slow(g, gen_fp_jump_if_small(g, t, a, -1, from, to_dbl ? 0 : 125), r);
    if (!scalar && to_dbl && (V_X(p->k >> 16) & 1)) {
        x64_vi(&g->c, P(0x70), T0, 0, a, 0xee);
        a = T0;
    }
    if (scalar && !to_dbl) {            /* what is above the result comes from the first one */
        x64_v(&g->c, P(0xef), r.d, r.d, r.d);
        x64_v(&g->c, o, r.d, r.d, a);
    } else {
        x64_v(&g->c, o, r.d, scalar ? a : 0, a);
    }
    s->from2 = gen_fp_jump_if_odd(g, r.d, to, !to_dbl);
    s->back = g->c.p;
}

/* ---- half precision: F16C.  FPCR.AHP and FZ16 are 0 ---- */
static void half_to_single(struct gen *g, bool scalar)
{
    const struct ir_op *p = op(g);
    struct gen_fp_fmt to = { false, scalar };
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };
    int a = r.a;

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    if (!scalar && (V_X(p->k >> 16) & 1)) {
        x64_vi(&g->c, P(0x70), T0, 0, a, 0xee);
        a = T0;
    }
    x64_v(&g->c, P38(0x13), r.d, 0, a);                                 /* vcvtph2ps */
    gen_fp_slow(g, gen_fp_jump_if_odd(g, r.d, to, false), r);
}

static uint64_t each_half(uint64_t k)
{
    return k * UINT64_C(0x0001000100010001);
}

static void single_to_half(struct gen *g)
{
    const struct ir_op *p = op(g);
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    x64_vi(&g->c, P3A(0x1d), r.a, 0, r.d, 4);                           /* vcvtps2ph */
    gen_lit(g, P(0xdb), T0, r.d, each_half(0x7fff), 0);
    gen_lit(g, P(0x75), T1, T0, each_half(0x0400), each_half(0x0400));  /* smallest normal */
    gen_lit(g, P(0x65), T0, T0, each_half(0x7c00), each_half(0x7c00));  /* NaN */
    x64_v(&g->c, P(0xeb), T0, T0, T1);
    x64_v(&g->c, P(0xd7), RAX, 0, T0);
    x64_test_rr(&g->c, false, RAX, RAX);
    gen_fp_slow(g, x64_jcc(&g->c, CC_NE), r);
}

/* ---- lanes to and from integers of the same size ---- */
/* d = a × 2^n, exactly. */
static void scale(struct gen *g, struct gen_fp_fmt f, int d, int a, int n)
{
    uint32_t s = (uint32_t)(127 + n) << 23;
    uint64_t l = (uint64_t)(1023 + n) << 52;

    gen_fp_lit(g, form(f, 0x59), d, a, f, s, l);
}

static uint8_t *jump_if_signs(struct gen *g, bool dbl, int a)
{
    x64_v(&g->c, 0x50 | OP_0F | (dbl ? OP_66 : 0), RAX, 0, a);          /* vmovmskps */
    x64_test_rr(&g->c, false, RAX, RAX);
    return x64_jcc(&g->c, CC_NE);
}

/* Jumps if a lane is 2^(bits of it - 1) or more, or NaN; without sign, also if it is negative. */
static uint8_t *jump_if_large(struct gen *g, bool dbl, bool is_signed, int a)
{
    uint64_t k = dbl ? UINT64_C(0x43dfffffffffffff) : UINT64_C(0x4effffff4effffff);

    if (is_signed) {
        gen_lit(g, P(0xdb), T0, a, abs_mask[dbl], abs_mask[dbl]);
        gen_lit(g, dbl ? P38(0x37) : P(0x66), T0, T0, k, k);            /* vpcmpgt */
    } else {
        gen_lit(g, dbl ? P38(0x37) : P(0x66), T0, a, k, k);
        x64_v(&g->c, P(0xeb), T0, T0, a);
    }
    return jump_if_signs(g, dbl, T0);
}

/* Without sign only by AVX-512: all ones for what is out of range. */
static void truncate_lanes(struct gen *g, bool dbl, bool is_signed, int t, int d, int a)
{
    if (!is_signed) {                                                   /* vcvttps2udq, pd2uqq */
        x64_v(&g->c, 0x78 | OP_0F | OP_EVEX | (dbl ? OP_66 | OP_W : 0), d, 0, a);
        return;
    }
    if (dbl && gen_has_avx512(g)) {
        x64_v(&g->c, P(0x7a) | OP_EVEX | OP_W, d, 0, a);                /* vcvttpd2qq */
        return;
    }
    if (!dbl) {
        x64_v(&g->c, 0x5b | OP_0F | OP_F3, d, 0, a);                    /* vcvttps2dq */
        return;
    }
    x64_v(&g->c, P(0x15), T1, a, a);                                    /* vunpckhpd */
    x64_v(&g->c, 0x2c | OP_0F | OP_F2 | OP_W, t, 0, a);
    x64_v(&g->c, P(0x6e) | OP_W, d, 0, t);
    x64_v(&g->c, 0x2c | OP_0F | OP_F2 | OP_W, t, 0, T1);
    x64_vi(&g->c, P3A(0x22) | OP_W, d, d, t, 1);                        /* vpinsrq */
}

static void to_int_lanes(struct gen *g, bool is_signed)
{
    const struct ir_op *p = op(g);
    uint32_t arg = p->k >> 16;
    struct gen_fp_fmt f = { V_SIZE(arg) == 3, false };
    int imm = round_imm(V_X(arg)), fbits = V_INT_FBITS(V_X(arg));
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };
    int a = r.a, t = f.dbl && !gen_has_avx512(g) ? gen_tmp(g) : -1;
    int v = gen_vtmp(g), fz = gen_fp_fz_tmp(g);
    bool direct = is_signed || (gen_has_avx512(g) && !fbits);       /* the host saturates */
    uint8_t *small, *large = NULL, *after = NULL;
    struct gen_stub *s;

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    small = gen_fp_jump_if_small(g, fz, a, -1, f, 0);
    if (!direct || fbits) {
        large = jump_if_large(g, f.dbl, is_signed, a);
    }
    if (fbits) {
        scale(g, f, v, a, fbits);
        a = v;
        after = is_signed ? NULL : jump_if_large(g, f.dbl, false, a);
    } else if (imm < 0) {
        after = round_ties_away(g, f, v, a);
        a = v;
    } else if (imm != 3) {
        vround(g, f, v, a, imm | ROUND_QUIET);
        a = v;
    }
    truncate_lanes(g, f.dbl, is_signed || !direct, t, r.d, a);
    s = gen_fp_slow(g, large ? large : after, r);
    s->from2 = large ? after : NULL;
    s->from3 = small;
    if (direct) {
        uint64_t min = f.dbl ? UINT64_C(1) << 63 : UINT64_C(0x8000000080000000);
        uint64_t beyond = is_signed ? min : UINT64_MAX;
        gen_lit(g, f.dbl ? P38(0x29) : P(0x76), T0, r.d, beyond, beyond);
        after = jump_if_signs(g, f.dbl, T0);
        *(s->from ? &s->from2 : &s->from) = after;
    }
    if (imm != 3) {
        vround(g, f, T0, r.a, imm < 0 ? 0 : imm);                       /* IXC */
    }
    s->back = g->c.p;
}

static void from_u32_lanes(struct gen *g, int d, int a)
{
    /* high × 65536 + low, of which only the sum is rounded */
    x64_vi(&g->c, P(0x72), 2, T0, a, 16);
    gen_lit(g, P(0xdb), T1, a, UINT64_C(0x0000ffff0000ffff), UINT64_C(0x0000ffff0000ffff));
    x64_v(&g->c, 0x5b | OP_0F, T0, 0, T0);
    x64_v(&g->c, 0x5b | OP_0F, T1, 0, T1);
    gen_lit(g, 0x59 | OP_0F, T0, T0, UINT64_C(0x4780000047800000), UINT64_C(0x4780000047800000));
    x64_v(&g->c, 0x58 | OP_0F, d, T0, T1);
}

static void from_int_lanes(struct gen *g, bool is_signed)
{
    const struct ir_op *p = op(g);
    uint32_t arg = p->k >> 16;
    struct gen_fp_fmt f = { V_SIZE(arg) == 3, false };
    struct gen_fp_regs r = { gen_vuse(g, p->a), -1, -1, -1 };
    int t = f.dbl && !gen_has_avx512(g) ? gen_tmp(g) : -1, fbits = V_INT_FBITS(V_X(arg));
    struct gen_stub *s = NULL;

    r.d = gen_vdef(g, g->i);
    if (f.dbl && gen_has_avx512(g)) {                                       /* vcvt[u]qq2pd */
        x64_v(&g->c, (is_signed ? 0xe6 : 0x7a) | OP_0F | OP_F3 | OP_EVEX | OP_W, r.d, 0, r.a);
    } else if (!f.dbl && !is_signed && gen_has_avx512(g)) {
        x64_v(&g->c, 0x7a | OP_0F | OP_F2 | OP_EVEX, r.d, 0, r.a);      /* vcvtudq2ps */
    } else if (f.dbl) {                        /* two times int64 to double */
        if (!is_signed) {
            gen_clobber_ef(g);
            s = gen_fp_slow(g, jump_if_signs(g, true, r.a), r);
        }
        x64_v(&g->c, P(0x7e) | OP_W, r.a, 0, t);
        x64_v(&g->c, P(0xef), r.d, r.d, r.d);
        x64_v(&g->c, 0x2a | OP_0F | OP_F2 | OP_W, T0, r.d, t);
        x64_vi(&g->c, P3A(0x16) | OP_W, r.a, 0, t, 1);
        x64_v(&g->c, 0x2a | OP_0F | OP_F2 | OP_W, r.d, r.d, t);
        x64_v(&g->c, P(0x14), r.d, T0, r.d);                            /* vunpcklpd */
    } else if (is_signed) {
        x64_v(&g->c, 0x5b | OP_0F, r.d, 0, r.a);                        /* vcvtdq2ps */
    } else {
        from_u32_lanes(g, r.d, r.a);
    }
    if (fbits) {
        scale(g, f, r.d, r.d, -fbits);
    }
    if (s) {
        s->back = g->c.p;
    }
}

/* ---- to and from general registers ---- */
void gen_cvt_to_scalar(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t arg = p->k >> 16;
    struct gen_fp_fmt f = { V_SIZE(arg) == 3, true };
    bool is_u64 = (p->k & 0xffff) == VOP_ucvtf && V_INT_LG(V_X(arg)) == 3;
    bool wide = V_INT_LG(V_X(arg)) == 3 || (p->k & 0xffff) == VOP_ucvtf;
    int a = gen_use(g, p->a), d = gen_vdef(g, g->i), fbits = V_INT_FBITS(V_X(arg));
    struct gen_stub *s = NULL;

    if (is_u64 && !gen_has_avx512(g)) {
        gen_clobber_ef(g);
        x64_test_rr(&g->c, true, a, a);
        s = gen_fp_slow(g, x64_jcc(&g->c, CC_S), (struct gen_fp_regs){ T0, -1, -1, d });
        s->a = a;
    }
    x64_v(&g->c, P(0xef), d, d, d);
    x64_v(&g->c, (is_u64 && !s ? 0x7b | OP_EVEX : 0x2a) | OP_0F | (f.dbl ? OP_F2 : OP_F3) |
          x64_w(wide), d, d, a);                                        /* vcvtusi2s[sd] */
    if (fbits) {
        scale(g, f, d, d, -fbits);
    }
    if (s) {
        s->back = g->c.p;
    }
}

/* Jumps if a is 2^bits or more, or NaN; without sign, also if it is negative: the host must not
 * see that. */
static uint8_t *jump_if_beyond(struct gen *g, bool dbl, bool is_signed, int a, unsigned bits)
{
    x64_v(&g->c, P(0x7e) | x64_w(dbl), a, 0, RAX);
    if (is_signed) {
        x64_alu_rr(&g->c, ALU_ADD, dbl, RAX, RAX);
    }
    x64_shift_ri(&g->c, SH_SHR, dbl, RAX, (dbl ? 52 : 23) + is_signed);
    x64_alu_ri(&g->c, ALU_CMP, false, RAX, (dbl ? 1023 : 127) + bits);
    return x64_jcc(&g->c, CC_AE);
}

void gen_cvt_from_scalar(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t arg = p->k >> 16;
    struct gen_fp_fmt f = { V_SIZE(arg) == 3, true };
    bool is_signed = (p->k & 0xffff) == VOP_fcvts, wide = V_INT_LG(V_X(arg)) == 3;
    int imm = round_imm(V_X(arg)), fbits = V_INT_FBITS(V_X(arg));
    int a = gen_vuse(g, p->a), from = a, d = gen_def(g, g->i), t = gen_vtmp(g);
    int fz = gen_fp_fz_tmp(g);
    bool direct = !is_signed && !fbits && gen_has_avx512(g);        /* vcvtts[sd]2usi */
    /* A number that is rounded up to 2^32 would look as if it fitted. */
    unsigned bits = wide ? 63 : imm == 3 ? 32 : 31;
    uint8_t *small, *large = NULL, *after = NULL;
    struct gen_stub *s;

    gen_clobber_ef(g);
    small = gen_fp_jump_if_small(g, fz, a, -1, f, 0);
    if ((!is_signed && !direct) || fbits) {
        large = jump_if_beyond(g, f.dbl, is_signed, a, is_signed ? 63 : bits);
    }
    if (fbits) {
        scale(g, f, t, a, fbits);
        from = t;
        after = is_signed ? NULL : jump_if_beyond(g, f.dbl, false, t, bits);
    } else if (imm < 0) {
        after = round_ties_away(g, f, t, a);
        from = t;
    } else if (imm != 3) {
        vround(g, f, t, a, imm | ROUND_QUIET);
        from = t;
    }
    s = gen_fp_slow(g, large ? large : after, (struct gen_fp_regs){ a, -1, -1, T0 });
    s->from2 = large ? after : NULL;
    s->from3 = small;
    x64_v(&g->c, (direct ? 0x78 | OP_EVEX | x64_w(wide) : 0x2c | x64_w(wide || !is_signed)) |
          OP_0F | (f.dbl ? OP_F2 : OP_F3), d, 0, from);
    if (direct) {
        x64_alu_ri(&g->c, ALU_CMP, wide, d, -1);        /* what is out of range */
        *(s->from ? &s->from2 : &s->from) = x64_jcc(&g->c, CC_E);
    } else if (is_signed) {
        x64_alu_ri(&g->c, ALU_CMP, wide, d, 1);         /* overflows for INT_MIN only */
        *(s->from ? &s->from2 : &s->from) = x64_jcc(&g->c, CC_O);
    }
    if (imm != 3) {
        vround(g, f, T0, a, imm < 0 ? 0 : imm);         /* IXC */
    }
    s->d1 = d;
    s->back = g->c.p;
}

/* ---- which ---- */
static bool int_native(unsigned vop, uint32_t arg, bool scalar)
{
    unsigned x = V_X(arg), round = V_ROUND_OF(x), size = V_SIZE(arg);
    bool to = vop == VOP_fcvts || vop == VOP_fcvtu;

    if (size < 2 || (to && (round > FP_TIEAWAY || (V_INT_FBITS(x) && round != FP_TOZERO)))) {
        return false;
    }
    return scalar ? V_INT_LG(x) >= 2 : V_INT_LG(x) == size;
}

bool gen_fp_scalar_int(uint64_t k)
{
    uint32_t arg = k >> 16;

    return V_LG(arg) == V_SIZE(arg) && int_native(k & 0xffff, arg, true);
}

bool gen_cvt_native(uint32_t host, unsigned vop, uint32_t arg)
{
    unsigned size = V_SIZE(arg), lg = V_LG(arg), x = V_X(arg);
    bool f16c = host & GEN_HOST_F16C;

    switch (vop) {
    case VOP_frint:
        return size >= 2 && (lg >= 3 || lg == size) && !(x >> 4) && V_ROUND_OF(x) != FP_ODD;
    case VOP_fcvt:
        return (size == 2 && x == 3) || (size == 3 && x == 2) ||
               (f16c && ((size == 1 && x == 2) || (size == 2 && x == 1)));
    case VOP_fcvtl:
        return lg == 4 && (size == 2 || (size == 1 && f16c));
    case VOP_fcvtn:
        return lg == 3 && V_ROUND_OF(x) == V_ROUND_FPCR && (size == 2 || (size == 1 && f16c));
    case VOP_scvtf: case VOP_ucvtf: case VOP_fcvts: case VOP_fcvtu:
        return lg >= 3 && lg != size && int_native(vop, arg, false);
    default:
        return false;
    }
}

void gen_cvt(struct gen *g)
{
    uint32_t arg = op(g)->k >> 16;
    unsigned size = V_SIZE(arg);

    switch (op(g)->k & 0x3fff) {
    case VOP_frint: round_to_integral(g); break;
    case VOP_fcvt:
        if (size == 1) {
            half_to_single(g, true);
        } else if (size == 2 && V_X(arg) == 1) {
            single_to_half(g);
        } else {
            convert(g, 0x5a | OP_0F | (size == 2 ? OP_F3 : OP_F2), size == 2, true);
        }
        break;
    case VOP_fcvtl:
        if (size == 1) {
            half_to_single(g, false);
        } else {
            convert(g, 0x5a | OP_0F, true, false);
        }
        break;
    case VOP_fcvtn:
        if (size == 1) {
            single_to_half(g);
        } else {
            convert(g, P(0x5a), false, false);
        }
        break;
    case VOP_fcvts: case VOP_fcvtu: to_int_lanes(g, (op(g)->k & 0x3fff) == VOP_fcvts); break;
    default: from_int_lanes(g, (op(g)->k & 0x3fff) == VOP_scvtf);
    }
}
