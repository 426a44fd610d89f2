/* SPDX-License-Identifier: Apache-2.0 */
/* virtio block device: virtio 1.2, section 5.2.
 *
 * Data goes through a buffer of our own: a disk is slow, and guest pages are not to be held for
 * as long as that takes. */
#include "base/base.h"
#include "host/blk/blk.h"
#include "pando/device.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES_MAX (16 * MiB)        /* of one request; longer ones fail */
#define IN_FLIGHT_BYTES_MAX (64 * MiB)      /* of all; further requests wait in the queue */
#define IN_FLIGHT_MAX 1024
#define BUFFER_ALIGN 4096                   /* good for O_DIRECT */
#define QUEUES_MAX 16
#define SERIAL_BYTES 20

/* 5.2.3 */
enum {
    BLK_F_SEG_MAX = 2, BLK_F_RO = 5, BLK_F_BLK_SIZE = 6, BLK_F_FLUSH = 9, BLK_F_TOPOLOGY = 10,
    BLK_F_CONFIG_WCE = 11, BLK_F_MQ = 12, BLK_F_DISCARD = 13, BLK_F_WRITE_ZEROES = 14,
};
/* 5.2.6 */
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

/* 5.2.4 */
struct blk_config {
    uint64_t capacity;
    uint32_t size_max, seg_max;
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
};

struct blk_header {
    uint32_t type, reserved;
    uint64_t sector;
};

struct blk_range {
    uint64_t sector;
    uint32_t num_sectors, flags;
};
enum { RANGE_UNMAP = 1 };

struct virtio_blk {
    struct virtio_device v;
    struct blk *blk;
    char *serial;
    uint16_t num_queues, queue_size;
    bool write_cache, discard, write_zeroes;
    uint8_t writeback;              /* what the driver chose, else write_cache */
    uint32_t in_flight_n;
    uint64_t in_flight_bytes;
    uint32_t stalled;               /* bit per queue that waits for others to finish */
};

struct request {
    struct blk_req r;
    struct virtio_blk *s;
    struct virtq_chain *chain;
    unsigned q;
    uint64_t epoch;
    struct iovec iov;               /* our buffer; base NULL: no data */
};

static struct virtio_blk *from(struct virtio_device *v)
{
    return CONTAINER_OF(v, struct virtio_blk, v);
}

/* ---- finishing ------------------------------------------------------------------------- */

static void request_free(struct request *r)
{
    r->s->in_flight_n--;
    r->s->in_flight_bytes -= r->iov.iov_len;
    free(r->iov.iov_base);
    virtq_free(r->chain);
    free(r);
}

/* The status is the last byte that we may write (5.2.6); `data` bytes were written before it. */
static void request_finish(struct request *r, uint8_t status, uint32_t data)
{
    struct virtio_device *v = &r->s->v;
    struct virtqueue *q = &v->vq[r->q];

    if (!virtq_copy_in(q, r->chain, r->chain->in_bytes - 1, &status, 1) ||
        !virtq_push(q, r->chain, data + 1)) {
        virtio_break(v, "a request outside of memory");
    }
    request_free(r);
}

static void request_done(struct blk_req *b, int rc)
{
    struct request *r = CONTAINER_OF(b, struct request, r);
    struct virtio_blk *s = r->s;
    uint8_t status = rc ? S_IOERR : S_OK;
    uint32_t data = 0, stalled;
    unsigned n = r->q;

    device_lock(&s->v.dev);
    if (r->epoch != s->v.epoch) {
        request_free(r);            /* asked before a reset: the driver has forgotten it */
    } else {
        if (!rc && r->r.op == BLK_READ) {
            data = r->iov.iov_len;
            if (!virtq_copy_in(&s->v.vq[n], r->chain, 0, r->iov.iov_base, data)) {
                status = S_IOERR;
                data = 0;
            }
        }
        request_finish(r, status, data);
        virtio_notify(&s->v, n);
    }
    stalled = s->stalled;
    s->stalled = 0;
    for (n = 0; stalled; n++, stalled >>= 1) {
        if (stalled & 1) {
            virtio_kick(&s->v, n);
        }
    }
    device_unlock(&s->v.dev);
}

