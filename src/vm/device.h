/* SPDX-License-Identifier: Apache-2.0 */
/* struct device: a device model: one struct, a class and its tables.
 *
 * A device is given its memory, interrupts, clock and backends; it finds nothing by itself and
 * does not know which board, engine or machine it serves.  Its class says in tables what would
 * otherwise be code:
 *   registers   dispatch of accesses, tracing, reset values, fuzzing
 *   state       what a snapshot holds
 *   options     `-device NAME,option=value` and `-device NAME,help`
 *
 * To add a device: embed `struct device dev` first in your struct, write the tables and a
 * `const struct device_class NAME_class`, and add one line to dev/devices.def.
 *
 * Life: device_new → device_set… → device_realize → device_map… → device_reset → (accesses) →
 * device_free.
 *
 * Threads: everything of a device happens under its lock.  The dispatcher takes it around
 * register hooks; reset, save and load take it; callbacks from the host (timers, backends, posted
 * work) must take it themselves with device_lock().  While holding it a device may set
 * interrupts, arm timers, use guest memory and call backends; backends and interrupt controllers
 * do not call back on the same thread. */
#pragma once
#include "base/thread.h"
#include "vm/irq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;
struct err;
struct loop;
struct mem_space;
struct mmio_ops;
struct opts;
struct trace;
struct vm_clock;

#define DEVICE_REGIONS_MAX 4
#define DEVICE_IRQS_MAX 16
#define DEVICE_RAM_BYTES_MAX (UINT64_C(1) << 30)
#define DEVICE_ID_MAX 64

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
};

/* One row of a register table.  The table ends with an all-zero row (size 0).
 *
 * A read gives rd() or else the field.  A write first changes the field's bits in `wmask` (or
 * clears them, REG_W1C) and then calls wr() with the value as written.  A row with neither field
 * nor rd is write-only; one with neither wmask nor wr is read-only. */
