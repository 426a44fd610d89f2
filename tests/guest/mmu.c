/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 1 translation at EL1 and EL0: permissions, access flag, levels, granules, ASIDs, TLBI,
 * both halves, tagged addresses, address translation instructions. */
#include "guest.h"

#define VALID 1u
#define TABLE 3u                        /* table, or a page at the last level */
#define ATTR_NORMAL (0u << 2)
#define AP_USER (1u << 6)
#define AP_RO (1u << 7)
#define AF (1u << 10)
#define SH_INNER (3u << 8)
#define NG (1u << 11)
#define PXN (UINT64_C(1) << 53)
#define UXN (UINT64_C(1) << 54)
#define PAGE_ATTR (TABLE | ATTR_NORMAL | SH_INNER | AF)

#define WINDOW UINT64_C(0x7f0000000000)     /* where the tests map their pages */
#define HIGH UINT64_C(0xffff800000000000)

struct granule {
    const char *name;
    unsigned shift;                     /* of a page */
    unsigned tg0, tg1;
};

static const struct granule granules[] = {
    { "4K", 12, 0, 2 }, { "16K", 14, 2, 1 }, { "64K", 16, 1, 3 },
};

static const struct granule *g;
static uint64_t *root0, *root1;

static unsigned bits_per_level(void)
{
    return g->shift - 3;
}

/* Level 3 maps pages; returns the descriptor's address, making tables on the way. */
static uint64_t *descriptor(uint64_t *table, uint64_t va, unsigned level)
{
    unsigned start = g->shift == 16 ? 1 : 0, n = bits_per_level();

    for (unsigned l = start;; l++) {
        unsigned shift = g->shift + (3 - l) * n;
        unsigned index_bits = shift + n > 48 ? 48 - shift : n;
        uint64_t *d = &table[va >> shift & ((UINT64_C(1) << index_bits) - 1)];

        if (l == level) {
            return d;
        }
        if (!(*d & VALID)) {
            *d = (uint64_t)page_alloc(UINT64_C(1) << g->shift) | TABLE;
        }
        table = (uint64_t *)(*d & UINT64_C(0xfffffffff000) & ~((UINT64_C(1) << g->shift) - 1));
    }
}

static void map(uint64_t va, uint64_t pa, uint64_t attr)
{
    *descriptor(va >> 63 ? root1 : root0, va, 3) = pa | attr;
    DSB();
}

static void flush_va(uint64_t va, uint64_t asid)
{
    __asm__ volatile("dsb ishst\ntlbi vae1is, %0\ndsb ish\nisb"
                     : : "r"((va >> 12 & UINT64_C(0xfffffffffff)) | asid << 48) : "memory");
}

static void flush_asid(uint64_t asid)
{
    __asm__ volatile("dsb ishst\ntlbi aside1is, %0\ndsb ish\nisb" : : "r"(asid << 48) : "memory");
}

static uint64_t load(uint64_t va, uint64_t b)
{
    return *(volatile uint64_t *)va;
}

static uint64_t store(uint64_t va, uint64_t v)
{
    *(volatile uint64_t *)va = v;
    return v;
}

static uint64_t call(uint64_t va, uint64_t b)
{
    return ((uint64_t (*)(uint64_t))va)(b);
}

static uint64_t load_unpriv(uint64_t va, uint64_t b)
{
    uint64_t v;
    __asm__ volatile("ldtr %0, [%1]" : "=r"(v) : "r"(va) : "memory");
    return v;
}

static uint64_t zero(uint64_t va, uint64_t b)
{
    __asm__ volatile("dc zva, %0" : : "r"(va) : "memory");
    return va;
}

static void report(const char *what)
{
    if (fault.taken) {
        print("  %s: EC %02x ISS %06x FAR %lx\n", what, (unsigned)(fault.esr >> 26),
              (unsigned)(fault.esr & 0x1ffffff), fault.far);
    } else {
        print("  %s: %lx\n", what, fault.x0);
    }
}

static void loads_and_stores(const char *what, uint64_t va)
{
    print(" %s\n", what);
    try_el1(load, va, 0);
    report("load");
    try_el1(store, va, 0x1111);
    report("store");
    try_el1(load_unpriv, va, 0);
    report("ldtr");
    try_el1(zero, va + 0x100, 0);
    report("dc zva");
    try_el1(zero, va + 0x165, 0);
    report("dc zva, not aligned");
}

