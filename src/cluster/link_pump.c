/* SPDX-License-Identifier: Apache-2.0 */
/* The pump: the one thread of a node that sends what sockets did not take at once, and that
 * ticks.  It is idle as long as every peer reads. */
#include "cluster/link_priv.h"

#include "base/err.h"
#include "base/mono.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PUMP_LINKS_MAX 256

struct link_pump {
    struct thread thread;
    int event_fd;
    int64_t tick_ns;
    void (*tick)(void *ctx);
    void *ctx;
    struct mutex lock;
    unsigned n;
    struct link *link[PUMP_LINKS_MAX];
};

void link_pump_wake(struct link_pump *p)
{
    uint64_t one = 1;

    if (write(p->event_fd, &one, sizeof one) < 0 && errno != EAGAIN) {
        abort();        /* an eventfd of ours: cannot fail */
    }
}

/* Flushes all links; fills `pf` with those that have more. */
static unsigned pump_flush(struct link_pump *p, struct pollfd *pf)
{
    unsigned n = 0;

    mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->n; i++) {
        struct link *l = p->link[i];

        mutex_lock(&l->send_lock);
        link_backlog_flush(l);
        if (l->backlog_n && !atomic_load(&l->broken)) {
            pf[n++] = (struct pollfd) { .fd = l->fd, .events = POLLOUT };
        }
        mutex_unlock(&l->send_lock);
    }
    mutex_unlock(&p->lock);
    return n;
}

static void pump_run(struct thread *self, void *ctx)
{
    struct link_pump *p = ctx;
    struct pollfd pf[PUMP_LINKS_MAX + 1];
    int64_t next = mono_now_ns() + p->tick_ns;

    while (!thread_stop_asked(self)) {
        unsigned n = pump_flush(p, pf + 1);
        int64_t left = next - mono_now_ns();
        uint64_t count;

        if (left <= 0) {
            next = mono_now_ns() + p->tick_ns;
            if (p->tick) {
                p->tick(p->ctx);
            }
            continue;
        }
        pf[0] = (struct pollfd) { .fd = p->event_fd, .events = POLLIN };
        if (poll(pf, n + 1, left / 1000000 + 1) > 0 && (pf[0].revents & POLLIN) &&
            read(p->event_fd, &count, sizeof count) < 0) {
            continue;
        }
    }
}

struct link_pump *link_pump_start(int64_t tick_ns, void (*tick)(void *ctx), void *ctx,
                                  struct err *e)
{
    struct link_pump *p = calloc(1, sizeof *p);

    if (!p) {
        err_set(e, "out of memory");
        return NULL;
    }
    p->tick_ns = tick_ns;
    p->tick = tick;
    p->ctx = ctx;
    mutex_init(&p->lock);
    p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->event_fd < 0) {
        err_set(e, "eventfd: %s", strerror(errno));
        free(p);
        return NULL;
    }
    if (!thread_start(&p->thread, "link-pump", pump_run, p, e)) {
        close(p->event_fd);
        free(p);
        return NULL;
    }
    return p;
}

void link_pump_stop(struct link_pump *p)
{
    if (!p) {
        return;
    }
    thread_stop_ask(&p->thread);
    link_pump_wake(p);
    thread_join(&p->thread);
    close(p->event_fd);
    mutex_destroy(&p->lock);
    free(p);
}

bool link_pump_add(struct link_pump *p, struct link *l, struct err *e)
{
    bool room;

    mutex_lock(&p->lock);
    room = p->n < PUMP_LINKS_MAX;
    if (room) {
        p->link[p->n++] = l;
    }
    mutex_unlock(&p->lock);
    if (!room) {
        return err_set(e, "more than %u links", PUMP_LINKS_MAX);
    }
    mutex_lock(&l->send_lock);
    l->pump = p;
    mutex_unlock(&l->send_lock);
    return true;
}
