/* SPDX-License-Identifier: Apache-2.0 */
/* Between persist.c (the table) and persist_file.c. */
#pragma once
#include "accel/jit/persist.h"

#include "base/thread.h"

#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>

enum {
    PERSIST_BYTES_MAX = 64 << 20,       /* of the file, and of what is noted */
    PERSIST_CODE_MAX = 1 << 20,         /* of one translation */
    PERSIST_RECORDS_MAX = 1 << 20,
};

/* In memory as in the file: this head, then runs, words, far, code; a multiple of 16 bytes. */
struct persist_record {
    uint32_t bytes;             /* with what follows */
    uint32_t code_bytes, entry, stale;
    uint64_t key;               /* of the table, from the first words: persist.c */
    uint64_t model;
    uint16_t first, mode;
    uint16_t insn_n, is_region;
    uint16_t run_n, word_n, far_n, zero;
};

/* Consecutive instructions of the page. */
struct persist_run {
    uint16_t first, n;
};

static inline const struct persist_run *persist_runs(const struct persist_record *r)
{
    return (const struct persist_run *)(r + 1);
}

static inline const uint32_t *persist_words(const struct persist_record *r)
{
    return (const uint32_t *)(persist_runs(r) + r->run_n);
}

static inline const uint32_t *persist_far(const struct persist_record *r)
{
    return persist_words(r) + r->word_n;
}

static inline const uint8_t *persist_code(const struct persist_record *r)
{
    return (const uint8_t *)(persist_far(r) + r->far_n);
}

struct persist_entry {
    uint64_t key;               /* as in the record, which is seldom in the host's cache */
    const struct persist_record *record;
    uint32_t next;              /* of the same bucket; index + 1, 0 = none */
    bool used;                  /* in this run */
};

struct persist_chunk {
    struct persist_chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t data[];
};

struct jit_persist {
    pthread_mutex_t lock;
    struct persist_entry *entry;
    uint32_t entry_n, entry_max;
    uint32_t *bucket;           /* index + 1 */
    uint32_t bucket_mask;
    struct persist_chunk *chunk;        /* the newest first */
    struct jit_persist_stats stats;
    /* the file */
    struct thread loader;       /* has the lock until the table is there */
    sem_t locked;               /* by it */
    uint8_t *file;              /* mapped */
    size_t file_bytes;
    uint64_t inode;             /* 0: there was none */
    int dir;
    char *dir_name;
    char name[40];
    uint64_t key[2];
};

uint64_t persist_hash(uint64_t seed, const void *p, size_t bytes);
/* More buckets, or the first ones.  False: no memory. */
bool persist_grow(struct jit_persist *p);
bool persist_add(struct jit_persist *p, const struct persist_record *r, bool used);
/* Is there one of the same code? */
bool persist_has(const struct jit_persist *p, const struct persist_record *r);
void persist_unmap(struct jit_persist *p);
/* Empties the table. */
void persist_forget(struct jit_persist *p);

/* persist_file.c.  Both say in one line what is wrong. */
bool persist_file_open(struct jit_persist *p, const char *dir, const struct jit_persist_key *key);
void persist_file_load(struct jit_persist *p);          /* what was opened, into the table */
void persist_file_save(struct jit_persist *p);
