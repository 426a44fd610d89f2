/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking, rounding and NaNs: what every operation begins and ends with. */
#include "isa/softfp/fp_num.h"

const struct fp_fmt fp_fmts[4] = {
    [FP_H] = { 16, 5, 10, 15 },
    [FP_S] = { 32, 8, 23, 127 },
    [FP_D] = { 64, 11, 52, 1023 },
};

uint64_t fp_default_nan(enum fp_size sz)
{
    return fp_inf(sz, false) | UINT64_C(1) << (fp_fmts[sz].frac_bits - 1);
}

uint64_t fp_invalid(struct fp_env *env, enum fp_size sz)
{
    env->fpsr |= FPSR_IOC;
    return fp_default_nan(sz);
}

/* FPUnpackBase(); `ahp`: exponent 31 of a half is an ordinary exponent, `fz`: flush denormals. */
static inline struct fp_num unpack(struct fp_env *env, enum fp_size sz, uint64_t a, bool ahp,
                                   bool fz)
{
    const struct fp_fmt *f = &fp_fmts[sz];
    unsigned biased = a >> f->frac_bits & fp_mask(f->exp_bits);
    uint64_t frac = a & fp_mask(f->frac_bits);
    struct fp_num n = { .cls = FP_CLS_NORMAL, .sign = a >> (f->bits - 1) & 1 };

    if (biased == 0) {
        if (frac == 0 || fz) {
            n.cls = FP_CLS_ZERO;
            if (frac && sz != FP_H) {
                env->fpsr |= FPSR_IDC;
            }
            return n;
        }
        int lead = __builtin_clzll(frac);
        n.mant = frac << lead;
        n.exp = 1 - f->bias - (int)f->frac_bits + 63 - lead;
    } else if (biased == fp_mask(f->exp_bits) && !ahp) {
        if (frac == 0) {
            n.cls = FP_CLS_INF;
        } else {
            n.cls = frac >> (f->frac_bits - 1) ? FP_CLS_QNAN : FP_CLS_SNAN;
        }
    } else {
        n.mant = UINT64_C(1) << 63 | frac << (63 - f->frac_bits);
        n.exp = (int)biased - f->bias;
    }
    return n;
}

static inline bool flushes(const struct fp_env *env, enum fp_size sz)
{
    return env->fpcr & (sz == FP_H ? FPCR_FZ16 : FPCR_FZ);
}

struct fp_num fp_unpack(struct fp_env *env, enum fp_size sz, uint64_t a)
{
    return unpack(env, sz, a, false, flushes(env, sz));
}

struct fp_num fp_unpack_cv(struct fp_env *env, enum fp_size sz, uint64_t a)
{
    return unpack(env, sz, a, sz == FP_H && env->fpcr & FPCR_AHP,
                  sz != FP_H && env->fpcr & FPCR_FZ);
}

bool fp_overflow_to_inf(enum fp_round round, bool sign)
{
    switch (round) {
    case FP_TIEEVEN:
    case FP_TIEAWAY:
        return true;
    case FP_POSINF:
        return !sign;
    case FP_NEGINF:
        return sign;
    default:
        return false;
    }
}

/* Whether kept | lost/2^64 rounds away from zero; FP_ODD is done by the caller. */
static inline bool rounds_up(enum fp_round round, bool sign, bool odd, uint64_t lost)
{
    const uint64_t half = UINT64_C(1) << 63;

    switch (round) {
    case FP_TIEEVEN:
        return lost > half || (lost == half && odd);
    case FP_TIEAWAY:
        return lost >= half;
    case FP_POSINF:
        return lost && !sign;
    case FP_NEGINF:
        return lost && sign;
    default:
        return false;
    }
}

