/* SPDX-License-Identifier: Apache-2.0 */
/* An image that is a file or a block device of the host. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "host/blk/impl.h"

enum { BOUNCE_BYTES = 1 << 20, DIRECT_ALIGN_BYTES = 512 };

/* ---- locks ---------------------------------------------------------------------------------- */

/* So that QEMU (and qemu-img) and Pando keep each other away from an image that the other one
 * writes, the same bytes of the file are locked, by locks of the open file:
 *   byte 100 + i: somebody does i;      byte 200 + i: somebody does not bear others doing i;
 *   i = 0: read consistently, 1: write, 2: write unchanged data, 3: resize.
 * All are shared locks, so that they count; whether somebody has one is asked by a test for an
 * exclusive lock. */
enum { IMG_DOES = 100, IMG_DOES_NOT_BEAR = 200, IMG_READ = 0, IMG_WRITE = 1, IMG_RESIZE = 3 };

static int lock_call(int fd, int cmd, short type, off_t byte)
{
    struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    if (fcntl(fd, cmd, &l) < 0) {
        return -errno;
    }
    return cmd == F_OFD_GETLK && l.l_type != F_UNLCK;
}

static bool file_lock(const struct blk_file *f, const struct blk_file_options *o, struct err *e)
{
    static const struct { int what; const char *name; } kinds[] = {
        { IMG_READ, "read" }, { IMG_WRITE, "write" }, { IMG_RESIZE, "resize" },
    };

    for (int pass = 0; pass < 2; pass++) {          /* take all locks, then look for others' */
        for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
            int what = kinds[i].what;
            bool does = what == IMG_READ || (what == IMG_WRITE && !f->read_only);
            bool bears = what == IMG_READ;
            int cmd = pass ? F_OFD_GETLK : F_OFD_SETLK, rc = 0;
            short type = pass ? F_WRLCK : F_RDLCK;

            if (does) {
                rc = lock_call(f->fd, cmd, type, (pass ? IMG_DOES_NOT_BEAR : IMG_DOES) + what);
            }
            if (rc == 0 && !bears) {
                rc = lock_call(f->fd, cmd, type, (pass ? IMG_DOES : IMG_DOES_NOT_BEAR) + what);
            }
            if (rc < 0 && rc != -EAGAIN && rc != -EACCES) {
                if (o->locking == BLK_LOCK_ON) {
                    return err_set(e, "'%s': the file system cannot lock: %s", f->path,
                                   strerror(-rc));
                }
                return true;
            }
            if (rc) {
                return err_set(e, "'%s': another process uses the image (\"%s\" lock); two "
                               "writers would destroy it (locking=off allows it nevertheless)",
                               f->path, kinds[i].name);
            }
        }
    }
    return true;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Without format=, an image of another format must not be taken for raw: a guest would see and
 * then destroy the format's own data. */
static bool format_check(const struct blk_file *f, struct err *e)
{
    static const struct { const char *magic, *name; unsigned offset, n; } formats[] = {
        { "QFI\xfb", "qcow2", 0, 4 }, { "KDMV", "vmdk", 0, 4 }, { "QED", "qed", 0, 4 },
        { "vhdxfile", "vhdx", 0, 8 }, { "conectix", "vpc", 0, 8 },
        { "\x7f\x10\xda\xbe", "vdi", 64, 4 }, { "LUKS\xba\xbe", "luks", 0, 6 },
    };
    char head[512] = { 0 };

    if (pread(f->fd, head, sizeof head, 0) < 0) {
        return err_set(e, "'%s': %s", f->path, strerror(errno));
    }
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++) {
        if (!memcmp(head + formats[i].offset, formats[i].magic, formats[i].n)) {
            return err_set(e, "'%s' is a %s image, which cannot be opened yet; convert it by "
                           "'qemu-img convert -O raw', or say format=raw if it is not one",
                           f->path, formats[i].name);
        }
    }
    return true;
}

