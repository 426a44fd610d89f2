/* SPDX-License-Identifier: Apache-2.0 */
/* What the comparison sends to the guest program and what comes back, by number of the row in
 * ops.h. */
#pragma once
#include <stdint.h>

struct fp_question {
    uint32_t op;
    uint32_t fpcr;
    uint64_t a, b, c;
};

struct fp_answer {
    uint64_t value;
    uint64_t fpsr;
};
