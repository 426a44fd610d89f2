/* SPDX-License-Identifier: Apache-2.0 */
/* What generated code calls.  All guest state is in struct a64_cpu, except that pc is the page
 * (jit_page_last) and the offset that comes with the call. */
#include "accel/jit/fpu.h"
#include "accel/jit/jit_int.h"

#include "a64.gen.h"
#include "isa/a64/cpu.h"
#include "isa/a64/debug.h"
#include "isa/a64/exception.h"
#include "isa/a64/mem.h"
#include "isa/a64/model.h"
#include "isa/a64/pauth.h"
#include "isa/a64/sysreg.h"
#include "isa/a64/vecops.h"
#include "isa/interp/interp.h"

#include <string.h>

static struct memop memop_of(uint32_t info)
{
    return (struct memop){
        .size_log2 = GEN_MI_SIZE(info), .extend = GEN_MI_EXT(info),
        .acquire = !!(info & GEN_MI_ACQUIRE), .release = !!(info & GEN_MI_RELEASE),
        .ordered = !!(info & GEN_MI_ORDERED), .unpriv = !!(info & GEN_MI_UNPRIV),
    };
}

static bool rmw(struct a64_cpu *cpu, uint32_t info, struct memop m)
{
    uint64_t *s = cpu->jit_scratch;
    unsigned op = info >> 27;

    if (info & GEN_MI_PAIR) {
        if (info & GEN_MI_STXR) {
            return a64_store_ex(cpu, s[0], m, 2, &s[6], &s[1]);
        }
        return a64_cas(cpu, s[0], m, 2, &s[4], &s[6], &s[1]);
    }
    if (info & GEN_MI_STXR) {
        uint64_t data[2] = { s[1], 0 };
        return a64_store_ex(cpu, s[0], m, 1, data, &s[1]);
    }
    if (op == 15) {
        uint64_t data[2] = { s[1], 0 }, expect[2] = { s[2], 0 }, old[2];
        if (!a64_cas(cpu, s[0], m, 1, expect, data, old)) {
            return false;
        }
        s[1] = old[0];
        return true;
    }
    return a64_atomic(cpu, s[0], op, m, &s[1]);
}

static bool load(struct a64_cpu *cpu, uint32_t info, struct memop m)
{
    uint64_t *s = cpu->jit_scratch, a[2], b[2];

    if ((info & GEN_MI_PAIR) && m.ordered) {        /* LDXP */
        return a64_load_ex(cpu, s[0], m, 2, &s[1]);
    }
    if (info & GEN_MI_PAIR) {
        if (!a64_load2(cpu, s[0], m, a, b)) {
            return false;
        }
        s[1] = a64_extend(m, a[0]);
        s[2] = a64_extend(m, b[0]);
        return true;
    }
    if (!a64_load(cpu, s[0], m, a)) {
        return false;
    }
    s[1] = info & GEN_MI_VEC ? a[0] : a64_extend(m, a[0]);
    s[2] = a[1];
    return true;
}

static bool store(struct a64_cpu *cpu, uint32_t info, struct memop m)
{
    uint64_t *s = cpu->jit_scratch;

    if (info & GEN_MI_PAIR) {
        uint64_t a[2] = { s[1], info & GEN_MI_VEC ? s[2] : 0 };
        uint64_t b[2] = { info & GEN_MI_VEC ? s[4] : s[2], info & GEN_MI_VEC ? s[5] : 0 };
        return a64_store2(cpu, s[0], m, a, b);
    }
    return a64_store(cpu, s[0], m, &s[1]);
}

static bool access(struct a64_cpu *cpu)
{
    struct jit_cpu *v = cpu->jit;
    uint32_t info = cpu->jit_scratch[3];
    struct memop m = memop_of(info);

    cpu->pc = a64_jit_page(cpu) + GEN_MI_PC(info);
    if ((info & GEN_MI_SP) && !a64_sp_check(cpu)) {
        return true;
    }
    if (info & (GEN_MI_STXR | GEN_MI_ATOMIC)) {
        return !rmw(cpu, info, m);
    }
    if (info & GEN_MI_STORE) {
        v->stats.slow_stores++;
        if (GEN_MI_SIZE(info) == 6) {
            return !a64_dc_zva(cpu, cpu->jit_scratch[0]);
        }
        return !store(cpu, info, m);
    }
    v->stats.slow_loads++;
    return !load(cpu, info, m);
}

