/* SPDX-License-Identifier: Apache-2.0 */
/* struct insn_state: everything that one instruction may read and write.  The comparison sends
 * it to guest.c, which runs under qemu-aarch64, executes `insn` once and sends it back. */
#pragma once

/* Offsets in struct insn_state, for guest_entry.S. */
#define STATE_X 0
#define STATE_SP 248
#define STATE_V 256
#define STATE_NZCV 768
#define STATE_FPSR 784

#ifndef __ASSEMBLER__
#include <stdint.h>

/* The memory that instructions may reach: 64 KiB of which mem[] is the middle, zero around. */
#define INSN_MEM_VA UINT64_C(0x500000000000)
#define INSN_MEM_BYTES 65536
#define INSN_MEM_OFF 32768          /* of mem[] */
#define INSN_MEM_CHECKED 1024

struct insn_state {
    uint64_t x[31];
    uint64_t sp;
    uint64_t v[32][2];
    uint64_t nzcv, fpcr, fpsr;
    uint64_t signal;                /* that the instruction raised, 0 = none (SIGILL, SIGSEGV, …) */
    uint32_t insn;                  /* does not branch */
    uint32_t unused;
    uint8_t mem[INSN_MEM_CHECKED];
};
#endif
