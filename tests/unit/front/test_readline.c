/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/strbuf.h"
#include "front/readline.h"

#include <string.h>

struct seen {
    struct strbuf lines, shown;
};

static void on_write(void *ctx, const char *text, size_t n_bytes)
{
    strbuf_add_bytes(&((struct seen *)ctx)->shown, text, n_bytes);
}

static void on_line(void *ctx, const char *line)
{
    strbuf_add(&((struct seen *)ctx)->lines, "[%s]", line);
}

static void expect(const char *typed, const char *lines)
{
    struct seen seen = { 0 };
    struct readline r = { .prompt = "> ", .write = on_write, .line = on_line, .ctx = &seen };

    readline_feed(&r, (const uint8_t *)typed, strlen(typed));
    CHECK(seen.lines.text && !strcmp(seen.lines.text, lines), "got %s, want %s",
          seen.lines.text, lines);
    readline_free(&r);
    strbuf_free(&seen.lines);
    strbuf_free(&seen.shown);
}

static void test_too_long(void)
{
    struct seen seen = { 0 };
    struct readline r = { .prompt = "", .write = on_write, .line = on_line, .ctx = &seen };

    for (unsigned i = 0; i < READLINE_LEN_MAX + 100; i++) {
        readline_feed(&r, (const uint8_t *)"a", 1);
    }
    readline_feed(&r, (const uint8_t *)"\r", 1);
    CHECK(seen.lines.len == READLINE_LEN_MAX + 2);
    readline_free(&r);
    strbuf_free(&seen.lines);
    strbuf_free(&seen.shown);
}

int main(void)
{
    expect("quit\r", "[quit]");
    expect("quit\r\n", "[quit]");
    expect("a\nb\n", "[a][b]");
    expect("qx\177uit\r", "[quit]");
    expect("abc\033[D\033[DX\r", "[aXbc]");
    expect("abc\001X\005Y\r", "[XabcY]");
    expect("one\rtwo\r\033[A\033[A\r", "[one][two][one]");
    expect("one\r\033OA!\r", "[one][one!]");
    expect("abc\025d\r", "[d]");
    expect("abc\033[D\013\r", "[ab]");
    expect("abc\033[D\033[3~\r", "[ab]");
    expect("\033[D\033[C\010\r", "[]");
    test_too_long();
    return check_result();
}
