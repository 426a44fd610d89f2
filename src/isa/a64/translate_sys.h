/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary for memory and system instructions, as IR.  Part of translate.c. */

/* ---- memory ---- */
/* Splits an address into register and displacement. */
static inline void address(env *e, val addr, struct memop m, ir_ref *base, int64_t *disp,
                           uint32_t *info)
{
    const struct ir_op *p = &e->ir->op[addr.r];

    *base = addr.r;
    *disp = 0;
    if (p->op == IR_ADD && p->sf && ir_is_const(e->ir, p->b) && addr.r != e->sp_base &&
        !p->in_var) {
        int64_t k = (int64_t)e->ir->op[p->b].k;
        if (k > -0x10000 && k < 0x10000) {
            *base = p->a;
            *disp = k;
        }
    }
    *info = (uint32_t)m.size_log2 << 12 | (uint32_t)m.extend << 15 |
            (m.unpriv && (e->b->mode & A64_MODE_EL1) ? GEN_MI_UNPRIV : 0) |
            (m.ordered ? GEN_MI_ORDERED : 0) | (m.acquire ? GEN_MI_ACQUIRE : 0) |
            (m.release ? GEN_MI_RELEASE : 0);
    if (e->sp_base) {
        *info |= GEN_MI_SP;             /* with an index: see access_op() */
    }
}

static inline ir_ref access_op(env *e, enum ir_opcode op, struct memop m, val addr, ir_ref b,
                               ir_ref c, uint32_t more)
{
    ir_ref base, r;
    int64_t disp;
    uint32_t info;

    address(e, addr, m, &base, &disp, &info);
    r = ir_emit(e->ir, op, true, base, b, c, (uint64_t)disp);
    e->ir->op[r].cc = e->sp_base && base != e->sp_base;     /* SP's alignment is not the base's */
    e->ir->op[r].k2 = info | more;
    e->ir->op[r].hi0 = op == IR_LOAD && m.extend != MEMOP_SX64 && m.size_log2 < 3;
    return r;
}

static inline val load(env *e, struct memop m, val addr)
{
    return R(access_op(e, IR_LOAD, m, addr, 0, 0, 0));
}

static inline void store(env *e, struct memop m, val addr, val data)
{
    access_op(e, IR_STORE, m, addr, data.r, 0, GEN_MI_STORE);
}

static inline void load2(env *e, struct memop m, val addr, val *lo, val *hi)
{
    lo->r = access_op(e, IR_LOAD2, m, addr, 0, 0, GEN_MI_PAIR);
    *hi = R(e->give_up ? lo->r : ir_emit(e->ir, IR_SECOND, true, lo->r, 0, 0, 0));
}

static inline void store2(env *e, struct memop m, val addr, val lo, val hi)
{
    access_op(e, IR_STORE2, m, addr, lo.r, hi.r, GEN_MI_STORE | GEN_MI_PAIR);
}

static inline vec vload(env *e, struct memop m, val addr)
{
    return (vec){ access_op(e, IR_VLOAD, m, addr, 0, 0, GEN_MI_VEC) };
}

static inline void vstore(env *e, struct memop m, val addr, vec data)
{
    access_op(e, IR_VSTORE, m, addr, data.r, 0, GEN_MI_VEC | GEN_MI_STORE);
}

static inline void vload2(env *e, struct memop m, val addr, vec *lo, vec *hi)
{
    int64_t step = INT64_C(1) << m.size_log2;

    *lo = vload(e, m, addr);
    *hi = *lo;
    if (!e->give_up) {
        struct ir_op first = e->ir->op[lo->r];
        hi->r = ir_emit(e->ir, IR_VLOAD, true, first.a, 0, 0, first.k + step);
        e->ir->op[hi->r].k2 = first.k2;
    }
}

/* Both pages of a pair that crosses a page must be checked before the first is written. */
static inline void vstore2(env *e, struct memop m, val addr, vec lo, vec hi)
{
    ir_ref r = access_op(e, IR_VSTORE, m, addr, lo.r, hi.r,
                         GEN_MI_VEC | GEN_MI_STORE | GEN_MI_PAIR);
    (void)r;
}

