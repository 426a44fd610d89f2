/* SPDX-License-Identifier: Apache-2.0 */
/* Regions through calls and returns, and over several pages: that they are made, that they compute
 * what the code says, and that they notice when a page of theirs is another one. */
#include "jit_machine.h"

#include "isa/a64/esr.h"
#include "isa/a64/sysbits.h"

#define BL(words) (0x94000000u | ((uint32_t)(words) & 0x3ffffff))
#define CBZ_X2(words) (0xb4000002u | ((uint32_t)(words) & 0x7ffff) << 5)
#define CBNZ_X2(words) (0xb5000002u | ((uint32_t)(words) & 0x7ffff) << 5)
#define RET 0xd65f03c0u
#define NOP 0xd503201fu
#define PUSH 0xa9bf7bfdu                /* stp x29, x30, [sp, #-16]! */
#define POP 0xa8c17bfdu                 /* ldp x29, x30, [sp], #16 */
#define MOV_X2_X1 0xaa0103e2u
#define SUB_X2 0xd1000442u              /* sub x2, x2, #1 */
#define TST_X1_15 0xf2400c3fu           /* tst x1, #15 */
#define PAGE_WORDS 1024
#define STACK (FLAT_RAM + 0x30000)

/* From word `at` of page `page` of the memory by pages. */
static uint32_t place(unsigned page, unsigned at)
{
    return PAGES + page * 4096 + at * 4;
}

/* Branch offset in words. */
static int to(unsigned from_page, unsigned from, unsigned page, unsigned at)
{
    return ((int)page - (int)from_page) * PAGE_WORDS + (int)at - (int)from;
}

static struct jit_stats stats(void)
{
    struct jit_stats s;

    jit_stats(jit, &s);
    return s;
}

static void start(uint64_t turns)
{
    memset(f->cpu.x, 0, sizeof(f->cpu.x));
    f->cpu.x[1] = turns;
    f->cpu.sp = STACK;
    f->cpu.vbar_el1 = FLAT_RAM + VECTORS;
}

static void run_at(unsigned page, unsigned at)
{
    run(FLAT_RAM + place(page, at));
}

/* Is there one of at least so many instructions more than before? */
static bool made(const struct jit_stats *before, unsigned insns)
{
    struct jit_stats now = stats();

    return now.regions > before->regions && now.region_insns >= before->region_insns + insns;
}

/* ---- calls ---- */
/* Page 0 calls page 1 twice a turn; that calls page 2. */
static void put_nested(unsigned add)
{
    PUT(place(0, 0), BL(to(0, 0, 1, 8)), ADD_X0(1), BL(to(0, 2, 1, 8)), SUBS_X1, B_NE(-4), WFI);
    PUT(place(1, 8), PUSH, ADD_X0(2), BL(to(1, 10, 2, 100)), POP, RET);
    PUT(place(2, 100), ADD_X0(add), RET);
}

static void test_nested(void)
{
    struct jit_stats before = stats(), middle;

    put_nested(16);
    start(300);
    run_at(0, 0);
    CHECK(f->cpu.x[0] == 300 * (1 + 2 * 18) && f->cpu.sp == STACK, "x0 %" PRIu64, f->cpu.x[0]);
    CHECK(made(&before, 12), "a region of all three pages: %" PRIu64,
          stats().region_insns - before.region_insns);
    /* Nothing is left to look up then. */
    start(100);
    run_at(0, 0);
    middle = stats();
    start(1000);
    run_at(0, 0);
    CHECK(f->cpu.x[0] == 1000 * 37 && stats().lookups - middle.lookups < 40, "%" PRIu64,
          stats().lookups - middle.lookups);
}

/* The code of a page that is called changes. */
static void test_callee_changes(void)
{
    for (unsigned add = 3; add < 8; add++) {
        put_nested(add);
        start(200);
        run_at(0, 0);
        CHECK(f->cpu.x[0] == 200 * (1 + 2 * (2 + add)), "x0 %" PRIu64, f->cpu.x[0]);
        PUT(place(2, 100), ADD_X0(100 + add), RET);
        start(200);
        run_at(0, 0);
        CHECK(f->cpu.x[0] == 200 * (1 + 2 * (102 + add)), "x0 %" PRIu64, f->cpu.x[0]);
    }
}

/* Other memory at the address of what is called; and then as it was. */
static void test_remapped_callee(void)
{
    put_nested(16);
    PUT(place(5, 100), ADD_X0(50), RET);
    for (unsigned turn = 0; turn < 6; turn++) {
        *page_entry(2) = (FLAT_RAM + place(turn & 1 ? 5 : 2, 0)) | 0x707;
        a64_tlb_drop_va(f->cpu.tlb, FLAT_RAM + place(2, 0), 1, 0, true);
        start(200);
        run_at(0, 0);
        CHECK(f->cpu.x[0] == 200 * (1 + 2 * (2 + (turn & 1 ? 50 : 16))), "turn %u: x0 %" PRIu64,
              turn, f->cpu.x[0]);
    }
    *page_entry(2) = (FLAT_RAM + place(2, 0)) | 0x707;
    a64_tlb_drop_all(f->cpu.tlb);
}

/* Now and then the function returns elsewhere. */
static void test_other_return(void)
{
    PUT(place(0, 0), BL(to(0, 0, 1, 0)), ADD_X0(1), ADD_X0(256), SUBS_X1, B_NE(-4), WFI);
    PUT(place(1, 0), TST_X1_15, B_NE(2), 0x910013de /* add x30, x30, #4 */, RET);
    start(320);
    run_at(0, 0);
    CHECK(f->cpu.x[0] == 320 * 257 - 20, "x0 %" PRIu64, f->cpu.x[0]);
}

