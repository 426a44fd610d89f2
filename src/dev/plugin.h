/* SPDX-License-Identifier: Apache-2.0 */
/* Devices from shared objects (DEVICE_PLUGIN in pando/device.h). */
#pragma once
#include <stdbool.h>

struct device_class;
struct err;

/* Does `-device NAME` mean a file? */
bool plugin_is_path(const char *name);
/* Loads it, checks that it fits, and gives its class, which stays loaded as long as the process.
 * NULL with `e` set: no such file, no plug-in, another version of the interface.  Loop thread,
 * while no machine runs: code of the plug-in may run, and a crash in it ends the process with a
 * line that names it. */
const struct device_class *plugin_load(const char *path, struct err *e);
