/* SPDX-License-Identifier: Apache-2.0 */
#include "board/virt/platform.h"

#include "base/base.h"
#include "base/err.h"
#include "board/virt/memmap.h"
#include "board/virt/virt_priv.h"
#include "vm/device.h"

_Static_assert(VIRT_PLATFORM_REGIONS_MAX >= DEVICE_REGIONS_MAX, "each region has a place");

/* A region begins at a multiple of its size, or of the largest power of two in it (RAM of 0x88
 * bytes at a multiple of 8), but no more than a page; memory of a page and more at a page. */
static uint32_t region_align(uint64_t bytes)
{
    return bytes >= 4096 ? 4096 : bytes & -bytes;
}

bool virt_platform_plug(struct virt *b, struct device *d, struct err *e)
{
    struct virt_platform *p = &b->platform;
    struct virt_platform_device *new = &p->device[p->devices_n];
    uint64_t at = ALIGN_UP((uint64_t)p->used_bytes, UINT64_C(4096));

    if (p->devices_n == VIRT_PLATFORM_DEVICES_MAX) {
        return err_set(e, "more than %d devices on the platform bus", VIRT_PLATFORM_DEVICES_MAX);
    }
    if (p->spis_n + d->cls->irqs_n > VIRT_PLATFORM_SPIS_N) {
        return err_set(e, "no interrupts left: the platform bus has %d", VIRT_PLATFORM_SPIS_N);
    }
    *new = (struct virt_platform_device){ .dev = d, .regions_n = device_regions_n(d),
                                          .irqs_n = d->cls->irqs_n,
                                          .spi = VIRT_PLATFORM_SPI + p->spis_n };
    for (unsigned n = 0; n < new->regions_n; n++) {
        uint64_t bytes = device_region_size(d, n);

        at = ALIGN_UP(at, (uint64_t)region_align(bytes));
        if (bytes > VIRT_PLATFORM_BYTES || at + bytes > VIRT_PLATFORM_BYTES) {
            return err_set(e, "the platform bus has no room left for it: it has %u MiB",
                           VIRT_PLATFORM_BYTES >> 20);
        }
        new->off[n] = at;
        new->bytes[n] = bytes;
        at += bytes;
    }
    for (unsigned i = 0; i < new->irqs_n; i++) {
        device_connect_irq(d, i, virt_spi(b, new->spi + i));
    }
    p->used_bytes = at;
    p->spis_n += new->irqs_n;
    p->devices_n++;
    return true;
}

bool virt_platform_map(struct virt *b, struct device *d, struct err *e)
{
    const struct virt_platform_device *p = &b->platform.device[b->platform.devices_n - 1];

    for (unsigned n = 0; n < p->regions_n; n++) {
        if (!device_map_region(d, n, VIRT_PLATFORM_BASE + p->off[n], e)) {
            return false;
        }
    }
    return true;
}
