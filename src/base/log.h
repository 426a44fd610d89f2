/* SPDX-License-Identifier: Apache-2.0 */
/* The log: what the program tells its operator while it runs.
 *
 * This is the one process-wide thing (log.c has the only mutable file-scope state there is): the
 * stream it writes to, stderr, belongs to the process as well, and a complaint must be possible
 * from any depth, also from where something has just gone wrong and no handle is at hand.  It
 * carries nothing that influences a guest, so two VMs in one process stay independent.
 *
 * Two kinds of lines:
 *  - messages with a level, for people, to stderr: "pando: warning: disk0: …";
 *  - items, which `-d` switches on, to the log file (-D; stderr without): the guest's errors,
 *    code listings, traces.
 * All functions may be called from any thread; a line is never torn. */
#pragma once
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct trace;

/* ---- messages -------------------------------------------------------------------------- */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `module` is the short name of the thing that speaks ("virtio-blk", "disk0").  The text has no
 * newline. */
void log_error(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The most talkative level shown; initially LOG_LEVEL_INFO. */
void log_level_set(enum log_level level);

/* ---- items (-d) ------------------------------------------------------------------------ */

/* QEMU's names, which are also ours.  X(identifier, name, help) */
#define LOG_ITEMS(X) \
    X(IN_ASM, "in_asm", "guest code of each translated block") \
    X(OP, "op", "intermediate code of each block") \
    X(OP_OPT, "op_opt", "intermediate code after optimisation") \
    X(OUT_ASM, "out_asm", "host code of each block") \
    X(INT, "int", "interrupts and exceptions") \
    X(EXEC, "exec", "each block before it is run") \
    X(CPU, "cpu", "CPU registers before each block") \
    X(FPU, "fpu", "floating-point registers in 'cpu' too") \
    X(MMU, "mmu", "translations of guest addresses") \
    X(CPU_RESET, "cpu_reset", "CPU state at each reset") \
    X(UNIMP, "unimp", "use of something not implemented") \
    X(GUEST_ERRORS, "guest_errors", "what the guest does wrong") \
    X(PAGE, "page", "pages of RAM as they are set up") \
    X(NOCHAIN, "nochain", "do not chain blocks, so that 'exec' and 'cpu' are complete") \
    X(TID, "tid", "one log file a thread (accepted; one file is written)") \
    X(STRACE, "strace", "system calls (user mode only)") \
    X(PLUGIN, "plugin", "output of plugins") \
    X(INVALID_MEM, "invalid_mem", "accesses to where nothing is")

enum log_item {
#define LOG_ITEM_ENUM(id, name, help) LOG_##id,
    LOG_ITEMS(LOG_ITEM_ENUM)
#undef LOG_ITEM_ENUM
    LOG_ITEM_N
};

extern _Atomic uint32_t log_item_mask;      /* bit per enum log_item; read it by log_on() */

static inline bool log_on(enum log_item item)
{
    return __builtin_expect(
        atomic_load_explicit(&log_item_mask, memory_order_relaxed) >> item & 1, 0);
}

/* Something that the guest did wrong, or that we lack: shown when the item is on, and at most
 * LOG_LIMIT_BURST times per LOG_LIMIT_WINDOW_NS for each `fmt`, so that a guest cannot fill the
 * disk.  No newline at the end. */
void log_guest(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vguest(const char *module, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
void log_unimp(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text for the log file as it is (newlines are the caller's), when the item is on. */
void log_item(enum log_item item, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same without any condition: ask log_on() first. */
void log_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_vtext(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* `-d` LIST: item names and "trace:GLOB", separated by commas.  Adds to what is on; "none" takes
 * all items away.  Globs go to `t` (which may be NULL: then trace: is an error). */
bool log_items_set(const char *list, struct trace *t, struct err *e);

/* `-d help` into `buf`; returns the length it would need. */
size_t log_items_help(char *buf, size_t n_bytes);

/* `-D` PATH: from now on items go there.  "%d" in the path becomes the process id.  NULL: back to
 * stderr. */
bool log_file_set(const char *path, bool append, struct err *e);

/* ---- the limiter, by itself so that it can be tested without a clock ---------------------- */

#define LOG_LIMIT_BURST 10
#define LOG_LIMIT_WINDOW_NS INT64_C(5000000000)

struct log_limit {
    int64_t window_start_ns;
    uint64_t shown;             /* in this window */
    uint64_t suppressed;        /* since the last line that was shown */
};

/* May a line be shown at `now_ns`?  If so, *suppressed is the number withheld before it. */
bool log_limit_admit(struct log_limit *l, int64_t now_ns, uint64_t *suppressed);
