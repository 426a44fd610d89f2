/* SPDX-License-Identifier: Apache-2.0 */
/* The virt machine: building its parts, reset, firmware calls. */
#include "board/virt/virt.h"

#include "base/err.h"
#include "base/trace.h"
#include "board/psci/psci.h"
#include "board/virt/memmap.h"
#include "board/virt/virt_priv.h"
#include "mem/space.h"
#include "vm/vm.h"

#include <assert.h>
#include <stdlib.h>

static bool build_vcpus(struct virt *b, struct err *e)
{
    for (unsigned i = 0; i < b->vm->vcpus_n; i++) {
        if (!b->hosting.vcpu_make(b->hosting.ctx, b, &b->vm->vcpu[i], b->mpidr[i], e)) {
            return err_prefix(e, "CPU %u", i);
        }
    }
    return true;
}

static struct virt *build(struct vm *vm, const struct virt_config *c,
                          const struct virt_hosting *hosting, bool is_root, struct err *e)
{
    if (!virt_config_check(c, e)) {
        return NULL;
    }
    assert(vm->vcpus_n == c->cpus_n);
    struct virt *b = calloc(1, sizeof(*b));
    if (!b) {
        err_set(e, "virt: out of memory");
        return NULL;
    }
    b->vm = vm;
    b->hosting = *hosting;
    b->is_root = is_root;
    b->gic_version = c->gic_version;
    b->trace = c->trace ? c->trace : &trace_none;
    if (!mem_space_add_ram(vm->mem, VIRT_RAM_BASE, c->ram_bytes, "ram", e) ||
        !virt_intc_build(b, c, e) || !build_vcpus(b, e) ||
        (is_root && (!virt_devices_build(b, c, e) ||
                     !virt_boot_prepare(&b->boot, c, b->shown, &b->platform, e) ||
                     !virt_devices_tell_firmware(b, c, e)))) {
        virt_free(b);
        return NULL;
    }
    return b;
}

struct virt *virt_build_root(struct vm *vm, const struct virt_config *c,
                             const struct virt_hosting *hosting, struct err *e)
{
    return build(vm, c, hosting, true, e);
}

struct virt *virt_build_member(struct vm *vm, const struct virt_config *c,
                               const struct virt_hosting *hosting, struct err *e)
{
    return build(vm, c, hosting, false, e);
}

void virt_free(struct virt *b)
{
    if (b) {
        virt_devices_free(b);
        virt_intc_free(b);
        virt_boot_free(&b->boot);
        free(b);
    }
}

bool virt_reset(struct virt *b, struct err *e)
{
    if (!virt_devices_reset(b, e)) {
        return false;
    }
    virt_intc_reset(b);
    for (unsigned i = 0; i < b->vm->vcpus_n; i++) {
        if (virt_is_local(b, i)) {
            b->vm->vcpu[i].ops->reset(&b->vm->vcpu[i]);
        }
    }
    if (!b->is_root) {
        return true;
    }
    if (!virt_boot_load(&b->boot, b->vm->mem, e)) {
        return false;
    }
    trace_virt_reset(b->trace, b->vm->vcpus_n, b->boot.entry, b->boot.context);
    struct vcpu *first = &b->vm->vcpu[0];
    first->ops->power_on(first, b->boot.entry, b->boot.context);
    return true;
}

enum virt_firmware virt_vcpu_firmware_call(struct virt *b, unsigned n, bool is_smc, uint64_t *x)
{
    static const enum virt_firmware how[] = {
        [PSCI_RESULT_DONE] = VIRT_FIRMWARE_DONE,
        [PSCI_RESULT_WAIT] = VIRT_FIRMWARE_WAIT,
        [PSCI_RESULT_OFF] = VIRT_FIRMWARE_OFF,
    };
    uint32_t fn = x[0];

    if (is_smc) {
        return VIRT_FIRMWARE_NONE;      /* no EL3: SMC is undefined */
    }
    enum psci_result r = psci_call(b->vm, b->mpidr, x);
    trace_psci_call(b->trace, n, fn, x[1], x[2], (int64_t)x[0]);
    return how[r];
}
