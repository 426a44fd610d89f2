/* SPDX-License-Identifier: Apache-2.0 */
#include "mem/space.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FLAT_MAX (2 * (MEM_RAM_BLOCKS_MAX + MEM_DEVICE_RAM_MAX + MEM_MMIO_REGIONS_MAX) + 1)
/* A copy pins at most this many pages at once, so that it delays nobody for long. */
#define DMA_PAGES_MAX 64
#define MEM_ROMS_MAX 4
/* Where flat_find() found last what lies at these 512 bytes, modulo the table's size. */
#define FLAT_HINTS_N 256
#define FLAT_HINT_SHIFT 9

struct ram_block {
    uint64_t gpa, size;
    uint8_t *host;
    bool is_device;                     /* of mem_space_add_device_ram() */
    char name[32];
};

struct mmio_region {
    struct mem_mmio at;                 /* ops NULL: nobody */
    uint64_t size;
    const char *name;
    struct mem_rom *rom;                /* or NULL */
};

struct mem_rom {
    struct mem_space *space;
    uint64_t gpa, size;
    uint8_t *host;
    _Atomic bool trapped;
    _Atomic uint8_t *seen;              /* per page: a vCPU may have it in its view */
};

/* What an address decodes to after later regions have covered earlier ones: sorted, disjoint. */
struct flat_range {
    uint64_t first, last;               /* inclusive: a range may end at 2^64 - 1 */
    const struct mmio_region *mmio;     /* NULL: RAM */
    const struct ram_block *ram;
};

struct mem_space {
    struct ram_block ram[MEM_RAM_BLOCKS_MAX];
    unsigned ram_n;
    struct ram_block device_ram[MEM_DEVICE_RAM_MAX];
    unsigned device_ram_n;
    struct mmio_region mmio[MEM_MMIO_REGIONS_MAX];
    unsigned mmio_n;
    struct mem_rom rom[MEM_ROMS_MAX];
    unsigned rom_n;
    void (*drop)(void *ctx, uint64_t page);
    void *drop_ctx;
    struct flat_range flat[FLAT_MAX];
    unsigned flat_n;
    _Atomic uint16_t *hint;             /* FLAT_HINTS_N indexes into `flat`, possibly wrong */
    struct flat_range most_ram;         /* the largest range of RAM: nearly every page is there */
    struct mmio_region fallback;
    const struct ram_ops *ram_ops;      /* NULL: every right is always there */
    void *ram_ops_ctx;
};

struct mem_space *mem_space_new(struct err *e)
{
    struct mem_space *s = calloc(1, sizeof *s);

    if (!s || !(s->hint = calloc(FLAT_HINTS_N, sizeof *s->hint))) {
        err_set(e, "out of memory for the guest's address space");
        free(s);
        return NULL;
    }
    return s;
}

void mem_space_free(struct mem_space *s)
{
    if (!s) {
        return;
    }
    for (unsigned i = 0; i < s->ram_n; i++) {
        munmap(s->ram[i].host, s->ram[i].size);
    }
    for (unsigned i = 0; i < s->rom_n; i++) {
        free(s->rom[i].seen);
    }
    free(s->hint);
    free(s);
}

/* ---- the flat view ---- */

/* Lays `r` over what is there: ranges below it are cut, split or dropped. */
static void flat_lay(struct mem_space *s, struct flat_range r)
{
    struct flat_range out[FLAT_MAX];
    unsigned n = 0;
    bool placed = false;

    for (unsigned i = 0; i < s->flat_n; i++) {
        struct flat_range o = s->flat[i];

        if (o.first < r.first) {
            struct flat_range left = o;
            left.last = MIN(o.last, r.first - 1);
            out[n++] = left;
        }
        if (!placed && o.last >= r.first) {
            out[n++] = r;
            placed = true;
        }
        if (o.last > r.last) {
            struct flat_range right = o;
            right.first = MAX(o.first, r.last + 1);
            out[n++] = right;
        }
        assert(n <= FLAT_MAX - 3);
    }
    if (!placed) {
        out[n++] = r;
    }
    memcpy(s->flat, out, n * sizeof out[0]);
    s->flat_n = n;
    s->most_ram = (struct flat_range){ .first = 1, .last = 0 };
    for (unsigned i = 0; i < n; i++) {
        const struct flat_range *m = &s->most_ram;

        if (out[i].ram && !out[i].mmio && out[i].last - out[i].first >= MEM_PAGE_SIZE &&
            !(((uintptr_t)out[i].ram->host - out[i].ram->gpa) & (MEM_PAGE_SIZE - 1)) &&
            (!m->ram || out[i].last - out[i].first > m->last - m->first)) {
            s->most_ram = out[i];
        }
    }
}

