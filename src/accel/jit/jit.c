/* SPDX-License-Identifier: Apache-2.0 */
#include "accel/jit/fpu.h"
#include "accel/jit/hostdis.h"
#include "accel/jit/jit_int.h"

#include "base/base.h"
#include "base/err.h"
#include "isa/a64/cpu.h"
#include "isa/a64/exception.h"
#include "isa/a64/mem.h"
#include "isa/a64/mmu.h"
#include "isa/a64/tlb.h"
#include "isa/interp/interp.h"

#include <cpuid.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CACHE_MIB_DEFAULT = 64, CACHE_MIB_MIN = 2, BLOCK_INSNS_MAX = 40 };

static bool host_ok(struct err *e)
{
    unsigned a, b, c, d, b7 = 0, cx = 0;

    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2")) {
        return err_set(e, "jit: this processor has no AVX2, FMA, BMI1 or BMI2; use -accel interp");
    }
    (void)b7;
    if (!__get_cpuid(0x80000001, &a, &b, &cx, &d) || !(cx >> 5 & 1)) {
        return err_set(e, "jit: this processor has no LZCNT; use -accel interp");
    }
    (void)c;
    return true;
}

struct jit *jit_new(const struct jit_options *o, struct err *e)
{
    struct jit *jit;
    struct jit_cache *c;

    if (!host_ok(e)) {
        return NULL;
    }
    jit = calloc(1, sizeof(*jit));
    if (!jit) {
        err_set(e, "jit: no memory");
        return NULL;
    }
    pthread_mutex_init(&jit->lock, NULL);
    if (o) {
        jit->opt = *o;
    }
    if (!jit->opt.cache_mib) {
        jit->opt.cache_mib = CACHE_MIB_DEFAULT;
    }
    jit->opt.cache_mib = MIN(MAX(jit->opt.cache_mib, CACHE_MIB_MIN), 1024);
    a64_gen_guest(&jit->guest);
    jit->guest.host &= ~jit->opt.host_without;
    c = jit_cache_new(jit, e);
    if (!c) {
        free(jit);
        return NULL;
    }
    atomic_store(&jit->cache, c);
    jit_keep_open(jit);
    if (!jit_regions_new(jit, e)) {
        jit_free(jit);
        return NULL;
    }
    return jit;
}

void jit_free(struct jit *jit)
{
    if (!jit) {
        return;
    }
    jit_regions_free(jit);
    jit_cache_unref(jit, atomic_load(&jit->cache));
    jit_persist_close(jit->persist);
    hostdis_free(jit->dis);
    pthread_mutex_destroy(&jit->lock);
    free(jit);
}

/* ---- caches ---- */
/* Go over to the current cache.  We are about to return into a routine of the one that we leave,
 * which jumps into the new one; so it stays until jit_run() ends, and there is only one such change
 * before that.  False: not again. */
static bool cache_follow(struct jit_cpu *v, struct a64_cpu *cpu)
{
    if (v->old) {
        return false;
    }
    v->old = v->cache;
    v->cache = jit_cache_ref(v->jit);
    if (v->epoch != v->cache->epoch) {
        a64_tlb_drop_jumps(cpu->tlb);
        v->epoch = v->cache->epoch;
    }
    return true;
}

/* ---- translation ---- */
uint64_t jit_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* NULL: look again (the code changed meanwhile, or the cache was renewed). */
static struct jit_block *translate(struct jit_cpu *v, struct a64_cpu *cpu, uint64_t gpa,
                                   unsigned mode, const uint32_t *code)
{
    struct jit *jit = v->jit;
    uint64_t seen = atomic_load(&jit->invalidations), begin = jit_now_ns();
    struct a64_block b = {
        .code = code - (gpa >> 2 & 1023), .first = gpa >> 2 & 1023, .mode = mode,
        .host = jit->guest.host,
        .words = &v->words, .va = cpu->pc & ~UINT64_C(0xfff),
        .model = cpu->model, .insn_max = jit->opt.opt_none ? 1 : BLOCK_INSNS_MAX,
    };
    struct jit_block *r;
    bool full;

    for (;;) {
        a64_translate_block(&b, &v->ir);
        if (!v->ir.full) {
            r = jit_cache_add(v, v->cache, gpa, &b, seen, &full);
            if (full) {
                jit_flush(jit);
                return NULL;
            }
            if (r) {
                break;
            }
        }
        if (b.insn_n <= 1) {
            b.first_interp = true;
        }
        b.insn_max = b.insn_n / 2 ? b.insn_n / 2 : 1;
    }
    jit->stats.blocks++;
    jit->stats.guest_bytes += b.insn_n * 4;
    jit->stats.interp_insns += b.interp_n;
    jit->stats.translate_ns += jit_now_ns() - begin;
    return r->valid ? r : NULL;
}

static uint8_t *runs_of(struct jit_cpu *v, uint64_t gpa)
{
    return &v->runs[(gpa >> 2 ^ gpa >> 18) & (JIT_COLD_SLOTS - 1)];
}

