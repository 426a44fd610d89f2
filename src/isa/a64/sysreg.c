/* SPDX-License-Identifier: Apache-2.0 */
/* MSR and MRS.  The table is sysreg.def; here are access control, dispatch and the hooks of
 * everything but debug and PMU (sysreg_debug.c). */
#include "isa/a64/sysreg.h"

#include "isa/a64/cpu.h"
#include "isa/a64/debug.h"
#include "isa/a64/esr.h"
#include "isa/a64/exception.h"
#include "isa/a64/mmu.h"
#include "isa/a64/model.h"
#include "isa/a64/pauth.h"
#include "isa/a64/sysbits.h"
#include "isa/a64/sysreg_hooks.h"
#include "isa/a64/tlb.h"

#include <stddef.h>

/* ---- who may ---- */

enum sysreg_access {
    RW1, R1, W1, RW0, R0, R0W1, CTR, DAIF0, FP0, MDCC0,
    PMU0, PMU0R, PMU0SW, PMU0SEL, PMU0CCNT, PMU0EV,
};

enum verdict { ALLOWED, UNDEFINED, TRAPPED, TAKEN };

static enum verdict pmu_el0(const struct a64_cpu *cpu, enum sysreg_access a, bool is_write)
{
    unsigned en = cpu->pmuserenr_el0 & 15;      /* EN 0, SW 1, CR 2, ER 3 */
    bool ok = en & 1;

    switch (a) {
    case PMU0SW: ok |= en >> 1 & 1; break;
    case PMU0CCNT: ok |= !is_write && (en >> 2 & 1); break;
    case PMU0EV: ok |= !is_write && (en >> 3 & 1); break;
    case PMU0SEL: ok |= en >> 3 & 1; break;
    default: break;
    }
    return ok ? ALLOWED : TRAPPED;
}

static enum verdict check_el0(struct a64_cpu *cpu, enum sysreg_access a, bool is_write)
{
    switch (a) {
    case RW0: return ALLOWED;
    case R0:
    case R0W1: return is_write ? UNDEFINED : ALLOWED;
    case CTR: return is_write ? UNDEFINED : cpu->sctlr_el1 & SCTLR_UCT ? ALLOWED : TRAPPED;
    case DAIF0: return cpu->sctlr_el1 & SCTLR_UMA ? ALLOWED : TRAPPED;
    case FP0: return a64_fp_check(cpu) ? ALLOWED : TAKEN;
    case MDCC0: return cpu->mdscr_el1 & MDSCR_TDCC ? TRAPPED : ALLOWED;
    case PMU0R: return is_write ? UNDEFINED : pmu_el0(cpu, a, is_write);
    case PMU0SW: return is_write ? pmu_el0(cpu, a, is_write) : UNDEFINED;
    case PMU0:
    case PMU0SEL:
    case PMU0CCNT:
    case PMU0EV: return pmu_el0(cpu, a, is_write);
    default: return UNDEFINED;
    }
}

static enum verdict check(struct a64_cpu *cpu, enum sysreg_access a, bool is_write)
{
    if (cpu->el == 0) {
        return check_el0(cpu, a, is_write);
    }
    switch (a) {
    case R1:
    case R0:
    case CTR:
    case PMU0R: return is_write ? UNDEFINED : ALLOWED;
    case W1:
    case PMU0SW: return is_write ? ALLOWED : UNDEFINED;
    case FP0: return a64_fp_check(cpu) ? ALLOWED : TAKEN;
    default: return ALLOWED;
    }
}

/* Acts on a verdict; true: go on. */
static bool pass(struct a64_cpu *cpu, enum verdict v, uint32_t enc, unsigned rt, bool is_read)
{
    switch (v) {
    case ALLOWED:
        return true;
    case TRAPPED:
        a64_exception(cpu, A64_EC_SYSREG, a64_sysreg_iss(enc, rt, is_read), 0);
        return false;
    case UNDEFINED:
        a64_undefined(cpu);
        return false;
    default:
        return false;
    }
}

/* ---- hooks ---- */

