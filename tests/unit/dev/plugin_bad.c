/* SPDX-License-Identifier: Apache-2.0 */
/* Plug-ins that are wrong, each in its way (-DBAD_…). */
#include <pando/device.h>

#include <stdlib.h>

/* Not seen through by the compiler. */
static void __attribute__((unused)) crash(void)
{
    volatile uintptr_t nowhere = 16;

    *(volatile int *)nowhere = 1;
}

static bool bad_realize(struct device *d, struct err *e)
{
#if defined BAD_REALIZE
    return err_set(e, "there is no such hardware");
#elif defined BAD_CRASH
    crash();
#elif defined BAD_ABORT
    abort();
#endif
    return true;
}

static void bad_reset(struct device *d)
{
#ifdef BAD_RESET
    crash();
#endif
}

#ifdef BAD_LOAD
static void __attribute__((constructor)) at_load(void)
{
    crash();
}
#endif

static const struct device_class __attribute__((unused)) bad_class = {
    .name = "bad", .about = "wrong", .size = sizeof(struct device), .realize = bad_realize,
    .reset = bad_reset,
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
