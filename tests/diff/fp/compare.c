/* SPDX-License-Identifier: Apache-2.0 */
/* softfp against qemu-aarch64, bit for bit and flag for flag.
 * compare QEMU GUEST [COUNT [SEED]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "isa/softfp/softfp.h"
#include "record.h"

struct op {
    const char *name;
    enum fp_size in;
    uint64_t (*run)(struct fp_env *e, uint64_t a, uint64_t b, uint64_t c);
};

static uint64_t js(struct fp_env *e, uint64_t a)
{
    bool z;
    uint64_t r = fp_to_int_js(e, a, &z);

    return r | (uint64_t)z << 38;
}

/* QEMU sets Z for a positive denormal that FZ flushed; FPToFixedJS() in the manual does not. */
static bool qemu_is_wrong(const char *name, const struct fp_question *q)
{
    return !strcmp(name, "fjcvtzs") && q->fpcr & FPCR_FZ && q->a && q->a >> 52 == 0;
}

#define DEFINE(name, in, expr) \
    static uint64_t run_##name(struct fp_env *e, uint64_t a, uint64_t b, uint64_t c) \
    { \
        return expr; \
    }
#define OPF(name, in, text, expr) DEFINE(name, in, expr)
#define OPI(name, in, text, expr) DEFINE(name, in, expr)
#include "ops.h"
#undef OPF
#undef OPI

static const struct op ops[] = {
#define OPF(name, in, text, expr) { #name, in, run_##name },
#define OPI(name, in, text, expr) { #name, in, run_##name },
#include "ops.h"
};

static uint64_t rng;

static uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng * UINT64_C(0x2545f4914f6cdd1d);
}

/* Random bits, with a liking for the edges of exponent and fraction. */
static uint64_t operand(enum fp_size sz, uint64_t near)
{
    static const uint8_t exp_bits[] = { 0, 5, 8, 11 };
    unsigned bits = 8 << sz, eb = exp_bits[sz], fb = bits - 1 - eb;
    uint64_t mask = UINT64_MAX >> (64 - bits), emax = (1u << eb) - 1, bias = emax / 2;
    uint64_t frac = rnd() & ((UINT64_C(1) << fb) - 1), exp = rnd() & emax, sign = rnd() & 1;

    switch (rnd() % 8) {
    case 0:
        return rnd() & mask;
    case 1:
        exp = rnd() & 1 ? rnd() % 3 : emax - rnd() % 3;
        break;
    case 2:
        exp = bias + rnd() % 8 - 4;
        break;
    case 3:
        exp = bias + rnd() % 70 - 2;
        exp = exp > emax ? emax : exp;
        break;
    case 4:
        return (near + rnd() % 5 - 2) & mask;
    case 5:
        exp = ((near >> fb & emax) + rnd() % 5 - 2) & emax;
        break;
    default:
        break;
    }
    switch (rnd() % 6) {
    case 0:
        frac = 0;
        break;
    case 1:
        frac = (UINT64_C(1) << fb) - 1 - rnd() % 3;
        break;
    case 2:
        frac &= frac << (rnd() % fb);
        frac &= (UINT64_C(1) << fb) - 1;
        break;
    case 3:
        frac = UINT64_C(1) << (rnd() % fb);
        break;
    default:
        break;
    }
    return sign << (bits - 1) | exp << fb | frac;
}

static uint32_t random_fpcr(void)
{
    uint32_t r = rnd();

    return (r & 3) << FPCR_RMODE_SHIFT | (r & 4 ? FPCR_FZ : 0) | (r & 8 ? FPCR_DN : 0) |
           (r & 0x10 ? FPCR_AHP : 0) | (r & 0x20 ? FPCR_FZ16 : 0);
}

static FILE *ask(const char *qemu, const char *guest, const struct fp_question *q, size_t n,
                 char *dir)
{
    char path[256], cmd[1024];

    if (!mkdtemp(dir)) {
        return NULL;
    }
    snprintf(path, sizeof(path), "%s/q", dir);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(q, sizeof(*q), n, f) != n || fclose(f)) {
        return NULL;
    }
    snprintf(cmd, sizeof(cmd), "'%s' -cpu max '%s' < '%s'", qemu, guest, path);
    return popen(cmd, "r");
}

int main(int argc, char **argv)
{
    size_t n = argc > 3 ? strtoul(argv[3], NULL, 0) : 200000, bad = 0;
    char dir[] = "/tmp/fpdiffXXXXXX";
    struct fp_question *q = calloc(n, sizeof(*q));

    if (argc < 3 || !q) {
        fprintf(stderr, "usage: %s QEMU GUEST [COUNT [SEED]]\n", argv[0]);
        return 2;
    }
    uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)getpid() << 20 | 1;
    rng = seed | 1;
    printf("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < n; i++) {
        q[i].op = rnd() % ARRAY_LEN(ops);
        q[i].fpcr = random_fpcr();
        q[i].a = operand(ops[q[i].op].in, rnd());
        q[i].b = operand(ops[q[i].op].in, q[i].a);
        q[i].c = operand(ops[q[i].op].in, q[i].a);
    }
    FILE *f = ask(argv[1], argv[2], q, n, dir);
    for (size_t i = 0; f && i < n; i++) {
        struct fp_answer want;
        if (fread(&want, sizeof(want), 1, f) != 1) {
            fprintf(stderr, "the guest stopped after %zu of %zu\n", i, n);
            bad++;
            break;
        }
        struct fp_env e = { .fpcr = q[i].fpcr };
        const struct op *o = &ops[q[i].op];
        uint64_t got = o->run(&e, q[i].a, q[i].b, q[i].c);
        /* Again with IXC set, which opens the quick ways. */
        struct fp_env e2 = { .fpcr = q[i].fpcr, .fpsr = FPSR_IXC };
        uint64_t quick = o->run(&e2, q[i].a, q[i].b, q[i].c);
        if ((got != want.value || e.fpsr != want.fpsr || quick != got ||
             e2.fpsr != (e.fpsr | FPSR_IXC)) && !qemu_is_wrong(o->name, &q[i]) &&
            bad++ < 40) {
            fprintf(stderr, "%s(%#llx, %#llx, %#llx) fpcr %#x: %#llx fpsr %#x, qemu %#llx %#x\n",
                    o->name, (unsigned long long)q[i].a, (unsigned long long)q[i].b,
                    (unsigned long long)q[i].c, q[i].fpcr, (unsigned long long)got, e.fpsr,
                    (unsigned long long)want.value, (unsigned)want.fpsr);
        }
    }
    if (!f || pclose(f)) {
        fprintf(stderr, "qemu-aarch64 failed\n");
        bad++;
    }
    char path[256];
    snprintf(path, sizeof(path), "%s/q", dir);
    unlink(path);
    rmdir(dir);
    free(q);
    printf("%zu questions over %zu operations, %zu differences\n", n, ARRAY_LEN(ops), bad);
    return bad != 0;
}
