/* SPDX-License-Identifier: Apache-2.0 */
/* The interrupt controller and the timers of the virt machine. */
#include "base/err.h"
#include "board/virt/memmap.h"
#include "board/virt/virt_priv.h"
#include "dev/intc/gicv2.h"
#include "dev/timer/arm_timer.h"
#include "mem/space.h"
#include "vm/vm.h"

/* ---- messages and lines ---- */

void virt_irq_deliver(struct virt *b, const struct irq_msg *m)
{
    if (m->to == IRQ_MSG_TO_DISTRIBUTOR) {
        if (b->gicv3) {
            gicv3_dist_message(b->gicv3, m);
        } else if (b->gicv2) {
            gicv2_message(b->gicv2, m);
        }
    } else if (m->to < b->vm->vcpus_n && b->cpu[m->to].gicv3) {
        gicv3_cpu_message(b->cpu[m->to].gicv3, m);
    }
}

static void send_direct(void *ctx, const struct irq_msg *m)
{
    virt_irq_deliver(ctx, m);
}

/* `n` is an enum vcpu_line. */
static void set_cpu_line(void *ctx, unsigned n, bool level)
{
    struct vcpu *v = ctx;

    v->ops->set_line(v, n, level);
}

static struct irq cpu_line(struct virt *b, unsigned cpu, enum vcpu_line line)
{
    return (struct irq){ .set = set_cpu_line, .ctx = &b->vm->vcpu[cpu], .n = line };
}

struct irq virt_spi(struct virt *b, unsigned spi)
{
    if (b->gicv2) {
        return gicv2_irq(b->gicv2, GICV2_SPI_FIRST + spi);
    }
    return gicv3_dist_irq(b->gicv3, GICV3_SPI_FIRST + spi);
}

/* ---- building ---- */

static bool build_redist(struct virt *b, const struct virt_config *c, unsigned n, struct err *e)
{
    uint64_t base = virt_config_redist_base(c, n);
    bool is_last = n == c->cpus_n - 1 ||
                   virt_config_redist_base(c, n + 1) != base + GICV3_REDIST_BYTES;
    struct device_env env = virt_device_env(b);
    const struct mmio_ops *ops;
    struct device *d;
    void *ctx;

    if (!virt_is_local(b, n)) {
        return !b->hosting.redist_mmio ||
               !b->hosting.redist_mmio(b->hosting.ctx, n, &ops, &ctx) ||
               mem_space_add_mmio(b->vm->mem, base, GICV3_REDIST_BYTES, ops, ctx, "gicv3-redist",
                                  e);
    }
    d = b->cpu[n].gicv3 = gicv3_cpu_new(n, is_last, &b->topology, &b->vm->irq_sink, &env, e);
    if (!d) {
        return false;
    }
    device_connect_irq(d, GICV3_CPU_IRQ, cpu_line(b, n, VCPU_IRQ));
    device_connect_irq(d, GICV3_CPU_FIQ, cpu_line(b, n, VCPU_FIQ));
    return device_map_region(d, 0, base, e);
}

/* With GICv2, PPIs go to where all of the GIC is. */
static void send_ppi_v2(void *ctx, unsigned intid, bool level)
{
    struct virt_cpu *p = ctx;
    const struct irq_sink *sink = &p->board->vm->irq_sink;
    struct irq_msg m = gicv2_ppi_message(p->index, intid, level);

    sink->send(sink->ctx, &m);
}

static struct irq ppi(struct virt *b, unsigned n, unsigned intid)
{
    if (b->gic_version == 3) {
        return gicv3_cpu_irq(b->cpu[n].gicv3, intid);
    }
    if (b->gicv2) {
        return gicv2_ppi(b->gicv2, n, intid);
    }
    return (struct irq){ .set = send_ppi_v2, .ctx = &b->cpu[n], .n = intid };
}

static bool build_timer(struct virt *b, unsigned n, struct err *e)
{
    struct device_env env = virt_device_env(b);
    struct device *d = b->cpu[n].timer = arm_timer_new(n, &env, e);

    if (d) {
        device_connect_irq(d, ARM_TIMER_PHYS, ppi(b, n, VIRT_PPI_PHYS_TIMER));
        device_connect_irq(d, ARM_TIMER_VIRT, ppi(b, n, VIRT_PPI_VIRT_TIMER));
    }
    return d;
}

static bool build_gicv3(struct virt *b, const struct virt_config *c, struct err *e)
{
    struct device_env env = virt_device_env(b);

    for (unsigned i = 0; i < c->cpus_n; i++) {
        if (!build_redist(b, c, i, e)) {
            return false;
        }
    }
    if (!b->is_root) {
        return true;
    }
    b->gicv3 = gicv3_dist_new(32 + VIRT_SPIS_N, &b->topology, &b->vm->irq_sink, &env, e);
    return b->gicv3 && device_map_region(b->gicv3, 0, VIRT_GICD_BASE, e);
}

