/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "dev/devices.h"
#include "harness.h"

#include <string.h>

#define BUF (BENCH_RAM_GPA + UINT64_C(0x200000))
#define OUT (BENCH_RAM_GPA + UINT64_C(0x300000))
#define ALL UINT64_MAX
#define V1 (UINT64_C(1) << 32)

enum { READY, ADD, REMOVE, PORT_READY, CONSOLE, RESIZE, OPEN, NAME };

struct control {
    uint32_t id;
    uint16_t event, value;
    char name[32];
};

static struct bench *b;
static struct drv d;
static struct device *serial;
static unsigned irq;
static uint64_t g;

static struct device *port(const char *class_name, const char *chardev, const char *name,
                           const char *nr, struct err *e)
{
    struct device *p = device_new(device_class_find(class_name), NULL, e);
    struct device_finder f;

    bench_finder(b, &f);
    if (chardev) {
        device_set(p, "chardev", chardev, &f, e);
    }
    if (name) {
        device_set(p, "name", name, &f, e);
    }
    if (nr) {
        device_set(p, "nr", nr, &f, e);
    }
    if (!device_plug(p, serial, e) || !device_realize(p, &b->env, e)) {
        device_free(p);
        return NULL;
    }
    b->device[b->devices_n++] = p;
    return p;
}

static void start(const char *options)
{
    b = bench_new();
    serial = bench_add_virtio(b, "virtio-serial-device", options, false, &g, &irq);
}

static void tell(uint32_t id, uint16_t event, uint16_t value)
{
    struct control m = { id, event, value };
    uint32_t used, len;

    bench_ram_write(b, OUT, &m, 8);
    drv_add(&d, 3, (const struct drv_seg[]){ { OUT, 8, false } }, 1, 0);
    drv_kick(&d, 3);
    CHECK(drv_used(&d, 3, &used, &len));
}

static bool told(struct control *m)
{
    uint32_t id, len;

    memset(m, 0, sizeof *m);
    if (!drv_used(&d, 2, &id, &len)) {
        return false;
    }
    bench_ram_read(b, BUF + 64 * id, m, MIN(len, sizeof *m));
    drv_add(&d, 2, (const struct drv_seg[]){ { BUF + 64 * (d.q[2].free % 16), 64, true } }, 1, 0);
    drv_kick(&d, 2);
    return true;
}

static void control_buffers(void)
{
    for (int i = 0; i < 16; i++) {
        drv_add(&d, 2, (const struct drv_seg[]){ { BUF + 64 * i, 64, true } }, 1, 0);
    }
    drv_kick(&d, 2);
}

static size_t type(const char *text)
{
    return b->chr.h->read(b->chr.ctx, (const uint8_t *)text, strlen(text));
}

