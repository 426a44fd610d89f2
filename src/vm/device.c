/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a device. */
#include "vm/device.h"

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/trace.h"
#include "mem/space.h"
#include "vm/clock.h"
#include "vm/device_guard.h"
#include "vm/device_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

const struct mmio_ops *device_region_ops(struct device *d, unsigned n, void **ctx)
{
    const struct device_region *region = &d->cls->regions[n];

    assert(d->host->realized && !region->ram);
    if (region->ops) {
        *ctx = d;
        return region->ops;
    }
    *ctx = d->host->map[n];
    return device_map_ops(d->host->map[n]);
}

uint64_t device_region_size(const struct device *d, unsigned n)
{
    const struct device_region *region = &d->cls->regions[n];

    return region->size_of ? region->size_of(d) : region->size;
}

bool device_map_region(struct device *d, unsigned n, uint64_t gpa, struct err *e)
{
    const struct device_region *region = &d->cls->regions[n];
    const char *name = region->name ? region->name : d->cls->name;
    uint64_t bytes = device_region_size(d, n);
    const struct mmio_ops *ops;
    void *ctx;

    if (region->ram) {
        return mem_space_add_device_ram(d->host->env.mem, gpa, bytes, d->host->ram[n], name, e);
    }
    ops = device_region_ops(d, n, &ctx);
    if (d->host->map[n]) {
        device_map_is_at(d->host->map[n], gpa);
    }
    if (region->rom) {
        d->host->rom[n] = mem_space_add_rom(d->host->env.mem, gpa, bytes, d->host->ram[n], ops,
                                            ctx, name, e);
        return d->host->rom[n];
    }
    return mem_space_add_mmio(d->host->env.mem, gpa, bytes, ops, ctx, name, e);
}

unsigned device_regions_n(const struct device *d)
{
    const struct device_region *region = d->cls->regions;
    unsigned n = 0;

    while (region && n < DEVICE_REGIONS_MAX && (region[n].size || region[n].size_of)) {
        n++;
    }
    return n;
}

