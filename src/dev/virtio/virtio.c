/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/virtio/virtio.h"

#include "dev/virtio/queue.h"
#include "vm/device_guard.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct virtio_kind *kind_of(const struct virtio_device *v)
{
    return v->dev.cls->kind;
}

/* ---- life ------------------------------------------------------------------------------ */

static void virtio_work(struct device *d)
{
    struct virtio_device *v = virtio_from(d);
    uint64_t queues = atomic_exchange(&v->core->kicked, 0);

    while (queues) {
        unsigned q = __builtin_ctzll(queues);

        queues &= queues - 1;
        if (virtio_is_running(v) && v->vq[q].ready) {
            DEVICE_HOOK(d, "in its kick()", NULL, kind_of(v)->kick, v, q);
        }
    }
}

bool virtio_init(struct virtio_device *v, unsigned queues_n, unsigned queue_size,
                 uint64_t features, struct err *e)
{
    struct virtio_core *c = v->core;

    assert(queues_n <= VIRTIO_QUEUES_MAX && kind_of(v)->config_bytes <= VIRTIO_CONFIG_MAX);
    if (!c) {
        return err_set(e, "a virtio device needs a free virtio bus to plug into");
    }
    if (queue_size < 2 || queue_size > VIRTQ_SIZE_MAX || queue_size & (queue_size - 1)) {
        return err_set(e, "queue-size %u: it is a power of two from 2 to %u", queue_size,
                       VIRTQ_SIZE_MAX);
    }
    v->queues_n = queues_n;
    c->features_host = features | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) |
                       VIRTIO_BIT(VIRTIO_F_EVENT_IDX);
    for (unsigned q = 0; q < queues_n; q++) {
        v->vq[q].mem = v->dev.host->env.mem;
        v->vq[q].size_max = v->vq[q].size = queue_size;
    }
    c->kick_work = device_work_new(&v->dev, virtio_work, e);
    return c->kick_work;
}

void virtio_reset(struct virtio_device *v)
{
    struct virtio_core *c = v->core;

    v->epoch++;
    v->status = 0;
    v->features = 0;
    v->modern = false;
    c->isr = 0;
    atomic_store(&c->kicked, 0);
    for (unsigned q = 0; q < v->queues_n; q++) {
        virtq_reset(&v->vq[q]);
    }
    if (kind_of(v)->reset) {
        DEVICE_HOOK(&v->dev, "in its reset()", NULL, kind_of(v)->reset, v);
    }
    c->isr_changed(c->transport);
}

/* ---- telling the driver ---------------------------------------------------------------- */

static void interrupt(struct virtio_device *v, unsigned isr)
{
    v->core->isr |= isr;
    v->core->isr_changed(v->core->transport);
}

void virtio_notify(struct virtio_device *v, unsigned q)
{
    if (virtq_wants_interrupt(&v->vq[q])) {
        interrupt(v, VIRTIO_ISR_QUEUE);
    }
}

void virtio_config_changed(struct virtio_device *v)
{
    v->core->config_generation++;
    if (v->status & VIRTIO_DRIVER_OK) {
        interrupt(v, VIRTIO_ISR_CONFIG);
    }
}

static void stop(struct virtio_device *v)
{
    if (v->status & VIRTIO_NEEDS_RESET) {
        return;
    }
    v->status |= VIRTIO_NEEDS_RESET;
    if (v->status & VIRTIO_DRIVER_OK) {
        interrupt(v, VIRTIO_ISR_CONFIG);
    }
}

void virtio_break(struct virtio_device *v, const char *why)
{
    device_log_guest(&v->dev, "the driver broke the rules (%s); the device stops until it is reset",
                     why);
    stop(v);
}

/* ---- from the driver ------------------------------------------------------------------- */

