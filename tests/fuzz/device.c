/* SPDX-License-Identifier: Apache-2.0 */
/* device_fuzz [--seed N] [--seconds N | --rounds N] [DEVICE[,OPTION=VALUE]…]…
 *
 * What is known of a device from its class is used to be nasty to it: accesses to the registers of
 * its table, chains in the rings of its virtqueues, back ends that do everything at the wrong time,
 * guest time that jumps, resets, and saved states with wrong bytes; of the parts of a processor also
 * its system registers, wires, and messages as from a broken sender.  DEVICE is a class or the path
 * of a plug-in; without any, each class has its turn, virtio devices with both versions of the
 * transport.  The device has to survive, to save and load its state, and to work after a reset.
 * The seed is printed, and does the same again. */
#include "../unit/check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/prng.h"
#include "dev/devices.h"
#include "dev/intc/gicv2.h"
#include "dev/timer/arm_timer.h"
#include "dev/virtio/mmio.h"
#include "harness.h"
#include "mem/space.h"
#include "vm/vm.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_A_ROUND 20
#define BUFFERS (BENCH_RAM_GPA + 0x200000)
#define BUFFERS_BYTES 0x10000

struct fuzz {
    uint64_t seed;
    unsigned rounds;
    int64_t seconds;                /* instead, when it is not 0 */
    struct prng r;
    struct bench *b;
    const char *what;               /* the argument, or the class */
    struct device *d;
    uint64_t gpa[DEVICE_REGIONS_MAX];
    uint64_t steps;                 /* in all */
};

/* ---- registers --------------------------------------------------------------------------- */

static void poke(struct fuzz *f, uint64_t g, uint64_t size, const struct device_reg *regs)
{
    unsigned n = 0, bytes = 1u << prng_below(&f->r, 4);
    uint64_t off = prng_below(&f->r, size), v;

    while (regs && regs[n].size) {
        n++;
    }
    if (n && prng_below(&f->r, 8)) {        /* mostly where something is */
        const struct device_reg *reg = &regs[prng_below(&f->r, n)];

        off = reg->off + reg->size * prng_below(&f->r, reg->count ? reg->count : 1);
        bytes = prng_below(&f->r, 4) ? reg->size : bytes;
    }
    if (size < bytes) {
        return;
    }
    off = MIN(off & ~(uint64_t)(bytes - 1), size - bytes);
    v = prng_below(&f->r, 2) ? prng_u64(&f->r) : prng_below(&f->r, 16);
    if (prng_below(&f->r, 16) == 0) {
        v = BUFFERS + prng_below(&f->r, BUFFERS_BYTES);     /* an address */
    }
    if (prng_below(&f->r, 2)) {
        mem_mmio_write(f->b->vm->mem, g + off, bytes, MEM_VCPU_NONE, v);
    } else {
        v = 0;
        mem_mmio_read(f->b->vm->mem, g + off, bytes, MEM_VCPU_NONE, &v);
        CHECK(bytes == 8 || v >> bytes * 8 == 0, "%s, seed 0x%llx", f->what,
              (unsigned long long)f->seed);
    }
}

/* ---- the processor's side ------------------------------------------------------------------ */

static struct irq_msg random_message(struct fuzz *f, unsigned kinds)
{
    return (struct irq_msg){
        .to = prng_below(&f->r, 2) ? IRQ_MSG_TO_DISTRIBUTOR : prng_below(&f->r, BENCH_CPUS_N),
        .from = prng_below(&f->r, 3) ? prng_below(&f->r, BENCH_CPUS_N + 1)
                                     : IRQ_MSG_TO_DISTRIBUTOR,
        .kind = prng_below(&f->r, kinds) | (prng_below(&f->r, 9) ? 0 : 1u << 16),
        .a = prng_below(&f->r, 3) ? prng_below(&f->r, 100) : prng_u64(&f->r),
        .b = prng_u64(&f->r),
    };
}

static void gicv3_side(struct fuzz *f)
{
    struct device *cpu = f->b->gicv3_cpu[prng_below(&f->r, BENCH_CPUS_N)];
    uint32_t enc = 3u << 14 | 12u << 7 | (8 + prng_below(&f->r, 5)) << 3 | prng_below(&f->r, 8);
    struct irq_msg m = random_message(f, 12);
    struct irq wire;
    uint64_t v;

    switch (prng_below(&f->r, 5)) {
    case 0:
        gicv3_cpu_sysreg_write(cpu, enc, prng_u64(&f->r));
        break;
    case 1:
        gicv3_cpu_sysreg_read(cpu, enc, &v);
        break;
    case 2:
        f->b->sink.send(f->b->sink.ctx, &m);
        break;
    case 3:
        wire = gicv3_dist_irq(f->b->gicv3_dist, 32 + prng_below(&f->r, 64));
        irq_set(&wire, prng_below(&f->r, 2));
        break;
    case 4:
        wire = gicv3_cpu_irq(cpu, 16 + prng_below(&f->r, 16));
        irq_set(&wire, prng_below(&f->r, 2));
        break;
    }
}

