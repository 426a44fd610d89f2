/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar and vector floating point, single and double precision, with Arm's results.
 *
 * MXCSR has the guest's rounding mode and the guest's cumulative flags while translated code
 * runs (accel/jit/fpu.h).  If FPCR.FZ is 0 the host's result and flags are Arm's, but for
 *
 *   NaNs      x86's default NaN is negative, FMA has another order of operands, FMAX and FMIN
 *             another rule, FPCR.DN is unknown to it: a NaN in the result (FMAX, FMIN: in an
 *             operand) goes to the primitive in C.
 *   tininess  Arm detects it before rounding, x86 after.  The two differ only where the result
 *             is the smallest normal number, and inexact (SDM vol. 1, 4.9.1.5; DDI 0487,
 *             FPRound()).  A sum is never both tiny and inexact; the others check for that.
 *   integers  Out of range x86 gives the "indefinite integer" and Invalid; Arm saturates.
 *
 * With FPCR.FZ the host still does not flush: what has a denormal operand, or could have a result
 * that is tiny and inexact, goes the slow way before the host sees it, and an exact denormal
 * afterwards; of the rest no bit differs.
 *
 * What the host has raised by then, Arm raises too, so the slow way only adds flags.
 *
 * The slow way (GEN_T_VSLOW) takes operands from their registers and puts the result into its
 * own; so the destination is never one of the operands. */
#include "isa/emit_x64/gen_fp_int.h"

#include "isa/emit_x64/gen_int.h"
#include "isa/softfp/softfp.h"

#include <assert.h>

/* ---- constants ---- */
static void lit(struct gen *g, unsigned o, unsigned reg, unsigned vvvv, uint64_t lo, uint64_t hi,
                unsigned more)
{
    unsigned i = 0;

    while (i < g->lit_n && (g->lit[i].lo != lo || g->lit[i].hi != hi)) {
        i++;
    }
    if (i == GEN_LITS_MAX || g->lit_use_n == GEN_LIT_USES_MAX) {
        g->failed = true;
        i = 0;
        g->lit_use_n = 0;
    }
    if (i >= g->lit_n) {
        g->lit[i].lo = lo;
        g->lit[i].hi = hi;
        g->lit_n = i + 1;
    }
    g->c.p = x64_vex(g->c.p, o, 0, reg, vvvv, 0, 0);
    x64_b(&g->c, (reg & 7) << 3 | 5);
    g->lit_use[g->lit_use_n].at = g->c.p;
    g->lit_use[g->lit_use_n].lit = i;
    g->lit_use[g->lit_use_n++].more = more;
    x64_d(&g->c, 0);
}

void gen_lit(struct gen *g, unsigned o, unsigned reg, unsigned vvvv, uint64_t lo, uint64_t hi)
{
    lit(g, o, reg, vvvv, lo, hi, 0);
}

void gen_lit_i(struct gen *g, unsigned o, unsigned reg, unsigned vvvv, uint64_t lo, uint64_t hi,
               uint8_t imm)
{
    lit(g, o, reg, vvvv, lo, hi, 1);
    x64_b(&g->c, imm);
}

bool gen_lits_flush(struct gen *g)
{
    uint8_t *first;

    if (!g->lit_n) {
        return true;
    }
    while ((uintptr_t)g->c.p & 15) {
        x64_b(&g->c, 0xcc);
    }
    first = g->c.p;
    if (g->c.end - first < (ptrdiff_t)(16 * g->lit_n + 256)) {
        return false;
    }
    for (unsigned i = 0; i < g->lit_n; i++) {
        x64_q(&g->c, g->lit[i].lo);
        x64_q(&g->c, g->lit[i].hi);
    }
    for (unsigned i = 0; i < g->lit_use_n; i++) {
        int32_t d = first + 16 * g->lit_use[i].lit - (g->lit_use[i].at + 4 + g->lit_use[i].more);
        memcpy(g->lit_use[i].at, &d, 4);
    }
    return true;
}

