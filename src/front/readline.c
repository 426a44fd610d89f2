/* SPDX-License-Identifier: Apache-2.0 */
#include "front/readline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct readline *r, const char *text)
{
    r->write(r->ctx, text, strlen(text));
}

/* Draws prompt and text anew on the current row (ECMA-48: CR, erase to the end, cursor left). */
static void redraw(struct readline *r)
{
    char left[24];

    put(r, "\r\033[K");
    put(r, r->prompt);
    put(r, r->text);
    if (r->len > r->cursor) {
        snprintf(left, sizeof left, "\033[%uD", (unsigned)(r->len - r->cursor));
        put(r, left);
    }
}

void readline_show_prompt(struct readline *r)
{
    put(r, r->prompt);
    put(r, r->text);
}

static void set_text(struct readline *r, const char *text)
{
    snprintf(r->text, sizeof r->text, "%s", text);
    r->len = r->cursor = strlen(r->text);
    redraw(r);
}

static void remember(struct readline *r)
{
    if (!r->len || (r->history_n && !strcmp(r->history[r->history_n - 1], r->text))) {
        return;
    }
    if (r->history_n == READLINE_HISTORY_MAX) {
        free(r->history[0]);
        memmove(r->history, r->history + 1, (--r->history_n) * sizeof r->history[0]);
    }
    r->history[r->history_n++] = strdup(r->text);
}

static void finish(struct readline *r)
{
    char line[READLINE_LEN_MAX + 1];

    put(r, "\r\n");
    remember(r);
    r->history_at = r->history_n;
    memcpy(line, r->text, sizeof line);
    r->len = r->cursor = 0;
    r->text[0] = 0;
    r->line(r->ctx, line);
}

static void erase_before(struct readline *r, size_t n)
{
    memmove(r->text + r->cursor - n, r->text + r->cursor, r->len - r->cursor + 1);
    r->cursor -= n;
    r->len -= n;
    redraw(r);
}

static void insert(struct readline *r, char c)
{
    char one[2] = { c, 0 };

    if (r->len == READLINE_LEN_MAX) {
        return;
    }
    memmove(r->text + r->cursor + 1, r->text + r->cursor, r->len - r->cursor + 1);
    r->text[r->cursor++] = c;
    r->len++;
    if (r->cursor == r->len) {
        put(r, one);
    } else {
        redraw(r);
    }
}

static void browse(struct readline *r, int by)
{
    if ((by < 0 && r->history_at == 0) || (by > 0 && r->history_at >= r->history_n)) {
        return;
    }
    r->history_at += by;
    set_text(r, r->history_at < r->history_n ? r->history[r->history_at] : "");
}

static void move_to(struct readline *r, size_t cursor)
{
    r->cursor = cursor;
    redraw(r);
}

/* The final byte of CSI or SS3: cursor keys, Home, End. */
static void escape_key(struct readline *r, char final)
{
    switch (final) {
    case 'A': browse(r, -1); break;
    case 'B': browse(r, 1); break;
    case 'C': move_to(r, r->cursor + (r->cursor < r->len)); break;
    case 'D': move_to(r, r->cursor - (r->cursor > 0)); break;
    case 'H': move_to(r, 0); break;
    case 'F': move_to(r, r->len); break;
    case '~':
        if (r->escape[1] == '3' && r->cursor < r->len) {    /* Delete */
            r->cursor++;
            erase_before(r, 1);
        }
        break;
    }
}

/* Is `c` part of an escape sequence?  ESC [ … final, ESC O final. */
static bool escape_byte(struct readline *r, char c)
{
    if (!r->escape_len) {
        return false;
    }
    if (r->escape_len == 1) {           /* after ESC */
        r->escape_len = c == '[' || c == 'O' ? 2 : 0;
        return true;
    }
    if (c >= 0x40 && c <= 0x7e) {
        r->escape_len = 0;
        escape_key(r, c);
        return true;
    }
    if (r->escape_len < sizeof r->escape) {
        r->escape[r->escape_len - 1] = c;
        r->escape_len++;
    }
    return true;
}

static void key(struct readline *r, char c)
{
    switch (c) {
    case '\n':
        if (!r->after_cr) {
            finish(r);
        }
        break;
    case '\r': finish(r); break;
    case 0x1b: r->escape_len = 1; break;
    case 0x01: move_to(r, 0); break;                        /* C-a */
    case 0x05: move_to(r, r->len); break;                   /* C-e */
    case 0x08: case 0x7f:
        if (r->cursor) {
            erase_before(r, 1);
        }
        break;
    case 0x0b:                                              /* C-k */
        r->text[r->len = r->cursor] = 0;
        redraw(r);
        break;
    case 0x15: erase_before(r, r->cursor); break;           /* C-u */
    case 0x10: browse(r, -1); break;                        /* C-p */
    case 0x0e: browse(r, 1); break;                         /* C-n */
    default:
        if ((unsigned char)c >= 0x20) {
            insert(r, c);
        }
    }
}

void readline_feed(struct readline *r, const uint8_t *p, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        char c = p[i];

        if (!escape_byte(r, c)) {
            key(r, c);
        }
        r->after_cr = c == '\r';
    }
}

void readline_free(struct readline *r)
{
    for (unsigned i = 0; i < r->history_n; i++) {
        free(r->history[i]);
    }
    r->history_n = r->history_at = 0;
}
