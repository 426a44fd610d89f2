/* SPDX-License-Identifier: Apache-2.0 */
/* Breakpoint and watchpoint registers, and the performance monitors (DDI 0487, D11).
 *
 * The PMU has a cycle counter and event counters for CPU_CYCLES and SW_INCR.  A cycle is 1 ns of
 * guest time.  Overflows set PMOVSSET but raise no interrupt. */
#include "isa/a64/cpu.h"
#include "isa/a64/debug.h"
#include "isa/a64/model.h"
#include "isa/a64/sysreg.h"
#include "isa/a64/sysreg_hooks.h"
#include "isa/a64/tlb.h"

enum { EVENT_SW_INCR = 0x00, EVENT_CPU_CYCLES = 0x11, CYCLE_COUNTER = 31 };
enum { PMCR_E = 1, PMCR_P = 2, PMCR_C = 4, PMCR_WRITABLE = 0xf9 };

/* ---- register files ---- */

bool a64_sysreg_is_pmu(uint32_t enc)
{
    return A64_SYSREG_OP0(enc) == 3;
}

uint64_t *a64_sysreg_file(struct a64_cpu *cpu, uint32_t enc)
{
    unsigned crm = A64_SYSREG_CRM(enc), op2 = A64_SYSREG_OP2(enc);

    if ((enc & ~0x7fu) == A64_SYSREG(2, 0, 0, 0, 0)) {
        bool watch = op2 >= 6;
        if (op2 < 4 || crm >= (watch ? cpu->model->watchpoint_n : cpu->model->breakpoint_n)) {
            return NULL;
        }
        return op2 == 4 ? &cpu->dbgbvr[crm] : op2 == 5 ? &cpu->dbgbcr[crm] :
               op2 == 6 ? &cpu->dbgwvr[crm] : &cpu->dbgwcr[crm];
    }
    if ((enc & ~0x7fu) == A64_SYSREG(3, 3, 14, 0, 0) && crm >= 8) {
        unsigned n = (crm & 3) << 3 | op2;
        if (n >= cpu->model->pmu_counter_n) {
            return NULL;
        }
        return crm < 12 ? &cpu->pmevcntr[n] : &cpu->pmevtyper[n];
    }
    return NULL;
}

/* ---- counting ---- */

static uint64_t now_cycles(struct a64_cpu *cpu)
{
    uint64_t count = 0, hz = 0;

    if (!cpu->bus.sysreg_read(cpu->bus.ctx, A64_SYSREG(3, 3, 14, 0, 2), &count) ||
        !cpu->bus.sysreg_read(cpu->bus.ctx, A64_SYSREG(3, 3, 14, 0, 0), &hz) || !hz) {
        return 0;
    }
    return (uint64_t)((unsigned __int128)count * 1000000000 / hz);
}

/* Brings all counters up to now; before anything about them is read or changed. */
static void pmu_sync(struct a64_cpu *cpu)
{
    uint64_t now = now_cycles(cpu), passed = now - cpu->pmu_time;

    cpu->pmu_time = now;
    if (!(cpu->pmcr_el0 & PMCR_E)) {
        return;
    }
    if (cpu->pmcnten >> CYCLE_COUNTER & 1) {
        uint64_t old = cpu->pmccntr_el0;
        cpu->pmccntr_el0 = old + passed;
        bool wrapped = cpu->pmcr_el0 >> 6 & 1 ? cpu->pmccntr_el0 < old :
                       (cpu->pmccntr_el0 ^ old) >> 32;
        cpu->pmovs |= (uint64_t)wrapped << CYCLE_COUNTER;
    }
    for (unsigned i = 0; i < cpu->model->pmu_counter_n; i++) {
        if ((cpu->pmcnten >> i & 1) && (cpu->pmevtyper[i] & 0xffff) == EVENT_CPU_CYCLES) {
            uint64_t v = cpu->pmevcntr[i] + passed;
            cpu->pmovs |= (uint64_t)!!(v >> 32) << i;
            cpu->pmevcntr[i] = (uint32_t)v;
        }
    }
}

static uint64_t counter_mask(const struct a64_cpu *cpu)
{
    return ((UINT64_C(1) << cpu->model->pmu_counter_n) - 1) | UINT64_C(1) << CYCLE_COUNTER;
}

uint64_t a64_sysreg_file_read(struct a64_cpu *cpu, uint32_t enc, const uint64_t *file)
{
    if (a64_sysreg_is_pmu(enc)) {
        pmu_sync(cpu);
    }
    return *file;
}

