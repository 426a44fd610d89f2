/* SPDX-License-Identifier: Apache-2.0 */
/* Three nodes in one process over loopback links, with machines whose vCPUs only count what is
 * done to them. */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "cluster/link.h"
#include "cluster/member.h"
#include "cluster/node.h"
#include "cluster/placement.h"
#include "cluster/wire.h"
#include "mem/space.h"
#include "vm/clock.h"
#include "vm/irq.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NODES 3
#define VCPUS 5
#define RAM UINT64_C(0x40000000)
#define DEVICE UINT64_C(0x9000000)
#define REDIST UINT64_C(0x80a0000)

struct fake_vcpu {
    _Atomic unsigned kicks, lines, maints, waits, drops, ons;
    _Atomic uint64_t entry, context;
    _Atomic uint32_t poll;
};

struct part {
    unsigned self;
    struct thread thread, looper;
    char list[200];
    struct member *member;
    struct loop *loop;
    struct vm *vm;
    struct node *node;
    struct fake_vcpu cpu[VCPUS];
    _Atomic unsigned irqs, commands[3], ended, quits;
    _Atomic int quit_status;
    struct irq_msg irq;
    _Atomic uint64_t reg;
    _Atomic unsigned last_vcpu;
    struct err e;
};

/* ---- fakes ---- */

static struct fake_vcpu *fake(struct vcpu *v)
{
    return v->engine;
}

static bool f_start(struct vcpu *v, struct err *e) { return true; }
static void f_end(struct vcpu *v) { }
static void f_kick(struct vcpu *v) { fake(v)->kicks++; }
static bool f_power_on(struct vcpu *v, uint64_t entry, uint64_t context)
{
    fake(v)->entry = entry;
    fake(v)->context = context;
    return fake(v)->ons++ == 0;
}
static enum vcpu_power f_power(struct vcpu *v) { return fake(v)->ons ? VCPU_ON : VCPU_OFF; }
static void f_reset(struct vcpu *v) { }
static void f_line(struct vcpu *v, enum vcpu_line line, bool level)
{
    fake(v)->lines += level ? 10 + line : 1;
}
static void f_maint(struct vcpu *v, const struct vcpu_maint *m, unsigned n)
{
    fake(v)->maints += m[0].w[0] == 7 && m[n - 1].w[3] == 9 ? n : 1000;
}
static void f_wait(struct vcpu *v) { fake(v)->waits++; }
static void f_drop(struct vcpu *v, uint64_t page, bool keep_read) { fake(v)->drops++; }
static int f_print(struct vcpu *v, char *buf, int len)
{
    return snprintf(buf, len, "registers of %u", v->index);
}

static const struct vcpu_ops fake_ops = {
    f_start, f_end, f_kick, f_power_on, f_power, f_reset, f_line, f_maint, f_wait, f_drop,
    f_print,
};

static uint64_t reg_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct part *p = ctx;

    p->last_vcpu = vcpu;
    return p->reg + off;
}

static void reg_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    ((struct part *)ctx)->reg = v;
}

static const struct mmio_ops reg_ops = { reg_read, reg_write };

static void h_irq(void *ctx, const struct irq_msg *m)
{
    struct part *p = ctx;

    p->irq = *m;
    p->irqs++;
}

static bool h_command(void *ctx, enum node_command cmd)
{
    ((struct part *)ctx)->commands[cmd]++;
    return true;
}

static void h_quit(void *ctx, int status)
{
    struct part *p = ctx;

    p->quit_status = status;
    p->quits++;
}

static void h_ended(void *ctx)
{
    ((struct part *)ctx)->ended++;
}

/* ---- three nodes ---- */

static void looper_run(struct thread *self, void *ctx)
{
    loop_run(((struct part *)ctx)->loop);
}

static void part_run(struct thread *self, void *ctx)
{
    struct part *p = ctx;
    struct placement pl = { .nodes = NODES, .vcpus_n = VCPUS, .vcpu_node = { 0, 1, 1, 2, 2 } };
    struct node_hooks hooks = { p, h_irq, h_command, h_quit, h_ended };
    struct node_config c = { 0 };
    bool good;

    p->member = member_static(p->list, p->self, NODES, NULL, "m", &p->e);
    if (!p->member) {
        return;
    }
    for (unsigned i = 0; i < NODES; i++) {
        placement_add_ram(&pl, RAM + i * MiB, MiB, i);
    }
    p->loop = loop_create(&p->e);
    p->vm = vm_new(p->loop, VCPUS, &p->e);
    p->node = node_new(p->member, p->vm, &pl, &c, &hooks, &p->e);
    good = p->node && mem_space_add_ram(p->vm->mem, RAM, NODES * MiB, "ram", &p->e);
    for (unsigned i = 0; good && i < VCPUS; i++) {
        struct vcpu *v = &p->vm->vcpu[i];

        if (node_vcpu_is_local(p->node, i)) {
            v->ops = &fake_ops;
            v->engine = &p->cpu[i];
            v->poll = &p->cpu[i].poll;
        } else {
            node_vcpu_make(p->node, v);
        }
    }
    if (good && p->self == 0) {
        good = mem_space_add_mmio(p->vm->mem, DEVICE, 4096, &reg_ops, p, "device", &p->e);
    }
    if (good && p->self == 2) {
        good = mem_space_add_mmio(p->vm->mem, REDIST, 4096, &reg_ops, p, "redist", &p->e);
    } else if (good) {
        void *ops_ctx;
        const struct mmio_ops *ops = node_mmio(p->node, 2, REDIST, &ops_ctx, &p->e);

        good = ops && mem_space_add_mmio(p->vm->mem, REDIST, 4096, ops, ops_ctx, "proxy", &p->e);
    }
    CHECK(good && node_start(p->node, &p->e), "%s", p->e.text);
    CHECK(thread_start(&p->looper, "loop", looper_run, p, &p->e));
}

