/* SPDX-License-Identifier: Apache-2.0 */
/* What devices cost, seen by the guest: a trapped register access, an interrupt round trip, a
 * virtio kick and request.  A bare-metal program on the frame of tests/guest, with the MMU on and
 * devices in 4 KiB pages, as an operating system has them.
 *
 * Prints "NAME NANOSECONDS.TENTHS" by the counter, the best of many rounds. */
#include "guest.h"

#define GICD UINT64_C(0x08000000)
#define GICR UINT64_C(0x080a0000)
#define SGI_BASE (GICR + 0x10000)
#define UART UINT64_C(0x09000000)
#define RTC UINT64_C(0x09010000)                /* PL031 */
#define GPIO UINT64_C(0x09030000)               /* PL061 */
#define VIRTIO UINT64_C(0x0a000000)
#define VIRTIO_STRIDE 0x200
#define RTC_INTID 34
#define VIRTIO_INTID 48
#define TIMER_INTID 27

#define ICC_IAR1 S3_0_C12_C12_0
#define ICC_EOIR1 S3_0_C12_C12_1
#define ICC_SGI1R S3_0_C12_C11_5
#define ICC_PMR S3_0_C4_C6_0
#define ICC_SRE S3_0_C12_C12_5
#define ICC_IGRPEN1 S3_0_C12_C12_7

enum { ROUNDS = 100 };               /* short, as hosts have other things to do, too */

static volatile unsigned taken_n;

/* ---- the machine ---- */

static void map_page(uint64_t *root, uint64_t pa)
{
    *descriptor_4k(root, pa, 3) = pa | 1 << 10 | 3;             /* device: attribute 0 */
}

static void mmu_on(void)
{
    uint64_t *root = page_alloc(4096);

    for (uint64_t pa = GICD; pa < GICD + 0x10000; pa += PAGE) {
        map_page(root, pa);
    }
    for (uint64_t pa = GICR; pa < GICR + 0x20000; pa += PAGE) {
        map_page(root, pa);
    }
    for (uint64_t pa = VIRTIO; pa < VIRTIO + 32 * VIRTIO_STRIDE; pa += PAGE) {
        map_page(root, pa);
    }
    map_page(root, UART);
    map_page(root, RTC);
    map_page(root, GPIO);
    for (uint64_t pa = 0x40000000; pa < 0x48000000; pa += 0x200000) {
        *descriptor_4k(root, pa, 2) = pa | 1 << 10 | 3 << 8 | 1 << 2 | 1;
    }
    WRITE_REG(mair_el1, 0xff00);
    WRITE_REG(tcr_el1, 16 | 1 << 23 | UINT64_C(2) << 32 | 1 << 8 | 1 << 10 | 3 << 12);
    WRITE_REG(ttbr0_el1, (uint64_t)root);
    ISB();
    tlb_flush_all();
    WRITE_REG(sctlr_el1, READ_REG(sctlr_el1) | 1 << 12 | 1 << 2 | 1);
    ISB();
}

static void irqs_on(void)
{
    __asm__ volatile("msr daifclr, #2\nisb" : : : "memory");
}

static void irqs_off(void)
{
    __asm__ volatile("msr daifset, #2\nisb" : : : "memory");
}

static void spi_on(unsigned id)
{
    mmio_write(GICD + 0x80 + id / 32 * 4, ~0u);                 /* group 1 */
    mmio_write(GICD + 0x400 + (id & ~3u), 0x90909090);
    mmio_write(GICD + 0x6000 + 8 * id, 0);                      /* IROUTER: this CPU */
    mmio_write(GICD + 0x100 + id / 32 * 4, 1u << id % 32);
}

static void gic_on(void)
{
    mmio_write(GICD, 0x12);                                     /* ARE_NS, EnableGrp1NS */
    mmio_write(GICR + 0x14, mmio_read(GICR + 0x14) & ~2u);      /* WAKER */
    while (mmio_read(GICR + 0x14) & 4) {
    }
    mmio_write(SGI_BASE + 0x80, ~0u);
    for (unsigned i = 0; i < 8; i++) {
        mmio_write(SGI_BASE + 0x400 + 4 * i, 0x90909090);
    }
    mmio_write(SGI_BASE + 0x100, 1u << TIMER_INTID | 1);
    WRITE_REG(ICC_SRE, 7);
    ISB();
    WRITE_REG(ICC_PMR, 0xf0);
    WRITE_REG(ICC_IGRPEN1, 1);
    ISB();
}

/* ---- virtio: an entropy device, in the legacy way that is both machines' default ---- */

struct ring {
    struct { uint64_t gpa; uint32_t bytes; uint16_t flags, next; } desc[8];
    struct { uint16_t flags, idx, ring[8], event; } avail;
    struct { uint16_t flags, idx; struct { uint32_t id, bytes; } ring[8]; } used
        __attribute__((aligned(16)));
};

static uint64_t rng;                    /* registers; 0: there is none */
static struct ring *ring;

