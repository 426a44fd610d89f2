/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 redistributor and CPU interface of one vCPU: what is pending for it, its lines, and its
 * messages (gicv3_msg.h). */
#include "dev/intc/gicv3_cpu_priv.h"

/* ---- priorities (IHI 0069, 4.8) ------------------------------------------------------------ */

uint32_t gicv3_cpu_local_pending(const struct gicv3_cpu *c)
{
    return c->latch | (c->level & ~c->edge);
}

unsigned gicv3_cpu_running(const struct gicv3_cpu *c, int group)
{
    uint32_t ap = group < 0 ? c->apr[0] | c->apr[1] : c->apr[group];
    return ap ? (unsigned)__builtin_ctz(ap) << (8 - GICV3_PRIORITY_BITS) : GICV3_IDLE_PRIORITY;
}

unsigned gicv3_cpu_group_mask(const struct gicv3_cpu *c, unsigned group)
{
    /* Binary point: BPR0 = n splits after bit n+1, non-secure BPR1 = n after bit n. */
    unsigned low = group && !c->cbpr ? c->bpr[1] : c->bpr[0] + 1;
    return 0xffu << low & 0xff;
}

bool gicv3_cpu_can_take(const struct gicv3_cpu *c)
{
    if (c->hppi == GICV3_INTID_NONE || c->hppi_priority >= c->pmr) {
        return false;
    }
    unsigned mask = gicv3_cpu_group_mask(c, c->hppi_group);
    unsigned running = gicv3_cpu_running(c, -1);
    return running == GICV3_IDLE_PRIORITY || (c->hppi_priority & mask) < (running & mask);
}

static void hppi_offer(struct gicv3_cpu *c, unsigned intid, unsigned priority, unsigned group)
{
    if (priority < c->hppi_priority && (c->igrpen & c->control) >> group & 1) {
        c->hppi = intid;
        c->hppi_priority = priority;
        c->hppi_group = group;
    }
}

void gicv3_cpu_update(struct gicv3_cpu *c)
{
    c->hppi = GICV3_INTID_NONE;
    c->hppi_priority = GICV3_IDLE_PRIORITY;
    c->hppi_group = 0;
    uint32_t local = gicv3_cpu_local_pending(c) & c->enabled & ~c->active;
    for (; local; local &= local - 1) {
        unsigned i = __builtin_ctz(local);
        hppi_offer(c, i, c->priority[i], c->group >> i & 1);
    }
    for (uint32_t words = c->spi_words; words; words &= words - 1) {
        unsigned w = __builtin_ctz(words);
        for (uint32_t p = c->spi_pending[w]; p; p &= p - 1) {
            unsigned i = __builtin_ctz(p);
            hppi_offer(c, w * 32 + i, c->spi_priority[w * 32 + i], c->spi_group[w] >> i & 1);
        }
    }

    bool take = gicv3_cpu_can_take(c);
    bool irq = take && c->hppi_group == 1, fiq = take && c->hppi_group == 0;
    if (irq != c->irq_line) {
        c->irq_line = irq;
        irq_set(&c->dev.host->irq[GICV3_CPU_IRQ], irq);
    }
    if (fiq != c->fiq_line) {
        c->fiq_line = fiq;
        irq_set(&c->dev.host->irq[GICV3_CPU_FIQ], fiq);
    }
}

/* ---- sending ------------------------------------------------------------------------------- */

void gicv3_cpu_queue(struct gicv3_cpu *c, enum gicv3_msg op, unsigned a, uint32_t b)
{
    uint32_t bit = 1u << a % 32, *queued = &c->deactivate_queued[a / 32 % 32];
    if (op == GICV3_DEACTIVATE) {
        if (*queued & bit) {
            return;
        }
        *queued |= bit;
    } else if (op == GICV3_ACTIVATE) {
        *queued &= ~bit;        /* it can be deactivated again */
    }
    if (c->out_n == GICV3_OUT_MAX) {
        device_log_guest(&c->dev, "CPU %u: too many messages wait; one is lost", c->index);
        return;
    }
    c->out[(c->out_first + c->out_n++) % GICV3_OUT_MAX] =
        (struct gicv3_out){ .op = op, .a = a, .b = b };
}