/* ---- starting -------------------------------------------------------------------------- */

static bool in_image(const struct virtio_blk *s, uint64_t sector, uint64_t sectors)
{
    uint64_t capacity = blk_size_bytes(s->blk) / BLK_SECTOR_BYTES;

    return sector <= capacity && sectors <= capacity - sector;
}

/* Each start_* returns S_OK when the request was given to the backend, else its status. */
static uint8_t start_transfer(struct request *r, enum blk_op op, uint64_t sector, uint64_t bytes)
{
    struct virtio_blk *s = r->s;

    if (bytes % BLK_SECTOR_BYTES || bytes > REQUEST_BYTES_MAX ||
        !in_image(s, sector, bytes / BLK_SECTOR_BYTES) ||
        (op == BLK_WRITE && blk_is_read_only(s->blk))) {
        return S_IOERR;
    }
    if (bytes) {
        r->iov.iov_base = aligned_alloc(BUFFER_ALIGN, ALIGN_UP(bytes, (uint64_t)BUFFER_ALIGN));
        if (!r->iov.iov_base) {
            return S_IOERR;
        }
        r->iov.iov_len = bytes;
        s->in_flight_bytes += bytes;
        if (op == BLK_WRITE && !virtq_copy_out(&s->v.vq[r->q], r->chain,
                                               sizeof(struct blk_header), r->iov.iov_base,
                                               bytes)) {
            return S_IOERR;
        }
    }
    r->r.op = op;
    r->r.flags = op == BLK_WRITE && !s->writeback ? BLK_FUA : 0;
    r->r.offset = sector * BLK_SECTOR_BYTES;
    r->r.n_bytes = bytes;
    r->r.iov = &r->iov;
    r->r.n_iov = bytes ? 1 : 0;
    blk_submit(s->blk, &r->r);
    return S_OK;
}

static uint8_t start_flush(struct request *r)
{
    r->r.op = BLK_FLUSH;
    blk_submit(r->s->blk, &r->r);
    return S_OK;
}

/* 5.2.6.2: we take one range a request (max_discard_seg, max_write_zeroes_seg). */
static uint8_t start_range(struct request *r, enum blk_op op, uint32_t flags_ok)
{
    struct virtio_blk *s = r->s;
    struct blk_range range;

    if (r->chain->out_bytes != sizeof(struct blk_header) + sizeof range ||
        !virtq_copy_out(&s->v.vq[r->q], r->chain, sizeof(struct blk_header), &range,
                        sizeof range) || blk_is_read_only(s->blk)) {
        return S_IOERR;
    }
    if (range.flags & ~flags_ok) {
        return S_UNSUPP;
    }
    if (!in_image(s, range.sector, range.num_sectors)) {
        return S_IOERR;
    }
    r->r.op = op;
    r->r.flags = (range.flags & RANGE_UNMAP ? BLK_MAY_UNMAP : 0) |
                 (op == BLK_WRITE_ZEROES && !s->writeback ? BLK_FUA : 0);
    r->r.offset = range.sector * BLK_SECTOR_BYTES;
    r->r.n_bytes = (uint64_t)range.num_sectors * BLK_SECTOR_BYTES;
    blk_submit(s->blk, &r->r);
    return S_OK;
}

/* 5.2.6: the serial number, 20 bytes, filled up with zeroes. */
static void do_get_id(struct request *r)
{
    struct virtio_blk *s = r->s;
    uint32_t n = MIN(r->chain->in_bytes - 1, (uint32_t)SERIAL_BYTES);
    char id[SERIAL_BYTES] = "";

    if (s->serial) {
        memcpy(id, s->serial, strnlen(s->serial, sizeof id));
    }
    if (virtq_copy_in(&s->v.vq[r->q], r->chain, 0, id, n)) {
        request_finish(r, S_OK, n);
    } else {
        request_finish(r, S_IOERR, 0);
    }
}

