/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "harness.h"

#include <string.h>

#define RX (BENCH_RAM_GPA + UINT64_C(0x200000))
#define TX (BENCH_RAM_GPA + UINT64_C(0x300000))
#define ALL UINT64_MAX
#define NO_MERGE (ALL & ~(UINT64_C(1) << 15))

static struct bench *b;
static struct drv d;
static unsigned irq;
static uint64_t g;

static void start(bool legacy, uint64_t features)
{
    b = bench_new();
    bench_add_virtio(b, "virtio-net-device", "netdev=n0,mac=52:54:00:12:34:99", legacy, &g, &irq);
    CHECK(drv_start(&d, b, g, legacy, features, 3, 16));
}

/* A frame to `mac` whose bytes after the addresses count up. */
static bool receive(const char *mac, uint32_t n)
{
    uint8_t frame[4096];

    memcpy(frame, mac, 6);
    for (uint32_t i = 6; i < n; i++) {
        frame[i] = i;
    }
    return b->net.h->receive(b->net.ctx, frame, n);
}

static const char *const broadcast = "\xff\xff\xff\xff\xff\xff";
static const char *const ours = "\x52\x54\x00\x12\x34\x99";
static const char *const other = "\x52\x54\x00\x00\x00\x01";
static const char *const multicast = "\x33\x33\x00\x00\x00\x01";

static void test_config(bool legacy)
{
    start(legacy, ALL);
    for (int i = 0; i < 6; i++) {
        CHECK(bench_read(b, g + 0x100 + i, 1) == (uint8_t)ours[i]);
    }
    CHECK(bench_read(b, g + 0x106, 2) == 1, "the link is up");
    bench_write(b, g + 0x105, 1, 0x42);
    CHECK(bench_read(b, g + 0x105, 1) == (legacy ? 0x42 : 0x99), "only legacy writes here");
    bench_free(b);
}

static void test_send(bool legacy, uint64_t features, uint32_t header)
{
    const struct drv_seg seg[2] = { { TX, header, false }, { TX + 0x1000, 60, false } };
    uint8_t frame[60];
    uint32_t id, len;

    start(legacy, features);
    for (unsigned i = 0; i < sizeof frame; i++) {
        frame[i] = i + 1;
    }
    bench_ram_write(b, TX + 0x1000, frame, sizeof frame);
    drv_add(&d, 1, seg, 2, 0);
    drv_kick(&d, 1);
    CHECK(b->net.sent_n == 1 && b->net.sent_bytes == 60 && !memcmp(b->net.sent, frame, 60));
    CHECK(drv_used(&d, 1, &id, &len) && len == 0);
    drv_add(&d, 1, (const struct drv_seg[]){ { TX, header + 5, false } }, 1, 0);
    drv_kick(&d, 1);
    CHECK(b->net.sent_n == 1 && drv_used(&d, 1, &id, &len), "too short to be a frame");
    drv_add(&d, 1, (const struct drv_seg[]){ { TX, header - 1, false } }, 1, 0);
    drv_kick(&d, 1);
    CHECK(bench_read32(b, g + 0x70) & 0x40, "no header");
    bench_free(b);
}

static void test_receive(bool legacy, uint64_t features, uint32_t header)
{
    uint8_t got[128];
    uint32_t id, len;

    start(legacy, features);
    CHECK(!receive(ours, 100) && b->net.accepts_n == 0, "no buffer yet");
    drv_add(&d, 0, (const struct drv_seg[]){ { RX, 2000, true } }, 1, 0);
    drv_kick(&d, 0);
    CHECK(b->net.accepts_n == 1, "it asks again");
    CHECK(receive(ours, 100) && drv_used(&d, 0, &id, &len) && len == header + 100, "%u", len);
    CHECK(b->irq_level[irq]);
    bench_ram_read(b, RX, got, header + 100);
    CHECK(!memcmp(got + header, ours, 6) && got[header + 99] == 99);
    CHECK(header == 10 || (got[10] == 1 && got[11] == 0), "num_buffers");
    bench_free(b);
}

