/* SPDX-License-Identifier: Apache-2.0 */
/* Translations that are kept: found by content, the same code wherever they are put, and a file
 * that is used only if it is ours and whole.
 *
 *   test_persist [SEED]         */
#include "accel/jit/jit_int.h"
#include "base/prng.h"

#include "../check.h"
#include "../isa/flat.h"

#include "a64.gen.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCKS = 3000, WFI = 0xd503207f };

static char dir[64];

/* ---- the table and the file, with translations that nobody runs ---- */
static struct a64_words words;
static uint32_t page[1024];
static uint8_t code[96];
static const uint32_t far[2] = { 1 | GEN_T_CALL << 24, 32 | GEN_T_LINK << 24 };

static struct jit_persist *open_with(uint32_t k)
{
    return jit_persist_open(dir, &(struct jit_persist_key){ &k, sizeof(k) });
}

/* Instructions 7, 8 and 20, whose words depend on n. */
static void set_words(uint32_t n)
{
    memset(words.used, 0, sizeof(words.used));
    words.used[0] = 1u << 7 | 1u << 8 | 1u << 20;
    page[7] = words.word[7] = 0x1000;
    page[8] = words.word[8] = n;
    page[20] = words.word[20] = n * 3;
}

static void note(struct jit_persist *p, uint32_t n)
{
    struct a64_block b = { .words = &words, .first = 7, .mode = 3, .insn_n = 3,
                           .model = a64_model_find("max") };
    struct jit_image m = { .code = code, .code_bytes = sizeof(code), .far = far, .far_n = 2,
                           .entry = 16, .stale = 80, .insn_n = 3 };

    set_words(n);
    memset(code, (int)n, sizeof(code));
    jit_persist_note(p, &b, &m);
}

static bool find(struct jit_persist *p, uint32_t n)
{
    struct jit_image m;

    set_words(n);
    return jit_persist_find(p, a64_model_find("max"), 3, page, 7, &m) &&
           m.code_bytes == sizeof(code) && m.code[0] == (uint8_t)n && m.code[95] == (uint8_t)n &&
           m.far_n == 2 && !memcmp(m.far, far, sizeof(far)) && m.entry == 16 && m.stale == 80;
}

static uint64_t loaded(struct jit_persist *p)
{
    struct jit_persist_stats s = { .loaded = ~UINT64_C(0) };

    if (p) {
        jit_persist_stats(p, &s);
    }
    return s.loaded;
}

/* Path of the one file of translations, or "". */
static const char *file_path(void)
{
    static char path[400];
    DIR *d = opendir(dir);
    struct dirent *e;

    *path = 0;
    while ((e = readdir(d))) {
        if (strstr(e->d_name, ".cache")) {
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        }
    }
    closedir(d);
    return path;
}

static void remove_all(void)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[400];

    while (d && (e = readdir(d))) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        unlink(path);
    }
    if (d) {
        closedir(d);
    }
    rmdir(dir);
}

static void make_file(unsigned n)
{
    struct jit_persist *p;

    remove_all();
    p = open_with(1);
    for (unsigned i = 0; i < n; i++) {
        note(p, i);
    }
    jit_persist_close(p);
}

static void test_table(void)
{
    struct jit_persist *p;
    struct jit_image m;

    make_file(10000);
    p = open_with(1);
    CHECK(loaded(p) == 10000, "%" PRIu64, loaded(p));
    for (unsigned i = 0; i < 10000; i += 37) {
        CHECK(find(p, i));
    }
    CHECK(!find(p, 10000));
    /* Each of the words counts, and so do place, mode and model; others do not. */
    for (unsigned i = 0; i < 1024; i++) {
        set_words(5);
        page[i] ^= 1;
        CHECK(jit_persist_find(p, a64_model_find("max"), 3, page, 7, &m) ==
              (i != 7 && i != 8 && i != 20), "%u", i);
        page[i] ^= 1;
    }
    set_words(5);
    CHECK(!jit_persist_find(p, a64_model_find("max"), 2, page, 7, &m));
    CHECK(!jit_persist_find(p, a64_model_find("cortex-a72"), 3, page, 7, &m));
    CHECK(!jit_persist_find(p, a64_model_find("max"), 3, page, 8, &m));
    jit_persist_close(p);
    p = open_with(2);
    CHECK(loaded(p) == 0);          /* other options, other file */
    jit_persist_close(p);
}

