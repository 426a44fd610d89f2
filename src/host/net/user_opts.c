/* SPDX-License-Identifier: Apache-2.0 */
/* The options of type=user, which are QEMU's. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "host/net/user.h"

const struct opt_row user_rows[] = {
    { "net", OPT_STR, "10.0.2.0/24", "the guest's network" },
    { "host", OPT_STR, "net's .2", "the host in it" },
    { "dhcpstart", OPT_STR, "net's .15", "first of 16 addresses that DHCP gives" },
    { "dns", OPT_STR, "net's .3", "name server in it" },
    { "ipv4", OPT_BOOL, "on", "IPv4" },
    { "ipv6", OPT_BOOL, "on", "IPv6" },
    { "ipv6-net", OPT_STR, "fec0::/64", "the guest's IPv6 network" },
    { "ipv6-prefix", OPT_STR, NULL, "the same without the length" },
    { "ipv6-prefixlen", OPT_U64, "64", "its length", .min = 0, .max = 126 },
    { "ipv6-host", OPT_STR, "net's ::2", "the host in it" },
    { "ipv6-dns", OPT_STR, "net's ::3", "name server in it" },
    { "restrict", OPT_BOOL, "off", "the guest reaches nothing but what is forwarded" },
    { "hostname", OPT_STR, NULL, "that DHCP tells the guest" },
    { "domainname", OPT_STR, NULL, "that DHCP tells the guest" },
    { "dnssearch", OPT_GROUP, NULL, "domain to search names in; may be repeated" },
    { "tftp", OPT_STR, NULL, "folder that TFTP serves" },
    { "bootfile", OPT_STR, NULL, "that DHCP tells the guest" },
    { "tftp-server-name", OPT_STR, NULL, "that DHCP tells the guest" },
    { "hostfwd", OPT_GROUP, NULL,
      "[tcp|udp]:[host address]:port-[guest address]:port; may be repeated" },
    { 0 },
};

/* ---- IPv4 ----------------------------------------------------------------------------------- */

static bool address_parse(const char *key, const char *text, struct in_addr *out, struct err *e)
{
    return inet_pton(AF_INET, text, out) == 1 ||
           err_set(e, "%s: '%.60s' is not an IPv4 address", key, text);
}

/* ADDRESS/BITS, ADDRESS/MASK, or ADDRESS with the mask of its class (RFC 791). */
static bool net_parse(const char *text, struct user_config *c, struct err *e)
{
    const char *slash = strchr(text, '/');
    uint32_t net, mask;
    uint64_t bits;
    char addr[64];

    snprintf(addr, sizeof addr, "%.*s", (int)(slash ? slash - text : (long)strlen(text)), text);
    if (!address_parse("net", addr, &c->net, e)) {
        return false;
    }
    net = ntohl(c->net.s_addr);
    if (!slash) {
        mask = net >> 31 == 0 ? 0xff000000 : net >> 30 == 2 ? 0xffff0000 : 0xffffff00;
    } else if (strchr(slash + 1, '.')) {
        struct in_addr m;

        if (!address_parse("net", slash + 1, &m, e)) {
            return false;
        }
        mask = ntohl(m.s_addr);
        if (~mask & (~mask + 1)) {
            return err_set(e, "net: '%s' is not a mask", slash + 1);
        }
    } else {
        /* Three addresses and the DHCP range must find place in it. */
        if (!opts_parse_u64("net: length", slash + 1, 4, 27, &bits, e)) {
            return false;
        }
        mask = ~UINT32_C(0) << (32 - bits);
    }
    c->net.s_addr = htonl(net & mask);
    c->mask.s_addr = htonl(mask);
    return true;
}

/* The address of `key`, or net's number `dflt`; it must lie in net and be no other's. */
static bool member_read(const struct opts *o, const char *key, uint32_t dflt,
                        const struct user_config *c, struct in_addr *out, struct err *e)
{
    const char *text = opts_str(o, key, NULL);
    char shown[INET_ADDRSTRLEN];

    out->s_addr = htonl(ntohl(c->net.s_addr) | (dflt & ~ntohl(c->mask.s_addr)));
    if (text && !address_parse(key, text, out, e)) {
        return false;
    }
    if ((out->s_addr & c->mask.s_addr) != c->net.s_addr) {
        inet_ntop(AF_INET, &c->net, shown, sizeof shown);
        return err_set(e, "%s: %s is not in the network %s/%d", key, text, shown,
                       __builtin_popcount(c->mask.s_addr));
    }
    return true;
}

static bool ipv4_read(struct user_config *c, const struct opts *o, struct err *e)
{
    if (!net_parse(opts_str(o, "net", "10.0.2.0/24"), c, e) ||
        !member_read(o, "host", 2, c, &c->host, e) ||
        !member_read(o, "dns", 3, c, &c->dns, e) ||
        !member_read(o, "dhcpstart", 15, c, &c->dhcp_start, e)) {
        return false;
    }
    if (c->host.s_addr == c->dns.s_addr) {
        return err_set(e, "host and dns must be two addresses");
    }
    if (c->dhcp_start.s_addr == c->host.s_addr || c->dhcp_start.s_addr == c->dns.s_addr) {
        return err_set(e, "dhcpstart is the address of host or dns");
    }
    return true;
}

