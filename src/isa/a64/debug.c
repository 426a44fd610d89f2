/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/a64/debug.h"

#include "isa/a64/cpu.h"
#include "isa/a64/esr.h"
#include "isa/a64/exception.h"
#include "isa/a64/model.h"
#include "isa/a64/sysbits.h"

/* AArch64.GenerateDebugExceptionsFrom(): debug exceptions go to EL1. */
static bool enabled_at(const struct a64_cpu *cpu, unsigned el)
{
    return !(cpu->oslock & 1) &&
           (el == 0 || ((cpu->mdscr_el1 & MDSCR_KDE) && !(cpu->daif & 8)));
}

static bool stepping(const struct a64_cpu *cpu)
{
    return (cpu->mdscr_el1 & MDSCR_SS) && enabled_at(cpu, cpu->el);
}

/* Does a breakpoint or watchpoint with this control register (HMC 13, SSC 15:14, PAC 2:1) match
 * accesses made as `el`? */
static bool control_matches(uint64_t ctl, unsigned el)
{
    return (ctl & 1) && (ctl >> 1 & (el ? 1 : 2));
}

void a64_debug_update(struct a64_cpu *cpu)
{
    bool mde = cpu->mdscr_el1 & MDSCR_MDE, slow = stepping(cpu) || cpu->il;
    unsigned watch_n = 0;

    if (mde && enabled_at(cpu, cpu->el)) {
        for (unsigned i = 0; i < cpu->model->breakpoint_n; i++) {
            slow |= control_matches(cpu->dbgbcr[i], cpu->el);
        }
    }
    for (unsigned i = 0; mde && i < cpu->model->watchpoint_n; i++) {
        watch_n += cpu->dbgwcr[i] & 1;
    }
    cpu->debug_on = (cpu->mdscr_el1 & (MDSCR_SS | MDSCR_MDE)) != 0;
    cpu->debug_slow = slow;
    cpu->watch_n = watch_n;
}

bool a64_debug_before(struct a64_cpu *cpu)
{
    bool lower = cpu->el == 0;

    if (cpu->il) {
        a64_exception(cpu, A64_EC_ILLEGAL_STATE, 0, 0);
        return true;
    }
    if (stepping(cpu) && !cpu->ss) {
        /* ISV, EX: only if an instruction has been stepped since the return here. */
        uint32_t iss = !cpu->stepped ? 0 : 1u << 24 | (cpu->stepped == 2 ? 1u << 6 : 0);
        a64_exception(cpu, lower ? A64_EC_STEP_LOWER : A64_EC_STEP_SAME, iss | A64_FSC_DEBUG, 0);
        return true;
    }
    if (!(cpu->mdscr_el1 & MDSCR_MDE) || !enabled_at(cpu, cpu->el)) {
        return false;
    }
    for (unsigned i = 0; i < cpu->model->breakpoint_n; i++) {
        uint64_t bcr = cpu->dbgbcr[i];
        bool is_address = (bcr >> 20 & 15) <= 1;
        uint64_t va = (uint64_t)((int64_t)(cpu->dbgbvr[i] << 11) >> 11) & ~UINT64_C(3);
        if (is_address && control_matches(bcr, cpu->el) && va == cpu->pc) {
            a64_exception(cpu, lower ? A64_EC_BREAKPOINT_LOWER : A64_EC_BREAKPOINT_SAME,
                          A64_FSC_DEBUG, 0);
            return true;
        }
    }
    return false;
}

void a64_debug_after(struct a64_cpu *cpu, uint32_t word)
{
    bool load_exclusive = (word & 0x3fc00000) == 0x08400000;

    cpu->ss = 0;
    cpu->stepped = load_exclusive ? 2 : 1;
}

/* The bytes that watchpoint i watches (D2.10.4): by mask (WCR.MASK) or by byte select. */
static void watch_range(const struct a64_cpu *cpu, unsigned i, uint64_t *first, uint64_t *bytes)
{
    uint64_t wcr = cpu->dbgwcr[i];
    unsigned mask = wcr >> 24 & 31, bas = wcr >> 5 & 255;
    uint64_t va = (uint64_t)((int64_t)(cpu->dbgwvr[i] << 11) >> 11) & ~UINT64_C(3);

    if (mask) {
        *bytes = UINT64_C(1) << mask;
        *first = va & ~(*bytes - 1);
    } else if (!bas) {
        *bytes = *first = 0;
    } else {
        unsigned low = __builtin_ctz(bas);
        *first = va + low;
        *bytes = __builtin_popcount(bas);
    }
}

bool a64_watch_page(const struct a64_cpu *cpu, uint64_t va)
{
    uint64_t page = va & ~UINT64_C(0xfff), first, bytes;

    for (unsigned i = 0; i < cpu->model->watchpoint_n; i++) {
        if (cpu->dbgwcr[i] & 1) {
            watch_range(cpu, i, &first, &bytes);
            if (bytes && first < page + 4096 && page < first + bytes) {
                return true;
            }
        }
    }
    return false;
}

bool a64_watch_check(struct a64_cpu *cpu, uint64_t va, unsigned n, bool is_write, bool el0)
{
    uint64_t first, bytes;

    if (!enabled_at(cpu, cpu->el)) {
        return false;
    }
    for (unsigned i = 0; i < cpu->model->watchpoint_n; i++) {
        uint64_t wcr = cpu->dbgwcr[i];
        bool kind = wcr >> 3 & (is_write ? 2 : 1);
        if (!control_matches(wcr, !el0) || !kind) {
            continue;
        }
        watch_range(cpu, i, &first, &bytes);
        if (bytes && first < va + n && va < first + bytes) {
            a64_exception_far(cpu, cpu->el ? A64_EC_WATCHPOINT_SAME : A64_EC_WATCHPOINT_LOWER,
                              A64_FSC_DEBUG | (is_write ? A64_ISS_WNR : 0),
                              va > first ? va : first);
            return true;
        }
    }
    return false;
}
