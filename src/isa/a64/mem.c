/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/a64/mem.h"

#include "base/base.h"
#include "isa/a64/debug.h"
#include "isa/a64/esr.h"
#include "isa/a64/exception.h"
#include "isa/a64/hostmem.h"
#include "isa/a64/mmu.h"
#include "isa/a64/model.h"
#include "isa/a64/sysbits.h"
#include "isa/a64/sysreg.h"
#include "isa/a64/tlb.h"

#include <assert.h>
#include <string.h>

/* ---- faults ---- */

static bool data_abort(struct a64_cpu *cpu, uint64_t va, unsigned fsc, uint32_t iss)
{
    a64_exception_far(cpu, cpu->el ? A64_EC_DABORT_SAME : A64_EC_DABORT_LOWER, iss | fsc, va);
    return false;
}

static bool is_el0(const struct a64_cpu *cpu, bool unpriv)
{
    return cpu->el == 0 || (unpriv && !cpu->uao);
}

static struct a64_tlb_set *set_for(struct a64_cpu *cpu, bool unpriv)
{
    return unpriv && cpu->el && !cpu->uao ? a64_tlb_unpriv(cpu->tlb) : cpu->tlb->cur;
}

/* ---- one page ----
 * An access to a part of one page.  While the callback of bus.ram_page runs, the right to the
 * page is held: there the data is moved, whether or not the TLB may keep the page. */

struct part {
    struct a64_cpu *cpu;
    uint64_t va;
    unsigned n;                     /* bytes, inside of one 4 KiB page */
    void *in;                       /* read into, or */
    const void *out;                /* write from, or */
    void *host;                     /* only find the address (valid to the next safepoint) */
    bool want_host;
    bool install;
    struct a64_tlb_fill fill;
};

static void part_do(struct part *p, void *host)
{
    if (p->in) {
        host_copy_in(p->in, host, p->n);
    } else if (p->out) {
        host_copy_out(host, p->out, p->n);
    }
    p->host = host;
}

static void part_install(void *arg, void *page)
{
    struct part *p = arg;

    if (p->install) {
        a64_tlb_install(p->cpu->tlb, &p->fill, page);
    }
    part_do(p, (char *)page + (p->va & 0xfff));
}

static bool part_mmio(struct part *p, uint64_t gpa, bool is_write)
{
    struct a64_cpu *cpu = p->cpu;
    struct a64_bus *bus = &cpu->bus;

    for (unsigned done = 0; done < p->n;) {
        unsigned left = p->n - done, n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        while ((gpa + done) & (n - 1)) {
            n /= 2;                 /* only naturally aligned accesses reach a device */
        }
        uint64_t v = 0;
        enum a64_bus_result r;
        if (is_write) {
            memcpy(&v, (const char *)p->out + done, n);
            r = bus->mmio_write(bus->ctx, gpa + done, n, v);
        } else {
            r = bus->mmio_read(bus->ctx, gpa + done, n, &v);
            memcpy((char *)p->in + done, &v, n);
        }
        if (r == A64_BUS_STOP) {
            return false;
        }
        if (r != A64_BUS_OK) {
            return data_abort(cpu, p->va, A64_FSC_EXTERNAL, is_write ? A64_ISS_WNR : 0);
        }
        done += n;
    }
    return true;
}

/* The bit WnR of an access that both reads and writes: 0 if a read alone had faulted. */
static uint32_t rmw_wnr(struct a64_cpu *cpu, uint64_t va, bool el0, unsigned fsc)
{
    struct a64_xlat x;
    struct a64_fault f;

    if ((fsc & 0x3c) != A64_FSC_PERMISSION) {
        return 0;
    }
    return a64_translate(cpu, va, A64_READ, el0, &x, &f) ? A64_ISS_WNR : 0;
}

enum { PART_UNALIGNED = 1, PART_UNPRIV = 2, PART_WRITE = 4, PART_RMW = 8, PART_PROBE = 16 };

