/* SPDX-License-Identifier: Apache-2.0 */
/* ARM PrimeCell PL031 real-time clock.  ARM DDI 0224B, chapter 3.
 *
 * A counter of seconds, and an interrupt when it equals a match value.  The counter runs with
 * guest time, so it stands while the machine is stopped. */
#include "base/base.h"
#include "pando/device.h"

struct pl031 {
    struct device dev;
    struct device_timer *alarm;
    int64_t base_ns;            /* the counter in ns when guest time was 0; see pl031_now_ns() */
    uint32_t match, load, control, irq_mask, irq_raw;
};

static struct pl031 *from(struct device *d)
{
    return CONTAINER_OF(d, struct pl031, dev);
}

static int64_t pl031_now_ns(struct pl031 *s)
{
    return s->base_ns + device_now_ns(&s->dev);
}

static void pl031_update(struct pl031 *s)
{
    device_irq_set(&s->dev, 0, s->irq_raw & s->irq_mask);
}

/* Arms for the moment when the counter becomes the match value.  The counter has 32 bits and
 * wraps; so does the distance. */
static void pl031_arm(struct pl031 *s)
{
    int64_t now_ns = pl031_now_ns(s);
    uint32_t left_s = s->match - (uint32_t)(now_ns / NS_PER_S);

    if (left_s == 0) {
        s->irq_raw = 1;
        left_s = UINT32_MAX;        /* once more in 136 years */
    }
    device_timer_arm(s->alarm, now_ns - s->base_ns + left_s * NS_PER_S - now_ns % NS_PER_S);
    pl031_update(s);
}

static void pl031_fire(struct device *d)
{
    from(d)->irq_raw = 1;
    pl031_arm(from(d));
}

static uint64_t pl031_rd_dr(struct device *d, unsigned i)
{
    return pl031_now_ns(from(d)) / NS_PER_S;
}

static void pl031_wr_mr(struct device *d, unsigned i, uint64_t v)
{
    pl031_arm(from(d));
}

static void pl031_wr_lr(struct device *d, unsigned i, uint64_t v)
{
    struct pl031 *s = from(d);

    s->base_ns = v * NS_PER_S - device_now_ns(d);
    pl031_arm(s);
}

static void pl031_wr_imsc(struct device *d, unsigned i, uint64_t v)
{
    pl031_update(from(d));
}

static uint64_t pl031_rd_mis(struct device *d, unsigned i)
{
    return from(d)->irq_raw & from(d)->irq_mask;
}

static void pl031_wr_icr(struct device *d, unsigned i, uint64_t v)
{
    from(d)->irq_raw &= ~(uint32_t)v;
    pl031_update(from(d));
}

static uint64_t pl031_rd_id(struct device *d, unsigned i)
{
    static const uint8_t id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

    return id[i];
}

#define REG31(off, name, m, ...) REG(off, 4, name, struct pl031, m, ##__VA_ARGS__)

static const struct device_reg pl031_regs[] = {
    REG_FN(0x00, 4, "RTCDR", .rd = pl031_rd_dr, .flags = REG_QUICK),
    REG31(0x04, "RTCMR", match, .wmask = UINT32_MAX, .wr = pl031_wr_mr),
    REG31(0x08, "RTCLR", load, .wmask = UINT32_MAX, .wr = pl031_wr_lr),
    /* Firmware has started the counter on this machine, and nothing stops it (3.3.4). */
    REG31(0x0c, "RTCCR", control, .reset = 1, .flags = REG_QUIET),
    REG31(0x10, "RTCIMSC", irq_mask, .wmask = 1, .wr = pl031_wr_imsc),
    REG31(0x14, "RTCRIS", irq_raw),
    REG_FN(0x18, 4, "RTCMIS", .rd = pl031_rd_mis, .flags = REG_QUICK),
    REG_FN(0x1c, 4, "RTCICR", .wr = pl031_wr_icr),
    REG_FN(0xfe0, 4, "RTCPeriphID", .count = 8, .sizes = 1 | 2 | 4, .rd = pl031_rd_id),
    { 0 },
};

static const struct device_state pl031_state[] = {
    STATE(struct pl031, base_ns),
    STATE(struct pl031, match),
    STATE(struct pl031, load),
    STATE(struct pl031, irq_mask),
    STATE(struct pl031, irq_raw),
    { 0 },
};

static bool pl031_realize(struct device *d, struct err *e)
{
    struct pl031 *s = from(d);

    s->alarm = device_timer_new(d, pl031_fire, e);
    s->base_ns = device_wall_ns(d) - device_now_ns(d);
    return s->alarm;
}

/* The time survives a reset of the machine, as on a board with a battery. */
static void pl031_reset(struct device *d)
{
    pl031_arm(from(d));
}

static bool pl031_after_load(struct device *d, struct err *e)
{
    struct pl031 *s = from(d);

    if (s->base_ns < -INT64_MAX / 2 || s->base_ns > INT64_MAX / 2) {
        return err_set(e, "the time is out of range: %lld ns", (long long)s->base_ns);
    }
    s->irq_mask &= 1;
    pl031_arm(s);
    return true;
}

const struct device_class pl031_class = {
    .name = "pl031",
    .about = "ARM PrimeCell real-time clock",
    .version = 1,
    .irqs_n = 1,
    .size = sizeof(struct pl031),
    .fdt_compatible = (const char *const[]){ "arm,pl031", "arm,primecell", NULL },
    .regions = (const struct device_region[]){ { .size = 0x1000, .regs = pl031_regs }, { 0 } },
    .state = pl031_state,
    .realize = pl031_realize,
    .reset = pl031_reset,
    .after_load = pl031_after_load,
};
