/* SPDX-License-Identifier: Apache-2.0 */
/* struct a64_row: one line of a .isa file, as data: for the decoder, the disassembler and the
 * random test.  The tables themselves are made by tools/isagen.py (a64.gen.c). */
#pragma once
#include "isa/a64/feat.h"

#include <stdbool.h>
#include <stdint.h>

enum a64_group {
    A64_GROUP_INT, A64_GROUP_BRANCH, A64_GROUP_MEM, A64_GROUP_SYS,
    A64_GROUP_FP, A64_GROUP_SIMD, A64_GROUP_CRYPTO, A64_GROUP_VMEM,
};

enum a64_row_flag {
    A64_ROW_INTERP = 1, /* the JIT calls the interpreter's body */
    A64_ROW_NODIFF = 2, /* not for the random test */
    A64_ROW_ALIAS = 4,  /* disassembler only */
};

struct a64_row_field {
    const char *name;
    uint8_t lsb, width;
    bool is_signed;
};

struct a64_row_excl {
    uint32_t mask, value;
};

struct a64_row {
    const char *name, *mnem, *ops;
    uint32_t mask, value;
    const struct a64_row_excl *excl;        /* not this row where (w & mask) == value */
    const struct a64_row_field *field;
    bool (*when)(uint32_t w);               /* aliases */
    uint8_t group, feat, flags, field_n, excl_n;
};

/* What the decoder asks of a row, close together. */
struct a64_match {
    uint32_t mask, value;
    uint32_t has_excl;
};

extern const struct a64_row a64_rows[];     /* by enum a64_insn; [0] is A64_I_NONE */
extern const struct a64_match a64_match[];  /* likewise */
extern const unsigned a64_row_n;
extern const struct a64_row a64_alias_rows[];
extern const unsigned a64_alias_row_n;
extern const int16_t a64_decode_root, a64_decode_node[];
extern const uint16_t a64_decode_leaf[];

static inline bool a64_row_matches(const struct a64_row *r, uint32_t w)
{
    if ((w & r->mask) != r->value) {
        return false;
    }
    for (unsigned i = 0; i < r->excl_n; i++) {
        if ((w & r->excl[i].mask) == r->excl[i].value) {
            return false;
        }
    }
    return true;
}

/* The enum a64_insn of an instruction word, whatever the model: a few table steps.
 * A64_I_NONE (0): unallocated. */
static inline unsigned a64_decode(uint32_t w)
{
    const int16_t *node = a64_decode_node;
    int n = a64_decode_root;

    do {
        n = node[n + 2 + (w >> node[n] & (uint16_t)node[n + 1])];
    } while (n >= 0);
    for (const uint16_t *p = &a64_decode_leaf[-1 - n]; *p; p++) {
        const struct a64_match *m = &a64_match[*p];
        if ((w & m->mask) == m->value && (!m->has_excl || a64_row_matches(&a64_rows[*p], w))) {
            return *p;
        }
    }
    return 0;
}

/* The same for a PE with these features (struct a64_model). */
static inline unsigned a64_decode_for(uint64_t features, uint32_t w)
{
    unsigned i = a64_decode(w);
    return features >> a64_rows[i].feat & 1 ? i : 0;
}
