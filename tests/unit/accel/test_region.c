/* SPDX-License-Identifier: Apache-2.0 */
/* Regions (hot loops translated again) and code that changes: by the loop itself, by another vCPU,
 * while the region runs; one page of code at two addresses; ways into the head. */
#include "jit_machine.h"

/* ---- a loop that changes itself ---- */
static void test_changes_itself(void)
{
    uint64_t before = regions();
    uint64_t *x = f->cpu.x;

    for (unsigned turn = 0; turn < 3; turn++) {
        PUT(CODE, ADD_X0(1),
            0xeb02003f,                 /* cmp x1, x2 */
            B_NE(7),
            0xb9000064,                 /* str w4, [x3] */
            0xd50b7b23,                 /* dc cvau, x3 */
            0xd5033b9f,                 /* dsb ish */
            0xd50b7523,                 /* ic ivau, x3 */
            0xd5033b9f,
            0xd5033fdf,                 /* isb */
            SUBS_X1, B_NE(-10), WFI);
        x[0] = 0;
        x[1] = 100;
        x[2] = 40;
        x[3] = FLAT_RAM + CODE + (turn == 2 ? ALIAS : 0);
        x[4] = ADD_X0(16);
        run(FLAT_RAM + CODE);
        CHECK(x[0] == 61 + 39 * 16, "x0 %" PRIu64, x[0]);
    }
    CHECK(regions() >= before + 3, "the loop before and after the change");
}

/* Jumps stay linked to a translation that is invalid: they lead to the new one, without a look-up
 * each time. */
static void test_called_anew(void)
{
    struct jit_stats before, after;
    uint64_t *x = f->cpu.x;

    PUT(CODE, 0x94000400,               /* bl .+4096 */
        SUBS_X1, B_NE(-2), WFI);
    PUT(CODE + 4096, ADD_X0(1), 0xd65f03c0);    /* ret */
    for (unsigned turn = 1; turn <= 3; turn++) {
        *flat_word(f, FLAT_RAM + CODE + 4096) = ADD_X0(turn);
        jit_invalidate_page(jit, FLAT_RAM + CODE + 4096);
        x[0] = 0;
        x[1] = 1000;
        jit_stats(jit, &before);
        run(FLAT_RAM + CODE);
        jit_stats(jit, &after);
        CHECK(x[0] == 1000 * turn, "x0 %" PRIu64, x[0]);
        CHECK(after.lookups - before.lookups < 100, "turn %u: %" PRIu64 " look-ups", turn,
              after.lookups - before.lookups);
    }
}

/* ---- a device that has the region dropped while it runs ---- */
static unsigned drop_at, drop_kind, device_n;

static void drop(void)
{
    if (++device_n != drop_at) {
        return;
    }
    *flat_word(f, FLAT_RAM + CODE) = ADD_X0(2);
    if (drop_kind == 0) {
        jit_invalidate_page(jit, FLAT_RAM + CODE);
    } else if (drop_kind == 1) {
        jit_invalidate(jit, 0, ~UINT64_C(0));
    } else {
        jit_flush(jit);
    }
}

static void test_dropped_while_running(void)
{
    uint64_t *x = f->cpu.x;

    on_device = drop;
    for (drop_kind = 0; drop_kind < 3; drop_kind++) {
        PUT(CODE, ADD_X0(1), STR(1, 5), SUBS_X1, B_NE(-3), WFI);
        device_n = 0;
        drop_at = 50;
        x[0] = x[5] = 0;
        x[1] = 100;
        run(FLAT_RAM + CODE);
        /* It may finish the old code, as there is no barrier in the loop, but not skip a turn. */
        CHECK(device_n == 100 && x[0] >= 100 && x[0] <= 150, "x0 %" PRIu64, x[0]);
        x[0] = 0;
        x[1] = 100;
        run(FLAT_RAM + CODE);
        CHECK(x[0] == 200, "kind %u: x0 %" PRIu64, drop_kind, x[0]);
    }
    on_device = NULL;
}

