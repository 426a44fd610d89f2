/* SPDX-License-Identifier: Apache-2.0 */
/* The page-coherence protocol; coh.h says what it is, docs/cluster.md draws it.
 *
 * Why it is right, in short: the home starts the next request for a page only after the last
 * requester said DONE, so at most one request changes a page at any time and a node has at
 * most one message to act upon.  A requester says DONE only when it has the data and the ACK
 * of every node that lost its copy, so nobody can read an old value after the first write.
 *
 * COH_BUG is set by tests/model only: it breaks the protocol in one place, and the explorer
 * must find that. */
#include "cluster/coh.h"

#include <assert.h>
#include <stddef.h>

#ifndef COH_BUG
#define COH_BUG 0
#endif
#define BUG(n) (COH_BUG == (n))

enum { GRANTED = 1, GRANTED_CLEAN };
enum { WAIT_NONE, WAIT_GETS, WAIT_GETX, WAIT_PUT };

enum coh_right coh_state_right(uint8_t state)
{
    return state == COH_I ? COH_NONE : state == COH_M ? COH_WRITE : COH_READ;
}

bool coh_msg_has_data(uint8_t type)
{
    return type == COH_DATA_S || type == COH_DATA_X || type == COH_DATA_T;
}

bool coh_msg_is_for_home(uint8_t type)
{
    return type >= COH_GETS && type <= COH_DONE;
}

const char *coh_msg_name(uint8_t type)
{
    static const char *const names[COH_MSG_TYPE_N] = {
        [COH_GETS] = "GETS", [COH_GETX] = "GETX", [COH_PUT] = "PUT", [COH_DROP] = "DROP",
        [COH_DONE] = "DONE", [COH_FWD_S] = "FWD_S", [COH_FWD_X] = "FWD_X",
        [COH_FWD_T] = "FWD_T", [COH_INV] = "INV", [COH_GRANT_S] = "GRANT_S",
        [COH_GRANT_X] = "GRANT_X", [COH_ZERO] = "ZERO", [COH_DATA_S] = "DATA_S",
        [COH_DATA_X] = "DATA_X", [COH_DATA_T] = "DATA_T", [COH_ACK] = "ACK",
    };

    return type < COH_MSG_TYPE_N && names[type] ? names[type] : "?";
}

static struct coh_act *act_add(struct coh_out *out, uint8_t kind)
{
    assert(out->n < COH_OUT_MAX);
    struct coh_act *a = &out->act[out->n++];

    *a = (struct coh_act) { .kind = kind };
    return a;
}

static void send_msg(struct coh_out *out, unsigned to, struct coh_msg m)
{
    struct coh_act *a = act_add(out, COH_ACT_SEND);

    a->to = to;
    a->msg = m;
}

static void act_keep(struct coh_out *out, uint8_t kind, uint8_t keep)
{
    act_add(out, kind)->keep = keep;
}

/* ---- the local side ---- */

/* The right that was wanted is here. */
static void local_done(struct coh_local *l, const struct coh_place *p, uint8_t state,
                       struct coh_out *out)
{
    struct coh_msg done = { .type = COH_DONE, .clean = l->granted == GRANTED_CLEAN };

    l->state = state;
    l->want = COH_NONE;
    l->granted = l->acks_need = l->acks_got = 0;
    act_keep(out, COH_ACT_HAVE, coh_state_right(state));
    send_msg(out, p->home, done);
}

static bool local_try_write(struct coh_local *l, const struct coh_place *p, struct coh_out *out)
{
    if (l->granted && (l->acks_got == l->acks_need || BUG(1))) {
        /* Who only wanted to read has it alone all the same: the home expects it to write. */
        local_done(l, p, l->want == COH_READ ? COH_E : COH_M, out);
    }
    return !l->granted || l->acks_got < l->acks_need;
}

