/* SPDX-License-Identifier: Apache-2.0 */
/* struct vm_clock: guest time, in nanoseconds since the machine was started, and timers on it.
 *
 * Guest time runs with the host's monotonic clock while the machine runs and stands while it
 * is stopped.  It never goes back: an adjustment into the past slows it until it has caught up. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct vm_clock;

struct vm_clock *vm_clock_new(struct loop *loop);
void vm_clock_free(struct vm_clock *c);

/* Any thread. */
int64_t vm_clock_ns(struct vm_clock *c);
/* Wall-clock time (UTC) in ns since 1970 that corresponds to guest time now. */
int64_t vm_clock_wall_ns(struct vm_clock *c);

/* Starts and stops guest time; made stopped. */
void vm_clock_run(struct vm_clock *c, bool run);

/* Follow another clock: from now on read `offset_ns` more.  Readers never see time go back. */
void vm_clock_adjust(struct vm_clock *c, int64_t offset_ns);
/* Make sure that nobody reads less than `ns` from now on (a message brought a later time). */
void vm_clock_at_least(struct vm_clock *c, int64_t ns);

/* A timer calls fire(ctx) on the loop's thread once guest time has reached the deadline.
 * Embedded in its owner; zero-initialise, set fire and ctx.  Arm and cancel from any thread;
 * after vm_timer_cancel returns on the loop's thread, fire will not run; on another thread it
 * may be running. */
struct vm_timer {
    void (*fire)(void *ctx);
    void *ctx;
    int64_t deadline_ns;
    unsigned heap_index;        /* private: 0 = not armed */
};
void vm_timer_arm(struct vm_clock *c, struct vm_timer *t, int64_t deadline_ns);
void vm_timer_cancel(struct vm_clock *c, struct vm_timer *t);
