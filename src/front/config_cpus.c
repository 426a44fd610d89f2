/* SPDX-License-Identifier: Apache-2.0 */
/* -smp and -numa: how CPUs and RAM are grouped. */
#include "base/base.h"
#include "base/err.h"
#include "base/opts.h"
#include "front/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SMP_ROW(key, what) { key, OPT_U64, NULL, what, NULL, 1, VIRT_CPUS_MAX }
static const struct opt_row smp_rows[] = {
    SMP_ROW("cpus", "CPUs"),
    SMP_ROW("maxcpus", "CPUs with those that could be plugged in"),
    SMP_ROW("sockets", "sockets"),
    SMP_ROW("clusters", "clusters in a socket"),
    SMP_ROW("cores", "cores in a cluster"),
    SMP_ROW("threads", "threads of a core"),
    { 0 },
};

static unsigned smp_get(const struct opts *smp, const char *key)
{
    uint64_t v = 0;

    if (smp) {
        opts_u64(smp, key, 0, 0, VIRT_CPUS_MAX, &v, NULL);
    }
    return v;
}

/* The rules of QEMU's -smp since 6.2: what is not given is computed, cores before sockets. */
bool config_read_smp(struct config *c, const struct opts *tree, struct err *e)
{
    const struct opts *smp = opts_sub(tree, "smp");
    unsigned cpus, max, sockets, clusters, cores, threads, product;

    if (smp && !opts_check(smp, smp_rows, "-smp", e)) {
        return false;
    }
    cpus = smp_get(smp, "cpus");
    max = smp_get(smp, "maxcpus");
    sockets = smp_get(smp, "sockets");
    clusters = MAX(smp_get(smp, "clusters"), 1u);
    cores = smp_get(smp, "cores");
    threads = smp_get(smp, "threads");
    max = max ? max : cpus;
    if (!max) {
        sockets = MAX(sockets, 1u);
        cores = MAX(cores, 1u);
        threads = MAX(threads, 1u);
    } else if (!cores) {
        sockets = MAX(sockets, 1u);
        threads = MAX(threads, 1u);
        cores = max / (sockets * clusters * threads);
    } else if (!sockets) {
        threads = MAX(threads, 1u);
        sockets = max / (clusters * cores * threads);
    } else if (!threads) {
        threads = max / (sockets * clusters * cores);
    }
    product = sockets * clusters * cores * threads;
    max = max ? max : product;
    cpus = cpus ? cpus : max;
    if (product != max) {
        return err_set(e, "-smp: sockets (%u) * clusters (%u) * cores (%u) * threads (%u) is not "
                       "the number of CPUs (%u)", sockets, clusters, cores, threads, max);
    }
    if (cpus != max) {
        return err_set(e, "-smp: cpus=%u and maxcpus=%u differ: CPUs cannot be plugged in yet",
                       cpus, max);
    }
    if (cpus > VIRT_CPUS_MAX) {
        return err_set(e, "-smp: %u CPUs; at most %u", cpus, VIRT_CPUS_MAX);
    }
    c->board.cpus_n = cpus;
    c->board.sockets_n = sockets;
    c->board.clusters_n = clusters;
    c->board.cores_n = cores;
    c->board.threads_n = threads;
    c->board.has_clusters = smp && opts_has(smp, "clusters");
    return true;
}

static const struct opt_row numa_node_rows[] = {
    { "type", OPT_STR, NULL, "node or dist" },
    { "nodeid", OPT_U64, NULL, "its number; by default the next one", NULL, 0,
      VIRT_NUMA_MAX - 1 },
    { "cpus", OPT_STR, NULL, "its CPUs: N or FIRST-LAST; may be given several times" },
    { "mem", OPT_STR, NULL, "its RAM: a size; a plain number is MiB" },
    { "memdev", OPT_STR, NULL, "its RAM: the id of a memory-backend object" },
    { 0 },
};

static const struct opt_row numa_dist_rows[] = {
    { "type", OPT_STR, NULL, "dist" },
    { "src", OPT_U64, NULL, "from this node", NULL, 0, VIRT_NUMA_MAX - 1 },
    { "dst", OPT_U64, NULL, "to this node", NULL, 0, VIRT_NUMA_MAX - 1 },
    { "val", OPT_U64, NULL, "distance; 10 is local", NULL, 10, 255 },
    { 0 },
};

