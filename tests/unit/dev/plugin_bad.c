/* SPDX-License-Identifier: Apache-2.0 */
/* Plug-ins that are wrong, each in its way (-DBAD_…). */
#include <pando/device.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Not seen through by the compiler. */
static void __attribute__((unused)) crash(void)
{
    volatile uintptr_t nowhere = 16;

    *(volatile int *)nowhere = 1;
}

struct bad {
    struct device dev;
    struct device_timer *timer;
    uint32_t value;
};

static void __attribute__((unused)) *crash_in_thread(void *ctx)
{
    crash();
    return ctx;
}

static void bad_fire(struct device *d)
{
#ifdef BAD_TIMER
    crash();
#endif
}

/* The line is up when it happens. */
static uint64_t bad_rd(struct device *d, unsigned i)
{
    device_irq_set(d, 0, true);
#if defined BAD_READ
    crash();
#elif defined BAD_LEASE
    struct device_lease lease[3];

    for (unsigned n = 0; n < 3; n++) {
        device_lease_get(d, 0x40000000 + n * 4096, 4097, n & 1, &lease[n]);
    }
    device_lease_put(d, &lease[1]);
    crash();
#elif defined BAD_UNLOCK
    device_unlock(d);
    crash();
#elif defined BAD_RELOCK
    device_unlock(d);
    device_lock(d);
    device_lock(d);
#elif defined BAD_LIBRARY
    volatile uintptr_t nowhere = 16;

    memset((void *)nowhere, 1, 1000 + ((struct bad *)d)->value);
#elif defined BAD_ASSERT
    abort();
#elif defined BAD_THREAD
    pthread_t t;

    pthread_create(&t, NULL, crash_in_thread, NULL);
    pthread_join(t, NULL);
#endif
    return 5;
}

static void bad_wr(struct device *d, unsigned i, uint64_t v)
{
    device_timer_arm(((struct bad *)d)->timer, device_now_ns(d));
}

static const struct device_reg __attribute__((unused)) bad_regs[] = {
    REG_FN(0, 4, "CONTROL", .rd = bad_rd, .wr = bad_wr),
    REG(4, 4, "VALUE", struct bad, value, .wmask = UINT32_MAX),
#if defined BAD_TABLE
    REG_FN(4, 1, "OTHER", .rd = bad_rd),
#elif defined BAD_UNLOCKED
    REG_FN(8, 4, "OTHER", .rd = bad_rd, .flags = REG_UNLOCKED),
#endif
    REG_END
};

static const struct device_region __attribute__((unused)) bad_regions[] = {
#ifdef BAD_REGIONS
    { .size = 8 }, { .size = 8 }, { .size = 8 }, { .size = 8 },
#endif
    { .size = 8, .regs = bad_regs }, REGION_END
};

static const struct device_option __attribute__((unused)) bad_options[] = {
#if defined BAD_OPTION
    { .name = "o", .type = 99, .off = offsetof(struct bad, value), .dflt = "1" },
#elif defined BAD_ENUM
    { .name = "o", .type = OPTION_ENUM, .off = offsetof(struct bad, value), .dflt = "1" },
#endif
    OPTION_END
};

static const struct device_state __attribute__((unused)) bad_state[] = {
#if defined BAD_STATE
    { .name = "value", .type = DEVICE_U32, .off = sizeof(struct bad) - 2, .size = 4 },
#endif
    STATE_END
};

static bool bad_realize(struct device *d, struct err *e)
{
#if defined BAD_REALIZE
    return err_set(e, "there is no such hardware");
#elif defined BAD_SILENT
    return false;
#elif defined BAD_CRASH
    crash();
#elif defined BAD_ABORT
    abort();
#endif
    ((struct bad *)d)->timer = device_timer_new(d, bad_fire, e);
    return true;
}

static void bad_reset(struct device *d)
{
#if defined BAD_RESET
    crash();
#elif defined BAD_LOCKRESET
    device_lock(d);
#endif
}

#ifdef BAD_LOAD
static void __attribute__((constructor)) at_load(void)
{
    crash();
}
#endif

static const struct device_class __attribute__((unused)) bad_class = {
#ifdef BAD_NAME
    .name = "bad/name",
#else
    .name = "bad",
#endif
    .options = bad_options, .state = bad_state, .about = "wrong", .size = sizeof(struct bad),
    .realize = bad_realize,
    .reset = bad_reset, .regions = bad_regions, .irqs_n = 1,
#ifdef BAD_BUS
    .bus = "pci",
#elif defined BAD_KIND
    .bus = "virtio-bus",
#endif
};

#if defined BAD_VERSION
extern const struct device_plugin pando_device_plugin;
const struct device_plugin pando_device_plugin = {
    DEVICE_PLUGIN_MAGIC, DEVICE_ABI_MAJOR + 1, 0, sizeof(struct device_class), &bad_class,
};
#elif defined BAD_MAGIC
extern const char pando_device_plugin[64];
const char pando_device_plugin[64] = "something else";
#elif defined BAD_NONE
const struct device_class *nothing(void);
const struct device_class *nothing(void)
{
    return &bad_class;
}
#else
DEVICE_PLUGIN(bad_class)
#endif
