/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot=on: what is written goes to a temporary file that has no name, so it is gone with the
 * process whatever its end.  A bit for each block tells which file has it. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "host/blk/impl.h"

#define BLOCK_BYTES 4096u

struct blk_overlay {
    const struct blk_file *base;
    struct blk_file file;
    _Atomic uint64_t *has;      /* bit per block: the overlay has it; set once, never cleared */
    struct mutex copy_up;       /* a block's first partial write copies the base's block */
};

static bool has_get(struct blk_overlay *v, uint64_t block)
{
    return atomic_load_explicit(&v->has[block / 64], memory_order_acquire) >> block % 64 & 1;
}

static void has_set(struct blk_overlay *v, uint64_t block)
{
    atomic_fetch_or_explicit(&v->has[block / 64], UINT64_C(1) << block % 64,
                             memory_order_release);
}

static int temp_open(const char *dir)
{
    char name[4096];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0) {
        return fd;
    }
    snprintf(name, sizeof name, "%s/pando-XXXXXX", dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) {
        unlink(name);
    }
    return fd;
}

struct blk_overlay *blk_overlay_create(const struct blk_file *base, struct err *e)
{
    const char *dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
    uint64_t blocks = base->size_bytes / BLOCK_BYTES + 1;
    struct blk_overlay *v = calloc(1, sizeof *v);

    assert(v);
    v->base = base;
    v->file.fd = temp_open(dir);
    v->has = calloc(blocks / 64 + 1, sizeof *v->has);
    mutex_init(&v->copy_up);
    if (v->file.fd < 0 || !v->has ||
        ftruncate(v->file.fd, ALIGN_UP(base->size_bytes, BLOCK_BYTES)) < 0) {
        err_set(e, "snapshot: temporary file in '%s': %s", dir, strerror(errno));
        blk_overlay_destroy(v);
        return NULL;
    }
    v->file.discard = true;
    return v;
}

void blk_overlay_destroy(struct blk_overlay *v)
{
    if (v) {
        if (v->file.fd >= 0) {
            close(v->file.fd);
        }
        mutex_destroy(&v->copy_up);
        free((void *)v->has);
        free(v);
    }
}

const struct blk_file *blk_overlay_where(struct blk_overlay *v, uint64_t offset,
                                         uint64_t n_bytes)
{
    bool ours = has_get(v, offset / BLOCK_BYTES);

    for (uint64_t b = offset / BLOCK_BYTES; b * BLOCK_BYTES < offset + n_bytes; b++) {
        if (has_get(v, b) != ours) {
            return NULL;
        }
    }
    return ours ? &v->file : v->base;
}

int blk_overlay_read(struct blk_overlay *v, struct blk_cursor *c, uint64_t offset,
                     uint64_t n_bytes)
{
    while (n_bytes > 0) {
        bool ours = has_get(v, offset / BLOCK_BYTES);
        uint64_t end = ALIGN_DOWN(offset, BLOCK_BYTES) + BLOCK_BYTES, n;
        int rc;

        while (end < offset + n_bytes && has_get(v, end / BLOCK_BYTES) == ours) {
            end += BLOCK_BYTES;
        }
        n = MIN(n_bytes, end - offset);
        rc = blk_file_rw(ours ? &v->file : v->base, false, c, offset, n);
        if (rc) {
            return rc;
        }
        offset += n;
        n_bytes -= n;
    }
    return 0;
}

/* Makes sure that the overlay has the block, since only a part of it will be written. */
static int copy_up(struct blk_overlay *v, uint64_t block)
{
    uint8_t buf[BLOCK_BYTES] __attribute__((aligned(BLOCK_BYTES)));
    struct iovec one = { buf, sizeof buf };
    struct blk_cursor in = { &one, 1, 0 }, out = { &one, 1, 0 };
    int rc = 0;

    mutex_lock(&v->copy_up);
    if (!has_get(v, block)) {
        rc = blk_file_rw(v->base, false, &in, block * BLOCK_BYTES, BLOCK_BYTES);
        if (rc == 0) {
            rc = blk_file_rw(&v->file, true, &out, block * BLOCK_BYTES, BLOCK_BYTES);
        }
        if (rc == 0) {
            has_set(v, block);
        }
    }
    mutex_unlock(&v->copy_up);
    return rc;
}

/* Copies up the first and the last block where they are covered in part. */
static int copy_up_edges(struct blk_overlay *v, uint64_t offset, uint64_t n_bytes)
{
    uint64_t end = offset + n_bytes;
    int rc = 0;

    if (offset % BLOCK_BYTES) {
        rc = copy_up(v, offset / BLOCK_BYTES);
    }
    if (rc == 0 && end % BLOCK_BYTES) {
        rc = copy_up(v, end / BLOCK_BYTES);
    }
    return rc;
}

static void has_set_range(struct blk_overlay *v, uint64_t offset, uint64_t n_bytes)
{
    for (uint64_t b = offset / BLOCK_BYTES; b * BLOCK_BYTES < offset + n_bytes; b++) {
        has_set(v, b);
    }
}

int blk_overlay_write(struct blk_overlay *v, struct blk_cursor *c, uint64_t offset,
                      uint64_t n_bytes)
{
    int rc = copy_up_edges(v, offset, n_bytes);

    if (rc == 0) {
        rc = blk_file_rw(&v->file, true, c, offset, n_bytes);
    }
    if (rc == 0) {
        has_set_range(v, offset, n_bytes);
    }
    return rc;
}

int blk_overlay_zero(struct blk_overlay *v, uint64_t offset, uint64_t n_bytes)
{
    int rc = copy_up_edges(v, offset, n_bytes);

    if (rc == 0) {
        rc = blk_file_zero(&v->file, offset, n_bytes, true);
    }
    if (rc == 0) {
        has_set_range(v, offset, n_bytes);
    }
    return rc;
}
