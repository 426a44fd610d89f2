/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of this folder. */
#pragma once
#include "accel/jit/jit.h"
#include "accel/jit/persist.h"
#include "base/thread.h"
#include "isa/a64/translate.h"
#include "isa/emit_x64/gen.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    JIT_HASH_BITS = 18, JIT_PAGE_BITS = 12, JIT_COLD_SLOTS = 1 << 16,
    JIT_PAIRS = 1 << 18,                /* more than A64_TLB_LINKS */
};

union a64_vreg;

struct jit_block {
    uint64_t gpa;
    struct jit_block *page_next;        /* of the same bucket of pages */
    uint8_t *entry, *stale;             /* write view */
    uint16_t insn_n;
    uint8_t mode;
    _Atomic bool valid;
    _Atomic bool is_considered;         /* as the head of a region */
    uint8_t *root;                      /* entry of the first translation of this code, whose
                                         * place others took since; NULL: of this one */
    struct jit_block *of;               /* another page of this region */
};

/* Two pages of code with a jump from one to the other: link.c. */
struct jit_pair {
    uint64_t from, to;                  /* guest-physical page; page << 1 | is guarded, as that is
                                         * part of what the translation was made for */
    int32_t distance;                   /* in pages of VA */
    uint32_t number;                    /* 0: empty */
};

static inline uint64_t jit_pair_to(uint64_t gpa, unsigned mode)
{
    return gpa >> 12 << 1 | !!(mode & A64_MODE_GUARDED);
}

/* One code cache.  Never changes hands but by reference counts: each vCPU that may execute in
 * it, and struct jit for the current one. */
struct jit_cache {
    struct jit *jit;
    uint8_t *rw, *rx;                   /* two views of one memfd: W^X */
    size_t size, used, populated;       /* under the lock */
    unsigned refs;                      /* under the lock */
    uint64_t epoch;
    const uint8_t *thunk[GEN_T_COUNT];  /* write view */
    const uint8_t *enter, *leave;       /* run view */
    unsigned block_n, block_max;
    struct jit_block *block;
    struct jit_block *page[1 << JIT_PAGE_BITS];
    unsigned pair_n;                    /* under the lock */
    struct jit_pair pair[JIT_PAIRS];    /* by hash */
    struct {
        _Atomic uint64_t key;           /* gpa << 4 | mode; set after the block */
        struct jit_block *block;
    } hash[1 << JIT_HASH_BITS];         /* key 0: empty */
};

struct jit_regions;

struct jit {
    struct jit_regions *regions;        /* region.c; NULL: first tier only */
    pthread_mutex_t lock;               /* making and invalidating translations */
    _Atomic(struct jit_cache *) cache;  /* the current one */
    _Atomic uint64_t invalidations;     /* changes whenever a translation may be stale */
    _Atomic uint64_t has_code[64];      /* Bloom filter: pages with translations */
    struct jit_options opt;
    struct jit_persist *persist;        /* NULL: translations are not kept */
    struct gen_guest guest;
    struct jit_cpu *cpus;               /* under the lock */
    _Atomic uint64_t made;              /* translations; changed under the lock */
    struct hostdis *dis;                /* the same; made when -d out_asm is first seen */
    struct jit_stats stats;             /* of translation, and of vCPUs that are gone */
};

/* Of opt.regions_max. */
static inline bool jit_may_make(const struct jit *jit)
{
    return !jit->opt.regions_max || jit->made < jit->opt.regions_max;
}

struct jit_cpu {
    struct jit *jit;
    struct jit_cpu *next;
    struct jit_stats stats;             /* what this vCPU counts: not shared with others */
    struct jit_cache *cache;            /* that this vCPU executes in; NULL outside of jit_run */
    struct jit_cache *old;              /* may hold the routine that jit_next() returns to */
    uint64_t epoch;                     /* of the cache that the TLB's jump caches point into */
    uint8_t mode_seen[2];               /* by EL: other modes have other translations */
    uint8_t runs[JIT_COLD_SLOTS];       /* of blocks not translated yet, by hash */
    struct ir ir;
    struct gen gen;
    struct a64_words words;             /* what the last translation was made from */
};

/* Through which everybody enters the block (write view): what leads there never changes. */
static inline uint8_t *jit_way_in(const struct jit_block *b)
{
    return b->root ? b->root : b->entry;
}

static inline const uint8_t *jit_run_view(const struct jit_cache *c, const uint8_t *p)
{
    return p - c->rw + c->rx;
}

