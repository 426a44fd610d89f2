/* SPDX-License-Identifier: Apache-2.0 */
/* struct engine: one of our engines, in this process, as the differential test uses it. */
#pragma once
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* kind: "interp"; "jit": loops become regions as soon as a test's hot_runs says; "tier1": they do
 * not; "async": they do, on a thread of their own; "kept": with translations that were kept, each
 * batch runs twice.  `el1`: programs run at EL1.  NULL: no such engine here. */
struct engine *engine_new(const char *kind, const char *model, bool el1);
void engine_free(struct engine *e);
bool engine_is_jit(const struct engine *e);
uint64_t engine_features(const struct engine *e);
/* The whole batch; like the guest program does it. */
void engine_batch(struct engine *e, const struct diff_batch *b, const struct diff_test *t,
                  struct diff_state *answer, uint64_t *hash);

/* The interpreter: give up after that many instructions, counted since engine_insns(). */
void engine_limit(struct engine *e, uint64_t insns_max);
/* How many the interpreter executed since this was asked. */
uint64_t engine_insns(struct engine *e);
/* Give this batch up; from a signal handler. */
void engine_late(struct engine *e);
/* The translator's, to stdout. */
void engine_print_stats(struct engine *e);
