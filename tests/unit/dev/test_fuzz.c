/* SPDX-License-Identifier: Apache-2.0 */
/* Random accesses to the registers of every class, and random rings to every virtio device: the
 * device has to survive, and to work after a reset.  The seed is printed on failure and can be
 * given as argument, with the number of rounds as the second. */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/prng.h"
#include "dev/devices.h"
#include "dev/virtio/mmio.h"
#include "harness.h"
#include "mem/space.h"
#include "vm/vm.h"

#include <stdlib.h>
#include <string.h>

static uint64_t seed = UINT64_C(0x5eed0002);
static unsigned rounds = 150;

static void poke(struct bench *b, struct prng *r, uint64_t g, uint64_t size,
                 const struct device_reg *regs)
{
    unsigned n = 0, bytes = 1u << prng_below(r, 4);
    uint64_t off = prng_below(r, size), v;

    while (regs && regs[n].size) {
        n++;
    }
    if (n && prng_below(r, 8)) {        /* mostly where something is */
        const struct device_reg *reg = &regs[prng_below(r, n)];

        off = reg->off + reg->size * prng_below(r, reg->count ? reg->count : 1);
        bytes = prng_below(r, 4) ? reg->size : bytes;
    }
    off = MIN(off & ~(uint64_t)(bytes - 1), size - 8);
    v = prng_below(r, 2) ? prng_u64(r) : prng_below(r, 16);
    if (prng_below(r, 2)) {
        mem_mmio_write(b->vm->mem, g + off, bytes, MEM_VCPU_NONE, v);
    } else {
        mem_mmio_read(b->vm->mem, g + off, bytes, MEM_VCPU_NONE, &v);
        CHECK(bytes == 8 || v >> bytes * 8 == 0, "seed 0x%llx", (unsigned long long)seed);
    }
}

static void host_side(struct bench *b, struct prng *r)
{
    uint8_t data[1600];

    prng_fill(r, data, 64);
    switch (prng_below(r, 8)) {
    case 0:
        if (b->chr.h && b->chr.h->read) {
            b->chr.h->read(b->chr.ctx, data, prng_below(r, 64));
        }
        break;
    case 1:
        if (b->chr.h && b->chr.h->event) {
            b->chr.h->event(b->chr.ctx, prng_below(r, 5));
        }
        break;
    case 2:
        b->chr.out_n = 0;
        b->chr.room = prng_below(r, 100);
        if (b->chr.h && b->chr.h->writable) {
            b->chr.h->writable(b->chr.ctx);
        }
        break;
    case 3:
        if (b->net.h) {
            b->net.h->receive(b->net.ctx, data, 14 + prng_below(r, sizeof data - 14));
        }
        break;
    case 4:
        if (b->blk.req_n) {
            bench_blk_finish(b, prng_below(r, b->blk.req_n), 0);
        }
        break;
    case 5:
        bench_advance(b, prng_below(r, NS_PER_S));
        break;
    default:
        bench_poll(b);
    }
    while (b->blk.req_n > 32) {
        bench_blk_finish(b, 0, 0);
    }
}

/* Not those that need more than the bench gives (an interrupt controller, its vCPUs). */
static bool can_make(const struct device_class *cls)
{
    return cls->regions && cls != &virtio_mmio_class && !cls->regions[0].ops &&
           (!cls->bus || !strcmp(cls->bus, "platform-bus"));
}

static void fuzz_registers(const struct device_class *cls, struct prng *r)
{
    struct bench *b = bench_new();
    struct device *d;
    uint8_t *blob;
    unsigned irq;
    uint64_t g;
    size_t n;
    struct err e;

    d = bench_add(b, cls, device_has_option(cls, "chardev") ? "chardev=c0" : "", &g, &irq);
    for (unsigned i = 0; i < rounds * 20; i++) {
        unsigned n_region = prng_below(r, device_regions_n(d));

        poke(b, r, g + n_region * UINT64_C(0x10000), device_region_size(d, n_region),
             cls->regions[n_region].regs);
        if (prng_below(r, 8) == 0) {
            host_side(b, r);
        }
        if (i % 100 == 99) {
            CHECK(device_save(d, &blob, &n, &e) && device_load(d, blob, n, &e),
                  "%s: %s (seed 0x%llx)", cls->name, e.text, (unsigned long long)seed);
            free(blob);
        }
    }
    bench_free(b);
}

