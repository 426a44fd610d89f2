/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the IR: kept by translations of random code, and each found when it is broken.
 *
 *   test_verify [BLOCKS [SEED]]         */
#include "base/prng.h"
#include "base/strbuf.h"
#include "isa/a64/model.h"
#include "isa/a64/translate.h"
#include "isa/emit_x64/host.h"
#include "isa/ir/ir_print.h"
#include "isa/ir/ir_verify.h"

#include "../check.h"

#include "a64.gen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct ir ir;
static struct a64_words words;
static uint32_t page[1024];

/* One in `branches` is a branch, mostly to somewhere near. */
static uint32_t random_insn(struct prng *p, uint64_t features, unsigned branches)
{
    for (;;) {
        unsigned row = 1 + prng_below(p, a64_row_n - 1);
        const struct a64_row *r = &a64_rows[row];
        uint32_t w = r->value | ((uint32_t)prng_u64(p) & ~r->mask);
        if (!prng_below(p, branches)) {
            uint32_t near = (uint32_t)prng_below(p, 24) - 16;
            switch (prng_below(p, 3)) {
            case 0: w = 0x54000000 | (near & 0x7ffff) << 5 | (uint32_t)prng_below(p, 16); break;
            case 1: w = 0xb4000000 | (near & 0x7ffff) << 5 | (uint32_t)prng_below(p, 32); break;
            default: w = 0x36000000 | (near & 0x3fff) << 5 | (uint32_t)prng_below(p, 32); break;
            }
            return w;
        }
        if (a64_decode_for(features, w) == row &&
            (r->group != A64_GROUP_BRANCH || !prng_below(p, 8))) {
            return w;
        }
    }
}

static bool verify(uint64_t seed, uint64_t n, const char *what)
{
    struct strbuf why = { 0 };
    bool ok = ir_verify(&ir, &a64_ir_names, &why);

    if (!ok) {
        ir_print(&ir, &a64_ir_names, NULL, NULL, &why);
        fprintf(stderr, "%s %" PRIu64 " of seed %" PRIu64 ": %s", what, n, seed, why.text);
    }
    strbuf_free(&why);
    return ok;
}

static void test_random(uint64_t blocks, uint64_t seed)
{
    static const char *const models[] = { "max", "cortex-a72", "neoverse-n1" };
    unsigned regions = 0, bad = 0;
    struct prng p;

    prng_init(&p, seed);
    for (uint64_t n = 0; n < blocks && bad < 5; n++) {
        bool is_region = n % 4 == 3;
        struct a64_block b = {
            .code = page, .first = prng_below(&p, 1000), .words = &words,
            .mode = prng_below(&p, A64_MODES), .model = a64_model_find(models[n % 3]),
            .host = n % 2 ? gen_host() : 0,
            .insn_max = is_region ? 400 : 1 + prng_below(&p, 40),
        };
        for (unsigned i = b.first > 40 ? b.first - 40 : 0; i < 1024 && i < b.first + 60; i++) {
            page[i] = random_insn(&p, b.model->features, is_region ? 6 : 20);
        }
        if (is_region) {
            if (a64_translate_region(&b, &ir)) {
                regions++;
                bad += !verify(seed, n, "region");
            }
        } else {
            a64_translate_block(&b, &ir);
            bad += !ir.full && !verify(seed, n, "block");
        }
    }
    CHECK(!bad && regions > blocks / 40, "%u regions", regions);
}

/* ---- each rule broken ---- */
static void begin(void)
{
    ir_begin(&ir);
    ir.pc = 0;
}

static void end(void)
{
    ir_emit(&ir, IR_EXIT, true, 0, 0, 0, 4);
    ir_finish(&ir);
}

static void expect(const char *what)
{
    struct strbuf why = { 0 };

    CHECK(!ir_verify(&ir, NULL, &why) && strstr(why.text, what), "'%s' instead of '%s'",
          why.text ? why.text : "fine", what);
    strbuf_free(&why);
}

/* x1 = x0 + x2 with flags; x3 = the carry */
static void sample(ir_ref *sum, ir_ref *cond)
{
    begin();
    *sum = ir_flagop(&ir, IR_ADDS, true, ir_get(&ir, 0), ir_get(&ir, 2));
    ir_put(&ir, 1, *sum);
    *cond = ir_cond(&ir, 2);
    ir_put(&ir, 3, *cond);
    end();
}

