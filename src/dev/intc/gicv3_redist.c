/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 redistributor registers: IHI 0069, 12.10 (RD_base) and 12.11 (SGI_base at +64 KiB); what a
 * snapshot holds of a vCPU's part, and its life.  No LPIs: GICR_PROPBASER and what belongs to it
 * read as zero.
 *
 * House: devices: a part of the processor, which has messages besides what all devices have. */
#include "base/err.h"
#include "dev/intc/gicv3_cpu_priv.h"
#include "dev/intc/gicv3_id.h"

#include <stdio.h>
#include <string.h>

#define CTLR_DPG (7u << 24)             /* deselection from 1-of-N: DPG0, DPG1NS, DPG1S */
#define SGIS_EDGE 0xffffu               /* SGIs are edges, for ever */
enum { WAKER_SLEEP = 2, WAKER_CHILDREN_ASLEEP = 4 };

static struct gicv3_cpu *from(struct device *d)
{
    return gicv3_cpu_from(d);
}

/* ---- registers ---------------------------------------------------------------------------- */

/* After a write of any of them. */
static void changed(struct gicv3_cpu *c)
{
    gicv3_cpu_tell_participation(c);
    gicv3_cpu_update(c);
    gicv3_cpu_send(c);
}

static void wr_changed(struct device *d, unsigned i, uint64_t v)
{
    changed(from(d));
}

static uint64_t rd_iidr(struct device *d, unsigned i)
{
    return GICV3_IIDR;
}

/* |63    32|31 27|26 24|23           8|7 6|  5 |  4 |3 0|
 * |affinity|     |     |CPU's number  |   |DPGS|Last|   | */
static uint64_t rd_typer(struct device *d, unsigned i)
{
    struct gicv3_cpu *c = from(d);
    uint64_t mpidr = c->topology->mpidr[c->index];

    return (mpidr & 0xffffff) << 32 | (mpidr >> 32 & 0xff) << 56 | c->index << 8 | 1u << 5 |
           (c->is_last ? 1u << 4 : 0);
}

static uint64_t rd_zero(struct device *d, unsigned i)
{
    return 0;
}

static uint64_t rd_id(struct device *d, unsigned i)
{
    return gicv3_id_read(i, 0x93);
}

static void wr_waker(struct device *d, unsigned i, uint64_t v)
{
    from(d)->gicr_waker = v & WAKER_SLEEP ? WAKER_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
    changed(from(d));
}

static void wr_isenabler(struct device *d, unsigned i, uint64_t v)
{
    from(d)->enabled |= v;
    changed(from(d));
}

static uint64_t rd_pending(struct device *d, unsigned i)
{
    return gicv3_cpu_local_pending(from(d));
}

static void wr_ispendr(struct device *d, unsigned i, uint64_t v)
{
    from(d)->latch |= v;
    changed(from(d));
}

static void wr_isactiver(struct device *d, unsigned i, uint64_t v)
{
    from(d)->active |= v;
    changed(from(d));
}

static uint64_t rd_icfgr(struct device *d, unsigned w)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 16; i++) {
        v |= (from(d)->edge >> (w * 16 + i) & 1) << (i * 2 + 1);
    }
    return v;
}

static void wr_icfgr(struct device *d, unsigned w, uint64_t v)
{
    struct gicv3_cpu *c = from(d);
    for (unsigned i = 0; i < 16; i++) {
        uint32_t bit = 1u << (w * 16 + i);
        c->edge = v >> (i * 2 + 1) & 1 ? c->edge | bit : c->edge & ~bit;
    }
    c->edge |= SGIS_EDGE;
    changed(c);
}

static uint64_t rd_ipriorityr(struct device *d, uint32_t first, unsigned size)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)from(d)->priority[first + i] << i * 8;
    }
    return v;
}

static void wr_ipriorityr(struct device *d, uint32_t first, unsigned size, uint64_t v)
{
    for (unsigned i = 0; i < size; i++) {
        from(d)->priority[first + i] = v >> i * 8 & GICV3_PRIORITY_MASK;
    }
    changed(from(d));
}

