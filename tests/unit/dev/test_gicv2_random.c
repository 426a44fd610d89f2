/* SPDX-License-Identifier: Apache-2.0 */
/* GICv2 under random operations, from a seed that is printed when something fails:
 *  - with sense: edges and levels are all served, by one CPU at a time, and all comes to rest;
 *    sometimes the state is saved, and all goes on in another one;
 *  - without: any registers and messages, and nothing but no crash. */
#include "base/err.h"
#include "base/prng.h"
#include "dev/intc/gicv2.h"

#include "../check.h"
#include "frame.h"

#include <stdlib.h>
#include <string.h>

#define CPUS 3
#define FIRST 32
#define SPIS 12                 /* even ones are levels, odd ones edges */
#define STEPS 3000
#define NESTING_MAX 40

struct world {
    struct device *gic;
    struct prng p;
    uint64_t seed;
    bool line[CPUS];
    unsigned produced_n[SPIS], consumed_n[SPIS];
    bool level[SPIS];
    int active_on[SPIS];
    unsigned sgi_sent_n[CPUS], sgi_seen_n[CPUS];
    unsigned stack_n[CPUS];
    uint32_t stack[CPUS][NESTING_MAX];
};

#define REQUIRE(w, cond, ...) do { \
        bool holds = (cond); \
        CHECK(holds, __VA_ARGS__); \
        if (!holds) { \
            fprintf(stderr, "  %s; seed %lu\n", #cond, (unsigned long)(w)->seed); \
        } \
    } while (0)

static void on_line(void *ctx, unsigned n, bool level)
{
    ((struct world *)ctx)->line[n / 2] = level;
}

static unsigned pick(struct world *w, unsigned n)
{
    return prng_below(&w->p, n);
}

static void dist_w(struct world *w, unsigned cpu, unsigned off, unsigned size, uint32_t v)
{
    frame_write(w->gic, 0, off, size, v, cpu);
}

static void cpu_w(struct world *w, unsigned cpu, unsigned off, uint32_t v)
{
    frame_write(w->gic, 1, off, 4, v, cpu);
}

static void set_wire(struct world *w, unsigned i, bool level)
{
    struct irq irq = gicv2_irq(w->gic, FIRST + i);
    irq_set(&irq, level);
}

static void open_all(struct world *w)
{
    struct irq_msg none = gicv2_ppi_message(CPUS, 27, true);
    dist_w(w, 0, 0, 4, 1);
    dist_w(w, 0, 0x104, 4, ~0u);
    gicv2_message(w->gic, &none);
    for (unsigned i = 0; i < CPUS; i++) {
        cpu_w(w, i, 0, 1);
        cpu_w(w, i, 4, 0xf8);
    }
    for (unsigned i = 0; i < SPIS; i++) {
        dist_w(w, 0, 0x800 + FIRST + i, 1, 1 + pick(w, (1 << CPUS) - 1));
        dist_w(w, 0, 0x400 + FIRST + i, 1, pick(w, 0xf0));      /* not masked by PMR */
    }
}

static void device_step(struct world *w)
{
    unsigned i = pick(w, SPIS);
    if (i & 1) {
        w->produced_n[i]++;
        set_wire(w, i, true);
        set_wire(w, i, false);
    } else {
        w->level[i] = pick(w, 4) != 0;
        set_wire(w, i, w->level[i]);
    }
}

static void config_step(struct world *w)
{
    unsigned i = FIRST + pick(w, SPIS), c = pick(w, CPUS), to = pick(w, CPUS);
    switch (pick(w, 6)) {
    case 0:
        dist_w(w, c, pick(w, 3) ? 0x104 : 0x184, 4, 1u << i % 32);
        break;
    case 1:
        dist_w(w, c, 0x800 + i, 1, pick(w, 1 << CPUS));
        break;
    case 2:
        dist_w(w, c, 0x400 + i, 1, pick(w, 256));
        break;
    case 3:
        cpu_w(w, c, 4, pick(w, 3) ? 0xf8 : pick(w, 256));
        break;
    case 4:
        dist_w(w, c, 0, 4, pick(w, 4) != 0);
        break;
    case 5:
        w->sgi_sent_n[to]++;
        dist_w(w, c, 0xf00, 4, 1u << (16 + to) | 3);
        break;
    }
}

