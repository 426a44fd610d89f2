/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer authentication (DDI 0487, D8.8; pseudocode of AddPAC, Auth and Strip).
 *
 * The IMPLEMENTATION DEFINED algorithm is a keyed mixer of 64-bit multiplications: it lets a
 * guest's protection work as designed against a guest's own mistakes, and costs a few
 * nanoseconds.  It is not meant to be cryptographically strong. */
#include "isa/a64/pauth.h"

#include "isa/a64/cpu.h"
#include "isa/a64/mmu.h"
#include "isa/a64/sysbits.h"

#include <stddef.h>

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;

    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t compute_pac(uint64_t ptr, uint64_t modifier, const uint64_t *key)
{
    uint64_t a = (ptr ^ key[0]) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t b = (modifier ^ key[1]) * UINT64_C(0xd6e8feb86659fd93);

    return fold(a ^ (b >> 32 | b << 32), b ^ a >> 29 ^ UINT64_C(0xe7037ed1a0b428db));
}

/* Keys in the order of the opcode fields: IA, IB, DA, DB. */
static const uint64_t *key_of(const struct a64_cpu *cpu, unsigned which)
{
    switch (which) {
    case 0: return &cpu->apiakeylo_el1;
    case 1: return &cpu->apibkeylo_el1;
    case 2: return &cpu->apdakeylo_el1;
    default: return &cpu->apdbkeylo_el1;
    }
}

/* A key's two halves are neighbouring rows of sysreg.def. */
_Static_assert(offsetof(struct a64_cpu, apiakeyhi_el1) ==
               offsetof(struct a64_cpu, apiakeylo_el1) + 8, "order of sysreg.def");

static bool key_enabled(const struct a64_cpu *cpu, unsigned which)
{
    static const uint8_t bit[] = { 31, 30, 27, 13 };    /* EnIA, EnIB, EnDA, EnDB */

    return cpu->sctlr_el1 >> bit[which] & 1;
}

static bool tbi_of(const struct a64_cpu *cpu, bool high, bool instruction)
{
    uint64_t tcr = cpu->tcr_el1;

    return (tcr & (high ? TCR_TBI1 : TCR_TBI0)) &&
           !(instruction && (tcr & (high ? TCR_TBID1 : TCR_TBID0)));
}

/* The lowest bit of the PAC: the size of the VA range (CalculateBottomPACBit). */
static unsigned bottom_bit(const struct a64_cpu *cpu, bool high)
{
    unsigned tsz = high ? cpu->tcr_el1 >> 16 & 63 : cpu->tcr_el1 & 63;

    return 64 - (tsz < 16 ? 16 : tsz > 48 ? 48 : tsz);
}

static uint64_t bits(unsigned hi, unsigned lo)
{
    return (~UINT64_C(0) >> (63 - hi)) & (~UINT64_C(0) << lo);
}

static uint64_t add_pac(const struct a64_cpu *cpu, unsigned which, uint64_t ptr, uint64_t modifier)
{
    bool instruction = which < 2;
    bool any_tbi = tbi_of(cpu, false, instruction) || tbi_of(cpu, true, instruction);
    bool sel = ptr >> (any_tbi ? 55 : 63) & 1;
    bool tbi = tbi_of(cpu, sel, instruction);
    unsigned bottom = bottom_bit(cpu, sel), top = tbi ? 55 : 63;
    uint64_t ext = bits(top, bottom);
    uint64_t canonical = sel ? ptr | ext : ptr & ~ext;
    uint64_t pac = compute_pac(canonical, modifier, key_of(cpu, which));

    if ((ptr & ext) != 0 && (ptr & ext) != ext) {
        pac ^= UINT64_C(1) << (top - 1);        /* was not canonical: will not authenticate */
    }
    uint64_t where = ext & ~(UINT64_C(1) << 55);
    return (canonical & ~where & ~(UINT64_C(1) << 55)) | (pac & where) | (uint64_t)sel << 55;
}

static uint64_t authenticate(const struct a64_cpu *cpu, unsigned which, uint64_t ptr,
                             uint64_t modifier)
{
    bool high = ptr >> 55 & 1, tbi = tbi_of(cpu, high, which < 2);
    unsigned bottom = bottom_bit(cpu, high), top = tbi ? 55 : 63;
    uint64_t ext = bits(top, bottom), where = ext & ~(UINT64_C(1) << 55);
    uint64_t canonical = high ? ptr | ext : ptr & ~ext;
    uint64_t pac = compute_pac(canonical, modifier, key_of(cpu, which));

    if (!((pac ^ ptr) & where)) {
        return canonical;
    }
    unsigned at = tbi ? 53 : 61;
    return (canonical & ~(UINT64_C(3) << at)) | (uint64_t)((which & 1) + 1) << at;
}

static uint64_t strip(const struct a64_cpu *cpu, bool instruction, uint64_t ptr)
{
    bool high = ptr >> 55 & 1, tbi = tbi_of(cpu, high, instruction);
    uint64_t ext = bits(tbi ? 55 : 63, bottom_bit(cpu, high));

    return high ? ptr | ext : ptr & ~ext;
}

uint64_t a64_pauth(const struct a64_cpu *cpu, enum a64_pauth_op op, uint64_t ptr,
                   uint64_t modifier)
{
    switch (op) {
    case PAUTH_PACIA:
    case PAUTH_PACIB:
    case PAUTH_PACDA:
    case PAUTH_PACDB:
        return key_enabled(cpu, op - PAUTH_PACIA) ?
               add_pac(cpu, op - PAUTH_PACIA, ptr, modifier) : ptr;
    case PAUTH_AUTIA:
    case PAUTH_AUTIB:
    case PAUTH_AUTDA:
    case PAUTH_AUTDB:
        return key_enabled(cpu, op - PAUTH_AUTIA) ?
               authenticate(cpu, op - PAUTH_AUTIA, ptr, modifier) : ptr;
    case PAUTH_XPACI:
    case PAUTH_XPACD:
        return strip(cpu, op == PAUTH_XPACI, ptr);
    default:
        return compute_pac(ptr, modifier, &cpu->apgakeylo_el1) & UINT64_C(0xffffffff00000000);
    }
}
