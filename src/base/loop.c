/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/thread.h"

struct loop {
    int epoll_fd, wake_fd;
    atomic_bool stop;
    _Atomic(bool) owned;            /* loop_run() or loop_run_once() has been called */
    pthread_t owner;                /* written before `owned`; then only by the next owner */
    atomic_bool wake_pending;       /* wake_fd has been written and not been read */
    bool no_pwait2;                 /* the kernel lacks epoll_pwait2() */

    /* The events of this round, so that a removal can take out those not yet delivered. */
    struct epoll_event events[LOOP_EVENTS_PER_WAIT_MAX];
    int n_events;
    struct loop_fd *always;         /* regular files */
    struct loop_fd *always_next;    /* where the walk over `always` goes on */
    struct loop_hook *hooks;

    struct mutex lock;              /* over all below */
    struct loop_timer **heap;       /* heap[1 … n_timers], earliest first; heap[0] is unused */
    uint32_t n_timers, heap_room;
    struct loop_work *work, **work_tail;
    unsigned n_posts;
};

/* ---- life --------------------------------------------------------------------------------- */

struct loop *loop_create(struct err *e)
{
    struct loop *l = calloc(1, sizeof *l);
    struct epoll_event ev = { .events = EPOLLIN };

    assert(l);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* data.ptr of NULL marks the wake-up descriptor; a removed one is events == 0. */
    if (l->epoll_fd < 0 || l->wake_fd < 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev) < 0) {
        err_set(e, "event loop: %s", strerror(errno));
        if (l->epoll_fd >= 0) {
            close(l->epoll_fd);
        }
        if (l->wake_fd >= 0) {
            close(l->wake_fd);
        }
        free(l);
        return NULL;
    }
    mutex_init(&l->lock);
    l->work_tail = &l->work;
    return l;
}

struct post {
    struct loop_work work;
    void (*fn)(void *ctx);
    void *ctx;
};

static void post_run(void *ctx);

void loop_destroy(struct loop *l)
{
    if (!l) {
        return;
    }
    assert(l->n_timers == 0 && !l->hooks && !l->always);
    while (l->work) {
        struct loop_work *w = l->work;

        l->work = w->next;
        w->queued = false;
        if (w->fn == post_run) {
            free(w->ctx);
        }
    }
    close(l->epoll_fd);
    close(l->wake_fd);
    mutex_destroy(&l->lock);
    free(l->heap);
    free(l);
}

bool loop_is_owner(const struct loop *l)
{
    return atomic_load_explicit(&l->owned, memory_order_acquire) &&
           pthread_equal(l->owner, pthread_self());
}

static void assert_owner(const struct loop *l)
{
    assert(!atomic_load_explicit(&l->owned, memory_order_acquire) || loop_is_owner(l));
}

static void wake(struct loop *l)
{
    uint64_t one = 1;

    if (!atomic_exchange(&l->wake_pending, true)) {
        /* Can only fail with EAGAIN, when a wake-up is pending in any case. */
        ssize_t n = write(l->wake_fd, &one, sizeof one);
        (void)n;
    }
}

static void wake_unless_owner(struct loop *l)
{
    if (!loop_is_owner(l)) {
        wake(l);
    }
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    wake(l);
}

/* ---- descriptors -------------------------------------------------------------------------- */

static uint32_t epoll_bits(unsigned interest)
{
    return (interest & LOOP_READ ? EPOLLIN | EPOLLRDHUP : 0) |
           (interest & LOOP_WRITE ? EPOLLOUT : 0);
}

bool loop_fd_add(struct loop *l, struct loop_fd *f, int fd, unsigned interest,
                 void (*fn)(void *ctx, unsigned events), void *ctx, struct err *e)
{
    struct epoll_event ev = { .events = epoll_bits(interest), .data.ptr = f };

    assert_owner(l);
    assert(!f->loop);
    *f = (struct loop_fd){ .fd = fd, .interest = interest, .fn = fn, .ctx = ctx };
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        if (errno != EPERM) {
            return err_set(e, "cannot watch descriptor %d: %s", fd, strerror(errno));
        }
        f->always = true;
        f->next_always = l->always;
        f->prev_always = &l->always;
        if (l->always) {
            l->always->prev_always = &f->next_always;
        }
        l->always = f;
    }
    f->loop = l;
    return true;
}

void loop_fd_interest_set(struct loop_fd *f, unsigned interest)
{
    struct epoll_event ev = { .events = epoll_bits(interest), .data.ptr = f };

    assert(f->loop);
    assert_owner(f->loop);
    if (f->interest == interest) {
        return;
    }
    f->interest = interest;
    if (!f->always) {
        int rc = epoll_ctl(f->loop->epoll_fd, EPOLL_CTL_MOD, f->fd, &ev);
        assert(rc == 0);
    }
}

