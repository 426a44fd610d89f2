/* SPDX-License-Identifier: Apache-2.0 */
/* Three nodes' page tables in one process, joined by queues, each with RAM of its own; threads
 * on all of them count in the same pages. */
#include "../check.h"
#include "base/err.h"
#include "base/prng.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "cluster/pages.h"
#include "cluster/placement.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NODES 3
#define PAGES 12
#define FIRST 0x40000
#define THREADS 3
#define ROUNDS 1000

struct envelope {
    struct envelope *next;
    unsigned from;
    uint64_t page;
    struct coh_msg m;
    bool has_data;
    uint8_t data[MEM_PAGE_SIZE];
};

struct cluster;

struct fake_node {
    struct cluster *c;
    unsigned self;
    struct pages *pages;
    uint8_t *ram;
    struct thread receiver;
    struct mutex lock;
    struct cond cond;
    struct envelope *head, **tail;
    _Atomic unsigned drops, broken;
};

struct cluster {
    struct fake_node n[NODES];
    struct placement placement;
};

static void fake_send(void *ctx, unsigned to, uint64_t page, const struct coh_msg *m,
                      const void *data)
{
    struct fake_node *from = ctx, *n = &from->c->n[to];
    struct envelope *v = malloc(sizeof *v);

    *v = (struct envelope) { .from = from->self, .page = page, .m = *m, .has_data = data };
    if (data) {
        memcpy(v->data, data, sizeof v->data);
    }
    mutex_lock(&n->lock);
    *n->tail = v;
    n->tail = &v->next;
    cond_signal(&n->cond);
    mutex_unlock(&n->lock);
}

static void fake_drop(void *ctx, uint64_t page, bool keep_read)
{
    struct fake_node *n = ctx;

    atomic_fetch_add(&n->drops, 1);
}

static void *fake_host(void *ctx, uint64_t page)
{
    struct fake_node *n = ctx;

    return n->ram + (page - FIRST) * MEM_PAGE_SIZE;
}

static void fake_broken(void *ctx, uint64_t page)
{
    atomic_fetch_add(&((struct fake_node *)ctx)->broken, 1);
}

static void receive(struct thread *self, void *ctx)
{
    struct fake_node *n = ctx;

    for (;;) {
        struct envelope *v;

        mutex_lock(&n->lock);
        while (!n->head && !thread_stop_asked(self)) {
            cond_wait(&n->cond, &n->lock);
        }
        v = n->head;
        if (v) {
            n->head = v->next;
            if (!n->head) {
                n->tail = &n->head;
            }
        }
        mutex_unlock(&n->lock);
        if (!v) {
            return;
        }
        CHECK(pages_message(n->pages, v->from, v->page, &v->m, v->has_data ? v->data : NULL));
        free(v);
    }
}

static void cluster_start(struct cluster *c, int64_t hold_ns, uint64_t foreign_max)
{
    struct err e = { 0 };

    memset(c, 0, sizeof *c);
    c->placement.nodes = NODES;
    for (unsigned i = 0; i < NODES; i++) {
        CHECK(placement_add_ram(&c->placement, (FIRST + i * PAGES / NODES) * MEM_PAGE_SIZE,
                                PAGES / NODES * MEM_PAGE_SIZE, i));
    }
    for (unsigned i = 0; i < NODES; i++) {
        struct fake_node *n = &c->n[i];
        struct pages_port port = { fake_send, fake_drop, fake_host, fake_broken, n };
        struct pages_config config = { .self = i, .hold_ns = hold_ns, .foreign_max = foreign_max };

        n->c = c;
        n->self = i;
        n->tail = &n->head;
        mutex_init(&n->lock);
        cond_init(&n->cond);
        n->ram = mmap(NULL, PAGES * MEM_PAGE_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        n->pages = pages_new(&c->placement, &config, &port, &e);
        CHECK(n->pages, "%s", e.text);
    }
    for (unsigned i = 0; i < NODES; i++) {
        CHECK(thread_start(&c->n[i].receiver, "receiver", receive, &c->n[i], &e));
    }
}

static void cluster_end(struct cluster *c)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct fake_node *n = &c->n[i];

        pages_end(n->pages);
        mutex_lock(&n->lock);
        thread_stop_ask(&n->receiver);
        cond_signal(&n->cond);
        mutex_unlock(&n->lock);
        thread_join(&n->receiver);
    }
    for (unsigned i = 0; i < NODES; i++) {
        pages_free(c->n[i].pages);
        munmap(c->n[i].ram, PAGES * MEM_PAGE_SIZE);
    }
}

