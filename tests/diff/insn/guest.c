/* SPDX-License-Identifier: Apache-2.0 */
/* Runs under qemu-aarch64: executes the instruction of each insn_state on standard input. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "state.h"

_Static_assert(__builtin_offsetof(struct insn_state, sp) == STATE_SP, "guest_entry.S");
_Static_assert(__builtin_offsetof(struct insn_state, v) == STATE_V, "guest_entry.S");
_Static_assert(__builtin_offsetof(struct insn_state, nzcv) == STATE_NZCV, "guest_entry.S");
_Static_assert(__builtin_offsetof(struct insn_state, fpsr) == STATE_FPSR, "guest_entry.S");

void guest_run(void);
extern char guest_after[];

struct insn_state guest_state;
static volatile int raised;
static char signal_stack[65536];

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    (void)info;
    raised = number;
    c->uc_mcontext.pc = (uintptr_t)guest_after;
}

static void *map(uint64_t va, size_t bytes, int prot)
{
    void *p = mmap((void *)va, bytes, PROT_READ | PROT_WRITE | prot,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    return p == (void *)va ? p : NULL;
}

int main(void)
{
    static const int numbers[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE };
    stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaction(numbers[i], &action, NULL);
    }
    uint8_t *mem = map(INSN_MEM_VA, INSN_MEM_BYTES, 0);
    uint32_t *slot = map(INSN_SLOT_VA, 4096, PROT_EXEC);
    if (!mem || !slot) {
        perror("mmap");
        return 2;
    }
    slot[1] = 0x14000000 | (((uintptr_t)guest_after - (uintptr_t)(slot + 1)) >> 2 & 0x3ffffff);
    while (fread(&guest_state, sizeof(guest_state), 1, stdin) == 1) {
        memset(mem, 0, INSN_MEM_BYTES);
        memcpy(mem + INSN_MEM_OFF, guest_state.mem, sizeof(guest_state.mem));
        slot[0] = guest_state.insn;
        __builtin___clear_cache((char *)slot, (char *)(slot + 2));
        raised = 0;
        guest_run();
        guest_state.signal = raised;
        memcpy(guest_state.mem, mem + INSN_MEM_OFF, sizeof(guest_state.mem));
        fwrite(&guest_state, sizeof(guest_state), 1, stdout);
    }
    return 0;
}
