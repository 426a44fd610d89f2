/* SPDX-License-Identifier: Apache-2.0 */
/* The framework: dispatch by register tables, options, state. */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/prng.h"
#include "harness.h"
#include "mem/space.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    uint8_t a;
    uint64_t b;
};

struct toy {
    struct device dev;
    uint32_t plain, w1c, ro, array[3];
    uint64_t wide;
    uint8_t narrow;
    uint32_t written_i;
    uint64_t written_v, window_v;
    uint32_t window_off, window_size;
    bool flag;
    struct pair pair[2];
    uint64_t opt_size;
    uint8_t opt_mac[6], opt_enum;
    uint32_t opt_u32;
    char *opt_str;
    void *opt_chr;
    bool refuse;
};

static void toy_wr(struct device *d, unsigned i, uint64_t v)
{
    ((struct toy *)d)->written_i = i;
    ((struct toy *)d)->written_v = v;
}

static uint64_t toy_quick_rd(struct device *d, unsigned i)
{
    return ((struct toy *)d)->written_v;
}

static uint64_t toy_window_rd(struct device *d, uint32_t off, unsigned size)
{
    return UINT64_C(0x1122334455667700) + off;
}

static void toy_window_wr(struct device *d, uint32_t off, unsigned size, uint64_t v)
{
    ((struct toy *)d)->window_off = off;
    ((struct toy *)d)->window_size = size;
    ((struct toy *)d)->window_v = v;
}

static const struct device_reg toy_regs[] = {
    REG(0x00, 4, "PLAIN", struct toy, plain, .wmask = 0xffff, .reset = 0x50),
    REG(0x04, 4, "W1C", struct toy, w1c, .wmask = 0xf, .flags = REG_W1C, .reset = 0xff),
    REG(0x08, 4, "RO", struct toy, ro, .reset = 7),
    REG(0x10, 8, "WIDE", struct toy, wide, .wmask = UINT64_MAX, .sizes = 1 | 2 | 4 | 8,
        .flags = REG_LANES, .wr = toy_wr),
    REG_ARRAY(0x20, 4, 3, "ARRAY", struct toy, array, .wmask = UINT32_MAX, .sizes = 1 | 4,
              .wr = toy_wr),
    REG_FN(0x30, 4, "WO", .wr = toy_wr),
    REG_FN(0x38, 4, "QUICK", .rd = toy_quick_rd, .wr = toy_wr, .flags = REG_QUICK),
    REG(0x34, 4, "NARROW", struct toy, narrow, .wmask = UINT32_MAX),
    REG_WINDOW(0x40, 0x10, "WINDOW", .window_rd = toy_window_rd, .window_wr = toy_window_wr),
    { 0 },
};

static const struct device_state pair_state[] = {
    STATE(struct pair, a), STATE(struct pair, b, .since = 2), { 0 },
};

static const struct device_state toy_state[] = {
    STATE(struct toy, plain), STATE(struct toy, wide), STATE(struct toy, flag),
    STATE_ARRAY(struct toy, array), STATE_STRUCTS(struct toy, pair, pair_state), { 0 },
};

static const struct device_option toy_options[] = {
    OPTION("size", struct toy, opt_size, OPTION_SIZE, "1k", "a size"),
    OPTION("mac", struct toy, opt_mac, OPTION_MAC, NULL, "an address"),
    OPTION("kind", struct toy, opt_enum, OPTION_ENUM, "b", "a word",
           .values = (const char *const[]){ "a", "b", NULL }),
    OPTION("number", struct toy, opt_u32, OPTION_U32, NULL, "a number"),
    OPTION("name", struct toy, opt_str, OPTION_STRING, "x", "a text"),
    OPTION("chardev", struct toy, opt_chr, OPTION_CHR, NULL, "a stream"),
    OPTION("refuse", struct toy, refuse, OPTION_BOOL, NULL, "fail to be made"),
    { 0 },
};

static bool toy_realize(struct device *d, struct err *e)
{
    return !((struct toy *)d)->refuse || err_set(e, "asked to");
}

static bool toy_after_load(struct device *d, struct err *e)
{
    return ((struct toy *)d)->plain != 0xbad || err_set(e, "bad");
}

static const struct device_class toy_class = {
    .name = "toy", .about = "for tests", .version = 2, .irqs_n = 1, .size = sizeof(struct toy),
    .regions = (const struct device_region[]){ { .size = 0x100, .regs = toy_regs }, { 0 } },
    .options = toy_options, .state = toy_state, .realize = toy_realize,
    .after_load = toy_after_load,
};

