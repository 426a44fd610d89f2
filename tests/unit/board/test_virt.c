/* SPDX-License-Identifier: Apache-2.0 */
/* The virt machine as a whole, with vCPUs that only remember what was asked of them: boot
 * placement, reset, PSCI, interrupts from a device to a vCPU, a member's part. */
#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "board/virt/virt.h"
#include "mem/space.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#include "../check.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPUS_MAX 140

struct fake {
    enum vcpu_power power;
    uint64_t entry, context;
    bool line[2];
    unsigned resets_n;
};

struct machine {
    struct loop *loop;
    struct vm *vm;
    struct virt *board;
    struct fake cpu[CPUS_MAX];
    _Atomic uint32_t poll;
    int event;
};

static bool fake_power_on(struct vcpu *v, uint64_t entry, uint64_t context)
{
    struct fake *f = v->engine;
    if (f->power != VCPU_OFF) {
        return false;
    }
    *f = (struct fake){ .power = VCPU_ON, .entry = entry, .context = context };
    return true;
}

static enum vcpu_power fake_power(struct vcpu *v)
{
    return ((struct fake *)v->engine)->power;
}

static void fake_reset(struct vcpu *v)
{
    struct fake *f = v->engine;
    f->power = VCPU_OFF;
    f->resets_n++;
}

static void fake_set_line(struct vcpu *v, enum vcpu_line line, bool level)
{
    ((struct fake *)v->engine)->line[line] = level;
}

static const struct vcpu_ops fake_ops = {
    .power_on = fake_power_on, .power = fake_power, .reset = fake_reset,
    .set_line = fake_set_line,
};

static bool fake_make(void *ctx, struct virt *b, struct vcpu *v, uint64_t mpidr, struct err *e)
{
    struct machine *m = ctx;
    v->ops = &fake_ops;
    v->engine = &m->cpu[v->index];
    v->poll = &m->poll;
    return true;
}

static bool first_two_are_local(void *ctx, unsigned n)
{
    return n < 2;
}

static void on_event(void *ctx, enum vm_event ev, const char *why)
{
    ((struct machine *)ctx)->event = ev;
}

/* A machine, or NULL with `e` set. */
static struct machine *machine_new(const struct virt_config *c, bool is_member, struct err *e)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct virt_hosting hosting = { .ctx = m, .vcpu_make = fake_make };

    m->event = -1;
    m->loop = loop_create(e);
    m->vm = vm_new(m->loop, c->cpus_n, e);
    m->vm->event = on_event;
    m->vm->event_ctx = m;
    if (is_member) {
        hosting.vcpu_is_local = first_two_are_local;
        m->board = virt_build_member(m->vm, c, &hosting, e);
    } else {
        m->board = virt_build_root(m->vm, c, &hosting, e);
    }
    if (m->board) {
        return m;
    }
    vm_free(m->vm);
    loop_destroy(m->loop);
    free(m);
    return NULL;
}

static void machine_free(struct machine *m)
{
    virt_free(m->board);
    vm_free(m->vm);
    loop_destroy(m->loop);
    free(m);
}

static const char *temp_file(const void *data, size_t bytes)
{
    static char path[4][32];
    static unsigned next;
    char *p = path[next++ % 4];
    strcpy(p, "/tmp/pando-virt-XXXXXX");
    int fd = mkstemp(p);
    CHECK(write(fd, data, bytes) == (ssize_t)bytes);
    close(fd);
    return p;
}

static void *make_kernel(size_t bytes, uint64_t text_offset, uint64_t image_size)
{
    uint8_t *k = calloc(1, bytes);
    memcpy(k + 8, &text_offset, 8);
    memcpy(k + 16, &image_size, 8);
    memcpy(k + 56, "ARM\x64", 4);
    memset(k + 64, 0x5a, bytes - 64);
    return k;
}

