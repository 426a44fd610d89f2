/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "base/trace.h"
#include "front/machine.h"
#include "front/monitor_command.h"
#include "isa/dis/dis.h"
#include "mem/space.h"
#include "vm/vm.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DUMP_BYTES_MAX 65536u

static void cmd_quit(struct monitor_call *c)
{
    machine_quit(c->machine, 0);
}

static void cmd_stop(struct monitor_call *c)
{
    machine_pause(c->machine);
}

static void cmd_cont(struct monitor_call *c)
{
    machine_continue(c->machine);
}

static void cmd_system_reset(struct monitor_call *c)
{
    machine_reset(c->machine);
}

static void cmd_system_powerdown(struct monitor_call *c)
{
    machine_press_power(c->machine);
}

static void cmd_snapshot(struct monitor_call *c)
{
    strbuf_add(c->out, "Snapshots are not supported yet.\n");
}

static void cmd_log(struct monitor_call *c)
{
    struct err e;
    char text[4096];

    if (c->args_n != 1 || !strcmp(c->args[0], "help")) {
        log_items_help(text, sizeof text);
        strbuf_add(c->out, "%s", text);
    } else if (!log_items_set(c->args[0], machine_trace(c->machine), &e)) {
        strbuf_add(c->out, "Error: %s\n", e.text);
    }
}

static void cmd_trace_event(struct monitor_call *c)
{
    struct err e;
    bool on;

    if (c->args_n != 2) {
        strbuf_add(c->out, "Error: want NAME on|off\n");
    } else if (!opts_parse_bool("the state", c->args[1], &on, &e) ||
               !trace_set(machine_trace(c->machine), c->args[0], on, &e)) {
        strbuf_add(c->out, "Error: %s\n", e.text);
    }
}

/* /[COUNT][FORMAT][SIZE] of `x` and `xp`. */
struct dump_format {
    unsigned count, size;
    char as;
};

static bool parse_format(const char *text, struct dump_format *f, struct strbuf *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    f->count = end == text ? 1 : n;
    for (; *end; end++) {
        switch (*end) {
        case 'b': f->size = 1; break;
        case 'h': f->size = 2; break;
        case 'w': f->size = 4; break;
        case 'g': f->size = 8; break;
        case 'x': case 'd': case 'u': case 'o': case 'c': f->as = *end; break;
        case 'i': f->as = 'i'; break;
        default:
            strbuf_add(out, "Error: /%s: want /COUNT, one of x d u o c i, one of b h w g\n",
                       text);
            return false;
        }
    }
    if (n > DUMP_BYTES_MAX / f->size) {
        strbuf_add(out, "Error: /%s: too many\n", text);
        return false;
    }
    f->size = f->as == 'i' ? 4 : f->size;
    return true;
}

static void print_item(struct strbuf *out, uint64_t v, const struct dump_format *f)
{
    switch (f->as) {
    case 'x': strbuf_add(out, " 0x%0*" PRIx64, (int)f->size * 2, v); break;
    case 'd': strbuf_add(out, " %" PRId64, (int64_t)(v << (64 - 8 * f->size)) >>
                         (64 - 8 * f->size)); break;
    case 'u': strbuf_add(out, " %" PRIu64, v); break;
    case 'o': strbuf_add(out, " 0%" PRIo64, v); break;
    default: strbuf_add(out, isprint((int)(v & 0xff)) ? " '%c'" : " '\\x%02x'",
                        (int)(v & 0xff));
    }
}

static void cmd_xp(struct monitor_call *c)
{
    struct dump_format f = { .count = 1, .size = 4, .as = 'x' };
    struct mem_space *mem = machine_vm(c->machine)->mem;
    unsigned at = 0, per_row;
    char *end, text[128];
    uint64_t gpa;

    if (c->args_n && c->args[0][0] == '/') {
        if (!parse_format(c->args[0] + 1, &f, c->out)) {
            return;
        }
        at = 1;
    }
    if (c->args_n != at + 1 || (gpa = strtoull(c->args[at], &end, 0), *end)) {
        strbuf_add(c->out, "Error: want [/FORMAT] ADDRESS\n");
        return;
    }
    per_row = f.as == 'i' ? 1 : 16 / f.size;
    for (unsigned i = 0; i < f.count; i++, gpa += f.size) {
        uint64_t v = 0;

        if (!mem_dma_read(mem, gpa, &v, f.size)) {
            strbuf_add(c->out, "%sCannot read RAM at 0x%" PRIx64 "\n", i % per_row ? "\n" : "",
                       gpa);
            return;
        }
        if (i % per_row == 0) {
            strbuf_add(c->out, "%016" PRIx64 ":", gpa);
        }
        if (f.as == 'i') {
            dis_a64(v, gpa, text, sizeof text);
            strbuf_add(c->out, " %08" PRIx64 "  %s", v, text);
        } else {
            print_item(c->out, v, &f);
        }
        if (i % per_row == per_row - 1 || i == f.count - 1) {
            strbuf_add(c->out, "\n");
        }
    }
}

