/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes of a vector register by size known at run time.  Private to vecops_*.c. */
#pragma once
#include "isa/a64/cpu.h"
#include "isa/a64/vecops.h"

#include <stdbool.h>

static inline uint64_t v_lane(const union a64_vreg *v, unsigned size, unsigned i)
{
    switch (size) {
    case 0:
        return v->b[i];
    case 1:
        return v->h[i];
    case 2:
        return v->s[i];
    default:
        return v->d[i];
    }
}

static inline int64_t v_lane_signed(const union a64_vreg *v, unsigned size, unsigned i)
{
    unsigned unused = 64 - (8u << size);

    return (int64_t)(v_lane(v, size, i) << unused) >> unused;
}

static inline void v_lane_set(union a64_vreg *v, unsigned size, unsigned i, uint64_t k)
{
    switch (size) {
    case 0:
        v->b[i] = k;
        break;
    case 1:
        v->h[i] = k;
        break;
    case 2:
        v->s[i] = k;
        break;
    default:
        v->d[i] = k;
        break;
    }
}

#define VOP_DEFINE(name) \
    void vop_##name(struct a64_cpu *cpu, uint32_t arg, union a64_vreg *d, \
                    const union a64_vreg *a, const union a64_vreg *b, const union a64_vreg *c)
