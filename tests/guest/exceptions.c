/* SPDX-License-Identifier: Apache-2.0 */
/* Synchronous exceptions from EL1 and EL0 with the MMU off: syndromes, return addresses. */
#include "guest.h"

/* One instruction and a return; `name##_code` is the instruction's address. */
#define CODE(name, insn) \
    extern uint64_t name(uint64_t, uint64_t); \
    __asm__(".pushsection .text\n.balign 16\n" #name ":\n" insn "\nret\n.popsection\n")

CODE(do_svc, "svc #0x1234");
CODE(do_brk, "brk #0x42");
CODE(do_udf, "udf #7");
CODE(do_unallocated, ".inst 0x00ffffff");
CODE(do_smc_undef, "mrs x0, s3_6_c1_c1_0");     /* SCR_EL3 is not for EL1 */
CODE(do_unknown_reg, "mrs x0, s3_5_c15_c15_7");
CODE(do_hlt, "hlt #0x77");
CODE(do_branch, "br x0");
CODE(do_load, "ldr x0, [x0]");
CODE(do_store, "str x0, [x0]");
CODE(do_ldxr, "ldxr x0, [x0]");
CODE(do_ldar, "ldar x0, [x0]");
CODE(do_fp, "fmov d0, #1.0");
CODE(do_simd_load, "ldr q0, [x0]");
CODE(do_eret_illegal, "mov x9, #0x3d5\nmsr spsr_el1, x9\nadr x9, 1f\nmsr elr_el1, x9\neret\n1: nop\nnop");
CODE(do_daif, "msr daifset, #2\nmsr daifclr, #2");
CODE(do_dc_zva, "dc zva, x0");
CODE(do_dczid, "mrs x0, dczid_el0\nsvc #3");
CODE(do_vbar, "mrs x1, vbar_el1\nmsr vbar_el1, x0\nmrs x0, vbar_el1\nmsr vbar_el1, x1");
CODE(do_context, "msr contextidr_el1, x0\nmrs x0, contextidr_el1");
CODE(do_spsr, "msr spsr_el1, x0\nmrs x0, spsr_el1");
CODE(do_esr, "msr esr_el1, x0\nmrs x0, esr_el1");
CODE(do_daif_all, "mrs x1, daif\nmsr daif, x0\nmrs x0, daif\nmsr daif, x1");
CODE(do_daif_clear, "mrs x1, daif\nmsr daifset, #15\nmsr daifclr, #5\nmrs x0, daif\nmsr daif, x1");
CODE(do_fpen, "mov x1, #0x300000\nmsr cpacr_el1, xzr\nisb\nfmov d0, #1.0");
CODE(do_mrs_el1, "mrs x0, sctlr_el1");
CODE(do_ctr, "mrs x0, ctr_el0\nsvc #2");
CODE(do_wfi, "wfi");
CODE(do_ic, "ic ivau, x0");
CODE(do_cntpct, "mrs x0, cntpct_el0");
CODE(do_cntvct, "mrs x0, cntvct_el0");
CODE(do_pmccntr, "mrs x0, pmccntr_el0");
CODE(do_tpidr, "msr tpidr_el0, x0\nmrs x0, tpidr_el0\nsvc #1");
CODE(do_tpidrro, "msr tpidrro_el0, x0");
CODE(do_id, "mrs x0, midr_el1");
CODE(do_hvc, "mov x9, x30\nhvc #5\nmov x30, x9");

static void el1(const char *name, uint64_t (*fn)(uint64_t, uint64_t), uint64_t a)
{
    try_el1(fn, a, 0);
    print_fault(name, (uint64_t)fn);
}

static void el0(const char *name, uint64_t (*fn)(uint64_t, uint64_t), uint64_t a)
{
    try_el0((uint64_t)fn, a);
    print("EL0 ");
    print_fault(name, (uint64_t)fn);
}

/* Registers that are fields, with the bits that are kept. */
static void fields(void)
{
    print("VBAR %lx\n", do_vbar(0xffff12345678a800, 0));
    print("CONTEXTIDR %lx\n", do_context(0x9abcdef0, 0));
    print("SPSR %lx ESR %lx\n", do_spsr(0xf03003c5, 0), do_esr(0xfedcba98, 0));
    for (unsigned i = 0; i < 16; i++) {
        print(" %lx", do_daif_all(~UINT64_C(0x3c0) | i << 6, 0));
    }
    print("\nDAIFClr %lx\n", do_daif_clear(0, 0));
    print("DCZID %lx\n", READ_REG(dczid_el0));
}

static void from_el1(void)
{
    el1("svc", do_svc, 0);
    el1("brk", do_brk, 0);
    el1("udf", do_udf, 0);
    el1("unallocated", do_unallocated, 0);
    el1("EL3 register", do_smc_undef, 0);
    el1("unknown register", do_unknown_reg, 0);
    el1("hlt", do_hlt, 0);
    try_el1(do_branch, 0x40200002, 0);
    print_fault("misaligned pc", 0x40200002);
    print("FAR %lx\n", fault.far);
    el1("illegal return", do_eret_illegal, 0);
    el1("daif", do_daif, 0);
    el1("unaligned exclusive", do_ldxr, 0x40300004);
    el1("unaligned acquire", do_ldar, 0x40300004);
    el1("nothing there", do_load, 0xb000000);
    print("FAR %lx\n", fault.far);
    el1("nothing there, store", do_store, 0xb000000);
    el1("FP switched off", do_fpen, 0);
    WRITE_REG(cpacr_el1, 3 << 20);
    ISB();
    WRITE_REG(cpacr_el1, 0);
    ISB();
    el1("fp off", do_fp, 0);
    el1("simd load, fp off", do_simd_load, 0x40300000);
    WRITE_REG(cpacr_el1, 1 << 20);
    ISB();
    el1("fp on for EL1", do_fp, 0);
    el0("fp off for EL0", do_fp, 0);
    WRITE_REG(cpacr_el1, 3 << 20);
    ISB();
}

static void from_el0(void)
{
    el0("svc", do_svc, 0);
    el0("brk", do_brk, 0);
    el0("udf", do_udf, 0);
    el0("hvc", do_hvc, 0);
    el0("misaligned pc", do_branch, 0x40200001);
    el0("sctlr_el1", do_mrs_el1, 0);
    /* (QEMU 7.2 puts op2 of MSR DAIFSet where op1 belongs.) */
    try_el0((uint64_t)do_daif, 0);
    fault.esr &= ~(UINT64_C(7) << 17 | UINT64_C(7) << 14);
    print_fault("EL0 daif", (uint64_t)do_daif);
    el0("midr_el1", do_id, 0);
    el0("tpidr", do_tpidr, 0x1122334455667788);
    print("x0 %lx\n", fault.x0);
    el0("write tpidrro", do_tpidrro, 0);
    WRITE_REG(sctlr_el1, 0x30d00800);
    ISB();
    el0("ctr, UCT=0", do_ctr, 0);
    el0("wfi, nTWI=0", do_wfi, 0);
    el0("ic, UCI=0", do_ic, 0x40200000);
    el0("dc zva, DZE=0", do_dc_zva, 0x40300000);
    WRITE_REG(cntkctl_el1, 0);
    ISB();
    el0("cntpct, off", do_cntpct, 0);
    el0("cntvct, off", do_cntvct, 0);
    el0("pmccntr, off", do_pmccntr, 0);
    WRITE_REG(sctlr_el1, 0x30d08800);       /* UCT */
    ISB();
    try_el0((uint64_t)do_ctr, 0);           /* returns to where LR was: an abort at 0 */
    print("EL0 ctr, UCT=1: x0 %lx\n", fault.x0);
    el0("dczid, DZE=0", do_dczid, 0);
    print("x0 %lx\n", fault.x0);
    WRITE_REG(sctlr_el1, 0x30d04800);       /* DZE */
    ISB();
    el0("dczid, DZE=1", do_dczid, 0);
    print("x0 %lx\n", fault.x0);
    el0("ctr, UCT=0 again", do_ctr, 0);
}

void guest_main(void)
{
    print("CurrentEL %lx DAIF %lx SPSel %lx\n", READ_REG(CurrentEL), READ_REG(daif),
          READ_REG(SPSel));
    fields();
    from_el1();
    from_el0();
    print("done\n");
}
