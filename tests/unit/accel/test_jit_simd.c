/* SPDX-License-Identifier: Apache-2.0 */
/* Vector idioms of which the translator makes something else than of the instructions one by
 * one, and pairs that are exchanged, on random operands, in the translator and in the interpreter.
 *
 *   test_jit_simd [SEED]         */
#include "accel/jit/jit.h"
#include "base/log.h"
#include "base/prng.h"
#include "isa/emit_x64/host.h"

#include "../check.h"
#include "../isa/flat.h"

#include <inttypes.h>

#define WFI 0xd503207fu

enum { CODE = 0x40000, DATA = 0x200000, DATA_BYTES = 8192, WORDS = 9, STATES = 150 };

static const struct {
    const char *name;
    uint32_t word[WORDS];       /* 0: the end */
} idioms[] = {
    { "sum of absolute differences", {
        0x6e227020,     /* uabdl2 v0.8h, v1.16b, v2.16b */
        0x2e225020,     /* uabal v0.8h, v1.8b, v2.8b */
        0x6e606803,     /* uadalp v3.4s, v0.8h */
    } },
    { "large sums in pairs", {
        0x2e22c020,     /* umull v0.8h, v1.8b, v2.8b */
        0x6e606803,     /* uadalp v3.4s, v0.8h */
        0x6e228020,     /* umlal2 v0.8h, v1.16b, v2.16b */
        0x6e602804,     /* uaddlp v4.4s, v0.8h */
    } },
    { "shifted sums in pairs", {
        0x6f1f0420,     /* ushr v0.8h, v1.8h, #1 */
        0x6e602804,     /* uaddlp v4.4s, v0.8h */
        0x6f3f0425,     /* ushr v5.4s, v1.4s, #1 */
        0x6e6028a6,     /* uaddlp v6.4s, v5.8h */
    } },
    { "dot product", {
        0x0e62c003,     /* smull v3.4s, v0.4h, v2.4h */
        0x4e62c000,     /* smull2 v0.4s, v0.8h, v2.8h */
        0x4f3c1461,     /* ssra v1.4s, v3.4s, #4 */
        0x4f3c1401,     /* ssra v1.4s, v0.4s, #4 */
    } },
    { "unsigned dot product", {
        0x2e62c003,     /* umull v3.4s, v0.4h, v2.4h */
        0x6e628003,     /* umlal2 v3.4s, v0.8h, v2.8h */
        0x6ea2c004,     /* umull2 v4.2d, v0.4s, v2.4s */
        0x2ea2a004,     /* umlsl v4.2d, v0.2s, v2.2s */
    } },
    { "blend", {
        0x2f08a401,     /* uxtl v1.8h, v0.8b */
        0x6f08a400,     /* uxtl2 v0.8h, v0.16b */
        0x4e649c21,     /* mul v1.8h, v1.8h, v4.8h */
        0x4e649c00,     /* mul v0.8h, v0.8h, v4.8h */
        0x4e005820,     /* uzp2 v0.16b, v1.16b, v0.16b */
    } },
    { "extension with sign", {
        0x0f08a401,     /* sxtl v1.8h, v0.8b */
        0x4f08a402,     /* sxtl2 v2.8h, v0.16b */
        0x4f10a403,     /* sxtl2 v3.4s, v0.8h */
        0x4f20a404,     /* sxtl2 v4.2d, v0.4s */
        0x4f23a425,     /* sshll2 v5.2d, v1.4s, #3 */
    } },
    { "end of a string", {
        0x4e209822,     /* cmeq v2.16b, v1.16b, #0 */
        0x6e22a443,     /* umaxp v3.16b, v2.16b, v2.16b */
        0x9e660060,     /* fmov x0, d3 */
        0x0f0c8444,     /* shrn v4.8b, v2.8h, #4 */
        0x9e660081,     /* fmov x1, d4 */
    } },
    { "pairs of two", {
        0x6e22a423,     /* umaxp v3.16b, v1.16b, v2.16b */
        0x4e62ac24,     /* sminp v4.8h, v1.8h, v2.8h */
        0x4e22bc25,     /* addp v5.16b, v1.16b, v2.16b */
        0x0e22bc26,     /* addp v6.8b, v1.8b, v2.8b */
    } },
    { "select by comparison", {
        0x4ea23423,     /* cmgt v3.4s, v1.4s, v2.4s */
        0x6e651c83,     /* bsl v3.16b, v4.16b, v5.16b */
        0x2ea23426,     /* cmhi v6.2s, v1.2s, v2.2s */
        0x2ea61c87,     /* bit v7.8b, v4.8b, v6.8b */
    } },
    { "select by float comparison", {
        0x6ea2e423,     /* fcmgt v3.4s, v1.4s, v2.4s */
        0x6ee31ca4,     /* bif v4.16b, v5.16b, v3.16b */
        0x0e22e426,     /* fcmeq v6.2s, v1.2s, v2.2s */
        0x2e651c86,     /* bsl v6.8b, v4.8b, v5.8b */
    } },
    { "select by part of a comparison", {
        0x4ee23423,     /* cmgt v3.2d, v1.2d, v2.2d */
        0x6e0c44a3,     /* mov v3.s[1], v5.s[2] */
        0x6e651c83,     /* bsl v3.16b, v4.16b, v5.16b */
    } },
    { "lanes", {
        0x6e180441,     /* mov v1.d[1], v2.d[0] */
        0x6e084462,     /* mov v2.d[0], v3.d[1] */
        0x6e184483,     /* mov v3.d[1], v4.d[1] */
        0x6e0804a4,     /* mov v4.d[0], v5.d[0] */
        0x6e1c24c5,     /* mov v5.s[3], v6.s[1] */
        0x6e1624e6,     /* mov v6.h[5], v7.h[2] */
    } },
    { "lanes by way of a register", {
        0x4e183c20,     /* umov x0, v1.d[1] */
        0x4e081c02,     /* mov v2.d[0], x0 */
        0x0e143c21,     /* umov w1, v1.s[2] */
        0x4e0c1c23,     /* mov v3.s[1], w1 */
        0x4e040c24,     /* dup v4.4s, w1 */
        0x4e080c05,     /* dup v5.2d, x0 */
        0x9e670006,     /* fmov d6, x0 */
        0x1e270027,     /* fmov s7, w1 */
    } },
    { "a lane in every lane", {
        0x4e0b0401,     /* dup v1.16b, v0.b[5] */
        0x4e1a0402,     /* dup v2.8h, v0.h[6] */
        0x4e1c0403,     /* dup v3.4s, v0.s[3] */
        0x4e180404,     /* dup v4.2d, v0.d[1] */
        0x0e0c0405,     /* dup v5.2s, v0.s[1] */
        0x5e180406,     /* mov d6, v0.d[1] */
        0x5e1c0407,     /* mov s7, v0.s[3] */
    } },
    { "the same element twice", {
        0x4fa09023,     /* fmul v3.4s, v1.4s, v0.s[1] */
        0x4fa09044,     /* fmul v4.4s, v2.4s, v0.s[1] */
        0x6e0c0460,     /* mov v0.s[1], v3.s[0] */
        0x4fa09045,     /* fmul v5.4s, v2.4s, v0.s[1] */
    } },
    { "high halves", {
        0x0e212801,     /* xtn v1.8b, v0.8h */
        0x4e212841,     /* xtn2 v1.16b, v2.8h */
        0x0f398483,     /* shrn v3.2s, v4.2d, #7 */
        0x4f2084a3,     /* shrn2 v3.4s, v5.2d, #32 */
        0x0e654086,     /* addhn v6.4h, v4.4s, v5.4s */
    } },
    { "comparisons", {
        0x4e233c41,     /* cmge v1.16b, v2.16b, v3.16b */
        0x4ee33c44,     /* cmge v4.2d, v2.2d, v3.2d */
        0x4e638c45,     /* cmtst v5.8h, v2.8h, v3.8h */
        0x6e633446,     /* cmhi v6.8h, v2.8h, v3.8h */
        0x4ee31c47,     /* orn v7.16b, v2.16b, v3.16b */
    } },
    { "bytes", {
        0x4e239c41,     /* mul v1.16b, v2.16b, v3.16b */
        0x4f0b5444,     /* shl v4.16b, v2.16b, #3 */
        0x6f0b0445,     /* ushr v5.16b, v2.16b, #5 */
        0x4f0f0446,     /* sshr v6.16b, v2.16b, #1 */
        0x0e239c47,     /* mul v7.8b, v2.8b, v3.8b */
    } },
    { "pairs loaded", {
        0xad400a81,     /* ldp q1, q2, [x20] */
        0x6d409283,     /* ldp d3, d4, [x20, #8] */
        0x2d409a85,     /* ldp s5, s6, [x20, #4] */
        0xad4002a7,     /* ldp q7, q0, [x21] */
    } },
    { "exclusive pairs", {
        0xc87f06c0,     /* ldxp x0, x1, [x22] */
        0xc82212c3,     /* stxp w2, x3, x4, [x22] */
        0xa9401ac5,     /* ldp x5, x6, [x22] */
        0x887f22c7,     /* ldxp w7, w8, [x22] */
        0x8829aeca,     /* stlxp w9, w10, w11, [x22] */
        0xc87f36cc,     /* ldxp x12, x13, [x22] */
        0xc82e42ef,     /* stxp w14, x15, x16, [x23] */
        0xc8314ed2,     /* stxp w17, x18, x19, [x22] */
        0xa9404ed2,     /* ldp x18, x19, [x22] */
    } },
    { "compare and swap of pairs", {
        0xa94006c0,     /* ldp x0, x1, [x22] */
        0x48207ec2,     /* casp x0, x1, x2, x3, [x22] */
        0xa94016c4,     /* ldp x4, x5, [x22] */
        0x4866fec8,     /* caspal x6, x7, x8, x9, [x22] */
        0x29402eca,     /* ldp w10, w11, [x22] */
        0x086a7ecc,     /* caspa w10, w11, w12, w13, [x22] */
        0xa9403ece,     /* ldp x14, x15, [x22] */
        0x0830fed2,     /* caspl w16, w17, w18, w19, [x22] */
        0xa94046d0,     /* ldp x16, x17, [x22] */
    } },
    { "rounded and converted", {
        0x1e664001,     /* frinta d1, d0 */
        0x9e640000,     /* fcvtas x0, d0 */
        0x1e264043,     /* frinta s3, s2 */
        0x9e240041,     /* fcvtas x1, s2 */
        0x1e640001,     /* fcvtas w1, d0 */
    } },
    { "rounded and converted to few bits", {
        0x1e264043,     /* frinta s3, s2 */
        0x1e240040,     /* fcvtas w0, s2 */
        0x1e664004,     /* frinta d4, d0 */
        0x1e640001,     /* fcvtas w1, d0 */
        0x1e664025,     /* frinta d5, d1 */
        0x5e61c826,     /* fcvtas d6, d1 */
    } },
};

