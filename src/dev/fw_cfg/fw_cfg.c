/* SPDX-License-Identifier: Apache-2.0 */
/* fw_cfg, MMIO variant:
 *
 *   +0   data      a stream of bytes of the selected item; a wide read takes several, the first
 *                  one at the lowest address
 *   +8   selector  16 bits, big-endian
 *   +16  DMA       64 bits, big-endian: the address of a struct dma; the low half starts it;
 *                  reads give "QEMU CFG" */
#include "dev/fw_cfg/fw_cfg.h"

#include "base/base.h"
#include "pando/device.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define KEY_NONE 0xffff
#define KEYS_MAX (FW_CFG_FILE_FIRST + FW_CFG_FILES_MAX)
#define DMA_SIGNATURE UINT64_C(0x51454d5520434647)      /* "QEMU CFG" */
#define ID_TRADITIONAL 1
#define ID_DMA 2

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

struct dma {
    uint32_t control, length;       /* all big-endian; the key is in control's upper half */
    uint64_t address;
};

struct dir_entry {
    uint32_t size;
    uint16_t key, reserved;
    char name[FW_CFG_NAME_BYTES];
};

struct item {
    char name[FW_CFG_NAME_BYTES];   /* "" for those with a fixed key */
    uint8_t *data;
    size_t bytes;
    void (*fill)(void *ctx, uint8_t *data, size_t bytes);
    void (*written)(void *ctx, const uint8_t *data, size_t bytes);
    void *ctx;
};

struct fw_cfg {
    struct device dev;
    struct item item[KEYS_MAX];     /* by key; files sorted by name */
    unsigned files_n;
    uint16_t key;
    uint32_t offset;
    uint64_t dma_gpa;
};

static struct fw_cfg *from(struct device *d)
{
    return CONTAINER_OF(d, struct fw_cfg, dev);
}

/* ---- adding ---------------------------------------------------------------------------- */

static bool item_set(struct item *item, const void *data, size_t bytes, struct err *e)
{
    uint8_t *copy = calloc(1, bytes ? bytes : 1);

    if (!copy) {
        return err_set(e, "out of memory for %zu bytes of fw_cfg", bytes);
    }
    if (data) {
        memcpy(copy, data, bytes);
    }
    free(item->data);
    item->data = copy;
    item->bytes = bytes;
    return true;
}

bool fw_cfg_add(struct device *d, uint16_t key, const void *data, size_t bytes, struct err *e)
{
    if (key >= FW_CFG_FILE_FIRST || bytes > UINT32_MAX) {
        return err_set(e, "fw_cfg has no place for key 0x%x, %zu bytes", key, bytes);
    }
    return item_set(&from(d)->item[key], data, bytes, e);
}

bool fw_cfg_add_u16(struct device *d, uint16_t key, uint16_t v, struct err *e)
{
    v = htole16(v);
    return fw_cfg_add(d, key, &v, sizeof v, e);
}

bool fw_cfg_add_u32(struct device *d, uint16_t key, uint32_t v, struct err *e)
{
    v = htole32(v);
    return fw_cfg_add(d, key, &v, sizeof v, e);
}

bool fw_cfg_add_u64(struct device *d, uint16_t key, uint64_t v, struct err *e)
{
    v = htole64(v);
    return fw_cfg_add(d, key, &v, sizeof v, e);
}

/* The directory is an item as others: be32 count, then an entry for each file. */
static bool dir_update(struct fw_cfg *s, struct err *e)
{
    size_t bytes = 4 + s->files_n * sizeof(struct dir_entry);
    uint8_t *dir = calloc(1, bytes);
    uint32_t n = htobe32(s->files_n);
    bool ok;

    if (!dir) {
        return err_set(e, "out of memory for fw_cfg's directory");
    }
    memcpy(dir, &n, 4);
    for (unsigned i = 0; i < s->files_n; i++) {
        const struct item *f = &s->item[FW_CFG_FILE_FIRST + i];
        struct dir_entry entry = {
            .size = htobe32(f->bytes), .key = htobe16(FW_CFG_FILE_FIRST + i),
        };

        memcpy(entry.name, f->name, sizeof entry.name);
        memcpy(dir + 4 + i * sizeof entry, &entry, sizeof entry);
    }
    ok = item_set(&s->item[FW_CFG_FILE_DIR], dir, bytes, e);
    free(dir);
    return ok;
}

