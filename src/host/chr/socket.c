/* SPDX-License-Identifier: Apache-2.0 */
/* A stream socket, Unix or TCP, as a server or a client, raw or speaking Telnet (RFC 854). */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "base/mono.h"
#include "host/chr/impl.h"

enum { TELNET_IAC = 255, TELNET_DONT = 254, TELNET_WILL = 251, TELNET_DO = 253, TELNET_SB = 250,
       TELNET_SE = 240, TELNET_BREAK = 243, TELNET_OPT_BINARY = 0, TELNET_OPT_ECHO = 1,
       TELNET_OPT_SGA = 3 };

enum telnet_state { TELNET_TEXT, TELNET_GOT_IAC, TELNET_GOT_VERB, TELNET_IN_SB,
                    TELNET_IN_SB_IAC };

struct chr_socket {
    struct chr_stream s;
    bool server, wait, telnet, nodelay;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];     /* "": TCP */
    char host[256], port[32];
    int64_t reconnect_ns;                   /* 0: not */
    int listen_fd;
    bool unlink_path;
    struct loop_fd listen_watch;
    struct loop_timer retry;
    enum telnet_state telnet_state;
};

static struct chr_socket *socket_of(struct chr *c)
{
    return CONTAINER_OF(c, struct chr_socket, s.c);
}

/* ---- Telnet --------------------------------------------------------------------------------- */

static size_t telnet_filter(struct chr_stream *s, uint8_t *p, size_t n_bytes)
{
    struct chr_socket *d = CONTAINER_OF(s, struct chr_socket, s);
    size_t kept = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        switch (d->telnet_state) {
        case TELNET_TEXT:
            if (p[i] == TELNET_IAC) {
                d->telnet_state = TELNET_GOT_IAC;
            } else if (p[i] != 0 || i == 0 || p[i - 1] != '\r') {
                p[kept++] = p[i];       /* the zero of "\r\0", a bare return, is left out */
            }
            break;
        case TELNET_GOT_IAC:
            d->telnet_state = TELNET_TEXT;
            if (p[i] == TELNET_IAC) {
                p[kept++] = TELNET_IAC;
            } else if (p[i] == TELNET_BREAK) {
                chr_event_tell(&s->c, CHR_BREAK);
            } else if (p[i] >= TELNET_WILL && p[i] <= TELNET_DONT) {
                d->telnet_state = TELNET_GOT_VERB;
            } else if (p[i] == TELNET_SB) {
                d->telnet_state = TELNET_IN_SB;
            }
            break;
        case TELNET_GOT_VERB:           /* its option: whatever it asks, we stay as we are */
            d->telnet_state = TELNET_TEXT;
            break;
        case TELNET_IN_SB:
            d->telnet_state = p[i] == TELNET_IAC ? TELNET_IN_SB_IAC : TELNET_IN_SB;
            break;
        case TELNET_IN_SB_IAC:
            d->telnet_state = p[i] == TELNET_SE ? TELNET_TEXT : TELNET_IN_SB;
            break;
        }
    }
    return kept;
}

/* Asks the other end for character mode without local echo. */
static void telnet_greet(struct chr_socket *d)
{
    static const uint8_t hello[] = {
        TELNET_IAC, TELNET_WILL, TELNET_OPT_ECHO, TELNET_IAC, TELNET_WILL, TELNET_OPT_SGA,
        TELNET_IAC, TELNET_WILL, TELNET_OPT_BINARY, TELNET_IAC, TELNET_DO, TELNET_OPT_BINARY,
    };

    d->telnet_state = TELNET_TEXT;
    mutex_lock(&d->s.c.lock);
    stream_write(&d->s.c, hello, sizeof hello);
    mutex_unlock(&d->s.c.lock);
}

static size_t socket_write(struct chr *c, const uint8_t *p, size_t n_bytes)
{
    size_t done = 0;

    if (!socket_of(c)->telnet) {
        return stream_write(c, p, n_bytes);
    }
    /* A byte 255 is doubled, and never half of it is taken. */
    while (done < n_bytes) {
        const uint8_t *iac = memchr(p + done, TELNET_IAC, n_bytes - done);
        size_t run = iac ? (size_t)(iac - p) - done : n_bytes - done;
        size_t taken = stream_write(c, p + done, run);

        done += taken;
        if (taken < run) {
            break;
        }
        if (iac) {
            static const uint8_t two[] = { TELNET_IAC, TELNET_IAC };

            if (socket_of(c)->s.out_n + sizeof two > CHR_OUT_BYTES_MAX) {
                break;
            }
            stream_write(c, two, sizeof two);
            done++;
        }
    }
    return done;
}

