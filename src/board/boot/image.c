/* SPDX-License-Identifier: Apache-2.0 */
#include "board/boot/image.h"

#include "base/base.h"
#include "base/err.h"
#include "mem/space.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* ---- files ---- */

static bool read_all(int fd, uint8_t *buf, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = read(fd, buf + done, bytes - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n ? errno : EIO;        /* it became shorter meanwhile */
            return false;
        }
        done += n;
    }
    return true;
}

bool boot_file_read(const char *what, const char *path, uint64_t bytes_max, uint8_t **data,
                    size_t *bytes, struct err *e)
{
    struct stat st;
    uint8_t *buf = NULL;
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(e, "%s '%s': %m", what, path);
    } else if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        err_set(e, "%s '%s' is %s", what, path, S_ISREG(st.st_mode) ? "empty" : "not a file");
    } else if ((uint64_t)st.st_size > bytes_max) {
        err_set(e, "%s '%s' has %" PRIu64 " bytes, too large: at most %" PRIu64, what, path,
                (uint64_t)st.st_size, bytes_max);
    } else if (!(buf = malloc(st.st_size)) || !read_all(fd, buf, st.st_size)) {
        err_set(e, "%s '%s': %m", what, path);
    } else {
        ok = true;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!ok) {
        free(buf);
        return false;
    }
    *data = buf;
    *bytes = st.st_size;
    return true;
}

/* ---- gzip ---- */

static bool is_gzip(const uint8_t *d, size_t bytes)
{
    return bytes >= 18 && d[0] == 0x1f && d[1] == 0x8b && d[2] == 8;
}

/* Replaces the buffer by what it was made from. */
static bool gunzip(const char *name, uint8_t **data, size_t *bytes, size_t from, size_t from_bytes,
                   size_t limit, struct err *e)
{
    size_t room = MIN(from_bytes * 4 + 4096, limit);
    uint8_t *out = malloc(room);
    z_stream z = { .next_in = *data + from, .avail_in = from_bytes };
    int r = out ? inflateInit2(&z, 16 + MAX_WBITS) : Z_MEM_ERROR;

    while (r == Z_OK) {
        if (z.total_out == room) {
            if (room == limit) {
                r = Z_BUF_ERROR;
                break;
            }
            room = MIN(room * 2, limit);
            uint8_t *more = realloc(out, room);
            if (!more) {
                r = Z_MEM_ERROR;
                break;
            }
            out = more;
        }
        z.next_out = out + z.total_out;
        z.avail_out = room - z.total_out;
        r = inflate(&z, Z_NO_FLUSH);
    }
    size_t total = z.total_out;
    inflateEnd(&z);
    if (r != Z_STREAM_END) {
        free(out);
        if (total == limit) {
            return err_set(e, "kernel '%s' is compressed by gzip, and longer than %zu MiB", name,
                           (size_t)(limit / MiB));
        }
        return err_set(e, "kernel '%s' is compressed by gzip, but %s", name,
                       r == Z_MEM_ERROR ? "there is no memory to unpack it" :
                       "damaged or truncated");
    }
    free(*data);
    *data = out;
    *bytes = total;
    return true;
}

/* EFI zboot (Linux, drivers/firmware/efi/libstub/zboot-header.S):
 *  0 "MZ", 0, 0 | 4 "zimg" | 8 payload offset | 12 payload bytes | 16 0, 0 | 24 "gzip" */
static bool unpack_zboot(const char *name, uint8_t **data, size_t *bytes, size_t limit,
                         struct err *e)
{
    const uint8_t *d = *data;
    uint32_t from, n;

    if (*bytes < 64 || memcmp(d, "MZ", 2) || memcmp(d + 4, "zimg", 4)) {
        return true;
    }
    memcpy(&from, d + 8, 4);
    memcpy(&n, d + 12, 4);
    from = le32toh(from);
    n = le32toh(n);
    if (memcmp(d + 24, "gzip", 5)) {
        return err_set(e, "kernel '%s' is an EFI image compressed by '%.8s': only gzip is known",
                       name, (const char *)d + 24);
    }
    if (from > *bytes || n > *bytes - from) {
        return err_set(e, "kernel '%s' is a truncated EFI image: its payload ends at %" PRIu64
                       ", the file at %zu", name, (uint64_t)from + n, *bytes);
    }
    return gunzip(name, data, bytes, from, n, limit, e);
}

