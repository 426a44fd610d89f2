/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: checked, queued, run by threads, reported on the loop's thread. */
#include "host/blk/blk.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "host/blk/impl.h"

enum { AT_ONCE_BYTES_MAX = 65536 };

struct blk {
    struct loop *loop;
    const struct trace *trace;
    struct blk_file file;
    struct blk_overlay *overlay;        /* NULL: none */
    bool read_only;                     /* for the guest */
    bool write_through, never_flush;

    struct mutex lock;                  /* over all below */
    struct cond work_cond, done_cond;
    struct blk_req *todo, **todo_tail;
    struct blk_req *finished, **finished_tail;
    unsigned n_in_flight;               /* submitted and not yet `done` */
    unsigned n_todo, n_threads, n_idle;
    bool stop;
    struct thread threads[BLK_THREADS_MAX];
    struct loop_work finish_work;
};

/* ---- running one request: in a thread ------------------------------------------------------- */

static int req_write(struct blk *b, struct blk_req *r)
{
    struct blk_cursor c = { r->iov, r->n_iov, 0 };
    int rc;

    if (r->op == BLK_WRITE) {
        rc = b->overlay ? blk_overlay_write(b->overlay, &c, r->offset, r->n_bytes)
                        : blk_file_rw(&b->file, true, &c, r->offset, r->n_bytes);
    } else {
        rc = b->overlay ? blk_overlay_zero(b->overlay, r->offset, r->n_bytes)
                        : blk_file_zero(&b->file, r->offset, r->n_bytes,
                                        r->flags & BLK_MAY_UNMAP);
    }
    if (rc == 0 && !b->overlay && !b->never_flush &&
        (b->write_through || (r->flags & BLK_FUA))) {
        rc = blk_file_flush(&b->file);
    }
    return rc;
}

static int req_run(struct blk *b, struct blk_req *r)
{
    struct blk_cursor c = { r->iov, r->n_iov, 0 };

    switch (r->op) {
    case BLK_READ:
        return b->overlay ? blk_overlay_read(b->overlay, &c, r->offset, r->n_bytes)
                          : blk_file_rw(&b->file, false, &c, r->offset, r->n_bytes);
    case BLK_WRITE:
    case BLK_WRITE_ZEROES:
        return req_write(b, r);
    case BLK_FLUSH:
        return b->overlay || b->never_flush || b->read_only ? 0 : blk_file_flush(&b->file);
    case BLK_DISCARD:
        return b->overlay ? 0 : blk_file_discard(&b->file, r->offset, r->n_bytes);
    }
    return -EINVAL;
}

/* ---- queues --------------------------------------------------------------------------------- */

/* b->lock is held. */
static void finish(struct blk *b, struct blk_req *r, int rc)
{
    r->rc = rc;
    r->next = NULL;
    *b->finished_tail = r;
    b->finished_tail = &r->next;
    cond_signal(&b->done_cond);
}

static void worker(struct thread *self, void *ctx)
{
    struct blk *b = ctx;

    mutex_lock(&b->lock);
    for (;;) {
        struct blk_req *r = b->todo;
        int rc;

        if (!r) {
            if (b->stop) {
                break;
            }
            b->n_idle++;
            cond_wait(&b->work_cond, &b->lock);
            b->n_idle--;
            continue;
        }
        b->todo = r->next;
        b->n_todo--;
        if (!b->todo) {
            b->todo_tail = &b->todo;
        }
        mutex_unlock(&b->lock);
        rc = req_run(b, r);
        mutex_lock(&b->lock);
        finish(b, r, rc);
        loop_work_schedule(&b->finish_work);
    }
    mutex_unlock(&b->lock);
}

static void finish_run(void *ctx)
{
    struct blk *b = ctx;
    struct blk_req *r;

    mutex_lock(&b->lock);
    while ((r = b->finished)) {
        b->finished = r->next;
        if (!b->finished) {
            b->finished_tail = &b->finished;
        }
        b->n_in_flight--;
        mutex_unlock(&b->lock);
        trace_blk_done(b->trace, b->file.path, r->op, r->offset, r->rc);
        r->done(r, r->rc);
        mutex_lock(&b->lock);
    }
    mutex_unlock(&b->lock);
}