/* Which bytes does DC ZVA clear? */
static void zeroes(uint64_t va, uint8_t *page, unsigned at)
{
    unsigned first = 256, last = 0;

    for (unsigned i = 0; i < 256; i++) {
        ((volatile uint8_t *)page)[i] = 0xee;
    }
    try_el1(zero, va + at, 0);
    for (unsigned i = 0; i < 256; i++) {
        if (!((volatile uint8_t *)page)[i]) {
            first = first == 256 ? i : first;
            last = i;
        }
    }
    print("  dc zva at +%u: from %u to %u\n", at, first, last);
}

/* svc #9; ldr x0, [x0]; svc #1; str x0, [x0]; svc #2; dc zva, x0; svc #3 at +0, +4, +12, +20 */
static const uint32_t user_code[] = {
    0xd4000121, 0xf9400000, 0xd4000021, 0xf9000000, 0xd4000041, 0xd50b7420, 0xd4000061,
};

static void user(const char *what, uint64_t code, unsigned at, uint64_t a)
{
    try_el0(code + at, a);
    report(what);
}

static void permissions(uint8_t *page, uint64_t code_pa)
{
    uint64_t pa = (uint64_t)page, va = WINDOW, code = WINDOW + (8 << 16);

    map(code, code_pa, PAGE_ATTR | AP_USER | AP_RO | PXN);
    loads_and_stores("nothing mapped", va);
    map(va, pa, PAGE_ATTR | UXN | PXN);
    loads_and_stores("kernel read-write", va);
    user("EL0 load", code, 4, va);
    user("EL0 store", code, 12, va);
    map(va, pa, PAGE_ATTR | AP_RO | UXN | PXN);
    flush_va(va, 0);
    loads_and_stores("kernel read-only", va);
    map(va, pa, PAGE_ATTR | AP_USER | UXN | PXN);
    flush_va(va, 0);
    loads_and_stores("user read-write", va);
    user("EL0 load", code, 4, va);
    user("EL0 store", code, 12, va);
    user("EL0 fetch, UXN", va, 0, 0);
    user("EL0 dc zva, DZE = 0", code, 20, va);
    WRITE_REG(sctlr_el1, READ_REG(sctlr_el1) | 1 << 14);
    ISB();
    user("EL0 dc zva", code, 20, va);
    user("EL0 dc zva where nothing is", code, 20, va + (UINT64_C(1) << 39) + 0x31);
    zeroes(va, page, 64);
    zeroes(va, page, 128 + 63);
    zeroes(va, page, 1);
    map(va, pa, PAGE_ATTR | AP_USER | AP_RO);
    flush_va(va, 0);
    loads_and_stores("user read-only", va);
    user("EL0 store", code, 12, va);
    map(va, pa, (PAGE_ATTR & ~AF) | UXN | PXN);
    flush_va(va, 0);
    loads_and_stores("access flag 0", va);
    map(va, pa, PAGE_ATTR | PXN);
    flush_va(va, 0);
    try_el1(call, va, 0);
    report("fetch, PXN");
    map(va, (uint64_t)0x8000000000000 & 0xfffffffff000, PAGE_ATTR);
}

static void asids(uint8_t *page)
{
    uint64_t a = (uint64_t)page, b = a + (UINT64_C(1) << g->shift), va = WINDOW + (16 << 16);
    uint64_t ttbr = (uint64_t)root0;

    *(volatile uint64_t *)a = 0xaaaa;
    *(volatile uint64_t *)b = 0xbbbb;
    print(" ASIDs\n");
    map(va, a, PAGE_ATTR | NG | UXN | PXN);
    WRITE_REG(ttbr0_el1, ttbr | UINT64_C(1) << 48);
    ISB();
    try_el1(load, va, 0);
    report("ASID 1 sees a");
    map(va, b, PAGE_ATTR | NG | UXN | PXN);
    WRITE_REG(ttbr0_el1, ttbr | UINT64_C(2) << 48);
    ISB();
    try_el1(load, va, 0);
    report("ASID 2 sees b");
    flush_asid(1);
    WRITE_REG(ttbr0_el1, ttbr | UINT64_C(1) << 48);
    ISB();
    try_el1(load, va, 0);
    report("ASID 1 after TLBI ASIDE1");
    WRITE_REG(ttbr0_el1, ttbr);
    ISB();
}

