/* SPDX-License-Identifier: Apache-2.0 */
/* The file of translations.  It is host code that we are going to execute, so: a directory and a
 * file of ours that nobody else may write, no links, a checksum, and bounds on every number. */
#include "accel/jit/persist_int.h"

#include "base/base.h"
#include "base/log.h"
#include "isa/a64/translate.h"
#include "isa/emit_x64/gen.h"

#include <cpuid.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_FORMAT "jit-%016llx.cache"
#define TEMPORARY_FORMAT "jit-%016llx.%d-%x.tmp"

enum { FILES_MAX = 8, TEMPORARY_S_MAX = 3600 };

struct file_head {
    char magic[24];
    uint32_t head_bytes, record_n;
    uint64_t key[2];
    uint64_t bytes;             /* of the records */
    uint64_t sum;               /* of the records, seeded with the key */
};

static const char magic[24] = "pando translations 1\n";

/* ---- who we are ---- */
struct build {
    uint8_t id[64];
    size_t bytes;
};

static int build_of(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct build *b = arg;

    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        const uint8_t *p = (const uint8_t *)info->dlpi_addr + ph->p_vaddr, *end = p + ph->p_memsz;
        while (ph->p_type == PT_NOTE && end - p >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *n = (const void *)p;
            const uint8_t *name = p + sizeof(*n), *desc = name + ALIGN_UP(n->n_namesz, 4u);
            if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && !memcmp(name, "GNU", 4)) {
                b->bytes = MIN((size_t)n->n_descsz, sizeof(b->id));
                memcpy(b->id, desc, b->bytes);
            }
            p = desc + ALIGN_UP(n->n_descsz, 4u);
        }
    }
    return 1;                   /* the program itself comes first */
}

/* What __builtin_cpu_supports() may say, and whatever we may ask it for one day. */
static uint64_t host_hash(uint64_t seed)
{
    unsigned w[5][4] = { { 0 } };

    __get_cpuid(1, &w[0][0], &w[0][1], &w[0][2], &w[0][3]);
    w[0][1] = 0;                /* the number of this CPU */
    w[0][2] &= ~(1u << 27);     /* OSXSAVE is what XGETBV below is for */
    __get_cpuid_count(7, 0, &w[1][0], &w[1][1], &w[1][2], &w[1][3]);
    __get_cpuid_count(7, 1, &w[2][0], &w[2][1], &w[2][2], &w[2][3]);
    __get_cpuid(0x80000001, &w[3][0], &w[3][1], &w[3][2], &w[3][3]);
    __asm__ volatile("xgetbv" : "=a"(w[4][0]), "=d"(w[4][1]) : "c"(0));
    return persist_hash(seed, w, sizeof(w));
}

static bool key_make(struct jit_persist *p, const struct jit_persist_key *key)
{
    struct build b = { .bytes = 0 };

    dl_iterate_phdr(build_of, &b);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t h = persist_hash(0x70616e64 + i, b.id, b.bytes);
        h = host_hash(h);
        p->key[i] = persist_hash(h, key->bytes, key->size);
    }
    snprintf(p->name, sizeof(p->name), NAME_FORMAT, (unsigned long long)p->key[0]);
    return b.bytes;
}

/* ---- reading ---- */
/* NULL: fine.  `is_dir`: a directory, else a file. */
static const char *trust(int fd, bool is_dir, struct stat *st)
{
    if (fstat(fd, st)) {
        return strerror(errno);
    }
    if (is_dir ? !S_ISDIR(st->st_mode) : !S_ISREG(st->st_mode)) {
        return is_dir ? "not a directory" : "not a plain file";
    }
    if (st->st_uid != geteuid()) {
        return "belongs to somebody else";
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        return "others may write it";
    }
    return NULL;
}

