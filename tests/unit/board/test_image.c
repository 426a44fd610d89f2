/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel files: good ones of each kind, bad ones with clear errors, and random damage. */
#include "base/base.h"
#include "base/err.h"
#include "base/prng.h"
#include "board/boot/image.h"
#include "mem/space.h"

#include "../check.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define RAM UINT64_C(0x40000000)
#define RAM_BYTES (64 * MiB)

static struct boot_image image;
static struct err error;

/* Parses a copy. */
static bool parse(const void *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes);
    memcpy(copy, data, bytes);
    boot_image_free(&image);
    error.text[0] = 0;
    return boot_image_parse(&image, "k", copy, bytes, RAM, RAM_BYTES, &error);
}

static bool refuses(const void *data, size_t bytes, const char *because)
{
    bool refused = !parse(data, bytes) && strstr(error.text, because);
    if (!refused) {
        fprintf(stderr, "'%s', not: %s\n", error.text, because);
    }
    return refused;
}

static void put64(void *at, uint64_t v)
{
    memcpy(at, &v, 8);
}

static void put32(void *at, uint32_t v)
{
    memcpy(at, &v, 4);
}

static void test_linux(void)
{
    uint8_t k[4096] = { 0 };
    memcpy(k + 56, "ARM\x64", 4);
    put64(k + 16, 8 * MiB);
    CHECK(parse(k, sizeof(k)) && image.is_linux && image.entry == RAM + 2 * MiB);
    CHECK(image.low == image.entry && image.high == image.low + 8 * MiB);
    put64(k + 8, 0x80000);
    CHECK(parse(k, sizeof(k)) && image.entry == RAM + 0x80000);
    put64(k + 16, 0);
    put64(k + 8, 0x1000000000);
    CHECK(parse(k, sizeof(k)) && image.entry == RAM + 0x80000, "old: the offset means nothing");
    put64(k + 16, 1);
    CHECK(refuses(k, sizeof(k), "cannot be"));
    put64(k + 8, 0);
    put64(k + 16, UINT64_MAX);
    CHECK(refuses(k, sizeof(k), "cannot be"));
    put64(k + 16, RAM_BYTES - 2 * MiB);
    CHECK(parse(k, sizeof(k)));
    put64(k + 16, RAM_BYTES - 2 * MiB + 1);
    CHECK(refuses(k, sizeof(k), "give more with -m"));
    /* Anything else is a flat program. */
    CHECK(parse("\1\2\3\4", 4) && image.is_linux && image.entry == RAM + 0x80000 &&
          image.segment[0].bytes == 4);
}

static size_t gzip(const void *data, size_t bytes, uint8_t *out, size_t room)
{
    z_stream z = { .next_in = (void *)data, .avail_in = bytes, .next_out = out,
                   .avail_out = room };
    deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY);
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    size_t n = z.total_out;
    deflateEnd(&z);
    return n;
}

static void test_gzip(void)
{
    static uint8_t k[300000], packed[400000], zboot[400000];
    struct prng p;
    prng_init(&p, 5);
    prng_fill(&p, k, sizeof(k) / 2);
    memcpy(k + 56, "ARM\x64", 4);
    put64(k + 8, 0);
    put64(k + 16, 4 * MiB);
    size_t n = gzip(k, sizeof(k), packed, sizeof(packed));
    CHECK(parse(packed, n) && image.entry == RAM + 2 * MiB &&
          image.segment[0].bytes == sizeof(k) && !memcmp(image.segment[0].data, k, sizeof(k)));
    CHECK(refuses(packed, n / 2, "damaged or truncated"));
    packed[n / 2] ^= 0x55;
    CHECK(refuses(packed, n, "damaged or truncated"));
    packed[n / 2] ^= 0x55;

    memcpy(zboot, "MZ\0\0zimg", 8);
    put32(zboot + 8, 512);
    put32(zboot + 12, n);
    strcpy((char *)zboot + 24, "gzip");
    memcpy(zboot + 512, packed, n);
    CHECK(parse(zboot, 512 + n) && image.segment[0].bytes == sizeof(k));
    CHECK(refuses(zboot, 511 + n, "truncated EFI"));
    put32(zboot + 8, UINT32_MAX);
    CHECK(refuses(zboot, 512 + n, "truncated EFI"));
    put32(zboot + 8, 512);
    strcpy((char *)zboot + 24, "zstd22");
    CHECK(refuses(zboot, 512 + n, "zstd22"));
}

static void test_gzip_bomb(void)
{
    size_t zeroes = RAM_BYTES + MiB, room = MiB;
    uint8_t *packed = malloc(room), *chunk = calloc(1, MiB);
    z_stream z = { .next_out = packed, .avail_out = room };
    deflateInit2(&z, 1, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY);
    for (size_t done = 0; done < zeroes; done += MiB) {
        z.next_in = chunk;
        z.avail_in = MiB;
        while (z.avail_in && z.avail_out) {
            deflate(&z, Z_NO_FLUSH);
        }
    }
    deflate(&z, Z_FINISH);
    CHECK(refuses(packed, z.total_out, "longer than 64 MiB"));
    deflateEnd(&z);
    free(packed);
    free(chunk);
}

struct elf {
    Elf64_Ehdr h;
    Elf64_Phdr p[3];
    uint8_t text[64];
};

