/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's side of a device (pando/device.h): how a board, a bus or a test makes one.
 *
 * To add a device: embed `struct device dev` first in your struct, write the tables and a
 * `const struct device_class NAME_class`, and add one line to dev/devices.def.
 *
 * Life: device_new → device_set… → device_realize → device_map… → device_reset → (accesses) →
 * device_free.
 *
 * The dispatcher takes a device's lock around register hooks; reset, save and load take it;
 * callbacks from the host (backends, posted work) must take it themselves with device_lock().
 * While holding it a device may set interrupts, arm timers, use guest memory and call backends;
 * backends and interrupt controllers do not call back on the same thread.  A hook may let go of
 * the lock and take it again before it returns. */
#pragma once
#include "base/thread.h"
#include "pando/device.h"
#include "vm/irq.h"

struct loop;
struct mem_rom;
struct mem_space;
struct opts;
struct trace;
struct vm_clock;

#define DEVICE_ID_MAX 64

/* Whoever creates devices says how ids of backends become pointers. */
struct device_finder {
    /* `type` is OPTION_CHR, …; NULL with `e` set when there is none. */
    void *(*find)(void *ctx, enum device_option_type type, const char *id, struct err *e);
    void *ctx;
};

/* What every device of one machine is given; copied, the pointees outlive the device. */
struct device_env {
    struct mem_space *mem;
    struct vm_clock *clock;
    struct loop *loop;              /* where its timers and backends call back */
    const struct trace *trace;      /* NULL: nothing is traced */
};

/* What a bus has for a device that is plugged into it, besides what the device's class says.  The
 * hooks are called with the lock held, in front of the class's of the same name. */
struct device_bus {
    void (*reset)(struct device *d);
    void (*before_save)(struct device *d);
    bool (*after_load)(struct device *d, struct err *e);
    void (*gone)(struct device *d);             /* without the lock; the last thing */
    void (*died)(struct device *d);             /* its plug-in has crashed */
    const struct device_state *state;           /* relative to host->bus_data */
};

/* What the machine knows of a device: for boards and buses; a device itself has no need of it. */
struct device_host {
    struct device_env env;
    struct irq irq[DEVICE_IRQS_MAX];
    struct mutex *lock;             /* &own_lock, or the one of the device it plugs into */
    struct device *parent;          /* what it is plugged into, or NULL */
    const struct device_bus *bus;   /* set by the parent's plug hook, or NULL */
    void *bus_data;
    unsigned initiator;             /* the vCPU whose access is being dispatched, with the lock
                                     * held; not for REG_QUICK */
    char id[DEVICE_ID_MAX];

    /* private to vm/ */
    struct mutex own_lock;
    bool realized;
    const struct device_plugin_file *plugin;    /* NULL: of our own */
    bool dead;                      /* the plug-in has crashed: no hook is called any more */
    bool was_reset;
    struct device_timer *timers;
    struct device_work *works;
    struct mutex leases_lock;
    struct device_lease_held *leases;           /* a plug-in's */
    struct device_map *map[DEVICE_REGIONS_MAX];
    void *ram[DEVICE_REGIONS_MAX];
    struct mem_rom *rom[DEVICE_REGIONS_MAX];
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
/* Its class comes from the shared object at `path`: see vm/device_guard.h.  Before realize. */
void device_set_plugin(struct device *d, const char *path);
/* Connects output `n`; before or after realize, but not while the guest runs. */
void device_connect_irq(struct device *d, unsigned n, struct irq irq);
/* Plugs `d`, not yet realized, into the bus that `parent` offers.  They are one device to the
 * guest: `d` shares the lock.  The parent was plugged in before where it goes itself, and is freed
 * after `d`.  false: it does not fit, or there is no room. */
bool device_plug(struct device *d, struct device *parent, struct err *e);
bool device_realize(struct device *d, const struct device_env *env, struct err *e);
/* Adds region `n` at `gpa` to the memory given at realize. */
bool device_map_region(struct device *d, unsigned n, uint64_t gpa, struct err *e);
/* The same for who wants to forward accesses: ops and ctx of region `n`, which is not RAM; its
 * size; how many there are. */
const struct mmio_ops *device_region_ops(struct device *d, unsigned n, void **ctx);
uint64_t device_region_size(const struct device *d, unsigned n);
unsigned device_regions_n(const struct device *d);
/* Power-on values; called by the board after realize and at each reset of the machine. */
void device_reset(struct device *d);
/* What it adds to its node of the device tree. */
void device_describe_fdt(const struct device *d, struct device_fdt *node);
/* NULL is allowed.  Whoever calls it has stopped the guest. */
void device_free(struct device *d);

/* Saves the state into a new buffer (free() it); *len_bytes is its length. */
bool device_save(struct device *d, uint8_t **blob, size_t *len_bytes, struct err *e);
/* Loads what device_save wrote, possibly of an older version: rows it lacks keep their value.
 * A blob is not trusted.  On failure the device is as after reset. */
bool device_load(struct device *d, const uint8_t *blob, size_t len_bytes, struct err *e);

/* `-device NAME,help`; returns the length it would need, as snprintf. */
int device_class_help(const struct device_class *cls, char *buf, size_t n_bytes);
