/* SPDX-License-Identifier: Apache-2.0 */
/* Exhaustive breadth-first exploration of the page-coherence protocol (cluster/coh.h).
 *
 * The world is NODES nodes, PAGES pages (page i at home on node i) and a FIFO channel for each
 * ordered pair of nodes.  From every reachable world every event that can happen does: a thread
 * wants to read or write, writes, a page is evicted, a revocation completes, a channel delivers
 * its first message.  Revocations complete whenever they like, which covers pins and hold times.
 *
 * Checked in every world:
 *   - a writer is alone, and there is at most one owner;
 *   - no stale read: a ghost bit `fresh` on every copy, also those in flight, says whether it
 *     has the newest write; a readable copy must be fresh;
 *   - no message is refused;
 *   - nobody is stuck: with no new wishes the world comes to rest, with every wish granted and
 *     the directory in agreement with the nodes.
 * A fault is reported with a shortest trace.
 *
 * usage: explore [-v] [-s] [-e] [-x]
 *   -s  messages to oneself are delayed too     -e  without evictions (a much smaller world)
 *   -x  expect a fault                          -v  show how far it is
 * 2 nodes x 2 pages with evictions are 33 million worlds: 5 minutes and 3 GB, run by hand. */
#include "cluster/coh.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef NODES
#define NODES 3
#endif
#ifndef PAGES
#define PAGES 1
#endif
#define QUEUE_MAX 12
#define ENC_MAX 512
#define WORLDS_MAX (1u << 25)
#define REST_STEPS_MAX 400

struct flight {
    struct coh_msg m;
    uint8_t page;
    uint8_t fresh;
};

struct world {
    struct coh_local l[PAGES][NODES];
    struct coh_dir d[PAGES];
    uint8_t fresh[PAGES][NODES];
    uint8_t written[PAGES];
    struct {
        uint8_t n;
        struct flight q[QUEUE_MAX];
    } ch[NODES][NODES];
};

struct event {
    enum { EV_READ, EV_WRITE, EV_STORE, EV_EVICT, EV_REVOKED, EV_DELIVER, EV_N } kind;
    uint8_t a, b;       /* node and page, or from and to */
};

struct explorer {
    bool self_delay;
    bool no_evict;
    bool verbose;
    const char *fault;  /* of the step just made */
    char fault_buf[128];

    uint8_t *arena;
    size_t arena_n, arena_cap;
    uint64_t *at;       /* world -> offset in arena */
    uint32_t *parent;
    struct event *how;
    uint32_t worlds_n;
    uint32_t *table;    /* open addressing: world + 1 */
    uint64_t edges;
};

#define TABLE_N (WORLDS_MAX * 2)

static struct coh_place place(unsigned node, unsigned page)
{
    return (struct coh_place) { .self = node, .home = page % NODES, .nodes = NODES };
}

static void fault(struct explorer *x, const char *what, unsigned node, unsigned page)
{
    if (!x->fault) {
        snprintf(x->fault_buf, sizeof x->fault_buf, "%s (node %u, page %u)", what, node, page);
        x->fault = x->fault_buf;
    }
}

static void message(struct explorer *x, struct world *w, unsigned from, unsigned to,
                    unsigned page, struct coh_msg m, uint8_t fresh);

static void perform(struct explorer *x, struct world *w, unsigned node, unsigned page,
                    const struct coh_out *out)
{
    for (unsigned i = 0; i < out->n && !x->fault; i++) {
        const struct coh_act *a = &out->act[i];

        if (a->kind == COH_ACT_LOST) {
            w->fresh[page][node] = 0;
        } else if (a->kind == COH_ACT_SEND) {
            uint8_t fresh = coh_msg_has_data(a->msg.type) && w->fresh[page][node];

            if (a->to == node && !x->self_delay) {
                message(x, w, node, node, page, a->msg, fresh);
                continue;
            }
            if (w->ch[node][a->to].n == QUEUE_MAX) {
                fault(x, "channel too long", node, page);
                return;
            }
            w->ch[node][a->to].q[w->ch[node][a->to].n++] =
                (struct flight) { a->msg, page, fresh };
        }
    }
}

static void message(struct explorer *x, struct world *w, unsigned from, unsigned to,
                    unsigned page, struct coh_msg m, uint8_t fresh)
{
    struct coh_place p = place(to, page);
    struct coh_local *l = &w->l[page][to];
    struct coh_out out = { 0 };
    bool good;

    if (coh_msg_has_data(m.type) && l->state == COH_I) {
        w->fresh[page][to] = fresh;
    }
    if (coh_msg_is_for_home(m.type)) {
        good = coh_dir_msg(&w->d[page], &p, from, &m, &out);
    } else {
        good = coh_local_msg(l, &p, from, &m, &out);
        if (good && m.type == COH_ZERO) {
            w->fresh[page][to] = !w->written[page];
        }
    }
    if (!good) {
        fault(x, "message refused", to, page);
        return;
    }
    perform(x, w, to, page, &out);
}

