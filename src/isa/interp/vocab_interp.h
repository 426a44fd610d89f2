/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of isa/a64/vocab.h for the interpreter: a val is a number, and every function
 * computes at once.  What cannot go on (an exception was taken, the machine is going down)
 * leaves by leave(), a jump to the run loop: rule 1 of the bodies makes that precise. */
#pragma once
#include "isa/a64/cpu.h"
#include "isa/a64/exception.h"
#include "isa/a64/hostmem.h"
#include "isa/a64/mem.h"
#include "isa/a64/mmu.h"
#include "isa/a64/model.h"
#include "isa/a64/pauth.h"
#include "isa/a64/sysreg.h"
#include "isa/a64/tlb.h"
#include "isa/a64/vecops.h"

struct env {
    struct a64_cpu *cpu;
    uint64_t next;                  /* pc after this instruction */
    bool btype_set;                 /* the instruction was an indirect branch: BTYPE is new */
    bool again;                     /* look at everything again before the next one */
    unsigned rt;                    /* field rt of the instruction (trap syndromes) */
    int64_t left;                   /* instructions still to do */
    const uint32_t *code;           /* host address of the page that pc is in */
    void *jb[5];
};

typedef struct env env;
typedef struct { uint64_t v; } val;
typedef struct { union a64_vreg v; } vec;

#include "isa/a64/vocab.h"

static inline val V(uint64_t v)
{
    return (val){ v };
}

static inline uint64_t low(bool sf, uint64_t v)
{
    return sf ? v : (uint32_t)v;
}

__attribute__((noreturn, noinline, cold)) static void leave(env *e)
{
    __builtin_longjmp(e->jb, 1);
}

static inline bool feature(env *e, enum a64_feat f)
{
    return a64_model_has(e->cpu->model, f);
}

/* ---- integer registers and constants ---- */

static inline val imm(env *e, uint64_t k) { return V(k); }
static inline val pc_rel(env *e, int64_t off) { return V(e->cpu->pc + off); }
static inline val rd(env *e, unsigned r) { return V(r == 31 ? 0 : e->cpu->x[r]); }
static inline val rd_sp(env *e, unsigned r) { return V(r == 31 ? e->cpu->sp : e->cpu->x[r]); }

static inline void wr(env *e, unsigned r, val v)
{
    if (r != 31) {
        e->cpu->x[r] = v.v;
    }
}

static inline void wr_sp(env *e, unsigned r, val v)
{
    *(r == 31 ? &e->cpu->sp : &e->cpu->x[r]) = v.v;
}

static inline val rd_base(env *e, unsigned r)
{
    if (r == 31 && !a64_sp_check(e->cpu)) {
        leave(e);
    }
    return rd_sp(e, r);
}

/* ---- arithmetic and logic ---- */

static inline val add(env *e, bool sf, val a, val b) { return V(low(sf, a.v + b.v)); }
static inline val sub(env *e, bool sf, val a, val b) { return V(low(sf, a.v - b.v)); }
static inline val mul(env *e, bool sf, val a, val b) { return V(low(sf, a.v * b.v)); }
static inline val and_(env *e, bool sf, val a, val b) { return V(low(sf, a.v & b.v)); }
static inline val or_(env *e, bool sf, val a, val b) { return V(low(sf, a.v | b.v)); }
static inline val xor_(env *e, bool sf, val a, val b) { return V(low(sf, a.v ^ b.v)); }
static inline val not_(env *e, bool sf, val a) { return V(low(sf, ~a.v)); }

static inline val smulh(env *e, val a, val b)
{
    return V((uint64_t)((__int128)(int64_t)a.v * (int64_t)b.v >> 64));
}

static inline val umulh(env *e, val a, val b)
{
    return V((uint64_t)((unsigned __int128)a.v * b.v >> 64));
}

static inline val sdiv(env *e, bool sf, val a, val b)
{
    int64_t n = sf ? (int64_t)a.v : (int32_t)a.v, d = sf ? (int64_t)b.v : (int32_t)b.v;

    if (d == 0) {
        return V(0);
    }
    return V(low(sf, d == -1 ? -(uint64_t)n : (uint64_t)(n / d)));
}

