/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of integer data processing.  See vocab.h for who includes this, and the rules. */
#include "isa/a64/bitmask.h"
#include "isa/a64/pauth.h"

/* ---- PC-relative address, add and subtract immediate ---- */
SEM(adr)
{
    wr(e, f.rd, pc_rel(e, (int64_t)f.immhi * 4 + f.immlo));
}

SEM(adrp)
{
    /* Relative to this instruction's page. */
    val page = and_(e, 1, pc_rel(e, 0), imm(e, ~UINT64_C(0xfff)));
    wr(e, f.rd, add(e, 1, page, imm(e, (uint64_t)((int64_t)f.immhi * 4 + f.immlo) << 12)));
}

SEM(add_imm)
{
    wr_sp(e, f.rd, add(e, f.sf, rd_sp(e, f.rn), imm(e, (uint64_t)f.imm12 << 12 * f.sh)));
}

SEM(adds_imm)
{
    wr(e, f.rd, adds(e, f.sf, rd_sp(e, f.rn), imm(e, (uint64_t)f.imm12 << 12 * f.sh)));
}

SEM(sub_imm)
{
    wr_sp(e, f.rd, sub(e, f.sf, rd_sp(e, f.rn), imm(e, (uint64_t)f.imm12 << 12 * f.sh)));
}

SEM(subs_imm)
{
    wr(e, f.rd, subs(e, f.sf, rd_sp(e, f.rn), imm(e, (uint64_t)f.imm12 << 12 * f.sh)));
}

/* ---- logical immediate ---- */
#define LOGICAL_IMM(name, op) \
    SEM(name) \
    { \
        uint64_t mask; \
        if (!a64_bitmask_decode(f.sf, f.n, f.imms, f.immr, &mask)) { \
            undefined(e); \
            return; \
        } \
        wr_sp(e, f.rd, op(e, f.sf, rd(e, f.rn), imm(e, mask))); \
    }
LOGICAL_IMM(and_imm, and_)
LOGICAL_IMM(orr_imm, or_)
LOGICAL_IMM(eor_imm, xor_)
#undef LOGICAL_IMM

SEM(ands_imm)
{
    uint64_t mask;
    if (!a64_bitmask_decode(f.sf, f.n, f.imms, f.immr, &mask)) {
        undefined(e);
        return;
    }
    val r = and_(e, f.sf, rd(e, f.rn), imm(e, mask));
    flags_logic(e, f.sf, r);
    wr(e, f.rd, r);
}

/* ---- move wide ---- */
SEM(movn)
{
    if (!f.sf && f.hw > 1) {
        undefined(e);
        return;
    }
    uint64_t k = ~((uint64_t)f.imm16 << 16 * f.hw);
    wr(e, f.rd, imm(e, f.sf ? k : (uint32_t)k));
}

SEM(movz)
{
    if (!f.sf && f.hw > 1) {
        undefined(e);
        return;
    }
    wr(e, f.rd, imm(e, (uint64_t)f.imm16 << 16 * f.hw));
}

SEM(movk)
{
    if (!f.sf && f.hw > 1) {
        undefined(e);
        return;
    }
    wr(e, f.rd, bfi(e, f.sf, rd(e, f.rd), imm(e, f.imm16), 16 * f.hw, 16));
}

/* ---- bitfield: N must equal sf, and 32-bit forms have immr and imms below 32 ---- */
#define BITFIELD_CHECK() \
    if (f.n != f.sf || (!f.sf && ((f.immr | f.imms) & 32))) { \
        undefined(e); \
        return; \
    }

SEM(sbfm)
{
    BITFIELD_CHECK();
    val a = rd(e, f.rn);
    unsigned width = f.sf ? 64 : 32;
    if (f.imms >= f.immr) {
        wr(e, f.rd, sbfx(e, f.sf, a, f.immr, f.imms - f.immr + 1));
    } else {
        val x = sbfx(e, f.sf, a, 0, f.imms + 1);
        wr(e, f.rd, shl(e, f.sf, x, imm(e, width - f.immr)));
    }
}

SEM(bfm)
{
    BITFIELD_CHECK();
    val a = rd(e, f.rn), into = rd(e, f.rd);
    unsigned width = f.sf ? 64 : 32;
    if (f.imms >= f.immr) {
        unsigned n = f.imms - f.immr + 1;
        wr(e, f.rd, bfi(e, f.sf, into, ubfx(e, f.sf, a, f.immr, n), 0, n));
    } else {
        wr(e, f.rd, bfi(e, f.sf, into, a, width - f.immr, f.imms + 1));
    }
}

