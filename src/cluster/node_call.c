/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to other nodes and their answers: MMIO, vCPU power, maintenance, texts.
 *
 * A question goes over the CALL link, whose receiving thread may wait (for a page, a device, a
 * vCPU); the answer comes over the FAST link, whose receiving thread never does.  So no cycle
 * of threads can wait for each other here. */
#include "cluster/node_priv.h"

#include "base/base.h"
#include "base/mono.h"
#include "base/strbuf.h"
#include "cluster/member.h"
#include "cluster/pages.h"
#include "mem/space.h"
#include "vm/vm.h"

#include <assert.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL_SPIN_NS 30000

enum call_state { CALL_LOOKING, CALL_ASLEEP, CALL_ANSWERED, CALL_FAILED };

/* ---- asking ---- */

uint32_t node_call_open(struct node *n, unsigned to, struct strbuf *text)
{
    for (;;) {
        mutex_lock(&n->call_lock);
        for (unsigned i = 0; i < NODE_CALLS_MAX; i++) {
            unsigned at = (n->call_next + i) % NODE_CALLS_MAX;
            struct call *c = &n->call[at];

            if (!c->used) {
                n->call_next = at + 1;
                c->used = true;
                c->gen = (c->gen + 1) & 0xffff;
                c->to = to;
                c->text = text;
                c->value = 0;
                atomic_store(&c->state, atomic_load(&n->ending) ? CALL_FAILED : CALL_LOOKING);
                mutex_unlock(&n->call_lock);
                return c->gen << 16 | at;
            }
        }
        mutex_unlock(&n->call_lock);
        usleep(100);        /* more threads wait than there are vCPUs: cannot last */
    }
}

static void call_finish(struct call *c, enum call_state state)
{
    if (atomic_exchange(&c->state, state) == CALL_ASLEEP) {
        syscall(SYS_futex, &c->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

bool node_call_wait(struct node *n, uint32_t call, uint64_t *value)
{
    struct call *c = &n->call[call & 0xffff];
    uint32_t looking = CALL_LOOKING;
    bool good;

    if (n->config.spin) {
        int64_t end = mono_now_ns() + CALL_SPIN_NS;

        while (atomic_load(&c->state) == CALL_LOOKING && mono_now_ns() < end) {
        }
    }
    if (atomic_compare_exchange_strong(&c->state, &looking, CALL_ASLEEP)) {
        while (atomic_load(&c->state) == CALL_ASLEEP) {
            syscall(SYS_futex, &c->state, FUTEX_WAIT_PRIVATE, CALL_ASLEEP, NULL, NULL, 0);
        }
    }
    mutex_lock(&n->call_lock);
    good = atomic_load(&c->state) == CALL_ANSWERED;
    if (value) {
        *value = c->value;
    }
    c->used = false;
    mutex_unlock(&n->call_lock);
    return good;
}

bool node_call_answer(struct node *n, unsigned from, uint32_t call, uint64_t value,
                      const char *text, size_t text_n)
{
    struct call *c = &n->call[(call & 0xffff) % NODE_CALLS_MAX];
    bool good;

    mutex_lock(&n->call_lock);
    good = c->used && c->gen == call >> 16 && c->to == from &&
           atomic_load(&c->state) < CALL_ANSWERED;
    if (good) {
        c->value = value;
        if (text && c->text) {
            strbuf_add_bytes(c->text, text, text_n);
        }
        call_finish(c, CALL_ANSWERED);
    }
    mutex_unlock(&n->call_lock);
    return good || atomic_load(&n->ending);
}

/* n->ending is set: nobody will answer. */
void node_calls_end(struct node *n)
{
    mutex_lock(&n->call_lock);
    for (unsigned i = 0; i < NODE_CALLS_MAX; i++) {
        struct call *c = &n->call[i];

        if (c->used && atomic_load(&c->state) < CALL_ANSWERED) {
            call_finish(c, CALL_FAILED);
        }
    }
    mutex_unlock(&n->call_lock);
}

/* ---- answering ---- */

static void reply(struct node *n, unsigned to, uint32_t call, uint64_t value)
{
    uint8_t buf[16];
    struct wire_buf b = { buf, 0, sizeof buf };

    wire_put_u32(&b, call);
    wire_put_u32(&b, 0);
    wire_put_u64(&b, value);
    node_send(n, to, WIRE_FAST, WIRE_REPLY, &b);
}

static void reply_text(struct node *n, unsigned to, uint32_t call, const char *text, size_t len)
{
    uint8_t head[4];
    struct wire_buf b = { head, 0, sizeof head };
    struct iovec iov[2] = { { head, sizeof head }, { (void *)text, MIN(len, NODE_TEXT_MAX) } };

    wire_put_u32(&b, call);
    link_send(member_link(n->member, to, WIRE_FAST), WIRE_STATS, node_time_ns(n), iov, 2);
}

static struct vcpu *local_vcpu(struct node *n, uint32_t index)
{
    return index < n->vm->vcpus_n && node_vcpu_is_local(n, index) ? &n->vm->vcpu[index] : NULL;
}

static bool serve_mmio(struct node *n, unsigned from, bool write, struct wire_buf *b)
{
    uint32_t call = wire_get_u32(b), vcpu = wire_get_u32(b), size;
    uint64_t gpa = wire_get_u64(b), v = 0;

    size = wire_get_u32(b);
    if (write) {
        wire_get_u32(b);
        v = wire_get_u64(b);
    }
    if (!wire_is_complete(b) || !size || size > 8 || (size & (size - 1)) || (gpa & (size - 1)) ||
        (vcpu >= n->vm->vcpus_n && vcpu != MEM_VCPU_NONE)) {
        return false;
    }
    /* What nobody decodes reads as zero: the asker cannot raise an abort any more. */
    if (write) {
        mem_mmio_write(n->vm->mem, gpa, size, vcpu, v);
    } else if (mem_mmio_read(n->vm->mem, gpa, size, vcpu, &v) != MEM_OK) {
        v = 0;
    }
    reply(n, from, call, v);
    return true;
}

static bool serve_power(struct node *n, unsigned from, bool on, struct wire_buf *b)
{
    uint32_t call = wire_get_u32(b), index = wire_get_u32(b);
    uint64_t entry = on ? wire_get_u64(b) : 0, context = on ? wire_get_u64(b) : 0, value;
    struct vcpu *v = local_vcpu(n, index);

    if (!wire_is_complete(b) || !v) {
        return false;
    }
    value = on ? v->ops->power_on(v, entry, context) : (uint64_t)v->ops->power(v);
    reply(n, from, call, value);
    return true;
}

static bool serve_maint(struct node *n, unsigned from, struct wire_buf *b)
{
    struct vcpu_maint m[VCPU_MAINT_MAX];
    uint32_t call = wire_get_u32(b), count = wire_get_u32(b);

    if (!count || count > VCPU_MAINT_MAX) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < ARRAY_LEN(m[i].w); k++) {
            m[i].w[k] = wire_get_u64(b);
        }
    }
    if (!wire_is_complete(b)) {
        return false;
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < n->vm->vcpus_n; i++) {
            struct vcpu *v = local_vcpu(n, i);

            if (v && pass == 0) {
                v->ops->maint_begin(v, m, count);
            } else if (v) {
                v->ops->maint_wait(v);
            }
        }
    }
    reply(n, from, call, 0);
    return true;
}