void loop_fd_remove(struct loop_fd *f)
{
    struct loop *l = f->loop;

    if (!l) {
        return;
    }
    assert_owner(l);
    if (f->always) {
        if (l->always_next == f) {
            l->always_next = f->next_always;
        }
        *f->prev_always = f->next_always;
        if (f->next_always) {
            f->next_always->prev_always = f->prev_always;
        }
    } else {
        int rc = epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL);
        assert(rc == 0);
    }
    for (int i = 0; i < l->n_events; i++) {
        if (l->events[i].data.ptr == f) {
            l->events[i].events = 0;
        }
    }
    f->loop = NULL;
}

static void wake_take(struct loop *l)
{
    uint64_t n;
    /* Emptied first: a wake-up that comes between the two lines writes nothing, but what it is
     * about was put before it, and work, timers and the stop flag are looked at after this.  The
     * other way round the read could swallow a wake-up and leave `wake_pending` set for ever. */
    ssize_t got = read(l->wake_fd, &n, sizeof n);
    atomic_store(&l->wake_pending, false);
    (void)got;
}

static void fds_run(struct loop *l)
{
    for (int i = 0; i < l->n_events; i++) {
        uint32_t bits = l->events[i].events;
        struct loop_fd *f = l->events[i].data.ptr;
        unsigned events = 0;

        if (!bits) {
            continue;
        }
        if (!f) {
            wake_take(l);
            continue;
        }
        events |= bits & (EPOLLIN | EPOLLRDHUP) ? LOOP_READ : 0;
        events |= bits & EPOLLOUT ? LOOP_WRITE : 0;
        /* An earlier callback of this round may have changed the interest. */
        events &= f->interest;
        events |= bits & (EPOLLERR | EPOLLHUP) ? LOOP_BROKEN : 0;
        if (events) {
            f->fn(f->ctx, events);
        }
    }
    l->n_events = 0;
    for (struct loop_fd *f = l->always; f; f = l->always_next) {
        l->always_next = f->next_always;
        if (f->interest) {
            f->fn(f->ctx, f->interest);
        }
    }
}

/* ---- timers ------------------------------------------------------------------------------- */

static void heap_put(struct loop *l, uint32_t slot, struct loop_timer *t)
{
    l->heap[slot] = t;
    t->heap_slot = slot;
}

static void heap_up(struct loop *l, uint32_t slot)
{
    struct loop_timer *t = l->heap[slot];

    while (slot > 1 && l->heap[slot / 2]->deadline_ns > t->deadline_ns) {
        heap_put(l, slot, l->heap[slot / 2]);
        slot /= 2;
    }
    heap_put(l, slot, t);
}

static void heap_down(struct loop *l, uint32_t slot)
{
    struct loop_timer *t = l->heap[slot];

    for (;;) {
        uint32_t child = slot * 2;

        if (child > l->n_timers) {
            break;
        }
        if (child < l->n_timers && l->heap[child + 1]->deadline_ns < l->heap[child]->deadline_ns) {
            child++;
        }
        if (l->heap[child]->deadline_ns >= t->deadline_ns) {
            break;
        }
        heap_put(l, slot, l->heap[child]);
        slot = child;
    }
    heap_put(l, slot, t);
}

static void heap_insert(struct loop *l, struct loop_timer *t)
{
    assert(l->n_timers < LOOP_TIMERS_MAX);
    if (l->n_timers + 2 > l->heap_room) {
        l->heap_room = MAX(l->heap_room * 2, 64u);
        l->heap = realloc(l->heap, l->heap_room * sizeof *l->heap);
        assert(l->heap);
    }
    heap_put(l, ++l->n_timers, t);
    heap_up(l, l->n_timers);
}

static void heap_take(struct loop *l, struct loop_timer *t)
{
    uint32_t slot = t->heap_slot;
    struct loop_timer *last = l->heap[l->n_timers--];

    t->heap_slot = 0;
    if (last != t) {
        heap_put(l, slot, last);
        heap_up(l, slot);
        heap_down(l, last->heap_slot);
    }
}

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    *t = (struct loop_timer){ .loop = l, .fn = fn, .ctx = ctx };
}

void loop_timer_arm(struct loop_timer *t, int64_t deadline_ns)
{
    struct loop *l = t->loop;
    bool earliest;

    mutex_lock(&l->lock);
    if (t->heap_slot) {
        heap_take(l, t);
    }
    t->deadline_ns = deadline_ns;
    heap_insert(l, t);
    earliest = t->heap_slot == 1;
    mutex_unlock(&l->lock);
    if (earliest) {
        wake_unless_owner(l);
    }
}

