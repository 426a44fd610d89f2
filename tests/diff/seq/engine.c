/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "../../unit/isa/flat.h"
#include "isa/a64/esr.h"
#include "isa/a64/sysbits.h"

struct engine {
    struct flat *f;
    void (*run)(struct a64_cpu *cpu);       /* until an exception */
};

static void run_interp(struct a64_cpu *cpu)
{
    while (cpu->el == 0 && !cpu->poll) {
        interp_run(cpu, 1);
    }
}

struct engine *engine_new(const char *kind, const char *model)
{
    if (strcmp(kind, "interp")) {
        return NULL;
    }
    struct engine *e = calloc(1, sizeof(*e));
    e->f = flat_new(model);
    e->run = run_interp;
    return e;
}

void engine_free(struct engine *e)
{
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
        e->run(c);
        take(c, &answer[i]);
    }
    *hash = diff_scratch_hash(scratch);
}
