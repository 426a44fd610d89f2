/* SPDX-License-Identifier: Apache-2.0 */
/* struct err: why something could not be done, in one line for the person who asked.
 *
 * A function that can fail for a reason outside of the program takes `struct err *e` last and
 * returns false (or NULL).  The text names the object, the offending value and what would be
 * right, has no newline and no "error:" in front.  Errors of the guest are not `err`: they are
 * logged (base/log.h) and the device goes into its specified failed state.  Errors of our own
 * are assert(). */
#pragma once
#include <stdarg.h>
#include <stdbool.h>

struct err {
    char text[512];
};

/* Sets the text; returns false, so that `return err_set(e, …)` reads well.  `e` may be NULL.
 * A text that does not fit is cut. */
bool err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool err_vset(struct err *e, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Puts "prefix: " in front of the text: the caller's name for the object.  Returns false. */
bool err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