static __attribute__((noinline)) const struct flat_range *flat_search(const struct mem_space *s,
                                                                     uint64_t gpa)
{
    unsigned lo = 0, hi = s->flat_n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (gpa > s->flat[mid].last) {
            lo = mid + 1;
        } else if (gpa < s->flat[mid].first) {
            hi = mid;
        } else {
            atomic_store_explicit(&s->hint[gpa >> FLAT_HINT_SHIFT & (FLAT_HINTS_N - 1)], mid,
                                  memory_order_relaxed);
            return &s->flat[mid];
        }
    }
    return NULL;
}

static inline const struct flat_range *flat_find(const struct mem_space *s, uint64_t gpa)
{
    unsigned guess = atomic_load_explicit(&s->hint[gpa >> FLAT_HINT_SHIFT & (FLAT_HINTS_N - 1)],
                                          memory_order_relaxed);
    const struct flat_range *r = &s->flat[guess];

    return guess < s->flat_n && gpa >= r->first && gpa <= r->last ? r : flat_search(s, gpa);
}

/* ---- building ---- */

static bool check_range(uint64_t gpa, uint64_t size, const char *name, struct err *e)
{
    if (size == 0 || gpa + size - 1 < gpa) {
        return err_set(e, "%s: 0x%" PRIx64 " bytes at 0x%" PRIx64 " is no address range", name,
                       size, gpa);
    }
    return true;
}

bool mem_space_add_ram(struct mem_space *s, uint64_t gpa, uint64_t size, const char *name,
                       struct err *e)
{
    struct ram_block *b = &s->ram[s->ram_n];
    void *host;

    if (!check_range(gpa, size, name, e)) {
        return false;
    }
    if ((gpa | size) & (MEM_PAGE_SIZE - 1)) {
        return err_set(e, "RAM %s: 0x%" PRIx64 " bytes at 0x%" PRIx64
                       ": both must be multiples of 4 KiB", name, size, gpa);
    }
    if (s->ram_n == MEM_RAM_BLOCKS_MAX) {
        return err_set(e, "RAM %s: more than %d blocks of RAM", name, MEM_RAM_BLOCKS_MAX);
    }
    for (unsigned i = 0; i < s->flat_n; i++) {
        if (s->flat[i].first <= gpa + size - 1 && s->flat[i].last >= gpa) {
            return err_set(e, "RAM %s at 0x%" PRIx64 " overlaps %s", name, gpa,
                           s->flat[i].mmio ? s->flat[i].mmio->name : s->flat[i].ram->name);
        }
    }
    host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
    if (host == MAP_FAILED) {
        return err_set(e, "RAM %s: cannot map %" PRIu64 " MiB: %s", name, size / MiB,
                       strerror(errno));
    }
    /* Fewer TLB misses of the host; a failure only costs speed. */
    madvise(host, size, MADV_HUGEPAGE);
    madvise(host, size, MADV_DONTDUMP);
    *b = (struct ram_block){ .gpa = gpa, .size = size, .host = host };
    strncpy(b->name, name, sizeof b->name - 1);
    s->ram_n++;
    flat_lay(s, (struct flat_range){ .first = gpa, .last = gpa + size - 1, .ram = b });
    return true;
}

