/* SPDX-License-Identifier: Apache-2.0 */
/* Where kernel, initrd, device tree and firmware go.  The places are those of QEMU, because
 * bare-metal programs and boot loaders rely on them:
 *
 *   Linux Image   RAM + 2 MiB (or its text offset)
 *   initrd        RAM + min(half of RAM, 128 MiB), or after the kernel if that reaches further
 *   device tree   after kernel and initrd, 2 MiB aligned; its address in x0
 *   ELF, firmware as they say (firmware at 0); device tree at the start of RAM if that is free */
#include "board/virt/boot.h"

#include "base/base.h"
#include "base/err.h"
#include "board/virt/fdt.h"
#include "board/virt/memmap.h"
#include "board/virt/virt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INITRD_OFFSET_MAX (128 * MiB)
#define FDT_ALIGN (2 * MiB)

static bool read_initrd(struct virt_boot *b, const struct virt_config *c, struct err *e)
{
    return boot_file_read("initrd", c->initrd, BOOT_FILE_BYTES_MAX, &b->initrd, &b->initrd_bytes,
                          e);
}

static bool place_initrd(struct virt_boot *b, const struct virt_config *c, struct err *e)
{
    uint64_t at = VIRT_RAM_BASE + MIN(c->ram_bytes / 2, INITRD_OFFSET_MAX);
    uint64_t end = VIRT_RAM_BASE + c->ram_bytes;

    if (!b->kernel.is_linux) {
        return err_set(e, "initrd '%s': the kernel '%s' is an ELF file, not a Linux Image, and "
                       "takes none", c->initrd, c->kernel);
    }
    at = ALIGN_UP(MAX(at, b->kernel.high), UINT64_C(4096));
    if (at > end || b->initrd_bytes > end - at) {
        return err_set(e, "initrd '%s' (%zu bytes) does not fit into RAM from 0x%" PRIx64
                       " on: give more with -m", c->initrd, b->initrd_bytes, at);
    }
    b->initrd_gpa = at;
    return true;
}

static bool place_fdt(struct virt_boot *b, const struct virt_config *c, size_t bytes,
                      struct err *e)
{
    uint64_t at = VIRT_RAM_BASE, limit = VIRT_RAM_BASE + c->ram_bytes;

    if (b->has_kernel && b->kernel.is_linux) {
        at = ALIGN_UP(MAX(b->kernel.high, b->initrd_gpa + b->initrd_bytes), FDT_ALIGN);
    } else if (b->has_kernel) {
        if (b->kernel.low < limit && b->kernel.low >= VIRT_RAM_BASE) {
            limit = b->kernel.low;      /* in front of the program, or nowhere */
        }
        if (limit - at < bytes) {
            b->fdt_bytes_max = 0;
            return true;
        }
    }
    if (at > limit || bytes > limit - at) {
        return err_set(e, "the device tree (%zu bytes) does not fit into RAM from 0x%" PRIx64
                       " on: give more with -m", bytes, at);
    }
    b->fdt_gpa = at;
    b->fdt_bytes_max = bytes;
    return true;
}

static bool make_fdt(struct virt_boot *b, const struct virt_config *c, unsigned devices,
                     const struct virt_platform *platform, struct err *e)
{
    struct virt_fdt_chosen chosen = {
        .bootargs = c->append, .initrd = b->initrd_gpa,
        .initrd_end = b->initrd_gpa ? b->initrd_gpa + b->initrd_bytes : 0,
    };

    b->no_seeds = c->no_seeds || c->dtb;    /* a given tree is not given seeds */
    b->fdt = c->dtb ? virt_fdt_load(c->dtb, e) : virt_fdt_make(c, devices, platform, e);
    if (!b->fdt || !virt_fdt_fix(b->fdt, c, &chosen, e) ||
        (!b->no_seeds && !virt_fdt_seed(b->fdt, e))) {
        return false;
    }
    return place_fdt(b, c, virt_fdt_pack(b->fdt), e);
}

bool virt_boot_prepare(struct virt_boot *b, const struct virt_config *c, unsigned devices,
                       const struct virt_platform *platform, struct err *e)
{
    bool has_firmware = c->bios || c->pflash[0];

    if (c->bios && !boot_file_read("firmware", c->bios, VIRT_FLASH_BYTES, &b->firmware,
                                   &b->firmware_bytes, e)) {
        return false;
    }
    if (c->kernel && !has_firmware) {
        uint8_t *data;
        size_t bytes;
        if (!boot_file_read("kernel", c->kernel, BOOT_FILE_BYTES_MAX, &data, &bytes, e) ||
            !boot_image_parse(&b->kernel, c->kernel, data, bytes, VIRT_RAM_BASE, c->ram_bytes,
                              e)) {
            return false;
        }
        b->has_kernel = true;
        if (c->initrd && (!read_initrd(b, c, e) || !place_initrd(b, c, e))) {
            return false;
        }
    }
    if (c->kernel && has_firmware &&
        (!boot_file_read("kernel", c->kernel, BOOT_FILE_BYTES_MAX, &b->firmware_kernel,
                         &b->firmware_kernel_bytes, e) ||
         (c->initrd && !read_initrd(b, c, e)))) {
        return false;
    }
    if (!make_fdt(b, c, devices, platform, e)) {
        return false;
    }
    b->entry = b->has_kernel ? b->kernel.entry : VIRT_FLASH_BASE;
    b->context = b->has_kernel && b->kernel.is_linux ? b->fdt_gpa : 0;
    return true;
}

bool virt_boot_load(struct virt_boot *b, struct mem_space *mem, struct err *e)
{
    if (b->has_kernel && !boot_image_load(&b->kernel, mem, e)) {
        return false;
    }
    if (b->initrd_gpa &&
        !boot_write(mem, "initrd", b->initrd_gpa, b->initrd, b->initrd_bytes, e)) {
        return false;
    }
    if (!b->no_seeds && !virt_fdt_seed(b->fdt, e)) {
        return false;
    }
    return boot_write(mem, "device tree", b->fdt_gpa, b->fdt, b->fdt_bytes_max, e);
}

void virt_boot_free(struct virt_boot *b)
{
    boot_image_free(&b->kernel);
    free(b->initrd);
    free(b->firmware);
    free(b->firmware_kernel);
    free(b->fdt);
}
