/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of hints, barriers, PSTATE and system-register instructions. */
#include "isa/a64/sysreg.h"

/* ---- hints ---- */
SEM(hint)
{
    hint(e, f.crm << 3 | f.op2);
}

SEM(wfe)
{
    hint(e, 2);
}

SEM(wfi)
{
    hint(e, 3);
}

/* In the hint space: NOPs without FEAT_PAuth. */
#define PAUTH_HINT(name, op, r, modifier) \
    SEM(name) \
    { \
        if (feature(e, A64_FEAT_PAUTH)) { \
            wr(e, r, pauth(e, op, rd(e, r), modifier)); \
        } \
    }
PAUTH_HINT(xpaclri, PAUTH_XPACI, 30, imm(e, 0))
PAUTH_HINT(pacia1716, PAUTH_PACIA, 17, rd(e, 16))
PAUTH_HINT(pacib1716, PAUTH_PACIB, 17, rd(e, 16))
PAUTH_HINT(autia1716, PAUTH_AUTIA, 17, rd(e, 16))
PAUTH_HINT(autib1716, PAUTH_AUTIB, 17, rd(e, 16))
PAUTH_HINT(paciaz, PAUTH_PACIA, 30, imm(e, 0))
PAUTH_HINT(paciasp, PAUTH_PACIA, 30, rd_sp(e, 31))
PAUTH_HINT(pacibz, PAUTH_PACIB, 30, imm(e, 0))
PAUTH_HINT(pacibsp, PAUTH_PACIB, 30, rd_sp(e, 31))
PAUTH_HINT(autiaz, PAUTH_AUTIA, 30, imm(e, 0))
PAUTH_HINT(autiasp, PAUTH_AUTIA, 30, rd_sp(e, 31))
PAUTH_HINT(autibz, PAUTH_AUTIB, 30, imm(e, 0))
PAUTH_HINT(autibsp, PAUTH_AUTIB, 30, rd_sp(e, 31))
#undef PAUTH_HINT

/* ---- barriers ---- */
SEM(clrex)
{
    clrex(e);
}

SEM(dsb)
{
    barrier(e, BAR_DSB, f.crm);
}

SEM(dmb)
{
    barrier(e, BAR_DMB, f.crm);
}

SEM(isb)
{
    barrier(e, BAR_ISB, f.crm);
}

SEM(sb)
{
    barrier(e, BAR_SB, 0);
}

/* ---- PSTATE ---- */
SEM(cfinv)
{
    nzcv_set(e, xor_(e, 1, nzcv_get(e), imm(e, UINT64_C(1) << 29)));
}

/* FEAT_FlagM2 (C6.2.12, C6.2.459): between Arm's and the alternative form of the result of a
 * floating-point comparison. */
SEM(axflag)
{
    val x = nzcv_get(e);
    val z = or_(e, 1, ubfx(e, 1, x, 30, 1), ubfx(e, 1, x, 28, 1));     /* Z | V */
    val c = and_(e, 1, ubfx(e, 1, x, 29, 1), not_(e, 1, ubfx(e, 1, x, 28, 1)));  /* C & !V */
    nzcv_set(e, or_(e, 1, shl(e, 1, z, imm(e, 30)), shl(e, 1, c, imm(e, 29))));
}

SEM(xaflag)
{
    val x = nzcv_get(e);
    val z = ubfx(e, 1, x, 30, 1), c = ubfx(e, 1, x, 29, 1);
    val nz = xor_(e, 1, z, imm(e, 1)), nc = xor_(e, 1, c, imm(e, 1));
    val r = shl(e, 1, and_(e, 1, nc, nz), imm(e, 31));                  /* N = !C & !Z */
    r = or_(e, 1, r, shl(e, 1, and_(e, 1, z, c), imm(e, 30)));          /* Z = Z & C */
    r = or_(e, 1, r, shl(e, 1, or_(e, 1, c, z), imm(e, 29)));           /* C = C | Z */
    nzcv_set(e, or_(e, 1, r, shl(e, 1, and_(e, 1, nc, z), imm(e, 28)))); /* V = !C & Z */
}

SEM(msr_imm)
{
    pstate_write(e, f.op1, f.op2, f.crm);
}

/* ---- SYS, SYSL, MSR, MRS ---- */
SEM(sys)
{
    sys_op(e, A64_SYSREG(1, f.op1, f.crn, f.crm, f.op2), rd(e, f.rt));
}

SEM(sysl)
{
    undefined(e);               /* none is implemented */
}

SEM(msr)
{
    sysreg_write(e, A64_SYSREG(2 + f.o0, f.op1, f.crn, f.crm, f.op2), rd(e, f.rt));
}

SEM(mrs)
{
    wr(e, f.rt, sysreg_read(e, A64_SYSREG(2 + f.o0, f.op1, f.crn, f.crm, f.op2)));
}
