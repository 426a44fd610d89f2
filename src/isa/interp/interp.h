/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter: every instruction, straight from the semantic bodies.  Oracle for the JIT,
 * its cold tier, and its way to execute single rows.  vCPU thread only. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct a64_cpu;

/* Makes and frees cpu->interp (the cache of decoded pages).  false: no memory. */
bool interp_attach(struct a64_cpu *cpu);
void interp_detach(struct a64_cpu *cpu);

/* Executes up to `insns_max` instructions (an exception taken counts as one) while cpu->poll is
 * zero.  Takes no interrupts.  Returns how many it did. */
uint64_t interp_run(struct a64_cpu *cpu, uint64_t insns_max);

/* Executes one to `insns_max` instructions of code that is not expected to come again: stops at
 * taken branches and at the end of the page, and keeps nothing decoded.  Takes no interrupts. */
void interp_run_straight(struct a64_cpu *cpu, unsigned insns_max);

/* Executes the instruction `word` as if it were at cpu->pc, which then is that of the next one,
 * or the vector of the exception that it caused.  For rows that are not translated.  `insn`:
 * enum a64_insn, as a64_decode_for() gave it.  Needs no interp_attach(). */
void interp_row(struct a64_cpu *cpu, unsigned insn, uint32_t word);

/* Code at guest-physical [gpa, gpa + bytes) may have changed (bytes ~0: everywhere). */
void interp_icache_invalidate(struct a64_cpu *cpu, uint64_t gpa, uint64_t bytes);
