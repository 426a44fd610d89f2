/* SPDX-License-Identifier: Apache-2.0 */
/* The table of translations by content. */
#include "accel/jit/persist_int.h"

#include "base/base.h"
#include "base/log.h"
#include "isa/a64/model.h"
#include "isa/a64/translate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUCKETS_MIN = 1 << 12, CHUNK_BYTES = 1 << 20, NOTED_MIN_DIVISOR = 32 };

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9fb21c651e98df25);
    return h ^ h >> 29;
}

/* Four lanes, so that the multiplications overlap. */
uint64_t persist_hash(uint64_t seed, const void *p, size_t bytes)
{
    uint64_t lane[4] = { seed, seed + 1, seed + 2, seed + 3 }, v[4];
    const uint8_t *b = p;
    size_t left = bytes;

    for (; left >= sizeof(v); left -= sizeof(v), b += sizeof(v)) {
        memcpy(v, b, sizeof(v));
        for (unsigned i = 0; i < 4; i++) {
            lane[i] = mix(lane[i], v[i]);
        }
    }
    memset(v, 0, sizeof(v));
    memcpy(v, b, left);
    for (unsigned i = 0; i < 4; i++) {
        lane[i] = mix(lane[i], v[i]);
    }
    return mix(mix(mix(mix(bytes, lane[0]), lane[1]), lane[2]), lane[3]);
}

/* Translations are looked up by four words if they begin with four that follow each other, else by
 * one: functions begin alike, often at the same place of a page. */
enum { KEY_WORDS = 4 };

static uint64_t key_of(uint64_t model, unsigned mode, unsigned first, const uint32_t *page,
                       unsigned word_n)
{
    uint64_t h = mix(model, mode << 16 | first);

    for (unsigned i = 0; i < word_n; i++) {
        h = mix(h, page[first + i]);
    }
    return h;
}

/* ---- the table ---- */
bool persist_grow(struct jit_persist *p)
{
    uint32_t n = p->bucket ? (p->bucket_mask + 1) * 2 : BUCKETS_MIN;
    uint32_t *bucket = calloc(n, sizeof(*bucket));

    if (!bucket) {
        return false;
    }
    free(p->bucket);
    p->bucket = bucket;
    p->bucket_mask = n - 1;
    for (uint32_t i = 0; i < p->entry_n; i++) {
        uint32_t *b = &bucket[p->entry[i].key & p->bucket_mask];
        p->entry[i].next = *b;
        *b = i + 1;
    }
    return true;
}

bool persist_add(struct jit_persist *p, const struct persist_record *r, bool used)
{
    uint32_t *b;

    if (p->entry_n == p->entry_max) {
        uint32_t max = p->entry_max ? p->entry_max * 2 : BUCKETS_MIN;
        struct persist_entry *e = realloc(p->entry, max * sizeof(*e));
        if (!e) {
            return false;
        }
        p->entry = e;
        p->entry_max = max;
    }
    if (p->entry_n > p->bucket_mask && !persist_grow(p)) {
        return false;
    }
    b = &p->bucket[r->key & p->bucket_mask];
    p->entry[p->entry_n] = (struct persist_entry){ .key = r->key, .record = r, .next = *b,
                                                   .used = used };
    *b = ++p->entry_n;
    return true;
}

void persist_unmap(struct jit_persist *p)
{
    if (p->file) {
        munmap(p->file, p->file_bytes);
    }
    p->file = NULL;
}

void persist_forget(struct jit_persist *p)
{
    p->entry_n = 0;
    memset(p->bucket, 0, (p->bucket_mask + 1) * sizeof(*p->bucket));
    persist_unmap(p);
    p->stats = (struct jit_persist_stats){ 0 };
}

bool persist_has(const struct jit_persist *p, const struct persist_record *r)
{
    for (uint32_t i = p->bucket[r->key & p->bucket_mask]; i; i = p->entry[i - 1].next) {
        const struct persist_record *o = p->entry[i - 1].record;
        if (o->key == r->key && o->model == r->model && o->mode == r->mode &&
            o->first == r->first && o->is_region == r->is_region && o->run_n == r->run_n &&
            o->word_n == r->word_n &&
            !memcmp(persist_runs(o), persist_runs(r), r->run_n * sizeof(struct persist_run)) &&
            !memcmp(persist_words(o), persist_words(r), r->word_n * 4u)) {
            return true;
        }
    }
    return false;
}

