/* SPDX-License-Identifier: Apache-2.0 */
/* Integer vector primitives that take several host instructions.  XMM14, XMM15 and the result
 * register are free to use; the result register is none of the operands. */
#include "isa/emit_x64/gen_fp.h"
#include "isa/emit_x64/gen_vop.h"

#include <assert.h>
#include <string.h>

#define P(op) ((op) | OP_0F | OP_66)
#define P38(op) ((op) | OP_0F38 | OP_66)
#define P3A(op) ((op) | OP_0F3A | OP_66)

bool gen_simd_native(uint32_t host, unsigned vop, uint32_t arg)
{
    unsigned size = V_SIZE(arg), lg = V_LG(arg), x = V_X(arg);

    switch (vop) {
    case VOP_xtn:
        return lg == 3;
    case VOP_uzp1: case VOP_uzp2:
        return lg == 4 || (lg > size && size < 3);
    case VOP_trn1: case VOP_trn2:
        return lg >= 3 && lg > size;
    case VOP_zip2:
        return lg == 4 || (lg == 3 && size < 3);
    case VOP_ext:
        return lg >= 3;
    case VOP_dup_lane:
        return true;
    case VOP_uabd: case VOP_sabd: case VOP_abs:
        return size < 3;
    case VOP_rev:
        return lg >= 3 && x <= 3;
    case VOP_uaddlp:
        return lg >= 3 && size < 3;
    case VOP_saddlp:
        return lg >= 3 && size < 2;
    case VOP_smull: case VOP_umull:
        return lg == 4 && size == 2;
    case VOP_mul:
        return size == 0 && lg >= 3;
    case VOP_shli: case VOP_ushri:
        return size == 0 && lg >= 3;
    case VOP_sshri:
        return (size == 0 || size == 3) && lg >= 3;
    case VOP_cmhi: case VOP_cmhs:
        return size == 3;
    case VOP_cnt: case VOP_tbx:
        return lg >= 3;
    case VOP_uxtl: case VOP_sxtl:
        return size < 3 && lg == 4;
    case VOP_clz:
        return size < 3 && lg >= 3;
    case GEN_V_BLEND: case GEN_V_INSERT: case GEN_V_PAIRS: case GEN_V_SHUFFLE:
        return true;
    case VOP_aese: case VOP_aesd: case VOP_aesmc: case VOP_aesimc:
        return host & GEN_HOST_AES;
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

/* By-immediate shifts of words, doublewords, quadwords: digit 2 SRL, 4 SRA, 6 SLL, 3 SRLDQ. */
static void shift(struct gen *g, unsigned size, unsigned digit, int d, int a, unsigned n)
{
    vi(g, P(size == 1 ? 0x71 : size == 2 ? 0x72 : 0x73), digit, d, a, n);
}

static uint64_t each_byte(uint8_t k)
{
    return k * UINT64_C(0x0101010101010101);
}

/* t = the even or odd elements of size, each in a lane of size + 1 (size < 2). */
static void isolate(struct gen *g, unsigned size, bool odd, int t, int a)
{
    static const uint64_t even[2] = { UINT64_C(0x00ff00ff00ff00ff), UINT64_C(0x0000ffff0000ffff) };

    if (odd) {
        shift(g, size + 1, 2, t, a, 8u << size);
    } else {
        gen_lit(g, P(0xdb), t, a, even[size], even[size]);
    }
}

/* d = the even or odd elements of a in the low half, and zero in the high one. */
static void gather(struct gen *g, unsigned size, bool odd, int d, int a)
{
    uint64_t k = 0;

    for (unsigned i = 8; i-- > 0;) {
        unsigned element = i >> size, within = i & ((1u << size) - 1);
        k = k << 8 | (((2 * element + odd) << size) + within);
    }
    gen_lit(g, P38(0x00), d, a, k, UINT64_C(0x8080808080808080));       /* vpshufb */
}

/* Returns whether the high half is zero if lg is 3. */
static bool uzp(struct gen *g, unsigned size, unsigned lg, bool odd, int d, int a, int b)
{
    static const uint32_t join[4] = { 0, P(0x61), P(0x62), P(0x6c) };

    if (lg < 4) {
        /* Both operands in one register, then as a narrowing of it. */
        vv(g, join[lg], 15, a, b);
        gather(g, size, odd, d, 15);
        return lg == 3;
    }
    if (size == 3) {
        vv(g, odd ? P(0x6d) : P(0x6c), d, a, b);
    } else if (size == 2) {
        vi(g, 0xc6 | OP_0F, d, a, b, odd ? 0xdd : 0x88);
    } else {
        isolate(g, size, odd, 14, a);
        if (a != b) {
            isolate(g, size, odd, 15, b);
        }
        vv(g, size == 0 ? P(0x67) : P38(0x2b), d, 14, a == b ? 14 : 15);
    }
    return false;
}

/* Pairs of a and b: bytes or halfwords by what an operation does with the element above. */
static void pairs(struct gen *g, unsigned vop, unsigned size, int d, int a, int b)
{
    static const uint32_t rows[][3] = {
        { VOP_add, P(0xfc), P(0xfd) }, { VOP_smax, P38(0x3c), P(0xee) },
        { VOP_smin, P38(0x38), P(0xea) }, { VOP_umax, P(0xde), P38(0x3e) },
        { VOP_umin, P(0xda), P38(0x3a) },
    };
    uint32_t o = 0;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        o = rows[i][0] == vop ? rows[i][1 + size] : o;
    }
    shift(g, size + 1, 2, 14, a, 8u << size);
    vv(g, o, 14, 14, a);
    isolate(g, size, false, 14, 14);
    if (a != b) {
        shift(g, size + 1, 2, 15, b, 8u << size);
        vv(g, o, 15, 15, b);
        isolate(g, size, false, 15, 15);
    }
    vv(g, size == 0 ? P(0x67) : P38(0x2b), d, 14, a == b ? 14 : 15);
}

/* Lane `to` of a from lane `from` of b. */
static void insert(struct gen *g, unsigned size, unsigned to, unsigned from, int d, int a, int b)
{
    if (size == 2) {
        vi(g, P3A(0x21), d, a, b, from << 6 | to << 4);                 /* vinsertps */
    } else if (to == 0 && from == 1) {
        vi(g, P(0xc6), d, b, a, 3);                                     /* vshufpd */
    } else if (to == 0) {
        vi(g, P3A(0x02), d, a, b, 3);                                   /* vpblendd */
    } else {
        vi(g, from ? P3A(0x02) : P(0xc6), d, a, b, from ? 12 : 0);
    }
}

/* Returns whether all above the active bytes is zero. */
static bool dup_lane(struct gen *g, unsigned size, unsigned lg, unsigned x, int d, int a)
{
    static const uint8_t broadcast[4] = { 0x78, 0x79, 0x58, 0x59 };

    if (lg == size) {                                   /* a scalar */
        if (size == 2) {
            vi(g, P3A(0x21), d, a, a, x << 6 | 0x0e);                   /* vinsertps */
            return true;
        }
        if (size == 3) {
            if (x) {
                shift(g, 3, 3, d, a, 8);
            } else {
                gen_keep_low(g, d, a, 8);
            }
            return true;
        }
    }
    if (size == 2) {
        vi(g, P3A(0x04), d, 0, a, x * 0x55);                            /* vpermilps */
    } else if (size == 3) {
        vv(g, P(x ? 0x15 : 0x14), d, a, a);             /* vunpck[hl]pd */
    } else {
        if (x) {
            shift(g, 3, 3, 15, a, x << size);
            a = 15;
        }
        vv(g, P38(broadcast[size]), d, 0, a);
    }
    return false;
}

static void extend(struct gen *g, bool is_signed, unsigned size, bool high, int d, int a)
{
    static const uint8_t move[3] = { 0x30, 0x33, 0x35 };
    static const uint32_t unpack_hi[3] = { P(0x68), P(0x69), P(0x6a) };

    if (!high) {
        vv(g, P38(move[size] - (is_signed ? 0x10 : 0)), d, 0, a);
    } else if (!is_signed) {
        gen_lit(g, unpack_hi[size], d, a, 0, 0);
    } else if (size == 2) {
        vi(g, P(0x70), d, 0, a, 0xee);                                  /* vpshufd */
        vv(g, P38(move[size] - 0x10), d, 0, d);
    } else {
        vv(g, unpack_hi[size], d, a, a);
        shift(g, size + 1, 4, d, d, 8u << size);
    }
}

static void trn(struct gen *g, unsigned size, bool second, int d, int a, int b)
{
    switch (size) {
    case 0:
        if (second) {
            shift(g, 1, 2, 14, a, 8);
            shift(g, 1, 2, 15, b, 8);
            shift(g, 1, 6, 15, 15, 8);
        } else {
            shift(g, 1, 6, 14, a, 8);
            shift(g, 1, 2, 14, 14, 8);
            shift(g, 1, 6, 15, b, 8);
        }
        vv(g, P(0xeb), d, 14, 15);
        break;
    case 1:
        shift(g, 2, second ? 2 : 6, 15, second ? a : b, 16);
        vi(g, P3A(0x0e), d, second ? 15 : a, second ? b : 15, 0xaa);    /* vpblendw */
        break;
    case 2:
        vi(g, P(0x70), 15, 0, second ? a : b, second ? 0xf5 : 0xa0);
        vi(g, P3A(0x02), d, second ? 15 : a, second ? b : 15, 0x0a);    /* vpblendd */
        break;
    default:
        vv(g, second ? P(0x6d) : P(0x6c), d, a, b);
    }
}

static void abd(struct gen *g, unsigned vop, unsigned size, int d, int a, int b)
{
    static const uint32_t max_s[3] = { P38(0x3c), P(0xee), P38(0x3d) };
    static const uint32_t min_s[3] = { P38(0x38), P(0xea), P38(0x39) };
    static const uint32_t max_u[3] = { P(0xde), P38(0x3e), P38(0x3f) };
    static const uint32_t min_u[3] = { P(0xda), P38(0x3a), P38(0x3b) };
    static const uint32_t sub[3] = { P(0xf8), P(0xf9), P(0xfa) };
    bool is_signed = vop == VOP_sabd;

    vv(g, (is_signed ? max_s : max_u)[size], 14, a, b);
    vv(g, (is_signed ? min_s : min_u)[size], 15, a, b);
    vv(g, sub[size], d, 14, 15);
}

static void rev(struct gen *g, unsigned size, unsigned container_lg, int d, int a)
{
    unsigned swap = (1u << container_lg) - (1u << size);
    uint8_t control[16];
    uint64_t k[2];

    for (unsigned i = 0; i < 16; i++) {
        control[i] = i ^ swap;
    }
    memcpy(k, control, 16);
    gen_vconst(g, 15, k[0], k[1]);
    vv(g, P38(0x00), d, a, 15);                                         /* vpshufb */
}

static void addlp(struct gen *g, bool is_signed, unsigned size, int d, int a)
{
    if (size == 0 && is_signed) {
        gen_vconst(g, 15, each_byte(1), each_byte(1));
        vv(g, P38(0x04), d, 15, a);                                     /* vpmaddubsw */
    } else if (size == 0) {
        gen_lit(g, P38(0x04), d, a, each_byte(1), each_byte(1));
    } else if (is_signed) {                                             /* vpmaddwd */
        gen_lit(g, P(0xf5), d, a, UINT64_C(0x0001000100010001), UINT64_C(0x0001000100010001));
    } else if (size == 1) {
        isolate(g, 1, false, 14, a);
        shift(g, 2, 2, 15, a, 16);
        vv(g, P(0xfe), d, 14, 15);
    } else {
        gen_lit(g, P(0xdb), 14, a, UINT32_MAX, UINT32_MAX);
        shift(g, 3, 2, 15, a, 32);
        vv(g, P(0xd4), d, 14, 15);
    }
}

/* 32 bits; the others are composed. */
static void mull(struct gen *g, bool is_signed, bool high, int d, int a, int b)
{
    vi(g, P(0x70), 14, 0, a, high ? 0xfa : 0x50);                       /* vpshufd */
    vi(g, P(0x70), 15, 0, b, high ? 0xfa : 0x50);
    vv(g, is_signed ? P38(0x28) : P(0xf4), d, 14, 15);                  /* vpmul[u]dq */
}

/* The odd products come out in their place if one of the factors is. */
static void mul8(struct gen *g, int d, int a, int b)
{
    shift(g, 1, 2, 14, a, 8);
    gen_lit(g, P(0xdb), 15, b, UINT64_C(0xff00ff00ff00ff00), UINT64_C(0xff00ff00ff00ff00));
    vv(g, P(0xd5), 14, 14, 15);
    vv(g, P(0xd5), 15, a, b);
    isolate(g, 0, false, 15, 15);
    vv(g, P(0xeb), d, 14, 15);
}

static void shift8(struct gen *g, unsigned vop, unsigned n, int d, int a)
{
    uint8_t mask = vop == VOP_shli ? 0xff << n : n > 7 ? 0 : 0xff >> n;

    shift(g, 1, vop == VOP_shli ? 6 : 2, 14, a, n);
    gen_lit(g, P(0xdb), d, 14, each_byte(mask), each_byte(mask));
}

static void sshr(struct gen *g, unsigned size, unsigned n, int d, int a)
{
    if (size == 0) {
        unsigned m = n > 7 ? 7 : n;
        uint8_t sign = 0x80 >> m;
        shift8(g, VOP_ushri, m, d, a);
        gen_vconst(g, 15, each_byte(sign), each_byte(sign));
        vv(g, P(0xef), d, d, 15);
        vv(g, P(0xf8), d, d, 15);
        return;
    }
    vv(g, P(0xef), 15, 15, 15);
    vv(g, P38(0x37), 15, 15, a);                                        /* 0 > a */
    if (n >= 64) {
        vv(g, 0x28 | OP_0F, d, 0, 15);
        return;
    }
    shift(g, 3, 6, 15, 15, 64 - n);
    shift(g, 3, 2, 14, a, n);
    vv(g, P(0xeb), d, 14, 15);
}

static void cmh64(struct gen *g, bool or_same, int d, int a, int b)
{
    gen_vconst(g, 15, UINT64_C(1) << 63, UINT64_C(1) << 63);
    vv(g, P(0xef), 14, a, 15);
    vv(g, P(0xef), 15, b, 15);
    if (or_same) {
        vv(g, P38(0x37), 14, 15, 14);
        vv(g, P(0x76), 15, 15, 15);
        vv(g, P(0xef), d, 14, 15);
    } else {
        vv(g, P38(0x37), d, 14, 15);
    }
}

static void cnt(struct gen *g, int d, int a)
{
    gen_vconst(g, 14, UINT64_C(0x0302020102010100), UINT64_C(0x0403030203020201));
    gen_vconst(g, 15, each_byte(15), each_byte(15));
    vv(g, P(0xdb), d, a, 15);
    vv(g, P38(0x00), d, 14, d);
    x64_vi(&g->c, P(0x71), 2, 14, a, 4);
    vv(g, P(0xdb), 14, 14, 15);
    gen_vconst(g, 15, UINT64_C(0x0302020102010100), UINT64_C(0x0403030203020201));
    vv(g, P38(0x00), 14, 15, 14);
    vv(g, P(0xfc), d, d, 14);
}

/* By a look-up of each half of a byte, the smaller of the two; then pairs of bytes and pairs of
 * pairs: the lower half counts if the upper one is all zeroes. */
static void clz(struct gen *g, unsigned size, int d, int a)
{
    gen_lit(g, P(0xdb), 15, a, each_byte(15), each_byte(15));
    gen_vconst(g, d, UINT64_C(0x0505050506060708), UINT64_C(0x0404040404040404));
    vv(g, P38(0x00), d, d, 15);
    shift(g, 1, 2, 15, a, 4);
    gen_lit(g, P(0xdb), 15, 15, each_byte(15), each_byte(15));
    gen_vconst(g, 14, UINT64_C(0x0101010102020308), UINT64_C(0));
    vv(g, P38(0x00), 14, 14, 15);
    vv(g, P(0xda), d, d, 14);                                           /* vpminub */
    for (unsigned s = 1; s <= size; s++) {
        uint64_t bits = 8u << (s - 1), full = s == 1 ? each_byte(1) & UINT64_C(0x00ff00ff00ff00ff)
                                                     : UINT64_C(0x0000000100000001);
        shift(g, s, 2, 14, d, bits);
        gen_lit(g, s == 1 ? P(0x75) : P(0x76), 15, 14, full * bits, full * bits);
        isolate(g, s - 1, false, d, d);
        vv(g, P(0xdb), 15, 15, d);
        vv(g, s == 1 ? P(0xfd) : P(0xfe), d, 14, 15);
    }
}

/* VPSHUFB makes zero of an index with bit 7: adding 0x70 with saturation sets it from 16 on. */
static void tbx(struct gen *g, unsigned first, int d, int a, int b, int c)
{
    const struct ir_op *other = &g->ir->op[g->ir->op[g->i].c];
    bool c_is_zero = other->op == IR_VCONST && !other->k && !other->k2;

    if (first) {
        gen_vconst(g, 15, each_byte(first), each_byte(first));
        vv(g, P(0xf8), 14, b, 15);
        b = 14;
    }
    gen_lit(g, P(0xdc), 15, b, each_byte(0x70), each_byte(0x70));       /* vpaddusb */
    if (c_is_zero) {
        vv(g, P38(0x00), d, a, 15);
        return;
    }
    vv(g, P38(0x00), 14, a, 15);
    vi(g, P3A(0x4c), d, 14, c, 15 << 4);                                /* vpblendvb */
}

static void aes(struct gen *g, unsigned vop, int d, int a, int b)
{
    vv(g, P(0xef), 15, 15, 15);
    switch (vop) {
    case VOP_aese:
        vv(g, P(0xef), 14, a, b);
        vv(g, P38(0xdd), d, 14, 15);
        break;
    case VOP_aesd:
        vv(g, P(0xef), 14, a, b);
        vv(g, P38(0xdf), d, 14, 15);
        break;
    case VOP_aesmc:
        vv(g, P38(0xdf), 14, a, 15);
        vv(g, P38(0xdc), d, 14, 15);
        break;
    default:
        vv(g, P38(0xdb), d, 0, a);
    }
}

/* Returns whether what is above the active bytes is zero for certain. */
bool gen_simd(struct gen *g, unsigned vop, uint32_t arg, int d, int a, int b, int c)
{
    static const uint32_t unpack_lo[4] = { P(0x60), P(0x61), P(0x62), P(0x6c) };
    static const uint32_t unpack_hi[4] = { P(0x68), P(0x69), P(0x6a), P(0x6d) };
    unsigned size = V_SIZE(arg), lg = V_LG(arg), x = V_X(arg);

    switch (vop) {
    case VOP_xtn: gather(g, size, false, d, a); return true;
    case VOP_uzp1: case VOP_uzp2: return uzp(g, size, lg, vop == VOP_uzp2, d, a, b);
    case VOP_trn1: case VOP_trn2: trn(g, size, vop == VOP_trn2, d, a, b); break;
    case VOP_zip2:
        if (lg == 4) {
            vv(g, unpack_hi[size], d, a, b);
            break;
        }
        vv(g, unpack_lo[size], 15, a, b);
        shift(g, 3, 3, d, 15, 8);
        return true;
    case VOP_ext:                                       /* b:a >> 8x */
        if (lg == 4) {
            vi(g, P3A(0x0f), d, b, a, x);
        } else {
            vv(g, P(0x6c), 15, a, b);
            shift(g, 3, 3, d, 15, x);
        }
        break;
    case VOP_dup_lane: return dup_lane(g, size, lg, x, d, a);
    case VOP_uabd: case VOP_sabd: abd(g, vop, size, d, a, b); break;
    case VOP_abs: vv(g, P38(0x1c + size), d, 0, a); break;
    case VOP_rev: rev(g, size, x, d, a); break;
    case VOP_uaddlp: case VOP_saddlp: addlp(g, vop == VOP_saddlp, size, d, a); break;
    case VOP_smull: case VOP_umull: mull(g, vop == VOP_smull, x, d, a, b); break;
    case VOP_mul: mul8(g, d, a, b); break;
    case VOP_shli: case VOP_ushri: shift8(g, vop, x, d, a); break;
    case VOP_sshri: sshr(g, size, x, d, a); break;
    case VOP_cmhi: case VOP_cmhs: cmh64(g, vop == VOP_cmhs, d, a, b); break;
    case VOP_cnt: cnt(g, d, a); break;
    case VOP_tbx: tbx(g, x, d, a, b, c); break;
    case VOP_uxtl: case VOP_sxtl: extend(g, vop == VOP_sxtl, size, x, d, a); break;
    case VOP_aese: case VOP_aesd: case VOP_aesmc: case VOP_aesimc: aes(g, vop, d, a, b); break;
    case GEN_V_BLEND: vi(g, P3A(0x4c), d, c, b, a << 4); break;         /* vpblendvb */
    case VOP_clz: clz(g, size, d, a); break;
    case GEN_V_SHUFFLE: vv(g, P38(0x00), d, a, b); break;
    case GEN_V_INSERT: insert(g, size, x & 15, x >> 4, d, a, b); break;
    case GEN_V_PAIRS: pairs(g, x, size, d, a, b); break;
    default: assert(!"native vector primitive");
    }
    return false;
}
