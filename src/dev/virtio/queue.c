/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/virtio/queue.h"

#include "base/base.h"
#include "mem/space.h"
#include "pando/device.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* virtio 1.2, 2.7.5: struct virtq_desc { le64 addr; le32 len; le16 flags; le16 next; } */
struct vring_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1 };
enum { USED_NO_NOTIFY = 1 };

/* 2.7.6: struct virtq_avail { le16 flags; le16 idx; le16 ring[size]; le16 used_event; }
 * 2.7.8: struct virtq_used { le16 flags; le16 idx; { le32 id; le32 len; } ring[size];
 *                            le16 avail_event; } */
static uint64_t avail_entry(const struct virtqueue *q, uint16_t i)
{
    return q->avail + 4 + 2 * (uint64_t)(i & (q->size - 1));
}

static uint64_t used_event(const struct virtqueue *q)
{
    return q->avail + 4 + 2 * (uint64_t)q->size;
}

static uint64_t used_entry(const struct virtqueue *q, uint16_t i)
{
    return q->used + 4 + 8 * (uint64_t)(i & (q->size - 1));
}

static uint64_t avail_event(const struct virtqueue *q)
{
    return q->used + 4 + 8 * (uint64_t)q->size;
}

static bool read16(const struct virtqueue *q, uint64_t gpa, uint16_t *v)
{
    return mem_dma_read(q->mem, gpa, v, sizeof *v);
}

static bool write16(const struct virtqueue *q, uint64_t gpa, uint16_t v)
{
    return mem_dma_write(q->mem, gpa, &v, sizeof v);
}

/* ---- taking ---------------------------------------------------------------------------- */

/* A chain in the making. */
struct gather {
    unsigned n, out_n;
    uint64_t out_bytes, in_bytes;
    struct virtq_seg seg[VIRTQ_SIZE_MAX];
};

/* 2.7.4.2: writable descriptors come after all readable ones. */
static bool gather_add(struct gather *g, const struct vring_desc *d)
{
    bool writable = d->flags & DESC_WRITE;

    if (g->n == VIRTQ_SIZE_MAX || (!writable && g->n != g->out_n)) {
        return false;
    }
    g->seg[g->n++] = (struct virtq_seg){ d->addr, d->len };
    if (writable) {
        g->in_bytes += d->len;
    } else {
        g->out_n++;
        g->out_bytes += d->len;
    }
    return g->in_bytes <= UINT32_MAX && g->out_bytes <= UINT32_MAX;
}

/* Walks the `n` descriptors at `table` from `i`; each is used at most once, or it is a loop.  An
 * indirect table may be entered from the main one only (2.7.5.3.1). */
static bool gather_walk(const struct virtqueue *q, struct gather *g, uint64_t table, uint32_t n,
                        uint32_t i, bool in_indirect)
{
    struct vring_desc d;

    for (uint32_t left = n; left; left--) {
        if (i >= n || !mem_dma_read(q->mem, table + 16 * (uint64_t)i, &d, sizeof d)) {
            return false;
        }
        if (d.flags & DESC_INDIRECT) {
            if (!q->indirect || in_indirect || d.flags & DESC_NEXT || d.len == 0 || d.len % 16 ||
                d.len / 16 > UINT16_MAX + 1) {
                return false;
            }
            return gather_walk(q, g, d.addr, d.len / 16, 0, true);
        }
        if (!gather_add(g, &d)) {
            return false;
        }
        if (!(d.flags & DESC_NEXT)) {
            return true;
        }
        i = d.next;
    }
    return false;
}

/* How many chains the driver has made available; false: more than there can be. */
static bool avail_count(const struct virtqueue *q, uint16_t *n)
{
    uint16_t idx;

    if (!read16(q, q->avail + 2, &idx)) {
        return false;
    }
    *n = idx - q->last_avail;
    return *n <= q->size;
}

enum virtq_result virtq_pop(struct virtqueue *q, struct virtq_chain **out)
{
    struct virtq_chain *c;
    struct gather g;
    uint16_t n, head;

    if (!q->ready) {
        return VIRTQ_EMPTY;
    }
    if (!avail_count(q, &n)) {
        return VIRTQ_BROKEN;
    }
    if (n == 0) {
        return VIRTQ_EMPTY;
    }
    atomic_thread_fence(memory_order_acquire);      /* the index before what it publishes */
    g.n = g.out_n = 0;
    g.out_bytes = g.in_bytes = 0;
    if (!read16(q, avail_entry(q, q->last_avail), &head) || head >= q->size ||
        !gather_walk(q, &g, q->desc, q->size, head, false)) {
        return VIRTQ_BROKEN;
    }
    c = malloc(sizeof *c + g.n * sizeof c->seg[0]);
    if (!c) {
        return VIRTQ_EMPTY;         /* the guest sees a slow device */
    }
    *c = (struct virtq_chain){
        .head = head, .out_n = g.out_n, .in_n = g.n - g.out_n,
        .out_bytes = g.out_bytes, .in_bytes = g.in_bytes,
        .seg = (struct virtq_seg *)(c + 1),
    };
    memcpy(c->seg, g.seg, g.n * sizeof g.seg[0]);
    q->last_avail++;
    *out = c;
    return VIRTQ_OK;
}

