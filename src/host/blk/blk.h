/* SPDX-License-Identifier: Apache-2.0 */
/* struct blk: a disk image, read and written asynchronously.
 *
 * A request belongs to its submitter, who keeps it and the memory it names until `done`, which
 * comes exactly once, from the loop's thread, with no lock of the backend held. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct blk;
struct err;
struct loop;
struct opts;
struct trace;

#define BLK_SECTOR_BYTES 512u           /* offsets and lengths are multiples of this */
#define BLK_IOV_MAX 1024u               /* elements of one request */
#define BLK_REQ_BYTES_MAX (1u << 30)    /* of one read or write; discard and zeroes: no limit */
#define BLK_REQS_MAX 4096u              /* in flight; a front end's queues are smaller */
#define BLK_THREADS_MAX 8u              /* of one image */

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES };

enum blk_flags {
    BLK_FUA = 1,                /* on stable storage before done (writes and zeroes) */
    BLK_MAY_UNMAP = 2,          /* zeroes may be made by unallocating */
};

struct blk_req {
    enum blk_op op;
    unsigned flags;
    uint64_t offset;            /* bytes */
    uint64_t n_bytes;           /* reads and writes: the sum of iov */
    const struct iovec *iov;    /* reads and writes */
    unsigned n_iov;
    /* rc is 0 or -errno: -EIO, -ENOSPC, -EROFS (a write to a read-only image), -EINVAL (outside
     * of the image, misaligned, too many elements, too long), -EBUSY (BLK_REQS_MAX).  May submit
     * again, and may free `r`. */
    void (*done)(struct blk_req *r, int rc);
    void *ctx;

    struct blk *blk;            /* the backend's, until done */
    struct blk_req *next;
    int rc;
};

/* Opens the image by options: file=PATH (or filename=, or file.filename=), format=raw,
 * readonly=on|off, snapshot=on|off, cache=writeback|none|writethrough|directsync|unsafe,
 * discard=ignore|unmap, locking=auto|on|off, and QEMU's spellings of these.  On the loop's
 * thread or before it runs. */
struct blk *blk_create(struct loop *l, const struct opts *o, const struct trace *t,
                       struct err *e);
/* Waits for all requests (their `done` run), flushes, closes.  On the loop's thread or after it
 * has ended.  NULL is good. */
void blk_destroy(struct blk *b);

/* Any thread, with any lock held that `done` does not need at once: `done` never runs inside. */
void blk_submit(struct blk *b, struct blk_req *r);

/* Waits until no request is in flight; their `done` run inside, so no lock may be held that they
 * take.  On the loop's thread. */
void blk_drain(struct blk *b);

uint64_t blk_size_bytes(const struct blk *b);
bool blk_is_read_only(const struct blk *b);
bool blk_can_discard(const struct blk *b);      /* BLK_DISCARD does something */
const char *blk_path(const struct blk *b);
