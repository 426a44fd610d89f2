/* SPDX-License-Identifier: Apache-2.0 */
/* NOR flash: JEDEC JEP137 (Common Flash Interface) and the Intel command set, as in the data
 * sheet of Intel's StrataFlash P30 (its sections are named below).
 *
 * Two 16-bit chips share each 32-bit word; they get the same command, so their answers are the
 * same half twice.  In read-array mode the memory is mapped, and code runs from it; in any other
 * mode accesses trap.  With a drive, blocks that were changed are written back to it. */
#include "dev/flash/cfi.h"

#include "base/base.h"
#include "host/blk/blk.h"
#include "pando/device.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256 * KiB)             /* of both chips together */
#define BUFFER_BYTES 4096u                  /* likewise */
#define SIZE_MAX_BYTES (256 * MiB)
#define CHIPS_N 2

enum mode { MODE_ARRAY, MODE_STATUS, MODE_ID, MODE_QUERY };

/* What the next write means. */
enum expect { EXPECT_COMMAND, EXPECT_PROGRAM, EXPECT_ERASE, EXPECT_LOCK, EXPECT_COUNT,
              EXPECT_DATA, EXPECT_CONFIRM };

/* The status register. */
enum { SR_READY = 0x80, SR_ERASE_ERROR = 0x20, SR_PROGRAM_ERROR = 0x10, SR_LOCKED = 0x02,
       SR_SEQUENCE_ERROR = SR_ERASE_ERROR | SR_PROGRAM_ERROR };

struct flash {
    struct device dev;
    struct blk *blk;
    uint64_t size;                  /* of the bank */
    uint8_t *bytes;                 /* the ROM's */
    uint8_t mode, expect, status;
    uint32_t count;                 /* words still to come into the buffer */
    uint32_t buffer_at;             /* where the buffer goes */
    uint32_t block_at;              /* the block that was named */
    bool buffer_bad;
    uint8_t buffer[BUFFER_BYTES];
    uint8_t query[0x40];            /* of one chip */
    uint64_t written_blocks[SIZE_MAX_BYTES / BLOCK_BYTES / 64];     /* to be written back */
    bool writing;
    struct blk_req req;
    struct iovec iov;
};

static struct flash *from(struct device *d)
{
    return CONTAINER_OF(d, struct flash, dev);
}

/* ---- writing back ---------------------------------------------------------------------- */

static void write_back_next(struct flash *s);

static void write_back_done(struct blk_req *r, int rc)
{
    struct flash *s = r->ctx;

    device_lock(&s->dev);
    if (rc) {
        device_log_error(&s->dev, "cannot write to '%s': %s", blk_path(s->blk), strerror(-rc));
    }
    free(s->iov.iov_base);
    s->writing = false;
    write_back_next(s);
    device_unlock(&s->dev);
}

/* One block at a time, from a copy: the guest may go on changing it. */
static void write_back_next(struct flash *s)
{
    for (unsigned i = 0; !s->writing && i < ARRAY_LEN(s->written_blocks); i++) {
        unsigned block;

        if (!s->written_blocks[i]) {
            continue;
        }
        block = i * 64 + __builtin_ctzll(s->written_blocks[i]);
        s->iov.iov_base = aligned_alloc(4096, BLOCK_BYTES);
        if (!s->iov.iov_base) {
            device_log_error(&s->dev, "out of memory: a change is not saved");
            return;
        }
        s->written_blocks[i] &= s->written_blocks[i] - 1;
        s->iov.iov_len = BLOCK_BYTES;
        memcpy(s->iov.iov_base, s->bytes + block * BLOCK_BYTES, BLOCK_BYTES);
        s->req = (struct blk_req){
            .op = BLK_WRITE, .offset = block * BLOCK_BYTES, .n_bytes = BLOCK_BYTES,
            .iov = &s->iov, .n_iov = 1, .done = write_back_done, .ctx = s,
        };
        s->writing = true;
        blk_submit(s->blk, &s->req);
    }
}

