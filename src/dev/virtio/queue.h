/* SPDX-License-Identifier: Apache-2.0 */
/* struct virtqueue: the device's side of a split virtqueue (virtio 1.2, section 2.7), with
 * indirect descriptors and event indices.
 *
 * The guest is hostile: every index, address and length that it writes is copied once, checked,
 * and bounded.  A violation returns VIRTQ_BROKEN (or false); the device then is to be put into
 * NEEDS_RESET by virtio_break().
 *
 * Threads: under the lock of the device that it belongs to. */
#pragma once
#include "vm/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mem_space;

#define VIRTQ_SIZE_MAX 1024         /* entries, and descriptors in one chain */

struct virtqueue {
    struct mem_space *mem;          /* set by virtio_init */
    uint64_t desc, avail, used;     /* guest-physical: descriptor area, driver area, device area */
    uint16_t size_max;              /* 0: this queue does not exist */
    uint16_t size;                  /* what the driver chose: a power of two */
    bool ready;
    bool event_idx;                 /* negotiated; set by the transport when ready */
    bool indirect;
    uint16_t last_avail;            /* the next entry of the available ring */
    uint16_t used_idx;
    uint16_t signalled_used;        /* used_idx when we last looked whether to interrupt */
    /* Legacy transport only. */
    uint32_t pfn, align;
};

/* A request: buffers that we may read, then buffers that we may write.  free() it after push. */
struct virtq_seg {
    uint64_t gpa;
    uint32_t len;
};

struct virtq_chain {
    uint16_t head;
    uint16_t out_n, in_n;           /* segments: readable by us, writable by us */
    uint32_t out_bytes, in_bytes;
    struct virtq_seg seg[];
};

enum virtq_result { VIRTQ_EMPTY, VIRTQ_OK, VIRTQ_BROKEN };

/* Takes the next available chain.  An unready queue is empty. */
enum virtq_result virtq_pop(struct virtqueue *q, struct virtq_chain **c);
/* Takes the last popped chain back into the available ring (the buffers did not suffice yet).
 * Chains are taken back in the reverse order of popping. */
void virtq_unpop(struct virtqueue *q, struct virtq_chain *c);
/* Gives a chain back to the driver; `written` bytes of its writable buffers are valid.  Frees
 * nothing.  false: broken. */
bool virtq_push(struct virtqueue *q, const struct virtq_chain *c, uint32_t written);
/* The same in two steps, for several chains that must appear at once: put them at 0 … n - 1,
 * then show them all. */
bool virtq_push_at(struct virtqueue *q, const struct virtq_chain *c, uint32_t written,
                   unsigned i);
bool virtq_push_show(struct virtqueue *q, unsigned n);
/* After pushes: does the driver want to be interrupted?  Ask once for a batch. */
bool virtq_wants_interrupt(struct virtqueue *q);
/* Ask the driver (not) to kick.  After enabling, look once more whether the queue is empty. */
void virtq_kicks_enable(struct virtqueue *q, bool on);
bool virtq_is_empty(struct virtqueue *q);

/* Copies `len` bytes at offset `off` of what we may read, or into what we may write.  false: the
 * chain is shorter, or it points at something that is not RAM. */
bool virtq_copy_out(const struct virtqueue *q, const struct virtq_chain *c, uint32_t off,
                    void *buf, uint32_t len);
bool virtq_copy_in(const struct virtqueue *q, const struct virtq_chain *c, uint32_t off,
                   const void *buf, uint32_t len);

/* Forgets everything except for mem and size_max. */
void virtq_reset(struct virtqueue *q);

extern const struct device_state virtqueue_state[];
