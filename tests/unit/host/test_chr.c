/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "base/trace.h"
#include "host/chr/chr.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static char dir[] = "/tmp/pando-test-chr-XXXXXX";

/* ---- a front end that records --------------------------------------------------------------- */

struct front {
    struct strbuf got;
    size_t limit;               /* takes no more than this in total */
    unsigned opened, closed, broken, focus_in, focus_out, writable;
};

static size_t front_read(void *ctx, const uint8_t *p, size_t n_bytes)
{
    struct front *f = ctx;
    size_t n = MIN(n_bytes, f->limit - f->got.len);

    strbuf_add_bytes(&f->got, p, n);
    return n;
}

static void front_event(void *ctx, enum chr_event ev)
{
    struct front *f = ctx;

    f->opened += ev == CHR_OPENED;
    f->closed += ev == CHR_CLOSED;
    f->broken += ev == CHR_BREAK;
    f->focus_in += ev == CHR_FOCUS_IN;
    f->focus_out += ev == CHR_FOCUS_OUT;
}

static void front_writable(void *ctx)
{
    ((struct front *)ctx)->writable++;
}

static const struct chr_handlers handlers = { front_read, front_event, front_writable };

static bool got(const struct front *f, const char *want)
{
    return !strcmp(f->got.text ? f->got.text : "", want);
}

static struct chr *make(struct loop *l, const char *chardev, struct err *e)
{
    struct opts *o = opts_create();
    struct chr *c = NULL;

    if (opts_parse(o, chardev, "backend", e)) {
        c = chr_create(l, o, &trace_none, e);
    }
    opts_destroy(o);
    return c;
}

/* Runs the loop until `*what` is at least `n` (a test that hangs is ended by the test runner). */
#define RUN_UNTIL(l, cond) do { while (!(cond)) loop_run_once(l, NS_PER_S / 50); } while (0)

static int unix_connect(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0, "%s", path);
    return fd;
}

static void say(int fd, const void *p, size_t n)
{
    CHECK(write(fd, p, n) == (ssize_t)n);
}

static size_t hear(int fd, char *buf, size_t n)
{
    ssize_t k = read(fd, buf, n - 1);

    buf[MAX(k, 0)] = 0;
    return MAX(k, 0);
}

/* ---- short forms ---------------------------------------------------------------------------- */

static void test_short(void)
{
    static const struct { const char *text, *want; bool mon; } good[] = {
        { "stdio", "backend=stdio\n", false },
        { "mon:stdio", "mux=on\nbackend=stdio\nsignal=off\n", true },
        { "null", "backend=null\n", false },
        { "file:/tmp/a,,b,append=on", "backend=file\npath=/tmp/a,b\nappend=on\n", false },
        { "unix:/tmp/s,server,nowait",
          "backend=socket\npath=/tmp/s\nserver=on\nwait=off\n", false },
        { "mon:unix:/tmp/s,server=on,wait=off",
          "mux=on\nbackend=socket\npath=/tmp/s\nserver=on\nwait=off\n", true },
        { "tcp::4444,server=on", "backend=socket\nhost=\nport=4444\nserver=on\n", false },
        { "tcp:localhost:4444", "backend=socket\nhost=localhost\nport=4444\n", false },
        { "telnet:[::1]:23,server,nowait",
          "backend=socket\nhost=::1\nport=23\ntelnet=on\nserver=on\nwait=off\n", false },
        { "chardev:c0", "chardev=c0\n", false },
        { "/dev/ttyS0", "backend=serial\npath=/dev/ttyS0\n", false },
        { "pipe:/tmp/p", "backend=pipe\npath=/tmp/p\n", false },
    };
    static const char *const bad[] = { "stdiox", "tcp:4444", "tcp:a:", "vc:80x25", "" };
    struct err e = { 0 };
    bool mon;

    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        struct opts *o = opts_create();
        struct strbuf b = { 0 };

        CHECK(chr_opts_from_short(o, good[i].text, &mon, &e), "%s: %s", good[i].text, e.text);
        opts_dump(o, &b);
        CHECK(!strcmp(b.text, good[i].want) && mon == good[i].mon, "%s: %s", good[i].text, b.text);
        strbuf_free(&b);
        opts_destroy(o);
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct opts *o = opts_create();

        CHECK(!chr_opts_from_short(o, bad[i], &mon, &e), "%s", bad[i]);
        CHECK(bad[i][0] == 0 || strstr(e.text, "'"), "%s: %s", bad[i], e.text);
        opts_destroy(o);
    }
}

