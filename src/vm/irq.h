/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts: a wired line (struct irq) from a device to an interrupt controller, and the
 * message (struct irq_msg) from an interrupt controller's part to another part of it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* One input line.  A copy is as good as the original; all-zero is "not connected". */
struct irq {
    void (*set)(void *ctx, unsigned n, bool level);
    void *ctx;
    unsigned n;
};

/* Any thread; the controller locks itself and calls nothing back on this thread. */
static inline void irq_set(const struct irq *i, bool level)
{
    if (i->set) {
        i->set(i->ctx, i->n, level);
    }
}

static inline void irq_pulse(const struct irq *i)
{
    irq_set(i, true);
    irq_set(i, false);
}

/* Seam: between the machine-wide part of an interrupt controller (distributor) and the part of
 * each vCPU (redistributor, CPU interface).  The meaning of kind, a, b belongs to the
 * controller's model; messages between one ordered pair arrive in order. */
#define IRQ_MSG_TO_DISTRIBUTOR 0xffffffffu

struct irq_msg {
    uint32_t to;        /* vCPU index, or IRQ_MSG_TO_DISTRIBUTOR */
    uint32_t from;      /* likewise */
    uint32_t kind;
    uint32_t a;
    uint64_t b;
};

struct irq_sink {
    /* Any thread.  Delivers on the caller's thread when the receiver is in this process,
     * otherwise later.  The sender must hold no lock that the receiver takes. */
    void (*send)(void *ctx, const struct irq_msg *m);
    void *ctx;
};
