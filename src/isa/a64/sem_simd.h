/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of Advanced SIMD data processing, but for what is in sem_simd_imm.h.  See vocab.h for
 * who includes this, and vecops.def for the primitives.
 *
 * `arg` of an instruction: V_WHOLE is 8 or 16 bytes by the Q field, V_ONE a scalar. */
#include "isa/a64/vecops.h"
#include "isa/softfp/softfp.h"

#define V_WHOLE(size) V_ARG(size, 3 + f.q, 0)
#define V_ONE(size) V_ARG(size, size, 0)

/* d[lane 1 of 64 bits] or d[lane 0], the other half kept or zero: how narrow forms write. */
static inline void wr_narrow(env *e, bool to_high, unsigned r, vec v)
{
    wr_v(e, r, to_high ? v_insert(e, 8, 1, rd_v(e, r), v_to_val(e, 8, 0, v)) : v);
}

/* k in every element */
static inline vec v_const(env *e, unsigned size, uint64_t k)
{
    unsigned bits = 8u << size;

    k &= UINT64_MAX >> (64 - bits);
    for (; bits < 64; bits *= 2) {
        k |= k << bits;
    }
    return v_imm(e, k, k);
}

static inline vec v_zero(env *e) { return v_imm(e, 0, 0); }

static inline vec v_fabs(env *e, uint32_t arg, vec a)
{
    return v_bic(e, arg, a, v_const(e, V_SIZE(arg), fp_sign_bit(V_SIZE(arg))));
}

static inline vec v_fneg(env *e, uint32_t arg, vec a)
{
    return v_eor(e, arg, a, v_const(e, V_SIZE(arg), fp_sign_bit(V_SIZE(arg))));
}

/* A body whose result is an expression of n, m, d (Vn, Vm, the old Vd) and arg. */
#define BODY2(row, arg_, expr) \
    SEM(row) \
    { \
        fp_access_check(e); \
        const uint32_t arg = arg_; \
        (void)arg; \
        vec n = rd_v(e, f.rn); \
        wr_v(e, f.rd, expr); \
    }
#define BODY3(row, arg_, expr) \
    SEM(row) \
    { \
        fp_access_check(e); \
        const uint32_t arg = arg_; \
        (void)arg; \
        vec n = rd_v(e, f.rn), m = rd_v(e, f.rm); \
        wr_v(e, f.rd, expr); \
    }
#define OLD_D rd_v(e, f.rd)

/* ---- three registers, same type ---- */
#define VECTOR(name, expr) BODY3(name##_v, V_WHOLE(f.size), expr)
#define SCALAR(name, expr) BODY3(name##_s, V_ONE(f.size), expr)
#define VECTOR_SCALAR(name, expr) VECTOR(name, expr) SCALAR(name, expr)