/* FPRoundBase() */
static inline uint64_t round_base(struct fp_env *env, enum fp_size sz, bool sign, int exp,
                                  unsigned __int128 mant, enum fp_round round, bool ahp, bool fz)
{
    const struct fp_fmt *f = &fp_fmts[sz];
    uint64_t hi = mant >> 64;
    unsigned lead = hi ? __builtin_clzll(hi) : 64 + __builtin_clzll((uint64_t)mant);

    mant <<= lead;
    exp += 127 - (int)lead;                     /* of the leading 1 */
    int biased = exp + f->bias;
    if (biased <= 0 && fz) {
        env->fpsr |= FPSR_UFC;
        return fp_zero(sz, sign);
    }
    unsigned drop = 127 - f->frac_bits;         /* bits below the unit in the last place */
    if (biased <= 0) {
        unsigned more = 1 - biased;
        mant = fp_shr_jam128(mant, more);
        biased = 0;
    } else {
        biased--;                               /* the leading 1 will add it back */
    }
    uint64_t kept = mant >> drop;
    unsigned __int128 rest = mant << (128 - drop);
    uint64_t lost = (uint64_t)(rest >> 64) | ((uint64_t)rest != 0);
    bool inexact = lost != 0;

    /* Tininess is detected before rounding. */
    if (biased == 0 && !(kept >> f->frac_bits) && inexact) {
        env->fpsr |= FPSR_UFC;
    }
    if (round == FP_ODD) {
        kept |= inexact;
    } else {
        kept += rounds_up(round, sign, kept & 1, lost);
    }
    /* A carry out of the fraction moves into the exponent, as it should. */
    uint64_t magnitude = ((uint64_t)biased << f->frac_bits) + kept;
    if (ahp) {
        if (magnitude >> (f->bits - 1)) {
            env->fpsr |= FPSR_IOC;
            return (uint64_t)sign << 15 | 0x7fff;
        }
    } else if (magnitude >= fp_inf(sz, false)) {
        env->fpsr |= FPSR_OFC | FPSR_IXC;
        return fp_overflow_to_inf(round, sign) ? fp_inf(sz, sign) : fp_max_normal(sz, sign);
    }
    if (inexact) {
        env->fpsr |= FPSR_IXC;
    }
    return (uint64_t)sign << (f->bits - 1) | magnitude;
}

/* Far beyond the format's range: the shifts above would not hold the exponent. */
static inline int clamp_exp(int exp)
{
    return exp > 20000 ? 20000 : exp < -20000 ? -20000 : exp;
}

uint64_t fp_round_pack(struct fp_env *env, enum fp_size sz, bool sign, int exp,
                       unsigned __int128 mant, enum fp_round round)
{
    return round_base(env, sz, sign, clamp_exp(exp), mant, round, false, flushes(env, sz));
}

uint64_t fp_round_pack_cv(struct fp_env *env, enum fp_size sz, bool sign, int exp,
                          unsigned __int128 mant, enum fp_round round)
{
    return round_base(env, sz, sign, clamp_exp(exp), mant, round,
                      sz == FP_H && env->fpcr & FPCR_AHP, sz != FP_H && env->fpcr & FPCR_FZ);
}

uint64_t fp_process_nan(struct fp_env *env, enum fp_size sz, struct fp_num n, uint64_t a)
{
    if (n.cls == FP_CLS_SNAN) {
        env->fpsr |= FPSR_IOC;
    }
    if (env->fpcr & FPCR_DN) {
        return fp_default_nan(sz);
    }
    return (a & fp_mask(fp_fmts[sz].bits)) | UINT64_C(1) << (fp_fmts[sz].frac_bits - 1);
}

bool fp_process_nans(struct fp_env *env, enum fp_size sz, struct fp_num x, struct fp_num y,
                     uint64_t a, uint64_t b, uint64_t *out)
{
    if (x.cls == FP_CLS_SNAN) {
        *out = fp_process_nan(env, sz, x, a);
    } else if (y.cls == FP_CLS_SNAN) {
        *out = fp_process_nan(env, sz, y, b);
    } else if (x.cls == FP_CLS_QNAN) {
        *out = fp_process_nan(env, sz, x, a);
    } else if (y.cls == FP_CLS_QNAN) {
        *out = fp_process_nan(env, sz, y, b);
    } else {
        return false;
    }
    return true;
}

bool fp_round_mag(struct fp_num n, int fbits, enum fp_round round, uint64_t *mag, bool *huge)
{
    int exp = n.exp + fbits;
    uint64_t kept, lost;

    *huge = false;
    if (exp > 63) {
        *mag = UINT64_MAX;
        *huge = true;
        return false;
    }
    if (exp >= 0) {
        kept = n.mant >> (63 - exp);
        lost = exp == 63 ? 0 : n.mant << (exp + 1);
    } else {
        kept = 0;
        lost = exp == -1 ? n.mant : 1;          /* below one half: sticky is enough */
    }
    if (rounds_up(round, n.sign, kept & 1, lost) && ++kept == 0) {
        kept = UINT64_MAX;
        *huge = true;
    }
    *mag = kept;
    return lost != 0;
}
