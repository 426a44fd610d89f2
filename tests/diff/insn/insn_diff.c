/* SPDX-License-Identifier: Apache-2.0 */
/* Random instructions from the tables, one at a time, in the interpreter and under qemu-aarch64:
 * every register, flag and byte of memory must come out the same, and the same encodings must be
 * undefined.
 *
 * insn_diff QEMU GUEST [COUNT [SEED [PART-OF-ROW-NAME]]] */
#include "../../unit/isa/flat.h"
#include "a64.gen.h"
#include "base/base.h"
#include "isa/a64/esr.h"
#include "state.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t rng;

static uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- making questions ---- */

/* Numbers at which integers and floats of some width turn over. */
static uint64_t operand(void)
{
    static const uint64_t edge[] = {
        0, 1, UINT64_MAX, INT64_MAX, UINT64_C(1) << 63, UINT64_C(0x7ff0000000000000),
        UINT64_C(0xfff0000000000000), UINT64_C(0x7ff8000000000001),
        UINT64_C(0x7ff0000000000001), UINT64_C(0x3ff0000000000000),
        UINT64_C(0x7f8000007f800001), UINT64_C(0xff80000080000000),
        UINT64_C(0x3f8000007fc00000), UINT64_C(0x7c007c01fe00fc00),
        UINT64_C(0x3c00bc0000018001), UINT64_C(0x7fff80007fff8000),
        UINT64_C(0x7f807f80ff00ff00), UINT64_C(0x7fffffff80000000),
        UINT64_C(0x00000000ffffffff), UINT64_C(0xffffffff00000000),
    };
    uint64_t k = edge[rnd() % ARRAY_LEN(edge)];

    switch (rnd() % 4) {
    case 0:
        return k;
    case 1:
        return rnd() & rnd() & rnd();
    case 2:
        return k << 8 * (rnd() & 7) ^ (rnd() & rnd() & UINT64_C(0x0101010101010101));
    default:
        return rnd();
    }
}

static const struct a64_row_field *field_of(const struct a64_row *r, const char *name)
{
    for (unsigned i = 0; i < r->field_n; i++) {
        if (!strcmp(r->field[i].name, name)) {
            return &r->field[i];
        }
    }
    return NULL;
}

/* Clears and sets bits of a field, if the row has it. */
static void field_fix(const struct a64_row *r, struct insn_state *s, const char *name,
                      uint32_t clear, uint32_t set)
{
    const struct a64_row_field *f = field_of(r, name);

    if (f) {
        s->insn = (s->insn & ~(clear << f->lsb)) | set << f->lsb;
    }
}

/* Odd registers are addresses, even ones small numbers; offsets stay small. */
static void make_memory_access(const struct a64_row *r, struct insn_state *s)
{
    unsigned align = rnd() % 3 ? 16 : 1;

    for (unsigned i = 0; i < 31; i++) {
        s->x[i] = i & 1 ? INSN_MEM_MIDDLE + (int64_t)(rnd() % 256) - 128 : rnd() % 64;
        if (i & 1) {
            s->x[i] &= -(uint64_t)align;
        }
    }
    field_fix(r, s, "rn", 0, 1);
    field_fix(r, s, "rm", 1, 0);
    field_fix(r, s, "imm12", 0xff0, 0);
    field_fix(r, s, "rs", 0, !strcmp(r->name, "ldapr") ? 31 : 0);
    if (rnd() & 1) {
        field_fix(r, s, "imm7", 0x78, 0);
    } else {
        field_fix(r, s, "imm7", 0, 0x78);
    }
}

static uint32_t field_get(const struct a64_row *r, uint32_t w, const char *name)
{
    const struct a64_row_field *f = field_of(r, name);

    return f ? w >> f->lsb & ((1u << f->width) - 1) : 0;
}

