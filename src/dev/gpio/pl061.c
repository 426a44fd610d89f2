/* SPDX-License-Identifier: Apache-2.0 */
/* ARM PrimeCell PL061 general-purpose input/output.  ARM DDI 0190B, chapter 3. */
#include "dev/gpio/pl061.h"

#include "base/base.h"
#include "pando/device.h"

#include <assert.h>

struct pl061 {
    struct device dev;
    struct device_timer *release;        /* of the pins in `pressed` */
    uint8_t pressed;
    uint8_t in;                     /* levels from outside */
    uint8_t out;                    /* GPIODATA as written */
    uint8_t dir, sense, both_edges, event, irq_mask, afsel;
    uint8_t edges;                  /* latched edge interrupts */
    uint8_t said;                   /* levels of the output pins' lines */
};

static struct pl061 *from(struct device *d)
{
    return CONTAINER_OF(d, struct pl061, dev);
}

static uint8_t pl061_pins(const struct pl061 *s)
{
    return (s->in & ~s->dir) | (s->out & s->dir);
}

/* Levels are live, edges latched (3.3.3 to 3.3.7). */
static uint8_t pl061_raw(const struct pl061 *s)
{
    uint8_t levels = ~(pl061_pins(s) ^ s->event) & s->sense;

    return levels | (s->edges & ~s->sense);
}

static void pl061_update(struct pl061 *s)
{
    device_irq_set(&s->dev, 0, pl061_raw(s) & s->irq_mask);
}

static void pl061_update_outputs(struct pl061 *s)
{
    uint8_t levels = s->out & s->dir, changed = levels ^ s->said;

    for (unsigned pin = 0; pin < PL061_PINS_N; pin++) {
        if (changed >> pin & 1) {
            device_irq_set(&s->dev, 1 + pin, levels >> pin & 1);
        }
    }
    s->said = levels;
    pl061_update(s);
}

static void pl061_in(struct pl061 *s, uint8_t in)
{
    uint8_t changed = (s->in ^ in) & ~s->dir & ~s->sense;

    s->in = in;
    s->edges |= changed & (s->both_edges | ~(in ^ s->event));
    pl061_update(s);
}

/* ---- pins ------------------------------------------------------------------------------ */

void pl061_pin_set(struct device *d, unsigned pin, bool level)
{
    struct pl061 *s = from(d);

    assert(pin < PL061_PINS_N);
    device_lock(d);
    pl061_in(s, (s->in & ~(1 << pin)) | level << pin);
    device_unlock(d);
}

void pl061_pin_pulse(struct device *d, unsigned pin)
{
    struct pl061 *s = from(d);

    assert(pin < PL061_PINS_N);
    device_lock(d);
    s->pressed |= 1 << pin;
    pl061_in(s, s->in | s->pressed);
    device_timer_arm(s->release, device_now_ns(d) + PL061_PULSE_NS);
    device_unlock(d);
}

static void pl061_released(struct device *d)
{
    struct pl061 *s = from(d);

    pl061_in(s, s->in & ~s->pressed);
    s->pressed = 0;
}

/* Who presses lets go later, also when a reset or a load comes between. */
static void pl061_release_later(struct pl061 *s)
{
    if (s->pressed) {
        device_timer_arm(s->release, device_now_ns(&s->dev) + PL061_PULSE_NS);
    }
}

/* ---- registers ------------------------------------------------------------------------- */

/* Bits 9:2 of the address of GPIODATA are a mask (3.3.1): register i gives the pins in i. */
static uint64_t pl061_rd_data(struct device *d, unsigned i)
{
    return pl061_pins(from(d)) & i;
}

static void pl061_wr_data(struct device *d, unsigned i, uint64_t v)
{
    struct pl061 *s = from(d);

    s->out = (s->out & ~(i & s->dir)) | (v & i & s->dir);
    pl061_update_outputs(s);
}

