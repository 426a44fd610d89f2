/* SPDX-License-Identifier: Apache-2.0 */
/* Work of the system: calls, faults, processes, signals, and code that writes code. */
#define _GNU_SOURCE
#include "work.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t run_getppid(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < n; i++) {
        h += syscall(SYS_getppid) >= 0;
    }
    return h;
}

/* Two processes on one CPU, so that it is switching that is measured and not a sleeping CPU. */
static uint64_t run_pipe(uint32_t n)
{
    int there[2], back[2];
    cpu_set_t before, one;
    uint64_t h = 0;
    char c = 1;

    sched_getaffinity(0, sizeof before, &before);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    if (pipe(there) || pipe(back)) {
        abort();
    }
    pid_t p = fork();
    if (p == 0) {
        for (uint32_t i = 0; i < n; i++) {
            if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1) {
                _exit(1);
            }
        }
        _exit(0);
    }
    for (uint32_t i = 0; i < n; i++) {
        h += write(there[1], &c, 1);
        h += read(back[0], &c, 1);
    }
    waitpid(p, NULL, 0);
    close(there[0]);
    close(there[1]);
    close(back[0]);
    close(back[1]);
    sched_setaffinity(0, sizeof before, &before);
    return h;
}

static uint64_t run_fork(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < n; i++) {
        int st;
        pid_t p = fork();
        if (p == 0) {
            _exit(3);
        }
        waitpid(p, &st, 0);
        h += WEXITSTATUS(st);
    }
    return h;
}

static uint64_t run_exec(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < n; i++) {
        int st;
        pid_t p = vfork();
        if (p == 0) {
            execl("/proc/self/exe", "work", "nothing", NULL);
            _exit(1);
        }
        waitpid(p, &st, 0);
        h += WEXITSTATUS(st);
    }
    return h;
}

static uint64_t run_mmap(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < n; i++) {
        volatile uint8_t *p = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int k = 0; k < 64; k++) {
            p[k << 12] = k;
            h += p[k << 12];
        }
        munmap((void *)p, 64 << 12);
    }
    return h;
}

static uint64_t run_mprotect(uint32_t n)
{
    volatile uint8_t *p = mmap(NULL, 16 << 12, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t h = 0;

    for (uint32_t i = 0; i < n; i++) {
        p[(i & 15) << 12] = i;
        mprotect((void *)p, 16 << 12, PROT_READ);
        h += p[(i & 15) << 12];
        mprotect((void *)p, 16 << 12, PROT_READ | PROT_WRITE);
    }
    munmap((void *)p, 16 << 12);
    return h;
}

static volatile uint64_t signals;

static void on_signal(int s)
{
    signals++;
}

static uint64_t run_signal(uint32_t n)
{
    uint64_t before = signals;

    signal(SIGUSR1, on_signal);
    for (uint32_t i = 0; i < n; i++) {
        raise(SIGUSR1);
    }
    return signals - before;
}

static uint64_t run_file(uint32_t n)
{
    static char buf[4096];
    char name[] = "/tmp/workXXXXXX";
    int fd = mkstemp(name);
    uint64_t h = 0;

    if (fd < 0) {
        abort();
    }
    unlink(name);
    for (uint32_t i = 0; i < n; i++) {
        buf[0] = i;
        h += pwrite(fd, buf, sizeof buf, (i & 63) * 4096);
        h += pread(fd, buf, sizeof buf, (i & 31) * 4096);
    }
    close(fd);
    return h;
}

/* ---- code that is written at run time: returns its constant argument ---- */

static size_t put_return(uint32_t *at, uint16_t k)
{
#if defined(__aarch64__)
    at[0] = 0x52800000u | (uint32_t)k << 5;     /* movz w0, #k */
    at[1] = 0xd65f03c0u;                        /* ret */
    return 2;
#elif defined(__x86_64__)
    uint8_t code[8] = { 0xb8, k & 255, k >> 8, 0, 0, 0xc3, 0x90, 0x90 };   /* mov eax, k; ret */
    memcpy(at, code, 8);
    return 2;
#else
#error "write the two instructions for this architecture"
#endif
}

static uint64_t run_smc(uint32_t n)
{
    uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t h = 0;

    for (uint32_t i = 0; i < n; i++) {
        size_t words = put_return(code, i);
        __builtin___clear_cache((char *)code, (char *)(code + words));
        h = work_mix(h, ((uint32_t (*)(void))code)());
    }
    munmap(code, 4096);
    return h;
}

/* Makes many functions, then runs each several times, as a JIT does. */
static uint64_t run_jit(uint32_t n)
{
    size_t bytes = 64 << 10;
    uint32_t *code = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t h = 0;

    for (uint32_t r = 0; r < n; r++) {
        for (uint32_t i = 0; i < 1000; i++) {
            put_return(code + i * 16, i + r);
        }
        __builtin___clear_cache((char *)code, (char *)code + bytes);
        for (uint32_t k = 0; k < 20; k++) {
            for (uint32_t i = 0; i < 1000; i++) {
                h += ((uint32_t (*)(void))(code + i * 16))();
            }
        }
    }
    munmap(code, bytes);
    return h;
}

const struct work work_sys[] = {
    { "getppid", run_getppid, 100000 }, { "pipe", run_pipe, 5000 }, { "fork", run_fork, 100 },
    { "exec", run_exec, 40 },          { "mmap", run_mmap, 200 },   { "mprotect", run_mprotect, 3000 },
    { "signal", run_signal, 10000 },    { "file", run_file, 20000 }, { "smc", run_smc, 300000 },
    { "jit", run_jit, 100 },
    { 0 },
};
