#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SOURCE SECONDS: builds tests/fuzz/SOURCE.c by clang with libFuzzer and the sanitizers, and
# runs it.  Exits 77 (skipped) where there is no clang.  An input that fails is left in the current
# folder as crash-…; run.sh prints how to run it again.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
source=$1 seconds=$2
command -v clang >/dev/null || exit 77
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
clang -g -O1 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    -I"$top/src" "$top/tests/fuzz/$source.c" "$top"/src/base/*.c "$top"/src/host/*/*.c \
    -o "$out/fuzz" -lslirp -lpthread -lutil -lm 2>"$out/log" || { cat "$out/log"; exit 77; }
mkdir "$out/corpus"
"$out/fuzz" -max_total_time="$seconds" -max_len=300 -timeout=5 -print_final_stats=1 \
    "$out/corpus" 2>"$out/log" || {
    tail -40 "$out/log"
    echo "again: the file above, given as the only argument to the same program"
    exit 1
}
grep -E "^Done|number_of_executed_units" "$out/log"
