/* SPDX-License-Identifier: Apache-2.0 */
/* struct fp_num: an unpacked number, and the two ways between it and bits.  Private to softfp. */
#pragma once
#include "isa/softfp/softfp.h"

enum fp_class { FP_CLS_ZERO, FP_CLS_NORMAL, FP_CLS_INF, FP_CLS_QNAN, FP_CLS_SNAN };

/* A normal number is mant × 2^(exp - 63) with bit 63 of mant set: 1.xxx × 2^exp.  A denormal of
 * the format is a normal number here.  mant is 0 in every other class. */
struct fp_num {
    uint8_t cls;
    bool sign;
    int32_t exp;
    uint64_t mant;
};

struct fp_fmt {
    uint8_t bits;      /* whole */
    uint8_t exp_bits;
    uint8_t frac_bits;
    int16_t bias;
};

extern const struct fp_fmt fp_fmts[4]; /* by enum fp_size */

static inline uint64_t fp_mask(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static inline uint64_t fp_pack(enum fp_size sz, bool sign, unsigned biased, uint64_t frac)
{
    const struct fp_fmt *f = &fp_fmts[sz];

    return (uint64_t)sign << (f->bits - 1) | (uint64_t)biased << f->frac_bits | frac;
}

static inline uint64_t fp_zero(enum fp_size sz, bool sign) { return fp_pack(sz, sign, 0, 0); }

static inline uint64_t fp_inf(enum fp_size sz, bool sign)
{
    return fp_pack(sz, sign, (unsigned)fp_mask(fp_fmts[sz].exp_bits), 0);
}

static inline uint64_t fp_max_normal(enum fp_size sz, bool sign)
{
    return fp_inf(sz, sign) - 1;
}

static inline bool fp_is_nan(struct fp_num n) { return n.cls >= FP_CLS_QNAN; }

/* `x >> n`, with a 1 in bit 0 if anything was lost: rounding needs no more than that. */
static inline unsigned __int128 fp_shr_jam128(unsigned __int128 x, unsigned n)
{
    if (n == 0) {
        return x;
    }
    return n < 128 ? x >> n | ((x << (128 - n)) != 0) : x != 0;
}

/* FPUnpack(): flushes a denormal if FPCR says so (IDC, except for half precision). */
struct fp_num fp_unpack(struct fp_env *env, enum fp_size sz, uint64_t a);
/* FPUnpackCV(): for conversions between formats: obeys AHP, ignores FZ16. */
struct fp_num fp_unpack_cv(struct fp_env *env, enum fp_size sz, uint64_t a);

/* FPRound() of ±mant × 2^exp, mant not 0 and perhaps jammed below its 64 highest bits. */
uint64_t fp_round_pack(struct fp_env *env, enum fp_size sz, bool sign, int exp,
                       unsigned __int128 mant, enum fp_round round);
uint64_t fp_round_pack_cv(struct fp_env *env, enum fp_size sz, bool sign, int exp,
                          unsigned __int128 mant, enum fp_round round);

/* FPProcessNaN(): `a` is a NaN of class n.cls. */
uint64_t fp_process_nan(struct fp_env *env, enum fp_size sz, struct fp_num n, uint64_t a);
/* FPProcessNaNs(): true with *out if an operand is a NaN. */
bool fp_process_nans(struct fp_env *env, enum fp_size sz, struct fp_num x, struct fp_num y,
                     uint64_t a, uint64_t b, uint64_t *out);
/* Invalid operation: the default NaN and IOC. */
uint64_t fp_invalid(struct fp_env *env, enum fp_size sz);

/* An overflow rounds to infinity (true) or to the greatest normal number. */
bool fp_overflow_to_inf(enum fp_round round, bool sign);

/* The integer nearest to n × 2^fbits under `round`, n normal: magnitude in *mag, saturated to
 * UINT64_MAX with *huge set when it does not fit.  Returns whether it is inexact. */
bool fp_round_mag(struct fp_num n, int fbits, enum fp_round round, uint64_t *mag, bool *huge);
