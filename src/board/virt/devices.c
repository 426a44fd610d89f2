/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of the virt machine: the table of those that are always there, the virtio-mmio
 * transports, and `-device`. */
#include "base/base.h"
#include "base/err.h"
#include "base/opts.h"
#include "board/virt/fdt.h"
#include "board/virt/memmap.h"
#include "board/virt/virt_priv.h"
#include "dev/devices.h"
#include "dev/flash/cfi.h"
#include "dev/fw_cfg/fw_cfg.h"
#include "dev/gpio/pl061.h"
#include "dev/plugin.h"
#include "dev/virtio/mmio.h"
#include "vm/vm.h"

#include <stdio.h>
#include <string.h>

/* To add one: a row here, a node in fdt.c. */
struct virt_fixed_device {
    const char *cls;
    uint64_t base;
    int spi;                    /* -1: none */
    unsigned shown;
};

enum { FIXED_UART, FIXED_RTC, FIXED_GPIO, FIXED_FW_CFG };

static const struct virt_fixed_device fixed[] = {
    [FIXED_UART] = { "pl011", VIRT_UART_BASE, VIRT_UART_SPI, VIRT_FDT_UART },
    [FIXED_RTC] = { "pl031", VIRT_RTC_BASE, VIRT_RTC_SPI, VIRT_FDT_RTC },
    [FIXED_GPIO] = { "pl061", VIRT_GPIO_BASE, VIRT_GPIO_SPI, VIRT_FDT_GPIO },
    [FIXED_FW_CFG] = { "fw-cfg-mmio", VIRT_FW_CFG_BASE, -1, VIRT_FDT_FW_CFG },
};
_Static_assert(ARRAY_LEN(fixed) <= VIRT_FIXED_DEVICES_MAX, "struct virt has room for each");

/* With the options that -global gives to all of the class; NULL only when there is no memory.  The
 * caller frees it, also when an option was wrong. */
static struct device *make(const struct virt_config *c, const struct device_class *cls,
                           const char *id, bool *ok, struct err *e)
{
    struct device *d = device_new(cls, id, e);
    const struct opts *g = d && c->globals ? opts_first(c->globals) : NULL;

    *ok = d;
    for (; g && *ok; g = opts_next(g)) {
        if (!strcmp(opts_str(g, "driver", ""), cls->name)) {
            *ok = device_set(d, opts_str(g, "property", ""), opts_str(g, "value", ""), c->finder,
                             e) || err_prefix(e, "-global");
        }
    }
    return d;
}

static bool build_fixed(struct virt *b, const struct virt_config *c, unsigned n, struct err *e)
{
    const struct virt_fixed_device *f = &fixed[n];
    struct device_env env = virt_device_env(b);
    bool ok;
    struct device *d = b->fixed[n] = make(c, device_class_find(f->cls), NULL, &ok, e);

    if (!ok) {
        return false;
    }
    if (n == FIXED_UART && c->serial[0] &&
        !device_set(d, "chardev", c->serial[0], c->finder, e)) {
        return false;
    }
    if (f->spi >= 0) {
        device_connect_irq(d, 0, virt_spi(b, f->spi));
    }
    if (!device_realize(d, &env, e) || !device_map_region(d, 0, f->base, e)) {
        return false;
    }
    b->shown |= f->shown;
    return true;
}

/* Firmware is in the first one: from a drive, or loaded for -bios. */
static bool build_flash(struct virt *b, const struct virt_config *c, unsigned n, struct err *e)
{
    struct device_env env = virt_device_env(b);
    bool ok;
    struct device *d = b->flash[n] = make(c, &cfi_flash_class, NULL, &ok, e);

    return ok && (!c->pflash[n] || device_set(d, "drive", c->pflash[n], c->finder, e)) &&
           device_realize(d, &env, e) &&
           device_map_region(d, 0, VIRT_FLASH_BASE + n * VIRT_FLASH_BYTES, e);
}

/* ---- virtio ---- */

static bool build_transport(struct virt *b, const struct virt_config *c, unsigned n,
                            struct err *e)
{
    struct device_env env = virt_device_env(b);
    bool ok;
    struct device *d = b->transport[n] = make(c, &virtio_mmio_class, NULL, &ok, e);

