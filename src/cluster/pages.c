/* SPDX-License-Identifier: Apache-2.0 */
/* The page table of a node; see pages.h, and docs/cluster.md "A page on a node".
 *
 * Per page: one atomic word (what threads look at), the protocol's struct coh_local, and on its
 * home the struct coh_dir.  The word:
 *
 *   31             8   4  3  2  1 0
 *   +---------------+---+--+--+----+
 *   | pins          | G | N| R| rt |     rt: enum coh_right
 *   +---------------+---+--+--+----+
 *   R  revoking: no new pins, unless there are some already (a thread that holds one may need
 *      a second, and must not wait for itself)
 *   N  a thread is running the revocation
 *   G  pins were granted while it ran: run it again
 *
 * The protocol's steps for a page run under its stripe's lock.  The word's right changes only
 * under that lock, its pins by anybody. */
#include "cluster/pages.h"

#include "base/base.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/thread.h"
#include "cluster/pages_stats.h"
#include "cluster/placement.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define W_RIGHT 3u
#define W_REVOKING 4u
#define W_RUNNING 8u
#define W_AGAIN 16u
#define W_PIN 256u
#define W_PINS (~(W_PIN - 1))

#define STRIPES_N 1024
#define ASK_AHEAD_MAX 32        /* requests in flight for one acquire of many pages */
#define DISCARD_MAX 1024        /* lost pages whose frames are kept for their return */
#define EVICT_BATCH_MAX 64

enum wait_state { WAIT_LOOKING, WAIT_ASLEEP, WAIT_PINNED, WAIT_RETRY };

struct waiter {
    struct waiter *next;
    uint64_t page;
    enum coh_right right;
    _Atomic uint32_t state;     /* futex: enum wait_state */
};

struct stripe {
    struct mutex lock;
    struct waiter *waiters;
} __attribute__((aligned(64)));

struct todo {
    uint64_t page;
    int64_t due_ns;
};

/* A growing ring; under pages.work_lock. */
struct todo_ring {
    struct todo *at;
    size_t first, n, cap;       /* cap is a power of two */
};

struct pages {
    struct placement placement;
    struct pages_config config;
    struct pages_port port;
    uint64_t first, n;          /* the arrays' span in guest-physical page numbers */
    size_t map_bytes;
    void *map;
    _Atomic uint32_t *word;
    struct coh_local *local;
    struct coh_dir *dir;
    uint32_t *faults;           /* remote ones, under the stripe's lock */
    uint32_t *have_us;          /* when the right arrived; only with hold_ns */
    atomic_bool down;

    struct mutex work_lock;
    struct cond work_cond;
    struct todo_ring revoke, held, lost, foreign;
    struct thread worker;

    struct pages_counts counts;
    struct stripe stripe[STRIPES_N];
};

/* What a turn under a stripe's lock leaves to be done after it. */
struct turn {
    bool revoke;
};

static bool message(struct pages *p, uint64_t page, unsigned from, const struct coh_msg *m,
                    const void *data, struct turn *turn);

/* ---- small things ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t v)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static struct stripe *stripe_of(struct pages *p, uint64_t page)
{
    return &p->stripe[page * UINT64_C(0x9e3779b97f4a7c15) >> 54];
}

static _Atomic uint32_t *word_of(struct pages *p, uint64_t page)
{
    return &p->word[page - p->first];
}

static struct coh_place place_of(struct pages *p, uint64_t page)
{
    return (struct coh_place) {
        .self = p->config.self, .home = placement_home(&p->placement, page),
        .nodes = p->placement.nodes,
    };
}

static void count(_Atomic uint64_t *c)
{
    atomic_fetch_add_explicit(c, 1, memory_order_relaxed);
}

static bool ring_push(struct todo_ring *r, struct todo t)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct todo *at = malloc(cap * sizeof *at);

        if (!at) {
            return false;
        }
        for (size_t i = 0; i < r->n; i++) {
            at[i] = r->at[(r->first + i) & (r->cap - 1)];
        }
        free(r->at);
        *r = (struct todo_ring) { at, 0, r->n, cap };
    }
    r->at[(r->first + r->n++) & (r->cap - 1)] = t;
    return true;
}

static struct todo ring_pop(struct todo_ring *r)
{
    struct todo t = r->at[r->first & (r->cap - 1)];

    r->first++;
    r->n--;
    return t;
}

static void work_push(struct pages *p, struct todo_ring *r, struct todo t, bool wake)
{
    mutex_lock(&p->work_lock);
    if (!ring_push(r, t)) {
        abort();        /* a revocation that is forgotten would hang the machine */
    }
    if (wake) {
        cond_signal(&p->work_cond);
    }
    mutex_unlock(&p->work_lock);
}

