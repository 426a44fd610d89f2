/* SPDX-License-Identifier: Apache-2.0 */
/* GICv2: IHI 0048B, chapters 3 (handling and priorities) and 4 (registers).
 *
 * House: devices: a part of the processor: its registers are banked by the vCPU that accesses
 * them, and it is given messages. */
#include "dev/intc/gicv2.h"

#include "base/base.h"
#include "base/err.h"
#include "vm/device.h"

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
#define GICC_CTLR_MASK (ENABLE_GRP0 | ENABLE_GRP1 | ACK_CTL | FIQ_EN | CBPR | EOI_MODE)

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
    struct device dev;
    uint32_t intids_n, cpus_n;  /* options */
    bool sending, again;        /* a thread tells CPUs their lines; it must look once more */
    uint32_t ctlr;
    struct bits group, enabled, latch, level, active, edge;
    uint8_t priority[GICV2_INTID_MAX];  /* of SPIs */
    uint8_t target[GICV2_INTID_MAX];    /* of SPIs: CPUs */
    uint32_t targets[GICV2_CPUS_MAX][WORDS];    /* the same by CPU */
    struct cpu_if cpu[GICV2_CPUS_MAX];
};

static struct gicv2 *from(struct device *d)
{
    return (struct gicv2 *)d;   /* the first member */
}

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
        mutex_unlock(g->dev.host->lock);
        irq_set(&g->dev.host->irq[GICV2_OUTPUT(cpu, bit == 2)], level);
        mutex_lock(g->dev.host->lock);
    }
}

/* All CPUs know afterwards what has changed for them; the lock is let go of meanwhile.  One thread
 * at a time tells them; others that come meanwhile leave it to that one. */
static void update(struct gicv2 *g)
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
}

/* ---- wires ---- */

static void set_level(struct gicv2 *g, unsigned cpu, unsigned intid, bool level)
{
    mutex_lock(g->dev.host->lock);
    if (bit_get(&g->level, cpu, intid) != level) {
        bit_set(&g->level, cpu, intid, level);
        if (level && bit_get(&g->edge, cpu, intid)) {
            bit_set(&g->latch, cpu, intid, true);
        }
        update(g);
    }
    mutex_unlock(g->dev.host->lock);
}

static void set_wire(void *ctx, unsigned n, bool level)
{
    set_level(ctx, n >> 16, n & 0xffff, level);
}

struct irq gicv2_irq(struct device *d, unsigned intid)
{
    return (struct irq){ .set = set_wire, .ctx = from(d), .n = intid };
}

struct irq gicv2_ppi(struct device *d, unsigned cpu, unsigned intid)
{
    return (struct irq){ .set = set_wire, .ctx = from(d), .n = cpu << 16 | intid };
}

struct irq_msg gicv2_ppi_message(unsigned cpu, unsigned intid, bool level)
{
    return (struct irq_msg){ .to = IRQ_MSG_TO_DISTRIBUTOR, .from = cpu, .kind = MSG_PPI,
                             .a = intid, .b = level };
}