static void changed(struct flash *s, uint32_t off)
{
    unsigned block = off / BLOCK_BYTES;

    if (s->blk && !blk_is_read_only(s->blk)) {
        s->written_blocks[block / 64] |= UINT64_C(1) << block % 64;
        write_back_next(s);
    }
}

static bool is_read_only(const struct flash *s)
{
    return s->blk && blk_is_read_only(s->blk);      /* without a drive: kept in memory only */
}

/* ---- commands -------------------------------------------------------------------------- */

static void set_mode(struct flash *s, enum mode mode)
{
    if ((mode == MODE_ARRAY) != (s->mode == MODE_ARRAY)) {
        device_rom_trap(&s->dev, 0, mode != MODE_ARRAY);
    }
    s->mode = mode;
}

static void finish(struct flash *s, uint8_t errors)
{
    s->status |= errors;
    s->expect = EXPECT_COMMAND;
}

/* Programming turns ones into zeroes only; erasing brings the ones back. */
static void program(struct flash *s, uint32_t off, unsigned size, uint64_t v)
{
    if (is_read_only(s)) {
        finish(s, SR_PROGRAM_ERROR | SR_LOCKED);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        s->bytes[off + i] &= v >> i * 8;
    }
    changed(s, off);
    finish(s, 0);
}

static void erase(struct flash *s, uint32_t off, uint8_t confirm)
{
    if (confirm != 0xd0) {
        finish(s, SR_SEQUENCE_ERROR);
    } else if (is_read_only(s)) {
        finish(s, SR_ERASE_ERROR | SR_LOCKED);
    } else {
        off -= off % BLOCK_BYTES;
        memset(s->bytes + off, 0xff, BLOCK_BYTES);
        changed(s, off);
        finish(s, 0);
    }
}

static void buffer_begin(struct flash *s, uint64_t count)
{
    s->count = (count & 0xffff) + 1;
    s->buffer_bad = s->count > BUFFER_BYTES / 4;
    s->buffer_at = UINT32_MAX;
    s->expect = s->buffer_bad ? EXPECT_CONFIRM : EXPECT_DATA;
}

/* The first address says where the buffer lies; the others must fall into it. */
static void buffer_data(struct flash *s, uint32_t off, unsigned size, uint64_t v)
{
    if (s->buffer_at == UINT32_MAX) {
        s->buffer_at = off - off % BUFFER_BYTES;
        memset(s->buffer, 0xff, sizeof s->buffer);
    }
    if (off - s->buffer_at >= BUFFER_BYTES || off / BLOCK_BYTES != s->block_at / BLOCK_BYTES) {
        s->buffer_bad = true;
    } else {
        memcpy(s->buffer + (off - s->buffer_at), &v, size);
    }
    if (--s->count == 0) {
        s->expect = EXPECT_CONFIRM;
    }
}

static void buffer_confirm(struct flash *s, uint8_t confirm)
{
    if (confirm != 0xd0 || s->buffer_bad) {
        finish(s, SR_SEQUENCE_ERROR);
    } else if (is_read_only(s)) {
        finish(s, SR_PROGRAM_ERROR | SR_LOCKED);
    } else {
        for (uint32_t i = 0; i < BUFFER_BYTES; i++) {
            s->bytes[s->buffer_at + i] &= s->buffer[i];
        }
        changed(s, s->buffer_at);
        finish(s, 0);
    }
}

static void command(struct flash *s, uint32_t off, uint8_t c)
{
    s->block_at = off;
    switch (c) {
    case 0x00:
    case 0xf0:                      /* of the other command set; drivers that probe send it */
    case 0xff: set_mode(s, MODE_ARRAY); return;
    case 0x10:
    case 0x40: s->expect = EXPECT_PROGRAM; break;
    case 0x20: s->expect = EXPECT_ERASE; break;
    case 0x50: s->status = SR_READY; return;
    case 0x60: s->expect = EXPECT_LOCK; break;
    case 0x70: break;
    case 0x90: set_mode(s, MODE_ID); return;
    case 0x98: set_mode(s, MODE_QUERY); return;
    case 0xe8: s->expect = EXPECT_COUNT; break;
    default:
        device_log_guest(&s->dev, "unknown flash command 0x%02x", c);
        return;
    }
    set_mode(s, MODE_STATUS);
}

