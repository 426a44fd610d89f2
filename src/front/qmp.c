/* SPDX-License-Identifier: Apache-2.0 */
#include "front/qmp.h"

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "front/machine.h"
#include "front/monitor_command.h"
#include "front/version.h"
#include "host/chr/chr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qmp {
    struct machine *machine;
    struct chr *chr;
    struct json_framer framer;
    struct strbuf pending;          /* not yet taken by the back end */
    bool negotiated;
};

static void flush(void *ctx)
{
    struct qmp *q = ctx;
    size_t n = q->pending.len ? chr_write(q->chr, q->pending.text, q->pending.len) : 0;

    if (n == q->pending.len) {
        strbuf_free(&q->pending);
    } else if (n) {
        memmove(q->pending.text, q->pending.text + n, q->pending.len - n + 1);
        q->pending.len -= n;
    }
}

/* Takes over `j`. */
static void send(struct qmp *q, struct json *j)
{
    json_write(j, false, &q->pending);
    strbuf_add_bytes(&q->pending, "\r\n", 2);
    json_free(j);
    flush(q);
}

/* ---- commands: each gives what it returns, or NULL with `e` set ------------------------------ */

static struct json *version(void)
{
    struct json *v = json_new_dict(), *qemu = json_put(v, "qemu", json_new_dict());
    unsigned major = 0, minor = 0, micro = 0;

    sscanf(PANDO_VERSION, "%u.%u.%u", &major, &minor, &micro);
    json_put(qemu, "micro", json_new_uint(micro));
    json_put(qemu, "minor", json_new_uint(minor));
    json_put(qemu, "major", json_new_uint(major));
    json_put(v, "package", json_new_str("pando " PANDO_VERSION));
    return v;
}

static struct json *do_capabilities(struct qmp *q, const struct json *args, struct err *e)
{
    q->negotiated = true;
    return json_new_dict();
}

static struct json *do_query_version(struct qmp *q, const struct json *args, struct err *e)
{
    return version();
}

static struct json *do_query_status(struct qmp *q, const struct json *args, struct err *e)
{
    bool running = machine_is_running(q->machine);
    struct json *status = json_new_dict();

    json_put(status, "status", json_new_str(running ? "running" : "paused"));
    json_put(status, "singlestep", json_new_bool(false));
    json_put(status, "running", json_new_bool(running));
    return status;
}

static struct json *do_quit(struct qmp *q, const struct json *args, struct err *e)
{
    machine_quit(q->machine, 0);
    return json_new_dict();
}

static struct json *do_stop(struct qmp *q, const struct json *args, struct err *e)
{
    machine_pause(q->machine);
    return json_new_dict();
}

static struct json *do_cont(struct qmp *q, const struct json *args, struct err *e)
{
    machine_continue(q->machine);
    return json_new_dict();
}

static struct json *do_reset(struct qmp *q, const struct json *args, struct err *e)
{
    machine_reset(q->machine);
    return json_new_dict();
}

static struct json *do_powerdown(struct qmp *q, const struct json *args, struct err *e)
{
    machine_press_power(q->machine);
    return json_new_dict();
}

static struct json *do_human(struct qmp *q, const struct json *args, struct err *e)
{
    const char *line = json_str(json_get(args, "command-line"));
    struct strbuf out = { 0 };
    struct json *text;

    if (!line) {
        err_set(e, "Parameter 'command-line' is missing");
        return NULL;
    }
    monitor_run_line(q->machine, line, NULL, 0, &out);
    text = json_new_str(out.text ? out.text : "");
    strbuf_free(&out);
    return text;
}

static struct json *do_query_commands(struct qmp *q, const struct json *args, struct err *e);

static const struct command {
    const char *name;
    struct json *(*fn)(struct qmp *q, const struct json *args, struct err *e);
} commands[] = {
    { "cont", do_cont }, { "human-monitor-command", do_human },
    { "qmp_capabilities", do_capabilities }, { "query-commands", do_query_commands },
    { "query-status", do_query_status }, { "query-version", do_query_version },
    { "quit", do_quit }, { "stop", do_stop }, { "system_powerdown", do_powerdown },
    { "system_reset", do_reset },
};

