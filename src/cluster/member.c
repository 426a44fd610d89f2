/* SPDX-License-Identifier: Apache-2.0 */
/* Membership: see member.h, and docs/cluster.md "Joining".
 *
 * A joiner's first link to the root carries HELLO and WELCOME and then becomes their FAST link.
 * Every other link is opened by the node with the higher number and begins with ATTACH, whose
 * cookie says that both belong to the same cluster. */
#include "cluster/member.h"

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mono.h"
#include "cluster/coh.h"
#include "cluster/link.h"
#include "cluster/lobby.h"
#include "cluster/placement.h"
#include "cluster/wire.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define COOKIE_BYTES 16
#define WELCOME_BYTES_MAX (MEMBER_MACHINE_MAX + (256u << 10))
#define LOOK_NS INT64_C(200000000)          /* how often the root looks whether all still live */

struct peer {
    struct link_addr addr;
    struct member_offer offer;
    char text[MEMBER_NAME_MAX + sizeof(struct link_addr) + 32];
    struct link *link[WIRE_CHANNEL_N];
};

struct member {
    unsigned self, nodes;
    struct link_secret *secret;
    struct lobby *lobby;
    struct link_addr listen;
    uint8_t cookie[COOKIE_BYTES];
    struct peer peer[COH_NODES_MAX];
    char *machine;
    struct placement placement;
};

/* ---- small things ---- */

static void peer_describe(struct member *m, unsigned i)
{
    struct peer *p = &m->peer[i];
    const char *colon = strchr(p->addr.host, ':');
    char text[sizeof p->text];

    snprintf(text, sizeof text, "node %u (%s%s%s%s%s:%u)", i, p->offer.name,
             p->offer.name[0] ? ", " : "", colon ? "[" : "", p->addr.host, colon ? "]" : "",
             p->addr.port);
    memcpy(p->text, text, sizeof text);
}

static struct member *member_new(unsigned self, unsigned nodes, const char *secret_path,
                                 struct err *e)
{
    struct member *m;

    if (nodes < 2 || nodes > COH_NODES_MAX) {
        err_set(e, "a cluster has 2 to %d nodes, not %u", COH_NODES_MAX, nodes);
        return NULL;
    }
    m = calloc(1, sizeof *m);
    if (!m) {
        err_set(e, "out of memory");
        return NULL;
    }
    m->self = self;
    m->nodes = nodes;
    if (secret_path && !(m->secret = link_secret_load(secret_path, e))) {
        free(m);
        return NULL;
    }
    return m;
}

void member_free(struct member *m)
{
    if (!m) {
        return;
    }
    lobby_close(m->lobby);
    for (unsigned i = 0; i < COH_NODES_MAX; i++) {
        for (unsigned c = 0; c < WIRE_CHANNEL_N; c++) {
            link_free(m->peer[i].link[c]);
        }
    }
    link_secret_free(m->secret);
    free(m->machine);
    free(m);
}

static bool listen_start(struct member *m, struct err *e)
{
    int fd = link_listen(&m->listen, m->secret != NULL, e);

    if (fd < 0) {
        return false;
    }
    m->lobby = lobby_open(fd, m->secret, e);
    return m->lobby != NULL;
}

static bool send_buf(struct link *l, uint8_t type, const struct wire_buf *b)
{
    struct iovec iov = { b->p, b->n };

    return !b->bad && link_send(l, type, 0, &iov, 1);
}

/* Tells the peer, too. */
static void refuse(struct link *l, const char *why)
{
    struct iovec iov = { (void *)why, strlen(why) };

    log_warn("cluster", "refused %s: %s", link_peer(l), why);
    link_send(l, WIRE_REFUSE, 0, &iov, 1);
}

/* ---- the mesh ---- */

/* A visitor that attaches: put its link where it belongs. */
static void take_attach(struct member *m, struct visitor *v)
{
    struct wire_buf b = { v->payload, 0, v->n };
    uint8_t cookie[COOKIE_BYTES];
    uint32_t node, channel;

    wire_get(&b, cookie, sizeof cookie);
    node = wire_get_u32(&b);
    channel = wire_get_u32(&b);
    if (v->type != WIRE_ATTACH || !wire_is_complete(&b)) {
        log_warn("cluster", "refused a connection: %s: it does not attach", link_peer(v->link));
    } else if (memcmp(cookie, m->cookie, sizeof cookie)) {
        refuse(v->link, "it belongs to another machine (-local-cpu: the command line differs)");
    } else if (node <= m->self || node >= m->nodes || channel >= WIRE_CHANNEL_N ||
               m->peer[node].link[channel]) {
        log_warn("cluster", "refused a connection: %s: says it is node %u, channel %u",
                 link_peer(v->link), node, channel);
    } else {
        m->peer[node].link[channel] = v->link;
        v->link = NULL;
    }
    link_free(v->link);
    free(v->payload);
}

