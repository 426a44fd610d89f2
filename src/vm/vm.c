/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/vm.h"

#include "base/err.h"
#include "mem/space.h"
#include "vm/clock.h"
#include "vm/vcpu.h"

#include <stdlib.h>

static void drop_page(void *ctx, uint64_t page)
{
    vm_drop_page(ctx, page, false);
}

struct vm *vm_new(struct loop *loop, unsigned vcpus_n, struct err *e)
{
    struct vm *vm;

    if (vcpus_n == 0 || vcpus_n > VCPU_MAX) {
        err_set(e, "%u vCPUs: a machine has 1 to %d", vcpus_n, VCPU_MAX);
        return NULL;
    }
    vm = calloc(1, sizeof *vm);
    if (!vm) {
        err_set(e, "out of memory for the machine");
        return NULL;
    }
    vm->loop = loop;
    pthread_mutex_init(&vm->run_lock, NULL);
    pthread_cond_init(&vm->run_cond, NULL);
    vm->vcpu = calloc(vcpus_n, sizeof vm->vcpu[0]);
    vm->clock = vm_clock_new(loop);
    vm->mem = mem_space_new(e);
    if (!vm->vcpu || !vm->clock || !vm->mem) {
        err_set(e, "out of memory for the machine");
        vm_free(vm);
        return NULL;
    }
    for (unsigned i = 0; i < vcpus_n; i++) {
        vcpu_init(&vm->vcpu[i], vm, i);
    }
    vm->vcpus_n = vcpus_n;
    mem_space_set_drop(vm->mem, drop_page, vm);
    return vm;
}

void vm_free(struct vm *vm)
{
    if (!vm) {
        return;
    }
    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        vcpu_destroy(&vm->vcpu[i]);
    }
    free(vm->vcpu);
    vm_clock_free(vm->clock);
    mem_space_free(vm->mem);
    pthread_cond_destroy(&vm->run_cond);
    pthread_mutex_destroy(&vm->run_lock);
    free(vm);
}

bool vm_start(struct vm *vm, struct err *e)
{
    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        if (!vm->vcpu[i].ops->start(&vm->vcpu[i], e)) {
            return false;
        }
    }
    return true;
}

static void set_state(struct vm *vm, enum vm_state state)
{
    pthread_mutex_lock(&vm->run_lock);
    atomic_store(&vm->state, state);
    pthread_cond_broadcast(&vm->run_cond);
    pthread_mutex_unlock(&vm->run_lock);
}

void vm_run(struct vm *vm)
{
    vm_clock_run(vm->clock, true);
    set_state(vm, VM_RUNNING);
}

static void poke_all(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        if (vm->vcpu[i].poll) {
            vcpu_poke(&vm->vcpu[i], VCPU_POLL_STOP);
        }
    }
}

void vm_pause(struct vm *vm)
{
    set_state(vm, VM_PAUSED);
    poke_all(vm);
    pthread_mutex_lock(&vm->run_lock);
    while (vm->parked_n < vm->threads_n) {
        pthread_cond_wait(&vm->run_cond, &vm->run_lock);
    }
    pthread_mutex_unlock(&vm->run_lock);
    vm_clock_run(vm->clock, false);
}

void vm_end(struct vm *vm)
{
    set_state(vm, VM_ENDING);
    poke_all(vm);
    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        if (vm->vcpu[i].ops) {
            vm->vcpu[i].ops->end(&vm->vcpu[i]);
        }
    }
    vm_clock_run(vm->clock, false);
}

void vm_thread_count(struct vm *vm, int by)
{
    pthread_mutex_lock(&vm->run_lock);
    vm->threads_n += by;
    pthread_cond_broadcast(&vm->run_cond);
    pthread_mutex_unlock(&vm->run_lock);
}

void vm_post_event(struct vm *vm, enum vm_event ev, const char *why)
{
    if (vm->event) {
        vm->event(vm->event_ctx, ev, why);
    }
}

void vm_drop_page(struct vm *vm, uint64_t page, bool keep_read)
{
    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        if (vm->vcpu[i].ops) {
            vm->vcpu[i].ops->drop_page(&vm->vcpu[i], page, keep_read);
        }
    }
}
