/* SPDX-License-Identifier: Apache-2.0 */
/* GICv2 by the rules of IHI 0048B. */
#include "base/err.h"
#include "dev/intc/gicv2.h"

#include "../check.h"
#include "frame.h"

#include <stdlib.h>

static bool irq_line[8], fiq_line[8];
static struct device *gic;

static void line(void *ctx, unsigned n, bool level)
{
    *(n & 1 ? &fiq_line[n / 2] : &irq_line[n / 2]) = level;
}

static uint32_t d_r(unsigned cpu, unsigned off)
{
    return frame_read(gic, 0, off, 4, cpu);
}

static void d_w(unsigned cpu, unsigned off, uint32_t v)
{
    frame_write(gic, 0, off, 4, v, cpu);
}

static void d_b(unsigned off, uint8_t v)
{
    frame_write(gic, 0, off, 1, v, 0);
}

static uint32_t c_r(unsigned cpu, unsigned off)
{
    return frame_read(gic, 1, off, 4, cpu);
}

static void c_w(unsigned cpu, unsigned off, uint32_t v)
{
    frame_write(gic, 1, off, 4, v, cpu);
}

#define PMR 4
#define BPR 8
#define IAR 0xc
#define EOIR 0x10
#define RPR 0x14
#define HPPIR 0x18
#define AIAR 0x20
#define AEOIR 0x24
#define DIR 0x1000

static void start(unsigned cpus_n)
{
    struct err e;
    struct device_env env = { 0 };
    gic = gicv2_new(288, cpus_n, &env, &e);
    for (unsigned i = 0; i < gicv2_class.irqs_n; i++) {
        device_connect_irq(gic, i, (struct irq){ .set = line, .n = i });
    }
    device_reset(gic);
    d_w(0, 0, 1);
    for (unsigned i = 0; i < cpus_n; i++) {
        c_w(i, 0, 1);
        c_w(i, PMR, 0xf8);
    }
}

static void test_discovery(void)
{
    start(3);
    CHECK(d_r(0, 4) == (8 | 2 << 5));
    CHECK(d_r(0, 0xfe8) == 0x2b && (c_r(0, 0xfc) >> 16 & 15) == 2);
    CHECK(d_r(2, 0x800) == 0x04040404 && d_r(1, 0x804) == 0x02020202);
    CHECK(d_r(0, 0x100) == 0xffff, "SGIs are always enabled");
    c_w(0, BPR, 0);
    CHECK(c_r(0, BPR) == 2);
    device_free(gic);
}

static void test_levels(void)
{
    start(2);
    struct irq w = gicv2_irq(gic, 40);
    irq_set(&w, true);
    CHECK(!irq_line[0]);
    d_w(0, 0x104, 1u << 8);
    CHECK(!irq_line[0] && !irq_line[1], "no target");
    d_b(0x800 + 40, 3);
    CHECK(irq_line[0] && irq_line[1], "1 of N: both are asked");
    CHECK(c_r(1, HPPIR) == 40 && c_r(1, IAR) == 40);
    CHECK(!irq_line[0] && !irq_line[1] && c_r(0, IAR) == 1023, "one takes it");
    CHECK(d_r(0, 0x304) == 1u << 8 && d_r(0, 0x204) == 1u << 8);
    c_w(1, EOIR, 40);
    CHECK(irq_line[0] && irq_line[1], "still there");
    irq_set(&w, false);
    CHECK(!irq_line[0] && !irq_line[1]);
    device_free(gic);
}

static void test_edges_and_priorities(void)
{
    start(1);
    d_w(0, 0xc00 + 40 / 16 * 4, 2u << 40 % 16 * 2);
    d_w(0, 0x104, 3u << 8);
    d_b(0x400 + 40, 0xa0);
    d_b(0x400 + 41, 0x47);
    CHECK(d_r(0, 0x400 + 40) == 0x40a0);
    struct irq a = gicv2_irq(gic, 40), b = gicv2_irq(gic, 41);
    irq_pulse(&a);
    CHECK(irq_line[0] && c_r(0, IAR) == 40 && !irq_line[0]);
    irq_pulse(&a);
    CHECK(!irq_line[0]);
    irq_set(&b, true);
    CHECK(irq_line[0], "preempts");
    c_w(0, PMR, 0x40);
    CHECK(!irq_line[0], "masked");
    c_w(0, PMR, 0xf0);
    CHECK(c_r(0, IAR) == 41 && c_r(0, RPR) == 0x40);
    irq_set(&b, false);
    c_w(0, EOIR, 41);
    CHECK(c_r(0, RPR) == 0xa0 && !irq_line[0]);
    c_w(0, 0, 1 | 1 << 9);
    c_w(0, EOIR, 40);
    CHECK(!irq_line[0] && d_r(0, 0x304) == 1u << 8, "still active");
    c_w(0, DIR, 40);
    CHECK(irq_line[0] && c_r(0, IAR) == 40);
    device_free(gic);
}

