/* SPDX-License-Identifier: Apache-2.0 */
/* struct pages: the guest's RAM as this node holds it: the protocol of coh.h at work.
 *
 * Implements ram_ops (mem/space.h).  A page that is held with the needed right costs one
 * compare-and-swap; otherwise the thread asks the page's home and sleeps.
 *
 * A pin (acquire … release) postpones the loss of a right, and nothing else does.  From that
 * follow the rules for callers:
 *  - acquire with no lock that a revocation (port.drop) needs, and outside of a vCPU's view;
 *  - a thread that holds pins may acquire more only of pages which no other node's thread keeps
 *    pinned while it waits (today devices, which hold leases, live on one node), and not the
 *    right to write a page that is pinned for reading only. */
#pragma once
#include "cluster/coh.h"
#include "mem/space.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct pages;
struct placement;
struct strbuf;

#define PAGES_HOT_MAX 10

/* What pages.c is given. */
struct pages_port {
    /* Sends `m` about `page` to node `to`, with the page's contents if `data` is not NULL (to be
     * copied or sent before it returns).  Must not wait.  Order is kept for each `to`. */
    void (*send)(void *ctx, unsigned to, uint64_t page, const struct coh_msg *m,
                 const void *data);
    /* When it returns, no local vCPU uses the lost right any more.  Outside of locks. */
    void (*drop)(void *ctx, uint64_t page, bool keep_read);
    /* The mapping of a page of RAM. */
    void *(*host)(void *ctx, uint64_t page);
    /* Some peer broke the protocol for this page earlier, as is seen only now: the machine must
     * end.  Not from here: locks are held. */
    void (*broken)(void *ctx, uint64_t page);
    void *ctx;
};

struct pages_config {
    unsigned self;
    int64_t hold_ns;            /* a page that arrived stays at least this long */
    int64_t spin_ns;            /* a thread that waits for a page looks this long, then sleeps */
    uint64_t foreign_max;       /* pages of other homes that this node keeps; 0: any number */
};

/* `placement` is copied.  NULL with `e` set on failure. */
struct pages *pages_new(const struct placement *placement, const struct pages_config *config,
                        const struct pages_port *port, struct err *e);
/* No thread may be inside. */
void pages_free(struct pages *p);

/* ram_ops with a struct pages as ctx. */
extern const struct ram_ops pages_ram_ops;
bool pages_acquire(struct pages *p, uint64_t page, uint64_t n, enum mem_right right);
/* Any thread, also inside of a view. */
void pages_release(struct pages *p, uint64_t page, uint64_t n);

/* A message from node `from`; `data` is MEM_PAGE_SIZE bytes or NULL.  One thread a sender.
 * false: the peer broke the protocol. */
bool pages_message(struct pages *p, unsigned from, uint64_t page, const struct coh_msg *m,
                   const void *data);

/* The machine goes down: everybody who waits or will ask gets false. */
void pages_end(struct pages *p);

/* Give the page back to its home, if possible.  Returns whether something was begun. */
bool pages_evict(struct pages *p, uint64_t page);

struct pages_hot {
    uint64_t page;
    uint32_t faults;
};

struct pages_stats {
    uint64_t read_faults, write_faults;     /* that had to ask another node */
    uint64_t local_faults;                  /* that the home itself could grant */
    uint64_t zero_grants, upgrades;         /* remote, answered without data */
    uint64_t pages_in, pages_out;           /* contents received and sent */
    uint64_t msgs_in, msgs_out;
    uint64_t revoked, evicted;
    uint64_t held, foreign;                 /* now */
    uint64_t median_ns, p99_ns, max_ns;     /* of remote faults; 0: none */
    unsigned hot_n;                         /* pages with most remote faults, descending */
    struct pages_hot hot[PAGES_HOT_MAX];
};
void pages_stats_get(struct pages *p, struct pages_stats *s);
/* As a few lines of text. */
void pages_stats_print(const struct pages_stats *s, struct strbuf *b);