bool loop_timer_cancel(struct loop_timer *t)
{
    struct loop *l = t->loop;
    bool was;

    if (!l) {
        return false;           /* never initialised */
    }
    mutex_lock(&l->lock);
    was = t->heap_slot != 0;
    if (was) {
        heap_take(l, t);
    }
    mutex_unlock(&l->lock);
    return was;
}

bool loop_timer_is_armed(struct loop_timer *t)
{
    bool armed;

    mutex_lock(&t->loop->lock);
    armed = t->heap_slot != 0;
    mutex_unlock(&t->loop->lock);
    return armed;
}

static void timers_run(struct loop *l)
{
    int64_t now_ns = mono_now_ns();

    /* `now_ns` is read once: a timer that re-arms itself for the past waits for the next round,
     * so that it cannot starve the descriptors … unless re-armed for before this round. */
    mutex_lock(&l->lock);
    for (uint32_t n = l->n_timers; n > 0 && l->n_timers > 0; n--) {
        struct loop_timer *t = l->heap[1];
        void (*fn)(void *ctx) = t->fn;
        void *ctx = t->ctx;

        if (t->deadline_ns > now_ns) {
            break;
        }
        heap_take(l, t);
        mutex_unlock(&l->lock);
        fn(ctx);                /* may have freed t */
        mutex_lock(&l->lock);
    }
    mutex_unlock(&l->lock);
}

/* ---- work --------------------------------------------------------------------------------- */

void loop_work_init(struct loop_work *w, struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    *w = (struct loop_work){ .fn = fn, .ctx = ctx, .loop = l };
}

static void work_append(struct loop *l, struct loop_work *w)
{
    w->queued = true;
    w->next = NULL;
    *l->work_tail = w;
    l->work_tail = &w->next;
}

void loop_work_schedule(struct loop_work *w)
{
    struct loop *l = w->loop;
    bool was;

    mutex_lock(&l->lock);
    was = w->queued;
    if (!was) {
        work_append(l, w);
    }
    mutex_unlock(&l->lock);
    if (!was) {
        wake_unless_owner(l);
    }
}

bool loop_work_cancel(struct loop_work *w)
{
    struct loop *l = w->loop;
    bool was;

    if (!l) {
        return false;
    }
    mutex_lock(&l->lock);
    was = w->queued;
    if (was) {
        struct loop_work **at = &l->work;

        while (*at != w) {
            at = &(*at)->next;
        }
        *at = w->next;
        if (l->work_tail == &w->next) {
            l->work_tail = at;
        }
        w->queued = false;
    }
    mutex_unlock(&l->lock);
    return was;
}

static void post_run(void *ctx)
{
    struct post *p = ctx;
    void (*fn)(void *ctx) = p->fn;
    void *fn_ctx = p->ctx;

    free(p);
    fn(fn_ctx);
}

void loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct post *p = calloc(1, sizeof *p);

    assert(p);
    p->fn = fn;
    p->ctx = ctx;
    loop_work_init(&p->work, l, post_run, p);
    mutex_lock(&l->lock);
    assert(l->n_posts < LOOP_POSTS_MAX);
    l->n_posts++;
    work_append(l, &p->work);
    mutex_unlock(&l->lock);
    wake_unless_owner(l);
}

struct call {
    void (*fn)(void *ctx);
    void *ctx;
    struct mutex lock;
    struct cond done_cond;
    bool done;
};

static void call_run(void *ctx)
{
    struct call *c = ctx;

    c->fn(c->ctx);
    mutex_lock(&c->lock);
    c->done = true;
    cond_signal(&c->done_cond);
    mutex_unlock(&c->lock);
}

void loop_call(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct call c = { .fn = fn, .ctx = ctx };

    if (loop_is_owner(l)) {
        fn(ctx);
        return;
    }
    mutex_init(&c.lock);
    cond_init(&c.done_cond);
    loop_post(l, call_run, &c);
    mutex_lock(&c.lock);
    while (!c.done) {
        cond_wait(&c.done_cond, &c.lock);
    }
    mutex_unlock(&c.lock);
    cond_destroy(&c.done_cond);
    mutex_destroy(&c.lock);
}

