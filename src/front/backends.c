/* SPDX-License-Identifier: Apache-2.0 */
#include "front/backends.h"

#include "base/base.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "host/blk/blk.h"
#include "host/chr/chr.h"
#include "host/net/net.h"
#include "vm/device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { CHR, BLK, NET, KINDS_N };

static const char *const option_of_kind[KINDS_N] = { "-chardev", "-drive", "-netdev" };

struct backend {
    const char *id;             /* of the tree, which outlives us */
    bool is_used, is_mux;
    union {
        struct chr *chr;
        struct blk *blk;
        struct net *net;
        void *any;
    };
};

struct backends {
    struct backend of[KINDS_N][BACKENDS_MAX];
    unsigned n[KINDS_N];
    struct device_finder finder;
};

static struct backend *find(struct backends *b, enum kind kind, const char *id, struct err *e)
{
    struct nearest near;

    nearest_init(&near, id);
    for (unsigned i = 0; i < b->n[kind]; i++) {
        if (!strcmp(b->of[kind][i].id, id)) {
            return &b->of[kind][i];
        }
        nearest_add(&near, b->of[kind][i].id);
    }
    err_set(e, "there is no %s with the id '%s'%s", option_of_kind[kind], id,
            nearest_hint(&near));
    return NULL;
}

static void *find_for_device(void *ctx, enum device_option_type type, const char *id,
                             struct err *e)
{
    struct backends *b = ctx;
    enum kind kind = type == OPTION_CHR ? CHR : type == OPTION_BLK ? BLK : NET;
    struct backend *found;

    if (type != OPTION_CHR && type != OPTION_BLK && type != OPTION_NET) {
        err_set(e, "'%s': back ends of this kind cannot be chosen yet", id);
        return NULL;
    }
    found = find(b, kind, id, e);
    if (!found) {
        return NULL;
    }
    if (kind == CHR) {
        return chr_claim(found->chr, e);
    }
    if (found->is_used) {
        err_set(e, "%s '%s' is used by another device already", option_of_kind[kind], id);
        return NULL;
    }
    found->is_used = true;
    return found->any;
}

/* What is the front end's and not the image's. */
static struct opts *image_opts(const struct opts *drive)
{
    static const char *const ours[] = { "if", "id", "index", "media" };
    struct opts *o = opts_create();

    opts_merge(o, drive);
    for (unsigned i = 0; i < ARRAY_LEN(ours); i++) {
        opts_remove(o, ours[i]);
    }
    return o;
}

static void *open_one(enum kind kind, struct loop *loop, const struct opts *o,
                      const struct trace *trace, struct err *e)
{
    struct opts *image;
    struct blk *blk;

    switch (kind) {
    case CHR:
        return chr_create(loop, o, trace, e);
    case NET:
        return net_create(loop, o, trace, e);
    default:
        image = image_opts(o);
        blk = blk_create(loop, image, trace, e);
        opts_destroy(image);
        return blk;
    }
}

static bool open_all(struct backends *b, enum kind kind, const char *path, struct loop *loop,
                     const struct opts *tree, const struct trace *trace, struct err *e)
{
    const struct opts *list = opts_sub(tree, path);

    for (struct opts *o = list ? opts_first(list) : NULL; o; o = opts_next(o)) {
        struct backend *new = &b->of[kind][b->n[kind]];
        const char *id = opts_str(o, "id", NULL);

        if (b->n[kind] == BACKENDS_MAX) {
            return err_set(e, "%s: more than %d", option_of_kind[kind], BACKENDS_MAX);
        }
        if (!id) {
            return err_set(e, "%s: wants id=", option_of_kind[kind]);
        }
        if (find(b, kind, id, NULL)) {
            return err_set(e, "%s: the id '%s' is there twice", option_of_kind[kind], id);
        }
        new->id = id;
        new->any = open_one(kind, loop, o, trace, e);
        if (!new->any) {
            return err_prefix(e, "%s %s", option_of_kind[kind], id);
        }
        b->n[kind]++;
        if (kind == CHR && !opts_bool(o, "mux", false, &new->is_mux, e)) {
            return false;
        }
    }
    return true;
}

struct backends *backends_create(struct loop *loop, const struct opts *tree,
                                 const struct trace *trace, struct err *e)
{
    struct backends *b = calloc(1, sizeof *b);

    b->finder = (struct device_finder){ .find = find_for_device, .ctx = b };
    if (open_all(b, CHR, "chardev", loop, tree, trace, e) &&
        open_all(b, BLK, "drive", loop, tree, trace, e) &&
        open_all(b, NET, "netdev", loop, tree, trace, e)) {
        return b;
    }
    backends_destroy(b);
    return NULL;
}

void backends_destroy(struct backends *b)
{
    if (!b) {
        return;
    }
    for (unsigned i = b->n[NET]; i-- > 0;) {
        net_destroy(b->of[NET][i].net);
    }
    for (unsigned i = b->n[BLK]; i-- > 0;) {
        blk_destroy(b->of[BLK][i].blk);
    }
    for (unsigned i = b->n[CHR]; i-- > 0;) {
        chr_destroy(b->of[CHR][i].chr);
    }
    free(b);
}

const struct device_finder *backends_finder(struct backends *b)
{
    return &b->finder;
}

struct chr *backends_chr(struct backends *b, const char *id, struct err *e)
{
    struct backend *found = find(b, CHR, id, e);

    return found ? found->chr : NULL;
}

void backends_on_quit(struct backends *b, void (*quit)(void *ctx), void *ctx)
{
    for (unsigned i = 0; i < b->n[CHR]; i++) {
        if (b->of[CHR][i].is_mux) {
            chr_mux_on_quit(b->of[CHR][i].chr, quit, ctx);
        }
    }
}

void backends_info_chr(struct backends *b, struct strbuf *out)
{
    for (unsigned i = 0; i < b->n[CHR]; i++) {
        strbuf_add(out, "%s: filename=%s\n", b->of[CHR][i].id,
                   chr_describe(b->of[CHR][i].chr));
    }
}

void backends_info_blk(struct backends *b, struct strbuf *out)
{
    for (unsigned i = 0; i < b->n[BLK]; i++) {
        const struct blk *blk = b->of[BLK][i].blk;

        strbuf_add(out, "%s: %s (raw%s), %" PRIu64 " bytes\n", b->of[BLK][i].id, blk_path(blk),
                   blk_is_read_only(blk) ? ", read-only" : "", blk_size_bytes(blk));
    }
}

void backends_info_net(struct backends *b, struct strbuf *out)
{
    for (unsigned i = 0; i < b->n[NET]; i++) {
        char *info = net_info(b->of[NET][i].net);

        strbuf_add(out, "%s:\n%s", b->of[NET][i].id, info ? info : "");
        free(info);
    }
}