void a64_sysreg_file_write(struct a64_cpu *cpu, uint32_t enc, uint64_t *file, uint64_t v)
{
    if (a64_sysreg_is_pmu(enc)) {
        pmu_sync(cpu);
        *file = A64_SYSREG_CRM(enc) < 12 ? (uint32_t)v : v & 0xfc00ffff;
        return;
    }
    /* The control registers are 32 bits wide; addresses are multiples of 4. */
    *file = A64_SYSREG_OP2(enc) & 1 ? v & 0x1fffffff : v & ~UINT64_C(3);
    a64_debug_update(cpu);
    a64_tlb_drop_all(cpu->tlb);         /* watched pages stay out of the TLB */
}

/* ---- hooks of sysreg.def ---- */

uint64_t sysreg_rd_pmcr(struct a64_cpu *cpu, uint32_t enc)
{
    return (cpu->model->reset_pmcr & 0xffff0000) | (uint64_t)cpu->model->pmu_counter_n << 11 |
           cpu->pmcr_el0;
}

void sysreg_wr_pmcr(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    pmu_sync(cpu);
    cpu->pmcr_el0 = v & PMCR_WRITABLE;
    if (v & PMCR_C) {
        cpu->pmccntr_el0 = 0;
    }
    for (unsigned i = 0; (v & PMCR_P) && i < cpu->model->pmu_counter_n; i++) {
        cpu->pmevcntr[i] = 0;
    }
}

uint64_t sysreg_rd_pmcnten(struct a64_cpu *cpu, uint32_t enc)
{
    return cpu->pmcnten;
}

void sysreg_wr_pmcntenset(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    pmu_sync(cpu);
    cpu->pmcnten |= v & counter_mask(cpu);
}

void sysreg_wr_pmcntenclr(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    pmu_sync(cpu);
    cpu->pmcnten &= ~v;
}

uint64_t sysreg_rd_pmovs(struct a64_cpu *cpu, uint32_t enc)
{
    pmu_sync(cpu);
    return cpu->pmovs;
}

void sysreg_wr_pmovsclr(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    pmu_sync(cpu);
    cpu->pmovs &= ~v;
}

void sysreg_wr_pmovsset(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    pmu_sync(cpu);
    cpu->pmovs |= v & counter_mask(cpu);
}

void sysreg_wr_pmswinc(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    pmu_sync(cpu);
    for (unsigned i = 0; i < cpu->model->pmu_counter_n; i++) {
        bool counts = (cpu->pmcr_el0 & PMCR_E) && (cpu->pmcnten >> i & 1) &&
                      (cpu->pmevtyper[i] & 0xffff) == EVENT_SW_INCR;
        if (counts && (v >> i & 1)) {
            cpu->pmevcntr[i] = (uint32_t)(cpu->pmevcntr[i] + 1);
            cpu->pmovs |= (uint64_t)!cpu->pmevcntr[i] << i;
        }
    }
}

uint64_t sysreg_rd_pmceid0(struct a64_cpu *cpu, uint32_t enc)
{
    return cpu->model->pmceid0;
}

uint64_t sysreg_rd_pmccntr(struct a64_cpu *cpu, uint32_t enc)
{
    pmu_sync(cpu);
    return cpu->pmccntr_el0;
}

void sysreg_wr_pmccntr(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    pmu_sync(cpu);
    cpu->pmccntr_el0 = v;
}

uint64_t sysreg_rd_pmxevtyper(struct a64_cpu *cpu, uint32_t enc)
{
    unsigned n = cpu->pmselr_el0 & 31;

    return n == CYCLE_COUNTER ? cpu->pmccfiltr_el0 :
           n < cpu->model->pmu_counter_n ? cpu->pmevtyper[n] : 0;
}

void sysreg_wr_pmxevtyper(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    unsigned n = cpu->pmselr_el0 & 31;

    pmu_sync(cpu);
    if (n == CYCLE_COUNTER) {
        cpu->pmccfiltr_el0 = v & 0xfc000000;
    } else if (n < cpu->model->pmu_counter_n) {
        cpu->pmevtyper[n] = v & 0xfc00ffff;
    }
}

uint64_t sysreg_rd_pmxevcntr(struct a64_cpu *cpu, uint32_t enc)
{
    unsigned n = cpu->pmselr_el0 & 31;

    pmu_sync(cpu);
    return n < cpu->model->pmu_counter_n ? cpu->pmevcntr[n] : 0;
}

void sysreg_wr_pmxevcntr(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    unsigned n = cpu->pmselr_el0 & 31;

    pmu_sync(cpu);
    if (n < cpu->model->pmu_counter_n) {
        cpu->pmevcntr[n] = (uint32_t)v;
    }
}

uint64_t sysreg_rd_pminten(struct a64_cpu *cpu, uint32_t enc)
{
    return cpu->pminten;
}

void sysreg_wr_pmintenset(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    cpu->pminten |= v & counter_mask(cpu);
}

void sysreg_wr_pmintenclr(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    cpu->pminten &= ~v;
}
