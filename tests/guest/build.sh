#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh NAME OUT: builds NAME.c of this folder (or of another: NAME is a path) as a bare-metal
# program for `virt`.
set -eu
case $1 in */*) set -- "$(realpath "$1".c | sed s,.c$,,)" "$2" ;; esac
cd "$(dirname "$0")"
exec aarch64-linux-gnu-gcc -O2 -g -ffreestanding -nostdlib -nostartfiles -static -fno-pic -no-pie \
    -mgeneral-regs-only -mno-outline-atomics -march=armv8.1-a -Wall -Wl,--no-warn-rwx-segments \
    -Wl,--build-id=none -T guest.ld -I. -o "$2" start.S guest.c "$1.c"
