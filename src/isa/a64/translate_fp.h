/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point primitives as IR.  Part of translate.c.
 *
 * Host instructions on a scalar copy what is above it from their first operand, and those on two
 * singles work on four: so operands are cut first (v_low), which costs nothing for a guest
 * register in memory, and the zeroes above the result are known. */

#define FP_ARG_LG ((uint64_t)V_ARG(0, 7, 0) << 16)

/* Two singles: both halves alike, for what would raise flags on zeroes. */
static inline ir_ref fp_twice(env *e, ir_ref v)
{
    uint64_t k = VOP_dup_lane | (uint64_t)V_ARG(3, 4, 0) << 16;

    return ir_emit(e->ir, IR_V1, true, v, 0, 0, k);
}

static inline ir_ref fp_emit(env *e, uint64_t k, ir_ref a, ir_ref b, ir_ref c)
{
    ir_ref r = ir_emit(e->ir, b ? c ? IR_V3 : IR_V2 : IR_V1, true, a, b, c, k);

    e->ir->op[r].x = 1;                 /* FPSR */
    return r;
}

/* If v is a negation in every active lane, what is negated. */
static inline bool fp_is_neg(env *e, uint32_t arg, ir_ref *v)
{
    const struct ir_op *p = &e->ir->op[*v], *k;
    static const uint64_t signs[] = {
        0, UINT64_C(0x8000800080008000), UINT64_C(0x8000000080000000), UINT64_C(1) << 63,
    };
    bool scalar = V_LG(arg) == V_SIZE(arg);
    uint64_t sign = scalar ? fp_sign_bit(V_SIZE(arg)) : signs[V_SIZE(arg)];

    if (p->op != IR_V2 || (p->k & 0xffff) != VOP_eor || e->ir->op[p->b].op != IR_VCONST ||
        V_LG(p->k >> 16) != V_LG(arg)) {
        return false;
    }
    k = &e->ir->op[p->b];
    if (k->k != sign || k->k2 != (V_LG(arg) == 4 ? sign : 0)) {
        return false;
    }
    *v = p->a;
    return true;
}

static inline ir_ref fp_fmla(env *e, uint64_t k, ir_ref a, ir_ref b, ir_ref c)
{
    uint32_t arg = k >> 16;
    bool scalar = V_LG(arg) == V_SIZE(arg);
    unsigned bytes = 1u << V_LG(arg);

    if (fp_is_neg(e, arg, &a)) {
        k |= GEN_FP_NEG_A;
    }
    if (fp_is_neg(e, arg, &c)) {
        k |= GEN_FP_NEG_C;
    }
    c = v_low(e, c, bytes);
    if (bytes == 2 && !(e->b->host & GEN_HOST_AVX512_FP16)) {      /* all of them are converted */
        a = v_low(e, a, bytes);
        b = v_low(e, b, bytes);
    }
    if (!scalar && bytes == 8) {
        k = (k & ~FP_ARG_LG) | (uint64_t)V_ARG(0, 4, 0) << 16;
        return v_low(e, fp_emit(e, k, v_low(e, a, 8), v_low(e, b, 8), c), 8);
    }
    return fp_emit(e, k, a, b, c);
}

static inline ir_ref fp_scalar(env *e, uint64_t k, ir_ref a, ir_ref b)
{
    unsigned vop = k & 0xffff, bytes = 1u << V_LG(k >> 16);
    bool half = bytes == 2, commutes = (vop == VOP_fadd || vop == VOP_fmul) && !half;

    if (!(commutes && gen_vec_bytes(e->ir, b) <= bytes)) {
        a = v_low(e, a, bytes);
    }
    if (vop == VOP_fmax || vop == VOP_fmin || vop == VOP_fmaxnm || vop == VOP_fminnm ||
        (half && b && !(e->b->host & GEN_HOST_AVX512_FP16))) {
        b = v_low(e, b, bytes);
    }
    return fp_emit(e, k, a, b, 0);
}

/* FCVTAS of what FRINTA has rounded already: exponentials do both.  What is too large for the
 * integer has no fraction here, so that it is inexact only if the rounding is. */
static inline ir_ref fp_rounded_away(env *e, uint32_t arg, ir_ref a)
{
    struct ir *ir = e->ir;
    unsigned size = V_SIZE(arg), end = ir->n > 16 ? ir->n - 16 : 1;
    uint64_t k = VOP_frint | (uint64_t)V_ARG(size, size, FP_TIEAWAY) << 16;

    if (V_ROUND_OF(V_X(arg)) != FP_TIEAWAY || V_INT_FBITS(V_X(arg)) ||
        (V_INT_LG(V_X(arg)) == 2 && size == 3)) {
        return 0;
    }
    for (unsigned i = ir->n; i-- > end;) {
        const struct ir_op *p = &ir->op[i];
        if (p->op == IR_V1 && p->k == k &&
            (p->a == a || (ir->op[p->a].op == IR_VLOW && ir->op[p->a].a == a))) {
            k = VOP_frint | (uint64_t)V_ARG(size, size, V_ROUND_FPCR | V_ROUND_EXACT) << 16;
            fp_emit(e, k, p->a, 0, 0);
            return i;
        }
    }
    return 0;
}

