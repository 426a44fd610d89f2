/* SPDX-License-Identifier: Apache-2.0 */
/* Ways out of a block or region, jumps within a region, and the stubs behind the code. */
#include "isa/emit_x64/gen.h"

#include "isa/emit_x64/gen_fp.h"
#include "isa/emit_x64/gen_int.h"

#include <assert.h>
#include <string.h>

/* The displacement of an instruction whose displacement follows `n` bytes is aligned. */
static void align_displacement(struct gen *g, unsigned n)
{
    static const uint8_t nop[4][3] = { { 0 }, { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 } };
    unsigned more = -((uintptr_t)g->c.p + n) & 3;

    memcpy(g->c.p, nop[more], 3);
    g->c.p += more;
}

static void poll(struct gen *g, uint32_t target_off)
{
    struct gen_stub *s = gen_stub(g, GEN_STUB_LEAVE);

    x64_rm(&g->c, 0x83, ALU_CMP, gen_at(g, g->guest->poll));
    x64_b(&g->c, 0);
    s->from = x64_jcc(&g->c, CC_NE);
    s->info = target_off;
}

/* A counter of branches to this target, which may be the head of a hot loop.  (Others may share
 * it.  It does not depend on the block's number, for translations are kept.) */
static void heat(struct gen *g, int32_t target_off)
{
    unsigned heat = (unsigned)(g->pc_off * 37 + (target_off >> 2)) % GEN_HEATS;
    struct gen_stub *s;

    x64_alu_mi(&g->c, ALU_SUB, false, gen_at(g, g->guest->heat + 4 * heat), 1);
    s = gen_stub(g, GEN_STUB_HOT);
    s->from = x64_jcc(&g->c, CC_S);
    s->info = (target_off & 0xfff) | heat << 12;
    s->disp = target_off & -4096;
}

/* To another page.  It needs no poll if it goes forwards, for then it closes no circle. */
static void exit_far(struct gen *g, int32_t target_off, bool backward)
{
    const struct gen_guest *gg = g->guest;
    int32_t distance = target_off & -4096;
    struct gen_stub *s;
    const uint8_t *number;

    if (backward) {
        poll(g, target_off);
        heat(g, target_off);
    }
    s = gen_stub(g, GEN_STUB_FAR);
    s->info = target_off;
    x64_load(&g->c, true, RAX, gen_at(g, gg->page_last));
    align_displacement(g, 3);
    x64_alu_rm(&g->c, ALU_CMP, true, RAX, x64_at(R15, gg->link));
    number = g->c.p - 4;
    s->from = x64_jcc(&g->c, CC_NE);
    x64_b(&g->c, 0x48);                 /* add rax, imm32 */
    x64_b(&g->c, 0x05);
    x64_d(&g->c, distance);
    x64_b(&g->c, 0x48);                 /* mov [rbp + disp32], rax: as long as aligns the next */
    x64_b(&g->c, 0x89);
    x64_b(&g->c, 0x85);
    x64_d(&g->c, gg->page_last - GEN_BIAS);
    s->from2 = x64_jmp(&g->c);
    assert(s->from2 - number == GEN_LINK_BACK && ((uintptr_t)number & 3) == 0);
    g->exit_n++;
}

static void exit_jump(struct gen *g, int64_t target_off, bool backward)
{
    struct gen_stub *s;

    if (g->homes) {
        x64_call(&g->c, g->region_out);
    }
    if (target_off < 0 || target_off >= 4096) {
        exit_far(g, target_off, backward);
        return;
    }
    if (backward) {
        poll(g, target_off);
        heat(g, target_off);
    }
    align_displacement(g, 1);
    s = gen_stub(g, GEN_STUB_EXIT);
    s->from = x64_jmp(&g->c);
    s->info = target_off;
    g->exit_n++;
}

/* Through the jump cache of the current context (a64_tlb_jump_index(); 16 bytes an entry, 4 an
 * instruction); the target's VA is in a register. */
