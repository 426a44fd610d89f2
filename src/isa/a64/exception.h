/* SPDX-License-Identifier: Apache-2.0 */
/* What the vCPU's run loop asks of a PE between two runs of an engine. */
#pragma once
#include <stdbool.h>

struct a64_cpu;

/* Architectural cold reset (D1.9): EL1h, MMU off, all interrupts masked, TLB empty; x, sp and pc
 * are 0.  `model`, `bus`, `tlb`, `index` and `mpidr` are kept. */
void a64_cpu_reset(struct a64_cpu *cpu);

/* If an interrupt is pending (irq_line, fiq_line) and not masked at the present PSTATE, take it
 * and return true.  The run loop calls this after bit A64_POLL_IRQ of cpu->poll was set and
 * has cleared the bit before.  So whatever unmasks interrupts (MSR DAIF/DAIFClr, ERET) while a
 * line is up sets that bit, and the engine returns. */
bool a64_take_interrupt(struct a64_cpu *cpu);

#define A64_POLL_IRQ 2u     /* = VCPU_POLL_IRQ of vm/vcpu.h */
