/* SPDX-License-Identifier: Apache-2.0 */
/* How a vector primitive is made from operations that the host has, where that depends on where
 * its operands come from.  Part of translate.c. */

enum { V_LOOK_BACK = 96 };      /* operations among which an equal one is looked for */

static inline ir_ref v_again(const env *e, enum ir_opcode op, ir_ref a, ir_ref b, ir_ref c,
                             uint64_t k, uint64_t k2)
{
    const struct ir *ir = e->ir;
    unsigned end = ir->n > V_LOOK_BACK ? ir->n - V_LOOK_BACK : 1;

    for (unsigned i = ir->n; i-- > end;) {
        const struct ir_op *p = &ir->op[i];
        if (p->op == IR_LABEL || p->op == IR_CALLC) {
            break;                  /* no value lives on */
        }
        if (p->op == op && p->k == k && p->k2 == k2 && p->a == a && p->b == b && p->c == c &&
            !p->x) {
            return i;
        }
    }
    return 0;
}

/* An operation that depends on its operands only; an equal one is not made again. */
static inline ir_ref v_pure(env *e, unsigned vop, uint32_t arg, ir_ref a, ir_ref b, ir_ref c)
{
    enum ir_opcode op = b ? c ? IR_V3 : IR_V2 : IR_V1;
    uint64_t k = vop | (uint64_t)arg << 16;
    ir_ref r = v_again(e, op, a, b, c, k, 0);

    return r ? r : ir_emit(e->ir, op, true, a, b, c, k);
}

static inline vec v_imm(env *e, uint64_t lo, uint64_t hi)
{
    ir_ref r = v_again(e, IR_VCONST, 0, 0, 0, lo, hi);

    if (!r) {
        r = ir_emit(e->ir, IR_VCONST, true, 0, 0, 0, lo);
        e->ir->op[r].k2 = hi;
    }
    return (vec){ r };
}

/* The primitive that made v, or VOP_COUNT. */
static inline unsigned v_made_by(const env *e, ir_ref v)
{
    const struct ir_op *p = &e->ir->op[v];

    return p->op == IR_V1 || p->op == IR_V2 || p->op == IR_V3 ? p->k & 0xffff : VOP_COUNT;
}

/* What no 16-bit lane of v exceeds. */
static inline unsigned v_most16(const env *e, ir_ref v, unsigned depth)
{
    const struct ir_op *p = &e->ir->op[v];
    uint32_t arg = p->k >> 16;
    unsigned a, b, most = UINT16_MAX;

    switch (depth ? v_made_by(e, v) : VOP_COUNT) {
    case VOP_uxtl:
        return V_SIZE(arg) == 0 ? UINT8_MAX : most;
    case VOP_uaddlp:
        return V_SIZE(arg) == 0 ? 2 * UINT8_MAX : most;
    case VOP_ushri:
        return V_SIZE(arg) == 1 ? most >> V_X(arg) : most;
    case VOP_add: case VOP_mul:
        if (V_SIZE(arg) != 1) {
            return most;
        }
        a = v_most16(e, p->a, depth - 1);
        b = v_most16(e, p->b, depth - 1);
        a = v_made_by(e, v) == VOP_add ? a + b : a * b;
        return a < most ? a : most;
    default:
        return most;
    }
}

/* Products of the low or high (x) halves, twice as wide. */
static inline ir_ref v_mull(env *e, bool is_signed, unsigned size, unsigned x, ir_ref a, ir_ref b)
{
    ir_ref lo, hi;

    if (size == 0) {
        unsigned extend = is_signed ? VOP_sxtl : VOP_uxtl;
        a = v_pure(e, extend, V_ARG(0, 4, x), a, 0, 0);
        b = v_pure(e, extend, V_ARG(0, 4, x), b, 0, 0);
        return v_pure(e, VOP_mul, V_ARG(1, 4, 0), a, b, 0);
    }
    lo = v_pure(e, VOP_mul, V_ARG(1, 4, 0), a, b, 0);
    hi = v_pure(e, is_signed ? GEN_V_SMULH : GEN_V_UMULH, V_ARG(1, 4, 0), a, b, 0);
    return v_pure(e, x ? VOP_zip2 : VOP_zip1, V_ARG(1, 4, 0), lo, hi, 0);
}

/* a, b: UZP1 and UZP2 of the same two? */
static inline bool v_are_pairs(const env *e, uint32_t arg, ir_ref a, ir_ref b)
{
    const struct ir_op *p = &e->ir->op[a], *q = &e->ir->op[b];

    return v_made_by(e, a) == VOP_uzp1 && v_made_by(e, b) == VOP_uzp2 && p->a == q->a &&
           p->b == q->b && (uint32_t)(p->k >> 16) == (arg & 31) && q->k >> 16 == p->k >> 16;
}

