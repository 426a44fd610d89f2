/* SPDX-License-Identifier: Apache-2.0 */
/* CPACR_EL1.FPEN: every instruction that touches SIMD & FP registers traps when it says so, and
 * changes nothing; none traps when it does not. */
#include "../check.h"
#include "a64.gen.h"
#include "flat.h"
#include "isa/a64/esr.h"

static uint64_t rng = 1;

static uint32_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng >> 16;
}

static bool touches_fp(const struct a64_row *r)
{
    return r->group == A64_GROUP_FP || r->group == A64_GROUP_SIMD ||
           r->group == A64_GROUP_CRYPTO || r->group == A64_GROUP_VMEM;
}

/* An encoding that decodes to the row; 0 if the model has no such. */
static uint32_t word_of(const struct a64_cpu *c, unsigned row)
{
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t w = a64_rows[row].value | (rnd() & ~a64_rows[row].mask);
        if (a64_decode_for(c->model->features, w) == row) {
            return w;
        }
    }
    return 0;
}

static unsigned trapped(struct flat *f, unsigned row, uint32_t word, unsigned el, unsigned fpen)
{
    struct a64_cpu *c = &f->cpu;

    a64_set_el_sp(c, el, el);
    c->cpacr_el1 = (uint64_t)fpen << 20;
    for (unsigned i = 0; i < 31; i++) {
        c->x[i] = FLAT_RAM + 0x8000;
    }
    c->sp = FLAT_RAM + 0x8000;
    c->pc = FLAT_RAM;
    c->esr_el1 = 0;
    memset(c->v, 0x5a, sizeof(c->v));
    memset(f->ram + 0x7000, 0xa5, 0x2000);
    interp_row(c, row, word);
    bool trap = c->esr_el1 >> 26 == A64_EC_FP_ACCESS;
    for (unsigned i = 0; trap && i < 32; i++) {
        CHECK(c->v[i].d[0] == UINT64_C(0x5a5a5a5a5a5a5a5a), "%s", a64_rows[row].name);
    }
    CHECK(!trap || c->x[5] == FLAT_RAM + 0x8000, "%s wrote back", a64_rows[row].name);
    CHECK(!trap || c->pc == c->vbar_el1 + (el ? 0x200 : 0x400), "%s", a64_rows[row].name);
    return trap;
}

int main(void)
{
    struct flat *f = flat_new("max");
    unsigned seen = 0;

    for (unsigned i = 1; i < a64_row_n; i++) {
        uint32_t w = touches_fp(&a64_rows[i]) ? word_of(&f->cpu, i) : 0;
        if (!w) {
            continue;
        }
        seen++;
        /* FPEN 0 and 2: both trap; 1: EL0 traps; 3: none. */
        for (unsigned fpen = 0; fpen < 4; fpen++) {
            CHECK(trapped(f, i, w, 1, fpen) == !(fpen & 1), "%08x %s at EL1, FPEN %u", w,
                  a64_rows[i].name, fpen);
            CHECK(trapped(f, i, w, 0, fpen) == (fpen != 3), "%08x %s at EL0, FPEN %u", w,
                  a64_rows[i].name, fpen);
        }
    }
    CHECK(seen > 600, "%u rows", seen);
    flat_free(f);
    return check_result();
}
