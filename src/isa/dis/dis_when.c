/* SPDX-License-Identifier: Apache-2.0 */
/* When an alias is the preferred form (`when=` of a row; DDI 0487, the "Aliases" section of
 * each instruction). */
#include "a64.gen.h"
#include "isa/a64/bitmask.h"
#include "isa/dis/dis_when.h"

static unsigned sf(uint32_t w)
{
    return w >> 31;
}

static unsigned imms(uint32_t w)
{
    return w >> 10 & 63;
}

static unsigned immr(uint32_t w)
{
    return w >> 16 & 63;
}

bool dis_when_bf_ok(uint32_t w)
{
    return (w >> 22 & 1) == sf(w) && (sf(w) || !((imms(w) | immr(w)) & 32));
}

bool dis_when_bfiz(uint32_t w)
{
    return dis_when_bf_ok(w) && imms(w) < immr(w);
}

bool dis_when_asr_imm(uint32_t w)
{
    return dis_when_bf_ok(w) && imms(w) == (sf(w) ? 63 : 31);
}

bool dis_when_lsl_imm(uint32_t w)
{
    return dis_when_bf_ok(w) && imms(w) + 1 == immr(w) && imms(w) != (sf(w) ? 63 : 31);
}

bool dis_when_ror_imm(uint32_t w)
{
    return (w >> 22 & 1) == sf(w) && (sf(w) || imms(w) < 32) && (w >> 16 & 31) == (w >> 5 & 31);
}

bool dis_when_shift_ok(uint32_t w)
{
    return sf(w) || imms(w) < 32;
}

bool dis_when_rn_is_rm(uint32_t w)
{
    return (w >> 16 & 31) == (w >> 5 & 31) && (w >> 5 & 31) != 31;
}

bool dis_when_rn_eq_rm(uint32_t w)
{
    return (w >> 16 & 31) == (w >> 5 & 31);
}

bool dis_when_mov_z(uint32_t w)
{
    unsigned hw = w >> 21 & 3;
    return (sf(w) || hw < 2) && ((w >> 5 & 0xffff) || hw == 0);
}

bool dis_when_mov_n(uint32_t w)
{
    unsigned hw = w >> 21 & 3, imm16 = w >> 5 & 0xffff;
    return (sf(w) || hw < 2) && (imm16 || hw == 0) && (sf(w) || imm16 != 0xffff);
}

/* MOV (bitmask) is preferred where neither MOVZ nor MOVN could make the value: C4's
 * MoveWidePreferred(), here on the value itself. */
bool dis_when_mov_bitmask(uint32_t w)
{
    uint64_t v;
    if (!a64_bitmask_decode(sf(w), w >> 22 & 1, imms(w), immr(w), &v)) {
        return false;
    }
    uint64_t ones = sf(w) ? ~UINT64_C(0) : UINT32_MAX;
    for (unsigned shift = 0; shift < (sf(w) ? 64 : 32); shift += 16) {
        uint64_t hole = ~(UINT64_C(0xffff) << shift);
        if (!(v & hole) || !(~v & ones & hole)) {
            return false;
        }
    }
    return true;
}
