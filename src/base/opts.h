/* SPDX-License-Identifier: Apache-2.0 */
/* struct opts: a tree of options, each with a text value.  Every spelling of the command line and
 * QMP's JSON are lowered into it; a table (struct opt_row) checks it; typed getters read it.
 *
 *   -device virtio-blk-pci,drive=d0,bootindex=1      implied first key "driver"
 *       driver = virtio-blk-pci    drive = d0    bootindex = 1
 *
 * A path is keys with dots between, "file.locking" or "cpus.0.node-id"; the members of a list
 * have the keys 0, 1, 2 ….  A node may have a value and members.  A key given several times keeps
 * all values in their order: getters see the last one, opts_value_at() sees all.
 *
 * Used by one thread at a time.  Texts that getters return live as long as the tree. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct json;
struct opts;
struct strbuf;

#define OPTS_DEPTH_MAX 16           /* keys in a path */
#define OPTS_KEY_LEN_MAX 127
#define OPTS_LIST_LEN_MAX 65536

struct opts *opts_create(void);
void opts_destroy(struct opts *o);  /* NULL is good */

/* ---- filling ------------------------------------------------------------------------------ */

/* Lexes `text` as QEMU does and adds what it says under `o`:
 *  - `key=value,key=value`; a comma within a value is doubled (`,,`); an empty text adds nothing;
 *  - a first part without `=` is the value of `implied_key` (NULL: there is none);
 *  - any other part without `=` is a flag: `key` is key=on, `nokey` is key=off ("help" and "?"
 *    are help=on);
 *  - a text that starts with `{` is JSON.
 * On an error the tree may have got a part of the text. */
bool opts_parse(struct opts *o, const char *text, const char *implied_key, struct err *e);

/* Adds the members of a JSON object: booleans become on/off, lists the keys 0, 1, …; null is an
 * error. */
bool opts_add_json(struct opts *o, const struct json *object, struct err *e);

/* Adds one value (a copy). */
bool opts_set(struct opts *o, const char *path, const char *value, struct err *e);
bool opts_setf(struct opts *o, struct err *e, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The node at `path`, made when it is not there; NULL if the path is malformed. */
struct opts *opts_sub_make(struct opts *o, const char *path, struct err *e);

/* Adds copies of all values and members of `from`; those there already stay, before them. */
void opts_merge(struct opts *o, const struct opts *from);

/* Takes the nodes at `path` (all values and members) away; false when there were none. */
bool opts_remove(struct opts *o, const char *path);

/* ---- walking ------------------------------------------------------------------------------ */

struct opts *opts_sub(const struct opts *o, const char *path);      /* NULL: not there */
const char *opts_key(const struct opts *node);
const char *opts_value(const struct opts *node);                    /* NULL: a group */
struct opts *opts_first(const struct opts *o);                      /* members, in their order */
struct opts *opts_next(const struct opts *member);
bool opts_has(const struct opts *o, const char *path);
bool opts_wants_help(const struct opts *o);                         /* help or ? was given */

/* The index-th value given for `path` (0 is the first), or NULL.  Counts as read. */
const char *opts_value_at(const struct opts *o, const char *path, unsigned index);

/* The number of members of the list at `path` (0 when there is none); an error when the keys are
 * not 0 … n-1.  The i-th is opts_sub(opts_sub(o, path), "i"). */
bool opts_list_len(const struct opts *o, const char *path, unsigned *n, struct err *e);
struct opts *opts_list_at(const struct opts *o, const char *path, unsigned index);

/* ---- reading: typed, each marks the key as read --------------------------------------------- */

/* When `path` has no value, *out is `dflt`.  Errors name the key, the value and what is right. */
const char *opts_str(const struct opts *o, const char *path, const char *dflt);
bool opts_str_required(const struct opts *o, const char *path, const char **out, struct err *e);
bool opts_bool(const struct opts *o, const char *path, bool dflt, bool *out, struct err *e);
bool opts_u64(const struct opts *o, const char *path, uint64_t dflt, uint64_t min, uint64_t max,
              uint64_t *out, struct err *e);
bool opts_size(const struct opts *o, const char *path, uint64_t dflt_bytes, uint64_t *out_bytes,
               struct err *e);
/* `choices` is "a|b|c"; *out is the index. */
bool opts_enum(const struct opts *o, const char *path, const char *choices, unsigned dflt,
               unsigned *out, struct err *e);

/* The parsers by themselves; `what` names the value in errors. */
bool opts_parse_bool(const char *what, const char *text, bool *out, struct err *e);
/* Decimal, 0x… or 0… (octal), as QEMU. */
bool opts_parse_u64(const char *what, const char *text, uint64_t min, uint64_t max,
                    uint64_t *out, struct err *e);
/* 512, 0x200, 1.5G; suffixes B K M G T P E, powers of 1024.  Without one the number counts units
 * of `unit_bytes` (1, or MiB for `-m`). */
bool opts_parse_size(const char *what, const char *text, uint64_t unit_bytes,
                     uint64_t *out_bytes, struct err *e);

/* ---- checking ----------------------------------------------------------------------------- */

enum opt_type { OPT_STR, OPT_BOOL, OPT_U64, OPT_SIZE, OPT_ENUM, OPT_GROUP, OPT_LIST };

/* One option of a thing.  A table of rows ends with { 0 }. */
struct opt_row {
    const char *name;           /* a path; OPT_GROUP and OPT_LIST allow anything below it */
    enum opt_type type;
    const char *dflt;           /* for help and opts_add_defaults(); NULL: none */
    const char *help;
    const char *choices;        /* OPT_ENUM: "a|b|c" */
    uint64_t min, max;          /* OPT_U64 and OPT_SIZE; max 0: no limit */
};

/* Each key is in the table and each value has its type.  An unknown key is named, together with
 * the nearest one that exists.  `what` ("-device pl011") goes in front. */
bool opts_check(const struct opts *o, const struct opt_row *rows, const char *what,
                struct err *e);

/* Gives each row's default to a key that has no value. */
void opts_add_defaults(struct opts *o, const struct opt_row *rows);

/* Has each value been read?  For things without a table.  Names the first that was not. */
bool opts_check_read(const struct opts *o, const char *what, struct err *e);

/* One line for each row, for `help`. */
void opts_rows_help(const struct opt_row *rows, struct strbuf *out);

/* All of the tree, "path=value" lines in their order; a group without members is "path". */
void opts_dump(const struct opts *o, struct strbuf *out);
