/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary for integer registers, arithmetic, flags and control flow, as IR.
 * Part of translate.c. */

#define R(x) ((val){ (x) })

static inline bool feature(env *e, enum a64_feat f)
{
    return e->b->model->features >> f & 1;
}

/* The interpreter does this instruction instead; `ends`: it may change anything. */
static inline void give_up(env *e, bool ends)
{
    e->give_up = true;
    e->give_up_ends |= ends;
}

static inline val imm(env *e, uint64_t k) { return R(ir_const(e->ir, k)); }

static inline val pc_rel(env *e, int64_t off)
{
    return R(ir_emit(e->ir, IR_PCREL, true, 0, 0, 0, (uint64_t)(e->index * 4 + off)));
}

static inline val rd(env *e, unsigned r)
{
    return R(r == 31 ? ir_const(e->ir, 0) : ir_get(e->ir, r));
}

static inline val rd_sp(env *e, unsigned r) { return R(ir_get(e->ir, r)); }

static inline void wr(env *e, unsigned r, val v)
{
    if (r != 31) {
        ir_put(e->ir, r, v.r);
    }
}

static inline void wr_sp(env *e, unsigned r, val v) { ir_put(e->ir, r, v.r); }

static inline val rd_base(env *e, unsigned r)
{
    val v = rd_sp(e, r);

    if (r == 31) {
        e->sp_base = v.r;
    }
    return v;
}

#define BIN(name, op) \
    static inline val name(env *e, bool sf, val a, val b) \
    { \
        return R(ir_bin(e->ir, op, sf, a.r, b.r)); \
    }
BIN(add, IR_ADD)
BIN(sub, IR_SUB)
BIN(mul, IR_MUL)
BIN(and_, IR_AND)
BIN(or_, IR_OR)
BIN(xor_, IR_XOR)
BIN(shl, IR_SHL)
BIN(shr, IR_SHR)
BIN(sar, IR_SAR)
BIN(ror, IR_ROR)
#undef BIN

#define BIN(name, op) \
    static inline val name(env *e, bool sf, val a, val b) \
    { \
        return R(ir_emit(e->ir, op, sf, a.r, b.r, 0, 0)); \
    }
BIN(sdiv, IR_SDIV)
BIN(udiv, IR_UDIV)
#undef BIN

static inline val smulh(env *e, val a, val b)
{
    return R(ir_emit(e->ir, IR_SMULH, true, a.r, b.r, 0, 0));
}

static inline val umulh(env *e, val a, val b)
{
    return R(ir_emit(e->ir, IR_UMULH, true, a.r, b.r, 0, 0));
}

static inline val not_(env *e, bool sf, val a) { return R(ir_not(e->ir, sf, a.r)); }

static inline val extr(env *e, bool sf, val hi, val lo, unsigned lsb)
{
    if (lsb == 0) {
        return R(sf ? lo.r : ir_zx32(e->ir, lo.r));
    }
    if (hi.r == lo.r) {
        return R(ir_bin(e->ir, IR_ROR, sf, lo.r, ir_const(e->ir, lsb)));
    }
    return R(ir_emit(e->ir, IR_EXTR, sf, hi.r, lo.r, 0, lsb));
}

static inline val ubfx(env *e, bool sf, val a, unsigned lsb, unsigned width)
{
    return R(ir_ubfx(e->ir, sf, a.r, lsb, width));
}

static inline val sbfx(env *e, bool sf, val a, unsigned lsb, unsigned width)
{
    return R(ir_sbfx(e->ir, sf, a.r, lsb, width));
}

static inline val bfi(env *e, bool sf, val into, val a, unsigned lsb, unsigned width)
{
    return R(ir_bfi(e->ir, sf, into.r, a.r, lsb, width));
}

static inline val clz(env *e, bool sf, val a)
{
    return R(ir_emit(e->ir, IR_CLZ, sf, a.r, 0, 0, 0));
}

static inline val cls(env *e, bool sf, val a)
{
    return R(ir_emit(e->ir, IR_CLS, sf, a.r, 0, 0, 0));
}

