/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/a64/mmu.h"

#include "isa/a64/esr.h"
#include "isa/a64/model.h"
#include "isa/a64/sysbits.h"
#include "isa/a64/tlb.h"

#include <stdatomic.h>

/* One half of the address space: what TCR_EL1 says about TTBR0 or TTBR1. */
struct half {
    uint64_t table;         /* of the first level */
    unsigned granule_log2;  /* 12, 14, 16 */
    unsigned input_bits;    /* of the VA that are translated */
    bool disabled;          /* EPDn, E0PDn */
    bool hierarchy_off;     /* HPDn */
};

struct walk {
    struct a64_cpu *cpu;
    uint64_t va;            /* without tag */
    enum a64_access access;
    bool el0, debug;
    unsigned pa_bits;
    struct half half;
    /* Found on the way down */
    bool ro_table, no_user_table, uxn_table, pxn_table;
    unsigned level;
    uint64_t desc, desc_gpa;
    const void *desc_page;  /* readable to the next safepoint */
};

static const uint8_t pa_bits_of[8] = { 32, 36, 40, 42, 44, 48, 48, 48 };

uint64_t a64_untag(const struct a64_cpu *cpu, uint64_t va, bool instruction)
{
    bool high = va >> 55 & 1;
    uint64_t tcr = cpu->tcr_el1;
    bool tbi = tcr & (high ? TCR_TBI1 : TCR_TBI0);

    if (instruction && a64_model_has(cpu->model, A64_FEAT_PAUTH) &&
        (tcr & (high ? TCR_TBID1 : TCR_TBID0))) {
        tbi = false;
    }
    return tbi ? (uint64_t)((int64_t)(va << 8) >> 8) : va;
}

static unsigned pa_bits(const struct a64_cpu *cpu)
{
    unsigned ips = pa_bits_of[cpu->tcr_el1 >> 32 & 7];

    return ips < cpu->model->pa_bits ? ips : cpu->model->pa_bits;
}

static void half_get(struct walk *w, bool high)
{
    static const uint8_t tg0[4] = { 12, 16, 14, 12 }, tg1[4] = { 12, 14, 12, 16 };
    const struct a64_cpu *cpu = w->cpu;
    uint64_t tcr = cpu->tcr_el1;
    struct half *h = &w->half;
    unsigned tsz = high ? tcr >> 16 & 63 : tcr & 63;
    bool has_e0pd = a64_model_has(cpu->model, A64_FEAT_E0PD);

    h->granule_log2 = high ? tg1[tcr >> 30 & 3] : tg0[tcr >> 14 & 3];
    unsigned tsz_max = !a64_model_has(cpu->model, A64_FEAT_TTST) ? 39 :
                       h->granule_log2 == 16 ? 47 : 48;
    /* Out of range: as the nearest valid value, one of the permitted choices (D8.2.3). */
    tsz = tsz < 16 ? 16 : tsz > tsz_max ? tsz_max : tsz;
    h->input_bits = 64 - tsz;
    h->disabled = (tcr >> (high ? 23 : 7) & 1) ||
                  (has_e0pd && w->el0 && (tcr & (high ? TCR_E0PD1 : TCR_E0PD0)));
    h->hierarchy_off = a64_model_has(cpu->model, A64_FEAT_HPDS) &&
                       (tcr & (high ? TCR_HPD1 : TCR_HPD0));
    h->table = (high ? cpu->ttbr1_el1 : cpu->ttbr0_el1) & UINT64_C(0x0000fffffffffffe);
}

static bool fault(struct a64_fault *f, unsigned fsc)
{
    f->fsc = fsc;
    f->walk_stop = false;
    return false;
}

/* ---- descriptors ---- */

struct desc_access {
    uint64_t gpa, v, update;
    const void *page;
    bool swapped;
};

static void desc_read(void *arg, void *host)
{
    struct desc_access *a = arg;

    a->page = host;
    a->v = atomic_load_explicit((_Atomic uint64_t *)((char *)host + (a->gpa & 0xfff)),
                                memory_order_acquire);
}

static void desc_swap(void *arg, void *host)
{
    struct desc_access *a = arg;
    uint64_t expect = a->v;

    a->swapped = atomic_compare_exchange_strong(
        (_Atomic uint64_t *)((char *)host + (a->gpa & 0xfff)), &expect, a->update);
}

