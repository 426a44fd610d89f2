/* SPDX-License-Identifier: Apache-2.0 */
/* Integer primitives that work lane by lane. */
#include "isa/a64/vecops_lane.h"
#include "isa/softfp/softfp.h"

/* One loop per element size, so that the compiler vectorises it.  In `expr`: ux, uy and sx, sy
 * are the lanes of a and b, unsigned and signed; U, S their types; BITS their width. */
#define LOOP(m, U_, S_, BITS_, expr) \
    do { \
        typedef U_ U; \
        typedef S_ S; \
        enum { BITS = BITS_ }; \
        for (unsigned i = 0; i < n; i++) { \
            const U ux = a->m[i], uy = b->m[i]; \
            const S sx = (S)ux, sy = (S)uy; \
            (void)ux, (void)uy, (void)sx, (void)sy; \
            r.m[i] = (U)(expr); \
        } \
    } while (0)
#define SIZES(expr) \
    union a64_vreg r = { 0 }; \
    unsigned n = V_LANES(arg); \
    bool qc = false; \
    switch (V_SIZE(arg)) { \
    case 0: \
        LOOP(b, uint8_t, int8_t, 8, expr); \
        break; \
    case 1: \
        LOOP(h, uint16_t, int16_t, 16, expr); \
        break; \
    case 2: \
        LOOP(s, uint32_t, int32_t, 32, expr); \
        break; \
    default: \
        LOOP(d, uint64_t, int64_t, 64, expr); \
        break; \
    } \
    *d = r; \
    if (qc) { \
        cpu->fpsr |= FPSR_QC; \
    }
#define BINARY(name, expr) VOP_DEFINE(name) { SIZES(expr) }
#define UNARY(name, expr) VOP_DEFINE(name) { b = a; SIZES(expr) }
#define MASK(cond) ((cond) ? (U)~(U)0 : 0)

BINARY(add, ux + uy)
BINARY(sub, ux - uy)
BINARY(mul, (uint64_t)ux * uy)
BINARY(and, ux & uy)
BINARY(bic, ux & ~uy)
BINARY(orr, ux | uy)
BINARY(orn, ux | ~uy)
BINARY(eor, ux ^ uy)
BINARY(cmeq, MASK(ux == uy))
BINARY(cmgt, MASK(sx > sy))
BINARY(cmge, MASK(sx >= sy))
BINARY(cmhi, MASK(ux > uy))
BINARY(cmhs, MASK(ux >= uy))
BINARY(cmtst, MASK((ux & uy) != 0))
BINARY(smax, sx > sy ? ux : uy)
BINARY(smin, sx < sy ? ux : uy)
BINARY(umax, ux > uy ? ux : uy)
BINARY(umin, ux < uy ? ux : uy)
BINARY(sabd, sx > sy ? ux - uy : uy - ux)
BINARY(uabd, ux > uy ? ux - uy : uy - ux)
BINARY(shadd, (sx & sy) + ((sx ^ sy) >> 1))
BINARY(uhadd, (ux & uy) + ((ux ^ uy) >> 1))
BINARY(srhadd, (sx | sy) - ((sx ^ sy) >> 1))
BINARY(urhadd, (ux | uy) - ((ux ^ uy) >> 1))
BINARY(shsub, ((int64_t)sx - sy) >> 1)      /* no 64-bit form */
BINARY(uhsub, ((int64_t)ux - uy) >> 1)
UNARY(abs, sx < 0 ? 0 - ux : ux)
UNARY(cls, (U)(ux ^ (U)(sx >> 1)) ?
      __builtin_clzll((uint64_t)(U)(ux ^ (U)(sx >> 1)) << (64 - BITS)) - 1 : BITS - 1)
UNARY(clz, ux ? __builtin_clzll((uint64_t)ux << (64 - BITS)) : BITS)
UNARY(cnt, __builtin_popcountll(ux))

VOP_DEFINE(bsl)
{
    for (unsigned i = 0; i < 2; i++) {
        d->d[i] = (a->d[i] & b->d[i]) | (~a->d[i] & c->d[i]);
    }
    if (V_LG(arg) < 4) {
        d->d[1] = 0;
    }
}

static inline uint8_t reverse_bits(uint8_t k)
{
    k = k >> 4 | k << 4;
    k = (k >> 2 & 0x33) | (k & 0x33) << 2;
    return (k >> 1 & 0x55) | (k & 0x55) << 1;
}

UNARY(rbit, reverse_bits(ux))

VOP_DEFINE(rev)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg), swap = (1u << (V_X(arg) - size)) - 1;

    for (unsigned i = 0; i < V_LANES(arg); i++) {
        v_lane_set(&r, size, i, v_lane(a, size, i ^ swap));
    }
    *d = r;
}

/* ---- saturating ---- */
#define SMAX_ ((S)((U)~(U)0 >> 1))
#define SMIN_ ((S)~SMAX_)
#define UMAX_ ((U)~(U)0)
#define SAT(T, op, x, y, limit) ({ \
        T t_; \
        if (__builtin_##op##_overflow((x), (y), &t_)) { \
            qc = true; \
            t_ = (T)(limit); \
        } \
        t_; \
    })