static bool same_words(const struct persist_record *r, const uint32_t *page)
{
    const struct persist_run *run = persist_runs(r);
    const uint32_t *w = persist_words(r);

    for (unsigned i = 0; i < r->run_n; i++) {
        if (memcmp(page + run[i].first, w, run[i].n * 4)) {
            return false;
        }
        w += run[i].n;
    }
    return true;
}

static struct persist_entry *find_by(struct jit_persist *p, uint64_t model, unsigned mode,
                                     const uint32_t *page, unsigned first, bool regions,
                                     unsigned word_n)
{
    uint64_t key = key_of(model, mode, first, page, word_n);
    struct persist_entry *found = NULL;

    for (uint32_t i = p->bucket[key & p->bucket_mask]; i; i = p->entry[i - 1].next) {
        struct persist_entry *e = &p->entry[i - 1];
        const struct persist_record *r = e->record;
        if (e->key != key || r->model != model || r->mode != mode || r->first != first ||
            (r->is_region ? !regions : !!found) || !same_words(r, page)) {
            continue;
        }
        found = e;
        if (r->is_region) {
            break;
        }
    }
    return found;
}

/* Under the lock.  A region, if there is one, unless `regions` is false. */
static struct persist_entry *find(struct jit_persist *p, uint64_t model, unsigned mode,
                                  const uint32_t *page, unsigned first, bool regions)
{
    struct persist_entry *e = NULL;

    if (first + KEY_WORDS <= 1024) {
        e = find_by(p, model, mode, page, first, regions, KEY_WORDS);
    }
    return e ? e : find_by(p, model, mode, page, first, regions, 1);
}

/* A model is a row of a table, so its name tells all that the build does not. */
static uint64_t model_hash(const struct a64_model *m)
{
    return persist_hash(m->features, m->name, strlen(m->name));
}

bool jit_persist_find(struct jit_persist *p, const struct a64_model *model, unsigned mode,
                      const uint32_t *page, unsigned first, struct jit_image *out)
{
    uint64_t m = model_hash(model);
    struct persist_entry *e;

    pthread_mutex_lock(&p->lock);
    e = find(p, m, mode, page, first, true);
    if (e) {
        const struct persist_record *r = e->record;
        e->used = true;
        p->stats.found++;
        *out = (struct jit_image){
            .code = persist_code(r), .far = persist_far(r), .code_bytes = r->code_bytes,
            .far_n = r->far_n, .entry = r->entry, .stale = r->stale, .insn_n = r->insn_n,
            .is_region = r->is_region,
        };
    }
    pthread_mutex_unlock(&p->lock);
    return e;
}

/* ---- new translations ---- */
static void *chunk_alloc(struct jit_persist *p, size_t bytes)
{
    struct persist_chunk *c = p->chunk;

    if (!c || c->size - c->used < bytes) {
        size_t size = MAX(bytes, (size_t)CHUNK_BYTES);
        c = malloc(sizeof(*c) + size);
        if (!c) {
            return NULL;
        }
        c->next = p->chunk;
        c->used = 0;
        c->size = size;
        p->chunk = c;
    }
    c->used += bytes;
    return c->data + c->used - bytes;
}

/* The words as runs.  Returns how many; word_n becomes the number of words. */
static unsigned runs_of(const struct a64_words *w, struct persist_run *run, unsigned *word_n)
{
    unsigned n = 0;

    *word_n = 0;
    for (unsigned i = 0; i < 1024; i++) {
        if (i % 64 == 0 && !w->used[i / 64]) {
            i += 63;
        } else if (w->used[i / 64] >> i % 64 & 1) {
            if (n && run[n - 1].first + run[n - 1].n == i) {
                run[n - 1].n++;
            } else {
                run[n++] = (struct persist_run){ .first = i, .n = 1 };
            }
            ++*word_n;
        }
    }
    return n;
}

static bool begins_with(const struct a64_words *w, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        if (i >= 1024 || !(w->used[i / 64] >> i % 64 & 1)) {
            return false;
        }
    }
    return true;
}

static void fill(struct persist_record *r, const struct a64_block *b, const struct jit_image *m,
                 const struct persist_run *run)
{
    uint32_t *w = (uint32_t *)persist_words(r);

    memcpy((void *)persist_runs(r), run, r->run_n * sizeof(*run));
    for (unsigned i = 0; i < r->run_n; i++) {
        memcpy(w, b->words->word + run[i].first, run[i].n * 4);
        w += run[i].n;
    }
    memcpy((void *)persist_far(r), m->far, m->far_n * 4);
    memcpy((void *)persist_code(r), m->code, m->code_bytes);
}

