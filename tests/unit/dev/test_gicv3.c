/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3, its parts joined directly: what one CPU sees, by the rules of IHI 0069. */
#include "gic_sim.h"

#include "../check.h"

static void test_discovery(void)
{
    struct sim *s = sim_new(3, true);
    CHECK((gicd_r(s, 4) & 31) == SIM_INTIDS / 32 - 1);
    CHECK((gicd_r(s, 0xffe8) >> 4 & 15) == 3);
    CHECK((gicr_r(s, 1, 0xffe8) >> 4 & 15) == 3);
    CHECK(gicr_r(s, 2, 0xc) == 0x100 && gicr_r(s, 1, 0xc) == 1);
    CHECK(frame_read(s->cpu[2], 0, 8, 8, 0) == (UINT64_C(0x100) << 32 | 2 << 8 | 0x30));
    CHECK(!(gicr_r(s, 1, 8) & 0x10));
    CHECK(gicr_r(s, 0, 0x14) == 6);
    gicr_w(s, 0, 0x14, 0);
    CHECK(gicr_r(s, 0, 0x14) == 0);
    icc_w(s, 0, SIM_PMR, 0xff);
    CHECK(icc_r(s, 0, SIM_PMR) == 0xf8);
    icc_w(s, 0, SIM_BPR1, 0);
    CHECK(icc_r(s, 0, SIM_BPR1) == 3);
    uint64_t v;
    CHECK(!gicv3_cpu_sysreg_read(s->cpu[0], SIM_ENC(12, 9, 1), &v), "ICC_AP1R1");
    sim_free(s);
}

static void test_spi_level(void)
{
    struct sim *s = sim_new(2, true);
    sim_boot(s);
    struct irq line = gicv3_dist_irq(s->dist, 40);
    gicd_route(s, 40, s->mpidr[1]);
    irq_set(&line, true);
    CHECK(!s->line[0].irq && s->line[1].irq && !s->line[1].fiq);
    CHECK(gicd_r(s, 0x204) == 1u << 8, "ISPENDR");
    irq_set(&line, false);
    CHECK(!s->line[1].irq);
    CHECK(icc_r(s, 1, SIM_IAR1) == 1023);
    irq_set(&line, true);
    CHECK(icc_r(s, 0, SIM_IAR1) == 1023);
    CHECK(icc_r(s, 1, SIM_HPPIR1) == 40);
    CHECK(icc_r(s, 1, SIM_IAR1) == 40);
    CHECK(!s->line[1].irq);
    CHECK(gicd_r(s, 0x304) == 1u << 8, "ISACTIVER");
    CHECK(icc_r(s, 1, SIM_RPR) == 0);
    icc_w(s, 1, SIM_EOIR1, 40);
    CHECK(icc_r(s, 1, SIM_RPR) == 0xff);
    CHECK(s->line[1].irq, "the level is still there");
    CHECK(icc_r(s, 1, SIM_IAR1) == 40);
    irq_set(&line, false);
    icc_w(s, 1, SIM_EOIR1, 40);
    CHECK(!s->line[1].irq);
    CHECK(gicd_r(s, 0x304) == 0 && gicd_r(s, 0x204) == 0);
    /* disabled; group off */
    irq_set(&line, true);
    gicd_bit(s, 0x180, 40);
    CHECK(!s->line[1].irq && !(gicd_r(s, 0) >> 31));
    gicd_bit(s, 0x100, 40);
    CHECK(s->line[1].irq);
    gicd_w(s, 0, 0);
    CHECK(!s->line[1].irq);
    gicd_w(s, 0, 2);
    CHECK(s->line[1].irq);
    /* a new route */
    gicd_route(s, 40, s->mpidr[0]);
    CHECK(!s->line[1].irq && s->line[0].irq);
    sim_free(s);
}

static void test_spi_edge(void)
{
    struct sim *s = sim_new(1, true);
    sim_boot(s);
    struct irq line = gicv3_dist_irq(s->dist, 50);
    gicd_edge(s, 50, true);
    irq_pulse(&line);
    irq_pulse(&line);
    CHECK(icc_r(s, 0, SIM_IAR1) == 50);
    CHECK(!s->line[0].irq);
    irq_pulse(&line);
    CHECK(!s->line[0].irq, "active and pending");
    CHECK(gicd_r(s, 0x204) >> 18 & 1);
    icc_w(s, 0, SIM_EOIR1, 50);
    CHECK(icc_r(s, 0, SIM_IAR1) == 50, "two edges before, one after");
    icc_w(s, 0, SIM_EOIR1, 50);
    CHECK(icc_r(s, 0, SIM_IAR1) == 1023);
    /* by software */
    gicd_bit(s, 0x200, 50);
    CHECK(s->line[0].irq);
    gicd_bit(s, 0x280, 50);
    CHECK(!s->line[0].irq);
    sim_free(s);
}