/* Code that runs once or twice is not worth a translation: to the next branch by the interpreter.
 * False: it has been here often enough. */
static bool run_cold(struct jit_cpu *v, struct a64_cpu *cpu, uint64_t gpa)
{
    uint8_t *runs = runs_of(v, gpa);

    if (*runs >= v->jit->opt.cold_runs) {
        *runs = 0;
        return false;
    }
    ++*runs;
    v->stats.cold_runs++;
    jit_fpu_leave(cpu);
    interp_run_straight(cpu, BLOCK_INSNS_MAX);
    jit_fpu_enter(cpu);
    return true;
}

/* The interpreter, from within translated code's floating-point state. */
static void interp_inside(struct a64_cpu *cpu, unsigned insns)
{
    jit_fpu_leave(cpu);
    interp_run(cpu, insns);
    jit_fpu_enter(cpu);
}

/* The block at pc, whose page is in the exec TLB or can be brought there.  NULL: an exception
 * was taken, or look again. */
static struct jit_block *block_at(struct jit_cpu *v, struct a64_cpu *cpu, unsigned mode)
{
    bool guarded;
    const uint32_t *code = a64_fetch(cpu, cpu->pc);
    struct jit_block *b;
    uint64_t gpa;
    unsigned runs;

    if (!code) {
        return NULL;
    }
    if (!a64_tlb_find(cpu->tlb->cur, cpu->pc, 4, A64_TLB_EXEC)) {
        interp_inside(cpu, 1);          /* may not be cached: one at a time */
        return NULL;
    }
    guarded = a64_tlb_guarded(cpu->tlb->cur, cpu->pc);
    if (guarded && !cpu->jit_bti) {
        /* The first one, and so not yet in the jump cache: the way here has told its BTYPE.  From
         * now on all code does (A64_MODE_BTI). */
        cpu->jit_bti = true;
        return NULL;
    }
    if (guarded && cpu->btype && !a64_bti_check(cpu, *code)) {
        return NULL;
    }
    mode |= guarded ? A64_MODE_GUARDED : 0;
    gpa = a64_tlb_gpa(cpu->tlb->cur, cpu->pc, A64_TLB_EXEC);
    b = jit_cache_find(v->cache, gpa, mode);
    v->stats.lookups++;
    if (!b && !jit_may_make(v->jit)) {
        interp_inside(cpu, 64);
        return NULL;
    }
    if (b) {
        return b;
    }
    /* Look for what was kept when code is seen first, and before it is translated. */
    runs = *runs_of(v, gpa);
    b = !runs || runs >= v->jit->opt.cold_runs ? jit_kept(v, cpu, gpa, mode, code) : NULL;
    if (b) {
        return b;
    }
    return run_cold(v, cpu, gpa) ? NULL : translate(v, cpu, gpa, mode, code);
}

const uint8_t *jit_next(struct a64_cpu *cpu)
{
    struct jit_cpu *v = cpu->jit;
    struct jit *jit = v->jit;

    for (;;) {
        const uint8_t *known;
        struct jit_block *b;
        unsigned mode;

        if ((v->cache != atomic_load_explicit(&jit->cache, memory_order_relaxed) &&
             !cache_follow(v, cpu)) ||
            atomic_load_explicit(&cpu->poll, memory_order_relaxed)) {
            return v->cache->leave;
        }
        if (!a64_mode_of(cpu, &mode)) {
            v->stats.interp_steps++;
            interp_inside(cpu, 1);
            continue;
        }
        if (v->mode_seen[cpu->el] != mode) {
            a64_tlb_drop_jumps(cpu->tlb);
            v->mode_seen[cpu->el] = mode;
        }
        /* A branch to a register's value left its tag in pc: the jump cache has none. */
        cpu->pc = a64_branch_address(cpu, cpu->pc);
        cpu->jit_page_last = cpu->pc | 0xfff;
        known = a64_tlb_jump_find(cpu->tlb->cur, cpu->pc, cpu->btype);
        if (!known && (b = block_at(v, cpu, mode)) != NULL) {
            known = jit_run_view(v->cache, jit_way_in(b));
            a64_tlb_jump_set(cpu->tlb->cur, cpu->pc, cpu->btype, known);
        }
        if (known) {
            if (!(mode & A64_MODE_BTI)) {
                cpu->btype = 0;
            }
            return known;
        }
    }
}

const uint8_t *jit_stale(struct a64_cpu *cpu)
{
    a64_tlb_jump_forget(cpu->tlb->cur, cpu->pc, cpu->btype);
    return jit_next(cpu);
}

/* ---- running ---- */
/* Until cpu->poll is nonzero, or for a second change of the code cache. */
static void run_in_cache(struct jit_cpu *v, struct a64_cpu *cpu)
{
    struct jit_cache *c, *old;
    const uint8_t *code;

    cache_follow(v, cpu);
    jit_fpu_enter(cpu);
    code = jit_next(cpu);
    if (code != v->cache->leave) {
        ((void (*)(struct a64_cpu *, const uint8_t *))(uintptr_t)v->cache->enter)(cpu, code);
        cpu->pc = a64_branch_address(cpu, cpu->pc);
    }
    jit_fpu_leave(cpu);
    c = v->cache;
    old = v->old;
    v->cache = v->old = NULL;
    jit_cache_unref(v->jit, c);
    jit_cache_unref(v->jit, old);
}

