/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter and what lies around it: instructions, exceptions, system registers. */
#include "../check.h"
#include "flat.h"
#include "isa/a64/esr.h"

static void test_loop(void)
{
    struct flat *f = flat_new("cortex-a72");
    uint32_t *p = flat_word(f, FLAT_RAM);
    p[0] = 0xd2800000;              /* mov  x0, #0 */
    p[1] = 0xd2807d01;              /* mov  x1, #1000 */
    p[2] = 0x8b010000;              /* add  x0, x0, x1 */
    p[3] = 0xf1000421;              /* subs x1, x1, #1 */
    p[4] = 0x54ffffc1;              /* b.ne .-8 */
    p[5] = 0xd503207f;              /* wfi */
    uint64_t n = interp_run(&f->cpu, 2 + 3 * 1000 + 1);
    CHECK(n == 3003 && f->cpu.x[0] == 500500 && f->waits == 1);
    CHECK(f->cpu.pc == FLAT_RAM + 24, "%lx", f->cpu.pc);
    flat_free(f);
}

static void test_memory(void)
{
    struct flat *f = flat_new("max");
    struct a64_cpu *c = &f->cpu;
    flat_mmu(f, false);
    c->x[1] = FLAT_RAM + 0x2ffc;
    c->x[2] = UINT64_C(0x1122334455667788);
    flat_insn(f, 0xf9000022);       /* str x2, [x1]: over a page boundary */
    CHECK(*(uint32_t *)(f->ram + 0x2ffc) == 0x55667788);
    CHECK(*(uint32_t *)(f->ram + 0x3000) == 0x11223344);
    flat_insn(f, 0x38401c23);       /* ldrb w3, [x1, #1]! */
    CHECK(c->x[3] == 0x77 && c->x[1] == FLAT_RAM + 0x2ffd);
    flat_insn(f, 0x39800024);       /* ldrsb x4, [x1] */
    CHECK(c->x[4] == 0x77);
    flat_insn(f, 0x38dff425);       /* ldrsb w5, [x1], #-1 */
    CHECK(c->x[5] == 0x77 && c->x[1] == FLAT_RAM + 0x2ffc);
    flat_insn(f, 0x39800024);       /* ldrsb x4, [x1] */
    CHECK(c->x[4] == ~UINT64_C(0x77));
    c->x[1] = FLAT_RAM + 0x2000;
    flat_insn(f, 0xa9000824);       /* stp x4, x2, [x1] */
    flat_insn(f, 0xa9402026);       /* ldp x6, x8, [x1] */
    CHECK(c->x[6] == c->x[4] && c->x[8] == c->x[2]);
    flat_insn(f, 0xc85f7c29);       /* ldxr x9, [x1] */
    flat_insn(f, 0xc80a7c22);       /* stxr w10, x2, [x1] */
    CHECK(c->x[10] == 0 && *flat_dword(f, FLAT_RAM + 0x2000) == c->x[2]);
    flat_insn(f, 0xc80a7c22);       /* stxr w10, x2, [x1]: without a reservation */
    CHECK(c->x[10] == 1);
    c->x[3] = 5;
    flat_insn(f, 0xf823002b);       /* ldadd x3, x11, [x1] */
    CHECK(c->x[11] == c->x[2] && *flat_dword(f, FLAT_RAM + 0x2000) == c->x[2] + 5);
    flat_insn(f, 0xd50b7421);       /* dc zva, x1 */
    CHECK(*flat_dword(f, FLAT_RAM + 0x2000) == 0 && *flat_dword(f, FLAT_RAM + 0x2038) == 0);
    /* A device register, and nothing at all. */
    c->x[1] = 0x9000000;
    flat_insn(f, 0xb9000422);       /* str w2, [x1, #4] */
    CHECK(f->mmio_last == 0x9000004 && f->mmio_bytes == 4 && f->mmio_value == 0x55667788);
    c->x[1] = FLAT_RAM + 0x10000000;
    uint64_t pc = c->pc;
    flat_insn(f, 0xf9400022);       /* ldr x2, [x1] */
    CHECK(c->pc == c->vbar_el1 + 0x200 && c->elr_el1 == pc && c->far_el1 == c->x[1]);
    CHECK(c->esr_el1 >> 26 == A64_EC_DABORT_SAME && (c->esr_el1 & 63) == A64_FSC_EXTERNAL);
    flat_free(f);
}

