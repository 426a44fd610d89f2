/* SPDX-License-Identifier: Apache-2.0 */
#include "front/machine.h"

#include "accel/emu/emu.h"
#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "base/trace.h"
#include "board/virt/virt.h"
#include "cluster/member.h"
#include "cluster/node.h"
#include "cluster/placement.h"
#include "front/backends.h"
#include "front/config.h"
#include "front/engine.h"
#include "front/monitor.h"
#include "front/qmp.h"
#include "front/qtest.h"
#include "vm/clock.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MONITORS_MAX 8
#define EVENTS_N (VM_EV_HOST_QUIT + 1)

static const int end_signals[] = { SIGINT, SIGTERM, SIGHUP };

struct machine {
    struct loop *loop;
    struct opts *tree;
    struct config *config;
    struct trace *trace;
    struct backends *backends;
    struct engine *engine;
    struct vm *vm;
    struct virt *board;
    struct member *member;              /* NULL: alone, and `node` too */
    const struct placement *placement;
    struct node *node;
    struct monitor *monitor[MONITORS_MAX];      /* or: */
    struct qmp *qmp[MONITORS_MAX];
    unsigned monitors_n;
    struct qtest *qtest;
    struct loop_signal signal[ARRAY_LEN(end_signals)];
    bool is_root;
    unsigned signals_n;
    bool threads_started, running, ending;
    int status;

    /* Events posted by any thread, taken by the loop. */
    struct mutex event_lock;
    bool event_posted[EVENTS_N];
    char event_why[EVENTS_N][256];
    struct loop_work event_work;
};

/* ---- the engine's view of the board ---------------------------------------------------------- */

static bool hook_sysreg_read(void *ctx, unsigned n, uint32_t enc, uint64_t *v)
{
    return virt_vcpu_sysreg_read(ctx, n, enc, v);
}

static bool hook_sysreg_write(void *ctx, unsigned n, uint32_t enc, uint64_t v)
{
    return virt_vcpu_sysreg_write(ctx, n, enc, v);
}

static enum emu_firmware hook_firmware_call(void *ctx, unsigned n, bool is_smc, uint64_t *x)
{
    switch (virt_vcpu_firmware_call(ctx, n, is_smc, x)) {
    case VIRT_FIRMWARE_DONE: return EMU_FIRMWARE_DONE;
    case VIRT_FIRMWARE_WAIT: return EMU_FIRMWARE_WAIT;
    case VIRT_FIRMWARE_OFF: return EMU_FIRMWARE_OFF;
    case VIRT_FIRMWARE_NONE: break;
    }
    return EMU_FIRMWARE_NONE;
}

static void hook_power_on_reset(void *ctx, unsigned n)
{
    virt_vcpu_power_on_reset(ctx, n);
}

static bool vcpu_is_local(void *ctx, unsigned n)
{
    struct machine *m = ctx;

    return !m->node || node_vcpu_is_local(m->node, n);
}

/* A redistributor of a vCPU of another node is that node's; only the root knows the way. */
static bool redist_mmio(void *ctx, unsigned n, const struct mmio_ops **ops, void **ops_ctx)
{
    struct machine *m = ctx;
    struct err e;

    if (!m->node || !m->is_root) {
        return false;
    }
    *ops = node_mmio(m->node, m->placement->vcpu_node[n],
                     virt_config_redist_base(&m->config->board, n), ops_ctx, &e);
    if (!*ops) {
        log_error("machine", "%s", e.text);
    }
    return *ops;
}

