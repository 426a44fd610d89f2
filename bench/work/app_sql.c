/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite on a database in memory: a mix of our own in the manner of its speed test. */
#include "app.h"
#include "work.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 4000 };

static sqlite3 *shared;     /* ROWS rows, for the workloads that read and update */

static void must(sqlite3 *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static void exec(sqlite3 *db, const char *sql)
{
    must(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt *statement(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;

    must(db, sqlite3_prepare_v2(db, sql, -1, &s, NULL));
    return s;
}

/* All rows of a statement with up to two integer parameters, mixed into one value. */
static uint64_t rows(sqlite3 *db, sqlite3_stmt *s, int64_t a, int64_t b)
{
    uint64_t h = 1;
    int rc;

    if (sqlite3_bind_parameter_count(s) > 0) {
        must(db, sqlite3_bind_int64(s, 1, a));
    }
    if (sqlite3_bind_parameter_count(s) > 1) {
        must(db, sqlite3_bind_int64(s, 2, b));
    }
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        for (int c = 0; c < sqlite3_column_count(s); c++) {
            if (sqlite3_column_type(s, c) == SQLITE_TEXT) {
                const unsigned char *t = sqlite3_column_text(s, c);

                h = work_mix(h, t[0] + (t[0] ? t[1] << 8 : 0) + sqlite3_column_bytes(s, c));
            } else {
                h = work_mix(h, sqlite3_column_int64(s, c));
            }
        }
    }
    must(db, rc);
    must(db, sqlite3_reset(s));
    return h;
}

static uint64_t query(sqlite3 *db, const char *sql, int64_t a, int64_t b)
{
    sqlite3_stmt *s = statement(db, sql);
    uint64_t h = rows(db, s, a, b);

    sqlite3_finalize(s);
    return h;
}

/* A number in words, as the text of a row. */
static void words(uint32_t v, char *to)
{
    static const char *const names[] = { "zero", "one", "two", "three", "four", "five", "six",
                                         "seven", "eight", "nine" };
    char digits[12];

    snprintf(digits, sizeof digits, "%u", v);
    *to = '\0';
    for (const char *d = digits; *d; d++) {
        to = stpcpy(to, names[*d - '0']);
        *to++ = d[1] ? ' ' : '\0';
    }
}

static sqlite3 *open_filled(uint32_t n)
{
    uint64_t seed = 4711;
    sqlite3_stmt *s;
    sqlite3 *db;

    if (sqlite3_open(":memory:", &db) != SQLITE_OK) {
        fprintf(stderr, "sqlite: no database in memory\n");
        exit(1);
    }
    exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c TEXT);"
             "CREATE INDEX ta ON t(a);"
             "CREATE TABLE u(a INTEGER, name TEXT);"
             "BEGIN");
    s = statement(db, "INSERT INTO t(a, b, c) VALUES(?1, ?2, ?3)");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = work_rand(&seed) % 100000;
        char text[80];

        words(v, text);
        must(db, sqlite3_bind_int64(s, 1, v));
        must(db, sqlite3_bind_int64(s, 2, i * 7 % 1000));
        must(db, sqlite3_bind_text(s, 3, text, -1, SQLITE_TRANSIENT));
        must(db, sqlite3_step(s));
        must(db, sqlite3_reset(s));
    }
    sqlite3_finalize(s);
    exec(db, "COMMIT");
    return db;
}

void app_sql_prepare(void)
{
    if (shared) {
        sqlite3_close(shared);
    }
    shared = open_filled(ROWS);
}

uint64_t app_sql_insert(uint32_t n)
{
    sqlite3 *db = open_filled(n);
    uint64_t h = query(db, "SELECT count(*), sum(a), sum(b), sum(length(c)) FROM t", 0, 0);

    sqlite3_close(db);
    return h;
}

/* Ranges over an index, a scan, LIKE, groups, sorting, a join of the table with itself. */
uint64_t app_sql_select(uint32_t n)
{
    sqlite3_stmt *range = statement(shared, "SELECT count(*), sum(b) FROM t"
                                            " WHERE a BETWEEN ?1 AND ?2");
    sqlite3_stmt *point = statement(shared, "SELECT c FROM t WHERE id = ?1");
    uint64_t h = 0, seed = 99;

    for (uint32_t i = 0; i < n; i++) {
        int64_t a = work_rand(&seed) % 100000;

        h += rows(shared, range, a, a + 2000);
        for (int k = 0; k < 20; k++) {
            h += rows(shared, point, 1 + work_rand(&seed) % ROWS, 0);
        }
        switch (i % 10) {
        case 0:
            h += query(shared, "SELECT count(*) FROM t WHERE c LIKE '%three f%'", 0, 0);
            break;
        case 3:
            h += query(shared, "SELECT b % 17 AS g, count(*), sum(a) FROM t GROUP BY g", 0, 0);
            break;
        case 5:
            h += query(shared, "SELECT id, c FROM t WHERE b < 100 ORDER BY c, id", 0, 0);
            break;
        case 8:
            h += query(shared, "SELECT count(*) FROM t AS x, t AS y WHERE x.a = y.a"
                               " AND x.id < y.id AND x.b > ?1", a % 500, 0);
            break;
        }
    }
    sqlite3_finalize(range);
    sqlite3_finalize(point);
    return h;
}

uint64_t app_sql_update(uint32_t n)
{
    sqlite3_stmt *one = statement(shared, "UPDATE t SET a = a + ?2 WHERE id = ?1");
    sqlite3_stmt *some = statement(shared, "UPDATE t SET b = b + 1 WHERE a BETWEEN ?1 AND ?2");
    uint64_t h, seed = 7;

    for (uint32_t i = 0; i < n; i++) {
        int64_t a = work_rand(&seed) % 100000;

        exec(shared, "BEGIN");
        for (int k = 0; k < 30; k++) {
            int64_t id = 1 + work_rand(&seed) % ROWS;

            rows(shared, one, id, work_rand(&seed) % 100);
        }
        rows(shared, some, a, a + 1000);
        exec(shared, "COMMIT");
    }
    sqlite3_finalize(one);
    sqlite3_finalize(some);
    h = query(shared, "SELECT sum(a), sum(b * id) FROM t", 0, 0);
    return h;
}

/* Everything, with the statements' text compiled each time. */
uint64_t app_sql_mix(uint32_t n)
{
    sqlite3 *db = open_filled(10 * n);
    uint64_t h = 0, seed = 3;
    char sql[160];

    for (uint32_t i = 0; i < n; i++) {
        uint32_t a = work_rand(&seed) % 100000;

        snprintf(sql, sizeof sql, "INSERT INTO u VALUES(%u, 'name %u'), (%u, 'other')", a, i, i);
        exec(db, sql);
        snprintf(sql, sizeof sql, "SELECT t.c, u.name FROM t JOIN u ON t.b = u.a"
                                  " WHERE t.a > %u ORDER BY t.a LIMIT 5", a);
        h += i % 8 ? 0 : query(db, sql, 0, 0);
        snprintf(sql, sizeof sql, "DELETE FROM t WHERE a BETWEEN %u AND %u", a, a + 50);
        exec(db, sql);
        snprintf(sql, sizeof sql, "SELECT max(a), min(c), avg(b) FROM t WHERE id %% 10 = %u",
                 a % 10);
        h += i % 16 ? 0 : query(db, sql, 0, 0);
    }
    exec(db, "CREATE INDEX tc ON t(c, b)");
    h += query(db, "SELECT count(DISTINCT c), sum(b) FROM t WHERE c > 'nine' AND b < 500", 0, 0);
    sqlite3_close(db);
    return h;
}
