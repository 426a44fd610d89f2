/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 CPU interface registers (ICC_*_EL1): IHI 0069, 12.2.  One security state, EL1 highest:
 * ICC_SRE_EL1 is fixed to system registers, group 0 is FIQ, group 1 is IRQ. */
#include "base/trace.h"
#include "dev/intc/gicv3_cpu_priv.h"

#define ENC(op0, op1, crn, crm, op2) \
    ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

enum {
    ICC_PMR = ENC(3, 0, 4, 6, 0),
    ICC_IAR0 = ENC(3, 0, 12, 8, 0), ICC_EOIR0 = ENC(3, 0, 12, 8, 1),
    ICC_HPPIR0 = ENC(3, 0, 12, 8, 2), ICC_BPR0 = ENC(3, 0, 12, 8, 3),
    ICC_AP0R0 = ENC(3, 0, 12, 8, 4), ICC_AP1R0 = ENC(3, 0, 12, 9, 0),
    ICC_DIR = ENC(3, 0, 12, 11, 1), ICC_RPR = ENC(3, 0, 12, 11, 3),
    ICC_SGI1R = ENC(3, 0, 12, 11, 5), ICC_ASGI1R = ENC(3, 0, 12, 11, 6),
    ICC_SGI0R = ENC(3, 0, 12, 11, 7),
    ICC_IAR1 = ENC(3, 0, 12, 12, 0), ICC_EOIR1 = ENC(3, 0, 12, 12, 1),
    ICC_HPPIR1 = ENC(3, 0, 12, 12, 2), ICC_BPR1 = ENC(3, 0, 12, 12, 3),
    ICC_CTLR = ENC(3, 0, 12, 12, 4), ICC_SRE = ENC(3, 0, 12, 12, 5),
    ICC_IGRPEN0 = ENC(3, 0, 12, 12, 6), ICC_IGRPEN1 = ENC(3, 0, 12, 12, 7),
};

/* ---- acknowledge, end, deactivate (4.2) ------------------------------------------------------ */

static unsigned icc_acknowledge(struct gicv3_cpu *c, unsigned group)
{
    if (!gicv3_cpu_can_take(c) || c->hppi_group != group) {
        return GICV3_INTID_NONE;
    }
    unsigned intid = c->hppi, bit = 1u << intid % 32;
    unsigned level = (c->hppi_priority & gicv3_cpu_group_mask(c, group)) >>
                     (8 - GICV3_PRIORITY_BITS);
    c->apr[group] |= 1u << level;
    if (intid < GICV3_SPI_FIRST) {
        c->latch &= ~bit;
        c->active |= bit;
    } else {
        gicv3_cpu_spi_set(c, intid, false);
        gicv3_cpu_queue(c, GICV3_ACTIVATE, intid, c->spi_generation[intid]);
    }
    trace_gicv3_acknowledge(c->topology->trace, c->index, intid);
    return intid;
}

static void icc_deactivate(struct gicv3_cpu *c, unsigned intid)
{
    if (intid < GICV3_SPI_FIRST) {
        c->active &= ~(1u << intid);
    } else if (intid < GICV3_INTID_MAX) {
        gicv3_cpu_queue(c, GICV3_DEACTIVATE, intid, 0);
    }
}

static void icc_end(struct gicv3_cpu *c, unsigned group, unsigned intid)
{
    if (intid >= GICV3_INTID_MAX) {
        return;
    }
    /* Priority drop only through the register of the group that runs. */
    if (!c->apr[group] || gicv3_cpu_running(c, group) != gicv3_cpu_running(c, -1)) {
        return;
    }
    trace_gicv3_end(c->topology->trace, c->index, intid);
    c->apr[group] &= c->apr[group] - 1;
    if (!c->eoimode) {
        icc_deactivate(c, intid);
    }
}

/* ---- SGIs (12.1.10) -------------------------------------------------------------------------- */

/* |63  56|55  48|47 44|43 41|40 |39  32|31 28|27  24|23  16|15         0|
 * |      | Aff3 | RS  |     |IRM| Aff2 |     |INTID | Aff1 | TargetList |  */
static void icc_send_sgi(struct gicv3_cpu *c, uint64_t v, unsigned group)
{
    const struct gicv3_topology *t = c->topology;
    bool to_all_others = v >> 40 & 1;
    uint64_t path = (v >> 48 & 0xff) << 32 | (v >> 32 & 0xff) << 16 | (v >> 16 & 0xff) << 8;
    struct irq_msg m = {
        .from = c->index, .kind = GICV3_SGI | (uint32_t)c->epoch << 16,
        .a = v >> 24 & 15, .b = group,
    };
    for (unsigned i = 0; i < t->cpus_n; i++) {
        uint64_t a = t->mpidr[i];
        bool listed = (a & UINT64_C(0xff00ffff00)) == path && (a & 0xff) >> 4 == (v >> 44 & 15) &&
                      (v >> (a & 15) & 1);
        if (to_all_others ? i != c->index : listed) {
            m.to = i;
            trace_gicv3_sgi(t->trace, c->index, i, m.a);
            c->sink->send(c->sink->ctx, &m);
        }
    }
}

