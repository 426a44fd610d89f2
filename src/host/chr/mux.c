/* SPDX-License-Identifier: Apache-2.0 */
/* Several front ends on one backend.  All may write; one has the keyboard, and the keys after the
 * escape character choose which. */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "host/chr/impl.h"

struct port {
    struct chr c;
    struct mux *mux;
};

struct mux {
    struct chr c;
    struct chr *under;              /* ours */
    struct port *ports[CHR_MUX_PORTS_MAX];
    int focus;                      /* -1: no port yet */
    uint8_t escape;
    bool escaped;                   /* the last byte was the escape character */
    void (*quit)(void *ctx);
    void *quit_ctx;
};

static const struct chr_class mux_class, port_class;

bool chr_is_mux(const struct chr *c)
{
    return c->cls == &mux_class;
}

static struct mux *mux_of(struct chr *c)
{
    assert(chr_is_mux(c));
    return CONTAINER_OF(c, struct mux, c);
}

/* ---- keyboard ------------------------------------------------------------------------------- */

static void focus_set(struct mux *m, int i)
{
    if (m->focus == i) {
        return;
    }
    if (m->focus >= 0 && m->ports[m->focus]) {
        chr_event_tell(&m->ports[m->focus]->c, CHR_FOCUS_OUT);
    }
    m->focus = i;
    if (i >= 0) {
        chr_event_tell(&m->ports[i]->c, CHR_FOCUS_IN);
    }
}

static void focus_next(struct mux *m)
{
    for (int k = 1; k <= CHR_MUX_PORTS_MAX; k++) {
        int i = (MAX(m->focus, 0) + k) % CHR_MUX_PORTS_MAX;

        if (m->ports[i]) {
            focus_set(m, i);
            return;
        }
    }
    focus_set(m, -1);
}

static void help(struct mux *m)
{
    static const struct { const char *key, *what; } rows[] = {
        { "h", "this help" }, { "x", "end the emulator" }, { "b", "send a break" },
        { "c", "switch between console and monitor" },
    };
    struct strbuf b = { 0 };
    char name[8];

    if (m->escape < 0x20) {
        snprintf(name, sizeof name, "C-%c", tolower(m->escape + '@'));
    } else {
        snprintf(name, sizeof name, "%c", m->escape);
    }
    strbuf_add(&b, "\r\n");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_add(&b, "%s %-4s %s\r\n", name, rows[i].key, rows[i].what);
    }
    strbuf_add(&b, "%s %-4s send %s\r\n", name, name, name);
    chr_write(m->under, b.text, b.len);
    strbuf_free(&b);
}

/* The key after the escape character; true when it is to be passed on. */
static bool command(struct mux *m, uint8_t key)
{
    if (key == m->escape) {
        return true;
    }
    switch (key) {
    case 'h':
    case '?':
        help(m);
        break;
    case 'x':
        if (m->quit) {
            m->quit(m->quit_ctx);
        }
        break;
    case 'b':
        if (m->focus >= 0) {
            chr_event_tell(&m->ports[m->focus]->c, CHR_BREAK);
        }
        break;
    case 'c':
        focus_next(m);
        break;
    default:
        break;
    }
    return false;
}

/* The port keeps what its front end does not take, so that the escape is still seen behind input
 * for a guest that hangs. */
static size_t mux_read(void *ctx, const uint8_t *p, size_t n_bytes)
{
    struct mux *m = ctx;

    for (size_t i = 0; i < n_bytes; i++) {
        uint8_t *at;
        bool was_escaped = m->escaped;

        if (was_escaped) {
            m->escaped = false;
            if (!command(m, p[i])) {
                continue;
            }
        } else if (p[i] == m->escape) {
            m->escaped = true;
            continue;
        }
        if (m->focus < 0) {
            continue;
        }
        if (chr_in_room(&m->ports[m->focus]->c, &at) == 0) {
            m->escaped = was_escaped;
            return i;
        }
        *at = p[i];
        chr_in_added(&m->ports[m->focus]->c, 1);
    }
    return n_bytes;
}

static void mux_event(void *ctx, enum chr_event ev)
{
    struct mux *m = ctx;

    if (ev == CHR_BREAK) {
        if (m->focus >= 0) {
            chr_event_tell(&m->ports[m->focus]->c, ev);
        }
        return;
    }
    m->c.is_open = ev == CHR_OPENED;
    for (int i = 0; i < CHR_MUX_PORTS_MAX; i++) {
        if (m->ports[i]) {
            chr_is_open_set(&m->ports[i]->c, ev == CHR_OPENED);
        }
    }
}

