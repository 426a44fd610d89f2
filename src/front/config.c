/* SPDX-License-Identifier: Apache-2.0 */
#include "front/config.h"

#include "base/base.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "dev/devices.h"
#include "vm/device.h"

#include <stdio.h>
#include <string.h>

#define RAM_BYTES_DEFAULT (128 * MiB)
#define RAM_BYTES_MAX (UINT64_C(255) * GiB)     /* up to where high regions start */

/* A choice with one member is a property of QEMU's of which we have one value so far. */
const struct opt_row config_machine_rows[] = {
    { "type", OPT_STR, "virt", "the machine" },
    { "gic-version", OPT_ENUM, "3", "the interrupt controller", "2|3|max" },
    { "accel", OPT_STR, NULL, "engines to try, with colons between" },
    { "kernel", OPT_STR, NULL, "as -kernel" },
    { "initrd", OPT_STR, NULL, "as -initrd" },
    { "append", OPT_STR, NULL, "as -append" },
    { "dtb", OPT_STR, NULL, "as -dtb" },
    { "firmware", OPT_STR, NULL, "as -bios" },
    { "dtb-randomness", OPT_BOOL, "on", "give the kernel random seeds" },
    { "kernel-irqchip", OPT_ENUM, "off", "where the interrupt controller runs", "off" },
    { "virtualization", OPT_ENUM, "off", "EL2", "off" },
    { "secure", OPT_ENUM, "off", "EL3", "off" },
    { "mte", OPT_ENUM, "off", "memory tagging", "off" },
    { "its", OPT_ENUM, "off", "the interrupt translation service", "off" },
    { "ras", OPT_ENUM, "off", "error records", "off" },
    { "iommu", OPT_ENUM, "none", "an SMMU", "none" },
    { "acpi", OPT_ENUM, "off", "ACPI tables", "off|auto" },
    { "usb", OPT_ENUM, "off", "a USB controller", "off" },
    { "graphics", OPT_BOOL, NULL, "accepted: there is no graphics card" },
    { 0 },
};

static const struct opt_row memory_rows[] = {
    { "size", OPT_STR, "128M", "RAM: 512M, 2G; a plain number is MiB" },
    { 0 },
};

static const struct opt_row accel_rows[] = {
    { "accel", OPT_STR, NULL, "jit, interp, qtest, tcg (the same as jit)" },
    { "tb-size", OPT_U64, "64", "jit: MiB of the code cache", .min = 2, .max = 1024 },
    { "opt", OPT_ENUM, "full", "jit: tier1: no regions; none: each instruction by itself",
      "full|tier1|none" },
    { "cold-runs", OPT_U64, "2", "jit: runs of a block in the interpreter before translation" },
    { "max-regions", OPT_U64, "0", "jit: so many translations, interpret the rest; 0: no limit" },
    { "avx512", OPT_ENUM, "on", "jit: off: code as for a host without AVX-512", "on|off" },
    { "cache", OPT_STR, NULL, "jit: directory that keeps translations for the next start" },
    { "thread", OPT_ENUM, "multi", "one thread for each CPU", "multi" },
    { 0 },
};

static const struct opt_row action_rows[] = {
    { "reboot", OPT_ENUM, "reset", "when the guest reboots", "reset|shutdown" },
    { "shutdown", OPT_ENUM, "poweroff", "when the guest powers off", "poweroff|pause" },
    { 0 },
};

static const struct opt_row cluster_rows[] = {
    { "listen", OPT_STR, NULL, "HOST:PORT where the other nodes come to" },
    { "nodes", OPT_U64, "2", "the number of nodes with this one", NULL, 1, CONFIG_NODES_MAX },
    { "secret", OPT_STR, NULL, "the file with the secret that all nodes share" },
    { "cache", OPT_SIZE, NULL, "other nodes' RAM that each keeps at most (default: all it uses)" },
    { 0 },
};

static const struct opt_row local_cpu_rows[] = {
    { "cpus", OPT_U64, "1", "CPUs of this process", NULL, 1, VIRT_CPUS_MAX },
    { "start", OPT_U64, "0", "the first of them", NULL, 0, VIRT_CPUS_MAX - 1 },
    { "iplist", OPT_STR, NULL, "the nodes' addresses" },
    { "secret", OPT_STR, NULL, "the file with the secret that all nodes share" },
    { 0 },
};

