/* SPDX-License-Identifier: Apache-2.0 */
/* struct virt_platform: the platform bus: devices without an address of their own are put
 * there in the order of their coming, and get the next interrupts. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct device;
struct err;
struct virt;

#define VIRT_PLATFORM_DEVICES_MAX 32
#define VIRT_PLATFORM_REGIONS_MAX 4     /* of one device */

struct virt_platform_device {
    struct device *dev;
    unsigned regions_n;
    uint32_t off[VIRT_PLATFORM_REGIONS_MAX];    /* from the start of the bus's window */
    uint32_t bytes[VIRT_PLATFORM_REGIONS_MAX];
    unsigned irqs_n, spi;                       /* the first of irqs_n */
};

struct virt_platform {
    unsigned devices_n;
    struct virt_platform_device device[VIRT_PLATFORM_DEVICES_MAX];
    uint32_t used_bytes;
    unsigned spis_n;
};

/* Chooses addresses and interrupts of a device whose options are set, and connects it. */
bool virt_platform_plug(struct virt *b, struct device *d, struct err *e);
/* Puts the regions of the last device that was plugged, realized since, into memory. */
bool virt_platform_map(struct virt *b, struct device *d, struct err *e);
