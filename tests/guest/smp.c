/* SPDX-License-Identifier: Apache-2.0 */
/* Two CPUs with caches on: exclusives, atomics, barriers, TLBI and IC that reach the other CPU,
 * SGIs, PSCI.  Run with -smp 2.  Prints sums, not orders. */
#include "guest.h"

#define ROUNDS 20000

static uint64_t *tables;
static volatile uint64_t go, arrived;
static volatile uint64_t counter_ex __attribute__((aligned(64)));
static volatile uint64_t counter_lse __attribute__((aligned(64)));
static volatile uint64_t counter_cas __attribute__((aligned(64)));
static volatile uint64_t pair[2] __attribute__((aligned(64)));
static volatile uint64_t data, flag;

static void mmu_on(void)
{
    if (!tables) {
        tables = page_alloc(PAGE);
        tables[0] = 0 | 1 | 1 << 2 | 1 << 10;                   /* 0: devices */
        tables[1] = 0x40000000 | 1 | 3 << 8 | 1 << 10;          /* 1 GiB of RAM */
    }
    WRITE_REG(mair_el1, 0xff);
    WRITE_REG(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | UINT64_C(2) << 32);
    WRITE_REG(ttbr0_el1, tables);
    ISB();
    __asm__ volatile("tlbi vmalle1\ndsb sy\nisb");
    WRITE_REG(sctlr_el1, 0x30d00800 | 1 | 1 << 2 | 1 << 12);
    ISB();
}

static void add_exclusive(volatile uint64_t *p)
{
    uint64_t v;
    uint32_t failed;

    do {
        __asm__ volatile("ldaxr %0, [%2]\nadd %0, %0, #1\nstlxr %w1, %0, [%2]"
                         : "=&r"(v), "=&r"(failed) : "r"(p) : "memory");
    } while (failed);
}

static void add_lse(volatile uint64_t *p)
{
    __asm__ volatile(".arch_extension lse\nstadd %1, %0" : "+Q"(*p) : "r"(UINT64_C(3)));
}

static void add_cas(volatile uint64_t *p)
{
    uint64_t old, seen;

    do {
        old = *p;
        seen = old;
        __asm__ volatile(".arch_extension lse\ncasal %0, %2, %1"
                         : "+r"(seen), "+Q"(*p) : "r"(old + 5) : "memory");
    } while (seen != old);
}

static void add_pair(volatile uint64_t *p)
{
    uint64_t a, b;
    uint32_t failed;

    do {
        __asm__ volatile("ldaxp %0, %1, [%3]\nadd %0, %0, #1\nsub %1, %1, #1\n"
                         "stlxp %w2, %0, %1, [%3]"
                         : "=&r"(a), "=&r"(b), "=&r"(failed) : "r"(p) : "memory");
    } while (failed);
}

static void meet(uint64_t phase)
{
    add_exclusive(&arrived);
    while (arrived < 2 * phase) {
        __asm__ volatile("wfe");
    }
    __asm__ volatile("dsb sy\nsev");
}

static void count(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        add_exclusive(&counter_ex);
        add_lse(&counter_lse);
        add_cas(&counter_cas);
        add_pair(pair);
    }
}

/* ---- message passing: the flag never arrives before the data ---- */

static volatile uint64_t wrong, seen_n;

static void send_messages(void)
{
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        while (__atomic_load_n(&seen_n, __ATOMIC_ACQUIRE) != i - 1) {
        }
        data = i;
        __asm__ volatile("dmb ishst" : : : "memory");
        flag = i;
    }
}

static void receive_messages(void)
{
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        while (flag != i) {
        }
        __asm__ volatile("dmb ishld" : : : "memory");
        if (data != i) {
            wrong++;
        }
        __atomic_store_n(&seen_n, i, __ATOMIC_RELEASE);
    }
}

/* ---- code changed by one CPU is seen by the other after IC IVAU and a handshake ---- */

static uint32_t *code;
static volatile uint64_t code_version, code_done, code_wrong;

static void write_code(uint32_t k)
{
    code[0] = 0x52800000u | k << 5;     /* movz w0, #k */
    code[1] = 0xd65f03c0u;              /* ret */
    __asm__ volatile("dc cvau, %0\ndsb ish\nic ivau, %0\ndsb ish\nisb" : : "r"(code) : "memory");
}