static void test_linux_boot(void)
{
    struct virt_config c;
    struct err e = { "" };
    uint8_t *kernel = make_kernel(5000, 0, 3 * MiB), initrd[777] = { 1, 2, 3 }, got[5000];
    virt_config_init(&c);
    c.cpus_n = c.cores_n = 3;
    c.append = "console=ttyAMA0 quiet";
    c.kernel = temp_file(kernel, 5000);
    c.initrd = temp_file(initrd, sizeof(initrd));
    struct machine *m = machine_new(&c, false, &e);
    CHECK(m, "%s", e.text);
    unlink(c.kernel);
    unlink(c.initrd);
    for (unsigned round = 0; round < 2 && m; round++) {
        CHECK(virt_reset(m->board, &e), "%s", e.text);
        struct fake *f = &m->cpu[0];
        CHECK(f->power == VCPU_ON && f->entry == 0x40200000, "0x%lx", (long)f->entry);
        CHECK(m->cpu[1].power == VCPU_OFF && m->cpu[1].resets_n == round + 1);
        /* Half of 128 MiB is 64 MiB; the device tree at the next 2 MiB. */
        CHECK(f->context == 0x44200000);
        CHECK(mem_dma_read(m->vm->mem, f->entry, got, 5000) && !memcmp(got, kernel, 5000));
        CHECK(mem_dma_read(m->vm->mem, 0x44000000, got, 777) && !memcmp(got, initrd, 777));
        uint8_t *fdt = malloc(65536);
        CHECK(mem_dma_read(m->vm->mem, f->context, fdt, 65536));
        CHECK(!fdt_check_header(fdt));
        int chosen = fdt_path_offset(fdt, "/chosen");
        const char *args = fdt_getprop(fdt, chosen, "bootargs", NULL);
        CHECK(args && !strcmp(args, c.append));
        const fdt32_t *at = fdt_getprop(fdt, chosen, "linux,initrd-end", NULL);
        CHECK(at && fdt32_to_cpu(at[1]) == 0x44000000 + 777);
        free(fdt);
        memset(got, 0, sizeof(got));        /* the guest overwrites its kernel */
        CHECK(mem_dma_write(m->vm->mem, f->entry, got, 5000));
    }
    machine_free(m);
    free(kernel);
}

static uint64_t call(struct machine *m, uint64_t fn, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t x[4] = { fn, a, b, c };
    CHECK(virt_vcpu_firmware_call(m->board, 0, false, x) == VIRT_FIRMWARE_DONE);
    return x[0];
}

static void test_psci(void)
{
    struct virt_config c;
    struct err e = { "" };
    virt_config_init(&c);
    c.cpus_n = c.cores_n = 3;
    struct machine *m = machine_new(&c, false, &e);
    CHECK(m && virt_reset(m->board, &e), "%s", e.text);
    uint64_t x[4] = { 0x84000000 };
    CHECK(virt_vcpu_firmware_call(m->board, 0, true, x) == VIRT_FIRMWARE_NONE, "SMC");
    CHECK(call(m, 0x84000000, 0, 0, 0) == 0x10001);
    CHECK(call(m, 0x80000000, 0, 0, 0) == 0x10001);
    CHECK(call(m, 0x8400000a, 0xc4000003, 0, 0) == 0);
    CHECK(call(m, 0x8400000a, 0xc4000005, 0, 0) == (uint64_t)-1);
    CHECK(call(m, 0xc4000003, 1, 0x40080000, 99) == 0);
    CHECK(m->cpu[1].power == VCPU_ON && m->cpu[1].entry == 0x40080000 &&
          m->cpu[1].context == 99);
    CHECK(call(m, 0xc4000003, 1, 0x40080000, 0) == (uint64_t)-4);
    m->cpu[1].power = VCPU_ON_PENDING;
    CHECK(call(m, 0xc4000003, 1, 0x40080000, 0) == (uint64_t)-5);
    CHECK(call(m, 0xc4000004, 1, 0, 0) == 2);
    CHECK(call(m, 0xc4000004, 2, 0, 0) == 1);
    CHECK(call(m, 0xc4000004, 0, 0, 0) == 0);
    CHECK(call(m, 0xc4000003, 7, 0x40080000, 0) == (uint64_t)-2);
    CHECK(call(m, 0xc4000003, 2, 0x40080001, 0) == (uint64_t)-9);
    CHECK(call(m, 0xdeadbeef, 2, 0, 0) == (uint64_t)-1);
    x[0] = 0x84000002;
    CHECK(virt_vcpu_firmware_call(m->board, 0, false, x) == VIRT_FIRMWARE_OFF);
    x[0] = 0xc4000001;
    CHECK(virt_vcpu_firmware_call(m->board, 0, false, x) == VIRT_FIRMWARE_WAIT && x[0] == 0);
    x[0] = 0x84000009;
    CHECK(virt_vcpu_firmware_call(m->board, 0, false, x) == VIRT_FIRMWARE_OFF);
    CHECK(m->event == VM_EV_RESET);
    x[0] = 0x84000008;
    CHECK(virt_vcpu_firmware_call(m->board, 0, false, x) == VIRT_FIRMWARE_OFF);
    CHECK(m->event == VM_EV_POWEROFF);
    machine_free(m);
}

