/* SPDX-License-Identifier: Apache-2.0 */
/* Direct jumps between translations: each goes to C the first time, and is patched then.
 *
 * Within a page the jump goes straight to the other block: the mapping of the page that we are in
 * was looked at when we came, and both are in it.  To another page it may do so only where that
 * page is mapped as it was when the jump was linked, and code is shared between processes.  So a
 * pair of pages (guest-physical, and how far from each other in VA) has a number, and each TLB set
 * says in link[number] from which VA the pair is as it should be.  The jump compares that with the
 * page it is in.  What drops the translation of a page from the set drops the links to it. */
#include "accel/jit/jit_int.h"

#include "isa/a64/cpu.h"
#include "isa/a64/mmu.h"
#include "isa/a64/tlb.h"

#include <string.h>

/* What is behind the call of GEN_T_LINK. */
struct site {
    int32_t target_off, back;
    uint32_t id;
};

static void patch(struct jit_cache *c, const uint8_t *at, int32_t d)
{
    __atomic_store_n((int32_t *)(void *)(c->rw + (at - c->rx)), d, __ATOMIC_RELEASE);
}

unsigned jit_pair_number(struct jit_cache *c, uint64_t from, uint64_t to, int32_t distance)
{
    uint64_t h = (from ^ to << 20 ^ (uint64_t)(uint32_t)distance << 7) *
                 UINT64_C(0x9e3779b97f4a7c15) >> 32;

    for (;; h++) {
        struct jit_pair *p = &c->pair[h % JIT_PAIRS];
        if (!p->number) {
            if (c->pair_n + 1 < A64_TLB_LINKS) {
                *p = (struct jit_pair){ from, to, distance, ++c->pair_n };
            }
            return p->number;
        }
        if (p->from == from && p->to == to && p->distance == distance) {
            return p->number;
        }
    }
}

/* The jump whose displacement is `at` goes from `from` to `to`, which is in another page. */
static bool link_far(struct jit_cpu *v, struct a64_cpu *cpu, const struct jit_block *from,
                     const struct jit_block *to, int32_t target_off, const uint8_t *at)
{
    struct jit_cache *c = v->cache;
    const uint8_t *number_at = at - GEN_LINK_BACK;
    int32_t now, mine;
    unsigned number;

    pthread_mutex_lock(&c->jit->lock);
    number = jit_pair_number(c, from->gpa >> 12, jit_pair_to(to->gpa, to->mode), target_off >> 12);
    mine = c->jit->guest.link + 8 * (int32_t)number;
    memcpy(&now, number_at, sizeof(now));
    if (number && now == c->jit->guest.link) {
        patch(c, at, jit_run_view(c, jit_way_in(to)) - (at + 4));
        patch(c, number_at, mine);
        now = mine;
    }
    pthread_mutex_unlock(&c->jit->lock);
    if (!number) {
        jit_flush(c->jit);      /* as when there is no more room */
        return false;
    }
    /* Otherwise it is linked to what another process has at that distance. */
    if (now != mine) {
        return false;
    }
    a64_tlb_link(cpu->tlb, number, (cpu->pc - target_off) | 0xfff, cpu->pc);
    return true;
}

/* The block that begins at cpu->pc, if `code` is how to get into it. */
static const struct jit_block *block_of(struct jit_cpu *v, const struct a64_cpu *cpu,
                                        unsigned mode, const uint8_t *code)
{
    struct a64_tlb_set *s = cpu->tlb->cur;
    const struct jit_block *b;

    if (!a64_tlb_find(s, cpu->pc, 4, A64_TLB_EXEC)) {
        return NULL;
    }
    mode &= ~(unsigned)A64_MODE_GUARDED;
    mode |= a64_tlb_guarded(s, cpu->pc) ? A64_MODE_GUARDED : 0;
    b = jit_cache_find(v->cache, a64_tlb_gpa(s, cpu->pc, A64_TLB_EXEC), mode);
    if (b && jit_run_view(v->cache, jit_way_in(b)) == code) {
        return b;
    }
    a64_tlb_jump_forget(s, cpu->pc, cpu->btype);        /* it knows one that was replaced */
    return NULL;
}

const uint8_t *jit_link(struct a64_cpu *cpu, const uint8_t *behind_call)
{
    struct jit_cpu *v = cpu->jit;
    struct jit_cache *c = v->cache;
    const struct jit_block *from, *to;
    const uint8_t *code, *at;
    uint64_t target;
    struct site site;

    memcpy(&site, behind_call, sizeof(site));
    from = &c->block[site.id];
    target = cpu->pc = a64_branch_address(cpu, a64_jit_page(cpu) + site.target_off);
    if (!a64_tlb_find(cpu->tlb->cur, target, 4, A64_TLB_EXEC)) {
        a64_tlb_jump_forget(cpu->tlb->cur, target, cpu->btype);     /* that it is fetched */
    }
    code = jit_next(cpu);
    /* Patch only if we go where the jump goes: neither an exception, nor another mapping of this
     * virtual page, nor another cache came in between. */
    if (v->cache != c || code == c->leave || cpu->pc != target) {
        return code;
    }
    to = block_of(v, cpu, from->mode, code);
    if (!to) {
        return code;
    }
    at = behind_call + 4 - site.back;
    if (site.target_off < 0 || site.target_off > 0xfff) {
        v->stats.chains_far += link_far(v, cpu, from, to, site.target_off, at);
    } else if (to->gpa >> 12 == from->gpa >> 12) {
        patch(c, at, jit_run_view(c, jit_way_in(to)) - (at + 4));
        v->stats.chains++;
    }
    return code;
}