static bool record_ok(const struct persist_record *r, size_t room)
{
    const struct persist_run *run = persist_runs(r);
    uint64_t need = sizeof(*r);
    unsigned word_n = 0, at = 0;
    bool has_first = false;

    if (room < sizeof(*r) || r->bytes > room || r->bytes % 16 || r->mode >= A64_MODES ||
        r->first >= 1024 || r->is_region > 1 || !r->run_n || r->run_n > 512 ||
        r->code_bytes > PERSIST_CODE_MAX) {
        return false;
    }
    need += r->run_n * sizeof(*run) + r->word_n * 4u + r->far_n * 4u + r->code_bytes;
    if (need > r->bytes || r->code_bytes < 16 || r->entry > r->code_bytes - 16 || r->entry % 16 ||
        r->stale > r->code_bytes - 5) {
        return false;
    }
    for (unsigned i = 0; i < r->run_n; i++) {
        if (run[i].first < at || !run[i].n || run[i].first + run[i].n > 1024) {
            return false;
        }
        has_first |= r->first >= run[i].first && r->first < run[i].first + run[i].n;
        at = run[i].first + run[i].n;
        word_n += run[i].n;
    }
    for (unsigned i = 0; i < r->far_n; i++) {
        uint32_t f = persist_far(r)[i];
        unsigned more = JIT_FAR_THUNK(f) == GEN_T_LINK ? 16 : 4;
        if (JIT_FAR_THUNK(f) >= GEN_T_COUNT || JIT_FAR_AT(f) + more > r->code_bytes) {
            return false;
        }
    }
    return has_first && word_n == r->word_n;
}

/* NULL: fine. */
static const char *take_records(struct jit_persist *p, const struct file_head *h)
{
    const uint8_t *at = p->file + sizeof(*h), *end = at + h->bytes;

    for (uint32_t i = 0; i < h->record_n; i++) {
        const struct persist_record *r = (const void *)at;
        if (!record_ok(r, end - at)) {
            return "damaged";
        }
        if (!persist_add(p, r, false)) {
            return "no memory";
        }
        at += r->bytes;
    }
    p->stats.loaded = h->record_n;
    p->stats.file_bytes = h->bytes;
    return at == end ? NULL : "damaged";
}

static const char *take_file(struct jit_persist *p, size_t bytes)
{
    const struct file_head *h = (const void *)p->file;

    if (bytes < sizeof(*h) || memcmp(h->magic, magic, sizeof(magic)) ||
        h->head_bytes != sizeof(*h)) {
        return "not a file of translations";
    }
    if (memcmp(h->key, p->key, sizeof(p->key))) {
        return "of another build, host CPU or set of options";
    }
    if (h->bytes != bytes - sizeof(*h) || h->record_n > PERSIST_RECORDS_MAX ||
        h->sum != persist_hash(h->key[0] ^ h->record_n, h + 1, h->bytes)) {
        return "damaged";
    }
    return take_records(p, h);
}

/* What is wrong with the contents is put right by writing the file anew. */
static void begin_anew(struct jit_persist *p, const char *why)
{
    log_warn("jit", "cache: %s/%s: %s; begun anew", p->dir_name, p->name, why);
    persist_forget(p);
}

void persist_file_load(struct jit_persist *p)
{
    const char *why = take_file(p, p->file_bytes);

    if (why) {
        begin_anew(p, why);
    }
}

static void map(struct jit_persist *p, int fd, uint64_t bytes, uint64_t inode)
{
    void *at;

    p->inode = inode;
    /* Nobody but us may write the file, and we replace files instead of writing into them. */
    if (bytes < sizeof(struct file_head) ||
        bytes > PERSIST_BYTES_MAX + sizeof(struct file_head)) {
        begin_anew(p, bytes < sizeof(struct file_head) ? "damaged" : "too large");
        return;
    }
    at = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        begin_anew(p, strerror(errno));
        return;
    }
    madvise(at, bytes, MADV_WILLNEED);
    p->file = at;
    p->file_bytes = bytes;
}

