/* SPDX-License-Identifier: Apache-2.0 */
/* Arm floating point in portable C, exact to the bit and to the FPSR flag.
 *
 * The rules are those of the Arm ARM (DDI 0487), J1.3 "shared/functions/float": NaN priority and
 * quieting, default NaN, flush-to-zero of inputs and outputs, tininess before rounding,
 * alternative half precision.  It is the interpreter's arithmetic and the translators' slow path.
 *
 * A value is the raw bits of its format in the low bits of a uint64_t; the bits above are zero in
 * every result and ignored in every operand.  The format is an `enum fp_size`, whose number is
 * the log2 of the size in bytes (the same as an AdvSIMD element size).
 *
 * Every function reads env->fpcr, ORs cumulative flags into env->fpsr, touches nothing else, and
 * cannot fail.  Any thread may call; an env belongs to one thread at a time.
 * Traps (FPCR.IOE … IDE) are not implemented: those bits are RAZ/WI on our CPUs. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct fp_env {
    uint32_t fpcr;
    uint32_t fpsr;
};

#define FPCR_FZ16 (UINT32_C(1) << 19)
#define FPCR_RMODE_SHIFT 22
#define FPCR_FZ (UINT32_C(1) << 24)
#define FPCR_DN (UINT32_C(1) << 25)
#define FPCR_AHP (UINT32_C(1) << 26)

#define FPSR_IOC (UINT32_C(1) << 0)
#define FPSR_DZC (UINT32_C(1) << 1)
#define FPSR_OFC (UINT32_C(1) << 2)
#define FPSR_UFC (UINT32_C(1) << 3)
#define FPSR_IXC (UINT32_C(1) << 4)
#define FPSR_IDC (UINT32_C(1) << 7)
#define FPSR_QC (UINT32_C(1) << 27)

enum fp_size { FP_H = 1, FP_S = 2, FP_D = 3 };

/* The first four are the encodings of FPCR.RMode. */
enum fp_round { FP_TIEEVEN, FP_POSINF, FP_NEGINF, FP_TOZERO, FP_TIEAWAY, FP_ODD };

static inline enum fp_round fp_env_round(const struct fp_env *env)
{
    return (enum fp_round)(env->fpcr >> FPCR_RMODE_SHIFT & 3);
}

/* Sign operations are on bits: they see no NaN and raise no flag. */
static inline uint64_t fp_sign_bit(enum fp_size sz) { return UINT64_C(1) << ((8 << sz) - 1); }
static inline uint64_t fp_neg(enum fp_size sz, uint64_t a) { return a ^ fp_sign_bit(sz); }
static inline uint64_t fp_abs(enum fp_size sz, uint64_t a) { return a & ~fp_sign_bit(sz); }

uint64_t fp_default_nan(enum fp_size sz);

/* Arithmetic, rounded by FPCR.RMode. */
uint64_t fp_add(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_sub(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_mul(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_mulx(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_div(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_sqrt(struct fp_env *env, enum fp_size sz, uint64_t a);
/* addend + n * m, one rounding.  The order of the operands is the priority of their NaNs. */
uint64_t fp_muladd(struct fp_env *env, enum fp_size sz, uint64_t addend, uint64_t n, uint64_t m);

/* FRECPS, FRSQRTS, FRECPE, FRSQRTE, FRECPX; the u32 forms are URECPE and URSQRTE. */
uint64_t fp_recip_step(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_rsqrt_step(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_recip_estimate(struct fp_env *env, enum fp_size sz, uint64_t a);
uint64_t fp_rsqrt_estimate(struct fp_env *env, enum fp_size sz, uint64_t a);
uint64_t fp_recip_exponent(struct fp_env *env, enum fp_size sz, uint64_t a);
uint32_t fp_recip_estimate_u32(uint32_t a);
uint32_t fp_rsqrt_estimate_u32(uint32_t a);

/* The nm forms prefer a number to one quiet NaN. */
uint64_t fp_max(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_min(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_maxnm(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
uint64_t fp_minnm(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);

/* NZCV in bits 3..0.  `signal_nans` is FCMPE: a quiet NaN raises IOC too. */
unsigned fp_compare(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b,
                    bool signal_nans);
/* FCMEQ is quiet; FCMGE and FCMGT raise IOC for any NaN. */
bool fp_cmpeq(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
bool fp_cmpge(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);
bool fp_cmpgt(struct fp_env *env, enum fp_size sz, uint64_t a, uint64_t b);

/* Between formats (`from` != `to`).  Half precision obeys FPCR.AHP and ignores FZ16. */
uint64_t fp_convert(struct fp_env *env, enum fp_size to, enum fp_size from, uint64_t a,
                    enum fp_round round);

/* To an integer of `int_bits` (16, 32 or 64) after multiplying by 2^fbits; saturates.  The
 * result is cut to int_bits. */
uint64_t fp_to_int(struct fp_env *env, enum fp_size sz, uint64_t a, unsigned int_bits,
                   bool is_signed, unsigned fbits, enum fp_round round);
/* From the low `int_bits` of v, divided by 2^fbits, rounded by FPCR.RMode. */
uint64_t fp_from_int(struct fp_env *env, enum fp_size sz, uint64_t v, unsigned int_bits,
                     bool is_signed, unsigned fbits);
/* FJCVTZS: a double to an int32 modulo 2^32; *z is PSTATE.Z (the conversion was exact). */
uint32_t fp_to_int_js(struct fp_env *env, uint64_t a, bool *z);

/* FRINT*: to an integral value in the same format; `exact` (FRINTX) raises IXC. */
uint64_t fp_round_int(struct fp_env *env, enum fp_size sz, uint64_t a, enum fp_round round,
                      bool exact);
/* FRINT32*, FRINT64*: as above, but out of range of an int_bits integer gives -2^(int_bits-1). */
uint64_t fp_round_int_n(struct fp_env *env, enum fp_size sz, uint64_t a, enum fp_round round,
                        unsigned int_bits);
