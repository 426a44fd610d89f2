/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a device: from text into the fields that its table names. */
#include "base/base.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "vm/device.h"
#include "vm/device_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct device_option *option_find(const struct device_class *cls, const char *name)
{
    for (const struct device_option *o = cls->options; o && o->name; o++) {
        if (!strcmp(o->name, name)) {
            return o;
        }
    }
    return NULL;
}

bool device_has_option(const struct device_class *cls, const char *option)
{
    return option_find(cls, option) != NULL;
}

static bool set_u64(const struct device_option *o, const char *value, uint64_t max, void *field,
                    struct err *e)
{
    uint64_t v;

    if (!opts_parse_u64(o->name, value, 0, max, &v, e)) {
        return false;
    }
    switch (o->type) {
    case OPTION_U16: *(uint16_t *)field = v; break;
    case OPTION_U32: *(uint32_t *)field = v; break;
    default: *(uint64_t *)field = v; break;
    }
    return true;
}

/* Six pairs of hexadecimal digits with ':' between. */
static bool set_mac(const struct device_option *o, const char *value, uint8_t mac[6],
                    struct err *e)
{
    unsigned b[6];
    int end = 0;

    if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
               &end) != 6 || value[end]) {
        return err_set(e, "%s=%s: not a MAC address such as 52:54:00:12:34:56", o->name, value);
    }
    if (b[0] & 1) {
        return err_set(e, "%s=%s: this is a group address", o->name, value);
    }
    for (int i = 0; i < 6; i++) {
        mac[i] = b[i];
    }
    return true;
}

static bool set_enum(const struct device_option *o, const char *value, uint8_t *field,
                     struct err *e)
{
    char all[200] = "";

    for (unsigned i = 0; o->values[i]; i++) {
        size_t n = strlen(all);

        if (!strcmp(o->values[i], value)) {
            *field = i;
            return true;
        }
        snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "", o->values[i]);
    }
    return err_set(e, "%s=%s: it can be %s", o->name, value, all);
}

static bool set_string(const char *value, char **field, struct err *e)
{
    char *copy = strdup(value);

    if (!copy) {
        return err_set(e, "out of memory");
    }
    free(*field);
    *field = copy;
    return true;
}

static bool set_backend(const struct device_option *o, const char *value,
                        const struct device_finder *finder, void **field, struct err *e)
{
    void *p;

    if (!finder) {
        return err_set(e, "%s=%s: backends cannot be named here", o->name, value);
    }
    p = finder->find(finder->ctx, o->type, value, e);
    if (!p) {
        return err_prefix(e, "%s=%s", o->name, value);
    }
    *field = p;
    return true;
}

static bool option_set(struct device *d, const struct device_option *o, const char *value,
                       const struct device_finder *finder, struct err *e)
{
    void *field = (char *)d + o->off;

    switch ((enum device_option_type)o->type) {
    case OPTION_BOOL: return opts_parse_bool(o->name, value, field, e);
    case OPTION_U16: return set_u64(o, value, UINT16_MAX, field, e);
    case OPTION_U32: return set_u64(o, value, UINT32_MAX, field, e);
    case OPTION_U64: return set_u64(o, value, UINT64_MAX, field, e);
    case OPTION_SIZE: return opts_parse_size(o->name, value, 1, field, e);
    case OPTION_STRING: return set_string(value, field, e);
    case OPTION_MAC: return set_mac(o, value, field, e);
    case OPTION_ENUM: return set_enum(o, value, field, e);
    case OPTION_CHR:
    case OPTION_BLK:
    case OPTION_NET:
    case OPTION_RNG: return set_backend(o, value, finder, field, e);
    }
    assert(!"option type");
    return false;
}

bool device_set(struct device *d, const char *option, const char *value,
                const struct device_finder *finder, struct err *e)
{
    const struct device_option *o = option_find(d->cls, option);
    struct nearest near;

    assert(!d->host->realized);
    if (!o) {
        nearest_init(&near, option);
        for (o = d->cls->options; o && o->name; o++) {
            nearest_add(&near, o->name);
        }
        return err_set(e, "device '%s' has no property '%s'%s", d->cls->name, option,
                       nearest_hint(&near));
    }
    return option_set(d, o, value, finder, e) || err_prefix(e, "device '%s'", d->cls->name);
}

bool device_set_all(struct device *d, const struct opts *opts, const struct device_finder *finder,
                    struct err *e)
{
    const struct opts *o;

    for (o = opts_first(opts); o; o = opts_next(o)) {
        const char *key = opts_key(o);

        if (!strcmp(key, "driver") || !strcmp(key, "id") || !strcmp(key, "bus")) {
            continue;
        }
        if (!opts_value(o)) {
            return err_set(e, "device '%s': '%s' has no members", d->cls->name, key);
        }
        if (!device_set(d, key, opts_value(o), finder, e)) {
            return false;
        }
    }
    return true;
}

bool device_options_default(struct device *d, struct err *e)
{
    for (const struct device_option *o = d->cls->options; o && o->name; o++) {
        assert(o->off < d->cls->size);
        if (o->dflt && !option_set(d, o, o->dflt, NULL, e)) {
            return false;
        }
    }
    return true;
}

void device_options_free(struct device *d)
{
    for (const struct device_option *o = d->cls->options; o && o->name; o++) {
        if (o->type == OPTION_STRING) {
            free(*(char **)((char *)d + o->off));
        }
    }
}

static const char *const type_names[] = {
    [OPTION_BOOL] = "bool", [OPTION_U16] = "number", [OPTION_U32] = "number",
    [OPTION_U64] = "number", [OPTION_SIZE] = "size", [OPTION_STRING] = "text",
    [OPTION_MAC] = "MAC address", [OPTION_ENUM] = "word", [OPTION_CHR] = "chardev id",
    [OPTION_BLK] = "drive id", [OPTION_NET] = "netdev id", [OPTION_RNG] = "rng id",
};

int device_class_help(const struct device_class *cls, char *buf, size_t n_bytes)
{
    int n = snprintf(buf, n_bytes, "%s: %s\n", cls->name, cls->about);

    for (const struct device_option *o = cls->options; o && o->name; o++) {
        size_t left = (size_t)n < n_bytes ? n_bytes - n : 0;

        n += snprintf(left ? buf + n : NULL, left, "  %s=<%s>%*s - %s%s%s%s\n", o->name,
                      type_names[o->type],
                      MAX(0, 28 - (int)(strlen(o->name) + strlen(type_names[o->type]))), "",
                      o->help, o->dflt ? " (default: " : "", o->dflt ? o->dflt : "",
                      o->dflt ? ")" : "");
    }
    return n;
}
