/* SPDX-License-Identifier: Apache-2.0 */
/* struct emu: an aarch64 vCPU that this process runs in software: its thread, its way to memory
 * and devices (struct a64_bus), power states, WFI, and maintenance for and from other vCPUs.
 *
 * What executes instructions is given as struct emu_engine (interpreter or JIT), what lies
 * around the PE (interrupt controller, timers, firmware) as struct emu_hooks. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct a64_cpu;
struct a64_model;
struct emu;
struct err;
struct vcpu;

struct emu_engine {
    void *ctx;
    /* Executes instructions until cpu->poll is nonzero (or a bus call returned A64_BUS_STOP).
     * Takes no interrupts by itself.  vCPU thread, inside the view. */
    void (*run)(void *ctx, struct a64_cpu *cpu);
    /* Code at guest-physical [gpa, gpa + bytes) may have changed (bytes ~0: everywhere).
     * On `cpu`'s own thread inside the view, or while its vCPU is quiescent. */
    void (*icache_invalidate)(void *ctx, struct a64_cpu *cpu, uint64_t gpa, uint64_t bytes);
    /* A vCPU is made and freed; either may be NULL. */
    bool (*attach)(void *ctx, struct a64_cpu *cpu, struct err *e);
    void (*detach)(void *ctx, struct a64_cpu *cpu);
};

enum emu_firmware { EMU_FIRMWARE_NONE, EMU_FIRMWARE_DONE, EMU_FIRMWARE_WAIT, EMU_FIRMWARE_OFF };

/* Called on the thread of local vCPU `n`. */
struct emu_hooks {
    void *ctx;
    /* System registers outside of the PE (ICC_*, CNT*); inside the view, must not block. */
    bool (*sysreg_read)(void *ctx, unsigned n, uint32_t enc, uint64_t *v);
    bool (*sysreg_write)(void *ctx, unsigned n, uint32_t enc, uint64_t v);
    /* HVC/SMC: x[0…3] are arguments and results; outside of the view, may block. */
    enum emu_firmware (*firmware_call)(void *ctx, unsigned n, bool is_smc, uint64_t *x);
    /* The vCPU starts after power_on: reset what belongs to it around the PE. */
    void (*power_on_reset)(void *ctx, unsigned n);
};

struct emu_config {
    const struct a64_model *model;
    uint64_t mpidr;
    struct emu_engine engine;
    struct emu_hooks hooks;
};

/* Gives `v` (vcpu_init was called) its ops and an engine; powered off.  False with `e` set. */
bool emu_make(struct vcpu *v, const struct emu_config *c, struct err *e);
/* After its thread has ended (vcpu_ops.end).  Does nothing for a vCPU that emu_make() did not
 * make. */
void emu_free(struct vcpu *v);

/* For the debugger and tests: while paused. */
struct a64_cpu *emu_cpu(struct vcpu *v);