static void start(struct part *p)
{
    struct link_addr a[NODES];
    struct err e;
    int fd;

    memset(p, 0, NODES * sizeof *p);
    for (unsigned i = 0; i < NODES; i++) {
        a[i] = (struct link_addr) { "127.0.0.1", 0 };
        fd = link_listen(&a[i], false, &e);
        close(fd);
    }
    for (unsigned i = 0; i < NODES; i++) {
        p[i].self = i;
        snprintf(p[i].list, sizeof p[i].list, "127.0.0.1:%u 127.0.0.1:%u 127.0.0.1:%u",
                 a[0].port, a[1].port, a[2].port);
        CHECK(thread_start(&p[i].thread, "part", part_run, &p[i], &e));
    }
    for (unsigned i = 0; i < NODES; i++) {
        thread_join(&p[i].thread);
        if (!p[i].node) {
            fprintf(stderr, "%s\n", p[i].e.text);
            exit(1);
        }
    }
}

static void finish_one(struct part *p)
{
    node_end(p->node, 0);
    loop_stop(p->loop);
    thread_join(&p->looper);
    node_free(p->node);
    vm_free(p->vm);
    loop_destroy(p->loop);
    member_free(p->member);
}

/* Waits for something that another thread does. */
#define SOON(cond) do { \
        for (unsigned i_ = 0; i_ < 5000 && !(cond); i_++) { \
            usleep(1000); \
        } \
        CHECK(cond); \
    } while (0)

/* ---- what crosses ---- */

static void memory(struct part *p)
{
    uint64_t v, sum = 0;

    for (unsigned i = 0; i < 60; i++) {
        struct mem_space *mem = p[i % NODES].vm->mem;
        uint64_t gpa = RAM + i % 2 * MiB + 16;

        CHECK(mem_dma_read(mem, gpa, &v, sizeof v));
        v++;
        CHECK(mem_dma_write(mem, gpa, &v, sizeof v));
    }
    for (unsigned i = 0; i < NODES; i++) {
        CHECK(mem_dma_read(p[i].vm->mem, RAM + 16, &v, sizeof v) && v == 30);
        sum += v;
    }
    CHECK(sum == 90);
    CHECK(p[1].cpu[1].drops && p[1].cpu[2].drops && !p[1].cpu[0].drops);
}

static void devices(struct part *p)
{
    uint64_t v = 0;

    /* Node 1 to a device of the root; node 1 and the root to a redistributor of node 2. */
    CHECK(mem_mmio_write(p[1].vm->mem, DEVICE + 8, 4, 2, 0x1234) == MEM_OK);
    CHECK(p[0].reg == 0x1234);
    CHECK(mem_mmio_read(p[2].vm->mem, DEVICE + 4, 4, 3, &v) == MEM_OK && v == 0x1238);
    CHECK(p[0].last_vcpu == 3);
    CHECK(mem_mmio_write(p[0].vm->mem, REDIST, 8, 0, ~UINT64_C(0)) == MEM_OK);
    CHECK(p[2].reg == ~UINT64_C(0));
    CHECK(mem_mmio_read(p[1].vm->mem, REDIST, 2, 1, &v) == MEM_OK && v == 0xffff);
    /* What nobody decodes. */
    CHECK(mem_mmio_read(p[1].vm->mem, 0x100, 4, 1, &v) == MEM_OK && v == 0);
}

static void interrupts(struct part *p)
{
    struct irq_msg m = { .to = 4, .from = 1, .kind = 5, .a = 6, .b = UINT64_C(1) << 40 };

    p[0].vm->irq_sink.send(p[0].vm->irq_sink.ctx, &m);
    SOON(p[2].irqs == 1);
    CHECK(!memcmp(&p[2].irq, &m, sizeof m));
    m.to = IRQ_MSG_TO_DISTRIBUTOR;
    p[2].vm->irq_sink.send(p[2].vm->irq_sink.ctx, &m);
    SOON(p[0].irqs == 1);
    m.to = 1;       /* local: at once */
    p[1].vm->irq_sink.send(p[1].vm->irq_sink.ctx, &m);
    CHECK(p[1].irqs == 1);
}

