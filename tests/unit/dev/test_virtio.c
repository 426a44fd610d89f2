/* SPDX-License-Identifier: Apache-2.0 */
/* The transport, the queue's rules and random numbers: what all virtio devices share. */
#include "../check.h"
#include "base/base.h"
#include "base/loop.h"
#include "base/prng.h"
#include "harness.h"

#include <string.h>

#define BUF (BENCH_RAM_GPA + UINT64_C(0x200000))
#define FEATURES_ALL UINT64_MAX

static void test_empty_slot(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;

    bench_add_virtio(b, "virtio-rng-device", "", true, &g, &irq);
    CHECK(bench_read32(b, g) == 0x74726976 && bench_read32(b, g + 4) == 1);
    CHECK(bench_read32(b, g + 8) == 4 && bench_read32(b, g + 0xc) == 0x554d4551);
    CHECK(bench_read32(b, g + 0x34) == 8, "queue 0");
    bench_write32(b, g + 0x30, 7);
    CHECK(bench_read32(b, g + 0x34) == 0, "there is no queue 7");
    bench_write32(b, g + 0x38, 8);
    bench_write32(b, g + 0x40, 1);
    bench_write32(b, g + 0x50, 7);
    bench_write32(b, g + 0x50, 0xffffffff);
    bench_poll(b);
    CHECK(bench_read32(b, g + 0x100) == 0 && bench_read32(b, g + 0x60) == 0);
    bench_free(b);
}

static void test_negotiation(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;

    bench_add_virtio(b, "virtio-rng-device", "", false, &g, &irq);
    bench_write32(b, g + 0x70, 3);
    bench_write32(b, g + 0x14, 1);
    CHECK(bench_read32(b, g + 0x10) == 1, "VERSION_1");
    bench_write32(b, g + 0x70, 11);
    CHECK(bench_read32(b, g + 0x70) == 3, "not without VERSION_1");
    bench_write32(b, g + 0x24, 1);
    bench_write32(b, g + 0x20, 3);
    bench_write32(b, g + 0x70, 11);
    CHECK(bench_read32(b, g + 0x70) == 3, "not with what was not offered");
    bench_write32(b, g + 0x20, 1);
    bench_write32(b, g + 0x70, 11);
    CHECK(bench_read32(b, g + 0x70) == 11);
    bench_write32(b, g + 0x44, 1);
    CHECK(bench_read32(b, g + 0x44) == 1, "the size as after reset");
    bench_write32(b, g + 0x70, 0);
    CHECK(bench_read32(b, g + 0x44) == 0 && bench_read32(b, g + 0x70) == 0);
    bench_write32(b, g + 0x70, 3);
    bench_write32(b, g + 0x38, 3);
    bench_write32(b, g + 0x44, 1);
    CHECK(bench_read32(b, g + 0x70) & 0x40 && bench_read32(b, g + 0x44) == 0, "size 3");
    bench_free(b);
}

static void test_rng(bool legacy, uint64_t features)
{
    struct bench *b = bench_new();
    const struct drv_seg seg[2] = { { BUF, 100, true }, { BUF + 4096, 28, true } };
    uint8_t got[128] = { 0 }, zero[128] = { 0 };
    uint32_t id, len, head;
    struct drv d;
    unsigned irq;
    uint64_t g;

    bench_add_virtio(b, "virtio-rng-device", "max-bytes=256,period=1000", legacy, &g, &irq);
    CHECK(drv_start(&d, b, g, legacy, features, 1, 8));
    head = drv_add(&d, 0, seg, 2, features >> 28 & 1 ? BUF + 0x10000 : 0);
    CHECK(!drv_used(&d, 0, &id, &len) && !b->irq_level[irq], "not without a kick");
    drv_kick(&d, 0);
    CHECK(b->irq_level[irq] && bench_read32(b, g + 0x60) == 1);
    CHECK(drv_used(&d, 0, &id, &len) && id == head && len == 128, "id %u len %u", id, len);
    bench_write32(b, g + 0x64, 1);
    CHECK(!b->irq_level[irq] && bench_read32(b, g + 0x60) == 0);
    bench_ram_read(b, BUF, got, 100);
    bench_ram_read(b, BUF + 4096, got + 100, 28);
    CHECK(memcmp(got + 64, zero, 64) != 0 && memcmp(got + 100, zero, 28) != 0, "random");

    drv_add(&d, 0, seg, 2, 0);
    drv_add(&d, 0, seg, 1, 0);
    drv_kick(&d, 0);
    CHECK(drv_used(&d, 0, &id, &len) && len == 128 && !drv_used(&d, 0, &id, &len), "the quota");
    bench_advance(b, 2 * NS_PER_S);
    CHECK(drv_used(&d, 0, &id, &len) && len == 100, "the next period");
    bench_free(b);
}

static void test_rings_wrap(void)
{
    const uint64_t features[2] = { UINT64_C(1) << 32, FEATURES_ALL };
    const struct drv_seg seg = { BUF, 16, true };

    for (int f = 0; f < 2; f++) {
        struct bench *b = bench_new();
        unsigned irq, n = 0;
        uint32_t id, len;
        struct drv d;
        uint64_t g;

        bench_add_virtio(b, "virtio-rng-device", "", false, &g, &irq);
        CHECK(drv_start(&d, b, g, false, features[f], 1, 4));
        for (int i = 0; i < 70000; i++) {
            uint16_t head = drv_add(&d, 0, &seg, 1, 0);

            bench_write32(b, g + 0x50, 0);
            loop_run_once(b->loop, 0);
            n += drv_used(&d, 0, &id, &len) && id == head && len == 16 && b->irq_level[irq];
            bench_write32(b, g + 0x64, 3);
        }
        CHECK(n == 70000, "%u", n);
        bench_free(b);
    }
}

