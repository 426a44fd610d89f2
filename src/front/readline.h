/* SPDX-License-Identifier: Apache-2.0 */
/* struct readline: a line typed at a terminal: echo, editing, history.  Pure: bytes in, bytes and
 * lines out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READLINE_LEN_MAX 1024
#define READLINE_HISTORY_MAX 64

struct readline {
    const char *prompt;
    void (*write)(void *ctx, const char *text, size_t n_bytes);
    void (*line)(void *ctx, const char *line);      /* a complete line, without newline */
    void *ctx;

    /* private; zero */
    char text[READLINE_LEN_MAX + 1];
    size_t len, cursor;
    char escape[8];
    unsigned escape_len;
    bool after_cr;
    char *history[READLINE_HISTORY_MAX];    /* oldest first */
    unsigned history_n, history_at;
};

void readline_show_prompt(struct readline *r);
void readline_feed(struct readline *r, const uint8_t *p, size_t n_bytes);
void readline_free(struct readline *r);