static void icache(void *jit, uint64_t gpa, uint64_t bytes)
{
    jit_invalidate(jit, gpa, bytes);
}

static uint64_t random_lanes(struct prng *p)
{
    static const uint64_t edge[] = {
        0, ~UINT64_C(0), 0x8000800080008000, 0x7fff7fff7fff7fff, 0x8080808080808080,
        0x7f7f7f7f7f7f7f7f, 0x8000000080000000, 0x7fffffff7fffffff, 0x3f8000007fc00000,
        0xff8000007f800001, UINT64_C(1) << 63, 0x00ff00ff00ff00ff, 0x0080000000000001,
        0x3ff80000bf000000, 0xc00c0000cb000001, 0x4004000040200000,
    };
    uint64_t r = prng_u64(p);

    switch (prng_below(p, 4)) {
    case 0: return edge[prng_below(p, sizeof(edge) / sizeof(edge[0]))];
    case 1: return r & prng_u64(p) & prng_u64(p);
    case 2: return r | prng_u64(p) | prng_u64(p);
    default: return r;
    }
}

static void random_state(struct prng *p, struct a64_cpu *a, struct a64_cpu *b)
{
    for (unsigned i = 0; i < 31; i++) {
        a->x[i] = b->x[i] = prng_u64(p);
    }
    /* In the middle of a page, or across the end of one. */
    a->x[20] = b->x[20] = FLAT_RAM + DATA + 64 + prng_below(p, 64);
    a->x[22] = b->x[22] = FLAT_RAM + DATA + 16 * prng_below(p, 512);
    a->x[23] = b->x[23] = FLAT_RAM + DATA + 16 * prng_below(p, 512);
    a->x[21] = b->x[21] = FLAT_RAM + DATA + 4096 - 1 - prng_below(p, 40);
    for (unsigned i = 0; i < 32; i++) {
        a->v[i].d[0] = b->v[i].d[0] = random_lanes(p);
        a->v[i].d[1] = b->v[i].d[1] = random_lanes(p);
    }
    a->fpcr = b->fpcr = 0;
    a->fpsr = b->fpsr = 0;
    a->poll = b->poll = 0;
}

