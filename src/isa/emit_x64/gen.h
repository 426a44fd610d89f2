/* SPDX-License-Identifier: Apache-2.0 */
/* struct gen: from IR to x86-64 machine code, one block at a time.
 *
 * Host registers.  The same everywhere, at every block's entry and exit, so that chained blocks
 * move nothing:
 *   RBP            guest state (struct a64_cpu), GEN_BIAS bytes in: what is used most has short
 *                  displacements
 *   R15            base of the current TLB set (struct a64_tlb_set)
 *   R8-R11 RBX     guest x0-x4          R12 R13   guest x19, x20         R14   guest SP
 *   RCX RDX RSI RDI  values, allocated within the block
 *   RAX            scratch of a single operation (LAHF, TLB index, division)
 *   XMM0-XMM13     vector values; XMM14, XMM15 scratch
 *   RSP            frame of GEN_FRAME bytes: addends (gen_group.c); spill slots; page slots
 *                  (gen_slot.c)
 * All other guest registers are in memory; a PUT writes through, so a fault finds them there.
 * A region (gen_region.c) moves the variables it uses most to registers of its own choice at its
 * entry and back at its exits, and keeps only a few registers for values.
 *
 * A value may be in several places at once: a host register, a guest variable (pinned register
 * or memory), a spill slot, or nowhere if it is a constant.
 *
 * Flags.  At most one definition is in EFLAGS (`ef`, with carry inverted after a subtraction if
 * `ef_inv`), at most one in memory (`mf`).  An instruction that destroys EFLAGS while they are
 * still needed (flast) writes down how to compute them again (`df`), for most are needed only by
 * stubs; or, if their operands do not stay, saves them first.
 *
 * Direct jumps out of a block are `jmp rel32` with the displacement aligned to 4 bytes; they go
 * to a stub first, which calls GEN_T_LINK followed by three words: target's offset from the
 * page, distance from here back to the displacement, id of the block; and are patched later.
 * One to another page asks first whether that page is where it was when the jump was linked: a
 * comparison with the TLB set's link of a number, also patched in (accel/jit/link.c). */
#pragma once
#include "isa/emit_x64/asm.h"
#include "isa/emit_x64/host.h"
#include "isa/ir/ir.h"

#include <emmintrin.h>

/* The guest state as generated code sees it: offsets in it. */
struct gen_guest {
    int32_t var[IR_VAR_N];
    int32_t fpcr, fpsr, nzcv, pc, page_last, btype, poll, scratch, tlb, tlb_unpriv, attention;
    int32_t ex_addr, ex_val, ex_size;
    int32_t read, write, jump;          /* from the TLB set: tags, 8 bytes each; jump cache */
    int32_t addends;                    /* from tags to addends */
    int32_t link;                       /* likewise, 8 bytes a number; number 0 is nobody's */
    int32_t near, near_used;
    int32_t heat;                       /* GEN_HEATS counters of 32 bits, by target */
    unsigned jump_bits;
    uint32_t host;                      /* enum gen_host */
};

/* Shared routines that generated code calls (accel/jit makes them); in the code cache. */
enum gen_thunk {
    GEN_T_MEM,          /* slow memory access: a struct gen_access follows the call */
    GEN_T_MEM_V,        /* the same, keeping vector registers */
    GEN_T_MEM_RAW,      /* MEM_V and CALL in a region, which has stored its variables itself */
    GEN_T_CALL_RAW,
    GEN_T_CALL,         /* helper EAX, arguments and result in scratch[]; may not return */
    GEN_T_END,          /* the same, and never comes back here */
    GEN_T_END_RAW,
    GEN_T_PURE,         /* helper EAX that only computes and cannot leave */
    GEN_T_PAUTH,        /* operation EAX of isa/a64/pauth.h on scratch[1], [2]; only RAX changes */
    GEN_T_VCALL,        /* vector primitive EAX */
    GEN_T_VSLOW,        /* the same, on registers, keeping all others: see gen_fp_slow() */
    GEN_T_LINK,         /* first use of a direct exit */
    GEN_T_LOOKUP,       /* go on at the guest address in pc */
    GEN_T_LEAVE,        /* a poll at the guest address in pc */
    GEN_T_HOT,          /* a branch backwards was taken often: EAX = its target in the page, and
                         * above 12 bits the number of the counter */
    GEN_T_STALE,        /* entry of a block that was invalidated: EAX = offset in page */
    GEN_T_COUNT
};

