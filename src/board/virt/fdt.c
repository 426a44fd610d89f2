/* SPDX-License-Identifier: Apache-2.0 */
#include "board/virt/fdt.h"

#include "base/err.h"
#include "board/virt/memmap.h"
#include "board/virt/virt_priv.h"

#include <assert.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FDT_BYTES_MAX (2u << 20)        /* Linux takes no more */
#define FDT_SPARE_BYTES 4096
#define CELLS_MAX (3 * DEVICE_IRQS_MAX)    /* in one property */

enum { PHANDLE_CLOCK = 0x8000, PHANDLE_GIC, PHANDLE_GPIO, PHANDLE_MSI, PHANDLE_CPU0 };
enum { GIC_SPI = 0, GIC_PPI = 1, IRQ_EDGE_RISING = 1, IRQ_LEVEL_HIGH = 4 };

/* ---- writing: the first error stays ---- */

struct tree {
    void *fdt;
    int node;                   /* the current one */
    int error;                  /* of libfdt; 0 so far */
};

static void note(struct tree *t, int result)
{
    if (result < 0 && !t->error) {
        t->error = result;
    }
}

static void __attribute__((format(printf, 3, 4)))
open_node(struct tree *t, int parent, const char *fmt, ...)
{
    char name[64];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    t->node = fdt_subnode_offset(t->fdt, parent, name);
    if (t->node < 0) {
        t->node = fdt_add_subnode(t->fdt, parent, name);
    }
    note(t, t->node);
}

static void put(struct tree *t, const char *name, const void *v, size_t n_bytes)
{
    note(t, fdt_setprop(t->fdt, t->node, name, v, (int)n_bytes));
}

static void put_text(struct tree *t, const char *name, const char *v)
{
    put(t, name, v, strlen(v) + 1);
}

/* A list of texts: a literal with \0 between. */
#define put_texts(t, name, literal) put(t, name, literal, sizeof(literal))

static void put_cell(struct tree *t, const char *name, uint32_t v)
{
    note(t, fdt_setprop_u32(t->fdt, t->node, name, v));
}

static void put_cells_n(struct tree *t, const char *name, const uint32_t *v, unsigned n)
{
    fdt32_t be[CELLS_MAX];

    assert(n <= CELLS_MAX);
    for (unsigned i = 0; i < n; i++) {
        be[i] = cpu_to_fdt32(v[i]);
    }
    put(t, name, be, n * sizeof(be[0]));
}

