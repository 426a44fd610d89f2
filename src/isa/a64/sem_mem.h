/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of loads and stores of general-purpose registers. */

static inline struct memop mop(unsigned size_log2, enum memop_extend extend)
{
    return (struct memop){ .size_log2 = size_log2, .extend = extend };
}

static inline struct memop mop_unpriv(unsigned size_log2, enum memop_extend extend)
{
    return (struct memop){ .size_log2 = size_log2, .extend = extend, .unpriv = true };
}

/* Exclusive, atomic and ordered accesses: naturally aligned. */
static inline struct memop mop_ordered(unsigned size_log2, bool acquire, bool release)
{
    return (struct memop){ .size_log2 = size_log2, .acquire = acquire, .release = release,
                           .ordered = true };
}

static inline val base_off(env *e, unsigned rn, int64_t off)
{
    val b = rd_base(e, rn);
    return off ? add(e, 1, b, imm(e, (uint64_t)off)) : b;
}

/* ---- one register, immediate offset ---- */
#define LDST_IMM(suffix, off, mk) \
    SEM(st##suffix) \
    { \
        store(e, mk(f.size, MEMOP_ZX), base_off(e, f.rn, off), rd(e, f.rt)); \
    } \
    SEM(ld##suffix) \
    { \
        wr(e, f.rt, load(e, mk(f.size, MEMOP_ZX), base_off(e, f.rn, off))); \
    }
LDST_IMM(r_ui, (int64_t)f.imm12 << f.size, mop)
LDST_IMM(ur, f.imm9, mop)
LDST_IMM(tr, f.imm9, mop_unpriv)
#undef LDST_IMM

#define LOAD_SIGNED(name, off, mk, extend) \
    SEM(name) \
    { \
        wr(e, f.rt, load(e, mk(f.size, extend), base_off(e, f.rn, off))); \
    }
LOAD_SIGNED(ldrs64_ui, (int64_t)f.imm12 << f.size, mop, MEMOP_SX64)
LOAD_SIGNED(ldrs32_ui, (int64_t)f.imm12 << f.size, mop, MEMOP_SX32)
LOAD_SIGNED(ldurs64, f.imm9, mop, MEMOP_SX64)
LOAD_SIGNED(ldurs32, f.imm9, mop, MEMOP_SX32)
LOAD_SIGNED(ldtrs64, f.imm9, mop_unpriv, MEMOP_SX64)
LOAD_SIGNED(ldtrs32, f.imm9, mop_unpriv, MEMOP_SX32)
#undef LOAD_SIGNED

/* With writeback.  Where rn is also rt (CONSTRAINED UNPREDICTABLE): a load leaves the new base,
 * a store stores the old one. */
#define LOAD_WB(name, is_pre, extend_) \
    SEM(name) \
    { \
        val base = rd_base(e, f.rn), next = add(e, 1, base, imm(e, (uint64_t)(int64_t)f.imm9)); \
        val v = load(e, mop(f.size, extend_), is_pre ? next : base); \
        wr(e, f.rt, v); \
        wr_sp(e, f.rn, next); \
    }
LOAD_WB(ldr_post, false, MEMOP_ZX)
LOAD_WB(ldr_pre, true, MEMOP_ZX)
LOAD_WB(ldrs64_post, false, MEMOP_SX64)
LOAD_WB(ldrs64_pre, true, MEMOP_SX64)
LOAD_WB(ldrs32_post, false, MEMOP_SX32)
LOAD_WB(ldrs32_pre, true, MEMOP_SX32)
#undef LOAD_WB

SEM(str_post)
{
    val base = rd_base(e, f.rn);
    store(e, mop(f.size, MEMOP_ZX), base, rd(e, f.rt));
    wr_sp(e, f.rn, add(e, 1, base, imm(e, (uint64_t)(int64_t)f.imm9)));
}

SEM(str_pre)
{
    val next = add(e, 1, rd_base(e, f.rn), imm(e, (uint64_t)(int64_t)f.imm9));
    store(e, mop(f.size, MEMOP_ZX), next, rd(e, f.rt));
    wr_sp(e, f.rn, next);
}

/* ---- register offset ---- */
static inline val regoff(env *e, unsigned rn, unsigned rm, unsigned option, unsigned shift)
{
    val off = rd(e, rm);
    if (!(option & 1)) {
        off = option & 4 ? sbfx(e, 1, off, 0, 32) : ubfx(e, 1, off, 0, 32);
    }
    return add(e, 1, rd_base(e, rn), shift ? shl(e, 1, off, imm(e, shift)) : off);
}

SEM(str_reg)
{
    val a = regoff(e, f.rn, f.rm, f.option, f.s ? f.size : 0);
    store(e, mop(f.size, MEMOP_ZX), a, rd(e, f.rt));
}

#define LOAD_REG(name, extend_) \
    SEM(name) \
    { \
        val a = regoff(e, f.rn, f.rm, f.option, f.s ? f.size : 0); \
        wr(e, f.rt, load(e, mop(f.size, extend_), a)); \
    }
LOAD_REG(ldr_reg, MEMOP_ZX)
LOAD_REG(ldrs64_reg, MEMOP_SX64)
LOAD_REG(ldrs32_reg, MEMOP_SX32)
#undef LOAD_REG

/* ---- literal ---- */
SEM(ldr_lit_w)
{
    wr(e, f.rt, load(e, mop(2, MEMOP_ZX), pc_rel(e, (int64_t)f.imm19 * 4)));
}

SEM(ldr_lit_x)
{
    wr(e, f.rt, load(e, mop(3, MEMOP_ZX), pc_rel(e, (int64_t)f.imm19 * 4)));
}

SEM(ldrsw_lit)
{
    wr(e, f.rt, load(e, mop(2, MEMOP_SX64), pc_rel(e, (int64_t)f.imm19 * 4)));
}

/* ---- prefetches: only hints ---- */
SEM(prfm_ui)
{
    prefetch(e, add(e, 1, rd_sp(e, f.rn), imm(e, (uint64_t)f.imm12 << 3)));
}

SEM(prfum)
{
    prefetch(e, add(e, 1, rd_sp(e, f.rn), imm(e, (uint64_t)(int64_t)f.imm9)));
}

SEM(prfm_reg)
{
    prefetch(e, rd_sp(e, f.rn));
}

SEM(prfm_lit)
{
    prefetch(e, pc_rel(e, (int64_t)f.imm19 * 4));
}

/* ---- pairs ---- */
#define STORE_PAIR(name, is_post, has_wb) \
    SEM(name) \
    { \
        val base = rd_base(e, f.rn); \
        val next = add(e, 1, base, imm(e, (uint64_t)(int64_t)f.imm7 << (2 + f.sf))); \
        store2(e, mop(2 + f.sf, MEMOP_ZX), is_post ? base : next, rd(e, f.rt), rd(e, f.rt2)); \
        if (has_wb) { \
            wr_sp(e, f.rn, next); \
        } \
    }
#define LOAD_PAIR(name, log2, extend_, is_post, has_wb) \
    SEM(name) \
    { \
        val base = rd_base(e, f.rn), lo, hi; \
        val next = add(e, 1, base, imm(e, (uint64_t)(int64_t)f.imm7 << (log2))); \
        load2(e, mop(log2, extend_), is_post ? base : next, &lo, &hi); \
        wr(e, f.rt, lo); \
        wr(e, f.rt2, hi); \
        if (has_wb) { \
            wr_sp(e, f.rn, next); \
        } \
    }
STORE_PAIR(stnp, false, false)
STORE_PAIR(stp, false, false)
STORE_PAIR(stp_post, true, true)
STORE_PAIR(stp_pre, false, true)
LOAD_PAIR(ldnp, 2 + f.sf, MEMOP_ZX, false, false)
LOAD_PAIR(ldp, 2 + f.sf, MEMOP_ZX, false, false)
LOAD_PAIR(ldp_post, 2 + f.sf, MEMOP_ZX, true, true)
LOAD_PAIR(ldp_pre, 2 + f.sf, MEMOP_ZX, false, true)
LOAD_PAIR(ldpsw, 2, MEMOP_SX64, false, false)
LOAD_PAIR(ldpsw_post, 2, MEMOP_SX64, true, true)
LOAD_PAIR(ldpsw_pre, 2, MEMOP_SX64, false, true)
#undef STORE_PAIR
#undef LOAD_PAIR

/* ---- exclusives ---- */
#define LOAD_EX(name, is_acquire) \
    SEM(name) \
    { \
        wr(e, f.rt, load_ex(e, mop_ordered(f.size, is_acquire, false), rd_base(e, f.rn))); \
    }
#define STORE_EX(name, is_release) \
    SEM(name) \
    { \
        val a = rd_base(e, f.rn); \
        wr(e, f.rs, store_ex(e, mop_ordered(f.size, false, is_release), a, rd(e, f.rt))); \
    }
#define LOAD_EX2(name, is_acquire) \
    SEM(name) \
    { \
        val lo, hi; \
        load_ex2(e, mop_ordered(2 + f.sz, is_acquire, false), rd_base(e, f.rn), &lo, &hi); \
        wr(e, f.rt, lo); \
        wr(e, f.rt2, hi); \
    }
#define STORE_EX2(name, is_release) \
    SEM(name) \
    { \
        val a = rd_base(e, f.rn), lo = rd(e, f.rt), hi = rd(e, f.rt2); \
        wr(e, f.rs, store_ex2(e, mop_ordered(2 + f.sz, false, is_release), a, lo, hi)); \
    }
LOAD_EX(ldxr, false)
LOAD_EX(ldaxr, true)
STORE_EX(stxr, false)
STORE_EX(stlxr, true)
LOAD_EX2(ldxp, false)
LOAD_EX2(ldaxp, true)
STORE_EX2(stxp, false)
STORE_EX2(stlxp, true)
#undef LOAD_EX
#undef STORE_EX
#undef LOAD_EX2
#undef STORE_EX2

/* ---- load-acquire, store-release ---- */
#define LOAD_ACQ(name, off, extend_) \
    SEM(name) \
    { \
        struct memop m = mop_ordered(f.size, true, false); \
        m.extend = extend_; \
        wr(e, f.rt, load(e, m, base_off(e, f.rn, off))); \
    }
#define STORE_REL(name, off) \
    SEM(name) \
    { \
        store(e, mop_ordered(f.size, false, true), base_off(e, f.rn, off), rd(e, f.rt)); \
    }
LOAD_ACQ(ldar, 0, MEMOP_ZX)
LOAD_ACQ(ldlar, 0, MEMOP_ZX)
LOAD_ACQ(ldapr, 0, MEMOP_ZX)
LOAD_ACQ(ldapur, f.imm9, MEMOP_ZX)
LOAD_ACQ(ldapurs64, f.imm9, MEMOP_SX64)
LOAD_ACQ(ldapurs32, f.imm9, MEMOP_SX32)
STORE_REL(stlr, 0)
STORE_REL(stllr, 0)
STORE_REL(stlur, f.imm9)
#undef LOAD_ACQ
#undef STORE_REL

/* ---- FEAT_LSE ---- */
#define ATOMIC(name, op) \
    SEM(name) \
    { \
        val a = rd_base(e, f.rn); \
        wr(e, f.rt, atomic(e, op, mop_ordered(f.size, f.a, f.r), a, rd(e, f.rs))); \
    }
ATOMIC(ldadd, AT_ADD)
ATOMIC(ldclr, AT_CLR)
ATOMIC(ldeor, AT_EOR)
ATOMIC(ldset, AT_SET)
ATOMIC(ldsmax, AT_SMAX)
ATOMIC(ldsmin, AT_SMIN)
ATOMIC(ldumax, AT_UMAX)
ATOMIC(ldumin, AT_UMIN)
ATOMIC(swp, AT_SWP)
#undef ATOMIC

SEM(cas)
{
    val a = rd_base(e, f.rn);
    wr(e, f.rs, cas(e, mop_ordered(f.size, f.a, f.r), a, rd(e, f.rs), rd(e, f.rt)));
}

SEM(casp)
{
    if ((f.rs | f.rt) & 1) {
        undefined(e);
        return;
    }
    val a = rd_base(e, f.rn), old[2];
    /* The second register of the pair after 30 is 31, the zero register. */
    val expect[2] = { rd(e, f.rs), rd(e, f.rs + 1) };
    val data[2] = { rd(e, f.rt), rd(e, f.rt + 1) };
    cas2(e, mop_ordered(2 + f.sz, f.a, f.r), a, expect, data, old);
    wr(e, f.rs, old[0]);
    wr(e, f.rs + 1, old[1]);
}

/* ---- the others ---- */
SEM(ldra)
{
    int64_t off = (int64_t)f.imm_hi * 4096 + (int64_t)f.imm9 * 8;
    val base = pauth(e, PAUTH_AUTDA + f.m, rd_base(e, f.rn), imm(e, 0));
    val a = add(e, 1, base, imm(e, (uint64_t)off));
    wr(e, f.rt, load(e, mop(3, MEMOP_ZX), a));
    if (f.w) {
        wr_sp(e, f.rn, a);
    }
}

SEM(dc_zva)
{
    dc_zva(e, rd(e, f.rt));
}
