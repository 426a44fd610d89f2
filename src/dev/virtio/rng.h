/* SPDX-License-Identifier: Apache-2.0 */
/* Where a virtio-rng-device takes its bytes from: what its option rng=ID finds.  Without rng= it
 * is getrandom(2). */
#pragma once
#include <stddef.h>

struct rng_source {
    /* Fills up to `n` bytes at once; returns how many, 0 when there is none now (the guest then
     * has to ask again).  Called on the loop's thread with the device's lock held. */
    size_t (*read)(void *ctx, void *buf, size_t n);
    void *ctx;
};