typedef uint64_t read_fn(struct a64_cpu *cpu, uint32_t enc);
typedef void write_fn(struct a64_cpu *cpu, uint32_t enc, uint64_t v);

#define RD(name) static uint64_t sysreg_rd_##name(struct a64_cpu *cpu, uint32_t enc)
#define WR(name) static void sysreg_wr_##name(struct a64_cpu *cpu, uint32_t enc, uint64_t v)

RD(zero) { return 0; }
WR(ignore) { }
RD(currentel) { return cpu->el << 2; }
RD(spsel) { return cpu->spsel; }
WR(spsel) { a64_set_el_sp(cpu, cpu->el, v & 1); }
RD(sp_el0) { return cpu->sp_el[0]; }
WR(sp_el0) { cpu->sp_el[0] = v; }
RD(pan) { return (uint64_t)cpu->pan << 22; }
WR(pan) { a64_set_pan(cpu, v >> 22 & 1); }
RD(uao) { return (uint64_t)cpu->uao << 23; }
WR(uao) { cpu->uao = v >> 23 & 1; }
RD(dit) { return (uint64_t)cpu->dit << 24; }
WR(dit) { cpu->dit = v >> 24 & 1; }
RD(ssbs) { return (uint64_t)cpu->ssbs << 12; }
WR(ssbs) { cpu->ssbs = v >> 12 & 1; }
RD(nzcv) { return a64_nzcv_get(cpu); }
WR(nzcv) { a64_nzcv_set(cpu, v & 0xf0000000); }
RD(daif) { return (uint64_t)cpu->daif << 6; }
RD(fpcr) { return cpu->fpcr; }
RD(fpsr) { return cpu->fpsr; }
WR(fpsr) { cpu->fpsr = v & 0x0800009f; }
RD(mpidr) { return cpu->mpidr | UINT64_C(1) << 31; }
RD(ctr) { return cpu->model->ctr; }

WR(daif)
{
    cpu->daif = v >> 6 & 15;
    a64_debug_update(cpu);
    a64_interrupt_recheck(cpu);
}

WR(fpcr)
{
    /* AHP, DN, FZ, RMode; FZ16 with FEAT_FP16.  No trapped exceptions. */
    uint64_t mask = 0x07c00000 | (a64_model_has(cpu->model, A64_FEAT_FP16) ? 1u << 19 : 0);
    cpu->fpcr = v & mask;
}

RD(dczid)
{
    bool prohibited = cpu->el == 0 && !(cpu->sctlr_el1 & SCTLR_DZE);
    return cpu->model->dczid | (uint64_t)prohibited << 4;
}

RD(isr)
{
    return (uint64_t)cpu->irq_line << 7 | (uint64_t)cpu->fiq_line << 6;
}

RD(ccsidr)
{
    unsigned level = cpu->csselr_el1 >> 1 & 7, is_instruction = cpu->csselr_el1 & 1;
    return level < A64_CACHES_MAX ? cpu->model->ccsidr[level][is_instruction] : 0;
}

/* The GIC's system registers are there if the machine has them. */
RD(pfr0)
{
    uint64_t sre;
    bool gic = cpu->bus.sysreg_read(cpu->bus.ctx, A64_SYSREG(3, 0, 12, 12, 5), &sre);
    return cpu->model->id_aa64pfr0 | (uint64_t)gic << 24;
}

void a64_sctlr_update(struct a64_cpu *cpu)
{
    uint64_t v = cpu->sctlr_el1;

    cpu->att &= ~((A64_ATT_ZVA0 | A64_ATT_CTR0) >> 24);
    a64_pauth_update(cpu);
    cpu->att |= ((v & SCTLR_DZE ? 0 : A64_ATT_ZVA0) | (v & SCTLR_UCT ? 0 : A64_ATT_CTR0)) >> 24;
}

WR(sctlr)
{
    uint64_t old = cpu->sctlr_el1, change = old ^ v;
    cpu->sctlr_el1 = v;
    a64_sctlr_update(cpu);
    if (change & (SCTLR_M | SCTLR_A | SCTLR_WXN | SCTLR_C)) {
        a64_tlb_drop_all(cpu->tlb);
    }
    if (change & (SCTLR_BT0 | SCTLR_BT1)) {
        a64_tlb_drop_jumps(cpu->tlb);           /* they tell which branch targets are good */
    }
    a64_regime_update(cpu);
}

