/* SPDX-License-Identifier: Apache-2.0 */
/* Direct jumps from one page of code to another: they go straight to the target only as long as it
 * is mapped as it was, in this context, and where this page is; and they come by a poll. */
#include "jit_machine.h"

#include "accel/jit/jit_int.h"
#include "isa/a64/esr.h"
#include "isa/a64/sysbits.h"

enum {
    TABLES_B = 0x14000,         /* another context: pages of its own */
    TABLES_0 = 0x18000,         /* of VA 0 and of the last one */
    LOOKUPS_MAX = 40,           /* that a loop of hundreds of turns may need */
};
#define B_EQ(words) (0x54000000u | ((uint32_t)(words) & 0x7ffff) << 5)
#define CBNZ_X1(words) (0xb5000001u | ((uint32_t)(words) & 0x7ffff) << 5)
#define TBZ_X2(words) (0x36000002u | ((uint32_t)(words) & 0x3fff) << 5)     /* bit 0 */
#define BL(words) (0x94000000u | ((uint32_t)(words) & 0x3ffffff))
#define BR(reg) (0xd61f0000u | (reg) << 5)
#define BLR(reg) (0xd63f0000u | (reg) << 5)
#define RET(reg) (0xd65f0000u | (reg) << 5)
#define NOP 0xd503201fu
#define SVC 0xd4000001u
#define ISB 0xd5033fdfu
#define BTI_C 0xd503245fu
#define BTI_J 0xd503249fu
#define GP (UINT64_C(1) << 50)
#define PAGE_WORDS 1024

static uint64_t at_page(unsigned i)
{
    return FLAT_RAM + PAGES + i * 4096;
}

static uint64_t *entry_of(uint32_t tables, unsigned i)
{
    return flat_dword(f, FLAT_RAM + tables + 0x2000 + i * 8);
}

/* Page i of VA has the memory of page `of`. */
static void map(uint32_t tables, unsigned i, unsigned of, uint64_t bits)
{
    *entry_of(tables, i) = at_page(of) | 0x707 | bits;
}

static void map_all(void)
{
    for (unsigned i = 0; i < 15; i++) {
        map(TABLES, i, i, 0);
    }
    a64_tlb_drop_all(f->cpu.tlb);
}

static unsigned device_n;

/* What a loop costs that is not in translated code. */
static uint64_t slow_ways(void)
{
    struct jit_stats s;

    jit_stats(jit, &s);
    return s.lookups + s.chains_far;
}

/* Page `from`: a store to the device, and to page `to`: x0 += add, and back for x1 turns. */
static void put_loop(unsigned from, unsigned to, unsigned add)
{
    PUT(PAGES + from * 4096, STR(1, 5), B(((int)to - (int)from) * PAGE_WORDS - 1));
    PUT(PAGES + to * 4096, ADD_X0(add), SUBS_X1,
        B_NE(((int)from - (int)to) * PAGE_WORDS - 2), WFI);
}

static void run_turns(uint64_t pc, unsigned turns)
{
    f->cpu.x[0] = f->cpu.x[5] = 0;
    f->cpu.x[1] = turns;
    device_n = 0;
    heat(&f->cpu);
    run(pc);
}

static void test_pages(void)
{
    uint64_t before;

    put_loop(2, 3, 1);
    before = slow_ways();
    run_turns(at_page(2), 1000);
    CHECK(f->cpu.x[0] == 1000 && f->cpu.pc == at_page(3) + 16, "x0 %" PRIu64, f->cpu.x[0]);
    CHECK(slow_ways() - before < LOOKUPS_MAX, "%" PRIu64, slow_ways() - before);
}

static struct jit_block *valid_block(uint64_t gpa)
{
    struct jit_cache *c = atomic_load(&jit->cache);

    for (unsigned i = c->block_n; i-- > 0;) {
        if (c->block[i].gpa == gpa && c->block[i].valid && !c->block[i].of) {
            return &c->block[i];
        }
    }
    return NULL;
}