void gicv2_message(struct device *d, const struct irq_msg *m)
{
    struct gicv2 *g = from(d);

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

/* Whose registers these are.  Who has no CPU interface of its own sees that of CPU 0. */
static unsigned accessor(const struct gicv2 *g)
{
    unsigned vcpu = g->dev.host->initiator;

    return vcpu < g->cpus_n ? vcpu : 0;
}

static struct cpu_if *own_if(struct device *d)
{
    return &from(d)->cpu[accessor(from(d))];
}

static uint64_t rd_c_ctlr(struct device *d, unsigned i)
{
    return own_if(d)->ctlr;
}

static void wr_c_ctlr(struct device *d, unsigned i, uint64_t v)
{
    own_if(d)->ctlr = v & GICC_CTLR_MASK;
    update(from(d));
}

static uint64_t rd_pmr(struct device *d, unsigned i)
{
    return own_if(d)->pmr;
}

static void wr_pmr(struct device *d, unsigned i, uint64_t v)
{
    own_if(d)->pmr = v & PRIORITY_MASK;
    update(from(d));
}

static uint64_t rd_bpr(struct device *d, unsigned i)
{
    return own_if(d)->bpr;
}

static void wr_bpr(struct device *d, unsigned i, uint64_t v)
{
    own_if(d)->bpr = MAX(v & 7, BPR_MIN);
    update(from(d));
}

static uint64_t rd_abpr(struct device *d, unsigned i)
{
    return own_if(d)->abpr;
}

static void wr_abpr(struct device *d, unsigned i, uint64_t v)
{
    own_if(d)->abpr = MAX(v & 7, BPR_MIN + 1);
    update(from(d));
}

static uint64_t take(struct device *d, bool alias)
{
    uint32_t v = acknowledge(from(d), accessor(from(d)), alias);

    update(from(d));
    return v;
}

static uint64_t rd_iar(struct device *d, unsigned i)
{
    return take(d, false);
}

static uint64_t rd_aiar(struct device *d, unsigned i)
{
    return take(d, true);
}

static void wr_eoir(struct device *d, unsigned i, uint64_t v)
{
    end(from(d), accessor(from(d)), v, false);
    update(from(d));
}

static void wr_aeoir(struct device *d, unsigned i, uint64_t v)
{
    end(from(d), accessor(from(d)), v, true);
    update(from(d));
}

static void wr_dir(struct device *d, unsigned i, uint64_t v)
{
    struct gicv2 *g = from(d);

    if (own_if(d)->ctlr & EOI_MODE && (v & 1023) < g->intids_n) {
        bit_set(&g->active, accessor(g), v & 1023, false);
        update(g);
    }
}

static uint64_t rd_rpr(struct device *d, unsigned i)
{
    return MIN(running(own_if(d)), 0xffu);
}

static uint64_t rd_hppir(struct device *d, unsigned i)
{
    return hppir(from(d), accessor(from(d)), false);
}

static uint64_t rd_ahppir(struct device *d, unsigned i)
{
    return hppir(from(d), accessor(from(d)), true);
}

/* GICC_APR0, GICC_NSAPR0. */
static uint64_t rd_apr0(struct device *d, unsigned i)
{
    return own_if(d)->apr[0];
}

static void wr_apr0(struct device *d, unsigned i, uint64_t v)
{
    own_if(d)->apr[0] = v;
    update(from(d));
}

static uint64_t rd_apr1(struct device *d, unsigned i)
{
    return own_if(d)->apr[1];
}

static void wr_apr1(struct device *d, unsigned i, uint64_t v)
{
    own_if(d)->apr[1] = v;
    update(from(d));
}

static uint64_t rd_c_iidr(struct device *d, unsigned i)
{
    return 0x0002043b;          /* GICv2, Arm */
}

static uint64_t rd_zero(struct device *d, unsigned i)
{
    return 0;
}

/* RAZ/WI. */
#define REG_ZERO(off, text, n) \
    REG_FN(off, 4, text, .count = (n), .flags = REG_QUIET, .rd = rd_zero)

static const struct device_reg gicc_regs[] = {
    REG_FN(0x00, 4, "GICC_CTLR", .rd = rd_c_ctlr, .wr = wr_c_ctlr),
    REG_FN(0x04, 4, "GICC_PMR", .rd = rd_pmr, .wr = wr_pmr),
    REG_FN(0x08, 4, "GICC_BPR", .rd = rd_bpr, .wr = wr_bpr),
    REG_FN(0x0c, 4, "GICC_IAR", .rd = rd_iar),
    REG_FN(0x10, 4, "GICC_EOIR", .wr = wr_eoir),
    REG_FN(0x14, 4, "GICC_RPR", .rd = rd_rpr),
    REG_FN(0x18, 4, "GICC_HPPIR", .rd = rd_hppir),
    REG_FN(0x1c, 4, "GICC_ABPR", .rd = rd_abpr, .wr = wr_abpr),
    REG_FN(0x20, 4, "GICC_AIAR", .rd = rd_aiar),
    REG_FN(0x24, 4, "GICC_AEOIR", .wr = wr_aeoir),
    REG_FN(0x28, 4, "GICC_AHPPIR", .rd = rd_ahppir),
    REG_FN(0xd0, 4, "GICC_APR0", .rd = rd_apr0, .wr = wr_apr0),
    REG_ZERO(0xd4, "GICC_APR", 3),
    REG_FN(0xe0, 4, "GICC_NSAPR0", .rd = rd_apr1, .wr = wr_apr1),
    REG_ZERO(0xe4, "GICC_NSAPR", 3),
    REG_FN(0xfc, 4, "GICC_IIDR", .rd = rd_c_iidr),
    REG_FN(0x1000, 4, "GICC_DIR", .wr = wr_dir),
    REG_END
};

/* ---- distributor (4.3) ---- */

/* Registers with one bit for each interrupt, by offsetof in struct gicv2. */
static uint32_t *bits_of(struct device *d, unsigned which, unsigned w)
{
    return word((struct bits *)((char *)d + which), accessor(from(d)), w);
}

static bool is_word(struct device *d, unsigned w)
{
    return w * 32 < from(d)->intids_n;
}

static uint64_t bits_read(struct device *d, unsigned which, unsigned w)
{
    return is_word(d, w) ? *bits_of(d, which, w) : 0;
}

static void bits_change(struct device *d, unsigned which, unsigned w, uint32_t set,
                        uint32_t clear)
{
    if (is_word(d, w)) {
        uint32_t *bits = bits_of(d, which, w);
        *bits = (*bits | set) & ~clear;
        update(from(d));
    }
}

/* SGIs are always enabled (4.3.5, implementation defined), and become pending by GICD_SPENDSGIR and
 * GICD_CPENDSGIR. */
static uint32_t no_sgis(unsigned w)
{
    return w ? UINT32_MAX : 0xffff0000;
}

/* The hooks of one of them: what a write of `v` sets and clears. */
#define BITS(name, m, set_, clear_) \
    static uint64_t rd_##name(struct device *d, unsigned w) \
    { \
        return bits_read(d, offsetof(struct gicv2, m), w); \
    } \
    static void wr_##name(struct device *d, unsigned w, uint64_t v) \
    { \
        bits_change(d, offsetof(struct gicv2, m), w, (set_), (clear_)); \
    }
BITS(igroupr, group, v, ~v)
BITS(isenabler, enabled, v, 0)
BITS(icenabler, enabled, 0, v & no_sgis(w))
BITS(isactiver, active, v, 0)
BITS(icactiver, active, 0, v)

static uint64_t rd_pending(struct device *d, unsigned w)
{
    return is_word(d, w) ? pending_word(from(d), accessor(from(d)), w) : 0;
}

static void wr_ispendr(struct device *d, unsigned w, uint64_t v)
{
    bits_change(d, offsetof(struct gicv2, latch), w, v & no_sgis(w), 0);
}

static void wr_icpendr(struct device *d, unsigned w, uint64_t v)
{
    bits_change(d, offsetof(struct gicv2, latch), w, 0, v & no_sgis(w));
}

static uint64_t rd_d_ctlr(struct device *d, unsigned i)
{
    return from(d)->ctlr;
}

static void wr_d_ctlr(struct device *d, unsigned i, uint64_t v)
{
    from(d)->ctlr = v & (ENABLE_GRP0 | ENABLE_GRP1);
    update(from(d));
}

static uint64_t rd_typer(struct device *d, unsigned i)
{
    return ((from(d)->intids_n + 31) / 32 - 1) | (from(d)->cpus_n - 1) << 5;
}

static uint64_t rd_d_iidr(struct device *d, unsigned i)
{
    return 0x43b;
}

static uint64_t rd_id(struct device *d, unsigned i)
{
    static const uint8_t id[] = {       /* PIDR4–7, 0–3, CIDR0–3 (GIC-400's) */
        0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1,
    };
    return id[i];
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

static uint64_t rd_ipriorityr(struct device *d, uint32_t first, unsigned size)
{
    struct gicv2 *g = from(d);
    uint64_t v = 0;

    for (unsigned i = 0; i < size && first + i < g->intids_n; i++) {
        v |= (uint64_t)*priority_of(g, accessor(g), first + i) << i * 8;
    }
    return v;
}

static void wr_ipriorityr(struct device *d, uint32_t first, unsigned size, uint64_t v)
{
    struct gicv2 *g = from(d);

    for (unsigned i = 0; i < size && first + i < g->intids_n; i++) {
        *priority_of(g, accessor(g), first + i) = v >> i * 8 & PRIORITY_MASK;
    }
    update(g);
}

static uint64_t rd_itargetsr(struct device *d, uint32_t first, unsigned size)
{
    struct gicv2 *g = from(d);
    uint64_t v = 0;

    for (unsigned i = 0; i < size && first + i < g->intids_n; i++) {
        v |= (uint64_t)target_read(g, accessor(g), first + i) << i * 8;
    }
    return v;
}

static void wr_itargetsr(struct device *d, uint32_t first, unsigned size, uint64_t v)
{
    struct gicv2 *g = from(d);

    for (unsigned i = 0; i < size && first + i < g->intids_n; i++) {
        target_write(g, first + i, v >> i * 8);
    }
    update(g);
}

static uint64_t rd_icfgr(struct device *d, unsigned w)
{
    struct gicv2 *g = from(d);
    uint32_t v = 0;

    for (unsigned i = 0; i < 16 && w * 16 + i < g->intids_n; i++) {
        v |= (uint32_t)bit_get(&g->edge, accessor(g), w * 16 + i) << (i * 2 + 1);
    }
    return v;
}

static void wr_icfgr(struct device *d, unsigned w, uint64_t v)
{
    struct gicv2 *g = from(d);

    for (unsigned i = 0; w && i < 16 && w * 16 + i < g->intids_n; i++) {    /* not of SGIs */
        bit_set(&g->edge, accessor(g), w * 16 + i, v >> (i * 2 + 1) & 1);
    }
    update(g);
}

/* |31  26|25 24 |23       16|15  |14  4|3   0|
 * |      |filter|target list|NSAT|     |INTID| */
static void wr_sgir(struct device *d, unsigned n, uint64_t v)
{
    struct gicv2 *g = from(d);
    unsigned own = accessor(g), intid = v & 15, filter = v >> 24 & 3, all = (1u << g->cpus_n) - 1;
    unsigned targets = filter == 0 ? v >> 16 & all :
                       filter == 1 ? all & ~(1u << own) :
                       filter == 2 ? 1u << own : 0;

    for (unsigned i = 0; i < g->cpus_n; i++) {
        if (targets >> i & 1) {
            g->cpu[i].sgi_source[intid] |= 1u << own;
            bit_set(&g->latch, i, intid, true);
        }
    }
    update(g);
}

/* GICD_CPENDSGIR, GICD_SPENDSGIR: a byte for each SGI, a bit in it for each CPU that sends it. */
static uint64_t rd_sgi_sources(struct device *d, uint32_t first, unsigned size)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)own_if(d)->sgi_source[first + i] << i * 8;
    }
    return v;
}

