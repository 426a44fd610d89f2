/* SPDX-License-Identifier: Apache-2.0 */
/* Generic timer on a clock that stands and is moved by hand; then firing on a real one. */
#include "base/err.h"
#include "base/loop.h"
#include "dev/timer/arm_timer.h"
#include "vm/clock.h"
#include "vm/device.h"

#include "../check.h"

#include <stdlib.h>

#define ENC(crm, op2) (3 << 14 | 3 << 11 | 14 << 7 | (crm) << 3 | (op2))
#define CNTFRQ ENC(0, 0)
#define CNTVCT ENC(0, 2)
#define CNTP_CTL ENC(2, 1)
#define CNTV_TVAL ENC(3, 0)
#define CNTV_CTL ENC(3, 1)
#define CNTV_CVAL ENC(3, 2)

static bool level[2];

static void set_level(void *ctx, unsigned n, bool v)
{
    level[n] = v;
}

static uint64_t rd(struct device *t, uint32_t enc)
{
    uint64_t v = ~UINT64_C(0);
    CHECK(arm_timer_sysreg_read(t, enc, &v));
    return v;
}

static void wr(struct device *t, uint32_t enc, uint64_t v)
{
    CHECK(arm_timer_sysreg_write(t, enc, v));
}

static void test_levels(struct vm_clock *clock, struct device *t)
{
    uint64_t v;
    CHECK(rd(t, CNTFRQ) == 62500000);
    CHECK(!arm_timer_sysreg_read(t, ENC(2, 3), &v) && !arm_timer_sysreg_write(t, CNTVCT, 1));
    vm_clock_at_least(clock, 1600);
    CHECK(rd(t, CNTVCT) == 100 && arm_timer_count(t) == 100);
    wr(t, CNTV_CVAL, 150);
    CHECK(rd(t, CNTV_TVAL) == 50);
    wr(t, CNTV_CTL, 1);
    CHECK(rd(t, CNTV_CTL) == 1 && !level[ARM_TIMER_VIRT]);
    vm_clock_at_least(clock, 150 * 16);
    CHECK(rd(t, CNTV_CTL) == 5 && level[ARM_TIMER_VIRT]);
    wr(t, CNTV_CTL, 3);
    CHECK(rd(t, CNTV_CTL) == 7 && !level[ARM_TIMER_VIRT], "masked, but met");
    wr(t, CNTV_CTL, 1);
    CHECK(level[ARM_TIMER_VIRT]);
    wr(t, CNTV_TVAL, 1000);
    CHECK(!level[ARM_TIMER_VIRT] && rd(t, CNTV_CTL) == 1, "a later value lowers it");
    CHECK(rd(t, CNTV_CVAL) == 1150);
    wr(t, CNTV_TVAL, (uint32_t)-10);
    CHECK(level[ARM_TIMER_VIRT] && rd(t, CNTV_CVAL) == 140 && rd(t, CNTV_TVAL) == 0xfffffff6);
    wr(t, CNTV_CTL, 0);
    CHECK(!level[ARM_TIMER_VIRT] && rd(t, CNTV_CTL) == 0);
    wr(t, CNTP_CTL, 1);
    CHECK(level[ARM_TIMER_PHYS] && !level[ARM_TIMER_VIRT]);
    wr(t, CNTV_CVAL, ~UINT64_C(0));     /* never */
    wr(t, CNTV_CTL, 1);
    CHECK(!level[ARM_TIMER_VIRT]);
    device_reset(t);
    CHECK(!level[ARM_TIMER_PHYS] && rd(t, CNTP_CTL) == 0);
}

static void test_firing(struct loop *loop, struct vm_clock *clock, struct device *t)
{
    vm_clock_run(clock, true);
    wr(t, CNTV_TVAL, 1000);
    wr(t, CNTV_CTL, 1);
    for (unsigned i = 0; i < 1000 && !level[ARM_TIMER_VIRT]; i++) {
        loop_run_once(loop, 10000000);
    }
    CHECK(level[ARM_TIMER_VIRT]);
    wr(t, CNTV_TVAL, 62500000u * 30);
    CHECK(!level[ARM_TIMER_VIRT]);
    vm_clock_adjust(clock, INT64_C(31000000000));
    for (unsigned i = 0; i < 1000 && !level[ARM_TIMER_VIRT]; i++) {
        loop_run_once(loop, 10000000);
    }
    CHECK(level[ARM_TIMER_VIRT], "the clock moved on");
}

static struct device *make(struct loop *loop, struct vm_clock *clock)
{
    struct device_env env = { .clock = clock, .loop = loop };
    struct err e;
    struct device *t = arm_timer_new(0, &env, &e);

    for (unsigned i = 0; i < ARM_TIMER_COUNT; i++) {
        device_connect_irq(t, i, (struct irq){ .set = set_level, .n = i });
    }
    device_reset(t);
    return t;
}

/* One has fired and one is armed: in a new timer they are as they were. */
static void test_saved(struct loop *loop, struct vm_clock *clock, struct device *t)
{
    struct device *loaded;
    uint8_t *blob = NULL;
    struct err e;
    size_t n;

    vm_clock_run(clock, false);
    wr(t, CNTFRQ, 1000000);
    wr(t, CNTP_CTL, 1);
    wr(t, CNTV_TVAL, 1000);
    CHECK(level[ARM_TIMER_PHYS] && !level[ARM_TIMER_VIRT]);
    CHECK(device_save(t, &blob, &n, &e));
    loaded = make(loop, clock);
    level[ARM_TIMER_PHYS] = level[ARM_TIMER_VIRT] = false;
    CHECK(device_load(loaded, blob, n, &e), "%s", e.text);
    CHECK(level[ARM_TIMER_PHYS] && !level[ARM_TIMER_VIRT]);
    CHECK(rd(loaded, CNTFRQ) == 1000000 && rd(loaded, CNTV_TVAL) == 1000);
    device_free(t);
    vm_clock_step_to(clock, vm_clock_ns(clock) + 16001);
    CHECK(level[ARM_TIMER_VIRT], "it fires");
    device_free(loaded);
    free(blob);
}

int main(void)
{
    struct err e;
    struct loop *loop = loop_create(&e);
    struct vm_clock *clock = vm_clock_new(loop);
    struct device *t = make(loop, clock);

    test_levels(clock, t);
    test_firing(loop, clock, t);
    test_saved(loop, clock, t);
    vm_clock_free(clock);
    loop_destroy(loop);
    return check_result();
}
