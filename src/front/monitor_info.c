/* SPDX-License-Identifier: Apache-2.0 */
/* `info WHAT` of the monitor. */
#include "base/base.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "front/backends.h"
#include "front/config.h"
#include "front/machine.h"
#include "front/monitor_command.h"
#include "front/version.h"
#include "mem/space.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void info_status(struct monitor_call *c)
{
    strbuf_add(c->out, "VM status: %s\n", machine_is_running(c->machine) ? "running" : "paused");
}

static void info_version(struct monitor_call *c)
{
    strbuf_add(c->out, "%s\n", PANDO_VERSION);
}

static void info_name(struct monitor_call *c)
{
    const char *name = machine_config(c->machine)->name;

    strbuf_add(c->out, "%s\n", name ? name : "");
}

static void info_cpus(struct monitor_call *c)
{
    static const char *const power[] = { "off", "on", "starting" };
    struct vm *vm = machine_vm(c->machine);

    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        struct vcpu *v = &vm->vcpu[i];

        strbuf_add(c->out, "%c CPU #%u: %s\n", i ? ' ' : '*', i, power[v->ops->power(v)]);
    }
}

/* Registers stand still only while the machine is paused. */
static void info_registers(struct monitor_call *c)
{
    struct vm *vm = machine_vm(c->machine);
    bool was_running = machine_is_running(c->machine);
    bool all = c->args_n > 1 && !strcmp(c->args[1], "-a");
    unsigned first = c->args_n > 1 && !all ? strtoul(c->args[1], NULL, 0) : 0;
    char text[8192];

    if (first >= vm->vcpus_n) {
        strbuf_add(c->out, "Error: there are %u CPUs\n", vm->vcpus_n);
        return;
    }
    if (was_running) {
        machine_pause(c->machine);
    }
    for (unsigned i = first; i < (all ? vm->vcpus_n : first + 1); i++) {
        struct vcpu *v = &vm->vcpu[i];

        v->ops->print_state(v, text, sizeof text);
        strbuf_add(c->out, "CPU#%u\n%s\n", i, text);
    }
    if (was_running) {
        machine_continue(c->machine);
    }
}

static void info_mtree(struct monitor_call *c)
{
    struct mem_space *mem = machine_vm(c->machine)->mem;
    uint64_t gpa, size;
    const char *name;

    strbuf_add(c->out, "RAM\n");
    for (unsigned i = 0; mem_space_ram_block(mem, i, &gpa, &size); i++) {
        strbuf_add(c->out, "  %016" PRIx64 "-%016" PRIx64 "\n", gpa, gpa + size - 1);
    }
    strbuf_add(c->out, "MMIO\n");
    for (unsigned i = 0; mem_space_mmio_region(mem, i, &gpa, &size, &name); i++) {
        strbuf_add(c->out, "  %016" PRIx64 "-%016" PRIx64 " %s\n", gpa, gpa + size - 1, name);
    }
}

static void info_qtree(struct monitor_call *c)
{
    const struct config *config = machine_config(c->machine);

    for (unsigned i = 0; i < config->board.devices_n; i++) {
        const struct opts *d = config->board.device[i];

        strbuf_add(c->out, "dev: %s, id \"%s\"\n", opts_str(d, "driver", ""),
                   opts_str(d, "id", ""));
        for (struct opts *o = opts_first(d); o; o = opts_next(o)) {
            if (opts_value(o) && strcmp(opts_key(o), "driver") && strcmp(opts_key(o), "id")) {
                strbuf_add(c->out, "  %s = \"%s\"\n", opts_key(o), opts_value(o));
            }
        }
    }
}

static void info_numa(struct monitor_call *c)
{
    const struct virt_config *b = &machine_config(c->machine)->board;

    strbuf_add(c->out, "%u nodes\n", b->numa_n);
    for (unsigned n = 0; n < b->numa_n; n++) {
        strbuf_add(c->out, "node %u cpus:", n);
        for (unsigned i = 0; i < b->cpus_n; i++) {
            if (b->cpu_numa[i] == n) {
                strbuf_add(c->out, " %u", i);
            }
        }
        strbuf_add(c->out, "\nnode %u size: %" PRIu64 " MB\n", n,
                   (uint64_t)(b->numa_ram_bytes[n] / MiB));
    }
}

static void info_chardev(struct monitor_call *c)
{
    backends_info_chr(machine_backends(c->machine), c->out);
}

static void info_block(struct monitor_call *c)
{
    backends_info_blk(machine_backends(c->machine), c->out);
}

static void info_network(struct monitor_call *c)
{
    backends_info_net(machine_backends(c->machine), c->out);
}

static void info_jit(struct monitor_call *c)
{
    machine_info_engine(c->machine, c->out);
}

static void info_cluster(struct monitor_call *c)
{
    machine_info_cluster(c->machine, c->out);
}

static void info_history(struct monitor_call *c)
{
    for (unsigned i = 0; i < c->history_n; i++) {
        strbuf_add(c->out, "%u: '%s'\n", i, c->history[i]);
    }
}

static const struct monitor_command infos[] = {
    { "block", NULL, "", "disk images", info_block },
    { "chardev", NULL, "", "character back ends", info_chardev },
    { "cluster", NULL, "", "the nodes, their faults and the hottest pages", info_cluster },
    { "cpus", NULL, "", "CPUs and their power states", info_cpus },
    { "history", NULL, "", "the commands typed so far", info_history },
    { "jit", NULL, "", "the engine's figures", info_jit },
    { "mtree", NULL, "", "the guest-physical address space", info_mtree },
    { "name", NULL, "", "the machine's name", info_name },
    { "network", "usernet", "", "network back ends and their connections", info_network },
    { "numa", NULL, "", "NUMA nodes", info_numa },
    { "qtree", NULL, "", "devices that were added", info_qtree },
    { "registers", NULL, "[-a|CPU]", "registers of one CPU or of all", info_registers },
    { "status", NULL, "", "running or paused", info_status },
    { "version", NULL, "", "the version of Pando", info_version },
};

void monitor_info(struct monitor_call *c)
{
    struct nearest near;

    if (!c->args_n) {
        for (unsigned i = 0; i < ARRAY_LEN(infos); i++) {
            strbuf_add(c->out, "info %s %s -- %s\n", infos[i].name, infos[i].args,
                       infos[i].help);
        }
        return;
    }
    nearest_init(&near, c->args[0]);
    for (unsigned i = 0; i < ARRAY_LEN(infos); i++) {
        if (!strcmp(infos[i].name, c->args[0]) ||
            (infos[i].alias && !strcmp(infos[i].alias, c->args[0]))) {
            infos[i].fn(c);
            return;
        }
        nearest_add(&near, infos[i].name);
    }
    strbuf_add(c->out, "unknown: info %s%s\n", c->args[0], nearest_hint(&near));
}
