/* SPDX-License-Identifier: Apache-2.0 */
/* struct a64_bus of an emulated vCPU, and maintenance between vCPUs.
 *
 * Whatever may wait leaves the view first (vm/vcpu.h).  Meanwhile another vCPU may complete a
 * TLBI, and a translation that this one has just looked up must not be installed after it:
 * `maint_gen` tells, and the instruction is started again. */
#include "accel/emu/emu_internal.h"
#include "isa/a64/tlb.h"
#include "mem/space.h"
#include "vm/vm.h"

/* ---- RAM and devices ---- */

static enum a64_bus_result ram_page(void *ctx, uint64_t gpa, enum a64_access access,
                                    void (*install)(void *arg, void *host), void *arg,
                                    bool *is_ram)
{
    struct emu *m = ctx;
    struct mem_space *mem = m->vcpu->vm->mem;
    enum mem_right right = access == A64_WRITE ? MEM_WRITE : MEM_READ;
    void *host;
    enum mem_result r = mem_page_try_acquire(mem, gpa, right, &host);

    if (r == MEM_WOULD_BLOCK) {
        uint32_t gen = atomic_load(&m->maint_gen);

        vcpu_view_leave(m->vcpu);
        r = mem_page_acquire(mem, gpa, right, &host);
        vcpu_view_enter(m->vcpu);
        if (r == MEM_OK && atomic_load(&m->maint_gen) != gen) {
            mem_page_release(mem, gpa);
            return A64_BUS_STOP;
        }
    }
    *is_ram = r != MEM_NOTHING;
    if (r == MEM_STOPPED) {
        return A64_BUS_STOP;
    }
    if (r == MEM_OK) {
        install(arg, host);
        mem_page_release(mem, gpa);
    }
    return A64_BUS_OK;
}

static bool ram_page_try(void *ctx, uint64_t gpa, enum a64_access access,
                         void (*install)(void *arg, void *host), void *arg)
{
    struct emu *m = ctx;
    struct mem_space *mem = m->vcpu->vm->mem;
    void *host;

    if (mem_page_try_acquire(mem, gpa, access == A64_WRITE ? MEM_WRITE : MEM_READ, &host) !=
        MEM_OK) {
        return false;
    }
    install(arg, host);
    mem_page_release(mem, gpa);
    return true;
}

static enum a64_bus_result bus_result(enum mem_result r)
{
    return r == MEM_OK ? A64_BUS_OK : r == MEM_NOTHING ? A64_BUS_DECODE_ERROR : A64_BUS_STOP;
}

static enum a64_bus_result mmio_read(void *ctx, uint64_t gpa, unsigned bytes, uint64_t *v)
{
    struct emu *m = ctx;
    struct mem_space *mem = m->vcpu->vm->mem;
    const struct mem_mmio *at = mem_mmio_find(mem, gpa, bytes);
    enum mem_result r = MEM_OK;

    if (at && at->ops->try_read && at->ops->try_read(at->ctx, gpa - at->gpa, bytes, v)) {
        return A64_BUS_OK;
    }
    vcpu_view_leave(m->vcpu);
    if (at) {
        *v = at->ops->read(at->ctx, gpa - at->gpa, bytes, m->cpu.index) & mem_size_mask(bytes);
    } else {
        r = mem_mmio_read(mem, gpa, bytes, m->cpu.index, v);
    }
    vcpu_view_enter(m->vcpu);
    return bus_result(r);
}

static enum a64_bus_result mmio_write(void *ctx, uint64_t gpa, unsigned bytes, uint64_t v)
{
    struct emu *m = ctx;
    struct mem_space *mem = m->vcpu->vm->mem;
    const struct mem_mmio *at = mem_mmio_find(mem, gpa, bytes);
    enum mem_result r = MEM_OK;

    v &= mem_size_mask(bytes);
    if (at && at->ops->try_write && at->ops->try_write(at->ctx, gpa - at->gpa, bytes, v)) {
        return A64_BUS_OK;
    }
    vcpu_view_leave(m->vcpu);
    if (at) {
        at->ops->write(at->ctx, gpa - at->gpa, bytes, v, m->cpu.index);
    } else {
        r = mem_mmio_write(mem, gpa, bytes, m->cpu.index, v);
    }
    vcpu_view_enter(m->vcpu);
    return bus_result(r);
}

/* ---- what lies around the PE ---- */

static bool sysreg_read(void *ctx, uint32_t enc, uint64_t *v)
{
    struct emu *m = ctx;

    return m->hooks.sysreg_read(m->hooks.ctx, m->cpu.index, enc, v);
}

static bool sysreg_write(void *ctx, uint32_t enc, uint64_t v)
{
    struct emu *m = ctx;

    return m->hooks.sysreg_write(m->hooks.ctx, m->cpu.index, enc, v);
}

static bool firmware_call(void *ctx, bool is_smc)
{
    struct emu *m = ctx;
    enum emu_firmware r;

    vcpu_view_leave(m->vcpu);
    r = m->hooks.firmware_call(m->hooks.ctx, m->cpu.index, is_smc, m->cpu.x);
    vcpu_view_enter(m->vcpu);
    switch (r) {
    case EMU_FIRMWARE_NONE:
        return false;
    case EMU_FIRMWARE_WAIT:
        emu_wait_for_event(m, true);
        break;
    case EMU_FIRMWARE_OFF:
        atomic_store(&m->power, VCPU_OFF);
        atomic_fetch_or(&m->cpu.poll, VCPU_POLL_IRQ);   /* leave run() */
        break;
    case EMU_FIRMWARE_DONE:
        break;
    }
    return true;
}

