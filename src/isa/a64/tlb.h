/* SPDX-License-Identifier: Apache-2.0 */
/* struct a64_tlb: the software TLB of one vCPU, shared by the interpreter and the JIT.
 *
 * Shape.  A *set* is three direct-mapped tables (read, write, exec) of {tag, addend}: an access at
 * va is at host address va + addend if (va ^ tag) + bytes <= 4096.  Everything else (no
 * translation, MMIO, watched) has a tag that differs from all addresses of its place: one
 * comparison decides for the fast path.  Tags and addends are arrays of their own, with a place
 * for each page of 4 GiB, so that translated code finds both by the low 32 bits of va, shifted and
 * nothing else.
 *
 * Contexts.  There is a set per recent translation context, and a change of context only changes
 * the pointer `cur`: nothing is flushed at an exception, an ERET or a context switch.
 *   - EL0 sets are keyed by (ASID, TTBR0, TTBR1).
 *   - EL1 sets are keyed by TTBR1 alone as long as the kernel's mappings are global, so the
 *     kernel stays warm when the process changes; once a non-global entry of the upper half is
 *     seen (kernel page-table isolation) they are keyed by ASID as well.
 *   - What EL1 sees through TTBR0, or could see only because PAN was 0, is remembered in the
 *     short list `volatile_slot` and dropped when ASID, TTBR0 or PAN change.
 *   - LDTR/STTR at EL1 use the EL0 set of the same context: `unpriv`.
 *   - With the MMU off there is one set per EL.
 * Any other change of the regime (TCR, MAIR, SCTLR.WXN …) is a64_tlb_drop_all().
 *
 * Size.  The tables are large (4 GiB of reach) and touched lazily: a set is zeroed memory that
 * the host gives page by page, and an entry of zeroes is an empty one.  (Its tag is that of VA 0,
 * which has its place in entry 0 of a table only: that starts as a64_tlb_none().)  A bitmap of two
 * levels tells the used slots, so that dropping a set costs what is in it.
 *
 * Dropping by guest-physical page follows a hash chain through all slots of all sets; chains are
 * kept from the first such drop on (a machine whose rights nobody takes away never needs them).
 * Dropping by VA knows about blocks: entries made from a translation larger than 4 KiB all go.
 *
 * Threads.  All functions are for the vCPU's own thread, or for another thread while the vCPU is
 * quiescent (parked at a safepoint or outside of guest code, and kept there). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    A64_TLB_BITS = 20,                  /* read and write tables: 32 bits of VA less the offset */
    A64_TLB_N = 1 << A64_TLB_BITS,
    A64_TLB_EXEC_N = 4096,
    A64_TLB_SLOTS = 2 * A64_TLB_N + A64_TLB_EXEC_N,
    A64_TLB_SETS_MAX = 16,              /* each costs its memory anew; ≤ 64: `filled` */
    A64_TLB_RECENT_N = 16,
    A64_TLB_USED_WORDS = (A64_TLB_SLOTS + 63) / 64,
    A64_TLB_KEEP_MAX = 1 << 15,         /* a set dropped with more slots, or with slots in more … */
    A64_TLB_KEEP_WORDS_MAX = 1024,      /* … places (64 slots), returns its memory */
    A64_TLB_GPA_BUCKETS = 1 << 16,
    A64_TLB_VOLATILE_MAX = 128,
    A64_TLB_JUMP_BITS = 17,             /* jump cache: an entry for each instruction of 512 KiB */
    A64_TLB_JUMPS = 1 << A64_TLB_JUMP_BITS,
    A64_TLB_JUMP_GROUP = 64,
    A64_TLB_JUMP_SECOND = 0x80,         /* index ^ this: second place; the same page, BTYPE */
    A64_TLB_JUMP_FILTER_BITS = 14,
    A64_TLB_LINKS = 1 << 17,            /* numbers of links */
    A64_TLB_LINKS_USED = 4096,          /* in one set */
    A64_TLB_LINK_FILTER_BITS = 16,
    A64_TLB_JUMP_DROP_MAX = 1024,       /* pages that are looked at one by one: a block of 2 MiB */
};

#define A64_TLB_NONE (~UINT64_C(0))     /* key of a jump that was dropped */

struct a64_tlb_entry {
    uint64_t tag;
    uint64_t addend;                    /* MMIO: gpa - va, the walk need not be repeated */
};

/* Tags that are not for the fast path have a page of another place: bit 12 is flipped. */
enum { A64_TLB_OTHER = 1 << 12, A64_TLB_MMIO = A64_TLB_OTHER | 1 };