/* Opens, and tells how many lines that wrote to standard error. */
static struct jit_persist *open_quietly(unsigned *lines)
{
    FILE *f = tmpfile();
    int err = dup(2), c;
    struct jit_persist *p;

    dup2(fileno(f), 2);
    p = open_with(1);
    loaded(p);                      /* a thread of its own does it: until it has ended */
    dup2(err, 2);
    close(err);
    rewind(f);
    for (*lines = 0; (c = fgetc(f)) != EOF;) {
        *lines += c == '\n';
    }
    fclose(f);
    return p;
}

static void expect_begun_anew(const char *what)
{
    unsigned lines;
    struct jit_persist *p = open_quietly(&lines);

    CHECK(p && loaded(p) == 0 && !find(p, 5) && lines == 1, "%s: %u lines", what, lines);
    if (p) {
        note(p, 5);
    }
    jit_persist_close(p);
    p = open_with(1);
    CHECK(loaded(p) == 1 && find(p, 5), "%s: written again", what);
    jit_persist_close(p);
}

static void expect_refused(const char *what)
{
    unsigned lines;
    struct jit_persist *p = open_quietly(&lines);

    CHECK(!p && lines == 1, "%s: %u lines", what, lines);
    jit_persist_close(p);
}

static void change_byte(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t b;

    CHECK(pread(fd, &b, 1, at) == 1);
    b ^= 0x40;
    CHECK(pwrite(fd, &b, 1, at) == 1);
    close(fd);
}

static void test_damaged(uint64_t seed)
{
    struct prng p;
    struct stat st;

    prng_init(&p, seed);
    make_file(100);
    CHECK(!stat(file_path(), &st));
    for (unsigned i = 0; i < 60; i++) {
        off_t at = i < 20 ? i * 4 : (off_t)prng_below(&p, st.st_size);
        make_file(100);
        change_byte(file_path(), at);
        expect_begun_anew("a byte");
    }
    for (unsigned i = 0; i < 20; i++) {
        make_file(100);
        CHECK(!truncate(file_path(), i ? (off_t)prng_below(&p, st.st_size) : 0));
        expect_begun_anew("truncated");
    }
    make_file(100);
    CHECK(!truncate(file_path(), st.st_size + 16));
    expect_begun_anew("longer");
    make_file(100);
    CHECK(!truncate(file_path(), 1 << 30));
    expect_begun_anew("huge");
}

/* What another build would leave under our name. */
static void test_other_build(void)
{
    char ours[400], other[400];

    make_file(10);
    snprintf(ours, sizeof(ours), "%s", file_path());
    unlink(ours);
    struct jit_persist *p = open_with(2);
    note(p, 5);
    jit_persist_close(p);
    snprintf(other, sizeof(other), "%s", file_path());
    CHECK(strcmp(ours, other) && !rename(other, ours));
    expect_begun_anew("another build's");
}

static void test_rights(void)
{
    char path[400], elsewhere[500];

    make_file(10);
    snprintf(path, sizeof(path), "%s", file_path());
    CHECK(!chmod(path, 0664));
    expect_refused("a file that a group may write");
    CHECK(!chmod(path, 0602));
    expect_refused("a file that all may write");
    CHECK(!chmod(path, 0600) && !chmod(dir, 0777));
    expect_refused("a directory that all may write");
    CHECK(!chmod(dir, 0700));
    if (!geteuid()) {
        CHECK(!chown(path, 1, 1));
        expect_refused("somebody else's file");
        CHECK(!chown(path, 0, 0) && !chown(dir, 1, 1));
        expect_refused("somebody else's directory");
        CHECK(!chown(dir, 0, 0));
    }
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
    CHECK(!rename(path, elsewhere) && !symlink("elsewhere", path));
    expect_refused("a symbolic link");
    unlink(path);
    CHECK(!mkfifo(path, 0600));
    expect_refused("a pipe");
    unlink(path);
    CHECK(!rename(elsewhere, path));
    struct jit_persist *p = open_with(1);
    CHECK(loaded(p) == 10);
    jit_persist_close(p);
    remove_all();
    int fd = open(dir, O_CREAT | O_WRONLY, 0600);
    close(fd);
    expect_refused("a file for a directory");
    unlink(dir);
}

