/* SPDX-License-Identifier: Apache-2.0 */
/* pando: the command. */
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "base/trace.h"
#include "cluster/member.h"
#include "cluster/placement.h"
#include "front/cmdline.h"
#include "front/config.h"
#include "front/help.h"
#include "front/join.h"
#include "front/machine.h"
#include "front/newdev.h"
#include "host/chr/chr.h"
#include "vm/device_guard.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const struct err *e)
{
    fprintf(stderr, "pando: %s\n", e->text);
    return 1;
}

static bool set_up_log(const struct opts *tree, struct trace *trace, struct err *e)
{
    const struct opts *list = opts_sub(tree, "trace");
    const char *file = opts_str(tree, "log.file", NULL);
    const char *items = opts_str(tree, "log.items", NULL);

    for (struct opts *o = list ? opts_first(list) : NULL; o; o = opts_next(o)) {
        const char *glob = opts_str(o, "enable", NULL);

        file = opts_str(o, "file", file);
        if (!glob || !trace_set(trace, glob, true, e)) {
            return glob ? err_prefix(e, "-trace") : err_set(e, "-trace: wants a pattern");
        }
        if (!opts_check_read(o, "-trace", e)) {
            return false;
        }
    }
    return (!file || log_file_set(file, false, e) || err_prefix(e, "-D %s", file)) &&
           (!items || log_items_set(items, trace, e) || err_prefix(e, "-d"));
}

static bool write_pidfile(const char *path, struct err *e)
{
    FILE *f = path ? fopen(path, "w") : NULL;

    if (path && !f) {
        return err_set(e, "-pidfile %s: %m", path);
    }
    if (f) {
        fprintf(f, "%d\n", (int)getpid());
        fclose(f);
    }
    return true;
}

/* Everything that lives as long as the machine. */
struct session {
    struct opts *tree;
    struct trace trace;
    struct config config;
    struct placement placement;
    struct loop *loop;
    struct member *member;
    struct machine *machine;
};

/* What the command line says, up to where the machine can be made. */
static bool prepare(struct session *s, struct err *e)
{
    return set_up_log(s->tree, &s->trace, e) && cmdline_add_defaults(s->tree, e) &&
           config_read(&s->config, s->tree, e) &&
           (s->config.nodes_n == 1 ||
            (s->member = join_enter(&s->config, s->tree, &s->placement, e)));
}

static bool create(struct session *s, struct err *e)
{
    s->loop = loop_create(e);
    if (!s->loop) {
        return false;
    }
    s->machine = machine_create(s->loop, s->tree, &s->config, &s->trace, s->member,
                                &s->placement, e);
    return s->machine && write_pidfile(s->config.pidfile, e);
}

/* Runs the machine that is described by the tree, or by the root that `join_args` name. */
static int run(struct opts *tree, unsigned join_args_n, char *const *join_args)
{
    struct session *s = calloc(1, sizeof *s);
    struct err e;
    int status;
    bool ok;

    s->tree = tree;
    ok = join_args ? (s->member = join_root(join_args_n, join_args, tree, &s->config,
                                            &s->placement, &e)) != NULL
                   : prepare(s, &e);
    if (!ok || !create(s, &e)) {
        status = fail(&e);
    } else {
        status = machine_run(s->machine);
    }
    if (s->machine && s->config.pidfile) {
        unlink(s->config.pidfile);
    }
    machine_destroy(s->machine);
    loop_destroy(s->loop);
    member_free(s->member);
    free(s);
    return status;
}

int main(int argc, char **argv)
{
    struct opts *tree = opts_create();
    struct strbuf help = { 0 };
    struct err e;
    int status;

    signal(SIGPIPE, SIG_IGN);
    device_guard_on_end(tty_restore);
    if (argc > 1 && !strcmp(argv[1], "join")) {
        status = run(tree, argc - 2, argv + 2);
    } else if (argc > 1 && !strcmp(argv[1], "device")) {
        status = newdev_run(argc - 2, argv + 2, &e) ? 0 : fail(&e);
    } else if (!cmdline_parse(tree, argc - 1, argv + 1, &e)) {
        status = fail(&e);
    } else if (help_wanted(tree, &help, &e)) {
        fputs(help.text, stdout);
        status = fflush(stdout) ? 1 : 0;
    } else if (e.text[0]) {
        status = fail(&e);
    } else {
        status = run(tree, 0, NULL);
    }
    strbuf_free(&help);
    opts_destroy(tree);
    return status;
}
