/* SPDX-License-Identifier: Apache-2.0 */
/* Floating point of FPCR = 0 by the host's own instructions (MXCSR: round to nearest, all
 * exceptions masked; its sticky flags are FPSR's, collected when FPSR is read).
 *
 * The host differs from Arm in NaNs (sign of the default NaN, which operand wins), in results
 * that are exactly the smallest normal number (tininess is found before rounding by Arm, after
 * it by x86: FPSR.UFC), and in conversions out of range.  Each of these is tested for and goes
 * to a stub that calls the reference function of the primitive. */
#include "isa/emit_x64/gen.h"

#include "isa/a64/vecops.h"
#include "isa/softfp/softfp.h"

#include <assert.h>

#define P(op) ((op) | OP_0F | OP_66)
#define P38(op) ((op) | OP_0F38 | OP_66)
#define P3A(op) ((op) | OP_0F3A | OP_66)

bool gen_fp_native(unsigned vop, uint32_t arg)
{
    unsigned size = V_SIZE(arg), lg = V_LG(arg), x = V_X(arg), int_lg = V_INT_LG(x);
    bool scalar = lg == size;

    if (size < 2) {
        return false;
    }
    switch (vop) {
    case VOP_fadd: case VOP_fsub: case VOP_fmul: case VOP_fdiv: case VOP_fsqrt: case VOP_fmla:
    case VOP_fmax: case VOP_fmin: case VOP_fmaxnm: case VOP_fminnm:
    case VOP_fcmeq: case VOP_fcmge: case VOP_fcmgt:
        /* two singles in eight bytes: the upper two lanes could raise flags */
        return scalar || lg == 4;
    case VOP_frint:
        return (scalar || lg == 4) && !(x >> 4) && V_ROUND_OF(x) != FP_TIEAWAY;
    case VOP_fcvts:
        return scalar && V_INT_FBITS(x) == 0 && V_ROUND_OF(x) == FP_TOZERO && int_lg >= 2;
    case VOP_scvtf:
        return V_INT_FBITS(x) == 0 &&
               ((scalar && int_lg >= 2) || (lg == 4 && size == 2 && int_lg == 2));
    case VOP_ucvtf:
        return V_INT_FBITS(x) == 0 && scalar && int_lg == 2;
    case VOP_fcvt:
        return x >= 2 && x <= 3 && x != size;
    default:
        return false;
    }
}

/* Opcode prefix of a scalar or packed, single or double operation. */
static unsigned form(unsigned opcode, unsigned size, bool scalar)
{
    return opcode | OP_0F | (scalar ? size == 2 ? OP_F3 : OP_F2 : size == 2 ? 0 : OP_66);
}

static struct gen_stub *fp_stub(struct gen *g, const struct ir_op *p, int a, int b, int c, int d)
{
    struct gen_stub *s = gen_stub(g, GEN_STUB_FP);

    s->vec1 = a;
    s->vec2 = b;
    s->vec3 = c;
    s->vec4 = d;
    s->info = p->k & 0xffff;
    s->const1 = p->k >> 16;
    return s;
}

/* To the stub if `v` has a NaN. */
static uint8_t *if_nan(struct gen *g, int v, int w, unsigned size, bool scalar)
{
    if (scalar) {
        x64_v(&g->c, 0x2e | OP_0F | (size == 3 ? OP_66 : 0), v, 0, w);          /* vucomis */
        return x64_jcc(&g->c, CC_P);
    }
    x64_vi(&g->c, 0xc2 | OP_0F | (size == 3 ? OP_66 : 0), 15, v, w, 3);         /* vcmpunord */
    x64_v(&g->c, P38(0x17), 15, 0, 15);                                         /* vptest */
    return x64_jcc(&g->c, CC_NE);
}

