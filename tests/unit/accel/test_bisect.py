#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/jit-bisect with a command that fails from some translation on."""
import os
import subprocess
import sys
import tempfile

BISECT = sys.argv[1]
FAKE = """#!/bin/sh
# fake pando: bad with at least $GUILTY translations, if $WHERE are made
for word; do
    case $prev in -accel) accel=$word ;; -D) log=$word ;; esac
    prev=$word
done
case $accel in
interp) exit 0 ;;
*opt=none*) [ "$WHERE" = insns ] || exit 0 ;;
*opt=tier1*) [ "$WHERE" != regions ] || exit 0 ;;
esac
n=${accel##*max-regions=}
case $n in *[!0-9]*) n=999999 ;; esac
[ -z "$log" ] || printf -- '---- block 0: one\\nIN:\\n---- region %s: it\\nbad code\\n' $n >$log
[ $n -lt $GUILTY ]
"""

failed = 0


def check(ok, what):
    global failed
    if not ok:
        failed += 1
        print("failed:", what)


with tempfile.TemporaryDirectory() as tmp:
    fake = os.path.join(tmp, "pando")
    with open(fake, "w") as f:
        f.write(FAKE)
    os.chmod(fake, 0o755)

    def run(guilty, where, *command):
        p = subprocess.run([BISECT, "--dump", os.path.join(tmp, "log"), "--",
                            *(command or [fake, "-accel", "jit,tb-size=8", "-M", "virt"])],
                           env=dict(os.environ, GUILTY=str(guilty), WHERE=where),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return p.returncode, p.stdout

    for guilty in (1, 2, 1023, 1024, 1025, 5000):
        status, text = run(guilty, "regions")
        check(status == 0 and "translation %d:" % guilty in text and "bad code" in text and
              "opt=tier1: good" in text, text)
    status, text = run(77, "blocks")
    check(status == 0 and "translation 77 with opt=tier1:" in text, text)
    status, text = run(77, "insns")
    check(status == 0 and "translation 77 with opt=none:" in text, text)
    status, text = run(9999999, "regions")
    check(status != 0 and "does not fail" in text, text)
    status, text = run(5, "regions", "false")
    check(status != 0 and "not to blame" in text, text)
    # Through a script that puts the options in itself.
    script = os.path.join(tmp, "script")
    with open(script, "w") as f:
        f.write('#!/bin/sh\nexec "%s" -accel "$JIT"\n' % fake)
    os.chmod(script, 0o755)
    status, text = run(300, "regions", script)
    check(status == 0 and "translation 300:" in text, text)
sys.exit(failed != 0)
