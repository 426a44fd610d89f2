/* SPDX-License-Identifier: Apache-2.0 */
/* Random instruction sequences at EL1 with the MMU on, in the translator and in the interpreter:
 * registers, flags, memory and exception syndromes must be equal.  Data pages are mapped, read
 * only or missing at random, so that faults come in the middle of blocks.
 *
 *   test_jit [CASES [SEED [FIRST-CASE]]]         */
#include "accel/jit/jit.h"
#include "base/log.h"
#include "base/prng.h"

#include "../check.h"
#include "../isa/flat.h"

#include "a64.gen.h"
#include "isa/a64/mmu.h"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>

enum {
    TABLES = 0x10000,           /* of the RAM: level 1, 2 and 3 */
    VECTORS = 0x20000,
    DATA = 0x200000,            /* 16 pages by level 3 */
    DATA_PAGES = 16,
    CODE = 0x40000,
    CODE_BYTES = 0x100000,
    INSNS_MAX = 24,
};
#define WFI 0xd503207fu
#define SVC 0xd4000001u

static struct jit *jit;

static void stop_wait(void *ctx, bool is_wfi)
{
    struct flat *f = ctx;

    f->cpu.poll = 4;
}

static void icache(void *ctx, uint64_t gpa, uint64_t bytes)
{
    jit_invalidate(jit, gpa, bytes);
}

/* 39-bit addresses from level 1: RAM at its own address; DATA by pages of several kinds. */
static struct flat *machine(bool is_jit)
{
    struct flat *f = flat_new("max");
    struct a64_cpu *c = &f->cpu;
    uint64_t l1 = FLAT_RAM + TABLES, l2 = l1 + 4096, l3 = l2 + 4096;

    c->bus.wait_for_event = stop_wait;
    if (is_jit) {
        c->bus.icache_local = icache;
    }
    *flat_dword(f, l1 + 8) = l2 | 3;
    *flat_dword(f, l2) = FLAT_RAM | 0x701;                  /* block: AF, ISH, attribute 0, RW */
    *flat_dword(f, l2 + 8) = l3 | 3;
    for (unsigned i = 0; i < DATA_PAGES; i++) {
        uint64_t pa = FLAT_RAM + DATA + i * 4096;
        uint64_t kind = i % 8 == 3 ? 0 : i % 8 == 5 ? 0x783 : i % 8 == 7 ? 0x743 : 0x703;
        *flat_dword(f, l3 + i * 8) = kind ? pa | kind : 0;
    }
    for (unsigned i = 0; i < 16; i++) {
        *flat_word(f, FLAT_RAM + VECTORS + i * 0x80) = WFI;
    }
    c->ttbr0_el1 = c->ttbr1_el1 = l1;
    c->mair_el1 = 0xff;
    c->tcr_el1 = 25 | UINT64_C(25) << 16 | UINT64_C(2) << 30 | 0x3500 | UINT64_C(0x3500) << 16;
    c->sctlr_el1 |= 1;
    c->cpacr_el1 = 3u << 20;
    c->vbar_el1 = FLAT_RAM + VECTORS;
    a64_regime_update(c);
    return f;
}