enum coh_want coh_local_want(struct coh_local *l, const struct coh_place *p, enum coh_right right,
                             struct coh_out *out)
{
    if (right <= coh_state_right(l->state)) {
        return COH_WANT_HAVE;
    }
    if (l->state == COH_E) {
        if (l->rv) {
            return COH_WANT_LATER;
        }
        l->state = COH_M;
        return COH_WANT_HAVE;
    }
    if (l->rv == COH_PUT) {
        /* A DROP is about to leave.  A GETX now would overtake it, and home would believe
         * that the copy is still there. */
        return COH_WANT_LATER;
    }
    if (l->want == COH_NONE) {
        l->want = right;
        send_msg(out, p->home,
                 (struct coh_msg) { .type = right == COH_READ ? COH_GETS : COH_GETX });
    }
    return COH_WANT_WAIT;
}

bool coh_local_evict(struct coh_local *l, const struct coh_place *p, struct coh_out *out)
{
    if (l->state == COH_I || l->want || l->rv) {
        return false;
    }
    if (l->state == COH_S) {
        if (BUG(2)) {       /* a silent drop: home goes on counting on the copy */
            l->state = COH_I;
            act_keep(out, COH_ACT_LOST, COH_NONE);
            return true;
        }
        l->rv = COH_PUT;
        act_keep(out, COH_ACT_REVOKE, COH_NONE);
        return true;
    }
    if (p->self == p->home) {
        return false;
    }
    send_msg(out, p->home, (struct coh_msg) { .type = COH_PUT });
    return true;
}

/* Gives the page away: data (or an ACK) to `to`. */
static void local_give(struct coh_local *l, unsigned to, struct coh_msg m, struct coh_out *out)
{
    m.clean = m.type == COH_DATA_X && l->state == COH_E;
    send_msg(out, to, m);
    l->state = COH_I;
    act_keep(out, COH_ACT_LOST, COH_NONE);
}

void coh_local_revoked(struct coh_local *l, const struct coh_place *p, struct coh_out *out)
{
    uint8_t rv = l->rv;

    l->rv = 0;
    switch (rv) {
    case COH_FWD_S:
        l->state = BUG(3) ? COH_M : COH_O;
        send_msg(out, l->rv_req, (struct coh_msg) { .type = COH_DATA_S });
        break;
    case COH_FWD_X:
        local_give(l, l->rv_req, (struct coh_msg) { .type = COH_DATA_X, .acks = l->rv_acks },
                   out);
        break;
    case COH_FWD_T:
        local_give(l, l->rv_req, (struct coh_msg) { .type = COH_DATA_T }, out);
        break;
    case COH_INV:
        local_give(l, l->rv_req, (struct coh_msg) { .type = COH_ACK }, out);
        break;
    case COH_PUT:
        /* At home the owner's copy may have come back meanwhile (DATA_T): that one stays. */
        if (l->state == COH_S || BUG(9)) {
            local_give(l, p->home, (struct coh_msg) { .type = COH_DROP }, out);
        }
        break;
    default:
        assert(!"revoked without being asked");
    }
    l->rv_req = l->rv_acks = 0;
}

/* Home tells us to give up what we hold, wholly or in part. */
static bool local_recall(struct coh_local *l, const struct coh_msg *m, struct coh_out *out)
{
    bool owner = l->state == COH_O || l->state == COH_M || l->state == COH_E;
    /* An eviction of our own may be revoking already; then this takes its place. */
    bool revoking = l->rv == COH_PUT;

    if (m->type == COH_INV) {
        if (l->state == COH_I) {        /* our DROP is on its way */
            send_msg(out, m->req, (struct coh_msg) { .type = COH_ACK });
            return true;
        }
        if (l->state == COH_M || l->state == COH_E || (l->rv && !revoking)) {
            return false;
        }
    } else if (!owner || (l->rv && !revoking)) {
        return false;
    }
    if (m->type == COH_FWD_S && l->state != COH_M) {
        l->state = BUG(11) ? l->state : COH_O;
        send_msg(out, m->req, (struct coh_msg) { .type = COH_DATA_S });
        return true;
    }

    l->rv = m->type;
    l->rv_req = m->req;
    l->rv_acks = m->acks;
    if (BUG(4) && m->type == COH_INV) { /* answers before the right is gone */
        send_msg(out, m->req, (struct coh_msg) { .type = COH_ACK });
        l->rv = COH_PUT;
    }
    if (!revoking) {
        act_keep(out, COH_ACT_REVOKE, m->type == COH_FWD_S ? COH_READ : COH_NONE);
    }
    return true;
}

