/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point primitives: softfp, lane by lane. */
#include "isa/a64/vecops_lane.h"
#include "isa/softfp/softfp.h"

/* In `call`: e is the fp_env, sz the format, x, y, z the lanes of a, b, c. */
#define LANES_FP(name, b_, c_, call) \
    VOP_DEFINE(name) \
    { \
        union a64_vreg r = { 0 }; \
        struct fp_env env = { cpu->fpcr, cpu->fpsr }, *e = &env; \
        enum fp_size sz = V_SIZE(arg); \
        for (unsigned i = 0; i < V_LANES(arg); i++) { \
            uint64_t x = v_lane(a, sz, i), y = v_lane(b_, sz, i), z = v_lane(c_, sz, i); \
            (void)e, (void)y, (void)z; \
            v_lane_set(&r, sz, i, call); \
        } \
        *d = r; \
        cpu->fpsr |= env.fpsr; \
    }
#define FP1(name, call) LANES_FP(name, a, a, call)
#define FP2(name, call) LANES_FP(name, b, a, call)
#define FP3(name, call) LANES_FP(name, b, c, call)
#define FP_MASK(cond) ((cond) ? UINT64_MAX : 0)

static enum fp_round round_of(const struct fp_env *e, unsigned x)
{
    return V_ROUND_OF(x) == V_ROUND_FPCR ? fp_env_round(e) : (enum fp_round)V_ROUND_OF(x);
}

FP2(fadd, fp_add(e, sz, x, y))
FP2(fsub, fp_sub(e, sz, x, y))
FP2(fmul, fp_mul(e, sz, x, y))
FP2(fmulx, fp_mulx(e, sz, x, y))
FP2(fdiv, fp_div(e, sz, x, y))
FP2(fmax, fp_max(e, sz, x, y))
FP2(fmin, fp_min(e, sz, x, y))
FP2(fmaxnm, fp_maxnm(e, sz, x, y))
FP2(fminnm, fp_minnm(e, sz, x, y))
FP3(fmla, fp_muladd(e, sz, z, x, y))
FP2(fcmeq, FP_MASK(fp_cmpeq(e, sz, x, y)))
FP2(fcmge, FP_MASK(fp_cmpge(e, sz, x, y)))
FP2(fcmgt, FP_MASK(fp_cmpgt(e, sz, x, y)))
FP2(frecps, fp_recip_step(e, sz, x, y))
FP2(frsqrts, fp_rsqrt_step(e, sz, x, y))
FP1(fsqrt, fp_sqrt(e, sz, x))
FP1(frecpe, fp_recip_estimate(e, sz, x))
FP1(frsqrte, fp_rsqrt_estimate(e, sz, x))
FP1(frecpx, fp_recip_exponent(e, sz, x))
FP1(urecpe, fp_recip_estimate_u32(x))
FP1(ursqrte, fp_rsqrt_estimate_u32(x))

static uint64_t frint(struct fp_env *e, enum fp_size sz, uint64_t a, unsigned x)
{
    enum fp_round round = round_of(e, x);

    return x >> 4 ? fp_round_int_n(e, sz, a, round, x >> 4)
                  : fp_round_int(e, sz, a, round, x & V_ROUND_EXACT);
}

FP1(frint, frint(e, sz, x, V_X(arg)))

static void to_int(struct a64_cpu *cpu, uint32_t arg, union a64_vreg *d, const union a64_vreg *a,
                   bool is_signed)
{
    union a64_vreg r = { 0 };
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    enum fp_size sz = V_SIZE(arg);
    unsigned x = V_X(arg), n = V_LANES(arg), lg = V_INT_LG(x);

    for (unsigned i = 0; i < n; i++) {
        v_lane_set(&r, lg, i, fp_to_int(&e, sz, v_lane(a, sz, i), 8u << lg, is_signed,
                                        V_INT_FBITS(x), round_of(&e, x)));
    }
    *d = r;
    cpu->fpsr |= e.fpsr;
}

VOP_DEFINE(fcvts) { to_int(cpu, arg, d, a, true); }
VOP_DEFINE(fcvtu) { to_int(cpu, arg, d, a, false); }

