/* SPDX-License-Identifier: Apache-2.0 */
/* A whole cluster in one process, driven by one seed: threads on every node read, write and pin
 * pages; messages take random times (in order between two nodes, in any order otherwise);
 * revocations wait for pins and for a random hold time; pages are evicted; in some runs a node
 * dies.  The protocol is the library's object code (cluster/coh.h).
 *
 * Checked: a read gives the newest write (sequential consistency for each page, as writes are
 * instantaneous here); a writer is alone; no message is refused; while all nodes live, every
 * wish is granted within WAIT_MAX ticks; after a death every thread ends once it is detected.
 *
 * usage: sim [-s SEED] [-n RUNS] [-v]     run i uses SEED + i; a fault prints its seed */
#include "base/prng.h"
#include "cluster/coh.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODES_MAX 12
#define PAGES_MAX 24
#define THREADS_PER_NODE 3
#define TICKS 20000
#define WAIT_MAX 60000          /* ticks: far above what the longest queue can take */
#define DETECT_TICKS 500
#define EVENTS_MAX 65536

enum ev_kind { EV_MSG, EV_THREAD, EV_REVOKED, EV_EVICT, EV_DIE, EV_DETECT };

struct ev {
    uint64_t at, order;         /* heap key: time, then order of creation */
    uint8_t kind, from, to, page, thread;
    struct coh_msg m;
    uint64_t value;
};

enum thread_state { T_IDLE, T_WAIT, T_PIN, T_ENDED };

struct sim_thread {
    enum thread_state st;
    uint8_t page, right;
    uint64_t since;
};

struct sim_page {
    struct coh_local l;
    struct coh_dir d;           /* used at home only */
    uint64_t value;
    unsigned pins;
    bool revoking, rv_scheduled;
    uint64_t hold_until;
};

struct sim {
    struct prng rnd;
    uint64_t seed, now, order;
    unsigned nodes, pages, delay_max, hold_max, evict_every;
    bool verbose, dead[NODES_MAX], down;
    unsigned reads, writes, msgs, evictions;
    struct sim_page p[NODES_MAX][PAGES_MAX];
    struct sim_thread t[NODES_MAX][THREADS_PER_NODE];
    uint64_t newest[PAGES_MAX], channel_at[NODES_MAX][NODES_MAX];
    unsigned ev_n;
    struct ev ev[EVENTS_MAX];
};

static uint64_t below(struct sim *s, uint64_t n)
{
    return n ? prng_below(&s->rnd, n) : 0;
}

static _Noreturn void fail(struct sim *s, const char *what, unsigned node, unsigned page)
{
    fprintf(stderr, "sim: seed %" PRIu64 ", tick %" PRIu64 ": %s (node %u, page %u)\n"
            "reproduce: sim -s %" PRIu64 " -n 1 -v\n", s->seed, s->now, what, node, page, s->seed);
    exit(1);
}

/* ---- the queue of events: a binary heap ---- */

