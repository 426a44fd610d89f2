/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree of the virt machine (Devicetree Specification 0.4; bindings of Linux). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct virt_config;
struct virt_platform;

/* Devices that only some machines have. */
enum virt_fdt_device {
    VIRT_FDT_UART = 1, VIRT_FDT_RTC = 2, VIRT_FDT_GPIO = 4, VIRT_FDT_FW_CFG = 8,
    VIRT_FDT_FLASH = 16, VIRT_FDT_VIRTIO = 32, VIRT_FDT_V2M = 64,
};

struct virt_fdt_chosen {
    const char *bootargs;               /* NULL: none */
    uint64_t initrd, initrd_end;        /* equal: none */
};

/* The machine without what virt_fdt_fix() adds; `devices` as above; `platform` may be NULL.
 * The blob is the caller's (free()) and has room to grow. */
void *virt_fdt_make(const struct virt_config *c, unsigned devices,
                    const struct virt_platform *platform, struct err *e);
/* Reads and checks a blob from a file (-dtb), with room to grow; free() it. */
void *virt_fdt_load(const char *path, struct err *e);
/* Memory nodes and /chosen as they are for this boot; also for a blob from a file. */
bool virt_fdt_fix(void *fdt, const struct virt_config *c, const struct virt_fdt_chosen *chosen,
                  struct err *e);
/* New random rng-seed and kaslr-seed in /chosen. */
bool virt_fdt_seed(void *fdt, struct err *e);
/* Shrinks it, up to a page to spare for boot loaders; returns its size in bytes. */
size_t virt_fdt_pack(void *fdt);
