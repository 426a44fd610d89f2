/* SPDX-License-Identifier: Apache-2.0 */
/* A GICv3 with its parts joined either directly or by queues that deliver late, for tests. */
#pragma once
#include "base/err.h"
#include "base/prng.h"
#include "base/trace.h"
#include "dev/intc/gicv3.h"

#include "frame.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIM_CPUS_MAX 4
#define SIM_QUEUE_MAX 4096
#define SIM_INTIDS 96

#define SIM_ENC(crn, crm, op2) (3 << 14 | (crn) << 7 | (crm) << 3 | (op2))
#define SIM_PMR SIM_ENC(4, 6, 0)
#define SIM_IAR0 SIM_ENC(12, 8, 0)
#define SIM_EOIR0 SIM_ENC(12, 8, 1)
#define SIM_BPR0 SIM_ENC(12, 8, 3)
#define SIM_DIR SIM_ENC(12, 11, 1)
#define SIM_RPR SIM_ENC(12, 11, 3)
#define SIM_SGI1R SIM_ENC(12, 11, 5)
#define SIM_IAR1 SIM_ENC(12, 12, 0)
#define SIM_EOIR1 SIM_ENC(12, 12, 1)
#define SIM_HPPIR1 SIM_ENC(12, 12, 2)
#define SIM_BPR1 SIM_ENC(12, 12, 3)
#define SIM_CTLR SIM_ENC(12, 12, 4)
#define SIM_IGRPEN0 SIM_ENC(12, 12, 6)
#define SIM_IGRPEN1 SIM_ENC(12, 12, 7)

struct sim_queue {
    struct irq_msg m[SIM_QUEUE_MAX];
    unsigned first, n;
};

struct sim {
    bool direct;
    unsigned cpus_n;
    uint64_t mpidr[SIM_CPUS_MAX];
    struct gicv3_topology topology;
    struct irq_sink sink;
    struct device *dist, *cpu[SIM_CPUS_MAX];
    struct sim_cpu_line {
        bool irq, fiq;
    } line[SIM_CPUS_MAX];
    /* By sender and receiver; index cpus_n is the distributor. */
    struct sim_queue queue[SIM_CPUS_MAX + 1][SIM_CPUS_MAX + 1];
    unsigned queued_n;
};

static inline void sim_deliver(struct sim *s, const struct irq_msg *m)
{
    if (m->to == IRQ_MSG_TO_DISTRIBUTOR) {
        gicv3_dist_message(s->dist, m);
    } else {
        gicv3_cpu_message(s->cpu[m->to], m);
    }
}

static inline void sim_send(void *ctx, const struct irq_msg *m)
{
    struct sim *s = ctx;
    if (s->direct) {
        sim_deliver(s, m);
        return;
    }
    unsigned from = m->from == IRQ_MSG_TO_DISTRIBUTOR ? s->cpus_n : m->from;
    unsigned to = m->to == IRQ_MSG_TO_DISTRIBUTOR ? s->cpus_n : m->to;
    struct sim_queue *q = &s->queue[from][to];
    assert(q->n < SIM_QUEUE_MAX);
    q->m[(q->first + q->n++) % SIM_QUEUE_MAX] = *m;
    s->queued_n++;
}

/* Delivers one message of a random pair; false when there is none. */
static inline bool sim_step(struct sim *s, struct prng *p)
{
    unsigned side = s->cpus_n + 1;
    if (!s->queued_n) {
        return false;
    }
    for (unsigned i = prng_below(p, side * side);; i = (i + 1) % (side * side)) {
        struct sim_queue *q = &s->queue[i / side][i % side];
        if (q->n) {
            struct irq_msg m = q->m[q->first];
            q->first = (q->first + 1) % SIM_QUEUE_MAX;
            q->n--;
            s->queued_n--;
            sim_deliver(s, &m);
            return true;
        }
    }
}

static inline void sim_line(void *ctx, unsigned n, bool level)
{
    struct sim_cpu_line *l = ctx;
    *(n == GICV3_CPU_FIQ ? &l->fiq : &l->irq) = level;
}