static bool semihosting(void *ctx)
{
    return false;       /* off unless asked for; there is no way to ask yet */
}

static void send_event(void *ctx)
{
    /* WFE never sleeps here, so nobody has to be woken. */
}

/* ---- maintenance ---- */

/* struct vcpu_maint as the PEs of this architecture pack it:
 *   w[0]  kind in bits 7:0; TLBI: scope 15:8, last_level_only 16, asid 47:32
 *   w[1]  TLBI: VA             IC: first guest-physical address
 *   w[2]  TLBI: pages of 4K    IC: bytes */
enum { MAINT_TLBI = 1, MAINT_ICACHE = 2 };

static void queue_own(struct emu *m, struct vcpu_maint op)
{
    if (m->vcpu->vm->vcpus_n == 1) {
        return;
    }
    if (m->own_n == VCPU_MAINT_MAX) {
        /* Too many for one batch: once everything covers them all. */
        m->own[0] = (struct vcpu_maint){ { MAINT_TLBI | A64_TLBI_ALL << 8 } };
        m->own[1] = (struct vcpu_maint){ { MAINT_ICACHE, 0, ~UINT64_C(0) } };
        m->own_n = 2;
    }
    m->own[m->own_n++] = op;
}

static void tlbi_broadcast(void *ctx, const struct a64_tlbi *op)
{
    queue_own(ctx, (struct vcpu_maint){ {
        MAINT_TLBI | (uint64_t)op->scope << 8 | (uint64_t)op->last_level_only << 16 |
            (uint64_t)op->asid << 32,
        op->va, op->pages_4k,
    } });
}

static void icache_broadcast(void *ctx, uint64_t gpa_first, uint64_t bytes)
{
    queue_own(ctx, (struct vcpu_maint){ { MAINT_ICACHE, gpa_first, bytes } });
}

static void icache_local(void *ctx, uint64_t gpa_first, uint64_t bytes)
{
    struct emu *m = ctx;

    m->engine.icache_invalidate(m->engine.ctx, &m->cpu, gpa_first, bytes);
}

static void maintenance_wait(void *ctx)
{
    struct emu *m = ctx;
    struct vm *vm = m->vcpu->vm;

    if (m->own_n == 0) {
        return;
    }
    vcpu_view_leave(m->vcpu);
    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        if (i != m->cpu.index) {
            vm->vcpu[i].ops->maint_begin(&vm->vcpu[i], m->own, m->own_n);
        }
    }
    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        if (i != m->cpu.index) {
            vm->vcpu[i].ops->maint_wait(&vm->vcpu[i]);
        }
    }
    m->own_n = 0;
    vcpu_view_enter(m->vcpu);
}

struct batch {
    struct emu *m;
    const struct vcpu_maint *ops;
    unsigned n;
};

static void apply_tlbi(struct emu *m, const struct vcpu_maint *op)
{
    struct a64_tlb *tlb = m->cpu.tlb;
    uint16_t asid = op->w[0] >> 32;

    if (!(op->w[0] >> 16 & 1)) {
        a64_tlb_drop_tables(tlb);
    }
    switch (op->w[0] >> 8 & 0xff) {
    case A64_TLBI_ASID:
        a64_tlb_drop_asid(tlb, asid);
        break;
    case A64_TLBI_VA:
        a64_tlb_drop_va(tlb, op->w[1], op->w[2], asid, false);
        break;
    case A64_TLBI_VA_ALL_ASID:
        a64_tlb_drop_va(tlb, op->w[1], op->w[2], asid, true);
        break;
    default:                /* also what a newer sender may mean */
        a64_tlb_drop_all(tlb);
        break;
    }
}

static void apply_batch(void *arg)
{
    struct batch *b = arg;

    atomic_fetch_add(&b->m->maint_gen, 1);
    for (unsigned i = 0; i < b->n; i++) {
        const struct vcpu_maint *op = &b->ops[i];

        if ((op->w[0] & 0xff) == MAINT_ICACHE) {
            b->m->engine.icache_invalidate(b->m->engine.ctx, &b->m->cpu, op->w[1], op->w[2]);
        } else {
            apply_tlbi(b->m, op);
        }
    }
}

void emu_maint_begin(struct vcpu *v, const struct vcpu_maint *ops, unsigned n)
{
    struct batch b = { .m = v->engine, .ops = ops, .n = n };

    vcpu_view_run(v, apply_batch, &b);
}

void emu_maint_wait(struct vcpu *v)
{
    /* begin has done it all */
}

void emu_bus_init(struct emu *m)
{
    m->cpu.bus = (struct a64_bus){
        .ctx = m,
                .ram_page = ram_page, .ram_page_try = ram_page_try,
        .mmio_read = mmio_read, .mmio_write = mmio_write,
        .sysreg_read = sysreg_read, .sysreg_write = sysreg_write,
        .tlbi_broadcast = tlbi_broadcast, .icache_broadcast = icache_broadcast,
        .icache_local = icache_local,
        .maintenance_wait = maintenance_wait,
        .firmware_call = firmware_call, .semihosting = semihosting,
        .wait_for_event = emu_wait_for_event, .send_event = send_event,
    };
}
