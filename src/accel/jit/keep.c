/* SPDX-License-Identifier: Apache-2.0 */
/* Between the code cache and what is kept of it (persist.h): a translation leaves its place by
 * having each displacement to a thunk named, and comes to another by having it computed anew. */
#include "accel/jit/jit_int.h"

#include "isa/a64/cpu.h"

#include <string.h>

/* GEN_T_LINK is called with three words behind the displacement; the last is the block's number. */
enum { LINK_ID = 4 + 8 };

void jit_keep_open(struct jit *jit)
{
    struct {
        struct gen_guest guest;
        uint32_t opt_none, has_regions;
    } what;
    struct jit_persist_key key = { .bytes = &what, .size = sizeof(what) };

    /* Bisection counts what is translated now. */
    if (!jit->opt.cache_dir || jit->opt.regions_max) {
        return;
    }
    memset(&what, 0, sizeof(what));
    what.guest = jit->guest;
    what.opt_none = jit->opt.opt_none;
    what.has_regions = jit->opt.hot_runs != JIT_NEVER_HOT;
    jit->persist = jit_persist_open(jit->opt.cache_dir, &key);
}

static int thunk_at(const struct jit_cache *c, const uint8_t *target)
{
    for (int t = 0; t < GEN_T_COUNT; t++) {
        if (c->thunk[t] == target) {
            return t;
        }
    }
    return -1;
}

void jit_keep(struct jit_cache *c, const struct a64_block *b, const struct x64_far *far,
              const struct gen_result *r, bool is_region)
{
    uint32_t named[X64_FAR_MAX];
    struct jit_image m = {
        .code = far->begin, .code_bytes = r->end - far->begin, .entry = r->entry - far->begin,
        .stale = r->stale - far->begin, .far = named, .far_n = far->n, .insn_n = b->insn_n,
        .is_region = is_region,
    };

    if (!c->jit->persist || !b->words || far->n > X64_FAR_MAX) {
        return;
    }
    for (unsigned i = 0; i < far->n; i++) {
        const uint8_t *at = far->begin + far->at[i];
        int32_t d;
        int t;
        memcpy(&d, at, 4);
        t = thunk_at(c, at + 4 + d);
        if (t < 0) {
            return;             /* cannot be moved */
        }
        named[i] = far->at[i] | (uint32_t)t << 24;
    }
    jit_persist_note(c->jit->persist, b, &m);
}

void jit_keep_place(const struct jit_cache *c, const struct jit_image *m, uint8_t *to, uint32_t id)
{
    memcpy(to, m->code, m->code_bytes);
    for (unsigned i = 0; i < m->far_n; i++) {
        unsigned t = JIT_FAR_THUNK(m->far[i]);
        uint8_t *at = to + JIT_FAR_AT(m->far[i]);
        int32_t d = c->thunk[t] - (at + 4);
        memcpy(at, &d, 4);
        if (t == GEN_T_LINK) {
            memcpy(at + LINK_ID, &id, 4);
        }
    }
}

struct jit_block *jit_kept(struct jit_cpu *v, const struct a64_cpu *cpu, uint64_t gpa,
                           unsigned mode, const uint32_t *code)
{
    struct jit *jit = v->jit;
    uint64_t seen = atomic_load(&jit->invalidations);
    unsigned first = gpa >> 2 & 1023;
    struct jit_block *b;
    struct jit_image m;

    if (!jit->persist ||
        !jit_persist_find(jit->persist, cpu->model, mode, code - first, first, &m)) {
        return NULL;
    }
    b = jit_cache_adopt(v->cache, &m, gpa, mode, seen);
    return b && b->valid ? b : NULL;
}