VECTOR(shadd, v_shadd(e, arg, n, m))
VECTOR(uhadd, v_uhadd(e, arg, n, m))
VECTOR(srhadd, v_srhadd(e, arg, n, m))
VECTOR(urhadd, v_urhadd(e, arg, n, m))
VECTOR(shsub, v_shsub(e, arg, n, m))
VECTOR(uhsub, v_uhsub(e, arg, n, m))
VECTOR_SCALAR(sqadd, v_sqadd(e, arg, n, m))
VECTOR_SCALAR(uqadd, v_uqadd(e, arg, n, m))
VECTOR_SCALAR(sqsub, v_sqsub(e, arg, n, m))
VECTOR_SCALAR(uqsub, v_uqsub(e, arg, n, m))
VECTOR_SCALAR(cmgt, v_cmgt(e, arg, n, m))
VECTOR_SCALAR(cmhi, v_cmhi(e, arg, n, m))
VECTOR_SCALAR(cmge, v_cmge(e, arg, n, m))
VECTOR_SCALAR(cmhs, v_cmhs(e, arg, n, m))
VECTOR_SCALAR(cmeq, v_cmeq(e, arg, n, m))
VECTOR_SCALAR(cmtst, v_cmtst(e, arg, n, m))
VECTOR_SCALAR(sshl, v_sshl(e, arg, n, m))
VECTOR_SCALAR(ushl, v_ushl(e, arg, n, m))
VECTOR_SCALAR(srshl, v_srshl(e, arg, n, m))
VECTOR_SCALAR(urshl, v_urshl(e, arg, n, m))
VECTOR_SCALAR(sqshl, v_sqshl(e, arg, n, m))
VECTOR_SCALAR(uqshl, v_uqshl(e, arg, n, m))
VECTOR_SCALAR(sqrshl, v_sqrshl(e, arg, n, m))
VECTOR_SCALAR(uqrshl, v_uqrshl(e, arg, n, m))
VECTOR(smax, v_smax(e, arg, n, m))
VECTOR(umax, v_umax(e, arg, n, m))
VECTOR(smin, v_smin(e, arg, n, m))
VECTOR(umin, v_umin(e, arg, n, m))
VECTOR(sabd, v_sabd(e, arg, n, m))
VECTOR(uabd, v_uabd(e, arg, n, m))
VECTOR(saba, v_add(e, arg, OLD_D, v_sabd(e, arg, n, m)))
VECTOR(uaba, v_add(e, arg, OLD_D, v_uabd(e, arg, n, m)))
VECTOR_SCALAR(add, v_add(e, arg, n, m))
VECTOR_SCALAR(sub, v_sub(e, arg, n, m))
VECTOR(mul, v_mul(e, arg, n, m))
VECTOR(mla, v_add(e, arg, OLD_D, v_mul(e, arg, n, m)))
VECTOR(mls, v_sub(e, arg, OLD_D, v_mul(e, arg, n, m)))
VECTOR(pmul, v_pmul(e, arg, n, m))
VECTOR_SCALAR(sqdmulh, v_sqdmulh(e, arg, n, m))
VECTOR_SCALAR(sqrdmulh, v_sqrdmulh(e, arg, n, m))
VECTOR_SCALAR(sqrdmlah, v_sqrdmlah(e, arg, n, m, OLD_D))
VECTOR_SCALAR(sqrdmlsh, v_sqrdmlsh(e, arg, n, m, OLD_D))
VECTOR(sdot, v_sdot(e, arg, n, m, OLD_D))
VECTOR(udot, v_udot(e, arg, n, m, OLD_D))
VECTOR(fcmla, v_fcmla(e, arg | V_ARG(0, 0, f.rot), n, m, OLD_D))
VECTOR(fcadd, v_fcadd(e, arg | V_ARG(0, 0, f.rot), n, m))

/* Pairs: the even lanes of m:n with the odd ones. */
#define PAIRS(op) op(e, arg, v_uzp1(e, arg, n, m), v_uzp2(e, arg, n, m))
VECTOR(addp, PAIRS(v_add))
VECTOR(smaxp, PAIRS(v_smax))
VECTOR(umaxp, PAIRS(v_umax))
VECTOR(sminp, PAIRS(v_smin))
VECTOR(uminp, PAIRS(v_umin))

#define LOGIC(name, expr) BODY3(name##_v, V_WHOLE(3), expr)
LOGIC(and, v_and(e, arg, n, m))
LOGIC(bic, v_bic(e, arg, n, m))
LOGIC(orr, v_orr(e, arg, n, m))
LOGIC(orn, v_orn(e, arg, n, m))
LOGIC(eor, v_eor(e, arg, n, m))
LOGIC(bsl, v_bsl(e, arg, OLD_D, n, m))
LOGIC(bit, v_bsl(e, arg, m, n, OLD_D))
LOGIC(bif, v_bsl(e, arg, m, OLD_D, n))