#define REGR(off, text, m, ...) REG(off, 4, text, struct gicv3_cpu, m, ##__VA_ARGS__)
/* RAZ/WI. */
#define REG_ZERO(off, size, text, ...) \
    REG_FN(off, size, text, .rd = rd_zero, .flags = REG_QUIET, ##__VA_ARGS__)

static const struct device_reg gicr_regs[] = {
    REGR(0x0000, "GICR_CTLR", gicr_ctlr, .wmask = CTLR_DPG, .wr = wr_changed),
    REG_FN(0x0004, 4, "GICR_IIDR", .rd = rd_iidr),
    REG_FN(0x0008, 8, "GICR_TYPER", .sizes = 4 | 8, .flags = REG_LANES, .rd = rd_typer),
    REG_ZERO(0x0010, 4, "GICR_STATUSR"),
    REGR(0x0014, "GICR_WAKER", gicr_waker, .wr = wr_waker,
         .reset = WAKER_SLEEP | WAKER_CHILDREN_ASLEEP),
    REG_ZERO(0x0070, 8, "GICR_PROPBASER", .sizes = 4 | 8),
    REG_ZERO(0x0078, 8, "GICR_PENDBASER", .sizes = 4 | 8),
    REG_ZERO(0x00c0, 4, "GICR_SYNCR"),
    REG_FN(0xffd0, 4, "GICR_ID", .count = GICV3_IDS_N, .rd = rd_id),

    REGR(0x10080, "GICR_IGROUPR0", group, .wmask = UINT32_MAX, .wr = wr_changed),
    REGR(0x10100, "GICR_ISENABLER0", enabled, .wr = wr_isenabler),
    REGR(0x10180, "GICR_ICENABLER0", enabled, .flags = REG_W1C | REG_VIEW, .wmask = UINT32_MAX,
         .wr = wr_changed),
    REGR(0x10200, "GICR_ISPENDR0", latch, .rd = rd_pending, .wr = wr_ispendr),
    REGR(0x10280, "GICR_ICPENDR0", latch, .flags = REG_W1C | REG_VIEW, .wmask = UINT32_MAX,
         .rd = rd_pending, .wr = wr_changed),
    REGR(0x10300, "GICR_ISACTIVER0", active, .wr = wr_isactiver),
    REGR(0x10380, "GICR_ICACTIVER0", active, .flags = REG_W1C | REG_VIEW, .wmask = UINT32_MAX,
         .wr = wr_changed),
    REG_WINDOW(0x10400, 32, "GICR_IPRIORITYR", .window_rd = rd_ipriorityr,
               .window_wr = wr_ipriorityr),
    REG_FN(0x10c00, 4, "GICR_ICFGR", .count = 2, .rd = rd_icfgr, .wr = wr_icfgr),
    REG_ZERO(0x10d00, 4, "GICR_IGRPMODR0"),         /* GICD_CTLR.DS is on */
    REG_ZERO(0x10e00, 4, "GICR_NSACR"),
    REG_END
};

/* ---- saved state -------------------------------------------------------------------------- */

/* Not in it: levels of wires, which who drives them says again; and what the distributor has told
 * this CPU, which it tells anew when it is loaded, after the CPUs. */
static const struct device_state cpu_state[] = {
    STATE(struct gicv3_cpu, group),
    STATE(struct gicv3_cpu, enabled),
    STATE(struct gicv3_cpu, latch),
    STATE(struct gicv3_cpu, active),
    STATE(struct gicv3_cpu, edge),
    STATE_ARRAY(struct gicv3_cpu, priority),
    STATE(struct gicv3_cpu, gicr_ctlr),
    STATE(struct gicv3_cpu, gicr_waker),
    STATE(struct gicv3_cpu, igrpen),
    STATE(struct gicv3_cpu, pmr),
    STATE_ARRAY(struct gicv3_cpu, bpr),
    STATE(struct gicv3_cpu, cbpr),
    STATE(struct gicv3_cpu, eoimode),
    STATE_ARRAY(struct gicv3_cpu, apr),
    STATE_END
};

static bool cpu_after_load(struct device *d, struct err *e)
{
    struct gicv3_cpu *c = from(d);

    c->edge |= SGIS_EDGE;
    c->gicr_ctlr &= CTLR_DPG;
    c->gicr_waker = c->gicr_waker & WAKER_SLEEP ? WAKER_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
    c->igrpen &= 3;
    c->pmr &= GICV3_PRIORITY_MASK;
    for (unsigned i = 0; i < 32; i++) {
        c->priority[i] &= GICV3_PRIORITY_MASK;
    }
    for (unsigned i = 0; i < 2; i++) {
        gicv3_cpu_write_bpr(c, i, c->bpr[i]);
    }
    /* The distributor's state has it as well. */
    c->participates_told = gicv3_cpu_participation(c);
    gicv3_cpu_update(c);
    return true;
}

bool gicv3_cpu_is_quiet(struct device *d)
{
    struct gicv3_cpu *c = from(d);
    mutex_lock(c->lock);
    bool is_quiet = !c->sending && !c->out_n;
    mutex_unlock(c->lock);
    return is_quiet;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void interface_reset(struct gicv3_cpu *c)
{
    c->igrpen = 0;
    c->pmr = 0;
    c->bpr[0] = 7 - GICV3_PRIORITY_BITS;
    c->bpr[1] = 8 - GICV3_PRIORITY_BITS;
    c->cbpr = c->eoimode = false;
    c->apr[0] = c->apr[1] = 0;
}

void gicv3_cpu_reset_interface(struct device *d)
{
    struct gicv3_cpu *c = from(d);
    mutex_lock(c->lock);
    interface_reset(c);
    gicv3_cpu_tell_participation(c);
    gicv3_cpu_update(c);
    gicv3_cpu_send_unlock(c);
}

static void cpu_reset(struct device *d)
{
    struct gicv3_cpu *c = from(d);

    c->epoch = c->topology->epoch;
    c->edge = SGIS_EDGE;
    memset(c->priority, 0, sizeof(c->priority));
    c->spi_words = 0;
    memset(c->spi_pending, 0, sizeof(c->spi_pending));
    memset(c->deactivate_queued, 0, sizeof(c->deactivate_queued));
    c->control = 0;
    c->participates_told = 0;
    c->out_n = 0;
    interface_reset(c);
    gicv3_cpu_update(c);
}

static bool cpu_realize(struct device *d, struct err *e)
{
    return from(d)->topology ||
           err_set(e, "it was not connected to a distributor: gicv3_cpu_new() does that");
}

const struct device_class gicv3_cpu_class = {
    .name = "gicv3-cpu",
    .about = "GICv3 redistributor and CPU interface of a vCPU",
    .version = 1,
    .irqs_n = 2,
    .size = sizeof(struct gicv3_cpu),
    .regions = (const struct device_region[]){
        { .name = "gicv3-redist", .size = GICV3_REDIST_BYTES, .regs = gicr_regs }, REGION_END
    },
    .state = cpu_state,
    .realize = cpu_realize,
    .reset = cpu_reset,
    .after_load = cpu_after_load,
};

struct device *gicv3_cpu_new(unsigned index, bool is_last, const struct gicv3_topology *topology,
                             const struct irq_sink *sink, const struct device_env *env,
                             struct err *e)
{
    struct device *d;
    char id[32];

    snprintf(id, sizeof(id), "%s.%u", gicv3_cpu_class.name, index);
    d = device_new(&gicv3_cpu_class, id, e);
    if (d) {
        from(d)->index = index;
        from(d)->is_last = is_last;
        from(d)->topology = topology;
        from(d)->sink = sink;
        from(d)->lock = d->host->lock;
    }
    if (d && !device_realize(d, env, e)) {
        device_free(d);
        return NULL;
    }
    return d;
}
