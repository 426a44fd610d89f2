/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/devices.h"

#include "base/err.h"
#include "base/nearest.h"
#include "dev/plugin.h"
#include "pando/device.h"

#include <string.h>

#define DEVICE(x) extern const struct device_class x##_class;
#include "dev/devices.def"
#undef DEVICE

static const struct device_class *const classes[] = {
#define DEVICE(x) &x##_class,
#include "dev/devices.def"
#undef DEVICE
    NULL,
};

const struct device_class *device_class_at(unsigned i)
{
    return i < sizeof classes / sizeof classes[0] ? classes[i] : NULL;
}

const struct device_class *device_class_find(const char *name)
{
    for (unsigned i = 0; classes[i]; i++) {
        if (!strcmp(classes[i]->name, name)) {
            return classes[i];
        }
    }
    return NULL;
}

const struct device_class *device_class_open(const char *name, struct err *e)
{
    const struct device_class *cls = device_class_find(name);
    struct nearest near;

    if (plugin_is_path(name)) {
        return plugin_load(name, e);
    }
    if (cls && cls->user) {
        return cls;
    }
    nearest_init(&near, name);
    for (unsigned i = 0; classes[i]; i++) {
        if (classes[i]->user) {
            nearest_add(&near, classes[i]->name);
        }
    }
    err_set(e, "'%s' is not a device that -device can add%s", name, nearest_hint(&near));
    return NULL;
}
