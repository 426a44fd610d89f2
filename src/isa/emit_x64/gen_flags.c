/* SPDX-License-Identifier: Apache-2.0 */
/* Where NZCV is: in EFLAGS (ef), in memory (mf), or not computed but known how to (df), for as
 * long as the guest registers it came from are what they were. */
#include "isa/emit_x64/gen.h"

#include "isa/emit_x64/gen_fp.h"
#include "isa/emit_x64/gen_int.h"

#include <assert.h>

/* Is it the flags of a floating-point comparison, as UCOMIS leaves them, that EFLAGS holds? */
bool gen_ef_is_fp(const struct gen *g)
{
    return g->ef && g->ef_fp && g->ir->op[g->ef].op == IR_VFCMP;
}

void gen_store_eflags(struct gen *g, bool inverted)
{
    if (inverted) {
        x64_b(&g->c, 0xf5);             /* cmc */
    }
    x64_b(&g->c, 0x9f);                 /* lahf */
    x64_setcc(&g->c, CC_O, RAX);
    x64_b(&g->c, 0x66);
    x64_store(&g->c, false, gen_at(g, g->guest->nzcv), RAX);
}

/* ---- flags that are computed again when somebody needs them ---- */
/* A value that will still be found later: a constant or in a guest variable. */
static bool is_kept(const struct gen *g, ir_ref v, bool sf, struct gen_operand *o)
{
    const struct ir_op *p = &g->ir->op[v];

    if (p->op == IR_CONST) {
        o->var = -1;
        o->k = p->k;
        return !sf || (int64_t)p->k == (int32_t)p->k;
    }
    o->var = g->val[v].var;
    return o->var >= 0 && o->var < IR_VAR_VEC;
}

static bool recipe_of(const struct gen *g, ir_ref f, struct gen_recipe *r)
{
    const struct ir_op *p = &g->ir->op[f], *v;

    *r = (struct gen_recipe){ .sf = p->sf };
    switch (p->op) {
    case IR_SUBS: case IR_ADDS:
        r->alu = p->op == IR_SUBS ? ALU_SUB : ALU_ADD;
        if (!is_kept(g, p->b, p->sf, &r->b)) {
            return false;
        }
        if (is_kept(g, p->a, p->sf, &r->a)) {
            return true;
        }
        /* x - b is still there: x = (x - b) + b */
        r->from_result = true;
        return is_kept(g, f, p->sf, &r->a);
    case IR_LOGF:
        v = &g->ir->op[p->a];
        r->alu = ALU_AND;
        r->b = (struct gen_operand){ .var = -1, .k = -1 };
        if (is_kept(g, p->a, p->sf, &r->a)) {
            return true;
        }
        return v->op == IR_AND && v->sf == p->sf && is_kept(g, v->a, p->sf, &r->a) &&
               is_kept(g, v->b, p->sf, &r->b);
    default:
        return false;
    }
}

static bool defer(struct gen *g, ir_ref f)
{
    struct gen_recipe r;

    if (!recipe_of(g, f, &r)) {
        return false;
    }
    g->df = f;
    g->recipe = r;
    return true;
}

static void alu_operand(struct gen *g, enum x64_alu alu, bool sf, const struct gen_operand *o)
{
    if (o->var < 0) {
        x64_alu_ri(&g->c, alu, sf, RAX, o->k);
    } else if (g->home[o->var] >= 0) {
        x64_alu_rr(&g->c, alu, sf, RAX, g->home[o->var]);
    } else {
        x64_alu_rm(&g->c, alu, sf, RAX, gen_at(g, g->guest->var[o->var]));
    }
}

bool gen_recipe_emit(struct gen *g, const struct gen_recipe *r)
{
    if (r->a.var < 0) {
        x64_mov_ri(&g->c, RAX, r->sf ? (uint64_t)r->a.k : (uint32_t)r->a.k);
    } else if (g->home[r->a.var] >= 0) {
        x64_mov_rr(&g->c, true, RAX, g->home[r->a.var]);
    } else {
        x64_load(&g->c, true, RAX, gen_at(g, g->guest->var[r->a.var]));
    }
    if (r->from_result) {
        alu_operand(g, r->alu == ALU_SUB ? ALU_ADD : ALU_SUB, r->sf, &r->b);
    }
    alu_operand(g, r->alu, r->sf, &r->b);
    return r->alu == ALU_SUB;
}

static void recompute(struct gen *g)
{
    g->ef_inv = gen_recipe_emit(g, &g->recipe);
    g->ef = g->df;
    g->ef_fp = 0;
    g->logic = 0;
}

