/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch of accesses to a device's registers. */
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
#include <stdlib.h>

/* How an access to a register as a whole is done, which is most of them. */
enum how {
    HOW_ANY,            /* by the general way: it is a window, or a plug-in's hook, or wrong */
    HOW_WORD,           /* it is no more than a field of four bytes … */
    HOW_FIELD,          /* … or of another size */
    HOW_QUICK,          /* a hook that promises REG_QUICK */
    HOW_HOOK,
    HOW_UNLOCKED,
};

/* What begins at one place of a region: finding a register is a load and a comparison. */
struct slot {
    uint32_t key;                   /* slot_key() of an access to it as a whole */
    uint16_t i;                     /* number of the element */
    uint8_t rd, wr;                 /* enum how */
    uint64_t mask;                  /* its bits */
    const struct device_reg *reg;   /* what covers it; NULL: nothing */
    void *field;                    /* of its element; NULL: none */
};

#define KEY_NEVER UINT32_MAX

/* `off` is within the slots: below 2^19. */
static inline uint32_t slot_key(uint64_t off, unsigned size)
{
    return (uint32_t)off << 4 | size;
}

/* A region with a register table, or with a dispatch of the device's own, as the memory sees it.
 * slot[offset >> shift] is what is there. */
struct device_map {
    struct device *dev;
    struct mutex *lock;
    const struct trace *trace;
    const struct device_region *region;
    uint64_t gpa;                   /* for people */
    uint32_t slots_n;
    uint8_t shift;
    struct slot slot[];
};

#define DEVICE_MAP_SLOTS_MAX 65536

static unsigned reg_elements(const struct device_reg *r)
{
    return r->count ? r->count : 1;
}

static uint64_t reg_bytes(const struct device_reg *r)
{
    return (uint64_t)r->size * reg_elements(r);
}

static bool is_window(const struct device_reg *r)
{
    return r->window_rd || r->window_wr;
}

static unsigned reg_sizes(const struct device_reg *r)
{
    return r->sizes ? r->sizes : r->size;
}

/* ---- the map --------------------------------------------------------------------------- */

static uint64_t bytes_mask(unsigned size)
{
    return UINT64_MAX >> (64 - size * 8);
}

static bool is_size(unsigned n)
{
    return n == 1 || n == 2 || n == 4 || n == 8;
}

static void *reg_field(struct device *d, const struct device_reg *r, unsigned i)
{
    return (char *)d + r->field + (size_t)i * r->field_size;
}

static enum how how_read(const struct device *d, const struct device_reg *r)
{
    if (r->rd) {
        return d->host->plugin ? HOW_ANY : r->flags & REG_QUICK ? HOW_QUICK : HOW_HOOK;
    }
    return !r->field_size || r->field_size > r->size ? HOW_ANY :
           r->field_size == 4 ? HOW_WORD : HOW_FIELD;
}

static enum how how_write(const struct device *d, const struct device_reg *r)
{
    if (r->wr) {
        return d->host->plugin ? HOW_ANY : r->flags & REG_UNLOCKED ? HOW_UNLOCKED :
               r->flags & REG_QUICK ? HOW_QUICK : HOW_HOOK;
    }
    return !r->field_size || !r->wmask ? HOW_ANY :
           r->field_size == 4 && r->size == 4 && !(r->flags & REG_W1C) ? HOW_WORD : HOW_FIELD;
}

