/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all device classes (devices.def). */
#pragma once

struct device_class;

/* By the name that -device takes; NULL: there is none. */
const struct device_class *device_class_find(const char *name);
/* The i-th class in the order of devices.def; NULL past the last. */
const struct device_class *device_class_at(unsigned i);