/* What a slow access is; an atomic operation above (15: CAS).  Data of vector registers is in
 * scratch[1], [2]; that of a second one to be stored in [4], [5]. */
#define GEN_MI_PC(i) ((i) & 0xfff)
#define GEN_MI_SIZE(i) ((i) >> 12 & 7)
#define GEN_MI_EXT(i) ((i) >> 15 & 3)
enum {
    GEN_MI_STORE = 1 << 17, GEN_MI_PAIR = 1 << 18, GEN_MI_UNPRIV = 1 << 19,
    GEN_MI_ORDERED = 1 << 20, GEN_MI_SP = 1 << 21, GEN_MI_VEC = 1 << 22, GEN_MI_STXR = 1 << 23,
    GEN_MI_ACQUIRE = 1 << 24, GEN_MI_RELEASE = 1 << 25, GEN_MI_ATOMIC = 1 << 26,
};

/* Behind the call of a slow access: all about it, for C to find its operands in the registers as
 * they were saved and to go back into the hot path.  No alignment. */
struct gen_access {
    uint32_t info;
    int32_t disp;
    uint32_t regs;              /* GEN_AR_… */
    int32_t back;               /* from the end of this to where it goes on; 0: to the end, with
                                 * results only in scratch[1], [2] */
};
/* Register of the address; of data, 16 = none; a constant follows instead, of 32 bits,
 * sign-extended; addends of groups to be emptied. */
#define GEN_AR_ADDR(r) ((r) & 15)
#define GEN_AR_D1(r) ((r) >> 4 & 31)
#define GEN_AR_D2(r) ((r) >> 9 & 31)
#define GEN_AR_GROUPS(r) ((r) >> 16)
enum { GEN_AR_NONE = 16, GEN_AR_CONST = 1 << 14 };

enum { GEN_PAGES_MAX = 4, GEN_SPILLS = 32, GEN_VSPILLS = 32, GEN_SLOTS = 16, GEN_GROUPS = 16,
       GEN_BIAS = 168,
       GEN_LINK_BACK = 24,     /* from a far jump's displacement back to its comparison's */
       GEN_GROUPS_AT = 0, GEN_SPILLS_AT = GEN_GROUPS * 8,
       GEN_VSPILLS_AT = GEN_SPILLS_AT + GEN_SPILLS * 8,
       GEN_SLOTS_AT = GEN_VSPILLS_AT + GEN_VSPILLS * 16,
       GEN_FRAME = GEN_SLOTS_AT + GEN_SLOTS * 24 + 64,
       GEN_STUBS_MAX = 1024, GEN_CODE_MAX = 96 * 1024, GEN_LITS_MAX = 64,
       GEN_LIT_USES_MAX = 768, GEN_JUMPS_MAX = 512, GEN_HEATS = 1024,
       GEN_MARKS_MAX = 1024, GEN_MARK_STUBS = 0xffff, GEN_MARK_DATA = 0xfffe };

/* Where a region keeps guest variables, from its entry to its exits; -1 = in memory. */
struct gen_homes {
    int8_t reg[IR_VAR_N];
    uint64_t dirty;             /* variables that it changes */
    /* The numbers of the links between its pages, by from and to. */
    uint16_t link[GEN_PAGES_MAX][GEN_PAGES_MAX];
};

/* By how often they are used.  False: `attempt` is beyond the last way to choose (0 has the most
 * homes and so the fewest registers for values). */