static bool serve_regs(struct node *n, unsigned from, struct wire_buf *b)
{
    uint32_t call = wire_get_u32(b), index = wire_get_u32(b);
    struct vcpu *v = local_vcpu(n, index);
    char *text;
    int len;

    if (!wire_is_complete(b) || !v) {
        return false;
    }
    text = malloc(NODE_TEXT_MAX);
    len = text && v->ops->print_state ? v->ops->print_state(v, text, NODE_TEXT_MAX) : 0;
    reply_text(n, from, call, text, len < 0 ? 0 : MIN((unsigned)len, NODE_TEXT_MAX - 1));
    free(text);
    return true;
}

static bool serve_stats(struct node *n, unsigned from, struct wire_buf *b)
{
    uint32_t call = wire_get_u32(b);
    struct strbuf text = { 0 };
    struct pages_stats st;

    if (!wire_is_complete(b)) {
        return false;
    }
    pages_stats_get(n->pages, &st);
    pages_stats_print(&st, &text);
    reply_text(n, from, call, text.text, text.len);
    strbuf_free(&text);
    return true;
}

bool node_serve(struct node *n, unsigned from, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };

    switch (f->type) {
    case WIRE_MMIO_READ:
        return serve_mmio(n, from, false, &b);
    case WIRE_MMIO_WRITE:
        return serve_mmio(n, from, true, &b);
    case WIRE_POWER_ON:
        return serve_power(n, from, true, &b);
    case WIRE_POWER:
        return serve_power(n, from, false, &b);
    case WIRE_MAINT:
        return serve_maint(n, from, &b);
    case WIRE_REGS:
        return serve_regs(n, from, &b);
    case WIRE_STATS_GET:
        return serve_stats(n, from, &b);
    default:
        return false;
    }
}
