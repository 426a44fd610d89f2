/* SPDX-License-Identifier: Apache-2.0 */
/* ARM PrimeCell PL011 UART.  ARM DDI 0183G, chapter 3.
 *
 * There is no line between us and the host's stream, so a character takes no time: the transmit
 * FIFO fills only while the host takes nothing, and input is taken only as far as there is room,
 * so that it never overruns. */
#include "base/base.h"
#include "host/chr/chr.h"
#include "pando/device.h"

#define FIFO_DEPTH 16           /* of revision r1p4, which the identification says we are */

/* UARTDR (3.3.1); shifted right by 8, UARTRSR. */
enum { DR_BE = 0x400, DR_FE = 0x100, DR_OE = 0x800, DR_ERRORS = 0xf00 };
/* UARTFR (3.3.3). */
enum {
    FR_CTS = 0x001, FR_DSR = 0x002, FR_DCD = 0x004, FR_BUSY = 0x008, FR_RXFE = 0x010,
    FR_TXFF = 0x020, FR_RXFF = 0x040, FR_TXFE = 0x080, FR_RI = 0x100,
};
/* UARTLCR_H (3.3.7). */
enum { LCR_BRK = 0x01, LCR_FEN = 0x10 };
/* UARTCR (3.3.8). */
enum {
    CR_LBE = 0x0080, CR_TXE = 0x0100, CR_RXE = 0x0200, CR_DTR = 0x0400, CR_RTS = 0x0800,
    CR_OUT1 = 0x1000, CR_OUT2 = 0x2000,
};
/* UARTIMSC, UARTRIS, UARTMIS, UARTICR (3.3.10 to 3.3.13). */
enum {
    INT_RI = 0x001, INT_CTS = 0x002, INT_DCD = 0x004, INT_DSR = 0x008, INT_RX = 0x010,
    INT_TX = 0x020, INT_RT = 0x040, INT_FE = 0x080, INT_BE = 0x200, INT_OE = 0x400,
    INT_ALL = 0x7ff,
};

struct fifo {
    uint16_t data[FIFO_DEPTH];
    uint32_t first, n;
};

struct pl011 {
    struct device dev;
    struct chr *chr;            /* NULL: nothing is connected */
    struct fifo rx, tx;
    bool input_waits;           /* the host has more than we could take */
    uint32_t errors;            /* UARTRSR */
    uint32_t modem;             /* CTS, DSR, DCD, RI of UARTFR */
    uint32_t ilpr, ibrd, fbrd, lcr, cr, ifls, int_mask, int_raw, dmacr;
};

static struct pl011 *from(struct device *d)
{
    return CONTAINER_OF(d, struct pl011, dev);
}

static void fifo_put(struct fifo *f, uint16_t v)
{
    f->data[(f->first + f->n++) % FIFO_DEPTH] = v;
}

static uint16_t fifo_take(struct fifo *f)
{
    uint16_t v = f->data[f->first];

    f->first = (f->first + 1) % FIFO_DEPTH;
    f->n--;
    return v;
}

/* With the FIFOs disabled each is a one-character holding register (2.4.2). */
static unsigned pl011_depth(const struct pl011 *s)
{
    return s->lcr & LCR_FEN ? FIFO_DEPTH : 1;
}

/* UARTIFLS (3.3.9): 1/8, 1/4, 1/2, 3/4, 7/8; the other codes are reserved. */
static unsigned pl011_trigger(const struct pl011 *s, unsigned shift)
{
    static const uint8_t eighths[8] = { 1, 2, 4, 6, 7, 7, 7, 7 };

    return pl011_depth(s) * eighths[s->ifls >> shift & 7] / 8;
}

static unsigned pl011_rx_trigger(const struct pl011 *s)
{
    return MAX(1u, pl011_trigger(s, 3));
}

static void pl011_update(struct pl011 *s)
{
    device_irq_set(&s->dev, 0, s->int_raw & s->int_mask);
}

