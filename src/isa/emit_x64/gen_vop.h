/* SPDX-License-Identifier: Apache-2.0 */
/* Vector primitives that no instruction has, but that the translator composes others from: as
 * those of vecops.def (the same argument).  They have no C function. */
#pragma once
#include "isa/a64/vecops.h"

enum gen_vop {
    GEN_V_SMULH = VOP_COUNT,    /* high halves of signed products of 16 bits */
    GEN_V_UMULH,
    GEN_V_BLEND,                /* a ? b : c, where each byte of a is all ones or zero */
    GEN_V_INSERT,               /* a with lane x & 15 replaced by lane x >> 4 of b; 4, 8 bytes */
    GEN_V_PAIRS,                /* x: what to do with the pairs of a and b; 8 and 16 bits */
    GEN_V_SHUFFLE,              /* bytes of a as VPSHUFB has it; b is constant */
    GEN_V_SQSHLI,               /* SQSHL, UQSHL, SQSHLU of a by x; may set FPSR.QC */
    GEN_V_UQSHLI,
    GEN_V_SQSHLUI,
    GEN_V_COUNT
};