void virtio_kick(struct virtio_device *v, unsigned q)
{
    if (q < v->queues_n) {
        /* If there was a bit already, the work is on its way, and has not taken the bits yet. */
        if (!atomic_fetch_or(&v->core->kicked, VIRTIO_BIT(q))) {
            device_work_schedule(v->core->kick_work);
        }
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
        if (v->features & ~(v->core->features_host | VIRTIO_BIT(VIRTIO_F_VERSION_1)) ||
            !virtio_has(v, VIRTIO_F_VERSION_1)) {
            device_log_guest(&v->dev, "the driver accepts features that we do not offer, or no "
                      "VERSION_1: 0x%llx", (unsigned long long)v->features);
            status &= ~VIRTIO_FEATURES_OK;
        } else {
            v->modern = true;
        }
    }
    if (v->dev.host->dead) {
        added = 0;
        status = VIRTIO_NEEDS_RESET;        /* for ever: its plug-in has crashed */
    }
    v->status = status | (v->status & VIRTIO_NEEDS_RESET);
    if (added & VIRTIO_DRIVER_OK) {
        if (kind_of(v)->driver_ok) {
            DEVICE_HOOK(&v->dev, "in its driver_ok()", NULL, kind_of(v)->driver_ok, v);
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
        device_log_guest(&v->dev, "read of %u bytes at %u, past the configuration", size, off);
        return 0;
    }
    if (kind_of(v)->config_read) {
        DEVICE_HOOK(&v->dev, "in its config_read()", NULL, kind_of(v)->config_read, v, config);
    }
    memcpy(&val, config + off, size);
    return val;
}

void virtio_config_write(struct virtio_device *v, uint32_t off, unsigned size, uint64_t val)
{
    if (!kind_of(v)->config_write || off + size > kind_of(v)->config_bytes) {
        device_log_guest(&v->dev, "write of %u bytes at %u of the configuration", size, off);
        return;
    }
    DEVICE_HOOK(&v->dev, "in its config_write()", NULL, kind_of(v)->config_write, v, off,
                size, val);
}

/* ---- as a bus --------------------------------------------------------------------------- */

static const struct device_state core_state[] = {
    STATE(struct virtio_core, features),
    STATE(struct virtio_core, isr),
    STATE(struct virtio_core, config_generation),
    STATE(struct virtio_core, status),
    STATE(struct virtio_core, modern),
    STATE_STRUCTS(struct virtio_core, vq, virtqueue_state),
    STATE_END,
};

static void bus_reset(struct device *d)
{
    virtio_reset(virtio_from(d));
}

static void bus_before_save(struct device *d)
{
    struct virtio_device *v = virtio_from(d);

    v->core->features = v->features;
    v->core->status = v->status;
    v->core->modern = v->modern;
}

static bool bus_after_load(struct device *d, struct err *e)
{
    struct virtio_device *v = virtio_from(d);
    struct virtio_core *c = v->core;

    for (unsigned n = 0; n < VIRTIO_QUEUES_MAX; n++) {
        struct virtqueue *q = &v->vq[n];

        if (q->size > q->size_max || (q->size & (q->size - 1)) || (q->ready && !q->size)) {
            return err_set(e, "queue %u has an impossible size", n);
        }
    }
    if (c->features & ~(c->features_host | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
                        VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT))) {
        return err_set(e, "the saved device has features that this one has not");
    }
    v->features = c->features;
    v->status = c->status;
    v->modern = c->modern;
    c->isr_changed(c->transport);
    if (virtio_is_running(v)) {
        kick_all(v);
    }
    return true;
}

static void bus_died(struct device *d)
{
    stop(virtio_from(d));
}

static void bus_gone(struct device *d)
{
    free(virtio_from(d)->core);
}

static const struct device_bus virtio_bus = {
    .reset = bus_reset,
    .before_save = bus_before_save,
    .after_load = bus_after_load,
    .gone = bus_gone,
    .died = bus_died,
    .state = core_state,
};

bool virtio_core_attach(struct device *d, struct device *transport,
                        void (*isr_changed)(struct device *transport), struct err *e)
{
    struct virtio_device *v = virtio_from(d);
    struct virtio_core *c = calloc(1, sizeof *c);

    assert(d->cls->kind && kind_of(v)->kick && d->cls->size >= sizeof *v);
    if (!c) {
        return err_set(e, "out of memory for a virtio device");
    }
    c->v = v;
    c->transport = transport;
    c->isr_changed = isr_changed;
    v->core = c;
    v->vq = c->vq;
    d->host->bus = &virtio_bus;
    d->host->bus_data = c;
    return true;
}
