/* SPDX-License-Identifier: Apache-2.0 */
/* The files are those of skeleton/, with @name@ and @pando@ filled in, and pando/device.h as it is
 * now, so that what was made compiles by itself. */
#include "front/newdev.h"

#include "base/base.h"
#include "base/err.h"
#include "base/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LEN_MAX 24

static const struct skeleton_file {
    const char *path, *text;
} skeleton[] = {
#include "skeleton.gen.h"
};

static bool name_is_good(const char *name)
{
    /* Keywords, macros that compilers define, and what the skeleton itself uses. */
    static const char *const taken[] = {
        "asm", "auto", "bool", "break", "case", "char", "const", "continue", "default", "device",
        "do", "double", "else", "enum", "extern", "false", "float", "for", "from", "goto", "if",
        "inline", "int", "linux", "long", "module", "nullptr", "register", "restrict", "return",
        "short", "signed", "sizeof", "static", "struct", "switch", "true", "typedef", "typeof",
        "union", "unix", "unsigned", "void", "volatile", "while",
    };

    for (unsigned i = 0; i < ARRAY_LEN(taken); i++) {
        if (!strcmp(name, taken[i])) {
            return false;
        }
    }
    return name[0] >= 'a' && name[0] <= 'z' && strlen(name) <= NAME_LEN_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

/* `text` with @name@ and @pando@ replaced. */
static void fill(struct strbuf *out, const char *text, const char *name, const char *pando)
{
    static const char name_mark[] = "@name@", pando_mark[] = "@pando@";

    while (*text) {
        if (!strncmp(text, name_mark, sizeof name_mark - 1)) {
            strbuf_add(out, "%s", name);
            text += sizeof name_mark - 1;
        } else if (!strncmp(text, pando_mark, sizeof pando_mark - 1)) {
            strbuf_add(out, "%s", pando);
            text += sizeof pando_mark - 1;
        } else {
            strbuf_add_char(out, *text++);
        }
    }
}

static bool make_folder(const char *path, struct err *e)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST || err_set(e, "%s: %m", path);
}

/* The folders between `dir` and the file at the end of `path`. */
static bool make_folders(char *path, size_t dir_len, struct err *e)
{
    for (char *slash = strchr(path + dir_len + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (!make_folder(path, e)) {
            return false;
        }
        *slash = '/';
    }
    return true;
}

static bool write_file(const char *path, const struct strbuf *text, struct err *e)
{
    FILE *f = fopen(path, "wx");
    bool ok;

    if (!f) {
        return err_set(e, "%s: %m", path);
    }
    ok = fwrite(text->text, 1, text->len, f) == text->len;
    ok = fclose(f) == 0 && ok;
    return ok || err_set(e, "%s: %m", path);
}

static bool make(const struct skeleton_file *f, const char *dir, const char *name,
                 const char *pando, struct err *e)
{
    struct strbuf path = { 0 }, text = { 0 };
    bool ok;

    strbuf_add(&path, "%s/", dir);
    fill(&path, f->path, name, pando);
    fill(&text, f->text, name, pando);
    ok = make_folders(path.text, strlen(dir), e) && write_file(path.text, &text, e);
    if (ok) {
        printf("  %s\n", path.text);
    }
    strbuf_free(&path);
    strbuf_free(&text);
    return ok;
}

bool newdev_run(unsigned args_n, char *const *args, struct err *e)
{
    char pando[4096];
    const char *name, *dir;
    ssize_t n;

    for (unsigned i = 0; i < args_n; i++) {
        if (!strcmp(args[i], "--help") || !strcmp(args[i], "-h") || !strcmp(args[0], "help")) {
            printf("usage: pando device new NAME [DIR]\n"
                   "Makes a device NAME that compiles and works, with a Linux driver, a test and a "
                   "README, in DIR (default: NAME).\n");
            return true;
        }
    }
    if (args_n < 2 || args_n > 3 || strcmp(args[0], "new") != 0) {
        return err_set(e, "usage: pando device new NAME [DIR]");
    }
    name = args[1];
    dir = args_n == 3 ? args[2] : name;
    if (!name_is_good(name)) {
        return err_set(e, "device new %s: a name is a word of C: small letters, digits and _, at "
                       "most %d, and none that means something else in C or in the kernel", name,
                       NAME_LEN_MAX);
    }
    n = readlink("/proc/self/exe", pando, sizeof pando - 1);
    snprintf(pando + MAX(n, 0), sizeof pando - MAX(n, 0), "%s", n > 0 ? "" : "pando");
    if (mkdir(dir, 0777) != 0 && (errno != EEXIST || rmdir(dir) != 0 || mkdir(dir, 0777) != 0)) {
        return err_set(e, "device new: %s is there already, or cannot be made: %m", dir);
    }
    printf("The device '%s':\n", name);
    for (unsigned i = 0; i < ARRAY_LEN(skeleton); i++) {
        if (!make(&skeleton[i], dir, name, pando, e)) {
            return false;
        }
    }
    printf("Next: make -C %s check\n", dir);
    return true;
}
