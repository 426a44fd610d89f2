/* SPDX-License-Identifier: Apache-2.0 */
/* All semantic bodies, for an engine that has defined the vocabulary (vocab.h): one function
 * sem_NAME(env *, struct f_NAME) per row of the .isa files.  Later files use earlier ones'
 * helpers. */
#define SEM(name) static inline void sem_##name(env *e, struct f_##name f)
#include "isa/a64/sem_int.h"
#include "isa/a64/sem_branch.h"
#include "isa/a64/sem_mem.h"
#include "isa/a64/sem_sys.h"
#include "isa/a64/sem_simd.h"
#include "isa/a64/sem_simd_imm.h"
#include "isa/a64/sem_fp.h"
#include "isa/a64/sem_crypto.h"
#include "isa/a64/sem_vmem.h"
#undef SEM
