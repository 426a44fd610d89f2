#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh NAME OUT: builds tests/guest/NAME.c as a bare-metal program for `virt`.
set -eu
cd "$(dirname "$0")"
exec aarch64-linux-gnu-gcc -O2 -g -ffreestanding -nostdlib -nostartfiles -static -fno-pic -no-pie \
    -mgeneral-regs-only -mno-outline-atomics -march=armv8.1-a -Wall -Wl,--no-warn-rwx-segments \
    -Wl,--build-id=none -T guest.ld -o "$2" start.S guest.c "$1.c"