static void store(struct world *w, unsigned node, unsigned page)
{
    for (unsigned i = 0; i < NODES; i++) {
        w->fresh[page][i] = i == node;
        for (unsigned j = 0; j < NODES; j++) {
            for (unsigned k = 0; k < w->ch[i][j].n; k++) {
                if (w->ch[i][j].q[k].page == page) {
                    w->ch[i][j].q[k].fresh = 0;
                }
            }
        }
    }
    w->written[page] = 1;
}

/* Makes `ev` happen; false if it cannot. */
static bool step(struct explorer *x, struct world *w, struct event ev)
{
    unsigned node = ev.a, page = ev.b;
    struct coh_out out = { 0 };
    struct coh_place p;

    if (ev.kind == EV_DELIVER) {
        struct flight f;

        if (!w->ch[ev.a][ev.b].n) {
            return false;
        }
        f = w->ch[ev.a][ev.b].q[0];
        w->ch[ev.a][ev.b].n--;
        memmove(w->ch[ev.a][ev.b].q, w->ch[ev.a][ev.b].q + 1,
                w->ch[ev.a][ev.b].n * sizeof f);
        memset(&w->ch[ev.a][ev.b].q[w->ch[ev.a][ev.b].n], 0, sizeof f);
        message(x, w, ev.a, ev.b, f.page, f.m, f.fresh);
        return true;
    }
    struct coh_local *l = &w->l[page][node];

    p = place(node, page);
    switch (ev.kind) {
    case EV_READ:
    case EV_WRITE:
        if (l->want || l->state == COH_M) {
            return false;
        }
        if (coh_local_want(l, &p, ev.kind == EV_READ ? COH_READ : COH_WRITE, &out) !=
            COH_WANT_WAIT) {
            return l->state == COH_M;       /* E became M */
        }
        break;
    case EV_STORE:
        if (l->state != COH_M) {
            return false;
        }
        store(w, node, page);
        return true;
    case EV_EVICT:
        if (x->no_evict || w->ch[node][p.home].n > 6 || !coh_local_evict(l, &p, &out)) {
            return false;
        }
        break;
    case EV_REVOKED:
        if (!l->rv) {
            return false;
        }
        coh_local_revoked(l, &p, &out);
        break;
    default:
        return false;
    }
    perform(x, w, node, page, &out);
    return true;
}

/* ---- what must hold ---- */

static void check_page(struct explorer *x, const struct world *w, unsigned page)
{
    unsigned readers = 0, writers = 0, owners = 0;

    for (unsigned i = 0; i < NODES; i++) {
        uint8_t st = w->l[page][i].state;

        readers += st != COH_I;
        owners += st == COH_O || st == COH_M || st == COH_E;
        writers += st == COH_M || st == COH_E;
        if (st != COH_I && !w->fresh[page][i]) {
            fault(x, "stale copy is readable", i, page);
        }
    }
    if (writers > 1 || (writers && readers > 1)) {
        fault(x, "the writer is not alone", 0, page);
    }
    if (owners > 1) {
        fault(x, "two owners", 0, page);
    }
}

/* At rest: no wishes open, and the directory says what is so. */
static void check_rest(struct explorer *x, const struct world *w)
{
    for (unsigned page = 0; page < PAGES; page++) {
        const struct coh_dir *d = &w->d[page];

        if (d->busy1 || d->wait[0] || d->wait[1]) {
            fault(x, "stuck: the home waits", page % NODES, page);
        }
        for (unsigned i = 0; i < NODES; i++) {
            uint8_t st = w->l[page][i].state;
            bool owner = d->owner1 == i + 1, sharer = d->sharers >> i & 1;

            if (w->l[page][i].want) {
                fault(x, "stuck: a wish is never granted", i, page);
            }
            if (owner != (st == COH_O || st == COH_M || st == COH_E) || sharer != (st == COH_S)) {
                fault(x, "directory and node disagree at rest", i, page);
            }
        }
    }
}

