/* SPDX-License-Identifier: Apache-2.0 */
/* The software TLB: what must survive a change of context and what must not. */
#include "isa/a64/tlb.h"

#include "base/base.h"

#include "../check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define KVA UINT64_C(0xffff800010000000)
#define UVA UINT64_C(0x0000aaaab0007000)

static char page[4096];

static void put(struct a64_tlb *t, uint64_t va, uint64_t gpa, enum a64_tlb_table table,
                unsigned size_log2, bool global, bool user)
{
    a64_tlb_install(t, &(struct a64_tlb_fill){ .va = va, .gpa = gpa, .size_log2 = size_log2,
                    .global = global, .user = user, .table = table }, page);
}

static bool hit(struct a64_tlb *t, uint64_t va, enum a64_tlb_table table)
{
    return a64_tlb_find(t->cur, va, 1, table) != NULL;
}

static void test_find(void)
{
    struct a64_tlb *t = a64_tlb_new();

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    CHECK(!hit(t, KVA, A64_TLB_READ));
    put(t, KVA + 0x123, 0x40000123, A64_TLB_READ, 12, true, false);
    CHECK(a64_tlb_find(t->cur, KVA + 8, 8, A64_TLB_READ) == page + 8);
    CHECK(a64_tlb_find(t->cur, KVA + 0xff8, 8, A64_TLB_READ) == page + 0xff8);
    CHECK(!a64_tlb_find(t->cur, KVA + 0xff9, 8, A64_TLB_READ));
    CHECK(!hit(t, KVA, A64_TLB_WRITE));
    CHECK(!hit(t, KVA + ((uint64_t)A64_TLB_N << 12), A64_TLB_READ));
    CHECK(a64_tlb_gpa(t->cur, KVA + 5, A64_TLB_READ) == 0x40000005);
    a64_tlb_install(t, &(struct a64_tlb_fill){ .va = KVA + 0x1000, .gpa = 0x9000000,
                    .size_log2 = 12, .global = true, .table = A64_TLB_WRITE }, NULL);
    uint64_t gpa = 0;
    CHECK(!hit(t, KVA + 0x1000, A64_TLB_WRITE));
    CHECK(a64_tlb_find_mmio(t->cur, KVA + 0x1018, A64_TLB_WRITE, &gpa) && gpa == 0x9000018);
    a64_tlb_free(t);
}

static void test_contexts(void)
{
    struct a64_tlb *t = a64_tlb_new();

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    put(t, KVA, 0x40000000, A64_TLB_READ, 12, true, false);
    put(t, UVA, 0x50000000, A64_TLB_READ, 12, false, true);     /* EL1 with PAN = 0 */
    CHECK(hit(t, UVA, A64_TLB_READ));
    a64_tlb_set_el(t, 1, true);
    CHECK(!hit(t, UVA, A64_TLB_READ) && hit(t, KVA, A64_TLB_READ));
    a64_tlb_set_el(t, 0, true);
    CHECK(!hit(t, KVA, A64_TLB_READ));
    put(t, UVA, 0x50000000, A64_TLB_READ, 12, false, true);
    a64_tlb_set_el(t, 1, true);
    CHECK(hit(t, KVA, A64_TLB_READ) && !hit(t, UVA, A64_TLB_READ));
    CHECK(a64_tlb_find(a64_tlb_unpriv(t), UVA, 8, A64_TLB_READ));
    /* Another process: the kernel stays warm, the user does not leak. */
    a64_tlb_set_regime(t, true, 2, 0x3000, 0x2000);
    CHECK(hit(t, KVA, A64_TLB_READ));
    CHECK(!a64_tlb_find(a64_tlb_unpriv(t), UVA, 8, A64_TLB_READ));
    a64_tlb_set_el(t, 0, false);
    CHECK(!hit(t, UVA, A64_TLB_READ));
    /* Back: warm. */
    a64_tlb_set_el(t, 1, false);
    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    CHECK(a64_tlb_find(a64_tlb_unpriv(t), UVA, 8, A64_TLB_READ));
    a64_tlb_drop_asid(t, 1);
    CHECK(!a64_tlb_find(a64_tlb_unpriv(t), UVA, 8, A64_TLB_READ));
    CHECK(hit(t, KVA, A64_TLB_READ));
    /* Isolated kernel: non-global entries of the upper half belong to an ASID. */
    put(t, KVA + 0x1000, 0x40001000, A64_TLB_READ, 12, false, false);
    CHECK(hit(t, KVA + 0x1000, A64_TLB_READ));
    a64_tlb_set_regime(t, true, 3, 0x1000, 0x2000);
    CHECK(!hit(t, KVA + 0x1000, A64_TLB_READ));
    a64_tlb_free(t);
}

