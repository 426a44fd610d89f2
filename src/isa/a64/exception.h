/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions: entry, return and the processor state that they save (DDI 0487, D1.3).
 *
 * Before any of these cpu->pc is the address of the instruction that causes it (interrupts: of
 * the next instruction); afterwards it is the vector.  vCPU thread only. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct a64_cpu;

/* Synchronous exception to EL1: ESR_ELx.EC and ISS (isa/a64/esr.h).  The preferred return
 * address is cpu->pc + ret_off (4 for SVC). */
void a64_exception(struct a64_cpu *cpu, unsigned ec, uint32_t iss, unsigned ret_off);
/* The same for one that sets FAR_EL1. */
void a64_exception_far(struct a64_cpu *cpu, unsigned ec, uint32_t iss, uint64_t far);
void a64_undefined(struct a64_cpu *cpu);

/* Architectural cold reset (D1.9): EL1h, MMU off, all interrupts masked, TLB empty; x, sp and pc
 * are 0.  `model`, `bus`, `tlb`, `index` and `mpidr` are kept. */
void a64_cpu_reset(struct a64_cpu *cpu);

#define A64_POLL_IRQ 2u     /* = VCPU_POLL_IRQ of vm/vcpu.h */

/* If an interrupt is pending (irq_line, fiq_line) and not masked at the present PSTATE, take it
 * and return true.  The run loop calls this after bit A64_POLL_IRQ of cpu->poll was set and
 * has cleared the bit before.  So whatever unmasks interrupts (MSR DAIF/DAIFClr, ERET) while a
 * line is up sets that bit (a64_interrupt_recheck), and the engine returns. */
bool a64_take_interrupt(struct a64_cpu *cpu);

/* ERET from EL1, with ELR_EL1 as given (ERETAA/ERETAB authenticate it before). */
void a64_exception_return(struct a64_cpu *cpu, uint64_t target);
/* HVC and SMC: a firmware call, or UNDEFINED.  Leaves pc behind the instruction. */
void a64_firmware_call(struct a64_cpu *cpu, bool is_smc, unsigned imm16);

/* HLT: semihosting if it is on, otherwise UNDEFINED. */
void a64_halting_breakpoint(struct a64_cpu *cpu, unsigned imm16);
/* WFI and WFE with their traps.  Leave pc behind the instruction. */
void a64_wait(struct a64_cpu *cpu, bool is_wfi);
/* FEAT_BTI: may `word`, at pc, be the target of a branch with PSTATE.BTYPE as it is?  Otherwise
 * the exception has been taken.  To be asked where BTYPE is not 0; the exec TLB has pc's page. */
bool a64_bti_check(struct a64_cpu *cpu, uint32_t word);

/* PSTATE in the layout of SPSR_EL1. */
uint32_t a64_pstate_get(const struct a64_cpu *cpu);

/* The parts of PSTATE that choose which SP and which translations are in use.  They keep
 * cpu->sp and the TLB's context in step. */
void a64_set_el_sp(struct a64_cpu *cpu, unsigned el, unsigned spsel);
void a64_set_pan(struct a64_cpu *cpu, bool pan);
/* After DAIF or the lines changed by this PE: asks for a safepoint if an interrupt can now be
 * taken. */
void a64_interrupt_recheck(struct a64_cpu *cpu);

/* Software step, breakpoints: see debug.h.  CPACR_EL1.FPEN: true if FP/SIMD is accessible now;
 * otherwise the exception has been taken. */
bool a64_fp_check(struct a64_cpu *cpu);
