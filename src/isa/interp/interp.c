/* SPDX-License-Identifier: Apache-2.0 */
/* The run loop.  Code is decoded once per guest-physical page into (handler, word) pairs; IC
 * instructions drop a page (CTR_EL0.DIC is 0, so nothing else is needed).  Inside of a page the
 * loop only goes back to look at the TLB, breakpoints and so on when an instruction says `again`
 * or pc leaves the page. */
#include "isa/interp/interp.h"

#include "a64.gen.h"
#include "base/log.h"
#include "isa/a64/debug.h"
#include "isa/dis/dis.h"
#include "isa/interp/vocab_interp.h"

#define SEM(name) static inline void sem_##name(env *e, struct f_##name f)
#include "isa/a64/sem_all.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { PAGE_INSNS = 1024, PAGES = 1024 };

typedef void handler(env *e, uint32_t w);

struct insn {
    handler *fn;
    uint32_t word;
};

struct page {
    uint64_t gpa;                   /* ~0: nothing decoded */
    struct insn insn[PAGE_INSNS];
};

struct interp {
    struct page *page[PAGES];
};

/* ---- handlers ---- */

#define HANDLER(name) \
    static void op_##name(env *e, uint32_t w) { sem_##name(e, a64_get_##name(w)); }
A64_ALL_INSNS(HANDLER)

static void op_none(env *e, uint32_t w)
{
    undefined(e);
}

static handler *const handlers[A64_I_COUNT] = {
    [A64_I_NONE] = op_none,
#define ENTRY(name) [A64_I_##name] = op_##name,
    A64_ALL_INSNS(ENTRY)
};

static void op_decode(env *e, uint32_t w);

static void page_clear(struct page *p, uint64_t gpa)
{
    p->gpa = gpa;
    for (unsigned i = 0; i < PAGE_INSNS; i++) {
        p->insn[i].fn = op_decode;
    }
}

static struct page **page_slot(struct a64_cpu *cpu, uint64_t gpa)
{
    struct interp *in = cpu->interp;

    return &in->page[(gpa >> 12 ^ gpa >> 22) & (PAGES - 1)];
}

/* The decoded page of pc, which the exec TLB has just been filled for. */
static struct page *page_find(env *e)
{
    uint64_t gpa = a64_tlb_gpa(e->cpu->tlb->cur, e->cpu->pc, A64_TLB_EXEC) & ~UINT64_C(0xfff);
    struct page **slot = page_slot(e->cpu, gpa);

    if (!*slot) {
        *slot = malloc(sizeof(**slot));
        if (!*slot) {
            return NULL;
        }
        page_clear(*slot, gpa);
    } else if ((*slot)->gpa != gpa) {
        page_clear(*slot, gpa);
    }
    return *slot;
}

static void op_decode(env *e, uint32_t w)
{
    struct a64_cpu *cpu = e->cpu;
    struct page *p = *page_slot(cpu, a64_tlb_gpa(cpu->tlb->cur, cpu->pc, A64_TLB_EXEC));
    struct insn *in = &p->insn[cpu->pc >> 2 & (PAGE_INSNS - 1)];

    if (log_on(LOG_IN_ASM)) {
        dis_a64_log(&e->code[cpu->pc >> 2 & (PAGE_INSNS - 1)], 1, cpu->pc);
    }
    in->word = e->code[cpu->pc >> 2 & (PAGE_INSNS - 1)];
    in->fn = handlers[a64_decode_for(cpu->model->features, in->word)];
    e->rt = in->word & 31;
    in->fn(e, in->word);
}

/* ---- the loop ---- */

static bool is_eret(uint32_t w)
{
    return (w & 0xfffff3ff) == 0xd69f03e0;
}

/* Breakpoints, software step, illegal state, branch targets.  One instruction, if it may. */
static void step_carefully(env *e, const uint32_t *code)
{
    struct a64_cpu *cpu = e->cpu;
    bool stepping = cpu->ss;
    uint32_t w = *code;

    e->left--;
    if ((cpu->debug_slow && a64_debug_before(cpu)) || (cpu->btype && !a64_bti_check(cpu, w))) {
        return;
    }
    e->rt = w & 31;
    e->btype_set = false;
    handlers[a64_decode_for(cpu->model->features, w)](e, w);
    cpu->pc = e->next;
    /* What ERET set is for the instruction that it returned to. */
    if (!e->btype_set && !is_eret(w)) {
        cpu->btype = 0;
    }
    if (stepping) {
        a64_debug_after(cpu, w);
    }
}

