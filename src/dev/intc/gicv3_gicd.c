/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 distributor: the GICD_* registers (IHI 0069, 12.9), what a snapshot holds, and its life.
 *
 * House: devices: a part of the processor, which has messages besides what all devices have. */
#include "base/base.h"
#include "base/err.h"
#include "dev/intc/gicv3_dist_priv.h"
#include "dev/intc/gicv3_id.h"

#include <string.h>

enum { CTLR_ENABLES = 3, CTLR_ARE = 1 << 4, CTLR_DS = 1 << 6 };
#define CTLR_RWP (1u << 31)
#define IROUTER_MASK UINT64_C(0xff80ffffff)

static struct gicv3_dist *from(struct device *d)
{
    return gicv3_dist_from(d);
}

static bool is_spi(const struct gicv3_dist *d, unsigned intid)
{
    return intid >= GICV3_SPI_FIRST && intid < d->intids_n;
}

/* ---- registers with one bit for each INTID ------------------------------------------------ */

enum bit_reg {
    REG_GROUP, REG_SET_ENABLE, REG_CLEAR_ENABLE, REG_SET_PENDING, REG_CLEAR_PENDING,
    REG_SET_ACTIVE, REG_CLEAR_ACTIVE,
};

static bool spi_bit(const struct gicv3_spi *s, enum bit_reg r)
{
    switch (r) {
    case REG_GROUP:
        return s->group;
    case REG_SET_ENABLE:
    case REG_CLEAR_ENABLE:
        return s->enabled;
    case REG_SET_PENDING:
    case REG_CLEAR_PENDING:
        return gicv3_spi_is_pending(s);
    default:
        return s->active;
    }
}

static void spi_bit_write(struct gicv3_dist *d, unsigned intid, enum bit_reg r, bool one)
{
    struct gicv3_spi *s = &d->spi[intid];
    if (r == REG_GROUP) {
        s->group = one;
    } else if (!one) {
        return;
    } else if (r == REG_SET_PENDING) {
        if (!s->latch) {
            gicv3_spi_latch(d, intid);
        }
    } else if (r == REG_CLEAR_PENDING) {
        s->latch = false;
    } else if (r == REG_SET_ENABLE || r == REG_CLEAR_ENABLE) {
        s->enabled = r == REG_SET_ENABLE;
    } else {
        s->active = r == REG_SET_ACTIVE;
    }
    gicv3_spi_touch(d, intid);
}

static uint32_t bits_read(struct gicv3_dist *d, unsigned w, enum bit_reg r)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 32 && is_spi(d, w * 32 + i); i++) {
        v |= (uint32_t)spi_bit(&d->spi[w * 32 + i], r) << i;
    }
    return v;
}

static void bits_write(struct gicv3_dist *d, unsigned w, enum bit_reg r, uint32_t v)
{
    for (unsigned i = 0; i < 32 && is_spi(d, w * 32 + i); i++) {
        spi_bit_write(d, w * 32 + i, r, v >> i & 1);
    }
    gicv3_dist_send(d);
}

/* The hooks of one of them. */
#define BITS(name, r) \
    static uint64_t rd_##name(struct device *d, unsigned i) \
    { \
        return bits_read(from(d), i, r); \
    } \
    static void wr_##name(struct device *d, unsigned i, uint64_t v) \
    { \
        bits_write(from(d), i, r, v); \
    }
BITS(igroupr, REG_GROUP)
BITS(isenabler, REG_SET_ENABLE)
BITS(icenabler, REG_CLEAR_ENABLE)
BITS(ispendr, REG_SET_PENDING)
BITS(icpendr, REG_CLEAR_PENDING)
BITS(isactiver, REG_SET_ACTIVE)
BITS(icactiver, REG_CLEAR_ACTIVE)

/* ---- the others -------------------------------------------------------------------------- */

static uint64_t rd_ctlr(struct device *dev, unsigned i)
{
    struct gicv3_dist *d = from(dev);
    return d->ctlr | CTLR_ARE | CTLR_DS |
           (d->recalled_n || d->controls_n || d->controls_dirty ? CTLR_RWP : 0);
}

static void wr_ctlr(struct device *dev, unsigned i, uint64_t v)
{
    struct gicv3_dist *d = from(dev);
    d->ctlr = v & CTLR_ENABLES;
    d->controls_dirty = true;
    gicv3_spi_touch_all(d);
    gicv3_dist_send(d);
}

static uint64_t rd_typer(struct device *dev, unsigned i)
{
    /* A3V; 10 bits of INTID; no LPIs, MBIs, extended SPIs nor range selector; one security
     * state; CPUNumber is for affinity routing off, which there is not. */
    return ((from(dev)->intids_n + 31) / 32 - 1) | 9u << 19 | 1u << 24;
}