static const struct opt_row rtc_rows[] = {
    { "base", OPT_ENUM, "utc", "what it starts with", "utc" },
    { "clock", OPT_ENUM, "host", "what it follows", "host" },
    { 0 },
};

static const struct opt_row display_rows[] = {
    { "type", OPT_ENUM, "none", "the display", "none" },
    { 0 },
};

static const struct opt_row name_rows[] = {
    { "guest", OPT_STR, NULL, "the machine's name" },
    { "process", OPT_STR, NULL, "accepted and not used" },
    { "debug-threads", OPT_BOOL, NULL, "accepted: threads always have names" },
    { 0 },
};

static bool check_group(const struct opts *tree, const char *path, const struct opt_row *rows,
                        const char *what, struct err *e)
{
    const struct opts *group = opts_sub(tree, path);

    return !group || opts_check(group, rows, what, e);
}

#ifdef HAVE_JIT
#define ENGINE_DEFAULT CONFIG_JIT
#else
#define ENGINE_DEFAULT CONFIG_INTERP
#endif

static bool engine_by_name(const char *name, enum config_engine *engine, struct err *e)
{
    struct nearest near;

    if (!strcmp(name, "jit") || !strcmp(name, "tcg")) {
        *engine = CONFIG_JIT;
        return ENGINE_DEFAULT == CONFIG_JIT ||
               err_set(e, "accel %s: there is no translator for this host (x86-64 hosts have one); "
                          "-accel interp interprets", name);
    }
    if (!strcmp(name, "interp")) {
        *engine = CONFIG_INTERP;
        return true;
    }
    if (!strcmp(name, "qtest")) {
        *engine = CONFIG_QTEST;
        return true;
    }
    if (!strcmp(name, "kvm") || !strcmp(name, "hvf") || !strcmp(name, "xen")) {
        return err_set(e, "accel %s is not supported yet; there are jit, interp, tcg, qtest", name);
    }
    nearest_init(&near, name);
    nearest_add(&near, "jit");
    nearest_add(&near, "interp");
    nearest_add(&near, "tcg");
    nearest_add(&near, "qtest");
    return err_set(e, "accel %s: there are jit, interp, tcg, qtest%s", name, nearest_hint(&near));
}

/* The first that we have, of -machine accel=A:B and of each -accel. */
static bool read_engine(struct config *c, const struct opts *tree, struct err *e)
{
    const struct opts *list = opts_sub(tree, "accel");
    const char *names = opts_str(tree, "machine.accel", NULL);
    char copy[256], *save = NULL;
    bool any = false;

    c->engine = ENGINE_DEFAULT;
    for (struct opts *a = list ? opts_first(list) : NULL; a; a = opts_next(a)) {
        if (!opts_check(a, accel_rows, "-accel", e)) {
            return false;
        }
        any = true;
        if (engine_by_name(opts_str(a, "accel", ""), &c->engine, e)) {
            c->accel = a;
            return true;
        }
    }
    if (any) {
        return err_prefix(e, "-accel");
    }
    if (!names) {
        return true;
    }
    snprintf(copy, sizeof copy, "%s", names);
    for (char *n = strtok_r(copy, ":", &save); n; n = strtok_r(NULL, ":", &save)) {
        if (engine_by_name(n, &c->engine, e)) {
            return true;
        }
        any = true;
    }
    return any ? err_prefix(e, "-machine") : err_set(e, "-machine accel=: want a name");
}

static bool read_machine(struct config *c, const struct opts *tree, struct err *e)
{
    const struct opts *m = opts_sub(tree, "machine");
    const char *type = opts_str(tree, "machine.type", NULL);
    unsigned gic = 1;
    bool seeds = true;

    if (!type) {
        return err_set(e, "no machine: say -M virt");
    }
    if (strcmp(type, "virt") && strncmp(type, "virt-", 5)) {
        return err_set(e, "-M %s: there is virt", type);
    }
    if (!opts_check(m, config_machine_rows, "-machine", e) ||
        !opts_enum(m, "gic-version", "2|3|max", 1, &gic, e) ||
        !opts_bool(m, "dtb-randomness", true, &seeds, e)) {
        return false;
    }
    c->board.gic_version = gic == 0 ? 2 : 3;
    c->board.no_seeds = !seeds;
    c->board.kernel = opts_str(m, "kernel", NULL);
    c->board.initrd = opts_str(m, "initrd", NULL);
    c->board.append = opts_str(m, "append", NULL);
    c->board.dtb = opts_str(m, "dtb", NULL);
    c->board.bios = opts_str(m, "firmware", NULL);
    return true;
}