/* ---- floating point: three registers; each also for half precision ---- */
#define VECTOR_FP(name, expr) \
    BODY3(name##_v, V_WHOLE(2 + f.sz), expr) \
    BODY3(name##_vh, V_WHOLE(1), expr)
#define SCALAR_FP(name, expr) \
    BODY3(name##_s, V_ONE(2 + f.sz), expr) \
    BODY3(name##_sh, V_ONE(1), expr)
#define VECTOR_SCALAR_FP(name, expr) VECTOR_FP(name, expr) SCALAR_FP(name, expr)

VECTOR_FP(fadd, v_fadd(e, arg, n, m))
VECTOR_FP(fsub, v_fsub(e, arg, n, m))
VECTOR_FP(fmul, v_fmul(e, arg, n, m))
VECTOR_FP(fdiv, v_fdiv(e, arg, n, m))
VECTOR_FP(fmax, v_fmax(e, arg, n, m))
VECTOR_FP(fmin, v_fmin(e, arg, n, m))
VECTOR_FP(fmaxnm, v_fmaxnm(e, arg, n, m))
VECTOR_FP(fminnm, v_fminnm(e, arg, n, m))
VECTOR_FP(fmla, v_fmla(e, arg, n, m, OLD_D))
VECTOR_FP(fmls, v_fmla(e, arg, v_fneg(e, arg, n), m, OLD_D))
VECTOR_FP(faddp, PAIRS(v_fadd))
VECTOR_FP(fmaxp, PAIRS(v_fmax))
VECTOR_FP(fminp, PAIRS(v_fmin))
VECTOR_FP(fmaxnmp, PAIRS(v_fmaxnm))
VECTOR_FP(fminnmp, PAIRS(v_fminnm))
VECTOR_SCALAR_FP(fmulx, v_fmulx(e, arg, n, m))
VECTOR_SCALAR_FP(fabd, v_fabs(e, arg, v_fsub(e, arg, n, m)))
VECTOR_SCALAR_FP(fcmeq, v_fcmeq(e, arg, n, m))
VECTOR_SCALAR_FP(fcmge, v_fcmge(e, arg, n, m))
VECTOR_SCALAR_FP(fcmgt, v_fcmgt(e, arg, n, m))
VECTOR_SCALAR_FP(facge, v_fcmge(e, arg, v_fabs(e, arg, n), v_fabs(e, arg, m)))
VECTOR_SCALAR_FP(facgt, v_fcmgt(e, arg, v_fabs(e, arg, n), v_fabs(e, arg, m)))
VECTOR_SCALAR_FP(frecps, v_frecps(e, arg, n, m))
VECTOR_SCALAR_FP(frsqrts, v_frsqrts(e, arg, n, m))

/* ---- three registers, different: arg is of the wide elements, LONG_ARG of the narrow
 * ones, whose high half is meant if Q is set ---- */
#define LONG_ARG V_ARG(f.size, 4, f.q)
#define LONG(name, expr) BODY3(name##_v, V_ARG(f.size + 1, 4, 0), expr)
#define SX(a) v_sxtl(e, LONG_ARG, a)
#define UX(a) v_uxtl(e, LONG_ARG, a)

LONG(saddl, v_add(e, arg, SX(n), SX(m)))
LONG(uaddl, v_add(e, arg, UX(n), UX(m)))
LONG(saddw, v_add(e, arg, n, SX(m)))
LONG(uaddw, v_add(e, arg, n, UX(m)))
LONG(ssubl, v_sub(e, arg, SX(n), SX(m)))
LONG(usubl, v_sub(e, arg, UX(n), UX(m)))
LONG(ssubw, v_sub(e, arg, n, SX(m)))
LONG(usubw, v_sub(e, arg, n, UX(m)))
/* A difference of two elements fits into as many bits, without sign. */
#define ABDL(op) UX(op(e, V_ARG(f.size, 4, 0), n, m))
LONG(sabdl, ABDL(v_sabd))
LONG(uabdl, ABDL(v_uabd))
LONG(sabal, v_add(e, arg, OLD_D, ABDL(v_sabd)))
LONG(uabal, v_add(e, arg, OLD_D, ABDL(v_uabd)))
#undef ABDL
LONG(smull, v_smull(e, LONG_ARG, n, m))
LONG(umull, v_umull(e, LONG_ARG, n, m))
LONG(smlal, v_add(e, arg, OLD_D, v_smull(e, LONG_ARG, n, m)))
LONG(umlal, v_add(e, arg, OLD_D, v_umull(e, LONG_ARG, n, m)))
LONG(smlsl, v_sub(e, arg, OLD_D, v_smull(e, LONG_ARG, n, m)))
LONG(umlsl, v_sub(e, arg, OLD_D, v_umull(e, LONG_ARG, n, m)))
LONG(sqdmull, v_sqdmull(e, LONG_ARG, n, m))
LONG(sqdmlal, v_sqadd(e, arg, OLD_D, v_sqdmull(e, LONG_ARG, n, m)))
LONG(sqdmlsl, v_sqsub(e, arg, OLD_D, v_sqdmull(e, LONG_ARG, n, m)))
BODY3(pmull8_v, V_ARG(0, 4, f.q), v_pmull(e, arg, n, m))
BODY3(pmull64_v, V_ARG(3, 4, f.q), v_pmull(e, arg, n, m))

#define SCALAR_LONG_ARG V_ARG(f.size, f.size + 1, 0)
BODY3(sqdmull_s, SCALAR_LONG_ARG, v_sqdmull(e, arg, n, m))
BODY3(sqdmlal_s, SCALAR_LONG_ARG,
      v_sqadd(e, V_ONE(f.size + 1), OLD_D, v_sqdmull(e, arg, n, m)))
BODY3(sqdmlsl_s, SCALAR_LONG_ARG,
      v_sqsub(e, V_ONE(f.size + 1), OLD_D, v_sqdmull(e, arg, n, m)))

/* The high halves of the sums, rounded if `round`. */
static inline vec high_half(env *e, unsigned size, bool round, vec sum)
{
    uint32_t arg = V_ARG(size + 1, 4, 0);
    unsigned bits = 8u << size;

    if (round) {
        sum = v_add(e, arg, sum, v_const(e, size + 1, UINT64_C(1) << (bits - 1)));
    }
    return v_xtn(e, V_ARG(size, 3, 0), v_ushri(e, arg | V_ARG(0, 0, bits), sum));
}

#define HIGH_NARROW(name, op, round) \
    SEM(name##_v) \
    { \
        fp_access_check(e); \
        vec r = op(e, V_ARG(f.size + 1, 4, 0), rd_v(e, f.rn), rd_v(e, f.rm)); \
        wr_narrow(e, f.q, f.rd, high_half(e, f.size, round, r)); \
    }
HIGH_NARROW(addhn, v_add, false)
HIGH_NARROW(raddhn, v_add, true)
HIGH_NARROW(subhn, v_sub, false)
HIGH_NARROW(rsubhn, v_sub, true)

/* ---- two registers ---- */
#define VECTOR1(name, expr) BODY2(name##_v, V_WHOLE(f.size), expr)
#define SCALAR1(name, expr) BODY2(name##_s, V_ONE(f.size), expr)
#define VECTOR_SCALAR1(name, expr) VECTOR1(name, expr) SCALAR1(name, expr)

VECTOR1(rev64, v_rev(e, arg | V_ARG(0, 0, 3), n))
VECTOR1(rev32, v_rev(e, arg | V_ARG(0, 0, 2), n))
VECTOR1(rev16, v_rev(e, arg | V_ARG(0, 0, 1), n))
VECTOR1(cls, v_cls(e, arg, n))
VECTOR1(clz, v_clz(e, arg, n))
VECTOR1(cnt, v_cnt(e, arg, n))
BODY2(not_v, V_WHOLE(0), v_eor(e, arg, n, v_const(e, 3, UINT64_MAX)))
BODY2(rbit_v, V_WHOLE(0), v_rbit(e, arg, n))
VECTOR1(saddlp, v_saddlp(e, arg, n))
VECTOR1(uaddlp, v_uaddlp(e, arg, n))
VECTOR1(sadalp, v_add(e, V_WHOLE(f.size + 1), OLD_D, v_saddlp(e, arg, n)))
VECTOR1(uadalp, v_add(e, V_WHOLE(f.size + 1), OLD_D, v_uaddlp(e, arg, n)))
VECTOR_SCALAR1(suqadd, v_suqadd(e, arg, OLD_D, n))
VECTOR_SCALAR1(usqadd, v_usqadd(e, arg, OLD_D, n))
VECTOR_SCALAR1(sqabs, v_sqabs(e, arg, n))
VECTOR_SCALAR1(sqneg, v_sqneg(e, arg, n))
VECTOR_SCALAR1(cmgt0, v_cmgt(e, arg, n, v_zero(e)))
VECTOR_SCALAR1(cmge0, v_cmge(e, arg, n, v_zero(e)))
VECTOR_SCALAR1(cmeq0, v_cmeq(e, arg, n, v_zero(e)))
VECTOR_SCALAR1(cmle0, v_cmge(e, arg, v_zero(e), n))
VECTOR_SCALAR1(cmlt0, v_cmgt(e, arg, v_zero(e), n))
VECTOR_SCALAR1(abs, v_abs(e, arg, n))
VECTOR_SCALAR1(neg, v_sub(e, arg, v_zero(e), n))

#define NARROW(name) \
    SEM(name##_v) \
    { \
        fp_access_check(e); \
        wr_narrow(e, f.q, f.rd, v_##name(e, V_ARG(f.size, 3, 0), rd_v(e, f.rn))); \
    }
NARROW(xtn)
NARROW(sqxtn)
NARROW(uqxtn)
NARROW(sqxtun)
SCALAR1(sqxtn, v_sqxtn(e, arg, n))
SCALAR1(uqxtn, v_uqxtn(e, arg, n))
SCALAR1(sqxtun, v_sqxtun(e, arg, n))
BODY2(shll_v, V_ARG(f.size + 1, 4, 8u << f.size), v_shli(e, arg, UX(n)))

/* ---- two registers, floating point ---- */
BODY2(fcvtl_v, V_ARG(1 + f.sz, 4, f.q), v_fcvtl(e, arg, n))

SEM(fcvtn_v)
{
    fp_access_check(e);
    wr_narrow(e, f.q, f.rd,
              v_fcvtn(e, V_ARG(1 + f.sz, 3, V_ROUND(V_ROUND_FPCR)), rd_v(e, f.rn)));
}

SEM(fcvtxn_v)
{
    fp_access_check(e);
    wr_narrow(e, f.q, f.rd, v_fcvtn(e, V_ARG(2, 3, V_ROUND(FP_ODD)), rd_v(e, f.rn)));
}

BODY2(fcvtxn_s, V_ARG(2, 2, V_ROUND(FP_ODD)), v_fcvtn(e, arg, n))

#define VECTOR_FP1(name, expr) \
    BODY2(name##_v, V_WHOLE(2 + f.sz), expr) \
    BODY2(name##_vh, V_WHOLE(1), expr)
#define SCALAR_FP1(name, expr) \
    BODY2(name##_s, V_ONE(2 + f.sz), expr) \
    BODY2(name##_sh, V_ONE(1), expr)
#define VECTOR_SCALAR_FP1(name, expr) VECTOR_FP1(name, expr) SCALAR_FP1(name, expr)
#define WITH_X(x) (arg | V_ARG(0, 0, x))
#define WITH_INT(round) WITH_X(V_ROUND(round) | V_INT(V_SIZE(arg), 0))

VECTOR_FP1(frintn, v_frint(e, WITH_X(V_ROUND(FP_TIEEVEN)), n))
VECTOR_FP1(frintp, v_frint(e, WITH_X(V_ROUND(FP_POSINF)), n))
VECTOR_FP1(frintm, v_frint(e, WITH_X(V_ROUND(FP_NEGINF)), n))
VECTOR_FP1(frintz, v_frint(e, WITH_X(V_ROUND(FP_TOZERO)), n))
VECTOR_FP1(frinta, v_frint(e, WITH_X(V_ROUND(FP_TIEAWAY)), n))
VECTOR_FP1(frintx, v_frint(e, WITH_X(V_ROUND(V_ROUND_FPCR) | V_ROUND_EXACT), n))
VECTOR_FP1(frinti, v_frint(e, WITH_X(V_ROUND(V_ROUND_FPCR)), n))
BODY2(frint32z_v, V_WHOLE(2 + f.sz),
      v_frint(e, WITH_X(V_ROUND(FP_TOZERO) | V_ROUND_INT(32)), n))
BODY2(frint32x_v, V_WHOLE(2 + f.sz),
      v_frint(e, WITH_X(V_ROUND(V_ROUND_FPCR) | V_ROUND_INT(32)), n))
BODY2(frint64z_v, V_WHOLE(2 + f.sz),
      v_frint(e, WITH_X(V_ROUND(FP_TOZERO) | V_ROUND_INT(64)), n))
BODY2(frint64x_v, V_WHOLE(2 + f.sz),
      v_frint(e, WITH_X(V_ROUND(V_ROUND_FPCR) | V_ROUND_INT(64)), n))
VECTOR_SCALAR_FP1(fcvtns, v_fcvts(e, WITH_INT(FP_TIEEVEN), n))
VECTOR_SCALAR_FP1(fcvtnu, v_fcvtu(e, WITH_INT(FP_TIEEVEN), n))
VECTOR_SCALAR_FP1(fcvtps, v_fcvts(e, WITH_INT(FP_POSINF), n))
VECTOR_SCALAR_FP1(fcvtpu, v_fcvtu(e, WITH_INT(FP_POSINF), n))
VECTOR_SCALAR_FP1(fcvtms, v_fcvts(e, WITH_INT(FP_NEGINF), n))
VECTOR_SCALAR_FP1(fcvtmu, v_fcvtu(e, WITH_INT(FP_NEGINF), n))
VECTOR_SCALAR_FP1(fcvtzs, v_fcvts(e, WITH_INT(FP_TOZERO), n))
VECTOR_SCALAR_FP1(fcvtzu, v_fcvtu(e, WITH_INT(FP_TOZERO), n))
VECTOR_SCALAR_FP1(fcvtas, v_fcvts(e, WITH_INT(FP_TIEAWAY), n))
VECTOR_SCALAR_FP1(fcvtau, v_fcvtu(e, WITH_INT(FP_TIEAWAY), n))
VECTOR_SCALAR_FP1(scvtf, v_scvtf(e, WITH_INT(V_ROUND_FPCR), n))
VECTOR_SCALAR_FP1(ucvtf, v_ucvtf(e, WITH_INT(V_ROUND_FPCR), n))
VECTOR_SCALAR_FP1(fcmgt0, v_fcmgt(e, arg, n, v_zero(e)))
VECTOR_SCALAR_FP1(fcmge0, v_fcmge(e, arg, n, v_zero(e)))
VECTOR_SCALAR_FP1(fcmeq0, v_fcmeq(e, arg, n, v_zero(e)))
VECTOR_SCALAR_FP1(fcmle0, v_fcmge(e, arg, v_zero(e), n))
VECTOR_SCALAR_FP1(fcmlt0, v_fcmgt(e, arg, v_zero(e), n))
VECTOR_FP1(fabs, v_fabs(e, arg, n))
VECTOR_FP1(fneg, v_fneg(e, arg, n))
VECTOR_FP1(fsqrt, v_fsqrt(e, arg, n))
VECTOR_SCALAR_FP1(frecpe, v_frecpe(e, arg, n))
VECTOR_SCALAR_FP1(frsqrte, v_frsqrte(e, arg, n))
SCALAR_FP1(frecpx, v_frecpx(e, arg, n))
BODY2(urecpe_v, V_WHOLE(2), v_urecpe(e, arg, n))
BODY2(ursqrte_v, V_WHOLE(2), v_ursqrte(e, arg, n))

/* ---- across lanes: fold the vector in pairs until one lane is left, which is the order of
 * Reduce() in the manual ---- */
#define REDUCE(row, size_, lg_, first, op) \
    SEM(row) \
    { \
        fp_access_check(e); \
        const unsigned size = size_; \
        vec n = rd_v(e, f.rn); \
        n = first; \
        for (unsigned lg = lg_; lg > size; lg--) { \
            uint32_t arg = V_ARG(size, lg, 0); \
            n = op(e, V_ARG(size, lg - 1, 0), v_uzp1(e, arg, n, n), v_uzp2(e, arg, n, n)); \
        } \
        wr_v(e, f.rd, n); \
    }
REDUCE(addv_v, f.size, 3 + f.q, n, v_add)
REDUCE(smaxv_v, f.size, 3 + f.q, n, v_smax)
REDUCE(umaxv_v, f.size, 3 + f.q, n, v_umax)
REDUCE(sminv_v, f.size, 3 + f.q, n, v_smin)
REDUCE(uminv_v, f.size, 3 + f.q, n, v_umin)
REDUCE(saddlv_v, f.size + 1, 3 + f.q, v_saddlp(e, V_WHOLE(f.size), n), v_add)
REDUCE(uaddlv_v, f.size + 1, 3 + f.q, v_uaddlp(e, V_WHOLE(f.size), n), v_add)
REDUCE(fmaxv_v, 2, 4, n, v_fmax)
REDUCE(fminv_v, 2, 4, n, v_fmin)
REDUCE(fmaxnmv_v, 2, 4, n, v_fmaxnm)
REDUCE(fminnmv_v, 2, 4, n, v_fminnm)
REDUCE(fmaxv_vh, 1, 3 + f.q, n, v_fmax)
REDUCE(fminv_vh, 1, 3 + f.q, n, v_fmin)
REDUCE(fmaxnmv_vh, 1, 3 + f.q, n, v_fmaxnm)
REDUCE(fminnmv_vh, 1, 3 + f.q, n, v_fminnm)

/* A pair to a scalar. */
REDUCE(addp_s, 3, 4, n, v_add)
#define PAIR_FP(name, op) \
    REDUCE(name##_s, 2 + f.sz, 3 + f.sz, n, op) \
    REDUCE(name##_sh, 1, 2, n, op)
PAIR_FP(faddp, v_fadd)
PAIR_FP(fmaxp, v_fmax)
PAIR_FP(fminp, v_fmin)
PAIR_FP(fmaxnmp, v_fmaxnm)
PAIR_FP(fminnmp, v_fminnm)

/* ---- permutations and tables ---- */
VECTOR(uzp1, v_uzp1(e, arg, n, m))
VECTOR(uzp2, v_uzp2(e, arg, n, m))
VECTOR(trn1, v_trn1(e, arg, n, m))
VECTOR(trn2, v_trn2(e, arg, n, m))
VECTOR(zip1, v_zip1(e, arg, n, m))
VECTOR(zip2, v_zip2(e, arg, n, m))
BODY3(ext_v, V_ARG(0, 3 + f.q, f.imm4), v_ext(e, arg, n, m))

static inline void table_lookup(env *e, unsigned q, unsigned rd_, unsigned rn, unsigned rm,
                                unsigned regs, vec otherwise)
{
    vec index = rd_v(e, rm);

    for (unsigned i = 0; i < regs; i++) {
        otherwise = v_tbx(e, V_ARG(0, 3 + q, 16 * i), rd_v(e, (rn + i) % 32), index, otherwise);
    }
    wr_v(e, rd_, otherwise);
}

SEM(tbl_v)
{
    fp_access_check(e);
    table_lookup(e, f.q, f.rd, f.rn, f.rm, f.len + 1, v_zero(e));
}

SEM(tbx_v)
{
    fp_access_check(e);
    table_lookup(e, f.q, f.rd, f.rn, f.rm, f.len + 1, rd_v(e, f.rd));
}

#undef VECTOR
#undef SCALAR
#undef VECTOR_SCALAR
#undef PAIRS
#undef LOGIC
#undef VECTOR_FP
#undef SCALAR_FP
#undef VECTOR_SCALAR_FP
#undef LONG
#undef LONG_ARG
#undef SX
#undef UX
#undef SCALAR_LONG_ARG
#undef HIGH_NARROW
#undef VECTOR1
#undef SCALAR1
#undef VECTOR_SCALAR1
#undef NARROW
#undef VECTOR_FP1
#undef SCALAR_FP1
#undef VECTOR_SCALAR_FP1
#undef WITH_INT
#undef REDUCE
#undef PAIR_FP