/* thunks.c: the shared routines at the start of a cache. */
void jit_thunks_make(struct jit_cache *c);

/* cache.c.  jit_cache_unref(): NULL does nothing. */
struct jit_cache *jit_cache_new(struct jit *jit, struct err *e);
void jit_cache_unref(struct jit *jit, struct jit_cache *c);     /* takes the lock */
/* Generates v->ir and publishes; NULL if the cache is full (*full) or the block too large.
 * `seen`: jit->invalidations when the guest code was read. */
struct jit_block *jit_cache_add(struct jit_cpu *v, struct jit_cache *c, uint64_t gpa,
                                const struct a64_block *from, uint64_t seen, bool *full);
/* A translation that was kept; NULL: no room, or the code has changed since `seen`. */
struct jit_block *jit_cache_adopt(struct jit_cache *c, const struct jit_image *m, uint64_t gpa,
                                  unsigned mode, uint64_t seen);
struct jit_block *jit_cache_find(struct jit_cache *c, uint64_t gpa, unsigned mode);
struct jit_cache *jit_cache_ref(struct jit *jit);               /* the current one */
/* Generates a region and puts it in the place of the block at its head.  `more_gpa`: of the pages
 * in from->more.  False: it does not fit; true also if nobody wants it any more. */
bool jit_cache_add_region(struct jit *jit, struct jit_cache *c, const struct ir *ir,
                          struct gen *gen, uint64_t gpa, const struct a64_block *from,
                          const uint64_t *more_gpa, uint64_t seen, uint64_t translate_ns);

/* region.c */
bool jit_regions_new(struct jit *jit, struct err *e);
void jit_regions_free(struct jit *jit);
int32_t jit_heat_first(const struct jit *jit);

/* keep.c.  jit_keep(): under the lock, before anybody can run the code. */
void jit_keep_open(struct jit *jit);
void jit_keep(struct jit_cache *c, const struct a64_block *b, const struct x64_far *far,
              const struct gen_result *r, bool is_region);
void jit_keep_place(const struct jit_cache *c, const struct jit_image *m, uint8_t *to, uint32_t id);
/* The block at gpa out of what was kept of other code caches; NULL: there is none. */
struct jit_block *jit_kept(struct jit_cpu *v, const struct a64_cpu *cpu, uint64_t gpa,
                           unsigned mode, const uint32_t *code);

/* dump.c: what -d wants to see of a new translation.  Under the lock, before it is run. */
void jit_dump(const struct jit_cache *c, const struct ir *ir, const struct gen *g,
              const struct gen_result *r, const struct a64_block *b, uint64_t gpa, bool is_region);

/* The same file; asserts that the IR keeps its rules, in debug builds (-Djit_verify). */
#ifdef JIT_VERIFY
void jit_check(const struct ir *ir);
#else
static inline void jit_check(const struct ir *ir)
{
}
#endif

/* helpers.c: what generated code calls.  true: leave the block. */
struct jit_frame {
    uint64_t gpr[16];                   /* by number; RSP, RBP and R15 are not there */
    uint64_t pad;
    uint64_t behind;                    /* the call in translated code: its struct gen_access */
    uint64_t block[GEN_FRAME / 8];      /* frame of the block or region */
};
bool jit_helper_mem(struct a64_cpu *cpu, struct jit_frame *f);
bool jit_helper_call(struct a64_cpu *cpu, uint32_t what);
const uint8_t *jit_helper_end(struct a64_cpu *cpu, uint32_t what);  /* the code to go on with */
void jit_helper_vslow(struct a64_cpu *cpu, const uint32_t what[2], union a64_vreg *v);
void jit_helper_pure(struct a64_cpu *cpu, uint32_t what);

/* jit.c: the code to go on with at cpu->pc (run view). */
const uint8_t *jit_next(struct a64_cpu *cpu);
const uint8_t *jit_stale(struct a64_cpu *cpu);  /* the same, from an invalid block */
/* link.c: the number of the pair of pages (`to` by jit_pair_to()); 0: there are no more.  Under
 * the lock. */
unsigned jit_pair_number(struct jit_cache *c, uint64_t from, uint64_t to, int32_t distance);
/* The same as jit_next(), from a direct jump that is not linked; `behind_call` (run view): of
 * GEN_T_LINK. */
const uint8_t *jit_link(struct a64_cpu *cpu, const uint8_t *behind_call);
/* A counter of branches ran out: see GEN_T_HOT. */
const uint8_t *jit_hot(struct a64_cpu *cpu, uint32_t what);
uint64_t jit_now_ns(void);