/* A random instruction of a row that both engines can run in the middle of a sequence. */
static uint32_t random_insn(struct prng *p, uint64_t features)
{
    for (;;) {
        unsigned row = 1 + prng_below(p, a64_row_n - 1);
        const struct a64_row *r = &a64_rows[row];
        uint32_t w = r->value | ((uint32_t)prng_u64(p) & ~r->mask);
        bool branch = r->group == A64_GROUP_BRANCH;
        bool vec = r->group >= A64_GROUP_FP;
        if (r->flags & (A64_ROW_NODIFF | A64_ROW_INTERP) || a64_decode_for(features, w) != row ||
            (branch && prng_below(p, 4)) || (vec && prng_below(p, 3)) ||
            (r->group == A64_GROUP_CRYPTO && prng_below(p, 8))) {
            continue;
        }
        if (branch) {
            /* Only a few instructions forward, by condition. */
            if (row == A64_I_b_cond || row == A64_I_cbz || row == A64_I_cbnz) {
                return (w & ~(0x7ffffu << 5)) | (2 + (uint32_t)prng_below(p, 3)) << 5;
            }
            if (row == A64_I_tbz || row == A64_I_tbnz) {
                return (w & ~(0x3fffu << 5)) | (2 + (uint32_t)prng_below(p, 3)) << 5;
            }
            continue;
        }
        if (r->group == A64_GROUP_MEM || strstr(r->name, "_v")) {
            /* Prefer bases that are pointers: x20 … x27 and SP. */
            for (unsigned i = 0; i < r->field_n; i++) {
                if (!strcmp(r->field[i].name, "rn")) {
                    uint32_t base = prng_below(p, 9) ? 20 + prng_below(p, 8) : 31;
                    w = (w & ~(31u << r->field[i].lsb)) | base << r->field[i].lsb;
                }
            }
            if (a64_decode_for(features, w) != row) {
                continue;
            }
        }
        return w;
    }
}

static uint64_t random_value(struct prng *p)
{
    uint64_t v = prng_u64(p);

    switch (prng_below(p, 6)) {
    case 0: return v & 0xff;
    case 1: return v | 0xffffffff00000000;
    case 2: return (int64_t)v >> 50;
    case 3: return prng_below(p, 4) ? v & 63 : 0;
    default: return v;
    }
}

static void random_state(struct prng *p, struct a64_cpu *c)
{
    static const uint64_t fp[] = {
        0, UINT64_C(1) << 63, 0x3ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000001,
        0x7ff0000000000001, 0x3f8000003f800000, 0x7fc00000ff800000, 0x7f80000100000001, 1,
        0x4000000000000000, 0x43e0000000000000, 0xc1e0000000000000, 0x4f0000005f000000,
    };

    for (unsigned i = 0; i < 31; i++) {
        c->x[i] = random_value(p);
        if (i >= 20 && i < 28) {
            c->x[i] = FLAT_RAM + DATA + prng_below(p, DATA_PAGES * 4096);
            c->x[i] &= prng_below(p, 2) ? ~UINT64_C(15) : prng_below(p, 2) ? ~UINT64_C(7) : ~0ull;
        }
    }
    c->sp = (FLAT_RAM + DATA + prng_below(p, DATA_PAGES * 4096)) & ~UINT64_C(15);
    if (!prng_below(p, 16)) {
        c->sp += 8;
    }
    for (unsigned i = 0; i < 32; i++) {
        c->v[i].d[0] = prng_below(p, 3) ? prng_u64(p) : fp[prng_below(p, 14)];
        c->v[i].d[1] = prng_below(p, 3) ? prng_u64(p) : fp[prng_below(p, 14)];
    }
    c->nzcv_ = prng_u64(p) & 0xc101;
    c->fpsr = 0;
    c->fpcr = prng_below(p, 4) ? 0 : (uint32_t)prng_below(p, 16) << 22 |
                                      (uint32_t)prng_below(p, 2) << 26;
    c->ex_addr = ~UINT64_C(0);
    c->el = 1;
    c->daif = 15;
    c->pan = 0;
    c->btype = 0;
    c->il = 0;
    c->poll = 0;
}

static void copy_state(struct a64_cpu *to, const struct a64_cpu *from)
{
    memcpy(to->x, from->x, sizeof(to->x));
    memcpy(to->v, from->v, sizeof(to->v));
    to->sp = from->sp;
    to->nzcv_ = from->nzcv_;
    to->fpsr = from->fpsr;
    to->fpcr = from->fpcr;
    to->ex_addr = from->ex_addr;
    to->el = from->el;
    to->daif = from->daif;
    to->pan = from->pan;
    to->btype = from->btype;
    to->il = from->il;
    to->poll = 0;
}

#define SAME(field) \
    if (a->field != b->field) { \
        fprintf(stderr, "  " #field ": jit %#" PRIx64 " interp %#" PRIx64 "\n", \
                (uint64_t)a->field, (uint64_t)b->field); \
        same = false; \
    }