static void test_drops(void)
{
    struct a64_tlb *t = a64_tlb_new();

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    put(t, KVA, 0x40000000, A64_TLB_READ, 12, true, false);
    put(t, KVA + 0x1000, 0x40001000, A64_TLB_READ, 12, true, false);
    a64_tlb_drop_va(t, KVA, 1, 9, false);
    CHECK(!hit(t, KVA, A64_TLB_READ) && hit(t, KVA + 0x1000, A64_TLB_READ));
    /* A block goes as a whole. */
    put(t, KVA + 0x200000, 0x40200000, A64_TLB_READ, 21, true, false);
    put(t, KVA + 0x3ff000, 0x403ff000, A64_TLB_WRITE, 21, true, false);
    put(t, KVA + 0x400000, 0x40400000, A64_TLB_READ, 21, true, false);
    a64_tlb_drop_va(t, KVA + 0x210000, 1, 0, true);
    CHECK(!hit(t, KVA + 0x200000, A64_TLB_READ) && !hit(t, KVA + 0x3ff000, A64_TLB_WRITE));
    CHECK(hit(t, KVA + 0x400000, A64_TLB_READ));
    /* By guest-physical page: every alias, in every set; or the writers only. */
    put(t, KVA + 0x5000, 0x77000, A64_TLB_READ, 12, true, false);
    put(t, KVA + 0x5000, 0x77000, A64_TLB_WRITE, 12, true, false);
    a64_tlb_set_el(t, 0, false);
    put(t, UVA, 0x77000, A64_TLB_READ, 12, false, true);
    put(t, UVA, 0x77000, A64_TLB_WRITE, 12, false, true);
    a64_tlb_drop_gpa(t, 0x77abc, true);
    CHECK(hit(t, UVA, A64_TLB_READ) && !hit(t, UVA, A64_TLB_WRITE));
    a64_tlb_set_el(t, 1, false);
    CHECK(hit(t, KVA + 0x5000, A64_TLB_READ) && !hit(t, KVA + 0x5000, A64_TLB_WRITE));
    a64_tlb_drop_gpa(t, 0x77000, false);
    CHECK(!hit(t, KVA + 0x5000, A64_TLB_READ));
    CHECK(!a64_tlb_find(a64_tlb_unpriv(t), UVA, 1, A64_TLB_READ));
    a64_tlb_drop_all(t);
    CHECK(!hit(t, KVA + 0x1000, A64_TLB_READ));
    a64_tlb_free(t);
}

/* More contexts than sets: the oldest is replaced and comes back empty, never stale. */
static void test_many_contexts(void)
{
    enum { CONTEXTS = 2 * A64_TLB_SETS_MAX };
    struct a64_tlb *t = a64_tlb_new();

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned asid = 1; asid < CONTEXTS; asid++) {
            a64_tlb_set_el(t, 1, false);
            a64_tlb_set_regime(t, true, asid, asid << 12, 0x2000);
            a64_tlb_set_el(t, 0, false);
            if (hit(t, UVA, A64_TLB_READ)) {
                CHECK(a64_tlb_gpa(t->cur, UVA, A64_TLB_READ) == (uint64_t)asid << 12);
            }
            put(t, UVA, (uint64_t)asid << 12, A64_TLB_READ, 12, false, true);
            CHECK(hit(t, UVA, A64_TLB_READ));
        }
    }
    for (unsigned asid = 1; asid < CONTEXTS; asid++) {
        a64_tlb_drop_gpa(t, asid << 12, false);
    }
    for (unsigned i = 0; i < A64_TLB_GPA_BUCKETS; i++) {
        CHECK(!t->bucket[i]);
    }
    CHECK(t->set_n == A64_TLB_SETS_MAX);
    a64_tlb_free(t);
}

/* A kernel whose mappings belong to ASIDs: TLBI of one leaves the other's, global ones go with
 * any, and the sets of ended processes are taken before those in use. */
