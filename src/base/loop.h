/* SPDX-License-Identifier: Apache-2.0 */
/* struct loop: an event loop (epoll) that one thread runs: descriptors, timers, posted work and
 * signals.  A loop is given to whoever needs one; there is no global one.
 *
 * Thread rules.  All callbacks run on the loop's thread, one at a time, and hold no lock of the
 * loop.  "Owner only" means: on the loop's thread, or before loop_run() is first called.  All
 * else may be called from any thread, also with a device's lock held: it never blocks on a
 * callback.
 *
 * The structs loop_fd, loop_timer, loop_work, loop_signal and loop_hook live in their user's
 * struct (no allocation); zero-initialise them, and take them out before they go away. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct loop;

#define LOOP_EVENTS_PER_WAIT_MAX 64     /* more wait for the next round */
#define LOOP_TIMERS_MAX 65536           /* armed at a time, of one loop */
#define LOOP_POSTS_MAX 65536            /* loop_post()s not yet run; beyond, one of us is broken */

struct loop *loop_create(struct err *e);
/* The loop must not be running; nothing may be registered any more except for timers that are not
 * armed.  Posted work that has not run is dropped.  `l` may be NULL. */
void loop_destroy(struct loop *l);

/* Runs callbacks until loop_stop().  The calling thread is the owner from now on. */
void loop_run(struct loop *l);
/* One round: runs what is ready; waits for at most `timeout_ns` (< 0: for ever) for something to
 * become ready.  For tests and for a program with a loop of its own. */
void loop_run_once(struct loop *l, int64_t timeout_ns);
/* Makes loop_run() return after the current round (or at once, if it is called later). */
void loop_stop(struct loop *l);
bool loop_is_owner(const struct loop *l);

/* ---- descriptors: owner only -------------------------------------------------------------- */

enum loop_events {
    LOOP_READ = 1,              /* readable, or the peer has shut down its side */
    LOOP_WRITE = 2,
    LOOP_BROKEN = 4,            /* error or hang-up; reported whatever the interest is */
};

struct loop_fd {
    int fd;
    unsigned interest;
    void (*fn)(void *ctx, unsigned events);
    void *ctx;
    struct loop *loop;          /* NULL: not added */
    struct loop_fd *next_always, **prev_always;
    bool always;                /* a regular file: always ready, epoll refuses it */
};

/* Calls fn(ctx, events) when `fd` is ready for the interest (level-triggered: as long as it is).
 * `fd` stays the caller's; remove before closing it. */
bool loop_fd_add(struct loop *l, struct loop_fd *f, int fd, unsigned interest,
                 void (*fn)(void *ctx, unsigned events), void *ctx, struct err *e);
void loop_fd_interest_set(struct loop_fd *f, unsigned interest);    /* 0 is good: only BROKEN */
/* Does nothing when not added.  fn is not called after that, also not in the same round. */
void loop_fd_remove(struct loop_fd *f);

/* ---- timers: any thread ------------------------------------------------------------------- */

struct loop_timer {
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
    int64_t deadline_ns;
    uint32_t heap_slot;         /* 0: not armed */
};

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fn)(void *ctx), void *ctx);
/* (Re-)arms for mono_now_ns() >= deadline_ns; one shot. */
void loop_timer_arm(struct loop_timer *t, int64_t deadline_ns);
/* True when it was armed.  On the loop's thread, fn will not run after this; on another thread,
 * fn may be in the middle of running: free the timer on the loop's thread. */
bool loop_timer_cancel(struct loop_timer *t);
bool loop_timer_is_armed(struct loop_timer *t);

/* ---- work: any thread --------------------------------------------------------------------- */

/* A piece of work that is either scheduled or not: scheduling twice before it runs is once.  This
 * is what a device or a backend uses: a guest cannot make the queue long. */
struct loop_work {
    void (*fn)(void *ctx);
    void *ctx;
    struct loop *loop;
    struct loop_work *next;
    bool queued;
};

void loop_work_init(struct loop_work *w, struct loop *l, void (*fn)(void *ctx), void *ctx);
void loop_work_schedule(struct loop_work *w);
/* True when it was scheduled and now is not.  Owner only if you are going to free it. */
bool loop_work_cancel(struct loop_work *w);

/* Runs fn(ctx) once, in the order of the posts.  Allocates; for rare things. */
void loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* Runs fn(ctx) on the loop's thread and waits until it has run; directly, on that thread.  The
 * caller holds no lock that fn or any callback takes, and somebody runs the loop. */
void loop_call(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* ---- signals: owner only ------------------------------------------------------------------ */

struct loop_signal {
    struct loop_fd fd;
    void (*fn)(void *ctx, int signo);
    void *ctx;
    int signo;
};

/* Blocks `signo` in the calling thread (threads started by base/thread.h block it anyhow) and
 * calls fn when it arrives for the process. */
bool loop_signal_add(struct loop *l, struct loop_signal *s, int signo,
                     void (*fn)(void *ctx, int signo), void *ctx, struct err *e);
/* Unblocks the signal in the calling thread, so its default action is back. */
void loop_signal_remove(struct loop_signal *s);

/* ---- hooks: owner only -------------------------------------------------------------------- */

/* For a library with a poll() interface of its own (libslirp): fn runs before each wait, and may
 * add or remove descriptors and lower *timeout_ns (< 0: no limit yet). */
struct loop_hook {
    void (*fn)(void *ctx, int64_t *timeout_ns);
    void *ctx;
    struct loop *loop;
    struct loop_hook *next;
};

void loop_hook_add(struct loop *l, struct loop_hook *h,
                   void (*fn)(void *ctx, int64_t *timeout_ns), void *ctx);
void loop_hook_remove(struct loop_hook *h);
