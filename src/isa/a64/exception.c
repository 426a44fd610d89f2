/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/a64/exception.h"

#include "base/log.h"
#include "isa/a64/cpu.h"
#include "isa/a64/debug.h"
#include "isa/a64/esr.h"
#include "isa/a64/mem.h"
#include "isa/a64/mmu.h"
#include "isa/a64/model.h"
#include "isa/a64/sysbits.h"
#include "isa/a64/sysreg.h"
#include "isa/a64/tlb.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

/* ---- processor state ---- */

void a64_set_el_sp(struct a64_cpu *cpu, unsigned el, unsigned spsel)
{
    unsigned old = cpu->el && cpu->spsel, now = el && spsel;

    if (old != now) {
        cpu->sp_el[old] = cpu->sp;
        cpu->sp = cpu->sp_el[now];
    }
    cpu->spsel = spsel;
    if (cpu->el != el) {
        cpu->el = el;
        a64_tlb_set_el(cpu->tlb, el, cpu->pan);
    }
}

void a64_set_pan(struct a64_cpu *cpu, bool pan)
{
    cpu->pan = pan;
    a64_tlb_set_el(cpu->tlb, cpu->el, pan);
}

uint32_t a64_pstate_get(const struct a64_cpu *cpu)
{
    return a64_nzcv_get(cpu) | (uint32_t)cpu->dit << 24 | (uint32_t)cpu->uao << 23 |
           (uint32_t)cpu->pan << 22 | (uint32_t)cpu->ss << 21 | (uint32_t)cpu->il << 20 |
           (uint32_t)cpu->ssbs << 12 | (uint32_t)cpu->btype << 10 | (uint32_t)cpu->daif << 6 |
           (uint32_t)cpu->el << 2 | (cpu->el ? cpu->spsel : 0);
}

void a64_cpu_reset(struct a64_cpu *cpu)
{
    memset(cpu->x, 0, sizeof(cpu->x));
    memset(cpu->v, 0, sizeof(cpu->v));
    cpu->sp = cpu->pc = cpu->sp_el[0] = cpu->sp_el[1] = 0;
    a64_nzcv_set(cpu, 0);
    cpu->fpcr = cpu->fpsr = 0;
    cpu->el = cpu->spsel = 1;
    cpu->daif = 15;
    cpu->pan = cpu->uao = cpu->btype = cpu->ss = cpu->il = cpu->ssbs = cpu->dit = 0;
    cpu->ex_addr = cpu->ic_page = ~UINT64_C(0);
    cpu->att = A64_ATT_DSB >> 24;           /* there may be maintenance from before the reset */
#define SR(name, field, op0, op1, crn, crm, op2, access, feat, reset, ...) cpu->field = reset;
#define SRN(...)
#define SRM(...)
#include "isa/a64/sysreg.def"
#undef SR
#undef SRN
#undef SRM
    memset(cpu->dbgbcr, 0, sizeof(cpu->dbgbcr));
    memset(cpu->dbgwcr, 0, sizeof(cpu->dbgwcr));
    memset(cpu->pmevcntr, 0, sizeof(cpu->pmevcntr));
    memset(cpu->pmevtyper, 0, sizeof(cpu->pmevtyper));
    cpu->pmcr_el0 = 0;
    a64_tlb_drop_all(cpu->tlb);
    a64_tlb_set_el(cpu->tlb, 1, false);
    a64_regime_update(cpu);
    a64_debug_update(cpu);
    a64_sctlr_update(cpu);
}

/* ---- entry ---- */

enum { VECTOR_SYNC = 0, VECTOR_IRQ = 0x80, VECTOR_FIQ = 0x100, VECTOR_SERROR = 0x180 };

static void log_entry(const struct a64_cpu *cpu, unsigned vector)
{
    static const char *const names[] = { "exception", "IRQ", "FIQ", "SError" };

    log_text("CPU %u: %s at EL%u, pc %#" PRIx64 " SPSR %#" PRIx64, cpu->index,
             names[vector >> 7], cpu->el, cpu->elr_el1, cpu->spsr_el1);
    if (vector == VECTOR_SYNC) {
        log_text(", EC %#" PRIx64 " ISS %#" PRIx64 " FAR %#" PRIx64, cpu->esr_el1 >> 26 & 63,
                 cpu->esr_el1 & 0x1ffffff, cpu->far_el1);
    }
    log_text("\n");
}

/* a64_debug_update(), where EL and DAIF are all that changed: mostly nothing is on. */
static void debug_recheck(struct a64_cpu *cpu)
{
    if (cpu->debug_on || cpu->debug_slow || cpu->il) {
        a64_debug_update(cpu);
    }
}