/* Code changes again and again: what leads to the first translation is one jump away from the last
 * (two where a region is). */
static void test_changes_often(void)
{
    const uint8_t *at = NULL;
    struct jit_block *b;
    unsigned jumps_n = 0;
    int32_t d;

    for (unsigned n = 1; n <= 100; n++) {
        put_loop(4, 9, n);
        run_turns(at_page(4), 50);
        CHECK(f->cpu.x[0] == 50 * n, "x0 %" PRIu64, f->cpu.x[0]);
        b = valid_block(at_page(9));
        if (b && !at) {
            at = jit_way_in(b);
        }
    }
    CHECK(at && b, "no translation");
    for (; at && b && at != b->entry && *at == 0xe9; at += 5 + d, jumps_n++) {
        memcpy(&d, at + 1, 4);
    }
    CHECK(at && b && at == b->entry && jumps_n <= 2, "%u jumps", jumps_n);
}

/* There are no more numbers for pairs of pages: the cache begins anew, once. */
static void test_numbers(void)
{
    struct jit_stats before, after;

    jit_stats(jit, &before);
    put_loop(6, 11, 3);
    atomic_load(&jit->cache)->pair_n = A64_TLB_LINKS - 1;
    run_turns(at_page(6), 1000);
    jit_stats(jit, &after);
    CHECK(f->cpu.x[0] == 3000 && f->cpu.pc == at_page(11) + 16, "x0 %" PRIu64, f->cpu.x[0]);
    CHECK(after.flushes == before.flushes + 1 &&
          after.lookups - before.lookups < 2 * LOOKUPS_MAX, "%" PRIu64 " flushes, %" PRIu64,
          after.flushes - before.flushes, after.lookups - before.lookups);
}

/* ---- the target's address gets other memory ---- */
static unsigned drop_kind;

static void drop_links(void)
{
    struct a64_tlb *t = f->cpu.tlb;

    switch (drop_kind) {
    case 0: a64_tlb_drop_va(t, at_page(3), 1, 0, true); break;
    case 1: a64_tlb_drop_va(t, at_page(3), 1, 0, false); break;
    case 2: a64_tlb_drop_va(t, at_page(0), 8, 0, true); break;
    case 3: a64_tlb_drop_va(t, 0, UINT64_C(1) << 20, 0, true); break;
    case 4: a64_tlb_drop_asid(t, 0); break;
    default: a64_tlb_drop_all(t); break;
    }
}

static void remap(void)
{
    if (++device_n == 30) {
        map(TABLES, 3, 5, 0);
        drop_links();
    }
}

static void test_remapped(void)
{
    put_loop(2, 3, 1);
    PUT(PAGES + 5 * 4096, ADD_X0(100), SUBS_X1, B_NE(-PAGE_WORDS - 2), WFI);
    on_device = remap;
    for (drop_kind = 0; drop_kind < 6; drop_kind++) {
        map_all();
        run_turns(at_page(2), 100);
        CHECK(f->cpu.x[0] == 29 + 71 * 100, "kind %u: x0 %" PRIu64, drop_kind, f->cpu.x[0]);
    }
    on_device = NULL;
    map_all();
}

/* The guest does it itself: descriptor x6 to x7, TLBI VAE1 x8, from the turn x2 on. */
static void test_guest_remaps(void)
{
    static const uint32_t tlbi[] = { 0xd5088728, 0xd5088328, 0xd5088768, 0xd50887a8, 0xd508871f };
    uint64_t *x = f->cpu.x;

    put_loop(2, 3, 1);
    PUT(PAGES + 5 * 4096, ADD_X0(100), SUBS_X1, B_NE(-PAGE_WORDS - 2), WFI);
    for (unsigned i = 0; i < 5; i++) {
        PUT(PAGES + 2 * 4096, 0xeb02003f,       /* cmp x1, x2 */
            B_NE(6),
            STR(6, 7), 0xd5033a9f,              /* dsb ishst */
            tlbi[i], 0xd5033b9f, ISB,
            B(PAGE_WORDS - 7));
        map_all();
        x[2] = 60;
        x[6] = at_page(5) | 0x707;
        x[7] = FLAT_RAM + TABLES + 0x2000 + 3 * 8;
        x[8] = at_page(3) >> 12;
        run_turns(at_page(2), 100);
        CHECK(x[0] == 40 + 60 * 100, "%u: x0 %" PRIu64, i, x[0]);
    }
    map_all();
}

