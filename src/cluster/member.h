/* SPDX-License-Identifier: Apache-2.0 */
/* struct member: this process's membership in a cluster: who the nodes are, and the links to
 * all of them.  Three ways in:
 *
 *   root     member_root() waits until nodes - 1 others have come and said what they offer; the
 *            caller then decides what the machine is; member_root_start() tells everybody.
 *   join     member_join() offers, and returns when the root has told what the machine is.
 *   static   member_static(): everybody knows everything from equal command lines (GiantVM's).
 *
 * All block and are called once, before anything else runs.  The root is node 0. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct err;
struct link;
struct member;
struct placement;

#define MEMBER_NAME_MAX 64
#define MEMBER_MACHINE_MAX (512u << 10)         /* bytes of the machine's description */
#define MEMBER_STATIC_PORT 40000                /* + node: GiantVM's router port */
#define MEMBER_MESH_NS INT64_C(60000000000)     /* everybody must have connected by then */

struct member_offer {
    char name[MEMBER_NAME_MAX];                 /* the host's */
    uint32_t cpus;                              /* 0: whatever the root thinks right */
    uint64_t memory_bytes;                      /* likewise */
};

/* `listen_text` is HOST:PORT.  `secret_path` NULL: plain, loopback only. */
struct member *member_root(const char *listen_text, unsigned nodes, const char *secret_path,
                           struct err *e);
/* What node 1 … nodes - 1 offers; valid until member_root_start(). */
const struct member_offer *member_offer(const struct member *m, unsigned node);
/* Tells everybody the machine (a text) and the placement; returns with all links made. */
bool member_root_start(struct member *m, const char *machine, const struct placement *p,
                       struct err *e);

/* Tries for as long as `patience_ns` to reach the root. */
struct member *member_join(const char *root_text, const char *secret_path,
                           const struct member_offer *offer, int64_t patience_ns, struct err *e);

/* `iplist`: addresses separated by blanks or commas, each HOST[:PORT], one a node.  `machine` is
 * a text that must be equal on all nodes. */
struct member *member_static(const char *iplist, unsigned self, unsigned nodes,
                             const char *secret_path, const char *machine, struct err *e);

void member_free(struct member *m);             /* closes the links; NULL is fine */

unsigned member_self(const struct member *m);
unsigned member_nodes(const struct member *m);
/* "node 1 (host, 10.0.0.2:7001)": for messages; valid as long as `m`. */
const char *member_name(const struct member *m, unsigned node);
struct link *member_link(const struct member *m, unsigned node, unsigned channel);
/* What the root said: join only. */
const char *member_machine(const struct member *m);
const struct placement *member_placement(const struct member *m);
