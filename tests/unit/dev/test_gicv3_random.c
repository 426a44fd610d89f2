/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 under random operations, from a seed that is printed when something fails:
 *  - parts joined directly: every line and every acknowledge equals that of a simple model;
 *  - parts joined by queues with random delays: nothing is lost, nothing is active on two CPUs,
 *    nothing comes after a disable was confirmed, and all comes to rest;
 *  - in both, the machine is sometimes saved once it is quiet, and goes on in another one;
 *  - any registers and any messages, as from a broken peer: nothing but no crash.
 * Arguments: first seed, number of seeds (for campaigns). */
#include "gic_sim.h"

#include "../check.h"

#define CPUS 3
#define FIRST 32
#define SPIS 12                 /* even ones are levels, odd ones edges */
#define SGIS 4
#define STEPS 2500
#define NESTING_MAX 40

struct model_spi {
    bool enabled, edge, latch, line, active;
    uint8_t priority;
    uint64_t route;
    /* for the delayed case */
    unsigned produced_n, consumed_n;
    bool disable_asked, disabled_surely;
    int active_on;              /* CPU, or -1 */
};

struct model_cpu {
    unsigned pmr;
    bool enabled, split_end;
    unsigned stack_n, deactivate_n;
    uint16_t stack[NESTING_MAX], deactivate[NESTING_MAX];
    uint8_t stack_priority[NESTING_MAX];
    bool sgi_due[SGIS];         /* direct: pending */
    bool sgi_active[SGIS];
};

struct world {
    struct sim *s;
    struct prng p;
    uint64_t seed;
    bool control;               /* GICD_CTLR.EnableGrp1 */
    struct model_spi spi[SPIS];
    struct model_cpu cpu[CPUS];
    struct irq wire[SPIS];
};

static unsigned pick(struct world *w, unsigned n)
{
    return prng_below(&w->p, n);
}

#define REQUIRE(w, cond, ...) do { \
        bool holds = (cond); \
        CHECK(holds, __VA_ARGS__); \
        if (!holds) { \
            fprintf(stderr, "  %s; seed %lu\n", #cond, (unsigned long)(w)->seed); \
        } \
    } while (0)

/* The guest sets up what is as after a reset. */
static void world_boot(struct world *w)
{
    sim_boot(w->s);
    w->control = true;
    for (unsigned i = 0; i < SPIS; i++) {
        w->wire[i] = gicv3_dist_irq(w->s->dist, FIRST + i);
        w->spi[i] = (struct model_spi){ .enabled = true, .edge = i & 1, .active_on = -1 };
        gicd_edge(w->s, FIRST + i, i & 1);
    }
    for (unsigned i = 0; i < CPUS; i++) {
        w->cpu[i].pmr = 0xf8;
        w->cpu[i].enabled = true;
        w->cpu[i].split_end = pick(w, 2);
        icc_w(w->s, i, SIM_CTLR, w->cpu[i].split_end ? 2 : 0);
    }
}

static void world_init(struct world *w, uint64_t seed, bool direct)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    prng_init(&w->p, seed);
    w->s = sim_new(CPUS, direct);
    world_boot(w);
}

/* A reset of the machine, with messages on their way: the parts are reset one after the other
 * while nobody runs. */
static void world_reset(struct world *w)
{
    unsigned first = prng_below(&w->p, CPUS + 1);
    for (unsigned i = 0; i < SPIS; i++) {
        irq_set(&w->wire[i], false);
    }
    w->s->topology.epoch++;
    for (unsigned i = 0; i <= CPUS; i++) {
        unsigned part = (first + i) % (CPUS + 1);
        if (part == CPUS) {
            device_reset(w->s->dist);
        } else {
            device_reset(w->s->cpu[part]);
        }
        for (unsigned n = prng_below(&w->p, 20); n-- > 0;) {
            sim_step(w->s, &w->p);
        }
    }
    memset(w->cpu, 0, sizeof(w->cpu));
    world_boot(w);
}

/* A snapshot that is loaded into a new machine: nobody notices. */
static void world_move(struct world *w)
{
    struct sim *old = w->s, *new = sim_new(CPUS, old->direct);
    while (sim_step(old, &w->p)) {
    }
    REQUIRE(w, sim_is_quiet(old), "no messages, but not quiet");
    new->topology.epoch++;
    for (unsigned i = 0; i < SPIS; i++) {
        w->wire[i] = gicv3_dist_irq(new->dist, FIRST + i);
        irq_set(&w->wire[i], w->spi[i].line);
    }
    bool ok = true;
    for (unsigned i = 0; i < CPUS; i++) {
        ok &= sim_move_part(old->cpu[i], new->cpu[i]);
    }
    REQUIRE(w, ok && sim_move_part(old->dist, new->dist), "not saved and loaded");
    sim_free(old);
    w->s = new;
}

