/* SPDX-License-Identifier: Apache-2.0 */
/* Private to host/chr: what a backend consists of.  To add one: a struct that starts with struct
 * chr, a struct chr_class, its option table, and a row in `classes` (chr.c). */
#pragma once
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "base/trace.h"
#include "host/chr/chr.h"

struct chr_class {
    const char *name;
    size_t size;                            /* of the backend's struct */
    const struct opt_row *options;
    bool (*open)(struct chr *c, const struct opts *o, struct err *e);
    /* Also after an open() that failed half-way. */
    void (*close)(struct chr *c);
    /* Takes what it can; c->lock is held.  Any thread. */
    size_t (*write)(struct chr *c, const uint8_t *p, size_t n_bytes);
    /* The rest is optional, and runs on the loop's thread. */
    void (*input_pause)(struct chr *c, bool pause);     /* c->in cannot take more / can again */
    void (*send_break)(struct chr *c);
};

struct chr {
    const struct chr_class *cls;
    struct loop *loop;
    const struct trace *trace;
    char *label;
    char describe[256];

    struct mutex lock;              /* over what write() touches, and want_writable */
    bool want_writable;

    /* The rest belongs to the loop's thread. */
    struct chr_handlers h;
    void *h_ctx;
    bool claimed, is_open;
    bool in_paused;                 /* `in` is full */
    uint8_t in[CHR_IN_BYTES_MAX];
    size_t in_at, in_n;             /* in[in_at … in_at + in_n) waits for the front end */
    struct loop_work accept_work, opened_work, break_work;
};

/* ---- chr.c, for backends: on the loop's thread, without c->lock ----------------------------- */

/* Common part of a new backend. */
struct chr *chr_new(const struct chr_class *cls, struct loop *l, const struct trace *t,
                    const char *label);
/* Where to read to: the room behind what waits. */
size_t chr_in_room(struct chr *c, uint8_t **at);
/* `n` bytes were put there: offers all that waits to the front end. */
void chr_in_added(struct chr *c, size_t n);
void chr_is_open_set(struct chr *c, bool open);     /* and tells the front end */
void chr_event_tell(struct chr *c, enum chr_event ev);
/* There is room in the output again: tells the front end, if it waits for that. */
void chr_out_room(struct chr *c);

/* ---- stream.c: a backend over one or two descriptors ---------------------------------------- */

struct chr_stream {
    struct chr c;
    int in_fd, out_fd;              /* may be the same; -1: none */
    bool own_fds;                   /* close them at stream_stop() */
    bool poll_first;                /* out_fd is blocking: ask for room before each write */
    bool running;
    struct loop_fd in_watch, out_watch;
    bool in_ended;
    uint8_t *out;                   /* CHR_OUT_BYTES_MAX, from out_at on, not wrapping */
    size_t out_at, out_n;           /* c.lock */
    struct loop_work want_out;
    /* The other end is gone (end of file, hang-up, error); may call stream_stop(). */
    void (*ended)(struct chr_stream *s);
    /* Telnet: takes commands out of what came in, in place; returns what is left. */
    size_t (*filter)(struct chr_stream *s, uint8_t *p, size_t n_bytes);
};

void stream_init(struct chr_stream *s);
/* Takes up the descriptors and starts reading. */
bool stream_start(struct chr_stream *s, int in_fd, int out_fd, struct err *e);
/* Drops what has not been written; closes own descriptors. */
void stream_stop(struct chr_stream *s);
/* At the end of life: writes out what is pending for at most `timeout_ms`, stops, frees. */
void stream_finish(struct chr_stream *s, int timeout_ms);
size_t stream_write(struct chr *c, const uint8_t *p, size_t n_bytes);   /* a chr_class.write */
void stream_input_pause(struct chr *c, bool pause);

/* ---- the classes ---------------------------------------------------------------------------- */

extern const struct chr_class chr_class_null, chr_class_file, chr_class_pipe, chr_class_serial;
extern const struct chr_class chr_class_pty, chr_class_stdio, chr_class_socket;

struct chr *mux_create(struct chr *under);
struct chr *mux_claim(struct chr *mux, struct err *e);
void mux_release(struct chr *port);
bool chr_is_mux(const struct chr *c);

/* ---- tty.c: the terminal this process was started on ---------------------------------------- */

/* Switches standard input's terminal to raw mode (`signals`: Ctrl-C and its like still send
 * signals) until tty_restore(), the end of the process, or its death by a signal. */
bool tty_raw(bool signals, struct err *e);
/* A process has one standard input: of all VMs in it, one can have it.  False: it is taken. */
bool tty_take(void);
void tty_give_back(void);