/* Under the lock. */
static bool is_there(struct jit_persist *p, const struct persist_record *r, const uint32_t *page)
{
    struct persist_entry *e = find(p, r->model, r->mode, page, r->first, r->is_region);

    return e && e->record->is_region == r->is_region;
}

void jit_persist_note(struct jit_persist *p, const struct a64_block *b,
                      const struct jit_image *image)
{
    struct persist_run run[512];
    struct persist_record head = {
        .code_bytes = image->code_bytes, .entry = image->entry, .stale = image->stale,
        .model = model_hash(b->model), .first = b->first, .mode = b->mode,
        .insn_n = image->insn_n, .is_region = image->is_region, .far_n = image->far_n,
    }, *r;
    unsigned word_n;

    head.run_n = runs_of(b->words, run, &word_n);
    head.word_n = word_n;
    head.key = key_of(head.model, b->mode, b->first, b->words->word,
                      begins_with(b->words, b->first, KEY_WORDS) ? KEY_WORDS : 1);
    head.bytes = ALIGN_UP(sizeof(head) + head.run_n * sizeof(run[0]) + word_n * 4 +
                          image->far_n * 4 + image->code_bytes, 16u);
    if (image->code_bytes > PERSIST_CODE_MAX || image->far_n > UINT16_MAX) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    if (p->stats.noted_bytes + head.bytes <= PERSIST_BYTES_MAX &&
        p->entry_n < PERSIST_RECORDS_MAX && !is_there(p, &head, b->words->word)) {
        r = chunk_alloc(p, head.bytes);
        if (r) {
            memset(r, 0, head.bytes);
            *r = head;
            fill(r, b, image, run);
            if (persist_add(p, r, true)) {
                p->stats.noted++;
                p->stats.noted_bytes += head.bytes;
            }
        }
    }
    pthread_mutex_unlock(&p->lock);
}

/* ---- life ---- */
static void destroy(struct jit_persist *p)
{
    struct persist_chunk *next;

    for (struct persist_chunk *c = p->chunk; c; c = next) {
        next = c->next;
        free(c);
    }
    if (p->dir >= 0) {
        close(p->dir);
    }
    sem_destroy(&p->locked);
    pthread_mutex_destroy(&p->lock);
    free(p->dir_name);
    free(p->bucket);
    free(p->entry);
    persist_unmap(p);
    free(p);
}

/* Beside what else has to be done before the machine starts. */
static void loader(struct thread *self, void *ctx)
{
    struct jit_persist *p = ctx;

    pthread_mutex_lock(&p->lock);
    sem_post(&p->locked);
    persist_file_load(p);
    pthread_mutex_unlock(&p->lock);
}

static void load(struct jit_persist *p)
{
    if (!p->file) {
        return;
    }
    if (thread_start(&p->loader, "jit cache", loader, p, NULL)) {
        while (sem_wait(&p->locked)) {
        }
    } else {
        persist_file_load(p);
    }
}

struct jit_persist *jit_persist_open(const char *dir, const struct jit_persist_key *key)
{
    struct jit_persist *p = calloc(1, sizeof(*p));

    if (!p) {
        return NULL;
    }
    p->dir = -1;
    pthread_mutex_init(&p->lock, NULL);
    sem_init(&p->locked, 0, 0);
    if (!persist_grow(p)) {
        log_warn("jit", "cache=%s: no memory; not used", dir);
    } else if (persist_file_open(p, dir, key)) {
        load(p);
        return p;
    }
    destroy(p);
    return NULL;
}

void jit_persist_close(struct jit_persist *p)
{
    if (!p) {
        return;
    }
    thread_join(&p->loader);
    /* A few that were met for the first time are not worth writing all of them again. */
    if (p->stats.noted_bytes > p->stats.file_bytes / NOTED_MIN_DIVISOR) {
        persist_file_save(p);
    }
    destroy(p);
}

void jit_persist_stats(struct jit_persist *p, struct jit_persist_stats *s)
{
    pthread_mutex_lock(&p->lock);
    *s = p->stats;
    pthread_mutex_unlock(&p->lock);
}