static bool ram_build(struct device *d, unsigned n, struct err *e)
{
    uint64_t bytes = device_region_size(d, n);
    void *ram = MAP_FAILED;

    if (bytes && bytes <= DEVICE_RAM_BYTES_MAX) {
        ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (ram == MAP_FAILED) {
        return err_set(e, "%s: cannot have %" PRIu64 " bytes of memory", d->id, bytes);
    }
    d->host->ram[n] = ram;
    return true;
}

static bool region_build(struct device *d, unsigned n, struct err *e)
{
    const struct device_region *region = &d->cls->regions[n];

    if ((region->ram || region->rom) && !ram_build(d, n, e)) {
        return false;
    }
    if (region->ram || region->ops) {
        return true;
    }
    return device_map_build(d, n, e);
}

/* ---- life ------------------------------------------------------------------------------ */

struct device *device_new(const struct device_class *cls, const char *id, struct err *e)
{
    struct device *d = calloc(1, cls->size);
    struct device_host *host = calloc(1, sizeof *host);

    assert(cls->size >= sizeof *d);
    if (!d || !host) {
        free(d);
        free(host);
        err_set(e, "out of memory for a '%s'", cls->name);
        return NULL;
    }
    d->cls = cls;
    d->host = host;
    d->id = host->id;
    d->host->env.trace = &trace_none;
    d->trace_on = &trace_none.on[TRACE_device_note];
    snprintf(host->id, sizeof host->id, "%s", id && *id ? id : cls->name);
    mutex_init(&d->host->own_lock);
    mutex_init(&d->host->leases_lock);
    d->host->lock = &d->host->own_lock;
    if (!device_options_default(d, e)) {
        device_free(d);
        return NULL;
    }
    return d;
}

void device_connect_irq(struct device *d, unsigned n, struct irq irq)
{
    assert(n < DEVICE_IRQS_MAX);
    d->host->irq[n] = irq;
}

bool device_plug(struct device *d, struct device *parent, struct err *e)
{
    const char *bus = parent->cls->bus_offered;

    assert(!d->host->realized && !d->host->parent);
    if (!bus || !d->cls->bus || strcmp(d->cls->bus, bus)) {
        return err_set(e, "device '%s' goes on a '%s', which '%s' is not", d->cls->name,
                       d->cls->bus ? d->cls->bus : "platform-bus", parent->id);
    }
    d->host->lock = parent->host->lock;
    if (parent->cls->plug && !parent->cls->plug(parent, d, e)) {
        d->host->lock = &d->host->own_lock;
        return false;
    }
    d->host->parent = parent;
    return true;
}

static void timers_free(struct device *d)
{
    while (d->host->timers) {
        struct device_timer *t = d->host->timers;

        d->host->timers = t->next;
        vm_timer_cancel(&t->timer);
        free(t);
    }
}

static void works_free(struct device *d)
{
    while (d->host->works) {
        struct device_work *w = d->host->works;

        d->host->works = w->next;
        loop_work_cancel(&w->work);
        free(w);
    }
}

static void maps_free(struct device *d)
{
    for (unsigned n = 0; n < DEVICE_REGIONS_MAX; n++) {
        free(d->host->map[n]);
        d->host->map[n] = NULL;
        if (d->host->ram[n]) {
            munmap(d->host->ram[n], device_region_size(d, n));
            d->host->ram[n] = NULL;
        }
    }
}

bool device_realize(struct device *d, const struct device_env *env, struct err *e)
{
    const struct device_region *region = d->cls->regions;
    unsigned regions_n = device_regions_n(d);
    struct device_guard guard;
    bool ok;

    assert(!d->host->realized && (!region || !region[regions_n].size));
    d->host->env = *env;
    if (!d->host->env.trace) {
        d->host->env.trace = &trace_none;
    }
    d->trace_on = &d->host->env.trace->on[TRACE_device_note];
    for (unsigned n = 0; n < regions_n; n++) {
        if (!region_build(d, n, e)) {
            goto out;
        }
    }
    device_guard_begin(&guard, device_plugin_path(d), "when it was realized");
    err_set(e, "it did not say why");
    ok = !d->cls->realize || d->cls->realize(d, e);
    device_guard_end(&guard);
    if (!ok) {
        err_prefix(e, "%s", d->id);
        goto out;
    }
    d->host->realized = true;
    return true;
out:
    timers_free(d);
    works_free(d);
    maps_free(d);
    return false;
}

void device_reset_locked(struct device *d)
{
    bool is_first = !d->host->was_reset;
    struct device_guard guard;

    d->host->was_reset = true;
    for (unsigned n = 0; n < device_regions_n(d); n++) {
        if (d->cls->regions[n].ram) {
            memset(d->host->ram[n], 0, device_region_size(d, n));
        }
    }
    device_registers_reset(d);
    for (struct device_timer *t = d->host->timers; t; t = t->next) {
        device_timer_cancel(t);
    }
    if (d->host->bus && d->host->bus->reset) {
        d->host->bus->reset(d);
    }
    if (d->cls->reset && is_first) {
        device_guard_begin(&guard, device_plugin_path(d), "at its first reset");
        guard.locked_dev = d;
        d->cls->reset(d);
        device_guard_end(&guard);
    } else if (d->cls->reset) {
        DEVICE_HOOK(d, "at a reset", NULL, d->cls->reset, d);
    }
}

void device_reset(struct device *d)
{
    mutex_lock(d->host->lock);
    device_reset_locked(d);
    mutex_unlock(d->host->lock);
}

void device_describe_fdt(const struct device *d, struct device_fdt *node)
{
    struct device_guard guard;

    if (d->cls->describe_fdt) {
        device_guard_begin(&guard, device_plugin_path(d), "when it described itself");
        d->cls->describe_fdt(d, node);
        device_guard_end(&guard);
    }
}

void device_free(struct device *d)
{
    if (!d) {
        return;
    }
    if (d->host->realized && d->cls->unrealize) {
        DEVICE_HOOK_UNLOCKED(d, "at its end", NULL, d->cls->unrealize, d);
    }
    timers_free(d);
    works_free(d);
    device_leases_free(d);
    if (d->host->bus && d->host->bus->gone) {
        d->host->bus->gone(d);
    }
    maps_free(d);
    device_options_free(d);
    mutex_destroy(&d->host->leases_lock);
    mutex_destroy(&d->host->own_lock);
    free(d->host);
    free(d);
}