/* ---- one page of code at two addresses ---- */
static void test_aliases(void)
{
    uint64_t *x = f->cpu.x, before;

    PUT(CODE, 0x10000006,               /* adr x6, . */
        0xf8408507,                     /* ldr x7, [x8], #8 */
        ADD_X0(1), SUBS_X1, B_NE(-4), WFI);
    before = regions();
    for (unsigned turn = 0; turn < 6; turn++) {
        uint64_t at = FLAT_RAM + CODE + (turn & 1 ? ALIAS : 0);
        x[0] = 0;
        x[1] = 100;
        x[8] = FLAT_RAM + PAGES;
        run(at);
        CHECK(x[6] == at && x[0] == 100 && f->cpu.pc == at + 24, "x6 %" PRIx64, x[6]);
        /* A fault in the middle: 20 turns until the page that is missing. */
        x[0] = 0;
        x[1] = 100;
        x[8] = FLAT_RAM + PAGES + 15 * 4096 - 20 * 8;
        run(at);
        CHECK(f->cpu.elr_el1 == at + 4 && x[0] == 20 && x[1] == 80 && x[6] == at &&
              x[8] == FLAT_RAM + PAGES + 15 * 4096 && f->cpu.far_el1 == x[8],
              "elr %" PRIx64 " x0 %" PRIu64, f->cpu.elr_el1, x[0]);
    }
    CHECK(regions() == before + 1, "both addresses share it");
}

/* ---- the address gets other code ---- */
static void test_remapped(void)
{
    const uint32_t code[] = { ADD_X0(1), SUBS_X1, B_NE(-2), WFI };
    uint64_t va = FLAT_RAM + PAGES + 4 * 4096, *x = f->cpu.x;

    memcpy(flat_word(f, FLAT_RAM + PAGES + 4 * 4096), code, sizeof(code));
    memcpy(flat_word(f, FLAT_RAM + PAGES + 5 * 4096), code, sizeof(code));
    *flat_word(f, FLAT_RAM + PAGES + 5 * 4096) = ADD_X0(3);
    for (unsigned turn = 0; turn < 4; turn++) {
        *page_entry(4) = (FLAT_RAM + PAGES + (4 + turn % 2) * 4096) | 0x707;
        a64_tlb_drop_va(f->cpu.tlb, va, 1, 0, true);
        x[0] = 0;
        x[1] = 50;
        run(va);
        CHECK(x[0] == (turn % 2 ? 150 : 50), "turn %u: x0 %" PRIu64, turn, x[0]);
    }
    *page_entry(4) = (FLAT_RAM + PAGES + 4 * 4096) | 0x707;
    a64_tlb_drop_all(f->cpu.tlb);
}

/* The data's page is mapped elsewhere in the middle of the loop: what a region knows of pages
 * goes with the TLB. */
static void remap(void)
{
    if (++device_n == 30) {
        *page_entry(2) = (FLAT_RAM + PAGES + 3 * 4096) | 0x707;
        a64_tlb_drop_va(f->cpu.tlb, FLAT_RAM + PAGES + 2 * 4096, 1, 0, true);
    }
}

static void test_data_remapped(void)
{
    uint64_t *x = f->cpu.x, *a = flat_dword(f, FLAT_RAM + PAGES + 2 * 4096);

    for (unsigned i = 0; i < 512; i++) {
        a[i] = 1;
        a[512 + i] = 1000;
    }
    PUT(CODE, 0xf8408507,               /* ldr x7, [x8], #8 */
        0x8b070000,                     /* add x0, x0, x7 */
        0xf8008528,                     /* str x8, [x9], #8 */
        STR(1, 5), SUBS_X1, B_NE(-5), WFI);
    on_device = remap;
    device_n = 0;
    x[0] = x[5] = 0;
    x[1] = 100;
    x[8] = FLAT_RAM + PAGES + 2 * 4096;
    x[9] = x[8] + 1024;
    run(FLAT_RAM + CODE);
    on_device = NULL;
    CHECK(x[0] == 30 + 70 * 1000, "x0 %" PRIu64, x[0]);
    CHECK(a[128 + 29] != 1 && a[128 + 30] == 1 && a[512 + 128 + 29] == 1000 &&
          a[512 + 128 + 30] == FLAT_RAM + PAGES + 2 * 4096 + 31 * 8, "stores go there, too");
    *page_entry(2) = (FLAT_RAM + PAGES + 2 * 4096) | 0x707;
    a64_tlb_drop_all(f->cpu.tlb);
}

