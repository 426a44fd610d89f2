/* SPDX-License-Identifier: Apache-2.0 */
/* struct lobby: where connections arrive.  Each is greeted by a thread of its own, so that a
 * peer that says nothing holds nobody up; who does not speak the protocol, or has the wrong
 * secret, is dropped with one line in the log. */
#pragma once
#include "cluster/link.h"

struct lobby;

/* A link whose first frame has been read. */
struct visitor {
    struct link *link;
    uint8_t type;
    uint32_t n;
    uint8_t *payload;       /* malloc'd; the taker's */
};

/* Takes `fd` (listening) over.  `secret` must outlive the lobby. */
struct lobby *lobby_open(int fd, const struct link_secret *secret, struct err *e);
/* Visitors not taken are dropped.  NULL is fine. */
void lobby_close(struct lobby *l);
/* The next visitor; false: none until mono time deadline_ns. */
bool lobby_take(struct lobby *l, struct visitor *v, int64_t deadline_ns);
