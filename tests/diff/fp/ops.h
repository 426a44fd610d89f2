/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of softfp beside the instruction that it must equal.  Included by the guest
 * program (which uses `text`) and by the comparison (which uses `expr`).
 *
 * Operands a, b, c are in v1, v2, v3 and a also in x1.
 * OPF: the result is d0.  OPI: the result is x0.  `in` is the format of the operands. */

#define T1(insn, p) insn " " p "0, " p "1"
#define T2(insn, p) insn " " p "0, " p "1, " p "2"

#define OP1(name, insn, call) \
    OPF(name##_h, FP_H, T1(insn, "h"), call(e, FP_H, a)) \
    OPF(name##_s, FP_S, T1(insn, "s"), call(e, FP_S, a)) \
    OPF(name##_d, FP_D, T1(insn, "d"), call(e, FP_D, a))
#define OP2(name, call) \
    OPF(name##_h, FP_H, T2(#name, "h"), call(e, FP_H, a, b)) \
    OPF(name##_s, FP_S, T2(#name, "s"), call(e, FP_S, a, b)) \
    OPF(name##_d, FP_D, T2(#name, "d"), call(e, FP_D, a, b))

OP2(fadd, fp_add)
OP2(fsub, fp_sub)
OP2(fmul, fp_mul)
OP2(fmulx, fp_mulx)
OP2(fdiv, fp_div)
OP2(fmax, fp_max)
OP2(fmin, fp_min)
OP2(fmaxnm, fp_maxnm)
OP2(fminnm, fp_minnm)
OP2(frecps, fp_recip_step)
OP2(frsqrts, fp_rsqrt_step)
OP1(fsqrt, "fsqrt", fp_sqrt)
OP1(frecpe, "frecpe", fp_recip_estimate)
OP1(frsqrte, "frsqrte", fp_rsqrt_estimate)
OP1(frecpx, "frecpx", fp_recip_exponent)

#define MADD(sz, p) \
    OPF(fmadd_##p, sz, "fmadd " #p "0, " #p "2, " #p "3, " #p "1", fp_muladd(e, sz, a, b, c)) \
    OPF(fmsub_##p, sz, "fmsub " #p "0, " #p "2, " #p "3, " #p "1", \
        fp_muladd(e, sz, a, fp_neg(sz, b), c))
MADD(FP_H, h)
MADD(FP_S, s)
MADD(FP_D, d)

#define CMP(sz, p) \
    OPI(fcmp_##p, sz, "fcmp " #p "1, " #p "2\n mrs x0, nzcv", \
        (uint64_t)fp_compare(e, sz, a, b, false) << 28) \
    OPI(fcmpe_##p, sz, "fcmpe " #p "1, " #p "2\n mrs x0, nzcv", \
        (uint64_t)fp_compare(e, sz, a, b, true) << 28) \
    OPF(fcmeq_##p, sz, "fcmeq " #p "0, " #p "1, " #p "2", \
        fp_cmpeq(e, sz, a, b) ? UINT64_MAX >> (64 - (8 << sz)) : 0) \
    OPF(fcmge_##p, sz, "fcmge " #p "0, " #p "1, " #p "2", \
        fp_cmpge(e, sz, a, b) ? UINT64_MAX >> (64 - (8 << sz)) : 0) \
    OPF(fcmgt_##p, sz, "fcmgt " #p "0, " #p "1, " #p "2", \
        fp_cmpgt(e, sz, a, b) ? UINT64_MAX >> (64 - (8 << sz)) : 0) \
    OPF(facge_##p, sz, "facge " #p "0, " #p "1, " #p "2", \
        fp_cmpge(e, sz, fp_abs(sz, a), fp_abs(sz, b)) ? UINT64_MAX >> (64 - (8 << sz)) : 0)
CMP(FP_H, h)
CMP(FP_S, s)
CMP(FP_D, d)

OPF(fcvt_sh, FP_H, "fcvt s0, h1", fp_convert(e, FP_S, FP_H, a, fp_env_round(e)))
OPF(fcvt_dh, FP_H, "fcvt d0, h1", fp_convert(e, FP_D, FP_H, a, fp_env_round(e)))
OPF(fcvt_hs, FP_S, "fcvt h0, s1", fp_convert(e, FP_H, FP_S, a, fp_env_round(e)))
OPF(fcvt_ds, FP_S, "fcvt d0, s1", fp_convert(e, FP_D, FP_S, a, fp_env_round(e)))
OPF(fcvt_hd, FP_D, "fcvt h0, d1", fp_convert(e, FP_H, FP_D, a, fp_env_round(e)))
OPF(fcvt_sd, FP_D, "fcvt s0, d1", fp_convert(e, FP_S, FP_D, a, fp_env_round(e)))
OPF(fcvtxn, FP_D, "fcvtxn s0, d1", fp_convert(e, FP_S, FP_D, a, FP_ODD))

#define TOINT_R(sz, l, r, round) \
    OPI(fcvt##r##s_w##l, sz, "fcvt" #r "s w0, " #l "1", fp_to_int(e, sz, a, 32, true, 0, round)) \
    OPI(fcvt##r##u_w##l, sz, "fcvt" #r "u w0, " #l "1", fp_to_int(e, sz, a, 32, false, 0, round)) \
    OPI(fcvt##r##s_x##l, sz, "fcvt" #r "s x0, " #l "1", fp_to_int(e, sz, a, 64, true, 0, round)) \
    OPI(fcvt##r##u_x##l, sz, "fcvt" #r "u x0, " #l "1", fp_to_int(e, sz, a, 64, false, 0, round))
#define TOINT(sz, l) \
    TOINT_R(sz, l, n, FP_TIEEVEN) TOINT_R(sz, l, p, FP_POSINF) TOINT_R(sz, l, m, FP_NEGINF) \
    TOINT_R(sz, l, z, FP_TOZERO) TOINT_R(sz, l, a, FP_TIEAWAY) \
    OPI(fcvtzs_fix_w##l, sz, "fcvtzs w0, " #l "1, #7", \
        fp_to_int(e, sz, a, 32, true, 7, FP_TOZERO)) \
    OPI(fcvtzu_fix_x##l, sz, "fcvtzu x0, " #l "1, #64", \
        fp_to_int(e, sz, a, 64, false, 64, FP_TOZERO)) \
    OPF(scvtf_w##l, FP_D, "scvtf " #l "0, w1", fp_from_int(e, sz, a, 32, true, 0)) \
    OPF(ucvtf_w##l, FP_D, "ucvtf " #l "0, w1", fp_from_int(e, sz, a, 32, false, 0)) \
    OPF(scvtf_x##l, FP_D, "scvtf " #l "0, x1", fp_from_int(e, sz, a, 64, true, 0)) \
    OPF(ucvtf_x##l, FP_D, "ucvtf " #l "0, x1", fp_from_int(e, sz, a, 64, false, 0)) \
    OPF(scvtf_fix_x##l, FP_D, "scvtf " #l "0, x1, #40", fp_from_int(e, sz, a, 64, true, 40)) \
    OPF(ucvtf_fix_w##l, FP_D, "ucvtf " #l "0, w1, #32", fp_from_int(e, sz, a, 32, false, 32))
TOINT(FP_H, h)
TOINT(FP_S, s)
TOINT(FP_D, d)
OPF(fcvtzs_16, FP_H, "fcvtzs h0, h1", fp_to_int(e, FP_H, a, 16, true, 0, FP_TOZERO))
OPF(fcvtzu_16, FP_H, "fcvtzu h0, h1", fp_to_int(e, FP_H, a, 16, false, 0, FP_TOZERO))
OPF(scvtf_16, FP_H, "scvtf h0, h1", fp_from_int(e, FP_H, a, 16, true, 0))

#define RINT(sz, p) \
    OPF(frintn_##p, sz, "frintn " #p "0, " #p "1", fp_round_int(e, sz, a, FP_TIEEVEN, false)) \
    OPF(frintp_##p, sz, "frintp " #p "0, " #p "1", fp_round_int(e, sz, a, FP_POSINF, false)) \
    OPF(frintm_##p, sz, "frintm " #p "0, " #p "1", fp_round_int(e, sz, a, FP_NEGINF, false)) \
    OPF(frintz_##p, sz, "frintz " #p "0, " #p "1", fp_round_int(e, sz, a, FP_TOZERO, false)) \
    OPF(frinta_##p, sz, "frinta " #p "0, " #p "1", fp_round_int(e, sz, a, FP_TIEAWAY, false)) \
    OPF(frintx_##p, sz, "frintx " #p "0, " #p "1", \
        fp_round_int(e, sz, a, fp_env_round(e), true)) \
    OPF(frinti_##p, sz, "frinti " #p "0, " #p "1", \
        fp_round_int(e, sz, a, fp_env_round(e), false))
#define RINTN(sz, p) \
    OPF(frint32z_##p, sz, "frint32z " #p "0, " #p "1", fp_round_int_n(e, sz, a, FP_TOZERO, 32)) \
    OPF(frint32x_##p, sz, "frint32x " #p "0, " #p "1", \
        fp_round_int_n(e, sz, a, fp_env_round(e), 32)) \
    OPF(frint64z_##p, sz, "frint64z " #p "0, " #p "1", fp_round_int_n(e, sz, a, FP_TOZERO, 64)) \
    OPF(frint64x_##p, sz, "frint64x " #p "0, " #p "1", \
        fp_round_int_n(e, sz, a, fp_env_round(e), 64))
RINT(FP_H, h)
RINT(FP_S, s)
RINT(FP_D, d)
RINTN(FP_S, s)
RINTN(FP_D, d)

OPI(fjcvtzs, FP_D, "fjcvtzs w0, d1\n mrs x2, nzcv\n orr x0, x0, x2, lsl #8", js(e, a))
OPF(urecpe, FP_S, "urecpe v0.2s, v1.2s\n fmov s0, s0", fp_recip_estimate_u32(a))
OPF(ursqrte, FP_S, "ursqrte v0.2s, v1.2s\n fmov s0, s0", fp_rsqrt_estimate_u32(a))