static void blocks_and_halves(uint8_t *page)
{
    unsigned shift = g->shift + bits_per_level();
    uint64_t pa = (uint64_t)page & ~((UINT64_C(1) << shift) - 1);
    uint64_t va = WINDOW + (UINT64_C(1) << 40);

    print(" blocks and the upper half\n");
    *(volatile uint64_t *)page = 0x5151;
    *descriptor(root0, va, 2) = pa | VALID | SH_INNER | AF | UXN | PXN;
    tlb_flush_all();
    try_el1(load, va + ((uint64_t)page - pa), 0);
    report("through a block");
    map(HIGH + 0x10000, (uint64_t)page, PAGE_ATTR | UXN | PXN);
    try_el1(load, HIGH + 0x10000, 0);
    report("upper half");
    try_el1(load, HIGH + 0x40000000, 0);
    report("upper half, nothing mapped");
    try_el1(load, UINT64_C(0x0080000000000000), 0);
    report("between the halves");
    try_el1(load, (va + ((uint64_t)page - pa)) | UINT64_C(0x5a) << 56, 0);
    report("tagged, TBI0 = 1");
    try_el1(load, (HIGH + 0x10000) & ~(UINT64_C(0x5a) << 56), 0);
    report("tagged, TBI1 = 0");
    *(volatile uint64_t *)(va + ((uint64_t)page - pa)) = 0x6262;
    try_el1(load, HIGH + 0x10000, 0);
    report("two addresses, one memory");
    __asm__ volatile("at s1e1r, %0\nisb" : : "r"(HIGH + 0x10000));
    print("  AT S1E1R: F %u PA %s\n", (unsigned)(READ_REG(par_el1) & 1),
          (READ_REG(par_el1) & 0xfffffffff000) == ((uint64_t)page & ~4095ull) ? "right" : "wrong");
    __asm__ volatile("at s1e0w, %0\nisb" : : "r"(HIGH + 0x10000));
    print("  AT S1E0W: PAR %lx\n", READ_REG(par_el1) & 0xfff);
}

static void turn_on(void)
{
    uint64_t mair = 0xff, tcr;

    root0 = page_alloc(0x10000);
    root1 = page_alloc(0x10000);
    /* The program itself, the console and what page_alloc() gives: identity, by pages. */
    for (uint64_t a = 0x40200000; a < 0x41000000; a += UINT64_C(1) << g->shift) {
        map(a, a, PAGE_ATTR | UXN);
    }
    map(0x09000000, 0x09000000, PAGE_ATTR | 1 << 2 | UXN | PXN);
    tcr = 16 | 3 << 12 | 1 << 8 | 1 << 10 | g->tg0 << 14 | UINT64_C(16) << 16 |
          UINT64_C(3) << 28 | 1 << 24 | 1 << 26 | (uint64_t)g->tg1 << 30 |
          UINT64_C(2) << 32 | UINT64_C(1) << 37;
    WRITE_REG(mair_el1, mair);
    WRITE_REG(tcr_el1, tcr);
    WRITE_REG(ttbr0_el1, root0);
    WRITE_REG(ttbr1_el1, root1);
    ISB();
    tlb_flush_all();
    WRITE_REG(sctlr_el1, 0x30d00800 | 1 | 1 << 2 | 1 << 12 | 1 << 23);
    ISB();
}

static void turn_off(void)
{
    WRITE_REG(sctlr_el1, 0x30d00800);
    ISB();
    tlb_flush_all();
}

void guest_main(void)
{
    for (unsigned i = 0; i < sizeof granules / sizeof granules[0]; i++) {
        uint8_t *page, *code;

        g = &granules[i];
        page = page_alloc(0x20000);
        code = page_alloc(0x10000);
        for (unsigned k = 0; k < sizeof user_code / 4; k++) {
            ((volatile uint32_t *)code)[k] = user_code[k];
        }
        __asm__ volatile("ic iallu\ndsb sy\nisb");
        print("granule %s\n", g->name);
        turn_on();
        permissions(page, (uint64_t)code);
        asids(page);
        blocks_and_halves(page);
        turn_off();
    }
    print("done\n");
}
