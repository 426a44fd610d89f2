/* SPDX-License-Identifier: Apache-2.0 */
/* struct gicv3_dist, for its two files:
 *   gicv3_dist.c   routing and messages
 *   gicv3_gicd.c   the GICD_* registers, saved state, life
 * Functions here are called with the lock held. */
#pragma once
#include "base/thread.h"
#include "dev/intc/gicv3.h"
#include "dev/intc/gicv3_msg.h"
#include "vm/device.h"
#include "vm/vcpu.h"

#define GICV3_WORDS (1024 / 32)

enum gicv3_spi_state { GICV3_IDLE, GICV3_FORWARDED, GICV3_RECALLED };

struct gicv3_spi {
    uint64_t router;            /* GICD_IROUTER */
    uint32_t generation;        /* of the latch; see gicv3_msg.h */
    uint32_t told_generation;
    uint16_t owner;             /* CPU it is forwarded to or recalled from */
    uint8_t state;              /* enum gicv3_spi_state */
    uint8_t priority, told_priority;
    bool group, told_group;     /* group 1 */
    bool enabled, edge, latch, line, active;
};

/* What the distributor knows of a CPU. */
struct gicv3_member {
    uint8_t control_told;       /* in the last CONTROL */
    bool control_waits;         /* CONTROL_DONE is outstanding */
    uint8_t participates;
};

struct gicv3_dist {
    struct device dev;
    struct mutex *lock;                 /* of dev */
    uint32_t intids_n;
    const struct gicv3_topology *topology;
    const struct irq_sink *sink;
    uint16_t epoch;
    uint32_t ctlr;                      /* group enables */
    unsigned recalled_n;                /* SPIs in GICV3_RECALLED */
    unsigned controls_n;                /* peers with control_waits */
    unsigned next_cpu;                  /* where 1-of-N goes on looking */
    bool sending;                       /* a thread is in gicv3_dist_send() */
    bool controls_dirty;
    uint32_t dirty[GICV3_WORDS];        /* SPIs to look at before sending ends */
    uint32_t dirty_words;               /* bit n: dirty[n] is not 0 */
    struct gicv3_member member[VCPU_MAX];
    struct gicv3_spi spi[GICV3_INTID_MAX];  /* by INTID; the first 32 are unused */
};

static inline struct gicv3_dist *gicv3_dist_from(struct device *d)
{
    return (struct gicv3_dist *)d;      /* the first member */
}

static inline bool gicv3_spi_is_pending(const struct gicv3_spi *s)
{
    return s->latch || (!s->edge && s->line);
}

/* Whatever has changed of an SPI: it is looked at when messages are sent next. */
static inline void gicv3_spi_touch(struct gicv3_dist *d, unsigned intid)
{
    d->dirty[intid / 32] |= 1u << intid % 32;
    d->dirty_words |= 1u << intid / 32;
}
void gicv3_spi_touch_all(struct gicv3_dist *d);
/* An edge. */
void gicv3_spi_latch(struct gicv3_dist *d, unsigned intid);
/* Sends what follows from all changes; the lock is let go of meanwhile. */
void gicv3_dist_send(struct gicv3_dist *d);