static void test_priorities(void)
{
    struct sim *s = sim_new(1, true);
    sim_boot(s);
    gicd_prio(s, 40, 0xa0);
    gicd_prio(s, 41, 0x87);
    CHECK(frame_read(s->dist, 0, 0x400 + 41, 1, 0) == 0x80, "5 bits");
    gicd_bit(s, 0x200, 40);
    CHECK(icc_r(s, 0, SIM_IAR1) == 40);
    CHECK(icc_r(s, 0, SIM_RPR) == 0xa0);
    gicd_bit(s, 0x200, 41);
    CHECK(s->line[0].irq, "preempts");
    icc_w(s, 0, SIM_PMR, 0x80);
    CHECK(!s->line[0].irq, "masked");
    icc_w(s, 0, SIM_PMR, 0x88);
    CHECK(s->line[0].irq);
    icc_w(s, 0, SIM_BPR1, 7);
    CHECK(!s->line[0].irq, "same group priority");
    icc_w(s, 0, SIM_BPR1, 5);
    CHECK(s->line[0].irq);
    CHECK(icc_r(s, 0, SIM_IAR1) == 41);
    CHECK(icc_r(s, 0, SIM_RPR) == 0x80);
    /* Split end: the priority drops first, the interrupt stays active. */
    icc_w(s, 0, SIM_CTLR, 2);
    icc_w(s, 0, SIM_EOIR1, 41);
    CHECK(icc_r(s, 0, SIM_RPR) == 0xa0);
    CHECK(gicd_r(s, 0x304) == 3u << 8);
    icc_w(s, 0, SIM_DIR, 41);
    CHECK(gicd_r(s, 0x304) == 1u << 8);
    icc_w(s, 0, SIM_EOIR1, 40);
    icc_w(s, 0, SIM_DIR, 40);
    CHECK(gicd_r(s, 0x304) == 0 && icc_r(s, 0, SIM_RPR) == 0xff);
    sim_free(s);
}

static void test_groups(void)
{
    struct sim *s = sim_new(1, true);
    sim_boot(s);
    icc_w(s, 0, SIM_IGRPEN0, 1);
    gicd_w(s, 0x84, ~0u & ~(1u << 3));      /* INTID 35 in group 0 */
    gicd_bit(s, 0x200, 35);
    CHECK(!s->line[0].fiq, "group 0 is off in GICD_CTLR");
    gicd_w(s, 0, 3);
    CHECK(s->line[0].fiq && !s->line[0].irq);
    CHECK(icc_r(s, 0, SIM_IAR1) == 1023);
    CHECK(icc_r(s, 0, SIM_IAR0) == 35);
    icc_w(s, 0, SIM_EOIR1, 35);
    CHECK(gicd_r(s, 0x304) == 1u << 3, "the wrong register");
    icc_w(s, 0, SIM_EOIR0, 35);
    CHECK(gicd_r(s, 0x304) == 0);
    sim_free(s);
}

static void test_sgi_ppi(void)
{
    struct sim *s = sim_new(4, true);
    sim_boot(s);
    icc_w(s, 0, SIM_SGI1R, 1 << 16 | 5 << 24 | 3);      /* Aff1 = 1: CPUs 2 and 3 */
    CHECK(!s->line[0].irq && !s->line[1].irq && s->line[2].irq && s->line[3].irq);
    CHECK(icc_r(s, 2, SIM_IAR1) == 5 && icc_r(s, 3, SIM_IAR1) == 5);
    icc_w(s, 2, SIM_SGI1R, UINT64_C(1) << 40 | 6 << 24);    /* all but itself */
    CHECK(s->line[0].irq && s->line[1].irq && !s->line[2].irq);
    CHECK(icc_r(s, 0, SIM_IAR1) == 6);
    icc_w(s, 0, SIM_SGI1R, 7 << 24 | 1);
    CHECK(!s->line[0].irq, "running at the same priority");
    icc_w(s, 0, SIM_EOIR1, 6);
    CHECK(icc_r(s, 0, SIM_IAR1) == 7);
    icc_w(s, 0, SIM_EOIR1, 7);

    struct irq timer = gicv3_cpu_irq(s->cpu[0], 27);
    irq_set(&timer, true);
    CHECK(icc_r(s, 0, SIM_IAR1) == 27);
    CHECK(gicr_r(s, 0, 0x10300) == 1u << 27);
    icc_w(s, 0, SIM_EOIR1, 27);
    CHECK(s->line[0].irq);
    irq_set(&timer, false);
    CHECK(!s->line[0].irq);
    gicr_w(s, 0, 0x10180, 1u << 27);
    irq_set(&timer, true);
    CHECK(!s->line[0].irq);
    device_reset(s->cpu[0]);
    CHECK(gicr_r(s, 0, 0x10100) == 0);
    sim_free(s);
}

static void test_one_of_n(void)
{
    struct sim *s = sim_new(2, true);
    sim_boot(s);
    gicd_route(s, 60, UINT64_C(1) << 31);
    gicd_bit(s, 0x200, 60);
    CHECK(s->line[0].irq != s->line[1].irq);
    unsigned cpu = s->line[1].irq;
    icc_w(s, cpu, SIM_IGRPEN1, 0);
    CHECK(!s->line[cpu].irq && s->line[!cpu].irq, "moves on");
    gicr_w(s, !cpu, 0, 1u << 25);       /* DPG1NS */
    CHECK(!s->line[!cpu].irq, "nobody takes it");
    icc_w(s, cpu, SIM_IGRPEN1, 1);
    CHECK(icc_r(s, cpu, SIM_IAR1) == 60);
    sim_free(s);
}

int main(void)
{
    test_discovery();
    test_spi_level();
    test_spi_edge();
    test_priorities();
    test_groups();
    test_sgi_ppi();
    test_one_of_n();
    return check_result();
}
