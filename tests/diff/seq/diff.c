/* SPDX-License-Identifier: Apache-2.0 */
/* Random instruction sequences on two machines, whose states must be equal afterwards.
 *
 *   diff [--qemu QEMU GUEST | --with ENGINE] [--engine ENGINE] [--insns N] [--seed S]
 *        [--group NAME] [--only PART-OF-A-ROW'S-NAME] [--len INSNS] [--keep-going]
 *
 * ENGINE is interp or jit.  Without --qemu and --with: jit against interp. */
#include "engine.h"
#include "gen.h"

#include "a64.gen.h"
#include "isa/dis/dis.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct side {
    const char *name;
    struct engine *engine;          /* or a process: */
    int to, from;
    pid_t pid;
};

struct options {
    const char *qemu, *guest, *engine, *with, *group, *only;
    uint64_t insns, seed;
    unsigned len;
    bool keep_going;
};

static struct diff_test tests[DIFF_BATCH_MAX];
static struct diff_state answers[2][DIFF_BATCH_MAX];

/* ---- the other machine ---- */

static void transfer(ssize_t (*fn)(int, void *, size_t), int fd, void *p, size_t n)
{
    while (n) {
        ssize_t r = fn(fd, p, n);
        if (r <= 0) {
            fprintf(stderr, "the guest program is gone\n");
            exit(1);
        }
        p = (char *)p + r;
        n -= r;
    }
}

static ssize_t write_fn(int fd, void *p, size_t n)
{
    return write(fd, p, n);
}

static void side_start(struct side *s, const char *qemu, const char *guest)
{
    int in[2], out[2];

    if (pipe(in) || pipe(out)) {
        perror("pipe");
        exit(1);
    }
    s->pid = fork();
    if (s->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        execlp(qemu, qemu, "-cpu", "max,pauth-impdef=on,sve=off,sme=off", guest, NULL);
        perror(qemu);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    s->to = in[1];
    s->from = out[0];
    s->name = "qemu";
}

static void side_send(struct side *s, struct diff_batch *b, struct diff_test *t)
{
    if (!s->engine) {
        transfer(write_fn, s->to, b, sizeof(*b));
        transfer(write_fn, s->to, t, b->n * sizeof(*t));
    }
}

static void side_answer(struct side *s, const struct diff_batch *b, const struct diff_test *t,
                        struct diff_state *answer, uint64_t *hash)
{
    if (s->engine) {
        engine_batch(s->engine, b, t, answer, hash);
    } else {
        transfer(read, s->from, answer, b->n * sizeof(*answer));
        transfer(read, s->from, hash, sizeof(*hash));
    }
}

/* ---- comparison ---- */

static void print_test(const struct diff_test *t, unsigned index)
{
    uint64_t pc = DIFF_CODE + DIFF_CODE_FIRST + index * DIFF_SLOT_BYTES;

    for (unsigned i = 0; t->word[i] != 0xd4200000; i++) {
        char text[128];
        dis_a64(t->word[i], pc + 4 * i, text, sizeof(text));
        printf("  %08" PRIx64 "  %08x  %-14s %s\n", pc + 4 * i, t->word[i],
               a64_rows[a64_decode(t->word[i])].name, text);
    }
}

#define SHOW(cond, ...) do { if (cond) { printf("  " __VA_ARGS__); } } while (0)

static void print_difference(const struct side *side, const struct diff_state *first,
                             const struct diff_state *a, const struct diff_state *b)
{
    printf("  %-5s %16s %33s %33s\n", "", "before", side[0].name, side[1].name);
    for (unsigned i = 0; i < 31; i++) {
        SHOW(a->x[i] != b->x[i], "x%-4u %016" PRIx64 " %33" PRIx64 " %33" PRIx64 "\n", i,
             first->x[i], a->x[i], b->x[i]);
    }
    SHOW(a->sp != b->sp, "sp    %016" PRIx64 " %33" PRIx64 " %33" PRIx64 "\n", first->sp, a->sp,
         b->sp);
    SHOW(a->pc != b->pc, "pc    %16s %33" PRIx64 " %33" PRIx64 "\n", "", a->pc, b->pc);
    SHOW(a->nzcv != b->nzcv, "nzcv  %016" PRIx64 " %33" PRIx64 " %33" PRIx64 "\n", first->nzcv,
         a->nzcv, b->nzcv);
    for (unsigned i = 0; i < 32; i++) {
        SHOW(memcmp(a->v[i], b->v[i], 16),
             "v%-4u %016" PRIx64 "'%016" PRIx64 " %016" PRIx64 "'%016" PRIx64 " %016" PRIx64
             "'%016" PRIx64 "\n", i, first->v[i][1], first->v[i][0], a->v[i][1], a->v[i][0],
             b->v[i][1], b->v[i][0]);
    }
    printf("  fpcr  %08x  fpsr %08x: %08x %08x\n", first->fpcr, first->fpsr, a->fpsr, b->fpsr);
    SHOW(a->end != b->end, "end: %u %u\n", a->end, b->end);
}

static bool run_batch(struct side *side, struct diff_batch *b, struct diff_test *t,
                      uint64_t hash[2])
{
    for (unsigned k = 0; k < 2; k++) {
        side_send(&side[k], b, t);
    }
    for (unsigned k = 0; k < 2; k++) {
        side_answer(&side[k], b, t, answers[k], &hash[k]);
    }
    return hash[0] == hash[1] && !memcmp(answers[0], answers[1], b->n * sizeof(answers[0][0]));
}

/* A batch whose memory differs: the same again one by one, to find the culprit. */
static void find_memory_difference(struct side *side, unsigned n, uint32_t fill)
{
    uint64_t hash[2];

    for (unsigned i = 0; i < n; i++) {
        struct diff_batch one = { .n = 1, .fill = i ? 0 : fill };
        run_batch(side, &one, &tests[i], hash);
        if (hash[0] != hash[1]) {
            printf("memory differs after:\n");
            print_test(&tests[i], 0);
            return;
        }
    }
    printf("memory differs, but not when run one by one\n");
}

static unsigned report(struct side *side, unsigned n, uint32_t fill, const uint64_t hash[2],
                       bool keep_going)
{
    unsigned bad = 0;

    for (unsigned i = 0; i < n && (keep_going ? bad < 50 : !bad); i++) {
        if (memcmp(&answers[0][i], &answers[1][i], sizeof(answers[0][i]))) {
            bad++;
            printf("DIFFERENCE\n");
            print_test(&tests[i], i);
            print_difference(side, &tests[i].state, &answers[0][i], &answers[1][i]);
        }
    }
    if (hash[0] != hash[1] && !bad) {
        bad++;
        find_memory_difference(side, n, fill);
    }
    return bad;
}

/* ---- options ---- */

static void parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){ .engine = "interp", .insns = 100000, .seed = 1, .len = 6 };
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(a, "--keep-going")) {
            o->keep_going = true;
            continue;
        }
        if (!v) {
            fprintf(stderr, "%s: needs a value\n", a);
            exit(2);
        }
        i++;
        if (!strcmp(a, "--qemu") && i + 1 < argc) {
            o->qemu = v;
            o->guest = argv[++i];
        } else if (!strcmp(a, "--with")) {
            o->with = v;
        } else if (!strcmp(a, "--engine")) {
            o->engine = v;
        } else if (!strcmp(a, "--insns")) {
            o->insns = strtoull(v, NULL, 0);
        } else if (!strcmp(a, "--seed")) {
            o->seed = strtoull(v, NULL, 0);
        } else if (!strcmp(a, "--group")) {
            o->group = v;
        } else if (!strcmp(a, "--only")) {
            o->only = v;
        } else if (!strcmp(a, "--len")) {
            o->len = strtoul(v, NULL, 0);
        } else {
            fprintf(stderr, "%s: no such option\n", a);
            exit(2);
        }
    }
    o->len = o->len < 1 ? 1 : o->len > DIFF_WORDS ? DIFF_WORDS : o->len;
}