static void rng_on(void)
{
    for (unsigned i = 0; i < 32 && !rng; i++) {
        uint64_t at = VIRTIO + i * VIRTIO_STRIDE;

        if (mmio_read(at + 4) == 1 && mmio_read(at + 8) == 4) {
            rng = at;
            spi_on(VIRTIO_INTID + i);
        }
    }
    if (!rng) {
        return;
    }
    ring = page_alloc(4096);
    ring->desc[0].gpa = (uint64_t)page_alloc(4096);
    ring->desc[0].bytes = 8;
    ring->desc[0].flags = 2;                                    /* the device writes */
    mmio_write(rng + 0x70, 0);
    mmio_write(rng + 0x70, 3);
    mmio_write(rng + 0x20, 0);
    mmio_write(rng + 0x28, PAGE);
    mmio_write(rng + 0x30, 0);
    mmio_write(rng + 0x38, 8);
    mmio_write(rng + 0x3c, 16);                                 /* alignment of `used` */
    mmio_write(rng + 0x40, (uint64_t)ring / PAGE);
    mmio_write(rng + 0x70, 7);
}

/* ---- interrupts ---- */

static void on_irq(struct frame *f)
{
    uint64_t id = READ_REG(ICC_IAR1);

    if (id == RTC_INTID) {
        mmio_write(RTC + 0x10, 0);                              /* IMSC: the line falls */
    } else if (id == TIMER_INTID) {
        WRITE_REG(cntv_ctl_el0, 0);
    } else if (id >= VIRTIO_INTID && rng) {
        mmio_write(rng + 0x64, mmio_read(rng + 0x60));
    }
    WRITE_REG(ICC_EOIR1, id);
    taken_n++;
}

static void wait_taken(unsigned n)
{
    while (taken_n != n) {
    }
}

/* ---- what is measured: each does it n times ---- */

static void rtc_read_time(unsigned n)
{
    while (n--) {
        mmio_read(RTC);
    }
}

static void rtc_read(unsigned n)
{
    while (n--) {
        mmio_read(RTC + 4);
    }
}

static void rtc_write(unsigned n)
{
    while (n--) {
        mmio_write(RTC + 0x10, 0);
    }
}

static void gpio_read(unsigned n)
{
    while (n--) {
        mmio_read(GPIO + 0x400);
    }
}

static void gpio_write(unsigned n)
{
    while (n--) {
        mmio_write(GPIO + 0x400, 0);
    }
}

/* The alarm has gone off; taking its mask away raises the line, the handler puts it back. */
static void irq_rtc(unsigned n)
{
    for (unsigned i = taken_n + 1; n--; i++) {
        mmio_write(RTC + 0x10, 1);
        wait_taken(i);
    }
}

static void irq_timer(unsigned n)
{
    for (unsigned i = taken_n + 1; n--; i++) {
        WRITE_REG(cntv_tval_el0, 0);
        WRITE_REG(cntv_ctl_el0, 1);
        wait_taken(i);
    }
}

static void irq_sgi(unsigned n)
{
    for (unsigned i = taken_n + 1; n--; i++) {
        WRITE_REG(ICC_SGI1R, 1);
        wait_taken(i);
    }
}

static void kick(unsigned n)
{
    while (n--) {
        mmio_write(rng + 0x50, 0);
    }
}

static void request(unsigned n)
{
    volatile uint16_t *idx = &ring->avail.idx;

    for (unsigned i = taken_n + 1; n--; i++) {
        DSB();
        *idx += 1;
        DSB();
        mmio_write(rng + 0x50, 0);
        wait_taken(i);
    }
}

static void measure(const char *name, void (*fn)(unsigned n), unsigned n)
{
    uint64_t best = ~UINT64_C(0), tenths;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start, ticks;

        ISB();
        start = READ_REG(cntvct_el0);
        fn(n);
        ISB();
        ticks = READ_REG(cntvct_el0) - start;
        best = ticks < best ? ticks : best;
    }
    tenths = best * 1000000 / READ_REG(cntfrq_el0) * 10000 / n;
    print("%s %lu.%lu\n", name, tenths / 10, tenths % 10);
}

void guest_main(void)
{
    irq_handler = on_irq;
    mmu_on();
    gic_on();
    mmio_write(RTC + 0x10, 0);
    mmio_write(RTC + 0x04, mmio_read(RTC));                     /* the alarm is now */
    while (!(mmio_read(RTC + 0x14) & 1)) {
        mmio_write(RTC + 0x04, mmio_read(RTC));
    }
    spi_on(RTC_INTID);
    rng_on();
    measure("rtc-read", rtc_read, 5000);
    measure("rtc-read-time", rtc_read_time, 5000);
    measure("rtc-write", rtc_write, 5000);
    measure("gpio-read", gpio_read, 5000);
    measure("gpio-write", gpio_write, 5000);
    irqs_on();
    measure("irq-rtc", irq_rtc, 1000);
    measure("irq-timer", irq_timer, 1000);
    measure("irq-sgi", irq_sgi, 1000);
    if (rng) {
        measure("virtio-kick", kick, 2000);
        measure("virtio-request", request, 50);
    }
    irqs_off();
}