static inline bool v_is_mask(const env *e, ir_ref v)
{
    switch (v_made_by(e, v)) {
    case VOP_cmeq: case VOP_cmgt: case VOP_cmge: case VOP_cmhi: case VOP_cmhs: case VOP_cmtst:
    case VOP_fcmeq: case VOP_fcmge: case VOP_fcmgt:
        return V_LG(e->ir->op[v].k >> 16) == 4;
    default:
        return false;
    }
}

/* The same in every element of the constant: its low byte, as the shifts by register take it. */
static inline bool v_shift_const(const env *e, ir_ref v, unsigned size, int *n)
{
    const struct ir_op *p = &e->ir->op[v];
    uint64_t k = p->k;

    for (unsigned bits = 32; bits >= 8u << size; bits /= 2) {
        if (k >> bits != (k & UINT64_MAX >> (64 - bits))) {
            return false;
        }
        k &= UINT64_MAX >> (64 - bits);
    }
    *n = (int8_t)k;
    return p->op == IR_VCONST && p->k == p->k2;
}

/* An operation that may set FPSR.QC. */
static inline ir_ref v_qc(env *e, unsigned vop, uint32_t arg, ir_ref a, ir_ref b)
{
    ir_ref r = ir_emit(e->ir, b ? IR_V2 : IR_V1, true, a, b, 0, vop | (uint64_t)arg << 16);

    e->ir->op[r].x = 1;
    return r;
}

static inline ir_ref v_each(env *e, uint32_t arg, uint64_t k)
{
    for (unsigned bits = 8u << V_SIZE(arg); bits < 64; bits *= 2) {
        k |= k << bits;
    }
    return v_imm(e, k, V_LG(arg) == 4 ? k : 0).r;
}

/* SRSHL, URSHL to the right by n: (a >> n) + (a >> (n - 1) & 1). */
static inline ir_ref v_round_shift(env *e, bool is_signed, uint32_t arg, ir_ref a, unsigned n)
{
    unsigned right = is_signed ? VOP_sshri : VOP_ushri;
    ir_ref bit;

    arg &= 31;
    if (n > 1) {
        a = v_pure(e, right, arg | V_ARG(0, 0, n - 1), a, 0, 0);
    }
    bit = v_pure(e, VOP_and, arg, a, v_each(e, arg, 1), 0);
    a = v_pure(e, right, arg | V_ARG(0, 0, 1), a, 0, 0);
    return v_pure(e, VOP_add, arg, a, bit, 0);
}

/* The same by register b; it is to the right where bit 7 of b is set. */
static inline ir_ref v_round_shift_by(env *e, bool is_signed, uint32_t arg, ir_ref a, ir_ref b)
{
    unsigned shift = is_signed ? VOP_sshl : VOP_ushl, bits = 8u << V_SIZE(arg);
    ir_ref less = v_pure(e, VOP_add, arg, b, v_each(e, arg, 1), 0), right = b;

    if (bits > 8) {
        right = v_pure(e, VOP_shli, arg | V_ARG(0, 0, bits - 8), right, 0, 0);
    }
    right = v_pure(e, VOP_ushri, arg | V_ARG(0, 0, bits - 1), right, 0, 0);
    less = v_pure(e, VOP_and, arg, v_pure(e, shift, arg, a, less, 0), right, 0);
    return v_pure(e, VOP_add, arg, v_pure(e, shift, arg, a, b, 0), less, 0);
}

static inline ir_ref v_saturating_shift(env *e, unsigned vop, uint32_t arg, ir_ref a, ir_ref b)
{
    static const uint16_t by_const[] = { GEN_V_SQSHLI, GEN_V_UQSHLI, GEN_V_SQSHLUI };
    unsigned which = vop == VOP_sqshl ? 0 : vop == VOP_uqshl ? 1 : 2;
    int n;

    if (V_SIZE(arg) == 3 || !v_shift_const(e, b, V_SIZE(arg), &n) || n < 0 ||
        n >= 8 << V_SIZE(arg)) {
        return 0;
    }
    return v_qc(e, by_const[which], arg | V_ARG(0, 0, n), a, 0);
}

