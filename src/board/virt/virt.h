/* SPDX-License-Identifier: Apache-2.0 */
/* struct virt: the aarch64 `virt` machine: QEMU's memory map, interrupt numbers, device tree,
 * direct kernel boot and PSCI.
 *
 * A machine may be built in parts: virt_build_root() makes all of it, virt_build_member() only
 * RAM and the vCPUs that `struct virt_hosting` calls local, with their redistributors and
 * timers.  Whatever a part has not got, it reaches through what the caller supplies: struct
 * vcpu_ops, struct mmio_ops, vm->irq_sink and mem_space_set_fallback().  Every part is built from
 * an equal struct virt_config.
 *
 * Who calls what, for one machine in one process:
 *   vm_new → virt_build_root (calls hosting->vcpu_make for each vCPU) → vm_start → virt_reset →
 *   vm_run … vm_pause, virt_reset, vm_run (reset) … vm_end → virt_free → vm_free */
#pragma once
#include "vm/irq.h"
#include "vm/vcpu.h"

#include <stdbool.h>
#include <stdint.h>

struct device;
struct device_finder;
struct err;
struct mmio_ops;
struct opts;
struct trace;
struct virt;
struct vm;

#define VIRT_CPUS_MAX VCPU_MAX
#define VIRT_NUMA_MAX 64
#define VIRT_SERIALS_MAX 1
#define VIRT_DEVICES_MAX 128
#define VIRT_RAM_BASE UINT64_C(0x40000000)
#define VIRT_GICV2_CPUS_MAX 8

/* All that makes one machine.  virt_config_init() gives the defaults; texts stay the caller's
 * and must live until virt_build_* returns (virt_reset needs none of them). */
struct virt_config {
    unsigned cpus_n;                    /* 1 … VIRT_CPUS_MAX */
    /* -smp: sockets × clusters × cores × threads == maxcpus == cpus_n; all ≥ 1. */
    unsigned sockets_n, clusters_n, cores_n, threads_n;
    bool has_clusters;                  /* clusters= was given (the device tree always has them) */
    const char *cpu_compatible;         /* "arm,cortex-a72" (of the CPU model's table) */
    bool cpu_has_pmu;                   /* a `pmu` node is shown */
    unsigned gic_version;               /* 2 or 3 */
    uint64_t ram_bytes;                 /* a multiple of 4 KiB, ≥ 4 KiB */

    unsigned numa_n;                    /* 0: none described */
    uint64_t numa_ram_bytes[VIRT_NUMA_MAX];     /* sum: ram_bytes */
    uint8_t cpu_numa[VIRT_CPUS_MAX];            /* of each vCPU */
    bool has_distances;                 /* false: no distance-map */
    uint8_t distance[VIRT_NUMA_MAX][VIRT_NUMA_MAX];     /* 10 … 254; 255: unreachable */

    const char *kernel, *initrd, *append, *dtb, *bios;  /* paths and text; NULL: not given */
    bool no_seeds;                      /* no rng-seed, kaslr-seed (dtb-randomness=off) */

    const char *pflash[2];              /* flash drives: ids of block backends for `finder` */
    /* -serial n: id of the character backend for `finder`; NULL: not connected. */
    const char *serial[VIRT_SERIALS_MAX];
    /* -device, in their order: each a node with `driver`, perhaps `id`, `bus`, and options. */
    unsigned devices_n;
    const struct opts *device[VIRT_DEVICES_MAX];
    /* -global: a list of nodes with `driver`, `property`, `value`; or NULL. */
    const struct opts *globals;
    const struct device_finder *finder; /* finds backends of devices; NULL: there are none */
    const struct trace *trace;          /* NULL: nothing is traced */
};
void virt_config_init(struct virt_config *c);
/* Checks counts, sizes and sums as QEMU does; build does it as well. */
bool virt_config_check(const struct virt_config *c, struct err *e);

/* The first byte of RAM of NUMA node `n` (their order is that of addresses). */
uint64_t virt_config_numa_base(const struct virt_config *c, unsigned n);
/* Where the redistributor frames (GICv3) of a vCPU are. */
uint64_t virt_config_redist_base(const struct virt_config *c, unsigned vcpu);
/* MPIDR_EL1 affinity fields of a vCPU: 16 to a cluster with GICv3, 8 with GICv2. */
uint64_t virt_config_mpidr(const struct virt_config *c, unsigned vcpu);

