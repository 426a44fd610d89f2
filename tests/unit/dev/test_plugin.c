/* SPDX-License-Identifier: Apache-2.0 */
/* Plug-ins: the examples at work, and all that can be wrong with one.  Arguments: the folder of
 * the bad ones, the virtio device, then the others. */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "dev/devices.h"
#include "harness.h"
#include "mem/space.h"
#include "vm/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_PER_MS INT64_C(1000000)

static void test_counter(const char *path)
{
    struct bench *b = bench_new();
    const struct device_class *cls;
    char help[2000];
    unsigned irq;
    uint64_t g;
    uint8_t *blob;
    size_t n;
    struct err e = { "" };
    struct device *d;

    cls = device_class_open(path, &e);
    CHECK(cls, "%s", e.text);
    CHECK(device_class_open(path, &e) == cls, "loaded twice, it is the same");
    CHECK(device_class_help(cls, help, sizeof help) > 0 && strstr(help, "limit=<number>"));
    d = bench_add(b, cls, "limit=3", &g, &irq);
    bench_write(b, g + 8, 4, BENCH_RAM_GPA + 0x100);
    bench_write32(b, g, 1000);
    CHECK(bench_read32(b, g + 4) == 0 && !b->irq_level[irq]);
    bench_advance(b, 1000 * NS_PER_MS);
    CHECK(bench_read32(b, g + 4) == 1 && b->irq_level[irq], "%u", bench_read32(b, g + 4));
    CHECK(bench_ram_read16(b, BENCH_RAM_GPA + 0x100) == 1, "DMA");
    CHECK(device_save(d, &blob, &n, &e));
    bench_write32(b, g + 4, 0);
    CHECK(bench_read32(b, g + 4) == 0 && !b->irq_level[irq]);
    CHECK(device_load(d, blob, n, &e) && bench_read32(b, g + 4) == 1 && b->irq_level[irq], "%s",
          e.text);
    free(blob);
    bench_write(b, g + 0x10000 + 60, 4, 77);
    CHECK(bench_read(b, g + 0x10000 + 60, 1) == 77, "RAM");
    for (int i = 0; i < 5; i++) {
        bench_advance(b, 1000 * NS_PER_MS);
    }
    CHECK(bench_read32(b, g + 4) == 3, "the limit: %u", bench_read32(b, g + 4));
    bench_write32(b, g + 4, 0);
    bench_write(b, g + 8, 8, UINT64_C(0x7fffffff0000));
    bench_write32(b, g, 10);
    bench_advance(b, 10 * NS_PER_MS);
    CHECK(bench_read(b, g + 8, 8) == 0, "an address without memory is the guest's error");
    bench_write(b, g + 2, 2, 1);
    bench_free(b);
}

#define TEXT (BENCH_RAM_GPA + 0x300000)

static void echo_add(struct drv *d, const char *text, uint32_t room)
{
    struct drv_seg seg[] = {
        { TEXT, 1, false }, { TEXT + 1, strlen(text) - 1, false },
        { TEXT + 0x1000, room / 2, true }, { TEXT + 0x2000, room - room / 2, true },
    };

    bench_ram_write(d->b, TEXT, text, strlen(text));
    drv_add(d, 0, seg, ARRAY_LEN(seg), 0);
}

static void test_echo(const char *path, bool legacy)
{
    struct bench *b = bench_new();
    struct err e = { "" };
    struct device *dev;
    uint32_t id, len;
    char said[9] = "";
    uint8_t *blob;
    unsigned irq;
    struct drv d;
    uint64_t g;
    size_t n;

    dev = bench_add_virtio(b, path, "max-bytes=10", legacy, &g, &irq);
    CHECK(drv_start(&d, b, g, legacy, UINT64_C(1) << 32, 1, 8));
    CHECK(bench_read32(b, g + 0x100) == 10, "its configuration");
    echo_add(&d, "Pando 17", 10);
    drv_kick(&d, 0);
    CHECK(drv_used(&d, 0, &id, &len) && len == 8 && b->irq_level[irq]);
    bench_ram_read(b, TEXT + 0x1000, said, 5);
    bench_ram_read(b, TEXT + 0x2000, said + 5, 3);
    CHECK(!strcmp(said, "PANDO 17"), "%s", said);
    CHECK(bench_read32(b, g + 0x104) == 1);
    /* What nobody has looked at is found after a load. */
    echo_add(&d, "later", 5);
    CHECK(device_save(dev, &blob, &n, &e), "%s", e.text);
    drv_kick(&d, 0);
    CHECK(bench_read32(b, g + 0x104) == 2 && drv_used(&d, 0, &id, &len));
    bench_ram_write16(b, d.q[0].used + 2, 1);
    CHECK(device_load(dev, blob, n, &e), "%s", e.text);
    CHECK(bench_read32(b, g + 0x104) == 1);
    bench_poll(b);
    CHECK(bench_read32(b, g + 0x104) == 2 && bench_ram_read16(b, d.q[0].used + 2) == 2);
    free(blob);
    echo_add(&d, "more than that", 20);
    drv_kick(&d, 0);
    CHECK(bench_read32(b, g + 0x70) & 64, "too long a text needs a reset");
    device_reset(dev);
    CHECK(bench_read32(b, g + 0x70) == 0 && bench_read32(b, g + 0x104) == 0);
    bench_free(b);
}

static void note_irq(void *ctx, unsigned n, bool level)
{
    *(bool *)ctx = level;
}

/* Pages of RAM that somebody holds. */
static bool pin(void *ctx, uint64_t page, uint64_t n, enum mem_right right)
{
    *(int64_t *)ctx += n;
    return true;
}

static void unpin(void *ctx, uint64_t page, uint64_t n)
{
    *(int64_t *)ctx -= n;
}

