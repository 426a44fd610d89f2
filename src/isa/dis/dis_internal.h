/* SPDX-License-Identifier: Apache-2.0 */
/* struct dis: one disassembly in progress, for the formatters of dis_*.c. */
#pragma once
#include "isa/a64/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dis {
    const struct a64_row *row;
    uint32_t w;
    uint64_t pc;
    char *p, *end;
    unsigned arg;           /* of a formatter: the register field in braces */
};

void dis_put(struct dis *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The value of a field, sign-extended if it is signed; 0 if the row has none of that name. */
int64_t dis_field(const struct dis *d, const char *name);
bool dis_has(const struct dis *d, const char *name);
/* w/x register, 31 is the zero register or (sp) the stack pointer. */
void dis_gpr(struct dis *d, bool x, unsigned r, bool sp);
/* #n, decimal up to 9, else hexadecimal. */
void dis_imm(struct dis *d, uint64_t v);
void dis_simm(struct dis *d, int64_t v);

/* A formatter of `%!name` in the operands or mnemonic. */
struct dis_format {
    const char *name;
    void (*fn)(struct dis *d);
};
extern const struct dis_format dis_formats_int[], dis_formats_simd[];
/* %V…, %F…: registers of SIMD & FP; `spec` is what follows the V or F. */
void dis_vreg(struct dis *d, const char *spec, unsigned r);
void dis_freg(struct dis *d, const char *spec, unsigned r);