static void cpu_step(struct world *w)
{
    unsigned c = pick(w, CPUS);
    if (pick(w, 2) && w->stack_n[c]) {
        uint32_t v = w->stack[c][--w->stack_n[c]];
        if ((v & 1023) >= FIRST) {
            w->active_on[(v & 1023) - FIRST] = -1;
        }
        cpu_w(w, c, 0x10, v);
        return;
    }
    bool line = w->line[c];
    uint32_t v = frame_read(w->gic, 1, 0xc, 4, c);
    unsigned intid = v & 1023;
    REQUIRE(w, line == (intid < 1020), "CPU %u: line %d, INTID %u", c, line, intid);
    if (intid >= 1020) {
        return;
    }
    w->stack[c][w->stack_n[c]++] = v;
    if (intid < FIRST) {
        w->sgi_seen_n[c] = w->sgi_sent_n[c];
        return;
    }
    unsigned i = intid - FIRST;
    REQUIRE(w, w->active_on[i] < 0, "INTID %u on CPUs %d, %u", intid, w->active_on[i], c);
    w->active_on[i] = c;
    w->consumed_n[i] = w->produced_n[i];
    w->level[i] = false;
    set_wire(w, i, false);
}

static bool rests(const struct world *w)
{
    for (unsigned c = 0; c < CPUS; c++) {
        if (w->line[c] || w->stack_n[c]) {
            return false;
        }
    }
    return true;
}

static struct device *new_gic(struct world *w)
{
    struct device_env env = { 0 };
    struct err e;
    struct device *d = gicv2_new(96, CPUS, &env, &e);
    for (unsigned i = 0; i < CPUS; i++) {
        device_connect_irq(d, GICV2_OUTPUT(i, false), (struct irq){ on_line, w, i * 2 });
    }
    device_reset(d);
    return d;
}

/* A snapshot that is loaded into a new machine: nobody notices. */
static void world_move(struct world *w)
{
    struct device *old = w->gic;
    uint8_t *blob = NULL;
    struct err e;
    size_t n;
    memset(w->line, 0, sizeof(w->line));
    w->gic = new_gic(w);
    for (unsigned i = 0; i < SPIS; i += 2) {
        set_wire(w, i, w->level[i]);
    }
    bool ok = device_save(old, &blob, &n, &e) && device_load(w->gic, blob, n, &e);
    REQUIRE(w, ok, "%s", e.text);
    free(blob);
    device_free(old);
}

static void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    prng_init(&w->p, seed);
    w->gic = new_gic(w);
    for (unsigned i = 0; i < SPIS; i++) {
        w->active_on[i] = -1;
    }
    dist_w(w, 0, 0xc08, 4, 0x88888888);
    open_all(w);
}

static void run_sensible(uint64_t seed)
{
    struct world w;
    world_init(&w, seed);
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
    }
    open_all(&w);
    for (unsigned n = 0; n < 10000 && !rests(&w) && !check_failed_n; n++) {
        cpu_step(&w);
    }
    REQUIRE(&w, rests(&w), "does not come to rest");
    for (unsigned i = 0; i < SPIS; i++) {
        REQUIRE(&w, w.consumed_n[i] == w.produced_n[i] && !w.level[i], "INTID %u is lost",
                FIRST + i);
    }
    for (unsigned c = 0; c < CPUS; c++) {
        REQUIRE(&w, w.sgi_seen_n[c] == w.sgi_sent_n[c], "an SGI to CPU %u is lost", c);
    }
    device_free(w.gic);
}

static void run_hostile(uint64_t seed)
{
    struct world w;
    world_init(&w, seed);
    for (unsigned n = 0; n < STEPS; n++) {
        unsigned cpu = pick(&w, CPUS + 1), size = 1u << pick(&w, 4);
        unsigned off = pick(&w, 0x2000) & ~(size - 1);
        struct irq_msg m = { .from = pick(&w, 5), .kind = 0x200 + pick(&w, 2),
                             .a = pick(&w, 40), .b = prng_u64(&w.p) };
        switch (pick(&w, 5)) {
        case 0:
            frame_write(w.gic, 0, off & 0xfff, size, prng_u64(&w.p), cpu);
            break;
        case 1:
            frame_read(w.gic, 0, off, size, cpu);
            break;
        case 2:
            frame_write(w.gic, 1, pick(&w, 2) ? off & 0xfc : off, size, prng_u64(&w.p),
                                 cpu);
            break;
        case 3:
            frame_read(w.gic, 1, off & 0xfc, 4, cpu);
            break;
        case 4:
            gicv2_message(w.gic, &m);
            break;
        }
    }
    device_free(w.gic);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    unsigned n = argc > 2 ? atoi(argv[2]) : 40;
    for (unsigned i = 0; i < n && !check_failed_n; i++) {
        run_sensible(first + i);
        run_hostile(first + i);
    }
    return check_result();
}
