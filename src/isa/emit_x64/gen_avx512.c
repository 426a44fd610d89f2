/* SPDX-License-Identifier: Apache-2.0 */
/* Vector primitives for which AVX-512 (on 128 bits) has something better than gen_vec.c,
 * gen_simd.c and gen_sat.c, and GFNI, which comes without it too.  XMM14, XMM15, K1 and the result
 * register are free to use; the result register is none of the operands.
 *
 * Comparisons stay as they are: by way of K1 they are fewer instructions, but later ready.  So
 * does narrowing without saturation, for VPSHUFB takes one operation of the host, VPMOVWB two. */
#include "isa/emit_x64/gen_fp.h"
#include "isa/emit_x64/gen_vop.h"

#include <assert.h>

#define P(op) ((op) | OP_0F | OP_66)
#define P38(op) ((op) | OP_0F38 | OP_66)
#define P3A(op) ((op) | OP_0F3A | OP_66)
#define E38(op) (P38(op) | OP_EVEX)
#define E3A(op) (P3A(op) | OP_EVEX)
#define EF3(op) ((op) | OP_0F38 | OP_F3 | OP_EVEX)

enum { K1 = 1, T0 = 15, T1 = 14 };
enum { CMP_LE = 2, CMP_GE = 5, CMP_GT = 6 };
enum { TERN_SELECT = 0xca, TERN_ORN = 0xdd };       /* d ? b : c; b | ~c */

static bool avx512_native(uint32_t host, unsigned vop, uint32_t arg)
{
    unsigned size = V_SIZE(arg), lg = V_LG(arg);

    switch (vop) {
    case VOP_bsl: case VOP_orn: case VOP_tbx:
        return lg >= 3;
    case GEN_V_BLEND:
        return true;
    case VOP_cnt:
        return lg >= 3 && (host & GEN_HOST_BITALG);
    case VOP_clz:
        return lg >= 3 && size == 2;
    case VOP_cmhi: case VOP_cmhs: case VOP_cmge: case VOP_sshri: case VOP_abs:
        return lg >= 3 && size == 3;
    case VOP_ushl: case VOP_sshl:
        return lg >= 3;
    case VOP_sqxtn: case VOP_uqxtn: case VOP_sqxtun:
        return size == 2 && lg == 3;
    default:
        return false;
    }
}

static bool gfni_native(unsigned vop, uint32_t arg)
{
    switch (vop) {
    case VOP_rbit:
        return V_LG(arg) >= 3;
    case VOP_shli: case VOP_ushri: case VOP_sshri:
        return V_LG(arg) >= 3 && !V_SIZE(arg);
    default:
        return false;
    }
}

bool gen_avx512_native(uint32_t host, unsigned vop, uint32_t arg)
{
    return ((host & GEN_HOST_AVX512) && avx512_native(host, vop, arg)) ||
           ((host & GEN_HOST_GFNI) && gfni_native(vop, arg));
}

static void vv(struct gen *g, unsigned op, int d, int a, int b)
{
    x64_v(&g->c, op, d, a, b);
}

static void vi(struct gen *g, unsigned op, int d, int a, int b, unsigned imm)
{
    x64_vi(&g->c, op, d, a, b, imm);
}

static void move(struct gen *g, int d, int a)
{
    vv(g, 0x28 | OP_0F, d, 0, a);
}

static void compare64(struct gen *g, unsigned o, unsigned predicate, int d, int a, int b)
{
    vi(g, o | OP_W, K1, a, b, predicate);
    vv(g, EF3(0x38) | OP_W, d, 0, K1);                                  /* vpmovm2q */
}

/* Bytes, each multiplied with a matrix of bits: row i of the matrix, which is its byte 7 - i, says
 * of what bits bit i of the result is the sum. */
static void gf_affine(struct gen *g, unsigned vop, unsigned n, int d, int a)
{
    uint64_t k = 0;

    for (unsigned i = 0; i < 8; i++) {
        unsigned from = vop == VOP_rbit ? 7 - i : vop == VOP_shli ? i - n : i + n;
        if (from > 7 && vop == VOP_sshri) {
            from = 7;
        }
        k |= from > 7 ? 0 : UINT64_C(1) << from << 8 * (7 - i);
    }
    gen_lit_i(g, P3A(0xce) | OP_W, d, a, k, k, 0);                      /* vgf2p8affineqb */
}

/* ---- shifts by register: by the low byte, signed ---- */
/* d = a shifted to the left by `by`, or where that is negative to the right; T0 is scratch. */
static void shift_lanes(struct gen *g, bool is_signed, unsigned size, int d, int a, int by)
{
    static const uint32_t sub[4] = { 0, P(0xf9), P(0xfa), P(0xfb) };
    static const uint32_t left[4] = { 0, E38(0x12) | OP_W, P38(0x47), P38(0x47) | OP_W };
    static const uint32_t right[4] = { 0, E38(0x10) | OP_W, P38(0x45), P38(0x45) | OP_W };
    static const uint32_t right_s[4] = { 0, E38(0x11) | OP_W, E38(0x46), E38(0x46) | OP_W };
    static const uint32_t signs[4] = { 0, EF3(0x29) | OP_W, EF3(0x39), EF3(0x39) | OP_W };

    vv(g, P(0xef), T0, T0, T0);
    vv(g, sub[size], T0, T0, by);
    vv(g, left[size], d, a, by);
    if (is_signed) {
        vv(g, signs[size], K1, 0, by);                                  /* vpmovw2m … */
        vv(g, right_s[size] | OP_K1, d, a, T0);
    } else {
        vv(g, right[size], T0, a, T0);
        vv(g, P(0xeb), d, d, T0);
    }
}