static bool read_memory(struct config *c, const struct opts *tree, struct err *e)
{
    const char *size = opts_str(tree, "memory.size", "128M");

    if (!check_group(tree, "memory", memory_rows, "-m", e) ||
        !opts_parse_size("-m", size, MiB, &c->board.ram_bytes, e)) {
        return false;
    }
    c->board.ram_bytes = ALIGN_UP(c->board.ram_bytes, UINT64_C(8192));      /* as QEMU */
    if (c->board.ram_bytes < MiB || c->board.ram_bytes > RAM_BYTES_MAX) {
        return err_set(e, "-m %s: from 1M to 255G", size);
    }
    return true;
}

static bool read_cluster(struct config *c, const struct opts *tree, struct err *e)
{
    uint64_t n = 1, cpus = 0, start = 0;

    c->nodes_n = 1;
    if (!check_group(tree, "cluster", cluster_rows, "-cluster", e) ||
        !check_group(tree, "local-cpu", local_cpu_rows, "-local-cpu", e)) {
        return false;
    }
    if (opts_has(tree, "local-cpu") &&
        (opts_has(tree, "cluster.listen") || opts_has(tree, "cluster.nodes"))) {
        return err_set(e, "-local-cpu says who the nodes are; only -cluster secret=FILE fits");
    }
    if (opts_has(tree, "cluster")) {
        if (!opts_u64(tree, "cluster.nodes", 2, 1, CONFIG_NODES_MAX, &n, e)) {
            return false;
        }
        c->listen = opts_str(tree, "cluster.listen", NULL);
        c->secret_path = opts_str(tree, "cluster.secret", NULL);
        if (!opts_size(tree, "cluster.cache", 0, &c->cache_bytes, e)) {
            return false;
        }
        c->nodes_n = n;
    }
    if (opts_has(tree, "local-cpu")) {
        if (!opts_u64(tree, "local-cpu.cpus", 1, 1, VIRT_CPUS_MAX, &cpus, e) ||
            !opts_u64(tree, "local-cpu.start", 0, 0, VIRT_CPUS_MAX - 1, &start, e)) {
            return false;
        }
        if (start % cpus || start >= c->board.cpus_n) {
            return err_set(e, "-local-cpu %u,start=%u: start is a multiple of the number and "
                           "below the %u CPUs of -smp", (unsigned)cpus, (unsigned)start,
                           c->board.cpus_n);
        }
        c->iplist = opts_str(tree, "local-cpu.iplist", NULL);
        c->secret_path = opts_str(tree, "local-cpu.secret", NULL);
        if (!c->iplist && cpus < c->board.cpus_n) {
            return err_set(e, "-local-cpu: wants iplist=\"ADDRESS ADDRESS ...\"");
        }
        c->local_cpus_n = cpus;
        c->local_cpu_first = start;
        c->nodes_n = (c->board.cpus_n + cpus - 1) / cpus;
    }
    if (c->nodes_n > 1 && c->board.gic_version == 2) {
        return err_set(e, "gic-version=2: only on one host; several need gic-version=3");
    }
    if (c->nodes_n > 1 && c->engine == CONFIG_QTEST) {
        return err_set(e, "-accel qtest: a test bench is in one process");
    }
    if (c->nodes_n > c->board.cpus_n) {
        return err_set(e, "-cluster nodes=%u: more nodes than CPUs (-smp %u)", c->nodes_n,
                       c->board.cpus_n);
    }
    return true;
}