static inline void st_env(env *e, int32_t off, unsigned size_log2, ir_ref v)
{
    ir_ref r = ir_emit(e->ir, IR_STENV, true, v, 0, 0, (uint64_t)off);

    e->ir->op[r].cc = size_log2;
}

static inline ir_ref ld_env(env *e, int32_t off, unsigned size_log2)
{
    ir_ref r = ir_emit(e->ir, IR_LDENV, true, 0, 0, 0, (uint64_t)off);

    e->ir->op[r].cc = size_log2;
    e->ir->op[r].hi0 = size_log2 < 3;
    return r;
}

static inline val load_ex(env *e, struct memop m, val addr)
{
    val v = load(e, m, addr);

    if (!e->give_up) {
        st_env(e, offsetof(struct a64_cpu, ex_addr), 3, addr.r);
        st_env(e, offsetof(struct a64_cpu, ex_val), 3, v.r);
        st_env(e, offsetof(struct a64_cpu, ex_size_log2), 0, ir_const(e->ir, m.size_log2));
    }
    return v;
}

/* Pairs of words are doublewords; those of doublewords leave two more words of data, and what a
 * compare and swap expects before them, in scratch[4] to [7]. */
static inline ir_ref words_join(env *e, val lo, val hi)
{
    return ir_bin(e->ir, IR_OR, true, ir_zx32(e->ir, lo.r),
                  ir_bin(e->ir, IR_SHL, true, hi.r, ir_const(e->ir, 32)));
}

static inline void words_split(env *e, val v, val *lo, val *hi)
{
    *lo = R(ir_zx32(e->ir, v.r));
    *hi = R(ir_ubfx(e->ir, true, v.r, 32, 32));
}

static inline int32_t scratch_at(unsigned i)
{
    return offsetof(struct a64_cpu, jit_scratch) + 8 * i;
}

static inline void load_ex2(env *e, struct memop m, val addr, val *lo, val *hi)
{
    if (m.size_log2 == 2) {
        m.size_log2 = 3;
        words_split(e, load_ex(e, m, addr), lo, hi);
        return;
    }
    load2(e, m, addr, lo, hi);
    if (!e->give_up) {
        st_env(e, offsetof(struct a64_cpu, ex_addr), 3, addr.r);
        st_env(e, offsetof(struct a64_cpu, ex_val[0]), 3, lo->r);
        st_env(e, offsetof(struct a64_cpu, ex_val[1]), 3, hi->r);
        st_env(e, offsetof(struct a64_cpu, ex_size_log2), 0, ir_const(e->ir, 4));
    }
}

static inline val store_ex(env *e, struct memop m, val addr, val data)
{
    return R(access_op(e, IR_ATOMIC, m, addr, data.r, 0, GEN_MI_STXR));
}

static inline val store_ex2(env *e, struct memop m, val addr, val lo, val hi)
{
    if (m.size_log2 == 2) {
        m.size_log2 = 3;
        return store_ex(e, m, addr, R(words_join(e, lo, hi)));
    }
    st_env(e, scratch_at(6), 3, lo.r);
    st_env(e, scratch_at(7), 3, hi.r);
    return R(access_op(e, IR_ATOMIC, m, addr, lo.r, 0, GEN_MI_STXR | GEN_MI_PAIR));
}

static inline void clrex(env *e)
{
    st_env(e, offsetof(struct a64_cpu, ex_addr), 3, ir_const(e->ir, ~UINT64_C(0)));
}

static inline val atomic(env *e, enum atomic_op op, struct memop m, val addr, val data)
{
    ir_ref r;

    r = access_op(e, IR_ATOMIC, m, addr, data.r, 0, GEN_MI_ATOMIC);
    if (!e->give_up) {
        e->ir->op[r].x = op;
    }
    return R(r);
}

static inline val cas(env *e, struct memop m, val addr, val expect, val data)
{
    return R(access_op(e, IR_CAS, m, addr, data.r, expect.r, GEN_MI_ATOMIC));
}

