/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/trace.h"
#include "host/net/net.h"
#include "host/net/user.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a guest of a few frames ---------------------------------------------------------------- */

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

struct guest {
    struct loop *loop;
    struct net *net;
    uint8_t host_mac[6];
    bool full;                          /* takes nothing */
    uint8_t last[2048];                 /* the last IPv4 frame that came */
    size_t last_n;
    unsigned arps, frames;
};

static uint16_t sum16(const void *p, size_t n, uint32_t sum)
{
    const uint8_t *s = p;

    for (size_t i = 0; i < n; i++) {
        sum += i % 2 ? s[i] : s[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static void guest_send(struct guest *g, const uint8_t *frame, size_t n)
{
    struct iovec two[2] = { { (void *)frame, 7 }, { (void *)(frame + 7), n - 7 } };

    CHECK(net_send(g->net, two, 2));
}

static void guest_arp(struct guest *g, uint16_t op, const uint8_t *to_mac, const char *to_ip)
{
    uint8_t f[42] = { 0 };

    memcpy(f, op == ARPOP_REQUEST ? (const uint8_t *)"\xff\xff\xff\xff\xff\xff" : to_mac, 6);
    memcpy(f + 6, guest_mac, 6);
    memcpy(f + 12, "\x08\x06\0\x01\x08\0\x06\x04", 8);
    f[21] = op;
    memcpy(f + 22, guest_mac, 6);
    inet_pton(AF_INET, "10.0.2.15", f + 28);
    memcpy(f + 32, to_mac, 6);
    inet_pton(AF_INET, to_ip, f + 38);
    guest_send(g, f, sizeof f);
}

/* An IPv4 packet with a UDP datagram (or, proto 1, an ICMP message) in it. */
static void guest_ip(struct guest *g, uint8_t proto, const char *from, const char *to,
                     const void *payload, size_t n)
{
    uint8_t f[1514] = { 0 }, *ip = f + 14;
    uint16_t sum;

    memcpy(f, g->host_mac, 6);
    memcpy(f + 6, guest_mac, 6);
    f[12] = 8;
    ip[0] = 0x45;
    ip[2] = (20 + n) >> 8;
    ip[3] = (20 + n) & 0xff;
    ip[8] = 64;
    ip[9] = proto;
    inet_pton(AF_INET, from, ip + 12);
    inet_pton(AF_INET, to, ip + 16);
    sum = htons(sum16(ip, 20, 0));
    memcpy(ip + 10, &sum, 2);
    memcpy(ip + 20, payload, n);
    guest_send(g, f, MAX(34 + n, (size_t)60));
}

static bool receive(void *ctx, const uint8_t *frame, size_t n)
{
    struct guest *g = ctx;
    uint16_t type = frame[12] << 8 | frame[13];

    CHECK(loop_is_owner(g->loop));
    if (g->full) {
        return false;
    }
    g->frames++;
    if (type == ETHERTYPE_ARP && frame[21] == ARPOP_REQUEST) {
        memcpy(g->host_mac, frame + 22, 6);
        guest_arp(g, ARPOP_REPLY, frame + 22, "10.0.2.2");
    } else if (type == ETHERTYPE_ARP) {
        memcpy(g->host_mac, frame + 22, 6);
        g->arps++;
    } else if (type == ETHERTYPE_IP && n <= sizeof g->last) {
        memcpy(g->last, frame, n);
        g->last_n = n;
    }
    return true;
}

static struct net *make(struct loop *l, const char *netdev, struct err *e)
{
    struct opts *o = opts_create();
    struct net *n = NULL;

    if (opts_parse(o, netdev, "type", e)) {
        n = net_create(l, o, &trace_none, e);
    }
    opts_destroy(o);
    return n;
}

#define RUN_UNTIL(l, cond) do { while (!(cond)) loop_run_once(l, NS_PER_S / 50); } while (0)

/* ---- options -------------------------------------------------------------------------------- */

static void config(const char *text, const char *want)
{
    static struct user_config c;
    struct opts *o = opts_create();
    struct err e = { 0 };
    char got[512], a[4][INET_ADDRSTRLEN];

    CHECK(opts_parse(o, text, NULL, &e));
    if (user_config_read(&c, o, &e)) {
        inet_ntop(AF_INET, &c.net, a[0], sizeof a[0]);
        inet_ntop(AF_INET, &c.host, a[1], sizeof a[1]);
        inet_ntop(AF_INET, &c.dns, a[2], sizeof a[2]);
        inet_ntop(AF_INET, &c.dhcp_start, a[3], sizeof a[3]);
        snprintf(got, sizeof got, "%s/%d %s %s %s", a[0], __builtin_popcount(c.mask.s_addr), a[1],
                 a[2], a[3]);
    } else {
        snprintf(got, sizeof got, "%s", e.text);
    }
    CHECK(strstr(got, want), "%s: %s", text, got);
    opts_destroy(o);
}

static void test_options(struct loop *l)
{
    static const struct { const char *rule, *why; } rules[] = {
        { "tcp::2222-:22", NULL }, { "udp:127.0.0.1:53-10.0.2.15:53", NULL }, { "::1-:1", NULL },
        { "sctp::1-:1", "not of the form" }, { "icm::1-:1", "'icm' is neither" },
        { "tcp::2222", "not of the form" }, { "tcp::66666-:22", "port: 66666 is not within" },
        { "tcp::1-:0", "port: 0 is not within" }, { "tcp:x:1-:1", "'x' is not an IPv4 address" },
        { "tcp::1-:x", "port: 'x' is not a number" }, { "", "not of the form" },
    };
    struct err e = { 0 };

    config("", "10.0.2.0/24 10.0.2.2 10.0.2.3 10.0.2.15");
    config("net=192.168.76.0/24,dhcpstart=192.168.76.9",
           "192.168.76.0/24 192.168.76.2 192.168.76.3 192.168.76.9");
    config("net=10.0.0.0", "10.0.0.0/8 10.0.0.2");
    config("net=172.16.5.0/255.255.255.0,host=172.16.5.1", "172.16.5.0/24 172.16.5.1 172.16.5.3");
    config("net=10.0.2.0/33", "length: 33 is not within");
    config("net=10.0.2.0/255.0.255.0", "not a mask");
    config("net=x", "'x' is not an IPv4 address");
    config("host=1.2.3.4", "host: 1.2.3.4 is not in the network 10.0.2.0/24");
    config("dns=10.0.2.2", "two addresses");
    config("dhcpstart=10.0.2.3", "dhcpstart is the address");
    config("ipv6-net=x", "'x' is not an IPv6 address");
    config("ipv4=off,ipv6=off", "leaves no network");
    for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
        struct user_hostfwd f;

        CHECK(user_hostfwd_parse(&f, rules[i].rule, false, &e) == !rules[i].why, "%s",
              rules[i].rule);
        CHECK(!rules[i].why || strstr(e.text, rules[i].why), "%s: %s", rules[i].rule, e.text);
    }
    CHECK(!make(l, "usr", &e) && strstr(e.text, "did you mean 'user'"), "%s", e.text);
    CHECK(!make(l, "tap,id=n0", &e) && strstr(e.text, "'tap' is one of QEMU's"), "%s", e.text);
    CHECK(!make(l, "user,nett=1", &e) && strstr(e.text, "'nett'; did you mean 'net'"), "%s",
          e.text);
    CHECK(!make(l, "user,id=n0,net=x", &e) && strstr(e.text, "network 'n0': net:"), "%s", e.text);
}

/* ---- traffic -------------------------------------------------------------------------------- */

static void test_ping_dhcp(struct guest *g)
{
    uint8_t icmp[16] = { 8 }, dhcp[8 + 300] = { 0 };
    uint16_t sum;

    guest_arp(g, ARPOP_REQUEST, (const uint8_t *)"\0\0\0\0\0\0", "10.0.2.2");
    RUN_UNTIL(g->loop, g->arps == 1);
    memcpy(icmp + 8, "pandopan", 8);
    sum = htons(sum16(icmp, sizeof icmp, 0));
    memcpy(icmp + 2, &sum, 2);
    g->last_n = 0;
    guest_ip(g, IPPROTO_ICMP, "10.0.2.15", "10.0.2.2", icmp, sizeof icmp);
    RUN_UNTIL(g->loop, g->last_n);
    CHECK(g->last[14 + 9] == IPPROTO_ICMP && g->last[34] == 0 &&
          !memcmp(g->last + 42, "pandopan", 8));

    memcpy(dhcp, "\0\x44\0\x43\x01\x34\0\0", 8);        /* port 68 to 67, 308 bytes, no sum */
    memcpy(dhcp + 8, "\x01\x01\x06\0pand", 8);          /* request, Ethernet, transaction */
    memcpy(dhcp + 8 + 28, guest_mac, 6);
    memcpy(dhcp + 8 + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);      /* DISCOVER */
    g->last_n = 0;
    guest_ip(g, IPPROTO_UDP, "0.0.0.0", "255.255.255.255", dhcp, sizeof dhcp);
    RUN_UNTIL(g->loop, g->last_n);
    CHECK(g->last[14 + 9] == IPPROTO_UDP && !memcmp(g->last + 42 + 4, "pand", 4));
    CHECK(!memcmp(g->last + 42 + 16, "\x0a\0\x02\x0f", 4));             /* offers 10.0.2.15 */
}

static unsigned free_port(int type)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, type, 0);

    CHECK(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    close(fd);
    return ntohs(a.sin_port);
}

static int host_connect(int type, unsigned port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(port) };
    int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    int rc = connect(fd, (struct sockaddr *)&a, sizeof a);

    CHECK(rc == 0 || type == SOCK_STREAM);
    return fd;
}

