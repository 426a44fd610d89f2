/* SPDX-License-Identifier: Apache-2.0 */
/* virtio console device with several ports: virtio 1.2, section 5.3.
 *
 * Queues: 0 and 1 are port 0's input and output, 2 and 3 the control queues, then two for each
 * further port. */
#include "base/base.h"
#include "host/chr/chr.h"
#include "pando/device.h"

#include <stdlib.h>
#include <string.h>

#define PORTS_MAX 31
#define NR_NONE UINT32_MAX
#define CTRL_PENDING_MAX (PORTS_MAX * 6)
#define NAME_BYTES_MAX 128
#define COPY_BYTES 4096u

enum { F_SIZE = 0, F_MULTIPORT = 1, F_EMERG_WRITE = 2 };                /* 5.3.3 */
enum { Q_CTRL_IN = 2, Q_CTRL_OUT = 3 };

/* 5.3.6.2 */
enum {
    EV_DEVICE_READY, EV_PORT_ADD, EV_PORT_REMOVE, EV_PORT_READY, EV_CONSOLE_PORT, EV_RESIZE,
    EV_PORT_OPEN, EV_PORT_NAME,
};

struct control {
    uint32_t id;
    uint16_t event, value;
};

/* 5.3.4 */
struct console_config {
    uint16_t cols, rows;
    uint32_t max_nr_ports, emerg_wr;
};

struct port {
    struct device dev;
    struct virtio_serial *serial;
    struct chr *chr;
    char *name;
    uint32_t nr;
    bool is_console;
    bool guest_open;                /* a program in the guest has it open */
    bool host_open;                 /* somebody is at the other end */
    bool input_waits;               /* the host has more, and there was no buffer */
    struct virtq_chain *out;        /* partly written: the host took no more */
    uint32_t out_done;
};

struct virtio_serial {
    struct virtio_device v;
    uint32_t max_ports;
    struct port *port[PORTS_MAX];
    struct control pending[CTRL_PENDING_MAX];   /* for the driver, without buffers yet */
    uint32_t pending_n;
};

static struct virtio_serial *from(struct virtio_device *v)
{
    return CONTAINER_OF(v, struct virtio_serial, v);
}

static struct port *port_from(struct device *d)
{
    return CONTAINER_OF(d, struct port, dev);
}

static unsigned port_queue(unsigned nr)
{
    return nr ? 2 + 2 * nr : 0;
}

/* ---- control --------------------------------------------------------------------------- */

static void ctrl_flush(struct virtio_serial *s)
{
    struct virtqueue *q = &s->v.vq[Q_CTRL_IN];
    uint32_t n = 0;

    while (n < s->pending_n && virtio_is_running(&s->v)) {
        struct control *m = &s->pending[n];
        struct port *p = m->id < PORTS_MAX ? s->port[m->id] : NULL;
        const char *name = m->event == EV_PORT_NAME && p && p->name ? p->name : "";
        uint32_t name_bytes = strnlen(name, NAME_BYTES_MAX);
        struct virtq_chain *c;
        enum virtq_result r = virtq_pop(q, &c);

        if (r == VIRTQ_EMPTY) {
            break;
        }
        if (r == VIRTQ_BROKEN || !virtq_copy_in(q, c, 0, m, sizeof *m) ||
            !virtq_copy_in(q, c, sizeof *m, name, MIN(name_bytes, c->in_bytes - sizeof *m)) ||
            !virtq_push(q, c, sizeof *m + MIN(name_bytes, c->in_bytes - sizeof *m))) {
            virtio_break(&s->v, "a malformed buffer for control messages");
        }
        if (r == VIRTQ_OK) {
            virtq_free(c);
        }
        n++;
    }
    if (n) {
        s->pending_n -= n;
        memmove(s->pending, s->pending + n, s->pending_n * sizeof s->pending[0]);
        virtio_notify(&s->v, Q_CTRL_IN);
    }
    virtq_kicks_enable(q, true);
    if (s->pending_n && virtio_is_running(&s->v) && q->ready && !virtq_is_empty(q)) {
        virtio_kick(&s->v, Q_CTRL_IN);
    }
}

static void ctrl_send(struct virtio_serial *s, uint32_t id, uint16_t event, uint16_t value)
{
    if (!virtio_has(&s->v, F_MULTIPORT)) {
        return;
    }
    if (s->pending_n == CTRL_PENDING_MAX) {
        device_log_guest(&s->v.dev, "the driver gives no buffers for control messages");
        return;
    }
    s->pending[s->pending_n++] = (struct control){ id, event, value };
    virtio_kick(&s->v, Q_CTRL_IN);
}

