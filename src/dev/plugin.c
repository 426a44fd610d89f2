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
    if (!cls || !cls->name || !cls->name[0] || cls->size < sizeof(struct device) ||
        cls->irqs_n > DEVICE_IRQS_MAX) {
        return err_set(e, "'%s': its class has no name, or an impossible size or number of "
                       "interrupts", path);
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
