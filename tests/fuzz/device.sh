#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# device.sh [--seconds N] [DEVICE|PLUGIN.so]...: builds tests/fuzz/device.c and the devices with
# the compiler's sanitizers and runs it, with a new seed, for N seconds (default 10) on each device
# (default: all, and the examples of plug-ins).  One line "ok NAME" or "not ok NAME" each; a failure
# shows the seed, which device_fuzz --seed takes.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
seconds=10
if [ "${1-}" = --seconds ]; then seconds=$2; shift 2; fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags=(-g -O1 -std=gnu17 -D_GNU_SOURCE -DPANDO_IN_TREE -fno-strict-aliasing -fno-omit-frame-pointer
    -fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=undefined
    -I"$top/src" "-I$top/include" "-I$top/tests/unit/dev")
cc "${flags[@]}" -rdynamic -o "$out/fuzz" "$top"/tests/fuzz/device.c "$top"/tests/unit/dev/{harness,drv}.c \
    "$top"/src/{base,mem,vm,dev}/*.c "$top"/src/dev/*/*.c -lpthread -lm >"$out/log" 2>&1 || {
    tail -20 "$out/log"
    echo "not ok device-fuzz build"
    exit 1
}
devices=("$@")
if [ $# = 0 ]; then
    while read -r name; do devices+=("$name"); done < <(
        "$out/fuzz" --rounds 1 | sed -n 's/^seed \S* \(\S*\).*/\1/p' | sort -u)
    for source in plugin/counter virtio-echo/echo; do
        cc -O1 -g -shared -fPIC -I"$top/include" -o "$out/${source##*/}.so" "$top/examples/$source.c"
        devices+=("$out/${source##*/}.so")
    done
fi
failed=0
for device in "${devices[@]}"; do
    seed=0x$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
    if "$out/fuzz" --seed "$seed" --seconds "$seconds" "$device" >"$out/log" 2>&1; then
        echo "ok device-fuzz ${device##*/} ($(tail -1 "$out/log"))"
    else
        grep -v "^seed" "$out/log" | head -40
        echo "not ok device-fuzz ${device##*/} (--seed $seed)"
        failed=1
    fi
done
exit $failed