static inline val rbit(env *e, bool sf, val a)
{
    return R(ir_emit(e->ir, IR_RBIT, sf, a.r, 0, 0, 0));
}

static inline val rev(env *e, bool sf, unsigned container_bytes, val a)
{
    ir_ref r = ir_emit(e->ir, IR_REV, sf, a.r, 0, 0, 0);

    e->ir->op[r].cc = container_bytes;
    return R(r);
}

static inline ir_ref call(env *e, enum a64_helper h, ir_ref a, ir_ref b, ir_ref c)
{
    return ir_emit(e->ir, IR_CALL, true, a, b, c, h);
}

/* Only if one of these A64_ATT_* bits is set at run time; there is no result. */
static inline void call_if(env *e, uint32_t attention, enum a64_helper h, ir_ref a)
{
    ir_emit(e->ir, IR_CALL, true, a, 0, 0, (uint64_t)attention << 32 | h);
}

/* A helper that always leaves the block. */
static inline void call_end(env *e, enum a64_helper h, ir_ref a, ir_ref b, ir_ref c)
{
    ir_ref r = ir_emit(e->ir, IR_CALLC, true, a, b, c, h);

    e->ir->op[r].x = 1;
    e->ended = true;
}

/* The other polynomial P (with bits reversed, 33 of them), by products without carry: q is what
 * makes the lowest 64 bits of q P those of the message; the 32 above are the remainder.  M is the
 * inverse of P modulo x^64. */
static inline ir_ref crc32_product(env *e, unsigned bits, ir_ref acc, ir_ref a)
{
    const uint64_t P = UINT64_C(0x1db710641), M = UINT64_C(0xb4e5b025f7011641);
    uint64_t pmull = VOP_pmull | (uint64_t)V_ARG(3, 4, 0) << 16;
    struct ir *ir = e->ir;
    ir_ref v, r;

    acc = ir_zx32(ir, acc);
    v = ir_bin(ir, IR_XOR, true, acc, a);
    if (bits < 64) {                    /* what is before the message is zero */
        v = ir_bin(ir, IR_SHL, true, v, ir_const(ir, 64 - bits));
    }
    v = ir_emit(ir, IR_VFROM, true, v, 0, 0, 0);
    v = ir_emit(ir, IR_V2, true, v, ir_emit(ir, IR_VCONST, true, 0, 0, 0, M), 0, pmull);
    v = ir_emit(ir, IR_V2, true, v, ir_emit(ir, IR_VCONST, true, 0, 0, 0, P), 0, pmull);
    r = ir_emit(ir, IR_VTO, true, v, 0, 0, 1);
    ir->op[r].cc = 8;
    ir->op[r].hi0 = true;
    return bits < 32 ? ir_bin(ir, IR_XOR, false, r, ir_bin(ir, IR_SHR, false, acc,
                                                           ir_const(ir, bits))) : r;
}

static inline val crc32(env *e, bool castagnoli, unsigned bytes, val acc, val a)
{
    ir_ref r;

    if (!castagnoli) {
        if (e->b->host & GEN_HOST_PCLMUL) {
            return R(crc32_product(e, 8 * bytes, acc.r, a.r));
        }
        give_up(e, false);
        return acc;
    }
    r = ir_emit(e->ir, IR_CRC32, false, acc.r, a.r, 0, 0);
    e->ir->op[r].cc = bytes;
    return R(r);
}

static inline val cmp(env *e, bool sf, enum cmp_op op, val a, val b)
{
    return R(ir_cmp(e->ir, sf, (enum ir_cmp)op, a.r, b.r));
}

static inline val sel(env *e, val c, val if_true, val if_false)
{
    return R(ir_sel(e->ir, c.r, if_true.r, if_false.r));
}

/* ---- flags ---- */
static inline val adds(env *e, bool sf, val a, val b)
{
    return R(ir_flagop(e->ir, IR_ADDS, sf, a.r, b.r));
}

static inline val subs(env *e, bool sf, val a, val b)
{
    return R(ir_flagop(e->ir, IR_SUBS, sf, a.r, b.r));
}

