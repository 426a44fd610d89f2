/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input and output. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "host/chr/impl.h"

struct chr_stdio {
    struct chr_stream s;
    bool mine, raw;
};

static void stdio_ended(struct chr_stream *s)
{
    /* Input is at its end; output goes on. */
    loop_fd_remove(&s->in_watch);
    chr_is_open_set(&s->c, false);
}

static bool stdio_open(struct chr *c, const struct opts *o, struct err *e)
{
    struct chr_stdio *d = CONTAINER_OF(c, struct chr_stdio, s.c);
    bool signals;

    stream_init(&d->s);
    if (!opts_bool(o, "signal", true, &signals, e)) {
        return false;
    }
    if (!tty_take()) {
        return err_set(e, "standard input and output are in use by another character device; "
                       "mux=on lets several front ends share one");
    }
    d->mine = true;
    d->s.poll_first = true;
    d->s.ended = stdio_ended;
    fflush(stdout);
    if (isatty(STDIN_FILENO)) {
        if (!tty_raw(signals, e)) {
            return false;
        }
        d->raw = true;
    }
    if (!stream_start(&d->s, STDIN_FILENO, STDOUT_FILENO, e)) {
        return false;
    }
    c->is_open = true;
    return true;
}

static void stdio_close(struct chr *c)
{
    struct chr_stdio *d = CONTAINER_OF(c, struct chr_stdio, s.c);

    stream_finish(&d->s, 1000);
    if (d->raw) {
        tty_restore();
    }
    if (d->mine) {
        tty_give_back();
    }
}

static const struct opt_row stdio_rows[] = {
    { "signal", OPT_BOOL, "on", "Ctrl-C and its like send signals to the emulator" },
    { 0 },
};

const struct chr_class chr_class_stdio = {
    .name = "stdio", .size = sizeof(struct chr_stdio), .options = stdio_rows,
    .open = stdio_open, .close = stdio_close, .write = stream_write,
    .input_pause = stream_input_pause,
};
