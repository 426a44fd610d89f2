/* SPDX-License-Identifier: Apache-2.0 */
/* Self-hosted debug (DDI 0487, D2): software step, hardware breakpoints and watchpoints.
 *
 * cpu->debug_slow is true while an instruction can meet a breakpoint or be stepped at the
 * present EL, or PSTATE.IL is set: an engine then executes
 * one instruction at a time through interp_step().
 * Watchpoints keep their pages out of the TLB, so that their accesses take the slow path. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct a64_cpu;

/* After MDSCR, OSLAR, DBGB*, DBGW*, PSTATE.D or the EL changed. */
void a64_debug_update(struct a64_cpu *cpu);
/* Before an instruction: a step, breakpoint or illegal-state exception, if one is due.
 * true: taken. */
bool a64_debug_before(struct a64_cpu *cpu);
/* After the instruction `word` without exception, when stepping. */
void a64_debug_after(struct a64_cpu *cpu, uint32_t word);
/* True if a watchpoint lies in the 4 KiB page of va. */
bool a64_watch_page(const struct a64_cpu *cpu, uint64_t va);
/* Takes the watchpoint exception if [va, va + bytes) hits one.  true: taken. */
bool a64_watch_check(struct a64_cpu *cpu, uint64_t va, unsigned bytes, bool is_write, bool el0);
