/* SPDX-License-Identifier: Apache-2.0 */
/* Register allocation, flags and block frame; gen_int.c, gen_mem.c and gen_vec.c emit. */
#include "isa/emit_x64/gen.h"

#include "base/base.h"
#include "isa/emit_x64/gen_fp.h"
#include "isa/emit_x64/gen_int.h"

#include <assert.h>
#include <string.h>

#define BLOCK_TEMPS (1u << RCX | 1u << RDX | 1u << RSI | 1u << RDI)
#define BLOCK_VTEMPS 0x3fffu

/* By variable; -1 = in memory. */
static const int8_t pins[IR_VAR_N] = {
    R8, R9, R10, R11, RBX, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, R12, R13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, R14,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

int gen_pinned(unsigned var)
{
    return pins[var];
}

struct x64_mem gen_at(const struct gen *g, int32_t off)
{
    return x64_at(RBP, off - GEN_BIAS);
}

static struct x64_mem spill_at(int slot, bool vec)
{
    return x64_at(RSP, vec ? GEN_VSPILLS_AT + slot * 16 : GEN_SPILLS_AT + slot * 8);
}

static bool is_vec(const struct gen *g, ir_ref v)
{
    return ir_attr[g->ir->op[v].op] & IR_A_VEC;
}

static bool live_after(const struct gen *g, ir_ref v)
{
    return g->ir->op[v].last > g->i;
}

static int spill_alloc(struct gen *g, bool vec)
{
    uint32_t *used = vec ? &g->vspills : &g->spills;
    int s;

    if (!~*used) {
        g->failed = true;
        return 0;
    }
    s = __builtin_ctz(~*used);
    *used |= 1u << s;
    return s;
}

/* Somewhere but in a scratch register (or, `in_mem`, somewhere but in any register)? */
static bool has_home(const struct gen *g, ir_ref v)
{
    return g->ir->op[v].op == IR_CONST || g->ir->op[v].op == IR_VCONST ||
           g->val[v].var >= 0 || g->val[v].spill >= 0;
}

static void reg_to_spill(struct gen *g, ir_ref v, int reg)
{
    bool vec = is_vec(g, v);

    if (g->val[v].spill < 0) {
        g->val[v].spill = spill_alloc(g, vec);
        if (vec) {
            x64_vm(&g->c, 0x29 | OP_0F, reg, 0, spill_at(g->val[v].spill, true));
        } else {
            x64_store(&g->c, true, spill_at(g->val[v].spill, false), reg);
        }
    }
}

static void evict(struct gen *g, int reg, bool vec)
{
    uint16_t *file = vec ? g->xmm : g->host;
    ir_ref v = file[reg];

    if (!v) {
        return;
    }
    if (!has_home(g, v) && g->ir->op[v].last >= g->i) {
        reg_to_spill(g, v, reg);
    }
    g->val[v].reg = -1;
    file[reg] = 0;
}

static int alloc(struct gen *g, bool vec)
{
    uint16_t *file = vec ? g->xmm : g->host;
    uint16_t *locked = vec ? &g->vlocked : &g->locked;
    unsigned mask = (vec ? g->vtemps : g->temps) & ~*locked;
    int best = -1;
    unsigned best_score = 0, free;

    if (!mask) {
        g->failed = true;
        return vec ? 0 : RCX;
    }
    free = mask & ~gen_used(file);
    if (free) {
        best = __builtin_ctz(free);
        *locked |= 1u << best;
        return best;
    }
    for (unsigned m = mask; m; m &= m - 1) {
        int r = __builtin_ctz(m);
        unsigned score = g->ir->op[file[r]].last + (has_home(g, file[r]) ? 0x10000 : 0);
        if (best < 0 || score > best_score) {
            best = r;
            best_score = score;
        }
    }
    evict(g, best, vec);
    *locked |= 1u << best;
    return best;
}

int gen_tmp(struct gen *g)
{
    return alloc(g, false);
}

int gen_vtmp(struct gen *g)
{
    return alloc(g, true);
}

void gen_free_reg(struct gen *g, int reg)
{
    ir_ref v = g->host[reg];

    if (v) {
        evict(g, reg, false);
    }
    g->locked |= 1u << reg;
}

static void assign(struct gen *g, ir_ref v, int reg, bool vec)
{
    (vec ? g->xmm : g->host)[reg] = v;
    g->val[v].reg = reg;
}

/* Where the variable `var` is: only for variables in memory. */
static struct x64_mem var_at(const struct gen *g, unsigned var)
{
    return gen_at(g, g->guest->var[var]);
}

int gen_use(struct gen *g, ir_ref v)
{
    const struct ir_op *p = &g->ir->op[v];
    int r = g->val[v].reg, pin;

    if (r >= 0) {
        g->locked |= 1u << r;
        return r;
    }
    if (g->val[v].var >= 0 && (pin = g->home[g->val[v].var]) >= 0) {
        return pin;
    }
    r = alloc(g, false);
    if (p->op == IR_CONST) {
        x64_mov_ri(&g->c, r, p->k);
    } else if (g->val[v].var >= 0) {
        x64_load(&g->c, true, r, var_at(g, g->val[v].var));
    } else if (g->val[v].spill >= 0) {
        x64_load(&g->c, true, r, spill_at(g->val[v].spill, false));
    } else {
        g->failed = true;       /* cannot be: a live value is somewhere */
    }
    assign(g, v, r, false);
    return r;
}

int gen_vuse(struct gen *g, ir_ref v)
{
    int r = g->val[v].reg;

    if (r >= 0) {
        g->vlocked |= 1u << r;
        return r;
    }
    if (g->val[v].var >= 0 && g->home[g->val[v].var] >= 0) {
        return g->home[g->val[v].var];
    }
    r = alloc(g, true);
    if (g->ir->op[v].op == IR_VCONST) {
        gen_vconst(g, r, g->ir->op[v].k, g->ir->op[v].k2);
    } else if (g->val[v].var >= 0) {
        x64_vm(&g->c, 0x28 | OP_0F, r, 0, var_at(g, g->val[v].var));
    } else if (g->val[v].spill >= 0) {
        x64_vm(&g->c, 0x28 | OP_0F, r, 0, spill_at(g->val[v].spill, true));
    } else {
        g->failed = true;
    }
    assign(g, v, r, true);
    return r;
}

struct x64_mem gen_vslot(struct gen *g, ir_ref v)
{
    if (g->val[v].var >= 0 && g->home[g->val[v].var] < 0) {
        return var_at(g, g->val[v].var);
    }
    if (g->val[v].spill < 0) {
        reg_to_spill(g, v, gen_vuse(g, v));
    }
    return spill_at(g->val[v].spill, true);
}

/* Makes sure that the value now known to be in `var` survives a write to the variable. */
static void var_release(struct gen *g, unsigned var)
{
    ir_ref v = g->var_cur[var];
    int pin, r;

    g->var_cur[var] = 0;
    if (!v || g->val[v].var != (int)var) {
        return;
    }
    g->val[v].var = -1;
    if (g->ir->op[v].last <= g->i || g->val[v].reg >= 0 || g->val[v].spill >= 0 ||
        g->ir->op[v].op == IR_CONST) {
        return;
    }
    pin = g->home[var];
    if (is_vec(g, v)) {
        r = alloc(g, true);
        if (pin >= 0) {
            x64_v(&g->c, 0x28 | OP_0F, r, 0, pin);
        } else {
            x64_vm(&g->c, 0x28 | OP_0F, r, 0, var_at(g, var));
        }
        assign(g, v, r, true);
        return;
    }
    r = alloc(g, false);
    if (pin >= 0) {
        x64_mov_rr(&g->c, true, r, pin);
    } else {
        x64_load(&g->c, true, r, var_at(g, var));
    }
    assign(g, v, r, false);
}

/* The register of the variable that `v` will be put into, if it can be computed there; else -1. */
static int def_in_home(struct gen *g, ir_ref v)
{
    int hint = g->ir->op[v].hint, pin = hint >= 0 ? g->home[hint] : -1;
    ir_ref old;

    if (pin < 0 || gen_flags_depend(g, hint)) {
        return -1;
    }
    old = g->var_cur[hint];
    if (old && g->val[old].var == hint) {
        if (g->ir->op[old].last > g->i && g->val[old].reg < 0 && g->val[old].spill < 0) {
            return -1;
        }
        g->val[old].var = -1;
    }
    g->var_cur[hint] = v;
    g->val[v].var = hint;
    return pin;
}

int gen_def(struct gen *g, ir_ref v)
{
    int r = def_in_home(g, v);

    if (r >= 0) {
        return r;
    }
    r = alloc(g, false);
    assign(g, v, r, false);
    return r;
}

int gen_vdef_one(struct gen *g, ir_ref v)
{
    int r = def_in_home(g, v);

    if (r < 0) {
        r = alloc(g, true);
        assign(g, v, r, true);
    }
    return r;
}

int gen_vdef(struct gen *g, ir_ref v)
{
    const struct ir_op *p = &g->ir->op[v];
    ir_ref old = p->hint >= 0 ? g->var_cur[p->hint] : 0;
    int r;

    if (!old || (old != p->a && old != p->b && old != p->c)) {
        return gen_vdef_one(g, v);
    }
    r = alloc(g, true);
    assign(g, v, r, true);
    return r;
}

/* ---- calls ---- */
static void save_regs(struct gen *g, uint16_t file[16], bool clobber)
{
    for (unsigned m = gen_used(file); m; m &= m - 1) {
        int r = __builtin_ctz(m);
        ir_ref v = file[r];
        unsigned o = g->ir->op[v].op;

        if (live_after(g, v) && (clobber || !has_home(g, v)) && o != IR_CONST && o != IR_VCONST) {
            reg_to_spill(g, v, r);
        }
        g->val[v].reg = -1;
        file[r] = 0;
    }
}

/* Before a call that destroys the scratch registers (and, `clobber`, the variables). */
void gen_save_live(struct gen *g, bool clobber)
{
    save_regs(g, g->host, clobber);
    save_regs(g, g->xmm, clobber);
    for (unsigned var = 0; clobber && var < IR_VAR_N; var++) {
        ir_ref v = g->var_cur[var];
        g->var_cur[var] = 0;
        if (!v || g->val[v].var != (int)var) {
            continue;
        }
        if (live_after(g, v) && g->val[v].spill < 0 && g->ir->op[v].op != IR_CONST) {
            int pin = g->home[var];
            if (pin < 0 && var >= IR_VAR_VEC) {
                pin = 14;
                x64_vm(&g->c, 0x28 | OP_0F, 14, 0, var_at(g, var));
            } else if (pin < 0) {
                pin = RAX;
                x64_load(&g->c, true, RAX, var_at(g, var));
            }
            reg_to_spill(g, v, pin);
        }
        g->val[v].var = -1;
    }
}

struct gen_stub *gen_stub(struct gen *g, unsigned kind)
{
    static const struct gen_stub none = { .a = -1, .d1 = -1, .d2 = -1, .vec1 = -1, .vec2 = -1 };
    struct gen_stub *s;

    if (g->stub_n == GEN_STUBS_MAX) {
        g->failed = true;
        g->stub_n--;
    }
    s = &g->stub[g->stub_n++];
    *s = none;
    s->kind = kind;
    s->page = g->page;
    return s;
}

/* ---- variables ---- */
static void put(struct gen *g, const struct ir_op *p)
{
    unsigned var = p->k;
    int pin = g->home[var], r;
    const struct ir_op *v = &g->ir->op[p->a];

    if (g->var_cur[var] == p->a && g->val[p->a].var == (int)var) {
        return;                         /* computed in place */
    }
    gen_flags_keep(g, var);
    var_release(g, var);
    if (v->op == IR_CONST) {
        if (pin >= 0) {
            x64_mov_ri(&g->c, pin, v->k);
        } else if ((int64_t)v->k == (int32_t)v->k) {
            x64_store_i(&g->c, true, var_at(g, var), v->k);
        } else {
            x64_store(&g->c, true, var_at(g, var), gen_use(g, p->a));
        }
    } else {
        r = g->val[p->a].reg;
        if (pin >= 0 && r < 0 && g->val[p->a].var >= 0 && g->home[g->val[p->a].var] < 0) {
            x64_load(&g->c, true, pin, var_at(g, g->val[p->a].var));
        } else if (pin >= 0) {
            x64_mov_rr(&g->c, true, pin, gen_use(g, p->a));
        } else {
            x64_store(&g->c, true, var_at(g, var), gen_use(g, p->a));
        }
    }
    if (g->val[p->a].var < 0) {
        g->val[p->a].var = var;
        g->var_cur[var] = p->a;
        r = g->val[p->a].reg;
        if (pin >= 0 && r >= 0) {
            g->host[r] = 0;
            g->val[p->a].reg = -1;
        }
    }
}

static void vput(struct gen *g, const struct ir_op *p)
{
    unsigned var = p->k;
    int r, pin = g->home[var];

    if (g->var_cur[var] == p->a && g->val[p->a].var == (int)var) {
        return;                         /* computed in place */
    }
    var_release(g, var);
    if (pin >= 0 && g->ir->op[p->a].op == IR_VCONST && g->val[p->a].reg < 0) {
        gen_vconst(g, pin, g->ir->op[p->a].k, g->ir->op[p->a].k2);
    } else if (pin >= 0) {
        x64_v(&g->c, 0x28 | OP_0F, pin, 0, gen_vuse(g, p->a));
    } else {
        x64_vm(&g->c, 0x29 | OP_0F, gen_vuse(g, p->a), 0, var_at(g, var));
    }
    if (g->val[p->a].var < 0) {
        g->val[p->a].var = var;
        g->var_cur[var] = p->a;
        r = g->val[p->a].reg;
        if (pin >= 0 && r >= 0) {
            g->xmm[r] = 0;
            g->val[p->a].reg = -1;
        }
    }
}

/* Variables as they are at the block's entry, or after a call that may have changed them. */
static void get(struct gen *g, const struct ir_op *p)
{
    if (!p->last) {
        return;
    }
    assert(!g->var_cur[p->k] || g->val[g->var_cur[p->k]].var != (int)p->k);
    g->val[g->i].var = p->k;
    g->var_cur[p->k] = g->i;
}

/* Helper call: arguments to scratch[], EAX = helper, then the shared routine. */
static void call(struct gen *g, const struct ir_op *p)
{
    const ir_ref arg[3] = { p->a, p->b, p->c };
    uint8_t *over = NULL;
    bool pure = p->op == IR_CALLP;

    if (!pure) {
        gen_flags_sync(g, p->f);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (arg[i]) {
            const struct ir_op *v = &g->ir->op[arg[i]];
            struct x64_mem m = gen_at(g, g->guest->scratch + 8 * i);
            if (v->op == IR_CONST && (int64_t)v->k == (int32_t)v->k) {
                x64_store_i(&g->c, true, m, v->k);
            } else {
                x64_store(&g->c, true, m, gen_use(g, arg[i]));
            }
            g->locked = 0;
        }
    }
    if (p->op == IR_CALLC && p->x) {
        x64_store_i(&g->c, true, gen_at(g, g->guest->scratch + 24), p->k2);
        gen_region_save(g);
        x64_mov_ri(&g->c, RAX, p->pc | p->k << 12);
        x64_jmp_to(&g->c, g->thunk[g->homes ? GEN_T_END_RAW : GEN_T_END]);
        return;
    }
    gen_clobber_ef(g);
    gen_save_live(g, p->op == IR_CALLC);
    if (p->k >> 32) {                   /* only if one of these bits is set */
        x64_rm(&g->c, 0xf7, 0, gen_at(g, g->guest->attention));         /* test dword */
        x64_d(&g->c, p->k >> 32);
        over = x64_jcc(&g->c, CC_E);
    }
    g->groups_ready &= pure ? UINT16_MAX : 0;
    gen_region_save(g);
    if (pure) {
        x64_mov_ri(&g->c, RAX, p->k);
        x64_call(&g->c, g->thunk[GEN_T_PURE]);
    } else {
        x64_store_i(&g->c, true, gen_at(g, g->guest->scratch + 24), p->k2);
        x64_mov_ri(&g->c, RAX, p->pc | (uint32_t)p->k << 12);
        x64_call(&g->c, g->thunk[g->homes ? GEN_T_CALL_RAW : GEN_T_CALL]);
    }
    gen_region_load(g);
    if (over) {
        x64_patch(over, g->c.p);
    }
    if (p->op == IR_CALLC) {
        g->mf = g->df = 0;      /* from here on "those in memory" */
    }
    if (p->last) {
        x64_load(&g->c, true, gen_def(g, g->i), gen_at(g, g->guest->scratch));
    }
}

static void ldenv(struct gen *g, const struct ir_op *p)
{
    int d = gen_def(g, g->i);
    struct x64_mem m = gen_at(g, p->k);

    switch (p->cc) {
    case 0: x64_rm(&g->c, 0xb6 | OP_0F, d, m); break;
    case 1: x64_rm(&g->c, 0xb7 | OP_0F, d, m); break;
    default: x64_load(&g->c, p->cc == 3, d, m); break;
    }
}

static void stenv(struct gen *g, const struct ir_op *p)
{
    struct x64_mem m = gen_at(g, p->k);
    const struct ir_op *v = &g->ir->op[p->a];
    int r;

    if (v->op == IR_CONST && p->cc == 0) {
        x64_rm(&g->c, 0xc6, 0, m);
        x64_b(&g->c, v->k);
        return;
    }
    if (v->op == IR_CONST && p->cc == 3 && (int64_t)v->k == (int32_t)v->k) {
        x64_store_i(&g->c, true, m, v->k);
        return;
    }
    r = gen_use(g, p->a);

    switch (p->cc) {
    case 0: x64_rm(&g->c, 0x88 | OP_BYTE_REG, r, m); break;
    case 1: x64_rm(&g->c, 0x89 | OP_66, r, m); break;
    default: x64_store(&g->c, p->cc == 3, m, r); break;
    }
}

static void generate(struct gen *g, const struct ir_op *p)
{
    switch (p->op) {
    case IR_NOP: case IR_CONST: case IR_VCONST: case IR_SECOND:
        break;
    case IR_GET: case IR_VGET:
        get(g, p);
        break;
    case IR_PUT:
        put(g, p);
        break;
    case IR_VPUT:
        vput(g, p);
        break;
    case IR_LDENV:
        ldenv(g, p);
        break;
    case IR_STENV:
        stenv(g, p);
        break;
    case IR_LOAD: case IR_LOAD2: case IR_STORE: case IR_STORE2: case IR_VLOAD: case IR_VSTORE:
    case IR_ATOMIC: case IR_CAS: case IR_FENCE:
        gen_mem(g);
        break;
    case IR_PAC:
        gen_pac(g);
        break;
    case IR_CALL: case IR_CALLC: case IR_CALLP:
        call(g, p);
        break;
    case IR_EXITC: case IR_EXIT: case IR_EXITR:
        gen_leave(g, p);
        break;
    case IR_LABEL:
        g->page = p->cc;
        gen_label(g, p);
        break;
    case IR_CROSS:
        gen_cross(g, p);
        break;
    case IR_JUMP: case IR_JUMPC:
        gen_jump_op(g, p);
        break;
    case IR_VFROM: case IR_VTO: case IR_VINS: case IR_VDUP: case IR_VLOW:
    case IR_V1: case IR_V2: case IR_V3: case IR_VCALL:
        gen_vec(g);
        break;
    case IR_VI2F: case IR_VF2I: case IR_VFCMP: case IR_VFCCMP:
        gen_fp(g);
        break;
    default:
        gen_int(g);
        break;
    }
}

/* A value that is not used after this operation leaves its register and its spill slot. */
static void release(struct gen *g, ir_ref v)
{
    int r = g->val[v].reg, spill = g->val[v].spill;

    if ((r < 0 && spill < 0) || g->ir->op[v].last > g->i) {
        return;
    }
    if (r >= 0) {
        (is_vec(g, v) ? g->xmm : g->host)[r] = 0;
        g->val[v].reg = -1;
    }
    if (spill >= 0) {
        *(is_vec(g, v) ? &g->vspills : &g->spills) &= ~(1u << spill);
        g->val[v].spill = -1;
    }
}

/* `last` of a value is an operation that has it as operand, or as one of a condition's that it
 * tests itself. */
static void release_dead(struct gen *g, const struct ir_op *p)
{
    const struct ir_op *c = &g->ir->op[p->c];

    release(g, g->i);
    release(g, p->a);
    release(g, p->b);
    if (p->c) {
        release(g, p->c);
        release(g, c->a);
        release(g, c->b);
    }
}

static void begin(struct gen *g, const struct gen_homes *homes)
{
    g->homes = homes;
    g->temps = BLOCK_TEMPS;
    g->vtemps = BLOCK_VTEMPS;
    memcpy(g->home, homes ? homes->reg : pins, sizeof(g->home));
    for (unsigned v = 0; homes && v < IR_VAR_N; v++) {
        if (g->home[v] >= 0) {
            *(v < IR_VAR_VEC ? &g->temps : &g->vtemps) &= ~(1u << g->home[v]);
        }
    }
    g->spills = g->vspills = 0;
    g->ef = g->mf = g->df = g->logic = 0;
    g->ef_inv = g->failed = false;
    g->stub_n = g->exit_n = g->jump_n = g->page = 0;
    g->lit_n = g->lit_use_n = 0;
    g->ef_fp = 0;
    memset(g->host, 0, sizeof(g->host));
    memset(g->xmm, 0, sizeof(g->xmm));
    memset(g->var_cur, 0, sizeof(g->var_cur));
    memset(g->val, 0xff, sizeof(g->val[0]) * g->ir->n);
    if (homes) {
        memset(g->label_at, 0, sizeof(g->label_at));
    }
}

static void mark(struct gen *g, unsigned pc)
{
    if (g->mark_n < GEN_MARKS_MAX) {
        g->mark[g->mark_n].at = g->c.p - g->far.begin;
        g->mark[g->mark_n++].pc = pc;
    }
}

/* Out of line: stubs and constants. */
static bool tail(struct gen *g)
{
    mark(g, GEN_MARK_STUBS);
    for (unsigned i = 0; i < g->stub_n; i++) {
        gen_stub_emit(g, &g->stub[i]);
        if (g->c.end - g->c.p < 1024) {
            return false;
        }
    }
    if (g->lit_n) {
        mark(g, GEN_MARK_DATA);
    }
    return gen_lits_flush(g) && gen_jumps_patch(g);
}

bool gen_block(struct gen *g, const struct ir *ir, const struct gen_homes *homes,
               const struct gen_guest *guest, const uint8_t *const *thunk, uint8_t *code,
               size_t room, unsigned pc_off, uint32_t id, struct gen_result *out)
{
    unsigned n = ir->n, pc = ~0u;

    g->c.p = code + (-(uintptr_t)code & 15);
    g->c.end = code + room;
    g->c.far = &g->far;
    g->far.begin = g->c.p;
    g->far.n = g->mark_n = 0;
    g->ir = ir;
    g->guest = guest;
    g->thunk = thunk;
    g->id = id;
    g->pc_off = pc_off;
    begin(g, homes);
    if (homes) {
        gen_slots_choose(g);
        gen_region_routines(g);
    }
    gen_groups_choose(g);
    out->entry = g->c.p;
    x64_b(&g->c, 0x0f);                 /* 5-byte NOP, to be replaced by a jump to `stale` */
    x64_b(&g->c, 0x1f);
    x64_b(&g->c, 0x44);
    x64_b(&g->c, 0x00);
    x64_b(&g->c, 0x00);
    if (homes) {
        gen_region_enter(g);
    }
    for (g->i = 1; g->i < n; g->i++) {
        const struct ir_op *p = &ir->op[g->i];
        if (p->op == IR_NOP || p->op == IR_CONST ||
            ((p->op == IR_COND || p->op == IR_CMP) && !p->last)) {
            continue;
        }
        g->locked = g->vlocked = 0;
        if (p->pc != pc) {
            pc = p->pc;
            mark(g, pc);
        }
        generate(g, p);
        release_dead(g, p);
        if (g->failed || g->c.end - g->c.p < 1024) {
            return false;
        }
    }
    if (!tail(g)) {
        return false;
    }
    out->stale = g->c.p;
    x64_mov_ri(&g->c, RAX, pc_off);
    x64_jmp_to(&g->c, thunk[GEN_T_STALE]);
    out->end = g->c.p;
    out->exits = g->exit_n;
    return !g->failed;
}
