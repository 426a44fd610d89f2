/* SPDX-License-Identifier: Apache-2.0 */
/* Add, multiply, divide, square root, fused multiply-add and the Newton steps. */
#include "isa/softfp/fp_num.h"
#include "isa/softfp/fp_host.h"

typedef unsigned __int128 u128;

/* The exact product of two normal numbers is mant × 2^exp. */
struct product {
    bool sign;
    int exp;
    u128 mant;
};

static inline struct product multiply(struct fp_num x, struct fp_num y)
{
    return (struct product){ x.sign ^ y.sign, x.exp + y.exp - 126, (u128)x.mant * y.mant };
}

/* FPRound(x + y), or the zero whose sign the rounding mode gives.  Both mants are not 0, and
 * have at most 106 significant bits, so that alignment loses bits only when the exponents differ
 * by so much that the sum has at most one leading zero: then a sticky bit is enough. */
static uint64_t add_round(struct fp_env *env, enum fp_size sz, struct product x, struct product y)
{
    enum fp_round round = fp_env_round(env);
    int lx = x.mant >> 64 ? __builtin_clzll(x.mant >> 64)
                          : 64 + __builtin_clzll((uint64_t)x.mant);
    int ly = y.mant >> 64 ? __builtin_clzll(y.mant >> 64)
                          : 64 + __builtin_clzll((uint64_t)y.mant);

    /* Leading ones to bit 126: room for a carry. */
    x.mant = lx ? x.mant << (lx - 1) : fp_shr_jam128(x.mant, 1);
    x.exp -= lx - 1;
    y.mant = ly ? y.mant << (ly - 1) : fp_shr_jam128(y.mant, 1);
    y.exp -= ly - 1;
    if (x.exp < y.exp) {
        struct product t = x;
        x = y;
        y = t;
    }
    unsigned d = x.exp - y.exp;
    y.mant = fp_shr_jam128(y.mant, d > 200 ? 200 : d);
    if (x.sign == y.sign) {
        return fp_round_pack(env, sz, x.sign, x.exp, x.mant + y.mant, round);
    }
    if (x.mant == y.mant) {
        return fp_zero(sz, round == FP_NEGINF);
    }
    if (x.mant > y.mant) {
        return fp_round_pack(env, sz, x.sign, x.exp, x.mant - y.mant, round);
    }
    return fp_round_pack(env, sz, y.sign, x.exp, y.mant - x.mant, round);
}

static inline struct product widen(struct fp_num n)
{
    return (struct product){ n.sign, n.exp - 63, n.mant };
}

static uint64_t add(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b, bool negate_b)
{
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);
    uint64_t r;

    if (fp_process_nans(env, sz, x, y, a, b, &r)) {
        return r;
    }
    y.sign ^= negate_b;
    if (x.cls == FP_CLS_INF || y.cls == FP_CLS_INF) {
        if (x.cls == y.cls && x.sign != y.sign) {
            return fp_invalid(env, sz);
        }
        return fp_inf(sz, x.cls == FP_CLS_INF ? x.sign : y.sign);
    }
    if (x.cls == FP_CLS_ZERO && y.cls == FP_CLS_ZERO) {
        return fp_zero(sz, x.sign == y.sign ? x.sign : fp_env_round(env) == FP_NEGINF);
    }
    if (x.cls == FP_CLS_ZERO || y.cls == FP_CLS_ZERO) {
        struct fp_num n = x.cls == FP_CLS_ZERO ? y : x;
        return fp_round_pack(env, sz, n.sign, n.exp - 63, n.mant, fp_env_round(env));
    }
    return add_round(env, sz, widen(x), widen(y));
}

uint64_t fp_add(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    uint64_t quick;

    if (fp_host_add(env, sz, a, b, &quick)) {
        return quick;
    }
    return add(env, sz, a, b, false);
}

uint64_t fp_sub(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    uint64_t quick;

    if (fp_host_sub(env, sz, a, b, &quick)) {
        return quick;
    }
    return add(env, sz, a, b, true);
}

static bool is_inf_times_zero(struct fp_num x, struct fp_num y)
{
    return (x.cls == FP_CLS_INF && y.cls == FP_CLS_ZERO) ||
           (x.cls == FP_CLS_ZERO && y.cls == FP_CLS_INF);
}

/* `x_form`: FMULX, where infinity times zero is two. */
static uint64_t mul(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b, bool x_form)
{
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);
    bool sign = x.sign ^ y.sign;
    uint64_t r;

    if (fp_process_nans(env, sz, x, y, a, b, &r)) {
        return r;
    }
    if (is_inf_times_zero(x, y)) {
        return x_form ? fp_pack(sz, sign, fp_fmts[sz].bias + 1, 0) : fp_invalid(env, sz);
    }
    if (x.cls == FP_CLS_INF || y.cls == FP_CLS_INF) {
        return fp_inf(sz, sign);
    }
    if (x.cls == FP_CLS_ZERO || y.cls == FP_CLS_ZERO) {
        return fp_zero(sz, sign);
    }
    struct product p = multiply(x, y);
    return fp_round_pack(env, sz, p.sign, p.exp, p.mant, fp_env_round(env));
}

uint64_t fp_mul(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    uint64_t quick;

    if (fp_host_mul(env, sz, a, b, &quick)) {
        return quick;
    }
    return mul(env, sz, a, b, false);
}

uint64_t fp_mulx(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    return mul(env, sz, a, b, true);
}

