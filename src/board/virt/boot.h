/* SPDX-License-Identifier: Apache-2.0 */
/* struct virt_boot: what a root puts into memory at each reset, and where vCPU 0 starts. */
#pragma once
#include "board/boot/image.h"

struct err;
struct mem_space;
struct virt_config;
struct virt_platform;

struct virt_boot {
    bool has_kernel;
    struct boot_image kernel;
    uint8_t *initrd, *firmware;
    size_t initrd_bytes, firmware_bytes;
    uint64_t initrd_gpa;        /* 0: not put there */
    uint8_t *firmware_kernel;   /* a kernel that the firmware loads, with the initrd */
    size_t firmware_kernel_bytes;
    void *fdt;                  /* with room to grow; seeds are new at each reset */
    uint64_t fdt_gpa;
    size_t fdt_bytes_max;       /* reserved for it at fdt_gpa */
    bool no_seeds;
    uint64_t entry, context;    /* of vCPU 0: pc and x0 */
};

/* Reads all files of `c` and decides where they go.  `devices` and `platform` as
 * for virt_fdt_make().  An all-zero struct before. */
bool virt_boot_prepare(struct virt_boot *b, const struct virt_config *c, unsigned devices,
                       const struct virt_platform *platform, struct err *e);
/* Copies everything to guest memory. */
bool virt_boot_load(struct virt_boot *b, struct mem_space *mem, struct err *e);
void virt_boot_free(struct virt_boot *b);
