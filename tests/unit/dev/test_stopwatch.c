/* SPDX-License-Identifier: Apache-2.0 */
/* The stopwatch by its registers and its memory. */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "dev/devices.h"
#include "harness.h"
#include "mem/space.h"
#include "vm/clock.h"
#include "vm/vm.h"

#include <stdlib.h>
#include <string.h>

enum { RESET, START, PAUSE, UPDATE, TIMEOUT, ACK };
enum { RUNNING = 0, IS_RESET = 1, PAUSED = 2 };
#define REGS 0x10000                /* the bench puts regions that far apart */

static const char *text(struct bench *b, uint64_t g, char out[128])
{
    bench_write32(b, g + REGS, UPDATE);
    bench_ram_read(b, g + 8, out, 128);
    CHECK(bench_read(b, g, 8) == strlen(out) + 1, "length with the NUL");
    return out;
}

/* Time passes by itself, too, so a text stands for at most the second that was waited for. */
static double seconds(struct bench *b, uint64_t g)
{
    char out[128];

    return atof(text(b, g, out));
}

static void test_commands(void)
{
    struct bench *b = bench_new();
    char out[128], again[128];
    unsigned irq;
    uint64_t g;

    bench_add(b, device_class_find("stopwatch"), "start_at_boot=off", &g, &irq);
    CHECK(bench_read(b, g + REGS + 8, 8) == IS_RESET && bench_read32(b, g + REGS + 8) == IS_RESET);
    CHECK(!strcmp(text(b, g, out), "0.00 seconds"), "%s", out);
    bench_write(b, g + REGS, 8, START);
    CHECK(bench_read32(b, g + REGS + 8) == RUNNING);
    bench_advance(b, 2 * NS_PER_S + NS_PER_S * 34 / 100);
    CHECK(seconds(b, g) >= 2.34 && seconds(b, g) < 60, "%s", text(b, g, out));
    bench_write32(b, g + REGS, PAUSE);
    CHECK(bench_read32(b, g + REGS + 8) == PAUSED);
    text(b, g, out);
    bench_advance(b, 5 * NS_PER_S);
    CHECK(!strcmp(text(b, g, again), out), "paused: %s, %s", out, again);
    bench_write32(b, g + REGS, START);
    bench_advance(b, NS_PER_S);
    CHECK(seconds(b, g) >= atof(out) + 1, "it goes on");
    bench_write32(b, g + REGS, RESET);
    CHECK(bench_read32(b, g + REGS + 8) == IS_RESET && seconds(b, g) == 0);
    bench_free(b);
}

static void test_timeout(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;
    struct device *d = bench_add(b, device_class_find("stopwatch"), "", &g, &irq);

    CHECK(bench_read32(b, g + REGS + 8) == RUNNING, "it starts at boot by default");
    bench_write(b, g, 8, 3);
    bench_write32(b, g + REGS, TIMEOUT);
    bench_advance(b, 2 * NS_PER_S);
    CHECK(!b->irq_level[irq] || vm_clock_ns(b->vm->clock) > 3 * NS_PER_S, "too early");
    bench_advance(b, NS_PER_S);
    CHECK(b->irq_level[irq] && b->irq_rises[irq] == 1);
    bench_advance(b, 5 * NS_PER_S);
    CHECK(b->irq_level[irq], "until it is acknowledged");
    bench_write32(b, g + REGS, ACK);
    CHECK(!b->irq_level[irq]);
    bench_write(b, g, 8, 11);
    bench_write32(b, g + REGS, TIMEOUT);
    bench_advance(b, 20 * NS_PER_S);
    CHECK(b->irq_rises[irq] == 1, "longer than the device can");
    bench_write(b, g, 8, 1);
    bench_write32(b, g + REGS, TIMEOUT);
    device_reset(d);
    bench_advance(b, 2 * NS_PER_S);
    CHECK(b->irq_rises[irq] == 1, "a reset takes it back");
    CHECK(bench_read(b, g, 8) == 0, "and clears the memory");
    bench_free(b);
}

