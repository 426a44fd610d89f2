/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: QEMU's spellings lowered into one tree of options (base/opts.h).
 *
 *   -M virt,gic-version=3 -serial mon:stdio
 *       machine.type=virt   machine.gic-version=3
 *       chardev.0.id=serial0 chardev.0.backend=stdio chardev.0.mux=on
 *       serial.0=serial0     mon.0.chardev=serial0   mon.0.mode=readline
 *
 * After this nobody asks how something was spelt.  The rows are in front/options.def. */
#pragma once
#include <stdbool.h>

struct err;
struct opts;
struct strbuf;

#define CMDLINE_LIST_MAX 1024       /* members of one list: -device, -drive … */

/* Lowers the `n` arguments (without the program's name) into `tree`, which is empty.  An error
 * names the option. */
bool cmdline_parse(struct opts *tree, unsigned n, char *const *args, struct err *e);

/* Adds what QEMU adds without being asked: the serial port, the monitor, a network card; and the
 * devices that `-drive if=virtio` implies.  Not needed when only help is wanted. */
bool cmdline_add_defaults(struct opts *tree, struct err *e);

/* The text of -help. */
void cmdline_help(struct strbuf *out);
