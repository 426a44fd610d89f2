/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary in which instruction semantics are written, once, for every engine.
 *
 * A semantic body is a function of an engine context `env`, of the encoding's fields (`f.*`:
 * plain integers, known at decode time) and of guest values (`val`, `vec`: structs, so that an
 * `if` on a guest value does not compile).  The file with the bodies (sem_*.h) is compiled
 *   - in isa/interp, where a val holds a number and a function below computes at once;
 *   - in isa/a64/translate.c, where a val names an IR operation and a function emits it.
 * An engine defines `env`, `val` and `vec`, includes this header, defines every function
 * declared here as `static inline`, then includes the bodies.
 *
 * Rules for bodies
 *  1. Every access or check that may fault comes before the first register or flag write
 *     (writeback and loaded values are written last), so that an exception is precise.
 *  2. `sf` is 1 for 64-bit operation, 0 for 32-bit: then only the low 32 bits of the operands
 *     matter and the result is zero-extended.
 *  3. `if (f.x)` on fields is plain C; a choice by a guest value is sel().
 *  4. Undefined encodings: `undefined(e); return;` before anything else.
 *  5. A body that ends a block (branch, exception, context change) does so last.
 *
 * A row of the table whose attribute list contains `interp` is never translated: the JIT
 * calls the interpreter's body for it (rare, long, or system instructions). */
#pragma once
#include "isa/a64/feat.h"
#include "isa/a64/memop.h"

#include <stdbool.h>
#include <stdint.h>

/* Does the model have it?  Known at decode time.  (Rows with feat= need not ask.) */
static inline bool feature(env *e, enum a64_feat f);

/* ---- integer registers and constants ---- */
static inline val imm(env *e, uint64_t k);
static inline val pc_rel(env *e, int64_t off);             /* address of this instruction + off */
static inline val rd(env *e, unsigned r);                   /* 31 = zero register */
static inline val rd_sp(env *e, unsigned r);                /* 31 = stack pointer */
static inline void wr(env *e, unsigned r, val v);           /* all 64 bits; 31 = discarded */
static inline void wr_sp(env *e, unsigned r, val v);
/* Base address register of an access: like rd_sp, and for r = 31 raises an SP alignment fault
 * where SCTLR_EL1.SA/SA0 asks for one (DDI 0487, D1.8.2). */
static inline val rd_base(env *e, unsigned r);

/* ---- arithmetic and logic (rule 2) ---- */
static inline val add(env *e, bool sf, val a, val b);
static inline val sub(env *e, bool sf, val a, val b);
static inline val mul(env *e, bool sf, val a, val b);
static inline val smulh(env *e, val a, val b);
static inline val umulh(env *e, val a, val b);
static inline val sdiv(env *e, bool sf, val a, val b);      /* x/0 = 0, INT_MIN/-1 = INT_MIN */
static inline val udiv(env *e, bool sf, val a, val b);
static inline val and_(env *e, bool sf, val a, val b);
static inline val or_(env *e, bool sf, val a, val b);
static inline val xor_(env *e, bool sf, val a, val b);
static inline val not_(env *e, bool sf, val a);
static inline val shl(env *e, bool sf, val a, val n);       /* n modulo the width */
static inline val shr(env *e, bool sf, val a, val n);
static inline val sar(env *e, bool sf, val a, val n);
static inline val ror(env *e, bool sf, val a, val n);
static inline val extr(env *e, bool sf, val hi, val lo, unsigned lsb);
static inline val ubfx(env *e, bool sf, val a, unsigned lsb, unsigned width);
static inline val sbfx(env *e, bool sf, val a, unsigned lsb, unsigned width);
static inline val bfi(env *e, bool sf, val into, val a, unsigned lsb, unsigned width);
static inline val clz(env *e, bool sf, val a);
static inline val cls(env *e, bool sf, val a);
static inline val rbit(env *e, bool sf, val a);
static inline val rev(env *e, bool sf, unsigned container_bytes, val a);  /* REV16/REV32/REV */
static inline val crc32(env *e, bool castagnoli, unsigned bytes, val acc, val a);

/* Comparisons give 0 or 1. */
enum cmp_op { CMP_EQ, CMP_NE, CMP_LTU, CMP_GEU, CMP_LTS, CMP_GES };
static inline val cmp(env *e, bool sf, enum cmp_op op, val a, val b);
static inline val sel(env *e, val c, val if_true, val if_false);   /* c is 0 or 1 */

/* ---- flags (PSTATE.NZCV) ---- */
static inline val adds(env *e, bool sf, val a, val b);      /* result; sets NZCV */
static inline val subs(env *e, bool sf, val a, val b);
static inline val adc(env *e, bool sf, val a, val b);       /* + C */
static inline val sbc(env *e, bool sf, val a, val b);       /* - !C */
static inline val adcs(env *e, bool sf, val a, val b);
static inline val sbcs(env *e, bool sf, val a, val b);
static inline void flags_logic(env *e, bool sf, val result);       /* N, Z; C = V = 0 */
static inline val cond(env *e, unsigned cc);                /* condition holds: 0 or 1 */
/* If `cc` holds: flags of a+b (or a-b when `is_sub`), otherwise the constant nzcv (bits 3:0). */
static inline void ccmp(env *e, bool sf, unsigned cc, bool is_sub, val a, val b, unsigned nzcv);
static inline val nzcv_get(env *e);                         /* in bits 31:28, others 0 */
static inline void nzcv_set(env *e, val v);                 /* from bits 31:28 */

