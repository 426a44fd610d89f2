/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to and from descriptors, with what cannot be written at once kept in a buffer. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "host/chr/impl.h"

/* A blocking descriptor that polls writable takes at least this much without blocking: pipes
 * promise PIPE_BUF, terminals 256. */
enum { POLL_FIRST_CHUNK_BYTES = 256 };

static bool one_fd(const struct chr_stream *s)
{
    return s->in_fd == s->out_fd;
}

/* ---- output --------------------------------------------------------------------------------- */


/* Writes what goes without blocking.  When the other end is gone, all is "written": nobody will
 * ever take it, and the reading side notices. */
static size_t write_now(struct chr_stream *s, const uint8_t *p, size_t n_bytes)
{
    size_t done = 0;

    while (done < n_bytes) {
        size_t chunk = n_bytes - done;
        ssize_t n;

        if (s->poll_first) {
            struct pollfd q = { .fd = s->out_fd, .events = POLLOUT };

            /* A descriptor in error polls so as well; write() tells. */
            if (poll(&q, 1, 0) != 1) {
                break;
            }
            chunk = MIN(chunk, (size_t)POLL_FIRST_CHUNK_BYTES);
        }
        n = write(s->out_fd, p + done, chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        if (n < 0) {
            return n_bytes;
        }
        done += n;
    }
    return done;
}

static void flush_locked(struct chr_stream *s)
{
    size_t n = s->out_n ? write_now(s, s->out + s->out_at, s->out_n) : 0;

    s->out_at += n;
    s->out_n -= n;
    if (s->out_n == 0) {
        s->out_at = 0;
    }
}

size_t stream_write(struct chr *c, const uint8_t *p, size_t n_bytes)
{
    struct chr_stream *s = CONTAINER_OF(c, struct chr_stream, c);
    size_t done = 0, keep;

    if (!s->running || s->out_fd < 0) {
        return n_bytes;
    }
    if (s->out_n == 0) {
        done = write_now(s, p, n_bytes);
        if (done == n_bytes) {
            return done;
        }
    }
    if (!s->out) {
        s->out = malloc(CHR_OUT_BYTES_MAX);
        assert(s->out);
    }
    if (s->out_at > 0) {
        memmove(s->out, s->out + s->out_at, s->out_n);
        s->out_at = 0;
    }
    keep = MIN(n_bytes - done, CHR_OUT_BYTES_MAX - s->out_n);
    memcpy(s->out + s->out_n, p + done, keep);
    s->out_n += keep;
    loop_work_schedule(&s->want_out);
    return done + keep;
}

static void ready(void *ctx, unsigned events);

/* On the loop's thread: something waits for room. */
static void want_out_run(void *ctx)
{
    struct chr_stream *s = ctx;

    if (!s->running || s->out_fd < 0) {
        return;
    }
    if (one_fd(s)) {
        loop_fd_interest_set(&s->in_watch, s->in_watch.interest | LOOP_WRITE);
    } else if (!s->out_watch.loop) {
        struct err e;

        /* Without a watch (no memory in the kernel), the next write tries again. */
        (void)loop_fd_add(s->c.loop, &s->out_watch, s->out_fd, LOOP_WRITE, ready, s, &e);
    }
}

static void out_ready(struct chr_stream *s)
{
    bool empty;

    mutex_lock(&s->c.lock);
    flush_locked(s);
    empty = s->out_n == 0;
    mutex_unlock(&s->c.lock);
    if (empty) {
        if (one_fd(s)) {
            loop_fd_interest_set(&s->in_watch, s->in_watch.interest & ~LOOP_WRITE);
        } else {
            loop_fd_remove(&s->out_watch);
        }
        chr_out_room(&s->c);
    }
}

/* ---- input ---------------------------------------------------------------------------------- */

static void in_end(struct chr_stream *s)
{
    s->in_ended = true;
    if (s->ended) {
        s->ended(s);
    }
}

static void in_ready(struct chr_stream *s)
{
    uint8_t *at;
    size_t room = chr_in_room(&s->c, &at);
    ssize_t n;

    if (room == 0) {
        return;
    }
    n = read(s->in_fd, at, room);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        in_end(s);
        return;
    }
    n = s->filter ? s->filter(s, at, n) : (size_t)n;
    if (n > 0) {
        chr_in_added(&s->c, n);
    }
}

static void ready(void *ctx, unsigned events)
{
    struct chr_stream *s = ctx;

    if (events & LOOP_WRITE) {
        out_ready(s);
    }
    if (!s->running) {
        return;
    }
    if (events & LOOP_READ) {
        in_ready(s);
    } else if (events & LOOP_BROKEN) {
        /* What came before the hang-up is read first, unless the front end is full: then the
         * hang-up would be reported again and again, so the rest is given up. */
        if (one_fd(s) && s->c.in_paused) {
            in_end(s);
        } else if (one_fd(s) || s->in_watch.loop) {
            in_ready(s);
        }
        /* Output to nobody: write() fails and drops it. */
        if (s->running && s->out_watch.loop) {
            out_ready(s);
        }
    }
}

void stream_input_pause(struct chr *c, bool pause)
{
    struct chr_stream *s = CONTAINER_OF(c, struct chr_stream, c);

    if (s->in_watch.loop && !s->in_ended) {
        loop_fd_interest_set(&s->in_watch, (s->in_watch.interest & ~LOOP_READ) |
                             (pause ? 0 : LOOP_READ));
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

void stream_init(struct chr_stream *s)
{
    s->in_fd = s->out_fd = -1;
    loop_work_init(&s->want_out, s->c.loop, want_out_run, s);
}

bool stream_start(struct chr_stream *s, int in_fd, int out_fd, struct err *e)
{
    assert(!s->running);
    s->in_ended = false;
    if (in_fd >= 0 && !loop_fd_add(s->c.loop, &s->in_watch, in_fd,
                                   s->c.in_paused ? 0 : LOOP_READ, ready, s, e)) {
        return false;
    }
    mutex_lock(&s->c.lock);
    s->in_fd = in_fd;
    s->out_fd = out_fd;
    s->running = true;
    mutex_unlock(&s->c.lock);
    return true;
}

void stream_stop(struct chr_stream *s)
{
    loop_fd_remove(&s->in_watch);
    loop_fd_remove(&s->out_watch);
    loop_work_cancel(&s->want_out);
    mutex_lock(&s->c.lock);
    if (s->own_fds) {
        if (s->in_fd >= 0) {
            close(s->in_fd);
        }
        if (s->out_fd >= 0 && !one_fd(s)) {
            close(s->out_fd);
        }
    }
    s->in_fd = s->out_fd = -1;
    s->running = false;
    s->out_at = s->out_n = 0;
    mutex_unlock(&s->c.lock);
    chr_out_room(&s->c);
}

void stream_finish(struct chr_stream *s, int timeout_ms)
{
    mutex_lock(&s->c.lock);
    while (s->running && s->out_n > 0) {
        struct pollfd p = { .fd = s->out_fd, .events = POLLOUT };

        /* Each round that writes something may take as long again: a slow reader is served. */
        if (poll(&p, 1, timeout_ms) != 1) {
            break;
        }
        flush_locked(s);
    }
    mutex_unlock(&s->c.lock);
    stream_stop(s);
    free(s->out);
    s->out = NULL;
}
