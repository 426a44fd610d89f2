/* SPDX-License-Identifier: Apache-2.0 */
/* struct engine: what executes instructions in this process (-accel) as which CPU model (-cpu). */
#pragma once
#include <stdbool.h>

struct a64_model;
struct config;
struct emu_engine;
struct engine;
struct err;
struct strbuf;

/* NULL with `e` set: no such CPU model, or the engine cannot be had here. */
struct engine *engine_create(const struct config *c, struct err *e);
void engine_destroy(struct engine *g);      /* after the vCPUs are gone; NULL is good */

const struct a64_model *engine_model(const struct engine *g);
const char *engine_cpu_compatible(const struct engine *g);
struct emu_engine engine_ops(struct engine *g);
void engine_info(struct engine *g, struct strbuf *out);

/* `-cpu help`, `-accel help`. */
void engine_cpu_help(struct strbuf *out);
void engine_accel_help(struct strbuf *out);
