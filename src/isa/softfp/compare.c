/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons, minimum and maximum. */
#include "isa/softfp/fp_num.h"

/* -1, 0 or 1 as x is less than, equal to or greater than y; neither is a NaN. */
static int order(struct fp_num x, struct fp_num y)
{
    int sx = x.cls == FP_CLS_ZERO ? 0 : x.sign ? -1 : 1;
    int sy = y.cls == FP_CLS_ZERO ? 0 : y.sign ? -1 : 1;

    if (sx != sy) {
        return sx < sy ? -1 : 1;
    }
    if (sx == 0) {
        return 0;
    }
    int mag;
    if (x.cls != y.cls) {
        mag = x.cls == FP_CLS_INF ? 1 : -1;
    } else if (x.exp != y.exp) {
        mag = x.exp < y.exp ? -1 : 1;
    } else {
        mag = (x.mant > y.mant) - (x.mant < y.mant);
    }
    return mag * sx;
}

/* True if an operand is a NaN; raises IOC for a signalling one, or for any with `signal_nans`. */
static bool unordered(struct fp_env *env, struct fp_num x, struct fp_num y, bool signal_nans)
{
    if (!fp_is_nan(x) && !fp_is_nan(y)) {
        return false;
    }
    if (signal_nans || x.cls == FP_CLS_SNAN || y.cls == FP_CLS_SNAN) {
        env->fpsr |= FPSR_IOC;
    }
    return true;
}

unsigned fp_compare(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b,
                    bool signal_nans)
{
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);

    if (unordered(env, x, y, signal_nans)) {
        return 0x3;
    }
    int o = order(x, y);
    return o == 0 ? 0x6 : o < 0 ? 0x8 : 0x2;
}

bool fp_cmpeq(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);

    return !unordered(env, x, y, false) && order(x, y) == 0;
}

bool fp_cmpge(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);

    return !unordered(env, x, y, true) && order(x, y) >= 0;
}

bool fp_cmpgt(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);

    return !unordered(env, x, y, true) && order(x, y) > 0;
}

static uint64_t pick(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b, bool want_max)
{
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);
    uint64_t r;

    if (fp_process_nans(env, sz, x, y, a, b, &r)) {
        return r;
    }
    bool first = want_max ? order(x, y) > 0 : order(x, y) < 0;
    struct fp_num n = first ? x : y;
    if (n.cls == FP_CLS_ZERO) {
        /* Both may be zeros: +0 is the greater. */
        bool other_zero = (first ? y : x).cls == FP_CLS_ZERO;
        bool sign = !other_zero ? n.sign : want_max ? x.sign & y.sign : x.sign | y.sign;
        return fp_zero(sz, sign);
    }
    return (first ? a : b) & fp_mask(fp_fmts[sz].bits);
}

uint64_t fp_max(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    return pick(env, sz, a, b, true);
}

uint64_t fp_min(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    return pick(env, sz, a, b, false);
}

/* FPMaxNum(), FPMinNum(): a lone quiet NaN counts as the infinity that loses. */
static uint64_t pick_num(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b,
                         bool want_max)
{
    struct fp_num x = fp_unpack(env, sz, a), y = fp_unpack(env, sz, b);

    if (x.cls == FP_CLS_QNAN && y.cls != FP_CLS_QNAN) {
        a = fp_inf(sz, want_max);
    } else if (y.cls == FP_CLS_QNAN && x.cls != FP_CLS_QNAN) {
        b = fp_inf(sz, want_max);
    }
    return pick(env, sz, a, b, want_max);
}

uint64_t fp_maxnm(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    return pick_num(env, sz, a, b, true);
}

uint64_t fp_minnm(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b)
{
    return pick_num(env, sz, a, b, false);
}
