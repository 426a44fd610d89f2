/* SPDX-License-Identifier: Apache-2.0 */
/* struct config: the tree of options (front/cmdline.h), checked and typed: what one machine is.
 *
 * Every process of a machine reads an equal tree, so that all build equal parts. */
#pragma once
#include "base/opts.h"
#include "board/virt/virt.h"

#include <stdbool.h>

struct err;

#define CONFIG_NODES_MAX 64

enum config_engine { CONFIG_JIT, CONFIG_INTERP, CONFIG_QTEST };

struct config {
    struct virt_config board;
    enum config_engine engine;
    const struct opts *accel;           /* the -accel group of the engine; NULL: not given */
    const struct opts *cpu;             /* the -cpu group: model and features; NULL: default */
    bool paused;                        /* -S */
    bool end_on_reboot, pause_on_poweroff;
    bool stats;
    const char *name, *pidfile;         /* NULL: not given */

    /* One machine on several hosts; nodes_n is 1 when it is not. */
    unsigned nodes_n;
    const char *listen, *secret_path;   /* -cluster; NULL: not given */
    const char *iplist;                 /* -local-cpu; NULL: not given */
    unsigned local_cpus_n, local_cpu_first;
    uint64_t cache_bytes;               /* of other nodes' RAM; 0: no limit */
};

/* Texts point into `tree`, which must outlive `c`; `tree` is only changed by marking what was
 * read.  Names the option, the value and what would be right. */
bool config_read(struct config *c, struct opts *tree, struct err *e);

/* The parts, for tests: -smp; -numa with -object memory-backend-*. */
bool config_read_smp(struct config *c, const struct opts *tree, struct err *e);
bool config_read_numa(struct config *c, const struct opts *tree, struct err *e);

/* What -machine takes, for `-M virt,help`. */
extern const struct opt_row config_machine_rows[];
