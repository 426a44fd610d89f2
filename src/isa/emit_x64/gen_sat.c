/* SPDX-License-Identifier: Apache-2.0 */
/* Integer vector primitives with saturation (FPSR.QC), halving, rounding and shifts by register;
 * dot products and hashes.  XMM14, XMM15 and the result register are free to use; the result
 * register is none of the operands. */
#include "isa/emit_x64/gen_fp.h"
#include "isa/emit_x64/gen_vop.h"

#include <assert.h>

#define P(op) ((op) | OP_0F | OP_66)
#define P38(op) ((op) | OP_0F38 | OP_66)
#define P3A(op) ((op) | OP_0F3A | OP_66)

static const uint32_t op_add[4] = { P(0xfc), P(0xfd), P(0xfe), P(0xd4) };
static const uint32_t op_sub[4] = { P(0xf8), P(0xf9), P(0xfa), P(0xfb) };
static const uint32_t op_eq[4] = { P(0x74), P(0x75), P(0x76), P38(0x29) };
enum { OP_AND = P(0xdb), OP_ANDN = P(0xdf), OP_OR = P(0xeb), OP_XOR = P(0xef) };

bool gen_sat_native(uint32_t host, unsigned vop, uint32_t arg)
{
    unsigned size = V_SIZE(arg), lg = V_LG(arg);

    switch (vop) {
    case VOP_sqadd: case VOP_sqsub: case VOP_sqabs: case VOP_sqneg:
        return true;
    case VOP_uqadd: case VOP_uqsub:
        return size < 3;
    case VOP_sqdmulh: case VOP_sqrdmulh:
        return size == 1 || size == 2;
    case VOP_shadd: case VOP_uhadd: case VOP_srhadd: case VOP_urhadd:
    case VOP_shsub: case VOP_uhsub:
        return size < 3;
    case VOP_ushl: case VOP_sshl:
        return size >= 1 || lg >= 3;
    case GEN_V_SQSHLI: case GEN_V_UQSHLI: case GEN_V_SQSHLUI:
        return true;
    case VOP_sqxtn: case VOP_uqxtn: case VOP_sqxtun:
        return size < 2 && lg == 3;
    case VOP_sdot: case VOP_udot: case VOP_rbit:
        return lg >= 3;
    case VOP_saddlp:
        return size == 2 && lg >= 3;
    case VOP_abs:
        return size == 3;
    case VOP_pmull:
        return size == 3 && (host & GEN_HOST_PCLMUL);
    case VOP_sha1h: case VOP_sha1su0: case VOP_sha1su1:
        return true;
    case VOP_sha1c: case VOP_sha1p: case VOP_sha1m:
    case VOP_sha256h: case VOP_sha256h2: case VOP_sha256su0: case VOP_sha256su1:
        return host & GEN_HOST_SHA;
    default:
        return false;
    }
}

static void vv(struct gen *g, unsigned op, int d, int a, int b)
{
    x64_v(&g->c, op, d, a, b);
}

static void vi(struct gen *g, unsigned op, int d, int a, int b, unsigned imm)
{
    x64_vi(&g->c, op, d, a, b, imm);
}

/* Digit 2 SRL, 4 SRA, 6 SLL. */
static void shift(struct gen *g, unsigned size, unsigned digit, int d, int a, unsigned n)
{
    vi(g, P(size == 1 ? 0x71 : size == 2 ? 0x72 : 0x73), digit, d, a, n);
}

/* op d, a, k in every element of `size` */
static void with(struct gen *g, unsigned op, int d, int a, unsigned size, uint64_t k)
{
    k &= UINT64_MAX >> (64 - (8u << size));
    for (unsigned bits = 8u << size; bits < 64; bits *= 2) {
        k |= k << bits;
    }
    gen_lit(g, op, d, a, k, k);
}

static uint64_t min_of(unsigned size)
{
    return UINT64_C(1) << ((8u << size) - 1);
}

/* Destroys t. */
void gen_qc_if(struct gen *g, int t, unsigned lg)
{
    struct gen_stub *s = gen_stub(g, GEN_STUB_QC);

    if (lg < 4) {
        gen_keep_low(g, t, t, 1u << lg);
    }
    vv(g, P38(0x17), t, 0, t);                                          /* vptest */
    s->from = x64_jcc(&g->c, CC_NE);
    s->back = g->c.p;
}

