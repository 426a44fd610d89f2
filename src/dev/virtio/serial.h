/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-serial: one virtio console device (class "virtio-serial-device") and the ports that
 * plug into it (classes "virtconsole" and "virtserialport", bus "virtio-serial-bus").
 *
 * For each `-device` of a port class: device_new, device_set_all, virtio_serial_attach,
 * device_realize.  Without bus= the port goes to the first virtio-serial device; the bus of the
 * device with id X is "X.0". */
#pragma once
#include <stdbool.h>

struct device;
struct err;

/* Takes the port's option nr=, or the next free number (0 only for a virtconsole).  `serial` may
 * be realized already.  Free the ports first, then the serial device. */
bool virtio_serial_attach(struct device *serial, struct device *port, struct err *e);
