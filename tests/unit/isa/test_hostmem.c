/* SPDX-License-Identifier: Apache-2.0 */
/* Read-modify-writes of guest memory by the host: results, and that nothing is lost between
 * threads. */
#include "isa/a64/hostmem.h"
#include "../check.h"

#include <pthread.h>

enum { ROUNDS = 20000, THREADS = 3 };

static void cas16_compares_both_halves(void)
{
    _Alignas(16) uint64_t m[2] = { 1, 2 };
    uint64_t e[2] = { 1, 3 };

    CHECK(!host_cas16(m, e, (uint64_t[2]){ 7, 8 }));
    CHECK(e[0] == 1 && e[1] == 2 && m[0] == 1 && m[1] == 2);
    e[0] = 2;
    CHECK(!host_cas16(m, e, (uint64_t[2]){ 7, 8 }));
    CHECK(e[0] == 1 && e[1] == 2 && m[0] == 1 && m[1] == 2);
    CHECK(host_cas16(m, e, (uint64_t[2]){ 7, 8 }));
    CHECK(e[0] == 1 && e[1] == 2 && m[0] == 7 && m[1] == 8);
}

static void atomics_of_each_size(void)
{
    for (unsigned s = 0; s < 4; s++) {
        uint64_t m = ~UINT64_C(0), mask = s == 3 ? m : (UINT64_C(1) << (8 << s)) - 1;

        CHECK(host_atomic(&m, s, 0, 2) == mask);                /* ADD: -1 + 2 */
        CHECK((m & mask) == 1 && (m & ~mask) == ~mask);
        CHECK(host_atomic(&m, s, 4, mask) == 1);                /* SMAX(1, -1) */
        CHECK((m & mask) == 1);
        CHECK(host_atomic(&m, s, 6, mask) == 1);                /* UMAX(1, ~0) */
        CHECK((m & mask) == mask);
        CHECK(host_atomic(&m, s, 1, 5) == mask);                /* CLR */
        CHECK((m & mask) == (mask & ~UINT64_C(5)));
        CHECK(host_cas(&m, s, 3, 9) == (mask & ~UINT64_C(5)));
        CHECK(host_cas(&m, s, mask & ~UINT64_C(5), 9) == (mask & ~UINT64_C(5)));
        CHECK((m & mask) == 9 && (m & ~mask) == ~mask);
    }
}

struct shared {
    _Alignas(16) uint64_t pair[2];
    uint64_t sum;
};

/* Both halves count; whoever sees them differ has seen a torn value. */
static void *count(void *arg)
{
    struct shared *s = arg;
    uint64_t torn = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t e[2] = { 0, 0 };
        do {
            torn += e[0] != e[1];
        } while (!host_cas16(s->pair, e, (uint64_t[2]){ e[0] + 1, e[1] + 1 }));
        host_atomic(&s->sum, 3, 0, 1);
        host_atomic(&s->sum, 3, 0, UINT64_C(1) << 32);
    }
    return (void *)(uintptr_t)torn;
}

static void threads_lose_nothing(void)
{
    struct shared s = { { 0, 0 }, 0 };
    pthread_t t[THREADS];
    void *torn;

    for (unsigned i = 0; i < THREADS; i++) {
        CHECK(!pthread_create(&t[i], NULL, count, &s));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(t[i], &torn);
        CHECK(!torn);
    }
    CHECK(s.pair[0] == ROUNDS * THREADS && s.pair[1] == ROUNDS * THREADS);
    CHECK(s.sum == ROUNDS * THREADS * UINT64_C(0x100000001));
}

int main(void)
{
    cas16_compares_both_halves();
    atomics_of_each_size();
    threads_lose_nothing();
    return check_result();
}
