/* SPDX-License-Identifier: Apache-2.0 */
/* Integer work: arithmetic, tables, branches, calls. */
#include "work.h"

#include <stdlib.h>
#include <string.h>

/* ---- a loop in the manner of CoreMark: list, matrix, state machine, CRC ---- */

struct item {
    struct item *next;
    int16_t data, idx;
};

static uint16_t crc16(uint16_t crc, uint16_t v)
{
    for (int i = 0; i < 16; i++) {
        unsigned bit = (crc ^ v) & 1;
        crc >>= 1;
        v >>= 1;
        if (bit) {
            crc ^= 0xa001;
        }
    }
    return crc;
}

static struct item *list_reverse(struct item *l)
{
    struct item *r = NULL;

    while (l) {
        struct item *next = l->next;
        l->next = r;
        r = l;
        l = next;
    }
    return r;
}

static unsigned count_numbers(const char *s)
{
    enum { START, DIGITS, FRACTION, WORD } state = START;
    unsigned numbers = 0;

    for (; *s; s++) {
        switch (state) {
        case START:
            state = *s >= '0' && *s <= '9' ? DIGITS : *s == ' ' || *s == ',' ? START : WORD;
            break;
        case DIGITS:
            if (*s == '.') {
                state = FRACTION;
            } else if (*s == ',') {
                numbers++;
                state = START;
            } else if (*s < '0' || *s > '9') {
                state = WORD;
            }
            break;
        case FRACTION:
            if (*s == ',') {
                numbers += 3;
                state = START;
            } else if (*s < '0' || *s > '9') {
                state = WORD;
            }
            break;
        case WORD:
            if (*s == ',') {
                state = START;
            }
            break;
        }
    }
    return numbers;
}

static uint64_t run_core(uint32_t n)
{
    static struct item items[64];
    static int16_t a[10][10], b[10][10];
    static const char text[] = "5012,1.5,abc,77,-3,12.25,x1,0,999.125,12a,44,";
    uint16_t crc = 0;

    for (uint32_t r = 0; r < n; r++) {
        struct item *l = NULL;

        for (int i = 0; i < 64; i++) {
            items[i] = (struct item){ .next = l, .data = (i * 37 + r) & 0xff, .idx = i };
            l = &items[i];
        }
        for (int k = 0; k < 4; k++) {
            l = list_reverse(l);
            for (struct item *p = l; p; p = p->next) {
                if (p->data == (int)((r + k) & 0xff)) {
                    crc = crc16(crc, p->idx);
                }
            }
        }
        for (int i = 0; i < 10; i++) {
            for (int j = 0; j < 10; j++) {
                a[i][j] = i * j + r;
                b[i][j] = i - j;
            }
        }
        for (int i = 0; i < 10; i++) {
            int32_t sum = 0;

            for (int j = 0; j < 10; j++) {
                for (int k = 0; k < 10; k++) {
                    sum += a[i][k] * b[k][j] >> 2 & 0xff;
                }
            }
            crc = crc16(crc, sum);
        }
        crc = crc16(crc, count_numbers(text));
    }
    return crc;
}

/* ---- records, strings and calls in the manner of Dhrystone ---- */

struct record {
    struct record *next;
    int kind, component;
    char text[31];
};

static int __attribute__((noinline)) str_cmp_30(const char *a, const char *b)
{
    return strcmp(a, b);
}

static void __attribute__((noinline)) record_step(struct record *p, int *glob)
{
    struct record *q = p->next;

    *q = *p;
    q->component = 5;
    q->next = p->next;
    if (q->kind == 0) {
        q->component = 6 + (*glob & 3);
    }
    *glob += q->component;
}

static uint64_t run_records(uint32_t n)
{
    static struct record one, two;
    static int array[50], array2[50][50];
    char s[31] = "DHRYSTONE PROGRAM, 1'ST STRING";
    int glob = 0;

    one.next = &two;
    strcpy(one.text, "DHRYSTONE PROGRAM, SOME STRING");
    for (uint32_t i = 0; i < n; i++) {
        int loc = i % 40, x = 7;

        memcpy(two.text, s, sizeof s);
        record_step(&one, &glob);
        if (str_cmp_30(one.text, two.text) < 0) {
            glob++;
        }
        array[loc] = loc + 5;
        array[loc + 1] = array[loc];
        array2[loc][loc] = loc;
        array2[loc + 9][loc] = array[loc];
        x = (x * loc) / 3;
        x = 7 * (x - loc) - 2;
        glob ^= x;
    }
    return (uint32_t)glob + (uint32_t)array[17] + (uint32_t)array2[20][11];
}

