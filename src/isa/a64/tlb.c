/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/a64/tlb.h"

#include "base/base.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A slot id is set * A64_TLB_SLOTS + slot + 1, so that 0 ends a chain. */
static uint32_t slot_id(const struct a64_tlb_set *s, unsigned slot)
{
    return s->index * A64_TLB_SLOTS + slot + 1;
}

static struct a64_tlb_slot *slot_of(struct a64_tlb *tlb, uint32_t id)
{
    return &tlb->set[(id - 1) / A64_TLB_SLOTS]->slot[(id - 1) % A64_TLB_SLOTS];
}

/* Where the entry of a slot is. */
struct place {
    uint64_t *tag, *addend;
    unsigned index;             /* in its table */
};

static struct place place_of(struct a64_tlb_set *s, unsigned slot)
{
    unsigned i;

    if (slot < A64_TLB_N) {
        return (struct place){ &s->read_tag[slot], &s->read_addend[slot], slot };
    }
    i = slot - A64_TLB_N;
    if (i < A64_TLB_N) {
        return (struct place){ &s->write_tag[i], &s->write_addend[i], i };
    }
    i -= A64_TLB_N;
    return (struct place){ &s->exec_tag[i], &s->exec_addend[i], i };
}

/* The page (VA bits 55:12) that an entry is for; of an empty one, a page of another place. */
static uint64_t tag_page(uint64_t tag)
{
    return (tag & 1 ? tag ^ A64_TLB_MMIO : tag) << 8 >> 20;
}

static unsigned slot_at(uint64_t va, enum a64_tlb_table t)
{
    unsigned base = t == A64_TLB_READ ? 0 : t == A64_TLB_WRITE ? A64_TLB_N : 2 * A64_TLB_N;

    return base + a64_tlb_index(va, t);
}

static bool slot_used(const struct a64_tlb_set *s, unsigned slot)
{
    return s->used[slot / 64] >> slot % 64 & 1;
}

/* ---- chains by guest-physical page ---- */

static uint64_t slot_page(const struct a64_tlb_slot *p)
{
    return p->what & ((UINT64_C(1) << 52) - 1);
}

static unsigned slot_size_log2(const struct a64_tlb_slot *p)
{
    return p->what >> 52 & 0xff;
}

static unsigned gpa_bucket(uint64_t gpa_page)
{
    return (gpa_page ^ gpa_page >> 16) & (A64_TLB_GPA_BUCKETS - 1);
}

static void chain_add(struct a64_tlb *tlb, struct a64_tlb_set *s, unsigned slot)
{
    struct a64_tlb_slot *p = &s->slot[slot];
    uint32_t *head = &tlb->bucket[gpa_bucket(slot_page(p))];

    p->next = *head;
    p->prev = 0;
    if (*head) {
        slot_of(tlb, *head)->prev = slot_id(s, slot);
    }
    *head = slot_id(s, slot);
}

static void chain_remove(struct a64_tlb *tlb, const struct a64_tlb_slot *p)
{
    if (p->prev) {
        slot_of(tlb, p->prev)->next = p->next;
    } else {
        tlb->bucket[gpa_bucket(slot_page(p))] = p->next;
    }
    if (p->next) {
        slot_of(tlb, p->next)->prev = p->prev;
    }
}

/* ---- slots ---- */

static void near_empty(struct a64_tlb_set *s)
{
    if (s->near_used) {
        for (unsigned i = 0; i < 4; i++) {
            s->near[i / 2][i % 2].limit = 0;
        }
        s->near_used = 0;
    }
}

static void slot_drop(struct a64_tlb *tlb, struct a64_tlb_set *s, unsigned slot)
{
    struct place p;

    if (!slot_used(s, slot)) {
        return;
    }
    if (tlb->linked) {
        chain_remove(tlb, &s->slot[slot]);
    }
    s->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    s->used_n--;
    p = place_of(s, slot);
    *p.tag = a64_tlb_none(p.index);
    near_empty(s);
    tlb->drops++;
}

