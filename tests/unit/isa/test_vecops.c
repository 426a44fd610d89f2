/* SPDX-License-Identifier: Apache-2.0 */
/* The vector primitives: published vectors for cryptography, and hand-made examples of every kind
 * (lanes, active bytes, saturation, flags).  Broad coverage is tests/diff's. */
#include <string.h>

#include "isa/a64/cpu.h"
#include "isa/a64/vecops.h"
#include "isa/softfp/softfp.h"
#include "../check.h"

static struct a64_cpu cpu;

static union a64_vreg vec(uint64_t high, uint64_t low)
{
    return (union a64_vreg){ .d = { low, high } };
}

static bool is(union a64_vreg v, uint64_t high, uint64_t low)
{
    return v.d[0] == low && v.d[1] == high;
}

static union a64_vreg run(vop_fn *fn, uint32_t arg, union a64_vreg a, union a64_vreg b,
                          union a64_vreg c)
{
    union a64_vreg d;

    fn(&cpu, arg, &d, &a, &b, &c);
    /* The destination may be any of the operands. */
    union a64_vreg x = a, y = b, z = c;
    fn(&cpu, arg, &x, &x, &b, &c);
    fn(&cpu, arg, &y, &a, &y, &c);
    fn(&cpu, arg, &z, &a, &b, &z);
    CHECK(!memcmp(&x, &d, 16) && !memcmp(&y, &d, 16) && !memcmp(&z, &d, 16), "aliased");
    return d;
}

#define RUN1(name, arg, a) run(vop_##name, arg, a, vec(0, 0), vec(0, 0))
#define RUN2(name, arg, a, b) run(vop_##name, arg, a, b, vec(0, 0))
#define RUN3(name, arg, a, b, c) run(vop_##name, arg, a, b, c)

static void test_lanes(void)
{
    union a64_vreg a = vec(0x8000000000000001, 0x00ff7f8001020380);
    union a64_vreg b = vec(0xffffffffffffffff, 0x0101010101010101);

    CHECK(is(RUN2(add, V_ARG(0, 4, 0), a, b), 0x7fffffffffffff00, 0x0100808102030481));
    CHECK(is(RUN2(add, V_ARG(3, 4, 0), a, b), 0x8000000000000000, 0x0200808102030481));
    CHECK(is(RUN2(add, V_ARG(0, 3, 0), a, b), 0, 0x0100808102030481), "8 active bytes");
    CHECK(is(RUN2(add, V_ARG(0, 0, 0), a, b), 0, 0x81), "1 active byte");
    CHECK(is(RUN2(cmgt, V_ARG(0, 3, 0), a, b), 0, 0x0000ff0000ffff00));
    CHECK(is(RUN2(cmhi, V_ARG(0, 3, 0), a, b), 0, 0x00ffffff00ffffff));
    CHECK(is(RUN2(sabd, V_ARG(0, 0, 0), vec(0, 0x80), vec(0, 0x7f)), 0, 0xff));
    CHECK(is(RUN2(urhadd, V_ARG(0, 0, 0), vec(0, 0xff), vec(0, 0xfe)), 0, 0xff));
    CHECK(is(RUN2(uhsub, V_ARG(0, 0, 0), vec(0, 1), vec(0, 2)), 0, 0xff));
    CHECK(is(RUN1(cls, V_ARG(2, 3, 0), vec(0, 0xffffffff00000000)), 0, 0x0000001f0000001f));
    CHECK(is(RUN1(clz, V_ARG(1, 3, 0), vec(0, 0x0000000180007fff)), 0, 0x0010000f00000001));
    CHECK(is(RUN1(cnt, V_ARG(0, 0, 0), vec(0, 0xff)), 0, 8));
    CHECK(is(RUN1(rbit, V_ARG(0, 0, 0), vec(0, 0x12)), 0, 0x48));
    CHECK(is(RUN1(rev, V_ARG(1, 4, 3), vec(0x0011223344556677, 0x8899aabbccddeeff)),
             0x6677445522330011, 0xeeffccddaabb8899));
    CHECK(is(RUN3(bsl, V_ARG(3, 3, 0), vec(9, 0xff00), vec(9, 0x1234), vec(9, 0x5678)), 0, 0x1278));
}

