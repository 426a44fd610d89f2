/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal's mode belongs to the process (and outlives it), and must be put back from exit()
 * and from signal handlers, which get no argument.  Hence this file has mutable file-scope state,
 * the second and last place that does (the first is the log); it does not reach a guest. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/base.h"
#include "host/chr/impl.h"

static struct {
    volatile sig_atomic_t raw;      /* `before` is to be restored */
    struct termios before, now;
    bool hooked;
    atomic_bool taken;
} tty;

bool tty_take(void)
{
    return !atomic_exchange(&tty.taken, true);
}

void tty_give_back(void)
{
    atomic_store(&tty.taken, false);
}

void tty_restore(void)
{
    if (tty.raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &tty.before);
        tty.raw = 0;
    }
}

/* Deadly signals: put the terminal back, then die of it (SA_RESETHAND; a fault recurs when its
 * instruction is run again, the others are raised again). */
static void deadly(int signo)
{
    int saved = errno;

    tty_restore();
    raise(signo);
    errno = saved;
}

/* The shell had the terminal while we were stopped. */
static void continued(int signo)
{
    int saved = errno;

    if (tty.raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &tty.now);
    }
    errno = saved;
}

static void hook_once(void)
{
    static const int signos[] = {
        SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE,
    };
    struct sigaction old, fatal = { .sa_handler = deadly, .sa_flags = (int)SA_RESETHAND };
    struct sigaction cont = { .sa_handler = continued, .sa_flags = SA_RESTART };

    if (tty.hooked) {
        return;
    }
    tty.hooked = true;
    atexit(tty_restore);
    /* Whoever handles a signal already keeps it. */
    for (unsigned i = 0; i < ARRAY_LEN(signos); i++) {
        if (sigaction(signos[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
            sigaction(signos[i], &fatal, NULL);
        }
    }
    if (sigaction(SIGCONT, NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
        sigaction(SIGCONT, &cont, NULL);
    }
}

bool tty_raw(bool signals, struct err *e)
{
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &t) < 0) {
        return err_set(e, "terminal: %s", strerror(errno));
    }
    tty.before = t;
    t.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t.c_oflag |= OPOST;             /* messages of our own end their lines by \n alone */
    t.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals) {
        t.c_lflag &= ~ISIG;
    }
    t.c_cflag = (t.c_cflag & ~(CSIZE | PARENB)) | CS8;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    tty.now = t;
    hook_once();
    tty.raw = 1;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &t) < 0) {
        tty.raw = 0;
        return err_set(e, "terminal: %s", strerror(errno));
    }
    return true;
}
