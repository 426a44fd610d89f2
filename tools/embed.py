#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py OUTPUT PATH=FILE...: a C table { PATH, text of FILE } of text files."""
import sys


def main():
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for pair in sys.argv[2:]:
            path, _, name = pair.partition("=")
            out.write(f'{{ "{path}",\n')
            with open(name, encoding="utf-8") as f:
                for line in f:
                    text = line.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"')
                    text = text.replace("\t", "\\t")
                    out.write(f'  "{text}\\n"\n')
            out.write("},\n")


if __name__ == "__main__":
    main()