/* ---- saturating ---- */
/* Bytes and words. */
static void saturate_narrow(struct gen *g, unsigned o, unsigned plain, unsigned lg, int d, int a,
                            int b)
{
    vv(g, o, d, a, b);
    vv(g, plain, 15, a, b);
    vv(g, OP_XOR, 15, 15, d);
    gen_qc_if(g, 15, lg);
}

/* Signed, 32 and 64 bits: overflow is in the sign of (a ^ r) & (b ^ r), or, subtracting,
 * (a ^ r) & (a ^ b). */
static void saturate_wide(struct gen *g, bool subtract, unsigned size, unsigned lg, int d, int a,
                          int b)
{
    vv(g, (subtract ? op_sub : op_add)[size], 14, a, b);
    vv(g, OP_XOR, 15, a, 14);
    vv(g, OP_XOR, d, b, subtract ? a : 14);
    vv(g, OP_AND, 15, 15, d);
    if (size == 2) {
        shift(g, 2, 4, 15, 15, 31);
        shift(g, 2, 4, d, a, 31);
    } else {
        vv(g, OP_XOR, d, d, d);
        vv(g, P38(0x37), 15, d, 15);                                    /* 0 > x */
        vv(g, P38(0x37), d, d, a);
    }
    with(g, OP_XOR, d, d, size, min_of(size) - 1);
    vi(g, P3A(0x4c), d, 14, d, 15 << 4);                                /* vpblendvb */
    gen_qc_if(g, 15, lg);
}

static void saturate_u32(struct gen *g, bool subtract, unsigned lg, int d, int a, int b)
{
    if (subtract) {
        vv(g, P38(0x3f), 15, a, b);                                     /* vpmaxud */
        vv(g, P(0xfa), d, 15, b);
        vv(g, OP_XOR, 15, 15, a);
    } else {
        vv(g, P(0xfe), 14, a, b);
        vv(g, P38(0x3f), 15, a, 14);
        vv(g, P(0x76), 15, 15, 14);                                     /* no carry */
        vv(g, P(0x76), d, d, d);
        vv(g, OP_XOR, 15, 15, d);
        vv(g, OP_OR, d, 14, 15);
    }
    gen_qc_if(g, 15, lg);
}

static void saturating(struct gen *g, unsigned vop, unsigned size, unsigned lg, int d, int a,
                       int b)
{
    static const uint32_t narrow[4][2] = {
        { P(0xec), P(0xed) }, { P(0xe8), P(0xe9) }, { P(0xdc), P(0xdd) }, { P(0xd8), P(0xd9) },
    };
    bool subtract = vop == VOP_sqsub || vop == VOP_uqsub;
    bool is_unsigned = vop == VOP_uqadd || vop == VOP_uqsub;

    if (size < 2) {
        saturate_narrow(g, narrow[2 * is_unsigned + subtract][size],
                        (subtract ? op_sub : op_add)[size], lg, d, a, b);
    } else if (is_unsigned) {
        saturate_u32(g, subtract, lg, d, a, b);
    } else {
        saturate_wide(g, subtract, size, lg, d, a, b);
    }
}

/* The most negative number, the only one that has no opposite, becomes the most positive. */
static void negate(struct gen *g, bool is_abs, unsigned size, unsigned lg, int d, int a)
{
    vv(g, OP_XOR, 14, 14, 14);
    if (!is_abs) {
        vv(g, op_sub[size], d, 14, a);
    } else if (size < 3) {
        vv(g, P38(0x1c + size), d, 0, a);
    } else {
        vv(g, P38(0x37), 14, 14, a);
        vv(g, OP_XOR, d, a, 14);
        vv(g, P(0xfb), d, d, 14);
    }
    with(g, op_eq[size], 15, a, size, min_of(size));
    vv(g, OP_XOR, d, d, 15);
    gen_qc_if(g, 15, lg);
}

/* The only product that does not fit is that of the most negative number with itself, which
 * comes out as the most negative number. */
