/* SPDX-License-Identifier: Apache-2.0 */
/* The host's floating-point state around calls of code that may compute with floats: on a vCPU's
 * thread it is the guest's.  Ours never does there (fpu.h of the JIT says why); plug-ins may. */
#pragma once
#include <stdint.h>

#ifdef __x86_64__
#include <immintrin.h>

/* As a C program expects it; returns what it was. */
static inline uint32_t fpstate_begin(void)
{
    uint32_t was = _mm_getcsr();

    _mm_setcsr(0x1f80);
    return was;
}

static inline void fpstate_end(uint32_t was)
{
    _mm_setcsr(was);
}
#else
static inline uint32_t fpstate_begin(void)
{
    return 0;
}

static inline void fpstate_end(uint32_t was)
{
}
#endif
