/* SPDX-License-Identifier: Apache-2.0 */
/* A node at work: see node.h, and docs/cluster.md "Life and death of a machine". */
#include "cluster/node_priv.h"

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mono.h"
#include "base/strbuf.h"
#include "cluster/member.h"
#include "cluster/pages.h"
#include "mem/space.h"
#include "vm/irq.h"
#include "vm/vm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_NS INT64_C(250000000)
#define FIRST_BEAT_NS INT64_C(60000000000)      /* a node may be that long in building */
#define LEAVE_NS INT64_C(2000000000)            /* how long the root waits for goodbyes */
#define SPIN_NS 30000
#define RECEIVER_SLICE_NS 100000
#define PAGE_HEAD_BYTES 12

/* WIRE_STATE beyond enum node_command. */
enum { STATE_LEAVE = 16, STATE_END, STATE_FATAL };

/* ---- sending ---- */

bool node_send(struct node *n, unsigned to, unsigned channel, uint8_t type,
               const struct wire_buf *b)
{
    struct iovec iov = { b->p, b->n };

    return !b->bad && link_send(member_link(n->member, to, channel), type, node_time_ns(n),
                                &iov, 1);
}

static void send_state(struct node *n, uint32_t state, uint32_t arg, const char *text)
{
    uint8_t buf[8 + sizeof n->fault + 8];
    struct wire_buf b = { buf, 0, sizeof buf };

    wire_put_u32(&b, state);
    wire_put_u32(&b, arg);
    wire_put_str(&b, text);
    for (unsigned i = 0; i < n->placement.nodes; i++) {
        if (i != n->self) {
            node_send(n, i, WIRE_FAST, WIRE_STATE, &b);
        }
    }
}

static void send_ready(struct node *n, uint32_t command_n)
{
    uint8_t buf[4];
    struct wire_buf b = { buf, 0, sizeof buf };

    wire_put_u32(&b, command_n);
    node_send(n, NODE_ROOT, WIRE_FAST, WIRE_READY, &b);
}

/* ---- the end ---- */

/* From now on nothing of this node waits for another one. */
static void release_all(struct node *n)
{
    atomic_store(&n->ending, true);
    pages_end(n->pages);
    node_calls_end(n);
    mutex_lock(&n->ready_lock);
    cond_broadcast(&n->ready_cond);
    mutex_unlock(&n->ready_lock);
}

void node_fault(struct node *n, const char *fmt, ...)
{
    bool first;
    va_list ap;

    mutex_lock(&n->fault_lock);
    first = !n->fault[0] && !atomic_load(&n->leaving) && !atomic_load(&n->ending);
    if (first) {
        va_start(ap, fmt);
        vsnprintf(n->fault, sizeof n->fault, fmt, ap);
        va_end(ap);
    }
    mutex_unlock(&n->fault_lock);
    if (!first) {
        return;
    }
    log_error("cluster", "%s; the machine ends", n->fault);
    /* The others learn the reason from us before they see that we leave. */
    send_state(n, STATE_FATAL, 0, n->fault);
    release_all(n);
    if (n->hooks.ended) {
        n->hooks.ended(n->hooks.ctx);
    }
}

static void quit(struct node *n, int status)
{
    if (!atomic_exchange(&n->quit_told, true) && n->hooks.quit) {
        n->hooks.quit(n->hooks.ctx, status);
    }
}

/* ---- the root's commands ---- */

struct command_run {
    struct node *node;
    enum node_command cmd;
    uint32_t command_n;
};

static void command_run(void *ctx)
{
    struct command_run *r = ctx;

    if (!atomic_load(&r->node->ending)) {
        if (r->node->hooks.command(r->node->hooks.ctx, r->cmd)) {
            send_ready(r->node, r->command_n);
        } else {
            node_fault(r->node, "%s could not do what the root asked for",
                       member_name(r->node->member, r->node->self));
        }
    }
    free(r);
}

