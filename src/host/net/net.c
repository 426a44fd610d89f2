/* SPDX-License-Identifier: Apache-2.0 */
/* The queues between a network card and its backend, and the list of backends. */
#include "host/net/net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/nearest.h"
#include "host/net/impl.h"

/* ---- queues --------------------------------------------------------------------------------- */

static void queue_init(struct net_queue *q)
{
    *q = (struct net_queue){ .tail = &q->first };
}

static struct net_frame *frame_new(size_t n_bytes)
{
    struct net_frame *f = malloc(sizeof *f + n_bytes);

    assert(f);
    f->next = NULL;
    f->n_bytes = n_bytes;
    return f;
}

static void queue_put(struct net_queue *q, struct net_frame *f)
{
    *q->tail = f;
    q->tail = &f->next;
    q->n++;
}

static struct net_frame *queue_take(struct net_queue *q)
{
    struct net_frame *f = q->first;

    if (f) {
        q->first = f->next;
        if (!q->first) {
            q->tail = &q->first;
        }
        q->n--;
    }
    return f;
}

static void queue_drop(struct net_queue *q)
{
    struct net_frame *f;

    while ((f = queue_take(q))) {
        free(f);
    }
}

/* ---- to the host ---------------------------------------------------------------------------- */

bool net_send(struct net *n, const struct iovec *iov, unsigned n_iov)
{
    struct net_frame *f;
    size_t sum = 0;
    bool room;

    for (unsigned i = 0; i < n_iov; i++) {
        if (iov[i].iov_len > NET_FRAME_BYTES_MAX - sum) {
            return false;
        }
        sum += iov[i].iov_len;
    }
    f = frame_new(sum);
    sum = 0;
    for (unsigned i = 0; i < n_iov; i++) {
        memcpy(f->bytes + sum, iov[i].iov_base, iov[i].iov_len);
        sum += iov[i].iov_len;
    }
    mutex_lock(&n->lock);
    room = n->to_host.n < NET_QUEUE_FRAMES_MAX;
    if (room) {
        queue_put(&n->to_host, f);
    }
    mutex_unlock(&n->lock);
    if (!room) {
        free(f);
        return false;
    }
    loop_work_schedule(&n->to_host_work);
    return true;
}

static void to_host_run(void *ctx)
{
    struct net *n = ctx;

    for (;;) {
        struct net_frame *f;

        mutex_lock(&n->lock);
        f = queue_take(&n->to_host);
        mutex_unlock(&n->lock);
        if (!f) {
            return;
        }
        trace_net_to_host(n->trace, n->id, f->n_bytes);
        if (n->cls->to_host) {
            n->cls->to_host(n, f->bytes, f->n_bytes);
        }
        free(f);
    }
}

/* ---- to the guest --------------------------------------------------------------------------- */

void net_to_guest(struct net *n, const void *frame, size_t n_bytes)
{
    struct net_frame *f;

    trace_net_to_guest(n->trace, n->id, n_bytes);
    if (!n->h.receive || n_bytes > NET_FRAME_BYTES_MAX) {
        return;
    }
    if (n->to_guest.n == 0 && n->h.receive(n->h_ctx, frame, n_bytes)) {
        return;
    }
    if (n->to_guest.n < NET_QUEUE_FRAMES_MAX) {
        f = frame_new(n_bytes);
        memcpy(f->bytes, frame, n_bytes);
        queue_put(&n->to_guest, f);
    }
}

static void to_guest_run(void *ctx)
{
    struct net *n = ctx;

    while (n->to_guest.first) {
        struct net_frame *f = n->to_guest.first;

        if (n->h.receive && !n->h.receive(n->h_ctx, f->bytes, f->n_bytes)) {
            return;
        }
        free(queue_take(&n->to_guest));
    }
}

void net_accept_input(struct net *n)
{
    loop_work_schedule(&n->to_guest_work);
}

void net_attach(struct net *n, const struct net_handlers *h, void *ctx)
{
    n->h = h ? *h : (struct net_handlers){ 0 };
    n->h_ctx = ctx;
    queue_drop(&n->to_guest);
}