static bool interpret(struct a64_cpu *cpu, uint32_t w)
{
    uint64_t pc = cpu->pc;

    /* BTYPE is only ever set here where a guarded page begins its block. */
    if (cpu->btype && a64_fetch(cpu, pc) && !a64_bti_check(cpu, w)) {
        return true;
    }
    cpu->btype = 0;
    interp_row(cpu, a64_decode_for(cpu->model->features, w), w);
    return cpu->pc != pc + 4;
}

/* CALLP: only A64_H_PAUTH so far. */
void jit_helper_pure(struct a64_cpu *cpu, uint32_t what)
{
    uint64_t *s = cpu->jit_scratch;

    s[0] = a64_pauth(cpu, s[0], s[1], s[2]);
}

/* The block goes on if what it was translated for still holds. */
static bool sysreg_write(struct a64_cpu *cpu)
{
    uint64_t *s = cpu->jit_scratch;
    unsigned before, now;

    if (!a64_mode_of(cpu, &before) || !a64_sysreg_write(cpu, s[0], s[1], s[2])) {
        return true;
    }
    cpu->pc += 4;
    return !a64_mode_of(cpu, &now) || now != before || cpu->poll;
}

static bool help(struct a64_cpu *cpu, uint32_t what)
{
    struct jit_cpu *v = cpu->jit;
    uint64_t *s = cpu->jit_scratch;

    cpu->pc = a64_jit_page(cpu) + (what & 0xfff);
    v->stats.helper_calls++;
    switch ((enum a64_helper)(what >> 12)) {
    case A64_H_INTERP:
        return interpret(cpu, s[3]);
    case A64_H_INTERP_END:
        interpret(cpu, s[3]);
        return true;
    case A64_H_SYSREG_READ:
        return !a64_sysreg_read(cpu, s[0], s[1], &s[0]);
    case A64_H_SYSREG_WRITE:
        return sysreg_write(cpu);
    case A64_H_SYS_OP:
        return !a64_sys_op(cpu, s[0], s[1], s[2]);
    case A64_H_PSTATE_WRITE:
        if (!a64_pstate_write(cpu, s[0] >> 8 & 15, s[0] >> 4 & 15, s[0] & 15)) {
            return true;
        }
        cpu->pc += 4;
        return cpu->poll;               /* an interrupt that has been waiting */
    case A64_H_DSB:
        a64_dsb(cpu);
        return false;
    case A64_H_DC_ZVA:
        return !a64_dc_zva(cpu, s[0]);
    case A64_H_UNMASKED:
        cpu->pc += 4;
        a64_debug_update(cpu);
        a64_interrupt_recheck(cpu);
        return cpu->poll || cpu->debug_slow;
    default:
        return interpret(cpu, s[3]);
    }
}

/* Results to registers, and the way back: unless the caller takes them from scratch[]. */
static void access_done(const uint64_t *s, struct jit_frame *f, const struct gen_access *d)
{
    unsigned d1 = GEN_AR_D1(d->regs), d2 = GEN_AR_D2(d->regs);

    for (unsigned m = GEN_AR_GROUPS(d->regs); m; m &= m - 1) {
        f->block[GEN_GROUPS_AT / 8 + __builtin_ctz(m)] = 0;
    }
    if (!d->back) {
        return;
    }
    f->behind += d->back;
    if (d->info & (GEN_MI_STXR | GEN_MI_ATOMIC)) {
        bool in_rax = d->info & (GEN_MI_STXR | GEN_MI_PAIR) || d->info >> 27 == 15;
        f->gpr[in_rax ? RAX : d2] = s[1];
    } else if (!(d->info & GEN_MI_STORE)) {
        if (d1 < GEN_AR_NONE) {
            f->gpr[d1] = s[1];
        }
        if (d2 < GEN_AR_NONE) {
            f->gpr[d2] = s[2];
        }
    }
}