bool mem_space_add_device_ram(struct mem_space *s, uint64_t gpa, uint64_t size, void *host,
                              const char *name, struct err *e)
{
    struct ram_block *b = &s->device_ram[s->device_ram_n];

    if (!check_range(gpa, size, name, e)) {
        return false;
    }
    if (s->device_ram_n == MEM_DEVICE_RAM_MAX) {
        return err_set(e, "%s: more than %d regions of devices' RAM", name, MEM_DEVICE_RAM_MAX);
    }
    *b = (struct ram_block){ .gpa = gpa, .size = size, .host = host, .is_device = true };
    strncpy(b->name, name, sizeof b->name - 1);
    s->device_ram_n++;
    flat_lay(s, (struct flat_range){ .first = gpa, .last = gpa + size - 1, .ram = b });
    return true;
}

bool mem_space_add_mmio(struct mem_space *s, uint64_t gpa, uint64_t size,
                        const struct mmio_ops *ops, void *ctx, const char *name, struct err *e)
{
    struct mmio_region *r = &s->mmio[s->mmio_n];

    if (!check_range(gpa, size, name, e)) {
        return false;
    }
    if (s->mmio_n == MEM_MMIO_REGIONS_MAX) {
        return err_set(e, "%s: more than %d MMIO regions", name, MEM_MMIO_REGIONS_MAX);
    }
    *r = (struct mmio_region){ .at = { gpa, ops, ctx }, .size = size, .name = name };
    s->mmio_n++;
    flat_lay(s, (struct flat_range){ .first = gpa, .last = gpa + size - 1, .mmio = r });
    return true;
}

/* ---- ROM ---- */

struct mem_rom *mem_space_add_rom(struct mem_space *s, uint64_t gpa, uint64_t size, void *host,
                                  const struct mmio_ops *ops, void *ctx, const char *name,
                                  struct err *e)
{
    struct mem_rom *rom = &s->rom[s->rom_n];

    if ((gpa | size) & (MEM_PAGE_SIZE - 1) || s->rom_n == MEM_ROMS_MAX) {
        err_set(e, "ROM %s: not whole pages, or more than %d of them", name, MEM_ROMS_MAX);
        return NULL;
    }
    *rom = (struct mem_rom){ .space = s, .gpa = gpa, .size = size, .host = host };
    rom->seen = calloc(size >> MEM_PAGE_SHIFT, 1);
    if (!rom->seen) {
        err_set(e, "ROM %s: out of memory", name);
        return NULL;
    }
    if (!mem_space_add_mmio(s, gpa, size, ops, ctx, name, e)) {
        free(rom->seen);
        return NULL;
    }
    s->mmio[s->mmio_n - 1].rom = rom;
    s->rom_n++;
    return rom;
}

void mem_rom_trap(struct mem_rom *rom, bool on)
{
    struct mem_space *s = rom->space;

    atomic_store(&rom->trapped, on);
    for (uint64_t i = 0; on && i < rom->size >> MEM_PAGE_SHIFT; i++) {
        if (atomic_load(&rom->seen[i])) {
            atomic_store(&rom->seen[i], 0);
            if (s->drop) {
                s->drop(s->drop_ctx, (rom->gpa >> MEM_PAGE_SHIFT) + i);
            }
        }
    }
}

void mem_space_set_drop(struct mem_space *s, void (*drop)(void *ctx, uint64_t page), void *ctx)
{
    s->drop = drop;
    s->drop_ctx = ctx;
}

/* The ROM at `gpa`, if its page can be read directly now.  The page counts as seen before the
 * second look, so that whoever traps it either is seen here or finds the mark. */
static struct mem_rom *rom_readable(const struct mem_space *s, uint64_t gpa)
{
    const struct flat_range *r = s->rom_n ? flat_find(s, gpa) : NULL;
    struct mem_rom *rom = r && r->mmio ? r->mmio->rom : NULL;

    if (!rom || atomic_load(&rom->trapped)) {
        return NULL;
    }
    atomic_store(&rom->seen[(gpa - rom->gpa) >> MEM_PAGE_SHIFT], 1);
    return atomic_load(&rom->trapped) ? NULL : rom;
}

void mem_space_set_fallback(struct mem_space *s, const struct mmio_ops *ops, void *ctx)
{
    s->fallback = (struct mmio_region){ .at = { 0, ops, ctx }, .name = "elsewhere" };
}