static void test_isolated(void)
{
    struct a64_tlb *t = a64_tlb_new();

    for (unsigned asid = 1; asid < 3; asid++) {
        a64_tlb_set_regime(t, true, asid, asid << 12, 0x2000);
        put(t, KVA, 0x40000000, A64_TLB_READ, 12, false, false);
        put(t, KVA + 0x1000, 0x40001000, A64_TLB_READ, 12, false, false);
    }
    CHECK(t->kernel_ng);
    a64_tlb_drop_va(t, KVA, 1, 1, false);
    a64_tlb_drop_va(t, KVA + 0x1000, 1, 2, false);
    CHECK(hit(t, KVA, A64_TLB_READ) && !hit(t, KVA + 0x1000, A64_TLB_READ));
    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    CHECK(!hit(t, KVA, A64_TLB_READ) && hit(t, KVA + 0x1000, A64_TLB_READ));
    put(t, KVA + 0x2000, 0x40002000, A64_TLB_READ, 12, true, false);
    a64_tlb_drop_va(t, KVA + 0x2000, 1, 7, false);
    CHECK(!hit(t, KVA + 0x2000, A64_TLB_READ));
    a64_tlb_drop_va(t, KVA + 0x1000, 1, 7, true);
    CHECK(!hit(t, KVA + 0x1000, A64_TLB_READ));
    put(t, KVA, 0x40000000, A64_TLB_READ, 12, false, false);
    /* Processes come and go; each is ended by TLBI ASIDE1. */
    for (unsigned asid = 10; asid < 10 + 3 * A64_TLB_SETS_MAX; asid++) {
        a64_tlb_set_regime(t, true, asid, asid << 12, 0x2000);
        put(t, KVA, 0x40000000, A64_TLB_READ, 12, false, false);
        a64_tlb_drop_asid(t, asid);
        CHECK(!hit(t, KVA, A64_TLB_READ));
    }
    CHECK(t->set_n < 8, "%u sets", t->set_n);
    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    CHECK(hit(t, KVA, A64_TLB_READ));
    a64_tlb_free(t);
}

/* The reach: all pages of an area as large as a table at once, and each goes alone. */
static void test_reach(void)
{
    struct a64_tlb *t = a64_tlb_new();
    unsigned wrong = 0;

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    CHECK(!hit(t, 5, A64_TLB_READ) && !hit(t, 5, A64_TLB_EXEC));    /* as fresh memory */
    CHECK(!hit(t, ((uint64_t)A64_TLB_N << 12) + 5, A64_TLB_READ));
    CHECK(!a64_tlb_find(t->cur, ~UINT64_C(2), 8, A64_TLB_READ));    /* ends at VA 4 */
    CHECK(!a64_tlb_find(t->cur, ~UINT64_C(2), 8, A64_TLB_WRITE));
    for (uint64_t i = 0; i < A64_TLB_N; i++) {
        put(t, i << 12, (i + 7) << 12, A64_TLB_READ, 12, false, true);
        put(t, i << 12, (i + 7) << 12, A64_TLB_WRITE, 12, false, true);
    }
    for (uint64_t i = 0; i < A64_TLB_N; i++) {
        wrong += !hit(t, i << 12, A64_TLB_READ) || !hit(t, i << 12, A64_TLB_WRITE) ||
                 a64_tlb_gpa(t->cur, i << 12, A64_TLB_READ) != (i + 7) << 12;
    }
    CHECK(wrong == 0);
    CHECK(t->cur->used_n == 2 * A64_TLB_N);
    a64_tlb_drop_gpa(t, 1007 << 12, true);              /* chains what is there */
    CHECK(hit(t, 1000 << 12, A64_TLB_READ) && !hit(t, 1000 << 12, A64_TLB_WRITE));
    a64_tlb_drop_va(t, 2000 << 12, 100, 1, false);
    CHECK(hit(t, 1999 << 12, A64_TLB_READ) && hit(t, 2100 << 12, A64_TLB_READ));
    CHECK(!hit(t, 2000 << 12, A64_TLB_WRITE) && !hit(t, 2099 << 12, A64_TLB_READ));
    CHECK(t->cur->used_n == 2 * A64_TLB_N - 1 - 200);
    a64_tlb_drop_asid(t, 1);
    CHECK(t->cur->used_n == 0);
    for (uint64_t i = 0; i < A64_TLB_N; i++) {
        wrong += hit(t, i << 12, A64_TLB_READ) || hit(t, i << 12, A64_TLB_WRITE);
    }
    for (unsigned i = 0; i < A64_TLB_GPA_BUCKETS; i++) {
        wrong += t->bucket[i] != 0;
    }
    CHECK(wrong == 0);
    /* Its memory has gone back and is used again. */
    CHECK(!hit(t, 5, A64_TLB_READ) && !hit(t, 5, A64_TLB_WRITE));
    put(t, 0x5000, 0x6000, A64_TLB_READ, 12, false, true);
    CHECK(hit(t, 0x5000, A64_TLB_READ));
    a64_tlb_free(t);
}

static bool has_jump(const struct a64_tlb *t, uint64_t va)
{
    return t->cur->jump[a64_tlb_jump_index(va, 0)].key == va;
}