/* The page of the jump goes, and what is there instead jumps elsewhere. */
static void other_source(void)
{
    if (++device_n == 30) {
        map(TABLES, 2, 6, 0);
        a64_tlb_drop_va(f->cpu.tlb, at_page(2), 1, 0, true);
    }
}

static void test_source_remapped(void)
{
    put_loop(2, 3, 1);
    PUT(PAGES + 6 * 4096, STR(1, 5), B(5 * PAGE_WORDS - 1));
    PUT(PAGES + 7 * 4096, ADD_X0(100), SUBS_X1, B_NE(-5 * PAGE_WORDS - 2), WFI);
    on_device = other_source;
    run_turns(at_page(2), 100);
    on_device = NULL;
    /* One more turn by the old code. */
    CHECK(f->cpu.x[0] == 30 + 70 * 100, "x0 %" PRIu64, f->cpu.x[0]);
    map_all();
}

/* ---- the same code in front of different neighbours ---- */

static void test_neighbours(void)
{
    put_loop(2, 3, 1);
    PUT(PAGES + 5 * 4096, ADD_X0(100), SUBS_X1, B_NE(-PAGE_WORDS - 2), WFI);
    map(TABLES, 8, 2, 0);               /* followed by 5 */
    map(TABLES, 9, 5, 0);
    map(TABLES, 11, 2, 0);              /* followed by 3, as it is itself */
    map(TABLES, 12, 3, 0);
    a64_tlb_drop_all(f->cpu.tlb);
    for (unsigned turn = 0; turn < 9; turn++) {
        static const uint8_t at[] = { 2, 8, 11 };
        unsigned i = at[turn % 3];
        run_turns(at_page(i), 50);
        CHECK(f->cpu.x[0] == (i == 8 ? 5000 : 50) && f->cpu.pc == at_page(i + 1) + 16,
              "turn %u: x0 %" PRIu64 ", pc %" PRIx64, turn, f->cpu.x[0], f->cpu.pc);
    }
    map_all();
}

/* Tables in which page 3 has the memory of page 5. */
static void second_tables(void)
{
    memcpy(flat_word(f, FLAT_RAM + TABLES_B), flat_word(f, FLAT_RAM + TABLES), 0x3000);
    *flat_dword(f, FLAT_RAM + TABLES_B + 8) = (FLAT_RAM + TABLES_B + 0x1000) | 3;
    *flat_dword(f, FLAT_RAM + TABLES_B + 0x1008) = (FLAT_RAM + TABLES_B + 0x2000) | 3;
    map(TABLES_B, 3, 5, 0);
}

static void context(struct a64_cpu *c, bool second)
{
    c->ttbr0_el1 = (FLAT_RAM + (second ? TABLES_B : TABLES)) | (uint64_t)(7 + second) << 48;
    a64_regime_update(c);
}

static void user_pages(uint32_t tables)
{
    for (unsigned i = 2; i < 4; i++) {
        *entry_of(tables, i) |= 1 << 11 | 1 << 6;       /* nG, for EL0 */
    }
}

