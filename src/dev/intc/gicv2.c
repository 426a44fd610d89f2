/* SPDX-License-Identifier: Apache-2.0 */
/* GICv2: IHI 0048B, chapters 3 (handling and priorities) and 4 (registers). */
#include "dev/intc/gicv2.h"

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "mem/space.h"

#include <stdlib.h>
#include <string.h>

#define WORDS 32
#define PRIORITY_MASK 0xf8u             /* 5 bits of priority, all of them for preemption */
#define PRIORITY_SHIFT 3
#define IDLE_PRIORITY 0x100u
#define BPR_MIN 2
#define INTID_NONE 1023u
#define INTID_OTHER_GROUP 1022u
#define SGIS 16
#define MSG_PPI 0x200u

enum { ENABLE_GRP0 = 1, ENABLE_GRP1 = 2 };                      /* GICD_CTLR, GICC_CTLR */
enum { ACK_CTL = 1 << 2, FIQ_EN = 1 << 3, CBPR = 1 << 4, EOI_MODE = 1 << 9 };   /* GICC_CTLR */

/* One bit for each interrupt; SGIs and PPIs are each CPU's own. */
struct bits {
    uint32_t bank[GICV2_CPUS_MAX];
    uint32_t spi[WORDS];        /* [0] is unused */
};

struct cpu_if {
    uint32_t ctlr;
    uint8_t pmr, bpr, abpr;
    uint32_t apr[2];            /* by group: bit n = priority n << 3 is active */
    uint8_t priority[32];       /* of its SGIs and PPIs */
    uint8_t sgi_source[SGIS];   /* CPUs whose SGI is pending here */
    uint8_t lines_told;         /* bit 0 IRQ, bit 1 FIQ */
};

struct gicv2 {
    struct mutex lock;
    unsigned intids_n, cpus_n;
    void (*line)(void *ctx, unsigned cpu, bool is_fiq, bool level);
    void *line_ctx;
    bool sending, again;        /* a thread tells CPUs their lines; it must look once more */
    uint32_t ctlr;
    struct bits group, enabled, latch, level, active, edge;
    uint8_t priority[GICV2_INTID_MAX];  /* of SPIs */
    uint8_t target[GICV2_INTID_MAX];    /* of SPIs: CPUs */
    uint32_t targets[GICV2_CPUS_MAX][WORDS];    /* the same by CPU */
    struct cpu_if cpu[GICV2_CPUS_MAX];
};

static uint32_t *word(struct bits *b, unsigned cpu, unsigned w)
{
    return w ? &b->spi[w] : &b->bank[cpu];
}

static bool bit_get(struct bits *b, unsigned cpu, unsigned intid)
{
    return *word(b, cpu, intid / 32) >> intid % 32 & 1;
}

static void bit_set(struct bits *b, unsigned cpu, unsigned intid, bool v)
{
    uint32_t *w = word(b, cpu, intid / 32), bit = 1u << intid % 32;
    *w = v ? *w | bit : *w & ~bit;
}

static uint8_t *priority_of(struct gicv2 *g, unsigned cpu, unsigned intid)
{
    return intid < GICV2_SPI_FIRST ? &g->cpu[cpu].priority[intid] : &g->priority[intid];
}

/* ---- what a CPU should take (3.3) ---- */

static uint32_t pending_word(struct gicv2 *g, unsigned cpu, unsigned w)
{
    return *word(&g->latch, cpu, w) | (*word(&g->level, cpu, w) & ~*word(&g->edge, cpu, w));
}

/* The highest priority pending interrupt of the groups that are on; INTID_NONE. */
static unsigned highest(struct gicv2 *g, unsigned cpu, unsigned *priority)
{
    unsigned best = INTID_NONE, groups = g->ctlr & g->cpu[cpu].ctlr & 3;

    *priority = IDLE_PRIORITY;
    for (unsigned w = 0; w < (g->intids_n + 31) / 32; w++) {
        uint32_t group1 = *word(&g->group, cpu, w);
        uint32_t p = pending_word(g, cpu, w) & *word(&g->enabled, cpu, w) &
                     ~*word(&g->active, cpu, w);
        p &= (groups & ENABLE_GRP0 ? ~group1 : 0) | (groups & ENABLE_GRP1 ? group1 : 0);
        p &= w ? g->targets[cpu][w] : ~0u;
        for (; p; p &= p - 1) {
            unsigned intid = w * 32 + __builtin_ctz(p), prio = *priority_of(g, cpu, intid);
            if (prio < *priority) {
                *priority = prio;
                best = intid;
            }
        }
    }
    return best;
}

