/* SPDX-License-Identifier: Apache-2.0 */
/* struct bench: a machine without vCPUs in which a test drives devices: registers, RAM, captured
 * interrupts, guest time that jumps, and backends that the test plays itself. */
#pragma once
#include "host/blk/blk.h"
#include "host/chr/chr.h"
#include "dev/intc/gicv3.h"
#include "host/net/net.h"
#include "vm/device.h"

#define BENCH_RAM_GPA UINT64_C(0x40000000)
#define BENCH_RAM_SIZE (UINT64_C(16) << 20)
#define BENCH_IRQS_MAX 16
#define BENCH_DEVICES_MAX 8
#define BENCH_CPUS_N 2              /* of its GICv3 */

/* The other end of a stream. */
struct chr {
    const struct chr_handlers *h;
    void *ctx;
    uint8_t out[65536];
    size_t out_n, room;             /* room: what it takes before it is full */
    unsigned accepts_n, breaks_n;
};

/* A disk in memory; requests wait until bench_blk_finish(). */
struct blk {
    uint8_t data[1 << 20];
    bool read_only;
    struct blk_req *req[64];
    unsigned req_n, flushes_n, fua_n;
};

struct net {
    const struct net_handlers *h;
    void *ctx;
    uint8_t sent[2048];
    size_t sent_bytes;
    unsigned sent_n, accepts_n;
};

struct bench {
    struct loop *loop;
    struct vm *vm;
    struct device_env env;
    bool irq_level[BENCH_IRQS_MAX];
    unsigned irq_rises[BENCH_IRQS_MAX];
    unsigned irqs_n;
    uint64_t next_gpa;
    struct device *device[BENCH_DEVICES_MAX];
    unsigned devices_n;
    struct chr chr;                 /* found as chardev=c0 */
    struct blk blk;                 /* found as drive=d0 */
    struct net net;                 /* found as netdev=n0 */
    uint64_t mpidr[BENCH_CPUS_N];
    struct gicv3_topology topology;
    struct irq_sink sink;
    struct device *gicv3_dist, *gicv3_cpu[BENCH_CPUS_N];
};

struct bench *bench_new(void);
void bench_free(struct bench *b);
extern const struct device_finder *bench_finder(struct bench *b, struct device_finder *f);

/* Makes, realizes, maps, connects and resets a device.  Its first interrupt is *irq. */
struct device *bench_add(struct bench *b, const struct device_class *cls, const char *options,
                         uint64_t *gpa, unsigned *irq);
/* A virtio device, or the plug-in at a path, in a transport of its own. */
struct device *bench_add_virtio(struct bench *b, const char *class_name, const char *options,
                                bool legacy, uint64_t *gpa, unsigned *irq);

/* A GICv3 of BENCH_CPUS_N CPUs, its parts joined and mapped: gpa[0] is the distributor. */
void bench_add_gicv3(struct bench *b, uint64_t gpa[1 + BENCH_CPUS_N]);

uint64_t bench_read(struct bench *b, uint64_t gpa, unsigned size);
void bench_write(struct bench *b, uint64_t gpa, unsigned size, uint64_t v);
static inline uint32_t bench_read32(struct bench *b, uint64_t gpa)
{
    return bench_read(b, gpa, 4);
}
static inline void bench_write32(struct bench *b, uint64_t gpa, uint32_t v)
{
    bench_write(b, gpa, 4, v);
}
/* Runs what the loop has to do. */
void bench_poll(struct bench *b);
/* Lets guest time pass. */
void bench_advance(struct bench *b, int64_t ns);
/* Does the i-th waiting request, or fails it with `rc`. */
void bench_blk_finish(struct bench *b, unsigned i, int rc);

/* ---- the driver's side of a virtio-mmio device ------------------------------------------- */

struct drv_seg {
    uint64_t gpa;
    uint32_t len;
    bool write;                     /* by the device */
};

struct drv {
    struct bench *b;
    uint64_t gpa;
    bool legacy, event_idx;
    uint16_t size;
    struct drv_queue {
        uint64_t desc, avail, used;
        uint16_t avail_idx, used_seen, free;
    } q[8];
};

/* Up to DRIVER_OK with `features` of what is offered and `queues_n` queues of `size` entries,
 * whose rings lie in the first MiB of RAM. */
bool drv_start(struct drv *d, struct bench *b, uint64_t gpa, bool legacy, uint64_t features,
               unsigned queues_n, uint16_t size);
/* Adds a chain (directly, or in an indirect table at `indirect`) without a kick; its head. */
uint16_t drv_add(struct drv *d, unsigned q, const struct drv_seg *seg, unsigned n,
                 uint64_t indirect);
void drv_kick(struct drv *d, unsigned q);
/* The next used element; false when there is none. */
bool drv_used(struct drv *d, unsigned q, uint32_t *id, uint32_t *len);

void bench_ram_write(struct bench *b, uint64_t gpa, const void *p, size_t n);
void bench_ram_read(struct bench *b, uint64_t gpa, void *p, size_t n);
static inline void bench_ram_write16(struct bench *b, uint64_t gpa, uint16_t v)
{
    bench_ram_write(b, gpa, &v, 2);
}
static inline uint16_t bench_ram_read16(struct bench *b, uint64_t gpa)
{
    uint16_t v;

    bench_ram_read(b, gpa, &v, 2);
    return v;
}