static bool add_file(struct fw_cfg *s, const char *name, const void *data, const struct item *how,
                     size_t bytes, struct err *e)
{
    struct item *file = s->item + FW_CFG_FILE_FIRST, new = *how;
    unsigned at = 0;

    if (strlen(name) >= FW_CFG_NAME_BYTES || !*name) {
        return err_set(e, "fw_cfg file '%s': a name has 1 to %d characters", name,
                       FW_CFG_NAME_BYTES - 1);
    }
    while (at < s->files_n && strcmp(file[at].name, name) < 0) {
        at++;
    }
    if (at < s->files_n && !strcmp(file[at].name, name)) {
        return err_set(e, "fw_cfg file '%s' is there already", name);
    }
    if (s->files_n == FW_CFG_FILES_MAX || bytes > UINT32_MAX) {
        return err_set(e, "fw_cfg file '%s': more than %d files, or too long", name,
                       FW_CFG_FILES_MAX);
    }
    strcpy(new.name, name);
    if (!item_set(&new, data, bytes, e)) {
        return false;
    }
    memmove(file + at + 1, file + at, (s->files_n - at) * sizeof new);
    file[at] = new;
    s->files_n++;
    return dir_update(s, e);
}

bool fw_cfg_add_file(struct device *d, const char *name, const void *data, size_t bytes,
                     struct err *e)
{
    return add_file(from(d), name, data, &(struct item){ .ctx = NULL }, bytes, e);
}

bool fw_cfg_add_callback(struct device *d, const char *name, size_t bytes,
                         void (*fill)(void *ctx, uint8_t *data, size_t bytes), void *ctx,
                         struct err *e)
{
    return add_file(from(d), name, NULL, &(struct item){ .fill = fill, .ctx = ctx }, bytes, e);
}

bool fw_cfg_add_writable(struct device *d, const char *name, size_t bytes,
                         void (*written)(void *ctx, const uint8_t *data, size_t bytes),
                         void *ctx, struct err *e)
{
    return add_file(from(d), name, NULL, &(struct item){ .written = written, .ctx = ctx }, bytes,
                    e);
}

/* ---- reading --------------------------------------------------------------------------- */

static struct item *selected(struct fw_cfg *s)
{
    return s->key < KEYS_MAX && s->item[s->key].data ? &s->item[s->key] : NULL;
}

static void select_key(struct fw_cfg *s, uint16_t key)
{
    struct item *item;

    s->key = key;
    s->offset = 0;
    item = selected(s);
    if (item && item->fill) {
        memset(item->data, 0, item->bytes);
        item->fill(item->ctx, item->data, item->bytes);
    }
}

/* How many of `n` bytes from the current offset the item has. */
static uint32_t have(struct fw_cfg *s, uint32_t n)
{
    struct item *item = selected(s);

    return item && s->offset < item->bytes ? MIN((size_t)n, item->bytes - s->offset) : 0;
}

static void skip(struct fw_cfg *s, uint32_t n)
{
    s->offset = s->offset + n < n ? UINT32_MAX : s->offset + n;
}

static uint64_t fw_cfg_rd_data(struct device *d, uint32_t off, unsigned size)
{
    struct fw_cfg *s = from(d);
    uint32_t n = have(s, size);
    uint64_t v = 0;

    if (n) {
        memcpy(&v, selected(s)->data + s->offset, n);
    }
    skip(s, n);
    return v;
}

/* Writing the stream was given up long ago; only DMA writes. */
static void fw_cfg_wr_data(struct device *d, uint32_t off, unsigned size, uint64_t v)
{
    device_log_guest(d, "write of the data register, which is read-only");
}

static void fw_cfg_wr_selector(struct device *d, unsigned i, uint64_t v)
{
    select_key(from(d), be16toh(v));
}

/* ---- DMA ------------------------------------------------------------------------------- */

static bool dma_read(struct fw_cfg *s, uint64_t gpa, uint32_t length)
{
    uint32_t n = have(s, length);

    if (n && !device_dma_write(&s->dev, gpa, selected(s)->data + s->offset, n)) {
        return false;
    }
    skip(s, n);
    return n == length || device_dma_zero(&s->dev, gpa + n, length - n);
}

