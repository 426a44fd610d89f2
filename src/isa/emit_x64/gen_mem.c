/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory: one function emits the TLB check; its miss goes to a stub that calls the slow
 * path with everything about the access in GEN_MI_* bits, so that a fault is precise.
 *
 * Memory order (x86 is TSO): plain loads and stores, load-acquire and store-release need
 * nothing but what keeps a store-release before a later load-acquire: XCHG for store-release. */
#include "isa/emit_x64/gen.h"

#include <assert.h>
#include <string.h>

static const struct ir_op *op(const struct gen *g)
{
    return &g->ir->op[g->i];
}

static bool any_vec_live(const struct gen *g)
{
    return gen_used(g->xmm);
}

/* test byte [reg + disp's low bits], mask; jump to the stub if one is set */
static uint8_t *align_check(struct gen *g, int a, int32_t disp, unsigned mask)
{
    int r = a;

    if (disp & mask) {
        x64_lea(&g->c, false, RAX, x64_at(a, disp));
        r = RAX;
    }
    x64_rr(&g->c, 0xf6 | OP_BYTE_REG, 0, r);
    x64_b(&g->c, mask);
    return x64_jcc(&g->c, CC_NE);
}

/* The same for SP, where it is not the base of the access alone. */
static uint8_t *sp_check(struct gen *g)
{
    int r = g->home[31];

    if (r >= 0) {
        return align_check(g, r, 0, 15);
    }
    x64_rm(&g->c, 0xf6, 0, gen_at(g, g->guest->var[31]));
    x64_b(&g->c, 15);
    return x64_jcc(&g->c, CC_NE);
}

static int32_t table_of(const struct gen *g, uint32_t info)
{
    return info & (GEN_MI_STORE | GEN_MI_ATOMIC | GEN_MI_STXR) ? g->guest->write : g->guest->read;
}

/* Asks the TLB (a64/tlb.h); RAX = addend and v = offset in the page, or to the jump that is
 * returned. */
static uint8_t *tlb_probe(struct gen *g, int a, int32_t disp, unsigned bytes, uint32_t info, int v)
{
    const struct gen_guest *gg = g->guest;
    int32_t table = table_of(g, info);
    struct x64_mem tag = x64_idx(R15, RAX, 3, table);
    uint8_t *miss;

    if (disp) {
        x64_lea(&g->c, true, v, x64_at(a, disp));
    } else {
        x64_mov_rr(&g->c, true, v, a);
    }
    x64_mov_rr(&g->c, false, RAX, v);
    x64_shift_ri(&g->c, SH_SHR, false, RAX, 12);
    if (info & GEN_MI_UNPRIV) {
        x64_push(&g->c, v);
        x64_load(&g->c, true, v, gen_at(g, gg->tlb));
        x64_load(&g->c, true, v, x64_at(v, gg->tlb_unpriv));
        x64_lea(&g->c, true, RAX, x64_idx(v, RAX, 3, 0));
        x64_pop(&g->c, v);
        tag = x64_at(RAX, table);
    }
    x64_alu_rm(&g->c, ALU_XOR, true, v, tag);
    x64_alu_ri(&g->c, ALU_CMP, true, v, 4096 - bytes);
    miss = x64_jcc(&g->c, CC_A);
    tag.disp += gg->addends;
    x64_load(&g->c, true, RAX, tag);
    return miss;
}

/* The first of the group asks for all, the others take what it has found. */
static void group_check(struct gen *g, struct gen_stub *s)
{
    unsigned group = s->group - 1, bytes;
    struct x64_mem addend = gen_group_at(group);

    s->is_first = !(g->groups_ready >> group & 1);
    if (s->is_first) {
        int32_t lo = gen_group_range(g, &bytes);

        s->from = tlb_probe(g, s->a, lo, bytes, s->info, s->v);
        x64_store(&g->c, true, addend, RAX);
        g->groups_ready |= 1u << group;
    } else {
        x64_load(&g->c, true, RAX, addend);
        x64_rr(&g->c, 0x85 | OP_W, RAX, RAX);                           /* test */
        s->from = x64_jcc(&g->c, CC_E);
    }
    s->access = g->c.p;
}

