/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mono.h"
#include "base/prng.h"
#include "base/thread.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    struct loop *loop;
    struct loop_fd fd;
    unsigned seen, calls;
    struct peer *remove_other;
};

static void peer_ready(void *ctx, unsigned events)
{
    struct peer *p = ctx;
    char c;

    p->seen |= events;
    p->calls++;
    if (events & LOOP_READ) {
        ssize_t n = read(p->fd.fd, &c, 1);
        (void)n;
    }
    if (p->remove_other) {
        loop_fd_remove(&p->remove_other->fd);
    }
}

static void test_fds(struct loop *l)
{
    struct err e = { 0 };
    struct peer a = { .loop = l }, b = { .loop = l };
    int s[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(loop_fd_add(l, &a.fd, s[0], LOOP_READ, peer_ready, &a, &e), "%s", e.text);
    loop_run_once(l, 0);
    CHECK(a.calls == 0);
    CHECK(write(s[1], "xy", 2) == 2);
    loop_run_once(l, 0);
    loop_run_once(l, 0);
    loop_run_once(l, 0);
    CHECK(a.calls == 2 && a.seen == LOOP_READ, "%u %u", a.calls, a.seen);
    loop_fd_interest_set(&a.fd, LOOP_WRITE);
    loop_run_once(l, 0);
    CHECK(a.calls == 3 && a.seen == (LOOP_READ | LOOP_WRITE));

    /* Both are ready in one round; whichever runs first removes the other. */
    CHECK(loop_fd_add(l, &b.fd, s[1], LOOP_WRITE, peer_ready, &b, &e));
    a.calls = b.calls = 0;
    a.remove_other = &b;
    b.remove_other = &a;
    loop_run_once(l, 0);
    CHECK(a.calls + b.calls == 1, "%u %u", a.calls, b.calls);
    loop_fd_remove(&a.fd);
    loop_fd_remove(&b.fd);
    CHECK(!loop_fd_add(l, &a.fd, -1, LOOP_READ, peer_ready, &a, &e) && strstr(e.text, "-1"));
    close(s[0]);
    close(s[1]);
}

static void test_regular_file(struct loop *l)
{
    struct err e = { 0 };
    struct peer a = { .loop = l };
    int fd = open("/proc/self/exe", O_RDONLY);

    CHECK(loop_fd_add(l, &a.fd, fd, LOOP_READ, peer_ready, &a, &e), "%s", e.text);
    loop_run_once(l, -1);
    loop_run_once(l, -1);
    CHECK(a.calls == 2);
    loop_fd_interest_set(&a.fd, 0);
    loop_run_once(l, 0);
    CHECK(a.calls == 2);
    loop_fd_remove(&a.fd);
    close(fd);
}

enum { TIMERS_N = 500 };

struct clockwork {
    struct loop_timer t[TIMERS_N];
    struct ticker { struct clockwork *w; unsigned i; } tick[TIMERS_N];
    int64_t last_ns;
    unsigned fired, out_of_order, cancelled_fired;
    bool cancelled[TIMERS_N];
};

static void tick(void *ctx)
{
    struct ticker *k = ctx;
    struct clockwork *w = k->w;

    w->fired++;
    w->out_of_order += w->t[k->i].deadline_ns < w->last_ns;
    w->cancelled_fired += w->cancelled[k->i];
    w->last_ns = w->t[k->i].deadline_ns;
}

static void test_timers(struct loop *l)
{
    struct clockwork *w = calloc(1, sizeof *w);
    struct prng p;
    uint64_t seed = (uint64_t)mono_now_ns();
    int64_t now_ns = mono_now_ns();
    unsigned cancelled = 0;

    prng_init(&p, seed);
    for (unsigned i = 0; i < TIMERS_N; i++) {
        w->tick[i] = (struct ticker){ w, i };
        loop_timer_init(&w->t[i], l, tick, &w->tick[i]);
        loop_timer_arm(&w->t[i], now_ns + prng_below(&p, 1000000));
    }
    for (unsigned i = 0; i < TIMERS_N; i += 3) {
        CHECK(loop_timer_is_armed(&w->t[i]));
        if (prng_below(&p, 2)) {
            CHECK(loop_timer_cancel(&w->t[i]));
            CHECK(!loop_timer_cancel(&w->t[i]));
            w->cancelled[i] = true;
            cancelled++;
        } else {
            loop_timer_arm(&w->t[i], now_ns + prng_below(&p, 1000000));
        }
    }
    while (w->fired < TIMERS_N - cancelled) {
        loop_run_once(l, -1);
        CHECK(mono_now_ns() >= w->last_ns);
    }
    CHECK(w->out_of_order == 0 && w->cancelled_fired == 0, "seed %llu",
          (unsigned long long)seed);
    free(w);
}

enum { POSTERS_N = 3, POSTS_N = 2000 };

struct poster {
    struct loop *loop;
    struct thread thread;
    struct loop_work work;
    unsigned next, wrong, done, worked;
};

struct posted {
    struct poster *p;
    unsigned seq;
};

static void posted_run(void *ctx)
{
    struct posted *d = ctx;

    d->p->wrong += d->seq != d->p->next++ || !loop_is_owner(d->p->loop);
    d->p->done++;
    free(d);
}

static void worked(void *ctx)
{
    struct poster *p = ctx;

    p->worked++;
}

static void poster_main(struct thread *self, void *ctx)
{
    struct poster *p = ctx;

    for (unsigned i = 0; i < POSTS_N; i++) {
        struct posted *d = malloc(sizeof *d);

        *d = (struct posted){ p, i };
        loop_post(p->loop, posted_run, d);
        loop_work_schedule(&p->work);
    }
}

static void test_posts(struct loop *l)
{
    struct poster p[POSTERS_N] = { 0 };
    struct err e = { 0 };
    unsigned done;

    for (unsigned i = 0; i < POSTERS_N; i++) {
        p[i].loop = l;
        loop_work_init(&p[i].work, l, worked, &p[i]);
        CHECK(thread_start(&p[i].thread, "poster", poster_main, &p[i], &e), "%s", e.text);
    }
    do {
        loop_run_once(l, -1);
        done = 0;
        for (unsigned i = 0; i < POSTERS_N; i++) {
            done += p[i].done;
        }
    } while (done < POSTERS_N * POSTS_N);
    for (unsigned i = 0; i < POSTERS_N; i++) {
        thread_join(&p[i].thread);
    }
    loop_run_once(l, 0);
    for (unsigned i = 0; i < POSTERS_N; i++) {
        CHECK(p[i].wrong == 0 && p[i].worked >= 1 && p[i].worked <= POSTS_N);
        loop_work_schedule(&p[i].work);
        loop_work_schedule(&p[i].work);
        done = p[i].worked;
    }
    CHECK(loop_work_cancel(&p[1].work) && !loop_work_cancel(&p[1].work));
    CHECK(loop_work_cancel(&p[2].work));
    loop_work_schedule(&p[2].work);
    loop_run_once(l, -1);
    CHECK(p[2].worked == done + 1);
    CHECK(!p[0].work.queued && !p[1].work.queued && !p[2].work.queued);
}

static void caller_fn(void *ctx)
{
    *(bool *)ctx = true;
}

static void caller_main(struct thread *self, void *ctx)
{
    struct loop *l = ctx;
    bool ran = false;

    loop_call(l, caller_fn, &ran);
    CHECK(ran);
    loop_stop(l);
}

static void signalled(void *ctx, int signo)
{
    *(int *)ctx = signo;
}

static void hooked(void *ctx, int64_t *timeout_ns)
{
    ++*(unsigned *)ctx;
    *timeout_ns = 0;
}

static void test_rest(struct loop *l)
{
    struct thread t = { 0 };
    struct loop_signal s = { 0 };
    struct loop_hook h = { 0 };
    struct err e = { 0 };
    unsigned hook_calls = 0;
    int signo = 0;

    CHECK(thread_start(&t, "caller", caller_main, l, &e));
    CHECK(!thread_is_self(&t));
    loop_run(l);
    thread_join(&t);

    CHECK(loop_signal_add(l, &s, SIGUSR2, signalled, &signo, &e), "%s", e.text);
    kill(getpid(), SIGUSR2);
    while (!signo) {
        loop_run_once(l, -1);
    }
    CHECK(signo == SIGUSR2);
    loop_signal_remove(&s);

    loop_hook_add(l, &h, hooked, &hook_calls);
    loop_run_once(l, -1);
    CHECK(hook_calls == 1);
    loop_hook_remove(&h);
    loop_run_once(l, 0);
    CHECK(hook_calls == 1);
}

int main(void)
{
    struct err e = { 0 };
    struct loop *l = loop_create(&e);

    CHECK(l, "%s", e.text);
    test_fds(l);
    test_regular_file(l);
    test_timers(l);
    test_posts(l);
    test_rest(l);
    loop_post(l, worked, NULL);         /* dropped, and not leaked */
    loop_destroy(l);
    return check_result();
}
