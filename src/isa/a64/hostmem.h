/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory as the host sees it: single-copy atomic moves and read-modify-writes.
 *
 * Moves are ordered as the host's plain accesses are.  Read-modify-writes acquire and release;
 * host_fence_release(), _released() and _acquired() make of both what Arm's ordered accesses are
 * (B2.3.11).  Where the host orders stores and loads as x86 does most of them cost nothing. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Before a store-release. */
static inline void host_fence_release(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* After a load-acquire. */
static inline void host_fence_acquired(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* After a store-release, which is also ordered before a later load-acquire. */
static inline void host_fence_released(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The same after a read-modify-write: with LOCK it is a fence by itself; Arm's CASAL or STLXR
 * lets a later plain load, of which we make load-acquires, go ahead of its store. */
static inline void host_fence_rmw_released(void)
{
#ifndef __x86_64__
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

#define HOST_MOVE(T, to, from) (*(T *)(to) = *(const volatile T *)(from))

/* An aligned access of 1, 2, 4 or 8 bytes is one host access (B2.2.1). */
static inline void host_copy_in(void *to, const void *guest, unsigned n)
{
    switch (n) {
    case 1: HOST_MOVE(uint8_t, to, guest); break;
    case 2: HOST_MOVE(uint16_t, to, guest); break;
    case 4: HOST_MOVE(uint32_t, to, guest); break;
    case 8: HOST_MOVE(uint64_t, to, guest); break;
    case 16:
        HOST_MOVE(uint64_t, to, guest);
        HOST_MOVE(uint64_t, (char *)to + 8, (const char *)guest + 8);
        break;
    default: memcpy(to, guest, n); break;
    }
}

static inline void host_copy_out(void *guest, const void *from, unsigned n)
{
    switch (n) {
    case 1: *(volatile uint8_t *)guest = *(const uint8_t *)from; break;
    case 2: *(volatile uint16_t *)guest = *(const uint16_t *)from; break;
    case 4: *(volatile uint32_t *)guest = *(const uint32_t *)from; break;
    case 8: *(volatile uint64_t *)guest = *(const uint64_t *)from; break;
    case 16:
        *(volatile uint64_t *)guest = *(const uint64_t *)from;
        *(volatile uint64_t *)((char *)guest + 8) = *(const uint64_t *)((const char *)from + 8);
        break;
    default: memcpy(guest, from, n); break;
    }
}

#define HOST_RMW(T, ST, expr) \
    { \
        T *p = host; \
        T old = __atomic_load_n(p, __ATOMIC_RELAXED), b = (T)v, now; \
        do { \
            T a = old; \
            now = (T)(expr); \
        } while (!__atomic_compare_exchange_n(p, &old, now, false, __ATOMIC_SEQ_CST, \
                                              __ATOMIC_SEQ_CST)); \
        return old; \
    }
#define HOST_OPS(T, ST) \
    switch (op) { \
    case 0: return __atomic_fetch_add((T *)host, (T)v, __ATOMIC_SEQ_CST); \
    case 1: return __atomic_fetch_and((T *)host, (T)~v, __ATOMIC_SEQ_CST); \
    case 2: return __atomic_fetch_xor((T *)host, (T)v, __ATOMIC_SEQ_CST); \
    case 3: return __atomic_fetch_or((T *)host, (T)v, __ATOMIC_SEQ_CST); \
    case 4: HOST_RMW(T, ST, (ST)a > (ST)b ? a : b) \
    case 5: HOST_RMW(T, ST, (ST)a < (ST)b ? a : b) \
    case 6: HOST_RMW(T, ST, a > b ? a : b) \
    case 7: HOST_RMW(T, ST, a < b ? a : b) \
    default: return __atomic_exchange_n((T *)host, (T)v, __ATOMIC_SEQ_CST); \
    }

/* op: enum atomic_op of vocab.h (ADD CLR EOR SET SMAX SMIN UMAX UMIN SWP).  The old value. */
static inline uint64_t host_atomic(void *host, unsigned size_log2, unsigned op, uint64_t v)
{
    switch (size_log2) {
    case 0: HOST_OPS(uint8_t, int8_t)
    case 1: HOST_OPS(uint16_t, int16_t)
    case 2: HOST_OPS(uint32_t, int32_t)
    default: HOST_OPS(uint64_t, int64_t)
    }
}
#undef HOST_RMW
#undef HOST_OPS

#define HOST_CAS(T) \
    { \
        T e = (T)expect; \
        __atomic_compare_exchange_n((T *)host, &e, (T)data, false, __ATOMIC_SEQ_CST, \
                                    __ATOMIC_SEQ_CST); \
        return e; \
    }

/* The old value: equal to `expect` (in its width) if the exchange took place. */
static inline uint64_t host_cas(void *host, unsigned size_log2, uint64_t expect, uint64_t data)
{
    switch (size_log2) {
    case 0: HOST_CAS(uint8_t)
    case 1: HOST_CAS(uint16_t)
    case 2: HOST_CAS(uint32_t)
    default: HOST_CAS(uint64_t)
    }
}
#undef HOST_CAS

/* 16 bytes, aligned.  expect[] becomes the old value. */
#ifdef __x86_64__
static inline bool host_cas16(void *host, uint64_t expect[2], const uint64_t data[2])
{
    bool ok;
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@cce"(ok), "+m"(*(unsigned __int128 *)host), "+a"(expect[0]),
                       "+d"(expect[1])
                     : "b"(data[0]), "c"(data[1])
                     : "memory");
    return ok;
}
#elif defined(__aarch64__)
/* A compiler's __atomic of 16 bytes may take a lock, which an access of 8 bytes does not. */
static inline bool host_cas16(void *host, uint64_t expect[2], const uint64_t data[2])
{
    uint64_t old[2], lo, hi;
    uint32_t failed;

    do {
        /* LDAXP of 16 bytes is single-copy atomic only if the STLXP succeeds, so what does not
         * match is stored back. */
        __asm__ volatile("ldaxp %[o0], %[o1], [%[p]]\n\t"
                         "cmp   %[o0], %[e0]\n\t"
                         "ccmp  %[o1], %[e1], #0, eq\n\t"
                         "csel  %[lo], %[d0], %[o0], eq\n\t"
                         "csel  %[hi], %[d1], %[o1], eq\n\t"
                         "stlxp %w[failed], %[lo], %[hi], [%[p]]"
                         : [o0] "=&r"(old[0]), [o1] "=&r"(old[1]), [lo] "=&r"(lo),
                           [hi] "=&r"(hi), [failed] "=&r"(failed)
                         : [p] "r"(host), [e0] "r"(expect[0]), [e1] "r"(expect[1]),
                           [d0] "r"(data[0]), [d1] "r"(data[1])
                         : "cc", "memory");
    } while (failed);
    bool ok = old[0] == expect[0] && old[1] == expect[1];
    expect[0] = old[0];
    expect[1] = old[1];
    return ok;
}
#else
static inline bool host_cas16(void *host, uint64_t expect[2], const uint64_t data[2])
{
    unsigned __int128 e = expect[0] | (unsigned __int128)expect[1] << 64;
    unsigned __int128 d = data[0] | (unsigned __int128)data[1] << 64;
    bool ok = __atomic_compare_exchange_n((unsigned __int128 *)host, &e, d, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    expect[0] = (uint64_t)e;
    expect[1] = (uint64_t)(e >> 64);
    return ok;
}
#endif
