/* SPDX-License-Identifier: Apache-2.0 */
/* When an alias is the preferred form: one function per `when=` of the .isa files. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

bool dis_when_bf_ok(uint32_t w);
bool dis_when_bfiz(uint32_t w);
bool dis_when_asr_imm(uint32_t w);
bool dis_when_lsl_imm(uint32_t w);
bool dis_when_ror_imm(uint32_t w);
bool dis_when_shift_ok(uint32_t w);
bool dis_when_rn_is_rm(uint32_t w);
bool dis_when_rn_eq_rm(uint32_t w);
bool dis_when_mov_z(uint32_t w);
bool dis_when_mov_n(uint32_t w);
bool dis_when_mov_bitmask(uint32_t w);
