/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 with its parts joined directly, used by many threads at once as a machine does: CPUs that
 * take and end interrupts, devices, and a CPU that reconfigures.  Nothing may get lost.  Of most
 * use under -Db_sanitize=thread. */
#include "gic_sim.h"

#include "../check.h"

#include <pthread.h>
#include <stdatomic.h>

#define CPUS 3
#define SPIS 8
#define ROUNDS 3000

static struct sim *sim;
static struct irq wire[SPIS];
static atomic_uint produced_n[SPIS], consumed_n[SPIS], sgi_sent_n[CPUS], sgi_seen_n[CPUS];
static atomic_bool lines[CPUS];
static atomic_bool ending;

static void set_line(void *ctx, unsigned n, bool level)
{
    atomic_store((atomic_bool *)ctx, level);
}

/* One interrupt of a CPU, if there is one. */
static bool serve(unsigned c)
{
    unsigned intid = icc_r(sim, c, SIM_IAR1);
    if (intid == 1023) {
        return false;
    }
    if (intid < 32) {
        atomic_store(&sgi_seen_n[c], atomic_load(&sgi_sent_n[c]));
    } else {
        unsigned n = atomic_load(&produced_n[intid - 32]);
        if (n > atomic_load(&consumed_n[intid - 32])) {
            atomic_store(&consumed_n[intid - 32], n);
        }
    }
    icc_w(sim, c, SIM_EOIR1, intid);
    return true;
}

static void *cpu_thread(void *arg)
{
    unsigned c = (uintptr_t)arg;
    struct prng p;
    prng_init(&p, c);
    while (!atomic_load(&ending)) {
        if (atomic_load(&lines[c])) {
            serve(c);
        } else if (prng_below(&p, 16) == 0) {
            unsigned to = prng_below(&p, CPUS);
            atomic_fetch_add(&sgi_sent_n[to], 1);
            icc_w(sim, c, SIM_SGI1R, (sim->mpidr[to] >> 8) << 16 | 1u << (sim->mpidr[to] & 15));
        }
    }
    return NULL;
}

static void *device_thread(void *arg)
{
    unsigned first = (uintptr_t)arg;
    for (unsigned n = 0; n < ROUNDS; n++) {
        for (unsigned i = first; i < SPIS; i += 2) {
            atomic_fetch_add(&produced_n[i], 1);
            irq_pulse(&wire[i]);
        }
    }
    return NULL;
}

static void *config_thread(void *arg)
{
    struct prng p;
    prng_init(&p, 99);
    for (unsigned n = 0; n < ROUNDS; n++) {
        unsigned i = prng_below(&p, SPIS);
        gicd_route(sim, 32 + i, sim->mpidr[prng_below(&p, CPUS)]);
        gicd_bit(sim, 0x180, 32 + i);
        gicd_prio(sim, 32 + i, prng_below(&p, 16) * 8);
        gicd_bit(sim, 0x100, 32 + i);
    }
    return NULL;
}

int main(void)
{
    pthread_t t[CPUS + 3];
    sim = sim_new(CPUS, true);
    for (unsigned i = 0; i < CPUS; i++) {
        device_connect_irq(sim->cpu[i], GICV3_CPU_IRQ, (struct irq){ set_line, &lines[i] });
    }
    sim_boot(sim);
    for (unsigned i = 0; i < SPIS; i++) {
        wire[i] = gicv3_dist_irq(sim->dist, 32 + i);
        gicd_edge(sim, 32 + i, true);
    }
    for (uintptr_t i = 0; i < CPUS; i++) {
        pthread_create(&t[i], NULL, cpu_thread, (void *)i);
    }
    pthread_create(&t[CPUS], NULL, device_thread, (void *)0);
    pthread_create(&t[CPUS + 1], NULL, device_thread, (void *)1);
    pthread_create(&t[CPUS + 2], NULL, config_thread, NULL);
    for (unsigned i = CPUS; i < CPUS + 3; i++) {
        pthread_join(t[i], NULL);
    }
    atomic_store(&ending, true);
    for (unsigned i = 0; i < CPUS; i++) {
        pthread_join(t[i], NULL);
    }
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < CPUS; i++) {
            more |= serve(i);
        }
    }
    for (unsigned i = 0; i < SPIS; i++) {
        CHECK(consumed_n[i] == produced_n[i], "SPI %u: %u of %u", i, consumed_n[i],
              produced_n[i]);
    }
    for (unsigned i = 0; i < CPUS; i++) {
        CHECK(sgi_seen_n[i] == sgi_sent_n[i], "CPU %u: SGI %u of %u", i, sgi_seen_n[i],
              sgi_sent_n[i]);
        CHECK(!lines[i]);
    }
    CHECK(gicd_r(sim, 0x304) == 0 && !(gicd_r(sim, 0) >> 31));
    sim_free(sim);
    return check_result();
}