static void port_announce(struct virtio_serial *s, struct port *p)
{
    if (p->is_console) {
        ctrl_send(s, p->nr, EV_CONSOLE_PORT, 1);
    }
    if (p->name) {
        ctrl_send(s, p->nr, EV_PORT_NAME, 1);
    }
    if (p->host_open) {
        ctrl_send(s, p->nr, EV_PORT_OPEN, 1);
    }
}

static void port_accept_input(struct port *p)
{
    if (p->input_waits) {
        p->input_waits = false;
        chr_accept_input(p->chr);
    }
}

static void ctrl_received(struct virtio_serial *s, const struct control *m)
{
    struct port *p = m->id < PORTS_MAX ? s->port[m->id] : NULL;

    if (m->event == EV_DEVICE_READY) {
        for (unsigned nr = 0; m->value && nr < PORTS_MAX; nr++) {
            if (s->port[nr]) {
                ctrl_send(s, nr, EV_PORT_ADD, 1);
            }
        }
        return;
    }
    if (!p) {
        device_log_guest(&s->v.dev, "control message %u for port %u, which is not there", m->event,
                  m->id);
        return;
    }
    if (m->event == EV_PORT_READY && m->value) {
        port_announce(s, p);
    } else if (m->event == EV_PORT_OPEN) {
        p->guest_open = m->value;
        port_accept_input(p);
    }
}

static void ctrl_kick(struct virtio_serial *s)
{
    struct virtqueue *q = &s->v.vq[Q_CTRL_OUT];
    enum virtq_result r = VIRTQ_OK;
    struct virtq_chain *c;
    struct control m;
    bool ok;
    unsigned n;

    for (n = 0; n < VIRTIO_QUEUE_SIZE && (r = virtq_pop(q, &c)) == VIRTQ_OK; n++) {
        ok = virtq_copy_out(q, c, 0, &m, sizeof m) && virtq_push(q, c, 0);
        virtq_free(c);
        if (!ok) {
            r = VIRTQ_BROKEN;
            break;
        }
        ctrl_received(s, &m);
    }
    if (r == VIRTQ_BROKEN) {
        virtio_break(&s->v, "a malformed control message");
        return;
    }
    virtio_notify(&s->v, Q_CTRL_OUT);
    virtq_kicks_enable(q, true);
    if (!virtq_is_empty(q)) {
        virtio_kick(&s->v, Q_CTRL_OUT);
    }
}

/* ---- output ---------------------------------------------------------------------------- */

/* Writes the current chain on.  true: it is done with (or the device is broken). */
static bool out_continue(struct port *p)
{
    struct virtio_device *v = &p->serial->v;
    unsigned n = port_queue(p->nr) + 1;
    struct virtqueue *q = &v->vq[n];
    uint8_t buf[COPY_BYTES];
    bool ok = true;

    while (ok && p->out_done < p->out->out_bytes) {
        uint32_t part = MIN(p->out->out_bytes - p->out_done, COPY_BYTES);
        uint32_t taken = part;

        ok = virtq_copy_out(q, p->out, p->out_done, buf, part);
        if (ok && p->chr) {
            taken = chr_write(p->chr, buf, part);
        }
        p->out_done += taken;
        if (ok && taken < part) {
            return false;
        }
    }
    if (!ok || !virtq_push(q, p->out, 0)) {
        virtio_break(v, "output outside of memory");
    }
    virtq_free(p->out);
    p->out = NULL;
    return true;
}

static void out_kick(struct port *p)
{
    struct virtio_device *v = &p->serial->v;
    unsigned n = port_queue(p->nr) + 1, done = 0;
    struct virtqueue *q = &v->vq[n];

    while (done < VIRTIO_QUEUE_SIZE && virtio_is_running(v)) {
        enum virtq_result r = VIRTQ_OK;

        if (!p->out) {
            r = virtq_pop(q, &p->out);
            p->out_done = 0;
        }
        if (r == VIRTQ_BROKEN) {
            virtio_break(v, "a malformed chain of output");
        }
        if (r != VIRTQ_OK || !out_continue(p)) {
            break;
        }
        done++;
    }
    if (done) {
        virtio_notify(v, n);
    }
    virtq_kicks_enable(q, true);
    if (!p->out && virtio_is_running(v) && !virtq_is_empty(q)) {
        virtio_kick(v, n);
    }
}

/* ---- input ----------------------------------------------------------------------------- */