/* false: the table is wrong, which a plug-in's may be. */
static bool map_add(struct device_map *m, const struct device_reg *r, struct err *e)
{
    uint64_t granule = UINT64_C(1) << m->shift;
    uint64_t first = r->off >> m->shift, end = (r->off + reg_bytes(r) + granule - 1) >> m->shift;

    if (end > m->slots_n || r->off % r->size || !is_size(r->size) ||
        r->field + (r->field_size ? reg_elements(r) * r->field_size : 0) > m->dev->cls->size ||
        (r->field_size && !is_size(r->field_size))) {
        return err_set(e, "%s: register '%s' is outside of its region or of the struct, or of an "
                       "impossible size", m->dev->id, r->name);
    }
    for (uint64_t n = first; n < end; n++) {
        uint32_t i = ((n << m->shift) - r->off) / r->size;
        bool is_whole = !is_window(r) && reg_sizes(r) & r->size;

        if (m->slot[n].reg) {
            return err_set(e, "%s: registers '%s' and '%s' overlap", m->dev->id,
                           m->slot[n].reg->name, r->name);
        }
        m->slot[n] = (struct slot){
            .key = is_whole ? slot_key(r->off + i * r->size, r->size) : KEY_NEVER,
            .reg = r, .i = i, .mask = bytes_mask(r->size),
            .field = r->field_size ? reg_field(m->dev, r, i) : NULL,
            .rd = how_read(m->dev, r), .wr = how_write(m->dev, r),
        };
    }
    return true;
}

bool device_map_build(struct device *d, unsigned n, struct err *e)
{
    const struct device_region *region = &d->cls->regions[n];
    uint64_t granule = 8, slots = 0;
    const struct device_reg *r;
    struct device_map *m;

    for (r = region->regs; r && r->size; r++) {
        while ((r->off | (is_window(r) ? r->count : r->size)) & (granule - 1)) {
            granule >>= 1;
        }
    }
    if (region->regs) {
        slots = (device_region_size(d, n) + granule - 1) / granule;
    }
    if (slots > DEVICE_MAP_SLOTS_MAX) {
        return err_set(e, "%s: a region with registers is at most %u of them long", d->id,
                       DEVICE_MAP_SLOTS_MAX);
    }
    m = calloc(1, sizeof *m + slots * sizeof m->slot[0]);
    if (!m) {
        return err_set(e, "out of memory for the registers of '%s'", d->id);
    }
    *m = (struct device_map){
        .dev = d, .lock = d->host->lock, .trace = d->host->env.trace, .region = region,
        .slots_n = slots, .shift = __builtin_ctzll(granule),
    };
    d->host->map[n] = m;
    for (r = region->regs; r && r->size; r++) {
        if (!map_add(m, r, e)) {
            return false;
        }
    }
    return true;
}

void device_map_is_at(struct device_map *m, uint64_t gpa)
{
    m->gpa = gpa;
}

/* ---- fields ---------------------------------------------------------------------------- */