bool gen_homes_choose(struct gen_homes *h, const struct ir *ir, unsigned attempt);

/* Where patchable exits are, for the caller's statistics. */
struct gen_result {
    uint8_t *entry;             /* aligned to 16, begins with a 5-byte NOP */
    uint8_t *stale;             /* what the NOP becomes a jump to */
    uint8_t *end;
    unsigned exits;
};

/* How to compute flags again: alu of two operands; with `from_result` the first is not there any
 * more, but the result is. */
struct gen_operand {
    int8_t var;                 /* -1: the constant, of 32 bits, sign-extended */
    int32_t k;
};
struct gen_recipe {
    uint8_t alu;                /* ADD, SUB; AND also for a value itself */
    bool sf, from_result;
    struct gen_operand a, b;
};

struct gen_stub {
    uint8_t kind;               /* private */
    uint8_t cc, x, page;
    bool sync_flags, ef_inv, vec_live, poll;
    int8_t a, d1, d2;           /* host registers: address, data; -1 = none */
    int8_t vec1, vec2;
    uint8_t *from;              /* displacement to patch to here */
    uint8_t *from2, *from3, *from4, *from5;
    uint8_t *back;
    int8_t v;                   /* a free register, of a page slot's or group's check */
    uint8_t slot, bytes;        /* page slot + 1; 0 = none; from GEN_SLOTS on: of the set */
    uint8_t group;              /* likewise, of a group */
    bool is_first, sp_late;     /* of its group; alignment of SP is not yet looked at */
    uint16_t groups;            /* addends to be emptied by a call of C */
    uint8_t *access;            /* behind its check */
    bool has_recipe;            /* the flags to store first */
    struct gen_recipe recipe;
    int32_t disp;
    uint32_t info;
    uint64_t const1;
    bool has_const1;
};

/* Accesses that one check of the TLB does for (gen_group.c). */
struct gen_group {
    ir_ref root;
    bool is_store, sp_known;    /* an SP with the low bits `sp_low` from the root is aligned */
    uint8_t sp_low;
    uint16_t all_n, members_n;  /* accesses, and those that are still to be generated */
    int32_t lo, hi;             /* of all bytes, from the root */
};

struct gen {
    struct x64 c;
    struct x64_far far;         /* to the thunks: all that ties the code to its place */
    const struct ir *ir;
    const struct gen_homes *homes;      /* of a region; NULL: a block */
    int8_t home[IR_VAR_N];      /* host register of a variable, -1 = in memory */
    uint16_t temps, vtemps;     /* host registers for values */
    const uint8_t *region_save, *region_load, *region_out;      /* routines of a region */
    unsigned jump_n, slot_n;
    uint8_t slot_of[IR_MAX];    /* page slot + 1 of an access; 0 = none */
    struct {
        uint32_t key;
        uint8_t bytes;          /* of the widest access */
    } slot[GEN_SLOTS];
    unsigned group_n;
    uint16_t groups_ready;      /* the first of them has been generated */
    uint8_t group_of[IR_MAX];   /* group + 1 of an access; 0 = none */
    struct gen_group group[GEN_GROUPS];
    uint8_t *label_at[IR_LABELS_MAX];
    struct {
        uint8_t *at;            /* displacement */
        uint8_t label;
    } jump[GEN_JUMPS_MAX];
    const struct gen_guest *guest;
    const uint8_t *const *thunk;
    unsigned i;                 /* operation being generated */
    uint16_t locked, vlocked;   /* host registers in use by it */
    struct {
        int8_t reg, var;        /* -1 = not there */
        int8_t spill;
    } val[IR_MAX];
    uint16_t host[16], xmm[16]; /* value in it, 0 = free */
    uint16_t var_cur[IR_VAR_N]; /* value known to be in the variable's place */
    uint32_t spills, vspills;
    uint16_t ef, mf, df;
    struct gen_recipe recipe;   /* of df */
    bool ef_inv;
    uint8_t ef_fp;              /* EFLAGS of a VFCMP: UCOMIS (1), operands swapped (2) */
    uint16_t logic;             /* EFLAGS are those of the result of this AND … */
    bool logic_sf;
    uint32_t id;                /* of the block, for the link routine; of a region's page: + page */
    unsigned page, pc_off;      /* pc_off: of the first instruction in its page */
    unsigned stub_n, exit_n;
    bool failed;
    struct gen_stub stub[GEN_STUBS_MAX];
    unsigned mark_n;            /* where the code of each guest instruction begins, for dumps */
    struct {
        uint32_t at;            /* from far.begin */
        uint16_t pc;            /* offset in the page, or GEN_MARK_… */
    } mark[GEN_MARKS_MAX];
    unsigned lit_n, lit_use_n;  /* 16-byte constants behind the code */
    struct {
        uint64_t lo, hi;
    } lit[GEN_LITS_MAX];
    struct {
        uint8_t *at;            /* RIP-relative displacement */
        uint8_t lit, more;      /* bytes of the instruction after it */
    } lit_use[GEN_LIT_USES_MAX];
};

