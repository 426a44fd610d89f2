/* SPDX-License-Identifier: Apache-2.0 */
/* struct vcpu: one processing element as the machine sees it, whatever engine runs it and
 * wherever.
 *
 * View and safepoints.  What a vCPU may use without asking (its TLB, its translated code) is
 * its view.  Another thread changes a view only by vcpu_view_run(), which runs a function while
 * the vCPU is quiescent: waiting, in C code that said so, or held at a safepoint.
 *   vCPU thread:  vcpu_view_enter … guest code, polling *poll at safepoints … vcpu_view_leave
 *   requester:    vcpu_view_run(v, fn, arg)
 * A thread that waits for anything (a page, another vCPU, a lock held across a wait) must have
 * left its own view before, or two of them wait for each other for ever. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;
struct err;

#define VCPU_MAX 512

/* Why a vCPU is asked to come to its safepoint: bits of *poll. */
enum vcpu_poll {
    VCPU_POLL_VIEW = 1,     /* somebody wants to change its view */
    VCPU_POLL_IRQ = 2,      /* interrupt lines may have changed */
    VCPU_POLL_STOP = 4,     /* pause, reset, power off or end */
};

enum vcpu_line { VCPU_IRQ, VCPU_FIQ };

enum vcpu_power { VCPU_OFF, VCPU_ON, VCPU_ON_PENDING };

/* One broadcast maintenance operation, in the guest architecture's own packing (≤ 32 bytes). */
struct vcpu_maint {
    uint64_t w[4];
};
#define VCPU_MAINT_MAX 32       /* in one batch; more are merged into "everything" */

/* Seam: how a vCPU is driven: by an engine of this process, or by message. */
struct vcpu_ops {
    bool (*start)(struct vcpu *v, struct err *e);   /* create the thread; the vCPU is paused */
    void (*end)(struct vcpu *v);                    /* end and join the thread */
    void (*kick)(struct vcpu *v);                   /* look at *poll, leave WFI */
    /* Power on at `entry` with `context` in the first argument register (PSCI CPU_ON).
     * false: it was not off. */
    bool (*power_on)(struct vcpu *v, uint64_t entry, uint64_t context);
    enum vcpu_power (*power)(struct vcpu *v);
    void (*reset)(struct vcpu *v);                  /* architectural reset; only while paused */
    void (*set_line)(struct vcpu *v, enum vcpu_line line, bool level);
    /* Apply maintenance to this vCPU's view.  begin may return at once; wait returns when the
     * effects of all begun batches are complete.  The caller has left its own view. */
    void (*maint_begin)(struct vcpu *v, const struct vcpu_maint *m, unsigned n);
    void (*maint_wait)(struct vcpu *v);
    /* Drop a guest-physical page from the view (all rights, or only writing). */
    void (*drop_page)(struct vcpu *v, uint64_t page, bool keep_read);
    /* Architectural state as text for `info registers`; returns the length as snprintf. */
    int (*print_state)(struct vcpu *v, char *buf, int len);
};

struct vcpu {
    struct vm *vm;
    unsigned index;
    const struct vcpu_ops *ops;
    void *engine;                   /* of ops */
    _Atomic uint32_t *poll;         /* of the engine; never NULL */

    /* private to vcpu.c */
    pthread_mutex_t view_lock;      /* serialises requesters; entering when one is there */
    _Atomic uint32_t view_active;   /* futex: 1 inside, 0 quiescent */
};

void vcpu_init(struct vcpu *v, struct vm *vm, unsigned index);
void vcpu_destroy(struct vcpu *v);

/* vCPU thread only.  After enter the view is the thread's own; leave may be nested in nothing. */
void vcpu_view_enter(struct vcpu *v);
void vcpu_view_leave(struct vcpu *v);
/* vCPU thread, inside: let waiting requesters run.  Cheap when VCPU_POLL_VIEW is not set. */
void vcpu_view_safepoint(struct vcpu *v);

/* vCPU thread, outside of the view: blocks while the machine is paused.  False: end the thread.
 * Call it when VCPU_POLL_STOP is set, and first of all in a new thread. */
bool vcpu_park(struct vcpu *v);

/* Sets bits of *poll and makes the vCPU look at them.  Any thread. */
void vcpu_poke(struct vcpu *v, uint32_t bits);

/* Any thread that is not inside a view.  Runs fn(arg) with `v` quiescent; returns after it. */
void vcpu_view_run(struct vcpu *v, void (*fn)(void *arg), void *arg);
