/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/virtio/virtio.h"

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

static const struct virtio_kind *kind_of(const struct virtio_device *v)
{
    return v->dev.cls->kind;
}

/* ---- life ------------------------------------------------------------------------------ */

static void virtio_work(void *ctx)
{
    struct virtio_device *v = ctx;
    uint64_t queues;

    device_lock(&v->dev);
    queues = atomic_exchange(&v->kicked, 0);
    while (queues) {
        unsigned q = __builtin_ctzll(queues);

        queues &= queues - 1;
        if (virtio_is_running(v) && v->vq[q].ready) {
            kind_of(v)->kick(v, q);
        }
    }
    device_unlock(&v->dev);
}

bool virtio_init(struct virtio_device *v, unsigned queues_n, unsigned queue_size,
                 uint64_t features, struct err *e)
{
    assert(queues_n <= VIRTIO_QUEUES_MAX && kind_of(v)->config_bytes <= VIRTIO_CONFIG_MAX);
    if (!v->transport) {
        return err_set(e, "a virtio device needs a free virtio bus to plug into");
    }
    if (queue_size < 2 || queue_size > VIRTQ_SIZE_MAX || queue_size & (queue_size - 1)) {
        return err_set(e, "queue-size %u: it is a power of two from 2 to %u", queue_size,
                       VIRTQ_SIZE_MAX);
    }
    v->queues_n = queues_n;
    v->features_host = features | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) |
                       VIRTIO_BIT(VIRTIO_F_EVENT_IDX);
    for (unsigned q = 0; q < queues_n; q++) {
        v->vq[q].mem = v->dev.host->env.mem;
        v->vq[q].size_max = v->vq[q].size = queue_size;
    }
    loop_work_init(&v->kick_work, v->dev.host->env.loop, virtio_work, v);
    return true;
}

void virtio_exit(struct virtio_device *v)
{
    loop_work_cancel(&v->kick_work);
}

void virtio_reset(struct virtio_device *v)
{
    v->epoch++;
    v->status = 0;
    v->features = 0;
    v->modern = false;
    v->isr = 0;
    atomic_store(&v->kicked, 0);
    for (unsigned q = 0; q < v->queues_n; q++) {
        virtq_reset(&v->vq[q]);
    }
    if (kind_of(v)->reset) {
        kind_of(v)->reset(v);
    }
    if (v->isr_changed) {
        v->isr_changed(v->transport);
    }
}

void virtio_device_reset(struct device *d)
{
    virtio_reset(virtio_from(d));
}

/* ---- telling the driver ---------------------------------------------------------------- */

static void interrupt(struct virtio_device *v, unsigned isr)
{
    v->isr |= isr;
    v->isr_changed(v->transport);
}

void virtio_notify(struct virtio_device *v, unsigned q)
{
    if (virtq_wants_interrupt(&v->vq[q])) {
        interrupt(v, VIRTIO_ISR_QUEUE);
    }
}

void virtio_config_changed(struct virtio_device *v)
{
    v->config_generation++;
    if (v->status & VIRTIO_DRIVER_OK) {
        interrupt(v, VIRTIO_ISR_CONFIG);
    }
}

void virtio_break(struct virtio_device *v, const char *why)
{
    log_guest(v->dev.id, "the driver broke the rules (%s); the device stops until it is reset",
              why);
    if (v->status & VIRTIO_NEEDS_RESET) {
        return;
    }
    v->status |= VIRTIO_NEEDS_RESET;
    if (v->status & VIRTIO_DRIVER_OK) {
        interrupt(v, VIRTIO_ISR_CONFIG);
    }
}

/* ---- from the driver ------------------------------------------------------------------- */

/* 3.1.1: not before DRIVER_OK.  Legacy drivers are known to kick earlier (3.1.2). */
bool virtio_is_running(const struct virtio_device *v)
{
    return !(v->status & VIRTIO_NEEDS_RESET) && (v->status & VIRTIO_DRIVER_OK || !v->modern);
}

