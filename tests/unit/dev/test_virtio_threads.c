/* SPDX-License-Identifier: Apache-2.0 */
/* A driver on one thread, the device on the loop's: no kick and no interrupt may be lost, whatever
 * both suppress by event indices.  Another thread disturbs by register accesses. */
#include "../check.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mono.h"
#include "base/thread.h"
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>

#define BUF (BENCH_RAM_GPA + UINT64_C(0x200000))
#define ROUNDS 10000
#define GIVE_UP_NS INT64_C(20000000000)

static struct bench *b;
static uint64_t g;

static void run_loop(struct thread *self, void *ctx)
{
    loop_run(b->loop);
}

static void disturb(struct thread *self, void *ctx)
{
    while (!thread_stop_asked(self)) {
        bench_read32(b, g + 0x60);
        bench_read32(b, g + 0x70);
        bench_write32(b, g + 0x30, 0);
        bench_write32(b, g + 0x50, 5);      /* a queue that is not there */
        sched_yield();
    }
}

/* An interrupt takes its time: it comes after the queue was found empty and before kicks are asked
 * for again, and there a kick could be lost. */
static void slow_irq(void *ctx, unsigned n, bool level)
{
    unsigned *times = ctx;

    for (int64_t end = mono_now_ns() + ++*times % 8 * 1000; mono_now_ns() < end;) {
    }
}

/* Kicks only when the device asks for it (2.7.10), as drivers do. */
static void maybe_kick(struct drv *d, uint16_t before)
{
    uint16_t event;

    atomic_thread_fence(memory_order_seq_cst);
    event = bench_ram_read16(b, d->q[0].used + 4 + 8 * d->size);
    if (!d->event_idx || (uint16_t)(d->q[0].avail_idx - event - 1) <
                         (uint16_t)(d->q[0].avail_idx - before)) {
        bench_write32(b, g + 0x50, 0);
    }
}

static unsigned drive(struct drv *d)
{
    const struct drv_seg seg = { BUF, 16, true };
    int64_t end = mono_now_ns() + GIVE_UP_NS;
    unsigned added = 0, done = 0, spins = 0;
    uint32_t id, len;

    while (done < ROUNDS && mono_now_ns() < end) {
        uint16_t before = d->q[0].avail_idx;

        while (added < ROUNDS && added - done < 1 + done % 3) {
            drv_add(d, 0, &seg, 1, 0);
            added++;
        }
        maybe_kick(d, before);
        while (!drv_used(d, 0, &id, &len)) {
            if (mono_now_ns() >= end) {
                return done;
            }
            if (++spins % 64 == 0) {
                sched_yield();
            }
        }
        done++;
    }
    return done;
}

int main(void)
{
    struct thread loop = { 0 }, other = { 0 };
    unsigned irq, done, times = 0;
    struct err e;
    struct drv d;

    b = bench_new();
    bench_add_virtio(b, "virtio-rng-device", "", false, &g, &irq);
    device_connect_irq(b->device[0], 0, (struct irq){ slow_irq, &times, 0 });
    CHECK(drv_start(&d, b, g, false, UINT64_MAX, 1, 8));
    CHECK(thread_start(&loop, "loop", run_loop, NULL, &e));
    CHECK(thread_start(&other, "other", disturb, NULL, &e));
    done = drive(&d);
    CHECK(done == ROUNDS, "%u of %u: a kick was lost", done, ROUNDS);
    CHECK(bench_read32(b, g + 0x70) == 15);
    thread_stop_ask(&other);
    thread_join(&other);
    loop_stop(b->loop);
    thread_join(&loop);
    bench_free(b);
    return check_result();
}
