/* SPDX-License-Identifier: Apache-2.0 */
#include "accel/emu/emu.h"

#include "accel/emu/emu_internal.h"
#include "base/err.h"
#include "isa/a64/exception.h"
#include "isa/a64/tlb.h"
#include "mem/space.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EMU_SLICE_NS 500000

/* ---- sleeping and waking ---- */

static void wake(struct emu *m)
{
    atomic_fetch_add(&m->wake_seq, 1);
    if (atomic_load(&m->sleeping)) {
        syscall(SYS_futex, &m->wake_seq, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    }
}

/* Outside of the view: sleeps until `awake` holds; whoever makes it hold calls wake(). */
static void sleep_until(struct emu *m, bool (*awake)(struct emu *m))
{
    atomic_store(&m->sleeping, true);
    for (;;) {
        uint32_t seq = atomic_load(&m->wake_seq);

        if (awake(m)) {
            break;
        }
        syscall(SYS_futex, &m->wake_seq, FUTEX_WAIT_PRIVATE, seq, NULL, NULL, 0);
    }
    atomic_store(&m->sleeping, false);
}

static bool interrupt_or_stop(struct emu *m)
{
    return atomic_load(&m->cpu.irq_line) || atomic_load(&m->cpu.fiq_line) ||
           (atomic_load(&m->cpu.poll) & VCPU_POLL_STOP);
}

static bool powered_or_stop(struct emu *m)
{
    return atomic_load(&m->power) != VCPU_OFF || (atomic_load(&m->cpu.poll) & VCPU_POLL_STOP);
}

void emu_wait_for_event(void *ctx, bool is_wfi)
{
    struct emu *m = ctx;

    if (is_wfi) {
        if (!interrupt_or_stop(m)) {
            vcpu_view_leave(m->vcpu);
            sleep_until(m, interrupt_or_stop);
            vcpu_view_enter(m->vcpu);
        }
    } else {
        /* WFE may return at any time (D1.6.1).  A guest waits so for another vCPU's store: give
         * that one this host CPU. */
        vcpu_view_leave(m->vcpu);
        sched_yield();
        vcpu_view_enter(m->vcpu);
    }
}

/* ---- the thread ---- */

static void power_up(struct emu *m)
{
    a64_cpu_reset(&m->cpu);
    m->hooks.power_on_reset(m->hooks.ctx, m->cpu.index);
    m->cpu.pc = m->entry;
    m->cpu.x[0] = m->context;
    atomic_store(&m->power, VCPU_ON);
}

/* Until the machine is paused or ends.  Outside of the view on entry and return. */
static void run_until_stop(struct emu *m)
{
    struct vcpu *v = m->vcpu;

    for (;;) {
        if (atomic_load(&m->power) != VCPU_ON) {
            sleep_until(m, powered_or_stop);
            if (atomic_load(&m->cpu.poll) & VCPU_POLL_STOP) {
                return;
            }
            power_up(m);
        }
        vcpu_view_enter(v);
        while (atomic_load(&m->power) == VCPU_ON) {
            uint32_t poll = atomic_load(&m->cpu.poll);

            if (poll & VCPU_POLL_STOP) {
                vcpu_view_leave(v);
                return;
            }
            vcpu_view_safepoint(v);
            if (poll & VCPU_POLL_IRQ) {
                atomic_fetch_and(&m->cpu.poll, ~(uint32_t)VCPU_POLL_IRQ);
                a64_take_interrupt(&m->cpu);
            }
            m->engine.run(m->engine.ctx, &m->cpu);
        }
        vcpu_view_leave(v);
    }
}

static void emu_thread(struct thread *self, void *ctx)
{
    struct emu *m = ctx;

    /* Where vCPUs are more than the host's CPUs, others wait for this one's safepoints. */
    thread_slice_set(EMU_SLICE_NS);
    while (vcpu_park(m->vcpu)) {
        run_until_stop(m);
    }
}

/* ---- struct vcpu_ops ---- */

static bool emu_start(struct vcpu *v, struct err *e)
{
    struct emu *m = v->engine;
    char name[16];

    snprintf(name, sizeof name, "vcpu%u", v->index);
    vm_thread_count(v->vm, 1);
    if (!thread_start(&m->thread, name, emu_thread, m, e)) {
        vm_thread_count(v->vm, -1);
        return false;
    }
    return true;
}

static void emu_end(struct vcpu *v)
{
    struct emu *m = v->engine;

    if (m->thread.started) {
        wake(m);
        thread_join(&m->thread);
        vm_thread_count(v->vm, -1);
    }
}

static void emu_kick(struct vcpu *v)
{
    wake(v->engine);
}

static bool emu_power_on(struct vcpu *v, uint64_t entry, uint64_t context)
{
    struct emu *m = v->engine;
    int off = VCPU_OFF;
    bool ok;

    pthread_mutex_lock(&m->power_lock);
    ok = atomic_load(&m->power) == off;
    if (ok) {
        m->entry = entry;
        m->context = context;
        atomic_store(&m->power, VCPU_ON_PENDING);
    }
    pthread_mutex_unlock(&m->power_lock);
    if (ok) {
        wake(m);
    }
    return ok;
}

static enum vcpu_power emu_power(struct vcpu *v)
{
    return atomic_load(&((struct emu *)v->engine)->power);
}

static void emu_reset(struct vcpu *v)
{
    struct emu *m = v->engine;

    a64_cpu_reset(&m->cpu);
    atomic_store(&m->cpu.irq_line, 0);
    atomic_store(&m->cpu.fiq_line, 0);
    m->engine.icache_invalidate(m->engine.ctx, &m->cpu, 0, ~UINT64_C(0));
    m->own_n = 0;
    atomic_store(&m->power, VCPU_OFF);
}

static void emu_set_line(struct vcpu *v, enum vcpu_line line, bool level)
{
    struct emu *m = v->engine;
    _Atomic uint8_t *at = line == VCPU_IRQ ? &m->cpu.irq_line : &m->cpu.fiq_line;

    if (atomic_exchange(at, level) != level && level) {
        vcpu_poke(v, VCPU_POLL_IRQ);
    }
}

struct drop {
    struct emu *m;
    uint64_t page;
    bool keep_read;
};

static void drop_now(void *arg)
{
    struct drop *d = arg;

    a64_tlb_drop_gpa(d->m->cpu.tlb, d->page << MEM_PAGE_SHIFT, d->keep_read);
}

static void emu_drop_page(struct vcpu *v, uint64_t page, bool keep_read)
{
    struct drop d = { .m = v->engine, .page = page, .keep_read = keep_read };

    vcpu_view_run(v, drop_now, &d);
}

static int emu_print_state(struct vcpu *v, char *buf, int len)
{
    struct a64_cpu *c = &((struct emu *)v->engine)->cpu;
    uint32_t nzcv = a64_nzcv_get(c);
    int n = snprintf(buf, len, " PC=%016lx ", (unsigned long)c->pc);

    for (unsigned i = 0; i < 31; i++) {
        n += snprintf(buf ? buf + n : NULL, len > n ? len - n : 0, "X%02u=%016lx%s", i,
                      (unsigned long)c->x[i], i % 4 == 2 ? "\n" : " ");
    }
    n += snprintf(buf ? buf + n : NULL, len > n ? len - n : 0,
                  " SP=%016lx\nNZCV=%c%c%c%c EL%uh%u DAIF=%x\n", (unsigned long)c->sp,
                  nzcv >> 31 & 1 ? 'N' : '-', nzcv >> 30 & 1 ? 'Z' : '-',
                  nzcv >> 29 & 1 ? 'C' : '-', nzcv >> 28 & 1 ? 'V' : '-', c->el, c->spsel,
                  c->daif);
    return n;
}

static const struct vcpu_ops emu_ops = {
    .start = emu_start, .end = emu_end, .kick = emu_kick, .power_on = emu_power_on,
    .power = emu_power, .reset = emu_reset, .set_line = emu_set_line,
    .maint_begin = emu_maint_begin, .maint_wait = emu_maint_wait, .drop_page = emu_drop_page,
    .print_state = emu_print_state,
};

/* ---- life ---- */

bool emu_make(struct vcpu *v, const struct emu_config *c, struct err *e)
{
    struct emu *m = NULL;

    /* a64_vreg wants its alignment. */
    if (posix_memalign((void **)&m, 64, sizeof *m)) {
        return err_set(e, "vCPU %u: out of memory", v->index);
    }
    memset(m, 0, sizeof *m);
    m->vcpu = v;
    m->engine = c->engine;
    m->hooks = c->hooks;
    pthread_mutex_init(&m->power_lock, NULL);
    m->cpu.model = c->model;
    m->cpu.index = v->index;
    m->cpu.mpidr = c->mpidr;
    emu_bus_init(m);
    m->cpu.tlb = a64_tlb_new();
    v->ops = &emu_ops;
    v->engine = m;
    v->poll = &m->cpu.poll;
    if (!m->cpu.tlb) {
        err_set(e, "vCPU %u: out of memory", v->index);
        emu_free(v);
        return false;
    }
    if (m->engine.attach && !m->engine.attach(m->engine.ctx, &m->cpu, e)) {
        m->engine.detach = NULL;
        emu_free(v);
        return false;
    }
    a64_cpu_reset(&m->cpu);
    return true;
}

void emu_free(struct vcpu *v)
{
    struct emu *m = v->engine;

    if (v->ops != &emu_ops || !m) {
        return;
    }
    if (m->engine.detach) {
        m->engine.detach(m->engine.ctx, &m->cpu);
    }
    a64_tlb_free(m->cpu.tlb);
    pthread_mutex_destroy(&m->power_lock);
    free(m);
    v->engine = NULL;
    v->ops = NULL;
}

struct a64_cpu *emu_cpu(struct vcpu *v)
{
    return &((struct emu *)v->engine)->cpu;
}