static void test_registers(void)
{
    struct bench *b = bench_new();
    unsigned irq;
    uint64_t g;
    struct toy *t = (struct toy *)bench_add(b, &toy_class, "", &g, &irq);

    CHECK(bench_read32(b, g) == 0x50, "reset value");
    bench_write32(b, g, 0xabcdef01);
    CHECK(bench_read32(b, g) == 0xef01, "write mask");
    bench_write32(b, g + 4, 0x35);
    CHECK(bench_read32(b, g + 4) == 0xfa, "write 1 to clear within the mask");
    bench_write32(b, g + 8, 0);
    CHECK(bench_read32(b, g + 8) == 7, "read-only");
    CHECK(bench_read(b, g + 8, 2) == 0, "a size that is not accepted reads 0");
    CHECK(bench_read32(b, g + 0x0c) == 0 && bench_read32(b, g + 0x30) == 0);

    bench_write(b, g + 0x10, 8, UINT64_C(0x1122334455667788));
    CHECK(bench_read(b, g + 0x14, 4) == 0x11223344, "upper half");
    bench_write(b, g + 0x12, 2, 0xaaaa);
    CHECK(t->wide == UINT64_C(0x11223344aaaa7788), "%llx", (unsigned long long)t->wide);
    CHECK(t->written_v == t->wide, "wr() sees the merged value");

    bench_write32(b, g + 0x28, 5);
    CHECK(t->written_i == 2 && t->array[2] == 5 && t->array[1] == 0);
    bench_write(b, g + 0x24, 1, 0xfe);
    CHECK(t->array[1] == 0xfe && bench_read(b, g + 0x24, 1) == 0xfe);
    CHECK(bench_read(b, g + 0x25, 1) == 0, "no lanes, no part");
    bench_write32(b, g + 0x34, 0x1234);
    CHECK(t->narrow == 0x34 && t->written_i == 1, "a field can be narrower");

    CHECK(bench_read(b, g + 0x42, 2) == 0x7702, "windows see offset and size");
    bench_write(b, g + 0x48, 8, 77);
    CHECK(t->window_off == 8 && t->window_size == 8 && t->window_v == 77);
    device_reset(&t->dev);
    CHECK(t->plain == 0x50 && t->wide == 0 && t->array[2] == 0);
    bench_free(b);
}

/* What can be had without waiting is the same as by the long way, and leaves the same behind. */
static void test_quick(uint64_t seed)
{
    struct bench *b = bench_new();
    struct toy *t[2];
    const struct mmio_ops *ops;
    unsigned irq, quick = 0;
    struct prng rng;
    uint64_t g;
    void *ctx[2];

    prng_init(&rng, seed);
    for (unsigned i = 0; i < 2; i++) {
        t[i] = (struct toy *)bench_add(b, &toy_class, "", &g, &irq);
        ops = device_region_ops(&t[i]->dev, 0, &ctx[i]);
    }
    for (unsigned n = 0; n < 20000; n++) {
        unsigned size = 1u << prng_below(&rng, 4);
        uint64_t off = prng_below(&rng, 0x80) & ~(uint64_t)(size - 1), v[2] = { 0, 0 };

        if (prng_below(&rng, 2)) {
            bool done = ops->try_read(ctx[0], off, size, &v[0]);

            quick += done;
            v[0] = done ? v[0] : ops->read(ctx[0], off, size, 0);
            v[1] = ops->read(ctx[1], off, size, 0);
        } else {
            uint64_t w = prng_u64(&rng) & mem_size_mask(size);
            bool done = ops->try_write(ctx[0], off, size, w);

            quick += done;
            if (!done) {
                ops->write(ctx[0], off, size, w, 0);
            }
            ops->write(ctx[1], off, size, w, 0);
        }
        CHECK(v[0] == v[1] && !memcmp(&t[0]->plain, &t[1]->plain, offsetof(struct toy, flag) -
                                      offsetof(struct toy, plain)),
              "seed %#llx, access %u at %#llx", (unsigned long long)seed, n,
              (unsigned long long)off);
    }
    CHECK(quick > 1000, "%u", quick);
    CHECK(ops->try_read(ctx[0], 0x38, 4, &g) && !ops->try_write(ctx[0], 0x30, 4, 0) &&
          !ops->try_read(ctx[0], 0x40, 4, &g), "hooks that promise nothing take the long way");
    device_lock(&t[0]->dev);
    CHECK(!ops->try_read(ctx[0], 0, 4, &g) && !ops->try_write(ctx[0], 0, 4, 0),
          "nobody waits for the lock");
    device_unlock(&t[0]->dev);
    bench_free(b);
}