static bool dial_peer(struct member *m, unsigned node, unsigned channel, int64_t deadline_ns,
                      struct err *e)
{
    uint8_t buf[COOKIE_BYTES + 8];
    struct wire_buf b = { buf, 0, sizeof buf };
    struct link *l = link_dial(&m->peer[node].addr, m->secret, deadline_ns, e);

    if (!l) {
        return err_prefix(e, "%s", m->peer[node].text);
    }
    wire_put(&b, m->cookie, sizeof m->cookie);
    wire_put_u32(&b, m->self);
    wire_put_u32(&b, channel);
    m->peer[node].link[channel] = l;
    return send_buf(l, WIRE_ATTACH, &b) ||
           err_set(e, "%s: %s", m->peer[node].text, link_why(l));
}

static unsigned missing(const struct member *m, unsigned *node)
{
    unsigned n = 0;

    for (unsigned i = m->self + 1; i < m->nodes; i++) {
        for (unsigned c = 0; c < WIRE_CHANNEL_N; c++) {
            if (!m->peer[i].link[c]) {
                *node = i;
                n++;
            }
        }
    }
    return n;
}

/* All links that do not exist yet: dials the lower nodes, waits for the higher. */
static bool mesh(struct member *m, struct err *e)
{
    int64_t deadline = mono_now_ns() + MEMBER_MESH_NS;
    unsigned node = 0;

    for (unsigned i = 0; i < m->self; i++) {
        for (unsigned c = 0; c < WIRE_CHANNEL_N; c++) {
            if (!m->peer[i].link[c] && !dial_peer(m, i, c, deadline, e)) {
                return false;
            }
        }
    }
    while (missing(m, &node)) {
        struct visitor v;

        if (!lobby_take(m->lobby, &v, deadline)) {
            return err_set(e, "%s has not connected within %d s", m->peer[node].text,
                           (int)(MEMBER_MESH_NS / NS_PER_S));
        }
        take_attach(m, &v);
    }
    lobby_close(m->lobby);
    m->lobby = NULL;
    return true;
}

/* ---- root ---- */

static bool take_hello(struct member *m, unsigned node, struct visitor *v)
{
    struct peer *p = &m->peer[node];
    struct wire_buf b = { v->payload, 0, v->n };
    struct member_offer o = { 0 };
    uint32_t port;

    wire_get_str(&b, o.name, sizeof o.name);
    o.cpus = wire_get_u32(&b);
    o.memory_bytes = wire_get_u64(&b);
    port = wire_get_u32(&b);
    for (char *c = o.name; *c; c++) {
        *c = *c > 32 && *c < 127 ? *c : '?';    /* it will be printed */
    }
    if (v->type != WIRE_HELLO || !wire_is_complete(&b) || !port || port > 65535) {
        refuse(v->link, "what it says is no hello");
    } else if (o.cpus > VCPU_MAX || o.memory_bytes > UINT64_C(1) << 46) {
        refuse(v->link, "it offers too many CPUs or too much memory");
    } else if (link_peer_addr(v->link, &p->addr, NULL)) {
        p->addr.port = port;
        p->offer = o;
        p->link[WIRE_FAST] = v->link;
        peer_describe(m, node);
        log_info("cluster", "%s has joined, %u to come", p->text, m->nodes - 1 - node);
        free(v->payload);
        return true;
    }
    link_free(v->link);
    free(v->payload);
    return false;
}

/* Forgets nodes that left while we waited for others. */
static unsigned sweep(struct member *m, unsigned have)
{
    for (unsigned i = 1; i < have; i++) {
        struct peer *p = &m->peer[i];

        if (!link_is_alive(p->link[WIRE_FAST])) {
            log_warn("cluster", "%s has left again", p->text);
            link_free(p->link[WIRE_FAST]);
            memmove(p, p + 1, (have - i - 1) * sizeof *p);
            have--;
            memset(&m->peer[have], 0, sizeof m->peer[have]);
            for (unsigned k = i; k < have; k++) {
                peer_describe(m, k);
            }
            i--;
        }
    }
    return have;
}

struct member *member_root(const char *listen_text, unsigned nodes, const char *secret_path,
                           struct err *e)
{
    struct member *m = member_new(0, nodes, secret_path, e);
    unsigned have = 1;