/* One fill for reading and writing. */
static void test_both(void)
{
    struct a64_tlb *t = a64_tlb_new();
    struct a64_tlb_fill f = { .va = UVA, .gpa = 0x7000, .size_log2 = 12, .both = true };
    const uint64_t far = (uint64_t)A64_TLB_N << 12;

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    a64_tlb_install(t, &f, page);
    CHECK(hit(t, UVA, A64_TLB_READ) && hit(t, UVA, A64_TLB_WRITE));
    CHECK(a64_tlb_gpa(t->cur, UVA + 3, A64_TLB_WRITE) == 0x7003);
    f.va += far;                            /* the same slot: a read leaves what is written */
    a64_tlb_install(t, &f, page);
    CHECK(hit(t, UVA + far, A64_TLB_READ) && !hit(t, UVA, A64_TLB_READ));
    CHECK(!hit(t, UVA + far, A64_TLB_WRITE) && hit(t, UVA, A64_TLB_WRITE));
    f.table = A64_TLB_WRITE;                /* a write is also read */
    f.va += far;
    a64_tlb_install(t, &f, page);
    CHECK(hit(t, f.va, A64_TLB_READ) && hit(t, f.va, A64_TLB_WRITE));
    a64_tlb_drop_gpa(t, 0x7000, true);
    CHECK(hit(t, f.va, A64_TLB_READ) && !hit(t, f.va, A64_TLB_WRITE));
    f.both = false;
    f.va = UVA + 0x1000;
    a64_tlb_install(t, &f, page);
    CHECK(!hit(t, f.va, A64_TLB_READ) && hit(t, f.va, A64_TLB_WRITE));
    a64_tlb_free(t);
}

/* The jump cache: two places, branch types, and what drops entries. */
static void test_jumps(void)
{
    struct a64_tlb *t = a64_tlb_new();
    const uint64_t step = UINT64_C(4) << A64_TLB_JUMP_BITS, a = 0x40000000, b = a + step;
    static const char code[4];

    for (unsigned type = 0; type < 4; type++) {
        CHECK(!a64_tlb_jump_find(t->cur, 0, type), "fresh memory is no jump to 0");
    }
    a64_tlb_jump_set(t->cur, a, 0, &code[0]);
    a64_tlb_jump_set(t->cur, b, 0, &code[1]);
    CHECK(!has_jump(t, a) && has_jump(t, b));
    CHECK(a64_tlb_jump_find(t->cur, a, 0) == &code[0], "from the second place");
    CHECK(has_jump(t, a) && a64_tlb_jump_find(t->cur, b, 0) == &code[1] && has_jump(t, b));
    for (unsigned type = 1; type < 4; type++) {
        CHECK(!a64_tlb_jump_find(t->cur, a, type) && !a64_tlb_jump_find(t->cur, b, type));
    }
    a64_tlb_jump_set(t->cur, a, 2, &code[2]);
    CHECK(a64_tlb_jump_find(t->cur, a, 2) == &code[2] && !a64_tlb_jump_find(t->cur, a, 1));
    a64_tlb_jump_forget(t->cur, b, 0);
    CHECK(!a64_tlb_jump_find(t->cur, b, 0) && a64_tlb_jump_find(t->cur, a, 0) == &code[0]);
    a64_tlb_jump_set(t->cur, b, 0, &code[1]);           /* `a` is in the second place now */
    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    put(t, b, 0x5000, A64_TLB_EXEC, 12, true, false);
    a64_tlb_jump_set(t->cur, a, 0, &code[0]);
    a64_tlb_jump_set(t->cur, b, 0, &code[1]);
    a64_tlb_drop_va(t, a, 1, 1, true);
    CHECK(!a64_tlb_jump_find(t->cur, a, 0) && a64_tlb_jump_find(t->cur, b, 0) == &code[1]);
    a64_tlb_drop_jumps(t);
    CHECK(!a64_tlb_jump_find(t->cur, b, 0));
    a64_tlb_free(t);
}

