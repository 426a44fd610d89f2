/* SPDX-License-Identifier: Apache-2.0 */
/* struct x64: an x86-64 assembler of the thinnest kind: each function appends one instruction
 * (Intel SDM vol. 2 encodings).  Operand order is destination first. */
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum x64_reg {
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
    X64_NOREG = -1,
};

/* Condition codes of Jcc, SETcc, CMOVcc; the opposite is ^ 1. */
enum x64_cc {
    CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE,
    CC_LE, CC_G,
};

/* Arithmetic group: opcode /digit of 81 /n and row of the 0x00–0x3f block. */
enum x64_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum x64_shift { SH_ROL, SH_ROR, SH_RCL, SH_RCR, SH_SHL, SH_SHR, SH_SAR = 7 };

/* Opcode maps and mandatory prefixes, or-ed to the opcode byte. */
enum {
    OP_0F = 0x100, OP_0F38 = 0x200, OP_0F3A = 0x300, OP_MAP = 0x300,
    OP_66 = 0x1000, OP_F3 = 0x2000, OP_F2 = 0x3000, OP_PP = 0x3000,
    OP_W = 0x4000,          /* REX.W / VEX.W */
    OP_BYTE_REG = 0x8000,   /* operands are byte registers: SPL … DIL need a REX prefix */
    OP_EVEX = 0x10000,      /* AVX-512; with a displacement only as [RIP + disp32] */
    OP_MAP5 = 0x20000, OP_MAP6 = 0x40000,       /* of EVEX: half precision */
    OP_K1 = 0x80000,        /* of EVEX: the lanes that K1 has, of others the result keeps … */
    OP_Z = 0x100000,        /* … zero instead */
};

struct x64_mem {
    int8_t base, index;     /* X64_NOREG = none */
    uint8_t scale_log2;
    int32_t disp;
};

enum { X64_FAR_MAX = 3072 };

/* The calls and jumps out of [begin, end): where their displacements are. */
struct x64_far {
    const uint8_t *begin;
    unsigned n;             /* may exceed X64_FAR_MAX: then not all are there */
    uint32_t at[X64_FAR_MAX];
};

struct x64 {
    uint8_t *p, *end;       /* the caller keeps 64 bytes in hand per instruction group */
    struct x64_far *far;    /* NULL: nobody wants to know */
};

static inline struct x64_mem x64_at(int base, int32_t disp)
{
    return (struct x64_mem){ base, X64_NOREG, 0, disp };
}

static inline struct x64_mem x64_idx(int base, int index, unsigned scale_log2, int32_t disp)
{
    return (struct x64_mem){ base, index, scale_log2, disp };
}

static inline void x64_b(struct x64 *c, uint8_t b)
{
    *c->p++ = b;
}

static inline void x64_d(struct x64 *c, uint32_t d)
{
    memcpy(c->p, &d, 4);
    c->p += 4;
}

static inline void x64_q(struct x64 *c, uint64_t q)
{
    memcpy(c->p, &q, 8);
    c->p += 8;
}

/* The parts of an instruction take and return where it goes: bytes written through struct x64
 * would make the compiler load and store its pointer for each of them. */
static inline uint8_t *x64_modrm_mem(uint8_t *p, unsigned reg, struct x64_mem m)
{
    unsigned r = (reg & 7) << 3, b = m.base & 7;
    unsigned mod = m.disp == 0 && b != RBP ? 0 : m.disp == (int8_t)m.disp ? 1 : 2;

    assert(m.base != X64_NOREG && m.index != RSP);
    if (m.index != X64_NOREG || b == RSP) {
        *p++ = mod << 6 | r | 4;
        *p++ = m.scale_log2 << 6 | (m.index == X64_NOREG ? 4 : m.index & 7) << 3 | b;
    } else {
        *p++ = mod << 6 | r | b;
    }
    memcpy(p, &m.disp, 4);              /* behind it is nobody's yet */
    return p + (mod == 2 ? 4 : mod);
}

static inline uint8_t *x64_opcode(uint8_t *p, unsigned op)
{
    if (op & OP_MAP) {
        *p++ = 0x0f;
        if ((op & OP_MAP) == OP_0F38) {
            *p++ = 0x38;
        } else if ((op & OP_MAP) == OP_0F3A) {
            *p++ = 0x3a;
        }
    }
    *p++ = op;
    return p;
}

static inline uint8_t *x64_prefix(uint8_t *p, unsigned op)
{
    static const uint8_t pp[4] = { 0, 0x66, 0xf3, 0xf2 };

    *p = pp[(op & OP_PP) >> 12];
    return p + ((op & OP_PP) != 0);
}

/* op reg, rm  (registers) */
static inline void x64_rr(struct x64 *c, unsigned op, unsigned reg, unsigned rm)
{
    unsigned rex = (op & OP_W ? 8 : 0) | (reg >> 3) << 2 | rm >> 3;
    uint8_t *p = x64_prefix(c->p, op);

    *p = 0x40 | rex;
    p += rex || ((op & OP_BYTE_REG) && (reg >= RSP || rm >= RSP));
    p = x64_opcode(p, op);
    *p = 0xc0 | (reg & 7) << 3 | (rm & 7);
    c->p = p + 1;
}

