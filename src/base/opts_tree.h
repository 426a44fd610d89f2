/* SPDX-License-Identifier: Apache-2.0 */
/* Private to opts*.c: what a node is. */
#pragma once
#include <stdbool.h>

/* One (key, value) pair or group.  A key given several times is several nodes; its members hang
 * on the first. */
struct opts {
    char *key;                  /* NULL: the root */
    char *value;                /* NULL: a group, or a key with members only */
    struct opts *first, *last, *next;
    bool read;
};

/* The node that carries the last value given for `path`, or NULL. */
struct opts *opts_last_value(const struct opts *o, const char *path);
