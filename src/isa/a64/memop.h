/* SPDX-License-Identifier: Apache-2.0 */
/* struct memop: what one guest memory access is, known at decode time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum memop_extend {
    MEMOP_ZX,       /* zero-extend to 64 bits */
    MEMOP_SX32,     /* sign-extend to 32 bits, upper 32 bits zero */
    MEMOP_SX64,     /* sign-extend to 64 bits */
};

struct memop {
    uint8_t size_log2;      /* 0 … 4: 1 … 16 bytes */
    uint8_t extend;         /* enum memop_extend (loads) */
    bool acquire, release;  /* LDAR/LDAPR/STLR/…: ordering and, if `ordered`, alignment */
    bool ordered;           /* must be naturally aligned whatever SCTLR_EL1.A says */
    bool unpriv;            /* LDTR/STTR: as EL0, unless UAO or already EL0 */
};
