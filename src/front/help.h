/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line can be asked instead of running a machine: -help, -version, and "help" as
 * the argument of -M, -cpu, -accel, -device, -d, -trace. */
#pragma once
#include <stdbool.h>

struct err;
struct opts;
struct strbuf;

/* true: help was asked for and is in `out`.  false: run the machine, unless e->text is not empty
 * (help on something that does not exist). */
bool help_wanted(const struct opts *tree, struct strbuf *out, struct err *e);