void gen_fp_lit(struct gen *g, unsigned o, int d, int a, struct gen_fp_fmt f, uint32_t single,
                uint64_t dbl)
{
    uint64_t k = f.dbl ? dbl : f.scalar ? single : single | (uint64_t)single << 32;

    gen_lit(g, o, d, a, k, f.scalar ? 0 : k);
}

/* ---- the slow way ---- */
static uint32_t field(int r)
{
    return r < 0 ? 0 : r;
}

/* To be taken by the jump whose displacement is `from`; the caller sets `back`. */
struct gen_stub *gen_fp_slow(struct gen *g, uint8_t *from, struct gen_fp_regs r)
{
    struct gen_stub *s = gen_stub(g, GEN_STUB_VSLOW);
    uint64_t k = op(g)->k;

    s->from = from;
    s->info = (k & 0x3fff) | (k & GEN_FP_NEG_A ? 1u << 14 : 0) | (k & GEN_FP_NEG_C ? 1u << 15 : 0) |
              field(r.a) << 16 | field(r.b) << 20 | field(r.c) << 24 | field(r.d) << 28;
    s->const1 = k >> 16 & UINT32_MAX;
    s->back = g->c.p;
    return s;
}

void gen_fp_stub(struct gen *g, const struct gen_stub *s)
{
    uint8_t *const from[] = { s->from, s->from2, s->from3, s->from4 };

    for (unsigned i = 0; i < 4; i++) {
        if (from[i]) {
            x64_patch(from[i], g->c.p);
        }
    }
    if (s->kind == GEN_STUB_QC && s->info) {
        /* There are denormal operands, which T0, T1 select, but is FZ set? */
        uint8_t *over;
        x64_rm(&g->c, 0xf7, 0, gen_at(g, g->guest->fpcr));              /* test */
        x64_d(&g->c, FPCR_FZ);
        over = x64_jcc8(&g->c, CC_NE);
        x64_v(&g->c, P(0xef), T0, T0, T0);
        x64_v(&g->c, P(0xef), T1, T1, T1);
        x64_jmp_to(&g->c, s->back);
        x64_patch8(over, g->c.p);
        x64_rm(&g->c, 0x81, ALU_OR, gen_at(g, g->guest->fpsr));
        x64_d(&g->c, s->info);
        x64_jmp_to(&g->c, s->back);
        return;
    }
    if (s->kind == GEN_STUB_QC) {
        x64_rm(&g->c, 0x81, ALU_OR, gen_at(g, g->guest->fpsr));
        x64_d(&g->c, FPSR_QC);
        x64_jmp_to(&g->c, s->back);
        return;
    }
    if (s->a >= 0) {
        x64_v(&g->c, P(0x6e) | OP_W, T0, 0, s->a);
    }
    x64_call(&g->c, g->thunk[GEN_T_VSLOW]);
    x64_d(&g->c, s->info);
    x64_d(&g->c, s->const1);
    if (s->d1 >= 0) {
        x64_mov_rr(&g->c, true, s->d1, RAX);
    }
    x64_jmp_to(&g->c, s->back);
}

/* ---- arithmetic ---- */
static const uint64_t min_normal[2] = {
    UINT64_C(0x0080000000800000), UINT64_C(0x0010000000000000),
};

uint8_t *gen_fp_jump_if(struct gen *g, bool dbl, unsigned predicate, int a, int b, uint64_t k)
{
    bool avx512 = gen_has_avx512(g);
    unsigned o = 0xc2 | OP_0F | (dbl ? OP_66 : 0), t = avx512 ? K1 : T0;

    if (avx512) {
        o |= OP_EVEX | x64_w(dbl);
    }
    if (b < 0) {
        gen_lit_i(g, o, t, a, k, k, predicate);
    } else {
        x64_vi(&g->c, o, t, a, b, predicate);
    }
    if (avx512) {
        x64_v(&g->c, P(0x98), K1, 0, K1);                               /* kortestb */
    } else {
        x64_v(&g->c, 0x50 | OP_0F | (dbl ? OP_66 : 0), RAX, 0, T0);     /* vmovmskps */
        x64_test_rr(&g->c, false, RAX, RAX);
    }
    return x64_jcc(&g->c, CC_NE);
}

