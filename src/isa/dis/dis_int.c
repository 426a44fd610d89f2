/* SPDX-License-Identifier: Apache-2.0 */
/* Formatters for the operands of integer, branch, memory and system instructions. */
#include "isa/a64/bitmask.h"
#include "isa/a64/sysreg.h"
#include "isa/dis/dis_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define F(name) dis_field(d, name)

static void adr(struct dis *d)
{
    int64_t off = F("immhi") * 4 + F("immlo");

    dis_put(d, "#%#" PRIx64, d->w >> 31 ? (d->pc & ~UINT64_C(0xfff)) + (uint64_t)off * 4096 :
                                         d->pc + (uint64_t)off);
}

static void addimm(struct dis *d)
{
    dis_imm(d, F("imm12"));
    if (F("sh")) {
        dis_put(d, ", lsl #12");
    }
}

static void bitmask(struct dis *d)
{
    uint64_t v = 0;

    a64_bitmask_decode(F("sf"), F("n"), F("imms"), F("immr"), &v);
    dis_imm(d, v);
}

static void movw(struct dis *d)
{
    dis_imm(d, F("imm16"));
    if (F("hw")) {
        dis_put(d, ", lsl #%d", (int)F("hw") * 16);
    }
}

static void movz(struct dis *d)
{
    uint64_t v = (uint64_t)F("imm16") << 16 * F("hw");
    dis_simm(d, F("sf") ? (int64_t)v : (int32_t)v);
}

static void movn(struct dis *d)
{
    uint64_t v = ~((uint64_t)F("imm16") << 16 * F("hw"));
    dis_simm(d, F("sf") ? (int64_t)v : (int32_t)v);
}

static void bfiz(struct dis *d)
{
    unsigned width = F("sf") ? 64 : 32;

    dis_imm(d, -(unsigned)F("immr") & (width - 1));
    dis_put(d, ", ");
    dis_imm(d, F("imms") + 1);
}

static void bfx(struct dis *d)
{
    dis_imm(d, F("immr"));
    dis_put(d, ", ");
    dis_imm(d, F("imms") - F("immr") + 1);
}

static void lslimm(struct dis *d)
{
    dis_imm(d, (F("sf") ? 63 : 31) - F("imms"));
}

static void shift(struct dis *d)
{
    static const char *const names[] = { "lsl", "lsr", "asr", "ror" };

    if (F("imm6") || F("shift")) {
        dis_put(d, ", %s ", names[F("shift")]);
        dis_imm(d, F("imm6"));
    }
}

static void extend(struct dis *d)
{
    static const char *const names[] = { "uxtb", "uxth", "uxtw", "uxtx",
                                         "sxtb", "sxth", "sxtw", "sxtx" };
    unsigned option = F("option"), amount = F("imm3");
    bool sf = F("sf"), x = (option & 3) == 3;
    /* With SP as an operand the extension that does nothing is called LSL. */
    bool has_sp = F("rn") == 31 || (!dis_has(d, "rd") ? false :
                                    F("rd") == 31 && !(d->w >> 29 & 1));
    bool is_lsl = has_sp && option == (sf ? 3 : 2);

    dis_gpr(d, x && sf, F("rm"), false);
    if (is_lsl && !amount) {
        return;
    }
    dis_put(d, ", %s", is_lsl ? "lsl" : names[option]);
    if (amount) {
        dis_put(d, " #%u", amount);
    }
}

static void pac_name(struct dis *d)
{
    static const char *const keys[] = { "ia", "ib", "da", "db" };
    bool z = d->w >> 13 & 1;

    d->p -= 4;                          /* "pac " or "aut ": the key is part of the name */
    dis_put(d, "%s%s%s ", d->w >> 12 & 1 ? "aut" : "pac", z ? keys[F("op")] + 0 : keys[F("op")],
            z ? "" : "");
    if (z) {
        d->p -= 1;
        char key[3];
        snprintf(key, sizeof(key), "%s", keys[F("op")]);
        d->p -= 2;
        dis_put(d, "%cz%c ", key[0], key[1]);
    }
    dis_gpr(d, true, F("rd"), false);
    if (!z) {
        dis_put(d, ", ");
        dis_gpr(d, true, F("rn"), true);
    }
}

static void brapac(struct dis *d)
{
    static const char *const names[] = { "br", "blr", "ret", "?", "eret" };
    unsigned opc = d->w >> 21 & 7;
    bool with_rm = d->w >> 24 & 1, has_rn = dis_has(d, "rn");

    while (d->p[-1] != ' ') {
        d->p--;
    }
    d->p -= strlen(d->row->mnem) + 1;
    dis_put(d, "%sa%c%s", names[opc], F("m") ? 'b' : 'a', has_rn && !with_rm ? "z" : "");
    if (has_rn) {
        dis_put(d, " ");
        dis_gpr(d, true, F("rn"), false);
    }
    if (with_rm) {
        dis_put(d, ", ");
        dis_gpr(d, true, F("rm"), true);
    }
}

static void tb(struct dis *d)
{
    unsigned bit = F("b5") << 5 | F("b40");

    dis_gpr(d, F("b5"), F("rt"), false);
    dis_put(d, ", ");
    dis_imm(d, bit);
}

/* ---- addresses ---- */

static void address(struct dis *d, int64_t off)
{
    dis_put(d, "[");
    dis_gpr(d, true, F("rn"), true);
    if (off) {
        dis_put(d, ", ");
        dis_simm(d, off);
    }
    dis_put(d, "]");
}

static void uimm(struct dis *d)
{
    address(d, F("imm12") << (dis_has(d, "size") ? F("size") : 3));
}