static void test_wrong(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;

    bench_add(b, device_class_find("stopwatch"), "start_at_boot=off", &g, &irq);
    CHECK(bench_read(b, g + REGS + 8, 2) == 0 && bench_read(b, g + REGS + 8, 1) == 0);
    CHECK(bench_read32(b, g + REGS + 4) == 0 && bench_read32(b, g + REGS) == 0);
    bench_write(b, g + REGS, 2, START);
    bench_write32(b, g + REGS + 4, START);
    bench_write32(b, g + REGS + 8, RUNNING);
    bench_write32(b, g + REGS, 6);
    bench_write(b, g + REGS, 8, UINT64_C(1) << 32 | START);
    bench_write32(b, g + REGS, PAUSE);
    CHECK(bench_read32(b, g + REGS + 8) == IS_RESET, "none of that does anything");
    bench_free(b);
}

static void test_state(void)
{
    struct bench *b = bench_new(), *other = bench_new();
    struct device_class const *cls = device_class_find("stopwatch");
    unsigned irq, irq2;
    uint64_t g, g2;
    uint8_t *blob;
    size_t n;
    struct err e;
    struct device *d = bench_add(b, cls, "", &g, &irq);
    struct device *d2 = bench_add(other, cls, "start_at_boot=off", &g2, &irq2);

    bench_advance(b, 100 * NS_PER_S);
    bench_write32(b, g + REGS, RESET);
    bench_write32(b, g + REGS, START);
    bench_advance(b, 7 * NS_PER_S);
    bench_write(b, g, 8, 9);
    bench_write32(b, g + REGS, TIMEOUT);
    bench_ram_write(b, g + 0x40, "kept", 5);
    bench_advance(b, 5 * NS_PER_S);
    CHECK(device_save(d, &blob, &n, &e), "%s", e.text);
    CHECK(device_load(d2, blob, n, &e), "%s", e.text);
    CHECK(bench_read(other, g2, 8) == 9 && bench_read32(other, g2 + 0x40) == 0x7470656b);
    CHECK(bench_read32(other, g2 + REGS + 8) == RUNNING);
    CHECK(seconds(other, g2) == 12, "%f", seconds(other, g2));
    CHECK(!other->irq_level[irq2]);
    bench_advance(other, 4 * NS_PER_S);
    CHECK(other->irq_level[irq2], "4 seconds were left");
    free(blob);

    CHECK(device_save(d2, &blob, &n, &e), "%s", e.text);
    device_reset(d2);
    CHECK(!other->irq_level[irq2] && device_load(d2, blob, n, &e) && other->irq_level[irq2],
          "the interrupt's level is state");
    CHECK(!device_load(d2, blob, n - 1, &e) && bench_read32(other, g2 + REGS + 8) == IS_RESET);
    free(blob);
    bench_free(b);
    bench_free(other);
}

/* Both regions in one page, as the board puts them: RAM does not trap, registers do. */
static void test_one_page(void)
{
    struct bench *b = bench_new();
    struct device *d;
    uint64_t g = 0xc000000;
    struct err e;
    void *host;
    char out[16];

    d = b->device[b->devices_n++] = device_new(device_class_find("stopwatch"), NULL, &e);
    CHECK(device_realize(d, &b->env, &e) && device_map_region(d, 0, g, &e) &&
          device_map_region(d, 1, g + 0x90, &e), "%s", e.text);
    device_reset(d);
    CHECK(mem_page_acquire(b->vm->mem, g, MEM_READ, &host) == MEM_NOTHING);
    bench_write32(b, g + 0x90, PAUSE);
    bench_write32(b, g + 0x90, RESET);
    bench_write32(b, g + 0x90, UPDATE);
    CHECK(bench_read(b, g, 8) == 13 && bench_read(b, g + 8, 1) == '0');
    CHECK(bench_read(b, g + 9, 2) == ('.' | '0' << 8), "any alignment");
    bench_ram_read(b, g + 8, out, 13);
    CHECK(!strcmp(out, "0.00 seconds"), "DMA reaches it");
    CHECK(bench_read32(b, g + 0x98) == IS_RESET);
    bench_free(b);
}

int main(void)
{
    test_commands();
    test_timeout();
    test_wrong();
    test_state();
    test_one_page();
    return check_result();
}
