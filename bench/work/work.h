/* SPDX-License-Identifier: Apache-2.0 */
/* A workload: a function of a repeat count that returns a check value, which must be the same on
 * every machine.  One row in a table at the end of each file; main.c runs and times them. */
#pragma once
#include <stdint.h>

struct work {
    const char *name;
    uint64_t (*run)(uint32_t n);
    uint32_t n;         /* repeats of a full run: about 20 ms on a machine of 2021 */
    void (*prepare)(void);      /* before the clock is started; NULL: nothing */
};

extern const struct work work_int[], work_fp[], work_vec[], work_mem[], work_sys[], work_mt[];
extern const struct work work_app[];    /* with WORK_APP */

/* A fixed sequence of pseudo-random numbers (xorshift64*). */
static inline uint64_t work_rand(uint64_t *s)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return *s * UINT64_C(0x2545f4914f6cdd1d);
}

/* Mixes a value into a check sum. */
static inline uint64_t work_mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * UINT64_C(0x100000001b3) + (h >> 29);
}