    if (!m) {
        return NULL;
    }
    if (!link_addr_parse(&m->listen, listen_text, 0, e) || !listen_start(m, e) ||
        getrandom(m->cookie, sizeof m->cookie, 0) != sizeof m->cookie) {
        err_prefix(e, "-cluster");
        member_free(m);
        return NULL;
    }
    gethostname(m->peer[0].offer.name, MEMBER_NAME_MAX - 1);
    m->peer[0].addr = m->listen;
    peer_describe(m, 0);
    log_info("cluster", "waiting for %u node%s; on each: pando join %s%s:%u%s", nodes - 1,
             nodes == 2 ? "" : "s", strchr(m->listen.host, ':') ? "(address of) " : "",
             m->listen.host, m->listen.port, secret_path ? " --secret FILE" : "");
    while (have < nodes) {
        struct visitor v;

        if (lobby_take(m->lobby, &v, mono_now_ns() + LOOK_NS) && take_hello(m, have, &v)) {
            have++;
        }
        have = sweep(m, have);
    }
    return m;
}

const struct member_offer *member_offer(const struct member *m, unsigned node)
{
    assert(node < m->nodes);
    return &m->peer[node].offer;
}

static bool send_welcome(struct member *m, unsigned node, const char *machine,
                         const struct placement *p, uint8_t *buf, struct err *e)
{
    struct wire_buf b = { buf, 0, WELCOME_BYTES_MAX };

    wire_put(&b, m->cookie, sizeof m->cookie);
    wire_put_u32(&b, node);
    wire_put_u32(&b, m->nodes);
    for (unsigned i = 0; i < m->nodes; i++) {
        wire_put_str(&b, m->peer[i].offer.name);
        wire_put_str(&b, m->peer[i].addr.host);
        wire_put_u32(&b, m->peer[i].addr.port);
    }
    placement_put(p, &b);
    wire_put_str(&b, machine);
    return send_buf(m->peer[node].link[WIRE_FAST], WIRE_WELCOME, &b) ||
           err_set(e, "%s: %s", m->peer[node].text, link_why(m->peer[node].link[WIRE_FAST]));
}

bool member_root_start(struct member *m, const char *machine, const struct placement *p,
                       struct err *e)
{
    uint8_t *buf = malloc(WELCOME_BYTES_MAX);
    bool good = buf != NULL;

    assert(placement_is_valid(p) && p->nodes == m->nodes);
    if (!good) {
        return err_set(e, "out of memory");
    }
    if (strlen(machine) >= MEMBER_MACHINE_MAX) {
        good = err_set(e, "the machine's description is longer than %u bytes",
                       MEMBER_MACHINE_MAX);
    }
    m->placement = *p;
    for (unsigned i = 1; good && i < m->nodes; i++) {
        good = send_welcome(m, i, machine, p, buf, e);
    }
    free(buf);
    return good && mesh(m, e);
}

/* ---- join ---- */

static bool send_hello(struct member *m, struct link *l, const struct member_offer *o,
                       struct err *e)
{
    uint8_t buf[MEMBER_NAME_MAX + 32];
    struct wire_buf b = { buf, 0, sizeof buf };

    wire_put_str(&b, o->name);
    wire_put_u32(&b, o->cpus);
    wire_put_u64(&b, o->memory_bytes);
    wire_put_u32(&b, m->listen.port);
    return send_buf(l, WIRE_HELLO, &b) || err_set(e, "%s: %s", link_peer(l), link_why(l));
}

static bool take_welcome(struct member *m, const struct link_frame *f, struct err *e)
{
    struct wire_buf b = { f->payload, 0, f->n };
    struct link_addr root = m->peer[0].addr;
    uint32_t self, nodes;

    if (f->type == WIRE_REFUSE) {
        return err_set(e, "the root refuses us: %.*s", (int)MIN(f->n, 200u), (char *)f->payload);
    }
    wire_get(&b, m->cookie, sizeof m->cookie);
    self = wire_get_u32(&b);
    nodes = wire_get_u32(&b);
    if (f->type != WIRE_WELCOME || b.bad || self < 1 || self >= nodes || nodes > COH_NODES_MAX) {
        return err_set(e, "what the root says is no welcome");
    }
    m->self = self;
    m->nodes = nodes;
    for (unsigned i = 0; i < nodes; i++) {
        struct peer *p = &m->peer[i];

        wire_get_str(&b, p->offer.name, sizeof p->offer.name);
        wire_get_str(&b, p->addr.host, sizeof p->addr.host);
        p->addr.port = wire_get_u32(&b);
        if (i == 0) {
            p->addr = root;         /* as we reached it */
        }
        peer_describe(m, i);
    }
    if (!placement_get(&m->placement, &b) || m->placement.nodes != nodes ||
        !(m->machine = malloc(MEMBER_MACHINE_MAX))) {
        return err_set(e, "what the root says is no welcome");
    }
    wire_get_str(&b, m->machine, MEMBER_MACHINE_MAX);
    return wire_is_complete(&b) || err_set(e, "what the root says is no welcome");
}

