/* SPDX-License-Identifier: Apache-2.0 */
/* Generic timer of one PE: DDI 0487, D12.2 and D17.8.
 *
 * House: devices: a part of the processor, whose registers are not in memory. */
#include "dev/timer/arm_timer.h"

#include "vm/clock.h"
#include "vm/device.h"

#include <stdio.h>

#define ENC(op0, op1, crn, crm, op2) \
    ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

enum {
    CNTFRQ = ENC(3, 3, 14, 0, 0), CNTPCT = ENC(3, 3, 14, 0, 1), CNTVCT = ENC(3, 3, 14, 0, 2),
    CNTPCTSS = ENC(3, 3, 14, 0, 5), CNTVCTSS = ENC(3, 3, 14, 0, 6),
    CNTP_TVAL = ENC(3, 3, 14, 2, 0), CNTP_CTL = ENC(3, 3, 14, 2, 1),
    CNTP_CVAL = ENC(3, 3, 14, 2, 2),
    CNTV_TVAL = ENC(3, 3, 14, 3, 0), CNTV_CTL = ENC(3, 3, 14, 3, 1),
    CNTV_CVAL = ENC(3, 3, 14, 3, 2),
};

enum { CTL_ENABLE = 1, CTL_IMASK = 2, CTL_ISTATUS = 4 };

struct comparator {
    struct device_timer *alarm;
    uint64_t cval;
    uint32_t ctl;               /* ENABLE, IMASK */
    bool line;
};

struct arm_timer {
    struct device dev;          /* its lock: of the comparators */
    struct mutex *lock;
    struct vm_clock *clock;
    uint32_t cntfrq;
    struct comparator comp[ARM_TIMER_COUNT];
};

static struct arm_timer *from(struct device *d)
{
    return (struct arm_timer *)d;   /* the first member */
}

static uint64_t count(const struct arm_timer *t)
{
    return (uint64_t)vm_clock_ns(t->clock) / ARM_TIMER_NS_PER_COUNT;
}

uint64_t arm_timer_count(const struct device *d)
{
    return count((const struct arm_timer *)d);
}

static bool comp_is_met(const struct arm_timer *t, const struct comparator *c)
{
    return c->ctl & CTL_ENABLE && count(t) >= c->cval;
}

/* Under the lock: the line as it should be now, and the alarm for its next change by itself. */
static void comp_update(struct arm_timer *t, struct comparator *c)
{
    bool met = comp_is_met(t, c), line = met && !(c->ctl & CTL_IMASK);

    if (line != c->line) {
        c->line = line;
        irq_set(&t->dev.host->irq[c - t->comp], line);
    }
    if (met || c->ctl != CTL_ENABLE || c->cval > INT64_MAX / ARM_TIMER_NS_PER_COUNT) {
        device_timer_cancel(c->alarm);
    } else {
        device_timer_arm(c->alarm, (int64_t)(c->cval * ARM_TIMER_NS_PER_COUNT));
    }
}

static void fire_phys(struct device *d)
{
    comp_update(from(d), &from(d)->comp[ARM_TIMER_PHYS]);
}

static void fire_virt(struct device *d)
{
    comp_update(from(d), &from(d)->comp[ARM_TIMER_VIRT]);
}

static struct comparator *comp_of(struct arm_timer *t, uint32_t enc)
{
    if (enc == CNTP_TVAL || enc == CNTP_CTL || enc == CNTP_CVAL) {
        return &t->comp[ARM_TIMER_PHYS];
    }
    if (enc == CNTV_TVAL || enc == CNTV_CTL || enc == CNTV_CVAL) {
        return &t->comp[ARM_TIMER_VIRT];
    }
    return NULL;
}

static uint64_t comp_read(struct arm_timer *t, struct comparator *c, uint32_t enc)
{
    if (enc == CNTP_CVAL || enc == CNTV_CVAL) {
        return c->cval;
    }
    if (enc == CNTP_TVAL || enc == CNTV_TVAL) {
        return (uint32_t)(c->cval - count(t));
    }
    /* Who polls ISTATUS must not see it before the line that it stands for. */
    comp_update(t, c);
    return c->ctl | (comp_is_met(t, c) ? CTL_ISTATUS : 0);
}

