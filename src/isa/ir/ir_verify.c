/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold after ir_finish(); what the generator takes for granted. */
#include "isa/ir/ir_verify.h"

#include "base/strbuf.h"
#include "isa/ir/ir.h"
#include "isa/ir/ir_print.h"

/* Operands a, b, c: v value, x vector, V X the same or none, - none. */
static const char operands[IR_OP_COUNT][4] = {
    [IR_NOP] = "---", [IR_CONST] = "---", [IR_GET] = "---", [IR_PUT] = "v--", [IR_VGET] = "---",
    [IR_VPUT] = "x--", [IR_PCREL] = "---", [IR_ADD] = "vv-", [IR_SUB] = "vv-", [IR_MUL] = "vv-",
    [IR_ADDSH] = "vv-",
    [IR_AND] = "vv-", [IR_ANDN] = "vv-", [IR_OR] = "vv-", [IR_XOR] = "vv-", [IR_SHL] = "vv-",
    [IR_SHR] = "vv-", [IR_SAR] = "vv-", [IR_ROR] = "vv-", [IR_NOT] = "v--", [IR_SMULH] = "vv-",
    [IR_UMULH] = "vv-", [IR_SDIV] = "vv-", [IR_UDIV] = "vv-", [IR_EXTR] = "vv-",
    [IR_UBFX] = "v--", [IR_SBFX] = "v--", [IR_BFI] = "vv-", [IR_CLZ] = "v--", [IR_CLS] = "v--",
    [IR_RBIT] = "v--", [IR_REV] = "v--", [IR_CRC32] = "vv-", [IR_CMP] = "vv-", [IR_SEL] = "vvv",
    [IR_ADDS] = "vv-", [IR_SUBS] = "vv-", [IR_ADC] = "vv-", [IR_SBC] = "vv-", [IR_ADCS] = "vv-",
    [IR_SBCS] = "vv-", [IR_LOGF] = "v--", [IR_CCMP] = "vv-", [IR_NZCVSET] = "v--",
    [IR_COND] = "---", [IR_NZCVGET] = "---", [IR_LOAD] = "v--", [IR_LOAD2] = "v--",
    [IR_SECOND] = "v--", [IR_STORE] = "vv-", [IR_STORE2] = "vvv", [IR_VLOAD] = "v--",
    [IR_VSTORE] = "vxX", [IR_ATOMIC] = "vv-", [IR_CAS] = "vvv", [IR_FENCE] = "---",
    [IR_LDENV] = "---", [IR_STENV] = "v--", [IR_VFROM] = "v--", [IR_VTO] = "x--",
    [IR_VINS] = "xv-", [IR_VDUP] = "v--", [IR_VCONST] = "---", [IR_VLOW] = "x--",
    [IR_V1] = "x--", [IR_V2] = "xx-", [IR_V3] = "xxx", [IR_VCALL] = "xXX", [IR_VI2F] = "v--",
    [IR_VF2I] = "x--", [IR_VFCMP] = "xX-", [IR_VFCCMP] = "xX-", [IR_CALL] = "VVV",
    [IR_CALLC] = "VVV", [IR_CALLP] = "VVV", [IR_LABEL] = "---", [IR_JUMP] = "---",
    [IR_JUMPC] = "--v", [IR_CROSS] = "---", [IR_EXITC] = "--v", [IR_EXIT] = "---",
    [IR_EXITR] = "v--",
};

struct check {
    const struct ir *ir;
    const struct ir_op *p;      /* the operation i */
    unsigned i;
    const char *wrong;
    /* what has been seen so far */
    unsigned flags;             /* definition of the flags that are current; 0 = in memory */
    unsigned label;             /* the last LABEL */
    bool open;                  /* the operation before runs on into this one */
    uint16_t put[IR_VAR_N];     /* the last PUT of the variable, dead or not */
    bool label_seen[IR_LABELS_MAX];
};

static bool fused(const struct check *c)
{
    return (c->p->op == IR_SEL || c->p->op == IR_EXITC || c->p->op == IR_JUMPC) && c->p->x;
}

/* The value v, used here. */
static void value(struct check *c, ir_ref v, char kind)
{
    const struct ir_op *d = &c->ir->op[v];
    uint8_t attr = ir_attr[d->op], is = attr & (IR_A_VAL | IR_A_VEC);

    if (v >= c->i) {
        c->wrong = "an operand that comes later";
    } else if (d->op == IR_NOP) {
        c->wrong = "an operand that was removed";
    } else if (is != ((kind | 32) == 'x' ? (IR_A_VAL | IR_A_VEC) : IR_A_VAL)) {
        c->wrong = "an operand of another kind";
    } else if (d->last < c->i) {
        c->wrong = "an operand that is taken for dead before";
    } else if (v < c->label && d->op != IR_CONST) {
        c->wrong = "a value from the other side of a label";
    }
}

static void operands_of(struct check *c)
{
    const ir_ref v[3] = { c->p->a, c->p->b, c->p->c };
    const struct ir_op *cond = &c->ir->op[c->p->c];

    for (unsigned k = 0; k < 3; k++) {
        char kind = operands[c->p->op][k];
        if (kind == '-' ? v[k] != 0 : kind >= 'a' && !v[k]) {
            c->wrong = v[k] ? "an operand too many" : "an operand is missing";
        } else if (v[k] && !(k == 2 && fused(c))) {
            value(c, v[k], kind);
        }
    }
    if (!fused(c) || c->wrong) {
        return;
    }
    if (c->p->c >= c->i || c->p->c < c->label || (cond->op != IR_COND && cond->op != IR_CMP)) {
        c->wrong = "a condition that cannot be fused";
    } else if (cond->op == IR_CMP) {
        value(c, cond->a, 'v');
        value(c, cond->b, 'v');
    } else if (cond->f != c->p->f) {
        c->wrong = "a fused condition of other flags";
    }
}

