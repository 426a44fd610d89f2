/* SPDX-License-Identifier: Apache-2.0 */
/* Disassembler for aarch64, from the row tables: for -d in_asm, the monitor and tests. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The text of `word` at `pc`, with aliases where the manual prefers them; ".inst 0x…" if it is not
 * allocated.  Cut to `size` bytes with the final 0. */
void dis_a64(uint32_t word, uint64_t pc, char *text, size_t size);
