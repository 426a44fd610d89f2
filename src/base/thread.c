/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/err.h"

static void must(int rc)
{
    assert(rc == 0);
}

/* ---- mutexes ---------------------------------------------------------------------------- */

/* How often one looks before one sleeps: most locks are held for less than a microsecond. */
#define MUTEX_SPINS 50

/* False: the deadline has passed.  Anything else may have been the reason to return. */
static bool futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *deadline)
{
    return syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, deadline, NULL,
                   FUTEX_BITSET_MATCH_ANY) == 0 || errno != ETIMEDOUT;
}

static void futex_wake(_Atomic uint32_t *word, int threads_n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads_n, NULL, NULL, 0);
}

static void cpu_relax(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

void mutex_destroy(struct mutex *m)
{
    assert(atomic_load(&m->state) == 0);
}

void mutex_wait_and_lock(struct mutex *m)
{
    for (unsigned i = 0; i < MUTEX_SPINS; i++) {
        if (atomic_load_explicit(&m->state, memory_order_relaxed) == 0 && mutex_try_lock(m)) {
            return;
        }
        cpu_relax();
    }
    /* Whoever has slept does not know whether others do, and leaves 2 behind. */
    while (atomic_exchange_explicit(&m->state, 2, memory_order_acquire) != 0) {
        futex_wait(&m->state, 2, NULL);
    }
}

void mutex_unlock_and_wake(struct mutex *m, uint32_t was)
{
    assert(was == 2);           /* 0: it was not locked */
    futex_wake(&m->state, 1);
}

/* ---- conditions -------------------------------------------------------------------------- */

void cond_init(struct cond *c)
{
    *c = (struct cond){ 0 };
}

void cond_destroy(struct cond *c)
{
    assert(atomic_load(&c->waiters_n) == 0);
}

static bool wait_for_signal(struct cond *c, struct mutex *m, const struct timespec *deadline)
{
    uint32_t times = atomic_load(&c->times);
    bool in_time;

    atomic_fetch_add(&c->waiters_n, 1);
    mutex_unlock(m);
    in_time = futex_wait(&c->times, times, deadline);
    atomic_fetch_sub(&c->waiters_n, 1);
    mutex_lock(m);
    return in_time;
}

void cond_wait(struct cond *c, struct mutex *m)
{
    wait_for_signal(c, m, NULL);
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns)
{
    struct timespec ts = { 0 };

    if (deadline_ns > 0) {
        ts.tv_sec = deadline_ns / NS_PER_S;
        ts.tv_nsec = deadline_ns % NS_PER_S;
    }
    return wait_for_signal(c, m, &ts);
}

static void cond_wake(struct cond *c, int threads_n)
{
    atomic_fetch_add(&c->times, 1);
    if (atomic_load(&c->waiters_n)) {
        futex_wake(&c->times, threads_n);
    }
}

void cond_signal(struct cond *c)
{
    cond_wake(c, 1);
}

void cond_broadcast(struct cond *c)
{
    cond_wake(c, INT_MAX);
}

/* ---- threads ----------------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
    struct thread *t = arg;

    pthread_setname_np(pthread_self(), t->name);
    t->fn(t, t->ctx);
    return NULL;
}

bool thread_start(struct thread *t, const char *name,
                  void (*fn)(struct thread *self, void *ctx), void *ctx, struct err *e)
{
    static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
    sigset_t blocked, old;
    int rc;

    *t = (struct thread){ .fn = fn, .ctx = ctx };
    snprintf(t->name, sizeof t->name, "%s", name);
    /* A thread inherits the mask of its creator, so there is no moment with signals open. */
    sigfillset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(synchronous); i++) {
        sigdelset(&blocked, synchronous[i]);
    }
    must(pthread_sigmask(SIG_SETMASK, &blocked, &old));
    rc = pthread_create(&t->id, NULL, thread_main, t);
    must(pthread_sigmask(SIG_SETMASK, &old, NULL));
    if (rc != 0) {
        return err_set(e, "thread '%s': cannot start: %s", name, strerror(rc));
    }
    t->started = true;
    return true;
}

void thread_stop_ask(struct thread *t)
{
    atomic_store_explicit(&t->stop, true, memory_order_release);
}

bool thread_stop_asked(struct thread *t)
{
    return atomic_load_explicit(&t->stop, memory_order_acquire);
}

void thread_join(struct thread *t)
{
    if (t->started) {
        must(pthread_join(t->id, NULL));
        t->started = false;
    }
}

bool thread_is_self(const struct thread *t)
{
    return t->started && pthread_equal(t->id, pthread_self());
}

void thread_slice_set(int64_t slice_ns)
{
    /* struct sched_attr, which the C library of Debian 12 does not have. */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } attr = { .size = sizeof attr, .policy = SCHED_OTHER, .runtime_ns = slice_ns };

    attr.nice = getpriority(PRIO_PROCESS, gettid());
    syscall(SYS_sched_setattr, 0, &attr, 0);
}