static bool local_data_t(struct coh_local *l, const struct coh_place *p, struct coh_out *out)
{
    if (p->self != p->home || (l->state != COH_I && l->state != COH_S)) {
        return false;
    }
    l->state = COH_O;
    /* If we want to read, the request stays queued and will be answered with GRANT_S. */
    act_keep(out, COH_ACT_HAVE, COH_READ);
    send_msg(out, p->home, (struct coh_msg) { .type = COH_DONE });
    return true;
}

bool coh_local_msg(struct coh_local *l, const struct coh_place *p, unsigned from,
                   const struct coh_msg *m, struct coh_out *out)
{
    bool home_only = m->type >= COH_FWD_S && m->type <= COH_ZERO;

    if (from >= p->nodes || m->req >= p->nodes || m->acks >= p->nodes || m->clean > 1 ||
        (home_only && from != p->home)) {
        return false;
    }
    switch (m->type) {
    case COH_FWD_T:
        if (m->req != p->home || p->self == p->home) {
            return false;
        }
        return local_recall(l, m, out);
    case COH_FWD_S:
    case COH_FWD_X:
    case COH_INV:
        return m->req != p->self && local_recall(l, m, out);
    case COH_GRANT_S:
        if (l->want != COH_READ || l->state == COH_I) {
            return false;
        }
        local_done(l, p, l->state, out);
        return true;
    case COH_ZERO:
        if (l->want == COH_NONE || l->state != COH_I) {
            return false;
        }
        local_done(l, p, COH_M, out);
        return true;
    case COH_DATA_S:
        if (l->want != COH_READ || l->state != COH_I) {
            return false;
        }
        local_done(l, p, COH_S, out);
        return true;
    case COH_GRANT_X:
    case COH_DATA_X:
        /* GRANT_X builds upon the copy that is here, DATA_X brings one. */
        if (l->want == COH_NONE || (l->want == COH_READ && m->type != COH_DATA_X) ||
            l->granted || l->rv || (l->state == COH_I) != (m->type == COH_DATA_X)) {
            return false;
        }
        l->granted = m->clean ? GRANTED_CLEAN : GRANTED;
        l->acks_need = m->acks;
        return local_try_write(l, p, out) || l->want == COH_NONE;
    case COH_DATA_T:
        return local_data_t(l, p, out);
    case COH_ACK:
        if (l->want != COH_WRITE || l->acks_got + 1 >= p->nodes) {
            return false;
        }
        l->acks_got++;
        return local_try_write(l, p, out) || l->want == COH_NONE;
    default:
        return false;
    }
}

/* ---- the directory ---- */

static uint64_t bit(unsigned node)
{
    return UINT64_C(1) << node;
}

static unsigned dir_wait_get(const struct coh_dir *d, unsigned node)
{
    return (d->wait[0] >> node & 1) | (d->wait[1] >> node & 1) << 1;
}

static void dir_wait_set(struct coh_dir *d, unsigned node, unsigned kind)
{
    d->wait[0] = (d->wait[0] & ~bit(node)) | (uint64_t)(kind & 1) << node;
    d->wait[1] = (d->wait[1] & ~bit(node)) | (uint64_t)(kind >> 1) << node;
}

/* Tells every node of `mask` to ACK to `req`; returns how many. */
static unsigned dir_invalidate(uint64_t mask, unsigned req, struct coh_out *out)
{
    unsigned n = __builtin_popcountll(mask);

    for (; mask; mask &= mask - 1) {
        send_msg(out, __builtin_ctzll(mask), (struct coh_msg) { .type = COH_INV, .req = req });
    }
    return n;
}

static void dir_start_read(struct coh_dir *d, unsigned r, struct coh_out *out)
{
    if (d->owner1 == r + 1 || (d->sharers & bit(r))) {
        send_msg(out, r, (struct coh_msg) { .type = COH_GRANT_S });
        return;
    }
    if (d->migrates && !d->sharers) {
        send_msg(out, d->owner1 - 1, (struct coh_msg) { .type = COH_FWD_X, .req = r });
        d->owner1 = r + 1;
        return;
    }
    d->migrates = 0;
    d->reader1 = r + 1;
    send_msg(out, d->owner1 - 1, (struct coh_msg) { .type = COH_FWD_S, .req = r });
    if (!BUG(5)) {
        d->sharers |= bit(r);
    }
}