/* sum(n) = n + sum(n - 1), from page 1 by way of page 2. */
static void test_recursion(void)
{
    struct jit_stats before = stats();

    PUT(place(0, 0), 0xd2800142 /* mov x2, #10 */, BL(to(0, 1, 1, 0)), SUBS_X1, B_NE(-3), WFI);
    PUT(place(1, 0), CBZ_X2(7), PUSH, 0x8b020000 /* add x0, x0, x2 */, SUB_X2,
        BL(to(1, 4, 2, 0)), POP, RET, RET);
    PUT(place(2, 0), B(to(2, 0, 1, 0)));
    start(500);
    run_at(0, 0);
    CHECK(f->cpu.x[0] == 500 * 55 && f->cpu.sp == STACK, "x0 %" PRIu64, f->cpu.x[0]);
    CHECK(made(&before, 10), "regions");
}

/* A function that is too much for a region: the loop is made without it. */
static void test_large_function(void)
{
    struct jit_stats before = stats();
    unsigned n;

    PUT(place(0, 0), TST_X1_15, B_NE(2), BL(to(0, 2, 1, 0)), ADD_X0(1), SUBS_X1, B_NE(-5), WFI);
    for (n = 0; n < 240; n += 2) {
        PUT(place(1, n), CBZ_X2(2), NOP);
    }
    PUT(place(1, n), ADD_X0(100), RET);
    start(320);
    run_at(0, 0);
    CHECK(f->cpu.x[0] == 320 + 20 * 100, "x0 %" PRIu64, f->cpu.x[0]);
    CHECK(made(&before, 4), "a region without the function");
}

/* ---- loops over the end of a page ---- */
static void test_over_end(void)
{
    struct jit_stats before = stats();

    PUT(place(3, 1022), ADD_X0(1), ADD_X0(2));
    PUT(place(4, 0), ADD_X0(4), SUBS_X1, B_NE(to(4, 2, 3, 1022)), WFI);
    start(400);
    run_at(3, 1022);
    CHECK(f->cpu.x[0] == 400 * 7, "x0 %" PRIu64, f->cpu.x[0]);
    CHECK(made(&before, 5), "a hot branch to another page");
    /* A condition at the very end, and branches to both sides. */
    before = stats();
    PUT(place(3, 1021), SUBS_X1, 0x54000040u /* b.eq +2 */, B_NE(to(3, 1023, 3, 1000)));
    PUT(place(3, 1000), ADD_X0(1), B(to(3, 1001, 4, 500)));
    PUT(place(4, 500), ADD_X0(8), B(to(4, 501, 3, 1021)));
    PUT(place(4, 0), WFI);
    start(400);
    run_at(3, 1000);
    CHECK(f->cpu.x[0] == 400 * 9 && f->cpu.pc == FLAT_RAM + place(4, 1), "x0 %" PRIu64,
          f->cpu.x[0]);
}

/* ---- exceptions and safepoints in a function ---- */
/* It walks into a page that is not there. */
static void test_fault(void)
{
    uint64_t *x = f->cpu.x;

    PUT(place(0, 0), BL(to(0, 0, 1, 0)), SUBS_X1, B_NE(-2), WFI);
    PUT(place(1, 0), ADD_X0(1), NOP, 0xf8008465 /* str x5, [x3], #8 */, ADD_X0(1), RET);
    start(2000);
    x[3] = FLAT_RAM + place(14, 0);
    x[5] = 5;
    run_at(0, 0);
    CHECK(x[0] == 512 * 2 + 1 && x[1] == 2000 - 512 && x[3] == FLAT_RAM + place(15, 0) &&
          f->cpu.elr_el1 == FLAT_RAM + place(1, 2) && f->cpu.far_el1 == FLAT_RAM + place(15, 0) &&
          x[30] == FLAT_RAM + place(0, 1),
          "x0 %" PRIu64 " elr %" PRIx64, x[0], f->cpu.elr_el1);
}

static void kick(void)
{
    if (f->cpu.x[1] == 100) {
        f->cpu.poll |= 8;
    }
}

/* A loop in the function is left at its poll. */
static void test_poll(void)
{
    PUT(place(0, 0), BL(to(0, 0, 1, 0)), SUBS_X1, B_NE(-2), WFI);
    PUT(place(1, 0), MOVZ(2, 20), STR(1, 5), ADD_X0(1), SUB_X2, CBNZ_X2(-3), RET);
    start(300);
    on_device = kick;
    run_at(0, 0);
    on_device = NULL;
    CHECK(f->cpu.poll == 8 && f->cpu.x[1] == 100 && f->cpu.pc == FLAT_RAM + place(1, 1) &&
          f->cpu.x[0] == 200 * 20 + 1, "pc %" PRIx64 " x0 %" PRIu64, f->cpu.pc, f->cpu.x[0]);
    run(f->cpu.pc);
    CHECK(f->cpu.x[0] == 300 * 20, "x0 %" PRIu64, f->cpu.x[0]);
}

static void all(bool sync)
{
    if (sync) {
        test_nested();
        test_recursion();
        test_large_function();
        test_over_end();
    }
    test_callee_changes();
    test_remapped_callee();
    test_other_return();
    test_fault();
    test_poll();
}

int main(void)
{
    return run_kinds(all);
}
