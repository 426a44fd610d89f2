/* SPDX-License-Identifier: Apache-2.0 */
/* struct ir: one translated block or region as a linear array of operations in single assignment.
 *
 * An operation is its own result: operands are indices of earlier operations (0 = none).  There
 * are no phis: guest registers are variables (GET, PUT), flags are named by the operation that
 * defined them (`f`; 0 = those the block began with, in memory).  The builder functions fold
 * constants and forward PUT to GET as they go (the forward pass); ir_finish() is the backward
 * pass: last uses, dead code, dead PUTs, which flags are ever needed.
 *
 * Regions.  A block has one entry; a region has places inside that are jumped to.  LABEL `k` is
 * such a place, JUMP goes there, JUMPC if the condition `c` holds (cc = 1: does not).  No value
 * lives across a LABEL: variables and flags (f = 0) are what connects its two sides.  What runs
 * into a LABEL from above ends with a JUMP to it.  A region may have code of several pages, which
 * have numbers; `cc` of a LABEL is that of its page.  CROSS goes over to page `cc` for a jump to
 * offset `k` (signed) from the page it is in, or leaves if that is not mapped as it was.
 *
 * Ways out.  EXIT goes to offset `k` (signed) from the beginning of the page, EXITR to the address
 * `a`; x = 1 in an EXIT, k2 = 1 in an EXITC: backwards.
 *
 * Precision.  At an operation that may fault or leave the block all variables and flags are
 * architecturally those before the instruction at `pc`: a PUT before it is not dead.
 *
 * To add an operation: a row in IR_OPS, a builder if it folds, a case in emit_x64/gen*.c. */
#pragma once
#include "isa/a64/memop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    IR_MAX = 3072,              /* operations in a block */
    IR_VAR_N = 64,              /* 0–31: general registers (31 = SP), 32–63: vectors */
    IR_VAR_VEC = 32,
    IR_LABELS_MAX = 128,
    IR_WAS_PUT = 0xff,          /* x of a NOP: a PUT that nobody could see */
};

/* Attributes: V defines a value, X vector value, F defines flags, U uses flags `f`,
 * S has an effect, E may fault or leave: state must be exact, C all variables may change,
 * J meets another way through the region: variables are in their places. */
enum {
    IR_A_VAL = 1, IR_A_VEC = 2, IR_A_FDEF = 4, IR_A_FUSE = 8, IR_A_EFFECT = 16, IR_A_EXACT = 32,
    IR_A_CLOBBER = 64, IR_A_JOIN = 128,
};
#define V IR_A_VAL
#define X (IR_A_VAL | IR_A_VEC)
#define F IR_A_FDEF
#define U IR_A_FUSE
#define S IR_A_EFFECT
#define E (IR_A_EFFECT | IR_A_EXACT)
#define C (IR_A_EFFECT | IR_A_EXACT | IR_A_CLOBBER)
#define J (IR_A_EFFECT | IR_A_JOIN)
#define IR_OPS(o) \
    o(NOP, 0) o(CONST, V) o(GET, V) o(PUT, S) o(VGET, X) o(VPUT, S) o(PCREL, V) \
    o(ADD, V) o(ADDSH, V) o(SUB, V) o(MUL, V) o(AND, V) o(ANDN, V) o(OR, V) o(XOR, V) \
    o(SHL, V) o(SHR, V) o(SAR, V) o(ROR, V) o(NOT, V) \
    o(SMULH, V) o(UMULH, V) o(SDIV, V) o(UDIV, V) \
    o(EXTR, V) o(UBFX, V) o(SBFX, V) o(BFI, V) \
    o(CLZ, V) o(CLS, V) o(RBIT, V) o(REV, V) o(CRC32, V) o(PAC, V) \
    o(CMP, V) o(SEL, V | U) \
    o(ADDS, V | F) o(SUBS, V | F) o(ADC, V | U) o(SBC, V | U) \
    o(ADCS, V | F | U) o(SBCS, V | F | U) o(LOGF, F) o(CCMP, F | U) o(NZCVSET, F) \
    o(COND, V | U) o(NZCVGET, V | U) \
    o(LOAD, V | E) o(LOAD2, V | E) o(SECOND, V) o(STORE, E) o(STORE2, E) \
    o(VLOAD, X | E) o(VSTORE, E) o(ATOMIC, V | E) o(CAS, V | E) o(FENCE, S) \
    o(LDENV, V) o(STENV, S) \
    o(VFROM, X) o(VTO, V) o(VINS, X) o(VDUP, X) o(VCONST, X) o(VLOW, X) \
    o(V1, X) o(V2, X) o(V3, X) o(VCALL, X | S) \
    o(VI2F, X | S) o(VF2I, V | S) o(VFCMP, F | S) o(VFCCMP, F | U | S) \
    o(CALL, V | E) o(CALLC, V | C) o(CALLP, V) \
    o(LABEL, J) o(JUMP, J) o(JUMPC, J) o(CROSS, E | U) \
    o(EXITC, E | U) o(EXIT, E | U) o(EXITR, E | U)