static void test_merge(void)
{
    uint8_t got[100];
    uint32_t id, len;

    start(false, ALL);
    for (int i = 0; i < 3; i++) {
        drv_add(&d, 0, (const struct drv_seg[]){ { RX + 0x1000 * i, 100, true } }, 1, 0);
    }
    CHECK(!receive(ours, 300), "12 bytes too many for three buffers");
    CHECK(!drv_used(&d, 0, &id, &len), "none is shown before all are filled");
    drv_add(&d, 0, (const struct drv_seg[]){ { RX + 0x3000, 100, true } }, 1, 0);
    drv_kick(&d, 0);
    CHECK(b->net.accepts_n == 1 && receive(ours, 300));
    for (int i = 0; i < 4; i++) {
        CHECK(drv_used(&d, 0, &id, &len) && len == (i < 3 ? 100 : 12), "%d: %u", i, len);
    }
    bench_ram_read(b, RX, got, 100);
    CHECK(got[10] == 4 && got[99] == 87);
    bench_ram_read(b, RX + 0x3000, got, 12);
    CHECK(got[11] == (uint8_t)299);
    bench_free(b);

    start(false, NO_MERGE);
    drv_add(&d, 0, (const struct drv_seg[]){ { RX, 100, true } }, 1, 0);
    receive(ours, 300);
    CHECK(bench_read32(b, g + 0x70) & 0x40, "without merging a buffer holds any frame");
    bench_free(b);
}

static unsigned control(uint8_t class, uint8_t cmd, const void *p, uint32_t n)
{
    uint8_t head[2] = { class, cmd }, ack = 0xff;
    uint32_t id, len;

    bench_ram_write(b, TX, head, 2);
    bench_ram_write(b, TX + 0x100, p, n);
    drv_add(&d, 2, (const struct drv_seg[]){ { TX, 2, false }, { TX + 0x100, n, false },
                                             { TX + 0x800, 1, true } }, 3, 0);
    drv_kick(&d, 2);
    bench_ram_read(b, TX + 0x800, &ack, 1);
    return drv_used(&d, 2, &id, &len) && len == 1 ? ack : 0xfe;
}

static bool arrives(const char *mac)
{
    uint32_t id, len;

    drv_add(&d, 0, (const struct drv_seg[]){ { RX, 2000, true } }, 1, 0);
    receive(mac, 64);
    if (drv_used(&d, 0, &id, &len)) {
        return true;
    }
    d.q[0].avail_idx--;         /* take the buffer back */
    bench_ram_write16(b, d.q[0].avail + 2, d.q[0].avail_idx);
    return false;
}

static void test_filter(void)
{
    const uint8_t off = 0, on = 1, tables[] = {
        1, 0, 0, 0, 0x52, 0x54, 0, 0, 0, 1,         /* unicast: other */
        1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1,         /* multicast */
    };
    const uint8_t too_long[4] = { 255, 255, 255, 255 };

    start(false, ALL);
    CHECK(arrives(ours) && arrives(other) && arrives(broadcast), "everything at first");
    CHECK(control(0, 0, &off, 1) == 0);
    CHECK(arrives(ours) && !arrives(other) && arrives(broadcast) && !arrives(multicast));
    CHECK(control(0, 1, &on, 1) == 0 && arrives(multicast));
    CHECK(control(0, 1, &off, 1) == 0 && control(1, 0, tables, sizeof tables) == 0);
    CHECK(arrives(other) && arrives(multicast));
    CHECK(control(1, 0, too_long, 4) == 1, "a table longer than the message");
    CHECK(control(1, 1, other, 6) == 0 && bench_read(b, g + 0x105, 1) == 1 && !arrives(ours));
    CHECK(control(0, 5, &on, 1) == 0 && !arrives(broadcast));
    CHECK(control(2, 0, "\x01\x10", 2) == 1, "a VLAN has 12 bits");
    CHECK(control(2, 0, "\x05\x00", 2) == 0);
    CHECK(control(9, 9, &on, 1) == 1, "an unknown command");
    CHECK(bench_read32(b, g + 0x70) == 15, "none of these breaks the device");
    bench_free(b);
}

int main(void)
{
    test_config(true);
    test_config(false);
    test_send(true, 0, 10);
    test_send(true, ALL, 12);
    test_send(false, NO_MERGE, 12);
    test_send(false, ALL, 12);
    test_receive(true, 0, 10);
    test_receive(true, ALL, 12);
    test_receive(false, NO_MERGE, 12);
    test_receive(false, ALL, 12);
    test_merge();
    test_filter();
    return check_result();
}