#define put_cells(t, name, ...) \
    put_cells_n(t, name, (const uint32_t[]){ __VA_ARGS__ }, \
                sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* 64-bit number as two cells */
#define CELLS64(v) (uint32_t)((uint64_t)(v) >> 32), (uint32_t)(v)

/* ---- the machine ---- */

static void add_root(struct tree *t)
{
    t->node = 0;
    put_text(t, "compatible", "linux,dummy-virt");
    put_text(t, "model", "linux,dummy-virt");
    put_cell(t, "#address-cells", 2);
    put_cell(t, "#size-cells", 2);
    put_cell(t, "interrupt-parent", PHANDLE_GIC);

    open_node(t, 0, "apb-pclk");
    put_text(t, "compatible", "fixed-clock");
    put_cell(t, "#clock-cells", 0);
    put_cell(t, "clock-frequency", 24000000);
    put_text(t, "clock-output-names", "clk24mhz");
    put_cell(t, "phandle", PHANDLE_CLOCK);

    open_node(t, 0, "psci");
    put_texts(t, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci");
    put_text(t, "method", "hvc");
    put_cell(t, "cpu_suspend", 0xc4000001);
    put_cell(t, "cpu_off", 0x84000002);
    put_cell(t, "cpu_on", 0xc4000003);
    put_cell(t, "migrate", 0xc4000005);
}

/* Flags of a PPI's interrupt cell: with GICv2, to which CPUs it goes. */
static uint32_t ppi_flags(const struct virt_config *c)
{
    return IRQ_LEVEL_HIGH | (c->gic_version == 2 ? ((1u << c->cpus_n) - 1) << 8 : 0);
}

static void add_timer(struct tree *t, const struct virt_config *c)
{
    uint32_t flags = ppi_flags(c);

    open_node(t, 0, "timer");
    put_texts(t, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    put_cells(t, "interrupts",
              GIC_PPI, VIRT_PPI_SECURE_TIMER - 16, flags, GIC_PPI, VIRT_PPI_PHYS_TIMER - 16, flags,
              GIC_PPI, VIRT_PPI_VIRT_TIMER - 16, flags, GIC_PPI, VIRT_PPI_HYP_TIMER - 16, flags);
    put(t, "always-on", NULL, 0);
    if (c->cpu_has_pmu) {
        open_node(t, 0, "pmu");
        put_text(t, "compatible", "arm,armv8-pmuv3");
        put_cells(t, "interrupts", GIC_PPI, VIRT_PPI_PMU - 16, flags);
    }
}

/* The place of a CPU in /cpus/cpu-map; it is made when it is not there. */
static void open_map_place(struct tree *t, const struct virt_config *c, int cpu_map, unsigned n)
{
    unsigned thread = n % c->threads_n, core = n / c->threads_n % c->cores_n;
    unsigned cluster = n / (c->threads_n * c->cores_n) % c->clusters_n;

    open_node(t, cpu_map, "socket%u", n / (c->threads_n * c->cores_n * c->clusters_n));
    open_node(t, t->node, "cluster%u", cluster);
    open_node(t, t->node, "core%u", core);
    if (c->threads_n > 1) {
        open_node(t, t->node, "thread%u", thread);
    }
}

static void add_cpus(struct tree *t, const struct virt_config *c)
{
    open_node(t, 0, "cpus");
    int cpus = t->node;
    put_cell(t, "#address-cells", 1);
    put_cell(t, "#size-cells", 0);
    for (unsigned i = c->cpus_n; i-- > 0;) {
        open_node(t, cpus, "cpu@%u", i);
        put_text(t, "device_type", "cpu");
        put_text(t, "compatible", c->cpu_compatible);
        if (c->cpus_n > 1) {
            put_text(t, "enable-method", "psci");
        }
        put_cell(t, "reg", virt_config_mpidr(c, i));
        if (c->numa_n) {
            put_cell(t, "numa-node-id", c->cpu_numa[i]);
        }
        put_cell(t, "phandle", PHANDLE_CPU0 + i);
    }
    open_node(t, cpus, "cpu-map");
    for (unsigned i = c->cpus_n; i-- > 0 && !t->error;) {
        open_map_place(t, c, fdt_subnode_offset(t->fdt, cpus, "cpu-map"), i);
        put_cell(t, "cpu", PHANDLE_CPU0 + i);
    }
}

static void add_gic(struct tree *t, const struct virt_config *c, unsigned devices)
{
    open_node(t, 0, "intc@%x", VIRT_GICD_BASE);
    int gic = t->node;
    put_cell(t, "#interrupt-cells", 3);
    put(t, "interrupt-controller", NULL, 0);
    put_cell(t, "#address-cells", 2);
    put_cell(t, "#size-cells", 2);
    put(t, "ranges", NULL, 0);
    put_cell(t, "phandle", PHANDLE_GIC);
    if (c->gic_version == 2) {
        put_text(t, "compatible", "arm,cortex-a15-gic");
        put_cells(t, "reg", CELLS64(VIRT_GICD_BASE), CELLS64(VIRT_GICD_BYTES),
                  CELLS64(VIRT_GICC_BASE), CELLS64(VIRT_GICC_BYTES));
        if (devices & VIRT_FDT_V2M) {
            open_node(t, gic, "v2m@%x", VIRT_V2M_BASE);
            put_text(t, "compatible", "arm,gic-v2m-frame");
            put(t, "msi-controller", NULL, 0);
            put_cells(t, "reg", CELLS64(VIRT_V2M_BASE), CELLS64(VIRT_V2M_BYTES));
            put_cell(t, "phandle", PHANDLE_MSI);
        }
        return;
    }
    put_text(t, "compatible", "arm,gic-v3");
    if (virt_config_redist_base(c, c->cpus_n - 1) < VIRT_HIGH_BASE) {
        put_cell(t, "#redistributor-regions", 1);
        put_cells(t, "reg", CELLS64(VIRT_GICD_BASE), CELLS64(VIRT_GICD_BYTES),
                  CELLS64(VIRT_GICR_BASE), CELLS64(VIRT_GICR_BYTES));
    } else {
        put_cell(t, "#redistributor-regions", 2);
        put_cells(t, "reg", CELLS64(VIRT_GICD_BASE), CELLS64(VIRT_GICD_BYTES),
                  CELLS64(VIRT_GICR_BASE), CELLS64(VIRT_GICR_BYTES),
                  CELLS64(virt_config_high_gicr(c)), CELLS64(VIRT_HIGH_GICR_BYTES));
    }
}

static void add_primecell_node(struct tree *t, const char *name, uint32_t base, unsigned spi,
                               const void *compatible, size_t compatible_bytes)
{
    open_node(t, 0, "%s@%x", name, base);
    put(t, "compatible", compatible, compatible_bytes);
    put_cells(t, "reg", CELLS64(base), CELLS64(0x1000));
    put_cells(t, "interrupts", GIC_SPI, spi, IRQ_LEVEL_HIGH);
    put_cell(t, "clocks", PHANDLE_CLOCK);
    put_text(t, "clock-names", "apb_pclk");
}

/* `compatible`: a literal, as for put_texts(). */
#define add_primecell(t, name, base, spi, compatible) \
    add_primecell_node(t, name, base, spi, compatible, sizeof(compatible))

static void add_gpio(struct tree *t)
{
    add_primecell(t, "pl061", VIRT_GPIO_BASE, VIRT_GPIO_SPI, "arm,pl061\0arm,primecell");
    put_cell(t, "#gpio-cells", 2);
    put(t, "gpio-controller", NULL, 0);
    put_cell(t, "phandle", PHANDLE_GPIO);

    open_node(t, 0, "gpio-keys");
    put_text(t, "compatible", "gpio-keys");
    open_node(t, t->node, "poweroff");
    put_text(t, "label", "GPIO Key Poweroff");
    put_cell(t, "linux,code", 116);         /* KEY_POWER */
    put_cells(t, "gpios", PHANDLE_GPIO, VIRT_GPIO_POWER_PIN, 0);
}

static void add_devices(struct tree *t, unsigned devices)
{
    if (devices & VIRT_FDT_FLASH) {
        open_node(t, 0, "flash@0");
        put_text(t, "compatible", "cfi-flash");
        put_cells(t, "reg", CELLS64(VIRT_FLASH_BASE), CELLS64(VIRT_FLASH_BYTES),
                  CELLS64(VIRT_FLASH_BASE + VIRT_FLASH_BYTES), CELLS64(VIRT_FLASH_BYTES));
        put_cell(t, "bank-width", 4);
    }
    if (devices & VIRT_FDT_UART) {
        add_primecell(t, "pl011", VIRT_UART_BASE, VIRT_UART_SPI, "arm,pl011\0arm,primecell");
        put_cells(t, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
        put_texts(t, "clock-names", "uartclk\0apb_pclk");
    }
    if (devices & VIRT_FDT_RTC) {
        add_primecell(t, "pl031", VIRT_RTC_BASE, VIRT_RTC_SPI, "arm,pl031\0arm,primecell");
    }
    if (devices & VIRT_FDT_GPIO) {
        add_gpio(t);
    }
    if (devices & VIRT_FDT_FW_CFG) {
        open_node(t, 0, "fw-cfg@%x", VIRT_FW_CFG_BASE);
        put_text(t, "compatible", "qemu,fw-cfg-mmio");
        put_cells(t, "reg", CELLS64(VIRT_FW_CFG_BASE), CELLS64(VIRT_FW_CFG_BYTES));
        put(t, "dma-coherent", NULL, 0);
    }
    /* Nodes are found in the reverse order of their making: the lowest address first. */
    for (unsigned i = VIRT_VIRTIO_N; devices & VIRT_FDT_VIRTIO && i-- > 0;) {
        uint32_t base = VIRT_VIRTIO_BASE + i * VIRT_VIRTIO_BYTES;
        open_node(t, 0, "virtio_mmio@%x", base);
        put_text(t, "compatible", "virtio,mmio");
        put_cells(t, "reg", CELLS64(base), CELLS64(VIRT_VIRTIO_BYTES));
        put_cells(t, "interrupts", GIC_SPI, VIRT_VIRTIO_SPI + i, IRQ_EDGE_RISING);
        put(t, "dma-coherent", NULL, 0);
    }
}

static void put_for_device(void *ctx, const char *name, const void *v, size_t n_bytes)
{
    put(ctx, name, v, n_bytes);
}

/* reg, interrupts, compatible, and what the device adds itself. */
static void add_platform_device(struct tree *t, int bus, const struct virt_platform_device *p)
{
    const struct device_class *cls = p->dev->cls;
    uint32_t cell[CELLS_MAX];
    const char *const *name = cls->fdt_compatible;

    open_node(t, bus, "%s@%x", cls->name, p->regions_n ? p->off[0] : 0);
    for (unsigned n = 0; n < p->regions_n; n++) {
        cell[2 * n] = p->off[n];
        cell[2 * n + 1] = p->bytes[n];
    }
    put_cells_n(t, "reg", cell, 2 * p->regions_n);
    for (unsigned i = 0; i < p->irqs_n; i++) {
        cell[3 * i] = GIC_SPI;
        cell[3 * i + 1] = p->spi + i;
        cell[3 * i + 2] = IRQ_LEVEL_HIGH;
    }
    if (p->irqs_n) {
        put_cells_n(t, "interrupts", cell, 3 * p->irqs_n);
    }
    for (; name && *name; name++) {
        note(t, fdt_appendprop_string(t->fdt, t->node, "compatible", *name));
    }
    device_describe_fdt(p->dev, &(struct device_fdt){ put_for_device, t });
}

static void add_platform(struct tree *t, const struct virt_platform *platform)
{
    open_node(t, 0, "platform-bus@%x", VIRT_PLATFORM_BASE);
    int bus = t->node;
    put_texts(t, "compatible", "qemu,platform\0simple-bus");
    put_cell(t, "#address-cells", 1);
    put_cell(t, "#size-cells", 1);
    put_cells(t, "ranges", 0, CELLS64(VIRT_PLATFORM_BASE), VIRT_PLATFORM_BYTES);
    put_cell(t, "interrupt-parent", PHANDLE_GIC);
    for (unsigned i = platform ? platform->devices_n : 0; i-- > 0;) {
        add_platform_device(t, bus, &platform->device[i]);
    }
}

static void add_distances(struct tree *t, const struct virt_config *c)
{
    unsigned n = c->numa_n;
    fdt32_t *m = calloc(n * n * 3, sizeof(*m));

    if (!m) {
        note(t, -FDT_ERR_NOSPACE);
        return;
    }
    for (unsigned i = 0; i < n * n; i++) {
        m[i * 3] = cpu_to_fdt32(i / n);
        m[i * 3 + 1] = cpu_to_fdt32(i % n);
        m[i * 3 + 2] = cpu_to_fdt32(c->distance[i / n][i % n]);
    }
    open_node(t, 0, "distance-map");
    put_text(t, "compatible", "numa-distance-map-v1");
    put(t, "distance-matrix", m, n * n * 3 * sizeof(*m));
    free(m);
}

static bool tree_ok(const struct tree *t, struct err *e)
{
    return !t->error || err_set(e, "device tree: %s", fdt_strerror(t->error));
}

void *virt_fdt_make(const struct virt_config *c, unsigned devices,
                    const struct virt_platform *platform, struct err *e)
{
    struct tree t = { .fdt = calloc(1, FDT_BYTES_MAX) };

    if (!t.fdt) {
        err_set(e, "device tree: out of memory");
        return NULL;
    }
    note(&t, fdt_create_empty_tree(t.fdt, FDT_BYTES_MAX));
    add_root(&t);
    open_node(&t, 0, "chosen");
    if (devices & VIRT_FDT_UART) {
        char path[32];
        snprintf(path, sizeof(path), "/pl011@%x", VIRT_UART_BASE);
        put_text(&t, "stdout-path", path);
    }
    add_timer(&t, c);
    add_cpus(&t, c);
    add_gic(&t, c, devices);
    add_devices(&t, devices);
    add_platform(&t, platform);
    if (c->numa_n && c->has_distances) {
        add_distances(&t, c);
    }
    if (!tree_ok(&t, e)) {
        free(t.fdt);
        return NULL;
    }
    return t.fdt;
}

/* ---- a blob from a file ---- */

void *virt_fdt_load(const char *path, struct err *e)
{
    FILE *f = fopen(path, "rb");
    void *raw = malloc(FDT_BYTES_MAX), *fdt = calloc(1, FDT_BYTES_MAX);
    bool ok = false;

    if (!f || !raw || !fdt) {
        err_set(e, "device tree '%s': %m", path);
        goto out;
    }
    size_t n = fread(raw, 1, FDT_BYTES_MAX, f);
    if (ferror(f)) {
        err_set(e, "device tree '%s': %m", path);
    } else if (n < sizeof(struct fdt_header) || fdt_check_full(raw, n) < 0) {
        err_set(e, "'%s' is not a flattened device tree, or is damaged (%zu bytes read)", path,
                n);
    } else if (fdt_open_into(raw, fdt, FDT_BYTES_MAX) < 0) {
        err_set(e, "device tree '%s': no room to change it", path);
    } else {
        ok = true;
    }
out:
    if (f) {
        fclose(f);
    }
    free(raw);
    if (!ok) {
        free(fdt);
        return NULL;
    }
    return fdt;
}

/* ---- what each boot adds ---- */

static void remove_memory(struct tree *t)
{
    for (int n = fdt_first_subnode(t->fdt, 0); n >= 0;) {
        const char *type = fdt_getprop(t->fdt, n, "device_type", NULL);
        if (type && !strcmp(type, "memory")) {
            note(t, fdt_del_node(t->fdt, n));
            n = fdt_first_subnode(t->fdt, 0);
        } else {
            n = fdt_next_subnode(t->fdt, n);
        }
    }
}

/* A number in as many cells as the root says. */
static unsigned cells_of(uint32_t *cell, unsigned n, uint64_t v)
{
    unsigned k = 0;
    if (n > 1) {
        cell[k++] = v >> 32;
    }
    cell[k++] = v;
    return k;
}

static void add_memory(struct tree *t, uint64_t base, uint64_t bytes, int numa)
{
    int address_cells = fdt_address_cells(t->fdt, 0), size_cells = fdt_size_cells(t->fdt, 0);
    uint32_t cell[4];

    if (address_cells < 1 || address_cells > 2 || size_cells < 1 || size_cells > 2 ||
        (address_cells == 1 && base >> 32) || (size_cells == 1 && bytes >> 32)) {
        note(t, -FDT_ERR_BADNCELLS);
        return;
    }
    open_node(t, 0, "memory@%" PRIx64, base);
    put_text(t, "device_type", "memory");
    unsigned n = cells_of(cell, address_cells, base);
    n += cells_of(cell + n, size_cells, bytes);
    put_cells_n(t, "reg", cell, n);
    if (numa >= 0) {
        put_cell(t, "numa-node-id", numa);
    }
}

bool virt_fdt_fix(void *fdt, const struct virt_config *c, const struct virt_fdt_chosen *chosen,
                  struct err *e)
{
    struct tree t = { .fdt = fdt };

    remove_memory(&t);
    if (!c->numa_n) {
        add_memory(&t, VIRT_RAM_BASE, c->ram_bytes, -1);
    }
    for (unsigned i = c->numa_n; i-- > 0;) {
        if (c->numa_ram_bytes[i]) {
            add_memory(&t, virt_config_numa_base(c, i), c->numa_ram_bytes[i], i);
        }
    }
    open_node(&t, 0, "chosen");
    if (chosen->bootargs) {
        put_text(&t, "bootargs", chosen->bootargs);
    }
    if (chosen->initrd != chosen->initrd_end) {
        put_cells(&t, "linux,initrd-start", CELLS64(chosen->initrd));
        put_cells(&t, "linux,initrd-end", CELLS64(chosen->initrd_end));
    }
    return tree_ok(&t, e);
}

bool virt_fdt_seed(void *fdt, struct err *e)
{
    struct tree t = { .fdt = fdt };
    uint8_t rng[32], kaslr[8];

    if (getrandom(rng, sizeof(rng), 0) != sizeof(rng) ||
        getrandom(kaslr, sizeof(kaslr), 0) != sizeof(kaslr)) {
        return err_set(e, "random numbers for the device tree: %m");
    }
    open_node(&t, 0, "chosen");
    put(&t, "rng-seed", rng, sizeof(rng));
    put(&t, "kaslr-seed", kaslr, sizeof(kaslr));
    return tree_ok(&t, e);
}

size_t virt_fdt_pack(void *fdt)
{
    fdt_pack(fdt);
    size_t n = fdt_totalsize(fdt) + FDT_SPARE_BYTES;
    if (n > FDT_BYTES_MAX) {
        n = FDT_BYTES_MAX;
    }
    fdt_set_totalsize(fdt, n);
    return n;
}