/* The slot becomes that of `f`; its entry is the caller's. */
static void slot_take(struct a64_tlb *tlb, struct a64_tlb_set *s, unsigned slot,
                      const struct a64_tlb_fill *f)
{
    struct a64_tlb_slot *p = &s->slot[slot];

    if (!slot_used(s, slot)) {
        s->used[slot / 64] |= UINT64_C(1) << slot % 64;
        s->used_words[slot / 4096] |= UINT64_C(1) << slot / 64 % 64;
        s->used_n++;
    } else {
        near_empty(s);
        if (tlb->linked) {
            chain_remove(tlb, p);
        }
    }
    p->what = f->gpa >> 12 | (uint64_t)f->size_log2 << 52 | (uint64_t)f->guarded << 60;
    if (tlb->linked) {
        chain_add(tlb, s, slot);
    }
}

/* The lowest used slot in [from, to), or `to`. */
static unsigned slot_next(struct a64_tlb_set *s, unsigned from, unsigned to)
{
    unsigned w = from / 64, slot;
    uint64_t bits = from < to ? s->used[w] >> from % 64 << from % 64 : 0;

    while (!bits) {
        uint64_t words;

        if (++w * 64 >= to) {
            return to;
        }
        words = s->used_words[w / 64] >> w % 64 << w % 64;
        if (!words) {
            w |= 63;
            continue;
        }
        w = w / 64 * 64 + __builtin_ctzll(words);
        bits = s->used[w];
        if (!bits) {
            s->used_words[w / 64] &= ~(UINT64_C(1) << w % 64);
        }
    }
    slot = w * 64 + __builtin_ctzll(bits);
    return MIN(slot, to);
}

/* ---- sets ---- */

static unsigned link_hash(uint64_t page, unsigned which)
{
    uint64_t h = page * UINT64_C(0x9e3779b97f4a7c15);

    return h >> (which ? 64 - 2 * A64_TLB_LINK_FILTER_BITS : 64 - A64_TLB_LINK_FILTER_BITS) &
           ((1 << A64_TLB_LINK_FILTER_BITS) - 1);
}

static bool link_may_go_to(const struct a64_tlb_set *s, uint64_t page)
{
    unsigned a = link_hash(page, 0), b = link_hash(page, 1);

    return (s->link_filter[a / 64] >> a % 64 & 1) && (s->link_filter[b / 64] >> b % 64 & 1);
}

static void set_drop_links(struct a64_tlb_set *s)
{
    if (!s->link_n) {
        return;
    }
    for (unsigned i = 0; i < s->link_n; i++) {
        s->link[s->link_used[i].number] = 0;
    }
    s->link_n = 0;
    memset(s->link_filter, 0, sizeof(s->link_filter));
}

/* All of them, if one goes to the page. */
static void links_drop_page(struct a64_tlb_set *s, uint64_t page)
{
    if (!link_may_go_to(s, page)) {
        return;
    }
    for (unsigned i = 0; i < s->link_n; i++) {
        if (s->link_used[i].page == page) {
            set_drop_links(s);
            return;
        }
    }
}

void a64_tlb_link(struct a64_tlb *tlb, unsigned number, uint64_t from_last, uint64_t to)
{
    struct a64_tlb_set *s = tlb->cur;
    uint64_t page = to << 8 >> 20;

    assert(number && number < A64_TLB_LINKS);
    if (s->link_n == A64_TLB_LINKS_USED) {
        set_drop_links(s);
    }
    for (unsigned which = 0; which < 2; which++) {
        unsigned h = link_hash(page, which);
        s->link_filter[h / 64] |= UINT64_C(1) << h % 64;
    }
    s->link_used[s->link_n].page = page;
    s->link_used[s->link_n++].number = number;
    s->link[number] = from_last;
}

static void set_drop_jumps(struct a64_tlb_set *s)
{
    bool any = false;

    set_drop_links(s);

    for (unsigned w = 0; w < ARRAY_LEN(s->jump_used); w++) {
        for (uint64_t bits = s->jump_used[w]; bits; bits &= bits - 1) {
            unsigned group = w * 64 + __builtin_ctzll(bits);
            any = true;
            for (uint64_t m = s->jump_mask[group]; m; m &= m - 1) {
                s->jump[group * A64_TLB_JUMP_GROUP + __builtin_ctzll(m)].key = A64_TLB_NONE;
            }
            s->jump_mask[group] = 0;
        }
        s->jump_used[w] = 0;
    }
    if (any) {
        memset(s->jump_filter, 0, sizeof(s->jump_filter));
    }
}

