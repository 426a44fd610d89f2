/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 (IHI 0069) with one security state (GICD_CTLR.DS = 1), without LPIs and ITS, in parts
 * that know each other only by messages (struct irq_sink), after the architecture's own stream
 * protocol (IHI 0069 appendix A).  Each part is a device:
 *
 *   gicv3_dist_class    the distributor: SPIs and their routing; one of a machine
 *   gicv3_cpu_class     of each vCPU: redistributor (SGIs, PPIs) and CPU interface (ICC_*)
 *
 * gicv3_msg.h has the messages and why they are correct however long each one takes.
 *
 * Locks: one in each part, the device's; nothing is sent with it held, and messages of a part leave
 * in the order of its decisions.  A CPU interface sets its outputs with its lock held: what is
 * connected to them must not call back and must not block.
 *
 * Reset: with all vCPUs standing, `epoch` counts up, then each part is reset.
 *
 * Snapshot: device_save() of each part, while the machine is quiet: all vCPUs and all who drive
 * wires stand, each part says that it is quiet, and no message is on its way in the sink.  To load,
 * reset the machine, then device_load(): devices and timers, which drive the wires; CPUs; last the
 * distributor, which tells the CPUs what is pending for them. */
#pragma once
#include "vm/irq.h"

#include <stdbool.h>
#include <stdint.h>

struct device;
struct device_class;
struct device_env;
struct err;
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
    uint16_t epoch;                     /* resets of the machine; equal where the parts are in
                                         * several processes */
};

extern const struct device_class gicv3_dist_class;      /* region 0: GICD */
extern const struct device_class gicv3_cpu_class;       /* region 0: GICR; outputs: */
enum gicv3_cpu_output { GICV3_CPU_IRQ, GICV3_CPU_FIQ };

/* Realized, not yet reset.  `sink` and `topology` stay the caller's and outlive it.  intids_n (a
 * multiple of 32, ≤ 1020 rounded up) counts SGIs and PPIs too. */
struct device *gicv3_dist_new(unsigned intids_n, const struct gicv3_topology *topology,
                              const struct irq_sink *sink, const struct device_env *env,
                              struct err *e);
/* The wire of SPI `intid` (32 …). */
struct irq gicv3_dist_irq(struct device *d, unsigned intid);
/* A message whose `to` is IRQ_MSG_TO_DISTRIBUTOR; contents are not trusted.  Any thread. */
void gicv3_dist_message(struct device *d, const struct irq_msg *m);
/* Nothing is to be sent, and no answer is outstanding. */
bool gicv3_dist_is_quiet(struct device *d);

/* vCPU `index` of the topology.  `is_last` is GICR_TYPER.Last: of a run of adjacent frames. */
struct device *gicv3_cpu_new(unsigned index, bool is_last, const struct gicv3_topology *topology,
                             const struct irq_sink *sink, const struct device_env *env,
                             struct err *e);
/* The PE starts anew (PSCI CPU_ON): only the CPU interface gets reset values. */
void gicv3_cpu_reset_interface(struct device *d);
/* The wire of PPI `intid` (16 … 31). */
struct irq gicv3_cpu_irq(struct device *d, unsigned intid);
/* A message whose `to` is this vCPU; contents are not trusted.  Any thread. */
void gicv3_cpu_message(struct device *d, const struct irq_msg *m);
/* Nothing is to be sent. */
bool gicv3_cpu_is_quiet(struct device *d);

/* ICC_*: `enc` is op0:op1:CRn:CRm:op2 in bits 15:0.  On the vCPU's thread.  false: UNDEFINED
 * or not a register of the CPU interface. */
bool gicv3_cpu_sysreg_read(struct device *d, uint32_t enc, uint64_t *v);
bool gicv3_cpu_sysreg_write(struct device *d, uint32_t enc, uint64_t v);
