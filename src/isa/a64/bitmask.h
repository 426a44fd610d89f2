/* SPDX-License-Identifier: Apache-2.0 */
/* The immediates of logical instructions. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* DecodeBitMasks() (DDI 0487, J1.1.3): an element of 2, 4, … 64 bits with S+1 ones, rotated
 * right by R, repeated over the register.  false: reserved. */
static inline bool a64_bitmask_decode(bool sf, unsigned n, unsigned imms, unsigned immr,
                                      uint64_t *mask)
{
    unsigned k = n << 6 | (~imms & 0x3f);
    if (k < 2 || (!sf && n)) {
        return false;
    }
    unsigned len = 31 - __builtin_clz(k), size = 1u << len;
    unsigned s = imms & (size - 1), r = immr & (size - 1);
    if (s == size - 1) {
        return false;
    }
    uint64_t elem = (UINT64_C(1) << (s + 1)) - 1;
    uint64_t ones = size == 64 ? ~UINT64_C(0) : (UINT64_C(1) << size) - 1;
    if (r) {
        elem = (elem >> r | elem << (size - r)) & ones;
    }
    for (; size < 64; size *= 2) {
        elem |= elem << size;
    }
    *mask = sf ? elem : (uint32_t)elem;
    return true;
}
