/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/emit_x64/gen_int.h"

#include <assert.h>

static const struct ir_op *op(const struct gen *g)
{
    return &g->ir->op[g->i];
}

/* Whether the constant `v` fits an immediate of an operation of this width. */
static bool imm32(const struct gen *g, ir_ref v, bool sf, int32_t *k)
{
    const struct ir_op *p = &g->ir->op[v];

    if (p->op != IR_CONST || (sf && (int64_t)p->k != (int32_t)p->k)) {
        return false;
    }
    *k = p->k;
    return true;
}

static bool ef_needed(const struct gen *g)
{
    return g->ef && g->mf != g->ef && g->ir->op[g->ef].flast >= g->i;
}

static void add(struct gen *g)
{
    const struct ir_op *p = op(g);
    int32_t k;
    int a = gen_use(g, p->a), b, d;

    if (imm32(g, p->b, p->sf, &k)) {
        d = gen_def(g, g->i);
        if (d == a && !ef_needed(g)) {
            gen_clobber_ef(g);
            x64_alu_ri(&g->c, ALU_ADD, p->sf, d, k);
        } else {
            x64_lea(&g->c, p->sf, d, x64_at(a, k));
        }
        return;
    }
    b = gen_use(g, p->b);
    d = gen_def(g, g->i);
    x64_lea(&g->c, p->sf, d, x64_idx(a, b, 0, 0));
}

/* a + (b << cc), cc = 1, 2, 3 */
static void add_shifted(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a), b = gen_use(g, p->b), d = gen_def(g, g->i);

    x64_lea(&g->c, p->sf, d, x64_idx(a, b, p->cc, 0));
}

/* d = a op b for the arithmetic group. */
static void alu(struct gen *g, enum x64_alu x, bool commutes)
{
    const struct ir_op *p = op(g);
    int32_t k;
    bool is_imm = imm32(g, p->b, p->sf, &k);
    int a = gen_use(g, p->a), b = is_imm ? -1 : gen_use(g, p->b), d = gen_def(g, g->i);

    gen_clobber_ef(g);
    if (is_imm) {
        if (d != a) {
            x64_mov_rr(&g->c, p->sf, d, a);
        }
        x64_alu_ri(&g->c, x, p->sf, d, k);
    } else if (d == a) {
        x64_alu_rr(&g->c, x, p->sf, d, b);
    } else if (d != b) {
        x64_mov_rr(&g->c, p->sf, d, a);
        x64_alu_rr(&g->c, x, p->sf, d, b);
    } else if (commutes) {
        x64_alu_rr(&g->c, x, p->sf, d, a);
    } else {
        x64_mov_rr(&g->c, p->sf, RAX, a);
        x64_alu_rr(&g->c, x, p->sf, RAX, b);
        x64_mov_rr(&g->c, p->sf, d, RAX);
    }
    if (x == ALU_AND) {
        g->logic = g->i;
        g->logic_sf = p->sf;
    }
}

static void andn(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a), b = gen_use(g, p->b), d = gen_def(g, g->i);

    gen_clobber_ef(g);
    x64_v(&g->c, 0xf2 | OP_0F38 | x64_w(p->sf), d, a, b);       /* ANDN d, a, b = ~a & b */
    g->logic = g->i;
    g->logic_sf = p->sf;
}

static void sub(struct gen *g)
{
    const struct ir_op *p = op(g), *a = &g->ir->op[p->a];

    if (a->op == IR_CONST && a->k == 0) {
        int b = gen_use(g, p->b), d = gen_def(g, g->i);
        if (d != b) {
            x64_mov_rr(&g->c, p->sf, d, b);
        }
        if (ef_needed(g)) {
            x64_rr(&g->c, 0xf7 | x64_w(p->sf), 2, d);           /* NOT keeps EFLAGS */
            x64_lea(&g->c, p->sf, d, x64_at(d, 1));
        } else {
            gen_clobber_ef(g);
            x64_rr(&g->c, 0xf7 | x64_w(p->sf), 3, d);
        }
        return;
    }
    alu(g, ALU_SUB, false);
}