static bool compare(struct flat *fa, struct flat *fb)
{
    struct a64_cpu *a = &fa->cpu, *b = &fb->cpu;
    bool same = true;

    for (unsigned i = 0; i < 31; i++) {
        if (a->x[i] != b->x[i]) {
            fprintf(stderr, "  x%u: jit %#" PRIx64 " interp %#" PRIx64 "\n", i, a->x[i], b->x[i]);
            same = false;
        }
    }
    for (unsigned i = 0; i < 32; i++) {
        if (memcmp(&a->v[i], &b->v[i], 16)) {
            fprintf(stderr, "  v%u: jit %016" PRIx64 "%016" PRIx64 " interp %016" PRIx64
                    "%016" PRIx64 "\n", i, a->v[i].d[1], a->v[i].d[0], b->v[i].d[1], b->v[i].d[0]);
            same = false;
        }
    }
    SAME(sp)
    SAME(pc)
    SAME(elr_el1)
    SAME(esr_el1)
    SAME(far_el1)
    SAME(spsr_el1)
    uint32_t fa_ = a->fpsr, fb_ = b->fpsr;
    if (fa_ != fb_) {
        fprintf(stderr, "  fpsr: jit %#x interp %#x\n", fa_, fb_);
        same = false;
    }
    if (memcmp(fa->ram + DATA, fb->ram + DATA, DATA_PAGES * 4096)) {
        for (unsigned i = 0; i < DATA_PAGES * 4096; i++) {
            if (fa->ram[DATA + i] != fb->ram[DATA + i]) {
                fprintf(stderr, "  data +%#x differs: %02x %02x\n", i, (uint8_t)fa->ram[DATA + i],
                        (uint8_t)fb->ram[DATA + i]);
                break;
            }
        }
        same = false;
    }
    return same;
}

static void run_interp(struct a64_cpu *c)
{
    while (!c->poll) {
        interp_run(c, 1000);
    }
}

static bool one_case(struct flat *a, struct flat *b, uint64_t seed, uint64_t at, bool show)
{
    struct prng p;
    unsigned n;
    uint64_t pc = FLAT_RAM + CODE + at;

    prng_init(&p, seed);
    random_state(&p, &a->cpu);
    copy_state(&b->cpu, &a->cpu);
    n = 1 + prng_below(&p, INSNS_MAX);
    for (unsigned i = 0; i < n + 6; i++) {
        uint32_t w = i < n ? random_insn(&p, a->cpu.model->features) : SVC;
        *flat_word(a, pc + i * 4) = *flat_word(b, pc + i * 4) = w;
        if (show) {
            fprintf(stderr, "  %2u %08x %s\n", i, w,
                    a64_rows[a64_decode_for(a->cpu.model->features, w)].name);
        }
    }
    a->cpu.pc = b->cpu.pc = pc;
    jit_run(jit, &a->cpu);
    run_interp(&b->cpu);
    return compare(a, b);
}

/* ---- code that changes ---- */
static void run_at(struct flat *f, uint64_t pc)
{
    f->cpu.pc = pc;
    f->cpu.poll = 0;
    f->cpu.el = 1;
    jit_run(jit, &f->cpu);
}