static bool part_walk(struct part *p, unsigned flags)
{
    struct a64_cpu *cpu = p->cpu;
    bool is_write = flags & PART_WRITE, el0 = is_el0(cpu, flags & PART_UNPRIV);
    uint32_t wnr = is_write ? A64_ISS_WNR : 0;
    struct a64_xlat x;
    struct a64_fault f;
    bool is_ram = false;

    if (!a64_translate(cpu, p->va, is_write ? A64_WRITE : A64_READ, el0, &x, &f)) {
        if (f.walk_stop) {
            return false;
        }
        if (flags & PART_RMW) {
            wnr = rmw_wnr(cpu, p->va, el0, f.fsc);
        }
        return data_abort(cpu, p->va, f.fsc, wnr);
    }
    if (x.device && (flags & PART_UNALIGNED)) {
        return data_abort(cpu, p->va, A64_FSC_ALIGNMENT, wnr);
    }
    /* With alignment checking on, watchpoints, or Device memory every access comes here. */
    p->install = !(cpu->sctlr_el1 & SCTLR_A) && !x.device &&
                 !(cpu->watch_n && a64_watch_page(cpu, p->va));
    p->fill = (struct a64_tlb_fill){
        .va = p->va, .gpa = x.gpa, .size_log2 = x.size_log2, .global = x.global, .user = x.user,
        .unpriv = cpu->el && el0, .table = is_write ? A64_TLB_WRITE : A64_TLB_READ,
    };
    /* What may be written may be read.  What is read is often written next: if that is allowed
     * and the right is here, one walk does for both. */
    p->fill.both = x.writable;
    if (!is_write && x.writable && p->install && cpu->bus.ram_page_try &&
        cpu->bus.ram_page_try(cpu->bus.ctx, x.gpa & ~UINT64_C(0xfff), A64_WRITE, part_install,
                              p)) {
        return true;
    }
    p->fill.both = is_write;
    if (cpu->bus.ram_page(cpu->bus.ctx, x.gpa & ~UINT64_C(0xfff), is_write ? A64_WRITE : A64_READ,
                          part_install, p, &is_ram) == A64_BUS_STOP) {
        return false;
    }
    if (is_ram) {
        return true;
    }
    if (!(cpu->sctlr_el1 & SCTLR_A) && !(cpu->watch_n && a64_watch_page(cpu, p->va))) {
        p->fill.both = false;
        a64_tlb_install(cpu->tlb, &p->fill, NULL);
    }
    if (p->want_host) {             /* atomics on devices: IMPLEMENTATION DEFINED (B2.2.6) */
        return data_abort(cpu, p->va, A64_FSC_UNSUPPORTED_ATOMIC, wnr);
    }
    return (flags & PART_PROBE) || part_mmio(p, x.gpa, is_write);
}

static bool part_access(struct part *p, unsigned flags)
{
    struct a64_cpu *cpu = p->cpu;
    struct a64_tlb_set *set = set_for(cpu, flags & PART_UNPRIV);
    enum a64_tlb_table t = flags & PART_WRITE ? A64_TLB_WRITE : A64_TLB_READ;
    void *host = a64_tlb_find(set, p->va, p->n, t);
    uint64_t gpa;

    if (host) {
        part_do(p, host);
        return true;
    }
    /* An unaligned access needs the attributes again. */
    if (!p->want_host && !(flags & (PART_UNALIGNED | PART_PROBE)) &&
        a64_tlb_find_mmio(set, p->va, t, &gpa)) {
        return part_mmio(p, gpa, flags & PART_WRITE);
    }
    return part_walk(p, flags);
}

/* ---- accesses of any size and alignment ---- */

static bool alignment_check(struct a64_cpu *cpu, uint64_t va, unsigned unit, struct memop m,
                            bool is_write)
{
    if (!(va & (unit - 1))) {
        return true;
    }
    if (m.ordered || (cpu->sctlr_el1 & SCTLR_A)) {
        return data_abort(cpu, va, A64_FSC_ALIGNMENT, is_write ? A64_ISS_WNR : 0);
    }
    return true;
}