/* 1, 2, 4 or 8 bytes: map_add looks after that. */
static inline uint64_t field_get(const void *p, unsigned size)
{
    switch (size) {
    case 4: return *(const uint32_t *)p;
    case 1: return *(const uint8_t *)p;
    case 2: return *(const uint16_t *)p;
    }
    return *(const uint64_t *)p;
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

void device_registers_reset(struct device *d)
{
    const struct device_reg *r;

    for (unsigned n = 0; n < device_regions_n(d); n++) {
        for (r = d->cls->regions[n].regs; r && r->size; r++) {
            for (unsigned i = 0; i < reg_elements(r); i++) {
                if (r->field_size && !(r->flags & REG_VIEW)) {
                    field_set(reg_field(d, r, i), r->field_size, r->reset);
                }
            }
        }
    }
}

/* ---- dispatch -------------------------------------------------------------------------- */

/* Where an access falls: a register, which of an array, and the byte in it. */
struct reg_at {
    const struct device_reg *reg;
    unsigned i, byte;
};

/* Also when it is not a register as a whole. */
static bool reg_find(const struct device_map *m, uint64_t off, unsigned size, struct reg_at *at)
{
    uint64_t slot = off >> m->shift;
    const struct device_reg *r = slot < m->slots_n ? m->slot[slot].reg : NULL;

    if (!r || off < r->off || off + size > r->off + MAX(reg_bytes(r), size) ||
        !(reg_sizes(r) & size)) {
        return false;
    }
    off -= r->off;
    if (is_window(r)) {
        *at = (struct reg_at){ r, 0, off };
        return off + size <= reg_bytes(r);
    }
    *at = (struct reg_at){ r, off / r->size, off % r->size };
    return at->byte == 0 || (r->flags & REG_LANES && at->byte + size <= r->size);
}

enum way { TO_DEVICE, FROM_DEVICE };

static __attribute__((noinline, cold)) void trace_access(const struct device_map *m, enum way way,
                                                         const char *name, uint64_t off,
                                                         unsigned size, uint64_t v)
{
    int64_t now_ns = vm_clock_ns(m->dev->host->env.clock);

    (way == FROM_DEVICE ? trace_device_read : trace_device_write)(
        m->trace, m->dev->id, name, off, size, v, m->gpa + off, now_ns);
}

static inline void trace(const struct device_map *m, enum way way, const char *name, uint64_t off,
                         unsigned size, uint64_t v)
{
    if (trace_is_on(m->trace, way == FROM_DEVICE ? TRACE_device_read : TRACE_device_write)) {
        trace_access(m, way, name, off, size, v);
    }
}

static __attribute__((noinline, cold)) void no_register(const struct device_map *m,
                                                        const char *what, uint64_t off,
                                                        unsigned size)
{
    log_guest(m->dev->id, "%s of %u bytes at offset 0x%" PRIx64 ": no such register", what, size,
              off);
}

static inline uint64_t reg_value(struct device *d, const struct reg_at *at)
{
    const struct device_reg *r = at->reg;

    if (r->rd) {
        return DEVICE_HOOK(d, "in a read of", r->name, r->rd, d, at->i) & bytes_mask(r->size);
    }
    return r->field_size ? field_get(reg_field(d, r, at->i), r->field_size) : 0;
}

/* A register as a whole, while nobody traces: NULL otherwise. */
static inline const struct slot *slot_whole(const struct device_map *m, uint64_t off,
                                            unsigned size, enum trace_id id)
{
    uint64_t n = off >> m->shift;
    const struct slot *s = &m->slot[n];

    return __builtin_expect(n < m->slots_n && s->key == slot_key(off, size) &&
                            !trace_is_on(m->trace, id), 1) ? s : NULL;
}

static void change_field(const struct device_reg *r, void *p, uint64_t v, uint64_t mask)
{
    uint64_t old = field_get(p, r->field_size);

    field_set(p, r->field_size,
              r->flags & REG_W1C ? old & ~(v & mask) : (old & ~mask) | (v & mask));
}

/* With the lock held, for what is not HOW_ANY. */
static inline uint64_t slot_read(struct device *d, const struct slot *s)
{
    return s->reg->rd ? s->reg->rd(d, s->i) & s->mask
                      : field_get(s->field, s->reg->field_size);
}

static inline void slot_write(struct device *d, const struct slot *s, uint64_t v)
{
    if (s->field && s->reg->wmask) {
        change_field(s->reg, s->field, v, s->reg->wmask);
    }
    if (s->reg->wr) {
        s->reg->wr(d, s->i, v);
    }
}

/* ---- the general way: any access, any device, traced or not ------------------------------- */

static __attribute__((noinline)) uint64_t read_any(struct device_map *m, uint64_t off,
                                                   unsigned size, unsigned vcpu)
{
    struct device *d = m->dev;
    struct reg_at at;
    uint64_t v = 0;

    if (!reg_find(m, off, size, &at)) {
        no_register(m, "read", off, size);
        return 0;
    }
    if (at.reg->rd || at.reg->field_size) {
        mutex_lock(m->lock);
        d->host->initiator = vcpu;
        v = reg_value(d, &at) >> at.byte * 8;
        mutex_unlock(m->lock);
    } else if (at.reg->window_rd) {
        mutex_lock(m->lock);
        d->host->initiator = vcpu;
        v = DEVICE_HOOK(d, "in a read of", at.reg->name, at.reg->window_rd, d, at.byte, size);
        mutex_unlock(m->lock);
    } else {
        log_guest(d->id, "read of %s, which is write-only", at.reg->name);
        return 0;
    }
    v &= bytes_mask(size);
    trace(m, FROM_DEVICE, at.reg->name, off, size, v);
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
        change_field(r, reg_field(d, r, at->i), v, r->wmask & lanes);
    }
    if (r->wr) {
        DEVICE_HOOK(d, "in a write of", r->name, r->wr, d, at->i, v);
    }
}