static void test_refused(struct loop *l)
{
    static const struct { const char *text, *why; } t[] = {
        { "nul", "'nul' does not exist; did you mean 'null'?" },
        { "file", "option 'path' is missing" },
        { "file,path=/nonexistent/x", "'/nonexistent/x': No such file" },
        { "null,pth=1", "unknown option 'pth'" },
        { "socket,path=/nonexistent/s", "cannot connect to '/nonexistent/s'" },
        { "socket,path=/tmp/x,wait=on", "wait=on is for a server" },
        { "socket", "path= or host=" },
        { "serial,path=/dev/null", "not a terminal" },
        { "pipe,path=/nonexistent/p", "/nonexistent/p.in" },
    };
    struct err e = { 0 };

    for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
        struct chr *c = make(l, t[i].text, &e);

        CHECK(!c && strstr(e.text, t[i].why), "%s: %s", t[i].text, e.text);
        chr_destroy(c);
    }
}

/* ---- sockets -------------------------------------------------------------------------------- */

static void test_unix_server(struct loop *l)
{
    char text[256], path[128], buf[64];
    struct front f = { .limit = SIZE_MAX };
    struct stat st;
    struct err e = { 0 };
    struct chr *c, *claimed;
    int fd;

    snprintf(path, sizeof path, "%s/sock", dir);
    snprintf(text, sizeof text, "socket,path=%s,server=on,wait=off,id=s0", path);
    c = make(l, text, &e);
    CHECK(c, "%s", e.text);
    claimed = chr_claim(c, &e);
    CHECK(claimed == c && !chr_claim(c, &e) && strstr(e.text, "'s0' is in use"));
    chr_attach(c, &handlers, &f);
    CHECK(chr_write(c, "nobody listens", 14) == 14);
    CHECK(strstr(chr_describe(c), "disconnected:unix:"));
    loop_run_once(l, 0);
    CHECK(f.opened == 0);
    for (int round = 1; round <= 2; round++) {
        fd = unix_connect(path);
        RUN_UNTIL(l, f.opened == (unsigned)round);
        say(fd, "hello", 5);
        f.got.len = 0;
        RUN_UNTIL(l, f.got.len == 5);
        CHECK(got(&f, "hello"));
        CHECK(chr_write(c, "world", 5) == 5);
        CHECK(hear(fd, buf, sizeof buf) == 5 && !strcmp(buf, "world"));
        close(fd);
        RUN_UNTIL(l, f.closed == (unsigned)round);
    }
    chr_destroy(c);
    CHECK(stat(path, &st) < 0);
    strbuf_free(&f.got);
}

/* Both directions against a slow other side. */
static void test_backpressure(struct loop *l)
{
    char text[256], path[128];
    struct front f = { .limit = 100 };
    uint8_t *big = malloc(4 << 20), *back = malloc(4 << 20);
    size_t sent = 0, heard = 0, taken, sent_in = 0;
    struct err e = { 0 };
    struct chr *c;
    int fd;

    snprintf(path, sizeof path, "%s/slow", dir);
    snprintf(text, sizeof text, "socket,path=%s,server=on,wait=off", path);
    c = make(l, text, &e);
    chr_attach(c, &handlers, &f);
    fd = unix_connect(path);
    RUN_UNTIL(l, f.opened);
    for (size_t i = 0; i < 4 << 20; i++) {
        big[i] = i * 7 ^ i >> 9;
    }
    while ((taken = chr_write(c, big + sent, (4 << 20) - sent)) > 0) {
        sent += taken;
        CHECK(sent < 4 << 20, "no backpressure");
    }
    loop_run_once(l, 0);
    CHECK(f.writable == 0);
    while (heard < 4 << 20) {
        ssize_t n = recv(fd, back + heard, (4 << 20) - heard, MSG_DONTWAIT);

        heard += MAX(n, (ssize_t)0);
        loop_run_once(l, 0);
        if (f.writable) {
            f.writable = 0;
            sent += chr_write(c, big + sent, (4 << 20) - sent);
        }
    }
    CHECK(!memcmp(big, back, 4 << 20));

    /* The front end takes 100 bytes, then nothing until it says so: the sender must stall. */
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 100; i++) {
        ssize_t n;

        while ((n = write(fd, big + sent_in, MIN((4 << 20) - sent_in, (size_t)9999))) > 0) {
            sent_in += n;
        }
        loop_run_once(l, 0);
    }
    CHECK(f.got.len == 100 && sent_in > CHR_IN_BYTES_MAX && sent_in < 4 << 20);
    f.limit = sent_in;
    chr_accept_input(c);
    RUN_UNTIL(l, f.got.len == sent_in);
    CHECK(!memcmp(f.got.text, big, sent_in));
    close(fd);
    chr_destroy(c);
    strbuf_free(&f.got);
    free(big);
    free(back);
}