/* What fresh memory is not yet: see "Size" in tlb.h. */
static void set_mark_empty(struct a64_tlb_set *s)
{
    s->read_tag[0] = s->write_tag[0] = s->exec_tag[0] = a64_tlb_none(0);
    for (unsigned btype = 0; btype < 4; btype++) {
        s->jump[a64_tlb_jump_index(0, btype)].key = A64_TLB_NONE;
    }
}

/* Does it have much memory?  64 slots in use that are far from all others are 12 KiB. */
static bool set_is_large(const struct a64_tlb_set *s)
{
    unsigned n = 0;

    for (unsigned w = 0; w < ARRAY_LEN(s->used_words); w++) {
        n += __builtin_popcountll(s->used_words[w]);
    }
    return s->used_n > A64_TLB_KEEP_MAX || n > A64_TLB_KEEP_WORDS_MAX;
}

static void set_return_memory(struct a64_tlb_set *s)
{
    uintptr_t slots = ((uintptr_t)s->slot + 4095) & ~UINT64_C(4095);
    uintptr_t end = (uintptr_t)(s->slot + A64_TLB_SLOTS) & ~UINT64_C(4095);

    madvise(s, offsetof(struct a64_tlb_set, exec_tag), MADV_DONTNEED);
    madvise((void *)slots, end - slots, MADV_DONTNEED);
    set_mark_empty(s);
}

static void set_drop(struct a64_tlb *tlb, struct a64_tlb_set *s)
{
    bool much;

    if (!(tlb->filled >> s->index & 1)) {
        return;
    }
    much = set_is_large(s);
    for (unsigned i = slot_next(s, 0, A64_TLB_SLOTS); i < A64_TLB_SLOTS;
         i = slot_next(s, i + 1, A64_TLB_SLOTS)) {
        slot_drop(tlb, s, i);
    }
    set_drop_jumps(s);
    memset(s->large_filter, 0, sizeof(s->large_filter));
    s->large_sizes = 0;
    tlb->filled &= ~(UINT64_C(1) << s->index);
    tlb->has_global &= ~(UINT64_C(1) << s->index);
    if (much) {
        set_return_memory(s);
    }
}

static struct a64_tlb_set *set_new(void)
{
    struct a64_tlb_set *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (s == MAP_FAILED) {
        return NULL;
    }
    set_mark_empty(s);
    return s;
}

static void set_free(struct a64_tlb_set *s)
{
    if (s) {
        munmap(s, sizeof(*s));
    }
}

struct a64_tlb *a64_tlb_new(void)
{
    struct a64_tlb *tlb = calloc(1, sizeof(*tlb));

    if (!tlb) {
        return NULL;
    }
    tlb->empty = set_new();
    tlb->set[0] = set_new();
    if (!tlb->empty || !tlb->set[0]) {
        a64_tlb_free(tlb);
        return NULL;
    }
    tlb->empty->index = ~0u;
    tlb->set_n = 1;
    tlb->walk_generation = tlb->block_generation = 1;
    tlb->key[0].el1 = true;
    tlb->el1 = true;
    tlb->cur = tlb->set[0];
    tlb->unpriv = tlb->empty;
    return tlb;
}

void a64_tlb_free(struct a64_tlb *tlb)
{
    if (!tlb) {
        return;
    }
    for (unsigned i = 0; i < A64_TLB_SETS_MAX; i++) {
        set_free(tlb->set[i]);
    }
    set_free(tlb->empty);
    free(tlb);
}

static bool key_equal(const struct a64_tlb_key *a, const struct a64_tlb_key *b)
{
    return a->ttbr0 == b->ttbr0 && a->ttbr1 == b->ttbr1 && a->asid == b->asid &&
           a->el1 == b->el1 && a->mmu == b->mmu;
}

/* The least recently used set, rather one that is empty.  (The EL1 set of a running EL0, and the
 * reverse, is likely to be wanted next.) */
static struct a64_tlb_set *set_victim(const struct a64_tlb *tlb)
{
    unsigned best = tlb->cur->index;
    uint64_t best_age = ~UINT64_C(0);

