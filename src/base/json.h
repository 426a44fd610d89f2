/* SPDX-License-Identifier: Apache-2.0 */
/* struct json: a JSON value (RFC 8259), read from text, built by hand, and written.
 *
 * Differences that matter to QMP: integers keep all 64 bits, signed or unsigned (2^64-1 is not
 * rounded); strings may also be in single quotes, as QEMU accepts; a string with a zero character
 * is refused, so each is a C string.  Depth and size have named maximums, since peers send it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strbuf;

#define JSON_DEPTH_MAX 1024
#define JSON_BYTES_MAX (64u << 20)      /* of one value in a stream (struct json_framer) */

enum json_type {
    JSON_NULL, JSON_BOOL,
    JSON_INT,           /* a negative integer, down to -2^63 */
    JSON_UINT,          /* an integer 0 … 2^64-1 */
    JSON_REAL,          /* has a fraction or an exponent, or is out of range of the two above */
    JSON_STRING, JSON_LIST, JSON_DICT,
};

struct json {
    enum json_type type;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double real;
        char *text;
        struct { struct json *first, *last; size_t n; } members;
    };
    char *key;                  /* when it is a member of a dict */
    struct json *next;          /* when it is a member of a list or a dict */
};

/* The one value in `text` with white space around it.  NULL and an error with line and column. */
struct json *json_parse(const char *text, size_t n_bytes, struct err *e);
void json_free(struct json *j);             /* and its members; NULL is good */

/* ---- reading: NULL or false when the type is another ---------------------------------------- */

struct json *json_get(const struct json *dict, const char *key);    /* the last of that key */
struct json *json_at(const struct json *list, size_t index);
const char *json_str(const struct json *j);
bool json_u64(const struct json *j, uint64_t *out);
bool json_i64(const struct json *j, int64_t *out);
bool json_bool(const struct json *j, bool *out);
const char *json_type_name(enum json_type t);

/* ---- building ------------------------------------------------------------------------------- */

struct json *json_new_null(void);
struct json *json_new_bool(bool b);
struct json *json_new_int(int64_t i);
struct json *json_new_uint(uint64_t u);
struct json *json_new_real(double real);
struct json *json_new_str(const char *text);                /* copied; UTF-8 */
struct json *json_new_strf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct json *json_new_list(void);
struct json *json_new_dict(void);
/* Both take over `value`, and return it. */
struct json *json_put(struct json *dict, const char *key, struct json *value);
struct json *json_append(struct json *list, struct json *value);

/* ---- writing -------------------------------------------------------------------------------- */

/* On one line, as QMP does: {"a": 1, "b": [2, 3]}; or indented by four blanks a level. */
void json_write(const struct json *j, bool pretty, struct strbuf *out);
void json_write_str(const char *text, struct strbuf *out);  /* quoted; bad UTF-8 is U+FFFD */

/* ---- a stream of values (QMP) --------------------------------------------------------------- */

/* Finds where a value ends while bytes arrive.  Zero-initialise; free with json_framer_free(). */
struct json_framer {
    char *text;
    size_t len, room;
    unsigned depth;
    char quote;                 /* within a string: its quote */
    bool escaped, started;
};

enum json_frame { JSON_FRAME_MORE, JSON_FRAME_DONE, JSON_FRAME_BAD };

/* Takes bytes until a top-level object or list is complete; *used is how many.  DONE: parse
 * `text`, `len`, then json_framer_reset().  BAD: too deep, too long, or not starting with { or [;
 * the offending bytes are dropped by json_framer_reset(). */
enum json_frame json_framer_feed(struct json_framer *f, const char *p, size_t n_bytes,
                                 size_t *used);
void json_framer_reset(struct json_framer *f);
void json_framer_free(struct json_framer *f);
