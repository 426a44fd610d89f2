/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-mmio transport: virtio 1.2, section 4.2.2 (version 2) and 4.2.4 (legacy, version 1).
 * Which of the two it is, the option force-legacy says; drivers handle both. */
#include "dev/virtio/mmio.h"

#include "base/base.h"
#include "dev/virtio/queue.h"
#include "dev/virtio/virtio.h"

struct virtio_mmio {
    struct device dev;
    struct virtio_device *v;        /* NULL: empty */
    bool legacy;
    uint32_t features_sel, driver_features_sel, queue_sel;
    uint32_t page_size;             /* legacy */
};

static struct virtio_mmio *from(struct device *d)
{
    return CONTAINER_OF(d, struct virtio_mmio, dev);
}

static void mmio_isr_changed(struct device *transport)
{
    device_irq_set(transport, 0, from(transport)->v->core->isr != 0);
}

static bool mmio_plug(struct device *transport, struct device *d, struct err *e)
{
    struct virtio_mmio *t = from(transport);

    if (t->v) {
        return err_set(e, "%s: '%s' is plugged in already", transport->id, t->v->dev.id);
    }
    if (!virtio_core_attach(d, transport, mmio_isr_changed, e)) {
        return false;
    }
    t->v = virtio_from(d);
    return true;
}

struct device *virtio_mmio_attached(const struct device *transport)
{
    const struct virtio_mmio *t = CONTAINER_OF(transport, const struct virtio_mmio, dev);

    return t->v ? &t->v->dev : NULL;
}

/* The queue that QueueSel selects, or NULL. */
static struct virtqueue *selected(struct virtio_mmio *t)
{
    return t->v && t->queue_sel < t->v->queues_n ? &t->v->vq[t->queue_sel] : NULL;
}

/* ---- identification and features ------------------------------------------------------------ */

static uint64_t rd_magic(struct device *d, unsigned i)
{
    return 0x74726976;      /* "virt" */
}

static uint64_t rd_version(struct device *d, unsigned i)
{
    return from(d)->legacy ? 1 : 2;
}

static uint64_t rd_device_id(struct device *d, unsigned i)
{
    const struct virtio_device *v = from(d)->v;

    return v ? ((const struct virtio_kind *)v->dev.cls->kind)->device_id : 0;
}

static uint64_t rd_vendor_id(struct device *d, unsigned i)
{
    return 0x554d4551;      /* what guests know on this platform */
}

static uint64_t rd_device_features(struct device *d, unsigned i)
{
    struct virtio_mmio *t = from(d);
    uint64_t features;

    if (!t->v || t->features_sel > 1) {
        return 0;
    }
    features = t->v->core->features_host;
    if (t->legacy) {
        features = (features & UINT32_MAX) | VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT);
    } else {
        features |= VIRTIO_BIT(VIRTIO_F_VERSION_1);
    }
    return features >> t->features_sel * 32 & UINT32_MAX;
}

static void wr_driver_features(struct device *d, unsigned i, uint64_t val)
{
    struct virtio_mmio *t = from(d);
    unsigned shift = t->driver_features_sel * 32;

    if (!t->v || t->driver_features_sel > 1) {
        return;
    }
    if (t->v->status & VIRTIO_FEATURES_OK) {
        device_log_guest(d, "features written after FEATURES_OK");
        return;
    }
    if (t->legacy) {
        if (shift == 0) {
            t->v->features = val & (t->v->core->features_host | VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT));
        }
        return;
    }
    t->v->features = (t->v->features & ~((uint64_t)UINT32_MAX << shift)) | val << shift;
}

static uint64_t rd_status(struct device *d, unsigned i)
{
    return from(d)->v ? from(d)->v->status : 0;
}

static void wr_status(struct device *d, unsigned i, uint64_t val)
{
    if (from(d)->v) {
        virtio_status_write(from(d)->v, val);
    }
}

/* ---- queues ---------------------------------------------------------------------------- */

static uint64_t rd_queue_num_max(struct device *d, unsigned i)
{
    struct virtqueue *q = selected(from(d));

    return q ? q->size_max : 0;
}

