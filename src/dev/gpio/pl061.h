/* SPDX-License-Identifier: Apache-2.0 */
/* The outside of the PL061 general-purpose input/output: its pins 0 … 7.
 * Interrupt output 0 is the controller's interrupt; 1 + n is pin n when it is an output. */
#pragma once
#include <stdbool.h>

struct device;

#define PL061_PINS_N 8
#define PL061_PULSE_NS INT64_C(100000000)

extern const struct device_class pl061_class;

/* Drives an input pin from outside.  Any thread, not holding the device's lock. */
void pl061_pin_set(struct device *d, unsigned pin, bool level);
/* The same for PL061_PULSE_NS of guest time: a key that is pressed and let go. */
void pl061_pin_pulse(struct device *d, unsigned pin);