/* vCPU threads write at once, through a multiplexer, while the loop writes out what waits. */
enum { WRITERS_N = 3, WRITER_BYTES = 200000 };

struct writer {
    struct thread thread;
    struct chr *c;
    char letter;
};

static void writer_main(struct thread *self, void *ctx)
{
    struct writer *w = ctx;
    char run[100];

    memset(run, w->letter, sizeof run);
    for (size_t sent = 0; sent < WRITER_BYTES;) {
        sent += chr_write(w->c, run, MIN(sizeof run, WRITER_BYTES - sent));
        chr_accept_input(w->c);
    }
}

static void test_writers(struct loop *l)
{
    struct writer w[WRITERS_N] = { 0 };
    struct front f = { .limit = SIZE_MAX };
    size_t heard[WRITERS_N] = { 0 }, sum = 0, others = 0;
    char text[256], path[128], buf[4096];
    struct err e = { 0 };
    struct chr *c;
    int fd;

    snprintf(path, sizeof path, "%s/writers", dir);
    snprintf(text, sizeof text, "socket,path=%s,server=on,wait=off,mux=on", path);
    c = make(l, text, &e);
    CHECK(c, "%s", e.text);
    for (unsigned i = 0; i < WRITERS_N; i++) {
        w[i].c = chr_claim(c, &e);
        w[i].letter = 'a' + i;
        chr_attach(w[i].c, &handlers, &f);
    }
    fd = unix_connect(path);
    RUN_UNTIL(l, f.opened == WRITERS_N);
    for (unsigned i = 0; i < WRITERS_N; i++) {
        CHECK(thread_start(&w[i].thread, "writer", writer_main, &w[i], &e), "%s", e.text);
    }
    while (sum < WRITERS_N * (size_t)WRITER_BYTES) {
        ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

        for (ssize_t i = 0; i < n; i++) {
            unsigned k = buf[i] - 'a';

            heard[MIN(k, WRITERS_N - 1u)]++;
            others += k >= WRITERS_N;
        }
        sum += MAX(n, (ssize_t)0);
        loop_run_once(l, 0);
    }
    for (unsigned i = 0; i < WRITERS_N; i++) {
        thread_join(&w[i].thread);
        CHECK(heard[i] == WRITER_BYTES && others == 0);
    }
    close(fd);
    chr_destroy(c);
}

