/* SPDX-License-Identifier: Apache-2.0 */
/* How this process becomes a node of a machine on several hosts. */
#pragma once
#include <stdbool.h>

struct config;
struct err;
struct member;
struct opts;
struct placement;

/* -cluster and -local-cpu: waits for the others (root), or finds them.  May complete `tree` and
 * `config` by what they offer.  Blocks.  NULL with `e` set on failure. */
struct member *join_enter(struct config *config, struct opts *tree, struct placement *placement,
                          struct err *e);

/* `pando join …`: goes to the root, which says what the machine is: `tree` and `config`, both
 * empty.  `args` are those after "join".  Blocks. */
struct member *join_root(unsigned n, char *const *args, struct opts *tree, struct config *config,
                         struct placement *placement, struct err *e);
