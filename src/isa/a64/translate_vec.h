/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary for SIMD & FP registers, as IR.  Part of translate.c. */

static inline vec rd_v(env *e, unsigned r) { return (vec){ ir_get(e->ir, IR_VAR_VEC + r) }; }

static inline void wr_v(env *e, unsigned r, vec v) { ir_put(e->ir, IR_VAR_VEC + r, v.r); }

/* The value with nothing but zeroes above `bytes`. */
static inline ir_ref v_low(env *e, ir_ref v, unsigned bytes)
{
    struct ir *ir = e->ir;
    ir_ref r = ir->op[v].low;

    if (gen_vec_bytes(ir, v) <= bytes) {
        return v;
    }
    if (r && r < ir->n && ir->op[r].op == IR_VLOW && ir->op[r].a == v && ir->op[r].cc == bytes) {
        return r;
    }
    r = ir_emit(ir, IR_VLOW, true, v, 0, 0, 0);
    ir->op[r].cc = bytes;
    ir->op[v].low = r;
    return r;
}

static inline void wr_v_low(env *e, unsigned bytes, unsigned r, vec v)
{
    ir_put(e->ir, IR_VAR_VEC + r, v_low(e, v.r, bytes));
}

#include "isa/a64/translate_simd.h"

static inline vec v_from_val(env *e, val a)
{
    const struct ir_op *p = &e->ir->op[a.r];

    if (p->op == IR_VTO && !p->k && p->cc >= 4) {
        return (vec){ v_low(e, p->a, p->cc) };
    }
    return (vec){ ir_emit(e->ir, IR_VFROM, true, a.r, 0, 0, 0) };
}

static inline val v_to_val(env *e, unsigned bytes, unsigned lane, vec a)
{
    const struct ir_op *p = &e->ir->op[a.r];
    ir_ref r;

    if (p->op == IR_VFROM && lane == 0 && bytes >= 4) {
        return R(bytes == 8 ? p->a : ir_zx32(e->ir, p->a));
    }
    r = ir_emit(e->ir, IR_VTO, bytes == 8, a.r, 0, 0, lane);
    e->ir->op[r].cc = bytes;
    return R(r);
}

static inline vec v_insert(env *e, unsigned bytes, unsigned lane, vec into, val a)
{
    const struct ir_op *p = &e->ir->op[a.r];
    ir_ref r;

    if (p->op == IR_VTO && p->cc == bytes && bytes >= 4) {
        return (vec){ v_insert_lane(e, bytes, lane, into.r, p->a, p->k) };
    }
    r = ir_emit(e->ir, IR_VINS, true, into.r, a.r, 0, lane);
    e->ir->op[r].cc = bytes;
    return (vec){ r };
}

static inline vec v_dup(env *e, unsigned bytes, val a)
{
    const struct ir_op *p = &e->ir->op[a.r];
    ir_ref r;

    if (p->op == IR_VTO && p->cc == bytes) {
        return (vec){ v_pure(e, VOP_dup_lane, V_ARG(__builtin_ctz(bytes), 4, p->k), p->a, 0, 0) };
    }
    r = ir_emit(e->ir, IR_VDUP, true, a.r, 0, 0, 0);
    e->ir->op[r].cc = bytes;
    return (vec){ r };
}

static inline void fp_access_check(env *e)
{
    if (!(e->b->mode & A64_MODE_FP)) {
        give_up(e, true);
    }
}

/* A constant without what is above the active bytes, so that its zeroes are known. */
static inline ir_ref fit_const(env *e, ir_ref v, unsigned lg)
{
    const struct ir_op *p = &e->ir->op[v];

    if (p->op != IR_VCONST || lg >= 4 || (!p->k2 && (lg == 3 || !(p->k >> 32)))) {
        return v;
    }
    return v_imm(e, lg == 3 ? p->k : p->k & UINT32_MAX >> (32 - (8 << lg)), 0).r;
}

#include "isa/a64/translate_fp.h"

static inline vec primitive(env *e, unsigned vop, uint32_t arg, ir_ref a, ir_ref b, ir_ref c);

