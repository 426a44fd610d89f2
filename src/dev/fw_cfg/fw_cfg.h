/* SPDX-License-Identifier: Apache-2.0 */
/* fw_cfg: what a firmware reads to learn about the machine (class "fw-cfg-mmio"): numbered items,
 * and files with names.  Layout: docs "fw_cfg" of QEMU's specification, MMIO variant with DMA.
 *
 * Add items after device_new, before the guest runs.  Files get their numbers when the guest
 * first looks, in the order of their names. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;
struct err;

#define FW_CFG_FILES_MAX 256
#define FW_CFG_NAME_BYTES 56            /* with the zero */

enum fw_cfg_key {
    FW_CFG_SIGNATURE = 0x00, FW_CFG_ID = 0x01, FW_CFG_UUID = 0x02, FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04, FW_CFG_NB_CPUS = 0x05, FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08, FW_CFG_INITRD_ADDR = 0x0a, FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_DEVICE = 0x0c, FW_CFG_BOOT_MENU = 0x0e, FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_DATA = 0x11, FW_CFG_INITRD_DATA = 0x12, FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14, FW_CFG_CMDLINE_DATA = 0x15, FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18, FW_CFG_FILE_DIR = 0x19, FW_CFG_FILE_FIRST = 0x20,
};

extern const struct device_class fw_cfg_class;

/* Items with a key below FW_CFG_FILE_FIRST.  The bytes are copied; a second item with the same
 * key replaces the first.  Numbers are little-endian. */
bool fw_cfg_add(struct device *d, uint16_t key, const void *data, size_t bytes, struct err *e);
bool fw_cfg_add_u16(struct device *d, uint16_t key, uint16_t v, struct err *e);
bool fw_cfg_add_u32(struct device *d, uint16_t key, uint32_t v, struct err *e);
bool fw_cfg_add_u64(struct device *d, uint16_t key, uint64_t v, struct err *e);

/* A file.  `name` and data are copied; names are unique. */
bool fw_cfg_add_file(struct device *d, const char *name, const void *data, size_t bytes,
                     struct err *e);
/* A file of `bytes` whose contents `fill` makes each time the guest selects it, with the
 * device's lock held; it starts as zeroes. */
bool fw_cfg_add_callback(struct device *d, const char *name, size_t bytes,
                         void (*fill)(void *ctx, uint8_t *data, size_t bytes), void *ctx,
                         struct err *e);
/* A file of `bytes` that the guest may write by DMA; `written` (with the lock held) sees all of
 * it after each write. */
bool fw_cfg_add_writable(struct device *d, const char *name, size_t bytes,
                         void (*written)(void *ctx, const uint8_t *data, size_t bytes),
                         void *ctx, struct err *e);
