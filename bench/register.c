/* SPDX-License-Identifier: Apache-2.0 */
/* register [N]: what the dispatch of an access to a device's register costs, from where a vCPU has
 * the guest-physical address on, against a handler by hand: one that is called directly by the
 * memory, takes a lock and has a switch.  In ns; under callgrind with instructions:
 *
 *   ninja -C build bench/register && build/bench/register 20000000
 *   for w in field quick kick …; do valgrind --tool=callgrind build/bench/register 100000 $w; done */
#include "base/err.h"
#include "base/mono.h"
#include "mem/space.h"
#include "vm/clock.h"
#include "vm/device.h"
#include "vm/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the device, by tables and by hand ---- */

struct dut {
    struct device dev;
    uint32_t field;
    unsigned kicks_n;
};

static uint64_t rd_quick(struct device *d, unsigned i)
{
    return ((struct dut *)d)->field + 1;
}

static void wr_quick(struct device *d, unsigned i, uint64_t v)
{
    ((struct dut *)d)->kicks_n++;
}

static void wr_kick(struct device *d, unsigned i, uint64_t v)
{
    __atomic_fetch_or(&((struct dut *)d)->kicks_n, 1, __ATOMIC_SEQ_CST);
}

static const struct device_reg regs[] = {
    REG(0, 4, "FIELD", struct dut, field, .wmask = UINT32_MAX),
    REG_FN(4, 4, "QUICK", .rd = rd_quick, .wr = wr_quick, .flags = REG_QUICK),
    REG_FN(8, 4, "HOOK", .rd = rd_quick, .wr = wr_quick),
    REG_FN(12, 4, "KICK", .wr = wr_kick, .flags = REG_UNLOCKED),
    REG_END
};

static const struct device_class dut_class = {
    .name = "dut", .size = sizeof(struct dut),
    .regions = (const struct device_region[]){ { .size = 4096, .regs = regs }, REGION_END },
};

struct by_hand {
    struct mutex lock;
    struct dut d;
};

static bool hand_try_read(void *ctx, uint64_t off, unsigned size, uint64_t *v)
{
    struct by_hand *h = ctx;
    bool ok = size == 4;

    if (!mutex_try_lock(&h->lock)) {
        return false;
    }
    switch (off) {
    case 0: *v = h->d.field; break;
    case 4: *v = rd_quick(&h->d.dev, 0); break;
    default: ok = false;
    }
    mutex_unlock(&h->lock);
    return ok;
}

static bool hand_try_write(void *ctx, uint64_t off, unsigned size, uint64_t v)
{
    struct by_hand *h = ctx;

    if (size != 4 || off == 8) {
        return false;
    }
    if (off == 12) {
        wr_kick(&h->d.dev, 0, v);
        return true;
    }
    if (!mutex_try_lock(&h->lock)) {
        return false;
    }
    switch (off) {
    case 0: h->d.field = v; break;
    case 4: wr_quick(&h->d.dev, 0, v); break;
    }
    mutex_unlock(&h->lock);
    return true;
}

static uint64_t hand_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct by_hand *h = ctx;
    uint64_t v = 0;

    mutex_lock(&h->lock);
    if (size == 4 && off == 8) {
        v = rd_quick(&h->d.dev, 0);
    }
    mutex_unlock(&h->lock);
    return v;
}

static void hand_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct by_hand *h = ctx;

    mutex_lock(&h->lock);
    if (size == 4 && off == 8) {
        wr_quick(&h->d.dev, 0, v);
    }
    mutex_unlock(&h->lock);
}

static const struct mmio_ops hand_ops = { hand_read, hand_write, hand_try_read, hand_try_write };

/* ---- what a vCPU does (accel/emu/emu_bus.c), without leaving its view ---- */

static __attribute__((noinline)) uint64_t load(struct mem_space *mem, uint64_t gpa)
{
    const struct mem_mmio *at = mem_mmio_find(mem, gpa, 4);
    uint64_t v = 0;

    return at->ops->try_read && at->ops->try_read(at->ctx, gpa - at->gpa, 4, &v)
               ? v : at->ops->read(at->ctx, gpa - at->gpa, 4, 0);
}

static __attribute__((noinline)) void store(struct mem_space *mem, uint64_t gpa, uint64_t v)
{
    const struct mem_mmio *at = mem_mmio_find(mem, gpa, 4);

    if (!at->ops->try_write || !at->ops->try_write(at->ctx, gpa - at->gpa, 4, v)) {
        at->ops->write(at->ctx, gpa - at->gpa, 4, v, 0);
    }
}

static double measure(struct mem_space *mem, uint64_t gpa, bool write, unsigned n)
{
    int64_t start = mono_now_ns();

    for (unsigned i = 0; i < n; i++) {
        if (write) {
            store(mem, gpa, i);
        } else {
            load(mem, gpa);
        }
    }
    return (double)(mono_now_ns() - start) / n;
}

int main(int argc, char **argv)
{
    static const struct { const char *name; unsigned off; bool write; } what[] = {
        { "field", 0, false }, { "quick", 4, false }, { "hook", 8, false },
        { "field-write", 0, true }, { "quick-write", 4, true }, { "hook-write", 8, true },
        { "kick", 12, true },
    };
    unsigned n = argc > 1 ? strtoul(argv[1], NULL, 0) : 20000000;
    static struct by_hand hand;
    struct device_env env = { 0 };
    struct err e;
    struct mem_space *mem = mem_space_new(&e);
    struct device *d = device_new(&dut_class, NULL, &e);

    env.mem = mem;
    if (!device_realize(d, &env, &e) || !device_map_region(d, 0, 0x1000, &e) ||
        !mem_space_add_mmio(mem, 0x2000, 4096, &hand_ops, &hand, "hand", &e)) {
        abort();
    }
    for (unsigned i = 0; i < sizeof what / sizeof what[0]; i++) {
        /* "field" alone, or "field/hand" for one of the two */
        bool is_hand = argc > 2 && strstr(argv[2], "/hand");
        size_t len = argc > 2 ? strcspn(argv[2], "/") : 0;

        if (argc > 2 && (strlen(what[i].name) != len || strncmp(argv[2], what[i].name, len))) {
            continue;
        }
        if (argc > 2) {
            measure(mem, (is_hand ? 0x2000 : 0x1000) + what[i].off, what[i].write, n);
            continue;
        }
        printf("%-12s %5.1f ns, by hand %5.1f\n", what[i].name,
               measure(mem, 0x1000 + what[i].off, what[i].write, n),
               measure(mem, 0x2000 + what[i].off, what[i].write, n));
    }
    device_free(d);
    mem_space_free(mem);
    return 0;
}
