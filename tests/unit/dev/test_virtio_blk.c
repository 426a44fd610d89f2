/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "dev/devices.h"
#include "harness.h"

#include <errno.h>
#include <string.h>

#define HDR (BENCH_RAM_GPA + UINT64_C(0x200000))
#define STATUS (HDR + 0x800)
#define DATA (BENCH_RAM_GPA + UINT64_C(0x300000))
#define ALL UINT64_MAX

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

static struct bench *b;
static struct drv d;
static unsigned irq;
static uint64_t g;

static void start(const char *options, bool legacy, uint64_t features)
{
    b = bench_new();
    bench_add_virtio(b, "virtio-blk-device", options, legacy, &g, &irq);
    CHECK(drv_start(&d, b, g, legacy, features, 1, 16));
}

/* Submits a request with `len` bytes of data; slot i has its own header and status. */
static void submit(unsigned i, uint32_t type, uint64_t sector, uint32_t len, bool to_guest)
{
    struct header h = { type, 0, sector };
    struct drv_seg seg[4] = { { HDR + 32 * i, sizeof h, false } };
    unsigned n = 1;
    uint8_t none = 0xff;

    bench_ram_write(b, HDR + 32 * i, &h, sizeof h);
    bench_ram_write(b, STATUS + i, &none, 1);
    if (len > 512) {
        seg[n++] = (struct drv_seg){ DATA, 512, to_guest };
        seg[n++] = (struct drv_seg){ DATA + 0x1000, len - 512, to_guest };
    } else if (len) {
        seg[n++] = (struct drv_seg){ DATA, len, to_guest };
    }
    seg[n++] = (struct drv_seg){ STATUS + i, 1, true };
    drv_add(&d, 0, seg, n, 0);
    drv_kick(&d, 0);
}

/* The status of slot i once it is used, with the used length; 0xff: not yet. */
static unsigned result(unsigned i, uint32_t *len)
{
    uint32_t id;
    uint8_t status = 0xff;

    if (drv_used(&d, 0, &id, len)) {
        bench_ram_read(b, STATUS + i, &status, 1);
    }
    return status;
}

static unsigned finish(unsigned i, int rc, uint32_t *len)
{
    bench_blk_finish(b, 0, rc);
    bench_poll(b);
    return result(i, len);
}

static void test_transfer(bool legacy)
{
    uint8_t out[1536], in[1536];
    uint32_t len;

    start("drive=d0,serial=abc", legacy, ALL);
    CHECK(bench_read(b, g + 0x100, 4) == (1 << 20) / 512, "capacity");
    for (unsigned i = 0; i < sizeof out; i++) {
        out[i] = i * 7;
    }
    bench_ram_write(b, DATA, out, 512);
    bench_ram_write(b, DATA + 0x1000, out + 512, 1024);
    submit(0, 1, 5, 1536, false);
    CHECK(b->blk.req_n == 1 && result(0, &len) == 0xff && !b->irq_level[irq], "on its way");
    CHECK(finish(0, 0, &len) == 0 && len == 1 && b->irq_level[irq]);
    CHECK(!memcmp(b->blk.data + 5 * 512, out, sizeof out) && b->blk.fua_n == 0);

    submit(1, 0, 6, 1024, true);
    CHECK(finish(1, 0, &len) == 0 && len == 1025);
    bench_ram_read(b, DATA, in, 512);
    bench_ram_read(b, DATA + 0x1000, in + 512, 512);
    CHECK(!memcmp(in, out + 512, 1024));

    submit(2, 4, 0, 0, false);
    CHECK(finish(2, 0, &len) == 0 && b->blk.flushes_n == 1);
    submit(3, 8, 0, 20, true);
    CHECK(b->blk.req_n == 0 && result(3, &len) == 0 && len == 21);
    bench_ram_read(b, DATA, in, 20);
    CHECK(!memcmp(in, "abc\0\0", 5));
    submit(4, 77, 0, 512, true);
    CHECK(result(4, &len) == 2, "unsupported");
    bench_free(b);
}