/* Bytes in two halves, as halfwords. */
static void shift_bytes(struct gen *g, bool is_signed, unsigned lg, int d, int a, int b)
{
    unsigned extend = P38(is_signed ? 0x20 : 0x30);
    int x = gen_vtmp(g), half = gen_vtmp(g);
    uint64_t low = UINT64_C(0x00ff00ff00ff00ff);

    vv(g, P38(0x20), T1, 0, b);                                         /* vpmovsxbw */
    vv(g, extend, x, 0, a);
    shift_lanes(g, is_signed, 1, half, x, T1);
    gen_lit(g, P(0xdb), half, half, low, low);
    if (lg == 4) {
        vi(g, P(0x70), T1, 0, b, 0xee);
        vv(g, P38(0x20), T1, 0, T1);
        vi(g, P(0x70), x, 0, a, 0xee);
        vv(g, extend, x, 0, x);
        shift_lanes(g, is_signed, 1, d, x, T1);
        gen_lit(g, P(0xdb), d, d, low, low);
    } else {
        vv(g, P(0xef), d, d, d);
    }
    vv(g, P(0x67), d, half, d);                                         /* vpackuswb */
}

static void shift_by(struct gen *g, bool is_signed, uint32_t arg, int d, int a, int b)
{
    switch (V_SIZE(arg)) {
    case 0:
        shift_bytes(g, is_signed, V_LG(arg), d, a, b);
        return;
    case 3:
        gen_lit(g, P38(0x00), T1, b, UINT64_C(0x0800), 0);              /* vpshufb */
        vv(g, P38(0x22), T1, 0, T1);                                    /* vpmovsxbq */
        break;
    default: {
        unsigned words = V_SIZE(arg) == 1, n = words ? 8 : 24;
        vi(g, P(words ? 0x71 : 0x72), 6, T1, b, n);                     /* vpsll, vpsra */
        vi(g, P(words ? 0x71 : 0x72), 4, T1, T1, n);
    }
    }
    shift_lanes(g, is_signed, V_SIZE(arg), d, a, T1);
}

/* ---- others ---- */
/* 64 bits to 32; what has not come through sets FPSR.QC. */
static void narrow(struct gen *g, unsigned vop, int d, int a)
{
    bool is_signed = vop == VOP_sqxtn;
    int from = a;

    gen_clobber_ef(g);
    if (vop == VOP_sqxtun) {
        vv(g, P(0xef), T1, T1, T1);
        vv(g, E38(0x3d) | OP_W, T1, T1, a);                             /* vpmaxsq */
        from = T1;
    }
    vv(g, EF3(is_signed ? 0x25 : 0x15), from, 0, d);                    /* vpmov[u]sqd */
    vv(g, P38(is_signed ? 0x25 : 0x35), T0, 0, d);                      /* vpmov[sz]xdq */
    vv(g, P(0xef), T0, T0, a);
    gen_qc_if(g, T0, 4);
}

static void tbx(struct gen *g, unsigned first, int d, int a, int b, int c)
{
    const struct ir_op *other = &g->ir->op[g->ir->op[g->i].c];
    uint64_t each = UINT64_C(0x0101010101010101);

    if (first) {
        gen_vconst(g, T0, each * first, each * first);
        vv(g, P(0xf8), T1, b, T0);
        b = T1;
    }
    if (other->op == IR_VCONST && !other->k && !other->k2) {
        gen_lit(g, P(0xdc), T0, b, each * 0x70, each * 0x70);           /* as gen_simd.c */
        vv(g, P38(0x00), d, a, T0);
        return;
    }
    move(g, d, c);
    gen_lit_i(g, E3A(0x3e), K1, b, each * 15, each * 15, CMP_LE);       /* vpcmpub */
    vv(g, E38(0x00) | OP_K1, d, a, b);                                  /* vpshufb */
}

/* Returns whether what is above the active bytes is zero for certain. */
bool gen_avx512(struct gen *g, unsigned vop, uint32_t arg, int d, int a, int b, int c)
{
    switch (vop) {
    case VOP_bsl: case GEN_V_BLEND:
        move(g, d, a);
        vi(g, E3A(0x25), d, b, c, TERN_SELECT);                         /* vpternlogd */
        break;
    case VOP_orn: vi(g, E3A(0x25), d, a, b, TERN_ORN); break;
    case VOP_tbx: tbx(g, V_X(arg), d, a, b, c); break;
    case VOP_cnt: vv(g, E38(0x54), d, 0, a); break;                     /* vpopcntb */
    case VOP_clz: vv(g, E38(0x44), d, 0, a); break;                     /* vplzcntd */
    case VOP_cmhi: compare64(g, E3A(0x1e), CMP_GT, d, a, b); break;     /* vpcmpuq */
    case VOP_cmhs: compare64(g, E3A(0x1e), CMP_GE, d, a, b); break;
    case VOP_cmge: compare64(g, E3A(0x1f), CMP_GE, d, a, b); break;     /* vpcmpq */
    case VOP_abs: vv(g, E38(0x1f) | OP_W, d, 0, a); break;
    case VOP_ushl: case VOP_sshl: shift_by(g, vop == VOP_sshl, arg, d, a, b); break;
    case VOP_sqxtn: case VOP_uqxtn: case VOP_sqxtun:
        narrow(g, vop, d, a);
        return true;
    case VOP_sshri:
        if (V_SIZE(arg)) {
            vi(g, P(0x72) | OP_EVEX | OP_W, 4, d, a, V_X(arg));         /* vpsraq */
            break;
        }
        /* fall through */
    case VOP_rbit: case VOP_shli: case VOP_ushri: gf_affine(g, vop, V_X(arg), d, a); break;
    default: assert(!"native vector primitive");
    }
    return false;
}