static void enter(struct a64_cpu *cpu, unsigned vector, uint64_t ret)
{
    unsigned group = cpu->el == 0 ? 0x400 : cpu->spsel ? 0x200 : 0;

    cpu->spsr_el1 = a64_pstate_get(cpu);
    cpu->elr_el1 = ret;
    if (log_on(LOG_INT)) {
        log_entry(cpu, vector);
    }
    cpu->daif = 15;
    cpu->ss = cpu->il = cpu->btype = cpu->uao = cpu->stepped = 0;
    if (a64_model_has(cpu->model, A64_FEAT_SSBS)) {
        cpu->ssbs = !!(cpu->sctlr_el1 & SCTLR_DSSBS);
    }
    /* SPAN = 0: exception entry sets PAN. */
    if (a64_model_has(cpu->model, A64_FEAT_PAN) && !(cpu->sctlr_el1 & SCTLR_SPAN) && !cpu->pan) {
        cpu->pan = 1;
        if (cpu->el) {
            a64_tlb_set_el(cpu->tlb, 1, true);
        }
    }
    a64_set_el_sp(cpu, 1, 1);
    cpu->pc = cpu->vbar_el1 + group + vector;
    debug_recheck(cpu);
}

void a64_exception(struct a64_cpu *cpu, unsigned ec, uint32_t iss, unsigned ret_off)
{
    if (ret_off) {
        cpu->ss = 0;            /* SVC has completed when its exception is taken (D2.11.4) */
    }
    cpu->esr_el1 = ec << 26 | A64_ESR_IL | (iss & 0x1ffffff);
    enter(cpu, VECTOR_SYNC, cpu->pc + ret_off);
}

void a64_exception_far(struct a64_cpu *cpu, unsigned ec, uint32_t iss, uint64_t far)
{
    cpu->far_el1 = far;
    a64_exception(cpu, ec, iss, 0);
}

void a64_undefined(struct a64_cpu *cpu)
{
    a64_exception(cpu, A64_EC_UNKNOWN, 0, 0);
}

bool a64_take_interrupt(struct a64_cpu *cpu)
{
    /* DAIF bits 3:0 = D A I F. */
    if (atomic_load_explicit(&cpu->fiq_line, memory_order_acquire) && !(cpu->daif & 1)) {
        enter(cpu, VECTOR_FIQ, cpu->pc);
        return true;
    }
    if (atomic_load_explicit(&cpu->irq_line, memory_order_acquire) && !(cpu->daif & 2)) {
        enter(cpu, VECTOR_IRQ, cpu->pc);
        return true;
    }
    return false;
}

void a64_interrupt_recheck(struct a64_cpu *cpu)
{
    if ((atomic_load_explicit(&cpu->irq_line, memory_order_relaxed) && !(cpu->daif & 2)) ||
        (atomic_load_explicit(&cpu->fiq_line, memory_order_relaxed) && !(cpu->daif & 1))) {
        atomic_fetch_or(&cpu->poll, A64_POLL_IRQ);
    }
}

bool a64_fp_check(struct a64_cpu *cpu)
{
    unsigned fpen = cpu->cpacr_el1 >> 20 & 3;

    if (fpen == 3 || (fpen == 1 && cpu->el)) {
        return true;
    }
    a64_exception(cpu, A64_EC_FP_ACCESS, 1u << 24 | 0xe << 20, 0);
    return false;
}

/* ---- return ---- */

/* Illegal exception return (D1.4.4): PSTATE.IL is set and EL and SP stay. */
static bool return_is_legal(const struct a64_cpu *cpu, uint32_t spsr)
{
    unsigned m = spsr & 0x1f;

    return m == 0 || m == 4 || m == 5;      /* EL0t, EL1t, EL1h; no AArch32 */
}

/* PSTATE.SS after ERET (D2.11.4): SPSR.SS if stepping is on and debug exceptions are disabled
 * here and enabled at the target, else 0. */
static unsigned step_bit(const struct a64_cpu *cpu, uint32_t spsr)
{
    bool kde = cpu->mdscr_el1 & MDSCR_KDE;

    if (!(cpu->mdscr_el1 & MDSCR_SS) || (cpu->oslock & 1)) {
        return 0;
    }
    bool enabled_here = kde && !(cpu->daif & 8);
    bool to_el0 = !(spsr & 0xc);
    bool enabled_there = to_el0 || (kde && !(spsr >> 9 & 1));
    return !enabled_here && enabled_there ? spsr >> 21 & 1 : 0;
}

