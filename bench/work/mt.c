/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: locks, atomics, scaling, and what a second busy CPU costs the first. */
#define _GNU_SOURCE
#include "work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct shared {
    pthread_mutex_t lock;
    uint64_t plain;
    _Atomic uint64_t counter;
    atomic_bool stop;
    uint32_t n;
};

static uint64_t two(void *(*fn)(void *), uint32_t n)
{
    struct shared s = { .lock = PTHREAD_MUTEX_INITIALIZER, .n = n };
    pthread_t t;

    pthread_create(&t, NULL, fn, &s);
    fn(&s);
    pthread_join(t, NULL);
    return s.plain + s.counter;
}

static void *mutex_body(void *arg)
{
    struct shared *s = arg;

    for (uint32_t i = 0; i < s->n; i++) {
        pthread_mutex_lock(&s->lock);
        s->plain++;
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

static void *atomic_body(void *arg)
{
    struct shared *s = arg;

    for (uint32_t i = 0; i < s->n; i++) {
        atomic_fetch_add(&s->counter, 1);
    }
    return NULL;
}

static void *cas_body(void *arg)
{
    struct shared *s = arg;

    for (uint32_t i = 0; i < s->n; i++) {
        uint64_t old = atomic_load(&s->counter);
        while (!atomic_compare_exchange_weak(&s->counter, &old, old + 3)) {
        }
    }
    return NULL;
}

static uint64_t compute(uint32_t n)
{
    uint64_t x = 88172645463325252u, h = 0;

    for (uint32_t i = 0; i < n; i++) {
        h += work_rand(&x) >> (i & 31);
    }
    return h;
}

static void *compute_body(void *arg)
{
    struct shared *s = arg;

    atomic_fetch_add(&s->counter, compute(s->n));
    return NULL;
}

static uint64_t run_mutex(uint32_t n) { return two(mutex_body, n); }
static uint64_t run_atomic(uint32_t n) { return two(atomic_body, n); }
static uint64_t run_cas(uint32_t n) { return two(cas_body, n); }
static uint64_t run_compute1(uint32_t n) { return compute(n); }
static uint64_t run_compute2(uint32_t n) { return two(compute_body, n); }

/* The named workload of `sys`, of the same length as there, while a second thread computes. */
static void *busy_body(void *arg)
{
    struct shared *s = arg;
    volatile uint64_t x = 0;

    while (!atomic_load(&s->stop)) {
        x += compute(1000);
    }
    return NULL;
}

static uint64_t beside_busy(const char *name, uint32_t n)
{
    struct shared s = { .n = n };
    uint64_t h = 0;
    pthread_t t;

    pthread_create(&t, NULL, busy_body, &s);
    for (const struct work *w = work_sys; w->name; w++) {
        if (!strcmp(w->name, name)) {
            h = w->run(n);
        }
    }
    atomic_store(&s.stop, true);
    pthread_join(t, NULL);
    return h;
}

static uint64_t run_pipe_busy(uint32_t n) { return beside_busy("pipe", n); }
static uint64_t run_mprotect_busy(uint32_t n) { return beside_busy("mprotect", n); }
static uint64_t run_fork_busy(uint32_t n) { return beside_busy("fork", n); }

const struct work work_mt[] = {
    { "mutex", run_mutex, 400000 },         { "atomic", run_atomic, 700000 },
    { "cas", run_cas, 400000 },             { "compute1", run_compute1, 10000000 },
    { "compute2", run_compute2, 10000000 }, { "pipe+busy", run_pipe_busy, 5000 },
    { "mprotect+busy", run_mprotect_busy, 3000 }, { "fork+busy", run_fork_busy, 100 },
    { 0 },
};
