/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 distributor: IHI 0069 chapters 4 and 12.9.  The protocol is explained in gicv3_msg.h. */
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/trace.h"
#include "dev/intc/gicv3.h"
#include "dev/intc/gicv3_id.h"
#include "dev/intc/gicv3_msg.h"
#include "mem/space.h"
#include "vm/vcpu.h"

#include <stdlib.h>
#include <string.h>

#define WORDS (1024 / 32)
#define CPU_NONE 0xffffu

enum { CTLR_ENABLE_GRP0 = 1, CTLR_ENABLE_GRP1 = 2, CTLR_ARE = 1 << 4, CTLR_DS = 1 << 6 };
#define CTLR_RWP (1u << 31)
#define IROUTER_IRM (UINT64_C(1) << 31)
#define IROUTER_MASK UINT64_C(0xff80ffffff)
#define PRIORITY_MASK 0xf8u             /* 5 bits of priority */

enum spi_state { SPI_IDLE, SPI_FORWARDED, SPI_RECALLED };

struct spi {
    uint64_t router;            /* GICD_IROUTER */
    uint32_t generation;        /* of the latch; see gicv3_msg.h */
    uint32_t told_generation;
    uint16_t owner;             /* CPU it is forwarded to or recalled from */
    uint8_t state;              /* enum spi_state */
    uint8_t priority, told_priority;
    bool group, told_group;     /* group 1 */
    bool enabled, edge, latch, line, active;
};

/* What the distributor knows of a CPU. */
struct member {
    uint8_t control_told;       /* in the last CONTROL */
    bool control_waits;         /* CONTROL_DONE is outstanding */
    uint8_t participates;
};

struct gicv3_dist {
    struct mutex lock;
    unsigned intids_n;
    const struct gicv3_topology *topology;
    const struct irq_sink *sink;
    uint16_t epoch;
    uint32_t ctlr;                      /* group enables */
    unsigned recalled_n;                /* SPIs in SPI_RECALLED */
    unsigned controls_n;                /* peers with control_waits */
    unsigned next_cpu;                  /* where 1-of-N goes on looking */
    bool sending;                       /* a thread is in dist_send_unlock() */
    bool controls_dirty;
    uint32_t dirty[WORDS];              /* SPIs to look at before sending ends */
    struct member member[VCPU_MAX];
    struct spi spi[GICV3_INTID_MAX];    /* by INTID; the first 32 are unused */
};

static bool spi_is_pending(const struct spi *s)
{
    return s->latch || (!s->edge && s->line);
}

static void spi_touch(struct gicv3_dist *d, unsigned intid)
{
    d->dirty[intid / 32] |= 1u << intid % 32;
}

static void spi_touch_all(struct gicv3_dist *d)
{
    for (unsigned i = GICV3_SPI_FIRST; i < d->intids_n; i++) {
        spi_touch(d, i);
    }
}

static void spi_latch(struct gicv3_dist *d, unsigned intid)
{
    d->spi[intid].latch = true;
    d->spi[intid].generation++;
    spi_touch(d, intid);
}

/* ---- routing ---------------------------------------------------------------------------- */

static bool member_participates(const struct gicv3_dist *d, unsigned cpu, unsigned group)
{
    return d->member[cpu].participates >> group & 1;
}