/* ---- backends ------------------------------------------------------------------------------- */

static bool none_open(struct net *n, const struct opts *o, struct err *e)
{
    return true;
}

static void none_close(struct net *n)
{
}

static const struct net_class net_class_none = {
    .name = "none", .size = sizeof(struct net), .open = none_open, .close = none_close,
};

static const struct net_class *const classes[] = { &net_class_user, &net_class_none };

static const struct net_class *class_find(const char *name, struct err *e)
{
    static const char *const elsewhere[] = {
        "tap", "bridge", "socket", "stream", "dgram", "vde", "l2tpv3", "passt", "vhost-user",
        "vhost-vdpa", "hubport", "netmap", "af-xdp",
    };
    struct nearest near;

    nearest_init(&near, name);
    for (unsigned i = 0; i < ARRAY_LEN(classes); i++) {
        if (!strcmp(name, classes[i]->name)) {
            return classes[i];
        }
        nearest_add(&near, classes[i]->name);
    }
    for (unsigned i = 0; i < ARRAY_LEN(elsewhere); i++) {
        if (!strcmp(name, elsewhere[i])) {
            err_set(e, "network backend '%s' is one of QEMU's that Pando lacks; there are user "
                    "and none", name);
            return NULL;
        }
    }
    err_set(e, "network backend '%s' does not exist%s", name, nearest_hint(&near));
    return NULL;
}

static bool options_check(const struct net_class *cls, const struct opts *o, struct err *e)
{
    struct opt_row rows[40] = {
        { "type", OPT_STR, NULL, "kind of backend" }, { "id", OPT_STR, NULL, "its name" },
    };
    unsigned n = 2;

    for (unsigned i = 0; cls->options && cls->options[i].name; i++) {
        assert(n < ARRAY_LEN(rows) - 1);
        rows[n++] = cls->options[i];
    }
    return opts_check(o, rows, cls->name, e);
}

struct net *net_create(struct loop *l, const struct opts *o, const struct trace *t,
                       struct err *e)
{
    const char *id = opts_str(o, "id", "net"), *type;
    const struct net_class *cls;
    struct net *n;

    if (!opts_str_required(o, "type", &type, e)) {
        return NULL;
    }
    cls = class_find(type, e);
    if (!cls || !options_check(cls, o, e)) {
        err_prefix(e, "network '%s'", id);
        return NULL;
    }
    n = calloc(1, cls->size);
    assert(n);
    n->cls = cls;
    n->loop = l;
    n->trace = t;
    n->id = strdup(id);
    assert(n->id);
    mutex_init(&n->lock);
    queue_init(&n->to_host);
    queue_init(&n->to_guest);
    loop_work_init(&n->to_host_work, l, to_host_run, n);
    loop_work_init(&n->to_guest_work, l, to_guest_run, n);
    if (!cls->open(n, o, e)) {
        err_prefix(e, "network '%s'", id);
        net_destroy(n);
        return NULL;
    }
    return n;
}

void net_destroy(struct net *n)
{
    if (!n) {
        return;
    }
    n->h = (struct net_handlers){ 0 };
    n->cls->close(n);
    loop_work_cancel(&n->to_host_work);
    loop_work_cancel(&n->to_guest_work);
    queue_drop(&n->to_host);
    queue_drop(&n->to_guest);
    mutex_destroy(&n->lock);
    free(n->id);
    free(n);
}

const char *net_id(const struct net *n)
{
    return n->id;
}

char *net_info(struct net *n)
{
    return n->cls->info ? n->cls->info(n) : NULL;
}

static bool hostfwd(struct net *n, const char *rule, bool add, struct err *e)
{
    if (!n->cls->hostfwd) {
        return err_set(e, "network '%s' (%s) forwards no ports", n->id, n->cls->name);
    }
    return n->cls->hostfwd(n, rule, add, e);
}

bool net_hostfwd_add(struct net *n, const char *rule, struct err *e)
{
    return hostfwd(n, rule, true, e);
}

bool net_hostfwd_remove(struct net *n, const char *rule, struct err *e)
{
    return hostfwd(n, rule, false, e);
}