static inline val udiv(env *e, bool sf, val a, val b)
{
    uint64_t n = low(sf, a.v), d = low(sf, b.v);

    return V(d ? n / d : 0);
}

static inline val shl(env *e, bool sf, val a, val n)
{
    return V(sf ? a.v << (n.v & 63) : (uint32_t)a.v << (n.v & 31));
}

static inline val shr(env *e, bool sf, val a, val n)
{
    return V(sf ? a.v >> (n.v & 63) : (uint32_t)a.v >> (n.v & 31));
}

static inline val sar(env *e, bool sf, val a, val n)
{
    return V(sf ? (uint64_t)((int64_t)a.v >> (n.v & 63)) : (uint32_t)((int32_t)a.v >> (n.v & 31)));
}

static inline val ror(env *e, bool sf, val a, val n)
{
    if (sf) {
        unsigned k = n.v & 63;
        return V(a.v >> k | a.v << (-k & 63));
    }
    unsigned k = n.v & 31;
    return V((uint32_t)((uint32_t)a.v >> k | (uint32_t)a.v << (-k & 31)));
}

static inline val extr(env *e, bool sf, val hi, val lo, unsigned lsb)
{
    if (lsb == 0) {
        return V(low(sf, lo.v));
    }
    if (sf) {
        return V(lo.v >> lsb | hi.v << (64 - lsb));
    }
    return V((uint32_t)((uint32_t)lo.v >> lsb | (uint32_t)hi.v << (32 - lsb)));
}

static inline val ubfx(env *e, bool sf, val a, unsigned lsb, unsigned width)
{
    return V(low(sf, a.v) << (64 - lsb - width) >> (64 - width));
}

static inline val sbfx(env *e, bool sf, val a, unsigned lsb, unsigned width)
{
    int64_t v = (int64_t)(low(sf, a.v) << (64 - lsb - width)) >> (64 - width);

    return V(low(sf, (uint64_t)v));
}

static inline val bfi(env *e, bool sf, val into, val a, unsigned lsb, unsigned width)
{
    uint64_t m = ~UINT64_C(0) >> (64 - width) << lsb;

    return V(low(sf, (into.v & ~m) | (a.v << lsb & m)));
}

static inline val clz(env *e, bool sf, val a)
{
    uint64_t v = low(sf, a.v);

    return V(v ? __builtin_clzll(v) - (sf ? 0 : 32) : sf ? 64 : 32);
}

static inline val cls(env *e, bool sf, val a)
{
    int64_t v = sf ? (int64_t)a.v : (int32_t)a.v;

    return V(__builtin_clrsbll(v) - (sf ? 0 : 32));
}

