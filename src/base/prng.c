/* SPDX-License-Identifier: Apache-2.0 */
/* Both generators are by Vigna (public domain, https://prng.di.unimi.it/). */
#include "base/prng.h"

#include <assert.h>
#include <string.h>

#include "base/base.h"

uint64_t prng_splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void prng_init(struct prng *p, uint64_t seed)
{
    for (size_t i = 0; i < ARRAY_LEN(p->s); i++) {
        p->s[i] = prng_splitmix(&seed);
    }
}

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

uint64_t prng_u64(struct prng *p)
{
    uint64_t result = rotl(p->s[1] * 5, 7) * 9;
    uint64_t t = p->s[1] << 17;

    p->s[2] ^= p->s[0];
    p->s[3] ^= p->s[1];
    p->s[1] ^= p->s[2];
    p->s[0] ^= p->s[3];
    p->s[2] ^= t;
    p->s[3] = rotl(p->s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t n)
{
    uint64_t rest, x;

    assert(n > 0);
    rest = -n % n;                  /* 2^64 mod n: refuse that many, so that all are alike */
    do {
        x = prng_u64(p);
    } while (x < rest);
    return x % n;
}

void prng_fill(struct prng *p, void *buf, size_t n_bytes)
{
    uint8_t *at = buf;

    while (n_bytes > 0) {
        uint64_t x = prng_u64(p);
        size_t n = MIN(n_bytes, sizeof x);

        memcpy(at, &x, n);
        at += n;
        n_bytes -= n;
    }
}
