/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: latency, TLB reach, bandwidth. */
#include "work.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MB (UINT64_C(1) << 20)

/* Two allocations live at most; kept, so that only the first run pays for the pages. */
static void *area(size_t bytes)
{
    static void *p;
    static size_t have;

    if (bytes > have) {
        if (p) {
            munmap(p, have);
        }
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            abort();
        }
        /* A child of `sys` does not need it, and copying its page tables is not what is timed. */
        madvise(p, bytes, MADV_DONTFORK);
        have = bytes;
        memset(p, 1, bytes);
    }
    return p;
}

/* One cycle through all cache lines in an order that no prefetcher follows. */
static void link_lines(size_t bytes)
{
    size_t lines = bytes / 64;
    uint64_t *a = area(bytes);

    for (size_t i = 0; i < lines; i++) {
        /* i → i*a + c modulo a power of two visits all (a ≡ 1 mod 4, c odd). */
        a[i * 8] = (i * UINT64_C(0x5851f42d4c957f2d) + 0x14057b7ef767814f) & (lines - 1);
    }
}

static void link_16k(void) { link_lines(16 << 10); }
static void link_64m(void) { link_lines(64 * MB); }
static void link_512m(void) { link_lines(512 * MB); }

static uint64_t run_chase(uint32_t n)
{
    uint64_t *a = area(1), at = 0;

    for (uint32_t i = 0; i < n; i++) {
        at = a[at * 8];
    }
    return at;
}

static void touch(void) { area(256 * MB); }

static uint64_t run_random_rmw(uint32_t n)
{
    uint64_t *a = area(256 * MB), seed = 11, h = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t *p = a + (work_rand(&seed) & (256 * MB / 8 - 1));
        h += i;
        *p = h;
    }
    return h;
}

static uint64_t run_page_stride(uint32_t n)
{
    uint8_t *a = area(64 * MB);
    uint64_t h = 0;

    for (uint32_t r = 0; r < n; r++) {
        for (size_t i = 0; i < 64 * MB; i += 4096) {
            a[i] = r;
            h += a[i];
        }
    }
    return h;
}

static uint64_t run_memcpy(uint32_t n)
{
    uint8_t *a = area(64 * MB);
    uint64_t h = 0;

    for (uint32_t r = 0; r < n; r++) {
        a[r] = r;
        memcpy(a + 32 * MB, a, 8 * MB);
        h += a[32 * MB + r];
    }
    return h;
}

const struct work work_mem[] = {
    { "chase-l1", run_chase, 15000000, link_16k },
    { "chase-64m", run_chase, 200000, link_64m },
    { "chase-512m", run_chase, 150000, link_512m },
    { "random-rmw", run_random_rmw, 2000000, touch },
    { "page-stride", run_page_stride, 150, touch },
    { "memcpy", run_memcpy, 40, touch },
    { 0 },
};
