/* SPDX-License-Identifier: Apache-2.0 */
#include "front/cmdline.h"

#include "base/base.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "host/chr/chr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    FLAG, SET, VALUE, GROUP, LIST, NIC, SERIAL, MONITOR, QMP, QTEST, LOCAL_CPU, GLOBAL,
    IS_LATER, IS_SECTION
};

struct option {
    const char *name, *alias, *arg;
    enum kind kind;
    const char *path;
    const char *implied;            /* SET: the value */
    const char *help;
};

static const struct option options[] = {
#define SECTION(name_) { .name = name_, .kind = IS_SECTION },
#define OPTION(name_, alias_, arg_, kind_, path_, implied_, help_) \
    { name_, alias_, arg_, kind_, path_, implied_, help_ },
#define LATER(name_) { .name = name_, .kind = IS_LATER },
#include "front/options.def"
#undef SECTION
#undef OPTION
#undef LATER
};

/* A new last member of the list at `path`. */
static struct opts *list_append(struct opts *tree, const char *path, struct err *e)
{
    char member[64];
    unsigned n = 0;

    if (opts_has(tree, path) && !opts_list_len(tree, path, &n, e)) {
        return NULL;
    }
    if (n >= CMDLINE_LIST_MAX) {
        err_set(e, "more than %u of them", CMDLINE_LIST_MAX);
        return NULL;
    }
    snprintf(member, sizeof member, "%s.%u", path, n);
    return opts_sub_make(tree, member, e);
}

/* Gives the id of the character back end that the short form `spec` means: a new one named `id`,
 * or the one of "chardev:ID".  *with_monitor: it began with "mon:"; NULL: it may not. */
static bool chr_of_spec(struct opts *tree, const char *spec, const char *id, bool *with_monitor,
                        char *out, size_t out_bytes, struct err *e)
{
    struct opts *chr = opts_create(), *member;
    const char *other;
    bool ok = chr_opts_from_short(chr, spec, with_monitor, e);

    if (ok && (other = opts_str(chr, "chardev", NULL))) {
        snprintf(out, out_bytes, "%s", other);
    } else if (ok) {
        snprintf(out, out_bytes, "%s", id);
        member = list_append(tree, "chardev", e);
        ok = member && opts_set(member, "id", id, e);
        if (ok) {
            opts_merge(member, chr);
        }
    }
    opts_destroy(chr);
    return ok;
}

static bool add_monitor(struct opts *tree, const char *chr_id, struct err *e)
{
    struct opts *mon = list_append(tree, "mon", e);

    return mon && opts_set(mon, "chardev", chr_id, e) && opts_set(mon, "mode", "readline", e);
}

static bool lower_serial(struct opts *tree, const char *spec, struct err *e)
{
    bool with_monitor;
    char id[128], path[32], dflt[32];
    unsigned n = 0;

    if (opts_has(tree, "serial") && !opts_list_len(tree, "serial", &n, e)) {
        return false;
    }
    snprintf(path, sizeof path, "serial.%u", n);
    if (!strcmp(spec, "none")) {
        return opts_set(tree, path, "none", e);
    }
    snprintf(dflt, sizeof dflt, "serial%u", n);
    return chr_of_spec(tree, spec, dflt, &with_monitor, id, sizeof id, e) &&
           opts_set(tree, path, id, e) && (!with_monitor || add_monitor(tree, id, e));
}

static bool lower_qmp(struct opts *tree, const char *spec, struct err *e)
{
    char id[128], dflt[48];
    struct opts *mon;
    unsigned n = 0;

    if (opts_has(tree, "mon") && !opts_list_len(tree, "mon", &n, e)) {
        return false;
    }
    snprintf(dflt, sizeof dflt, "qmp%u", n);
    if (!chr_of_spec(tree, spec, dflt, NULL, id, sizeof id, e)) {
        return false;
    }
    mon = list_append(tree, "mon", e);
    return mon && opts_set(mon, "chardev", id, e) && opts_set(mon, "mode", "control", e);
}

static bool lower_monitor(struct opts *tree, const char *spec, struct err *e)
{
    char id[128], dflt[48];
    unsigned n = 0;

    if (!strcmp(spec, "none")) {
        return opts_set(tree, "no-monitor", "on", e);
    }
    if (opts_has(tree, "mon") && !opts_list_len(tree, "mon", &n, e)) {
        return false;
    }
    snprintf(dflt, sizeof dflt, "compat_monitor%u", n);
    return chr_of_spec(tree, spec, dflt, NULL, id, sizeof id, e) &&
           add_monitor(tree, id, e);
}