static unsigned running(const struct cpu_if *c)
{
    uint32_t ap = c->apr[0] | c->apr[1];
    return ap ? (unsigned)__builtin_ctz(ap) << PRIORITY_SHIFT : IDLE_PRIORITY;
}

static unsigned group_mask(const struct cpu_if *c, bool group1)
{
    unsigned bpr = group1 && !(c->ctlr & CBPR) ? c->abpr : c->bpr;
    return 0xffu << (bpr + 1) & 0xff;
}

/* The interrupt that this CPU can take now, with its priority and group; or INTID_NONE. */
static unsigned takeable(struct gicv2 *g, unsigned cpu, unsigned *priority, bool *group1)
{
    struct cpu_if *c = &g->cpu[cpu];
    unsigned intid = highest(g, cpu, priority);

    if (intid == INTID_NONE || *priority >= c->pmr) {
        return INTID_NONE;
    }
    *group1 = bit_get(&g->group, cpu, intid);
    unsigned mask = group_mask(c, *group1), now = running(c);
    return now == IDLE_PRIORITY || (*priority & mask) < (now & mask) ? intid : INTID_NONE;
}

static unsigned lines_of(struct gicv2 *g, unsigned cpu)
{
    unsigned priority;
    bool group1;

    if (takeable(g, cpu, &priority, &group1) == INTID_NONE) {
        return 0;
    }
    return !group1 && g->cpu[cpu].ctlr & FIQ_EN ? 2 : 1;
}

/* With the lock, which it lets go of meanwhile: tell one CPU what has changed for it. */
static void tell(struct gicv2 *g, unsigned cpu)
{
    struct cpu_if *c = &g->cpu[cpu];
    unsigned change;

    while ((change = lines_of(g, cpu) ^ c->lines_told)) {
        unsigned bit = change & 1 ? 1 : 2;
        c->lines_told ^= bit;
        bool level = c->lines_told & bit;
        mutex_unlock(&g->lock);
        g->line(g->line_ctx, cpu, bit == 2, level);
        mutex_lock(&g->lock);
    }
}

/* Unlocks, after all CPUs know what has changed for them.  One thread at a time tells them;
 * others that come meanwhile leave it to that one. */
static void update_unlock(struct gicv2 *g)
{
    g->again = true;
    if (!g->sending) {
        g->sending = true;
        while (g->again) {
            g->again = false;
            for (unsigned i = 0; i < g->cpus_n; i++) {
                tell(g, i);
            }
        }
        g->sending = false;
    }
    mutex_unlock(&g->lock);
}

/* ---- wires ---- */

static void set_level(struct gicv2 *g, unsigned cpu, unsigned intid, bool level)
{
    mutex_lock(&g->lock);
    if (bit_get(&g->level, cpu, intid) == level) {
        mutex_unlock(&g->lock);
        return;
    }
    bit_set(&g->level, cpu, intid, level);
    if (level && bit_get(&g->edge, cpu, intid)) {
        bit_set(&g->latch, cpu, intid, true);
    }
    update_unlock(g);
}

static void set_wire(void *ctx, unsigned n, bool level)
{
    set_level(ctx, n >> 16, n & 0xffff, level);
}

struct irq gicv2_irq(struct gicv2 *g, unsigned intid)
{
    return (struct irq){ .set = set_wire, .ctx = g, .n = intid };
}

struct irq gicv2_ppi(struct gicv2 *g, unsigned cpu, unsigned intid)
{
    return (struct irq){ .set = set_wire, .ctx = g, .n = cpu << 16 | intid };
}

struct irq_msg gicv2_ppi_message(unsigned cpu, unsigned intid, bool level)
{
    return (struct irq_msg){ .to = IRQ_MSG_TO_DISTRIBUTOR, .from = cpu, .kind = MSG_PPI,
                             .a = intid, .b = level };
}

void gicv2_message(struct gicv2 *g, const struct irq_msg *m)
{
    if (m->kind == MSG_PPI && m->from < g->cpus_n && m->a >= SGIS && m->a < GICV2_SPI_FIRST) {
        set_level(g, m->from, m->a, m->b & 1);
    }
}

