/* SPDX-License-Identifier: Apache-2.0 */
/* Each instruction on vectors and floating-point numbers by itself, with random fields and
 * operands that are at the edges of what the host and Arm do alike, in the interpreter and in the
 * translator: with what this host has, without AVX-512, and with nothing that may be missing.
 *
 *   test_jit_vec [ENCODINGS [SEED [PART-OF-NAME]]]         */
#include "accel/jit/jit.h"
#include "base/log.h"
#include "base/prng.h"
#include "isa/emit_x64/host.h"
#include "isa/softfp/softfp.h"

#include "../check.h"
#include "../isa/flat.h"

#include "a64.gen.h"

#include <inttypes.h>

#define WFI 0xd503207fu

enum { CODE = 0x40000, CODE_BYTES = 0x40000, STATES = 12, HOSTS = 3, BAD_MAX = 20 };

static const struct {
    const char *name;
    uint32_t without;
} hosts[HOSTS] = {
    { "as it is", 0 }, { "without AVX-512", GEN_HOST_AVX512_ALL }, { "with nothing", UINT32_MAX },
};

/* ---- operands ---- */
static uint64_t half(struct prng *p)
{
    static const uint16_t edge[] = {
        0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x8400, 0x0401, 0x3c00, 0xbc00, 0x3800, 0x7bff,
        0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7c01, 0xfd55, 0x4400, 0x3555, 0x1000, 0x0002,
        0x2400, 0xa3ff, 0x77ff, 0x5bff, 0x03ff, 0x07ff, 0x6400, 0x7800,
    };

    return prng_below(p, 2) ? edge[prng_below(p, sizeof(edge) / 2)] : prng_u64(p) & UINT16_MAX;
}

/* A number near the ends of the exponents' range, or of those where products and quotients are. */
static uint64_t number(struct prng *p, bool dbl)
{
    unsigned bits = dbl ? 11 : 8, frac = dbl ? 52 : 23, bias = (1u << (bits - 1)) - 1;
    static const int from[] = { 0, 1, 2, -1, -2, -3 };
    uint64_t mask = (UINT64_C(1) << frac) - 1, r = prng_u64(p), f = prng_u64(p) & mask, e;

    switch (prng_below(p, 8)) {
    case 0: e = from[prng_below(p, 6)] & ((1u << bits) - 1); break;
    case 1: e = bias; break;
    case 2: e = (bias + 8 - prng_below(p, 20)); break;
    case 3: e = bias / 2 + 2 - prng_below(p, 4); break;
    case 4: e = bias + prng_below(p, 70); break;
    default: e = r & ((1u << bits) - 1); break;
    }
    switch (prng_below(p, 6)) {
    case 0: f = 0; break;
    case 1: f = mask; break;
    case 2: f = 1; break;
    case 3: f = UINT64_C(1) << prng_below(p, frac); break;
    case 4: f = mask & ~(mask >> prng_below(p, frac)); break;
    default: break;
    }
    return r >> 63 << (bits + frac) | e << frac | f;
}

static uint64_t lanes(struct prng *p, unsigned kind)
{
    uint64_t r = prng_u64(p);

    switch (kind) {
    case 0: return half(p) | half(p) << 16 | half(p) << 32 | half(p) << 48;
    case 1: return number(p, false) | number(p, false) << 32;
    case 2: return number(p, true);
    case 3:                             /* bytes about zero: shifts */
        for (unsigned i = 0; i < 8; i++) {
            uint8_t b = prng_below(p, 8) ? prng_below(p, 40) - 20 : prng_u64(p);
            r = r << 8 | b;
        }
        return r;
    case 4: return r & prng_u64(p) & prng_u64(p);
    case 5: return (prng_below(p, 2) ? UINT64_C(0x8000000080000000) : 0) | (r & 0x0100000001);
    default: return r;
    }
}

static uint32_t random_fpcr(struct prng *p)
{
    uint32_t modes = (uint32_t)prng_below(p, 4) << FPCR_RMODE_SHIFT;

    switch (prng_below(p, 6)) {
    case 0: return modes | FPCR_FZ;
    case 1: return modes | FPCR_DN;
    case 2: return modes | FPCR_FZ16;
    case 3: return modes | (prng_below(p, 2) ? FPCR_AHP : FPCR_FZ | FPCR_DN | FPCR_FZ16);
    case 4: return modes;
    default: return 0;
    }
}

static void random_state(struct prng *p, struct a64_cpu *c)
{
    unsigned kind = prng_below(p, 7);

    for (unsigned i = 0; i < 31; i++) {
        c->x[i] = lanes(p, prng_below(p, 7));
    }
    for (unsigned i = 0; i < 32; i++) {
        unsigned k = prng_below(p, 4) ? kind : prng_below(p, 7);
        c->v[i].d[0] = lanes(p, k);
        c->v[i].d[1] = lanes(p, k);
    }
    c->fpcr = random_fpcr(p);
    c->fpsr = 0;
    c->nzcv_ = prng_u64(p) & 0xc101;
}

/* ---- machines ---- */
static void icache(void *jit, uint64_t gpa, uint64_t bytes)
{
    jit_invalidate(jit, gpa, bytes);
}

static struct flat *machine(struct jit *jit)
{
    struct flat *f = flat_new("max");

    flat_mmu(f, false);
    f->wfi_stops = true;
    f->cpu.cpacr_el1 = 3u << 20;
    f->icache = jit ? icache : NULL;
    f->engine = jit;
    return f;
}

