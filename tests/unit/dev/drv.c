/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's side of a virtio-mmio device, as plain as possible. */
#include "base/base.h"
#include "harness.h"

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

static void wr(struct drv *d, uint32_t off, uint32_t v)
{
    bench_write32(d->b, d->gpa + off, v);
}

static uint32_t rd(struct drv *d, uint32_t off)
{
    return bench_read32(d->b, d->gpa + off);
}

static void queue_start(struct drv *d, unsigned n)
{
    struct drv_queue *q = &d->q[n];
    uint64_t base = BENCH_RAM_GPA + 0x20000 * n;

    *q = (struct drv_queue){ .desc = base };
    q->avail = q->desc + 16 * d->size;
    q->used = ALIGN_UP(q->avail + 6 + 2 * d->size, UINT64_C(4096));
    for (uint64_t a = base; a < q->used + 6 + 8 * d->size; a += 2) {
        bench_ram_write16(d->b, a, 0);
    }
    wr(d, 0x30, n);
    wr(d, 0x38, d->size);
    if (d->legacy) {
        wr(d, 0x3c, 4096);
        wr(d, 0x40, base / 4096);
        return;
    }
    wr(d, 0x80, q->desc);
    wr(d, 0x84, q->desc >> 32);
    wr(d, 0x90, q->avail);
    wr(d, 0x94, q->avail >> 32);
    wr(d, 0xa0, q->used);
    wr(d, 0xa4, q->used >> 32);
    wr(d, 0x44, 1);
}

bool drv_start(struct drv *d, struct bench *b, uint64_t gpa, bool legacy, uint64_t features,
               unsigned queues_n, uint16_t size)
{
    uint64_t offered;

    *d = (struct drv){ .b = b, .gpa = gpa, .legacy = legacy, .size = size };
    if (rd(d, 0) != 0x74726976 || rd(d, 4) != (legacy ? 1 : 2) || rd(d, 8) == 0) {
        return false;
    }
    wr(d, 0x70, 0);
    wr(d, 0x70, 1);
    wr(d, 0x70, 3);
    wr(d, 0x14, 1);
    offered = (uint64_t)rd(d, 0x10) << 32;
    wr(d, 0x14, 0);
    offered |= rd(d, 0x10);
    features &= offered;
    d->event_idx = features >> 29 & 1;
    wr(d, 0x24, 0);
    wr(d, 0x20, features);
    if (legacy) {
        wr(d, 0x28, 4096);
    } else {
        wr(d, 0x24, 1);
        wr(d, 0x20, features >> 32);
        wr(d, 0x70, 11);
        if (rd(d, 0x70) != 11) {
            return false;
        }
    }
    for (unsigned n = 0; n < queues_n; n++) {
        queue_start(d, n);
    }
    wr(d, 0x70, legacy ? 7 : 15);
    return rd(d, 0x70) == (legacy ? 7 : 15);
}

static void desc_write(struct drv *d, uint64_t table, unsigned i, struct desc v)
{
    bench_ram_write(d->b, table + 16 * i, &v, sizeof v);
}

uint16_t drv_add(struct drv *d, unsigned n, const struct drv_seg *seg, unsigned segs_n,
                 uint64_t indirect)
{
    struct drv_queue *q = &d->q[n];
    uint16_t head = q->free % d->size;

    for (unsigned i = 0; i < segs_n; i++) {
        uint16_t at = indirect ? i : (head + i) % d->size;
        uint16_t next = indirect ? i + 1 : (head + i + 1) % d->size;

        desc_write(d, indirect ? indirect : q->desc, at, (struct desc){
            seg[i].gpa, seg[i].len, (seg[i].write ? 2 : 0) | (i + 1 < segs_n ? 1 : 0), next });
    }
    if (indirect) {
        desc_write(d, q->desc, head, (struct desc){ indirect, 16 * segs_n, 4, 0 });
    }
    q->free += indirect ? 1 : segs_n;
    bench_ram_write16(d->b, q->avail + 4 + 2 * (q->avail_idx % d->size), head);
    bench_ram_write16(d->b, q->avail + 2, ++q->avail_idx);
    return head;
}

void drv_kick(struct drv *d, unsigned q)
{
    wr(d, 0x50, q);
    bench_poll(d->b);
}

bool drv_used(struct drv *d, unsigned n, uint32_t *id, uint32_t *len)
{
    struct drv_queue *q = &d->q[n];
    uint64_t at = q->used + 4 + 8 * (q->used_seen % d->size);

    if (bench_ram_read16(d->b, q->used + 2) == q->used_seen) {
        return false;
    }
    bench_ram_read(d->b, at, id, 4);
    bench_ram_read(d->b, at + 4, len, 4);
    q->used_seen++;
    if (d->event_idx) {
        bench_ram_write16(d->b, q->avail + 4 + 2 * d->size, q->used_seen);
    }
    return true;
}
