/* SPDX-License-Identifier: Apache-2.0 */
#include "front/engine.h"

#include "accel/emu/emu.h"
#ifdef HAVE_JIT
#include "accel/jit/jit.h"
#include "isa/emit_x64/host.h"
#endif
#include "base/base.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "front/config.h"
#include "isa/a64/model.h"
#include "isa/interp/interp.h"

#include <stdlib.h>
#include <string.h>

#define CPU_DEFAULT "max"

struct engine {
    const struct a64_model *model;
    enum config_engine kind;
    struct jit *jit;                /* NULL: interpret */
};

/* Properties of QEMU's models of which we have one value. */
static const struct opt_row cpu_rows[] = {
    { "model", OPT_STR, CPU_DEFAULT, "the model ('-cpu help')" },
    { "pauth-impdef", OPT_ENUM, "on", "pointer authentication by a fast algorithm", "on" },
    { "pmu", OPT_ENUM, "on", "performance counters", "on" },
    { "aarch64", OPT_ENUM, "on", "64-bit state", "on" },
    { "sve", OPT_ENUM, "off", "scalable vectors", "off" },
    { "sme", OPT_ENUM, "off", "scalable matrices", "off" },
    { 0 },
};

static const struct a64_model *model_find(const struct opts *cpu, struct err *e)
{
    const char *name = cpu ? opts_str(cpu, "model", CPU_DEFAULT) : CPU_DEFAULT;
    const struct a64_model *model = a64_model_find(name);
    struct nearest near;

    if (!model) {
        nearest_init(&near, name);
        for (unsigned i = 0; a64_model_at(i); i++) {
            nearest_add(&near, a64_model_at(i)->name);
        }
        err_set(e, "-cpu %s: there is no such model (-cpu help)%s", name, nearest_hint(&near));
        return NULL;
    }
    return !cpu || opts_check(cpu, cpu_rows, "-cpu", e) ? model : NULL;
}

#ifdef HAVE_JIT
static bool jit_options_read(struct jit_options *o, const struct opts *a, struct err *e)
{
    uint64_t mib = 0, cold = 0;

    if (!a) {
        return true;
    }
    o->opt_none = !strcmp(opts_str(a, "opt", "full"), "none");
    o->hot_runs = !strcmp(opts_str(a, "opt", "full"), "tier1") ? JIT_NEVER_HOT : 0;
    o->host_without = strcmp(opts_str(a, "avx512", "on"), "off") ? 0 : GEN_HOST_AVX512_ALL;
    o->cache_dir = opts_str(a, "cache", NULL);
    if (!opts_u64(a, "tb-size", 0, 2, 1024, &mib, e) ||
        !opts_u64(a, "max-regions", 0, 0, UINT64_MAX, &o->regions_max, e) ||
        !opts_u64(a, "cold-runs", o->cold_runs, 0, 255, &cold, e)) {
        return err_prefix(e, "-accel jit");
    }
    o->cache_mib = mib;
    o->cold_runs = cold;
    return true;
}
#endif

struct engine *engine_create(const struct config *c, struct err *e)
{
    const struct a64_model *model = model_find(c->cpu, e);
    struct engine *g;

    if (!model) {
        return NULL;
    }
    g = calloc(1, sizeof *g);
    g->model = model;
    g->kind = c->engine;
#ifdef HAVE_JIT
    if (g->kind == CONFIG_JIT) {
        struct jit_options o = { .cold_runs = 2 };
        g->jit = jit_options_read(&o, c->accel, e) ? jit_new(&o, e) : NULL;
        if (!g->jit) {
            free(g);
            return NULL;
        }
    }
#endif
    return g;
}

/* ---- the interpreter as an engine --------------------------------------------------------- */

static void interp_engine_run(void *ctx, struct a64_cpu *cpu)
{
    interp_run(cpu, UINT64_MAX);
}

static void interp_engine_invalidate(void *ctx, struct a64_cpu *cpu, uint64_t gpa,
                                     uint64_t bytes)
{
    interp_icache_invalidate(cpu, gpa, bytes);
}

static bool interp_engine_attach(void *ctx, struct a64_cpu *cpu, struct err *e)
{
    return interp_attach(cpu) || err_set(e, "out of memory for the interpreter");
}

static void interp_engine_detach(void *ctx, struct a64_cpu *cpu)
{
    interp_detach(cpu);
}

/* ---- the JIT, with the interpreter for what it leaves ------------------------------------- */

#ifdef HAVE_JIT
static void jit_engine_run(void *ctx, struct a64_cpu *cpu)
{
    jit_run(((struct engine *)ctx)->jit, cpu);
}

static void jit_engine_invalidate(void *ctx, struct a64_cpu *cpu, uint64_t gpa, uint64_t bytes)
{
    jit_invalidate(((struct engine *)ctx)->jit, gpa, bytes);
    interp_icache_invalidate(cpu, gpa, bytes);
}

static void jit_engine_detach(void *ctx, struct a64_cpu *cpu)
{
    jit_cpu_free(cpu);
    interp_detach(cpu);
}
#endif

struct emu_engine engine_ops(struct engine *g)
{
#ifdef HAVE_JIT
    if (g->jit) {
        return (struct emu_engine){
            .ctx = g,
            .run = jit_engine_run,
            .icache_invalidate = jit_engine_invalidate,
            .attach = interp_engine_attach,
            .detach = jit_engine_detach,
        };
    }
#endif
    return (struct emu_engine){
        .ctx = g,
        .run = interp_engine_run,
        .icache_invalidate = interp_engine_invalidate,
        .attach = interp_engine_attach,
        .detach = interp_engine_detach,
    };
}

void engine_info(struct engine *g, struct strbuf *out)
{
#ifdef HAVE_JIT
    if (g->jit) {
        char text[2048];
        jit_print_stats(g->jit, text, sizeof text);
        strbuf_add(out, "%s", text);
        return;
    }
#endif
    strbuf_add(out, "Instructions are interpreted.\n");
}

void engine_destroy(struct engine *g)
{
#ifdef HAVE_JIT
    if (g) {
        jit_free(g->jit);
    }
#endif
    free(g);
}

const struct a64_model *engine_model(const struct engine *g)
{
    return g->model;
}

const char *engine_cpu_compatible(const struct engine *g)
{
    return g->model->dt_compatible;
}

void engine_cpu_help(struct strbuf *out)
{
    strbuf_add(out, "CPU models:\n");
    for (unsigned i = 0; a64_model_at(i); i++) {
        strbuf_add(out, "  %-14s %s\n", a64_model_at(i)->name, a64_model_at(i)->what);
    }
}

void engine_accel_help(struct strbuf *out)
{
    strbuf_add(out, "Engines:\n"
               "  jit     translates guest code into host code\n"
               "  tcg     the same, under QEMU's name\n"
               "  interp  interprets: slow, and simple enough to be checked against\n"
               "  qtest   CPUs do nothing and guest time stands: to test devices (-qtest)\n");
}
