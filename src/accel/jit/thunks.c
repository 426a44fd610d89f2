/* SPDX-License-Identifier: Apache-2.0 */
/* The routines between generated code and C.  See emit_x64/gen.h for the registers.
 *
 * In a block RSP is a multiple of 16.  Guest registers that live in host registers are stored to
 * struct a64_cpu before C runs and loaded after it. */
#include "accel/jit/jit_int.h"

#include "base/base.h"
#include "isa/a64/cpu.h"
#include "isa/a64/tlb.h"
#include "isa/a64/vecops.h"

#include <stddef.h>

static const uint8_t pinned_vars[] = { 0, 1, 2, 3, 4, 19, 20, 31 };

static bool is_callee_saved(int r)
{
    return r == RBX || r >= R12;
}

static struct x64_mem at(int32_t off)
{
    return x64_at(RBP, off - GEN_BIAS);
}

/* The first argument of a C function: struct a64_cpu. */
static void cpu_arg(struct x64 *a)
{
    x64_lea(a, true, RDI, at(0));
}

static void pinned(struct x64 *a, const struct jit *jit, bool store)
{
    for (unsigned i = 0; i < sizeof(pinned_vars); i++) {
        int r = gen_pinned(pinned_vars[i]);
        struct x64_mem m = at(jit->guest.var[pinned_vars[i]]);
        if (store) {
            x64_store(a, true, m, r);
        } else {
            x64_load(a, true, r, m);
        }
    }
}

static void load_tlb(struct x64 *a)
{
    x64_load(a, true, R15, at(offsetof(struct a64_cpu, tlb)));
    x64_load(a, true, R15, x64_at(R15, offsetof(struct a64_tlb, cur)));
}

static void call_c(struct x64 *a, const void *fn)
{
    x64_mov_ri(a, RAX, (uintptr_t)fn);
    x64_rr(a, 0xff, 2, RAX);
}

static void sp_add(struct x64 *a, int32_t k)
{
    x64_alu_ri(a, ALU_ADD, true, RSP, k);
}

static void enter(struct x64 *a, struct jit_cache *c)
{
    static const int saved[] = { RBX, RBP, R12, R13, R14, R15 };

    /* int enter(struct a64_cpu *cpu, const uint8_t *code) */
    c->enter = jit_run_view(c, a->p);
    for (unsigned i = 0; i < 6; i++) {
        x64_push(a, saved[i]);
    }
    sp_add(a, -(GEN_FRAME + 8));
    x64_lea(a, true, RBP, x64_at(RDI, GEN_BIAS));
    x64_mov_rr(a, true, RAX, RSI);
    pinned(a, c->jit, false);
    load_tlb(a);
    x64_rr(a, 0xff, 4, RAX);

    c->thunk[GEN_T_LEAVE] = a->p;
    pinned(a, c->jit, true);
    c->leave = jit_run_view(c, a->p);
    sp_add(a, GEN_FRAME + 8);
    for (unsigned i = 6; i-- > 0;) {
        x64_pop(a, saved[i]);
    }
    x64_b(a, 0xc3);
}

/* To where `fn` says; returns the address behind the saving of registers. */
static const uint8_t *go_on(struct x64 *a, struct jit_cache *c,
                            const uint8_t *(*fn)(struct a64_cpu *cpu))
{
    const uint8_t *resume;

    pinned(a, c->jit, true);
    resume = a->p;
    cpu_arg(a);
    call_c(a, fn);
    pinned(a, c->jit, false);
    load_tlb(a);
    x64_rr(a, 0xff, 4, RAX);
    return resume;
}

/* Returns the address of "go on wherever cpu->pc is now", with nothing in registers. */
static const uint8_t *lookup(struct x64 *a, struct jit_cache *c)
{
    c->thunk[GEN_T_STALE] = a->p;
    x64_alu_rm(a, ALU_ADD, true, RAX, at(offsetof(struct a64_cpu, jit_page_last)));
    x64_alu_ri(a, ALU_SUB, true, RAX, 0xfff);
    x64_store(a, true, at(offsetof(struct a64_cpu, pc)), RAX);
    go_on(a, c, jit_stale);
    c->thunk[GEN_T_LOOKUP] = a->p;
    return go_on(a, c, jit_next);
}