static bool join(struct member *m, const struct member_offer *offer, int64_t patience_ns,
                 struct err *e)
{
    struct link_frame f;
    struct link *l = link_dial(&m->peer[0].addr, m->secret, mono_now_ns() + patience_ns, e);

    if (!l) {
        return false;
    }
    m->peer[0].link[WIRE_FAST] = l;
    if (!link_local_addr(l, &m->listen, e)) {
        return false;
    }
    m->listen.port = 0;
    if (!listen_start(m, e) || !send_hello(m, l, offer, e)) {
        return false;
    }
    log_info("cluster", "joined %s, waiting for the machine to start", link_peer(l));
    if (!link_recv(l, &f)) {
        return err_set(e, "%s: %s", link_peer(l), link_why(l));
    }
    return take_welcome(m, &f, e) && mesh(m, e);
}

struct member *member_join(const char *root_text, const char *secret_path,
                           const struct member_offer *offer, int64_t patience_ns, struct err *e)
{
    struct member *m = member_new(1, 2, secret_path, e);

    if (!m) {
        return NULL;
    }
    if (!link_addr_parse(&m->peer[0].addr, root_text, 0, e) ||
        !join(m, offer, patience_ns, e)) {
        err_prefix(e, "join %s", root_text);
        member_free(m);
        return NULL;
    }
    return m;
}

/* ---- static ---- */

static bool parse_iplist(struct member *m, const char *iplist, struct err *e)
{
    const char *p = iplist;
    unsigned n = 0;

    for (;;) {
        char one[256];
        size_t len;

        p += strspn(p, " ,\t");
        len = strcspn(p, " ,\t");
        if (!len) {
            break;
        }
        if (n == m->nodes || len >= sizeof one) {
            n++;
            break;
        }
        memcpy(one, p, len);
        one[len] = 0;
        if (!link_addr_parse(&m->peer[n].addr, one, MEMBER_STATIC_PORT + n, e)) {
            return false;
        }
        peer_describe(m, n++);
        p += len;
    }
    if (n != m->nodes) {
        return err_set(e, "iplist=\"%s\" must name %u addresses, one a node", iplist, m->nodes);
    }
    return true;
}

/* Not a secret: it only tells different command lines apart. */
static void cookie_of(const char *text, uint8_t *cookie)
{
    uint64_t h[2] = { UINT64_C(14695981039346656037), UINT64_C(0x9e3779b97f4a7c15) };

    for (; *text; text++) {
        h[0] = (h[0] ^ (uint8_t)*text) * UINT64_C(1099511628211);
        h[1] = (h[1] + (uint8_t)*text) * UINT64_C(6364136223846793005);
    }
    memcpy(cookie, h, COOKIE_BYTES);
}

struct member *member_static(const char *iplist, unsigned self, unsigned nodes,
                             const char *secret_path, const char *machine, struct err *e)
{
    struct member *m = member_new(self, nodes, secret_path, e);

    if (!m) {
        return NULL;
    }
    assert(self < nodes);
    cookie_of(machine, m->cookie);
    if (!parse_iplist(m, iplist, e)) {
        err_prefix(e, "-local-cpu");
        member_free(m);
        return NULL;
    }
    m->listen = m->peer[self].addr;
    if (!listen_start(m, e) || !mesh(m, e)) {
        err_prefix(e, "-local-cpu");
        member_free(m);
        return NULL;
    }
    return m;
}

/* ---- facts ---- */

unsigned member_self(const struct member *m)
{
    return m->self;
}

unsigned member_nodes(const struct member *m)
{
    return m->nodes;
}

const char *member_name(const struct member *m, unsigned node)
{
    return node < m->nodes ? m->peer[node].text : "nobody";
}

struct link *member_link(const struct member *m, unsigned node, unsigned channel)
{
    assert(node < m->nodes && channel < WIRE_CHANNEL_N);
    return m->peer[node].link[channel];
}

const char *member_machine(const struct member *m)
{
    return m->machine;
}

const struct placement *member_placement(const struct member *m)
{
    return &m->placement;
}
