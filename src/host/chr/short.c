/* SPDX-License-Identifier: Apache-2.0 */
/* The short forms of -serial, -monitor and the like. */
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "host/chr/impl.h"

static bool starts(const char *text, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);

    if (strncmp(text, prefix, n)) {
        return false;
    }
    *rest = text + n;
    return true;
}

/* "PATH,option,option": the path may have `,,` for a comma. */
static bool with_path(struct opts *o, const char *backend, const char *rest, struct err *e)
{
    return opts_set(o, "backend", backend, e) && opts_parse(o, rest, "path", e);
}

/* "[HOST]:PORT,option,option"; an IPv6 address is in brackets. */
static bool with_host(struct opts *o, const char *rest, bool telnet, struct err *e)
{
    size_t n = strcspn(rest, ",");
    const char *colon = memrchr(rest, ':', n);
    const char *host = rest, *host_end = colon;
    char text[256];

    if (!colon || colon + 1 == rest + n) {
        return err_set(e, "'%.100s' is not of the form host:port", rest);
    }
    if (host_end > host + 1 && host[0] == '[' && host_end[-1] == ']') {
        host++;
        host_end--;
    }
    if ((size_t)(host_end - host) >= sizeof text || n - (colon + 1 - rest) >= sizeof text) {
        return err_set(e, "'%.40s…' is too long for an address", rest);
    }
    snprintf(text, sizeof text, "%.*s", (int)(host_end - host), host);
    if (!opts_set(o, "backend", "socket", e) || !opts_set(o, "host", text, e)) {
        return false;
    }
    snprintf(text, sizeof text, "%.*s", (int)(rest + n - colon - 1), colon + 1);
    return opts_set(o, "port", text, e) && (!telnet || opts_set(o, "telnet", "on", e)) &&
           opts_parse(o, rest[n] ? rest + n + 1 : "", NULL, e);
}

bool chr_opts_from_short(struct opts *o, const char *text, bool *with_monitor, struct err *e)
{
    static const char *const plain[] = { "null", "none", "pty", "stdio" };
    static const char *const elsewhere[] = {
        "vc", "udp:", "websocket:", "msmouse", "wctablet", "braille", "con:", "dbus",
    };
    const char *rest;
    bool mon = starts(text, "mon:", &rest);

    if (with_monitor) {
        *with_monitor = mon;
    }
    if (mon) {
        if (!with_monitor) {
            return err_set(e, "'%.100s': there can be no monitor here", text);
        }
        text = rest;
        if (!opts_set(o, "mux", "on", e)) {
            return false;
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(plain); i++) {
        if (starts(text, plain[i], &rest) && (!*rest || *rest == ',')) {
            /* With a monitor at hand, Ctrl-C is the guest's: C-a x ends the emulator. */
            return opts_set(o, "backend", plain[i], e) &&
                   (!mon || strcmp(plain[i], "stdio") || opts_set(o, "signal", "off", e)) &&
                   opts_parse(o, *rest ? rest + 1 : "", NULL, e);
        }
    }
    if (starts(text, "chardev:", &rest)) {
        return opts_set(o, "chardev", rest, e);
    }
    if (starts(text, "file:", &rest)) {
        return with_path(o, "file", rest, e);
    }
    if (starts(text, "pipe:", &rest)) {
        return with_path(o, "pipe", rest, e);
    }
    if (starts(text, "unix:", &rest)) {
        return with_path(o, "socket", rest, e);
    }
    if (starts(text, "tcp:", &rest)) {
        return with_host(o, rest, false, e);
    }
    if (starts(text, "telnet:", &rest)) {
        return with_host(o, rest, true, e);
    }
    if (starts(text, "/dev/", &rest)) {
        return with_path(o, "serial", text, e);
    }
    for (unsigned i = 0; i < ARRAY_LEN(elsewhere); i++) {
        if (starts(text, elsewhere[i], &rest)) {
            return err_set(e, "the character device '%.100s' is one of QEMU's that Pando lacks",
                           text);
        }
    }
    return err_set(e, "'%.100s' is not a character device; there are null, stdio, mon:stdio, pty, "
                   "file:PATH, pipe:PATH, unix:PATH, tcp:HOST:PORT, telnet:HOST:PORT, /dev/NAME "
                   "and chardev:ID", text);
}
