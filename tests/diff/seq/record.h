/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/diff/seq's two programs tell each other: batches of snippets, and the states that
 * they lead to.  Both ends run on little-endian machines. */
#pragma once
#include <stdint.h>

/* The same addresses in both: physical memory of our PE, mappings of the user process. */
#define DIFF_SCRATCH UINT64_C(0x40000000)
#define DIFF_SCRATCH_BYTES (UINT64_C(256) << 10)
#define DIFF_CODE UINT64_C(0x40100000)
#define DIFF_CODE_BYTES (UINT64_C(512) << 10)
#define DIFF_CODE_FIRST UINT64_C(0x10000)   /* room in front for PC-relative loads */

enum { DIFF_WORDS = 15, DIFF_SLOT_BYTES = 64, DIFF_BATCH_MAX = 2048 };

enum diff_end { DIFF_END_DONE, DIFF_END_UNDEFINED, DIFF_END_FAULT, DIFF_END_OTHER };

struct diff_state {
    uint64_t x[31], sp, pc;
    uint64_t nzcv;                          /* bits 31:28 */
    uint64_t v[32][2];
    uint32_t fpcr, fpsr;
    uint32_t end;                           /* enum diff_end */
    uint32_t pad;
};

struct diff_test {
    struct diff_state state;
    uint32_t word[DIFF_WORDS + 1];          /* the last one ends it: BRK */
};

struct diff_batch {
    uint32_t n, fill;                       /* fill: give the scratch memory this seed, 0: keep */
};

/* Answer: diff_state[n], then a uint64_t: hash of the scratch memory. */

static inline void diff_scratch_fill(void *scratch, uint32_t seed)
{
    uint64_t s = seed, *p = scratch;

    for (uint64_t i = 0; i < DIFF_SCRATCH_BYTES / 8; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        p[i] = s;
    }
}

static inline uint64_t diff_scratch_hash(const void *scratch)
{
    const uint64_t *p = scratch;
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (uint64_t i = 0; i < DIFF_SCRATCH_BYTES / 8; i++) {
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
        h ^= h >> 29;
    }
    return h;
}
