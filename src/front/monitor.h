/* SPDX-License-Identifier: Apache-2.0 */
/* struct monitor: QEMU's human monitor (HMP) on a character back end. */
#pragma once

struct chr;
struct err;
struct machine;
struct monitor;

/* Takes a port of `chr`.  Loop thread, or before it runs.  NULL with `e` set: it is taken. */
struct monitor *monitor_create(struct machine *m, struct chr *chr, struct err *e);
void monitor_destroy(struct monitor *mon);      /* before its back end; NULL is good */
