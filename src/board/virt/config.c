/* SPDX-License-Identifier: Apache-2.0 */
/* struct virt_config: defaults, checks, and what follows from it alone. */
#include "base/err.h"
#include "board/virt/memmap.h"
#include "board/virt/virt_priv.h"
#include "dev/intc/gicv3.h"

#include <inttypes.h>
#include <string.h>

#define GICV2_CPUS_PER_CLUSTER 8
#define GICV3_CPUS_PER_CLUSTER 16
/* The largest RAM of which the end is below 1 << 48. */
#define RAM_BYTES_MAX ((UINT64_C(1) << 48) - VIRT_RAM_BASE)

void virt_config_init(struct virt_config *c)
{
    memset(c, 0, sizeof(*c));
    c->cpus_n = 1;
    c->sockets_n = c->clusters_n = c->cores_n = c->threads_n = 1;
    c->cpu_compatible = "arm,cortex-a57";
    c->cpu_has_pmu = true;
    c->gic_version = 3;
    c->ram_bytes = UINT64_C(128) << 20;
}

static bool check_cpus(const struct virt_config *c, struct err *e)
{
    unsigned max = c->gic_version == 2 ? VIRT_GICV2_CPUS_MAX : VIRT_CPUS_MAX;
    uint64_t product = (uint64_t)c->sockets_n * c->clusters_n * c->cores_n * c->threads_n;

    if (c->gic_version != 2 && c->gic_version != 3) {
        return err_set(e, "gic-version %u does not exist here: 2 or 3", c->gic_version);
    }
    if (c->cpus_n < 1 || c->cpus_n > max) {
        return err_set(e, "%u CPUs: a virt machine with GICv%u has 1 to %u", c->cpus_n,
                       c->gic_version, max);
    }
    if (product != c->cpus_n) {
        return err_set(e, "%u sockets of %u clusters of %u cores of %u threads are %" PRIu64
                       " CPUs, not %u", c->sockets_n, c->clusters_n, c->cores_n, c->threads_n,
                       product, c->cpus_n);
    }
    return true;
}

static bool check_numa(const struct virt_config *c, struct err *e)
{
    uint64_t sum = 0;

    if (c->numa_n > VIRT_NUMA_MAX) {
        return err_set(e, "%u NUMA nodes are too many: at most %d", c->numa_n, VIRT_NUMA_MAX);
    }
    for (unsigned i = 0; i < c->numa_n; i++) {
        if (c->numa_ram_bytes[i] % 4096 || c->numa_ram_bytes[i] > c->ram_bytes - sum) {
            return err_set(e, "NUMA node %u: %" PRIu64 " bytes of RAM are not a multiple of "
                           "4 KiB within the machine's %" PRIu64, i, c->numa_ram_bytes[i],
                           c->ram_bytes);
        }
        sum += c->numa_ram_bytes[i];
        for (unsigned j = 0; c->has_distances && j < c->numa_n; j++) {
            unsigned d = c->distance[i][j];
            if (i == j ? d != 10 : d <= 10) {
                return err_set(e, "NUMA distance from %u to %u is %u: must be %s", i, j, d,
                               i == j ? "10" : "11 to 255");
            }
        }
    }
    if (c->numa_n && sum != c->ram_bytes) {
        return err_set(e, "the NUMA nodes have %" PRIu64 " bytes of RAM, the machine %" PRIu64,
                       sum, c->ram_bytes);
    }
    for (unsigned i = 0; c->numa_n && i < c->cpus_n; i++) {
        if (c->cpu_numa[i] >= c->numa_n) {
            return err_set(e, "CPU %u is on NUMA node %u of %u", i, c->cpu_numa[i], c->numa_n);
        }
    }
    return true;
}

bool virt_config_check(const struct virt_config *c, struct err *e)
{
    if (!check_cpus(c, e)) {
        return false;
    }
    if (c->ram_bytes < 4096 || c->ram_bytes % 4096 || c->ram_bytes > RAM_BYTES_MAX) {
        return err_set(e, "%" PRIu64 " bytes of RAM: must be a multiple of 4 KiB, up to %" PRIu64,
                       c->ram_bytes, RAM_BYTES_MAX);
    }
    if (c->initrd && !c->kernel) {
        return err_set(e, "-initrd needs -kernel");
    }
    if (c->bios && c->pflash[0]) {
        return err_set(e, "firmware both by -bios and in a flash drive: only one is possible");
    }
    if (c->devices_n > VIRT_DEVICES_MAX) {
        return err_set(e, "%u devices are too many: at most %d", c->devices_n, VIRT_DEVICES_MAX);
    }
    return check_numa(c, e);
}

uint64_t virt_config_numa_base(const struct virt_config *c, unsigned n)
{
    uint64_t base = VIRT_RAM_BASE;
    for (unsigned i = 0; i < n && i < c->numa_n; i++) {
        base += c->numa_ram_bytes[i];
    }
    return base;
}

uint64_t virt_config_mpidr(const struct virt_config *c, unsigned vcpu)
{
    /* Aff0 is what one SGI register can list; the other fields count up. */
    unsigned per = c->gic_version == 2 ? GICV2_CPUS_PER_CLUSTER : GICV3_CPUS_PER_CLUSTER;
    return vcpu % per | (uint64_t)(vcpu / per) << 8;
}

uint64_t virt_config_high_gicr(const struct virt_config *c)
{
    uint64_t ram_end = VIRT_RAM_BASE + c->ram_bytes;
    uint64_t base = ram_end > VIRT_HIGH_BASE ? ram_end : VIRT_HIGH_BASE;
    return (base + VIRT_HIGH_GICR_BYTES - 1) & ~(VIRT_HIGH_GICR_BYTES - 1);
}

uint64_t virt_config_redist_base(const struct virt_config *c, unsigned vcpu)
{
    unsigned low_n = VIRT_GICR_BYTES / GICV3_REDIST_BYTES;
    if (vcpu < low_n) {
        return VIRT_GICR_BASE + (uint64_t)vcpu * GICV3_REDIST_BYTES;
    }
    return virt_config_high_gicr(c) + (uint64_t)(vcpu - low_n) * GICV3_REDIST_BYTES;
}
