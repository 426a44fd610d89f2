/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol is lines of text.  A command is words with blanks between; each gets one line,
 * "OK …" or "FAIL …", in order.  An interrupt line that is intercepted adds lines "IRQ raise N"
 * and "IRQ lower N" whenever it changes, also in front of the reply to the command that did it. */
#include "front/qtest.h"

#include "base/base.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "board/virt/virt.h"
#include "front/config.h"
#include "front/machine.h"
#include "host/chr/chr.h"
#include "mem/space.h"
#include "vm/clock.h"
#include "vm/device.h"
#include "vm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 6
#define LINES_MAX 1024              /* intercepted interrupt lines */

/* One interrupt line that is watched on its way. */
struct watch {
    struct qtest *q;
    struct irq onward;              /* where it went before */
    unsigned n;                     /* its number in the reports */
    bool level;
};

struct qtest {
    struct machine *machine;
    struct chr *chr;
    FILE *log;
    int64_t opened_ns;
    struct strbuf line;             /* a command that has not ended yet */
    bool line_too_long;

    struct mutex lock;              /* of what follows: lines may change on any thread */
    struct strbuf pending;          /* not yet taken by the back end */
    const char *watched;            /* the path being intercepted; NULL: none */
    struct watch watch[LINES_MAX];
    unsigned watch_n;
};

struct call {
    struct qtest *q;
    unsigned words_n;
    char *word[WORDS_MAX];          /* word[0] is the command */
    struct strbuf reply;
};

/* ---- output ------------------------------------------------------------------------------- */

static void flush_locked(struct qtest *q)
{
    size_t n = q->pending.len ? chr_write(q->chr, q->pending.text, q->pending.len) : 0;

    if (n == q->pending.len) {
        strbuf_free(&q->pending);
    } else if (n) {
        memmove(q->pending.text, q->pending.text + n, q->pending.len - n + 1);
        q->pending.len -= n;
    }
}

static void flush(void *ctx)
{
    struct qtest *q = ctx;

    mutex_lock(&q->lock);
    flush_locked(q);
    mutex_unlock(&q->lock);
}

static void log_line(struct qtest *q, char what, const char *text)
{
    int64_t us = (mono_now_ns() - q->opened_ns) / 1000;

    if (q->log) {
        fprintf(q->log, "[%c +%lld.%06lld] %s\n", what, (long long)us / 1000000,
                (long long)us % 1000000, text);
    }
}

static void send_line_locked(struct qtest *q, const char *text)
{
    log_line(q, 'S', text);
    strbuf_add_bytes(&q->pending, text, strlen(text));
    strbuf_add_char(&q->pending, '\n');
    flush_locked(q);
}

static void fail(struct call *c, const char *why)
{
    strbuf_free(&c->reply);
    strbuf_add(&c->reply, "FAIL %s", why);
}

/* ---- arguments ----------------------------------------------------------------------------- */

/* Word `i` as a number of any base; false, with the reply written: it is not one. */
static bool number(struct call *c, unsigned i, uint64_t *v)
{
    char *end;

    if (i >= c->words_n) {
        fail(c, "an argument is missing");
        return false;
    }
    errno = 0;
    *v = strtoull(c->word[i], &end, 0);
    if (errno || *end || end == c->word[i]) {
        fail(c, "an argument is not a number");
        return false;
    }
    return true;
}

static bool range(struct call *c, uint64_t *gpa, uint64_t *len)
{
    if (!number(c, 1, gpa) || !number(c, 2, len)) {
        return false;
    }
    if (*len > QTEST_BYTES_MAX || *gpa + *len < *gpa) {
        fail(c, "the range is too long");
        return false;
    }
    return true;
}

/* ---- memory -------------------------------------------------------------------------------- */

/* How many of `len` bytes one access takes at `gpa`, outside of RAM. */
static unsigned access_bytes(uint64_t gpa, uint64_t len)
{
    unsigned n = 4;

    while (n > len || gpa % n) {
        n /= 2;
    }
    return n;
}

