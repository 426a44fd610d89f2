/* SPDX-License-Identifier: Apache-2.0 */
/* The same as counter.c in C++20: a counter of ticks with an interrupt.
 *
 *   0x00  u32 period    read, write: ms between ticks; 0 stops it
 *   0x04  u32 count     read: ticks so far; writing clears it and lowers the interrupt
 *   0x08  u64 address   read, write: where in guest memory the count is written at each tick; 0:
 *                       nowhere
 *   second region: 64 bytes of memory that are the driver's own */
#include <pando/device.h>

struct counter {
    struct device dev;
    struct device_timer *tick;
    uint32_t period_ms, count;
    uint64_t address;
    uint32_t limit;             /* option */
};

static struct counter *from(struct device *d)
{
    return reinterpret_cast<counter *>(d);
}

static void counter_arm(struct counter *s)
{
    if (s->period_ms) {
        device_timer_arm(s->tick, device_now_ns(&s->dev) + s->period_ms * INT64_C(1000000));
    } else {
        device_timer_cancel(s->tick);
    }
}

static void counter_tick(struct device *d)
{
    struct counter *s = from(d);

    s->count++;
    if (s->address && !device_dma_write(d, s->address, &s->count, sizeof s->count)) {
        device_log_guest(d, "there is no memory at 0x%llx", (unsigned long long)s->address);
        s->address = 0;
    }
    if (s->count < s->limit) {
        counter_arm(s);
    }
    device_irq_set(d, 0, true);
}

static void counter_wr_period(struct device *d, unsigned i, uint64_t v)
{
    (void)i, (void)v;
    counter_arm(from(d));
}

static void counter_wr_count(struct device *d, unsigned i, uint64_t v)
{
    (void)i, (void)v;
    from(d)->count = 0;
    device_irq_set(d, 0, false);
}

static const struct device_reg counter_regs[] = {
    REG(0x0, 4, "period", struct counter, period_ms, .wmask = UINT32_MAX,
        .wr = counter_wr_period),
    REG(0x4, 4, "count", struct counter, count, .wr = counter_wr_count),
    REG(0x8, 8, "address", struct counter, address, .sizes = 4 | 8, .flags = REG_LANES,
        .wmask = UINT64_MAX),
    REG_END
};

static const struct device_region counter_regions[] = {
    { .name = "registers", .size = 0x10, .regs = counter_regs },
    { .name = "memory", .size = 64, .ram = true },
    REGION_END
};

static const struct device_option counter_options[] = {
    OPTION("limit", struct counter, limit, OPTION_U32, "1000", "it stops there"),
    OPTION_END
};

static const struct device_state counter_state[] = {
    STATE(struct counter, period_ms),
    STATE(struct counter, count),
    STATE(struct counter, address),
    STATE_END
};

static bool counter_realize(struct device *d, struct err *e)
{
    if (from(d)->limit == 0) {
        return err_set(e, "limit=0: at least 1");
    }
    from(d)->tick = device_timer_new(d, counter_tick, e);
    return from(d)->tick != nullptr;
}

static void counter_reset(struct device *d)
{
    device_irq_set(d, 0, false);
}

static bool counter_after_load(struct device *d, struct err *e)
{
    (void)e;
    counter_arm(from(d));
    device_irq_set(d, 0, from(d)->count != 0);
    return true;
}

static void counter_describe(const struct device *d, struct device_fdt *node)
{
    device_fdt_put_u32(node, "limit", reinterpret_cast<const counter *>(d)->limit);
}

static const char *const counter_compatible[] = { "example,counter", nullptr };

static const struct device_class counter_class = {
    .name = "counter-cpp",
    .about = "an example of a plug-in",
    .version = 1,
    .irqs_n = 1,
    .size = sizeof(struct counter),
    .fdt_compatible = counter_compatible,
    .regions = counter_regions,
    .options = counter_options,
    .state = counter_state,
    .realize = counter_realize,
    .reset = counter_reset,
    .after_load = counter_after_load,
    .describe_fdt = counter_describe,
};

DEVICE_PLUGIN(counter_class)
