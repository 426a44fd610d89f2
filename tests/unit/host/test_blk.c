/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mono.h"
#include "base/opts.h"
#include "base/prng.h"
#include "base/trace.h"
#include "host/blk/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/pando-test-blk-XXXXXX";
static char image[128];
enum { IMAGE_BYTES = 1 << 20 };

static struct blk *open_blk(struct loop *l, const char *options, struct err *e)
{
    struct opts *o = opts_create();
    struct blk *b = NULL;

    if (opts_parse(o, options, NULL, e) &&
        (opts_str(o, "file", NULL) || opts_set(o, "file", image, e))) {
        b = blk_create(l, o, &trace_none, e);
    }
    opts_destroy(o);
    return b;
}

static void image_make(size_t n, uint8_t *fill)
{
    int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0644);

    CHECK(fd >= 0 && ftruncate(fd, n) == 0);
    if (fill) {
        CHECK(pwrite(fd, fill, n, 0) == (ssize_t)n);
    }
    close(fd);
}

/* ---- one request at a time ------------------------------------------------------------------ */

struct waiter {
    struct blk_req r;
    struct loop *loop;
    int rc;
    bool done, off_loop;
};

static void done_fn(struct blk_req *r, int rc)
{
    struct waiter *w = CONTAINER_OF(r, struct waiter, r);

    w->done = true;
    w->off_loop = !loop_is_owner(w->loop);
    w->rc = rc;
}

static int run(struct loop *l, struct blk *b, enum blk_op op, uint64_t offset, uint64_t n_bytes,
               const struct iovec *iov, unsigned n_iov)
{
    struct waiter w = { .loop = l, .r = { .op = op, .offset = offset, .n_bytes = n_bytes,
                        .iov = iov, .n_iov = n_iov, .flags = BLK_FUA, .done = done_fn } };

    blk_submit(b, &w.r);
    CHECK(!w.done);
    while (!w.done) {
        loop_run_once(l, -1);
    }
    CHECK(!w.off_loop);
    return w.rc;
}

static int run_buf(struct loop *l, struct blk *b, enum blk_op op, uint64_t offset, void *buf,
                   size_t n)
{
    struct iovec v = { buf, n };

    return run(l, b, op, offset, n, &v, 1);
}

static void test_refused(struct loop *l)
{
    static const struct { const char *options, *why; } t[] = {
        { "file=/nonexistent/x", "'/nonexistent/x': No such file" },
        { "file=/tmp", "'/tmp'" },
        { "file=/dev/null", "neither a file nor a block device" },
        { "redonly=on", "unknown option 'redonly'; did you mean 'readonly'?" },
        { "format=qcow3", "'qcow3' is none of raw" },
        { "cache=fast", "'fast' is none of" },
        { "snapshot=perhaps", "neither 'on' nor 'off'" },
    };
    uint8_t head[512] = "QFI\xfb";
    struct err e = { 0 };
    struct blk *b;

    image_make(4096, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
        b = open_blk(l, t[i].options, &e);
        CHECK(!b && strstr(e.text, t[i].why), "%s: %s", t[i].options, e.text);
        blk_destroy(b);
    }
    image_make(512, head);
    b = open_blk(l, "", &e);
    CHECK(!b && strstr(e.text, "is a qcow2 image"), "%s", e.text);
    b = open_blk(l, "format=raw", &e);
    CHECK(b, "%s", e.text);
    blk_destroy(b);
}