/* Executes within one page.  Returns when something must be looked at. */
static void run_page(env *e, struct page *page)
{
    struct a64_cpu *cpu = e->cpu;
    uint64_t pc = cpu->pc, va = pc & ~UINT64_C(0xfff);

    do {
        const struct insn *in = &page->insn[pc >> 2 & (PAGE_INSNS - 1)];
        e->next = pc + 4;
        e->rt = in->word & 31;
        in->fn(e, in->word);
        pc = cpu->pc = e->next;
        e->left--;
    } while ((pc ^ va) < 4096 && !e->again && e->left > 0 &&
             !atomic_load_explicit(&cpu->poll, memory_order_relaxed));
}

__attribute__((noinline)) static void run(env *e)
{
    struct a64_cpu *cpu = e->cpu;

    while (e->left > 0 && !atomic_load_explicit(&cpu->poll, memory_order_relaxed)) {
        if (cpu->debug_slow && cpu->il) {
            a64_debug_before(cpu);          /* comes before the fetch */
            e->left--;
            continue;
        }
        const uint32_t *code = a64_fetch(cpu, cpu->pc);
        if (!code) {
            e->left--;
            continue;
        }
        e->code = code - (cpu->pc >> 2 & (PAGE_INSNS - 1));
        e->next = cpu->pc + 4;
        e->again = false;
        struct page *page = cpu->debug_slow || cpu->btype ? NULL : page_find(e);
        if (page) {
            run_page(e, page);
        } else {
            step_carefully(e, code);
        }
    }
}

uint64_t interp_run(struct a64_cpu *cpu, uint64_t insns_max)
{
    env e = { .cpu = cpu };
    env *volatile at = &e;

    e.left = insns_max > INT64_MAX ? INT64_MAX : (int64_t)insns_max;
    uint64_t max = e.left;
    if (__builtin_setjmp(e.jb)) {
        at->left--;                         /* the instruction that did not complete */
    }
    run(at);
    return max - at->left;
}

/* To the next branch that is taken, or the end of the page.  Nothing is kept of what was decoded:
 * this is for code that runs once or twice. */
__attribute__((noinline)) static void run_straight(env *e)
{
    struct a64_cpu *cpu = e->cpu;
    bool log = log_on(LOG_IN_ASM);
    const uint32_t *code = NULL;

    do {
        uint64_t next = cpu->pc + 4;
        uint32_t w;
        code = e->again || !code ? a64_fetch(cpu, cpu->pc) : code + 1;
        if (!code) {
            return;
        }
        w = __atomic_load_n(code, __ATOMIC_RELAXED);
        e->code = code - (cpu->pc >> 2 & (PAGE_INSNS - 1));
        e->next = next;
        e->again = false;
        if (log) {
            dis_a64_log(&w, 1, cpu->pc);
        }
        if (cpu->debug_slow || cpu->btype) {
            step_carefully(e, &w);
        } else {
            e->rt = w & 31;
            handlers[a64_decode_for(cpu->model->features, w)](e, w);
            cpu->pc = e->next;
            e->left--;
        }
        if (cpu->pc != next || cpu->debug_slow) {
            return;
        }
    } while ((cpu->pc & 4095) && e->left > 0 &&
             !atomic_load_explicit(&cpu->poll, memory_order_relaxed));
}

void interp_run_straight(struct a64_cpu *cpu, unsigned insns_max)
{
    env e = { .cpu = cpu, .left = insns_max };

    if (!__builtin_setjmp(e.jb)) {
        run_straight(&e);
    }
}

__attribute__((noinline)) static void row_call(env *e, unsigned insn, uint32_t word)
{
    handlers[insn](e, word);
    e->cpu->pc = e->next;
}

void interp_row(struct a64_cpu *cpu, unsigned insn, uint32_t word)
{
    env e = { .cpu = cpu, .next = cpu->pc + 4, .rt = word & 31 };

    if (!__builtin_setjmp(e.jb)) {
        row_call(&e, insn, word);
    }
}

/* ---- life ---- */

bool interp_attach(struct a64_cpu *cpu)
{
    cpu->interp = calloc(1, sizeof(struct interp));
    return cpu->interp != NULL;
}

void interp_detach(struct a64_cpu *cpu)
{
    struct interp *in = cpu->interp;

    for (unsigned i = 0; in && i < PAGES; i++) {
        free(in->page[i]);
    }
    free(in);
    cpu->interp = NULL;
}

void interp_icache_invalidate(struct a64_cpu *cpu, uint64_t gpa, uint64_t bytes)
{
    struct interp *in = cpu->interp;

    if (!in) {
        return;
    }
    if (bytes >= (uint64_t)PAGES << 12) {
        for (unsigned i = 0; i < PAGES; i++) {
            if (in->page[i]) {
                in->page[i]->gpa = ~UINT64_C(0);
            }
        }
        return;
    }
    for (uint64_t p = gpa & ~UINT64_C(0xfff); p < gpa + bytes; p += 4096) {
        struct page *page = *page_slot(cpu, p);
        if (page && page->gpa == p) {
            page->gpa = ~UINT64_C(0);
        }
    }
}