static void test_errors(void)
{
    uint32_t len;

    start("drive=d0", false, ALL);
    submit(0, 0, 2048, 512, true);
    CHECK(result(0, &len) == 1, "past the end");
    submit(1, 1, UINT64_MAX / 512 * 512, 512, false);
    CHECK(result(1, &len) == 1, "far past the end");
    submit(2, 0, 2047, 1024, true);
    CHECK(result(2, &len) == 1, "over the end");
    submit(3, 0, 0, 100, true);
    CHECK(result(3, &len) == 1, "not of sectors");
    submit(4, 0, 0, 512, true);
    CHECK(finish(4, -EIO, &len) == 1 && len == 1, "the host's error");
    CHECK(bench_read32(b, g + 0x70) == 15, "none of these is a violation");
    submit(5, 0, 0, 0, true);
    bench_ram_write16(b, d.q[0].desc, 0);
    CHECK(finish(5, 0, &len) == 0, "nothing to read is read");
    bench_free(b);

    start("drive=d0", false, ALL);
    drv_add(&d, 0, (const struct drv_seg[]){ { HDR, 8, false }, { STATUS, 1, true } }, 2, 0);
    drv_kick(&d, 0);
    CHECK(bench_read32(b, g + 0x70) == 0x4f, "half a header");
    bench_free(b);

    b = bench_new();
    b->blk.read_only = true;
    bench_add_virtio(b, "virtio-blk-device", "drive=d0", false, &g, &irq);
    CHECK(drv_start(&d, b, g, false, ALL, 1, 16) && bench_read32(b, g + 0x10) & 1 << 5);
    submit(0, 1, 0, 512, false);
    CHECK(b->blk.req_n == 0 && result(0, &len) == 1, "read-only");
    bench_free(b);
}

static void test_ranges(void)
{
    struct { uint64_t sector; uint32_t n, flags; } range = { 8, 8, 0 };
    uint32_t len;

    start("drive=d0", false, ALL);
    CHECK((bench_read32(b, g + 0x10) >> 13 & 3) == 3, "discard and write zeroes");
    memset(b->blk.data, 0xee, sizeof b->blk.data);
    bench_ram_write(b, DATA, &range, sizeof range);
    submit(0, 13, 0, sizeof range, false);
    CHECK(finish(0, 0, &len) == 0 && b->blk.data[8 * 512] == 0 && b->blk.data[16 * 512] == 0xee);
    CHECK(b->blk.data[16 * 512 - 1] == 0 && b->blk.data[8 * 512 - 1] == 0xee);
    submit(1, 11, 0, sizeof range, false);
    CHECK(finish(1, 0, &len) == 0);
    range.flags = 2;
    bench_ram_write(b, DATA, &range, sizeof range);
    submit(2, 13, 0, sizeof range, false);
    CHECK(result(2, &len) == 2, "an unknown flag");
    range.flags = 0;
    range.sector = 2047;
    bench_ram_write(b, DATA, &range, sizeof range);
    submit(3, 11, 0, sizeof range, false);
    CHECK(result(3, &len) == 1, "over the end");
    bench_free(b);
}

static void test_cache(void)
{
    uint32_t len;

    start("drive=d0", false, ALL & ~(UINT64_C(1) << 9));
    submit(0, 1, 0, 512, false);
    CHECK(finish(0, 0, &len) == 0 && b->blk.fua_n == 1, "without FLUSH writes go through");
    bench_free(b);
    start("drive=d0", false, ALL);
    CHECK(bench_read(b, g + 0x120, 1) == 1, "writeback");
    bench_write(b, g + 0x120, 1, 0);
    submit(0, 1, 0, 512, false);
    CHECK(finish(0, 0, &len) == 0 && b->blk.fua_n == 1, "the driver chose so");
    bench_free(b);
}

static void test_reset_in_flight(void)
{
    uint8_t before[512], after[512];
    uint32_t len;

    start("drive=d0", false, ALL);
    memset(b->blk.data, 0x55, 4096);
    submit(0, 0, 0, 512, true);
    submit(1, 0, 1, 512, true);
    CHECK(b->blk.req_n == 2);
    bench_blk_finish(b, 1, 0);
    CHECK(result(1, &len) == 0, "they may finish in any order");
    bench_ram_read(b, DATA, before, sizeof before);
    CHECK(before[0] == 0x55);
    memset(before, 0, sizeof before);
    bench_ram_write(b, DATA, before, sizeof before);
    CHECK(drv_start(&d, b, g, false, ALL, 1, 16));
    bench_blk_finish(b, 0, 0);
    bench_ram_read(b, DATA, after, sizeof after);
    CHECK(!memcmp(before, after, sizeof after), "nothing is written after a reset");
    CHECK(result(0, &len) == 0xff);
    submit(2, 0, 0, 512, true);         /* left in flight: device_free has to wait for it */
    bench_free(b);
}

static void test_refused(void)
{
    struct device *dev;
    struct err e;

    b = bench_new();
    dev = device_new(device_class_find("virtio-blk-device"), NULL, &e);
    CHECK(!device_realize(dev, &b->env, &e) && strstr(e.text, "drive="), "%s", e.text);
    device_free(dev);
    bench_free(b);
}

int main(void)
{
    test_transfer(true);
    test_transfer(false);
    test_errors();
    test_ranges();
    test_cache();
    test_reset_in_flight();
    test_refused();
    return check_result();
}
