/* SPDX-License-Identifier: Apache-2.0 */
/* The generic timer of one PE (DDI 0487, D12): system counter, EL1 physical and EL1 virtual timer.
 * No EL2: CNTVOFF_EL2 is 0, so both counts are equal.  A device whose registers are the PE's system
 * registers.
 *
 * Interrupts are levels: ENABLE && !IMASK && count >= CVAL, whenever that changes.  Registers
 * are accessed on the PE's thread; the timers fire on the clock's loop thread. */
#pragma once
#include "vm/irq.h"

#include <stdbool.h>
#include <stdint.h>

struct device;
struct device_class;
struct device_env;
struct err;

#define ARM_TIMER_HZ 62500000u          /* one count in 16 ns */
#define ARM_TIMER_NS_PER_COUNT 16

extern const struct device_class arm_timer_class;       /* outputs: PPIs of the PE */
enum arm_timer_which { ARM_TIMER_PHYS, ARM_TIMER_VIRT, ARM_TIMER_COUNT };

/* Of vCPU `index`: realized, not yet reset. */
struct device *arm_timer_new(unsigned index, const struct device_env *env, struct err *e);

/* CNTPCT_EL0 and CNTVCT_EL0: any thread, no lock. */
uint64_t arm_timer_count(const struct device *d);

/* CNTFRQ_EL0, CNTPCT_EL0, CNTVCT_EL0 (and their self-synchronised forms), CNT{P,V}_{CTL,CVAL,
 * TVAL}_EL0; `enc` is op0:op1:CRn:CRm:op2 in bits 15:0.  false: none of these, or read-only.
 * CNTKCTL_EL1 and the traps that it asks for belong to the PE. */
bool arm_timer_sysreg_read(struct device *d, uint32_t enc, uint64_t *v);
bool arm_timer_sysreg_write(struct device *d, uint32_t enc, uint64_t v);