/* ---- CPU interface (4.4) ---- */

/* GICC_IAR and GICC_AIAR: intid in 9:0, an SGI's sender in 12:10. */
static uint32_t acknowledge(struct gicv2 *g, unsigned cpu, bool alias)
{
    struct cpu_if *c = &g->cpu[cpu];
    unsigned priority, source = 0;
    bool group1 = false;
    unsigned intid = takeable(g, cpu, &priority, &group1);

    if (intid == INTID_NONE || (alias && !group1)) {
        return INTID_NONE;
    }
    if (!alias && group1 && !(c->ctlr & ACK_CTL)) {
        return INTID_OTHER_GROUP;
    }
    c->apr[group1] |= 1u << ((priority & group_mask(c, group1)) >> PRIORITY_SHIFT);
    bit_set(&g->active, cpu, intid, true);
    if (intid < SGIS) {
        source = __builtin_ctz(c->sgi_source[intid] | 1u << 8) & 7;
        c->sgi_source[intid] &= ~(1u << source);
        bit_set(&g->latch, cpu, intid, c->sgi_source[intid]);
    } else {
        bit_set(&g->latch, cpu, intid, false);
    }
    return intid | source << 10;
}

static void end(struct gicv2 *g, unsigned cpu, uint32_t v, bool alias)
{
    struct cpu_if *c = &g->cpu[cpu];
    unsigned intid = v & 1023;
    /* GICC_EOIR ends either group, if GICC_CTLR.AckCtl lets it see both. */
    bool group1 = alias || (c->ctlr & ACK_CTL && c->apr[1] &&
                            (!c->apr[0] || __builtin_ctz(c->apr[1]) < __builtin_ctz(c->apr[0])));

    if (intid >= g->intids_n || !c->apr[group1]) {
        return;
    }
    c->apr[group1] &= c->apr[group1] - 1;
    if (!(c->ctlr & EOI_MODE)) {
        bit_set(&g->active, cpu, intid, false);
    }
}

static uint32_t hppir(struct gicv2 *g, unsigned cpu, bool alias)
{
    unsigned priority, intid = highest(g, cpu, &priority);

    if (intid == INTID_NONE) {
        return INTID_NONE;
    }
    bool group1 = bit_get(&g->group, cpu, intid);
    if (alias ? !group1 : group1 && !(g->cpu[cpu].ctlr & ACK_CTL)) {
        return alias ? INTID_NONE : INTID_OTHER_GROUP;
    }
    uint8_t sources = intid < SGIS ? g->cpu[cpu].sgi_source[intid] : 0;
    return intid | (sources ? __builtin_ctz(sources) << 10 : 0);
}

enum {
    GICC_CTLR = 0x0, GICC_PMR = 0x4, GICC_BPR = 0x8, GICC_IAR = 0xc, GICC_EOIR = 0x10,
    GICC_RPR = 0x14, GICC_HPPIR = 0x18, GICC_ABPR = 0x1c, GICC_AIAR = 0x20, GICC_AEOIR = 0x24,
    GICC_AHPPIR = 0x28, GICC_APR0 = 0xd0, GICC_NSAPR0 = 0xe0, GICC_IIDR = 0xfc,
    GICC_DIR = 0x1000,
};

static uint32_t cpu_read(struct gicv2 *g, unsigned cpu, unsigned off)
{
    struct cpu_if *c = &g->cpu[cpu];

    switch (off) {
    case GICC_CTLR:
        return c->ctlr;
    case GICC_PMR:
        return c->pmr;
    case GICC_BPR:
        return c->bpr;
    case GICC_ABPR:
        return c->abpr;
    case GICC_IAR:
    case GICC_AIAR:
        return acknowledge(g, cpu, off == GICC_AIAR);
    case GICC_RPR:
        return MIN(running(c), 0xffu);
    case GICC_HPPIR:
    case GICC_AHPPIR:
        return hppir(g, cpu, off == GICC_AHPPIR);
    case GICC_APR0:
        return c->apr[0];
    case GICC_NSAPR0:
        return c->apr[1];
    case GICC_IIDR:
        return 0x0002043b;      /* GICv2, Arm */
    default:
        return 0;
    }
}