static void request_start(struct request *r, const struct blk_header *h)
{
    struct virtio_blk *s = r->s;
    uint8_t status = S_UNSUPP;

    switch (h->type) {
    case T_IN:
        status = start_transfer(r, BLK_READ, h->sector, r->chain->in_bytes - 1);
        break;
    case T_OUT:
        status = start_transfer(r, BLK_WRITE, h->sector, r->chain->out_bytes - sizeof *h);
        break;
    case T_FLUSH:
        status = start_flush(r);
        break;
    case T_GET_ID:
        do_get_id(r);
        return;
    case T_DISCARD:
        if (virtio_has(&s->v, BLK_F_DISCARD)) {
            status = start_range(r, BLK_DISCARD, 0);
        }
        break;
    case T_WRITE_ZEROES:
        if (virtio_has(&s->v, BLK_F_WRITE_ZEROES)) {
            status = start_range(r, BLK_WRITE_ZEROES, RANGE_UNMAP);
        }
        break;
    }
    if (status != S_OK) {
        request_finish(r, status, 0);
    }
}

/* false: stop, the device is broken or has enough to do. */
static bool blk_take_one(struct virtio_blk *s, unsigned n)
{
    struct virtqueue *q = &s->v.vq[n];
    struct virtq_chain *c;
    struct blk_header h;
    struct request *r;

    switch (virtq_pop(q, &c)) {
    case VIRTQ_EMPTY:
        return false;
    case VIRTQ_BROKEN:
        virtio_break(&s->v, "a malformed chain");
        return false;
    case VIRTQ_OK:
        break;
    }
    if (c->in_bytes < 1 || !virtq_copy_out(q, c, 0, &h, sizeof h)) {
        virtq_free(c);
        virtio_break(&s->v, "a request without header or status");
        return false;
    }
    r = calloc(1, sizeof *r);
    if (!r) {
        virtq_unpop(q, c);
        return false;
    }
    r->r.done = request_done;
    r->s = s;
    r->chain = c;
    r->q = n;
    r->epoch = s->v.epoch;
    s->in_flight_n++;
    request_start(r, &h);
    return virtio_is_running(&s->v);
}

static void blk_kick(struct virtio_device *v, unsigned n)
{
    struct virtio_blk *s = from(v);
    struct virtqueue *q = &v->vq[n];

    virtq_kicks_enable(q, false);
    do {
        if (s->in_flight_n >= IN_FLIGHT_MAX || s->in_flight_bytes >= IN_FLIGHT_BYTES_MAX) {
            s->stalled |= 1u << n;
            break;
        }
    } while (blk_take_one(s, n));
    virtio_notify(v, n);            /* requests that were answered at once */
    virtq_kicks_enable(q, true);
    if (!(s->stalled & 1u << n) && virtio_is_running(v) && !virtq_is_empty(q)) {
        virtio_kick(v, n);
    }
}

/* ---- configuration --------------------------------------------------------------------- */

static void blk_config_read(struct virtio_device *v, void *config)
{
    struct virtio_blk *s = from(v);
    uint32_t range_max = UINT32_MAX & ~7u;

    *(struct blk_config *)config = (struct blk_config){
        .capacity = blk_size_bytes(s->blk) / BLK_SECTOR_BYTES,
        .seg_max = s->queue_size > 2 ? s->queue_size - 2 : 1,
        .blk_size = BLK_SECTOR_BYTES,
        .physical_block_exp = 3,        /* 4 KiB are written at once */
        .writeback = s->writeback,
        .num_queues = s->num_queues,
        .max_discard_sectors = range_max, .max_discard_seg = 1,
        .discard_sector_alignment = 8,
        .max_write_zeroes_sectors = range_max, .max_write_zeroes_seg = 1,
        .write_zeroes_may_unmap = 1,
    };
}

static void blk_config_write(struct virtio_device *v, unsigned off, unsigned size, uint64_t val)
{
    if (off == offsetof(struct blk_config, writeback) && size == 1 &&
        virtio_has(v, BLK_F_CONFIG_WCE)) {
        from(v)->writeback = val & 1;
    }
}