static unsigned group_mask(const char *name)
{
    static const char *const names[] = { "int", "branch", "mem", "sys", "fp", "simd", "crypto",
                                         "vmem" };

    for (unsigned i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(names[i], name)) {
            return 1u << i;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o;
    struct side side[2] = { 0 };
    static struct gen g;
    unsigned bad = 0;

    parse(&o, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    side[1].name = o.engine;
    side[1].engine = engine_new(o.engine, "max");
    if (o.qemu) {
        side_start(&side[0], o.qemu, o.guest);
    } else {
        side[0].name = o.with ? o.with : "interp";
        side[0].engine = engine_new(side[0].name, "max");
    }
    if (!side[1].engine || (!o.qemu && !side[0].engine)) {
        fprintf(stderr, "no such engine\n");
        return 2;
    }
    gen_init(&g, o.seed, engine_features(side[1].engine), group_mask(o.group), o.only,
             o.qemu != NULL);
    for (uint64_t done = 0; done < o.insns && (o.keep_going ? bad < 100 : !bad);) {
        struct diff_batch b = { .n = 512, .fill = (uint32_t)gen_random(&g) | 1 };
        uint64_t hash[2];
        for (unsigned i = 0; i < b.n; i++) {
            gen_test(&g, &tests[i], o.len);
        }
        if (!run_batch(side, &b, tests, hash)) {
            bad += report(side, b.n, b.fill, hash, o.keep_going);
        }
        done += (uint64_t)b.n * o.len;
    }
    printf("%s against %s: %" PRIu64 " instructions of %u rows, seed %" PRIu64 ": %s\n",
           side[1].name, side[0].name, o.insns, g.candidate_n, o.seed,
           bad ? "DIFFERENT" : "equal");
    return bad != 0;
}