static void sgi_source_set(struct device *d, unsigned sgi, uint8_t source)
{
    struct gicv2 *g = from(d);

    g->cpu[accessor(g)].sgi_source[sgi] = source;
    bit_set(&g->latch, accessor(g), sgi, source);
}

static void wr_cpendsgir(struct device *d, uint32_t first, unsigned size, uint64_t v)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t old = own_if(d)->sgi_source[first + i];
        sgi_source_set(d, first + i, old & ~(v >> i * 8));
    }
    update(from(d));
}

static void wr_spendsgir(struct device *d, uint32_t first, unsigned size, uint64_t v)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t old = own_if(d)->sgi_source[first + i];
        sgi_source_set(d, first + i, old | v >> i * 8);
    }
    update(from(d));
}

#define REG_BITS(off, text, rd_, wr_) \
    REG_FN(off, 4, text, .count = WORDS, .rd = (rd_), .wr = (wr_))
#define REG_BYTES(off, n, text, name, rd_) \
    REG_WINDOW(off, n, text, .window_rd = (rd_), .window_wr = wr_##name)

static const struct device_reg gicd_regs[] = {
    REG_FN(0x000, 4, "GICD_CTLR", .rd = rd_d_ctlr, .wr = wr_d_ctlr),
    REG_FN(0x004, 4, "GICD_TYPER", .rd = rd_typer),
    REG_FN(0x008, 4, "GICD_IIDR", .rd = rd_d_iidr),
    REG_BITS(0x080, "GICD_IGROUPR", rd_igroupr, wr_igroupr),
    REG_BITS(0x100, "GICD_ISENABLER", rd_isenabler, wr_isenabler),
    REG_BITS(0x180, "GICD_ICENABLER", rd_icenabler, wr_icenabler),
    REG_BITS(0x200, "GICD_ISPENDR", rd_pending, wr_ispendr),
    REG_BITS(0x280, "GICD_ICPENDR", rd_pending, wr_icpendr),
    REG_BITS(0x300, "GICD_ISACTIVER", rd_isactiver, wr_isactiver),
    REG_BITS(0x380, "GICD_ICACTIVER", rd_icactiver, wr_icactiver),
    REG_BYTES(0x400, 1024, "GICD_IPRIORITYR", ipriorityr, rd_ipriorityr),
    REG_BYTES(0x800, 1024, "GICD_ITARGETSR", itargetsr, rd_itargetsr),
    REG_FN(0xc00, 4, "GICD_ICFGR", .count = 64, .rd = rd_icfgr, .wr = wr_icfgr),
    REG_FN(0xf00, 4, "GICD_SGIR", .wr = wr_sgir),
    REG_BYTES(0xf10, SGIS, "GICD_CPENDSGIR", cpendsgir, rd_sgi_sources),
    REG_BYTES(0xf20, SGIS, "GICD_SPENDSGIR", spendsgir, rd_sgi_sources),
    REG_FN(0xfd0, 4, "GICD_ID", .count = 12, .rd = rd_id),
    REG_END
};

/* ---- saved state ---- */

/* Not in it: levels of wires, which who drives them says again; and what follows from the rest. */
static const struct device_state bits_state[] = {
    STATE_ARRAY(struct bits, bank),
    STATE_ARRAY(struct bits, spi),
    STATE_END
};

static const struct device_state cpu_state[] = {
    STATE(struct cpu_if, ctlr),
    STATE(struct cpu_if, pmr),
    STATE(struct cpu_if, bpr),
    STATE(struct cpu_if, abpr),
    STATE_ARRAY(struct cpu_if, apr),
    STATE_ARRAY(struct cpu_if, priority),
    STATE_ARRAY(struct cpu_if, sgi_source),
    STATE_END
};

static const struct device_state gicv2_state[] = {
    STATE(struct gicv2, ctlr),
    STATE_STRUCT(struct gicv2, group, bits_state),
    STATE_STRUCT(struct gicv2, enabled, bits_state),
    STATE_STRUCT(struct gicv2, latch, bits_state),
    STATE_STRUCT(struct gicv2, active, bits_state),
    STATE_STRUCT(struct gicv2, edge, bits_state),
    STATE_ARRAY(struct gicv2, priority),
    STATE_ARRAY(struct gicv2, target),
    STATE_STRUCTS(struct gicv2, cpu, cpu_state),
    STATE_END
};

static void cpu_if_sanitize(struct gicv2 *g, unsigned cpu)
{
    struct cpu_if *c = &g->cpu[cpu];

    c->ctlr &= GICC_CTLR_MASK;
    c->pmr &= PRIORITY_MASK;
    c->bpr = MAX(c->bpr & 7, BPR_MIN);
    c->abpr = MAX(c->abpr & 7, BPR_MIN + 1);
    for (unsigned i = 0; i < SGIS; i++) {
        c->sgi_source[i] &= (1u << g->cpus_n) - 1;
        bit_set(&g->latch, cpu, i, c->sgi_source[i]);
    }
    for (unsigned i = 0; i < GICV2_SPI_FIRST; i++) {
        c->priority[i] &= PRIORITY_MASK;
    }
    g->enabled.bank[cpu] |= 0xffff;
    g->edge.bank[cpu] |= 0xffff;
}

static bool gicv2_after_load(struct device *d, struct err *e)
{
    struct gicv2 *g = from(d);

    g->ctlr &= ENABLE_GRP0 | ENABLE_GRP1;
    for (unsigned i = 0; i < g->cpus_n; i++) {
        cpu_if_sanitize(g, i);
    }
    for (unsigned i = GICV2_SPI_FIRST; i < g->intids_n; i++) {
        g->priority[i] &= PRIORITY_MASK;
        target_write(g, i, g->target[i]);
    }
    update(g);
    return true;
}

/* ---- life ---- */

static void bits_clear(struct bits *b, uint32_t bank)
{
    memset(b, 0, sizeof(*b));
    for (unsigned i = 0; i < GICV2_CPUS_MAX; i++) {
        b->bank[i] = bank;
    }
}

static void gicv2_reset(struct device *d)
{
    struct gicv2 *g = from(d);

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
        g->targets[0][i / 32] |= 1u << i % 32;      /* the only one there is */
    }
    update(g);
}

