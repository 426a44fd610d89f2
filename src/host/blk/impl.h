/* SPDX-License-Identifier: Apache-2.0 */
/* Private to host/blk.  An image is an fd with options (file.c opens and locks it), over which a
 * temporary overlay may lie (overlay.c); blk.c queues requests and runs them in threads. */
#pragma once
#include <stdatomic.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/thread.h"
#include "base/trace.h"
#include "host/blk/blk.h"

/* ---- iov.c: walking a list of memory pieces ------------------------------------------------- */

struct blk_cursor {
    const struct iovec *iov;
    unsigned n_iov;
    size_t skip;                /* bytes of iov[0] that are done */
};

enum { BLK_WINDOW_IOVS = 64 };

/* The next pieces, at most `limit` bytes; returns their number, their sum in *n_bytes. */
unsigned blk_cursor_window(const struct blk_cursor *c, struct iovec v[BLK_WINDOW_IOVS],
                           uint64_t limit, size_t *n_bytes);
void blk_cursor_advance(struct blk_cursor *c, size_t n_bytes);
void blk_cursor_copy(struct blk_cursor *c, void *buf, size_t n_bytes, bool to_buf);
void blk_cursor_zero(struct blk_cursor *c, uint64_t n_bytes);

/* ---- file.c --------------------------------------------------------------------------------- */

struct blk_file {
    int fd;
    char *path;
    uint64_t size_bytes;        /* rounded up to a sector */
    bool read_only, is_device;
    bool direct;                /* O_DIRECT: memory must be aligned, else it is bounced */
    bool discard;               /* pass discards on */
};

struct blk_file_options {
    bool read_only, direct, discard, raw_given;
    enum { BLK_LOCK_AUTO, BLK_LOCK_ON, BLK_LOCK_OFF } locking;
};

bool blk_file_open(struct blk_file *f, const char *path, const struct blk_file_options *o,
                   struct err *e);
void blk_file_close(struct blk_file *f);
/* All return 0 or -errno.  What is beyond the end of the file reads as zeroes. */
int blk_file_rw(const struct blk_file *f, bool write, struct blk_cursor *c, uint64_t offset,
                uint64_t n_bytes);
/* Reads all of it from the host's cache without waiting, or returns false. */
bool blk_file_read_cached(const struct blk_file *f, const struct iovec *iov, unsigned n_iov,
                          uint64_t offset, uint64_t n_bytes);
int blk_file_flush(const struct blk_file *f);
int blk_file_discard(const struct blk_file *f, uint64_t offset, uint64_t n_bytes);
int blk_file_zero(const struct blk_file *f, uint64_t offset, uint64_t n_bytes, bool may_unmap);

/* ---- overlay.c: snapshot=on ----------------------------------------------------------------- */

struct blk_overlay;

struct blk_overlay *blk_overlay_create(const struct blk_file *base, struct err *e);
void blk_overlay_destroy(struct blk_overlay *v);    /* NULL is good */
/* The file that has all of the range; NULL: both have a part. */
const struct blk_file *blk_overlay_where(struct blk_overlay *v, uint64_t offset,
                                         uint64_t n_bytes);
int blk_overlay_read(struct blk_overlay *v, struct blk_cursor *c, uint64_t offset,
                     uint64_t n_bytes);
int blk_overlay_write(struct blk_overlay *v, struct blk_cursor *c, uint64_t offset,
                      uint64_t n_bytes);
int blk_overlay_zero(struct blk_overlay *v, uint64_t offset, uint64_t n_bytes);
