/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/devices.h"

#include "vm/device.h"

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