/* Jumps if a lane of `d` is NaN, or, `tiny`, the smallest normal number. */
uint8_t *gen_fp_jump_if_odd(struct gen *g, int d, struct gen_fp_fmt f, bool tiny)
{
    unsigned pd = f.dbl ? OP_66 : 0;

    if (tiny) {
        gen_lit(g, 0x54 | OP_0F | pd, T0, d, abs_mask[f.dbl], abs_mask[f.dbl]);     /* vandps */
    }
    if (f.scalar) {
        if (tiny) {
            gen_lit(g, 0x2e | OP_0F | pd, T0, 0, min_normal[f.dbl], min_normal[f.dbl]);
            return x64_jcc(&g->c, CC_E);
        }
        x64_v(&g->c, 0x2e | OP_0F | pd, d, 0, d);                                   /* vucomiss */
        return x64_jcc(&g->c, CC_P);
    }
    return tiny ? gen_fp_jump_if(g, f.dbl, CMP_EQ_UQ, T0, -1, min_normal[f.dbl])
                : gen_fp_jump_if(g, f.dbl, CMP_UNORD_Q, d, d, 0);
}

/* Jumps if a lane of a or b is so large that their product could overflow, or is NaN: infinity
 * times zero is no invalid operation for FMULX, FRECPS, FRSQRTS, and the host must not see it. */
static uint8_t *jump_if_huge(struct gen *g, int a, int b, struct gen_fp_fmt f)
{
    uint64_t k = f.dbl ? UINT64_C(0x5fefffffffffffff) : UINT64_C(0x5f7fffff5f7fffff), each = k;
    uint64_t mask = abs_mask[f.dbl];
    unsigned gt = f.dbl ? P38(0x37) : P(0x66);

    if (f.scalar) {
        each = 0;
        k &= f.dbl ? UINT64_MAX : UINT32_MAX;
        mask &= f.dbl ? UINT64_MAX : UINT32_MAX;
    }
    gen_lit(g, P(0xdb), T0, a, mask, f.scalar ? 0 : mask);
    gen_lit(g, P(0xdb), T1, b, mask, f.scalar ? 0 : mask);
    gen_lit(g, gt, T0, T0, k, each);
    gen_lit(g, gt, T1, T1, k, each);
    x64_v(&g->c, P(0xeb), T0, T0, T1);
    x64_v(&g->c, 0x50 | OP_0F | (f.dbl ? OP_66 : 0), RAX, 0, T0);
    x64_test_rr(&g->c, false, RAX, RAX);
    return x64_jcc(&g->c, CC_NE);
}

/* t = lanes of x that are not zero, but less than those of `limit`: |x| - 1 < limit - 1, as
 * unsigned numbers, which are compared with the sign bit turned. */
static void small_lanes(struct gen *g, struct gen_fp_fmt f, int t, int x, int limit)
{
    uint64_t mask = abs_mask[f.dbl], less = f.dbl ? INT64_MAX : UINT64_C(0x7fffffff7fffffff);

    if (f.scalar) {
        mask &= f.dbl ? UINT64_MAX : UINT32_MAX;
    }
    gen_lit(g, P(0xdb), t, x, mask, f.scalar ? 0 : mask);
    gen_lit(g, f.dbl ? P(0xd4) : P(0xfe), t, t, less, less);
    x64_v(&g->c, f.dbl ? P38(0x37) : P(0x66), t, limit, t);             /* vpcmpgt */
}

int gen_fp_fz_tmp(struct gen *g)
{
    return op(g)->k & GEN_FP_FZ ? gen_vtmp(g) : -1;
}

