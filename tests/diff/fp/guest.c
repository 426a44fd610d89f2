/* SPDX-License-Identifier: Apache-2.0 */
/* Runs under qemu-aarch64: answers each fp_question on standard input with what the real
 * instruction gives. */
#include <stdio.h>
#include <stdlib.h>

#include "record.h"

#define DEFINE(name, text, read_result) \
    static uint64_t do_##name(const uint64_t *v, uint64_t fpcr, uint64_t *fpsr) \
    { \
        uint64_t r, s; \
        __asm__ volatile("msr fpcr, %3\n msr fpsr, xzr\n" \
                         "ldr d1, [%2]\n ldr d2, [%2, #8]\n ldr d3, [%2, #16]\n" \
                         "ldr x1, [%2]\n" text "\n" read_result \
                         "mov %0, x0\n mrs %1, fpsr\n msr fpcr, xzr\n" \
                         : "=&r"(r), "=&r"(s) : "r"(v), "r"(fpcr) \
                         : "x0", "x1", "x2", "v0", "v1", "v2", "v3", "cc", "memory"); \
        *fpsr = s; \
        return r; \
    }
#define OPF(name, in, text, expr) DEFINE(name, text, "fmov x0, d0\n")
#define OPI(name, in, text, expr) DEFINE(name, text, "")
#include "ops.h"
#undef OPF
#undef OPI

typedef uint64_t op_fn(const uint64_t *v, uint64_t fpcr, uint64_t *fpsr);
static op_fn *const ops[] = {
#define OPF(name, in, text, expr) do_##name,
#define OPI(name, in, text, expr) do_##name,
#include "ops.h"
};

int main(void)
{
    struct fp_question q;

    while (fread(&q, sizeof(q), 1, stdin) == 1) {
        if (q.op >= sizeof(ops) / sizeof(ops[0])) {
            return 1;
        }
        struct fp_answer a;
        a.value = ops[q.op](&q.a, q.fpcr, &a.fpsr);
        fwrite(&a, sizeof(a), 1, stdout);
    }
    return 0;
}
