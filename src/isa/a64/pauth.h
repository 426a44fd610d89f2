/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer authentication (FEAT_PAuth) with an IMPLEMENTATION DEFINED algorithm, as
 * ID_AA64ISAR1_EL1.{API,GPI} say. */
#pragma once
#include <stdint.h>

struct a64_cpu;

/* The order within the first two groups is that of the opcode field and of the keys. */
enum a64_pauth_op {
    PAUTH_PACIA, PAUTH_PACIB, PAUTH_PACDA, PAUTH_PACDB,
    PAUTH_AUTIA, PAUTH_AUTIB, PAUTH_AUTDA, PAUTH_AUTDB,
    PAUTH_XPACI, PAUTH_XPACD, PAUTH_PACGA,
};

/* After SCTLR_EL1 or TCR_EL1 changed: what translated code looks at (cpu->pac). */
void a64_pauth_update(struct a64_cpu *cpu);
/* The result of `op` on `ptr`.  The keys and their enable bits in SCTLR_EL1 are the PE's; a
 * disabled key leaves the pointer alone.  A failed authentication gives a non-canonical pointer
 * (no FEAT_FPAC). */
uint64_t a64_pauth(const struct a64_cpu *cpu, enum a64_pauth_op op, uint64_t ptr,
                   uint64_t modifier);