/* Ranges over the end of the tables, blocks larger than these, and the code addresses within. */
static void test_ranges(void)
{
    struct a64_tlb *t = a64_tlb_new();
    const uint64_t edge = (uint64_t)A64_TLB_N << 12, part = 1 << 29;

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    for (uint64_t va = edge - 0x3000; va < edge + 0x3000; va += 0x1000) {
        put(t, va, va, A64_TLB_READ, 12, false, true);
        put(t, va, va, A64_TLB_EXEC, 12, false, true);
        a64_tlb_jump_set(t->cur, va + 8, 0, page);
    }
    a64_tlb_drop_va(t, edge - 0x2000, 4, 1, false);
    for (uint64_t va = edge - 0x3000; va < edge + 0x3000; va += 0x1000) {
        bool there = va < edge - 0x2000 || va >= edge + 0x2000;
        CHECK(hit(t, va, A64_TLB_READ) == there && hit(t, va, A64_TLB_EXEC) == there);
        CHECK(has_jump(t, va + 8) == there);
    }
    a64_tlb_drop_va(t, 0, 2 * A64_TLB_N, 1, false);
    CHECK(t->cur->used_n == 0 && !has_jump(t, edge + 0x2008));
    a64_tlb_jump_set(t->cur, edge + 8, 0, page);
    a64_tlb_drop_asid(t, 1);
    CHECK(!has_jump(t, edge + 8));
    for (unsigned size = 30; size < 40; size += 9) {
        put(t, 7 * part, 7 * part, A64_TLB_WRITE, size, false, true);
        put(t, 1023 * part, 1023 * part, A64_TLB_WRITE, 12, false, true);
        a64_tlb_drop_va(t, (size == 39 ? 100 : 6) * part + 0x5000, 1, 1, false);
        CHECK(!hit(t, 7 * part, A64_TLB_WRITE) && hit(t, 1023 * part, A64_TLB_WRITE));
    }
    a64_tlb_free(t);
}

/* ---- against a list of what was installed: nothing that was dropped is ever hit ---- */

struct live {
    uint64_t va, gpa;
    unsigned ctx, size_log2;
    enum a64_tlb_table table;
    bool global, gone;
};
enum { LIVE_MAX = 6000, CTX_N = 13, ROUNDS = 12 };

static uint64_t rng_state;

static unsigned rng(unsigned n)
{
    rng_state = rng_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (rng_state >> 33) % n;
}

static void enter(struct a64_tlb *t, unsigned ctx)
{
    a64_tlb_set_el(t, 1, true);
    a64_tlb_set_regime(t, true, ctx, (uint64_t)ctx << 20, 0x2000);
    a64_tlb_set_el(t, 0, true);
}

static void drop_something(struct a64_tlb *t, struct live *l, unsigned n)
{
    unsigned how = rng(8), asid = rng(CTX_N);
    struct live pick = l[rng(n)];
    uint64_t pages = rng(2) ? 1 : 1 + rng(rng(4) ? 200 : 200000), first = pick.va >> 12, last = first + pages - 1;
    bool all = rng(2), keep_read = rng(2);

    if (how == 0) {
        a64_tlb_drop_asid(t, asid);
    } else if (how < 4) {
        a64_tlb_drop_va(t, pick.va, pages, asid, all);
    } else {
        a64_tlb_drop_gpa(t, pick.gpa, keep_read);
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned shift = l[i].size_log2 - 12;
        uint64_t p = l[i].va >> 12 >> shift;

        if (how == 0) {
            l[i].gone |= l[i].ctx == asid && !l[i].global;
        } else if (how < 4) {
            l[i].gone |= (all || l[i].global || l[i].ctx == asid) && p >= first >> shift &&
                         p <= last >> shift;
        } else {
            l[i].gone |= l[i].gpa >> 12 == pick.gpa >> 12 &&
                         (!keep_read || l[i].table == A64_TLB_WRITE);
        }
    }
}

static void test_random(uint64_t seed)
{
    struct a64_tlb *t = a64_tlb_new();
    static struct live l[LIVE_MAX];
    static const uint8_t size[] = { 14, 16, 21, 25, 30, 39 };
    unsigned n = 0, stale = 0, hits = 0;

    rng_state = seed;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned c = 0; c < CTX_N; c++) {
            enter(t, c);
            for (unsigned i = 0; i < LIVE_MAX / CTX_N / ROUNDS; i++, n++) {
                l[n] = (struct live){
                    /* Each its own page of its own context; some share their entry. */
                    .va = (uint64_t)(rng(4) << 17 | rng(64) << 7 | (n & 127)) << 12,
                    .gpa = (uint64_t)rng(300) << 12, .ctx = c, .global = rng(8) == 0,
                    .size_log2 = rng(6) ? 12 : size[rng(ARRAY_LEN(size))], .table = rng(3),
                };
                for (unsigned k = 0; k < n; k++) {
                    if (l[k].va == l[n].va && l[k].ctx == c && l[k].table == l[n].table) {
                        l[k].ctx = CTX_N;       /* replaced */
                    }
                }
                put(t, l[n].va, l[n].gpa, l[n].table, l[n].size_log2, l[n].global, true);
            }
        }
        for (unsigned i = 0; i < 6; i++) {
            drop_something(t, l, n);
        }
        for (unsigned c = 0; c < CTX_N; c++) {
            enter(t, c);
            for (unsigned i = 0; i < n; i++) {
                if (l[i].ctx == c && hit(t, l[i].va, l[i].table)) {
                    stale += l[i].gone;
                    hits++;
                }
            }
        }
    }
    CHECK(stale == 0, "seed %" PRIu64, seed);
    CHECK(hits > LIVE_MAX / 4, "%u, seed %" PRIu64, hits, seed);
    a64_tlb_free(t);
}