/* Does the operation need the flags f? */
static bool needs_flags(const struct check *c)
{
    const struct ir_op *p = c->p;
    uint8_t attr = ir_attr[p->op];

    if ((attr & IR_A_EXACT) || p->live || ((attr & IR_A_FUSE) && p->op != IR_SEL &&
                                           p->op != IR_COND)) {
        return true;
    }
    if (p->op == IR_COND) {
        return p->last;                 /* else its user is fused with it, and needs them */
    }
    return fused(c) && c->ir->op[p->c].op == IR_COND;
}

static void flags_of(struct check *c)
{
    const struct ir_op *d = &c->ir->op[c->p->f];

    if (!needs_flags(c)) {
        return;
    }
    if (c->p->f != c->flags) {
        c->wrong = "flags that are not the current ones";
    } else if (c->flags && d->flast < c->i) {
        c->wrong = "flags that are taken for dead before";
    }
}

static void variable_of(struct check *c)
{
    const struct ir_op *p = c->p;
    bool vec = p->op == IR_VGET || p->op == IR_VPUT, put = p->op == IR_PUT || p->op == IR_VPUT;

    if (put || p->op == IR_GET || p->op == IR_VGET) {
        if (vec ? p->k < IR_VAR_VEC || p->k >= IR_VAR_N : p->k >= IR_VAR_VEC) {
            c->wrong = "no such variable";
        } else if (put) {
            c->put[p->k] = c->i;
        } else if (c->put[p->k] && c->ir->op[c->put[p->k]].op == IR_NOP) {
            c->wrong = "reads a variable whose last PUT was removed";
        }
    } else if (p->op == IR_NOP && p->x == IR_WAS_PUT && p->k < IR_VAR_N) {
        c->put[p->k] = c->i;
    }
    if (!(ir_attr[p->op] & (IR_A_EXACT | IR_A_JOIN))) {
        return;
    }
    for (unsigned v = 0; v < IR_VAR_N; v++) {
        if (c->put[v] && c->ir->op[c->put[v]].op == IR_NOP) {
            c->wrong = "somebody may look at a variable whose last PUT was removed";
        }
    }
}

static void flow_of(struct check *c)
{
    const struct ir_op *p = c->p;

    if (p->op == IR_NOP) {
        return;
    }
    if (p->op == IR_LABEL) {
        if (c->open) {
            c->wrong = "runs into a label without a jump";
        } else if (p->k >= IR_LABELS_MAX || c->label_seen[p->k]) {
            c->wrong = "a label twice";
        } else {
            /* The last number is for code that nothing leads to. */
            c->label_seen[p->k] = p->k < IR_LABELS_MAX - 1;
        }
    } else if (!c->open && ir_attr[p->op] & (IR_A_EFFECT | IR_A_FDEF)) {
        c->wrong = "nothing leads here";
    }
    if ((p->op == IR_JUMP || p->op == IR_JUMPC) && p->k >= IR_LABELS_MAX) {
        c->wrong = "no such label";
    }
    c->open = p->op == IR_LABEL ||
              (c->open && p->op != IR_JUMP && p->op != IR_EXIT && p->op != IR_EXITR &&
               !(p->op == IR_CALLC && p->x));
}

static void after(struct check *c)
{
    uint8_t attr = ir_attr[c->p->op];

    if (attr & IR_A_FDEF) {
        c->flags = c->i;
    }
    if ((attr & IR_A_CLOBBER) || c->p->op == IR_LABEL) {
        c->flags = 0;
        for (unsigned v = 0; v < IR_VAR_N; v++) {
            c->put[v] = 0;
        }
    }
    if (c->p->op == IR_LABEL) {
        c->label = c->i;
    }
}

static void labels_of(struct check *c)
{
    for (c->i = 1; c->i < c->ir->n && !c->wrong; c->i++) {
        c->p = &c->ir->op[c->i];
        if ((c->p->op == IR_JUMP || c->p->op == IR_JUMPC) && !c->label_seen[c->p->k]) {
            c->wrong = "a jump to nowhere";
            break;
        }
    }
}

bool ir_verify(const struct ir *ir, const struct ir_names *names, struct strbuf *why)
{
    struct check c = { .ir = ir, .open = true };

    for (c.i = 1; c.i < ir->n && !c.wrong; c.i++) {
        c.p = &ir->op[c.i];
        flow_of(&c);
        variable_of(&c);
        if (c.p->op != IR_NOP && !(c.p->op == IR_CMP && !c.p->last)) {
            operands_of(&c);
            flags_of(&c);
        }
        if (c.wrong) {
            break;
        }
        after(&c);
    }
    if (!c.wrong && c.open) {
        c.wrong = "runs out of the end";
        c.i = ir->n - 1;
    }
    if (!c.wrong) {
        labels_of(&c);
    }
    if (c.wrong && why) {
        strbuf_add(why, "operation %u: %s: ", c.i, c.wrong);
        ir_print_op(ir, c.i, names, why);
    }
    return !c.wrong;
}
