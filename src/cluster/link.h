/* SPDX-License-Identifier: Apache-2.0 */
/* struct link: one TCP connection to another node that carries frames (wire.h): authenticated
 * and encrypted by TLS 1.3 with a pre-shared key, or plain between loopback addresses.
 *
 * Any number of threads send; one thread receives.  Sending never waits: what the socket does
 * not take at once is kept (up to LINK_BACKLOG_MAX) and sent by the link's pump. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct err;
struct link;
struct link_pump;
struct link_secret;

#define LINK_BACKLOG_MAX (256u << 20)       /* bytes; more: the peer does not read, link broken */
#define LINK_GREETING_NS INT64_C(5000000000) /* a peer must have said who it is by then */
#define LINK_IOV_MAX 4

/* ---- the shared secret: any bytes of a file ---- */

/* Warns if others may read the file; refuses an empty one. */
struct link_secret *link_secret_load(const char *path, struct err *e);
void link_secret_free(struct link_secret *s);

/* ---- addresses ---- */

struct link_addr {
    char host[200];
    uint16_t port;
};

/* "HOST:PORT", "[V6]:PORT"; "HOST" if default_port is not 0. */
bool link_addr_parse(struct link_addr *a, const char *text, uint16_t default_port,
                     struct err *e);

/* ---- making links ---- */

/* A listening socket, or -1.  Without a secret (`secret` false) only loopback addresses are
 * accepted.  a->port 0: any; it is set to the one chosen. */
int link_listen(struct link_addr *a, bool secret, struct err *e);

/* The accepted socket's link after the greeting; takes `fd` over, also on failure.  Waits for
 * at most LINK_GREETING_NS.  `secret` NULL: plain. */
struct link *link_accept(int fd, const struct link_secret *secret, struct err *e);

/* Connects and greets; tries again until mono time deadline_ns while the peer is not there. */
struct link *link_dial(const struct link_addr *a, const struct link_secret *secret,
                       int64_t deadline_ns, struct err *e);

/* Nobody may be using it any more.  NULL is fine. */
void link_free(struct link *l);

/* ---- using links ---- */

struct link_frame {
    uint8_t type;
    uint32_t n;             /* payload bytes */
    uint64_t time_ns;       /* the sender's guest time, 0: none */
    uint8_t *payload;       /* valid until the next link_recv() */
};

/* Queues or sends a frame whose payload is iov[0 … n-1], n <= LINK_IOV_MAX, together at most
 * WIRE_PAYLOAD_MAX.  Any thread; frames of one thread stay in order.  false: link is broken. */
bool link_send(struct link *l, uint8_t type, uint64_t time_ns, const struct iovec *iov,
               unsigned n);

/* The next frame; one thread only.  false: link_why() says. */
bool link_recv(struct link *l, struct link_frame *f);
/* As link_recv(), but gives up at mono time deadline_ns (the link is then of no further use). */
bool link_recv_until(struct link *l, struct link_frame *f, int64_t deadline_ns);

/* Ends the link: link_recv() returns false, in whatever thread.  The first reason stays. */
void link_break(struct link *l, const char *why);
const char *link_why(struct link *l);
const char *link_peer(const struct link *l);        /* "127.0.0.1:7000" */
bool link_is_encrypted(const struct link *l);
/* Our own address on this connection (the host part only). */
bool link_local_addr(const struct link *l, struct link_addr *a, struct err *e);
bool link_peer_addr(const struct link *l, struct link_addr *a, struct err *e);
/* Nothing has been read from it and the peer has not closed it. */
bool link_is_alive(const struct link *l);
int64_t link_received_ns(const struct link *l);     /* mono time of the last bytes */
uint64_t link_bytes_sent(const struct link *l);
uint64_t link_bytes_received(const struct link *l);

/* For how long link_recv() looks for input before it sleeps; 0 at first. */
void link_spin_set(struct link *l, int64_t spin_ns);

/* ---- the pump: one thread that sends what sockets did not take at once ---- */

/* tick(ctx) is called about every tick_ns; it may send and break links. */
struct link_pump *link_pump_start(int64_t tick_ns, void (*tick)(void *ctx), void *ctx,
                                  struct err *e);
/* Before the links are freed.  NULL is fine. */
void link_pump_stop(struct link_pump *p);
/* From now on `l` never blocks in link_send(); before, it may. */
bool link_pump_add(struct link_pump *p, struct link *l, struct err *e);