#define ENC(crn, crm, op2) (3 << 14 | (crn) << 7 | (crm) << 3 | (op2))
#define CNT(crm, op2) (3 << 14 | 3 << 11 | 14 << 7 | (crm) << 3 | (op2))

static void test_interrupts(void)
{
    struct virt_config c;
    struct err e = { "" };
    uint64_t v;
    virt_config_init(&c);
    c.cpus_n = c.cores_n = 2;
    struct machine *m = machine_new(&c, false, &e);
    CHECK(m && virt_reset(m->board, &e), "%s", e.text);
    struct mem_space *mem = m->vm->mem;
    /* The timer of CPU 1, by its redistributor and CPU interface. */
    CHECK(mem_mmio_write(mem, 0x08000000, 4, 0, 2) == MEM_OK);
    uint64_t redist = 0x080a0000 + 0x20000;
    CHECK(mem_mmio_write(mem, redist + 0x10080, 4, 1, ~0u) == MEM_OK);
    CHECK(mem_mmio_write(mem, redist + 0x10100, 4, 1, 1u << 27) == MEM_OK);
    CHECK(virt_vcpu_sysreg_write(m->board, 1, ENC(4, 6, 0), 0xf0));
    CHECK(virt_vcpu_sysreg_write(m->board, 1, ENC(12, 12, 7), 1));
    CHECK(virt_vcpu_sysreg_write(m->board, 1, CNT(3, 1), 1));
    CHECK(m->cpu[1].line[VCPU_IRQ] && !m->cpu[0].line[VCPU_IRQ]);
    CHECK(virt_vcpu_sysreg_read(m->board, 1, ENC(12, 12, 0), &v) && v == 27);
    CHECK(!m->cpu[1].line[VCPU_IRQ]);
    CHECK(virt_vcpu_sysreg_write(m->board, 1, ENC(12, 12, 1), 27));
    CHECK(m->cpu[1].line[VCPU_IRQ]);
    virt_vcpu_power_on_reset(m->board, 1);
    CHECK(!m->cpu[1].line[VCPU_IRQ]);
    CHECK(!virt_vcpu_sysreg_read(m->board, 0, ENC(4, 6, 1), &v));
    machine_free(m);
}