static void mul(struct gen *g)
{
    const struct ir_op *p = op(g);
    int32_t k;
    int a = gen_use(g, p->a), b, d;

    if (imm32(g, p->b, p->sf, &k)) {
        d = gen_def(g, g->i);
        gen_clobber_ef(g);
        x64_rr(&g->c, 0x69 | x64_w(p->sf), d, a);
        x64_d(&g->c, k);
        return;
    }
    b = gen_use(g, p->b);
    d = gen_def(g, g->i);
    gen_clobber_ef(g);
    if (d == b) {
        b = a;
    } else if (d != a) {
        x64_mov_rr(&g->c, p->sf, d, a);
    }
    x64_rr(&g->c, 0xaf | OP_0F | x64_w(p->sf), d, b);
}

static void mulh(struct gen *g, bool is_signed)
{
    const struct ir_op *p = op(g);
    int a, b, d;

    gen_free_reg(g, RDX);
    a = gen_use(g, p->a);
    b = gen_use(g, p->b);
    d = gen_def(g, g->i);
    if (is_signed) {
        gen_clobber_ef(g);
        x64_mov_rr(&g->c, true, RAX, a);
        x64_rr(&g->c, 0xf7 | OP_W, 5, b);                       /* imul b */
        x64_mov_rr(&g->c, true, d, RDX);
    } else {
        x64_mov_rr(&g->c, true, RDX, a);
        x64_v(&g->c, 0xf6 | OP_0F38 | OP_F2 | OP_W, d, RAX, b); /* mulx d, rax, b */
    }
}

/* x / 0 = 0; the most negative number / -1 is itself (x86 traps on both). */
static void divide(struct gen *g, bool is_signed)
{
    const struct ir_op *p = op(g);
    int a, b, d;
    uint8_t *zero, *minus = NULL, *end, *end2 = NULL;

    gen_free_reg(g, RDX);
    a = gen_use(g, p->a);
    b = gen_use(g, p->b);
    d = gen_def(g, g->i);
    gen_clobber_ef(g);
    x64_mov_rr(&g->c, p->sf, RAX, a);
    x64_test_rr(&g->c, p->sf, b, b);
    zero = x64_jcc8(&g->c, CC_E);
    if (is_signed) {
        x64_alu_ri(&g->c, ALU_CMP, p->sf, b, -1);
        minus = x64_jcc8(&g->c, CC_E);
        x64_b(&g->c, p->sf ? 0x48 : 0x99);                      /* cqo, cdq */
        if (p->sf) {
            x64_b(&g->c, 0x99);
        }
    } else {
        x64_mov_ri(&g->c, RDX, 0);
    }
    x64_rr(&g->c, 0xf7 | x64_w(p->sf), is_signed ? 7 : 6, b);
    end = x64_jmp8(&g->c);
    if (is_signed) {
        x64_patch8(minus, g->c.p);
        x64_rr(&g->c, 0xf7 | x64_w(p->sf), 3, RAX);             /* neg */
        end2 = x64_jmp8(&g->c);
    }
    x64_patch8(zero, g->c.p);
    x64_mov_ri(&g->c, RAX, 0);
    x64_patch8(end, g->c.p);
    if (end2) {
        x64_patch8(end2, g->c.p);
    }
    x64_mov_rr(&g->c, p->sf, d, RAX);
}

static void shift(struct gen *g)
{
    static const struct { uint8_t by_imm; uint16_t by_reg; } row[4] = {
        { SH_SHL, OP_66 }, { SH_SHR, OP_F2 }, { SH_SAR, OP_F3 }, { SH_ROR, 0 },
    };
    const struct ir_op *p = op(g);
    unsigned which = p->op - IR_SHL;
    int32_t k;
    int a, b, d;

    if (imm32(g, p->b, false, &k)) {
        k &= p->sf ? 63 : 31;
        a = gen_use(g, p->a);
        d = gen_def(g, g->i);
        if (p->op == IR_ROR) {
            x64_vi(&g->c, 0xf0 | OP_0F3A | OP_F2 | x64_w(p->sf), d, 0, a, k);   /* rorx */
            return;
        }
        if (ef_needed(g)) {
            x64_mov_ri(&g->c, RAX, k);
            x64_v(&g->c, 0xf7 | OP_0F38 | row[which].by_reg | x64_w(p->sf), d, RAX, a);
            return;
        }
        gen_clobber_ef(g);
        if (d != a) {
            x64_mov_rr(&g->c, p->sf, d, a);
        }
        x64_shift_ri(&g->c, row[which].by_imm, p->sf, d, k);
        return;
    }
    if (p->op == IR_ROR) {
        gen_free_reg(g, RCX);
        a = gen_use(g, p->a);
        b = gen_use(g, p->b);
        d = gen_def(g, g->i);
        gen_clobber_ef(g);
        x64_mov_rr(&g->c, p->sf, RAX, a);
        x64_mov_rr(&g->c, false, RCX, b);
        x64_rr(&g->c, 0xd3 | x64_w(p->sf), SH_ROR, RAX);
        x64_mov_rr(&g->c, p->sf, d, RAX);
        return;
    }
    a = gen_use(g, p->a);
    b = gen_use(g, p->b);
    d = gen_def(g, g->i);
    x64_v(&g->c, 0xf7 | OP_0F38 | row[which].by_reg | x64_w(p->sf), d, b, a);  /* SHLX d, a, b */
}

