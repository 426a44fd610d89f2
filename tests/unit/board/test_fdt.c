/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree against QEMU's, node by node and property by property, for several machines.
 * Without QEMU (Debian: qemu-system-arm) the test is skipped. */
#include "base/base.h"
#include "base/err.h"
#include "board/virt/fdt.h"
#include "board/virt/virt.h"

#include "../check.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIPPED 77
#define PATH_LEN_MAX 256

/* What we do not have, and why. */
static const char *const absent_nodes[] = {
    "/pcie@10000000",                   /* no PCI yet */
    "/intc@8000000/its@8080000",        /* no LPIs yet */
    "/intc@8000000/v2m@8020000",        /* of use to PCI only */
    NULL,
};
/* Random, or the size of another number. */
static const char *const other_properties[] = { "rng-seed", "kaslr-seed", "phandle", NULL };
/* Cells that are phandles, among others. */
static const char *const phandle_properties[] = {
    "interrupt-parent", "clocks", "gpios", "cpu", NULL,
};

static bool is_in(const char *const *list, const char *name)
{
    for (; *list; list++) {
        if (!strcmp(*list, name)) {
            return true;
        }
    }
    return false;
}

static const char *machine;

/* Do both values name the same nodes, and are they equal elsewhere? */
static bool equal_phandles(const void *a, const fdt32_t *av, const void *b, const fdt32_t *bv,
                           int n_bytes)
{
    char pa[PATH_LEN_MAX], pb[PATH_LEN_MAX];

    for (int i = 0; i < n_bytes / 4; i++) {
        uint32_t x = fdt32_to_cpu(av[i]), y = fdt32_to_cpu(bv[i]);
        int na = fdt_node_offset_by_phandle(a, x), nb = fdt_node_offset_by_phandle(b, y);
        if (na < 0 || nb < 0) {
            if (x != y) {
                return false;
            }
        } else if (fdt_get_path(a, na, pa, sizeof(pa)) || fdt_get_path(b, nb, pb, sizeof(pb)) ||
                   strcmp(pa, pb)) {
            return false;
        }
    }
    return true;
}

static uint64_t number(const void *v, int n_bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < n_bytes; i++) {
        x = x << 8 | ((const uint8_t *)v)[i];
    }
    return x;
}

static void compare_property(const void *a, int na, const void *b, int nb, const char *path,
                             const char *name)
{
    int len_a, len_b;
    const void *va = fdt_getprop(a, na, name, &len_a), *vb = fdt_getprop(b, nb, name, &len_b);

    CHECK(vb, "%s: %s lacks %s", machine, path, name);
    if (!vb || is_in(other_properties, name)) {
        return;
    }
    if (!strncmp(name, "linux,initrd", 12)) {       /* one or two cells */
        CHECK(number(va, len_a) == number(vb, len_b), "%s: %s %s", machine, path, name);
        return;
    }
    bool equal = len_a == len_b && (is_in(phandle_properties, name) ?
                                    equal_phandles(a, va, b, vb, len_a) :
                                    !memcmp(va, vb, len_a));
    CHECK(equal, "%s: %s: %s differs (%d, %d bytes)", machine, path, name, len_a, len_b);
}

/* Everything in `a` is in `b`, but for the known exceptions. */
static void compare(const void *a, int na, const void *b, unsigned *nodes_n)
{
    char path[PATH_LEN_MAX];
    int p, child;

    CHECK(!fdt_get_path(a, na, path, sizeof(path)));
    if (is_in(absent_nodes, path)) {
        return;
    }
    int nb = fdt_path_offset(b, path);
    CHECK(nb >= 0, "%s: no %s", machine, path);
    if (nb < 0) {
        return;
    }
    ++*nodes_n;
    fdt_for_each_property_offset(p, a, na) {
        const char *name;
        fdt_getprop_by_offset(a, p, &name, NULL);
        if (strcmp(name, "phandle")) {      /* who uses a number is compared by path */
            compare_property(a, na, b, nb, path, name);
        }
    }
    fdt_for_each_subnode(child, a, na) {
        compare(a, child, b, nodes_n);
    }
}

static void *read_blob(const char *path)
{
    struct err e;
    void *fdt = virt_fdt_load(path, &e);
    CHECK(fdt, "%s", fdt ? "" : e.text);
    return fdt;
}

