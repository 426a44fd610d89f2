#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""house.py RULE SOURCE BUILD: checks one rule of the house; prints each breach as file:line.

  floors    includes go strictly downward; folders on one floor are strangers
  headers   each header compiles alone
  words     nobody below cluster/ says node, peer or remote
  sizes     function <= 70 lines, file <= 1000 lines, line <= 100 columns
  licence   the SPDX line on top
  state     no mutable file-scope state
  devices   a device is written against pando/device.h, and back ends, alone

A file that must break a rule says so in its first comment: "House: RULE: why."
"""
import os
import re
import subprocess
import sys

FLOORS = {"base": 0, "mem": 1, "isa": 1, "host": 1, "vm": 2, "dev": 3, "accel": 3,
          "board": 4, "cluster": 4, "front": 5}
# Not headers in the usual sense: the bodies of instructions, compiled once in each engine.
TEMPLATES = re.compile(r"isa/a64/(sem_\w+|translate_\w+|vocab)\.h$")
FUNCTION_LINES_MAX, FILE_LINES_MAX, COLUMNS_MAX = 70, 1000, 100


def sources(top, suffixes=(".c", ".h")):
    for folder, _, names in os.walk(os.path.join(top, "src")):
        for name in sorted(names):
            if name.endswith(suffixes):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as f:
                    yield os.path.relpath(path, top), f.read()


def excused(text, rule):
    return re.search(r"House:[^/]*\b" + rule + r"\b", text[:2000]) is not None


def without_comments(text):
    """Comments and literals become blanks; line numbers stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def check_floors(top, _):
    for path, text in sources(top, (".c", ".h", ".def")):
        folder = path.split("/")[1]
        for number, line in enumerate(text.split("\n"), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = match.group(1).split("/")[0]
            if "/" not in match.group(1) and not match.group(1).endswith(".gen.h"):
                yield f'{path}:{number}: "{match.group(1)}": say it from src/ on'
            elif target in FLOORS and target != folder and FLOORS[target] >= FLOORS[folder]:
                yield (f'{path}:{number}: {folder}/ (floor {FLOORS[folder]}) includes '
                       f'{target}/ (floor {FLOORS[target]})')


def check_headers(top, build):
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-fsyntax-only", "-x", "c",
             f"-I{top}/src", f"-I{top}/include", f"-I{build}/src", f"-I{build}/src/isa"]
    for path, text in sources(top, (".h",)):
        if excused(text, "headers") or TEMPLATES.search(path):
            continue
        done = subprocess.run(["gcc", *flags, "-include", os.path.join(top, path), "/dev/null"],
                              capture_output=True, text=True)
        if done.returncode or done.stderr:
            yield f"{path}: does not compile alone: {done.stderr.splitlines()[0:2]}"


def check_words(top, _):
    """A node of a device tree or of NUMA is another thing: lines that say fdt or numa, and files
    excused, may use the word."""
    word = re.compile(r"(?<![A-Za-z0-9])(nodes?|peers?|remotes?)(?![A-Za-z0-9])", re.I)
    for path, text in sources(top):
        if path.split("/")[1] not in ("mem", "vm", "dev", "accel", "board"):
            continue
        if excused(text, "words") or "fdt" in os.path.basename(path):
            continue
        for number, line in enumerate(without_comments(text).split("\n"), 1):
            if line.lstrip().startswith("#include"):
                continue
            for identifier in re.findall(r"[A-Za-z_]\w*", line):
                if any(word.fullmatch(part) for part in identifier.split("_")) and \
                        not re.search("fdt|numa", line, re.I):
                    yield f"{path}:{number}: '{identifier}'"


def functions(text):
    """(first line, lines) of each function: from a line in column 0 before '{' alone to '}'."""
    begin = None
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            yield begin, number - begin - 1
            begin = None


def check_sizes(top, _):
    for path, text in sources(top):
        lines = text.split("\n")
        if excused(text, "sizes"):
            continue
        if len(lines) - 1 > FILE_LINES_MAX:
            yield f"{path}: {len(lines) - 1} lines"
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                yield f"{path}:{number}: {len(line)} columns"
        for number, n in functions(text):
            if n > FUNCTION_LINES_MAX:
                yield f"{path}:{number}: a function of {n} lines"


def check_licence(top, _):
    for path, text in sources(top, (".c", ".h", ".def", ".isa", ".py")):
        # A kernel module needs the kernel's licence as well.
        if not re.search(r"SPDX-License-Identifier: (GPL-2\.0-only OR )?Apache-2\.0",
                         "\n".join(text.split("\n")[:3])):
            yield f"{path}: no SPDX line"


def check_state(top, build):
    allowed = {"log.c", "tty.c"}    # each says why
    excuses = {os.path.basename(p) for p, text in sources(top, (".c",)) if excused(text, "state")}
    for folder, _, names in os.walk(os.path.join(build, "src")):
        for name in sorted(names):
            if not name.endswith(".o"):
                continue
            source = name[:-2].split("_")[-1] if name.endswith(".gen.c.o") else name[:-2]
            source = source.replace("meson-generated_..", "")
            if os.path.basename(source) in allowed | excuses or \
                    source.split("_")[-1] in allowed | excuses:
                continue
            listed = subprocess.run(["objdump", "-t", os.path.join(folder, name)],
                                    capture_output=True, text=True).stdout
            for line in listed.splitlines():
                match = re.search(r" (\.t?(?:data|bss)\S*|\*COM\*)\s+([0-9a-f]+) (\S+)$", line)
                if match and not match.group(1).startswith(".data.rel.ro") and \
                        int(match.group(2), 16) and not match.group(3).startswith("."):
                    yield f"{name}: '{match.group(3)}' is mutable and has file scope"


def check_devices(top, _):
    """Files of src/dev that define a class; the parts of a processor are excused, each says why."""
    allowed = re.compile(r"pando/device\.h|base/base\.h|host/\w+/\w+\.h|dev/\w+/\w+\.h")
    for path, text in sources(top, (".c",)):
        if path.split("/")[1] != "dev" or excused(text, "devices") or \
                not re.search(r"struct device_class \w+ = \{", text):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            match = re.match(r'#include "([^"]+)"', line)
            if match and not allowed.fullmatch(match.group(1)):
                yield f'{path}:{number}: "{match.group(1)}"'
            if re.search(r"(->|\.)host->", line):
                yield f"{path}:{number}: the machine's side of a device"


def main():
    rule, top, build = sys.argv[1:]
    breaches = list(globals()[f"check_{rule}"](top, build))
    for breach in breaches:
        print(breach)
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
