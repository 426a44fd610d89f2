/* SPDX-License-Identifier: Apache-2.0 */
/* struct gen: makes random snippets of allowed instructions from the row tables.
 *
 * Conventions that keep memory accesses inside of the scratch area and snippets comparable:
 *   x24, x25   16-byte aligned pointers, never written (bases of atomics and ordered accesses)
 *   x26–x28    any pointers (x27 with a tag byte), written by writeback only
 *   x22, x23   small indexes, never written
 *   sp         a 16-byte aligned pointer, never written
 * Branches go forward inside of the snippet. */
#pragma once
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct gen {
    uint64_t s;
    uint64_t features;              /* of struct a64_model */
    unsigned group_mask;            /* 1 << enum a64_group; 0: all */
    const char *only;               /* rows whose name contains it; NULL: all */
    bool for_qemu;                  /* leave out what QEMU is known to do wrongly */
    bool close;                     /* this snippet's vector registers are V0 to V3: it is about
                                     * what one instruction makes of another's result */
    unsigned candidates[2048], candidate_n;
};

void gen_init(struct gen *g, uint64_t seed, uint64_t features, unsigned group_mask,
              const char *only, bool for_qemu);
void gen_test(struct gen *g, struct diff_test *t, unsigned insns);
uint64_t gen_random(struct gen *g);
