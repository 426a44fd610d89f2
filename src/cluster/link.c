/* SPDX-License-Identifier: Apache-2.0 */
/* Links: connecting, the greeting, frames.  See link.h; TLS is in link_tls.c.
 *
 * The greeting: with a secret the TLS handshake comes first.  Then the client sends 16 bytes
 * and the server answers with 16 bytes:  magic[8]  u16 version  u16 status  u32 zero.  A server
 * with a secret answers a plain greeting in plain, with status 1, so that the other side can
 * say what is wrong. */
#include "cluster/link_priv.h"

#include "base/base.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/relax.h"
#include "cluster/wire.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GREETING_BYTES 16
#define GREETING_MAGIC "PANDO\r\n\x1a"
#define TLS_RECORD_HANDSHAKE 0x16       /* first byte of a TLS client's first record */
#define IN_BYTES_FIRST (64u << 10)
#define SOCKET_BUF_BYTES (4 << 20)      /* asked for; the kernel gives what it allows */
#define DIAL_PAUSE_NS INT64_C(50000000)
enum { GREETING_GOOD, GREETING_NEEDS_SECRET };

/* ---- addresses ---- */

bool link_addr_parse(struct link_addr *a, const char *text, uint16_t default_port, struct err *e)
{
    const char *host = text, *end = strrchr(text, ':'), *port = end ? end + 1 : NULL;
    char *stop;
    unsigned long v;

    if (*text == '[') {
        host = text + 1;
        end = strchr(host, ']');
        port = end && end[1] == ':' ? end + 2 : NULL;
        if (!end || (end[1] && end[1] != ':')) {
            return err_set(e, "address '%s': [IPv6]:PORT is wanted", text);
        }
    } else if (end && strchr(text, ':') != end) {       /* IPv6 without brackets: no port */
        end = NULL;
        port = NULL;
    }
    size_t n = end ? (size_t)(end - host) : strlen(host);

    if (n == 0 || n >= sizeof a->host) {
        return err_set(e, "address '%s': HOST:PORT is wanted", text);
    }
    memcpy(a->host, host, n);
    a->host[n] = 0;
    a->port = default_port;
    if (port) {
        v = strtoul(port, &stop, 10);
        if (*stop || stop == port || v > 65535) {
            return err_set(e, "address '%s': the port must be 0 to 65535", text);
        }
        a->port = v;
    } else if (!default_port) {
        return err_set(e, "address '%s': HOST:PORT is wanted", text);
    }
    return true;
}

static struct addrinfo *resolve(const struct link_addr *a, bool passive, struct err *e)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0 };
    struct addrinfo *ai = NULL;
    char port[8];
    int rc;

    snprintf(port, sizeof port, "%u", a->port);
    rc = getaddrinfo(a->host, port, &hints, &ai);
    if (rc) {
        err_set(e, "address '%s': %s", a->host, gai_strerror(rc));
        return NULL;
    }
    return ai;
}

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24 == 127;
    }
    if (sa->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)sa)->sin6_addr;

        return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
    }
    return false;
}

static bool addr_of(const struct sockaddr *sa, socklen_t n, struct link_addr *a, struct err *e)
{
    char port[8];
    int rc = getnameinfo(sa, n, a->host, sizeof a->host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV);

    if (rc) {
        return err_set(e, "address of a connection: %s", gai_strerror(rc));
    }
    a->port = atoi(port);
    return true;
}

static void addr_text(const struct link_addr *a, char *buf, size_t n)
{
    snprintf(buf, n, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
}

static bool check_plain(const struct sockaddr *sa, const char *text, struct err *e)
{
    if (is_loopback(sa)) {
        return true;
    }
    return err_set(e, "%s: without a secret only loopback addresses are accepted; give "
                   "secret=FILE (the same file on every node)", text);
}

int link_listen(struct link_addr *a, bool secret, struct err *e)
{
    struct addrinfo *ai = resolve(a, true, e);
    struct sockaddr_storage ss;
    socklen_t ss_n = sizeof ss;
    struct link_addr got;
    char text[LINK_PEER_TEXT_MAX];
    int fd = -1, one = 1;

    if (!ai) {
        return -1;
    }
    addr_text(a, text, sizeof text);
    if (!secret && !check_plain(ai->ai_addr, text, e)) {
        goto out;
    }
    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&ss, &ss_n) < 0) {
        err_set(e, "listen on %s: %s", text, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        fd = -1;
        goto out;
    }
    if (addr_of((struct sockaddr *)&ss, ss_n, &got, NULL)) {
        a->port = got.port;
    }
out:
    freeaddrinfo(ai);
    return fd;
}