static bool lower_qtest(struct opts *tree, const char *spec, struct err *e)
{
    char id[128];

    return chr_of_spec(tree, spec, "qtest", NULL, id, sizeof id, e) &&
           opts_set(tree, "qtest", id, e);
}

/* -nic is -netdev and -device in one; keys of the card go to the device. */
static bool lower_nic(struct opts *tree, const char *text, struct err *e)
{
    static const char *const of_card[] = { "mac", "addr", "model" };
    struct opts *net = list_append(tree, "netdev", e), *card;
    const char *id, *value;
    char number[32];
    unsigned n = 0;

    if (!net || !opts_parse(net, text, "type", e) || !opts_list_len(tree, "netdev", &n, e)) {
        return false;
    }
    snprintf(number, sizeof number, "netdev.%u", n - 1);
    if (!strcmp(opts_str(net, "type", ""), "none")) {
        opts_remove(tree, n == 1 ? "netdev" : number);
        return opts_set(tree, "no-default-nic", "on", e);
    }
    snprintf(number, sizeof number, "nic%u", n - 1);
    id = opts_str(net, "id", NULL);
    if (!id) {
        if (!opts_set(net, "id", number, e)) {
            return false;
        }
        id = number;
    }
    card = list_append(tree, "device", e);
    if (!card || !opts_set(card, "driver", opts_str(net, "model", "virtio-net-device"), e) ||
        !opts_set(card, "netdev", id, e)) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_LEN(of_card); i++) {
        value = opts_str(net, of_card[i], NULL);
        if (value && strcmp(of_card[i], "model") && !opts_set(card, of_card[i], value, e)) {
            return false;
        }
        opts_remove(net, of_card[i]);
    }
    return true;
}

/* iplist="A B" may hold blanks and commas; everything after it belongs to it. */
static bool lower_local_cpu(struct opts *tree, const char *text, struct err *e)
{
    struct opts *group = opts_sub_make(tree, "local-cpu", e);
    const char *list = strstr(text, "iplist=");
    size_t head_len = list ? (size_t)(list - text) : strlen(text);
    char *head, *value;
    size_t len;
    bool ok;

    if (!group) {
        return false;
    }
    while (head_len && list && text[head_len - 1] == ',') {
        head_len--;
    }
    head = strndup(text, head_len);
    ok = opts_parse(group, head, "cpus", e);
    free(head);
    if (!ok || !list) {
        return ok;
    }
    value = strdup(list + 7);
    len = strlen(value);
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        value[len - 1] = 0;
        memmove(value, value + 1, len - 1);
    }
    ok = opts_set(group, "iplist", value, e);
    free(value);
    return ok;
}

/* The short form has no escapes: the value is the rest. */
static bool lower_global(struct opts *tree, const char *text, struct err *e)
{
    struct opts *at = list_append(tree, "global", e);
    const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
    char driver[64], property[64];

    if (!at) {
        return false;
    }
    if (!dot || !equals || dot > equals) {
        return opts_parse(at, text, NULL, e);
    }
    snprintf(driver, sizeof driver, "%.*s", (int)(dot - text), text);
    snprintf(property, sizeof property, "%.*s", (int)(equals - dot - 1), dot + 1);
    return opts_set(at, "driver", driver, e) && opts_set(at, "property", property, e) &&
           opts_set(at, "value", equals + 1, e);
}

static bool lower(struct opts *tree, const struct option *o, const char *arg, struct err *e)
{
    struct opts *at;

    switch (o->kind) {
    case FLAG:
        return opts_set(tree, o->path, "on", e);
    case SET:
        return opts_set(tree, o->path, o->implied, e);
    case VALUE:
        return opts_set(tree, o->path, arg, e);
    case GROUP:
        at = opts_sub_make(tree, o->path, e);
        return at && opts_parse(at, arg, o->implied, e);
    case LIST:
        at = list_append(tree, o->path, e);
        return at && opts_parse(at, arg, o->implied, e);
    case NIC:
        return lower_nic(tree, arg, e);
    case SERIAL:
        return lower_serial(tree, arg, e);
    case MONITOR:
        return lower_monitor(tree, arg, e);
    case QMP:
        return lower_qmp(tree, arg, e);
    case QTEST:
        return lower_qtest(tree, arg, e);
    case LOCAL_CPU:
        return lower_local_cpu(tree, arg, e);
    case GLOBAL:
        return lower_global(tree, arg, e);
    case IS_LATER:
        return err_set(e, "is an option of QEMU that is not supported yet");
    case IS_SECTION:
        break;
    }
    return false;
}

static const struct option *option_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];
        if (o->kind != IS_SECTION &&
            (!strcmp(o->name, name) || (o->alias && !strcmp(o->alias, name)))) {
            return o;
        }
    }
    return NULL;
}