static void wr_queue_num(struct device *d, unsigned i, uint64_t val)
{
    struct virtqueue *q = selected(from(d));

    if (q && !q->ready) {
        q->size = MIN(val, (uint64_t)UINT16_MAX);   /* checked when it is started */
    }
}

static uint64_t rd_queue_ready(struct device *d, unsigned i)
{
    struct virtqueue *q = selected(from(d));

    return q && q->ready;
}

static void wr_queue_ready(struct device *d, unsigned i, uint64_t val)
{
    struct virtqueue *q = selected(from(d));

    if (!q || from(d)->legacy) {
        return;
    }
    if (!(val & 1)) {
        q->ready = false;
    } else if (!q->ready) {
        virtio_queue_start(from(d)->v, from(d)->queue_sel);
    }
}

static void set_half(struct virtqueue *q, uint64_t *address, unsigned high, uint64_t val)
{
    if (high) {
        *address = (*address & UINT32_MAX) | val << 32;
    } else {
        *address = (*address & ~(uint64_t)UINT32_MAX) | val;
    }
}

static void wr_queue_desc(struct device *d, unsigned i, uint64_t val)
{
    struct virtqueue *q = selected(from(d));

    if (q && !q->ready) {
        set_half(q, &q->desc, i, val);
    }
}

static void wr_queue_driver(struct device *d, unsigned i, uint64_t val)
{
    struct virtqueue *q = selected(from(d));

    if (q && !q->ready) {
        set_half(q, &q->avail, i, val);
    }
}

static void wr_queue_device(struct device *d, unsigned i, uint64_t val)
{
    struct virtqueue *q = selected(from(d));

    if (q && !q->ready) {
        set_half(q, &q->used, i, val);
    }
}

static void wr_queue_notify(struct device *d, unsigned i, uint64_t val)
{
    if (from(d)->v) {
        virtio_kick(from(d)->v, MIN(val, (uint64_t)UINT32_MAX));
    }
}

/* Legacy (4.2.4): the three parts follow each other, the used ring on the next multiple of
 * QueueAlign (2.7.2). */
static void wr_queue_align(struct device *d, unsigned i, uint64_t val)
{
    struct virtqueue *q = selected(from(d));

    if (q && !q->ready) {
        q->align = val;
    }
}

static uint64_t rd_queue_pfn(struct device *d, unsigned i)
{
    struct virtqueue *q = selected(from(d));

    return q ? q->pfn : 0;
}

static void wr_queue_pfn(struct device *d, unsigned i, uint64_t val)
{
    struct virtio_mmio *t = from(d);
    struct virtqueue *q = selected(t);

    if (!q || !t->legacy) {
        return;
    }
    if (val == 0) {
        virtq_reset(q);
        return;
    }
    if (q->ready) {
        return;
    }
    if (!t->page_size || t->page_size & (t->page_size - 1) || !q->align ||
        q->align & (q->align - 1)) {
        virtio_break(t->v, "page size or alignment of a legacy queue");
        return;
    }
    q->pfn = val;
    q->desc = val * t->page_size;
    q->avail = q->desc + 16 * (uint64_t)q->size;
    q->used = ALIGN_UP(q->avail + 4 + 2 * (uint64_t)q->size + 2, (uint64_t)q->align);
    virtio_queue_start(t->v, t->queue_sel);
}

/* ---- interrupt and configuration -------------------------------------------------------- */

static uint64_t rd_isr(struct device *d, unsigned i)
{
    return from(d)->v ? from(d)->v->core->isr : 0;
}

static void wr_ack(struct device *d, unsigned i, uint64_t val)
{
    if (from(d)->v) {
        from(d)->v->core->isr &= ~(uint32_t)val;
        mmio_isr_changed(d);
    }
}

static uint64_t rd_shm(struct device *d, unsigned i)
{
    return UINT32_MAX;      /* 4.2.2: a region of length -1 does not exist */
}

static uint64_t rd_generation(struct device *d, unsigned i)
{
    return from(d)->v ? from(d)->v->core->config_generation : 0;
}

static uint64_t rd_config(struct device *d, uint32_t off, unsigned size)
{
    return from(d)->v ? virtio_config_read(from(d)->v, off, size) : 0;
}