/* Redistributors of CPUs 123 … are above RAM. */
static void test_many_cpus(void)
{
    struct virt_config c;
    struct err e = { "" };
    uint64_t low = 0, last = 0, high = 0;
    virt_config_init(&c);
    c.cpus_n = c.cores_n = 140;
    struct machine *m = machine_new(&c, false, &e);
    CHECK(m && virt_reset(m->board, &e), "%s", e.text);
    if (!m) {
        return;
    }
    uint64_t typer = 0x080a0008 + 122 * 0x20000;
    CHECK(mem_mmio_read(m->vm->mem, typer, 8, 0, &low) == MEM_OK);
    CHECK(low == (UINT64_C(0x70a) << 32 | 122 << 8 | 0x30), "the last of its region");
    CHECK(mem_mmio_read(m->vm->mem, 0x4000000008, 8, 0, &high) == MEM_OK);
    CHECK(high == (UINT64_C(0x70b) << 32 | 123 << 8 | 0x20), "0x%lx", (long)high);
    CHECK(mem_mmio_read(m->vm->mem, 0x4000000008 + 16 * 0x20000, 8, 0, &last) == MEM_OK);
    CHECK(last >> 32 == 0x80b && last & 0x10);
    /* An SGI to CPU 139. */
    CHECK(mem_mmio_write(m->vm->mem, 0x08000000, 4, 0, 2) == MEM_OK);
    uint64_t frame = 0x4000000000 + 16 * 0x20000;
    CHECK(mem_mmio_write(m->vm->mem, frame + 0x10080, 4, 139, 2) == MEM_OK);
    CHECK(mem_mmio_write(m->vm->mem, frame + 0x10100, 4, 139, 2) == MEM_OK);
    CHECK(virt_vcpu_sysreg_write(m->board, 139, ENC(4, 6, 0), 0xf0));
    CHECK(virt_vcpu_sysreg_write(m->board, 139, ENC(12, 12, 7), 1));
    CHECK(virt_vcpu_sysreg_write(m->board, 3, ENC(12, 11, 5), 8 << 16 | 1 << 24 | 0x800));
    CHECK(m->cpu[139].line[VCPU_IRQ]);
    machine_free(m);
}

static void test_gicv2(void)
{
    struct virt_config c;
    struct err e = { "" };
    uint64_t v;
    virt_config_init(&c);
    c.cpus_n = c.cores_n = 2;
    c.gic_version = 2;
    struct machine *m = machine_new(&c, false, &e);
    CHECK(m && virt_reset(m->board, &e), "%s", e.text);
    struct mem_space *mem = m->vm->mem;
    CHECK(mem_mmio_write(mem, 0x08000000, 4, 1, 1) == MEM_OK);
    CHECK(mem_mmio_write(mem, 0x08000100, 4, 1, 1u << 30) == MEM_OK);
    CHECK(mem_mmio_write(mem, 0x08010000, 4, 1, 1) == MEM_OK);
    CHECK(mem_mmio_write(mem, 0x08010004, 4, 1, 0xf0) == MEM_OK);
    CHECK(virt_vcpu_sysreg_write(m->board, 1, CNT(2, 1), 1));
    CHECK(m->cpu[1].line[VCPU_IRQ] && !m->cpu[0].line[VCPU_IRQ]);
    CHECK(mem_mmio_read(mem, 0x0801000c, 4, 1, &v) == MEM_OK && v == 30);
    CHECK(!m->cpu[1].line[VCPU_IRQ]);
    CHECK(!virt_vcpu_sysreg_read(m->board, 1, ENC(4, 6, 0), &v), "no ICC_*");
    CHECK(!virt_vcpu_sysreg_read(m->board, 1, ENC(12, 12, 5), &v), "not even ICC_SRE");
    machine_free(m);
}

static void test_member(void)
{
    struct virt_config c;
    struct err e = { "" };
    uint64_t v;
    virt_config_init(&c);
    c.cpus_n = c.cores_n = 4;
    struct machine *m = machine_new(&c, true, &e);
    CHECK(m && virt_reset(m->board, &e), "%s", e.text);
    CHECK(m->cpu[0].power == VCPU_OFF && m->cpu[0].resets_n == 1 && m->cpu[2].resets_n == 0);
    CHECK(mem_mmio_read(m->vm->mem, 0x080a0000, 4, 0, &v) == MEM_OK);
    CHECK(mem_mmio_read(m->vm->mem, 0x080e0000, 4, 0, &v) == MEM_NOTHING);
    CHECK(mem_mmio_read(m->vm->mem, 0x09000000, 4, 0, &v) == MEM_NOTHING);
    CHECK(virt_vcpu_timer(m->board, 1) && !virt_vcpu_timer(m->board, 2));
    machine_free(m);
}

