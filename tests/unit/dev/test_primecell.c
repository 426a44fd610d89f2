/* SPDX-License-Identifier: Apache-2.0 */
/* PL011, PL031, PL061 by their registers. */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "dev/devices.h"
#include "dev/gpio/pl061.h"
#include "harness.h"
#include "vm/clock.h"

#include <stdlib.h>
#include <string.h>

static unsigned id_of(struct bench *b, uint64_t g)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++) {
        v |= bench_read32(b, g + 0xfe0 + 4 * i) << 8 * i;
    }
    return v;
}

static void test_rtc(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;
    int64_t wall_s;
    uint32_t now;

    bench_add(b, device_class_find("pl031"), "", &g, &irq);
    wall_s = vm_clock_wall_ns(b->env.clock) / NS_PER_S;
    now = bench_read32(b, g);
    CHECK(now >= wall_s - 1 && now <= wall_s + 1, "it starts with the host's time");
    CHECK((id_of(b, g) & 0xfff) == 0x031 && bench_read32(b, g + 0x0c) == 1);
    CHECK(bench_read32(b, g + 0xff0) == 0x0d && bench_read32(b, g + 0xffc) == 0xb1);

    bench_write32(b, g + 0x08, 1000);
    CHECK(bench_read32(b, g) == 1000 && bench_read32(b, g + 0x08) == 1000, "loaded");
    bench_write32(b, g + 0x10, 1);
    bench_write32(b, g + 0x04, 1010);
    CHECK(!b->irq_level[irq] && bench_read32(b, g + 0x14) == 0);
    bench_advance(b, 9 * NS_PER_S);
    CHECK(!b->irq_level[irq], "a second too early");
    bench_advance(b, NS_PER_S);
    CHECK(b->irq_level[irq] && bench_read32(b, g + 0x14) == 1 && bench_read32(b, g + 0x18) == 1);
    bench_write32(b, g + 0x10, 0);
    CHECK(!b->irq_level[irq] && bench_read32(b, g + 0x18) == 0, "masked");
    CHECK(bench_read32(b, g + 0x14) == 1);
    bench_write32(b, g + 0x10, 1);
    bench_write32(b, g + 0x1c, 1);
    CHECK(!b->irq_level[irq] && bench_read32(b, g + 0x14) == 0, "cleared");
    bench_advance(b, 5 * NS_PER_S);
    CHECK(!b->irq_level[irq], "one match, one interrupt");

    bench_write32(b, g + 0x04, bench_read32(b, g) - 1);
    bench_advance(b, 3 * NS_PER_S);
    CHECK(!b->irq_level[irq], "a match in the past is 136 years away");
    bench_write32(b, g + 0x08, UINT32_MAX);
    bench_write32(b, g + 0x04, 1);
    bench_advance(b, 2 * NS_PER_S);
    CHECK(b->irq_level[irq] && bench_read32(b, g) == 1, "the counter wraps");
    bench_free(b);
}

static void test_gpio(void)
{
    struct bench *b = bench_new();
    struct device *d;
    unsigned irq;
    uint64_t g;

    d = bench_add(b, device_class_find("pl061"), "", &g, &irq);
    CHECK((id_of(b, g) & 0xfff) == 0x061);
    pl061_pin_set(d, 3, true);
    CHECK(bench_read(b, g + 0x3fc, 1) == 8 && bench_read(b, g + (8 << 2), 1) == 8);
    CHECK(bench_read(b, g + (0xf7 << 2), 1) == 0, "the address masks");

    /* Pin 0 is an output: it follows the data, through the mask. */
    bench_write(b, g + 0x400, 1, 0x01);
    bench_write(b, g + 0x3fc, 1, 0xff);
    CHECK(b->irq_level[irq + 1] && bench_read(b, g + 0x3fc, 1) == 9);
    bench_write(b, g + (0xfe << 2), 1, 0);
    CHECK(b->irq_level[irq + 1], "not in the mask");
    bench_write(b, g + (0x01 << 2), 1, 0);
    CHECK(!b->irq_level[irq + 1]);

    /* Edges: rising on pin 3, then both. */
    bench_write(b, g + 0x40c, 1, 8);
    bench_write(b, g + 0x410, 1, 8);
    pl061_pin_set(d, 3, false);
    CHECK(!b->irq_level[irq], "a falling edge is not asked for");
    pl061_pin_pulse(d, 3);
    CHECK(b->irq_level[irq] && bench_read(b, g + 0x418, 1) == 8);
    bench_write(b, g + 0x41c, 1, 8);
    CHECK(!b->irq_level[irq] && bench_read(b, g + 0x3fc, 1) == 8, "still pressed");
    bench_write(b, g + 0x408, 1, 8);
    bench_advance(b, PL061_PULSE_NS - 1000000);
    CHECK(!b->irq_level[irq]);
    bench_advance(b, 1000000);
    CHECK(b->irq_level[irq] && bench_read(b, g + 0x3fc, 1) == 0, "let go");
    bench_write(b, g + 0x41c, 1, 0xff);

    /* Levels: high on pin 5, cannot be cleared while it lasts. */
    bench_write(b, g + 0x404, 1, 0x20);
    bench_write(b, g + 0x40c, 1, 0x20);
    bench_write(b, g + 0x410, 1, 0x20);
    pl061_pin_set(d, 5, true);
    bench_write(b, g + 0x41c, 1, 0xff);
    CHECK(b->irq_level[irq] && bench_read(b, g + 0x414, 1) == 0x20);
    pl061_pin_set(d, 5, false);
    CHECK(!b->irq_level[irq]);
    bench_free(b);
}