/* ---- receiving ------------------------------------------------------------------------- */

/* The receive interrupt tells of the trigger level, the timeout interrupt of fewer characters
 * after which nothing came for 32 bit times (2.7.2).  Here nothing is ever on its way. */
static void pl011_received(struct pl011 *s, uint16_t v)
{
    if (s->rx.n >= pl011_depth(s)) {
        s->rx.data[(s->rx.first + s->rx.n - 1) % FIFO_DEPTH] |= DR_OE;
        s->errors |= DR_OE >> 8;
        s->int_raw |= INT_OE;
        return;
    }
    fifo_put(&s->rx, v);
    s->int_raw |= s->rx.n >= pl011_rx_trigger(s) ? INT_RX : INT_RT;
    if (v & DR_BE) {
        s->int_raw |= INT_BE;
    }
    if (v & DR_FE) {
        s->int_raw |= INT_FE;
    }
}

static bool pl011_can_receive(const struct pl011 *s)
{
    return s->cr & CR_RXE && !(s->cr & CR_LBE) && s->rx.n < pl011_depth(s);
}

static size_t pl011_on_read(void *ctx, const uint8_t *p, size_t n_bytes)
{
    struct pl011 *s = ctx;
    size_t n;

    device_lock(&s->dev);
    for (n = 0; n < n_bytes && pl011_can_receive(s); n++) {
        pl011_received(s, p[n]);
    }
    s->input_waits = n < n_bytes;
    pl011_update(s);
    device_unlock(&s->dev);
    return n;
}

static void pl011_accept_input(struct pl011 *s)
{
    if (s->input_waits && pl011_can_receive(s)) {
        s->input_waits = false;
        chr_accept_input(s->chr);
    }
}

static void pl011_on_event(void *ctx, enum chr_event event)
{
    struct pl011 *s = ctx;

    if (event != CHR_BREAK) {
        return;
    }
    device_lock(&s->dev);
    if (s->cr & CR_RXE && !(s->cr & CR_LBE)) {
        pl011_received(s, DR_BE | DR_FE);
        pl011_update(s);
    }
    device_unlock(&s->dev);
}

static uint64_t pl011_rd_dr(struct device *d, unsigned i)
{
    struct pl011 *s = from(d);
    uint16_t v;

    if (!s->rx.n) {
        return 0;
    }
    v = fifo_take(&s->rx);
    s->errors = (v & DR_ERRORS) >> 8;
    if (s->rx.n < pl011_rx_trigger(s)) {
        s->int_raw &= ~INT_RX;
    }
    if (!s->rx.n) {
        s->int_raw &= ~INT_RT;
    }
    pl011_update(s);
    pl011_accept_input(s);
    return v;
}

/* ---- sending --------------------------------------------------------------------------- */

/* The transmit interrupt comes when the FIFO falls to its trigger level, and goes when it is
 * filled beyond (2.7.3). */
static void pl011_drain(struct pl011 *s)
{
    while (s->tx.n) {
        uint8_t c = s->tx.data[s->tx.first];

        if (s->cr & CR_LBE) {
            pl011_received(s, c);
        } else if (s->chr && chr_write(s->chr, &c, 1) == 0) {
            break;
        }
        fifo_take(&s->tx);
    }
    if (s->tx.n <= pl011_trigger(s, 0)) {
        s->int_raw |= INT_TX;
    } else {
        s->int_raw &= ~INT_TX;
    }
    pl011_update(s);
}

static void pl011_on_writable(void *ctx)
{
    struct pl011 *s = ctx;

    device_lock(&s->dev);
    if (s->tx.n) {
        pl011_drain(s);
    }
    device_unlock(&s->dev);
}

/* Sent also while UARTEN is clear: an early console writes before anybody has set up the UART,
 * counting on firmware that a directly booted kernel does not have. */
static void pl011_wr_dr(struct device *d, unsigned i, uint64_t v)
{
    struct pl011 *s = from(d);

    if (s->tx.n < pl011_depth(s)) {
        fifo_put(&s->tx, v & 0xff);
        pl011_drain(s);
    }
}

