/* SPDX-License-Identifier: Apache-2.0 */
/* struct monitor_command: the commands of the human monitor, one row of a table each.
 *
 * To add a command: a function and a row in monitor_commands.c (monitor_info.c for `info X`);
 * help follows from the table. */
#pragma once
#include <stdbool.h>

struct machine;
struct strbuf;

#define MONITOR_ARGS_MAX 16

struct monitor_call {
    struct machine *machine;
    struct strbuf *out;             /* what the command prints */
    unsigned args_n;                /* words after the command's name */
    char *args[MONITOR_ARGS_MAX];
    const char *rest;               /* all words after the name, as typed */
    /* The lines typed so far, oldest first. */
    char *const *history;
    unsigned history_n;
};

struct monitor_command {
    const char *name, *alias;       /* alias may be NULL */
    const char *args, *help;
    void (*fn)(struct monitor_call *c);
};

/* Runs one line.  `history` is only read. */
void monitor_run_line(struct machine *m, const char *line, char *const *history,
                      unsigned history_n, struct strbuf *out);

/* `info X` (monitor_info.c). */
void monitor_info(struct monitor_call *c);
