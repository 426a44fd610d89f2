/* SPDX-License-Identifier: Apache-2.0 */
#include "board/psci/psci.h"

#include "vm/vcpu.h"
#include "vm/vm.h"

/* Function identifiers, DEN 0022 chapter 5; with bit 30 the arguments are 64 bits wide. */
#define FN_64 0x40000000u
enum {
    SMCCC_VERSION = 0x80000000, SMCCC_ARCH_FEATURES = 0x80000001,
    SMCCC_ARCH_WORKAROUND_3 = 0x80003fff, SMCCC_ARCH_WORKAROUND_2 = 0x80007fff,
    SMCCC_ARCH_WORKAROUND_1 = 0x80008000,
    PSCI_VERSION = 0x84000000, PSCI_CPU_SUSPEND = 0x84000001, PSCI_CPU_OFF = 0x84000002,
    PSCI_CPU_ON = 0x84000003, PSCI_AFFINITY_INFO = 0x84000004, PSCI_MIGRATE_INFO_TYPE = 0x84000006,
    PSCI_SYSTEM_OFF = 0x84000008, PSCI_SYSTEM_RESET = 0x84000009, PSCI_FEATURES = 0x8400000a,
    PSCI_SYSTEM_RESET2 = 0x84000012,
};

enum {
    PSCI_SUCCESS = 0, PSCI_NOT_SUPPORTED = -1, PSCI_INVALID_PARAMETERS = -2,
    PSCI_ALREADY_ON = -4, PSCI_ON_PENDING = -5, PSCI_INVALID_ADDRESS = -9,
};

#define PSCI_1_1 0x10001
#define SMCCC_1_1 0x10001
#define SMCCC_NOT_REQUIRED 1            /* of a workaround: callable, and nothing to work around */
#define NO_TRUSTED_OS 2
#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

static struct vcpu *find(struct vm *vm, const uint64_t *mpidr, uint64_t target)
{
    for (unsigned i = 0; i < vm->vcpus_n; i++) {
        if (mpidr[i] == target) {
            return &vm->vcpu[i];
        }
    }
    return NULL;
}

static int64_t cpu_on(struct vm *vm, const uint64_t *mpidr, uint64_t target, uint64_t entry,
                      uint64_t context)
{
    struct vcpu *v = find(vm, mpidr, target);

    if (!v) {
        return PSCI_INVALID_PARAMETERS;
    }
    if (entry & 3) {
        return PSCI_INVALID_ADDRESS;
    }
    if (v->ops->power_on(v, entry, context)) {
        return PSCI_SUCCESS;
    }
    return v->ops->power(v) == VCPU_ON_PENDING ? PSCI_ON_PENDING : PSCI_ALREADY_ON;
}

static int64_t affinity_info(struct vm *vm, const uint64_t *mpidr, uint64_t target,
                             uint64_t level)
{
    if (level > 3) {
        return PSCI_INVALID_PARAMETERS;
    }
    if (level > 0) {
        return 0;               /* clusters are always on */
    }
    struct vcpu *v = find(vm, mpidr, target);
    if (!v) {
        return PSCI_INVALID_PARAMETERS;
    }
    switch (v->ops->power(v)) {
    case VCPU_ON:
        return 0;
    case VCPU_ON_PENDING:
        return 2;
    default:
        return 1;
    }
}

static int64_t features(uint32_t fn)
{
    switch (fn) {
    case PSCI_CPU_SUSPEND:      /* original format of power_state; no OS-initiated mode */
    case PSCI_CPU_SUSPEND | FN_64:
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | FN_64:
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | FN_64:
    case PSCI_SYSTEM_RESET2:
    case PSCI_SYSTEM_RESET2 | FN_64:
    case PSCI_VERSION:
    case PSCI_CPU_OFF:
    case PSCI_MIGRATE_INFO_TYPE:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_FEATURES:
    case SMCCC_VERSION:
        return PSCI_SUCCESS;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

static int64_t arch_features(uint32_t fn)
{
    switch (fn) {
    case SMCCC_VERSION:
    case SMCCC_ARCH_FEATURES:
        return PSCI_SUCCESS;
    case SMCCC_ARCH_WORKAROUND_1:
    case SMCCC_ARCH_WORKAROUND_2:
    case SMCCC_ARCH_WORKAROUND_3:
        return SMCCC_NOT_REQUIRED;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

static enum psci_result end_machine(struct vm *vm, enum vm_event ev, const char *why)
{
    vm_post_event(vm, ev, why);
    return PSCI_RESULT_OFF;     /* the function does not return (5.9, 5.10) */
}

enum psci_result psci_call(struct vm *vm, const uint64_t *mpidr, uint64_t *x)
{
    uint32_t fn = x[0];
    uint64_t mask = fn & FN_64 ? UINT64_MAX : UINT32_MAX;
    uint64_t a = x[1] & mask, b = x[2] & mask, c = x[3] & mask;
    int64_t result = PSCI_NOT_SUPPORTED;
    enum psci_result how = PSCI_RESULT_DONE;

    switch (fn) {
    case SMCCC_VERSION:
        result = SMCCC_1_1;
        break;
    case SMCCC_ARCH_FEATURES:
        result = arch_features(a);
        break;
    case SMCCC_ARCH_WORKAROUND_1:
    case SMCCC_ARCH_WORKAROUND_2:
    case SMCCC_ARCH_WORKAROUND_3:
        result = PSCI_SUCCESS;
        break;
    case PSCI_VERSION:
        result = PSCI_1_1;
        break;
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_SUSPEND | FN_64:
        /* Any state may be entered as a standby state (5.4.1); none loses the context. */
        result = PSCI_SUCCESS;
        how = PSCI_RESULT_WAIT;
        break;
    case PSCI_CPU_OFF:
        return PSCI_RESULT_OFF;
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | FN_64:
        result = cpu_on(vm, mpidr, a & MPIDR_AFFINITY, b, c);
        break;
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | FN_64:
        result = affinity_info(vm, mpidr, a & MPIDR_AFFINITY, b);
        break;
    case PSCI_MIGRATE_INFO_TYPE:
        result = NO_TRUSTED_OS;
        break;
    case PSCI_SYSTEM_OFF:
        return end_machine(vm, VM_EV_POWEROFF, "the guest powered off (PSCI SYSTEM_OFF)");
    case PSCI_SYSTEM_RESET:
        return end_machine(vm, VM_EV_RESET, "the guest asked for a reset (PSCI SYSTEM_RESET)");
    case PSCI_SYSTEM_RESET2:
    case PSCI_SYSTEM_RESET2 | FN_64:
        if ((uint32_t)a == 0) {
            return end_machine(vm, VM_EV_RESET, "the guest asked for a warm reset (PSCI)");
        }
        result = PSCI_INVALID_PARAMETERS;
        break;
    case PSCI_FEATURES:
        result = features(a);
        break;
    }
    x[0] = (uint64_t)result;
    return how;
}
