/* SPDX-License-Identifier: Apache-2.0 */
/* -d in_asm, op, out_asm: what a person who looks for a wrong translation wants to find there. */
#include "accel/jit/jit.h"
#include "base/log.h"

#include "../check.h"
#include "../isa/flat.h"

#include <string.h>
#include <unistd.h>

/* x0 = the sum of 1 … x1, but for what is not needed. */
static const uint32_t program[] = {
    0xd2800000,         /* mov x0, #0 */
    0x8b010000,         /* l: add x0, x0, x1 */
    0xf1000421,         /* subs x1, x1, #1 */
    0x54ffffc1,         /* b.ne l */
    0xf9400c43,         /* ldr x3, [x2, #24] */
    0xd503207f,         /* wfi */
};

static void stop_wait(void *ctx, bool is_wfi)
{
    ((struct flat *)ctx)->cpu.poll = 4;
}

static char *dump(const char *items, const struct jit_options *o)
{
    char path[] = "/tmp/pando-dump.XXXXXX";
    struct flat *f = flat_new("max");
    struct jit *jit = jit_new(o, NULL);
    const uint64_t at = FLAT_RAM + 0x10100;
    char *text = calloc(1, 1 << 20);
    int fd = mkstemp(path);

    close(fd);
    CHECK(log_file_set(path, false, NULL) && log_items_set(items, NULL, NULL));
    f->cpu.bus.wait_for_event = stop_wait;
    memcpy(flat_word(f, at), program, sizeof(program));
    f->cpu.pc = at;
    f->cpu.el = 1;
    f->cpu.x[1] = 100000;
    f->cpu.x[2] = FLAT_RAM;
    jit_run(jit, &f->cpu);
    CHECK(f->cpu.x[0] == UINT64_C(5000050000));
    jit_cpu_free(&f->cpu);
    jit_free(jit);
    flat_free(f);
    log_items_set("none", NULL, NULL);
    log_file_set(NULL, false, NULL);
    FILE *in = fopen(path, "r");
    CHECK(in && fread(text, 1, (1 << 20) - 1, in));
    fclose(in);
    unlink(path);
    return text;
}

#define HAS(text, what) CHECK(strstr(text, what), "no '%s' in:\n%s", what, text)
#define HAS_NOT(text, what) CHECK(!strstr(text, what), "'%s' in:\n%s", what, text)

static void test_each(void)
{
    const struct jit_options o = { .hot_runs = JIT_NEVER_HOT };
    char *text = dump("in_asm", &o);

    HAS(text, "---- block 1: 0x0000000040010100, physical 0x40010100");
    HAS(text, "0x0000000040010104:  8b010000  add x0, x0, x1\n");
    HAS(text, "0x000000004001010c:  54ffffc1  b.ne #0x40010104\n");
    HAS(text, "---- block 2: 0x0000000040010104");
    HAS_NOT(text, "OP:");
    HAS_NOT(text, "OUT:");
    HAS_NOT(text, "region");
    free(text);
    text = dump("op", &o);
    HAS_NOT(text, "IN:");
    HAS(text, "f1000421  subs x1, x1, #1\n");
    HAS(text, "subs %");
    HAS(text, "in x1\n");
    HAS(text, "cond ne  flags=%");
    HAS(text, "exitc .104 backwards if %");
    HAS(text, "load [%");
    HAS(text, " + 0x18] 8 bytes");
    HAS(text, "callc interpret_and_leave");
    free(text);
    text = dump("out_asm", &o);
    HAS_NOT(text, "OP:");
    HAS(text, "subs x1, x1, #1\n    0x");
    HAS(text, "out of line:");
    /* Without Capstone there are bytes. */
    CHECK((strstr(text, ":  call 0x") && strstr(text, "; link\n    0x") &&
           strstr(text, ":  .long 0x104\n")) || strstr(text, ":  0f 1f 44 00 00"), "%s", text);
    free(text);
}

static void test_region(void)
{
    const struct jit_options o = { .hot_runs = 100, .regions_sync = true };
    char *text = dump("op", &o);
    const char *region = strstr(text, "---- region ");

    HAS_NOT(text, ".inst");
    CHECK(region && strstr(region, "label L") && strstr(region, "jumpc L"), "%s", text);
    free(text);
    /* Numbers count both kinds, and so does the limit. */
    text = dump("in_asm", &(struct jit_options){ .hot_runs = 100, .regions_sync = true,
                                                 .regions_max = 2 });
    HAS(text, "---- block 2:");
    HAS_NOT(text, " 3:");
    free(text);
}

int main(void)
{
    struct jit *jit = jit_new(NULL, NULL);

    if (!jit) {
        return 77;              /* skipped: the host cannot */
    }
    jit_free(jit);
    test_each();
    test_region();
    return check_result();
}