static bool unknown_option(const char *arg, const char *name, struct err *e)
{
    struct nearest near;

    nearest_init(&near, name);
    for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
        if (options[i].kind != IS_SECTION && options[i].kind != IS_LATER) {
            nearest_add(&near, options[i].name);
        }
    }
    return err_set(e, "%s: there is no such option%s", arg, nearest_hint(&near));
}

bool cmdline_parse(struct opts *tree, unsigned n, char *const *args, struct err *e)
{
    for (unsigned i = 0; i < n; i++) {
        const char *arg = args[i], *name = arg, *value = NULL;
        const struct option *o;

        if (name[0] != '-' || !name[1]) {
            return err_set(e, "%s: not an option; a disk image is given by "
                           "-drive file=%s,if=virtio,format=raw", arg, arg);
        }
        name += name[1] == '-' ? 2 : 1;
        o = option_find(name);
        if (!o) {
            return unknown_option(arg, name, e);
        }
        if (o->arg) {
            if (i + 1 == n) {
                return err_set(e, "%s: wants an argument: %s", arg, o->arg);
            }
            value = args[++i];
        }
        if (!lower(tree, o, value, e)) {
            return o->arg ? err_prefix(e, "-%s %s", o->name, value)
                          : err_prefix(e, "-%s", o->name);
        }
    }
    return true;
}

static bool add_default_console(struct opts *tree, struct err *e)
{
    bool has_serial = opts_has(tree, "serial");
    bool has_monitor = opts_has(tree, "mon") || opts_has(tree, "no-monitor");
    /* Without a display of our own, no -display means what -nographic does. */
    bool on_terminal = opts_has(tree, "nographic") || !opts_has(tree, "display");

    if (opts_has(tree, "nodefaults")) {
        return true;
    }
    if (!on_terminal) {
        return has_serial || lower_serial(tree, "null", e);
    }
    if (!has_serial && !has_monitor) {
        return lower_serial(tree, "mon:stdio", e);
    }
    if (!has_serial) {
        /* The monitor has the terminal if it asked for it; then the port is not connected. */
        for (struct opts *c = opts_first(opts_sub(tree, "chardev")); c; c = opts_next(c)) {
            if (!strcmp(opts_str(c, "backend", ""), "stdio")) {
                return lower_serial(tree, "null", e);
            }
        }
        return lower_serial(tree, "stdio", e);
    }
    return true;
}

/* -drive if=virtio makes a device too; without if= that is the default, as on QEMU's virt. */
static bool add_drive_devices(struct opts *tree, struct err *e)
{
    struct opts *drives = opts_sub(tree, "drive");
    unsigned i = 0;

    for (struct opts *d = drives ? opts_first(drives) : NULL; d; d = opts_next(d), i++) {
        const char *bus = opts_str(d, "if", "virtio");
        const char *id = opts_str(d, "id", NULL);
        char dflt[32];
        struct opts *device;

        if (!id) {
            snprintf(dflt, sizeof dflt, "%s%u", bus, i);
            id = dflt;
            if (!opts_set(d, "id", id, e)) {
                return false;
            }
        }
        if (!strcmp(bus, "none")) {
            continue;
        }
        if (strcmp(bus, "virtio")) {
            return err_set(e, "-drive if=%s: there are if=virtio and if=none", bus);
        }
        device = list_append(tree, "device", e);
        if (!device || !opts_set(device, "driver", "virtio-blk-device", e) ||
            !opts_set(device, "drive", id, e)) {
            return false;
        }
    }
    return true;
}

bool cmdline_add_defaults(struct opts *tree, struct err *e)
{
    if (!add_default_console(tree, e) || !add_drive_devices(tree, e)) {
        return false;
    }
    if (!opts_has(tree, "netdev") && !opts_has(tree, "no-default-nic") &&
        !opts_has(tree, "nodefaults")) {
        return lower_nic(tree, "user", e);
    }
    return true;
}

void cmdline_help(struct strbuf *out)
{
    strbuf_add(out, "Usage: pando [OPTION]...\n"
               "       pando join HOST:PORT --secret FILE [--cpus N] [--memory SIZE]\n"
               "Runs a virtual machine; with -cluster, on several hosts.  Options are QEMU's and "
               "may start\nwith one dash or two.\n");
    for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];

        if (o->kind == IS_SECTION) {
            strbuf_add(out, "\n%s:\n", o->name);
        } else if (o->kind != IS_LATER) {
            strbuf_add(out, "  -%s%s%s\n        %s\n", o->name, o->arg ? " " : "",
                       o->arg ? o->arg : "", o->help);
        }
    }
}
