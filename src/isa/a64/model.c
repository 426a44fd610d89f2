/* SPDX-License-Identifier: Apache-2.0 */
/* The processor models.  A feature that is added to a model must be implemented by every
 * engine; its ID register fields follow from the feature bits by the macros below. */
#include "isa/a64/model.h"

#include <stddef.h>
#include <string.h>

#define F(f) (UINT64_C(1) << A64_FEAT_##f)
#define HAS(m, f) ((m) >> A64_FEAT_##f & 1)
/* `v` at bit `lsb` if the feature is there. */
#define IF(m, f, v, lsb) (HAS(m, f) ? UINT64_C(v) << (lsb) : 0)
/* The stronger one wins. */
#define IF2(m, f1, v1, f2, v2, lsb) (HAS(m, f2) ? UINT64_C(v2) << (lsb) : IF(m, f1, v1, lsb))

/* AArch64 at EL0 and EL1 only, no EL2 and EL3, no AArch32 (D17.2.63).  The GIC field is the
 * machine's: see sysreg.c. */
#define PFR0(m) (0x11 | IF(m, FP16, 1, 16) | IF(m, FP16, 1, 20) | IF(m, RAS, 1, 28) | \
                 IF(m, DIT, 1, 48) | IF(m, CSV2, 1, 56) | IF(m, CSV2, 1, 60))
#define PFR1(m) (IF(m, BTI, 1, 0) | IF2(m, SSBS, 1, SSBS2, 2, 4))
/* Debug v8.0, PMUv3. */
#define DFR0(bp, wp) (0x106 | (uint64_t)((bp) - 1) << 12 | (uint64_t)((wp) - 1) << 20)
#define ISAR0(m) (IF2(m, AES, 1, PMULL, 2, 4) | IF(m, SHA1, 1, 8) | \
                  IF2(m, SHA256, 1, SHA512, 2, 12) | IF(m, CRC32, 1, 16) | IF(m, LSE, 2, 20) | \
                  IF(m, RDM, 1, 28) | IF(m, SHA3, 1, 32) | IF(m, SM3, 1, 36) | \
                  IF(m, SM4, 1, 40) | IF(m, DOTPROD, 1, 44) | IF(m, FHM, 1, 48) | \
                  IF2(m, FLAGM, 1, FLAGM2, 2, 52) | IF2(m, TLBIOS, 1, TLBIRANGE, 2, 56) | \
                  IF(m, RNG, 1, 60))
/* Pointer authentication by an IMPLEMENTATION DEFINED algorithm: API and GPI. */
#define ISAR1(m) (IF2(m, DPB, 1, DPB2, 2, 0) | IF(m, PAUTH, 1, 8) | IF(m, JSCVT, 1, 12) | \
                  IF(m, FCMA, 1, 16) | IF2(m, LRCPC, 1, LRCPC2, 2, 20) | IF(m, PAUTH, 1, 28) | \
                  IF(m, FRINTTS, 1, 32) | IF(m, SB, 1, 36) | IF(m, SPECRES, 1, 40) | \
                  IF(m, BF16, 1, 44) | IF(m, I8MM, 1, 52))
/* 16-bit ASIDs; 4K and 64K granules, 16K if `g16`. */
#define MMFR0(parange, g16) ((parange) | 2 << 4 | (g16) << 20)
#define MMFR1(m) (IF(m, HAFDBS, 2, 0) | IF(m, HPDS, 1, 12) | IF(m, LOR, 1, 16) | \
                  IF2(m, PAN, 1, PAN2, 2, 20))
#define MMFR2(m) (IF(m, TTCNP, 1, 0) | IF(m, UAO, 1, 4) | IF(m, TTST, 1, 28) | \
                  IF(m, LSE2, 1, 32) | IF(m, IDST, 1, 36) | IF(m, BBM, 2, 52) | \
                  IF(m, E0PD, 1, 60))
#define IDS(m, parange, g16, bp, wp) \
    .features = (m), .breakpoint_n = (bp), .watchpoint_n = (wp), \
    .id_aa64pfr0 = PFR0(m), .id_aa64pfr1 = PFR1(m), .id_aa64dfr0 = DFR0(bp, wp), \
    .id_aa64isar0 = ISAR0(m), .id_aa64isar1 = ISAR1(m), \
    .id_aa64mmfr0 = MMFR0(parange, g16), .id_aa64mmfr1 = MMFR1(m), .id_aa64mmfr2 = MMFR2(m)