/* ---- IPv6 ----------------------------------------------------------------------------------- */

static bool address6_parse(const char *key, const char *text, struct in6_addr *out,
                           struct err *e)
{
    return inet_pton(AF_INET6, text, out) == 1 ||
           err_set(e, "%s: '%.60s' is not an IPv6 address", key, text);
}

static bool ipv6_read(struct user_config *c, const struct opts *o, struct err *e)
{
    const char *net = opts_str(o, "ipv6-net", opts_str(o, "ipv6-prefix", "fec0::"));
    const char *slash = strchr(net, '/'), *host, *dns;
    uint64_t bits;
    char addr[64];

    snprintf(addr, sizeof addr, "%.*s", (int)(slash ? slash - net : (long)strlen(net)), net);
    if (!address6_parse("ipv6-net", addr, &c->net6, e) ||
        !opts_u64(o, "ipv6-prefixlen", 64, 0, 126, &bits, e) ||
        (slash && !opts_parse_u64("ipv6-net: length", slash + 1, 0, 126, &bits, e))) {
        return false;
    }
    c->net6_bits = bits;
    c->host6 = c->dns6 = c->net6;
    c->host6.s6_addr[15] |= 2;
    c->dns6.s6_addr[15] |= 3;
    host = opts_str(o, "ipv6-host", NULL);
    dns = opts_str(o, "ipv6-dns", NULL);
    return (!host || address6_parse("ipv6-host", host, &c->host6, e)) &&
           (!dns || address6_parse("ipv6-dns", dns, &c->dns6, e));
}

/* ---- all ------------------------------------------------------------------------------------ */

bool user_config_read(struct user_config *c, const struct opts *o, struct err *e)
{
    unsigned n = 0;

    *c = (struct user_config){ 0 };
    if (!opts_bool(o, "ipv4", true, &c->ipv4, e) || !opts_bool(o, "ipv6", true, &c->ipv6, e) ||
        !opts_bool(o, "restrict", false, &c->restricted, e) || !ipv4_read(c, o, e) ||
        !ipv6_read(c, o, e)) {
        return false;
    }
    if (!c->ipv4 && !c->ipv6) {
        return err_set(e, "ipv4=off,ipv6=off leaves no network");
    }
    c->hostname = opts_str(o, "hostname", NULL);
    c->domain = opts_str(o, "domainname", NULL);
    c->tftp = opts_str(o, "tftp", NULL);
    c->bootfile = opts_str(o, "bootfile", NULL);
    c->tftp_server = opts_str(o, "tftp-server-name", NULL);
    while (opts_value_at(o, "dnssearch", n)) {
        if (n == USER_DNS_SEARCH_MAX) {
            return err_set(e, "dnssearch: at most %d", USER_DNS_SEARCH_MAX);
        }
        c->dns_search[n] = opts_value_at(o, "dnssearch", n);
        n++;
    }
    return true;
}

/* ---- hostfwd -------------------------------------------------------------------------------- */

/* "[address]:port" up to `end`. */
static bool endpoint_parse(const char *rule, const char *at, const char *end, unsigned port_min,
                           struct in_addr *addr, unsigned *port, struct err *e)
{
    const char *colon = memchr(at, ':', end - at);
    char text[64];
    uint64_t v;

    if (!colon || end - at >= (long)sizeof text) {
        return err_set(e, "hostfwd '%.100s': not of the form "
                       "[tcp|udp]:[addr]:port-[addr]:port", rule);
    }
    snprintf(text, sizeof text, "%.*s", (int)(colon - at), at);
    if (colon > at && !address_parse("hostfwd", text, addr, e)) {
        return err_prefix(e, "'%.100s'", rule);
    }
    snprintf(text, sizeof text, "%.*s", (int)(end - colon - 1), colon + 1);
    if (!opts_parse_u64("port", text, port_min, 65535, &v, e)) {
        return err_prefix(e, "hostfwd '%.100s'", rule);
    }
    *port = v;
    return true;
}

bool user_hostfwd_parse(struct user_hostfwd *f, const char *rule, bool remove, struct err *e)
{
    const char *at = strchr(rule, ':');
    const char *dash = at && !remove ? strchr(at, '-') : rule + strlen(rule);
    size_t n = at ? (size_t)(at - rule) : 0;

    *f = (struct user_hostfwd){ 0 };
    if (!at || !dash || !(n == 0 || n == 3)) {
        return err_set(e, "hostfwd '%.100s': not of the form [tcp|udp]:[addr]:port%s", rule,
                       remove ? "" : "-[addr]:port");
    }
    if (n == 3 && strncmp(rule, "tcp", 3) && strncmp(rule, "udp", 3)) {
        return err_set(e, "hostfwd '%.100s': '%.3s' is neither tcp nor udp", rule, rule);
    }
    f->udp = n == 3 && rule[0] == 'u';
    f->host.s_addr = htonl(INADDR_ANY);
    if (!endpoint_parse(rule, at + 1, dash, 0, &f->host, &f->host_port, e)) {
        return false;
    }
    return remove || endpoint_parse(rule, dash + 1, rule + strlen(rule), 1, &f->guest,
                                    &f->guest_port, e);
}
