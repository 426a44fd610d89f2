/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/pages_stats.h"

#include "base/strbuf.h"
#include "cluster/pages.h"

#include <inttypes.h>
#include <string.h>

static unsigned bucket_of(uint64_t ns)
{
    unsigned e, i;

    if (ns < 8) {
        return 0;
    }
    e = 60 - __builtin_clzll(ns);           /* ns >> e is 8 … 15 */
    i = 8 * e + (ns >> e) - 8;
    return i < PAGES_BUCKETS_N ? i : PAGES_BUCKETS_N - 1;
}

/* The middle of a bucket. */
static uint64_t bucket_ns(unsigned i)
{
    return ((UINT64_C(2) * (8 + i % 8) + 1) << (i / 8)) / 2;
}

void pages_counts_fault(struct pages_counts *c, bool write, int64_t ns)
{
    uint64_t max = atomic_load_explicit(&c->max_ns, memory_order_relaxed);

    atomic_fetch_add_explicit(write ? &c->write_faults : &c->read_faults, 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&c->bucket[bucket_of(ns)], 1, memory_order_relaxed);
    while ((uint64_t)ns > max && !atomic_compare_exchange_weak(&c->max_ns, &max, ns)) {
    }
}

static uint64_t quantile_ns(const struct pages_counts *c, uint64_t total, unsigned per_mille)
{
    uint64_t sum = 0, want = (total * per_mille + 999) / 1000;

    for (unsigned i = 0; i < PAGES_BUCKETS_N; i++) {
        sum += atomic_load(&c->bucket[i]);
        if (sum >= want && sum) {
            return bucket_ns(i);
        }
    }
    return 0;
}

void pages_counts_read(const struct pages_counts *c, struct pages_stats *s)
{
    uint64_t total = 0;

    memset(s, 0, sizeof *s);
    s->read_faults = atomic_load(&c->read_faults);
    s->write_faults = atomic_load(&c->write_faults);
    s->local_faults = atomic_load(&c->local_faults);
    s->zero_grants = atomic_load(&c->zero_grants);
    s->upgrades = atomic_load(&c->upgrades);
    s->pages_in = atomic_load(&c->pages_in);
    s->pages_out = atomic_load(&c->pages_out);
    s->msgs_in = atomic_load(&c->msgs_in);
    s->msgs_out = atomic_load(&c->msgs_out);
    s->revoked = atomic_load(&c->revoked);
    s->evicted = atomic_load(&c->evicted);
    s->held = atomic_load(&c->held);
    s->foreign = atomic_load(&c->foreign);
    s->max_ns = atomic_load(&c->max_ns);
    for (unsigned i = 0; i < PAGES_BUCKETS_N; i++) {
        total += atomic_load(&c->bucket[i]);
    }
    s->median_ns = quantile_ns(c, total, 500);
    s->p99_ns = quantile_ns(c, total, 990);
}

void pages_stats_hot(struct pages_stats *s, uint64_t page, uint32_t faults)
{
    unsigned i = s->hot_n;

    if (!faults || (i == PAGES_HOT_MAX && s->hot[i - 1].faults >= faults)) {
        return;
    }
    if (i == PAGES_HOT_MAX) {
        i--;
    } else {
        s->hot_n++;
    }
    for (; i && s->hot[i - 1].faults < faults; i--) {
        s->hot[i] = s->hot[i - 1];
    }
    s->hot[i] = (struct pages_hot) { page, faults };
}

void pages_stats_print(const struct pages_stats *s, struct strbuf *b)
{
    strbuf_add(b, "  remote faults: %" PRIu64 " read, %" PRIu64 " write (%" PRIu64
               " zero, %" PRIu64 " upgrades without data); local: %" PRIu64 "\n",
               s->read_faults, s->write_faults, s->zero_grants, s->upgrades, s->local_faults);
    strbuf_add(b, "  latency: median %.1f us, p99 %.1f us, max %.1f us\n", s->median_ns / 1e3,
               s->p99_ns / 1e3, s->max_ns / 1e3);
    strbuf_add(b, "  pages: %" PRIu64 " in, %" PRIu64 " out; messages: %" PRIu64 " in, %" PRIu64
               " out; %" PRIu64 " revocations, %" PRIu64 " evictions\n", s->pages_in,
               s->pages_out, s->msgs_in, s->msgs_out, s->revoked, s->evicted);
    strbuf_add(b, "  held: %.1f MiB, of other nodes: %.1f MiB\n", s->held / 256.0,
               s->foreign / 256.0);
    if (s->hot_n) {
        strbuf_add(b, "  hottest pages:");
        for (unsigned i = 0; i < s->hot_n; i++) {
            strbuf_add(b, " 0x%" PRIx64 " (%u)", s->hot[i].page << MEM_PAGE_SHIFT,
                       s->hot[i].faults);
        }
        strbuf_add(b, "\n");
    }
}