static void test_requests(struct loop *l)
{
    uint8_t a[4096], c[4096];
    struct iovec two[2] = { { a, 1000 }, { a + 1000, 24 } };
    struct err e = { 0 };
    struct blk *b;
    struct stat st;

    image_make(10000, NULL);            /* is rounded up to 20 sectors */
    b = open_blk(l, "cache=writethrough,discard=unmap", &e);
    CHECK(b, "%s", e.text);
    CHECK(blk_size_bytes(b) == 10240 && !blk_is_read_only(b) && blk_can_discard(b));
    memset(a, 0x5a, sizeof a);
    CHECK(run(l, b, BLK_WRITE, 512, 1024, two, 2) == 0);
    CHECK(run_buf(l, b, BLK_READ, 0, c, 2048) == 0);
    CHECK(c[511] == 0 && c[512] == 0x5a && c[1535] == 0x5a && c[1536] == 0);
    memset(c, 1, sizeof c);
    CHECK(run_buf(l, b, BLK_READ, 9728, c, 512) == 0 && c[0] == 0 && c[511] == 0);
    CHECK(run_buf(l, b, BLK_WRITE, 9728, a, 512) == 0);
    CHECK(stat(image, &st) == 0 && st.st_size == 10240);
    CHECK(run(l, b, BLK_WRITE_ZEROES, 1024, 512, NULL, 0) == 0);
    CHECK(run_buf(l, b, BLK_READ, 512, c, 1024) == 0 && c[511] == 0x5a && c[512] == 0);
    CHECK(run(l, b, BLK_DISCARD, 0, 4096, NULL, 0) == 0);
    CHECK(run(l, b, BLK_FLUSH, 0, 0, NULL, 0) == 0);

    CHECK(run_buf(l, b, BLK_READ, 10240, c, 512) == -EINVAL);
    CHECK(run_buf(l, b, BLK_READ, UINT64_MAX - 511, c, 512) == -EINVAL);
    CHECK(run_buf(l, b, BLK_READ, 1, c, 512) == -EINVAL);
    CHECK(run_buf(l, b, BLK_READ, 0, c, 100) == -EINVAL);
    CHECK(run(l, b, BLK_WRITE, 0, 2048, two, 2) == -EINVAL);
    CHECK(run(l, b, BLK_READ, 0, 512, NULL, BLK_IOV_MAX + 1) == -EINVAL);
    CHECK(run_buf(l, b, BLK_READ, 0, NULL, 512) == -EFAULT);
    blk_destroy(b);

    b = open_blk(l, "readonly=on", &e);
    CHECK(b && blk_is_read_only(b), "%s", e.text);
    CHECK(run_buf(l, b, BLK_WRITE, 0, a, 512) == -EROFS);
    CHECK(run(l, b, BLK_WRITE_ZEROES, 0, 512, NULL, 0) == -EROFS);
    CHECK(run_buf(l, b, BLK_READ, 9728, c, 512) == 0 && c[0] == 0x5a);
    blk_destroy(b);
}

/* The host's disk is full: the guest is told so, and nothing else happens. */
static void test_no_space(struct loop *l)
{
    struct rlimit old, small;
    uint8_t a[512] = { 1 };
    struct err e = { 0 };
    struct blk *b;

    image_make(0, NULL);
    CHECK(truncate(image, 8192) == 0);
    b = open_blk(l, "", &e);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){ 4096, old.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    CHECK(run_buf(l, b, BLK_WRITE, 4096, a, 512) == -EFBIG);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK(run_buf(l, b, BLK_WRITE, 4096, a, 512) == 0);
    blk_destroy(b);
}

/* ---- many requests against a model ---------------------------------------------------------- */

enum { SLOTS_N = 16, SLOT_BYTES = IMAGE_BYTES / SLOTS_N, ROUNDS_N = 600 };

/* Each slot has one request in flight, within its own part of the image; parts do not share
 * sectors but do share the overlay's blocks (their borders are at odd sectors). */
struct slot {
    struct blk_req r;
    struct iovec iov[5];
    uint8_t buf[SLOT_BYTES];
    struct fleet *fleet;
    uint64_t from;
};

struct fleet {
    struct loop *loop;
    struct blk *blk;
    struct prng prng;
    uint8_t model[IMAGE_BYTES];
    struct slot slots[SLOTS_N];
    unsigned started, finished, wrong;
};

static void slot_start(struct slot *s)
{
    struct fleet *f = s->fleet;
    uint64_t sectors = SLOT_BYTES / 512 - 1, first = prng_below(&f->prng, sectors - 1);
    uint64_t n = 1 + prng_below(&f->prng, MIN(sectors - first, (uint64_t)40)), at = 0;
    enum blk_op ops[] = { BLK_READ, BLK_WRITE, BLK_WRITE, BLK_READ, BLK_WRITE_ZEROES, BLK_FLUSH };

    f->started++;
    s->r.op = ops[prng_below(&f->prng, ARRAY_LEN(ops))];
    s->r.offset = s->from + first * 512;
    s->r.n_bytes = MIN(n * 512, IMAGE_BYTES - s->r.offset);
    s->r.iov = s->iov;
    s->r.n_iov = 0;
    while (at < s->r.n_bytes) {
        uint64_t left = s->r.n_bytes - at;
        uint64_t len = s->r.n_iov == 4 ? left : prng_below(&f->prng, left + 1);

        s->iov[s->r.n_iov++] = (struct iovec){ s->buf + at, len };
        at += len;
    }
    if (s->r.op == BLK_WRITE) {
        prng_fill(&f->prng, s->buf, s->r.n_bytes);
        memcpy(f->model + s->r.offset, s->buf, s->r.n_bytes);
    } else if (s->r.op == BLK_WRITE_ZEROES) {
        memset(f->model + s->r.offset, 0, s->r.n_bytes);
    }
    blk_submit(f->blk, &s->r);
}

