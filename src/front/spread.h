/* SPDX-License-Identifier: Apache-2.0 */
/* How one machine is spread over the nodes of a cluster, and how the root tells the others what
 * the machine is: as the text of the tree of options, from which each node reads its own
 * struct config. */
#pragma once
#include <stdbool.h>

struct config;
struct err;
struct member;
struct opts;
struct placement;
struct strbuf;

/* Root, after everybody has come: unless -numa was given, writes a NUMA node for each host into
 * `tree` and `config`, of the size that the host offers, or else an equal share. */
bool spread_offers(struct config *config, struct opts *tree, const struct member *member,
                   struct err *e);

/* Which vCPU and which RAM are where, from NUMA nodes (or -local-cpu) alone: equal on all
 * nodes. */
bool spread_place(struct placement *p, const struct config *config, struct err *e);

/* What all nodes must agree on; `tree` loses nothing.  Fails on a value with a newline. */
bool spread_write(const struct opts *tree, struct strbuf *out, struct err *e);
/* The reverse.  The text comes from another process: an error, never a crash. */
bool spread_read(struct opts *tree, const char *text, struct err *e);
