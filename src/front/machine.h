/* SPDX-License-Identifier: Apache-2.0 */
/* struct machine: the parts of one virtual machine that are in this process, put together: loop,
 * board, engine, back ends, monitors and, on several hosts, this node's membership. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct backends;
struct config;
struct err;
struct loop;
struct machine;
struct member;
struct opts;
struct placement;
struct strbuf;
struct trace;
struct virt;
struct vm;

/* Makes what `tree` and `config` describe.  With `member` (NULL: the machine is in this process
 * alone) it makes this node's part: everything but the vCPUs and RAM of others on the root, vCPUs
 * and RAM only elsewhere.  All arguments outlive it.  NULL with `e` set: nothing is left behind. */
struct machine *machine_create(struct loop *loop, struct opts *tree, struct config *config,
                               struct trace *trace, struct member *member,
                               const struct placement *placement, struct err *e);

/* Runs until the machine ends; returns the exit status of the process: 0 when the guest powered
 * off or somebody asked to quit, 1 when something failed (already reported). */
int machine_run(struct machine *m);
void machine_destroy(struct machine *m);    /* NULL is good */

/* ---- what a monitor can do: loop thread ----------------------------------------------------- */

void machine_quit(struct machine *m, int status);
void machine_pause(struct machine *m);
void machine_continue(struct machine *m);
bool machine_is_running(const struct machine *m);
void machine_reset(struct machine *m);
void machine_press_power(struct machine *m);

struct vm *machine_vm(struct machine *m);
struct virt *machine_board(struct machine *m);
struct backends *machine_backends(struct machine *m);
const struct config *machine_config(const struct machine *m);
struct trace *machine_trace(struct machine *m);
/* `info jit`, `info cluster`, the summary of -stats. */
void machine_info_engine(struct machine *m, struct strbuf *out);
void machine_info_cluster(struct machine *m, struct strbuf *out);
