/* SPDX-License-Identifier: Apache-2.0 */
/* A GICv2 (IHI 0048B) for up to 8 CPUs, without security extensions: distributor and CPU
 * interfaces together in one device; accesses are banked by the vCPU that makes them.
 *
 * Outputs are set without its lock, by one thread at a time, so that levels arrive in the order in
 * which they were decided; on any thread that uses the GIC.  To load a saved state, load first who
 * drives its wires. */
#pragma once
#include "vm/irq.h"

#include <stdbool.h>
#include <stdint.h>

struct device;
struct device_class;
struct device_env;
struct err;

#define GICV2_CPUS_MAX 8
#define GICV2_SPI_FIRST 32
#define GICV2_INTID_MAX 1020
#define GICV2_FRAME_BYTES 0x10000       /* GICD and GICC, each */

extern const struct device_class gicv2_class;   /* regions: GICD, GICC */
#define GICV2_OUTPUT(cpu, is_fiq) ((cpu) * 2 + (is_fiq))

/* Realized.  intids_n, a multiple of 32 up to 1024, counts SGIs and PPIs too. */
struct device *gicv2_new(unsigned intids_n, unsigned cpus_n, const struct device_env *env,
                         struct err *e);

struct irq gicv2_irq(struct device *d, unsigned intid);                 /* SPI, 32 … */
struct irq gicv2_ppi(struct device *d, unsigned cpu, unsigned intid);   /* PPI, 16 … 31 */

/* A PPI of a CPU that is somewhere else: its line as a message to the distributor. */
struct irq_msg gicv2_ppi_message(unsigned cpu, unsigned intid, bool level);
void gicv2_message(struct device *d, const struct irq_msg *m);  /* contents are not trusted */