/* ---- links: jumps between pages of code that need not be looked up ---- */

static void link_to(struct a64_tlb *t, unsigned number, uint64_t to)
{
    put(t, to, 0x40000000, A64_TLB_EXEC, 12, false, true);
    a64_tlb_link(t, number, (to - 0x1000) | 0xfff, to);
}

static bool linked(const struct a64_tlb *t, unsigned number)
{
    return t->cur->link[number];
}

/* How a link may go: with the page that is gone to, or that page's block. */
static void drop_target(struct a64_tlb *t, unsigned how)
{
    switch (how) {
    case 0: a64_tlb_drop_va(t, UVA, 1, 1, false); break;
    case 1: a64_tlb_drop_va(t, UVA, 1, 9, true); break;
    case 2: a64_tlb_drop_va(t, UVA - 0x3000, 7, 1, false); break;
    case 3: a64_tlb_drop_va(t, 0, UINT64_C(1) << 36, 1, false); break;
    case 4: a64_tlb_drop_va(t, UVA | UINT64_C(0x5a) << 56, 1, 1, false); break;
    case 5: a64_tlb_drop_asid(t, 1); break;
    case 6: a64_tlb_drop_all(t); break;
    case 7: a64_tlb_drop_jumps(t); break;
    default: a64_tlb_drop_va(t, (UVA ^ 0x5000) & ~UINT64_C(0xfff), 1, 1, false); break;
    }
}

static void drop_other(struct a64_tlb *t, unsigned how)
{
    switch (how) {
    case 0: a64_tlb_drop_va(t, UVA + 0x1000, 1, 1, true); break;
    case 1: a64_tlb_drop_va(t, UVA - 0x1000, 1, 1, true); break;        /* where it comes from */
    case 2: a64_tlb_drop_va(t, UVA, 1, 2, false); break;
    case 3: a64_tlb_drop_asid(t, 2); break;
    case 4: a64_tlb_drop_va(t, UVA + ((uint64_t)A64_TLB_N << 12), 1, 1, true); break;
    case 5: put(t, UVA + (A64_TLB_EXEC_N << 12), 0x50000000, A64_TLB_EXEC, 12, false, true); break;
    default: a64_tlb_drop_va(t, UVA + 0x10000, 100, 1, true); break;
    }
}

static void test_links(void)
{
    struct a64_tlb *t = a64_tlb_new();

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    CHECK(!linked(t, 0) && !linked(t, A64_TLB_LINKS - 1));
    for (unsigned how = 0; how < 9; how++) {
        link_to(t, 7, UVA);
        if (how == 8) {                         /* of the same 2 MiB */
            put(t, UVA, 0x40000000, A64_TLB_EXEC, 21, false, true);
        }
        CHECK(t->cur->link[7] == UVA - 1 && !linked(t, 0) && !linked(t, 6) && !linked(t, 8));
        drop_target(t, how);
        CHECK(!linked(t, 7) && t->cur->link_n == 0, "way %u", how);
    }
    a64_tlb_drop_all(t);                        /* and the block */
    for (unsigned how = 0; how < 7; how++) {
        link_to(t, 7, UVA);
        drop_other(t, how);
        CHECK(linked(t, 7), "way %u", how);
    }
    /* Again from elsewhere, and to elsewhere: both targets count. */
    a64_tlb_link(t, 7, UVA + 0x4fff, UVA + 0x5000);
    CHECK(t->cur->link[7] == UVA + 0x4fff);
    drop_target(t, 0);
    CHECK(!linked(t, 7));
    a64_tlb_free(t);
}

