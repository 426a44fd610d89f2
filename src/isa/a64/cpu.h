/* SPDX-License-Identifier: Apache-2.0 */
/* struct a64_cpu: the architectural state of one aarch64 processing element, EL1 and EL0, and
 * struct a64_bus: everything outside of it that instructions reach.
 *
 * Owned by one vCPU thread; others change it only through the vCPU's safepoints (vm/vcpu.h).
 * The JIT addresses this struct by a pinned host register: hot fields come first. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct a64_cpu;
struct a64_model;
struct a64_tlb;

union a64_vreg {
    uint8_t b[16];
    uint16_t h[8];
    uint32_t s[4];
    uint64_t d[2];
} __attribute__((aligned(16)));

enum a64_access { A64_READ = 1, A64_WRITE = 2, A64_EXEC = 4 };

enum a64_bus_result {
    A64_BUS_OK,
    A64_BUS_DECODE_ERROR,   /* nothing there: synchronous external abort */
    /* Abandon the instruction without effect and return from run(): the machine is going down,
     * or maintenance has come in between and a translation must be looked up again. */
    A64_BUS_STOP,
};

/* What a TLBI, IC or context change of this PE means to the others (Inner Shareable forms). */
struct a64_tlbi {
    enum { A64_TLBI_ALL, A64_TLBI_ASID, A64_TLBI_VA, A64_TLBI_VA_ALL_ASID } scope;
    bool last_level_only;
    uint16_t asid;
    uint64_t va;            /* first page, sign-extended */
    uint64_t pages_4k;      /* 1 = a single page (of any granule: the granule's size / 4K) */
};

/* Given by the floor above when the PE is made; `ctx` is its own. */
struct a64_bus {
    void *ctx;
    /* The host address of the 4 KiB guest page at `gpa` with the right `access` (one bit),
     * to be put into the TLB by the callback `install`, which runs while the right cannot be
     * revoked; afterwards the right lasts until the entry is dropped at a safepoint.
     * NULL without install called: no RAM there (use mmio).  May block; may run safepoints,
     * so that TLB contents may have changed on return. */
    enum a64_bus_result (*ram_page)(void *ctx, uint64_t gpa, enum a64_access access,
                                    void (*install)(void *arg, void *host), void *arg,
                                    bool *is_ram);
    /* As ram_page if the right can be had at once: true, and install has run.  Otherwise false,
     * with nothing done.  Never blocks.  May be NULL. */
    bool (*ram_page_try)(void *ctx, uint64_t gpa, enum a64_access access,
                         void (*install)(void *arg, void *host), void *arg);
    enum a64_bus_result (*mmio_read)(void *ctx, uint64_t gpa, unsigned bytes, uint64_t *v);
    enum a64_bus_result (*mmio_write)(void *ctx, uint64_t gpa, unsigned bytes, uint64_t v);
    /* System registers that live outside of the PE: GIC CPU interface (ICC_*), generic timer
     * and counter (CNT*).  false: no such register (UNDEFINED). */
    bool (*sysreg_read)(void *ctx, uint32_t enc, uint64_t *v);
    bool (*sysreg_write)(void *ctx, uint32_t enc, uint64_t v);
    /* Inner Shareable maintenance by this PE: queued to all other PEs; complete after
     * maintenance_wait(), which DSB calls. */
    void (*tlbi_broadcast)(void *ctx, const struct a64_tlbi *op);
    void (*icache_broadcast)(void *ctx, uint64_t gpa_first, uint64_t bytes); /* 0, ~0 = all */
    /* Code at [gpa_first, + bytes) may have changed: this PE's own engine, at once. */
    void (*icache_local)(void *ctx, uint64_t gpa_first, uint64_t bytes);
    void (*maintenance_wait)(void *ctx);
    /* HVC or SMC as a firmware call (PSCI): true if it was one; x0–x3 hold the results. */
    bool (*firmware_call)(void *ctx, bool is_smc);
    /* Semihosting (HLT #0xf000): true if it was enabled and done. */
    bool (*semihosting)(void *ctx);
    void (*wait_for_event)(void *ctx, bool is_wfi);    /* WFI: returns when an interrupt is
                                                          pending or the PE must stop */
    void (*send_event)(void *ctx);                     /* SEV */
};

enum { A64_DEBUG_MAX = 16, A64_PMU_MAX = 6 };

/* Bits of a64_cpu.attention (whose bytes are in the order of a little-endian host). */
enum {
    A64_ATT_LINES = 0xffff,
    A64_ATT_DEBUG = 0xff << 16,
    A64_ATT_DSB = 1 << 24,      /* maintenance that the next DSB completes */
    A64_ATT_ZVA0 = 1 << 25,     /* DC ZVA traps at EL0 */
    A64_ATT_CTR0 = 1 << 26,     /* CTR_EL0 traps at EL0 */
};