static void test_telnet(struct loop *l)
{
    static const uint8_t in[] = "a\xff\xfb\x01" "b\xff\xff"
                                "c\r\0d\xff\xf3\xff\xfa\x18\x00\xff\xf0" "e";
    struct front f = { .limit = SIZE_MAX };
    struct sockaddr_in a = { .sin_family = AF_INET };
    struct err e = { 0 };
    char text[128], buf[64];
    struct chr *c, *second;
    socklen_t len = sizeof a;
    int probe = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

    /* A port that is free just now. */
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(probe, (struct sockaddr *)&a, sizeof a) == 0);
    getsockname(probe, (struct sockaddr *)&a, &len);
    close(probe);
    snprintf(text, sizeof text, "socket,host=127.0.0.1,port=%u,server=on,wait=off,telnet=on",
             ntohs(a.sin_port));
    c = make(l, text, &e);
    CHECK(c, "%s", e.text);
    second = make(l, text, &e);
    snprintf(buf, sizeof buf, "127.0.0.1:%u: Address already in use", ntohs(a.sin_port));
    CHECK(!second && strstr(e.text, buf), "%s", e.text);
    chr_attach(c, &handlers, &f);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    RUN_UNTIL(l, f.opened);
    CHECK(hear(fd, buf, sizeof buf) == 12 && (uint8_t)buf[0] == 255);
    for (unsigned i = 0; i < sizeof in - 1; i++) {      /* in pieces: the state is kept */
        say(fd, in + i, 1);
        loop_run_once(l, NS_PER_S / 100);
    }
    RUN_UNTIL(l, f.got.len >= 7);
    CHECK(f.got.len == 7 || f.got.len == 8, "%zu", f.got.len);
    CHECK(!memcmp(f.got.text, "ab\xff" "c\r", 5) && f.broken == 1);
    CHECK(chr_write(c, "x\xffy", 3) == 3);
    CHECK(recv(fd, buf, 4, MSG_WAITALL) == 4 && !memcmp(buf, "x\xff\xffy", 4));
    close(fd);
    chr_destroy(c);
    strbuf_free(&f.got);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void test_files(struct loop *l)
{
    char text[256], path[128], buf[64];
    struct front f = { .limit = SIZE_MAX };
    struct err e = { 0 };
    struct chr *c;
    int fd, out;

    snprintf(path, sizeof path, "%s/out", dir);
    for (int append = 0; append < 2; append++) {
        snprintf(text, sizeof text, "file,path=%s,append=%s", path, append ? "on" : "off");
        c = make(l, text, &e);
        CHECK(c, "%s", e.text);
        CHECK(chr_write(c, "line\n", 5) == 5);
        chr_destroy(c);
    }
    fd = open(path, O_RDONLY);
    CHECK(hear(fd, buf, sizeof buf) == 10 && !strcmp(buf, "line\nline\n"));
    close(fd);

    snprintf(path, sizeof path, "%s/p.in", dir);
    CHECK(mkfifo(path, 0600) == 0);
    snprintf(path, sizeof path, "%s/p.out", dir);
    CHECK(mkfifo(path, 0600) == 0);
    snprintf(text, sizeof text, "pipe,path=%s/p", dir);
    c = make(l, text, &e);
    CHECK(c, "%s", e.text);
    chr_attach(c, &handlers, &f);
    out = open(path, O_RDONLY);
    snprintf(path, sizeof path, "%s/p.in", dir);
    fd = open(path, O_WRONLY);
    say(fd, "in", 2);
    RUN_UNTIL(l, f.got.len == 2);
    CHECK(got(&f, "in") && f.opened == 1);
    chr_write(c, "out", 3);
    CHECK(hear(out, buf, sizeof buf) == 3 && !strcmp(buf, "out"));
    close(fd);
    close(out);
    chr_destroy(c);
    strbuf_free(&f.got);
}

static void test_pty(struct loop *l)
{
    struct front f = { .limit = SIZE_MAX };
    struct err e = { 0 };
    struct chr *c = make(l, "pty,id=serial0", &e);
    char buf[64];
    int fd;

    CHECK(c && !strncmp(chr_describe(c), "pty:/dev/pts/", 13), "%s", e.text);
    chr_attach(c, &handlers, &f);
    CHECK(chr_write(c, "lost", 4) == 4);
    for (unsigned round = 1; round <= 2; round++) {
        fd = open(chr_describe(c) + 4, O_RDWR | O_NOCTTY);
        RUN_UNTIL(l, f.opened == round);
        f.got.len = 0;
        say(fd, "a\n\x03", 3);
        RUN_UNTIL(l, f.got.len == 3);
        CHECK(got(&f, "a\n\x03"));
        chr_write(c, "b\n", 2);
        CHECK(hear(fd, buf, sizeof buf) == 2 && !strcmp(buf, "b\n"));
        close(fd);
        RUN_UNTIL(l, f.closed == round);
    }
    chr_destroy(c);
    strbuf_free(&f.got);
}

/* ---- multiplexer ---------------------------------------------------------------------------- */