void mem_space_set_ram_ops(struct mem_space *s, const struct ram_ops *ops, void *ctx)
{
    s->ram_ops = ops;
    s->ram_ops_ctx = ctx;
    /* Rights come and go by the 4 KiB page: a huge page would bring back what was dropped. */
    for (unsigned i = 0; i < s->ram_n; i++) {
        madvise(s->ram[i].host, s->ram[i].size, MADV_NOHUGEPAGE);
    }
}

bool mem_space_ram_block(const struct mem_space *s, unsigned i, uint64_t *gpa, uint64_t *size)
{
    if (i >= s->ram_n) {
        return false;
    }
    *gpa = s->ram[i].gpa;
    *size = s->ram[i].size;
    return true;
}

/* The block if the whole page of `gpa` is RAM and nothing lies over a part of it (and, for a
 * device's RAM, if a page of the guest is a page of the host). */
static const struct ram_block *ram_find(const struct mem_space *s, uint64_t gpa)
{
    uint64_t first = ALIGN_DOWN(gpa, MEM_PAGE_SIZE);
    const struct flat_range *r;

    if (first >= s->most_ram.first && first + MEM_PAGE_SIZE - 1 <= s->most_ram.last) {
        return s->most_ram.ram;
    }
    r = flat_find(s, gpa);
    if (!r || r->mmio || r->first > first || r->last < first + MEM_PAGE_SIZE - 1 ||
        (((uintptr_t)r->ram->host - r->ram->gpa) & (MEM_PAGE_SIZE - 1))) {
        return NULL;
    }
    return r->ram;
}

bool mem_space_mmio_region(const struct mem_space *s, unsigned i, uint64_t *gpa, uint64_t *size,
                           const char **name)
{
    if (i >= s->mmio_n) {
        return false;
    }
    *gpa = s->mmio[i].at.gpa;
    *size = s->mmio[i].size;
    *name = s->mmio[i].name;
    return true;
}

bool mem_space_is_ram(const struct mem_space *s, uint64_t gpa)
{
    return ram_find(s, gpa) != NULL;
}

void *mem_space_host_page(const struct mem_space *s, uint64_t gpa)
{
    const struct flat_range *r = flat_find(s, gpa);

    if (!r || r->mmio) {
        return NULL;
    }
    return r->ram->host + (ALIGN_DOWN(gpa, MEM_PAGE_SIZE) - r->ram->gpa);
}

/* ---- MMIO ---- */

/* A page that is RAM but partly covered has its RAM reached here: `size` bytes, aligned in the
 * guest and in one access when the host's address is aligned, too. */
static bool ram_access(struct mem_space *s, const struct ram_block *b, uint64_t gpa,
                       unsigned size, uint64_t *v, bool write)
{
    const struct ram_ops *ops = b->is_device ? NULL : s->ram_ops;
    uint8_t *p = b->host + (gpa - b->gpa), *mine = (uint8_t *)v;
    uint64_t page = gpa >> MEM_PAGE_SHIFT;

    if (ops && !ops->acquire(s->ram_ops_ctx, page, 1, write ? MEM_WRITE : MEM_READ)) {
        return false;
    }
    switch ((uintptr_t)p & (size - 1) ? 0 : size) {
#define RAM_ONE(T) \
        __atomic_store_n((T *)(write ? p : mine), \
                         __atomic_load_n((T *)(write ? mine : p), __ATOMIC_RELAXED), \
                         __ATOMIC_RELAXED)
    case 1: RAM_ONE(uint8_t); break;
    case 2: RAM_ONE(uint16_t); break;
    case 4: RAM_ONE(uint32_t); break;
    case 8: RAM_ONE(uint64_t); break;
#undef RAM_ONE
    default: memcpy(write ? p : mine, write ? mine : p, size);
    }
    if (ops) {
        ops->release(s->ram_ops_ctx, page, 1);
    }
    return true;
}

