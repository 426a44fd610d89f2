/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that people run: zlib, zstd, Lua and SQLite, built from Debian's source packages by
 * app.mk.  Here: compression, and the table of the class. */
#include "app.h"
#include "work.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { TEXT_BYTES = 512 << 10 };

static unsigned char *text, *packed, *unpacked;
static size_t packed_max_bytes, zlib_bytes, zstd_bytes;
static unsigned char *zlib_packed, *zstd_packed;

/* Half text of a made-up language, half records with a slowly growing key: both as compressible
 * as what people compress. */
static void make_text(unsigned char *to, size_t bytes)
{
    uint64_t seed = 20231;
    char words[512][12];
    size_t at = 0;

    for (int w = 0; w < 512; w++) {
        int letters = 2 + work_rand(&seed) % 9;

        for (int i = 0; i < letters; i++) {
            words[w][i] = "eaiotnrshdlucmfgypwbvkxjqz"[(work_rand(&seed) % 26)
                                                       * (work_rand(&seed) % 26) / 26];
        }
        words[w][letters] = '\0';
    }
    while (at < bytes / 2) {
        const char *word = words[(work_rand(&seed) & 511) * (work_rand(&seed) & 511) >> 9];

        while (*word && at < bytes / 2) {
            to[at++] = *word++;
        }
        to[at++] = work_rand(&seed) % 11 ? ' ' : '\n';
    }
    for (uint32_t key = 1000; at < bytes; key += work_rand(&seed) & 7) {
        uint32_t record[4] = { key, key >> 3 & 31, work_rand(&seed) & 0xff, 0xffff0000u };
        size_t part = bytes - at < sizeof record ? bytes - at : sizeof record;

        memcpy(to + at, record, part);
        at += part;
    }
}

static void prepare(void)
{
    uLongf z;

    if (text) {
        return;
    }
    packed_max_bytes = compressBound(TEXT_BYTES) + ZSTD_compressBound(TEXT_BYTES);
    text = malloc(TEXT_BYTES + 1);
    unpacked = malloc(TEXT_BYTES);
    packed = malloc(packed_max_bytes);
    zlib_packed = malloc(packed_max_bytes);
    zstd_packed = malloc(packed_max_bytes);
    make_text(text, TEXT_BYTES);
    z = packed_max_bytes;
    compress2(zlib_packed, &z, text, TEXT_BYTES, 6);
    zlib_bytes = z;
    zstd_bytes = ZSTD_compress(zstd_packed, packed_max_bytes, text, TEXT_BYTES, 5);
}

static uint64_t sum(const unsigned char *p, size_t bytes)
{
    uint64_t h = bytes;

    for (size_t i = 0; i < bytes; i += 61) {
        h = work_mix(h, p[i]);
    }
    return h;
}

/* n: KiB to compress, from the text's start in turns. */
static uint64_t run_zlib_pack(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t kib; n; n -= kib) {
        uLongf bytes = packed_max_bytes;

        kib = n < TEXT_BYTES >> 10 ? n : TEXT_BYTES >> 10;
        compress2(packed, &bytes, text + TEXT_BYTES - (kib << 10), kib << 10, 6);
        h += sum(packed, bytes);
    }
    return h;
}

static uint64_t run_zstd_pack(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t kib; n; n -= kib) {
        size_t bytes;

        kib = n < TEXT_BYTES >> 10 ? n : TEXT_BYTES >> 10;
        bytes = ZSTD_compress(packed, packed_max_bytes, text + TEXT_BYTES - (kib << 10),
                              kib << 10, 5);
        h += sum(packed, bytes);
    }
    return h;
}

static uint64_t run_zlib_unpack(uint32_t n)
{
    uint64_t h = 0;

    while (n--) {
        uLongf bytes = TEXT_BYTES;

        uncompress(unpacked, &bytes, zlib_packed, zlib_bytes);
        h += sum(unpacked, bytes);
    }
    return h + memcmp(text, unpacked, TEXT_BYTES);
}

static uint64_t run_zstd_unpack(uint32_t n)
{
    uint64_t h = 0;

    while (n--) {
        h += sum(unpacked, ZSTD_decompress(unpacked, TEXT_BYTES, zstd_packed, zstd_bytes));
    }
    return h + memcmp(text, unpacked, TEXT_BYTES);
}

const struct work work_app[] = {
    { "zlib-pack", run_zlib_pack, 250, prepare },
    { "zlib-unpack", run_zlib_unpack, 9, prepare },
    { "zstd-pack", run_zstd_pack, 1024, prepare },
    { "zstd-unpack", run_zstd_unpack, 24, prepare },
    { "lua-fib", app_lua_fib, 200 },
    { "lua-tables", app_lua_tables, 45 },
    { "lua-strings", app_lua_strings, 240 },
    { "lua-trees", app_lua_trees, 400 },
    { "sql-insert", app_sql_insert, 18000 },
    { "sql-select", app_sql_select, 80, app_sql_prepare },
    { "sql-update", app_sql_update, 200, app_sql_prepare },
    { "sql-mix", app_sql_mix, 280 },
    { 0 },
};