static void flash_write(struct device *d, unsigned region, uint64_t off, unsigned size,
                        uint64_t v)
{
    struct flash *s = from(d);
    uint8_t c = v;

    switch ((enum expect)s->expect) {
    case EXPECT_COMMAND: command(s, off, c); break;
    case EXPECT_PROGRAM: program(s, off, size, v); break;
    case EXPECT_ERASE: erase(s, off, c); break;
    case EXPECT_LOCK: finish(s, c == 0xd0 || c == 0x01 ? 0 : SR_SEQUENCE_ERROR); break;
    case EXPECT_COUNT: buffer_begin(s, v); break;
    case EXPECT_DATA: buffer_data(s, off, size, v); break;
    case EXPECT_CONFIRM: buffer_confirm(s, c); break;
    }
}

/* What each chip answers at word `i`. */
static uint16_t answer(const struct flash *s, uint32_t i)
{
    switch ((enum mode)s->mode) {
    case MODE_STATUS: return s->status;
    case MODE_QUERY: return i < sizeof s->query ? s->query[i] : 0;
    case MODE_ID:
        switch (i & 0xff) {
        case 0: return 0x89;        /* Intel */
        case 1: return 0x18;
        default: return 0;          /* block not locked */
        }
    case MODE_ARRAY: break;
    }
    return 0;
}

static uint64_t flash_read(struct device *d, unsigned region, uint64_t off, unsigned size)
{
    struct flash *s = from(d);
    uint64_t v = 0;

    if (s->mode == MODE_ARRAY) {
        memcpy(&v, s->bytes + off, size);
    } else {
        for (unsigned i = 0; i < size; i++) {
            uint64_t at = off + i;
            uint8_t byte = answer(s, at / 4) >> at % 2 * 8;

            v |= (uint64_t)byte << i * 8;
        }
    }
    return v;
}

/* ---- life ------------------------------------------------------------------------------ */

/* JEP137, and the Intel extension at 0x31; times as powers of two in µs and ms. */
static void query_fill(struct flash *s)
{
    uint32_t blocks = s->size / BLOCK_BYTES - 1, block = BLOCK_BYTES / CHIPS_N / 256;
    const uint8_t from_10[] = {
        'Q', 'R', 'Y', 0x01, 0x00, 0x31, 0x00, 0, 0, 0, 0,         /* 0x10: command set 1 */
        0x45, 0x55, 0, 0,                                           /* 0x1b: voltages */
        0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00,             /* 0x1f: times */
        __builtin_ctzll(s->size / CHIPS_N), 0x02, 0x00,             /* 0x27: size, x8/x16 */
        __builtin_ctz(BUFFER_BYTES / CHIPS_N), 0x00,                /* 0x2a: buffer */
        0x01, blocks, blocks >> 8, block, block >> 8,               /* 0x2c: one kind of blocks */
        'P', 'R', 'I', '1', '0',                                    /* 0x31 */
    };

    memcpy(s->query + 0x10, from_10, sizeof from_10);
    s->query[0x3f] = 0x01;          /* one protection register field */
}

bool cfi_flash_load(struct device *d, const void *data, size_t bytes, struct err *e)
{
    struct flash *s = from(d);

    if (bytes > s->size) {
        return err_set(e, "%s: %zu bytes do not fit into its %llu", d->id, bytes,
                       (unsigned long long)s->size);
    }
    memcpy(s->bytes, data, bytes);
    return true;
}

struct reading {
    struct blk_req req;
    int rc;
};

static void read_done(struct blk_req *r, int rc)
{
    CONTAINER_OF(r, struct reading, req)->rc = rc;
}

