/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer authentication: what isa/a64/pauth.c computes for a canonical pointer of the half that
 * is usual at this EL.  Everything else, a failed authentication too, is a stub's. */
#include "isa/emit_x64/gen.h"

/* IR_PAC: a = pointer, b = modifier, k = offset of the key, k2 = of its masks (ext, low),
 * x = enum a64_pauth_op, cc = upper half. */
void gen_pac(struct gen *g)
{
    const struct ir_op *p = &g->ir->op[g->i];
    struct x64_mem key_lo = gen_at(g, p->k), key_hi = gen_at(g, p->k + 8);
    struct x64_mem ext = gen_at(g, p->k2), low = gen_at(g, p->k2 + 8);
    int a = gen_use(g, p->a), b = gen_use(g, p->b), u = gen_tmp(g), t = gen_tmp(g), c, d;
    struct x64 *x = &g->c;
    struct gen_stub *s;

    gen_clobber_ef(g);
    x64_mov_rr(x, true, u, b);                                  /* u = 2 (modifier ^ key) + 1 */
    x64_alu_rm(x, ALU_XOR, true, u, key_hi);
    x64_lea(x, true, u, x64_idx(u, u, 0, 1));
    x64_load(x, true, RAX, low);
    x64_alu_rr(x, ALU_AND, true, RAX, a);
    x64_alu_rm(x, ALU_XOR, true, RAX, key_lo);
    x64_alu_rr(x, ALU_ADD, true, RAX, b);
    x64_rr(x, 0xaf | OP_0F | OP_W, RAX, u);                     /* imul */
    x64_mov_rr(x, true, t, RAX);
    x64_shift_ri(x, SH_SHR, true, t, 32);
    x64_alu_rr(x, ALU_XOR, true, RAX, t);
    x64_rr(x, 0xaf | OP_0F | OP_W, RAX, u);
    x64_alu_rm(x, ALU_AND, true, RAX, ext);
    x64_rr(x, 0xba | OP_0F | OP_W, 6, RAX);                     /* btr rax, 55 */
    x64_b(x, 55);
    x64_alu_rr(x, ALU_XOR, true, RAX, a);
    c = p->x & 4 ? RAX : a;                         /* AUT: the result, PAC: the input */
    if (p->cc) {
        x64_mov_rr(x, true, t, c);
        x64_rr(x, 0xf7 | OP_W, 2, t);                           /* not */
        c = t;
    }
    x64_rm(x, 0x85 | OP_W, c, ext);                             /* test */
    s = gen_stub(g, GEN_STUB_PAC);
    s->from = x64_jcc(x, CC_NE);
    s->a = a;
    s->d1 = b;
    s->info = p->x;
    s->back = x->p;
    g->locked &= ~(1u << u | 1u << t);
    d = gen_def(g, g->i);
    x64_mov_rr(x, true, d, RAX);
}

void gen_pac_stub(struct gen *g, struct gen_stub *s)
{
    struct x64 *x = &g->c;

    x64_patch(s->from, x->p);
    x64_store(x, true, gen_at(g, g->guest->scratch + 8), s->a);
    x64_store(x, true, gen_at(g, g->guest->scratch + 16), s->d1);
    x64_mov_ri(x, RAX, s->info);
    x64_call(x, g->thunk[GEN_T_PAUTH]);
    x64_jmp_to(x, s->back);
}