static void exit_reg(struct gen *g, const struct ir_op *p)
{
    const struct gen_guest *gg = g->guest;
    int a = gen_use(g, p->a), v;
    struct gen_stub *s;

    if (!(g->temps >> a & 1)) {
        v = gen_tmp(g);
        x64_mov_rr(&g->c, true, v, a);
        a = v;
    }
    if (g->homes) {
        x64_call(&g->c, g->region_out);
    }
    s = gen_stub(g, GEN_STUB_LOOKUP);
    s->a = a;
    s->x = p->x;
    x64_alu_mi(&g->c, ALU_CMP, false, gen_at(g, gg->poll), 0);
    s->from2 = x64_jcc(&g->c, CC_NE);
    x64_mov_rr(&g->c, false, RAX, a);
    x64_alu_ri(&g->c, ALU_AND, false, RAX, ((1 << gg->jump_bits) - 1) << 2);
    if (p->x) {
        x64_alu_ri(&g->c, ALU_XOR, false, RAX, p->x << 10);     /* the type of the branch */
    }
    x64_alu_rm(&g->c, ALU_CMP, true, a, x64_idx(R15, RAX, 2, gg->jump));
    s->from = x64_jcc(&g->c, CC_NE);
    x64_alu_ri(&g->c, ALU_OR, true, a, 4095);
    x64_store(&g->c, true, gen_at(g, gg->page_last), a);
    x64_rm(&g->c, 0xff, 4, x64_idx(R15, RAX, 2, gg->jump + 8));         /* jmp [mem] */
}

/* The condition of EXITC and JUMPC. */
static enum x64_cc branch_cc(struct gen *g, const struct ir_op *p)
{
    enum x64_cc cc;

    if (p->x) {
        cc = gen_fused(g, p->c);
    } else {
        int r = gen_use(g, p->c);
        gen_clobber_ef(g);
        x64_test_rr(&g->c, false, r, r);
        cc = CC_NE;
    }
    return p->cc ? cc ^ 1 : cc;         /* cc: leave if the condition does not hold */
}

static void exit_cond(struct gen *g, const struct ir_op *p)
{
    enum x64_cc cc = branch_cc(g, p);
    struct gen_stub *s;
    uint8_t *over;
    uint16_t ef, mf;
    uint8_t ef_fp;
    bool inv;

    if (g->homes) {
        s = gen_stub(g, GEN_STUB_SIDE);
        s->from = x64_jcc(&g->c, cc);
        s->sync_flags = g->mf != p->f;
        s->ef_inv = g->ef_inv;
        if (s->sync_flags && g->ef != p->f) {
            s->has_recipe = true;
            s->recipe = g->recipe;
            assert(g->df == p->f);
        }
        s->info = p->k;
        s->poll = p->k2;
        return;
    }
    if (!p->k2 && g->mf == p->f) {
        /* Nothing to do on the way: the branch itself is what is patched. */
        align_displacement(g, 2);
        s = gen_stub(g, GEN_STUB_EXIT);
        s->from = x64_jcc(&g->c, cc);
        s->info = p->k;
        g->exit_n++;
        return;
    }
    /* The taken side, out of line but in the hot part: flags, poll, patchable jump. */
    over = x64_jcc8(&g->c, cc ^ 1);
    ef = g->ef;
    mf = g->mf;
    inv = g->ef_inv;
    ef_fp = g->ef_fp;
    gen_flags_sync(g, p->f);
    exit_jump(g, p->k, p->k2);
    x64_patch8(over, g->c.p);
    g->ef = ef;
    g->mf = mf;
    g->ef_inv = inv;
    g->ef_fp = ef_fp;
}

/* EFLAGS of a floating-point comparison cannot be saved later. */
static void fp_flags_sync(struct gen *g, ir_ref f)
{
    if (f && g->ef == f && gen_ef_is_fp(g)) {
        gen_flags_sync(g, f);
        g->ef = 0;
    }
}

void gen_jump_op(struct gen *g, const struct ir_op *p)
{
    unsigned next = g->i + 1;
    int cc = -1;

    if (p->live) {
        gen_flags_sync(g, p->f);
        fp_flags_sync(g, p->f);
    }
    if (p->op == IR_JUMPC) {
        cc = branch_cc(g, p);
    } else {
        while (next < g->ir->n && g->ir->op[next].op == IR_NOP) {
            next++;
        }
        if (next < g->ir->n && g->ir->op[next].op == IR_LABEL && g->ir->op[next].k == p->k) {
            return;
        }
    }
    gen_jump(g, p->k, cc);
}

