/* SPDX-License-Identifier: Apache-2.0 */
/* Formatters for the operands of SIMD & FP instructions. */
#include "isa/dis/dis_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F(name) dis_field(d, name)

static const char elem[] = "bhsdq";

/* log2 of the bytes of an element, as the row's fields say: imm5, imm (its highest bit), size,
 * sz, or half precision if there is nothing. */
static unsigned esize(const struct dis *d)
{
    if (dis_has(d, "size")) {
        return F("size");
    }
    return dis_has(d, "sz") ? 2 + F("sz") : 1;
}

static unsigned isize(const struct dis *d)
{
    if (dis_has(d, "imm5")) {
        return __builtin_ctz(F("imm5") | 16);
    }
    return 31 - __builtin_clz((F("imm") >> 3) | (F("imm") < 8));
}

static unsigned bytes(const struct dis *d)
{
    return dis_has(d, "q") && !F("q") ? 8 : 16;
}

static void lanes(struct dis *d, unsigned r, unsigned n, unsigned size)
{
    dis_put(d, "v%u.%u%c", r, n, elem[size]);
}

void dis_vreg(struct dis *d, const char *spec, unsigned r)
{
    if (isdigit((unsigned char)spec[0]) && spec[1]) {
        dis_put(d, "v%u.%s", r, spec);
    } else if (spec[0] == '2') {
        lanes(d, r, 2, esize(d));
    } else if (!strcmp(spec, "w")) {
        lanes(d, r, 16 >> (esize(d) + 1), esize(d) + 1);
    } else if (!strcmp(spec, "p")) {
        lanes(d, r, bytes(d) >> (esize(d) + 1), esize(d) + 1);
    } else if (!strcmp(spec, "i")) {
        lanes(d, r, bytes(d) >> isize(d), isize(d));
    } else if (!strcmp(spec, "iw")) {
        lanes(d, r, 16 >> (isize(d) + 1), isize(d) + 1);
    } else if (spec[0]) {
        unsigned size = strchr(elem, spec[0]) - elem;
        lanes(d, r, bytes(d) >> size, size);
    } else {
        lanes(d, r, bytes(d) >> esize(d), esize(d));
    }
}

/* log2 of the bytes of a load or store: %Fm, %Fl. */
static unsigned access_log2(const struct dis *d)
{
    return dis_has(d, "opc") ? 2 + F("opc") : F("q") ? 4 : F("size");
}

void dis_freg(struct dis *d, const char *spec, unsigned r)
{
    unsigned size;

    if (!spec[0]) {
        size = esize(d);
    } else if (!strcmp(spec, "w")) {
        size = esize(d) + 1;
    } else if (!strcmp(spec, "i")) {
        size = isize(d);
    } else if (!strcmp(spec, "iw")) {
        size = isize(d) + 1;
    } else if (!strcmp(spec, "m") || !strcmp(spec, "l")) {
        size = access_log2(d);
    } else {
        size = strchr(elem, spec[0]) - elem;
    }
    dis_put(d, "%c%u", elem[size], r);
}

/* ---- elements ---- */

static void element(struct dis *d, unsigned r, unsigned size, unsigned index)
{
    dis_put(d, "v%u.%c[%u]", r, elem[size], index);
}

static void vx5(struct dis *d)
{
    unsigned size = dis_has(d, "imm5") ? isize(d) : 3;
    unsigned index = dis_has(d, "imm5") ? F("imm5") >> (size + 1) : F("i");

    element(d, d->arg, size, index);
}

static void vx4(struct dis *d)
{
    element(d, d->arg, isize(d), F("imm4") >> isize(d));
}

static void vd1(struct dis *d)
{
    element(d, d->arg, 3, 1);
}

static void fi(struct dis *d)
{
    dis_freg(d, "i", d->arg);
}

static void ri(struct dis *d)
{
    dis_gpr(d, isize(d) == 3, d->arg, false);
}

/* By element: H, L and M hold the index, and M the top of the register where it is not needed. */
static void vxe(struct dis *d)
{
    unsigned size = esize(d), h = F("h"), l = F("l"), m = F("m"), rm = F("rm");

    if (size == 1) {
        element(d, rm, 1, h << 2 | l << 1 | m);
    } else {
        element(d, m << 4 | rm, size, size == 2 ? h << 1 | l : h);
    }
}