static const struct opt_row backend_rows[] = {
    { "qom-type", OPT_STR, NULL, "memory-backend-ram or memory-backend-memfd" },
    { "id", OPT_STR, NULL, "its name" },
    { "size", OPT_SIZE, NULL, "bytes" },
    { "share", OPT_BOOL, NULL, "accepted: RAM is private to this process either way" },
    { "prealloc", OPT_ENUM, NULL, "off", "off" },
    { 0 },
};

/* The size of the memory-backend object `id`. */
static bool memory_backend_size(const struct opts *tree, const char *id, uint64_t *bytes,
                                struct err *e)
{
    const struct opts *objects = opts_sub(tree, "object");

    for (struct opts *o = objects ? opts_first(objects) : NULL; o; o = opts_next(o)) {
        const char *type = opts_str(o, "qom-type", "");

        if (strcmp(opts_str(o, "id", ""), id) != 0) {
            continue;
        }
        if (strcmp(type, "memory-backend-ram") && strcmp(type, "memory-backend-memfd")) {
            return err_set(e, "memdev=%s: it is a %s, not a memory backend", id, type);
        }
        return opts_check(o, backend_rows, "-object", e) && opts_size(o, "size", 0, bytes, e);
    }
    return err_set(e, "memdev=%s: there is no -object with this id", id);
}

/* What the -numa options said, before it is completed. */
struct numa_plan {
    bool exists[VIRT_NUMA_MAX], has_mem[VIRT_NUMA_MAX];
    bool cpu_given[VIRT_CPUS_MAX];
    unsigned next, mem_n, cpus_given_n;
};

static bool numa_cpus(struct config *c, struct numa_plan *p, unsigned node, const char *text,
                      struct err *e)
{
    unsigned first, last;
    char rest;
    int n = sscanf(text, "%u-%u%c", &first, &last, &rest);

    if (n == 1) {
        char one;
        n = sscanf(text, "%u%c", &first, &one) == 1 ? 2 : 0;
        last = first;
    }
    if (n != 2 || first > last) {
        return err_set(e, "cpus=%s: want N or FIRST-LAST", text);
    }
    if (last >= c->board.cpus_n) {
        return err_set(e, "cpus=%s: there are %u CPUs, from 0 on", text, c->board.cpus_n);
    }
    for (unsigned i = first; i <= last; i++) {
        if (p->cpu_given[i]) {
            return err_set(e, "cpus=%s: CPU %u belongs to node %u already", text, i,
                           c->board.cpu_numa[i]);
        }
        p->cpu_given[i] = true;
        p->cpus_given_n++;
        c->board.cpu_numa[i] = node;
    }
    return true;
}

static bool numa_node(struct config *c, struct numa_plan *p, const struct opts *tree,
                      const struct opts *o, struct err *e)
{
    const char *text;
    uint64_t node;

    if (!opts_check(o, numa_node_rows, "-numa node", e) ||
        !opts_u64(o, "nodeid", p->next, 0, VIRT_NUMA_MAX - 1, &node, e)) {
        return false;
    }
    if (p->exists[node]) {
        return err_set(e, "-numa: node %u is there twice", (unsigned)node);
    }
    p->exists[node] = true;
    p->next = MAX(p->next, (unsigned)node + 1);
    for (unsigned i = 0; (text = opts_value_at(o, "cpus", i)); i++) {
        if (!numa_cpus(c, p, node, text, e)) {
            return err_prefix(e, "-numa node %u", (unsigned)node);
        }
    }
    if (opts_has(o, "mem") && opts_has(o, "memdev")) {
        return err_set(e, "-numa node %u: mem= and memdev= together", (unsigned)node);
    }
    if ((text = opts_str(o, "mem", NULL))) {
        if (!opts_parse_size("-numa mem", text, MiB, &c->board.numa_ram_bytes[node], e)) {
            return false;
        }
    } else if ((text = opts_str(o, "memdev", NULL))) {
        if (!memory_backend_size(tree, text, &c->board.numa_ram_bytes[node], e)) {
            return err_prefix(e, "-numa node %u", (unsigned)node);
        }
    } else {
        return true;
    }
    p->has_mem[node] = true;
    p->mem_n++;
    return true;
}