static void test_contexts(bool at_el0)
{
    struct a64_cpu *c = &f->cpu;

    put_loop(2, 3, 1);
    PUT(PAGES + 2 * 4096, NOP, B(PAGE_WORDS - 1));
    PUT(PAGES + 3 * 4096 + 12, at_el0 ? SVC : WFI);
    PUT(PAGES + 5 * 4096, ADD_X0(100), SUBS_X1, B_NE(-PAGE_WORDS - 2), at_el0 ? SVC : WFI);
    second_tables();
    if (at_el0) {
        user_pages(TABLES);
        user_pages(TABLES_B);
    }
    a64_tlb_drop_all(c->tlb);
    for (unsigned turn = 0; turn < 10; turn++) {
        context(c, turn % 2);
        c->x[0] = 0;
        c->x[1] = 50;
        c->poll = 0;
        c->spsr_el1 = at_el0 ? 0 : 0x3c5;
        a64_exception_return(c, at_page(2));
        jit_run(jit, c);
        CHECK(c->x[0] == (turn % 2 ? 5000 : 50), "el%u, turn %u: x0 %" PRIu64, !at_el0, turn,
              c->x[0]);
        CHECK(c->el == 1 && (!at_el0 || c->elr_el1 == at_page(3) + 16));
    }
    context(c, false);
    map_all();
}

/* ---- the target's code changes; the code cache goes ---- */

static void change_target(void)
{
    if (++device_n == 30) {
        PUT(PAGES + 3 * 4096, ADD_X0(100));
    }
}

static void test_code_changes(bool barrier)
{
    uint64_t *x = f->cpu.x, before;

    put_loop(2, 3, 1);
    if (barrier) {
        PUT(PAGES + 2 * 4096, STR(1, 5), ISB, B(PAGE_WORDS - 2));
    }
    on_device = change_target;
    run_turns(at_page(2), 100);
    on_device = NULL;
    /* Without a barrier a region may go on with the old code. */
    CHECK(x[0] == 29 + 71 * 100 || (!barrier && x[0] >= 100 && x[0] < 29 + 71 * 100),
          "x0 %" PRIu64, x[0]);
    before = slow_ways();
    run_turns(at_page(2), 1000);
    CHECK(x[0] == 100000);
    CHECK(slow_ways() - before < LOOKUPS_MAX, "old jumps find new code: %" PRIu64,
          slow_ways() - before);
}

/* By the jump cache, with each type of branch. */
static void test_code_changes_behind(void)
{
    uint64_t *x = f->cpu.x, before;

    for (unsigned i = 0; i < 3; i++) {
        PUT(PAGES + 2 * 4096, STR(1, 5), i == 0 ? BR(10) : i == 1 ? BLR(10) : RET(10));
        PUT(PAGES + 3 * 4096, ADD_X0(1), SUBS_X1, B_NE(-PAGE_WORDS - 2), WFI);
        x[10] = at_page(3);
        on_device = change_target;
        run_turns(at_page(2), 100);
        on_device = NULL;
        CHECK(x[0] == 29 + 71 * 100, "x0 %" PRIu64, x[0]);
        before = slow_ways();
        run_turns(at_page(2), 1000);
        CHECK(x[0] == 100000);
        CHECK(slow_ways() - before < LOOKUPS_MAX, "way %u: %" PRIu64, i, slow_ways() - before);
    }
}

static void flush_twice(void)
{
    ++device_n;
    for (unsigned i = 0; i < 2 && device_n % 10 == 0; i++) {
        jit_flush(jit);
    }
}

static void test_flush(void)
{
    put_loop(2, 3, 1);
    on_device = flush_twice;
    run_turns(at_page(2), 100);
    on_device = NULL;
    CHECK(f->cpu.x[0] == 100 && f->cpu.pc == at_page(3) + 16, "x0 %" PRIu64, f->cpu.x[0]);
}

/* The cache goes while code is fetched for a translation, which must not be published in it. */
static bool flush_at_fetch;

static enum a64_bus_result fetch(void *ctx, uint64_t gpa, enum a64_access access,
                                 void (*install)(void *arg, void *host), void *arg, bool *is_ram)
{
    if (flush_at_fetch && access == A64_EXEC) {
        flush_at_fetch = false;
        jit_flush(jit);
    }
    return flat_ram_page(ctx, gpa, access, install, arg, is_ram);
}

