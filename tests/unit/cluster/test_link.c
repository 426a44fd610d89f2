/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/thread.h"
#include "cluster/link.h"
#include "cluster/wire.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct thread thread;
    int fd;
    const struct link_secret *secret;
    struct link *link;
    struct err e;
};

static void accept_run(struct thread *self, void *ctx)
{
    struct side *s = ctx;
    int fd = accept(s->fd, NULL, NULL);

    s->link = link_accept(fd, s->secret, &s->e);
}

static void accept_start(struct side *s, struct link_addr *a, const struct link_secret *secret)
{
    memset(s, 0, sizeof *s);
    *a = (struct link_addr) { "127.0.0.1", 0 };
    s->fd = link_listen(a, secret != NULL, &s->e);
    CHECK(s->fd >= 0, "%s", s->e.text);
    s->secret = secret;
    CHECK(thread_start(&s->thread, "accept", accept_run, s, &s->e));
}

static void accept_end(struct side *s)
{
    thread_join(&s->thread);
    close(s->fd);
}

static const struct link_secret *secret_of(const void *bytes, size_t n)
{
    char path[] = "/tmp/pando-test-XXXXXX";
    int fd = mkstemp(path);
    struct err e = { 0 };
    struct link_secret *s;

    CHECK(write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    s = link_secret_load(path, &e);
    CHECK(s, "%s", e.text);
    unlink(path);
    return s;
}

static int64_t soon(void)
{
    return mono_now_ns() + INT64_C(2000000000);
}

static void exchange(const struct link_secret *secret)
{
    static uint8_t page[4096], big[600000];
    struct iovec iov[2] = { { "head", 4 }, { page, sizeof page } };
    struct iovec bulk = { big, sizeof big };
    struct err e = { 0 };
    struct link_frame f;
    struct link_pump *pump;
    struct link_addr a;
    struct side s;
    struct link *l;

    accept_start(&s, &a, secret);
    l = link_dial(&a, secret, soon(), &e);
    accept_end(&s);
    CHECK(l, "%s", e.text);
    CHECK(s.link, "%s", s.e.text);
    CHECK(link_is_encrypted(l) == (secret != NULL));
    memset(page, 0x5a, sizeof page);
    CHECK(link_send(l, WIRE_PAGE, 77, iov, 2));
    CHECK(link_recv_until(s.link, &f, soon()));
    CHECK(f.type == WIRE_PAGE && f.time_ns == 77 && f.n == 4100);
    CHECK(!memcmp(f.payload, "head", 4) && !memcmp(f.payload + 4, page, 4096));
    CHECK(link_send(s.link, WIRE_READY, 0, NULL, 0));
    CHECK(link_recv_until(l, &f, soon()) && f.type == WIRE_READY && f.n == 0);

    /* 30 MB that nobody reads do not hold the sender up, and arrive in order. */
    pump = link_pump_start(1000000, NULL, NULL, &e);
    CHECK(pump && link_pump_add(pump, l, &e));
    for (unsigned i = 0; i < 50; i++) {
        memset(big, i, sizeof big);
        CHECK(link_send(l, WIRE_STATS, 0, &bulk, 1));
    }
    for (unsigned i = 0; i < 50; i++) {
        CHECK(link_recv_until(s.link, &f, soon()), "%s", link_why(s.link));
        CHECK(f.n == sizeof big && f.payload[0] == i && f.payload[f.n - 1] == i);
    }
    link_break(l, "done");
    CHECK(!link_send(l, WIRE_READY, 0, NULL, 0));
    CHECK(!link_recv(s.link, &f) && !strcmp(link_why(s.link), "connection closed"),
          "%s", link_why(s.link));
    link_pump_stop(pump);
    link_free(l);
    link_free(s.link);
}

static void refused(const struct link_secret *ours, const struct link_secret *theirs,
                    const char *we_say, const char *they_say)
{
    struct err e = { 0 };
    struct link_addr a;
    struct side s;
    struct link *l;

    accept_start(&s, &a, ours);
    l = link_dial(&a, theirs, soon(), &e);
    accept_end(&s);
    CHECK(!l && strstr(e.text, they_say), "dialler: %s", e.text);
    CHECK(!s.link && strstr(s.e.text, we_say), "listener: %s", s.e.text);
}

/* Bytes that are no greeting, or no frame after a good one. */
static void garbage(const struct link_secret *secret, const char *bytes, size_t n)
{
    struct sockaddr_in sin = { .sin_family = AF_INET };
    struct link_addr a;
    struct link_frame f;
    struct side s;
    int c;

    accept_start(&s, &a, secret);
    sin.sin_port = htons(a.port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!connect(c, (struct sockaddr *)&sin, sizeof sin));
    CHECK(send(c, bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
    shutdown(c, SHUT_WR);
    accept_end(&s);
    if (s.link) {
        CHECK(!link_recv_until(s.link, &f, soon()));
        CHECK(strlen(link_why(s.link)) > 0);
    } else {
        CHECK(strstr(s.e.text, "127.0.0.1:"), "%s", s.e.text);
    }
    link_free(s.link);
    close(c);
}

static void addresses(void)
{
    struct err e = { 0 };
    struct link_addr a;

    CHECK(link_addr_parse(&a, "host:7000", 0, &e) && !strcmp(a.host, "host") && a.port == 7000);
    CHECK(link_addr_parse(&a, "[::1]:7000", 0, &e) && !strcmp(a.host, "::1") && a.port == 7000);
    CHECK(link_addr_parse(&a, "fe80::1", 40000, &e) && a.port == 40000);
    CHECK(link_addr_parse(&a, "h", 40001, &e) && a.port == 40001);
    CHECK(!link_addr_parse(&a, "h", 0, &e));
    CHECK(!link_addr_parse(&a, "h:", 0, &e));
    CHECK(!link_addr_parse(&a, ":1", 0, &e));
    CHECK(!link_addr_parse(&a, "h:70000", 0, &e));
    CHECK(!link_addr_parse(&a, "h:1x", 0, &e));
    CHECK(!link_addr_parse(&a, "[::1:1", 0, &e));
    a = (struct link_addr) { "0.0.0.0", 0 };
    CHECK(link_listen(&a, false, &e) < 0 && strstr(e.text, "without a secret"), "%s", e.text);
    CHECK(!link_secret_load("/nonexistent", &e) && strstr(e.text, "/nonexistent"));
}

int main(void)
{
    const struct link_secret *s1 = secret_of("a\0b\xff", 4), *s2 = secret_of("a\0c\xff", 4);
    static const char bad_frame[] = "PANDO\r\n\x1a\1\0\0\0\0\0\0\0\xff\xff\xff\xff\1\1\0\0xxxxxxxx";
    static const char cut_frame[] = "PANDO\r\n\x1a\1\0\0\0\0\0\0\0\x20\0\0\0\1\1\0\0xxxxxxxxyy";
    static const char bad_ver[] = "PANDO\r\n\x1a\2\0\0\0\0\0\0\0";

    exchange(NULL);
    exchange(s1);
    refused(s1, s2, "the secret is not the same", "the secret is not the same");
    refused(s1, NULL, "has no secret", "wants a secret");
    refused(NULL, s1, "uses a secret, we do not", "closed");
    garbage(NULL, "GET / HTTP/1.1\r\n\r\n", 18);
    garbage(s1, "GET / HTTP/1.1\r\n\r\n", 18);
    garbage(s1, "\x16\x03\x01garbage", 10);
    garbage(NULL, bad_frame, sizeof bad_frame - 1);
    garbage(NULL, cut_frame, sizeof cut_frame - 1);
    garbage(NULL, bad_ver, sizeof bad_ver - 1);
    garbage(NULL, "", 0);
    addresses();
    link_secret_free((struct link_secret *)s1);
    link_secret_free((struct link_secret *)s2);
    return check_result();
}