SEM(ubfm)
{
    BITFIELD_CHECK();
    val a = rd(e, f.rn);
    unsigned width = f.sf ? 64 : 32;
    if (f.imms >= f.immr) {
        wr(e, f.rd, ubfx(e, f.sf, a, f.immr, f.imms - f.immr + 1));
    } else if (f.imms + 1 == f.immr) {
        wr(e, f.rd, shl(e, f.sf, a, imm(e, width - f.immr)));      /* LSL */
    } else {
        val x = ubfx(e, f.sf, a, 0, f.imms + 1);
        wr(e, f.rd, shl(e, f.sf, x, imm(e, width - f.immr)));
    }
}
#undef BITFIELD_CHECK

SEM(extr)
{
    if (f.n != f.sf || (!f.sf && (f.imms & 32))) {
        undefined(e);
        return;
    }
    wr(e, f.rd, extr(e, f.sf, rd(e, f.rn), rd(e, f.rm), f.imms));
}

/* ---- two sources, one source ---- */
#define TWO(name, expr) SEM(name) { val a = rd(e, f.rn), b = rd(e, f.rm); wr(e, f.rd, expr); }
TWO(udiv, udiv(e, f.sf, a, b))
TWO(sdiv, sdiv(e, f.sf, a, b))
TWO(lslv, shl(e, f.sf, a, b))
TWO(lsrv, shr(e, f.sf, a, b))
TWO(asrv, sar(e, f.sf, a, b))
TWO(rorv, ror(e, f.sf, a, b))
TWO(crc32b, crc32(e, false, 1, a, b))
TWO(crc32h, crc32(e, false, 2, a, b))
TWO(crc32w, crc32(e, false, 4, a, b))
TWO(crc32x, crc32(e, false, 8, a, b))
TWO(crc32cb, crc32(e, true, 1, a, b))
TWO(crc32ch, crc32(e, true, 2, a, b))
TWO(crc32cw, crc32(e, true, 4, a, b))
TWO(crc32cx, crc32(e, true, 8, a, b))
TWO(smulh, smulh(e, a, b))
TWO(umulh, umulh(e, a, b))
TWO(adc, adc(e, f.sf, a, b))
TWO(adcs, adcs(e, f.sf, a, b))
TWO(sbc, sbc(e, f.sf, a, b))
TWO(sbcs, sbcs(e, f.sf, a, b))
#undef TWO

SEM(rbit)
{
    wr(e, f.rd, rbit(e, f.sf, rd(e, f.rn)));
}

SEM(rev16)
{
    wr(e, f.rd, rev(e, f.sf, 2, rd(e, f.rn)));
}

SEM(rev_w)
{
    wr(e, f.rd, rev(e, 0, 4, rd(e, f.rn)));
}

SEM(rev32)
{
    wr(e, f.rd, rev(e, 1, 4, rd(e, f.rn)));
}

SEM(rev_x)
{
    wr(e, f.rd, rev(e, 1, 8, rd(e, f.rn)));
}

SEM(clz)
{
    wr(e, f.rd, clz(e, f.sf, rd(e, f.rn)));
}

SEM(cls)
{
    wr(e, f.rd, cls(e, f.sf, rd(e, f.rn)));
}

/* ---- pointer authentication ---- */
SEM(pacga)
{
    wr(e, f.rd, pauth(e, PAUTH_PACGA, rd(e, f.rn), rd_sp(e, f.rm)));
}

SEM(pac_1src)
{
    wr(e, f.rd, pauth(e, PAUTH_PACIA + f.op, rd(e, f.rd), rd_sp(e, f.rn)));
}

SEM(aut_1src)
{
    wr(e, f.rd, pauth(e, PAUTH_AUTIA + f.op, rd(e, f.rd), rd_sp(e, f.rn)));
}

SEM(pacz_1src)
{
    wr(e, f.rd, pauth(e, PAUTH_PACIA + f.op, rd(e, f.rd), imm(e, 0)));
}

SEM(autz_1src)
{
    wr(e, f.rd, pauth(e, PAUTH_AUTIA + f.op, rd(e, f.rd), imm(e, 0)));
}

