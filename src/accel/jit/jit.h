/* SPDX-License-Identifier: Apache-2.0 */
/* struct jit: the translator engine of a machine: one code cache for all its vCPUs.
 *
 * Keys.  A translation is known by the guest-physical address of its first instruction and the
 * mode bits (a64/translate.h); its code is position-independent in the guest's virtual space.
 * Look-up from generated code goes through a jump cache in the vCPU's TLB set, from C through a
 * table read without locks; only making and invalidating translations take the lock.
 *
 * Invalidation.  An invalid translation's entry is patched into a jump that looks the address
 * up again, so nothing that leads to it (jump caches, chained blocks, other vCPUs) has to be
 * found.  When the cache is full a new one is begun; the old one is unmapped when the last vCPU
 * has left it.
 *
 * MXCSR.  Generated code and the helpers it calls run with all exceptions masked, rounding to
 * nearest and no flush to zero, which is also what C expects. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct a64_cpu;
struct err;
struct jit;

enum { JIT_NEVER_HOT = 0x7fffffff };    /* hot_runs: the first tier only */

struct jit_options {
    unsigned cache_mib;         /* 0 = default */
    bool opt_none;              /* one instruction a block, for bisecting */
    unsigned cold_runs;         /* executions of a block by the interpreter before translation */
    uint64_t regions_max;       /* so many translations, interpret the rest; 0 = no limit */
    const char *cache_dir;      /* translations are kept there (persist.h); NULL = nowhere */
    unsigned hot_runs;          /* turns of a loop before it becomes a region; 0 = default */
    uint32_t host_without;      /* of enum gen_host: as on a host without them */
    bool regions_sync;          /* make regions at once, not on a thread: for tests */
};

/* NULL with `e` set if the host lacks AVX2, FMA, BMI2 or LZCNT, or memory. */
struct jit *jit_new(const struct jit_options *o, struct err *e);
void jit_free(struct jit *jit);

/* Runs guest code on this vCPU's thread until cpu->poll is nonzero. */
void jit_run(struct jit *jit, struct a64_cpu *cpu);
/* Frees what jit_run() made for this vCPU (cpu->jit).  Not while it runs. */
void jit_cpu_free(struct a64_cpu *cpu);

/* The code in the guest-physical range may have changed (IC IVAU, IC IALLU: 0, ~0).  Any thread;
 * when it returns no vCPU enters an old translation of it (one that is inside finishes it). */
void jit_invalidate(struct jit *jit, uint64_t gpa, uint64_t bytes);
static inline void jit_invalidate_page(struct jit *jit, uint64_t gpa)
{
    jit_invalidate(jit, gpa & ~UINT64_C(0xfff), 4096);
}
/* Drop all translations.  Any thread. */
void jit_flush(struct jit *jit);

struct jit_stats {
    uint64_t blocks, guest_bytes, host_bytes, interp_insns;     /* translated */
    uint64_t translate_ns, invalidated, flushes, chains, chains_far, pairs, lookups, interp_steps;
    uint64_t slow_loads, slow_stores, helper_calls, cold_runs;
    uint64_t cache_bytes, cache_used;
    uint64_t kept_loaded, kept_found, kept_noted;       /* of cache_dir */
    uint64_t regions, region_insns, region_bytes, region_ns;
};
/* Any thread; counters of running vCPUs may be a little behind. */
void jit_stats(struct jit *jit, struct jit_stats *s);
/* For `info jit`; returns the length as snprintf(). */
int jit_print_stats(struct jit *jit, char *buf, int len);
