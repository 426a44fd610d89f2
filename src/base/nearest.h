/* SPDX-License-Identifier: Apache-2.0 */
/* struct nearest: finds the known name that a mistyped one most probably meant. */
#pragma once

struct nearest {
    const char *wanted;
    const char *best;           /* NULL: none near enough */
    unsigned best_distance;
    char hint[96];
};

/* `wanted` and the names must outlive `n`. */
void nearest_init(struct nearest *n, const char *wanted);
void nearest_add(struct nearest *n, const char *known);

/* "; did you mean 'x'?" or "": to be put at the end of an error. */
const char *nearest_hint(struct nearest *n);
