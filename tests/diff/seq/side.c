/* SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void side_start(struct side *s, const char *qemu, const char *guest)
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

static void send(struct side *s, const struct diff_batch *b, const struct diff_test *t)
{
    if (!s->engine) {
        transfer(write_fn, s->to, (void *)b, sizeof(*b));
        transfer(write_fn, s->to, (void *)t, b->n * sizeof(*t));
    }
}

static void answer(struct side *s, const struct diff_batch *b, const struct diff_test *t,
                   struct diff_state *state, uint64_t *hash)
{
    if (s->engine) {
        engine_batch(s->engine, b, t, state, hash);
    } else {
        transfer(read, s->from, state, b->n * sizeof(*state));
        transfer(read, s->from, hash, sizeof(*hash));
    }
}

bool side_run(struct side *side, const struct diff_batch *b, const struct diff_test *t,
              struct side_result *r)
{
    for (unsigned k = 0; k < 2; k++) {
        send(&side[k], b, t);
    }
    for (unsigned k = 0; k < 2; k++) {
        answer(&side[k], b, t, r->answer[k], &r->hash[k]);
    }
    return r->hash[0] == r->hash[1] &&
           !memcmp(r->answer[0], r->answer[1], b->n * sizeof(r->answer[0][0]));
}
