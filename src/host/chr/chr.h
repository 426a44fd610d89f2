/* SPDX-License-Identifier: Apache-2.0 */
/* struct chr: a stream of bytes to the host, which a serial port, a console or a monitor talks to.
 *
 * One user ("front end") attaches at a time by chr_attach().  Its callbacks run on the loop's
 * thread, with no lock of the backend held, so they may take the device's lock.  chr_write() and
 * chr_accept_input() may be called from any thread with the device's lock held: they do not call
 * back and do not wait for the other side. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chr;
struct err;
struct loop;
struct opts;
struct trace;

#define CHR_OUT_BYTES_MAX 65536     /* not yet taken by the host; chr_write() takes no more */
#define CHR_IN_BYTES_MAX 4096       /* read from the host and not yet taken by the front end */
#define CHR_MUX_PORTS_MAX 4

enum chr_event {
    CHR_OPENED,             /* somebody is at the other end (again) */
    CHR_CLOSED,             /* nobody is; what is written is dropped until CHR_OPENED */
    CHR_BREAK,              /* a serial break came in */
    CHR_FOCUS_IN,           /* a multiplexer gives the keyboard to this front end … */
    CHR_FOCUS_OUT,          /* … and takes it away */
};

/* Any may be NULL. */
struct chr_handlers {
    /* Bytes came in; returns how many were taken.  The rest is kept and offered again after
     * chr_accept_input().  NULL: input is dropped. */
    size_t (*read)(void *ctx, const uint8_t *p, size_t n_bytes);
    void (*event)(void *ctx, enum chr_event event);
    /* There is room again after a chr_write() which took less than it was given. */
    void (*writable)(void *ctx);
};

/* ---- making: on the loop's thread, or before it runs ---------------------------------------- */

/* A backend by its options: backend=stdio|null|none|file|pipe|pty|socket|serial, id=LABEL, mux=on,
 * and what `-chardev BACKEND` takes in QEMU.  May wait for a connection (server=on,wait=on).
 * NULL and an error that names the option. */
struct chr *chr_create(struct loop *l, const struct opts *o, const struct trace *t,
                       struct err *e);

/* Lowers the short form that -serial, -monitor … take ("stdio", "mon:stdio", "pty", "file:x",
 * "unix:/tmp/s,server=on,wait=off", "tcp::4444,server,nowait", "telnet:…", "/dev/ttyS0") into
 * options for chr_create().  "chardev:ID" becomes chardev=ID: look that one up instead.  "mon:"
 * becomes mux=on and *with_monitor (which may be NULL when no monitor can be had here). */
bool chr_opts_from_short(struct opts *o, const char *text, bool *with_monitor, struct err *e);

/* Writes out what is pending (for at most about a second), restores the terminal, removes socket
 * files.  Ports of a multiplexer go with it.  NULL is good. */
void chr_destroy(struct chr *c);

const char *chr_label(const struct chr *c);
/* What it is, as `info chardev` shows: "pty:/dev/pts/3". */
const char *chr_describe(const struct chr *c);

/* What a front end is to use of `c`: `c` itself once, or of a multiplexer (mux=on) a new port
 * each time.  NULL and an error when it is taken. */
struct chr *chr_claim(struct chr *c, struct err *e);
/* Gives it back (hot unplug); detaches. */
void chr_release(struct chr *c);

/* Sets the callbacks; NULL takes them away.  On the loop's thread, or before it runs.  When the
 * other end is there already, CHR_OPENED comes soon after, from the loop. */
void chr_attach(struct chr *c, const struct chr_handlers *h, void *ctx);

/* ---- use: any thread ------------------------------------------------------------------------ */

/* Takes up to `n_bytes` and returns how many; fewer only when CHR_OUT_BYTES_MAX are pending. */
size_t chr_write(struct chr *c, const void *p, size_t n_bytes);
void chr_accept_input(struct chr *c);
/* Sends a break to the other end, if it is a real serial line; otherwise does nothing. */
void chr_send_break(struct chr *c);

/* ---- multiplexer ---------------------------------------------------------------------------- */

/* The keys after the escape character (C-a, or -echr): x quit, c next front end, b break, h help,
 * the escape character itself.  `quit` is called from the loop for "x". */
void chr_mux_on_quit(struct chr *mux, void (*quit)(void *ctx), void *ctx);
void chr_mux_set_escape(struct chr *mux, uint8_t escape);
/* Gives the keyboard to `port` (initially the first that was claimed has it). */
void chr_mux_focus(struct chr *port);

/* ---- the terminal --------------------------------------------------------------------------- */

/* Puts the terminal that a back end has switched to raw mode back; async-signal-safe. */
void tty_restore(void);