static void not_op(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a), d = gen_def(g, g->i);

    if (d != a) {
        x64_mov_rr(&g->c, p->sf, d, a);
    }
    x64_rr(&g->c, 0xf7 | x64_w(p->sf), 2, d);
}

static void extr(struct gen *g)
{
    const struct ir_op *p = op(g);
    int hi = gen_use(g, p->a), lo = gen_use(g, p->b), d = gen_def(g, g->i);

    gen_clobber_ef(g);
    x64_mov_rr(&g->c, p->sf, RAX, lo);
    x64_rr(&g->c, 0xac | OP_0F | x64_w(p->sf), hi, RAX);        /* shrd rax, hi, k */
    x64_b(&g->c, p->k);
    x64_mov_rr(&g->c, p->sf, d, RAX);
}

static void ubfx(struct gen *g)
{
    const struct ir_op *p = op(g);
    unsigned lsb = p->k, width = p->cc;
    bool w = lsb + width > 32;
    int a = gen_use(g, p->a), d = gen_def(g, g->i);

    if (lsb == 0 && width == 8) {
        x64_movzx8(&g->c, d, a);
    } else if (lsb == 0 && width == 16) {
        x64_rr(&g->c, 0xb7 | OP_0F, d, a);
    } else if (lsb == 0 && width == 32) {
        x64_mov_rr(&g->c, false, d, a);
    } else {
        gen_clobber_ef(g);
        if (d != a) {
            x64_mov_rr(&g->c, w, d, a);
        }
        if (lsb + width == 64 || lsb + width == 32) {
            x64_shift_ri(&g->c, SH_SHR, w, d, lsb);
        } else if (width < 32) {
            if (lsb) {
                x64_shift_ri(&g->c, SH_SHR, w, d, lsb);
            }
            x64_alu_ri(&g->c, ALU_AND, false, d, (1u << width) - 1);
        } else {
            x64_shift_ri(&g->c, SH_SHL, true, d, 64 - lsb - width);
            x64_shift_ri(&g->c, SH_SHR, true, d, 64 - width);
        }
    }
}

static void sbfx(struct gen *g)
{
    const struct ir_op *p = op(g);
    unsigned lsb = p->k, width = p->cc, bits = p->sf ? 64 : 32;
    int a = gen_use(g, p->a), d = gen_def(g, g->i);

    if (lsb == 0 && width == 8) {
        x64_rr(&g->c, 0xbe | OP_0F | OP_BYTE_REG | x64_w(p->sf), d, a);
    } else if (lsb == 0 && width == 16) {
        x64_rr(&g->c, 0xbf | OP_0F | x64_w(p->sf), d, a);
    } else if (lsb == 0 && width == 32) {
        x64_rr(&g->c, 0x63 | x64_w(p->sf), d, a);               /* movsxd */
    } else {
        gen_clobber_ef(g);
        if (d != a) {
            x64_mov_rr(&g->c, p->sf, d, a);
        }
        if (lsb + width != bits) {
            x64_shift_ri(&g->c, SH_SHL, p->sf, d, bits - lsb - width);
        }
        if (width != bits) {
            x64_shift_ri(&g->c, SH_SAR, p->sf, d, bits - width);
        }
    }
}