WR(ttbr)
{
    if (A64_SYSREG_OP2(enc)) {
        cpu->ttbr1_el1 = v;
    } else {
        cpu->ttbr0_el1 = v;
    }
    a64_regime_update(cpu);
}

WR(tcr)
{
    if (cpu->tcr_el1 != v) {
        cpu->tcr_el1 = v;
        a64_pauth_update(cpu);
        a64_tlb_drop_all(cpu->tlb);
        a64_regime_update(cpu);
    }
}

WR(mair)
{
    if (cpu->mair_el1 != v) {
        cpu->mair_el1 = v;
        a64_tlb_drop_all(cpu->tlb);
    }
}

WR(debug)
{
    if (enc == A64_SYSREG(2, 0, 1, 0, 4)) {
        cpu->oslock = v & 1;
    } else {
        cpu->mdscr_el1 = v & 0xf001;
    }
    a64_debug_update(cpu);
    a64_tlb_drop_all(cpu->tlb);
}

RD(oslsr)
{
    return 0x8 | (cpu->oslock & 1) << 1;        /* OSLM = 0b10: implemented */
}

RD(claimset) { return 0xff; }
WR(claimset) { cpu->dbgclaim |= v & 0xff; }
WR(claimclr) { cpu->dbgclaim &= ~(v & 0xff); }

/* ---- the table ---- */

struct row {
    const char *name;
    uint8_t access, feat;
    bool constant;                      /* at `field` of the model, else of the PE */
    uint16_t field;                     /* 0: none */
    uint64_t wmask;
    read_fn *rd;
    write_fn *wr;
};

#define sysreg_rd_0 NULL
#define sysreg_wr_0 NULL
enum {
    ROW_NONE,
#define SR(name, field, op0, op1, crn, crm, op2, ...) ROW_##name,
#define SRN(name, ...) ROW_##name,
#define SRM(name, ...) ROW_##name,
#include "isa/a64/sysreg.def"
#undef SR
#undef SRN
#undef SRM
};

