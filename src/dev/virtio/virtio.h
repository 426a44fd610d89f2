/* SPDX-License-Identifier: Apache-2.0 */
/* struct virtio_core: the part of a virtio device (pando/device.h) that is not the device's own
 * business, between a transport (mmio.c) and a kind of device (blk.c, net.c, plug-ins, …).
 *
 * A transport's plug hook calls virtio_core_attach().  Work that a driver asks for by a kick is
 * done on the loop's thread: the vCPU only wakes it. */
#pragma once
#include "pando/device.h"

#include <stdatomic.h>

enum virtio_isr { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

struct virtio_core {
    struct virtio_device *v;
    uint64_t features_host;         /* without those of the transport */
    uint32_t isr;
    uint32_t config_generation;
    struct virtqueue vq[VIRTIO_QUEUES_MAX];

    _Atomic uint64_t kicked;        /* bit per queue */
    struct device_work *kick_work;
    struct device *transport;
    void (*isr_changed)(struct device *transport);

    /* The device's, while a state is saved or loaded. */
    uint64_t features;
    uint8_t status;
    bool modern;
};

/* Gives `d`, which is being plugged into `transport`, its core; isr_changed is called with the
 * lock held.  false: not a virtio device, or out of memory. */
bool virtio_core_attach(struct device *d, struct device *transport,
                        void (*isr_changed)(struct device *transport), struct err *e);

/* From the driver, with the lock held. */
void virtio_status_write(struct virtio_device *v, uint8_t status);
void virtio_reset(struct virtio_device *v);
/* It has given addresses and size of a queue: check them and start to use it. */
void virtio_queue_start(struct virtio_device *v, unsigned q);
uint64_t virtio_config_read(struct virtio_device *v, uint32_t off, unsigned size);
void virtio_config_write(struct virtio_device *v, uint32_t off, unsigned size, uint64_t val);
