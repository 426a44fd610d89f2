/* SPDX-License-Identifier: Apache-2.0 */
/* struct hostdis: the host's instructions as text.  Capstone is found when it is first wanted, if
 * the program was built with its headers; without it there are only bytes. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct hostdis;

/* NULL: no memory. */
struct hostdis *hostdis_new(void);
void hostdis_free(struct hostdis *d);           /* NULL does nothing */

/* The instruction at `code`, which runs at `pc`, as text.  Returns its bytes, at least 1 and at
 * most `left`; *target is where it jumps to or what it calls, 0 = nothing.  Not by several threads
 * at once. */
size_t hostdis_one(struct hostdis *d, const uint8_t *code, size_t left, uint64_t pc, char *text,
                   size_t size, uint64_t *target);