/* Aligned, 1–8 bytes, in the range `r` or in none. */
static enum mem_result mmio_one(struct mem_space *s, const struct flat_range *r, uint64_t gpa,
                                unsigned size, unsigned vcpu, uint64_t *v, bool write)
{
    const struct mmio_region *m = r ? r->mmio : &s->fallback;
    uint64_t off;

    if (r && !m) {
        return ram_access(s, r->ram, gpa, size, v, write) ? MEM_OK : MEM_STOPPED;
    }
    if (!m->at.ops) {
        return MEM_NOTHING;
    }
    off = r ? gpa - m->at.gpa : gpa;
    if (write) {
        m->at.ops->write(m->at.ctx, off, size, *v & mem_size_mask(size), vcpu);
    } else {
        *v = m->at.ops->read(m->at.ctx, off, size, vcpu) & mem_size_mask(size);
    }
    return MEM_OK;
}

/* One access, aligned, within one range. */
static bool is_natural(const struct flat_range *r, uint64_t gpa, unsigned size)
{
    return r && !((size | gpa) & (size - 1)) && r->last - gpa >= size - 1;
}

/* Splits into the largest naturally aligned pieces that lie within one range. */
static enum mem_result mmio_access(struct mem_space *s, uint64_t gpa, unsigned size,
                                   unsigned vcpu, uint64_t *v, bool write)
{
    const struct flat_range *r = flat_find(s, gpa);
    uint64_t all = write ? *v : 0;

    assert(size >= 1 && size <= 8);
    if (is_natural(r, gpa, size)) {
        *v = all;
        return mmio_one(s, r, gpa, size, vcpu, v, write);
    }
    for (unsigned done = 0; done < size;) {
        unsigned piece = 8;
        uint64_t part;
        enum mem_result res;

        r = flat_find(s, gpa + done);
        while (piece > size - done || ((gpa + done) & (piece - 1)) ||
               (r && r->last - (gpa + done) < piece - 1)) {
            piece /= 2;
        }
        part = write ? all >> (8 * done) & mem_size_mask(piece) : 0;
        res = mmio_one(s, r, gpa + done, piece, vcpu, &part, write);
        if (res != MEM_OK) {
            return res;
        }
        if (!write) {
            all |= (part & mem_size_mask(piece)) << (8 * done);
        }
        done += piece;
    }
    if (!write) {
        *v = all;
    }
    return MEM_OK;
}

enum mem_result mem_mmio_read(struct mem_space *s, uint64_t gpa, unsigned size, unsigned vcpu,
                              uint64_t *v)
{
    return mmio_access(s, gpa, size, vcpu, v, false);
}

enum mem_result mem_mmio_write(struct mem_space *s, uint64_t gpa, unsigned size, unsigned vcpu,
                               uint64_t v)
{
    return mmio_access(s, gpa, size, vcpu, &v, true);
}

const struct mem_mmio *mem_mmio_find(const struct mem_space *s, uint64_t gpa, unsigned size)
{
    const struct flat_range *r = flat_find(s, gpa);
    const struct mmio_region *m = is_natural(r, gpa, size) ? r->mmio : NULL;

    return m && m->at.ops ? &m->at : NULL;
}

/* ---- RAM ---- */

static enum mem_result page_acquire(struct mem_space *s, uint64_t gpa, enum mem_right right,
                                    bool may_block, void **host)
{
    const struct ram_block *b = ram_find(s, gpa);

    if (!b) {
        struct mem_rom *rom = right == MEM_READ ? rom_readable(s, gpa) : NULL;

        if (!rom) {
            return MEM_NOTHING;
        }
        *host = rom->host + (ALIGN_DOWN(gpa, MEM_PAGE_SIZE) - rom->gpa);
        return MEM_OK;
    }
    if (s->ram_ops && !b->is_device) {
        uint64_t page = gpa >> MEM_PAGE_SHIFT;

        if (!may_block && !s->ram_ops->try_acquire(s->ram_ops_ctx, page, 1, right)) {
            return MEM_WOULD_BLOCK;
        }
        if (may_block && !s->ram_ops->acquire(s->ram_ops_ctx, page, 1, right)) {
            return MEM_STOPPED;
        }
    }
    *host = b->host + (ALIGN_DOWN(gpa, MEM_PAGE_SIZE) - b->gpa);
    return MEM_OK;
}