static void gicv2_side(struct fuzz *f)
{
    struct irq_msg m = random_message(f, 12);
    struct irq wire = prng_below(&f->r, 2) ? gicv2_irq(f->d, 32 + prng_below(&f->r, 256))
                                           : gicv2_ppi(f->d, 0, 16 + prng_below(&f->r, 16));

    m.kind |= 0x200;
    gicv2_message(f->d, &m);
    irq_set(&wire, prng_below(&f->r, 2));
}

static void timer_side(struct fuzz *f)
{
    uint32_t enc = 3u << 14 | 3u << 11 | 14u << 7 | prng_below(&f->r, 4) << 3 |
                   prng_below(&f->r, 8);
    uint64_t v = prng_below(&f->r, 2) ? prng_u64(&f->r) : prng_below(&f->r, 8);

    if (prng_below(&f->r, 2)) {
        arm_timer_sysreg_write(f->d, enc, v);
    } else {
        arm_timer_sysreg_read(f->d, enc, &v);
    }
    bench_advance(f->b, prng_below(&f->r, NS_PER_S));
}

static void processor_side(struct fuzz *f)
{
    if (f->b->gicv3_dist) {
        gicv3_side(f);
    } else if (f->d->cls == &gicv2_class) {
        gicv2_side(f);
    } else if (f->d->cls == &arm_timer_class) {
        timer_side(f);
    }
}

/* ---- the host's side ---------------------------------------------------------------------- */

static void host_side(struct fuzz *f)
{
    struct bench *b = f->b;
    uint8_t data[1600];

    prng_fill(&f->r, data, 64);
    switch (prng_below(&f->r, 8)) {
    case 0:
        if (b->chr.h && b->chr.h->read) {
            b->chr.h->read(b->chr.ctx, data, prng_below(&f->r, 64));
        }
        break;
    case 1:
        if (b->chr.h && b->chr.h->event) {
            b->chr.h->event(b->chr.ctx, prng_below(&f->r, 5));
        }
        break;
    case 2:
        b->chr.out_n = 0;
        b->chr.room = prng_below(&f->r, 100);
        if (b->chr.h && b->chr.h->writable) {
            b->chr.h->writable(b->chr.ctx);
        }
        break;
    case 3:
        if (b->net.h) {
            b->net.h->receive(b->net.ctx, data, 14 + prng_below(&f->r, sizeof data - 14));
        }
        break;
    case 4:
        if (b->blk.req_n) {
            bench_blk_finish(b, prng_below(&f->r, b->blk.req_n),
                             prng_below(&f->r, 8) ? 0 : -5);
        }
        break;
    case 5:
        bench_advance(b, prng_below(&f->r, NS_PER_S));
        break;
    default:
        bench_poll(b);
    }
    while (b->blk.req_n > 32) {
        bench_blk_finish(b, 0, 0);
    }
}

/* A state that is the device's own is taken; another one may be refused, and does no harm. */
static void save_and_load(struct fuzz *f)
{
    uint8_t *blob;
    struct err e;
    size_t n;

    if (!device_save(f->d, &blob, &n, &e)) {
        CHECK(false, "%s, seed 0x%llx", e.text, (unsigned long long)f->seed);
        return;
    }
    if (prng_below(&f->r, 4) == 0) {
        for (unsigned i = prng_below(&f->r, 8); i-- > 0;) {
            blob[prng_below(&f->r, n)] = prng_below(&f->r, 2) ? prng_u64(&f->r) : 255;
        }
        device_load(f->d, blob, prng_below(&f->r, 4) ? n : prng_below(&f->r, n), &e);
    } else if (!f->d->cls->bus || strcmp(f->d->cls->bus, "virtio-bus")) {
        CHECK(device_load(f->d, blob, n, &e), "%s: %s, seed 0x%llx", f->what, e.text,
              (unsigned long long)f->seed);
    } else {
        device_load(f->d, blob, n, &e);     /* a queue may have an impossible size just then */
    }
    free(blob);
}

/* ---- rings -------------------------------------------------------------------------------- */