/* The other element of each complex number, and the signs of the parts turned. */
static inline ir_ref turned(env *e, uint32_t arg, bool swap, bool neg_re, bool neg_im, ir_ref v)
{
    unsigned size = V_SIZE(arg), bits = 8u << size;
    uint64_t sign = UINT64_C(1) << (bits - 1), re = neg_re ? sign : 0, im = neg_im ? sign : 0;
    uint64_t lo = size == 3 ? re : re | im << 32, hi = size == 3 ? im : lo;

    if (swap) {
        v = size == 3 ? v_pure(e, VOP_ext, V_ARG(0, 4, 8), v, v, 0)
                      : v_pure(e, VOP_rev, V_ARG(2, V_LG(arg), 3), v, 0, 0);
    }
    if (neg_re || neg_im) {
        v = v_pure(e, VOP_eor, arg, v, v_imm(e, lo, V_LG(arg) == 4 ? hi : 0).r, 0);
    }
    return v;
}

/* FCMLA, FCADD (x: quarters of a turn; of FCADD, 1 or 3 as 0 or 1). */
static inline vec complex_op(env *e, unsigned vop, uint32_t arg, ir_ref a, ir_ref b, ir_ref c)
{
    unsigned x = V_X(arg), odd = x & 1;

    arg &= 31;
    if (vop == VOP_fcadd) {
        return primitive(e, VOP_fadd, arg, a, turned(e, arg, true, !x, x, b), 0);
    }
    b = turned(e, arg, odd, x == 1 || x == 2, x >= 2, b);
    a = v_pure(e, odd ? VOP_trn2 : VOP_trn1, arg, a, a, 0);
    return primitive(e, VOP_fmla, arg, a, b, c);
}

static inline vec primitive(env *e, unsigned vop, uint32_t arg, ir_ref a, ir_ref b, ir_ref c)
{
    uint64_t k = vop | (uint64_t)arg << 16;
    ir_ref r;

    if (vop_rows[vop].effect == VOP_FP && (r = fp_primitive(e, k, a, b, c))) {
        return (vec){ r };
    }
    if ((vop == VOP_fcmla || vop == VOP_fcadd) && V_SIZE(arg) >= 2) {
        return complex_op(e, vop, arg, a, b, c);
    }
    if (vop == VOP_orr && a == b) {
        return (vec){ v_low(e, a, 1u << V_LG(arg)) };
    }
    if (vop == VOP_and || vop == VOP_bic || vop == VOP_orr || vop == VOP_eor) {
        a = fit_const(e, a, V_LG(arg));
        b = fit_const(e, b, V_LG(arg));
    }
    if ((r = v_pick(e, vop, arg, a, b, c))) {
        return (vec){ r };
    }
    if (vop_rows[vop].effect == VOP_PURE && gen_vec_native(e->b->host, k)) {
        return (vec){ v_pure(e, vop, arg, a, b, c) };
    }
    if (vop_rows[vop].effect != VOP_FP && gen_vec_native(e->b->host, k)) {
        r = ir_emit(e->ir, b ? c ? IR_V3 : IR_V2 : IR_V1, true, a, b, c, k);
        e->ir->op[r].x = 1;
        return (vec){ r };
    }
    r = ir_emit(e->ir, IR_VCALL, true, a, b, c, vop);
    e->ir->op[r].k2 = arg;
    return (vec){ r };
}

#define VOP1(name, effect) \
    static inline vec v_##name(env *e, uint32_t arg, vec a) \
    { \
        return primitive(e, VOP_##name, arg, a.r, 0, 0); \
    }
#define VOP2(name, effect) \
    static inline vec v_##name(env *e, uint32_t arg, vec a, vec b) \
    { \
        return primitive(e, VOP_##name, arg, a.r, b.r, 0); \
    }
#define VOP3(name, effect) \
    static inline vec v_##name(env *e, uint32_t arg, vec a, vec b, vec c) \
    { \
        return primitive(e, VOP_##name, arg, a.r, b.r, c.r); \
    }
#include "isa/a64/vecops.def"