/* From one page of a region to another: as exit_far(), but the jump that follows stays in it. */
void gen_cross(struct gen *g, const struct ir_op *p)
{
    const struct gen_guest *gg = g->guest;
    const struct gen_recipe *recipe;
    struct gen_stub *s;

    fp_flags_sync(g, p->f);
    recipe = gen_flags_for_stub(g, p->f);
    g->ef = 0;
    g->logic = 0;
    s = gen_stub(g, GEN_STUB_SIDE);
    s->info = p->k;
    s->poll = p->x;
    s->sync_flags = s->has_recipe = recipe;
    if (recipe) {
        s->recipe = *recipe;
    }
    x64_load(&g->c, true, RAX, gen_at(g, gg->page_last));
    x64_alu_rm(&g->c, ALU_CMP, true, RAX,
               x64_at(R15, gg->link + 8 * g->homes->link[g->page][p->cc]));
    s->from = x64_jcc(&g->c, CC_NE);
    x64_alu_ri(&g->c, ALU_ADD, true, RAX, (int32_t)p->k & -4096);
    x64_store(&g->c, true, gen_at(g, gg->page_last), RAX);
}

void gen_leave(struct gen *g, const struct ir_op *p)
{
    switch (p->op) {
    case IR_EXITC:
        if (g->homes) {
            fp_flags_sync(g, p->f);
        }
        exit_cond(g, p);
        break;
    case IR_EXIT:
        gen_flags_sync(g, p->f);
        exit_jump(g, p->k, p->x);
        break;
    case IR_EXITR:
        gen_flags_sync(g, p->f);
        exit_reg(g, p);
        break;
    default:
        assert(!"exit");
    }
}

static void link(struct gen *g, uint32_t target_off, const uint8_t *jump)
{
    x64_call(&g->c, g->thunk[GEN_T_LINK]);
    x64_d(&g->c, target_off);
    x64_d(&g->c, g->c.p - jump);        /* from here back to the displacement */
    x64_d(&g->c, g->id + g->page);
}

static void store_target(struct gen *g, const struct gen_stub *s)
{
    x64_store(&g->c, true, gen_at(g, g->guest->pc), s->a);
    if (s->x) {
        x64_rm(&g->c, 0xc6, 0, gen_at(g, g->guest->btype));
        x64_b(&g->c, s->x);
    }
}

void gen_stub_emit(struct gen *g, struct gen_stub *s)
{
    struct x64 *c = &g->c;

    g->page = s->page;
    switch (s->kind) {
    case GEN_STUB_PAC:
        gen_pac_stub(g, s);
        break;
    case GEN_STUB_MEM:
        gen_mem_stub(g, s);
        break;
    case GEN_STUB_FAR:
        /* Linked by another vCPU between the comparison and here: the page is still ours. */
        x64_patch(s->from2, c->p);
        x64_alu_mi(c, ALU_SUB, true, gen_at(g, g->guest->page_last), (int32_t)s->info & -4096);
        x64_patch(s->from, c->p);
        link(g, s->info, s->from2);
        break;
    case GEN_STUB_EXIT:
        x64_patch(s->from, c->p);
        link(g, s->info, s->from);
        break;
    case GEN_STUB_HOT:
        x64_patch(s->from, c->p);
        if (s->disp) {
            x64_alu_mi(c, ALU_ADD, true, gen_at(g, g->guest->page_last), s->disp);
        }
        x64_mov_ri(c, RAX, s->info);
        x64_jmp_to(c, g->thunk[GEN_T_HOT]);
        break;
    case GEN_STUB_SIDE:
        x64_patch(s->from, c->p);
        if (s->sync_flags) {
            gen_store_eflags(g, s->has_recipe ? gen_recipe_emit(g, &s->recipe) : s->ef_inv);
        }
        exit_jump(g, s->info, s->poll);
        break;
    case GEN_STUB_LEAVE:
        x64_patch(s->from, c->p);
        if (s->poll) {
            x64_call(c, g->region_out);         /* at a label */
        }
        x64_load(c, true, RAX, gen_at(g, g->guest->page_last));
        x64_alu_ri(c, ALU_ADD, true, RAX, (int32_t)s->info - 4095);
        x64_store(c, true, gen_at(g, g->guest->pc), RAX);
        x64_jmp_to(c, g->thunk[GEN_T_LEAVE]);
        break;
    case GEN_STUB_VSLOW: case GEN_STUB_QC:
        gen_fp_stub(g, s);
        break;
    case GEN_STUB_LOOKUP:
        x64_patch(s->from, c->p);
        store_target(g, s);
        x64_jmp_to(c, g->thunk[GEN_T_LOOKUP]);
        x64_patch(s->from2, c->p);
        store_target(g, s);
        x64_jmp_to(c, g->thunk[GEN_T_LEAVE]);
        break;
    }
}
