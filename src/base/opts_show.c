/* SPDX-License-Identifier: Apache-2.0 */
/* struct opts and its tables as text. */
#include <stdio.h>

#include "base/opts.h"
#include "base/opts_tree.h"
#include "base/strbuf.h"

void opts_rows_help(const struct opt_row *rows, struct strbuf *out)
{
    static const char *const types[] = {
        [OPT_STR] = "text", [OPT_BOOL] = "on|off", [OPT_U64] = "number", [OPT_SIZE] = "size",
        [OPT_GROUP] = "group", [OPT_LIST] = "list",
    };

    for (const struct opt_row *r = rows; r->name; r++) {
        strbuf_add(out, "  %s=<%s>", r->name, r->type == OPT_ENUM ? r->choices : types[r->type]);
        if (r->help) {
            strbuf_add(out, " - %s", r->help);
        }
        if (r->dflt) {
            strbuf_add(out, " (default: %s)", r->dflt);
        }
        strbuf_add_char(out, '\n');
    }
}

static void dump(const struct opts *o, const char *prefix, struct strbuf *out)
{
    for (const struct opts *m = o->first; m; m = m->next) {
        char path[OPTS_DEPTH_MAX * (OPTS_KEY_LEN_MAX + 1) + 1];

        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", m->key);
        if (m->value) {
            strbuf_add(out, "%s=%s\n", path, m->value);
        } else if (!m->first) {
            strbuf_add(out, "%s\n", path);
        }
        dump(m, path, out);
    }
}

void opts_dump(const struct opts *o, struct strbuf *out)
{
    strbuf_add(out, "%s", "");
    dump(o, "", out);
}
