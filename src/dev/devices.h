/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all device classes (devices.def). */
#pragma once

struct device_class;
struct err;

/* By the name that -device takes; NULL: there is none. */
const struct device_class *device_class_find(const char *name);
/* What -device takes: one of ours with `user`, or the path of a plug-in (dev/plugin.h), which is
 * loaded.  NULL with `e` set. */
const struct device_class *device_class_open(const char *name, struct err *e);
/* The i-th class in the order of devices.def; NULL past the last. */
const struct device_class *device_class_at(unsigned i);
