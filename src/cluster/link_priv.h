/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct link, for link.c, link_tls.c and link_pump.c only. */
#pragma once
#include "base/thread.h"
#include "cluster/link.h"

#include <gnutls/gnutls.h>
#include <stdatomic.h>

#define LINK_PEER_TEXT_MAX 128

struct link {
    int fd;
    char peer[LINK_PEER_TEXT_MAX];
    gnutls_session_t tls;           /* NULL: plain */
    gnutls_psk_client_credentials_t tls_client;
    gnutls_psk_server_credentials_t tls_server;
    const struct link_secret *secret;

    struct mutex why_lock;
    char why[256];
    atomic_bool broken;

    /* sending, under send_lock */
    struct mutex send_lock;
    struct link_pump *pump;
    uint8_t *backlog;
    size_t backlog_at, backlog_n, backlog_cap;
    uint8_t *pack;                  /* TLS: a frame in one piece */
    size_t pack_cap;
    _Atomic uint64_t bytes_sent;

    /* receiving: one thread */
    uint8_t *in;
    size_t in_at, in_n, in_cap;
    int64_t deadline_ns;            /* 0: none */
    _Atomic int64_t spin_ns;
    _Atomic int64_t received_ns;
    _Atomic uint64_t bytes_received;
};

/* Bytes on the wire.  send: all of it, sent or queued; send_lock held.  recv: as recv(2). */
bool link_raw_send(struct link *l, const struct iovec *iov, unsigned n);
ssize_t link_raw_recv(struct link *l, void *buf, size_t n);

/* link_tls.c */
bool link_tls_start(struct link *l, bool server, struct err *e);
bool link_tls_send(struct link *l, const void *buf, size_t n);     /* send_lock held */
ssize_t link_tls_recv(struct link *l, void *buf, size_t n);        /* as recv(2) */
void link_tls_end(struct link *l);

/* link_pump.c */
void link_pump_wake(struct link_pump *p);
/* Sends what the socket takes now; send_lock held. */
void link_backlog_flush(struct link *l);
