/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/plugin.h"

#include "base/err.h"
#include "vm/device_guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool plugin_is_path(const char *name)
{
    size_t n = strlen(name);

    return strchr(name, '/') || (n > 3 && !strcmp(name + n - 3, ".so"));
}

static bool virtio_fits(const struct device_class *cls, const char *path, struct err *e)
{
    const struct virtio_kind *kind = cls->kind;

    if (!kind || !kind->kick || cls->size < sizeof(struct virtio_device) ||
        kind->config_bytes > VIRTIO_CONFIG_MAX || (kind->config_bytes && !kind->config_read)) {
        return err_set(e, "'%s': a class on the virtio-bus needs a kind with kick(), at most %d "
                       "bytes of configuration with config_read(), and a struct that starts with "
                       "a struct virtio_device", path, VIRTIO_CONFIG_MAX);
    }
    return true;
}

/* ---- its tables: what would be an assert in a class of our own ------------------------------ */

static bool regions_fit(const struct device_class *cls, const char *path, struct err *e)
{
    const struct device_region *region = cls->regions;

    for (unsigned n = 0; region && (region[n].size || region[n].size_of); n++) {
        if (n == DEVICE_REGIONS_MAX) {
            return err_set(e, "'%s': more than %d regions, or no REGION_END", path,
                           DEVICE_REGIONS_MAX);
        }
        for (const struct device_reg *r = region[n].regs; r && r->size; r++) {
            if (!r->name || (r->flags & REG_UNLOCKED && (!r->wr || r->field_size))) {
                return err_set(e, "'%s': the register at 0x%x has no name, or is REG_UNLOCKED with "
                               "a field or without wr()", path, r->off);
            }
        }
    }
    return true;
}

static bool options_fit(const struct device_class *cls, const char *path, struct err *e)
{
    static const size_t bytes[] = {
        [OPTION_BOOL] = sizeof(bool), [OPTION_U16] = 2, [OPTION_U32] = 4, [OPTION_U64] = 8,
        [OPTION_SIZE] = 8, [OPTION_STRING] = sizeof(char *), [OPTION_MAC] = 6, [OPTION_ENUM] = 1,
    };

    for (const struct device_option *o = cls->options; o && o->name; o++) {
        if (o->type >= sizeof bytes / sizeof bytes[0] || !bytes[o->type] ||
            o->off + bytes[o->type] > cls->size || (o->type == OPTION_ENUM && !o->values)) {
            return err_set(e, "'%s': option '%s' is of no type that a plug-in can have, lies "
                           "outside of the struct, or has no values", path, o->name);
        }
    }
    return true;
}

#define STATE_DEPTH_MAX 4
#define STATE_ROWS_MAX 128

/* `bytes`: of the struct that the rows are in. */
static bool state_fits(const struct device_state *s, size_t bytes, unsigned depth,
                       const char *path, struct err *e)
{
    static const size_t size[] = {
        [DEVICE_U8] = 1, [DEVICE_U16] = 2, [DEVICE_U32] = 4, [DEVICE_U64] = 8, [DEVICE_BOOL] = 1,
    };

    for (unsigned n = 0; s && s[n].name; n++) {
        const struct device_state *row = &s[n];
        uint64_t all = (uint64_t)row->size * (row->count ? row->count : 1);
        bool is_struct = row->type == DEVICE_STRUCT;

        if (n == STATE_ROWS_MAX || row->off + all > bytes || strlen(row->name) > UINT8_MAX ||
            (is_struct ? !row->table || depth == STATE_DEPTH_MAX
                       : row->type > DEVICE_BOOL || !row->type || row->size != size[row->type])) {
            return err_set(e, "'%s': row '%s' of its state is of no type or another size, or lies "
                           "outside of the struct", path, row->name);
        }
        if (is_struct && !state_fits(row->table, row->size, depth + 1, path, e)) {
            return false;
        }
    }
    return true;
}

static bool tables_fit(const struct device_class *cls, const char *path, struct err *e)
{
    struct device_guard guard;
    bool ok;

    device_guard_begin(&guard, path, "when its tables were read");
    ok = regions_fit(cls, path, e) && options_fit(cls, path, e) &&
         state_fits(cls->state, cls->size, 0, path, e);
    device_guard_end(&guard);
    return ok;
}

/* It becomes the name of a node of a device tree, which takes these. */
static bool name_fits(const char *name)
{
    size_t n = name ? strlen(name) : 0;

    return n && n <= 31 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789,._+-") == n;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* The descriptor is read before anything in it is believed. */
static bool fits(const struct device_plugin *p, const char *path, struct err *e)
{
    const struct device_class *cls;

    if (p->magic != DEVICE_PLUGIN_MAGIC) {
        return err_set(e, "'%s': its pando_device_plugin is not what DEVICE_PLUGIN() makes", path);
    }
    if (p->abi_major != DEVICE_ABI_MAJOR || p->abi_minor > DEVICE_ABI_MINOR ||
        p->class_bytes != sizeof(struct device_class)) {
        return err_set(e, "'%s' was built for version %u.%u of the device interface, this is "
                       "%u.%u: build it anew with this program's pando/device.h", path,
                       p->abi_major, p->abi_minor, DEVICE_ABI_MAJOR, DEVICE_ABI_MINOR);
    }
    cls = p->cls;
    if (!cls || !name_fits(cls->name) || cls->size < sizeof(struct device) ||
        cls->irqs_n > DEVICE_IRQS_MAX) {
        return err_set(e, "'%s': its class has no name (1 to 31 letters, digits and ,._+-), or an "
                       "impossible size or number of interrupts", path);
    }
    if (!tables_fit(cls, path, e)) {
        return false;
    }
    if (cls->bus && !strcmp(cls->bus, "virtio-bus")) {
        return virtio_fits(cls, path, e);
    }
    if (cls->bus && strcmp(cls->bus, "platform-bus")) {
        return err_set(e, "'%s': plug-ins go on the platform-bus or a virtio-bus, not on a '%s'",
                       path, cls->bus);
    }
    return true;
}

const struct device_class *plugin_load(const char *path, struct err *e)
{
    const struct device_plugin *p;
    struct device_guard guard;
    char file[4096];
    void *so;

    /* Without '/' the loader would look elsewhere. */
    if (snprintf(file, sizeof file, "%s%s", strchr(path, '/') ? "" : "./", path) >=
        (int)sizeof file) {
        err_set(e, "the path is too long");
        return NULL;
    }
    if (access(file, R_OK)) {
        err_set(e, "'%s': %s", file, strerror(errno));
        return NULL;
    }
    device_guard_begin(&guard, path, "when it was loaded");
    so = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    device_guard_end(&guard);
    if (!so) {
        err_set(e, "no plug-in: %s", dlerror());
        return NULL;
    }
    p = dlsym(so, "pando_device_plugin");
    if (!p) {
        err_set(e, "'%s' is no device plug-in: it has no DEVICE_PLUGIN()", file);
    }
    if (!p || !fits(p, file, e)) {
        dlclose(so);
        return NULL;
    }
    return p->cls;
}