/* Each writes a whole file, with what the other has written meanwhile. */
static void test_two_at_once(void)
{
    struct jit_persist *a, *b;

    remove_all();
    a = open_with(1);
    b = open_with(1);
    for (unsigned i = 0; i < 10; i++) {
        note(a, i);
        note(b, 100 + i);
        note(b, 100 + i);
    }
    jit_persist_close(a);
    jit_persist_close(b);
    a = open_with(1);
    CHECK(loaded(a) == 20 && find(a, 105) && find(a, 5));
    b = open_with(1);
    for (unsigned i = 0; i < 20; i++) {
        note(a, 200 + i);
        note(b, 205 + i);
    }
    jit_persist_close(a);
    jit_persist_close(b);
    a = open_with(1);
    CHECK(loaded(a) == 20 + 25 && find(a, 200) && find(a, 224) && find(a, 5));
    jit_persist_close(a);
}

/* A file is not written again for a little. */
static void test_few_new(void)
{
    struct jit_persist *p;

    make_file(1000);
    p = open_with(1);
    note(p, 2000);
    CHECK(find(p, 2000));
    jit_persist_close(p);
    p = open_with(1);
    CHECK(loaded(p) == 1000);
    for (unsigned i = 0; i < 100; i++) {
        note(p, 2000 + i);
    }
    jit_persist_close(p);
    p = open_with(1);
    CHECK(loaded(p) == 1100 && find(p, 2099) && find(p, 999));
    jit_persist_close(p);
}

/* ---- code ---- */
static uint32_t random_insn(struct prng *p, uint64_t features)
{
    for (;;) {
        unsigned row = 1 + prng_below(p, a64_row_n - 1);
        uint32_t w = a64_rows[row].value | ((uint32_t)prng_u64(p) & ~a64_rows[row].mask);
        if (a64_decode_for(features, w) == row &&
            (a64_rows[row].group != A64_GROUP_BRANCH || !prng_below(p, 6))) {
            return w;
        }
    }
}

/* Code depends on nothing but what it was made from: put somewhere else it is, byte for byte,
 * what is generated there. */
static void test_moved(uint64_t seed)
{
    static struct jit_cpu v;
    struct jit *ja = jit_new(&(struct jit_options){ .cache_dir = dir, .cache_mib = 64 }, NULL);
    struct jit *jb = jit_new(&(struct jit_options){ .cache_mib = 64 }, NULL);
    struct jit_cache *ca = atomic_load(&ja->cache), *cb = atomic_load(&jb->cache);
    const struct a64_model *model = a64_model_find("max");
    static uint8_t here[GEN_CODE_MAX];
    unsigned differ = 0, same = 0, kept = 0;
    struct prng p;

    prng_init(&p, seed);
    cb->used += 3 << 16;
    cb->block_n += 12345;
    for (unsigned n = 0; n < BLOCKS && !differ; n++) {
        unsigned first = prng_below(&p, 1024);
        struct a64_block b = { .code = page, .first = first, .insn_max = 1 + prng_below(&p, 30),
                               .mode = prng_below(&p, A64_MODES), .model = model,
                               .words = &v.words, .host = ja->guest.host };
        struct jit_image m;
        struct jit_block *one, *two;
        uint32_t id = cb->block_n;
        size_t bytes, used = cb->used;
        bool full;
        for (unsigned i = first; i < 1024; i++) {
            page[i] = random_insn(&p, model->features);
        }
        a64_translate_block(&b, &v.ir);
        if (v.ir.full || !jit_cache_add(&v, ca, first * 4, &b, 0, &full)) {
            continue;
        }
        one = jit_cache_add(&v, cb, first * 4, &b, 0, &full);
        bytes = cb->rw + cb->used - one->entry;
        memcpy(here, one->entry, bytes);
        memset(one->entry, 0xcc, bytes);
        cb->used = used;
        cb->block_n = id;
        if (!jit_persist_find(ja->persist, model, b.mode, page, first, &m)) {
            continue;
        }
        kept++;
        two = jit_cache_adopt(cb, &m, first * 4, b.mode, 0);
        if (two != one || cb->rw + cb->used - two->entry != (ptrdiff_t)bytes ||
            memcmp(here, two->entry, bytes)) {
            fprintf(stderr, "seed %" PRIu64 ", block %u: %08x …\n", seed, n, page[first]);
            differ++;
        } else {
            same++;
        }
        cb->page[0] = NULL;         /* we break its lists: blocks are born twice */
    }
    CHECK(!differ && same > BLOCKS * 3 / 4 && kept == same, "%u the same, %u differ", same, differ);
    jit_free(ja);
    jit_free(jb);
}

