/* SPDX-License-Identifier: Apache-2.0 */
/* Backends that are a file of the host: null, file, pipe, serial line, pseudo-terminal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/base.h"
#include "base/mono.h"
#include "host/chr/impl.h"

static struct chr_stream *stream_of(struct chr *c)
{
    return CONTAINER_OF(c, struct chr_stream, c);
}

static void stream_close(struct chr *c)
{
    stream_finish(stream_of(c), 1000);
}

/* Nothing more comes in; what is written still goes out, if there is another descriptor for it. */
static void in_ended(struct chr_stream *s)
{
    chr_is_open_set(&s->c, false);
    if (s->in_fd == s->out_fd) {
        stream_stop(s);
    } else {
        loop_fd_remove(&s->in_watch);
    }
}

static bool open_file(const char *path, int flags, int *fd, struct err *e)
{
    *fd = open(path, flags | O_CLOEXEC, 0666);
    return *fd >= 0 || err_set(e, "'%s': %s", path, strerror(errno));
}

static bool start(struct chr *c, int in_fd, int out_fd, struct err *e)
{
    struct chr_stream *s = stream_of(c);

    s->own_fds = true;
    if (!stream_start(s, in_fd, out_fd, e)) {
        close(in_fd >= 0 ? in_fd : out_fd);
        if (in_fd >= 0 && out_fd >= 0 && in_fd != out_fd) {
            close(out_fd);
        }
        return false;
    }
    c->is_open = true;
    return true;
}

/* ---- null ----------------------------------------------------------------------------------- */

static bool null_open(struct chr *c, const struct opts *o, struct err *e)
{
    c->is_open = true;
    return true;
}

static void null_close(struct chr *c)
{
}

static size_t null_write(struct chr *c, const uint8_t *p, size_t n_bytes)
{
    return n_bytes;
}

const struct chr_class chr_class_null = {
    .name = "null", .size = sizeof(struct chr), .open = null_open, .close = null_close,
    .write = null_write,
};

/* ---- file ----------------------------------------------------------------------------------- */

static bool file_open(struct chr *c, const struct opts *o, struct err *e)
{
    const char *path, *input = opts_str(o, "input-path", NULL);
    int fd, in_fd = -1;
    bool append;

    stream_init(stream_of(c));
    stream_of(c)->ended = in_ended;
    if (!opts_str_required(o, "path", &path, e) ||
        !opts_bool(o, "append", false, &append, e)) {
        return false;
    }
    if (input && !open_file(input, O_RDONLY | O_NONBLOCK, &in_fd, e)) {
        return false;
    }
    if (!open_file(path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), &fd, e)) {
        if (in_fd >= 0) {
            close(in_fd);
        }
        return false;
    }
    snprintf(c->describe, sizeof c->describe, "file:%s", path);
    return start(c, in_fd, fd, e);
}

static const struct opt_row file_rows[] = {
    { "path", OPT_STR, NULL, "file to write to" },
    { "append", OPT_BOOL, "off", "keep what the file holds" },
    { "input-path", OPT_STR, NULL, "file to read from" },
    { 0 },
};

const struct chr_class chr_class_file = {
    .name = "file", .size = sizeof(struct chr_stream), .options = file_rows, .open = file_open,
    .close = stream_close, .write = stream_write, .input_pause = stream_input_pause,
};

/* ---- pipe: PATH.in and PATH.out, or PATH for both ------------------------------------------- */

static bool pipe_open(struct chr *c, const struct opts *o, struct err *e)
{
    const char *path;
    char name[4096];
    int in_fd, out_fd;

    stream_init(stream_of(c));
    stream_of(c)->ended = in_ended;
    if (!opts_str_required(o, "path", &path, e)) {
        return false;
    }
    snprintf(c->describe, sizeof c->describe, "pipe:%s", path);
    /* Read and write: so that neither open() waits for, nor end of file comes with, a partner. */
    snprintf(name, sizeof name, "%s.in", path);
    in_fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(name, sizeof name, "%s.out", path);
    out_fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (in_fd >= 0 && out_fd >= 0) {
        return start(c, in_fd, out_fd, e);
    }
    if (in_fd >= 0) {
        close(in_fd);
    }
    if (out_fd >= 0) {
        close(out_fd);
    }
    if (!open_file(path, O_RDWR | O_NONBLOCK, &in_fd, e)) {
        return err_set(e, "neither the pipes '%s.in' and '%s.out' nor '%s' can be opened: %s",
                       path, path, path, strerror(errno));
    }
    return start(c, in_fd, in_fd, e);
}

static const struct opt_row pipe_rows[] = {
    { "path", OPT_STR, NULL, "pipes PATH.in and PATH.out, or PATH for both directions" },
    { 0 },
};