    for (unsigned i = 0; i < tlb->set_n; i++) {
        uint64_t age = (tlb->filled >> i & 1) << 63 | tlb->age[i];

        if (i != tlb->cur->index && age < best_age) {
            best = i;
            best_age = age;
        }
    }
    return tlb->set[best];
}

static struct a64_tlb_set *set_take(struct a64_tlb *tlb, const struct a64_tlb_key *key)
{
    struct a64_tlb_set *s = set_victim(tlb), *fresh = NULL;

    tlb->set_misses++;
    /* That of an ended process costs less memory than a new one. */
    if (tlb->set_n < A64_TLB_SETS_MAX && (s == tlb->cur || (tlb->filled >> s->index & 1))) {
        fresh = set_new();
    }
    if (fresh) {
        s = fresh;
        s->index = tlb->set_n;
        tlb->set[tlb->set_n++] = s;
    } else {
        set_drop(tlb, s);
        tlb->priv = s == tlb->priv ? NULL : tlb->priv;
    }
    tlb->key[s->index] = *key;
    return s;
}

/* The set of the present context for EL1 or EL0: found, or the least recently used one taken. */
static struct a64_tlb_set *set_select(struct a64_tlb *tlb, bool el1)
{
    struct a64_tlb_key key = {
        .el1 = el1, .mmu = tlb->mmu,
        .asid = !tlb->mmu || (el1 && !tlb->kernel_ng) ? 0 : tlb->asid,
        .ttbr0 = !tlb->mmu || el1 ? 0 : tlb->ttbr0, .ttbr1 = !tlb->mmu ? 0 : tlb->ttbr1,
    };
    uint64_t h = key.ttbr0 >> 12 ^ key.ttbr1 >> 11 ^ key.asid << 1 ^ el1;
    uint8_t *recent = &tlb->recent[h & (A64_TLB_RECENT_N - 1)];
    unsigned i = *recent;

    if (i >= tlb->set_n || !key_equal(&tlb->key[i], &key)) {
        for (i = 0; i < tlb->set_n && !key_equal(&tlb->key[i], &key);) {
            i++;
        }
        i = i < tlb->set_n ? i : set_take(tlb, &key)->index;
        *recent = i;
    }
    tlb->age[i] = ++tlb->clock;
    return tlb->set[i];
}

static void volatile_drop(struct a64_tlb *tlb)
{
    if (!tlb->volatile_n) {
        return;
    }
    if (tlb->volatile_n > A64_TLB_VOLATILE_MAX) {
        for (unsigned i = 0; i < tlb->set_n; i++) {
            if (tlb->key[i].el1) {
                set_drop(tlb, tlb->set[i]);
            }
        }
    } else {
        for (unsigned i = 0; i < tlb->volatile_n; i++) {
            uint32_t id = tlb->volatile_slot[i];
            struct a64_tlb_set *s = tlb->set[(id - 1) / A64_TLB_SLOTS];
            unsigned slot = (id - 1) % A64_TLB_SLOTS;
            if (slot >= 2 * A64_TLB_N) {
                set_drop_jumps(s);
            }
            slot_drop(tlb, s, slot);
        }
    }
    tlb->volatile_n = 0;
}

static void reselect(struct a64_tlb *tlb)
{
    tlb->cur = set_select(tlb, tlb->el1);
    tlb->unpriv = tlb->el1 ? tlb->empty : tlb->cur;
    tlb->priv = tlb->el1 ? tlb->cur : NULL;
}

void a64_tlb_set_regime(struct a64_tlb *tlb, bool mmu, uint16_t asid, uint64_t ttbr0,
                        uint64_t ttbr1)
{
    if (tlb->mmu == mmu && tlb->asid == asid && tlb->ttbr0 == ttbr0 && tlb->ttbr1 == ttbr1) {
        return;
    }
    if (tlb->asid != asid || tlb->ttbr0 != ttbr0) {
        volatile_drop(tlb);
    }
    tlb->mmu = mmu;
    tlb->asid = asid;
    tlb->ttbr0 = ttbr0;
    tlb->ttbr1 = ttbr1;
    reselect(tlb);
}