static void double_multiply(struct gen *g, bool rounds, unsigned size, unsigned lg, int d, int a,
                            int b)
{
    if (size == 1 && rounds) {
        vv(g, P38(0x0b), d, a, b);                                      /* vpmulhrsw */
    } else if (size == 1) {
        vv(g, P(0xe5), 14, a, b);
        vv(g, P(0xd5), 15, a, b);
        shift(g, 1, 6, 14, 14, 1);
        shift(g, 1, 2, 15, 15, 15);
        vv(g, OP_OR, d, 14, 15);
    } else {
        shift(g, 3, 2, 15, a, 32);
        shift(g, 3, 2, d, b, 32);
        vv(g, P38(0x28), 14, a, b);                                     /* vpmuldq */
        vv(g, P38(0x28), 15, 15, d);
        shift(g, 3, 6, 14, 14, 1);
        shift(g, 3, 6, 15, 15, 1);
        if (rounds) {
            with(g, P(0xd4), 14, 14, 3, UINT64_C(1) << 31);
            with(g, P(0xd4), 15, 15, 3, UINT64_C(1) << 31);
        }
        shift(g, 3, 2, 14, 14, 32);
        vi(g, P3A(0x02), d, 14, 15, 0x0a);                              /* vpblendd */
    }
    with(g, op_eq[size], 15, d, size, min_of(size));
    vv(g, OP_XOR, d, d, 15);
    gen_qc_if(g, 15, lg);
}

static void narrow(struct gen *g, unsigned vop, unsigned size, int d, int a)
{
    static const uint32_t pack_s[2] = { P(0x63), P(0x6b) }, pack_u[2] = { P(0x67), P38(0x2b) };
    static const uint32_t min_u[2] = { P38(0x3a), P38(0x3b) };
    static const uint8_t extend[2] = { 0x20, 0x23 };

    if (vop == VOP_uqxtn) {
        with(g, min_u[size], 15, a, size + 1, UINT64_MAX >> (64 - (8u << size)));
        vv(g, pack_u[size], d, 15, 15);
    } else {
        vv(g, (vop == VOP_sqxtn ? pack_s : pack_u)[size], d, a, a);
        vv(g, P38(extend[size] + (vop == VOP_sqxtn ? 0 : 0x10)), 15, 0, d);
    }
    vv(g, OP_XOR, 15, 15, a);
    gen_qc_if(g, 15, 4);
}

/* ---- halving ---- */
/* Bytes and words by VPAVG, (x + y + 1) >> 1 unsigned; a signed number is an unsigned one with
 * the sign bit turned. */
static void halve_narrow(struct gen *g, unsigned vop, unsigned size, int d, int a, int b)
{
    unsigned avg = size ? P(0xe3) : P(0xe0);
    bool is_signed = vop == VOP_shadd || vop == VOP_srhadd || vop == VOP_shsub;
    bool subtract = vop == VOP_shsub || vop == VOP_uhsub;

    if (is_signed) {
        with(g, OP_XOR, 14, a, size, min_of(size));
        with(g, OP_XOR, 15, b, size, subtract ? ~min_of(size) : min_of(size));
        a = 14;
        b = 15;
    } else if (subtract) {
        with(g, OP_XOR, 15, b, size, UINT64_MAX);
        b = 15;
    }
    vv(g, avg, d, a, b);
    if (vop == VOP_shadd || vop == VOP_uhadd) {
        vv(g, OP_XOR, 15, a, b);
        with(g, OP_AND, 15, 15, size, 1);
        vv(g, op_sub[size], d, d, 15);
    }
    if (is_signed || subtract) {
        with(g, OP_XOR, d, d, size, min_of(size));
    }
}

static void halve_u32(struct gen *g, unsigned vop, int d, int a, int b)
{
    bool is_signed = vop == VOP_shadd || vop == VOP_srhadd || vop == VOP_shsub;
    unsigned right = is_signed ? 4 : 2;

    if (vop == VOP_shsub || vop == VOP_uhsub) {
        vv(g, OP_ANDN, 15, a, b);
        with(g, OP_AND, 15, 15, 2, 1);
        shift(g, 2, right, 14, a, 1);
        shift(g, 2, right, d, b, 1);
        vv(g, P(0xfa), d, 14, d);
        vv(g, P(0xfa), d, d, 15);
        return;
    }
    vv(g, OP_XOR, 15, a, b);
    shift(g, 2, right, 15, 15, 1);
    if (vop == VOP_shadd || vop == VOP_uhadd) {
        vv(g, OP_AND, d, a, b);
        vv(g, P(0xfe), d, d, 15);
    } else {
        vv(g, OP_OR, d, a, b);
        vv(g, P(0xfa), d, d, 15);
    }
}

