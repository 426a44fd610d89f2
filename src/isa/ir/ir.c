/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/ir/ir.h"

#include <assert.h>
#include <string.h>

#define V IR_A_VAL
#define X (IR_A_VAL | IR_A_VEC)
#define F IR_A_FDEF
#define U IR_A_FUSE
#define S IR_A_EFFECT
#define E (IR_A_EFFECT | IR_A_EXACT)
#define C (IR_A_EFFECT | IR_A_EXACT | IR_A_CLOBBER)
#define J (IR_A_EFFECT | IR_A_JOIN)
const uint8_t ir_attr[IR_OP_COUNT] = {
#define ROW(name, attr) [IR_##name] = (attr),
    IR_OPS(ROW)
#undef ROW
};
#undef V
#undef X
#undef F
#undef U
#undef S
#undef E
#undef C
#undef J

const char *const ir_op_name[IR_OP_COUNT] = {
#define ROW(name, attr) [IR_##name] = #name,
    IR_OPS(ROW)
#undef ROW
};

void ir_begin(struct ir *ir)
{
    ir->n = 1;
    ir->full = ir->is_region = false;
    ir->flags = 0;
    ir->pc = 0;
    memset(ir->var, 0, sizeof(ir->var));
    ir->op[0] = (struct ir_op){ .op = IR_NOP };
}

ir_ref ir_emit(struct ir *ir, enum ir_opcode op, bool sf, ir_ref a, ir_ref b, ir_ref c, uint64_t k)
{
    ir_ref r;

    if (ir->n == IR_MAX) {
        ir->full = true;
        ir->n--;
    }
    r = ir->n++;
    ir->op[r] = (struct ir_op){
        .op = op, .sf = sf, .a = a, .b = b, .c = c, .k = k, .f = ir->flags, .pc = ir->pc,
        .hint = -1, .hi0 = !sf,
    };
    return r;
}

ir_ref ir_const(struct ir *ir, uint64_t k)
{
    ir_ref r = ir_emit(ir, IR_CONST, true, 0, 0, 0, k);

    ir->op[r].hi0 = k >> 32 == 0;
    return r;
}

ir_ref ir_get(struct ir *ir, unsigned var)
{
    if (!ir->var[var]) {
        ir->var[var] = ir_emit(ir, var < IR_VAR_VEC ? IR_GET : IR_VGET, true, 0, 0, 0, var);
    }
    return ir->var[var];
}

void ir_put(struct ir *ir, unsigned var, ir_ref v)
{
    if (ir->var[var] == v) {
        return;
    }
    ir_emit(ir, var < IR_VAR_VEC ? IR_PUT : IR_VPUT, true, v, 0, 0, var);
    ir->op[v].in_var = true;
    ir->var[var] = v;
}

static uint64_t width_mask(bool sf)
{
    return sf ? ~UINT64_C(0) : UINT32_MAX;
}

static uint64_t fold(enum ir_opcode op, bool sf, uint64_t a, uint64_t b)
{
    unsigned bits = sf ? 64 : 32, n = b & (bits - 1);
    uint64_t m = width_mask(sf), au = a & m;

    switch (op) {
    case IR_ADD: return (a + b) & m;
    case IR_SUB: return (a - b) & m;
    case IR_MUL: return (a * b) & m;
    case IR_AND: return a & b & m;
    case IR_ANDN: return ~a & b & m;
    case IR_OR: return (a | b) & m;
    case IR_XOR: return (a ^ b) & m;
    case IR_SHL: return (a << n) & m;
    case IR_SHR: return au >> n;
    case IR_SAR: return (sf ? (uint64_t)((int64_t)a >> n) : (uint64_t)((int32_t)a >> n)) & m;
    case IR_ROR: return (au >> n | au << (bits - n) % bits) & m;
    default: assert(!"foldable"); return 0;
    }
}