/* CONSTRAINED UNPREDICTABLE, or another row's that is not for this test. */
static bool is_unfit(const struct a64_row *r, uint32_t w)
{
    bool same = field_of(r, "rt2") && field_get(r, w, "rt") == field_get(r, w, "rt2");

    return (same && !strncmp(r->name, "ld", 2)) || a64_rows[a64_decode(w)].flags & A64_ROW_NODIFF;
}

static void make_question(const struct a64_row *r, struct insn_state *s)
{
    uint32_t f = rnd();

    do {
        s->insn = r->value | ((uint32_t)rnd() & ~r->mask);
    } while (is_unfit(r, s->insn));
    for (unsigned i = 0; i < 31; i++) {
        s->x[i] = operand();
    }
    if (r->group == A64_GROUP_MEM || r->group == A64_GROUP_VMEM) {
        make_memory_access(r, s);
    }
    s->sp = INSN_MEM_MIDDLE;
    for (unsigned i = 0; i < 32; i++) {
        s->v[i][0] = operand();
        s->v[i][1] = operand();
    }
    s->nzcv = (rnd() & 15) << 28;
    s->fpcr = (f & 1 ? 0 : f & 3 << 22) | (f & 2 ? 0 : f & 7 << 24) | (f & 12 ? 0 : 1 << 19);
    s->fpsr = rnd() & 0x08000010;       /* QC; IXC, which opens quick ways */
    for (unsigned i = 0; i < INSN_MEM_CHECKED; i += 8) {
        uint64_t k = rnd();
        memcpy(s->mem + i, &k, 8);
    }
}

/* ---- answering them ---- */

static int signal_of(const struct a64_cpu *c)
{
    if (c->el == 0) {
        return 0;
    }
    switch (c->esr_el1 >> 26) {
    case A64_EC_DABORT_LOWER:
        return (c->esr_el1 & 63) == A64_FSC_ALIGNMENT ? SIGBUS : SIGSEGV;
    case A64_EC_PC_ALIGN:
    case A64_EC_SP_ALIGN:
        return SIGBUS;
    default:
        return SIGILL;
    }
}

static void run(struct flat *f, const struct insn_state *q, struct insn_state *a)
{
    struct a64_cpu *c = &f->cpu;
    char *mem = f->ram + (INSN_MEM_VA - FLAT_RAM);

    memset(mem, 0, INSN_MEM_BYTES);
    memcpy(mem + INSN_MEM_OFF, q->mem, INSN_MEM_CHECKED);
    a64_set_el_sp(c, 0, 0);
    memcpy(c->x, q->x, sizeof(c->x));
    memcpy(c->v, q->v, sizeof(c->v));
    c->sp = q->sp;
    c->pc = INSN_SLOT_VA;
    c->fpcr = q->fpcr;
    c->fpsr = q->fpsr;
    c->ex_addr = UINT64_MAX;
    a64_nzcv_set(c, q->nzcv);
    interp_row(c, a64_decode_for(c->model->features, q->insn), q->insn);

    *a = *q;
    a->signal = signal_of(c);
    if (a->signal) {
        a64_set_el_sp(c, 0, 0);
    }
    memcpy(a->x, c->x, sizeof(c->x));
    memcpy(a->v, c->v, sizeof(c->v));
    a->sp = c->sp;
    a->fpsr = c->fpsr;
    a->nzcv = a64_nzcv_get(c);
    memcpy(a->mem, mem + INSN_MEM_OFF, INSN_MEM_CHECKED);
}

/* ---- comparing ---- */