enum {
    DR = 0, RSR = 4, FR = 0x18, LCR = 0x2c, CR = 0x30, IFLS = 0x34, IMSC = 0x38, RIS = 0x3c,
    MIS = 0x40, ICR = 0x44,
};

static void test_uart_output(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;

    bench_add(b, device_class_find("pl011"), "chardev=c0", &g, &irq);
    CHECK((id_of(b, g) & 0xfff) == 0x011);
    CHECK(bench_read32(b, g + FR) == 0x97 && bench_read32(b, g + CR) == 0x300);
    CHECK(bench_read32(b, g + IFLS) == 0x12 && bench_read32(b, g + RIS) == 0);
    bench_write(b, g + DR, 1, 'h');
    bench_write32(b, g + DR, 'i');
    CHECK(b->chr.out_n == 2 && !memcmp(b->chr.out, "hi", 2), "an early console");
    CHECK(bench_read(b, g + RIS, 2) == 0x20 && !b->irq_level[irq]);
    bench_write32(b, g + IMSC, 0x20);
    CHECK(b->irq_level[irq] && bench_read32(b, g + MIS) == 0x20);
    bench_write32(b, g + ICR, 0x20);
    CHECK(!b->irq_level[irq]);

    /* The host takes no more: the FIFO fills, and the interrupt waits for half. */
    bench_write32(b, g + LCR, 0x70);
    b->chr.room = 0;
    for (int i = 0; i < 20; i++) {
        bench_write32(b, g + DR, 'a' + i);
    }
    CHECK(bench_read32(b, g + FR) == 0x3f, "full and busy: 0x%x", bench_read32(b, g + FR));
    CHECK(bench_read32(b, g + RIS) == 0);
    b->chr.room = 7;
    b->chr.h->writable(b->chr.ctx);
    CHECK(bench_read32(b, g + RIS) == 0 && bench_read32(b, g + FR) == 0x1f, "9 of 16");
    b->chr.room = 1;
    b->chr.h->writable(b->chr.ctx);
    CHECK(bench_read32(b, g + RIS) == 0x20 && b->irq_level[irq], "8 of 16");
    b->chr.room = 100;
    b->chr.h->writable(b->chr.ctx);
    CHECK(b->chr.out_n == 18 && !memcmp(b->chr.out + 2, "abcdefghijklmnop", 16));
    CHECK(bench_read32(b, g + FR) == 0x97);
    bench_write32(b, g + LCR, 0x71);
    CHECK(b->chr.breaks_n == 1);
    bench_free(b);
}

static size_t type(struct bench *b, const char *text)
{
    return b->chr.h->read(b->chr.ctx, (const uint8_t *)text, strlen(text));
}