void virtio_kick(struct virtio_device *v, unsigned q)
{
    if (q < v->queues_n) {
        atomic_fetch_or(&v->kicked, VIRTIO_BIT(q));
        loop_work_schedule(&v->kick_work);
    }
}

static void kick_all(struct virtio_device *v)
{
    for (unsigned q = 0; q < v->queues_n; q++) {
        if (v->vq[q].ready) {
            virtio_kick(v, q);
        }
    }
}

void virtio_status_write(struct virtio_device *v, uint8_t status)
{
    uint8_t added = status & ~v->status;

    if (status == 0) {
        virtio_reset(v);
        return;
    }
    if (added & VIRTIO_FEATURES_OK) {
        /* 3.1.1 step 5: the driver reads it back, and gives up when it is not there. */
        if (v->features & ~(v->features_host | VIRTIO_BIT(VIRTIO_F_VERSION_1)) ||
            !virtio_has(v, VIRTIO_F_VERSION_1)) {
            log_guest(v->dev.id, "the driver accepts features that we do not offer, or no "
                      "VERSION_1: 0x%llx", (unsigned long long)v->features);
            status &= ~VIRTIO_FEATURES_OK;
        } else {
            v->modern = true;
        }
    }
    v->status = status | (v->status & VIRTIO_NEEDS_RESET);
    if (added & VIRTIO_DRIVER_OK) {
        if (kind_of(v)->driver_ok) {
            kind_of(v)->driver_ok(v);
        }
        kick_all(v);
    }
}

void virtio_queue_start(struct virtio_device *v, unsigned n)
{
    struct virtqueue *q = &v->vq[n];

    /* 2.7: alignment of the three parts; 2.7.1: a power of two. */
    if (q->size == 0 || q->size > q->size_max || q->size & (q->size - 1) || q->desc % 16 ||
        q->avail % 2 || q->used % 4) {
        virtio_break(v, "size or address of a queue");
        return;
    }
    q->event_idx = virtio_has(v, VIRTIO_F_EVENT_IDX);
    q->indirect = virtio_has(v, VIRTIO_F_INDIRECT_DESC);
    q->ready = true;
}

uint64_t virtio_config_read(struct virtio_device *v, uint32_t off, unsigned size)
{
    uint8_t config[VIRTIO_CONFIG_MAX] = { 0 };
    uint64_t val = 0;

    if (off + size > kind_of(v)->config_bytes) {
        log_guest(v->dev.id, "read of %u bytes at %u, past the configuration", size, off);
        return 0;
    }
    kind_of(v)->config_read(v, config);
    memcpy(&val, config + off, size);
    return val;
}

void virtio_config_write(struct virtio_device *v, uint32_t off, unsigned size, uint64_t val)
{
    if (!kind_of(v)->config_write || off + size > kind_of(v)->config_bytes) {
        log_guest(v->dev.id, "write of %u bytes at %u of the configuration", size, off);
        return;
    }
    kind_of(v)->config_write(v, off, size, val);
}

/* ---- state ----------------------------------------------------------------------------- */

const struct device_state virtio_device_state[] = {
    STATE(struct virtio_device, features),
    STATE(struct virtio_device, isr),
    STATE(struct virtio_device, config_generation),
    STATE(struct virtio_device, status),
    STATE(struct virtio_device, modern),
    STATE_STRUCTS(struct virtio_device, vq, virtqueue_state),
    { 0 },
};

bool virtio_after_load(struct virtio_device *v, struct err *e)
{
    for (unsigned n = 0; n < VIRTIO_QUEUES_MAX; n++) {
        struct virtqueue *q = &v->vq[n];

        if (q->size > q->size_max || (q->size & (q->size - 1)) || (q->ready && !q->size)) {
            return err_set(e, "queue %u has an impossible size", n);
        }
    }
    if (v->features & ~(v->features_host | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
                        VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT))) {
        return err_set(e, "the saved device has features that this one has not");
    }
    v->isr_changed(v->transport);
    if (virtio_is_running(v)) {
        kick_all(v);
    }
    return true;
}
