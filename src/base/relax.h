/* SPDX-License-Identifier: Apache-2.0 */
/* For loops that spin. */
#pragma once

/* Tells the host's CPU that this is a loop which waits for another one's store. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");            /* YIELD is a NOP on most; ISB takes some 10 ns */
#endif
}
