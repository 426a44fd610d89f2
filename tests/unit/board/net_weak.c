/* SPDX-License-Identifier: Apache-2.0 */
/* Until host/net has its code: enough to link a machine without networking. */
#include "host/net/net.h"

#define WEAK __attribute__((weak))

WEAK void net_attach(struct net *n, const struct net_handlers *h, void *ctx)
{
}

WEAK bool net_send(struct net *n, const struct iovec *iov, unsigned n_iov)
{
    return false;
}

WEAK void net_accept_input(struct net *n)
{
}