/* Runs what is queued now; what that queues in turn waits for the next round. */
static void work_run(struct loop *l)
{
    struct loop_work *last;
    bool more = true;

    mutex_lock(&l->lock);
    last = l->work ? CONTAINER_OF(l->work_tail, struct loop_work, next) : NULL;
    while (last && more && l->work) {
        struct loop_work *w = l->work;

        more = w != last;       /* `last` cancelled: all new ones run too, which does no harm … */
        l->work = w->next;
        if (!l->work) {
            l->work_tail = &l->work;
            more = false;       /* … and ends at the latest when the queue has run dry once */
        }
        w->queued = false;
        if (w->fn == post_run) {
            l->n_posts--;
        }
        mutex_unlock(&l->lock);
        w->fn(w->ctx);
        mutex_lock(&l->lock);
    }
    mutex_unlock(&l->lock);
}

/* ---- signals ------------------------------------------------------------------------------ */

static void signal_ready(void *ctx, unsigned events)
{
    struct loop_signal *s = ctx;
    struct signalfd_siginfo info;

    if (read(s->fd.fd, &info, sizeof info) == sizeof info) {
        s->fn(s->ctx, s->signo);
    }
}

bool loop_signal_add(struct loop *l, struct loop_signal *s, int signo,
                     void (*fn)(void *ctx, int signo), void *ctx, struct err *e)
{
    sigset_t set;
    int fd;

    s->fn = fn;
    s->ctx = ctx;
    s->signo = signo;
    sigemptyset(&set);
    sigaddset(&set, signo);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return err_set(e, "signal %d: %s", signo, strerror(errno));
    }
    if (!loop_fd_add(l, &s->fd, fd, LOOP_READ, signal_ready, s, e)) {
        close(fd);
        return false;
    }
    return true;
}

void loop_signal_remove(struct loop_signal *s)
{
    sigset_t set;

    if (!s->fd.loop) {
        return;
    }
    loop_fd_remove(&s->fd);
    close(s->fd.fd);
    sigemptyset(&set);
    sigaddset(&set, s->signo);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- hooks and the round ------------------------------------------------------------------ */

void loop_hook_add(struct loop *l, struct loop_hook *h,
                   void (*fn)(void *ctx, int64_t *timeout_ns), void *ctx)
{
    assert_owner(l);
    *h = (struct loop_hook){ .fn = fn, .ctx = ctx, .loop = l, .next = l->hooks };
    l->hooks = h;
}

void loop_hook_remove(struct loop_hook *h)
{
    if (!h->loop) {
        return;
    }
    assert_owner(h->loop);
    for (struct loop_hook **at = &h->loop->hooks; *at; at = &(*at)->next) {
        if (*at == h) {
            *at = h->next;
            break;
        }
    }
    h->loop = NULL;
}

static int64_t timeout_get(struct loop *l, int64_t timeout_ns)
{
    for (struct loop_hook *h = l->hooks, *next; h; h = next) {
        next = h->next;
        h->fn(h->ctx, &timeout_ns);
    }
    for (struct loop_fd *f = l->always; f; f = f->next_always) {
        if (f->interest) {
            return 0;
        }
    }
    mutex_lock(&l->lock);
    if (l->work) {
        timeout_ns = 0;
    } else if (l->n_timers) {
        int64_t left_ns = MAX(l->heap[1]->deadline_ns - mono_now_ns(), INT64_C(0));

        timeout_ns = timeout_ns < 0 ? left_ns : MIN(timeout_ns, left_ns);
    }
    mutex_unlock(&l->lock);
    return timeout_ns;
}

static int wait_events(struct loop *l, int64_t timeout_ns)
{
    struct timespec ts = { timeout_ns / NS_PER_S, timeout_ns % NS_PER_S };
    int64_t timeout_ms;
    int n;

    if (!l->no_pwait2) {
        n = epoll_pwait2(l->epoll_fd, l->events, LOOP_EVENTS_PER_WAIT_MAX,
                         timeout_ns < 0 ? NULL : &ts, NULL);
        if (n >= 0 || errno != ENOSYS) {
            return n;
        }
        l->no_pwait2 = true;
    }
    /* Rounded up: a wait too short would spin until the deadline. */
    timeout_ms = timeout_ns < 0 ? -1 : MIN((timeout_ns + 999999) / 1000000, (int64_t)INT_MAX);
    return epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS_PER_WAIT_MAX, timeout_ms);
}

void loop_run_once(struct loop *l, int64_t timeout_ns)
{
    int n;

    if (!loop_is_owner(l)) {
        l->owner = pthread_self();
        atomic_store_explicit(&l->owned, true, memory_order_release);
    }
    n = wait_events(l, timeout_get(l, timeout_ns));
    assert(n >= 0 || errno == EINTR);
    l->n_events = MAX(n, 0);
    fds_run(l);
    timers_run(l);
    work_run(l);
}

void loop_run(struct loop *l)
{
    while (!atomic_load(&l->stop)) {
        loop_run_once(l, -1);
    }
    atomic_store(&l->stop, false);
}