/* ---- ways into the head ---- */
static void test_ways_in(void)
{
    uint64_t *x = f->cpu.x;

    /* x9 turns: by falling in, by a branch from another page and by register. */
    PUT(CODE, MOVZ(1, 10),
        ADD_X0(1), SUBS_X1, B_NE(-2),   /* the loop, at +4 */
        0xb500006b,                     /* cbnz x11, +3 */
        MOVZ(11, 1), B((CODE2 - CODE) / 4 - 6),
        0xf1000d7f,                     /* cmp x11, #3 */
        0x54000080,                     /* b.eq +4 */
        MOVZ(11, 3), MOVZ(1, 10), 0xd61f0140,   /* br x10 */
        MOVZ(11, 0), 0xf1000529,        /* subs x9, x9, #1 */
        B_NE(-14), WFI);
    PUT(CODE2, MOVZ(1, 10), B((CODE - CODE2) / 4));
    x[0] = x[11] = 0;
    x[9] = 20;
    x[10] = FLAT_RAM + CODE + 4;
    run(FLAT_RAM + CODE);
    CHECK(x[0] == 20 * 3 * 10, "x0 %" PRIu64, x[0]);
    /* The other page's code and the jump cache go on leading to what is stale now. */
    PUT(CODE + 4, ADD_X0(2));
    x[0] = x[11] = 0;
    x[9] = 20;
    run(FLAT_RAM + CODE2);
    CHECK(x[0] == 20 * 3 * 20, "x0 %" PRIu64, x[0]);
}

/* Data next to the code: nothing is translated again. */
static void test_near_data(void)
{
    struct jit_stats before, after;
    uint64_t *x = f->cpu.x;

    PUT(CODE, 0xf8008440,               /* str x0, [x2], #8 */
        ADD_X0(1), SUBS_X1, B_NE(-3), WFI);
    x[0] = 0;
    x[1] = 100;
    x[2] = FLAT_RAM + CODE + 0x100;
    jit_stats(jit, &before);
    run(FLAT_RAM + CODE);
    x[1] = 100;
    run(FLAT_RAM + CODE);
    jit_stats(jit, &after);
    CHECK(x[0] == 200 && *flat_dword(f, FLAT_RAM + CODE + 0x100 + 150 * 8) == 150);
    CHECK(after.invalidated == before.invalidated && after.regions == before.regions + 1);
}

/* ---- another vCPU changes the code ---- */

/* A loop without end gets an exit, and an interrupt makes everybody look. */
static void *patch_and_kick(void *arg)
{
    struct timespec t = { .tv_nsec = 3000000 };

    nanosleep(&t, NULL);
    __atomic_store_n(flat_word(f, FLAT_RAM + CODE + 4), WFI, __ATOMIC_SEQ_CST);
    jit_invalidate(jit, FLAT_RAM + CODE + 4, 4);
    __atomic_fetch_or(&f->cpu.poll, 8, __ATOMIC_SEQ_CST);
    return NULL;
}

static void test_exit_patched_in(void)
{
    pthread_t thread;

    PUT(CODE, ADD_X0(1), 0xd503201f, B(-2));
    f->cpu.x[0] = 0;
    pthread_create(&thread, NULL, patch_and_kick, NULL);
    run(FLAT_RAM + CODE);
    pthread_join(thread, NULL);
    if (!(f->cpu.poll & 4)) {
        run(f->cpu.pc);
    }
    CHECK(f->cpu.poll == 4 && f->cpu.pc == FLAT_RAM + CODE + 8, "pc %" PRIx64, f->cpu.pc);
}

/* Versions: code is changed and invalidated, then its version is published.  Whoever has read the
 * version and executed ISB must not see older code, in blocks or in the region of the inner loop. */
enum { VERSIONS = 2000 };

static void *publish(void *arg)
{
    for (unsigned i = 1; i <= VERSIONS; i++) {
        struct timespec t = { .tv_nsec = 20000 };
        uint64_t made = regions();
        __atomic_store_n(flat_word(f, FLAT_RAM + CODE + 8), MOVZ(2, i), __ATOMIC_SEQ_CST);
        __atomic_store_n(flat_word(f, FLAT_RAM + CODE + 24), MOVZ(4, i), __ATOMIC_SEQ_CST);
        jit_invalidate(jit, FLAT_RAM + CODE, 64);
        __atomic_store_n(flat_dword(f, FLAT_RAM + PAGES), i, __ATOMIC_SEQ_CST);
        heat(&f->cpu);
        nanosleep(&t, NULL);
        /* Some of them live until there is a region, however busy the host is. */
        for (unsigned n = 0; i <= 40 && n < 2000 && regions() == made; n++) {
            nanosleep(&t, NULL);
        }
    }
    return NULL;
}

