/* SPDX-License-Identifier: Apache-2.0 */
/* What a bare-metal test program has: the console, exceptions, other CPUs, the end.
 * A program defines guest_main(); what it prints must be the same on every right machine. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u

struct frame {
    uint64_t x[31], sp_el0, elr, spsr, esr, far;
};

/* %d %u %x %s %c, with l for 64 bits and a width with 0 for %x. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void machine_off(void) __attribute__((noreturn));

void guest_main(void);
/* For the other CPUs; a program that starts none need not define it. */
void cpu_main(unsigned cpu);
/* PSCI CPU_ON: the CPU starts in cpu_main(cpu).  Returns PSCI's answer. */
int64_t cpu_on(unsigned cpu);
int64_t psci(uint64_t fn, uint64_t a, uint64_t b, uint64_t c);

/* Interrupts: called from the IRQ vector when set. */
extern void (*irq_handler)(struct frame *f);

/* Calls fn(a, b) at EL1, or at EL0 with a stack of its own.  True if it came to an exception,
 * which is then in `fault` (for EL0, SVC is how it ends: ESR EC 0x15). */
extern struct fault {
    bool taken;
    unsigned vector;                    /* 0 … 15 in the order of the table */
    uint64_t esr, far, elr, spsr, x0;
} fault;
bool try_el1(uint64_t (*fn)(uint64_t, uint64_t), uint64_t a, uint64_t b);
bool try_el0(uint64_t pc, uint64_t a);
/* "name: EC … ISS …", elr relative to `base`. */
void print_fault(const char *name, uint64_t base);

/* The descriptor of `va` at `level` (0 … 3) in 4K tables of 48 bits below `root`, whose tables
 * are made on the way. */
uint64_t *descriptor_4k(uint64_t *root, uint64_t va, unsigned level);
/* TLBI VMALLE1IS with the barriers around it. */
void tlb_flush_all(void);

/* Memory after the program, page-aligned, zeroed; never freed. */
void *page_alloc(size_t bytes);

/* Two steps, so that a macro may name a register by its encoding. */
#define READ_REG(name) READ_REG_(name)
#define WRITE_REG(name, v) WRITE_REG_(name, v)
#define READ_REG_(name) ({ \
        uint64_t v_; \
        __asm__ volatile("mrs %0, " #name : "=r"(v_)); \
        v_; \
    })
#define WRITE_REG_(name, v) __asm__ volatile("msr " #name ", %0" : : "r"((uint64_t)(v)) : "memory")
#define ISB() __asm__ volatile("isb" : : : "memory")
#define DSB() __asm__ volatile("dsb sy" : : : "memory")

static inline uint32_t mmio_read(uint64_t a)
{
    uint32_t v;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(a) : "memory");
    return v;
}

static inline void mmio_write(uint64_t a, uint32_t v)
{
    __asm__ volatile("str %w0, [%1]" : : "r"(v), "r"(a) : "memory");
}