/* ---- memory ---- (memop.h: size, extension, ordering, privilege) */
static inline val load(env *e, struct memop m, val addr);
static inline void store(env *e, struct memop m, val addr, val data);
/* Two neighbouring elements, `addr` and `addr + size`: one check where they share a page. */
static inline void load2(env *e, struct memop m, val addr, val *lo, val *hi);
static inline void store2(env *e, struct memop m, val addr, val lo, val hi);
static inline vec vload(env *e, struct memop m, val addr);  /* 1–16 bytes, rest of vec zero */
static inline void vstore(env *e, struct memop m, val addr, vec data);
static inline void vload2(env *e, struct memop m, val addr, vec *lo, vec *hi);
static inline void vstore2(env *e, struct memop m, val addr, vec lo, vec hi);

/* Exclusives (B2.9): the monitor is a compare-exchange on the value last loaded. */
static inline val load_ex(env *e, struct memop m, val addr);
static inline void load_ex2(env *e, struct memop m, val addr, val *lo, val *hi);
static inline val store_ex(env *e, struct memop m, val addr, val data);       /* 0 = stored */
static inline val store_ex2(env *e, struct memop m, val addr, val lo, val hi);
static inline void clrex(env *e);

enum atomic_op { AT_ADD, AT_CLR, AT_EOR, AT_SET, AT_SMAX, AT_SMIN, AT_UMAX, AT_UMIN, AT_SWP };
static inline val atomic(env *e, enum atomic_op op, struct memop m, val addr, val data); /* old */
static inline val cas(env *e, struct memop m, val addr, val expect, val data);           /* old */
static inline void cas2(env *e, struct memop m, val addr, const val expect[2],
                        const val data[2], val old[2]);
static inline void dc_zva(env *e, val addr);

enum barrier_kind { BAR_DMB, BAR_DSB, BAR_ISB, BAR_SB };
static inline void barrier(env *e, enum barrier_kind k, unsigned crm);
static inline void hint(env *e, unsigned imm7);     /* NOP, YIELD, WFE, WFI, SEV, SEVL */
static inline void prefetch(env *e, val addr);

/* ---- control flow: each ends the block ---- */
enum jump_kind { JUMP_PLAIN, JUMP_CALL, JUMP_RETURN };
static inline void goto_rel(env *e, int64_t off, enum jump_kind k);
static inline void goto_rel_if(env *e, val c, int64_t off);         /* else falls through */
static inline void goto_reg(env *e, val target, enum jump_kind k);
static inline void undefined(env *e);
/* Synchronous exception to EL1 (or a firmware service) with ESR_ELx.EC and ISS (D17.2.37).
 * `ret_off`: 0 for faults and BRK, 4 for SVC/HVC/SMC (preferred return address). */
static inline void raise(env *e, unsigned ec, uint32_t iss, unsigned ret_off);
/* ERET (`key` 0), ERETAA (1), ERETAB (2). */
static inline void exception_return(env *e, unsigned key);
static inline void firmware_call(env *e, bool is_smc, unsigned imm16);      /* HVC, SMC */
static inline void halting_breakpoint(env *e, unsigned imm16);              /* HLT */

/* ---- system ---- `enc` is op0:op1:CRn:CRm:op2 packed by A64_SYSREG() (sysreg.h) */
static inline val sysreg_read(env *e, uint32_t enc);
static inline void sysreg_write(env *e, uint32_t enc, val v);
static inline void pstate_write(env *e, unsigned op1, unsigned op2, unsigned crm); /* MSR imm */
static inline void sys_op(env *e, uint32_t enc, val v);             /* DC, IC, AT, TLBI */
static inline void set_btype(env *e, unsigned btype);               /* of an indirect branch */
static inline val pauth(env *e, unsigned op, val ptr, val modifier); /* enum a64_pauth_op */

/* ---- SIMD & FP registers ---- */
static inline vec rd_v(env *e, unsigned r);
static inline void wr_v(env *e, unsigned r, vec v);                 /* all 128 bits */
static inline void wr_v_low(env *e, unsigned bytes, unsigned r, vec v); /* rest becomes 0 */
static inline vec v_from_val(env *e, val a);                        /* lane 0 = 64 bits; rest 0 */
static inline val v_to_val(env *e, unsigned bytes, unsigned lane, vec a);   /* zero-extended */
static inline vec v_insert(env *e, unsigned bytes, unsigned lane, vec into, val a);
static inline vec v_dup(env *e, unsigned bytes, val a);
static inline vec v_imm(env *e, uint64_t lo, uint64_t hi);
/* FCCMP of the low lanes (arg as of the primitive fcmp).  false: this engine leaves it to the
 * caller to compose it. */
static inline bool v_fccmp(env *e, uint32_t arg, unsigned cc, vec n, vec m, unsigned nzcv);
static inline void fp_access_check(env *e);      /* CPACR_EL1.FPEN; first in every FP/SIMD body */
/* Every other vector or FP operation is one row of vecops.def: a C reference function
 * `vop_NAME` (vecops.c) that the interpreter calls and the JIT falls back to, and a wrapper
 * `v_NAME(e, arg, a, b, c)` made from the row in both engines. */