/* `n` bytes at va, whose alignment is that of elements of `unit` bytes. */
static bool access(struct a64_cpu *cpu, uint64_t va, unsigned n, unsigned unit, struct memop m,
                   void *in, const void *out)
{
    unsigned first = 4096 - (va & 0xfff);
    unsigned flags = (out ? PART_WRITE : 0) | (m.unpriv ? PART_UNPRIV : 0) |
                     (va & (unit - 1) ? PART_UNALIGNED : 0);

    if (!alignment_check(cpu, va, unit, m, out)) {
        return false;
    }
    if (cpu->watch_n && a64_watch_check(cpu, va, n, out, is_el0(cpu, m.unpriv))) {
        return false;
    }
    if (n <= first) {
        struct part p = { .cpu = cpu, .va = va, .n = n, .in = in, .out = out };
        return part_access(&p, flags);
    }
    if (out) {
        /* Both pages must be writable before anything is written. */
        struct part p = { .cpu = cpu, .va = va, .n = first };
        struct part q = { .cpu = cpu, .va = va + first, .n = n - first };
        if (!part_access(&p, flags | PART_PROBE) || !part_access(&q, flags | PART_PROBE)) {
            return false;
        }
    }
    struct part p = { .cpu = cpu, .va = va, .n = first, .in = in, .out = out };
    struct part q = { .cpu = cpu, .va = va + first, .n = n - first,
                      .in = in ? (char *)in + first : NULL,
                      .out = out ? (const char *)out + first : NULL };
    return part_access(&p, flags) && part_access(&q, flags);
}

/* What drivers do all day: a register of at most 8 bytes in a page that is known as MMIO. */
static bool is_register(struct a64_cpu *cpu, uint64_t va, unsigned n, struct memop m,
                        enum a64_tlb_table t, uint64_t *gpa)
{
    return n <= 8 && !(va & (n - 1)) && !cpu->watch_n &&
           a64_tlb_find_mmio(set_for(cpu, m.unpriv), va, t, gpa);
}

static bool register_done(struct a64_cpu *cpu, uint64_t va, enum a64_bus_result r, uint32_t iss)
{
    return r == A64_BUS_OK ||
           (r != A64_BUS_STOP && data_abort(cpu, va, A64_FSC_EXTERNAL, iss));
}

bool a64_load(struct a64_cpu *cpu, uint64_t va, struct memop m, uint64_t v[2])
{
    unsigned n = 1u << m.size_log2;
    uint64_t t[2] = { 0, 0 }, gpa;

    if (is_register(cpu, va, n, m, A64_TLB_READ, &gpa)) {
        v[1] = 0;
        return register_done(cpu, va, cpu->bus.mmio_read(cpu->bus.ctx, gpa, n, &v[0]), 0);
    }
    if (!access(cpu, va, n, n, m, t, NULL)) {
        return false;
    }
    v[0] = t[0];
    v[1] = t[1];
    return true;
}

bool a64_store(struct a64_cpu *cpu, uint64_t va, struct memop m, const uint64_t v[2])
{
    unsigned n = 1u << m.size_log2;
    uint64_t gpa;

    if (is_register(cpu, va, n, m, A64_TLB_WRITE, &gpa)) {
        return register_done(cpu, va, cpu->bus.mmio_write(cpu->bus.ctx, gpa, n, v[0]),
                             A64_ISS_WNR);
    }
    return access(cpu, va, n, n, m, NULL, v);
}

bool a64_load2(struct a64_cpu *cpu, uint64_t va, struct memop m, uint64_t a[2], uint64_t b[2])
{
    unsigned n = 1u << m.size_log2;
    char t[32];

    if (!access(cpu, va, 2 * n, n, m, t, NULL)) {
        return false;
    }
    a[0] = a[1] = b[0] = b[1] = 0;
    memcpy(a, t, n);
    memcpy(b, t + n, n);
    return true;
}