/* Each set has its own; a set that another context takes has none. */
static void test_link_contexts(void)
{
    struct a64_tlb *t = a64_tlb_new();

    for (unsigned asid = 1; asid < 3; asid++) {
        a64_tlb_set_el(t, 1, false);
        a64_tlb_set_regime(t, true, asid, asid << 12, 0x2000);
        a64_tlb_set_el(t, 0, false);
        CHECK(!linked(t, 7) && !linked(t, 8));
        link_to(t, 6 + asid, UVA);
    }
    CHECK(!linked(t, 7) && linked(t, 8));
    a64_tlb_drop_asid(t, 2);
    CHECK(!linked(t, 8));
    a64_tlb_set_el(t, 1, false);
    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    CHECK(linked(t, 7) && !linked(t, 8));
    for (unsigned asid = 3; asid < 3 + 2 * A64_TLB_SETS_MAX; asid++) {
        a64_tlb_set_el(t, 1, false);
        a64_tlb_set_regime(t, true, asid, asid << 12, 0x2000);
        a64_tlb_set_el(t, 0, false);
        CHECK(!linked(t, 7), "asid %u", asid);
        link_to(t, 7, UVA);
    }
    /* What EL1 has by TTBR0 goes with it, and with PAN. */
    a64_tlb_set_el(t, 1, false);
    link_to(t, 9, UVA);
    a64_tlb_set_el(t, 1, true);
    CHECK(!linked(t, 9));
    a64_tlb_set_el(t, 1, false);
    link_to(t, 9, UVA);
    a64_tlb_set_regime(t, true, 99, 0x99000, 0x2000);
    CHECK(!linked(t, 9));
    /* Mappings of the kernel turn out to be of an ASID. */
    put(t, KVA, 0x40000000, A64_TLB_EXEC, 12, true, false);
    a64_tlb_link(t, 11, KVA - 1, KVA);
    put(t, KVA + 0x1000, 0x40001000, A64_TLB_READ, 12, false, false);
    CHECK(t->kernel_ng && !linked(t, 11));
    a64_tlb_free(t);
}

/* More than a set notes: all go, none is forgotten. */
static void test_many_links(void)
{
    struct a64_tlb *t = a64_tlb_new();
    unsigned left = 0;

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    for (unsigned i = 1; i <= A64_TLB_LINKS_USED; i++) {
        link_to(t, i, UVA + i * UINT64_C(4096));
        left += linked(t, i);
    }
    CHECK(left == A64_TLB_LINKS_USED && linked(t, 1));
    link_to(t, A64_TLB_LINKS - 1, UVA);
    CHECK(linked(t, A64_TLB_LINKS - 1) && t->cur->link_n == 1);
    for (unsigned i = 0; i < A64_TLB_LINKS - 1; i++) {
        left -= !linked(t, i);
    }
    CHECK(left == A64_TLB_LINKS_USED - (A64_TLB_LINKS - 1), "%u", left);
    a64_tlb_drop_va(t, UVA, 1, 1, false);
    CHECK(!linked(t, A64_TLB_LINKS - 1));
    a64_tlb_free(t);
}

/* ---- memory ---- */

static unsigned resident(struct a64_tlb_set *s)
{
    static unsigned char in[(sizeof(*s) + 4095) / 4096];
    unsigned n = 0;

    CHECK(mincore(s, sizeof(*s), in) == 0);
    for (unsigned i = 0; i < sizeof(in); i++) {
        n += in[i] & 1;
    }
    return n;
}

/* Sets of ended processes do not keep the memory of large ones, dense or sparse. */
static void test_memory(void)
{
    struct a64_tlb *t = a64_tlb_new();

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    for (unsigned step = 1; step < 1000; step *= 200) {
        for (uint64_t i = 0; i < A64_TLB_KEEP_MAX + 1 && i * step < A64_TLB_N; i++) {
            put(t, i * step << 12, i << 12, A64_TLB_READ, 12, false, true);
        }
        CHECK(resident(t->cur) > 200);
        a64_tlb_drop_asid(t, 1);
        CHECK(resident(t->cur) < 120, "step %u: %u pages", step, resident(t->cur));
        CHECK(!hit(t, 0, A64_TLB_READ) && !hit(t, (uint64_t)step << 12, A64_TLB_READ));
        put(t, 0, 0x5000, A64_TLB_READ, 12, false, true);
        CHECK(hit(t, 0, A64_TLB_READ) && a64_tlb_gpa(t->cur, 7, A64_TLB_READ) == 0x5007);
    }
    a64_tlb_free(t);
}

/* ---- where a hit ends ---- */

