/* SPDX-License-Identifier: Apache-2.0 */
/* SYS: cache maintenance, address translation, TLB maintenance (DDI 0487, C5.3–C5.5).
 *
 * RAM is coherent with every PE's data view: data-cache operations only check their address.
 * Instruction-cache operations are what tells the engines that code has changed. */
#include "isa/a64/cpu.h"
#include "isa/a64/esr.h"
#include "isa/a64/exception.h"
#include "isa/a64/mmu.h"
#include "isa/a64/model.h"
#include "isa/a64/sysbits.h"
#include "isa/a64/sysreg.h"
#include "isa/a64/tlb.h"

static bool trap_el0(struct a64_cpu *cpu, uint32_t enc, unsigned rt)
{
    a64_exception(cpu, A64_EC_SYSREG, a64_sysreg_iss(enc, rt, false), 0);
    return false;
}

static bool undefined(struct a64_cpu *cpu)
{
    a64_undefined(cpu);
    return false;
}

/* ---- caches ---- */

/* The address of a maintenance operation must translate; true with its gpa. */
static bool cache_address(struct a64_cpu *cpu, uint64_t va, enum a64_access access, uint64_t *gpa)
{
    enum a64_tlb_table t = access == A64_WRITE ? A64_TLB_WRITE : A64_TLB_READ;
    struct a64_xlat x;
    struct a64_fault f;

    if (a64_tlb_find(cpu->tlb->cur, va, 1, t)) {
        *gpa = a64_tlb_gpa(cpu->tlb->cur, va, t);
        return true;
    }
    if (a64_translate(cpu, va, access, cpu->el == 0, &x, &f)) {
        *gpa = x.gpa;
        return true;
    }
    if (!f.walk_stop) {
        a64_exception_far(cpu, cpu->el ? A64_EC_DABORT_SAME : A64_EC_DABORT_LOWER,
                          f.fsc | A64_ISS_WNR | A64_ISS_CM, va);
    }
    return false;
}

static bool ic_ivau(struct a64_cpu *cpu, uint64_t va)
{
    uint64_t gpa;

    if (!cache_address(cpu, va, A64_READ, &gpa)) {
        return false;
    }
    uint64_t page = gpa & ~UINT64_C(0xfff);
    cpu->bus.icache_local(cpu->bus.ctx, page, 4096);
    /* The others are told at the next DSB: once a page is enough. */
    if (cpu->ic_page != page) {
        cpu->ic_page = page;
        cpu->att |= A64_ATT_DSB >> 24;
        cpu->bus.icache_broadcast(cpu->bus.ctx, page, 4096);
    }
    return true;
}

static bool ic_all(struct a64_cpu *cpu, bool broadcast)
{
    cpu->bus.icache_local(cpu->bus.ctx, 0, ~UINT64_C(0));
    if (broadcast) {
        cpu->att |= A64_ATT_DSB >> 24;
        cpu->bus.icache_broadcast(cpu->bus.ctx, 0, ~UINT64_C(0));
    }
    return true;
}

/* CRn = 7, op1 = 3: the operations that EL0 may be allowed. */
static bool cache_user(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t va)
{
    const struct a64_model *m = cpu->model;
    unsigned crm = A64_SYSREG_CRM(enc), op2 = A64_SYSREG_OP2(enc);
    bool is_ic = crm == 5 && op2 == 1;
    bool is_dc = op2 == 1 && (crm == 10 || crm == 11 || crm == 14 ||
                              (crm == 12 && a64_model_has(m, A64_FEAT_DPB)) ||
                              (crm == 13 && a64_model_has(m, A64_FEAT_DPB2)));
    bool is_rctx = crm == 3 && (op2 == 4 || op2 == 5 || op2 == 7) &&
                   a64_model_has(m, A64_FEAT_SPECRES);
    uint64_t gpa;

    if (is_rctx) {
        return cpu->el || (cpu->sctlr_el1 & SCTLR_ENRCTX) ? true : trap_el0(cpu, enc, rt);
    }
    if (!is_ic && !is_dc) {
        return undefined(cpu);
    }
    if (cpu->el == 0 && !(cpu->sctlr_el1 & SCTLR_UCI)) {
        return trap_el0(cpu, enc, rt);
    }
    return is_ic ? ic_ivau(cpu, va) : cache_address(cpu, va, A64_READ, &gpa);
}

void a64_dsb(struct a64_cpu *cpu)
{
    cpu->ic_page = ~UINT64_C(0);
    cpu->att &= ~(A64_ATT_DSB >> 24);
    cpu->bus.maintenance_wait(cpu->bus.ctx);
}

/* ---- AT (C5.4): PAR_EL1 ---- */

static bool address_translate(struct a64_cpu *cpu, unsigned op2, uint64_t va, bool with_pan)
{
    bool is_write = op2 & 1, el0 = op2 & 2;
    struct a64_xlat x;
    struct a64_fault f;
    enum a64_access access = is_write ? A64_WRITE : A64_READ;
    bool pan = cpu->pan;

    if (!(cpu->sctlr_el1 & SCTLR_M)) {
        cpu->par_el1 = (va & UINT64_C(0x0000fffffffff000)) | 1 << 11 | 2 << 7;
        return true;
    }
    cpu->pan = pan && with_pan;
    bool ok = a64_translate(cpu, va, access, el0, &x, &f);
    cpu->pan = pan;
    if (!ok && f.walk_stop) {
        return false;
    }
    if (ok) {
        /* Device and Non-cacheable memory is Outer Shareable. */
        unsigned sh = x.device || x.mair_attr == 0x44 ? 2 : x.sh;
        cpu->par_el1 = (x.gpa & UINT64_C(0x0000fffffffff000)) | 1 << 11 | sh << 7 |
                       (uint64_t)x.mair_attr << 56;
    } else {
        cpu->par_el1 = 1 | (uint64_t)f.fsc << 1 | 1 << 11;
    }
    return true;
}