/* A plug-in that has crashed is dead, and nothing else is. */
static void use(struct bench *b, struct device *d)
{
    static const struct ram_ops pins = { pin, unpin, pin };
    int64_t pinned_n = 0;
    bool level = false, dead;
    struct err e = { "" };
    uint8_t *blob;
    size_t n;

    mem_space_set_ram_ops(b->vm->mem, &pins, &pinned_n);
    device_connect_irq(d, 0, (struct irq){ note_irq, &level });
    CHECK(device_map_region(d, 0, 0x1000, &e), "%s", e.text);
    bench_write32(b, 0x1000, 1);
    bench_advance(b, 1);
    dead = d->host->dead;
    CHECK(bench_read32(b, 0x1000) == (dead || d->host->dead ? 0 : 5));
    dead = d->host->dead;
    CHECK(level == !dead, "its line is low when it is dead");
    CHECK(pinned_n == 0, "%lld pages stay pinned", (long long)pinned_n);
    device_irq_set(d, 0, true);
    CHECK(level == !dead, "and stays low");
    for (int i = 0; i < 3; i++) {
        CHECK(bench_read32(b, 0x1000) == (dead ? 0 : 5));
    }
    bench_write32(b, 0x1000, 1);
    bench_advance(b, 1);
    CHECK(device_save(d, &blob, &n, &e));
    device_reset(d);
    device_lock(d);
    device_unlock(d);
    device_free(d);
}

/* Makes it in a process of its own; what that says and how it ends. */
static int make(const char *folder, const char *name, char *said, size_t n)
{
    char path[512];
    int fds[2], status;
    ssize_t got = 0, more;
    pid_t pid;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK(pipe(fds) == 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        struct err e = { "" };
        const struct device_class *cls;
        struct device *d = NULL;
        struct bench *b;

        dup2(fds[1], 2);
        b = bench_new();
        cls = device_class_open(path, &e);
        if (cls && (d = device_new(cls, NULL, &e))) {
            device_set_plugin(d, path);
        }
        if (!d || !device_realize(d, &b->env, &e)) {
            dprintf(2, "refused: %s\n", e.text);
            _exit(2);
        }
        device_reset(d);
        use(b, d);
        _exit(check_result());
    }
    close(fds[1]);
    while ((more = read(fds[0], said + got, n - 1 - got)) > 0) {
        got += more;
    }
    said[got] = 0;
    close(fds[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void test_bad(const char *folder)
{
    static const struct {
        const char *name, *says;
        int status;
    } bad[] = {
        { "absent.so", "No such file or directory", 2 },
        { "bad_text.so", "no plug-in", 2 },
        { "bad_none.so", "no DEVICE_PLUGIN()", 2 },
        { "bad_magic.so", "not what DEVICE_PLUGIN() makes", 2 },
        { "bad_version.so", "built for version 2.0", 2 },
        { "bad_bus.so", "not on a 'pci'", 2 },
        { "bad_kind.so", "needs a kind with kick()", 2 },
        { "bad_name.so", "its class has no name", 2 },
        { "bad_regions.so", "more than 4 regions", 2 },
        { "bad_unlocked.so", "the register at 0x8", 2 },
        { "bad_option.so", "option 'o' is of no type", 2 },
        { "bad_enum.so", "option 'o' is of no type", 2 },
        { "bad_state.so", "row 'value' of its state", 2 },
        { "bad_silent.so", "bad: it did not say why", 2 },
        { "bad_lockreset.so", "called device_lock(), with the lock held already, at its first reset",
          1 },
        { "bad_relock.so", "called device_lock(), with the lock held already, in a read of CONTROL; "
          "the machine goes on", 0 },
        { "bad_realize.so", "bad: there is no such hardware", 2 },
        { "bad_crash.so", "crashed when it was realized (bad address)", 1 },
        { "bad_abort.so", "crashed when it was realized (abort)", 1 },
        { "bad_reset.so", "crashed at its first reset (bad address)", 1 },
        { "bad_load.so", "crashed when it was loaded (bad address)", 1 },
        { "bad_table.so", "registers 'VALUE' and 'OTHER' overlap", 2 },
        { "bad_no.so", "", 0 },
        { "bad_read.so", "crashed in a read of CONTROL (bad address); the machine goes on "
          "without 'bad'", 0 },
        { "bad_lease.so", "crashed in a read of CONTROL (bad address); the machine goes on", 0 },
        { "bad_unlock.so", "crashed in a read of CONTROL (bad address); the machine goes on", 0 },
        { "bad_timer.so", "crashed in a timer (bad address); the machine goes on without 'bad'",
          0 },
        { "bad_library.so", "crashed in a read of CONTROL (bad address)\n", 1 },
        { "bad_assert.so", "crashed in a read of CONTROL (abort)\n", 1 },
        { "bad_thread.so", "crashed in a thread of its own (bad address)\n", 1 },
    };
    char said[2000], path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/bad_text.so", folder);
    f = fopen(path, "w");
    CHECK(f && fputs("no shared object\n", f) >= 0 && fclose(f) == 0);
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        int status = make(folder, bad[i].name, said, sizeof said);

        CHECK(status == bad[i].status && strstr(said, bad[i].says) &&
              (bad[i].status == 2 || !bad[i].says[0] || strstr(said, bad[i].name)),
              "%s: status %d, said: %s", bad[i].name, status, said);
        CHECK(strchr(said, '\n') == strrchr(said, '\n'), "one line: %s", said);
    }
    unlink(path);
}

int main(int argc, char **argv)
{
    for (int legacy = 0; legacy < 2; legacy++) {
        test_echo(argv[2], legacy);
    }
    for (int i = 3; i < argc; i++) {
        test_counter(argv[i]);
    }
    test_bad(argv[1]);
    return check_result();
}
