/* SPDX-License-Identifier: Apache-2.0 */
/* FEAT_BTI: branches into guarded pages (DDI 0487, D8.4.5).  QEMU 7.2 loses the attribute GP in
 * its page-table walk, so bti.expected has the answers. */
#include "guest.h"

#define PAGE_ATTR (3u | 3u << 8 | 1u << 10)
#define AP_RO (1u << 7)
#define PXN (UINT64_C(1) << 53)
#define UXN (UINT64_C(1) << 54)
#define GP (UINT64_C(1) << 50)
#define WINDOW UINT64_C(0x0000004000000000)
#define SCTLR_ON (UINT64_C(0x30d00800) | 1 | 1 << 2 | 1 << 12 | 1 << 23)
#define TCR_BASE (UINT64_C(16) | 3 << 12 | 1 << 8 | 1 << 10 | UINT64_C(16) << 16 | \
                  UINT64_C(3) << 28 | 1 << 24 | 1 << 26 | UINT64_C(2) << 30 | UINT64_C(2) << 32)

static uint64_t *root;

static uint64_t through_br(uint64_t va, uint64_t b)
{
    register uint64_t out __asm__("x0");
    __asm__ volatile("adr x30, 1f\nmov x1, %1\nbr x1\n1:" : "=r"(out) : "r"(va) : "x1", "x30");
    return out;
}

static uint64_t through_br16(uint64_t va, uint64_t b)
{
    register uint64_t out __asm__("x0");
    __asm__ volatile("adr x30, 1f\nmov x16, %1\nbr x16\n1:" : "=r"(out) : "r"(va) : "x16", "x30");
    return out;
}

static uint64_t through_blr(uint64_t va, uint64_t b)
{
    register uint64_t out __asm__("x0");
    __asm__ volatile("blr %1" : "=r"(out) : "r"(va) : "x30");
    return out;
}

/* By BR inside of the guarded page, which gives BTYPE 3. */
static uint64_t through_br_guarded(uint64_t va, uint64_t b)
{
    register uint64_t out __asm__("x0");
    __asm__ volatile("adr x30, 1f\nmov x1, %1\nmov x16, %2\nbr x16\n1:"
                     : "=r"(out) : "r"(va), "r"((va & ~UINT64_C(0xfff)) + 0x800)
                     : "x1", "x16", "x30");
    return out;
}

/* Landing pads, 16 bytes each: the instruction, then mov x0, #7; ret x30. */
static const uint32_t pads[] = {
    0xd503241f, 0xd503245f, 0xd503249f, 0xd50324df, 0xd503233f, 0xd503201f, 0xd4200020,
};
static const char *const pad_names[] =
    { "bti", "bti c", "bti j", "bti jc", "paciasp", "nop", "brk" };

static void guarded(uint8_t *code, uint64_t va)
{
    static uint64_t (*const ways[])(uint64_t, uint64_t) = {
        through_br, through_br16, through_blr, through_br_guarded,
    };
    volatile uint32_t *p = (uint32_t *)code;

    for (unsigned i = 0; i < sizeof pads / 4; i++) {
        p[4 * i] = pads[i];
        p[4 * i + 1] = 0xd28000e0;
        p[4 * i + 2] = 0xd65f03c0;
    }
    p[0x200] = 0xd50324df;              /* bti jc */
    p[0x201] = 0xd61f0020;              /* br x1 */
    __asm__ volatile("ic iallu\ndsb sy\nisb");
    for (unsigned bt = 0; bt < 2; bt++) {
        WRITE_REG(sctlr_el1, SCTLR_ON | (uint64_t)bt << 36);
        for (unsigned gp = 0; gp < 2; gp++) {
            *descriptor_4k(root, va, 3) = (uint64_t)code | PAGE_ATTR | AP_RO | (gp ? GP : 0);
            tlb_flush_all();
            for (unsigned w = 0; w < 4; w++) {
                print(" BT %u GP %u way %u:", bt, gp, w);
                for (unsigned i = 0; i < sizeof pads / 4; i++) {
                    try_el1(ways[w], va + 16 * i, 0);
                    if (fault.taken && fault.esr >> 26 == 0x3c) {
                        print(" %s 3c", pad_names[i]);
                    } else if (fault.taken) {
                        print(" %s %x.%x.%x", pad_names[i], (unsigned)(fault.esr >> 26),
                              (unsigned)(fault.esr & 0x1ffffff), (unsigned)(fault.spsr >> 10 & 3));
                    } else {
                        print(" %s", pad_names[i]);
                    }
                }
                print("\n");
            }
        }
    }
    WRITE_REG(sctlr_el1, SCTLR_ON);
}

static void turn_on(void)
{
    root = page_alloc(4096);
    for (uint64_t a = 0x40200000; a < 0x40800000; a += 4096) {
        *descriptor_4k(root, a, 3) = a | PAGE_ATTR | UXN;
    }
    *descriptor_4k(root, 0x09000000, 3) = 0x09000000 | PAGE_ATTR | 1 << 2 | UXN | PXN;
    WRITE_REG(mair_el1, 0xff);
    WRITE_REG(tcr_el1, TCR_BASE);
    WRITE_REG(ttbr0_el1, root);
    WRITE_REG(ttbr1_el1, page_alloc(4096));
    ISB();
    tlb_flush_all();
    WRITE_REG(sctlr_el1, SCTLR_ON);
    ISB();
}

void guest_main(void)
{
    turn_on();
    guarded(page_alloc(4096), WINDOW);
    WRITE_REG(sctlr_el1, 0x30d00800);
    ISB();
    print("done\n");
}
