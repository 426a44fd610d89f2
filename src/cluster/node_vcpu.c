/* SPDX-License-Identifier: Apache-2.0 */
/* vCPUs and MMIO regions of other nodes, as this node sees them: each operation is a message to
 * the node that has the real one. */
#include "cluster/node_priv.h"

#include "base/base.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "mem/space.h"
#include "vm/vm.h"

#include <pthread.h>
#include <stdio.h>

/* ---- MMIO ---- */

static uint64_t mmio_call(struct node *n, unsigned owner, uint64_t gpa, unsigned size, bool write,
                          uint64_t v, unsigned vcpu)
{
    uint8_t buf[40];
    struct wire_buf b = { buf, 0, sizeof buf };
    uint32_t call = node_call_open(n, owner, NULL);
    uint64_t value = 0;

    wire_put_u32(&b, call);
    wire_put_u32(&b, vcpu);
    wire_put_u64(&b, gpa);
    wire_put_u32(&b, size);
    if (write) {
        wire_put_u32(&b, 0);
        wire_put_u64(&b, v);
    }
    node_send(n, owner, WIRE_CALL, write ? WIRE_MMIO_WRITE : WIRE_MMIO_READ, &b);
    node_call_wait(n, call, &value);
    return size < 8 ? value & ((UINT64_C(1) << size * 8) - 1) : value;
}

static uint64_t proxy_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct proxy *p = ctx;

    return mmio_call(p->node, p->owner, p->gpa + off, size, false, 0, vcpu);
}

static void proxy_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct proxy *p = ctx;

    mmio_call(p->node, p->owner, p->gpa + off, size, true, v, vcpu);
}

static const struct mmio_ops proxy_mmio = { .read = proxy_read, .write = proxy_write };

const struct mmio_ops *node_mmio(struct node *n, unsigned owner, uint64_t gpa, void **ctx,
                                 struct err *e)
{
    struct proxy *p = NULL;

    mutex_lock(&n->proxy_lock);
    if (n->proxies_n < NODE_PROXIES_MAX) {
        p = &n->proxy[n->proxies_n++];
        *p = (struct proxy) { n, gpa, owner };
    }
    mutex_unlock(&n->proxy_lock);
    if (!p) {
        err_set(e, "more than %d MMIO regions of other nodes", NODE_PROXIES_MAX);
        return NULL;
    }
    *ctx = p;
    return &proxy_mmio;
}

static uint64_t fallback_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    return mmio_call(ctx, NODE_ROOT, off, size, false, 0, vcpu);
}

static void fallback_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    mmio_call(ctx, NODE_ROOT, off, size, true, v, vcpu);
}

const struct mmio_ops node_fallback_mmio = { .read = fallback_read, .write = fallback_write };

/* ---- vCPUs ---- */

static struct node *node_of(const struct vcpu *v)
{
    return v->engine;
}

static unsigned host_of(const struct vcpu *v)
{
    return node_of(v)->placement.vcpu_node[v->index];
}

static bool remote_start(struct vcpu *v, struct err *e)
{
    return true;        /* its node does */
}

static void remote_end(struct vcpu *v)
{
}

static void remote_kick(struct vcpu *v)
{
    uint8_t buf[4];
    struct wire_buf b = { buf, 0, sizeof buf };

    wire_put_u32(&b, v->index);
    node_send(node_of(v), host_of(v), WIRE_FAST, WIRE_KICK, &b);
}

static bool remote_power_on(struct vcpu *v, uint64_t entry, uint64_t context)
{
    struct node *n = node_of(v);
    uint8_t buf[24];
    struct wire_buf b = { buf, 0, sizeof buf };
    uint32_t call = node_call_open(n, host_of(v), NULL);
    uint64_t value = 0;

    wire_put_u32(&b, call);
    wire_put_u32(&b, v->index);
    wire_put_u64(&b, entry);
    wire_put_u64(&b, context);
    node_send(n, host_of(v), WIRE_CALL, WIRE_POWER_ON, &b);
    return node_call_wait(n, call, &value) && value;
}

static enum vcpu_power remote_power(struct vcpu *v)
{
    struct node *n = node_of(v);
    uint8_t buf[8];
    struct wire_buf b = { buf, 0, sizeof buf };
    uint32_t call = node_call_open(n, host_of(v), NULL);
    uint64_t value = 0;

    wire_put_u32(&b, call);
    wire_put_u32(&b, v->index);
    node_send(n, host_of(v), WIRE_CALL, WIRE_POWER, &b);
    if (!node_call_wait(n, call, &value) || value > VCPU_ON_PENDING) {
        return VCPU_OFF;
    }
    return (enum vcpu_power)value;
}

static void remote_reset(struct vcpu *v)
{
    /* its node does */
}

static void remote_set_line(struct vcpu *v, enum vcpu_line line, bool level)
{
    uint8_t buf[12];
    struct wire_buf b = { buf, 0, sizeof buf };

    wire_put_u32(&b, v->index);
    wire_put_u32(&b, line);
    wire_put_u32(&b, level);
    node_send(node_of(v), host_of(v), WIRE_FAST, WIRE_LINE, &b);
}

