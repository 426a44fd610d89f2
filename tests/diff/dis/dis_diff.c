/* SPDX-License-Identifier: Apache-2.0 */
/* The disassembler against Capstone: for every row random words.
 *   dis_diff [WORDS-PER-ROW [SEED]] */
#include "a64.gen.h"
#include "isa/dis/dis.h"

#include <capstone/capstone.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t rnd(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s * UINT64_C(0x2545f4914f6cdd1d);
}

/* Lower case, no blanks; numbers in one form, negative ones and 32- and 64-bit ones alike. */
static void normalise(char *out, const char *in)
{
    while (*in) {
        if (*in == '#') {
            in++;
        } else if (isspace((unsigned char)*in)) {
            in++;
        } else if (isdigit((unsigned char)*in) || (*in == '-' && isdigit((unsigned char)in[1]))) {
            char *end;
            bool is_float = strchr(in, '.') && strchr(in, '.') < in + strcspn(in, ",]} ") &&
                            !isalpha((unsigned char)strchr(in, '.')[1]);
            if (is_float) {
                out += sprintf(out, "%.4f", strtod(in, &end));
            } else {
                uint64_t v = *in == '-' ? -strtoull(in + 1, &end, 0) : strtoull(in, &end, 0);
                out += sprintf(out, "%" PRIu32, (uint32_t)v);
            }
            in = end;
        } else {
            *out++ = tolower((unsigned char)*in++);
        }
    }
    *out = 0;
}

/* Capstone 4 does not know these, or writes an older or non-preferred form. */
static bool excused(const struct a64_row *r, uint32_t w, const char *cs)
{
    static const char *const names[] = {
        "sysl", "sys", "msr", "mrs", "msr_imm", "hint", "cfinv", "xaflag", "axflag", "dc_zva",
        "rmif", "setf8", "setf16", "wfe", "sb",
        "movn", "movz", "ins_vr", "ins_vx",             /* the manual prefers MOV */
        "prfm_ui", "prfum", "prfm_reg", "prfm_lit",     /* reserved operations */
        "dcps1", "dcps2", "dcps3", "svc", "dsb", "dmb", "isb", "clrex",
    };

    if (r->group == A64_GROUP_SYS && !strncmp(cs ? cs : "", "hint", 4)) {
        return true;                                    /* pointer authentication */
    }
    /* MOV (bitmask immediate) is preferred; CINC and so on are not, with the conditions al, nv. */
    if ((!strcmp(r->name, "orr_imm") && (w >> 5 & 31) == 31) ||
        (!strncmp(r->name, "cs", 2) && (w >> 13 & 7) == 7)) {
        return true;
    }
    if (!cs || r->feat == A64_FEAT_FLAGM || r->feat == A64_FEAT_FLAGM2) {
        return true;
    }
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(names[i], r->name)) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? strtoul(argv[1], NULL, 0) : 50, bad_rows = 0, compared = 0;
    uint64_t s = argc > 2 ? strtoull(argv[2], NULL, 0) : 1234567;
    csh cs;

    if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &cs) != CS_ERR_OK) {
        return 77;
    }
    printf("seed %" PRIu64 "\n", s);
    for (unsigned i = 1; i < a64_row_n; i++) {
        unsigned bad = 0;
        for (unsigned k = 0; k < n; k++) {
            uint32_t w = ((uint32_t)rnd(&s) & ~a64_rows[i].mask) | a64_rows[i].value;
            cs_insn *insn;
            char ours[160], theirs[300], a[400], b[400];
            if (a64_decode(w) != i) {
                continue;
            }
            size_t c = cs_disasm(cs, (const uint8_t *)&w, 4, 0x400000, 1, &insn);
            dis_a64(w, 0x400000, ours, sizeof(ours));
            if (c) {
                snprintf(theirs, sizeof(theirs), "%s %s", insn->mnemonic, insn->op_str);
                cs_free(insn, c);
            }
            if (strchr(ours, '?')) {
                printf("%08x %s: not formatted: %s\n", w, a64_rows[i].name, ours);
                bad++;
                break;
            }
            if (excused(&a64_rows[i], w, c ? theirs : NULL)) {
                continue;
            }
            normalise(a, ours);
            normalise(b, theirs);
            compared++;
            if (strcmp(a, b) && bad++ == 0) {
                printf("%08x %-14s %-44s Capstone: %s\n", w, a64_rows[i].name, ours, theirs);
            }
        }
        bad_rows += bad != 0;
    }
    cs_close(&cs);
    printf("%u words of %u rows compared; %u rows differ\n", compared, a64_row_n - 1, bad_rows);
    return bad_rows != 0;
}
