/* SPDX-License-Identifier: Apache-2.0 */
/* struct net: the host's side of a network card: Ethernet frames in and out, without FCS.
 *
 * net_send() and net_accept_input() may be called from any thread with the device's lock held.
 * Callbacks come from the loop's thread with no lock of the backend held. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct err;
struct loop;
struct net;
struct opts;
struct trace;

#define NET_FRAME_BYTES_MAX 65550u      /* longer ones are dropped */
#define NET_QUEUE_FRAMES_MAX 1024u      /* in each direction; further ones are dropped */

struct net_handlers {
    /* A frame for the guest; false when there is no room now: it is kept and offered again after
     * net_accept_input(). */
    bool (*receive)(void *ctx, const uint8_t *frame, size_t n_bytes);
};

/* A backend by its options: type=user|none, id=, and what `-netdev TYPE` takes in QEMU (see the
 * table in user.c).  On the loop's thread, or before it runs. */
struct net *net_create(struct loop *l, const struct opts *o, const struct trace *t,
                       struct err *e);
void net_destroy(struct net *n);        /* on the loop's thread or after it has ended */
const char *net_id(const struct net *n);

/* Callbacks; NULL takes them away: then frames are dropped.  On the loop's thread or before. */
void net_attach(struct net *n, const struct net_handlers *h, void *ctx);

/* Copies the frame and sends it soon; false when it was dropped (too long, queue full). */
bool net_send(struct net *n, const struct iovec *iov, unsigned n_iov);
void net_accept_input(struct net *n);

/* Connections and forwardings, for people (`info usernet`); malloc'd, NULL when it has none. */
char *net_info(struct net *n);
/* "tcp:[addr]:port-[addr]:port", also while running.  On the loop's thread. */
bool net_hostfwd_add(struct net *n, const char *rule, struct err *e);
bool net_hostfwd_remove(struct net *n, const char *rule, struct err *e);