static void test_multiport(void)
{
    struct control m;
    uint32_t id, len;
    struct err e;
    char got[8];

    start("max_ports=3");
    CHECK(port("virtconsole", NULL, NULL, NULL, &e) != NULL, "%s", e.text);
    CHECK(port("virtserialport", "c0", "org.x", NULL, &e) != NULL, "%s", e.text);
    CHECK(drv_start(&d, b, g, false, ALL, 6, 16));
    CHECK(bench_read32(b, g + 0x104) == 3, "max_nr_ports");
    tell(0, READY, 1);
    control_buffers();
    CHECK(told(&m) && m.id == 0 && m.event == ADD, "what came before the buffers is kept");
    CHECK(told(&m) && m.id == 1 && m.event == ADD && !told(&m));
    tell(0, PORT_READY, 1);
    CHECK(told(&m) && m.event == CONSOLE && m.value == 1);
    CHECK(told(&m) && m.event == OPEN && m.value == 1 && !told(&m));
    tell(1, PORT_READY, 1);
    CHECK(told(&m) && m.id == 1 && m.event == NAME && !strcmp(m.name, "org.x"), "%s", m.name);
    CHECK(!told(&m), "nobody is at the other end");
    b->chr.h->event(b->chr.ctx, CHR_OPENED);
    bench_poll(b);
    CHECK(told(&m) && m.id == 1 && m.event == OPEN && m.value == 1);
    tell(7, PORT_READY, 1);
    tell(0xffffffff, OPEN, 1);
    tell(1, 99, 1);
    CHECK(!told(&m) && bench_read32(b, g + 0x70) == 15, "nonsense does no harm");

    drv_add(&d, 4, (const struct drv_seg[]){ { OUT + 0x100, 4, true } }, 1, 0);
    CHECK(type("abcdef") == 0, "the guest has not opened it");
    tell(1, OPEN, 1);
    CHECK(b->chr.accepts_n == 1 && type("abcdef") == 4);
    CHECK(drv_used(&d, 4, &id, &len) && len == 4);
    bench_ram_read(b, OUT + 0x100, got, 4);
    CHECK(!memcmp(got, "abcd", 4));
    drv_add(&d, 4, (const struct drv_seg[]){ { OUT + 0x100, 4, true } }, 1, 0);
    drv_kick(&d, 4);
    CHECK(b->chr.accepts_n == 2 && type("ef") == 2);

    /* Output, with a host that takes five bytes and later the rest. */
    bench_ram_write(b, OUT + 0x200, "12345678", 8);
    b->chr.room = 5;
    drv_add(&d, 5, (const struct drv_seg[]){ { OUT + 0x200, 4, false },
                                             { OUT + 0x204, 4, false } }, 2, 0);
    drv_kick(&d, 5);
    CHECK(b->chr.out_n == 5 && !drv_used(&d, 5, &id, &len));
    b->chr.room = 100;
    b->chr.h->writable(b->chr.ctx);
    bench_poll(b);
    CHECK(b->chr.out_n == 8 && !memcmp(b->chr.out, "12345678", 8) && drv_used(&d, 5, &id, &len));
    b->chr.room = 1;
    drv_add(&d, 5, (const struct drv_seg[]){ { OUT + 0x200, 4, false } }, 1, 0);
    drv_kick(&d, 5);                    /* left half-written for device_free */
    bench_free(b);
}

static void test_plain_console(void)
{
    uint32_t id, len;
    struct err e;

    start("");
    CHECK(port("virtconsole", "c0", NULL, NULL, &e) != NULL);
    bench_write32(b, g + 0x108, 'E');
    CHECK(b->chr.out_n == 1 && b->chr.out[0] == 'E', "an emergency write before all else");
    CHECK(drv_start(&d, b, g, false, V1, 2, 16));
    drv_add(&d, 0, (const struct drv_seg[]){ { BUF, 64, true } }, 1, 0);
    CHECK(type("hello") == 5 && drv_used(&d, 0, &id, &len) && len == 5, "open from the start");
    bench_ram_write(b, OUT, "x", 1);
    drv_add(&d, 1, (const struct drv_seg[]){ { OUT, 1, false } }, 1, 0);
    drv_kick(&d, 1);
    CHECK(b->chr.out_n == 2 && b->chr.out[1] == 'x' && drv_used(&d, 1, &id, &len));
    bench_free(b);
}

static void test_refused(void)
{
    struct err e;

    start("max_ports=2");
    CHECK(!port("virtserialport", NULL, NULL, "0", &e) && strstr(e.text, "virtconsole"));
    CHECK(!port("virtserialport", NULL, NULL, "2", &e) && strstr(e.text, "max_ports=2"));
    CHECK(port("virtserialport", NULL, NULL, "1", &e) != NULL);
    CHECK(!port("virtconsole", NULL, NULL, "1", &e) && strstr(e.text, "taken"), "%s", e.text);
    CHECK(port("virtconsole", NULL, NULL, NULL, &e) != NULL);
    CHECK(!port("virtconsole", NULL, NULL, NULL, &e), "full");
    CHECK(!port("virtio-rng-device", NULL, NULL, NULL, &e));
    bench_free(b);
}

int main(void)
{
    test_multiport();
    test_plain_console();
    test_refused();
    return check_result();
}