    if (!ok) {
        return false;
    }
    device_connect_irq(d, 0, virt_spi(b, VIRT_VIRTIO_SPI + n));
    return device_realize(d, &env, e) &&
           device_map_region(d, 0, VIRT_VIRTIO_BASE + n * VIRT_VIRTIO_BYTES, e);
}

/* The transport named by bus=virtio-mmio-bus.N, or the free one at the highest address. */
static struct device *find_transport(struct virt *b, const char *bus, struct err *e)
{
    unsigned n;
    char more;

    if (bus) {
        if (sscanf(bus, "virtio-mmio-bus.%u%c", &n, &more) != 1 || n >= VIRT_VIRTIO_N) {
            err_set(e, "bus '%s' not found: virtio-mmio-bus.0 to .%d", bus, VIRT_VIRTIO_N - 1);
            return NULL;
        }
        if (virtio_mmio_attached(b->transport[n])) {
            err_set(e, "bus '%s' is taken by '%s'", bus,
                    virtio_mmio_attached(b->transport[n])->id);
            return NULL;
        }
        return b->transport[n];
    }
    for (unsigned i = VIRT_VIRTIO_N; i-- > 0;) {
        if (!virtio_mmio_attached(b->transport[i])) {
            return b->transport[i];
        }
    }
    err_set(e, "all %d virtio-mmio transports are taken", VIRT_VIRTIO_N);
    return NULL;
}

/* The device that carries bus ID.0, or the first one that is a bus of this kind. */
static struct device *find_bus(struct virt *b, const char *kind, const char *bus, struct err *e)
{
    char name[DEVICE_ID_MAX + 2];

    for (unsigned i = 0; i < b->plugged_n; i++) {
        struct device *d = b->plugged[i];
        snprintf(name, sizeof(name), "%s.0", d->id);
        if (d->cls->bus_offered && !strcmp(d->cls->bus_offered, kind) &&
            (!bus || !strcmp(bus, name))) {
            return d;
        }
    }
    if (bus) {
        err_set(e, "bus '%s' not found", bus);
    } else {
        err_set(e, "there is no device in front of it that is a %s", kind);
    }
    return NULL;
}

/* Only plug-ins with -device can be without a bus. */
static bool on_platform_bus(const struct device *d)
{
    return !d->cls->bus || !strcmp(d->cls->bus, "platform-bus");
}

static bool plug(struct virt *b, struct device *d, const char *bus, struct err *e)
{
    struct device *t;

    if (d->cls->bus && !strcmp(d->cls->bus, "virtio-bus")) {
        t = find_transport(b, bus, e);
        return t && device_plug(d, t, e);
    }
    if (on_platform_bus(d)) {
        return bus && strcmp(bus, "platform-bus") != 0
                   ? err_set(e, "bus '%s' not found: it is a device of the platform-bus", bus)
                   : virt_platform_plug(b, d, e);
    }
    t = find_bus(b, d->cls->bus, bus, e);
    return t && device_plug(d, t, e);
}

static bool id_is_free(const struct virt *b, const char *id, struct err *e)
{
    for (unsigned i = 0; id && i < b->plugged_n; i++) {
        const struct device *d = b->plugged[i];

        if (!strcmp(d->id, id) && strcmp(id, d->cls->name) != 0) {
            return err_set(e, "there is a device with id '%s' already", id);
        }
    }
    return true;
}

static bool build_user_device(struct virt *b, const struct virt_config *c, const struct opts *o,
                              struct err *e)
{
    const char *name = opts_str(o, "driver", "");
    const struct device_class *cls = device_class_open(name, e);
    struct device_env env = virt_device_env(b);
    bool ok = false;
    const char *id = opts_str(o, "id", NULL);
    struct device *d = cls && id_is_free(b, id, e) ? make(c, cls, id, &ok, e) : NULL;

    if (!d) {
        return false;
    }
    if (plugin_is_path(name)) {
        device_set_plugin(d, name);
    }
    b->plugged[b->plugged_n++] = d;
    return ok && device_set_all(d, o, c->finder, e) && plug(b, d, opts_str(o, "bus", NULL), e) &&
           device_realize(d, &env, e) &&
           (!on_platform_bus(d) || virt_platform_map(b, d, e));
}

/* ---- what firmware is told ---- */