/* ---- TLBI ---- */

static unsigned granule_log2(const struct a64_cpu *cpu, uint64_t va)
{
    static const uint8_t tg0[4] = { 12, 16, 14, 12 }, tg1[4] = { 12, 14, 12, 16 };

    return va >> 55 & 1 ? tg1[cpu->tcr_el1 >> 30 & 3] : tg0[cpu->tcr_el1 >> 14 & 3];
}

static void tlbi_apply(struct a64_cpu *cpu, const struct a64_tlbi *op)
{
    if (!op->last_level_only) {
        a64_tlb_drop_tables(cpu->tlb);
    }
    switch (op->scope) {
    case A64_TLBI_ALL: a64_tlb_drop_all(cpu->tlb); break;
    case A64_TLBI_ASID: a64_tlb_drop_asid(cpu->tlb, op->asid); break;
    case A64_TLBI_VA: a64_tlb_drop_va(cpu->tlb, op->va, op->pages_4k, op->asid, false); break;
    case A64_TLBI_VA_ALL_ASID:
        a64_tlb_drop_va(cpu->tlb, op->va, op->pages_4k, op->asid, true);
        break;
    }
}

static uint64_t sign_extend(uint64_t v, unsigned bits)
{
    return (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits));
}

/* The operand of the forms by VA, and of the range forms (FEAT_TLBIRANGE). */
static void tlbi_va(const struct a64_cpu *cpu, struct a64_tlbi *op, uint64_t v, bool range)
{
    if (!range) {
        unsigned g;
        op->va = sign_extend(v << 12, 56);
        g = granule_log2(cpu, op->va);
        op->va &= ~((UINT64_C(1) << g) - 1);
        op->pages_4k = UINT64_C(1) << (g - 12);
        return;
    }
    unsigned tg = v >> 46 & 3, g = tg == 1 ? 12 : tg == 2 ? 14 : 16;
    unsigned scale = v >> 44 & 3, num = v >> 39 & 31;
    op->va = sign_extend(v & ((UINT64_C(1) << 37) - 1), 37) << g;
    op->pages_4k = (uint64_t)(num + 1) << (5 * scale + 1) << (g - 12);
}

static bool tlbi(struct a64_cpu *cpu, uint32_t enc, uint64_t v)
{
    const struct a64_model *m = cpu->model;
    unsigned crm = A64_SYSREG_CRM(enc), op2 = A64_SYSREG_OP2(enc);
    bool range = crm == 6 || crm == 2 || crm == 5, local = crm == 7 || crm == 6;
    bool outer = crm == 1 || crm == 5;
    struct a64_tlbi op = { .asid = v >> 48, .last_level_only = op2 & 4 };

    if (A64_SYSREG_OP1(enc) != 0 || (!range && crm != 7 && crm != 3 && crm != 1) ||
        (range && !a64_model_has(m, A64_FEAT_TLBIRANGE)) ||
        (outer && !a64_model_has(m, A64_FEAT_TLBIOS))) {
        return undefined(cpu);
    }
    if (!(cpu->tcr_el1 & TCR_AS)) {
        op.asid &= 0xff;
    }
    switch (range ? op2 | 8 : op2) {
    case 0: op.scope = A64_TLBI_ALL; break;
    case 2: op.scope = A64_TLBI_ASID; break;
    case 1: case 5: case 9: case 13: op.scope = A64_TLBI_VA; break;
    case 3: case 7: case 11: case 15: op.scope = A64_TLBI_VA_ALL_ASID; break;
    default: return undefined(cpu);
    }
    if (op2 & 1) {
        tlbi_va(cpu, &op, v, range);
    }
    tlbi_apply(cpu, &op);
    if (!local) {
        cpu->att |= A64_ATT_DSB >> 24;
        cpu->bus.tlbi_broadcast(cpu->bus.ctx, &op);
    }
    return true;
}

/* ---- dispatch ---- */

bool a64_sys_op(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t v)
{
    unsigned op1 = A64_SYSREG_OP1(enc), crn = A64_SYSREG_CRN(enc), crm = A64_SYSREG_CRM(enc);
    unsigned op2 = A64_SYSREG_OP2(enc);
    uint64_t gpa;

    if (crn == 7 && op1 == 3) {
        return cache_user(cpu, enc, rt, v);
    }
    if (cpu->el == 0) {
        return undefined(cpu);
    }
    if (crn == 8) {
        return tlbi(cpu, enc, v);
    }
    if (crn != 7 || op1 != 0) {
        return undefined(cpu);
    }
    switch (crm << 3 | op2) {
    case 1 << 3 | 0: return ic_all(cpu, true);          /* IC IALLUIS */
    case 5 << 3 | 0: return ic_all(cpu, false);         /* IC IALLU */
    case 6 << 3 | 1: return cache_address(cpu, v, A64_WRITE, &gpa);     /* DC IVAC */
    case 6 << 3 | 2:                                    /* DC ISW, CSW, CISW */
    case 10 << 3 | 2:
    case 14 << 3 | 2: return true;
    case 8 << 3 | 0:                                    /* AT S1E1R, S1E1W, S1E0R, S1E0W */
    case 8 << 3 | 1:
    case 8 << 3 | 2:
    case 8 << 3 | 3: return address_translate(cpu, op2, v, false);
    case 9 << 3 | 0:
    case 9 << 3 | 1:                                    /* AT S1E1RP, S1E1WP */
        if (a64_model_has(cpu->model, A64_FEAT_PAN2)) {
            return address_translate(cpu, op2, v, true);
        }
        return undefined(cpu);
    default: return undefined(cpu);
    }
}
