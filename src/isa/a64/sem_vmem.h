/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of loads and stores of SIMD & FP registers.  After sem_simd.h and sem_mem.h, whose
 * helpers it uses; see vocab.h for who includes this.
 *
 * A structure access is whole vectors and a permutation in registers, not one access an element.
 * (The alignment check of SCTLR_EL1.A is then that of the vector, not of the element.) */

/* ---- one register ---- */
#define VSIZE (f.q ? 4u : f.size)
#define VMOP mop(VSIZE, MEMOP_ZX)

#define LDST_V_IMM(suffix, off) \
    SEM(st##suffix) \
    { \
        fp_access_check(e); \
        vstore(e, VMOP, base_off(e, f.rn, off), rd_v(e, f.rt)); \
    } \
    SEM(ld##suffix) \
    { \
        fp_access_check(e); \
        wr_v(e, f.rt, vload(e, VMOP, base_off(e, f.rn, off))); \
    }
LDST_V_IMM(r_vui, (int64_t)f.imm12 << VSIZE)
LDST_V_IMM(ur_v, f.imm9)
#undef LDST_V_IMM

#define LDST_V_WB(suffix, is_pre) \
    SEM(st##suffix) \
    { \
        fp_access_check(e); \
        val base = rd_base(e, f.rn), next = add(e, 1, base, imm(e, (uint64_t)(int64_t)f.imm9)); \
        vstore(e, VMOP, is_pre ? next : base, rd_v(e, f.rt)); \
        wr_sp(e, f.rn, next); \
    } \
    SEM(ld##suffix) \
    { \
        fp_access_check(e); \
        val base = rd_base(e, f.rn), next = add(e, 1, base, imm(e, (uint64_t)(int64_t)f.imm9)); \
        wr_v(e, f.rt, vload(e, VMOP, is_pre ? next : base)); \
        wr_sp(e, f.rn, next); \
    }
LDST_V_WB(r_vpost, false)
LDST_V_WB(r_vpre, true)
#undef LDST_V_WB

SEM(str_vreg)
{
    fp_access_check(e);
    val a = regoff(e, f.rn, f.rm, f.option, f.s ? VSIZE : 0);
    vstore(e, VMOP, a, rd_v(e, f.rt));
}

SEM(ldr_vreg)
{
    fp_access_check(e);
    val a = regoff(e, f.rn, f.rm, f.option, f.s ? VSIZE : 0);
    wr_v(e, f.rt, vload(e, VMOP, a));
}
#undef VSIZE
#undef VMOP

SEM(ldr_vlit)
{
    fp_access_check(e);
    wr_v(e, f.rt, vload(e, mop(2 + f.opc, MEMOP_ZX), pc_rel(e, (int64_t)f.imm19 * 4)));
}

/* ---- pairs ---- */
#define PAIR_V(suffix, is_pre, has_wb) \
    SEM(st##suffix) \
    { \
        fp_access_check(e); \
        val base = rd_base(e, f.rn); \
        val next = add(e, 1, base, imm(e, (uint64_t)(int64_t)f.imm7 << (2 + f.opc))); \
        vstore2(e, mop(2 + f.opc, MEMOP_ZX), is_pre ? next : base, rd_v(e, f.rt), \
                rd_v(e, f.rt2)); \
        if (has_wb) { \
            wr_sp(e, f.rn, next); \
        } \
    } \
    SEM(ld##suffix) \
    { \
        fp_access_check(e); \
        val base = rd_base(e, f.rn); \
        val next = add(e, 1, base, imm(e, (uint64_t)(int64_t)f.imm7 << (2 + f.opc))); \
        vec lo, hi; \
        vload2(e, mop(2 + f.opc, MEMOP_ZX), is_pre ? next : base, &lo, &hi); \
        wr_v(e, f.rt, lo); \
        wr_v(e, f.rt2, hi); \
        if (has_wb) { \
            wr_sp(e, f.rn, next); \
        } \
    }
PAIR_V(np_v, true, false)
PAIR_V(p_v, true, false)
PAIR_V(p_vpost, false, true)
PAIR_V(p_vpre, true, true)
#undef PAIR_V

/* ---- structures, all lanes ---- */

/* The next base of a post-indexed access: + Xm, or + `bytes` when rm is 31. */
static inline void post_index(env *e, unsigned rn, unsigned rm, val base, unsigned bytes)
{
    wr_sp(e, rn, add(e, 1, base, rm == 31 ? imm(e, bytes) : rd(e, rm)));
}

/* `regs` vectors at `addr` in memory order. */
static inline void load_block(env *e, unsigned q, unsigned regs, val addr, vec *v)
{
    unsigned bytes = 8u << q, i = 0;

    for (; i + 2 <= regs; i += 2) {
        vload2(e, mop(3 + q, MEMOP_ZX), add(e, 1, addr, imm(e, i * bytes)), &v[i], &v[i + 1]);
    }
    if (i < regs) {
        v[i] = vload(e, mop(3 + q, MEMOP_ZX), add(e, 1, addr, imm(e, i * bytes)));
    }
}

static inline void store_block(env *e, unsigned q, unsigned regs, val addr, const vec *v)
{
    unsigned bytes = 8u << q, i = 0;

    for (; i + 2 <= regs; i += 2) {
        vstore2(e, mop(3 + q, MEMOP_ZX), add(e, 1, addr, imm(e, i * bytes)), v[i], v[i + 1]);
    }
    if (i < regs) {
        vstore(e, mop(3 + q, MEMOP_ZX), add(e, 1, addr, imm(e, i * bytes)), v[i]);
    }
}

/* Three at a time is no power of two: a table look-up over all three source vectors.
 * pick(): which byte of the sources, 16 × register + byte, goes to byte b of result r. */
static inline vec gather3(env *e, unsigned q, unsigned size, unsigned r, const vec *v,
                          unsigned (*pick)(unsigned q, unsigned size, unsigned r, unsigned b))
{
    uint64_t index[2] = { 0, 0 };
    vec out = v_zero(e);

    for (unsigned b = 0; b < 8u << q; b++) {
        index[b / 8] |= (uint64_t)pick(q, size, r, b) << 8 * (b % 8);
    }
    vec table = v_imm(e, index[0], index[1]);
    for (unsigned i = 0; i < 3; i++) {
        out = v_tbx(e, V_ARG(0, 3 + q, 16 * i), v[i], table, out);
    }
    return out;
}

/* Byte b of register r is byte `off` of the block in memory, */
static inline unsigned pick_load3(unsigned q, unsigned size, unsigned r, unsigned b)
{
    unsigned bytes = 8u << q, element = b >> size;
    unsigned off = ((3 * element + r) << size) + (b & ((1u << size) - 1));

    return off / bytes * 16 + off % bytes;
}

/* and the reverse. */
static inline unsigned pick_store3(unsigned q, unsigned size, unsigned r, unsigned b)
{
    unsigned bytes = 8u << q, off = r * bytes + b, element = off >> size;

    return element % 3 * 16 + (element / 3 << size) + (off & ((1u << size) - 1));
}

static inline void deinterleave(env *e, unsigned q, unsigned size, unsigned regs, vec *v)
{
    uint32_t arg = V_ARG(size, 3 + q, 0);

    if (regs == 2) {
        vec even = v_uzp1(e, arg, v[0], v[1]);
        v[1] = v_uzp2(e, arg, v[0], v[1]);
        v[0] = even;
    } else if (regs == 3) {
        vec r[3];
        for (unsigned i = 0; i < 3; i++) {
            r[i] = gather3(e, q, size, i, v, pick_load3);
        }
        v[0] = r[0], v[1] = r[1], v[2] = r[2];
    } else if (regs == 4) {
        vec t0 = v_uzp1(e, arg, v[0], v[1]), t1 = v_uzp1(e, arg, v[2], v[3]);
        vec u0 = v_uzp2(e, arg, v[0], v[1]), u1 = v_uzp2(e, arg, v[2], v[3]);
        v[0] = v_uzp1(e, arg, t0, t1);
        v[1] = v_uzp1(e, arg, u0, u1);
        v[2] = v_uzp2(e, arg, t0, t1);
        v[3] = v_uzp2(e, arg, u0, u1);
    }
}

static inline void interleave(env *e, unsigned q, unsigned size, unsigned regs, vec *v)
{
    uint32_t arg = V_ARG(size, 3 + q, 0);

    if (regs == 2) {
        vec low = v_zip1(e, arg, v[0], v[1]);
        v[1] = v_zip2(e, arg, v[0], v[1]);
        v[0] = low;
    } else if (regs == 3) {
        vec r[3];
        for (unsigned i = 0; i < 3; i++) {
            r[i] = gather3(e, q, size, i, v, pick_store3);
        }
        v[0] = r[0], v[1] = r[1], v[2] = r[2];
    } else if (regs == 4) {
        vec x0 = v_zip1(e, arg, v[0], v[2]), x1 = v_zip2(e, arg, v[0], v[2]);
        vec y0 = v_zip1(e, arg, v[1], v[3]), y1 = v_zip2(e, arg, v[1], v[3]);
        v[0] = v_zip1(e, arg, x0, y0);
        v[1] = v_zip2(e, arg, x0, y0);
        v[2] = v_zip1(e, arg, x1, y1);
        v[3] = v_zip2(e, arg, x1, y1);
    }
}

static inline void load_structs(env *e, unsigned q, unsigned size, unsigned regs,
                                unsigned interleaved, val addr, unsigned rt)
{
    vec v[4];

    load_block(e, q, regs, addr, v);
    deinterleave(e, q, size, interleaved, v);
    for (unsigned i = 0; i < regs; i++) {
        wr_v(e, (rt + i) % 32, v[i]);
    }
}

static inline void store_structs(env *e, unsigned q, unsigned size, unsigned regs,
                                 unsigned interleaved, val addr, unsigned rt)
{
    vec v[4];

    for (unsigned i = 0; i < regs; i++) {
        v[i] = rd_v(e, (rt + i) % 32);
    }
    interleave(e, q, size, interleaved, v);
    store_block(e, q, regs, addr, v);
}

#define STRUCTS_DIR(dir, name, regs, interleaved) \
    SEM(name##_v) \
    { \
        fp_access_check(e); \
        dir##_structs(e, f.q, f.size, regs, interleaved, rd_base(e, f.rn), f.rt); \
    } \
    SEM(name##_vp) \
    { \
        fp_access_check(e); \
        val base = rd_base(e, f.rn); \
        dir##_structs(e, f.q, f.size, regs, interleaved, base, f.rt); \
        post_index(e, f.rn, f.rm, base, (regs) * (8u << f.q)); \
    }
#define STRUCTS(sel, regs, interleaved) \
    STRUCTS_DIR(load, ld##sel, regs, interleaved) \
    STRUCTS_DIR(store, st##sel, regs, interleaved)
STRUCTS(1x1, 1, 1)
STRUCTS(1x2, 2, 1)
STRUCTS(1x3, 3, 1)
STRUCTS(1x4, 4, 1)
STRUCTS(2, 2, 2)
STRUCTS(3, 3, 3)
STRUCTS(4, 4, 4)
#undef STRUCTS
#undef STRUCTS_DIR

/* ---- structures, one lane ---- */
static inline void load_lane(env *e, unsigned size, unsigned lane, unsigned regs, val addr,
                             unsigned rt)
{
    val k[4];

    for (unsigned i = 0; i < regs; i++) {
        k[i] = load(e, mop(size, MEMOP_ZX), add(e, 1, addr, imm(e, i << size)));
    }
    for (unsigned i = 0; i < regs; i++) {
        unsigned r = (rt + i) % 32;
        wr_v(e, r, v_insert(e, 1u << size, lane, rd_v(e, r), k[i]));
    }
}

static inline void store_lane(env *e, unsigned size, unsigned lane, unsigned regs, val addr,
                              unsigned rt)
{
    for (unsigned i = 0; i < regs; i++) {
        store(e, mop(size, MEMOP_ZX), add(e, 1, addr, imm(e, i << size)),
              v_to_val(e, 1u << size, lane, rd_v(e, (rt + i) % 32)));
    }
}

static inline void load_replicate(env *e, unsigned q, unsigned size, unsigned regs, val addr,
                                  unsigned rt)
{
    val k[4];

    for (unsigned i = 0; i < regs; i++) {
        k[i] = load(e, mop(size, MEMOP_ZX), add(e, 1, addr, imm(e, i << size)));
    }
    for (unsigned i = 0; i < regs; i++) {
        wr_v_low(e, 8u << q, (rt + i) % 32, v_dup(e, 1u << size, k[i]));
    }
}

#define REGS (((f.nl << 1) | f.nh) + 1)
#define LANES_DIR(dir, name, size, lane) \
    SEM(name) \
    { \
        fp_access_check(e); \
        dir##_lane(e, size, lane, REGS, rd_base(e, f.rn), f.rt); \
    } \
    SEM(name##p) \
    { \
        fp_access_check(e); \
        val base = rd_base(e, f.rn); \
        dir##_lane(e, size, lane, REGS, base, f.rt); \
        post_index(e, f.rn, f.rm, base, REGS << (size)); \
    }
#define LANES(letter, size, lane) \
    LANES_DIR(load, ldn_##letter, size, lane) \
    LANES_DIR(store, stn_##letter, size, lane)
LANES(b, 0, f.q << 3 | f.s << 2 | f.size)
LANES(h, 1, f.q << 2 | f.s << 1 | f.i)
LANES(s, 2, f.q << 1 | f.s)
LANES(d, 3, f.q)
#undef LANES
#undef LANES_DIR

SEM(ldnr)
{
    fp_access_check(e);
    load_replicate(e, f.q, f.size, REGS, rd_base(e, f.rn), f.rt);
}

SEM(ldnr_p)
{
    fp_access_check(e);
    val base = rd_base(e, f.rn);
    load_replicate(e, f.q, f.size, REGS, base, f.rt);
    post_index(e, f.rn, f.rm, base, REGS << f.size);
}
#undef REGS
