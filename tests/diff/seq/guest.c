/* SPDX-License-Identifier: Apache-2.0 */
/* Runs snippets under qemu-aarch64.  Every snippet ends in a signal; the handler takes the state
 * out of the signal frame, puts the next snippet's there, and returns into it. */
#define _GNU_SOURCE
#include <asm/sigcontext.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "record.h"

enum { WALK_BYTES = DIFF_WALK_PAGES * 4096 };

static struct diff_test test[DIFF_BATCH_MAX];
static struct diff_state answer[DIFF_BATCH_MAX];
static struct diff_batch batch;
static unsigned at, turn;
static char *walk;                          /* the memory of the pages to walk over */
static char stack[1 << 16];

static void read_all(void *p, size_t n)
{
    while (n) {
        ssize_t r = read(0, p, n);
        if (r <= 0) {
            _exit(0);
        }
        p = (char *)p + r;
        n -= r;
    }
}

static void write_all(const void *p, size_t n)
{
    while (n) {
        ssize_t r = write(1, p, n);
        if (r <= 0) {
            _exit(1);
        }
        p = (const char *)p + r;
        n -= r;
    }
}

static void next_batch(void)
{
    read_all(&batch, sizeof(batch));
    read_all(test, batch.n * sizeof(test[0]));
    if (batch.fill) {
        diff_fill((void *)DIFF_SCRATCH, DIFF_SCRATCH_BYTES, batch.fill);
        diff_fill(walk, WALK_BYTES, batch.fill ^ 0x5a5a5a5a);
    }
    for (unsigned i = 0; i < batch.n; i++) {
        memcpy((void *)diff_code_of(&batch, i), test[i].word, batch.slot_words * 4);
    }
    __builtin___clear_cache((char *)diff_code_of(&batch, 0),
                            (char *)diff_code_of(&batch, batch.n));
    at = turn = 0;
}

static struct fpsimd_context *fp_of(ucontext_t *uc)
{
    char *p = (char *)uc->uc_mcontext.__reserved;

    for (;;) {
        struct _aarch64_ctx *c = (struct _aarch64_ctx *)p;
        if (c->magic == FPSIMD_MAGIC) {
            return (struct fpsimd_context *)p;
        }
        if (!c->magic || !c->size) {
            _exit(2);
        }
        p += c->size;
    }
}

static void take(struct diff_state *s, ucontext_t *uc, int sig)
{
    struct fpsimd_context *fp = fp_of(uc);

    s->earlier = turn ? diff_hash(s, sizeof(*s), 0) : 0;
    for (unsigned i = 0; i < 31; i++) {
        s->x[i] = uc->uc_mcontext.regs[i];
    }
    s->sp = uc->uc_mcontext.sp;
    s->pc = uc->uc_mcontext.pc;
    s->nzcv = uc->uc_mcontext.pstate & 0xf0000000;
    memcpy(s->v, fp->vregs, sizeof(s->v));
    s->fpcr = fp->fpcr;
    s->fpsr = fp->fpsr;
    s->end = sig == SIGTRAP ? DIFF_END_DONE : sig == SIGILL ? DIFF_END_UNDEFINED :
             sig == SIGSEGV || sig == SIGBUS ? DIFF_END_FAULT : DIFF_END_OTHER;
    s->esr = 0;
    s->far = 0;
}

static void give(const struct diff_state *s, ucontext_t *uc)
{
    struct fpsimd_context *fp = fp_of(uc);

    for (unsigned i = 0; i < 31; i++) {
        uc->uc_mcontext.regs[i] = s->x[i];
    }
    uc->uc_mcontext.sp = s->sp;
    uc->uc_mcontext.pc = diff_code_of(&batch, at);
    uc->uc_mcontext.pstate = s->nzcv;
    memcpy(fp->vregs, s->v, sizeof(s->v));
    fp->fpcr = s->fpcr;
    fp->fpsr = s->fpsr;
}

static void handler(int sig, siginfo_t *si, void *ctx)
{
    static int started;

    if (!started) {
        started = 1;
        next_batch();
    } else {
        take(&answer[at], ctx, sig);
        if (++turn == batch.turns) {
            turn = 0;
            at++;
        }
        if (at == batch.n) {
            uint64_t hash = diff_hash((void *)DIFF_SCRATCH, DIFF_SCRATCH_BYTES, 1);
            hash = diff_hash(walk, WALK_BYTES, hash);
            write_all(answer, batch.n * sizeof(answer[0]));
            write_all(&hash, sizeof(hash));
            next_batch();
        }
    }
    give(&test[at].state, ctx);
}

static void map(uint64_t at_, uint64_t bytes)
{
    if (mmap((void *)at_, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        _exit(3);
    }
}

/* Two views of the same memory: all of it for us, and pages of several kinds. */
static void map_walk(void)
{
    static const char kinds[] = DIFF_WALK_KINDS;
    int fd = memfd_create("walk", 0);
    unsigned page = 0;

    if (fd < 0 || ftruncate(fd, WALK_BYTES)) {
        _exit(3);
    }
    walk = mmap(NULL, WALK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (unsigned i = 0; i < DIFF_WALK_PAGES; i++) {
        int prot = kinds[i] == 'r' ? PROT_READ : PROT_READ | PROT_WRITE;
        page = kinds[i] == '<' ? page : i;
        if (kinds[i] != '-' &&
            mmap((void *)(DIFF_WALK + i * 4096), 4096, prot, MAP_SHARED | MAP_FIXED, fd,
                 page * 4096) == MAP_FAILED) {
            _exit(3);
        }
    }
}

int main(void)
{
    static const int signals[] = { SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE };
    stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
    struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    map(DIFF_SCRATCH, DIFF_SCRATCH_BYTES);
    map(DIFF_CODE, DIFF_CODE_BYTES);
    map(DIFF_DEVICE, 4096);
    map_walk();
    sigaltstack(&ss, NULL);
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &sa, NULL);
    }
    __asm__ volatile("brk #0");
    return 4;
}
