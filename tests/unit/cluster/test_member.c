/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mono.h"
#include "base/thread.h"
#include "cluster/link.h"
#include "cluster/member.h"
#include "cluster/placement.h"
#include "cluster/wire.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NODES 3


struct side {
    struct thread thread;
    unsigned self;
    uint16_t port;
    const char *secret, *machine, *iplist;
    struct member *m;
    struct err e;
};

static uint16_t free_port(void)
{
    struct link_addr a = { "127.0.0.1", 0 };
    struct err e;
    int fd = link_listen(&a, false, &e);

    close(fd);
    return a.port;
}

static void root_run(struct thread *self, void *ctx)
{
    struct side *s = ctx;
    struct placement p = { .nodes = NODES, .vcpus_n = 4, .vcpu_node = { 0, 1, 2, 2 } };
    char listen[32];

    snprintf(listen, sizeof listen, "127.0.0.1:%u", s->port);
    placement_add_ram(&p, 0x40000000, 64 * MiB, 0);
    placement_add_ram(&p, 0x44000000, 64 * MiB, 2);
    s->m = member_root(listen, NODES, s->secret, &s->e);
    if (s->m && !member_root_start(s->m, "the machine", &p, &s->e)) {
        member_free(s->m);
        s->m = NULL;
    }
}

static void join_run(struct thread *self, void *ctx)
{
    struct side *s = ctx;
    struct member_offer o = { "hos\tt", 2, 512 * MiB };
    char root[32];

    snprintf(root, sizeof root, "127.0.0.1:%u", s->port);
    s->m = member_join(root, s->secret, &o, INT64_C(3000000000), &s->e);
}

static void static_run(struct thread *self, void *ctx)
{
    struct side *s = ctx;

    s->m = member_static(s->iplist, s->self, NODES, s->secret, s->machine, &s->e);
}

/* A connection that sends something and goes away, or stays and says nothing. */
static int stranger(uint16_t port, const char *bytes)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = -1;

    for (unsigned i = 0; i < 200; i++) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(fd, (struct sockaddr *)&sin, sizeof sin)) {
            break;
        }
        close(fd);
        usleep(5000);
    }
    if (bytes) {
        CHECK(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL) == (ssize_t)strlen(bytes));
    }
    return fd;
}

static void check_mesh(struct side *s)
{
    struct link *at[NODES][NODES][WIRE_CHANNEL_N] = { 0 };

    for (unsigned i = 0; i < NODES; i++) {
        CHECK(s[i].m, "%s", s[i].e.text);
        if (!s[i].m) {
            exit(1);
        }
    }
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned j = 0; j < NODES; j++) {
            unsigned self = member_self(s[i].m);

            for (unsigned c = 0; c < WIRE_CHANNEL_N && self != j; c++) {
                at[self][j][c] = member_link(s[i].m, j, c);
            }
        }
    }
    /* What i sends to j on a channel comes from i to j on that channel. */
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned j = 0; j < NODES; j++) {
            for (unsigned c = 0; c < WIRE_CHANNEL_N && i != j; c++) {
                unsigned char id = i * 16 + j * 4 + c;
                struct iovec iov = { &id, 1 };
                struct link_frame f;

                CHECK(link_send(at[i][j][c], WIRE_BEAT, 0, &iov, 1));
                CHECK(link_recv_until(at[j][i][c], &f, mono_now_ns() + NS_PER_S));
                CHECK(f.n == 1 && f.payload[0] == id);
            }
        }
    }
}