static void simm(struct dis *d)
{
    address(d, F("imm9"));
}

static int64_t pair_off(const struct dis *d)
{
    return F("imm7") * (dis_has(d, "sf") && F("sf") ? 8 : 4);
}

static void pimm(struct dis *d)
{
    int64_t off = pair_off(d);

    if (d->w >> 23 & 1 && !off && d->w >> 24 & 1) {     /* pre-index shows #0 */
        dis_put(d, "[");
        dis_gpr(d, true, F("rn"), true);
        dis_put(d, ", #0]");
        return;
    }
    address(d, off);
}

static void poff(struct dis *d)
{
    dis_simm(d, pair_off(d));
}

static void regoff(struct dis *d)
{
    static const char *const names[] = { "?", "?", "uxtw", "lsl", "?", "?", "sxtw", "sxtx" };
    unsigned option = F("option"), s = F("s");
    unsigned amount = s ? dis_has(d, "size") ? F("size") : 3 : 0;

    dis_put(d, "[");
    dis_gpr(d, true, F("rn"), true);
    dis_put(d, ", ");
    dis_gpr(d, option & 1, F("rm"), false);
    if (option != 3 || s) {
        dis_put(d, ", %s", names[option]);
        if (s) {
            dis_put(d, " #%u", amount);
        }
    }
    dis_put(d, "]");
}

static void raimm(struct dis *d)
{
    int64_t off = F("imm_hi") * 4096 + F("imm9") * 8;

    if (F("w") && !off) {
        dis_put(d, "[");
        dis_gpr(d, true, F("rn"), true);
        dis_put(d, ", #0]!");
        return;
    }
    address(d, off);
    dis_put(d, "%s", F("w") ? "!" : "");
}

static void ab(struct dis *d)
{
    dis_put(d, "%c", F("m") ? 'b' : 'a');
}

static void next(struct dis *d)
{
    dis_gpr(d, F("sz"), (d->arg + 1) & 31, false);
}

static void prfop(struct dis *d)
{
    static const char *const type[] = { "pld", "pli", "pst" };
    unsigned rt = F("rt"), t = rt >> 3, target = rt >> 1 & 3;

    if (t == 3 || target == 3) {
        dis_imm(d, rt);
    } else {
        dis_put(d, "%sl%u%s", type[t], target + 1, rt & 1 ? "strm" : "keep");
    }
}

/* ---- system ---- */

static void barrier(struct dis *d)
{
    static const char *const names[] = {
        NULL, "oshld", "oshst", "osh", NULL, "nshld", "nshst", "nsh",
        NULL, "ishld", "ishst", "ish", NULL, "ld", "st", "sy",
    };
    unsigned crm = F("crm");

    if (names[crm]) {
        dis_put(d, "%s", names[crm]);
    } else {
        dis_imm(d, crm);
    }
}

static void default_15(struct dis *d)
{
    if (F("crm") == 15) {
        d->p--;                         /* the blank before the operands */
        *d->p = 0;
    } else {
        dis_imm(d, F("crm"));
    }
}

static void bti(struct dis *d)
{
    static const char *const names[] = { "", "c", "j", "jc" };

    dis_put(d, "%s", names[F("op")]);
}

static void pstate(struct dis *d)
{
    switch (F("op1") << 3 | F("op2")) {
    case 003: dis_put(d, "uao"); break;
    case 004: dis_put(d, "pan"); break;
    case 005: dis_put(d, "spsel"); break;
    case 031: dis_put(d, "ssbs"); break;
    case 032: dis_put(d, "dit"); break;
    case 036: dis_put(d, "daifset"); break;
    case 037: dis_put(d, "daifclr"); break;
    default: dis_put(d, "s0_%d_c4_c%d_%d", (int)F("op1"), (int)F("crm"), (int)F("op2")); break;
    }
}

static void sys(struct dis *d)
{
    dis_put(d, "#%d, c%d, c%d, #%d", (int)F("op1"), (int)F("crn"), (int)F("crm"), (int)F("op2"));
    if (F("rt") != 31) {
        dis_put(d, ", ");
        dis_gpr(d, true, F("rt"), false);
    }
}

static void sysreg(struct dis *d)
{
    uint32_t enc = A64_SYSREG(2 + F("o0"), F("op1"), F("crn"), F("crm"), F("op2"));
    const char *name = a64_sysreg_name(enc);

    if (name) {
        while (*name) {
            char c = *name++;
            dis_put(d, "%c", c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    } else {
        dis_put(d, "s%d_%d_c%d_c%d_%d", (int)F("o0") + 2, (int)F("op1"), (int)F("crn"),
                (int)F("crm"), (int)F("op2"));
    }
}

const struct dis_format dis_formats_int[] = {
    { "adr", adr }, { "addimm", addimm }, { "bitmask", bitmask }, { "movw", movw },
    { "movz", movz }, { "movn", movn }, { "bfiz", bfiz }, { "bfx", bfx }, { "lslimm", lslimm },
    { "shift", shift }, { "extend", extend }, { "pacmnem", pac_name }, { "brapac", brapac },
    { "tb", tb }, { "uimm", uimm }, { "simm", simm }, { "pimm", pimm }, { "poff", poff },
    { "regoff", regoff }, { "raimm", raimm }, { "ab", ab }, { "next", next }, { "prfop", prfop },
    { "barrier", barrier }, { "isb", default_15 }, { "clrex", default_15 }, { "bti", bti },
    { "pstate", pstate }, { "sys", sys }, { "sysreg", sysreg },
    { NULL, NULL },
};
