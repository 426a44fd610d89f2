/* SPDX-License-Identifier: Apache-2.0 */
/* enum gicv3_msg: what the parts of a GICv3 say to each other, after IHI 0069 appendix A ("GIC
 * Stream Protocol").  For whoever changes the GIC; nobody else looks into these messages.
 *
 *                 SET, UPDATE, CLEAR, CONTROL
 *   distributor ──────────────────────────────► CPU        CPU ── SGI ──► CPU
 *               ◄──────────────────────────────
 *         ACTIVATE, CLEARED, DEACTIVATE, CONTROL_DONE, PARTICIPATE
 *
 * The only thing taken for granted is that messages from one part to another arrive once, in
 * order, some time.
 *
 * An SPI, as its distributor sees it, is in one of three states:
 *
 *   IDLE ──SET──► FORWARDED ──CLEAR──► RECALLED ──(CLEARED)──► IDLE
 *    ▲               │ (ACTIVATE)          │ (ACTIVATE)
 *    └───────────────┘                     └─► RECALLED, active
 *
 *  - While FORWARDED the CPU named in SET may acknowledge it at any time.  Nobody else can: so
 *    it is never taken twice.
 *  - A line that drops, a disable or a new route recalls it.  The CPU answers each CLEAR with
 *    CLEARED; if it had acknowledged before, ACTIVATE comes in front of CLEARED.  A new SET, to
 *    whichever CPU, waits for CLEARED.  GICD_CTLR.RWP is 1 until then.
 *  - UPDATE changes the priority or generation of what is FORWARDED; a CPU that has already
 *    acknowledged ignores it.
 *  - Edges: each edge (or write to ISPENDR) that makes the latch pending counts up the
 *    generation.  SET and UPDATE tell it; ACTIVATE brings back the last one the CPU knew, and
 *    the latch is cleared only if no edge came since.  So an edge that crosses ACTIVATE on its
 *    way causes one more interrupt, and none is lost.
 *  - An active SPI is not forwarded until DEACTIVATE; then a level that is still there is.
 *
 * `kind` has the operation in bits 15:0 and the sender's epoch (number of resets) in bits 31:16;
 * messages from before a reset are dropped. */
#pragma once
#include <stdint.h>

#define GICV3_PRIORITY_MASK 0xf8u       /* 5 bits of priority, all of them for preemption */

enum gicv3_msg {
    GICV3_SET = 1,          /* a = INTID, b = below */
    GICV3_UPDATE,           /* the same */
    GICV3_CLEAR,            /* a = INTID */
    GICV3_CONTROL,          /* a = group enables: bit n = GICD_CTLR.EnableGrp<n> */
    GICV3_ACTIVATE,         /* a = INTID, b = generation */
    GICV3_CLEARED,          /* a = INTID */
    GICV3_DEACTIVATE,       /* a = INTID */
    GICV3_CONTROL_DONE,
    GICV3_PARTICIPATE,      /* a: bit n = takes group n interrupts with 1-of-N routing */
    GICV3_SGI,              /* a = INTID 0 … 15, b = group */
};

/* SET, UPDATE b:  63      41 40    39       32 31         0
 *                |   0     | group | priority | generation |   */
static inline uint64_t gicv3_msg_pack(uint32_t generation, uint8_t priority, unsigned group)
{
    return generation | (uint64_t)priority << 32 | (uint64_t)group << 40;
}
