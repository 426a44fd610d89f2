/* SPDX-License-Identifier: Apache-2.0 */
/* Reads cases.txt: a line "$ ARGS" is an argument vector (blanks separate, '…' quotes), the lines
 * up to the next empty line are the dumped tree, or "error: TEXT".  "$+ ARGS" adds defaults. */
#include "base/err.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "front/cmdline.h"
#include "../unit/check.h"

#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 64

static unsigned split(char *line, char **args)
{
    unsigned n = 0;

    while (*line) {
        char *out;
        bool quoted = false;

        line += strspn(line, " \n");
        if (!*line) {
            break;
        }
        args[n++] = out = line;
        for (; *line && (quoted || !strchr(" \n", *line)); line++) {
            if (*line == '\'') {
                quoted = !quoted;
            } else {
                *out++ = *line;
            }
        }
        if (*line) {
            line++;
        }
        *out = 0;
        if (n == ARGS_MAX) {
            break;
        }
    }
    return n;
}

static void run_case(char *line, const char *expected)
{
    char *args[ARGS_MAX], *shown = strdup(line);
    bool defaults = line[1] == '+';
    unsigned n = split(line + 1 + defaults, args);
    struct opts *tree = opts_create();
    struct strbuf out = { 0 };
    struct err e;

    if (!cmdline_parse(tree, n, args, &e) || (defaults && !cmdline_add_defaults(tree, &e))) {
        strbuf_add(&out, "error: %s\n", e.text);
    } else {
        opts_dump(tree, &out);
    }
    CHECK(!strcmp(out.text ? out.text : "", expected), "\n%sexpected:\n%sgot:\n%s", shown,
          expected, out.text ? out.text : "");
    strbuf_free(&out);
    opts_destroy(tree);
    free(shown);
}

int main(int argc, char **argv)
{
    FILE *f = fopen(argv[1], "r");
    char line[4096], vector[4096] = "", expected[8192] = "";
    unsigned cases_n = 0;

    CHECK(f, "%s", argv[1]);
    while (f && fgets(line, sizeof line, f)) {
        if (line[0] == '#') {
            continue;
        }
        if (line[0] == '$') {
            snprintf(vector, sizeof vector, "%s", line);
            expected[0] = 0;
        } else if (line[0] == '\n' && vector[0]) {
            run_case(vector, expected);
            vector[0] = 0;
            cases_n++;
        } else if (vector[0]) {
            strncat(expected, line, sizeof expected - strlen(expected) - 1);
        }
    }
    if (f) {
        fclose(f);
    }
    CHECK(cases_n > 10, "only %u cases: the file must end with an empty line", cases_n);
    return check_result();
}