static void test_saturation(void)
{
    cpu.fpsr = 0;
    CHECK(is(RUN2(sqadd, V_ARG(0, 0, 0), vec(0, 0x7e), vec(0, 1)), 0, 0x7f) && cpu.fpsr == 0);
    CHECK(is(RUN2(sqadd, V_ARG(0, 0, 0), vec(0, 0x7f), vec(0, 1)), 0, 0x7f));
    CHECK(cpu.fpsr == FPSR_QC, "%#x", cpu.fpsr);
    CHECK(is(RUN2(sqsub, V_ARG(3, 3, 0), vec(0, INT64_MIN), vec(0, 1)), 0, INT64_MIN));
    CHECK(is(RUN2(uqsub, V_ARG(1, 1, 0), vec(0, 3), vec(0, 4)), 0, 0));
    CHECK(is(RUN2(suqadd, V_ARG(0, 0, 0), vec(0, 0x80), vec(0, 0xff)), 0, 0x7f));
    CHECK(is(RUN2(usqadd, V_ARG(0, 0, 0), vec(0, 0x01), vec(0, 0xfe)), 0, 0));
    CHECK(is(RUN1(sqabs, V_ARG(2, 2, 0), vec(0, 0x80000000)), 0, 0x7fffffff));
    CHECK(is(RUN1(sqneg, V_ARG(1, 1, 0), vec(0, 0x8000)), 0, 0x7fff));
    CHECK(is(RUN2(sqdmulh, V_ARG(1, 1, 0), vec(0, 0x8000), vec(0, 0x8000)), 0, 0x7fff));
    CHECK(is(RUN2(sqrdmulh, V_ARG(1, 1, 0), vec(0, 0x4000), vec(0, 3)), 0, 2));
    CHECK(is(RUN1(sqxtun, V_ARG(0, 3, 0), vec(0x00ff010080007fff, 0x0001fffe00800000)),
             0, 0xffff00ff01008000));
    CHECK(is(RUN2(sqdmull, V_ARG(2, 3, 0), vec(0, 0x80000000), vec(0, 0x80000000)), 0, INT64_MAX));
}

static void test_shifts(void)
{
    CHECK(is(RUN2(sshl, V_ARG(0, 0, 0), vec(0, 0x81), vec(0, 0xff)), 0, 0xc0));
    CHECK(is(RUN2(ushl, V_ARG(0, 0, 0), vec(0, 0x81), vec(0, 0x80)), 0, 0));
    CHECK(is(RUN2(srshl, V_ARG(3, 3, 0), vec(0, INT64_MAX), vec(0, 0xff)), 0, 1ull << 62));
    CHECK(is(RUN2(urshl, V_ARG(3, 3, 0), vec(0, UINT64_MAX), vec(0, 0xc0)), 0, 1));
    CHECK(is(RUN2(sqshl, V_ARG(0, 0, 0), vec(0, 0xff), vec(0, 0x7f)), 0, 0x80));
    CHECK(is(RUN2(uqshl, V_ARG(3, 3, 0), vec(0, 3), vec(0, 63)), 0, UINT64_MAX));
    CHECK(is(RUN1(sshri, V_ARG(3, 3, 64), vec(0, INT64_MIN)), 0, UINT64_MAX));
    CHECK(is(RUN1(ushri, V_ARG(2, 3, 32), vec(0, UINT64_MAX)), 0, 0));
}

static void test_moves(void)
{
    union a64_vreg a = vec(0x0f0e0d0c0b0a0908, 0x0706050403020100);
    union a64_vreg b = vec(0x1f1e1d1c1b1a1918, 0x1716151413121110);

    CHECK(is(RUN2(uzp1, V_ARG(0, 4, 0), a, b), 0x1e1c1a1816141210, 0x0e0c0a0806040200));
    CHECK(is(RUN2(uzp2, V_ARG(1, 3, 0), a, b), 0, 0x1716131207060302));
    CHECK(is(RUN2(trn1, V_ARG(2, 4, 0), a, b), 0x1b1a19180b0a0908, 0x1312111003020100));
    CHECK(is(RUN2(trn2, V_ARG(3, 4, 0), a, b), 0x1f1e1d1c1b1a1918, 0x0f0e0d0c0b0a0908));
    CHECK(is(RUN2(zip1, V_ARG(0, 3, 0), a, b), 0, 0x1303120211011000));
    CHECK(is(RUN2(zip2, V_ARG(0, 3, 0), a, b), 0, 0x1707160615051404));
    CHECK(is(RUN2(ext, V_ARG(0, 4, 9), a, b), 0x1817161514131211, 0x100f0e0d0c0b0a09));
    CHECK(is(RUN1(dup_lane, V_ARG(1, 3, 5), a), 0, 0x0b0a0b0a0b0a0b0a));
    CHECK(is(RUN3(tbx, V_ARG(0, 3, 16), b, vec(0, 0x0f10111fff200080), a), 0,
             0x0710111f03020100));
    CHECK(is(RUN1(sxtl, V_ARG(0, 4, 1), vec(0x80ff7f0100000000, 5)), 0xff80ffff007f0001, 0));
    CHECK(is(RUN1(uaddlp, V_ARG(0, 3, 0), vec(7, 0xffff010203040506)), 0, 0x01fe00030007000b));
    CHECK(is(RUN2(pmull, V_ARG(3, 4, 0), vec(0, UINT64_MAX), vec(0, UINT64_MAX)),
             0x5555555555555555, 0x5555555555555555));
    CHECK(is(RUN3(sdot, V_ARG(2, 3, 0), vec(0, 0xff02030400000080), vec(0, 0x01010101000000ff),
                  vec(0, 0x0000000100000002)), 0, 0x0000000900000082));
}