static __attribute__((noinline)) void write_any(struct device_map *m, uint64_t off, unsigned size,
                                                uint64_t v, unsigned vcpu)
{
    struct device *d = m->dev;
    struct reg_at at;

    v &= bytes_mask(size);
    if (!reg_find(m, off, size, &at)) {
        no_register(m, "write", off, size);
        return;
    }
    trace(m, TO_DEVICE, at.reg->name, off, size, v);
    if (at.reg->window_wr) {
        mutex_lock(m->lock);
        d->host->initiator = vcpu;
        DEVICE_HOOK(d, "in a write of", at.reg->name, at.reg->window_wr, d, at.byte, size, v);
        mutex_unlock(m->lock);
    } else if (at.reg->flags & REG_UNLOCKED) {
        DEVICE_HOOK_UNLOCKED(d, "in a write of", at.reg->name, at.reg->wr, d, at.i, v);
    } else if (at.reg->wr || (at.reg->field_size && at.reg->wmask)) {
        mutex_lock(m->lock);
        d->host->initiator = vcpu;
        reg_write(d, &at, size, v);
        mutex_unlock(m->lock);
    } else if (!(at.reg->flags & REG_QUIET)) {
        log_guest(d->id, "write of %s, which is read-only", at.reg->name);
    }
}

/* Rows without a hook, or whose hook promises it, need nothing but the lock. */
static __attribute__((noinline)) bool try_read_any(struct device_map *m, uint64_t off,
                                                   unsigned size, uint64_t *v)
{
    struct reg_at at;

    if (trace_is_on(m->trace, TRACE_device_read) || !reg_find(m, off, size, &at) ||
        !(at.reg->rd ? at.reg->flags & REG_QUICK : at.reg->field_size) ||
        !mutex_try_lock(m->lock)) {
        return false;
    }
    *v = reg_value(m->dev, &at) >> at.byte * 8 & bytes_mask(size);
    mutex_unlock(m->lock);
    return true;
}

static __attribute__((noinline)) bool try_write_any(struct device_map *m, uint64_t off,
                                                    unsigned size, uint64_t v)
{
    struct device *d = m->dev;
    struct reg_at at;

    if (trace_is_on(m->trace, TRACE_device_write) || !reg_find(m, off, size, &at) ||
        at.reg->window_wr || !(at.reg->wr ? at.reg->flags & (REG_QUICK | REG_UNLOCKED)
                                          : at.reg->field_size && at.reg->wmask)) {
        return false;
    }
    v &= bytes_mask(size);
    if (at.reg->flags & REG_UNLOCKED) {
        DEVICE_HOOK_UNLOCKED(d, "in a write of", at.reg->name, at.reg->wr, d, at.i, v);
        return true;
    }
    if (!mutex_try_lock(m->lock)) {
        return false;
    }
    reg_write(d, &at, size, v);
    mutex_unlock(m->lock);
    return true;
}

/* ---- the short ways: what guests do over and over ------------------------------------------ */

static uint64_t map_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct device_map *m = ctx;
    const struct slot *s = slot_whole(m, off, size, TRACE_device_read);
    uint64_t v;

    if (!s || s->rd == HOW_ANY) {
        return read_any(m, off, size, vcpu);
    }
    mutex_lock(m->lock);
    m->dev->host->initiator = vcpu;
    v = slot_read(m->dev, s);
    mutex_unlock(m->lock);
    return v;
}

static void map_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct device_map *m = ctx;
    const struct slot *s = slot_whole(m, off, size, TRACE_device_write);

    if (!s || s->wr == HOW_ANY) {
        write_any(m, off, size, v, vcpu);
        return;
    }
    v &= s->mask;
    if (s->wr == HOW_UNLOCKED) {
        s->reg->wr(m->dev, s->i, v);
        return;
    }
    mutex_lock(m->lock);
    m->dev->host->initiator = vcpu;
    slot_write(m->dev, s, v);
    mutex_unlock(m->lock);
}

