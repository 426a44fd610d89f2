/* SPDX-License-Identifier: Apache-2.0 */
/* Disassembler for aarch64, from the row tables: for -d in_asm, the monitor and tests. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The text of `word` at `pc`, with aliases where the manual prefers them; ".inst 0x…" if it is not
 * allocated.  Cut to `size` bytes with the final 0. */
void dis_a64(uint32_t word, uint64_t pc, char *text, size_t size);

/* `n` instructions at `pc` into the log (-d in_asm); ask log_on(LOG_IN_ASM) before. */
void dis_a64_log(const uint32_t *code, unsigned n, uint64_t pc);
