/* SPDX-License-Identifier: Apache-2.0 */
/* NOR flash with the Common Flash Interface and the Intel command set: two 16-bit chips side by
 * side on a 32-bit bus (class "cfi.pflash01").  Firmware is executed from it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;
struct err;

extern const struct device_class cfi_flash_class;

/* After realize: contents from the start on (-bios).  What the guest writes over
 * them lasts until they are loaded again. */
bool cfi_flash_load(struct device *d, const void *data, size_t bytes, struct err *e);