void gicv3_cpu_send(struct gicv3_cpu *c)
{
    /* One thread at a time, as in gicv3_dist_send(). */
    if (!c->sending) {
        c->sending = true;
        while (c->out_n) {
            struct gicv3_out o = c->out[c->out_first];
            c->out_first = (c->out_first + 1) % GICV3_OUT_MAX;
            c->out_n--;
            if (o.op == GICV3_DEACTIVATE) {
                c->deactivate_queued[o.a / 32] &= ~(1u << o.a % 32);
            }
            struct irq_msg m = {
                .to = IRQ_MSG_TO_DISTRIBUTOR, .from = c->index,
                .kind = o.op | (uint32_t)c->epoch << 16, .a = o.a, .b = o.b,
            };
            mutex_unlock(c->lock);
            c->sink->send(c->sink->ctx, &m);
            mutex_lock(c->lock);
        }
        c->sending = false;
    }
}

uint8_t gicv3_cpu_participation(const struct gicv3_cpu *c)
{
    bool asleep = c->gicr_waker & 2;
    unsigned deselected = (c->gicr_ctlr >> 24 & 1) | (c->gicr_ctlr >> 25 & 1) << 1;
    return asleep ? 0 : c->igrpen & ~deselected;
}

void gicv3_cpu_tell_participation(struct gicv3_cpu *c)
{
    uint8_t now = gicv3_cpu_participation(c);
    if (now != c->participates_told) {
        c->participates_told = now;
        gicv3_cpu_queue(c, GICV3_PARTICIPATE, now, 0);
    }
}

/* ---- inputs -------------------------------------------------------------------------------- */

static void cpu_set_ppi(void *ctx, unsigned intid, bool level)
{
    struct gicv3_cpu *c = ctx;
    uint32_t bit = 1u << intid;
    mutex_lock(c->lock);
    if (!!(c->level & bit) != level) {
        c->level ^= bit;
        if (level) {
            c->latch |= bit & c->edge;
        }
        gicv3_cpu_update(c);
    }
    mutex_unlock(c->lock);
}

struct irq gicv3_cpu_irq(struct device *d, unsigned intid)
{
    return (struct irq){ .set = cpu_set_ppi, .ctx = gicv3_cpu_from(d), .n = intid };
}

static void cpu_spi_message(struct gicv3_cpu *c, unsigned op, const struct irq_msg *m)
{
    if (m->a < GICV3_SPI_FIRST || m->a >= GICV3_INTID_MAX) {
        return;
    }
    uint32_t bit = 1u << m->a % 32, *pending = &c->spi_pending[m->a / 32];
    if (op == GICV3_CLEAR) {
        gicv3_cpu_spi_set(c, m->a, false);
        gicv3_cpu_queue(c, GICV3_CLEARED, m->a, 0);
        return;
    }
    if (op == GICV3_SET) {
        gicv3_cpu_spi_set(c, m->a, true);
    }
    if (*pending & bit) {
        uint32_t *group = &c->spi_group[m->a / 32];
        c->spi_generation[m->a] = m->b;
        c->spi_priority[m->a] = m->b >> 32 & GICV3_PRIORITY_MASK;
        *group = (*group & ~bit) | (m->b >> 40 & 1 ? bit : 0);
    }
}

void gicv3_cpu_message(struct device *d, const struct irq_msg *m)
{
    struct gicv3_cpu *c = gicv3_cpu_from(d);
    unsigned op = m->kind & 0xffff;
    mutex_lock(c->lock);
    if (m->kind >> 16 != c->epoch) {
        mutex_unlock(c->lock);
        return;
    }
    if (op == GICV3_SGI) {
        uint32_t bit = 1u << m->a % 16;
        if ((c->group & bit ? 1 : 0) == m->b) {
            c->latch |= bit;
        }
    } else if (m->from != IRQ_MSG_TO_DISTRIBUTOR) {
        device_log_guest(&c->dev, "CPU %u: message %u from CPU %u", c->index, op, m->from);
    } else if (op == GICV3_CONTROL) {
        c->control = m->a & 3;
        gicv3_cpu_queue(c, GICV3_CONTROL_DONE, 0, 0);
    } else if (op == GICV3_SET || op == GICV3_UPDATE || op == GICV3_CLEAR) {
        cpu_spi_message(c, op, m);
    }
    gicv3_cpu_update(c);
    gicv3_cpu_send_unlock(c);
}
