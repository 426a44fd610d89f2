/* SPDX-License-Identifier: Apache-2.0 */
/* struct coh_local, struct coh_dir: the page-coherence protocol as a pure step function.
 *
 * One page has one `coh_local` on every node (what this node may do with the page) and one
 * `coh_dir` on its home (who owns it, who shares it, whose turn it is).  Each function below
 * takes one event - a local wish, a message, "the revocation you asked for is complete" - and
 * puts what must be done about it into a `coh_out`.  There is no I/O, clock, thread or malloc:
 * the same object code runs in production (pages.c), in the exhaustive explorer (tests/model)
 * and in the cluster simulator (tests/sim).  docs/cluster.md has the diagrams.
 *
 * The contract with the caller:
 *  - messages between an ordered pair of nodes arrive in the order in which they were sent;
 *    nothing is assumed between different pairs.  A message to oneself may be handed back at
 *    once or later.
 *  - a message for which coh_msg_has_data() holds carries the page's contents as they are when
 *    the message is put out.  Its receiver puts them into the page before the step, unless
 *    the page is readable there already (then they are equal).
 *  - after COH_ACT_REVOKE the caller takes away the right (waiting for pins, for software TLBs,
 *    for a minimum hold time: the protocol does not care how long) and then calls
 *    coh_local_revoked().  Until then the node goes on using the old right.
 *  - calls for one page are serialised by the caller.
 *
 * All functions that take a message return false if the peer broke the protocol; the page's
 * state is then unchanged or of no further use, and the caller must end the machine. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define COH_NODES_MAX 64

/* What a thread needs, and what a page's state allows it. */
enum coh_right { COH_NONE, COH_READ, COH_WRITE };

/* A page on a node.  O, M and E are the owner's states: it answers for the contents.  An owner
 * in O may read and has (or had) sharers in S; in M it is alone and may write; in E it is alone,
 * has not written, and may do so by telling nobody. */
enum coh_state { COH_I, COH_S, COH_O, COH_M, COH_E };

enum coh_msg_type {
    /* any node -> home */
    COH_GETS = 1,   /* I want to read */
    COH_GETX,       /* I want to write */
    COH_PUT,        /* I own it and would like to be rid of it */
    COH_DROP,       /* I shared it and do so no longer */
    COH_DONE,       /* requester: I have what I asked for; serve the next */
    /* home -> owner or sharer; `req` is the node to answer */
    COH_FWD_S,      /* owner: send DATA_S to req, keep a readable copy */
    COH_FWD_X,      /* owner: send DATA_X with `acks` to req, keep nothing */
    COH_FWD_T,      /* owner: send DATA_T to req (the home), keep nothing */
    COH_INV,        /* sharer, or owner in O: keep nothing, send ACK to req */
    /* home -> requester, without data */
    COH_GRANT_S,    /* you have the right to read already */
    COH_GRANT_X,    /* write what you have, once `acks` ACKs are there */
    COH_ZERO,       /* nobody ever touched it: write, it is all zero */
    /* owner or sharer -> requester */
    COH_DATA_S,     /* data */
    COH_DATA_X,     /* data; write once `acks` ACKs are there */
    COH_DATA_T,     /* data; own it, keep the sharers */
    COH_ACK,        /* my copy is gone */
    COH_MSG_TYPE_N
};

struct coh_msg {
    uint8_t type;   /* enum coh_msg_type */
    uint8_t req;    /* FWD_*, INV: the node to answer */
    uint8_t acks;   /* FWD_X, GRANT_X, DATA_X: how many ACKs the requester must see */
    uint8_t clean;  /* DATA_X, DONE: the last owner had it alone and did not write (0 or 1) */
};