static void joining(const char *secret, const char *wrong)
{
    struct side s[NODES] = { 0 }, bad = { 0 };
    uint16_t port = free_port();
    struct err e;
    int fd[3];

    for (unsigned i = 0; i < NODES; i++) {
        s[i].secret = secret;
        s[i].port = port;
    }
    CHECK(thread_start(&s[0].thread, "root", root_run, &s[0], &e));
    fd[0] = stranger(port, NULL);                       /* says nothing for the whole time */
    fd[1] = stranger(port, "GET / HTTP/1.1\r\n\r\n");
    fd[2] = stranger(port, "PANDO\r\n\x1a\1");
    if (wrong) {
        bad.secret = wrong;
        bad.port = port;
        join_run(NULL, &bad);
        CHECK(!bad.m && strstr(bad.e.text, "secret is not the same"), "%s", bad.e.text);
    }
    for (unsigned i = 1; i < NODES; i++) {
        CHECK(thread_start(&s[i].thread, "join", join_run, &s[i], &e));
    }
    for (unsigned i = 0; i < 3; i++) {
        if (i) {
            close(fd[i]);
        }
    }
    close(fd[0]);
    for (unsigned i = 0; i < NODES; i++) {
        thread_join(&s[i].thread);
    }
    check_mesh(s);
    for (unsigned i = 1; i < NODES; i++) {
        const struct placement *p = member_placement(s[i].m);

        CHECK(!strcmp(member_machine(s[i].m), "the machine"));
        CHECK(p->vcpus_n == 4 && p->vcpu_node[3] == 2 && p->ranges_n == 2);
        CHECK(placement_home(p, 0x40000) == 0 && placement_home(p, 0x47fff) == 2);
        CHECK(placement_home(p, 0x48000) == PLACEMENT_NONE);
        CHECK(member_offer(s[0].m, i)->cpus == 2);
        CHECK(strstr(member_name(s[i].m, 1), "node 1 (hos?t, 127.0.0.1:"), "%s",
              member_name(s[i].m, 1));
    }
    for (unsigned i = 0; i < NODES; i++) {
        member_free(s[i].m);
    }
}

static void statically(const char *secret)
{
    struct side s[NODES] = { 0 };
    char list[128];
    struct err e;

    snprintf(list, sizeof list, "127.0.0.1:%u 127.0.0.1:%u,localhost:%u", free_port(),
             free_port(), free_port());
    for (unsigned i = 0; i < NODES; i++) {
        s[i].secret = secret;
        s[i].self = i;
        s[i].machine = "same";
        s[i].iplist = list;
        CHECK(thread_start(&s[i].thread, "static", static_run, &s[i], &e));
    }
    for (unsigned i = 0; i < NODES; i++) {
        thread_join(&s[i].thread);
    }
    check_mesh(s);
    for (unsigned i = 0; i < NODES; i++) {
        member_free(s[i].m);
    }
}

static void refusals(void)
{
    struct member_offer o = { "x", 1, MiB };
    struct err e;

    CHECK(!member_root("0.0.0.0:0", 2, NULL, &e) && strstr(e.text, "without a secret"),
          "%s", e.text);
    CHECK(!member_root("127.0.0.1:0", 1, NULL, &e) && strstr(e.text, "2 to 64"), "%s", e.text);
    CHECK(!member_root("127.0.0.1", 2, NULL, &e) && strstr(e.text, "HOST:PORT"), "%s", e.text);
    CHECK(!member_join("192.0.2.1:1", NULL, &o, 0, &e) && strstr(e.text, "without a secret"),
          "%s", e.text);
    CHECK(!member_static("127.0.0.1", 0, 2, NULL, "m", &e) && strstr(e.text, "2 addresses"),
          "%s", e.text);
    CHECK(!member_static("a b c", 0, 2, NULL, "m", &e) && strstr(e.text, "2 addresses"),
          "%s", e.text);
}

int main(void)
{
    char one[] = "/tmp/pando-test-XXXXXX", two[] = "/tmp/pando-test-XXXXXX";
    int a = mkstemp(one), b = mkstemp(two);

    CHECK(write(a, "one", 3) == 3 && write(b, "two", 3) == 3);
    close(a);
    close(b);
    log_level_set(LOG_LEVEL_ERROR);
    joining(NULL, NULL);
    joining(one, two);
    statically(one);
    statically(NULL);
    refusals();
    unlink(one);
    unlink(two);
    return check_result();
}
