/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629): one character at a time. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The character at `p` of `n_bytes` bytes into *c; returns its length, or 0 when it is not valid
 * (overlong, a surrogate, above U+10FFFF, cut off). */
unsigned utf8_decode(const char *p, size_t n_bytes, uint32_t *c);

/* Writes `c` (valid) into `out`; returns the length. */
unsigned utf8_encode(uint32_t c, char out[4]);
