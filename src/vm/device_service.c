/* SPDX-License-Identifier: Apache-2.0 */
/* What devices call (pando/device.h). */
#include "base/err.h"
#include "base/log.h"
#include "base/trace.h"
#include "mem/space.h"
#include "vm/device_guard.h"
#include "vm/device_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void device_lock(struct device *d)
{
    if (d->host->plugin) {
        device_guard_before_lock(d);
    }
    mutex_lock(d->host->lock);
    if (d->host->plugin) {
        device_guard_note_lock(d, 1);
    }
}

void device_unlock(struct device *d)
{
    if (d->host->plugin) {
        device_guard_note_lock(d, -1);
    }
    mutex_unlock(d->host->lock);
}

/* ---- interrupts ------------------------------------------------------------------------ */

void device_irq_set(struct device *d, unsigned n, bool level)
{
    assert(n < DEVICE_IRQS_MAX);
    irq_set(&d->host->irq[n], level);
}

bool device_msi_send(struct device *d, unsigned vector)
{
    return false;
}

/* ---- time ------------------------------------------------------------------------------ */

int64_t device_now_ns(const struct device *d)
{
    return vm_clock_ns(d->host->env.clock);
}

int64_t device_wall_ns(const struct device *d)
{
    return vm_clock_wall_ns(d->host->env.clock);
}

/* It may have been cancelled, or armed for later, while we waited for the lock. */
static void timer_fire(void *ctx)
{
    struct device_timer *t = ctx;

    device_lock(t->dev);
    if (t->is_armed && device_now_ns(t->dev) >= t->timer.deadline_ns) {
        t->is_armed = false;
        DEVICE_HOOK(t->dev, "in a timer", NULL, t->fire, t->dev);
    }
    device_unlock(t->dev);
}

struct device_timer *device_timer_new(struct device *d, void (*fire)(struct device *d),
                                      struct err *e)
{
    struct device_timer *t = calloc(1, sizeof *t);

    if (!t) {
        err_set(e, "out of memory for a timer");
        return NULL;
    }
    t->dev = d;
    t->fire = fire;
    vm_timer_init(&t->timer, d->host->env.clock, timer_fire, t);
    t->next = d->host->timers;
    d->host->timers = t;
    return t;
}

void device_timer_arm(struct device_timer *t, int64_t deadline_ns)
{
    t->is_armed = true;
    vm_timer_arm(&t->timer, deadline_ns);
}

void device_timer_cancel(struct device_timer *t)
{
    /* Mostly it is not armed: then this saves two locks. */
    if (t->is_armed) {
        t->is_armed = false;
        vm_timer_cancel(&t->timer);
    }
}

bool device_timer_is_armed(const struct device_timer *t)
{
    return t->is_armed;
}

int64_t device_timer_deadline_ns(const struct device_timer *t)
{
    return t->timer.deadline_ns;
}

/* ---- work ------------------------------------------------------------------------------ */

static void work_run(void *ctx)
{
    struct device_work *w = ctx;

    device_lock(w->dev);
    DEVICE_HOOK(w->dev, "in its work", NULL, w->run, w->dev);
    device_unlock(w->dev);
}

struct device_work *device_work_new(struct device *d, void (*run)(struct device *d),
                                    struct err *e)
{
    struct device_work *w = calloc(1, sizeof *w);

    if (!w) {
        err_set(e, "out of memory for work");
        return NULL;
    }
    w->dev = d;
    w->run = run;
    loop_work_init(&w->work, d->host->env.loop, work_run, w);
    w->next = d->host->works;
    d->host->works = w;
    return w;
}

void device_work_schedule(struct device_work *w)
{
    loop_work_schedule(&w->work);
}

/* ---- memory ---------------------------------------------------------------------------- */

void *device_ram(const struct device *d, unsigned n)
{
    assert(n < DEVICE_REGIONS_MAX && d->host->ram[n]);
    return d->host->ram[n];
}

void device_rom_trap(struct device *d, unsigned n, bool on)
{
    assert(n < DEVICE_REGIONS_MAX && d->cls->regions[n].rom);
    if (d->host->rom[n]) {              /* not before it is mapped */
        mem_rom_trap(d->host->rom[n], on);
    }
}

