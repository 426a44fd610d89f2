/* SPDX-License-Identifier: Apache-2.0 */
/* What all backends share, and the list of them. */
#include "host/chr/chr.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/nearest.h"
#include "host/chr/impl.h"

static const struct chr_class *const classes[] = {
    &chr_class_null, &chr_class_stdio, &chr_class_file, &chr_class_pipe, &chr_class_serial,
    &chr_class_pty, &chr_class_socket,
};

/* ---- input ---------------------------------------------------------------------------------- */

size_t chr_in_room(struct chr *c, uint8_t **at)
{
    if (c->in_at > 0) {
        memmove(c->in, c->in + c->in_at, c->in_n);
        c->in_at = 0;
    }
    *at = c->in + c->in_n;
    return sizeof c->in - c->in_n;
}

static void in_pause_check(struct chr *c)
{
    bool full = c->in_n == sizeof c->in;

    if (full != c->in_paused) {
        c->in_paused = full;
        if (c->cls->input_pause) {
            c->cls->input_pause(c, full);
        }
    }
}

static void in_offer(struct chr *c)
{
    while (c->in_n > 0) {
        size_t taken = c->in_n;

        if (c->h.read) {
            taken = c->h.read(c->h_ctx, c->in + c->in_at, c->in_n);
            assert(taken <= c->in_n);
        }
        c->in_at += taken;
        c->in_n -= taken;
        if (taken == 0) {
            break;
        }
    }
    in_pause_check(c);
}

void chr_in_added(struct chr *c, size_t n)
{
    bool waited = c->in_n > 0;

    c->in_n += n;
    assert(c->in_at + c->in_n <= sizeof c->in);
    /* The front end said that it is full; it is asked again when it says otherwise. */
    if (!waited) {
        in_offer(c);
    } else {
        in_pause_check(c);
    }
}

static void accept_run(void *ctx)
{
    in_offer(ctx);
}

void chr_accept_input(struct chr *c)
{
    loop_work_schedule(&c->accept_work);
}

/* ---- events --------------------------------------------------------------------------------- */

void chr_event_tell(struct chr *c, enum chr_event ev)
{
    if (c->h.event) {
        c->h.event(c->h_ctx, ev);
    }
}

void chr_is_open_set(struct chr *c, bool open)
{
    if (c->is_open != open) {
        c->is_open = open;
        loop_work_cancel(&c->opened_work);
        chr_event_tell(c, open ? CHR_OPENED : CHR_CLOSED);
    }
}

static void opened_run(void *ctx)
{
    chr_event_tell(ctx, CHR_OPENED);
}

void chr_out_room(struct chr *c)
{
    bool wanted;

    mutex_lock(&c->lock);
    wanted = c->want_writable;
    c->want_writable = false;
    mutex_unlock(&c->lock);
    if (wanted && c->h.writable) {
        c->h.writable(c->h_ctx);
    }
}

/* ---- front end ------------------------------------------------------------------------------ */

void chr_attach(struct chr *c, const struct chr_handlers *h, void *ctx)
{
    c->h = h ? *h : (struct chr_handlers){ 0 };
    c->h_ctx = ctx;
    loop_work_cancel(&c->opened_work);
    if (h && c->is_open) {
        loop_work_schedule(&c->opened_work);
    }
    if (h && c->in_n) {
        chr_accept_input(c);
    }
}

size_t chr_write(struct chr *c, const void *p, size_t n_bytes)
{
    size_t taken;

    mutex_lock(&c->lock);
    taken = c->cls->write(c, p, n_bytes);
    c->want_writable |= taken < n_bytes;
    mutex_unlock(&c->lock);
    return taken;
}

static void break_run(void *ctx)
{
    struct chr *c = ctx;

    c->cls->send_break(c);
}

void chr_send_break(struct chr *c)
{
    if (c->cls->send_break) {
        loop_work_schedule(&c->break_work);
    }
}