/* ---- ELF ---- */

static bool elf_segment(struct boot_image *b, const char *name, size_t bytes,
                        const Elf64_Phdr *p, struct err *e)
{
    if (p->p_offset > bytes || p->p_filesz > bytes - p->p_offset) {
        return err_set(e, "ELF file '%s' is truncated: a segment ends at %" PRIu64
                       ", the file at %zu", name, p->p_offset + p->p_filesz, bytes);
    }
    if (p->p_memsz < p->p_filesz || p->p_paddr + p->p_memsz < p->p_paddr) {
        return err_set(e, "ELF file '%s': a segment at 0x%" PRIx64 " of 0x%" PRIx64
                       " bytes cannot be", name, p->p_paddr, p->p_memsz);
    }
    if (b->segments_n == BOOT_SEGMENTS_MAX) {
        return err_set(e, "ELF file '%s' has more than %d segments", name, BOOT_SEGMENTS_MAX);
    }
    b->segment[b->segments_n++] = (struct boot_segment){
        .gpa = p->p_paddr, .data = b->data + p->p_offset, .bytes = p->p_filesz,
        .zero_bytes = p->p_memsz - p->p_filesz,
    };
    b->low = MIN(b->low, p->p_paddr);
    b->high = MAX(b->high, p->p_paddr + p->p_memsz);
    return true;
}

static bool parse_elf(struct boot_image *b, const char *name, size_t bytes, struct err *e)
{
    Elf64_Ehdr h;

    memcpy(&h, b->data, sizeof(h));
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
        h.e_machine != EM_AARCH64) {
        return err_set(e, "ELF file '%s' is not for little-endian aarch64", name);
    }
    if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phoff > bytes ||
        (bytes - h.e_phoff) / sizeof(Elf64_Phdr) < h.e_phnum) {
        return err_set(e, "ELF file '%s' is truncated or damaged: its %u program headers at %"
                       PRIu64 " are not in the file", name, h.e_phnum, h.e_phoff);
    }
    b->entry = h.e_entry;
    b->low = UINT64_MAX;
    for (unsigned i = 0; i < h.e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, b->data + h.e_phoff + i * sizeof(p), sizeof(p));
        if (p.p_type != PT_LOAD || !p.p_memsz) {
            continue;
        }
        if (!elf_segment(b, name, bytes, &p, e)) {
            return false;
        }
        /* The entry is a virtual address; we enter with the MMU off. */
        if (h.e_entry - p.p_vaddr < p.p_filesz && p.p_flags & PF_X) {
            b->entry = h.e_entry - p.p_vaddr + p.p_paddr;
        }
    }
    if (!b->segments_n) {
        return err_set(e, "ELF file '%s' has nothing to load", name);
    }
    return true;
}

/* ---- Linux Image (Documentation/arch/arm64/booting) ---- */

/*  0 code0, code1 | 8 text_offset | 16 image_size | 24 flags | … | 56 "ARM\x64" | 60 PE offset */
#define IMAGE_HEADER_BYTES 64
#define IMAGE_DEFAULT_OFFSET 0x80000
/* Other loaders put a few instructions at the start of RAM and keep kernels off it; guests see
 * the same addresses here. */
#define IMAGE_LOW_BYTES 0x1000
#define IMAGE_ALIGN UINT64_C(0x200000)

