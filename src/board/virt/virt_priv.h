/* SPDX-License-Identifier: Apache-2.0 */
/* struct virt, for the files of this folder:
 *   virt.c      building, reset, freeing
 *   intc.c      interrupt controller and timers, and what the vCPUs' engines ask of them
 *   platform.c  the platform bus
 *   devices.c   everything else that has registers
 *   boot.c      kernel, initrd, device tree, firmware */
#pragma once
#include "board/virt/boot.h"
#include "board/virt/platform.h"
#include "board/virt/virt.h"
#include "dev/intc/gicv3.h"
#include "vm/device.h"
#include "vm/vm.h"

#include <stddef.h>

struct err;

/* Of one vCPU; what is NULL is somewhere else. */
struct virt_cpu {
    struct virt *board;
    unsigned index;
    struct device *gicv3;               /* of gicv3_cpu_class */
    struct device *timer;
};

#define VIRT_FIXED_DEVICES_MAX 8

struct virt {
    struct vm *vm;
    struct virt_hosting hosting;
    bool is_root;
    bool joins_parts;                   /* vm->irq_sink is ours */
    unsigned gic_version;
    const struct trace *trace;

    uint64_t mpidr[VIRT_CPUS_MAX];
    struct gicv3_topology topology;
    struct virt_cpu cpu[VIRT_CPUS_MAX];
    struct device *gicv3, *gicv2;       /* root only, one of the two */

    /* Root only */
    struct device *fixed[VIRT_FIXED_DEVICES_MAX];   /* as the table in devices.c */
    struct device *flash[2];
    struct device *transport[32];       /* virtio-mmio */
    unsigned plugged_n;
    struct device *plugged[VIRT_DEVICES_MAX];       /* made for -device */
    struct virt_platform platform;
    unsigned shown;                     /* enum virt_fdt_device */
    struct virt_boot boot;
};

static inline bool virt_is_local(const struct virt *b, unsigned n)
{
    return !b->hosting.vcpu_is_local || b->hosting.vcpu_is_local(b->hosting.ctx, n);
}

static inline struct device_env virt_device_env(const struct virt *b)
{
    return (struct device_env){ .mem = b->vm->mem, .clock = b->vm->clock, .loop = b->vm->loop,
                                .trace = b->trace };
}

/* config.c: where frame pairs of redistributors beyond the first 123 are. */
uint64_t virt_config_high_gicr(const struct virt_config *c);

/* intc.c */
bool virt_intc_build(struct virt *b, const struct virt_config *c, struct err *e);
void virt_intc_reset(struct virt *b);
void virt_intc_free(struct virt *b);
/* Its parts that are here, and the timers, from 0 to virt_intc_n(); NULL: there is none. */
struct device *virt_intc_at(struct virt *b, unsigned i);
unsigned virt_intc_n(const struct virt *b);
struct irq virt_spi(struct virt *b, unsigned spi);      /* root */

/* devices.c: root */
bool virt_devices_build(struct virt *b, const struct virt_config *c, struct err *e);
/* Fills fw_cfg, once b->boot is prepared. */
bool virt_devices_tell_firmware(struct virt *b, const struct virt_config *c, struct err *e);
bool virt_devices_reset(struct virt *b, struct err *e);
void virt_devices_free(struct virt *b);
