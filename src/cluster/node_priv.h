/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct node, for node*.c only. */
#pragma once
#include "base/thread.h"
#include "cluster/coh.h"
#include "cluster/link.h"
#include "cluster/node.h"
#include "cluster/placement.h"
#include "cluster/wire.h"
#include "vm/vcpu.h"

#include <stdatomic.h>

#define NODE_CALLS_MAX 1024     /* under way at one time; each belongs to a thread that waits */
#define NODE_PROXIES_MAX 600
#define NODE_TEXT_MAX (64u << 10)
#define NODE_MAINT_BEGUN_MAX 256

struct strbuf;

/* A question to another node, and the thread that waits for its answer. */
struct call {
    _Atomic uint32_t state;     /* futex: enum call_state */
    uint32_t gen;
    uint8_t to;
    bool used;
    uint64_t value;
    struct strbuf *text;        /* where a text goes; NULL: none is wanted */
};

struct receiver {
    struct thread thread;
    struct node *node;
    uint8_t peer, channel;
};

struct proxy {
    struct node *node;
    uint64_t gpa;
    uint8_t owner;
};

/* A maintenance batch sent to all vCPUs of a node on behalf of one thread. */
struct maint_begun {
    uint64_t thread;            /* 0: free */
    uint32_t call;
    uint32_t vcpu;              /* the last one that it was begun for */
    uint8_t to;
};

struct beat {
    _Atomic int64_t echo_ns;    /* the peer's time in its last beat, and when it came */
    _Atomic int64_t came_ns;
    _Atomic int64_t rtt_ns;     /* smoothed; 0: none yet */
};

struct node {
    struct member *member;
    struct vm *vm;
    struct pages *pages;
    struct placement placement;
    struct node_config config;
    struct node_hooks hooks;
    struct link_pump *pump;
    unsigned self;
    atomic_bool leaving;        /* the root has said so: links may close from now on */
    atomic_bool ending;         /* nothing blocks any more: calls and acquires fail */
    atomic_bool quit_told;      /* hooks.quit() was called */
    int64_t start_ns;

    struct mutex fault_lock;    /* the first reason is the one that is told */
    char fault[400];

    struct mutex call_lock;
    struct call call[NODE_CALLS_MAX];
    unsigned call_next;

    struct mutex proxy_lock;
    struct proxy proxy[NODE_PROXIES_MAX];
    unsigned proxies_n;

    struct mutex maint_lock;
    struct maint_begun begun[NODE_MAINT_BEGUN_MAX];

    struct mutex ready_lock;    /* root: who has done the last command */
    struct cond ready_cond;
    uint32_t command_n;
    uint64_t ready;             /* bit per node */

    struct beat beat[COH_NODES_MAX];
    _Atomic uint64_t broken_page;       /* + 1: its protocol is broken; the tick ends the machine */
    _Atomic uint32_t poll[VCPU_MAX];    /* of vCPUs elsewhere: nobody looks */
    struct receiver receiver[COH_NODES_MAX][WIRE_CHANNEL_N];
};

/* ---- node.c ---- */

/* The machine cannot go on: says why once, tells the others, wakes everybody. */
void node_fault(struct node *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool node_send(struct node *n, unsigned to, unsigned channel, uint8_t type,
               const struct wire_buf *b);

/* ---- node_call.c ---- */

/* Takes a number for a call to `to`; `text` may be NULL. */
uint32_t node_call_open(struct node *n, unsigned to, struct strbuf *text);
/* Waits for the answer.  false: the machine ends. */
bool node_call_wait(struct node *n, uint32_t call, uint64_t *value);
/* An answer came; false: it is no answer to anything that `from` was asked. */
bool node_call_answer(struct node *n, unsigned from, uint32_t call, uint64_t value,
                      const char *text, size_t text_n);
void node_calls_end(struct node *n);
/* The other side: serves a frame of the CALL channel.  false: malformed. */
bool node_serve(struct node *n, unsigned from, const struct link_frame *f);

/* ---- node_vcpu.c ---- */

extern const struct mmio_ops node_fallback_mmio;    /* ctx: struct node; everything of the root */
bool node_vcpu_fast(struct node *n, const struct link_frame *f);   /* KICK, LINE */

/* ---- node_clock.c ---- */

uint64_t node_time_ns(struct node *n);
void node_time_seen(struct node *n, uint64_t time_ns);
void node_beat_send(struct node *n);
bool node_beat_received(struct node *n, unsigned from, const struct link_frame *f);