static void test_uart_input(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;
    struct device *d = bench_add(b, device_class_find("pl011"), "chardev=c0", &g, &irq);

    bench_write32(b, g + IMSC, 0x7ff & ~0x20);
    CHECK(type(b, "xy") == 1, "a holding register while the FIFO is off");
    CHECK(b->irq_level[irq] && bench_read32(b, g + RIS) == 0x10);
    CHECK(bench_read32(b, g + FR) == 0xc7);
    CHECK(b->chr.accepts_n == 0 && bench_read32(b, g + DR) == 'x' && b->chr.accepts_n == 1,
          "room again: it asks for the rest");
    CHECK(!b->irq_level[irq] && bench_read32(b, g + DR) == 0);

    bench_write32(b, g + LCR, 0x70);
    CHECK(type(b, "ab") == 2 && bench_read32(b, g + RIS) == 0x40, "fewer than the trigger");
    CHECK(type(b, "cdefgh") == 6 && bench_read32(b, g + RIS) == 0x50, "8 of 16");
    CHECK(bench_read32(b, g + DR) == 'a' && bench_read32(b, g + RIS) == 0x40);
    CHECK(type(b, "0123456789abcdef") == 9 && bench_read32(b, g + FR) == 0xc7, "16 and full");
    b->chr.h->event(b->chr.ctx, CHR_BREAK);
    CHECK(bench_read32(b, g + RIS) & 0x400, "a break without room is an overrun");
    for (int i = 0; i < 15; i++) {
        bench_read32(b, g + DR);
    }
    CHECK(bench_read32(b, g + DR) == (0x800 | '8'), "on the last character");
    CHECK(bench_read32(b, g + RSR) == 8);
    bench_write32(b, g + RSR, 0);
    CHECK(bench_read32(b, g + RSR) == 0 && (bench_read32(b, g + RIS) & 0x50) == 0);
    bench_write32(b, g + ICR, 0x7ff);
    b->chr.h->event(b->chr.ctx, CHR_BREAK);
    CHECK(bench_read32(b, g + RIS) == 0x2c0 && bench_read32(b, g + DR) == 0x500);

    /* Not while receiving is off. */
    bench_write32(b, g + CR, 0x101);
    CHECK(type(b, "z") == 0);
    b->chr.accepts_n = 0;
    bench_write32(b, g + CR, 0x301);
    CHECK(b->chr.accepts_n == 1 && type(b, "z") == 1);
    device_reset(d);
    CHECK(bench_read32(b, g + FR) == 0x97 && !b->irq_level[irq] && bench_read32(b, g + RIS) == 0);
    bench_free(b);
}

static void test_uart_loopback(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;

    bench_add(b, device_class_find("pl011"), "chardev=c0", &g, &irq);
    bench_write32(b, g + LCR, 0x70);
    bench_write32(b, g + CR, 0x381);
    CHECK((bench_read32(b, g + FR) & 0x107) == 0, "the modem's inputs are its outputs");
    CHECK((bench_read32(b, g + RIS) & 0xf) == 0xe, "and have changed");
    bench_write32(b, g + CR, 0x381 | 0xf << 10);
    CHECK((bench_read32(b, g + FR) & 0x107) == 0x107);
    bench_write32(b, g + DR, 'q');
    CHECK(b->chr.out_n == 0 && bench_read32(b, g + DR) == 'q');
    CHECK(type(b, "k") == 0, "nothing comes in meanwhile");
    for (int i = 0; i < 17; i++) {
        bench_write32(b, g + DR, 'A' + i);
    }
    CHECK(bench_read32(b, g + RIS) & 0x400, "the 17th overruns");
    bench_free(b);
}

/* What is refused leaves nothing of itself, also where a reset does not reach. */
static void test_bad_state(void)
{
    struct bench *b = bench_new();
    struct device *d;
    uint8_t *blob, *at;
    uint32_t now;
    unsigned irq;
    struct err e;
    uint64_t g;
    size_t n;

    d = bench_add(b, device_class_find("pl031"), "", &g, &irq);
    now = bench_read32(b, g);
    CHECK(device_save(d, &blob, &n, &e));
    at = memmem(blob, n, "base_ns", 7);
    CHECK(at);
    memset(at + 7 + 1 + 4, 0x7f, 8);            /* behind its type and count */
    CHECK(!device_load(d, blob, n, &e) && strstr(e.text, "out of range"), "%s", e.text);
    CHECK(bench_read32(b, g) == now, "%u, not %u", bench_read32(b, g), now);
    free(blob);
    bench_free(b);
}

int main(void)
{
    test_rtc();
    test_gpio();
    test_uart_output();
    test_uart_input();
    test_uart_loopback();
    test_bad_state();
    return check_result();
}