/* Where qemu-aarch64 7.2 is known to be wrong, or has a feature that no model of ours has. */
static bool is_excused(const struct insn_state *q, const struct insn_state *our,
                       const struct insn_state *qemu)
{
    static const struct { uint32_t mask, value; } more[] = {
        { 0xfffffc00, 0x1e634000 },                                 /* BFCVT */
        { 0xbffffc00, 0x0ea16800 },                                 /* BFCVTN */
        { 0xbff8fc00, 0x2f00fc00 },     /* op = 1, o2 = 1: unallocated, executed as FMOV */
    };
    const char *name = a64_rows[q->row].name;

    if (our->signal == SIGILL && qemu->signal == 0) {
        for (unsigned i = 0; i < ARRAY_LEN(more); i++) {
            if ((q->insn & more[i].mask) == more[i].value) {
                return true;
            }
        }
    }
    /* Sets Z for a positive denormal flushed by FZ; FPToFixedJS() does not. */
    if (!strcmp(name, "fjcvtzs") && q->fpcr & 1 << 24) {
        return true;
    }
    /* Sign-extends into bits 31:16 of the register. */
    if (!strcmp(name, "fcvtzs_sih")) {
        return true;
    }
    /* Its zeroing block is 512 bytes. */
    if (!strcmp(name, "dc_zva")) {
        return true;
    }
    /* We run with the MMU off: data are Device memory, where every access must be aligned
     * (unaligned ones are compared by tests/diff/seq). */
    if (our->signal == SIGBUS && qemu->signal != SIGILL) {
        return true;
    }
    /* It maps less memory. */
    return qemu->signal == SIGSEGV && our->signal == 0;
}

static const char *difference(const struct insn_state *a, const struct insn_state *b)
{
    if (a->signal != b->signal) {
        return "signal";
    }
    if (a->signal) {
        return NULL;
    }
    return memcmp(a->x, b->x, sizeof(a->x)) ? "x" : a->sp != b->sp ? "sp" :
           memcmp(a->v, b->v, sizeof(a->v)) ? "v" : a->nzcv != b->nzcv ? "nzcv" :
           a->fpsr != b->fpsr ? "fpsr" : memcmp(a->mem, b->mem, sizeof(a->mem)) ? "mem" : NULL;
}

static void report(const char *what, const struct insn_state *q, const struct insn_state *our,
                   const struct insn_state *qemu)
{
    unsigned n = q->insn >> 5 & 31, m = q->insn >> 16 & 31;

    fprintf(stderr, "%08x %s: %s; fpcr %#llx nzcv %#llx\n", q->insn, a64_rows[q->row].name, what,
            (unsigned long long)q->fpcr, (unsigned long long)q->nzcv);
    fprintf(stderr, "  signal %d/%d nzcv %#llx/%#llx fpsr %#llx/%#llx sp %#llx/%#llx\n",
            (int)our->signal, (int)qemu->signal, (unsigned long long)our->nzcv,
            (unsigned long long)qemu->nzcv, (unsigned long long)our->fpsr,
            (unsigned long long)qemu->fpsr, (unsigned long long)our->sp,
            (unsigned long long)qemu->sp);
    for (unsigned i = 0; i < 31 && !our->signal && !qemu->signal; i++) {
        if (our->x[i] != qemu->x[i] || i == n || i == m) {
            fprintf(stderr, "  x%u %#llx -> %#llx, qemu %#llx\n", i, (unsigned long long)q->x[i],
                    (unsigned long long)our->x[i], (unsigned long long)qemu->x[i]);
        }
    }
    for (unsigned i = 0; i < 32 && !our->signal && !qemu->signal; i++) {
        if (memcmp(our->v[i], qemu->v[i], 16) || i == n || i == m) {
            fprintf(stderr, "  v%u %016llx:%016llx -> %016llx:%016llx, qemu %016llx:%016llx\n", i,
                    (unsigned long long)q->v[i][1], (unsigned long long)q->v[i][0],
                    (unsigned long long)our->v[i][1], (unsigned long long)our->v[i][0],
                    (unsigned long long)qemu->v[i][1], (unsigned long long)qemu->v[i][0]);
        }
    }
}

/* The rows to take, as numbers: all that make sense alone, or those with `part` in the name. */
static unsigned candidates(const struct a64_model *model, const char *part, uint32_t *row)
{
    unsigned n = 0;

    for (unsigned i = 1; i < a64_row_n; i++) {
        const struct a64_row *r = &a64_rows[i];
        if (r->group != A64_GROUP_BRANCH && !(r->flags & A64_ROW_NODIFF) &&
            a64_model_has(model, r->feat) && (!part || strstr(r->name, part))) {
            row[n++] = i;
        }
    }
    return n;
}

