/* SPDX-License-Identifier: Apache-2.0 */
#include "front/join.h"

#include "base/base.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "cluster/member.h"
#include "cluster/placement.h"
#include "front/config.h"
#include "front/spread.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOIN_PATIENCE_NS INT64_C(60000000000)

/* The root: first everybody comes, then it is known what the machine is. */
static struct member *enter_as_root(struct config *config, struct opts *tree,
                                    struct placement *placement, struct err *e)
{
    struct strbuf text = { 0 };
    struct member *member;
    bool ok;

    if (!config->listen) {
        err_set(e, "-cluster: wants listen=HOST:PORT");
        return NULL;
    }
    member = member_root(config->listen, config->nodes_n, config->secret_path, e);
    if (!member) {
        return NULL;
    }
    ok = spread_offers(config, tree, member, e) && spread_place(placement, config, e) &&
         spread_write(tree, &text, e) && member_root_start(member, text.text, placement, e);
    strbuf_free(&text);
    if (!ok) {
        member_free(member);
        return NULL;
    }
    return member;
}

static struct member *enter_static(struct config *config, struct opts *tree,
                                   struct placement *placement, struct err *e)
{
    struct strbuf text = { 0 };
    struct member *member = NULL;

    if (spread_place(placement, config, e) && spread_write(tree, &text, e)) {
        member = member_static(config->iplist, config->local_cpu_first / config->local_cpus_n,
                               config->nodes_n, config->secret_path, text.text, e);
    }
    strbuf_free(&text);
    return member;
}

struct member *join_enter(struct config *config, struct opts *tree, struct placement *placement,
                          struct err *e)
{
    return config->local_cpus_n ? enter_static(config, tree, placement, e)
                                : enter_as_root(config, tree, placement, e);
}

struct join_args {
    const char *root, *secret_path;
    uint64_t cpus, memory_bytes;
};

static bool parse_args(unsigned n, char *const *args, struct join_args *j, struct err *e)
{
    static const char *const names[] = { "secret", "cpus", "memory" };

    for (unsigned i = 0; i < n; i++) {
        const char *name = args[i], *value;
        struct nearest near;

        if (name[0] != '-') {
            if (j->root) {
                return err_set(e, "%s: the root is %s already", name, j->root);
            }
            j->root = name;
            continue;
        }
        name += name[1] == '-' ? 2 : 1;
        nearest_init(&near, name);
        for (unsigned k = 0; k < ARRAY_LEN(names); k++) {
            nearest_add(&near, names[k]);
        }
        if (!near.best || strcmp(near.best, name) != 0) {
            return err_set(e, "%s: there is no such option%s", args[i], nearest_hint(&near));
        }
        if (i + 1 == n) {
            return err_set(e, "%s: wants an argument", args[i]);
        }
        value = args[++i];
        if (!strcmp(name, "secret")) {
            j->secret_path = value;
        } else if (!strcmp(name, "cpus")) {
            if (!opts_parse_u64("--cpus", value, 1, VIRT_CPUS_MAX, &j->cpus, e)) {
                return false;
            }
        } else if (!opts_parse_size("--memory", value, MiB, &j->memory_bytes, e)) {
            return false;
        }
    }
    return j->root || err_set(e, "where to?  pando join HOST:PORT --secret FILE [--cpus N] "
                              "[--memory SIZE]");
}

struct member *join_root(unsigned n, char *const *args, struct opts *tree, struct config *config,
                         struct placement *placement, struct err *e)
{
    struct join_args j = { 0 };
    struct member_offer offer = { 0 };
    struct member *member;

    if (!parse_args(n, args, &j, e)) {
        err_prefix(e, "join");
        return NULL;
    }
    gethostname(offer.name, sizeof offer.name - 1);
    offer.cpus = j.cpus;
    offer.memory_bytes = j.memory_bytes;
    member = member_join(j.root, j.secret_path, &offer, JOIN_PATIENCE_NS, e);
    if (!member) {
        return NULL;
    }
    if (!spread_read(tree, member_machine(member), e) || !config_read(config, tree, e)) {
        err_prefix(e, "the root's machine");
        member_free(member);
        return NULL;
    }
    *placement = *member_placement(member);
    return member;
}