static inline val adc(env *e, bool sf, val a, val b)
{
    return R(ir_emit(e->ir, IR_ADC, sf, a.r, b.r, 0, 0));
}

static inline val sbc(env *e, bool sf, val a, val b)
{
    return R(ir_emit(e->ir, IR_SBC, sf, a.r, b.r, 0, 0));
}

static inline val adcs(env *e, bool sf, val a, val b)
{
    return R(ir_flagop(e->ir, IR_ADCS, sf, a.r, b.r));
}

static inline val sbcs(env *e, bool sf, val a, val b)
{
    return R(ir_flagop(e->ir, IR_SBCS, sf, a.r, b.r));
}

static inline void flags_logic(env *e, bool sf, val result)
{
    ir_flagop(e->ir, IR_LOGF, sf, result.r, 0);
}

static inline val cond(env *e, unsigned cc) { return R(ir_cond(e->ir, cc)); }

static inline void ccmp(env *e, bool sf, unsigned cc, bool is_sub, val a, val b, unsigned nzcv)
{
    ir_ref r = ir_flagop(e->ir, IR_CCMP, sf, a.r, b.r);

    e->ir->op[r].cc = cc;
    e->ir->op[r].x = is_sub;
    e->ir->op[r].k = nzcv;
}

static inline val nzcv_get(env *e)
{
    return R(ir_emit(e->ir, IR_NZCVGET, false, 0, 0, 0, 0));
}

static inline void nzcv_set(env *e, val v)
{
    struct ir *ir = e->ir;
    struct ir_op *to = &ir->op[v.r], *p = to - 1;

    /* FCMP: the comparison that was just made defines the flags directly. */
    if (to->op == IR_VTO && v.r == ir->n - 1 && to->a == v.r - 1 && p->op == IR_VCALL &&
        p->k == VOP_fcmp && V_SIZE(p->k2) >= 2) {
        uint64_t arg = p->k2 | (e->b->mode & A64_MODE_FP_PLAIN ? 0 : GEN_FP_FZ);
        ir_ref a = p->a, b = p->b, r;
        ir->n -= 2;
        r = ir_flagop(ir, IR_VFCMP, true, a, b);
        ir->op[r].k = arg;
        return;
    }
    ir_flagop(e->ir, IR_NZCVSET, true, v.r, 0);
}

/* ---- control flow ---- */
/* The label of the region at this offset in the page, -1 = none. */
static inline int label_at(const env *e, int64_t target)
{
    return e->pages && target >= 0 && target < 4096 ? e->pages->label[e->page][target / 4] : -1;
}

/* Goes over to the label at this offset from the page, in another page of the region, if there is
 * one. */
static inline bool cross(env *e, int64_t target)
{
    const struct trans_pages *p = e->pages;
    int64_t distance;
    ir_ref r;

    if (!p) {
        return false;
    }
    distance = p->distance[e->page] + (target >> 12);
    for (unsigned n = 0; n < p->n; n++) {
        int label = p->label[n][target >> 2 & 1023];
        if (n != e->page && p->distance[n] == distance && label >= 0) {
            r = ir_emit(e->ir, IR_CROSS, true, 0, 0, 0, target);
            e->ir->op[r].cc = n;
            e->ir->op[r].x = target < 0;
            ir_emit(e->ir, IR_JUMP, true, 0, 0, 0, label);
            return true;
        }
    }
    return false;
}

static inline void jump_if(env *e, unsigned label, ir_ref c, bool invert)
{
    ir_ref r = ir_emit(e->ir, IR_JUMPC, true, 0, 0, c, label);

    e->ir->op[r].cc = invert;
}

static inline void leave_to(env *e, int64_t off)
{
    int64_t target = (int64_t)e->index * 4 + off;
    int label = label_at(e, target);
    ir_ref r;

    if (label >= 0) {
        ir_emit(e->ir, IR_JUMP, true, 0, 0, 0, label);
    } else if (!cross(e, target)) {
        r = ir_emit(e->ir, IR_EXIT, true, 0, 0, 0, target);
        e->ir->op[r].x = off <= 0;
    }
    e->ended = true;
}