/* Descriptors that are mostly sane: small buffers in RAM, chained forward. */
static void random_ring(struct fuzz *f, struct drv *d, unsigned q)
{
    for (unsigned i = 0; i < d->size; i++) {
        struct { uint64_t addr; uint32_t len; uint16_t flags, next; } v = {
            BUFFERS + prng_below(&f->r, BUFFERS_BYTES), prng_below(&f->r, 2048),
            prng_below(&f->r, 4), (i + 1) % d->size,
        };

        switch (prng_below(&f->r, 24)) {
        case 0: v.addr = prng_u64(&f->r); break;
        case 1: v.len = prng_u64(&f->r); break;
        case 2: v.flags = prng_u64(&f->r); break;
        case 3: v.next = prng_u64(&f->r); break;
        case 4: v.flags = 4; v.len &= ~15u; v.addr = d->q[q].desc; break;
        case 5: v.len = prng_below(&f->r, 32); break;
        }
        bench_ram_write(f->b, d->q[q].desc + 16 * i, &v, sizeof v);
        bench_ram_write16(f->b, d->q[q].avail + 4 + 2 * i,
                          prng_below(&f->r, 50) ? prng_below(&f->r, d->size) : prng_u64(&f->r));
    }
    d->q[q].avail_idx += prng_below(&f->r, 20) ? prng_below(&f->r, 4) : prng_u64(&f->r);
    bench_ram_write16(f->b, d->q[q].avail + 2, d->q[q].avail_idx);
    bench_ram_write16(f->b, d->q[q].avail, prng_below(&f->r, 2));
}

/* Small numbers where a request may begin. */
static void random_headers(struct fuzz *f)
{
    for (unsigned i = 0; i < 64; i++) {
        struct { uint8_t b[4]; uint16_t h[2]; uint64_t w; } v = {
            { prng_below(&f->r, 16), prng_below(&f->r, 8) ? 0 : prng_below(&f->r, 8) },
            { prng_below(&f->r, 8), prng_below(&f->r, 4) }, prng_below(&f->r, 2100),
        };

        bench_ram_write(f->b, BUFFERS + prng_below(&f->r, BUFFERS_BYTES), &v, sizeof v);
    }
}

static void virtio_round(struct fuzz *f, bool legacy)
{
    unsigned queues_n = MIN((unsigned)virtio_from(f->d)->queues_n, 8u);
    struct drv d;

    if (!drv_start(&d, f->b, f->gpa[0], legacy, prng_u64(&f->r) | UINT64_C(1) << 32, queues_n,
                   MIN(virtio_from(f->d)->vq[0].size_max, 8))) {
        CHECK(false, "%s does not start again, seed 0x%llx", f->what,
              (unsigned long long)f->seed);
        return;
    }
    for (unsigned step = 0; step < STEPS_A_ROUND; step++) {
        unsigned q = prng_below(&f->r, queues_n);

        random_headers(f);
        random_ring(f, &d, q);
        drv_kick(&d, q);
        host_side(f);
        if (prng_below(&f->r, 16) == 0) {
            poke(f, f->gpa[0], VIRTIO_MMIO_SIZE, virtio_mmio_class.regions[0].regs);
        }
    }
    save_and_load(f);
}

static void register_round(struct fuzz *f)
{
    for (unsigned i = 0; i < STEPS_A_ROUND; i++) {
        unsigned regions_n = device_regions_n(f->d);
        unsigned n = regions_n ? prng_below(&f->r, regions_n) : 0;

        if (regions_n) {
            poke(f, f->gpa[n], device_region_size(f->d, n), f->d->cls->regions[n].regs);
        }
        processor_side(f);
        if (prng_below(&f->r, 8) == 0) {
            host_side(f);
        }
    }
    if (prng_below(&f->r, 5) == 0) {
        save_and_load(f);
    }
    if (prng_below(&f->r, 50) == 0) {
        device_reset(f->d);
    }
}

/* ---- a device ----------------------------------------------------------------------------- */

/* What it needs of back ends, besides the options that were given. */
static void options_of(const struct device_class *cls, const char *given, char *out, size_t n)
{
    static const struct { const char *name, *backend; } needs[] = {
        { "chardev", "chardev=c0" }, { "netdev", "netdev=n0" },
    };

    snprintf(out, n, "%s", given);
    for (unsigned i = 0; i < ARRAY_LEN(needs); i++) {
        if (device_has_option(cls, needs[i].name)) {
            snprintf(out + strlen(out), n - strlen(out), "%s%s", *out ? "," : "",
                     needs[i].backend);
        }
    }
    if (device_has_option(cls, "drive") && !strstr(given, "drive=")) {
        snprintf(out + strlen(out), n - strlen(out), "%s%sdrive=d0", *out ? "," : "",
                 device_has_option(cls, "size") ? "size=1M," : "");
    }
}

