/* SPDX-License-Identifier: Apache-2.0 */
/* What later versions added to translation, with 4K pages: hierarchical permissions and their
 * disabling, PAN, UAO, WXN, hardware access flag and dirty state, E0PD, ranges of TLBI. */
#include "guest.h"

#define AF (1u << 10)
#define SH_INNER (3u << 8)
#define AP_USER (1u << 6)
#define AP_RO (1u << 7)
#define PXN (UINT64_C(1) << 53)
#define UXN (UINT64_C(1) << 54)
#define DBM (UINT64_C(1) << 51)
#define NG (1u << 11)
#define PAGE_ATTR (3u | SH_INNER | AF)
#define WINDOW UINT64_C(0x0000004000000000)
#define SCTLR_ON (UINT64_C(0x30d00800) | 1 | 1 << 2 | 1 << 12 | 1 << 23)
#define TCR_BASE (UINT64_C(16) | 3 << 12 | 1 << 8 | 1 << 10 | UINT64_C(16) << 16 | \
                  UINT64_C(3) << 28 | 1 << 24 | 1 << 26 | UINT64_C(2) << 30 | UINT64_C(2) << 32)

static uint64_t *root;

static void map(uint64_t va, uint64_t pa, uint64_t attr)
{
    *descriptor_4k(root, va, 3) = pa | attr;
    tlb_flush_all();
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

static uint64_t swap(uint64_t va, uint64_t v)
{
    uint64_t old;
    __asm__ volatile("swp %1, %0, [%2]" : "=r"(old) : "r"(v), "r"(va) : "memory");
    return old;
}

static uint64_t cas(uint64_t va, uint64_t v)
{
    uint64_t x = 77;
    __asm__ volatile("cas %0, %1, [%2]" : "+r"(x) : "r"(v), "r"(va) : "memory");
    return x;
}

static void report(const char *what)
{
    if (fault.taken) {
        print("  %s: EC %02x ISS %06x FAR %lx PAN %u\n", what, (unsigned)(fault.esr >> 26),
              (unsigned)(fault.esr & 0x1ffffff), fault.far, (unsigned)(fault.spsr >> 22 & 1));
    } else {
        print("  %s: %lx\n", what, fault.x0);
    }
}

static unsigned pan, uao;           /* for what all() does */

static void attempt(const char *what, uint64_t (*fn)(uint64_t, uint64_t), uint64_t a, uint64_t b)
{
    WRITE_REG(s3_0_c4_c2_3, pan << 22);
    WRITE_REG(s3_0_c4_c2_4, uao << 23);
    try_el1(fn, a, b);
    __asm__ volatile("msr s0_0_c4_c0_4, xzr\nmsr s0_0_c4_c0_3, xzr");
    report(what);
}

static void all(const char *what, uint64_t va)
{
    print(" %s\n", what);
    attempt("load", load, va, 0);
    attempt("store", store, va, 0x1111);
    attempt("ldtr", load_unpriv, va, 0);
    attempt("swp", swap, va, 0x2222);
    attempt("cas", cas, va, 0x3333);
}

/* ldr x0, [x0]; svc #1; str x0, [x0]; svc #2 */
static const uint32_t user_code[] = { 0xf9400000, 0xd4000021, 0xf9000000, 0xd4000041 };
/* ret */
static const uint32_t ret_code[] = { 0xd65f03c0 };

static void hierarchy(uint64_t pa, uint64_t code)
{
    uint64_t va = WINDOW + (UINT64_C(1) << 30);

    map(va, pa, PAGE_ATTR | AP_USER | UXN | PXN);
    *descriptor_4k(root, va, 2) |= UINT64_C(2) << 61;            /* APTable: read-only */
    tlb_flush_all();
    all("APTable 2 at level 2", va);
    *descriptor_4k(root, va, 2) &= ~(UINT64_C(3) << 61);
    *descriptor_4k(root, va, 1) |= UINT64_C(1) << 61;            /* no EL0 */
    tlb_flush_all();
    all("APTable 1 at level 1", va);
    try_el0(code, va);
    report("EL0 load");
    WRITE_REG(tcr_el1, TCR_BASE | UINT64_C(1) << 41);   /* HPD0 */
    tlb_flush_all();
    try_el0(code, va);
    report("EL0 load, HPD0");
    WRITE_REG(tcr_el1, TCR_BASE);
    tlb_flush_all();
    *descriptor_4k(root, va, 1) &= ~(UINT64_C(3) << 61);
    map(va, *descriptor_4k(root, code, 3) & UINT64_C(0xfffffffff000), PAGE_ATTR | AP_RO);
    *descriptor_4k(root, va, 2) |= UINT64_C(1) << 59;            /* PXNTable */
    tlb_flush_all();
    try_el1(call, va + 0x800, 0);
    report("fetch, PXNTable");
    *descriptor_4k(root, va, 2) =
        (*descriptor_4k(root, va, 2) & ~(UINT64_C(1) << 59)) | UINT64_C(1) << 60;
    tlb_flush_all();
    try_el1(call, va + 0x800, 0);
    report("fetch, UXNTable");
    try_el0(va, va);
    report("EL0 fetch, UXNTable");
    *descriptor_4k(root, va, 2) &= ~(UINT64_C(1) << 60);
}

static void pan_uao_wxn(uint64_t pa)
{
    uint64_t va = WINDOW + 0x10000;

    map(va, pa, PAGE_ATTR | AP_USER | UXN | PXN);
    pan = 1;
    all("PAN", va);
    uao = 1;
    all("PAN and UAO", va);
    pan = 0;
    all("UAO", va);
    map(va, pa, PAGE_ATTR | UXN | PXN);
    all("UAO, kernel page", va);
    uao = 0;
    WRITE_REG(sctlr_el1, SCTLR_ON & ~(UINT64_C(1) << 23));      /* SPAN = 0 */
    ISB();
    map(va, pa, PAGE_ATTR | AP_USER | UXN | PXN);
    try_el1(load, va + 0x100000, 0);
    report("SPAN 0");
    print("  PAN now %u\n", (unsigned)(READ_REG(s3_0_c4_c2_3) >> 22 & 1));
    WRITE_REG(s3_0_c4_c2_3, 0);
    WRITE_REG(sctlr_el1, SCTLR_ON);
    ISB();
    /* A page that EL0 may write is never executable at EL1. */
    map(va, pa, PAGE_ATTR | AP_USER);
    try_el1(call, va, 0);
    report("fetch, writable by EL0");
}

static void hardware_flags(uint64_t pa)
{
    uint64_t va = WINDOW + 0x20000;

    print(" access flag and dirty state\n");
    WRITE_REG(tcr_el1, TCR_BASE | UINT64_C(1) << 39);
    tlb_flush_all();
    map(va, pa, (PAGE_ATTR & ~AF) | UXN | PXN);
    try_el1(load, va, 0);
    report("load, HA");
    print("  AF %u\n", (unsigned)(*descriptor_4k(root, va, 3) >> 10 & 1));
    map(va, pa, (PAGE_ATTR & ~AF) | AP_RO | DBM | UXN | PXN);
    try_el1(store, va, 1);
    report("store, HA, DBM");
    WRITE_REG(tcr_el1, TCR_BASE | UINT64_C(3) << 39);
    map(va, pa, (PAGE_ATTR & ~AF) | AP_RO | DBM | UXN | PXN);
    try_el1(load, va, 0);
    report("load, HD, DBM");
    print("  AF %u RO %u\n", (unsigned)(*descriptor_4k(root, va, 3) >> 10 & 1),
          (unsigned)(*descriptor_4k(root, va, 3) >> 7 & 1));
    try_el1(store, va, 0x5555);
    report("store, HD, DBM");
    print("  AF %u RO %u\n", (unsigned)(*descriptor_4k(root, va, 3) >> 10 & 1),
          (unsigned)(*descriptor_4k(root, va, 3) >> 7 & 1));
    map(va, pa, PAGE_ATTR | AP_RO | UXN | PXN);
    try_el1(store, va, 0x6666);
    report("store, HD, no DBM");
    WRITE_REG(tcr_el1, TCR_BASE);
    tlb_flush_all();
}

static void ranges(uint64_t a, uint64_t b)
{
    uint64_t va = WINDOW + 0x100000, n = 0;

    print(" TLBI RVAE1IS\n");
    for (unsigned i = 0; i < 64; i++) {
        *descriptor_4k(root, va + i * PAGE, 3) = a | PAGE_ATTR | UXN | PXN;
    }
    tlb_flush_all();
    *(volatile uint64_t *)a = 0xaaaa;
    *(volatile uint64_t *)b = 0xbbbb;
    for (unsigned i = 0; i < 64; i++) {
        n += load(va + i * PAGE, 0) == 0xaaaa;
    }
    print("  before: %lu\n", n);
    for (unsigned i = 0; i < 64; i++) {
        *descriptor_4k(root, va + i * PAGE, 3) = b | PAGE_ATTR | UXN | PXN;
    }
    /* TG 4K, SCALE 0, NUM 15: 32 pages. */
    uint64_t arg = (va >> 12) | UINT64_C(15) << 39 | UINT64_C(1) << 46;
    __asm__ volatile("dsb ishst\nsys #0, c8, c2, #1, %0\ndsb ish\nisb" : : "r"(arg) : "memory");
    n = 0;
    for (unsigned i = 0; i < 32; i++) {
        n += load(va + i * PAGE, 0) == 0xbbbb;
    }
    print("  after, in the range: %lu\n", n);
    tlb_flush_all();
}

static void limits(void)
{
    print(" sizes\n");
    try_el1(load, UINT64_C(0x0001000000000000), 0);
    report("above T0SZ");
    try_el1(load, UINT64_C(0xfffe000000000000), 0);
    report("below T1SZ");
    try_el1(load, UINT64_C(0xffff000000000000), 0);
    report("upper, EPD1 0");
    *descriptor_4k(root, WINDOW + 0x40000, 3) = UINT64_C(0x0000800000000000) | PAGE_ATTR;
    tlb_flush_all();
    try_el1(load, WINDOW + 0x40000, 0);
    report("output above IPS");
    *descriptor_4k(root, WINDOW + (UINT64_C(3) << 30), 2) = UINT64_C(0x0000400000000000) | 3;
    tlb_flush_all();
    try_el1(load, WINDOW + (UINT64_C(3) << 30), 0);
    report("table above IPS");
    *descriptor_4k(root, WINDOW + 0x41000, 3) = UINT64_C(0x40000000) | AF | 1;
    tlb_flush_all();
    try_el1(load, WINDOW + 0x41000, 0);
    report("reserved at level 3");
}

static void turn_on(void)
{
    root = page_alloc(4096);
    for (uint64_t a = 0x40200000; a < 0x40800000; a += 4096) {
        *descriptor_4k(root, a, 3) = a | PAGE_ATTR | UXN;
    }
    *descriptor_4k(root, 0x09000000, 3) = 0x09000000 | PAGE_ATTR | 1 << 2 | UXN | PXN;
    WRITE_REG(mair_el1, 0xff);
    WRITE_REG(tcr_el1, TCR_BASE);
    WRITE_REG(ttbr0_el1, root);
    WRITE_REG(ttbr1_el1, page_alloc(4096));
    ISB();
    tlb_flush_all();
    WRITE_REG(sctlr_el1, SCTLR_ON);
    ISB();
}

void guest_main(void)
{
    uint8_t *page = page_alloc(8192), *code = page_alloc(4096);
    uint64_t user = WINDOW + (UINT64_C(2) << 30);

    for (unsigned k = 0; k < sizeof user_code / 4; k++) {
        ((volatile uint32_t *)code)[k] = user_code[k];
    }
    ((volatile uint32_t *)(code + 0x800))[0] = ret_code[0];
    __asm__ volatile("ic iallu\ndsb sy\nisb");
    turn_on();
    map(user, (uint64_t)code, PAGE_ATTR | AP_USER | AP_RO | PXN);
    hierarchy((uint64_t)page, user);
    pan_uao_wxn((uint64_t)page);
    hardware_flags((uint64_t)page);
    ranges((uint64_t)page, (uint64_t)page + PAGE);
    limits();
    WRITE_REG(sctlr_el1, 0x30d00800);
    ISB();
    print("done\n");
}
