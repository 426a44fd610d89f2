/* SPDX-License-Identifier: Apache-2.0 */
/* softfp against the host's floating point where that is exact, and the Arm-only rules against
 * values worked out from the manual. */
#include <fenv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "isa/softfp/softfp.h"
#include "../../check.h"

static uint64_t rng;

static uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng * UINT64_C(0x2545f4914f6cdd1d);
}

static double as_d(uint64_t a) { double d; memcpy(&d, &a, 8); return d; }
static uint64_t of_d(double d) { uint64_t a; memcpy(&a, &d, 8); return a; }
static float as_s(uint64_t a) { uint32_t w = a; float f; memcpy(&f, &w, 4); return f; }
static uint64_t of_s(float f) { uint32_t a; memcpy(&a, &f, 4); return a; }

/* Any bits but a NaN, often near 1.0 so that sums and cancellations are interesting. */
static uint64_t number(enum fp_size sz)
{
    for (;;) {
        uint64_t a = rnd();
        if (sz == FP_D) {
            a = rnd() & 1 ? (a & ~(UINT64_C(0x7ff) << 52)) | (1000 + rnd() % 50) << 52 : a;
            if (as_d(a) == as_d(a)) {
                return a;
            }
        } else {
            a &= UINT32_MAX;
            a = rnd() & 1 ? (a & ~(UINT64_C(0xff) << 23)) | (110 + rnd() % 40) << 23 : a;
            if (as_s(a) == as_s(a)) {
                return a;
            }
        }
    }
}

/* The host's flags as FPSR; not the underflow flag, which x86 detects after rounding. */
static uint32_t host_flags(void)
{
    int f = fetestexcept(FE_ALL_EXCEPT);

    return (f & FE_INVALID ? FPSR_IOC : 0) | (f & FE_DIVBYZERO ? FPSR_DZC : 0) |
           (f & FE_OVERFLOW ? FPSR_OFC : 0) | (f & FE_INEXACT ? FPSR_IXC : 0);
}

static void check_same(const char *what, struct fp_env e, uint64_t got, uint64_t want, bool nan,
                       uint32_t flags, uint64_t a, uint64_t b, uint64_t c)
{
    CHECK((nan ? got == fp_default_nan(FP_D) || got == fp_default_nan(FP_S) : got == want) &&
          (e.fpsr & ~FPSR_UFC) == flags,
          "%s(%#llx, %#llx, %#llx) fpcr %#x: %#llx flags %#x, want %#llx %#x", what,
          (unsigned long long)a, (unsigned long long)b, (unsigned long long)c, e.fpcr,
          (unsigned long long)got, e.fpsr, (unsigned long long)want, flags);
}

static void test_against_host(void)
{
    static const int host_modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };

    for (unsigned i = 0; i < 20000; i++) {
        unsigned mode = i & 3;
        for (enum fp_size sz = FP_S; sz <= FP_D; sz++) {
            uint64_t a = number(sz), b = number(sz), c = number(sz);
            volatile double x = as_d(a), y = as_d(b), z = as_d(c);
            volatile float f = as_s(a), g = as_s(b), h = as_s(c);
#define BOTH(name, call, dexpr, sexpr) do { \
                struct fp_env e = { .fpcr = mode << FPCR_RMODE_SHIFT }; \
                fesetround(host_modes[mode]); \
                feclearexcept(FE_ALL_EXCEPT); \
                volatile double rd_ = 0; \
                volatile float rs_ = 0; \
                if (sz == FP_D) { rd_ = (dexpr); } else { rs_ = (sexpr); } \
                uint32_t flags = host_flags(); \
                fesetround(FE_TONEAREST); \
                uint64_t got = call; \
                struct fp_env first = e; \
                e.fpsr = FPSR_IXC;              /* the quick way */ \
                CHECK(call == got && e.fpsr == (first.fpsr | FPSR_IXC), name " with IXC"); \
                e = first; \
                check_same(name, e, got, sz == FP_D ? of_d(rd_) : of_s(rs_), \
                           sz == FP_D ? rd_ != rd_ : rs_ != rs_, flags, a, b, c); \
            } while (0)
            BOTH("add", fp_add(&e, sz, a, b), x + y, f + g);
            BOTH("sub", fp_sub(&e, sz, a, b), x - y, f - g);
            BOTH("mul", fp_mul(&e, sz, a, b), x * y, f * g);
            BOTH("div", fp_div(&e, sz, a, b), x / y, f / g);
            BOTH("sqrt", fp_sqrt(&e, sz, a), sqrt(x), sqrtf(f));
            BOTH("muladd", fp_muladd(&e, sz, c, a, b), fma(x, y, z), fmaf(f, g, h));
            BOTH("round_int", fp_round_int(&e, sz, a, mode, true), rint(x), rintf(f));
            CHECK(fp_compare(&(struct fp_env){ 0 }, sz, a, b, false) ==
                  (sz == FP_D ? x == y ? 6 : x < y ? 8 : 2 : f == g ? 6 : f < g ? 8 : 2));
        }
        uint64_t a = number(FP_D), s = number(FP_S);
        volatile double x = as_d(a);
        volatile float f = as_s(s);
        struct fp_env e = { .fpcr = mode << FPCR_RMODE_SHIFT };
        fesetround(host_modes[mode]);
        volatile float narrow = (float)x, from_int = (float)(int64_t)a;
        fesetround(FE_TONEAREST);
        CHECK(fp_convert(&e, FP_S, FP_D, a, mode) == of_s(narrow), "%a", x);
        CHECK(fp_convert(&e, FP_D, FP_S, s, mode) == of_d((double)f), "%a", f);
        CHECK(fp_from_int(&e, FP_S, a, 64, true, 0) == of_s(from_int), "%llx",
              (unsigned long long)a);
    }
}

