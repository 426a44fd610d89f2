/* SPDX-License-Identifier: Apache-2.0 */
/* struct engine: one of our engines, in this process, as the differential test uses it. */
#pragma once
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* kind: "interp" or "jit".  NULL: no such engine here. */
struct engine *engine_new(const char *kind, const char *model);
void engine_free(struct engine *e);
uint64_t engine_features(const struct engine *e);
/* The whole batch; like the guest program does it. */
void engine_batch(struct engine *e, const struct diff_batch *b, const struct diff_test *t,
                  struct diff_state *answer, uint64_t *hash);
