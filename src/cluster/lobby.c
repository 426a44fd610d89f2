/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/lobby.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mono.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETERS_MAX 32         /* greeted at one time; more wait in the listening queue */
#define VISITORS_MAX 256

struct greeter {
    struct thread thread;
    struct lobby *lobby;
    int fd;
    bool busy;                  /* the thread has been started and not been joined */
    bool done;
};

struct lobby {
    int fd, stop_fd;
    const struct link_secret *secret;
    struct thread thread;
    struct mutex lock;
    struct cond cond;
    struct greeter greeter[GREETERS_MAX];
    struct visitor visitor[VISITORS_MAX];
    unsigned visitors_n;
};

static void drop(struct visitor *v)
{
    link_free(v->link);
    free(v->payload);
}

static void greet(struct thread *self, void *ctx)
{
    struct greeter *g = ctx;
    struct lobby *l = g->lobby;
    struct visitor v = { 0 };
    struct link_frame f;
    struct err e = { 0 };
    bool good = false;

    v.link = link_accept(g->fd, l->secret, &e);
    if (!v.link) {
        log_warn("cluster", "refused a connection: %s", e.text);
    } else if (!link_recv_until(v.link, &f, mono_now_ns() + LINK_GREETING_NS)) {
        log_warn("cluster", "refused a connection: %s: %s", link_peer(v.link), link_why(v.link));
    } else {
        v.type = f.type;
        v.n = f.n;
        v.payload = malloc(f.n + 1);
        if (v.payload) {
            memcpy(v.payload, f.payload, f.n);
            good = true;
        }
    }
    mutex_lock(&l->lock);
    if (good && l->visitors_n < VISITORS_MAX) {
        l->visitor[l->visitors_n++] = v;
        good = true;
    } else {
        drop(&v);
    }
    g->done = true;
    cond_broadcast(&l->cond);
    mutex_unlock(&l->lock);
}

/* A greeter that is free, or NULL. */
static struct greeter *greeter_get(struct lobby *l)
{
    for (unsigned i = 0; i < GREETERS_MAX; i++) {
        struct greeter *g = &l->greeter[i];

        mutex_lock(&l->lock);
        bool free_now = !g->busy || g->done;
        mutex_unlock(&l->lock);
        if (free_now) {
            if (g->busy) {
                thread_join(&g->thread);
            }
            memset(g, 0, sizeof *g);
            g->lobby = l;
            return g;
        }
    }
    return NULL;
}

static void accept_one(struct lobby *l)
{
    struct greeter *g = greeter_get(l);
    struct err e;

    if (!g) {           /* all are busy with peers that say nothing: in a while */
        poll(NULL, 0, 20);
        return;
    }
    g->fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    if (g->fd < 0) {
        return;
    }
    g->busy = true;
    if (!thread_start(&g->thread, "greeter", greet, g, &e)) {
        log_warn("cluster", "cannot greet a connection: %s", e.text);
        close(g->fd);
        g->busy = false;
    }
}

static void accept_run(struct thread *self, void *ctx)
{
    struct lobby *l = ctx;
    struct pollfd pf[2] = {
        { .fd = l->fd, .events = POLLIN }, { .fd = l->stop_fd, .events = POLLIN },
    };

    while (!thread_stop_asked(self)) {
        if (poll(pf, 2, -1) > 0 && (pf[0].revents & POLLIN)) {
            accept_one(l);
        }
    }
}

struct lobby *lobby_open(int fd, const struct link_secret *secret, struct err *e)
{
    struct lobby *l = calloc(1, sizeof *l);

    if (!l) {
        err_set(e, "out of memory");
        close(fd);
        return NULL;
    }
    l->fd = fd;
    l->secret = secret;
    mutex_init(&l->lock);
    cond_init(&l->cond);
    l->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (l->stop_fd < 0 || !thread_start(&l->thread, "lobby", accept_run, l, e)) {
        if (l->stop_fd < 0) {
            err_set(e, "eventfd: %s", strerror(errno));
        }
        lobby_close(l);
        return NULL;
    }
    return l;
}

void lobby_close(struct lobby *l)
{
    uint64_t one = 1;

    if (!l) {
        return;
    }
    thread_stop_ask(&l->thread);
    if (l->stop_fd >= 0 && write(l->stop_fd, &one, sizeof one) < 0) {
        abort();        /* an eventfd of ours: cannot fail */
    }
    thread_join(&l->thread);
    for (unsigned i = 0; i < GREETERS_MAX; i++) {
        if (l->greeter[i].busy) {
            thread_join(&l->greeter[i].thread);
        }
    }
    for (unsigned i = 0; i < l->visitors_n; i++) {
        drop(&l->visitor[i]);
    }
    close(l->fd);
    if (l->stop_fd >= 0) {
        close(l->stop_fd);
    }
    cond_destroy(&l->cond);
    mutex_destroy(&l->lock);
    free(l);
}

bool lobby_take(struct lobby *l, struct visitor *v, int64_t deadline_ns)
{
    bool got;

    mutex_lock(&l->lock);
    while (!l->visitors_n && cond_wait_until(&l->cond, &l->lock, deadline_ns)) {
    }
    got = l->visitors_n > 0;
    if (got) {
        *v = l->visitor[0];
        memmove(l->visitor, l->visitor + 1, --l->visitors_n * sizeof *v);
    }
    mutex_unlock(&l->lock);
    return got;
}
