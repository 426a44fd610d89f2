/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts of a GICv3 and of the generic timer on one CPU: acknowledge, priorities, masking,
 * EOI modes, pending and active state, levels, SGIs, an SPI from a device (PL031). */
#include "guest.h"

#define GICD UINT64_C(0x08000000)
#define GICR UINT64_C(0x080a0000)
#define SGI_BASE (GICR + 0x10000)
#define RTC UINT64_C(0x09010000)

#define ICC_IAR1 S3_0_C12_C12_0
#define ICC_EOIR1 S3_0_C12_C12_1
#define ICC_HPPIR1 S3_0_C12_C12_2
#define ICC_BPR1 S3_0_C12_C12_3
#define ICC_DIR S3_0_C12_C11_1
#define ICC_RPR S3_0_C12_C11_3
#define ICC_SGI1R S3_0_C12_C11_5
#define ICC_PMR S3_0_C4_C6_0
#define ICC_CTLR S3_0_C12_C12_4
#define ICC_SRE S3_0_C12_C12_5
#define ICC_IGRPEN1 S3_0_C12_C12_7

#define CODE(name, insn) \
    extern uint64_t name(uint64_t, uint64_t); \
    __asm__(".pushsection .text\n.balign 64\n.global " #name "\n" #name ":\n" insn "\n.popsection\n")

/* ERET to x0 with SPSR x1; MSR DAIF of x0; where the first two go. */
CODE(go, "msr elr_el1, x0\nmsr spsr_el1, x1\nmov x0, #0\neret");
CODE(set_daif, "msr daif, x0\nnop\nmsr daifset, #2\nret");
CODE(arrive, "mov x0, #5\nadd x0, x0, #1\nsvc #3");

static volatile unsigned taken_n, taken[16];
static volatile uint64_t rpr_inside, elr_inside, spsr_inside;

static void on_irq(struct frame *f)
{
    uint64_t id = READ_REG(ICC_IAR1);

    taken[taken_n++ & 15] = id;
    elr_inside = f->elr;
    spsr_inside = f->spsr;
    rpr_inside = READ_REG(ICC_RPR);
    if (id == 27) {
        WRITE_REG(cntv_ctl_el0, 0);
    } else if (id == 30) {
        WRITE_REG(cntp_ctl_el0, 0);
    } else if (id == 34) {
        mmio_write(RTC + 0x1c, 1);
    }
    WRITE_REG(ICC_EOIR1, id);
}

static void irqs_on(void)
{
    __asm__ volatile("msr daifclr, #2\nisb\nnop\nnop" : : : "memory");
}

static void irqs_off(void)
{
    __asm__ volatile("msr daifset, #2\nisb" : : : "memory");
}

static void report(const char *what)
{
    print("%s:", what);
    for (unsigned i = 0; i < taken_n; i++) {
        print(" %u", taken[i]);
    }
    print(" (RPR %lx)\n", rpr_inside);
    taken_n = 0;
    rpr_inside = 0;
}

static void sgi(unsigned id)
{
    WRITE_REG(ICC_SGI1R, (uint64_t)id << 24 | 1);
    ISB();
}

static void init(void)
{
    mmio_write(GICD, 0x12);                         /* ARE_NS, EnableGrp1NS */
    mmio_write(GICR + 0x14, mmio_read(GICR + 0x14) & ~2u);      /* WAKER */
    while (mmio_read(GICR + 0x14) & 4) {
    }
    mmio_write(SGI_BASE + 0x80, ~0u);               /* IGROUPR0: group 1 */
    WRITE_REG(ICC_SRE, 7);
    ISB();
    WRITE_REG(ICC_PMR, 0xf0);
    WRITE_REG(ICC_BPR1, 0);
    WRITE_REG(ICC_IGRPEN1, 1);
    ISB();
    print("TYPER lines %x, CTLR %lx, BPR1 %lx, PMR %lx\n", mmio_read(GICD + 4) & 31,
          READ_REG(ICC_CTLR) & 3, READ_REG(ICC_BPR1), READ_REG(ICC_PMR));
    print("PIDR2 %x %x\n", mmio_read(GICD + 0xffe8) & 0xf0, mmio_read(GICR + 0xffe8) & 0xf0);
}

static void priorities(void)
{
    for (unsigned i = 0; i < 4; i++) {
        mmio_write(SGI_BASE + 0x400 + 4 * i, 0xa0a0a0a0 - 0x10101010 * i);
    }
    mmio_write(SGI_BASE + 0x100, 0xffff);           /* enable SGIs */
    sgi(1);
    sgi(5);
    sgi(14);
    print("pending: ISPENDR0 %x HPPIR1 %lu ISR %lx\n", mmio_read(SGI_BASE + 0x200),
          READ_REG(ICC_HPPIR1), READ_REG(isr_el1));
    irqs_on();
    irqs_off();
    report("by priority");
    sgi(1);
    WRITE_REG(ICC_PMR, 0xa0);
    irqs_on();
    irqs_off();
    report("masked by PMR");
    WRITE_REG(ICC_PMR, 0xf0);
    irqs_on();
    irqs_off();
    report("unmasked");
    sgi(3);
    mmio_write(SGI_BASE + 0x180, 1 << 3);           /* disable */
    irqs_on();
    irqs_off();
    report("disabled");
    mmio_write(SGI_BASE + 0x280, 1 << 3);           /* and no longer pending */
    mmio_write(SGI_BASE + 0x100, 1 << 3);
    irqs_on();
    irqs_off();
    report("cleared");
    mmio_write(SGI_BASE + 0x200, 1 << 6);           /* set pending by hand */
    irqs_on();
    irqs_off();
    report("ISPENDR");
}

static void active_state(void)
{
    uint64_t id;

    sgi(2);
    id = READ_REG(ICC_IAR1);
    print("IAR1 %lu, active %x, pending %x, RPR %lx\n", id, mmio_read(SGI_BASE + 0x300),
          mmio_read(SGI_BASE + 0x200), READ_REG(ICC_RPR));
    print("IAR1 again %lu\n", READ_REG(ICC_IAR1));
    sgi(1);
    print("same priority inside: HPPIR1 %lu IAR1 %lu\n", READ_REG(ICC_HPPIR1),
          READ_REG(ICC_IAR1));
    sgi(13);
    id = READ_REG(ICC_IAR1);
    print("higher inside: IAR1 %lu RPR %lx\n", id, READ_REG(ICC_RPR));
    WRITE_REG(ICC_EOIR1, 13);
    WRITE_REG(ICC_EOIR1, 2);
    ISB();
    print("after EOI: active %x RPR %lx\n", mmio_read(SGI_BASE + 0x300), READ_REG(ICC_RPR));
    irqs_on();
    irqs_off();
    report("the one left");
    WRITE_REG(ICC_CTLR, READ_REG(ICC_CTLR) | 2);    /* EOImode 1 */
    ISB();
    sgi(4);
    id = READ_REG(ICC_IAR1);
    WRITE_REG(ICC_EOIR1, id);
    ISB();
    print("EOImode 1: active %x RPR %lx\n", mmio_read(SGI_BASE + 0x300), READ_REG(ICC_RPR));
    WRITE_REG(ICC_DIR, id);
    ISB();
    print("after DIR: active %x\n", mmio_read(SGI_BASE + 0x300));
    WRITE_REG(ICC_CTLR, READ_REG(ICC_CTLR) & ~2ull);
    ISB();
}

/* An interrupt that waits is taken before the first instruction where it is unmasked. */
static void at_return(void)
{
    static const uint32_t spsr[] = { 0x345, 0x340, 0x3c5, 0x3c0, 0x305, 0xa0000340 };

    for (unsigned i = 0; i < 2 * sizeof spsr / sizeof spsr[0]; i++) {
        uint64_t s = spsr[i / 2];

        elr_inside = spsr_inside = 0;
        sgi(1);                                     /* each ERET twice: a first time, and again */
        try_el1(go, (uint64_t)arrive, s);
        irqs_off();
        print("ERET to %lx: interrupts %u at +%lx with %lx, then EC %lx at +%lx x0 %lx\n", s, taken_n,
              elr_inside ? elr_inside - (uint64_t)arrive : 0, spsr_inside, fault.esr >> 26,
              fault.elr - (uint64_t)arrive, fault.x0);
        taken_n = 0;
        irqs_on();                                  /* what has not been taken */
        irqs_off();
        print(" left %u\n", taken_n);
        taken_n = 0;
    }
    for (unsigned i = 0; i < 4; i++) {
        sgi(1);
        set_daif(i & 1 ? 0x340 : 0x3c0, 0);
        print("MSR DAIF %u: interrupts %u at +%lx\n", i, taken_n,
              taken_n ? elr_inside - (uint64_t)set_daif : 0);
        taken_n = 0;
    }
    irqs_on();
    irqs_off();
    taken_n = 0;
}

static void timers(void)
{
    uint64_t t0, t1;

    print("CNTFRQ %lu\n", READ_REG(cntfrq_el0));
    t0 = READ_REG(cntvct_el0);
    t1 = READ_REG(cntvct_el0);
    print("count runs %s\n", t1 >= t0 ? "forward" : "back");
    mmio_write(SGI_BASE + 0x100, 1u << 27 | 1u << 30);
    mmio_write(SGI_BASE + 0x400 + 24, 0x80808080);
    mmio_write(SGI_BASE + 0x400 + 28, 0x80808080);
    WRITE_REG(cntv_cval_el0, READ_REG(cntvct_el0) - 1);
    WRITE_REG(cntv_ctl_el0, 3);                     /* enabled, masked */
    ISB();
    print("CTL %lx pending %u\n", READ_REG(cntv_ctl_el0),
          mmio_read(SGI_BASE + 0x200) >> 27 & 1);
    WRITE_REG(cntv_ctl_el0, 1);
    ISB();
    print("CTL %lx pending %u\n", READ_REG(cntv_ctl_el0),
          mmio_read(SGI_BASE + 0x200) >> 27 & 1);
    WRITE_REG(cntv_cval_el0, ~UINT64_C(0));
    ISB();
    print("level gone: CTL %lx pending %u\n", READ_REG(cntv_ctl_el0),
          mmio_read(SGI_BASE + 0x200) >> 27 & 1);
    irqs_on();
    WRITE_REG(cntv_tval_el0, 10000);
    while (!taken_n) {
        __asm__ volatile("wfi");
    }
    report("virtual timer by WFI");
    WRITE_REG(cntp_tval_el0, 10000);
    WRITE_REG(cntp_ctl_el0, 1);
    while (!taken_n) {
    }
    irqs_off();
    report("physical timer by spinning");
    print("TVAL is signed: %s\n", (int32_t)READ_REG(cntv_tval_el0) < 0 ? "yes" : "no");
}

static void spi(void)
{
    mmio_write(GICD + 0x84, ~0u);                   /* group 1 */
    mmio_write(GICD + 0x400 + 32, 0x90909090);
    mmio_write(GICD + 0x6000 + 8 * 34, 0);          /* IROUTER: this CPU */
    mmio_write(GICD + 0x104, 1 << 2);               /* PL031: SPI 2 */
    mmio_write(RTC + 0x10, 1);
    mmio_write(RTC + 0x04, mmio_read(RTC) + 1);     /* alarm within a second */
    irqs_on();
    while (!taken_n) {
        __asm__ volatile("wfi");
    }
    irqs_off();
    report("RTC alarm");
    print("pending after %x\n", mmio_read(GICD + 0x204) >> 2 & 1);
    mmio_write(GICD + 0x204, 1 << 8);               /* SPI 40 by hand, but not enabled */
    print("SPI pending %x\n", mmio_read(GICD + 0x204) >> 8 & 1);
    mmio_write(GICD + 0x400 + 40, 0x40);
    mmio_write(GICD + 0x104, 1 << 8);
    irqs_on();
    irqs_off();
    report("SPI by hand");
}

void guest_main(void)
{
    irq_handler = on_irq;
    init();
    priorities();
    active_state();
    at_return();
    timers();
    spi();
    print("IAR1 with nothing %lu\n", READ_REG(ICC_IAR1));
    print("done\n");
}