/* ---- counting threads ---- */

struct counter {
    struct thread thread;
    struct fake_node *n;
    uint64_t seed, added[PAGES];
};

static void count_run(struct thread *self, void *ctx)
{
    struct counter *t = ctx;
    struct prng rnd;

    prng_init(&rnd, t->seed);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned page = prng_below(&rnd, PAGES), n = 1 + prng_below(&rnd, 3);
        bool write = prng_below(&rnd, 2);

        n = page + n > PAGES ? 1 : n;
        if (prng_below(&rnd, 16) == 0) {
            pages_evict(t->n->pages, FIRST + page);
            continue;
        }
        CHECK(pages_acquire(t->n->pages, FIRST + page, n, write ? MEM_WRITE : MEM_READ));
        for (unsigned j = page; j < page + n; j++) {
            _Atomic uint64_t *v = (void *)(t->n->ram + j * MEM_PAGE_SIZE);

            if (write) {
                /* Both ends of the page: a torn copy would show.  Threads of one node may
                 * hold the page together, hence atomic. */
                atomic_fetch_add(&v[0], 1);
                atomic_fetch_add(&v[511], 1);
                t->added[j]++;
            } else {
                CHECK(atomic_load(&v[0]) < UINT64_C(1) << 40);
            }
        }
        pages_release(t->n->pages, FIRST + page, n);
    }
}

static void count_together(uint64_t seed, int64_t hold_ns, uint64_t foreign_max)
{
    struct counter *t = calloc(NODES * THREADS, sizeof *t);
    struct cluster *c = malloc(sizeof *c);
    struct strbuf text = { 0 };
    struct pages_stats st;
    struct err e = { 0 };

    cluster_start(c, hold_ns, foreign_max);
    for (unsigned i = 0; i < NODES * THREADS; i++) {
        t[i].n = &c->n[i % NODES];
        t[i].seed = seed * 100 + i;
        CHECK(thread_start(&t[i].thread, "counter", count_run, &t[i], &e));
    }
    for (unsigned i = 0; i < NODES * THREADS; i++) {
        thread_join(&t[i].thread);
    }
    for (unsigned j = 0; j < PAGES; j++) {
        uint64_t sum = 0, *v;

        for (unsigned i = 0; i < NODES * THREADS; i++) {
            sum += t[i].added[j];
        }
        for (unsigned i = 0; i < NODES; i++) {
            CHECK(pages_acquire(c->n[i].pages, FIRST + j, 1, MEM_READ));
            v = (void *)(c->n[i].ram + j * MEM_PAGE_SIZE);
            CHECK(v[0] == sum && v[511] == sum, "seed %lu page %u node %u: %lu %lu, not %lu",
                  seed, j, i, v[0], v[511], sum);
            pages_release(c->n[i].pages, FIRST + j, 1);
        }
    }
    pages_stats_get(c->n[1].pages, &st);
    CHECK(st.write_faults && st.read_faults && st.pages_in && st.hot_n && st.median_ns);
    pages_stats_print(&st, &text);
    CHECK(strstr(text.text, "hottest"));
    strbuf_free(&text);
    cluster_end(c);
    free(c);
    free(t);
}

/* A pin holds off the loss of a page, and only as long as it is there. */
struct asker {
    struct thread thread;
    struct pages *pages;
    atomic_bool got;
};

static void ask_run(struct thread *self, void *ctx)
{
    struct asker *a = ctx;

    if (pages_acquire(a->pages, FIRST, 1, MEM_WRITE)) {
        atomic_store(&a->got, true);
        pages_release(a->pages, FIRST, 1);
    }
}