static void on_quit(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void test_mux(struct loop *l)
{
    char text[256], path[128], buf[1024];
    struct front serial = { .limit = SIZE_MAX }, mon = { .limit = SIZE_MAX };
    struct chr *c, *p0, *p1;
    struct err e = { 0 };
    unsigned quits = 0;
    int fd;

    snprintf(path, sizeof path, "%s/mux", dir);
    snprintf(text, sizeof text, "socket,path=%s,server=on,wait=off,mux=on,id=m", path);
    c = make(l, text, &e);
    CHECK(c, "%s", e.text);
    chr_mux_on_quit(c, on_quit, &quits);
    p0 = chr_claim(c, &e);
    p1 = chr_claim(c, &e);
    chr_attach(p0, &handlers, &serial);
    chr_attach(p1, &handlers, &mon);
    fd = unix_connect(path);
    RUN_UNTIL(l, serial.opened == 1 && mon.opened == 1);

    say(fd, "root\x01\x01\n\x01" "chelp\x01" "b\x01" "c!\x01" "b", 20);
    RUN_UNTIL(l, serial.broken == 1);
    CHECK(got(&serial, "root\x01\n!") && got(&mon, "help"), "%s / %s", serial.got.text,
          mon.got.text);
    CHECK(mon.broken == 1 && mon.focus_in == 1 && mon.focus_out == 1 && serial.focus_in == 1);
    CHECK(chr_write(p0, "A", 1) == 1 && chr_write(p1, "B", 1) == 1);
    CHECK(hear(fd, buf, sizeof buf) == 2 && !strcmp(buf, "AB"));
    say(fd, "\x01h", 2);
    for (int i = 0; i < 4; i++) {
        loop_run_once(l, NS_PER_S / 100);
    }
    CHECK(hear(fd, buf, sizeof buf) > 50 && strstr(buf, "C-a x") && strstr(buf, "C-a C-a"), "%s",
          buf);

    /* The guest reads nothing any more; the escape must still work. */
    serial.limit = serial.got.len;
    say(fd, "stuck", 5);
    say(fd, "\x01x", 2);
    RUN_UNTIL(l, quits == 1);
    serial.limit = SIZE_MAX;
    chr_accept_input(p0);
    RUN_UNTIL(l, got(&serial, "root\x01\n!stuck"));

    chr_release(p1);
    say(fd, "\x01" "c?", 3);
    RUN_UNTIL(l, got(&serial, "root\x01\n!stuck?"));
    close(fd);
    RUN_UNTIL(l, serial.closed == 1);
    chr_destroy(c);
    strbuf_free(&serial.got);
    strbuf_free(&mon.got);
}

/* ---- stdio: in a child, on a terminal of its own -------------------------------------------- */

static void stdio_child(int slave, bool crash)
{
    struct err e = { 0 };
    struct loop *l = loop_create(&e);
    struct front f = { .limit = SIZE_MAX };
    struct chr *c, *second;

    setsid();
    dup2(slave, 0);
    dup2(slave, 1);
    c = make(l, "stdio,signal=off", &e);
    second = make(l, "stdio", &e);
    if (!c || second || !strstr(e.text, "in use")) {
        _exit(1);
    }
    chr_attach(c, &handlers, &f);
    chr_write(c, "ready\n", 6);
    RUN_UNTIL(l, f.got.len >= 1);
    if (crash) {
        signal(SIGABRT, SIG_DFL);
        raise(SIGTERM);
    }
    chr_write(c, f.got.text, f.got.len);
    chr_destroy(c);
    loop_destroy(l);
    _exit(0);
}

static void test_stdio(bool crash)
{
    struct termios before, during, after;
    int master, slave, status;
    char buf[64];
    pid_t pid;

    CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
    tcgetattr(slave, &before);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        stdio_child(slave, crash);
    }
    CHECK(hear(master, buf, sizeof buf) > 0 && !strncmp(buf, "ready", 5), "%s", buf);
    tcgetattr(slave, &during);
    CHECK(!(during.c_lflag & (ICANON | ECHO | ISIG)));
    say(master, "\x03", 1);                     /* Ctrl-C arrives as a byte */
    CHECK(waitpid(pid, &status, 0) == pid);
    if (crash) {
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "%x", status);
    } else {
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
        CHECK(hear(master, buf, sizeof buf) == 1 && buf[0] == 3);
    }
    tcgetattr(slave, &after);
    CHECK(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag);
    close(master);
    close(slave);
}

int main(void)
{
    struct err e = { 0 };
    struct loop *l;
    char cmd[64];

    signal(SIGPIPE, SIG_IGN);
    CHECK(mkdtemp(dir));
    test_stdio(false);
    test_stdio(true);
    l = loop_create(&e);
    test_short();
    test_refused(l);
    test_unix_server(l);
    test_backpressure(l);
    test_writers(l);
    test_telnet(l);
    test_files(l);
    test_pty(l);
    test_mux(l);
    loop_destroy(l);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    CHECK(system(cmd) == 0);
    return check_result();
}