enum ir_opcode {
#define ROW(name, attr) IR_##name,
    IR_OPS(ROW)
#undef ROW
    IR_OP_COUNT
};

#undef V
#undef X
#undef F
#undef U
#undef S
#undef E
#undef C
#undef J

/* Comparison of CMP, in the numbering of the vocabulary (enum cmp_op); then whether a AND b is
 * zero, or is not. */
enum ir_cmp { IR_EQ, IR_NE, IR_LTU, IR_GEU, IR_LTS, IR_GES, IR_ZERO, IR_NONZERO };

struct ir_op {
    uint8_t op;                 /* enum ir_opcode */
    uint8_t sf;                 /* 1: 64-bit operation; 0: 32-bit, zero-extended */
    uint8_t cc;                 /* condition, comparison, size … by operation; an access: SP is
                                 * not all of its base */
    uint8_t x;                  /* more of it */
    uint16_t a, b, c;           /* operands */
    uint16_t f;                 /* flags current here */
    uint16_t pc;                /* offset of the guest instruction in its page */
    uint16_t last;              /* last operation that uses the value; 0 = none */
    uint16_t flast;             /* last operation that needs the flags defined here */
    int8_t hint;                /* variable that the value will be PUT into, -1 = none */
    bool hi0;                   /* bits 63:32 of the value are zero */
    bool live;                  /* JUMP, JUMPC: flags are needed where it goes */
    bool in_var;                /* was PUT: better to use again than to recompute */
    uint16_t low;               /* a VLOW of this value, to be checked; 0 = none */
    uint64_t k;
    uint64_t k2;
};

struct ir {
    unsigned n;
    bool full;                  /* did not fit: the block must be cut shorter */
    bool is_region;             /* has labels */
    uint16_t flags;             /* operation that defines the current flags */
    uint16_t pc;                /* of the instruction being translated */
    uint16_t var[IR_VAR_N];     /* value known to be in the variable, 0 = unknown */
    struct ir_op op[IR_MAX];
};

typedef uint16_t ir_ref;        /* plain integer, not a struct: allowed by the style */

extern const uint8_t ir_attr[IR_OP_COUNT];
extern const char *const ir_op_name[IR_OP_COUNT];

void ir_begin(struct ir *ir);
/* Appends; never fails (sets `full` and reuses the last place). */
ir_ref ir_emit(struct ir *ir, enum ir_opcode op, bool sf, ir_ref a, ir_ref b, ir_ref c, uint64_t k);

ir_ref ir_const(struct ir *ir, uint64_t k);
ir_ref ir_get(struct ir *ir, unsigned var);
void ir_put(struct ir *ir, unsigned var, ir_ref v);
ir_ref ir_bin(struct ir *ir, enum ir_opcode op, bool sf, ir_ref a, ir_ref b);
ir_ref ir_not(struct ir *ir, bool sf, ir_ref a);
ir_ref ir_zx32(struct ir *ir, ir_ref a);
ir_ref ir_ubfx(struct ir *ir, bool sf, ir_ref a, unsigned lsb, unsigned width);
ir_ref ir_sbfx(struct ir *ir, bool sf, ir_ref a, unsigned lsb, unsigned width);
ir_ref ir_bfi(struct ir *ir, bool sf, ir_ref into, ir_ref a, unsigned lsb, unsigned width);
ir_ref ir_cmp(struct ir *ir, bool sf, enum ir_cmp op, ir_ref a, ir_ref b);
ir_ref ir_sel(struct ir *ir, ir_ref c, ir_ref a, ir_ref b);
ir_ref ir_cond(struct ir *ir, unsigned cc);
/* Operations that define flags make themselves the current ones. */
ir_ref ir_flagop(struct ir *ir, enum ir_opcode op, bool sf, ir_ref a, ir_ref b);
/* `is_loop`: jumped to from below.  Variables and flags are unknown from here on. */
void ir_label(struct ir *ir, unsigned label, bool is_loop);
/* After an operation that may have changed any variable. */
void ir_forget_vars(struct ir *ir);

static inline bool ir_is_const(const struct ir *ir, ir_ref v)
{
    return ir->op[v].op == IR_CONST;
}

/* The backward pass. */
void ir_finish(struct ir *ir);
