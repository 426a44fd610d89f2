/* SPDX-License-Identifier: Apache-2.0 */
/* Generic timer of one PE: DDI 0487, D12.2 and D17.8. */
#include "dev/timer/arm_timer.h"

#include "base/err.h"
#include "base/thread.h"
#include "vm/clock.h"

#include <stdlib.h>

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
    struct arm_timer *owner;
    struct irq irq;
    struct vm_timer alarm;
    uint64_t cval;
    uint32_t ctl;               /* ENABLE, IMASK */
    bool line;
};

struct arm_timer {
    struct vm_clock *clock;
    uint32_t cntfrq;
    struct mutex lock;          /* the comparators */
    struct comparator comp[ARM_TIMER_COUNT];
};

uint64_t arm_timer_count(const struct arm_timer *t)
{
    return (uint64_t)vm_clock_ns(t->clock) / ARM_TIMER_NS_PER_COUNT;
}

static bool comp_is_met(const struct comparator *c)
{
    return c->ctl & CTL_ENABLE && arm_timer_count(c->owner) >= c->cval;
}

/* Under the lock: the line as it should be now, and the alarm for its next change by itself. */
static void comp_update(struct comparator *c)
{
    bool met = comp_is_met(c), line = met && !(c->ctl & CTL_IMASK);

    if (line != c->line) {
        c->line = line;
        irq_set(&c->irq, line);
    }
    if (met || c->ctl != CTL_ENABLE || c->cval > INT64_MAX / ARM_TIMER_NS_PER_COUNT) {
        vm_timer_cancel(&c->alarm);
    } else {
        vm_timer_arm(&c->alarm, (int64_t)(c->cval * ARM_TIMER_NS_PER_COUNT));
    }
}

static void comp_fire(void *ctx)
{
    struct comparator *c = ctx;

    mutex_lock(&c->owner->lock);
    comp_update(c);
    mutex_unlock(&c->owner->lock);
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

static uint64_t comp_read(struct comparator *c, uint32_t enc)
{
    if (enc == CNTP_CVAL || enc == CNTV_CVAL) {
        return c->cval;
    }
    if (enc == CNTP_TVAL || enc == CNTV_TVAL) {
        return (uint32_t)(c->cval - arm_timer_count(c->owner));
    }
    /* Who polls ISTATUS must not see it before the line that it stands for. */
    comp_update(c);
    return c->ctl | (comp_is_met(c) ? CTL_ISTATUS : 0);
}

static void comp_write(struct comparator *c, uint32_t enc, uint64_t v)
{
    if (enc == CNTP_CVAL || enc == CNTV_CVAL) {
        c->cval = v;
    } else if (enc == CNTP_TVAL || enc == CNTV_TVAL) {
        c->cval = arm_timer_count(c->owner) + (uint64_t)(int64_t)(int32_t)v;
    } else {
        c->ctl = v & (CTL_ENABLE | CTL_IMASK);
    }
    comp_update(c);
}

bool arm_timer_sysreg_read(struct arm_timer *t, uint32_t enc, uint64_t *v)
{
    if (enc == CNTVCT || enc == CNTPCT || enc == CNTVCTSS || enc == CNTPCTSS) {
        *v = arm_timer_count(t);
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
    mutex_lock(&t->lock);
    *v = comp_read(c, enc);
    mutex_unlock(&t->lock);
    return true;
}

bool arm_timer_sysreg_write(struct arm_timer *t, uint32_t enc, uint64_t v)
{
    if (enc == CNTFRQ) {
        t->cntfrq = v;          /* tells software, changes nothing (D12.1.3) */
        return true;
    }
    struct comparator *c = comp_of(t, enc);
    if (!c) {
        return false;
    }
    mutex_lock(&t->lock);
    comp_write(c, enc, v);
    mutex_unlock(&t->lock);
    return true;
}

void arm_timer_reset(struct arm_timer *t)
{
    mutex_lock(&t->lock);
    t->cntfrq = ARM_TIMER_HZ;
    for (unsigned i = 0; i < ARM_TIMER_COUNT; i++) {
        t->comp[i].cval = 0;
        t->comp[i].ctl = 0;
        comp_update(&t->comp[i]);
    }
    mutex_unlock(&t->lock);
}

struct arm_timer *arm_timer_new(struct vm_clock *clock, const struct irq irq[ARM_TIMER_COUNT],
                                struct err *e)
{
    struct arm_timer *t = calloc(1, sizeof(*t));
    if (!t) {
        err_set(e, "generic timer: out of memory");
        return NULL;
    }
    t->clock = clock;
    mutex_init(&t->lock);
    for (unsigned i = 0; i < ARM_TIMER_COUNT; i++) {
        t->comp[i].owner = t;
        t->comp[i].irq = irq[i];
        vm_timer_init(&t->comp[i].alarm, clock, comp_fire, &t->comp[i]);
    }
    arm_timer_reset(t);
    return t;
}

void arm_timer_free(struct arm_timer *t)
{
    if (!t) {
        return;
    }
    for (unsigned i = 0; i < ARM_TIMER_COUNT; i++) {
        vm_timer_cancel(&t->comp[i].alarm);
    }
    mutex_destroy(&t->lock);
    free(t);
}
