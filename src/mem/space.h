/* SPDX-License-Identifier: Apache-2.0 */
/* struct mem_space: the guest-physical address space of one machine: RAM blocks and MMIO regions.
 *
 * Guest RAM is reached in two ways only:
 *   mem_dma_*, mem_lease_*   devices and loaders: copies, or host pointers for a bounded time
 *   mem_page_acquire/release the vCPU's TLB fill: the right on one page, with a pin
 * Both ask `ram_ops`, which is where page coherence enters; alone, a machine has no ram_ops and
 * every right is always there.  A host pointer is valid only between acquire and release (or,
 * in a TLB, until the revoke hook has run).
 *
 * Threads: regions are added before vCPUs run; every other function may be called from any
 * thread.  Functions that acquire may block: call them with no lock that a revocation needs. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEM_PAGE_SHIFT 12
#define MEM_PAGE_SIZE (UINT64_C(1) << MEM_PAGE_SHIFT)
#define MEM_RAM_BLOCKS_MAX 64
#define MEM_MMIO_REGIONS_MAX 1024
#define MEM_DEVICE_RAM_MAX 64
#define MEM_VCPU_NONE (~0u)         /* the initiator is not a vCPU */

struct mem_space;

enum mem_right { MEM_READ = 1, MEM_WRITE = 2 };

/* Seam: who may use which page of RAM.  `page` is a guest-physical page number. */
struct ram_ops {
    /* Obtain `right` on pages [page, page + n) for this process and pin them: until release,
     * nothing takes the right away.  May block.  false: the machine is going down. */
    bool (*acquire)(void *ctx, uint64_t page, uint64_t n, enum mem_right right);
    void (*release)(void *ctx, uint64_t page, uint64_t n);
    /* As acquire if that can be had at once, false otherwise; never blocks. */
    bool (*try_acquire)(void *ctx, uint64_t page, uint64_t n, enum mem_right right);
};

/* Seam: an MMIO region's owner: a device model, or something that forwards to one.
 * `off` is relative to the region; size is 1, 2, 4 or 8 bytes; off is aligned to size;
 * `vcpu` is the initiator or MEM_VCPU_NONE.  Called on the initiator's thread. */
struct mmio_ops {
    uint64_t (*read)(void *ctx, uint64_t off, unsigned size, unsigned vcpu);
    void (*write)(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu);
    /* The same if it can be had without waiting for anything, guest memory included: false, with
     * nothing done, otherwise.  NULL: never.  For vCPUs that have not left their view. */
    bool (*try_read)(void *ctx, uint64_t off, unsigned size, uint64_t *v);
    bool (*try_write)(void *ctx, uint64_t off, unsigned size, uint64_t v);
};

enum mem_result {
    MEM_OK,
    MEM_NOTHING,        /* no region decodes the address */
    MEM_STOPPED,        /* the machine is going down */
    MEM_WOULD_BLOCK,    /* of mem_page_try_acquire only */
};

struct mem_space *mem_space_new(struct err *e);
void mem_space_free(struct mem_space *s);

/* Adds `size` bytes of zeroed RAM at `gpa`, both multiples of MEM_PAGE_SIZE, not overlapping
 * anything.  Only touched pages cost host memory.  `name` is copied. */
bool mem_space_add_ram(struct mem_space *s, uint64_t gpa, uint64_t size, const char *name,
                       struct err *e);
/* Adds RAM of a device: of any alignment and size > 0, laid over what is there as an MMIO region
 * is.  `host` stays the caller's and outlives the space's use.  It belongs to this process: ram_ops
 * are not asked.  Whole pages of it that share their offset in the page with `host` are reached
 * directly, the rest access by access, next to registers in the same page.  DMA reaches it. */
bool mem_space_add_device_ram(struct mem_space *s, uint64_t gpa, uint64_t size, void *host,
                              const char *name, struct err *e);
/* Adds an MMIO region.  Regions of any alignment and size > 0; a later region lies over earlier
 * regions and over RAM (only whole pages of RAM can be covered).  `name` must stay valid. */
bool mem_space_add_mmio(struct mem_space *s, uint64_t gpa, uint64_t size,
                        const struct mmio_ops *ops, void *ctx, const char *name, struct err *e);