void a64_tlb_set_el(struct a64_tlb *tlb, unsigned el, bool pan)
{
    if (pan && !tlb->pan) {
        volatile_drop(tlb);
    }
    tlb->pan = pan;
    if (tlb->el1 != (el != 0)) {
        tlb->el1 = el != 0;
        if (!tlb->el1 && tlb->unpriv != tlb->empty) {
            tlb->cur = tlb->unpriv;
            tlb->age[tlb->cur->index] = ++tlb->clock;
        } else if (!tlb->el1) {
            tlb->priv = tlb->cur;
            tlb->cur = tlb->unpriv = set_select(tlb, false);
        } else {
            /* What was current at EL0 is what LDTR/STTR see at EL1. */
            tlb->unpriv = tlb->cur;
            tlb->cur = tlb->priv = tlb->priv ? tlb->priv : set_select(tlb, true);
            tlb->age[tlb->cur->index] = ++tlb->clock;
        }
    }
}

struct a64_tlb_set *a64_tlb_unpriv(struct a64_tlb *tlb)
{
    if (tlb->unpriv == tlb->empty) {
        tlb->unpriv = set_select(tlb, false);
    }
    return tlb->unpriv;
}

static unsigned large_hash(uint64_t va, unsigned size_log2)
{
    uint64_t block = (va << 8 >> 8) >> size_log2;

    return (block * UINT64_C(0x9e3779b97f4a7c15) + size_log2 * 0x51u) >> 56;
}

/* In one table of `s`. */
static void install(struct a64_tlb *tlb, struct a64_tlb_set *s, const struct a64_tlb_fill *f,
                    enum a64_tlb_table t, bool is_volatile, struct a64_tlb_entry e)
{
    unsigned slot = slot_at(f->va, t);
    struct place p = place_of(s, slot);

    slot_take(tlb, s, slot, f);
    if (is_volatile) {
        if (tlb->volatile_n < A64_TLB_VOLATILE_MAX) {
            tlb->volatile_slot[tlb->volatile_n] = slot_id(s, slot);
        }
        tlb->volatile_n = MIN(tlb->volatile_n + 1, A64_TLB_VOLATILE_MAX + 1);
    }
    *p.tag = e.tag;
    *p.addend = e.addend;
    tlb->fills++;
}

/* What is read does not push another page out of the table for writing: a copy between two areas
 * that share their slots would miss at each step. */
static bool install_other(struct a64_tlb_set *s, const struct a64_tlb_fill *f)
{
    return f->both && (f->table == A64_TLB_WRITE || !slot_used(s, slot_at(f->va, A64_TLB_WRITE)) ||
                       a64_tlb_entry(s, f->va, A64_TLB_WRITE).tag >> 12 == f->va >> 12);
}

void a64_tlb_install(struct a64_tlb *tlb, const struct a64_tlb_fill *f, void *host_page)
{
    struct a64_tlb_set *s = f->unpriv ? a64_tlb_unpriv(tlb) : tlb->cur;
    bool high = f->va >> 55 & 1, el1 = tlb->key[s->index].el1 && tlb->key[s->index].mmu;
    bool is_volatile = el1 && (!high || f->user);
    uint64_t page = f->va & ~UINT64_C(0xfff);
    struct a64_tlb_entry e = { page, (uintptr_t)host_page - page };

    if (high && !f->global && el1 && !tlb->kernel_ng) {
        /* From now on the sets of EL1 are keyed by ASID; those made before are not valid. */
        tlb->kernel_ng = true;
        a64_tlb_drop_all(tlb);
        reselect(tlb);
        s = f->unpriv ? a64_tlb_unpriv(tlb) : tlb->cur;
    }
    if (f->size_log2 > 12) {
        unsigned hash = large_hash(f->va, f->size_log2);
        s->large_filter[hash / 64] |= UINT64_C(1) << hash % 64;
        s->large_sizes |= 1u << MIN(f->size_log2, 31);
    }
    tlb->filled |= UINT64_C(1) << s->index;
    tlb->has_global |= (uint64_t)f->global << s->index;
    if (!host_page) {
        e = (struct a64_tlb_entry){ page ^ A64_TLB_MMIO, (f->gpa & ~UINT64_C(0xfff)) - page };
    }
    install(tlb, s, f, f->table, is_volatile, e);
    if (install_other(s, f)) {
        install(tlb, s, f, f->table ^ A64_TLB_READ ^ A64_TLB_WRITE, is_volatile, e);
    }
}

