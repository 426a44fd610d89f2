/* SPDX-License-Identifier: Apache-2.0 */
/* @name@: counts, and interrupts after each `period` milliseconds.
 *
 *   0x00  ID       read    0x31544143
 *   0x04  CONTROL          bit 0: run
 *   0x08  PERIOD           milliseconds, 1 … 60000
 *   0x0c  STATUS           bit 0: a period is over (interrupt); write 1 to clear
 *   0x10  TICKS    read    periods that are over since the last start
 *   0x18  BUFFER           64 bits: TICKS is also stored here in memory; 0: nowhere */
#include <pando/device.h>

#include <string.h>

#define ID_VALUE 0x31544143
#define CONTROL_RUN 1u
#define STATUS_TICK 1u
#define PERIOD_MS_MAX 60000
#define NS_PER_MS INT64_C(1000000)

/* All that it is.  The guest's view and what is saved are described by the tables below. */
struct @name@ {
    struct device dev;              /* first */
    struct device_timer *timer;
    uint32_t control, period_ms, status, ticks;
    uint64_t buffer;
    int64_t deadline_ns;            /* guest time of the next tick, while it runs */
    uint32_t period_ms_default;     /* option */
};

static struct @name@ *from(struct device *d)
{
    return (struct @name@ *)d;
}

/* The line is up as long as a bit of STATUS is set: say so after each change. */
static void update_irq(struct @name@ *s)
{
    device_irq_set(&s->dev, 0, s->status != 0);
}

/* ---- what happens ---- */

static void next_tick(struct @name@ *s, int64_t after_ns)
{
    s->deadline_ns = after_ns + s->period_ms * NS_PER_MS;
    device_timer_arm(s->timer, s->deadline_ns);
}

static void @name@_fire(struct device *d)
{
    struct @name@ *s = from(d);

    s->ticks++;
    s->status |= STATUS_TICK;
    if (s->buffer && !device_dma_write(d, s->buffer, &s->ticks, sizeof s->ticks)) {
        device_log_guest(d, "BUFFER is not in memory");
        s->buffer = 0;
    }
    update_irq(s);
    next_tick(s, s->deadline_ns);
}

/* Hooks are called after the field has got the bits of its `wmask`. */
static void @name@_wr_control(struct device *d, unsigned i, uint64_t v)
{
    struct @name@ *s = from(d);

    (void)i, (void)v;
    if (s->control & CONTROL_RUN) {
        s->ticks = 0;
        next_tick(s, device_now_ns(d));
    } else {
        device_timer_cancel(s->timer);
    }
}

static void @name@_wr_period(struct device *d, unsigned i, uint64_t v)
{
    (void)i;
    if (v < 1 || v > PERIOD_MS_MAX) {
        device_log_guest(d, "a period of %u ms: 1 to %u", (unsigned)v, PERIOD_MS_MAX);
    } else {
        from(d)->period_ms = v;
    }
}

static void @name@_wr_status(struct device *d, unsigned i, uint64_t v)
{
    (void)i, (void)v;
    update_irq(from(d));
}

/* ---- tables ---- */

static uint64_t @name@_rd_id(struct device *d, unsigned i)
{
    (void)d, (void)i;
    return ID_VALUE;
}

static const struct device_reg @name@_regs[] = {
    REG_FN(0x00, 4, "ID", .rd = @name@_rd_id),
    REG(0x04, 4, "CONTROL", struct @name@, control, .wmask = CONTROL_RUN,
        .wr = @name@_wr_control),
    REG(0x08, 4, "PERIOD", struct @name@, period_ms, .wr = @name@_wr_period),
    REG(0x0c, 4, "STATUS", struct @name@, status, .flags = REG_W1C, .wmask = STATUS_TICK,
        .wr = @name@_wr_status),
    REG(0x10, 4, "TICKS", struct @name@, ticks),
    REG(0x18, 8, "BUFFER", struct @name@, buffer, .sizes = 4 | 8, .flags = REG_LANES,
        .wmask = UINT64_MAX),
    REG_END
};

static const struct device_region @name@_regions[] = {
    { .size = 0x20, .regs = @name@_regs },
    REGION_END
};

static const struct device_option @name@_options[] = {
    OPTION("period", struct @name@, period_ms_default, OPTION_U32, "1000",
           "milliseconds between ticks after a reset"),
    OPTION_END
};

static const struct device_state @name@_state[] = {
    STATE(struct @name@, control), STATE(struct @name@, period_ms),
    STATE(struct @name@, status), STATE(struct @name@, ticks),
    STATE(struct @name@, buffer), STATE(struct @name@, deadline_ns),
    STATE_END
};

/* ---- life ---- */

static bool @name@_realize(struct device *d, struct err *e)
{
    struct @name@ *s = from(d);

    if (s->period_ms_default < 1 || s->period_ms_default > PERIOD_MS_MAX) {
        return err_set(e, "period=%u: 1 to %u", s->period_ms_default, PERIOD_MS_MAX);
    }
    s->timer = device_timer_new(d, @name@_fire, e);
    return s->timer != NULL;
}

static void @name@_reset(struct device *d)
{
    from(d)->period_ms = from(d)->period_ms_default;
    update_irq(from(d));
}

/* The state may come from anywhere: check what the code relies on. */
static bool @name@_after_load(struct device *d, struct err *e)
{
    struct @name@ *s = from(d);

    if (s->period_ms < 1 || s->period_ms > PERIOD_MS_MAX) {
        return err_set(e, "a period of %u ms", s->period_ms);
    }
    if (s->control & CONTROL_RUN) {
        device_timer_arm(s->timer, s->deadline_ns);
    }
    update_irq(s);
    return true;
}

static const char *const @name@_compatible[] = { "example,@name@", NULL };

static const struct device_class @name@_class = {
    .name = "@name@",
    .about = "ticks, and interrupts after each",
    .bus = "platform-bus",
    .user = true,
    .version = 1,
    .irqs_n = 1,
    .size = sizeof(struct @name@),
    .fdt_compatible = @name@_compatible,
    .regions = @name@_regions,
    .options = @name@_options,
    .state = @name@_state,
    .realize = @name@_realize,
    .reset = @name@_reset,
    .after_load = @name@_after_load,
};

DEVICE_PLUGIN(@name@_class)