static void test_exceptions(void)
{
    struct flat *f = flat_new("max");
    struct a64_cpu *c = &f->cpu;
    c->sp = FLAT_RAM + 0x8000;
    c->sp_el[0] = FLAT_RAM + 0x9000;
    c->elr_el1 = FLAT_RAM + 0x100;
    c->spsr_el1 = 0x60000000;       /* EL0t, Z, C */
    flat_insn(f, 0xd69f03e0);       /* eret */
    CHECK(c->el == 0 && c->pc == FLAT_RAM + 0x100 && c->sp == FLAT_RAM + 0x9000 && !c->daif);
    CHECK(a64_nzcv_get(c) == 0x60000000);
    flat_insn(f, 0xd4000541);       /* svc #42 */
    CHECK(c->el == 1 && c->pc == c->vbar_el1 + 0x400 && c->elr_el1 == FLAT_RAM + 0x104);
    CHECK(c->esr_el1 == (A64_EC_SVC64 << 26 | A64_ESR_IL | 42) && c->daif == 15);
    CHECK(c->sp == FLAT_RAM + 0x8000 && c->spsr_el1 == 0x60000000 && c->pan == 0);
    /* Back; EL1 registers are undefined at EL0. */
    flat_insn(f, 0xd69f03e0);
    flat_insn(f, 0xd5381000);       /* mrs x0, sctlr_el1 */
    CHECK(c->el == 1 && c->esr_el1 >> 26 == A64_EC_UNKNOWN);
    CHECK(c->elr_el1 == FLAT_RAM + 0x104);
    /* CTR_EL0 traps while SCTLR_EL1.UCT is 0; the reset value has it 0. */
    c->sctlr_el1 &= ~(UINT64_C(1) << 15);
    flat_insn(f, 0xd69f03e0);
    flat_insn(f, 0xd53b0025);       /* mrs x5, ctr_el0 */
    CHECK(c->esr_el1 == (A64_EC_SYSREG << 26 | A64_ESR_IL | 3 << 20 | 1 << 17 | 3 << 14 |
                         5 << 5 | 1), "%lx", c->esr_el1);
    /* An interrupt is taken when it is unmasked. */
    c->irq_line = 1;
    CHECK(!a64_take_interrupt(c));
    uint64_t pc = c->pc;
    flat_insn(f, 0xd50342ff);       /* msr daifclr, #2 */
    CHECK((c->poll & A64_POLL_IRQ) && c->pc == pc + 4);
    CHECK(a64_take_interrupt(c) && c->pc == c->vbar_el1 + 0x280 && c->elr_el1 == pc + 4);
    /* Illegal exception return: to EL2. */
    c->poll = 0;
    c->spsr_el1 = 9;
    c->irq_line = 0;
    c->elr_el1 = FLAT_RAM + 0x200;
    flat_insn(f, 0xd69f03e0);
    CHECK(c->il && c->el == 1 && c->pc == FLAT_RAM + 0x200);
    interp_run(c, 1);
    CHECK(c->esr_el1 >> 26 == A64_EC_ILLEGAL_STATE && (c->spsr_el1 >> 20 & 1) && !c->il);
    /* FP is off after reset. */
    flat_insn(f, 0xd53b4400);       /* mrs x0, fpcr */
    CHECK(c->esr_el1 == (A64_EC_FP_ACCESS << 26 | A64_ESR_IL | 1 << 24 | 0xe << 20));
    flat_insn(f, 0x00000000);       /* udf */
    CHECK(c->esr_el1 >> 26 == A64_EC_UNKNOWN);
    /* PC alignment. */
    c->x[0] = FLAT_RAM + 0x102;
    flat_insn(f, 0xd61f0000);       /* br x0 */
    interp_run(c, 1);
    CHECK(c->esr_el1 >> 26 == A64_EC_PC_ALIGN && c->far_el1 == FLAT_RAM + 0x102);
    c->sp = FLAT_RAM + 0x8008;
    flat_insn(f, 0xf94003e0);       /* ldr x0, [sp] */
    CHECK(c->esr_el1 >> 26 == A64_EC_SP_ALIGN);
    flat_free(f);
}

