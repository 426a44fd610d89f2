/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a device and the dispatch of accesses to its registers. */
#include "vm/device.h"

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/trace.h"
#include "mem/space.h"
#include "vm/clock.h"
#include "vm/device_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A region with a register table as the memory sees it.  row_of[offset >> shift] is 1 + the index
 * of the row there, or 0, so that finding a register is one load. */
struct device_map {
    struct device *dev;
    const struct device_region *region;
    unsigned shift;
    unsigned slots_n;
    uint16_t row_of[];
};

#define DEVICE_MAP_SLOTS_MAX 65536

static uint64_t reg_bytes(const struct device_reg *r)
{
    return (uint64_t)r->size * (r->count ? r->count : 1);
}

static bool map_out_of_memory(const struct device *d, struct err *e)
{
    return err_set(e, "out of memory for the registers of '%s'", d->id);
}

/* Of a region without a table. */
static bool map_build_bare(struct device *d, unsigned n, struct err *e)
{
    struct device_map *m = d->host->map[n] = calloc(1, sizeof *m);

    if (!m) {
        return map_out_of_memory(d, e);
    }
    *m = (struct device_map){ .dev = d, .region = &d->cls->regions[n] };
    return true;
}

static bool map_build(struct device *d, unsigned n, struct err *e)
{
    const struct device_region *region = &d->cls->regions[n];
    uint64_t granule = 8, slots;
    const struct device_reg *r;
    struct device_map *m;
    unsigned shift;

    for (r = region->regs; r->size; r++) {
        while ((r->off | r->size) & (granule - 1)) {
            granule >>= 1;
        }
    }
    shift = __builtin_ctzll(granule);
    slots = (device_region_size(d, n) + granule - 1) >> shift;
    assert(slots <= DEVICE_MAP_SLOTS_MAX);
    m = calloc(1, sizeof *m + slots * sizeof m->row_of[0]);
    if (!m) {
        return map_out_of_memory(d, e);
    }
    *m = (struct device_map){ d, region, shift, slots };
    for (r = region->regs; r->size; r++) {
        uint64_t first = r->off >> shift, end = (r->off + reg_bytes(r) + granule - 1) >> shift;

        assert(end <= slots && r->off % r->size == 0);
        assert(!r->field_size || r->field + r->field_size <= d->cls->size);
        for (; first < end; first++) {
            assert(!m->row_of[first]);      /* two rows at one offset */
            m->row_of[first] = r - region->regs + 1;
        }
    }
    d->host->map[n] = m;
    return true;
}

/* ---- fields ---------------------------------------------------------------------------- */

static void *reg_field(struct device *d, const struct device_reg *r, unsigned i)
{
    return (char *)d + r->field + (size_t)i * r->field_size;
}

static uint64_t field_get(const void *p, unsigned size)
{
    switch (size) {
    case 1: return *(const uint8_t *)p;
    case 2: return *(const uint16_t *)p;
    case 4: return *(const uint32_t *)p;
    case 8: return *(const uint64_t *)p;
    }
    assert(!"field size");
    return 0;
}

static void field_set(void *p, unsigned size, uint64_t v)
{
    switch (size) {
    case 1: *(uint8_t *)p = v; return;
    case 2: *(uint16_t *)p = v; return;
    case 4: *(uint32_t *)p = v; return;
    case 8: *(uint64_t *)p = v; return;
    }
    assert(!"field size");
}

static uint64_t bytes_mask(unsigned size)
{
    return size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

static const char *map_name(const struct device_map *m)
{
    return m->region->name ? m->region->name : m->dev->cls->name;
}

/* ---- dispatch -------------------------------------------------------------------------- */

/* Where an access falls: a register, which of an array, and the byte in it. */
struct reg_at {
    const struct device_reg *reg;
    unsigned i, byte;
};

static bool reg_find(const struct device_map *m, uint64_t off, unsigned size, struct reg_at *at)
{
    uint64_t slot = off >> m->shift;
    const struct device_reg *r;
    unsigned row, sizes;

    row = slot < m->slots_n ? m->row_of[slot] : 0;
    if (!row) {
        return false;
    }
    r = &m->region->regs[row - 1];
    if (off < r->off || off + size > r->off + MAX(reg_bytes(r), size)) {
        return false;
    }
    off -= r->off;
    sizes = r->sizes ? r->sizes : r->size;
    if (!(sizes & size)) {
        return false;
    }
    if (r->window_rd || r->window_wr) {
        *at = (struct reg_at){ r, 0, off };
        return off + size <= reg_bytes(r);
    }
    *at = (struct reg_at){ r, off / r->size, off % r->size };
    return at->byte == 0 || (r->flags & REG_LANES && at->byte + size <= r->size);
}

static uint64_t reg_value(struct device *d, const struct reg_at *at)
{
    const struct device_reg *r = at->reg;

    if (r->rd) {
        return r->rd(d, at->i) & bytes_mask(r->size);
    }
    return r->field_size ? field_get(reg_field(d, r, at->i), r->field_size) : 0;
}

static uint64_t map_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct device_map *m = ctx;
    struct device *d = m->dev;
    struct reg_at at;
    uint64_t v;

    if (!reg_find(m, off, size, &at)) {
        log_guest(d->id, "read of %u bytes at offset 0x%" PRIx64 ": no such register", size, off);
        return 0;
    }
    if (at.reg->window_rd) {
        mutex_lock(d->host->lock);
        v = at.reg->window_rd(d, at.byte, size);
    } else if (at.reg->rd || at.reg->field_size) {
        mutex_lock(d->host->lock);
        v = reg_value(d, &at) >> at.byte * 8;
    } else {
        log_guest(d->id, "read of %s, which is write-only", at.reg->name);
        return 0;
    }
    mutex_unlock(d->host->lock);
    v &= bytes_mask(size);
    trace_device_read(d->host->env.trace, d->id, at.reg->name, off, size, v);
    return v;
}

