/* SPDX-License-Identifier: Apache-2.0 */
/* struct qtest: QEMU's qtest protocol on a character back end: a script reads and writes
 * registers and memory, moves guest time (-accel qtest) and watches interrupt lines.
 * docs/writing-a-device.md has the list of commands. */
#pragma once

struct chr;
struct err;
struct machine;
struct qtest;

#define QTEST_LINE_BYTES_MAX (4u << 20)     /* of a command */
#define QTEST_BYTES_MAX (64u << 20)         /* that one command moves */

/* Takes a port of `chr`.  Commands and replies are written to the file `log` (NULL: nowhere).
 * Loop thread, or before it runs.  NULL with `e` set on failure. */
struct qtest *qtest_create(struct machine *m, struct chr *chr, const char *log, struct err *e);
void qtest_destroy(struct qtest *q);    /* before devices and back end; NULL is good */
