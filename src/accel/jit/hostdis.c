/* SPDX-License-Identifier: Apache-2.0 */
#include "accel/jit/hostdis.h"

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CAPSTONE
#include <capstone.h>
#include <dlfcn.h>

#define STRING_(x) #x
#define STRING(x) STRING_(x)

struct hostdis {
    void *library;
    csh handle;
    cs_insn *insn;
    __typeof__(cs_disasm_iter) *iter;
    __typeof__(cs_close) *close;
    __typeof__(cs_free) *free;
};

/* The structures are those of the headers' version, so it has to be that library. */
static void find(struct hostdis *d)
{
    __typeof__(cs_open) *open;
    __typeof__(cs_malloc) *alloc;

    d->library = dlopen("libcapstone.so." STRING(CS_API_MAJOR), RTLD_NOW | RTLD_LOCAL);
    if (!d->library) {
        return;
    }
    open = dlsym(d->library, "cs_open");
    alloc = dlsym(d->library, "cs_malloc");
    d->iter = dlsym(d->library, "cs_disasm_iter");
    d->close = dlsym(d->library, "cs_close");
    d->free = dlsym(d->library, "cs_free");
    if (open && alloc && d->iter && d->close && d->free &&
        open(CS_ARCH_X86, CS_MODE_64, &d->handle) == CS_ERR_OK) {
        d->insn = alloc(d->handle);
    }
}

void hostdis_free(struct hostdis *d)
{
    if (d && d->insn) {
        d->free(d->insn, 1);
        d->close(&d->handle);
    }
    if (d && d->library) {
        dlclose(d->library);
    }
    free(d);
}

static size_t disassemble(struct hostdis *d, const uint8_t *code, size_t left, uint64_t pc,
                          char *text, size_t size, uint64_t *target)
{
    const char *ops;

    if (!d->insn || !d->iter(d->handle, &code, &left, &pc, d->insn)) {
        return 0;
    }
    ops = d->insn->op_str;
    if ((*d->insn->mnemonic == 'j' || !strncmp(d->insn->mnemonic, "call", 4)) &&
        !strncmp(ops, "0x", 2)) {
        *target = strtoull(ops, NULL, 16);
    }
    snprintf(text, size, "%s%s%s", d->insn->mnemonic, *ops ? " " : "", ops);
    return d->insn->size;
}
#else
struct hostdis {
    int nothing;
};

static void find(struct hostdis *d)
{
}

void hostdis_free(struct hostdis *d)
{
    free(d);
}

static size_t disassemble(struct hostdis *d, const uint8_t *code, size_t left, uint64_t pc,
                          char *text, size_t size, uint64_t *target)
{
    return 0;
}
#endif

struct hostdis *hostdis_new(void)
{
    struct hostdis *d = calloc(1, sizeof(*d));

    if (d) {
        find(d);
    }
    return d;
}

size_t hostdis_one(struct hostdis *d, const uint8_t *code, size_t left, uint64_t pc, char *text,
                   size_t size, uint64_t *target)
{
    size_t n, at = 0;

    *target = 0;
    n = disassemble(d, code, left, pc, text, size, target);
    if (!n) {
        n = MIN(left, (size_t)16);
        for (size_t i = 0; i < n && at + 4 < size; i++) {
            at += snprintf(text + at, size - at, "%s%02x", i ? " " : "", code[i]);
        }
    }
    return n;
}