/* The CPU that an SPI should be forwarded to; CPU_NONE when there is none. */
static unsigned spi_target(struct gicv3_dist *d, const struct spi *s)
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
    if (s->state == SPI_FORWARDED && member_participates(d, s->owner, s->group)) {
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
    struct spi *s = &d->spi[intid];
    if (s->state == SPI_RECALLED) {
        return false;
    }
    bool want = s->enabled && spi_is_pending(s) && !s->active && (d->ctlr >> s->group & 1);
    unsigned target = want ? spi_target(d, s) : CPU_NONE;

    m->a = intid;
    m->b = gicv3_msg_pack(s->generation, s->priority, s->group);
    if (s->state == SPI_IDLE) {
        if (target == CPU_NONE) {
            return false;
        }
        s->state = SPI_FORWARDED;
        s->owner = target;
        m->kind = GICV3_SET;
    } else if (target != s->owner) {
        s->state = SPI_RECALLED;
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
        struct member *p = &d->member[i];
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
    for (unsigned w = 0; w < WORDS && !found; w++) {
        while (d->dirty[w] && !found) {
            unsigned bit = __builtin_ctz(d->dirty[w]);
            d->dirty[w] &= ~(1u << bit);
            found = spi_compose(d, w * 32 + bit, m);
        }
    }
    m->from = IRQ_MSG_TO_DISTRIBUTOR;
    m->kind |= (uint32_t)d->epoch << 16;
    return found;
}

/* Unlocks.  Only one thread sends at a time, so that messages leave in the order in which they
 * were composed; whoever comes meanwhile (also this thread, when a receiver answers at once)
 * leaves its work to that one. */
static void dist_send_unlock(struct gicv3_dist *d)
{
    struct irq_msg m = { 0 };
    if (!d->sending) {
        d->sending = true;
        while (dist_compose(d, &m)) {
            mutex_unlock(&d->lock);
            trace_gicv3_send(d->topology->trace, m.to, m.kind & 0xffff, m.a, m.b);
            d->sink->send(d->sink->ctx, &m);
            mutex_lock(&d->lock);
        }
        d->sending = false;
    }
    mutex_unlock(&d->lock);
}

/* ---- inputs ----------------------------------------------------------------------------- */

static void dist_set_line(void *ctx, unsigned intid, bool level)
{
    struct gicv3_dist *d = ctx;
    struct spi *s = &d->spi[intid];
    trace_gicv3_wire(d->topology->trace, intid, level);
    /* Devices say their level whenever it might have changed; mostly it has not.  Who sets one
     * line from two threads says nothing about their order, so looking without the lock is fine. */
    if (__atomic_load_n(&s->line, __ATOMIC_ACQUIRE) == level) {
        return;
    }
    mutex_lock(&d->lock);
    if (s->line == level) {
        mutex_unlock(&d->lock);
        return;
    }
    __atomic_store_n(&s->line, level, __ATOMIC_RELEASE);
    if (s->edge && level) {
        spi_latch(d, intid);
    }
    spi_touch(d, intid);
    dist_send_unlock(d);
}

struct irq gicv3_dist_irq(struct gicv3_dist *d, unsigned intid)
{
    return (struct irq){ .set = dist_set_line, .ctx = d, .n = intid };
}

static void dist_activate(struct gicv3_dist *d, struct spi *s, const struct irq_msg *m)
{
    if (s->state == SPI_IDLE || s->owner != m->from) {
        log_guest("gicv3", "CPU %u activated INTID %u, which it was not given", m->from, m->a);
        return;
    }
    s->active = true;
    if (s->generation == (uint32_t)m->b) {
        s->latch = false;
    }
    if (s->state == SPI_FORWARDED) {
        s->state = SPI_IDLE;
    }
}

static void dist_cleared(struct gicv3_dist *d, struct spi *s, const struct irq_msg *m)
{
    if (s->state == SPI_RECALLED && s->owner == m->from) {
        s->state = SPI_IDLE;
        d->recalled_n--;
    }
}

static void dist_spi_message(struct gicv3_dist *d, unsigned op, const struct irq_msg *m)
{
    if (m->a < GICV3_SPI_FIRST || m->a >= d->intids_n) {
        return;
    }
    struct spi *s = &d->spi[m->a];
    if (op == GICV3_ACTIVATE) {
        dist_activate(d, s, m);
    } else if (op == GICV3_CLEARED) {
        dist_cleared(d, s, m);
    } else if (op == GICV3_DEACTIVATE) {
        s->active = false;
    }
    spi_touch(d, m->a);
}

void gicv3_dist_message(struct gicv3_dist *d, const struct irq_msg *m)
{
    unsigned op = m->kind & 0xffff;
    mutex_lock(&d->lock);
    if (m->kind >> 16 != d->epoch || m->from >= d->topology->cpus_n) {
        mutex_unlock(&d->lock);
        return;
    }
    struct member *p = &d->member[m->from];
    if (op == GICV3_CONTROL_DONE && p->control_waits) {
        p->control_waits = false;
        d->controls_n--;
        d->controls_dirty = true;
    } else if (op == GICV3_PARTICIPATE) {
        p->participates = m->a & 3;
        spi_touch_all(d);
    } else {
        dist_spi_message(d, op, m);
    }
    dist_send_unlock(d);
}

/* ---- registers (12.9) --------------------------------------------------------------------- */

/* The registers with one bit for each INTID. */
enum bit_reg {
    REG_GROUP, REG_SET_ENABLE, REG_CLEAR_ENABLE, REG_SET_PENDING, REG_CLEAR_PENDING,
    REG_SET_ACTIVE, REG_CLEAR_ACTIVE, BIT_REGS_N,
};

static bool spi_bit(const struct spi *s, enum bit_reg r)
{
    switch (r) {
    case REG_GROUP:
        return s->group;
    case REG_SET_ENABLE:
    case REG_CLEAR_ENABLE:
        return s->enabled;
    case REG_SET_PENDING:
    case REG_CLEAR_PENDING:
        return spi_is_pending(s);
    default:
        return s->active;
    }
}

static void spi_bit_write(struct gicv3_dist *d, unsigned intid, enum bit_reg r, bool one)
{
    struct spi *s = &d->spi[intid];
    if (r == REG_GROUP) {
        s->group = one;
    } else if (!one) {
        return;
    } else if (r == REG_SET_PENDING) {
        if (!s->latch) {
            spi_latch(d, intid);
        }
    } else if (r == REG_CLEAR_PENDING) {
        s->latch = false;
    } else if (r == REG_SET_ENABLE || r == REG_CLEAR_ENABLE) {
        s->enabled = r == REG_SET_ENABLE;
    } else {
        s->active = r == REG_SET_ACTIVE;
    }
    spi_touch(d, intid);
}

static uint32_t dist_typer(const struct gicv3_dist *d)
{
    /* A3V; 10 bits of INTID; no LPIs, MBIs, extended SPIs nor range selector; one security
     * state; CPUNumber is for affinity routing off, which there is not. */
    return ((d->intids_n + 31) / 32 - 1) | 9u << 19 | 1u << 24;
}

static uint32_t dist_cfg_read(struct gicv3_dist *d, unsigned first)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 16 && first + i < d->intids_n; i++) {
        v |= (uint32_t)(d->spi[first + i].edge ? 2 : 0) << i * 2;
    }
    return v;
}