/* d = into with bits [lsb, lsb + width) from the low bits of a. */
static void bfi(struct gen *g)
{
    const struct ir_op *p = op(g);
    unsigned lsb = p->k, width = p->cc, bits = p->sf ? 64 : 32;
    int into = gen_use(g, p->a), a = gen_use(g, p->b), t = gen_tmp(g), d;

    gen_clobber_ef(g);
    x64_mov_rr(&g->c, p->sf, RAX, a);
    x64_shift_ri(&g->c, SH_SHL, p->sf, RAX, bits - width);
    if (bits != width + lsb) {
        x64_shift_ri(&g->c, SH_SHR, p->sf, RAX, bits - width - lsb);
    }
    /* Clear the field: rotate it to the bottom, shift it out and in. */
    x64_mov_rr(&g->c, p->sf, t, into);
    if (lsb) {
        x64_shift_ri(&g->c, SH_ROR, p->sf, t, lsb);
    }
    if (width == bits) {
        x64_mov_ri(&g->c, t, 0);
    } else {
        x64_shift_ri(&g->c, SH_SHR, p->sf, t, width);
        x64_shift_ri(&g->c, SH_SHL, p->sf, t, width);
    }
    if (lsb) {
        x64_shift_ri(&g->c, SH_ROL, p->sf, t, lsb);
    }
    x64_alu_rr(&g->c, ALU_OR, p->sf, t, RAX);
    d = gen_def(g, g->i);
    x64_mov_rr(&g->c, p->sf, d, t);
}

static void count(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a), d = gen_def(g, g->i), from = a;

    gen_clobber_ef(g);
    if (p->op == IR_CLS) {
        /* Leading bits equal to the one above them: zeros of a ^ (a << 1), at most bits - 1. */
        x64_lea(&g->c, p->sf, RAX, x64_idx(a, a, 0, 0));
        x64_alu_rr(&g->c, ALU_XOR, p->sf, RAX, a);
        x64_alu_ri(&g->c, ALU_OR, p->sf, RAX, 1);
        from = RAX;
    }
    x64_rr(&g->c, 0xbd | OP_0F | OP_F3 | x64_w(p->sf), d, from);    /* lzcnt */
}

static void bswap(struct gen *g, bool sf, int d)
{
    if (sf || d >= R8) {
        x64_b(&g->c, 0x40 | (sf ? 8 : 0) | d >> 3);
    }
    x64_b(&g->c, 0x0f);
    x64_b(&g->c, 0xc8 | (d & 7));
}

/* rax = (rax & m) << n | (rax >> n & m), with t as a second register */
static void swap_groups(struct gen *g, bool sf, int t, int m_reg, uint64_t m, unsigned n)
{
    x64_mov_ri(&g->c, m_reg, sf ? m : (uint32_t)m);
    x64_mov_rr(&g->c, sf, t, RAX);
    x64_shift_ri(&g->c, SH_SHR, sf, t, n);
    x64_alu_rr(&g->c, ALU_AND, sf, t, m_reg);
    x64_alu_rr(&g->c, ALU_AND, sf, RAX, m_reg);
    x64_shift_ri(&g->c, SH_SHL, sf, RAX, n);
    x64_alu_rr(&g->c, ALU_OR, sf, RAX, t);
}

static void reverse(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a), t = -1, m = -1, d;

    if (p->op == IR_RBIT || p->cc == 2) {
        t = gen_tmp(g);
        m = gen_tmp(g);
        gen_clobber_ef(g);
    }
    d = gen_def(g, g->i);
    x64_mov_rr(&g->c, p->sf, RAX, a);
    if (p->op == IR_RBIT) {
        bswap(g, p->sf, RAX);
        swap_groups(g, p->sf, t, m, UINT64_C(0x0f0f0f0f0f0f0f0f), 4);
        swap_groups(g, p->sf, t, m, UINT64_C(0x3333333333333333), 2);
        swap_groups(g, p->sf, t, m, UINT64_C(0x5555555555555555), 1);
    } else if (p->cc == 2) {
        swap_groups(g, p->sf, t, m, UINT64_C(0x00ff00ff00ff00ff), 8);
    } else {
        bswap(g, p->sf, RAX);
        if (p->cc == 4 && p->sf) {
            x64_vi(&g->c, 0xf0 | OP_0F3A | OP_F2 | OP_W, RAX, 0, RAX, 32);
        }
    }
    x64_mov_rr(&g->c, p->sf, d, RAX);
}

/* CRC32C only (the other polynomial is a helper). */
static void crc32c(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a), b = gen_use(g, p->b), d = gen_def(g, g->i);
    unsigned bytes = p->cc;

    x64_mov_rr(&g->c, false, RAX, a);
    if (bytes == 2) {
        x64_b(&g->c, 0x66);
    }
    x64_rr(&g->c, (bytes == 1 ? 0xf0 | OP_BYTE_REG : 0xf1) | OP_0F38 | OP_F2 | x64_w(bytes == 8),
           RAX, b);
    x64_mov_rr(&g->c, false, d, RAX);
}

