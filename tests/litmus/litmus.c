/* SPDX-License-Identifier: Apache-2.0 */
/* Litmus tests of the Arm memory model (DDI 0487, B2.3), for the guest: threads pinned to CPUs
 * race over shared words; an outcome that the model forbids is a failure.  The weak outcomes
 * that it allows are counted, for information.
 *
 *   litmus ROUNDS    prints "ok NAME …" or "not ok NAME …" for each test
 *
 * A round is a batch of SLOTS independent races; the words x and y of a slot lie in two pages, so
 * that on several hosts they move independently. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 64
#define THREADS_MAX 4
#define PAGE 4096

struct word {
    volatile uint64_t v;
    uint64_t pad[7];
};

static struct {
    struct word x[SLOTS] __attribute__((aligned(PAGE)));
    struct word y[SLOTS] __attribute__((aligned(PAGE)));
    /* What thread t read first and second. */
    uint64_t r[THREADS_MAX][SLOTS][2] __attribute__((aligned(PAGE)));
    atomic_uint arrived __attribute__((aligned(PAGE)));
    atomic_uint generation;
} shared;

#define LOAD(w) ({ uint64_t v_; \
    asm volatile("ldr %0, %1" : "=r"(v_) : "m"((w)->v)); v_; })
#define STORE(w, k) asm volatile("str %1, %0" : "=m"((w)->v) : "r"((uint64_t)(k)))
#define LOAD_A(w) ({ uint64_t v_; \
    asm volatile("ldar %0, [%1]" : "=r"(v_) : "r"(&(w)->v) : "memory"); v_; })
#define STORE_R(w, k) \
    asm volatile("stlr %1, [%0]" :: "r"(&(w)->v), "r"((uint64_t)(k)) : "memory")
#define DMB() asm volatile("dmb ish" ::: "memory")
#define DMB_LD() asm volatile("dmb ishld" ::: "memory")
#define DMB_ST() asm volatile("dmb ishst" ::: "memory")
/* Load with an address that depends on `from`. */
#define LOAD_DEP(w, from) ({ uint64_t d_, v_; \
    asm volatile("eor %0, %2, %2\n\tldr %1, [%3, %0]" \
                 : "=&r"(d_), "=r"(v_) : "r"(from), "r"(&(w)->v) : "memory"); v_; })
/* Store of `k` with data that depend on `from`. */
#define STORE_DEP(w, k, from) do { uint64_t d_; \
    asm volatile("eor %0, %1, %1\n\tadd %0, %0, %2\n\tstr %0, [%3]" \
                 : "=&r"(d_) : "r"(from), "r"((uint64_t)(k)), "r"(&(w)->v) : "memory"); } while (0)

#define X (&shared.x[i])
#define Y (&shared.y[i])
#define R(n) shared.r[t][i][n]

typedef void slot_fn(unsigned t, unsigned i);

#define SLOT(name, ...) \
    static void name(unsigned t, unsigned i) { (void)t; __VA_ARGS__; }
