/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "../../unit/isa/flat.h"
#include "isa/a64/esr.h"
#include "isa/a64/sysbits.h"
#ifdef HAVE_JIT
#include "accel/jit/jit.h"
#endif

/* The vectors, where EL1 may execute: the one for EL0 is a WFI, at which the engine returns. */
#define VECTORS (FLAT_RAM + (UINT64_C(2) << 20))

struct engine {
    struct flat *f;
    struct jit *jit;                        /* NULL: the interpreter */
};

#ifdef HAVE_JIT
static void jit_icache(void *jit, uint64_t gpa, uint64_t bytes)
{
    jit_invalidate(jit, gpa, bytes);
}

static bool jit_make(struct engine *e)
{
    e->jit = jit_new(&(struct jit_options){ 0 }, NULL);
    e->f->icache = jit_icache;
    e->f->engine = e->jit;
    return e->jit;
}

static void run(struct engine *e)
{
    if (e->jit) {
        jit_run(e->jit, &e->f->cpu);
    } else {
        interp_run(&e->f->cpu, UINT64_MAX);
    }
}

static void jit_end(struct engine *e)
{
    if (e->jit) {
        jit_cpu_free(&e->f->cpu);
        jit_free(e->jit);
    }
}
#else
static bool jit_make(struct engine *e)
{
    return false;
}

static void run(struct engine *e)
{
    interp_run(&e->f->cpu, UINT64_MAX);
}

static void jit_end(struct engine *e) { }
#endif

struct engine *engine_new(const char *kind, const char *model)
{
    struct engine *e = calloc(1, sizeof(*e));

    e->f = flat_new(model);
    flat_mmu(e->f, true);
    e->f->cpu.vbar_el1 = VECTORS;
    e->f->wfi_stops = true;
    *flat_word(e->f, VECTORS + 0x400) = 0xd503207f;     /* wfi */
    if (strcmp(kind, "interp") && (strcmp(kind, "jit") || !jit_make(e))) {
        engine_free(e);
        return NULL;
    }
    return e;
}

void engine_free(struct engine *e)
{
    jit_end(e);
    flat_free(e->f);
    free(e);
}

uint64_t engine_features(const struct engine *e)
{
    return e->f->cpu.model->features;
}

static void give(struct a64_cpu *c, const struct diff_state *s, uint64_t pc)
{
    c->elr_el1 = pc;
    c->spsr_el1 = s->nzcv;
    a64_exception_return(c, c->elr_el1);
    memcpy(c->x, s->x, sizeof(c->x));
    memcpy(c->v, s->v, sizeof(c->v));
    c->sp = s->sp;
    c->fpcr = s->fpcr;
    c->fpsr = s->fpsr;
}

static void take(struct a64_cpu *c, struct diff_state *s)
{
    unsigned ec = c->esr_el1 >> 26;

    memset(s, 0, sizeof(*s));
    memcpy(s->x, c->x, sizeof(c->x));
    memcpy(s->v, c->v, sizeof(c->v));
    s->sp = c->sp_el[0];
    s->pc = c->elr_el1;
    s->nzcv = c->spsr_el1 & 0xf0000000;
    s->fpcr = c->fpcr;
    s->fpsr = c->fpsr;
    s->end = ec == A64_EC_BRK64 ? DIFF_END_DONE : ec == A64_EC_UNKNOWN ? DIFF_END_UNDEFINED :
             ec == A64_EC_DABORT_LOWER || ec == A64_EC_IABORT_LOWER || ec == A64_EC_SP_ALIGN ||
             ec == A64_EC_PC_ALIGN ? DIFF_END_FAULT : DIFF_END_OTHER;
}

void engine_batch(struct engine *e, const struct diff_batch *b, const struct diff_test *t,
                  struct diff_state *answer, uint64_t *hash)
{
    struct a64_cpu *c = &e->f->cpu;
    char *code = (char *)flat_word(e->f, DIFF_CODE + DIFF_CODE_FIRST);
    void *scratch = flat_word(e->f, DIFF_SCRATCH);

    if (b->fill) {
        diff_scratch_fill(scratch, b->fill);
    }
    for (unsigned i = 0; i < b->n; i++) {
        memcpy(code + i * DIFF_SLOT_BYTES, t[i].word, sizeof(t[i].word));
    }
    c->bus.icache_local(c->bus.ctx, 0, ~UINT64_C(0));
    /* What Linux sets up for its processes. */
    c->sctlr_el1 |= SCTLR_UCT | SCTLR_UCI | SCTLR_DZE | SCTLR_NTWI | SCTLR_NTWE;
    c->tcr_el1 |= TCR_TBI0;
    c->cpacr_el1 = 3 << 20;
    for (unsigned i = 0; i < b->n; i++) {
        give(c, &t[i].state, DIFF_CODE + DIFF_CODE_FIRST + i * DIFF_SLOT_BYTES);
        c->poll = 0;
        run(e);
        take(c, &answer[i]);
    }
    *hash = diff_scratch_hash(scratch);
}