/* The tag of an entry that was dropped. */
static inline uint64_t a64_tlb_none(unsigned index)
{
    return (uint64_t)index << 12 ^ A64_TLB_OTHER;
}

/* The JIT's: where the translation of the code at a virtual address is. */
struct a64_jump {
    uint64_t key;                       /* va; A64_TLB_NONE or as fresh memory: empty */
    const void *code;
};

/* The JIT's: the page that accesses by one base register were last in.  An address is in it if
 * address - page < limit (unsigned).  Only what is in the set's read or write table is here: a
 * page that leaves them empties all. */
struct a64_near {
    uint64_t page, addend;
    uint64_t limit;                     /* 0: empty */
    uint64_t unused;
};

enum a64_tlb_table { A64_TLB_READ, A64_TLB_WRITE, A64_TLB_EXEC };

/* The part of a set that generated code addresses by a pinned register comes first. */
struct a64_tlb_set {
    uint64_t read_tag[A64_TLB_N], read_addend[A64_TLB_N];
    uint64_t write_tag[A64_TLB_N], write_addend[A64_TLB_N];
    uint64_t exec_tag[A64_TLB_EXEC_N], exec_addend[A64_TLB_EXEC_N];
    struct a64_jump jump[A64_TLB_JUMPS];
    /* The JIT's: from which page (VA of its last byte) the jump between two pages of code that has
     * the number may be taken, for the other one is mapped where it was linked to. */
    uint64_t link[A64_TLB_LINKS];
    struct a64_near near[2][2];         /* [is a store][X29, SP] */
    uint64_t near_used;                 /* one of them may be in use */
    /* ---- bookkeeping ---- */
    unsigned index;
    uint64_t jump_used[A64_TLB_JUMPS / A64_TLB_JUMP_GROUP / 64];   /* groups that may have some */
    uint64_t jump_mask[A64_TLB_JUMPS / A64_TLB_JUMP_GROUP];         /* those of a group */
    uint64_t jump_filter[(1 << A64_TLB_JUMP_FILTER_BITS) / 64]; /* pages that may have some */
    unsigned link_n;
    struct {
        uint64_t page;                  /* VA bits 55:12 of the page that is gone to */
        unsigned number;
    } link_used[A64_TLB_LINKS_USED];
    uint64_t link_filter[(1 << A64_TLB_LINK_FILTER_BITS) / 64];     /* Bloom filter of `page` */
    uint64_t large_filter[4];           /* Bloom filter of the large translations in the set */
    uint32_t large_sizes;               /* bit n: translations of 2^n bytes are in the set */
    unsigned used_n;                    /* slots */
    uint64_t used_words[(A64_TLB_USED_WORDS + 63) / 64];    /* bit of a word: may be nonzero */
    uint64_t used[A64_TLB_USED_WORDS];
    struct a64_tlb_slot {
        uint64_t what;                  /* gpa >> 12, size_log2 << 52, guarded << 60 */
        uint32_t next, prev;            /* slot ids in the chain of the gpa, 0 = end */
    } slot[A64_TLB_SLOTS];
};

/* The context of a set. */
struct a64_tlb_key {
    uint64_t ttbr0, ttbr1;              /* 0 where not part of the key */
    uint16_t asid;
    bool el1, mmu;
};

/* What a walk found above the last level (a64/mmu.c): a table of the last level, or the block that
 * took its place. */
struct a64_walk_cache {
    uint64_t generation;                /* valid when that of the TLB; 0 = never */
    uint64_t root, block;               /* TTBR address; VA >> bits that the table resolves */
    uint64_t desc;                      /* the table's address; of a block the descriptor */
    const void *host;                   /* the table, readable while … */
    uint64_t host_generation;           /* … this is that of the TLB */
    uint8_t level;                      /* of `desc`; 3: a table */
    bool ro, no_user, uxn, pxn;         /* hierarchical permissions on the way */
};
#define A64_WALK_CACHE_N 256

