/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files device*.c. */
#pragma once
#include "base/loop.h"
#include "mem/space.h"
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

/* A lease that a plug-in holds. */
struct device_lease_held {
    struct mem_lease lease;
    struct device_lease_held *next;
};

void device_reset_locked(struct device *d);
void device_leases_free(struct device *d);
/* device_guard.c: `d` was locked (+1) or unlocked (-1) by the plug-in's code; it is about to lock:
 * does not return when that would be for ever. */
void device_guard_note_lock(const struct device *d, int by);
void device_guard_before_lock(const struct device *d);
bool device_options_default(struct device *d, struct err *e);
void device_options_free(struct device *d);

/* device_regs.c: how the memory sees region `n`, which is neither RAM nor has ops of its own. */
struct device_map;
bool device_map_build(struct device *d, unsigned n, struct err *e);
void device_map_is_at(struct device_map *m, uint64_t gpa);
const struct mmio_ops *device_map_ops(const struct device_map *m);
void device_registers_reset(struct device *d);
