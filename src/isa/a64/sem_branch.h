/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of branches, exception generation and return. */
#include "isa/a64/esr.h"

SEM(b)
{
    goto_rel(e, (int64_t)f.imm26 * 4, JUMP_PLAIN);
}

SEM(bl)
{
    wr(e, 30, pc_rel(e, 4));
    goto_rel(e, (int64_t)f.imm26 * 4, JUMP_CALL);
}

SEM(b_cond)
{
    if (f.cond >= 14) {         /* AL and NV: always */
        goto_rel(e, (int64_t)f.imm19 * 4, JUMP_PLAIN);
    } else {
        goto_rel_if(e, cond(e, f.cond), (int64_t)f.imm19 * 4);
    }
}

SEM(cbz)
{
    goto_rel_if(e, cmp(e, f.sf, CMP_EQ, rd(e, f.rt), imm(e, 0)), (int64_t)f.imm19 * 4);
}

SEM(cbnz)
{
    goto_rel_if(e, cmp(e, f.sf, CMP_NE, rd(e, f.rt), imm(e, 0)), (int64_t)f.imm19 * 4);
}

/* Is the bit set, or (`want` = 0) clear?  By a mask or as the sign where that fits an instruction
 * of most hosts. */
static inline val bit_is(env *e, unsigned want, unsigned rt, unsigned bit)
{
    val v = rd(e, rt), zero = imm(e, 0);

    if (bit == 63) {
        return cmp(e, 1, want ? CMP_LTS : CMP_GES, v, zero);
    }
    v = bit < 32 ? and_(e, 0, v, imm(e, UINT64_C(1) << bit)) : ubfx(e, 1, v, bit, 1);
    return cmp(e, bit >= 32, want ? CMP_NE : CMP_EQ, v, zero);
}

SEM(tbz)
{
    goto_rel_if(e, bit_is(e, 0, f.rt, f.b5 << 5 | f.b40), (int64_t)f.imm14 * 4);
}

SEM(tbnz)
{
    goto_rel_if(e, bit_is(e, 1, f.rt, f.b5 << 5 | f.b40), (int64_t)f.imm14 * 4);
}

/* PSTATE.BTYPE after BR: 1 through X16 or X17, else 3; BLR: 2 (D8.4.5).  The engine's
 * set_btype() turns 3 into 1 where the branch itself is not in a guarded page. */
static inline void jump_br(env *e, unsigned rn, val target)
{
    set_btype(e, rn == 16 || rn == 17 ? 1 : 3);
    goto_reg(e, target, JUMP_PLAIN);
}

static inline void jump_blr(env *e, val target)
{
    wr(e, 30, pc_rel(e, 4));
    set_btype(e, 2);
    goto_reg(e, target, JUMP_CALL);
}

SEM(br)
{
    jump_br(e, f.rn, rd(e, f.rn));
}

SEM(blr)
{
    jump_blr(e, rd(e, f.rn));
}

SEM(ret)
{
    goto_reg(e, rd(e, f.rn), JUMP_RETURN);
}

SEM(braz)
{
    jump_br(e, f.rn, pauth(e, PAUTH_AUTIA + f.m, rd(e, f.rn), imm(e, 0)));
}

SEM(blraz)
{
    jump_blr(e, pauth(e, PAUTH_AUTIA + f.m, rd(e, f.rn), imm(e, 0)));
}

SEM(bra)
{
    jump_br(e, f.rn, pauth(e, PAUTH_AUTIA + f.m, rd(e, f.rn), rd_sp(e, f.rm)));
}

SEM(blra)
{
    jump_blr(e, pauth(e, PAUTH_AUTIA + f.m, rd(e, f.rn), rd_sp(e, f.rm)));
}

SEM(reta)
{
    goto_reg(e, pauth(e, PAUTH_AUTIA + f.m, rd(e, 30), rd_sp(e, 31)), JUMP_RETURN);
}

SEM(eret)
{
    exception_return(e, 0);
}

SEM(ereta)
{
    exception_return(e, 1 + f.m);
}

SEM(drps)
{
    undefined(e);               /* only in Debug state */
}

SEM(svc)
{
    raise(e, A64_EC_SVC64, f.imm16, 4);
}

SEM(hvc)
{
    firmware_call(e, false, f.imm16);
}

SEM(smc)
{
    firmware_call(e, true, f.imm16);
}

SEM(brk)
{
    raise(e, A64_EC_BRK64, f.imm16, 0);
}

SEM(hlt)
{
    halting_breakpoint(e, f.imm16);
}

SEM(dcps1)
{
    undefined(e);               /* DCPSn: only in Debug state */
}

SEM(dcps2)
{
    undefined(e);
}

SEM(dcps3)
{
    undefined(e);
}
