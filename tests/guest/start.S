/* SPDX-License-Identifier: Apache-2.0 */
/* Entry of CPU 0 (_start) and of the others (cpu_entry, by PSCI CPU_ON), exception vectors. */
    .section .text.start, "ax"
    .globl _start
_start:
    msr     daifset, #15
    ldr     x0, =__bss_start
    ldr     x1, =__bss_end
1:  cmp     x0, x1
    b.hs    2f
    stp     xzr, xzr, [x0], #16
    b       1b
2:  mov     x0, #0
    b       common

    .globl cpu_entry
cpu_entry:                              /* x0: CPU number */
    msr     daifset, #15
common:
    mov     x19, x0
    msr     spsel, #1
    ldr     x1, =__stacks
    add     x2, x0, #1
    add     x1, x1, x2, lsl #14
    mov     sp, x1
    ldr     x1, =vectors
    msr     vbar_el1, x1
    mov     x1, #3 << 20                /* CPACR_EL1.FPEN: no FP traps */
    msr     cpacr_el1, x1
    isb
    mov     x0, x19
    cbnz    x0, 3f
    bl      guest_main
    b       off
3:  bl      cpu_main
off:
    bl      machine_off

/* struct frame { x[31], sp, elr, spsr, esr, far } */
    .macro save kind
    sub     sp, sp, #288
    stp     x0, x1, [sp, #0]
    stp     x2, x3, [sp, #16]
    mov     x1, #\kind
    b       vector_common
    .endm

    .balign 2048
    .globl vectors
vectors:
    .irp kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .balign 128
    save    \kind
    .endr

vector_common:
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x2, sp_el0
    stp     x30, x2, [sp, #240]
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    stp     x2, x3, [sp, #256]
    mrs     x2, esr_el1
    mrs     x3, far_el1
    stp     x2, x3, [sp, #272]
    mov     x0, sp
    bl      on_exception
    ldp     x2, x3, [sp, #256]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldp     x30, x2, [sp, #240]
    msr     sp_el0, x2
    ldp     x28, x29, [sp, #224]
    ldp     x26, x27, [sp, #208]
    ldp     x24, x25, [sp, #192]
    ldp     x22, x23, [sp, #176]
    ldp     x20, x21, [sp, #160]
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp, #0]
    add     sp, sp, #288
    eret

/* uint64_t try_call(fn, x0, x1): calls fn(x0, x1) at EL1; on_exception may jump to try_out with
 * x0 as its result. */
    .globl try_call, try_out
try_call:
    stp     x29, x30, [sp, #-112]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    ldr     x9, =try_sp
    mov     x10, sp
    str     x10, [x9]
    mov     x9, x0
    mov     x0, x1
    mov     x1, x2
    blr     x9
try_out:
    msr     spsel, #1
    ldr     x9, =try_sp
    ldr     x10, [x9]
    mov     sp, x10
    ldp     x27, x28, [sp, #80]
    ldp     x25, x26, [sp, #64]
    ldp     x23, x24, [sp, #48]
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #112
    ret

/* enter_el0(pc, sp, x0): never returns by itself; an exception from EL0 goes to try_out. */
    .globl enter_el0
enter_el0:
    msr     elr_el1, x0
    msr     sp_el0, x1
    mov     x9, #0x3c0
    msr     spsr_el1, x9
    mov     x0, x2
    eret

    .bss
    .balign 8
    .globl try_sp
try_sp: .skip 8