/* Generates the block (homes = NULL) or region, which takes an id for each of its pages, at `code`
 * (write view).  False: does not fit in `room` bytes or the tables (translate fewer
 * instructions). */
bool gen_block(struct gen *g, const struct ir *ir, const struct gen_homes *homes,
               const struct gen_guest *guest, const uint8_t *const *thunk, uint8_t *code,
               size_t room, unsigned pc_off, uint32_t id, struct gen_result *out);

/* ---- between the files of this folder ---- */
/* Bit per register of g->host or g->xmm: does it hold a value? */
static inline unsigned gen_used(const uint16_t file[16])
{
    __m128i zero = _mm_setzero_si128();
    __m128i lo = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(const void *)file), zero);
    __m128i hi = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(const void *)(file + 8)), zero);

    return ~_mm_movemask_epi8(_mm_packs_epi16(lo, hi)) & 0xffff;
}

int gen_pinned(unsigned var);                       /* host register or -1 */
int gen_use(struct gen *g, ir_ref v);               /* value in a register, locked */
int gen_tmp(struct gen *g);                         /* a free register, locked */
int gen_def(struct gen *g, ir_ref v);               /* register for the result `v` */
int gen_vuse(struct gen *g, ir_ref v);
/* Never a register of an operand: a primitive may be several instructions.  _one: it is one. */
int gen_vdef(struct gen *g, ir_ref v);
int gen_vdef_one(struct gen *g, ir_ref v);
int gen_vtmp(struct gen *g);
void gen_free_reg(struct gen *g, int reg);          /* moves what is in a scratch register away */
void gen_clobber_ef(struct gen *g);
void gen_flags_sync(struct gen *g, ir_ref f);
enum x64_cc gen_cc(struct gen *g, ir_ref f, unsigned arm_cc);
void gen_save_live(struct gen *g, bool clobber);    /* before a call */
struct gen_stub *gen_stub(struct gen *g, unsigned kind);
struct x64_mem gen_at(const struct gen *g, int32_t off);
struct x64_mem gen_vslot(struct gen *g, ir_ref v);  /* memory that holds the vector value */
void gen_mem(struct gen *g);
void gen_mem_stub(struct gen *g, struct gen_stub *s);
void gen_pac(struct gen *g);
void gen_pac_stub(struct gen *g, struct gen_stub *s);
void gen_vec(struct gen *g);
void gen_vconst(struct gen *g, int d, uint64_t lo, uint64_t hi);
/* Is there a case for the primitive on such a host? */
bool gen_vec_native(uint32_t host, uint64_t k);
unsigned gen_vec_bytes(const struct ir *ir, ir_ref v);   /* above these it is known to be zero */
bool gen_simd_native(uint32_t host, unsigned vop, uint32_t arg);
bool gen_sat_native(uint32_t host, unsigned vop, uint32_t arg);
void gen_sat(struct gen *g, unsigned vop, uint32_t arg, int d, int a, int b, int c);
bool gen_simd(struct gen *g, unsigned vop, uint32_t arg, int d, int a, int b, int c);
void gen_keep_low(struct gen *g, int d, int s, unsigned bytes);
void gen_qc_if(struct gen *g, int t, unsigned lg);  /* FPSR.QC if an active bit of t is set */
bool gen_avx512_native(uint32_t host, unsigned vop, uint32_t arg);
bool gen_avx512(struct gen *g, unsigned vop, uint32_t arg, int d, int a, int b, int c);
enum { GEN_STUB_MEM = 1, GEN_STUB_EXIT, GEN_STUB_FAR, GEN_STUB_LOOKUP, GEN_STUB_LEAVE,
       GEN_STUB_VSLOW, GEN_STUB_QC, GEN_STUB_HOT, GEN_STUB_SIDE, GEN_STUB_PAC };
