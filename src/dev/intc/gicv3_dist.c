/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 distributor: routing and messages (IHI 0069 chapter 4).  The protocol is explained in
 * gicv3_msg.h. */
#include "base/trace.h"
#include "dev/intc/gicv3_dist_priv.h"

#define CPU_NONE 0xffffu
#define IROUTER_IRM (UINT64_C(1) << 31)

void gicv3_spi_touch_all(struct gicv3_dist *d)
{
    for (unsigned i = GICV3_SPI_FIRST; i < d->intids_n; i++) {
        gicv3_spi_touch(d, i);
    }
}

void gicv3_spi_latch(struct gicv3_dist *d, unsigned intid)
{
    d->spi[intid].latch = true;
    d->spi[intid].generation++;
    gicv3_spi_touch(d, intid);
}

/* ---- routing ---------------------------------------------------------------------------- */

static bool member_participates(const struct gicv3_dist *d, unsigned cpu, unsigned group)
{
    return d->member[cpu].participates >> group & 1;
}

/* The CPU that an SPI should be forwarded to; CPU_NONE when there is none. */
static unsigned spi_target(struct gicv3_dist *d, const struct gicv3_spi *s)
{
    const struct gicv3_topology *t = d->topology;
    if (!(s->router & IROUTER_IRM)) {
        for (unsigned i = 0; i < t->cpus_n; i++) {
            if ((t->mpidr[i] & UINT64_C(0xff00ffffff)) == (s->router & ~IROUTER_IRM)) {
                return i;
            }
        }
        return CPU_NONE;
    }
    if (s->state == GICV3_FORWARDED && member_participates(d, s->owner, s->group)) {
        return s->owner;
    }
    for (unsigned k = 0; k < t->cpus_n; k++) {
        unsigned i = (d->next_cpu + k) % t->cpus_n;
        if (member_participates(d, i, s->group)) {
            d->next_cpu = i + 1;
            return i;
        }
    }
    return CPU_NONE;
}

/* ---- sending ---------------------------------------------------------------------------- */

static bool spi_compose(struct gicv3_dist *d, unsigned intid, struct irq_msg *m)
{
    struct gicv3_spi *s = &d->spi[intid];
    if (s->state == GICV3_RECALLED) {
        return false;
    }
    bool want = s->enabled && gicv3_spi_is_pending(s) && !s->active && (d->ctlr >> s->group & 1);
    unsigned target = want ? spi_target(d, s) : CPU_NONE;

    m->a = intid;
    m->b = gicv3_msg_pack(s->generation, s->priority, s->group);
    if (s->state == GICV3_IDLE) {
        if (target == CPU_NONE) {
            return false;
        }
        s->state = GICV3_FORWARDED;
        s->owner = target;
        m->kind = GICV3_SET;
    } else if (target != s->owner) {
        s->state = GICV3_RECALLED;
        d->recalled_n++;
        m->kind = GICV3_CLEAR;
        m->b = 0;
    } else if (s->told_generation != s->generation || s->told_priority != s->priority ||
               s->told_group != s->group) {
        m->kind = GICV3_UPDATE;
    } else {
        return false;
    }
    m->to = s->owner;
    s->told_generation = s->generation;
    s->told_priority = s->priority;
    s->told_group = s->group;
    return true;
}

static bool control_compose(struct gicv3_dist *d, struct irq_msg *m)
{
    if (!d->controls_dirty) {
        return false;
    }
    for (unsigned i = 0; i < d->topology->cpus_n; i++) {
        struct gicv3_member *p = &d->member[i];
        if (p->control_told != d->ctlr && !p->control_waits) {
            p->control_told = d->ctlr;
            p->control_waits = true;
            d->controls_n++;
            *m = (struct irq_msg){ .to = i, .kind = GICV3_CONTROL, .a = d->ctlr };
            return true;
        }
    }
    d->controls_dirty = false;
    return false;
}

/* The next message that has to be sent, from what the distributor decided so far. */
static bool dist_compose(struct gicv3_dist *d, struct irq_msg *m)
{
    bool found = control_compose(d, m);
    while (d->dirty_words && !found) {
        unsigned w = __builtin_ctz(d->dirty_words), bit = __builtin_ctz(d->dirty[w]);
        d->dirty[w] &= d->dirty[w] - 1;
        d->dirty_words &= d->dirty[w] ? ~0u : ~(1u << w);
        found = spi_compose(d, w * 32 + bit, m);
    }
    m->from = IRQ_MSG_TO_DISTRIBUTOR;
    m->kind |= (uint32_t)d->epoch << 16;
    return found;
}

