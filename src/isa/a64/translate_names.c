/* SPDX-License-Identifier: Apache-2.0 */
/* What translate*.c puts into the IR as numbers, by name. */
#include "isa/a64/translate.h"

#include "base/strbuf.h"
#include "isa/a64/cpu.h"
#include "isa/a64/vecops.h"
#include "isa/emit_x64/gen.h"
#include "isa/ir/ir_print.h"

#include <stddef.h>

static const char *vop(unsigned v)
{
    return v < VOP_COUNT ? vop_rows[v].name : NULL;
}

static const char *helper(unsigned h)
{
    static const char *const name[A64_H_COUNT] = {
        [A64_H_INTERP] = "interpret", [A64_H_INTERP_END] = "interpret_and_leave",
        [A64_H_SYSREG_READ] = "sysreg_read", [A64_H_SYSREG_WRITE] = "sysreg_write",
        [A64_H_SYS_OP] = "sys_op", [A64_H_PSTATE_WRITE] = "pstate_write",
        [A64_H_RAISE] = "raise", [A64_H_ERET] = "eret", [A64_H_PAUTH] = "pauth",
        [A64_H_DSB] = "dsb", [A64_H_DC_ZVA] = "dc_zva", [A64_H_UNMASKED] = "unmasked",
    };

    return h < A64_H_COUNT ? name[h] : NULL;
}

static const char *env(int32_t offset)
{
    static const struct { int32_t offset; const char *name; } field[] = {
#define FIELD(f) { offsetof(struct a64_cpu, f), #f }
        FIELD(btype), FIELD(daif), FIELD(ex_addr), FIELD(ex_val), FIELD(ex_size_log2),
        FIELD(fpcr), FIELD(fpsr), FIELD(tpidr_el0), FIELD(tpidrro_el0), FIELD(tpidr_el1),
        FIELD(sp_el), FIELD(elr_el1), FIELD(spsr_el1), FIELD(esr_el1), FIELD(far_el1),
        FIELD(ttbr0_el1), FIELD(ttbr1_el1), FIELD(sctlr_el1), FIELD(vbar_el1), FIELD(pan),
#undef FIELD
    };

    for (unsigned i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
        if (field[i].offset == offset) {
            return field[i].name;
        }
    }
    return NULL;
}

static void access(uint64_t k2, struct strbuf *out)
{
    static const char *const extend[4] = { "", " sx32", " sx64", " ?" };
    static const struct { uint32_t bit; const char *name; } flag[] = {
        { GEN_MI_PAIR, "pair" }, { GEN_MI_UNPRIV, "unprivileged" }, { GEN_MI_ORDERED, "aligned" },
        { GEN_MI_SP, "sp" }, { GEN_MI_STXR, "exclusive" }, { GEN_MI_ACQUIRE, "acquire" },
        { GEN_MI_RELEASE, "release" },
    };
    uint32_t info = k2;

    strbuf_add(out, " %u bytes%s", 1u << GEN_MI_SIZE(info), extend[GEN_MI_EXT(info)]);
    for (unsigned i = 0; i < sizeof(flag) / sizeof(flag[0]); i++) {
        if (info & flag[i].bit) {
            strbuf_add(out, " %s", flag[i].name);
        }
    }
}

const struct ir_names a64_ir_names = {
    .vop = vop, .helper = helper, .env = env, .access = access,
};