static int req_check(const struct blk *b, const struct blk_req *r)
{
    bool data = r->op == BLK_READ || r->op == BLK_WRITE;
    uint64_t sum = 0;

    if (r->op == BLK_FLUSH) {
        return 0;
    }
    if (r->op > BLK_WRITE_ZEROES || r->offset % BLK_SECTOR_BYTES ||
        r->n_bytes % BLK_SECTOR_BYTES || r->offset > b->file.size_bytes ||
        r->n_bytes > b->file.size_bytes - r->offset) {
        return -EINVAL;
    }
    if (data && (r->n_iov > BLK_IOV_MAX || r->n_bytes > BLK_REQ_BYTES_MAX)) {
        return -EINVAL;
    }
    for (unsigned i = 0; data && i < r->n_iov; i++) {
        if (__builtin_add_overflow(sum, r->iov[i].iov_len, &sum)) {
            return -EINVAL;
        }
    }
    if (data && sum != r->n_bytes) {
        return -EINVAL;
    }
    return r->op != BLK_READ && b->read_only ? -EROFS : 0;
}

/* b->lock is held. */
static void thread_add(struct blk *b)
{
    struct err e;

    /* With none at all, the request would never be done; with one, that one does it. */
    if (thread_start(&b->threads[b->n_threads], "blk", worker, b, &e)) {
        b->n_threads++;
    }
}

/* A short read of what the host has in its cache costs less than waking a thread. */
static bool read_at_once(const struct blk *b, const struct blk_req *r)
{
    const struct blk_file *f = &b->file;

    if (r->op != BLK_READ || r->n_bytes > AT_ONCE_BYTES_MAX) {
        return false;
    }
    if (b->overlay) {
        f = blk_overlay_where(b->overlay, r->offset, r->n_bytes);
    }
    return f && blk_file_read_cached(f, r->iov, r->n_iov, r->offset, r->n_bytes);
}

void blk_submit(struct blk *b, struct blk_req *r)
{
    int rc = req_check(b, r);
    bool finished = rc != 0 || read_at_once(b, r);

    trace_blk_submit(b->trace, b->file.path, r->op, r->offset, r->n_bytes);
    r->blk = b;
    r->next = NULL;
    mutex_lock(&b->lock);
    b->n_in_flight++;
    if (finished) {
        finish(b, r, rc);
        mutex_unlock(&b->lock);
        loop_work_schedule(&b->finish_work);
        return;
    }
    if (b->n_in_flight > BLK_REQS_MAX) {
        rc = -EBUSY;
    }
    if (rc == 0 && b->n_idle <= b->n_todo && b->n_threads < BLK_THREADS_MAX) {
        thread_add(b);
        rc = b->n_threads ? 0 : -EAGAIN;
    }
    if (rc == 0) {
        *b->todo_tail = r;
        b->todo_tail = &r->next;
        b->n_todo++;
        cond_signal(&b->work_cond);
    } else {
        finish(b, r, rc);
    }
    mutex_unlock(&b->lock);
    if (rc) {
        loop_work_schedule(&b->finish_work);
    }
}

void blk_drain(struct blk *b)
{
    mutex_lock(&b->lock);
    while (b->n_in_flight > 0) {
        while (!b->finished) {
            cond_wait(&b->done_cond, &b->lock);
        }
        mutex_unlock(&b->lock);
        finish_run(b);
        mutex_lock(&b->lock);
    }
    mutex_unlock(&b->lock);
}

/* ---- facts ---------------------------------------------------------------------------------- */

uint64_t blk_size_bytes(const struct blk *b)
{
    return b->file.size_bytes;
}

bool blk_is_read_only(const struct blk *b)
{
    return b->read_only;
}

bool blk_can_discard(const struct blk *b)
{
    return b->file.discard && !b->overlay && !b->read_only;
}

const char *blk_path(const struct blk *b)
{
    return b->file.path;
}

/* ---- options -------------------------------------------------------------------------------- */

enum cache_mode { CACHE_WRITEBACK, CACHE_NONE, CACHE_WRITETHROUGH, CACHE_DIRECTSYNC,
                  CACHE_UNSAFE };
#define CACHE_MODES "writeback|none|writethrough|directsync|unsafe"

