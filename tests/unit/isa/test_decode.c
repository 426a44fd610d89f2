/* SPDX-License-Identifier: Apache-2.0 */
/* The decision tree against a search through all rows. */
#include "../check.h"
#include "a64.gen.h"

#include <stdlib.h>

static uint64_t rnd(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* Rows overlap only where one says `over=`: there the narrower one is what is meant. */
static unsigned search(uint32_t w)
{
    unsigned best = 0, bits = 0;
    for (unsigned i = 1; i < a64_row_n; i++) {
        unsigned n = __builtin_popcount(a64_rows[i].mask);
        if (a64_row_matches(&a64_rows[i], w) && n > bits) {
            best = i;
            bits = n;
        }
    }
    return best;
}

int main(void)
{
    uint64_t s = 0x1234567;
    for (unsigned i = 1; i < a64_row_n; i++) {
        for (unsigned k = 0; k < 200; k++) {
            uint32_t w = ((uint32_t)rnd(&s) & ~a64_rows[i].mask) | a64_rows[i].value;
            CHECK(a64_decode(w) == search(w), "%08x: %s, not %s", w, a64_rows[a64_decode(w)].name,
                  a64_rows[search(w)].name);
        }
    }
    for (unsigned k = 0; k < 100000; k++) {
        uint32_t w = (uint32_t)rnd(&s);
        CHECK(a64_decode(w) == search(w), "%08x", w);
    }
    CHECK(a64_decode(0x8b020020) == A64_I_add_reg);
    CHECK(a64_decode(0xd503207f) == A64_I_wfi);
    CHECK(a64_decode(0xd503203f) == A64_I_hint);
    CHECK(a64_decode(0xd50b7420) == A64_I_dc_zva);
    CHECK(a64_decode(0) == A64_I_NONE);
    CHECK(a64_get_tbz(0x36ffffe0).imm14 == -1);
    return check_result();
}
