/* SPDX-License-Identifier: Apache-2.0 */
/* virtio network device: virtio 1.2, section 5.1.  One pair of queues and a control queue; no
 * offloads, so frames go to the host and come from it as they are. */
#include "base/base.h"
#include "host/net/net.h"
#include "pando/device.h"

#include <stdlib.h>
#include <string.h>

/* 5.1.3 */
enum {
    NET_F_MAC = 5, NET_F_MRG_RXBUF = 15, NET_F_STATUS = 16, NET_F_CTRL_VQ = 17,
    NET_F_CTRL_RX = 18, NET_F_CTRL_VLAN = 19, NET_F_CTRL_RX_EXTRA = 20,
    NET_F_CTRL_MAC_ADDR = 23,
};
enum { Q_RX, Q_TX, Q_CTRL, QUEUES_N };
enum { STATUS_LINK_UP = 1 };

#define RX_CHAINS_MAX 64            /* buffers that one frame is spread over */
#define TX_BATCH_MAX 256            /* frames before others get their turn */
#define CTRL_BATCH_MAX 64
#define MAC_TABLE_MAX 64            /* addresses of each kind; more: all are let in */
#define VLANS_N 4096
#define VLAN_TPID 0x8100
#define FRAME_MIN 14

/* 5.1.6; legacy drivers without MRG_RXBUF leave num_buffers out. */
struct net_header {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
#define LEGACY_HEADER_BYTES 10

/* 5.1.4 */
struct net_config {
    uint8_t mac[6];
    uint16_t status, max_virtqueue_pairs, mtu;
};

/* 5.1.6.5.1, in the order of the commands. */
enum { RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST, RX_MODES_N };

struct mac_table {
    uint8_t mac[MAC_TABLE_MAX][6];
    uint32_t n;
    bool overflow;
};

struct virtio_net {
    struct virtio_device v;
    struct net *net;
    uint8_t mac_option[6];
    uint16_t queue_size;
    uint8_t mac[6];
    uint8_t rx_mode[RX_MODES_N];
    struct mac_table uni, multi;
    uint64_t vlans[VLANS_N / 64];
    bool rx_waits;                  /* the host has a frame, and there was no buffer */
    uint8_t frame[NET_FRAME_BYTES_MAX];
};

static struct virtio_net *from(struct virtio_device *v)
{
    return CONTAINER_OF(v, struct virtio_net, v);
}

static uint32_t header_bytes(const struct virtio_net *s)
{
    return s->v.modern || virtio_has(&s->v, NET_F_MRG_RXBUF) ? sizeof(struct net_header)
                                                             : LEGACY_HEADER_BYTES;
}

/* ---- receiving ------------------------------------------------------------------------- */

static bool in_table(const struct mac_table *t, const uint8_t *mac)
{
    for (uint32_t i = 0; i < t->n; i++) {
        if (!memcmp(t->mac[i], mac, 6)) {
            return true;
        }
    }
    return t->overflow;
}

/* 5.1.6.5.1 to 5.1.6.5.3: does the driver want this frame? */
static bool rx_wanted(const struct virtio_net *s, const uint8_t *frame, size_t n_bytes)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    unsigned vlan;

    if (s->rx_mode[RX_PROMISC]) {
        return true;
    }
    if (virtio_has(&s->v, NET_F_CTRL_VLAN) && n_bytes >= 16 &&
        (frame[12] << 8 | frame[13]) == VLAN_TPID) {
        vlan = (frame[14] << 8 | frame[15]) & (VLANS_N - 1);
        if (!(s->vlans[vlan / 64] >> vlan % 64 & 1)) {
            return false;
        }
    }
    if (!memcmp(frame, broadcast, 6)) {
        return !s->rx_mode[RX_NOBCAST];
    }
    if (frame[0] & 1) {
        return !s->rx_mode[RX_NOMULTI] &&
               (s->rx_mode[RX_ALLMULTI] || in_table(&s->multi, frame));
    }
    return !s->rx_mode[RX_NOUNI] && (s->rx_mode[RX_ALLUNI] || !memcmp(frame, s->mac, 6) ||
                                     in_table(&s->uni, frame));
}

