/* SPDX-License-Identifier: Apache-2.0 */
/* struct vm_clock: guest time, in nanoseconds since the machine was started, and timers on it.
 *
 * Guest time runs with the host's monotonic clock while the machine runs and stands while it
 * is stopped.  It never goes back: an adjustment into the past makes it stand until it has been
 * caught up with. */
#pragma once
#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct vm_clock;

struct vm_clock *vm_clock_new(struct loop *loop);
void vm_clock_free(struct vm_clock *c);     /* no timer armed */

/* Any thread. */
int64_t vm_clock_ns(struct vm_clock *c);
/* Wall-clock time (UTC) in ns since 1970. */
int64_t vm_clock_wall_ns(struct vm_clock *c);

/* Starts and stops guest time; made stopped.  Any thread. */
void vm_clock_run(struct vm_clock *c, bool run);

/* For a clock that stands and that a test bench moves: guest time becomes at least `to_ns`; timers
 * due by then fire in their order, each at its deadline, on this thread, which is the loop's. */
void vm_clock_step_to(struct vm_clock *c, int64_t to_ns);
/* The deadline of the first armed timer; INT64_MAX: none is.  Any thread. */
int64_t vm_clock_deadline_ns(struct vm_clock *c);

/* Follow another clock: from now on read `offset_ns` more. */
void vm_clock_adjust(struct vm_clock *c, int64_t offset_ns);
/* Make sure that nobody reads less than `ns` from now on (a message brought a later time). */
void vm_clock_at_least(struct vm_clock *c, int64_t ns);

/* For code that reads guest time without a call (the JIT): guest time is
 * max(mono_now_ns() + *offset_ns, *floor_ns) while the machine runs. */
const _Atomic int64_t *vm_clock_offset_ns(struct vm_clock *c);

/* A timer calls fire(ctx) on the loop's thread once guest time has reached the deadline.
 * Lives in its owner; vm_timer_init() before anything else.  Arm (again) and cancel from any
 * thread; after a cancel on the loop's thread fire will not run; on another thread it may be
 * running. */
struct vm_timer {
    void (*fire)(void *ctx);
    void *ctx;
    int64_t deadline_ns;        /* guest time */
    struct vm_clock *clock;
    struct loop_timer timer;    /* private from here */
    struct vm_timer *next, **prev;
};
void vm_timer_init(struct vm_timer *t, struct vm_clock *c, void (*fire)(void *ctx), void *ctx);
void vm_timer_arm(struct vm_timer *t, int64_t deadline_ns);
void vm_timer_cancel(struct vm_timer *t);
