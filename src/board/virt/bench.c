/* SPDX-License-Identifier: Apache-2.0 */
/* What a test bench sees of the virt machine: its devices and interrupt lines. */
#include "base/base.h"
#include "board/virt/memmap.h"
#include "board/virt/virt_priv.h"
#include "dev/gpio/pl061.h"
#include "vm/vm.h"

#include <stdio.h>
#include <string.h>

_Static_assert(VIRT_SPI_LINES_N == VIRT_SPIS_N, "virt.h says how many there are");

struct device *virt_device_at(struct virt *b, unsigned i)
{
    struct device *const *const list[] = { b->fixed, b->flash, b->transport, b->plugged };
    const unsigned n[] = { ARRAY_LEN(b->fixed), ARRAY_LEN(b->flash), ARRAY_LEN(b->transport),
                           b->plugged_n };

    for (unsigned k = 0; k < ARRAY_LEN(list); k++) {
        for (unsigned j = 0; j < n[k]; j++) {
            if (list[k][j] && i-- == 0) {
                return list[k][j];
            }
        }
    }
    for (unsigned k = 0; k < virt_intc_n(b); k++) {
        if (virt_intc_at(b, k) && i-- == 0) {
            return virt_intc_at(b, k);
        }
    }
    return NULL;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Of "FOLDER/device[N]": N; -1: it is something else. */
static int number_in(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    int number, end = 0;

    return !strncmp(path, folder, n) && sscanf(path + n, "/device[%d]%n", &number, &end) == 1 &&
           end && !path[n + end] ? number : -1;
}

/* QEMU's numbers: the CPUs, then what it makes in this order.  The transports follow. */
enum { UNATTACHED_GIC, UNATTACHED_MSI, UNATTACHED_PL011, UNATTACHED_PL031, UNATTACHED_PCIE,
       UNATTACHED_PL061, UNATTACHED_KEY, UNATTACHED_TRANSPORTS };

static int unattached(const struct virt *b, const char *path)
{
    int n = number_in(path, "/machine/unattached");

    return n < 0 ? -1 : n - (int)b->vm->vcpus_n;
}

bool virt_path_is_gic(const struct virt *b, const char *path)
{
    return !strcmp(last_part(path), "gic") || unattached(b, path) == UNATTACHED_GIC;
}

static struct device *nth_anonymous(struct virt *b, int n)
{
    for (unsigned i = 0; i < b->plugged_n; i++) {
        if (!strcmp(b->plugged[i]->id, b->plugged[i]->cls->name) && n-- == 0) {
            return b->plugged[i];
        }
    }
    return NULL;
}

struct device *virt_device_find(struct virt *b, const char *path)
{
    static const char *const names[] = {
        [UNATTACHED_PL011] = "pl011", [UNATTACHED_PL031] = "pl031", [UNATTACHED_PL061] = "pl061",
    };
    const char *name = last_part(path);
    int n = unattached(b, path), flash;
    struct device *d;

    if (n >= UNATTACHED_TRANSPORTS && n < UNATTACHED_TRANSPORTS + VIRT_VIRTIO_N) {
        return b->transport[n - UNATTACHED_TRANSPORTS];
    }
    if (n >= 0 && n < (int)ARRAY_LEN(names) && names[n]) {
        name = names[n];
    }
    if (number_in(path, "/machine/peripheral-anon") >= 0) {
        return nth_anonymous(b, number_in(path, "/machine/peripheral-anon"));
    }
    if (sscanf(path, "/machine/virt.flash%d", &flash) == 1) {
        return flash >= 0 && flash < (int)ARRAY_LEN(b->flash) ? b->flash[flash] : NULL;
    }
    if (!strcmp(path, "/machine/fw_cfg")) {
        name = "fw-cfg-mmio";
    }
    for (unsigned i = 0; (d = virt_device_at(b, i)); i++) {
        if (!strcmp(d->id, name)) {
            return d;
        }
    }
    return NULL;
}

struct irq virt_spi_line(struct virt *b, unsigned spi)
{
    return virt_spi(b, spi);
}

int virt_spi_of_line(struct virt *b, const struct irq *line)
{
    struct irq first = virt_spi(b, 0);
    bool is_spi = line->set == first.set && line->ctx == first.ctx && line->n >= first.n &&
                  line->n - first.n < VIRT_SPIS_N;

    return is_spi ? (int)(line->n - first.n) : -1;
}

bool virt_device_input_set(struct device *d, unsigned pin, bool level)
{
    if (d->cls != &pl061_class || pin >= PL061_PINS_N) {
        return false;
    }
    pl061_pin_set(d, pin, level);
    return true;
}
