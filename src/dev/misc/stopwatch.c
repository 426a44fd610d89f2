/* SPDX-License-Identifier: Apache-2.0 */
/* The stopwatch: a small device for those who learn how a device meets a guest.  It has one of
 * everything: memory that the guest reaches directly, registers that trap, and an interrupt.
 *
 *   region 0, RAM, 0x88 bytes            region 1, registers, 0x10 bytes
 *   0x00  u64   data_len                 0x00  u64 command   write
 *   0x08  char  data[128]                0x08  u64 status    read
 *
 * Both may lie in one page.  Drivers use 32-bit or 64-bit accesses.  The commands are below;
 * time is the guest's.  This file is a plug-in as well: `make -C examples/stopwatch device`. */
#include <pando/device.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STOPWATCH_TIMEOUT_MAX_S 10
#define NS_PER_S INT64_C(1000000000)

enum { REGION_MEM, REGION_REGS };
enum stopwatch_state { STOPWATCH_RUNNING, STOPWATCH_RESET, STOPWATCH_PAUSED };

struct stopwatch_mem {
    uint64_t data_len;
    char data[128];
};
_Static_assert(sizeof(struct stopwatch_mem) == 0x88, "drivers know the layout");

struct stopwatch {
    struct device dev;
    struct device_timer *timeout;
    bool start_at_boot;             /* option */
    uint64_t status;                /* enum stopwatch_state */
    int64_t since_ns;               /* while it runs: guest time of the start, less what it had */
    int64_t elapsed_ns;             /* while it does not run, and in a saved state */
    bool irq_raised;
    bool timeout_armed;             /* in a saved state, both */
    int64_t timeout_left_ns;
};

static struct stopwatch *from(struct device *d)
{
    return (struct stopwatch *)d;       /* the first member */
}

static int64_t now_ns(const struct stopwatch *s)
{
    return device_now_ns(&s->dev);
}

static int64_t elapsed_ns(const struct stopwatch *s)
{
    return s->status == STOPWATCH_RUNNING ? now_ns(s) - s->since_ns : s->elapsed_ns;
}

static void set_irq(struct stopwatch *s, bool level)
{
    s->irq_raised = level;
    device_irq_set(&s->dev, 0, level);
}

/* ---- commands -------------------------------------------------------------------------- */

static bool command_reset(struct stopwatch *s)
{
    s->status = STOPWATCH_RESET;
    s->elapsed_ns = 0;
    return true;
}

static bool command_start(struct stopwatch *s)
{
    if (s->status == STOPWATCH_RUNNING) {
        return false;
    }
    s->status = STOPWATCH_RUNNING;
    s->since_ns = now_ns(s) - s->elapsed_ns;
    return true;
}

static bool command_pause(struct stopwatch *s)
{
    if (s->status != STOPWATCH_RUNNING) {
        return false;
    }
    s->elapsed_ns = elapsed_ns(s);
    s->status = STOPWATCH_PAUSED;
    return true;
}

static bool command_update(struct stopwatch *s)
{
    struct stopwatch_mem *mem = device_ram(&s->dev, REGION_MEM);
    int64_t hundredths = elapsed_ns(s) / (NS_PER_S / 100);
    char text[sizeof mem->data];

    /* Made aside: the guest sees `mem` all the time. */
    snprintf(text, sizeof text, "%" PRId64 ".%02d seconds", hundredths / 100,
             (int)(hundredths % 100));
    memcpy(mem->data, text, strlen(text) + 1);
    mem->data_len = strlen(text) + 1;
    return true;
}

static bool command_timeout(struct stopwatch *s)
{
    const struct stopwatch_mem *mem = device_ram(&s->dev, REGION_MEM);
    uint64_t seconds = *(const volatile uint64_t *)&mem->data_len;

    if (seconds > STOPWATCH_TIMEOUT_MAX_S) {
        device_log_guest(&s->dev, "timeout of %" PRIu64 " s: at most %d", seconds,
                  STOPWATCH_TIMEOUT_MAX_S);
        return true;
    }
    device_timer_arm(s->timeout, now_ns(s) + (int64_t)seconds * NS_PER_S);
    return true;
}

static bool command_acknowledge(struct stopwatch *s)
{
    set_irq(s, false);
    return true;
}

