#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make decoder, field structs and row tables from instruction patterns.

usage: isagen.py OUT.h OUT.c FILE.isa...

A line of a .isa file is one instruction:

    NAME  MNEMONIC  PATTERN...  | OPERANDS | ATTRIBUTES

PATTERN is written from bit 31 down to bit 0 and must be 32 bits long:
    0101      fixed bits
    rn:5      field `rn`, 5 bits, unsigned (a uint32_t in `struct f_NAME`)
    imm:s19   field, sign-extended (an int32_t)
OPERANDS is the text for the disassembler (placeholders: isa/dis/README.md).
ATTRIBUTES, separated by blanks:
    FIELD!=V[,V...]  not this instruction when the field has the value (decimal, or bits with
                     x as a wildcard after 0b: cond!=0b111x)
    FIELD:FIELD!=V   the same of several fields side by side (q:size!=0b011)
    feat=NAME        exists only where the model has A64_FEAT_NAME
    over=ROW[,ROW]   wins where it overlaps with these rows
    interp           never translated: the JIT calls the interpreter's body
    nodiff           not for the random test (its effect is not comparable)
    alias            for the disassembler only; goes before its full instruction
    when=FUNC        alias: only where dis_when_FUNC(word) holds
The group of a row is the last part of its file's name (a64_int.isa: int).
"""
import os
import re
import sys


def die(where, why):
    sys.exit(f'{where}: {why}')


class Row:
    pass


def parse_value(text, width, where):
    """'5' or '0b1x0' -> (mask, value) within the field."""
    if text.startswith('0b'):
        bits = text[2:]
        if len(bits) != width:
            die(where, f'{text} is not {width} bits')
        return (int(''.join('0' if b == 'x' else '1' for b in bits), 2),
                int(bits.replace('x', '0'), 2))
    return ((1 << width) - 1, int(text, 0))


def parse_pattern(r, words):
    bit = 32
    for p in words:
        m = re.fullmatch(r'(\w+):(s?)(\d+)', p)
        if m:
            bit -= int(m[3])
            r.fields.append((m[1], bit, int(m[3]), bool(m[2])))
        elif re.fullmatch(r'[01]+', p):
            bit -= len(p)
            r.mask |= ((1 << len(p)) - 1) << bit
            r.value |= int(p, 2) << bit
        else:
            die(r.where, f'bad pattern word {p}')
    if bit != 0:
        die(r.where, f'{r.name}: pattern is {32 - bit} bits long')
    if len({f[0] for f in r.fields}) != len(r.fields):
        die(r.where, f'{r.name}: a field occurs twice')


def parse_attr(r, a):
    if '!=' in a:
        names, values = a.split('!=')
        fields = []
        for name in names.split(':'):
            f = [f for f in r.fields if f[0] == name]
            if not f:
                die(r.where, f'{r.name}: no field {name}')
            fields.append(f[0])
        for v in values.split(','):
            m, k = parse_value(v, sum(f[2] for f in fields), r.where)
            mask = value = 0
            for _, lsb, width, _ in reversed(fields):
                ones = (1 << width) - 1
                mask |= (m & ones) << lsb
                value |= (k & ones) << lsb
                m >>= width
                k >>= width
            r.excl.append((mask, value))
    elif a.startswith('feat='):
        r.feat = a[5:]
    elif a.startswith('over='):
        r.over = a[5:].split(',')
    elif a.startswith('when='):
        r.when = a[5:]
    elif a in ('interp', 'nodiff', 'alias'):
        r.flags.append(a)
    else:
        die(r.where, f'{r.name}: unknown attribute {a}')


def parse_file(path):
    rows = []
    group = os.path.basename(path).rsplit('.', 1)[0].split('_', 1)[1]
    for n, line in enumerate(open(path), 1):
        line = line.rstrip('\n')
        if not line.strip() or line.lstrip().startswith('#'):
            continue
        parts = [p.strip() for p in line.split('|')]
        parts += [''] * (3 - len(parts))
        if len(parts) > 3:
            die(f'{path}:{n}', 'more than three columns')
        words = parts[0].split()
        r = Row()
        r.where, r.group = f'{path}:{n}', group
        r.name, r.mnem, r.ops = words[0], words[1], parts[1]
        r.mask = r.value = 0
        r.fields, r.excl, r.over, r.flags = [], [], [], []
        r.feat, r.when = 'BASE', None
        parse_pattern(r, words[2:])
        for a in parts[2].split():
            parse_attr(r, a)
        rows.append(r)
    return rows


def overlap(a, b):
    if (a.value ^ b.value) & a.mask & b.mask:
        return False
    mask, value = a.mask | b.mask, a.value | b.value
    # Excluded by a constraint whose bits are all fixed?
    for m, v in a.excl + b.excl:
        if m & ~mask == 0 and value & m == v:
            return False
    return True


def check_overlaps(rows):
    names = {}
    for r in rows:
        if r.name in names:
            die(r.where, f'{r.name} is also at {names[r.name].where}')
        names[r.name] = r
    for r in rows:
        for o in r.over:
            if o not in names:
                die(r.where, f'{r.name}: over={o}: no such row')
    bad = 0
    for i, a in enumerate(rows):
        for b in rows[i + 1:]:
            if overlap(a, b) and b.name not in a.over and a.name not in b.over:
                print(f'{b.where}: {b.name} overlaps with {a.name} at {a.where}', file=sys.stderr)
                bad += 1
    if bad:
        sys.exit(1)


def order(rows):
    """Rows of a leaf: the one that wins first."""
    out, left = [], list(rows)
    while left:
        for r in left:
            if not any(r.name in o.over for o in left if o is not r):
                out.append(r)
                left.remove(r)
                break
        else:
            die(left[0].where, 'over= makes a circle')
    return out


class Tree:
    """Decision tree in two arrays: inner nodes (shift, mask, children) and leaf lists."""

    def __init__(self, rows):
        self.nodes, self.leaves, self.leaf_at = [], [0], {(): 0}
        self.root = self.make(rows)

    def leaf(self, rows):
        key = tuple(r.id for r in order(rows))
        if key not in self.leaf_at:
            self.leaf_at[key] = len(self.leaves)
            self.leaves += [k for k in key] + [0]
        return -1 - self.leaf_at[key]

    @staticmethod
    def split(rows, lsb, width):
        m = (1 << width) - 1
        out = []
        for k in range(1 << width):
            out.append([r for r in rows if (r.value >> lsb ^ k) & (r.mask >> lsb) & m == 0])
        return out

    def make(self, rows):
        if len(rows) <= 1:
            return self.leaf(rows)
        best = None
        if not self.nodes:              # the root: most of what tells instructions apart
            best = (0, 21, 11, self.split(rows, 21, 11))
        for width in (8, 6, 5, 4, 3, 2, 1) if not best else ():
            for lsb in range(0, 33 - width):
                fixed = sum(bin(r.mask >> lsb & ((1 << width) - 1)).count('1') for r in rows)
                if fixed * 2 < len(rows) * width:
                    continue
                b = self.split(rows, lsb, width)
                big = max(len(x) for x in b)
                if big == len(rows):
                    continue
                cost = big + sum(len(x) for x in b) / 16 + (1 << width) / 8
                if best is None or cost < best[0]:
                    best = (cost, lsb, width, b)
        if best is None:
            for lsb in range(32):
                b = self.split(rows, lsb, 1)
                if max(len(x) for x in b) < len(rows):
                    best = (0, lsb, 1, b)
        if best is None:
            return self.leaf(rows)
        _, lsb, width, buckets = best
        first = len(self.nodes)
        self.nodes += [None] * (2 + len(buckets))
        made = {}
        for k, b in enumerate(buckets):
            key = tuple(r.id for r in b)
            if key not in made:
                made[key] = self.make(b)
            self.nodes[first + 2 + k] = made[key]
        self.nodes[first] = lsb
        self.nodes[first + 1] = (1 << width) - 1
        return first


def write_header(path, rows, feats):
    o = ['/* Made by tools/isagen.py from the .isa files; do not edit. */', '#pragma once',
         '#include "isa/a64/rows.h"', '', 'enum a64_insn {', '    A64_I_NONE,']
    o += [f'    A64_I_{r.name},' for r in rows]
    o += ['    A64_I_COUNT', '};', '', '#define A64_ALL_INSNS(X) \\']
    o += [f'    X({r.name}) \\' for r in rows] + ['']
    for r in rows:
        o.append(f'struct f_{r.name} {{')
        o += [f'    {"int32_t" if s else "uint32_t"} {n};' for n, _, _, s in r.fields]
        o += ['};', f'static inline struct f_{r.name} a64_get_{r.name}(uint32_t w)', '{',
              f'    return (struct f_{r.name}){{']
        for n, lsb, width, s in r.fields:
            if s:
                o.append(f'        .{n} = (int32_t)(w << {32 - lsb - width}) >> {32 - width},')
            else:
                o.append(f'        .{n} = w >> {lsb} & {(1 << width) - 1:#x}u,')
        o += ['    };', '}', '']
    open(path, 'w').write('\n'.join(o) + '\n')


def c_row(r):
    flags = ' | '.join(['0'] + [f'A64_ROW_{f.upper()}' for f in r.flags])
    fields = ''.join(f'{{ "{n}", {lsb}, {w}, {int(s)} }}, ' for n, lsb, w, s in r.fields)
    excl = ''.join(f'{{ {m:#x}u, {v:#x}u }}, ' for m, v in r.excl)
    when = f'dis_when_{r.when}' if r.when else '0'
    out = [f'    {{ .name = "{r.name}", .mnem = "{r.mnem}", .ops = "{r.ops}",',
           f'      .mask = {r.mask:#010x}u, .value = {r.value:#010x}u,',
           f'      .group = A64_GROUP_{r.group.upper()}, .feat = A64_FEAT_{r.feat},',
           f'      .flags = {flags}, .field_n = {len(r.fields)}, .excl_n = {len(r.excl)},']
    if fields:
        out.append(f'      .field = (const struct a64_row_field[]){{ {fields}}},')
    if excl:
        out.append(f'      .excl = (const struct a64_row_excl[]){{ {excl}}},')
    if r.when:
        out.append(f'      .when = {when},')
    return out + ['    },']


def write_source(path, header, rows, aliases, tree):
    o = ['/* Made by tools/isagen.py from the .isa files; do not edit. */',
         f'#include "{os.path.basename(header)}"', '']
    for w in sorted({r.when for r in rows + aliases if r.when}):
        o.append(f'bool dis_when_{w}(uint32_t w);')
    o += ['', 'const struct a64_row a64_rows[] = {',
          '    { .name = "none", .mnem = "udf", .ops = "" },']
    for r in rows:
        o += c_row(r)
    o += ['};', f'const unsigned a64_row_n = {len(rows) + 1};', '',
          'const struct a64_row a64_alias_rows[] = {']
    for r in aliases:
        o += c_row(r)
    o += ['    { .name = 0 },', '};', f'const unsigned a64_alias_row_n = {len(aliases)};', '']
    o += ['const struct a64_match a64_match[] = {', '    { 0 },']
    o += [f'    {{ 0x{r.mask:08x}, 0x{r.value:08x}, {1 if r.excl else 0} }},' for r in rows]
    o += ['};', '']
    o += [f'const int16_t a64_decode_root = {tree.root};', 'const int16_t a64_decode_node[] = {']
    o += ['    ' + ' '.join(f'{k},' for k in tree.nodes[i:i + 12])
          for i in range(0, len(tree.nodes), 12)]
    o += ['    0', '};', 'const uint16_t a64_decode_leaf[] = {']
    o += ['    ' + ' '.join(f'{k},' for k in tree.leaves[i:i + 12])
          for i in range(0, len(tree.leaves), 12)]
    o += ['};']
    open(path, 'w').write('\n'.join(o) + '\n')


def main():
    header, source, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    every = [r for f in files for r in parse_file(f)]
    rows = [r for r in every if 'alias' not in r.flags]
    aliases = [r for r in every if 'alias' in r.flags]
    check_overlaps(rows)
    for i, r in enumerate(rows):
        r.id = i + 1
    tree = Tree(rows)
    if len(tree.nodes) > 32767:
        sys.exit('decision tree does not fit int16_t')
    write_header(header, rows, None)
    write_source(source, header, rows, aliases, tree)


main()
