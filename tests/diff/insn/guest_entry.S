/* SPDX-License-Identifier: Apache-2.0 */
/* void guest_run(void): loads every register from `guest_state`, executes the instruction at
 * INSN_SLOT_VA, and stores every register back.  A signal handler may continue at guest_after.
 * TPIDR_EL0 is the one place where a register can be put when none may be lost. */
#include "state.h"


.macro each_v op
        add     x1, x0, #STATE_V
        .irp n, 0, 4, 8, 12, 16, 20, 24, 28
        four_v  \op, \n
        .endr
.endm
.macro four_v op, n
        .if \n == 0
        \op     {v0.2d-v3.2d}, [x1], #64
        .elseif \n == 4
        \op     {v4.2d-v7.2d}, [x1], #64
        .elseif \n == 8
        \op     {v8.2d-v11.2d}, [x1], #64
        .elseif \n == 12
        \op     {v12.2d-v15.2d}, [x1], #64
        .elseif \n == 16
        \op     {v16.2d-v19.2d}, [x1], #64
        .elseif \n == 20
        \op     {v20.2d-v23.2d}, [x1], #64
        .elseif \n == 24
        \op     {v24.2d-v27.2d}, [x1], #64
        .else
        \op     {v28.2d-v31.2d}, [x1], #64
        .endif
.endm
.macro x2_to_x29 op
        \op     x2, x3, [x0, #16]
        \op     x4, x5, [x0, #32]
        \op     x6, x7, [x0, #48]
        \op     x8, x9, [x0, #64]
        \op     x10, x11, [x0, #80]
        \op     x12, x13, [x0, #96]
        \op     x14, x15, [x0, #112]
        \op     x16, x17, [x0, #128]
        \op     x18, x19, [x0, #144]
        \op     x20, x21, [x0, #160]
        \op     x22, x23, [x0, #176]
        \op     x24, x25, [x0, #192]
        \op     x26, x27, [x0, #208]
        \op     x28, x29, [x0, #224]
.endm
.macro callee_saved op
        \op     x19, x20, [sp, #16]
        \op     x21, x22, [sp, #32]
        \op     x23, x24, [sp, #48]
        \op     x25, x26, [sp, #64]
        \op     x27, x28, [sp, #80]
        \op     d8, d9, [sp, #96]
        \op     d10, d11, [sp, #112]
        \op     d12, d13, [sp, #128]
        \op     d14, d15, [sp, #144]
.endm

        .text
        .global guest_run, guest_after
guest_run:
        stp     x29, x30, [sp, #-160]!
        callee_saved stp
        ldr     x0, =save
        mov     x1, sp
        mrs     x2, tpidr_el0
        stp     x1, x2, [x0]
        ldr     x0, =guest_state
        each_v  ld1
        ldr     x2, [x0, #STATE_NZCV]
        ldr     x3, [x0, #STATE_NZCV + 8]
        msr     nzcv, x2
        msr     fpcr, x3
        ldr     x2, [x0, #STATE_FPSR]
        msr     fpsr, x2
        ldr     x1, [x0, #STATE_SP]
        mov     sp, x1
        x2_to_x29 ldp
        ldr     x30, [x0, #240]
        ldp     x0, x1, [x0]
        clrex
        b       guest_slot
guest_after:
        msr     tpidr_el0, x0
        ldr     x0, =guest_state
        str     x1, [x0, #8]
        mrs     x1, tpidr_el0
        str     x1, [x0]
        x2_to_x29 stp
        str     x30, [x0, #240]
        mov     x1, sp
        str     x1, [x0, #STATE_SP]
        each_v  st1
        mrs     x2, nzcv
        mrs     x3, fpcr
        str     x2, [x0, #STATE_NZCV]
        str     x3, [x0, #STATE_NZCV + 8]
        mrs     x2, fpsr
        str     x2, [x0, #STATE_FPSR]
        msr     fpcr, xzr
        ldr     x0, =save
        ldp     x1, x2, [x0]
        mov     sp, x1
        msr     tpidr_el0, x2
        callee_saved ldp
        ldp     x29, x30, [sp], #160
        ret
        .ltorg

        .bss
        .balign 16
save:   .skip   16
        .section .note.GNU-stack, ""