bool gen_flags_depend(const struct gen *g, unsigned var)
{
    return g->df && g->mf != g->df && g->ir->op[g->df].flast > g->i &&
           (g->recipe.a.var == (int)var || g->recipe.b.var == (int)var);
}

void gen_flags_keep(struct gen *g, unsigned var)
{
    if (gen_flags_depend(g, var)) {
        gen_flags_sync(g, g->df);
        g->df = 0;
    }
}

const struct gen_recipe *gen_flags_for_stub(struct gen *g, ir_ref f)
{
    if (g->mf != f && g->ef == f) {
        gen_clobber_ef(g);
    }
    if (g->mf == f) {
        return NULL;
    }
    if (g->df != f) {
        g->failed = true;
        return NULL;
    }
    return &g->recipe;
}

void gen_flags_sync(struct gen *g, ir_ref f)
{
    if (g->mf == f) {
        return;
    }
    if (g->ef != f && g->df == f) {
        recompute(g);
    }
    if (g->ef != f) {
        g->failed = true;       /* cannot be: flags are saved before they are destroyed */
        return;
    }
    if (gen_ef_is_fp(g)) {
        gen_fp_flags_store(g);
        g->mf = f;
        return;
    }
    gen_store_eflags(g, g->ef_inv);
    g->ef_inv = false;
    g->mf = f;
}

void gen_clobber_ef(struct gen *g)
{
    if (g->ef && g->mf != g->ef && g->ir->op[g->ef].flast >= g->i && !defer(g, g->ef)) {
        gen_flags_sync(g, g->ef);
    }
    g->ef = 0;
    g->logic = 0;
}

/* EFLAGS become those of `f`, with Arm's carry. */
void gen_flags_load(struct gen *g, ir_ref f)
{
    if (g->ef == f && f) {
        if (!gen_ef_is_fp(g)) {
            return;
        }
        gen_flags_sync(g, f);
    }
    if (g->mf != f && g->df == f) {
        recompute(g);
        return;
    }
    assert(g->mf == f || g->failed);
    x64_rm(&g->c, 0xb7 | OP_0F, RAX, gen_at(g, g->guest->nzcv));       /* movzx eax, word */
    x64_rr(&g->c, 0x80, 0, RAX);                                        /* add al, 0x7f */
    x64_b(&g->c, 0x7f);
    x64_b(&g->c, 0x9e);                                                 /* sahf */
    g->ef = f;
    g->ef_inv = false;
    g->ef_fp = 0;
    g->logic = 0;
}

void gen_carry(struct gen *g, ir_ref f, bool inverted)
{
    gen_flags_load(g, f);
    if (g->ef_inv != inverted) {
        x64_b(&g->c, 0xf5);             /* cmc */
        g->ef_inv = inverted;
    }
}

enum x64_cc gen_cc(struct gen *g, ir_ref f, unsigned arm_cc)
{
    static const uint8_t memory_bit[4] = { 14 - 8, 8 - 8, 15 - 8, 0 };
    static const uint8_t plain[16] = {
        CC_E, CC_NE, CC_B, CC_AE, CC_S, CC_NS, CC_O, CC_NO, CC_A, CC_BE, CC_GE, CC_L, CC_G, CC_LE,
    };

    if (f && g->ef == f && gen_ef_is_fp(g)) {
        int cc = gen_fp_cc(g, arm_cc);
        if (cc >= 0) {
            return cc;
        }
        gen_flags_sync(g, f);
        g->ef = 0;
    }
    if (f && g->ef != f && g->mf != f && g->df == f) {
        recompute(g);
    }
    if ((g->ef != f || !f) && arm_cc < 8) {
        /* One flag of those in memory. */
        int32_t off = g->guest->nzcv + (arm_cc >> 1 == 3 ? 0 : 1);
        assert(g->mf == f || g->failed);
        g->ef = 0;
        g->logic = 0;
        x64_rm(&g->c, 0xf6, 0, gen_at(g, off));                         /* test byte */
        x64_b(&g->c, 1u << memory_bit[arm_cc >> 1]);
        return arm_cc & 1 ? CC_E : CC_NE;
    }
    switch (arm_cc) {
    case 2: case 3:
        gen_flags_load(g, f);
        return plain[arm_cc] ^ (g->ef_inv ? 1 : 0);
    case 8: case 9:
        gen_carry(g, f, true);          /* x86's A and BE are for an inverted carry */
        return plain[arm_cc];
    default:
        gen_flags_load(g, f);
        return plain[arm_cc];
    }
}
