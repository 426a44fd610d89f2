/* SPDX-License-Identifier: Apache-2.0 */
/* struct insn_state: everything that one instruction may read and write.  The comparison sends
 * it to guest.c, which runs under qemu-aarch64, executes `insn` once and sends it back. */
#pragma once

/* Offsets in struct insn_state, for guest_entry.S. */
#define STATE_SP 248
#define STATE_V 256
#define STATE_NZCV 768
#define STATE_FPSR 784

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Where the instruction is, and the memory that it may reach: 16 KiB of which mem[] is the middle,
 * zero around.  The guest program itself is linked to INSN_GUEST_VA (meson.build). */
#define INSN_SLOT_VA UINT64_C(0x40000000)
#define INSN_MEM_VA UINT64_C(0x40100000)
#define INSN_MEM_BYTES 16384
#define INSN_MEM_OFF 8192           /* of mem[] */
#define INSN_MEM_CHECKED 1024
#define INSN_MEM_MIDDLE (INSN_MEM_VA + INSN_MEM_OFF + INSN_MEM_CHECKED / 2)

struct insn_state {
    uint64_t x[31];
    uint64_t sp;
    uint64_t v[32][2];
    uint64_t nzcv, fpcr, fpsr;
    uint64_t signal;                /* that the instruction raised, 0 = none (SIGILL, SIGSEGV, …) */
    uint32_t insn;                  /* does not branch */
    uint32_t row;                   /* for the comparison only */
    uint8_t mem[INSN_MEM_CHECKED];
};
#endif
