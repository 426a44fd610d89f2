/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "../../unit/isa/flat.h"
#include "isa/a64/esr.h"
#include "isa/a64/sysbits.h"
#ifdef HAVE_JIT
#include "accel/jit/jit.h"
#include "isa/emit_x64/host.h"
#endif

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

/* The vectors, where EL1 may execute. */
#define VECTORS (FLAT_RAM + (UINT64_C(2) << 20))
/* The memory of the pages to walk over. */
#define WALK (FLAT_RAM + UINT64_C(0xc0000))
enum { WALK_BYTES = DIFF_WALK_PAGES * 4096 };

/* Bits of cpu->poll: WFI (of struct flat), the device, too much time. */
enum { POLL_END = 4, POLL_DEVICE = 8, POLL_LATE = 16 };

struct engine {
    struct flat *f;
    struct jit *jit;                        /* NULL: the interpreter */
    uint64_t insns_max, insns;              /* of the interpreter */
    volatile bool late;
    bool el1;                               /* the programs run there, not at EL0 */
    bool remaps;                            /* the device may change mappings */
    char dir[32];                           /* where translations are kept; "" = nowhere */
};

#ifdef HAVE_JIT
static void jit_icache(void *e, uint64_t gpa, uint64_t bytes)
{
    jit_invalidate(((struct engine *)e)->jit, gpa, bytes);
}

static bool jit_make(struct engine *e, const char *kind)
{
    struct jit_options o = {
        .hot_runs = strcmp(kind, "tier1") ? 1 : JIT_NEVER_HOT,
        .regions_sync = strcmp(kind, "async"),
        .host_without = !strcmp(kind, "avx2") ? GEN_HOST_AVX512_ALL :
                        !strcmp(kind, "plain") ? UINT32_MAX : 0,
    };

    if (strcmp(kind, "jit") && strcmp(kind, "tier1") && strcmp(kind, "async") &&
        strcmp(kind, "kept") && strcmp(kind, "avx2") && strcmp(kind, "plain")) {
        return false;
    }
    if (!strcmp(kind, "kept")) {
        strcpy(e->dir, "/tmp/diff_seq.XXXXXX");
        o.cache_dir = mkdtemp(e->dir);
    }
    e->jit = jit_new(&o, NULL);
    e->f->icache = e->jit ? jit_icache : NULL;
    return e->jit;
}

/* Counters of branches backwards run out and are used up: each program has them anew. */
static void heat(struct engine *e, unsigned runs)
{
    struct a64_cpu *c = &e->f->cpu;

    for (unsigned i = 0; e->jit && i < sizeof(c->jit_heat) / sizeof(c->jit_heat[0]); i++) {
        c->jit_heat[i] = runs;
    }
}

static void run(struct engine *e)
{
    if (e->jit) {
        jit_run(e->jit, &e->f->cpu);
    } else {
        e->insns += interp_run(&e->f->cpu, e->insns_max - e->insns);
    }
}

static void jit_end(struct engine *e)
{
    if (e->jit) {
        jit_cpu_free(&e->f->cpu);
        jit_free(e->jit);
    }
    if (*e->dir) {
        char name[sizeof(e->dir) + 280];
        DIR *d = opendir(e->dir);
        for (struct dirent *n; d && (n = readdir(d)) != NULL;) {
            snprintf(name, sizeof(name), "%s/%s", e->dir, n->d_name);
            remove(name);
        }
        if (d) {
            closedir(d);
        }
        remove(e->dir);
    }
}

void engine_print_stats(struct engine *e)
{
    char text[2048];

    if (e->jit) {
        jit_print_stats(e->jit, text, sizeof(text));
        fputs(text, stdout);
    }
}
#else
static bool jit_make(struct engine *e, const char *kind)
{
    return false;
}

static void heat(struct engine *e, unsigned runs) { }

static void run(struct engine *e)
{
    e->insns += interp_run(&e->f->cpu, e->insns_max - e->insns);
}

static void jit_end(struct engine *e) { }
void engine_print_stats(struct engine *e) { }
#endif

/* 32 bits: the engine is to return.  64 bits: something else changes how a page to walk over is
 * mapped, meanwhile: by the offset in the device, which one, and read only, other memory or
 * missing. */
static enum a64_bus_result device_write(void *ctx, uint64_t gpa, unsigned bytes, uint64_t v)
{
    static const uint8_t bit[] = { 7, 12, 0, 12, 7, 12, 0, 12 };
    struct flat *f = ctx;
    struct engine *e = f->engine;
    unsigned page = gpa >> 3 & 31;