/* Registers for results must have been chosen before: what is emitted between the check and the
 * stub's way back is skipped on the slow path, so no spill may fall there.
 * Afterwards the host address of the access is a + RAX + disp.  `bytes` ≤ 4096 are checked to
 * lie in one page; a stub is made for everything else. */
static struct gen_stub *tlb_check(struct gen *g, int a, int32_t disp, unsigned bytes, uint32_t info)
{
    struct gen_stub *s = gen_stub(g, GEN_STUB_MEM);
    const struct gen_recipe *recipe = gen_flags_for_stub(g, op(g)->f);
    int v = gen_tmp(g);

    s->a = a;
    s->v = v;
    s->has_recipe = recipe;
    if (recipe) {
        s->recipe = *recipe;
    }
    s->disp = disp;
    s->bytes = bytes;
    s->info = info | op(g)->pc;
    s->vec_live = any_vec_live(g);
    s->slot = g->homes ? g->slot_of[g->i] : 0;
    s->group = gen_group_use(g, disp, bytes);
    if (!s->slot && !(info & (GEN_MI_UNPRIV | GEN_MI_ATOMIC | GEN_MI_STXR))) {
        unsigned near = gen_slot_near(g, op(g)->a, info & GEN_MI_STORE);

        /* Of two accesses, each does better by itself. */
        if (near && (!s->group || g->group[s->group - 1].all_n < 3)) {
            s->slot = near;
            s->group = 0;
        }
    }
    g->ef = 0;
    g->logic = 0;
    if (info & GEN_MI_SP) {
        if (op(g)->cc) {
            s->from2 = sp_check(g);
        } else {
            s->sp_late = s->group && gen_group_aligned(g);
        }
        if (!op(g)->cc && !s->sp_late) {
            s->from2 = align_check(g, a, 0, 15);
        }
    }
    if (info & GEN_MI_ORDERED && GEN_MI_SIZE(info)) {
        unsigned each = 1u << GEN_MI_SIZE(info);
        s->from3 = align_check(g, a, disp, (info & GEN_MI_PAIR ? 2 * each : each) - 1);
    }
    if (s->slot) {
        assert(s->slot > GEN_SLOTS ? bytes <= 64 : bytes <= g->slot[s->slot - 1].bytes);
        s->from = gen_slot_check(g, s->slot - 1, a, disp, v);
        s->access = g->c.p;
    } else if (s->group) {
        group_check(g, s);
    } else {
        s->from = tlb_probe(g, a, disp, bytes, info, v);
    }
    s->groups = gen_groups_left(g);
    g->locked &= ~(1u << v);
    return s;
}

static void load_ext(struct gen *g, int d, struct x64_mem m, unsigned size, unsigned ext)
{
    static const uint16_t zx[4] = { 0xb6 | OP_0F, 0xb7 | OP_0F, 0x8b, 0x8b | OP_W };
    static const uint16_t sx[4] = { 0xbe | OP_0F, 0xbf | OP_0F, 0x8b, 0x8b | OP_W };

    if (ext == MEMOP_ZX || size == 3) {
        x64_rm(&g->c, zx[size], d, m);
    } else if (ext == MEMOP_SX32) {
        x64_rm(&g->c, sx[size], d, m);
    } else {
        x64_rm(&g->c, size == 2 ? 0x63 | OP_W : sx[size] | OP_W, d, m);
    }
}

static void load(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info);
    int a = gen_use(g, p->a), d = p->last ? gen_def(g, g->i) : RAX;
    struct gen_stub *s = tlb_check(g, a, p->k, 1u << size, info);

    load_ext(g, d, x64_idx(a, RAX, 0, p->k), size, GEN_MI_EXT(info));
    s->d1 = p->last ? d : -1;
    s->back = g->c.p;
}

