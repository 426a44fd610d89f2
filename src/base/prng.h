/* SPDX-License-Identifier: Apache-2.0 */
/* struct prng: seeded pseudo-random numbers (xoshiro256**, seeded by splitmix64).  The same seed
 * gives the same numbers on every host.  For tests, simulation and jitter; not for secrets. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_init(struct prng *p, uint64_t seed);
uint64_t prng_u64(struct prng *p);
uint64_t prng_below(struct prng *p, uint64_t n);    /* uniform in 0 … n-1; n > 0 */
void prng_fill(struct prng *p, void *buf, size_t n_bytes);

/* One step of splitmix64: also a good mixer of a 64-bit value by itself. */
uint64_t prng_splitmix(uint64_t *state);