static void comp_write(struct arm_timer *t, struct comparator *c, uint32_t enc, uint64_t v)
{
    if (enc == CNTP_CVAL || enc == CNTV_CVAL) {
        c->cval = v;
    } else if (enc == CNTP_TVAL || enc == CNTV_TVAL) {
        c->cval = count(t) + (uint64_t)(int64_t)(int32_t)v;
    } else {
        c->ctl = v & (CTL_ENABLE | CTL_IMASK);
    }
    comp_update(t, c);
}

bool arm_timer_sysreg_read(struct device *d, uint32_t enc, uint64_t *v)
{
    struct arm_timer *t = from(d);

    if (enc == CNTVCT || enc == CNTPCT || enc == CNTVCTSS || enc == CNTPCTSS) {
        *v = count(t);
        return true;
    }
    if (enc == CNTFRQ) {
        *v = t->cntfrq;
        return true;
    }
    struct comparator *c = comp_of(t, enc);
    if (!c) {
        return false;
    }
    mutex_lock(t->lock);
    *v = comp_read(t, c, enc);
    mutex_unlock(t->lock);
    return true;
}

bool arm_timer_sysreg_write(struct device *d, uint32_t enc, uint64_t v)
{
    struct arm_timer *t = from(d);

    if (enc == CNTFRQ) {
        t->cntfrq = v;          /* tells software, changes nothing (D12.1.3) */
        return true;
    }
    struct comparator *c = comp_of(t, enc);
    if (!c) {
        return false;
    }
    mutex_lock(t->lock);
    comp_write(t, c, enc, v);
    mutex_unlock(t->lock);
    return true;
}

/* ---- a device without registers in memory ---------------------------------------------------- */

static const struct device_state comp_state[] = {
    STATE(struct comparator, cval),
    STATE(struct comparator, ctl),
    STATE_END
};

static const struct device_state timer_state[] = {
    STATE(struct arm_timer, cntfrq),
    STATE_STRUCTS(struct arm_timer, comp, comp_state),
    STATE_END
};

static void timer_reset(struct device *d)
{
    struct arm_timer *t = from(d);

    t->cntfrq = ARM_TIMER_HZ;
    for (unsigned i = 0; i < ARM_TIMER_COUNT; i++) {
        t->comp[i].cval = 0;
        t->comp[i].ctl = 0;
        comp_update(t, &t->comp[i]);
    }
}

static bool timer_after_load(struct device *d, struct err *e)
{
    struct arm_timer *t = from(d);

    for (unsigned i = 0; i < ARM_TIMER_COUNT; i++) {
        t->comp[i].ctl &= CTL_ENABLE | CTL_IMASK;
        comp_update(t, &t->comp[i]);
    }
    return true;
}

static bool timer_realize(struct device *d, struct err *e)
{
    struct arm_timer *t = from(d);

    t->lock = d->host->lock;
    t->clock = d->host->env.clock;
    t->comp[ARM_TIMER_PHYS].alarm = device_timer_new(d, fire_phys, e);
    t->comp[ARM_TIMER_VIRT].alarm = device_timer_new(d, fire_virt, e);
    return t->comp[ARM_TIMER_PHYS].alarm && t->comp[ARM_TIMER_VIRT].alarm;
}

const struct device_class arm_timer_class = {
    .name = "arm-timer",
    .about = "generic timer of a vCPU",
    .version = 1,
    .irqs_n = ARM_TIMER_COUNT,
    .size = sizeof(struct arm_timer),
    .state = timer_state,
    .realize = timer_realize,
    .reset = timer_reset,
    .after_load = timer_after_load,
};

struct device *arm_timer_new(unsigned index, const struct device_env *env, struct err *e)
{
    struct device *d;
    char id[32];

    snprintf(id, sizeof id, "%s.%u", arm_timer_class.name, index);
    d = device_new(&arm_timer_class, id, e);
    if (d && !device_realize(d, env, e)) {
        device_free(d);
        return NULL;
    }
    return d;
}
