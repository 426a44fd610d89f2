/* SPDX-License-Identifier: Apache-2.0 */
/* struct flat: the smallest machine around a PE: RAM at FLAT_RAM, nothing else; what software
 * asks of the bus is counted. */
#pragma once
#include "isa/a64/cpu.h"
#include "isa/a64/exception.h"
#include "isa/a64/mmu.h"
#include "isa/a64/model.h"
#include "isa/a64/tlb.h"
#include "isa/interp/interp.h"

#include <stdlib.h>
#include <string.h>

#define FLAT_RAM UINT64_C(0x40000000)
#define FLAT_BYTES (UINT64_C(4) << 20)

struct flat {
    struct a64_cpu cpu;
    char *ram;
    uint64_t count;                     /* CNTVCT_EL0 */
    unsigned broadcasts, waits, calls;
    uint64_t mmio_last, mmio_value;     /* the last access outside of RAM */
    unsigned mmio_bytes, mmio_n;
    bool wfi_stops;                     /* WFI makes the engine return */
    void (*icache)(void *engine, uint64_t gpa, uint64_t bytes);     /* of another engine */
    void *engine;
};

static enum a64_bus_result flat_ram_page(void *ctx, uint64_t gpa, enum a64_access access,
                                         void (*install)(void *arg, void *host), void *arg,
                                         bool *is_ram)
{
    struct flat *f = ctx;
    *is_ram = gpa >= FLAT_RAM && gpa < FLAT_RAM + FLAT_BYTES;
    if (*is_ram) {
        install(arg, f->ram + (gpa - FLAT_RAM));
    }
    return A64_BUS_OK;
}

static enum a64_bus_result flat_mmio_read(void *ctx, uint64_t gpa, unsigned bytes, uint64_t *v)
{
    struct flat *f = ctx;
    f->mmio_last = gpa;
    f->mmio_bytes = bytes;
    f->mmio_n++;
    *v = f->mmio_value;
    return gpa < FLAT_RAM ? A64_BUS_OK : A64_BUS_DECODE_ERROR;
}

static enum a64_bus_result flat_mmio_write(void *ctx, uint64_t gpa, unsigned bytes, uint64_t v)
{
    struct flat *f = ctx;
    f->mmio_last = gpa;
    f->mmio_bytes = bytes;
    f->mmio_n++;
    f->mmio_value = v;
    return gpa < FLAT_RAM ? A64_BUS_OK : A64_BUS_DECODE_ERROR;
}

static bool flat_sysreg_read(void *ctx, uint32_t enc, uint64_t *v)
{
    struct flat *f = ctx;
    *v = enc == 0xdf00 ? 62500000 : ++f->count;     /* CNTFRQ_EL0, or a count */
    return (enc & ~7u) == 0xdf00;
}

static bool flat_sysreg_write(void *ctx, uint32_t enc, uint64_t v)
{
    return false;
}

static void flat_tlbi(void *ctx, const struct a64_tlbi *op)
{
    ((struct flat *)ctx)->broadcasts++;
}

static void flat_icache_broadcast(void *ctx, uint64_t gpa, uint64_t bytes)
{
    ((struct flat *)ctx)->broadcasts++;
}

static void flat_icache_local(void *ctx, uint64_t gpa, uint64_t bytes)
{
    struct flat *f = ctx;
    interp_icache_invalidate(&f->cpu, gpa, bytes);
    if (f->icache) {
        f->icache(f->engine, gpa, bytes);
    }
}

static void flat_maintenance_wait(void *ctx) { }
static bool flat_semihosting(void *ctx) { return false; }
static void flat_send_event(void *ctx) { }

static bool flat_firmware_call(void *ctx, bool is_smc)
{
    ((struct flat *)ctx)->calls++;
    return !is_smc;
}

static void flat_wait(void *ctx, bool is_wfi)
{
    struct flat *f = ctx;
    f->waits++;
    if (f->wfi_stops) {
        f->cpu.poll |= 4;
    }
}

static struct flat *flat_new(const char *model)
{
    struct flat *f = aligned_alloc(64, (sizeof(*f) + 63) & ~63ul);
    memset(f, 0, sizeof(*f));
    f->ram = aligned_alloc(4096, FLAT_BYTES);
    memset(f->ram, 0, FLAT_BYTES);
    f->cpu.model = a64_model_find(model);
    f->cpu.tlb = a64_tlb_new();
    f->cpu.bus = (struct a64_bus){
        .ctx = f, .ram_page = flat_ram_page, .mmio_read = flat_mmio_read,
        .mmio_write = flat_mmio_write, .sysreg_read = flat_sysreg_read,
        .sysreg_write = flat_sysreg_write, .tlbi_broadcast = flat_tlbi,
        .icache_broadcast = flat_icache_broadcast, .icache_local = flat_icache_local,
        .maintenance_wait = flat_maintenance_wait, .firmware_call = flat_firmware_call,
        .semihosting = flat_semihosting, .wait_for_event = flat_wait,
        .send_event = flat_send_event,
    };
    interp_attach(&f->cpu);
    a64_cpu_reset(&f->cpu);
    f->cpu.pc = FLAT_RAM;
    f->cpu.vbar_el1 = FLAT_RAM + 0x10000;
    return f;
}

static void flat_free(struct flat *f)
{
    interp_detach(&f->cpu);
    a64_tlb_free(f->cpu.tlb);
    free(f->ram);
    free(f);
}

static inline uint32_t *flat_word(struct flat *f, uint64_t gpa)
{
    return (uint32_t *)(f->ram + (gpa - FLAT_RAM));
}

static inline uint64_t *flat_dword(struct flat *f, uint64_t gpa)
{
    return (uint64_t *)(f->ram + (gpa - FLAT_RAM));
}

/* The MMU on, with a flat map: 1 GiB of Device memory at 0, RAM as Normal memory.  `user`: EL0
 * may read and write its first half (then EL1 cannot execute that). */
static inline void flat_mmu(struct flat *f, bool user)
{
    uint64_t table = FLAT_RAM + FLAT_BYTES - 4096;
    uint64_t *t = flat_dword(f, table), *t2 = flat_dword(f, table - 4096);
    t[0] = 0 | 1 << 10 | 1;                                     /* AF, block, attribute 0 */
    t[1] = (table - 4096) | 3;
    for (uint64_t i = 0; i < 512; i++) {
        t2[i] = (FLAT_RAM + (i << 21)) | 1 << 10 | 1 << 2 | (user && i == 0 ? 1 << 6 : 0) | 1;
    }
    f->cpu.mair_el1 = 0xff00;
    f->cpu.tcr_el1 = 32 | UINT64_C(5) << 32 | 1 << 23;          /* T0SZ, IPS, EPD1 */
    f->cpu.ttbr0_el1 = table;
    f->cpu.sctlr_el1 |= 1;
    a64_tlb_drop_all(f->cpu.tlb);
    a64_regime_update(&f->cpu);
}

/* Puts `word` at pc and executes it. */
static inline void flat_insn(struct flat *f, uint32_t word)
{
    *flat_word(f, f->cpu.pc) = word;
    interp_icache_invalidate(&f->cpu, f->cpu.pc, 4);
    interp_run(&f->cpu, 1);
}
