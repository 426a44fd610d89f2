/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of running translated code share: a machine with its MMU on, and code in it.
 *
 * VA FLAT_RAM: RAM as a block of 2 MiB, also at ALIAS behind it.  In between, at PAGES, single pages
 * whose descriptors are page_entry()'s; at VA 0 a device.  All at EL1, by TTBR0 and TTBR1. */
#pragma once
#include "accel/jit/jit.h"

#include "../check.h"
#include "../isa/flat.h"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>

enum {
    TABLES = 0x10000, VECTORS = 0x20000,
    CODE = 0x40000,             /* a page, also at ALIAS */
    CODE2 = 0x41000,
    PAGES = 0x200000,           /* 16 by level 3, the last one missing */
    ALIAS = 0x400000,           /* distance of an address with the memory of RAM, by pages */
};
#define WFI 0xd503207fu
#define ADD_X0(n) (0x91000000u | (uint32_t)(n) << 10)           /* add x0, x0, #n */
#define MOVZ(reg, n) (0xd2800000u | (uint32_t)(n) << 5 | (reg))
#define LDR(to, base) (0xf9400000u | (base) << 5 | (to))
#define STR(from, base) (0xf9000000u | (base) << 5 | (from))
#define SUBS_X1 0xf1000421u                                     /* subs x1, x1, #1 */
#define B_NE(words) (0x54000001u | ((uint32_t)(words) & 0x7ffff) << 5)
#define B(words) (0x14000000u | ((uint32_t)(words) & 0x3ffffff))

static struct jit *jit;
static struct flat *f;
static void (*on_device)(void);         /* a store to address 0 */

static void stop_wait(void *ctx, bool is_wfi)
{
    ((struct flat *)ctx)->cpu.poll |= 4;
}

static void icache(void *ctx, uint64_t gpa, uint64_t bytes)
{
    jit_invalidate(jit, gpa, bytes);
}

static enum a64_bus_result device_write(void *ctx, uint64_t gpa, unsigned bytes, uint64_t v)
{
    if (on_device) {
        on_device();
    }
    return A64_BUS_OK;
}

static inline uint64_t *page_entry(unsigned i)
{
    return flat_dword(f, FLAT_RAM + TABLES + 0x2000 + i * 8);
}

static inline void registers(struct flat *of)
{
    struct a64_cpu *c = &of->cpu;

    c->bus.wait_for_event = stop_wait;
    c->bus.icache_local = icache;
    c->bus.mmio_write = device_write;
    c->ttbr0_el1 = c->ttbr1_el1 = FLAT_RAM + TABLES;
    c->mair_el1 = 0xff00;
    c->tcr_el1 = 25 | UINT64_C(25) << 16 | UINT64_C(2) << 30 | 0x3500 | UINT64_C(0x3500) << 16;
    c->sctlr_el1 |= 1;
    c->cpacr_el1 = 3u << 20;
    c->vbar_el1 = FLAT_RAM + VECTORS;
    a64_regime_update(c);
}

static inline void machine(void)
{
    uint64_t l1 = FLAT_RAM + TABLES, l2 = l1 + 4096, l3 = l2 + 4096;

    f = flat_new("max");
    *flat_dword(f, l1) = 1 << 10 | 1;                   /* Device memory */
    *flat_dword(f, l1 + 8) = l2 | 3;
    *flat_dword(f, l2) = FLAT_RAM | 0x705;              /* AF, ISH, Normal memory, RW */
    *flat_dword(f, l2 + 8) = l3 | 3;
    *flat_dword(f, l2 + 16) = FLAT_RAM | 0x705;         /* ALIAS */
    for (unsigned i = 0; i < 15; i++) {
        *page_entry(i) = (FLAT_RAM + PAGES + i * 4096) | 0x707;
    }
    for (unsigned i = 0; i < 16; i++) {
        *flat_word(f, FLAT_RAM + VECTORS + i * 0x80) = WFI;
    }
    registers(f);
}

static inline uint64_t regions(void)
{
    struct jit_stats s;

    jit_stats(jit, &s);
    return s.regions;
}

/* The words at `at`; what was translated of it is gone. */
static inline void put(uint32_t at, const uint32_t *word, unsigned bytes)
{
    memcpy(flat_word(f, FLAT_RAM + at), word, bytes);
    jit_invalidate(jit, FLAT_RAM + at, bytes);
}
#define PUT(at, ...) do { \
        const uint32_t w_[] = { __VA_ARGS__ }; \
        put(at, w_, sizeof(w_)); \
    } while (0)

static inline void run(uint64_t pc)
{
    f->cpu.pc = pc;
    f->cpu.poll = 0;
    f->cpu.el = 1;
    jit_run(jit, &f->cpu);
}

/* A counter that ran out is not soon looked at again: from the beginning. */
static inline void heat(struct a64_cpu *c)
{
    for (unsigned k = 0; k < sizeof(c->jit_heat) / sizeof(c->jit_heat[0]); k++) {
        __atomic_store_n(&c->jit_heat[k], 2, __ATOMIC_RELAXED);
    }
}

/* The program of a test: `all` with regions made on a thread, then with regions made at once. */
static inline int run_kinds(void (*all)(bool sync))
{
    for (unsigned sync = 0; sync < 2; sync++) {
        jit = jit_new(&(struct jit_options){ .hot_runs = 2, .regions_sync = sync }, NULL);
        if (!jit) {
            return 77;              /* skipped: the host cannot */
        }
        machine();
        all(sync);
        jit_cpu_free(&f->cpu);
        flat_free(f);
        jit_free(jit);
    }
    return check_result();
}
