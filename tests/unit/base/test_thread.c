/* SPDX-License-Identifier: Apache-2.0 */
/* Mutexes and conditions under contention. */
#include "../check.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/thread.h"

#define THREADS_N 4
#define TURNS 30000

static struct {
    struct mutex lock;
    struct cond changed;
    unsigned long counter;          /* no atomic: exclusion is the test */
    unsigned turn;                  /* whose it is */
} shared;

static void count(struct thread *self, void *ctx)
{
    for (unsigned i = 0; i < TURNS; i++) {
        if (i % 3 || !mutex_try_lock(&shared.lock)) {
            mutex_lock(&shared.lock);
        }
        shared.counter++;
        mutex_unlock(&shared.lock);
    }
}

/* Each waits for its turn and passes it on. */
static void pass(struct thread *self, void *ctx)
{
    unsigned me = (uintptr_t)ctx;

    for (unsigned i = 0; i < 300; i++) {
        mutex_lock(&shared.lock);
        while (shared.turn % THREADS_N != me) {
            cond_wait(&shared.changed, &shared.lock);
        }
        shared.turn++;
        cond_broadcast(&shared.changed);
        mutex_unlock(&shared.lock);
    }
}

static void wake_one(struct thread *self, void *ctx)
{
    mutex_lock(&shared.lock);
    shared.turn = 1;
    mutex_unlock(&shared.lock);
    cond_signal(&shared.changed);
}

static void together(void (*fn)(struct thread *self, void *ctx))
{
    struct thread t[THREADS_N];
    struct err e;

    for (uintptr_t i = 0; i < THREADS_N; i++) {
        CHECK(thread_start(&t[i], "test", fn, (void *)i, &e));
    }
    for (unsigned i = 0; i < THREADS_N; i++) {
        thread_join(&t[i]);
    }
}

static void test_wait(void)
{
    int64_t begin = mono_now_ns();
    struct thread t;
    struct err e;

    mutex_lock(&shared.lock);
    while (cond_wait_until(&shared.changed, &shared.lock, begin + 20000000)) {
    }
    CHECK(mono_now_ns() >= begin + 20000000, "not before the deadline");
    CHECK(!mutex_try_lock(&shared.lock), "it is ours again");
    CHECK(!cond_wait_until(&shared.changed, &shared.lock, -1), "a deadline in the past");
    shared.turn = 0;
    CHECK(thread_start(&t, "test", wake_one, NULL, &e));
    while (!shared.turn) {
        cond_wait(&shared.changed, &shared.lock);
    }
    mutex_unlock(&shared.lock);
    thread_join(&t);
}

int main(void)
{
    mutex_init(&shared.lock);
    cond_init(&shared.changed);
    together(count);
    CHECK(shared.counter == THREADS_N * TURNS, "%lu", shared.counter);
    together(pass);
    CHECK(shared.turn == THREADS_N * 300, "%u", shared.turn);
    test_wait();
    cond_destroy(&shared.changed);
    mutex_destroy(&shared.lock);
    return check_result();
}