/* To the stub if a result is the smallest normal number of either sign. */
static uint8_t *if_min_normal(struct gen *g, int v, unsigned size, bool scalar)
{
    unsigned mantissa = size == 2 ? 24 : 53;

    if (scalar) {
        bool sf = size == 3;
        x64_v(&g->c, P(0x7e) | x64_w(sf), v, 0, RAX);
        x64_alu_rr(&g->c, ALU_ADD, sf, RAX, RAX);
        x64_vi(&g->c, 0xf0 | OP_0F3A | OP_F2 | x64_w(sf), RAX, 0, RAX, mantissa);  /* rorx */
        x64_alu_ri(&g->c, ALU_CMP, sf, RAX, 1);
        return x64_jcc(&g->c, CC_E);
    }
    x64_mov_ri(&g->c, RAX, UINT64_C(1) << mantissa);
    x64_v(&g->c, P(0x6e) | OP_W, 14, 0, RAX);
    x64_v(&g->c, P38(size == 2 ? 0x58 : 0x59), 14, 0, 14);                      /* broadcast */
    x64_v(&g->c, size == 2 ? P(0xfe) : P(0xd4), 15, v, v);                      /* vpadd: * 2 */
    x64_v(&g->c, size == 2 ? P(0x76) : P38(0x29), 15, 15, 14);                  /* vpcmpeq */
    x64_v(&g->c, P38(0x17), 15, 0, 15);
    return x64_jcc(&g->c, CC_NE);
}

static void arithmetic(struct gen *g, const struct ir_op *p, unsigned vop, unsigned size,
                       bool scalar)
{
    static const uint8_t opcode[] = { [0] = 0x58, [1] = 0x5c, [2] = 0x59, [3] = 0x5e };
    unsigned which = vop == VOP_fadd ? 0 : vop == VOP_fsub ? 1 : vop == VOP_fmul ? 2 : 3;
    int a = gen_vuse(g, p->a), b = gen_vuse(g, p->b), d = gen_vdef(g, g->i);
    struct gen_stub *s = fp_stub(g, p, a, b, -1, d);

    x64_v(&g->c, form(opcode[which], size, scalar), d, a, b);
    s->from = if_nan(g, d, d, size, scalar);
    if (which >= 2) {
        s->from2 = if_min_normal(g, d, size, scalar);
    }
    if (scalar && gen_vec_bytes(g, p->a) > 1u << size) {
        gen_keep_low(g, d, d, 1u << size);
    }
    s->back = g->c.p;
}

static void square_root(struct gen *g, const struct ir_op *p, unsigned size, bool scalar)
{
    int a = gen_vuse(g, p->a), d = gen_vdef(g, g->i);
    struct gen_stub *s = fp_stub(g, p, a, -1, -1, d);

    x64_v(&g->c, form(0x51, size, scalar), d, scalar ? a : 0, a);
    s->from = if_nan(g, d, d, size, scalar);
    if (scalar && gen_vec_bytes(g, p->a) > 1u << size) {
        gen_keep_low(g, d, d, 1u << size);
    }
    s->back = g->c.p;
}

/* c + a * b.  (An infinity times zero with a quiet NaN as addend gives a NaN on both: tested.) */
static void fused(struct gen *g, const struct ir_op *p, unsigned size, bool scalar)
{
    int a = gen_vuse(g, p->a), b = gen_vuse(g, p->b), c = gen_vuse(g, p->c);
    int d = gen_vdef(g, g->i);
    struct gen_stub *s = fp_stub(g, p, a, b, c, d);

    x64_v(&g->c, 0x28 | OP_0F, d, 0, c);
    x64_v(&g->c, P38(scalar ? 0xb9 : 0xb8) | x64_w(size == 3), d, a, b);        /* vfmadd231 */
    s->from = if_nan(g, d, d, size, scalar);
    s->from2 = if_min_normal(g, d, size, scalar);
    if (scalar && gen_vec_bytes(g, p->c) > 1u << size) {
        gen_keep_low(g, d, d, 1u << size);
    }
    s->back = g->c.p;
}

