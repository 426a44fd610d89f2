/* SPDX-License-Identifier: Apache-2.0 */
/* The software TLB: what must survive a change of context and what must not. */
#include "isa/a64/tlb.h"

#include "../check.h"

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
    CHECK(!hit(t, KVA + (A64_TLB_N << 12), A64_TLB_READ));
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
    struct a64_tlb *t = a64_tlb_new();

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned asid = 1; asid < 40; asid++) {
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
    for (unsigned asid = 1; asid < 40; asid++) {
        a64_tlb_drop_gpa(t, asid << 12, false);
    }
    for (unsigned i = 0; i < A64_TLB_GPA_BUCKETS; i++) {
        CHECK(!t->bucket[i]);
    }
    a64_tlb_free(t);
}

int main(void)
{
    test_find();
    test_contexts();
    test_drops();
    test_many_contexts();
    return check_result();
}