static size_t in_bytes(struct port *p, const uint8_t *buf, size_t n_bytes)
{
    struct virtio_device *v = &p->serial->v;
    unsigned n = port_queue(p->nr);
    struct virtqueue *q = &v->vq[n];
    enum virtq_result r = VIRTQ_EMPTY;
    struct virtq_chain *c;
    size_t done = 0;

    if (!virtio_is_running(v) || (virtio_has(v, F_MULTIPORT) && !p->guest_open)) {
        return 0;
    }
    while (done < n_bytes && (r = virtq_pop(q, &c)) == VIRTQ_OK) {
        uint32_t part = MIN(n_bytes - done, (size_t)c->in_bytes);
        bool ok = part && virtq_copy_in(q, c, 0, buf + done, part) && virtq_push(q, c, part);

        virtq_free(c);
        if (!ok) {
            r = VIRTQ_BROKEN;
            break;
        }
        done += part;
    }
    if (r == VIRTQ_BROKEN) {
        virtio_break(v, "a malformed buffer for input");
    }
    if (done) {
        virtio_notify(v, n);
    }
    return done;
}

static size_t port_on_read(void *ctx, const uint8_t *buf, size_t n_bytes)
{
    struct port *p = ctx;
    struct virtqueue *q;
    size_t n;

    device_lock(&p->dev);
    q = &p->serial->v.vq[port_queue(p->nr)];
    n = in_bytes(p, buf, n_bytes);
    if (n < n_bytes) {
        virtq_kicks_enable(q, true);
        n += in_bytes(p, buf + n, n_bytes - n);     /* one may have come before we asked */
    }
    p->input_waits = n < n_bytes;
    device_unlock(&p->dev);
    return n;
}

static void port_on_writable(void *ctx)
{
    struct port *p = ctx;

    device_lock(&p->dev);
    if (p->out) {
        virtio_kick(&p->serial->v, port_queue(p->nr) + 1);
    }
    device_unlock(&p->dev);
}

static void port_on_event(void *ctx, enum chr_event event)
{
    struct port *p = ctx;

    if (event != CHR_OPENED && event != CHR_CLOSED) {
        return;
    }
    device_lock(&p->dev);
    p->host_open = event == CHR_OPENED;
    if (p->serial->v.status & VIRTIO_DRIVER_OK) {
        ctrl_send(p->serial, p->nr, EV_PORT_OPEN, p->host_open);
    }
    device_unlock(&p->dev);
}

static void serial_kick(struct virtio_device *v, unsigned n)
{
    struct virtio_serial *s = from(v);
    struct port *p;

    if (n == Q_CTRL_IN) {
        ctrl_flush(s);
    } else if (n == Q_CTRL_OUT) {
        ctrl_kick(s);
    } else if ((p = s->port[n < 2 ? 0 : (n - 2) / 2])) {
        if (n & 1) {
            out_kick(p);
        } else {
            port_accept_input(p);
        }
    }
}

/* ---- serial: configuration and class ------------------------------------------------------ */

static void serial_config_read(struct virtio_device *v, void *config)
{
    *(struct console_config *)config = (struct console_config){
        .max_nr_ports = from(v)->max_ports,
    };
}

/* 5.3.4: a character that can be sent at any time, also before the queues are there. */
static void serial_config_write(struct virtio_device *v, unsigned off, unsigned size,
                                uint64_t val)
{
    struct port *p = from(v)->port[0];
    uint8_t c = val;

    if (off == offsetof(struct console_config, emerg_wr) && p && p->chr) {
        chr_write(p->chr, &c, 1);
    }
}

static void serial_reset(struct virtio_device *v)
{
    struct virtio_serial *s = from(v);

    s->pending_n = 0;
    for (unsigned nr = 0; nr < PORTS_MAX; nr++) {
        struct port *p = s->port[nr];

        if (p) {
            p->guest_open = false;
            virtq_free(p->out);
            p->out = NULL;
        }
    }
}

static const struct virtio_kind serial_kind = {
    .device_id = 3,
    .config_bytes = sizeof(struct console_config),
    .config_read = serial_config_read,
    .config_write = serial_config_write,
    .kick = serial_kick,
    .reset = serial_reset,
};

static bool serial_realize(struct device *d, struct err *e)
{
    struct virtio_serial *s = from(virtio_from(d));

    if (s->max_ports < 1 || s->max_ports > PORTS_MAX) {
        return err_set(e, "max_ports=%u: it is 1 to %u", s->max_ports, PORTS_MAX);
    }
    return virtio_init(&s->v, 2 + 2 * s->max_ports, VIRTIO_QUEUE_SIZE / 2,
                       VIRTIO_BIT(F_MULTIPORT) | VIRTIO_BIT(F_EMERG_WRITE), e);
}