/* Zeroes of different sign: x86 takes the second, Arm the larger or smaller. */
static void min_max(struct gen *g, const struct ir_op *p, unsigned vop, unsigned size, bool scalar)
{
    bool is_max = vop == VOP_fmax || vop == VOP_fmaxnm;
    unsigned o = form(is_max ? 0x5f : 0x5d, size, scalar);
    int a = gen_vuse(g, p->a), b = gen_vuse(g, p->b), d = gen_vdef(g, g->i);
    struct gen_stub *s = fp_stub(g, p, a, b, -1, d);

    s->from = if_nan(g, a, b, size, scalar);            /* before: MAX and MIN flag quiet NaNs */
    x64_v(&g->c, o, 15, a, b);
    x64_v(&g->c, o, 14, b, a);
    x64_v(&g->c, is_max ? P(0xdb) : P(0xeb), d, 14, 15);
    if (scalar) {
        gen_keep_low(g, d, d, 1u << size);
    }
    s->back = g->c.p;
}

static void compare(struct gen *g, const struct ir_op *p, unsigned vop, unsigned size, bool scalar)
{
    unsigned predicate = vop == VOP_fcmeq ? 0 : vop == VOP_fcmge ? 0x0d : 0x0e;
    int a = gen_vuse(g, p->a), b = gen_vuse(g, p->b), d = gen_vdef(g, g->i);

    x64_vi(&g->c, form(0xc2, size, scalar), d, a, b, predicate);
    if (scalar) {
        gen_keep_low(g, d, d, 1u << size);
    }
}

static void round_to_int(struct gen *g, const struct ir_op *p, unsigned size, bool scalar)
{
    static const uint8_t mode[8] = {
        [FP_TIEEVEN] = 0, [FP_NEGINF] = 1, [FP_POSINF] = 2, [FP_TOZERO] = 3, [V_ROUND_FPCR] = 0,
    };
    unsigned x = V_X(p->k >> 16);
    unsigned imm = mode[V_ROUND_OF(x)] | (x & V_ROUND_EXACT ? 0 : 8);
    int a = gen_vuse(g, p->a), d = gen_vdef(g, g->i);
    struct gen_stub *s = fp_stub(g, p, a, -1, -1, d);

    x64_vi(&g->c, P3A((scalar ? 0x0a : 0x08) | (size == 3)), d, scalar ? a : 0, a, imm);
    s->from = if_nan(g, d, d, size, scalar);
    if (scalar && gen_vec_bytes(g, p->a) > 1u << size) {
        gen_keep_low(g, d, d, 1u << size);
    }
    s->back = g->c.p;
}

/* Towards zero; out of range (and exactly the most negative) is 1 << (bits - 1) here. */
static void to_int(struct gen *g, const struct ir_op *p, unsigned size)
{
    bool sf = V_INT_LG(V_X(p->k >> 16)) == 3;
    int a = gen_vuse(g, p->a), t = gen_tmp(g), d = gen_vdef(g, g->i);
    struct gen_stub *s = fp_stub(g, p, a, -1, -1, d);

    x64_v(&g->c, form(0x2c, size, true) | x64_w(sf), t, 0, a);                  /* vcvtts?2si */
    x64_vi(&g->c, 0xf0 | OP_0F3A | OP_F2 | x64_w(sf), RAX, 0, t, sf ? 63 : 31);
    x64_alu_ri(&g->c, ALU_CMP, sf, RAX, 1);
    s->from = x64_jcc(&g->c, CC_E);
    x64_v(&g->c, P(0x6e) | x64_w(sf), d, 0, t);
    s->back = g->c.p;
}

static void from_int(struct gen *g, const struct ir_op *p, unsigned vop, unsigned size,
                     bool scalar)
{
    bool sf = V_INT_LG(V_X(p->k >> 16)) == 3;
    int a = gen_vuse(g, p->a), d = gen_vdef(g, g->i);

    if (!scalar) {
        x64_v(&g->c, 0x5b | OP_0F, d, 0, a);                                    /* vcvtdq2ps */
        return;
    }
    x64_v(&g->c, P(0x7e) | x64_w(sf), a, 0, RAX);
    x64_v(&g->c, P(0xef), d, d, d);
    x64_v(&g->c, form(0x2a, size, true) | x64_w(sf || vop == VOP_ucvtf), d, d, RAX);
}

