/* SPDX-License-Identifier: Apache-2.0 */
/* struct gicv2: a GICv2 (IHI 0048B) for up to 8 CPUs, without security extensions: distributor
 * and CPU interfaces together in one place; accesses are banked by the vCPU that makes them.
 *
 * One lock.  `line` is called without it, by one thread at a time, so that levels arrive in the
 * order in which they were decided; it may be called on any thread that uses the GIC. */
#pragma once
#include "vm/irq.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct gicv2;
struct mmio_ops;

#define GICV2_CPUS_MAX 8
#define GICV2_SPI_FIRST 32
#define GICV2_INTID_MAX 1020

/* intids_n, a multiple of 32 up to 1024, counts SGIs and PPIs too. */
struct gicv2 *gicv2_new(unsigned intids_n, unsigned cpus_n,
                        void (*line)(void *ctx, unsigned cpu, bool is_fiq, bool level),
                        void *line_ctx, struct err *e);
void gicv2_free(struct gicv2 *g);
void gicv2_reset(struct gicv2 *g);      /* machine reset; all vCPUs stand */

struct irq gicv2_irq(struct gicv2 *g, unsigned intid);                  /* SPI, 32 … */
struct irq gicv2_ppi(struct gicv2 *g, unsigned cpu, unsigned intid);    /* PPI, 16 … 31 */

/* A PPI of a CPU that is somewhere else: its line as a message to the distributor. */
struct irq_msg gicv2_ppi_message(unsigned cpu, unsigned intid, bool level);
void gicv2_message(struct gicv2 *g, const struct irq_msg *m);   /* contents are not trusted */

extern const struct mmio_ops gicv2_dist_mmio;   /* GICD; ctx: struct gicv2 */
extern const struct mmio_ops gicv2_cpu_mmio;    /* GICC, 8 KiB */
