/* SPDX-License-Identifier: Apache-2.0 */
#include "front/help.h"

#include "base/err.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "base/trace.h"
#include "dev/devices.h"
#include "dev/plugin.h"
#include "front/cmdline.h"
#include "front/config.h"
#include "front/engine.h"
#include "front/version.h"
#include "vm/device.h"

#include <string.h>

static bool is_help(const char *text)
{
    return text && (!strcmp(text, "help") || !strcmp(text, "?"));
}

static bool device_help(const char *driver, struct strbuf *out, struct err *e)
{
    const struct device_class *cls;
    struct nearest near;
    char text[8192];

    if (is_help(driver)) {
        strbuf_add(out, "Devices ('-device NAME,help' lists the options of one):\n");
        for (unsigned i = 0; (cls = device_class_at(i)); i++) {
            if (cls->user) {
                strbuf_add(out, "  %-24s %s\n", cls->name, cls->about ? cls->about : "");
            }
        }
        strbuf_add(out, "  %-24s %s\n", "./NAME.so", "a plug-in (pando device new)");
        return true;
    }
    cls = plugin_is_path(driver) ? device_class_open(driver, e) : device_class_find(driver);
    if (!cls && plugin_is_path(driver)) {
        return err_prefix(e, "-device");
    }
    if (cls) {
        device_class_help(cls, text, sizeof text);
        strbuf_add(out, "%s", text);
        return true;
    }
    nearest_init(&near, driver);
    for (unsigned i = 0; (cls = device_class_at(i)); i++) {
        if (cls->user) {
            nearest_add(&near, cls->name);
        }
    }
    return err_set(e, "-device %s: there is no such device (-device help)%s", driver,
                   nearest_hint(&near));
}

static bool machine_help(const struct opts *tree, struct strbuf *out)
{
    const struct opts *m = opts_sub(tree, "machine");

    if (is_help(opts_str(tree, "machine.type", NULL))) {
        strbuf_add(out, "Machines:\n  virt    aarch64, with what QEMU's virt machine has at the "
                   "same addresses\n");
        return true;
    }
    if (m && opts_wants_help(m)) {
        opts_rows_help(config_machine_rows, out);
        return true;
    }
    return false;
}

static bool log_help(const struct opts *tree, struct strbuf *out)
{
    const struct opts *list = opts_sub(tree, "trace");
    char text[16384];

    if (is_help(opts_str(tree, "log.items", NULL))) {
        log_items_help(text, sizeof text);
        strbuf_add(out, "%s", text);
        return true;
    }
    for (struct opts *o = list ? opts_first(list) : NULL; o; o = opts_next(o)) {
        if (is_help(opts_str(o, "enable", NULL))) {
            trace_help(text, sizeof text);
            strbuf_add(out, "%s", text);
            return true;
        }
    }
    return false;
}

bool help_wanted(const struct opts *tree, struct strbuf *out, struct err *e)
{
    const struct opts *list;

    e->text[0] = 0;
    if (opts_has(tree, "query.help")) {
        cmdline_help(out);
        return true;
    }
    if (opts_has(tree, "query.version")) {
        strbuf_add(out, "Pando %s\n", PANDO_VERSION);
        return true;
    }
    if (machine_help(tree, out) || log_help(tree, out)) {
        return true;
    }
    if (is_help(opts_str(tree, "cpu.model", NULL))) {
        engine_cpu_help(out);
        return true;
    }
    list = opts_sub(tree, "accel");
    for (struct opts *o = list ? opts_first(list) : NULL; o; o = opts_next(o)) {
        if (is_help(opts_str(o, "accel", NULL))) {
            engine_accel_help(out);
            return true;
        }
    }
    list = opts_sub(tree, "device");
    for (struct opts *o = list ? opts_first(list) : NULL; o; o = opts_next(o)) {
        const char *driver = opts_str(o, "driver", NULL);

        if (driver && (is_help(driver) || opts_wants_help(o))) {
            return device_help(driver, out, e);
        }
    }
    return false;
}