struct a64_tlb {
    struct a64_tlb_set *cur;            /* for accesses as the current EL; never NULL */
    struct a64_tlb_set *unpriv;         /* for LDTR/STTR; `empty` until first needed */
    struct a64_tlb_set *priv;           /* at EL0: EL1's of the same context, NULL = look */
    struct a64_tlb_set *empty;          /* never has an entry */
    struct a64_tlb_set *set[A64_TLB_SETS_MAX];
    struct a64_tlb_key key[A64_TLB_SETS_MAX];
    uint64_t age[A64_TLB_SETS_MAX];
    unsigned set_n;
    uint8_t recent[A64_TLB_RECENT_N];   /* by hash of the key: a set to try first */
    uint64_t filled, has_global;        /* bit of a set: may have entries; global ones */
    bool el1, pan, mmu, kernel_ng;
    bool linked;                        /* slots are in the chains of `bucket` */
    uint16_t asid;
    uint64_t ttbr0, ttbr1;
    uint64_t clock;
    unsigned volatile_n;                /* > MAX: overflowed */
    uint32_t volatile_slot[A64_TLB_VOLATILE_MAX];
    uint32_t bucket[A64_TLB_GPA_BUCKETS];
    struct a64_walk_cache walk[A64_WALK_CACHE_N];
    /* Count what empties `walk`: drops of tables, drops of tables or blocks (each drop but by gpa),
     * and rights to read that went away. */
    uint64_t walk_generation, block_generation, host_generation;
    uint64_t fills, drops, set_misses;  /* statistics */
};

/* NULL if there is no memory. */
struct a64_tlb *a64_tlb_new(void);
void a64_tlb_free(struct a64_tlb *tlb);

/* Context changes; cheap when nothing changes.  `ttbr*` are table addresses without ASID. */
void a64_tlb_set_regime(struct a64_tlb *tlb, bool mmu, uint16_t asid, uint64_t ttbr0,
                        uint64_t ttbr1);
void a64_tlb_set_el(struct a64_tlb *tlb, unsigned el, bool pan);

/* The set for unprivileged accesses at EL1; makes `tlb->unpriv` valid. */
struct a64_tlb_set *a64_tlb_unpriv(struct a64_tlb *tlb);

/* What a walk found, for a64_tlb_install(). */
struct a64_tlb_fill {
    uint64_t va;                        /* as accessed: with its tag byte if TBI applies */
    uint64_t gpa;                       /* of the byte at va */
    uint8_t size_log2;                  /* of the translation: 12 … 39 */
    bool global;                        /* nG = 0 */
    bool user;                          /* EL0 may use it (matters for EL1 under PAN) */
    bool unpriv;                        /* for the `unpriv` set instead of `cur` */
    bool guarded;                       /* exec: GP = 1 (FEAT_BTI) */
    bool both;                          /* READ, WRITE: the other may be had too */
    enum a64_tlb_table table;
};

/* `host_page`: of the 4 KiB page, NULL for MMIO (then not `both`). */
void a64_tlb_install(struct a64_tlb *tlb, const struct a64_tlb_fill *f, void *host_page);

/* Maintenance.  VAs are sign-extended from bit 55 (tag bytes are ignored).  By VA with `asid`:
 * entries of that ASID and global ones; any ASID if `all_asids`. */
void a64_tlb_drop_all(struct a64_tlb *tlb);
void a64_tlb_drop_asid(struct a64_tlb *tlb, uint16_t asid);
void a64_tlb_drop_va(struct a64_tlb *tlb, uint64_t va, uint64_t pages_4k, uint16_t asid,
                     bool all_asids);
/* The tables that translate may have changed, not only their last level.  The others but
 * a64_tlb_drop_va() include this. */
void a64_tlb_drop_tables(struct a64_tlb *tlb);
/* The right to the guest-physical page that holds `gpa` is going away: all of it, or only the
 * right to write (`keep_read`). */
void a64_tlb_drop_gpa(struct a64_tlb *tlb, uint64_t gpa, bool keep_read);
/* Forgets all code addresses (the code cache is about to be emptied). */
void a64_tlb_drop_jumps(struct a64_tlb *tlb);
/* The jumps of this number (1 … A64_TLB_LINKS - 1) from the page that ends at `from_last` to the
 * one of `to` need not be looked up while the translation of `to` is in the current set. */
void a64_tlb_link(struct a64_tlb *tlb, unsigned number, uint64_t from_last, uint64_t to);

static inline unsigned a64_tlb_index(uint64_t va, enum a64_tlb_table t)
{
    return va >> 12 & (t == A64_TLB_EXEC ? A64_TLB_EXEC_N - 1 : A64_TLB_N - 1);
}

static inline struct a64_tlb_entry a64_tlb_entry(const struct a64_tlb_set *s, uint64_t va,
                                                 enum a64_tlb_table t)
{
    unsigned i = a64_tlb_index(va, t);

    switch (t) {
    case A64_TLB_READ: return (struct a64_tlb_entry){ s->read_tag[i], s->read_addend[i] };
    case A64_TLB_WRITE: return (struct a64_tlb_entry){ s->write_tag[i], s->write_addend[i] };
    default: return (struct a64_tlb_entry){ s->exec_tag[i], s->exec_addend[i] };
    }
}