/* ---- saturating shift to the left by n: what is too large is cut to what just fits, and gets
 * ones for the zeroes that are shifted in ---- */
static void shift_saturating(struct gen *g, unsigned vop, uint32_t arg, int d, int a)
{
    static const uint32_t max_s[3] = { P38(0x3c), P(0xee), P38(0x3d) };
    static const uint32_t min_s[3] = { P38(0x38), P(0xea), P38(0x39) };
    static const uint32_t min_u[3] = { P(0xda), P38(0x3a), P38(0x3b) };
    static const uint32_t gt[3] = { P(0x64), P(0x65), P(0x66) };
    unsigned size = V_SIZE(arg), lg = V_LG(arg), n = V_X(arg);
    uint64_t max = min_of(size) - 1, all = 2 * max + 1, hi = all >> n;
    uint64_t fill = (UINT64_C(1) << n) - 1;
    int64_t lo = 0;

    if (vop == GEN_V_UQSHLI) {
        with(g, min_u[size], 15, a, size, hi);
        vv(g, OP_XOR, 14, 15, a);
        with(g, op_eq[size], d, 14, size, 0);
        with(g, OP_ANDN, d, d, size, fill);
    } else {
        if (vop == GEN_V_SQSHLI) {
            hi = max >> n;
            lo = -(int64_t)min_of(size) >> n;
        } else if (hi > max) {
            hi = max;
        }
        with(g, max_s[size], 15, a, size, lo);
        with(g, min_s[size], 15, 15, size, hi);
        vv(g, OP_XOR, 14, 15, a);
        with(g, gt[size], d, a, size, hi);
        with(g, OP_AND, d, d, size, fill);
    }
    shift(g, size ? size : 1, 6, 15, 15, n);
    if (size == 0) {
        with(g, OP_AND, 15, 15, 0, all << n);
    }
    vv(g, OP_OR, d, d, 15);
    if (lg < 4) {
        gen_keep_low(g, d, d, 1u << lg);
    }
    gen_qc_if(g, 14, lg);
}

/* ---- shifts by register: by the low byte, signed ---- */
/* d = a shifted to the left by s, or where s is negative to the right by -s; size 2 and 3.
 * Destroys s. */
static void shift_lanes(struct gen *g, bool is_signed, unsigned size, int d, int a, int s, int t)
{
    unsigned w = size == 3 ? OP_W : 0;

    vv(g, OP_XOR, t, t, t);
    vv(g, op_sub[size], t, t, s);
    vv(g, P38(0x47) | w, d, a, s);                                      /* vpsllv */
    if (!is_signed) {
        vv(g, P38(0x45) | w, t, a, t);                                  /* vpsrlv */
        vv(g, OP_OR, d, d, t);
        return;
    }
    if (size == 2) {
        vv(g, P38(0x46), t, a, t);                                      /* vpsravd */
    } else {                            /* x ^ sign, as unsigned, ^ sign */
        int sign = gen_vtmp(g), x = gen_vtmp(g);
        vv(g, OP_XOR, sign, sign, sign);
        vv(g, P38(0x37), sign, sign, a);
        vv(g, OP_XOR, x, a, sign);
        vv(g, P38(0x45) | w, t, x, t);
        vv(g, OP_XOR, t, t, sign);
    }
    vi(g, P3A(size == 2 ? 0x4a : 0x4b), d, d, t, s << 4);               /* vblendvp: negative */
}