/* Sends a state to all and waits until all have done it; false: ended, or too late. */
static bool command_all(struct node *n, uint32_t state, const char *text, int64_t deadline_ns)
{
    uint64_t all = ~UINT64_C(0) >> (64 - n->placement.nodes) & ~(UINT64_C(1) << n->self);
    bool done;

    mutex_lock(&n->ready_lock);
    n->command_n++;
    n->ready = 0;
    mutex_unlock(&n->ready_lock);
    send_state(n, state, n->command_n, text);
    mutex_lock(&n->ready_lock);
    while ((n->ready & all) != all && !atomic_load(&n->ending) &&
           cond_wait_until(&n->ready_cond, &n->ready_lock, deadline_ns)) {
    }
    done = (n->ready & all) == all;
    mutex_unlock(&n->ready_lock);
    return done;
}

bool node_command(struct node *n, enum node_command cmd)
{
    return command_all(n, cmd, "", INT64_MAX);
}

void node_end(struct node *n, int status)
{
    if (n->self == NODE_ROOT && n->start_ns && !atomic_load(&n->ending)) {
        char text[12];

        snprintf(text, sizeof text, "%d", status);
        atomic_store(&n->leaving, true);
        /* First everybody learns that links may close, then that it is to leave. */
        command_all(n, STATE_LEAVE, "", mono_now_ns() + LEAVE_NS);
        command_all(n, STATE_END, text, mono_now_ns() + LEAVE_NS);
    }
    atomic_store(&n->leaving, true);
    release_all(n);
}

/* ---- what arrives ---- */

static bool got_page(struct node *n, unsigned from, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };
    uint64_t page = wire_get_u64(&b);
    struct coh_msg m = { 0 };
    bool data = f->n == PAGE_HEAD_BYTES + MEM_PAGE_SIZE;

    m.type = wire_get_u8(&b);
    m.req = wire_get_u8(&b);
    m.acks = wire_get_u8(&b);
    m.clean = wire_get_u8(&b);
    return (f->n == PAGE_HEAD_BYTES || data) &&
           pages_message(n->pages, from, page, &m, data ? f->payload + PAGE_HEAD_BYTES : NULL);
}

static bool got_irq(struct node *n, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };
    struct irq_msg m = { 0 };
    bool here;

    m.to = wire_get_u32(&b);
    m.from = wire_get_u32(&b);
    m.kind = wire_get_u32(&b);
    m.a = wire_get_u32(&b);
    m.b = wire_get_u64(&b);
    here = m.to == IRQ_MSG_TO_DISTRIBUTOR ? n->self == NODE_ROOT : node_vcpu_is_local(n, m.to);
    if (!wire_is_complete(&b) || !here) {
        return false;
    }
    n->hooks.irq_deliver(n->hooks.ctx, &m);
    return true;
}

static bool got_answer(struct node *n, unsigned from, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };
    uint32_t call = wire_get_u32(&b);
    uint64_t value = 0;

    if (f->type == WIRE_STATS) {
        return !b.bad && node_call_answer(n, from, call, 0, (char *)f->payload + 4, f->n - 4);
    }
    wire_get_u32(&b);
    value = wire_get_u64(&b);
    return wire_is_complete(&b) && node_call_answer(n, from, call, value, NULL, 0);
}

static bool got_state(struct node *n, unsigned from, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };
    uint32_t state = wire_get_u32(&b), arg = wire_get_u32(&b);
    struct command_run *r;
    char text[sizeof n->fault];

    wire_get_str(&b, text, sizeof text);
    if (!wire_is_complete(&b) || (from != NODE_ROOT && state != STATE_FATAL)) {
        return false;
    }
    switch (state) {
    case STATE_FATAL:
        for (char *c = text; *c; c++) {
            *c = *c >= 32 && *c < 127 ? *c : '?';
        }
        node_fault(n, "%s", text);
        return true;
    case STATE_LEAVE:
        atomic_store(&n->leaving, true);
        send_ready(n, arg);
        return true;
    case STATE_END:
        send_ready(n, arg);
        quit(n, atoi(text));
        return true;
    case NODE_RUN:
    case NODE_PAUSE:
    case NODE_RESET:
        r = malloc(sizeof *r);
        if (!r) {
            return false;
        }
        *r = (struct command_run) { n, state, arg };
        loop_post(n->vm->loop, command_run, r);
        return true;
    default:
        return false;
    }
}

