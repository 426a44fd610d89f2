/* SPDX-License-Identifier: Apache-2.0 */
/* System registers: the encoding, and access by instruction. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct a64_cpu;

/* op0:op1:CRn:CRm:op2 as in bits 20:5 of MSR, MRS, SYS. */
#define A64_SYSREG(op0, op1, crn, crm, op2) \
    ((uint32_t)(op0) << 14 | (uint32_t)(op1) << 11 | (uint32_t)(crn) << 7 | \
     (uint32_t)(crm) << 3 | (uint32_t)(op2))
#define A64_SYSREG_OP0(enc) ((enc) >> 14 & 3)
#define A64_SYSREG_OP1(enc) ((enc) >> 11 & 7)
#define A64_SYSREG_CRN(enc) ((enc) >> 7 & 15)
#define A64_SYSREG_CRM(enc) ((enc) >> 3 & 15)
#define A64_SYSREG_OP2(enc) ((enc) & 7)

/* ISS of a trapped MSR, MRS or SYS (EC 0x18). */
static inline uint32_t a64_sysreg_iss(uint32_t enc, unsigned rt, bool is_read)
{
    return A64_SYSREG_OP0(enc) << 20 | A64_SYSREG_OP2(enc) << 17 | A64_SYSREG_OP1(enc) << 14 |
           A64_SYSREG_CRN(enc) << 10 | rt << 5 | A64_SYSREG_CRM(enc) << 1 | is_read;
}

/* MRS and MSR at the PE's present EL, with all traps and side effects.  `rt` is for the
 * syndrome.  false: an exception was taken (pc is its vector; before the call pc was that of
 * the instruction).  After a write anything may have changed: translation context, interrupt
 * masks, traps: end the block. */
bool a64_sysreg_read(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t *v);
bool a64_sysreg_write(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t v);
/* SYS: IC, DC, AT, TLBI (not DC ZVA). */
bool a64_sys_op(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t v);
/* DSB: waits until this PE's broadcast maintenance is complete everywhere. */
void a64_dsb(struct a64_cpu *cpu);
/* After SCTLR_EL1 changed otherwise than by a64_sysreg_write(). */
void a64_sctlr_update(struct a64_cpu *cpu);
/* MSR (immediate). */
bool a64_pstate_write(struct a64_cpu *cpu, unsigned op1, unsigned op2, unsigned crm);

/* The architecture's name of a register of sysreg.def, or NULL. */
const char *a64_sysreg_name(uint32_t enc);