/* Takes chains until `bytes` fit.  0: there are not enough yet, none is held. */
static unsigned rx_take(struct virtio_net *s, uint32_t bytes, struct virtq_chain **chain)
{
    struct virtqueue *q = &s->v.vq[Q_RX];
    unsigned n = 0, chains_max = virtio_has(&s->v, NET_F_MRG_RXBUF) ? RX_CHAINS_MAX : 1;
    enum virtq_result r = VIRTQ_OK;
    uint64_t room = 0;

    while (room < bytes && n < chains_max && (r = virtq_pop(q, &chain[n])) == VIRTQ_OK) {
        uint32_t in_bytes = chain[n++]->in_bytes;

        room += in_bytes;
        if (in_bytes < header_bytes(s)) {
            r = VIRTQ_BROKEN;
            break;
        }
    }
    if (r == VIRTQ_OK && room >= bytes) {
        return n;
    }
    while (n) {
        virtq_unpop(q, chain[--n]);
    }
    if (r != VIRTQ_EMPTY) {
        virtio_break(&s->v, "a receive buffer that is malformed or too small");
    }
    return 0;
}

static void rx_deliver(struct virtio_net *s, const uint8_t *frame, uint32_t n_bytes,
                       struct virtq_chain **chain, unsigned n)
{
    struct net_header h = { .num_buffers = n };
    struct virtqueue *q = &s->v.vq[Q_RX];
    uint32_t skip = header_bytes(s);
    bool ok = virtq_copy_in(q, chain[0], 0, &h, skip);

    for (unsigned i = 0; i < n; i++) {
        uint32_t part = MIN(n_bytes, chain[i]->in_bytes - skip);

        ok = ok && virtq_copy_in(q, chain[i], skip, frame, part) &&
             virtq_push_at(q, chain[i], skip + part, i);
        frame += part;
        n_bytes -= part;
        skip = 0;
        virtq_free(chain[i]);
    }
    if (!ok || !virtq_push_show(q, n)) {
        virtio_break(&s->v, "a receive buffer outside of memory");
        return;
    }
    virtio_notify(&s->v, Q_RX);
}

/* true: taken (or not wanted by anybody); false: offer it again. */
static bool rx_frame(struct virtio_net *s, const uint8_t *frame, size_t n_bytes)
{
    struct virtq_chain *chain[RX_CHAINS_MAX];
    unsigned n;

    if (!virtio_is_running(&s->v) || !s->v.vq[Q_RX].ready || n_bytes < FRAME_MIN ||
        n_bytes > NET_FRAME_BYTES_MAX || !rx_wanted(s, frame, n_bytes)) {
        return true;
    }
    n = rx_take(s, header_bytes(s) + n_bytes, chain);
    if (!n) {
        /* Ask for a kick, and look once more: a buffer may have come before we asked. */
        virtq_kicks_enable(&s->v.vq[Q_RX], true);
        n = virtio_is_running(&s->v) ? rx_take(s, header_bytes(s) + n_bytes, chain) : 0;
    }
    if (!n) {
        s->rx_waits = virtio_is_running(&s->v);
        return !s->rx_waits;
    }
    rx_deliver(s, frame, n_bytes, chain, n);
    return true;
}

static bool net_on_receive(void *ctx, const uint8_t *frame, size_t n_bytes)
{
    struct virtio_net *s = ctx;
    bool taken;

    device_lock(&s->v.dev);
    taken = rx_frame(s, frame, n_bytes);
    device_unlock(&s->v.dev);
    return taken;
}

static void rx_kick(struct virtio_net *s)
{
    virtq_kicks_enable(&s->v.vq[Q_RX], false);      /* until there is a frame without a buffer */
    if (s->rx_waits) {
        s->rx_waits = false;
        net_accept_input(s->net);
    }
}

/* ---- sending --------------------------------------------------------------------------- */

/* false: the queue is empty or broken. */
static bool tx_one(struct virtio_net *s)
{
    struct virtqueue *q = &s->v.vq[Q_TX];
    uint32_t skip = header_bytes(s), n_bytes;
    struct virtq_chain *c;
    struct iovec iov;
    bool ok = true;

    switch (virtq_pop(q, &c)) {
    case VIRTQ_EMPTY:
        return false;
    case VIRTQ_BROKEN:
        virtio_break(&s->v, "a malformed chain to send");
        return false;
    case VIRTQ_OK:
        break;
    }
    if (c->out_bytes < skip) {
        ok = false;
    } else if ((n_bytes = c->out_bytes - skip) >= FRAME_MIN && n_bytes <= NET_FRAME_BYTES_MAX) {
        ok = virtq_copy_out(q, c, skip, s->frame, n_bytes);
        if (ok) {
            iov = (struct iovec){ s->frame, n_bytes };
            net_send(s->net, &iov, 1);      /* a network may lose frames */
        }
    }
    if (!ok || !virtq_push(q, c, 0)) {
        virtio_break(&s->v, "a frame without header or outside of memory");
        ok = false;
    }
    virtq_free(c);
    return ok;
}