static void vxc(struct dis *d)
{
    bool half = strstr(d->row->name, "eh");

    element(d, F("m") << 4 | F("rm"), half ? 1 : 2, half ? F("h") << 1 | F("l") : F("h"));
}

static void vx4b(struct dis *d)
{
    dis_put(d, "v%u.4b[%u]", (unsigned)(F("m") << 4 | F("rm")), (unsigned)(F("h") << 1 | F("l")));
}

/* ---- numbers ---- */

static void shl(struct dis *d)
{
    dis_put(d, F("imm") - (8 << isize(d)) > 9 ? "%#x" : "%d", (int)F("imm") - (8 << isize(d)));
}

static void shr(struct dis *d)
{
    int n = (16 << isize(d)) - (int)F("imm");
    dis_put(d, n > 9 ? "%#x" : "%d", n);
}

static void shrh(struct dis *d)
{
    int n = 16 - (int)F("imm");
    dis_put(d, n > 9 ? "%#x" : "%d", n);
}

static void esize_bits(struct dis *d)
{
    int n = 8 << esize(d);
    dis_put(d, n > 9 ? "%#x" : "%d", n);
}

static void fbits(struct dis *d)
{
    int n = 64 - (int)F("scale");
    dis_put(d, n > 9 ? "%#x" : "%d", n);
}

static void rot90(struct dis *d)
{
    dis_put(d, "%d", (int)F("rot") * 90);
}

static void rot180(struct dis *d)
{
    dis_put(d, "%d", (int)F("rot") * 180 + 90);
}

/* VFPExpandImm(): sign, 3 bits of exponent, 4 of fraction. */
static void fp_imm(struct dis *d, unsigned imm8)
{
    int e = (imm8 >> 4 & 7) ^ 4;
    double v = (16 + (imm8 & 15)) / 16.0;

    for (e -= 3; e > 0; e--) {
        v *= 2;
    }
    for (; e < 0; e++) {
        v /= 2;
    }
    dis_put(d, "%.8f", imm8 & 0x80 ? -v : v);
}

static void fimm8(struct dis *d)
{
    fp_imm(d, F("imm8"));
}

static void fimm(struct dis *d)
{
    fp_imm(d, F("abc") << 5 | F("defgh"));
}

static void mimm(struct dis *d)
{
    const char *n = d->row->name;
    bool msl = strstr(n, "msl"), h = strstr(n, "8h"), b = strstr(n, "16b");
    unsigned shift = (F("sh") + msl) * 8;

    dis_vreg(d, b ? "b" : h ? "h" : "s", F("rd"));
    dis_put(d, ", ");
    dis_imm(d, F("abc") << 5 | F("defgh"));
    if (shift) {
        dis_put(d, ", %s #%u", msl ? "msl" : "lsl", shift);
    }
}

static void mimm64(struct dis *d)
{
    unsigned imm8 = F("abc") << 5 | F("defgh");
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++) {
        v |= (uint64_t)(imm8 >> i & 1 ? 0xff : 0) << 8 * i;
    }
    if (F("q")) {
        dis_put(d, "v%u.2d, ", (unsigned)F("rd"));
    } else {
        dis_put(d, "d%u, ", (unsigned)F("rd"));
    }
    dis_imm(d, v);
}

/* ---- whole operand lists ---- */

static void suffix_e(struct dis *d)
{
    dis_put(d, "%s", F("op") ? "e" : "");
}

static void fcvt_types(struct dis *d)
{
    static const char type[] = "sd?h";

    dis_put(d, "%c%u, %c%u", type[F("opc")], (unsigned)F("rd"), type[F("ftype")],
            (unsigned)F("rn"));
}

static void fcvtl(struct dis *d)
{
    lanes(d, F("rd"), F("sz") ? 2 : 4, 2 + F("sz"));
    dis_put(d, ", ");
    lanes(d, F("rn"), bytes(d) >> (1 + F("sz")), 1 + F("sz"));
}

static void fcvtn(struct dis *d)
{
    lanes(d, F("rd"), bytes(d) >> (1 + F("sz")), 1 + F("sz"));
    dis_put(d, ", ");
    lanes(d, F("rn"), F("sz") ? 2 : 4, 2 + F("sz"));
}

static void list(struct dis *d, unsigned first, unsigned n, unsigned count, unsigned size)
{
    dis_put(d, "{");
    for (unsigned i = 0; i < n; i++) {
        dis_put(d, i ? ", " : "");
        if (count) {
            lanes(d, (first + i) & 31, count, size);
        } else {
            dis_put(d, "v%u.%c", (first + i) & 31, elem[size]);
        }
    }
    dis_put(d, "}");
}