/* The first page of the table, the last one, the one beyond, the last one of all. */
static void test_hit_ends(void)
{
    static const uint64_t va[] = {
        0, UINT64_C(0xfffff000), UINT64_C(1) << 32, UINT64_C(0x12345fffff000),
        UINT64_C(0xfffffffffffff000), UINT64_C(0xffff800000000000), UINT64_C(0x5a00000000001000),
    };
    static const unsigned bytes[] = { 1, 2, 4, 8, 16, 32, 64, 256, 4096 };
    struct a64_tlb *t = a64_tlb_new();
    uint64_t gpa;

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    for (unsigned i = 0; i < ARRAY_LEN(va); i++) {
        for (enum a64_tlb_table k = A64_TLB_READ; k <= A64_TLB_EXEC; k++) {
            CHECK(!a64_tlb_find(t->cur, va[i], 1, k) && !a64_tlb_find_mmio(t->cur, va[i], k, &gpa));
            put(t, va[i], 0x40000000, k, 12, false, true);
            for (unsigned b = 0; b < ARRAY_LEN(bytes); b++) {
                unsigned last = 4096 - bytes[b];
                CHECK(a64_tlb_find(t->cur, va[i], bytes[b], k) == page);
                CHECK(a64_tlb_find(t->cur, va[i] + last, bytes[b], k) == page + last);
                CHECK(!a64_tlb_find(t->cur, va[i] + last + 1, bytes[b], k), "page %u", i);
                CHECK(!a64_tlb_find(t->cur, va[i] - 1, bytes[b], k));
                CHECK(!a64_tlb_find(t->cur, va[i] ^ UINT64_C(1) << 40, bytes[b], k));
                CHECK(!a64_tlb_find(t->cur, va[i] ^ UINT64_C(1) << 63, bytes[b], k));
            }
            CHECK(!a64_tlb_find_mmio(t->cur, va[i], k, &gpa));
            /* The same as a device, and dropped: neither hits, here or in a neighbour's place. */
            a64_tlb_install(t, &(struct a64_tlb_fill){ .va = va[i], .gpa = 0x9000000,
                            .size_log2 = 12, .table = k }, NULL);
            for (unsigned d = 0; d < 4096; d += 4095) {
                CHECK(!a64_tlb_find(t->cur, va[i] + d, 1, k));
                CHECK(!a64_tlb_find(t->cur, (va[i] ^ 0x1000) + d, 1, k));
                CHECK(a64_tlb_find_mmio(t->cur, va[i] + d, k, &gpa) && gpa == 0x9000000 + d);
                CHECK(!a64_tlb_find_mmio(t->cur, (va[i] ^ 0x1000) + d, k, &gpa));
            }
            a64_tlb_drop_va(t, va[i], 1, 1, false);
            for (unsigned d = 0; d < 4096; d += 4095) {
                CHECK(!a64_tlb_find(t->cur, va[i] + d, 1, k));
                CHECK(!a64_tlb_find(t->cur, (va[i] ^ 0x1000) + d, 1, k));
                CHECK(!a64_tlb_find_mmio(t->cur, va[i] + d, k, &gpa));
            }
        }
    }
    CHECK(t->cur->used_n == 0);
    a64_tlb_free(t);
}

static bool near_left(struct a64_tlb *t)
{
    return t->cur->near[0][1].limit;
}

/* What generated code does on a miss: it remembers a page that is in the tables. */
static void near_fill(struct a64_tlb *t)
{
    put(t, UVA, 0x40000000, A64_TLB_READ, 12, false, true);
    t->cur->near[0][1] = (struct a64_near){ .page = UVA, .limit = 4033 };
    t->cur->near_used = 1;
}

/* A remembered page must not outlive its entry, however that goes. */
static void test_near(void)
{
    struct a64_tlb *t = a64_tlb_new();

    a64_tlb_set_regime(t, true, 1, 0x1000, 0x2000);
    a64_tlb_set_el(t, 0, false);
    near_fill(t);
    a64_tlb_drop_va(t, UVA + 0x10000, 1, 1, true);
    CHECK(near_left(t));
    a64_tlb_drop_va(t, UVA, 1, 1, true);
    CHECK(!near_left(t));
    near_fill(t);
    a64_tlb_drop_gpa(t, 0x40000000, false);
    CHECK(!near_left(t));
    near_fill(t);
    a64_tlb_drop_asid(t, 1);
    CHECK(!near_left(t));
    near_fill(t);
    a64_tlb_drop_all(t);
    CHECK(!near_left(t));
    near_fill(t);
    put(t, UVA + ((uint64_t)A64_TLB_N << 12), 0x50000000, A64_TLB_READ, 12, false, true);
    CHECK(!near_left(t));
    a64_tlb_free(t);
}

int main(int argc, char **argv)
{
    test_find();
    test_contexts();
    test_drops();
    test_many_contexts();
    test_isolated();
    test_reach();
    test_ranges();
    test_both();
    test_jumps();
    test_near();
    test_links();
    test_link_contexts();
    test_many_links();
    test_memory();
    test_hit_ends();
    test_random(argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL));
    return check_result();
}