/* Halfwords in two halves, as words. */
static void shift_halfwords(struct gen *g, bool is_signed, int d, int a, int b)
{
    int by = gen_vtmp(g), x = gen_vtmp(g), half = gen_vtmp(g);
    unsigned extend = P38(is_signed ? 0x23 : 0x33);

    shift(g, 1, 6, by, b, 8);
    shift(g, 1, 4, by, by, 8);
    vv(g, P38(0x23), 15, 0, by);                                        /* vpmovsxwd */
    vv(g, extend, x, 0, a);
    shift_lanes(g, is_signed, 2, half, x, 15, 14);
    vi(g, P(0x70), 15, 0, by, 0xee);
    vv(g, P38(0x23), 15, 0, 15);
    vi(g, P(0x70), x, 0, a, 0xee);
    vv(g, extend, x, 0, x);
    shift_lanes(g, is_signed, 2, d, x, 15, 14);
    with(g, OP_AND, half, half, 2, UINT16_MAX);
    with(g, OP_AND, d, d, 2, UINT16_MAX);
    vv(g, P38(0x2b), d, half, d);                                       /* vpackusdw */
}

/* d = the high (or low) bytes of the products of bytes, without sign; `t` is scratch, may be a. */
static void multiply_bytes(struct gen *g, bool high, int d, int a, int b, int t)
{
    const uint64_t even = UINT64_C(0x00ff00ff00ff00ff);

    gen_lit(g, OP_AND, d, a, even, even);
    gen_lit(g, OP_AND, 15, b, even, even);
    vv(g, P(0xd5), d, d, 15);                                           /* vpmullw */
    shift(g, 1, 2, t, a, 8);
    shift(g, 1, 2, 15, b, 8);
    vv(g, P(0xd5), t, t, 15);
    if (high) {
        shift(g, 1, 2, d, d, 8);
        gen_lit(g, OP_AND, t, t, ~even, ~even);
    } else {
        gen_lit(g, OP_AND, d, d, even, even);
        shift(g, 1, 6, t, t, 8);
    }
    vv(g, OP_OR, d, d, t);
}

/* t = 2^n in each byte by the table, whose index is b; 0 for indexes of 16 and more. */
static void power(struct gen *g, int t, int b, uint64_t lo, uint64_t hi)
{
    with(g, P(0xdc), 15, b, 0, 0x70);                                   /* vpaddusb: bit 7 */
    gen_vconst(g, t, lo, hi);
    vv(g, P38(0x00), t, t, 15);                                         /* vpshufb */
}

/* To the left by a product with 2^n; to the right by n as the high half of one with 2^(8 - n), of
 * which a negative number is the complement of its complement. */
static void shift_bytes(struct gen *g, bool is_signed, int d, int a, int b)
{
    int left = gen_vtmp(g), t = gen_vtmp(g), sign = is_signed ? gen_vtmp(g) : -1;

    power(g, t, b, UINT64_C(0x8040201008040201), 0);
    multiply_bytes(g, false, left, a, t, 14);
    vv(g, OP_XOR, 14, 14, 14);
    vv(g, P(0xf8), 14, 14, b);
    power(g, t, 14, UINT64_C(0x0204081020408000), 1);
    if (!is_signed) {
        multiply_bytes(g, true, d, a, t, 14);
        vv(g, OP_OR, d, d, left);
        return;
    }
    vv(g, OP_XOR, sign, sign, sign);
    vv(g, P(0x64), sign, sign, a);                                      /* 0 > a */
    vv(g, OP_XOR, 14, a, sign);
    multiply_bytes(g, true, d, 14, t, 14);
    vv(g, OP_XOR, d, d, sign);
    vi(g, P3A(0x4c), d, left, d, b << 4);                               /* vpblendvb: negative */
}

static void shift_by(struct gen *g, bool is_signed, unsigned size, int d, int a, int b)
{
    if (size == 0) {
        shift_bytes(g, is_signed, d, a, b);
        return;
    }
    if (size == 1) {
        shift_halfwords(g, is_signed, d, a, b);
        return;
    }
    if (size == 2) {
        shift(g, 2, 6, 15, b, 24);
        shift(g, 2, 4, 15, 15, 24);
    } else {
        gen_lit(g, P38(0x00), 15, b, UINT64_C(0x0800), 0);              /* vpshufb */
        vv(g, P38(0x22), 15, 0, 15);                                    /* vpmovsxbq */
    }
    shift_lanes(g, is_signed, size, d, a, 15, 14);
}

