/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a device as bytes, by its state table.
 *
 *   "PDEV"  u8 format  u8 version  name  table  bus  ram
 *   name  = u8 length, characters
 *   table = u16 rows, each: name, u8 type, u32 count, then count elements:
 *           a little-endian number of the type's size, or a table
 *   bus   = table, of what the bus has for it; without a bus: nothing
 *   ram   = for each region that is RAM, in their order: u64 bytes, the bytes
 *
 * It says the name of everything, so that a reader of another version knows what it lacks. */
#include "base/base.h"
#include "base/err.h"
#include "vm/device.h"
#include "vm/device_guard.h"
#include "vm/device_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STATE_FORMAT 3
#define STATE_DEPTH_MAX 4
#define STATE_BYTES_MAX (16 * MiB)

static const uint8_t state_magic[4] = { 'P', 'D', 'E', 'V' };

static const uint8_t type_bytes[] = {
    [DEVICE_U8] = 1, [DEVICE_U16] = 2, [DEVICE_U32] = 4, [DEVICE_U64] = 8, [DEVICE_BOOL] = 1,
};

static uint32_t row_count(const struct device_state *s)
{
    return s->count ? s->count : 1;
}

/* ---- writing --------------------------------------------------------------------------- */

struct writer {
    uint8_t *buf;
    size_t len, room;
    bool failed;
};

static void put(struct writer *w, const void *p, size_t n)
{
    if (w->failed || w->len + n > STATE_BYTES_MAX) {
        w->failed = true;
        return;
    }
    if (w->len + n > w->room) {
        size_t room = MAX(w->len + n, w->room * 2 + 256);
        uint8_t *buf = realloc(w->buf, room);

        if (!buf) {
            w->failed = true;
            return;
        }
        w->buf = buf;
        w->room = room;
    }
    memcpy(w->buf + w->len, p, n);
    w->len += n;
}

static void put_uint(struct writer *w, uint64_t v, unsigned bytes)
{
    uint8_t b[8];

    for (unsigned i = 0; i < bytes; i++) {
        b[i] = v >> i * 8;
    }
    put(w, b, bytes);
}

static void put_name(struct writer *w, const char *name)
{
    size_t n = strlen(name);

    assert(n < 256);
    put_uint(w, n, 1);
    put(w, name, n);
}

static uint64_t number_get(const void *p, unsigned bytes)
{
    uint64_t v = 0;

    memcpy(&v, p, bytes);       /* the host is little-endian: x86-64 */
    return v;
}

static void put_table(struct writer *w, const char *base, const struct device_state *table)
{
    unsigned n = 0;

    while (table && table[n].name) {
        n++;
    }
    put_uint(w, n, 2);
    for (const struct device_state *s = table; s && s->name; s++) {
        put_name(w, s->name);
        put_uint(w, s->type, 1);
        put_uint(w, row_count(s), 4);
        for (uint32_t i = 0; i < row_count(s); i++) {
            const char *p = base + s->off + (size_t)i * s->size;

            if (s->type == DEVICE_STRUCT) {
                put_table(w, p, s->table);
            } else {
                assert(s->size == type_bytes[s->type]);
                put_uint(w, number_get(p, s->size), s->size);
            }
        }
    }
}

static void put_ram(struct writer *w, const struct device *d)
{
    for (unsigned n = 0; n < DEVICE_REGIONS_MAX; n++) {
        if (d->host->ram[n] && d->cls->regions[n].ram) {
            put_uint(w, device_region_size(d, n), 8);
            put(w, d->host->ram[n], device_region_size(d, n));
        }
    }
}

bool device_save(struct device *d, uint8_t **blob, size_t *len_bytes, struct err *e)
{
    struct writer w = { 0 };

    device_lock(d);
    if (d->host->bus && d->host->bus->before_save) {
        d->host->bus->before_save(d);
    }
    if (d->cls->before_save) {
        DEVICE_HOOK(d, "before its state is saved", NULL, d->cls->before_save, d);
    }
    put(&w, state_magic, sizeof state_magic);
    put_uint(&w, STATE_FORMAT, 1);
    put_uint(&w, d->cls->version, 1);
    put_name(&w, d->cls->name);
    put_table(&w, (const char *)d, d->cls->state);
    if (d->host->bus) {
        put_table(&w, d->host->bus_data, d->host->bus->state);
    }
    put_ram(&w, d);
    device_unlock(d);
    if (w.failed) {
        free(w.buf);
        return err_set(e, "%s: out of memory for its state", d->id);
    }
    *blob = w.buf;
    *len_bytes = w.len;
    return true;
}

/* ---- reading --------------------------------------------------------------------------- */

struct reader {
    const uint8_t *p;
    size_t left;
    unsigned version;
};

static bool take(struct reader *r, void *out, size_t n)
{
    if (n > r->left) {
        return false;
    }
    memcpy(out, r->p, n);
    r->p += n;
    r->left -= n;
    return true;
}

static bool take_uint(struct reader *r, uint64_t *v, unsigned bytes)
{
    *v = 0;
    return take(r, v, bytes);
}

static bool take_name(struct reader *r, char name[256])
{
    uint64_t n;

    memset(name, 0, 256);
    return take_uint(r, &n, 1) && take(r, name, n);
}

static bool take_table(struct reader *r, char *base, const struct device_state *table,
                       unsigned depth, struct err *e);

static bool take_row(struct reader *r, char *base, const struct device_state *s, unsigned depth,
                     struct err *e)
{
    uint64_t type, count, v;