static FILE *ask(const char *qemu, const char *guest, const struct insn_state *q, size_t n,
                 const char *path)
{
    char cmd[1024];
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(q, sizeof(*q), n, f) != n || fclose(f)) {
        return NULL;
    }
    snprintf(cmd, sizeof(cmd), "'%s' -cpu max '%s' < '%s'", qemu, guest, path);
    return popen(cmd, "r");
}

/* Compares a batch; returns the number of differences. */
static size_t batch(struct flat *f, char **argv, const uint32_t *row, unsigned row_n,
                    struct insn_state *q, size_t n, uint8_t *executed)
{
    char path[] = "/tmp/insn_diff_XXXXXX";
    size_t bad = 0;

    for (size_t i = 0; i < n; i++) {
        memset(&q[i], 0, sizeof(q[i]));
        q[i].row = row[rnd() % row_n];
        make_question(&a64_rows[q[i].row], &q[i]);
        q[i].row = a64_decode(q[i].insn);   /* 0, or a neighbour: exclusions are not heeded */
    }
    int fd = mkstemp(path);
    FILE *answers = fd < 0 ? NULL : ask(argv[1], argv[2], q, n, path);
    for (size_t i = 0; answers && i < n; i++) {
        struct insn_state qemu, our;
        if (fread(&qemu, sizeof(qemu), 1, answers) != 1) {
            fprintf(stderr, "qemu-aarch64 stopped at %08x\n", q[i].insn);
            bad++;
            break;
        }
        run(f, &q[i], &our);
        const char *what = difference(&our, &qemu);
        if (what && !is_excused(&q[i], &our, &qemu) && bad++ < 30) {
            report(what, &q[i], &our, &qemu);
        }
        executed[q[i].row] |= !our.signal;
    }
    if (!answers || pclose(answers)) {
        fprintf(stderr, "qemu-aarch64 failed\n");
        bad++;
    }
    close(fd);
    unlink(path);
    return bad;
}

enum { BATCH = 20000 };

int main(int argc, char **argv)
{
    static uint32_t row[A64_I_COUNT];
    static uint8_t executed[A64_I_COUNT];
    size_t n = argc > 3 ? strtoul(argv[3], NULL, 0) : 100000, bad = 0;
    uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)getpid() * 2654435761u;
    struct insn_state *q = calloc(BATCH, sizeof(*q));

    if (argc < 3 || !q) {
        fprintf(stderr, "usage: %s QEMU GUEST [COUNT [SEED [PART-OF-ROW-NAME]]]\n", argv[0]);
        return 2;
    }
    printf("seed %llu\n", (unsigned long long)seed);
    rng = seed * 2 + 1;
    struct flat *f = flat_new("max");
    flat_mmu(f, true);                                  /* Normal memory, also for EL0 */
    f->cpu.cpacr_el1 = 3 << 20;
    f->cpu.sctlr_el1 |= 1 << 26 | 1 << 18 | 1 << 16 | 1 << 15 | 1 << 14;    /* EL0 may do all */
    f->cpu.sctlr_el1 &= ~UINT64_C(0x18);                /* qemu-user checks no SP alignment */
    unsigned row_n = candidates(f->cpu.model, argc > 5 ? argv[5] : NULL, row);
    for (size_t done = 0; row_n && done < n; done += BATCH) {
        bad += batch(f, argv, row, row_n, q, MIN(n - done, (size_t)BATCH), executed);
    }
    unsigned seen = 0;
    for (unsigned i = 0; i < row_n; i++) {
        seen += executed[row[i]];
        if (!executed[row[i]] && n >= 200000) {
            printf("never executed: %s\n", a64_rows[row[i]].name);
        }
    }
    printf("%zu instructions, %u of %u rows executed, %zu differences\n", n, seen, row_n, bad);
    flat_free(f);
    free(q);
    return bad != 0;
}