static void cpu_write(struct gicv2 *g, unsigned cpu, unsigned off, uint32_t v)
{
    struct cpu_if *c = &g->cpu[cpu];

    switch (off) {
    case GICC_CTLR:
        c->ctlr = v & (ENABLE_GRP0 | ENABLE_GRP1 | ACK_CTL | FIQ_EN | CBPR | EOI_MODE);
        break;
    case GICC_PMR:
        c->pmr = v & PRIORITY_MASK;
        break;
    case GICC_BPR:
        c->bpr = MAX(v & 7, BPR_MIN);
        break;
    case GICC_ABPR:
        c->abpr = MAX(v & 7, BPR_MIN + 1);
        break;
    case GICC_EOIR:
    case GICC_AEOIR:
        end(g, cpu, v, off == GICC_AEOIR);
        break;
    case GICC_APR0:
        c->apr[0] = v;
        break;
    case GICC_NSAPR0:
        c->apr[1] = v;
        break;
    case GICC_DIR:
        if (c->ctlr & EOI_MODE && (v & 1023) < g->intids_n) {
            bit_set(&g->active, cpu, v & 1023, false);
        }
        break;
    default:
        log_guest("gicv2", "write of GICC offset 0x%x, where no register is writable", off);
    }
}

/* Who has no CPU interface of its own sees that of CPU 0. */
static unsigned initiator(const struct gicv2 *g, unsigned vcpu)
{
    return vcpu < g->cpus_n ? vcpu : 0;
}

static uint64_t cpu_mmio_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct gicv2 *g = ctx;

    mutex_lock(&g->lock);
    uint64_t v = size == 4 ? cpu_read(g, initiator(g, vcpu), off) : 0;
    update_unlock(g);
    return v;
}

static void cpu_mmio_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct gicv2 *g = ctx;

    mutex_lock(&g->lock);
    if (size == 4) {
        cpu_write(g, initiator(g, vcpu), off, v);
    }
    update_unlock(g);
}

const struct mmio_ops gicv2_cpu_mmio = { .read = cpu_mmio_read, .write = cpu_mmio_write };

/* ---- distributor (4.3) ---- */

enum { GICD_CTLR = 0x0, GICD_TYPER = 0x4, GICD_IIDR = 0x8, GICD_SGIR = 0xf00 };
enum { GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800, GICD_ICFGR = 0xc00,
       GICD_CPENDSGIR = 0xf10, GICD_SPENDSGIR = 0xf20 };

static uint32_t id_read(unsigned off)
{
    static const uint8_t id[] = {       /* PIDR4–7, 0–3, CIDR0–3 (GIC-400's) */
        0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1,
    };
    return off >= 0xfd0 && off < 0x1000 ? id[(off - 0xfd0) / 4] : 0;
}

/* GICD_ITARGETSR of an SGI or PPI is the reader's own bit. */
static uint8_t target_read(struct gicv2 *g, unsigned cpu, unsigned intid)
{
    if (g->cpus_n == 1) {
        return 0;               /* one CPU: RAZ/WI (4.3.12) */
    }
    return intid < GICV2_SPI_FIRST ? 1u << cpu : g->target[intid];
}

static void target_write(struct gicv2 *g, unsigned intid, uint8_t v)
{
    if (intid < GICV2_SPI_FIRST || g->cpus_n == 1) {
        return;
    }
    g->target[intid] = v & ((1u << g->cpus_n) - 1);
    for (unsigned i = 0; i < g->cpus_n; i++) {
        uint32_t *w = &g->targets[i][intid / 32], bit = 1u << intid % 32;
        *w = v >> i & 1 ? *w | bit : *w & ~bit;
    }
}

static uint8_t byte_read(struct gicv2 *g, unsigned cpu, unsigned off)
{
    if (off >= GICD_SPENDSGIR) {
        return g->cpu[cpu].sgi_source[off % SGIS];
    }
    if (off >= GICD_CPENDSGIR) {
        return g->cpu[cpu].sgi_source[off % SGIS];
    }
    unsigned intid = off & 0x3ff;
    if (intid >= g->intids_n) {
        return 0;
    }
    return off >= GICD_ITARGETSR ? target_read(g, cpu, intid) : *priority_of(g, cpu, intid);
}