static void test_forward(struct guest *g, unsigned udp_port, unsigned tcp_port)
{
    int fd = host_connect(SOCK_DGRAM, udp_port);
    uint8_t reply[8 + 5] = { 0 };
    char buf[16], from[INET_ADDRSTRLEN];
    ssize_t n = -1;

    /* A datagram from the host comes in, and the answer goes back. */
    g->last_n = 0;
    CHECK(send(fd, "hello", 5, 0) == 5);
    RUN_UNTIL(g->loop, g->last_n);
    CHECK(!memcmp(g->last + 36, "\0\x35", 2) && !memcmp(g->last + 42, "hello", 5));
    memcpy(reply, g->last + 36, 2);
    memcpy(reply + 2, g->last + 34, 2);
    reply[5] = sizeof reply;
    memcpy(reply + 8, "world", 5);
    inet_ntop(AF_INET, g->last + 26, from, sizeof from);
    guest_ip(g, IPPROTO_UDP, "10.0.2.15", from, reply, sizeof reply);
    while ((n = recv(fd, buf, sizeof buf, 0)) < 0) {
        loop_run_once(g->loop, NS_PER_S / 50);
    }
    CHECK(n == 5 && !memcmp(buf, "world", 5));
    close(fd);

    /* A connection comes in as a SYN for port 22. */
    g->last_n = 0;
    fd = host_connect(SOCK_STREAM, tcp_port);
    RUN_UNTIL(g->loop, g->last_n && g->last[14 + 9] == IPPROTO_TCP);
    CHECK(!memcmp(g->last + 36, "\0\x16", 2) && g->last[34 + 13] == 0x02);
    close(fd);
}

