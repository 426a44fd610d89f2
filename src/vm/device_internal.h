/* SPDX-License-Identifier: Apache-2.0 */
/* Between device.c, device_option.c and device_state.c. */
#pragma once
#include <stdbool.h>

struct device;
struct err;

void device_reset_locked(struct device *d);
bool device_options_default(struct device *d, struct err *e);
void device_options_free(struct device *d);
