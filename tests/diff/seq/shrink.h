/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a program on which two machines (side[0], side[1]) differ smaller. */
#pragma once
#include "record.h"

#include <stdbool.h>

struct side;

/* Puts NOPs in the place of instructions as long as test *t, alone in batch b, makes a
 * difference.  False: it makes none when it is alone.  Also leaves out turns, if it can. */
bool shrink(struct side *side, struct diff_batch *b, struct diff_test *t);