static struct json *do_query_commands(struct qmp *q, const struct json *args, struct err *e)
{
    struct json *list = json_new_list();

    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        json_put(json_append(list, json_new_dict()), "name", json_new_str(commands[i].name));
    }
    return list;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static struct json *error(const char *class_name, const char *why)
{
    struct json *reply = json_new_dict(), *in = json_put(reply, "error", json_new_dict());

    json_put(in, "class", json_new_str(class_name));
    json_put(in, "desc", json_new_str(why));
    return reply;
}

static struct json *execute(struct qmp *q, const struct json *request)
{
    const char *name = json_str(json_get(request, "execute"));
    struct json *reply, *value;
    struct err e = { "" };
    unsigned i;

    if (!name) {
        return error("GenericError", "QMP input lacks member 'execute'");
    }
    if (!q->negotiated && strcmp(name, "qmp_capabilities")) {
        return error("CommandNotFound",
                     "Expecting capabilities negotiation with 'qmp_capabilities'");
    }
    for (i = 0; i < ARRAY_LEN(commands) && strcmp(commands[i].name, name); i++) {
    }
    if (i == ARRAY_LEN(commands)) {
        err_set(&e, "The command %.64s has not been found", name);
        return error("CommandNotFound", e.text);
    }
    value = commands[i].fn(q, json_get(request, "arguments"), &e);
    if (!value) {
        return error("GenericError", e.text);
    }
    reply = json_new_dict();
    json_put(reply, "return", value);
    return reply;
}

/* An id of a number or a text, as clients have them. */
static void put_id(struct json *reply, const struct json *id)
{
    uint64_t number;

    if (json_str(id)) {
        json_put(reply, "id", json_new_str(json_str(id)));
    } else if (json_u64(id, &number)) {
        json_put(reply, "id", json_new_uint(number));
    }
}

static void request(struct qmp *q, const char *text, size_t n_bytes)
{
    struct err e = { "" };
    struct json *request = json_parse(text, n_bytes, &e), *reply, *id;

    reply = request ? execute(q, request) : error("GenericError", e.text);
    id = request ? json_get(request, "id") : NULL;
    if (id) {
        put_id(reply, id);
    }
    send(q, reply);
    json_free(request);
}

static size_t on_read(void *ctx, const uint8_t *p, size_t n_bytes)
{
    struct qmp *q = ctx;
    size_t used;

    for (size_t done = 0; done < n_bytes; done += used) {
        switch (json_framer_feed(&q->framer, (const char *)p + done, n_bytes - done, &used)) {
        case JSON_FRAME_MORE:
            break;
        case JSON_FRAME_DONE:
            request(q, q->framer.text, q->framer.len);
            json_framer_reset(&q->framer);
            break;
        case JSON_FRAME_BAD:
            json_framer_reset(&q->framer);
            send(q, error("GenericError", "JSON parse error"));
            break;
        }
        if (used == 0) {
            break;
        }
    }
    return n_bytes;
}

static void on_event(void *ctx, enum chr_event event)
{
    struct qmp *q = ctx;
    struct json *greeting, *in;

    if (event == CHR_OPENED) {
        q->negotiated = false;
        json_framer_reset(&q->framer);
        greeting = json_new_dict();
        in = json_put(greeting, "QMP", json_new_dict());
        json_put(in, "version", version());
        json_put(in, "capabilities", json_new_list());
        send(q, greeting);
    }
}

struct qmp *qmp_create(struct machine *m, struct chr *chr, struct err *e)
{
    static const struct chr_handlers handlers = {
        .read = on_read, .event = on_event, .writable = flush,
    };
    struct chr *port = chr_claim(chr, e);
    struct qmp *q;

    if (!port) {
        err_prefix(e, "the monitor");
        return NULL;
    }
    q = calloc(1, sizeof *q);
    q->machine = m;
    q->chr = port;
    chr_attach(port, &handlers, q);
    return q;
}

void qmp_destroy(struct qmp *q)
{
    if (q) {
        chr_attach(q->chr, NULL, NULL);
        chr_release(q->chr);
        json_framer_free(&q->framer);
        strbuf_free(&q->pending);
        free(q);
    }
}
