/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/mono.h"
#include "vm/clock.h"

struct fired {
    struct vm_clock *clock;
    int64_t at_ns;
    unsigned n;
};

static void fire(void *ctx)
{
    struct fired *f = ctx;
    f->at_ns = vm_clock_ns(f->clock);
    f->n++;
}

static void run_for(struct loop *l, int64_t ns)
{
    for (int64_t end = mono_now_ns() + ns; mono_now_ns() < end;) {
        loop_run_once(l, 1000000);
    }
}

int main(void)
{
    struct err e;
    struct loop *l = loop_create(&e);
    struct vm_clock *c = vm_clock_new(l);
    struct fired f = { .clock = c };
    struct vm_timer t;
    int64_t a, b;

    CHECK(vm_clock_ns(c) == 0, "made standing at 0");
    vm_timer_init(&t, c, fire, &f);
    vm_timer_arm(&t, 2000000);
    run_for(l, 5000000);
    CHECK(f.n == 0 && vm_clock_ns(c) == 0, "no guest time passes while it stands");

    vm_clock_run(c, true);
    a = vm_clock_ns(c);
    b = vm_clock_ns(c);
    CHECK(a >= 0 && b >= a);
    run_for(l, 10000000);
    CHECK(f.n == 1 && f.at_ns >= 2000000, "n %u at %ld", f.n, (long)f.at_ns);

    vm_clock_run(c, false);
    a = vm_clock_ns(c);
    run_for(l, 2000000);
    CHECK(vm_clock_ns(c) == a);
    vm_clock_run(c, true);
    CHECK(vm_clock_ns(c) >= a && vm_clock_ns(c) < a + NS_PER_S);

    /* Forward: a far timer comes near.  Back: time stands, and never returns. */
    vm_timer_arm(&t, vm_clock_ns(c) + 3600 * NS_PER_S);
    vm_clock_adjust(c, 3600 * NS_PER_S);
    run_for(l, 5000000);
    CHECK(f.n == 2);
    a = vm_clock_ns(c);
    vm_clock_adjust(c, -1800 * NS_PER_S);
    CHECK(vm_clock_ns(c) >= a);
    vm_clock_at_least(c, a + 5000 * NS_PER_S);
    CHECK(vm_clock_ns(c) >= a + 5000 * NS_PER_S);

    vm_timer_arm(&t, vm_clock_ns(c) + 1000);
    vm_timer_cancel(&t);
    run_for(l, 2000000);
    CHECK(f.n == 2, "a cancelled timer does not fire");
    vm_timer_arm(&t, INT64_MAX);
    vm_timer_cancel(&t);
    vm_clock_free(c);
    loop_destroy(l);
    return check_result();
}