static void test_ri(struct gen *g, bool sf, int r, int32_t k)
{
    if (k >= 0 && k <= 0xff) {
        x64_rr(&g->c, 0xf6 | OP_BYTE_REG, 0, r);
        x64_b(&g->c, k);
    } else {
        x64_rr(&g->c, 0xf7 | x64_w(sf && k < 0), 0, r);
        x64_d(&g->c, k);
    }
}

static void compare(struct gen *g, const struct ir_op *p)
{
    int32_t k;
    int a = gen_use(g, p->a);

    if (p->cc >= IR_ZERO && imm32(g, p->b, p->sf, &k)) {
        gen_clobber_ef(g);
        test_ri(g, p->sf, a, k);
        return;
    }
    if (p->cc >= IR_ZERO) {
        int b = gen_use(g, p->b);
        gen_clobber_ef(g);
        x64_test_rr(&g->c, p->sf, a, b);
        return;
    }

    if (imm32(g, p->b, p->sf, &k)) {
        if (k == 0 && p->cc <= IR_NE && g->logic == p->a && g->logic_sf == p->sf) {
            return;             /* EFLAGS are those of the AND that computed it */
        }
        gen_clobber_ef(g);
        if (k == 0 && p->cc <= IR_NE) {
            x64_test_rr(&g->c, p->sf, a, a);
        } else {
            x64_alu_ri(&g->c, ALU_CMP, p->sf, a, k);
        }
        return;
    }
    int b = gen_use(g, p->b);
    gen_clobber_ef(g);
    x64_alu_rr(&g->c, ALU_CMP, p->sf, a, b);
}

static const uint8_t cmp_cc[] = { CC_E, CC_NE, CC_B, CC_AE, CC_L, CC_GE, CC_E, CC_NE };

enum x64_cc gen_fused(struct gen *g, ir_ref c)
{
    const struct ir_op *p = &g->ir->op[c];

    if (p->op == IR_COND) {
        return gen_cc(g, p->f, p->cc);
    }
    compare(g, p);
    return cmp_cc[p->cc];
}

static void set_bool(struct gen *g, enum x64_cc cc)
{
    int d;

    x64_setcc(&g->c, cc, RAX);
    d = gen_def(g, g->i);
    x64_movzx8(&g->c, d, RAX);
}

static void sel(struct gen *g)
{
    const struct ir_op *p = op(g);
    enum x64_cc cc;
    int a, b, d;

    if (p->x) {
        cc = gen_fused(g, p->c);
    } else {
        int c = gen_use(g, p->c);
        gen_clobber_ef(g);
        x64_test_rr(&g->c, false, c, c);
        cc = CC_NE;
    }
    g->locked = 0;
    a = gen_use(g, p->a);               /* moves only: keeps EFLAGS */
    b = gen_use(g, p->b);
    d = gen_def(g, g->i);
    if (d == a) {
        x64_cmov(&g->c, cc ^ 1, true, d, b);
    } else {
        if (d != b) {
            x64_mov_rr(&g->c, true, d, b);
        }
        x64_cmov(&g->c, cc, true, d, a);
    }
}

/* ADDS and SUBS; only the flags if nobody wants the value. */
static void add_sub_flags(struct gen *g)
{
    const struct ir_op *p = op(g);
    bool is_sub = p->op == IR_SUBS, imm;
    int32_t k;
    int a, b = -1, d;

    a = gen_use(g, p->a);
    imm = imm32(g, p->b, p->sf, &k);
    if (!imm) {
        b = gen_use(g, p->b);
    }
    gen_clobber_ef(g);
    if (!p->last && is_sub) {
        if (imm) {
            x64_alu_ri(&g->c, ALU_CMP, p->sf, a, k);
        } else {
            x64_alu_rr(&g->c, ALU_CMP, p->sf, a, b);
        }
    } else {
        d = p->last ? gen_def(g, g->i) : RAX;
        if (b == d && d != a) {
            x64_mov_rr(&g->c, p->sf, RAX, b);
            b = RAX;
        }
        if (d != a) {
            x64_mov_rr(&g->c, p->sf, d, a);
        }
        if (imm) {
            x64_alu_ri(&g->c, is_sub ? ALU_SUB : ALU_ADD, p->sf, d, k);
        } else {
            x64_alu_rr(&g->c, is_sub ? ALU_SUB : ALU_ADD, p->sf, d, b);
        }
    }
    g->ef = g->i;
    g->ef_inv = is_sub;
}

