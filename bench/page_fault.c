/* SPDX-License-Identifier: Apache-2.0 */
/* The latency of a remote page fault over loopback, next to a bare TCP ping-pong of the same
 * bytes in the same run.  Two processes: one owns pages, the other wants them one by one.
 *
 * usage: page_fault [-n PAGES] [-s SECRET_FILE] [-p]     -p: look for messages before sleeping */
#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mono.h"
#include "cluster/link.h"
#include "cluster/member.h"
#include "cluster/node.h"
#include "cluster/placement.h"
#include "mem/space.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM UINT64_C(0x40000000)
#define ASK_BYTES (16 + 12)                 /* a request's frame, and the answer's */
#define ANSWER_BYTES (16 + 12 + 4096)

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void print(const char *what, int64_t *ns, unsigned n)
{
    qsort(ns, n, sizeof *ns, compare);
    printf("%-28s median %6.1f us   p99 %6.1f us   min %6.1f us\n", what, ns[n / 2] / 1e3,
           ns[n * 99 / 100] / 1e3, ns[0] / 1e3);
}

/* ---- bare TCP ---- */

static void all(int fd, bool out, char *buf, size_t n)
{
    while (n) {
        ssize_t k = out ? send(fd, buf, n, 0) : recv(fd, buf, n, 0);

        if (k <= 0) {
            perror("ping-pong");
            exit(1);
        }
        buf += k;
        n -= k;
    }
}

static void ping_pong(unsigned n)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sin;
    int64_t *ns = calloc(n, sizeof *ns);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd, one = 1;
    char buf[ANSWER_BYTES] = { 0 };

    if (bind(listener, (void *)&sin, sizeof sin) || listen(listener, 1) ||
        getsockname(listener, (void *)&sin, &len)) {
        perror("ping-pong");
        exit(1);
    }
    if (!fork()) {
        fd = accept(listener, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        for (unsigned i = 0; i < n; i++) {
            all(fd, false, buf, ASK_BYTES);
            all(fd, true, buf, ANSWER_BYTES);
        }
        _exit(0);
    }
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (void *)&sin, sizeof sin)) {
        perror("ping-pong");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (unsigned i = 0; i < n; i++) {
        int64_t start = mono_now_ns();

        all(fd, true, buf, ASK_BYTES);
        all(fd, false, buf, ANSWER_BYTES);
        ns[i] = mono_now_ns() - start;
    }
    close(fd);
    close(listener);
    wait(NULL);
    print("bare TCP ping-pong", ns, n);
    free(ns);
}

/* ---- pages ---- */

struct side {
    unsigned self, pages;
    const char *list, *secret;
    bool spin;
    struct member *member;
    struct loop *loop;
    struct vm *vm;
    struct node *node;
};

static void no_irq(void *ctx, const struct irq_msg *m) { }
static bool no_command(void *ctx, enum node_command cmd) { return true; }
static void on_quit(void *ctx, int status) { loop_stop(((struct side *)ctx)->loop); }
static void on_end(void *ctx) { exit(1); }

static void side_start(struct side *s)
{
    struct node_hooks hooks = { s, no_irq, no_command, on_quit, on_end };
    struct placement p = { .nodes = 2, .vcpus_n = 2, .vcpu_node = { 0, 1 } };
    struct node_config c = { .spin = s->spin };
    struct err e = { 0 };

    placement_add_ram(&p, RAM, (uint64_t)s->pages * 4096, 1);
    s->member = member_static(s->list, s->self, 2, s->secret, "bench", &e);
    s->loop = loop_create(&e);
    s->vm = s->member ? vm_new(s->loop, 2, &e) : NULL;
    s->node = s->vm ? node_new(s->member, s->vm, &p, &c, &hooks, &e) : NULL;
    if (!s->node || !mem_space_add_ram(s->vm->mem, RAM, (uint64_t)s->pages * 4096, "ram", &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    node_vcpu_make(s->node, &s->vm->vcpu[0]);       /* nobody runs here: they only must exist */
    node_vcpu_make(s->node, &s->vm->vcpu[1]);
    for (unsigned i = 0; s->self == 1 && i < s->pages; i++) {
        mem_dma_write(s->vm->mem, RAM + i * 4096, &i, sizeof i);
    }
    if (!node_start(s->node, &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
}

static void side_end(struct side *s)
{
    node_end(s->node, 0);
    node_free(s->node);
    vm_free(s->vm);
    loop_destroy(s->loop);
    member_free(s->member);
}

static void touch(struct side *s, bool write, const char *what)
{
    int64_t *ns = calloc(s->pages, sizeof *ns);
    void *host;

    for (unsigned i = 0; i < s->pages; i++) {
        int64_t start = mono_now_ns();

        if (mem_page_acquire(s->vm->mem, RAM + i * 4096, write ? MEM_WRITE : MEM_READ, &host)) {
            exit(1);
        }
        ns[i] = mono_now_ns() - start;
        if (*(unsigned *)host != i) {
            printf("page %u has wrong contents\n", i);
            exit(1);
        }
        mem_page_release(s->vm->mem, RAM + i * 4096);
    }
    print(what, ns, s->pages);
    free(ns);
}

static void fault(struct side *s)
{
    struct link_addr a[2] = { { "127.0.0.1", 0 }, { "127.0.0.1", 0 } };
    char list[80];
    struct err e;

    for (unsigned i = 0; i < 2; i++) {
        close(link_listen(&a[i], false, &e));
    }
    snprintf(list, sizeof list, "127.0.0.1:%u 127.0.0.1:%u", a[0].port, a[1].port);
    s->list = list;
    fflush(stdout);
    if (!fork()) {
        s->self = 1;
        side_start(s);
        loop_run(s->loop);
        side_end(s);
        _exit(0);
    }
    side_start(s);
    touch(s, false, s->secret ? "read fault, encrypted" : "read fault, plain");
    touch(s, true, s->secret ? "upgrade, encrypted" : "upgrade, plain");
    touch(s, true, "held: acquire and release");
    side_end(s);
    wait(NULL);
}

int main(int argc, char **argv)
{
    struct side s = { .pages = 4000 };
    const char *secret = NULL;
    int c;

    while ((c = getopt(argc, argv, "n:s:p")) != -1) {
        switch (c) {
        case 'n': s.pages = MAX(atoi(optarg), 100); break;
        case 's': secret = optarg; break;
        case 'p': s.spin = true; break;
        default: return 2;
        }
    }
    ping_pong(s.pages);
    fault(&s);
    if (secret) {
        s.secret = secret;
        fault(&s);
    }
    return 0;
}