static void test_flush_at_fetch(void)
{
    PUT(PAGES + 2 * 4096, STR(1, 5), ISB, ADD_X0(1), SUBS_X1, B_EQ(2), BR(10), WFI);
    a64_tlb_drop_all(f->cpu.tlb);
    f->cpu.bus.ram_page = fetch;
    flush_at_fetch = true;
    run_turns(at_page(2), 1);
    CHECK(!flush_at_fetch && f->cpu.x[0] == 1);
    f->cpu.bus.ram_page = flat_ram_page;
}

/* ---- ways out of a circle of pages ---- */

static void ask(void)
{
    if (++device_n == 50) {
        f->cpu.poll |= 8;
    }
}

/* Forward through all pages, and back in many ways: whoever asks is heard before the next turn. */
static void test_polls(void)
{
    enum { LAST = 13 };
    const int back = -(LAST - 1) * PAGE_WORDS;
    const uint32_t way[][2] = {
        { B(back), NOP }, { B_NE(back), NOP }, { CBNZ_X1(back), NOP }, { TBZ_X2(-1024 * 7), NOP },
        { BL(back), NOP }, { BR(10), NOP }, { BLR(10), NOP }, { RET(10), NOP },
    };

    for (unsigned i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
        unsigned first = i == 3 ? LAST - 7 : 1;
        for (unsigned p = 1; p < LAST; p++) {
            PUT(PAGES + p * 4096, B(PAGE_WORDS));
        }
        PUT(PAGES + first * 4096, STR(1, 5), SUBS_X1, B_EQ(2), B(PAGE_WORDS - 3), WFI);
        PUT(PAGES + LAST * 4096, way[i][0], way[i][1], WFI);
        on_device = ask;
        f->cpu.x[2] = 0;
        f->cpu.x[10] = at_page(first);
        run_turns(at_page(first), 200);
        on_device = NULL;
        CHECK(device_n <= 51 && f->cpu.poll == 8, "way %u: %u turns", i, device_n);
        run(f->cpu.pc);
        CHECK(f->cpu.x[1] == 0 && f->cpu.pc == at_page(first) + 20, "goes on");
    }
}

/* A chain that only goes forward never takes longer than its pages: one memory at all addresses. */
static void test_forward_only(void)
{
    PUT(PAGES + 1 * 4096, ADD_X0(1), B(PAGE_WORDS - 1));
    PUT(PAGES + 14 * 4096, WFI);
    for (unsigned i = 1; i < 14; i++) {
        map(TABLES, i, 1, 0);
    }
    a64_tlb_drop_all(f->cpu.tlb);
    for (unsigned turn = 0; turn < 3; turn++) {
        run_turns(at_page(1), 1);
        CHECK(f->cpu.x[0] == 13 && f->cpu.pc == at_page(14) + 4, "x0 %" PRIu64, f->cpu.x[0]);
    }
    map_all();
}

/* ---- conditional branches to another page ---- */
static void test_conditions(void)
{
    uint64_t *x = f->cpu.x;

    for (unsigned end = 0; end < 2; end++) {
        uint32_t at = PAGES + 2 * 4096 + (end ? 4096 - 16 : 0);
        int d = (int)(PAGES + 4 * 4096 - at) / 4;
        /* x2 counts turns; each way is taken every other time. */
        PUT(at, 0x91000442,                     /* add x2, x2, #1 */
            0xf240005f,                         /* tst x2, #1 */
            NOP, B_NE(d - 3));
        PUT(at + 16, ADD_X0(1), TBZ_X2(d - 5), B(d - 6));
        PUT(PAGES + 4 * 4096, ADD_X0(16), SUBS_X1, CBNZ_X1(-d - 2), WFI);
        x[2] = 0;
        run_turns(FLAT_RAM + at, 100);
        CHECK(x[0] == 1650 && x[2] == 100, "x0 %" PRIu64, x[0]);
    }
}