struct a64_cpu {
    uint64_t x[31];
    uint64_t sp;            /* the current stack pointer; the other is in sp_el[] */
    uint64_t pc;
    /* Nonzero: leave guest code at the next safepoint (enum vcpu_poll bits of vm/vcpu.h). */
    _Atomic uint32_t poll;
    uint32_t nzcv_;         /* via a64_nzcv_get/set: the representation is the JIT's choice */
    /* What a fast path has to look at first, as one word for translated code (A64_ATT_*). */
    union {
        struct {
            /* Lines from the interrupt controller, set by other threads (with poll). */
            _Atomic uint8_t irq_line, fiq_line;
            uint8_t debug_on;           /* MDSCR_EL1.SS or MDE: a64_debug_update() */
            uint8_t att;                /* the rest of A64_ATT_* */
        };
        uint32_t attention;
    };
    uint64_t jit_page_last; /* the JIT's own: VA of the last byte of the page that it
                             * executes in (never 0: what a fresh link holds) */
    uint64_t jit_scratch[8];
    struct a64_tlb *tlb;
    void *jit;              /* the JIT's own, of this vCPU */
    bool jit_bti;           /* the JIT's own: a guarded page has been fetched from */
    int32_t jit_heat[1024]; /* the JIT's own: see GEN_T_HOT */
    union a64_vreg v[32];
    uint32_t fpcr;          /* FPCR; rounding mode and FZ as the guest wrote them */
    uint32_t fpsr;          /* cumulative bits: an engine folds in what it collects
                             * lazily before it calls anything that may read them */

    /* PSTATE but NZCV */
    uint8_t el;             /* 0, 1 */
    uint8_t spsel;
    uint8_t daif;           /* bits 3:0 = D A I F */
    uint8_t pan, uao, btype, ss, il, ssbs, dit;

    /* Pointer authentication by key (IA, IB, DA, DB) and half of the address space: the bits
     * above the address without a tag, and the others; 0 and ~0 if the key is off.  By
     * a64_pauth_update(). */
    struct {
        uint64_t ext, low;
    } pac[4][2];

    struct a64_bus bus;
    const struct a64_model *model;
    unsigned index;         /* number of the vCPU in the machine */
    uint64_t mpidr;

    /* Exclusive monitor: address ~0 = open. */
    uint64_t ex_addr, ex_val[2];
    uint8_t ex_size_log2;

    uint64_t sp_el[2];      /* SP_EL0, SP_EL1: the one not in `sp` is current here */
    bool debug_slow;        /* breakpoints or software step: see debug.h */
    uint8_t watch_n;        /* enabled watchpoints */
    uint8_t stepped;        /* software step: 1 = just did one, 2 = a load-exclusive */
    uint64_t ic_page;       /* gpa of the last IC IVAU since a DSB: sysop.c */
    void *interp;           /* the interpreter's own (decoded pages) */

    /* System registers: the rows of sysreg.def, and the register files. */
#define SR(name, field, op0, op1, crn, crm, op2, ...) uint64_t field;
#define SRN(...)
#define SRM(...)
#include "isa/a64/sysreg.def"
#undef SR
#undef SRN
#undef SRM
    uint64_t dbgbvr[A64_DEBUG_MAX], dbgbcr[A64_DEBUG_MAX];
    uint64_t dbgwvr[A64_DEBUG_MAX], dbgwcr[A64_DEBUG_MAX];
    uint64_t pmu_time;      /* when the counters were last brought up to date */
    uint64_t pmevcntr[A64_PMU_MAX], pmevtyper[A64_PMU_MAX];
};

/* VA of the page that translated code executes in. */
static inline uint64_t a64_jit_page(const struct a64_cpu *cpu)
{
    return cpu->jit_page_last - 0xfff;
}

/* PSTATE.NZCV in bits 31:28.  nzcv_ is as x86's LAHF and SETO give them: N in bit 15, Z in
 * bit 14, C in bit 8, V in bit 0; other bits may hold anything. */
static inline uint32_t a64_nzcv_get(const struct a64_cpu *cpu)
{
    uint32_t f = cpu->nzcv_;

    return (f & 0xc000) << 16 | (f & 0x100) << 21 | (f & 1) << 28;
}

static inline void a64_nzcv_set(struct a64_cpu *cpu, uint32_t nzcv)
{
    cpu->nzcv_ = (nzcv >> 16 & 0xc000) | (nzcv >> 21 & 0x100) | (nzcv >> 28 & 1);
}