static void load2(struct gen *g)
{
    const struct ir_op *p = op(g), *second = p + 1;
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info), step = 1u << size;
    bool want2 = second->op == IR_SECOND && second->a == g->i && second->last;
    int a = gen_use(g, p->a);
    int d1 = p->last ? gen_def(g, g->i) : -1;
    int d2 = want2 ? gen_def(g, g->i + 1) : -1;
    struct gen_stub *s = tlb_check(g, a, p->k, 2 * step, info);

    if (d1 >= 0 && d1 != a) {
        load_ext(g, d1, x64_idx(a, RAX, 0, p->k), size, GEN_MI_EXT(info));
    }
    if (d2 >= 0) {
        load_ext(g, d2, x64_idx(a, RAX, 0, p->k + step), size, GEN_MI_EXT(info));
    }
    if (d1 >= 0 && d1 == a) {
        load_ext(g, d1, x64_idx(a, RAX, 0, p->k), size, GEN_MI_EXT(info));
    }
    s->d1 = d1;
    s->d2 = d2;
    s->back = g->c.p;
}

static void store_reg(struct gen *g, struct x64_mem m, unsigned size, int r)
{
    static const uint16_t row[4] = { 0x88 | OP_BYTE_REG, 0x89 | OP_66, 0x89, 0x89 | OP_W };

    x64_rm(&g->c, row[size], r, m);
}

static void store(struct gen *g)
{
    const struct ir_op *p = op(g), *v = &g->ir->op[p->b];
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info);
    bool is_imm = v->op == IR_CONST && (size < 3 || (int64_t)v->k == (int32_t)v->k) &&
                  !(info & GEN_MI_RELEASE) && g->val[p->b].reg < 0;
    int a = gen_use(g, p->a), d = is_imm ? -1 : gen_use(g, p->b), t;
    struct gen_stub *s = tlb_check(g, a, p->k, 1u << size, info);
    struct x64_mem m = x64_idx(a, RAX, 0, p->k);

    s->d1 = d;
    s->has_const1 = is_imm;
    s->const1 = v->k;
    if (is_imm) {
        static const uint16_t row[4] = { 0xc6, 0xc7 | OP_66, 0xc7, 0xc7 | OP_W };
        x64_rm(&g->c, row[size], 0, m);
        if (size == 0) {
            x64_b(&g->c, v->k);
        } else if (size == 1) {
            x64_b(&g->c, v->k);
            x64_b(&g->c, v->k >> 8);
        } else {
            x64_d(&g->c, v->k);
        }
    } else if (info & GEN_MI_RELEASE) {
        static const uint16_t row[4] = { 0x86 | OP_BYTE_REG, 0x87 | OP_66, 0x87, 0x87 | OP_W };
        t = gen_tmp(g);
        x64_mov_rr(&g->c, true, t, d);
        x64_rm(&g->c, row[size], t, m);
    } else {
        store_reg(g, m, size, d);
    }
    s->back = g->c.p;
}

static void store2(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info), step = 1u << size;
    int a = gen_use(g, p->a), d1 = gen_use(g, p->b), d2 = gen_use(g, p->c);
    struct gen_stub *s = tlb_check(g, a, p->k, 2 * step, info);

    store_reg(g, x64_idx(a, RAX, 0, p->k), size, d1);
    store_reg(g, x64_idx(a, RAX, 0, p->k + step), size, d2);
    s->d1 = d1;
    s->d2 = d2;
    s->back = g->c.p;
}

static void vload_one(struct gen *g, int d, unsigned size, struct x64_mem m)
{
    switch (size) {
    case 0: case 1:
        load_ext(g, RAX, m, size, MEMOP_ZX);
        x64_v(&g->c, 0x6e | OP_0F | OP_66, d, 0, RAX);                  /* vmovd */
        break;
    case 2:
        x64_vm(&g->c, 0x6e | OP_0F | OP_66, d, 0, m);
        break;
    case 3:
        x64_vm(&g->c, 0x7e | OP_0F | OP_F3, d, 0, m);                   /* vmovq */
        break;
    default:
        x64_vm(&g->c, 0x10 | OP_0F, d, 0, m);                           /* vmovups */
        break;
    }
}