void a64_tlb_drop_tables(struct a64_tlb *tlb)
{
    tlb->walk_generation++;
    tlb->block_generation++;
}

void a64_tlb_drop_all(struct a64_tlb *tlb)
{
    a64_tlb_drop_tables(tlb);
    for (unsigned i = 0; i < tlb->set_n; i++) {
        set_drop(tlb, tlb->set[i]);
    }
    tlb->volatile_n = 0;
}

void a64_tlb_drop_asid(struct a64_tlb *tlb, uint16_t asid)
{
    a64_tlb_drop_tables(tlb);
    for (unsigned i = 0; i < tlb->set_n; i++) {
        const struct a64_tlb_key *k = &tlb->key[i];

        if (k->mmu && k->asid == asid && (!k->el1 || tlb->kernel_ng)) {
            set_drop(tlb, tlb->set[i]);
        }
    }
    /* Entries of EL1 through TTBR0 may be of this ASID. */
    volatile_drop(tlb);
}

/* A range of page numbers (VA bits 55:12), inclusive. */
struct pages {
    uint64_t first, last;
};

/* Can a translation of 2^size bytes in the set cover VA page `page`? */
static bool large_covers(const struct a64_tlb_set *s, uint64_t page, unsigned size)
{
    unsigned h = large_hash(page << 12, size);

    return s->large_filter[h / 64] >> h % 64 & 1;
}

/* `p`, widened to the ends of the large translations that it touches. */
static struct pages large_widen(const struct a64_tlb_set *s, struct pages p)
{
    struct pages r = p;

    for (uint32_t sizes = s->large_sizes; sizes; sizes &= sizes - 1) {
        unsigned size = __builtin_ctz(sizes);
        uint64_t in_block = (UINT64_C(1) << (size - 12)) - 1;

        if (size == 31) {               /* 2 GiB and more: rare, do not be clever */
            return (struct pages){ 0, ~UINT64_C(0) >> 20 };
        }
        if (large_covers(s, p.first, size)) {
            r.first = MIN(r.first, p.first & ~in_block);
        }
        /* Many blocks: the ones in the middle are inside already. */
        if (large_covers(s, p.last, size)) {
            r.last = MAX(r.last, p.last | in_block);
        }
    }
    return r;
}

/* Drops from slots [from, to) what overlaps `p`. */
static void slots_drop_pages(struct a64_tlb *tlb, struct a64_tlb_set *s, unsigned from, unsigned to,
                             struct pages p)
{
    for (unsigned i = slot_next(s, from, to); i < to; i = slot_next(s, i + 1, to)) {
        unsigned shift = slot_size_log2(&s->slot[i]) - 12;
        uint64_t page = tag_page(*place_of(s, i).tag);

        if (page >> shift >= p.first >> shift && page >> shift <= p.last >> shift) {
            slot_drop(tlb, s, i);
        }
    }
}

/* A page's groups are 16 bits of one word. */
static void jumps_drop_page(struct a64_tlb_set *s, uint64_t page)
{
    unsigned first = a64_tlb_jump_index(page << 12, 0) / A64_TLB_JUMP_GROUP;
    uint64_t bits = s->jump_used[first / 64] >> first % 64 & 0xffff;

    _Static_assert(4096 / 4 / A64_TLB_JUMP_GROUP == 16, "groups of a page");
    for (; bits; bits &= bits - 1) {
        unsigned group = first + __builtin_ctzll(bits);
        struct a64_jump *j = &s->jump[group * A64_TLB_JUMP_GROUP];
        for (uint64_t m = s->jump_mask[group]; m; m &= m - 1) {
            unsigned i = __builtin_ctzll(m);
            if (j[i].key << 8 >> 20 == page) {
                j[i].key = A64_TLB_NONE;
                s->jump_mask[group] &= ~(UINT64_C(1) << i);
            }
        }
    }
}

