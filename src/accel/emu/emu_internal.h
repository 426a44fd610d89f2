/* SPDX-License-Identifier: Apache-2.0 */
/* What emu.c (thread, power, vcpu_ops) and emu_bus.c (struct a64_bus) share. */
#pragma once
#include "accel/emu/emu.h"
#include "base/thread.h"
#include "isa/a64/cpu.h"
#include "vm/vcpu.h"

#include <pthread.h>
#include <stdatomic.h>

struct emu {
    struct a64_cpu cpu;
    struct vcpu *vcpu;
    struct emu_engine engine;
    struct emu_hooks hooks;
    struct thread thread;

    /* Power: under power_lock when leaving OFF; entry and context belong to ON_PENDING. */
    pthread_mutex_t power_lock;
    _Atomic int power;                      /* enum vcpu_power */
    uint64_t entry, context;

    _Atomic uint32_t wake_seq;              /* futex of the sleeping vCPU thread */
    atomic_bool sleeping;

    /* Maintenance by this PE that the others have not been told of yet (own thread). */
    struct vcpu_maint own[VCPU_MAINT_MAX];
    unsigned own_n;
    /* Counts maintenance by others, so that a translation looked up before is not used. */
    _Atomic uint32_t maint_gen;
};

/* emu_bus.c */
void emu_bus_init(struct emu *m);
void emu_maint_begin(struct vcpu *v, const struct vcpu_maint *ops, unsigned n);
void emu_maint_wait(struct vcpu *v);
/* emu.c */
void emu_wait_for_event(void *ctx, bool is_wfi);
