/* SPDX-License-Identifier: Apache-2.0 */
#include "shrink.h"

#include "engine.h"
#include "side.h"

#include <stdlib.h>

#define NOP 0xd503201fu

enum { INSNS_MAX = 200000 };

/* Whether it differs, and ends: a loop whose counter is gone may not. */
static bool differs(struct side *side, const struct diff_batch *b, const struct diff_test *t)
{
    static struct side_result r;
    static struct diff_state state;
    uint64_t hash;

    for (unsigned k = 0; k < 2; k++) {
        if (side[k].engine && !engine_is_jit(side[k].engine)) {
            engine_insns(side[k].engine);
            engine_limit(side[k].engine, INSNS_MAX);
            engine_batch(side[k].engine, b, t, &state, &hash);
            engine_limit(side[k].engine, UINT64_MAX);
            if (engine_insns(side[k].engine) >= INSNS_MAX) {
                return false;
            }
        }
    }
    return !side_run(side, b, t, &r);
}

static bool without(struct side *side, const struct diff_batch *b, struct diff_test *t,
                    unsigned first, unsigned n)
{
    uint32_t was[DIFF_WORDS];
    bool changed = false;

    for (unsigned i = 0; i < n; i++) {
        was[i] = t->word[first + i];
        changed |= was[i] != NOP;
        t->word[first + i] = NOP;
    }
    if (changed && differs(side, b, t)) {
        return true;
    }
    for (unsigned i = 0; i < n; i++) {
        t->word[first + i] = was[i];
    }
    return false;
}

bool shrink(struct side *side, struct diff_batch *b, struct diff_test *t)
{
    unsigned words = b->slot_words - 1, turns = b->turns;
    bool again = true;

    if (!differs(side, b, t)) {
        return false;
    }
    b->turns = 1;
    if (turns > 1 && !differs(side, b, t)) {
        b->turns = turns;
    }
    while (again) {
        again = false;
        for (unsigned n = 16; n; n /= 2) {
            for (unsigned i = 0; i + n <= words; i += n) {
                again |= without(side, b, t, i, n);
            }
        }
    }
    return true;
}