static inline void cas2(env *e, struct memop m, val addr, const val expect[2],
                        const val data[2], val old[2])
{
    if (m.size_log2 == 2) {
        m.size_log2 = 3;
        words_split(e, cas(e, m, addr, R(words_join(e, expect[0], expect[1])),
                           R(words_join(e, data[0], data[1]))), &old[0], &old[1]);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        st_env(e, scratch_at(4 + i), 3, expect[i].r);
        st_env(e, scratch_at(6 + i), 3, data[i].r);
    }
    access_op(e, IR_CAS, m, addr, data[0].r, expect[0].r, GEN_MI_ATOMIC | GEN_MI_PAIR);
    for (unsigned i = 0; i < 2; i++) {
        old[i] = R(ld_env(e, scratch_at(1 + i), 3));
    }
}

/* A store of 64 bytes of zero.  What is not aligned goes the slow way, for FAR_EL1 is the address
 * as given. */
static inline void dc_zva(env *e, val addr)
{
    struct memop m = { .size_log2 = 6, .ordered = true };

    if ((e->b->model->dczid & 15) != 4) {
        give_up(e, false);
        return;
    }
    if (!(e->b->mode & A64_MODE_EL1)) {
        call_if(e, A64_ATT_ZVA0, A64_H_DC_ZVA, addr.r);
    }
    access_op(e, IR_VSTORE, m, addr, ir_emit(e->ir, IR_VCONST, true, 0, 0, 0, 0), 0,
              GEN_MI_VEC | GEN_MI_STORE);
}

static inline void barrier(env *e, enum barrier_kind k, unsigned crm)
{
    switch (k) {
    case BAR_DMB:
        /* Loads and stores of the host are ordered but for a store before a load. */
        if ((crm & 3) == 3 || !(crm & 3)) {     /* not LD or ST */
            ir_emit(e->ir, IR_FENCE, true, 0, 0, 0, 0);
        }
        break;
    case BAR_DSB:
        if ((crm & 3) == 3 || !(crm & 3)) {     /* DSB ST and LD: as the host does anyway */
            ir_emit(e->ir, IR_FENCE, true, 0, 0, 0, 0);
        }
        call_if(e, A64_ATT_DSB, A64_H_DSB, 0);
        break;
    case BAR_ISB:
        /* The translation regime may have been written: look this address up in what is now
         * the set's jump cache. */
        ir_emit(e->ir, IR_EXITR, true, pc_rel(e, 4).r, 0, 0, 0);
        e->ended = true;
        break;
    default:
        leave_to(e, 4);
        break;
    }
}

static inline void hint(env *e, unsigned imm7)
{
    if (imm7 == 2 || imm7 == 3) {
        give_up(e, true);               /* WFE, WFI */
    } else if (imm7 == 4) {
        give_up(e, false);              /* SEV */
    }
}

static inline void prefetch(env *e, val addr)
{
    (void)e;
    (void)addr;
}

/* ---- system ---- */
/* Registers that are a field of the PE, without trap or side effect at this EL.  *mask: the bits
 * that a write changes; the others are zero. */