static void take_state(struct a64_cpu *to, const struct a64_cpu *from, uint64_t pc)
{
    memcpy(to->x, from->x, sizeof(to->x));
    memcpy(to->v, from->v, sizeof(to->v));
    to->fpcr = from->fpcr;
    to->fpsr = from->fpsr;
    to->nzcv_ = from->nzcv_;
    to->pc = pc;
    to->poll = 0;
}

static bool same(const struct a64_cpu *a, const struct a64_cpu *b)
{
    return !memcmp(a->x, b->x, sizeof(a->x)) && !memcmp(a->v, b->v, sizeof(a->v)) &&
           a->fpsr == b->fpsr && a->nzcv_ == b->nzcv_ && a->pc == b->pc;
}

static void show(const struct a64_cpu *was, const struct a64_cpu *a, const struct a64_cpu *b,
                 uint32_t w)
{
    const unsigned reg[] = { w & 31, w >> 5 & 31, w >> 16 & 31, w >> 10 & 31 };

    for (unsigned i = 0; i < 4; i++) {
        unsigned r = reg[i];
        fprintf(stderr, "  v%u was %016" PRIx64 "%016" PRIx64 "\n", r, was->v[r].d[1],
                was->v[r].d[0]);
    }
    for (unsigned i = 0; i < 32; i++) {
        if (memcmp(&a->v[i], &b->v[i], 16)) {
            fprintf(stderr, "  v%u is  %016" PRIx64 "%016" PRIx64 ", interpreted %016" PRIx64
                    "%016" PRIx64 "\n", i, a->v[i].d[1], a->v[i].d[0], b->v[i].d[1], b->v[i].d[0]);
        }
    }
    for (unsigned i = 0; i < 31; i++) {
        if (a->x[i] != b->x[i]) {
            fprintf(stderr, "  x%u is %#" PRIx64 ", interpreted %#" PRIx64 ", was %#" PRIx64 "\n",
                    i, a->x[i], b->x[i], was->x[i]);
        }
    }
    fprintf(stderr, "  fpcr %#x, fpsr %#x, interpreted %#x\n", (unsigned)was->fpcr,
            (unsigned)a->fpsr, (unsigned)b->fpsr);
}

/* ---- the test ---- */
static struct jit *jit[HOSTS];
static struct flat *with[HOSTS], *reference;
static unsigned bad;

static void test_word(struct prng *p, unsigned row, uint32_t w, uint64_t pc)
{
    static struct a64_cpu was;

    for (unsigned h = 0; h <= HOSTS; h++) {
        struct flat *f = h < HOSTS ? with[h] : reference;
        *flat_word(f, pc) = w;
        *flat_word(f, pc + 4) = WFI;
    }
    for (unsigned s = 0; s < STATES && bad < BAD_MAX; s++) {
        random_state(p, &was);
        take_state(&reference->cpu, &was, pc);
        while (!reference->cpu.poll) {
            interp_run(&reference->cpu, 1000);
        }
        for (unsigned h = 0; h < HOSTS; h++) {
            struct a64_cpu *c = &with[h]->cpu;
            take_state(c, &was, pc);
            jit_run(jit[h], c);
            CHECK(same(c, &reference->cpu), "%s (%08x), host %s", a64_rows[row].name, w,
                  hosts[h].name);
            if (!same(c, &reference->cpu)) {
                show(&was, c, &reference->cpu, w);
                bad++;
            }
        }
    }
}

static void new_code(void)
{
    for (unsigned h = 0; h < HOSTS; h++) {
        jit_flush(jit[h]);
    }
    interp_icache_invalidate(&reference->cpu, 0, ~UINT64_C(0));
}

static void test_rows(uint64_t encodings, uint64_t seed, const char *part)
{
    uint64_t features = reference->cpu.model->features;
    unsigned at = 0;
    struct prng p;

    for (unsigned row = 1; row < a64_row_n && bad < BAD_MAX; row++) {
        const struct a64_row *r = &a64_rows[row];
        if ((r->group < A64_GROUP_FP && strncmp(r->name, "crc32", 5)) ||
            r->group == A64_GROUP_VMEM ||
            (r->flags & (A64_ROW_NODIFF | A64_ROW_INTERP)) || !strstr(r->name, part)) {
            continue;
        }
        prng_init(&p, seed + row * 0x10001);
        for (uint64_t n = 0; n < encodings; n++) {
            uint32_t w = r->value | ((uint32_t)prng_u64(&p) & ~r->mask);
            if (a64_decode_for(features, w) != row) {
                continue;
            }
            if (at >= CODE_BYTES) {
                at = 0;
                new_code();
            }
            test_word(&p, row, w, FLAT_RAM + CODE + at);
            at += 8;
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t encodings = argc > 1 ? strtoull(argv[1], NULL, 0) : 16;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

    for (unsigned h = 0; h < HOSTS; h++) {
        jit[h] = jit_new(&(struct jit_options){ .host_without = hosts[h].without }, NULL);
        if (!jit[h]) {
            return 77;          /* skipped: the host cannot */
        }
        with[h] = machine(jit[h]);
    }
    if (getenv("JIT_DUMP")) {
        log_items_set(getenv("JIT_DUMP"), NULL, NULL);
    }
    fprintf(stderr, "seed %" PRIu64 ", host %#x\n", seed, (unsigned)gen_host());
    reference = machine(NULL);
    test_rows(encodings, seed, argc > 3 ? argv[3] : "");
    for (unsigned h = 0; h < HOSTS; h++) {
        jit_cpu_free(&with[h]->cpu);
        flat_free(with[h]);
        jit_free(jit[h]);
    }
    flat_free(reference);
    return check_result();
}