/* x0 = the sum of 1 … x1, by a loop over a call. */
static const uint32_t program[] = {
    0xd2800000,         /* mov x0, #0 */
    0x94000004,         /* l: bl f */
    0xf1000421,         /* subs x1, x1, #1 */
    0x54ffffc1,         /* b.ne l */
    WFI,
    0x8b010000,         /* f: add x0, x0, x1 */
    0xd65f03c0,         /* ret */
};

static void stop_wait(void *ctx, bool is_wfi)
{
    ((struct flat *)ctx)->cpu.poll = 4;
}

static uint64_t sum(struct flat *f, struct jit *jit, uint64_t at, uint64_t n)
{
    memcpy(flat_word(f, at), program, sizeof(program));
    f->cpu.pc = at;
    f->cpu.poll = 0;
    f->cpu.el = 1;
    f->cpu.x[1] = n;
    jit_run(jit, &f->cpu);
    return f->cpu.x[0];
}

static void test_round_trip(void)
{
    const uint64_t at = FLAT_RAM + 0x10100, other = FLAT_RAM + 0x20100;
    struct jit_options o = { .cache_dir = dir };
    struct flat *f = flat_new("max");
    struct jit_stats cold, warm;
    struct jit *jit;

    remove_all();
    f->cpu.bus.wait_for_event = stop_wait;
    jit = jit_new(&o, NULL);
    CHECK(sum(f, jit, at, 1000) == 500500);
    jit_stats(jit, &cold);
    CHECK(cold.kept_noted && !cold.kept_found);
    CHECK(sum(f, jit, other, 1000) == 500500);
    jit_stats(jit, &warm);
    CHECK(warm.kept_noted == cold.kept_noted && warm.kept_found == cold.kept_noted,
          "in another page, without a new translation");
    jit_cpu_free(&f->cpu);
    jit_free(jit);

    jit = jit_new(&o, NULL);
    CHECK(sum(f, jit, at, 100) == 5050);
    jit_stats(jit, &warm);
    CHECK(warm.kept_loaded == cold.kept_noted && warm.kept_found == cold.kept_noted &&
          !warm.kept_noted);
    /* Other code at the same place. */
    jit_invalidate_page(jit, at);
    *flat_word(f, at + 20) = 0xcb010000;        /* f: sub x0, x0, x1 */
    f->cpu.pc = at;
    f->cpu.poll = 0;
    f->cpu.x[1] = 100;
    jit_run(jit, &f->cpu);
    CHECK(f->cpu.x[0] == (uint64_t)-5050);
    jit_cpu_free(&f->cpu);
    jit_free(jit);

    o.host_without = UINT32_MAX;        /* as on another host */
    jit = jit_new(&o, NULL);
    CHECK(sum(f, jit, at, 100) == 5050);
    jit_stats(jit, &warm);
    CHECK(!gen_host() || (!warm.kept_loaded && !warm.kept_found && warm.kept_noted));
    jit_cpu_free(&f->cpu);
    jit_free(jit);
    flat_free(f);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    struct jit *jit = jit_new(NULL, NULL);

    if (!jit) {
        return 77;              /* skipped: the host cannot */
    }
    jit_free(jit);
    umask(022);
    snprintf(dir, sizeof(dir), "/tmp/pando-persist.XXXXXX");
    CHECK(mkdtemp(dir));
    test_table();
    test_damaged(seed);
    test_other_build();
    test_rights();
    test_two_at_once();
    test_few_new();
    test_moved(seed);
    test_round_trip();
    remove_all();
    return check_result();
}