/* t = the limit for small_lanes(), less one, with the sign bit turned. */
static void fz_limit(struct gen *g, struct gen_fp_fmt f, int t, unsigned n)
{
    uint64_t one = f.dbl ? UINT64_C(1) << 52 : UINT64_C(0x0080000000800000);
    uint64_t k = one * (n ? (f.dbl ? 1023 : 127) - n : 1);

    k = f.dbl ? (k - 1) ^ UINT64_C(1) << 63
              : (k - UINT64_C(0x0000000100000001)) ^ UINT64_C(0x8000000080000000);
    gen_vconst(g, t, k, k);
}

uint8_t *gen_fp_jump_if_small(struct gen *g, int t, int a, int b, struct gen_fp_fmt f, unsigned n)
{
    if (t < 0) {
        return NULL;
    }
    if (!n && gen_has_avx512(g)) {                                      /* vfpclassps: denormal */
        unsigned o = P3A(f.scalar ? 0x67 : 0x66) | OP_EVEX | x64_w(f.dbl);
        x64_vi(&g->c, o, K1, 0, a, 0x20);
        if (b >= 0 && b != a) {
            x64_vi(&g->c, o, K2, 0, b, 0x20);
        }
        x64_v(&g->c, P(0x98), b >= 0 && b != a ? K2 : K1, 0, K1);       /* kortestb */
        return x64_jcc(&g->c, CC_NE);
    }
    fz_limit(g, f, t, n);
    small_lanes(g, f, T0, a, t);
    if (b >= 0 && b != a) {
        small_lanes(g, f, T1, b, t);
        x64_v(&g->c, P(0xeb), T0, T0, T1);
    }
    x64_v(&g->c, 0x50 | OP_0F | (f.dbl ? OP_66 : 0), RAX, 0, T0);
    x64_test_rr(&g->c, false, RAX, RAX);
    return x64_jcc(&g->c, CC_NE);
}

/* Of what n the operands' magnitudes must be at least 2^-n, so that no result is tiny and inexact:
 * products are normal, and sums of products with anything normal are multiples of the smallest
 * denormal. */
static unsigned enough(bool dbl, bool adds)
{
    return adds ? (dbl ? 400 : 48) : (dbl ? 500 : 60);
}

static void arithmetic(struct gen *g, unsigned o, bool tiny)
{
    const struct ir_op *p = op(g);
    struct gen_fp_fmt f = fmt_of(p->k >> 16);
    struct gen_fp_regs r = { gen_vuse(g, p->a), p->b ? gen_vuse(g, p->b) : -1, -1, -1 };
    bool fz = p->k & GEN_FP_FZ, sums = o == 0x58 || o == 0x5c;
    struct gen_stub *s;
    int t;

    r.d = gen_vdef(g, g->i);
    t = gen_fp_fz_tmp(g);
    gen_clobber_ef(g);
    s = gen_fp_slow(g, gen_fp_jump_if_small(g, t, r.a, r.b, f, tiny ? enough(f.dbl, false) : 0), r);
    if (o == 0x5e && fz) {
        s->from3 = jump_if_huge(g, r.b, r.b, f);        /* the quotient could be tiny */
    }
    if (r.b < 0) {                      /* vsqrt: packed has one operand */
        x64_v(&g->c, form(f, o), r.d, f.scalar ? r.a : 0, r.a);
    } else if (f.scalar && gen_vec_bytes(g->ir, p->a) > 1u << V_SIZE(p->k >> 16)) {
        x64_v(&g->c, form(f, o), r.d, r.b, r.a);        /* zero above comes from b */
    } else {
        x64_v(&g->c, form(f, o), r.d, r.a, r.b);
    }
    s->from2 = gen_fp_jump_if_odd(g, r.d, f, tiny);
    s->from4 = sums ? gen_fp_jump_if_small(g, t, r.d, -1, f, 0) : NULL;
    s->back = g->c.p;
}

