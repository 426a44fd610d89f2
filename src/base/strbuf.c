/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static void make_room(struct strbuf *b, size_t n)
{
    assert(n < SIZE_MAX / 2 - b->len);
    if (b->len + n + 1 > b->room) {
        b->room = MAX(b->room * 2, b->len + n + 64);
        b->text = realloc(b->text, b->room);
        assert(b->text);
    }
}

void strbuf_add_bytes(struct strbuf *b, const void *p, size_t n)
{
    make_room(b, n);
    if (n) {
        memcpy(b->text + b->len, p, n);
    }
    b->len += n;
    b->text[b->len] = 0;
}

void strbuf_add_char(struct strbuf *b, char c)
{
    strbuf_add_bytes(b, &c, 1);
}

void strbuf_vadd(struct strbuf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    assert(n >= 0);
    make_room(b, n);
    vsnprintf(b->text + b->len, n + 1, fmt, again);
    b->len += n;
    va_end(again);
}

void strbuf_add(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strbuf_vadd(b, fmt, ap);
    va_end(ap);
}

void strbuf_free(struct strbuf *b)
{
    free(b->text);
    *b = (struct strbuf){ 0 };
}

char *strbuf_take(struct strbuf *b)
{
    char *text;

    strbuf_add_bytes(b, "", 0);
    text = b->text;
    *b = (struct strbuf){ 0 };
    return text;
}
