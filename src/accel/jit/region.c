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
    HEAT_AGAIN = 1 << 16,       /* … and before the same counter is looked at again */
    QUEUE_MAX = 32, REGION_INSNS_MAX = 400, PAGE_INSNS = 1024,
};

struct request {
    uint64_t gpa, va, seen;
    unsigned mode;
    const struct a64_model *model;
    uint32_t code[PAGE_INSNS];
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

static void compile(struct jit_regions *g, const struct request *r)
{
    struct jit *jit = g->jit;
    struct jit_cache *c;
    uint64_t begin = jit_now_ns();
    struct a64_block b = {
        .code = r->code, .first = r->gpa >> 2 & (PAGE_INSNS - 1), .mode = r->mode,
        .words = &g->words, .va = r->va, .model = r->model, .insn_max = REGION_INSNS_MAX,
    };

    mutex_lock(&g->work);
    if (a64_translate_region(&b, &g->ir)) {
        c = jit_cache_ref(jit);
        jit_cache_add_region(jit, c, &g->ir, &g->gen, r->gpa, &b, r->seen, jit_now_ns() - begin);
        jit_cache_unref(jit, c);
    }
    mutex_unlock(&g->work);
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
    r->model = cpu->model;
    r->seen = atomic_load(&jit->invalidations);
    memcpy(r->code, code - (gpa >> 2 & (PAGE_INSNS - 1)), sizeof(r->code));
    ask(jit, r);
}

const uint8_t *jit_hot(struct a64_cpu *cpu, uint32_t what)
{
    struct jit_cpu *v = cpu->jit;

    cpu->jit_heat[what >> 12] = HEAT_AGAIN;
    cpu->pc = a64_jit_page(cpu) + (what & 0xfff);
    if (v->jit->regions && v->cache == atomic_load(&v->jit->cache)) {
        consider(v, cpu);
    }
    return jit_next(cpu);
}