BINARY(sqadd, SAT(S, add, sx, sy, sx < 0 ? SMIN_ : SMAX_))
BINARY(uqadd, SAT(U, add, ux, uy, UMAX_))
BINARY(sqsub, SAT(S, sub, sx, sy, sx < 0 ? SMIN_ : SMAX_))
BINARY(uqsub, SAT(U, sub, ux, uy, 0))
BINARY(suqadd, SAT(S, add, sx, uy, SMAX_))
BINARY(usqadd, SAT(U, add, ux, sy, sy < 0 ? 0 : UMAX_))
UNARY(sqabs, SAT(S, sub, (sx < 0 ? (S)0 : sx), (sx < 0 ? sx : (S)0), SMAX_))
UNARY(sqneg, SAT(S, sub, (S)0, sx, SMAX_))

static inline int64_t saturate(__int128 k, unsigned bits, bool is_unsigned, bool *qc)
{
    __int128 max = ((__int128)1 << (bits - !is_unsigned)) - 1;
    __int128 min = is_unsigned ? 0 : -max - 1;

    if (k > max || k < min) {
        *qc = true;
        return (int64_t)(k > max ? max : min);
    }
    return (int64_t)k;
}

#define DMULH(round) \
    saturate(((__int128)2 * sx * sy + ((round) ? (__int128)1 << (BITS - 1) : 0)) >> BITS, BITS, \
             false, &qc)
BINARY(sqdmulh, DMULH(false))
BINARY(sqrdmulh, DMULH(true))

static void rdml(struct a64_cpu *cpu, uint32_t arg, union a64_vreg *d, const union a64_vreg *a,
                 const union a64_vreg *b, const union a64_vreg *c, bool subtract)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg), bits = 8u << size;
    bool qc = false;

    for (unsigned i = 0; i < V_LANES(arg); i++) {
        __int128 p = (__int128)2 * v_lane_signed(a, size, i) * v_lane_signed(b, size, i);
        __int128 k = ((__int128)v_lane_signed(c, size, i) << bits) + (subtract ? -p : p);
        k = (k + ((__int128)1 << (bits - 1))) >> bits;
        v_lane_set(&r, size, i, saturate(k, bits, false, &qc));
    }
    *d = r;
    if (qc) {
        cpu->fpsr |= FPSR_QC;
    }
}

VOP_DEFINE(sqrdmlah) { rdml(cpu, arg, d, a, b, c, false); }
VOP_DEFINE(sqrdmlsh) { rdml(cpu, arg, d, a, b, c, true); }

/* ---- shifts ---- */
UNARY(shli, ux << V_X(arg))
UNARY(sshri, V_X(arg) >= BITS ? (sx < 0 ? -1 : 0) : sx >> V_X(arg))
UNARY(ushri, V_X(arg) >= BITS ? 0 : ux >> V_X(arg))

enum shift_kind { SHIFT_PLAIN = 0, SHIFT_ROUND = 1, SHIFT_SAT_S = 2, SHIFT_SAT_U = 4 };

/* x shifted left by `by`, right if negative, as of `bits` wide.  |x| < 2^64. */
static inline int64_t shift(__int128 x, int by, unsigned bits, enum shift_kind kind, bool *qc)
{
    bool saturates = kind & (SHIFT_SAT_S | SHIFT_SAT_U);

    if (by < 0) {
        unsigned n = by < -100 ? 100 : -by;
        x = (x + (kind & SHIFT_ROUND ? (__int128)1 << (n - 1) : 0)) >> n;
    } else if (by < (int)bits) {
        x = (__int128)((unsigned __int128)x << by);
    } else if (x && saturates) {
        x = (__int128)((unsigned __int128)(x < 0 ? -1 : 1) << 100);     /* too much anyway */
    } else {
        x = 0;
    }
    return saturates ? saturate(x, bits, kind & SHIFT_SAT_U, qc) : (int64_t)x;
}

BINARY(sshl, shift(sx, (int8_t)uy, BITS, SHIFT_PLAIN, &qc))
BINARY(ushl, shift(ux, (int8_t)uy, BITS, SHIFT_PLAIN, &qc))
BINARY(srshl, shift(sx, (int8_t)uy, BITS, SHIFT_ROUND, &qc))
BINARY(urshl, shift(ux, (int8_t)uy, BITS, SHIFT_ROUND, &qc))
BINARY(sqshl, shift(sx, (int8_t)uy, BITS, SHIFT_SAT_S, &qc))
BINARY(uqshl, shift(ux, (int8_t)uy, BITS, SHIFT_SAT_U, &qc))
BINARY(sqrshl, shift(sx, (int8_t)uy, BITS, SHIFT_SAT_S | SHIFT_ROUND, &qc))
BINARY(uqrshl, shift(ux, (int8_t)uy, BITS, SHIFT_SAT_U | SHIFT_ROUND, &qc))
BINARY(sqshlu, shift(sx, (int8_t)uy, BITS, SHIFT_SAT_U, &qc))

