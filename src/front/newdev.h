/* SPDX-License-Identifier: Apache-2.0 */
/* `pando device new NAME [DIR]`: the start of a device of one's own, out of tree. */
#pragma once
#include <stdbool.h>

struct err;

/* What stands after `pando device`.  Says on standard output what it made. */
bool newdev_run(unsigned args_n, char *const *args, struct err *e);