/* a op b where the result is known to be a itself, or a constant. */
static bool identity(struct ir *ir, enum ir_opcode op, bool sf, ir_ref a, ir_ref b, ir_ref *out)
{
    bool same_width = sf || ir->op[a].hi0;
    uint64_t k;

    if (a == b && (op == IR_XOR || op == IR_SUB)) {
        *out = ir_const(ir, 0);
        return true;
    }
    if (a == b && (op == IR_AND || op == IR_OR)) {
        *out = same_width ? a : ir_zx32(ir, a);
        return true;
    }
    if (!ir_is_const(ir, b)) {
        return false;
    }
    k = ir->op[b].k & width_mask(sf);
    switch (op) {
    case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR:
        k &= sf ? 63 : 31;
        /* fall through */
    case IR_ADD: case IR_SUB: case IR_OR: case IR_XOR:
        if (k) {
            return false;
        }
        *out = same_width ? a : ir_zx32(ir, a);
        return true;
    case IR_AND:
        if (k == 0) {
            *out = ir_const(ir, 0);
            return true;
        }
        if (k == 0xff || k == 0xffff || (k == UINT32_MAX && sf)) {
            *out = ir_ubfx(ir, sf, a, 0, k == 0xff ? 8 : k == 0xffff ? 16 : 32);
            return true;
        }
        if (k != width_mask(sf)) {
            return false;
        }
        *out = same_width ? a : ir_zx32(ir, a);
        return true;
    default:
        return false;
    }
}

/* An index times 2, 4 or 8, as addresses of the host can have it. */
static bool is_scaled(const struct ir *ir, bool sf, ir_ref v)
{
    const struct ir_op *p = &ir->op[v];

    return p->op == IR_SHL && p->sf == sf && ir_is_const(ir, p->b) && ir->op[p->b].k <= 3 &&
           ir->op[p->b].k > 0;
}

ir_ref ir_bin(struct ir *ir, enum ir_opcode op, bool sf, ir_ref a, ir_ref b)
{
    bool commutes = op == IR_ADD || op == IR_MUL || op == IR_AND || op == IR_OR || op == IR_XOR;
    ir_ref r;

    if (ir_is_const(ir, a) && ir_is_const(ir, b)) {
        return ir_const(ir, fold(op, sf, ir->op[a].k, ir->op[b].k));
    }
    if (commutes && ir_is_const(ir, a)) {
        ir_ref t = a;
        a = b;
        b = t;
    }
    if (identity(ir, op, sf, a, b, &r)) {
        return r;
    }
    if (op == IR_AND && ir->op[b].op == IR_NOT && (ir->op[b].sf || !sf)) {
        return ir_emit(ir, IR_ANDN, sf, ir->op[b].a, a, 0, 0);
    }
    /* PC-relative addresses; (x + k1) + k2 unless x + k1 is a guest register by now, which is
     * then the better base */
    if (ir->op[a].op == IR_PCREL && sf && ir_is_const(ir, b)) {
        uint64_t k = ir->op[b].k;
        if (op == IR_ADD || op == IR_SUB) {
            k = op == IR_ADD ? ir->op[a].k + k : ir->op[a].k - k;
            return ir_emit(ir, IR_PCREL, true, 0, 0, 0, k);
        }
        if (op == IR_AND && k == ~UINT64_C(0xfff)) {
            return ir_emit(ir, IR_PCREL, true, 0, 0, 0, ir->op[a].k & k);
        }
    }
    if ((op == IR_ADD || op == IR_SUB) && ir_is_const(ir, b)) {
        uint64_t k = op == IR_ADD ? ir->op[b].k : -ir->op[b].k;
        struct ir_op *p = &ir->op[a];
        if (p->op == IR_ADD && p->sf == sf && ir_is_const(ir, p->b) && !p->in_var) {
            ir_ref base = p->a;
            k += ir->op[p->b].k;
            if (k == 0 && sf) {
                return base;
            }
            return ir_emit(ir, IR_ADD, sf, base, ir_const(ir, sf ? k : (uint32_t)k), 0, 0);
        }
        if (op == IR_SUB) {
            return ir_emit(ir, IR_ADD, sf, a, ir_const(ir, sf ? k : (uint32_t)k), 0, 0);
        }
    }
    if (op == IR_ADD && (is_scaled(ir, sf, a) || is_scaled(ir, sf, b))) {
        if (!is_scaled(ir, sf, b)) {
            ir_ref t = a;
            a = b;
            b = t;
        }
        r = ir_emit(ir, IR_ADDSH, sf, a, ir->op[b].a, 0, 0);
        ir->op[r].cc = ir->op[ir->op[b].b].k;
        return r;
    }
    return ir_emit(ir, op, sf, a, b, 0, 0);
}

