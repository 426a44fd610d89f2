/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory accesses of one PE, behind the TLB's fast path: for the interpreter and for the
 * JIT's slow paths.  All of these do the whole access with every check.
 *
 * Result: true = done.  false = the instruction must be left: an exception was taken (cpu->pc is
 * its vector) or the machine is going down (cpu->pc is unchanged and nothing was done).  Before
 * the call cpu->pc is the address of the instruction.
 * Any of these may block, run safepoints and change the TLB.  vCPU thread only. */
#pragma once
#include "isa/a64/memop.h"
#include "isa/a64/cpu.h"

#include <stdbool.h>
#include <stdint.h>

/* Data of up to 16 bytes, little endian in v[0], v[1]; what is not loaded becomes 0 (no sign
 * extension: a64_extend). */
bool a64_load(struct a64_cpu *cpu, uint64_t va, struct memop m, uint64_t v[2]);
bool a64_store(struct a64_cpu *cpu, uint64_t va, struct memop m, const uint64_t v[2]);
/* Two elements of 1 << m.size_log2 bytes at va: a[] and b[], 16 bytes room each. */
bool a64_load2(struct a64_cpu *cpu, uint64_t va, struct memop m, uint64_t a[2], uint64_t b[2]);
bool a64_store2(struct a64_cpu *cpu, uint64_t va, struct memop m, const uint64_t a[2],
                const uint64_t b[2]);

/* Host address of `bytes` (≤ 16, all aligned to `bytes`) that may be read and written until the
 * next safepoint: for atomics and store-exclusives.  NULL: left, as above. */
void *a64_rmw(struct a64_cpu *cpu, uint64_t va, unsigned bytes, bool unpriv);

/* Read-modify-write (op: enum atomic_op as a number, see vocab.h); *v is the operand and becomes
 * the old value, zero-extended. */
bool a64_atomic(struct a64_cpu *cpu, uint64_t va, unsigned op, struct memop m, uint64_t *v);
/* Compare-and-swap of one element (n = 1) or a pair (n = 2): old[] is what was there. */
bool a64_cas(struct a64_cpu *cpu, uint64_t va, struct memop m, unsigned n,
             const uint64_t expect[2], const uint64_t data[2], uint64_t old[2]);

/* Exclusives: n = 1 or 2 elements.  store: *status becomes 0 (stored) or 1. */
bool a64_load_ex(struct a64_cpu *cpu, uint64_t va, struct memop m, unsigned n, uint64_t v[2]);
bool a64_store_ex(struct a64_cpu *cpu, uint64_t va, struct memop m, unsigned n,
                  const uint64_t v[2], uint64_t *status);

bool a64_dc_zva(struct a64_cpu *cpu, uint64_t va);

/* The host address of the instruction at pc, with the exec TLB filled for its page. */
const uint32_t *a64_fetch(struct a64_cpu *cpu, uint64_t pc);

/* SP alignment fault if `sp` is not aligned and the present EL asks for the check. */
bool a64_sp_check_slow(struct a64_cpu *cpu);
static inline bool a64_sp_check(struct a64_cpu *cpu)
{
    return !(cpu->sp & 15) || a64_sp_check_slow(cpu);
}

static inline uint64_t a64_extend(struct memop m, uint64_t v)
{
    unsigned bits = 8u << m.size_log2;

    if (m.extend == MEMOP_ZX || bits >= 64) {
        return v;
    }
    v = (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits));
    return m.extend == MEMOP_SX32 ? (uint32_t)v : v;
}
