/* SPDX-License-Identifier: Apache-2.0 */
/* The table of primitives. */
#include "isa/a64/vecops.h"

const struct vop_row vop_rows[VOP_COUNT] = {
#define VOP1(name, effect) [VOP_##name] = { #name, vop_##name, 1, VOP_##effect },
#define VOP2(name, effect) [VOP_##name] = { #name, vop_##name, 2, VOP_##effect },
#define VOP3(name, effect) [VOP_##name] = { #name, vop_##name, 3, VOP_##effect },
#include "isa/a64/vecops.def"
};
