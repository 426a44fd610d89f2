/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
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

void mutex_init(struct mutex *m)
{
    must(pthread_mutex_init(&m->m, NULL));
}

void mutex_destroy(struct mutex *m)
{
    must(pthread_mutex_destroy(&m->m));
}

void mutex_lock(struct mutex *m)
{
    must(pthread_mutex_lock(&m->m));
}

bool mutex_try_lock(struct mutex *m)
{
    int rc = pthread_mutex_trylock(&m->m);

    assert(rc == 0 || rc == EBUSY);
    return rc == 0;
}

void mutex_unlock(struct mutex *m)
{
    must(pthread_mutex_unlock(&m->m));
}

void cond_init(struct cond *c)
{
    pthread_condattr_t a;

    must(pthread_condattr_init(&a));
    must(pthread_condattr_setclock(&a, CLOCK_MONOTONIC));
    must(pthread_cond_init(&c->c, &a));
    must(pthread_condattr_destroy(&a));
}

void cond_destroy(struct cond *c)
{
    must(pthread_cond_destroy(&c->c));
}

void cond_wait(struct cond *c, struct mutex *m)
{
    must(pthread_cond_wait(&c->c, &m->m));
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns)
{
    struct timespec ts = { 0 };
    int rc;

    if (deadline_ns > 0) {
        ts.tv_sec = deadline_ns / NS_PER_S;
        ts.tv_nsec = deadline_ns % NS_PER_S;
    }
    rc = pthread_cond_timedwait(&c->c, &m->m, &ts);
    assert(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->c));
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->c));
}

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