static bool desc_get(struct walk *w, uint64_t gpa, struct a64_fault *f)
{
    struct desc_access a = { .gpa = gpa };
    struct a64_bus *bus = &w->cpu->bus;
    bool is_ram = false;

    if (bus->ram_page(bus->ctx, gpa & ~UINT64_C(0xfff), A64_READ, desc_read, &a, &is_ram) ==
        A64_BUS_STOP) {
        f->walk_stop = true;
        return false;
    }
    if (!is_ram) {
        return fault(f, A64_FSC_EXTERNAL_WALK + w->level);
    }
    w->desc = a.v;
    w->desc_gpa = gpa;
    w->desc_page = a.page;
    return true;
}

/* Sets bits in the descriptor just used, if it is still the same; *again if it is not. */
static bool desc_update(struct walk *w, uint64_t v, bool *again, struct a64_fault *f)
{
    struct desc_access a = { .gpa = w->desc_gpa, .v = w->desc, .update = v };
    struct a64_bus *bus = &w->cpu->bus;
    bool is_ram = false;

    if (bus->ram_page(bus->ctx, a.gpa & ~UINT64_C(0xfff), A64_WRITE, desc_swap, &a, &is_ram) ==
        A64_BUS_STOP) {
        f->walk_stop = true;
        return false;
    }
    if (!is_ram) {
        return fault(f, A64_FSC_EXTERNAL_WALK + w->level);
    }
    *again = !a.swapped;
    if (a.swapped) {
        w->desc = v;
    }
    return true;
}

/* ---- permissions (D8.4.1) ---- */

struct rights {
    bool user, ro, uxn, pxn;
};

static struct rights rights_of(const struct walk *w, bool dirty_managed)
{
    uint64_t d = w->desc;
    bool dbm = dirty_managed && (d >> 51 & 1);

    return (struct rights){
        .user = (d >> 6 & 1) && !w->no_user_table,
        .ro = ((d >> 7 & 1) && !dbm) || w->ro_table,
        .uxn = (d >> 54 & 1) || w->uxn_table,
        .pxn = (d >> 53 & 1) || w->pxn_table,
    };
}

static bool allowed(const struct walk *w, const struct rights *r)
{
    const struct a64_cpu *cpu = w->cpu;
    bool wxn = cpu->sctlr_el1 & SCTLR_WXN;

    if (w->el0) {
        switch (w->access) {
        case A64_READ: return r->user;
        case A64_WRITE: return r->user && !r->ro;
        default: return !r->uxn && !(wxn && r->user && !r->ro);
        }
    }
    switch (w->access) {
    case A64_READ: return !(cpu->pan && r->user && !w->debug);
    case A64_WRITE: return !r->ro && !(cpu->pan && r->user && !w->debug);
    /* What EL0 can write, EL1 never executes. */
    default: return !r->pxn && !(r->user && !r->ro) && !(wxn && !r->ro);
    }
}

/* ---- the walk ---- */

static bool leaf(struct walk *w, bool *again, struct a64_xlat *x, struct a64_fault *f)
{
    const struct a64_cpu *cpu = w->cpu;
    unsigned g = w->half.granule_log2, size_log2 = g + (g - 3) * (3 - w->level);
    bool has_ha = a64_model_has(cpu->model, A64_FEAT_HAFDBS);
    bool ha = has_ha && (cpu->tcr_el1 & TCR_HA), hd = ha && (cpu->tcr_el1 & TCR_HD);
    uint64_t d = w->desc, size = UINT64_C(1) << size_log2;
    uint64_t out = d & UINT64_C(0x0000ffffffffffff) & ~(size - 1);

    if (out >> w->pa_bits) {
        return fault(f, A64_FSC_ADDRESS_SIZE + w->level);
    }
    if (!(d >> 10 & 1) && !ha) {
        return fault(f, A64_FSC_ACCESS_FLAG + w->level);
    }
    struct rights r = rights_of(w, hd);
    if (!allowed(w, &r)) {
        return fault(f, A64_FSC_PERMISSION + w->level);
    }
    uint64_t update = d | UINT64_C(1) << 10;
    if (hd && (d >> 51 & 1) && w->access == A64_WRITE) {
        update &= ~(UINT64_C(1) << 7);          /* writable-clean becomes writable-dirty */
    }
    if (update != d && !w->debug) {
        if (!desc_update(w, update, again, f)) {
            return false;
        }
        if (*again) {
            return true;
        }
    }
    x->gpa = out | (w->va & ((UINT64_C(1) << size_log2) - 1));
    x->size_log2 = size_log2;
    x->mair_attr = cpu->mair_el1 >> (d >> 2 & 7) * 8;
    x->device = !(x->mair_attr & 0xf0);
    x->sh = d >> 8 & 3;
    x->global = !(d >> 11 & 1);
    x->user = r.user;
    x->guarded = d >> 50 & 1;
    /* What is writable-clean has to come here once more, to be marked dirty. */
    x->writable = w->access == A64_WRITE ||
                  (w->access == A64_READ && !r.ro && (!w->el0 || r.user) &&
                   !(hd && (d >> 51 & 1) && (d >> 7 & 1)));
    return true;
}