static void jumps_drop_pages(struct a64_tlb_set *s, struct pages p)
{
    if (p.last - p.first >= A64_TLB_JUMP_DROP_MAX) {
        set_drop_jumps(s);
        return;
    }
    for (uint64_t page = p.first; page <= p.last; page++) {
        unsigned hash = a64_tlb_jump_hash(page << 12);

        links_drop_page(s, page);
        if (s->jump_filter[hash / 64] >> hash % 64 & 1) {
            jumps_drop_page(s, page);
        }
    }
}

/* One page, that no block covers: what nearly every TLBI by VA is about. */
static void set_drop_page(struct a64_tlb *tlb, struct a64_tlb_set *s, uint64_t page)
{
    for (enum a64_tlb_table t = A64_TLB_READ; t <= A64_TLB_EXEC; t++) {
        if (tag_page(a64_tlb_entry(s, page << 12, t).tag) == page) {
            slot_drop(tlb, s, slot_at(page << 12, t));
        }
    }
}

static void set_drop_pages(struct a64_tlb *tlb, struct a64_tlb_set *s, struct pages p)
{
    struct pages wide = s->large_sizes ? large_widen(s, p) : p;
    uint64_t n = wide.last - wide.first + 1;

    jumps_drop_pages(s, wide);
    if (n == 1) {
        set_drop_page(tlb, s, p.first);
        return;
    }
    /* The slots of neighbours are neighbours; the range may go over the end of the table. */
    for (enum a64_tlb_table t = A64_TLB_READ; t <= A64_TLB_EXEC; t++) {
        unsigned size = t == A64_TLB_EXEC ? A64_TLB_EXEC_N : A64_TLB_N;
        unsigned base = slot_at(0, t), at = n >= size ? 0 : wide.first & (size - 1);
        unsigned end = at + MIN(n, size);

        slots_drop_pages(tlb, s, base + at, base + MIN(end, size), p);
        if (end > size) {
            slots_drop_pages(tlb, s, base, base + end - size, p);
        }
    }
}

void a64_tlb_drop_va(struct a64_tlb *tlb, uint64_t va, uint64_t pages_4k, uint16_t asid,
                     bool all_asids)
{
    struct pages p = { .first = va << 8 >> 20 };

    tlb->block_generation++;
    p.last = MIN(p.first + pages_4k - 1, ~UINT64_C(0) >> 20);
    for (uint64_t sets = tlb->filled; sets; sets &= sets - 1) {
        unsigned i = __builtin_ctzll(sets);
        const struct a64_tlb_key *k = &tlb->key[i];
        bool any_asid = k->el1 && !tlb->kernel_ng;

        if (k->mmu &&
            (any_asid || all_asids || k->asid == asid || (tlb->has_global >> i & 1))) {
            set_drop_pages(tlb, tlb->set[i], p);
        }
    }
}

static void link_all(struct a64_tlb *tlb)
{
    for (unsigned n = 0; n < tlb->set_n; n++) {
        struct a64_tlb_set *s = tlb->set[n];

        for (unsigned i = slot_next(s, 0, A64_TLB_SLOTS); i < A64_TLB_SLOTS;
             i = slot_next(s, i + 1, A64_TLB_SLOTS)) {
            chain_add(tlb, s, i);
        }
    }
    tlb->linked = true;
}

void a64_tlb_drop_gpa(struct a64_tlb *tlb, uint64_t gpa, bool keep_read)
{
    uint64_t page = gpa >> 12;
    uint32_t id;

    tlb->host_generation += !keep_read;
    if (!tlb->linked) {
        link_all(tlb);
    }
    id = tlb->bucket[gpa_bucket(page)];
    while (id) {
        struct a64_tlb_set *s = tlb->set[(id - 1) / A64_TLB_SLOTS];
        unsigned slot = (id - 1) % A64_TLB_SLOTS;
        uint32_t next = s->slot[slot].next;
        bool is_write = slot >= A64_TLB_N && slot < 2 * A64_TLB_N;

        if (slot_page(&s->slot[slot]) == page && (is_write || !keep_read)) {
            slot_drop(tlb, s, slot);
        }
        id = next;
    }
}

void a64_tlb_drop_jumps(struct a64_tlb *tlb)
{
    for (unsigned i = 0; i < tlb->set_n; i++) {
        set_drop_jumps(tlb->set[i]);
    }
}