static struct flat *machine(void)
{
    struct flat *f = flat_new("max");

    flat_mmu(f, false);
    f->wfi_stops = true;
    f->cpu.cpacr_el1 = 3u << 20;
    return f;
}

static void test_idiom(struct jit *jit, struct flat *a, struct flat *b, unsigned n,
                       struct prng *p)
{
    uint64_t pc = FLAT_RAM + CODE + n * 256;

    for (unsigned i = 0; i <= WORDS; i++) {
        uint32_t w = i < WORDS && idioms[n].word[i] ? idioms[n].word[i] : WFI;
        *flat_word(a, pc + 4 * i) = *flat_word(b, pc + 4 * i) = w;
    }
    for (unsigned i = 0; i < STATES; i++) {
        random_state(p, &a->cpu, &b->cpu);
        a->cpu.pc = b->cpu.pc = pc;
        jit_run(jit, &a->cpu);
        while (!b->cpu.poll) {
            interp_run(&b->cpu, 1000);
        }
        for (unsigned r = 0; r < 32; r++) {
            CHECK(!memcmp(&a->cpu.v[r], &b->cpu.v[r], 16), "%s: v%u %016" PRIx64 "%016" PRIx64
                  ", interpreted %016" PRIx64 "%016" PRIx64, idioms[n].name, r, a->cpu.v[r].d[1],
                  a->cpu.v[r].d[0], b->cpu.v[r].d[1], b->cpu.v[r].d[0]);
        }
        CHECK(!memcmp(a->cpu.x, b->cpu.x, sizeof(a->cpu.x)), "%s", idioms[n].name);
        CHECK(!memcmp(a->ram + DATA, b->ram + DATA, DATA_BYTES), "%s", idioms[n].name);
        CHECK(a->cpu.fpsr == b->cpu.fpsr, "%s: fpsr %x, interpreted %x", idioms[n].name,
              (unsigned)a->cpu.fpsr, (unsigned)b->cpu.fpsr);
        CHECK(a->cpu.pc == b->cpu.pc);
    }
}

static bool test_host(uint32_t without, uint64_t seed)
{
    struct jit *jit = jit_new(&(struct jit_options){ .host_without = without }, NULL);
    struct flat *a, *b;
    struct prng p;

    if (!jit) {
        return false;
    }
    prng_init(&p, seed);
    a = machine();
    b = machine();
    a->icache = icache;
    a->engine = jit;
    for (unsigned i = 0; i < DATA_BYTES; i++) {
        a->ram[DATA + i] = b->ram[DATA + i] = prng_u64(&p);
    }
    for (unsigned i = 0; i < sizeof(idioms) / sizeof(idioms[0]); i++) {
        test_idiom(jit, a, b, i, &p);
    }
    jit_cpu_free(&a->cpu);
    flat_free(a);
    flat_free(b);
    jit_free(jit);
    return true;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;

    if (getenv("JIT_DUMP")) {
        log_items_set(getenv("JIT_DUMP"), NULL, NULL);
    }
    fprintf(stderr, "seed %" PRIu64 "\n", seed);
    if (!test_host(0, seed)) {
        return 77;              /* skipped: the host cannot */
    }
    test_host(GEN_HOST_AVX512_ALL, seed);
    test_host(UINT32_MAX, seed);
    return check_result();
}
