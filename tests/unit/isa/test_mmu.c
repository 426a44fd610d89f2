/* SPDX-License-Identifier: Apache-2.0 */
/* What the walk remembers (tables of the last level, blocks, where they lie in the host), and what
 * must make it forget. */
#include "isa/a64/mmu.h"
#include "isa/a64/sysreg.h"

#include "../check.h"
#include "flat.h"

#define VA UINT64_C(0x00200000)             /* by L3; the next 2 MiB are a block */
#define L1 (FLAT_RAM + 0x1000)
#define L2 (FLAT_RAM + 0x2000)
#define L3 (FLAT_RAM + 0x3000)
#define L3B (FLAT_RAM + 0x4000)
#define TLBI(op2) A64_SYSREG(1, 0, 8, 7, op2)
enum { VAE1 = 1, ASIDE1 = 2, VALE1 = 5, VAALE1 = 7 };

static unsigned pages_asked;
static enum a64_bus_result (*ram_page)(void *ctx, uint64_t gpa, enum a64_access access,
                                       void (*install)(void *arg, void *host), void *arg,
                                       bool *is_ram);

static enum a64_bus_result count_page(void *ctx, uint64_t gpa, enum a64_access access,
                                      void (*install)(void *arg, void *host), void *arg,
                                      bool *is_ram)
{
    pages_asked++;
    return ram_page(ctx, gpa, access, install, arg, is_ram);
}

static struct flat *machine(void)
{
    struct flat *f = flat_new("max");
    struct a64_cpu *c = &f->cpu;

    ram_page = c->bus.ram_page;
    c->bus.ram_page = count_page;
    *flat_dword(f, L1) = L2 | 3;
    *flat_dword(f, L2 + 8) = L3 | 3;
    *flat_dword(f, L2 + 16) = FLAT_RAM | 0x701;
    *flat_dword(f, L3) = (FLAT_RAM + 0x100000) | 0x703;
    *flat_dword(f, L3B) = (FLAT_RAM + 0x110000) | 0x703;
    c->mair_el1 = 0xff;
    c->tcr_el1 = 25 | 0x3500 | 1 << 23;
    c->ttbr0_el1 = L1;
    c->sctlr_el1 |= 1;
    a64_tlb_drop_all(c->tlb);
    a64_regime_update(c);
    return f;
}

/* Of a read by EL1; 0 if it faults. */
static uint64_t walk(struct flat *f, uint64_t va)
{
    struct a64_xlat x;
    struct a64_fault fault;

    pages_asked = 0;
    return a64_translate(&f->cpu, va, A64_READ, false, &x, &fault) ? x.gpa : 0;
}

static void tlbi(struct flat *f, unsigned op2, uint64_t va)
{
    CHECK(a64_sys_op(&f->cpu, TLBI(op2), 0, va >> 12));
}

static void test_tables(void)
{
    static const unsigned forget[] = { VAE1, ASIDE1, 3, 0 };
    struct flat *f = machine();

    CHECK(walk(f, VA + 8) == FLAT_RAM + 0x100008 && pages_asked == 3);
    CHECK(walk(f, VA + 16) == FLAT_RAM + 0x100010 && pages_asked == 0, "asked %u", pages_asked);
    /* Its entries are read each time; a TLBI of the last level leaves the table. */
    *flat_dword(f, L3) = (FLAT_RAM + 0x120000) | 0x703;
    tlbi(f, VALE1, VA);
    CHECK(walk(f, VA) == FLAT_RAM + 0x120000 && pages_asked == 0, "asked %u", pages_asked);
    for (unsigned i = 0; i < 4; i++) {
        *flat_dword(f, L2 + 8) = (i & 1 ? L3 : L3B) | 3;
        tlbi(f, forget[i], VA);
        CHECK(walk(f, VA) == FLAT_RAM + (i & 1 ? 0x120000 : 0x110000), "TLBI %u", forget[i]);
        CHECK(pages_asked == 3);
    }
    /* Hierarchical permissions are remembered with it. */
    *flat_dword(f, L2 + 8) = L3 | 3 | UINT64_C(1) << 62;
    tlbi(f, VAE1, VA);
    for (unsigned i = 0; i < 2; i++) {
        struct a64_xlat x;
        struct a64_fault fault;
        CHECK(walk(f, VA) != 0);
        CHECK(!a64_translate(&f->cpu, VA, A64_WRITE, false, &x, &fault) && fault.fsc == 15);
    }
    flat_free(f);
}

static void test_revoked(void)
{
    struct flat *f = machine();

    CHECK(walk(f, VA) && walk(f, VA) && pages_asked == 0);
    a64_tlb_drop_gpa(f->cpu.tlb, L3, true);         /* the right to write only */
    CHECK(walk(f, VA) && pages_asked == 0);
    a64_tlb_drop_gpa(f->cpu.tlb, L3 + 0x555, false);
    CHECK(walk(f, VA) && pages_asked == 1, "asked %u", pages_asked);
    CHECK(walk(f, VA) && pages_asked == 0);
    flat_free(f);
}

static void test_blocks(void)
{
    struct flat *f = machine();
    uint64_t *block = flat_dword(f, L2 + 16), va = VA + 0x200000;
    struct a64_xlat x;
    struct a64_fault fault;

    CHECK(walk(f, va + 0x5123) == FLAT_RAM + 0x5123 && pages_asked == 2);
    CHECK(walk(f, va + 0x7008) == FLAT_RAM + 0x7008 && pages_asked == 0, "asked %u", pages_asked);
    *block = (FLAT_RAM + 0x200000) | 0x701;
    tlbi(f, VALE1, va);
    CHECK(walk(f, va + 0x7008) == FLAT_RAM + 0x207008);
    /* Rights are looked at each time, and a fault is never from what was remembered. */
    *block = (FLAT_RAM + 0x200000) | 0x781;         /* read-only */
    tlbi(f, VAALE1, va);
    CHECK(walk(f, va) && !a64_translate(&f->cpu, va, A64_WRITE, false, &x, &fault));
    CHECK(fault.fsc == 14, "%u", fault.fsc);
    *block = (FLAT_RAM + 0x200000) | 0x701;
    CHECK(a64_translate(&f->cpu, va, A64_WRITE, false, &x, &fault));
    /* Not without its access flag. */
    *block = (FLAT_RAM + 0x200000) | 0x301;
    tlbi(f, VALE1, va);
    CHECK(!walk(f, va));
    *block = (FLAT_RAM + 0x200000) | 0x701;
    CHECK(walk(f, va) == FLAT_RAM + 0x200000);
    *block = 0;
    tlbi(f, ASIDE1, 0);
    CHECK(!walk(f, va));
    flat_free(f);
}

int main(void)
{
    test_tables();
    test_revoked();
    test_blocks();
    return check_result();
}
