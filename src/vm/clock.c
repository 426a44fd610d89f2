/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/clock.h"

#include "base/base.h"
#include "base/mono.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct vm_clock {
    struct loop *loop;
    /* Running: guest time = max(mono + offset, floor).  Standing: guest time = floor. */
    _Atomic int64_t offset_ns;
    _Atomic int64_t floor_ns;
    atomic_bool running;
    pthread_mutex_t lock;           /* changes of the above, and the list of armed timers */
    struct vm_timer *armed;
};

struct vm_clock *vm_clock_new(struct loop *loop)
{
    struct vm_clock *c = calloc(1, sizeof *c);

    if (c) {
        c->loop = loop;
        pthread_mutex_init(&c->lock, NULL);
    }
    return c;
}

void vm_clock_free(struct vm_clock *c)
{
    if (!c) {
        return;
    }
    assert(!c->armed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int64_t vm_clock_ns(struct vm_clock *c)
{
    int64_t floor = atomic_load(&c->floor_ns);

    if (!atomic_load(&c->running)) {
        return floor;
    }
    return MAX(mono_now_ns() + atomic_load(&c->offset_ns), floor);
}

int64_t vm_clock_wall_ns(struct vm_clock *c)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

const _Atomic int64_t *vm_clock_offset_ns(struct vm_clock *c)
{
    return &c->offset_ns;
}

/* ---- timers ---- */

/* Under the lock: set the host timer to where guest time will reach the deadline. */
static void timer_schedule(struct vm_clock *c, struct vm_timer *t)
{
    if (atomic_load(&c->running)) {
        int64_t at;

        if (__builtin_sub_overflow(t->deadline_ns, atomic_load(&c->offset_ns), &at)) {
            at = INT64_MAX;
        }
        loop_timer_arm(&t->timer, at);
    } else {
        loop_timer_cancel(&t->timer);
    }
}

static void reschedule_all(struct vm_clock *c)
{
    for (struct vm_timer *t = c->armed; t; t = t->next) {
        timer_schedule(c, t);
    }
}

/* Under the lock. */
static void unlink_timer(struct vm_timer *t)
{
    if (t->prev) {
        *t->prev = t->next;
        if (t->next) {
            t->next->prev = t->prev;
        }
        t->prev = NULL;
    }
}

static void timer_fired(void *ctx)
{
    struct vm_timer *t = ctx;
    struct vm_clock *c = t->clock;
    bool due;

    pthread_mutex_lock(&c->lock);
    due = t->prev && atomic_load(&c->running) && vm_clock_ns(c) >= t->deadline_ns;
    if (due) {
        unlink_timer(t);
    } else if (t->prev) {
        timer_schedule(c, t);       /* the clock or the deadline has moved meanwhile */
    }
    pthread_mutex_unlock(&c->lock);
    if (due) {
        t->fire(t->ctx);
    }
}

void vm_timer_init(struct vm_timer *t, struct vm_clock *c, void (*fire)(void *ctx), void *ctx)
{
    *t = (struct vm_timer){ .fire = fire, .ctx = ctx, .clock = c };
    loop_timer_init(&t->timer, c->loop, timer_fired, t);
}

void vm_timer_arm(struct vm_timer *t, int64_t deadline_ns)
{
    struct vm_clock *c = t->clock;

    pthread_mutex_lock(&c->lock);
    t->deadline_ns = deadline_ns;
    if (!t->prev) {
        t->next = c->armed;
        t->prev = &c->armed;
        if (t->next) {
            t->next->prev = &t->next;
        }
        c->armed = t;
    }
    timer_schedule(c, t);
    pthread_mutex_unlock(&c->lock);
}

void vm_timer_cancel(struct vm_timer *t)
{
    struct vm_clock *c = t->clock;

    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    unlink_timer(t);
    loop_timer_cancel(&t->timer);
    pthread_mutex_unlock(&c->lock);
}

/* ---- changes ---- */

void vm_clock_run(struct vm_clock *c, bool run)
{
    pthread_mutex_lock(&c->lock);
    if (run && !atomic_load(&c->running)) {
        atomic_store(&c->offset_ns, atomic_load(&c->floor_ns) - mono_now_ns());
        atomic_store(&c->running, true);
        reschedule_all(c);
    } else if (!run && atomic_load(&c->running)) {
        atomic_store(&c->floor_ns, vm_clock_ns(c));
        atomic_store(&c->running, false);
        reschedule_all(c);
    }
    pthread_mutex_unlock(&c->lock);
}

void vm_clock_adjust(struct vm_clock *c, int64_t offset_ns)
{
    pthread_mutex_lock(&c->lock);
    if (atomic_load(&c->running)) {
        atomic_store(&c->floor_ns, vm_clock_ns(c));
        atomic_fetch_add(&c->offset_ns, offset_ns);
    } else if (offset_ns > 0) {
        atomic_fetch_add(&c->floor_ns, offset_ns);
    }
    reschedule_all(c);
    pthread_mutex_unlock(&c->lock);
}

void vm_clock_at_least(struct vm_clock *c, int64_t ns)
{
    if (vm_clock_ns(c) >= ns) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (!atomic_load(&c->running)) {
        atomic_store(&c->floor_ns, MAX(atomic_load(&c->floor_ns), ns));
    } else {
        int64_t behind_ns = ns - (mono_now_ns() + atomic_load(&c->offset_ns));

        if (behind_ns > 0) {
            atomic_fetch_add(&c->offset_ns, behind_ns);
            reschedule_all(c);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

/* ---- a test bench ---- */

/* Under the lock. */
static struct vm_timer *first_timer(struct vm_clock *c)
{
    struct vm_timer *first = c->armed;

    for (struct vm_timer *t = first; t; t = t->next) {
        if (t->deadline_ns < first->deadline_ns) {
            first = t;
        }
    }
    return first;
}

int64_t vm_clock_deadline_ns(struct vm_clock *c)
{
    struct vm_timer *t;
    int64_t ns;

    pthread_mutex_lock(&c->lock);
    t = first_timer(c);
    ns = t ? t->deadline_ns : INT64_MAX;
    pthread_mutex_unlock(&c->lock);
    return ns;
}

/* A timer that arms itself again for the time that it is must not hold the loop for ever. */
#define STEP_TIMERS_MAX 100000

void vm_clock_step_to(struct vm_clock *c, int64_t to_ns)
{
    assert(!atomic_load(&c->running));
    for (unsigned i = 0; i < STEP_TIMERS_MAX; i++) {
        struct vm_timer *t;

        pthread_mutex_lock(&c->lock);
        t = first_timer(c);
        if (t && t->deadline_ns <= to_ns) {
            atomic_store(&c->floor_ns, MAX(atomic_load(&c->floor_ns), t->deadline_ns));
            unlink_timer(t);
        } else {
            t = NULL;
        }
        pthread_mutex_unlock(&c->lock);
        if (!t) {
            break;
        }
        t->fire(t->ctx);
    }
    vm_clock_at_least(c, to_ns);
}