static struct elf make_elf(void)
{
    struct elf f = { 0 };
    memcpy(f.h.e_ident, ELFMAG, SELFMAG);
    f.h.e_ident[EI_CLASS] = ELFCLASS64;
    f.h.e_ident[EI_DATA] = ELFDATA2LSB;
    f.h.e_machine = EM_AARCH64;
    f.h.e_phoff = offsetof(struct elf, p);
    f.h.e_phentsize = sizeof(Elf64_Phdr);
    f.h.e_phnum = 3;
    f.h.e_entry = 0xffff000000000010;
    f.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_X,
                           .p_offset = offsetof(struct elf, text),
                           .p_vaddr = 0xffff000000000000, .p_paddr = RAM + 0x100000,
                           .p_filesz = 64, .p_memsz = 0x2000 };
    f.p[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = UINT64_MAX };
    f.p[2] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_paddr = RAM + 0x200000, .p_memsz = 0x10 };
    memset(f.text, 0xaa, sizeof(f.text));
    return f;
}

static void test_elf(void)
{
    struct elf f = make_elf();
    CHECK(parse(&f, sizeof(f)) && !image.is_linux && image.segments_n == 2, "%s", error.text);
    CHECK(image.entry == RAM + 0x100010 && image.low == RAM + 0x100000 &&
          image.high == RAM + 0x200010);
    CHECK(refuses(&f, sizeof(f) - 1, "truncated"));
    CHECK(refuses(&f, offsetof(struct elf, p) + 8, "truncated"));
    f.p[0].p_filesz = UINT64_MAX;
    CHECK(refuses(&f, sizeof(f), "truncated"));
    f = make_elf();
    f.p[0].p_memsz = 1;
    CHECK(refuses(&f, sizeof(f), "cannot be"));
    f = make_elf();
    f.p[2].p_paddr = UINT64_MAX - 4;
    CHECK(refuses(&f, sizeof(f), "cannot be"));
    f = make_elf();
    f.h.e_phoff = UINT64_MAX - 8;
    CHECK(refuses(&f, sizeof(f), "truncated"));
    f = make_elf();
    f.h.e_machine = EM_X86_64;
    CHECK(refuses(&f, sizeof(f), "aarch64"));
    f = make_elf();
    f.p[0].p_type = f.p[2].p_type = PT_NOTE;
    CHECK(refuses(&f, sizeof(f), "nothing to load"));
}

static void test_loading(void)
{
    struct mem_space *mem = mem_space_new(&error);
    struct elf f = make_elf();
    uint8_t got[65], ff[0x3000];
    CHECK(mem_space_add_ram(mem, RAM, 4 * MiB, "ram", &error));
    memset(ff, 0xff, sizeof(ff));
    CHECK(mem_dma_write(mem, RAM + 0x100000, ff, sizeof(ff)));
    CHECK(parse(&f, sizeof(f)) && boot_image_load(&image, mem, &error), "%s", error.text);
    CHECK(mem_dma_read(mem, RAM + 0x100000, got, 65) && !memcmp(got, f.text, 64) && !got[64]);
    CHECK(mem_dma_read(mem, RAM + 0x101fff, got, 2) && !got[0] && got[1] == 0xff, "bss, no more");
    f.p[0].p_paddr = 0x1000;
    CHECK(parse(&f, sizeof(f)) && !boot_image_load(&image, mem, &error) &&
          strstr(error.text, "not all RAM"), "%s", error.text);
    mem_space_free(mem);
}

static void test_damage(void)
{
    struct elf f = make_elf();
    struct prng p;
    uint64_t seed = 77;
    prng_init(&p, seed);
    for (unsigned i = 0; i < 20000; i++) {
        struct elf g = f;
        for (unsigned k = prng_below(&p, 6) + 1; k-- > 0;) {
            ((uint8_t *)&g)[prng_below(&p, offsetof(struct elf, text))] = prng_u64(&p);
        }
        if (parse(&g, sizeof(g) - prng_below(&p, 2) * prng_below(&p, sizeof(g) - 1))) {
            for (unsigned s = 0; s < image.segments_n; s++) {
                const struct boot_segment *x = &image.segment[s];
                CHECK(x->data >= image.data && x->bytes <= sizeof(g) &&
                      x->data + x->bytes <= image.data + sizeof(g), "seed %u, %u", (unsigned)seed,
                      i);
            }
        } else {
            CHECK(error.text[0]);
        }
    }
}

static void test_files(void)
{
    char path[] = "/tmp/pando-image-XXXXXX";
    uint8_t *data;
    size_t bytes;
    int fd = mkstemp(path);
    CHECK(!boot_file_read("kernel", path, 100, &data, &bytes, &error) &&
          strstr(error.text, "empty"), "%s", error.text);
    CHECK(write(fd, path, 20) == 20);
    close(fd);
    CHECK(!boot_file_read("kernel", path, 19, &data, &bytes, &error) &&
          strstr(error.text, "20 bytes, too large"), "%s", error.text);
    CHECK(boot_file_read("kernel", path, 20, &data, &bytes, &error) && bytes == 20 &&
          !memcmp(data, path, 20));
    free(data);
    CHECK(!boot_file_read("kernel", "/tmp", 20, &data, &bytes, &error) &&
          strstr(error.text, "not a file"), "%s", error.text);
    unlink(path);
    CHECK(!boot_file_read("kernel", path, 20, &data, &bytes, &error) &&
          strstr(error.text, path), "%s", error.text);
}

int main(void)
{
    test_linux();
    test_gzip();
    test_gzip_bomb();
    test_elf();
    test_loading();
    test_damage();
    test_files();
    boot_image_free(&image);
    return check_result();
}