static void from_int(struct a64_cpu *cpu, uint32_t arg, union a64_vreg *d,
                     const union a64_vreg *a, bool is_signed)
{
    union a64_vreg r = { 0 };
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    enum fp_size sz = V_SIZE(arg);
    unsigned x = V_X(arg), n = V_LANES(arg), lg = V_INT_LG(x);

    for (unsigned i = 0; i < n; i++) {
        v_lane_set(&r, sz, i, fp_from_int(&e, sz, v_lane(a, lg, i), 8u << lg, is_signed,
                                          V_INT_FBITS(x)));
    }
    *d = r;
    cpu->fpsr |= e.fpsr;
}

VOP_DEFINE(scvtf) { from_int(cpu, arg, d, a, true); }
VOP_DEFINE(ucvtf) { from_int(cpu, arg, d, a, false); }

VOP_DEFINE(fcvtl)
{
    union a64_vreg r = { 0 };
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    unsigned size = V_SIZE(arg), from = (V_X(arg) & 1) * (8 >> size);

    for (unsigned i = 0; i < V_LANES(arg) / 2; i++) {
        v_lane_set(&r, size + 1, i, fp_convert(&e, size + 1, size, v_lane(a, size, from + i),
                                               fp_env_round(&e)));
    }
    *d = r;
    cpu->fpsr |= e.fpsr;
}

VOP_DEFINE(fcvtn)
{
    union a64_vreg r = { 0 };
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    unsigned size = V_SIZE(arg);

    for (unsigned i = 0; i < V_LANES(arg); i++) {
        v_lane_set(&r, size, i, fp_convert(&e, size, size + 1, v_lane(a, size + 1, i),
                                           round_of(&e, V_X(arg))));
    }
    *d = r;
    cpu->fpsr |= e.fpsr;
}

VOP_DEFINE(fcvt)
{
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    enum fp_size from = V_SIZE(arg);

    d->d[0] = fp_convert(&e, V_X(arg), from, v_lane(a, from, 0), fp_env_round(&e));
    d->d[1] = 0;
    cpu->fpsr |= e.fpsr;
}

VOP_DEFINE(fcmp)
{
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    enum fp_size sz = V_SIZE(arg);

    d->d[0] = (uint64_t)fp_compare(&e, sz, v_lane(a, sz, 0), v_lane(b, sz, 0), V_X(arg)) << 28;
    d->d[1] = 0;
    cpu->fpsr |= e.fpsr;
}

VOP_DEFINE(fjcvtzs)
{
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    bool z;

    d->d[0] = fp_to_int_js(&e, a->d[0], &z);
    d->d[1] = (uint64_t)z << 30;
    cpu->fpsr |= e.fpsr;
}

/* FCMLA: which element of b (and its sign) goes with which element of a, DDI 0487 C7.2.65. */
VOP_DEFINE(fcmla)
{
    union a64_vreg r = { 0 };
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    enum fp_size sz = V_SIZE(arg);
    unsigned rot = V_X(arg) & 3, odd = rot & 1;

    for (unsigned i = 0; i < V_LANES(arg); i += 2) {
        uint64_t n = v_lane(a, sz, i + odd);
        uint64_t re = v_lane(b, sz, i + odd), im = v_lane(b, sz, i + !odd);
        if (rot == 1 || rot == 2) {
            re = fp_neg(sz, re);
        }
        if (rot >= 2) {
            im = fp_neg(sz, im);
        }
        v_lane_set(&r, sz, i, fp_muladd(&e, sz, v_lane(c, sz, i), n, re));
        v_lane_set(&r, sz, i + 1, fp_muladd(&e, sz, v_lane(c, sz, i + 1), n, im));
    }
    *d = r;
    cpu->fpsr |= e.fpsr;
}

VOP_DEFINE(fcadd)
{
    union a64_vreg r = { 0 };
    struct fp_env e = { cpu->fpcr, cpu->fpsr };
    enum fp_size sz = V_SIZE(arg);

    for (unsigned i = 0; i < V_LANES(arg); i += 2) {
        uint64_t re = v_lane(b, sz, i + 1), im = v_lane(b, sz, i);
        if (V_X(arg)) {
            im = fp_neg(sz, im);
        } else {
            re = fp_neg(sz, re);
        }
        v_lane_set(&r, sz, i, fp_add(&e, sz, v_lane(a, sz, i), re));
        v_lane_set(&r, sz, i + 1, fp_add(&e, sz, v_lane(a, sz, i + 1), im));
    }
    *d = r;
    cpu->fpsr |= e.fpsr;
}