static bool add_numbers(struct device *d, const struct virt_config *c, struct err *e)
{
    static const uint8_t no_uuid[16];

    return fw_cfg_add(d, FW_CFG_UUID, no_uuid, sizeof(no_uuid), e) &&
           fw_cfg_add_u64(d, FW_CFG_RAM_SIZE, c->ram_bytes, e) &&
           fw_cfg_add_u16(d, FW_CFG_NOGRAPHIC, 1, e) &&
           fw_cfg_add_u16(d, FW_CFG_NB_CPUS, c->cpus_n, e) &&
           fw_cfg_add_u16(d, FW_CFG_MAX_CPUS, c->cpus_n, e) &&
           fw_cfg_add_u16(d, FW_CFG_BOOT_MENU, 0, e);
}

/* A kernel that the firmware is to start. */
static bool add_kernel(struct device *d, const struct virt_config *c, const struct virt_boot *boot,
                       struct err *e)
{
    const char *line = c->append ? c->append : "";

    if (!fw_cfg_add_u32(d, FW_CFG_KERNEL_SIZE, boot->firmware_kernel_bytes, e) ||
        !fw_cfg_add(d, FW_CFG_KERNEL_DATA, boot->firmware_kernel, boot->firmware_kernel_bytes,
                    e) ||
        !fw_cfg_add_u32(d, FW_CFG_CMDLINE_SIZE, strlen(line) + 1, e) ||
        !fw_cfg_add(d, FW_CFG_CMDLINE_DATA, line, strlen(line) + 1, e)) {
        return false;
    }
    return !boot->initrd ||
           (fw_cfg_add_u32(d, FW_CFG_INITRD_SIZE, boot->initrd_bytes, e) &&
            fw_cfg_add(d, FW_CFG_INITRD_DATA, boot->initrd, boot->initrd_bytes, e));
}

bool virt_devices_tell_firmware(struct virt *b, const struct virt_config *c, struct err *e)
{
    struct device *d = b->fixed[FIXED_FW_CFG];

    return add_numbers(d, c, e) &&
           (!b->boot.firmware_kernel || add_kernel(d, c, &b->boot, e));
}

/* ---- all ---- */

bool virt_devices_build(struct virt *b, const struct virt_config *c, struct err *e)
{
    for (unsigned i = 0; i < ARRAY_LEN(fixed); i++) {
        if (!build_fixed(b, c, i, e)) {
            return err_prefix(e, "virt");
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(b->flash); i++) {
        if (!build_flash(b, c, i, e)) {
            return err_prefix(e, "virt");
        }
    }
    b->shown |= VIRT_FDT_FLASH;
    for (unsigned i = 0; i < VIRT_VIRTIO_N; i++) {
        if (!build_transport(b, c, i, e)) {
            return err_prefix(e, "virt");
        }
    }
    b->shown |= VIRT_FDT_VIRTIO;
    for (unsigned i = 0; i < c->devices_n; i++) {
        if (!build_user_device(b, c, c->device[i], e)) {
            return err_prefix(e, "-device %s", opts_str(c->device[i], "driver", ""));
        }
    }
    return true;
}

/* What something is plugged into comes before it. */
static void for_each(struct virt *b, void (*fn)(struct device *d))
{
    for (unsigned i = 0; i < VIRT_FIXED_DEVICES_MAX; i++) {
        if (b->fixed[i]) {
            fn(b->fixed[i]);
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(b->flash); i++) {
        if (b->flash[i]) {
            fn(b->flash[i]);
        }
    }
    for (unsigned i = 0; i < VIRT_VIRTIO_N; i++) {
        if (b->transport[i]) {
            fn(b->transport[i]);
        }
    }
    for (unsigned i = 0; i < b->plugged_n; i++) {
        fn(b->plugged[i]);
    }
}

bool virt_devices_reset(struct virt *b, struct err *e)
{
    for_each(b, device_reset);
    return !b->boot.firmware ||
           cfi_flash_load(b->flash[0], b->boot.firmware, b->boot.firmware_bytes, e);
}

void virt_devices_free(struct virt *b)
{
    /* What is plugged in goes before what it is plugged into. */
    while (b->plugged_n) {
        device_free(b->plugged[--b->plugged_n]);
    }
    for_each(b, device_free);
}

void virt_press_power_key(struct virt *b)
{
    if (b->fixed[FIXED_GPIO]) {
        pl061_pin_pulse(b->fixed[FIXED_GPIO], VIRT_GPIO_POWER_PIN);
    }
}
