/* SPDX-License-Identifier: Apache-2.0 */
/* Between formats, to and from integers, and to integral values. */
#include "isa/softfp/fp_num.h"

/* FPConvertNaN(): sign and the top of the payload are kept, and it becomes quiet. */
static uint64_t convert_nan(enum fp_size to, enum fp_size from, uint64_t a, bool sign)
{
    uint64_t frac = a << (64 - fp_fmts[from].frac_bits);   /* to the top of 64 bits */

    return fp_default_nan(to) | fp_zero(to, sign) | frac >> (64 - fp_fmts[to].frac_bits);
}

uint64_t fp_convert(struct fp_env *env, enum fp_size to, enum fp_size from, uint64_t a,
                    enum fp_round round)
{
    struct fp_num x = fp_unpack_cv(env, from, a);
    bool alt_hp = to == FP_H && env->fpcr & FPCR_AHP;

    switch (x.cls) {
    case FP_CLS_QNAN:
    case FP_CLS_SNAN:
        if (x.cls == FP_CLS_SNAN || alt_hp) {
            env->fpsr |= FPSR_IOC;
        }
        if (alt_hp) {
            return fp_zero(to, x.sign);
        }
        return env->fpcr & FPCR_DN ? fp_default_nan(to) : convert_nan(to, from, a, x.sign);
    case FP_CLS_INF:
        if (alt_hp) {
            env->fpsr |= FPSR_IOC;
            return fp_zero(to, x.sign) | 0x7fff;
        }
        return fp_inf(to, x.sign);
    case FP_CLS_ZERO:
        return fp_zero(to, x.sign);
    default:
        return fp_round_pack_cv(env, to, x.sign, x.exp - 63, x.mant, round);
    }
}

uint64_t fp_to_int(struct fp_env *env, enum fp_size sz, uint64_t a, unsigned int_bits,
                   bool is_signed, unsigned fbits, enum fp_round round)
{
    struct fp_num x = fp_unpack(env, sz, a);
    uint64_t mag = 0;
    bool huge = false, inexact = false;

    if (fp_is_nan(x)) {
        env->fpsr |= FPSR_IOC;
        return 0;
    }
    if (x.cls == FP_CLS_INF) {
        huge = true;
    } else if (x.cls == FP_CLS_NORMAL) {
        inexact = fp_round_mag(x, fbits, round, &mag, &huge);
    }
    uint64_t max = fp_mask(int_bits - is_signed);
    uint64_t limit = !x.sign ? max : is_signed ? max + 1 : 0;   /* of the magnitude */
    if (huge || mag > limit) {
        env->fpsr |= FPSR_IOC;
        mag = limit;
    } else if (inexact) {
        env->fpsr |= FPSR_IXC;
    }
    return (x.sign ? -mag : mag) & fp_mask(int_bits);
}

uint64_t fp_from_int(struct fp_env *env, enum fp_size sz, uint64_t v, unsigned int_bits,
                     bool is_signed, unsigned fbits)
{
    bool sign = is_signed && v >> (int_bits - 1) & 1;

    v = (sign ? -v : v) & fp_mask(int_bits);
    if (v == 0) {
        return fp_zero(sz, false);
    }
    return fp_round_pack(env, sz, sign, -(int)fbits, v, fp_env_round(env));
}

uint32_t fp_to_int_js(struct fp_env *env, uint64_t a, bool *z)
{
    struct fp_num x = fp_unpack(env, FP_D, a);

    *z = false;
    switch (x.cls) {
    case FP_CLS_ZERO:
        *z = a == 0;        /* neither -0 nor a flushed denormal */
        return 0;
    case FP_CLS_NORMAL:
        break;
    default:
        env->fpsr |= FPSR_IOC;
        return 0;
    }
    uint64_t mag;
    bool huge, inexact = fp_round_mag(x, 0, FP_TOZERO, &mag, &huge);
    if (huge) {
        /* Only the 53 bits of the mantissa are not 0: above 2^84 nothing is left of 32 bits. */
        unsigned up = x.exp - 63;
        mag = up < 32 ? x.mant << up : 0;
    }
    if (huge || mag > (x.sign ? UINT64_C(1) << 31 : INT32_MAX)) {
        env->fpsr |= FPSR_IOC;
    } else if (inexact) {
        env->fpsr |= FPSR_IXC;
    } else {
        *z = true;
    }
    return (uint32_t)(x.sign ? -mag : mag);
}

uint64_t fp_round_int(struct fp_env *env, enum fp_size sz, uint64_t a, enum fp_round round,
                      bool exact)
{
    struct fp_num x = fp_unpack(env, sz, a);
    uint64_t mag;
    bool huge;

    if (fp_is_nan(x)) {
        return fp_process_nan(env, sz, x, a);
    }
    if (x.cls == FP_CLS_ZERO) {
        return fp_zero(sz, x.sign);
    }
    if (x.cls == FP_CLS_INF || x.exp >= fp_fmts[sz].frac_bits) {
        return a & fp_mask(fp_fmts[sz].bits);
    }
    if (fp_round_mag(x, 0, round, &mag, &huge) && exact) {
        env->fpsr |= FPSR_IXC;
    }
    return mag ? fp_round_pack(env, sz, x.sign, 0, mag, FP_TOZERO) : fp_zero(sz, x.sign);
}

uint64_t fp_round_int_n(struct fp_env *env, enum fp_size sz, uint64_t a, enum fp_round round,
                        unsigned int_bits)
{
    struct fp_num x = fp_unpack(env, sz, a);
    uint64_t mag = 0;
    bool huge = x.cls >= FP_CLS_INF, inexact = false;

    if (x.cls == FP_CLS_NORMAL) {
        inexact = fp_round_mag(x, 0, round, &mag, &huge);
    }
    if (huge || mag > fp_mask(int_bits - 1) + x.sign) {
        env->fpsr |= FPSR_IOC;
        return fp_pack(sz, true, fp_fmts[sz].bias + int_bits - 1, 0);
    }
    if (inexact) {
        env->fpsr |= FPSR_IXC;
    }
    return mag ? fp_round_pack(env, sz, x.sign, 0, mag, FP_TOZERO) : fp_zero(sz, x.sign);
}