/* NULL: fine, which includes that there is none. */
static const char *find(struct jit_persist *p)
{
    int fd = openat(p->dir, p->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    const char *why;
    struct stat st;

    if (fd < 0) {
        return errno == ENOENT ? NULL : strerror(errno);
    }
    why = trust(fd, false, &st);
    if (!why) {
        map(p, fd, st.st_size, st.st_ino);
    }
    close(fd);
    return why;
}

bool persist_file_open(struct jit_persist *p, const char *dir, const struct jit_persist_key *key)
{
    const char *why = NULL;
    struct stat st;

    if (!key_make(p, key)) {
        log_warn("jit", "cache=%s: this program has no build id; not used", dir);
        return false;
    }
    mkdir(dir, 0700);
    p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    why = p->dir < 0 ? strerror(errno) : trust(p->dir, true, &st);
    if (why) {
        log_warn("jit", "cache=%s: %s; not used", dir, why);
        return false;
    }
    p->dir_name = strdup(dir);
    why = p->dir_name ? find(p) : "no memory";
    if (why) {
        log_warn("jit", "cache: %s/%s: %s; not used", dir, p->name, why);
        return false;
    }
    return true;
}

/* ---- writing ---- */
/* Files of other builds, but the newest; what a process that was killed left behind. */
static void prune(struct jit_persist *p)
{
    int fd = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct { char name[40]; time_t t; } oldest = { "", 0 };
    struct dirent *e;
    unsigned n = 0;

    while (d && (e = readdir(d))) {
        unsigned long long key;
        struct stat st;
        unsigned number;
        int pid, end = 0;
        bool is_cache = sscanf(e->d_name, "jit-%16llx.cache%n", &key, &end) == 1 && end &&
                        !e->d_name[end];
        bool is_temporary = !is_cache && sscanf(e->d_name, "jit-%16llx.%d-%x.tmp", &key, &pid,
                                             &number) == 3;
        if ((!is_cache && !is_temporary) ||
            fstatat(p->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) {
            continue;
        }
        if (is_temporary && time(NULL) - st.st_mtime > TEMPORARY_S_MAX) {
            unlinkat(p->dir, e->d_name, 0);
        }
        if (is_cache && strcmp(e->d_name, p->name)) {
            n++;
            if (!*oldest.name || st.st_mtime < oldest.t) {
                oldest.t = st.st_mtime;
                snprintf(oldest.name, sizeof(oldest.name), "%.39s", e->d_name);
            }
        }
    }
    if (n >= FILES_MAX) {
        unlinkat(p->dir, oldest.name, 0);
    }
    if (d) {
        closedir(d);
    } else if (fd >= 0) {
        close(fd);
    }
}

/* What was used in this run first: if there is too much the rest is left out. */
static size_t collect(const struct jit_persist *p, uint8_t *to, size_t room, uint32_t *n)
{
    size_t at = 0;

    for (unsigned used = 2; used-- > 0;) {
        for (uint32_t i = 0; i < p->entry_n; i++) {
            const struct persist_record *r = p->entry[i].record;
            if (p->entry[i].used == used && r->bytes <= room - at) {
                memcpy(to + at, r, r->bytes);
                at += r->bytes;
                ++*n;
            }
        }
    }
    return at;
}

static bool write_all(int fd, const uint8_t *from, size_t bytes)
{
    while (bytes) {
        ssize_t k = write(fd, from, bytes);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            return false;
        }
        from += k;
        bytes -= k;
    }
    return true;
}

/* What another process has written since we read the file; `from` must live as long as `p`. */
static void merge(struct jit_persist *p, struct jit_persist *from)
{
    struct stat st;

    if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino == p->inode ||
        find(from) || !from->file || take_file(from, from->file_bytes)) {
        return;
    }
    for (uint32_t i = 0; i < from->entry_n; i++) {
        const struct persist_record *r = from->entry[i].record;
        if (!persist_has(p, r) && persist_add(p, r, false)) {
            p->stats.file_bytes += r->bytes;
        }
    }
}

static void write_file(struct jit_persist *p)
{
    size_t room = MIN(p->stats.file_bytes + p->stats.noted_bytes, (uint64_t)PERSIST_BYTES_MAX);
    uint8_t *all = malloc(sizeof(struct file_head) + room);
    struct file_head *h = (void *)all;
    char name[48];
    bool ok;
    int fd;

    if (!all) {
        return;
    }
    *h = (struct file_head){
        .head_bytes = sizeof(*h), .key = { p->key[0], p->key[1] },
    };
    memcpy(h->magic, magic, sizeof(magic));
    h->bytes = collect(p, all + sizeof(*h), room, &h->record_n);
    h->sum = persist_hash(h->key[0] ^ h->record_n, h + 1, h->bytes);
    prune(p);
    snprintf(name, sizeof(name), TEMPORARY_FORMAT, (unsigned long long)p->key[0], (int)getpid(),
             (unsigned)((uintptr_t)p >> 4));
    unlinkat(p->dir, name, 0);
    fd = openat(p->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    ok = fd >= 0 && write_all(fd, all, sizeof(*h) + h->bytes);
    if (fd >= 0) {
        ok = !close(fd) && ok;
    }
    if (!ok || renameat(p->dir, name, p->dir, p->name)) {
        log_warn("jit", "cache: cannot write %s/%s: %s", p->dir_name, p->name, strerror(errno));
        unlinkat(p->dir, name, 0);
    }
    free(all);
}

void persist_file_save(struct jit_persist *p)
{
    struct jit_persist from = {
        .dir = p->dir, .dir_name = p->dir_name, .key = { p->key[0], p->key[1] },
    };

    snprintf(from.name, sizeof(from.name), "%s", p->name);
    if (persist_grow(&from)) {
        merge(p, &from);
    }
    write_file(p);
    persist_unmap(&from);
    free(from.entry);
    free(from.bucket);
}