SEM(xpaci)
{
    wr(e, f.rd, pauth(e, PAUTH_XPACI, rd(e, f.rd), imm(e, 0)));
}

SEM(xpacd)
{
    wr(e, f.rd, pauth(e, PAUTH_XPACD, rd(e, f.rd), imm(e, 0)));
}

/* ---- shifted registers ---- */
static inline val shifted(env *e, bool sf, unsigned shift, unsigned amount, val a)
{
    if (amount == 0) {
        return a;
    }
    switch (shift) {
    case 0: return shl(e, sf, a, imm(e, amount));
    case 1: return shr(e, sf, a, imm(e, amount));
    case 2: return sar(e, sf, a, imm(e, amount));
    default: return ror(e, sf, a, imm(e, amount));
    }
}

#define SHIFTED(name, expr) \
    SEM(name) \
    { \
        if (!f.sf && f.imm6 > 31) { \
            undefined(e); \
            return; \
        } \
        val a = rd(e, f.rn), b = shifted(e, f.sf, f.shift, f.imm6, rd(e, f.rm)); \
        wr(e, f.rd, expr); \
    }
#define SHIFTED_FLAGS(name, expr) \
    SEM(name) \
    { \
        if (!f.sf && f.imm6 > 31) { \
            undefined(e); \
            return; \
        } \
        val a = rd(e, f.rn), b = shifted(e, f.sf, f.shift, f.imm6, rd(e, f.rm)); \
        val r = expr; \
        flags_logic(e, f.sf, r); \
        wr(e, f.rd, r); \
    }
SHIFTED(and_reg, and_(e, f.sf, a, b))
SHIFTED(bic_reg, and_(e, f.sf, a, not_(e, f.sf, b)))
SHIFTED(orr_reg, or_(e, f.sf, a, b))
SHIFTED(orn_reg, or_(e, f.sf, a, not_(e, f.sf, b)))
SHIFTED(eor_reg, xor_(e, f.sf, a, b))
SHIFTED(eon_reg, xor_(e, f.sf, a, not_(e, f.sf, b)))
SHIFTED_FLAGS(ands_reg, and_(e, f.sf, a, b))
SHIFTED_FLAGS(bics_reg, and_(e, f.sf, a, not_(e, f.sf, b)))
SHIFTED(add_reg, add(e, f.sf, a, b))
SHIFTED(adds_reg, adds(e, f.sf, a, b))
SHIFTED(sub_reg, sub(e, f.sf, a, b))
SHIFTED(subs_reg, subs(e, f.sf, a, b))
#undef SHIFTED
#undef SHIFTED_FLAGS

/* ---- extended registers; option: bit 2 signed, bits 1:0 log2 of the bytes ---- */
static inline val extended(env *e, unsigned option, unsigned amount, val a)
{
    unsigned width = 8u << (option & 3);
    if (width < 64) {
        a = option & 4 ? sbfx(e, 1, a, 0, width) : ubfx(e, 1, a, 0, width);
    }
    return amount ? shl(e, 1, a, imm(e, amount)) : a;
}

SEM(add_ext)
{
    wr_sp(e, f.rd, add(e, f.sf, rd_sp(e, f.rn), extended(e, f.option, f.imm3, rd(e, f.rm))));
}

SEM(adds_ext)
{
    wr(e, f.rd, adds(e, f.sf, rd_sp(e, f.rn), extended(e, f.option, f.imm3, rd(e, f.rm))));
}

SEM(sub_ext)
{
    wr_sp(e, f.rd, sub(e, f.sf, rd_sp(e, f.rn), extended(e, f.option, f.imm3, rd(e, f.rm))));
}

SEM(subs_ext)
{
    wr(e, f.rd, subs(e, f.sf, rd_sp(e, f.rn), extended(e, f.option, f.imm3, rd(e, f.rm))));
}

/* ---- flag manipulation (FEAT_FlagM) ---- */
SEM(rmif)
{
    uint64_t m = (uint64_t)f.mask << 28;
    val v = shl(e, 1, ror(e, 1, rd(e, f.rn), imm(e, f.imm6)), imm(e, 28));
    val keep = and_(e, 1, nzcv_get(e), imm(e, ~m));
    nzcv_set(e, or_(e, 1, keep, and_(e, 1, v, imm(e, m))));
}

