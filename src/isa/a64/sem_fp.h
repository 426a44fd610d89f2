/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of scalar floating point.  After sem_simd.h and sem_simd_imm.h, whose macros it uses;
 * see vocab.h for who includes this.  Each body twice: _f single and double, _fh half. */

#define FP_BODY1(name, expr) \
    BODY2(name##_f, V_ONE(2 + f.sz), expr) \
    BODY2(name##_fh, V_ONE(1), expr)
#define FP_BODY2(name, expr) \
    BODY3(name##_f, V_ONE(2 + f.sz), expr) \
    BODY3(name##_fh, V_ONE(1), expr)

/* ---- one source ---- */
FP_BODY1(fmov, v_orr(e, arg, n, n))
FP_BODY1(fabs, v_fabs(e, arg, n))
FP_BODY1(fneg, v_fneg(e, arg, n))
FP_BODY1(fsqrt, v_fsqrt(e, arg, n))
FP_BODY1(frintn, v_frint(e, WITH_X(V_ROUND(FP_TIEEVEN)), n))
FP_BODY1(frintp, v_frint(e, WITH_X(V_ROUND(FP_POSINF)), n))
FP_BODY1(frintm, v_frint(e, WITH_X(V_ROUND(FP_NEGINF)), n))
FP_BODY1(frintz, v_frint(e, WITH_X(V_ROUND(FP_TOZERO)), n))
FP_BODY1(frinta, v_frint(e, WITH_X(V_ROUND(FP_TIEAWAY)), n))
FP_BODY1(frintx, v_frint(e, WITH_X(V_ROUND(V_ROUND_FPCR) | V_ROUND_EXACT), n))
FP_BODY1(frinti, v_frint(e, WITH_X(V_ROUND(V_ROUND_FPCR)), n))
BODY2(frint32z_f, V_ONE(2 + f.sz),
      v_frint(e, WITH_X(V_ROUND(FP_TOZERO) | V_ROUND_INT(32)), n))
BODY2(frint32x_f, V_ONE(2 + f.sz),
      v_frint(e, WITH_X(V_ROUND(V_ROUND_FPCR) | V_ROUND_INT(32)), n))
BODY2(frint64z_f, V_ONE(2 + f.sz),
      v_frint(e, WITH_X(V_ROUND(FP_TOZERO) | V_ROUND_INT(64)), n))
BODY2(frint64x_f, V_ONE(2 + f.sz),
      v_frint(e, WITH_X(V_ROUND(V_ROUND_FPCR) | V_ROUND_INT(64)), n))

/* The type field: 0 single, 1 double, 3 half. */
#define FTYPE_SIZE(t) ((t) == 3 ? 1u : 2u + (t))
BODY2(fcvt_f, V_ARG(FTYPE_SIZE(f.ftype), FTYPE_SIZE(f.ftype), FTYPE_SIZE(f.opc)),
      v_fcvt(e, arg, n))
#undef FTYPE_SIZE

/* ---- two and three sources, immediate ---- */
FP_BODY2(fmul, v_fmul(e, arg, n, m))
FP_BODY2(fdiv, v_fdiv(e, arg, n, m))
FP_BODY2(fadd, v_fadd(e, arg, n, m))
FP_BODY2(fsub, v_fsub(e, arg, n, m))
FP_BODY2(fmax, v_fmax(e, arg, n, m))
FP_BODY2(fmin, v_fmin(e, arg, n, m))
FP_BODY2(fmaxnm, v_fmaxnm(e, arg, n, m))
FP_BODY2(fminnm, v_fminnm(e, arg, n, m))
FP_BODY2(fnmul, v_fneg(e, arg, v_fmul(e, arg, n, m)))
/* The manual negates operands, not the result: it shows in the sign of NaNs. */
FP_BODY2(fmadd, v_fmla(e, arg, n, m, rd_v(e, f.ra)))
FP_BODY2(fmsub, v_fmla(e, arg, v_fneg(e, arg, n), m, rd_v(e, f.ra)))
FP_BODY2(fnmadd, v_fmla(e, arg, v_fneg(e, arg, n), m, v_fneg(e, arg, rd_v(e, f.ra))))
FP_BODY2(fnmsub, v_fmla(e, arg, n, m, v_fneg(e, arg, rd_v(e, f.ra))))

SEM(fmov_imm_f)
{
    fp_access_check(e);
    wr_v(e, f.rd, v_imm(e, expand_fp_imm(2 + f.sz, f.imm8), 0));
}

SEM(fmov_imm_fh)
{
    fp_access_check(e);
    wr_v(e, f.rd, v_imm(e, expand_fp_imm(FP_H, f.imm8), 0));
}

/* ---- compare and select ---- */
#define FCMP(row, size, other) \
    SEM(row) \
    { \
        fp_access_check(e); \
        vec r = v_fcmp(e, V_ARG(size, size, f.op), rd_v(e, f.rn), other); \
        nzcv_set(e, v_to_val(e, 8, 0, r)); \
    }
FCMP(fcmp_f, 2 + f.sz, rd_v(e, f.rm))
FCMP(fcmp_fh, 1, rd_v(e, f.rm))
FCMP(fcmp_fz, 2 + f.sz, v_zero(e))
FCMP(fcmp_fzh, 1, v_zero(e))
#undef FCMP

/* The comparison, which can raise flags, is made only if the condition holds; so the whole of it
 * is a primitive under the condition: operands that compare without effect stand in otherwise. */
static inline void fccmp(env *e, unsigned size, unsigned cc, unsigned signal_nans, vec n, vec m,
                         unsigned nzcv)
{
    uint32_t arg = V_ARG(size, size, signal_nans);

    if (v_fccmp(e, arg, cc, n, m, nzcv)) {
        return;
    }
    val holds = cond(e, cc);
    val a = sel(e, holds, v_to_val(e, 1u << size, 0, n), imm(e, 0));
    val b = sel(e, holds, v_to_val(e, 1u << size, 0, m), imm(e, 0));
    vec r = v_fcmp(e, arg, v_from_val(e, a), v_from_val(e, b));
    nzcv_set(e, sel(e, holds, v_to_val(e, 8, 0, r), imm(e, (uint64_t)nzcv << 28)));
}

SEM(fccmp_f)
{
    fp_access_check(e);
    fccmp(e, 2 + f.sz, f.cond, f.op, rd_v(e, f.rn), rd_v(e, f.rm), f.nzcv);
}

SEM(fccmp_fh)
{
    fp_access_check(e);
    fccmp(e, 1, f.cond, f.op, rd_v(e, f.rn), rd_v(e, f.rm), f.nzcv);
}

static inline void fcsel(env *e, unsigned size, unsigned cc, unsigned d, vec n, vec m)
{
    val a = v_to_val(e, 1u << size, 0, n), b = v_to_val(e, 1u << size, 0, m);
    wr_v(e, d, v_from_val(e, sel(e, cond(e, cc), a, b)));
}

SEM(fcsel_f)
{
    fp_access_check(e);
    fcsel(e, 2 + f.sz, f.cond, f.rd, rd_v(e, f.rn), rd_v(e, f.rm));
}

SEM(fcsel_fh)
{
    fp_access_check(e);
    fcsel(e, 1, f.cond, f.rd, rd_v(e, f.rn), rd_v(e, f.rm));
}

/* ---- to and from general registers; sf: 64 bits ---- */
#define TO_INT_SIZE(row, size, op, round, fbits) \
    SEM(row) \
    { \
        fp_access_check(e); \
        uint32_t arg = V_ARG(size, size, V_ROUND(round) | V_INT(2 + f.sf, fbits)); \
        wr(e, f.rd, v_to_val(e, 4u << f.sf, 0, op(e, arg, rd_v(e, f.rn)))); \
    }
#define TO_INT(name, op, round, fbits) \
    TO_INT_SIZE(name##_f, 2 + f.sz, op, round, fbits) \
    TO_INT_SIZE(name##_fh, 1, op, round, fbits)
TO_INT(fcvtns, v_fcvts, FP_TIEEVEN, 0)
TO_INT(fcvtnu, v_fcvtu, FP_TIEEVEN, 0)
TO_INT(fcvtps, v_fcvts, FP_POSINF, 0)
TO_INT(fcvtpu, v_fcvtu, FP_POSINF, 0)
TO_INT(fcvtms, v_fcvts, FP_NEGINF, 0)
TO_INT(fcvtmu, v_fcvtu, FP_NEGINF, 0)
TO_INT(fcvtzs, v_fcvts, FP_TOZERO, 0)
TO_INT(fcvtzu, v_fcvtu, FP_TOZERO, 0)
TO_INT(fcvtas, v_fcvts, FP_TIEAWAY, 0)
TO_INT(fcvtau, v_fcvtu, FP_TIEAWAY, 0)
TO_INT(fcvtzs_fix, v_fcvts, FP_TOZERO, 64 - f.scale)
TO_INT(fcvtzu_fix, v_fcvtu, FP_TOZERO, 64 - f.scale)
#undef TO_INT
#undef TO_INT_SIZE

#define FROM_INT_SIZE(row, size, op, fbits) \
    SEM(row) \
    { \
        fp_access_check(e); \
        uint32_t arg = V_ARG(size, size, V_ROUND(V_ROUND_FPCR) | V_INT(2 + f.sf, fbits)); \
        wr_v(e, f.rd, op(e, arg, v_from_val(e, rd(e, f.rn)))); \
    }
#define FROM_INT(name, op, fbits) \
    FROM_INT_SIZE(name##_f, 2 + f.sz, op, fbits) \
    FROM_INT_SIZE(name##_fh, 1, op, fbits)
FROM_INT(scvtf, v_scvtf, 0)
FROM_INT(ucvtf, v_ucvtf, 0)
FROM_INT(scvtf_fix, v_scvtf, 64 - f.scale)
FROM_INT(ucvtf_fix, v_ucvtf, 64 - f.scale)
#undef FROM_INT
#undef FROM_INT_SIZE

#define FMOV_TO(row, bytes, lane) \
    SEM(row) \
    { \
        fp_access_check(e); \
        wr(e, f.rd, v_to_val(e, bytes, lane, rd_v(e, f.rn))); \
    }
#define FMOV_FROM(row, bytes) \
    SEM(row) \
    { \
        fp_access_check(e); \
        wr_v_low(e, bytes, f.rd, v_from_val(e, rd(e, f.rn))); \
    }
FMOV_TO(fmov_ws, 4, 0)
FMOV_TO(fmov_xd, 8, 0)
FMOV_TO(fmov_xv1, 8, 1)
FMOV_TO(fmov_rh, 2, 0)
FMOV_FROM(fmov_sw, 4)
FMOV_FROM(fmov_dx, 8)
FMOV_FROM(fmov_hr, 2)
#undef FMOV_TO
#undef FMOV_FROM

SEM(fmov_v1x)
{
    fp_access_check(e);
    wr_v(e, f.rd, v_insert(e, 8, 1, rd_v(e, f.rd), rd(e, f.rn)));
}

SEM(fjcvtzs)
{
    fp_access_check(e);
    vec r = v_fjcvtzs(e, V_ONE(3), rd_v(e, f.rn));
    nzcv_set(e, v_to_val(e, 8, 1, r));
    wr(e, f.rd, v_to_val(e, 8, 0, r));
}
#undef FP_BODY1
#undef FP_BODY2
