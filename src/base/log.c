/* SPDX-License-Identifier: Apache-2.0 */
/* The process-wide state below is the documented exception (log.h). */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/nearest.h"
#include "base/thread.h"
#include "base/trace.h"

enum { LOG_LIMIT_SLOTS = 256 };

_Atomic uint32_t log_item_mask;

static struct {
    _Atomic int level;
    struct mutex lock;          /* over all below */
    FILE *file;                 /* NULL: stderr */
    struct {
        const char *fmt;
        struct log_limit limit;
    } slots[LOG_LIMIT_SLOTS];
} logger = { .level = LOG_LEVEL_INFO, .lock = MUTEX_INIT };

/* ---- messages -------------------------------------------------------------------------- */

static void message(enum log_level level, const char *module, const char *fmt, va_list ap)
{
    static const char *const words[] = { "error: ", "warning: ", "", "debug: " };
    char text[1024];

    if (level > atomic_load_explicit(&logger.level, memory_order_relaxed)) {
        return;
    }
    vsnprintf(text, sizeof text, fmt, ap);
    fprintf(stderr, "pando: %s%s%s%s\n", words[level], module ? module : "", module ? ": " : "",
            text);
}

#define MESSAGE_FN(name, level) \
    void name(const char *module, const char *fmt, ...) \
    { \
        va_list ap; \
        va_start(ap, fmt); \
        message(level, module, fmt, ap); \
        va_end(ap); \
    }

MESSAGE_FN(log_error, LOG_LEVEL_ERROR)
MESSAGE_FN(log_warn, LOG_LEVEL_WARN)
MESSAGE_FN(log_info, LOG_LEVEL_INFO)
MESSAGE_FN(log_debug, LOG_LEVEL_DEBUG)

void log_level_set(enum log_level level)
{
    atomic_store_explicit(&logger.level, level, memory_order_relaxed);
}

/* ---- items ----------------------------------------------------------------------------- */

void log_vtext(const char *fmt, va_list ap)
{
    mutex_lock(&logger.lock);
    vfprintf(logger.file ? logger.file : stderr, fmt, ap);
    mutex_unlock(&logger.lock);
}

void log_text(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vtext(fmt, ap);
    va_end(ap);
}

void log_item(enum log_item item, const char *fmt, ...)
{
    va_list ap;

    if (log_on(item)) {
        va_start(ap, fmt);
        log_vtext(fmt, ap);
        va_end(ap);
    }
}

bool log_limit_admit(struct log_limit *l, int64_t now_ns, uint64_t *suppressed)
{
    if (l->shown == 0 || now_ns - l->window_start_ns >= LOG_LIMIT_WINDOW_NS) {
        l->window_start_ns = now_ns;
        l->shown = 0;
    }
    if (l->shown >= LOG_LIMIT_BURST) {
        l->suppressed++;
        return false;
    }
    l->shown++;
    *suppressed = l->suppressed;
    l->suppressed = 0;
    return true;
}

/* A format string is a constant of the program, so its address tells one message from another.
 * When two share a slot, the newcomer starts it afresh: then more is shown, never less. */
static bool admit(const char *fmt, uint64_t *suppressed)
{
    unsigned slot = ((uintptr_t)fmt * UINT64_C(0x9e3779b97f4a7c15)) >> 56;
    bool ok;

    _Static_assert(LOG_LIMIT_SLOTS == 256, "the shift above takes 8 bits");
    mutex_lock(&logger.lock);
    if (logger.slots[slot].fmt != fmt) {
        logger.slots[slot].fmt = fmt;
        logger.slots[slot].limit = (struct log_limit){ 0 };
    }
    ok = log_limit_admit(&logger.slots[slot].limit, mono_now_ns(), suppressed);
    mutex_unlock(&logger.lock);
    return ok;
}

static void limited(const char *module, const char *fmt, va_list ap)
{
    char text[512];
    uint64_t suppressed;

    if (!admit(fmt, &suppressed)) {
        return;
    }
    vsnprintf(text, sizeof text, fmt, ap);
    if (suppressed) {
        log_text("%s: %s (and %llu like it not shown)\n", module, text,
                 (unsigned long long)suppressed);
    } else {
        log_text("%s: %s\n", module, text);
    }
}

