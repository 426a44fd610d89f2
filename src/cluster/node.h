/* SPDX-License-Identifier: Apache-2.0 */
/* struct node: this process as one node of a running machine: it fills the four seams (ram_ops,
 * irq_sink, MMIO owners, vcpu_ops) with messages to the other nodes, and serves theirs.
 *
 * Life, on every node:
 *   member_… → vm_new → node_new (fills the seams of vm) → build the board; for vCPUs of other
 *   nodes node_vcpu_make() → node_start → vm_start → loop_run … node_end → vm_end → node_free →
 *   virt_free, vm_free → member_free
 * Resetting, running and pausing the whole machine is the root's: node_command().
 *
 * A node that dies, or that breaks a protocol, ends the machine: each surviving node says which
 * in one line and calls hooks.ended(). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct err;
struct irq_msg;
struct member;
struct mmio_ops;
struct node;
struct placement;
struct strbuf;
struct vcpu;
struct vm;

#define NODE_ROOT 0
#define NODE_SILENT_NS INT64_C(3500000000)      /* not heard of for so long: dead */

/* What the root tells the other nodes to do; their hooks.command() does it. */
enum node_command { NODE_RUN, NODE_PAUSE, NODE_RESET };

struct node_hooks {
    void *ctx;
    /* A message for a part of the interrupt controller that is here.  Any thread; must not
     * block. */
    void (*irq_deliver)(void *ctx, const struct irq_msg *m);
    /* Not on the root: do what the root says.  Loop thread.  false: the machine ends. */
    bool (*command)(void *ctx, enum node_command cmd);
    /* Not on the root: the root ended the machine in order; leave with `status`.  Any thread. */
    void (*quit)(void *ctx, int status);
    /* The machine cannot go on; the reason has been logged.  Once.  Any thread. */
    void (*ended)(void *ctx);
};

struct node_config {
    bool spin;                  /* look for messages before sleeping: costs CPU time */
    int64_t hold_ns;            /* see pages.h */
    uint64_t foreign_max;
};

void node_config_init(struct node_config *c, unsigned local_vcpus_n);

/* `vm` has no RAM or vCPUs yet.  Sets the ram_ops and fallback of vm->mem, vm->irq_sink, and
 * (not on the root) vm->event.  All arguments but config, placement and hooks outlive it. */
struct node *node_new(struct member *m, struct vm *vm, const struct placement *placement,
                      const struct node_config *config, const struct node_hooks *hooks,
                      struct err *e);
/* Serve the others.  RAM and local MMIO regions exist, vm->vcpu[] have their ops. */
bool node_start(struct node *n, struct err *e);

/* Tells every other node, and waits until all have done it.  Root, loop thread.  false: the
 * machine has ended. */
bool node_command(struct node *n, enum node_command cmd);

/* The machine ends with `status`: on the root, in order, tells all others.  Afterwards nothing
 * blocks any more: acquire and calls fail.  Before vm_end(). */
void node_end(struct node *n, int status);
void node_free(struct node *n);         /* after vm_end(); NULL is fine */

unsigned node_self(const struct node *n);
bool node_vcpu_is_local(const struct node *n, unsigned vcpu);
/* Gives a vCPU of another node its ops. */
void node_vcpu_make(struct node *n, struct vcpu *v);
/* An MMIO region of which the owner is node `owner`; ctx lives as long as `n`.  NULL with `e`
 * set if there are too many. */
const struct mmio_ops *node_mmio(struct node *n, unsigned owner, uint64_t gpa, void **ctx,
                                 struct err *e);

/* `info cluster`: all nodes' statistics.  On the loop thread; asks the others. */
void node_info(struct node *n, struct strbuf *b);
