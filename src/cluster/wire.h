/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over a link: the frame, its types, and bounds-checked reading and writing of
 * payloads.  docs/cluster.md has the table.  All numbers are little-endian.
 *
 *    0        4     5      6        8                16
 *    +--------+-----+------+--------+----------------+---------
 *    | length | ver | type | zero   | sender's time  | payload …   `length` counts the payload
 *    +--------+-----+------+--------+----------------+---------
 */
#pragma once
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WIRE_VERSION 1
#define WIRE_HEAD_BYTES 16
#define WIRE_PAYLOAD_MAX (1u << 20)

/* Between every two nodes there are this many links.  What arrives on FAST is handled without
 * waiting for anything but local vCPUs, so a page, an interrupt or a reply is never behind
 * something slow.  What arrives on CALL may wait (for a page, for a device). */
enum wire_channel { WIRE_FAST, WIRE_CALL, WIRE_CHANNEL_N };

enum wire_type {
    /* membership (before the links are handed to node.c) */
    WIRE_HELLO = 1,     /* joiner -> root: what it offers */
    WIRE_WELCOME,       /* root -> joiner: everybody, and the machine */
    WIRE_ATTACH,        /* first frame of each further link: cookie, node, channel */
    WIRE_REFUSE,        /* root -> joiner: text why not */
    /* FAST */
    WIRE_PAGE = 16,     /* u64 page, u8 message, req, acks, clean [, 4096 bytes] */
    WIRE_IRQ,           /* struct irq_msg */
    WIRE_REPLY,         /* u32 call, u32 zero, u64 value */
    WIRE_BEAT,          /* u64 sender's time, u64 echo of the last received, u64 held for */
    WIRE_KICK,          /* u32 vcpu */
    WIRE_LINE,          /* u32 vcpu, u32 line, u32 level */
    WIRE_READY,         /* other -> root: u32 number of the WIRE_STATE that is done */
    WIRE_EVENT,         /* other -> root: u32 event, str why */
    WIRE_STATE,         /* root -> others: u32 state (run, pause, reset, leave, end), u32 number,
                         * str (end: the exit status); anybody -> anybody: fatal, 0, str why */
    WIRE_STATS,         /* u32 call, text: the answer to REGS and STATS_GET */
    /* CALL: each is answered by WIRE_REPLY with its number */
    WIRE_MMIO_READ = 64, /* u32 call, u32 vcpu, u64 gpa, u32 size */
    WIRE_MMIO_WRITE,    /* u32 call, u32 vcpu, u64 gpa, u32 size, u32 zero, u64 value */
    WIRE_POWER_ON,      /* u32 call, u32 vcpu, u64 entry, u64 context */
    WIRE_POWER,         /* u32 call, u32 vcpu */
    WIRE_MAINT,         /* u32 call, u32 n, n × 32 bytes: for all vCPUs of the node */
    WIRE_REGS,          /* u32 call, u32 vcpu: print_state(); answered by WIRE_STATS */
    WIRE_STATS_GET,     /* u32 call: answered by WIRE_STATS */
};

/* A payload being written: into a buffer that is large enough (asserted by the writer's use of
 * fixed-size payloads), or being read: `bad` is set by the first read past the end. */
struct wire_buf {
    uint8_t *p;
    size_t n, max;
    bool bad;
};

static inline void wire_put(struct wire_buf *b, const void *v, size_t n)
{
    if (b->bad || n > b->max - b->n) {
        b->bad = true;
        return;
    }
    memcpy(b->p + b->n, v, n);
    b->n += n;
}

static inline void wire_get(struct wire_buf *b, void *v, size_t n)
{
    if (b->bad || n > b->max - b->n) {
        b->bad = true;
        memset(v, 0, n);
        return;
    }
    memcpy(v, b->p + b->n, n);
    b->n += n;
}

static inline void wire_put_u8(struct wire_buf *b, uint8_t v)
{
    wire_put(b, &v, 1);
}

static inline void wire_put_u32(struct wire_buf *b, uint32_t v)
{
    v = htole32(v);
    wire_put(b, &v, 4);
}

static inline void wire_put_u64(struct wire_buf *b, uint64_t v)
{
    v = htole64(v);
    wire_put(b, &v, 8);
}

static inline uint8_t wire_get_u8(struct wire_buf *b)
{
    uint8_t v;

    wire_get(b, &v, 1);
    return v;
}

static inline uint32_t wire_get_u32(struct wire_buf *b)
{
    uint32_t v;

    wire_get(b, &v, 4);
    return le32toh(v);
}

static inline uint64_t wire_get_u64(struct wire_buf *b)
{
    uint64_t v;

    wire_get(b, &v, 8);
    return le64toh(v);
}

/* A string: u32 length, bytes; at most max - 1 are accepted. */
static inline void wire_put_str(struct wire_buf *b, const char *s)
{
    wire_put_u32(b, strlen(s));
    wire_put(b, s, strlen(s));
}

static inline void wire_get_str(struct wire_buf *b, char *s, size_t max)
{
    uint32_t n = wire_get_u32(b);

    if (n >= max || memchr(b->p + b->n, 0, b->bad ? 0 : n <= b->max - b->n ? n : 0)) {
        b->bad = true;
        n = 0;
    }
    wire_get(b, s, n);
    s[b->bad ? 0 : n] = 0;
}

/* All of it read, and nothing past the end? */
static inline bool wire_is_complete(const struct wire_buf *b)
{
    return !b->bad && b->n == b->max;
}