static void precision(struct gen *g, const struct ir_op *p, unsigned size)
{
    int a = gen_vuse(g, p->a), d = gen_vdef(g, g->i);
    struct gen_stub *s = fp_stub(g, p, a, -1, -1, d);
    unsigned to = size ^ 1;

    x64_v(&g->c, P(0xef), d, d, d);
    x64_v(&g->c, form(0x5a, size, true), d, d, a);
    s->from = if_nan(g, d, d, to, true);
    if (to == 2) {
        s->from2 = if_min_normal(g, d, 2, true);
    }
    s->back = g->c.p;
}

void gen_fp(struct gen *g)
{
    const struct ir_op *p = &g->ir->op[g->i];
    unsigned vop = p->k & 0xffff, size = V_SIZE(p->k >> 16);
    bool scalar = V_LG(p->k >> 16) == size;

    gen_clobber_ef(g);
    switch (vop) {
    case VOP_fadd: case VOP_fsub: case VOP_fmul: case VOP_fdiv:
        arithmetic(g, p, vop, size, scalar);
        break;
    case VOP_fsqrt: square_root(g, p, size, scalar); break;
    case VOP_fmla: fused(g, p, size, scalar); break;
    case VOP_fmax: case VOP_fmin: case VOP_fmaxnm: case VOP_fminnm:
        min_max(g, p, vop, size, scalar);
        break;
    case VOP_fcmeq: case VOP_fcmge: case VOP_fcmgt: compare(g, p, vop, size, scalar); break;
    case VOP_frint: round_to_int(g, p, size, scalar); break;
    case VOP_fcvts: to_int(g, p, size); break;
    case VOP_scvtf: case VOP_ucvtf: from_int(g, p, vop, size, scalar); break;
    case VOP_fcvt: precision(g, p, size); break;
    default: assert(!"native floating point");
    }
}

/* FCMP, FCMPE.  "Above" minus "below" leaves in EFLAGS what a subtraction would: 1000 for less,
 * 0110 for equal, 0010 for greater; unordered (0011) is made by -128 - 1. */
void gen_fcmp(struct gen *g)
{
    const struct ir_op *p = &g->ir->op[g->i];
    unsigned size = V_SIZE(p->k);
    bool signals = V_X(p->k);
    int a = gen_vuse(g, p->a), b = gen_vuse(g, p->b);
    struct gen_stub *s = gen_stub(g, GEN_STUB_FCMP);

    gen_clobber_ef(g);
    x64_v(&g->c, (signals ? 0x2f : 0x2e) | OP_0F | (size == 3 ? OP_66 : 0), a, 0, b);
    s->from = x64_jcc(&g->c, CC_P);
    x64_setcc(&g->c, CC_A, RAX);
    x64_b(&g->c, 0x0f);                         /* setb ah */
    x64_b(&g->c, 0x90 | CC_B);
    x64_b(&g->c, 0xc4);
    x64_b(&g->c, 0x28);                         /* sub al, ah */
    x64_b(&g->c, 0xe0);
    s->back = g->c.p;
    g->ef = g->i;
    g->ef_inv = true;
}

void gen_fp_stub(struct gen *g, struct gen_stub *s)
{
    struct x64 *c = &g->c;
    const int operand[3] = { s->vec1, s->vec2, s->vec3 };

    x64_patch(s->from, c->p);
    if (s->from2) {
        x64_patch(s->from2, c->p);
    }
    if (s->kind == GEN_STUB_FCMP) {
        x64_mov_ri(c, RAX, 0x80);
        x64_b(c, 0x2c);                         /* sub al, 1 */
        x64_b(c, 0x01);
        x64_jmp_to(c, s->back);
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (operand[i] >= 0) {
            x64_vm(c, 0x11 | OP_0F, operand[i], 0, x64_at(RSP, GEN_OPERANDS + i * 16));
        }
    }
    x64_store_i(c, false, gen_at(g, g->guest->scratch + 24), s->const1);
    x64_mov_ri(c, RAX, s->info);
    x64_call(c, g->thunk[GEN_T_VSLOW]);
    x64_vm(c, 0x10 | OP_0F, s->vec4, 0, x64_at(RSP, GEN_OPERANDS + 48));
    x64_jmp_to(c, s->back);
}