/* ---- VA 0, and the last page ---- */
static void test_ends(void)
{
    uint64_t l1 = FLAT_RAM + TABLES, z = FLAT_RAM + TABLES_0, first = *flat_dword(f, l1), before;

    *flat_dword(f, l1) = *flat_dword(f, l1 + 511 * 8) = z | 3;
    *flat_dword(f, z) = *flat_dword(f, z + 511 * 8) = (z + 0x1000) | 3;
    *flat_dword(f, z + 0x1000) = at_page(2) | 0x707;
    *flat_dword(f, z + 0x1008) = at_page(3) | 0x707;
    *flat_dword(f, z + 0x1000 + 511 * 8) = at_page(4) | 0x707;
    a64_tlb_drop_all(f->cpu.tlb);
    PUT(PAGES + 2 * 4096, ADD_X0(1), B(PAGE_WORDS - 1));
    PUT(PAGES + 3 * 4096, SUBS_X1, B_EQ(2), B(-PAGE_WORDS - 4), WFI);
    PUT(PAGES + 4 * 4096 + 4096 - 8, ADD_X0(64), NOP);
    before = slow_ways();
    for (unsigned turn = 0; turn < 3; turn++) {
        run_turns(0, 100);
        CHECK(f->cpu.x[0] == 100 + 99 * 64 && f->cpu.pc == 0x1010, "x0 %" PRIu64 ", pc %" PRIx64,
              f->cpu.x[0], f->cpu.pc);
    }
    CHECK(slow_ways() - before < LOOKUPS_MAX, "%" PRIu64, slow_ways() - before);
    *flat_dword(f, l1) = first;
    *flat_dword(f, l1 + 511 * 8) = 0;
    a64_tlb_drop_all(f->cpu.tlb);
}

/* ---- guarded pages ---- */

/* The PE has not seen one. */
static void unguarded(void)
{
    map_all();
    f->cpu.jit_bti = false;
    f->cpu.sctlr_el1 |= SCTLR_BT1;
    f->cpu.esr_el1 = 0;
    f->cpu.btype = 0;
}

static void test_first_guarded(void)
{
    const struct {
        uint32_t branch, target;
        bool is_bad;
    } way[] = {
        { BR(10), ADD_X0(1), true }, { BLR(10), ADD_X0(1), true }, { RET(10), ADD_X0(1), false },
        { B(PAGE_WORDS - 1), ADD_X0(1), false }, { BL(PAGE_WORDS - 1), ADD_X0(1), false },
        { CBNZ_X1(PAGE_WORDS - 1), ADD_X0(1), false },
        { BR(10), BTI_J, false }, { BR(10), BTI_C, false }, { BLR(10), BTI_C, false },
        { BLR(10), BTI_J, true }, { BR(16), BTI_C, false },
    };
    uint64_t *x = f->cpu.x;

    for (unsigned i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
        for (unsigned before = 0; before < 2; before++) {
            PUT(PAGES + 2 * 4096, NOP, way[i].branch);
            PUT(PAGES + 3 * 4096, way[i].target, ADD_X0(2), WFI);
            unguarded();
            x[10] = x[16] = at_page(3);
            if (before) {                       /* the branch is linked, and in the jump cache */
                run_turns(at_page(2), 1);
                run_turns(at_page(2), 1);
                CHECK(f->cpu.esr_el1 == 0);
            }
            map(TABLES, 3, 3, GP);
            a64_tlb_drop_va(f->cpu.tlb, at_page(3), 1, 0, true);
            for (unsigned turn = 0; turn < 3; turn++) {
                f->cpu.esr_el1 = 0;
                run_turns(at_page(2), 1);
                CHECK(f->cpu.esr_el1 >> 26 == (way[i].is_bad ? A64_EC_BTI : 0) &&
                      (way[i].is_bad ? x[0] == 0 && f->cpu.elr_el1 == at_page(3) : x[0] >= 2),
                      "way %u, turn %u: esr %" PRIx64 " x0 %" PRIu64, i, turn,
                      (uint64_t)f->cpu.esr_el1, x[0]);
            }
        }
    }
    map_all();
}