/* ADC, SBC, ADCS, SBCS: x86's borrow is Arm's carry inverted. */
static void add_carry(struct gen *g)
{
    const struct ir_op *p = op(g);
    bool is_sub = p->op == IR_SBC || p->op == IR_SBCS, sets = p->op == IR_ADCS || p->op == IR_SBCS;
    int a = gen_use(g, p->a), b = gen_use(g, p->b), t = gen_tmp(g), d;
    ir_ref f = p->f;

    if (f && g->mf != f && g->ir->op[f].flast > g->i) {
        gen_flags_sync(g, f);
    }
    gen_carry(g, f, is_sub);
    x64_mov_rr(&g->c, p->sf, t, a);
    x64_alu_rr(&g->c, is_sub ? ALU_SBB : ALU_ADC, p->sf, t, b);
    g->ef = sets ? g->i : 0;
    g->ef_inv = is_sub;
    g->logic = 0;
    if (p->last) {
        d = gen_def(g, g->i);
        x64_mov_rr(&g->c, p->sf, d, t);
    }
}

static void logic_flags(struct gen *g)
{
    const struct ir_op *p = op(g);
    bool have = g->logic == p->a && p->a && g->logic_sf == p->sf;

    if (!have) {
        int a = gen_use(g, p->a);
        gen_clobber_ef(g);
        x64_test_rr(&g->c, p->sf, a, a);
    }
    g->ef = g->i;
    g->ef_inv = false;
}

/* Flags of the comparison if the condition holds, else a constant; in EFLAGS either way. */
static void ccmp(struct gen *g)
{
    const struct ir_op *p = op(g);
    bool is_sub = p->x, imm;
    unsigned nzcv = p->k;
    uint8_t *other = NULL, *end = NULL;
    int32_t k = 0;
    int a = gen_use(g, p->a), b = -1;

    imm = imm32(g, p->b, p->sf, &k);
    if (!imm) {
        b = gen_use(g, p->b);
    }
    if (p->cc < 14) {
        if (p->f && g->mf != p->f && g->ir->op[p->f].flast > g->i) {
            gen_flags_sync(g, p->f);
        }
        other = x64_jcc8(&g->c, gen_cc(g, p->f, p->cc) ^ 1);
    } else {
        gen_clobber_ef(g);
    }
    if (is_sub && imm) {
        x64_alu_ri(&g->c, ALU_CMP, p->sf, a, k);
    } else if (is_sub) {
        x64_alu_rr(&g->c, ALU_CMP, p->sf, a, b);
    } else {
        x64_mov_rr(&g->c, p->sf, RAX, a);
        if (imm) {
            x64_alu_ri(&g->c, ALU_ADD, p->sf, RAX, k);
        } else {
            x64_alu_rr(&g->c, ALU_ADD, p->sf, RAX, b);
        }
    }
    if (other) {
        bool cf = (nzcv >> 1 & 1) ^ is_sub;
        unsigned ah = (nzcv >> 3 & 1) << 7 | (nzcv >> 2 & 1) << 6 | cf;
        end = x64_jmp8(&g->c);
        x64_patch8(other, g->c.p);
        x64_mov_ri(&g->c, RAX, ah << 8 | (nzcv & 1));
        x64_rr(&g->c, 0x80, 0, RAX);                            /* add al, 0x7f: OF = V */
        x64_b(&g->c, 0x7f);
        x64_b(&g->c, 0x9e);                                     /* sahf */
        x64_patch8(end, g->c.p);
    }
    g->ef = g->i;
    g->ef_inv = is_sub;
    g->logic = 0;
}