static void byte_write(struct gicv2 *g, unsigned cpu, unsigned off, uint8_t v)
{
    uint8_t *source = &g->cpu[cpu].sgi_source[off % SGIS];

    if (off >= GICD_CPENDSGIR) {
        *source = off >= GICD_SPENDSGIR ? *source | v : *source & ~v;
        bit_set(&g->latch, cpu, off % SGIS, *source);
        return;
    }
    unsigned intid = off & 0x3ff;
    if (intid >= g->intids_n) {
        return;
    }
    if (off >= GICD_ITARGETSR) {
        target_write(g, intid, v);
    } else {
        *priority_of(g, cpu, intid) = v & PRIORITY_MASK;
    }
}

/* Registers that may be accessed by bytes. */
static bool is_bytes(unsigned off, unsigned size)
{
    return (off >= GICD_IPRIORITYR && off + size <= GICD_ICFGR) ||
           (off >= GICD_CPENDSGIR && off + size <= GICD_SPENDSGIR + SGIS);
}

static uint32_t *bits_of(struct gicv2 *g, unsigned cpu, unsigned off)
{
    static const uint16_t which[] = {   /* by off / 0x80 */
        0, offsetof(struct gicv2, group), offsetof(struct gicv2, enabled),
        offsetof(struct gicv2, enabled), offsetof(struct gicv2, latch),
        offsetof(struct gicv2, latch), offsetof(struct gicv2, active),
        offsetof(struct gicv2, active),
    };
    return word((struct bits *)((char *)g + which[off / 0x80]), cpu, off % 0x80 / 4);
}

static uint32_t cfg_read(struct gicv2 *g, unsigned cpu, unsigned first)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 16 && first + i < g->intids_n; i++) {
        v |= (uint32_t)bit_get(&g->edge, cpu, first + i) << (i * 2 + 1);
    }
    return v;
}

static uint32_t dist_read(struct gicv2 *g, unsigned cpu, unsigned off)
{
    unsigned w = off % 0x80 / 4;

    if (off >= 0x80 && off < 0x400) {
        if (w * 32 >= g->intids_n) {
            return 0;
        }
        bool is_pending = off / 0x80 == 4 || off / 0x80 == 5;
        return is_pending ? pending_word(g, cpu, w) : *bits_of(g, cpu, off);
    }
    if (off >= GICD_ICFGR && off < 0xd00) {
        return cfg_read(g, cpu, (off - GICD_ICFGR) * 4);
    }
    switch (off) {
    case GICD_CTLR:
        return g->ctlr;
    case GICD_TYPER:
        return ((g->intids_n + 31) / 32 - 1) | (g->cpus_n - 1) << 5;
    case GICD_IIDR:
        return 0x43b;
    default:
        return id_read(off);
    }
}

static void bits_write(struct gicv2 *g, unsigned cpu, unsigned off, uint32_t v)
{
    unsigned w = off % 0x80 / 4, reg = off / 0x80;

    if (w * 32 >= g->intids_n) {
        return;
    }
    uint32_t *bits = bits_of(g, cpu, off);
    if (w == 0 && (reg == 4 || reg == 5)) {
        v &= ~0xffffu;          /* SGIs: by GICD_SPENDSGIR and GICD_CPENDSGIR */
    }
    if (w == 0 && reg == 3) {
        v &= ~0xffffu;          /* SGIs are always enabled (4.3.5, implementation defined) */
    }
    if (reg == 1) {
        *bits = v;
    } else {
        *bits = reg & 1 ? *bits & ~v : *bits | v;
    }
}

static void cfg_write(struct gicv2 *g, unsigned cpu, unsigned first, uint32_t v)
{
    for (unsigned i = 0; i < 16 && first + i < g->intids_n && first >= SGIS; i++) {
        bit_set(&g->edge, cpu, first + i, v >> (i * 2 + 1) & 1);
    }
}

/* |31  26|25 24 |23       16|15  |14  4|3   0|
 * |      |filter|target list|NSAT|     |INTID| */
static void send_sgi(struct gicv2 *g, unsigned from, uint32_t v)
{
    unsigned intid = v & 15, filter = v >> 24 & 3, all = (1u << g->cpus_n) - 1;
    unsigned targets = filter == 0 ? v >> 16 & all :
                       filter == 1 ? all & ~(1u << from) :
                       filter == 2 ? 1u << from : 0;

    for (unsigned i = 0; i < g->cpus_n; i++) {
        if (targets >> i & 1) {
            g->cpu[i].sgi_source[intid] |= 1u << from;
            bit_set(&g->latch, i, intid, true);
        }
    }
}