/* Descriptors that are mostly sane: small buffers in RAM, chained forward. */
static void random_ring(struct bench *b, struct drv *d, unsigned q, struct prng *r)
{
    for (unsigned i = 0; i < d->size; i++) {
        struct { uint64_t addr; uint32_t len; uint16_t flags, next; } v = {
            BENCH_RAM_GPA + 0x200000 + prng_below(r, 0x10000), prng_below(r, 2048),
            prng_below(r, 4), (i + 1) % d->size,
        };

        switch (prng_below(r, 24)) {
        case 0: v.addr = prng_u64(r); break;
        case 1: v.len = prng_u64(r); break;
        case 2: v.flags = prng_u64(r); break;
        case 3: v.next = prng_u64(r); break;
        case 4: v.flags = 4; v.len &= ~15u; v.addr = d->q[q].desc; break;
        }
        bench_ram_write(b, d->q[q].desc + 16 * i, &v, sizeof v);
        bench_ram_write16(b, d->q[q].avail + 4 + 2 * i,
                          prng_below(r, 50) ? prng_below(r, d->size) : prng_u64(r));
    }
    d->q[q].avail_idx += prng_below(r, 20) ? prng_below(r, 4) : prng_u64(r);
    bench_ram_write16(b, d->q[q].avail + 2, d->q[q].avail_idx);
    bench_ram_write16(b, d->q[q].avail, prng_below(r, 2));
}

static void random_headers(struct bench *b, struct prng *r)
{
    static const uint32_t types[] = { 0, 1, 4, 8, 11, 13, 99 };

    for (unsigned i = 0; i < 64; i++) {
        struct { uint32_t type, reserved; uint64_t sector; } h = {
            types[prng_below(r, ARRAY_LEN(types))], 0, prng_below(r, 2100),
        };

        bench_ram_write(b, BENCH_RAM_GPA + 0x200000 + prng_below(r, 0x10000), &h, sizeof h);
    }
}

static void fuzz_virtio(const char *name, const char *options, unsigned queues_n, bool legacy,
                        struct prng *r)
{
    struct bench *b = bench_new();
    struct device *v;
    struct drv d;
    unsigned irq, i;
    uint8_t *blob;
    uint64_t g;
    size_t n;
    struct err e;

    v = bench_add_virtio(b, name, options, legacy, &g, &irq);
    for (i = 0; i < rounds; i++) {
        if (!drv_start(&d, b, g, legacy, prng_u64(r) | UINT64_C(1) << 32, queues_n, 8)) {
            break;
        }
        for (unsigned step = 0; step < 12; step++) {
            unsigned q = prng_below(r, queues_n);

            random_headers(b, r);
            random_ring(b, &d, q, r);
            drv_kick(&d, q);
            host_side(b, r);
            if (prng_below(r, 16) == 0) {
                poke(b, r, g, VIRTIO_MMIO_SIZE, virtio_mmio_class.regions[0].regs);
            }
        }
        CHECK(device_save(v, &blob, &n, &e), "%s", e.text);
        device_load(v, blob, n, &e);    /* a queue may have an impossible size just then */
        free(blob);
    }
    CHECK(i == rounds, "%s does not start again in round %u, seed 0x%llx", name, i,
          (unsigned long long)seed);
    bench_free(b);
}

int main(int argc, char **argv)
{
    struct prng r;

    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 0);
    }
    if (argc > 2) {
        rounds = strtoul(argv[2], NULL, 0);
    }
    prng_init(&r, seed);
    for (unsigned i = 0; device_class_at(i); i++) {
        if (can_make(device_class_at(i))) {
            fuzz_registers(device_class_at(i), &r);
        }
    }
    for (int legacy = 0; legacy < 2; legacy++) {
        fuzz_virtio("virtio-blk-device", "drive=d0", 1, legacy, &r);
        fuzz_virtio("virtio-net-device", "netdev=n0", 3, legacy, &r);
        fuzz_virtio("virtio-rng-device", "", 1, legacy, &r);
        fuzz_virtio("virtio-serial-device", "", 6, legacy, &r);
    }
    return check_result();
}
