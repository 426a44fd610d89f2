/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mono.h"

#include <time.h>

#include "base/base.h"

int64_t mono_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}