/* ---- bytes ---- */

void link_break(struct link *l, const char *why)
{
    mutex_lock(&l->why_lock);
    if (!atomic_load(&l->broken)) {
        snprintf(l->why, sizeof l->why, "%s", why);
        atomic_store(&l->broken, true);
        shutdown(l->fd, SHUT_RDWR);
    }
    mutex_unlock(&l->why_lock);
}

const char *link_why(struct link *l)
{
    return atomic_load(&l->broken) ? l->why : "no reason";
}

static bool backlog_add(struct link *l, const uint8_t *p, size_t n)
{
    if (l->backlog_at && l->backlog_at + l->backlog_n + n > l->backlog_cap) {
        memmove(l->backlog, l->backlog + l->backlog_at, l->backlog_n);
        l->backlog_at = 0;
    }
    if (l->backlog_n + n > l->backlog_cap) {
        size_t cap = MAX(l->backlog_cap * 2, l->backlog_n + n);
        uint8_t *b = cap > LINK_BACKLOG_MAX ? NULL : realloc(l->backlog, cap);

        if (!b) {
            link_break(l, "it does not read what we send");
            return false;
        }
        l->backlog = b;
        l->backlog_cap = cap;
    }
    memcpy(l->backlog + l->backlog_at + l->backlog_n, p, n);
    l->backlog_n += n;
    return true;
}

void link_backlog_flush(struct link *l)
{
    while (l->backlog_n && !atomic_load(&l->broken)) {
        ssize_t k = send(l->fd, l->backlog + l->backlog_at, l->backlog_n,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (k < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                link_break(l, strerror(errno));
            }
            return;
        }
        l->backlog_at += k;
        l->backlog_n -= k;
    }
    l->backlog_at = 0;
}