static inline struct sim *sim_new(unsigned cpus_n, bool direct)
{
    struct sim *s = calloc(1, sizeof(*s));
    struct device_env env = { 0 };
    struct err e;
    s->direct = direct;
    s->cpus_n = cpus_n;
    s->sink = (struct irq_sink){ .send = sim_send, .ctx = s };
    for (unsigned i = 0; i < cpus_n; i++) {
        s->mpidr[i] = (i / 2) << 8 | i % 2;     /* two to a cluster */
    }
    s->topology = (struct gicv3_topology){ .cpus_n = cpus_n, .mpidr = s->mpidr,
                                           .trace = &trace_none };
    s->dist = gicv3_dist_new(SIM_INTIDS, &s->topology, &s->sink, &env, &e);
    for (unsigned i = 0; i < cpus_n; i++) {
        s->cpu[i] = gicv3_cpu_new(i, i == cpus_n - 1, &s->topology, &s->sink, &env, &e);
        device_connect_irq(s->cpu[i], GICV3_CPU_IRQ,
                           (struct irq){ sim_line, &s->line[i], GICV3_CPU_IRQ });
        device_connect_irq(s->cpu[i], GICV3_CPU_FIQ,
                           (struct irq){ sim_line, &s->line[i], GICV3_CPU_FIQ });
        device_reset(s->cpu[i]);
    }
    device_reset(s->dist);
    return s;
}

static inline void sim_free(struct sim *s)
{
    device_free(s->dist);
    for (unsigned i = 0; i < s->cpus_n; i++) {
        device_free(s->cpu[i]);
    }
    free(s);
}

/* Saves `from`, loads it into `to`, and goes on with that. */
static inline bool sim_move_part(struct device *from, struct device *to)
{
    uint8_t *blob;
    struct err e;
    size_t n;
    bool ok = device_save(from, &blob, &n, &e);
    if (ok) {
        ok = device_load(to, blob, n, &e);
        free(blob);
    }
    if (!ok) {
        fprintf(stderr, "%s\n", e.text);
    }
    return ok;
}

static inline bool sim_is_quiet(struct sim *s)
{
    bool is_quiet = !s->queued_n && gicv3_dist_is_quiet(s->dist);
    for (unsigned i = 0; i < s->cpus_n; i++) {
        is_quiet &= gicv3_cpu_is_quiet(s->cpu[i]);
    }
    return is_quiet;
}

static inline void gicd_w(struct sim *s, unsigned off, uint32_t v)
{
    frame_write(s->dist, 0, off, 4, v, 0);
}

static inline uint32_t gicd_r(struct sim *s, unsigned off)
{
    return frame_read(s->dist, 0, off, 4, 0);
}

static inline void gicr_w(struct sim *s, unsigned cpu, unsigned off, uint32_t v)
{
    frame_write(s->cpu[cpu], 0, off, 4, v, 0);
}

static inline uint32_t gicr_r(struct sim *s, unsigned cpu, unsigned off)
{
    return frame_read(s->cpu[cpu], 0, off, 4, 0);
}

static inline uint64_t icc_r(struct sim *s, unsigned cpu, uint32_t enc)
{
    uint64_t v = ~UINT64_C(0);
    bool there = gicv3_cpu_sysreg_read(s->cpu[cpu], enc, &v);
    assert(there);
    return v;
}

static inline void icc_w(struct sim *s, unsigned cpu, uint32_t enc, uint64_t v)
{
    bool there = gicv3_cpu_sysreg_write(s->cpu[cpu], enc, v);
    assert(there);
}

static inline void gicd_bit(struct sim *s, unsigned reg, unsigned intid)
{
    gicd_w(s, reg + intid / 32 * 4, 1u << intid % 32);
}

static inline void gicd_prio(struct sim *s, unsigned intid, uint8_t prio)
{
    frame_write(s->dist, 0, 0x400 + intid, 1, prio, 0);
}

static inline void gicd_route(struct sim *s, unsigned intid, uint64_t affinity)
{
    frame_write(s->dist, 0, 0x6000 + intid * 8, 8, affinity, 0);
}

static inline void gicd_edge(struct sim *s, unsigned intid, bool edge)
{
    unsigned off = 0xc00 + intid / 16 * 4, bit = 2u << intid % 16 * 2;
    uint32_t v = gicd_r(s, off);
    gicd_w(s, off, edge ? v | bit : v & ~bit);
}

/* As an operating system begins: everything in group 1, all enabled, CPUs awake. */
static inline void sim_boot(struct sim *s)
{
    gicd_w(s, 0, 2);
    for (unsigned w = 1; w < SIM_INTIDS / 32; w++) {
        gicd_w(s, 0x80 + w * 4, ~0u);
        gicd_w(s, 0x100 + w * 4, ~0u);
    }
    for (unsigned i = 0; i < s->cpus_n; i++) {
        gicr_w(s, i, 0x14, 0);
        gicr_w(s, i, 0x10080, ~0u);
        gicr_w(s, i, 0x10100, ~0u);
        icc_w(s, i, SIM_PMR, 0xf8);
        icc_w(s, i, SIM_IGRPEN1, 1);
    }
}
