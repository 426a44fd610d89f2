/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "mem/space.h"

#include <string.h>

/* An MMIO region that remembers the last access. */
struct probe {
    uint64_t off, value;
    unsigned size, vcpu, n;
};

static uint64_t probe_read(void *ctx, uint64_t off, unsigned size, unsigned vcpu)
{
    struct probe *p = ctx;
    *p = (struct probe){ .off = off, .size = size, .vcpu = vcpu, .n = p->n + 1 };
    return 0x1111111111111111u * (off & 0xf);
}

static void probe_write(void *ctx, uint64_t off, unsigned size, uint64_t v, unsigned vcpu)
{
    struct probe *p = ctx;
    *p = (struct probe){ .off = off, .size = size, .value = v, .vcpu = vcpu, .n = p->n + 1 };
}

static const struct mmio_ops probe_ops = { probe_read, probe_write };

/* ram_ops that counts pins and can say that the machine goes down. */
struct rights {
    long pins;
    uint64_t last_n;
    enum mem_right last_right;
    bool down;
};

static bool rights_acquire(void *ctx, uint64_t page, uint64_t n, enum mem_right right)
{
    struct rights *r = ctx;
    if (r->down) {
        return false;
    }
    r->pins += n;
    r->last_n = n;
    r->last_right = right;
    return true;
}

static void rights_release(void *ctx, uint64_t page, uint64_t n)
{
    ((struct rights *)ctx)->pins -= n;
}

/* Write rights are never there at once. */
static bool rights_try_acquire(void *ctx, uint64_t page, uint64_t n, enum mem_right right)
{
    return right == MEM_READ && rights_acquire(ctx, page, n, right);
}

static const struct ram_ops rights_ops = { rights_acquire, rights_release, rights_try_acquire };

static void test_build(void)
{
    struct err e = { 0 };
    struct mem_space *s = mem_space_new(&e);

    CHECK(mem_space_add_ram(s, 0x40000000, 0x100000, "ram", &e));
    CHECK(!mem_space_add_ram(s, 0x400ff000, 0x2000, "more", &e));
    CHECK(strstr(e.text, "more") && strstr(e.text, "overlaps ram"), "%s", e.text);
    CHECK(!mem_space_add_ram(s, 0x50000000, 0x1800, "odd", &e));
    CHECK(strstr(e.text, "multiples of 4 KiB"), "%s", e.text);
    CHECK(!mem_space_add_ram(s, UINT64_MAX - 0xfff, 0x2000, "wrap", &e));
    CHECK(mem_space_is_ram(s, 0x40000000) && mem_space_is_ram(s, 0x400fffff));
    CHECK(!mem_space_is_ram(s, 0x40100000) && !mem_space_is_ram(s, 0x3fffffff));
    mem_space_free(s);
}

static void test_mmio(void)
{
    struct err e;
    struct mem_space *s = mem_space_new(&e);
    struct probe a = { 0 }, b = { 0 }, f = { 0 };
    const struct mem_mmio *at;
    uint64_t v;

    CHECK(mem_space_add_mmio(s, 0x9000000, 0x1000, &probe_ops, &a, "a", &e));
    CHECK(mem_space_add_mmio(s, 0x9000800, 0x10, &probe_ops, &b, "b", &e));
    CHECK(mem_mmio_write(s, 0x9000004, 4, 3, 0xabcdef01) == MEM_OK);
    CHECK(a.off == 4 && a.size == 4 && a.value == 0xabcdef01 && a.vcpu == 3);
    CHECK(mem_mmio_read(s, 0x9000808, 8, 0, &v) == MEM_OK && b.off == 8 && b.size == 8);
    CHECK(v == 0x8888888888888888u, "%lx", (unsigned long)v);
    a.n = 0;
    CHECK(mem_mmio_write(s, 0x9000813, 4, 0, 0x44332211) == MEM_OK);    /* 1 + 2 + 1 */
    CHECK(a.n == 3 && a.off == 0x816 && a.value == 0x44, "%u %lx", a.n, (unsigned long)a.off);
    CHECK(mem_mmio_read(s, 0x9001000, 4, 0, &v) == MEM_NOTHING);
    at = mem_mmio_find(s, 0x9000808, 8);
    CHECK(at && at->ctx == &b && at->gpa == 0x9000800);
    at = mem_mmio_find(s, 0x9000810, 4);
    CHECK(at && at->ctx == &a && at->gpa == 0x9000000);
    CHECK(!mem_mmio_find(s, 0x9000804, 8) && !mem_mmio_find(s, 0x9000802, 4) &&
          !mem_mmio_find(s, 0x9001000, 4), "unaligned, or nothing");
    CHECK(mem_space_add_mmio(s, 0x9002000, 2, &probe_ops, &b, "c", &e));
    CHECK(!mem_mmio_find(s, 0x9002000, 4) && mem_mmio_find(s, 0x9002000, 2),
          "more than the region");
    mem_space_set_fallback(s, &probe_ops, &f);
    CHECK(mem_mmio_read(s, 0x9001004, 4, 0, &v) == MEM_OK && f.off == 0x9001004);
    mem_space_free(s);
}