struct chr *chr_claim(struct chr *c, struct err *e)
{
    if (chr_is_mux(c)) {
        return mux_claim(c, e);
    }
    if (c->claimed) {
        err_set(e, "character device '%s' is in use; mux=on lets several share it", c->label);
        return NULL;
    }
    c->claimed = true;
    return c;
}

void chr_release(struct chr *c)
{
    chr_attach(c, NULL, NULL);
    c->claimed = false;
    mux_release(c);
}

const char *chr_label(const struct chr *c)
{
    return c->label;
}

const char *chr_describe(const struct chr *c)
{
    return c->describe;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct chr *chr_new(const struct chr_class *cls, struct loop *l, const struct trace *t,
                    const char *label)
{
    struct chr *c = calloc(1, cls->size);

    assert(c);
    c->cls = cls;
    c->loop = l;
    c->trace = t;
    c->label = strdup(label);
    assert(c->label);
    snprintf(c->describe, sizeof c->describe, "%s", cls->name);
    mutex_init(&c->lock);
    loop_work_init(&c->accept_work, l, accept_run, c);
    loop_work_init(&c->opened_work, l, opened_run, c);
    loop_work_init(&c->break_work, l, break_run, c);
    return c;
}

void chr_destroy(struct chr *c)
{
    if (!c) {
        return;
    }
    c->h = (struct chr_handlers){ 0 };
    trace_chr_close(c->trace, c->label);
    c->cls->close(c);
    loop_work_cancel(&c->accept_work);
    loop_work_cancel(&c->opened_work);
    loop_work_cancel(&c->break_work);
    mutex_destroy(&c->lock);
    free(c->label);
    free(c);
}

static const struct chr_class *class_find(const char *name, struct err *e)
{
    struct nearest near;

    if (!strcmp(name, "none")) {
        name = "null";
    } else if (!strcmp(name, "tty")) {
        name = "serial";
    } else if (!strcmp(name, "fifo")) {
        name = "pipe";
    }
    nearest_init(&near, name);
    for (unsigned i = 0; i < ARRAY_LEN(classes); i++) {
        if (!strcmp(name, classes[i]->name)) {
            return classes[i];
        }
        nearest_add(&near, classes[i]->name);
    }
    err_set(e, "character backend '%s' does not exist%s", name, nearest_hint(&near));
    return NULL;
}

/* The keys that every backend takes. */
static const struct opt_row common_rows[] = {
    { "backend", OPT_STR, NULL, "kind of backend" },
    { "id", OPT_STR, NULL, "its name" },
    { "mux", OPT_BOOL, "off", "several front ends share it" },
    { 0 },
};

static bool options_check(const struct chr_class *cls, const struct opts *o, const char *label,
                          struct err *e)
{
    struct opt_row rows[32] = { 0 };
    unsigned n = 0;
    char what[160];

    for (unsigned i = 0; common_rows[i].name; i++) {
        rows[n++] = common_rows[i];
    }
    for (unsigned i = 0; cls->options && cls->options[i].name; i++) {
        assert(n < ARRAY_LEN(rows) - 1);
        rows[n++] = cls->options[i];
    }
    snprintf(what, sizeof what, "character device '%.64s' (%s)", label, cls->name);
    return opts_check(o, rows, what, e);
}

struct chr *chr_create(struct loop *l, const struct opts *o, const struct trace *t,
                       struct err *e)
{
    const char *label = opts_str(o, "id", "chr"), *backend;
    const struct chr_class *cls;
    struct chr *c, *mux;
    bool want_mux;

    if (!opts_str_required(o, "backend", &backend, e)) {
        return NULL;
    }
    cls = class_find(backend, e);
    if (!cls || !options_check(cls, o, label, e) || !opts_bool(o, "mux", false, &want_mux, e)) {
        return NULL;
    }
    c = chr_new(cls, l, t, label);
    if (!cls->open(c, o, e)) {
        chr_destroy(c);
        err_prefix(e, "character device '%s'", label);
        return NULL;
    }
    trace_chr_open(t, c->label, -1);
    if (!want_mux) {
        return c;
    }
    mux = mux_create(c);
    return mux;
}
