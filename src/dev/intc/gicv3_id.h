/* SPDX-License-Identifier: Apache-2.0 */
/* The identification registers at the end of each GICv3 register frame (IHI 0069, 12.1.14). */
#pragma once
#include <stdint.h>

#define GICV3_IIDR 0x43bu       /* GICD_IIDR, GICR_IIDR: Arm */

#define GICV3_IDS_N 12          /* from offset 0xffd0 on: PIDR4–7, PIDR0–3, CIDR0–3 */

/* The i-th of them; `part` is PIDR0. */
static inline uint32_t gicv3_id_read(unsigned i, uint8_t part)
{
    /* PIDR2: architecture revision 3 in bits 7:4 */
    const uint8_t id[GICV3_IDS_N] = { 0x44, 0, 0, 0, part, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1 };

    return id[i];
}
