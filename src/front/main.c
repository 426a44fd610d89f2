/* SPDX-License-Identifier: Apache-2.0 */
/* pando: the command. */
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "base/trace.h"
#include "front/cmdline.h"
#include "front/config.h"
#include "front/help.h"
#include "front/machine.h"

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

/* The machine that `tree` describes, from start to end. */
static int run(struct opts *tree)
{
    struct trace *trace = calloc(1, sizeof *trace);
    struct config *config = calloc(1, sizeof *config);
    struct loop *loop = NULL;
    struct machine *m = NULL;
    struct err e;
    int status;

    if (!set_up_log(tree, trace, &e) || !cmdline_add_defaults(tree, &e) ||
        !config_read(config, tree, &e) || !(loop = loop_create(&e)) ||
        !(m = machine_create(loop, tree, config, trace, &e)) ||
        !write_pidfile(config->pidfile, &e)) {
        status = fail(&e);
    } else {
        status = machine_run(m);
    }
    if (m && config->pidfile) {
        unlink(config->pidfile);
    }
    machine_destroy(m);
    loop_destroy(loop);
    free(config);
    free(trace);
    return status;
}

int main(int argc, char **argv)
{
    struct opts *tree = opts_create();
    struct strbuf help = { 0 };
    struct err e;
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (!cmdline_parse(tree, argc - 1, argv + 1, &e)) {
        status = fail(&e);
    } else if (help_wanted(tree, &help, &e)) {
        fputs(help.text, stdout);
        status = fflush(stdout) ? 1 : 0;
    } else if (e.text[0]) {
        status = fail(&e);
    } else {
        status = run(tree);
    }
    strbuf_free(&help);
    opts_destroy(tree);
    return status;
}