static void pins_hold(void)
{
    struct cluster *c = malloc(sizeof *c);
    struct asker a = { 0 };
    struct err e = { 0 };

    cluster_start(c, 0, 0);
    CHECK(pages_acquire(c->n[0].pages, FIRST, 1, MEM_WRITE));
    a.pages = c->n[1].pages;
    CHECK(thread_start(&a.thread, "asker", ask_run, &a, &e));
    for (unsigned i = 0; i < 50; i++) {
        struct timespec ms = { 0, 1000000 };

        nanosleep(&ms, NULL);
        /* Nested pins of a page that is being asked for are admitted. */
        CHECK(pages_acquire(c->n[0].pages, FIRST, 1, MEM_READ));
        CHECK(!atomic_load(&a.got));
        pages_release(c->n[0].pages, FIRST, 1);
    }
    CHECK(atomic_load(&c->n[0].drops) == 0);
    pages_release(c->n[0].pages, FIRST, 1);
    thread_join(&a.thread);
    CHECK(atomic_load(&a.got));
    CHECK(atomic_load(&c->n[0].drops) == 1);
    /* The end of the machine frees who waits. */
    CHECK(pages_acquire(c->n[0].pages, FIRST, 1, MEM_WRITE));
    atomic_store(&a.got, false);
    CHECK(thread_start(&a.thread, "asker", ask_run, &a, &e));
    pages_end(c->n[1].pages);
    thread_join(&a.thread);
    CHECK(!atomic_load(&a.got));
    pages_release(c->n[0].pages, FIRST, 1);
    cluster_end(c);
    free(c);
}

/* What a peer must not do is refused, not believed. */
static void refuses(void)
{
    struct cluster *c = malloc(sizeof *c);
    uint8_t data[MEM_PAGE_SIZE] = { 0 };
    struct pages *p;

    cluster_start(c, 0, 0);
    p = c->n[0].pages;
    for (unsigned type = 0; type < 256; type++) {
        struct coh_msg m = { .type = type, .req = 1, .acks = 0 };

        if (type == COH_GETS || type == COH_GETX || type == COH_PUT || type == COH_DROP) {
            continue;       /* these are good at any time */
        }
        /* node 2 is nobody's home here, page FIRST is at home on node 0, FIRST + 4 on node 1 */
        CHECK(!pages_message(p, 2, FIRST + 4, &m, coh_msg_has_data(type) ? data : NULL) ||
              type == COH_DATA_T, "type %u", type);
        CHECK(!pages_message(p, 2, FIRST - 1, &m, NULL));
        CHECK(!pages_message(p, 2, FIRST + PAGES, &m, NULL));
        CHECK(!pages_message(p, 2, FIRST, &m, coh_msg_has_data(type) ? NULL : data));
    }
    cluster_end(c);
    free(c);
}

/* ---- a peer that says anything ---- */

#define HOSTILE_PAGES 500

static void hostile_send(void *ctx, unsigned to, uint64_t page, const struct coh_msg *m,
                         const void *data)
{
    CHECK(to < NODES && to != 0);
}

static void hostile(uint64_t seed)
{
    struct fake_node n = { 0 };
    struct pages_port port = { hostile_send, fake_drop, fake_host, fake_broken, &n };
    struct pages_config config = { .self = 0 };
    struct placement placement = { .nodes = NODES };
    static uint8_t data[MEM_PAGE_SIZE];
    struct prng rnd;
    struct err e;
    unsigned taken = 0;

    placement_add_ram(&placement, FIRST * MEM_PAGE_SIZE, HOSTILE_PAGES * MEM_PAGE_SIZE, 0);
    placement_add_ram(&placement, (FIRST + HOSTILE_PAGES) * MEM_PAGE_SIZE,
                      HOSTILE_PAGES * MEM_PAGE_SIZE, 1);
    n.ram = mmap(NULL, 2 * HOSTILE_PAGES * MEM_PAGE_SIZE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    n.pages = pages_new(&placement, &config, &port, &e);
    prng_init(&rnd, seed);
    for (unsigned i = 0; i < 20000; i++) {
        struct coh_msg m = { .type = 1 + prng_below(&rnd, COH_MSG_TYPE_N),
                             .req = prng_below(&rnd, NODES + 1),
                             .acks = prng_below(&rnd, NODES + 1), .clean = prng_below(&rnd, 2) };
        uint64_t page = FIRST + prng_below(&rnd, 2 * HOSTILE_PAGES);

        taken += pages_message(n.pages, 1 + prng_below(&rnd, NODES - 1), page, &m,
                               coh_msg_has_data(m.type) ? data : NULL);
        if (i % 8 == 0) {
            pages_evict(n.pages, FIRST + prng_below(&rnd, 2 * HOSTILE_PAGES));
        }
    }
    CHECK(taken > 1000, "seed %lu", seed);
    pages_end(n.pages);
    pages_free(n.pages);
    munmap(n.ram, 2 * HOSTILE_PAGES * MEM_PAGE_SIZE);
}

int main(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        hostile(seed);
    }
    count_together(1, 0, 0);
    count_together(2, 20000, 0);
    count_together(3, 0, 3);
    pins_hold();
    refuses();
    return check_result();
}
