/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/err.h"
#include "dev/flash/cfi.h"
#include "harness.h"
#include "mem/space.h"
#include "vm/vm.h"

#include <string.h>

#define BASE UINT64_C(0)
#define BLOCK 0x40000

static struct bench *b;
static bool start_read_only;

static void wr(uint32_t off, uint32_t v)
{
    bench_write32(b, BASE + off, v);
}

static uint32_t rd(uint32_t off)
{
    return bench_read32(b, BASE + off);
}

static struct device *start(const char *drive)
{
    struct device *d;
    struct device_finder f;
    struct err e;

    b = bench_new();
    b->blk.read_only = start_read_only;
    memset(b->blk.data, 0xab, sizeof b->blk.data);
    d = b->device[b->devices_n++] = device_new(&cfi_flash_class, NULL, &e);
    bench_finder(b, &f);
    CHECK(device_set(d, "size", "1M", &f, &e));
    CHECK(!drive || device_set(d, "drive", drive, &f, &e));
    CHECK(device_realize(d, &b->env, &e) && device_map_region(d, 0, BASE, &e), "%s", e.text);
    device_reset(d);
    return d;
}

static void test_query(void)
{
    void *host;

    start("d0");
    CHECK(rd(0x1000) == 0xabababab, "the image");
    CHECK(mem_page_acquire(b->vm->mem, 0x1000, MEM_READ, &host) == MEM_OK &&
          *(uint32_t *)host == 0xabababab, "code can be run from it");
    CHECK(mem_page_acquire(b->vm->mem, 0x1000, MEM_WRITE, &host) == MEM_NOTHING);
    wr(0x55 * 4, 0x00980098);
    CHECK(rd(0x40) == 0x00510051 && rd(0x44) == 0x00520052 && rd(0x48) == 0x00590059, "QRY");
    CHECK(bench_read(b, BASE + 0x40, 1) == 0x51 && bench_read(b, BASE + 0x41, 1) == 0);
    CHECK(bench_read(b, BASE + 0x42, 2) == 0x51);
    CHECK(rd(0x27 * 4) == 0x00130013, "512 KiB each");
    CHECK(rd(0x2d * 4) == 0x00030003 && rd(0x30 * 4) == 0x00020002, "4 blocks of 128 KiB");
    CHECK(mem_page_acquire(b->vm->mem, 0x1000, MEM_READ, &host) == MEM_NOTHING, "trapped");
    wr(0, 0x00900090);
    CHECK(rd(0) == 0x00890089 && rd(4) == 0x00180018);
    wr(0, 0x00ff00ff);
    CHECK(rd(0x1000) == 0xabababab);
    CHECK(mem_page_acquire(b->vm->mem, 0x1000, MEM_READ, &host) == MEM_OK);
    bench_free(b);
}

static void test_program(void)
{
    start("d0");
    wr(BLOCK, 0x00200020);
    wr(BLOCK, 0x00d000d0);
    CHECK(rd(BLOCK) == 0x00800080, "ready");
    wr(BLOCK, 0x00ff00ff);
    CHECK(rd(BLOCK) == 0xffffffff && rd(2 * BLOCK - 4) == 0xffffffff, "erased");
    CHECK(rd(BLOCK - 4) == 0xabababab && rd(2 * BLOCK) == 0xabababab, "and nothing else");
    wr(BLOCK + 8, 0x00400040);
    wr(BLOCK + 8, 0x12345678);
    CHECK(rd(BLOCK + 8) == 0x00800080);
    wr(BLOCK + 8, 0x00400040);
    wr(BLOCK + 8, 0xffff0000);
    wr(BLOCK, 0x00ff00ff);
    CHECK(rd(BLOCK + 8) == 0x12340000, "only ones become zeroes");

    wr(BLOCK, 0x00e800e8);
    CHECK(rd(BLOCK) & 0x80);
    wr(BLOCK, 0x00020002);
    wr(BLOCK + 0x100, 1);
    wr(BLOCK + 0x104, 2);
    wr(BLOCK + 0x108, 3);
    wr(BLOCK, 0x00d000d0);
    CHECK(rd(BLOCK) == 0x00800080);
    wr(BLOCK, 0x00ff00ff);
    CHECK(rd(BLOCK + 0x104) == 2 && rd(BLOCK + 0x108) == 3 && rd(BLOCK + 0x10c) == 0xffffffff);

    wr(0, 0x00200020);
    wr(0, 0x00ff00ff);
    CHECK(rd(0) == 0x00b000b0, "an erase that is not confirmed");
    wr(0, 0x00500050);
    CHECK(rd(0) == 0x00800080);
    wr(0, 0x00e800e8);
    wr(0, 0x00010001);
    wr(0, 1);
    wr(0x2000, 2);
    wr(0, 0x00d000d0);
    CHECK(rd(0) == 0x00b000b0, "data outside of the buffer");
    wr(0, 0x00ff00ff);
    CHECK(rd(0) == 0xabababab);
    while (b->blk.req_n) {
        bench_blk_finish(b, 0, 0);
    }
    CHECK(b->blk.data[BLOCK + 8 + 3] == 0x12 && b->blk.data[BLOCK + 0x104] == 2, "written back");
    CHECK(b->blk.data[BLOCK - 1] == 0xab);
    bench_free(b);
}

static void test_volatile(void)
{
    struct device *d = start(NULL);
    struct err e;

    CHECK(cfi_flash_load(d, "\1\2\3\4", 4, &e) && rd(0) == 0x04030201 && rd(4) == 0);
    wr(0, 0x00400040);
    wr(0, 0x00ff00ff);
    CHECK(rd(0) == 0x00800080, "programmed");
    device_reset(d);
    CHECK(rd(0) == 0x00030001, "reads as memory after a reset");
    CHECK(!cfi_flash_load(d, "", (1 << 20) + 1, &e) && strstr(e.text, "do not fit"), "%s", e.text);
    bench_free(b);
}

static void test_read_only(void)
{
    start_read_only = true;
    start("d0");
    wr(0, 0x00400040);
    wr(0, 0);
    CHECK(rd(0) == 0x00920092, "locked");
    wr(0, 0x00500050);
    wr(0, 0x00200020);
    wr(0, 0x00d000d0);
    CHECK(rd(0) == 0x00a200a2, "locked");
    wr(0, 0x00ff00ff);
    CHECK(rd(0) == 0xabababab && b->blk.req_n == 0);
    bench_free(b);
}

int main(void)
{
    test_query();
    test_program();
    test_volatile();
    test_read_only();
    return check_result();
}