/* What the register of v holds, unless that is a variable's. */
static void vload_live(struct gen *g, ir_ref v, ir_ref holds)
{
    if (g->val[v].reg >= 0) {
        g->xmm[g->val[v].reg] = holds;
    }
}

/* Does the next operation load what follows in memory?  One check does for both then; the slow
 * way makes two accesses, as there are in the IR. */
static bool vload_pairs(const struct gen *g)
{
    const struct ir_op *p = op(g), *q = p + 1;

    return g->i + 1 < g->ir->n && q->op == IR_VLOAD && q->a == p->a && q->k2 == p->k2 &&
           q->k == p->k + (1u << GEN_MI_SIZE(p->k2)) && q->f == p->f && q->pc == p->pc &&
           p->last && q->last && GEN_MI_SIZE(p->k2) >= 2;
}

static void vload(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info);
    bool pair = vload_pairs(g);
    int a, d, d2 = -1;
    struct gen_stub *s;

    if (g->val[g->i].reg >= 0 || g->val[g->i].var >= 0) {
        return;                         /* loaded with the operation before */
    }
    a = gen_use(g, p->a);
    d = gen_vdef(g, g->i);
    if (pair) {
        d2 = gen_vdef(g, g->i + 1);
        vload_live(g, g->i + 1, 0);
    }
    vload_live(g, g->i, 0);             /* not yet live for the stub */
    s = tlb_check(g, a, p->k, (pair ? 2u : 1u) << size, info);
    vload_live(g, g->i, g->i);
    vload_one(g, d, size, x64_idx(a, RAX, 0, p->k));
    if (pair) {
        vload_live(g, g->i + 1, g->i + 1);
        vload_one(g, d2, size, x64_idx(a, RAX, 0, p->k + (1 << size)));
    }
    s->vec1 = d;
    s->vec2 = d2;
    s->back = g->c.p;
}

static void vstore(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info);
    bool pair = info & GEN_MI_PAIR;
    int a = gen_use(g, p->a), d = gen_vuse(g, p->b), d2 = pair ? gen_vuse(g, p->c) : -1, t;
    struct gen_stub *s = tlb_check(g, a, p->k, (pair ? 2u : 1u) << size, info);
    struct x64_mem m = x64_idx(a, RAX, 0, p->k);

    if (pair) {
        struct x64_mem m2 = x64_idx(a, RAX, 0, p->k + (1 << size));
        unsigned o = size == 2 ? 0x7e | OP_0F | OP_66 : size == 3 ? 0xd6 | OP_0F | OP_66
                                                                  : 0x11 | OP_0F;
        x64_vm(&g->c, o, d, 0, m);
        x64_vm(&g->c, o, d2, 0, m2);
        s->vec1 = d;
        s->vec2 = d2;
        s->back = g->c.p;
        return;
    }
    switch (size) {
    case 6:                             /* DC ZVA */
        for (unsigned i = 0; i < 64; i += 16) {
            x64_vm(&g->c, 0x11 | OP_0F, d, 0, x64_idx(a, RAX, 0, p->k + i));
        }
        break;
    case 0: case 1:
        t = gen_tmp(g);
        x64_v(&g->c, 0x7e | OP_0F | OP_66, d, 0, t);                    /* vmovd r32, xmm */
        store_reg(g, m, size, t);
        break;
    case 2:
        x64_vm(&g->c, 0x7e | OP_0F | OP_66, d, 0, m);
        break;
    case 3:
        x64_vm(&g->c, 0xd6 | OP_0F | OP_66, d, 0, m);
        break;
    default:
        x64_vm(&g->c, 0x11 | OP_0F, d, 0, m);
        break;
    }
    s->vec1 = d;
    s->back = g->c.p;
}

static void lock_cmpxchg(struct gen *g, unsigned size, struct x64_mem m, int r)
{
    static const uint16_t row[4] = {
        0xb0 | OP_0F | OP_BYTE_REG, 0xb1 | OP_0F | OP_66, 0xb1 | OP_0F, 0xb1 | OP_0F | OP_W,
    };

    x64_b(&g->c, 0xf0);
    x64_rm(&g->c, row[size], r, m);
}

