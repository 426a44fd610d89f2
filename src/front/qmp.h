/* SPDX-License-Identifier: Apache-2.0 */
/* struct qmp: QEMU's machine protocol on a character back end, as far as programs need it that
 * start and end machines (libqtest does): JSON objects {"execute": NAME, "arguments": …, "id": …},
 * each answered by {"return": …} or {"error": …}.  There are no events.
 *
 * To add a command: a function and a row in qmp.c. */
#pragma once

struct chr;
struct err;
struct machine;
struct qmp;

/* Takes a port of `chr`.  Loop thread, or before it runs.  NULL with `e` set: it is taken. */
struct qmp *qmp_create(struct machine *m, struct chr *chr, struct err *e);
void qmp_destroy(struct qmp *q);        /* before its back end; NULL is good */