/* ---- devices ---- */

static void set_wire(struct world *w, unsigned i, bool level)
{
    struct model_spi *x = &w->spi[i];
    if (x->edge && level && !x->line) {
        x->latch = true;
        x->produced_n++;
    }
    x->line = level;
    irq_set(&w->wire[i], level);
}

static void device_step(struct world *w)
{
    unsigned i = pick(w, SPIS);
    if (w->spi[i].edge) {
        set_wire(w, i, true);
        set_wire(w, i, false);
    } else {
        set_wire(w, i, pick(w, 4) != 0);
    }
}

/* ---- configuration ---- */

static void change_enable(struct world *w, unsigned i)
{
    struct model_spi *x = &w->spi[i];
    x->enabled = pick(w, 3) != 0;
    gicd_bit(w->s, x->enabled ? 0x100 : 0x180, FIRST + i);
    x->disable_asked = !x->enabled;
    x->disabled_surely = false;
}

static void change_route(struct world *w, unsigned i)
{
    /* With 1-of-N the choice is the GIC's: not in the comparison with the model. */
    bool any = !w->s->direct && pick(w, 3) == 0;
    w->spi[i].route = any ? UINT64_C(1) << 31 : w->s->mpidr[pick(w, CPUS)];
    gicd_route(w->s, FIRST + i, w->spi[i].route);
}

static void change_cpu(struct world *w, unsigned c)
{
    if (pick(w, 2)) {
        w->cpu[c].pmr = pick(w, 4) ? 0xf8 : pick(w, 32) * 8;
        icc_w(w->s, c, SIM_PMR, w->cpu[c].pmr);
    } else {
        w->cpu[c].enabled = pick(w, 3) != 0;
        icc_w(w->s, c, SIM_IGRPEN1, w->cpu[c].enabled);
    }
}

static void config_step(struct world *w)
{
    unsigned i = pick(w, SPIS), c = pick(w, CPUS);
    switch (pick(w, 8)) {
    case 0:
    case 1:
        change_enable(w, i);
        break;
    case 2:
        change_route(w, i);
        break;
    case 3:
        w->spi[i].priority = pick(w, 8) * 0x20;
        gicd_prio(w->s, FIRST + i, w->spi[i].priority);
        break;
    case 4:
        change_cpu(w, c);
        break;
    case 5:
        w->control = pick(w, 4) != 0;
        gicd_w(w->s, 0, w->control ? 2 : 0);
        break;
    case 6:                     /* pending by software; not counted as produced */
        w->spi[i].latch = true;
        gicd_bit(w->s, 0x200, FIRST + i);
        break;
    case 7: {
        unsigned sgi = pick(w, SGIS), from = pick(w, CPUS);
        w->cpu[c].sgi_due[sgi] = true;
        icc_w(w->s, from, SIM_SGI1R,
              (w->s->mpidr[c] >> 8) << 16 | sgi << 24 | 1u << (w->s->mpidr[c] & 15));
        break;
    }
    }
    for (i = 0; i < SPIS; i++) {
        if (w->spi[i].disable_asked && !(gicd_r(w->s, 0) >> 31)) {
            w->spi[i].disabled_surely = true;
        }
    }
}

/* ---- CPUs ---- */

static void taken_spi(struct world *w, unsigned c, unsigned i)
{
    struct model_spi *x = &w->spi[i];
    REQUIRE(w, x->active_on < 0, "INTID %u on CPUs %d, %u", FIRST + i, x->active_on, c);
    REQUIRE(w, !x->disabled_surely, "INTID %u comes though disabled", FIRST + i);
    x->active_on = c;
    x->active = true;
    x->latch = false;
    x->consumed_n = x->produced_n;
    if (!x->edge && (w->s->direct ? pick(w, 4) : 1)) {
        set_wire(w, i, false);  /* the driver quiets its device */
    }
}

static void taken(struct world *w, unsigned c, unsigned intid, unsigned priority)
{
    struct model_cpu *m = &w->cpu[c];
    assert(m->stack_n < NESTING_MAX);
    m->stack_priority[m->stack_n] = priority;
    m->stack[m->stack_n++] = intid;
    if (intid < SGIS) {
        m->sgi_due[intid] = false;
        m->sgi_active[intid] = true;
    } else {
        taken_spi(w, c, intid - FIRST);
    }
}

