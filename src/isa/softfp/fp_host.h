/* SPDX-License-Identifier: Apache-2.0 */
/* The quick way: where nothing but FPSR.IXC can happen, and that is set already, the host's
 * arithmetic gives Arm's result.  Private to softfp.
 *
 * The conditions: single or double precision, round to nearest, IXC set, every operand a normal
 * number, and a result clear of overflow and of underflow before rounding (exponent field from 2
 * on).  Then NaNs, FZ, DN and the order of operands play no role, and neither does the state of
 * the host's FP unit but for its rounding mode, which is to nearest here, or equal to FPCR.RMode
 * (a translator's), which has been checked. */
#pragma once
#include "isa/softfp/fp_num.h"

#include <math.h>
#include <string.h>

static inline bool fp_host_may(const struct fp_env *env, enum fp_size sz)
{
    return sz != FP_H && env->fpsr & FPSR_IXC && fp_env_round(env) == FP_TIEEVEN;
}

/* Exponent field e with first <= e < max. */
static inline bool fp_host_exp_ok(enum fp_size sz, uint64_t a, unsigned first)
{
    unsigned ones = sz == FP_S ? 255 : 2047;
    unsigned e = a >> (sz == FP_S ? 23 : 52) & ones;

    return e - first < ones - first;
}

static inline double fp_host_d(uint64_t a)
{
    double v;

    memcpy(&v, &a, sizeof(v));
    return v;
}

static inline float fp_host_s(uint64_t a)
{
    uint32_t w = a;
    float v;

    memcpy(&v, &w, sizeof(v));
    return v;
}

static inline bool fp_host_result_d(double v, uint64_t *out)
{
    memcpy(out, &v, sizeof(v));
    return fp_host_exp_ok(FP_D, *out, 2);
}

static inline bool fp_host_result_s(float v, uint64_t *out)
{
    uint32_t w;

    memcpy(&w, &v, sizeof(w));
    *out = w;
    return fp_host_exp_ok(FP_S, w, 2);
}

#define FP_HOST_BINARY(name, op) \
    static inline bool fp_host_##name(const struct fp_env *env, enum fp_size sz, uint64_t a, \
                                      uint64_t b, uint64_t *out) \
    { \
        if (!fp_host_may(env, sz) || !fp_host_exp_ok(sz, a, 1) || !fp_host_exp_ok(sz, b, 1)) { \
            return false; \
        } \
        return sz == FP_D ? fp_host_result_d(fp_host_d(a) op fp_host_d(b), out) \
                          : fp_host_result_s(fp_host_s(a) op fp_host_s(b), out); \
    }
FP_HOST_BINARY(add, +)
FP_HOST_BINARY(sub, -)
FP_HOST_BINARY(mul, *)
FP_HOST_BINARY(div, /)
#undef FP_HOST_BINARY

static inline bool fp_host_sqrt(const struct fp_env *env, enum fp_size sz, uint64_t a,
                                uint64_t *out)
{
    if (!fp_host_may(env, sz) || !fp_host_exp_ok(sz, a, 1) || a & fp_sign_bit(sz)) {
        return false;
    }
    return sz == FP_D ? fp_host_result_d(sqrt(fp_host_d(a)), out)
                      : fp_host_result_s(sqrtf(fp_host_s(a)), out);
}

static inline bool fp_host_muladd(const struct fp_env *env, enum fp_size sz, uint64_t addend,
                                  uint64_t n, uint64_t m, uint64_t *out)
{
    if (!fp_host_may(env, sz) || !fp_host_exp_ok(sz, addend, 1) || !fp_host_exp_ok(sz, n, 1) ||
        !fp_host_exp_ok(sz, m, 1)) {
        return false;
    }
    return sz == FP_D
               ? fp_host_result_d(fma(fp_host_d(n), fp_host_d(m), fp_host_d(addend)), out)
               : fp_host_result_s(fmaf(fp_host_s(n), fp_host_s(m), fp_host_s(addend)), out);
}
