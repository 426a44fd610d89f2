/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

enum { NAME_LEN_MAX = 64 };

/* The number of characters to insert, delete or replace (Levenshtein), one row at a time. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NAME_LEN_MAX + 1];
    size_t na = strlen(a), nb = strlen(b);

    if (na > NAME_LEN_MAX || nb > NAME_LEN_MAX) {
        return UINT_MAX;
    }
    for (unsigned j = 0; j <= nb; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= na; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            unsigned replace = diagonal + (a[i - 1] != b[j - 1]);
            unsigned other = MIN(row[j], row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = MIN(replace, other);
        }
    }
    return row[nb];
}

void nearest_init(struct nearest *n, const char *wanted)
{
    *n = (struct nearest){ .wanted = wanted, .best_distance = UINT_MAX };
}

void nearest_add(struct nearest *n, const char *known)
{
    unsigned d = distance(n->wanted, known);

    /* Beyond a third of the characters, it is another word rather than a slip. */
    if (d < n->best_distance && d <= 1 + strlen(known) / 3 && d < strlen(known)) {
        n->best_distance = d;
        n->best = known;
    }
}

const char *nearest_hint(struct nearest *n)
{
    n->hint[0] = 0;
    if (n->best) {
        snprintf(n->hint, sizeof n->hint, "; did you mean '%s'?", n->best);
    }
    return n->hint;
}