bool device_dma_read(struct device *d, uint64_t gpa, void *buf, size_t n_bytes)
{
    return mem_dma_read(d->host->env.mem, gpa, buf, n_bytes);
}

bool device_dma_write(struct device *d, uint64_t gpa, const void *buf, size_t n_bytes)
{
    return mem_dma_write(d->host->env.mem, gpa, buf, n_bytes);
}

bool device_dma_zero(struct device *d, uint64_t gpa, size_t n_bytes)
{
    return mem_dma_zero(d->host->env.mem, gpa, n_bytes);
}

/* Notes a plug-in's lease, which its end may come in front of giving it back.  false: there is no
 * memory, or the end has come already. */
static bool lease_note(struct device *d, const struct mem_lease *l, struct device_lease *lease)
{
    struct device_lease_held *held = malloc(sizeof *held);
    bool ok;

    if (!held) {
        return false;
    }
    mutex_lock(&d->host->leases_lock);
    ok = !d->host->dead;
    if (ok) {
        *held = (struct device_lease_held){ .lease = *l, .next = d->host->leases };
        d->host->leases = held;
        lease->reserved[1] = (uintptr_t)held;
    }
    mutex_unlock(&d->host->leases_lock);
    if (!ok) {
        free(held);
    }
    return ok;
}

/* false: it was given back before. */
static bool lease_forget(struct device *d, const struct device_lease *lease)
{
    struct device_lease_held **p, *held;

    mutex_lock(&d->host->leases_lock);
    for (p = &d->host->leases; *p && (uintptr_t)*p != lease->reserved[1]; p = &(*p)->next) {
    }
    held = *p;
    if (held) {
        *p = held->next;
    }
    mutex_unlock(&d->host->leases_lock);
    free(held);
    return held;
}

void device_leases_free(struct device *d)
{
    struct device_lease_held *held, *next;

    mutex_lock(&d->host->leases_lock);
    held = d->host->leases;
    d->host->leases = NULL;
    mutex_unlock(&d->host->leases_lock);
    for (; held; held = next) {
        next = held->next;
        mem_lease_put(d->host->env.mem, &held->lease);
        free(held);
    }
}

bool device_lease_get(struct device *d, uint64_t gpa, size_t n_bytes, bool for_write,
                      struct device_lease *lease)
{
    struct mem_lease l;

    if (!mem_lease_get(d->host->env.mem, gpa, n_bytes, for_write ? MEM_WRITE : MEM_READ, &l)) {
        return false;
    }
    *lease = (struct device_lease){ .host = l.host, .gpa = gpa, .n_bytes = n_bytes,
                                    .reserved = { l.is_device } };
    if (d->host->plugin && !lease_note(d, &l, lease)) {
        mem_lease_put(d->host->env.mem, &l);
        lease->host = NULL;
        return false;
    }
    return true;
}

void device_lease_put(struct device *d, struct device_lease *lease)
{
    struct mem_lease l = { .host = lease->host, .gpa = lease->gpa, .len = lease->n_bytes,
                           .is_device = lease->reserved[0] };

    if (!d->host->plugin || lease_forget(d, lease)) {
        mem_lease_put(d->host->env.mem, &l);
    }
    lease->host = NULL;
}

/* ---- the log --------------------------------------------------------------------------- */

void device_log_guest(const struct device *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vguest(d->id, fmt, ap);
    va_end(ap);
}

#define LOG_WITH(how) \
    char text[400]; \
    va_list ap; \
    va_start(ap, fmt); \
    vsnprintf(text, sizeof text, fmt, ap); \
    va_end(ap); \
    how

void device_log_warn(const struct device *d, const char *fmt, ...)
{
    LOG_WITH(log_warn(d->id, "%s", text));
}

void device_log_info(const struct device *d, const char *fmt, ...)
{
    LOG_WITH(log_info(d->id, "%s", text));
}

void device_log_error(const struct device *d, const char *fmt, ...)
{
    LOG_WITH(log_error(d->id, "%s", text));
}

void device_trace_print(const struct device *d, const char *fmt, ...)
{
    LOG_WITH(trace_device_note(d->host->env.trace, d->id, text, device_now_ns(d)));
}
