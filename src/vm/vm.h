/* SPDX-License-Identifier: Apache-2.0 */
/* struct vm: one machine: its memory, clock, event loop and vCPUs.  Everything that a device or
 * an engine uses is reached from here. */
#pragma once
#include "vm/irq.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;
struct mem_space;
struct vcpu;
struct vm_clock;

enum vm_state { VM_PAUSED, VM_RUNNING, VM_ENDING };

/* What the guest asked for (or what happened) that concerns the whole machine. */
enum vm_event { VM_EV_POWEROFF, VM_EV_RESET, VM_EV_PANIC, VM_EV_HOST_QUIT };

struct vm {
    struct mem_space *mem;
    struct vm_clock *clock;
    struct loop *loop;
    unsigned vcpus_n;
    struct vcpu *vcpu;              /* [vcpus_n], indexed by vCPU number */
    struct irq_sink irq_sink;       /* between the parts of the interrupt controller */
    _Atomic int state;              /* enum vm_state */

    /* Seam: where machine events go: to front/ when alone, to the machine's first node
     * otherwise.  Any thread; returns at once.  `why` is one line for the log or NULL. */
    void (*event)(void *ctx, enum vm_event ev, const char *why);
    void *event_ctx;

    /* private to vm.c and vcpu.c: pausing */
    pthread_mutex_t run_lock;
    pthread_cond_t run_cond;        /* state or the counts have changed */
    unsigned threads_n;             /* vCPU threads of this process that take part */
    unsigned parked_n;              /* of them, those that stand */
};

/* `loop` stays the caller's.  NULL with `e` set on failure. */
struct vm *vm_new(struct loop *loop, unsigned vcpus_n, struct err *e);
void vm_free(struct vm *vm);

/* Start the vCPUs' threads once the board is complete; run and pause guest time and vCPUs.
 * Loop thread. */
bool vm_start(struct vm *vm, struct err *e);
void vm_run(struct vm *vm);
void vm_pause(struct vm *vm);       /* returns when every local vCPU stands */
void vm_end(struct vm *vm);         /* ends the threads */

/* An engine's thread joins (+1, before it is created) and leaves (-1, at its end) those that
 * vm_pause() waits for. */
void vm_thread_count(struct vm *vm, int by);

void vm_post_event(struct vm *vm, enum vm_event ev, const char *why);

/* Drop a guest-physical page from every local vCPU's view: no vCPU of this process can use the
 * dropped right any more when this returns.  For the owner of ram_ops; any thread outside of
 * views. */
void vm_drop_page(struct vm *vm, uint64_t page, bool keep_read);