static void tbl(struct dis *d)
{
    list(d, F("rn"), F("len") + 1, 16, 0);
}

/* Number of registers of a structure access. */
static unsigned registers(const struct dis *d)
{
    const char *x = strchr(d->row->name, 'x');

    if (dis_has(d, "nl")) {
        return (F("nl") << 1 | F("nh")) + 1;
    }
    return x ? x[1] - '0' : d->row->name[2] - '0';
}

static void count(struct dis *d)
{
    dis_put(d, "%u", registers(d));
}

static void count_r(struct dis *d)
{
    dis_put(d, "%ur", registers(d));
}

static void vlist(struct dis *d)
{
    list(d, F("rt"), registers(d), bytes(d) >> F("size"), F("size"));
}

static unsigned lane_size(const struct dis *d)
{
    const char *kind = strchr(d->row->name, '_');

    return kind && !strcmp(d->row->name, "ldnr_p") ? F("size") :
           !kind ? F("size") : (unsigned)(strchr(elem, kind[1]) - elem);
}

static void vlane(struct dis *d)
{
    unsigned size = lane_size(d), q = F("q"), s = F("s");
    unsigned index = size == 0 ? q << 3 | s << 2 | F("size") :
        size == 1 ? q << 2 | s << 1 | F("i") :
                     size == 2 ? q << 1 | s : q;

    list(d, F("rt"), registers(d), 0, size);
    dis_put(d, "[%u]", index);
}

static void post(struct dis *d, unsigned n)
{
    if (F("rm") == 31) {
        dis_imm(d, n);
    } else {
        dis_gpr(d, true, F("rm"), false);
    }
}

static void vpost(struct dis *d)
{
    post(d, registers(d) * bytes(d));
}

static void vpost1(struct dis *d)
{
    post(d, registers(d) << lane_size(d));
}

/* ---- addresses ---- */

static void address(struct dis *d, int64_t off)
{
    dis_put(d, "[");
    dis_gpr(d, true, F("rn"), true);
    /* Pre-index shows its #0. */
    if (off || (dis_has(d, "imm7") && (d->w >> 23 & 3) == 3)) {
        dis_put(d, ", ");
        dis_simm(d, off);
    }
    dis_put(d, "]");
}

static void vuimm(struct dis *d)
{
    address(d, F("imm12") << access_log2(d));
}

static void vpimm(struct dis *d)
{
    address(d, F("imm7") * (4 << F("opc")));
}

static void vpoff(struct dis *d)
{
    dis_simm(d, F("imm7") * (4 << F("opc")));
}

static void vregoff(struct dis *d)
{
    static const char *const names[] = { "?", "?", "uxtw", "lsl", "?", "?", "sxtw", "sxtx" };
    unsigned option = F("option"), s = F("s");

    dis_put(d, "[");
    dis_gpr(d, true, F("rn"), true);
    dis_put(d, ", ");
    dis_gpr(d, option & 1, F("rm"), false);
    if (option != 3 || s) {
        dis_put(d, ", %s", names[option]);
        if (s) {
            dis_put(d, " #%u", access_log2(d));
        }
    }
    dis_put(d, "]");
}

const struct dis_format dis_formats_simd[] = {
    { "vx5", vx5 }, { "vx4", vx4 }, { "vd1", vd1 }, { "fi", fi }, { "ri", ri }, { "vxe", vxe },
    { "vxc", vxc }, { "vx4b", vx4b }, { "shl", shl }, { "shr", shr }, { "shrh", shrh },
    { "esize", esize_bits }, { "fbits", fbits }, { "rot90", rot90 }, { "rot180", rot180 },
    { "fimm8", fimm8 }, { "fimm", fimm }, { "mimm", mimm }, { "mimm64", mimm64 },
    { "e", suffix_e }, { "fcvt", fcvt_types }, { "fcvtl", fcvtl }, { "fcvtn", fcvtn },
    { "tbl", tbl },
    { "n", count }, { "nr", count_r }, { "vlist", vlist }, { "vlane", vlane },
    { "vpost", vpost }, { "vpost1", vpost1 }, { "vuimm", vuimm }, { "vpimm", vpimm },
    { "vpoff", vpoff }, { "vregoff", vregoff },
    { NULL, NULL },
};