/* ---- others ---- */
static void dot(struct gen *g, bool is_signed, unsigned lg, int d, int a, int b, int c)
{
    unsigned extend = P38(is_signed ? 0x20 : 0x30);

    vv(g, extend, 14, 0, a);
    vv(g, extend, 15, 0, b);
    vv(g, P(0xf5), d, 14, 15);                                          /* vpmaddwd */
    if (lg == 4) {
        vi(g, P(0x73), 3, 14, a, 8);
        vi(g, P(0x73), 3, 15, b, 8);
        vv(g, extend, 14, 0, 14);
        vv(g, extend, 15, 0, 15);
        vv(g, P(0xf5), 14, 14, 15);
    } else {
        vv(g, OP_XOR, 14, 14, 14);
    }
    vv(g, P38(0x02), d, d, 14);                                         /* vphaddd */
    vv(g, P(0xfe), d, d, c);
}

static void rbit(struct gen *g, int d, int a)
{
    gen_vconst(g, d, UINT64_C(0xe060a020c0408000), UINT64_C(0xf070b030d0509010));
    with(g, OP_AND, 14, a, 0, 15);
    vv(g, P38(0x00), d, d, 14);
    shift(g, 1, 2, 15, a, 4);
    with(g, OP_AND, 15, 15, 0, 15);
    gen_vconst(g, 14, UINT64_C(0x0e060a020c040800), UINT64_C(0x0f070b030d050901));
    vv(g, P38(0x00), 14, 14, 15);
    vv(g, OP_OR, d, d, 14);
}

/* Pairs of int32 to int64. */
static void saddlp(struct gen *g, int d, int a)
{
    vi(g, P(0x70), 14, 0, a, 0x08);                                     /* lanes 0 and 2 */
    vi(g, P(0x70), 15, 0, a, 0x0d);
    vv(g, P38(0x25), 14, 0, 14);                                        /* vpmovsxdq */
    vv(g, P38(0x25), 15, 0, 15);
    vv(g, P(0xd4), d, 14, 15);
}

/* ---- SHA-256 ---- */
/* SHA256RNDS2 does two rounds, on (C, D, G, H) and (A, B, E, F), with A, C in the highest lane;
 * the former (A, B, E, F) are the new (C, D, G, H).  W + K is in XMM0, which is borrowed. */
static void sha256_rounds(struct gen *g, bool want_y, int d, int x, int y, int w)
{
    const unsigned rnds2 = 0xcb | OP_0F38;

    vi(g, 0xc6 | OP_0F, 14, y, x, 0x11);                                /* F E B A */
    vi(g, 0xc6 | OP_0F, 15, y, x, 0xbb);                                /* H G D C */
    if (d != 0) {
        vv(g, 0x28 | OP_0F, d, 0, 0);
    }
    if (w != 0) {
        vv(g, 0x28 | OP_0F, 0, 0, w);
    }
    x64_rr(&g->c, rnds2, 15, 14);
    vi(g, P(0x73), 3, 0, 0, 8);
    x64_rr(&g->c, rnds2, 14, 15);
    if (d != 0) {
        vv(g, 0x28 | OP_0F, 0, 0, d);
    }
    vi(g, 0xc6 | OP_0F, d, 14, 15, want_y ? 0x11 : 0xbb);
}

static void sha256(struct gen *g, unsigned vop, int d, int a, int b, int c)
{
    switch (vop) {
    case VOP_sha256h: sha256_rounds(g, false, d, a, b, c); break;
    case VOP_sha256h2: sha256_rounds(g, true, d, b, a, c); break;
    case VOP_sha256su0:
        vv(g, 0x28 | OP_0F, d, 0, a);
        x64_rr(&g->c, 0xcc | OP_0F38, d, b);                            /* sha256msg1 */
        break;
    default:
        vi(g, P3A(0x0f), d, c, b, 4);                                   /* vpalignr */
        vv(g, P(0xfe), d, d, a);
        x64_rr(&g->c, 0xcd | OP_0F38, d, c);                            /* sha256msg2 */
    }
}

/* ---- SHA-1 ---- */
/* d = each word of a turned to the left; t is scratch */
static void rotate(struct gen *g, unsigned n, int d, int a, int t)
{
    shift(g, 2, 2, t, a, 32 - n);
    shift(g, 2, 6, d, a, n);
    vv(g, OP_OR, d, d, t);
}

/* SHA1RNDS4 has A in the highest lane, E in the sum with the first word, and adds the constant of
 * its function itself. */