static void test_fp(void)
{
    cpu.fpsr = 0;
    CHECK(is(RUN2(fadd, V_ARG(2, 3, 0), vec(0, 0x3f8000007f800000), vec(0, 0x3f800000ff800000)),
             0, 0x400000007fc00000));
    CHECK(cpu.fpsr == FPSR_IOC);
    CHECK(is(RUN3(fmla, V_ARG(3, 3, 0), vec(0, 0x4000000000000000), vec(0, 0x4008000000000000),
                  vec(0, 0x3ff0000000000000)), 0, 0x401c000000000000));
    CHECK(is(RUN1(fcvts, V_ARG(3, 3, V_ROUND(FP_TOZERO) | V_INT(2, 1)),
                  vec(0, 0xbff8000000000000)), 0, 0xfffffffd));
    CHECK(is(RUN1(scvtf, V_ARG(2, 2, V_INT(3, 0)), vec(0, UINT64_MAX)), 0, 0xbf800000));
    CHECK(is(RUN1(fcvtl, V_ARG(1, 4, 1), vec(0x3c00c0007c000000, 0)),
             0x3f800000c0000000, 0x7f80000000000000));
    CHECK(is(RUN2(fcmp, V_ARG(2, 2, 0), vec(0, 0x3f800000), vec(0, 0x40000000)), 0, 0x80000000));
    /* (1 + 2i) += (3 + 4i) × (5 + 6i) in two halves. */
    union a64_vreg n = vec(0, 0x4080000040400000), m = vec(0, 0x40c0000040a00000);
    union a64_vreg d = RUN3(fcmla, V_ARG(2, 3, 0), n, m, vec(0, 0x400000003f800000));
    CHECK(is(RUN3(fcmla, V_ARG(2, 3, 1), n, m, d), 0, 0x42200000c1000000));
}

static void test_crypto(void)
{
    /* FIPS 197, appendix B: the first round; AESE adds the key before the rest. */
    union a64_vreg in = vec(0x340737e0a2983131, 0x8d305a88a8f64332);
    union a64_vreg key = vec(0x3c4fcf098815f7ab, 0xa6d2ae2816157e2b);
    union a64_vreg r = RUN2(aese, 0, in, key);
    CHECK(is(r, 0xe598271ef11141b8, 0xae52b4e0305dbfd4), "%llx %llx",
          (unsigned long long)r.d[1], (unsigned long long)r.d[0]);
    r = RUN1(aesmc, 0, r);
    CHECK(is(r, 0x4c2606287ad3f848, 0x9a19cbe0e5816604), "%llx %llx",
          (unsigned long long)r.d[1], (unsigned long long)r.d[0]);
    CHECK(is(RUN1(aesimc, 0, r), 0xe598271ef11141b8, 0xae52b4e0305dbfd4));
    CHECK(is(RUN2(aesd, 0, vec(0xe598271ef11141b8, 0xae52b4e0305dbfd4), vec(0, 0)),
             0x340737e0a2983131 ^ 0x3c4fcf098815f7ab, 0x8d305a88a8f64332 ^ 0xa6d2ae2816157e2b));

    /* FIPS 180-4: four rounds from the initial state over "abc", K[0…3] added. */
    union a64_vreg abcd = vec(0xa54ff53a3c6ef372, 0xbb67ae856a09e667);
    union a64_vreg efgh = vec(0x5be0cd191f83d9ab, 0x9b05688c510e527f);
    union a64_vreg wk = vec(0xe9b5dba5b5c0fbcf, 0x71374491428a2f98ull + 0x61626380ull);
    union a64_vreg x = RUN3(sha256h, 0, abcd, efgh, wk);
    union a64_vreg y = RUN3(sha256h2, 0, efgh, abcd, wk);
    CHECK(is(x, 0x5d6aebcd5a6ad9ad, 0xc8c347a7d550f666), "%llx", (unsigned long long)x.d[1]);
    CHECK(is(y, 0xfa2a462278ce7989, 0xf92939eb24e00850), "%llx", (unsigned long long)y.d[1]);
}

int main(void)
{
    for (unsigned i = 0; i < VOP_COUNT; i++) {
        CHECK(vop_rows[i].fn && vop_rows[i].name && vop_rows[i].operands);
    }
    test_lanes();
    test_saturation();
    test_shifts();
    test_moves();
    test_fp();
    test_crypto();
    return check_result();
}
