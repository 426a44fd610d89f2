/* SPDX-License-Identifier: Apache-2.0 */
/* struct trace: which trace points (rows of base/trace.def) are on.
 *
 * Each row NAME becomes `trace_NAME(t, …)`, with typed parameters and a checked format.  Off, it
 * costs the load of one byte and one branch.  Lines go to the log (base/log.h).  The front end
 * owns one struct trace and gives it to what it makes; a test passes &trace_none. */
#pragma once
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum trace_id {
#define TRACE_ROW(name, proto, ...) TRACE_##name,
#include "base/trace.def"
#undef TRACE_ROW
    TRACE_N
};

struct trace {
    uint8_t on[TRACE_N];        /* read and written with relaxed atomics: any thread */
};

extern const struct trace trace_none;       /* all off, for ever */

/* Switches on (or off) the points whose name matches the glob (`*` and `?`).  A leading `-` turns
 * the meaning round, as in QEMU.  Fails when nothing matches, naming the nearest known name. */
bool trace_set(struct trace *t, const char *glob, bool on, struct err *e);

const char *trace_name(enum trace_id id);

/* All names, one a line, into `buf` (`-trace help`).  Returns the length it would need. */
size_t trace_help(char *buf, size_t n_bytes);

static inline bool trace_is_on(const struct trace *t, enum trace_id id)
{
    return __builtin_expect(__atomic_load_n(&t->on[id], __ATOMIC_RELAXED), 0);
}

/* What an enabled trace_NAME() calls. */
void trace_print(enum trace_id id, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), cold));

#define TRACE_UNWRAP(...) __VA_ARGS__
#define TRACE_ROW(name, proto, ...) \
    static inline void trace_##name(const struct trace *t, TRACE_UNWRAP proto) \
    { \
        if (trace_is_on(t, TRACE_##name)) { \
            trace_print(TRACE_##name, __VA_ARGS__); \
        } \
    }
#include "base/trace.def"
#undef TRACE_ROW