/* Before the machine runs, so that waiting for it is no harm. */
static bool read_image(struct flash *s, struct err *e)
{
    uint64_t bytes = blk_size_bytes(s->blk);
    struct iovec iov = { s->bytes, bytes };
    struct reading r = { .req = {
        .op = BLK_READ, .n_bytes = bytes, .iov = &iov, .n_iov = 1, .done = read_done } };

    if (bytes != s->size) {
        return err_set(e, "'%s' has %llu bytes; this flash needs an image of exactly %llu",
                       blk_path(s->blk), (unsigned long long)bytes, (unsigned long long)s->size);
    }
    blk_submit(s->blk, &r.req);
    blk_drain(s->blk);
    return r.rc == 0 || err_set(e, "cannot read '%s': %s", blk_path(s->blk), strerror(-r.rc));
}

static bool flash_realize(struct device *d, struct err *e)
{
    struct flash *s = from(d);

    if (s->size < BLOCK_BYTES || s->size > SIZE_MAX_BYTES || s->size & (s->size - 1)) {
        return err_set(e, "size: it is a power of two, 256K to 256M");
    }
    s->bytes = device_ram(d, 0);        /* without a drive: zeroes that cost no memory */
    query_fill(s);
    return !s->blk || read_image(s, e);
}

static void flash_unrealize(struct device *d)
{
    struct flash *s = from(d);

    while (s->blk && s->writing) {
        blk_drain(s->blk);
    }
}

static void flash_reset(struct device *d)
{
    set_mode(from(d), MODE_ARRAY);
    from(d)->expect = EXPECT_COMMAND;
    from(d)->status = SR_READY;
}

static uint64_t flash_size_of(const struct device *d)
{
    return CONTAINER_OF(d, const struct flash, dev)->size;
}

static bool flash_after_load(struct device *d, struct err *e)
{
    struct flash *s = from(d);
    uint8_t mode = s->mode;

    if (mode > MODE_QUERY || s->expect > EXPECT_CONFIRM || s->block_at >= s->size ||
        (s->expect == EXPECT_DATA && (!s->count || s->count > BUFFER_BYTES / 4)) ||
        (s->buffer_at != UINT32_MAX && s->buffer_at > s->size - BUFFER_BYTES)) {
        return err_set(e, "a flash cannot be in this state: mode %u, expects %u, block at 0x%x, "
                       "%u words to 0x%x", mode, s->expect, s->block_at, s->count, s->buffer_at);
    }
    s->mode = MODE_ARRAY;           /* as device_load's reset left the mapping */
    set_mode(s, mode);
    return true;
}

static const struct device_option flash_options[] = {
    OPTION("drive", struct flash, blk, OPTION_BLK, NULL,
           "its contents; without: zeroes, and changes are lost"),
    OPTION("size", struct flash, size, OPTION_SIZE, "64M", "of the bank"),
    { 0 },
};

static const struct device_state flash_state[] = {
    STATE(struct flash, mode),
    STATE(struct flash, expect),
    STATE(struct flash, status),
    STATE(struct flash, count),
    STATE(struct flash, buffer_at),
    STATE(struct flash, block_at),
    STATE(struct flash, buffer_bad),
    STATE_ARRAY(struct flash, buffer),
    { 0 },
};

const struct device_class cfi_flash_class = {
    .name = "cfi.pflash01",
    .about = "NOR flash, Intel command set",
    .version = 1,
    .size = sizeof(struct flash),
    .fdt_compatible = (const char *const[]){ "cfi-flash", NULL },
    .regions = (const struct device_region[]){
        { .rom = true, .size_of = flash_size_of }, { 0 },
    },
    .options = flash_options,
    .state = flash_state,
    .realize = flash_realize,
    .reset = flash_reset,
    .unrealize = flash_unrealize,
    .after_load = flash_after_load,
    .region_rd = flash_read,
    .region_wr = flash_write,
};