static void link_exit(struct x64 *a, struct jit_cache *c)
{
    c->thunk[GEN_T_LINK] = a->p;
    pinned(a, c->jit, true);
    x64_pop(a, RSI);
    cpu_arg(a);
    call_c(a, jit_link);
    pinned(a, c->jit, false);
    load_tlb(a);
    x64_rr(a, 0xff, 4, RAX);
}

static void hot(struct x64 *a, struct jit_cache *c)
{
    c->thunk[GEN_T_HOT] = a->p;
    pinned(a, c->jit, true);
    cpu_arg(a);
    x64_mov_rr(a, false, RSI, RAX);
    call_c(a, jit_hot);
    pinned(a, c->jit, false);
    load_tlb(a);
    x64_rr(a, 0xff, 4, RAX);
}

/* Around a call of C that looks at no guest register: what it may change, in `at`. */
static void keep(struct x64 *a, int32_t off, bool store)
{
    for (unsigned i = 0; i < sizeof(pinned_vars); i++) {
        int r = gen_pinned(pinned_vars[i]);
        if (is_callee_saved(r)) {
            continue;
        }
        if (store) {
            x64_store(a, true, x64_at(RSP, off), r);
        } else {
            x64_load(a, true, r, x64_at(RSP, off));
        }
        off += 8;
    }
}

enum { KEEP_BYTES = 4 * 8 };

/* A slow access: all general registers to a struct jit_frame for C to look at, and back.  `raw`:
 * from a region, which stores and loads its variables itself. */
static void mem(struct x64 *a, struct jit_cache *c, const uint8_t *resume, bool vec, bool raw)
{
    static const int saved[] = { RCX, RDX, RBX, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, RAX };
    int32_t low = vec ? 14 * 16 : 0, frame = low + offsetof(struct jit_frame, behind);
    uint8_t *out;

    c->thunk[raw ? GEN_T_MEM_RAW : vec ? GEN_T_MEM_V : GEN_T_MEM] = a->p;
    sp_add(a, -frame);
    for (unsigned i = 0; i < ARRAY_LEN(saved); i++) {
        x64_store(a, true, x64_at(RSP, low + saved[i] * 8), saved[i]);
    }
    for (unsigned i = 0; vec && i < 14; i++) {
        x64_vm(a, 0x11 | OP_0F, i, 0, x64_at(RSP, i * 16));
    }
    if (!raw) {
        pinned(a, c->jit, true);
    }
    cpu_arg(a);
    x64_lea(a, true, RSI, x64_at(RSP, low));
    call_c(a, jit_helper_mem);
    x64_rr(a, 0x84, RAX, RAX);                          /* test al, al */
    out = x64_jcc(a, CC_NE);
    load_tlb(a);
    for (unsigned i = 0; i < ARRAY_LEN(saved); i++) {
        x64_load(a, true, saved[i], x64_at(RSP, low + saved[i] * 8));
    }
    for (unsigned i = 0; vec && i < 14; i++) {
        x64_vm(a, 0x10 | OP_0F, i, 0, x64_at(RSP, i * 16));
    }
    /* Not by RET: C has changed where to, which the processor's stack of returns does not know. */
    sp_add(a, frame + 8);
    x64_rm(a, 0xff, 4, x64_at(RSP, -8));
    x64_patch(out, a->p);
    sp_add(a, frame + 8);
    x64_jmp_to(a, resume);
}

static void call(struct x64 *a, struct jit_cache *c, const uint8_t *resume, bool raw)
{
    uint8_t *out;

    c->thunk[raw ? GEN_T_CALL_RAW : GEN_T_CALL] = a->p;
    sp_add(a, -8);
    if (!raw) {
        pinned(a, c->jit, true);
    }
    cpu_arg(a);
    x64_mov_rr(a, false, RSI, RAX);
    call_c(a, jit_helper_call);
    x64_rr(a, 0x84, RAX, RAX);
    out = x64_jcc(a, CC_NE);
    if (!raw) {
        pinned(a, c->jit, false);
    }
    load_tlb(a);
    sp_add(a, 8);
    x64_b(a, 0xc3);
    x64_patch(out, a->p);
    sp_add(a, 16);
    x64_jmp_to(a, resume);
}

static void end(struct x64 *a, struct jit_cache *c)
{
    c->thunk[GEN_T_END] = a->p;
    pinned(a, c->jit, true);
    c->thunk[GEN_T_END_RAW] = a->p;
    cpu_arg(a);
    x64_mov_rr(a, false, RSI, RAX);
    call_c(a, jit_helper_end);
    pinned(a, c->jit, false);
    load_tlb(a);
    x64_rr(a, 0xff, 4, RAX);
}