static bool gicv2_realize(struct device *d, struct err *e)
{
    struct gicv2 *g = from(d);

    if (g->intids_n < 64 || g->intids_n > 1024 || g->intids_n % 32) {
        return err_set(e, "num-irq=%u: it takes a multiple of 32 from 64 to 1024", g->intids_n);
    }
    if (g->cpus_n < 1 || g->cpus_n > GICV2_CPUS_MAX) {
        return err_set(e, "num-cpu=%u: it takes 1 to %d", g->cpus_n, GICV2_CPUS_MAX);
    }
    g->intids_n = MIN(g->intids_n, (uint32_t)GICV2_INTID_MAX);
    return true;
}

static const struct device_option gicv2_options[] = {
    OPTION("num-irq", struct gicv2, intids_n, OPTION_U32, "288",
           "interrupts, SGIs and PPIs included: a multiple of 32"),
    OPTION("num-cpu", struct gicv2, cpus_n, OPTION_U32, "1", "CPUs: 1 to 8"),
    OPTION_END
};

const struct device_class gicv2_class = {
    .name = "gicv2",
    .about = "GICv2 interrupt controller",
    .version = 1,
    .irqs_n = 2 * GICV2_CPUS_MAX,
    .size = sizeof(struct gicv2),
    .regions = (const struct device_region[]){
        { .name = "gicv2-dist", .size = GICV2_FRAME_BYTES, .regs = gicd_regs },
        { .name = "gicv2-cpu", .size = GICV2_FRAME_BYTES, .regs = gicc_regs },
        REGION_END
    },
    .options = gicv2_options,
    .state = gicv2_state,
    .realize = gicv2_realize,
    .reset = gicv2_reset,
    .after_load = gicv2_after_load,
};

struct device *gicv2_new(unsigned intids_n, unsigned cpus_n, const struct device_env *env,
                         struct err *e)
{
    struct device *d = device_new(&gicv2_class, NULL, e);

    if (d) {
        from(d)->intids_n = intids_n;
        from(d)->cpus_n = cpus_n;
    }
    if (d && !device_realize(d, env, e)) {
        device_free(d);
        return NULL;
    }
    return d;
}