static void deactivated(struct world *w, unsigned c, unsigned intid)
{
    if (intid < SGIS) {
        w->cpu[c].sgi_active[intid] = false;
    } else {
        w->spi[intid - FIRST].active_on = -1;
        w->spi[intid - FIRST].active = false;
    }
}

static void cpu_end(struct world *w, unsigned c)
{
    struct model_cpu *m = &w->cpu[c];
    if (m->deactivate_n && (pick(w, 2) || !m->stack_n)) {
        unsigned k = pick(w, m->deactivate_n), intid = m->deactivate[k];
        m->deactivate[k] = m->deactivate[--m->deactivate_n];
        deactivated(w, c, intid);
        icc_w(w->s, c, SIM_DIR, intid);
    } else if (m->stack_n) {
        unsigned intid = m->stack[--m->stack_n];
        if (m->split_end) {
            m->deactivate[m->deactivate_n++] = intid;
        } else {
            deactivated(w, c, intid);
        }
        icc_w(w->s, c, SIM_EOIR1, intid);
    }
}

/* What the model says that a CPU takes next; 1023 for nothing. */
static unsigned expected(const struct world *w, unsigned c, unsigned *priority)
{
    const struct model_cpu *m = &w->cpu[c];
    unsigned best = 1023, running = m->stack_n ? m->stack_priority[m->stack_n - 1] : 256;
    *priority = 256;
    if (!w->control || !m->enabled) {
        return best;
    }
    for (unsigned i = 0; i < SGIS; i++) {
        if (m->sgi_due[i] && !m->sgi_active[i] && *priority > 0) {
            *priority = 0;
            best = i;
        }
    }
    for (unsigned i = 0; i < SPIS; i++) {
        const struct model_spi *x = &w->spi[i];
        bool pending = x->latch || (!x->edge && x->line);
        if (x->enabled && pending && !x->active && x->route == w->s->mpidr[c] &&
            x->priority < *priority) {
            *priority = x->priority;
            best = FIRST + i;
        }
    }
    return *priority < m->pmr && *priority < running ? best : 1023;
}

static void compare_with_model(struct world *w)
{
    for (unsigned c = 0; c < CPUS; c++) {
        unsigned priority, intid = expected(w, c, &priority);
        REQUIRE(w, w->s->line[c].irq == (intid != 1023), "CPU %u: line %d, model %u", c,
                w->s->line[c].irq, intid);
    }
}

static void cpu_take(struct world *w, unsigned c)
{
    unsigned priority, model = expected(w, c, &priority);
    bool line = w->s->line[c].irq;
    unsigned intid = icc_r(w->s, c, SIM_IAR1);
    REQUIRE(w, line == (intid != 1023), "CPU %u: line %d, INTID %u", c, line, intid);
    if (w->s->direct) {
        REQUIRE(w, intid == model, "CPU %u took %u, model %u", c, intid, model);
    }
    if (intid == 1023) {
        return;
    }
    taken(w, c, intid, w->s->direct ? priority : icc_r(w->s, c, SIM_RPR));
}

static void cpu_step(struct world *w)
{
    unsigned c = pick(w, CPUS);
    if (pick(w, 2) && w->cpu[c].deactivate_n < NESTING_MAX / 2) {
        cpu_take(w, c);
    } else {
        cpu_end(w, c);
    }
}

/* ---- the two tests ---- */

static void run_direct(uint64_t seed)
{
    struct world w;
    world_init(&w, seed, true);
    for (unsigned n = 0; n < STEPS && !check_failed_n; n++) {
        unsigned what = pick(&w, 8);
        if (what < 3) {
            device_step(&w);
        } else if (what < 5) {
            config_step(&w);
        } else {
            cpu_step(&w);
        }
        if (pick(&w, STEPS / 4) == 0) {
            world_move(&w);
        }
        compare_with_model(&w);
    }
    sim_free(w.s);
}

static void open_all(struct world *w)
{
    w->control = true;
    gicd_w(w->s, 0, 2);
    for (unsigned i = 0; i < SPIS; i++) {
        w->spi[i].disable_asked = w->spi[i].disabled_surely = false;
        gicd_bit(w->s, 0x100, FIRST + i);
        gicd_prio(w->s, FIRST + i, pick(w, 8) * 0x10);
    }
    for (unsigned c = 0; c < CPUS; c++) {
        icc_w(w->s, c, SIM_PMR, 0xf8);
        icc_w(w->s, c, SIM_IGRPEN1, 1);
    }
}