static inline void goto_rel(env *e, int64_t off, enum jump_kind k)
{
    int64_t target = (int64_t)e->index * 4 + off;

    if (k == JUMP_PLAIN && off > 0 && target < 4096 && !e->pages) {
        e->follow = true;
        e->next = target / 4;
        return;
    }
    leave_to(e, off);
}

static inline void goto_rel_if(env *e, val c, int64_t off)
{
    int64_t target = (int64_t)e->index * 4 + off;
    ir_ref r;

    if (ir_is_const(e->ir, c.r)) {
        if (e->ir->op[c.r].k) {
            leave_to(e, off);
        }
        return;
    }
    if (label_at(e, target) >= 0) {
        jump_if(e, label_at(e, target), c.r, false);
        return;
    }
    if (target >= 0 && target < 4096) {
        r = ir_emit(e->ir, IR_EXITC, true, 0, 0, c.r, target);
        e->ir->op[r].cc = 0;
        e->ir->op[r].k2 = off <= 0;
        return;
    }
    /* Into another page: leave to the next instruction unless the condition holds. */
    if (label_at(e, e->index * 4 + 4) >= 0) {
        jump_if(e, label_at(e, e->index * 4 + 4), c.r, true);
        leave_to(e, off);
    } else if (e->index < 1023) {
        r = ir_emit(e->ir, IR_EXITC, true, 0, 0, c.r, e->index * 4 + 4);
        e->ir->op[r].cc = 1;
        leave_to(e, off);
    } else {
        ir_ref a = pc_rel(e, off).r, b = pc_rel(e, 4).r;
        ir_emit(e->ir, IR_EXITR, true, ir_sel(e->ir, c.r, a, b), 0, 0, 0);
    }
    e->ended = true;
}

/* A return is compared with where the calls in the region are. */
static inline void return_within(env *e)
{
    struct trans_pages *p = e->pages;

    for (unsigned n = 0; n < p->ret_n; n++) {
        unsigned page = p->ret[n].page, index = p->ret[n].index;
        int64_t off = (int64_t)(p->distance[page] - p->distance[e->page]) * 4096 + index * 4;
        int label = p->label[page][index];
        ir_ref want = ir_emit(e->ir, IR_PCREL, true, 0, 0, 0, off);
        ir_ref same = ir_cmp(e->ir, true, IR_EQ, ir_get(e->ir, 30), want);

        if (page == e->page) {
            jump_if(e, label, same, false);
        } else if (p->label_n < IR_LABELS_MAX - 1) {
            unsigned next = p->label_n++;
            jump_if(e, next, same, true);
            cross(e, off);
            ir_label(e->ir, next, false);
            e->ir->op[e->ir->n - 1].cc = e->page;
        }
    }
}

static inline void goto_reg(env *e, val target, enum jump_kind k)
{
    ir_ref r;

    if (k == JUMP_RETURN && e->pages && e->pages->ret_n) {
        return_within(e);
        target.r = ir_get(e->ir, 30);
    }
    r = ir_emit(e->ir, IR_EXITR, true, target.r, 0, 0, 0);
    e->ir->op[r].x = e->btype;
    e->ended = true;
}

static inline void undefined(env *e) { give_up(e, true); }

static inline void raise(env *e, unsigned ec, uint32_t iss, unsigned ret_off)
{
    call_end(e, A64_H_RAISE, ir_const(e->ir, ec), ir_const(e->ir, iss), ir_const(e->ir, ret_off));
}

static inline void exception_return(env *e, unsigned key)
{
    if (key || !(e->b->mode & A64_MODE_EL1)) {
        give_up(e, true);
        return;
    }
    call_end(e, A64_H_ERET, 0, 0, 0);
}

static inline void firmware_call(env *e, bool is_smc, unsigned imm16)
{
    (void)is_smc;
    (void)imm16;
    give_up(e, true);
}

static inline void halting_breakpoint(env *e, unsigned imm16)
{
    (void)imm16;
    give_up(e, true);
}