/* A branch that has been found good goes to an instruction that is none for it any more. */
static void test_guarded_changes(void)
{
    for (unsigned i = 0; i < 2; i++) {
        PUT(PAGES + 2 * 4096, NOP, i ? BLR(10) : BR(10));
        PUT(PAGES + 3 * 4096, i ? BTI_C : BTI_J, ADD_X0(2), WFI);
        unguarded();
        map(TABLES, 3, 3, GP);
        a64_tlb_drop_all(f->cpu.tlb);
        f->cpu.x[10] = at_page(3);
        for (unsigned turn = 0; turn < 8; turn++) {
            bool is_bad = turn / 2 % 2;
            if (turn % 2 == 0) {
                PUT(PAGES + 3 * 4096, is_bad ? ADD_X0(1) : i ? BTI_C : BTI_J);
            }
            f->cpu.esr_el1 = 0;
            run(at_page(3));                    /* as after RET */
            CHECK(f->cpu.esr_el1 == 0);
            run_turns(at_page(2), 1);
            CHECK(f->cpu.esr_el1 >> 26 == (is_bad ? A64_EC_BTI : 0) &&
                  f->cpu.x[0] == (is_bad ? 0 : 2), "BL %u, turn %u: esr %" PRIx64, i, turn,
                  (uint64_t)f->cpu.esr_el1);
        }
    }
    map_all();
}

/* What is left of BR, where BTYPE is not kept, is not what comes to the first guarded page. */
static void test_guarded_later(void)
{
    PUT(PAGES + 2 * 4096, NOP, BR(10));
    PUT(PAGES + 3 * 4096, ADD_X0(1), B(PAGE_WORDS - 1));
    PUT(PAGES + 4 * 4096, ADD_X0(2), WFI);
    unguarded();
    map(TABLES, 4, 4, GP);
    a64_tlb_drop_all(f->cpu.tlb);
    f->cpu.x[10] = at_page(3);
    for (unsigned turn = 0; turn < 3; turn++) {
        run_turns(at_page(2), 1);
        CHECK(f->cpu.esr_el1 == 0 && f->cpu.x[0] == 3, "turn %u: esr %" PRIx64, turn,
              (uint64_t)f->cpu.esr_el1);
    }
    map_all();
}

/* The head of a region is gone to by BR; what comes behind it is no target of that. */
static void test_guarded_region(void)
{
    uint64_t *x = f->cpu.x;

    unguarded();
    map(TABLES, 3, 3, GP);
    map(TABLES, 4, 4, GP);
    PUT(PAGES + 2 * 4096, MOVZ(1, 20), BR(10));
    PUT(PAGES + 3 * 4096, BTI_J, ADD_X0(1), SUBS_X1, B_EQ(PAGE_WORDS - 3), B(-4));
    PUT(PAGES + 4 * 4096, 0xd1000529,           /* sub x9, x9, #1 */
        0xb5000009 | ((uint32_t)(-2 * PAGE_WORDS - 1) & 0x7ffff) << 5, WFI);
    a64_tlb_drop_all(f->cpu.tlb);
    x[9] = 30;
    x[10] = at_page(3);
    f->cpu.esr_el1 = 0;
    run_turns(at_page(2), 1);
    CHECK(f->cpu.esr_el1 == 0 && x[0] == 600, "esr %" PRIx64 " x0 %" PRIu64,
          (uint64_t)f->cpu.esr_el1, x[0]);
    PUT(PAGES + 4 * 4096, ADD_X0(0), WFI);      /* gone to for the first time, from the region */
    a64_tlb_drop_all(f->cpu.tlb);
    run_turns(at_page(2), 1);
    CHECK(f->cpu.esr_el1 == 0 && x[0] == 20, "esr %" PRIx64 " x0 %" PRIu64,
          (uint64_t)f->cpu.esr_el1, x[0]);
    map_all();
}