void jit_run(struct jit *jit, struct a64_cpu *cpu)
{
    struct jit_cpu *v = cpu->jit;
    uint32_t mxcsr;

    if (!v) {
        v = calloc(1, sizeof(*v));
        if (!v) {
            interp_run(cpu, 1000);
            return;
        }
        v->jit = jit;
        v->epoch = ~UINT64_C(0);
        v->mode_seen[0] = v->mode_seen[1] = 0xff;
        for (unsigned i = 0; i < GEN_HEATS; i++) {
            cpu->jit_heat[i] = jit_heat_first(jit);
        }
        cpu->jit = v;
        pthread_mutex_lock(&jit->lock);
        v->next = jit->cpus;
        jit->cpus = v;
        pthread_mutex_unlock(&jit->lock);
    }
    mxcsr = _mm_getcsr();
    do {
        run_in_cache(v, cpu);
    } while (!atomic_load_explicit(&cpu->poll, memory_order_relaxed));
    _mm_setcsr(mxcsr);
}

static void stats_add(struct jit_stats *to, const struct jit_stats *s)
{
    to->slow_loads += s->slow_loads;
    to->slow_stores += s->slow_stores;
    to->helper_calls += s->helper_calls;
    to->lookups += s->lookups;
    to->interp_steps += s->interp_steps;
    to->chains += s->chains;
    to->chains_far += s->chains_far;
    to->cold_runs += s->cold_runs;
}

void jit_cpu_free(struct a64_cpu *cpu)
{
    struct jit_cpu *v = cpu->jit;

    if (!v) {
        return;
    }
    pthread_mutex_lock(&v->jit->lock);
    for (struct jit_cpu **p = &v->jit->cpus; *p; p = &(*p)->next) {
        if (*p == v) {
            *p = v->next;
            break;
        }
    }
    stats_add(&v->jit->stats, &v->stats);
    pthread_mutex_unlock(&v->jit->lock);
    free(v);
    cpu->jit = NULL;
}

/* ---- statistics ---- */
void jit_stats(struct jit *jit, struct jit_stats *s)
{
    pthread_mutex_lock(&jit->lock);
    *s = jit->stats;
    for (struct jit_cpu *v = jit->cpus; v; v = v->next) {
        stats_add(s, &v->stats);
    }
    s->pairs = atomic_load(&jit->cache)->pair_n;
    pthread_mutex_unlock(&jit->lock);
    if (jit->persist) {
        struct jit_persist_stats k;
        jit_persist_stats(jit->persist, &k);
        s->kept_loaded = k.loaded;
        s->kept_found = k.found;
        s->kept_noted = k.noted;
    }
    s->cache_bytes = (uint64_t)jit->opt.cache_mib << 20;
}

int jit_print_stats(struct jit *jit, char *buf, int len)
{
    struct jit_stats s;

    jit_stats(jit, &s);
    return snprintf(buf, len,
        "blocks             %" PRIu64 " (%" PRIu64 " invalidated, %" PRIu64 " flushes)\n"
        "guest code         %" PRIu64 " KiB\n"
        "host code          %" PRIu64 " KiB, expansion %.1f\n"
        "left to interp     %" PRIu64 " instructions\n"
        "translation        %.1f ms\n"
        "regions            %" PRIu64 ", of %" PRIu64 " instructions, %" PRIu64 " KiB, %.1f ms\n"
        "cache              %" PRIu64 " of %" PRIu64 " KiB\n"
        "chained exits      %" PRIu64 ", %" PRIu64 " between %" PRIu64 " pairs of pages\n"
        "table look-ups     %" PRIu64 "\n"
        "slow loads, stores %" PRIu64 ", %" PRIu64 "\n"
        "helper calls       %" PRIu64 "\n"
        "interpreter steps  %" PRIu64 ", cold blocks %" PRIu64 "\n"
        "kept translations  %" PRIu64 " found, %" PRIu64 " loaded, %" PRIu64 " new\n",
        s.blocks, s.invalidated, s.flushes, s.guest_bytes >> 10, s.host_bytes >> 10,
        s.guest_bytes ? (double)s.host_bytes / s.guest_bytes : 0, s.interp_insns,
        s.translate_ns / 1e6, s.regions, s.region_insns, s.region_bytes >> 10, s.region_ns / 1e6,
        s.cache_used >> 10, s.cache_bytes >> 10, s.chains, s.chains_far, s.pairs,
        s.lookups, s.slow_loads, s.slow_stores, s.helper_calls, s.interp_steps, s.cold_runs,
        s.kept_found, s.kept_loaded, s.kept_noted);
}
