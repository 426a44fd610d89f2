/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/vcpu.h"

#include "base/relax.h"
#include "vm/vm.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How often a requester looks before it sleeps: a safepoint is usually under 1 µs away. */
#define VIEW_SPINS 200

/* Values of view_active. */
enum { QUIESCENT, INSIDE, INSIDE_AND_AWAITED };

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void vcpu_init(struct vcpu *v, struct vm *vm, unsigned index)
{
    *v = (struct vcpu){ .vm = vm, .index = index };
    pthread_mutex_init(&v->view_lock, NULL);
}

void vcpu_destroy(struct vcpu *v)
{
    pthread_mutex_destroy(&v->view_lock);
}

void vcpu_view_leave(struct vcpu *v)
{
    if (atomic_exchange(&v->view_active, QUIESCENT) == INSIDE_AND_AWAITED) {
        futex_wake_all(&v->view_active);
    }
}

/* A requester holds view_lock for as long as it needs the vCPU quiescent, and says so before it
 * looks (vcpu_view_run): either it sees us inside, or we see that it is there and step back.  Then
 * taking the lock is all that entering has to wait for. */
void vcpu_view_enter(struct vcpu *v)
{
    atomic_store(&v->view_active, INSIDE);
    if (!(atomic_load(v->poll) & VCPU_POLL_VIEW)) {
        return;
    }
    vcpu_view_leave(v);
    pthread_mutex_lock(&v->view_lock);
    atomic_store(&v->view_active, INSIDE);
    pthread_mutex_unlock(&v->view_lock);
}

void vcpu_view_safepoint(struct vcpu *v)
{
    if (atomic_load(v->poll) & VCPU_POLL_VIEW) {
        vcpu_view_leave(v);
        vcpu_view_enter(v);
    }
}

static void wait_quiescent(struct vcpu *v)
{
    for (unsigned i = 0; i < VIEW_SPINS; i++) {
        if (atomic_load(&v->view_active) == QUIESCENT) {
            return;
        }
        cpu_relax();
    }
    for (;;) {
        uint32_t inside = INSIDE;

        if (!atomic_compare_exchange_strong(&v->view_active, &inside, INSIDE_AND_AWAITED) &&
            inside == QUIESCENT) {
            return;
        }
        futex_wait(&v->view_active, INSIDE_AND_AWAITED);
    }
}

void vcpu_view_run(struct vcpu *v, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&v->view_lock);
    atomic_fetch_or(v->poll, VCPU_POLL_VIEW);
    wait_quiescent(v);
    fn(arg);
    atomic_fetch_and(v->poll, ~(uint32_t)VCPU_POLL_VIEW);
    pthread_mutex_unlock(&v->view_lock);
}

void vcpu_poke(struct vcpu *v, uint32_t bits)
{
    atomic_fetch_or(v->poll, bits);
    v->ops->kick(v);
}

bool vcpu_park(struct vcpu *v)
{
    struct vm *vm = v->vm;
    bool running;

    pthread_mutex_lock(&vm->run_lock);
    vm->parked_n++;
    pthread_cond_broadcast(&vm->run_cond);
    while (atomic_load(&vm->state) == VM_PAUSED) {
        pthread_cond_wait(&vm->run_cond, &vm->run_lock);
    }
    running = atomic_load(&vm->state) == VM_RUNNING;
    vm->parked_n--;
    atomic_fetch_and(v->poll, ~(uint32_t)VCPU_POLL_STOP);
    pthread_mutex_unlock(&vm->run_lock);
    return running;
}