SLOT(w_xy, STORE(X, 1); STORE(Y, 1))
SLOT(w_xy_dmb, STORE(X, 1); DMB(); STORE(Y, 1))
SLOT(w_xy_dmbst, STORE(X, 1); DMB_ST(); STORE(Y, 1))
SLOT(w_xy_rel, STORE(X, 1); STORE_R(Y, 1))
SLOT(r_yx, R(0) = LOAD(Y); R(1) = LOAD(X))
SLOT(r_yx_dmb, R(0) = LOAD(Y); DMB(); R(1) = LOAD(X))
SLOT(r_yx_dmbld, R(0) = LOAD(Y); DMB_LD(); R(1) = LOAD(X))
SLOT(r_yx_acq, R(0) = LOAD_A(Y); R(1) = LOAD(X))
SLOT(r_yx_dep, R(0) = LOAD(Y); R(1) = LOAD_DEP(X, R(0)))
SLOT(r_xy, R(0) = LOAD(X); R(1) = LOAD(Y))
SLOT(r_xy_dmb, R(0) = LOAD(X); DMB(); R(1) = LOAD(Y))
SLOT(r_xy_acq, R(0) = LOAD_A(X); R(1) = LOAD_A(Y))
SLOT(r_yx_acq2, R(0) = LOAD_A(Y); R(1) = LOAD_A(X))
SLOT(sb_x, STORE(X, 1); R(0) = LOAD(Y))
SLOT(sb_y, STORE(Y, 1); R(0) = LOAD(X))
SLOT(sb_x_dmb, STORE(X, 1); DMB(); R(0) = LOAD(Y))
SLOT(sb_y_dmb, STORE(Y, 1); DMB(); R(0) = LOAD(X))
SLOT(sb_x_ar, STORE_R(X, 1); R(0) = LOAD_A(Y))
SLOT(sb_y_ar, STORE_R(Y, 1); R(0) = LOAD_A(X))
SLOT(lb_x, R(0) = LOAD(X); STORE(Y, 1))
SLOT(lb_y, R(0) = LOAD(Y); STORE(X, 1))
SLOT(lb_x_dep, R(0) = LOAD(X); STORE_DEP(Y, 1, R(0)))
SLOT(lb_y_dep, R(0) = LOAD(Y); STORE_DEP(X, 1, R(0)))
SLOT(lb_x_dmb, R(0) = LOAD(X); DMB(); STORE(Y, 1))
SLOT(lb_y_dmb, R(0) = LOAD(Y); DMB(); STORE(X, 1))
SLOT(w_x1, STORE(X, 1))
SLOT(w_x12, STORE(X, 1); STORE(X, 2))
SLOT(w_y1, STORE(Y, 1))
SLOT(r_xx, R(0) = LOAD(X); R(1) = LOAD(X))
SLOT(ww_xy_dmb, STORE(X, 1); DMB(); STORE(Y, 2))
SLOT(ww_yx_dmb, STORE(Y, 1); DMB(); STORE(X, 2))

#define RESULT(t, n) shared.r[t][i][n]
typedef bool bad_fn(unsigned i);
static bool mp_bad(unsigned i) { return RESULT(1, 0) == 1 && RESULT(1, 1) == 0; }
static bool sb_bad(unsigned i) { return RESULT(0, 0) == 0 && RESULT(1, 0) == 0; }
static bool lb_bad(unsigned i) { return RESULT(0, 0) == 1 && RESULT(1, 0) == 1; }
static bool corr_bad(unsigned i) { return RESULT(1, 0) > RESULT(1, 1); }
static bool iriw_bad(unsigned i)
{
    return RESULT(2, 0) == 1 && RESULT(2, 1) == 0 && RESULT(3, 0) == 1 && RESULT(3, 1) == 0;
}
/* 2+2W: x = 1 and y = 1 at the end means that both second stores lost. */
static bool ww_bad(unsigned i) { return X->v == 1 && Y->v == 1; }

static const struct race {
    const char *name;
    bool allowed;                   /* the outcome is: only count it */
    unsigned threads_n;
    bad_fn *bad;
    slot_fn *fn[THREADS_MAX];
} races[] = {
    { "MP", true, 2, mp_bad, { w_xy, r_yx } },
    { "MP+dmbs", false, 2, mp_bad, { w_xy_dmb, r_yx_dmb } },
    { "MP+dmb.st+dmb.ld", false, 2, mp_bad, { w_xy_dmbst, r_yx_dmbld } },
    { "MP+rel+acq", false, 2, mp_bad, { w_xy_rel, r_yx_acq } },
    { "MP+dmb+addr", false, 2, mp_bad, { w_xy_dmb, r_yx_dep } },
    { "SB", true, 2, sb_bad, { sb_x, sb_y } },
    { "SB+dmbs", false, 2, sb_bad, { sb_x_dmb, sb_y_dmb } },
    { "SB+rel-acq", false, 2, sb_bad, { sb_x_ar, sb_y_ar } },
    { "LB", true, 2, lb_bad, { lb_x, lb_y } },
    { "LB+datas", false, 2, lb_bad, { lb_x_dep, lb_y_dep } },
    { "LB+dmbs", false, 2, lb_bad, { lb_x_dmb, lb_y_dmb } },
    { "CoRR", false, 2, corr_bad, { w_x12, r_xx } },
    { "2+2W+dmbs", false, 2, ww_bad, { ww_xy_dmb, ww_yx_dmb } },
    { "IRIW", true, 4, iriw_bad, { w_x1, w_y1, r_xy, r_yx } },
    { "IRIW+dmbs", false, 4, iriw_bad, { w_x1, w_y1, r_xy_dmb, r_yx_dmb } },
    { "IRIW+acqs", false, 4, iriw_bad, { w_x1, w_y1, r_xy_acq, r_yx_acq2 } },
};