static inline int32_t plain_sysreg(env *e, uint32_t enc, uint64_t *mask)
{
    bool el1 = e->b->mode & A64_MODE_EL1;

    *mask = ~UINT64_C(0);
    if (enc == A64_SYSREG(3, 3, 13, 0, 2)) {
        return offsetof(struct a64_cpu, tpidr_el0);
    }
    if (enc == A64_SYSREG(3, 3, 13, 0, 3)) {
        *mask = el1 ? ~UINT64_C(0) : 0;
        return offsetof(struct a64_cpu, tpidrro_el0);
    }
    if (!el1) {
        return -1;
    }
    switch (enc) {
    case A64_SYSREG(3, 0, 13, 0, 4): return offsetof(struct a64_cpu, tpidr_el1);
    case A64_SYSREG(3, 0, 4, 1, 0): return offsetof(struct a64_cpu, sp_el[0]);
    case A64_SYSREG(3, 0, 4, 0, 1): return offsetof(struct a64_cpu, elr_el1);
    case A64_SYSREG(3, 0, 6, 0, 0): return offsetof(struct a64_cpu, far_el1);
    case A64_SYSREG(3, 0, 7, 4, 0): return offsetof(struct a64_cpu, par_el1);
    case A64_SYSREG(3, 0, 12, 0, 0):
        *mask = ~UINT64_C(0x7ff);
        return offsetof(struct a64_cpu, vbar_el1);
    case A64_SYSREG(3, 0, 4, 0, 0):
        *mask = 0xffffffff;
        return offsetof(struct a64_cpu, spsr_el1);
    case A64_SYSREG(3, 0, 5, 2, 0):
        *mask = 0xffffffff;
        return offsetof(struct a64_cpu, esr_el1);
    case A64_SYSREG(3, 0, 13, 0, 1):
        *mask = 0xffffffff;
        return offsetof(struct a64_cpu, contextidr_el1);
    default:
        break;
    }
    if (enc >= A64_SYSREG(3, 0, 2, 1, 0) && enc <= A64_SYSREG(3, 0, 2, 3, 1) &&
        (enc & 4) == 0 && feature(e, A64_FEAT_PAUTH)) {
        unsigned n = (A64_SYSREG_CRM(enc) - 1) * 4 + A64_SYSREG_OP2(enc);
        return offsetof(struct a64_cpu, apiakeylo_el1) + 8 * n;         /* APIAKeyLo … APGAKeyHi */
    }
    *mask = 0;                          /* what follows has effects when written */
    switch (enc) {
    case A64_SYSREG(3, 0, 1, 0, 0): return offsetof(struct a64_cpu, sctlr_el1);
    case A64_SYSREG(3, 0, 1, 0, 2): return offsetof(struct a64_cpu, cpacr_el1);
    case A64_SYSREG(3, 0, 2, 0, 0): return offsetof(struct a64_cpu, ttbr0_el1);
    case A64_SYSREG(3, 0, 2, 0, 1): return offsetof(struct a64_cpu, ttbr1_el1);
    case A64_SYSREG(3, 0, 2, 0, 2): return offsetof(struct a64_cpu, tcr_el1);
    case A64_SYSREG(2, 0, 0, 2, 2): return offsetof(struct a64_cpu, mdscr_el1);
    default: return -1;
    }
}

#define SYSREG_FPCR A64_SYSREG(3, 3, 4, 4, 0)
#define SYSREG_NZCV A64_SYSREG(3, 3, 4, 2, 0)
#define SYSREG_DAIF A64_SYSREG(3, 3, 4, 2, 1)
#define SYSREG_CTR A64_SYSREG(3, 3, 0, 0, 1)
#define SYSREG_DCZID A64_SYSREG(3, 3, 0, 0, 7)

static inline ir_ref sysreg_call(env *e, uint32_t enc)
{
    return call(e, A64_H_SYSREG_READ, ir_const(e->ir, enc), ir_const(e->ir, e->insn & 31), 0);
}

/* Constants of the model, but for EL0's traps. */
static inline ir_ref sysreg_identity(env *e, uint32_t enc)
{
    struct ir *ir = e->ir;
    bool el1 = e->b->mode & A64_MODE_EL1;
    ir_ref dzp;

    if (enc == SYSREG_CTR) {
        return el1 ? ir_const(ir, e->b->model->ctr) : 0;
    }
    if (el1) {
        return ir_const(ir, e->b->model->dczid);
    }
    dzp = ld_env(e, offsetof(struct a64_cpu, att), 0);          /* DZP, bit 4 */
    dzp = ir_ubfx(ir, true, dzp, __builtin_ctz(A64_ATT_ZVA0 >> 24), 1);
    dzp = ir_bin(ir, IR_SHL, true, dzp, ir_const(ir, 4));
    return ir_bin(ir, IR_OR, true, dzp, ir_const(ir, e->b->model->dczid));
}

static inline val sysreg_read(env *e, uint32_t enc)
{
    uint64_t mask;
    int32_t off = plain_sysreg(e, enc, &mask);

    if (off >= 0) {
        return R(ld_env(e, off, 3));
    }
    if (enc == SYSREG_FPCR && (e->b->mode & A64_MODE_FP)) {
        return R(ld_env(e, offsetof(struct a64_cpu, fpcr), 2));
    }
    if (enc == SYSREG_NZCV) {
        return nzcv_get(e);
    }
    if (enc == SYSREG_DAIF && (e->b->mode & A64_MODE_EL1)) {
        ir_ref daif = ld_env(e, offsetof(struct a64_cpu, daif), 0);
        return R(ir_bin(e->ir, IR_SHL, true, daif, ir_const(e->ir, 6)));
    }
    if (enc == SYSREG_CTR || enc == SYSREG_DCZID) {
        ir_ref r = sysreg_identity(e, enc);
        return R(r ? r : sysreg_call(e, enc));
    }
    return R(sysreg_call(e, enc));
}