static void test_quiet_driver(void)
{
    const struct drv_seg seg = { BUF, 16, true };
    struct bench *b = bench_new();
    uint32_t id, len;
    struct drv d;
    unsigned irq;
    uint64_t g;

    bench_add_virtio(b, "virtio-rng-device", "", false, &g, &irq);
    CHECK(drv_start(&d, b, g, false, UINT64_C(1) << 32, 1, 8));
    bench_ram_write16(b, d.q[0].avail, 1);
    drv_add(&d, 0, &seg, 1, 0);
    drv_kick(&d, 0);
    CHECK(drv_used(&d, 0, &id, &len) && !b->irq_level[irq], "NO_INTERRUPT");

    CHECK(drv_start(&d, b, g, false, FEATURES_ALL, 1, 8));
    bench_ram_write16(b, d.q[0].avail + 4 + 16, 1);     /* used_event: at the second */
    drv_add(&d, 0, &seg, 1, 0);
    drv_kick(&d, 0);
    bench_write32(b, g + 0x64, 3);      /* the first time it tells anyhow */
    bench_ram_write16(b, d.q[0].avail + 4 + 16, 2);
    drv_add(&d, 0, &seg, 1, 0);
    drv_kick(&d, 0);
    CHECK(!b->irq_level[irq], "used_event is not reached");
    drv_add(&d, 0, &seg, 1, 0);
    drv_kick(&d, 0);
    CHECK(b->irq_level[irq], "it is now");
    bench_free(b);
}

/* Each of these must end in NEEDS_RESET with a configuration interrupt, and reset must heal it. */
static void test_violations(void)
{
    struct { const char *what; struct drv_seg seg[2]; unsigned n; } bad[] = {
        { "not RAM", { { 0x1000, 64, true } }, 1 },
        { "runs out of RAM", { { BENCH_RAM_GPA + BENCH_RAM_SIZE - 8, 64, true } }, 1 },
        { "wraps the address space", { { UINT64_MAX - 8, 64, true } }, 1 },
        { "readable after writable", { { BUF, 8, true }, { BUF, 8, false } }, 2 },
        { "nothing to write into", { { BUF, 8, false } }, 1 },
        { "of no bytes", { { BUF, 0, true } }, 1 },
        { "longer than 4 GiB", { { BUF, UINT32_MAX, true }, { BUF, UINT32_MAX, true } }, 2 },
    };
    struct bench *b = bench_new();
    const struct drv_seg good = { BUF, 16, true };
    uint32_t id, len;
    struct drv d;
    unsigned irq;
    uint64_t g;

    bench_add_virtio(b, "virtio-rng-device", "", false, &g, &irq);
    for (unsigned i = 0; i < ARRAY_LEN(bad) + 6; i++) {
        const char *what = i < ARRAY_LEN(bad) ? bad[i].what : "of the ring";
        uint64_t table = BUF + 0x1000;

        CHECK(drv_start(&d, b, g, false, FEATURES_ALL, 1, 8), "%s", what);
        if (i < ARRAY_LEN(bad)) {
            drv_add(&d, 0, bad[i].seg, bad[i].n, 0);
        } else {
            drv_add(&d, 0, &good, 1, table);
        }
        switch (i - (int)ARRAY_LEN(bad)) {
        case 0: bench_ram_write16(b, d.q[0].avail + 2, 9); break;       /* more than there are */
        case 1: bench_ram_write16(b, d.q[0].avail + 4, 8); break;       /* no such descriptor */
        case 2: bench_ram_write16(b, d.q[0].desc + 8, 15); break;       /* half a descriptor */
        case 3: bench_ram_write16(b, table + 12, 6); break;             /* indirect in indirect */
        case 4: bench_ram_write16(b, d.q[0].desc + 12, 5); break;       /* indirect with next */
        case 5:                                                         /* a loop */
            bench_ram_write16(b, d.q[0].desc + 12, 3);
            bench_ram_write16(b, d.q[0].desc + 14, 0);
            break;
        }
        drv_kick(&d, 0);
        CHECK(bench_read32(b, g + 0x70) == 0x4f, "%u %s: status 0x%x", i, what,
              bench_read32(b, g + 0x70));
        CHECK(b->irq_level[irq] && bench_read32(b, g + 0x60) & 2, "%s", what);
        drv_kick(&d, 0);
        bench_write32(b, g + 0x70, 15);
        CHECK(bench_read32(b, g + 0x70) == 0x4f, "only a reset takes NEEDS_RESET away");
        CHECK(drv_start(&d, b, g, false, FEATURES_ALL, 1, 8) && !b->irq_level[irq]);
        drv_add(&d, 0, &good, 1, 0);
        drv_kick(&d, 0);
        CHECK(drv_used(&d, 0, &id, &len) && len == 16, "%s: works again", what);
        bench_write32(b, g + 0x64, 3);
    }
    bench_free(b);
}

int main(void)
{
    const uint64_t v1 = UINT64_C(1) << 32, indirect = UINT64_C(1) << 28;

    test_empty_slot();
    test_negotiation();
    test_rng(true, 0);
    test_rng(true, FEATURES_ALL);
    test_rng(false, v1);
    test_rng(false, v1 | indirect);
    test_rng(false, FEATURES_ALL);
    test_rings_wrap();
    test_quiet_driver();
    test_violations();
    return check_result();
}
