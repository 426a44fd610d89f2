/* SPDX-License-Identifier: Apache-2.0 */
/* What making translations costs: a file's aarch64 code, block after block, into a buffer.
 *
 * usage: translate FILE [FIRST BYTES [ROUNDS]]
 * Prints blocks, instructions, host bytes, nanoseconds, and a hash of all host code: a change
 * that is only to make the translator faster leaves it as it is.  The cost itself is better
 * counted than timed: valgrind --tool=callgrind. */
#include "isa/a64/model.h"
#include "isa/a64/translate.h"
#include "isa/emit_x64/gen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE = 4096, BLOCK_INSNS_MAX = 40, ROOM = 2 << 20, THUNK_BYTES = 64 };

struct sums {
    uint64_t blocks, insns, host_bytes, hash;
};

struct tr {
    const struct a64_model *model;
    struct gen_guest guest;
    const uint8_t *thunk[GEN_T_COUNT];
    struct a64_words words;
    struct ir ir;
    struct gen gen;
    uint8_t *code;              /* thunks first */
    size_t used;
    struct sums sums;
};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static uint64_t hash(uint64_t h, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        h = (h ^ *p++) * UINT64_C(0x100000001b3);
    }
    return h;
}

/* As accel/jit does it: with fewer instructions until it fits. */
static unsigned translate(struct tr *t, const uint32_t *page, unsigned first, bool want_hash)
{
    struct a64_block b = {
        .code = page, .words = &t->words, .first = first, .insn_max = BLOCK_INSNS_MAX,
        .mode = A64_MODE_EL1 | A64_MODE_FP | A64_MODE_FP_PLAIN, .model = t->model,
        .host = t->guest.host,
    };
    struct gen_result r;

    for (;;) {
        a64_translate_block(&b, &t->ir);
        if (!t->ir.full &&
            gen_block(&t->gen, &t->ir, NULL, &t->guest, t->thunk, t->code + t->used, GEN_CODE_MAX,
                      first * 4, 0, &r)) {
            break;
        }
        b.first_interp = b.insn_n <= 1;
        b.insn_max = b.insn_n / 2 ? b.insn_n / 2 : 1;
    }
    t->sums.blocks++;
    t->sums.insns += b.insn_n;
    t->sums.host_bytes += r.end - r.entry;
    if (want_hash) {
        t->sums.hash = hash(t->sums.hash, r.entry, r.end);
    }
    t->used = r.end - t->code;
    if (t->used > ROOM - GEN_CODE_MAX) {
        t->used = GEN_T_COUNT * THUNK_BYTES;
    }
    return b.insn_n;
}

static void translate_all(struct tr *t, const uint8_t *code, size_t bytes, bool want_hash)
{
    for (size_t at = 0; at < bytes; at += PAGE) {
        const uint32_t *page = (const uint32_t *)(const void *)(code + at);
        for (unsigned i = 0; i < PAGE / 4;) {
            i += page[i] ? translate(t, page, i, want_hash) : 1;
        }
    }
}

/* Whole pages of the file; at the same place in every run, for the hash. */
static uint8_t *read_pages(const char *name, size_t first, size_t *bytes)
{
    FILE *f = fopen(name, "rb");
    uint8_t *p;

    if (!f || fseek(f, 0, SEEK_END)) {
        return NULL;
    }
    if (!*bytes && (size_t)ftell(f) > first) {
        *bytes = ftell(f) - first;
    }
    p = calloc(*bytes / PAGE + 1, PAGE);
    if (p && (fseek(f, first, SEEK_SET) || !fread(p, 1, *bytes, f))) {
        *bytes = 0;
    }
    fclose(f);
    return p;
}

int main(int argc, char **argv)
{
    size_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
    size_t bytes = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
    unsigned rounds = argc > 4 ? atoi(argv[4]) : 1;
    struct tr *t = calloc(1, sizeof(*t));
    uint8_t *code = argc > 1 ? read_pages(argv[1], first, &bytes) : NULL;
    uint64_t begin, ns, best = UINT64_MAX;

    if (!t || !code || !bytes) {
        fprintf(stderr, "usage: translate FILE [FIRST BYTES [ROUNDS]]\n");
        return 1;
    }
    t->code = mmap((void *)0x10000000, ROOM, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (t->code == MAP_FAILED) {
        perror("translate: mmap");
        return 1;
    }
    for (unsigned i = 0; i < GEN_T_COUNT; i++) {
        t->thunk[i] = t->code + i * THUNK_BYTES;
    }
    a64_gen_guest(&t->guest);
    t->model = a64_model_find("max");
    for (unsigned i = 0; i < rounds; i++) {
        memset(&t->sums, 0, sizeof(t->sums));
        t->used = GEN_T_COUNT * THUNK_BYTES;
        begin = now_ns();
        translate_all(t, code, bytes, i == 0 && rounds > 1);
        ns = now_ns() - begin;
        best = ns < best ? ns : best;
        if (i == 0 && rounds > 1) {
            printf("hash of host code %016" PRIx64 "\n", t->sums.hash);
        }
    }
    printf("blocks %" PRIu64 ", instructions %" PRIu64 ", host bytes %" PRIu64
           " (%.1f a guest byte), %.2f us a block, %.0f ns an instruction\n",
           t->sums.blocks, t->sums.insns, t->sums.host_bytes,
           t->sums.host_bytes / 4.0 / t->sums.insns, best / 1e3 / t->sums.blocks,
           (double)best / t->sums.insns);
    return 0;
}
