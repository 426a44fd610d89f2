/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that the manual demands and QEMU 7.2 leaves out; strict.expected has the answers
 * (DDI 0487: D1.8.2 SP alignment, B2.5.2 and D8.14.8 access to Device memory with the MMU off). */
#include "guest.h"

#define CODE(name, insn) \
    extern uint64_t name(uint64_t, uint64_t); \
    __asm__(".pushsection .text\n.balign 16\n" #name ":\n" insn "\nret\n.popsection\n")

CODE(do_load, "ldr x0, [x0]");
CODE(do_store, "str x0, [x0]");
CODE(do_load_pair, "ldp x0, x1, [x0]");
CODE(do_simd, "ldr q0, [x0]");
CODE(do_dc_zva, "dc zva, x0");
/* The address is aligned, SP is not; and the reverse. */
CODE(do_sp_index, "mov x1, #8\nsub sp, sp, #8\nldr x0, [sp, x1]\nsvc #4");
CODE(do_sp_index_far, "mov x1, #1\nsub sp, sp, #8\nstr w1, [sp, w1, uxtw #2]\nsvc #4");
CODE(do_sp_aligned, "mov x1, #8\nsub sp, sp, #32\nstr x1, [sp, x1]\nldr x0, [sp, #8]\nsvc #5");
CODE(do_sp_el0, "sub sp, sp, #8\nldr x11, [sp]\nsvc #3");

static void el1(const char *name, uint64_t (*fn)(uint64_t, uint64_t), uint64_t a)
{
    try_el1(fn, a, 0);
    fault.spsr = 0;
    print_fault(name, (uint64_t)fn);
}

void guest_main(void)
{
    /* EC 25, DFSC 21: alignment fault; WnR for the store. */
    el1("unaligned load", do_load, 0x40300003);
    print("FAR %lx\n", fault.far);
    el1("unaligned store", do_store, 0x40300001);
    el1("unaligned pair", do_load_pair, 0x40300004);
    el1("unaligned vector", do_simd, 0x40300008);
    el1("dc zva", do_dc_zva, 0x40300000);
    print("FAR %lx\n", fault.far);
    /* (At EL1h a misaligned SP with SA = 1 would never leave the handler.) */
    WRITE_REG(sctlr_el1, READ_REG(sctlr_el1) | 1 << 4);         /* SA0 */
    ISB();
    try_el0((uint64_t)do_sp_el0, 0);
    fault.spsr = 0;
    print_fault("EL0 misaligned sp", (uint64_t)do_sp_el0);
    for (unsigned i = 0; i < 3; i++) {
        static uint64_t (*const with_index[])(uint64_t, uint64_t) = {
            do_sp_index, do_sp_index_far, do_sp_aligned,
        };
        try_el0((uint64_t)with_index[i], 0);
        fault.spsr = 0;
        print_fault("EL0 sp with an index", (uint64_t)with_index[i]);
        print("x0 %lx\n", fault.x0);
    }
}
