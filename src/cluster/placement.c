/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/placement.h"

#include "cluster/wire.h"

#define PAGE_SHIFT 12
#define PAGE_NUMBER_MAX (UINT64_C(1) << 40)     /* 52-bit guest-physical addresses */

unsigned placement_home(const struct placement *p, uint64_t page)
{
    for (unsigned i = 0; i < p->ranges_n; i++) {
        if (page - p->range[i].page < p->range[i].n) {
            return p->range[i].node;
        }
    }
    return PLACEMENT_NONE;
}

bool placement_add_ram(struct placement *p, uint64_t gpa, uint64_t size, unsigned node)
{
    if (p->ranges_n == PLACEMENT_RANGES_MAX) {
        return false;
    }
    p->range[p->ranges_n++] = (struct placement_range) {
        .page = gpa >> PAGE_SHIFT, .n = size >> PAGE_SHIFT, .node = node,
    };
    return placement_is_valid(p);
}

bool placement_is_valid(const struct placement *p)
{
    uint64_t end = 0;

    if (p->nodes < 1 || p->nodes > COH_NODES_MAX || p->vcpus_n > VCPU_MAX ||
        p->ranges_n > PLACEMENT_RANGES_MAX) {
        return false;
    }
    for (unsigned i = 0; i < p->vcpus_n; i++) {
        if (p->vcpu_node[i] >= p->nodes) {
            return false;
        }
    }
    for (unsigned i = 0; i < p->ranges_n; i++) {
        const struct placement_range *r = &p->range[i];

        if (r->page < end || !r->n || r->node >= p->nodes || r->page >= PAGE_NUMBER_MAX ||
            r->n > PAGE_NUMBER_MAX) {
            return false;
        }
        end = r->page + r->n;
    }
    return true;
}

void placement_put(const struct placement *p, struct wire_buf *b)
{
    wire_put_u32(b, p->nodes);
    wire_put_u32(b, p->vcpus_n);
    wire_put(b, p->vcpu_node, p->vcpus_n);
    wire_put_u32(b, p->ranges_n);
    for (unsigned i = 0; i < p->ranges_n; i++) {
        wire_put_u64(b, p->range[i].page);
        wire_put_u64(b, p->range[i].n);
        wire_put_u8(b, p->range[i].node);
    }
}

bool placement_get(struct placement *p, struct wire_buf *b)
{
    memset(p, 0, sizeof *p);
    p->nodes = wire_get_u32(b);
    p->vcpus_n = wire_get_u32(b);
    if (p->vcpus_n > VCPU_MAX) {
        return false;
    }
    wire_get(b, p->vcpu_node, p->vcpus_n);
    p->ranges_n = wire_get_u32(b);
    if (p->ranges_n > PLACEMENT_RANGES_MAX) {
        return false;
    }
    for (unsigned i = 0; i < p->ranges_n; i++) {
        p->range[i].page = wire_get_u64(b);
        p->range[i].n = wire_get_u64(b);
        p->range[i].node = wire_get_u8(b);
    }
    return !b->bad && placement_is_valid(p);
}
