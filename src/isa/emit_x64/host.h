/* SPDX-License-Identifier: Apache-2.0 */
/* What the host has beyond what the translator needs (AVX2, FMA, BMI, LZCNT): a set of bits that
 * decides which code is made, and so is part of what translations are kept under. */
#pragma once
#include <stdint.h>

enum gen_host {
    GEN_HOST_AES = 1, GEN_HOST_PCLMUL = 2, GEN_HOST_SHA = 4, GEN_HOST_F16C = 8,
    GEN_HOST_GFNI = 256,
    GEN_HOST_AVX512 = 16,       /* F, VL, BW, DQ and CD; the others come with it or not at all */
    GEN_HOST_VBMI = 32, GEN_HOST_BITALG = 64, GEN_HOST_AVX512_FP16 = 128,
    GEN_HOST_AVX512_ALL = GEN_HOST_AVX512 | GEN_HOST_VBMI | GEN_HOST_BITALG | GEN_HOST_AVX512_FP16,
};

/* By CPUID, and by what the system saves of the registers. */
static inline uint32_t gen_host(void)
{
    uint32_t h = (__builtin_cpu_supports("aes") ? GEN_HOST_AES : 0) |
                 (__builtin_cpu_supports("pclmul") ? GEN_HOST_PCLMUL : 0) |
                 (__builtin_cpu_supports("sha") ? GEN_HOST_SHA : 0) |
                 (__builtin_cpu_supports("f16c") ? GEN_HOST_F16C : 0) |
                 (__builtin_cpu_supports("gfni") ? GEN_HOST_GFNI : 0);

    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512cd")) {
        return h;
    }
    return h | GEN_HOST_AVX512 | (__builtin_cpu_supports("avx512vbmi") ? GEN_HOST_VBMI : 0) |
           (__builtin_cpu_supports("avx512bitalg") ? GEN_HOST_BITALG : 0) |
           (__builtin_cpu_supports("avx512fp16") ? GEN_HOST_AVX512_FP16 : 0);
}
