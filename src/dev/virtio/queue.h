/* SPDX-License-Identifier: Apache-2.0 */
/* The transport's side of a struct virtqueue (pando/device.h): a split virtqueue (virtio 1.2,
 * section 2.7).  Threads: under the lock of the device that it belongs to. */
#pragma once
#include "pando/device.h"

/* After pushes: does the driver want to be interrupted?  Ask once for a batch. */
bool virtq_wants_interrupt(struct virtqueue *q);
/* Forgets everything except for mem and size_max. */
void virtq_reset(struct virtqueue *q);

extern const struct device_state virtqueue_state[];