static void multiply_add(struct gen *g)
{
    static const uint8_t opcode[4] = { 0xb8, 0xbc, 0xba, 0xbe };    /* 231: madd nmadd msub nmsub */
    const struct ir_op *p = op(g);
    struct gen_fp_fmt f = fmt_of(p->k >> 16);
    unsigned neg = (p->k & GEN_FP_NEG_A ? 1 : 0) | (p->k & GEN_FP_NEG_C ? 2 : 0);
    struct gen_fp_regs r = { gen_vuse(g, p->a), gen_vuse(g, p->b), gen_vuse(g, p->c), -1 };
    struct gen_stub *s;
    int t;

    r.d = gen_vdef(g, g->i);
    t = gen_fp_fz_tmp(g);
    gen_clobber_ef(g);
    s = gen_fp_slow(g, gen_fp_jump_if_small(g, t, r.a, r.b, f, enough(f.dbl, true)), r);
    s->from3 = gen_fp_jump_if_small(g, t, r.c, -1, f, 0);
    x64_v(&g->c, 0x28 | OP_0F, r.d, 0, r.c);
    x64_v(&g->c, P38(opcode[neg] + f.scalar) | x64_w(f.dbl), r.d, r.a, r.b);
    s->from2 = gen_fp_jump_if_odd(g, r.d, f, true);
    s->from4 = gen_fp_jump_if_small(g, t, r.d, -1, f, 0);
    s->back = g->c.p;
}

/* FMAX … FMINNM of numbers: the two orders of operands differ only for zeros, of which FMAX wants
 * the positive one and FMIN the negative one. */
static void extremum(struct gen *g, unsigned o)
{
    const struct ir_op *p = op(g);
    struct gen_fp_fmt f = fmt_of(p->k >> 16);
    unsigned pd = f.dbl ? OP_66 : 0;
    struct gen_fp_regs r = { gen_vuse(g, p->a), gen_vuse(g, p->b), -1, -1 };
    struct gen_stub *s;
    int t;

    r.d = gen_vdef(g, g->i);
    t = gen_fp_fz_tmp(g);
    gen_clobber_ef(g);
    s = gen_fp_slow(g, gen_fp_jump_if_small(g, t, r.a, r.b, f, 0), r);
    if (f.scalar) {
        x64_v(&g->c, 0x2e | OP_0F | pd, r.a, 0, r.b);
        s->from2 = x64_jcc(&g->c, CC_P);
    } else {
        s->from2 = gen_fp_jump_if(g, f.dbl, CMP_UNORD_Q, r.a, r.b, 0);
    }
    x64_v(&g->c, form(f, o), T0, r.a, r.b);
    x64_v(&g->c, form(f, o), T1, r.b, r.a);
    x64_v(&g->c, (o == 0x5f ? 0x54 : 0x56) | OP_0F, r.d, T0, T1);
    s->back = g->c.p;
}

static void multiply_extended(struct gen *g)
{
    const struct ir_op *p = op(g);
    struct gen_fp_fmt f = fmt_of(p->k >> 16);
    struct gen_fp_regs r = { gen_vuse(g, p->a), gen_vuse(g, p->b), -1, -1 };
    struct gen_stub *s;

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    s = gen_fp_slow(g, jump_if_huge(g, r.a, r.b, f), r);
    x64_v(&g->c, form(f, 0x59), r.d, r.a, r.b);
    s->from2 = gen_fp_jump_if_odd(g, r.d, f, true);
    s->back = g->c.p;
}