static inline uint64_t rbit64(uint64_t v)
{
    v = (v >> 1 & UINT64_C(0x5555555555555555)) | (v & UINT64_C(0x5555555555555555)) << 1;
    v = (v >> 2 & UINT64_C(0x3333333333333333)) | (v & UINT64_C(0x3333333333333333)) << 2;
    v = (v >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4;
    return __builtin_bswap64(v);
}

static inline val rbit(env *e, bool sf, val a)
{
    return V(sf ? rbit64(a.v) : rbit64(a.v) >> 32);
}

static inline val rev(env *e, bool sf, unsigned container_bytes, val a)
{
    uint64_t v = a.v;

    switch (container_bytes) {
    case 2:
        v = (v >> 8 & UINT64_C(0x00ff00ff00ff00ff)) | (v & UINT64_C(0x00ff00ff00ff00ff)) << 8;
        break;
    case 4:
        v = __builtin_bswap32((uint32_t)v) | (uint64_t)__builtin_bswap32(v >> 32) << 32;
        break;
    default:
        v = __builtin_bswap64(v);
        break;
    }
    return V(low(sf, v));
}

static inline val crc32(env *e, bool castagnoli, unsigned bytes, val acc, val a)
{
    uint32_t c = (uint32_t)acc.v, poly = castagnoli ? 0x82f63b78 : 0xedb88320;

    for (unsigned i = 0; i < bytes; i++) {
        c ^= (uint8_t)(a.v >> 8 * i);
        for (unsigned k = 0; k < 8; k++) {
            c = c >> 1 ^ (c & 1 ? poly : 0);
        }
    }
    return V(c);
}

static inline val cmp(env *e, bool sf, enum cmp_op op, val a, val b)
{
    uint64_t x = low(sf, a.v), y = low(sf, b.v);
    int64_t sx = sf ? (int64_t)x : (int32_t)x, sy = sf ? (int64_t)y : (int32_t)y;

    switch (op) {
    case CMP_EQ: return V(x == y);
    case CMP_NE: return V(x != y);
    case CMP_LTU: return V(x < y);
    case CMP_GEU: return V(x >= y);
    case CMP_LTS: return V(sx < sy);
    default: return V(sx >= sy);
    }
}

static inline val sel(env *e, val c, val if_true, val if_false)
{
    return c.v ? if_true : if_false;
}

/* ---- flags: struct a64_cpu.nzcv_ has N 15, Z 14, C 8, V 0 ---- */

static inline void flags(env *e, bool n, bool z, bool c, bool v)
{
    e->cpu->nzcv_ = n << 15 | z << 14 | c << 8 | v;
}

static inline bool flag_c(env *e)
{
    return e->cpu->nzcv_ >> 8 & 1;
}

/* a + b + carry: AddWithCarry() of the manual. */
static inline val add_carry(env *e, bool sf, uint64_t a, uint64_t b, bool carry)
{
    if (sf) {
        uint64_t r;
        bool c = __builtin_add_overflow(a, b, &r);
        c |= __builtin_add_overflow(r, (uint64_t)carry, &r);
        flags(e, r >> 63, r == 0, c, ((a ^ r) & (b ^ r)) >> 63);
        return V(r);
    }
    uint64_t r = (uint64_t)(uint32_t)a + (uint32_t)b + carry;
    uint32_t r32 = (uint32_t)r;
    flags(e, r32 >> 31, r32 == 0, r >> 32, (((uint32_t)a ^ r32) & ((uint32_t)b ^ r32)) >> 31);
    return V(r32);
}

static inline val adds(env *e, bool sf, val a, val b)
{
    return add_carry(e, sf, a.v, b.v, 0);
}

static inline val subs(env *e, bool sf, val a, val b)
{
    return add_carry(e, sf, a.v, ~b.v, 1);
}

static inline val adcs(env *e, bool sf, val a, val b)
{
    return add_carry(e, sf, a.v, b.v, flag_c(e));
}

static inline val sbcs(env *e, bool sf, val a, val b)
{
    return add_carry(e, sf, a.v, ~b.v, flag_c(e));
}

static inline val adc(env *e, bool sf, val a, val b)
{
    return V(low(sf, a.v + b.v + flag_c(e)));
}

static inline val sbc(env *e, bool sf, val a, val b)
{
    return V(low(sf, a.v + ~b.v + flag_c(e)));
}

static inline void flags_logic(env *e, bool sf, val result)
{
    uint64_t r = low(sf, result.v);

    flags(e, r >> (sf ? 63 : 31), r == 0, 0, 0);
}

static inline bool cond_holds(env *e, unsigned cc)
{
    uint32_t f = e->cpu->nzcv_;
    bool n = f >> 15 & 1, z = f >> 14 & 1, c = f >> 8 & 1, v = f & 1, r;

    switch (cc >> 1) {
    case 0: r = z; break;
    case 1: r = c; break;
    case 2: r = n; break;
    case 3: r = v; break;
    case 4: r = c && !z; break;
    case 5: r = n == v; break;
    case 6: r = n == v && !z; break;
    default: return true;
    }
    return r ^ (cc & 1);
}

static inline val cond(env *e, unsigned cc)
{
    return V(cond_holds(e, cc));
}

static inline void ccmp(env *e, bool sf, unsigned cc, bool is_sub, val a, val b, unsigned nzcv)
{
    if (!cond_holds(e, cc)) {
        a64_nzcv_set(e->cpu, nzcv << 28);
    } else if (is_sub) {
        subs(e, sf, a, b);
    } else {
        adds(e, sf, a, b);
    }
}

static inline val nzcv_get(env *e) { return V(a64_nzcv_get(e->cpu)); }
static inline void nzcv_set(env *e, val v) { a64_nzcv_set(e->cpu, (uint32_t)v.v); }

/* ---- memory ---- */

static inline struct a64_tlb_set *mem_set(env *e, struct memop m)
{
    return m.unpriv && e->cpu->el && !e->cpu->uao ? a64_tlb_unpriv(e->cpu->tlb) :
                                                    e->cpu->tlb->cur;
}

/* The host address for the fast path: `bytes` within a page, aligned where it must be. */
static inline void *mem_find(env *e, struct memop m, uint64_t va, unsigned bytes,
                             enum a64_tlb_table t)
{
    if (m.ordered && (va & (bytes - 1))) {
        return NULL;
    }
    return a64_tlb_find(mem_set(e, m), va, bytes, t);
}

static inline void mem_acquired(struct memop m)
{
    if (m.acquire) {
        host_fence_acquired();
    }
}

static inline void mem_release(struct memop m)
{
    if (m.release) {
        host_fence_release();
    }
}

static inline void mem_released(struct memop m)
{
    if (m.release) {
        host_fence_released();
    }
}

static inline void mem_rmw_released(struct memop m)
{
    if (m.release) {
        host_fence_rmw_released();
    }
}

__attribute__((noinline)) static void load_slow(env *e, struct memop m, uint64_t va, uint64_t t[2])
{
    e->again = true;
    if (!a64_load(e->cpu, va, m, t)) {
        leave(e);
    }
}

__attribute__((noinline)) static void store_slow(env *e, struct memop m, uint64_t va,
                                                 const uint64_t t[2])
{
    e->again = true;
    if (!a64_store(e->cpu, va, m, t)) {
        leave(e);
    }
}

static inline val load(env *e, struct memop m, val addr)
{
    const void *p = mem_find(e, m, addr.v, 1u << m.size_log2, A64_TLB_READ);
    uint64_t t[2];

    if (__builtin_expect(!p, 0)) {
        load_slow(e, m, addr.v, t);
    } else {
        t[0] = 0;
        host_copy_in(t, p, 1u << m.size_log2);
    }
    mem_acquired(m);
    return V(a64_extend(m, t[0]));
}

static inline void store(env *e, struct memop m, val addr, val data)
{
    void *p = mem_find(e, m, addr.v, 1u << m.size_log2, A64_TLB_WRITE);
    uint64_t t[2] = { data.v, 0 };

    mem_release(m);
    if (__builtin_expect(!p, 0)) {
        store_slow(e, m, addr.v, t);
    } else {
        host_copy_out(p, t, 1u << m.size_log2);
    }
    mem_released(m);
}

static inline void load2(env *e, struct memop m, val addr, val *lo, val *hi)
{
    unsigned n = 1u << (m.size_log2 & 3);         /* (the compiler cannot know) */
    const char *p = mem_find(e, m, addr.v, 2 * n, A64_TLB_READ);
    uint64_t a[2] = { 0, 0 }, b[2] = { 0, 0 };

    if (__builtin_expect(!p, 0)) {
        e->again = true;
        if (!a64_load2(e->cpu, addr.v, m, a, b)) {
            leave(e);
        }
    } else {
        host_copy_in(a, p, n);
        host_copy_in(b, p + n, n);
    }
    *lo = V(a64_extend(m, a[0]));
    *hi = V(a64_extend(m, b[0]));
}

static inline void store2(env *e, struct memop m, val addr, val lo, val hi)
{
    unsigned n = 1u << (m.size_log2 & 3);         /* (the compiler cannot know) */
    char *p = mem_find(e, m, addr.v, 2 * n, A64_TLB_WRITE);
    uint64_t a[2] = { lo.v, 0 }, b[2] = { hi.v, 0 };

    if (__builtin_expect(!p, 0)) {
        e->again = true;
        if (!a64_store2(e->cpu, addr.v, m, a, b)) {
            leave(e);
        }
    } else {
        host_copy_out(p, a, n);
        host_copy_out(p + n, b, n);
    }
}

static inline vec vload(env *e, struct memop m, val addr)
{
    unsigned n = 1u << (m.size_log2 & 4 ? 4 : m.size_log2);     /* (the compiler cannot know) */
    const void *p = mem_find(e, m, addr.v, n, A64_TLB_READ);
    vec r = { .v.d = { 0, 0 } };

    if (__builtin_expect(!p, 0)) {
        load_slow(e, m, addr.v, r.v.d);
    } else {
        host_copy_in(&r, p, n);
    }
    mem_acquired(m);
    return r;
}

static inline void vstore(env *e, struct memop m, val addr, vec data)
{
    void *p = mem_find(e, m, addr.v, 1u << m.size_log2, A64_TLB_WRITE);

    mem_release(m);
    if (__builtin_expect(!p, 0)) {
        store_slow(e, m, addr.v, data.v.d);
    } else {
        host_copy_out(p, &data, 1u << m.size_log2);
    }
    mem_released(m);
}

static inline void vload2(env *e, struct memop m, val addr, vec *lo, vec *hi)
{
    unsigned n = 1u << (m.size_log2 & 4 ? 4 : m.size_log2);
    const char *p = mem_find(e, m, addr.v, 2 * n, A64_TLB_READ);

    *lo = *hi = (vec){ .v.d = { 0, 0 } };
    if (__builtin_expect(p != NULL, 1)) {
        host_copy_in(lo, p, n);
        host_copy_in(hi, p + n, n);
        return;
    }
    e->again = true;
    if (!a64_load2(e->cpu, addr.v, m, lo->v.d, hi->v.d)) {
        leave(e);
    }
}

static inline void vstore2(env *e, struct memop m, val addr, vec lo, vec hi)
{
    unsigned n = 1u << (m.size_log2 & 4 ? 4 : m.size_log2);
    char *p = mem_find(e, m, addr.v, 2 * n, A64_TLB_WRITE);

    if (__builtin_expect(p != NULL, 1)) {
        host_copy_out(p, &lo, n);
        host_copy_out(p + n, &hi, n);
        return;
    }
    e->again = true;
    if (!a64_store2(e->cpu, addr.v, m, lo.v.d, hi.v.d)) {
        leave(e);
    }
}

static inline val load_ex(env *e, struct memop m, val addr)
{
    uint64_t t[2];

    e->again = true;
    if (!a64_load_ex(e->cpu, addr.v, m, 1, t)) {
        leave(e);
    }
    mem_acquired(m);
    return V(t[0]);
}

static inline void load_ex2(env *e, struct memop m, val addr, val *lo, val *hi)
{
    uint64_t t[2];

    e->again = true;
    if (!a64_load_ex(e->cpu, addr.v, m, 2, t)) {
        leave(e);
    }
    mem_acquired(m);
    *lo = V(t[0]);
    *hi = V(t[1]);
}

static inline val store_ex2(env *e, struct memop m, val addr, val lo, val hi)
{
    uint64_t t[2] = { lo.v, hi.v }, status;

    e->again = true;
    if (!a64_store_ex(e->cpu, addr.v, m, 2, t, &status)) {
        leave(e);
    }
    mem_rmw_released(m);
    return V(status);
}

static inline val store_ex(env *e, struct memop m, val addr, val data)
{
    uint64_t t[2] = { data.v, 0 }, status;

    e->again = true;
    if (!a64_store_ex(e->cpu, addr.v, m, 1, t, &status)) {
        leave(e);
    }
    mem_rmw_released(m);
    return V(status);
}

static inline void clrex(env *e)
{
    e->cpu->ex_addr = ~UINT64_C(0);
}

static inline val atomic(env *e, enum atomic_op op, struct memop m, val addr, val data)
{
    uint64_t v = data.v;

    e->again = true;
    if (!a64_atomic(e->cpu, addr.v, op, m, &v)) {
        leave(e);
    }
    mem_rmw_released(m);
    return V(v);
}

static inline val cas(env *e, struct memop m, val addr, val expect, val data)
{
    uint64_t x[2] = { expect.v, 0 }, d[2] = { data.v, 0 }, old[2];

    e->again = true;
    if (!a64_cas(e->cpu, addr.v, m, 1, x, d, old)) {
        leave(e);
    }
    mem_rmw_released(m);
    return V(old[0]);
}

static inline void cas2(env *e, struct memop m, val addr, const val expect[2], const val data[2],
                        val old[2])
{
    uint64_t x[2] = { expect[0].v, expect[1].v }, d[2] = { data[0].v, data[1].v }, o[2];

    e->again = true;
    if (!a64_cas(e->cpu, addr.v, m, 2, x, d, o)) {
        leave(e);
    }
    mem_rmw_released(m);
    old[0] = V(o[0]);
    old[1] = V(o[1]);
}

static inline void dc_zva(env *e, val addr)
{
    e->again = true;
    if (!a64_dc_zva(e->cpu, addr.v)) {
        leave(e);
    }
}

static inline void barrier(env *e, enum barrier_kind k, unsigned crm)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (k == BAR_DSB) {
        a64_dsb(e->cpu);
    }
    e->again = true;
}