void log_vguest(const char *module, const char *fmt, va_list ap)
{
    if (log_on(LOG_GUEST_ERRORS)) {
        limited(module, fmt, ap);
    }
}

#define LIMITED_FN(name, item) \
    void name(const char *module, const char *fmt, ...) \
    { \
        va_list ap; \
        if (log_on(item)) { \
            va_start(ap, fmt); \
            limited(module, fmt, ap); \
            va_end(ap); \
        } \
    }

LIMITED_FN(log_guest, LOG_GUEST_ERRORS)
LIMITED_FN(log_unimp, LOG_UNIMP)

/* ---- -d and -D ------------------------------------------------------------------------- */

static const struct {
    const char *name, *help;
} items[] = {
#define LOG_ITEM_ROW(id, name, help) { name, help },
    LOG_ITEMS(LOG_ITEM_ROW)
#undef LOG_ITEM_ROW
};

static bool item_set(const char *word, struct trace *t, struct err *e)
{
    struct nearest near;

    if (!strncmp(word, "trace:", 6)) {
        if (!t) {
            return err_set(e, "-d %s: no trace points here", word);
        }
        return trace_set(t, word + 6, true, e);
    }
    if (!strcmp(word, "none")) {
        atomic_store(&log_item_mask, 0);
        return true;
    }
    if (!strcmp(word, "all")) {
        /* As in QEMU, all but nochain, which changes what runs rather than what is shown. */
        atomic_store(&log_item_mask, ((1u << LOG_ITEM_N) - 1) & ~(1u << LOG_NOCHAIN));
        return true;
    }
    nearest_init(&near, word);
    for (unsigned i = 0; i < LOG_ITEM_N; i++) {
        if (!strcmp(word, items[i].name)) {
            atomic_fetch_or(&log_item_mask, 1u << i);
            return true;
        }
        nearest_add(&near, items[i].name);
    }
    return err_set(e, "-d: unknown log item '%s'%s", word, nearest_hint(&near));
}

bool log_items_set(const char *list, struct trace *t, struct err *e)
{
    char word[128];

    for (;;) {
        size_t n = strcspn(list, ",");

        if (n >= sizeof word) {
            return err_set(e, "-d: log item '%.20s…' is too long", list);
        }
        memcpy(word, list, n);
        word[n] = 0;
        if (n > 0 && !item_set(word, t, e)) {
            return false;
        }
        if (!list[n]) {
            return true;
        }
        list += n + 1;
    }
}

size_t log_items_help(char *buf, size_t n_bytes)
{
    size_t at = 0;

    for (unsigned i = 0; i < LOG_ITEM_N; i++) {
        size_t left = at < n_bytes ? n_bytes - at : 0;

        at += snprintf(left ? buf + at : NULL, left, "%-14s %s\n", items[i].name, items[i].help);
    }
    return at;
}

static bool expand_pid(char *buf, size_t n_bytes, const char *path)
{
    const char *pct = strstr(path, "%d");
    int n;

    if (pct) {
        n = snprintf(buf, n_bytes, "%.*s%d%s", (int)(pct - path), path, (int)getpid(), pct + 2);
    } else {
        n = snprintf(buf, n_bytes, "%s", path);
    }
    return n >= 0 && (size_t)n < n_bytes;
}

bool log_file_set(const char *path, bool append, struct err *e)
{
    char name[4096];
    FILE *f = NULL;

    if (path) {
        if (!expand_pid(name, sizeof name, path)) {
            return err_set(e, "log file '%.40s…': the name is too long", path);
        }
        f = fopen(name, append ? "ae" : "we");
        if (!f) {
            return err_set(e, "log file '%s': %s", name, strerror(errno));
        }
        setvbuf(f, NULL, _IOLBF, 1 << 16);
    }
    mutex_lock(&logger.lock);
    if (logger.file) {
        fclose(logger.file);
    }
    logger.file = f;
    mutex_unlock(&logger.lock);
    return true;
}
