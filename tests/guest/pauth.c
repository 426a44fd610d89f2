/* SPDX-License-Identifier: Apache-2.0 */
/* FEAT_PAuth: signing and authentication with each key, for both halves, with and without tags, at
 * EL1 and EL0, with keys off.  The algorithm is IMPLEMENTATION DEFINED, so the sums of results are
 * this implementation's own: what matters is that all engines agree on them. */
#include "guest.h"

#define KEYS(o) \
    o(0, ia) o(1, ib) o(2, da) o(3, db)
#define CODE(n, key) \
    extern uint64_t pac##key(uint64_t, uint64_t), aut##key(uint64_t, uint64_t); \
    extern uint64_t user##key(uint64_t, uint64_t); \
    __asm__(".pushsection .text\n.arch_extension pauth\n.balign 16\n" \
            "pac" #key ":\npac" #key " x0, x1\nret\n" \
            "aut" #key ":\naut" #key " x0, x1\nret\n" \
            "user" #key ":\nmov x1, #0x777\nmov x2, x0\npac" #key " x0, x1\nmov x3, x0\n" \
            "aut" #key " x0, x1\neor x2, x2, x0\neor x0, x3, x2, ror #7\nsvc #1\n.popsection\n");
KEYS(CODE)

typedef uint64_t op(uint64_t, uint64_t);
#define ROW(n, key) { pac##key, aut##key, user##key },
static op *const ops[4][3] = { KEYS(ROW) };

static uint64_t state = 0x123456789abcdef;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* kind 0: upper half, 1: lower half, 2: lower half with a tag, 3: anything. */
static uint64_t pointer(unsigned kind)
{
    uint64_t r = rnd();

    switch (kind) {
    case 0: return r | UINT64_C(0xffff) << 48;
    case 1: return r >> 16;
    case 2: return r & ~(UINT64_C(0xff) << 48);
    default: return r;
    }
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * UINT64_C(0x9e3779b97f4a7c15) ^ h >> 29;
}

static void at_el1(const char *what)
{
    static const char *const kinds[] = { "upper", "lower", "tagged", "any" };

    print("%s\n", what);
    for (unsigned key = 0; key < 4; key++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            uint64_t h = 0;
            unsigned same = 0, back = 0, forged = 0;

            for (unsigned i = 0; i < 64; i++) {
                uint64_t p = pointer(kind), m = i & 1 ? rnd() : 0, s = ops[key][0](p, m);
                uint64_t f = ops[key][1](s ^ UINT64_C(1) << (rnd() & 31), m);

                same += s == p;
                back += ops[key][1](s, m) == p;
                forged += f << 8 >> 56 == p << 8 >> 56 && f >> 61 == p >> 61;
                h = mix(mix(mix(h, s), f), ops[key][1](p, m));
            }
            print(" key %u %s: same %u back %u forged %u sum %lx\n", key, kinds[kind], same, back,
                  forged, h);
        }
    }
}

static void at_el0(void)
{
    for (unsigned key = 0; key < 4; key++) {
        uint64_t h = 0;

        for (unsigned i = 0; i < 16; i++) {
            try_el0((uint64_t)ops[key][2], pointer(i & 3));
            h = mix(h, fault.x0);
        }
        print(" EL0 key %u: sum %lx\n", key, h);
    }
}

static void enable(uint64_t bits)
{
    uint64_t all = UINT64_C(1) << 31 | 1 << 30 | 1 << 27 | 1 << 13;

    WRITE_REG(sctlr_el1, (READ_REG(sctlr_el1) & ~all) | bits);
    ISB();
}

#define KEY(n) WRITE_REG(S3_0_C2_C##n, rnd())

void guest_main(void)
{
    KEY(1_0);
    KEY(1_1);
    KEY(1_2);
    KEY(1_3);
    KEY(2_0);
    KEY(2_1);
    KEY(2_2);
    KEY(2_3);
    print("key IB %lx %lx\n", READ_REG(S3_0_C2_C1_2), READ_REG(S3_0_C2_C1_3));
    WRITE_REG(tcr_el1, 16 | 16 << 16 | UINT64_C(1) << 37);          /* TBI0 */
    enable(0);
    at_el1("all off");
    enable(UINT64_C(1) << 31 | 1 << 30 | 1 << 27 | 1 << 13);
    at_el1("all on, TBI0");
    at_el0();
    enable(1 << 30 | 1 << 27);
    at_el1("IB and DA on");
    WRITE_REG(tcr_el1, 25 | 16 << 16 | UINT64_C(1) << 37 | UINT64_C(1) << 38 | UINT64_C(1) << 51);
    enable(UINT64_C(1) << 31 | 1 << 30 | 1 << 27 | 1 << 13);
    at_el1("TBI0, TBI1, TBID0, 39 bits below");
    at_el0();
    print("done\n");
}