    if (bytes == 4) {
        f->cpu.poll |= POLL_DEVICE;
    } else if (e->remaps) {
        *flat_dword(f, DIFF_WALK_TABLE + page * 8) ^= 1 << bit[gpa >> 8 & 7];
        a64_tlb_drop_va(f->cpu.tlb, DIFF_WALK + page * 4096, 1, 0, true);
    }
    return gpa < 4096 ? A64_BUS_OK : A64_BUS_DECODE_ERROR;
}

/* The pages to walk over, as they are in the beginning.  True: they have been something else. */
static bool map_walk(struct flat *f, bool el1)
{
    static const char kinds[] = DIFF_WALK_KINDS;
    uint64_t rw = (el1 ? 0 : 1 << 6) | 1 << 10 | 1 << 2 | 3, page = WALK;
    bool changed = false;

    for (unsigned i = 0; i < DIFF_WALK_PAGES; i++) {
        uint64_t *e = flat_dword(f, DIFF_WALK_TABLE + i * 8), want;
        page = kinds[i] == '<' ? page : WALK + i * 4096;
        want = kinds[i] == '-' ? 0 : page | rw | (kinds[i] == 'r' ? 1 << 7 : 0);
        changed |= *e != want;
        *e = want;
    }
    return changed;
}

/* What programs have: the scratch memory, the code, pages to walk over, the device at address 0. */
static void map_pages(struct flat *f, bool el1)
{
    uint64_t table = FLAT_RAM + FLAT_BYTES - 3 * 4096, *l3 = flat_dword(f, table);
    uint64_t user = el1 ? 0 : 1 << 6, rw = user | 1 << 10 | 1 << 2 | 3;

    assert(DIFF_WALK_TABLE == table + ((DIFF_WALK - FLAT_RAM) >> 12) * 8);
    *flat_dword(f, table + 4096) = table | 3;
    for (uint64_t i = 0; i < DIFF_SCRATCH_BYTES / 4096; i++) {
        l3[i] = (FLAT_RAM + i * 4096) | rw;
    }
    for (uint64_t a = DIFF_CODE; a < DIFF_CODE + DIFF_CODE_BYTES; a += 4096) {
        l3[(a - FLAT_RAM) >> 12] = a | rw;
    }
    map_walk(f, el1);
    l3[(DIFF_DEVICE - FLAT_RAM) >> 12] = 0 | 1 << 10 | user | 3;
    f->cpu.bus.mmio_write = device_write;
    a64_tlb_drop_all(f->cpu.tlb);
}

/* What comes from programs: SVC goes back, all else stops the engine. */
static void vectors(struct flat *f)
{
    static const uint32_t code[] = {
        0xd518d080,             /* msr tpidr_el1, x0 */
        0xd5385200,             /* mrs x0, esr_el1 */
        0xd35afc00,             /* lsr x0, x0, #26 */
        0xf100541f,             /* cmp x0, #EC of SVC */
        0x54000060,             /* b.eq 1f */
        0xd538d080,             /* mrs x0, tpidr_el1 */
        0xd503207f,             /* wfi */
        0xd538d080,             /* 1: mrs x0, tpidr_el1 */
        0xd69f03e0,             /* eret */
    };

    memcpy(flat_word(f, VECTORS + 0x400), code, sizeof(code));      /* from EL0 */
    memcpy(flat_word(f, VECTORS + 0x200), code, sizeof(code));      /* from EL1 with its own SP */
    f->cpu.vbar_el1 = VECTORS;
}

struct engine *engine_new(const char *kind, const char *model, bool el1)
{
    struct engine *e = calloc(1, sizeof(*e));