ir_ref ir_not(struct ir *ir, bool sf, ir_ref a)
{
    if (ir_is_const(ir, a)) {
        return ir_const(ir, ~ir->op[a].k & width_mask(sf));
    }
    return ir_emit(ir, IR_NOT, sf, a, 0, 0, 0);
}

ir_ref ir_zx32(struct ir *ir, ir_ref a)
{
    return ir->op[a].hi0 ? a : ir_ubfx(ir, true, a, 0, 32);
}

ir_ref ir_ubfx(struct ir *ir, bool sf, ir_ref a, unsigned lsb, unsigned width)
{
    uint64_t m = width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
    ir_ref r;

    if (ir_is_const(ir, a)) {
        return ir_const(ir, ir->op[a].k >> lsb & m);
    }
    if (width == 64 || (width == 32 && lsb == 0 && ir->op[a].hi0)) {
        return a;
    }
    r = ir_emit(ir, IR_UBFX, sf, a, 0, 0, lsb);
    ir->op[r].cc = width;
    ir->op[r].hi0 = width <= 32;
    return r;
}

ir_ref ir_sbfx(struct ir *ir, bool sf, ir_ref a, unsigned lsb, unsigned width)
{
    ir_ref r;

    if (ir_is_const(ir, a)) {
        uint64_t k = (uint64_t)((int64_t)(ir->op[a].k << (64 - width - lsb)) >> (64 - width));
        return ir_const(ir, k & width_mask(sf));
    }
    if (width == 64) {
        return a;
    }
    r = ir_emit(ir, IR_SBFX, sf, a, 0, 0, lsb);
    ir->op[r].cc = width;
    return r;
}

ir_ref ir_bfi(struct ir *ir, bool sf, ir_ref into, ir_ref a, unsigned lsb, unsigned width)
{
    uint64_t m = width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
    ir_ref r;

    if (ir_is_const(ir, a) && ir_is_const(ir, into)) {
        return ir_const(ir, ((ir->op[into].k & ~(m << lsb)) | (ir->op[a].k & m) << lsb) &
                            width_mask(sf));
    }
    if (lsb == 0 && width == (sf ? 64 : 32)) {
        return sf ? a : ir_zx32(ir, a);
    }
    r = ir_emit(ir, IR_BFI, sf, into, a, 0, lsb);
    ir->op[r].cc = width;
    return r;
}

ir_ref ir_cmp(struct ir *ir, bool sf, enum ir_cmp op, ir_ref a, ir_ref b)
{
    const struct ir_op *p;
    ir_ref r;

    if (ir_is_const(ir, a) && ir_is_const(ir, b)) {
        uint64_t x = ir->op[a].k, y = ir->op[b].k;
        int64_t xs = sf ? (int64_t)x : (int32_t)x, ys = sf ? (int64_t)y : (int32_t)y;
        x &= width_mask(sf);
        y &= width_mask(sf);
        bool t = op == IR_EQ ? x == y : op == IR_NE ? x != y : op == IR_LTU ? x < y
               : op == IR_GEU ? x >= y : op == IR_LTS ? xs < ys : xs >= ys;
        return ir_const(ir, t);
    }
    p = &ir->op[a];
    if (op <= IR_NE && p->op == IR_AND && p->sf == sf && !p->in_var && ir_is_const(ir, b) &&
        ir->op[b].k == 0) {
        r = ir_emit(ir, IR_CMP, sf, p->a, p->b, 0, 0);
        ir->op[r].cc = op == IR_EQ ? IR_ZERO : IR_NONZERO;
    } else {
        r = ir_emit(ir, IR_CMP, sf, a, b, 0, 0);
        ir->op[r].cc = op;
    }
    ir->op[r].hi0 = true;
    return r;
}

