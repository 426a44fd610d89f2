/* SPDX-License-Identifier: Apache-2.0 */
/* type=user: a network made of the host's sockets, by libslirp.  It needs no rights.
 *
 * libslirp belongs to the loop's thread.  It wants to be asked before each poll() which
 * descriptors it waits for.  They are kept in an epoll set of its own, which the loop watches as
 * one descriptor: libslirp may close a socket without a word, and a set of our own can bear
 * that. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "base/mono.h"
#include "host/net/impl.h"
#include "host/net/user.h"

enum { EVENTS_MAX = 64 };

struct watch {
    uint32_t set;               /* what the epoll set has for this descriptor; 0: nothing */
    uint32_t want, happened;    /* EPOLL… */
    bool wanted;                /* by the last fill */
};

struct net_user {
    struct net n;
    struct user_config config;
    Slirp *slirp;
    struct loop_hook hook;
    struct loop_timer timer;    /* when libslirp wants to be called at the latest */
    bool dirty;                 /* libslirp ran: its descriptors and deadline are to be asked for */
    int epoll_fd;
    struct loop_fd epoll_watch;
    struct watch *watches;      /* by descriptor */
    int n_watches;
};

static struct net_user *user_of(struct net *n)
{
    return CONTAINER_OF(n, struct net_user, n);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static uint32_t epoll_bits(int slirp_bits)
{
    return (slirp_bits & SLIRP_POLL_IN ? EPOLLIN : 0) |
           (slirp_bits & SLIRP_POLL_OUT ? EPOLLOUT : 0) |
           (slirp_bits & SLIRP_POLL_PRI ? EPOLLPRI : 0);
}

static int slirp_bits(uint32_t epoll_bits)
{
    return (epoll_bits & EPOLLIN ? SLIRP_POLL_IN : 0) |
           (epoll_bits & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
           (epoll_bits & EPOLLPRI ? SLIRP_POLL_PRI : 0) |
           (epoll_bits & EPOLLERR ? SLIRP_POLL_ERR : 0) |
           (epoll_bits & EPOLLHUP ? SLIRP_POLL_HUP : 0);
}

static struct watch *watch_get(struct net_user *u, int fd)
{
    if (fd >= u->n_watches) {
        int n = MAX(fd + 1, u->n_watches * 2);

        u->watches = realloc(u->watches, n * sizeof *u->watches);
        assert(u->watches);
        memset(u->watches + u->n_watches, 0, (n - u->n_watches) * sizeof *u->watches);
        u->n_watches = n;
    }
    return &u->watches[fd];
}

/* libslirp asks for `fd` in this round; the "index" by which it asks back is `fd` too. */
static int add_poll(int fd, int events, void *opaque)
{
    struct watch *w = watch_get(opaque, fd);

    /* The flag keeps a want of nothing but errors apart from no want. */
    w->want = (w->wanted ? w->want : 0) | epoll_bits(events);
    w->wanted = true;
    return fd;
}

static int get_events(int fd, void *opaque)
{
    struct net_user *u = opaque;

    return fd >= 0 && fd < u->n_watches ? slirp_bits(u->watches[fd].happened) : 0;
}

/* A socket is new, or about to be closed: whatever the set had under its number is void. */
static void forget_fd(int fd, void *opaque)
{
    struct net_user *u = opaque;

    if (fd >= 0 && fd < u->n_watches && u->watches[fd].set) {
        epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        u->watches[fd] = (struct watch){ 0 };
    }
}

static void set_adjust(struct net_user *u, int fd, struct watch *w)
{
    /* Errors are always reported; EPOLLERR stands for "nothing else". */
    uint32_t want = w->wanted ? w->want | EPOLLERR : 0;
    struct epoll_event ev = { .events = want, .data.fd = fd };

    if (want == w->set) {
        return;
    }
    if (!want) {
        epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    } else if (epoll_ctl(u->epoll_fd, w->set ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) < 0 &&
               epoll_ctl(u->epoll_fd, w->set ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) < 0) {
        want = 0;               /* closed already; the next fill will not name it */
    }
    w->set = want;
}

/* ---- libslirp's turn ------------------------------------------------------------------------ */

static void refill(void *ctx, int64_t *timeout_ns)
{
    struct net_user *u = ctx;
    uint32_t timeout_ms = UINT32_MAX;

    if (!u->dirty) {
        return;
    }
    u->dirty = false;
    slirp_pollfds_fill(u->slirp, &timeout_ms, add_poll, u);
    for (int fd = 0; fd < u->n_watches; fd++) {
        struct watch *w = &u->watches[fd];

        set_adjust(u, fd, w);
        w->wanted = false;
    }
    if (timeout_ms == UINT32_MAX) {
        loop_timer_cancel(&u->timer);
    } else {
        loop_timer_arm(&u->timer, mono_now_ns() + timeout_ms * INT64_C(1000000));
    }
}

static void slirp_turn(struct net_user *u)
{
    slirp_pollfds_poll(u->slirp, 0, get_events, u);
    for (int fd = 0; fd < u->n_watches; fd++) {
        u->watches[fd].happened = 0;
    }
    u->dirty = true;
}

static void epoll_ready(void *ctx, unsigned events)
{
    struct net_user *u = ctx;
    struct epoll_event got[EVENTS_MAX];
    int n = epoll_wait(u->epoll_fd, got, EVENTS_MAX, 0);

    for (int i = 0; i < n; i++) {
        u->watches[got[i].data.fd].happened = got[i].events;
    }
    slirp_turn(u);
}

static void timer_run(void *ctx)
{
    slirp_turn(ctx);
}

static void user_to_host(struct net *n, const uint8_t *frame, size_t n_bytes)
{
    struct net_user *u = user_of(n);

    slirp_input(u->slirp, frame, (int)n_bytes);
    u->dirty = true;
}

/* ---- what libslirp calls -------------------------------------------------------------------- */

static ssize_t cb_send_packet(const void *frame, size_t n_bytes, void *opaque)
{
    struct net_user *u = opaque;

    net_to_guest(&u->n, frame, n_bytes);
    return (ssize_t)n_bytes;
}

static void cb_guest_error(const char *text, void *opaque)
{
    log_guest("net-user", "%s", text);
}

static int64_t cb_clock_get_ns(void *opaque)
{
    return mono_now_ns();
}

struct slirp_timer {
    struct loop_timer timer;
    struct net_user *user;
    SlirpTimerCb fn;
    void *fn_ctx;
};

static void slirp_timer_run(void *ctx)
{
    struct slirp_timer *t = ctx;

    t->user->dirty = true;
    t->fn(t->fn_ctx);
}

static void *cb_timer_new(SlirpTimerCb fn, void *fn_ctx, void *opaque)
{
    struct net_user *u = opaque;
    struct slirp_timer *t = calloc(1, sizeof *t);

    assert(t);
    t->user = u;
    t->fn = fn;
    t->fn_ctx = fn_ctx;
    loop_timer_init(&t->timer, u->n.loop, slirp_timer_run, t);
    return t;
}

static void cb_timer_free(void *timer, void *opaque)
{
    struct slirp_timer *t = timer;

    if (t) {
        loop_timer_cancel(&t->timer);
        free(t);
    }
}

static void cb_timer_mod(void *timer, int64_t deadline_ms, void *opaque)
{
    struct slirp_timer *t = timer;

    loop_timer_arm(&t->timer, deadline_ms * 1000000);
}

static void cb_notify(void *opaque)
{
    struct net_user *u = opaque;

    u->dirty = true;
}

static const SlirpCb callbacks = {
    .send_packet = cb_send_packet,
    .guest_error = cb_guest_error,
    .clock_get_ns = cb_clock_get_ns,
    .timer_new = cb_timer_new,
    .timer_free = cb_timer_free,
    .timer_mod = cb_timer_mod,
    .register_poll_fd = forget_fd,
    .unregister_poll_fd = forget_fd,
    .notify = cb_notify,
};

/* ---- forwarded ports ------------------------------------------------------------------------ */

static bool user_hostfwd(struct net *n, const char *rule, bool add, struct err *e)
{
    struct net_user *u = user_of(n);
    struct user_hostfwd f;
    int rc;

    if (!user_hostfwd_parse(&f, rule, !add, e)) {
        return false;
    }
    u->dirty = true;
    if (!add) {
        rc = slirp_remove_hostfwd(u->slirp, f.udp, f.host, (int)f.host_port);
        return rc == 0 || err_set(e, "hostfwd '%.100s': there is no such forwarding", rule);
    }
    if (!f.guest.s_addr) {
        f.guest = u->config.dhcp_start;
    }
    errno = 0;
    rc = slirp_add_hostfwd(u->slirp, f.udp, f.host, (int)f.host_port, f.guest,
                           (int)f.guest_port);
    if (rc < 0) {
        char host[INET_ADDRSTRLEN];

        inet_ntop(AF_INET, &f.host, host, sizeof host);
        return err_set(e, "hostfwd '%.100s': cannot listen on %s port %u of %s: %s", rule,
                       f.udp ? "UDP" : "TCP", f.host_port, host,
                       errno ? strerror(errno) : "refused");
    }
    return true;
}

static bool hostfwds_add(struct net *n, const struct opts *o, struct err *e)
{
    const struct opts *list = opts_sub(o, "hostfwd");
    const char *rule;

    /* Repeated on the command line (hostfwd=…,hostfwd=…), or a list (hostfwd.0=…). */
    for (unsigned i = 0; (rule = opts_value_at(o, "hostfwd", i)); i++) {
        if (i == USER_HOSTFWD_MAX) {
            return err_set(e, "hostfwd: at most %d", USER_HOSTFWD_MAX);
        }
        if (!user_hostfwd(n, rule, true, e)) {
            return false;
        }
    }
    for (const struct opts *m = list ? opts_first(list) : NULL; m; m = opts_next(m)) {
        rule = opts_value(m) ? opts_value(m) : opts_str(m, "str", NULL);
        if (!rule || !user_hostfwd(n, rule, true, e)) {
            return rule ? false : err_set(e, "hostfwd.%s has no rule", opts_key(m));
        }
    }
    return true;
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool user_open(struct net *n, const struct opts *o, struct err *e)
{
    struct net_user *u = user_of(n);
    struct user_config *c = &u->config;
    SlirpConfig s = { .version = 3 };

    u->epoll_fd = -1;
    loop_timer_init(&u->timer, n->loop, timer_run, u);
    if (!user_config_read(c, o, e)) {
        return false;
    }
    u->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (u->epoll_fd < 0) {
        return err_set(e, "epoll: %s", strerror(errno));
    }
    s.restricted = c->restricted;
    s.in_enabled = c->ipv4;
    s.vnetwork = c->net;
    s.vnetmask = c->mask;
    s.vhost = c->host;
    s.vdhcp_start = c->dhcp_start;
    s.vnameserver = c->dns;
    s.in6_enabled = c->ipv6;
    s.vprefix_addr6 = c->net6;
    s.vprefix_len = c->net6_bits;
    s.vhost6 = c->host6;
    s.vnameserver6 = c->dns6;
    s.vhostname = c->hostname;
    s.vdomainname = c->domain;
    s.vdnssearch = c->dns_search[0] ? c->dns_search : NULL;
    s.tftp_path = c->tftp;
    s.bootfile = c->bootfile;
    s.tftp_server_name = c->tftp_server;
    u->slirp = slirp_new(&s, &callbacks, u);        /* copies the texts */
    if (!u->slirp) {
        return err_set(e, "libslirp %s refuses the configuration", slirp_version_string());
    }
    if (!loop_fd_add(n->loop, &u->epoll_watch, u->epoll_fd, LOOP_READ, epoll_ready, u, e)) {
        return false;
    }
    loop_hook_add(n->loop, &u->hook, refill, u);
    u->dirty = true;
    return hostfwds_add(n, o, e);
}

static void user_close(struct net *n)
{
    struct net_user *u = user_of(n);

    loop_hook_remove(&u->hook);
    if (u->slirp) {
        slirp_cleanup(u->slirp);
    }
    loop_timer_cancel(&u->timer);
    loop_fd_remove(&u->epoll_watch);
    if (u->epoll_fd >= 0) {
        close(u->epoll_fd);
    }
    free(u->watches);
}

static char *user_info(struct net *n)
{
    return slirp_connection_info(user_of(n)->slirp);
}

const struct net_class net_class_user = {
    .name = "user", .size = sizeof(struct net_user), .options = user_rows, .open = user_open,
    .close = user_close, .to_host = user_to_host, .info = user_info, .hostfwd = user_hostfwd,
};
