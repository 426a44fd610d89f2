/* SPDX-License-Identifier: Apache-2.0 */
/* struct placement: which node runs which vCPU, and which node is home to which RAM. */
#pragma once
#include "cluster/coh.h"
#include "vm/vcpu.h"

#include <stdbool.h>
#include <stdint.h>

#define PLACEMENT_RANGES_MAX 128
#define PLACEMENT_NONE 0xff

struct wire_buf;

struct placement_range {
    uint64_t page, n;           /* guest-physical page numbers */
    uint8_t node;
};

/* A plain value: copy it freely. */
struct placement {
    unsigned nodes;
    unsigned vcpus_n;
    uint8_t vcpu_node[VCPU_MAX];
    unsigned ranges_n;          /* disjoint, ascending */
    struct placement_range range[PLACEMENT_RANGES_MAX];
};

/* The home of a page of RAM; PLACEMENT_NONE: not RAM. */
unsigned placement_home(const struct placement *p, uint64_t page);

/* Appends a range, which must lie above those that are there. */
bool placement_add_ram(struct placement *p, uint64_t gpa, uint64_t size, unsigned node);

/* Consistent: nodes in range, ranges ascending? */
bool placement_is_valid(const struct placement *p);

void placement_put(const struct placement *p, struct wire_buf *b);
bool placement_get(struct placement *p, struct wire_buf *b);