/* ---- addresses ------------------------------------------------------------------------------ */

static void name_set(struct chr_socket *d, const char *state)
{
    struct chr *c = &d->s.c;

    if (d->path[0]) {
        snprintf(c->describe, sizeof c->describe, "%sunix:%s%s", state, d->path,
                 d->server ? ",server=on" : "");
    } else {
        snprintf(c->describe, sizeof c->describe, "%s%s:%.180s:%s%s", state,
                 d->telnet ? "telnet" : "tcp", d->host, d->port, d->server ? ",server=on" : "");
    }
}

/* Calls bind() or connect() for each address of the name until one works; the socket or -1. */
static int tcp_open(const struct chr_socket *d, struct err *e)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = d->server ? AI_PASSIVE : 0 };
    struct addrinfo *list, *a;
    const char *host = d->host[0] ? d->host : d->server ? NULL : "localhost";
    int rc = getaddrinfo(host, d->port, &hints, &list), fd = -1, one = 1, errno_last = 0;

    if (rc) {
        err_set(e, "address '%s:%s': %s", d->host, d->port, gai_strerror(rc));
        return -1;
    }
    for (a = list; a; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            errno_last = errno;
            continue;
        }
        if (d->server) {
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
            rc = bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 1);
        } else {
            rc = connect(fd, a->ai_addr, a->ai_addrlen);
        }
        if (rc == 0) {
            break;
        }
        errno_last = errno;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd < 0) {
        err_set(e, "cannot %s %s:%s: %s", d->server ? "listen on" : "connect to", d->host,
                d->port, strerror(errno_last));
    }
    return fd;
}

