/* SPDX-License-Identifier: Apache-2.0 */
/* struct backends: the host's side of a machine's devices, by id: -chardev, -drive, -netdev. */
#pragma once
#include <stdbool.h>

struct backends;
struct blk;
struct chr;
struct device_finder;
struct err;
struct loop;
struct net;
struct opts;
struct strbuf;
struct trace;

#define BACKENDS_MAX 256            /* of each kind */

/* Opens all that the tree (front/cmdline.h) names.  On the loop's thread, or before it runs.
 * NULL with `e` set: what was opened is closed again. */
struct backends *backends_create(struct loop *loop, const struct opts *tree,
                                 const struct trace *trace, struct err *e);
/* After the devices that use them are gone.  NULL is good. */
void backends_destroy(struct backends *b);

/* For device_set(): each block and network back end has one user; a character back end has one,
 * or several when it is a multiplexer. */
const struct device_finder *backends_finder(struct backends *b);
/* NULL with `e` set: there is none of this id. */
struct chr *backends_chr(struct backends *b, const char *id, struct err *e);

/* Calls quit(ctx) from the loop when somebody types C-a x on a multiplexer. */
void backends_on_quit(struct backends *b, void (*quit)(void *ctx), void *ctx);

/* `info chardev`, `info block`, `info network`. */
void backends_info_chr(struct backends *b, struct strbuf *out);
void backends_info_blk(struct backends *b, struct strbuf *out);
void backends_info_net(struct backends *b, struct strbuf *out);
