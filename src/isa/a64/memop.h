/* SPDX-License-Identifier: Apache-2.0 */
/* struct memop: what one guest memory access is, known at decode time. */
#pragma once
#include <stdint.h>

enum memop_extend {
    MEMOP_ZX,       /* zero-extend to 64 bits */
    MEMOP_SX32,     /* sign-extend to 32 bits, upper 32 bits zero */
    MEMOP_SX64,     /* sign-extend to 64 bits */
};

/* One word, so that passing it on does not put it together from bytes in memory. */
struct memop {
    uint32_t size_log2 : 4; /* 0 … 4: 1 … 16 bytes */
    uint32_t extend : 2;    /* enum memop_extend (loads) */
    uint32_t acquire : 1;   /* LDAR/LDAPR/STLR/…: ordering and, if `ordered`, alignment */
    uint32_t release : 1;
    uint32_t ordered : 1;   /* must be naturally aligned whatever SCTLR_EL1.A says */
    uint32_t unpriv : 1;    /* LDTR/STTR: as EL0, unless UAO or already EL0 */
};
