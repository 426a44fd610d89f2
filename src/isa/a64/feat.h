/* SPDX-License-Identifier: Apache-2.0 */
/* enum a64_feat: architectural features that a model has or has not (DDI 0487, A2).
 * struct a64_model.features has bit `1 << A64_FEAT_X` set.  The ID registers of a model are
 * made from these bits (model.c): a feature is claimed exactly when it is implemented. */
#pragma once

enum a64_feat {
    A64_FEAT_BASE,          /* always there */
    A64_FEAT_CRC32, A64_FEAT_LSE, A64_FEAT_AES, A64_FEAT_PMULL, A64_FEAT_SHA1, A64_FEAT_SHA256,
    A64_FEAT_SHA3, A64_FEAT_SHA512, A64_FEAT_SM3, A64_FEAT_SM4,
    A64_FEAT_RDM, A64_FEAT_DOTPROD, A64_FEAT_FP16, A64_FEAT_FHM, A64_FEAT_FCMA, A64_FEAT_JSCVT,
    A64_FEAT_FRINTTS, A64_FEAT_BF16, A64_FEAT_I8MM,
    A64_FEAT_LRCPC, A64_FEAT_LRCPC2, A64_FEAT_FLAGM, A64_FEAT_FLAGM2,
    A64_FEAT_LOR, A64_FEAT_PAN, A64_FEAT_PAN2, A64_FEAT_UAO, A64_FEAT_HAFDBS, A64_FEAT_VMID16,
    A64_FEAT_DPB, A64_FEAT_DPB2, A64_FEAT_PAUTH, A64_FEAT_BTI, A64_FEAT_SB, A64_FEAT_DIT,
    A64_FEAT_SSBS, A64_FEAT_SSBS2, A64_FEAT_CSV2, A64_FEAT_RAS, A64_FEAT_TLBIOS,
    A64_FEAT_TLBIRANGE, A64_FEAT_TTCNP, A64_FEAT_TTST, A64_FEAT_BBM, A64_FEAT_LSE2,
    A64_FEAT_IDST, A64_FEAT_RNG, A64_FEAT_SPECRES, A64_FEAT_HPDS, A64_FEAT_E0PD,
    A64_FEAT_COUNT
};
_Static_assert(A64_FEAT_COUNT <= 64, "struct a64_model.features is a uint64_t");