static void pure(struct x64 *a, struct jit_cache *c)
{
    c->thunk[GEN_T_PURE] = a->p;
    sp_add(a, -(8 + KEEP_BYTES));
    keep(a, 0, true);
    cpu_arg(a);
    x64_mov_rr(a, false, RSI, RAX);
    call_c(a, jit_helper_pure);
    keep(a, 0, false);
    sp_add(a, 8 + KEEP_BYTES);
    x64_b(a, 0xc3);
}

/* vop_fn(cpu, arg, d, a, b, c) from EAX = primitive, RDX = &d, RCX = &a, RSI = &b, RDI = &c. */
static void vcall(struct x64 *a, struct jit_cache *c)
{
    c->thunk[GEN_T_VCALL] = a->p;
    sp_add(a, -(8 + KEEP_BYTES));
    keep(a, 0, true);
    x64_mov_rr(a, true, R8, RSI);
    x64_mov_rr(a, true, R9, RDI);
    cpu_arg(a);
    x64_load(a, false, RSI, at(c->jit->guest.scratch + 24));
    x64_rr(a, 0x6b, RAX, RAX);                          /* imul: a row of the table */
    x64_b(a, sizeof(struct vop_row));
    x64_mov_ri(a, R11, (uintptr_t)vop_rows + offsetof(struct vop_row, fn));
    x64_rm(a, 0xff, 2, x64_idx(R11, RAX, 0, 0));
    keep(a, 0, false);
    sp_add(a, 8 + KEEP_BYTES);
    x64_b(a, 0xc3);
}

static const int caller_saved[] = { RCX, RDX, RSI, RDI };

/* All registers but RAX to or from a frame at [RSP]. */
static void keep_all(struct x64 *a, bool store)
{
    for (unsigned i = 0; i < 4; i++) {
        struct x64_mem m = x64_at(RSP, 256 + i * 8);
        if (store) {
            x64_store(a, true, m, caller_saved[i]);
        } else {
            x64_load(a, true, caller_saved[i], m);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        x64_vm(a, (store ? 0x29 : 0x28) | OP_0F, i, 0, x64_at(RSP, i * 16));
    }
    keep(a, 288, store);
}

static void pauth(struct x64 *a, struct jit_cache *c)
{
    int32_t frame = 40 + 16 * 16 + KEEP_BYTES;

    c->thunk[GEN_T_PAUTH] = a->p;
    sp_add(a, -frame);
    keep_all(a, true);
    x64_store(a, true, at(c->jit->guest.scratch), RAX);
    cpu_arg(a);
    call_c(a, jit_helper_pure);
    keep_all(a, false);
    x64_load(a, true, RAX, at(c->jit->guest.scratch));
    sp_add(a, frame);
    x64_b(a, 0xc3);
}

/* A primitive whose operands and result are in vector registers, which the two words after the
 * call tell: emit_x64/gen_fp.c.  All other registers survive but RAX. */
static void vslow(struct x64 *a, struct jit_cache *c)
{
    int32_t frame = 40 + 16 * 16 + KEEP_BYTES;

    c->thunk[GEN_T_VSLOW] = a->p;
    sp_add(a, -frame);
    keep_all(a, true);
    cpu_arg(a);
    x64_load(a, true, RSI, x64_at(RSP, frame));
    x64_mov_rr(a, true, RDX, RSP);
    call_c(a, jit_helper_vslow);
    keep_all(a, false);
    x64_load(a, true, RAX, x64_at(RSP, 15 * 16));
    sp_add(a, frame);
    x64_alu_mi(a, ALU_ADD, true, x64_at(RSP, 0), 8);
    x64_b(a, 0xc3);
}

void jit_thunks_make(struct jit_cache *c)
{
    struct x64 a = { c->rw, c->rw + c->size };
    const uint8_t *resume;

    enter(&a, c);
    resume = lookup(&a, c);
    link_exit(&a, c);
    hot(&a, c);
    mem(&a, c, resume, false, false);
    mem(&a, c, resume, true, false);
    mem(&a, c, resume, true, true);
    call(&a, c, resume, false);
    call(&a, c, resume, true);
    end(&a, c);
    pure(&a, c);
    pauth(&a, c);
    vcall(&a, c);
    vslow(&a, c);
    c->used = a.p - c->rw;
}