/* 5.2.5.2: without FLUSH the driver counts on a write-through cache. */
static void blk_driver_ok(struct virtio_device *v)
{
    if (!virtio_has(v, BLK_F_FLUSH)) {
        from(v)->writeback = 0;
    }
}

static void blk_reset(struct virtio_device *v)
{
    from(v)->writeback = from(v)->write_cache;
    from(v)->stalled = 0;
}

static const struct virtio_kind blk_kind = {
    .device_id = 2,
    .config_bytes = sizeof(struct blk_config),
    .config_read = blk_config_read,
    .config_write = blk_config_write,
    .kick = blk_kick,
    .reset = blk_reset,
    .driver_ok = blk_driver_ok,
};

/* ---- class ----------------------------------------------------------------------------- */

static bool blk_realize(struct device *d, struct err *e)
{
    struct virtio_blk *s = from(virtio_from(d));
    uint64_t features = VIRTIO_BIT(BLK_F_SEG_MAX) | VIRTIO_BIT(BLK_F_BLK_SIZE) |
                        VIRTIO_BIT(BLK_F_FLUSH) | VIRTIO_BIT(BLK_F_TOPOLOGY) |
                        VIRTIO_BIT(BLK_F_CONFIG_WCE);

    if (!s->blk) {
        return err_set(e, "drive=ID is needed");
    }
    if (s->num_queues < 1 || s->num_queues > QUEUES_MAX) {
        return err_set(e, "num-queues=%u: it is 1 to %u", s->num_queues, QUEUES_MAX);
    }
    if (blk_is_read_only(s->blk)) {
        features |= VIRTIO_BIT(BLK_F_RO);
    } else {
        features |= s->discard && blk_can_discard(s->blk) ? VIRTIO_BIT(BLK_F_DISCARD) : 0;
        features |= s->write_zeroes ? VIRTIO_BIT(BLK_F_WRITE_ZEROES) : 0;
    }
    if (s->num_queues > 1) {
        features |= VIRTIO_BIT(BLK_F_MQ);
    }
    s->writeback = s->write_cache;
    return virtio_init(&s->v, s->num_queues, s->queue_size, features, e);
}

static void blk_unrealize(struct device *d)
{
    struct virtio_blk *s = from(virtio_from(d));

    s->v.epoch++;                   /* nobody waits for what is in flight */
    blk_drain(s->blk);
    assert(s->in_flight_n == 0);
}

static const struct device_option blk_options[] = {
    OPTION("drive", struct virtio_blk, blk, OPTION_BLK, NULL, "the image"),
    OPTION("serial", struct virtio_blk, serial, OPTION_STRING, NULL,
           "serial number, up to 20 characters"),
    OPTION("num-queues", struct virtio_blk, num_queues, OPTION_U16, "1", "request queues"),
    OPTION("queue-size", struct virtio_blk, queue_size, OPTION_U16, "256",
           "entries of each queue"),
    OPTION("write-cache", struct virtio_blk, write_cache, OPTION_BOOL, "on",
           "writes are safe only after a flush"),
    OPTION("discard", struct virtio_blk, discard, OPTION_BOOL, "on", "offer discard"),
    OPTION("write-zeroes", struct virtio_blk, write_zeroes, OPTION_BOOL, "on",
           "offer write zeroes"),
    { 0 },
};

static const struct device_state blk_state[] = {
    STATE(struct virtio_blk, writeback),
    { 0 },
};

extern const struct device_class virtio_blk_class;
const struct device_class virtio_blk_class = {
    .name = "virtio-blk-device",
    .about = "virtio disk",
    .bus = "virtio-bus",
    .user = true,
    .version = 1,
    .size = sizeof(struct virtio_blk),
    .options = blk_options,
    .state = blk_state,
    .realize = blk_realize,
    .unrealize = blk_unrealize,
    .kind = &blk_kind,
};