/* Memory that vCPUs read and execute as RAM while every write goes to ops->write: flash, ROM.  It
 * belongs to this process: ram_ops are not asked, and DMA does not reach it.  While it is trapped
 * (mem_rom_trap), reads go to ops->read too and nothing is executed from it. */
struct mem_rom;
/* Page-aligned, as `host` is, which stays the caller's and outlives the space's use; it is changed
 * only while it is trapped.  NULL on failure.  Lives as long as the space. */
struct mem_rom *mem_space_add_rom(struct mem_space *s, uint64_t gpa, uint64_t size, void *host,
                                  const struct mmio_ops *ops, void *ctx, const char *name,
                                  struct err *e);
/* Any thread outside of views; the caller serialises.  When it returns from trapping, no vCPU
 * reads the bytes directly any more. */
void mem_rom_trap(struct mem_rom *rom, bool on);
/* How pages are taken out of the views of this process's vCPUs. */
void mem_space_set_drop(struct mem_space *s, void (*drop)(void *ctx, uint64_t page), void *ctx);

/* Who answers for addresses that no region decodes (NULL ops: nobody).  `off` is the GPA. */
void mem_space_set_fallback(struct mem_space *s, const struct mmio_ops *ops, void *ctx);
void mem_space_set_ram_ops(struct mem_space *s, const struct ram_ops *ops, void *ctx);

/* The i-th RAM block; false past the last. */
bool mem_space_ram_block(const struct mem_space *s, unsigned i, uint64_t *gpa, uint64_t *size);
/* The i-th MMIO region in the order of adding; false past the last.  For people. */
bool mem_space_mmio_region(const struct mem_space *s, unsigned i, uint64_t *gpa, uint64_t *size,
                           const char **name);
bool mem_space_is_ram(const struct mem_space *s, uint64_t gpa);
/* The host mapping of a RAM page whether held or not: for the owner of ram_ops only. */
void *mem_space_host_page(const struct mem_space *s, uint64_t gpa);

/* MMIO access of 1–8 bytes, any alignment (split into aligned accesses). */
enum mem_result mem_mmio_read(struct mem_space *s, uint64_t gpa, unsigned size, unsigned vcpu,
                              uint64_t *v);
enum mem_result mem_mmio_write(struct mem_space *s, uint64_t gpa, unsigned size, unsigned vcpu,
                               uint64_t v);

/* Who answers one access of 1, 2, 4 or 8 bytes, naturally aligned, for callers that call it
 * themselves, with their offset from `gpa`.  NULL: not so simple, use the two above. */
struct mem_mmio {
    uint64_t gpa;
    const struct mmio_ops *ops;
    void *ctx;
};
const struct mem_mmio *mem_mmio_find(const struct mem_space *s, uint64_t gpa, unsigned size);
static inline uint64_t mem_size_mask(unsigned size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* The host address of the RAM page that contains `gpa`, with `right`, pinned until
 * mem_page_release().  MEM_NOTHING: not RAM. */
enum mem_result mem_page_acquire(struct mem_space *s, uint64_t gpa, enum mem_right right,
                                 void **host);
enum mem_result mem_page_try_acquire(struct mem_space *s, uint64_t gpa, enum mem_right right,
                                     void **host);
void mem_page_release(struct mem_space *s, uint64_t gpa);

/* Copies between guest RAM and `buf`.  false: part of the range is not RAM, or the machine is
 * going down; then nothing (write) or an undefined part (read) was copied. */
bool mem_dma_read(struct mem_space *s, uint64_t gpa, void *buf, size_t len);
bool mem_dma_write(struct mem_space *s, uint64_t gpa, const void *buf, size_t len);
bool mem_dma_zero(struct mem_space *s, uint64_t gpa, size_t len);

/* A host pointer to [gpa, gpa + len), which must lie in one RAM block, for as long as the lease
 * is held.  Keep leases short: they delay whoever wants the pages.  May be used by host system
 * calls (read, write, io_uring) on this thread or another. */
struct mem_lease {
    void *host;
    uint64_t gpa;
    size_t len;
    bool is_device;             /* private */
};
bool mem_lease_get(struct mem_space *s, uint64_t gpa, size_t len, enum mem_right right,
                   struct mem_lease *lease);
void mem_lease_put(struct mem_space *s, struct mem_lease *lease);