static void test_self_modifying(void)
{
    struct flat *f = flat_new("max");
    uint32_t *p = flat_word(f, FLAT_RAM);
    f->cpu.x[1] = FLAT_RAM + 24;
    f->cpu.x[2] = 0xd2800aa0;       /* mov x0, #85 */
    p[0] = 0x14000006;              /* b .+24: decodes the target's page */
    p[1] = 0xb9000022;              /* str w2, [x1] */
    p[2] = 0xd50b7521;              /* ic ivau, x1 */
    p[3] = 0xd5033b9f;              /* dsb ish */
    p[4] = 0xd5033fdf;              /* isb */
    p[5] = 0xd503201f;              /* nop */
    p[6] = 0xd2800540;              /* mov x0, #42 */
    p[7] = 0x17fffffa;              /* b .-24 */
    interp_run(&f->cpu, 3);
    CHECK(f->cpu.x[0] == 42);
    interp_run(&f->cpu, 6);
    CHECK(f->cpu.x[0] == 85 && f->broadcasts == 1);
    flat_free(f);
}

/* What is run seldom: to a taken branch, the page's end, an exception; nothing stays decoded. */
static void test_straight(void)
{
    struct flat *f = flat_new("max");
    struct a64_cpu *c = &f->cpu;
    uint32_t *p = flat_word(f, FLAT_RAM + 0xff0);
    uint64_t vector;
    p[0] = 0xd2800020;              /* mov  x0, #1 */
    p[1] = 0xb4000080;              /* cbz  x0, .+16: not taken */
    p[2] = 0xd50342ff;              /* msr  daifclr, #2: looks again, and goes on */
    p[3] = 0x91000400;              /* add  x0, x0, #1 */
    p[4] = 0x91000400;              /* add  x0, x0, #1: another page */
    p[5] = 0x14000002;              /* b    .+8 */
    p[6] = 0xd2800000;              /* mov  x0, #0 */
    p[7] = 0xd4000541;              /* svc  #42 */
    p[8] = 0xd2800000;              /* mov  x0, #0 */
    c->pc = FLAT_RAM + 0xff0;
    interp_run_straight(c, 40);
    CHECK(c->pc == FLAT_RAM + 0x1000 && c->x[0] == 2, "%lx", c->pc);
    interp_run_straight(c, 40);
    CHECK(c->pc == FLAT_RAM + 0x100c && c->x[0] == 3, "%lx", c->pc);
    vector = c->vbar_el1 + 0x200;
    interp_run_straight(c, 40);
    CHECK(c->pc == vector && c->elr_el1 == FLAT_RAM + 0x1010 && c->x[0] == 3, "%lx", c->pc);
    p[0] = 0xd2800540;              /* mov  x0, #42 */
    c->pc = FLAT_RAM + 0xff0;
    interp_run_straight(c, 2);
    CHECK(c->pc == FLAT_RAM + 0xff8 && c->x[0] == 42, "%lx", c->pc);
    c->btype = 1;                   /* the page is not guarded: only to be forgotten */
    c->poll = 1;                    /* at least one instruction */
    interp_run_straight(c, 40);
    CHECK(c->pc == FLAT_RAM + 0xffc && !c->btype, "%lx", c->pc);
    flat_free(f);
}

int main(void)
{
    test_loop();
    test_memory();
    test_exceptions();
    test_self_modifying();
    test_straight();
    return check_result();
}