/* ---- pins ---- */

static inline bool pin_try(_Atomic uint32_t *word, enum coh_right right)
{
    uint32_t w = atomic_load_explicit(word, memory_order_relaxed);

    while ((w & W_RIGHT) >= right && (!(w & W_REVOKING) || (w & W_PINS))) {
        if (atomic_compare_exchange_weak_explicit(word, &w, w + W_PIN, memory_order_acquire,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

static void waiter_wake(struct waiter *w, enum wait_state state)
{
    /* After the exchange the waiter may be gone; waking an address is harmless. */
    if (atomic_exchange(&w->state, state) == WAIT_ASLEEP) {
        futex_wake(&w->state);
    }
}

/* Wakes those who wait for the page: with a pin if `right` is what they need, to try again
 * otherwise. */
static void wake_waiters(struct pages *p, uint64_t page, enum coh_right right)
{
    struct waiter **at = &stripe_of(p, page)->waiters;

    while (*at) {
        struct waiter *w = *at;

        if (w->page != page) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        if (right >= w->right) {
            uint32_t old = atomic_fetch_add(word_of(p, page), W_PIN);

            if (old & W_REVOKING) {
                atomic_fetch_or(word_of(p, page), W_AGAIN);
            }
            waiter_wake(w, WAIT_PINNED);
        } else {
            waiter_wake(w, WAIT_RETRY);
        }
    }
}

/* ---- the protocol's actions; the stripe is locked ---- */

/* Clears bits of the word, and sets its right to what the protocol's state says. */
static void word_set(struct pages *p, uint64_t page, uint32_t clear)
{
    _Atomic uint32_t *word = word_of(p, page);
    uint32_t right = coh_state_right(p->local[page - p->first].state);
    uint32_t w = atomic_load(word);

    while (!atomic_compare_exchange_weak(word, &w, (w & ~clear & ~W_RIGHT) | right)) {
    }
}

static void act_send(struct pages *p, uint64_t page, const struct coh_act *a, struct turn *turn)
{
    const void *data = NULL;

    if (a->to == p->config.self) {
        /* We do not break our own protocol, but we may stand upon what a peer told us. */
        if (!message(p, page, a->to, &a->msg, NULL, turn)) {
            p->port.broken(p->port.ctx, page);
        }
        return;
    }
    if (coh_msg_has_data(a->msg.type)) {
        data = p->port.host(p->port.ctx, page);
        count(&p->counts.pages_out);
    }
    count(&p->counts.msgs_out);
    p->port.send(p->port.ctx, a->to, page, &a->msg, data);
}

static void act_have(struct pages *p, uint64_t page, enum coh_right right, bool was_held)
{
    word_set(p, page, 0);
    if (p->have_us) {
        p->have_us[page - p->first] = mono_now_ns() / 1000;
    }
    if (!was_held) {
        count(&p->counts.held);
        if (placement_home(&p->placement, page) != p->config.self) {
            uint64_t foreign = atomic_fetch_add(&p->counts.foreign, 1) + 1;

            if (p->config.foreign_max) {
                work_push(p, &p->foreign, (struct todo) { .page = page },
                          foreign > p->config.foreign_max);
            }
        }
    }
    wake_waiters(p, page, right);
}

static void act_lost(struct pages *p, uint64_t page)
{
    word_set(p, page, 0);
    atomic_fetch_sub(&p->counts.held, 1);
    if (placement_home(&p->placement, page) != p->config.self) {
        atomic_fetch_sub(&p->counts.foreign, 1);
    }
    work_push(p, &p->lost, (struct todo) { .page = page }, false);
}

static void act_revoke(struct pages *p, uint64_t page, struct turn *turn)
{
    uint32_t w = atomic_fetch_or(word_of(p, page), W_REVOKING);

    if (w & W_PINS) {
        return;         /* the last release goes on with it */
    }
    if (p->have_us) {
        uint32_t held_us = (uint32_t)(mono_now_ns() / 1000) - p->have_us[page - p->first];
        int64_t left_ns = p->config.hold_ns - (int64_t)held_us * 1000;

        if (left_ns > 0) {
            work_push(p, &p->held, (struct todo) { page, mono_now_ns() + left_ns }, true);
            return;
        }
    }
    turn->revoke = true;
}

static void perform(struct pages *p, uint64_t page, const struct coh_out *out, bool was_held,
                    struct turn *turn)
{
    for (unsigned i = 0; i < out->n; i++) {
        const struct coh_act *a = &out->act[i];

        switch (a->kind) {
        case COH_ACT_SEND:
            act_send(p, page, a, turn);
            break;
        case COH_ACT_REVOKE:
            act_revoke(p, page, turn);
            break;
        case COH_ACT_HAVE:
            act_have(p, page, a->keep, was_held);
            break;
        case COH_ACT_LOST:
            act_lost(p, page);
            break;
        }
    }
}

static bool message(struct pages *p, uint64_t page, unsigned from, const struct coh_msg *m,
                    const void *data, struct turn *turn)
{
    struct coh_local *l = &p->local[page - p->first];
    struct coh_place place = place_of(p, page);
    bool was_held = l->state != COH_I;
    struct coh_out out;

    out.n = 0;
    if (coh_msg_is_for_home(m->type)) {
        if (place.home != place.self ||
            !coh_dir_msg(&p->dir[page - p->first], &place, from, m, &out)) {
            return false;
        }
    } else {
        if (data && !was_held) {
            memcpy(p->port.host(p->port.ctx, page), data, MEM_PAGE_SIZE);
        }
        if (!coh_local_msg(l, &place, from, m, &out)) {
            return false;
        }
        if (m->type == COH_ZERO && from != place.self) {
            count(&p->counts.zero_grants);
        } else if (m->type == COH_GRANT_X && from != place.self) {
            count(&p->counts.upgrades);
        }
    }
    perform(p, page, &out, was_held, turn);
    return true;
}

/* ---- revocation ---- */

/* One pass: takes the right away from vCPUs and tells the protocol.  Not locked.  Returns
 * whether another revocation of the page may begin at once. */
static bool revoke_pass(struct pages *p, uint64_t page)
{
    struct stripe *s = stripe_of(p, page);
    struct coh_local *l = &p->local[page - p->first];
    _Atomic uint32_t *word = word_of(p, page);
    struct coh_place place = place_of(p, page);
    struct turn turn = { 0 };
    struct coh_out out;
    bool keep_read;
    uint32_t w;

    mutex_lock(&s->lock);
    w = atomic_load(word);
    if (!(w & W_REVOKING) || (w & W_RUNNING) || (w & W_PINS)) {
        mutex_unlock(&s->lock);
        return false;
    }
    atomic_fetch_or(word, W_RUNNING);
    do {
        atomic_fetch_and(word, ~W_AGAIN);
        keep_read = l->rv == COH_FWD_S;
        mutex_unlock(&s->lock);
        p->port.drop(p->port.ctx, page, keep_read);
        mutex_lock(&s->lock);
        w = atomic_load(word);
        /* Granted meanwhile: the last release begins anew, unless it was faster than us. */
        while ((w & W_PINS) &&
               !atomic_compare_exchange_weak(word, &w, w & ~(W_RUNNING | W_AGAIN))) {
        }
        if (w & W_PINS) {
            mutex_unlock(&s->lock);
            return false;
        }
    } while (w & W_AGAIN);
    out.n = 0;
    count(&p->counts.revoked);
    coh_local_revoked(l, &place, &out);
    /* Lowers the right and allows pins again in one step, and before anything is sent. */
    word_set(p, page, W_RIGHT | W_REVOKING | W_RUNNING);
    perform(p, page, &out, true, &turn);
    wake_waiters(p, page, COH_NONE);
    mutex_unlock(&s->lock);
    return turn.revoke;
}

static void revoke_run(struct pages *p, uint64_t page)
{
    while (revoke_pass(p, page)) {
    }
}

/* ---- acquire and release ---- */

static void waiter_sleep(struct pages *p, struct waiter *w)
{
    uint32_t looking = WAIT_LOOKING;

    if (p->config.spin_ns) {
        int64_t end = mono_now_ns() + p->config.spin_ns;

        while (atomic_load(&w->state) == WAIT_LOOKING && mono_now_ns() < end) {
        }
    }
    if (atomic_compare_exchange_strong(&w->state, &looking, WAIT_ASLEEP)) {
        while (atomic_load(&w->state) == WAIT_ASLEEP) {
            futex_wait(&w->state, WAIT_ASLEEP);
        }
    }
}

/* One try: asks and waits.  1: pinned; 0: try again; -1: the machine goes down. */
static int acquire_try(struct pages *p, uint64_t page, enum coh_right right, bool *asked)
{
    struct stripe *s = stripe_of(p, page);
    struct coh_place place = place_of(p, page);
    struct waiter w = { .page = page, .right = right };
    struct turn turn = { 0 };
    struct coh_local *l = &p->local[page - p->first];
    bool was_held;
    struct coh_out out;

    mutex_lock(&s->lock);
    if (atomic_load(&p->down)) {
        mutex_unlock(&s->lock);
        return -1;
    }
    if (pin_try(word_of(p, page), right)) {
        mutex_unlock(&s->lock);
        return 1;
    }
    w.next = s->waiters;
    s->waiters = &w;
    was_held = l->state != COH_I;
    out.n = 0;
    if (coh_local_want(l, &place, right, &out) == COH_WANT_HAVE) {
        word_set(p, page, 0);       /* E became M */
        if (pin_try(word_of(p, page), right)) {
            s->waiters = w.next;
            mutex_unlock(&s->lock);
            return 1;
        }
    }
    /* HAVE without a pin, and LATER: a revocation is under way; its end wakes us. */
    perform(p, page, &out, was_held, &turn);
    if (l->want) {              /* another node must answer */
        *asked = true;
        p->faults[page - p->first] += out.n != 0;
    }
    mutex_unlock(&s->lock);
    if (turn.revoke) {
        revoke_run(p, page);
    }
    waiter_sleep(p, &w);
    return atomic_load(&w.state) == WAIT_PINNED;
}

static bool acquire_slow(struct pages *p, uint64_t page, enum coh_right right)
{
    int64_t start = mono_now_ns();
    bool asked = false;
    int rc;

    while ((rc = acquire_try(p, page, right, &asked)) == 0) {
    }
    if (rc < 0) {
        return false;
    }
    if (asked) {
        pages_counts_fault(&p->counts, right == COH_WRITE, mono_now_ns() - start);
    } else {
        count(&p->counts.local_faults);
    }
    return true;
}

/* Asks for a page without waiting for it. */
static void ask_ahead(struct pages *p, uint64_t page, enum coh_right right)
{
    struct stripe *s = stripe_of(p, page);
    struct coh_local *l = &p->local[page - p->first];
    struct coh_place place = place_of(p, page);
    struct turn turn = { 0 };
    struct coh_out out;
    bool was_held;

    if ((atomic_load(word_of(p, page)) & W_RIGHT) >= right) {
        return;
    }
    mutex_lock(&s->lock);
    out.n = 0;
    was_held = l->state != COH_I;
    if (coh_local_want(l, &place, right, &out) == COH_WANT_HAVE) {
        word_set(p, page, 0);
    }
    perform(p, page, &out, was_held, &turn);
    p->faults[page - p->first] += out.n && l->want;
    mutex_unlock(&s->lock);
    if (turn.revoke) {
        revoke_run(p, page);
    }
}

bool pages_acquire(struct pages *p, uint64_t page, uint64_t n, enum mem_right mem_right)
{
    enum coh_right right = mem_right == MEM_WRITE ? COH_WRITE : COH_READ;
    uint64_t ahead = 0;

    assert(page >= p->first && page - p->first + n <= p->n);
    for (uint64_t i = 0; i < n; i++) {
        if (pin_try(word_of(p, page + i), right)) {
            continue;
        }
        for (ahead = MAX(ahead, i + 1); ahead < MIN(n, i + ASK_AHEAD_MAX); ahead++) {
            ask_ahead(p, page + ahead, right);
        }
        if (!acquire_slow(p, page + i, right)) {
            pages_release(p, page, i);
            return false;
        }
    }
    return true;
}

void pages_release(struct pages *p, uint64_t page, uint64_t n)
{
    for (; n; n--, page++) {
        uint32_t w = atomic_fetch_sub_explicit(word_of(p, page), W_PIN, memory_order_release);

        assert(w >= W_PIN);
        if ((w & W_PINS) == W_PIN && (w & W_REVOKING)) {
            work_push(p, &p->revoke, (struct todo) { .page = page }, true);
        }
    }
}

static bool ops_acquire(void *ctx, uint64_t page, uint64_t n, enum mem_right right)
{
    return pages_acquire(ctx, page, n, right);
}

static bool ops_try_acquire(void *ctx, uint64_t page, uint64_t n, enum mem_right right)
{
    struct pages *p = ctx;

    for (uint64_t i = 0; i < n; i++) {
        if (!pin_try(word_of(p, page + i), right == MEM_WRITE ? COH_WRITE : COH_READ)) {
            pages_release(p, page, i);
            return false;
        }
    }
    return true;
}

static void ops_release(void *ctx, uint64_t page, uint64_t n)
{
    pages_release(ctx, page, n);
}

const struct ram_ops pages_ram_ops = {
    .acquire = ops_acquire, .try_acquire = ops_try_acquire, .release = ops_release,
};

bool pages_message(struct pages *p, unsigned from, uint64_t page, const struct coh_msg *m,
                   const void *data)
{
    struct turn turn = { 0 };
    bool good;

    if (page < p->first || page - p->first >= p->n ||
        placement_home(&p->placement, page) == PLACEMENT_NONE ||
        coh_msg_has_data(m->type) != (data != NULL) || from >= p->placement.nodes) {
        return false;
    }
    count(&p->counts.msgs_in);
    if (data) {
        count(&p->counts.pages_in);
    }
    mutex_lock(&stripe_of(p, page)->lock);
    good = message(p, page, from, m, data, &turn);
    mutex_unlock(&stripe_of(p, page)->lock);
    if (turn.revoke) {
        revoke_run(p, page);
    }
    return good;
}

bool pages_evict(struct pages *p, uint64_t page)
{
    struct coh_place place = place_of(p, page);
    struct turn turn = { 0 };
    struct coh_out out;
    bool begun;

    out.n = 0;
    mutex_lock(&stripe_of(p, page)->lock);
    begun = coh_local_evict(&p->local[page - p->first], &place, &out);
    perform(p, page, &out, true, &turn);
    mutex_unlock(&stripe_of(p, page)->lock);
    if (turn.revoke) {
        revoke_run(p, page);
    }
    if (begun) {
        count(&p->counts.evicted);
    }
    return begun;
}

/* ---- the worker: what nobody else may wait for ---- */

/* Gives the frames of lost pages back to the host, unless they have returned. */
static void discard(struct pages *p, uint64_t page)
{
    const struct coh_local *l = &p->local[page - p->first];

    mutex_lock(&stripe_of(p, page)->lock);
    /* Contents may be here before the right is (granted). */
    if (l->state == COH_I && !l->granted) {
        madvise(p->port.host(p->port.ctx, page), MEM_PAGE_SIZE, MADV_DONTNEED);
    }
    mutex_unlock(&stripe_of(p, page)->lock);
}

/* Takes one thing to do; work_lock held; released while it is done.  false: nothing now. */
static bool work_one(struct pages *p, int64_t now_ns)
{
    uint64_t foreign = atomic_load(&p->counts.foreign);

    if (p->revoke.n || (p->held.n && p->held.at[p->held.first & (p->held.cap - 1)].due_ns <=
                                     now_ns)) {
        struct todo t = ring_pop(p->revoke.n ? &p->revoke : &p->held);

        mutex_unlock(&p->work_lock);
        revoke_run(p, t.page);
    } else if (p->config.foreign_max && foreign > p->config.foreign_max && p->foreign.n) {
        unsigned n = MIN(EVICT_BATCH_MAX, p->foreign.n);

        while (n--) {
            struct todo t = ring_pop(&p->foreign);

            mutex_unlock(&p->work_lock);
            if ((atomic_load(word_of(p, t.page)) & W_RIGHT) && !pages_evict(p, t.page)) {
                work_push(p, &p->foreign, t, false);    /* busy: at the end again */
            }
            mutex_lock(&p->work_lock);
        }
        mutex_unlock(&p->work_lock);
    } else if (p->lost.n > DISCARD_MAX) {
        struct todo t = ring_pop(&p->lost);

        mutex_unlock(&p->work_lock);
        discard(p, t.page);
    } else {
        return false;
    }
    mutex_lock(&p->work_lock);
    return true;
}

static void worker_run(struct thread *self, void *ctx)
{
    struct pages *p = ctx;

    mutex_lock(&p->work_lock);
    while (!thread_stop_asked(self)) {
        int64_t now = mono_now_ns(), due = now + INT64_C(100000000);

        if (work_one(p, now)) {
            continue;
        }
        if (p->held.n) {
            due = MIN(due, p->held.at[p->held.first & (p->held.cap - 1)].due_ns);
        }
        cond_wait_until(&p->work_cond, &p->work_lock, due);
    }
    mutex_unlock(&p->work_lock);
}

/* ---- beginning and end ---- */

static bool map_tables(struct pages *p, struct err *e)
{
    const struct placement_range *last = &p->placement.range[p->placement.ranges_n - 1];
    size_t each = sizeof *p->word + sizeof *p->local + sizeof *p->dir + sizeof *p->faults +
                  sizeof *p->have_us;
    uint8_t *at;

    p->first = p->placement.range[0].page;
    p->n = last->page + last->n - p->first;
    p->map_bytes = p->n * each;
    /* Zero is every table's first state, and untouched parts cost nothing. */
    p->map = mmap(NULL, p->map_bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p->map == MAP_FAILED) {
        p->map = NULL;
        return err_set(e, "page tables of %zu bytes: %s", p->map_bytes, strerror(errno));
    }
    at = p->map;
    p->dir = (void *)at;
    at += p->n * sizeof *p->dir;
    p->local = (void *)at;
    at += p->n * sizeof *p->local;
    p->word = (void *)at;
    at += p->n * sizeof *p->word;
    p->faults = (void *)at;
    at += p->n * sizeof *p->faults;
    p->have_us = p->config.hold_ns ? (void *)at : NULL;
    return true;
}

struct pages *pages_new(const struct placement *placement, const struct pages_config *config,
                        const struct pages_port *port, struct err *e)
{
    struct pages *p;

    assert(placement_is_valid(placement) && placement->ranges_n);
    p = aligned_alloc(64, ALIGN_UP(sizeof *p, 64));
    if (!p) {
        err_set(e, "out of memory");
        return NULL;
    }
    memset(p, 0, sizeof *p);
    p->placement = *placement;
    p->config = *config;
    p->port = *port;
    mutex_init(&p->work_lock);
    cond_init(&p->work_cond);
    for (unsigned i = 0; i < STRIPES_N; i++) {
        mutex_init(&p->stripe[i].lock);
    }
    if (!map_tables(p, e) || !thread_start(&p->worker, "pages", worker_run, p, e)) {
        pages_free(p);
        return NULL;
    }
    return p;
}

void pages_end(struct pages *p)
{
    atomic_store(&p->down, true);
    for (unsigned i = 0; i < STRIPES_N; i++) {
        struct stripe *s = &p->stripe[i];

        mutex_lock(&s->lock);
        while (s->waiters) {
            struct waiter *w = s->waiters;

            s->waiters = w->next;
            waiter_wake(w, WAIT_RETRY);
        }
        mutex_unlock(&s->lock);
    }
}

void pages_free(struct pages *p)
{
    if (!p) {
        return;
    }
    mutex_lock(&p->work_lock);
    thread_stop_ask(&p->worker);
    cond_signal(&p->work_cond);
    mutex_unlock(&p->work_lock);
    thread_join(&p->worker);
    for (unsigned i = 0; i < STRIPES_N; i++) {
        mutex_destroy(&p->stripe[i].lock);
    }
    cond_destroy(&p->work_cond);
    mutex_destroy(&p->work_lock);
    free(p->revoke.at);
    free(p->held.at);
    free(p->lost.at);
    free(p->foreign.at);
    if (p->map) {
        munmap(p->map, p->map_bytes);
    }
    free(p);
}

/* ---- statistics ---- */

void pages_stats_get(struct pages *p, struct pages_stats *s)
{
    pages_counts_read(&p->counts, s);
    for (unsigned i = 0; i < p->placement.ranges_n; i++) {
        const struct placement_range *r = &p->placement.range[i];

        for (uint64_t page = r->page; page < r->page + r->n; page++) {
            pages_stats_hot(s, page, p->faults[page - p->first]);
        }
    }
}
