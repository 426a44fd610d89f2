#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check: builds and runs the test suites; the last line is "N passed, N failed".

    ./check                 everything that belongs into a normal run (under 40 minutes on 2 cores)
    ./check SUITE...        only these
    ./check --list          the suites
    ./check --long          also what takes longer (the interpreter's boot)
"""
import argparse
import json
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build")

PASSED = ("OK", "SKIP", "EXPECTEDFAIL")

# name, what it is, kind ("meson": a meson suite; otherwise the command), long?
SUITES = [
    ("house", "floors, seams, headers, sizes, no global state", "meson", False),
    ("unit", "unit tests of every folder", "meson", False),
    ("front", "the command line", "meson", False),
    ("model", "the page protocol, exhaustively", "meson", False),
    ("sim", "whole clusters over the page protocol, from a seed", "meson", False),
    ("diff", "random instructions and loops against QEMU and between the engines", "meson", False),
    ("fuzz", "readers of text, and devices, with random input", "meson", False),
    ("fuzz-long", "each device for 10 seconds, with sanitizers", ["tests/fuzz/device.sh"], True),
    ("cross", "all of it as an aarch64 program: unit tests, differences, guests",
     ["tests/cross/run"], False),
    ("guest", "bare-metal guests on both engines against QEMU", ["tests/guest/run"], False),
    ("qtest", "devices driven by scripts, against QEMU", ["tests/qtest/run"], False),
    ("litmus", "the memory model on 1, 2 and 3 nodes", ["tests/boot/run", "--litmus"], False),
    ("boot", "Debian's kernel with workloads, on 1 to 3 nodes; faults; refusals",
     ["tests/boot/run"], False),
    ("stopwatch", "the example of a device with its driver in a guest, on 1 and 3 nodes",
     ["tests/stopwatch/run"], False),
    ("stopwatch-long", "the same on more machines, with the interpreter, other headers",
     ["tests/stopwatch/run", "--only-long"], True),
    ("long", "what takes longer: the interpreter's boot", ["tests/boot/run", "--only-long"],
     True),
]


def say(text):
    print(text, flush=True)


def run_meson(suite):
    """Returns [(name, passed, output)]."""
    log = os.path.join(BUILD, "meson-logs", f"check-{suite}.json")
    if os.path.exists(log):
        os.unlink(log)
    done = subprocess.run(
        ["meson", "test", "-C", BUILD, "--no-rebuild", "--suite", suite,
         "--logbase", f"check-{suite}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    results = []
    if os.path.exists(log):
        with open(log) as f:
            for line in f:
                test = json.loads(line)
                output = test.get("stdout", "") + test.get("stderr", "")
                results.append((test["name"], test["result"] in PASSED, output))
    if not results:
        results.append((f"meson suite {suite}", False, done.stdout.decode(errors="replace")))
    return results


def run_command(name, command):
    """A runner of its own: one line "ok NAME" or "not ok NAME" a test; exit status 0 if all
    passed."""
    process = subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    results, context = [], []
    for line in process.stdout:
        line = line.rstrip("\n")
        passed = line.startswith("ok ")
        if passed or line.startswith("not ok "):
            results.append((line.split("ok ", 1)[1], passed, "\n".join(context)))
            context = []
            say(f"  {line}")
        else:
            context.append(line)
    if process.wait() != 0 and all(passed for _, passed, _ in results) or not results:
        results.append((f"{name} (exit status {process.returncode})", False, "\n".join(context)))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()
    known = {suite[0]: suite for suite in SUITES}
    if args.list:
        for name, what, _, is_long in SUITES:
            say(f"{name:8} {what}{' (with --long)' if is_long else ''}")
        return 0
    for name in args.suites:
        if name not in known:
            sys.exit(f"check: no suite '{name}'; there are: {' '.join(known)}")
    chosen = args.suites or [s[0] for s in SUITES if args.long or not s[3]]

    begin = time.monotonic()
    say("==> Build")
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, TOP], check=True, stdout=subprocess.DEVNULL)
    built = subprocess.run(["ninja", "-C", BUILD], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    if built.returncode != 0:
        say(built.stdout[-8000:])
        say("the build failed")
        say("0 passed, 1 failed")
        return 1

    passed_n = failed_n = 0
    for name in chosen:
        say(f"==> {name}: {known[name][1]}")
        since = time.monotonic()
        kind = known[name][2]
        results = run_meson(name) if kind == "meson" else run_command(name, kind)
        failed = [r for r in results if not r[1]]
        for test, _, output in failed:
            say(f"--- FAILED: {test}")
            say(output[-6000:])
        passed_n += len(results) - len(failed)
        failed_n += len(failed)
        say(f"    {len(results) - len(failed)} of {len(results)} in "
            f"{time.monotonic() - since:.0f} s")
    say(f"{time.monotonic() - begin:.0f} s in all")
    say(f"{passed_n} passed, {failed_n} failed")
    return 1 if failed_n else 0


if __name__ == "__main__":
    sys.exit(main())