/* ---- SHA-256 (FIPS 180-4) ---- */

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t ror32(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void sha_block(uint32_t h[8], const uint32_t m[16])
{
    uint32_t w[64], s[8];

    memcpy(w, m, 64);
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = ror32(w[i - 15], 7) ^ ror32(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = ror32(w[i - 2], 17) ^ ror32(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(s, h, 32);
    for (int i = 0; i < 64; i++) {
        uint32_t e1 = ror32(s[4], 6) ^ ror32(s[4], 11) ^ ror32(s[4], 25);
        uint32_t t1 = s[7] + e1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha_k[i] + w[i];
        uint32_t e0 = ror32(s[0], 2) ^ ror32(s[0], 13) ^ ror32(s[0], 22);
        uint32_t t2 = e0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 28);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) {
        h[i] += s[i];
    }
}

static uint64_t run_sha256(uint32_t n)
{
    uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    uint32_t m[16] = { 1, 2, 3 };

    for (uint32_t i = 0; i < n; i++) {
        m[i & 15] ^= h[i & 7];
        sha_block(h, m);
    }
    return (uint64_t)h[0] << 32 | h[7];
}

/* ---- AES by tables: 10 rounds of look-ups (a random table does for the timing) ---- */

static uint64_t run_aes_tables(uint32_t n)
{
    static uint32_t t[4][256];
    uint64_t seed = 42;
    uint32_t s[4] = { 1, 2, 3, 4 };

    for (int i = 0; i < 1024; i++) {
        t[i >> 8][i & 255] = work_rand(&seed);
    }
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t round = 0; round < 10; round++) {
            uint32_t o[4];

            for (int c = 0; c < 4; c++) {
                o[c] = t[0][s[c] >> 24] ^ t[1][s[(c + 1) & 3] >> 16 & 255] ^
                       t[2][s[(c + 2) & 3] >> 8 & 255] ^ t[3][s[(c + 3) & 3] & 255] ^ round;
            }
            memcpy(s, o, sizeof s);
        }
    }
    return (uint64_t)s[0] << 32 | s[3];
}

static uint64_t run_crc32(uint32_t n)
{
    static uint32_t table[256];
    static uint8_t buf[4096];
    uint32_t crc = ~0u;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) {
            c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
        }
        table[i] = c;
    }
    for (unsigned i = 0; i < sizeof buf; i++) {
        buf[i] = i * 31;
    }
    for (uint32_t r = 0; r < n; r++) {
        for (unsigned i = 0; i < sizeof buf; i++) {
            crc = table[(crc ^ buf[i]) & 255] ^ crc >> 8;
        }
    }
    return crc;
}

/* ---- sorting, calls ---- */

static void quicksort(int32_t *a, long lo, long hi)
{
    while (lo < hi) {
        int32_t p = a[(lo + hi) / 2];
        long i = lo, j = hi;

        while (i <= j) {
            while (a[i] < p) {
                i++;
            }
            while (a[j] > p) {
                j--;
            }
            if (i <= j) {
                int32_t x = a[i];
                a[i++] = a[j];
                a[j--] = x;
            }
        }
        quicksort(a, lo, j);
        lo = i;
    }
}

#define SORT_N 20000

static int32_t *sort_fill(uint32_t seed_n)
{
    static int32_t a[SORT_N];
    uint64_t seed = seed_n + 1;

    for (int i = 0; i < SORT_N; i++) {
        a[i] = work_rand(&seed);
    }
    return a;
}

static uint64_t run_quicksort(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t r = 0; r < n; r++) {
        int32_t *a = sort_fill(r);
        quicksort(a, 0, SORT_N - 1);
        h = work_mix(h, (uint32_t)a[SORT_N / 3]);
    }
    return h;
}

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static uint64_t run_qsort(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t r = 0; r < n; r++) {
        int32_t *a = sort_fill(r);
        qsort(a, SORT_N, sizeof a[0], by_value);
        h = work_mix(h, (uint32_t)a[SORT_N / 3]);
    }
    return h;
}