bool a64_store2(struct a64_cpu *cpu, uint64_t va, struct memop m, const uint64_t a[2],
                const uint64_t b[2])
{
    unsigned n = 1u << m.size_log2;
    char t[32];

    memcpy(t, a, n);
    memcpy(t + n, b, n);
    return access(cpu, va, 2 * n, n, m, NULL, t);
}

/* ---- atomics ---- */

static void *host_for_write(struct a64_cpu *cpu, uint64_t va, unsigned bytes, unsigned flags)
{
    struct part p = { .cpu = cpu, .va = va, .n = bytes, .want_host = true };
    struct memop m = { .ordered = true };
    bool el0 = is_el0(cpu, flags & PART_UNPRIV);

    if (!alignment_check(cpu, va, bytes, m, true) ||
        (cpu->watch_n && (a64_watch_check(cpu, va, bytes, true, el0) ||
                          ((flags & PART_RMW) && a64_watch_check(cpu, va, bytes, false, el0))))) {
        return NULL;
    }
    return part_access(&p, flags | PART_WRITE) ? p.host : NULL;
}

void *a64_rmw(struct a64_cpu *cpu, uint64_t va, unsigned bytes, bool unpriv)
{
    return host_for_write(cpu, va, bytes, PART_RMW | (unpriv ? PART_UNPRIV : 0));
}

bool a64_atomic(struct a64_cpu *cpu, uint64_t va, unsigned op, struct memop m, uint64_t *v)
{
    void *host = a64_rmw(cpu, va, 1u << m.size_log2, m.unpriv);

    if (!host) {
        return false;
    }
    *v = host_atomic(host, m.size_log2, op, *v);
    return true;
}

bool a64_cas(struct a64_cpu *cpu, uint64_t va, struct memop m, unsigned n,
             const uint64_t expect[2], const uint64_t data[2], uint64_t old[2])
{
    unsigned size_log2 = m.size_log2 + (n == 2);
    void *host = a64_rmw(cpu, va, 1u << size_log2, m.unpriv);

    if (!host) {
        return false;
    }
    if (n == 2 && m.size_log2 == 3) {
        old[0] = expect[0];
        old[1] = expect[1];
        host_cas16(host, old, data);
    } else if (n == 2) {
        uint64_t e = (uint32_t)expect[0] | expect[1] << 32;
        uint64_t o = host_cas(host, 3, e, (uint32_t)data[0] | data[1] << 32);
        old[0] = (uint32_t)o;
        old[1] = o >> 32;
    } else {
        old[0] = host_cas(host, m.size_log2, expect[0], data[0]);
    }
    return true;
}

/* The exclusive monitor holds address, size and value; a store succeeds if the value is still
 * there.  (So an ABA change goes unseen: no guest can tell it from an earlier order, as all it
 * could observe is the value.) */
bool a64_load_ex(struct a64_cpu *cpu, uint64_t va, struct memop m, unsigned n, uint64_t v[2])
{
    unsigned bytes = n << m.size_log2;
    uint64_t t[2] = { 0, 0 };

    if (!access(cpu, va, bytes, bytes, m, t, NULL)) {
        return false;
    }
    cpu->ex_addr = va;
    cpu->ex_size_log2 = __builtin_ctz(bytes);
    cpu->ex_val[0] = t[0];
    cpu->ex_val[1] = t[1];
    if (n == 2 && m.size_log2 == 2) {
        v[0] = (uint32_t)t[0];
        v[1] = t[0] >> 32;
    } else {
        v[0] = t[0];
        v[1] = t[1];
    }
    return true;
}