static inline void hint(env *e, unsigned imm7)
{
    switch (imm7) {
    case 2:
    case 3:
        /* Sets pc itself, before it waits. */
        a64_wait(e->cpu, imm7 == 3);
        e->next = e->cpu->pc;
        e->again = true;
        break;
    case 4:
        e->cpu->bus.send_event(e->cpu->bus.ctx);
        break;
    default:                        /* YIELD, SEVL (WFE never sleeps long), ESB, CSDB … */
        break;
    }
}

static inline void prefetch(env *e, val addr) { }

/* ---- control flow ---- */

static inline void goto_rel(env *e, int64_t off, enum jump_kind k)
{
    e->next = e->cpu->pc + off;
}

static inline void goto_rel_if(env *e, val c, int64_t off)
{
    if (c.v) {
        e->next = e->cpu->pc + off;
    }
}

static inline void goto_reg(env *e, val target, enum jump_kind k)
{
    e->next = a64_branch_address(e->cpu, target.v);
    e->again |= e->next & 3;
}

static inline void undefined(env *e)
{
    a64_undefined(e->cpu);
    leave(e);
}

static inline void raise(env *e, unsigned ec, uint32_t iss, unsigned ret_off)
{
    a64_exception(e->cpu, ec, iss, ret_off);
    leave(e);
}