static uint64_t rd_iidr(struct device *dev, unsigned i)
{
    return GICV3_IIDR;
}

/* What there is not, but may be asked for. */
static uint64_t rd_zero(struct device *dev, unsigned i)
{
    return 0;
}

static uint64_t rd_id(struct device *dev, unsigned i)
{
    return gicv3_id_read(i, 0x92);
}

static uint64_t rd_icfgr(struct device *dev, unsigned w)
{
    struct gicv3_dist *d = from(dev);
    uint32_t v = 0;
    for (unsigned i = 0; i < 16 && is_spi(d, w * 16 + i); i++) {
        v |= (uint32_t)(d->spi[w * 16 + i].edge ? 2 : 0) << i * 2;
    }
    return v;
}

static void wr_icfgr(struct device *dev, unsigned w, uint64_t v)
{
    struct gicv3_dist *d = from(dev);
    for (unsigned i = 0; i < 16 && is_spi(d, w * 16 + i); i++) {
        d->spi[w * 16 + i].edge = v >> (i * 2 + 1) & 1;
        gicv3_spi_touch(d, w * 16 + i);
    }
    gicv3_dist_send(d);
}

static uint64_t rd_irouter(struct device *dev, unsigned intid)
{
    struct gicv3_dist *d = from(dev);
    return is_spi(d, intid) ? d->spi[intid].router : 0;
}

static void wr_irouter(struct device *dev, unsigned intid, uint64_t v)
{
    struct gicv3_dist *d = from(dev);
    if (is_spi(d, intid)) {
        d->spi[intid].router = v & IROUTER_MASK;
        gicv3_spi_touch(d, intid);
    }
    gicv3_dist_send(d);
}

static uint64_t rd_ipriorityr(struct device *dev, uint32_t first, unsigned size)
{
    struct gicv3_dist *d = from(dev);
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)(is_spi(d, first + i) ? d->spi[first + i].priority : 0) << i * 8;
    }
    return v;
}

static void wr_ipriorityr(struct device *dev, uint32_t first, unsigned size, uint64_t v)
{
    struct gicv3_dist *d = from(dev);
    for (unsigned i = 0; i < size; i++) {
        if (is_spi(d, first + i)) {
            d->spi[first + i].priority = v >> i * 8 & GICV3_PRIORITY_MASK;
            gicv3_spi_touch(d, first + i);
        }
    }
    gicv3_dist_send(d);
}