static uint64_t dist_read32(struct gicv3_dist *d, unsigned off)
{
    if (off >= 0x80 && off < 0x400) {
        uint32_t v = 0;
        unsigned first = off % 0x80 * 8;
        for (unsigned i = 0; i < 32 && first >= 32 && first + i < d->intids_n; i++) {
            v |= (uint32_t)spi_bit(&d->spi[first + i], off / 0x80 - 1) << i;
        }
        return v;
    }
    if (off >= 0xc00 && off < 0xd00) {
        return dist_cfg_read(d, (off - 0xc00) * 4);
    }
    if (off >= 0x6000 && off < 0x8000) {
        unsigned intid = (off - 0x6000) / 8;
        bool there = intid >= GICV3_SPI_FIRST && intid < d->intids_n;
        return there ? (uint32_t)(d->spi[intid].router >> off % 8 * 8) : 0;
    }
    switch (off) {
    case 0x0000:
        return d->ctlr | CTLR_ARE | CTLR_DS |
               (d->recalled_n || d->controls_n || d->controls_dirty ? CTLR_RWP : 0);
    case 0x0004:
        return dist_typer(d);
    case 0x0008:
        return GICV3_IIDR;
    default:
        return gicv3_id_read(off, 0x92);
    }
}

static void dist_router_write(struct gicv3_dist *d, unsigned off, uint32_t v)
{
    unsigned intid = (off - 0x6000) / 8, shift = off % 8 * 8;
    if (intid < GICV3_SPI_FIRST || intid >= d->intids_n) {
        return;
    }
    struct spi *s = &d->spi[intid];
    s->router = (s->router & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)v << shift;
    s->router &= IROUTER_MASK;
    spi_touch(d, intid);
}

