/* SPDX-License-Identifier: Apache-2.0 */
/* struct a64_model: what `-cpu NAME` names: features, and the ID registers that claim them. */
#pragma once
#include "isa/a64/feat.h"

#include <stdbool.h>
#include <stdint.h>

enum { A64_CACHES_MAX = 4 };

struct a64_model {
    const char *name;
    const char *what;               /* one line for -cpu help */
    const char *dt_compatible;      /* for the device tree: "arm,cortex-a72" */
    uint64_t features;              /* bit 1 << enum a64_feat */
    uint8_t pa_bits;                /* of ID_AA64MMFR0_EL1.PARange */
    uint8_t breakpoint_n, watchpoint_n, pmu_counter_n;

    uint64_t midr, revidr;
    uint64_t id_aa64pfr0, id_aa64pfr1, id_aa64dfr0;
    uint64_t id_aa64isar0, id_aa64isar1, id_aa64isar2;
    uint64_t id_aa64mmfr0, id_aa64mmfr1, id_aa64mmfr2;
    uint64_t mvfr0, mvfr1, mvfr2;
    uint64_t ctr, dczid, clidr;
    uint64_t ccsidr[A64_CACHES_MAX][2];     /* [level][0 = data or unified, 1 = instruction] */
    uint64_t pmceid0;
    uint64_t reset_pmcr;
};

/* NULL if there is none of that name. */
const struct a64_model *a64_model_find(const char *name);
/* The models in turn, for i = 0, 1, …; NULL ends. */
const struct a64_model *a64_model_at(unsigned i);

static inline bool a64_model_has(const struct a64_model *m, enum a64_feat f)
{
    return m->features >> f & 1;
}