/* A table of which the indexes are known: bytes of a, otherwise c. */
static inline ir_ref v_table_const(env *e, uint32_t arg, ir_ref a, ir_ref b, ir_ref c)
{
    const struct ir_op *index = &e->ir->op[b], *other = &e->ir->op[c];
    uint64_t control[2] = { 0, 0 }, keep[2] = { 0, 0 };
    bool zero = other->op == IR_VCONST && !other->k && !other->k2;
    ir_ref r;

    if (index->op != IR_VCONST) {
        return 0;
    }
    for (unsigned i = 0; i < 16; i++) {
        unsigned at = ((i < 8 ? index->k : index->k2) >> i % 8 * 8 & 0xff) - V_X(arg);
        bool in = at < 16 && i < 1u << V_LG(arg);
        control[i / 8] |= (uint64_t)(in ? at : 0x80) << i % 8 * 8;
        keep[i / 8] |= (uint64_t)(in || i >= 1u << V_LG(arg) ? 0 : 0xff) << i % 8 * 8;
    }
    r = v_pure(e, GEN_V_SHUFFLE, V_ARG(0, 4, 0), a, v_imm(e, control[0], control[1]).r, 0);
    if (!zero) {
        c = v_pure(e, VOP_and, V_ARG(3, 4, 0), c, v_imm(e, keep[0], keep[1]).r, 0);
        r = v_pure(e, VOP_orr, V_ARG(3, 4, 0), r, c, 0);
    }
    return v_low(e, r, 1u << V_LG(arg));
}

/* 0: as it stands. */
static inline ir_ref v_pick(env *e, unsigned vop, uint32_t arg, ir_ref a, ir_ref b, ir_ref c)
{
    unsigned size = V_SIZE(arg), lg = V_LG(arg), x = V_X(arg);
    int n;

    switch (vop) {
    case VOP_shli:
        return !x && gen_vec_bytes(e->ir, a) <= 1u << lg ? a : 0;
    case VOP_smull: case VOP_umull:
        return lg == 4 && size < 2 ? v_mull(e, vop == VOP_smull, size, x, a, b) : 0;
    case VOP_uaddlp:
        return size == 1 && v_most16(e, a, 4) <= INT16_MAX
                   ? v_pure(e, VOP_saddlp, arg, a, 0, 0) : 0;
    case VOP_sqdmull:                   /* the sum with itself saturates as the doubling does */
        a = size == 1 ? v_mull(e, true, 1, x, a, b)
                      : v_pure(e, VOP_smull, V_ARG(size, 4, x), a, b, 0);
        return v_qc(e, VOP_sqadd, V_ARG(size + 1, lg == 4 ? 4 : size + 1, 0), a, a);
    case VOP_cls:                       /* the sign's copies are zeroes of what differs from it */
        a = v_pure(e, VOP_eor, arg, a, v_pure(e, VOP_sshri, arg | V_ARG(0, 0, 1), a, 0, 0), 0);
        return v_pure(e, VOP_sub, arg, v_pure(e, VOP_clz, arg, a, 0, 0), v_each(e, arg, 1), 0);
    case VOP_srshl: case VOP_urshl:
        if (lg < 3) {
            return 0;
        }
        if (v_shift_const(e, b, size, &n) && n < 0) {
            return v_round_shift(e, vop == VOP_srshl, arg, a, -n);
        }
        return v_round_shift_by(e, vop == VOP_srshl, arg, a, b);
    case VOP_sqshl: case VOP_uqshl: case VOP_sqshlu:
        return v_saturating_shift(e, vop, arg, a, b);
    case VOP_tbx:
        return v_table_const(e, arg, a, b, c);
    case VOP_bsl:
        return lg == 4 && v_is_mask(e, a) ? v_pure(e, GEN_V_BLEND, arg, a, b, c) : 0;
    case VOP_add: case VOP_smax: case VOP_smin: case VOP_umax: case VOP_umin:
        if (size < 2 && lg == 4 && v_are_pairs(e, arg, a, b)) {
            const struct ir_op *p = &e->ir->op[a];
            return v_pure(e, GEN_V_PAIRS, arg | V_ARG(0, 0, vop), p->a, p->b, 0);
        }
        return 0;
    default:
        return 0;
    }
}

/* Lane `lane` of `into` from lane `from` of b, 4 or 8 bytes. */
static inline ir_ref v_insert_lane(env *e, unsigned bytes, unsigned lane, ir_ref into, ir_ref b,
                                   unsigned from)
{
    unsigned size = bytes == 8 ? 3 : 2;

    if (bytes == 8 && lane == 1 && from == 0) {
        return v_pure(e, VOP_zip1, V_ARG(3, 4, 0), into, b, 0);
    }
    return v_pure(e, GEN_V_INSERT, V_ARG(size, 4, lane | from << 4), into, b, 0);
}