/* Apart from what follows, so that that has no registers to save. */
static __attribute__((noinline)) bool try_read_slot(struct device_map *m, const struct slot *s,
                                                    uint64_t *v)
{
    struct device *d = m->dev;

    if (s->rd == HOW_HOOK || !mutex_try_lock(m->lock)) {
        return false;
    }
    *v = s->rd == HOW_QUICK ? s->reg->rd(d, s->i) & s->mask
                            : field_get(s->field, s->reg->field_size);
    mutex_unlock(m->lock);
    return true;
}

static bool map_try_read(void *ctx, uint64_t off, unsigned size, uint64_t *v)
{
    struct device_map *m = ctx;
    const struct slot *s = slot_whole(m, off, size, TRACE_device_read);

    if (!s || s->rd != HOW_WORD) {
        return s && s->rd != HOW_ANY ? try_read_slot(m, s, v) : try_read_any(m, off, size, v);
    }
    if (!mutex_try_lock(m->lock)) {
        return false;
    }
    *v = *(const uint32_t *)s->field;
    mutex_unlock(m->lock);
    return true;
}

static __attribute__((noinline)) bool try_write_slot(struct device_map *m, const struct slot *s,
                                                     uint64_t v)
{
    if (s->wr == HOW_HOOK || !mutex_try_lock(m->lock)) {
        return false;
    }
    slot_write(m->dev, s, v);
    mutex_unlock(m->lock);
    return true;
}

static bool map_try_write(void *ctx, uint64_t off, unsigned size, uint64_t v)
{
    struct device_map *m = ctx;
    const struct slot *s = slot_whole(m, off, size, TRACE_device_write);

    if (!s || s->wr == HOW_ANY) {
        return try_write_any(m, off, size, v);
    }
    v &= s->mask;
    if (s->wr == HOW_UNLOCKED) {
        s->reg->wr(m->dev, s->i, v);
        return true;
    }
    if (s->wr != HOW_WORD) {
        return try_write_slot(m, s, v);
    }
    if (!mutex_try_lock(m->lock)) {
        return false;
    }
    uint32_t *p = s->field, mask = s->reg->wmask;
    *p = (*p & ~mask) | (v & mask);
    mutex_unlock(m->lock);
    return true;
}

static const struct mmio_ops map_ops = { map_read, map_write, map_try_read, map_try_write };

/* ---- regions of a device's own dispatch ---------------------------------------------------- */

static const char *map_name(const struct device_map *m)
{
    return m->region->name ? m->region->name : m->dev->cls->name;
}

static uint64_t region_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct device_map *m = ctx;
    struct device *d = m->dev;
    unsigned n = m->region - d->cls->regions;
    uint64_t v = 0;

    mutex_lock(m->lock);
    d->host->initiator = vcpu;
    if (d->cls->region_rd) {
        v = DEVICE_HOOK(d, "in a read of", map_name(m), d->cls->region_rd, d, n, off, size);
    }
    mutex_unlock(m->lock);
    v &= bytes_mask(size);
    trace(m, FROM_DEVICE, map_name(m), off, size, v);
    return v;
}

static void region_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct device_map *m = ctx;
    struct device *d = m->dev;
    unsigned n = m->region - d->cls->regions;

    v &= bytes_mask(size);
    trace(m, TO_DEVICE, map_name(m), off, size, v);
    mutex_lock(m->lock);
    d->host->initiator = vcpu;
    if (d->cls->region_wr) {
        DEVICE_HOOK(d, "in a write of", map_name(m), d->cls->region_wr, d, n, off, size, v);
    }
    mutex_unlock(m->lock);
}

static const struct mmio_ops region_ops = { region_read, region_write };

const struct mmio_ops *device_map_ops(const struct device_map *m)
{
    return m->region->regs ? &map_ops : &region_ops;
}