/* ---- several vCPUs, the same code, two kinds of neighbours ---- */
enum { RACERS = 4, RACE_TURNS = 10000000 };

struct racer {
    struct flat *f;
    volatile bool done;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct a64_cpu *c = &r->f->cpu;

    c->x[0] = 0;
    c->x[1] = RACE_TURNS;
    c->pc = at_page(2);
    c->el = 1;
    c->poll = 0;
    jit_run(jit, c);
    r->done = true;
    return NULL;
}

/* The code that jumps and where it jumps to go away, and so are linked anew. */
static void *disturb(void *arg)
{
    struct racer *r = arg;
    unsigned running = RACERS;

    for (unsigned i = 0; running && i < 20000; i++) {
        struct timespec t = { .tv_nsec = 10000 };
        if (i % 64) {
            jit_invalidate_page(jit, at_page(i % 3 == 0 ? 5 : i % 3 + 1));
        } else {
            jit_flush(jit);
        }
        nanosleep(&t, NULL);
        running = 0;
        for (unsigned k = 0; k < RACERS; k++) {
            running += !r[k].done;
        }
    }
    return NULL;
}

static struct flat *another(void)
{
    struct flat *g = flat_new("max");

    free(g->ram);
    g->ram = f->ram;
    registers(g);
    return g;
}

static void test_many_cpus(void)
{
    struct racer r[RACERS] = { { .f = f } };
    pthread_t thread[RACERS + 1];

    PUT(PAGES + 2 * 4096, NOP, B(PAGE_WORDS - 1));
    PUT(PAGES + 3 * 4096, ADD_X0(1), SUBS_X1, B_NE(-PAGE_WORDS - 2), WFI);
    PUT(PAGES + 5 * 4096, ADD_X0(3), SUBS_X1, B_NE(-PAGE_WORDS - 2), WFI);
    second_tables();
    for (unsigned i = 0; i < RACERS; i++) {
        r[i].f = i ? another() : f;
        context(&r[i].f->cpu, i % 2);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        pthread_create(&thread[i], NULL, race, &r[i]);
    }
    pthread_create(&thread[RACERS], NULL, disturb, r);
    for (unsigned i = 0; i <= RACERS; i++) {
        pthread_join(thread[i], NULL);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        CHECK(r[i].f->cpu.x[0] == RACE_TURNS * (i % 2 ? 3 : 1), "vCPU %u: x0 %" PRIu64, i,
              r[i].f->cpu.x[0]);
        if (i) {
            jit_cpu_free(&r[i].f->cpu);
            r[i].f->ram = NULL;
            flat_free(r[i].f);
        }
    }
}

static void all(void)
{
    machine();
    test_pages();
    test_changes_often();
    test_numbers();
    test_remapped();
    test_guest_remaps();
    test_source_remapped();
    test_neighbours();
    test_contexts(false);
    test_contexts(true);
    test_code_changes(true);
    test_code_changes(false);
    test_code_changes_behind();
    test_flush();
    test_flush_at_fetch();
    test_polls();
    test_forward_only();
    test_conditions();
    test_ends();
    test_first_guarded();
    test_guarded_changes();
    test_guarded_later();
    test_guarded_region();
    test_many_cpus();
    jit_cpu_free(&f->cpu);
    flat_free(f);
}

int main(void)
{
    static const struct jit_options kind[] = {
        { .hot_runs = JIT_NEVER_HOT }, { .hot_runs = 2, .regions_sync = true }, { .hot_runs = 2 },
    };

    for (unsigned i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
        unsigned failed = check_failed_n;
        jit = jit_new(&kind[i], NULL);
        if (!jit) {
            return 77;                  /* skipped: the host cannot */
        }
        all();
        jit_free(jit);
        if (check_failed_n != failed) {
            fprintf(stderr, "(kind %u)\n", i);
        }
    }
    return check_result();
}
