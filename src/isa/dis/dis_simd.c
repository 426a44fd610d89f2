/* SPDX-License-Identifier: Apache-2.0 */
/* Formatters for the operands of SIMD & FP instructions. */
#include "isa/dis/dis_internal.h"

#include <stdio.h>

void dis_vreg(struct dis *d, const char *spec, unsigned r)
{
    dis_put(d, "v%u.%s", r, spec);
}

void dis_freg(struct dis *d, const char *spec, unsigned r)
{
    dis_put(d, "f%s%u", spec, r);
}

const struct dis_format dis_formats_simd[] = {
    { NULL, NULL },
};
