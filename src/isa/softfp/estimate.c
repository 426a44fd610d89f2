/* SPDX-License-Identifier: Apache-2.0 */
/* The reciprocal estimates.  The architecture fixes every bit of them. */
#include "isa/softfp/fp_num.h"

/* RecipEstimate(): 256 <= a < 512 stands for 0.5 … 1; returns 256 … 511 for 1 … 2. */
static unsigned recip_estimate(unsigned a)
{
    a = a * 2 + 1;
    return ((1u << 19) / a + 1) / 2;
}

/* RecipSqrtEstimate(): 128 <= a < 512 stands for 0.25 … 1; returns 256 … 511 for 1 … 2. */
static unsigned rsqrt_estimate(unsigned a)
{
    a = a < 256 ? a * 2 + 1 : (a >> 1 << 1) * 2 + 2;
    uint64_t b = 512;
    while (a * (b + 1) * (b + 1) < UINT64_C(1) << 28) {
        b++;
    }
    return (b + 1) / 2;
}

uint32_t fp_recip_estimate_u32(uint32_t a)
{
    return a >> 31 ? recip_estimate(a >> 23) << 23 : UINT32_MAX;
}

uint32_t fp_rsqrt_estimate_u32(uint32_t a)
{
    return a >> 30 ? rsqrt_estimate(a >> 23) << 23 : UINT32_MAX;
}

uint64_t fp_recip_estimate(struct fp_env *env, enum fp_size sz, uint64_t a)
{
    const struct fp_fmt *f = &fp_fmts[sz];
    struct fp_num x = fp_unpack(env, sz, a);

    if (fp_is_nan(x)) {
        return fp_process_nan(env, sz, x, a);
    }
    if (x.cls == FP_CLS_INF) {
        return fp_zero(sz, x.sign);
    }
    if (x.cls == FP_CLS_ZERO) {
        env->fpsr |= FPSR_DZC;
        return fp_inf(sz, x.sign);
    }
    /* Below 2^-(bias+1) the reciprocal overflows. */
    if (x.exp < -(f->bias + 1)) {
        env->fpsr |= FPSR_OFC | FPSR_IXC;
        return fp_overflow_to_inf(fp_env_round(env), x.sign) ? fp_inf(sz, x.sign)
                                                             : fp_max_normal(sz, x.sign);
    }
    if (env->fpcr & (sz == FP_H ? FPCR_FZ16 : FPCR_FZ) && x.exp >= f->bias - 1) {
        env->fpsr |= FPSR_UFC;
        return fp_zero(sz, x.sign);
    }
    unsigned estimate = recip_estimate(x.mant >> 55);
    int biased = f->bias - 1 - x.exp;
    unsigned shift = f->frac_bits - 8;
    if (biased > 0) {
        return fp_pack(sz, x.sign, biased, (uint64_t)(estimate & 0xff) << shift);
    }
    /* Denormal: biased is 0 or -1. */
    return fp_pack(sz, x.sign, 0, ((uint64_t)estimate << shift) >> (1 - biased));
}

uint64_t fp_rsqrt_estimate(struct fp_env *env, enum fp_size sz, uint64_t a)
{
    const struct fp_fmt *f = &fp_fmts[sz];
    struct fp_num x = fp_unpack(env, sz, a);

    if (fp_is_nan(x)) {
        return fp_process_nan(env, sz, x, a);
    }
    if (x.cls == FP_CLS_ZERO) {
        env->fpsr |= FPSR_DZC;
        return fp_inf(sz, x.sign);
    }
    if (x.sign) {
        return fp_invalid(env, sz);
    }
    if (x.cls == FP_CLS_INF) {
        return fp_zero(sz, false);
    }
    /* An odd biased exponent is an even power of two: the operand counts as 0.25 … 0.5. */
    int biased = x.exp + f->bias;
    unsigned scaled = biased & 1 ? x.mant >> 56 : x.mant >> 55;
    unsigned result = (unsigned)(3 * f->bias - 1 - biased) / 2;
    return fp_pack(sz, false, result,
                   (uint64_t)(rsqrt_estimate(scaled) & 0xff) << (f->frac_bits - 8));
}

uint64_t fp_recip_exponent(struct fp_env *env, enum fp_size sz, uint64_t a)
{
    const struct fp_fmt *f = &fp_fmts[sz];
    struct fp_num x = fp_unpack(env, sz, a);
    unsigned ones = fp_mask(f->exp_bits);

    if (fp_is_nan(x)) {
        return fp_process_nan(env, sz, x, a);
    }
    unsigned biased = a >> f->frac_bits & ones;
    return fp_pack(sz, x.sign, biased ? biased ^ ones : ones - 1, 0);
}