/* FRECPS 2 - a * b, FRSQRTS (3 - a * b) / 2, rounded once: halving is exact here. */
static void step(struct gen *g, bool halves)
{
    const struct ir_op *p = op(g);
    struct gen_fp_fmt f = fmt_of(p->k >> 16);
    struct gen_fp_regs r = { gen_vuse(g, p->a), gen_vuse(g, p->b), -1, -1 };
    struct gen_stub *s;

    r.d = gen_vdef(g, g->i);
    gen_clobber_ef(g);
    s = gen_fp_slow(g, jump_if_huge(g, r.a, r.b, f), r);
    gen_fp_lit(g, 0x28 | OP_0F, r.d, 0, f, halves ? 0x40400000 : 0x40000000,
               halves ? UINT64_C(0x4008000000000000) : UINT64_C(0x4000000000000000));
    x64_v(&g->c, P38(0xbc + f.scalar) | x64_w(f.dbl), r.d, r.a, r.b);   /* vfnmadd231 */
    if (halves) {
        gen_fp_lit(g, form(f, 0x59), r.d, r.d, f, 0x3f000000, UINT64_C(0x3fe0000000000000));
    }
    s->back = g->c.p;
}

static void compare_to_mask(struct gen *g, unsigned predicate)
{
    const struct ir_op *p = op(g);
    struct gen_fp_fmt f = fmt_of(p->k >> 16);
    struct gen_fp_regs r = { gen_vuse(g, p->a), gen_vuse(g, p->b), -1, -1 };
    uint8_t *small = NULL;

    r.d = gen_vdef(g, g->i);
    if (p->k & GEN_FP_FZ) {
        int t = gen_fp_fz_tmp(g);
        gen_clobber_ef(g);
        small = gen_fp_jump_if_small(g, t, r.a, r.b, f, 0);
    }
    x64_vi(&g->c, form(f, 0xc2), r.d, r.a, r.b, predicate);
    if (small) {
        gen_fp_slow(g, small, r);
    }
}

/* ---- comparison ---- */
/* Which way round do the users of the flags want it?  UCOMIS a, b has CF for "less or unordered",
 * so EQ NE GE LT GT LE VS VC can be had; with the operands swapped EQ NE HS LO MI PL HI LS. */
static bool wants_swap(const struct gen *g)
{
    static const uint16_t needs_swap = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9;

    for (unsigned i = g->i + 1; i <= op(g)->flast; i++) {
        const struct ir_op *p = &g->ir->op[i];
        if (p->op == IR_COND && p->f == g->i) {
            return needs_swap >> p->cc & 1;
        }
    }
    return false;
}

static void ucomis(struct gen *g, int a, int b, uint32_t arg)
{
    bool dbl = V_SIZE(arg) == 3, signal = V_X(arg);

    if (V_SIZE(arg) == 1) {
        gen_half_ucomis(g, a, b, signal);
        return;
    }
    x64_v(&g->c, (signal ? 0x2f : 0x2e) | OP_0F | (dbl ? OP_66 : 0), a, 0, b);
}

/* Denormal operands become zero, and raise Input Denormal. */
static void flush_operands(struct gen *g, int *a, int *b, struct gen_fp_fmt f)
{
    int t = gen_fp_fz_tmp(g);
    struct gen_stub *s;

    gen_clobber_ef(g);
    s = gen_stub(g, GEN_STUB_QC);
    s->info = FPSR_IDC;
    fz_limit(g, f, t, 0);
    small_lanes(g, f, T0, *a, t);
    small_lanes(g, f, T1, *b, t);
    x64_v(&g->c, P(0xeb), t, T0, T1);
    x64_v(&g->c, 0x50 | OP_0F | (f.dbl ? OP_66 : 0), RAX, 0, t);
    x64_test_rr(&g->c, false, RAX, RAX);
    s->from = x64_jcc(&g->c, CC_NE);
    s->back = g->c.p;
    x64_v(&g->c, P(0xdf), T0, T0, *a);                                  /* vpandn */
    x64_v(&g->c, P(0xdf), T1, T1, *b);
    *a = T0;
    *b = T1;
}

static void compare(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t arg = p->k;
    int a = gen_vuse(g, p->a), b = gen_vuse(g, p->b);
    bool swap = wants_swap(g);

    if (p->k & GEN_FP_FZ) {
        flush_operands(g, &a, &b, (struct gen_fp_fmt){ V_SIZE(arg) == 3, true });
    }
    gen_clobber_ef(g);
    ucomis(g, swap ? b : a, swap ? a : b, arg);
    g->ef = g->i;
    g->ef_inv = false;
    g->ef_fp = swap ? 2 : 1;
    g->logic = 0;
}