extern const struct device_class virtconsole_class;
extern const struct device_class virtserialport_class;

/* Takes the port's option nr=, or the next free number. */
static bool serial_plug(struct device *serial, struct device *d, struct err *e)
{
    struct virtio_serial *s = from(virtio_from(serial));
    struct port *p = port_from(d);
    uint32_t nr = p->nr;

    if (d->cls != &virtconsole_class && d->cls != &virtserialport_class) {
        return err_set(e, "device '%s' does not plug into a virtio-serial bus", d->cls->name);
    }
    if (nr == NR_NONE) {
        /* Port 0 is for a console: drivers without MULTIPORT know only that one. */
        for (nr = d->cls == &virtconsole_class ? 0 : 1; nr < s->max_ports && s->port[nr]; nr++) {
        }
    }
    if (nr >= s->max_ports || nr >= PORTS_MAX) {
        return err_set(e, "%s has no port %u (max_ports=%u)", serial->id, nr, s->max_ports);
    }
    if (s->port[nr]) {
        return err_set(e, "%s: port %u is taken by '%s'", serial->id, nr, s->port[nr]->dev.id);
    }
    if (nr == 0 && d->cls != &virtconsole_class) {
        return err_set(e, "port 0 of %s is for a virtconsole", serial->id);
    }
    p->serial = s;
    p->nr = nr;
    s->port[nr] = p;
    return true;
}

static void serial_unrealize(struct device *d)
{
    serial_reset(virtio_from(d));
}

static const struct device_option serial_options[] = {
    OPTION("max_ports", struct virtio_serial, max_ports, OPTION_U32, "31", "ports it can have"),
    { 0 },
};

extern const struct device_class virtio_serial_class;
const struct device_class virtio_serial_class = {
    .name = "virtio-serial-device",
    .about = "virtio console controller; its ports are virtconsole and virtserialport",
    .bus = "virtio-bus",
    .user = true,
    .version = 1,
    .size = sizeof(struct virtio_serial),
    .options = serial_options,
    .realize = serial_realize,
    .unrealize = serial_unrealize,
    .kind = &serial_kind,
    .bus_offered = "virtio-serial-bus",
    .plug = serial_plug,
};

/* ---- ports ----------------------------------------------------------------------------- */

static const struct chr_handlers port_handlers = {
    .read = port_on_read, .event = port_on_event, .writable = port_on_writable,
};

static bool port_realize(struct device *d, struct err *e)
{
    struct port *p = port_from(d);

    if (!p->serial) {
        return err_set(e, "a port needs a virtio-serial-device to plug into");
    }
    p->is_console = d->cls == &virtconsole_class;
    /* A console without a stream swallows what is written: it must look open to be used. */
    p->host_open = p->chr == NULL;
    if (p->chr) {
        chr_attach(p->chr, &port_handlers, p);
    }
    return true;
}

static void port_unrealize(struct device *d)
{
    if (port_from(d)->chr) {
        chr_attach(port_from(d)->chr, NULL, NULL);
    }
    virtq_free(port_from(d)->out);
    port_from(d)->serial->port[port_from(d)->nr] = NULL;
}

static const struct device_option port_options[] = {
    OPTION("chardev", struct port, chr, OPTION_CHR, NULL, "what it is connected to"),
    OPTION("name", struct port, name, OPTION_STRING, NULL,
           "what the guest finds it by, /dev/virtio-ports/NAME"),
    OPTION("nr", struct port, nr, OPTION_U32, "4294967295", "the port's number"),
    { 0 },
};

static const struct device_state port_state[] = {
    STATE(struct port, guest_open),
    { 0 },
};

const struct device_class virtconsole_class = {
    .name = "virtconsole",
    .about = "virtio console, /dev/hvc* in Linux",
    .bus = "virtio-serial-bus",
    .user = true,
    .version = 1,
    .size = sizeof(struct port),
    .options = port_options,
    .state = port_state,
    .realize = port_realize,
    .unrealize = port_unrealize,
};

const struct device_class virtserialport_class = {
    .name = "virtserialport",
    .about = "virtio serial port, /dev/virtio-ports/NAME in Linux",
    .bus = "virtio-serial-bus",
    .user = true,
    .version = 1,
    .size = sizeof(struct port),
    .options = port_options,
    .state = port_state,
    .realize = port_realize,
    .unrealize = port_unrealize,
};