struct device_reg {
    uint32_t off;               /* in the region, a multiple of size */
    uint8_t size;               /* bytes: 1, 2, 4, 8 */
    uint8_t sizes;              /* accepted access sizes, or'ed together (1|2|4|8); 0: only size */
    uint8_t flags;              /* enum device_reg_flag */
    uint8_t field_size;         /* bytes; 0: no field */
    uint16_t field;             /* offset in the device's struct */
    uint16_t count;             /* this many equal registers in a row, 0 means 1; hooks get the
                                 * index, the field is an array */
    const char *name;           /* the manual's */
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
 * .wmask, .reset, .rd, .wr, .sizes, .flags. */
#define REG(off_, size_, name_, T, m, ...) \
    { .off = (off_), .size = (size_), .name = (name_), .field = offsetof(T, m), \
      .field_size = DEVICE_FIELD_SIZE(T, m), ##__VA_ARGS__ }
/* `n_` of them, kept in the array `m`. */
#define REG_ARRAY(off_, size_, n_, name_, T, m, ...) \
    { .off = (off_), .size = (size_), .count = (n_), .name = (name_), \
      .field = offsetof(T, m), .field_size = DEVICE_FIELD_SIZE(T, m[0]), ##__VA_ARGS__ }
/* A register that exists only in its hooks: .rd, .wr. */
#define REG_FN(off_, size_, name_, ...) \
    { .off = (off_), .size = (size_), .name = (name_), ##__VA_ARGS__ }
/* A window of `bytes_`: .window_rd, .window_wr. */
#define REG_WINDOW(off_, bytes_, name_, ...) \
    { .off = (off_), .size = 1, .count = (bytes_), .sizes = 15, .name = (name_), ##__VA_ARGS__ }

/* One region of guest-physical addresses; the array ends with an all-zero entry (size 0). */
struct device_region {
    const char *name;               /* NULL: the class's name */
    uint64_t size;                  /* bytes; 0 with size_of: depends on options */
    const struct device_reg *regs;  /* or: */
    const struct mmio_ops *ops;     /* called without the lock, ctx is the device; or: */
    bool ram;                       /* memory that the guest reaches directly: device_ram() */
    uint64_t (*size_of)(const struct device *d);
};

/* ---- state ----------------------------------------------------------------------------- */

enum device_type {
    DEVICE_U8 = 1, DEVICE_U16, DEVICE_U32, DEVICE_U64, DEVICE_BOOL,
    DEVICE_STRUCT,              /* by a table of its own */
};

/* One row of a state table; ends with an all-zero row.  Signed fields are saved as unsigned. */
struct device_state {
    const char *name;
    uint8_t type;               /* enum device_type */
    uint8_t since;              /* first class version that has it; 0: always */
    uint16_t off;
    uint16_t size;              /* of one element */
    uint32_t count;             /* elements of an array; 0 means 1 */
    const struct device_state *table;   /* DEVICE_STRUCT: rows relative to the element */
};

#define STATE_TYPE(T, m) _Generic(((T *)0)->m, \
    uint8_t: DEVICE_U8, int8_t: DEVICE_U8, char: DEVICE_U8, \
    uint16_t: DEVICE_U16, int16_t: DEVICE_U16, \
    uint32_t: DEVICE_U32, int32_t: DEVICE_U32, \
    uint64_t: DEVICE_U64, int64_t: DEVICE_U64, bool: DEVICE_BOOL)
#define STATE(T, m, ...) \
    { .name = #m, .type = STATE_TYPE(T, m), .off = offsetof(T, m), \
      .size = DEVICE_FIELD_SIZE(T, m), ##__VA_ARGS__ }
#define STATE_ARRAY(T, m, ...) \
    { .name = #m, .type = STATE_TYPE(T, m[0]), .off = offsetof(T, m), \
      .size = DEVICE_FIELD_SIZE(T, m[0]), \
      .count = DEVICE_FIELD_SIZE(T, m) / DEVICE_FIELD_SIZE(T, m[0]), ##__VA_ARGS__ }
#define STATE_STRUCT(T, m, table_, ...) \
    { .name = #m, .type = DEVICE_STRUCT, .off = offsetof(T, m), \
      .size = DEVICE_FIELD_SIZE(T, m), .table = (table_), ##__VA_ARGS__ }
#define STATE_STRUCTS(T, m, table_, ...) \
    { .name = #m, .type = DEVICE_STRUCT, .off = offsetof(T, m), \
      .size = DEVICE_FIELD_SIZE(T, m[0]), .table = (table_), \
      .count = DEVICE_FIELD_SIZE(T, m) / DEVICE_FIELD_SIZE(T, m[0]), ##__VA_ARGS__ }

/* ---- options --------------------------------------------------------------------------- */

enum device_option_type {
    OPTION_BOOL = 1,            /* bool: on, off, yes, no, true, false */
    OPTION_U16, OPTION_U32, OPTION_U64, /* decimal, 0x… */
    OPTION_SIZE,                /* uint64_t: bytes, with k, M, G, T */
    OPTION_STRING,              /* char *, owned by the device; NULL when not given */
    OPTION_MAC,                 /* uint8_t[6] */
    OPTION_ENUM,                /* uint8_t: index into `values` */
    /* A backend, given by its id and looked up by the finder; the field is a pointer. */
    OPTION_CHR, OPTION_BLK, OPTION_NET, OPTION_RNG,
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

/* Whoever creates devices says how ids of backends become pointers. */
struct device_finder {
    /* `type` is OPTION_CHR, …; NULL with `e` set when there is none. */
    void *(*find)(void *ctx, enum device_option_type type, const char *id, struct err *e);
    void *ctx;
};

/* ---- class ----------------------------------------------------------------------------- */

struct device_class {
    const char *name;               /* as in -device */
    const char *about;              /* one line for help */
    const char *bus;                /* of what it plugs into ("virtio-bus", "virtio-serial-bus");
                                     * NULL: the board places it by itself */
    bool user;                      /* may be made by -device */
    uint8_t version;                /* of the state table */
    uint8_t irqs_n;                 /* outputs */
    size_t size;                    /* of the struct that starts with struct device */
    const char *const *fdt_compatible;  /* NULL-terminated, most specific first; or NULL */
    const struct device_region *regions;
    const struct device_option *options;
    const struct device_state *state;

    /* Each may be NULL.  None is called with the lock held, except for reset and after_load. */
    bool (*realize)(struct device *d, struct err *e);
    void (*reset)(struct device *d);        /* fields of register rows have their reset values */
    void (*unrealize)(struct device *d);    /* only after a realize that succeeded */
    void (*before_save)(struct device *d);
    bool (*after_load)(struct device *d, struct err *e);
    /* Adds properties beyond compatible, reg and interrupts to this device's node in a flattened
     * tree (libfdt).  Returns a libfdt error code. */
    int (*describe_fdt)(const struct device *d, void *fdt, int node);

    const void *kind;               /* what a bus needs to know, e.g. struct virtio_kind */
};

/* ---- device ---------------------------------------------------------------------------- */

/* What every device of one machine is given; copied, the pointees outlive the device. */
struct device_env {
    struct mem_space *mem;
    struct vm_clock *clock;
    struct loop *loop;              /* where its timers and backends call back */
    const struct trace *trace;      /* NULL: nothing is traced */
};

struct device {
    const struct device_class *cls;
    char id[DEVICE_ID_MAX];         /* the user's, or the class's name */
    struct device_env env;
    struct irq irq[DEVICE_IRQS_MAX];
    struct mutex *lock;             /* &own_lock, or the one of the device it plugs into */

    /* private to device.c */
    struct mutex own_lock;
    bool realized;
    struct device_map *map[DEVICE_REGIONS_MAX];
    void *ram[DEVICE_REGIONS_MAX];
};

/* A device with the default options.  `id` may be NULL. */
struct device *device_new(const struct device_class *cls, const char *id, struct err *e);
/* Sets one option from text.  `finder` may be NULL when the class takes no backends. */
bool device_set(struct device *d, const char *option, const char *value,
                const struct device_finder *finder, struct err *e);
/* All members of `o` in their order, except for what is not the device's: driver, id, bus. */
bool device_set_all(struct device *d, const struct opts *o, const struct device_finder *finder,
                    struct err *e);
bool device_has_option(const struct device_class *cls, const char *option);
/* Connects output `n`; before or after realize, but not while the guest runs. */
void device_connect_irq(struct device *d, unsigned n, struct irq irq);
/* Share the lock of `parent`, which outlives `d`: they are one device to the guest.  Before
 * realize. */
void device_share_lock(struct device *d, struct device *parent);
bool device_realize(struct device *d, const struct device_env *env, struct err *e);
/* The host's memory of region `n`, which is RAM: of the region's size, zeroes after a reset, saved
 * with the state.  From realize on.  The guest writes to it at any time: copy, then check. */
void *device_ram(const struct device *d, unsigned n);
/* Adds region `n` at `gpa` to the memory given at realize. */
bool device_map_region(struct device *d, unsigned n, uint64_t gpa, struct err *e);
/* The same for who wants to forward accesses: ops and ctx of region `n`, which is not RAM; its
 * size; how many there are. */
const struct mmio_ops *device_region_ops(struct device *d, unsigned n, void **ctx);
uint64_t device_region_size(const struct device *d, unsigned n);
unsigned device_regions_n(const struct device *d);
/* Power-on values; called by the board after realize and at each reset of the machine. */
void device_reset(struct device *d);
/* NULL is allowed.  Whoever calls it has stopped the guest. */
void device_free(struct device *d);

static inline void device_lock(struct device *d)
{
    mutex_lock(d->lock);
}

static inline void device_unlock(struct device *d)
{
    mutex_unlock(d->lock);
}

/* Saves the state into a new buffer (free() it); *len_bytes is its length. */
bool device_save(struct device *d, uint8_t **blob, size_t *len_bytes, struct err *e);
/* Loads what device_save wrote, possibly of an older version: rows it lacks keep their value.
 * A blob is not trusted.  On failure the device is as after reset. */
bool device_load(struct device *d, const uint8_t *blob, size_t len_bytes, struct err *e);

/* `-device NAME,help`; returns the length it would need, as snprintf. */
int device_class_help(const struct device_class *cls, char *buf, size_t n_bytes);