/* Bits 31:28 of a value to the form in memory: N 15, Z 14, C 8, V 0. */
static void nzcv_set(struct gen *g)
{
    const struct ir_op *p = op(g);
    int a = gen_use(g, p->a), t = gen_tmp(g);

    gen_clobber_ef(g);
    x64_mov_rr(&g->c, false, RAX, a);
    x64_mov_rr(&g->c, false, t, a);
    x64_shift_ri(&g->c, SH_SHR, false, RAX, 16);
    x64_alu_ri(&g->c, ALU_AND, false, RAX, 0xc000);
    x64_shift_ri(&g->c, SH_SHR, false, t, 21);
    x64_alu_ri(&g->c, ALU_AND, false, t, 0x100);
    x64_alu_rr(&g->c, ALU_OR, false, RAX, t);
    x64_mov_rr(&g->c, false, t, a);
    x64_shift_ri(&g->c, SH_SHR, false, t, 28);
    x64_alu_ri(&g->c, ALU_AND, false, t, 1);
    x64_alu_rr(&g->c, ALU_OR, false, RAX, t);
    x64_b(&g->c, 0x66);
    x64_store(&g->c, false, gen_at(g, g->guest->nzcv), RAX);
    g->mf = g->i;
}

static void nzcv_get(struct gen *g)
{
    const struct ir_op *p = op(g);
    int t, d;

    gen_flags_sync(g, p->f);
    t = gen_tmp(g);
    gen_clobber_ef(g);
    x64_rm(&g->c, 0xb7 | OP_0F, RAX, gen_at(g, g->guest->nzcv));
    x64_mov_rr(&g->c, false, t, RAX);
    x64_alu_ri(&g->c, ALU_AND, false, t, 0xc000);
    x64_shift_ri(&g->c, SH_SHL, false, t, 16);
    d = gen_def(g, g->i);
    x64_mov_rr(&g->c, false, d, RAX);
    x64_alu_ri(&g->c, ALU_AND, false, d, 0x100);
    x64_shift_ri(&g->c, SH_SHL, false, d, 21);
    x64_alu_rr(&g->c, ALU_OR, false, d, t);
    x64_alu_ri(&g->c, ALU_AND, false, RAX, 1);
    x64_shift_ri(&g->c, SH_SHL, false, RAX, 28);
    x64_alu_rr(&g->c, ALU_OR, false, d, RAX);
}

static void pcrel(struct gen *g)
{
    const struct ir_op *p = op(g);
    int64_t k = (int64_t)p->k - 0xfff;
    int d = gen_def(g, g->i);

    x64_load(&g->c, true, d, gen_at(g, g->guest->page_last));
    if (k == (int32_t)k) {
        x64_lea(&g->c, true, d, x64_at(d, k));
    } else {
        x64_mov_ri(&g->c, RAX, k);
        x64_lea(&g->c, true, d, x64_idx(d, RAX, 0, 0));
    }
}

void gen_int(struct gen *g)
{
    const struct ir_op *p = op(g);

    switch (p->op) {
    case IR_PCREL: pcrel(g); break;
    case IR_ADD: add(g); break;
    case IR_ADDSH: add_shifted(g); break;
    case IR_SUB: sub(g); break;
    case IR_MUL: mul(g); break;
    case IR_AND: alu(g, ALU_AND, true); break;
    case IR_OR: alu(g, ALU_OR, true); break;
    case IR_XOR: alu(g, ALU_XOR, true); break;
    case IR_ANDN: andn(g); break;
    case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR: shift(g); break;
    case IR_NOT: not_op(g); break;
    case IR_SMULH: mulh(g, true); break;
    case IR_UMULH: mulh(g, false); break;
    case IR_SDIV: divide(g, true); break;
    case IR_UDIV: divide(g, false); break;
    case IR_EXTR: extr(g); break;
    case IR_UBFX: ubfx(g); break;
    case IR_SBFX: sbfx(g); break;
    case IR_BFI: bfi(g); break;
    case IR_CLZ: case IR_CLS: count(g); break;
    case IR_RBIT: case IR_REV: reverse(g); break;
    case IR_CRC32: crc32c(g); break;
    case IR_CMP:
        compare(g, p);
        set_bool(g, cmp_cc[p->cc]);
        break;
    case IR_COND: set_bool(g, gen_cc(g, p->f, p->cc)); break;
    case IR_SEL: sel(g); break;
    case IR_ADDS: case IR_SUBS: add_sub_flags(g); break;
    case IR_ADC: case IR_SBC: case IR_ADCS: case IR_SBCS: add_carry(g); break;
    case IR_LOGF: logic_flags(g); break;
    case IR_CCMP: ccmp(g); break;
    case IR_NZCVSET: nzcv_set(g); break;
    case IR_NZCVGET: nzcv_get(g); break;
    default: assert(!"integer operation");
    }
}