/* The fast path: host address of the `bytes` (1 … 4096) at va, NULL if it misses, is not RAM, or
 * crosses a page.  Alignment is the caller's. */
static inline void *a64_tlb_find(struct a64_tlb_set *s, uint64_t va, unsigned bytes,
                                 enum a64_tlb_table t)
{
    struct a64_tlb_entry e = a64_tlb_entry(s, va, t);

    return (va ^ e.tag) <= 4096 - bytes ? (void *)(uintptr_t)(va + e.addend) : NULL;
}

/* True, with the guest-physical address of va, if the set knows va as MMIO. */
static inline bool a64_tlb_find_mmio(struct a64_tlb_set *s, uint64_t va, enum a64_tlb_table t,
                                     uint64_t *gpa)
{
    struct a64_tlb_entry e = a64_tlb_entry(s, va, t);

    if (((va & ~UINT64_C(0xfff)) ^ A64_TLB_MMIO) != e.tag) {
        return false;
    }
    *gpa = va + e.addend;
    return true;
}

/* After a64_tlb_find() succeeded or a fill: the guest-physical address of va. */
static inline uint64_t a64_tlb_gpa(struct a64_tlb_set *s, uint64_t va, enum a64_tlb_table t)
{
    unsigned base = t == A64_TLB_READ ? 0 : t == A64_TLB_WRITE ? A64_TLB_N : 2 * A64_TLB_N;

    return s->slot[base + a64_tlb_index(va, t)].what << 12 | (va & 0xfff);
}

/* Likewise for exec: was the page guarded? */
static inline bool a64_tlb_guarded(struct a64_tlb_set *s, uint64_t va)
{
    return s->slot[2 * A64_TLB_N + a64_tlb_index(va, A64_TLB_EXEC)].what >> 60 & 1;
}

/* Entries of one page lie together, so that dropping a page looks at these only.  An entry also
 * depends on PSTATE.BTYPE: it says that a branch of that type may go to va.  (Two branch types of
 * one address differ in the index, so the key need not tell.) */
static inline unsigned a64_tlb_jump_index(uint64_t va, unsigned btype)
{
    return (va >> 2 & (A64_TLB_JUMPS - 1)) ^ btype << 8;
}

static inline unsigned a64_tlb_jump_hash(uint64_t va)
{
    return (va << 8 >> 20) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - A64_TLB_JUMP_FILTER_BITS);
}

static inline void a64_tlb_jump_put(struct a64_tlb_set *s, unsigned i, struct a64_jump j)
{
    unsigned group = i / A64_TLB_JUMP_GROUP, hash = a64_tlb_jump_hash(j.key);

    s->jump[i] = j;
    s->jump_used[group / 64] |= UINT64_C(1) << group % 64;
    s->jump_mask[group] |= UINT64_C(1) << i % A64_TLB_JUMP_GROUP;
    s->jump_filter[hash / 64] |= UINT64_C(1) << hash % 64;
}

/* What was there goes to the second place, where translated code does not look but
 * a64_tlb_jump_find() does. */
static inline void a64_tlb_jump_set(struct a64_tlb_set *s, uint64_t va, unsigned btype,
                                    const void *code)
{
    unsigned i = a64_tlb_jump_index(va, btype);
    struct a64_jump old = s->jump[i];

    if (old.code && old.key != A64_TLB_NONE && old.key != va) {
        a64_tlb_jump_put(s, i ^ A64_TLB_JUMP_SECOND, old);
    }
    a64_tlb_jump_put(s, i, (struct a64_jump){ va, code });
}

/* NULL: not known.  Otherwise it is in the first place now. */
static inline const void *a64_tlb_jump_find(struct a64_tlb_set *s, uint64_t va, unsigned btype)
{
    unsigned i = a64_tlb_jump_index(va, btype);
    const void *code = s->jump[i ^ A64_TLB_JUMP_SECOND].code;

    if (s->jump[i].key == va) {
        return s->jump[i].code;
    }
    if (s->jump[i ^ A64_TLB_JUMP_SECOND].key != va || !code) {
        return NULL;
    }
    a64_tlb_jump_set(s, va, btype, code);
    return code;
}

static inline void a64_tlb_jump_forget(struct a64_tlb_set *s, uint64_t va, unsigned btype)
{
    unsigned i = a64_tlb_jump_index(va, btype);

    for (unsigned k = 0; k < 2; k++, i ^= A64_TLB_JUMP_SECOND) {
        if (s->jump[i].key == va) {
            s->jump[i].key = A64_TLB_NONE;
        }
    }
}