/* What the guest has no room for waits until it says so. */
static void test_full(struct guest *g)
{
    uint8_t icmp[16] = { 8 };
    uint16_t sum = htons(sum16(icmp, sizeof icmp, 0));
    unsigned before;

    memcpy(icmp + 2, &sum, 2);
    for (int i = 0; i < 10; i++) {      /* let what is under way arrive first */
        loop_run_once(g->loop, NS_PER_S / 1000);
    }
    g->full = true;
    before = g->frames;
    for (int i = 0; i < 3; i++) {
        guest_ip(g, IPPROTO_ICMP, "10.0.2.15", "10.0.2.2", icmp, sizeof icmp);
        loop_run_once(g->loop, NS_PER_S / 1000);
    }
    CHECK(g->frames == before);
    g->full = false;
    net_accept_input(g->net);
    RUN_UNTIL(g->loop, g->frames >= before + 3);
}

int main(void)
{
    unsigned udp_port = free_port(SOCK_DGRAM), tcp_port = free_port(SOCK_STREAM);
    static const struct net_handlers handlers = { receive };
    struct guest g = { 0 };
    struct err e = { 0 };
    struct net *second;
    char text[256], *info;

    signal(SIGPIPE, SIG_IGN);
    g.loop = loop_create(&e);
    test_options(g.loop);
    snprintf(text, sizeof text, "user,id=n0,hostname=tree,hostfwd=udp:127.0.0.1:%u-:53,"
             "hostfwd=tcp:127.0.0.1:%u-10.0.2.15:22", udp_port, tcp_port);
    g.net = make(g.loop, text, &e);
    CHECK(g.net, "%s", e.text);
    if (!g.net) {
        return check_result();
    }
    net_attach(g.net, &handlers, &g);
    second = make(g.loop, text + 0, &e);
    snprintf(text, sizeof text, "port %u of 127.0.0.1: Address already in use", tcp_port);
    CHECK(!second && strstr(e.text, "Address already in use"), "%s", e.text);
    net_destroy(second);
    loop_run_once(g.loop, 0);
    test_ping_dhcp(&g);
    test_forward(&g, udp_port, tcp_port);
    test_full(&g);
    info = net_info(g.net);
    CHECK(info && strstr(info, "HOST_FORWARD"), "%s", info);
    free(info);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", tcp_port);
    CHECK(net_hostfwd_remove(g.net, text, &e), "%s", e.text);
    CHECK(!net_hostfwd_remove(g.net, text, &e) && strstr(e.text, "no such forwarding"));
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u-:22", tcp_port);
    CHECK(net_hostfwd_add(g.net, text, &e), "%s", e.text);
    CHECK(!net_hostfwd_add(g.net, text, &e));
    snprintf(text, sizeof text, "TCP port %u of 127.0.0.1: Address already in use", tcp_port);
    CHECK(strstr(e.text, text), "%s", e.text);
    loop_run_once(g.loop, 0);
    net_destroy(g.net);
    loop_destroy(g.loop);
    return check_result();
}