/* ---- the cache of tables and blocks ----
 * What the levels above the last one said for a VA.  A TLBI forgets blocks; tables are forgotten by
 * those that are not for the last level only (D8.13.3). */

static struct a64_walk_cache *cached(const struct walk *w, unsigned last_shift)
{
    uint64_t block = w->va >> last_shift;

    return &w->cpu->tlb->walk[(block ^ block >> 8) & (A64_WALK_CACHE_N - 1)];
}

/* NULL: unknown. */
static struct a64_walk_cache *walk_recall(struct walk *w, unsigned last_shift)
{
    struct a64_walk_cache *c = cached(w, last_shift);
    const struct a64_tlb *tlb = w->cpu->tlb;

    if (c->block != w->va >> last_shift || c->root != w->half.table ||
        c->generation != (c->level == 3 ? tlb->walk_generation : tlb->block_generation)) {
        return NULL;
    }
    w->ro_table = c->ro;
    w->no_user_table = c->no_user;
    w->uxn_table = c->uxn;
    w->pxn_table = c->pxn;
    return c;
}

static void walk_remember(const struct walk *w, unsigned last_shift, uint64_t desc)
{
    const struct a64_tlb *tlb = w->cpu->tlb;

    *cached(w, last_shift) = (struct a64_walk_cache){
        .generation = w->level == 3 ? tlb->walk_generation : tlb->block_generation,
        .root = w->half.table, .block = w->va >> last_shift, .desc = desc, .level = w->level,
        .ro = w->ro_table, .no_user = w->no_user_table, .uxn = w->uxn_table, .pxn = w->pxn_table,
    };
}

/* The descriptor in the last level's table that `c` tells. */
static bool desc_of_table(struct walk *w, struct a64_walk_cache *c, uint64_t index,
                          struct a64_fault *f)
{
    const struct a64_tlb *tlb = w->cpu->tlb;
    uint64_t gpa = c->desc + index * 8;

    if (c->host && c->host_generation == tlb->host_generation) {
        w->desc = atomic_load_explicit((const _Atomic uint64_t *)c->host + index,
                                       memory_order_acquire);
        w->desc_gpa = gpa;
        return true;
    }
    if (!desc_get(w, gpa, f)) {
        return false;
    }
    /* While the vCPU waited for the page, `c` may have become another's. */
    if (w->half.granule_log2 == 12 && c->desc == (gpa & ~UINT64_C(0xfff)) && c->level == 3) {
        c->host = w->desc_page;
        c->host_generation = tlb->host_generation;
    }
    return true;
}

/* A block is remembered if it can be used again without a change to its descriptor. */
static void block_remember(const struct walk *w, unsigned last_shift)
{
    if (w->level < 3 && (w->desc >> 10 & 1) && !(w->desc >> 51 & 1)) {
        walk_remember(w, last_shift, w->desc);
    }
}

