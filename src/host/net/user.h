/* SPDX-License-Identifier: Apache-2.0 */
/* Private to host/net: what type=user is configured to. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/opts.h"

enum { USER_DNS_SEARCH_MAX = 16, USER_HOSTFWD_MAX = 1024 };

struct user_config {
    struct in_addr net, mask, host, dhcp_start, dns;
    struct in6_addr net6, host6, dns6;
    unsigned net6_bits;
    bool ipv4, ipv6, restricted;
    /* Texts are those of the options. */
    const char *hostname, *domain, *tftp, *bootfile, *tftp_server;
    const char *dns_search[USER_DNS_SEARCH_MAX + 1];    /* ends with NULL */
};

extern const struct opt_row user_rows[];

bool user_config_read(struct user_config *c, const struct opts *o, struct err *e);

struct user_hostfwd {
    bool udp;
    struct in_addr host, guest;         /* guest 0.0.0.0: the first DHCP address */
    unsigned host_port, guest_port;
};

/* "[tcp|udp]:[addr]:port-[addr]:port"; `remove`: "[tcp|udp]:[addr]:port". */
bool user_hostfwd_parse(struct user_hostfwd *f, const char *rule, bool remove, struct err *e);
