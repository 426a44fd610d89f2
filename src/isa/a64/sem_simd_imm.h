/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of Advanced SIMD with immediates: copies, modified immediates, shifts, by element.
 * Uses the macros of sem_simd.h; see vocab.h for who includes this. */

/* ---- copies: imm5 = index : 1 : zeros, as many as log2 of the element's bytes ---- */
#define SIZE5 ((unsigned)__builtin_ctz(f.imm5))
#define INDEX5 (f.imm5 >> (SIZE5 + 1))

BODY2(dup_vx, V_ARG(SIZE5, 3 + f.q, INDEX5), v_dup_lane(e, arg, n))
BODY2(dup_sx, V_ARG(SIZE5, SIZE5, INDEX5), v_dup_lane(e, arg, n))

SEM(dup_vr)
{
    fp_access_check(e);
    wr_v_low(e, 8u << f.q, f.rd, v_dup(e, 1u << SIZE5, rd(e, f.rn)));
}

SEM(smov_w)
{
    fp_access_check(e);
    val k = v_to_val(e, 1u << SIZE5, INDEX5, rd_v(e, f.rn));
    wr(e, f.rd, sbfx(e, 0, k, 0, 8u << SIZE5));
}

SEM(smov_x)
{
    fp_access_check(e);
    val k = v_to_val(e, 1u << SIZE5, INDEX5, rd_v(e, f.rn));
    wr(e, f.rd, sbfx(e, 1, k, 0, 8u << SIZE5));
}

SEM(umov_w)
{
    fp_access_check(e);
    wr(e, f.rd, v_to_val(e, 1u << SIZE5, INDEX5, rd_v(e, f.rn)));
}

SEM(umov_x)
{
    fp_access_check(e);
    wr(e, f.rd, v_to_val(e, 8, f.i, rd_v(e, f.rn)));
}

SEM(ins_vr)
{
    fp_access_check(e);
    wr_v(e, f.rd, v_insert(e, 1u << SIZE5, INDEX5, rd_v(e, f.rd), rd(e, f.rn)));
}

SEM(ins_vx)
{
    fp_access_check(e);
    val k = v_to_val(e, 1u << SIZE5, f.imm4 >> SIZE5, rd_v(e, f.rn));
    wr_v(e, f.rd, v_insert(e, 1u << SIZE5, INDEX5, rd_v(e, f.rd), k));
}
#undef SIZE5
#undef INDEX5

/* ---- modified immediate (AdvSIMDExpandImm) ---- */
#define IMM8 ((uint64_t)f.abc << 5 | f.defgh)
#define MOVI(row, size, k) \
    SEM(row) \
    { \
        fp_access_check(e); \
        wr_v_low(e, 8u << f.q, f.rd, v_const(e, size, k)); \
    }
#define ORR_BIC(row, op, size, k) \
    SEM(row) \
    { \
        fp_access_check(e); \
        wr_v(e, f.rd, op(e, V_WHOLE(3), rd_v(e, f.rd), v_const(e, size, k))); \
    }
MOVI(movi_4s, 2, IMM8 << 8 * f.sh)
MOVI(mvni_4s, 2, ~(IMM8 << 8 * f.sh))
MOVI(movi_8h, 1, IMM8 << 8 * f.sh)
MOVI(mvni_8h, 1, ~(IMM8 << 8 * f.sh))
MOVI(movi_msl, 2, (IMM8 + 1) * (f.sh ? 1u << 16 : 1u << 8) - 1)
MOVI(mvni_msl, 2, ~((IMM8 + 1) * (f.sh ? 1u << 16 : 1u << 8) - 1))
MOVI(movi_16b, 0, IMM8)
ORR_BIC(orr_4s, v_orr, 2, IMM8 << 8 * f.sh)
ORR_BIC(bic_4s, v_bic, 2, IMM8 << 8 * f.sh)
ORR_BIC(orr_8h, v_orr, 1, IMM8 << 8 * f.sh)
ORR_BIC(bic_8h, v_bic, 1, IMM8 << 8 * f.sh)

/* Each bit becomes a byte. */
static inline uint64_t spread_bits(uint64_t imm8)
{
    uint64_t k = 0;

    for (unsigned i = 0; i < 8; i++) {
        k |= (imm8 >> i & 1) * 0xff << 8 * i;
    }
    return k;
}