static void test_versions(void)
{
    uint64_t *x = f->cpu.x, before = regions();
    pthread_t thread;

    *flat_dword(f, FLAT_RAM + PAGES) = 0;
    PUT(CODE, 0xc8dffcc3,               /* ldar x3, [x6] */
        0xd5033fdf,                     /* isb */
        MOVZ(2, 0),
        0xeb03005f,                     /* cmp x2, x3 */
        0x54000143,                     /* b.lo bad */
        MOVZ(1, 20),
        MOVZ(4, 0),                     /* inner loop */
        0xeb03009f,                     /* cmp x4, x3 */
        0x540000c3,                     /* b.lo bad */
        SUBS_X1, B_NE(-4),
        0xf11f407f,                     /* cmp x3, #VERSIONS */
        B_NE(-12), WFI,
        MOVZ(0, 1), WFI);               /* bad */
    x[0] = 0;
    x[6] = FLAT_RAM + PAGES;
    pthread_create(&thread, NULL, publish, NULL);
    run(FLAT_RAM + CODE);
    pthread_join(thread, NULL);
    CHECK(x[0] == 0 && x[2] == VERSIONS && x[4] == VERSIONS,
          "x2 %" PRIu64 " x4 %" PRIu64 " of version %" PRIu64 ", turn %" PRIu64, x[2], x[4], x[3],
          x[1]);
    CHECK(regions() > before + 10, "the inner loop, many times: %" PRIu64, regions() - before);
}

/* ---- two vCPUs in one region ---- */
enum { ADDS = 500000 };

struct second {
    struct flat *f;
    volatile bool done;
};

static void *run_second(void *arg)
{
    struct second *s = arg;

    s->f->cpu.pc = FLAT_RAM + CODE;
    s->f->cpu.el = 1;
    jit_run(jit, &s->f->cpu);
    s->done = true;
    return NULL;
}

/* The code does not change, but its translations go away now and then. */
static void *drop_often(void *arg)
{
    struct second *s = arg;

    for (unsigned i = 0; !s->done && i < 2000; i++) {
        struct timespec t = { .tv_nsec = 100000 };
        if (i % 16) {
            jit_invalidate_page(jit, FLAT_RAM + CODE);
        } else {
            jit_flush(jit);
        }
        heat(&f->cpu);
        heat(&s->f->cpu);
        nanosleep(&t, NULL);
    }
    return NULL;
}

static void adder(struct a64_cpu *c, const uint64_t *counter)
{
    memset(c->x, 0, sizeof(c->x));
    c->x[1] = ADDS;
    c->x[6] = 1;
    c->x[3] = c->x[7] = c->x[9] = FLAT_RAM + ((const char *)counter - f->ram);
    c->x[7] += 64;
    c->x[9] += 128;
}

static void test_two_cpus(void)
{
    uint64_t *counter = flat_dword(f, FLAT_RAM + PAGES);
    struct second s = { .f = flat_new("max") };
    pthread_t thread[2];

    free(s.f->ram);
    s.f->ram = f->ram;
    registers(s.f);
    memset(counter, 0, 4096);
    PUT(CODE, 0xc85f7c64,               /* ldxr x4, [x3] */
        0x91000484,                     /* add x4, x4, #1 */
        0xc8057c64,                     /* stxr w5, x4, [x3] */
        0x35ffffa5,                     /* cbnz w5, -3 */
        0xf82600ff,                     /* stadd x6, [x7] */
        LDR(8, 9),
        0x9100050a,                     /* add x10, x8, #1 */
        0xaa0803eb,                     /* mov x11, x8 */
        0xc8ab7d2a,                     /* cas x11, x10, [x9] */
        0xeb08017f,                     /* cmp x11, x8 */
        B_NE(-5), SUBS_X1, B_NE(-12), WFI);
    adder(&f->cpu, counter);
    adder(&s.f->cpu, counter);
    pthread_create(&thread[0], NULL, run_second, &s);
    pthread_create(&thread[1], NULL, drop_often, &s);
    run(FLAT_RAM + CODE);
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    CHECK(counter[0] == 2 * ADDS, "exclusives: %" PRIu64, counter[0]);
    CHECK(counter[8] == 2 * ADDS, "stadd: %" PRIu64, counter[8]);
    CHECK(counter[16] == 2 * ADDS, "cas: %" PRIu64, counter[16]);
    CHECK(f->cpu.pc == FLAT_RAM + CODE + 56 && s.f->cpu.pc == f->cpu.pc);
    jit_cpu_free(&s.f->cpu);
    s.f->ram = NULL;
    flat_free(s.f);
}

static void all(bool sync)
{
    if (sync) {
        test_changes_itself();
        test_aliases();
        test_near_data();
    }
    test_called_anew();
    test_dropped_while_running();
    test_remapped();
    test_data_remapped();
    test_ways_in();
    test_exit_patched_in();
    test_versions();
    test_two_cpus();
}

int main(void)
{
    return run_kinds(all);
}