void a64_exception_return(struct a64_cpu *cpu, uint64_t target)
{
    uint32_t spsr = cpu->spsr_el1;
    const struct a64_model *m = cpu->model;
    bool pan = a64_model_has(m, A64_FEAT_PAN) && (spsr >> 22 & 1);
    bool pan_changes = pan != cpu->pan;

    cpu->ss = step_bit(cpu, spsr);
    cpu->stepped = 0;
    a64_nzcv_set(cpu, spsr & 0xf0000000);
    cpu->daif = spsr >> 6 & 15;
    cpu->uao = a64_model_has(m, A64_FEAT_UAO) && (spsr >> 23 & 1);
    cpu->dit = a64_model_has(m, A64_FEAT_DIT) && (spsr >> 24 & 1);
    cpu->ssbs = a64_model_has(m, A64_FEAT_SSBS) && (spsr >> 12 & 1);
    cpu->btype = a64_model_has(m, A64_FEAT_BTI) ? spsr >> 10 & 3 : 0;
    cpu->il = spsr >> 20 & 1;
    cpu->pan = pan;
    if (!return_is_legal(cpu, spsr)) {
        cpu->il = 1;
        if (pan_changes) {
            a64_tlb_set_el(cpu->tlb, cpu->el, pan);
        }
    } else {
        unsigned el = spsr >> 2 & 3;
        bool same_el = el == cpu->el;
        a64_set_el_sp(cpu, el, spsr & 1);
        if (pan_changes && same_el) {
            a64_tlb_set_el(cpu->tlb, el, pan);
        }
    }
    cpu->pc = a64_branch_address(cpu, target);
    if (log_on(LOG_INT)) {
        log_text("CPU %u: return to EL%u, pc %#" PRIx64 " SPSR %#x\n", cpu->index, cpu->el,
                 cpu->pc, spsr);
    }
    cpu->ex_addr = ~UINT64_C(0);            /* ERET clears the local monitor (D1.4.4) */
    debug_recheck(cpu);
    a64_interrupt_recheck(cpu);
}

void a64_firmware_call(struct a64_cpu *cpu, bool is_smc, unsigned imm16)
{
    uint64_t pc = cpu->pc;

    if (cpu->el == 0) {
        a64_undefined(cpu);
        return;
    }
    cpu->pc = pc + 4;               /* the call may sleep, or be the last thing this PE does */
    if (imm16 != 0 || !cpu->bus.firmware_call(cpu->bus.ctx, is_smc)) {
        cpu->pc = pc;               /* neither EL2 nor EL3 is there */
        a64_undefined(cpu);
    }
}

/* ---- hints and halting ---- */

void a64_halting_breakpoint(struct a64_cpu *cpu, unsigned imm16)
{
    uint64_t pc = cpu->pc;

    cpu->pc = pc + 4;
    if (imm16 != 0xf000 || !cpu->bus.semihosting(cpu->bus.ctx)) {
        cpu->pc = pc;
        a64_undefined(cpu);
    }
}

void a64_wait(struct a64_cpu *cpu, bool is_wfi)
{
    if (cpu->el == 0 && !(cpu->sctlr_el1 & (is_wfi ? SCTLR_NTWI : SCTLR_NTWE))) {
        a64_exception(cpu, A64_EC_WFX, 1u << 24 | 0xe << 20 | !is_wfi, 0);
        return;
    }
    cpu->pc += 4;
    cpu->bus.wait_for_event(cpu->bus.ctx, is_wfi);
}

bool a64_bti_check(struct a64_cpu *cpu, uint32_t word)
{
    unsigned t = cpu->btype, hint = word >> 5 & 127;
    bool ok = false;

    if (!t || !a64_tlb_guarded(cpu->tlb->cur, cpu->pc)) {
        return true;
    }
    if ((word & 0xfffff01f) == 0xd503201f) {
        bool bt = cpu->sctlr_el1 & (cpu->el ? SCTLR_BT1 : SCTLR_BT0);
        switch (hint) {
        case 25:                                        /* PACIASP, PACIBSP: as BTI c */
        case 27: ok = t != 3 || !bt; break;
        case 34: ok = t != 3; break;                    /* BTI c */
        case 36: ok = t != 2; break;                    /* BTI j */
        case 38: ok = true; break;                      /* BTI jc */
        }
    } else {
        ok = (word & 0xffe0001f) == 0xd4200000 || (word & 0xffe0001f) == 0xd4400000;
    }
    if (!ok) {                                          /* not BRK and HLT either */
        a64_exception(cpu, A64_EC_BTI, t, 0);
    }
    return ok;
}
