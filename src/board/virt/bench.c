/* SPDX-License-Identifier: Apache-2.0 */
/* What a test bench sees of the virt machine: its devices and interrupt lines. */
#include "base/base.h"
#include "board/virt/memmap.h"
#include "board/virt/virt_priv.h"
#include "dev/gpio/pl061.h"

#include <string.h>

_Static_assert(VIRT_SPI_LINES_N == VIRT_SPIS_N, "virt.h says how many there are");

struct device *virt_device_at(struct virt *b, unsigned i)
{
    struct device **const list[] = { b->fixed, b->flash, b->transport, b->plugged };
    const unsigned n[] = { ARRAY_LEN(b->fixed), ARRAY_LEN(b->flash), ARRAY_LEN(b->transport),
                           b->plugged_n };

    for (unsigned k = 0; k < ARRAY_LEN(list); k++) {
        for (unsigned j = 0; j < n[k]; j++) {
            if (list[k][j] && i-- == 0) {
                return list[k][j];
            }
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