/* A given device tree keeps what it says, but for memory and the boot's own values. */
static void test_dtb(void)
{
    struct virt_config c;
    struct err e = { "" };
    uint8_t kernel[100] = { 1 }, blob[4096];
    virt_config_init(&c);
    c.append = "hello";
    fdt_create_empty_tree(blob, sizeof(blob));
    fdt_setprop_u32(blob, 0, "#address-cells", 1);
    fdt_setprop_u32(blob, 0, "#size-cells", 1);
    fdt_setprop_string(blob, 0, "model", "mine");
    int old = fdt_add_subnode(blob, 0, "memory@1000");
    fdt_setprop_string(blob, old, "device_type", "memory");
    c.dtb = temp_file(blob, sizeof(blob));
    c.kernel = temp_file(kernel, sizeof(kernel));
    struct machine *m = machine_new(&c, false, &e);
    unlink(c.dtb);
    unlink(c.kernel);
    CHECK(m && virt_reset(m->board, &e), "%s", e.text);
    if (!m) {
        return;
    }
    CHECK(m->cpu[0].entry == 0x40080000);
    CHECK(mem_dma_read(m->vm->mem, m->cpu[0].context, blob, sizeof(blob)));
    const char *model = fdt_getprop(blob, 0, "model", NULL);
    CHECK(!fdt_check_header(blob) && model && !strcmp(model, "mine"));
    CHECK(fdt_path_offset(blob, "/memory@1000") < 0);
    int len = 0, node = fdt_path_offset(blob, "/memory@40000000");
    const fdt32_t *reg = fdt_getprop(blob, node, "reg", &len);
    CHECK(len == 8 && fdt32_to_cpu(reg[0]) == 0x40000000 && fdt32_to_cpu(reg[1]) == 128 * MiB);
    const char *args = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "bootargs", NULL);
    CHECK(args && !strcmp(args, "hello"));
    CHECK(!fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "rng-seed", NULL));
    machine_free(m);
}

static void test_refusals(void)
{
    struct virt_config c;
    struct err e = { "" };
    uint8_t *kernel = make_kernel(5000, 0, 300 * MiB);
    virt_config_init(&c);
    c.kernel = temp_file(kernel, 5000);
    CHECK(!machine_new(&c, false, &e) && strstr(e.text, "-m"), "%s", e.text);
    unlink(c.kernel);
    CHECK(!machine_new(&c, false, &e) && strstr(e.text, "No such file"), "%s", e.text);
    c.kernel = NULL;
    c.initrd = "x";
    CHECK(!machine_new(&c, false, &e) && strstr(e.text, "-kernel"), "%s", e.text);
    virt_config_init(&c);
    c.threads_n = 2;
    CHECK(!machine_new(&c, false, &e) && strstr(e.text, "2 threads"), "%s", e.text);
    c = (struct virt_config){ 0 };
    virt_config_init(&c);
    c.numa_n = 1;
    CHECK(!machine_new(&c, false, &e) && strstr(e.text, "NUMA"), "%s", e.text);
    c.numa_n = 0;
    c.dtb = temp_file("hello", 5);
    CHECK(!machine_new(&c, false, &e) && strstr(e.text, "not a flattened"), "%s", e.text);
    unlink(c.dtb);
    free(kernel);
}

int main(void)
{
    test_linux_boot();
    test_psci();
    test_interrupts();
    test_many_cpus();
    test_gicv2();
    test_member();
    test_dtb();
    test_refusals();
    return check_result();
}