bool a64_store_ex(struct a64_cpu *cpu, uint64_t va, struct memop m, unsigned n,
                  const uint64_t v[2], uint64_t *status)
{
    unsigned bytes = n << m.size_log2, size_log2 = __builtin_ctz(bytes);

    if (!alignment_check(cpu, va, bytes, m, true)) {
        return false;
    }
    *status = 1;
    if (cpu->ex_addr == va && cpu->ex_size_log2 == size_log2) {
        void *host = host_for_write(cpu, va, bytes, 0);
        if (!host) {
            return false;
        }
        if (size_log2 == 4) {
            uint64_t expect[2] = { cpu->ex_val[0], cpu->ex_val[1] };
            *status = !host_cas16(host, expect, v);
        } else {
            uint64_t data = n == 2 ? (uint32_t)v[0] | v[1] << 32 : v[0];
            *status = host_cas(host, size_log2, cpu->ex_val[0], data) != cpu->ex_val[0];
        }
    }
    cpu->ex_addr = ~UINT64_C(0);
    return true;
}

bool a64_dc_zva(struct a64_cpu *cpu, uint64_t va)
{
    static const char zeroes[64];
    uint64_t block = va & ~UINT64_C(63);

    if (cpu->el == 0 && !(cpu->sctlr_el1 & SCTLR_DZE)) {
        uint32_t enc = A64_SYSREG(1, 3, 7, 4, 1);
        a64_exception(cpu, A64_EC_SYSREG, a64_sysreg_iss(enc, 0, false), 0);
        return false;
    }
    if (cpu->watch_n && a64_watch_check(cpu, block, 64, true, cpu->el == 0)) {
        return false;
    }
    struct part p = { .cpu = cpu, .va = block, .n = 64, .out = zeroes };
    /* To Device memory it is an alignment fault (C5.3.19). */
    unsigned flags = PART_WRITE | PART_UNALIGNED;
    uint64_t pc = cpu->pc;

    if (part_access(&p, flags)) {
        return true;
    }
    if (cpu->pc != pc) {
        cpu->far_el1 = va;      /* the address as the instruction gave it (D17.2.40) */
    }
    return false;
}

/* ---- instructions ---- */

static void fetch_install(void *arg, void *page)
{
    struct part *p = arg;

    a64_tlb_install(p->cpu->tlb, &p->fill, page);
    p->host = (char *)page + (p->va & 0xfff);
}

static void instruction_abort(struct a64_cpu *cpu, uint64_t pc, unsigned fsc)
{
    a64_exception_far(cpu, cpu->el ? A64_EC_IABORT_SAME : A64_EC_IABORT_LOWER, fsc, pc);
}

const uint32_t *a64_fetch(struct a64_cpu *cpu, uint64_t pc)
{
    struct part p = { .cpu = cpu, .va = pc };
    struct a64_xlat x;
    struct a64_fault f;
    bool is_ram = false;
    void *host;

    if (pc & 3) {
        a64_exception_far(cpu, A64_EC_PC_ALIGN, 0, pc);
        return NULL;
    }
    host = a64_tlb_find(cpu->tlb->cur, pc, 4, A64_TLB_EXEC);
    if (host) {
        return host;
    }
    if (!a64_translate(cpu, pc, A64_EXEC, cpu->el == 0, &x, &f)) {
        if (!f.walk_stop) {
            instruction_abort(cpu, pc, f.fsc);
        }
        return NULL;
    }
    p.fill = (struct a64_tlb_fill){
        .va = pc, .gpa = x.gpa, .size_log2 = x.size_log2, .global = x.global, .user = x.user,
        .table = A64_TLB_EXEC, .guarded = x.guarded,
    };
    if (cpu->bus.ram_page(cpu->bus.ctx, x.gpa & ~UINT64_C(0xfff), A64_EXEC, fetch_install, &p,
                          &is_ram) == A64_BUS_STOP) {
        return NULL;
    }
    if (!is_ram) {                  /* code in a device: none of the machines has any */
        instruction_abort(cpu, pc, A64_FSC_EXTERNAL);
        return NULL;
    }
    return p.host;
}

bool a64_sp_check_slow(struct a64_cpu *cpu)
{
    if ((cpu->sp & 15) && (cpu->sctlr_el1 & (cpu->el ? SCTLR_SA : SCTLR_SA0))) {
        a64_exception(cpu, A64_EC_SP_ALIGN, 0, 0);
        return false;
    }
    return true;
}