/* `n` registers of a bit for each INTID, 32 to a register. */
#define REG_BITS(off, text, name) \
    REG_FN(off, 4, text, .count = GICV3_WORDS, .rd = rd_##name, .wr = wr_##name)
/* RAZ/WI. */
#define REG_ZERO(off, size, text, ...) \
    REG_FN(off, size, text, .rd = rd_zero, .flags = REG_QUIET, ##__VA_ARGS__)

static const struct device_reg gicd_regs[] = {
    REG_FN(0x0000, 4, "GICD_CTLR", .rd = rd_ctlr, .wr = wr_ctlr),
    REG_FN(0x0004, 4, "GICD_TYPER", .rd = rd_typer),
    REG_FN(0x0008, 4, "GICD_IIDR", .rd = rd_iidr),
    REG_ZERO(0x000c, 4, "GICD_TYPER2"),
    REG_ZERO(0x0010, 4, "GICD_STATUSR"),
    REG_BITS(0x0080, "GICD_IGROUPR", igroupr),
    REG_BITS(0x0100, "GICD_ISENABLER", isenabler),
    REG_BITS(0x0180, "GICD_ICENABLER", icenabler),
    REG_BITS(0x0200, "GICD_ISPENDR", ispendr),
    REG_BITS(0x0280, "GICD_ICPENDR", icpendr),
    REG_BITS(0x0300, "GICD_ISACTIVER", isactiver),
    REG_BITS(0x0380, "GICD_ICACTIVER", icactiver),
    REG_WINDOW(0x0400, 1024, "GICD_IPRIORITYR", .window_rd = rd_ipriorityr,
               .window_wr = wr_ipriorityr),
    REG_ZERO(0x0800, 4, "GICD_ITARGETSR", .count = 256, .sizes = 1 | 4),    /* ARE is on */
    REG_FN(0x0c00, 4, "GICD_ICFGR", .count = 64, .rd = rd_icfgr, .wr = wr_icfgr),
    REG_ZERO(0x0d00, 4, "GICD_IGRPMODR", .count = 32),                      /* DS is on */
    REG_ZERO(0x0e00, 4, "GICD_NSACR", .count = 64),
    REG_FN(0x6000, 8, "GICD_IROUTER", .count = 1024, .sizes = 4 | 8, .flags = REG_LANES,
           .rd = rd_irouter, .wr = wr_irouter),
    REG_FN(0xffd0, 4, "GICD_ID", .count = GICV3_IDS_N, .rd = rd_id),
    REG_END
};

/* ---- saved state ------------------------------------------------------------------------- */

/* Not in it: levels of wires, which who drives them says again; and what is forwarded to whom,
 * which is decided anew: after_load tells all CPUs.  So the CPUs are loaded first. */
static const struct device_state spi_state[] = {
    STATE(struct gicv3_spi, router),
    STATE(struct gicv3_spi, priority),
    STATE(struct gicv3_spi, group),
    STATE(struct gicv3_spi, enabled),
    STATE(struct gicv3_spi, edge),
    STATE(struct gicv3_spi, latch),
    STATE(struct gicv3_spi, active),
    STATE_END
};

static const struct device_state member_state[] = {
    STATE(struct gicv3_member, participates),
    STATE_END
};

static const struct device_state gicd_state[] = {
    STATE(struct gicv3_dist, ctlr),
    STATE_STRUCTS(struct gicv3_dist, spi, spi_state),
    STATE_STRUCTS(struct gicv3_dist, member, member_state),
    STATE_END
};

static bool gicd_after_load(struct device *dev, struct err *e)
{
    struct gicv3_dist *d = from(dev);

    d->ctlr &= CTLR_ENABLES;
    for (unsigned i = 0; i < GICV3_INTID_MAX; i++) {
        struct gicv3_spi *s = &d->spi[i];
        s->router &= IROUTER_MASK;
        s->priority &= GICV3_PRIORITY_MASK;
        s->generation += s->latch;
    }
    for (unsigned i = 0; i < VCPU_MAX; i++) {
        d->member[i].participates &= 3;
    }
    d->controls_dirty = true;
    gicv3_spi_touch_all(d);
    gicv3_dist_send(d);
    return true;
}

bool gicv3_dist_is_quiet(struct device *dev)
{
    struct gicv3_dist *d = from(dev);
    mutex_lock(d->lock);
    bool is_quiet = !d->sending && !d->recalled_n && !d->controls_n && !d->controls_dirty &&
                    !d->dirty_words;
    mutex_unlock(d->lock);
    return is_quiet;
}

/* ---- life --------------------------------------------------------------------------------- */

static void gicd_reset(struct device *dev)
{
    struct gicv3_dist *d = from(dev);

    d->epoch = d->topology->epoch;
    d->ctlr = 0;
    d->recalled_n = d->controls_n = d->next_cpu = 0;
    d->controls_dirty = false;
    d->dirty_words = 0;
    memset(d->dirty, 0, sizeof(d->dirty));
    memset(d->member, 0, sizeof(d->member));
    for (unsigned i = 0; i < GICV3_INTID_MAX; i++) {
        /* Wires keep their level, and generations go on: both are not the guest's. */
        d->spi[i] = (struct gicv3_spi){ .line = d->spi[i].line,
                                        .generation = d->spi[i].generation };
    }
}

static bool gicd_realize(struct device *dev, struct err *e)
{
    struct gicv3_dist *d = from(dev);
    unsigned n = d->intids_n;

    if (!d->topology) {
        return err_set(e, "it was not connected to CPUs: gicv3_dist_new() does that");
    }
    if (n < 64 || n > 1024 || n % 32 || d->topology->cpus_n > VCPU_MAX) {
        return err_set(e, "%u interrupts, %u CPUs are not possible", n, d->topology->cpus_n);
    }
    d->intids_n = MIN(n, (unsigned)GICV3_INTID_MAX);
    return true;
}

static const struct device_option gicd_options[] = {
    OPTION("num-irq", struct gicv3_dist, intids_n, OPTION_U32, "288",
           "interrupts, SGIs and PPIs included: a multiple of 32"),
    OPTION_END
};

const struct device_class gicv3_dist_class = {
    .name = "gicv3-dist",
    .about = "GICv3 distributor",
    .version = 1,
    .size = sizeof(struct gicv3_dist),
    .regions = (const struct device_region[]){
        { .size = GICV3_DIST_BYTES, .regs = gicd_regs }, REGION_END
    },
    .options = gicd_options,
    .state = gicd_state,
    .realize = gicd_realize,
    .reset = gicd_reset,
    .after_load = gicd_after_load,
};

struct device *gicv3_dist_new(unsigned intids_n, const struct gicv3_topology *topology,
                              const struct irq_sink *sink, const struct device_env *env,
                              struct err *e)
{
    struct device *dev = device_new(&gicv3_dist_class, NULL, e);

    if (dev) {
        from(dev)->intids_n = intids_n;
        from(dev)->topology = topology;
        from(dev)->sink = sink;
        from(dev)->lock = dev->host->lock;
    }
    if (dev && !device_realize(dev, env, e)) {
        device_free(dev);
        return NULL;
    }
    return dev;
}