/* op reg, [mem]  (or the reverse, as the opcode says) */
static inline void x64_rm(struct x64 *c, unsigned op, unsigned reg, struct x64_mem m)
{
    unsigned rex = (op & OP_W ? 8 : 0) | (reg >> 3) << 2 |
                   (m.index != X64_NOREG ? m.index >> 3 << 1 : 0) | m.base >> 3;
    uint8_t *p = x64_prefix(c->p, op);

    *p = 0x40 | rex;
    p += rex || ((op & OP_BYTE_REG) && reg >= RSP);
    c->p = x64_modrm_mem(x64_opcode(p, op), reg, m);
}

static inline unsigned x64_w(bool sf)
{
    return sf ? OP_W : 0;
}

static inline void x64_mov_rr(struct x64 *c, bool sf, unsigned d, unsigned s)
{
    x64_rr(c, 0x8b | x64_w(sf), d, s);
}

/* Keeps EFLAGS. */
static inline void x64_mov_ri(struct x64 *c, unsigned d, uint64_t k)
{
    if (k <= UINT32_MAX) {
        if (d >= R8) {
            x64_b(c, 0x41);
        }
        x64_b(c, 0xb8 | (d & 7));
        x64_d(c, k);
    } else if ((int64_t)k == (int32_t)k) {
        x64_rr(c, 0xc7 | OP_W, 0, d);
        x64_d(c, k);
    } else {
        x64_b(c, 0x48 | d >> 3);
        x64_b(c, 0xb8 | (d & 7));
        x64_q(c, k);
    }
}

static inline void x64_alu_rr(struct x64 *c, enum x64_alu op, bool sf, unsigned d, unsigned s)
{
    x64_rr(c, (op << 3 | 3) | x64_w(sf), d, s);
}

static inline void x64_alu_rm(struct x64 *c, enum x64_alu op, bool sf, unsigned d, struct x64_mem m)
{
    x64_rm(c, (op << 3 | 3) | x64_w(sf), d, m);
}

static inline void x64_alu_ri(struct x64 *c, enum x64_alu op, bool sf, unsigned d, int32_t k)
{
    if (k == (int8_t)k) {
        x64_rr(c, 0x83 | x64_w(sf), op, d);
        x64_b(c, k);
    } else {
        x64_rr(c, 0x81 | x64_w(sf), op, d);
        x64_d(c, k);
    }
}

static inline void x64_alu_mi(struct x64 *c, enum x64_alu op, bool sf, struct x64_mem m, int32_t k)
{
    if (k == (int8_t)k) {
        x64_rm(c, 0x83 | x64_w(sf), op, m);
        x64_b(c, k);
    } else {
        x64_rm(c, 0x81 | x64_w(sf), op, m);
        x64_d(c, k);
    }
}

static inline void x64_test_rr(struct x64 *c, bool sf, unsigned a, unsigned b)
{
    x64_rr(c, 0x85 | x64_w(sf), a, b);
}

static inline void x64_shift_ri(struct x64 *c, enum x64_shift op, bool sf, unsigned d, unsigned n)
{
    x64_rr(c, 0xc1 | x64_w(sf), op, d);
    x64_b(c, n);
}

static inline void x64_lea(struct x64 *c, bool sf, unsigned d, struct x64_mem m)
{
    x64_rm(c, 0x8d | x64_w(sf), d, m);
}

static inline void x64_load(struct x64 *c, bool sf, unsigned d, struct x64_mem m)
{
    x64_rm(c, 0x8b | x64_w(sf), d, m);
}

static inline void x64_store(struct x64 *c, bool sf, struct x64_mem m, unsigned s)
{
    x64_rm(c, 0x89 | x64_w(sf), s, m);
}

static inline void x64_store_i(struct x64 *c, bool sf, struct x64_mem m, int32_t k)
{
    x64_rm(c, 0xc7 | x64_w(sf), 0, m);
    x64_d(c, k);
}

static inline void x64_setcc(struct x64 *c, enum x64_cc cc, unsigned d)
{
    x64_rr(c, 0x90 | cc | OP_0F | OP_BYTE_REG, 0, d);
}

static inline void x64_cmov(struct x64 *c, enum x64_cc cc, bool sf, unsigned d, unsigned s)
{
    x64_rr(c, 0x40 | cc | OP_0F | x64_w(sf), d, s);
}

static inline void x64_movzx8(struct x64 *c, unsigned d, unsigned s)
{
    x64_rr(c, 0xb6 | OP_0F | OP_BYTE_REG, d, s);
}

/* Jumps with a 32-bit displacement; the returned address of the displacement is for
 * x64_patch().  x64_jcc8 has 8 bits, for x64_patch8(). */
static inline uint8_t *x64_jmp(struct x64 *c)
{
    x64_b(c, 0xe9);
    x64_d(c, 0);
    return c->p - 4;
}