static void change_code(void)
{
    for (uint32_t i = 1; i <= 500; i++) {
        write_code(i);
        __atomic_store_n(&code_version, i, __ATOMIC_RELEASE);
        while (__atomic_load_n(&code_done, __ATOMIC_ACQUIRE) != i) {
        }
    }
}

static void run_code(void)
{
    for (uint32_t i = 1; i <= 500; i++) {
        while (__atomic_load_n(&code_version, __ATOMIC_ACQUIRE) != i) {
        }
        ISB();
        if (((uint32_t (*)(void))code)() != i) {
            code_wrong++;
        }
        __atomic_store_n(&code_done, i, __ATOMIC_RELEASE);
    }
}

/* ---- a page is moved by one CPU while the other reads it: never the old one after TLBI ---- */

static uint64_t *moving_entry;
static volatile uint64_t *moving, *page_a, *page_b;
static volatile uint64_t move_version, move_done, move_wrong;

static void move_page(void)
{
    for (uint64_t i = 1; i <= 2000; i++) {
        volatile uint64_t *to = i & 1 ? page_b : page_a;

        *to = i;
        *(volatile uint64_t *)moving_entry = (uint64_t)to | 3 | 3 << 8 | 1 << 10;
        __asm__ volatile("dsb ishst\ntlbi vaae1is, %0\ndsb ish\nisb"
                         : : "r"((uint64_t)moving >> 12) : "memory");
        __atomic_store_n(&move_version, i, __ATOMIC_RELEASE);
        while (__atomic_load_n(&move_done, __ATOMIC_ACQUIRE) != i) {
        }
    }
}

static void read_page(void)
{
    for (uint64_t i = 1; i <= 2000; i++) {
        while (__atomic_load_n(&move_version, __ATOMIC_ACQUIRE) != i) {
            (void)*moving;
        }
        if (*moving != i) {
            move_wrong++;
        }
        __atomic_store_n(&move_done, i, __ATOMIC_RELEASE);
    }
}

static void make_moving_page(void)
{
    uint64_t *l2 = page_alloc(PAGE), *l3 = page_alloc(PAGE);

    page_a = page_alloc(PAGE);
    page_b = page_alloc(PAGE);
    tables[4] = (uint64_t)l2 | 3;               /* 0x100000000 */
    l2[0] = (uint64_t)l3 | 3;
    moving = (uint64_t *)UINT64_C(0x100005000);
    moving_entry = &l3[5];
    *moving_entry = (uint64_t)page_a | 3 | 3 << 8 | 1 << 10;
    DSB();
}

void cpu_main(unsigned cpu)
{
    mmu_on();
    meet(1);
    count();
    meet(2);
    receive_messages();
    meet(3);
    run_code();
    meet(4);
    read_page();
    meet(5);
    psci(0x84000002, 0, 0, 0);          /* CPU_OFF */
}

void guest_main(void)
{
    tables = NULL;
    mmu_on();
    pair[1] = 1000000;
    code = page_alloc(PAGE);
    make_moving_page();
    write_code(0);
    print("PSCI version %lx\n", psci(0x84000000, 0, 0, 0) >> 16);
    print("CPU 7 on: %ld\n", cpu_on(7));
    print("CPU 1 affinity: %ld\n", psci(0xc4000004, 1, 0, 0));
    DSB();
    print("CPU 1 on: %ld\n", cpu_on(1));
    meet(1);
    print("CPU 1 affinity: %ld\n", psci(0xc4000004, 1, 0, 0));
    print("CPU 1 on again: %ld\n", cpu_on(1));
    count();
    meet(2);
    print("exclusive %lu, LSE %lu, CAS %lu, pair %lu %lu\n", counter_ex, counter_lse,
          counter_cas, pair[0], pair[1]);
    send_messages();
    meet(3);
    print("message passing: %lu wrong\n", wrong);
    change_code();
    meet(4);
    print("changed code: %lu wrong\n", code_wrong);
    move_page();
    meet(5);
    print("moved page: %lu wrong\n", move_wrong);
    while (psci(0xc4000004, 1, 0, 0) != 1) {
    }
    print("CPU 1 is off\n");
}
