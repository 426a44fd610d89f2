/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses to the fields of one struct that lies across two pages, of which the second is other
 * memory, not there or read-only: each access goes where it has to, and a fault in the
 * middle leaves what was before it.  (No pair of registers lies across: there QEMU stores the first
 * before it looks at the second.) */
#include "guest.h"

#define VA UINT64_C(0x80000000)
#define BLOCK_RW (1 << 10 | 3 << 8 | 1 << 2 | 1)
#define PAGE_RW (BLOCK_RW | 2)

static uint64_t *root;
static uint64_t sum;

static void mix(uint64_t v)
{
    sum = (sum ^ v) * UINT64_C(0x100000001b3) + (sum >> 29);
}

static uint64_t load_fields(uint64_t p, uint64_t unused)
{
    uint64_t r;

    __asm__ volatile("ldr x2, [%1, #8]\n"
                     "ldp x3, x4, [%1, #16]\n"
                     "ldr w5, [%1, #4]\n"
                     "ldrb w6, [%1, #63]\n"
                     "ldrsh x7, [%1, #50]\n"
                     "ldr x8, [%1, #32]!\n"
                     "ldr x9, [%1, #-32]\n"
                     "eor x2, x2, x3, ror #7\neor x2, x2, x4, ror #14\neor x2, x2, x5, ror #21\n"
                     "eor x2, x2, x6, ror #28\neor x2, x2, x7, ror #35\neor x2, x2, x8, ror #42\n"
                     "eor %0, x2, x9, ror #49\n"
                     : "=&r"(r), "+r"(p) : : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9",
                     "memory");
    return r;
}

static uint64_t store_fields(uint64_t p, uint64_t v)
{
    __asm__ volatile("str %1, [%0, #8]\n"
                     "stp %1, %0, [%0, #16]\n"
                     "str %w1, [%0, #4]\n"
                     "strb %w1, [%0, #63]\n"
                     "ldr x2, [%0, #8]\n"
                     "strh w2, [%0, #50]\n"
                     "stp x2, %1, [%0, #32]!\n"
                     "str wzr, [%0, #-32]\n"
                     : "+r"(p) : "r"(v) : "x2", "memory");
    return p;
}

/* The same from SP_EL0, so that a fault finds a stack. */
static uint64_t stack_fields(uint64_t p, uint64_t v)
{
    uint64_t r;

    __asm__ volatile("msr spsel, #0\nmov sp, %1\n"
                     "str %2, [sp, #16]\n"
                     "ldr x2, [sp, #24]\n"
                     "stp x2, %2, [sp, #-16]!\n"
                     "ldr x3, [sp, #40]\n"
                     "add sp, sp, #48\n"
                     "ldr x4, [sp, #-24]\n"
                     "msr spsel, #1\nadd %0, x3, x4\n"
                     : "=&r"(r) : "r"(p & ~UINT64_C(15)), "r"(v) : "x2", "x3", "x4", "memory");
    return r;
}

static void attempt(uint64_t (*fn)(uint64_t, uint64_t), uint64_t a, uint64_t v)
{
    bool taken = try_el1(fn, a, v);

    mix(taken);
    mix(fault.esr);
    mix(taken ? fault.far : fault.x0);
    mix(taken ? fault.elr - (uint64_t)fn : 0);
}

static uint8_t *a, *b;          /* what is mapped */

static void scenario(const char *name, uint64_t first, uint64_t second)
{
    *descriptor_4k(root, VA, 3) = first;
    *descriptor_4k(root, VA + PAGE, 3) = second;
    tlb_flush_all();
    sum = 1;
    for (unsigned round = 0; round < 3; round++) {
        for (int k = -96; k <= 16; k += 16) {
            for (unsigned i = 0; i < 128; i++) {
                a[PAGE - 128 + i] = i * 7 + round;
                a[i] = b[i] = i * 11 + round;
            }
            attempt(load_fields, VA + PAGE + k, 0);
            attempt(store_fields, VA + PAGE + k, 0x1122334455667788 + k);
            attempt(stack_fields, VA + PAGE + k, 0x99 + k);
            for (unsigned i = 0; i < 128; i++) {
                mix(a[PAGE - 128 + i] | a[i] << 8 | b[i] << 16);
            }
        }
    }
    print("%s: %lx\n", name, sum);
}

void guest_main(void)
{
    uint64_t ok_a, ok_b;

    a = page_alloc(PAGE);
    b = page_alloc(PAGE);
    ok_a = (uint64_t)a | PAGE_RW;
    ok_b = (uint64_t)b | PAGE_RW;
    root = page_alloc(PAGE);
    for (uint64_t pa = 0x40000000; pa < 0x48000000; pa += 0x200000) {
        *descriptor_4k(root, pa, 2) = pa | BLOCK_RW;
    }
    *descriptor_4k(root, 0x09000000, 3) = 0x09000000 | 1 << 10 | 3;
    WRITE_REG(mair_el1, 0xff00);
    WRITE_REG(tcr_el1, 16 | 1 << 23 | UINT64_C(2) << 32 | 1 << 8 | 1 << 10 | 3 << 12);
    WRITE_REG(ttbr0_el1, (uint64_t)root);
    ISB();
    tlb_flush_all();
    WRITE_REG(sctlr_el1, (READ_REG(sctlr_el1) | 1 << 12 | 1 << 3 | 1 << 2 | 1) & ~UINT64_C(2));
    ISB();
    scenario("other memory", ok_a, ok_b);
    scenario("the same page", ok_a, ok_a);
    scenario("nothing", ok_a, 0);
    scenario("read-only", ok_a, ok_b | 1 << 7);
    scenario("first read-only", ok_a | 1 << 7, ok_b);
    print("done\n");
}