static void sha1_rounds(struct gen *g, unsigned function, int d, int a, int b, int c)
{
    static const uint32_t constant[3] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc };

    vi(g, P(0x70), d, 0, a, 0x1b);
    vi(g, P(0x70), 15, 0, c, 0x1b);
    shift(g, 3, 7, 14, b, 12);                                          /* vpslldq */
    vv(g, P(0xfe), 15, 15, 14);
    with(g, P(0xfa), 15, 15, 2, constant[function]);
    x64_rr(&g->c, 0xcc | OP_0F3A, d, 15);
    x64_b(&g->c, function);
    vi(g, P(0x70), d, 0, d, 0x1b);
}

static void sha1(struct gen *g, unsigned vop, int d, int a, int b, int c)
{
    switch (vop) {
    case VOP_sha1c: sha1_rounds(g, 0, d, a, b, c); break;
    case VOP_sha1p: sha1_rounds(g, 1, d, a, b, c); break;
    case VOP_sha1m: sha1_rounds(g, 2, d, a, b, c); break;
    case VOP_sha1h:
        rotate(g, 30, d, a, 15);
        gen_keep_low(g, d, d, 4);
        break;
    case VOP_sha1su0:
        vi(g, P(0xc6), 15, a, b, 1);                                    /* vshufpd */
        vv(g, OP_XOR, 15, 15, a);
        vv(g, OP_XOR, d, 15, c);
        break;
    default:                            /* the last word of T gets the first one, turned by 2 */
        shift(g, 3, 3, 14, b, 4);
        vv(g, OP_XOR, 14, 14, a);
        rotate(g, 1, d, 14, 15);
        shift(g, 3, 7, 14, 14, 12);
        rotate(g, 2, 14, 14, 15);
        vv(g, OP_XOR, d, d, 14);
    }
}

void gen_sat(struct gen *g, unsigned vop, uint32_t arg, int d, int a, int b, int c)
{
    unsigned size = V_SIZE(arg), lg = V_LG(arg);

    gen_clobber_ef(g);
    switch (vop) {
    case VOP_sqadd: case VOP_sqsub: case VOP_uqadd: case VOP_uqsub:
        saturating(g, vop, size, lg, d, a, b);
        break;
    case VOP_sqabs: case VOP_sqneg: negate(g, vop == VOP_sqabs, size, lg, d, a); break;
    case VOP_sqdmulh: case VOP_sqrdmulh:
        double_multiply(g, vop == VOP_sqrdmulh, size, lg, d, a, b);
        break;
    case VOP_sqxtn: case VOP_uqxtn: case VOP_sqxtun: narrow(g, vop, size, d, a); break;
    case VOP_shadd: case VOP_uhadd: case VOP_srhadd: case VOP_urhadd:
    case VOP_shsub: case VOP_uhsub:
        if (size < 2) {
            halve_narrow(g, vop, size, d, a, b);
        } else {
            halve_u32(g, vop, d, a, b);
        }
        break;
    case VOP_ushl: case VOP_sshl: shift_by(g, vop == VOP_sshl, size, d, a, b); break;
    case VOP_sdot: case VOP_udot: dot(g, vop == VOP_sdot, lg, d, a, b, c); break;
    case VOP_rbit: rbit(g, d, a); break;
    case VOP_saddlp: saddlp(g, d, a); break;
    case VOP_abs:
        vv(g, OP_XOR, 14, 14, 14);
        vv(g, P38(0x37), 14, 14, a);
        vv(g, OP_XOR, d, a, 14);
        vv(g, P(0xfb), d, d, 14);
        break;
    case GEN_V_SQSHLI: case GEN_V_UQSHLI: case GEN_V_SQSHLUI:
        shift_saturating(g, vop, arg, d, a);
        break;
    case VOP_sha1c: case VOP_sha1p: case VOP_sha1m: case VOP_sha1h: case VOP_sha1su0:
    case VOP_sha1su1:
        sha1(g, vop, d, a, b, c);
        break;
    case VOP_sha256h: case VOP_sha256h2: case VOP_sha256su0: case VOP_sha256su1:
        sha256(g, vop, d, a, b, c);
        break;
    case VOP_pmull: vi(g, P3A(0x44), d, a, b, V_X(arg) & 1 ? 0x11 : 0); break;
    default: assert(!"native vector primitive");
    }
}