    if (!take_uint(r, &type, 1) || !take_uint(r, &count, 4)) {
        return err_set(e, "the state ends in the middle of '%s'", s->name);
    }
    if (type != s->type || count != row_count(s)) {
        return err_set(e, "'%s' has another type or number of elements", s->name);
    }
    for (uint32_t i = 0; i < count; i++) {
        char *p = base + s->off + (size_t)i * s->size;

        if (s->type == DEVICE_STRUCT) {
            if (!take_table(r, p, s->table, depth + 1, e)) {
                return err_prefix(e, "%s[%u]", s->name, i);
            }
            continue;
        }
        if (!take_uint(r, &v, s->size)) {
            return err_set(e, "the state ends in the middle of '%s'", s->name);
        }
        if (s->type == DEVICE_BOOL) {
            v = v != 0;         /* any other value in a bool is undefined behaviour */
        }
        memcpy(p, &v, s->size);
    }
    return true;
}

#define STATE_ROWS_MAX 128      /* in one table */

static bool take_table(struct reader *r, char *base, const struct device_state *table,
                       unsigned depth, struct err *e)
{
    bool seen[STATE_ROWS_MAX] = { 0 };
    uint64_t rows;
    char name[256];
    unsigned n;

    if (depth > STATE_DEPTH_MAX || !take_uint(r, &rows, 2)) {
        return err_set(e, "the state ends too early");
    }
    while (rows--) {
        if (!take_name(r, name)) {
            return err_set(e, "the state ends too early");
        }
        for (n = 0; table && table[n].name && strcmp(table[n].name, name); n++) {
        }
        if (!table || !table[n].name || seen[n]) {
            return err_set(e, "'%s' is unknown or given twice", name);
        }
        seen[n] = true;
        if (!take_row(r, base, &table[n], depth, e)) {
            return false;
        }
    }
    for (n = 0; table && table[n].name; n++) {
        assert(n < STATE_ROWS_MAX);
        if (!seen[n] && table[n].since <= r->version) {
            return err_set(e, "'%s' is missing", table[n].name);
        }
    }
    return true;
}

static bool take_ram(struct reader *r, struct device *d, struct err *e)
{
    uint64_t bytes;

    for (unsigned n = 0; n < DEVICE_REGIONS_MAX; n++) {
        if (!d->host->ram[n] || !d->cls->regions[n].ram) {
            continue;
        }
        if (!take_uint(r, &bytes, 8) || bytes != device_region_size(d, n) ||
            !take(r, d->host->ram[n], bytes)) {
            return err_set(e, "the memory in region %u is missing or of another size", n);
        }
    }
    return true;
}

static bool load(struct device *d, struct reader *r, struct err *e)
{
    const struct device_bus *bus = d->host->bus;
    uint64_t format, version;
    struct device_guard guard;
    uint8_t magic[4];
    char name[256];
    bool ok;

    if (!take(r, magic, 4) || memcmp(magic, state_magic, 4) || !take_uint(r, &format, 1) ||
        format != STATE_FORMAT || !take_uint(r, &version, 1) || !take_name(r, name)) {
        return err_set(e, "this is not the state of a device");
    }
    if (strcmp(name, d->cls->name)) {
        return err_set(e, "this is the state of a '%s'", name);
    }
    if (version > d->cls->version) {
        return err_set(e, "the state has version %u, we know up to %u", (unsigned)version,
                       d->cls->version);
    }
    r->version = version;
    if (!take_table(r, (char *)d, d->cls->state, 0, e) ||
        (bus && !take_table(r, d->host->bus_data, bus->state, 0, e)) || !take_ram(r, d, e)) {
        return false;
    }
    if (r->left) {
        return err_set(e, "%zu bytes too much in the state", r->left);
    }
    if (bus && bus->after_load && !bus->after_load(d, e)) {
        return false;
    }
    device_guard_begin(&guard, device_plugin_path(d), "after its state was loaded");
    guard.locked_dev = d;
    err_set(e, "it did not say why");
    ok = !d->cls->after_load || d->cls->after_load(d, e);
    device_guard_end(&guard);
    return ok;
}

/* Fields as they are, without hooks, and back: a state that is refused half-way leaves nothing of
 * itself in fields that a reset does not touch. */
static void fields_keep(struct device *d, struct writer *w)
{
    put_table(w, (const char *)d, d->cls->state);
    if (d->host->bus) {
        put_table(w, d->host->bus_data, d->host->bus->state);
    }
}

static void fields_restore(struct device *d, const struct writer *w)
{
    struct reader r = { w->buf, w->len, d->cls->version };
    struct err e;
    bool ok = take_table(&r, (char *)d, d->cls->state, 0, &e) &&
              (!d->host->bus || take_table(&r, d->host->bus_data, d->host->bus->state, 0, &e));

    assert(ok);
}

bool device_load(struct device *d, const uint8_t *blob, size_t len_bytes, struct err *e)
{
    struct reader r = { blob, len_bytes };
    struct writer before = { 0 };
    bool ok;

    device_lock(d);
    device_reset_locked(d);
    fields_keep(d, &before);
    ok = before.failed ? err_set(e, "out of memory to load a state") : load(d, &r, e);
    if (!ok) {
        err_prefix(e, "%s", d->id);
        if (!before.failed) {
            fields_restore(d, &before);
        }
        device_reset_locked(d);
    }
    device_unlock(d);
    free(before.buf);
    return ok;
}