/* What no host does: each line is a rule of the manual. */
static void test_arm_rules(void)
{
    const uint64_t one = 0x3f800000, inf = 0x7f800000, qnan = 0x7fc00001, snan = 0x7f800001;
    struct fp_env e;
    bool z;
#define RULE(cr, want, flags, call) do { \
        e = (struct fp_env){ .fpcr = cr }; \
        uint64_t got_ = call; \
        CHECK(got_ == (want) && e.fpsr == (flags), #call ": %#llx fpsr %#x", \
              (unsigned long long)got_, e.fpsr); \
    } while (0)
    RULE(0, 0x7fc00001, FPSR_IOC, fp_add(&e, FP_S, 0xffc12345, snan));  /* SNaN first */
    RULE(0, 0xffc12345, 0, fp_add(&e, FP_S, 0xffc12345, qnan));         /* then the first */
    RULE(FPCR_DN, 0x7fc00000, 0, fp_add(&e, FP_S, one, qnan));
    RULE(0, 0x7fc00000, FPSR_IOC, fp_sub(&e, FP_S, inf, inf));          /* positive NaN */
    RULE(0, 0x7fc00000, FPSR_IOC, fp_muladd(&e, FP_S, qnan, inf, 0));   /* despite the QNaN */
    RULE(0, 0x40000000, 0, fp_mulx(&e, FP_S, inf, 0));
    RULE(0, 0x3fc00000, 0, fp_rsqrt_step(&e, FP_S, inf, 0));
    RULE(0, one, 0, fp_maxnm(&e, FP_S, one, qnan));
    RULE(0, qnan, 0, fp_max(&e, FP_S, one, qnan));
    RULE(0, 0, 0, fp_max(&e, FP_S, 0x80000000, 0));
    RULE(FPCR_FZ, 0, FPSR_IDC, fp_add(&e, FP_S, 1, 1));                 /* inputs flushed */
    RULE(FPCR_FZ, 0, FPSR_UFC, fp_mul(&e, FP_S, 0x00800000, 0x3f000000)); /* output: no IXC */
    RULE(FPCR_FZ16, 0, 0, fp_add(&e, FP_H, 1, 1));                      /* no IDC for half */
    /* Tininess before rounding: rounds to the least normal number, underflows all the same. */
    RULE(0, 0x00800000, FPSR_UFC | FPSR_IXC, fp_mul(&e, FP_S, 0x00ffffff, 0x3f000000));
    RULE(FPCR_AHP, 0x7fff, FPSR_IOC, fp_convert(&e, FP_H, FP_S, inf, FP_TIEEVEN));
    RULE(FPCR_AHP, 0x47ffe000, 0, fp_convert(&e, FP_S, FP_H, 0x7fff, FP_TIEEVEN));
    RULE(0, 0x7fffffff, FPSR_IOC, fp_to_int(&e, FP_S, 0x4f000000, 32, true, 0, FP_TOZERO));
    RULE(0, 0, FPSR_IOC, fp_to_int(&e, FP_S, 0xbf800000, 32, false, 0, FP_TOZERO));
    RULE(0, 3, FPSR_IXC, fp_to_int(&e, FP_S, 0x40200000, 32, false, 0, FP_TIEAWAY));
    RULE(0, 0xcf000000, FPSR_IOC, fp_round_int_n(&e, FP_S, qnan, FP_TOZERO, 32));
    RULE(0, 0x3eff8000, 0, fp_recip_estimate(&e, FP_S, 0x40000000));
    RULE(0, 0x3f7f8000, 0, fp_rsqrt_estimate(&e, FP_S, one));
    RULE(0, inf, FPSR_DZC, fp_recip_estimate(&e, FP_S, 0));
    RULE(0, 0x3f800000 ^ inf, 0, fp_recip_exponent(&e, FP_S, one));
    RULE(0, 5, FPSR_IOC, fp_to_int_js(&e, 0x41f0000000500000, &z));     /* 2^32 + 5 */
    RULE(0, 0, 0, fp_to_int_js(&e, UINT64_C(1) << 63, &z));
    CHECK(!z);                                                          /* -0 is not exact */
    CHECK(fp_recip_estimate_u32(0x80000000) == 0xff800000);
    CHECK(fp_rsqrt_estimate_u32(0x3fffffff) == UINT32_MAX);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);

    printf("seed %llu\n", (unsigned long long)seed);
    rng = seed * 2 + 1;
    test_against_host();
    test_arm_rules();
    return check_result();
}
