/* SPDX-License-Identifier: Apache-2.0 */
/* struct arm_timer: the generic timer of one PE (DDI 0487, D12): system counter, EL1 physical
 * and EL1 virtual timer.  No EL2: CNTVOFF_EL2 is 0, so both counts are equal.
 *
 * Interrupts are levels: ENABLE && !IMASK && count >= CVAL, whenever that changes.  Registers
 * are accessed on the PE's thread; the timers fire on the clock's loop thread. */
#pragma once
#include "vm/irq.h"

#include <stdbool.h>
#include <stdint.h>

struct arm_timer;
struct err;
struct vm_clock;

#define ARM_TIMER_HZ 62500000u          /* one count in 16 ns */
#define ARM_TIMER_NS_PER_COUNT 16

enum arm_timer_which { ARM_TIMER_PHYS, ARM_TIMER_VIRT, ARM_TIMER_COUNT };

/* The clock outlives it.  irq[]: to the PE's interrupt controller. */
struct arm_timer *arm_timer_new(struct vm_clock *clock, const struct irq irq[ARM_TIMER_COUNT],
                                struct err *e);
void arm_timer_free(struct arm_timer *t);
void arm_timer_reset(struct arm_timer *t);      /* any thread while the PE stands */

/* CNTPCT_EL0 and CNTVCT_EL0: any thread, no lock. */
uint64_t arm_timer_count(const struct arm_timer *t);

/* CNTFRQ_EL0, CNTPCT_EL0, CNTVCT_EL0 (and their self-synchronised forms), CNT{P,V}_{CTL,CVAL,
 * TVAL}_EL0; `enc` is op0:op1:CRn:CRm:op2 in bits 15:0.  false: none of these, or read-only.
 * CNTKCTL_EL1 and the traps that it asks for belong to the PE. */
bool arm_timer_sysreg_read(struct arm_timer *t, uint32_t enc, uint64_t *v);
bool arm_timer_sysreg_write(struct arm_timer *t, uint32_t enc, uint64_t v);
