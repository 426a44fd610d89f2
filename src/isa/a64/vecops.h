/* SPDX-License-Identifier: Apache-2.0 */
/* The vector and floating-point primitives of vecops.def as C functions. */
#pragma once
#include <stdint.h>

struct a64_cpu;
union a64_vreg;

/* The argument of a primitive: everything about it that is known at decode time.
 *   size  log2 of the bytes of an element, 0 … 3
 *   lg    log2 of the active bytes, 0 … 4 (a scalar: lg = size)
 *   x     see vecops.def
 *
 *    31            8 7 6 4 2 1  0
 *   |       x       | | lg  |size|     */
#define V_ARG(size, lg, x) ((uint32_t)(size) | (uint32_t)(lg) << 2 | (uint32_t)(x) << 8)
#define V_SIZE(arg) ((arg) & 3)
#define V_LG(arg) ((arg) >> 2 & 7)
#define V_X(arg) ((arg) >> 8)
#define V_LANES(arg) ((1u << V_LG(arg)) >> V_SIZE(arg))

/* x of frint, fcvts, fcvtu, fcvtn, scvtf, ucvtf. */
#define V_ROUND(r) (r)                  /* enum fp_round, or: */
#define V_ROUND_FPCR 7u                 /* what FPCR.RMode says */
#define V_ROUND_OF(x) ((x) & 7)
#define V_ROUND_EXACT 8u                /* frint: raise IXC (FRINTX) */
#define V_ROUND_INT(bits) ((bits) << 4) /* frint: FRINT32, FRINT64 */
#define V_INT(lg, fbits) ((uint32_t)(lg) << 4 | (uint32_t)(fbits) << 8)
#define V_INT_LG(x) ((x) >> 4 & 3)      /* log2 of the bytes of the integer */
#define V_INT_FBITS(x) ((x) >> 8 & 127)

enum vop_effect { VOP_PURE, VOP_QC, VOP_FP };

enum vop {
#define VOP1(name, effect) VOP_##name,
#define VOP2(name, effect) VOP_##name,
#define VOP3(name, effect) VOP_##name,
#include "isa/a64/vecops.def"
    VOP_COUNT
};

/* One signature for all: unused operands are not looked at (NULL is fine); d may be the same as
 * an operand.  `cpu`: FPCR and FPSR only.  Never faults. */
typedef void vop_fn(struct a64_cpu *cpu, uint32_t arg, union a64_vreg *d,
                    const union a64_vreg *a, const union a64_vreg *b, const union a64_vreg *c);

#define VOP1(name, effect) vop_fn vop_##name;
#define VOP2(name, effect) vop_fn vop_##name;
#define VOP3(name, effect) vop_fn vop_##name;
#include "isa/a64/vecops.def"

struct vop_row {
    const char *name;
    vop_fn *fn;
    uint8_t operands;
    uint8_t effect;         /* enum vop_effect */
};

extern const struct vop_row vop_rows[VOP_COUNT];
