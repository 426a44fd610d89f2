/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-mmio transport (virtio 1.2, section 4.2): class "virtio-mmio", one region of
 * VIRTIO_MMIO_SIZE, one interrupt.  An empty one reads device id 0, which drivers skip.
 *
 * Order of making: the board makes and realizes all transports.  For each `-device` whose class
 * has bus "virtio-bus": device_new, device_set_all, device_plug into a free transport,
 * device_realize.  As QEMU, the first -device without bus= goes to the transport at the highest
 * address, the next one to the one below. */
#pragma once
struct device;

#define VIRTIO_MMIO_SIZE 0x200

extern const struct device_class virtio_mmio_class;

/* The device plugged in, or NULL. */
struct device *virtio_mmio_attached(const struct device *transport);