static const struct row rows[] = {
#define SR(name_, field_, op0, op1, crn, crm, op2, access_, feat_, reset, wmask_, rd_, wr_) \
    [ROW_##name_] = { .name = #name_, .access = access_, .feat = A64_FEAT_##feat_, \
                      .field = offsetof(struct a64_cpu, field_), .wmask = wmask_, \
                      .rd = sysreg_rd_##rd_, .wr = sysreg_wr_##wr_ },
#define SRN(name_, op0, op1, crn, crm, op2, access_, feat_, rd_, wr_) \
    [ROW_##name_] = { .name = #name_, .access = access_, .feat = A64_FEAT_##feat_, \
                      .rd = sysreg_rd_##rd_, .wr = sysreg_wr_##wr_ },
#define SRM(name_, op0, op1, crn, crm, op2, member) \
    [ROW_##name_] = { .name = #name_, .access = R1, .constant = true, \
                      .field = offsetof(struct a64_model, member) },
#include "isa/a64/sysreg.def"
#undef SR
#undef SRN
#undef SRM
};

/* By bits 13:0 of the encoding and op0 = 2, 3. */
#define INDEX(op0, op1, crn, crm, op2) [A64_SYSREG(op0, op1, crn, crm, op2) & 0x7fff]
static const uint8_t row_of[1 << 15] = {
#define SR(name, field, op0, op1, crn, crm, op2, ...) INDEX(op0, op1, crn, crm, op2) = ROW_##name,
#define SRN(name, op0, op1, crn, crm, op2, ...) INDEX(op0, op1, crn, crm, op2) = ROW_##name,
#define SRM(name, op0, op1, crn, crm, op2, ...) INDEX(op0, op1, crn, crm, op2) = ROW_##name,
#include "isa/a64/sysreg.def"
#undef SR
#undef SRN
#undef SRM
};

static const struct row *row_find(const struct a64_cpu *cpu, uint32_t enc)
{
    const struct row *r = &rows[row_of[enc & 0x7fff]];

    return r->name && a64_model_has(cpu->model, r->feat) ? r : NULL;
}

const char *a64_sysreg_name(uint32_t enc)
{
    return rows[row_of[enc & 0x7fff]].name;
}

/* ---- registers outside of the PE ---- */

/* CNT*_EL0: CNTKCTL_EL1 has EL0PCTEN 0, EL0VCTEN 1, EL0VTEN 8, EL0PTEN 9. */
static enum verdict timer_check(const struct a64_cpu *cpu, uint32_t enc, bool is_write)
{
    unsigned crm = A64_SYSREG_CRM(enc), op2 = A64_SYSREG_OP2(enc), ctl = cpu->cntkctl_el1;

    if (crm == 0) {
        if (op2 > 2 || is_write) {
            return UNDEFINED;               /* no FEAT_ECV */
        }
        if (cpu->el) {
            return ALLOWED;
        }
        bool ok = op2 == 0 ? ctl & 3 : ctl >> (op2 - 1) & 1;
        return ok ? ALLOWED : TRAPPED;
    }
    if ((crm != 2 && crm != 3) || op2 > 2) {
        return UNDEFINED;
    }
    return cpu->el || (ctl >> (crm == 2 ? 9 : 8) & 1) ? ALLOWED : TRAPPED;
}

static bool is_timer(uint32_t enc)
{
    return (enc & ~0x7fu) == A64_SYSREG(3, 3, 14, 0, 0) && A64_SYSREG_CRM(enc) < 4;
}

static bool is_gic(uint32_t enc)
{
    return enc == A64_SYSREG(3, 0, 4, 6, 0) ||
           ((enc & ~0x7fu) == A64_SYSREG(3, 0, 12, 0, 0) && A64_SYSREG_CRM(enc) >= 8);
}

/* Neither in the table nor a register file.  EL0 sees the identification space as UNDEFINED, or
 * trapped with FEAT_IDST; at EL1 what is not allocated there reads as zero (D17.1.3). */
static enum verdict unknown(const struct a64_cpu *cpu, uint32_t enc, bool is_write)
{
    bool id = A64_SYSREG_OP0(enc) == 3 && A64_SYSREG_CRN(enc) == 0 && A64_SYSREG_OP1(enc) == 0;

    if (id && !is_write && A64_SYSREG_CRM(enc) >= 1 && A64_SYSREG_CRM(enc) <= 7 && cpu->el) {
        return ALLOWED;
    }
    return UNDEFINED;
}

static enum verdict idst(const struct a64_cpu *cpu, uint32_t enc, enum verdict v, bool is_write)
{
    bool id = A64_SYSREG_OP0(enc) == 3 && A64_SYSREG_CRN(enc) == 0 && !is_write &&
              (A64_SYSREG_OP1(enc) <= 1 || A64_SYSREG_OP1(enc) == 2);

    if (v == UNDEFINED && id && cpu->el == 0 && a64_model_has(cpu->model, A64_FEAT_IDST)) {
        return TRAPPED;
    }
    return v;
}

static bool outside_read(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t *v)
{
    enum verdict verdict = is_timer(enc) ? timer_check(cpu, enc, false) :
                           is_gic(enc) && cpu->el ? ALLOWED : UNDEFINED;

    if (!pass(cpu, verdict, enc, rt, true)) {
        return false;
    }
    if (!cpu->bus.sysreg_read(cpu->bus.ctx, enc, v)) {
        a64_undefined(cpu);
        return false;
    }
    return true;
}

static bool outside_write(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t v)
{
    enum verdict verdict = is_timer(enc) ? timer_check(cpu, enc, true) :
                           is_gic(enc) && cpu->el ? ALLOWED : UNDEFINED;

    if (!pass(cpu, verdict, enc, rt, false)) {
        return false;
    }
    if (!cpu->bus.sysreg_write(cpu->bus.ctx, enc, v)) {
        a64_undefined(cpu);
        return false;
    }
    return true;
}

/* ---- entry points ---- */

/* SP_EL0 is not accessible while it is in use. */
static bool sp_el0_in_use(const struct a64_cpu *cpu, const struct row *r)
{
    return r == &rows[ROW_SP_EL0] && !cpu->spsel;
}

bool a64_sysreg_read(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t *v)
{
    const struct row *r = row_find(cpu, enc);
    enum verdict verdict;

    if (!r) {
        uint64_t *file = a64_sysreg_file(cpu, enc);
        if (is_timer(enc) || is_gic(enc)) {
            return outside_read(cpu, enc, rt, v);
        }
        verdict = file ? check(cpu, a64_sysreg_is_pmu(enc) ? PMU0EV : RW1, false) :
                         idst(cpu, enc, unknown(cpu, enc, false), false);
        if (!pass(cpu, verdict, enc, rt, true)) {
            return false;
        }
        *v = file ? a64_sysreg_file_read(cpu, enc, file) : 0;
        return true;
    }
    verdict = sp_el0_in_use(cpu, r) ? UNDEFINED : idst(cpu, enc, check(cpu, r->access, false),
                                                       false);
    if (!pass(cpu, verdict, enc, rt, true)) {
        return false;
    }
    *v = r->rd ? r->rd(cpu, enc) : *(const uint64_t *)((r->constant ? (const char *)cpu->model :
                                                        (const char *)cpu) + r->field);
    return true;
}

bool a64_sysreg_write(struct a64_cpu *cpu, uint32_t enc, unsigned rt, uint64_t v)
{
    const struct row *r = row_find(cpu, enc);
    enum verdict verdict;

    if (!r) {
        uint64_t *file = a64_sysreg_file(cpu, enc);
        if (is_timer(enc) || is_gic(enc)) {
            return outside_write(cpu, enc, rt, v);
        }
        verdict = file ? check(cpu, a64_sysreg_is_pmu(enc) ? PMU0 : RW1, true) : UNDEFINED;
        if (!pass(cpu, verdict, enc, rt, false)) {
            return false;
        }
        a64_sysreg_file_write(cpu, enc, file, v);
        return true;
    }
    verdict = sp_el0_in_use(cpu, r) ? UNDEFINED : check(cpu, r->access, true);
    if (!pass(cpu, verdict, enc, rt, false)) {
        return false;
    }
    if (r->wr) {
        r->wr(cpu, enc, v);
    } else if (r->field && !r->constant) {
        uint64_t *field = (uint64_t *)((char *)cpu + r->field);
        *field = (*field & ~r->wmask) | (v & r->wmask);
    }
    return true;
}

bool a64_pstate_write(struct a64_cpu *cpu, unsigned op1, unsigned op2, unsigned crm)
{
    const struct a64_model *m = cpu->model;
    unsigned op = op1 << 3 | op2;
    bool el1 = cpu->el != 0;

    if (op == 005 && el1) {
        a64_set_el_sp(cpu, cpu->el, crm & 1);
    } else if (op == 003 && el1 && a64_model_has(m, A64_FEAT_UAO)) {
        cpu->uao = crm & 1;
    } else if (op == 004 && el1 && a64_model_has(m, A64_FEAT_PAN)) {
        a64_set_pan(cpu, crm & 1);
    } else if (op == 031 && a64_model_has(m, A64_FEAT_SSBS2)) {
        cpu->ssbs = crm & 1;
    } else if (op == 032 && a64_model_has(m, A64_FEAT_DIT)) {
        cpu->dit = crm & 1;
    } else if (op == 036 || op == 037) {
        if (!el1 && !(cpu->sctlr_el1 & SCTLR_UMA)) {
            a64_exception(cpu, A64_EC_SYSREG,
                          a64_sysreg_iss(A64_SYSREG(0, op1, 4, crm, op2), 31, false), 0);
            return false;
        }
        cpu->daif = op == 036 ? cpu->daif | crm : cpu->daif & ~crm;
        a64_debug_update(cpu);
        a64_interrupt_recheck(cpu);
    } else {
        a64_undefined(cpu);
        return false;
    }
    return true;
}