static void cmd_print(struct monitor_call *c)
{
    const char *text = c->rest;
    char *end;
    uint64_t v;

    if (text[0] == '/' && text[1]) {
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
    v = strtoull(text, &end, 0);
    if (end == text || *end) {
        strbuf_add(c->out, "Error: want a number\n");
    } else {
        strbuf_add(c->out, "%#" PRIx64 " %" PRIu64 "\n", v, v);
    }
}

static void cmd_help(struct monitor_call *c);

static const struct monitor_command commands[] = {
    { "help", "?", "[COMMAND]", "this list", cmd_help },
    { "info", NULL, "[WHAT]", "show something; without WHAT, what there is", monitor_info },
    { "quit", "q", "", "end the machine", cmd_quit },
    { "stop", "s", "", "pause", cmd_stop },
    { "cont", "c", "", "go on", cmd_cont },
    { "system_reset", NULL, "", "reset the machine", cmd_system_reset },
    { "system_powerdown", NULL, "", "press the power button", cmd_system_powerdown },
    { "xp", NULL, "[/FORMAT] ADDRESS", "show RAM at a guest-physical address", cmd_xp },
    { "print", "p", "NUMBER", "show a number in hexadecimal and decimal", cmd_print },
    { "log", NULL, "ITEM[,ITEM]...|none", "log these items ('log help')", cmd_log },
    { "trace-event", NULL, "PATTERN on|off", "switch trace points", cmd_trace_event },
    { "savevm", NULL, "NAME", "not supported yet", cmd_snapshot },
    { "loadvm", NULL, "NAME", "not supported yet", cmd_snapshot },
};

static void cmd_help(struct monitor_call *c)
{
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        const struct monitor_command *row = &commands[i];

        if (!c->args_n || !strcmp(row->name, c->args[0])) {
            strbuf_add(c->out, "%s%s%s %s -- %s\n", row->name, row->alias ? "|" : "",
                       row->alias ? row->alias : "", row->args, row->help);
        }
    }
}

static const struct monitor_command *command_find(const char *name, struct nearest *near)
{
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        if (!strcmp(commands[i].name, name) ||
            (commands[i].alias && !strcmp(commands[i].alias, name))) {
            return &commands[i];
        }
        nearest_add(near, commands[i].name);
    }
    return NULL;
}

void monitor_run_line(struct machine *m, const char *line, char *const *history,
                      unsigned history_n, struct strbuf *out)
{
    struct monitor_call call = {
        .machine = m, .out = out, .rest = "", .history = history, .history_n = history_n,
    };
    char *copy = strdup(line), *save = NULL, *name = strtok_r(copy, " \t", &save);
    const struct monitor_command *row;
    struct nearest near;

    if (!name) {
        free(copy);
        return;
    }
    /* "xp/4x ADDRESS": the format is an argument even without a blank. */
    if (strchr(name, '/')) {
        call.args[call.args_n++] = strdup(strchr(name, '/'));
        *strchr(name, '/') = 0;
    }
    call.rest = line + strspn(line, " \t") + strlen(name);
    call.rest += strspn(call.rest, " \t");
    for (char *word; (word = strtok_r(NULL, " \t", &save));) {
        if (call.args_n < MONITOR_ARGS_MAX) {
            call.args[call.args_n++] = strdup(word);
        }
    }
    nearest_init(&near, name);
    row = command_find(name, &near);
    if (row) {
        row->fn(&call);
    } else {
        strbuf_add(out, "unknown command: '%s'%s\n", name, nearest_hint(&near));
    }
    for (unsigned i = 0; i < call.args_n; i++) {
        free(call.args[i]);
    }
    free(copy);
}