/* ---- control --------------------------------------------------------------------------- */

/* In loopback the modem's outputs are its inputs (3.3.8, LBE); otherwise a ready terminal. */
static void pl011_update_modem(struct pl011 *s)
{
    static const struct { uint16_t out, in, irq; } line[] = {
        { CR_RTS, FR_CTS, INT_CTS }, { CR_DTR, FR_DSR, INT_DSR },
        { CR_OUT1, FR_DCD, INT_DCD }, { CR_OUT2, FR_RI, INT_RI },
    };
    uint32_t in = s->cr & CR_LBE ? 0 : FR_CTS | FR_DSR | FR_DCD;

    for (unsigned i = 0; i < ARRAY_LEN(line); i++) {
        if (s->cr & CR_LBE && s->cr & line[i].out) {
            in |= line[i].in;
        }
        if ((s->modem ^ in) & line[i].in) {
            s->int_raw |= line[i].irq;
        }
    }
    s->modem = in;
}

static void pl011_wr_cr(struct device *d, unsigned i, uint64_t v)
{
    pl011_update_modem(from(d));
    pl011_update(from(d));
    pl011_accept_input(from(d));
}

static void pl011_wr_lcr(struct device *d, unsigned i, uint64_t v)
{
    struct pl011 *s = from(d);
    uint32_t changed = s->lcr ^ v;

    s->lcr = v & 0xff;
    if (changed & LCR_FEN) {
        s->rx.n = s->tx.n = 0;
    }
    if (changed & v & LCR_BRK) {
        if (s->cr & CR_LBE) {
            pl011_received(s, DR_BE | DR_FE);
        } else if (s->chr) {
            chr_send_break(s->chr);
        }
    }
    pl011_update(s);
    pl011_accept_input(s);
}

static uint64_t pl011_rd_fr(struct device *d, unsigned i)
{
    struct pl011 *s = from(d);
    unsigned depth = pl011_depth(s);

    return s->modem | (s->rx.n ? 0 : FR_RXFE) | (s->rx.n >= depth ? FR_RXFF : 0) |
           (s->tx.n ? FR_BUSY : FR_TXFE) | (s->tx.n >= depth ? FR_TXFF : 0);
}

static void pl011_wr_ecr(struct device *d, unsigned i, uint64_t v)
{
    from(d)->errors = 0;
}

static void pl011_wr_imsc(struct device *d, unsigned i, uint64_t v)
{
    pl011_update(from(d));
}

static uint64_t pl011_rd_mis(struct device *d, unsigned i)
{
    return from(d)->int_raw & from(d)->int_mask;
}

static void pl011_wr_icr(struct device *d, unsigned i, uint64_t v)
{
    from(d)->int_raw &= ~(uint32_t)v;
    pl011_update(from(d));
}

static uint64_t pl011_rd_id(struct device *d, unsigned i)
{
    static const uint8_t id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

    return id[i];
}

#define ANY_SIZE .sizes = 1 | 2 | 4
#define REG11(off, name, m, ...) REG(off, 4, name, struct pl011, m, ANY_SIZE, ##__VA_ARGS__)

