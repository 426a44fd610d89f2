/* SPDX-License-Identifier: Apache-2.0 */
/* struct gicv3_cpu, for its three files:
 *   gicv3_cpu.c      what is pending, the output lines, messages
 *   gicv3_redist.c   the GICR_* frames, saved state, life
 *   gicv3_icc.c      the ICC_* registers
 * Functions here are called with the lock held unless they say otherwise. */
#pragma once
#include "base/thread.h"
#include "dev/intc/gicv3.h"
#include "dev/intc/gicv3_msg.h"
#include "vm/device.h"

/* Messages that were decided and not sent yet.  Between two messages of the distributor about
 * one SPI there are at most ACTIVATE, CLEARED and two DEACTIVATE of it (repeated ones are
 * dropped): 4 × 988, and two others.  More can only follow from a peer that breaks the protocol,
 * and are lost. */
#define GICV3_OUT_MAX 4096
#define GICV3_PRIORITY_BITS 5
#define GICV3_IDLE_PRIORITY 0x100u      /* lower than any */
#define GICV3_INTID_NONE 1023u

struct gicv3_out {
    uint16_t op;                /* enum gicv3_msg */
    uint16_t a;
    uint32_t b;
};

struct gicv3_cpu {
    struct device dev;
    struct mutex *lock;         /* of dev */
    unsigned index;
    bool is_last;
    const struct gicv3_topology *topology;
    const struct irq_sink *sink;
    uint16_t epoch;

    /* Redistributor: SGIs and PPIs, a bit each */
    uint32_t group, enabled, latch, level, active, edge;
    uint8_t priority[32];
    uint32_t gicr_ctlr, gicr_waker;

    /* SPIs that the distributor has forwarded here */
    uint32_t spi_words;         /* bit n: spi_pending[n] is not 0 */
    uint32_t spi_pending[32], spi_group[32];
    uint8_t spi_priority[1024];
    uint32_t spi_generation[1024];

    /* CPU interface */
    uint8_t control;            /* group enables of the distributor */
    uint8_t igrpen;             /* ICC_IGRPEN0/1: bit = group */
    uint8_t pmr, bpr[2];
    bool cbpr, eoimode;
    uint32_t apr[2];            /* ICC_AP0R0, ICC_AP1R0: bit n = priority n << 3 */

    /* Highest priority pending interrupt of the enabled groups */
    uint16_t hppi;              /* INTID or GICV3_INTID_NONE */
    uint16_t hppi_priority;
    uint8_t hppi_group;
    bool irq_line, fiq_line;
    uint8_t participates_told;

    bool sending;
    unsigned out_first, out_n;
    struct gicv3_out out[GICV3_OUT_MAX];
    uint32_t deactivate_queued[32];     /* SPIs */
};

static inline struct gicv3_cpu *gicv3_cpu_from(struct device *d)
{
    return (struct gicv3_cpu *)d;       /* the first member */
}

static inline void gicv3_cpu_spi_set(struct gicv3_cpu *c, unsigned intid, bool pending)
{
    uint32_t *word = &c->spi_pending[intid / 32], bit = 1u << intid % 32;

    *word = pending ? *word | bit : *word & ~bit;
    bit = 1u << intid / 32;
    c->spi_words = *word ? c->spi_words | bit : c->spi_words & ~bit;
}

/* After any change: the highest pending interrupt and the lines. */
void gicv3_cpu_update(struct gicv3_cpu *c);
/* Can the highest pending interrupt be taken now? */
bool gicv3_cpu_can_take(const struct gicv3_cpu *c);
/* The highest active priority (of one group: 0, 1; of both: -1); GICV3_IDLE_PRIORITY if none. */
unsigned gicv3_cpu_running(const struct gicv3_cpu *c, int group);
/* The group priority bits of a priority of `group`. */
unsigned gicv3_cpu_group_mask(const struct gicv3_cpu *c, unsigned group);
uint32_t gicv3_cpu_local_pending(const struct gicv3_cpu *c);
void gicv3_cpu_queue(struct gicv3_cpu *c, enum gicv3_msg op, unsigned a, uint32_t b);
/* ICC_BPR0, ICC_BPR1: no less than the least there is. */
void gicv3_cpu_write_bpr(struct gicv3_cpu *c, unsigned group, unsigned v);
/* Bit n: takes interrupts of group n with 1-of-N routing. */
uint8_t gicv3_cpu_participation(const struct gicv3_cpu *c);
/* After changes of IGRPEN, GICR_WAKER, GICR_CTLR. */
void gicv3_cpu_tell_participation(struct gicv3_cpu *c);
/* Sends what was queued; the lock is let go of meanwhile. */
void gicv3_cpu_send(struct gicv3_cpu *c);
static inline void gicv3_cpu_send_unlock(struct gicv3_cpu *c)
{
    gicv3_cpu_send(c);
    mutex_unlock(c->lock);
}