static uint64_t ram_bytes(uint64_t gpa, uint64_t len)
{
    return MIN(len, MEM_PAGE_SIZE - gpa % MEM_PAGE_SIZE);
}

/* Where nothing is, zeroes are read and writes are lost. */
static void read_bytes(struct mem_space *s, uint64_t gpa, uint8_t *p, uint64_t len)
{
    while (len) {
        uint64_t v = 0, n;

        if (mem_space_is_ram(s, gpa)) {
            n = ram_bytes(gpa, len);
            mem_dma_read(s, gpa, p, n);
        } else {
            n = access_bytes(gpa, len);
            mem_mmio_read(s, gpa, n, MEM_VCPU_NONE, &v);
            memcpy(p, &v, n);
        }
        gpa += n;
        p += n;
        len -= n;
    }
}

static void write_bytes(struct mem_space *s, uint64_t gpa, const uint8_t *p, uint64_t len)
{
    while (len) {
        uint64_t v = 0, n;

        if (mem_space_is_ram(s, gpa)) {
            n = ram_bytes(gpa, len);
            mem_dma_write(s, gpa, p, n);
        } else {
            n = access_bytes(gpa, len);
            memcpy(&v, p, n);
            mem_mmio_write(s, gpa, n, MEM_VCPU_NONE, v);
        }
        gpa += n;
        p += n;
        len -= n;
    }
}

static struct mem_space *space(struct call *c)
{
    return machine_vm(c->q->machine)->mem;
}

/* readb, writel …: the last letter is the size. */
static unsigned size_of(const char *command)
{
    switch (command[strlen(command) - 1]) {
    case 'b': return 1;
    case 'w': return 2;
    case 'l': return 4;
    }
    return 8;
}

static void do_read(struct call *c)
{
    unsigned size = size_of(c->word[0]);
    uint64_t gpa, v = 0;

    if (number(c, 1, &gpa)) {
        if (mem_space_is_ram(space(c), gpa)) {
            mem_dma_read(space(c), gpa, &v, size);
        } else {
            mem_mmio_read(space(c), gpa, size, MEM_VCPU_NONE, &v);
        }
        strbuf_add(&c->reply, "OK 0x%016llx", (unsigned long long)v);
    }
}

static void do_write(struct call *c)
{
    unsigned size = size_of(c->word[0]);
    uint64_t gpa, v;

    if (number(c, 1, &gpa) && number(c, 2, &v)) {
        if (mem_space_is_ram(space(c), gpa)) {
            mem_dma_write(space(c), gpa, &v, size);
        } else {
            mem_mmio_write(space(c), gpa, size, MEM_VCPU_NONE,
                           size == 8 ? v : v & ((UINT64_C(1) << size * 8) - 1));
        }
        strbuf_add(&c->reply, "OK");
    }
}

