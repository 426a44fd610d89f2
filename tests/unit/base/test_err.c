/* SPDX-License-Identifier: Apache-2.0 */
#include "../check.h"
#include "base/err.h"

#include <string.h>

int main(void)
{
    struct err e = { 0 };
    CHECK(!err_set(&e, "disk '%s': size %d is not a multiple of 512", "a.img", 7));
    CHECK(!strcmp(e.text, "disk 'a.img': size 7 is not a multiple of 512"));
    CHECK(!err_prefix(&e, "-drive"));
    CHECK(!strcmp(e.text, "-drive: disk 'a.img': size 7 is not a multiple of 512"));
    CHECK(!err_set(NULL, "nobody listens"));
    return check_result();
}