/* For what sets pc itself. */
static inline void pc_is_set(env *e)
{
    e->next = e->cpu->pc;
    e->again = true;
}

static inline void exception_return(env *e, unsigned key)
{
    struct a64_cpu *c = e->cpu;

    if (c->el == 0) {
        undefined(e);
    }
    a64_exception_return(c, key ? a64_pauth(c, PAUTH_AUTIA + key - 1, c->elr_el1, c->sp) :
                                  c->elr_el1);
    pc_is_set(e);
}

static inline void firmware_call(env *e, bool is_smc, unsigned imm16)
{
    a64_firmware_call(e->cpu, is_smc, imm16);
    pc_is_set(e);
}

static inline void halting_breakpoint(env *e, unsigned imm16)
{
    a64_halting_breakpoint(e->cpu, imm16);
    pc_is_set(e);
}

/* ---- system ---- */

static inline val sysreg_read(env *e, uint32_t enc)
{
    uint64_t v;

    e->again = true;
    if (!a64_sysreg_read(e->cpu, enc, e->rt, &v)) {
        leave(e);
    }
    return V(v);
}

static inline void sysreg_write(env *e, uint32_t enc, val v)
{
    e->again = true;
    if (!a64_sysreg_write(e->cpu, enc, e->rt, v.v)) {
        leave(e);
    }
}