static void do_read_hex(struct call *c)
{
    uint64_t gpa, len;
    uint8_t *p;

    if (!range(c, &gpa, &len)) {
        return;
    }
    p = calloc(1, len + 1);
    read_bytes(space(c), gpa, p, len);
    strbuf_add(&c->reply, "OK 0x");
    for (uint64_t i = 0; i < len; i++) {
        strbuf_add_char(&c->reply, "0123456789abcdef"[p[i] >> 4]);
        strbuf_add_char(&c->reply, "0123456789abcdef"[p[i] & 15]);
    }
    free(p);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Digits that are not there are zeroes. */
static void do_write_hex(struct call *c)
{
    uint64_t gpa, len;
    const char *hex;
    uint8_t *p;

    if (!range(c, &gpa, &len)) {
        return;
    }
    if (c->words_n < 4 || strncmp(c->word[3], "0x", 2) != 0) {
        return fail(c, "wants data as 0x…");
    }
    p = calloc(1, len + 1);
    hex = c->word[3] + 2;
    for (uint64_t i = 0; i < len && hex[0] && hex[1]; i++, hex += 2) {
        int high = hex_digit(hex[0]), low = hex_digit(hex[1]);

        if (high < 0 || low < 0) {
            free(p);
            return fail(c, "data has something else than hexadecimal digits");
        }
        p[i] = high << 4 | low;
    }
    write_bytes(space(c), gpa, p, len);
    free(p);
    strbuf_add(&c->reply, "OK");
}

static void do_memset(struct call *c)
{
    uint64_t gpa, len, v;
    uint8_t *p;

    if (range(c, &gpa, &len) && number(c, 3, &v)) {
        p = malloc(len + 1);
        memset(p, v, len);
        write_bytes(space(c), gpa, p, len);
        free(p);
        strbuf_add(&c->reply, "OK");
    }
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void do_read_base64(struct call *c)
{
    uint64_t gpa, len;
    uint8_t *p;

    if (!range(c, &gpa, &len)) {
        return;
    }
    p = calloc(1, len + 3);
    read_bytes(space(c), gpa, p, len);
    strbuf_add(&c->reply, "OK ");
    for (uint64_t i = 0; i < len; i += 3) {
        uint32_t v = p[i] << 16 | p[i + 1] << 8 | p[i + 2];

        for (unsigned k = 0; k < 4; k++) {
            strbuf_add_char(&c->reply, i + k > len ? '=' : base64_digits[v >> (18 - 6 * k) & 63]);
        }
    }
    free(p);
}

static void do_write_base64(struct call *c)
{
    uint64_t gpa, len, n = 0;
    uint32_t bits = 0;
    uint8_t *p;

    if (!range(c, &gpa, &len)) {
        return;
    }
    if (c->words_n < 4) {
        return fail(c, "wants data in base 64");
    }
    p = calloc(1, len + 1);
    for (const char *s = c->word[3]; *s && *s != '='; s++) {
        const char *digit = strchr(base64_digits, *s);

        if (!digit) {
            free(p);
            return fail(c, "data is not in base 64");
        }
        bits = bits << 6 | (digit - base64_digits);
        n += 6;
        if (n % 8 < 6 && n / 8 <= len) {
            p[n / 8 - 1] = bits >> n % 8;
        }
    }
    write_bytes(space(c), gpa, p, MIN(len, n / 8));
    free(p);
    strbuf_add(&c->reply, "OK");
}

/* ---- time ---------------------------------------------------------------------------------- */

/* Replies with what guest time is then: it does not go back. */
static void move_clock(struct call *c, int64_t to_ns)
{
    struct vm_clock *clock = machine_vm(c->q->machine)->clock;

    vm_clock_step_to(clock, to_ns);
    strbuf_add(&c->reply, "OK %lld", (long long)vm_clock_ns(clock));
}

static bool clock_is_ours(struct call *c)
{
    if (machine_config(c->q->machine)->engine != CONFIG_QTEST) {
        fail(c, "guest time runs by itself; -accel qtest makes it stand");
        return false;
    }
    return true;
}

static void do_clock_step(struct call *c)
{
    struct vm_clock *clock = machine_vm(c->q->machine)->clock;
    int64_t now = vm_clock_ns(clock), to = vm_clock_deadline_ns(clock);
    uint64_t ns;

    if (!clock_is_ours(c)) {
        return;
    }
    if (c->words_n > 1) {
        if (!number(c, 1, &ns)) {
            return;
        }
        if (__builtin_add_overflow(now, ns, &to) || to == INT64_MAX) {
            return fail(c, "that is beyond the end of time");
        }
    }
    move_clock(c, to == INT64_MAX ? now : to);
}

static void do_clock_set(struct call *c)
{
    uint64_t ns;

    if (clock_is_ours(c) && number(c, 1, &ns)) {
        if (ns >= INT64_MAX) {
            return fail(c, "that is beyond the end of time");
        }
        move_clock(c, ns);
    }
}

/* ---- interrupt lines ----------------------------------------------------------------------- */

static void watch_set(void *ctx, unsigned n, bool level)
{
    struct watch *w = ctx;
    struct qtest *q = w->q;
    char text[40];

    irq_set(&w->onward, level);
    mutex_lock(&q->lock);
    if (w->level != level) {
        w->level = level;
        snprintf(text, sizeof text, "IRQ %s %u", level ? "raise" : "lower", w->n);
        send_line_locked(q, text);
    }
    mutex_unlock(&q->lock);
}

static void watch_output(struct qtest *q, struct device *d, unsigned output, unsigned n)
{
    struct watch *w = &q->watch[q->watch_n];

    if (q->watch_n < LINES_MAX) {
        q->watch_n++;
        *w = (struct watch){ .q = q, .onward = d->host->irq[output], .n = n };
        device_connect_irq(d, output, (struct irq){ .set = watch_set, .ctx = w });
    }
}

/* The lines into the interrupt controller, at the other end: at the devices. */
static void watch_controller(struct qtest *q)
{
    struct virt *b = machine_board(q->machine);
    struct device *d;

    for (unsigned i = 0; (d = virt_device_at(b, i)); i++) {
        for (unsigned n = 0; n < DEVICE_IRQS_MAX; n++) {
            int spi = d->host->irq[n].set ? virt_spi_of_line(b, &d->host->irq[n]) : -1;

            if (spi >= 0) {
                watch_output(q, d, n, spi);
            }
        }
    }
}

static void do_irq_intercept(struct call *c)
{
    struct qtest *q = c->q;
    bool is_out = !strcmp(c->word[0], "irq_intercept_out");
    struct virt *b = machine_board(q->machine);
    bool is_gic = c->words_n > 1 && virt_path_is_gic(b, c->word[1]);
    struct device *d;

    if (c->words_n < 2) {
        return fail(c, "an argument is missing");
    }
    d = virt_device_find(b, c->word[1]);
    if (is_out ? !d : !is_gic) {
        return fail(c, "Unknown device");
    }
    if (q->watched) {
        if (strcmp(q->watched, c->word[1]) != 0) {
            return fail(c, "IRQ intercept already enabled");
        }
        strbuf_add(&c->reply, "OK");
        return;
    }
    q->watched = strdup(c->word[1]);
    for (unsigned n = 0; is_out && n < d->cls->irqs_n; n++) {
        watch_output(q, d, n, n);
    }
    if (!is_out) {
        watch_controller(q);
    }
    strbuf_add(&c->reply, "OK");
}

/* set_irq_in PATH NAME NUMBER LEVEL; of NAME, only QEMU's word for "the lines" is known. */
static void do_set_irq_in(struct call *c)
{
    struct virt *b = machine_board(c->q->machine);
    uint64_t n, level;
    struct device *d;

    if (!number(c, 3, &n) || !number(c, 4, &level)) {
        return;
    }
    d = virt_device_find(b, c->word[1]);
    if (virt_path_is_gic(b, c->word[1]) && n < VIRT_SPI_LINES_N) {
        struct irq line = virt_spi_line(b, n);
        irq_set(&line, level);
    } else if (!d || n > UINT8_MAX || !virt_device_input_set(d, n, level)) {
        return fail(c, d ? "the device has no such input" : "Unknown device");
    }
    strbuf_add(&c->reply, "OK");
}

static void do_endianness(struct call *c)
{
    strbuf_add(&c->reply, "OK little");
}

/* ---- commands ------------------------------------------------------------------------------ */

static const struct command {
    const char *name;
    void (*fn)(struct call *c);
} commands[] = {
    { "readb", do_read }, { "readw", do_read }, { "readl", do_read }, { "readq", do_read },
    { "writeb", do_write }, { "writew", do_write }, { "writel", do_write },
    { "writeq", do_write },
    { "read", do_read_hex }, { "write", do_write_hex }, { "memset", do_memset },
    { "b64read", do_read_base64 }, { "b64write", do_write_base64 },
    { "clock_step", do_clock_step }, { "clock_set", do_clock_set },
    { "irq_intercept_in", do_irq_intercept }, { "irq_intercept_out", do_irq_intercept },
    { "set_irq_in", do_set_irq_in },
    { "endianness", do_endianness },
};

static void run_line(struct qtest *q, char *line)
{
    struct call c = { .q = q };
    char *save = NULL;
    unsigned i;

    log_line(q, 'R', line);
    for (char *w = strtok_r(line, " \r", &save); w && c.words_n < WORDS_MAX;
         w = strtok_r(NULL, " \r", &save)) {
        c.word[c.words_n++] = w;
    }
    if (!c.words_n) {
        return;
    }
    for (i = 0; i < ARRAY_LEN(commands) && strcmp(commands[i].name, c.word[0]) != 0; i++) {
    }
    if (i < ARRAY_LEN(commands)) {
        commands[i].fn(&c);
    } else {
        strbuf_add(&c.reply, "FAIL Unknown command '%.64s'", c.word[0]);
    }
    mutex_lock(&q->lock);
    send_line_locked(q, c.reply.text);
    mutex_unlock(&q->lock);
    strbuf_free(&c.reply);
    if (machine_config(q->machine)->engine == CONFIG_QTEST) {
        /* Timers that were armed for now, or for the past. */
        struct vm_clock *clock = machine_vm(q->machine)->clock;
        vm_clock_step_to(clock, vm_clock_ns(clock));
    }
}

static void end_line(struct qtest *q)
{
    if (q->line_too_long) {
        mutex_lock(&q->lock);
        send_line_locked(q, "FAIL the command is too long");
        mutex_unlock(&q->lock);
    } else if (q->line.len) {
        run_line(q, q->line.text);
    }
    strbuf_free(&q->line);
    q->line_too_long = false;
}

static size_t on_read(void *ctx, const uint8_t *p, size_t n_bytes)
{
    struct qtest *q = ctx;

    for (const uint8_t *at = p, *stop = p + n_bytes; at < stop;) {
        const uint8_t *end = memchr(at, '\n', stop - at);
        size_t n = (end ? end : stop) - at;

        if (q->line.len + n > QTEST_LINE_BYTES_MAX) {
            q->line_too_long = true;
        } else {
            strbuf_add_bytes(&q->line, at, n);
        }
        at += n;
        if (end) {
            end_line(q);
            at++;
        }
    }
    return n_bytes;
}

static void on_event(void *ctx, enum chr_event event)
{
    struct qtest *q = ctx;

    if (event == CHR_OPENED || event == CHR_CLOSED) {
        if (event == CHR_OPENED) {
            q->opened_ns = mono_now_ns();
        }
        log_line(q, 'I', event == CHR_OPENED ? "OPENED" : "CLOSED");
        strbuf_free(&q->line);
        q->line_too_long = false;
    }
}

struct qtest *qtest_create(struct machine *m, struct chr *chr, const char *log, struct err *e)
{
    static const struct chr_handlers handlers = {
        .read = on_read, .event = on_event, .writable = flush,
    };
    struct chr *port = chr_claim(chr, e);
    struct qtest *q;
    FILE *f = NULL;

    if (!port) {
        return NULL;
    }
    if (log && strcmp(log, "none") != 0) {
        f = fopen(log, "w");
        if (!f) {
            err_set(e, "-qtest-log %s: %m", log);
            chr_release(port);
            return NULL;
        }
        setvbuf(f, NULL, _IOLBF, 0);
    }
    q = calloc(1, sizeof *q);
    q->machine = m;
    q->chr = port;
    q->log = f;
    q->opened_ns = mono_now_ns();
    mutex_init(&q->lock);
    chr_attach(port, &handlers, q);
    return q;
}

void qtest_destroy(struct qtest *q)
{
    struct virt *b;
    struct device *d;

    if (!q) {
        return;
    }
    b = machine_board(q->machine);
    for (unsigned i = 0; b && (d = virt_device_at(b, i)); i++) {
        for (unsigned n = 0; n < DEVICE_IRQS_MAX; n++) {
            if (d->host->irq[n].set == watch_set) {
                d->host->irq[n] = ((struct watch *)d->host->irq[n].ctx)->onward;
            }
        }
    }
    chr_attach(q->chr, NULL, NULL);
    chr_release(q->chr);
    if (q->log) {
        fclose(q->log);
    }
    free((char *)q->watched);
    strbuf_free(&q->line);
    strbuf_free(&q->pending);
    mutex_destroy(&q->lock);
    free(q);
}
