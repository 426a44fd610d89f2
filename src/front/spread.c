/* SPDX-License-Identifier: Apache-2.0 */
#include "front/spread.h"

#include "base/base.h"
#include "base/err.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "board/virt/virt.h"
#include "cluster/member.h"
#include "cluster/placement.h"
#include "front/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What `total` leaves for nodes that offered nothing, in `share`; offers are taken as they are. */
static bool divide(uint64_t *share, unsigned n, uint64_t total, uint64_t unit, const char *what,
                   struct err *e)
{
    uint64_t given = 0, left, each;
    unsigned open_n = 0;

    for (unsigned i = 0; i < n; i++) {
        given += share[i];
        open_n += !share[i];
    }
    if (given > total || (total - given) / unit < open_n || (!open_n && given != total)) {
        return err_set(e, "the nodes offer %" PRIu64 " %s, the machine has %" PRIu64,
                       given / unit, what, total / unit);
    }
    left = total - given;
    for (unsigned i = 0; i < n; i++) {
        if (!share[i]) {
            each = ALIGN_UP((left + open_n - 1) / open_n, unit);
            share[i] = MIN(each, left);
            left -= share[i];
            open_n--;
        }
    }
    return true;
}

bool spread_offers(struct config *config, struct opts *tree, const struct member *member,
                   struct err *e)
{
    uint64_t cpus[CONFIG_NODES_MAX] = { 0 }, ram[CONFIG_NODES_MAX] = { 0 };
    unsigned n = config->nodes_n, first = 0;
    char path[32];

    if (opts_has(tree, "numa")) {
        return true;
    }
    for (unsigned i = 1; i < n; i++) {
        cpus[i] = member_offer(member, i)->cpus;
        ram[i] = ALIGN_DOWN(member_offer(member, i)->memory_bytes, MiB);
    }
    if (!divide(cpus, n, config->board.cpus_n, 1, "CPUs", e) ||
        !divide(ram, n, config->board.ram_bytes, MiB, "MiB of RAM", e)) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        struct opts *o;

        snprintf(path, sizeof path, "numa.%u", i);
        o = opts_sub_make(tree, path, e);
        if (!o || !opts_set(o, "type", "node", e) ||
            !opts_setf(o, e, "cpus", "%u-%u", first, first + (unsigned)cpus[i] - 1) ||
            !opts_setf(o, e, "mem", "%" PRIu64 "B", ram[i])) {
            return false;
        }
        first += cpus[i];
    }
    return config_read_numa(config, tree, e);
}

/* Hosts get NUMA nodes in order, as many as fit evenly. */
static unsigned host_of_numa(const struct config *c, unsigned numa)
{
    return numa * c->nodes_n / c->board.numa_n;
}

bool spread_place(struct placement *p, const struct config *c, struct err *e)
{
    memset(p, 0, sizeof *p);
    p->nodes = c->nodes_n;
    p->vcpus_n = c->board.cpus_n;
    if (c->board.numa_n < c->nodes_n) {
        return err_set(e, "-numa: %u nodes are too few for %u hosts: at least one for each",
                       c->board.numa_n, c->nodes_n);
    }
    for (unsigned i = 0; i < p->vcpus_n; i++) {
        p->vcpu_node[i] = c->local_cpus_n ? i / c->local_cpus_n
                                          : host_of_numa(c, c->board.cpu_numa[i]);
    }
    for (unsigned i = 0; i < c->board.numa_n; i++) {
        if (c->board.numa_ram_bytes[i] &&
            !placement_add_ram(p, virt_config_numa_base(&c->board, i),
                               c->board.numa_ram_bytes[i], host_of_numa(c, i))) {
            return err_set(e, "-numa: node %u: its RAM cannot be placed", i);
        }
    }
    return true;
}

/* What a node keeps to itself. */
static const char *const local_keys[] = {
    "chardev", "drive", "netdev", "mon", "log", "trace", "pidfile", "paused", "stats",
    "cluster.listen", "cluster.secret", "local-cpu.start", "local-cpu.secret",
};

static bool is_one_line(const struct opts *o)
{
    for (struct opts *m = opts_first(o); m; m = opts_next(m)) {
        if ((opts_value(m) && strchr(opts_value(m), '\n')) || !is_one_line(m)) {
            return false;
        }
    }
    return true;
}

bool spread_write(const struct opts *tree, struct strbuf *out, struct err *e)
{
    struct opts *copy = opts_create();
    bool ok;

    opts_merge(copy, tree);
    for (unsigned i = 0; i < ARRAY_LEN(local_keys); i++) {
        opts_remove(copy, local_keys[i]);
    }
    ok = is_one_line(copy) || err_set(e, "a value with a newline cannot be sent to other nodes");
    opts_dump(copy, out);
    opts_destroy(copy);
    return ok;
}

bool spread_read(struct opts *tree, const char *text, struct err *e)
{
    char *copy = strdup(text), *save = NULL;
    bool ok = true;

    for (char *line = strtok_r(copy, "\n", &save); ok && line;
         line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, '=');

        if (!value) {
            ok = opts_sub_make(tree, line, e) != NULL;
        } else {
            *value = 0;
            ok = opts_set(tree, line, value + 1, e);
        }
    }
    free(copy);
    return ok || err_prefix(e, "the root's description of the machine");
}