static inline void pstate_write(env *e, unsigned op1, unsigned op2, unsigned crm)
{
    e->again = true;
    if (!a64_pstate_write(e->cpu, op1, op2, crm)) {
        leave(e);
    }
}

static inline void sys_op(env *e, uint32_t enc, val v)
{
    e->again = true;
    if (!a64_sys_op(e->cpu, enc, e->rt, v.v)) {
        leave(e);
    }
}

static inline void set_btype(env *e, unsigned btype)
{
    if (feature(e, A64_FEAT_BTI)) {
        if (btype == 3 && !a64_tlb_guarded(e->cpu->tlb->cur, e->cpu->pc)) {
            btype = 1;
        }
        e->cpu->btype = btype;
        e->btype_set = e->again = true;
    }
}

static inline val pauth(env *e, unsigned op, val ptr, val modifier)
{
    return V(a64_pauth(e->cpu, op, ptr.v, modifier.v));
}

/* ---- SIMD & FP registers ---- */

static inline vec rd_v(env *e, unsigned r)
{
    return (vec){ e->cpu->v[r] };
}

static inline void wr_v(env *e, unsigned r, vec v)
{
    e->cpu->v[r] = v.v;
}

static inline void wr_v_low(env *e, unsigned bytes, unsigned r, vec v)
{
    union a64_vreg t = { .d = { 0, 0 } };

    memcpy(&t, &v.v, bytes);
    e->cpu->v[r] = t;
}

