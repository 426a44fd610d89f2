/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, mutexes and conditions: pthreads with a name and a stop flag; locks of one word, which
 * cost two atomic operations while nobody waits; monotonic deadlines.
 *
 * These cannot fail for a reason that a caller could handle, except for starting a thread; misuse
 * (unlocking what is not locked …) is an assert. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

struct mutex {
    _Atomic uint32_t state;     /* futex: 0 free, 1 held, 2 held and somebody may sleep */
};

#define MUTEX_INIT { 0 }

void mutex_wait_and_lock(struct mutex *m);  /* private */
void mutex_unlock_and_wake(struct mutex *m, uint32_t was);  /* private */

static inline void mutex_init(struct mutex *m)
{
    atomic_init(&m->state, 0);
}

void mutex_destroy(struct mutex *m);        /* must be unlocked */

/* true: locked by us now */
static inline bool mutex_try_lock(struct mutex *m)
{
    uint32_t is_free = 0;

    return atomic_compare_exchange_strong_explicit(&m->state, &is_free, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void mutex_lock(struct mutex *m)
{
    if (!mutex_try_lock(m)) {
        mutex_wait_and_lock(m);
    }
}

static inline void mutex_unlock(struct mutex *m)
{
    uint32_t was = atomic_exchange_explicit(&m->state, 0, memory_order_release);

    if (was != 1) {
        mutex_unlock_and_wake(m, was);
    }
}

struct cond {
    _Atomic uint32_t times;     /* futex: counts signals */
    _Atomic uint32_t waiters_n;
};

void cond_init(struct cond *c);
void cond_destroy(struct cond *c);          /* nobody may be waiting */
/* Both release `m` while they wait; as always, test your condition in a loop. */
void cond_wait(struct cond *c, struct mutex *m);
/* Waits until mono_now_ns() reaches `deadline_ns`; false when that was the reason to return. */
bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns);
/* With the mutex held, or after the change of what is waited for was made with it held. */
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

/* A thread.  Lives in its owner's struct; started once, joined once. */
struct thread {
    pthread_t id;
    void (*fn)(struct thread *self, void *ctx);
    void *ctx;
    char name[16];                          /* the kernel's limit, with the zero */
    atomic_bool stop;
    bool started;
};

/* Starts `fn(t, ctx)` in a thread that debuggers and top show as `name` (cut to 15 characters).
 * The thread starts with every signal blocked except for the synchronous ones (SIGSEGV, SIGBUS,
 * SIGFPE, SIGILL, SIGTRAP), so that signals arrive at the event loop; a thread which is kicked by
 * a signal unblocks that one itself. */
bool thread_start(struct thread *t, const char *name,
                  void (*fn)(struct thread *self, void *ctx), void *ctx, struct err *e);

/* Asks the thread to end: sets the flag, nothing else; wake it by what it waits on.  Any thread. */
void thread_stop_ask(struct thread *t);
bool thread_stop_asked(struct thread *t);

/* Waits for the end.  Does nothing when the thread was never started or is already joined. */
void thread_join(struct thread *t);

bool thread_is_self(const struct thread *t);

/* Asks the scheduler for time slices of this length for the calling thread: a thread with a
 * shorter slice runs sooner after it wakes, where others compute.  100 us to 100 ms; a hint
 * (Linux >= 6.12 heeds it). */
void thread_slice_set(int64_t slice_ns);
