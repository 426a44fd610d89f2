/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files device*.c. */
#pragma once
#include "base/loop.h"
#include "vm/clock.h"

#include <stdbool.h>

struct device;
struct err;

struct device_timer {
    struct vm_timer timer;
    struct device *dev;
    void (*fire)(struct device *d);
    bool is_armed;
    struct device_timer *next;
};

struct device_work {
    struct loop_work work;
    struct device *dev;
    void (*run)(struct device *d);
    struct device_work *next;
};

void device_reset_locked(struct device *d);
bool device_options_default(struct device *d, struct err *e);
void device_options_free(struct device *d);

/* device_guard.c: from begin to end, a crash of this process is one line that names the plug-in of
 * `d`, which did it at that `moment`, and exit status 1.  Nothing when `d` is of our own.  One at
 * a time. */
void device_guard_begin(const struct device *d, const char *moment);
void device_guard_end(const struct device *d);
