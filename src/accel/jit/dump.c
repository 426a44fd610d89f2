/* SPDX-License-Identifier: Apache-2.0 */
/* Translations as text in the log: -d in_asm, op (or op_opt) and out_asm. */
#include "accel/jit/hostdis.h"
#include "accel/jit/jit_int.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "isa/dis/dis.h"
#include "isa/ir/ir_print.h"
#include "isa/ir/ir_verify.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Words that follow a call are not code. */
static unsigned data_behind(const struct jit_cache *c, const uint8_t *target, const uint8_t *at)
{
    struct gen_access d;

    if (target == c->thunk[GEN_T_MEM] || target == c->thunk[GEN_T_MEM_V] ||
        target == c->thunk[GEN_T_MEM_RAW]) {
        memcpy(&d, at, sizeof(d));
        return sizeof(d) + (d.regs & GEN_AR_CONST ? 4 : 0);
    }
    return target == c->thunk[GEN_T_LINK] ? 12 : target == c->thunk[GEN_T_VSLOW] ? 8 : 0;
}

static const char *thunk_name(const struct jit_cache *c, const uint8_t *target)
{
    static const char *const name[GEN_T_COUNT] = {
        [GEN_T_MEM] = "mem", [GEN_T_MEM_V] = "mem_v", [GEN_T_CALL] = "call", [GEN_T_PURE] = "pure",
        [GEN_T_VCALL] = "vcall", [GEN_T_VSLOW] = "vslow", [GEN_T_LINK] = "link",
        [GEN_T_LOOKUP] = "lookup", [GEN_T_LEAVE] = "leave", [GEN_T_STALE] = "stale",
        [GEN_T_HOT] = "hot",
    };

    for (unsigned t = 0; t < GEN_T_COUNT; t++) {
        if (c->thunk[t] == target) {
            return name[t] ? name[t] : "thunk";
        }
    }
    return NULL;
}

struct guest {
    const struct a64_words *words;
    uint64_t page;
};

static void guest_insn(void *ctx, unsigned pc, struct strbuf *out)
{
    const struct guest *g = ctx;
    unsigned i = pc / 4 & 1023;
    uint32_t w = g->words->word[i];
    char text[160];

    if (!(g->words->used[i / 64] >> i % 64 & 1)) {
        strbuf_add(out, "0x%016" PRIx64 ":\n", g->page + pc);      /* not of the guest's */
        return;
    }

    dis_a64(w, g->page + pc, text, sizeof(text));
    strbuf_add(out, "0x%016" PRIx64 ":  %08x  %s\n", g->page + pc, w, text);
}

static void guest_code(struct guest *g, struct strbuf *out)
{
    for (unsigned i = 0; i < 1024; i++) {
        if (g->words->used[i / 64] >> i % 64 & 1) {
            guest_insn(g, i * 4, out);
        }
    }
}

static void host_lines(struct hostdis *d, const struct jit_cache *c, const uint8_t *from,
                       const uint8_t *to, struct strbuf *out)
{
    unsigned data = 0;

    while (from < to) {
        const uint8_t *pc = jit_run_view(c, from), *target;
        uint64_t t;
        char text[192];
        size_t n;
        const char *thunk;
        if (data) {
            uint32_t w;
            __builtin_memcpy(&w, from, 4);
            strbuf_add(out, "    %p:  .long %#x\n", (const void *)pc, w);
            from += 4;
            data -= 4;
            continue;
        }
        n = hostdis_one(d, from, to - from, (uintptr_t)pc, text, sizeof(text), &t);
        target = t ? (const uint8_t *)(uintptr_t)t - c->rx + c->rw : NULL;
        thunk = target ? thunk_name(c, target) : NULL;
        strbuf_add(out, "    %p:  %s%s%s\n", (const void *)pc, text, thunk ? "  ; " : "",
                   thunk ? thunk : "");
        from += n;
        data = target ? data_behind(c, target, from) : 0;
    }
}

static void host_code(struct hostdis *d, const struct jit_cache *c, const struct gen *g,
                      const struct gen_result *r, struct guest *guest, struct strbuf *out)
{
    const uint8_t *at = g->far.begin;

    for (unsigned i = 0; i < g->mark_n; i++) {
        const uint8_t *to = g->far.begin + g->mark[i].at;
        host_lines(d, c, at, to, out);
        if (g->mark[i].pc == GEN_MARK_STUBS) {
            strbuf_add(out, "  out of line:\n");
        } else if (g->mark[i].pc == GEN_MARK_DATA) {
            strbuf_add(out, "  constants: %u bytes\n", (unsigned)(r->stale - to));
            to = r->stale;
        } else {
            guest_insn(guest, g->mark[i].pc, out);
        }
        at = to;
    }
    host_lines(d, c, at, r->end, out);
}

#ifdef JIT_VERIFY
void jit_check(const struct ir *ir)
{
    struct strbuf why = { 0 };

    if (!ir_verify(ir, &a64_ir_names, &why)) {
        ir_print(ir, &a64_ir_names, NULL, NULL, &why);
        log_error("jit", "%s", why.text);
        assert(!"the intermediate representation is right");
    }
}
#endif

void jit_dump(const struct jit_cache *c, const struct ir *ir, const struct gen *g,
              const struct gen_result *r, const struct a64_block *b, uint64_t gpa, bool is_region)
{
    struct jit *jit = c->jit;
    struct guest guest = { b->words, b->va };
    struct strbuf out = { 0 };

    if (!log_on(LOG_IN_ASM) && !log_on(LOG_OP) && !log_on(LOG_OP_OPT) && !log_on(LOG_OUT_ASM)) {
        return;
    }
    strbuf_add(&out, "---- %s %" PRIu64 ": 0x%016" PRIx64 ", physical %#" PRIx64 ", mode %#x, "
               "%u instructions, %u bytes\n", is_region ? "region" : "block", jit->made,
               b->va + b->first * 4, gpa, b->mode, b->insn_n, (unsigned)(r->end - r->entry));
    if (log_on(LOG_IN_ASM)) {
        strbuf_add(&out, "IN:\n");
        guest_code(&guest, &out);
    }
    if (log_on(LOG_OP) || log_on(LOG_OP_OPT)) {
        strbuf_add(&out, "OP:\n");
        ir_print(ir, &a64_ir_names, guest_insn, &guest, &out);
    }
    if (log_on(LOG_OUT_ASM)) {
        strbuf_add(&out, "OUT:\n");
        if (!jit->dis) {
            jit->dis = hostdis_new();
        }
        if (jit->dis) {
            host_code(jit->dis, c, g, r, &guest, &out);
        }
    }
    log_text("%s\n", out.text);
    strbuf_free(&out);
}