static bool size_get(struct blk_file *f, struct err *e)
{
    struct stat st;

    if (fstat(f->fd, &st) < 0) {
        return err_set(e, "'%s': %s", f->path, strerror(errno));
    }
    if (S_ISREG(st.st_mode)) {
        f->size_bytes = st.st_size;
    } else if (S_ISBLK(st.st_mode)) {
        f->is_device = true;
        if (ioctl(f->fd, BLKGETSIZE64, &f->size_bytes) < 0) {
            return err_set(e, "'%s': size of the device: %s", f->path, strerror(errno));
        }
    } else {
        return err_set(e, "'%s' is neither a file nor a block device", f->path);
    }
    f->size_bytes = ALIGN_UP(f->size_bytes, BLK_SECTOR_BYTES);
    return true;
}

/* O_DIRECT is asked for as a matter of speed and memory, not of what is true: where the file
 * system lacks it, or wants more than sectors, go on without. */
static void direct_enable(struct blk_file *f)
{
    void *p = NULL;
    int flags = fcntl(f->fd, F_GETFL);

    if (fcntl(f->fd, F_SETFL, flags | O_DIRECT) == 0 &&
        posix_memalign(&p, DIRECT_ALIGN_BYTES, DIRECT_ALIGN_BYTES) == 0 &&
        pread(f->fd, p, DIRECT_ALIGN_BYTES, 0) >= 0) {
        f->direct = true;
    } else {
        fcntl(f->fd, F_SETFL, flags);
        log_warn(f->path, "the file system cannot bypass the page cache in sectors; cache=none "
                 "works as cache=writeback");
    }
    free(p);
}