static inline vec v_from_val(env *e, val a)
{
    return (vec){ .v.d = { a.v, 0 } };
}

static inline bool v_fccmp(env *e, uint32_t arg, unsigned cc, vec n, vec m, unsigned nzcv)
{
    (void)e, (void)arg, (void)cc, (void)n, (void)m, (void)nzcv;
    return false;
}

static inline val v_to_val(env *e, unsigned bytes, unsigned lane, vec a)
{
    uint64_t t = 0;

    memcpy(&t, a.v.b + bytes * lane, bytes);
    return V(t);
}

static inline vec v_insert(env *e, unsigned bytes, unsigned lane, vec into, val a)
{
    memcpy(into.v.b + bytes * lane, &a.v, bytes);
    return into;
}

static inline vec v_dup(env *e, unsigned bytes, val a)
{
    vec r;

    for (unsigned i = 0; i < 16; i += bytes) {
        memcpy(r.v.b + i, &a.v, bytes);
    }
    return r;
}

static inline vec v_imm(env *e, uint64_t lo, uint64_t hi)
{
    return (vec){ .v.d = { lo, hi } };
}

static inline void fp_access_check(env *e)
{
    if (__builtin_expect((e->cpu->cpacr_el1 >> 20 & 3) != 3, 0) && !a64_fp_check(e->cpu)) {
        leave(e);
    }
}

#define VOP1(name, effect) \
    static inline vec v_##name(env *e, uint32_t arg, vec a) \
    { \
        vec d; \
        vop_##name(e->cpu, arg, &d.v, &a.v, NULL, NULL); \
        return d; \
    }
#define VOP2(name, effect) \
    static inline vec v_##name(env *e, uint32_t arg, vec a, vec b) \
    { \
        vec d; \
        vop_##name(e->cpu, arg, &d.v, &a.v, &b.v, NULL); \
        return d; \
    }
#define VOP3(name, effect) \
    static inline vec v_##name(env *e, uint32_t arg, vec a, vec b, vec c) \
    { \
        vec d; \
        vop_##name(e->cpu, arg, &d.v, &a.v, &b.v, &c.v); \
        return d; \
    }
#include "isa/a64/vecops.def"
