/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/trace.h"
#include "dev/devices.h"
#include "dev/virtio/mmio.h"
#include "mem/space.h"
#include "vm/clock.h"
#include "vm/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok, struct err *e)
{
    if (!ok) {
        fprintf(stderr, "harness: %s\n", e->text);
        abort();
    }
}

struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    struct err e;

    b->loop = loop_create(&e);
    must(b->loop, &e);
    b->vm = vm_new(b->loop, 1, &e);
    must(b->vm, &e);
    must(mem_space_add_ram(b->vm->mem, BENCH_RAM_GPA, BENCH_RAM_SIZE, "ram", &e), &e);
    b->env = (struct device_env){ .mem = b->vm->mem, .clock = b->vm->clock, .loop = b->loop };
    b->next_gpa = 0x09000000;
    b->chr.room = sizeof b->chr.out;
    return b;
}

void bench_free(struct bench *b)
{
    while (b->devices_n) {
        device_free(b->device[--b->devices_n]);     /* what is plugged in before its bus */
    }
    vm_free(b->vm);
    loop_destroy(b->loop);
    free(b);
}

static void bench_irq(void *ctx, unsigned n, bool level)
{
    struct bench *b = ctx;

    b->irq_rises[n] += level && !b->irq_level[n];
    b->irq_level[n] = level;
}

static void *bench_find(void *ctx, enum device_option_type type, const char *id, struct err *e)
{
    struct bench *b = ctx;

    if (type == OPTION_CHR && !strcmp(id, "c0")) {
        return &b->chr;
    }
    if (type == OPTION_BLK && !strcmp(id, "d0")) {
        return &b->blk;
    }
    if (type == OPTION_NET && !strcmp(id, "n0")) {
        return &b->net;
    }
    err_set(e, "there is no '%s'", id);
    return NULL;
}

const struct device_finder *bench_finder(struct bench *b, struct device_finder *f)
{
    *f = (struct device_finder){ bench_find, b };
    return f;
}

static struct device *make(struct bench *b, const struct device_class *cls, const char *options)
{
    struct opts *o = opts_create();
    struct device_finder f;
    struct device *d;
    struct err e;

    d = device_new(cls, NULL, &e);
    must(d, &e);
    must(opts_parse(o, options, NULL, &e), &e);
    must(device_set_all(d, o, bench_finder(b, &f), &e), &e);
    opts_destroy(o);
    b->device[b->devices_n++] = d;
    return d;
}

struct device *bench_add(struct bench *b, const struct device_class *cls, const char *options,
                         uint64_t *gpa, unsigned *irq)
{
    struct device *d = make(b, cls, options);
    struct err e;

    *irq = b->irqs_n;
    for (unsigned n = 0; n < cls->irqs_n; n++) {
        device_connect_irq(d, n, (struct irq){ bench_irq, b, b->irqs_n++ });
    }
    must(device_realize(d, &b->env, &e), &e);
    *gpa = b->next_gpa;
    for (unsigned n = 0; n < device_regions_n(d); n++) {
        must(device_map_region(d, n, b->next_gpa, &e), &e);
        b->next_gpa += ALIGN_UP(device_region_size(d, n), UINT64_C(0x10000));
    }
    device_reset(d);
    return d;
}

struct device *bench_add_virtio(struct bench *b, const char *class_name, const char *options,
                                bool legacy, uint64_t *gpa, unsigned *irq)
{
    const struct device_class *cls;
    struct device *t, *d;
    struct err e;

    t = bench_add(b, &virtio_mmio_class, legacy ? "" : "force-legacy=off", gpa, irq);
    cls = device_class_open(class_name, &e);
    must(cls, &e);
    d = make(b, cls, options);
    must(device_plug(d, t, &e), &e);
    must(device_realize(d, &b->env, &e), &e);
    device_reset(d);
    return d;
}

static void gicv3_send(void *ctx, const struct irq_msg *m)
{
    struct bench *b = ctx;

    if (m->to == IRQ_MSG_TO_DISTRIBUTOR) {
        gicv3_dist_message(b->gicv3_dist, m);
    } else {
        gicv3_cpu_message(b->gicv3_cpu[m->to], m);
    }
}

static void place(struct bench *b, struct device *d, uint64_t *gpa)
{
    struct err e;

    b->device[b->devices_n++] = d;
    *gpa = b->next_gpa;
    must(device_map_region(d, 0, b->next_gpa, &e), &e);
    b->next_gpa += device_region_size(d, 0);
    device_reset(d);
}

void bench_add_gicv3(struct bench *b, uint64_t gpa[1 + BENCH_CPUS_N])
{
    struct err e;

    b->sink = (struct irq_sink){ .send = gicv3_send, .ctx = b };
    b->topology = (struct gicv3_topology){ .cpus_n = BENCH_CPUS_N, .mpidr = b->mpidr,
                                           .trace = &trace_none };
    for (unsigned i = 0; i < BENCH_CPUS_N; i++) {
        b->mpidr[i] = i;
        b->gicv3_cpu[i] = gicv3_cpu_new(i, i == BENCH_CPUS_N - 1, &b->topology, &b->sink,
                                        &b->env, &e);
        must(b->gicv3_cpu[i], &e);
        for (unsigned n = 0; n < gicv3_cpu_class.irqs_n; n++) {
            device_connect_irq(b->gicv3_cpu[i], n, (struct irq){ bench_irq, b, b->irqs_n++ });
        }
        place(b, b->gicv3_cpu[i], &gpa[1 + i]);
    }
    b->gicv3_dist = gicv3_dist_new(96, &b->topology, &b->sink, &b->env, &e);
    must(b->gicv3_dist, &e);
    place(b, b->gicv3_dist, &gpa[0]);
}