static void tx_kick(struct virtio_net *s)
{
    struct virtqueue *q = &s->v.vq[Q_TX];
    unsigned n = 0;

    virtq_kicks_enable(q, false);
    while (n < TX_BATCH_MAX && tx_one(s)) {
        n++;
    }
    if (n) {
        virtio_notify(&s->v, Q_TX);
    }
    virtq_kicks_enable(q, true);
    if (virtio_is_running(&s->v) && !virtq_is_empty(q)) {
        virtio_kick(&s->v, Q_TX);
    }
}

/* ---- control --------------------------------------------------------------------------- */

enum { CTRL_RX = 0, CTRL_MAC = 1, CTRL_VLAN = 2 };
enum { MAC_TABLE_SET = 0, MAC_ADDR_SET = 1 };
enum { VLAN_ADD = 0, VLAN_DEL = 1 };

struct ctrl {
    const struct virtqueue *q;
    const struct virtq_chain *chain;
    uint32_t off;
};

static bool ctrl_take(struct ctrl *c, void *buf, uint32_t n)
{
    if (!virtq_copy_out(c->q, c->chain, c->off, buf, n)) {
        return false;
    }
    c->off += n;
    return true;
}

/* 5.1.6.5.2: le32 entries, then 6 bytes each. */
static bool ctrl_mac_table(struct ctrl *c, struct mac_table *t)
{
    struct mac_table new = { .n = 0 };
    uint32_t n;

    if (!ctrl_take(c, &n, 4) || n > (c->chain->out_bytes - c->off) / 6) {
        return false;
    }
    if (n > MAC_TABLE_MAX) {
        new.overflow = true;
        c->off += n * 6;
    } else {
        new.n = n;
        if (n && !ctrl_take(c, new.mac, n * 6)) {
            return false;
        }
    }
    *t = new;
    return true;
}

static bool ctrl_do(struct virtio_net *s, struct ctrl *c)
{
    uint8_t class_cmd[2], on;
    uint16_t vlan;

    if (!ctrl_take(c, class_cmd, 2)) {
        return false;
    }
    switch (class_cmd[0] << 8 | class_cmd[1]) {
    case CTRL_MAC << 8 | MAC_TABLE_SET:
        return ctrl_mac_table(c, &s->uni) && ctrl_mac_table(c, &s->multi);
    case CTRL_MAC << 8 | MAC_ADDR_SET:
        return ctrl_take(c, s->mac, 6);
    case CTRL_VLAN << 8 | VLAN_ADD:
    case CTRL_VLAN << 8 | VLAN_DEL:
        if (!ctrl_take(c, &vlan, 2) || vlan >= VLANS_N) {
            return false;
        }
        s->vlans[vlan / 64] &= ~(UINT64_C(1) << vlan % 64);
        s->vlans[vlan / 64] |= (uint64_t)(class_cmd[1] == VLAN_ADD) << vlan % 64;
        return true;
    }
    if (class_cmd[0] == CTRL_RX && class_cmd[1] < RX_MODES_N && ctrl_take(c, &on, 1)) {
        s->rx_mode[class_cmd[1]] = on;
        return true;
    }
    return false;
}

static void ctrl_kick(struct virtio_net *s)
{
    struct virtqueue *q = &s->v.vq[Q_CTRL];
    enum virtq_result r = VIRTQ_EMPTY;
    struct virtq_chain *chain;
    unsigned n;

    for (n = 0; n < CTRL_BATCH_MAX && (r = virtq_pop(q, &chain)) == VIRTQ_OK; n++) {
        struct ctrl c = { q, chain, 0 };
        uint8_t ack = ctrl_do(s, &c) ? 0 : 1;
        bool ok = virtq_copy_in(q, chain, 0, &ack, 1) && virtq_push(q, chain, 1);

        virtq_free(chain);
        if (!ok) {
            r = VIRTQ_BROKEN;
            break;
        }
    }
    if (r == VIRTQ_BROKEN) {
        virtio_break(&s->v, "a malformed control command");
        return;
    }
    if (n) {
        virtio_notify(&s->v, Q_CTRL);
    }
    virtq_kicks_enable(q, true);
    if (!virtq_is_empty(q)) {
        virtio_kick(&s->v, Q_CTRL);
    }
}

static void net_kick(struct virtio_device *v, unsigned q)
{
    switch (q) {
    case Q_RX: rx_kick(from(v)); break;
    case Q_TX: tx_kick(from(v)); break;
    case Q_CTRL: ctrl_kick(from(v)); break;
    }
}

