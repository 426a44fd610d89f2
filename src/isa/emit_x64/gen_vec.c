/* SPDX-License-Identifier: Apache-2.0 */
/* Vector values: moves, and the primitives of vecops.def that have a native form; the others
 * call their C reference function (VCALL).
 *
 * To make a primitive native: a case in lower(); the same conditions in gen_vec_native().
 *
 * House: sizes: lower() is one switch with a case of a line or two for each primitive. */
#include "isa/emit_x64/gen_fp.h"
#include "isa/emit_x64/gen_vop.h"

#include <assert.h>

#define P(op) ((op) | OP_0F | OP_66)
#define P38(op) ((op) | OP_0F38 | OP_66)
#define P3A(op) ((op) | OP_0F3A | OP_66)

static const struct ir_op *op(const struct gen *g)
{
    return &g->ir->op[g->i];
}

/* Zero above `bytes` (a power of two). */
void gen_keep_low(struct gen *g, int d, int s, unsigned bytes)
{
    switch (bytes) {
    case 1: case 2:
        x64_vi(&g->c, P3A(bytes == 1 ? 0x14 : 0x15), s, 0, RAX, 0);     /* vpextr eax, s, 0 */
        x64_v(&g->c, P(0x6e), d, 0, RAX);
        break;
    case 4:
        x64_vi(&g->c, P3A(0x21), d, s, s, 0x0e);                        /* vinsertps, zero 3-1 */
        break;
    case 8:
        x64_v(&g->c, 0x7e | OP_0F | OP_F3, d, 0, s);                    /* vmovq */
        break;
    default:
        if (d != s) {
            x64_v(&g->c, 0x28 | OP_0F, d, 0, s);
        }
    }
}

void gen_vconst(struct gen *g, int d, uint64_t lo, uint64_t hi)
{
    if (!lo && !hi) {
        x64_v(&g->c, P(0xef), d, d, d);
    } else if (!~lo && !~hi) {
        x64_v(&g->c, P(0x76), d, d, d);
    } else {
        gen_lit(g, 0x28 | OP_0F, d, 0, lo, hi);
    }
}

static void vto(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_vuse(g, p->a), d = gen_def(g, g->i);
    unsigned lane = p->k;

    switch (p->cc) {
    case 1: x64_vi(&g->c, P3A(0x14), a, 0, d, lane); break;
    case 2: x64_vi(&g->c, P3A(0x15), a, 0, d, lane); break;
    case 4: x64_vi(&g->c, P3A(0x16), a, 0, d, lane); break;
    default:
        if (lane) {
            x64_vi(&g->c, P3A(0x16) | OP_W, a, 0, d, lane);
        } else {
            x64_v(&g->c, P(0x7e) | OP_W, a, 0, d);
        }
    }
}

static void vins(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_vuse(g, p->a), b = gen_use(g, p->b), d = gen_vdef(g, g->i);

    switch (p->cc) {
    case 1: x64_vi(&g->c, P3A(0x20), d, a, b, p->k); break;
    case 2: x64_vi(&g->c, P(0xc4), d, a, b, p->k); break;
    case 4: x64_vi(&g->c, P3A(0x22), d, a, b, p->k); break;
    default: x64_vi(&g->c, P3A(0x22) | OP_W, d, a, b, p->k); break;
    }
}

static void vdup(struct gen *g)
{
    static const uint8_t broadcast[4] = { 0x78, 0x79, 0x58, 0x59 };
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a), d = gen_vdef(g, g->i);
    unsigned log2 = __builtin_ctz(p->cc);

    x64_v(&g->c, P(0x6e) | OP_W, d, 0, a);
    x64_v(&g->c, P38(broadcast[log2]), d, 0, d);
}

/* The low part of a value; of one in memory no more is loaded. */
static void vlow(struct gen *g)
{
    const struct ir_op *p = op(g);
    int d;

    if (g->val[p->a].reg < 0 && g->ir->op[p->a].op != IR_VCONST && p->cc >= 4 &&
        (g->val[p->a].var < 0 || g->home[g->val[p->a].var] < 0)) {
        struct x64_mem m = gen_vslot(g, p->a);
        d = gen_vdef(g, g->i);
        x64_vm(&g->c, p->cc == 4 ? 0x10 | OP_0F | OP_F3 : 0x10 | OP_0F | OP_F2, d, 0, m);
        return;
    }
    int a = gen_vuse(g, p->a);
    d = gen_vdef(g, g->i);
    gen_keep_low(g, d, a, p->cc);
}