static bool drain_one(struct explorer *x, struct world *w, struct event *ev)
{
    for (unsigned a = 0; a < NODES; a++) {
        for (unsigned b = 0; b < PAGES; b++) {
            *ev = (struct event) { EV_REVOKED, a, b };
            if (step(x, w, *ev)) {
                return true;
            }
        }
        for (unsigned b = 0; b < NODES; b++) {
            *ev = (struct event) { EV_DELIVER, a, b };
            if (step(x, w, *ev)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- encoding: only what is not zero in the channels ---- */

static size_t encode(const struct world *w, uint8_t *o)
{
    uint8_t *s = o;

    for (unsigned p = 0; p < PAGES; p++) {
        for (unsigned i = 0; i < NODES; i++) {
            const struct coh_local *l = &w->l[p][i];

            *o++ = l->state | l->want << 3 | l->granted << 5 | w->fresh[p][i] << 7;
            *o++ = l->acks_need | l->acks_got << 4;
            *o++ = l->rv;
            *o++ = l->rv_req | l->rv_acks << 4;
        }
        *o++ = w->d[p].owner1 | w->d[p].busy1 << 4;
        *o++ = w->d[p].last | w->written[p] << 4 | w->d[p].migrates << 5;
        *o++ = w->d[p].sharers | w->d[p].wait[0] << 4;
        *o++ = w->d[p].wait[1] | w->d[p].reader1 << 4;
    }
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned j = 0; j < NODES; j++) {
            *o++ = w->ch[i][j].n;
            for (unsigned k = 0; k < w->ch[i][j].n; k++) {
                const struct flight *f = &w->ch[i][j].q[k];

                *o++ = f->m.type | f->m.clean << 5 | f->page << 6 | f->fresh << 7;
                *o++ = f->m.req | f->m.acks << 4;
            }
        }
    }
    return o - s;
}

static void decode(struct world *w, const uint8_t *o)
{
    memset(w, 0, sizeof *w);
    for (unsigned p = 0; p < PAGES; p++) {
        for (unsigned i = 0; i < NODES; i++, o += 4) {
            w->l[p][i] = (struct coh_local) {
                .state = o[0] & 7, .want = o[0] >> 3 & 3, .granted = o[0] >> 5 & 3,
                .acks_need = o[1] & 15, .acks_got = o[1] >> 4, .rv = o[2],
                .rv_req = o[3] & 15, .rv_acks = o[3] >> 4,
            };
            w->fresh[p][i] = o[0] >> 7;
        }
        w->d[p].owner1 = o[0] & 15;
        w->d[p].busy1 = o[0] >> 4;
        w->d[p].last = o[1] & 15;
        w->written[p] = o[1] >> 4 & 1;
        w->d[p].migrates = o[1] >> 5;
        w->d[p].sharers = o[2] & 15;
        w->d[p].wait[0] = o[2] >> 4;
        w->d[p].wait[1] = o[3] & 15;
        w->d[p].reader1 = o[3] >> 4;
        o += 4;
    }
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned j = 0; j < NODES; j++) {
            w->ch[i][j].n = *o++;
            for (unsigned k = 0; k < w->ch[i][j].n; k++, o += 2) {
                w->ch[i][j].q[k] = (struct flight) {
                    .m = { .type = o[0] & 31, .req = o[1] & 15, .acks = o[1] >> 4,
                           .clean = o[0] >> 5 & 1 },
                    .page = o[0] >> 6 & 1, .fresh = o[0] >> 7,
                };
            }
        }
    }
}

static uint64_t hash(const uint8_t *b, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037);

    while (n--) {
        h = (h ^ *b++) * UINT64_C(1099511628211);
    }
    return h ^ h >> 29;
}

static void *xalloc(size_t n)
{
    void *p = calloc(1, n);

    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return p;
}

static void world_add(struct explorer *x, const struct world *w, uint32_t parent,
                      struct event how)
{
    uint8_t e[ENC_MAX];
    size_t n = encode(w, e);

    assert(n <= ENC_MAX);
    for (uint64_t i = hash(e, n) % TABLE_N;; i = (i + 1) % TABLE_N) {
        uint32_t k = x->table[i];

        if (!k) {
            x->table[i] = x->worlds_n + 1;
            break;
        }
        k--;
        if (x->at[k + 1] - x->at[k] == n && !memcmp(x->arena + x->at[k], e, n)) {
            return;
        }
    }
    if (x->worlds_n + 2 >= WORLDS_MAX) {
        fprintf(stderr, "more than %u worlds\n", WORLDS_MAX);
        exit(2);
    }
    if (x->arena_n + n > x->arena_cap) {
        x->arena_cap = x->arena_cap * 2 + (1 << 20);
        x->arena = realloc(x->arena, x->arena_cap);
        if (!x->arena) {
            fprintf(stderr, "out of memory\n");
            exit(2);
        }
    }
    memcpy(x->arena + x->arena_n, e, n);
    x->at[x->worlds_n] = x->arena_n;
    x->arena_n += n;
    x->at[x->worlds_n + 1] = x->arena_n;
    x->parent[x->worlds_n] = parent;
    x->how[x->worlds_n] = how;
    x->worlds_n++;
}

