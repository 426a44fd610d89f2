/* SPDX-License-Identifier: Apache-2.0 */
/* struct pages_counts: what a node's page table counts; for pages.c. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pages_stats;

/* Latencies in buckets of 1/8 octave: bucket 8 * e + m covers (8 + m) << e … nanoseconds. */
#define PAGES_BUCKETS_N (8 * 40)

struct pages_counts {
    _Atomic uint64_t read_faults, write_faults, local_faults, zero_grants, upgrades;
    _Atomic uint64_t pages_in, pages_out, msgs_in, msgs_out, revoked, evicted, held, foreign;
    _Atomic uint64_t max_ns;
    _Atomic uint64_t bucket[PAGES_BUCKETS_N];
};

/* A fault that asked another node took `ns`.  Any thread. */
void pages_counts_fault(struct pages_counts *c, bool write, int64_t ns);
/* All but the hot pages. */
void pages_counts_read(const struct pages_counts *c, struct pages_stats *s);
/* Offers a page for the list of hot ones. */
void pages_stats_hot(struct pages_stats *s, uint64_t page, uint32_t faults);