/* The value of `size` in `s`, extended to 64 bits as the comparison of LDSMAX … wants it. */
static void widen(struct gen *g, int d, int s, unsigned size, bool is_signed)
{
    if (size == 3) {
        x64_mov_rr(&g->c, true, d, s);
    } else if (is_signed) {
        x64_rr(&g->c, (size == 0 ? 0xbe | OP_0F | OP_BYTE_REG : size == 1 ? 0xbf | OP_0F : 0x63) |
               OP_W, d, s);
    } else if (size == 2) {
        x64_mov_rr(&g->c, false, d, s);
    } else {
        x64_rr(&g->c, size == 0 ? 0xb6 | OP_0F | OP_BYTE_REG : 0xb7 | OP_0F, d, s);
    }
}

/* CLR, EOR, SET, SMAX, SMIN, UMAX, UMIN (1 … 7): a compare-exchange loop.  RAX: old value. */
static void atomic_loop(struct gen *g, unsigned x, unsigned size, int host, int v)
{
    static const uint8_t keep_old[] = { CC_GE, CC_LE, CC_AE, CC_BE };
    uint8_t *again;
    int t = gen_tmp(g);

    load_ext(g, RAX, x64_at(host, 0), size, MEMOP_ZX);
    again = g->c.p;
    if (x <= 3) {
        x64_mov_rr(&g->c, true, t, v);
        if (x == 1) {
            x64_v(&g->c, 0xf2 | OP_0F38 | OP_W, t, t, RAX);             /* andn */
        } else {
            x64_alu_rr(&g->c, x == 2 ? ALU_XOR : ALU_OR, true, t, RAX);
        }
    } else {
        /* The stack below is free: the frame's last words are nobody's. */
        bool is_signed = x <= 5;
        widen(g, t, v, size, is_signed);
        x64_store(&g->c, true, x64_at(RSP, GEN_FRAME - 16), t);
        widen(g, t, RAX, size, is_signed);
        x64_alu_rm(&g->c, ALU_CMP, true, t, x64_at(RSP, GEN_FRAME - 16));
        x64_rm(&g->c, 0x40 | (keep_old[x - 4] ^ 1) | OP_0F | OP_W, t, x64_at(RSP, GEN_FRAME - 16));
    }
    lock_cmpxchg(g, size, x64_at(host, 0), t);
    x64_patch8(x64_jcc8(&g->c, CC_NE), again);
    x64_mov_rr(&g->c, true, t, RAX);
    g->locked &= ~(1u << t);
}

/* x is the vocabulary's atomic operation (AT_ADD = 0 … AT_SWP = 8). */
static void atomic(struct gen *g)
{
    static const uint16_t xadd[4] = {
        0xc0 | OP_0F | OP_BYTE_REG, 0xc1 | OP_0F | OP_66, 0xc1 | OP_0F, 0xc1 | OP_0F | OP_W,
    };
    static const uint16_t xchg[4] = { 0x86 | OP_BYTE_REG, 0x87 | OP_66, 0x87, 0x87 | OP_W };
    const struct ir_op *p = op(g);
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info);
    int a = gen_use(g, p->a), v = gen_use(g, p->b), t = gen_tmp(g), t2 = gen_tmp(g), d;
    struct gen_stub *s;

    /* These two are empty now, for the check and for the loop. */
    g->locked &= ~(1u << t | 1u << t2);
    s = tlb_check(g, a, p->k, 1u << size, info | GEN_MI_ATOMIC);
    s->d1 = v;
    s->x = p->x;
    t = gen_tmp(g);
    if (p->x > 0 && p->x < 8) {
        x64_lea(&g->c, true, t, x64_idx(a, RAX, 0, p->k));
        atomic_loop(g, p->x, size, t, v);
        x64_mov_rr(&g->c, true, t, RAX);
        goto done;
    }
    x64_mov_rr(&g->c, true, t, v);
    if (p->x == 0) {
        x64_b(&g->c, 0xf0);
        x64_rm(&g->c, xadd[size], t, x64_idx(a, RAX, 0, p->k));
    } else {
        x64_rm(&g->c, xchg[size], t, x64_idx(a, RAX, 0, p->k));
    }