/* Seam: who runs which vCPU. */
struct virt_hosting {
    void *ctx;
    /* NULL: all are. */
    bool (*vcpu_is_local)(void *ctx, unsigned n);
    /* Gives vm->vcpu[n] (vcpu_init was called) its ops and engine.  `mpidr` is as above.  The
     * engine of a local vCPU calls virt_vcpu_* below with this `b` and `n`. */
    bool (*vcpu_make)(void *ctx, struct virt *b, struct vcpu *v, uint64_t mpidr, struct err *e);
    /* MMIO of a redistributor frame (128 KiB) of a vCPU that is not local.  NULL, or false: no
     * region is added (accesses go to the fallback). */
    bool (*redist_mmio)(void *ctx, unsigned n, const struct mmio_ops **ops, void **ops_ctx);
};

/* Build the machine into `vm`, whose vcpus_n is c->cpus_n and whose memory is empty.  When
 * vm->irq_sink.send is NULL, all parts of the interrupt controller are here and the board
 * connects them; otherwise the owner of irq_sink calls virt_irq_deliver().  `hosting` is copied.
 * NULL with `e` set on failure.  Loop thread. */
struct virt *virt_build_root(struct vm *vm, const struct virt_config *c,
                             const struct virt_hosting *hosting, struct err *e);
struct virt *virt_build_member(struct vm *vm, const struct virt_config *c,
                               const struct virt_hosting *hosting, struct err *e);
void virt_free(struct virt *b);         /* NULL is good; vCPU threads have ended */

/* Machine reset, also the first one: devices, interrupt controller, timers and local vCPUs; the
 * root then loads kernel, initrd, device tree and firmware again and powers vCPU 0 on.  All
 * vCPUs of the machine are paused; each part is reset before any of them goes on, members before
 * the root.  Loop thread. */
bool virt_reset(struct virt *b, struct err *e);

/* A message of the interrupt controller for a part that is here (m->to).  Any thread outside of
 * interrupt controller and vCPU locks; never blocks.  Contents are not trusted. */
void virt_irq_deliver(struct virt *b, const struct irq_msg *m);

/* The user presses the power button (`system_powerdown`); root only. */
void virt_press_power_key(struct virt *b);

/* ---- for a test bench: root ------------------------------------------------------------------ */

/* The i-th device of the machine, what drives wires before what they go to; NULL: past the last. */
struct device *virt_device_at(struct virt *b, unsigned i);
/* What a path of QEMU's object tree means here: also our ids by themselves ("pl061", that of a
 * -device), /machine/peripheral/ID, /machine/peripheral-anon/device[N] (the N-th -device without an
 * id), /machine/unattached/device[N] as QEMU numbers this machine's, /machine/virt.flashN and
 * /machine/fw_cfg.  NULL: there is no such device. */
struct device *virt_device_find(struct virt *b, const char *path);
/* "gic", also as a path. */
bool virt_path_is_gic(const struct virt *b, const char *path);
/* Shared peripheral interrupt n as a line into the interrupt controller, and back: which one a
 * line is (-1: it goes elsewhere). */
struct irq virt_spi_line(struct virt *b, unsigned spi);
int virt_spi_of_line(struct virt *b, const struct irq *line);
#define VIRT_SPI_LINES_N 224
/* Drives an input pin of a device that has some (pl061).  false: it has not. */
bool virt_device_input_set(struct device *d, unsigned pin, bool level);

/* ---- for the engine of local vCPU `n`, on its thread ---------------------------------------- */

/* ICC_* and CNT*: enc as A64_SYSREG() packs it.  false: UNDEFINED.  Access checks that depend on
 * the exception level (CNTKCTL_EL1, …) are the caller's.  Never blocks; may be called inside of
 * the view. */
bool virt_vcpu_sysreg_read(struct virt *b, unsigned n, uint32_t enc, uint64_t *v);
bool virt_vcpu_sysreg_write(struct virt *b, unsigned n, uint32_t enc, uint64_t v);
/* For the counters' fast path (dev/timer/arm_timer.h). */
struct device *virt_vcpu_timer(struct virt *b, unsigned n);

enum virt_firmware {
    VIRT_FIRMWARE_NONE,     /* not a firmware call of this machine: UNDEFINED */
    VIRT_FIRMWARE_DONE,     /* results are in x[] */
    VIRT_FIRMWARE_WAIT,     /* as DONE, and wait as WFI does before going on */
    VIRT_FIRMWARE_OFF,      /* this vCPU is off now, until power_on */
};
/* HVC or SMC: x[0…3] are arguments and results; x[1…3] only change where SMCCC says so.  May ask
 * other vCPUs, thus wait: call it outside of the view. */
enum virt_firmware virt_vcpu_firmware_call(struct virt *b, unsigned n, bool is_smc, uint64_t *x);
/* The vCPU is about to start at power_on: its CPU interface and timers get reset values. */
void virt_vcpu_power_on_reset(struct virt *b, unsigned n);
