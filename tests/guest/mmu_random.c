/* SPDX-License-Identifier: Apache-2.0 */
/* Random descriptors, table attributes and controls; random accesses; what came of each. */
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

static uint64_t *root, seed = 88172645463325252u;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
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

static uint64_t load_byte(uint64_t va, uint64_t b)
{
    return ((volatile uint8_t *)va)[b & 7];
}

static uint64_t load_unpriv(uint64_t va, uint64_t b)
{
    uint64_t v;
    __asm__ volatile("ldtr %0, [%1]" : "=r"(v) : "r"(va) : "memory");
    return v;
}

static uint64_t store_unpriv(uint64_t va, uint64_t v)
{
    __asm__ volatile("sttr %0, [%1]" : : "r"(v), "r"(va) : "memory");
    return v;
}

static uint64_t swap(uint64_t va, uint64_t v)
{
    uint64_t old;
    __asm__ volatile("swpal %1, %0, [%2]" : "=r"(old) : "r"(v), "r"(va) : "memory");
    return old;
}

static uint64_t exclusive(uint64_t va, uint64_t v)
{
    uint64_t old;
    uint32_t status;
    __asm__ volatile("ldaxr %0, [%2]\nstlxr %w1, %3, [%2]"
                     : "=&r"(old), "=&r"(status) : "r"(va), "r"(v) : "memory");
    return old + status;
}

static uint64_t load_pair(uint64_t va, uint64_t v)
{
    uint64_t a, b;
    __asm__ volatile("ldp %0, %1, [%2, #-8]" : "=&r"(a), "=&r"(b) : "r"(va) : "memory");
    return a ^ b;
}

static uint64_t zero(uint64_t va, uint64_t v)
{
    __asm__ volatile("dc zva, %0" : : "r"(va) : "memory");
    return 0;
}

static uint64_t call(uint64_t va, uint64_t b)
{
    return ((uint64_t (*)(uint64_t))(va + 0x800))(b);
}

static uint64_t at_el1(uint64_t va, uint64_t b)
{
    if (b & 1) {
        __asm__ volatile("at s1e1w, %0\nisb" : : "r"(va));
    } else {
        __asm__ volatile("at s1e0r, %0\nisb" : : "r"(va));
    }
    /* (PAR_EL1.NS is UNKNOWN in the Non-secure state.) */
    return READ_REG(par_el1) & ~UINT64_C(0x200);
}

static uint64_t (*const accesses[])(uint64_t, uint64_t) = {
    load, store, load_byte, load_unpriv, store_unpriv, swap, exclusive, load_pair, call, at_el1,
};

/* +0x800: ret; +0x900: ldr x0, [x1] … for EL0: ldr x0, [x0]; svc #1; str x0, [x0]; svc #2 */
static const uint32_t user_code[] = { 0xf9400000, 0xd4000021, 0xf9000000, 0xd4000041 };

static uint64_t page_attr(void)
{
    uint64_t r = rnd(), a = 3 | SH_INNER;

    a |= r & 7 ? AF : 0;
    a |= r >> 3 & 1 ? AP_USER : 0;
    a |= r >> 4 & 1 ? AP_RO : 0;
    a |= r >> 5 & 1 ? PXN : 0;
    a |= r >> 6 & 1 ? UXN : 0;
    a |= (r >> 7 & 3) == 0 ? DBM : 0;
    a |= r >> 9 & 1 ? NG : 0;
    return (r >> 10 & 15) == 0 ? 0 : a;
}

static void one_round(unsigned round, uint64_t page, uint64_t user)
{
    /* Four pages under one table; what they map is one physical page, so contents agree. */
    uint64_t va = WINDOW + (UINT64_C(1) << 30), r = rnd();
    uint64_t tcr =
        TCR_BASE | (r & 3 ? 0 : UINT64_C(1) << 41) | (r >> 2 & 1 ? UINT64_C(1) << 39 : 0);

    tcr |= tcr >> 39 & 1 && (r >> 3 & 1) ? UINT64_C(1) << 40 : 0;
    for (unsigned i = 0; i < 4; i++) {
        *descriptor_4k(root, va + i * PAGE, 3) = page_attr();
        if (*descriptor_4k(root, va + i * PAGE, 3)) {
            *descriptor_4k(root, va + i * PAGE, 3) |= page;
        }
    }
    *descriptor_4k(root, va, 2) &= ~(UINT64_C(15) << 59);
    *descriptor_4k(root, va, 1) &= ~(UINT64_C(15) << 59);
    if ((r >> 4 & 3) == 0) {
        *descriptor_4k(root, va, 2) |= (r >> 6 & 15) << 59;
    }
    if ((r >> 10 & 7) == 0) {
        *descriptor_4k(root, va, 1) |= (r >> 13 & 15) << 59;
    }
    WRITE_REG(tcr_el1, tcr);
    /* (WXN would make the program itself, which is writable, not executable.) */
    WRITE_REG(sctlr_el1, SCTLR_ON & ~(r >> 17 & 1 ? UINT64_C(1) << 23 : 0));
    tlb_flush_all();
    print("round %u TCR %lx\n", round, tcr >> 32);
    for (unsigned i = 0; i < 24; i++) {
        uint64_t a = va + (rnd() & 3) * PAGE + 0x100 + (rnd() & 0xf8), k = rnd(), v = rnd();
        unsigned which = k % (sizeof accesses / sizeof accesses[0] + 2);
        unsigned pan = k >> 8 & 1, uao = k >> 9 & 1;

        if (which >= sizeof accesses / sizeof accesses[0]) {
            try_el0(user + (which & 1 ? 8 : 0), a);
        } else {
            WRITE_REG(s3_0_c4_c2_3, pan << 22);
            WRITE_REG(s3_0_c4_c2_4, uao << 23);
            try_el1(accesses[which], a, v);
            WRITE_REG(s3_0_c4_c2_3, 0);
            WRITE_REG(s3_0_c4_c2_4, 0);
        }
        print(" %u%u%u %x:", which, pan, uao, (unsigned)(a - va) >> 12);
        if (fault.taken && fault.esr >> 26 != 0x15) {
            print("%02x.%x.%x", (unsigned)(fault.esr >> 26), (unsigned)(fault.esr & 0x1ffffff),
                  (unsigned)(fault.far - va));
        } else {
            print("%lx", fault.x0);
        }
    }
    print("\n flags");
    for (unsigned i = 0; i < 4; i++) {
        print(" %lx", *descriptor_4k(root, va + i * PAGE, 3) >> 6 & 0x33);
    }
    print("\n");
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
    uint8_t *page = page_alloc(4096), *code = page_alloc(4096);
    uint64_t user = WINDOW + (UINT64_C(2) << 30), zva = (uint64_t)page;

    for (unsigned k = 0; k < sizeof user_code / 4; k++) {
        ((volatile uint32_t *)code)[k] = user_code[k];
    }
    ((volatile uint32_t *)(page + 0x900))[0] = 0xd65f03c0;
    for (unsigned k = 0; k < 64; k++) {
        ((volatile uint32_t *)(page + 0x900))[k] = 0xd65f03c0;  /* ret: call() */
    }
    __asm__ volatile("ic iallu\ndsb sy\nisb");
    turn_on();
    zero(zva + 0x400, 0);
    *descriptor_4k(root, user, 3) = (uint64_t)code | PAGE_ATTR | AP_USER | AP_RO | PXN;
    for (unsigned i = 0; i < 100; i++) {
        one_round(i, (uint64_t)page, user);
    }
    WRITE_REG(sctlr_el1, 0x30d00800);
    ISB();
    print("done\n");
}
