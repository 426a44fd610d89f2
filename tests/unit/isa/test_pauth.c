/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer authentication: what is signed authenticates, and nothing else does. */
#include "../check.h"
#include "flat.h"
#include "isa/a64/pauth.h"

static uint64_t rnd(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static void round_trips(struct a64_cpu *c, uint64_t *s, unsigned tsz)
{
    for (unsigned i = 0; i < 2000; i++) {
        unsigned key = rnd(s) & 3;
        uint64_t m = rnd(s), p = rnd(s) >> tsz >> (rnd(s) & 7);
        if (rnd(s) & 1) {
            p = ~p;
        }
        uint64_t signed_p = a64_pauth(c, PAUTH_PACIA + key, p, m);
        CHECK((signed_p ^ p) >> 55 << 63 == 0);                 /* bit 55 stays */
        CHECK(a64_pauth(c, PAUTH_AUTIA + key, signed_p, m) == p, "%lx", p);
        CHECK(a64_pauth(c, PAUTH_XPACI, signed_p, 0) == p);
        uint64_t forged = signed_p ^ UINT64_C(1) << (rnd(s) % (64 - tsz));
        CHECK(a64_pauth(c, PAUTH_AUTIA + key, forged, m) != (p ^ forged ^ signed_p));
    }
}

int main(void)
{
    struct flat *f = flat_new("max");
    struct a64_cpu *c = &f->cpu;
    uint64_t s = 4711, wrong = 0;

    for (uint64_t *k = &c->apiakeylo_el1; k <= &c->apgakeyhi_el1; k++) {
        *k = rnd(&s);
    }
    CHECK(a64_pauth(c, PAUTH_PACIA, 0x1234, 5) == 0x1234);      /* not enabled */
    c->sctlr_el1 |= UINT64_C(1) << 31 | 1 << 30 | 1 << 27 | 1 << 13;
    a64_pauth_update(c);
    c->tcr_el1 = 25 | 25 << 16;
    round_trips(c, &s, 25);
    c->tcr_el1 = 16 | 16 << 16;
    round_trips(c, &s, 16);
    /* Another modifier, another key: 15 bits of PAC, so hardly ever. */
    for (unsigned i = 0; i < 4096; i++) {
        uint64_t p = rnd(&s) >> 16, m = rnd(&s), a = a64_pauth(c, PAUTH_PACIA, p, m);
        wrong += a64_pauth(c, PAUTH_AUTIA, a, m ^ 1) == p;
        wrong += a64_pauth(c, PAUTH_AUTIB, a, m) == p;
    }
    CHECK(wrong < 10, "%lu forgeries passed", wrong);
    CHECK(!(a64_pauth(c, PAUTH_PACGA, 1, 2) & 0xffffffff));
    flat_free(f);
    return check_result();
}