static uint32_t __attribute__((noinline)) fib(uint32_t n)
{
    __asm__ volatile("");           /* keep the recursion as written */
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t run_recursion(uint32_t n)
{
    uint64_t h = 0;

    for (uint32_t r = 0; r < n; r++) {
        h += fib(20);
    }
    return h;
}

static uint64_t f_add(uint64_t x) { return x + 3; }
static uint64_t f_xor(uint64_t x) { return x ^ 0x55aa; }
static uint64_t f_mul(uint64_t x) { return x * 5; }
static uint64_t f_ror(uint64_t x) { return x >> 7 | x << 57; }

static uint64_t run_indirect(uint32_t n)
{
    static uint64_t (*volatile const f[4])(uint64_t) = { f_add, f_xor, f_mul, f_ror };
    uint64_t x = 1, seed = 9;

    for (uint32_t r = 0; r < n; r++) {
        uint64_t which = work_rand(&seed);
        for (int i = 0; i < 32; i++, which >>= 2) {
            x = f[which & 3](x);
        }
    }
    return x;
}

/* ---- an interpreter with a switch ---- */

static uint64_t run_switch(uint32_t n)
{
    enum { PUSH, ADD, MUL, XOR, DUP, SWAP, JNZ, DEC };
    static const uint8_t code[] = { DUP, PUSH, 3, MUL, ADD, PUSH, 7, XOR, SWAP, DEC, SWAP,
                                    JNZ, 0 };
    uint64_t h = 0;

    for (uint32_t r = 0; r < n; r++) {
        uint32_t st[8] = { 200, r };    /* [counter, accumulator] */
        unsigned sp = 2, pc = 0;

        while (pc < sizeof code) {
            switch (code[pc++]) {
            case PUSH: st[sp++] = code[pc++]; break;
            case ADD: sp--; st[sp - 1] += st[sp]; break;
            case MUL: sp--; st[sp - 1] *= st[sp]; break;
            case XOR: sp--; st[sp - 1] ^= st[sp]; break;
            case DUP: st[sp] = st[sp - 1]; sp++; break;
            case SWAP: {
                uint32_t x = st[sp - 1];
                st[sp - 1] = st[sp - 2];
                st[sp - 2] = x;
                break;
            }
            case DEC: st[sp - 1]--; break;
            case JNZ: pc = st[0] ? code[pc] : pc + 1; break;
            }
        }
        h = work_mix(h, st[1]);
    }
    return h;
}

/* ---- division, long numbers, sieve ---- */

static uint64_t run_div(uint32_t n)
{
    uint64_t x = 0x123456789abcdef, h = 0;

    for (uint32_t i = 1; i <= n; i++) {
        h += x / (i | 1) + (uint32_t)x % (i | 3);
        h += (unsigned __int128)x * h >> 64;
        x = x * 6364136223846793005u + i;
    }
    return h;
}

#define BIG_WORDS 64

static uint64_t run_bignum(uint32_t n)
{
    uint64_t a[BIG_WORDS], b[BIG_WORDS], r[2 * BIG_WORDS], seed = 5;

    for (int i = 0; i < BIG_WORDS; i++) {
        a[i] = work_rand(&seed);
        b[i] = work_rand(&seed);
    }
    for (uint32_t k = 0; k < n; k++) {
        memset(r, 0, sizeof r);
        for (int i = 0; i < BIG_WORDS; i++) {
            uint64_t carry = 0;
            for (int j = 0; j < BIG_WORDS; j++) {
                unsigned __int128 t = (unsigned __int128)a[i] * b[j] + r[i + j] + carry;
                r[i + j] = t;
                carry = t >> 64;
            }
            r[i + BIG_WORDS] = carry;
        }
        memcpy(a, r + 3, sizeof a);
    }
    return a[0] ^ a[BIG_WORDS - 1];
}

static uint64_t run_sieve(uint32_t n)
{
    static uint8_t composite[200000];
    uint64_t count = 0;

    for (uint32_t r = 0; r < n; r++) {
        memset(composite, 0, sizeof composite);
        for (uint32_t i = 2; i < sizeof composite; i++) {
            if (!composite[i]) {
                count++;
                for (uint32_t j = 2 * i; j < sizeof composite; j += i) {
                    composite[j] = 1;
                }
            }
        }
    }
    return count;
}

static uint64_t run_strings(uint32_t n)
{
    static char a[1024], b[1024];
    char *volatile pa = a, *volatile pb = b;     /* keep the calls */
    uint64_t h = 0;

    memset(a, 'x', sizeof a - 1);
    for (uint32_t i = 0; i < n; i++) {
        a[500 + (i & 255)] = 'y';
        h += strlen(pa) + (strchr(pa, 'y') - a);
        strcpy(pb, pa);
        h += strcmp(pa, pb) == 0;
        h += (char *)memchr(pb, 'y', sizeof b) - b;
        h += memcmp(pa, pb, sizeof a) == 0;
        a[500 + (i & 255)] = 'x';
    }
    return h;
}

const struct work work_int[] = {
    { "core", run_core, 10000 },            { "records", run_records, 1500000 },
    { "sha256", run_sha256, 25000 },      { "aes-tables", run_aes_tables, 150000 },
    { "crc32", run_crc32, 2000 },         { "quicksort", run_quicksort, 14 },
    { "qsort", run_qsort, 10 },           { "recursion", run_recursion, 1000 },
    { "indirect", run_indirect, 100000 }, { "switch", run_switch, 2500 },
    { "div", run_div, 4000000 },          { "bignum", run_bignum, 3000 },
    { "sieve", run_sieve, 20 },           { "strings", run_strings, 250000 },
    { 0 },
};