done:
    s->d2 = t;                          /* the stub's result goes here */
    s->back = g->c.p;
    if (p->last) {
        d = gen_def(g, g->i);
        if (size == 0) {
            x64_movzx8(&g->c, d, t);
        } else if (size == 1) {
            x64_rr(&g->c, 0xb7 | OP_0F, d, t);
        } else {
            x64_mov_rr(&g->c, size == 3, d, t);
        }
    }
}

/* [a + RAX + disp] = the two words in scratch[6], if it is what is at `expect`; ZF tells, and what
 * was there is in scratch[1] then.  RAX changes, other registers do not. */
static void cmpxchg16b(struct gen *g, int a, int32_t disp, int32_t expect)
{
    static const int used[] = { RBX, RCX, RDX, RSI };
    int32_t scratch = g->guest->scratch;

    for (unsigned i = 0; i < 4; i++) {
        x64_push(&g->c, used[i]);
    }
    x64_lea(&g->c, true, RSI, x64_idx(a, RAX, 0, disp));
    x64_load(&g->c, true, RAX, gen_at(g, expect));
    x64_load(&g->c, true, RDX, gen_at(g, expect + 8));
    x64_load(&g->c, true, RBX, gen_at(g, scratch + 48));
    x64_load(&g->c, true, RCX, gen_at(g, scratch + 56));
    x64_b(&g->c, 0xf0);
    x64_rm(&g->c, 0xc7 | OP_0F | OP_W, 1, x64_at(RSI, 0));
    x64_store(&g->c, true, gen_at(g, scratch + 8), RAX);
    x64_store(&g->c, true, gen_at(g, scratch + 16), RDX);
    for (unsigned i = 4; i-- > 0;) {
        x64_pop(&g->c, used[i]);
    }
}

/* CASP: what was there comes back in scratch[1], [2]. */
static void cas_pair(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a);
    struct gen_stub *s = tlb_check(g, a, p->k, 16, p->k2);

    cmpxchg16b(g, a, p->k, g->guest->scratch + 32);
    s->back = g->c.p;
}

/* CAS: old = [a]; if old == c, [a] = b. */
static void cas(struct gen *g)
{
    const struct ir_op *p = op(g);
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info);
    int a = gen_use(g, p->a), v = gen_use(g, p->b), c = gen_use(g, p->c), t, d;
    struct gen_stub *s = tlb_check(g, a, p->k, 1u << size, info | GEN_MI_ATOMIC);

    s->d1 = v;
    s->d2 = c;
    s->x = 0x80;
    t = gen_tmp(g);
    x64_lea(&g->c, true, t, x64_idx(a, RAX, 0, p->k));
    x64_mov_rr(&g->c, true, RAX, c);
    lock_cmpxchg(g, size, x64_at(t, 0), v);
    s->back = g->c.p;                   /* result in RAX in both cases */
    if (p->last) {
        g->locked &= ~(1u << t);
        d = gen_def(g, g->i);
        if (size == 0) {
            x64_movzx8(&g->c, d, RAX);
        } else if (size == 1) {
            x64_rr(&g->c, 0xb7 | OP_0F, d, RAX);
        } else {
            x64_mov_rr(&g->c, size == 3, d, RAX);
        }
    }
}

