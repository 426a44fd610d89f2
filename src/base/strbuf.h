/* SPDX-License-Identifier: Apache-2.0 */
/* struct strbuf: text that grows.  Zero-initialise it; `text` is NULL until something was added,
 * and always ends with a zero afterwards. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

struct strbuf {
    char *text;
    size_t len, room;
};

void strbuf_add(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vadd(struct strbuf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
void strbuf_add_bytes(struct strbuf *b, const void *p, size_t n);
void strbuf_add_char(struct strbuf *b, char c);
void strbuf_free(struct strbuf *b);         /* empty again, can be used again */
char *strbuf_take(struct strbuf *b);        /* the text (never NULL), now the caller's to free */