uint64_t bench_read(struct bench *b, uint64_t gpa, unsigned size)
{
    uint64_t v = 0;

    if (mem_mmio_read(b->vm->mem, gpa, size, MEM_VCPU_NONE, &v) != MEM_OK) {
        fprintf(stderr, "harness: nothing at 0x%llx\n", (unsigned long long)gpa);
        abort();
    }
    return v;
}

void bench_write(struct bench *b, uint64_t gpa, unsigned size, uint64_t v)
{
    if (mem_mmio_write(b->vm->mem, gpa, size, MEM_VCPU_NONE, v) != MEM_OK) {
        fprintf(stderr, "harness: nothing at 0x%llx\n", (unsigned long long)gpa);
        abort();
    }
}

void bench_poll(struct bench *b)
{
    for (int i = 0; i < 8; i++) {
        loop_run_once(b->loop, 0);
    }
}

void bench_advance(struct bench *b, int64_t ns)
{
    vm_clock_step_to(b->vm->clock, vm_clock_ns(b->vm->clock) + ns);
    bench_poll(b);
}

void bench_ram_write(struct bench *b, uint64_t gpa, const void *p, size_t n)
{
    if (!mem_dma_write(b->vm->mem, gpa, p, n)) {
        abort();
    }
}

void bench_ram_read(struct bench *b, uint64_t gpa, void *p, size_t n)
{
    if (!mem_dma_read(b->vm->mem, gpa, p, n)) {
        abort();
    }
}

/* ---- backends that the test plays -------------------------------------------------------- */

void chr_attach(struct chr *c, const struct chr_handlers *h, void *ctx)
{
    c->h = h;
    c->ctx = ctx;
}

size_t chr_write(struct chr *c, const void *p, size_t n_bytes)
{
    size_t n = MIN(n_bytes, MIN(c->room, sizeof c->out - c->out_n));

    memcpy(c->out + c->out_n, p, n);
    c->out_n += n;
    c->room -= n;
    return n;
}

void chr_accept_input(struct chr *c)
{
    c->accepts_n++;
}

void chr_send_break(struct chr *c)
{
    c->breaks_n++;
}

void blk_submit(struct blk *b, struct blk_req *r)
{
    if (b->req_n == ARRAY_LEN(b->req)) {
        abort();
    }
    b->req[b->req_n++] = r;
}

static int blk_do(struct blk *b, struct blk_req *r)
{
    uint8_t *p = b->data + r->offset;

    b->flushes_n += r->op == BLK_FLUSH;
    b->fua_n += (r->flags & BLK_FUA) != 0;
    if (r->op == BLK_FLUSH) {
        return 0;
    }
    if (r->offset + r->n_bytes > sizeof b->data) {
        abort();                    /* the device has to check */
    }
    if (r->op == BLK_WRITE_ZEROES) {
        memset(p, 0, r->n_bytes);
    }
    for (unsigned i = 0; i < r->n_iov; p += r->iov[i++].iov_len) {
        if (r->op == BLK_READ) {
            memcpy(r->iov[i].iov_base, p, r->iov[i].iov_len);
        } else {
            memcpy(p, r->iov[i].iov_base, r->iov[i].iov_len);
        }
    }
    return 0;
}

void bench_blk_finish(struct bench *b, unsigned i, int rc)
{
    struct blk_req *r = b->blk.req[i];

    memmove(b->blk.req + i, b->blk.req + i + 1, (--b->blk.req_n - i) * sizeof r);
    r->done(r, rc ? rc : blk_do(&b->blk, r));
}

void blk_drain(struct blk *b)
{
    struct bench *bench = CONTAINER_OF(b, struct bench, blk);

    while (b->req_n) {
        bench_blk_finish(bench, 0, 0);
    }
}

const char *blk_path(const struct blk *b)
{
    return "d0.img";
}

uint64_t blk_size_bytes(const struct blk *b)
{
    return sizeof b->data;
}

bool blk_is_read_only(const struct blk *b)
{
    return b->read_only;
}

bool blk_can_discard(const struct blk *b)
{
    return true;
}

void net_attach(struct net *n, const struct net_handlers *h, void *ctx)
{
    n->h = h;
    n->ctx = ctx;
}

bool net_send(struct net *n, const struct iovec *iov, unsigned n_iov)
{
    n->sent_bytes = 0;
    for (unsigned i = 0; i < n_iov; i++) {
        size_t part = MIN(iov[i].iov_len, sizeof n->sent - n->sent_bytes);

        memcpy(n->sent + n->sent_bytes, iov[i].iov_base, part);
        n->sent_bytes += part;
    }
    n->sent_n++;
    return true;
}

void net_accept_input(struct net *n)
{
    n->accepts_n++;
}