static void dir_start_write(struct coh_dir *d, unsigned r, struct coh_out *out)
{
    unsigned owner = d->owner1 - 1;
    uint64_t others = d->sharers & ~bit(r) & ~bit(owner);
    struct coh_msg m = { .type = COH_GRANT_X };

    if (owner == r || (d->sharers & bit(r))) {
        /* It has the contents; the owner's copy, if that is another's, equals them. */
        if (owner != r) {
            others |= bit(owner);
        }
        m.acks = dir_invalidate(others, r, out);
        send_msg(out, r, m);
        /* One owner, one reader, and that one writes now: such pages wander. */
        d->migrates = owner != r && d->sharers == bit(r) && d->reader1 == r + 1;
    } else {
        m.acks = dir_invalidate(others, r, out);
        m.type = COH_FWD_X;
        m.req = r;
        send_msg(out, owner, m);
    }
    d->owner1 = r + 1;
    d->reader1 = 0;
    if (!BUG(6)) {
        d->sharers = 0;
    }
}

/* Serves node `r`, whose turn it is.  The page stays busy until the DONE. */
static void dir_start(struct coh_dir *d, const struct coh_place *p, unsigned r, unsigned kind,
                      struct coh_out *out)
{
    if (kind == WAIT_PUT) {
        /* An offer is void if the page has left meanwhile. */
        if ((d->owner1 != r + 1 && !BUG(7)) || r == p->home) {
            return;
        }
        send_msg(out, r, (struct coh_msg) { .type = COH_FWD_T, .req = p->home });
        d->owner1 = p->home + 1;
        d->sharers &= ~(bit(r) | bit(p->home));
        d->busy1 = p->home + 1;
        return;
    }
    d->busy1 = r + 1;
    if (!d->owner1) {
        d->owner1 = r + 1;
        send_msg(out, r, (struct coh_msg) { .type = COH_ZERO });
    } else if (kind == WAIT_GETS) {
        dir_start_read(d, r, out);
    } else {
        dir_start_write(d, r, out);
    }
    if (BUG(8)) {
        d->busy1 = 0;
    }
}

/* Serves those who wait, in turn, until one of them keeps the page busy. */
static void dir_next(struct coh_dir *d, const struct coh_place *p, struct coh_out *out)
{
    uint64_t all;

    while (!d->busy1 && (all = d->wait[0] | d->wait[1])) {
        uint64_t later = d->last + 1 < 64 ? all & ~(bit(d->last + 1) - 1) : 0;
        unsigned r = __builtin_ctzll(later ? later : all);
        unsigned kind = dir_wait_get(d, r);

        dir_wait_set(d, r, WAIT_NONE);
        d->last = r;
        dir_start(d, p, r, kind, out);
    }
}

bool coh_dir_msg(struct coh_dir *d, const struct coh_place *p, unsigned from,
                 const struct coh_msg *m, struct coh_out *out)
{
    if (p->self != p->home || from >= p->nodes) {
        return false;
    }
    unsigned waiting = dir_wait_get(d, from);

    switch (m->type) {
    case COH_GETS:
    case COH_GETX:
    case COH_PUT:
        /* One request a node.  An offer that is still queued is void once its maker asks for
         * the page again: either it lost the page, or it wants it after all. */
        if (waiting != WAIT_NONE && waiting != WAIT_PUT) {
            return false;
        }
        if (BUG(10) && d->busy1) {      /* forgets who must wait */
            return true;
        }
        dir_wait_set(d, from, m->type == COH_GETS ? WAIT_GETS :
                              m->type == COH_GETX ? WAIT_GETX : WAIT_PUT);
        break;
    case COH_DROP:
        d->sharers &= ~bit(from);
        return true;
    case COH_DONE:
        if (d->busy1 != from + 1) {
            return BUG(8);
        }
        d->busy1 = 0;
        if (m->clean) {     /* the last owner did not write: it does not wander after all */
            d->migrates = 0;
        }
        break;
    default:
        return false;
    }
    dir_next(d, p, out);
    return true;
}