uint64_t fp_div(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    uint64_t quick;

    if (fp_host_div(env, sz, a, b, &quick)) {
        return quick;
    }
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);
    bool sign = x.sign ^ y.sign;
    uint64_t r;

    if (fp_process_nans(env, sz, x, y, a, b, &r)) {
        return r;
    }
    if (x.cls == y.cls && x.cls != FP_CLS_NORMAL) {
        return fp_invalid(env, sz);
    }
    if (x.cls == FP_CLS_INF || y.cls == FP_CLS_ZERO) {
        if (x.cls != FP_CLS_INF) {
            env->fpsr |= FPSR_DZC;
        }
        return fp_inf(sz, sign);
    }
    if (x.cls == FP_CLS_ZERO || y.cls == FP_CLS_INF) {
        return fp_zero(sz, sign);
    }
    u128 n = (u128)x.mant << 64;
    u128 q = n / y.mant;
    q = q << 1 | (n % y.mant != 0);
    return fp_round_pack(env, sz, sign, x.exp - y.exp - 65, q, fp_env_round(env));
}

/* floor(sqrt(v)), with a sticky bit appended below. */
static u128 isqrt_jam(u128 v)
{
    uint64_t root = 0;
    u128 rest = 0;

    for (int i = 63; i >= 0; i--) {
        rest = rest << 2 | (unsigned)(v >> (2 * i) & 3);
        u128 trial = (u128)root << 2 | 1;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    return (u128)root << 1 | (rest != 0);
}

uint64_t fp_sqrt(struct fp_env *env, enum fp_size sz, uint64_t a)
{
    uint64_t quick;

    if (fp_host_sqrt(env, sz, a, &quick)) {
        return quick;
    }
    struct fp_num x = fp_unpack(env, sz, a);

    if (fp_is_nan(x)) {
        return fp_process_nan(env, sz, x, a);
    }
    if (x.cls == FP_CLS_ZERO) {
        return fp_zero(sz, x.sign);
    }
    if (x.sign) {
        return fp_invalid(env, sz);
    }
    if (x.cls == FP_CLS_INF) {
        return fp_inf(sz, false);
    }
    /* x = v × 2^(exp - 126 or 127), an even power. */
    bool odd = x.exp & 1;
    u128 v = (u128)x.mant << (odd ? 64 : 63);
    int half = (x.exp - odd - 126) / 2;
    return fp_round_pack(env, sz, false, half - 1, isqrt_jam(v), fp_env_round(env));
}

static bool process_nans3(struct fp_env *env, enum fp_size sz, const struct fp_num n[3],
                          const uint64_t v[3], uint64_t *out)
{
    for (unsigned cls = FP_CLS_SNAN; cls >= FP_CLS_QNAN; cls--) {
        for (unsigned i = 0; i < 3; i++) {
            if (n[i].cls == cls) {
                *out = fp_process_nan(env, sz, n[i], v[i]);
                return true;
            }
        }
    }
    return false;
}

uint64_t fp_muladd(struct fp_env *env, enum fp_size sz, uint64_t addend, uint64_t n, uint64_t m)
{
    uint64_t quick;

    if (fp_host_muladd(env, sz, addend, n, m, &quick)) {
        return quick;
    }
    const uint64_t v[3] = { addend, n, m };
    struct fp_num u[3];
    uint64_t r;

    for (unsigned i = 0; i < 3; i++) {
        u[i] = fp_unpack(env, sz, v[i]);
    }
    struct fp_num a = u[0], x = u[1], y = u[2];
    bool sign_p = x.sign ^ y.sign;
    bool bad = is_inf_times_zero(x, y);
    if (process_nans3(env, sz, u, v, &r)) {
        return a.cls == FP_CLS_QNAN && bad ? fp_invalid(env, sz) : r;
    }
    bool inf_p = x.cls == FP_CLS_INF || y.cls == FP_CLS_INF;
    bool zero_p = x.cls == FP_CLS_ZERO || y.cls == FP_CLS_ZERO;
    if (bad || (a.cls == FP_CLS_INF && inf_p && a.sign != sign_p)) {
        return fp_invalid(env, sz);
    }
    if (a.cls == FP_CLS_INF || inf_p) {
        return fp_inf(sz, a.cls == FP_CLS_INF ? a.sign : sign_p);
    }
    if (zero_p) {
        if (a.cls == FP_CLS_ZERO) {
            return fp_zero(sz, a.sign == sign_p ? a.sign : fp_env_round(env) == FP_NEGINF);
        }
        return fp_round_pack(env, sz, a.sign, a.exp - 63, a.mant, fp_env_round(env));
    }
    struct product p = multiply(x, y);
    if (a.cls == FP_CLS_ZERO) {
        return fp_round_pack(env, sz, p.sign, p.exp, p.mant, fp_env_round(env));
    }
    return add_round(env, sz, widen(a), p);
}

/* (k - a × b) / 2^shift: FPRecipStepFused() with 2 and 0, FPRSqrtStepFused() with 3 and 1.
 * Infinity times zero gives k / 2^shift. */
static uint64_t step(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b, unsigned k,
                     unsigned shift)
{
    a = fp_neg(sz, a);
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);
    struct product c = { false, -(int)shift, k };
    uint64_t r;

    if (fp_process_nans(env, sz, x, y, a, b, &r)) {
        return r;
    }
    if (!is_inf_times_zero(x, y)) {
        if (x.cls == FP_CLS_INF || y.cls == FP_CLS_INF) {
            return fp_inf(sz, x.sign ^ y.sign);
        }
        if (x.cls == FP_CLS_NORMAL && y.cls == FP_CLS_NORMAL) {
            struct product p = multiply(x, y);
            p.exp -= shift;
            return add_round(env, sz, c, p);
        }
    }
    return fp_round_pack(env, sz, false, c.exp, c.mant, fp_env_round(env));
}

uint64_t fp_recip_step(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    return step(env, sz, a, b, 2, 0);
}

uint64_t fp_rsqrt_step(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    return step(env, sz, a, b, 3, 1);
}
