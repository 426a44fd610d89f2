/* SPDX-License-Identifier: Apache-2.0 */
/* Exception syndromes: ESR_EL1.EC and the fields of ISS (DDI 0487, D17.2.37). */
#pragma once

enum a64_ec {
    A64_EC_UNKNOWN = 0x00,
    A64_EC_WFX = 0x01,
    A64_EC_FP_ACCESS = 0x07,
    A64_EC_PAUTH = 0x09,
    A64_EC_BTI = 0x0d,
    A64_EC_ILLEGAL_STATE = 0x0e,
    A64_EC_SVC64 = 0x15,
    A64_EC_HVC64 = 0x16,
    A64_EC_SMC64 = 0x17,
    A64_EC_SYSREG = 0x18,
    A64_EC_IABORT_LOWER = 0x20,
    A64_EC_IABORT_SAME = 0x21,
    A64_EC_PC_ALIGN = 0x22,
    A64_EC_DABORT_LOWER = 0x24,
    A64_EC_DABORT_SAME = 0x25,
    A64_EC_SP_ALIGN = 0x26,
    A64_EC_FP_TRAP64 = 0x2c,
    A64_EC_SERROR = 0x2f,
    A64_EC_BREAKPOINT_LOWER = 0x30,
    A64_EC_BREAKPOINT_SAME = 0x31,
    A64_EC_STEP_LOWER = 0x32,
    A64_EC_STEP_SAME = 0x33,
    A64_EC_WATCHPOINT_LOWER = 0x34,
    A64_EC_WATCHPOINT_SAME = 0x35,
    A64_EC_BRK64 = 0x3c,
};

#define A64_ESR_IL (1u << 25)

/* Fault status codes: DFSC and IFSC.  Those with a level are level 0 of four or (address size)
 * of the same kind. */
enum a64_fsc {
    A64_FSC_ADDRESS_SIZE = 0x00,
    A64_FSC_TRANSLATION = 0x04,
    A64_FSC_ACCESS_FLAG = 0x08,
    A64_FSC_PERMISSION = 0x0c,
    A64_FSC_EXTERNAL = 0x10,
    A64_FSC_EXTERNAL_WALK = 0x14,
    A64_FSC_ALIGNMENT = 0x21,
    A64_FSC_DEBUG = 0x22,
    A64_FSC_UNSUPPORTED_ATOMIC = 0x35,
};

/* Data abort ISS */
#define A64_ISS_WNR (1u << 6)
#define A64_ISS_CM (1u << 8)
