/* SPDX-License-Identifier: Apache-2.0 */
/* Loops that the compiler turns into vector instructions (-O3). */
#include "work.h"

#include <stdlib.h>
#include <string.h>

#define N 4096

static uint64_t fbits(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

#define MM 64

static uint64_t run_matmul(uint32_t n)
{
    static float a[MM][MM], b[MM][MM], c[MM][MM];

    for (int i = 0; i < MM; i++) {
        for (int j = 0; j < MM; j++) {
            a[i][j] = (i + j) & 7;
            b[i][j] = (i * j) & 3;
        }
    }
    for (uint32_t r = 0; r < n; r++) {
        memset(c, 0, sizeof c);
        for (int i = 0; i < MM; i++) {
            for (int k = 0; k < MM; k++) {
                for (int j = 0; j < MM; j++) {
                    c[i][j] += a[i][k] * b[k][j];
                }
            }
        }
        a[r & 63][1] = c[r & 63][2] * 0.001f;
    }
    return fbits(c[5][7]);
}

static uint64_t run_saxpy(uint32_t n)
{
    static float x[N], y[N];

    for (int i = 0; i < N; i++) {
        x[i] = i & 15;
        y[i] = i & 7;
    }
    for (uint32_t r = 0; r < n; r++) {
        for (int i = 0; i < N; i++) {
            y[i] = x[i] * 0.5f + y[i];
        }
    }
    return fbits(y[77]);
}

static uint64_t run_blend(uint32_t n)
{
    static uint8_t a[N], b[N], o[N];
    uint64_t h = 0;

    for (int i = 0; i < N; i++) {
        a[i] = i * 3;
        b[i] = i * 7;
    }
    for (uint32_t r = 0; r < n; r++) {
        uint8_t alpha = r;
        for (int i = 0; i < N; i++) {
            o[i] = (a[i] * alpha + b[i] * (255 - alpha)) >> 8;
        }
        h = work_mix(h, o[r & (N - 1)]);
        a[r & (N - 1)]++;
    }
    return h;
}

static uint64_t run_sad(uint32_t n)
{
    static uint8_t a[N], b[N];
    uint64_t h = 0;

    for (int i = 0; i < N; i++) {
        a[i] = i * 3;
        b[i] = i * 7 >> 1;
    }
    for (uint32_t r = 0; r < n; r++) {
        uint32_t s = 0;
        for (int i = 0; i < N; i++) {
            s += abs(a[i] - b[i]);
        }
        h = work_mix(h, s);
        a[r & (N - 1)]++;
    }
    return h;
}

static uint64_t run_dot16(uint32_t n)
{
    static int16_t a[N], b[N];
    uint64_t h = 0;

    for (int i = 0; i < N; i++) {
        a[i] = i * 3 - 2000;
        b[i] = 900 - i;
    }
    for (uint32_t r = 0; r < n; r++) {
        int32_t s = 0;
        for (int i = 0; i < N; i++) {
            s += a[i] * b[i] >> 4;
        }
        h = work_mix(h, (uint32_t)s);
        a[r & (N - 1)]++;
    }
    return h;
}

const struct work work_vec[] = {
    { "matmul", run_matmul, 500 }, { "saxpy", run_saxpy, 30000 }, { "blend", run_blend, 40000 },
    { "sad", run_sad, 120000 },     { "dot16", run_dot16, 20000 },
    { 0 },
};
