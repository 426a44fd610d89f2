/* SPDX-License-Identifier: Apache-2.0 */
/* struct boot_image: a kernel or firmware file, read and taken apart into what goes where in
 * guest memory.  Files are not trusted. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct mem_space;

#define BOOT_SEGMENTS_MAX 32
#define BOOT_FILE_BYTES_MAX (UINT64_C(4) << 30)
#define BOOT_GUNZIP_BYTES_MAX (UINT64_C(256) << 20)

struct boot_segment {
    uint64_t gpa;
    const uint8_t *data;        /* in the image's buffer */
    size_t bytes;
    uint64_t zero_bytes;        /* after them */
};

struct boot_image {
    bool is_linux;              /* by the arm64 booting protocol; otherwise ELF */
    uint64_t entry;
    uint64_t low, high;         /* guest-physical: all of it, bss too, lies in [low, high) */
    unsigned segments_n;
    struct boot_segment segment[BOOT_SEGMENTS_MAX];
    uint8_t *data;              /* owned */
};

/* Reads a whole file (free() *data); an empty one is an error. */
bool boot_file_read(const char *what, const char *path, uint64_t bytes_max, uint8_t **data,
                    size_t *bytes, struct err *e);

/* A kernel for a machine with RAM at [ram, ram + ram_bytes): an ELF64 file, a Linux `Image`, plain
 * or compressed by gzip, an EFI zboot image (gzip), or anything else, which is loaded and entered
 * at ram + 512 KiB.  `data` (malloc) becomes the image's, also on failure. */
bool boot_image_parse(struct boot_image *b, const char *name, uint8_t *data, size_t bytes,
                      uint64_t ram, uint64_t ram_bytes, struct err *e);
void boot_image_free(struct boot_image *b);     /* an all-zero one is good */

/* Copies to guest memory.  Loop thread; the guest stands. */
bool boot_write(struct mem_space *mem, const char *what, uint64_t gpa, const void *data,
                size_t bytes, struct err *e);
bool boot_image_load(const struct boot_image *b, struct mem_space *mem, struct err *e);