static bool make_vcpu(void *ctx, struct virt *b, struct vcpu *v, uint64_t mpidr, struct err *e)
{
    struct machine *m = ctx;
    struct emu_config c = {
        .model = engine_model(m->engine),
        .mpidr = mpidr,
        .engine = engine_ops(m->engine),
        .hooks = {
            .ctx = b,
            .sysreg_read = hook_sysreg_read,
            .sysreg_write = hook_sysreg_write,
            .firmware_call = hook_firmware_call,
            .power_on_reset = hook_power_on_reset,
        },
    };

    if (!vcpu_is_local(m, v->index)) {
        node_vcpu_make(m->node, v);
        return true;
    }
    return emu_make(v, &c, e);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void post_event(void *ctx, enum vm_event ev, const char *why)
{
    struct machine *m = ctx;

    mutex_lock(&m->event_lock);
    if (!m->event_posted[ev]) {
        m->event_posted[ev] = true;
        snprintf(m->event_why[ev], sizeof m->event_why[ev], "%s", why ? why : "");
    }
    mutex_unlock(&m->event_lock);
    loop_work_schedule(&m->event_work);
}

static void handle_event(struct machine *m, enum vm_event ev, const char *why)
{
    switch (ev) {
    case VM_EV_POWEROFF:
        if (m->config->pause_on_poweroff) {
            machine_pause(m);
        } else {
            machine_quit(m, 0);
        }
        break;
    case VM_EV_RESET:
        if (m->config->end_on_reboot) {
            machine_quit(m, 0);
        } else {
            machine_reset(m);
        }
        break;
    case VM_EV_PANIC:
        if (!m->ending && why[0]) {
            log_error("machine", "%s", why);
        }
        machine_quit(m, 1);
        break;
    case VM_EV_HOST_QUIT:
        if (why[0] && !m->ending) {
            log_info("machine", "%s", why);
        }
        machine_quit(m, 0);
        break;
    }
}

static void on_events(void *ctx)
{
    struct machine *m = ctx;
    char why[256];

    for (unsigned ev = 0; ev < EVENTS_N; ev++) {
        mutex_lock(&m->event_lock);
        bool posted = m->event_posted[ev];
        m->event_posted[ev] = false;
        memcpy(why, m->event_why[ev], sizeof why);
        mutex_unlock(&m->event_lock);
        if (posted) {
            handle_event(m, ev, why);
        }
    }
}

static void on_signal(void *ctx, int signo)
{
    struct machine *m = ctx;

    /* Several processes: the first ends them all in order.  Who is asked twice does not wait. */
    if (!m->is_root && m->signals_n++ == 0) {
        char why[40];

        snprintf(why, sizeof why, "ending on signal %d", signo);
        vm_post_event(m->vm, VM_EV_HOST_QUIT, why);
        return;
    }
    log_info("machine", "ending on signal %d", signo);
    machine_quit(m, 0);
}

static void on_console_quit(void *ctx)
{
    machine_quit(ctx, 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool add_monitors(struct machine *m, struct err *e)
{
    const struct opts *list = opts_sub(m->tree, "mon");

    for (struct opts *o = list ? opts_first(list) : NULL; o; o = opts_next(o)) {
        const char *id = opts_str(o, "chardev", NULL);
        const char *mode = opts_str(o, "mode", "readline");
        struct chr *chr;

        bool is_qmp = !strcmp(mode, "control");

        if (!is_qmp && strcmp(mode, "readline") != 0) {
            return err_set(e, "-mon mode=%s: there are readline and control", mode);
        }
        if (m->monitors_n == MONITORS_MAX) {
            return err_set(e, "-mon: more than %d", MONITORS_MAX);
        }
        if (!id || !(chr = backends_chr(m->backends, id, e))) {
            return id ? err_prefix(e, "-mon") : err_set(e, "-mon: wants chardev=ID");
        }
        if (is_qmp) {
            m->qmp[m->monitors_n] = qmp_create(m, chr, e);
        } else {
            m->monitor[m->monitors_n] = monitor_create(m, chr, e);
        }
        if (!m->monitor[m->monitors_n] && !m->qmp[m->monitors_n]) {
            return false;
        }
        m->monitors_n++;
    }
    return true;
}

static bool add_qtest(struct machine *m, struct err *e)
{
    const char *id = opts_str(m->tree, "qtest", NULL);
    struct chr *chr;

    if (!id) {
        return true;
    }
    chr = backends_chr(m->backends, id, e);
    m->qtest = chr ? qtest_create(m, chr, opts_str(m->tree, "qtest-log", NULL), e) : NULL;
    return m->qtest || err_prefix(e, "-qtest");
}

/* ---- this process as a node of several --------------------------------------------------- */

static void node_irq_deliver(void *ctx, const struct irq_msg *msg)
{
    struct machine *m = ctx;

    virt_irq_deliver(m->board, msg);
}

/* The root says what to do.  Loop thread. */
static bool node_do(void *ctx, enum node_command cmd)
{
    struct machine *m = ctx;
    struct err e;

    switch (cmd) {
    case NODE_RUN:
        m->running = true;
        vm_run(m->vm);
        return true;
    case NODE_PAUSE:
        m->running = false;
        vm_pause(m->vm);
        return true;
    case NODE_RESET:
        return virt_reset(m->board, &e) || (log_error("machine", "reset: %s", e.text), false);
    }
    return false;
}

static void node_quit(void *ctx, int status)
{
    post_event(ctx, status ? VM_EV_PANIC : VM_EV_HOST_QUIT, NULL);
}

static void node_ended(void *ctx)
{
    post_event(ctx, VM_EV_PANIC, NULL);
}

static bool build_node(struct machine *m, struct err *e)
{
    struct node_hooks hooks = {
        .ctx = m, .irq_deliver = node_irq_deliver, .command = node_do, .quit = node_quit,
        .ended = node_ended,
    };
    struct node_config config;
    unsigned local_n = 0;

    for (unsigned i = 0; i < m->placement->vcpus_n; i++) {
        local_n += m->placement->vcpu_node[i] == member_self(m->member);
    }
    node_config_init(&config, local_n);
    config.foreign_max = (m->config->cache_bytes + 4095) / 4096;
    m->node = node_new(m->member, m->vm, m->placement, &config, &hooks, e);
    return m->node;
}

/* ---- life -------------------------------------------------------------------------------- */

/* What only the root has: the host's side of devices, and people. */
static bool build_root(struct machine *m, const struct virt_hosting *hosting, struct err *e)
{
    m->backends = backends_create(m->loop, m->tree, m->trace, e);
    if (!m->backends) {
        return false;
    }
    backends_on_quit(m->backends, on_console_quit, m);
    m->config->board.finder = backends_finder(m->backends);
    m->board = virt_build_root(m->vm, &m->config->board, hosting, e);
    return m->board && add_monitors(m, e) && add_qtest(m, e);
}

static bool build(struct machine *m, struct err *e)
{
    struct virt_hosting hosting = {
        .ctx = m, .vcpu_is_local = vcpu_is_local, .vcpu_make = make_vcpu,
        .redist_mmio = redist_mmio,
    };

    m->engine = engine_create(m->config, e);
    if (!m->engine) {
        return false;
    }
    m->config->board.cpu_compatible = engine_cpu_compatible(m->engine);
    m->config->board.trace = m->trace;
    m->vm = vm_new(m->loop, m->config->board.cpus_n, e);
    if (!m->vm) {
        return false;
    }
    m->vm->event = post_event;
    m->vm->event_ctx = m;
    if (m->member && !build_node(m, e)) {
        return false;
    }
    if (m->is_root) {
        return build_root(m, &hosting, e);
    }
    m->board = virt_build_member(m->vm, &m->config->board, &hosting, e);
    return m->board;
}

/* On a node that is not the root, the root's commands do the rest. */
static bool start(struct machine *m, struct err *e)
{
    for (unsigned i = 0; i < ARRAY_LEN(end_signals); i++) {
        if (!loop_signal_add(m->loop, &m->signal[i], end_signals[i], on_signal, m, e)) {
            return false;
        }
    }
    if (m->node && !node_start(m->node, e)) {
        return false;
    }
    m->threads_started = true;
    if (!vm_start(m->vm, e)) {
        return false;
    }
    return !m->is_root || ((!m->node || node_command(m->node, NODE_RESET) ||
                            err_set(e, "the machine ended while it was being made")) &&
                           virt_reset(m->board, e));
}

struct machine *machine_create(struct loop *loop, struct opts *tree, struct config *config,
                               struct trace *trace, struct member *member,
                               const struct placement *placement, struct err *e)
{
    struct machine *m = calloc(1, sizeof *m);

    m->loop = loop;
    m->tree = tree;
    m->config = config;
    m->trace = trace;
    m->member = member;
    m->placement = placement;
    m->is_root = !member || member_self(member) == NODE_ROOT;
    mutex_init(&m->event_lock);
    loop_work_init(&m->event_work, loop, on_events, m);
    if (build(m, e) && start(m, e)) {
        return m;
    }
    m->status = 1;
    machine_destroy(m);
    return NULL;
}

/* -stats.  The vCPUs stand first, so that the figures fit together. */
static void print_summary(struct machine *m)
{
    struct strbuf out = { 0 };

    machine_pause(m);
    machine_info_engine(m, &out);
    if (m->status == 0) {
        machine_info_cluster(m, &out);
    }
    fputs(out.text, stderr);
    strbuf_free(&out);
}

int machine_run(struct machine *m)
{
    if (m->is_root && !m->config->paused) {
        machine_continue(m);
    }
    loop_run(m->loop);
    if (m->is_root && m->config->stats) {
        print_summary(m);
    }
    return m->status;
}

void machine_destroy(struct machine *m)
{
    if (!m) {
        return;
    }
    if (m->node) {
        node_end(m->node, m->status);
    }
    if (m->vm && m->threads_started) {
        vm_end(m->vm);
    }
    node_free(m->node);
    for (unsigned i = 0; i < m->monitors_n; i++) {
        monitor_destroy(m->monitor[i]);
        qmp_destroy(m->qmp[i]);
    }
    qtest_destroy(m->qtest);
    virt_free(m->board);
    backends_destroy(m->backends);
    for (unsigned i = 0; m->vm && i < m->vm->vcpus_n; i++) {
        emu_free(&m->vm->vcpu[i]);
    }
    vm_free(m->vm);
    engine_destroy(m->engine);
    for (unsigned i = 0; i < ARRAY_LEN(end_signals); i++) {
        if (m->signal[i].fd.loop) {
            loop_signal_remove(&m->signal[i]);
        }
    }
    loop_work_cancel(&m->event_work);
    mutex_destroy(&m->event_lock);
    free(m);
}

/* ---- what a monitor can do ------------------------------------------------------------------- */

void machine_quit(struct machine *m, int status)
{
    if (!m->ending) {
        m->ending = true;
        m->status = status;
    }
    loop_stop(m->loop);
}

void machine_pause(struct machine *m)
{
    if (m->running) {
        m->running = false;
        if (m->node) {
            node_command(m->node, NODE_PAUSE);
        }
        if (m->config->engine != CONFIG_QTEST) {
            vm_pause(m->vm);
        }
    }
}

void machine_continue(struct machine *m)
{
    if (!m->running && !m->ending) {
        m->running = true;
        if (m->node) {
            node_command(m->node, NODE_RUN);
        }
        if (m->config->engine != CONFIG_QTEST) {
            vm_run(m->vm);
        }
    }
}

bool machine_is_running(const struct machine *m)
{
    return m->running;
}

void machine_reset(struct machine *m)
{
    bool was_running = m->running;
    struct err e;

    machine_pause(m);
    if (m->node && !node_command(m->node, NODE_RESET)) {
        machine_quit(m, 1);
    } else if (!virt_reset(m->board, &e)) {
        log_error("machine", "reset: %s", e.text);
        machine_quit(m, 1);
    } else if (was_running) {
        machine_continue(m);
    }
}

void machine_press_power(struct machine *m)
{
    virt_press_power_key(m->board);
}

struct vm *machine_vm(struct machine *m)
{
    return m->vm;
}

struct virt *machine_board(struct machine *m)
{
    return m->board;
}

struct backends *machine_backends(struct machine *m)
{
    return m->backends;
}

const struct config *machine_config(const struct machine *m)
{
    return m->config;
}

struct trace *machine_trace(struct machine *m)
{
    return m->trace;
}

void machine_info_engine(struct machine *m, struct strbuf *out)
{
    engine_info(m->engine, out);
}

void machine_info_cluster(struct machine *m, struct strbuf *out)
{
    if (m->node) {
        node_info(m->node, out);
    } else {
        strbuf_add(out, "The machine is in one process.\n");
    }
}