/* gen_flags.c.  depend: would writing the variable lose flags?  keep: not from now on.  for_stub:
 * before EFLAGS are destroyed in the hot path; NULL: they are in memory.  emit: computes into
 * EFLAGS by way of RAX; returns whether the carry is inverted. */
bool gen_flags_depend(const struct gen *g, unsigned var);
void gen_flags_keep(struct gen *g, unsigned var);
const struct gen_recipe *gen_flags_for_stub(struct gen *g, ir_ref f);
bool gen_recipe_emit(struct gen *g, const struct gen_recipe *r);
bool gen_ef_is_fp(const struct gen *g);
void gen_store_eflags(struct gen *g, bool inverted);
/* gen_exit.c */
void gen_leave(struct gen *g, const struct ir_op *p);
void gen_jump_op(struct gen *g, const struct ir_op *p);
void gen_cross(struct gen *g, const struct ir_op *p);
void gen_stub_emit(struct gen *g, struct gen_stub *s);
/* gen_region.c: the routines in front of a region, and what its entry does; labels and jumps. */
void gen_region_routines(struct gen *g);
void gen_region_enter(struct gen *g);
void gen_label(struct gen *g, const struct ir_op *p);
void gen_jump(struct gen *g, unsigned label, int cc);       /* cc < 0: always */
bool gen_jumps_patch(struct gen *g);
/* gen_slot.c.  check: RAX = addend, or to the jump that is returned (to be patched); uses `v`.
 * fill: of the page in a register with the addend in RAX.  `below`: bytes pushed on the frame. */
void gen_slots_choose(struct gen *g);
/* The number (+ 1) of the slot of the register that holds `base`; 0 = none. */
unsigned gen_slot_near(const struct gen *g, ir_ref base, bool is_store);
void gen_slots_empty(struct gen *g, int32_t below);
uint8_t *gen_slot_check(struct gen *g, unsigned slot, int a, int32_t disp, int v);
void gen_slot_fill(struct gen *g, unsigned slot, int page);
/* gen_group.c.  use: the group + 1 that checks the access g->i, or 0.  range: all bytes of its
 * group, from its address register.  left: groups whose addends are used later.  aligned: is SP's
 * alignment known from another of the group?  If not, it is from now on. */
void gen_groups_choose(struct gen *g);
unsigned gen_group_use(struct gen *g, int32_t disp, unsigned bytes);
uint16_t gen_groups_left(const struct gen *g);
struct x64_mem gen_group_at(unsigned group);
int32_t gen_group_range(const struct gen *g, unsigned *bytes);
bool gen_group_aligned(struct gen *g);
void gen_groups_empty(struct gen *g, uint16_t groups);
/* In a region, before C runs that may look at variables, and after it. */
void gen_region_save(struct gen *g);
void gen_region_load(struct gen *g);