/* STXR: compare-exchange with the value that LDXR saw; 0 = stored. */
static void store_exclusive(struct gen *g)
{
    const struct gen_guest *gg = g->guest;
    const struct ir_op *p = op(g);
    uint32_t info = p->k2;
    unsigned size = GEN_MI_SIZE(info);
    bool pair = info & GEN_MI_PAIR;
    int a = gen_use(g, p->a), v = gen_use(g, p->b), t, d;
    uint8_t *other1, *other2;
    struct gen_stub *s;

    g->ef = 0;
    g->logic = 0;
    x64_alu_rm(&g->c, ALU_CMP, true, a, gen_at(g, gg->ex_addr));
    other1 = x64_jcc(&g->c, CC_NE);     /* not ours: the slow path knows what that means */
    x64_rm(&g->c, 0x80, ALU_CMP, gen_at(g, gg->ex_size));
    x64_b(&g->c, pair ? 4 : size);
    other2 = x64_jcc(&g->c, CC_NE);
    s = tlb_check(g, a, 0, pair ? 16 : 1u << size, info);
    s->from4 = other1;
    s->from5 = other2;
    t = gen_tmp(g);
    if (pair) {
        cmpxchg16b(g, a, 0, gg->ex_val);
    } else {
        x64_lea(&g->c, true, t, x64_idx(a, RAX, 0, 0));
        x64_load(&g->c, true, RAX, gen_at(g, gg->ex_val));
        lock_cmpxchg(g, size, x64_at(t, 0), v);
    }
    x64_setcc(&g->c, CC_NE, RAX);
    x64_movzx8(&g->c, RAX, RAX);
    x64_store_i(&g->c, true, gen_at(g, gg->ex_addr), -1);
    s->d1 = v;
    s->back = g->c.p;                   /* status in RAX in all cases */
    if (p->last) {
        g->locked &= ~(1u << t);
        d = gen_def(g, g->i);
        x64_mov_rr(&g->c, false, d, RAX);
    }
}

void gen_mem(struct gen *g)
{
    const struct ir_op *p = op(g);

    if (p->op != IR_FENCE) {
        gen_flags_for_stub(g, p->f);
    }
    switch (p->op) {
    case IR_LOAD: load(g); break;
    case IR_LOAD2: load2(g); break;
    case IR_STORE: store(g); break;
    case IR_STORE2: store2(g); break;
    case IR_VLOAD: vload(g); break;
    case IR_VSTORE: vstore(g); break;
    case IR_CAS:
        if (p->k2 & GEN_MI_PAIR) {
            cas_pair(g);
        } else {
            cas(g);
        }
        break;
    case IR_ATOMIC:
        if (p->k2 & GEN_MI_STXR) {
            store_exclusive(g);
        } else {
            atomic(g);
        }
        break;
    case IR_FENCE:
        gen_clobber_ef(g);
        x64_b(&g->c, 0xf0);                                             /* lock or [rsp], 0 */
        x64_alu_mi(&g->c, ALU_OR, false, x64_at(RSP, 0), 0);
        break;
    default:
        assert(!"memory operation");
    }
}

/* The call of C.  `back`: to there if the results go to registers that C can write, and nothing is
 * left to be done; NULL: it comes back here. */
static void slow_call(struct gen *g, const struct gen_stub *s, int32_t disp, const uint8_t *back)
{
    struct x64 *c = &g->c;
    unsigned d1 = s->d1 >= 0 ? s->d1 : GEN_AR_NONE, d2 = s->d2 >= 0 ? s->d2 : GEN_AR_NONE;
    struct gen_access d = {
        .info = s->info | (s->x == 0x80 ? 15u << 27 : (uint32_t)s->x << 27), .disp = disp,
        .regs = s->a | d1 << 4 | d2 << 9 | (s->has_const1 ? GEN_AR_CONST : 0) |
                (uint32_t)s->groups << 16,
    };
    unsigned bytes = sizeof(d) + (s->has_const1 ? 4 : 0);

    gen_region_save(g);
    x64_call(c, g->thunk[g->homes ? GEN_T_MEM_RAW : s->vec_live ? GEN_T_MEM_V : GEN_T_MEM]);
    d.back = back ? back - (c->p + bytes) : 0;
    memcpy(c->p, &d, sizeof(d));
    c->p += sizeof(d);
    if (s->has_const1) {
        x64_d(c, s->const1);
    }
    gen_region_load(g);
}