static void dist_write32(struct gicv3_dist *d, unsigned off, uint32_t v)
{
    if (off >= 0x80 && off < 0x400) {
        unsigned first = off % 0x80 * 8;
        for (unsigned i = 0; i < 32 && first >= 32 && first + i < d->intids_n; i++) {
            spi_bit_write(d, first + i, off / 0x80 - 1, v >> i & 1);
        }
    } else if (off >= 0xc08 && off < 0xd00) {
        unsigned first = (off - 0xc00) * 4;
        for (unsigned i = 0; i < 16 && first + i < d->intids_n; i++) {
            d->spi[first + i].edge = v >> (i * 2 + 1) & 1;
            spi_touch(d, first + i);
        }
    } else if (off >= 0x6000 && off < 0x8000) {
        dist_router_write(d, off, v);
    } else if (off == 0) {
        d->ctlr = v & (CTLR_ENABLE_GRP0 | CTLR_ENABLE_GRP1);
        d->controls_dirty = true;
        spi_touch_all(d);
    } else {
        log_guest("gicv3", "write of GICD offset 0x%x, where no register is writable", off);
    }
}

static bool dist_is_priority(const struct gicv3_dist *d, uint64_t off, unsigned size)
{
    return off >= 0x400 && off + size <= 0x400 + 1024;
}

static uint64_t dist_mmio_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct gicv3_dist *d = ctx;
    uint64_t v = 0;
    mutex_lock(&d->lock);
    if (dist_is_priority(d, off, size)) {
        for (unsigned i = 0; i < size; i++) {
            unsigned intid = off - 0x400 + i;
            if (intid >= GICV3_SPI_FIRST && intid < d->intids_n) {
                v |= (uint64_t)d->spi[intid].priority << i * 8;
            }
        }
    } else if (size == 4) {
        v = dist_read32(d, off);
    } else if (size == 8) {
        v = dist_read32(d, off) | dist_read32(d, off + 4) << 32;
    } else {
        log_guest("gicv3", "%u-byte read of GICD offset 0x%x", size, (unsigned)off);
    }
    mutex_unlock(&d->lock);
    return v;
}

static void dist_mmio_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct gicv3_dist *d = ctx;
    mutex_lock(&d->lock);
    if (dist_is_priority(d, off, size)) {
        for (unsigned i = 0; i < size; i++) {
            unsigned intid = off - 0x400 + i;
            if (intid >= GICV3_SPI_FIRST && intid < d->intids_n) {
                d->spi[intid].priority = v >> i * 8 & PRIORITY_MASK;
                spi_touch(d, intid);
            }
        }
    } else if (size == 4) {
        dist_write32(d, off, v);
    } else if (size == 8 && off >= 0x6000 && off < 0x8000) {
        dist_router_write(d, off, v);
        dist_router_write(d, off + 4, v >> 32);
    } else {
        log_guest("gicv3", "%u-byte write of GICD offset 0x%x", size, (unsigned)off);
    }
    dist_send_unlock(d);
}

const struct mmio_ops gicv3_dist_mmio = { .read = dist_mmio_read, .write = dist_mmio_write };

/* ---- life --------------------------------------------------------------------------------- */

void gicv3_dist_reset(struct gicv3_dist *d)
{
    mutex_lock(&d->lock);
    d->epoch++;
    d->ctlr = 0;
    d->recalled_n = d->controls_n = d->next_cpu = 0;
    d->controls_dirty = false;
    memset(d->dirty, 0, sizeof(d->dirty));
    memset(d->member, 0, sizeof(d->member));
    for (unsigned i = 0; i < GICV3_INTID_MAX; i++) {
        /* Wires keep their level, and generations go on: both are not the guest's. */
        d->spi[i] = (struct spi){ .line = d->spi[i].line, .generation = d->spi[i].generation };
    }
    mutex_unlock(&d->lock);
}

struct gicv3_dist *gicv3_dist_new(unsigned intids_n, const struct gicv3_topology *topology,
                                  const struct irq_sink *sink, struct err *e)
{
    if (intids_n < 64 || intids_n > 1024 || intids_n % 32 || topology->cpus_n > VCPU_MAX) {
        err_set(e, "GICv3: %u interrupts, %u CPUs are not possible", intids_n,
                topology->cpus_n);
        return NULL;
    }
    struct gicv3_dist *d = calloc(1, sizeof(*d));
    if (!d) {
        err_set(e, "GICv3: out of memory");
        return NULL;
    }
    mutex_init(&d->lock);
    d->intids_n = intids_n < GICV3_INTID_MAX ? intids_n : GICV3_INTID_MAX;
    d->topology = topology;
    d->sink = sink;
    return d;
}

void gicv3_dist_free(struct gicv3_dist *d)
{
    if (d) {
        mutex_destroy(&d->lock);
        free(d);
    }
}