void virtq_unpop(struct virtqueue *q, struct virtq_chain *c)
{
    q->last_avail--;
    free(c);
}

bool virtq_is_empty(struct virtqueue *q)
{
    uint16_t n;

    return !q->ready || (avail_count(q, &n) && n == 0);
}

void virtq_free(struct virtq_chain *c)
{
    free(c);
}

/* ---- giving back ----------------------------------------------------------------------- */

bool virtq_push_at(struct virtqueue *q, const struct virtq_chain *c, uint32_t written, unsigned i)
{
    uint32_t entry[2] = { c->head, written };

    if (!q->ready) {
        return true;        /* the driver took the queue away: nobody is told */
    }
    return mem_dma_write(q->mem, used_entry(q, q->used_idx + i), entry, sizeof entry);
}

bool virtq_push_show(struct virtqueue *q, unsigned n)
{
    if (!q->ready) {
        return true;
    }
    atomic_thread_fence(memory_order_release);      /* what is published before the index */
    q->used_idx += n;
    return write16(q, q->used + 2, q->used_idx);
}

bool virtq_push(struct virtqueue *q, const struct virtq_chain *c, uint32_t written)
{
    return virtq_push_at(q, c, written, 0) && virtq_push_show(q, 1);
}

bool virtq_wants_interrupt(struct virtqueue *q)
{
    uint16_t event, flags, old = q->signalled_used, new = q->used_idx;

    if (!q->ready) {
        return false;
    }
    atomic_thread_fence(memory_order_seq_cst);      /* our index before the driver's wish */
    q->signalled_used = new;
    if (!q->event_idx) {
        return new != old && read16(q, q->avail, &flags) && !(flags & AVAIL_NO_INTERRUPT);
    }
    /* 2.7.10: when the index passed used_event since we last looked. */
    return read16(q, used_event(q), &event) &&
           (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

void virtq_kicks_enable(struct virtqueue *q, bool on)
{
    if (!q->ready) {
        return;
    }
    if (!q->event_idx) {
        write16(q, q->used, on ? 0 : USED_NO_NOTIFY);
    } else if (on) {
        write16(q, avail_event(q), q->last_avail);
    }
    atomic_thread_fence(memory_order_seq_cst);      /* our wish before the driver's index */
}

/* ---- buffers --------------------------------------------------------------------------- */

static bool copy(const struct virtqueue *q, const struct virtq_seg *seg, unsigned n, uint32_t off,
                 uint8_t *buf, uint32_t len, bool to_guest)
{
    for (; n && len; n--, seg++) {
        uint32_t part;

        if (off >= seg->len) {
            off -= seg->len;
            continue;
        }
        part = MIN(len, seg->len - off);
        if (seg->gpa + off < seg->gpa ||
            !(to_guest ? mem_dma_write(q->mem, seg->gpa + off, buf, part)
                       : mem_dma_read(q->mem, seg->gpa + off, buf, part))) {
            return false;
        }
        buf += part;
        len -= part;
        off = 0;
    }
    return len == 0;
}

bool virtq_copy_out(const struct virtqueue *q, const struct virtq_chain *c, uint32_t off,
                    void *buf, uint32_t len)
{
    return copy(q, c->seg, c->out_n, off, buf, len, false);
}

bool virtq_copy_in(const struct virtqueue *q, const struct virtq_chain *c, uint32_t off,
                   const void *buf, uint32_t len)
{
    return copy(q, c->seg + c->out_n, c->in_n, off, (uint8_t *)buf, len, true);
}

static bool lease(struct virtio_device *v, const struct virtq_seg *seg, unsigned n,
                  bool for_write, struct device_lease *out)
{
    for (unsigned i = 0; i < n; i++) {
        out[i] = (struct device_lease){ .gpa = seg[i].gpa };
        if (seg[i].len && !device_lease_get(&v->dev, seg[i].gpa, seg[i].len, for_write, &out[i])) {
            virtq_lease_put(v, out, i);
            return false;
        }
    }
    return true;
}

bool virtq_lease_out(struct virtio_device *v, const struct virtq_chain *c,
                     struct device_lease *out)
{
    return lease(v, c->seg, c->out_n, false, out);
}

bool virtq_lease_in(struct virtio_device *v, const struct virtq_chain *c,
                    struct device_lease *out)
{
    return lease(v, c->seg + c->out_n, c->in_n, true, out);
}

void virtq_lease_put(struct virtio_device *v, struct device_lease *out, unsigned n)
{
    while (n) {
        if (out[--n].host) {
            device_lease_put(&v->dev, &out[n]);
        }
    }
}

void virtq_reset(struct virtqueue *q)
{
    *q = (struct virtqueue){ .mem = q->mem, .size_max = q->size_max, .size = q->size_max };
}

const struct device_state virtqueue_state[] = {
    STATE(struct virtqueue, desc),
    STATE(struct virtqueue, avail),
    STATE(struct virtqueue, used),
    STATE(struct virtqueue, size),
    STATE(struct virtqueue, ready),
    STATE(struct virtqueue, event_idx),
    STATE(struct virtqueue, indirect),
    STATE(struct virtqueue, last_avail),
    STATE(struct virtqueue, used_idx),
    STATE(struct virtqueue, signalled_used),
    STATE(struct virtqueue, pfn),
    STATE(struct virtqueue, align),
    { 0 },
};