static bool walk_once(struct walk *w, bool *again, struct a64_xlat *x, struct a64_fault *f)
{
    const struct half *h = &w->half;
    unsigned g = h->granule_log2, stride = g - 3;
    unsigned bits = h->input_bits;
    uint64_t table = h->table;

    *again = false;
    w->ro_table = w->no_user_table = w->uxn_table = w->pxn_table = false;
    w->level = 3 - (bits - g - 1) / stride;
    /* The first table is as large as the bits that it resolves; TTBR is aligned to that. */
    unsigned shift = g + stride * (3 - w->level);
    unsigned first_log2 = bits - shift + 3;
    table &= ~((UINT64_C(1) << (first_log2 < 6 ? 6 : first_log2)) - 1);
    if (table >> w->pa_bits) {
        return fault(f, A64_FSC_ADDRESS_SIZE + 0);
    }
    uint64_t index = (w->va & ((UINT64_C(1) << bits) - 1)) >> shift;
    struct a64_walk_cache *c = w->level < 3 ? walk_recall(w, g + stride) : NULL;
    if (c && c->level < 3) {
        struct walk known = *w;
        known.level = c->level;
        known.desc = c->desc;
        if (leaf(&known, again, x, f)) {
            return true;
        }
        /* What is not allowed any more, or not yet: as the tables are now. */
        w->ro_table = w->no_user_table = w->uxn_table = w->pxn_table = false;
        c = NULL;
    }
    if (c) {
        w->level = 3;
        shift = g;
        index = w->va >> g & ((UINT64_C(1) << stride) - 1);
    }
    for (;;) {
        if (!(c ? desc_of_table(w, c, index, f) : desc_get(w, table + index * 8, f))) {
            return false;
        }
        uint64_t d = w->desc;
        bool is_table = (d & 3) == 3 && w->level < 3, is_page = (d & 3) == 3 && w->level == 3;
        bool is_block = (d & 3) == 1 && (w->level == 2 || (w->level == 1 && g == 12));
        if (is_page || is_block) {
            if (!leaf(w, again, x, f)) {
                return false;
            }
            block_remember(w, g + stride);
            return true;
        }
        if (!is_table) {
            return fault(f, A64_FSC_TRANSLATION + w->level);
        }
        table = d & UINT64_C(0x0000ffffffffffff) & ~((UINT64_C(1) << g) - 1);
        if (table >> w->pa_bits) {
            return fault(f, A64_FSC_ADDRESS_SIZE + w->level);
        }
        if (!h->hierarchy_off) {
            w->ro_table |= d >> 62 & 1;
            w->no_user_table |= d >> 61 & 1;
            w->uxn_table |= d >> 60 & 1;
            w->pxn_table |= d >> 59 & 1;
        }
        w->level++;
        shift -= stride;
        if (w->level == 3) {
            walk_remember(w, g + stride, table);
            c = cached(w, g + stride);
        }
        index = w->va >> shift & ((UINT64_C(1) << stride) - 1);
    }
}

/* MMU off (D8.2.9): flat, and Device-nGnRnE for data. */
static bool translate_off(struct walk *w, struct a64_xlat *x, struct a64_fault *f)
{
    if (w->va >> w->cpu->model->pa_bits) {
        return fault(f, A64_FSC_ADDRESS_SIZE + 0);
    }
    *x = (struct a64_xlat){ .gpa = w->va, .size_log2 = 12, .global = true, .user = false,
                            .sh = 2, .device = w->access != A64_EXEC };
    x->writable = w->access != A64_EXEC;
    return true;
}

static bool translate(struct walk *w, struct a64_xlat *x, struct a64_fault *f)
{
    struct a64_cpu *cpu = w->cpu;
    bool again;

    w->va = a64_untag(cpu, w->va, w->access == A64_EXEC);
    if (!(cpu->sctlr_el1 & SCTLR_M)) {
        return translate_off(w, x, f);
    }
    bool high = w->va >> 55 & 1;
    half_get(w, high);
    w->pa_bits = pa_bits(cpu);
    int64_t top = (int64_t)w->va >> w->half.input_bits;
    if (top != (high ? -1 : 0) || w->half.disabled) {
        return fault(f, A64_FSC_TRANSLATION + 0);
    }
    do {
        if (!walk_once(w, &again, x, f)) {
            return false;
        }
    } while (again);
    return true;
}

bool a64_translate(struct a64_cpu *cpu, uint64_t va, enum a64_access access, bool el0,
                   struct a64_xlat *x, struct a64_fault *f)
{
    struct walk w = { .cpu = cpu, .va = va, .access = access, .el0 = el0 };

    return translate(&w, x, f);
}

bool a64_translate_debug(struct a64_cpu *cpu, uint64_t va, enum a64_access access, bool el0,
                         struct a64_xlat *x, struct a64_fault *f)
{
    struct walk w = { .cpu = cpu, .va = va, .access = access, .el0 = el0, .debug = true };

    return translate(&w, x, f);
}

void a64_regime_update(struct a64_cpu *cpu)
{
    uint64_t t0 = cpu->ttbr0_el1, t1 = cpu->ttbr1_el1;
    uint16_t asid = (cpu->tcr_el1 & TCR_A1 ? t1 : t0) >> 48;

    if (!(cpu->tcr_el1 & TCR_AS)) {
        asid &= 0xff;
    }
    a64_tlb_set_regime(cpu->tlb, cpu->sctlr_el1 & SCTLR_M, asid,
                       t0 & UINT64_C(0x0000fffffffffffe), t1 & UINT64_C(0x0000fffffffffffe));
}
