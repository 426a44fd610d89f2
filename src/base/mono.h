/* SPDX-License-Identifier: Apache-2.0 */
/* The host's monotonic time: what every deadline in the program is measured in. */
#pragma once
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC.  Never negative, never goes back.  Any thread.
 * Protocol code does not call this: time is given to it as a parameter. */
int64_t mono_now_ns(void);