static bool dma_write(struct fw_cfg *s, uint64_t gpa, uint32_t length)
{
    struct item *item = selected(s);

    if (!item || !item->written || have(s, length) != length ||
        !device_dma_read(&s->dev, gpa, item->data + s->offset, length)) {
        return false;
    }
    skip(s, length);
    item->written(item->ctx, item->data, item->bytes);
    return true;
}

static void dma_run(struct fw_cfg *s, uint64_t gpa)
{
    uint32_t control, length, result;
    struct dma dma;
    bool ok = true;

    if (!device_dma_read(&s->dev, gpa, &dma, sizeof dma)) {
        device_log_guest(&s->dev, "DMA at 0x%llx, which is not RAM", (unsigned long long)gpa);
        return;
    }
    control = be32toh(dma.control);
    length = be32toh(dma.length);
    if (control & DMA_SELECT) {
        select_key(s, control >> 16);
    }
    if (control & DMA_READ) {
        ok = dma_read(s, be64toh(dma.address), length);
    } else if (control & DMA_WRITE) {
        ok = dma_write(s, be64toh(dma.address), length);
    } else if (control & DMA_SKIP) {
        skip(s, length);
    }
    result = htobe32(ok ? 0 : DMA_ERROR);
    device_dma_write(&s->dev, gpa, &result, sizeof result);
}

static uint64_t fw_cfg_rd_dma(struct device *d, uint32_t off, unsigned size)
{
    uint64_t v = htobe64(DMA_SIGNATURE) >> off * 8;

    return size == 8 ? v : v & ((UINT64_C(1) << size * 8) - 1);
}

static void fw_cfg_wr_dma(struct device *d, uint32_t off, unsigned size, uint64_t v)
{
    struct fw_cfg *s = from(d);
    uint64_t gpa;

    if (size == 4 && off == 0) {
        s->dma_gpa = (uint64_t)be32toh(v) << 32;
        return;
    }
    if (size == 8) {
        gpa = be64toh(v);
    } else if (size == 4 && off == 4) {
        gpa = s->dma_gpa | be32toh(v);
    } else {
        device_log_guest(d, "write of %u bytes at %u of the DMA register", size, off);
        return;
    }
    s->dma_gpa = 0;
    dma_run(s, gpa);
}

static const struct device_reg fw_cfg_regs[] = {
    REG_WINDOW(0x00, 8, "Data", .window_rd = fw_cfg_rd_data, .window_wr = fw_cfg_wr_data),
    REG_FN(0x08, 2, "Selector", .wr = fw_cfg_wr_selector),
    REG_WINDOW(0x10, 8, "DMA", .window_rd = fw_cfg_rd_dma, .window_wr = fw_cfg_wr_dma),
    { 0 },
};

/* ---- class ----------------------------------------------------------------------------- */

static const struct device_state fw_cfg_state[] = {
    STATE(struct fw_cfg, key),
    STATE(struct fw_cfg, offset),
    STATE(struct fw_cfg, dma_gpa),
    { 0 },
};

static bool fw_cfg_realize(struct device *d, struct err *e)
{
    return fw_cfg_add(d, FW_CFG_SIGNATURE, "QEMU", 4, e) &&
           fw_cfg_add_u32(d, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, e) &&
           dir_update(from(d), e);
}

static void fw_cfg_reset(struct device *d)
{
    from(d)->key = KEY_NONE;
    from(d)->offset = 0;
    from(d)->dma_gpa = 0;
}

static void fw_cfg_unrealize(struct device *d)
{
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        free(from(d)->item[i].data);
    }
}

const struct device_class fw_cfg_class = {
    .name = "fw-cfg-mmio",
    .about = "what firmware reads about the machine",
    .version = 1,
    .size = sizeof(struct fw_cfg),
    .fdt_compatible = (const char *const[]){ "qemu,fw-cfg-mmio", NULL },
    .regions = (const struct device_region[]){ { .size = 0x18, .regs = fw_cfg_regs }, { 0 } },
    .state = fw_cfg_state,
    .realize = fw_cfg_realize,
    .reset = fw_cfg_reset,
    .unrealize = fw_cfg_unrealize,
};