/* ---- reporting ---- */

static void print_event(const struct world *w, struct event ev)
{
    static const char *const verb[] = {
        [EV_READ] = "wants to read", [EV_WRITE] = "wants to write", [EV_STORE] = "writes",
        [EV_EVICT] = "evicts", [EV_REVOKED] = "has revoked",
    };

    if (ev.kind == EV_DELIVER) {
        const struct flight *f = &w->ch[ev.a][ev.b].q[0];

        printf("  %u -> %u  %s page %u", ev.a, ev.b, coh_msg_name(f->m.type), f->page);
        printf(" (req %u, acks %u%s)\n", f->m.req, f->m.acks,
               coh_msg_has_data(f->m.type) ? f->fresh ? ", fresh" : ", stale" : "");
    } else {
        printf("  node %u %s page %u\n", ev.a, verb[ev.kind], ev.b);
    }
}

static void print_trace(const struct explorer *x, uint32_t i)
{
    struct world w;

    if (i) {
        print_trace(x, x->parent[i]);
        decode(&w, x->arena + x->at[x->parent[i]]);
        print_event(&w, x->how[i]);
    }
}

static int report(struct explorer *x, uint32_t i, const struct event *last)
{
    struct world w;

    printf("%u nodes x %u pages: fault: %s; shortest trace:\n", NODES, PAGES, x->fault);
    print_trace(x, i);
    if (last) {
        decode(&w, x->arena + x->at[i]);
        print_event(&w, *last);
    }
    return 1;
}

/* From world i, without new wishes: does it come to rest? */
static bool check_drain(struct explorer *x, uint32_t i)
{
    struct world w;
    struct event ev;
    unsigned n = 0;

    decode(&w, x->arena + x->at[i]);
    while (n++ < REST_STEPS_MAX && drain_one(x, &w, &ev) && !x->fault) {
    }
    if (!x->fault && n > REST_STEPS_MAX) {
        fault(x, "never comes to rest", 0, 0);
    }
    if (!x->fault) {
        check_rest(x, &w);
    }
    return !x->fault;
}

static int explore(struct explorer *x)
{
    struct world w, next;

    memset(&w, 0, sizeof w);
    world_add(x, &w, 0, (struct event) { 0 });
    for (uint32_t i = 0; i < x->worlds_n; i++) {
        decode(&w, x->arena + x->at[i]);
        if (!check_drain(x, i)) {
            return report(x, i, NULL);
        }
        for (unsigned kind = 0; kind < EV_N; kind++) {
            unsigned b_n = kind == EV_DELIVER ? NODES : PAGES;

            for (unsigned ab = 0; ab < NODES * b_n; ab++) {
                struct event ev = { kind, ab / b_n, ab % b_n };

                next = w;
                if (!step(x, &next, ev)) {
                    continue;
                }
                x->edges++;
                for (unsigned p = 0; p < PAGES; p++) {
                    check_page(x, &next, p);
                }
                if (x->fault) {
                    return report(x, i, &ev);
                }
                world_add(x, &next, i, ev);
            }
        }
        if (x->verbose && i % 100000 == 0) {
            fprintf(stderr, "%u of %u worlds\n", i, x->worlds_n);
        }
    }
    printf("%u nodes x %u pages%s%s: %u worlds, %llu transitions, no fault\n", NODES, PAGES,
           x->self_delay ? ", own messages delayed" : "",
           x->no_evict ? ", no evictions" : "", x->worlds_n,
           (unsigned long long)x->edges);
    return 0;
}

int main(int argc, char **argv)
{
    struct explorer *x = xalloc(sizeof *x);
    bool expect_fault = false;
    int c, rc;

    while ((c = getopt(argc, argv, "vsex")) != -1) {
        switch (c) {
        case 'v': x->verbose = true; break;
        case 's': x->self_delay = true; break;
        case 'e': x->no_evict = true; break;
        case 'x': expect_fault = true; break;
        default: return 2;
        }
    }
    x->at = xalloc((size_t)WORLDS_MAX * sizeof *x->at);
    x->parent = xalloc((size_t)WORLDS_MAX * sizeof *x->parent);
    x->how = xalloc((size_t)WORLDS_MAX * sizeof *x->how);
    x->table = xalloc((size_t)TABLE_N * sizeof *x->table);
    rc = explore(x);
    free(x->at);
    free(x->parent);
    free(x->how);
    free(x->table);
    free(x->arena);
    free(x);
    return expect_fault ? !rc : rc;
}
