/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of sysreg.def at EL1 and EL0: encodings are unique, what may be accessed is, the
 * rest is UNDEFINED or trapped with the right syndrome, and nothing else changes. */
#include "../check.h"
#include "flat.h"
#include "isa/a64/esr.h"
#include "isa/a64/sysreg.h"

#include <stdlib.h>

struct reg {
    const char *name;
    uint32_t enc;
    bool has_field;
    uint64_t wmask;
    const char *access, *feat;
};

#define STR(x) #x
static const struct reg regs[] = {
#define SR(name, field, op0, op1, crn, crm, op2, access, feat, reset, wmask, rd, wr) \
    { #name, A64_SYSREG(op0, op1, crn, crm, op2), true, wmask, #access, #feat },
#define SRN(name, op0, op1, crn, crm, op2, access, feat, rd, wr) \
    { #name, A64_SYSREG(op0, op1, crn, crm, op2), false, 0, #access, #feat },
#define SRM(name, op0, op1, crn, crm, op2, member) \
    { #name, A64_SYSREG(op0, op1, crn, crm, op2), false, 0, "R1", "BASE" },
#include "isa/a64/sysreg.def"
};
enum { REGS = sizeof(regs) / sizeof(regs[0]) };

static bool taken(struct a64_cpu *c, unsigned ec)
{
    return c->el == 1 && c->esr_el1 >> 26 == ec;
}

static void to_el(struct flat *f, unsigned el)
{
    f->cpu.spsr_el1 = el ? 0x3c5 : 0;
    a64_exception_return(&f->cpu, FLAT_RAM);
    f->cpu.esr_el1 = 0;
}

static void at_el0(struct flat *f, const struct reg *r)
{
    struct a64_cpu *c = &f->cpu;
    bool user = r->access[strlen(r->access) - 1] != '1' || !strcmp(r->access, "R0W1");
    uint64_t v;

    /* Everything that can be given to EL0 is. */
    c->sctlr_el1 |= UINT64_C(1) << 9 | 1 << 15;
    c->pmuserenr_el0 = 15;
    c->cpacr_el1 = 3 << 20;
    c->mdscr_el1 = 0;
    to_el(f, 0);
    bool ok = a64_sysreg_read(c, r->enc, 5, &v);
    if (!strcmp(r->access, "PMU0SW")) {
        CHECK(!ok && taken(c, A64_EC_UNKNOWN), "%s", r->name);
    } else if (user) {
        CHECK(ok && c->el == 0, "%s cannot be read at EL0", r->name);
    } else {
        /* FEAT_IDST: identification registers trap. */
        bool id = A64_SYSREG_OP0(r->enc) == 3 && A64_SYSREG_CRN(r->enc) == 0 &&
                  A64_SYSREG_OP1(r->enc) <= 2;
        CHECK(!ok && taken(c, id ? A64_EC_SYSREG : A64_EC_UNKNOWN), "%s", r->name);
    }
    to_el(f, 0);
    ok = a64_sysreg_write(c, r->enc, 5, 0);
    if (!user || strchr(r->access, 'R') == r->access || !strcmp(r->access, "CTR") ||
        !strcmp(r->access, "PMU0R")) {
        bool writable = !strcmp(r->access, "RW0");
        CHECK(ok == writable, "%s written at EL0", r->name);
    }
    /* And nothing that can be taken from EL0 is left. */
    c->sctlr_el1 &= ~(UINT64_C(1) << 9 | 1 << 15);
    c->pmuserenr_el0 = 0;
    c->cpacr_el1 = 0;
    c->mdscr_el1 = 1 << 12;
    to_el(f, 0);
    ok = a64_sysreg_read(c, r->enc, 5, &v);
    if (user && r->access[0] != 'R') {
        bool fp = !strcmp(r->access, "FP0"), sw = !strcmp(r->access, "PMU0SW");
        CHECK(!ok && taken(c, fp ? A64_EC_FP_ACCESS : sw ? A64_EC_UNKNOWN : A64_EC_SYSREG), "%s",
              r->name);
        CHECK(fp || sw || (c->esr_el1 & 0x1ffffff) == a64_sysreg_iss(r->enc, 5, true), "%s",
              r->name);
    }
}

static void at_el1(struct flat *f, const struct reg *r)
{
    struct a64_cpu *c = &f->cpu;
    bool readable = strcmp(r->access, "W1") && strcmp(r->access, "PMU0SW");
    bool writable = strcmp(r->access, "R1") && strcmp(r->access, "R0") &&
                    strcmp(r->access, "CTR") && strcmp(r->access, "PMU0R");
    uint64_t v;

    c->cpacr_el1 = 3 << 20;
    to_el(f, 1);
    CHECK(a64_sysreg_read(c, r->enc, 5, &v) == readable, "%s read at EL1", r->name);
    to_el(f, 1);
    CHECK(a64_sysreg_write(c, r->enc, 5, 0) == writable, "%s written at EL1", r->name);
    if (r->has_field && readable && writable && r->wmask && r->access[0] == 'R' &&
        strcmp(r->name, "SCTLR_EL1") && strcmp(r->name, "DBGCLAIMCLR_EL1") &&
        strcmp(r->name, "ESR_EL1") && strcmp(r->name, "TCR_EL1") && strncmp(r->name, "PM", 2)) {
        to_el(f, 1);
        CHECK(a64_sysreg_write(c, r->enc, 5, ~UINT64_C(0)), "%s", r->name);
        CHECK(a64_sysreg_read(c, r->enc, 5, &v) && v == r->wmask, "%s: %lx", r->name, v);
        a64_sysreg_write(c, r->enc, 5, 0);
    }
}

static void test_models(void)
{
    for (unsigned i = 0; a64_model_at(i); i++) {
        const struct a64_model *m = a64_model_at(i);
        struct flat *f = flat_new(m->name);
        uint64_t v = 0;
        CHECK(a64_sysreg_read(&f->cpu, A64_SYSREG(3, 0, 0, 4, 0), 0, &v), "%s", m->name);
        CHECK((v & 0xffff) == 0x11, "%s: AArch64 EL0 and EL1 only", m->name);
        CHECK(!(m->ctr >> 29 & 1), "%s: DIC must be 0: IC IVAU is what drops code", m->name);
        CHECK((m->id_aa64isar0 >> 20 & 15) == (a64_model_has(m, A64_FEAT_LSE) ? 2 : 0));
        CHECK((m->id_aa64isar1 >> 4 & 15) == 0, "%s: no architected PAuth", m->name);
        /* An unallocated identification register reads as zero. */
        v = 1;
        CHECK(a64_sysreg_read(&f->cpu, A64_SYSREG(3, 0, 0, 7, 7), 0, &v) && v == 0);
        flat_free(f);
    }
}

int main(void)
{
    struct flat *f = flat_new("max");

    for (unsigned i = 0; i < REGS; i++) {
        for (unsigned k = 0; k < i; k++) {
            CHECK(regs[i].enc != regs[k].enc, "%s is %s", regs[i].name, regs[k].name);
        }
        CHECK(!strcmp(a64_sysreg_name(regs[i].enc), regs[i].name));
        at_el1(f, &regs[i]);
        a64_cpu_reset(&f->cpu);
        f->cpu.vbar_el1 = FLAT_RAM + 0x10000;
        at_el0(f, &regs[i]);
        a64_cpu_reset(&f->cpu);
        f->cpu.vbar_el1 = FLAT_RAM + 0x10000;
    }
    flat_free(f);
    test_models();
    return check_result();
}
