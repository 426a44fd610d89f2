/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses of a vCPU to a frame (region) of a device, for the tests of interrupt controllers. */
#pragma once
#include "mem/space.h"
#include "vm/device.h"

static inline uint64_t frame_read(struct device *d, unsigned frame, unsigned off, unsigned size,
                                  unsigned vcpu)
{
    void *ctx;
    const struct mmio_ops *ops = device_region_ops(d, frame, &ctx);

    return ops->read(ctx, off, size, vcpu);
}

static inline void frame_write(struct device *d, unsigned frame, unsigned off, unsigned size,
                               uint64_t v, unsigned vcpu)
{
    void *ctx;
    const struct mmio_ops *ops = device_region_ops(d, frame, &ctx);

    ops->write(ctx, off, size, v, vcpu);
}