bool blk_file_open(struct blk_file *f, const char *path, const struct blk_file_options *o,
                   struct err *e)
{
    *f = (struct blk_file){ .read_only = o->read_only, .discard = o->discard };
    f->path = strdup(path);
    assert(f->path);
    f->fd = open(path, (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (f->fd < 0) {
        bool denied = (errno == EACCES || errno == EROFS || errno == EPERM) && !o->read_only;

        return err_set(e, "'%s': %s%s", path, strerror(errno),
                       denied ? " (readonly=on opens it for reading)" : "");
    }
    if (!size_get(f, e) || (!o->raw_given && !format_check(f, e)) ||
        (o->locking != BLK_LOCK_OFF && !file_lock(f, o, e))) {
        return false;
    }
    if (o->direct) {
        direct_enable(f);
    }
    return true;
}

void blk_file_close(struct blk_file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    free(f->path);
    *f = (struct blk_file){ .fd = -1 };
}

/* ---- reading and writing -------------------------------------------------------------------- */

static bool is_aligned(const struct iovec *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (((uintptr_t)v[i].iov_base | v[i].iov_len) % DIRECT_ALIGN_BYTES) {
            return false;
        }
    }
    return true;
}

static int bounce(const struct blk_file *f, bool write, struct blk_cursor *c, uint64_t offset,
                  uint64_t n_bytes)
{
    void *buf;
    int rc = 0;

    if (posix_memalign(&buf, 4096, BOUNCE_BYTES)) {
        return -ENOMEM;
    }
    while (n_bytes > 0 && rc == 0) {
        size_t n = MIN(n_bytes, (uint64_t)BOUNCE_BYTES);
        struct iovec one = { buf, n };
        struct blk_cursor flat = { &one, 1, 0 };

        if (write) {
            blk_cursor_copy(c, buf, n, true);
        }
        rc = blk_file_rw(f, write, &flat, offset, n);
        if (rc == 0 && !write) {
            blk_cursor_copy(c, buf, n, false);
        }
        offset += n;
        n_bytes -= n;
    }
    free(buf);
    return rc;
}

int blk_file_rw(const struct blk_file *f, bool write, struct blk_cursor *c, uint64_t offset,
                uint64_t n_bytes)
{
    while (n_bytes > 0) {
        struct iovec v[BLK_WINDOW_IOVS];
        size_t sum;
        unsigned n = blk_cursor_window(c, v, n_bytes, &sum);
        ssize_t done;

        if (f->direct && !is_aligned(v, n)) {
            return bounce(f, write, c, offset, n_bytes);
        }
        done = write ? pwritev(f->fd, v, n, offset) : preadv(f->fd, v, n, offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return -errno;
        }
        if (done == 0 && write) {
            return -EIO;
        }
        if (done == 0) {
            blk_cursor_zero(c, n_bytes);        /* beyond the end of the file */
            return 0;
        }
        blk_cursor_advance(c, done);
        offset += done;
        n_bytes -= done;
    }
    return 0;
}

bool blk_file_read_cached(const struct blk_file *f, const struct iovec *iov, unsigned n_iov,
                          uint64_t offset, uint64_t n_bytes)
{
    /* What goes wrong here (short, EAGAIN, …) is tried again by a thread, and told then. */
    return !f->direct && preadv2(f->fd, iov, (int)n_iov, offset, RWF_NOWAIT) == (ssize_t)n_bytes;
}

int blk_file_flush(const struct blk_file *f)
{
    return fdatasync(f->fd) < 0 ? -errno : 0;
}

/* ---- discard and zeroes --------------------------------------------------------------------- */

static int punch(const struct blk_file *f, int mode, uint64_t offset, uint64_t n_bytes)
{
    int rc;

    do {
        rc = fallocate(f->fd, mode | FALLOC_FL_KEEP_SIZE, offset, n_bytes);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

static int device_range(const struct blk_file *f, unsigned long call, uint64_t offset,
                        uint64_t n_bytes)
{
    uint64_t range[2] = { offset, n_bytes };

    return ioctl(f->fd, call, range) < 0 ? -errno : 0;
}

static bool is_unsupported(int rc)
{
    return rc == -EOPNOTSUPP || rc == -ENOTTY || rc == -ENOSYS || rc == -EINVAL;
}

int blk_file_discard(const struct blk_file *f, uint64_t offset, uint64_t n_bytes)
{
    int rc;

    if (!f->discard || n_bytes == 0) {
        return 0;
    }
    rc = f->is_device ? device_range(f, BLKDISCARD, offset, n_bytes)
                      : punch(f, FALLOC_FL_PUNCH_HOLE, offset, n_bytes);
    return is_unsupported(rc) ? 0 : rc;         /* a discard is a hint */
}

int blk_file_zero(const struct blk_file *f, uint64_t offset, uint64_t n_bytes, bool may_unmap)
{
    void *zeroes;
    int rc = -EOPNOTSUPP;

    if (n_bytes == 0) {
        return 0;
    }
    if (f->is_device) {
        rc = device_range(f, BLKZEROOUT, offset, n_bytes);
    } else {
        if (may_unmap && f->discard) {
            rc = punch(f, FALLOC_FL_PUNCH_HOLE, offset, n_bytes);
        }
        if (is_unsupported(rc)) {
            rc = punch(f, FALLOC_FL_ZERO_RANGE, offset, n_bytes);
        }
    }
    if (!is_unsupported(rc)) {
        return rc;
    }
    if (posix_memalign(&zeroes, 4096, BOUNCE_BYTES)) {
        return -ENOMEM;
    }
    memset(zeroes, 0, BOUNCE_BYTES);
    for (rc = 0; n_bytes > 0 && rc == 0;) {
        size_t n = MIN(n_bytes, (uint64_t)BOUNCE_BYTES);
        struct iovec one = { zeroes, n };
        struct blk_cursor c = { &one, 1, 0 };

        rc = blk_file_rw(f, true, &c, offset, n);
        offset += n;
        n_bytes -= n;
    }
    free(zeroes);
    return rc;
}