static bool parse_image(struct boot_image *b, const char *name, size_t bytes, uint64_t ram,
                        uint64_t ram_bytes, struct err *e)
{
    uint64_t offset = IMAGE_DEFAULT_OFFSET, total = bytes;

    if (bytes >= IMAGE_HEADER_BYTES && !memcmp(b->data + 56, "ARM\x64", 4)) {
        uint64_t text_offset, image_size;
        memcpy(&text_offset, b->data + 8, 8);
        memcpy(&image_size, b->data + 16, 8);
        text_offset = le64toh(text_offset);
        image_size = le64toh(image_size);
        /* Before Linux 3.17 image_size is 0, and text_offset of unknown byte order. */
        if (image_size) {
            if (image_size > UINT32_MAX || text_offset >= IMAGE_ALIGN) {
                return err_set(e, "kernel '%s': its header has text offset 0x%" PRIx64
                               " and size 0x%" PRIx64 ", which cannot be", name, text_offset,
                               image_size);
            }
            offset = text_offset < IMAGE_LOW_BYTES ? text_offset + IMAGE_ALIGN : text_offset;
            total = MAX(total, image_size);
        }
    }
    if (offset > ram_bytes || total > ram_bytes - offset) {
        return err_set(e, "kernel '%s' needs %" PRIu64 " bytes at offset 0x%" PRIx64
                       " of RAM, which has %" PRIu64 ": give more with -m", name, total, offset,
                       ram_bytes);
    }
    b->is_linux = true;
    b->entry = b->low = ram + offset;
    b->high = b->low + total;
    b->segments_n = 1;
    b->segment[0] = (struct boot_segment){ .gpa = b->low, .data = b->data, .bytes = bytes };
    return true;
}

static bool parse_any(struct boot_image *b, const char *name, size_t bytes, uint64_t ram,
                      uint64_t ram_bytes, struct err *e)
{
    size_t limit = MIN(BOOT_GUNZIP_BYTES_MAX, ram_bytes);

    if (bytes >= sizeof(Elf64_Ehdr) && !memcmp(b->data, ELFMAG, SELFMAG)) {
        return parse_elf(b, name, bytes, e);
    }
    if (is_gzip(b->data, bytes)) {
        if (!gunzip(name, &b->data, &bytes, 0, bytes, limit, e)) {
            return false;
        }
    } else if (!unpack_zboot(name, &b->data, &bytes, limit, e)) {
        return false;
    }
    return parse_image(b, name, bytes, ram, ram_bytes, e);
}

bool boot_image_parse(struct boot_image *b, const char *name, uint8_t *data, size_t bytes,
                      uint64_t ram, uint64_t ram_bytes, struct err *e)
{
    *b = (struct boot_image){ .data = data };
    if (!parse_any(b, name, bytes, ram, ram_bytes, e)) {
        boot_image_free(b);
        return false;
    }
    return true;
}

void boot_image_free(struct boot_image *b)
{
    free(b->data);
    *b = (struct boot_image){ 0 };
}

/* ---- loading ---- */

/* Pages of RAM are held while they are copied to: not too many at a time. */
#define CHUNK_BYTES (UINT64_C(1) << 20)

bool boot_write(struct mem_space *mem, const char *what, uint64_t gpa, const void *data,
                size_t bytes, struct err *e)
{
    for (size_t done = 0; done < bytes;) {
        size_t n = MIN(bytes - done, CHUNK_BYTES);
        if (!mem_dma_write(mem, gpa + done, (const uint8_t *)data + done, n)) {
            return err_set(e, "%s does not fit: [0x%" PRIx64 ", 0x%" PRIx64 ") is not all RAM",
                           what, gpa, gpa + bytes);
        }
        done += n;
    }
    return true;
}

static bool zero(struct mem_space *mem, uint64_t gpa, uint64_t bytes, struct err *e)
{
    for (uint64_t done = 0; done < bytes;) {
        uint64_t n = MIN(bytes - done, CHUNK_BYTES);
        if (!mem_dma_zero(mem, gpa + done, n)) {
            return err_set(e, "kernel: [0x%" PRIx64 ", 0x%" PRIx64 ") is not all RAM", gpa,
                           gpa + bytes);
        }
        done += n;
    }
    return true;
}

bool boot_image_load(const struct boot_image *b, struct mem_space *mem, struct err *e)
{
    for (unsigned i = 0; i < b->segments_n; i++) {
        const struct boot_segment *s = &b->segment[i];
        if (!boot_write(mem, "kernel", s->gpa, s->data, s->bytes, e) ||
            !zero(mem, s->gpa + s->bytes, s->zero_bytes, e)) {
            return false;
        }
    }
    return true;
}
