/* SPDX-License-Identifier: Apache-2.0 */
/* struct side: one of the two machines that are compared: an engine of ours, or qemu-aarch64 with
 * the guest program. */
#pragma once
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

struct side {
    const char *name;
    struct engine *engine;          /* or a process: */
    int to, from, pid;
};

/* What both of them made of a batch. */
struct side_result {
    struct diff_state answer[2][DIFF_BATCH_MAX];
    uint64_t hash[2];
};

/* Starts the process; exits if that cannot be. */
void side_start(struct side *s, const char *qemu, const char *guest);
/* Runs the batch on both.  True: the same came out. */
bool side_run(struct side *side, const struct diff_batch *b, const struct diff_test *t,
              struct side_result *r);
