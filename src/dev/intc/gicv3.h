/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 (IHI 0069) with one security state (GICD_CTLR.DS = 1), without LPIs and ITS, in parts
 * that know each other only by messages (struct irq_sink), after the architecture's own stream
 * protocol (IHI 0069 appendix A):
 *
 *   struct gicv3_dist   the distributor: SPIs and their routing; one of a machine
 *   struct gicv3_cpu    of each vCPU: redistributor (SGIs, PPIs) and CPU interface (ICC_*)
 *
 * gicv3_msg.h has the messages and why they are correct however long each one takes.
 *
 * Locks: one in each part; nothing is sent with it held, and messages of a part leave in the
 * order of its decisions.  A CPU interface calls `line` with its lock held: `line` must not call
 * back and must not block. */
#pragma once
#include "vm/irq.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct gicv3_cpu;
struct gicv3_dist;
struct mmio_ops;
struct trace;

#define GICV3_SPI_FIRST 32
#define GICV3_INTID_MAX 1020            /* SPIs are 32 … 1019 */
#define GICV3_DIST_BYTES 0x10000
#define GICV3_REDIST_BYTES 0x20000      /* RD_base and SGI_base frames */

/* Where the vCPUs are in the affinity hierarchy: the same for all parts. */
struct gicv3_topology {
    unsigned cpus_n;
    const uint64_t *mpidr;              /* [cpus_n]; Aff0 ≤ 15 */
    const struct trace *trace;          /* &trace_none: nothing is traced */
};

/* `sink` and `topology` stay the caller's and outlive it.  intids_n (a multiple of 32, ≤ 1020
 * rounded up) counts SGIs and PPIs too. */
struct gicv3_dist *gicv3_dist_new(unsigned intids_n, const struct gicv3_topology *topology,
                                  const struct irq_sink *sink, struct err *e);
void gicv3_dist_free(struct gicv3_dist *d);
/* Machine reset.  All vCPUs stand; each part is reset before any of them goes on. */
void gicv3_dist_reset(struct gicv3_dist *d);
/* The wire of SPI `intid` (32 …). */
struct irq gicv3_dist_irq(struct gicv3_dist *d, unsigned intid);
/* A message whose `to` is IRQ_MSG_TO_DISTRIBUTOR; contents are not trusted.  Any thread. */
void gicv3_dist_message(struct gicv3_dist *d, const struct irq_msg *m);
extern const struct mmio_ops gicv3_dist_mmio;   /* ctx: struct gicv3_dist */

/* vCPU `index` of the topology.  `is_last` is GICR_TYPER.Last: of a run of adjacent frames. */
struct gicv3_cpu *gicv3_cpu_new(unsigned index, bool is_last,
                                const struct gicv3_topology *topology,
                                const struct irq_sink *sink,
                                void (*line)(void *ctx, bool is_fiq, bool level), void *line_ctx,
                                struct err *e);
void gicv3_cpu_free(struct gicv3_cpu *c);
void gicv3_cpu_reset(struct gicv3_cpu *c);      /* machine reset */
/* The PE starts anew (PSCI CPU_ON): only the CPU interface gets reset values. */
void gicv3_cpu_reset_interface(struct gicv3_cpu *c);
/* The wire of PPI `intid` (16 … 31). */
struct irq gicv3_cpu_irq(struct gicv3_cpu *c, unsigned intid);
/* A message whose `to` is this vCPU; contents are not trusted.  Any thread. */
void gicv3_cpu_message(struct gicv3_cpu *c, const struct irq_msg *m);
extern const struct mmio_ops gicv3_redist_mmio; /* ctx: struct gicv3_cpu; GICV3_REDIST_BYTES */

/* ICC_*: `enc` is op0:op1:CRn:CRm:op2 in bits 15:0.  On the vCPU's thread.  false: UNDEFINED
 * or not a register of the CPU interface. */
bool gicv3_cpu_sysreg_read(struct gicv3_cpu *c, uint32_t enc, uint64_t *v);
bool gicv3_cpu_sysreg_write(struct gicv3_cpu *c, uint32_t enc, uint64_t v);