static bool got_ready(struct node *n, unsigned from, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };
    uint32_t command_n = wire_get_u32(&b);

    if (!wire_is_complete(&b) || n->self != NODE_ROOT) {
        return false;
    }
    mutex_lock(&n->ready_lock);
    if (command_n == n->command_n) {
        n->ready |= UINT64_C(1) << from;
        cond_broadcast(&n->ready_cond);
    }
    mutex_unlock(&n->ready_lock);
    return true;
}

static bool got_event(struct node *n, unsigned from, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };
    uint32_t ev = wire_get_u32(&b);
    char text[200], all[300];

    wire_get_str(&b, text, sizeof text);
    if (!wire_is_complete(&b) || n->self != NODE_ROOT || ev > VM_EV_HOST_QUIT) {
        return false;
    }
    for (char *c = text; *c; c++) {
        *c = *c >= 32 && *c < 127 ? *c : '?';
    }
    snprintf(all, sizeof all, "%.80s: %s", member_name(n->member, from), text);
    vm_post_event(n->vm, (enum vm_event)ev, text[0] ? all : NULL);
    return true;
}

static bool got_fast(struct node *n, unsigned from, const struct link_frame *f)
{
    switch (f->type) {
    case WIRE_PAGE:
        return got_page(n, from, f);
    case WIRE_IRQ:
        return got_irq(n, f);
    case WIRE_REPLY:
    case WIRE_STATS:
        return got_answer(n, from, f);
    case WIRE_BEAT:
        return node_beat_received(n, from, f);
    case WIRE_KICK:
    case WIRE_LINE:
        return node_vcpu_fast(n, f);
    case WIRE_READY:
        return got_ready(n, from, f);
    case WIRE_EVENT:
        return got_event(n, from, f);
    case WIRE_STATE:
        return got_state(n, from, f);
    case WIRE_REFUSE:
        node_fault(n, "%s refuses us: %.*s", member_name(n->member, from),
                   (int)MIN(f->n, 200u), (const char *)f->payload);
        return true;
    default:
        return false;
    }
}

static void receive(struct thread *self, void *ctx)
{
    struct receiver *r = ctx;
    struct node *n = r->node;
    struct link *l = member_link(n->member, r->peer, r->channel);
    struct link_frame f;

    /* What arrives on FAST is what a vCPU somewhere waits for, and is over in microseconds.  Not
     * real-time priority: that moves the thread to another CPU, and waking that one costs more
     * than is won. */
    if (r->channel == WIRE_FAST) {
        thread_slice_set(RECEIVER_SLICE_NS);
    }
    while (link_recv(l, &f)) {
        node_time_seen(n, f.time_ns);
        if (!(r->channel == WIRE_FAST ? got_fast(n, r->peer, &f) : node_serve(n, r->peer, &f))) {
            node_fault(n, "%s sent something wrong (frame type %u, %u bytes)",
                       member_name(n->member, r->peer), f.type, f.n);
        }
    }
    node_fault(n, "%s is gone: %s", member_name(n->member, r->peer), link_why(l));
    /* It left in order, but did not live to say with which status. */
    if (r->peer == NODE_ROOT && r->channel == WIRE_FAST) {
        quit(n, 1);
    }
}

static void tick(void *ctx)
{
    struct node *n = ctx;
    int64_t now = mono_now_ns();

    if (atomic_load(&n->broken_page)) {
        node_fault(n, "the state of page 0x%" PRIx64 " makes no sense: some node broke the "
                   "page protocol", (atomic_load(&n->broken_page) - 1) << MEM_PAGE_SHIFT);
    }
    node_beat_send(n);
    for (unsigned i = 0; i < n->placement.nodes; i++) {
        if (i == n->self) {
            continue;
        }
        int64_t heard = link_received_ns(member_link(n->member, i, WIRE_FAST));
        bool began = atomic_load(&n->beat[i].came_ns) != 0;
        int64_t silent = now - (began ? heard : n->start_ns);

        if (silent > (began ? NODE_SILENT_NS : FIRST_BEAT_NS)) {
            node_fault(n, "%s is gone: nothing heard of it for %.1f s",
                       member_name(n->member, i), silent / 1e9);
        }
    }
}

/* ---- the seams ---- */