ir_ref ir_sel(struct ir *ir, ir_ref c, ir_ref a, ir_ref b)
{
    ir_ref r;

    if (ir_is_const(ir, c)) {
        return ir->op[c].k ? a : b;
    }
    if (a == b) {
        return a;
    }
    if (ir_is_const(ir, a) && ir_is_const(ir, b) && ir->op[a].k == 1 && ir->op[b].k == 0) {
        return c;
    }
    r = ir_emit(ir, IR_SEL, true, a, b, c, 0);
    ir->op[r].hi0 = ir->op[a].hi0 && ir->op[b].hi0;
    return r;
}

ir_ref ir_cond(struct ir *ir, unsigned cc)
{
    ir_ref r;

    if (cc >= 14) {
        return ir_const(ir, 1);
    }
    r = ir_emit(ir, IR_COND, true, 0, 0, 0, 0);
    ir->op[r].cc = cc;
    ir->op[r].hi0 = true;
    return r;
}

ir_ref ir_flagop(struct ir *ir, enum ir_opcode op, bool sf, ir_ref a, ir_ref b)
{
    ir_ref r = ir_emit(ir, op, sf, a, b, 0, 0);

    ir->flags = r;
    return r;
}

void ir_forget_vars(struct ir *ir)
{
    memset(ir->var, 0, sizeof(ir->var));
}

void ir_label(struct ir *ir, unsigned label, bool is_loop)
{
    ir_ref r;

    ir->is_region = true;
    ir_forget_vars(ir);
    ir->flags = 0;
    r = ir_emit(ir, IR_LABEL, true, 0, 0, 0, label);
    ir->op[r].x = is_loop;
}

static void use(struct ir *ir, ir_ref v, unsigned at)
{
    if (v && !ir->op[v].last) {
        ir->op[v].last = at;
    }
}

/* Whether the operation `at` can test the condition value itself, so that the 0/1 is not made.
 * A COND must still find its flags current. */
static bool fuses(const struct ir *ir, ir_ref c, unsigned at)
{
    const struct ir_op *p = &ir->op[c];

    return p->op == IR_CMP || (p->op == IR_COND && p->f == ir->op[at].f);
}

static void use_flags(struct ir *ir, ir_ref f, unsigned at)
{
    if (f && !ir->op[f].flast) {
        ir->op[f].flast = at;
    }
}

static void use_operands(struct ir *ir, unsigned i)
{
    struct ir_op *p = &ir->op[i];
    uint8_t attr = ir_attr[p->op];

    use(ir, p->a, i);
    use(ir, p->b, i);
    if (p->c && (p->op == IR_SEL || p->op == IR_EXITC || p->op == IR_JUMPC) &&
        fuses(ir, p->c, i)) {
        use(ir, ir->op[p->c].a, i);
        use(ir, ir->op[p->c].b, i);
        if (ir->op[p->c].op == IR_COND) {
            use_flags(ir, p->f, i);
        }
        p->x = 1;                       /* fused */
    } else {
        use(ir, p->c, i);
    }
    if (p->f && ((attr & IR_A_EXACT) || ((attr & IR_A_FUSE) && p->op != IR_SEL) || p->live)) {
        use_flags(ir, p->f, i);
    }
}