static bool read_running(struct config *c, const struct opts *tree, struct err *e)
{
    unsigned reboot = 0, shutdown = 0;

    if (!check_group(tree, "action", action_rows, "-action", e) ||
        !check_group(tree, "rtc", rtc_rows, "-rtc", e) ||
        !check_group(tree, "display", display_rows, "-display", e) ||
        !check_group(tree, "name", name_rows, "-name", e) ||
        !opts_enum(tree, "action.reboot", "reset|shutdown", 0, &reboot, e) ||
        !opts_enum(tree, "action.shutdown", "poweroff|pause", 0, &shutdown, e)) {
        return false;
    }
    if (strcmp(opts_str(tree, "audio", "none"), "none") != 0) {
        return err_set(e, "-audio %s: there is no sound card; none", opts_str(tree, "audio", ""));
    }
    if (strcmp(opts_str(tree, "vga", "none"), "none") != 0) {
        return err_set(e, "-vga %s: there is none", opts_str(tree, "vga", ""));
    }
    c->end_on_reboot = reboot == 1;
    c->pause_on_poweroff = shutdown == 1;
    c->paused = opts_has(tree, "paused");
    c->stats = opts_has(tree, "stats");
    c->name = opts_str(tree, "name.guest", NULL);
    c->pidfile = opts_str(tree, "pidfile", NULL);
    return true;
}

/* Names of virtio devices without a bus mean what the machine has: virtio-mmio. */
static bool read_devices(struct config *c, struct opts *tree, struct err *e)
{
    static const char *const short_names[] = {
        "virtio-blk", "virtio-net", "virtio-rng", "virtio-serial",
    };
    struct opts *list = opts_sub(tree, "device");

    for (struct opts *d = list ? opts_first(list) : NULL; d; d = opts_next(d)) {
        const char *driver;
        char full[64];

        if (!opts_str_required(d, "driver", &driver, e)) {
            return err_prefix(e, "-device");
        }
        for (unsigned i = 0; i < ARRAY_LEN(short_names); i++) {
            if (!strcmp(driver, short_names[i])) {
                snprintf(full, sizeof full, "%s-device", driver);
                opts_remove(d, "driver");
                if (!opts_set(d, "driver", full, e)) {
                    return false;
                }
                break;
            }
        }
        if (c->board.devices_n == VIRT_DEVICES_MAX) {
            return err_set(e, "-device: more than %u", VIRT_DEVICES_MAX);
        }
        c->board.device[c->board.devices_n++] = d;
    }
    return true;
}

static bool read_globals(struct config *c, const struct opts *tree, struct err *e)
{
    static const char *const needed[] = { "driver", "property", "value" };
    const struct opts *list = opts_sub(tree, "global");
    const char *value;

    for (struct opts *g = list ? opts_first(list) : NULL; g; g = opts_next(g)) {
        for (unsigned i = 0; i < ARRAY_LEN(needed); i++) {
            if (!opts_str_required(g, needed[i], &value, e)) {
                return err_prefix(e, "-global");
            }
        }
        const struct device_class *cls = device_class_find(opts_str(g, "driver", ""));

        if (!cls) {
            return err_set(e, "-global: there is no device '%s'", opts_str(g, "driver", ""));
        }
        if (!device_has_option(cls, opts_str(g, "property", ""))) {
            return err_set(e, "-global: device '%s' has no property '%s'",
                           opts_str(g, "driver", ""), opts_str(g, "property", ""));
        }
    }
    c->board.globals = list;
    return true;
}

static bool read_serials(struct config *c, const struct opts *tree, struct err *e)
{
    const struct opts *list = opts_sub(tree, "serial");
    unsigned n = 0;

    for (struct opts *s = list ? opts_first(list) : NULL; s; s = opts_next(s), n++) {
        const char *id = opts_value(s);

        if (!id || !strcmp(id, "none")) {
            continue;
        }
        if (n >= VIRT_SERIALS_MAX) {
            return err_set(e, "-serial: the machine has %u serial port", VIRT_SERIALS_MAX);
        }
        c->board.serial[n] = id;
    }
    return true;
}

bool config_read(struct config *c, struct opts *tree, struct err *e)
{
    memset(c, 0, sizeof *c);
    virt_config_init(&c->board);
    c->cpu = opts_sub(tree, "cpu");
    return read_machine(c, tree, e) && read_engine(c, tree, e) && read_memory(c, tree, e) &&
           config_read_smp(c, tree, e) && read_cluster(c, tree, e) &&
           config_read_numa(c, tree, e) && read_running(c, tree, e) &&
           read_devices(c, tree, e) && read_globals(c, tree, e) &&
           read_serials(c, tree, e);
}
