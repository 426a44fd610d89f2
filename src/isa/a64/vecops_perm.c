/* SPDX-License-Identifier: Apache-2.0 */
/* Primitives that move lanes. */
#include "isa/a64/vecops_lane.h"

/* Lane i of the result is lane FROM of SRC. */
#define PERMUTE(name, SRC, FROM) \
    VOP_DEFINE(name) \
    { \
        union a64_vreg r = { 0 }; \
        unsigned size = V_SIZE(arg), n = V_LANES(arg), half = n / 2; \
        (void)half; \
        for (unsigned i = 0; i < n; i++) { \
            v_lane_set(&r, size, i, v_lane((SRC) ? b : a, size, FROM)); \
        } \
        *d = r; \
    }

PERMUTE(uzp1, i >= half, 2 * (i % half))
PERMUTE(uzp2, i >= half, 2 * (i % half) + 1)
PERMUTE(trn1, i & 1, i & ~1u)
PERMUTE(trn2, i & 1, i | 1)
PERMUTE(zip1, i & 1, i / 2)
PERMUTE(zip2, i & 1, i / 2 + half)

VOP_DEFINE(ext)
{
    union a64_vreg r = { 0 };
    unsigned n = 1u << V_LG(arg), x = V_X(arg);

    for (unsigned i = 0; i < n; i++) {
        r.b[i] = x + i < n ? a->b[x + i] : b->b[x + i - n];
    }
    *d = r;
}

VOP_DEFINE(dup_lane)
{
    union a64_vreg r = { 0 };
    unsigned size = V_SIZE(arg);
    uint64_t k = v_lane(a, size, V_X(arg));

    for (unsigned i = 0; i < V_LANES(arg); i++) {
        v_lane_set(&r, size, i, k);
    }
    *d = r;
}

VOP_DEFINE(tbx)
{
    union a64_vreg r = { 0 };

    for (unsigned i = 0; i < 1u << V_LG(arg); i++) {
        unsigned k = b->b[i] - V_X(arg);    /* wraps: not below 16 */
        r.b[i] = k < 16 ? a->b[k] : c->b[i];
    }
    *d = r;
}