/* Which labels are reached with flags that somebody needs: until nothing changes. */
static void flags_over_labels(struct ir *ir)
{
    bool live[IR_LABELS_MAX] = { false }, again = true;

    while (again) {
        unsigned label = 0;
        again = false;
        for (unsigned i = 1; i < ir->n; i++) {
            struct ir_op *p = &ir->op[i];
            uint8_t attr = ir_attr[p->op];
            if (p->op == IR_LABEL) {
                label = p->k;
                continue;
            }
            if (p->op == IR_JUMP || p->op == IR_JUMPC) {
                p->live = live[p->k];
            }
            if (!p->f && !live[label] &&
                (p->live || (attr & (IR_A_EXACT | IR_A_FUSE)))) {
                live[label] = again = true;
            }
        }
    }
}

/* Variables, in the backward pass. */
struct vars {
    uint64_t dead;              /* written below before anybody can look */
    uint64_t hinted;            /* a PUT below has hinted its value, `value` … */
    ir_ref value[IR_VAR_N];
};

/* Somebody can see these variables here: a value defined above is not to be computed in place. */
static void seen(struct ir *ir, struct vars *v, uint64_t vars, unsigned at)
{
    for (uint64_t m = v->hinted & vars; m; m &= m - 1) {
        unsigned var = __builtin_ctzll(m);
        struct ir_op *p = &ir->op[v->value[var]];
        if (v->value[var] < at && p->hint == (int8_t)var) {
            p->hint = -1;
        }
    }
    v->hinted &= ~vars;
    v->dead &= ~vars;
}

/* False: nobody can see it. */
static bool finish_put(struct ir *ir, struct vars *v, struct ir_op *p)
{
    uint64_t bit = UINT64_C(1) << p->k;

    if (v->dead & bit) {
        p->op = IR_NOP;
        p->x = IR_WAS_PUT;
        return false;
    }
    v->dead |= bit;
    v->hinted |= bit;
    v->value[p->k] = p->a;
    ir->op[p->a].hint = p->k;           /* the earliest PUT wins */
    return true;
}

static void flags_unused(struct ir_op *p)
{
    switch (p->op) {
    case IR_ADDS: p->op = IR_ADD; break;
    case IR_SUBS: p->op = IR_SUB; break;
    case IR_ADCS: p->op = IR_ADC; break;
    case IR_SBCS: p->op = IR_SBC; break;
    case IR_VFCMP: case IR_VFCCMP: break;       /* FPSR */
    default: p->op = IR_NOP; break;
    }
}

void ir_finish(struct ir *ir)
{
    struct vars v;

    v.dead = v.hinted = 0;
    if (ir->is_region) {
        flags_over_labels(ir);
    }
    for (unsigned i = ir->n - 1; i > 0; i--) {
        struct ir_op *p = &ir->op[i];
        uint8_t attr = ir_attr[p->op];

        if ((attr & IR_A_FDEF) && !p->flast) {
            flags_unused(p);
            attr = ir_attr[p->op];
        }
        if (!(attr & IR_A_EFFECT) && !p->last && !p->flast &&
            !((p->op == IR_V1 || p->op == IR_V2 || p->op == IR_V3) && p->x)) {  /* FPSR */
            /* A fused condition stays, for its user to look at. */
            if (p->op != IR_COND && p->op != IR_CMP) {
                p->op = IR_NOP;
            }
            continue;
        }
        if (p->op == IR_PUT || p->op == IR_VPUT) {
            if (!finish_put(ir, &v, p)) {
                continue;
            }
        } else if (p->op == IR_GET || p->op == IR_VGET) {
            seen(ir, &v, UINT64_C(1) << p->k, i);
        } else if (attr & (IR_A_EXACT | IR_A_JOIN)) {
            seen(ir, &v, UINT64_MAX, i);
        }
        use_operands(ir, i);
    }
}
