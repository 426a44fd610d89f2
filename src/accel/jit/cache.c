/* SPDX-License-Identifier: Apache-2.0 */
#include "accel/jit/jit_int.h"

#include "base/base.h"
#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

enum { POPULATE_BYTES = 256 << 10, POPULATE_AHEAD = 8 << 10 };

/* Blocks of the same 64 bytes of code share a cache line of the table, those of 256 bytes are
 * neighbours: code is looked up where code has been looked up. */
static unsigned hash_of(uint64_t gpa, unsigned mode)
{
    uint64_t k = (gpa >> 8 << 5 | mode) * UINT64_C(0x9e3779b97f4a7c15);

    return (k >> (64 - JIT_HASH_BITS) & ~UINT64_C(15)) | (gpa >> 4 & 15);
}

static bool map_twice(struct jit_cache *c, struct err *e)
{
    int fd = memfd_create("pando-jit", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, c->size)) {
        if (fd >= 0) {
            close(fd);
        }
        return err_set(e, "jit: no memory for a code cache of %zu MiB: %s", c->size >> 20,
                       strerror(errno));
    }
    c->rw = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    c->rx = mmap(NULL, c->size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    close(fd);
    if (c->rw == MAP_FAILED || c->rx == MAP_FAILED) {
        return err_set(e, "jit: cannot map the code cache: %s", strerror(errno));
    }
    return true;
}

/* The pages that come next, all at once, in both views: a fault for each of them, twice, costs
 * more than making its code's bytes.  A kernel that cannot (before 5.14) takes the faults. */
static void populate(struct jit_cache *c)
{
    size_t bytes = MIN(c->size - c->populated, (size_t)POPULATE_BYTES);

    madvise(c->rw + c->populated, bytes, MADV_POPULATE_WRITE);
    madvise(c->rx + c->populated, bytes, MADV_POPULATE_READ);
    c->populated += bytes;
}

static void cache_free(struct jit_cache *c)
{
    if (c->rw && c->rw != MAP_FAILED) {
        munmap(c->rw, c->size);
    }
    if (c->rx && c->rx != MAP_FAILED) {
        munmap(c->rx, c->size);
    }
    free(c->block);
    free(c);
}

struct jit_cache *jit_cache_new(struct jit *jit, struct err *e)
{
    struct jit_cache *c = calloc(1, sizeof(*c));

    if (!c) {
        err_set(e, "jit: no memory");
        return NULL;
    }
    c->jit = jit;
    c->refs = 1;
    c->size = (size_t)jit->opt.cache_mib << 20;
    c->block_max = MIN(c->size / 256, (1u << JIT_HASH_BITS) / 2);
    c->block = calloc(c->block_max, sizeof(c->block[0]));
    if (!c->block || !map_twice(c, e)) {
        err_set(c->block ? NULL : e, "jit: no memory");
        cache_free(c);
        return NULL;
    }
    jit_thunks_make(c);
    return c;
}

struct jit_cache *jit_cache_ref(struct jit *jit)
{
    struct jit_cache *c;

    pthread_mutex_lock(&jit->lock);
    c = atomic_load(&jit->cache);
    c->refs++;
    pthread_mutex_unlock(&jit->lock);
    return c;
}

void jit_cache_unref(struct jit *jit, struct jit_cache *c)
{
    bool last;

    if (!c) {
        return;
    }
    pthread_mutex_lock(&jit->lock);
    last = --c->refs == 0;
    pthread_mutex_unlock(&jit->lock);
    if (last) {
        cache_free(c);
    }
}

static uint64_t key_of(uint64_t gpa, unsigned mode)
{
    return gpa << 4 | mode | UINT64_C(1) << 63;
}

struct jit_block *jit_cache_find(struct jit_cache *c, uint64_t gpa, unsigned mode)
{
    uint64_t key = key_of(gpa, mode), k;

