/* SPDX-License-Identifier: Apache-2.0 */
/* Private to host/net: what a backend consists of.  To add one: a struct that starts with struct
 * net, a struct net_class, its option table, and a row in `classes` (net.c). */
#pragma once
#include "base/err.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/thread.h"
#include "base/trace.h"
#include "host/net/net.h"

struct net_frame {
    struct net_frame *next;
    size_t n_bytes;
    uint8_t bytes[];
};

struct net_queue {
    struct net_frame *first, **tail;
    unsigned n;
};

/* Verbs run on the loop's thread. */
struct net_class {
    const char *name;
    size_t size;                            /* of the backend's struct */
    const struct opt_row *options;
    bool (*open)(struct net *n, const struct opts *o, struct err *e);
    void (*close)(struct net *n);           /* also after an open() that failed half-way */
    void (*to_host)(struct net *n, const uint8_t *frame, size_t n_bytes);
    /* Optional. */
    char *(*info)(struct net *n);
    bool (*hostfwd)(struct net *n, const char *rule, bool add, struct err *e);
};

struct net {
    const struct net_class *cls;
    struct loop *loop;
    const struct trace *trace;
    char *id;

    struct mutex lock;
    struct net_queue to_host;               /* lock */
    struct loop_work to_host_work;

    /* The rest belongs to the loop's thread. */
    struct net_handlers h;
    void *h_ctx;
    struct net_queue to_guest;
    struct loop_work to_guest_work;
};

/* A frame for the guest came: hands it on or keeps it.  On the loop's thread. */
void net_to_guest(struct net *n, const void *frame, size_t n_bytes);

extern const struct net_class net_class_user;
