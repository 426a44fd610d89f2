/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI 1.1 (DEN 0022) and SMCCC 1.1 (DEN 0028) as firmware offers them by HVC. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct vm;

enum psci_result {
    PSCI_RESULT_DONE,       /* the result is in x[0] */
    PSCI_RESULT_WAIT,       /* the same, and the caller waits as by WFI first */
    PSCI_RESULT_OFF,        /* the caller is off now */
};

/* x[0] is the function, x[1…3] its arguments.  mpidr[vm->vcpus_n] are the affinities.  On the
 * thread of the calling vCPU, outside of its view: it may wait for other vCPUs. */
enum psci_result psci_call(struct vm *vm, const uint64_t *mpidr, uint64_t *x);