/* Ports of a device that is a bus for them. */
static void plug_ports(struct fuzz *f)
{
    static const char *const ports[] = { "virtconsole", "virtserialport" };
    const char *bus = f->d->cls->bus_offered;
    struct device_finder finder;
    struct err e;

    for (unsigned i = 0; bus && i < ARRAY_LEN(ports); i++) {
        const struct device_class *cls = device_class_find(ports[i]);
        struct device *p;

        if (strcmp(cls->bus, bus)) {
            continue;
        }
        p = f->b->device[f->b->devices_n++] = device_new(cls, NULL, &e);
        CHECK((i == 1 || device_set(p, "chardev", "c0", bench_finder(f->b, &finder), &e)) &&
              device_plug(p, f->d, &e) && device_realize(p, &f->b->env, &e), "%s", e.text);
        device_reset(p);
    }
}

/* A part of a GICv3, joined to the others. */
static void add_gicv3(struct fuzz *f, const struct device_class *cls)
{
    uint64_t gpa[1 + BENCH_CPUS_N];

    bench_add_gicv3(f->b, gpa);
    f->d = cls == &gicv3_dist_class ? f->b->gicv3_dist : f->b->gicv3_cpu[0];
    f->gpa[0] = cls == &gicv3_dist_class ? gpa[0] : gpa[1];
}

static void fuzz_class(struct fuzz *f, const struct device_class *cls, const char *options,
                       bool legacy)
{
    bool is_virtio = cls->bus && !strcmp(cls->bus, "virtio-bus");
    int64_t end = mono_now_ns() + f->seconds * NS_PER_S;
    char all[500];
    unsigned irq;

    printf("seed 0x%llx %s%s\n", (unsigned long long)f->seed, f->what,
           is_virtio ? legacy ? " legacy" : " modern" : "");
    fflush(stdout);
    prng_init(&f->r, f->seed);
    f->b = bench_new();
    options_of(cls, options, all, sizeof all);
    if (is_virtio) {
        f->d = bench_add_virtio(f->b, f->what, all, legacy, &f->gpa[0], &irq);
        plug_ports(f);
    } else if (cls == &gicv3_dist_class || cls == &gicv3_cpu_class) {
        add_gicv3(f, cls);
    } else {
        f->d = bench_add(f->b, cls, all, &f->gpa[0], &irq);
    }
    for (unsigned n = 1; n < device_regions_n(f->d); n++) {
        f->gpa[n] = f->gpa[n - 1] + ALIGN_UP(device_region_size(f->d, n - 1), UINT64_C(0x10000));
    }
    for (unsigned i = 0; f->seconds ? mono_now_ns() < end : i < f->rounds; i++) {
        if (is_virtio) {
            virtio_round(f, legacy);
        } else {
            register_round(f);
        }
        f->steps += STEPS_A_ROUND;
    }
    bench_free(f->b);
}

/* Not those that are plugged into others, nor the bus itself, which all virtio devices are on. */
static bool can_be_alone(const struct device_class *cls)
{
    return cls != &virtio_mmio_class &&
           (!cls->bus || !strcmp(cls->bus, "platform-bus") || !strcmp(cls->bus, "virtio-bus"));
}

static void fuzz_both(struct fuzz *f, const struct device_class *cls, const char *options)
{
    fuzz_class(f, cls, options, false);
    if (cls->bus && !strcmp(cls->bus, "virtio-bus")) {
        fuzz_class(f, cls, options, true);
    }
}

static bool fuzz_argument(struct fuzz *f, char *arg)
{
    char *options = strchr(arg, ',');
    const struct device_class *cls;
    struct err e;

    if (options) {
        *options++ = 0;
    }
    f->what = arg;
    cls = device_class_find(arg);
    if (!cls) {
        cls = device_class_open(arg, &e);
    }
    if (!cls || !can_be_alone(cls)) {
        fprintf(stderr, "device_fuzz: %s\n", cls ? "it cannot be alone" : e.text);
        return false;
    }
    fuzz_both(f, cls, options ? options : "");
    return true;
}

int main(int argc, char **argv)
{
    struct fuzz f = { .seed = UINT64_C(0x5eed0002), .rounds = 150 };
    bool all;
    int i = 1;

    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        uint64_t v = strtoull(argv[i + 1], NULL, 0);

        if (!strcmp(argv[i], "--seed")) {
            f.seed = v;
        } else if (!strcmp(argv[i], "--seconds")) {
            f.seconds = v;
        } else {
            f.rounds = v;
        }
    }
    all = i == argc;
    for (; i < argc; i++) {
        if (!fuzz_argument(&f, argv[i])) {
            return 2;
        }
    }
    for (unsigned n = 0; all && device_class_at(n); n++) {
        f.what = device_class_at(n)->name;
        if (can_be_alone(device_class_at(n))) {
            fuzz_both(&f, device_class_at(n), "");
        }
    }
    printf("%llu steps\n", (unsigned long long)f.steps);
    return check_result();
}
