/* SPDX-License-Identifier: Apache-2.0 */
/* struct gen: makes random snippets and loops of allowed instructions from the row tables.
 *
 * Conventions that keep memory accesses where there is memory, programs finite and comparable: some
 * registers (each time others) play the parts of enum gen_role.  In snippets branches go forward;
 * programs with loops are gen_loop.c's. */
#pragma once
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

#define GEN_BRK 0xd4200000u

enum gen_role {
    GEN_INDEX,                      /* two small indexes, never written */
    GEN_ALIGNED = 2,                /* two 16-byte aligned pointers, changed by multiples of 16 */
    GEN_BASE = 4,                   /* three pointers (the second with a tag byte), changed by
                                     * writeback and (in loops) by steps */
    GEN_ROLES_BASIC = 7,
    GEN_COUNTER = 7,                /* in loops: three, by depth */
    GEN_CODE = 10,                  /* address of an instruction to change, and the change */
    GEN_DEVICE = 12,                /* page that asks the engine to return */
    GEN_ROLES,                      /* SP is 16-byte aligned, too */
};

struct gen {
    uint64_t s;
    uint64_t features;              /* of struct a64_model */
    unsigned group_mask;            /* 1 << enum a64_group; 0: all */
    const char *only;               /* rows whose name contains it; NULL: all */
    bool el1;                       /* loops with what EL0 must not do */
    bool for_qemu;                  /* leave out what QEMU is known to do wrongly */
    bool close;                     /* this snippet's vector registers are V0 to V3: it is about
                                     * what one instruction makes of another's result */
    unsigned candidates[2048], candidate_n;
    unsigned of_group[8][1024], of_group_n[8];
    uint8_t role[GEN_ROLES];        /* register */
    uint32_t reserved;              /* bit per register: not written but by the conventions */
    unsigned counters;              /* how many count now, and are good as indexes */
    uint32_t walks;                 /* bit per role: a pointer into the pages to walk over */
};

void gen_init(struct gen *g, uint64_t seed, uint64_t features, unsigned group_mask,
              const char *only, bool for_qemu);
void gen_seed(struct gen *g, uint64_t seed);
void gen_test(struct gen *g, struct diff_test *t, unsigned insns);
enum { GEN_LOOP_INSNS_MAX = 100 };
/* A program with loops, of about that many instructions. */
void gen_loop_test(struct gen *g, struct diff_test *t, unsigned insns);

uint64_t gen_random(struct gen *g);
unsigned gen_below(struct gen *g, unsigned n);
/* Registers and, with them, who plays which part. */
void gen_state(struct gen *g, struct diff_state *s);
/* A general register that may be written. */
unsigned gen_spare(struct gen *g);
/* One instruction of the row, or two: an exclusive load and its store.  A branch goes at most
 * `left` instructions forward. */
unsigned gen_insn(struct gen *g, unsigned row, unsigned left, uint32_t word[2]);
/* The store that goes with a load-exclusive: same size and base. */
uint32_t gen_store_ex(struct gen *g, uint32_t load);
