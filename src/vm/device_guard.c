/* SPDX-License-Identifier: Apache-2.0 */
/* A plug-in that crashes, or takes a lock that it has, is named.  When it was its own code in one
 * of its hooks, only the device is lost; a crash further down (in the C library, say, which may
 * hold locks), in a thread of its own, by abort(), or while the machine is made, ends the process,
 * after a line that says so.
 *
 * House: state: a signal handler is reached by no argument.  It belongs to the process, as the
 * signal does; it is set from the first plug-in on. */
#include "vm/device_guard.h"

#include "base/fpstate.h"
#include "vm/device_internal.h"

#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

/* A shared object: where its code is. */
struct device_plugin_file {
    char path[256];
    const void *in_it;              /* something of it */
    uintptr_t text, text_end;
};

#define FILES_MAX 128

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
#define SIGNALS_N (sizeof crash_signals / sizeof crash_signals[0])

static struct sigaction before[SIGNALS_N];
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;
static struct device_plugin_file files[FILES_MAX];
static unsigned files_n;
static void (*last_words)(void);
static _Thread_local struct device_guard *current;

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) {
        return;     /* nothing is left to be tried */
    }
}

static uintptr_t program_counter(const void *context)
{
    const ucontext_t *u = context;

#if defined __x86_64__
    return u->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return u->uc_mcontext.pc;
#endif
}

static const struct device_plugin_file *file_at(uintptr_t pc)
{
    for (unsigned i = 0; i < files_n; i++) {
        if (pc >= files[i].text && pc < files[i].text_end) {
            return &files[i];
        }
    }
    return NULL;
}

static void say_what(const char *path, const struct device_guard *g, const char *did)
{
    say("pando: -device ");
    say(path);
    say(": the plug-in ");
    say(did);
    say(g ? g->moment : "in a thread of its own");
    if (g && g->name) {
        say(" ");
        say(g->name);
    }
}

static void say_signal(int signo)
{
    say(signo == SIGABRT ? " (abort)" : signo == SIGFPE ? " (arithmetic error)" :
        signo == SIGILL ? " (illegal instruction)" : " (bad address)");
}

static void not_ours(int signo, const siginfo_t *info)
{
    for (unsigned i = 0; i < SIGNALS_N; i++) {
        if (crash_signals[i] == signo) {
            sigaction(signo, &before[i], NULL);
        }
    }
    if (info->si_code <= 0) {
        raise(signo);               /* it was sent; otherwise the instruction does it again */
    }
}

/* The device is dead, and its hook returns from device_guarded_call(). */
static void go_on_without(struct device_guard *g)
{
    say("; the machine goes on without '");
    say(g->dev->id);
    say("'\n");
    g->dev->host->dead = true;
    siglongjmp(*(sigjmp_buf *)g->env, 1);
}

static void end_of_process(void)
{
    say("\n");
    if (last_words) {
        last_words();
    }
    _exit(1);
}

static void on_crash(int signo, siginfo_t *info, void *context)
{
    const struct device_plugin_file *file = file_at(program_counter(context));
    struct device_guard *g = current;

    if (!g && !file) {
        not_ours(signo, info);
        return;
    }
    current = NULL;
    say_what(g ? g->path : file->path, g, "crashed ");
    say_signal(signo);
    if (g && g->dev && file && signo != SIGABRT) {
        go_on_without(g);
    }
    end_of_process();
}

static void handlers_set(void)
{
    struct sigaction sa = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_NODEFER };

    for (unsigned i = 0; i < SIGNALS_N; i++) {
        sigaction(crash_signals[i], &sa, &before[i]);
    }
}

void device_guard_on_end(void (*fn)(void))
{
    last_words = fn;
}

/* ---- where plug-ins are -------------------------------------------------------------------- */

