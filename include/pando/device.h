/* SPDX-License-Identifier: Apache-2.0 */
/* pando/device.h: the interface between a device model and the machine that it is part of.  The
 * devices of Pando and those that people keep in trees of their own are written against it alike:
 *
 *     #include <pando/device.h>
 *     struct mydev { struct device dev; … };       the struct device first
 *     … tables, a struct device_class …
 *     DEVICE_PLUGIN(mydev_class)                   out of tree only
 *
 *     cc -shared -fPIC -o mydev.so mydev.c         needs nothing but this header
 *     pando … -device ./mydev.so,option=value      or ./mydev.so,help
 *
 * A device is given its memory, interrupts and clock; it finds nothing by itself, and does not
 * know which board, engine or hosts it serves.  Its class says in tables what would otherwise be
 * code:
 *   registers   dispatch of accesses, tracing, reset values, fuzzing
 *   state       what a snapshot holds
 *   options     `-device NAME,option=value` and `-device NAME,help`
 * A virtio device has no registers but a struct virtio_kind: see the section on virtio.
 *
 * Threads: everything of a device happens under its lock.  All hooks of registers, and reset,
 * before_save, after_load, timers and work, are called with the lock held; realize, unrealize,
 * plug and describe_fdt are called while nothing else happens.  A thread of the device's own takes
 * it with device_lock().  While holding it a device may do everything that is declared here.
 *
 * Errors: what the guest does wrong is said by device_log_guest() and is never a reason to stop;
 * what the host lacks is said by err_set() in realize; a bug of the device is an assert.
 *
 * C and C++: it compiles as C11 and, with designated initializers, as C++20.  The macros and the
 * structs have the same order, which C++ insists on. */
#ifndef PANDO_DEVICE_H
#define PANDO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of all that is in this file.  A plug-in runs with the same major version and the
 * same or a later minor one: what is added later takes the place of `reserved`, or is a new
 * function.
 *   1.1  virtio devices; regions of a device's own dispatch, and ROM; device_work; a device that
 *        is a bus; device_trace(), device_log_error() */
#define DEVICE_ABI_MAJOR 1
#define DEVICE_ABI_MINOR 1

