/* SPDX-License-Identifier: Apache-2.0 */
/* MXCSR at the boundary between translated code and C.
 *
 *   translated code   rounding mode of FPCR; exceptions masked; the sticky flags are FPSR's
 *                     cumulative bits, or will be: FPSR is what struct a64_cpu has, or-ed with
 *                     them.  FZ and DAZ are off: emit_x64/gen_fp.c finds what flushes.
 *   primitives        (vop_*, called by translated code) the same: they do not look at MXCSR,
 *                     but for the host arithmetic of softfp/fp_host.h, which checks the mode and
 *                     raises only what FPSR has already.
 *   helpers           whatever only computes with integers (memory accesses, devices, exceptions,
 *                     translation) the same: it neither looks at MXCSR nor changes it.
 *   all other C       as it was outside of the engine: round to nearest.
 *
 * Reading MXCSR waits for all arithmetic in flight, some 15 ns: hence not at each call.
 * jit_fpu_leave() on the way to C makes cpu->fpsr complete; jit_fpu_enter() goes back, with
 * whatever FPCR and FPSR have become. */
#pragma once
#include "isa/a64/cpu.h"
#include "isa/softfp/softfp.h"

#include <immintrin.h>

enum { JIT_MXCSR_C = 0x1f80, JIT_MXCSR_DE = 2, JIT_MXCSR_RC = 0x6000 };

static inline void jit_fpu_leave(struct a64_cpu *cpu)
{
    uint32_t m = _mm_getcsr();

    /* x86: IE DE ZE OE UE PE; Arm: IOC DZC OFC UFC IXC */
    cpu->fpsr |= (m & 1) | (m >> 1 & 0x1e);
    if (m & JIT_MXCSR_RC) {
        _mm_setcsr(JIT_MXCSR_C);
    }
}

static inline void jit_fpu_enter(const struct a64_cpu *cpu)
{
    static const uint16_t rc[4] = { 0, 0x4000, 0x2000, 0x6000 };
    uint32_t f = cpu->fpsr, m = JIT_MXCSR_C | rc[cpu->fpcr >> FPCR_RMODE_SHIFT & 3] |
                                (f & 1) | (f & 0x1e) << 1;

    if ((_mm_getcsr() & ~(uint32_t)JIT_MXCSR_DE) != m) {
        _mm_setcsr(m);
    }
}
