/* SPDX-License-Identifier: Apache-2.0 */
/* struct virtio_device: what all virtio devices have in common (virtio 1.2, chapter 2), between
 * a transport (mmio.c) and a kind of device (blk.c, net.c, …).
 *
 * To add a kind: embed `struct virtio_device v` first in your struct; make a device_class with
 * bus "virtio-bus", kind = your struct virtio_kind, reset = virtio_device_reset, and a state
 * table that has STATE_STRUCT(…, v, virtio_device_state); its realize calls virtio_init, its
 * unrealize virtio_exit, its after_load virtio_after_load.
 *
 * Work that a driver asks for by a kick is done on the loop's thread: the vCPU only wakes it. */
#pragma once
#include "base/loop.h"
#include "dev/virtio/queue.h"
#include "vm/device.h"

#define VIRTIO_QUEUES_MAX 64
#define VIRTIO_CONFIG_MAX 256
#define VIRTIO_QUEUE_SIZE 256       /* entries that we offer by default */

enum virtio_feature {
    VIRTIO_F_ANY_LAYOUT = 27,       /* legacy only */
    VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
};
#define VIRTIO_BIT(n) (UINT64_C(1) << (n))

/* 2.1 Device Status Field. */
enum virtio_status {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128,
};

enum virtio_isr { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

struct virtio_device;

/* All are called with the lock held; each but kick may be NULL. */
struct virtio_kind {
    uint16_t device_id;             /* virtio 1.2, chapter 5 */
    uint16_t config_bytes;          /* ≤ VIRTIO_CONFIG_MAX */
    void (*config_read)(struct virtio_device *v, void *config);     /* fills all of it */
    void (*config_write)(struct virtio_device *v, unsigned off, unsigned size, uint64_t val);
    /* On the loop's thread: queue `q` may have something. */
    void (*kick)(struct virtio_device *v, unsigned q);
    /* Forget everything; complete nothing that is in flight (compare `epoch`). */
    void (*reset)(struct virtio_device *v);
    void (*driver_ok)(struct virtio_device *v);
};

struct virtio_device {
    struct device dev;
    uint64_t features_host;         /* without those of the transport */
    uint64_t features;              /* what the driver accepted */
    uint32_t isr;
    uint32_t config_generation;
    uint32_t queues_n;
    uint8_t status;
    bool modern;                    /* the driver uses virtio 1; false: legacy */
    uint64_t epoch;                 /* counts resets, for requests in flight */
    struct virtqueue vq[VIRTIO_QUEUES_MAX];

    _Atomic uint64_t kicked;        /* bit per queue */
    struct loop_work kick_work;
    struct device *transport;       /* set by the transport's attach */
    void (*isr_changed)(struct device *transport);
};

static inline struct virtio_device *virtio_from(struct device *d)
{
    return (struct virtio_device *)d;   /* the first member */
}

/* ---- for kinds ------------------------------------------------------------------------- */

/* In realize.  Fails when the device is not plugged in. */
bool virtio_init(struct virtio_device *v, unsigned queues_n, unsigned queue_size,
                 uint64_t features, struct err *e);
void virtio_exit(struct virtio_device *v);
void virtio_device_reset(struct device *d);
bool virtio_after_load(struct virtio_device *v, struct err *e);
extern const struct device_state virtio_device_state[];

static inline bool virtio_has(const struct virtio_device *v, unsigned feature)
{
    return v->features >> feature & 1;
}

/* May queues be processed? */
bool virtio_is_running(const struct virtio_device *v);
/* After a batch of pushes: interrupts the driver if it wants that. */
void virtio_notify(struct virtio_device *v, unsigned q);
/* The configuration space has changed: tell the driver. */
void virtio_config_changed(struct virtio_device *v);
/* The driver broke the rules: say so in the log, and stop until it resets us (2.1.2). */
void virtio_break(struct virtio_device *v, const char *why);

/* ---- for transports and for kinds that have stopped early ---------------------------------- */

/* Wakes the loop's thread to look at queue `q`.  Any thread, with or without the lock. */
void virtio_kick(struct virtio_device *v, unsigned q);
void virtio_status_write(struct virtio_device *v, uint8_t status);
void virtio_reset(struct virtio_device *v);
/* The driver has given addresses and size of a queue: check them and start to use it. */
void virtio_queue_start(struct virtio_device *v, unsigned q);
uint64_t virtio_config_read(struct virtio_device *v, uint32_t off, unsigned size);
void virtio_config_write(struct virtio_device *v, uint32_t off, unsigned size, uint64_t val);
