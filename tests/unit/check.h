/* SPDX-License-Identifier: Apache-2.0 */
/* The whole of the unit-test framework: CHECK() says what failed and goes on; a test program
 * ends with `return check_result();`. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

static unsigned check_failed_n;
static unsigned check_passed_n;

#define CHECK(cond, ...) do { \
        if (cond) { \
            check_passed_n++; \
        } else { \
            check_failed_n++; \
            fprintf(stderr, "%s:%d: failed: %s ", __FILE__, __LINE__, #cond); \
            fprintf(stderr, "" __VA_ARGS__); \
            fputc('\n', stderr); \
        } \
    } while (0)

static inline int check_result(void)
{
    if (check_failed_n) {
        fprintf(stderr, "%u of %u checks failed\n", check_failed_n,
                check_failed_n + check_passed_n);
    }
    return check_failed_n != 0;
}
