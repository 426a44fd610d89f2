/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/err.h"
#include "dev/fw_cfg/fw_cfg.h"
#include "harness.h"

#include <endian.h>
#include <string.h>

#define DMA (BENCH_RAM_GPA + 0x1000)
#define BUF (BENCH_RAM_GPA + 0x2000)

static struct bench *b;
static struct device *d;
static uint64_t g;
static unsigned filled_n, written_n;

static void fill(void *ctx, uint8_t *data, size_t bytes)
{
    CHECK(bytes == 8 && data[7] == 0);
    data[0] = ++filled_n;
}

static void written(void *ctx, const uint8_t *data, size_t bytes)
{
    CHECK(bytes == 4 && data[1] == 'B');
    written_n++;
}

static void choose(uint16_t key)
{
    bench_write(b, g + 8, 2, htobe16(key));
}

/* Runs a DMA with 4-byte writes; the control word afterwards. */
static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
    struct { uint32_t control, length; uint64_t address; } v = {
        htobe32(control), htobe32(length), htobe64(address),
    };

    bench_ram_write(b, DMA, &v, sizeof v);
    bench_write(b, g + 16, 4, htobe32(DMA >> 32));
    bench_write(b, g + 20, 4, htobe32((uint32_t)DMA));
    bench_ram_read(b, DMA, &v, 4);
    return be32toh(v.control);
}

static void test_items(void)
{
    choose(0);
    CHECK(bench_read(b, g, 4) == 0x554d4551 && bench_read(b, g, 4) == 0, "QEMU, then nothing");
    choose(1);
    CHECK(bench_read(b, g, 1) == 3 && bench_read(b, g, 1) == 0, "traditional and DMA");
    choose(FW_CFG_NB_CPUS);
    CHECK(bench_read(b, g, 1) == 0x34 && bench_read(b, g, 1) == 0x12, "little-endian");
    choose(0x7777);
    CHECK(bench_read(b, g, 8) == 0);
    CHECK(bench_read(b, g + 16, 8) == htobe64(UINT64_C(0x51454d5520434647)));
    CHECK(bench_read(b, g + 20, 4) == htobe32(0x20434647));
}

static void test_directory(void)
{
    struct { uint32_t size; uint16_t key, reserved; char name[56]; } entry[3];
    uint32_t n;

    choose(FW_CFG_FILE_DIR);
    n = be32toh(bench_read(b, g, 4));
    CHECK(n == 4);
    CHECK(dma(FW_CFG_FILE_DIR << 16 | 8 | 4, 4, 0) == 0, "select and skip");
    CHECK(dma(2, sizeof entry, BUF) == 0);
    bench_ram_read(b, BUF, entry, sizeof entry);
    CHECK(!strcmp(entry[0].name, "a/made") && be16toh(entry[0].key) == 0x20);
    CHECK(!strcmp(entry[1].name, "etc/b") && be32toh(entry[1].size) == 3);
    CHECK(!strcmp(entry[2].name, "etc/c") && be16toh(entry[2].key) == 0x22, "sorted");
}

static void test_dma(void)
{
    char got[8];

    bench_ram_write(b, BUF, "zzzzzzzz", 8);
    CHECK(dma(0x21 << 16 | 8 | 2, 6, BUF) == 0);
    bench_ram_read(b, BUF, got, 8);
    CHECK(!memcmp(got, "bbb\0\0\0zz", 8), "zeroes past the end");
    CHECK(dma(0x20 << 16 | 8 | 2, 8, BUF) == 0 && filled_n == 1);
    CHECK(dma(0x20 << 16 | 8 | 2, 8, BUF) == 0 && filled_n == 2);
    bench_ram_read(b, BUF, got, 8);
    CHECK(got[0] == 2, "made anew at each selection");

    bench_ram_write(b, BUF, "ABCD", 4);
    CHECK(dma(0x23 << 16 | 8 | 16, 4, BUF) == 0 && written_n == 1);
    CHECK(dma(0x23 << 16 | 8 | 16, 5, BUF) == 1 && written_n == 1, "longer than the file");
    CHECK(dma(0x21 << 16 | 8 | 16, 1, BUF) == 1, "not writable");
    CHECK(dma(0x21 << 16 | 8 | 2, 4, 0x100) == 1, "not RAM");
    CHECK(dma(0x21 << 16 | 8 | 2, UINT32_MAX, BUF) == 1, "more than RAM");
    CHECK(dma(4, UINT32_MAX, 0) == 0 && dma(4, UINT32_MAX, 0) == 0 && bench_read(b, g, 1) == 0);
    bench_write(b, g + 16, 8, htobe64(0x100));
}

int main(void)
{
    struct err e;
    unsigned irq;
    char name[80];

    b = bench_new();
    d = bench_add(b, &fw_cfg_class, "", &g, &irq);
    CHECK(fw_cfg_add_u16(d, FW_CFG_NB_CPUS, 0x1234, &e));
    CHECK(fw_cfg_add_file(d, "etc/c", "cc", 2, &e) && fw_cfg_add_file(d, "etc/b", "bbb", 3, &e));
    CHECK(fw_cfg_add_callback(d, "a/made", 8, fill, NULL, &e));
    CHECK(fw_cfg_add_writable(d, "w", 4, written, NULL, &e));
    CHECK(!fw_cfg_add_file(d, "etc/b", "", 0, &e) && strstr(e.text, "already"), "%s", e.text);
    memset(name, 'n', sizeof name);
    name[56] = 0;
    CHECK(!fw_cfg_add_file(d, name, "", 0, &e));
    CHECK(!fw_cfg_add(d, 0x20, "", 0, &e));
    test_items();
    test_directory();
    test_dma();
    bench_free(b);
    return check_result();
}