static inline uint8_t *x64_jcc(struct x64 *c, enum x64_cc cc)
{
    x64_b(c, 0x0f);
    x64_b(c, 0x80 | cc);
    x64_d(c, 0);
    return c->p - 4;
}

static inline uint8_t *x64_jcc8(struct x64 *c, enum x64_cc cc)
{
    x64_b(c, 0x70 | cc);
    x64_b(c, 0);
    return c->p - 1;
}

static inline uint8_t *x64_jmp8(struct x64 *c)
{
    x64_b(c, 0xeb);
    x64_b(c, 0);
    return c->p - 1;
}

static inline void x64_patch(uint8_t *at, const uint8_t *target)
{
    int32_t d = target - (at + 4);
    memcpy(at, &d, 4);
}

static inline void x64_patch8(uint8_t *at, const uint8_t *target)
{
    ptrdiff_t d = target - (at + 1);
    assert(d == (int8_t)d);
    *at = d;
}

static inline void x64_rel(struct x64 *c, const uint8_t *target)
{
    struct x64_far *f = c->far;

    if (f && (target < f->begin || target >= c->end) && f->n++ < X64_FAR_MAX) {
        f->at[f->n - 1] = c->p - f->begin;
    }
    x64_d(c, target - (c->p + 4));
}

static inline void x64_call(struct x64 *c, const uint8_t *target)
{
    x64_b(c, 0xe8);
    x64_rel(c, target);
}

static inline void x64_jmp_to(struct x64 *c, const uint8_t *target)
{
    x64_b(c, 0xe9);
    x64_rel(c, target);
}

static inline void x64_push(struct x64 *c, unsigned r)
{
    if (r >= R8) {
        x64_b(c, 0x41);
    }
    x64_b(c, 0x50 | (r & 7));
}

static inline void x64_pop(struct x64 *c, unsigned r)
{
    if (r >= R8) {
        x64_b(c, 0x41);
    }
    x64_b(c, 0x58 | (r & 7));
}

/* The prefix of four bytes, on the first 16 registers (SDM vol. 2, 2.7.1).
 *
 *    62   R X B R'  0 m m m   W v v v v 1 p p   z L' L b V' a a a     R X B R' v V' are inverted */
static inline uint8_t *x64_evex(uint8_t *p, unsigned op, unsigned l, unsigned reg, unsigned vvvv,
                                unsigned x, unsigned b)
{
    unsigned map = op & OP_MAP5 ? 5 : op & OP_MAP6 ? 6 : (op & OP_MAP) >> 8;

    *p++ = 0x62;
    *p++ = (reg < 8) << 7 | !x << 6 | !b << 5 | 1 << 4 | map;
    *p++ = (op & OP_W ? 1 : 0) << 7 | (~vvvv & 15) << 3 | 1 << 2 | (op & OP_PP) >> 12;
    *p++ = (op & OP_Z ? 1 : 0) << 7 | l << 5 | 1 << 3 | (op & OP_K1 ? 1 : 0);
    return p;
}

/* ---- VEX ---- op: opcode | OP_0F.. | OP_66.. | OP_W, also OP_EVEX; l: 0 = 128 bits, 1 = 256 */
static inline uint8_t *x64_vex(uint8_t *p, unsigned op, unsigned l, unsigned reg, unsigned vvvv,
                               unsigned x, unsigned b)
{
    unsigned map = (op & OP_MAP) >> 8, pp = (op & OP_PP) >> 12, w = op & OP_W ? 1 : 0;

    if (op & OP_EVEX) {
        p = x64_evex(p, op, l, reg, vvvv, x, b);
    } else if (map == 1 && !w && !x && !b) {
        *p++ = 0xc5;
        *p++ = (reg < 8) << 7 | (~vvvv & 15) << 3 | l << 2 | pp;
    } else {
        *p++ = 0xc4;
        *p++ = (reg < 8) << 7 | !x << 6 | !b << 5 | map;
        *p++ = w << 7 | (~vvvv & 15) << 3 | l << 2 | pp;
    }
    *p++ = op;
    return p;
}

/* vop reg, vvvv, rm */
static inline void x64_v(struct x64 *c, unsigned op, unsigned reg, unsigned vvvv, unsigned rm)
{
    uint8_t *p = x64_vex(c->p, op, 0, reg, vvvv, 0, rm >> 3);

    *p = 0xc0 | (reg & 7) << 3 | (rm & 7);
    c->p = p + 1;
}

static inline void x64_vi(struct x64 *c, unsigned op, unsigned reg, unsigned vvvv, unsigned rm,
                          uint8_t imm)
{
    x64_v(c, op, reg, vvvv, rm);
    x64_b(c, imm);
}

static inline void x64_vm(struct x64 *c, unsigned op, unsigned reg, unsigned vvvv, struct x64_mem m)
{
    uint8_t *p = x64_vex(c->p, op, 0, reg, vvvv, m.index != X64_NOREG && m.index >= 8, m.base >> 3);

    assert(!(op & OP_EVEX));            /* its 8-bit displacements are multiples of the operand */
    c->p = x64_modrm_mem(p, reg, m);
}