static void test_options(void)
{
    struct bench *b = bench_new();
    struct err e = { "" };
    struct toy *t = (struct toy *)device_new(&toy_class, "t0", &e);
    struct device_finder f;
    char help[2000];

    bench_finder(b, &f);
    CHECK(t->opt_size == 1024 && t->opt_enum == 1 && !strcmp(t->opt_str, "x"), "defaults");
    CHECK(device_set(&t->dev, "size", "2M", &f, &e) && t->opt_size == 2 * MiB);
    CHECK(device_set(&t->dev, "mac", "52:54:00:ab:cd:ef", &f, &e) && t->opt_mac[5] == 0xef);
    CHECK(!device_set(&t->dev, "mac", "52:54:00:ab:cd", &f, &e));
    CHECK(!device_set(&t->dev, "mac", "53:54:00:ab:cd:ef", &f, &e), "a group address");
    CHECK(device_set(&t->dev, "kind", "a", &f, &e) && t->opt_enum == 0);
    CHECK(!device_set(&t->dev, "kind", "c", &f, &e) && strstr(e.text, "a, b"), "%s", e.text);
    CHECK(!device_set(&t->dev, "number", "4294967296", &f, &e));
    CHECK(!device_set(&t->dev, "numbr", "4", &f, &e) && strstr(e.text, "number"), "%s", e.text);
    CHECK(device_set(&t->dev, "name", "y", &f, &e) && !strcmp(t->opt_str, "y"));
    CHECK(device_set(&t->dev, "chardev", "c0", &f, &e) && t->opt_chr == &b->chr);
    CHECK(!device_set(&t->dev, "chardev", "c1", &f, &e) && strstr(e.text, "c1"), "%s", e.text);
    CHECK(device_class_help(&toy_class, help, sizeof help) < (int)sizeof help);
    CHECK(strstr(help, "kind=<word>") && strstr(help, "default: 1k"), "%s", help);
    CHECK(device_class_help(&toy_class, help, 20) > 20, "a short buffer");
    CHECK(device_set(&t->dev, "refuse", "on", &f, &e));
    CHECK(!device_realize(&t->dev, &b->env, &e) && !strcmp(e.text, "t0: asked to"), "%s", e.text);
    device_free(&t->dev);
    bench_free(b);
}

static void test_state(uint64_t seed)
{
    struct bench *b = bench_new();
    struct device_class older = toy_class;
    struct err e = { "" };
    struct prng r;
    uint8_t *blob;
    unsigned irq;
    uint64_t g;
    size_t n;
    struct toy *t = (struct toy *)bench_add(b, &toy_class, "", &g, &irq);

    t->plain = 1;
    t->wide = UINT64_MAX;
    t->flag = true;
    t->array[2] = 3;
    t->pair[1] = (struct pair){ 4, 5 };
    CHECK(device_save(&t->dev, &blob, &n, &e));
    device_reset(&t->dev);
    t->flag = false;
    t->pair[1] = (struct pair){ 0, 0 };
    CHECK(device_load(&t->dev, blob, n, &e), "%s", e.text);
    CHECK(t->plain == 1 && t->wide == UINT64_MAX && t->flag && t->array[2] == 3);
    CHECK(t->pair[1].a == 4 && t->pair[1].b == 5);

    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = malloc(cut + 1);

        memcpy(copy, blob, cut);
        CHECK(!device_load(&t->dev, copy, cut, &e), "cut to %zu of %zu", cut, n);
        free(copy);
    }
    CHECK(t->plain == 0x50, "after a failure it is as after reset");
    prng_init(&r, seed);
    for (int i = 0; i < 2000; i++) {        /* nothing to check but that it survives */
        uint8_t *copy = malloc(n);

        memcpy(copy, blob, n);
        copy[prng_below(&r, n)] = prng_u64(&r);
        device_load(&t->dev, copy, n, &e);
        free(copy);
    }
    free(blob);

    t->plain = 0xbad;
    CHECK(device_save(&t->dev, &blob, &n, &e));
    CHECK(!device_load(&t->dev, blob, n, &e) && strstr(e.text, "bad"), "after_load refuses");
    blob[5] = 3;
    CHECK(!device_load(&t->dev, blob, n, &e) && strstr(e.text, "version 3"), "%s", e.text);
    free(blob);

    /* A blob of version 1 lacks the row that came with version 2. */
    older.version = 1;
    older.state = (const struct device_state[]){
        STATE(struct toy, plain), STATE(struct toy, wide), STATE(struct toy, flag),
        STATE_ARRAY(struct toy, array),
        STATE_STRUCTS(struct toy, pair, ((const struct device_state[]){
            STATE(struct pair, a), { 0 } })), { 0 },
    };
    t->plain = 9;
    t->pair[0].b = 123;
    t->dev.cls = &older;
    CHECK(device_save(&t->dev, &blob, &n, &e));
    t->dev.cls = &toy_class;
    CHECK(device_load(&t->dev, blob, n, &e) && t->plain == 9 && t->pair[0].b == 123, "%s", e.text);
    free(blob);
    bench_free(b);
}

int main(void)
{
    test_registers();
    test_quick(UINT64_C(0x5eed0002));
    test_options();
    test_state(UINT64_C(0x5eed0001));
    return check_result();
}