/* Each gives false in a state in which it means nothing. */
static const struct {
    const char *name;
    bool (*run)(struct stopwatch *s);
} commands[] = {
    { "reset", command_reset }, { "start", command_start }, { "pause", command_pause },
    { "update", command_update }, { "timeout", command_timeout },
    { "acknowledge", command_acknowledge },
};

static void stopwatch_wr_command(struct device *d, unsigned i, uint64_t v)
{
    struct stopwatch *s = from(d);

    if (v >= sizeof commands / sizeof commands[0]) {
        device_log_guest(d, "there is no command %" PRIu64, v);
    } else if (!commands[v].run(s)) {
        device_log_guest(d, "command %s in state %" PRIu64 " has no effect", commands[v].name,
                  s->status);
    }
}

static void stopwatch_expired(struct device *d)
{
    set_irq(from(d), true);
}

/* ---- tables and life ------------------------------------------------------------------- */

#define WORDS .sizes = 4 | 8

static const struct device_reg stopwatch_regs[] = {
    REG_FN(0x0, 8, "command", WORDS, .wr = stopwatch_wr_command),
    REG(0x8, 8, "status", struct stopwatch, status, WORDS, .reset = STOPWATCH_RESET),
    { 0 },
};

static const struct device_option stopwatch_options[] = {
    OPTION("start_at_boot", struct stopwatch, start_at_boot, OPTION_BOOL, "on",
           "run from the machine's start on"),
    { 0 },
};

static const struct device_state stopwatch_state[] = {
    STATE(struct stopwatch, status),
    STATE(struct stopwatch, elapsed_ns),
    STATE(struct stopwatch, timeout_armed),
    STATE(struct stopwatch, timeout_left_ns),
    STATE(struct stopwatch, irq_raised),
    { 0 },
};

static bool stopwatch_realize(struct device *d, struct err *e)
{
    from(d)->timeout = device_timer_new(d, stopwatch_expired, e);
    return from(d)->timeout;
}

static void stopwatch_reset(struct device *d)
{
    struct stopwatch *s = from(d);

    set_irq(s, false);
    command_reset(s);
    if (s->start_at_boot) {
        command_start(s);
    }
}

/* Guest time may start anew where the state is loaded, so it holds distances. */
static void stopwatch_before_save(struct device *d)
{
    struct stopwatch *s = from(d);

    s->elapsed_ns = elapsed_ns(s);
    s->timeout_armed = device_timer_is_armed(s->timeout);
    s->timeout_left_ns = device_timer_deadline_ns(s->timeout) - now_ns(s);
}

static bool stopwatch_after_load(struct device *d, struct err *e)
{
    struct stopwatch *s = from(d);

    if (s->status > STOPWATCH_PAUSED || s->elapsed_ns < 0 || s->elapsed_ns > INT64_MAX / 2 ||
        (s->timeout_armed && s->timeout_left_ns > STOPWATCH_TIMEOUT_MAX_S * NS_PER_S)) {
        return err_set(e, "no state of a stopwatch");
    }
    s->since_ns = now_ns(s) - s->elapsed_ns;
    if (s->timeout_armed) {
        device_timer_arm(s->timeout, now_ns(s) + s->timeout_left_ns);   /* perhaps it is over */
    }
    set_irq(s, s->irq_raised);
    return true;
}

const struct device_class stopwatch_class = {
    .name = "stopwatch",
    .about = "a stopwatch, to learn from",
    .bus = "platform-bus",
    .user = true,
    .version = 1,
    .irqs_n = 1,
    .size = sizeof(struct stopwatch),
    .fdt_compatible = (const char *const[]){ "stopwatch", NULL },
    .regions = (const struct device_region[]){
        [REGION_MEM] = { "memory", sizeof(struct stopwatch_mem), .ram = true },
        [REGION_REGS] = { "registers", 0x10, .regs = stopwatch_regs }, { 0 } },
    .options = stopwatch_options,
    .state = stopwatch_state,
    .realize = stopwatch_realize,
    .reset = stopwatch_reset,
    .before_save = stopwatch_before_save,
    .after_load = stopwatch_after_load,
};

DEVICE_PLUGIN(stopwatch_class)
