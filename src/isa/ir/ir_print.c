/* SPDX-License-Identifier: Apache-2.0 */
/* Operations as text, for -d op and failures of ir_verify(). */
#include "isa/ir/ir_print.h"

#include "base/strbuf.h"
#include "isa/ir/ir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What an operation has besides its operands. */
enum more {
    NOTHING,
    NUMBER,             /* k */
    VAR,                /* k: a variable */
    FIELD,              /* k: lsb, cc: width */
    COMPARISON,         /* cc: enum ir_cmp */
    CONDITION,          /* cc: an Arm condition */
    CONDITION_NZCV,     /* the same, and k: the flags if it does not hold; x: subtracts */
    ACCESS,             /* k: displacement, k2: what */
    ATOMIC,             /* the same, x: operation */
    LANE,               /* cc: bytes, k: lane */
    BYTES,              /* cc: bytes */
    ENV,                /* k: offset in the guest state, cc: log2 of the bytes */
    PRIMITIVE,          /* k: primitive, k >> 16: argument */
    PRIMITIVE_CALLED,   /* k: primitive, k2: argument */
    HELPER,             /* k */
    TARGET,             /* k: offset in the page; x or k2: backwards */
    TARGET_IF,          /* the same, under operand c; cc = 1: unless */
    PLACE,              /* k: a label */
    PLACE_IF,           /* the same, under operand c */
    WIDE,               /* k, k2: 128 bits */
};

static const uint8_t more_of[IR_OP_COUNT] = {
    [IR_GET] = VAR, [IR_PUT] = VAR, [IR_VGET] = VAR, [IR_VPUT] = VAR, [IR_PCREL] = NUMBER,
    [IR_EXTR] = NUMBER, [IR_UBFX] = FIELD, [IR_SBFX] = FIELD, [IR_BFI] = FIELD, [IR_REV] = BYTES,
    [IR_CRC32] = BYTES, [IR_CMP] = COMPARISON, [IR_COND] = CONDITION, [IR_CCMP] = CONDITION_NZCV,
    [IR_LOAD] = ACCESS, [IR_LOAD2] = ACCESS, [IR_STORE] = ACCESS, [IR_STORE2] = ACCESS,
    [IR_VLOAD] = ACCESS, [IR_VSTORE] = ACCESS, [IR_ATOMIC] = ATOMIC, [IR_CAS] = ACCESS,
    [IR_LDENV] = ENV, [IR_STENV] = ENV, [IR_VTO] = LANE, [IR_VINS] = LANE, [IR_VDUP] = BYTES,
    [IR_VCONST] = WIDE, [IR_VLOW] = BYTES, [IR_V1] = PRIMITIVE, [IR_V2] = PRIMITIVE,
    [IR_V3] = PRIMITIVE, [IR_VCALL] = PRIMITIVE_CALLED, [IR_VI2F] = PRIMITIVE,
    [IR_VF2I] = PRIMITIVE, [IR_CALL] = HELPER, [IR_CALLC] = HELPER, [IR_CALLP] = HELPER,
    [IR_EXITC] = TARGET_IF, [IR_EXIT] = TARGET, [IR_CROSS] = TARGET, [IR_LABEL] = PLACE,
    [IR_JUMP] = PLACE, [IR_JUMPC] = PLACE_IF, [IR_VFCCMP] = CONDITION_NZCV,
};

static const char conditions[16][3] = {
    "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv",
};

static void number(struct strbuf *out, uint64_t k)
{
    if ((int64_t)k < 0 && (int64_t)k > -4096) {
        strbuf_add(out, "-%#" PRIx64, -k);
    } else {
        strbuf_add(out, k < 10 ? "%" PRIu64 : "%#" PRIx64, k);
    }
}

static void variable(struct strbuf *out, uint64_t k)
{
    if (k == 31) {
        strbuf_add(out, "sp");
    } else {
        strbuf_add(out, "%c%u", k < IR_VAR_VEC ? 'x' : 'v', (unsigned)k & 31);
    }
}

static void operand(const struct ir *ir, ir_ref v, struct strbuf *out)
{
    if (ir->op[v].op == IR_CONST) {
        number(out, ir->op[v].k);
    } else {
        strbuf_add(out, "%%%u", v);
    }
}

/* The address is operand a. */
static void access(const struct ir *ir, const struct ir_op *p, const struct ir_names *names,
                   struct strbuf *out)
{
    int64_t k = (int64_t)p->k;

    strbuf_add(out, " [");
    operand(ir, p->a, out);
    if (k) {
        strbuf_add(out, k < 0 ? " - %#" PRIx64 : " + %#" PRIx64, (uint64_t)(k < 0 ? -k : k));
    }
    strbuf_add(out, "]");
    if (names && names->access) {
        names->access(p->k2, out);
    } else {
        strbuf_add(out, " (%#" PRIx64 ")", p->k2);
    }
}

static void name_or_number(const char *name, uint64_t k, struct strbuf *out)
{
    if (name) {
        strbuf_add(out, " %s", name);
    } else {
        strbuf_add(out, " #");
        number(out, k);
    }
}

static void extra(const struct ir *ir, const struct ir_op *p, const struct ir_names *names,
                  struct strbuf *out)
{
    static const char *const cmp[] = { "==", "!=", "<u", ">=u", "<s", ">=s", "&==0", "&!=0" };
    uint64_t k = p->k;

