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
 *
 * Threads: everything of a device happens under its lock.  All hooks of registers, and reset,
 * before_save, after_load and timers, are called with the lock held; realize, unrealize and
 * describe_fdt are called while nothing else happens.  A thread of the device's own takes it with
 * device_lock().  While holding it a device may do everything that is declared here.
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
 * same or a later minor one: what is added later takes the place of `reserved`. */
#define DEVICE_ABI_MAJOR 1
#define DEVICE_ABI_MINOR 0

#ifdef __cplusplus
extern "C" {
#endif

struct device;
struct device_fdt;
struct device_host;
struct device_timer;
struct err;
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
    REG_UNLOCKED = 16   /* wr() is called without the lock, and there is no field: for a write that
                         * only wakes somebody up */
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
    bool ram;                       /* memory that the guest reaches directly: device_ram() */
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
    const void *reserved[6];
};

/* The first member of each device's struct, which is made filled with zeroes. */
struct device {
    const struct device_class *cls;
    const char *id;                 /* the user's, or the class's name */
    struct device_host *host;       /* private */
    void *reserved[5];
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

/* The host's memory of region `n`, which is RAM: of the region's size, zeroes after a reset, saved
 * with the state.  From realize on.  The guest writes to it at any time: copy, then check. */
void *device_ram(const struct device *d, unsigned n);

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
 * are shown with `-d guest_errors`, and not too often.  Accesses to registers are traced by
 * themselves (`-trace 'device_*'`). */
void device_log_guest(const struct device *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void device_log_warn(const struct device *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void device_log_info(const struct device *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
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

#define DEVICE_PLUGIN(cls_) \
    DEVICE_PLUGIN_LINKAGE const struct device_plugin pando_device_plugin \
        __attribute__((visibility("default"))); \
    const struct device_plugin pando_device_plugin = { \
        DEVICE_PLUGIN_MAGIC, DEVICE_ABI_MAJOR, DEVICE_ABI_MINOR, \
        (uint32_t)sizeof(struct device_class), &(cls_) };

#endif