    e->f = flat_new(model);
    e->insns_max = UINT64_MAX;
    flat_mmu(e->f, true);
    e->f->engine = e;
    e->el1 = el1;
    map_pages(e->f, el1);
    vectors(e->f);
    e->f->wfi_stops = true;
    if (strcmp(kind, "interp") && !jit_make(e, kind)) {
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

bool engine_is_jit(const struct engine *e)
{
    return e->jit;
}

uint64_t engine_features(const struct engine *e)
{
    return e->f->cpu.model->features;
}

void engine_limit(struct engine *e, uint64_t insns_max)
{
    e->insns_max = insns_max;
}

uint64_t engine_insns(struct engine *e)
{
    uint64_t n = e->insns;

    e->insns = 0;
    return n;
}

void engine_late(struct engine *e)
{
    e->late = true;
    e->f->cpu.poll |= POLL_LATE;
}

static void give(struct engine *e, const struct diff_state *s, uint64_t pc)
{
    struct a64_cpu *c = &e->f->cpu;

    if (map_walk(e->f, e->el1)) {
        a64_tlb_drop_all(c->tlb);
    }
    c->elr_el1 = pc;
    c->spsr_el1 = s->nzcv | (e->el1 ? 0x3c5 : 0);           /* EL1h, all masked */
    c->esr_el1 = c->far_el1 = c->par_el1 = c->contextidr_el1 = c->tpidrro_el0 = 0;
    c->sp_el[0] = 0x4567;
    c->cpacr_el1 = 3 << 20;
    a64_exception_return(c, c->elr_el1);
    memcpy(c->x, s->x, sizeof(c->x));
    memcpy(c->v, s->v, sizeof(c->v));
    c->sp = s->sp;
    c->tpidr_el0 = 0x1234;
    c->fpcr = s->fpcr;
    c->fpsr = s->fpsr;
}

static void take(struct engine *e, const struct diff_batch *b, struct diff_state *s)
{
    struct a64_cpu *c = &e->f->cpu;
    unsigned ec = c->esr_el1 >> 26;
    bool late = e->late || e->insns >= e->insns_max;

    s->earlier = s->pc ? diff_hash(s, sizeof(*s), 0) : 0;
    memcpy(s->x, c->x, sizeof(c->x));
    memcpy(s->v, c->v, sizeof(c->v));
    s->sp = e->el1 ? c->sp : c->sp_el[0];
    s->pc = c->elr_el1;
    /* BTYPE: translated code keeps it for guarded pages only. */
    s->nzcv = c->spsr_el1 & (b->no_syndrome ? 0xf0000000 : ~(3u << 10));
    s->fpcr = c->fpcr;
    s->fpsr = c->fpsr;
    s->esr = b->no_syndrome ? 0 : c->esr_el1;
    s->far = b->no_syndrome ? 0 : c->far_el1;
    s->end = late ? DIFF_END_LATE :
             ec == A64_EC_BRK64 ? DIFF_END_DONE : ec == A64_EC_UNKNOWN ? DIFF_END_UNDEFINED :
             ec == A64_EC_DABORT_LOWER || ec == A64_EC_IABORT_LOWER || ec == A64_EC_SP_ALIGN ||
             ec == A64_EC_DABORT_SAME || ec == A64_EC_IABORT_SAME ||
             ec == A64_EC_PC_ALIGN ? DIFF_END_FAULT : DIFF_END_OTHER;
}

static void run_to_end(struct engine *e)
{
    struct a64_cpu *c = &e->f->cpu;

    do {
        c->poll = 0;
        run(e);
    } while (!(c->poll & POLL_END) && !e->late && e->insns < e->insns_max);
}

static void load(struct engine *e, const struct diff_batch *b, const struct diff_test *t)
{
    struct a64_cpu *c = &e->f->cpu;

    for (unsigned i = 0; i < b->n; i++) {
        memcpy(flat_word(e->f, diff_code_of(b, i)), t[i].word, b->slot_words * 4);
    }
    c->bus.icache_local(c->bus.ctx, 0, ~UINT64_C(0));
}

static void run_batch(struct engine *e, const struct diff_batch *b, const struct diff_test *t,
                      struct diff_state *answer)
{
    load(e, b, t);
    memset(answer, 0, b->n * sizeof(*answer));
    for (unsigned i = 0; i < b->n; i++) {
        heat(e, t[i].hot_runs);
        for (unsigned turn = 0; turn < b->turns; turn++) {
            give(e, &t[i].state, diff_code_of(b, i));
            run_to_end(e);
            take(e, b, &answer[i]);
        }
    }
}

void engine_batch(struct engine *e, const struct diff_batch *b, const struct diff_test *t,
                  struct diff_state *answer, uint64_t *hash)
{
    struct a64_cpu *c = &e->f->cpu;
    void *scratch = flat_word(e->f, DIFF_SCRATCH), *walk = flat_word(e->f, WALK);

    if (b->fill) {
        diff_fill(scratch, DIFF_SCRATCH_BYTES, b->fill);
        diff_fill(walk, WALK_BYTES, b->fill ^ 0x5a5a5a5a);
    }
    /* What Linux sets up for its processes. */
    c->sctlr_el1 |= SCTLR_UCT | SCTLR_UCI | SCTLR_DZE | SCTLR_NTWI | SCTLR_NTWE;
    c->tcr_el1 |= TCR_TBI0;
    e->late = false;
    e->remaps = !b->no_syndrome;
    if (*e->dir) {
        /* Once to have the translations, then with those that were kept. */
        enum { PART = FLAT_BYTES / 4 };         /* all that EL0 can write */
        static char was[PART];
        memcpy(was, e->f->ram, PART);
        run_batch(e, b, t, answer);
        memcpy(e->f->ram, was, PART);
    }
    run_batch(e, b, t, answer);
    *hash = diff_hash(walk, WALK_BYTES, diff_hash(scratch, DIFF_SCRATCH_BYTES, 1));
}