static void mux_writable(void *ctx)
{
    struct mux *m = ctx;

    for (int i = 0; i < CHR_MUX_PORTS_MAX; i++) {
        if (m->ports[i]) {
            chr_out_room(&m->ports[i]->c);
        }
    }
}

/* ---- ports ---------------------------------------------------------------------------------- */

static size_t port_write(struct chr *c, const uint8_t *p, size_t n_bytes)
{
    return chr_write(CONTAINER_OF(c, struct port, c)->mux->under, p, n_bytes);
}

static void port_input_pause(struct chr *c, bool pause)
{
    if (!pause) {
        chr_accept_input(CONTAINER_OF(c, struct port, c)->mux->under);
    }
}

static void port_send_break(struct chr *c)
{
    chr_send_break(CONTAINER_OF(c, struct port, c)->mux->under);
}

static void port_close(struct chr *c)
{
}

static const struct chr_class port_class = {
    .name = "mux-port", .size = sizeof(struct port), .close = port_close, .write = port_write,
    .input_pause = port_input_pause, .send_break = port_send_break,
};

struct chr *mux_claim(struct chr *c, struct err *e)
{
    struct mux *m = mux_of(c);

    for (int i = 0; i < CHR_MUX_PORTS_MAX; i++) {
        struct chr *port;

        if (m->ports[i]) {
            continue;
        }
        port = chr_new(&port_class, c->loop, c->trace, c->label);
        m->ports[i] = CONTAINER_OF(port, struct port, c);
        m->ports[i]->mux = m;
        port->is_open = m->c.is_open;
        memcpy(port->describe, c->describe, sizeof port->describe);
        if (m->focus < 0) {
            m->focus = i;
        }
        return port;
    }
    err_set(e, "character device '%s' has %d front ends, which is the most", c->label,
            CHR_MUX_PORTS_MAX);
    return NULL;
}

static int port_index(const struct port *p)
{
    for (int i = 0; i < CHR_MUX_PORTS_MAX; i++) {
        if (p->mux->ports[i] == p) {
            return i;
        }
    }
    assert(!"a port without its place");
    return -1;
}

/* Frees the port, if `c` is one. */
void mux_release(struct chr *c)
{
    struct port *p = CONTAINER_OF(c, struct port, c);
    struct mux *m;
    int i;

    if (c->cls != &port_class) {
        return;
    }
    m = p->mux;
    i = port_index(p);
    m->ports[i] = NULL;
    if (m->focus == i) {
        focus_next(m);
    }
    chr_destroy(c);
}

/* ---- mux ------------------------------------------------------------------------------------ */

static size_t mux_write(struct chr *c, const uint8_t *p, size_t n_bytes)
{
    return chr_write(mux_of(c)->under, p, n_bytes);
}

static void mux_close(struct chr *c)
{
    struct mux *m = mux_of(c);

    chr_attach(m->under, NULL, NULL);
    for (int i = 0; i < CHR_MUX_PORTS_MAX; i++) {
        chr_destroy(m->ports[i] ? &m->ports[i]->c : NULL);
    }
    chr_destroy(m->under);
}

static const struct chr_class mux_class = {
    .name = "mux", .size = sizeof(struct mux), .close = mux_close, .write = mux_write,
};

struct chr *mux_create(struct chr *under)
{
    static const struct chr_handlers handlers = {
        .read = mux_read, .event = mux_event, .writable = mux_writable,
    };
    struct chr *c = chr_new(&mux_class, under->loop, under->trace, under->label);
    struct mux *m = mux_of(c);

    m->under = under;
    m->focus = -1;
    m->escape = 'a' & 0x1f;
    c->is_open = under->is_open;
    memcpy(c->describe, under->describe, sizeof c->describe);
    under->claimed = true;
    chr_attach(under, &handlers, m);
    return c;
}

void chr_mux_on_quit(struct chr *mux, void (*quit)(void *ctx), void *ctx)
{
    mux_of(mux)->quit = quit;
    mux_of(mux)->quit_ctx = ctx;
}

void chr_mux_set_escape(struct chr *mux, uint8_t escape)
{
    mux_of(mux)->escape = escape;
}

void chr_mux_focus(struct chr *port)
{
    struct port *p = CONTAINER_OF(port, struct port, c);

    assert(port->cls == &port_class);
    focus_set(p->mux, port_index(p));
}