    switch ((enum more)more_of[p->op]) {
    case NUMBER: strbuf_add(out, " "); number(out, k); break;
    case VAR: strbuf_add(out, " "); variable(out, k); break;
    case FIELD:
        strbuf_add(out, " bits %u:%u", (unsigned)k + p->cc - 1, (unsigned)k);
        break;
    case COMPARISON: strbuf_add(out, " %s", p->cc <= IR_NONZERO ? cmp[p->cc] : "?"); break;
    case CONDITION: strbuf_add(out, " %s", conditions[p->cc & 15]); break;
    case CONDITION_NZCV:
        strbuf_add(out, " if %s else nzcv=%x%s", conditions[p->cc & 15],
                   (unsigned)(p->op == IR_CCMP ? k : p->k2),
                   p->op == IR_CCMP && !p->x ? " (adds)" : "");
        break;
    case ACCESS: access(ir, p, names, out); break;
    case ATOMIC:
        strbuf_add(out, " op %u", p->x);
        access(ir, p, names, out);
        break;
    case LANE: strbuf_add(out, " lane %u of %u bytes", (unsigned)k, p->cc); break;
    case BYTES: strbuf_add(out, " %u bytes", p->cc); break;
    case ENV:
        name_or_number(names && names->env ? names->env(k) : NULL, k, out);
        strbuf_add(out, " (%u bytes)", 1u << p->cc);
        break;
    case PRIMITIVE:
        name_or_number(names && names->vop ? names->vop(k & 0xffff) : NULL, k & 0xffff, out);
        strbuf_add(out, " arg=%#" PRIx64, k >> 16);
        break;
    case PRIMITIVE_CALLED:
        name_or_number(names && names->vop ? names->vop(k) : NULL, k, out);
        strbuf_add(out, " arg=%#" PRIx64, p->k2);
        break;
    case HELPER:
        name_or_number(names && names->helper ? names->helper((uint32_t)k) : NULL, k, out);
        if (k >> 32) {
            strbuf_add(out, " if attention & %#" PRIx64, k >> 32);
        }
        break;
    case TARGET: case TARGET_IF:
        strbuf_add(out, " %s%03x%s", (int64_t)k < 0 ? ".-" : ".",
                   (unsigned)((int64_t)k < 0 ? -k : k),
                   (p->op == IR_EXITC ? p->k2 : p->x) ? " backwards" : "");
        if (p->op == IR_EXITC) {
            strbuf_add(out, p->cc ? " unless" : " if");
        }
        break;
    case PLACE: case PLACE_IF:
        strbuf_add(out, " L%u%s", (unsigned)k, p->live ? " with flags" : "");
        if (p->op == IR_JUMPC) {
            strbuf_add(out, p->cc ? " unless" : " if");
        }
        break;
    case WIDE: strbuf_add(out, " %016" PRIx64 "%016" PRIx64, p->k2, k); break;
    case NOTHING:
        if (k) {
            strbuf_add(out, " k=%#" PRIx64, k);
        }
        break;
    }
}

void ir_print_op(const struct ir *ir, unsigned i, const struct ir_names *names, struct strbuf *out)
{
    const struct ir_op *p = &ir->op[i];
    uint8_t attr = ir_attr[p->op];
    const ir_ref v[3] = { p->a, p->b, p->c };
    bool in_address = more_of[p->op] == ACCESS || more_of[p->op] == ATOMIC;

    if (attr & (IR_A_VAL | IR_A_FDEF)) {
        strbuf_add(out, "%%%-4u = ", i);
    } else {
        strbuf_add(out, "        ");
    }
    for (const char *c = ir_op_name[p->op]; *c; c++) {
        strbuf_add_char(out, *c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    }
    strbuf_add(out, "%s", p->sf ? "" : ".w");
    extra(ir, p, names, out);
    for (unsigned k = in_address, n = 0; k < 3; k++) {
        if (v[k]) {
            strbuf_add(out, n++ || (in_address && n == 1) ? ", " : " ");
            operand(ir, v[k], out);
        }
    }
    if ((attr & IR_A_FUSE) && p->op != IR_SEL) {
        strbuf_add(out, p->f ? "  flags=%%%u" : "  flags=entry", p->f);
    }
    if ((attr & IR_A_FDEF) && p->flast) {
        strbuf_add(out, "  sets flags");
    }
    if ((attr & IR_A_VAL) && p->hint >= 0) {
        strbuf_add(out, "  in ");
        variable(out, p->hint);
    }
    if ((attr & IR_A_EXACT) && p->op != IR_EXIT && p->op != IR_EXITC && p->op != IR_EXITR &&
        p->op != IR_CROSS) {
        strbuf_add(out, "  exact");
    }
    strbuf_add(out, "\n");
}

void ir_print(const struct ir *ir, const struct ir_names *names,
              void (*insn)(void *ctx, unsigned pc, struct strbuf *out), void *ctx,
              struct strbuf *out)
{
    unsigned pc = ~0u;

    for (unsigned i = 1; i < ir->n; i++) {
        const struct ir_op *p = &ir->op[i];
        if (p->op == IR_NOP || p->op == IR_CONST) {
            continue;
        }
        if (p->pc != pc) {
            pc = p->pc;
            if (insn) {
                insn(ctx, pc, out);
            } else {
                strbuf_add(out, "  .%03x\n", pc);
            }
        }
        strbuf_add(out, "      ");
        ir_print_op(ir, i, names, out);
    }
}
