/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 1 translation of the EL1&0 regime (DDI 0487, D8). */
#pragma once
#include "isa/a64/cpu.h"

#include <stdbool.h>
#include <stdint.h>

struct a64_xlat {
    uint64_t gpa;           /* of the byte at va */
    uint8_t size_log2;      /* of the block or page, or of what may be cached: ≥ 12 */
    uint8_t mair_attr;      /* the MAIR_EL1 byte (device: bits 7:4 are 0) */
    uint8_t sh;             /* shareability, as PAR_EL1.SH */
    bool global, user;      /* user: EL0 may read or write it */
    bool guarded;           /* GP: FEAT_BTI */
    bool device;
    bool writable;          /* a write by the same would be allowed and change no descriptor */
};

struct a64_fault {
    uint8_t fsc;            /* 6 bits: DFSC or IFSC */
    bool walk_stop;         /* the bus said A64_BUS_STOP: no fault, leave */
};

/* The translation of `va` for one kind of access, as EL0 if `el0` (LDTR/STTR, AT S1E0).
 * Sets access flag and dirty state where the hardware does (FEAT_HAFDBS).  false: `f` says why.
 * May block and run safepoints. */
bool a64_translate(struct a64_cpu *cpu, uint64_t va, enum a64_access access, bool el0,
                   struct a64_xlat *x, struct a64_fault *f);
/* The same, without effect on PAN and without updating descriptors: AT, debuggers. */
bool a64_translate_debug(struct a64_cpu *cpu, uint64_t va, enum a64_access access, bool el0,
                         struct a64_xlat *x, struct a64_fault *f);

/* Tells the TLB the present context, after TTBRn_EL1, TCR_EL1, SCTLR_EL1 or PSTATE.EL changed. */
void a64_regime_update(struct a64_cpu *cpu);

/* VA without its tag byte (TBI), sign-extended from bit 55 where it applies. */
uint64_t a64_untag(const struct a64_cpu *cpu, uint64_t va, bool instruction);

/* The pc after a branch to `target`: a tag byte goes where TBI is on (AArch64.BranchAddr()). */
static inline uint64_t a64_branch_address(const struct a64_cpu *cpu, uint64_t target)
{
    return (cpu->tcr_el1 >> 37 & 3) ? a64_untag(cpu, target, true) : target;
}
