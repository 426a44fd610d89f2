/* SPDX-License-Identifier: Apache-2.0 */
/* Views: requesters and a vCPU thread that only polls; nobody is inside while fn runs. */
#include "../check.h"
#include "base/err.h"
#include "base/loop.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#include <unistd.h>

#define REQUESTERS 3
#define REQUESTS 3000

struct engine {
    struct vcpu *v;
    pthread_t thread;
    _Atomic uint32_t poll;
    atomic_bool in_guest;       /* the vCPU uses its view */
    unsigned long changed;      /* what requesters change; no atomic: exclusion is the test */
    _Atomic unsigned wrong;
};

static void *engine_thread(void *arg)
{
    struct engine *g = arg;

    while (vcpu_park(g->v)) {
        vcpu_view_enter(g->v);
        while (!(atomic_load(&g->poll) & VCPU_POLL_STOP)) {
            unsigned long before = g->changed;

            atomic_store(&g->in_guest, true);
            if (g->changed != before) {
                g->wrong++;
            }
            atomic_store(&g->in_guest, false);
            vcpu_view_safepoint(g->v);
        }
        vcpu_view_leave(g->v);
    }
    return NULL;
}

static bool engine_start(struct vcpu *v, struct err *e)
{
    struct engine *g = v->engine;
    vm_thread_count(v->vm, 1);
    return pthread_create(&g->thread, NULL, engine_thread, g) == 0;
}

static void engine_end(struct vcpu *v)
{
    struct engine *g = v->engine;
    pthread_join(g->thread, NULL);
    vm_thread_count(v->vm, -1);
}

static void engine_kick(struct vcpu *v)
{
}

static const struct vcpu_ops engine_ops = {
    .start = engine_start, .end = engine_end, .kick = engine_kick,
};

static void change(void *arg)
{
    struct engine *g = arg;

    g->changed++;
    if (atomic_load(&g->in_guest)) {
        g->wrong++;
    }
}

static void *requester(void *arg)
{
    struct engine *g = arg;

    for (unsigned i = 0; i < REQUESTS; i++) {
        vcpu_view_run(g->v, change, g);
    }
    return NULL;
}

int main(void)
{
    struct err e;
    struct loop *l = loop_create(&e);
    struct vm *vm = vm_new(l, 1, &e);
    struct engine g = { .v = &vm->vcpu[0] };
    pthread_t t[REQUESTERS];

    CHECK(!vm_new(l, 0, &e) && !vm_new(l, VCPU_MAX + 1, &e));
    vm->vcpu[0].ops = &engine_ops;
    vm->vcpu[0].engine = &g;
    vm->vcpu[0].poll = &g.poll;
    CHECK(vm_start(vm, &e));
    vcpu_view_run(g.v, change, &g);
    CHECK(g.changed == 1, "a paused vCPU is quiescent");
    vm_run(vm);
    for (unsigned i = 0; i < REQUESTERS; i++) {
        pthread_create(&t[i], NULL, requester, &g);
    }
    for (unsigned i = 0; i < 20; i++) {
        vm_pause(vm);
        CHECK(!atomic_load(&g.in_guest));
        vm_run(vm);
    }
    for (unsigned i = 0; i < REQUESTERS; i++) {
        pthread_join(t[i], NULL);
    }
    vm_end(vm);
    CHECK(g.changed == 1 + REQUESTERS * REQUESTS && g.wrong == 0, "%lu %u", g.changed, g.wrong);
    vm_free(vm);
    loop_destroy(l);
    return check_result();
}