/* VFPExpandImm(): abcdefgh is (-1)^a × 1.efgh × 2^(b:cd as a small exponent). */
static inline uint64_t expand_fp_imm(enum fp_size sz, uint64_t imm8)
{
    static const uint8_t exp_bits[] = { 0, 5, 8, 11 };
    unsigned bits = 8u << sz, e_bits = exp_bits[sz], f_bits = bits - 1 - e_bits;
    uint64_t sign = imm8 >> 7 & 1, b = imm8 >> 6 & 1;
    uint64_t repl = b ? (UINT64_C(1) << (e_bits - 3)) - 1 : 0;
    uint64_t exp = (b ^ 1) << (e_bits - 1) | repl << 2 | (imm8 >> 4 & 3);

    return sign << (bits - 1) | exp << f_bits | (imm8 & 15) << (f_bits - 4);
}

MOVI(movi_2d, 3, spread_bits(IMM8))
MOVI(fmov_vs, 2, expand_fp_imm(FP_S, IMM8))
MOVI(fmov_vh, 1, expand_fp_imm(FP_H, IMM8))

SEM(fmov_2d)
{
    fp_access_check(e);
    wr_v(e, f.rd, v_const(e, 3, expand_fp_imm(FP_D, IMM8)));
}
#undef IMM8
#undef MOVI
#undef ORR_BIC

/* ---- shifts: imm = immh:immb; the highest bit set of immh is the element size ---- */
#define SIZE7 (31u - (unsigned)__builtin_clz(f.imm) - 3)
#define BITS7 (8u << SIZE7)
#define RIGHT (2 * BITS7 - f.imm)
#define LEFT (f.imm - BITS7)
/* The same shift as a vector operand of the register forms. */
#define BY(n_) v_const(e, SIZE7, (uint64_t)(int64_t)(n_))
#define SHIFT_V(name, expr) BODY2(name##_vi, V_ARG(SIZE7, 3 + f.q, 0), expr)
#define SHIFT_S(name, expr) BODY2(name##_si, V_ARG(SIZE7, SIZE7, 0), expr)
#define SHIFT(name, expr) SHIFT_V(name, expr) SHIFT_S(name, expr)

SHIFT(sshr, v_sshri(e, WITH_X(RIGHT), n))
SHIFT(ushr, v_ushri(e, WITH_X(RIGHT), n))
SHIFT(ssra, v_add(e, arg, OLD_D, v_sshri(e, WITH_X(RIGHT), n)))
SHIFT(usra, v_add(e, arg, OLD_D, v_ushri(e, WITH_X(RIGHT), n)))
SHIFT(srshr, v_srshl(e, arg, n, BY(-(int)RIGHT)))
SHIFT(urshr, v_urshl(e, arg, n, BY(-(int)RIGHT)))
SHIFT(srsra, v_add(e, arg, OLD_D, v_srshl(e, arg, n, BY(-(int)RIGHT))))
SHIFT(ursra, v_add(e, arg, OLD_D, v_urshl(e, arg, n, BY(-(int)RIGHT))))
SHIFT(shl, v_shli(e, WITH_X(LEFT), n))
SHIFT(sqshl, v_sqshl(e, arg, n, BY(LEFT)))
SHIFT(uqshl, v_uqshl(e, arg, n, BY(LEFT)))
SHIFT(sqshlu, v_sqshlu(e, arg, n, BY(LEFT)))
/* Insert: the bits that the shift leaves empty keep the destination's. */
SHIFT(sli, v_bsl(e, arg, v_const(e, SIZE7, UINT64_MAX << LEFT), v_shli(e, WITH_X(LEFT), n),
                 OLD_D))
SHIFT(sri, v_bsl(e, arg, v_const(e, SIZE7, RIGHT == BITS7 ? 0 :
                                 (UINT64_MAX >> (64 - BITS7)) >> RIGHT),
                 v_ushri(e, WITH_X(RIGHT), n), OLD_D))