/* ---- long and narrow ---- */
VOP_DEFINE(sxtl)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg), n = V_LANES(arg) / 2, from = (V_X(arg) & 1) * (8 >> size);

    for (unsigned i = 0; i < n; i++) {
        v_lane_set(&r, size + 1, i, v_lane_signed(a, size, from + i));
    }
    *d = r;
}

VOP_DEFINE(uxtl)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg), n = V_LANES(arg) / 2, from = (V_X(arg) & 1) * (8 >> size);

    for (unsigned i = 0; i < n; i++) {
        v_lane_set(&r, size + 1, i, v_lane(a, size, from + i));
    }
    *d = r;
}

VOP_DEFINE(smull)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg), n = V_LANES(arg) / 2, from = (V_X(arg) & 1) * (8 >> size);

    for (unsigned i = 0; i < n; i++) {
        v_lane_set(&r, size + 1, i,
                   v_lane_signed(a, size, from + i) * v_lane_signed(b, size, from + i));
    }
    *d = r;
}

VOP_DEFINE(umull)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg), n = V_LANES(arg) / 2, from = (V_X(arg) & 1) * (8 >> size);

    for (unsigned i = 0; i < n; i++) {
        v_lane_set(&r, size + 1, i, v_lane(a, size, from + i) * v_lane(b, size, from + i));
    }
    *d = r;
}

VOP_DEFINE(sqdmull)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg), n = V_LANES(arg) / 2, from = (V_X(arg) & 1) * (8 >> size);
    bool qc = false;

    for (unsigned i = 0; i < n; i++) {
        __int128 p = (__int128)2 * v_lane_signed(a, size, from + i) *
                     v_lane_signed(b, size, from + i);
        v_lane_set(&r, size + 1, i, saturate(p, 16u << size, false, &qc));
    }
    *d = r;
    if (qc) {
        cpu->fpsr |= FPSR_QC;
    }
}

/* The carry-less product. */
static unsigned __int128 clmul(uint64_t x, uint64_t y)
{
    unsigned __int128 r = 0;

    for (; y; y &= y - 1) {
        r ^= (unsigned __int128)x << __builtin_ctzll(y);
    }
    return r;
}

BINARY(pmul, clmul(ux, uy))

VOP_DEFINE(pmull)
{
    union a64_vreg r = { 0 };
    unsigned high = V_X(arg) & 1;

    if (V_SIZE(arg) == 3) {
        unsigned __int128 p = clmul(a->d[high], b->d[high]);
        r.d[0] = (uint64_t)p;
        r.d[1] = p >> 64;
    } else {
        for (unsigned i = 0; i < 8; i++) {
            r.h[i] = clmul(a->b[8 * high + i], b->b[8 * high + i]);
        }
    }
    *d = r;
}

static inline void narrow(struct a64_cpu *cpu, uint32_t arg, union a64_vreg *d,
                          const union a64_vreg *a, bool is_signed, enum shift_kind kind)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg);
    bool qc = false;

    for (unsigned i = 0; i < V_LANES(arg); i++) {
        __int128 k = is_signed ? (__int128)v_lane_signed(a, size + 1, i)
                               : (__int128)v_lane(a, size + 1, i);
        v_lane_set(&r, size, i, shift(k, 0, 8u << size, kind, &qc));
    }
    *d = r;
    if (qc) {
        cpu->fpsr |= FPSR_QC;
    }
}

VOP_DEFINE(xtn) { narrow(cpu, arg, d, a, false, SHIFT_PLAIN); }
VOP_DEFINE(sqxtn) { narrow(cpu, arg, d, a, true, SHIFT_SAT_S); }
VOP_DEFINE(uqxtn) { narrow(cpu, arg, d, a, false, SHIFT_SAT_U); }
VOP_DEFINE(sqxtun) { narrow(cpu, arg, d, a, true, SHIFT_SAT_U); }

VOP_DEFINE(saddlp)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg);

    for (unsigned i = 0; i < V_LANES(arg) / 2; i++) {
        v_lane_set(&r, size + 1, i,
                   v_lane_signed(a, size, 2 * i) + v_lane_signed(a, size, 2 * i + 1));
    }
    *d = r;
}

VOP_DEFINE(uaddlp)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg);

    for (unsigned i = 0; i < V_LANES(arg) / 2; i++) {
        v_lane_set(&r, size + 1, i, v_lane(a, size, 2 * i) + v_lane(a, size, 2 * i + 1));
    }
    *d = r;
}

VOP_DEFINE(sdot)
{
    union a64_vreg r = { 0 };

    for (unsigned i = 0; i < V_LANES(arg); i++) {
        r.s[i] = c->s[i];
        for (unsigned k = 4 * i; k < 4 * i + 4; k++) {
            r.s[i] += (int8_t)a->b[k] * (int8_t)b->b[k];
        }
    }
    *d = r;
}

VOP_DEFINE(udot)
{
    union a64_vreg r = { 0 };

    for (unsigned i = 0; i < V_LANES(arg); i++) {
        r.s[i] = c->s[i];
        for (unsigned k = 4 * i; k < 4 * i + 4; k++) {
            r.s[i] += a->b[k] * b->b[k];
        }
    }
    *d = r;
}