static void dist_write(struct gicv2 *g, unsigned cpu, unsigned off, uint32_t v)
{
    if (off >= 0x80 && off < 0x400) {
        bits_write(g, cpu, off, v);
    } else if (off >= GICD_ICFGR && off < 0xd00) {
        cfg_write(g, cpu, (off - GICD_ICFGR) * 4, v);
    } else if (off == GICD_SGIR) {
        send_sgi(g, cpu, v);
    } else if (off == GICD_CTLR) {
        g->ctlr = v & (ENABLE_GRP0 | ENABLE_GRP1);
    } else {
        log_guest("gicv2", "write of GICD offset 0x%x, where no register is writable", off);
    }
}

static uint64_t dist_mmio_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct gicv2 *g = ctx;
    unsigned cpu = initiator(g, vcpu);
    uint64_t v = 0;

    mutex_lock(&g->lock);
    if (is_bytes(off, size)) {
        for (unsigned i = 0; i < size; i++) {
            v |= (uint64_t)byte_read(g, cpu, off + i) << i * 8;
        }
    } else if (size == 4) {
        v = dist_read(g, cpu, off);
    } else {
        log_guest("gicv2", "%u-byte read of GICD offset 0x%x", size, (unsigned)off);
    }
    mutex_unlock(&g->lock);
    return v;
}

static void dist_mmio_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct gicv2 *g = ctx;
    unsigned cpu = initiator(g, vcpu);

    mutex_lock(&g->lock);
    if (is_bytes(off, size)) {
        for (unsigned i = 0; i < size; i++) {
            byte_write(g, cpu, off + i, v >> i * 8);
        }
    } else if (size == 4) {
        dist_write(g, cpu, off, v);
    } else {
        log_guest("gicv2", "%u-byte write of GICD offset 0x%x", size, (unsigned)off);
    }
    update_unlock(g);
}

const struct mmio_ops gicv2_dist_mmio = { .read = dist_mmio_read, .write = dist_mmio_write };

/* ---- life ---- */

static void bits_clear(struct bits *b, uint32_t bank)
{
    memset(b, 0, sizeof(*b));
    for (unsigned i = 0; i < GICV2_CPUS_MAX; i++) {
        b->bank[i] = bank;
    }
}

void gicv2_reset(struct gicv2 *g)
{
    mutex_lock(&g->lock);
    g->ctlr = 0;
    bits_clear(&g->group, 0);
    bits_clear(&g->enabled, 0xffff);
    bits_clear(&g->latch, 0);
    bits_clear(&g->active, 0);
    bits_clear(&g->edge, 0xffff);
    memset(g->priority, 0, sizeof(g->priority));
    memset(g->target, 0, sizeof(g->target));
    memset(g->targets, 0, sizeof(g->targets));
    for (unsigned i = 0; i < g->cpus_n; i++) {
        g->cpu[i] = (struct cpu_if){ .bpr = BPR_MIN, .abpr = BPR_MIN + 1,
                                     .lines_told = g->cpu[i].lines_told };
    }
    for (unsigned i = GICV2_SPI_FIRST; g->cpus_n == 1 && i < g->intids_n; i++) {
        g->targets[0][i / 32] = ~0u;    /* the only one there is */
    }
    update_unlock(g);
}

struct gicv2 *gicv2_new(unsigned intids_n, unsigned cpus_n,
                        void (*line)(void *ctx, unsigned cpu, bool is_fiq, bool level),
                        void *line_ctx, struct err *e)
{
    if (intids_n < 64 || intids_n > 1024 || intids_n % 32 || cpus_n < 1 ||
        cpus_n > GICV2_CPUS_MAX) {
        err_set(e, "GICv2: %u interrupts, %u CPUs are not possible", intids_n, cpus_n);
        return NULL;
    }
    struct gicv2 *g = calloc(1, sizeof(*g));
    if (!g) {
        err_set(e, "GICv2: out of memory");
        return NULL;
    }
    mutex_init(&g->lock);
    g->intids_n = MIN(intids_n, (unsigned)GICV2_INTID_MAX);
    g->cpus_n = cpus_n;
    g->line = line;
    g->line_ctx = line_ctx;
    gicv2_reset(g);
    return g;
}

void gicv2_free(struct gicv2 *g)
{
    if (g) {
        mutex_destroy(&g->lock);
        free(g);
    }
}