static void wr_config(struct device *d, uint32_t off, unsigned size, uint64_t val)
{
    if (from(d)->v) {
        virtio_config_write(from(d)->v, off, size, val);
    }
}

#define MMIO_SEL(off, name, m) REG(off, 4, name, struct virtio_mmio, m, .wmask = UINT32_MAX)

static const struct device_reg mmio_regs[] = {
    REG_FN(0x000, 4, "MagicValue", .rd = rd_magic),
    REG_FN(0x004, 4, "Version", .rd = rd_version),
    REG_FN(0x008, 4, "DeviceID", .rd = rd_device_id),
    REG_FN(0x00c, 4, "VendorID", .rd = rd_vendor_id),
    REG_FN(0x010, 4, "DeviceFeatures", .rd = rd_device_features),
    MMIO_SEL(0x014, "DeviceFeaturesSel", features_sel),
    REG_FN(0x020, 4, "DriverFeatures", .wr = wr_driver_features),
    MMIO_SEL(0x024, "DriverFeaturesSel", driver_features_sel),
    MMIO_SEL(0x028, "GuestPageSize", page_size),
    MMIO_SEL(0x030, "QueueSel", queue_sel),
    REG_FN(0x034, 4, "QueueNumMax", .rd = rd_queue_num_max),
    REG_FN(0x038, 4, "QueueNum", .wr = wr_queue_num),
    REG_FN(0x03c, 4, "QueueAlign", .wr = wr_queue_align),
    REG_FN(0x040, 4, "QueuePFN", .rd = rd_queue_pfn, .wr = wr_queue_pfn),
    REG_FN(0x044, 4, "QueueReady", .rd = rd_queue_ready, .wr = wr_queue_ready),
    REG_FN(0x050, 4, "QueueNotify", .wr = wr_queue_notify, .flags = REG_UNLOCKED),
    REG_FN(0x060, 4, "InterruptStatus", .rd = rd_isr),
    REG_FN(0x064, 4, "InterruptACK", .wr = wr_ack),
    REG_FN(0x070, 4, "Status", .rd = rd_status, .wr = wr_status),
    REG_FN(0x080, 4, "QueueDesc", .count = 2, .wr = wr_queue_desc),
    REG_FN(0x090, 4, "QueueDriver", .count = 2, .wr = wr_queue_driver),
    REG_FN(0x0a0, 4, "QueueDevice", .count = 2, .wr = wr_queue_device),
    REG_FN(0x0b0, 4, "SHM", .count = 4, .rd = rd_shm),
    REG_FN(0x0fc, 4, "ConfigGeneration", .rd = rd_generation),
    REG_WINDOW(0x100, VIRTIO_CONFIG_MAX, "Config", .window_rd = rd_config,
               .window_wr = wr_config),
    { 0 },
};

static const struct device_state mmio_state[] = {
    STATE(struct virtio_mmio, features_sel),
    STATE(struct virtio_mmio, driver_features_sel),
    STATE(struct virtio_mmio, queue_sel),
    STATE(struct virtio_mmio, page_size),
    { 0 },
};

static const struct device_option mmio_options[] = {
    OPTION("force-legacy", struct virtio_mmio, legacy, OPTION_BOOL, "on",
           "speak the legacy interface, version 1"),
    { 0 },
};

static void mmio_reset(struct device *d)
{
    if (from(d)->v && from(d)->v->core->kick_work) {
        virtio_reset(from(d)->v);       /* it was realized */
    }
}

const struct device_class virtio_mmio_class = {
    .name = "virtio-mmio",
    .about = "virtio transport in memory",
    .version = 1,
    .irqs_n = 1,
    .size = sizeof(struct virtio_mmio),
    .fdt_compatible = (const char *const[]){ "virtio,mmio", NULL },
    .regions = (const struct device_region[]){
        { .size = VIRTIO_MMIO_SIZE, .regs = mmio_regs }, { 0 },
    },
    .options = mmio_options,
    .state = mmio_state,
    .reset = mmio_reset,
    .bus_offered = "virtio-bus",
    .plug = mmio_plug,
};
