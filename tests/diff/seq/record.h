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
/* Pages to walk over, of several kinds: DIFF_WALK_KINDS. */
#define DIFF_WALK UINT64_C(0x40080000)
/* One page for aligned stores of a register.  With two engines of ours it is a device: 32 bits ask
 * the engine to return, in the middle of whatever runs, to be started again; 64 bits have the
 * mapping of a page to walk over changed. */
#define DIFF_DEVICE UINT64_C(0x400f0000)

/* w: written, r: read only, -: missing, <: the same memory as the page before it. */
#define DIFF_WALK_KINDS "-wwrw<w-wwww<w<wwwrww-wwww<ww-w-"
enum { DIFF_WALK_PAGES = 32 };
/* Our engines: address of their descriptors, for programs at EL1. */
#define DIFF_WALK_TABLE UINT64_C(0x403fd400)

/* Slots do not divide pages: some programs run over their end.  In some batches all do: one a page,
 * around its end. */
enum { DIFF_WORDS = 189, DIFF_WORDS_SHORT = 15, DIFF_BATCH_MAX = 512, DIFF_BATCH_PAGES = 100 };

enum diff_end { DIFF_END_DONE, DIFF_END_UNDEFINED, DIFF_END_FAULT, DIFF_END_OTHER,
                DIFF_END_LATE };

struct diff_state {
    uint64_t x[31], sp, pc;
    uint64_t nzcv;                          /* bits 31:28; as an answer of ours all of SPSR */
    uint64_t v[32][2];
    uint32_t fpcr, fpsr;
    uint32_t end;                           /* enum diff_end */
    uint32_t esr;                           /* 0 where nobody can say: with QEMU */
    uint64_t far;
    uint64_t earlier;                       /* hash of this, at the ends of earlier turns */
};

struct diff_test {
    struct diff_state state;
    uint32_t hot_runs;                      /* branches backwards until a loop is hot */
    uint32_t word[DIFF_WORDS + 1];          /* the last one ends it: BRK */
};

struct diff_batch {
    uint32_t n, fill;                       /* fill: give the scratch memory this seed, 0: keep */
    uint32_t slot_words;                    /* of a program, with its end */
    uint32_t first;                         /* slot of the first one */
    uint32_t shift, stride;                 /* bytes: where slot 0 is, and from slot to slot */
    uint32_t turns;                         /* how often each runs from its first state */
    uint32_t no_syndrome;                   /* esr and far stay 0, nzcv has no more bits */
};

static inline uint64_t diff_code_of(const struct diff_batch *b, unsigned i)
{
    return DIFF_CODE + DIFF_CODE_FIRST + b->shift + (uint64_t)(b->first + i) * b->stride;
}

/* Answer: diff_state[n], then a uint64_t: hash of the memory (scratch and pages to walk over). */

static inline void diff_fill(void *memory, uint64_t bytes, uint32_t seed)
{
    uint64_t s = seed, *p = memory;

    for (uint64_t i = 0; i < bytes / 8; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        p[i] = s;
    }
}

static inline uint64_t diff_hash(const void *memory, uint64_t bytes, uint64_t h)
{
    const uint64_t *p = memory;

    for (uint64_t i = 0; i < bytes / 8; i++) {
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
        h ^= h >> 29;
    }
    return h;
}