    for (unsigned h = hash_of(gpa, mode);; h = (h + 1) & ((1 << JIT_HASH_BITS) - 1)) {
        k = atomic_load_explicit(&c->hash[h].key, memory_order_acquire);
        if (k == key) {
            struct jit_block *b = __atomic_load_n(&c->hash[h].block, __ATOMIC_ACQUIRE);
            return atomic_load_explicit(&b->valid, memory_order_relaxed) ? b : NULL;
        }
        if (!k) {
            return NULL;
        }
    }
}

/* An entry is aligned: one store replaces the 5-byte NOP by a jump. */
static void entry_jump(uint8_t *entry, const uint8_t *to)
{
    int32_t d = to - (entry + 5);
    uint64_t old, new;

    memcpy(&old, entry, 8);
    new = (old & ~UINT64_C(0xffffffffff)) | 0xe9 | (uint64_t)(uint32_t)d << 8;
    __atomic_store_n((uint64_t *)(void *)entry, new, __ATOMIC_SEQ_CST);
}

/* What leads to the old translation leads to the one that takes its place from now on: for jumps
 * that are linked to it, looking up again would never end.  All of them come by the entry of the
 * first one, so however often code changes they are one jump away. */
static void take_over(const struct jit_block *old, struct jit_block *b)
{
    b->root = jit_way_in(old);
    entry_jump(b->root, b->entry);
}

/* Under the lock.  A new block of the same key replaces the invalid one. */
static void hash_insert(struct jit_cache *c, struct jit_block *b)
{
    uint64_t key = key_of(b->gpa, b->mode), k;

    for (unsigned h = hash_of(b->gpa, b->mode);; h = (h + 1) & ((1 << JIT_HASH_BITS) - 1)) {
        k = atomic_load_explicit(&c->hash[h].key, memory_order_relaxed);
        if (!k || k == key) {
            /* Not in guarded pages: that a branch may go there, as the jump cache says, depends
             * on an instruction that may have changed. */
            if (k && !c->hash[h].block->valid && !(b->mode & A64_MODE_GUARDED)) {
                take_over(c->hash[h].block, b);
            }
            __atomic_store_n(&c->hash[h].block, b, __ATOMIC_RELEASE);
            atomic_store_explicit(&c->hash[h].key, key, memory_order_release);
            return;
        }
    }
}

static unsigned page_bucket(uint64_t gpa)
{
    return (gpa >> 12 ^ gpa >> 24) & ((1 << JIT_PAGE_BITS) - 1);
}

static void has_code_set(struct jit *jit, uint64_t gpa)
{
    unsigned b = page_bucket(gpa);

    atomic_fetch_or_explicit(&jit->has_code[b / 64], UINT64_C(1) << b % 64, memory_order_seq_cst);
}

static struct jit_block *block_new(struct jit_cache *c, const struct gen_result *r, uint64_t gpa,
                                   unsigned mode, unsigned insn_n)
{
    struct jit_block *b = &c->block[c->block_n++];

    *b = (struct jit_block){
        .gpa = gpa, .mode = mode, .entry = r->entry, .stale = r->stale, .insn_n = insn_n,
    };
    b->page_next = c->page[page_bucket(gpa)];
    c->page[page_bucket(gpa)] = b;
    c->used = r->end - c->rw;
    if (c->populated < MIN(c->used + POPULATE_AHEAD, c->size)) {
        populate(c);
    }
    c->jit->stats.host_bytes += r->end - r->entry;
    c->jit->stats.cache_used = c->used;
    return b;
}

/* Stale before it was born: the reader finds out at once. */
static void publish(struct jit_cache *c, struct jit_block *b, uint64_t seen)
{
    b->valid = true;
    if (atomic_load(&c->jit->invalidations) != seen) {
        b->valid = false;
    } else {
        hash_insert(c, b);
    }
}