static void slot_done(struct blk_req *r, int rc)
{
    struct slot *s = CONTAINER_OF(r, struct slot, r);
    struct fleet *f = s->fleet;

    f->finished++;
    f->wrong += rc != 0;
    if (r->op == BLK_READ) {
        f->wrong += memcmp(f->model + r->offset, s->buf, r->n_bytes) != 0;
    }
    if (f->started < ROUNDS_N) {
        slot_start(s);
    }
}

static void test_random(struct loop *l, const char *options, bool changes_image)
{
    struct fleet *f = calloc(1, sizeof *f);
    uint8_t *initial = malloc(IMAGE_BYTES), *after = malloc(IMAGE_BYTES);
    uint64_t seed = (uint64_t)mono_now_ns();
    struct err e = { 0 };
    int fd;

    prng_init(&f->prng, seed);
    prng_fill(&f->prng, initial, IMAGE_BYTES);
    memcpy(f->model, initial, IMAGE_BYTES);
    image_make(IMAGE_BYTES, initial);
    f->loop = l;
    f->blk = open_blk(l, options, &e);
    CHECK(f->blk, "%s: %s", options, e.text);
    for (unsigned i = 0; i < SLOTS_N; i++) {
        f->slots[i].fleet = f;
        f->slots[i].from = i * (uint64_t)(SLOT_BYTES - 512);
        f->slots[i].r.done = slot_done;
        slot_start(&f->slots[i]);
    }
    while (f->finished < ROUNDS_N / 2) {
        loop_run_once(l, -1);
    }
    blk_drain(f->blk);
    CHECK(f->finished == f->started && f->finished == ROUNDS_N);
    CHECK(f->wrong == 0, "%s: seed %llu", options, (unsigned long long)seed);
    CHECK(run_buf(l, f->blk, BLK_READ, 0, after, IMAGE_BYTES) == 0);
    CHECK(!memcmp(after, f->model, IMAGE_BYTES), "%s: seed %llu", options,
          (unsigned long long)seed);
    blk_destroy(f->blk);
    fd = open(image, O_RDONLY);
    CHECK(pread(fd, after, IMAGE_BYTES, 0) == IMAGE_BYTES);
    CHECK(!memcmp(after, changes_image ? f->model : initial, IMAGE_BYTES), "%s: seed %llu",
          options, (unsigned long long)seed);
    close(fd);
    free(initial);
    free(after);
    free(f);
}

/* ---- locks ---------------------------------------------------------------------------------- */

static void test_locks(struct loop *l)
{
    static const struct { const char *first, *second; bool ok; } t[] = {
        { "", "", false },
        { "", "readonly=on", false },
        { "readonly=on", "", false },
        { "readonly=on", "readonly=on", true },
        { "snapshot=on", "snapshot=on", true },
        { "", "locking=off", true },
        { "", "file.locking=off", true },
        { "locking=off", "", true },
    };
    struct err e = { 0 };

    image_make(4096, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
        struct blk *a = open_blk(l, t[i].first, &e), *b;

        CHECK(a, "%s", e.text);
        b = open_blk(l, t[i].second, &e);
        CHECK(!!b == t[i].ok, "%u: %s", i, e.text);
        CHECK(b || (strstr(e.text, image) && strstr(e.text, "another process")), "%s", e.text);
        blk_destroy(a);
        blk_destroy(b);
    }
}

int main(void)
{
    struct err e = { 0 };
    struct loop *l = loop_create(&e);
    char cmd[64];

    CHECK(mkdtemp(dir));
    snprintf(image, sizeof image, "%s/disk", dir);
    loop_run_once(l, 0);
    test_refused(l);
    test_requests(l);
    test_no_space(l);
    test_random(l, "discard=unmap", true);
    test_random(l, "cache=none", true);
    test_random(l, "cache=unsafe,snapshot=on", false);
    test_locks(l);
    loop_destroy(l);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    CHECK(system(cmd) == 0);
    return check_result();
}