/* NZCV as struct a64_cpu has it: N 15, Z 14, C 8, V 0. */
enum { NZCV_LT = 0x8000, NZCV_EQ = 0x4100, NZCV_GT = 0x0100, NZCV_UN = 0x0101 };

static void cmov_const(struct gen *g, enum x64_cc cc, unsigned k)
{
    uint64_t q = k;
    /* cmovcc eax, [rip + constant]: as gen_lit(), without VEX */
    uint8_t *at;

    gen_lit(g, P(0x6f), 0, 0, q, 0);
    at = g->lit_use[g->lit_use_n - 1].at;
    /* c5 f9 6f 05 disp32 becomes 90 0f 4x 05 disp32 */
    at[-4] = 0x90;
    at[-3] = 0x0f;
    at[-2] = 0x40 | cc;
    at[-1] = 0x05;
}

void gen_fp_flags_store(struct gen *g)
{
    bool swap = g->ef_fp == 2;

    x64_mov_ri(&g->c, RAX, swap ? NZCV_LT : NZCV_GT);
    cmov_const(g, CC_B, swap ? NZCV_GT : NZCV_LT);
    cmov_const(g, CC_E, NZCV_EQ);
    cmov_const(g, CC_P, NZCV_UN);
    x64_b(&g->c, 0x66);
    x64_store(&g->c, false, gen_at(g, g->guest->nzcv), RAX);
}

int gen_fp_cc(struct gen *g, unsigned arm_cc)
{
    static const int8_t plain[16] = {
        CC_E, CC_NE, -1, -1, -1, -1, CC_P, CC_NP, -1, -1, CC_AE, CC_B, CC_A, CC_BE, -1, -1,
    };
    static const int8_t swapped[16] = {
        CC_E, CC_NE, CC_BE, CC_A, CC_A, CC_BE, CC_P, CC_NP, CC_B, CC_AE, -1, -1, -1, -1, -1, -1,
    };
    int cc = (g->ef_fp == 2 ? swapped : plain)[arm_cc];

    if (arm_cc < 2) {
        /* Unordered has ZF: clear it, keep CF and PF. */
        uint8_t *over = x64_jcc8(&g->c, CC_NP);
        x64_b(&g->c, 0xb4);                             /* mov ah, PF | CF | 2 */
        x64_b(&g->c, 0x07);
        x64_b(&g->c, 0x9e);                             /* sahf */
        x64_patch8(over, g->c.p);
    }
    return cc;
}

/* FCCMP: the comparison if the condition holds, otherwise the immediate flags. */
static void compare_if(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t arg = p->k;
    int a = gen_vuse(g, p->a), b = gen_vuse(g, p->b);
    unsigned imm = p->k2;
    uint8_t *other, *end;

    if (p->f && g->mf != p->f && g->ir->op[p->f].flast > g->i) {
        gen_flags_sync(g, p->f);
    }
    other = x64_jcc8(&g->c, gen_cc(g, p->f, p->cc) ^ 1);
    ucomis(g, a, b, arg);
    g->ef_fp = 1;
    gen_fp_flags_store(g);
    end = x64_jmp8(&g->c);
    x64_patch8(other, g->c.p);
    x64_mov_ri(&g->c, RAX,
               (imm >> 3 & 1) << 15 | (imm >> 2 & 1) << 14 | (imm >> 1 & 1) << 8 | (imm & 1));
    x64_b(&g->c, 0x66);
    x64_store(&g->c, false, gen_at(g, g->guest->nzcv), RAX);
    x64_patch8(end, g->c.p);
    g->mf = g->i;
    g->ef = 0;
    g->logic = 0;
}