static int unix_open(struct chr_socket *d, struct err *e)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    memcpy(a.sun_path, d->path, sizeof a.sun_path);
    if (fd < 0) {
        err_set(e, "socket: %s", strerror(errno));
        return -1;
    }
    if (d->server) {
        unlink(d->path);        /* a left-over of somebody who crashed */
        rc = bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1);
        d->unlink_path = rc == 0;
    } else {
        rc = connect(fd, (struct sockaddr *)&a, sizeof a);
    }
    if (rc) {
        err_set(e, "cannot %s '%s': %s", d->server ? "listen on" : "connect to", d->path,
                strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static int address_open(struct chr_socket *d, struct err *e)
{
    return d->path[0] ? unix_open(d, e) : tcp_open(d, e);
}

/* ---- connections ---------------------------------------------------------------------------- */

static bool connected(struct chr_socket *d, int fd, struct err *e)
{
    int one = 1;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (d->nodelay && !d->path[0]) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (!stream_start(&d->s, fd, fd, e)) {
        close(fd);
        return false;
    }
    name_set(d, "");
    if (d->telnet && d->server) {
        telnet_greet(d);
    }
    return true;
}

static void listen_ready(void *ctx, unsigned events)
{
    struct chr_socket *d = ctx;
    int fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    struct err e;

    if (fd >= 0 && connected(d, fd, &e)) {
        /* One at a time: the next one waits in the kernel's queue. */
        loop_fd_interest_set(&d->listen_watch, 0);
        chr_is_open_set(&d->s.c, true);
    }
}

static void retry_run(void *ctx)
{
    struct chr_socket *d = ctx;
    struct err e;
    int fd = address_open(d, &e);

    if (fd >= 0 && connected(d, fd, &e)) {
        chr_is_open_set(&d->s.c, true);
    } else {
        loop_timer_arm(&d->retry, mono_now_ns() + d->reconnect_ns);
    }
}

static void socket_ended(struct chr_stream *s)
{
    struct chr_socket *d = CONTAINER_OF(s, struct chr_socket, s);

    stream_stop(s);
    name_set(d, "disconnected:");
    if (d->server) {
        loop_fd_interest_set(&d->listen_watch, LOOP_READ);
    } else if (d->reconnect_ns) {
        loop_timer_arm(&d->retry, mono_now_ns() + d->reconnect_ns);
    }
    chr_is_open_set(&s->c, false);
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool options_read(struct chr_socket *d, const struct opts *o, struct err *e)
{
    const char *path = opts_str(o, "path", NULL);
    uint64_t reconnect_s;

    if (!opts_bool(o, "server", false, &d->server, e) ||
        !opts_bool(o, "wait", d->server, &d->wait, e) ||
        !opts_bool(o, "telnet", false, &d->telnet, e) ||
        !opts_bool(o, "delay", true, &d->nodelay, e) ||
        !opts_u64(o, "reconnect", 0, 0, 3600, &reconnect_s, e)) {
        return false;
    }
    d->nodelay = !d->nodelay;
    if (!opts_bool(o, "nodelay", d->nodelay, &d->nodelay, e)) {
        return false;
    }
    d->reconnect_ns = reconnect_s * NS_PER_S;
    if (d->wait && !d->server) {
        return err_set(e, "wait=on is for a server (server=on)");
    }
    if (d->reconnect_ns && d->server) {
        return err_set(e, "reconnect= is for a client (server=off)");
    }
    if (path) {
        if (strlen(path) >= sizeof d->path || !path[0]) {
            return err_set(e, "the socket's path '%.80s' must have 1 … %zu characters", path,
                           sizeof d->path - 1);
        }
        strcpy(d->path, path);
        return true;
    }
    if (!opts_has(o, "port")) {
        return err_set(e, "a socket needs path= or host= and port=");
    }
    snprintf(d->host, sizeof d->host, "%s", opts_str(o, "host", ""));
    snprintf(d->port, sizeof d->port, "%s", opts_str(o, "port", ""));
    return true;
}

static bool server_open(struct chr_socket *d, struct err *e)
{
    d->listen_fd = address_open(d, e);
    if (d->listen_fd < 0) {
        return false;
    }
    name_set(d, "disconnected:");
    if (d->wait) {
        int fd;

        fprintf(stderr, "pando: waiting for a connection on: %s\n", d->s.c.describe);
        do {
            fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        } while (fd < 0 && errno == EINTR);
        if (fd < 0) {
            return err_set(e, "accept: %s", strerror(errno));
        }
        if (!connected(d, fd, e)) {
            return false;
        }
        d->s.c.is_open = true;
    }
    fcntl(d->listen_fd, F_SETFL, O_NONBLOCK);
    return loop_fd_add(d->s.c.loop, &d->listen_watch, d->listen_fd,
                       d->s.c.is_open ? 0 : LOOP_READ, listen_ready, d, e);
}

static bool socket_open(struct chr *c, const struct opts *o, struct err *e)
{
    struct chr_socket *d = socket_of(c);
    int fd;

    stream_init(&d->s);
    d->listen_fd = -1;
    d->s.own_fds = true;
    d->s.ended = socket_ended;
    loop_timer_init(&d->retry, c->loop, retry_run, d);
    if (!options_read(d, o, e)) {
        return false;
    }
    if (d->telnet) {
        d->s.filter = telnet_filter;
    }
    if (d->server) {
        return server_open(d, e);
    }
    fd = address_open(d, e);
    if (fd < 0 && d->reconnect_ns) {
        name_set(d, "disconnected:");
        loop_timer_arm(&d->retry, mono_now_ns() + d->reconnect_ns);
        return true;
    }
    if (fd < 0 || !connected(d, fd, e)) {
        return false;
    }
    c->is_open = true;
    return true;
}

static void socket_close(struct chr *c)
{
    struct chr_socket *d = socket_of(c);

    loop_timer_cancel(&d->retry);
    stream_finish(&d->s, 1000);
    loop_fd_remove(&d->listen_watch);
    if (d->listen_fd >= 0) {
        close(d->listen_fd);
    }
    if (d->unlink_path) {
        unlink(d->path);
    }
}

static const struct opt_row socket_rows[] = {
    { "path", OPT_STR, NULL, "of a Unix socket" },
    { "host", OPT_STR, NULL, "address, for TCP" },
    { "port", OPT_STR, NULL, "number or name, for TCP" },
    { "server", OPT_BOOL, "off", "listen rather than connect" },
    { "wait", OPT_BOOL, "on", "a server starts the machine when somebody has connected" },
    { "telnet", OPT_BOOL, "off", "speak Telnet" },
    { "delay", OPT_BOOL, "on", "let TCP gather small packets" },
    { "nodelay", OPT_BOOL, "off", "the same, turned round" },
    { "reconnect", OPT_U64, "0", "a client tries again after so many seconds", .max = 3600 },
    { 0 },
};

const struct chr_class chr_class_socket = {
    .name = "socket", .size = sizeof(struct chr_socket), .options = socket_rows,
    .open = socket_open, .close = socket_close, .write = socket_write,
    .input_pause = stream_input_pause,
};