/* N = bit `width`-1, Z = low bits are zero, V = bit `width` xor bit `width`-1, C kept. */
static inline void setf(env *e, unsigned width, val a)
{
    val n = ubfx(e, 1, a, width - 1, 1);
    val z = cmp(e, 1, CMP_EQ, ubfx(e, 1, a, 0, width), imm(e, 0));
    val v = xor_(e, 1, n, ubfx(e, 1, a, width, 1));
    val c = and_(e, 1, nzcv_get(e), imm(e, UINT64_C(1) << 29));
    val r = or_(e, 1, shl(e, 1, n, imm(e, 31)), shl(e, 1, z, imm(e, 30)));
    nzcv_set(e, or_(e, 1, or_(e, 1, r, c), shl(e, 1, v, imm(e, 28))));
}

SEM(setf8)
{
    setf(e, 8, rd(e, f.rn));
}

SEM(setf16)
{
    setf(e, 16, rd(e, f.rn));
}

/* ---- conditional compare and select ---- */
SEM(ccmn_reg)
{
    ccmp(e, f.sf, f.cond, false, rd(e, f.rn), rd(e, f.rm), f.nzcv);
}

SEM(ccmp_reg)
{
    ccmp(e, f.sf, f.cond, true, rd(e, f.rn), rd(e, f.rm), f.nzcv);
}

SEM(ccmn_imm)
{
    ccmp(e, f.sf, f.cond, false, rd(e, f.rn), imm(e, f.imm5), f.nzcv);
}

SEM(ccmp_imm)
{
    ccmp(e, f.sf, f.cond, true, rd(e, f.rn), imm(e, f.imm5), f.nzcv);
}

/* The low 32 bits, zero-extended, of a value that may come straight from a register. */
static inline val narrow(env *e, bool sf, val a)
{
    return sf ? a : ubfx(e, 1, a, 0, 32);
}

SEM(csel)
{
    val r = sel(e, cond(e, f.cond), rd(e, f.rn), rd(e, f.rm));
    wr(e, f.rd, narrow(e, f.sf, r));
}

SEM(csinc)
{
    val b = add(e, f.sf, rd(e, f.rm), imm(e, 1));
    wr(e, f.rd, narrow(e, f.sf, sel(e, cond(e, f.cond), rd(e, f.rn), b)));
}

SEM(csinv)
{
    val b = not_(e, f.sf, rd(e, f.rm));
    wr(e, f.rd, narrow(e, f.sf, sel(e, cond(e, f.cond), rd(e, f.rn), b)));
}

SEM(csneg)
{
    val b = sub(e, f.sf, imm(e, 0), rd(e, f.rm));
    wr(e, f.rd, narrow(e, f.sf, sel(e, cond(e, f.cond), rd(e, f.rn), b)));
}

/* ---- three sources ---- */
SEM(madd)
{
    wr(e, f.rd, add(e, f.sf, rd(e, f.ra), mul(e, f.sf, rd(e, f.rn), rd(e, f.rm))));
}

SEM(msub)
{
    wr(e, f.rd, sub(e, f.sf, rd(e, f.ra), mul(e, f.sf, rd(e, f.rn), rd(e, f.rm))));
}

static inline val mul_s32(env *e, val a, val b)
{
    return mul(e, 1, sbfx(e, 1, a, 0, 32), sbfx(e, 1, b, 0, 32));
}

static inline val mul_u32(env *e, val a, val b)
{
    return mul(e, 1, ubfx(e, 1, a, 0, 32), ubfx(e, 1, b, 0, 32));
}

SEM(smaddl)
{
    wr(e, f.rd, add(e, 1, rd(e, f.ra), mul_s32(e, rd(e, f.rn), rd(e, f.rm))));
}

SEM(smsubl)
{
    wr(e, f.rd, sub(e, 1, rd(e, f.ra), mul_s32(e, rd(e, f.rn), rd(e, f.rm))));
}

SEM(umaddl)
{
    wr(e, f.rd, add(e, 1, rd(e, f.ra), mul_u32(e, rd(e, f.rn), rd(e, f.rm))));
}

SEM(umsubl)
{
    wr(e, f.rd, sub(e, 1, rd(e, f.ra), mul_u32(e, rd(e, f.rn), rd(e, f.rm))));
}
