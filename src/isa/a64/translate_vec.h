/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary for SIMD & FP registers, as IR.  Part of translate.c. */

static inline vec rd_v(env *e, unsigned r) { return (vec){ ir_get(e->ir, IR_VAR_VEC + r) }; }

static inline void wr_v(env *e, unsigned r, vec v) { ir_put(e->ir, IR_VAR_VEC + r, v.r); }

static inline void wr_v_low(env *e, unsigned bytes, unsigned r, vec v)
{
    ir_ref low = v.r;

    if (bytes < 16) {
        low = ir_emit(e->ir, IR_VLOW, true, v.r, 0, 0, 0);
        e->ir->op[low].cc = bytes;
    }
    ir_put(e->ir, IR_VAR_VEC + r, low);
}

static inline vec v_from_val(env *e, val a)
{
    return (vec){ ir_emit(e->ir, IR_VFROM, true, a.r, 0, 0, 0) };
}

static inline val v_to_val(env *e, unsigned bytes, unsigned lane, vec a)
{
    ir_ref r = ir_emit(e->ir, IR_VTO, bytes == 8, a.r, 0, 0, lane);

    e->ir->op[r].cc = bytes;
    return R(r);
}

static inline vec v_insert(env *e, unsigned bytes, unsigned lane, vec into, val a)
{
    ir_ref r = ir_emit(e->ir, IR_VINS, true, into.r, a.r, 0, lane);

    e->ir->op[r].cc = bytes;
    return (vec){ r };
}

static inline vec v_dup(env *e, unsigned bytes, val a)
{
    ir_ref r = ir_emit(e->ir, IR_VDUP, true, a.r, 0, 0, 0);

    e->ir->op[r].cc = bytes;
    return (vec){ r };
}

static inline vec v_imm(env *e, uint64_t lo, uint64_t hi)
{
    ir_ref r = ir_emit(e->ir, IR_VCONST, true, 0, 0, 0, lo);

    e->ir->op[r].k2 = hi;
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

static inline vec primitive(env *e, unsigned vop, uint32_t arg, ir_ref a, ir_ref b, ir_ref c)
{
    uint64_t k = vop | (uint64_t)arg << 16;
    bool plain = (e->b->mode & A64_MODE_FP_PLAIN) || vop_rows[vop].effect != VOP_FP;
    ir_ref r;

    if (vop == VOP_and || vop == VOP_bic || vop == VOP_orr || vop == VOP_eor) {
        a = fit_const(e, a, V_LG(arg));
        b = fit_const(e, b, V_LG(arg));
    }
    if (plain && gen_vec_native(k)) {
        r = ir_emit(e->ir, b ? c ? IR_V3 : IR_V2 : IR_V1, true, a, b, c, k);
        e->ir->op[r].x = vop_rows[vop].effect != VOP_PURE;
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