#ifdef __cplusplus
extern "C" {
#endif

struct device;
struct device_fdt;
struct device_host;
struct device_timer;
struct device_work;
struct err;
struct mem_space;
struct mmio_ops;

#define DEVICE_REGIONS_MAX 4
#define DEVICE_IRQS_MAX 16
#define DEVICE_RAM_BYTES_MAX (UINT64_C(1) << 30)

/* ---- registers ------------------------------------------------------------------------- */

enum device_reg_flag {
    REG_W1C = 1,        /* writing 1 clears the bits of wmask */
    REG_LANES = 2,      /* parts of the register can be accessed (aligned, of a size in `sizes`);
                         * without it an access starts at the register's offset, a narrower read
                         * gives the low part and a narrower write is extended with zeroes */
    REG_VIEW = 4,       /* the field belongs to another row: reset leaves it alone */
    REG_QUIET = 8,      /* writing it without effect is normal, not the guest's error */
    REG_UNLOCKED = 16,  /* wr() is called without the lock, and there is no field: for a write that
                         * only wakes somebody up */
    REG_QUICK = 32      /* rd() and wr() look at and change nothing but the device's own struct and
                         * ask for the time: no interrupts, no memory, no floats.  Saves some ten
                         * ns; rows without hooks are quick by themselves */
};

/* One row of a register table.  The table ends with an all-zero row (size 0).
 *
 * A read gives rd() or else the field.  A write first changes the field's bits in `wmask` (or
 * clears them, REG_W1C) and then calls wr() with the value as written.  A row with neither field
 * nor rd is write-only; one with neither wmask nor wr is read-only.  An access that fits no row is
 * the guest's error: it is logged, reads 0 and changes nothing. */
struct device_reg {
    uint32_t off;               /* in the region, a multiple of size */
    uint8_t size;               /* bytes: 1, 2, 4, 8 */
    const char *name;           /* the manual's */
    uint16_t field;             /* offset in the device's struct */
    uint8_t field_size;         /* bytes; 0: no field */
    uint16_t count;             /* this many equal registers in a row, 0 means 1; hooks get the
                                 * index, the field is an array */
    uint8_t sizes;              /* accepted access sizes, or'ed together (1|2|4|8); 0: only size */
    uint8_t flags;              /* enum device_reg_flag */
    uint64_t wmask;
    uint64_t reset;
    uint64_t (*rd)(struct device *d, unsigned i);
    void (*wr)(struct device *d, unsigned i, uint64_t v);
    /* Instead of all that: a window of `count` bytes with accesses of any accepted size. */
    uint64_t (*window_rd)(struct device *d, uint32_t off, unsigned size);
    void (*window_wr)(struct device *d, uint32_t off, unsigned size, uint64_t v);
};

#define DEVICE_FIELD_SIZE(T, m) sizeof(((T *)0)->m)

/* A register of `size_` bytes at `off_` that is kept in member `m` of struct T; then any of
 * .sizes, .flags, .wmask, .reset, .rd, .wr. */
#define REG(off_, size_, name_, T, m, ...) \
    { .off = (off_), .size = (size_), .name = (name_), .field = offsetof(T, m), \
      .field_size = DEVICE_FIELD_SIZE(T, m), ##__VA_ARGS__ }
/* `n_` of them, kept in the array `m`. */
#define REG_ARRAY(off_, size_, n_, name_, T, m, ...) \
    { .off = (off_), .size = (size_), .name = (name_), .field = offsetof(T, m), \
      .field_size = DEVICE_FIELD_SIZE(T, m[0]), .count = (n_), ##__VA_ARGS__ }
/* A register that exists only in its hooks: .rd, .wr. */
#define REG_FN(off_, size_, name_, ...) \
    { .off = (off_), .size = (size_), .name = (name_), ##__VA_ARGS__ }
/* A window of `bytes_`: .window_rd, .window_wr. */
#define REG_WINDOW(off_, bytes_, name_, ...) \
    { .off = (off_), .size = 1, .name = (name_), .count = (bytes_), .sizes = 15, ##__VA_ARGS__ }
#define REG_END { .off = 0, .size = 0 }

/* One region of guest-physical addresses; the array ends with an all-zero entry (size 0).  Any
 * size; regions may share a page, also RAM with registers. */
struct device_region {
    const char *name;               /* NULL: the class's name */
    uint64_t size;                  /* bytes; 0 with size_of: depends on options */
    const struct device_reg *regs;  /* or: */
    const struct mmio_ops *ops;     /* in tree: called without the lock, ctx is the device; or: */
    bool ram;                       /* memory that the guest reaches directly: device_ram(); or: */
    bool rom;                       /* memory that the guest reads and executes directly until
                                     * device_rom_trap(), while its writes go to the class's
                                     * region_wr: flash.  Whole pages; DMA does not reach it; it is
                                     * neither reset nor saved.  Or, none of all that: all accesses
                                     * go to the class's region_rd and region_wr */
    uint64_t (*size_of)(const struct device *d);
};
#define REGION_END { .name = NULL, .size = 0 }

/* ---- state ----------------------------------------------------------------------------- */

enum device_type {
    DEVICE_U8 = 1, DEVICE_U16, DEVICE_U32, DEVICE_U64, DEVICE_BOOL,
    DEVICE_STRUCT               /* by a table of its own */
};

/* One row of a state table; ends with an all-zero row.  Signed fields are saved as unsigned.  RAM
 * regions are saved by themselves. */
struct device_state {
    const char *name;
    uint8_t type;               /* enum device_type */
    uint16_t off;
    uint16_t size;              /* of one element */
    uint32_t count;             /* elements of an array; 0 means 1 */
    const struct device_state *table;   /* DEVICE_STRUCT: rows relative to the element */
    uint8_t since;              /* first class version that has it; 0: always */
};

#define STATE(T, m, ...) \
    { .name = #m, .type = STATE_TYPE(((T *)0)->m), .off = offsetof(T, m), \
      .size = DEVICE_FIELD_SIZE(T, m), ##__VA_ARGS__ }
#define STATE_ARRAY(T, m, ...) \
    { .name = #m, .type = STATE_TYPE(((T *)0)->m[0]), .off = offsetof(T, m), \
      .size = DEVICE_FIELD_SIZE(T, m[0]), \
      .count = DEVICE_FIELD_SIZE(T, m) / DEVICE_FIELD_SIZE(T, m[0]), ##__VA_ARGS__ }
#define STATE_STRUCT(T, m, table_, ...) \
    { .name = #m, .type = DEVICE_STRUCT, .off = offsetof(T, m), \
      .size = DEVICE_FIELD_SIZE(T, m), .count = 1, .table = (table_), ##__VA_ARGS__ }
#define STATE_STRUCTS(T, m, table_, ...) \
    { .name = #m, .type = DEVICE_STRUCT, .off = offsetof(T, m), \
      .size = DEVICE_FIELD_SIZE(T, m[0]), \
      .count = DEVICE_FIELD_SIZE(T, m) / DEVICE_FIELD_SIZE(T, m[0]), .table = (table_), \
      ##__VA_ARGS__ }
#define STATE_END { .name = NULL }

#ifndef __cplusplus
#define STATE_TYPE(field) _Generic((field), \
    uint8_t: DEVICE_U8, int8_t: DEVICE_U8, char: DEVICE_U8, \
    uint16_t: DEVICE_U16, int16_t: DEVICE_U16, \
    uint32_t: DEVICE_U32, int32_t: DEVICE_U32, \
    uint64_t: DEVICE_U64, int64_t: DEVICE_U64, bool: DEVICE_BOOL)
#else
}
template <class T> struct device_type_of {
    static_assert(sizeof(T) <= 8, "STATE: a number or a bool");
    static const uint8_t value = sizeof(T) == 1 ? DEVICE_U8 : sizeof(T) == 2 ? DEVICE_U16 :
                                 sizeof(T) == 4 ? DEVICE_U32 : DEVICE_U64;
};
template <> struct device_type_of<bool> { static const uint8_t value = DEVICE_BOOL; };
template <class T> struct device_type_of<T &> : device_type_of<T> {};
#define STATE_TYPE(field) device_type_of<decltype(field)>::value
extern "C" {
#endif

/* ---- options --------------------------------------------------------------------------- */

enum device_option_type {
    OPTION_BOOL = 1,            /* bool: on, off, yes, no, true, false */
    OPTION_U16, OPTION_U32, OPTION_U64, /* decimal, 0x… */
    OPTION_SIZE,                /* uint64_t: bytes, with k, M, G, T */
    OPTION_STRING,              /* char *, owned by the device; NULL when not given */
    OPTION_MAC,                 /* uint8_t[6] */
    OPTION_ENUM,                /* uint8_t: index into `values` */
    /* In tree: a backend, given by its id and looked up by the finder; the field is a pointer. */
    OPTION_CHR, OPTION_BLK, OPTION_NET, OPTION_RNG
};

/* One row of an option table; ends with an all-zero row. */
struct device_option {
    const char *name;           /* QEMU's spelling */
    uint8_t type;               /* enum device_option_type */
    uint16_t off;
    const char *dflt;           /* as one would type it; NULL: zero */
    const char *help;
    const char *const *values;  /* OPTION_ENUM: NULL-terminated */
};

#define OPTION(name_, T, m, type_, dflt_, help_, ...) \
    { .name = (name_), .type = (type_), .off = offsetof(T, m), .dflt = (dflt_), \
      .help = (help_), ##__VA_ARGS__ }
#define OPTION_END { .name = NULL }

/* ---- class ----------------------------------------------------------------------------- */

struct device_class {
    const char *name;               /* as in -device, and of the device tree's node */
    const char *about;              /* one line for help */
    const char *bus;                /* of what it plugs into ("platform-bus", "virtio-bus",
                                     * "virtio-serial-bus"); NULL: the board places it by itself,
                                     * and a plug-in on the platform bus */
    bool user;                      /* may be made by -device; a plug-in always */
    uint8_t version;                /* of the state table */
    uint8_t irqs_n;                 /* outputs */
    size_t size;                    /* of the struct that starts with struct device */
    const char *const *fdt_compatible;  /* NULL-terminated, most specific first; or NULL */
    const struct device_region *regions;
    const struct device_option *options;
    const struct device_state *state;

    /* Each may be NULL. */
    bool (*realize)(struct device *d, struct err *e);   /* options are set; make timers here */
    void (*reset)(struct device *d);        /* fields of register rows have their reset values,
                                             * RAM regions are zero, timers are cancelled */
    void (*unrealize)(struct device *d);    /* only after a realize that succeeded */
    void (*before_save)(struct device *d);
    bool (*after_load)(struct device *d, struct err *e);    /* the state is not trusted */
    /* Adds properties beyond compatible, reg and interrupts to the device tree's node. */
    void (*describe_fdt)(const struct device *d, struct device_fdt *node);

    const void *kind;               /* what a bus needs to know, e.g. struct virtio_kind */

    /* Accesses of 1, 2, 4 or 8 bytes, aligned, to the regions that are said to come here. */
    uint64_t (*region_rd)(struct device *d, unsigned region, uint64_t off, unsigned size);
    void (*region_wr)(struct device *d, unsigned region, uint64_t off, unsigned size, uint64_t v);
    /* Of a device that is itself a bus: the name of the bus, and what happens when `child`, of a
     * class with that `bus`, is plugged into it: before the child's realize, while both share
     * the lock of `d`, which is freed after its children. */
    const char *bus_offered;
    bool (*plug)(struct device *d, struct device *child, struct err *e);
    const void *reserved[2];
};

/* The first member of each device's struct, which is made filled with zeroes. */
struct device {
    const struct device_class *cls;
    const char *id;                 /* the user's, or the class's name */
    struct device_host *host;       /* private */
    const uint8_t *trace_on;        /* private */
    void *reserved[4];
};

/* ---- what a device may call ------------------------------------------------------------ */

void device_lock(struct device *d);
void device_unlock(struct device *d);

/* Wired interrupt: the level of output `n`.  Any thread, with or without the lock. */
void device_irq_set(struct device *d, unsigned n, bool level);
/* Message-signalled interrupt.  false: the machine has none, use the wire; so far it is always
 * that, as there is no PCI bus. */
bool device_msi_send(struct device *d, unsigned vector);

/* Guest time in ns since the machine's start: it stands while the machine does.  Wall-clock time
 * (UTC) in ns since 1970. */
int64_t device_now_ns(const struct device *d);
int64_t device_wall_ns(const struct device *d);
/* A timer that calls fire(d) with the lock held once guest time has reached the deadline, and goes
 * away with the device.  Made in realize.  NULL with `e` set on failure. */
struct device_timer *device_timer_new(struct device *d, void (*fire)(struct device *d),
                                      struct err *e);
/* With the lock held (or in realize): after a cancel, fire is not called. */
void device_timer_arm(struct device_timer *t, int64_t deadline_ns);
void device_timer_cancel(struct device_timer *t);
bool device_timer_is_armed(const struct device_timer *t);
int64_t device_timer_deadline_ns(const struct device_timer *t);

/* Work for the machine's loop: calls run(d) there with the lock held, once for any number of times
 * that it was scheduled.  Made in realize, goes away with the device.  Scheduling: any thread, with
 * or without the lock. */
struct device_work *device_work_new(struct device *d, void (*run)(struct device *d),
                                    struct err *e);
void device_work_schedule(struct device_work *w);

/* The host's memory of region `n`, which is RAM or ROM: of the region's size.  From realize on.
 * RAM is zeroes after a reset, and saved with the state; the guest writes to it at any time: copy,
 * then check. */
void *device_ram(const struct device *d, unsigned n);
/* Region `n` is ROM: from now on reads go to region_rd (and nothing is executed from it), or to the
 * memory again.  Change the memory while it is trapped, or before the machine runs. */
void device_rom_trap(struct device *d, unsigned n, bool on);

/* Guest memory: copies, and host pointers for a short time.  false: a part of it is not RAM, or
 * the machine ends; then nothing (write) or an undefined part (read) was copied. */
bool device_dma_read(struct device *d, uint64_t gpa, void *buf, size_t n_bytes);
bool device_dma_write(struct device *d, uint64_t gpa, const void *buf, size_t n_bytes);
bool device_dma_zero(struct device *d, uint64_t gpa, size_t n_bytes);
struct device_lease {
    void *host;
    uint64_t gpa;
    size_t n_bytes;
    uint64_t reserved[2];
};
bool device_lease_get(struct device *d, uint64_t gpa, size_t n_bytes, bool for_write,
                      struct device_lease *lease);
void device_lease_put(struct device *d, struct device_lease *lease);

/* Lines for people, without a newline; the device's id is put in front.  Those about the guest
 * are shown with `-d guest_errors`, and not too often. */
void device_log_guest(const struct device *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void device_log_warn(const struct device *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void device_log_info(const struct device *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void device_log_error(const struct device *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* device_trace(d, fmt, ...): a line that `-trace device_note` shows, with the guest's time.  Off,
 * it costs a load and a branch.  Accesses to registers are traced by themselves (device_read,
 * device_write). */
#define device_trace(d_, ...) \
    (__builtin_expect(__atomic_load_n((d_)->trace_on, __ATOMIC_RELAXED), 0) \
         ? device_trace_print((d_), __VA_ARGS__) : (void)0)
void device_trace_print(const struct device *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), cold));
/* Why something could not be done: object, value, and what would be right.  Returns false. */
bool err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A node of a device tree while it is described. */
struct device_fdt {
    void (*put)(void *ctx, const char *name, const void *v, size_t n_bytes);
    void *ctx;
};
static inline void device_fdt_put(struct device_fdt *node, const char *name, const void *v,
                                  size_t n_bytes)
{
    node->put(node->ctx, name, v, n_bytes);
}
static inline void device_fdt_put_u32(struct device_fdt *node, const char *name, uint32_t v)
{
    uint8_t be[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

    node->put(node->ctx, name, be, sizeof be);
}
static inline void device_fdt_put_text(struct device_fdt *node, const char *name, const char *v)
{
    size_t n = 0;

    while (v[n++]) {
    }
    node->put(node->ctx, name, v, n);
}

/* ---- virtio ---------------------------------------------------------------------------- */

/* A virtio device (OASIS, Virtual I/O Device, version 1.2): a class with bus "virtio-bus" whose
 * `kind` is a struct virtio_kind, and a struct that starts with `struct virtio_device v`.  The
 * transport that it is plugged into (virtio-mmio) has registers, interrupt and negotiation, and
 * saves and resets the part that all devices have in common; the driver may be legacy or of
 * version 1.  Numbers in buffers are little-endian.
 *
 * Split queues with indirect descriptors and event indices.  Every index, address and length that
 * the driver writes is copied once, checked and bounded here; what a device finds wrong in a
 * buffer it says with virtio_break(). */
#define VIRTIO_QUEUES_MAX 64
#define VIRTIO_CONFIG_MAX 256       /* bytes */
#define VIRTIO_QUEUE_SIZE 256       /* entries: good for most */
#define VIRTQ_SIZE_MAX 1024         /* entries, and descriptors in one chain */

enum virtio_feature {
    VIRTIO_F_ANY_LAYOUT = 27,       /* legacy only */
    VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32
};
#define VIRTIO_BIT(n) (UINT64_C(1) << (n))

/* 2.1 Device Status Field. */
enum virtio_status {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128
};

struct virtio_core;
struct virtio_device;

/* With the lock held; each but kick may be NULL. */
struct virtio_kind {
    uint16_t device_id;             /* chapter 5 */
    uint16_t config_bytes;          /* of the configuration space, ≤ VIRTIO_CONFIG_MAX */
    void (*config_read)(struct virtio_device *v, void *config);     /* fills all of it */
    void (*config_write)(struct virtio_device *v, unsigned off, unsigned size, uint64_t val);
    /* On the loop's thread, soon after the driver's notification: queue `q` may have something. */
    void (*kick)(struct virtio_device *v, unsigned q);
    /* Forget everything; complete nothing that is in flight (compare `epoch`). */
    void (*reset)(struct virtio_device *v);
    void (*driver_ok)(struct virtio_device *v);
    const void *reserved[4];
};

/* One queue.  A device looks at `ready` at most; all else is the transport's. */
struct virtqueue {
    bool ready;
    bool event_idx, indirect;       /* negotiated */
    uint16_t size_max;              /* entries; 0: this queue does not exist */
    uint16_t size;                  /* what the driver chose: a power of two */
    uint16_t last_avail;            /* the next entry of the available ring */
    uint16_t used_idx;
    uint16_t signalled_used;        /* used_idx when we last looked whether to interrupt */
    uint64_t desc, avail, used;     /* guest-physical: descriptor area, driver area, device area */
    uint32_t pfn, align;            /* legacy */
    struct mem_space *mem;
    void *reserved[3];
};

struct virtio_device {
    struct device dev;
    uint64_t features;              /* what the driver accepted */
    uint64_t epoch;                 /* counts resets, for requests in flight */
    struct virtqueue *vq;           /* queues_n of them */
    uint16_t queues_n;
    uint8_t status;                 /* enum virtio_status */
    bool modern;                    /* the driver uses virtio 1; false: legacy */
    struct virtio_core *core;       /* private */
    void *reserved[4];
};

static inline struct virtio_device *virtio_from(struct device *d)
{
    return (struct virtio_device *)d;   /* the first member */
}

static inline bool virtio_has(const struct virtio_device *v, unsigned feature)
{
    return v->features >> feature & 1;
}

/* May queues be processed?  3.1.1: not before DRIVER_OK; legacy drivers kick earlier (3.1.2). */
static inline bool virtio_is_running(const struct virtio_device *v)
{
    return !(v->status & VIRTIO_NEEDS_RESET) && (v->status & VIRTIO_DRIVER_OK || !v->modern);
}

/* In realize: `queues_n` queues of up to `queue_size` entries, a power of two; `features` of the
 * kind's own.  false when it is not plugged into a virtio bus. */
bool virtio_init(struct virtio_device *v, unsigned queues_n, unsigned queue_size,
                 uint64_t features, struct err *e);
/* After a batch of pushes: interrupts the driver if it wants that. */
void virtio_notify(struct virtio_device *v, unsigned q);
/* The configuration space has changed: tell the driver. */
void virtio_config_changed(struct virtio_device *v);
/* The driver broke the rules: say so in the log, and stop until it resets us (2.1.2). */
void virtio_break(struct virtio_device *v, const char *why);
/* Have kick() called for queue `q`, as if the driver had asked: after stopping early.  Any thread,
 * with or without the lock. */
void virtio_kick(struct virtio_device *v, unsigned q);

/* A request: buffers that we may read, then buffers that we may write. */
struct virtq_seg {
    uint64_t gpa;
    uint32_t len;
};
struct virtq_chain {
    uint16_t head;
    uint16_t out_n, in_n;           /* segments: readable by us, writable by us */
    uint32_t out_bytes, in_bytes;
    struct virtq_seg *seg;          /* out_n, then in_n */
};

enum virtq_result { VIRTQ_EMPTY, VIRTQ_OK, VIRTQ_BROKEN };

/* Takes the next available chain; virtq_free() it after the push.  An unready queue is empty.
 * VIRTQ_BROKEN: to be answered by virtio_break(). */
enum virtq_result virtq_pop(struct virtqueue *q, struct virtq_chain **c);
/* Takes the last popped chain back into the available ring (the buffers did not suffice yet), and
 * frees it.  Chains are taken back in the reverse order of popping. */
void virtq_unpop(struct virtqueue *q, struct virtq_chain *c);
/* Gives a chain back to the driver; `written` bytes of its writable buffers are valid.  Frees
 * nothing.  false: broken. */
bool virtq_push(struct virtqueue *q, const struct virtq_chain *c, uint32_t written);
/* The same in two steps, for several chains that must appear at once: put them at 0 … n - 1,
 * then show them all. */
bool virtq_push_at(struct virtqueue *q, const struct virtq_chain *c, uint32_t written,
                   unsigned i);
bool virtq_push_show(struct virtqueue *q, unsigned n);
void virtq_free(struct virtq_chain *c);         /* NULL is good */
/* Ask the driver (not) to kick.  After enabling, look once more whether the queue is empty. */
void virtq_kicks_enable(struct virtqueue *q, bool on);
bool virtq_is_empty(struct virtqueue *q);

/* Copies `len` bytes at offset `off` of what we may read, or into what we may write.  false: the
 * chain is shorter, or it points at something that is not RAM. */
bool virtq_copy_out(const struct virtqueue *q, const struct virtq_chain *c, uint32_t off,
                    void *buf, uint32_t len);
bool virtq_copy_in(const struct virtqueue *q, const struct virtq_chain *c, uint32_t off,
                   const void *buf, uint32_t len);
/* Instead of a copy, for host system calls: leases on the readable (out_n of them) or the writable
 * (in_n) buffers, in their order; host and n_bytes of each make an iovec.  Empty buffers get
 * host NULL.  false: one is not RAM; then none is held.  Give them back before the push. */
bool virtq_lease_out(struct virtio_device *v, const struct virtq_chain *c,
                     struct device_lease *lease);
bool virtq_lease_in(struct virtio_device *v, const struct virtq_chain *c,
                    struct device_lease *lease);
void virtq_lease_put(struct virtio_device *v, struct device_lease *lease, unsigned n);

/* ---- plug-ins -------------------------------------------------------------------------- */

#define DEVICE_PLUGIN_MAGIC UINT64_C(0x3144564e41504544)

/* What a shared object exports under the name pando_device_plugin. */
struct device_plugin {
    uint64_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t class_bytes;
    const struct device_class *cls;
};

#ifdef __cplusplus
}
#define DEVICE_PLUGIN_LINKAGE extern "C"
#else
#define DEVICE_PLUGIN_LINKAGE extern
#endif

/* In Pando's own tree a class is a row of src/dev/devices.def instead: one file can be both. */
#ifdef PANDO_IN_TREE
#define DEVICE_PLUGIN(cls_)
#else
#define DEVICE_PLUGIN(cls_) \
    DEVICE_PLUGIN_LINKAGE const struct device_plugin pando_device_plugin \
        __attribute__((visibility("default"))); \
    const struct device_plugin pando_device_plugin = { \
        DEVICE_PLUGIN_MAGIC, DEVICE_ABI_MAJOR, DEVICE_ABI_MINOR, \
        (uint32_t)sizeof(struct device_class), &(cls_) };
#endif

#endif