static void vcall(struct gen *g)
{
    static const int reg[3] = { RCX, RSI, RDI };
    const struct ir_op *p = op(g);
    const ir_ref arg[3] = { p->a, p->b, p->c };
    struct x64_mem at[3];
    unsigned slot;

    gen_clobber_ef(g);
    for (unsigned i = 0; i < 3; i++) {
        if (arg[i]) {
            at[i] = gen_vslot(g, arg[i]);
        }
    }
    gen_save_live(g, false);
    gen_region_save(g);
    if (!~g->vspills) {
        g->failed = true;
        return;
    }
    slot = __builtin_ctz(~g->vspills);
    if (p->last) {
        g->vspills |= 1u << slot;
        g->val[g->i].spill = slot;
    }
    x64_lea(&g->c, true, RDX, x64_at(RSP, GEN_VSPILLS_AT + slot * 16));
    for (unsigned i = 0; i < 3; i++) {
        if (arg[i]) {
            x64_lea(&g->c, true, reg[i], at[i]);
        }
    }
    x64_store_i(&g->c, false, gen_at(g, g->guest->scratch + 24), p->k2);
    x64_mov_ri(&g->c, RAX, p->k);
    x64_call(&g->c, g->thunk[GEN_T_VCALL]);
    gen_region_load(g);
}

/* ---- native primitives ---- */
/* Lane-wise operations with one instruction: opcode by size, 0 = none. */
static const struct { uint16_t vop; uint32_t opcode[4]; bool swap; } simple2[] = {
    { VOP_add, { P(0xfc), P(0xfd), P(0xfe), P(0xd4) } },
    { VOP_sub, { P(0xf8), P(0xf9), P(0xfa), P(0xfb) } },
    { VOP_mul, { 0, P(0xd5), P38(0x40), 0 } },
    { VOP_and, { P(0xdb), P(0xdb), P(0xdb), P(0xdb) } },
    { VOP_orr, { P(0xeb), P(0xeb), P(0xeb), P(0xeb) } },
    { VOP_eor, { P(0xef), P(0xef), P(0xef), P(0xef) } },
    { VOP_bic, { P(0xdf), P(0xdf), P(0xdf), P(0xdf) }, true },          /* vpandn: ~a & b */
    { VOP_cmeq, { P(0x74), P(0x75), P(0x76), P38(0x29) } },
    { VOP_cmgt, { P(0x64), P(0x65), P(0x66), P38(0x37) } },
    { VOP_smax, { P38(0x3c), P(0xee), P38(0x3d), 0 } },
    { VOP_smin, { P38(0x38), P(0xea), P38(0x39), 0 } },
    { VOP_umax, { P(0xde), P38(0x3e), P38(0x3f), 0 } },
    { VOP_umin, { P(0xda), P38(0x3a), P38(0x3b), 0 } },
    { VOP_urhadd, { P(0xe0), P(0xe3), 0, 0 } },
    { VOP_zip1, { P(0x60), P(0x61), P(0x62), P(0x6c) } },
    { GEN_V_SMULH, { 0, P(0xe5), 0, 0 } },
    { GEN_V_UMULH, { 0, P(0xe4), 0, 0 } },
};

static uint32_t simple2_opcode(unsigned vop, unsigned size, bool *swap)
{
    for (unsigned i = 0; i < sizeof(simple2) / sizeof(simple2[0]); i++) {
        if (simple2[i].vop == vop) {
            *swap = simple2[i].swap;
            return simple2[i].opcode[size];
        }
    }
    return 0;
}