const struct chr_class chr_class_pipe = {
    .name = "pipe", .size = sizeof(struct chr_stream), .options = pipe_rows, .open = pipe_open,
    .close = stream_close, .write = stream_write, .input_pause = stream_input_pause,
};

/* ---- serial: a terminal line of the host ---------------------------------------------------- */

static bool serial_open(struct chr *c, const struct opts *o, struct err *e)
{
    struct termios t;
    const char *path;
    int fd;

    stream_init(stream_of(c));
    stream_of(c)->ended = in_ended;
    if (!opts_str_required(o, "path", &path, e) ||
        !open_file(path, O_RDWR | O_NONBLOCK | O_NOCTTY, &fd, e)) {
        return false;
    }
    if (tcgetattr(fd, &t) < 0) {
        close(fd);
        return err_set(e, "'%s' is not a terminal", path);
    }
    cfmakeraw(&t);
    t.c_cflag |= CLOCAL | CREAD;
    tcsetattr(fd, TCSANOW, &t);
    snprintf(c->describe, sizeof c->describe, "serial:%s", path);
    return start(c, fd, fd, e);
}

static void serial_send_break(struct chr *c)
{
    if (stream_of(c)->running) {
        tcsendbreak(stream_of(c)->out_fd, 0);
    }
}

static const struct opt_row serial_rows[] = {
    { "path", OPT_STR, NULL, "device of the host, such as /dev/ttyS0" },
    { 0 },
};

const struct chr_class chr_class_serial = {
    .name = "serial", .size = sizeof(struct chr_stream), .options = serial_rows,
    .open = serial_open, .close = stream_close, .write = stream_write,
    .input_pause = stream_input_pause, .send_break = serial_send_break,
};

/* ---- pty ------------------------------------------------------------------------------------ */

/* While nobody has the terminal open, the kernel reports a hang-up without end; so it is asked
 * from time to time whether that is over. */
#define PTY_ASK_NS (NS_PER_S / 4)

struct chr_pty {
    struct chr_stream s;
    int fd;
    struct loop_timer ask;
};

static void pty_ask(void *ctx)
{
    struct chr_pty *d = ctx;
    struct pollfd p = { .fd = d->fd, .events = POLLIN };
    struct err e;

    if (poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP) &&
        stream_start(&d->s, d->fd, d->fd, &e)) {
        chr_is_open_set(&d->s.c, true);
    } else {
        loop_timer_arm(&d->ask, mono_now_ns() + PTY_ASK_NS);
    }
}

static void pty_ended(struct chr_stream *s)
{
    struct chr_pty *d = CONTAINER_OF(s, struct chr_pty, s);

    stream_stop(s);
    loop_timer_arm(&d->ask, mono_now_ns() + PTY_ASK_NS);
    chr_is_open_set(&s->c, false);
}

static bool pty_open(struct chr *c, const struct opts *o, struct err *e)
{
    struct chr_pty *d = CONTAINER_OF(c, struct chr_pty, s.c);
    const char *link = opts_str(o, "path", NULL);
    struct termios t;
    char name[128];
    int slave;

    stream_init(&d->s);
    d->s.ended = pty_ended;
    loop_timer_init(&d->ask, c->loop, pty_ask, d);
    if (openpty(&d->fd, &slave, NULL, NULL, NULL) < 0) {
        d->fd = -1;
        return err_set(e, "pseudo-terminal: %s", strerror(errno));
    }
    tcgetattr(slave, &t);
    cfmakeraw(&t);
    tcsetattr(slave, TCSAFLUSH, &t);
    ttyname_r(slave, name, sizeof name);
    close(slave);
    fcntl(d->fd, F_SETFD, FD_CLOEXEC);
    fcntl(d->fd, F_SETFL, O_NONBLOCK);
    if (link && symlink(name, link) < 0) {
        return err_set(e, "'%s': %s", link, strerror(errno));
    }
    snprintf(c->describe, sizeof c->describe, "pty:%s", name);
    /* Scripts that start QEMU read this line, on this stream. */
    printf("char device redirected to %s (label %s)\n", name, c->label);
    fflush(stdout);
    loop_timer_arm(&d->ask, mono_now_ns());
    return true;
}

static void pty_close(struct chr *c)
{
    struct chr_pty *d = CONTAINER_OF(c, struct chr_pty, s.c);

    loop_timer_cancel(&d->ask);
    stream_finish(&d->s, 100);
    if (d->fd >= 0) {
        close(d->fd);
    }
}

static const struct opt_row pty_rows[] = {
    { "path", OPT_STR, NULL, "symbolic link to make to the terminal" },
    { 0 },
};

const struct chr_class chr_class_pty = {
    .name = "pty", .size = sizeof(struct chr_pty), .options = pty_rows, .open = pty_open,
    .close = pty_close, .write = stream_write, .input_pause = stream_input_pause,
};