static void seam_page_send(void *ctx, unsigned to, uint64_t page, const struct coh_msg *m,
                           const void *data)
{
    struct node *n = ctx;
    uint8_t head[PAGE_HEAD_BYTES];
    struct wire_buf b = { head, 0, sizeof head };
    struct iovec iov[2] = { { head, sizeof head }, { (void *)data, MEM_PAGE_SIZE } };

    wire_put_u64(&b, page);
    wire_put_u8(&b, m->type);
    wire_put_u8(&b, m->req);
    wire_put_u8(&b, m->acks);
    wire_put_u8(&b, m->clean);
    link_send(member_link(n->member, to, WIRE_FAST), WIRE_PAGE, node_time_ns(n), iov,
              data ? 2 : 1);
}

static void seam_page_drop(void *ctx, uint64_t page, bool keep_read)
{
    vm_drop_page(((struct node *)ctx)->vm, page, keep_read);
}

static void *seam_page_host(void *ctx, uint64_t page)
{
    return mem_space_host_page(((struct node *)ctx)->vm->mem, page << MEM_PAGE_SHIFT);
}

static void seam_page_broken(void *ctx, uint64_t page)
{
    atomic_store(&((struct node *)ctx)->broken_page, page + 1);
}

static void seam_irq_send(void *ctx, const struct irq_msg *m)
{
    struct node *n = ctx;
    unsigned to = m->to == IRQ_MSG_TO_DISTRIBUTOR ? NODE_ROOT :
                  m->to < n->placement.vcpus_n ? n->placement.vcpu_node[m->to] : n->self;
    uint8_t buf[24];
    struct wire_buf b = { buf, 0, sizeof buf };

    if (to == n->self) {
        n->hooks.irq_deliver(n->hooks.ctx, m);
        return;
    }
    wire_put_u32(&b, m->to);
    wire_put_u32(&b, m->from);
    wire_put_u32(&b, m->kind);
    wire_put_u32(&b, m->a);
    wire_put_u64(&b, m->b);
    node_send(n, to, WIRE_FAST, WIRE_IRQ, &b);
}

static void seam_event(void *ctx, enum vm_event ev, const char *why)
{
    struct node *n = ctx;
    char text[180];
    uint8_t buf[4 + 4 + sizeof text];
    struct wire_buf b = { buf, 0, sizeof buf };

    snprintf(text, sizeof text, "%s", why ? why : "");
    wire_put_u32(&b, ev);
    wire_put_str(&b, text);
    node_send(n, NODE_ROOT, WIRE_FAST, WIRE_EVENT, &b);
}

/* ---- making and ending ---- */

void node_config_init(struct node_config *c, unsigned local_vcpus_n)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    /* Looking instead of sleeping pays only where the CPU would be idle otherwise. */
    *c = (struct node_config) { .spin = cpus >= 2 * (long)local_vcpus_n + 4 };
}

struct node *node_new(struct member *m, struct vm *vm, const struct placement *placement,
                      const struct node_config *config, const struct node_hooks *hooks,
                      struct err *e)
{
    struct node *n = calloc(1, sizeof *n);
    struct pages_port port = { seam_page_send, seam_page_drop, seam_page_host,
                               seam_page_broken, n };
    struct pages_config pc = { .self = member_self(m), .hold_ns = config->hold_ns,
                               .spin_ns = config->spin ? SPIN_NS : 0,
                               .foreign_max = config->foreign_max };

    if (!n) {
        err_set(e, "out of memory");
        return NULL;
    }
    n->member = m;
    n->vm = vm;
    n->placement = *placement;
    n->config = *config;
    n->hooks = *hooks;
    n->self = member_self(m);
    mutex_init(&n->fault_lock);
    mutex_init(&n->call_lock);
    mutex_init(&n->proxy_lock);
    mutex_init(&n->maint_lock);
    mutex_init(&n->ready_lock);
    cond_init(&n->ready_cond);
    n->pages = pages_new(placement, &pc, &port, e);
    if (!n->pages) {
        node_free(n);
        return NULL;
    }
    mem_space_set_ram_ops(vm->mem, &pages_ram_ops, n->pages);
    vm->irq_sink = (struct irq_sink) { seam_irq_send, n };
    if (n->self != NODE_ROOT) {
        mem_space_set_fallback(vm->mem, &node_fallback_mmio, n);
        vm->event = seam_event;
        vm->event_ctx = n;
    }
    return n;
}

