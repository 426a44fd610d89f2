/* SPDX-License-Identifier: Apache-2.0 */
/* Random instruction sequences and loops on two machines, whose states must be equal afterwards.
 *
 *   diff [--qemu QEMU GUEST | --with ENGINE] [--engine ENGINE] [--insns N] [--seed S] [--loops]
 *        [--group NAME] [--only PART-OF-A-ROW'S-NAME] [--len INSNS] [--keep-going] [--show]
 *        [--turns N] [--el1]
 *
 * ENGINE is one of engine.h's.  Without --qemu and --with: jit against interp.  --loops: programs
 * with loops, each executed twice (or N times).  --el1: with system instructions, our engines only.
 * A difference is made smaller before it is shown. */
#include "engine.h"
#include "gen.h"
#include "shrink.h"
#include "side.h"

#include "a64.gen.h"
#include "base/log.h"
#include "isa/dis/dis.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOP 0xd503201fu

struct options {
    const char *qemu, *guest, *engine, *with, *group, *only;
    uint64_t insns, seed;
    unsigned len, turns;
    bool keep_going, loops, show, el1;
};

static struct diff_test tests[DIFF_BATCH_MAX];
static struct side_result result;

/* ---- comparison ---- */

static void print_test(const struct diff_test *t, uint64_t pc, unsigned words)
{
    unsigned end = words;

    while (end > 1 && (t->word[end - 2] == GEN_BRK || t->word[end - 2] == NOP)) {
        end--;
    }
    for (unsigned i = 0; i < end; i++) {
        char text[128];
        if (t->word[i] == NOP) {
            continue;
        }
        dis_a64(t->word[i], pc + 4 * i, text, sizeof(text));
        printf("  %08" PRIx64 "  %08x  %-14s %s\n", pc + 4 * i, t->word[i],
               a64_rows[a64_decode(t->word[i])].name, text);
    }
}

#define SHOW(cond, ...) do { if (cond) { printf("  " __VA_ARGS__); } } while (0)

static void print_difference(const struct side *side, const struct diff_state *first,
                             const struct diff_state *a, const struct diff_state *b)
{
    for (unsigned i = 0; i < 32; i++) {
        printf("%s  %s%-2u %016" PRIx64, i % 4 ? "" : i ? "\n" : "", i < 31 ? "x" : "sp",
               i < 31 ? i : 0, i < 31 ? first->x[i] : first->sp);
    }
    printf("\n  %-5s %16s %33s %33s\n", "", "before", side[0].name, side[1].name);
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
    SHOW(a->fpcr != b->fpcr, "fpcr  %08x %08x %08x\n", first->fpcr, a->fpcr, b->fpcr);
    printf("  fpcr  %08x  fpsr %08x: %08x %08x\n", first->fpcr, first->fpsr, a->fpsr, b->fpsr);
    SHOW(a->esr != b->esr || a->far != b->far, "esr, far: %08x %" PRIx64 ", %08x %" PRIx64 "\n",
         a->esr, a->far, b->esr, b->far);
    SHOW(a->end != b->end, "end: %u %u\n", a->end, b->end);
    SHOW(a->earlier != b->earlier, "and the turn before this one\n");
}

static bool is_different(const struct side_result *r, unsigned i)
{
    return memcmp(&r->answer[0][i], &r->answer[1][i], sizeof(r->answer[0][i]));
}

static void report_test(struct side *side, const struct diff_batch *b, unsigned i)
{
    static struct side_result r;
    struct diff_batch one = *b;
    struct diff_test t = tests[i];
    uint64_t pc = diff_code_of(b, i);

    one.first += i;
    one.n = 1;
    printf("DIFFERENCE, seed %#" PRIx32 " slot %u, hot after %u\n", b->fill, i, t.hot_runs);
    if (shrink(side, &one, &t) && !side_run(side, &one, &t, &r)) {
        print_test(&t, pc, one.slot_words);
        if (is_different(&r, 0)) {
            print_difference(side, &t.state, &r.answer[0][0], &r.answer[1][0]);
        } else {
            printf("  memory differs\n");
        }
    } else {
        printf("(none when it runs alone)\n");
        print_test(&tests[i], pc, b->slot_words);
        print_difference(side, &t.state, &result.answer[0][i], &result.answer[1][i]);
    }
    fflush(stdout);
}

/* A batch whose memory differs: the same again one by one, to find the culprit. */
static void find_memory_difference(struct side *side, const struct diff_batch *b)
{
    static struct side_result r;

    for (unsigned i = 0; i < b->n; i++) {
        struct diff_batch one = *b;
        one.first += i;
        one.n = 1;
        if (!side_run(side, &one, &tests[i], &r)) {
            report_test(side, b, i);
            return;
        }
    }
    printf("memory differs, but not when run one by one (seed %#" PRIx32 ")\n", b->fill);
}

static unsigned report(struct side *side, const struct diff_batch *b, bool keep_going)
{
    unsigned bad = 0;

    for (unsigned i = 0; i < b->n && (keep_going ? bad < 50 : !bad); i++) {
        if (is_different(&result, i)) {
            bad++;
            report_test(side, b, i);
        }
    }
    if (!bad) {
        bad++;
        find_memory_difference(side, b);
    }
    return bad;
}

/* ---- options ---- */

