/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer authentication (DDI 0487, D8.8; pseudocode of AddPAC, Auth and Strip).
 *
 * The IMPLEMENTATION DEFINED algorithm is a keyed mixer of two 64-bit multiplications: it lets a
 * guest's protection work as designed against a guest's own mistakes, and costs few instructions,
 * which emit_x64/gen_pac.c has once more.  It is not meant to be cryptographically strong.
 *
 *   63     56 55 54        bottom             0
 *   +--------+--+----------+------------------+      `ext`: the bits that are copies of bit 55 in a
 *   | PAC *  |S | PAC      | address          |      canonical pointer
 *   +--------+--+----------+------------------+      * or the tag, where TBI applies
 *
 * To sign a canonical pointer and to authenticate are the same: an exclusive or of the bits of
 * the PAC with a function of all other bits; what authenticates comes out canonical. */
#include "isa/a64/pauth.h"

#include "isa/a64/cpu.h"
#include "isa/a64/mmu.h"
#include "isa/a64/sysbits.h"

#include <stddef.h>

#define BIT_55 (UINT64_C(1) << 55)

/* Of the pointer without its PAC. */
static uint64_t compute_pac(uint64_t low, uint64_t modifier, const uint64_t *key)
{
    uint64_t u = (modifier ^ key[1]) * 2 + 1, h = ((low ^ key[0]) + modifier) * u;

    return (h ^ h >> 32) * u;
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

static uint64_t extension(const struct a64_cpu *cpu, bool high, bool instruction)
{
    return bits(tbi_of(cpu, high, instruction) ? 55 : 63, bottom_bit(cpu, high));
}

void a64_pauth_update(struct a64_cpu *cpu)
{
    for (unsigned which = 0; which < 4; which++) {
        for (unsigned high = 0; high < 2; high++) {
            uint64_t ext = key_enabled(cpu, which) ? extension(cpu, high, which < 2) : 0;
            cpu->pac[which][high].ext = ext;
            cpu->pac[which][high].low = ~ext;
        }
    }
}

static uint64_t mix(const struct a64_cpu *cpu, unsigned which, uint64_t ptr, uint64_t ext,
                    uint64_t modifier)
{
    return ptr ^ (compute_pac(ptr & ~ext, modifier, key_of(cpu, which)) & ext & ~BIT_55);
}

static uint64_t add_pac(const struct a64_cpu *cpu, unsigned which, uint64_t ptr, uint64_t modifier)
{
    bool instruction = which < 2;
    bool any_tbi = tbi_of(cpu, false, instruction) || tbi_of(cpu, true, instruction);
    bool sel = ptr >> (any_tbi ? 55 : 63) & 1;
    uint64_t ext = extension(cpu, sel, instruction);
    uint64_t x = mix(cpu, which, sel ? ptr | ext : ptr & ~ext, ext, modifier);

    if ((ptr & ext) != 0 && (ptr & ext) != ext) {
        x ^= UINT64_C(1) << (tbi_of(cpu, sel, instruction) ? 54 : 62);  /* was not canonical: */
    }                                                                   /* no authentication */
    return x;
}

static uint64_t authenticate(const struct a64_cpu *cpu, unsigned which, uint64_t ptr,
                             uint64_t modifier)
{
    bool high = ptr >> 55 & 1;
    uint64_t ext = extension(cpu, high, which < 2), x = mix(cpu, which, ptr, ext, modifier);
    unsigned at = tbi_of(cpu, high, which < 2) ? 53 : 61;

    if ((x & ext) == (high ? ext : 0)) {
        return x;
    }
    x = high ? ptr | ext : ptr & ~ext;
    return (x & ~(UINT64_C(3) << at)) | (uint64_t)((which & 1) + 1) << at;
}

static uint64_t strip(const struct a64_cpu *cpu, bool instruction, uint64_t ptr)
{
    bool high = ptr >> 55 & 1;
    uint64_t ext = extension(cpu, high, instruction);

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