static bool start_link(struct node *n, unsigned peer, unsigned channel, struct err *e)
{
    struct receiver *r = &n->receiver[peer][channel];
    struct link *l = member_link(n->member, peer, channel);
    char name[16];

    *r = (struct receiver) { .node = n, .peer = peer, .channel = channel };
    link_spin_set(l, n->config.spin && channel == WIRE_FAST ? SPIN_NS : 0);
    snprintf(name, sizeof name, "%s-%u", channel == WIRE_FAST ? "fast" : "call", peer);
    return link_pump_add(n->pump, l, e) && thread_start(&r->thread, name, receive, r, e);
}

bool node_start(struct node *n, struct err *e)
{
    n->start_ns = mono_now_ns();
    n->pump = link_pump_start(TICK_NS, tick, n, e);
    if (!n->pump) {
        return false;
    }
    for (unsigned i = 0; i < n->placement.nodes; i++) {
        for (unsigned c = 0; c < WIRE_CHANNEL_N && i != n->self; c++) {
            if (!start_link(n, i, c, e)) {
                return false;
            }
        }
    }
    return true;
}

void node_free(struct node *n)
{
    if (!n) {
        return;
    }
    atomic_store(&n->leaving, true);
    atomic_store(&n->quit_told, true);
    if (n->pages) {
        release_all(n);
    }
    link_pump_stop(n->pump);
    for (unsigned i = 0; i < n->placement.nodes; i++) {
        for (unsigned c = 0; c < WIRE_CHANNEL_N && i != n->self; c++) {
            if (member_link(n->member, i, c)) {
                link_break(member_link(n->member, i, c), "this node leaves");
            }
            thread_join(&n->receiver[i][c].thread);
        }
    }
    pages_free(n->pages);
    cond_destroy(&n->ready_cond);
    mutex_destroy(&n->ready_lock);
    mutex_destroy(&n->maint_lock);
    mutex_destroy(&n->proxy_lock);
    mutex_destroy(&n->call_lock);
    mutex_destroy(&n->fault_lock);
    free(n);
}

/* ---- facts ---- */

unsigned node_self(const struct node *n)
{
    return n->self;
}

bool node_vcpu_is_local(const struct node *n, unsigned vcpu)
{
    return vcpu < n->placement.vcpus_n && n->placement.vcpu_node[vcpu] == n->self;
}

static void info_head(struct node *n, unsigned i, struct strbuf *b)
{
    unsigned vcpus = 0;
    uint64_t pages = 0;

    for (unsigned v = 0; v < n->placement.vcpus_n; v++) {
        vcpus += n->placement.vcpu_node[v] == i;
    }
    for (unsigned r = 0; r < n->placement.ranges_n; r++) {
        pages += n->placement.range[r].node == i ? n->placement.range[r].n : 0;
    }
    strbuf_add(b, "%s%s: %u vCPUs, home of %" PRIu64 " MiB", member_name(n->member, i),
               i == n->self ? " (this)" : "", vcpus, pages >> 8);
    if (i != n->self) {
        struct link *l = member_link(n->member, i, WIRE_FAST);

        strbuf_add(b, "; link %s, rtt %.1f us, %.1f MiB sent, %.1f MiB received",
                   link_is_encrypted(l) ? "encrypted" : "plain",
                   atomic_load(&n->beat[i].rtt_ns) / 1e3, link_bytes_sent(l) / 1048576.0,
                   link_bytes_received(l) / 1048576.0);
    }
    strbuf_add(b, "\n");
}

void node_info(struct node *n, struct strbuf *b)
{
    struct pages_stats st;

    for (unsigned i = 0; i < n->placement.nodes; i++) {
        info_head(n, i, b);
        if (i == n->self) {
            pages_stats_get(n->pages, &st);
            pages_stats_print(&st, b);
        } else {
            uint8_t buf[4];
            struct wire_buf w = { buf, 0, sizeof buf };
            uint32_t call = node_call_open(n, i, b);

            wire_put_u32(&w, call);
            node_send(n, i, WIRE_CALL, WIRE_STATS_GET, &w);
            node_call_wait(n, call, NULL);
        }
    }
}