/* PSTATE.DAIF = daif, of which `unmasks` tells that interrupts may now be taken. */
static inline void daif_write(env *e, ir_ref daif, bool unmasks)
{
    st_env(e, offsetof(struct a64_cpu, daif), 0, daif);
    if (unmasks) {
        call_if(e, A64_ATT_LINES | A64_ATT_DEBUG, A64_H_UNMASKED, 0);
    }
}

static inline void sysreg_write(env *e, uint32_t enc, val v)
{
    struct ir *ir = e->ir;
    uint64_t mask;
    int32_t off = plain_sysreg(e, enc, &mask);

    if (off >= 0 && mask) {
        st_env(e, off, 3, ~mask ? ir_bin(ir, IR_AND, true, v.r, ir_const(ir, mask)) : v.r);
    } else if (enc == SYSREG_NZCV) {
        nzcv_set(e, v);
    } else if (enc == SYSREG_DAIF && (e->b->mode & A64_MODE_EL1)) {
        daif_write(e, ir_ubfx(ir, true, v.r, 6, 4), true);
    } else {
        call(e, A64_H_SYSREG_WRITE, ir_const(ir, enc), ir_const(ir, e->insn & 31), v.r);
    }
}

static inline void pstate_write(env *e, unsigned op1, unsigned op2, unsigned crm)
{
    if (op1 == 3 && (op2 == 6 || op2 == 7) && (e->b->mode & A64_MODE_EL1)) {
        bool set = op2 == 6;            /* DAIFSet: can only mask */
        ir_ref daif = ld_env(e, offsetof(struct a64_cpu, daif), 0);
        ir_ref k = ir_const(e->ir, set ? crm : ~crm & 15);
        daif_write(e, ir_bin(e->ir, set ? IR_OR : IR_AND, false, daif, k), !set);
    } else if (op1 == 0 && op2 == 4) {
        /* PAN: the context for translated code stays. */
        call(e, A64_H_PSTATE_WRITE, ir_const(e->ir, op1 << 8 | op2 << 4 | crm), 0, 0);
    } else {
        give_up(e, true);
    }
}

static inline void sys_op(env *e, uint32_t enc, val v)
{
    call(e, A64_H_SYS_OP, ir_const(e->ir, enc), ir_const(e->ir, e->insn & 31), v.r);
}

static inline void set_btype(env *e, unsigned btype)
{
    if (feature(e, A64_FEAT_BTI)) {
        unsigned t = btype == 3 && !(e->b->mode & A64_MODE_GUARDED) ? 1 : btype;
        if (e->b->mode & A64_MODE_BTI) {
            st_env(e, offsetof(struct a64_cpu, btype), 0, ir_const(e->ir, t));
        }
        e->btype = t;                   /* stored where the jump cache misses, in any case */
    }
}

/* Keys are 16 bytes each in the order of the operations; code at EL1 mostly handles pointers of
 * the upper half. */
static inline val pauth(env *e, unsigned op, val ptr, val modifier)
{
    unsigned key = op & 3, high = e->b->mode & A64_MODE_EL1 ? 1 : 0;
    ir_ref r;

    if (op > PAUTH_AUTDB) {
        return R(ir_emit(e->ir, IR_CALLP, true, ir_const(e->ir, op), ptr.r, modifier.r,
                         A64_H_PAUTH));
    }
    r = ir_emit(e->ir, IR_PAC, true, ptr.r, modifier.r, 0,
                offsetof(struct a64_cpu, apiakeylo_el1) + 16 * key);
    e->ir->op[r].k2 = offsetof(struct a64_cpu, pac) + 16 * (2 * key + high);
    e->ir->op[r].x = op;
    e->ir->op[r].cc = high;
    return R(r);
}
