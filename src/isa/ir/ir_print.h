/* SPDX-License-Identifier: Apache-2.0 */
/* The intermediate representation as text. */
#pragma once
#include <stdint.h>

struct ir;
struct strbuf;

/* Names of what the IR knows by number only; each may be NULL or return NULL. */
struct ir_names {
    const char *(*vop)(unsigned vop);
    const char *(*helper)(unsigned helper);
    const char *(*env)(int32_t offset);
    void (*access)(uint64_t k2, struct strbuf *out);
};

/* One operation, with a newline. */
void ir_print_op(const struct ir *ir, unsigned i, const struct ir_names *names, struct strbuf *out);
/* All but NOPs and constants (which are shown where they are used).  `insn` prints the line of the
 * guest instruction at offset `pc` of the page, before its operations; NULL: only the offset. */
void ir_print(const struct ir *ir, const struct ir_names *names,
              void (*insn)(void *ctx, unsigned pc, struct strbuf *out), void *ctx,
              struct strbuf *out);