/* a: loop of x1 iterations over a call through a direct branch; b: what is changed. */
static void test_changed_code(struct flat *f)
{
    uint64_t a = FLAT_RAM + CODE, b = a + 0x200, v = FLAT_RAM + VECTORS;
    const uint32_t loop[] = {
        0x94000080,         /* bl b */
        0xf1000421,         /* subs x1, x1, #1 */
        0x54ffffc1,         /* b.ne a */
        WFI,
    };

    memcpy(flat_word(f, a), loop, sizeof(loop));
    *flat_word(f, b) = 0x91000400;              /* add x0, x0, #1 */
    *flat_word(f, b + 4) = 0xd65f03c0;          /* ret */
    f->cpu.x[0] = 0;
    f->cpu.x[1] = 1000;
    run_at(f, a);
    CHECK(f->cpu.x[0] == 1000 && f->cpu.pc == a + 16, "pc %#" PRIx64, f->cpu.pc);
    *flat_word(f, b) = 0x91000800;              /* add x0, x0, #2 */
    f->cpu.x[1] = 10;
    run_at(f, a);
    CHECK(f->cpu.x[0] == 1010, "the old code runs until IC IVAU");
    jit_invalidate_page(jit, b);
    f->cpu.x[1] = 10;
    run_at(f, a);
    CHECK(f->cpu.x[0] == 1030, "x0 %" PRIu64, f->cpu.x[0]);
    /* The loop itself, while it is the block that jumps to itself. */
    *flat_word(f, a) = 0x91000400;
    jit_invalidate(jit, 0, ~UINT64_C(0));
    f->cpu.x[1] = 100;
    run_at(f, a);
    CHECK(f->cpu.x[0] == 1130, "x0 %" PRIu64, f->cpu.x[0]);
    jit_flush(jit);
    f->cpu.x[1] = 100;
    run_at(f, a);
    CHECK(f->cpu.x[0] == 1230, "x0 %" PRIu64, f->cpu.x[0]);
    CHECK(*flat_word(f, v) == WFI);
}

/* A loop without end is left at its back edge when the poll word is set. */
static void *set_poll(void *cpu)
{
    struct timespec t = { .tv_nsec = 2000000 };

    nanosleep(&t, NULL);
    ((struct a64_cpu *)cpu)->poll = 1;
    return NULL;
}

static void test_poll(struct flat *f)
{
    uint64_t a = FLAT_RAM + CODE + 0x800;
    pthread_t thread;

    *flat_word(f, a) = 0x91000400;              /* add x0, x0, #1 */
    *flat_word(f, a + 4) = 0x17ffffff;          /* b a */
    f->cpu.poll = 0;
    f->cpu.pc = a;
    f->cpu.x[0] = 0;
    pthread_create(&thread, NULL, set_poll, &f->cpu);
    jit_run(jit, &f->cpu);
    pthread_join(thread, NULL);
    CHECK(f->cpu.pc == a && f->cpu.x[0] > 0);
    f->cpu.poll = 0;
}

int main(int argc, char **argv)
{
    uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
    struct flat *a, *b;
    unsigned bad = 0;

    jit = jit_new(NULL, NULL);
    if (!jit) {
        return 77;              /* skipped: the host cannot */
    }
    if (getenv("JIT_DUMP")) {
        log_items_set(getenv("JIT_DUMP"), NULL, NULL);
    }
    a = machine(true);
    b = machine(false);
    test_changed_code(a);
    test_poll(a);
    jit_flush(jit);
    for (uint64_t i = first, at = 0; i < cases && bad < 5; i++) {
        if (at + 4 * (INSNS_MAX + 6) > CODE_BYTES) {
            at = 0;
            jit_flush(jit);
            interp_icache_invalidate(&b->cpu, 0, ~UINT64_C(0));
        }
        if (!one_case(a, b, seed + i * 0x10001, at, false)) {
            fprintf(stderr, "case %" PRIu64 " of seed %" PRIu64 " differs\n", i, seed);
            memcpy(a->ram + DATA, b->ram + DATA, DATA_PAGES * 4096);
            jit_flush(jit);
            interp_icache_invalidate(&b->cpu, 0, ~UINT64_C(0));
            one_case(a, b, seed + i * 0x10001, at, true);
            memcpy(a->ram + DATA, b->ram + DATA, DATA_PAGES * 4096);
            CHECK(false, "engines differ");
            bad++;
        }
        at += 4 * (INSNS_MAX + 6);
    }
    if (argc > 1) {
        char text[1024];
        jit_print_stats(jit, text, sizeof(text));
        fputs(text, stderr);
    }
    jit_cpu_free(&a->cpu);
    flat_free(a);
    flat_free(b);
    jit_free(jit);
    return check_result();
}
