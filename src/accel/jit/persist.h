/* SPDX-License-Identifier: Apache-2.0 */
/* struct jit_persist: translations that outlive the code cache and, in a file, the process.
 *
 * A translation depends on the guest's words it was made from, their place in the page, the mode,
 * the CPU model, the build of this program and the host CPU's features, and on nothing else; its
 * code is tied to its place only by calls and jumps to the thunks and by the number of its block
 * in the words behind a link exit.  So it is known by its words: it is found again at whatever
 * address they lie, and used only if all of them are the same.
 *
 * The file belongs to a build, a host CPU and a set of options.  It is used only if it and its
 * directory are ours and nobody else may write them, and if its checksum is right; otherwise one
 * line says so and the machine runs without.  It is replaced as a whole (rename), so processes
 * that share a directory never see half of one; what another has written meanwhile is kept. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct a64_block;
struct a64_model;
struct jit_persist;

/* What must be equal for a file to be good; the build and the host CPU are added to it. */
struct jit_persist_key {
    const void *bytes;
    uint32_t size;
};

/* A translation as it is kept. */
struct jit_image {
    const uint8_t *code;
    const uint32_t *far;        /* JIT_FAR_AT, JIT_FAR_THUNK */
    uint32_t code_bytes, far_n;
    uint32_t entry, stale;      /* offsets in the code, which is aligned to 16 */
    uint16_t insn_n;
    bool is_region;
};
#define JIT_FAR_AT(f) ((f) & 0xffffff)
#define JIT_FAR_THUNK(f) ((f) >> 24)

struct jit_persist_stats {
    uint64_t loaded, found, noted;      /* translations */
    uint64_t file_bytes, noted_bytes;
};

/* The translations in directory `dir` (made if there is none), if there are any.  NULL with a line
 * in the log: it cannot be used. */
struct jit_persist *jit_persist_open(const char *dir, const struct jit_persist_key *key);
/* Writes the file if there are enough new translations, and frees.  NULL does nothing. */
void jit_persist_close(struct jit_persist *p);

/* Any thread.  The translation of the code at instruction `first` of `page`, which may change
 * meanwhile; a region before a block.  What `out` points to lives as long as `p`. */
bool jit_persist_find(struct jit_persist *p, const struct a64_model *model, unsigned mode,
                      const uint32_t *page, unsigned first, struct jit_image *out);
/* Any thread.  Keeps a copy of `image`, which has been made from b->words. */
void jit_persist_note(struct jit_persist *p, const struct a64_block *b,
                      const struct jit_image *image);

void jit_persist_stats(struct jit_persist *p, struct jit_persist_stats *s);