static void test_sgi_ppi(void)
{
    start(3);
    d_w(0, 0xf00, 3 << 16 | 5);
    d_w(2, 0xf00, 1 << 24 | 5);     /* all others */
    CHECK(irq_line[0] && irq_line[1] && !irq_line[2]);
    CHECK(d_r(1, 0xf20 + 4) == 5 << 8, "from 0 and 2");
    CHECK(c_r(1, IAR) == 5);
    c_w(1, EOIR, 5);
    CHECK(c_r(1, IAR) == (5 | 2 << 10));
    c_w(1, EOIR, 5 | 2 << 10);
    CHECK(c_r(1, IAR) == 1023);
    c_w(0, EOIR, c_r(0, IAR));
    c_w(0, EOIR, c_r(0, IAR));
    CHECK(!irq_line[0]);

    d_w(1, 0x100, 1u << 27);        /* banked */
    struct irq timer0 = gicv2_ppi(gic, 0, 27);
    irq_set(&timer0, true);
    CHECK(!irq_line[0] && !irq_line[1]);
    struct irq_msg m = gicv2_ppi_message(1, 27, true);
    gicv2_message(gic, &m);
    CHECK(irq_line[1] && c_r(1, IAR) == 27);
    m = gicv2_ppi_message(1, 27, false);
    gicv2_message(gic, &m);
    c_w(1, EOIR, 27);
    CHECK(!irq_line[1]);
    m.from = 99;
    gicv2_message(gic, &m);
    m.from = 1;
    m.a = 5000;
    gicv2_message(gic, &m);
    device_free(gic);
}

static void test_groups(void)
{
    start(1);
    d_w(0, 0, 3);
    c_w(0, 0, 3 | 1 << 3);          /* both groups, FIQEn */
    d_w(0, 0x84, 1u << 8);
    d_w(0, 0x104, 3u << 8);
    d_b(0x400 + 41, 0x80);
    d_w(0, 0x204, 3u << 8);
    CHECK(irq_line[0] && !fiq_line[0], "40: group 1, higher priority");
    CHECK(c_r(0, IAR) == 1022 && c_r(0, AIAR) == 40);
    c_w(0, AEOIR, 40);
    CHECK(!irq_line[0] && fiq_line[0]);
    CHECK(c_r(0, AIAR) == 1023 && c_r(0, IAR) == 41);
    c_w(0, EOIR, 41);
    CHECK(!fiq_line[0] && d_r(0, 0x304) == 0);
    device_reset(gic);
    CHECK(d_r(0, 0x104) == 0);
    device_free(gic);
}

/* Pending for CPU 1, active on CPU 0; then in a new one, with the wires as they are. */
static void test_saved(void)
{
    start(2);
    struct device *old = gic;
    struct irq w = gicv2_irq(gic, 41);
    uint8_t *blob = NULL;
    struct err e;
    size_t n;

    d_w(0, 0x104, 3u << 8);
    d_b(0x800 + 40, 1);
    d_b(0x800 + 41, 2);
    d_w(0, 0x204, 1u << 8);
    CHECK(irq_line[0] && c_r(0, IAR) == 40);
    irq_set(&w, true);
    CHECK(!irq_line[0] && irq_line[1]);
    CHECK(device_save(old, &blob, &n, &e), "%s", e.text);
    start(2);
    irq_line[1] = false;
    w = gicv2_irq(gic, 41);
    irq_set(&w, true);
    CHECK(device_load(gic, blob, n, &e), "%s", e.text);
    CHECK(!irq_line[0] && irq_line[1] && d_r(0, 0x304) == 1u << 8 && c_r(0, RPR) == 0);
    CHECK(c_r(1, IAR) == 41, "the target was saved");
    c_w(0, EOIR, 40);
    CHECK(d_r(0, 0x304) == 1u << 9);
    free(blob);
    device_free(old);
    device_free(gic);
}

int main(void)
{
    test_discovery();
    test_levels();
    test_edges_and_priorities();
    test_sgi_ppi();
    test_groups();
    test_saved();
    return check_result();
}
