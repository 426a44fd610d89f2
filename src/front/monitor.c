/* SPDX-License-Identifier: Apache-2.0 */
#include "front/monitor.h"

#include "base/err.h"
#include "base/strbuf.h"
#include "front/monitor_command.h"
#include "front/readline.h"
#include "host/chr/chr.h"

#include <stdlib.h>
#include <string.h>

struct monitor {
    struct machine *machine;
    struct chr *chr;
    struct readline readline;
    struct strbuf pending;          /* not yet taken by the back end */
    bool is_shared;                 /* a multiplexer shows us only while we have the focus */
    bool greeted;
};

static void flush(void *ctx)
{
    struct monitor *mon = ctx;
    size_t n = mon->pending.len ? chr_write(mon->chr, mon->pending.text, mon->pending.len) : 0;

    if (n == mon->pending.len) {
        strbuf_free(&mon->pending);
    } else if (n) {
        memmove(mon->pending.text, mon->pending.text + n, mon->pending.len - n + 1);
        mon->pending.len -= n;
    }
}

static void print(void *ctx, const char *text, size_t n_bytes)
{
    struct monitor *mon = ctx;

    strbuf_add_bytes(&mon->pending, text, n_bytes);
    flush(mon);
}

/* Lines end as terminals want it. */
static void print_lines(struct monitor *mon, const char *text)
{
    for (const char *end; *text; text = end + 1) {
        end = strchr(text, '\n');
        if (!end) {
            strbuf_add_bytes(&mon->pending, text, strlen(text));
            break;
        }
        strbuf_add_bytes(&mon->pending, text, end - text);
        strbuf_add_bytes(&mon->pending, "\r\n", 2);
    }
    flush(mon);
}

static void run_line(void *ctx, const char *line)
{
    struct monitor *mon = ctx;
    struct strbuf out = { 0 };

    monitor_run_line(mon->machine, line, mon->readline.history, mon->readline.history_n, &out);
    print_lines(mon, out.text ? out.text : "");
    strbuf_free(&out);
    readline_show_prompt(&mon->readline);
}

static size_t on_read(void *ctx, const uint8_t *p, size_t n_bytes)
{
    struct monitor *mon = ctx;

    readline_feed(&mon->readline, p, n_bytes);
    return n_bytes;
}

static void greet(struct monitor *mon)
{
    if (!mon->greeted) {
        print_lines(mon, "Pando monitor - type 'help' for more information\n");
    }
    mon->greeted = true;
    readline_show_prompt(&mon->readline);
}

static void on_event(void *ctx, enum chr_event event)
{
    struct monitor *mon = ctx;

    if (event == CHR_OPENED) {
        mon->greeted = false;
    }
    if (event == CHR_FOCUS_IN || (event == CHR_OPENED && !mon->is_shared)) {
        greet(mon);
    }
}

struct monitor *monitor_create(struct machine *m, struct chr *chr, struct err *e)
{
    static const struct chr_handlers handlers = {
        .read = on_read, .event = on_event, .writable = flush,
    };
    struct chr *port = chr_claim(chr, e);
    struct monitor *mon;

    if (!port) {
        err_prefix(e, "the monitor");
        return NULL;
    }
    mon = calloc(1, sizeof *mon);
    mon->machine = m;
    mon->chr = port;
    mon->is_shared = port != chr;
    mon->readline = (struct readline){
        .prompt = "(pando) ", .write = print, .line = run_line, .ctx = mon,
    };
    chr_attach(port, &handlers, mon);
    return mon;
}

void monitor_destroy(struct monitor *mon)
{
    if (mon) {
        chr_attach(mon->chr, NULL, NULL);
        chr_release(mon->chr);
        readline_free(&mon->readline);
        strbuf_free(&mon->pending);
        free(mon);
    }
}