/* k: primitive in bits 15:0, argument above. */
bool gen_vec_native(uint32_t host, uint64_t k)
{
    unsigned vop = k & 0xffff;
    uint32_t arg = k >> 16;
    unsigned size = V_SIZE(arg), lg = V_LG(arg);
    bool swap;

    if (gen_fp_native(host, k)) {
        return true;
    }
    if (gen_avx512_native(host, vop, arg) || gen_simd_native(host, vop, arg) ||
        gen_sat_native(host, vop, arg) || simple2_opcode(vop, size, &swap)) {
        return true;
    }
    if (lg < 3) {
        return false;
    }
    switch (vop) {
    case VOP_orn: case VOP_bsl: case VOP_cmge:
        return true;
    case VOP_cmhi: case VOP_cmhs:
        return size < 3;
    case VOP_cmtst:
        return true;
    case VOP_shli: case VOP_ushri:
        return size > 0;
    case VOP_sshri:
        return size == 1 || size == 2;
    default:
        return false;
    }
}

/* Of conversions, long and narrow forms the argument does not give the size of the result. */
static unsigned primitive_bytes(unsigned vop, uint32_t arg)
{
    if (vop <= VOP_sqshlu || (vop >= VOP_uzp1 && vop <= VOP_tbx)) {
        return 1u << V_LG(arg);         /* lane by lane, and permutations */
    }
    switch (vop) {
    case VOP_fadd: case VOP_fsub: case VOP_fmul: case VOP_fdiv: case VOP_fmax: case VOP_fmin:
    case VOP_fmaxnm: case VOP_fminnm: case VOP_fmla: case VOP_fsqrt: case VOP_frint:
    case VOP_fmulx: case VOP_fcvtn:
        return 1u << V_LG(arg);         /* not comparisons: zeroes are equal */
    case VOP_xtn: case VOP_sqxtn: case VOP_uqxtn: case VOP_sqxtun:
        return 8;
    case VOP_fcvt:
        return 1u << V_X(arg);
    case VOP_fcvts: case VOP_fcvtu: case VOP_scvtf: case VOP_ucvtf:
        return V_LG(arg) == V_SIZE(arg) ? 8 : 16;
    default:
        return 16;
    }
}

unsigned gen_vec_bytes(const struct ir *ir, ir_ref v)
{
    const struct ir_op *p = &ir->op[v];

    switch (p->op) {
    case IR_VFROM: return ir->op[p->a].hi0 ? 4 : 8;
    case IR_VI2F: return 1u << V_SIZE(p->k >> 16);
    case IR_VLOW: return p->cc;
    case IR_VLOAD: return 1u << GEN_MI_SIZE(p->k2);
    case IR_VCONST: return p->k2 ? 16 : p->k >> 32 ? 8 : 4;
    case IR_V1: case IR_V2: case IR_V3: return primitive_bytes(p->k & 0xffff, p->k >> 16);
    case IR_VCALL: return primitive_bytes(p->k, p->k2);
    default: return 16;
    }
}

/* Primitives that make zero of zeroes. */
static bool keeps_zero(unsigned vop)
{
    switch (vop) {
    case VOP_add: case VOP_sub: case VOP_mul: case VOP_and: case VOP_orr: case VOP_eor:
    case VOP_bic: case VOP_smax: case VOP_smin: case VOP_umax: case VOP_umin: case VOP_cmgt:
    case VOP_cmtst: case VOP_bsl: case VOP_shli: case VOP_ushri: case VOP_sshri:
        return true;
    default:
        return false;
    }
}

static void invert(struct gen *g, int d, int a)
{
    gen_lit(g, P(0xef), d, a, UINT64_MAX, UINT64_MAX);
}