/* One call for each object in memory. */
static int find_text(struct dl_phdr_info *info, size_t size, void *ctx)
{
    struct device_plugin_file *f = ctx;
    uintptr_t in_it = (uintptr_t)f->in_it;
    bool is_it = false;

    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < info->dlpi_phnum; i++) {
            const ElfW(Phdr) *h = &info->dlpi_phdr[i];
            uintptr_t at = info->dlpi_addr + h->p_vaddr;

            if (h->p_type != PT_LOAD) {
                continue;
            }
            is_it |= in_it >= at && in_it < at + h->p_memsz;
            if (is_it && pass == 1 && h->p_flags & PF_X) {
                f->text = at;
                f->text_end = at + h->p_memsz;
            }
        }
    }
    return is_it;
}

const char *device_plugin_path(const struct device *d)
{
    return d->host->plugin ? d->host->plugin->path : NULL;
}

void device_set_plugin(struct device *d, const char *path)
{
    struct device_plugin_file *f = files;

    while (f < files + files_n && f->in_it != d->cls) {
        f++;
    }
    if (f == files + files_n && files_n < FILES_MAX) {
        strncpy(f->path, path, sizeof f->path - 1);
        f->in_it = d->cls;
        dl_iterate_phdr(find_text, f);
        files_n++;
    }
    d->host->plugin = f < files + files_n ? f : NULL;
    pthread_once(&handlers_once, handlers_set);
}

/* ---- calls --------------------------------------------------------------------------------- */

void device_guard_begin(struct device_guard *g, const char *path, const char *moment)
{
    *g = (struct device_guard){ .outer = current, .path = path, .moment = moment };
    if (path) {
        pthread_once(&handlers_once, handlers_set);
        current = g;
    }
}

void device_guard_end(struct device_guard *g)
{
    if (g->path) {
        current = g->outer;
    }
}

void device_guard_note_lock(const struct device *d, int by)
{
    if (current && (current->dev == d || current->locked_dev == d)) {
        current->locked += by;
    }
}

void device_guard_before_lock(const struct device *d)
{
    struct device_guard *g = current;

    if (!g || (g->locked_dev == d ? g->locked < 0 : g->dev != d || g->locked <= 0)) {
        return;
    }
    current = NULL;
    say_what(g->path, g, "called device_lock(), with the lock held already, ");
    if (g->dev) {
        go_on_without(g);
    }
    end_of_process();
}

static void line_of_the_dead(void *ctx, unsigned n, bool level)
{
}

/* A thread of its own may still run: what that does has no effect. */
static void died(struct device *d)
{
    for (unsigned n = 0; n < DEVICE_IRQS_MAX; n++) {
        struct irq line = d->host->irq[n];

        __atomic_store_n(&d->host->irq[n].set, line_of_the_dead, __ATOMIC_RELAXED);
        irq_set(&line, false);
    }
    device_leases_free(d);
    if (d->host->bus && d->host->bus->died) {
        d->host->bus->died(d);
    }
}

uint64_t device_guarded_call(struct device *d, bool is_locked, const char *moment,
                             const char *name, device_any_hook *fn,
                             const uintptr_t a[DEVICE_HOOK_ARGS_MAX])
{
    volatile uint32_t fp = fpstate_begin();
    struct device_guard g = { .outer = current, .dev = d, .locked_dev = is_locked ? d : NULL,
                              .path = d->host->plugin->path, .moment = moment, .name = name };
    volatile uint64_t v = 0;
    sigjmp_buf env;

    if (d->host->dead) {
        fpstate_end(fp);
        return 0;
    }
    g.env = &env;
    current = &g;
    if (sigsetjmp(env, 0) == 0) {
        v = fn(a[0], a[1], a[2], a[3], a[4]);
    }
    current = g.outer;
    fpstate_end(fp);
    if (d->host->dead) {
        /* The lock is as it was before the call. */
        if (g.locked < 0) {
            mutex_lock(d->host->lock);
        } else if (g.locked > 0) {
            mutex_unlock(d->host->lock);
        }
        died(d);
    }
    return v;
}
