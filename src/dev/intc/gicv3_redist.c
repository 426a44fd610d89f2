/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 redistributor registers: IHI 0069, 12.10 (RD_base) and 12.11 (SGI_base at +64 KiB).  No
 * LPIs: GICR_PROPBASER and what belongs to it read as zero. */
#include "base/log.h"
#include "dev/intc/gicv3_cpu_priv.h"
#include "dev/intc/gicv3_id.h"
#include "mem/space.h"

enum {
    GICR_CTLR = 0x0, GICR_IIDR = 0x4, GICR_TYPER = 0x8, GICR_TYPER_HIGH = 0xc, GICR_WAKER = 0x14,
    GICR_IGROUPR0 = 0x10080, GICR_ISENABLER0 = 0x10100, GICR_ICENABLER0 = 0x10180,
    GICR_ISPENDR0 = 0x10200, GICR_ICPENDR0 = 0x10280, GICR_ISACTIVER0 = 0x10300,
    GICR_ICACTIVER0 = 0x10380, GICR_IPRIORITYR0 = 0x10400, GICR_ICFGR0 = 0x10c00,
    GICR_ICFGR1 = 0x10c04,
};

#define CTLR_DPG (7u << 24)             /* deselection from 1-of-N: DPG0, DPG1NS, DPG1S */
#define WAKER_SLEEP 2u
#define WAKER_CHILDREN_ASLEEP 4u

static uint32_t redist_icfgr1(const struct gicv3_cpu *c)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 16; i++) {
        v |= (c->edge >> (16 + i) & 1) << (i * 2 + 1);
    }
    return v;
}

static uint64_t redist_read32(struct gicv3_cpu *c, unsigned off)
{
    uint64_t mpidr = c->topology->mpidr[c->index];
    switch (off) {
    case GICR_CTLR:
        return c->gicr_ctlr;
    case GICR_IIDR:
        return GICV3_IIDR;
    case GICR_TYPER:
        return (c->is_last ? 1u << 4 : 0) | 1u << 5 | c->index << 8;    /* Last, DPGS */
    case GICR_TYPER_HIGH:
        return (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24;
    case GICR_WAKER:
        return c->gicr_waker;
    case GICR_IGROUPR0:
        return c->group;
    case GICR_ISENABLER0:
    case GICR_ICENABLER0:
        return c->enabled;
    case GICR_ISPENDR0:
    case GICR_ICPENDR0:
        return gicv3_cpu_local_pending(c);
    case GICR_ISACTIVER0:
    case GICR_ICACTIVER0:
        return c->active;
    case GICR_ICFGR0:
        return 0xaaaaaaaa;
    case GICR_ICFGR1:
        return redist_icfgr1(c);
    default:
        return gicv3_id_read(off, 0x93);
    }
}

static void redist_write_icfgr1(struct gicv3_cpu *c, uint32_t v)
{
    for (unsigned i = 0; i < 16; i++) {
        uint32_t bit = 1u << (16 + i);
        c->edge = v >> (i * 2 + 1) & 1 ? c->edge | bit : c->edge & ~bit;
    }
}

static void redist_write32(struct gicv3_cpu *c, unsigned off, uint32_t v)
{
    switch (off) {
    case GICR_CTLR:
        c->gicr_ctlr = v & CTLR_DPG;
        break;
    case GICR_WAKER:
        c->gicr_waker = v & WAKER_SLEEP ? WAKER_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
        break;
    case GICR_IGROUPR0:
        c->group = v;
        break;
    case GICR_ISENABLER0:
        c->enabled |= v;
        break;
    case GICR_ICENABLER0:
        c->enabled &= ~v;
        break;
    case GICR_ISPENDR0:
        c->latch |= v;
        break;
    case GICR_ICPENDR0:
        c->latch &= ~v;
        break;
    case GICR_ISACTIVER0:
        c->active |= v;
        break;
    case GICR_ICACTIVER0:
        c->active &= ~v;
        break;
    case GICR_ICFGR1:
        redist_write_icfgr1(c, v);
        break;
    default:
        log_guest("gicv3", "write of GICR offset 0x%x, where no register is writable", off);
    }
}

static bool redist_is_priority(uint64_t off, unsigned size)
{
    return off >= GICR_IPRIORITYR0 && off + size <= GICR_IPRIORITYR0 + 32;
}

static uint64_t redist_mmio_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct gicv3_cpu *c = ctx;
    uint64_t v = 0;
    mutex_lock(&c->lock);
    if (redist_is_priority(off, size)) {
        for (unsigned i = 0; i < size; i++) {
            v |= (uint64_t)c->priority[off - GICR_IPRIORITYR0 + i] << i * 8;
        }
    } else if (size == 4) {
        v = redist_read32(c, off);
    } else if (size == 8) {
        v = redist_read32(c, off) | redist_read32(c, off + 4) << 32;
    } else {
        log_guest("gicv3", "%u-byte read of GICR offset 0x%x", size, (unsigned)off);
    }
    mutex_unlock(&c->lock);
    return v;
}

static void redist_mmio_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct gicv3_cpu *c = ctx;
    mutex_lock(&c->lock);
    if (redist_is_priority(off, size)) {
        for (unsigned i = 0; i < size; i++) {
            c->priority[off - GICR_IPRIORITYR0 + i] = v >> i * 8 & GICV3_PRIORITY_MASK;
        }
    } else if (size == 4) {
        redist_write32(c, off, v);
    } else {
        log_guest("gicv3", "%u-byte write of GICR offset 0x%x", size, (unsigned)off);
    }
    gicv3_cpu_tell_participation(c);
    gicv3_cpu_update(c);
    gicv3_cpu_send_unlock(c);
}

const struct mmio_ops gicv3_redist_mmio = { .read = redist_mmio_read, .write = redist_mmio_write };