#define V8_0 (F(BASE) | F(CRC32) | F(AES) | F(PMULL) | F(SHA1) | F(SHA256))
#define N1 (V8_0 | F(LSE) | F(RDM) | F(LOR) | F(PAN) | F(PAN2) | F(UAO) | F(HAFDBS) | F(HPDS) | \
            F(DPB) | F(RAS) | F(TTCNP) | F(FP16) | F(DOTPROD) | F(LRCPC) | F(SSBS) | F(SSBS2) | \
            F(CSV2))
#define MAX_ALL (N1 | F(FCMA) | F(JSCVT) | F(FRINTTS) | F(LRCPC2) | F(FLAGM) | F(FLAGM2) | \
                 F(DPB2) | F(PAUTH) | F(BTI) | F(SB) | F(DIT) | F(TLBIOS) | F(TLBIRANGE) | \
                 F(TTST) | F(BBM) | F(IDST) | F(E0PD) | F(SPECRES))

/* PMCEID0: SW_INCR (0x00) and CPU_CYCLES (0x11). */
#define PMCEID (1u << 0x00 | 1u << 0x11)

static const struct a64_model models[] = {
    {
        .name = "cortex-a53", .what = "Arm Cortex-A53 (Armv8.0)",
        .dt_compatible = "arm,cortex-a53", IDS(V8_0, 2, 0, 6, 4), .pa_bits = 40,
        .pmu_counter_n = 6, .midr = 0x410fd034, .reset_pmcr = 0x41033000,
        .mvfr0 = 0x10110222, .mvfr1 = 0x12111111, .mvfr2 = 0x43,
        .ctr = 0x84448004, .dczid = 4, .clidr = 0x0a200023,
        .ccsidr = { { 0x700fe01a, 0x201fe00a }, { 0x707fe07a } }, .pmceid0 = PMCEID,
    }, {
        .name = "cortex-a57", .what = "Arm Cortex-A57 (Armv8.0)",
        .dt_compatible = "arm,cortex-a57", IDS(V8_0, 4, 0, 6, 4), .pa_bits = 44,
        .pmu_counter_n = 6, .midr = 0x411fd070, .reset_pmcr = 0x41013000,
        .mvfr0 = 0x10110222, .mvfr1 = 0x12111111, .mvfr2 = 0x43,
        .ctr = 0x8444c004, .dczid = 4, .clidr = 0x0a200023,
        .ccsidr = { { 0x701fe00a, 0x201fe012 }, { 0x70ffe07a } }, .pmceid0 = PMCEID,
    }, {
        .name = "cortex-a72", .what = "Arm Cortex-A72 (Armv8.0)",
        .dt_compatible = "arm,cortex-a72", IDS(V8_0, 4, 0, 6, 4), .pa_bits = 44,
        .pmu_counter_n = 6, .midr = 0x410fd083, .reset_pmcr = 0x41023000,
        .mvfr0 = 0x10110222, .mvfr1 = 0x12111111, .mvfr2 = 0x43,
        .ctr = 0x8444c004, .dczid = 4, .clidr = 0x0a200023,
        .ccsidr = { { 0x701fe00a, 0x201fe012 }, { 0x707fe07a } }, .pmceid0 = PMCEID,
    }, {
        .name = "neoverse-n1", .what = "Arm Neoverse N1 (Armv8.2)",
        .dt_compatible = "arm,neoverse-n1", IDS(N1, 5, 1, 6, 4), .pa_bits = 48,
        .pmu_counter_n = 6, .midr = 0x414fd0c1, .reset_pmcr = 0x410c3000,
        .mvfr0 = 0x10110222, .mvfr1 = 0x13211111, .mvfr2 = 0x43,
        .ctr = 0x9444c004, .dczid = 4, .clidr = 0x82000023,
        .ccsidr = { { 0x701fe01a, 0x201fe01a }, { 0x70ffe03a } }, .pmceid0 = PMCEID,
    }, {
        .name = "max", .what = "everything that is implemented (Armv8.5, no SVE, no MTE)",
        .dt_compatible = "arm,armv8", IDS(MAX_ALL, 5, 1, 6, 4), .pa_bits = 48,
        .pmu_counter_n = 6, .midr = 0x000f0640, .reset_pmcr = 0x00003000,
        .mvfr0 = 0x10110222, .mvfr1 = 0x13211111, .mvfr2 = 0x43,
        .ctr = 0x9444c004, .dczid = 4, .clidr = 0x82000023,
        .ccsidr = { { 0x701fe01a, 0x201fe01a }, { 0x70ffe03a } }, .pmceid0 = PMCEID,
    },
};

const struct a64_model *a64_model_at(unsigned i)
{
    return i < sizeof(models) / sizeof(models[0]) ? &models[i] : NULL;
}

const struct a64_model *a64_model_find(const char *name)
{
    for (unsigned i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (!strcmp(models[i].name, name)) {
            return &models[i];
        }
    }
    return NULL;
}