struct jit_block *jit_cache_add(struct jit_cpu *v, struct jit_cache *c, uint64_t gpa,
                                const struct a64_block *from, uint64_t seen, bool *full)
{
    struct jit *jit = c->jit;
    struct jit_block *b = NULL;
    struct gen_result r;

    jit_check(&v->ir);
    *full = false;
    pthread_mutex_lock(&jit->lock);
    has_code_set(jit, gpa);
    if (c->size - c->used < GEN_CODE_MAX + 4096 || c->block_n == c->block_max) {
        *full = true;
    } else if (gen_block(&v->gen, &v->ir, NULL, &jit->guest, c->thunk, c->rw + c->used,
                         GEN_CODE_MAX, gpa & 0xfff, c->block_n, &r)) {
        b = block_new(c, &r, gpa, from->mode, from->insn_n);
        jit->made++;
        jit_keep(c, from, &v->gen.far, &r, false);
        jit_dump(c, &v->ir, &v->gen, &r, from, gpa, false);
        publish(c, b, seen);
    }
    pthread_mutex_unlock(&jit->lock);
    return b;
}

struct jit_block *jit_cache_adopt(struct jit_cache *c, const struct jit_image *m, uint64_t gpa,
                                  unsigned mode, uint64_t seen)
{
    struct jit *jit = c->jit;
    struct jit_block *b = NULL;
    uint8_t *to;

    pthread_mutex_lock(&jit->lock);
    has_code_set(jit, gpa);
    to = c->rw + ALIGN_UP(c->used, (size_t)16);
    if (c->size - c->used >= m->code_bytes + 4096 && c->block_n < c->block_max) {
        struct gen_result r = {
            .entry = to + m->entry, .stale = to + m->stale, .end = to + m->code_bytes,
        };
        jit_keep_place(c, m, to, c->block_n);
        b = block_new(c, &r, gpa, mode, m->insn_n);
        b->is_considered = m->is_region;
        publish(c, b, seen);
        jit->stats.blocks++;
        jit->stats.guest_bytes += m->insn_n * 4;
    }
    pthread_mutex_unlock(&jit->lock);
    return b;
}

static void block_invalidate(struct jit *jit, struct jit_block *b)
{
    b = b->of ? b->of : b;
    atomic_store(&b->valid, false);
    entry_jump(b->entry, b->stale);
    jit->stats.invalidated++;
}

/* The region depends on these pages, too. */
static void add_pages(struct jit_cache *c, struct jit_block *region, const struct a64_block *from,
                      const uint64_t *more_gpa)
{
    for (unsigned n = 0; n < from->more_n; n++) {
        struct jit_block *b = &c->block[c->block_n++];
        *b = (struct jit_block){ .gpa = more_gpa[n] & ~UINT64_C(0xfff), .mode = region->mode,
                                 .of = region };
        b->page_next = c->page[page_bucket(b->gpa)];
        c->page[page_bucket(b->gpa)] = b;
    }
}

/* False: there are not enough numbers. */
static bool number_links(struct jit_cache *c, struct gen_homes *h, uint64_t gpa,
                         const struct a64_block *from, const uint64_t *more_gpa)
{
    _Static_assert((int)GEN_PAGES_MAX == (int)A64_REGION_PAGES, "the same");
    for (unsigned i = 0; i <= from->more_n; i++) {
        for (unsigned k = 0; k <= from->more_n; k++) {
            uint64_t a = i ? more_gpa[i - 1] : gpa, b = k ? more_gpa[k - 1] : gpa;
            int32_t distance = (k ? from->more[k - 1].distance : 0) -
                               (i ? from->more[i - 1].distance : 0);
            if (i == k) {
                continue;
            }
            h->link[i][k] = jit_pair_number(c, a >> 12, jit_pair_to(b, from->mode), distance);
            if (!h->link[i][k]) {
                return false;
            }
        }
    }
    return true;
}

