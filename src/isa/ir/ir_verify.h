/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the intermediate representation (ir.h), checked. */
#pragma once
#include <stdbool.h>

struct ir;
struct ir_names;
struct strbuf;

/* After ir_finish(): operands come before their uses, have the right kind and are not taken for
 * dead before; flags that are needed are the last ones defined on the way, not from before a
 * label or a call that may change everything; no value crosses a label; where the state must be
 * exact each variable's last PUT is there; labels are there once, and are jumped to.
 * False: `why` (which may be NULL) says what is wrong, in a line. */
bool ir_verify(const struct ir *ir, const struct ir_names *names, struct strbuf *why);