/* The calling thread's batch at node `to`; free: one that may be used.  maint_lock held. */
static struct maint_begun *begun_find(struct node *n, unsigned to, bool take)
{
    uint64_t self = (uint64_t)pthread_self();
    struct maint_begun *empty = NULL;

    for (unsigned i = 0; i < NODE_MAINT_BEGUN_MAX; i++) {
        struct maint_begun *g = &n->begun[i];

        if (g->thread == self && g->to == to) {
            return g;
        }
        if (!g->thread && !empty) {
            empty = g;
        }
    }
    return take ? empty : NULL;
}

static uint32_t maint_send(struct node *n, unsigned to, const struct vcpu_maint *m,
                           unsigned count)
{
    uint8_t buf[8 + sizeof *m * VCPU_MAINT_MAX];
    struct wire_buf b = { buf, 0, sizeof buf };
    uint32_t call = node_call_open(n, to, NULL);

    wire_put_u32(&b, call);
    wire_put_u32(&b, count);
    for (unsigned i = 0; i < count && i < VCPU_MAINT_MAX; i++) {
        for (unsigned k = 0; k < ARRAY_LEN(m[i].w); k++) {
            wire_put_u64(&b, m[i].w[k]);
        }
    }
    node_send(n, to, WIRE_CALL, WIRE_MAINT, &b);
    return call;
}

/* Maintenance is broadcast: who begins it on one vCPU of a node does so on all, in ascending
 * order.  One message a node serves them all, and the waits of the others find nothing left to
 * wait for.  A begin that is not above the last one is a new batch. */
static void remote_maint_begin(struct vcpu *v, const struct vcpu_maint *m, unsigned count)
{
    struct node *n = node_of(v);
    unsigned to = host_of(v);
    struct maint_begun *g;
    uint32_t old = 0;
    bool begun, again;

    mutex_lock(&n->maint_lock);
    g = begun_find(n, to, true);
    begun = g && g->thread;
    again = begun && v->index <= g->vcpu;
    if (again) {
        old = g->call;
    }
    if (g && (!begun || again)) {
        g->thread = (uint64_t)pthread_self();
        g->to = to;
        g->call = maint_send(n, to, m, count);
    }
    if (g) {
        g->vcpu = v->index;
    }
    mutex_unlock(&n->maint_lock);
    if (again) {
        node_call_wait(n, old, NULL);
    }
    if (!g) {
        node_call_wait(n, maint_send(n, to, m, count), NULL);
    }
}

static void remote_maint_wait(struct vcpu *v)
{
    struct node *n = node_of(v);
    struct maint_begun *g;
    uint32_t call = 0;
    bool waits;

    mutex_lock(&n->maint_lock);
    g = begun_find(n, host_of(v), false);
    waits = g != NULL;
    if (g) {
        call = g->call;
        g->thread = 0;
    }
    mutex_unlock(&n->maint_lock);
    if (waits) {
        node_call_wait(n, call, NULL);
    }
}

static void remote_drop_page(struct vcpu *v, uint64_t page, bool keep_read)
{
    /* The page's rights are each node's own. */
}

static int remote_print_state(struct vcpu *v, char *text, int len)
{
    struct node *n = node_of(v);
    uint8_t buf[8];
    struct wire_buf b = { buf, 0, sizeof buf };
    struct strbuf got = { 0 };
    uint32_t call = node_call_open(n, host_of(v), &got);
    int k;

    wire_put_u32(&b, call);
    wire_put_u32(&b, v->index);
    node_send(n, host_of(v), WIRE_CALL, WIRE_REGS, &b);
    node_call_wait(n, call, NULL);
    k = snprintf(text, len, "%s", got.text ? got.text : "");
    strbuf_free(&got);
    return k;
}

static const struct vcpu_ops remote_ops = {
    .start = remote_start, .end = remote_end, .kick = remote_kick,
    .power_on = remote_power_on, .power = remote_power, .reset = remote_reset,
    .set_line = remote_set_line, .maint_begin = remote_maint_begin,
    .maint_wait = remote_maint_wait, .drop_page = remote_drop_page,
    .print_state = remote_print_state,
};

void node_vcpu_make(struct node *n, struct vcpu *v)
{
    v->ops = &remote_ops;
    v->engine = n;
    v->poll = &n->poll[v->index];
}

bool node_vcpu_fast(struct node *n, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };
    uint32_t index = wire_get_u32(&b), line, level;
    struct vcpu *v;

    if (b.bad || index >= n->vm->vcpus_n || !node_vcpu_is_local(n, index)) {
        return false;
    }
    v = &n->vm->vcpu[index];
    if (f->type == WIRE_KICK) {
        v->ops->kick(v);
        return wire_is_complete(&b);
    }
    line = wire_get_u32(&b);
    level = wire_get_u32(&b);
    if (!wire_is_complete(&b) || line > VCPU_FIQ || level > 1) {
        return false;
    }
    v->ops->set_line(v, line, level);
    return true;
}