static bool numa_dist(struct config *c, const struct opts *o, struct err *e)
{
    uint64_t src, dst, val;

    if (!opts_check(o, numa_dist_rows, "-numa dist", e) ||
        !opts_u64(o, "src", VIRT_NUMA_MAX, 0, VIRT_NUMA_MAX, &src, e) ||
        !opts_u64(o, "dst", VIRT_NUMA_MAX, 0, VIRT_NUMA_MAX, &dst, e) ||
        !opts_u64(o, "val", 0, 0, 255, &val, e)) {
        return false;
    }
    if (src >= c->board.numa_n || dst >= c->board.numa_n || !val) {
        return err_set(e, "-numa dist: wants src= and dst= of %u nodes, and val=",
                       c->board.numa_n);
    }
    if ((src == dst) != (val == 10)) {
        return err_set(e, "-numa dist: src=%u dst=%u val=%u: 10 is the distance to itself",
                       (unsigned)src, (unsigned)dst, (unsigned)val);
    }
    if (!c->board.has_distances) {
        for (unsigned i = 0; i < c->board.numa_n; i++) {
            for (unsigned j = 0; j < c->board.numa_n; j++) {
                c->board.distance[i][j] = i == j ? 10 : 0;
            }
        }
    }
    c->board.has_distances = true;
    c->board.distance[src][dst] = val;
    return true;
}

/* Distances that are not given are those of the other direction; without either they are 20. */
static void numa_dist_complete(struct config *c)
{
    for (unsigned i = 0; i < c->board.numa_n; i++) {
        for (unsigned j = 0; j < i; j++) {
            uint8_t *a = &c->board.distance[i][j], *b = &c->board.distance[j][i];

            *a = *a ? *a : *b ? *b : 20;
            *b = *b ? *b : *a;
        }
    }
}

/* Gives out what was not said: equal shares of RAM in whole MiB, and of CPUs in order. */
static bool numa_complete(struct config *c, struct numa_plan *p, struct err *e)
{
    unsigned n = c->board.numa_n;
    uint64_t sum = 0;

    if (p->mem_n == 0) {
        uint64_t share = ALIGN_DOWN(c->board.ram_bytes / n, MiB);

        if (!share) {
            return err_set(e, "-m: %" PRIu64 " bytes are too few for %u nodes",
                           c->board.ram_bytes, n);
        }
        for (unsigned i = 0; i < n; i++) {
            c->board.numa_ram_bytes[i] = share;
        }
        c->board.numa_ram_bytes[n - 1] += c->board.ram_bytes - n * share;
    } else if (p->mem_n != n) {
        return err_set(e, "-numa: mem= or memdev= for all nodes or for none");
    }
    for (unsigned i = 0; i < n; i++) {
        sum += c->board.numa_ram_bytes[i];
    }
    if (sum != c->board.ram_bytes) {
        return err_set(e, "-numa: the nodes have %" PRIu64 " MiB of RAM, -m says %" PRIu64 " MiB",
                       (uint64_t)(sum / MiB), (uint64_t)(c->board.ram_bytes / MiB));
    }
    if (p->cpus_given_n && p->cpus_given_n != c->board.cpus_n) {
        return err_set(e, "-numa: %u of %u CPUs have a node", p->cpus_given_n, c->board.cpus_n);
    }
    for (unsigned i = 0; !p->cpus_given_n && i < c->board.cpus_n; i++) {
        c->board.cpu_numa[i] = (uint64_t)i * n / c->board.cpus_n;
    }
    return true;
}

bool config_read_numa(struct config *c, const struct opts *tree, struct err *e)
{
    const struct opts *list = opts_sub(tree, "numa");
    struct numa_plan p = { 0 };

    for (struct opts *o = list ? opts_first(list) : NULL; o; o = opts_next(o)) {
        const char *type = opts_str(o, "type", "");

        if (strcmp(type, "node") && strcmp(type, "dist")) {
            return err_set(e, "-numa %s: there are node and dist", type);
        }
        if (!strcmp(type, "node") && !numa_node(c, &p, tree, o, e)) {
            return false;
        }
    }
    c->board.numa_n = p.next;
    if (!p.next) {
        if (c->nodes_n < 2) {
            return true;
        }
        c->board.numa_n = c->nodes_n;       /* one for each host */
    }
    for (unsigned i = 0; i < p.next; i++) {
        if (!p.exists[i]) {
            return err_set(e, "-numa: there is a node %u but no node %u", p.next - 1, i);
        }
    }
    if (!numa_complete(c, &p, e)) {
        return false;
    }
    for (struct opts *o = list ? opts_first(list) : NULL; o; o = opts_next(o)) {
        if (!strcmp(opts_str(o, "type", ""), "dist") && !numa_dist(c, o, e)) {
            return false;
        }
    }
    if (c->board.has_distances) {
        numa_dist_complete(c);
    }
    return true;
}