enum mem_result mem_page_acquire(struct mem_space *s, uint64_t gpa, enum mem_right right,
                                 void **host)
{
    return page_acquire(s, gpa, right, true, host);
}

enum mem_result mem_page_try_acquire(struct mem_space *s, uint64_t gpa, enum mem_right right,
                                     void **host)
{
    return page_acquire(s, gpa, right, false, host);
}

void mem_page_release(struct mem_space *s, uint64_t gpa)
{
    const struct ram_block *b = s->ram_ops ? ram_find(s, gpa) : NULL;

    if (b && !b->is_device) {
        s->ram_ops->release(s->ram_ops_ctx, gpa >> MEM_PAGE_SHIFT, 1);
    }
}

bool mem_lease_get(struct mem_space *s, uint64_t gpa, size_t len, enum mem_right right,
                   struct mem_lease *lease)
{
    const struct flat_range *r = flat_find(s, gpa);
    uint64_t first = gpa >> MEM_PAGE_SHIFT;

    if (!r || r->mmio || len == 0 || r->last - gpa < len - 1) {
        return false;
    }
    if (s->ram_ops && !r->ram->is_device) {
        uint64_t last = (gpa + len - 1) >> MEM_PAGE_SHIFT;

        if (!s->ram_ops->acquire(s->ram_ops_ctx, first, last - first + 1, right)) {
            return false;
        }
    }
    *lease = (struct mem_lease){ .host = r->ram->host + (gpa - r->ram->gpa), .gpa = gpa,
                                 .len = len, .is_device = r->ram->is_device };
    return true;
}

void mem_lease_put(struct mem_space *s, struct mem_lease *lease)
{
    if (lease->host && s->ram_ops && !lease->is_device) {
        uint64_t first = lease->gpa >> MEM_PAGE_SHIFT;
        uint64_t last = (lease->gpa + lease->len - 1) >> MEM_PAGE_SHIFT;

        s->ram_ops->release(s->ram_ops_ctx, first, last - first + 1);
    }
    lease->host = NULL;
}

enum dma_kind { DMA_READ, DMA_WRITE, DMA_ZERO };

static bool dma_check(const struct mem_space *s, uint64_t gpa, size_t len)
{
    while (len) {
        const struct flat_range *r = flat_find(s, gpa);
        uint64_t n;

        if (!r || r->mmio) {
            return false;
        }
        n = r->last - gpa;
        if (n >= len - 1) {
            return true;
        }
        gpa += n + 1;
        len -= n + 1;
    }
    return true;
}

static bool dma_copy(struct mem_space *s, uint64_t gpa, uint8_t *buf, size_t len,
                     enum dma_kind kind)
{
    if (!dma_check(s, gpa, len)) {
        return false;
    }
    while (len) {
        const struct flat_range *r = flat_find(s, gpa);
        uint64_t room = DMA_PAGES_MAX * MEM_PAGE_SIZE - (gpa & (MEM_PAGE_SIZE - 1));
        size_t n = MIN(MIN((uint64_t)len, room), r->last - gpa + 1);
        struct mem_lease l;

        if (!mem_lease_get(s, gpa, n, kind == DMA_READ ? MEM_READ : MEM_WRITE, &l)) {
            return false;
        }
        switch (kind) {
        case DMA_READ: memcpy(buf, l.host, n); break;
        case DMA_WRITE: memcpy(l.host, buf, n); break;
        case DMA_ZERO: memset(l.host, 0, n); break;
        }
        mem_lease_put(s, &l);
        gpa += n;
        buf = buf ? buf + n : NULL;
        len -= n;
    }
    return true;
}

bool mem_dma_read(struct mem_space *s, uint64_t gpa, void *buf, size_t len)
{
    return dma_copy(s, gpa, buf, len, DMA_READ);
}

bool mem_dma_write(struct mem_space *s, uint64_t gpa, const void *buf, size_t len)
{
    return dma_copy(s, gpa, (uint8_t *)buf, len, DMA_WRITE);
}

bool mem_dma_zero(struct mem_space *s, uint64_t gpa, size_t len)
{
    return dma_copy(s, gpa, NULL, len, DMA_ZERO);
}