static const struct opt_row rows[] = {
    { "file", OPT_GROUP, NULL, "path of the image" },
    { "filename", OPT_STR, NULL, "the same" },
    { "format", OPT_ENUM, NULL, "of the image", "raw" },
    { "driver", OPT_ENUM, NULL, "of -blockdev", "raw|file|host_device" },
    { "readonly", OPT_BOOL, "off", "the guest cannot write" },
    { "read-only", OPT_BOOL, "off", "the same" },
    { "snapshot", OPT_BOOL, "off", "what is written is lost at the end" },
    { "cache", OPT_GROUP, "writeback", CACHE_MODES },
    { "discard", OPT_ENUM, "ignore", "give back what the guest does not use",
      "ignore|unmap|off|on" },
    { "locking", OPT_ENUM, "auto", "keep other processes away", "auto|on|off" },
    { "aio", OPT_ENUM, "threads", "threads is what all of them mean here",
      "threads|native|io_uring" },
    /* What belongs to the device or the command line, and is left to them. */
    { "id", OPT_STR }, { "node-name", OPT_STR }, { "if", OPT_STR }, { "index", OPT_STR },
    { "bus", OPT_STR }, { "unit", OPT_STR }, { "media", OPT_STR }, { "werror", OPT_STR },
    { "rerror", OPT_STR }, { "serial", OPT_STR }, { "auto-read-only", OPT_BOOL },
    { 0 },
};

static bool cache_read(struct blk *b, const struct opts *o, bool *direct, struct err *e)
{
    unsigned mode;

    if (!opts_enum(o, "cache", CACHE_MODES, CACHE_WRITEBACK, &mode, e)) {
        return false;
    }
    b->write_through = mode == CACHE_WRITETHROUGH || mode == CACHE_DIRECTSYNC;
    return opts_bool(o, "cache.direct", mode == CACHE_NONE || mode == CACHE_DIRECTSYNC, direct,
                     e) &&
           opts_bool(o, "cache.no-flush", mode == CACHE_UNSAFE, &b->never_flush, e);
}

static bool options_read(struct blk *b, const struct opts *o, const char **path,
                         struct blk_file_options *fo, bool *snapshot, struct err *e)
{
    unsigned discard, locking;
    bool read_only_too;

    *path = opts_str(o, "file.filename", opts_str(o, "filename", opts_str(o, "file", NULL)));
    if (!*path) {
        return err_set(e, "option 'file' is missing");
    }
    if (!opts_bool(o, "readonly", false, &b->read_only, e) ||
        !opts_bool(o, "read-only", b->read_only, &read_only_too, e) ||
        !opts_bool(o, "snapshot", false, snapshot, e) ||
        !opts_enum(o, "discard", "ignore|unmap|off|on", 0, &discard, e) ||
        !opts_enum(o, "locking", "auto|on|off", BLK_LOCK_AUTO, &locking, e) ||
        !opts_enum(o, "file.locking", "auto|on|off", locking, &locking, e) ||
        !cache_read(b, o, &fo->direct, e)) {
        return false;
    }
    b->read_only = read_only_too;
    fo->discard = discard == 1 || discard == 3;
    fo->locking = locking;
    fo->read_only = b->read_only || *snapshot;
    fo->raw_given = opts_has(o, "format") || opts_has(o, "driver");
    return true;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct blk *blk_create(struct loop *l, const struct opts *o, const struct trace *t,
                       struct err *e)
{
    struct blk *b = calloc(1, sizeof *b);
    struct blk_file_options fo = { 0 };
    const char *path;
    bool snapshot;

    assert(b);
    b->loop = l;
    b->trace = t;
    b->file.fd = -1;
    b->todo_tail = &b->todo;
    b->finished_tail = &b->finished;
    mutex_init(&b->lock);
    cond_init(&b->work_cond);
    cond_init(&b->done_cond);
    loop_work_init(&b->finish_work, l, finish_run, b);
    if (!opts_check(o, rows, "disk image", e) ||
        !options_read(b, o, &path, &fo, &snapshot, e) ||
        !blk_file_open(&b->file, path, &fo, e)) {
        goto failed;
    }
    if (snapshot && !b->read_only) {
        b->overlay = blk_overlay_create(&b->file, e);
        if (!b->overlay) {
            goto failed;
        }
    }
    return b;
failed:
    blk_destroy(b);
    return NULL;
}

void blk_destroy(struct blk *b)
{
    if (!b) {
        return;
    }
    blk_drain(b);
    mutex_lock(&b->lock);
    b->stop = true;
    cond_broadcast(&b->work_cond);
    mutex_unlock(&b->lock);
    for (unsigned i = 0; i < b->n_threads; i++) {
        thread_join(&b->threads[i]);
    }
    loop_work_cancel(&b->finish_work);
    if (b->file.fd >= 0 && !b->read_only && !b->overlay && !b->never_flush) {
        blk_file_flush(&b->file);
    }
    blk_overlay_destroy(b->overlay);
    blk_file_close(&b->file);
    mutex_destroy(&b->lock);
    cond_destroy(&b->work_cond);
    cond_destroy(&b->done_cond);
    free(b);
}