static void against_qemu(const char *args, const struct virt_config *c)
{
    char command[1024], path[] = "/tmp/pando-fdt-XXXXXX";
    struct err e;
    unsigned theirs_n = 0, ours_n = 0;
    int fd = mkstemp(path);
    unsigned devices = VIRT_FDT_UART | VIRT_FDT_RTC | VIRT_FDT_GPIO | VIRT_FDT_VIRTIO |
                       VIRT_FDT_FW_CFG | VIRT_FDT_FLASH;

    close(fd);
    machine = args;
    snprintf(command, sizeof(command), "qemu-system-aarch64 -display none -nic none -M virt,"
             "dumpdtb=%s %s >/dev/null 2>&1", path, args);
    CHECK(!system(command), "%s", command);
    void *theirs = read_blob(path), *ours = virt_fdt_make(c, devices, NULL, &e);
    struct virt_fdt_chosen chosen = { .bootargs = c->append };
    CHECK(ours && virt_fdt_fix(ours, c, &chosen, &e) && virt_fdt_seed(ours, &e));
    if (theirs && ours) {
        virt_fdt_pack(ours);
        CHECK(!fdt_check_full(ours, fdt_totalsize(ours)));
        compare(theirs, 0, ours, &theirs_n);
        compare(ours, 0, theirs, &ours_n);
        CHECK(theirs_n == ours_n && ours_n > 40, "%u, %u nodes", theirs_n, ours_n);
    }
    free(theirs);
    free(ours);
    unlink(path);
}

static struct virt_config config(unsigned gic, const char *cpu, unsigned sockets,
                                 unsigned clusters, unsigned cores, unsigned threads)
{
    struct virt_config c;
    virt_config_init(&c);
    c.gic_version = gic;
    c.cpu_compatible = cpu;
    c.sockets_n = sockets;
    c.clusters_n = clusters;
    c.cores_n = cores;
    c.threads_n = threads;
    c.cpus_n = sockets * clusters * cores * threads;
    c.ram_bytes = GiB;
    return c;
}

int main(void)
{
    if (system("qemu-system-aarch64 --version >/dev/null 2>&1")) {
        return SKIPPED;
    }
    struct virt_config c = config(3, "arm,cortex-a57", 1, 1, 1, 1);
    against_qemu("-M gic-version=3 -cpu cortex-a57 -m 1G", &c);

    c = config(2, "arm,cortex-a72", 1, 1, 4, 1);
    against_qemu("-M gic-version=2 -cpu cortex-a72 -m 1G -smp 4", &c);

    c = config(3, "arm,cortex-a53", 2, 3, 2, 2);
    c.ram_bytes = 4 * GiB;
    against_qemu("-M gic-version=3 -cpu cortex-a53 -m 4G "
                 "-smp 24,sockets=2,clusters=3,cores=2,threads=2", &c);

    c = config(3, "arm,cortex-a57", 1, 1, 130, 1);
    against_qemu("-M gic-version=3 -cpu cortex-a57 -m 1G -smp 130", &c);

    c = config(3, "arm,cortex-a57", 1, 1, 4, 1);
    c.numa_n = 2;
    c.numa_ram_bytes[0] = 256 * MiB;
    c.numa_ram_bytes[1] = 768 * MiB;
    c.cpu_numa[2] = c.cpu_numa[3] = 1;
    against_qemu("-M gic-version=3 -cpu cortex-a57 -m 1G -smp 4 "
                 "-object memory-backend-ram,id=a,size=256M "
                 "-object memory-backend-ram,id=b,size=768M "
                 "-numa node,cpus=0-1,memdev=a -numa node,cpus=2-3,memdev=b", &c);

    c.has_distances = true;
    c.distance[0][0] = c.distance[1][1] = 10;
    c.distance[0][1] = c.distance[1][0] = 30;
    against_qemu("-M gic-version=3 -cpu cortex-a57 -m 1G -smp 4 "
                 "-object memory-backend-ram,id=a,size=256M "
                 "-object memory-backend-ram,id=b,size=768M "
                 "-numa node,cpus=0-1,memdev=a -numa node,cpus=2-3,memdev=b "
                 "-numa dist,src=0,dst=1,val=30", &c);
    return check_result();
}
