/* SPDX-License-Identifier: Apache-2.0 */
/* Between sysreg.c and sysreg_debug.c: register files, and the hooks of the PMU. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct a64_cpu;

/* DBGBVR<n>_EL1 …, PMEVCNTR<n>_EL0 …: where it is kept, NULL if `enc` is none of them. */
uint64_t *a64_sysreg_file(struct a64_cpu *cpu, uint32_t enc);
bool a64_sysreg_is_pmu(uint32_t enc);
uint64_t a64_sysreg_file_read(struct a64_cpu *cpu, uint32_t enc, const uint64_t *file);
void a64_sysreg_file_write(struct a64_cpu *cpu, uint32_t enc, uint64_t *file, uint64_t v);

/* Columns rd and wr of sysreg.def. */
uint64_t sysreg_rd_pmcr(struct a64_cpu *cpu, uint32_t enc);
uint64_t sysreg_rd_pmcnten(struct a64_cpu *cpu, uint32_t enc);
uint64_t sysreg_rd_pmovs(struct a64_cpu *cpu, uint32_t enc);
uint64_t sysreg_rd_pmceid0(struct a64_cpu *cpu, uint32_t enc);
uint64_t sysreg_rd_pmccntr(struct a64_cpu *cpu, uint32_t enc);
uint64_t sysreg_rd_pmxevtyper(struct a64_cpu *cpu, uint32_t enc);
uint64_t sysreg_rd_pmxevcntr(struct a64_cpu *cpu, uint32_t enc);
uint64_t sysreg_rd_pminten(struct a64_cpu *cpu, uint32_t enc);
void sysreg_wr_pmcr(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmcntenset(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmcntenclr(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmovsclr(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmovsset(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmswinc(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmccntr(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmxevtyper(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmxevcntr(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmintenset(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
void sysreg_wr_pmintenclr(struct a64_cpu *cpu, uint32_t enc, uint64_t v);