static bool build_gicv2(struct virt *b, const struct virt_config *c, struct err *e)
{
    struct device_env env = virt_device_env(b);

    if (!b->is_root) {
        return true;
    }
    b->gicv2 = gicv2_new(GICV2_SPI_FIRST + VIRT_SPIS_N, c->cpus_n, &env, e);
    for (unsigned i = 0; b->gicv2 && i < c->cpus_n; i++) {
        device_connect_irq(b->gicv2, GICV2_OUTPUT(i, false), cpu_line(b, i, VCPU_IRQ));
        device_connect_irq(b->gicv2, GICV2_OUTPUT(i, true), cpu_line(b, i, VCPU_FIQ));
    }
    return b->gicv2 && device_map_region(b->gicv2, 0, VIRT_GICD_BASE, e) &&
           device_map_region(b->gicv2, 1, VIRT_GICC_BASE, e);
}

bool virt_intc_build(struct virt *b, const struct virt_config *c, struct err *e)
{
    for (unsigned i = 0; i < c->cpus_n; i++) {
        b->mpidr[i] = virt_config_mpidr(c, i);
        b->cpu[i] = (struct virt_cpu){ .board = b, .index = i };
    }
    b->topology = (struct gicv3_topology){ .cpus_n = c->cpus_n, .mpidr = b->mpidr,
                                           .trace = b->trace };
    if (!b->vm->irq_sink.send) {
        b->vm->irq_sink = (struct irq_sink){ .send = send_direct, .ctx = b };
        b->joins_parts = true;
    }
    if (c->gic_version == 2 ? !build_gicv2(b, c, e) : !build_gicv3(b, c, e)) {
        return false;
    }
    for (unsigned i = 0; i < c->cpus_n; i++) {
        if (virt_is_local(b, i) && !build_timer(b, i, e)) {
            return false;
        }
    }
    return true;
}

/* Timers before what they are wired to, and a distributor last: in this order it can be loaded. */
struct device *virt_intc_at(struct virt *b, unsigned i)
{
    struct device *const machine[] = { b->gicv3, b->gicv2 };
    unsigned n = b->vm->vcpus_n;

    return i < n ? b->cpu[i].timer : i < 2 * n ? b->cpu[i - n].gicv3 :
           i < virt_intc_n(b) ? machine[i - 2 * n] : NULL;
}

unsigned virt_intc_n(const struct virt *b)
{
    return 2 * b->vm->vcpus_n + 2;
}

void virt_intc_reset(struct virt *b)
{
    b->topology.epoch++;
    for (unsigned i = 0; i < virt_intc_n(b); i++) {
        if (virt_intc_at(b, i)) {
            device_reset(virt_intc_at(b, i));
        }
    }
}

void virt_intc_free(struct virt *b)
{
    for (unsigned i = 0; i < virt_intc_n(b); i++) {
        device_free(virt_intc_at(b, i));
    }
    if (b->joins_parts) {
        b->vm->irq_sink = (struct irq_sink){ 0 };
    }
}

/* ---- for engines ---- */

/* op0 = 3, CRn = 14: the generic timer; any other register asked for here belongs to the GIC. */
static bool is_timer(uint32_t enc)
{
    return (enc >> 14) == 3 && (enc >> 7 & 15) == 14;
}

/* With GICv2 there are no registers of a CPU interface, and ID_AA64PFR0_EL1 says so. */
bool virt_vcpu_sysreg_read(struct virt *b, unsigned n, uint32_t enc, uint64_t *v)
{
    struct virt_cpu *p = &b->cpu[n];

    if (is_timer(enc)) {
        return arm_timer_sysreg_read(p->timer, enc, v);
    }
    return p->gicv3 && gicv3_cpu_sysreg_read(p->gicv3, enc, v);
}

bool virt_vcpu_sysreg_write(struct virt *b, unsigned n, uint32_t enc, uint64_t v)
{
    struct virt_cpu *p = &b->cpu[n];

    if (is_timer(enc)) {
        return arm_timer_sysreg_write(p->timer, enc, v);
    }
    return p->gicv3 && gicv3_cpu_sysreg_write(p->gicv3, enc, v);
}

struct device *virt_vcpu_timer(struct virt *b, unsigned n)
{
    return b->cpu[n].timer;
}

void virt_vcpu_power_on_reset(struct virt *b, unsigned n)
{
    if (b->cpu[n].gicv3) {
        gicv3_cpu_reset_interface(b->cpu[n].gicv3);
    }
    device_reset(b->cpu[n].timer);
}
