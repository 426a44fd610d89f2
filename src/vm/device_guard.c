/* SPDX-License-Identifier: Apache-2.0 */
/* A plug-in that crashes where it is first called is named.
 *
 * House: state: a signal handler is reached by no argument.  It belongs to the process, as the
 * signal does, and is set only while a machine is being made. */
#include "vm/device.h"
#include "vm/device_internal.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
#define SIGNALS_N (sizeof crash_signals / sizeof crash_signals[0])

static struct sigaction before[SIGNALS_N];
static const char *volatile guarded_path, *volatile guarded_moment;

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) {
        return;     /* nothing is left to be tried */
    }
}

static void on_crash(int signo)
{
    say("pando: -device ");
    say(guarded_path);
    say(": the plug-in crashed ");
    say(guarded_moment);
    say(signo == SIGABRT ? " (abort)\n" : signo == SIGFPE ? " (arithmetic error)\n" :
        signo == SIGILL ? " (illegal instruction)\n" : " (bad address)\n");
    _exit(1);
}

void device_guard_path_begin(const char *path, const char *moment)
{
    struct sigaction sa = { .sa_handler = on_crash };

    guarded_path = path;
    guarded_moment = moment;
    for (unsigned i = 0; i < SIGNALS_N; i++) {
        sigaction(crash_signals[i], &sa, &before[i]);
    }
}

void device_guard_path_end(void)
{
    for (unsigned i = 0; i < SIGNALS_N; i++) {
        sigaction(crash_signals[i], &before[i], NULL);
    }
}

void device_guard_begin(const struct device *d, const char *moment)
{
    if (d->host->plugin_path) {
        device_guard_path_begin(d->host->plugin_path, moment);
    }
}

void device_guard_end(const struct device *d)
{
    if (d->host->plugin_path) {
        device_guard_path_end();
    }
}
