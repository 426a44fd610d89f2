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
static uint64_t chase(size_t bytes, uint32_t n)
{
    size_t lines = bytes / 64;
    uint64_t *a = area(bytes);
    uint64_t at = 0;
    static size_t linked;           /* the order is there from the run before */

    for (size_t i = 0; linked != bytes && i < lines; i++) {
        /* i → i*a + c modulo a power of two visits all (a ≡ 1 mod 4, c odd). */
        a[i * 8] = (i * UINT64_C(0x5851f42d4c957f2d) + 0x14057b7ef767814f) & (lines - 1);
    }
    linked = bytes;
    for (uint32_t i = 0; i < n; i++) {
        at = a[at * 8];
    }
    return at;
}

static uint64_t run_chase_l1(uint32_t n)
{
    return chase(16 << 10, n);
}

static uint64_t run_chase_64m(uint32_t n)
{
    return chase(64 * MB, n);
}

static uint64_t run_chase_512m(uint32_t n)
{
    return chase(512 * MB, n);
}

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
    { "chase-l1", run_chase_l1, 15000000 },   { "chase-64m", run_chase_64m, 200000 },
    { "chase-512m", run_chase_512m, 150000 }, { "random-rmw", run_random_rmw, 2000000 },
    { "page-stride", run_page_stride, 150 },   { "memcpy", run_memcpy, 40 },
    { 0 },
};