/* ---- which ---- */
bool gen_fp_native(uint32_t host, uint64_t k)
{
    unsigned vop = k & 0xffff;
    uint32_t arg = k >> 16;
    unsigned size = V_SIZE(arg), lg = V_LG(arg);
    bool scalar = lg == size;

    if (gen_cvt_native(host, vop, arg) || gen_half_native(host, vop, arg)) {
        return true;
    }
    if (size < 2 || (lg < 3 && !scalar)) {
        return false;
    }
    switch (vop) {
    case VOP_fadd: case VOP_fsub: case VOP_fmul: case VOP_fdiv: case VOP_fsqrt: case VOP_fmla:
    case VOP_fmax: case VOP_fmin: case VOP_fmaxnm: case VOP_fminnm:
    case VOP_fcmeq: case VOP_fcmge: case VOP_fcmgt:
    case VOP_fmulx: case VOP_frecps: case VOP_frsqrts:
        return true;
    default:
        return gen_estimate_native(vop, arg) ||
               (lg == 3 && gen_estimate_native(vop, arg + V_ARG(0, 1, 0)));
    }
}

bool gen_fp_native_fz(uint64_t k)
{
    if (V_SIZE(k >> 16) < 2) {          /* half precision has other flushes */
        return false;
    }
    switch (k & 0xffff) {
    case VOP_fadd: case VOP_fsub: case VOP_fmul: case VOP_fdiv: case VOP_fsqrt: case VOP_fmla:
    case VOP_fmax: case VOP_fmin: case VOP_fmaxnm: case VOP_fminnm:
    case VOP_fcmeq: case VOP_fcmge: case VOP_fcmgt:
    case VOP_scvtf: case VOP_ucvtf: case VOP_fcvts: case VOP_fcvtu: case VOP_frint:
    case VOP_frecpe: case VOP_frsqrte:
        return true;
    case VOP_fcvtl: case VOP_fcvtn:
        return true;
    case VOP_fcvt:
        return V_X(k >> 16 & UINT32_MAX) >= 2;
    default:
        return false;
    }
}

static void primitive(struct gen *g)
{
    if (gen_half_native(g->guest->host, op(g)->k & 0x3fff, op(g)->k >> 16)) {
        gen_half(g);
        return;
    }
    switch (op(g)->k & 0x3fff) {
    case VOP_fadd: arithmetic(g, 0x58, false); break;
    case VOP_fsub: arithmetic(g, 0x5c, false); break;
    case VOP_fmul: arithmetic(g, 0x59, true); break;
    case VOP_fdiv: arithmetic(g, 0x5e, true); break;
    case VOP_fsqrt: arithmetic(g, 0x51, false); break;
    case VOP_fmla: multiply_add(g); break;
    case VOP_fmax: case VOP_fmaxnm: extremum(g, 0x5f); break;
    case VOP_fmin: case VOP_fminnm: extremum(g, 0x5d); break;
    case VOP_fcmeq: compare_to_mask(g, 0x00); break;                    /* EQ_OQ */
    case VOP_fcmge: compare_to_mask(g, 0x0d); break;                    /* GE_OS */
    case VOP_fcmgt: compare_to_mask(g, 0x0e); break;                    /* GT_OS */
    case VOP_fmulx: multiply_extended(g); break;
    case VOP_frecps: step(g, false); break;
    case VOP_frsqrts: step(g, true); break;
    case VOP_frecpe: case VOP_frsqrte: gen_estimate(g); break;
    default: gen_cvt(g);
    }
}

void gen_fp(struct gen *g)
{
    switch (op(g)->op) {
    case IR_V1: case IR_V2: case IR_V3: primitive(g); break;
    case IR_VI2F: gen_cvt_to_scalar(g); break;
    case IR_VF2I: gen_cvt_from_scalar(g); break;
    case IR_VFCMP: compare(g); break;
    case IR_VFCCMP: compare_if(g); break;
    default: assert(!"floating-point operation");
    }
}