/* Zero is the valid first state: not held.  Eight bytes a page. */
struct coh_local {
    uint8_t state;      /* enum coh_state */
    uint8_t want;       /* enum coh_right that was asked of home and is not there yet */
    uint8_t granted;    /* GRANT_X, DATA_X: the home's part is here, ACKs are not; 2: clean */
    uint8_t acks_need;  /* valid if granted */
    uint8_t acks_got;
    uint8_t rv;         /* message (or COH_PUT: own eviction) that waits for the revocation */
    uint8_t rv_req;
    uint8_t rv_acks;
};

/* Zero is the valid first state: never touched by anybody, so it reads as zero. */
struct coh_dir {
    uint64_t sharers;   /* nodes with a copy beside the owner's */
    uint64_t wait[2];   /* two bits a node: 1 GETS, 2 GETX, 3 PUT waits its turn */
    uint8_t owner1;     /* node + 1; 0: never touched */
    uint8_t busy1;      /* node + 1 whose DONE is awaited; 0: idle */
    uint8_t last;       /* node served last: the turn goes round from there */
    uint8_t reader1;    /* node + 1 that was served a GETS last, if no GETX has come since */
    uint8_t migrates;   /* who reads it writes it next: give it to readers alone */
    uint8_t pad[3];
};

/* Where a page is: who we are and who its home is. */
struct coh_place {
    uint8_t self;
    uint8_t home;
    uint8_t nodes;      /* 1 … COH_NODES_MAX */
};

enum coh_act_kind {
    COH_ACT_SEND,       /* `msg` to node `to` */
    COH_ACT_REVOKE,     /* take local rights above `keep` away, then coh_local_revoked() */
    COH_ACT_HAVE,       /* the right `keep` has arrived: wake those who wait */
    COH_ACT_LOST,       /* the page's contents here are void from now on */
};

struct coh_act {
    uint8_t kind;       /* enum coh_act_kind */
    uint8_t to;
    uint8_t keep;       /* enum coh_right */
    struct coh_msg msg;
};

/* What one step asks for, to be done in this order.  The longest is a GETX at the home of a
 * page that everybody shares. */
#define COH_OUT_MAX (COH_NODES_MAX + 4)
struct coh_out {
    unsigned n;
    struct coh_act act[COH_OUT_MAX];
};

/* The right that a state gives: I none; S, O and E read; M write. */
enum coh_right coh_state_right(uint8_t state);
bool coh_msg_has_data(uint8_t type);
/* To be handled by coh_dir_msg() (true) or coh_local_msg()? */
bool coh_msg_is_for_home(uint8_t type);
/* "GETS", …; never NULL. */
const char *coh_msg_name(uint8_t type);

/* A local thread needs `right`.  COH_WANT_HAVE: it has it (perhaps only now: E becomes M by
 * this).  COH_WANT_WAIT: COH_ACT_HAVE will come (a request may have been put out).
 * COH_WANT_LATER: a revocation is under way; ask again after coh_local_revoked(). */
enum coh_want { COH_WANT_HAVE, COH_WANT_WAIT, COH_WANT_LATER };
enum coh_want coh_local_want(struct coh_local *l, const struct coh_place *p, enum coh_right right,
                             struct coh_out *out);

/* This node would like to be rid of the page.  A shared copy goes at once (after a
 * revocation); an owned page is offered to its home, stays usable, and goes when the home
 * takes it.  false: not now (not held, something is under way, or it is at home here). */
bool coh_local_evict(struct coh_local *l, const struct coh_place *p, struct coh_out *out);

/* What the last COH_ACT_REVOKE asked for is done. */
void coh_local_revoked(struct coh_local *l, const struct coh_place *p, struct coh_out *out);

/* `m` came from node `from`. */
bool coh_local_msg(struct coh_local *l, const struct coh_place *p, unsigned from,
                   const struct coh_msg *m, struct coh_out *out);
/* The same for the directory; only on the page's home (p->self == p->home). */
bool coh_dir_msg(struct coh_dir *d, const struct coh_place *p, unsigned from,
                 const struct coh_msg *m, struct coh_out *out);
