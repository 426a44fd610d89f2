/* SPDX-License-Identifier: Apache-2.0 */
/* The second tier: hot loops are translated once more, as regions, on a thread of its own.
 *
 * Blocks count their branches backwards (cpu->jit_heat).  When a counter runs out, the vCPU that
 * saw it puts a copy of the guest's page into the queue and goes on in the first tier.  A finished
 * region takes the place of the block at its head: in the table, and by a jump in that block's
 * entry, so that everything which leads there finds it. */
#include "accel/jit/jit_int.h"

#include "base/err.h"
#include "isa/a64/cpu.h"
#include "isa/a64/mem.h"
#include "isa/a64/tlb.h"

#include <stdlib.h>
#include <string.h>

enum {
    HEAT_DEFAULT = 16000,       /* branches before a loop is hot */
    QUEUE_MAX = 32, REGION_INSNS_MAX = 400, CALLS_INSNS_MAX = 600, PAGE_INSNS = 1024,
    WANTS_MAX = 8,
};

struct request {
    uint64_t gpa, va, seen;
    unsigned mode, more_n;
    const struct a64_model *model;
    struct a64_more_code more[A64_REGION_PAGES - 1];
    uint64_t more_gpa[A64_REGION_PAGES - 1];
    uint32_t code[A64_REGION_PAGES][PAGE_INSNS];
};

struct jit_regions {
    struct jit *jit;
    struct thread thread;
    struct mutex lock;          /* queue */
    struct cond more;
    struct mutex work;          /* ir, gen */
    struct request *queue[QUEUE_MAX];
    unsigned first, n;
    struct ir ir;
    struct gen gen;
    struct a64_words words;
};

static struct a64_block block_for(const struct request *r)
{
    return (struct a64_block){
        .code = r->code[0], .first = r->gpa >> 2 & (PAGE_INSNS - 1), .mode = r->mode, .va = r->va,
        .model = r->model, .insn_max = CALLS_INSNS_MAX, .more = r->more, .more_n = r->more_n,
        .with_calls = true,
    };
}

static void compile(struct jit_regions *g, const struct request *r)
{
    struct jit *jit = g->jit;
    struct jit_cache *c = jit_cache_ref(jit);
    struct a64_block b = block_for(r);
    bool done = false;

    b.words = &g->words;
    b.host = jit->guest.host;
    mutex_lock(&g->work);
    /* With all that it calls; or if that is too much, what is in one page. */
    for (unsigned attempt = 0; attempt < 2 && !done; attempt++) {
        uint64_t begin = jit_now_ns();
        done = a64_translate_region(&b, &g->ir) &&
               jit_cache_add_region(jit, c, &g->ir, &g->gen, r->gpa, &b, r->more_gpa, r->seen,
                                    jit_now_ns() - begin);
        b.with_calls = false;
        b.more_n = 0;
        b.insn_max = REGION_INSNS_MAX;
    }
    mutex_unlock(&g->work);
    jit_cache_unref(jit, c);
}

static void worker(struct thread *self, void *ctx)
{
    struct jit_regions *g = ctx;

    mutex_lock(&g->lock);
    for (;;) {
        struct request *r;
        while (!g->n && !thread_stop_asked(self)) {
            cond_wait(&g->more, &g->lock);
        }
        if (thread_stop_asked(self)) {
            break;
        }
        r = g->queue[g->first];
        g->first = (g->first + 1) % QUEUE_MAX;
        g->n--;
        mutex_unlock(&g->lock);
        compile(g, r);
        free(r);
        mutex_lock(&g->lock);
    }
    mutex_unlock(&g->lock);
}

bool jit_regions_new(struct jit *jit, struct err *e)
{
    struct jit_regions *g;

    if (jit->opt.hot_runs == JIT_NEVER_HOT || jit->opt.opt_none) {
        return true;
    }
    g = calloc(1, sizeof(*g));
    if (!g) {
        return err_set(e, "jit: no memory");
    }
    g->jit = jit;
    mutex_init(&g->lock);
    mutex_init(&g->work);
    cond_init(&g->more);
    jit->regions = g;
    if (!jit->opt.regions_sync && !thread_start(&g->thread, "jit regions", worker, g, e)) {
        jit_regions_free(jit);
        return false;
    }
    return true;
}