/* Registers and RAM in the same page: neither is a RAM page, both work by access. */
static void test_shared_page(void)
{
    struct err e;
    struct mem_space *s = mem_space_new(&e);
    struct probe a = { 0 };
    uint64_t v;
    void *host;

    CHECK(mem_space_add_ram(s, 0xc000000, 0x1000, "mem", &e));
    CHECK(mem_space_add_mmio(s, 0xc000088, 0x10, &probe_ops, &a, "regs", &e));
    CHECK(!mem_space_is_ram(s, 0xc000000));
    CHECK(mem_page_acquire(s, 0xc000000, MEM_READ, &host) == MEM_NOTHING);
    CHECK(mem_mmio_write(s, 0xc000080, 8, 0, 0x0102030405060708) == MEM_OK && a.n == 0);
    CHECK(mem_mmio_read(s, 0xc000082, 2, 0, &v) == MEM_OK && v == 0x0506);
    CHECK(mem_mmio_write(s, 0xc000088, 8, 0, 5) == MEM_OK && a.n == 1 && a.off == 0);
    mem_space_free(s);
}

/* A device's RAM: any place and size; whole pages directly, no ram_ops. */
static void test_device_ram(void)
{
    static _Alignas(4096) uint8_t host[0x3000];
    struct err e;
    struct mem_space *s = mem_space_new(&e);
    struct probe a = { 0 };
    struct rights r = { .down = true };     /* whoever asks would be refused */
    struct mem_lease l;
    uint64_t v;
    void *p;

    CHECK(mem_space_add_device_ram(s, 0xc000000, 0x1044, host, "a", &e));
    CHECK(mem_space_add_device_ram(s, 0xd000808, 0x1000, host + 0x2000, "b", &e));
    CHECK(mem_space_add_mmio(s, 0xc001044, 4, &probe_ops, &a, "regs", &e));
    mem_space_set_ram_ops(s, &rights_ops, &r);
    CHECK(mem_page_acquire(s, 0xc000008, MEM_WRITE, &p) == MEM_OK && p == host);
    mem_page_release(s, 0xc000008);
    CHECK(r.pins == 0);
    CHECK(mem_page_acquire(s, 0xc001000, MEM_READ, &p) == MEM_NOTHING, "shared with registers");
    CHECK(mem_page_acquire(s, 0xd001000, MEM_READ, &p) == MEM_NOTHING, "of another offset");
    CHECK(mem_mmio_write(s, 0xc001040, 8, 0, 0x1122334455667788) == MEM_OK && a.n == 1);
    CHECK(host[0x1040] == 0x88 && host[0x1043] == 0x55 && a.value == 0x11223344 && a.size == 4);
    CHECK(mem_mmio_read(s, 0xc001041, 2, 0, &v) == MEM_OK && v == 0x6677);
    CHECK(mem_dma_write(s, 0xd001800, "abcdefgh", 8) && host[0x2ff8] == 'a');
    CHECK(mem_lease_get(s, 0xd000808, 16, MEM_WRITE, &l) && l.host == host + 0x2000);
    mem_lease_put(s, &l);
    CHECK(!mem_lease_get(s, 0xd001800, 16, MEM_WRITE, &l), "past its end");
    CHECK(mem_mmio_read(s, 0xd001808, 1, 0, &v) == MEM_NOTHING);
    mem_space_free(s);
}

static void test_dma(void)
{
    struct err e;
    struct mem_space *s = mem_space_new(&e);
    struct rights r = { 0 };
    static uint8_t buf[0x60000], back[0x60000];
    struct mem_lease l;
    void *host;

    CHECK(mem_space_add_ram(s, 0x40000000, 0x80000, "low", &e));
    CHECK(mem_space_add_ram(s, 0x40080000, 0x80000, "high", &e));
    mem_space_set_ram_ops(s, &rights_ops, &r);
    for (size_t i = 0; i < sizeof buf; i++) {
        buf[i] = i * 7 + (i >> 8);
    }
    CHECK(mem_dma_write(s, 0x40050123, buf, sizeof buf));       /* over both blocks */
    CHECK(r.last_right == MEM_WRITE && r.pins == 0);
    CHECK(mem_dma_read(s, 0x40050123, back, sizeof back) && !memcmp(buf, back, sizeof buf));
    CHECK(r.last_right == MEM_READ && r.pins == 0);
    CHECK(mem_dma_zero(s, 0x40050124, 1) && mem_dma_read(s, 0x40050123, back, 3));
    CHECK(back[0] == buf[0] && back[1] == 0 && back[2] == buf[2]);
    CHECK(!mem_dma_write(s, 0x400fff00, buf, 0x101));
    CHECK(mem_dma_read(s, 0x400fff00, back, 1) && back[0] == 0, "nothing was written");
    CHECK(mem_lease_get(s, 0x40000ff8, 16, MEM_WRITE, &l) && r.pins == 2);
    memset(l.host, 0x5a, 16);
    mem_lease_put(s, &l);
    CHECK(r.pins == 0);
    CHECK(!mem_lease_get(s, 0x4007fff8, 16, MEM_WRITE, &l), "a lease lies in one block");
    CHECK(mem_page_acquire(s, 0x40001004, MEM_READ, &host) == MEM_OK && r.pins == 1);
    CHECK(*(uint8_t *)host == 0x5a);
    mem_page_release(s, 0x40001004);
    CHECK(mem_page_try_acquire(s, 0x40001004, MEM_WRITE, &host) == MEM_WOULD_BLOCK);
    CHECK(mem_page_try_acquire(s, 0x40001004, MEM_READ, &host) == MEM_OK && r.pins == 1);
    mem_page_release(s, 0x40001004);
    r.down = true;
    CHECK(mem_page_acquire(s, 0x40001004, MEM_READ, &host) == MEM_STOPPED && r.pins == 0);
    CHECK(!mem_dma_read(s, 0x40000000, back, 1));
    mem_space_free(s);
}

int main(void)
{
    test_build();
    test_mmio();
    test_shared_page();
    test_device_ram();
    test_dma();
    return check_result();
}
