/* SPDX-License-Identifier: Apache-2.0 */
/* Every semantic body, in the order in which they use each other's helpers.  An engine that has
 * defined the vocabulary (vocab.h) and SEM() includes this. */
#include "isa/a64/sem_int.h"
#include "isa/a64/sem_branch.h"
#include "isa/a64/sem_mem.h"
#include "isa/a64/sem_sys.h"
#include "isa/a64/sem_simd.h"
#include "isa/a64/sem_simd_imm.h"
#include "isa/a64/sem_fp.h"
#include "isa/a64/sem_crypto.h"
#include "isa/a64/sem_vmem.h"
