/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of what may be a plug-in's code.  A crash in it is said in one line that names the plug-in
 * and what it was doing:
 *   device_guard_begin … end   while the machine is made: the process then ends with status 1
 *   DEVICE_HOOK                while it runs: if it was the plug-in's own code that crashed, the
 *                              device is dead from then on (its hooks are not called any more, its
 *                              lines are low, the memory that it leased is given back) and the
 *                              machine goes on; else the process ends */
#pragma once
#include "vm/device.h"

#include <stdint.h>

struct device_guard {
    struct device_guard *outer;
    struct device *dev;             /* NULL: from begin to end */
    const struct device *locked_dev;    /* it was called with the lock of this one held; or NULL */
    const char *path, *moment, *name;
    void *env;
    volatile int locked;            /* what the plug-in's code has changed of that */
};

/* `path` is the plug-in's, or NULL for a device of our own: then nothing happens.  In the order of
 * a stack. */
void device_guard_begin(struct device_guard *g, const char *path, const char *moment);
void device_guard_end(struct device_guard *g);
/* The path to it, or NULL. */
const char *device_plugin_path(const struct device *d);
/* What is done before the process ends of a crash: to put the terminal back.  Async-signal-safe. */
void device_guard_on_end(void (*fn)(void));

#define DEVICE_HOOK_ARGS_MAX 5
typedef uint64_t device_any_hook(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);
uint64_t device_guarded_call(struct device *d, bool is_locked, const char *moment,
                             const char *name, device_any_hook *fn,
                             const uintptr_t a[DEVICE_HOOK_ARGS_MAX]) __attribute__((cold));

/* fn(args…) with the lock held (DEVICE_HOOK_UNLOCKED: without), for a hook of `d` that gives
 * uint64_t or nothing and takes up to DEVICE_HOOK_ARGS_MAX numbers or pointers; 0 from a dead
 * device.  `moment` and `name` (which may be NULL) say what it is: "in a write of", "CONTROL".  All
 * that we run on passes such arguments in registers, where a hook finds those that it has. */
#define DEVICE_HOOK(d_, moment_, name_, fn_, ...) \
    DEVICE_HOOK_CALL(d_, true, moment_, name_, fn_, __VA_ARGS__)
#define DEVICE_HOOK_UNLOCKED(d_, moment_, name_, fn_, ...) \
    DEVICE_HOOK_CALL(d_, false, moment_, name_, fn_, __VA_ARGS__)
#define DEVICE_HOOK_CALL(d_, is_locked_, moment_, name_, fn_, ...) \
    (__builtin_expect(!(d_)->host->plugin, 1) ? fn_(__VA_ARGS__) : \
     (__typeof__(fn_(__VA_ARGS__)))device_guarded_call((d_), (is_locked_), (moment_), (name_), \
         (device_any_hook *)(void (*)(void))(fn_), \
         (uintptr_t[DEVICE_HOOK_ARGS_MAX]){ DEVICE_HOOK_WORDS(__VA_ARGS__, 0, 0, 0, 0) }))
#define DEVICE_HOOK_WORDS(a_, b_, c_, d_, e_, ...) \
    (uintptr_t)(a_), (uintptr_t)(b_), (uintptr_t)(c_), (uintptr_t)(d_), (uintptr_t)(e_)
