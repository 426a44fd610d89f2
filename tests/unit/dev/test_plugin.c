/* SPDX-License-Identifier: Apache-2.0 */
/* Plug-ins: the examples at work, and all that can be wrong with one.  Arguments: the folder of
 * the bad ones, then the examples. */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "dev/devices.h"
#include "harness.h"

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
        _exit(0);
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
        { "bad_bus.so", "needs a kind with kick()", 2 },
        { "bad_realize.so", "bad: there is no such hardware", 2 },
        { "bad_crash.so", "crashed when it was realized (bad address)", 1 },
        { "bad_abort.so", "crashed when it was realized (abort)", 1 },
        { "bad_reset.so", "crashed at its first reset (bad address)", 1 },
        { "bad_load.so", "crashed when it was loaded (bad address)", 1 },
    };
    char said[2000], path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/bad_text.so", folder);
    f = fopen(path, "w");
    CHECK(f && fputs("no shared object\n", f) >= 0 && fclose(f) == 0);
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        int status = make(folder, bad[i].name, said, sizeof said);

        CHECK(status == bad[i].status && strstr(said, bad[i].says) &&
              (bad[i].status == 2 || strstr(said, bad[i].name)),
              "%s: status %d, said: %s", bad[i].name, status, said);
        CHECK(strchr(said, '\n') == strrchr(said, '\n'), "one line: %s", said);
    }
    unlink(path);
}

int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        test_counter(argv[i]);
    }
    test_bad(argv[1]);
    return check_result();
}