static void reg_write(struct device *d, const struct reg_at *at, unsigned size, uint64_t v)
{
    const struct device_reg *r = at->reg;
    uint64_t lanes = bytes_mask(r->size);

    if (r->flags & REG_LANES && size < r->size) {
        lanes = bytes_mask(size) << at->byte * 8;
        v = (reg_value(d, at) & ~lanes) | v << at->byte * 8;
    }
    v &= bytes_mask(r->size);
    if (r->field_size && r->wmask) {
        void *p = reg_field(d, r, at->i);
        uint64_t old = field_get(p, r->field_size), mask = r->wmask & lanes;

        field_set(p, r->field_size,
                  r->flags & REG_W1C ? old & ~(v & mask) : (old & ~mask) | (v & mask));
    }
    if (r->wr) {
        r->wr(d, at->i, v);
    }
}

static void map_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct device_map *m = ctx;
    struct device *d = m->dev;
    struct reg_at at;

    v &= bytes_mask(size);
    if (!reg_find(m, off, size, &at)) {
        log_guest(d->id, "write of %u bytes at offset 0x%" PRIx64 ": no such register", size,
                  off);
        return;
    }
    trace_device_write(d->host->env.trace, d->id, at.reg->name, off, size, v);
    if (at.reg->window_wr) {
        mutex_lock(d->host->lock);
        at.reg->window_wr(d, at.byte, size, v);
        mutex_unlock(d->host->lock);
    } else if (at.reg->flags & REG_UNLOCKED) {
        at.reg->wr(d, at.i, v);
    } else if (at.reg->wr || (at.reg->field_size && at.reg->wmask)) {
        mutex_lock(d->host->lock);
        reg_write(d, &at, size, v);
        mutex_unlock(d->host->lock);
    } else if (!(at.reg->flags & REG_QUIET)) {
        log_guest(d->id, "write of %s, which is read-only", at.reg->name);
    }
}

static const struct mmio_ops map_ops = { map_read, map_write };

/* ---- regions of a device's own dispatch ---------------------------------------------------- */

static uint64_t region_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct device_map *m = ctx;
    struct device *d = m->dev;
    uint64_t v;

    mutex_lock(d->host->lock);
    v = d->cls->region_rd ? d->cls->region_rd(d, m->region - d->cls->regions, off, size) : 0;
    mutex_unlock(d->host->lock);
    v &= bytes_mask(size);
    trace_device_read(d->host->env.trace, d->id, map_name(m), off, size, v);
    return v;
}

static void region_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct device_map *m = ctx;
    struct device *d = m->dev;

    v &= bytes_mask(size);
    trace_device_write(d->host->env.trace, d->id, map_name(m), off, size, v);
    mutex_lock(d->host->lock);
    if (d->cls->region_wr) {
        d->cls->region_wr(d, m->region - d->cls->regions, off, size, v);
    }
    mutex_unlock(d->host->lock);
}

static const struct mmio_ops region_ops = { region_read, region_write };

const struct mmio_ops *device_region_ops(struct device *d, unsigned n, void **ctx)
{
    const struct device_region *region = &d->cls->regions[n];

    assert(d->host->realized && !region->ram);
    if (region->ops) {
        *ctx = d;
        return region->ops;
    }
    *ctx = d->host->map[n];
    return region->regs ? &map_ops : &region_ops;
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
    return region->regs ? map_build(d, n, e) : map_build_bare(d, n, e);
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

void device_set_plugin(struct device *d, const char *path)
{
    assert(!d->host->realized && !d->host->plugin_path);
    d->host->plugin_path = strdup(path);
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
    device_guard_begin(d, "when it was realized");
    ok = !d->cls->realize || d->cls->realize(d, e);
    device_guard_end(d);
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

static void reset_registers(struct device *d)
{
    const struct device_region *region = d->cls->regions;
    const struct device_reg *r;

    for (unsigned n = 0; n < device_regions_n(d); n++) {
        if (region[n].ram) {
            memset(d->host->ram[n], 0, device_region_size(d, n));
        }
        for (r = region[n].regs; r && r->size; r++) {
            for (unsigned i = 0; i < (r->count ? r->count : 1); i++) {
                if (r->field_size && !(r->flags & REG_VIEW)) {
                    field_set(reg_field(d, r, i), r->field_size, r->reset);
                }
            }
        }
    }
}

void device_reset_locked(struct device *d)
{
    bool is_first = !d->host->was_reset;

    d->host->was_reset = true;
    reset_registers(d);
    for (struct device_timer *t = d->host->timers; t; t = t->next) {
        device_timer_cancel(t);
    }
    if (d->host->bus && d->host->bus->reset) {
        d->host->bus->reset(d);
    }
    if (is_first) {
        device_guard_begin(d, "at its first reset");
    }
    if (d->cls->reset) {
        d->cls->reset(d);
    }
    if (is_first) {
        device_guard_end(d);
    }
}

void device_reset(struct device *d)
{
    mutex_lock(d->host->lock);
    device_reset_locked(d);
    mutex_unlock(d->host->lock);
}

void device_free(struct device *d)
{
    if (!d) {
        return;
    }
    if (d->host->realized && d->cls->unrealize) {
        d->cls->unrealize(d);
    }
    timers_free(d);
    works_free(d);
    if (d->host->bus && d->host->bus->gone) {
        d->host->bus->gone(d);
    }
    maps_free(d);
    device_options_free(d);
    mutex_destroy(&d->host->own_lock);
    free(d->host->plugin_path);
    free(d->host);
    free(d);
}