static const struct device_reg pl011_regs[] = {
    REG_FN(0x00, 4, "UARTDR", ANY_SIZE, .rd = pl011_rd_dr, .wr = pl011_wr_dr),
    REG11(0x04, "UARTRSR/ECR", errors, .wr = pl011_wr_ecr),
    REG_FN(0x18, 4, "UARTFR", ANY_SIZE, .rd = pl011_rd_fr, .flags = REG_QUIET),
    REG11(0x20, "UARTILPR", ilpr, .wmask = 0xff),
    REG11(0x24, "UARTIBRD", ibrd, .wmask = 0xffff),
    REG11(0x28, "UARTFBRD", fbrd, .wmask = 0x3f),
    REG11(0x2c, "UARTLCR_H", lcr, .wr = pl011_wr_lcr),
    REG11(0x30, "UARTCR", cr, .wmask = 0xff87, .reset = CR_TXE | CR_RXE, .wr = pl011_wr_cr),
    REG11(0x34, "UARTIFLS", ifls, .wmask = 0x3f, .reset = 0x12),
    REG11(0x38, "UARTIMSC", int_mask, .wmask = INT_ALL, .wr = pl011_wr_imsc),
    REG11(0x3c, "UARTRIS", int_raw, .flags = REG_QUIET),
    REG_FN(0x40, 4, "UARTMIS", ANY_SIZE, .rd = pl011_rd_mis, .flags = REG_QUIET),
    REG_FN(0x44, 4, "UARTICR", ANY_SIZE, .wr = pl011_wr_icr),
    REG11(0x48, "UARTDMACR", dmacr, .wmask = 7),
    REG_FN(0xfe0, 4, "UARTPeriphID", .count = 8, ANY_SIZE, .rd = pl011_rd_id),
    { 0 },
};

static const struct device_state fifo_state[] = {
    STATE_ARRAY(struct fifo, data),
    STATE(struct fifo, first),
    STATE(struct fifo, n),
    { 0 },
};

static const struct device_state pl011_state[] = {
    STATE_STRUCT(struct pl011, rx, fifo_state),
    STATE_STRUCT(struct pl011, tx, fifo_state),
    STATE(struct pl011, errors),
    STATE(struct pl011, modem),
    STATE(struct pl011, ilpr),
    STATE(struct pl011, ibrd),
    STATE(struct pl011, fbrd),
    STATE(struct pl011, lcr),
    STATE(struct pl011, cr),
    STATE(struct pl011, ifls),
    STATE(struct pl011, int_mask),
    STATE(struct pl011, int_raw),
    STATE(struct pl011, dmacr),
    { 0 },
};

static const struct device_option pl011_options[] = {
    OPTION("chardev", struct pl011, chr, OPTION_CHR, NULL, "what it is connected to"),
    { 0 },
};

static const struct chr_handlers pl011_handlers = {
    .read = pl011_on_read, .event = pl011_on_event, .writable = pl011_on_writable,
};

static bool pl011_realize(struct device *d, struct err *e)
{
    if (from(d)->chr) {
        chr_attach(from(d)->chr, &pl011_handlers, from(d));
    }
    return true;
}

static void pl011_unrealize(struct device *d)
{
    if (from(d)->chr) {
        chr_attach(from(d)->chr, NULL, NULL);
    }
}

static void pl011_reset(struct device *d)
{
    struct pl011 *s = from(d);

    s->rx = s->tx = (struct fifo){ 0 };
    s->modem = FR_CTS | FR_DSR | FR_DCD;
    pl011_update(s);
    pl011_accept_input(s);
}

static bool pl011_after_load(struct device *d, struct err *e)
{
    struct pl011 *s = from(d);

    if (s->rx.first >= FIFO_DEPTH || s->rx.n > pl011_depth(s) || s->tx.first >= FIFO_DEPTH ||
        s->tx.n > pl011_depth(s)) {
        return err_set(e, "a FIFO is not as deep as that");
    }
    pl011_update(s);
    if (s->tx.n) {
        pl011_drain(s);
    }
    return true;
}

const struct device_class pl011_class = {
    .name = "pl011",
    .about = "ARM PrimeCell UART",
    .version = 1,
    .irqs_n = 1,
    .size = sizeof(struct pl011),
    .fdt_compatible = (const char *const[]){ "arm,pl011", "arm,primecell", NULL },
    .regions = (const struct device_region[]){ { .size = 0x1000, .regs = pl011_regs }, { 0 } },
    .options = pl011_options,
    .state = pl011_state,
    .realize = pl011_realize,
    .reset = pl011_reset,
    .unrealize = pl011_unrealize,
    .after_load = pl011_after_load,
};