/* ---- configuration, class --------------------------------------------------------------- */

static void net_config_read(struct virtio_device *v, void *config)
{
    struct net_config *c = config;

    *c = (struct net_config){ .status = STATUS_LINK_UP, .max_virtqueue_pairs = 1 };
    memcpy(c->mac, from(v)->mac, 6);
}

/* 5.1.4.2: only legacy drivers write here, byte by byte. */
static void net_config_write(struct virtio_device *v, unsigned off, unsigned size, uint64_t val)
{
    if (!v->modern && off + size <= sizeof from(v)->mac) {
        memcpy(from(v)->mac + off, &val, size);
    }
}

static void net_reset(struct virtio_device *v)
{
    struct virtio_net *s = from(v);

    memcpy(s->mac, s->mac_option, 6);
    memset(s->rx_mode, 0, sizeof s->rx_mode);
    s->rx_mode[RX_PROMISC] = 1;     /* until the driver says otherwise (5.1.6.5.1.2) */
    s->uni.n = s->multi.n = 0;
    s->uni.overflow = s->multi.overflow = false;
    memset(s->vlans, 0, sizeof s->vlans);
    rx_kick(s);                     /* lets what waits be dropped */
}

static const struct virtio_kind net_kind = {
    .device_id = 1,
    .config_bytes = sizeof(struct net_config),
    .config_read = net_config_read,
    .config_write = net_config_write,
    .kick = net_kick,
    .reset = net_reset,
};

static const struct net_handlers net_handlers = { .receive = net_on_receive };

static bool net_realize(struct device *d, struct err *e)
{
    struct virtio_net *s = from(virtio_from(d));

    if (!s->net) {
        return err_set(e, "netdev=ID is needed");
    }
    memcpy(s->mac, s->mac_option, 6);
    if (!virtio_init(&s->v, QUEUES_N, s->queue_size,
                     VIRTIO_BIT(NET_F_MAC) | VIRTIO_BIT(NET_F_MRG_RXBUF) |
                     VIRTIO_BIT(NET_F_STATUS) | VIRTIO_BIT(NET_F_CTRL_VQ) |
                     VIRTIO_BIT(NET_F_CTRL_RX) | VIRTIO_BIT(NET_F_CTRL_VLAN) |
                     VIRTIO_BIT(NET_F_CTRL_RX_EXTRA) | VIRTIO_BIT(NET_F_CTRL_MAC_ADDR), e)) {
        return false;
    }
    net_attach(s->net, &net_handlers, s);
    return true;
}

static void net_unrealize(struct device *d)
{
    net_attach(from(virtio_from(d))->net, NULL, NULL);
}

static bool net_after_load(struct device *d, struct err *e)
{
    struct virtio_net *s = from(virtio_from(d));

    if (s->uni.n > MAC_TABLE_MAX || s->multi.n > MAC_TABLE_MAX) {
        return err_set(e, "a table of addresses is too long");
    }
    return true;
}

static const struct device_option net_options[] = {
    OPTION("netdev", struct virtio_net, net, OPTION_NET, NULL, "the network"),
    OPTION("mac", struct virtio_net, mac_option, OPTION_MAC, "52:54:00:12:34:56",
           "the card's address"),
    OPTION("queue-size", struct virtio_net, queue_size, OPTION_U16, "256",
           "entries of each queue"),
    { 0 },
};

static const struct device_state mac_table_state[] = {
    { .name = "mac", .type = DEVICE_U8, .off = offsetof(struct mac_table, mac), .size = 1,
      .count = MAC_TABLE_MAX * 6 },
    STATE(struct mac_table, n),
    STATE(struct mac_table, overflow),
    { 0 },
};

static const struct device_state net_state[] = {
    STATE_ARRAY(struct virtio_net, mac),
    STATE_ARRAY(struct virtio_net, rx_mode),
    STATE_STRUCT(struct virtio_net, uni, mac_table_state),
    STATE_STRUCT(struct virtio_net, multi, mac_table_state),
    STATE_ARRAY(struct virtio_net, vlans),
    { 0 },
};

extern const struct device_class virtio_net_class;
const struct device_class virtio_net_class = {
    .name = "virtio-net-device",
    .about = "virtio network card",
    .bus = "virtio-bus",
    .user = true,
    .version = 1,
    .size = sizeof(struct virtio_net),
    .options = net_options,
    .state = net_state,
    .realize = net_realize,
    .unrealize = net_unrealize,
    .after_load = net_after_load,
    .kind = &net_kind,
};