static bool ev_less(const struct ev *a, const struct ev *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void ev_push(struct sim *s, struct ev e)
{
    unsigned i = s->ev_n++;

    assert(s->ev_n <= EVENTS_MAX);
    e.order = s->order++;
    while (i && ev_less(&e, &s->ev[(i - 1) / 2])) {
        s->ev[i] = s->ev[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->ev[i] = e;
}

static struct ev ev_pop(struct sim *s)
{
    struct ev top = s->ev[0], last = s->ev[--s->ev_n];
    unsigned i = 0;

    for (;;) {
        unsigned c = 2 * i + 1;

        if (c >= s->ev_n) {
            break;
        }
        if (c + 1 < s->ev_n && ev_less(&s->ev[c + 1], &s->ev[c])) {
            c++;
        }
        if (!ev_less(&s->ev[c], &last)) {
            break;
        }
        s->ev[i] = s->ev[c];
        i = c;
    }
    s->ev[i] = last;
    return top;
}

/* ---- the part that pages.c has in production ---- */

static struct coh_place place(const struct sim *s, unsigned node, unsigned page)
{
    return (struct coh_place) { .self = node, .home = page % s->nodes, .nodes = s->nodes };
}

static void deliver(struct sim *s, const struct ev *e);

static void revoke_try(struct sim *s, unsigned node, unsigned page)
{
    struct sim_page *g = &s->p[node][page];
    uint64_t at = s->now + below(s, 4);

    if (!g->revoking || g->pins || g->rv_scheduled) {
        return;
    }
    g->rv_scheduled = true;
    if (at < g->hold_until) {
        at = g->hold_until;
    }
    ev_push(s, (struct ev) { .at = at, .kind = EV_REVOKED, .to = node, .page = page });
}

static void have(struct sim *s, unsigned node, unsigned page, enum coh_right right)
{
    struct sim_page *g = &s->p[node][page];

    g->hold_until = s->now + below(s, s->hold_max);
    for (unsigned i = 0; i < THREADS_PER_NODE; i++) {
        struct sim_thread *t = &s->t[node][i];

        if (t->st != T_WAIT || t->page != page) {
            continue;
        }
        /* Those whose wish is granted are pinned at once, so that each gets its turn. */
        if (t->right <= right) {
            t->st = T_PIN;
            g->pins++;
        }
        ev_push(s, (struct ev) { .at = s->now, .kind = EV_THREAD, .to = node, .thread = i });
    }
}

static void perform(struct sim *s, unsigned node, unsigned page, const struct coh_out *out)
{
    struct sim_page *g = &s->p[node][page];

    for (unsigned i = 0; i < out->n; i++) {
        const struct coh_act *a = &out->act[i];
        struct ev e = { .kind = EV_MSG, .from = node, .to = a->to, .page = page, .m = a->msg,
                        .value = coh_msg_has_data(a->msg.type) ? g->value : 0 };

        switch (a->kind) {
        case COH_ACT_SEND:
            s->msgs++;
            if (a->to == node) {
                e.at = s->now;
                deliver(s, &e);
                break;
            }
            e.at = s->now + 1 + below(s, s->delay_max);
            if (e.at < s->channel_at[node][a->to]) {
                e.at = s->channel_at[node][a->to];
            }
            s->channel_at[node][a->to] = e.at;
            ev_push(s, e);
            break;
        case COH_ACT_REVOKE:
            g->revoking = true;
            revoke_try(s, node, page);
            break;
        case COH_ACT_HAVE:
            have(s, node, page, a->keep);
            break;
        case COH_ACT_LOST:
            g->value = 0xdead;
            break;
        }
    }
}

static void deliver(struct sim *s, const struct ev *e)
{
    struct coh_place p = place(s, e->to, e->page);
    struct sim_page *g = &s->p[e->to][e->page];
    struct coh_out out;
    bool good;

    out.n = 0;
    if (s->dead[e->to]) {
        return;
    }
    if (s->verbose) {
        printf("%6" PRIu64 " %u -> %u %s page %u req %u acks %u\n", s->now, e->from, e->to,
               coh_msg_name(e->m.type), e->page, e->m.req, e->m.acks);
    }
    if (coh_msg_has_data(e->m.type) && g->l.state == COH_I) {
        g->value = e->value;
    } else if (e->m.type == COH_ZERO) {
        g->value = 0;
    }
    good = coh_msg_is_for_home(e->m.type) ? coh_dir_msg(&g->d, &p, e->from, &e->m, &out)
                                          : coh_local_msg(&g->l, &p, e->from, &e->m, &out);
    if (!good) {
        fail(s, "message refused", e->to, e->page);
    }
    perform(s, e->to, e->page, &out);
}

/* ---- threads ---- */

static void use_page(struct sim *s, unsigned node, const struct sim_thread *t)
{
    struct sim_page *g = &s->p[node][t->page];

    if (g->value != s->newest[t->page]) {
        fail(s, "a read gives an old value", node, t->page);
    }
    s->reads++;
    if (t->right == COH_READ) {
        return;
    }
    for (unsigned i = 0; i < s->nodes; i++) {
        if (i != node && !s->dead[i] && s->p[i][t->page].l.state != COH_I) {
            fail(s, "the writer is not alone", node, t->page);
        }
    }
    s->newest[t->page] = g->value = ++s->order;
    s->writes++;
}

static void thread_ask(struct sim *s, unsigned node, unsigned thread)
{
    struct sim_thread *t = &s->t[node][thread];
    struct sim_page *g = &s->p[node][t->page];
    struct coh_place p = place(s, node, t->page);
    struct coh_out out;

    out.n = 0;
    t->st = T_WAIT;
    if (g->revoking && !g->pins) {
        return;                 /* asked again when the revocation is over */
    }
    switch (coh_local_want(&g->l, &p, t->right, &out)) {
    case COH_WANT_HAVE:
        t->st = T_PIN;
        g->pins++;
        ev_push(s, (struct ev) { .at = s->now + below(s, 10), .kind = EV_THREAD, .to = node,
                                 .thread = thread });
        break;
    case COH_WANT_WAIT:
    case COH_WANT_LATER:
        perform(s, node, t->page, &out);
        break;
    }
}

static void thread_run(struct sim *s, unsigned node, unsigned thread)
{
    struct sim_thread *t = &s->t[node][thread];

    if (t->st == T_PIN) {
        use_page(s, node, t);
        s->p[node][t->page].pins--;
        revoke_try(s, node, t->page);
        t->st = T_IDLE;
    } else if (t->st == T_WAIT) {
        thread_ask(s, node, thread);
        return;
    } else if (s->now > TICKS || s->down) {
        t->st = T_ENDED;
        return;
    } else {
        /* Half of the accesses go to two hot pages. */
        t->page = below(s, 2) ? below(s, 2) % s->pages : below(s, s->pages);
        t->right = below(s, 3) ? COH_READ : COH_WRITE;
        t->since = s->now;
        thread_ask(s, node, thread);
        return;
    }
    ev_push(s, (struct ev) { .at = s->now + below(s, 40), .kind = EV_THREAD, .to = node,
                             .thread = thread });
}

static void wake_all(struct sim *s, unsigned node, unsigned page)
{
    for (unsigned i = 0; i < THREADS_PER_NODE; i++) {
        if (s->t[node][i].st == T_WAIT && s->t[node][i].page == page) {
            thread_ask(s, node, i);
        }
    }
}

/* ---- the run ---- */

static void run_event(struct sim *s, const struct ev *e)
{
    struct sim_page *g = &s->p[e->to][e->page];
    struct coh_place p = place(s, e->to, e->page);
    struct coh_out out;

    out.n = 0;
    if (s->dead[e->to] && e->kind != EV_DETECT) {
        return;
    }
    switch (e->kind) {
    case EV_MSG:
        deliver(s, e);
        break;
    case EV_THREAD:
        thread_run(s, e->to, e->thread);
        break;
    case EV_REVOKED:
        g->rv_scheduled = false;
        if (g->pins) {          /* pinned again meanwhile */
            break;
        }
        g->revoking = false;
        coh_local_revoked(&g->l, &p, &out);
        perform(s, e->to, e->page, &out);
        wake_all(s, e->to, e->page);
        break;
    case EV_EVICT:
        if (coh_local_evict(&g->l, &p, &out)) {
            s->evictions++;
            perform(s, e->to, e->page, &out);
        }
        if (s->now < TICKS) {
            ev_push(s, (struct ev) { .at = s->now + 1 + below(s, s->evict_every),
                                     .kind = EV_EVICT, .to = below(s, s->nodes),
                                     .page = below(s, s->pages) });
        }
        break;
    case EV_DIE:
        s->dead[e->to] = true;
        ev_push(s, (struct ev) { .at = s->now + DETECT_TICKS, .kind = EV_DETECT });
        break;
    case EV_DETECT:
        /* Acquire gives false from now on: every waiting thread ends. */
        s->down = true;
        for (unsigned i = 0; i < s->nodes; i++) {
            for (unsigned j = 0; j < THREADS_PER_NODE; j++) {
                if (s->t[i][j].st == T_WAIT || s->dead[i]) {
                    s->t[i][j].st = T_ENDED;
                }
            }
        }
        break;
    }
}

static void check_end(struct sim *s)
{
    for (unsigned i = 0; i < s->nodes; i++) {
        for (unsigned j = 0; j < THREADS_PER_NODE; j++) {
            if (s->t[i][j].st != T_ENDED) {
                fail(s, "a thread waits for ever", i, s->t[i][j].page);
            }
        }
        for (unsigned k = 0; k < s->pages && !s->down; k++) {
            const struct sim_page *g = &s->p[i][k];
            const struct coh_dir *d = &s->p[k % s->nodes][k].d;
            bool owner = g->l.state == COH_O || g->l.state == COH_M || g->l.state == COH_E;

            if (d->busy1 || g->l.want || g->l.rv || owner != (d->owner1 == i + 1) ||
                (g->l.state == COH_S) != (d->sharers >> i & 1)) {
                fail(s, "directory and node disagree at rest", i, k);
            }
            if (g->l.state != COH_I && g->value != s->newest[k]) {
                fail(s, "an old copy is left", i, k);
            }
        }
    }
}

static void run(struct sim *s, uint64_t seed, bool verbose)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->verbose = verbose;
    prng_init(&s->rnd, seed);
    s->nodes = 2 + below(s, NODES_MAX - 1);
    s->pages = 1 + below(s, PAGES_MAX);
    s->delay_max = 1 + below(s, 100);
    s->hold_max = below(s, 30);
    s->evict_every = 1 + below(s, 50);
    for (unsigned i = 0; i < s->nodes; i++) {
        for (unsigned j = 0; j < THREADS_PER_NODE; j++) {
            ev_push(s, (struct ev) { .at = below(s, 20), .kind = EV_THREAD, .to = i,
                                     .thread = j });
        }
    }
    ev_push(s, (struct ev) { .kind = EV_EVICT });
    if (below(s, 5) == 0) {
        ev_push(s, (struct ev) { .at = below(s, TICKS), .kind = EV_DIE,
                                 .to = below(s, s->nodes) });
    }
    while (s->ev_n) {
        struct ev e = ev_pop(s);

        s->now = e.at;
        if (s->now > TICKS + WAIT_MAX) {
            fail(s, "does not come to rest", e.to, e.page);
        }
        run_event(s, &e);
    }
    check_end(s);
    if (verbose) {
        printf("seed %" PRIu64 ": %u nodes, %u pages, %u reads, %u writes, %u messages, "
               "%u evictions%s\n", seed, s->nodes, s->pages, s->reads, s->writes, s->msgs,
               s->evictions, s->down ? ", a node died" : "");
    }
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, runs = 30, reads = 0, writes = 0, msgs = 0;
    struct sim *s = malloc(sizeof *s);
    bool verbose = false;
    int c;

    while ((c = getopt(argc, argv, "s:n:v")) != -1) {
        switch (c) {
        case 's': seed = strtoull(optarg, NULL, 0); break;
        case 'n': runs = strtoull(optarg, NULL, 0); break;
        case 'v': verbose = true; break;
        default: return 2;
        }
    }
    assert(s);
    for (uint64_t i = 0; i < runs; i++) {
        run(s, seed + i, verbose);
        reads += s->reads;
        writes += s->writes;
        msgs += s->msgs;
    }
    printf("sim: seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " reads, %" PRIu64 " writes, %"
           PRIu64 " messages, no fault\n", seed, seed + runs - 1, reads, writes, msgs);
    free(s);
    return 0;
}