bool jit_cache_add_region(struct jit *jit, struct jit_cache *c, const struct ir *ir,
                          struct gen *gen, uint64_t gpa, const struct a64_block *from,
                          const uint64_t *more_gpa, uint64_t seen, uint64_t translate_ns)
{
    uint64_t begin = jit_now_ns();
    struct jit_block *b, *old;
    struct gen_homes homes;
    struct gen_result r;
    bool done = false;

    jit_check(ir);
    pthread_mutex_lock(&jit->lock);
    if (c->size - c->used < GEN_CODE_MAX + 4096 || c->block_n + A64_REGION_PAGES > c->block_max ||
        c != atomic_load(&jit->cache) || !jit_may_make(jit) ||
        !number_links(c, &homes, gpa, from, more_gpa)) {
        pthread_mutex_unlock(&jit->lock);
        return true;
    }
    for (unsigned i = 0; !done && gen_homes_choose(&homes, ir, i); i++) {
        done = gen_block(gen, ir, &homes, &jit->guest, c->thunk, c->rw + c->used, GEN_CODE_MAX,
                         gpa & 0xfff, c->block_n, &r);
    }
    /* Before the look at what has been invalidated: who does that later must find the pages. */
    for (unsigned i = 0; i < from->more_n; i++) {
        has_code_set(jit, more_gpa[i]);
    }
    old = jit_cache_find(c, gpa, from->mode);
    if (done && old && atomic_load(&jit->invalidations) == seen) {
        b = block_new(c, &r, gpa, from->mode, from->insn_n);
        jit->made++;
        add_pages(c, b, from, more_gpa);
        if (!from->more_n) {
            jit_keep(c, from, &gen->far, &r, true);
        }
        jit_dump(c, ir, gen, &r, from, gpa, true);
        b->is_considered = b->valid = true;
        take_over(old, b);
        hash_insert(c, b);
        jit->stats.regions++;
        jit->stats.region_insns += from->insn_n;
        jit->stats.region_bytes += r.end - r.entry;
        jit->stats.region_ns += jit_now_ns() - begin + translate_ns;
    }
    pthread_mutex_unlock(&jit->lock);
    return done;
}

/* Their room is not used again before the cache is full. */
static void invalidate_all(struct jit *jit)
{
    struct jit_cache *c;

    pthread_mutex_lock(&jit->lock);
    c = atomic_load(&jit->cache);
    for (unsigned i = 0; i < c->block_n; i++) {
        if (c->block[i].valid) {
            block_invalidate(jit, &c->block[i]);
        }
    }
    memset(c->page, 0, sizeof(c->page));
    pthread_mutex_unlock(&jit->lock);
}

void jit_invalidate(struct jit *jit, uint64_t gpa, uint64_t bytes)
{
    struct jit_cache *c;
    uint64_t first = gpa & ~UINT64_C(0xfff), last = gpa + (bytes ? bytes - 1 : 0);

    atomic_fetch_add(&jit->invalidations, 1);
    if (bytes > UINT64_C(1) << 32) {
        invalidate_all(jit);
        return;
    }
    for (uint64_t page = first; page <= last; page += 4096) {
        unsigned bucket = page_bucket(page);
        struct jit_block **p, *b;
        if (!(atomic_load(&jit->has_code[bucket / 64]) >> bucket % 64 & 1)) {
            continue;
        }
        pthread_mutex_lock(&jit->lock);
        c = atomic_load(&jit->cache);
        for (p = &c->page[bucket]; (b = *p) != NULL;) {
            if (b->gpa >> 12 == page >> 12) {
                block_invalidate(jit, b);
                *p = b->page_next;
            } else {
                p = &b->page_next;
            }
        }
        pthread_mutex_unlock(&jit->lock);
    }
}

void jit_flush(struct jit *jit)
{
    struct jit_cache *old, *c = jit_cache_new(jit, NULL);

    if (!c) {
        return;                 /* no memory: the next block that does not fit tries again */
    }
    pthread_mutex_lock(&jit->lock);
    old = atomic_load(&jit->cache);
    c->epoch = old->epoch + 1;
    for (unsigned i = 0; i < old->block_n; i++) {
        if (old->block[i].valid) {
            block_invalidate(jit, &old->block[i]);
        }
    }
    memset(jit->has_code, 0, sizeof(jit->has_code));
    atomic_fetch_add(&jit->invalidations, 1);   /* nothing that is being made now goes into it */
    atomic_store(&jit->cache, c);
    jit->stats.flushes++;
    pthread_mutex_unlock(&jit->lock);
    jit_cache_unref(jit, old);
}