static void test_operands(void)
{
    ir_ref sum, cond;

    sample(&sum, &cond);
    CHECK(ir_verify(&ir, NULL, NULL));
    ir.op[sum].a = cond;
    expect("comes later");
    sample(&sum, &cond);
    ir.op[sum].b = 0;
    expect("missing");
    sample(&sum, &cond);
    ir.op[sum].c = ir.op[sum].a;
    expect("too many");
    sample(&sum, &cond);
    ir.op[ir.op[sum].a].op = IR_NOP;
    expect("removed");
    sample(&sum, &cond);
    ir.op[ir.op[sum].a].last = 1;
    expect("taken for dead");
    sample(&sum, &cond);
    ir.op[ir.op[sum].a].op = IR_VGET;
    ir.op[ir.op[sum].a].k = IR_VAR_VEC;
    expect("another kind");
    sample(&sum, &cond);
    ir.op[ir.op[sum].a].k = 40;
    expect("no such variable");
}

static void test_flags(void)
{
    ir_ref sum, cond, r;

    sample(&sum, &cond);
    ir.op[cond].f = 0;
    expect("not the current");
    sample(&sum, &cond);
    ir.op[sum].flast = cond - 1;
    expect("flags that are taken for dead");
    sample(&sum, &cond);
    ir.op[sum].op = IR_ADD;
    expect("not the current");
    /* Over a call that may change everything. */
    begin();
    r = ir_flagop(&ir, IR_SUBS, true, ir_get(&ir, 0), ir_get(&ir, 2));
    ir_emit(&ir, IR_CALLC, true, 0, 0, 0, 0);
    end();
    expect("not the current");
    CHECK(ir.op[ir.n - 1].f == r);
    begin();
    ir_flagop(&ir, IR_SUBS, true, ir_get(&ir, 0), ir_get(&ir, 2));
    ir_emit(&ir, IR_CALLC, true, 0, 0, 0, 0);
    ir.flags = 0;
    end();
    CHECK(ir_verify(&ir, NULL, NULL));
}

static void test_variables(void)
{
    unsigned first;

    /* The first PUT is dead, unless something may fault between. */
    for (unsigned faults = 0; faults < 2; faults++) {
        begin();
        ir_put(&ir, 1, ir_get(&ir, 2));
        first = ir.n - 1;
        if (faults) {
            ir_emit(&ir, IR_LOAD, true, ir_get(&ir, 3), 0, 0, 0);
        }
        ir_put(&ir, 1, ir_get(&ir, 4));
        end();
        CHECK(ir_verify(&ir, NULL, NULL) && ir.op[first].op == (faults ? IR_PUT : IR_NOP));
    }
    ir.op[first].op = IR_NOP;
    ir.op[first].x = IR_WAS_PUT;
    expect("whose last PUT was removed");
}

static void region(void)
{
    begin();
    ir_emit(&ir, IR_JUMP, true, 0, 0, 0, 1);
    ir_label(&ir, 1, true);
    ir_put(&ir, 1, ir_bin(&ir, IR_ADD, true, ir_get(&ir, 1), ir_get(&ir, 2)));
    ir_emit(&ir, IR_JUMPC, true, 0, 0, ir_get(&ir, 1), 1);
    end();
}

static void test_regions(void)
{
    unsigned last;

    region();
    CHECK(ir_verify(&ir, NULL, NULL));
    ir.op[1].k = 2;
    expect("a jump to nowhere");
    region();
    ir.op[1].op = IR_FENCE;
    expect("without a jump");
    region();
    last = ir.n - 1;
    ir.op[last].op = IR_FENCE;
    expect("out of the end");
    region();
    ir.op[last].op = IR_LABEL;
    ir.op[last].k = 1;
    ir.op[last - 1].op = IR_EXIT;
    ir.op[last - 1].c = ir.op[last - 1].x = 0;
    expect("a label twice");
    begin();
    ir_ref v = ir_get(&ir, 1);
    ir_emit(&ir, IR_JUMP, true, 0, 0, 0, 1);
    ir_label(&ir, 1, true);
    ir_put(&ir, 2, v);
    end();
    expect("other side of a label");
    begin();
    ir_emit(&ir, IR_EXIT, true, 0, 0, 0, 4);
    ir_emit(&ir, IR_FENCE, true, 0, 0, 0, 0);
    end();
    expect("nothing leads here");
}

int main(int argc, char **argv)
{
    uint64_t blocks = argc > 1 ? strtoull(argv[1], NULL, 0) : 8000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

    test_operands();
    test_flags();
    test_variables();
    test_regions();
    test_random(blocks, seed);
    return check_result();
}
