/* SPDX-License-Identifier: Apache-2.0 */
/* One guest time on all nodes.
 *
 * Every frame carries the sender's guest time, and the receiver never reads less from then on,
 * so an effect cannot be seen before its cause.  Besides, the nodes follow the root: a beat
 * that the root has echoed gives a round trip rtt, and the root's time at the receipt lies in
 * [t, t + rtt], t being the echo's time.  Who is outside of that is put into its middle; who is
 * inside is left alone, or two nodes that each believe the other to be ahead would drive time
 * forward between them. */
#include "cluster/node_priv.h"

#include "base/mono.h"
#include "vm/clock.h"
#include "vm/vm.h"

uint64_t node_time_ns(struct node *n)
{
    return vm_clock_ns(n->vm->clock);
}

void node_time_seen(struct node *n, uint64_t time_ns)
{
    /* A peer may not throw us into the far future. */
    if (time_ns < UINT64_C(1) << 62) {
        vm_clock_at_least(n->vm->clock, time_ns);
    }
}

/* To everybody: I live; this is my time; this is what I last heard of yours. */
void node_beat_send(struct node *n)
{
    for (unsigned i = 0; i < n->placement.nodes; i++) {
        struct beat *t = &n->beat[i];
        int64_t now = mono_now_ns(), came = atomic_load(&t->came_ns);
        uint8_t buf[24];
        struct wire_buf b = { buf, 0, sizeof buf };

        if (i == n->self) {
            continue;
        }
        wire_put_u64(&b, now);
        wire_put_u64(&b, came ? atomic_load(&t->echo_ns) : 0);
        wire_put_u64(&b, came ? now - came : 0);
        node_send(n, i, WIRE_FAST, WIRE_BEAT, &b);
    }
}

bool node_beat_received(struct node *n, unsigned from, const struct link_frame *f)
{
    struct wire_buf b = { f->payload, 0, f->n };
    struct beat *t = &n->beat[from];
    int64_t now = mono_now_ns();
    int64_t sent = wire_get_u64(&b), echo = wire_get_u64(&b), held = wire_get_u64(&b), rtt;

    if (!wire_is_complete(&b)) {
        return false;
    }
    atomic_store(&t->echo_ns, sent);
    atomic_store(&t->came_ns, now);
    rtt = now - echo - held;
    if (!echo || rtt < 0 || rtt > INT64_C(1000000000) || held < 0) {
        return true;
    }
    atomic_store(&t->rtt_ns, rtt);
    if (from == NODE_ROOT && n->self != NODE_ROOT) {
        int64_t ours = node_time_ns(n), low = f->time_ns, high = low + rtt;

        if (ours > high) {
            vm_clock_adjust(n->vm->clock, low + rtt / 2 - ours);
        }
    }
    return true;
}
