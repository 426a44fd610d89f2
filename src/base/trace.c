/* SPDX-License-Identifier: Apache-2.0 */
#include "base/trace.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/nearest.h"

const struct trace trace_none;

static const char *const names[] = {
#define TRACE_ROW(name, proto, ...) #name,
#include "base/trace.def"
#undef TRACE_ROW
};

const char *trace_name(enum trace_id id)
{
    return names[id];
}

bool trace_set(struct trace *t, const char *glob, bool on, struct err *e)
{
    struct nearest near;
    bool found = false;

    if (glob[0] == '-') {
        on = !on;
        glob++;
    }
    nearest_init(&near, glob);
    for (unsigned i = 0; i < TRACE_N; i++) {
        if (fnmatch(glob, names[i], 0) == 0) {
            __atomic_store_n(&t->on[i], on, __ATOMIC_RELAXED);
            found = true;
        }
        nearest_add(&near, names[i]);
    }
    if (!found) {
        return err_set(e, "trace point '%s' does not exist%s", glob, nearest_hint(&near));
    }
    return true;
}

size_t trace_help(char *buf, size_t n_bytes)
{
    size_t at = 0;

    for (unsigned i = 0; i < TRACE_N; i++) {
        size_t left = at < n_bytes ? n_bytes - at : 0;

        at += snprintf(left ? buf + at : NULL, left, "%s\n", names[i]);
    }
    return at;
}

void trace_print(enum trace_id id, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_text("%s %s\n", names[id], text);
}
