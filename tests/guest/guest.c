/* SPDX-License-Identifier: Apache-2.0 */
#include "guest.h"

#include <stdarg.h>

#define UART UINT64_C(0x09000000)
#define UART_FR (UART + 0x18)
#define UART_FR_TXFF 0x20

struct fault fault;
void (*irq_handler)(struct frame *f);

static bool trying;
extern char try_out[], __free[];
uint64_t try_call(uint64_t (*fn)(uint64_t, uint64_t), uint64_t a, uint64_t b);
void enter_el0(uint64_t pc, uint64_t sp, uint64_t x0);
void cpu_entry(void);
void on_exception(struct frame *f, unsigned vector);

static void put(char c)
{
    while (mmio_read(UART_FR) & UART_FR_TXFF) {
    }
    mmio_write(UART, c);
}

static void put_number(uint64_t v, unsigned base, unsigned width)
{
    char digits[24];
    unsigned n = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    for (; width > n; width--) {
        put('0');
    }
    while (n) {
        put(digits[--n]);
    }
}

void print(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    for (; *fmt; fmt++) {
        unsigned width = 0;
        bool is_long = false;
        uint64_t v;

        if (*fmt != '%') {
            put(*fmt);
            continue;
        }
        for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++) {
            width = width * 10 + *fmt - '0';
        }
        for (; *fmt == 'l'; fmt++) {
            is_long = true;
        }
        switch (*fmt) {
        case 's':
            for (const char *s = va_arg(ap, const char *); *s; s++) {
                put(*s);
            }
            break;
        case 'c':
            put(va_arg(ap, int));
            break;
        case 'd': {
            int64_t d = is_long ? va_arg(ap, int64_t) : va_arg(ap, int);
            if (d < 0) {
                put('-');
            }
            put_number(d < 0 ? -(uint64_t)d : (uint64_t)d, 10, width);
            break;
        }
        default:
            v = is_long ? va_arg(ap, uint64_t) : va_arg(ap, unsigned);
            put_number(v, *fmt == 'x' ? 16 : 10, width);
            break;
        }
    }
    va_end(ap);
}

int64_t psci(uint64_t fn, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = fn;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory", "x4", "x5",
                     "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                     "x17");
    return x0;
}

void machine_off(void)
{
    psci(0x84000008, 0, 0, 0);
    for (;;) {
    }
}

int64_t cpu_on(unsigned cpu)
{
    return psci(0xc4000003, cpu, (uint64_t)cpu_entry, cpu);
}

void __attribute__((weak)) cpu_main(unsigned cpu)
{
    for (;;) {
    }
}

void on_exception(struct frame *f, unsigned vector)
{
    if ((vector & 3) == 1 && irq_handler) {
        irq_handler(f);
        return;
    }
    if (!trying) {
        print("unexpected exception: vector %u ESR %lx ELR %lx FAR %lx\n", vector, f->esr,
              f->elr, f->far);
        machine_off();
    }
    fault = (struct fault){ true, vector, f->esr, f->far, f->elr, f->spsr, f->x[0] };
    f->elr = (uint64_t)try_out;
    f->spsr = 0x3c5;
}

bool try_el1(uint64_t (*fn)(uint64_t, uint64_t), uint64_t a, uint64_t b)
{
    uint64_t x0;

    fault = (struct fault){ 0 };
    trying = true;
    x0 = try_call(fn, a, b);
    trying = false;
    if (!fault.taken) {
        fault.x0 = x0;
    }
    return fault.taken;
}

static uint64_t go_el0(uint64_t pc, uint64_t a)
{
    static uint8_t *stack;

    if (!stack) {
        stack = page_alloc(PAGE);
    }
    enter_el0(pc, (uint64_t)stack + PAGE, a);
    return 0;
}

bool try_el0(uint64_t pc, uint64_t a)
{
    return try_el1(go_el0, pc, a);
}

void print_fault(const char *name, uint64_t base)
{
    if (!fault.taken) {
        print("%s: no exception, x0 %lx\n", name, fault.x0);
        return;
    }
    print("%s: vector %u EC %02x IL %u ISS %06x ELR +%lx SPSR %lx\n", name, fault.vector,
          (unsigned)(fault.esr >> 26), (unsigned)(fault.esr >> 25 & 1),
          (unsigned)(fault.esr & 0x1ffffff), fault.elr - base, fault.spsr & ~UINT64_C(0x400000));
}

void *page_alloc(size_t bytes)
{
    static uint8_t *next = (uint8_t *)__free;
    uint8_t *p = (uint8_t *)(((uintptr_t)next + 0xffff) & ~UINT64_C(0xffff));

    next = p + bytes;
    for (size_t i = 0; i < bytes; i++) {
        ((volatile uint8_t *)p)[i] = 0;
    }
    return p;
}

uint64_t *descriptor_4k(uint64_t *root, uint64_t va, unsigned level)
{
    uint64_t *table = root;

    for (unsigned l = 0;; l++) {
        uint64_t *d = &table[va >> (39 - 9 * l) & 511];
        if (l == level) {
            return d;
        }
        if (!(*d & 1)) {
            *d = (uint64_t)page_alloc(4096) | 3;
        }
        table = (uint64_t *)(*d & UINT64_C(0xfffffffff000));
    }
}

void tlb_flush_all(void)
{
    __asm__ volatile("dsb ishst\ntlbi vmalle1is\ndsb ish\nisb" : : : "memory");
}
