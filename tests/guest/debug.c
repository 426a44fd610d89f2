/* SPDX-License-Identifier: Apache-2.0 */
/* Self-hosted debug as a kernel uses it for its processes: software step, hardware breakpoints,
 * watchpoints; and PSTATE fields that exceptions save. */
#include "guest.h"

#define SPSR_SS (1u << 21)
#define MDSCR_SS 1u
#define MDSCR_KDE (1u << 13)
#define MDSCR_MDE (1u << 15)

#define CODE(name, insn) \
    extern uint64_t name(uint64_t, uint64_t); \
    __asm__(".pushsection .text\n.balign 64\n" #name ":\n" insn "\n.popsection\n")

CODE(stepped, "mov x0, #1\nmov x0, #2\nb 1f\nnop\n1: mov x0, #3\nsvc #7");
CODE(touch, "ldr x1, [x0]\nldrb w1, [x0, #5]\nstr x1, [x0]\nstp x1, x1, [x0, #-8]\nsvc #8");

/* To EL0 at x0 with SPSR x1. */
CODE(enter, "msr elr_el1, x0\nmsr spsr_el1, x1\nmov x0, #0\neret");
CODE(faulting, "ldr x1, [x0]\nsvc #9");

static void show(const char *what, uint64_t base)
{
    print("%s: EC %02x ISS %06x ELR +%lx SS %u x0 %lx\n", what,
          (unsigned)(fault.esr >> 26), (unsigned)(fault.esr & 0x1ffffff), fault.elr - base,
          (unsigned)(fault.spsr >> 21 & 1), fault.x0);
}

/* Steps until an SVC ends it. */
static void steps(const char *name, uint64_t (*code)(uint64_t, uint64_t), unsigned limit)
{
    uint64_t base = (uint64_t)code, pc = base;

    print(" %s\n", name);
    WRITE_REG(mdscr_el1, MDSCR_SS);
    ISB();
    for (unsigned i = 0; i < limit; i++) {
        try_el1(enter, pc, SPSR_SS);
        show("step", base);
        pc = fault.elr;
        if (fault.esr >> 26 != 0x32) {
            break;
        }
    }
    try_el1(enter, base, 0);            /* pending at once */
    show("without SPSR.SS", base);
    WRITE_REG(mdscr_el1, 0);
    ISB();
    try_el1(enter, base, SPSR_SS);
    show("MDSCR.SS off", base);
}

static void breakpoints(void)
{
    uint64_t base = (uint64_t)stepped;

    WRITE_REG(dbgbvr0_el1, base + 4);
    WRITE_REG(dbgbcr0_el1, 1 | 2 << 1 | 0xf << 5);              /* EL0, all four bytes */
    WRITE_REG(mdscr_el1, MDSCR_MDE);
    ISB();
    try_el0(base, 0);
    show("breakpoint at EL0", base);
    WRITE_REG(dbgbcr0_el1, 1 | 1 << 1 | 0xf << 5);              /* EL1 only */
    ISB();
    try_el0(base, 0);
    show("breakpoint for EL1", base);
    WRITE_REG(dbgbcr0_el1, 1 | 2 << 1 | 0xf << 5);
    WRITE_REG(mdscr_el1, 0);
    ISB();
    try_el0(base, 0);
    show("MDE off", base);
    WRITE_REG(dbgbcr0_el1, 0);
    ISB();
}

static uint8_t target[64] __attribute__((aligned(64)));

static void watch(const char *what, uint64_t va, uint64_t wcr)
{
    uint64_t base = (uint64_t)touch;

    WRITE_REG(dbgwvr0_el1, va);
    WRITE_REG(dbgwcr0_el1, wcr);
    ISB();
    try_el0(base, (uint64_t)target + 16);
    print("%s: EC %02x ISS %06x ELR +%lx\n", what, (unsigned)(fault.esr >> 26),
          (unsigned)(fault.esr & 0x1ffffff), fault.elr - base);
    WRITE_REG(dbgwcr0_el1, 0);
    ISB();
}

static void watchpoints(void)
{
    uint64_t t = (uint64_t)target;

    WRITE_REG(mdscr_el1, MDSCR_MDE);
    ISB();
    /* E, PAC = EL0 (2), LSC 1 load 2 store 3 both, BAS */
    watch("load 8", t + 16, 1 | 2 << 1 | 1 << 3 | 0xff << 5);
    watch("store 8", t + 16, 1 | 2 << 1 | 2 << 3 | 0xff << 5);
    watch("byte 5, load", t + 16, 1 | 2 << 1 | 1 << 3 | 0x20 << 5);
    watch("before, store", t + 8, 1 | 2 << 1 | 2 << 3 | 0xff << 5);
    watch("EL1 only", t + 16, 1 | 1 << 1 | 3 << 3 | 0xff << 5);
    watch("elsewhere", t + 40, 1 | 2 << 1 | 3 << 3 | 0xff << 5);
    watch("mask of 32", t, 1 | 2 << 1 | 2 << 3 | 0xff << 5 | 5 << 24);
    WRITE_REG(mdscr_el1, 0);
    ISB();
}

static void registers(void)
{
    print("OSLSR %lx\n", READ_REG(oslsr_el1));
    WRITE_REG(oslar_el1, 1);
    ISB();
    print("OSLSR %lx\n", READ_REG(oslsr_el1));
    WRITE_REG(oslar_el1, 0);
    ISB();
}

void guest_main(void)
{
    WRITE_REG(oslar_el1, 0);
    ISB();
    registers();
    steps("plain code", stepped, 8);
    steps("a fault", faulting, 2);
    breakpoints();
    watchpoints();
    print("done\n");
}