/* No floating point here, not in devices either: fpu.h. */
bool jit_helper_mem(struct a64_cpu *cpu, struct jit_frame *f)
{
    uint64_t *s = cpu->jit_scratch;
    struct gen_access d;
    int32_t k;
    bool leaves;

    memcpy(&d, (const void *)(uintptr_t)f->behind, sizeof(d));
    f->behind += sizeof(d);
    s[0] = f->gpr[GEN_AR_ADDR(d.regs)] + (int64_t)d.disp;
    s[3] = d.info;
    if (GEN_AR_D1(d.regs) < GEN_AR_NONE) {
        s[1] = f->gpr[GEN_AR_D1(d.regs)];
    }
    if (GEN_AR_D2(d.regs) < GEN_AR_NONE) {
        s[2] = f->gpr[GEN_AR_D2(d.regs)];
    }
    if (d.regs & GEN_AR_CONST) {
        memcpy(&k, (const void *)(uintptr_t)f->behind, sizeof(k));
        f->behind += sizeof(k);
        s[1] = (int64_t)k;
    }
    leaves = access(cpu);
    if (!leaves) {
        access_done(s, f, &d);
    }
    return leaves;
}

/* Might the helper compute with floating point, or look at FPCR or FPSR? */
static bool uses_fp(const struct a64_cpu *cpu, uint32_t what)
{
    const uint64_t *s = cpu->jit_scratch;

    switch ((enum a64_helper)(what >> 12)) {
    case A64_H_INTERP:
    case A64_H_INTERP_END:
        /* The group of SIMD and floating point (C4.1: op0 x111), MRS and MSR. */
        return (s[3] >> 25 & 7) == 7 || (s[3] & 0xffd00000) == 0xd5100000;
    case A64_H_SYSREG_READ:
    case A64_H_SYSREG_WRITE:
        return (s[0] & ~UINT64_C(1)) == A64_SYSREG(3, 3, 4, 4, 0);  /* FPCR, FPSR */
    case A64_H_SYS_OP:
    case A64_H_PSTATE_WRITE:
    case A64_H_RAISE:
    case A64_H_ERET:
    case A64_H_DSB:
    case A64_H_DC_ZVA:
    case A64_H_UNMASKED:
        return false;
    default:
        return true;
    }
}

bool jit_helper_call(struct a64_cpu *cpu, uint32_t what)
{
    bool leaves;

    if (!uses_fp(cpu, what)) {
        return help(cpu, what);
    }
    jit_fpu_leave(cpu);
    leaves = help(cpu, what);
    jit_fpu_enter(cpu);
    return leaves;
}

const uint8_t *jit_helper_end(struct a64_cpu *cpu, uint32_t what)
{
    uint64_t *s = cpu->jit_scratch;

    /* What all system calls and interrupts come by: nothing here touches MXCSR. */
    switch ((enum a64_helper)(what >> 12)) {
    case A64_H_RAISE:
        cpu->pc = a64_jit_page(cpu) + (what & 0xfff);
        a64_exception(cpu, s[0], s[1], s[2]);
        break;
    case A64_H_ERET:
        cpu->pc = a64_jit_page(cpu) + (what & 0xfff);
        a64_exception_return(cpu, cpu->elr_el1);
        break;
    default:
        jit_helper_call(cpu, what);
        break;
    }
    return jit_next(cpu);
}

static void negate(union a64_vreg *v, const union a64_vreg *from, uint32_t arg)
{
    static const uint64_t signs[] = {
        0, UINT64_C(0x8000800080008000), UINT64_C(0x8000000080000000), UINT64_C(1) << 63,
    };
    unsigned bits = 8u << V_SIZE(arg);
    uint64_t sign = signs[V_SIZE(arg)];

    v->d[0] = from->d[0] ^ (V_LANES(arg) == 1 ? UINT64_C(1) << (bits - 1) : sign);
    v->d[1] = from->d[1] ^ sign;
}

void jit_helper_vslow(struct a64_cpu *cpu, const uint32_t what[2], union a64_vreg *v)
{
    uint32_t w = what[0], arg = what[1];
    const union a64_vreg *a = &v[w >> 16 & 15], *b = &v[w >> 20 & 15], *c = &v[w >> 24 & 15];
    union a64_vreg na, nc;

    if (w & 1u << 14) {
        negate(&na, a, arg);
        a = &na;
    }
    if (w & 1u << 15) {
        negate(&nc, c, arg);
        c = &nc;
    }
    vop_rows[w & 0x3fff].fn(cpu, arg, &v[w >> 28], a, b, c);
}