void jit_regions_free(struct jit *jit)
{
    struct jit_regions *g = jit->regions;

    if (!g) {
        return;
    }
    mutex_lock(&g->lock);
    thread_stop_ask(&g->thread);
    cond_signal(&g->more);
    mutex_unlock(&g->lock);
    thread_join(&g->thread);
    for (; g->n; g->n--) {
        free(g->queue[g->first]);
        g->first = (g->first + 1) % QUEUE_MAX;
    }
    cond_destroy(&g->more);
    mutex_destroy(&g->work);
    mutex_destroy(&g->lock);
    free(g);
    jit->regions = NULL;
}

int32_t jit_heat_first(const struct jit *jit)
{
    return jit->opt.hot_runs ? (int32_t)jit->opt.hot_runs : HEAT_DEFAULT;
}

static void ask(struct jit *jit, struct request *r)
{
    struct jit_regions *g = jit->regions;

    if (jit->opt.regions_sync) {
        compile(g, r);
        free(r);
        return;
    }
    mutex_lock(&g->lock);
    if (g->n < QUEUE_MAX) {
        g->queue[(g->first + g->n++) % QUEUE_MAX] = r;
        cond_signal(&g->more);
        r = NULL;
    }
    mutex_unlock(&g->lock);
    free(r);
}

/* The page of code so far from the request's, if it has been executed lately in the same mode. */
static bool add_page(const struct a64_cpu *cpu, struct request *r, int32_t distance)
{
    uint64_t va = r->va + (int64_t)distance * 4096;
    const void *code = a64_tlb_find(cpu->tlb->cur, va, 4096, A64_TLB_EXEC);

    if (!code || r->more_n == A64_REGION_PAGES - 1 ||
        a64_tlb_guarded(cpu->tlb->cur, va) != !!(r->mode & A64_MODE_GUARDED)) {
        return false;
    }
    r->more_gpa[r->more_n] = a64_tlb_gpa(cpu->tlb->cur, va, A64_TLB_EXEC);
    memcpy(r->code[r->more_n + 1], code, sizeof(r->code[0]));
    r->more[r->more_n] = (struct a64_more_code){ r->code[r->more_n + 1], distance };
    r->more_n++;
    return true;
}

/* The pages that direct branches and calls of the loop go to, and from these again. */
static void add_pages(const struct a64_cpu *cpu, struct request *r)
{
    bool again = true;

    while (again && r->more_n < A64_REGION_PAGES - 1) {
        struct a64_block b = block_for(r);
        int32_t distance[WANTS_MAX];
        unsigned n = a64_region_wants(&b, distance, WANTS_MAX);

        again = false;
        for (unsigned i = 0; i < n; i++) {
            again |= add_page(cpu, r, distance[i]);
        }
    }
}

/* The loop whose head is at pc, if it has not been looked at before. */
static void consider(struct jit_cpu *v, struct a64_cpu *cpu)
{
    struct jit *jit = v->jit;
    struct jit_block *b;
    struct request *r;
    const uint32_t *code = a64_tlb_find(cpu->tlb->cur, cpu->pc, 4, A64_TLB_EXEC);
    uint64_t gpa;
    unsigned mode;

    if (!code || !a64_mode_of(cpu, &mode)) {
        return;
    }
    mode |= a64_tlb_guarded(cpu->tlb->cur, cpu->pc) ? A64_MODE_GUARDED : 0;
    gpa = a64_tlb_gpa(cpu->tlb->cur, cpu->pc, A64_TLB_EXEC);
    b = jit_cache_find(v->cache, gpa, mode);
    if (!b || atomic_exchange(&b->is_considered, true)) {
        return;
    }
    r = malloc(sizeof(*r));
    if (!r) {
        return;
    }
    r->gpa = gpa;
    r->va = cpu->pc & ~UINT64_C(0xfff);
    r->mode = mode;
    r->more_n = 0;
    r->model = cpu->model;
    r->seen = atomic_load(&jit->invalidations);
    memcpy(r->code[0], code - (gpa >> 2 & (PAGE_INSNS - 1)), sizeof(r->code[0]));
    add_pages(cpu, r);
    ask(jit, r);
}

const uint8_t *jit_hot(struct a64_cpu *cpu, uint32_t what)
{
    struct jit_cpu *v = cpu->jit;

    cpu->jit_heat[what >> 12] = jit_heat_first(v->jit);     /* others may share the counter */
    cpu->pc = a64_jit_page(cpu) + (what & 0xfff);
    if (v->jit->regions && v->cache == atomic_load(&v->jit->cache)) {
        consider(v, cpu);
    }
    return jit_next(cpu);
}