static bool rests(const struct world *w)
{
    for (unsigned c = 0; c < CPUS; c++) {
        if (w->s->line[c].irq || w->cpu[c].stack_n || w->cpu[c].deactivate_n) {
            return false;
        }
    }
    return !w->s->queued_n;
}

static void check_rest(struct world *w)
{
    for (unsigned i = 0; i < SPIS; i++) {
        REQUIRE(w, w->spi[i].consumed_n == w->spi[i].produced_n, "an edge of %u is lost",
                FIRST + i);
        REQUIRE(w, !w->spi[i].line, "the level of %u is lost", FIRST + i);
    }
    for (unsigned c = 0; c < CPUS; c++) {
        for (unsigned i = 0; i < SGIS; i++) {
            REQUIRE(w, !w->cpu[c].sgi_due[i], "SGI %u to CPU %u is lost", i, c);
        }
        REQUIRE(w, gicr_r(w->s, c, 0x10300) == 0);
    }
    REQUIRE(w, gicd_r(w->s, 0x204) == 0, "pending 0x%x", gicd_r(w->s, 0x204));
    REQUIRE(w, gicd_r(w->s, 0x304) == 0, "active 0x%x", gicd_r(w->s, 0x304));
    REQUIRE(w, !(gicd_r(w->s, 0) >> 31), "RWP");
}

static void run_delayed(uint64_t seed)
{
    struct world w;
    world_init(&w, seed, false);
    unsigned delivery = 1 + pick(&w, 12);   /* from slow to fast links */
    for (unsigned n = 0; n < STEPS && !check_failed_n; n++) {
        unsigned what = pick(&w, 6 + delivery);
        if (what < 2) {
            device_step(&w);
        } else if (what < 3) {
            config_step(&w);
        } else if (what < 6) {
            cpu_step(&w);
        } else {
            sim_step(w.s, &w.p);
        }
        if (pick(&w, STEPS) == 0) {
            world_reset(&w);
        }
        if (pick(&w, STEPS / 2) == 0) {
            world_move(&w);
        }
    }
    open_all(&w);
    unsigned left = 100000;
    while (!rests(&w) && left-- && !check_failed_n) {
        if (pick(&w, 2)) {
            sim_step(w.s, &w.p);
        } else {
            cpu_step(&w);
        }
    }
    REQUIRE(&w, left + 1 > 0 && rests(&w), "does not come to rest");
    check_rest(&w);
    sim_free(w.s);
}

static void run_hostile(uint64_t seed)
{
    struct prng p;
    struct sim *s = sim_new(CPUS, true);
    uint64_t v;
    prng_init(&p, seed);
    for (unsigned n = 0; n < STEPS; n++) {
        unsigned c = prng_below(&p, CPUS), size = 1u << prng_below(&p, 4);
        unsigned off = prng_below(&p, 0x20000) & ~(size - 1);
        struct irq_msg m = {
            .to = prng_below(&p, 2) ? IRQ_MSG_TO_DISTRIBUTOR : c,
            .from = prng_below(&p, 3) ? prng_below(&p, CPUS + 1) : IRQ_MSG_TO_DISTRIBUTOR,
            .kind = prng_below(&p, 12) | (prng_below(&p, 9) ? 0 : 1u << 16),
            .a = prng_below(&p, 3) ? prng_below(&p, 100) : prng_u64(&p), .b = prng_u64(&p),
        };
        switch (prng_below(&p, 6)) {
        case 0:
            sim_deliver(s, &m);
            break;
        case 1:
            frame_write(s->dist, 0, off & 0xffff, size, prng_u64(&p), c);
            break;
        case 2:
            frame_read(s->dist, 0, off & 0xffff, size, c);
            frame_read(s->cpu[c], 0, off, size, c);
            break;
        case 3:
            frame_write(s->cpu[c], 0, off & 0x10fff, size, prng_u64(&p), c);
            break;
        case 4:
            gicv3_cpu_sysreg_write(s->cpu[c], SIM_ENC(12, 8 + prng_below(&p, 5),
                                   prng_below(&p, 8)), prng_u64(&p));
            break;
        case 5:
            gicv3_cpu_sysreg_read(s->cpu[c], SIM_ENC(12, 8 + prng_below(&p, 5),
                                  prng_below(&p, 8)), &v);
            break;
        }
    }
    sim_free(s);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    unsigned n = argc > 2 ? atoi(argv[2]) : 60;
    for (unsigned i = 0; i < n && !check_failed_n; i++) {
        run_direct(first + i);
        run_delayed(first + i);
        run_hostile(first + i);
    }
    return check_result();
}