/* ---- registers ------------------------------------------------------------------------------- */

static uint64_t icc_ctlr(const struct gicv3_cpu *c)
{
    /* A3V, PRIbits - 1; IDbits 0: 16 bits; no SEIs, no range selector, no PMHE */
    return c->cbpr | c->eoimode << 1 | (GICV3_PRIORITY_BITS - 1) << 8 | 1u << 15;
}

static uint64_t icc_bpr(const struct gicv3_cpu *c, unsigned group)
{
    if (group && c->cbpr) {
        return c->bpr[0] < 7 ? c->bpr[0] + 1 : 7;
    }
    return c->bpr[group];
}

void gicv3_cpu_write_bpr(struct gicv3_cpu *c, unsigned group, unsigned v)
{
    unsigned min = 7 - GICV3_PRIORITY_BITS + group;
    c->bpr[group] = (v & 7) < min ? min : v & 7;
}

static uint64_t icc_hppir(const struct gicv3_cpu *c, unsigned group)
{
    return c->hppi != GICV3_INTID_NONE && c->hppi_group == group ? c->hppi : GICV3_INTID_NONE;
}

static bool icc_read(struct gicv3_cpu *c, uint32_t enc, uint64_t *v)
{
    switch (enc) {
    case ICC_IAR0:
    case ICC_IAR1:
        *v = icc_acknowledge(c, enc == ICC_IAR1);
        break;
    case ICC_HPPIR0:
    case ICC_HPPIR1:
        *v = icc_hppir(c, enc == ICC_HPPIR1);
        break;
    case ICC_BPR0:
    case ICC_BPR1:
        *v = icc_bpr(c, enc == ICC_BPR1);
        break;
    case ICC_AP0R0:
        *v = c->apr[0];
        break;
    case ICC_AP1R0:
        *v = c->apr[1];
        break;
    case ICC_PMR:
        *v = c->pmr;
        break;
    case ICC_RPR:
        *v = gicv3_cpu_running(c, -1) == GICV3_IDLE_PRIORITY ? 0xff : gicv3_cpu_running(c, -1);
        break;
    case ICC_CTLR:
        *v = icc_ctlr(c);
        break;
    case ICC_SRE:
        *v = 7;                 /* DIB, DFB, SRE: always on */
        break;
    case ICC_IGRPEN0:
        *v = c->igrpen & 1;
        break;
    case ICC_IGRPEN1:
        *v = c->igrpen >> 1;
        break;
    default:
        return false;
    }
    return true;
}

static bool icc_write(struct gicv3_cpu *c, uint32_t enc, uint64_t v)
{
    switch (enc) {
    case ICC_EOIR0:
    case ICC_EOIR1:
        icc_end(c, enc == ICC_EOIR1, v & 0xffffff);
        break;
    case ICC_DIR:
        if (c->eoimode) {
            icc_deactivate(c, v & 0xffffff);
        }
        break;
    case ICC_BPR0:
    case ICC_BPR1:
        if (enc == ICC_BPR0 || !c->cbpr) {
            gicv3_cpu_write_bpr(c, enc == ICC_BPR1, v);
        }
        break;
    case ICC_AP0R0:
        c->apr[0] = v;
        break;
    case ICC_AP1R0:
        c->apr[1] = v;
        break;
    case ICC_PMR:
        c->pmr = v & GICV3_PRIORITY_MASK;
        break;
    case ICC_CTLR:
        c->cbpr = v & 1;
        c->eoimode = v >> 1 & 1;
        break;
    case ICC_SRE:
        break;
    case ICC_IGRPEN0:
        c->igrpen = (c->igrpen & 2) | (v & 1);
        break;
    case ICC_IGRPEN1:
        c->igrpen = (c->igrpen & 1) | (v & 1) << 1;
        break;
    default:
        return false;
    }
    return true;
}

bool gicv3_cpu_sysreg_read(struct device *d, uint32_t enc, uint64_t *v)
{
    struct gicv3_cpu *c = gicv3_cpu_from(d);
    mutex_lock(c->lock);
    bool there = icc_read(c, enc, v);
    if (enc == ICC_IAR0 || enc == ICC_IAR1) {
        gicv3_cpu_update(c);
    }
    gicv3_cpu_send_unlock(c);
    return there;
}

bool gicv3_cpu_sysreg_write(struct device *d, uint32_t enc, uint64_t v)
{
    struct gicv3_cpu *c = gicv3_cpu_from(d);
    if (enc == ICC_SGI1R || enc == ICC_SGI0R) {
        icc_send_sgi(c, v, enc == ICC_SGI1R);
        return true;
    }
    if (enc == ICC_ASGI1R) {
        return true;            /* for the other security state, which there is not */
    }
    mutex_lock(c->lock);
    bool there = icc_write(c, enc, v);
    gicv3_cpu_tell_participation(c);
    gicv3_cpu_update(c);
    gicv3_cpu_send_unlock(c);
    return there;
}
