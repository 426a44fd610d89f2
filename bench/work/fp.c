/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point work.  Check values are sums rounded to few digits where a compiler may
 * contract a*b+c: this file is built with -ffp-contract=off, so they are exact. */
#include "work.h"

#include <math.h>
#include <string.h>

static uint64_t bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    return u;
}

static uint64_t run_nbody(uint32_t n)
{
    static const double start[5][7] = {
        { 0, 0, 0, 0, 0, 0, 39.47841760435743 },
        { 4.84143144246472090, -1.16032004402742839, -0.103622044471123109,
          0.606326392995832, 2.81198684491626, -0.02521836165988763, 0.03769367487038949 },
        { 8.34336671824457987, 4.12479856412430479, -0.403523417114321381,
          -1.01077434617879, 1.82566237123041, 0.008415761376584154, 0.011286326131968767 },
        { 12.8943695621391310, -15.1111514016986312, -0.223307578892655734,
          1.08279100644153, 0.868713018169608, -0.010832637401363636, 0.0017237240570597112 },
        { 15.3796971148509165, -25.9193146099879641, 0.179258772950371181,
          0.979090732243898, 0.594698998647676, -0.034755955504078104, 0.0020336868699246304 },
    };
    double b[5][7];

    memcpy(b, start, sizeof b);
    for (uint32_t s = 0; s < n; s++) {
        for (int i = 0; i < 5; i++) {
            for (int j = i + 1; j < 5; j++) {
                double dx = b[i][0] - b[j][0], dy = b[i][1] - b[j][1], dz = b[i][2] - b[j][2];
                double d2 = dx * dx + dy * dy + dz * dz;
                double mag = 0.01 / (d2 * sqrt(d2));

                b[i][3] -= dx * b[j][6] * mag;
                b[i][4] -= dy * b[j][6] * mag;
                b[i][5] -= dz * b[j][6] * mag;
                b[j][3] += dx * b[i][6] * mag;
                b[j][4] += dy * b[i][6] * mag;
                b[j][5] += dz * b[i][6] * mag;
            }
        }
        for (int i = 0; i < 5; i++) {
            for (int k = 0; k < 3; k++) {
                b[i][k] += 0.01 * b[i][k + 3];
            }
        }
    }
    return bits(b[0][0] + b[4][1]);
}

#define SPEC_N 120

static double spec_a(int i, int j)
{
    return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static uint64_t run_spectral(uint32_t n)
{
    double u[SPEC_N], v[SPEC_N], w[SPEC_N], dot = 0;

    for (int i = 0; i < SPEC_N; i++) {
        u[i] = 1;
    }
    for (uint32_t r = 0; r < n; r++) {
        for (int i = 0; i < SPEC_N; i++) {
            w[i] = 0;
            for (int j = 0; j < SPEC_N; j++) {
                w[i] += spec_a(i, j) * u[j];
            }
        }
        for (int i = 0; i < SPEC_N; i++) {
            v[i] = 0;
            for (int j = 0; j < SPEC_N; j++) {
                v[i] += spec_a(j, i) * w[j];
            }
        }
        dot = 0;
        for (int i = 0; i < SPEC_N; i++) {
            dot += v[i] * u[i];
            u[i] = v[i] / v[0];
        }
    }
    return bits(dot);
}

#define LIN_N 100

static uint64_t run_linpack(uint32_t n)
{
    static double a[LIN_N][LIN_N + 1];
    double x = 0;

    for (uint32_t r = 0; r < n; r++) {
        uint64_t seed = r + 1;

        for (int i = 0; i < LIN_N; i++) {
            for (int j = 0; j <= LIN_N; j++) {
                a[i][j] = (double)(work_rand(&seed) >> 40) / (1 << 24) + (i == j ? 8 : 0);
            }
        }
        for (int k = 0; k < LIN_N; k++) {
            for (int i = k + 1; i < LIN_N; i++) {
                double f = a[i][k] / a[k][k];
                for (int j = k; j <= LIN_N; j++) {
                    a[i][j] -= f * a[k][j];
                }
            }
        }
        x += a[LIN_N - 1][LIN_N] / a[LIN_N - 1][LIN_N - 1];
    }
    return bits(x);
}

#define MM_N 96

static uint64_t run_matmul(uint32_t n)
{
    static double a[MM_N][MM_N], b[MM_N][MM_N], c[MM_N][MM_N];

    for (int i = 0; i < MM_N; i++) {
        for (int j = 0; j < MM_N; j++) {
            a[i][j] = i * 0.5 + j;
            b[i][j] = i - j * 0.25;
        }
    }
    for (uint32_t r = 0; r < n; r++) {
        for (int i = 0; i < MM_N; i++) {
            for (int j = 0; j < MM_N; j++) {
                double s = 0;
                for (int k = 0; k < MM_N; k++) {
                    s += a[i][k] * b[k][j];
                }
                c[i][j] = s;
            }
        }
        a[r % MM_N][3] += c[5][7] * 1e-9;
    }
    return bits(c[5][7] + c[90][1]);
}

static uint64_t run_mandelbrot(uint32_t n)
{
    uint64_t total = 0;

    for (uint32_t r = 0; r < n; r++) {
        for (int py = 0; py < 64; py++) {
            for (int px = 0; px < 64; px++) {
                double cx = px / 32.0 - 1.5, cy = py / 32.0 - 1.0, x = 0, y = 0;
                int i;

                for (i = 0; i < 100 && x * x + y * y < 4; i++) {
                    double t = x * x - y * y + cx;
                    y = 2 * x * y + cy;
                    x = t;
                }
                total += i;
            }
        }
    }
    return total;
}

/* libm differs in the last bit between versions: look at nine digits. */
static uint64_t run_libm(uint32_t n)
{
    double s = 0;

    for (uint32_t i = 1; i <= n; i++) {
        double x = i * 0.001;
        s += sin(x) * cos(x) + exp(-x * 1e-3) + log(x) + atan2(x, 3) + pow(x, 0.3);
    }
    return (uint64_t)(int64_t)llround(s * 1e4);
}

static uint64_t run_fir(uint32_t n)
{
    static float in[1024 + 32], out[1024];
    float tap[32];
    float acc = 0;

    for (int i = 0; i < 1056; i++) {
        in[i] = (i * 37 % 101) / 50.0f - 1;
    }
    for (int i = 0; i < 32; i++) {
        tap[i] = 1.0f / (i + 2);
    }
    for (uint32_t r = 0; r < n; r++) {
        for (int i = 0; i < 1024; i++) {
            float s = 0;
            for (int k = 0; k < 32; k++) {
                s += in[i + k] * tap[k];
            }
            out[i] = s;
        }
        acc += out[r & 1023];
        in[r & 1023] = acc * 0.001f;
    }
    return bits(acc);
}

const struct work work_fp[] = {
    { "nbody", run_nbody, 250000 },      { "spectral", run_spectral, 500 },
    { "linpack", run_linpack, 50 },      { "matmul", run_matmul, 50 },
    { "mandelbrot", run_mandelbrot, 40 }, { "libm", run_libm, 300000 },
    { "fir", run_fir, 3000 },
    { 0 },
};