/* Only one thread sends at a time, so that messages leave in the order in which they were
 * composed; whoever comes meanwhile (also this thread, when a receiver answers at once) leaves its
 * work to that one. */
void gicv3_dist_send(struct gicv3_dist *d)
{
    struct irq_msg m = { 0 };
    if (!d->sending) {
        d->sending = true;
        while (dist_compose(d, &m)) {
            mutex_unlock(d->lock);
            trace_gicv3_send(d->topology->trace, m.to, m.kind & 0xffff, m.a, m.b);
            d->sink->send(d->sink->ctx, &m);
            mutex_lock(d->lock);
        }
        d->sending = false;
    }
}

static void dist_send_unlock(struct gicv3_dist *d)
{
    gicv3_dist_send(d);
    mutex_unlock(d->lock);
}

/* ---- inputs ----------------------------------------------------------------------------- */

static void dist_set_line(void *ctx, unsigned intid, bool level)
{
    struct gicv3_dist *d = ctx;
    struct gicv3_spi *s = &d->spi[intid];
    trace_gicv3_wire(d->topology->trace, intid, level);
    /* Devices say their level whenever it might have changed; mostly it has not.  Who sets one
     * line from two threads says nothing about their order, so looking without the lock is fine. */
    if (__atomic_load_n(&s->line, __ATOMIC_ACQUIRE) == level) {
        return;
    }
    mutex_lock(d->lock);
    if (s->line == level) {
        mutex_unlock(d->lock);
        return;
    }
    __atomic_store_n(&s->line, level, __ATOMIC_RELEASE);
    if (s->edge && level) {
        gicv3_spi_latch(d, intid);
    }
    gicv3_spi_touch(d, intid);
    dist_send_unlock(d);
}

struct irq gicv3_dist_irq(struct device *dev, unsigned intid)
{
    struct gicv3_dist *d = gicv3_dist_from(dev);
    return (struct irq){ .set = dist_set_line, .ctx = d, .n = intid };
}

static void dist_activate(struct gicv3_dist *d, struct gicv3_spi *s, const struct irq_msg *m)
{
    if (s->state == GICV3_IDLE || s->owner != m->from) {
        device_log_guest(&d->dev, "CPU %u activated INTID %u, which it was not given", m->from,
                         m->a);
        return;
    }
    s->active = true;
    if (s->generation == (uint32_t)m->b) {
        s->latch = false;
    }
    if (s->state == GICV3_FORWARDED) {
        s->state = GICV3_IDLE;
    }
}

static void dist_cleared(struct gicv3_dist *d, struct gicv3_spi *s, const struct irq_msg *m)
{
    if (s->state == GICV3_RECALLED && s->owner == m->from) {
        s->state = GICV3_IDLE;
        d->recalled_n--;
    }
}

static void dist_spi_message(struct gicv3_dist *d, unsigned op, const struct irq_msg *m)
{
    if (m->a < GICV3_SPI_FIRST || m->a >= d->intids_n) {
        return;
    }
    struct gicv3_spi *s = &d->spi[m->a];
    if (op == GICV3_ACTIVATE) {
        dist_activate(d, s, m);
    } else if (op == GICV3_CLEARED) {
        dist_cleared(d, s, m);
    } else if (op == GICV3_DEACTIVATE) {
        s->active = false;
    }
    gicv3_spi_touch(d, m->a);
}

void gicv3_dist_message(struct device *dev, const struct irq_msg *m)
{
    struct gicv3_dist *d = gicv3_dist_from(dev);
    unsigned op = m->kind & 0xffff;
    mutex_lock(d->lock);
    if (m->kind >> 16 != d->epoch || m->from >= d->topology->cpus_n) {
        mutex_unlock(d->lock);
        return;
    }
    struct gicv3_member *p = &d->member[m->from];
    if (op == GICV3_CONTROL_DONE && p->control_waits) {
        p->control_waits = false;
        d->controls_n--;
        d->controls_dirty = true;
    } else if (op == GICV3_PARTICIPATE) {
        p->participates = m->a & 3;
        gicv3_spi_touch_all(d);
    } else {
        dist_spi_message(d, op, m);
    }
    dist_send_unlock(d);
}
