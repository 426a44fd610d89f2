/* SPDX-License-Identifier: Apache-2.0 */
/* Semantics of the cryptographic extension.  After sem_simd.h, whose macros it uses; see vocab.h
 * for who includes this. */

BODY2(aese, 0, v_aese(e, arg, OLD_D, n))
BODY2(aesd, 0, v_aesd(e, arg, OLD_D, n))
BODY2(aesmc, 0, v_aesmc(e, arg, n))
BODY2(aesimc, 0, v_aesimc(e, arg, n))
BODY3(sha1c, 0, v_sha1c(e, arg, OLD_D, n, m))
BODY3(sha1p, 0, v_sha1p(e, arg, OLD_D, n, m))
BODY3(sha1m, 0, v_sha1m(e, arg, OLD_D, n, m))
BODY2(sha1h, 0, v_sha1h(e, arg, n))
BODY3(sha1su0, 0, v_sha1su0(e, arg, OLD_D, n, m))
BODY2(sha1su1, 0, v_sha1su1(e, arg, OLD_D, n))
BODY3(sha256h, 0, v_sha256h(e, arg, OLD_D, n, m))
BODY3(sha256h2, 0, v_sha256h2(e, arg, OLD_D, n, m))
BODY2(sha256su0, 0, v_sha256su0(e, arg, OLD_D, n))
BODY3(sha256su1, 0, v_sha256su1(e, arg, OLD_D, n, m))