static void lower(struct gen *g)
{
    static const uint32_t max_s[3] = { P38(0x3c), P(0xee), P38(0x3d) };
    static const uint32_t max_u[3] = { P(0xde), P38(0x3e), P38(0x3f) };
    static const uint32_t eq[4] = { P(0x74), P(0x75), P(0x76), P38(0x29) };
    static const uint32_t gt[4] = { P(0x64), P(0x65), P(0x66), P38(0x37) };
    const struct ir_op *p = op(g);
    unsigned vop = p->k & 0xffff;
    uint32_t arg = p->k >> 16, o;
    unsigned size = V_SIZE(arg), lg = V_LG(arg), x = V_X(arg);
    int a = p->a ? gen_vuse(g, p->a) : -1, b = p->b ? gen_vuse(g, p->b) : -1;
    int c = p->c ? gen_vuse(g, p->c) : -1, d;
    bool swap = false, zero_above = false, is_512, is_simd, is_sat;
    struct x64 *as = &g->c;

    is_512 = gen_avx512_native(g->guest->host, vop, arg);
    is_simd = !is_512 && gen_simd_native(g->guest->host, vop, arg);
    is_sat = !is_512 && !is_simd && gen_sat_native(g->guest->host, vop, arg);
    o = is_512 || is_simd || is_sat ? 0 : simple2_opcode(vop, size, &swap);
    d = o ? gen_vdef_one(g, g->i) : gen_vdef(g, g->i);
    if (o) {
        x64_v(as, o, d, swap ? b : a, swap ? a : b);
    } else if (is_512) {
        zero_above = gen_avx512(g, vop, arg, d, a, b, c);
    } else if (is_simd) {
        zero_above = gen_simd(g, vop, arg, d, a, b, c);
    } else if (is_sat) {
        gen_sat(g, vop, arg, d, a, b, c);
    } else {
        switch (vop) {
        case VOP_orn:
            invert(g, 15, b);
            x64_v(as, P(0xeb), d, a, 15);
            break;
        case VOP_bsl:
            x64_v(as, P(0xdb), 15, a, b);
            x64_v(as, P(0xdf), 14, a, c);
            x64_v(as, P(0xeb), d, 14, 15);
            break;
        case VOP_cmge:
            if (size < 3) {                             /* max(a, b) == a */
                x64_v(as, max_s[size], 15, a, b);
                x64_v(as, eq[size], d, 15, a);
            } else {                                    /* !(b > a) */
                x64_v(as, gt[size], 14, b, a);
                invert(g, d, 14);
            }
            break;
        case VOP_cmhs:                                  /* max(a, b) == a */
            x64_v(as, max_u[size], 15, a, b);
            x64_v(as, eq[size], d, 15, a);
            break;
        case VOP_cmhi:                                  /* !(max(a, b) == b) */
            x64_v(as, max_u[size], 15, a, b);
            x64_v(as, eq[size], 14, 15, b);
            invert(g, d, 14);
            break;
        case VOP_cmtst:                                 /* !((a & b) == 0) */
            x64_v(as, P(0xdb), 14, a, b);
            gen_lit(g, eq[size], 14, 14, 0, 0);
            invert(g, d, 14);
            break;
        case VOP_shli:
            x64_vi(as, P(size == 1 ? 0x71 : size == 2 ? 0x72 : 0x73), 6, d, a, x);
            break;
        case VOP_ushri:
            x64_vi(as, P(size == 1 ? 0x71 : size == 2 ? 0x72 : 0x73), 2, d, a, x);
            break;
        case VOP_sshri:
            x64_vi(as, P(size == 1 ? 0x71 : 0x72), 4, d, a, x);
            break;
        default:
            assert(!"native primitive");
        }
    }
    if (vop >= VOP_aese) {
        return;                         /* cryptography and compositions */
    }
    if (lg < 4 && !zero_above && !(keeps_zero(vop) && (a < 0 || gen_vec_bytes(g->ir, p->a) <= 1u << lg) &&
                    (b < 0 || gen_vec_bytes(g->ir, p->b) <= 1u << lg) &&
                    (c < 0 || gen_vec_bytes(g->ir, p->c) <= 1u << lg))) {
        gen_keep_low(g, d, d, 1u << lg);
    }
}

void gen_vec(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a;

    switch (p->op) {
    case IR_VFROM:
        a = gen_use(g, p->a);
        x64_v(&g->c, P(0x6e) | OP_W, gen_vdef(g, g->i), 0, a);
        break;
    case IR_VTO: vto(g); break;
    case IR_VINS: vins(g); break;
    case IR_VDUP: vdup(g); break;
    case IR_VLOW:
        vlow(g);
        break;
    case IR_V1: case IR_V2: case IR_V3:
        if (gen_fp_native(g->guest->host, p->k)) {
            gen_fp(g);
        } else {
            lower(g);
        }
        break;
    case IR_VCALL: vcall(g); break;
    default: assert(!"vector operation");
    }
}