/* Narrow: `shifted` is n shifted right in the wide elements (wide), xt the narrowing. */
#define ROUNDED(op) op(e, wide, n, v_const(e, SIZE7 + 1, (uint64_t)-(int64_t)RIGHT))
#define SHIFT_NARROW_V(name, xt, shifted) \
    SEM(name##_vi) \
    { \
        fp_access_check(e); \
        const uint32_t wide = V_ARG(SIZE7 + 1, 4, 0); \
        vec n = rd_v(e, f.rn); \
        wr_narrow(e, f.q, f.rd, xt(e, V_ARG(SIZE7, 3, 0), shifted)); \
    }
#define SHIFT_NARROW(name, xt, shifted) \
    SHIFT_NARROW_V(name, xt, shifted) \
    SEM(name##_si) \
    { \
        fp_access_check(e); \
        const uint32_t wide = V_ARG(SIZE7 + 1, SIZE7 + 1, 0); \
        vec n = rd_v(e, f.rn); \
        wr_v(e, f.rd, xt(e, V_ARG(SIZE7, SIZE7, 0), shifted)); \
    }
#define WIDE_X (wide | V_ARG(0, 0, RIGHT))
SHIFT_NARROW_V(shrn, v_xtn, v_ushri(e, WIDE_X, n))
SHIFT_NARROW_V(rshrn, v_xtn, ROUNDED(v_urshl))
SHIFT_NARROW(sqshrn, v_sqxtn, v_sshri(e, WIDE_X, n))
SHIFT_NARROW(uqshrn, v_uqxtn, v_ushri(e, WIDE_X, n))
SHIFT_NARROW(sqshrun, v_sqxtun, v_sshri(e, WIDE_X, n))
SHIFT_NARROW(sqrshrn, v_sqxtn, ROUNDED(v_srshl))
SHIFT_NARROW(uqrshrn, v_uqxtn, ROUNDED(v_urshl))
SHIFT_NARROW(sqrshrun, v_sqxtun, ROUNDED(v_srshl))

BODY2(sshll_vi, V_ARG(SIZE7, 4, f.q),
      v_shli(e, V_ARG(SIZE7 + 1, 4, LEFT), v_sxtl(e, arg, n)))
BODY2(ushll_vi, V_ARG(SIZE7, 4, f.q),
      v_shli(e, V_ARG(SIZE7 + 1, 4, LEFT), v_uxtl(e, arg, n)))

/* Fixed point. */
#define FIXED(name, op, round) \
    SHIFT(name, op(e, WITH_X(V_ROUND(round) | V_INT(SIZE7, RIGHT)), n)) \
    BODY2(name##_vih, V_WHOLE(1), op(e, WITH_X(V_ROUND(round) | V_INT(1, 16 - f.imm)), n)) \
    BODY2(name##_sih, V_ONE(1), op(e, WITH_X(V_ROUND(round) | V_INT(1, 16 - f.imm)), n))
FIXED(scvtf, v_scvtf, V_ROUND_FPCR)
FIXED(ucvtf, v_ucvtf, V_ROUND_FPCR)
FIXED(fcvtzs, v_fcvts, FP_TOZERO)
FIXED(fcvtzu, v_fcvtu, FP_TOZERO)
#undef SIZE7
#undef BITS7
#undef RIGHT
#undef LEFT
#undef BY
#undef SHIFT_V
#undef SHIFT_S
#undef SHIFT
#undef ROUNDED
#undef SHIFT_NARROW_V
#undef SHIFT_NARROW
#undef WIDE_X
#undef FIXED

/* ---- by element: 16-bit elements are in V0–V15 with index h:l:m, wider ones in V0–V31 with
 * index h:l (32 bits) or h (64 bits) ---- */
#define RM_OF(size) ((size) == 1 ? f.rm : f.m << 4 | f.rm)
#define INDEX_OF(size) \
    ((size) == 1 ? f.h << 2 | f.l << 1 | f.m : (size) == 2 ? f.h << 1 | f.l : f.h)
/* m is the element, in every lane. */
#define BODY_E(row, size_, arg_, expr) \
    SEM(row) \
    { \
        fp_access_check(e); \
        const unsigned size = size_; \
        const uint32_t arg = arg_; \
        vec n = rd_v(e, f.rn); \
        vec m = v_dup_lane(e, V_ARG(size, 4, INDEX_OF(size)), rd_v(e, RM_OF(size))); \
        wr_v(e, f.rd, expr); \
    }
#define ELEMENT(name, expr) BODY_E(name##_e, f.size, V_WHOLE(size), expr)
#define ELEMENT_SCALAR(name, expr) \
    ELEMENT(name, expr) \
    BODY_E(name##_es, f.size, V_ONE(size), expr)

ELEMENT(mul, v_mul(e, arg, n, m))
ELEMENT(mla, v_add(e, arg, OLD_D, v_mul(e, arg, n, m)))
ELEMENT(mls, v_sub(e, arg, OLD_D, v_mul(e, arg, n, m)))
ELEMENT_SCALAR(sqdmulh, v_sqdmulh(e, arg, n, m))
ELEMENT_SCALAR(sqrdmulh, v_sqrdmulh(e, arg, n, m))
ELEMENT_SCALAR(sqrdmlah, v_sqrdmlah(e, arg, n, m, OLD_D))
ELEMENT_SCALAR(sqrdmlsh, v_sqrdmlsh(e, arg, n, m, OLD_D))

/* arg: of the narrow elements; `wide`: of the result's */
#define ELEMENT_LONG_V(name, expr) \
    BODY_E(name##_e, f.size, V_ARG(size, 4, f.q), ({ \
        const uint32_t wide = V_ARG(size + 1, 4, 0); (void)wide; expr; }))
#define ELEMENT_LONG(name, expr) \
    ELEMENT_LONG_V(name, expr) \
    BODY_E(name##_es, f.size, V_ARG(size, size + 1, 0), ({ \
        const uint32_t wide = V_ONE(size + 1); (void)wide; expr; }))
ELEMENT_LONG_V(smull, v_smull(e, arg, n, m))
ELEMENT_LONG_V(umull, v_umull(e, arg, n, m))
ELEMENT_LONG_V(smlal, v_add(e, wide, OLD_D, v_smull(e, arg, n, m)))
ELEMENT_LONG_V(umlal, v_add(e, wide, OLD_D, v_umull(e, arg, n, m)))
ELEMENT_LONG_V(smlsl, v_sub(e, wide, OLD_D, v_smull(e, arg, n, m)))
ELEMENT_LONG_V(umlsl, v_sub(e, wide, OLD_D, v_umull(e, arg, n, m)))
ELEMENT_LONG(sqdmull, v_sqdmull(e, arg, n, m))
ELEMENT_LONG(sqdmlal, v_sqadd(e, wide, OLD_D, v_sqdmull(e, arg, n, m)))
ELEMENT_LONG(sqdmlsl, v_sqsub(e, wide, OLD_D, v_sqdmull(e, arg, n, m)))

BODY_E(sdot_e, 2, V_WHOLE(2), v_sdot(e, arg, n, m, OLD_D))
BODY_E(udot_e, 2, V_WHOLE(2), v_udot(e, arg, n, m, OLD_D))

#define ELEMENT_FP(name, expr) \
    BODY_E(name##_e, 2 + f.sz, V_WHOLE(size), expr) \
    BODY_E(name##_eh, 1, V_WHOLE(1), expr) \
    BODY_E(name##_es, 2 + f.sz, V_ONE(size), expr) \
    BODY_E(name##_esh, 1, V_ONE(1), expr)
ELEMENT_FP(fmla, v_fmla(e, arg, n, m, OLD_D))
ELEMENT_FP(fmls, v_fmla(e, arg, v_fneg(e, arg, n), m, OLD_D))
ELEMENT_FP(fmul, v_fmul(e, arg, n, m))
ELEMENT_FP(fmulx, v_fmulx(e, arg, n, m))

/* A complex element is a pair of lanes: index h:l of 32 bits, or h of 64. */
SEM(fcmla_eh)
{
    fp_access_check(e);
    vec m = v_dup_lane(e, V_ARG(2, 4, f.h << 1 | f.l), rd_v(e, f.m << 4 | f.rm));
    wr_v(e, f.rd, v_fcmla(e, V_ARG(1, 3 + f.q, f.rot), rd_v(e, f.rn), m, rd_v(e, f.rd)));
}

SEM(fcmla_e)
{
    fp_access_check(e);
    vec m = v_dup_lane(e, V_ARG(3, 4, f.h), rd_v(e, f.m << 4 | f.rm));
    wr_v(e, f.rd, v_fcmla(e, V_ARG(2, 4, f.rot), rd_v(e, f.rn), m, rd_v(e, f.rd)));
}
#undef RM_OF
#undef INDEX_OF
#undef BODY_E
#undef ELEMENT
#undef ELEMENT_SCALAR
#undef ELEMENT_LONG_V
#undef ELEMENT_LONG
#undef ELEMENT_FP