static bool flag(struct options *o, const char *a)
{
    bool *b = !strcmp(a, "--keep-going") ? &o->keep_going : !strcmp(a, "--loops") ? &o->loops :
              !strcmp(a, "--show") ? &o->show : !strcmp(a, "--el1") ? &o->el1 : NULL;

    if (b) {
        *b = true;
    }
    return b;
}

static void parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){ .engine = "jit", .insns = 100000, .seed = 1 };
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (flag(o, a)) {
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
        } else if (!strcmp(a, "--turns")) {
            o->turns = strtoul(v, NULL, 0);
        } else if (!strcmp(a, "--len")) {
            o->len = strtoul(v, NULL, 0);
        } else {
            fprintf(stderr, "%s: no such option\n", a);
            exit(2);
        }
    }
    unsigned max = o->loops ? GEN_LOOP_INSNS_MAX : DIFF_WORDS_SHORT;
    o->len = o->len ? o->len : o->loops ? 40 : 6;
    o->len = o->len > max ? max : o->loops && o->len < 12 ? 12 : o->len;
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

/* ---- the watch: a machine that does not come back ---- */

static struct side side[2];
static volatile uint64_t batches;

static void watch(int sig)
{
    static uint64_t seen;

    if (seen == batches) {
        for (unsigned k = 0; k < 2; k++) {
            if (side[k].engine) {
                engine_late(side[k].engine);
            }
        }
    }
    seen = batches;
}

static void watch_begin(void)
{
    struct sigaction sa = { .sa_handler = watch, .sa_flags = SA_RESTART };
    struct itimerspec t = { .it_interval.tv_sec = 5, .it_value.tv_sec = 5 };
    struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    timer_t timer;

    sigaction(SIGALRM, &sa, NULL);
    if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &e, &timer) || timer_settime(timer, 0, &t, NULL)) {
        perror("timer");
        exit(1);
    }
}

static void sides_begin(const struct options *o)
{
    side[1].name = o->engine;
    side[1].engine = engine_new(o->engine, "max", o->el1);
    if (o->qemu) {
        side_start(&side[0], o->qemu, o->guest);
    } else {
        side[0].name = o->with ? o->with : "interp";
        side[0].engine = engine_new(side[0].name, "max", o->el1);
    }
    if (!side[1].engine || (!o->qemu && !side[0].engine)) {
        fprintf(stderr, "no such engine\n");
        exit(2);
    }
}

static void sides_end(void)
{
    for (unsigned k = 0; k < 2; k++) {
        if (side[k].engine) {
            engine_free(side[k].engine);
            side[k].engine = NULL;
        }
    }
}

static void make_batch(const struct options *o, struct gen *g, struct diff_batch *b)
{
    *b = (struct diff_batch){
        .n = o->loops ? 256 : DIFF_BATCH_MAX, .fill = (uint32_t)gen_random(g) | 1,
        .slot_words = (o->loops ? DIFF_WORDS : DIFF_WORDS_SHORT) + 1,
        .turns = o->turns ? o->turns : o->loops ? 2 : 1,
        .no_syndrome = o->qemu != NULL,
    };
    b->stride = b->slot_words * 4;
    if (o->loops && gen_below(g, 2)) {
        b->n = DIFF_BATCH_PAGES;
        b->stride = 4096;
        b->shift = 4096 - 4 * (1 + gen_below(g, o->len + 20));
    }
    for (unsigned i = 0; i < b->n; i++) {
        if (o->loops) {
            gen_loop_test(g, &tests[i], 12 + gen_below(g, o->len - 11));
        } else {
            gen_test(g, &tests[i], o->len);
        }
        if (o->show) {
            printf("program %u\n", i);
            print_test(&tests[i], diff_code_of(b, i), b->slot_words);
        }
    }
}

int main(int argc, char **argv)
{
    struct options o;
    static struct gen g;
    uint64_t programs = 0, executed = 0, done = 0;
    struct timespec begin, end;
    unsigned bad = 0;

    parse(&o, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (getenv("JIT_DUMP")) {
        log_items_set(getenv("JIT_DUMP"), NULL, NULL);
    }
    sides_begin(&o);
    watch_begin();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    gen_init(&g, o.seed, engine_features(side[1].engine), group_mask(o.group), o.only,
             o.qemu != NULL);
    g.el1 = o.el1;
    for (; done < o.insns && (o.keep_going ? bad < 100 : !bad); batches++) {
        struct diff_batch b;
        make_batch(&o, &g, &b);
        bool same = side_run(side, &b, tests, &result);
        for (unsigned k = 0; k < 2; k++) {
            executed += side[k].engine ? engine_insns(side[k].engine) : 0;
        }
        if (!same) {
            bad += report(side, &b, o.keep_going);
        }
        programs += b.n;
        done += (uint64_t)b.n * o.len;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%s against %s: %" PRIu64 " %s of up to %u instructions, %u rows", side[1].name,
           side[0].name, programs, o.loops ? "loops" : "sequences", o.len, g.candidate_n);
    if (executed) {
        printf(", %" PRIu64 " executed", executed);
    }
    printf(", %.1f s, seed %" PRIu64 ": %s\n", end.tv_sec - begin.tv_sec +
           (end.tv_nsec - begin.tv_nsec) / 1e9, o.seed, bad ? "DIFFERENT" : "equal");
    if (o.show) {
        engine_print_stats(side[1].engine);
    }
    sides_end();
    return bad != 0;
}