bool link_raw_send(struct link *l, const struct iovec *iov, unsigned n)
{
    size_t sent = 0;
    ssize_t k;

    if (!l->backlog_n) {
        struct msghdr mh = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };

        do {
            k = sendmsg(l->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (k < 0 && errno == EINTR);
        if (k < 0 && errno != EAGAIN) {
            link_break(l, errno == EPIPE || errno == ECONNRESET ? "connection closed"
                                                                : strerror(errno));
            return false;
        }
        sent = k < 0 ? 0 : k;
    }
    for (unsigned i = 0; i < n; i++) {
        size_t skip = MIN(sent, iov[i].iov_len);

        sent -= skip;
        if (skip < iov[i].iov_len &&
            !backlog_add(l, (uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip)) {
            return false;
        }
    }
    if (l->backlog_n && l->pump) {
        link_pump_wake(l->pump);
    }
    /* Before there is a pump, the sender waits. */
    while (l->backlog_n && !l->pump && !atomic_load(&l->broken)) {
        struct pollfd pf = { .fd = l->fd, .events = POLLOUT };

        poll(&pf, 1, 100);
        link_backlog_flush(l);
    }
    return true;
}

static ssize_t recv_deadline(struct link *l, void *buf, size_t n)
{
    for (;;) {
        int64_t left = l->deadline_ns - mono_now_ns();
        struct pollfd pf = { .fd = l->fd, .events = POLLIN };

        if (left <= 0) {
            link_break(l, "it says nothing");
            errno = ETIMEDOUT;
            return -1;
        }
        if (poll(&pf, 1, left / 1000000 + 1) > 0) {
            ssize_t k = recv(l->fd, buf, n, MSG_DONTWAIT);

            if (k >= 0 || (errno != EAGAIN && errno != EINTR)) {
                return k;
            }
        }
    }
}

ssize_t link_raw_recv(struct link *l, void *buf, size_t n)
{
    int64_t spin_ns = atomic_load_explicit(&l->spin_ns, memory_order_relaxed);
    ssize_t k = -1;

    if (l->deadline_ns) {
        k = recv_deadline(l, buf, n);
    } else {
        if (spin_ns) {
            int64_t end = mono_now_ns() + spin_ns;

            errno = EAGAIN;
            while ((k = recv(l->fd, buf, n, MSG_DONTWAIT)) < 0 && errno == EAGAIN &&
                   mono_now_ns() < end) {
                cpu_relax();
            }
        }
        while (k < 0 && (!spin_ns || errno == EAGAIN || errno == EINTR)) {
            k = recv(l->fd, buf, n, 0);
            if (k < 0 && errno != EINTR && errno != EAGAIN) {
                break;
            }
        }
    }
    if (k > 0) {
        atomic_store_explicit(&l->received_ns, mono_now_ns(), memory_order_relaxed);
        atomic_fetch_add_explicit(&l->bytes_received, k, memory_order_relaxed);
    }
    return k;
}

/* At least `want` bytes from in_at on. */
static bool fill(struct link *l, size_t want)
{
    while (l->in_n - l->in_at < want) {
        ssize_t k;

        if (l->in_at && (l->in_at == l->in_n || l->in_at + want > l->in_cap)) {
            memmove(l->in, l->in + l->in_at, l->in_n - l->in_at);
            l->in_n -= l->in_at;
            l->in_at = 0;
        }
        if (want > l->in_cap) {
            uint8_t *b = realloc(l->in, want);

            if (!b) {
                link_break(l, "out of memory");
                return false;
            }
            l->in = b;
            l->in_cap = want;
        }
        k = l->tls ? link_tls_recv(l, l->in + l->in_n, l->in_cap - l->in_n)
                   : link_raw_recv(l, l->in + l->in_n, l->in_cap - l->in_n);
        if (k <= 0) {
            link_break(l, k == 0 || errno == ECONNRESET ? "connection closed" : strerror(errno));
            return false;
        }
        l->in_n += k;
    }
    return true;
}

/* ---- frames ---- */

static bool send_tls(struct link *l, const uint8_t *head, const struct iovec *iov, unsigned n,
                     size_t bytes)
{
    size_t at = WIRE_HEAD_BYTES;

    if (l->pack_cap < bytes + WIRE_HEAD_BYTES) {
        uint8_t *b = realloc(l->pack, bytes + WIRE_HEAD_BYTES);

        if (!b) {
            link_break(l, "out of memory");
            return false;
        }
        l->pack = b;
        l->pack_cap = bytes + WIRE_HEAD_BYTES;
    }
    memcpy(l->pack, head, WIRE_HEAD_BYTES);
    for (unsigned i = 0; i < n; i++) {
        memcpy(l->pack + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    return link_tls_send(l, l->pack, at);
}

bool link_send(struct link *l, uint8_t type, uint64_t time_ns, const struct iovec *iov,
               unsigned n)
{
    uint8_t head[WIRE_HEAD_BYTES];
    struct wire_buf b = { head, 0, sizeof head };
    struct iovec all[LINK_IOV_MAX + 1] = { { head, sizeof head } };
    size_t bytes = 0;
    bool good;

    assert(n <= LINK_IOV_MAX);
    for (unsigned i = 0; i < n; i++) {
        all[i + 1] = iov[i];
        bytes += iov[i].iov_len;
    }
    assert(bytes <= WIRE_PAYLOAD_MAX);
    wire_put_u32(&b, bytes);
    wire_put_u8(&b, WIRE_VERSION);
    wire_put_u8(&b, type);
    wire_put_u8(&b, 0);
    wire_put_u8(&b, 0);
    wire_put_u64(&b, time_ns);
    mutex_lock(&l->send_lock);
    good = !atomic_load(&l->broken) &&
           (l->tls ? send_tls(l, head, iov, n, bytes) : link_raw_send(l, all, n + 1));
    mutex_unlock(&l->send_lock);
    atomic_fetch_add_explicit(&l->bytes_sent, bytes + sizeof head, memory_order_relaxed);
    return good;
}

bool link_recv(struct link *l, struct link_frame *f)
{
    struct wire_buf b = { NULL, 0, WIRE_HEAD_BYTES };
    uint8_t version, zero[2];

    if (!fill(l, WIRE_HEAD_BYTES)) {
        return false;
    }
    b.p = l->in + l->in_at;
    f->n = wire_get_u32(&b);
    version = wire_get_u8(&b);
    f->type = wire_get_u8(&b);
    wire_get(&b, zero, 2);
    f->time_ns = wire_get_u64(&b);
    if (version != WIRE_VERSION || zero[0] || zero[1] || f->n > WIRE_PAYLOAD_MAX) {
        link_break(l, "what it sends is not a frame");
        return false;
    }
    if (!fill(l, WIRE_HEAD_BYTES + f->n)) {
        return false;
    }
    f->payload = l->in + l->in_at + WIRE_HEAD_BYTES;
    l->in_at += WIRE_HEAD_BYTES + f->n;
    return true;
}

bool link_recv_until(struct link *l, struct link_frame *f, int64_t deadline_ns)
{
    bool good;

    l->deadline_ns = deadline_ns;
    good = link_recv(l, f);
    l->deadline_ns = 0;
    return good;
}

/* ---- making links ---- */

static struct link *link_new(int fd, const struct link_secret *secret, struct err *e)
{
    struct link *l = calloc(1, sizeof *l);
    int one = 1, bytes = SOCKET_BUF_BYTES;
    struct link_addr a = { "unknown", 0 };

    if (!l || !(l->in = malloc(IN_BYTES_FIRST))) {
        err_set(e, "out of memory");
        free(l);
        close(fd);
        return NULL;
    }
    l->in_cap = IN_BYTES_FIRST;
    l->fd = fd;
    l->secret = secret;
    mutex_init(&l->why_lock);
    mutex_init(&l->send_lock);
    atomic_store(&l->received_ns, mono_now_ns());
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    link_peer_addr(l, &a, NULL);
    addr_text(&a, l->peer, sizeof l->peer);
    return l;
}

void link_free(struct link *l)
{
    if (!l) {
        return;
    }
    link_tls_end(l);
    close(l->fd);
    mutex_destroy(&l->why_lock);
    mutex_destroy(&l->send_lock);
    free(l->backlog);
    free(l->pack);
    free(l->in);
    free(l);
}

static bool greeting_send(struct link *l, unsigned status)
{
    uint8_t g[GREETING_BYTES] = GREETING_MAGIC;
    struct iovec iov = { g, sizeof g };
    bool good;

    g[8] = WIRE_VERSION;
    g[10] = status;
    mutex_lock(&l->send_lock);
    good = l->tls ? link_tls_send(l, g, sizeof g) : link_raw_send(l, &iov, 1);
    mutex_unlock(&l->send_lock);
    return good;
}

static bool greeting_recv(struct link *l, struct err *e)
{
    const uint8_t *g;

    if (!fill(l, GREETING_BYTES)) {
        return err_set(e, "%s: %s during the greeting", l->peer, link_why(l));
    }
    g = l->in + l->in_at;
    l->in_at += GREETING_BYTES;
    if (memcmp(g, GREETING_MAGIC, 8)) {
        return err_set(e, "%s: it does not speak our protocol", l->peer);
    }
    if (g[10] == GREETING_NEEDS_SECRET) {
        return err_set(e, "%s: it wants a secret; give secret=FILE (join: --secret FILE)",
                       l->peer);
    }
    if ((g[8] | g[9] << 8) != WIRE_VERSION) {
        return err_set(e, "%s: it speaks version %u of the link protocol, we speak %u", l->peer,
                       g[8] | g[9] << 8, WIRE_VERSION);
    }
    return true;
}

/* Waits for the first byte and says which it is, without taking it. */
static int first_byte(struct link *l)
{
    struct pollfd pf = { .fd = l->fd, .events = POLLIN };
    uint8_t c;

    if (poll(&pf, 1, LINK_GREETING_NS / 1000000) <= 0 ||
        recv(l->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        return -1;
    }
    return c;
}

static bool accept_greeting(struct link *l, struct err *e)
{
    int c = first_byte(l);

    if (c < 0) {
        return err_set(e, "%s: it connected and said nothing", l->peer);
    }
    if (l->secret && c == GREETING_MAGIC[0]) {
        greeting_send(l, GREETING_NEEDS_SECRET);
        return err_set(e, "%s: it has no secret, we do", l->peer);
    }
    if (!l->secret && c == TLS_RECORD_HANDSHAKE) {
        return err_set(e, "%s: it uses a secret, we do not; give secret=FILE", l->peer);
    }
    if (l->secret && c != TLS_RECORD_HANDSHAKE) {
        return err_set(e, "%s: it does not speak our protocol", l->peer);
    }
    if (l->secret && !link_tls_start(l, true, e)) {
        return false;
    }
    return greeting_recv(l, e) && greeting_send(l, GREETING_GOOD);
}

struct link *link_accept(int fd, const struct link_secret *secret, struct err *e)
{
    struct link *l = link_new(fd, secret, e);
    struct sockaddr_storage ss = { 0 };
    socklen_t n = sizeof ss;

    if (!l) {
        return NULL;
    }
    l->deadline_ns = mono_now_ns() + LINK_GREETING_NS;
    getpeername(fd, (struct sockaddr *)&ss, &n);
    if ((!secret && !check_plain((struct sockaddr *)&ss, l->peer, e)) || !accept_greeting(l, e)) {
        link_free(l);
        return NULL;
    }
    l->deadline_ns = 0;
    return l;
}

static int dial_once(const struct addrinfo *ai)
{
    int fd = -1;

    for (; ai && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
            int saved = errno;

            close(fd);
            errno = saved;
            fd = -1;
        }
    }
    return fd;
}

struct link *link_dial(const struct link_addr *a, const struct link_secret *secret,
                       int64_t deadline_ns, struct err *e)
{
    struct addrinfo *ai = resolve(a, false, e);
    char text[LINK_PEER_TEXT_MAX];
    struct link *l = NULL;
    int fd;

    if (!ai) {
        return NULL;
    }
    addr_text(a, text, sizeof text);
    if (!secret && !check_plain(ai->ai_addr, text, e)) {
        goto out;
    }
    while ((fd = dial_once(ai)) < 0) {
        struct timespec pause = { 0, DIAL_PAUSE_NS };

        if ((errno != ECONNREFUSED && errno != ETIMEDOUT && errno != EHOSTUNREACH &&
             errno != EINTR) || mono_now_ns() >= deadline_ns) {
            err_set(e, "connect to %s: %s", text, strerror(errno));
            goto out;
        }
        nanosleep(&pause, NULL);
    }
    l = link_new(fd, secret, e);
    if (!l) {
        goto out;
    }
    l->deadline_ns = mono_now_ns() + LINK_GREETING_NS;
    if ((secret && !link_tls_start(l, false, e)) || !greeting_send(l, GREETING_GOOD) ||
        !greeting_recv(l, e)) {
        if (e && !e->text[0]) {
            err_set(e, "%s: %s", l->peer, link_why(l));
        }
        link_free(l);
        l = NULL;
        goto out;
    }
    l->deadline_ns = 0;
out:
    freeaddrinfo(ai);
    return l;
}

/* ---- facts ---- */

const char *link_peer(const struct link *l)
{
    return l->peer;
}

bool link_is_encrypted(const struct link *l)
{
    return l->tls != NULL;
}

bool link_local_addr(const struct link *l, struct link_addr *a, struct err *e)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;

    if (getsockname(l->fd, (struct sockaddr *)&ss, &n) < 0) {
        return err_set(e, "%s: %s", l->peer, strerror(errno));
    }
    return addr_of((struct sockaddr *)&ss, n, a, e);
}

bool link_peer_addr(const struct link *l, struct link_addr *a, struct err *e)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;

    if (getpeername(l->fd, (struct sockaddr *)&ss, &n) < 0) {
        return err_set(e, "%s: %s", l->peer, strerror(errno));
    }
    return addr_of((struct sockaddr *)&ss, n, a, e);
}

bool link_is_alive(const struct link *l)
{
    char c;
    ssize_t k = recv(l->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

    return k > 0 || (k < 0 && (errno == EAGAIN || errno == EINTR));
}

int64_t link_received_ns(const struct link *l)
{
    return atomic_load_explicit(&l->received_ns, memory_order_relaxed);
}

uint64_t link_bytes_sent(const struct link *l)
{
    return atomic_load_explicit(&l->bytes_sent, memory_order_relaxed);
}

uint64_t link_bytes_received(const struct link *l)
{
    return atomic_load_explicit(&l->bytes_received, memory_order_relaxed);
}

void link_spin_set(struct link *l, int64_t spin_ns)
{
    atomic_store_explicit(&l->spin_ns, spin_ns, memory_order_relaxed);
}