static void pl061_wr_dir(struct device *d, unsigned i, uint64_t v)
{
    pl061_update_outputs(from(d));
}

static void pl061_wr_irq(struct device *d, unsigned i, uint64_t v)
{
    pl061_update(from(d));
}

static uint64_t pl061_rd_ris(struct device *d, unsigned i)
{
    return pl061_raw(from(d));
}

static uint64_t pl061_rd_mis(struct device *d, unsigned i)
{
    return pl061_raw(from(d)) & from(d)->irq_mask;
}

static void pl061_wr_ic(struct device *d, unsigned i, uint64_t v)
{
    from(d)->edges &= ~v;
    pl061_update(from(d));
}

static uint64_t pl061_rd_id(struct device *d, unsigned i)
{
    static const uint8_t id[8] = { 0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

    return id[i];
}

#define ANY_SIZE .sizes = 1 | 2 | 4
#define REG61(off, name, m, ...) \
    REG(off, 4, name, struct pl061, m, ANY_SIZE, .wmask = 0xff, ##__VA_ARGS__)

static const struct device_reg pl061_regs[] = {
    REG_FN(0x000, 4, "GPIODATA", .count = 256, ANY_SIZE, .rd = pl061_rd_data,
           .wr = pl061_wr_data),
    REG61(0x400, "GPIODIR", dir, .wr = pl061_wr_dir),
    REG61(0x404, "GPIOIS", sense, .wr = pl061_wr_irq),
    REG61(0x408, "GPIOIBE", both_edges),
    REG61(0x40c, "GPIOIEV", event, .wr = pl061_wr_irq),
    REG61(0x410, "GPIOIE", irq_mask, .wr = pl061_wr_irq),
    REG_FN(0x414, 4, "GPIORIS", ANY_SIZE, .rd = pl061_rd_ris, .flags = REG_QUICK),
    REG_FN(0x418, 4, "GPIOMIS", ANY_SIZE, .rd = pl061_rd_mis, .flags = REG_QUICK),
    REG_FN(0x41c, 4, "GPIOIC", ANY_SIZE, .wr = pl061_wr_ic),
    REG61(0x420, "GPIOAFSEL", afsel),
    REG_FN(0xfe0, 4, "GPIOPeriphID", .count = 8, ANY_SIZE, .rd = pl061_rd_id),
    { 0 },
};

static const struct device_state pl061_state[] = {
    STATE(struct pl061, pressed),
    STATE(struct pl061, in),
    STATE(struct pl061, out),
    STATE(struct pl061, dir),
    STATE(struct pl061, sense),
    STATE(struct pl061, both_edges),
    STATE(struct pl061, event),
    STATE(struct pl061, irq_mask),
    STATE(struct pl061, afsel),
    STATE(struct pl061, edges),
    { 0 },
};

static bool pl061_realize(struct device *d, struct err *e)
{
    from(d)->release = device_timer_new(d, pl061_released, e);
    return from(d)->release;
}

/* The levels from outside are not ours to reset. */
static void pl061_reset(struct device *d)
{
    from(d)->out = 0;
    from(d)->edges = 0;
    pl061_release_later(from(d));
    pl061_update_outputs(from(d));
}

static bool pl061_after_load(struct device *d, struct err *e)
{
    pl061_release_later(from(d));
    pl061_update_outputs(from(d));
    return true;
}

const struct device_class pl061_class = {
    .name = "pl061",
    .about = "ARM PrimeCell general-purpose input/output",
    .version = 1,
    .irqs_n = 1 + PL061_PINS_N,
    .size = sizeof(struct pl061),
    .fdt_compatible = (const char *const[]){ "arm,pl061", "arm,primecell", NULL },
    .regions = (const struct device_region[]){ { .size = 0x1000, .regs = pl061_regs }, { 0 } },
    .state = pl061_state,
    .realize = pl061_realize,
    .reset = pl061_reset,
    .after_load = pl061_after_load,
};