static unsigned cpus_n, rounds_n;

static void pin(unsigned t)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(t % cpus_n, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* All of `n` threads have come. */
static void meet(unsigned n)
{
    unsigned generation = atomic_load(&shared.generation);

    if (atomic_fetch_add(&shared.arrived, 1) == n - 1) {
        atomic_store(&shared.arrived, 0);
        atomic_fetch_add(&shared.generation, 1);
        return;
    }
    for (unsigned spins = 0; atomic_load(&shared.generation) == generation; spins++) {
        if (spins > 100 || cpus_n < n) {
            sched_yield();
        }
    }
}

struct racer {
    const struct race *race;
    unsigned t;
    unsigned long seen_n;           /* of thread 0: outcomes */
};

static void *run_racer(void *arg)
{
    struct racer *racer = arg;
    const struct race *race = racer->race;
    unsigned t = racer->t, delay = t + 1;

    pin(t);
    for (unsigned round = 0; round < rounds_n; round++) {
        if (t == 0) {
            memset(shared.x, 0, sizeof shared.x);
            memset(shared.y, 0, sizeof shared.y);
        }
        meet(race->threads_n);
        delay = delay * 1103515245 + 12345;
        for (volatile unsigned d = delay >> 16 & 127; d; d--) {
        }
        for (unsigned i = 0; i < SLOTS; i++) {
            race->fn[t](t, i);
        }
        meet(race->threads_n);
        for (unsigned i = 0; t == 0 && i < SLOTS; i++) {
            racer->seen_n += race->bad(i);
        }
    }
    return NULL;
}

static bool run_race(const struct race *race)
{
    struct racer racer[THREADS_MAX] = { 0 };
    pthread_t thread[THREADS_MAX];
    bool ok;

    for (unsigned t = 0; t < race->threads_n; t++) {
        racer[t] = (struct racer){ .race = race, .t = t };
        pthread_create(&thread[t], NULL, run_racer, &racer[t]);
    }
    for (unsigned t = 0; t < race->threads_n; t++) {
        pthread_join(thread[t], NULL);
    }
    ok = race->allowed || racer[0].seen_n == 0;
    printf("%sok %s: %s outcome %lu times of %u\n", ok ? "" : "not ", race->name,
           race->allowed ? "allowed" : "forbidden", racer[0].seen_n, rounds_n * SLOTS);
    return ok;
}

/* ---- counters: every thread adds, nothing may be lost ------------------------------------------ */

static struct {
    volatile uint64_t a __attribute__((aligned(PAGE)));
    volatile uint64_t pair[2] __attribute__((aligned(16)));
    volatile uint32_t lock;
    volatile uint64_t guarded;
} counter;

static void add_llsc(void)
{
    uint64_t v;
    uint32_t failed;

    asm volatile("1: ldxr %0, [%2]\n\tadd %0, %0, #1\n\tstxr %w1, %0, [%2]\n\tcbnz %w1, 1b"
                 : "=&r"(v), "=&r"(failed) : "r"(&counter.a) : "memory");
}

static void add_llsc_pair(void)
{
    uint64_t v, w;
    uint32_t failed;

    asm volatile("1: ldaxp %0, %1, [%3]\n\tadd %0, %0, #1\n\tsub %1, %1, #1\n\t"
                 "stlxp %w2, %0, %1, [%3]\n\tcbnz %w2, 1b"
                 : "=&r"(v), "=&r"(w), "=&r"(failed) : "r"(counter.pair) : "memory");
    asm volatile("1: ldxr %0, [%2]\n\tadd %0, %0, #1\n\tstxr %w1, %0, [%2]\n\tcbnz %w1, 1b"
                 : "=&r"(v), "=&r"(failed) : "r"(&counter.a) : "memory");
}

static void add_lse(void)
{
    uint64_t v;

    asm volatile(".arch_extension lse\n\tldadd %1, %0, [%2]"
                 : "=&r"(v) : "r"(UINT64_C(1)), "r"(&counter.a) : "memory");
}

static void add_cas(void)
{
    uint64_t old = counter.a, seen;

    for (;;) {
        seen = old;
        asm volatile(".arch_extension lse\n\tcasal %0, %1, [%2]"
                     : "+r"(seen) : "r"(old + 1), "r"(&counter.a) : "memory");
        if (seen == old) {
            return;
        }
        old = seen;
    }
}

static void add_spinlock(void)
{
    uint32_t v, failed;

    asm volatile("1: ldaxr %w0, [%2]\n\tcbnz %w0, 1b\n\tstxr %w1, %w3, [%2]\n\tcbnz %w1, 1b"
                 : "=&r"(v), "=&r"(failed) : "r"(&counter.lock), "r"(1u) : "memory");
    counter.guarded++;
    counter.a++;
    asm volatile("stlr wzr, [%0]" :: "r"(&counter.lock) : "memory");
}

static void add_swap_lock(void)
{
    uint32_t v;

    do {
        asm volatile(".arch_extension lse\n\tswpa %w1, %w0, [%2]"
                     : "=&r"(v) : "r"(1u), "r"(&counter.lock) : "memory");
    } while (v);
    counter.a++;
    asm volatile("stlr wzr, [%0]" :: "r"(&counter.lock) : "memory");
}

struct adder {
    void (*fn)(void);
    unsigned t, threads_n;
};

static void *run_adder(void *arg)
{
    const struct adder *adder = arg;

    pin(adder->t);
    meet(adder->threads_n);
    for (unsigned i = 0; i < rounds_n * 16; i++) {
        adder->fn();
    }
    return NULL;
}

static bool run_counter(const char *name, void (*fn)(void))
{
    struct adder adder[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    unsigned n = cpus_n < 2 ? 2 : cpus_n < THREADS_MAX ? cpus_n : THREADS_MAX;
    uint64_t want = (uint64_t)n * rounds_n * 16;
    bool ok;

    memset((void *)&counter, 0, sizeof counter);
    for (unsigned t = 0; t < n; t++) {
        adder[t] = (struct adder){ fn, t, n };
        pthread_create(&thread[t], NULL, run_adder, &adder[t]);
    }
    for (unsigned t = 0; t < n; t++) {
        pthread_join(thread[t], NULL);
    }
    ok = counter.a == want && counter.pair[0] + counter.pair[1] == 0;
    printf("%sok %s: %llu of %llu\n", ok ? "" : "not ", name, (unsigned long long)counter.a,
           (unsigned long long)want);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = true;

    rounds_n = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
    cpus_n = sysconf(_SC_NPROCESSORS_ONLN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < sizeof races / sizeof races[0]; i++) {
        ok &= run_race(&races[i]);
    }
    ok &= run_counter("LL/SC counter", add_llsc);
    ok &= run_counter("LL/SC pair", add_llsc_pair);
    ok &= run_counter("LSE add counter", add_lse);
    ok &= run_counter("LSE compare-and-swap counter", add_cas);
    ok &= run_counter("LL/SC spin lock", add_spinlock);
    ok &= run_counter("LSE swap lock", add_swap_lock);
    return !ok;
}