/* A stub begins: where a slot's or a group's check has failed, the access itself asks the TLB. */
static void stub_ask(struct gen *g, struct gen_stub *s)
{
    struct x64 *c = &g->c;

    x64_patch(s->from, c->p);
    if (s->group && s->is_first) {
        gen_groups_empty(g, 1u << (s->group - 1));
    }
    if (s->group && s->sp_late) {
        s->from2 = align_check(g, s->a, 0, 15);
    }
    if (s->slot || s->group) {
        uint8_t *miss = tlb_probe(g, s->a, s->disp, s->bytes, s->info, s->v);
        if (s->slot) {
            /* From the offset to the page. */
            x64_rr(c, 0xf7 | OP_W, 3, s->v);                            /* neg */
            x64_lea(c, true, s->v, x64_idx(s->a, s->v, 0, s->disp));
            gen_slot_fill(g, s->slot - 1, s->v);
        }
        x64_jmp_to(c, s->access);
        x64_patch(miss, c->p);
    }
    if (s->from2) {
        x64_patch(s->from2, c->p);
    }
    if (s->from3) {
        x64_patch(s->from3, c->p);
    }
    if (s->from4) {
        x64_patch(s->from4, c->p);
        x64_patch(s->from5, c->p);
    }
}

/* In a region, whose variables have been loaded again: the results, from where C leaves them. */
static void take_results(struct gen *g, const struct gen_stub *s)
{
    struct x64_mem first = gen_at(g, g->guest->scratch + 8);
    bool is_rmw = s->info & (GEN_MI_ATOMIC | GEN_MI_STXR);

    if (is_rmw) {
        bool in_rax = s->x == 0x80 || (s->info & (GEN_MI_STXR | GEN_MI_PAIR));
        x64_load(&g->c, true, in_rax ? RAX : s->d2, first);
        return;
    }
    if (s->d1 >= 0) {
        x64_load(&g->c, true, s->d1, first);
    }
    if (s->d2 >= 0) {
        x64_load(&g->c, true, s->d2, gen_at(g, g->guest->scratch + 16));
    }
}

static void vload_stub(struct gen *g, const struct gen_stub *s)
{
    struct x64 *c = &g->c;
    struct x64_mem first = gen_at(g, g->guest->scratch + 8);
    struct x64_mem kept = gen_at(g, g->guest->scratch + 32);

    slow_call(g, s, s->disp, NULL);
    if (s->vec2 >= 0) {
        /* The second half may fault: no register changes before it has been read (XMM15 is
         * nobody's). */
        x64_vm(c, 0x10 | OP_0F, 15, 0, first);
        x64_vm(c, 0x11 | OP_0F, 15, 0, kept);
        slow_call(g, s, s->disp + (1 << GEN_MI_SIZE(s->info)), NULL);
        x64_vm(c, 0x10 | OP_0F, s->vec1, 0, kept);
        x64_vm(c, 0x10 | OP_0F, s->vec2, 0, first);
    } else {
        x64_vm(c, 0x10 | OP_0F, s->vec1, 0, first);
    }
    x64_jmp_to(c, s->back);
}

void gen_mem_stub(struct gen *g, struct gen_stub *s)
{
    struct x64 *c = &g->c;
    int32_t scratch = g->guest->scratch;
    bool is_store = s->info & GEN_MI_STORE, is_rmw = s->info & (GEN_MI_ATOMIC | GEN_MI_STXR);

    stub_ask(g, s);
    if (s->has_recipe) {
        gen_store_eflags(g, gen_recipe_emit(g, &s->recipe));
    }
    if (s->vec1 >= 0 && !is_store) {
        vload_stub(g, s);
        return;
    }
    if (s->vec1 >= 0) {
        x64_vm(c, 0x11 | OP_0F, s->vec1, 0, gen_at(g, scratch + 8));
    }
    if (s->vec2 >= 0) {
        x64_vm(c, 0x11 | OP_0F, s->vec2, 0, gen_at(g, scratch + 32));
    }
    if (!g->homes) {
        slow_call(g, s, s->disp, s->back);
        return;
    }
    slow_call(g, s, s->disp, NULL);
    if (is_rmw || !is_store) {
        take_results(g, s);
    }
    x64_jmp_to(c, s->back);
}