static void vcpus(struct part *p)
{
    struct vcpu_maint m[2] = { { { 7 } }, { { 0, 0, 0, 9 } } };
    struct vcpu *v = &p[0].vm->vcpu[4];
    char text[100];

    CHECK(v->ops->power(v) == VCPU_OFF);
    CHECK(v->ops->power_on(v, 0x40080000, 77) && !v->ops->power_on(v, 1, 2));
    CHECK(v->ops->power(v) == VCPU_ON && p[2].cpu[4].ons == 2);
    v->ops->kick(v);
    SOON(p[2].cpu[4].kicks == 1);
    v->ops->set_line(v, VCPU_FIQ, true);
    SOON(p[2].cpu[4].lines == 11);
    CHECK(v->ops->print_state(v, text, sizeof text) == 14 && !strcmp(text, "registers of 4"));
    /* A broadcast reaches each vCPU of another node once; a second one is not lost. */
    for (unsigned round = 1; round <= 2; round++) {
        for (unsigned i = 1; i < VCPUS; i++) {
            p[0].vm->vcpu[i].ops->maint_begin(&p[0].vm->vcpu[i], m, 2);
        }
        for (unsigned i = 1; i < VCPUS; i++) {
            p[0].vm->vcpu[i].ops->maint_wait(&p[0].vm->vcpu[i]);
        }
        for (unsigned i = 1; i < VCPUS; i++) {
            CHECK(p[i < 3 ? 1 : 2].cpu[i].maints == 2 * round);
        }
    }
    v->ops->maint_begin(v, m, 2);       /* two begun, one wait */
    v->ops->maint_begin(v, m, 2);
    v->ops->maint_wait(v);
    CHECK(p[2].cpu[4].maints == 8 && p[2].cpu[4].waits == 4);
}

static void clocks(struct part *p)
{
    for (unsigned i = 0; i < NODES; i++) {
        vm_clock_run(p[i].vm->clock, true);
    }
    vm_clock_at_least(p[0].vm->clock, 5 * NS_PER_S);
    SOON(vm_clock_ns(p[1].vm->clock) > 5 * NS_PER_S && vm_clock_ns(p[2].vm->clock) >
         5 * NS_PER_S);
    /* One that ran ahead by itself comes back to the others, and never reads less. */
    vm_clock_at_least(p[2].vm->clock, 9 * NS_PER_S);
    SOON(vm_clock_ns(p[0].vm->clock) > 9 * NS_PER_S);
    for (unsigned i = 0; i < NODES; i++) {
        vm_clock_run(p[i].vm->clock, false);
    }
}

static void in_order(void)
{
    struct part *p = calloc(NODES, sizeof *p);
    struct strbuf text = { 0 };

    start(p);
    memory(p);
    devices(p);
    interrupts(p);
    vcpus(p);
    clocks(p);
    CHECK(node_command(p[0].node, NODE_RESET) && node_command(p[0].node, NODE_RUN));
    CHECK(p[1].commands[NODE_RESET] == 1 && p[2].commands[NODE_RUN] == 1);
    node_info(p[0].node, &text);
    CHECK(strstr(text.text, "node 2 (127.0.0.1:") && strstr(text.text, "hottest pages: 0x40"),
          "%s", text.text);
    strbuf_free(&text);
    node_end(p[0].node, 3);
    for (unsigned i = 1; i < NODES; i++) {
        SOON(p[i].quits == 1);
        CHECK(p[i].quit_status == 3);
    }
    for (unsigned i = 0; i < NODES; i++) {
        finish_one(&p[i]);
        CHECK(!p[i].ended);
    }
    free(p);
}

/* A node that vanishes, or says something wrong, ends the machine on all others. */
static void death(bool wrong)
{
    struct part *p = calloc(NODES, sizeof *p);
    uint64_t v;

    start(p);
    if (wrong) {
        struct iovec iov = { "garbage", 7 };

        link_send(member_link(p[1].member, 2, WIRE_FAST), 99, 0, &iov, 1);
    } else {
        link_break(member_link(p[1].member, 0, WIRE_CALL), "test");
    }
    for (unsigned i = 0; i < NODES; i++) {
        SOON(p[i].ended == 1);
    }
    /* Nothing hangs: not even what needs others. */
    mem_dma_read(p[0].vm->mem, RAM + 2 * MiB, &v, sizeof v);
    mem_mmio_read(p[1].vm->mem, DEVICE, 4, 1, &v);
    CHECK(!node_command(p[0].node, NODE_RUN));
    for (unsigned i = 0; i < NODES; i++) {
        finish_one(&p[i]);
        CHECK(p[i].ended == 1);
    }
    free(p);
}

int main(void)
{
    log_level_set(LOG_LEVEL_ERROR - 1);
    in_order();
    death(false);
    death(true);
    return check_result();
}