#define FP_HALF_TO_SINGLE (VOP_fcvt | (uint64_t)V_ARG(1, 1, 2) << 16)

/* 0: by a call. */
static inline ir_ref fp_primitive(env *e, uint64_t k, ir_ref a, ir_ref b, ir_ref c)
{
    unsigned vop = k & 0xffff;
    uint32_t arg = k >> 16;
    bool scalar = V_LG(arg) == V_SIZE(arg), two_singles = V_LG(arg) == 3 && !scalar;
    unsigned int_lg = V_INT_LG(V_X(arg));
    uint64_t fz = 0;
    ir_ref r;

    if (!(e->b->mode & A64_MODE_FP_PLAIN)) {
        if (!gen_fp_native_fz(k)) {
            return 0;
        }
        fz = GEN_FP_FZ;
    }
    if ((vop == VOP_fcvts || vop == VOP_fcvtu) && !fz && V_SIZE(arg) == 1 && int_lg >= 2 &&
        gen_fp_native(e->b->host, FP_HALF_TO_SINGLE)) {
        r = fp_scalar(e, FP_HALF_TO_SINGLE, a, 0);      /* exact */
        return fp_primitive(e, vop | (uint64_t)V_ARG(2, 2, V_X(arg)) << 16, r, 0, 0);
    }
    if ((vop == VOP_scvtf || vop == VOP_ucvtf) && gen_fp_scalar_int(k)) {
        val v = v_to_val(e, 4u << (int_lg == 3), 0, (vec){ a });
        return ir_emit(e->ir, IR_VI2F, true, v.r, 0, 0, k);
    }
    if (vop == VOP_fcvts && !fz && V_LG(arg) == V_SIZE(arg) && V_SIZE(arg) >= 2 &&
        V_INT_LG(V_X(arg)) >= 2 && (r = fp_rounded_away(e, arg, a))) {
        a = r;
        k = vop | (uint64_t)(arg - V_ARG(0, 0, FP_TIEAWAY) + V_ARG(0, 0, FP_TOZERO)) << 16;
    }
    if ((vop == VOP_fcvts || vop == VOP_fcvtu) && gen_fp_scalar_int(k)) {
        r = ir_emit(e->ir, IR_VF2I, true, a, 0, 0, k | fz);
        e->ir->op[r].hi0 = int_lg == 2;
        return v_from_val(e, R(r)).r;
    }
    if (!gen_fp_native(e->b->host, k)) {
        return 0;
    }
    k |= fz;
    if (vop == VOP_fmla) {
        return fp_fmla(e, k, a, b, c);
    }
    if (scalar) {
        return fp_scalar(e, k, a, b);
    }
    if (two_singles && (vop == VOP_fdiv || vop == VOP_frecpe || vop == VOP_frsqrte)) {
        k = vop | (uint64_t)V_ARG(V_SIZE(arg), 4, 0) << 16 | fz;
        return v_low(e, fp_emit(e, k, fp_twice(e, a), b ? fp_twice(e, b) : 0, 0), 8);
    }
    if (two_singles && vop != VOP_fcvtn) {
        a = v_low(e, a, 8);
        b = b ? v_low(e, b, 8) : 0;
    }
    if (two_singles && vop == VOP_fsub) {
        k = (k & ~FP_ARG_LG) | (uint64_t)V_ARG(0, 4, 0) << 16;     /* 0 - 0 may be -0 */
    }
    r = fp_emit(e, k, a, b, 0);
    return two_singles ? v_low(e, r, 8) : r;
}

/* The conditional comparison as one operation; false: by a composition. */
static inline bool v_fccmp(env *e, uint32_t arg, unsigned cc, vec n, vec m, unsigned nzcv)
{
    ir_ref r;

    bool f16c = e->b->host & (GEN_HOST_F16C | GEN_HOST_AVX512_FP16);

    if ((V_SIZE(arg) < 2 && !f16c) || !(e->b->mode & A64_MODE_FP_PLAIN)) {
        return false;
    }
    if (V_SIZE(arg) == 1) {             /* all of it is converted */
        n.r = v_low(e, n.r, 2);
        m.r = v_low(e, m.r, 2);
    }
    r = ir_flagop(e->ir, cc >= 14 ? IR_VFCMP : IR_VFCCMP, true, n.r, m.r);
    e->ir->op[r].cc = cc;
    e->ir->op[r].k = arg;
    e->ir->op[r].k2 = nzcv;
    return true;
}
