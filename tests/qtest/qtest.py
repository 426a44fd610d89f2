# SPDX-License-Identifier: Apache-2.0
"""A machine driven by the qtest protocol: pando's or QEMU's."""
import json
import os
import shutil
import socket
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PANDO = os.environ.get("PANDO", os.path.join(TOP, "build", "src", "front", "pando"))
QEMU = os.environ.get("QEMU", shutil.which("qemu-system-aarch64") or "")
TIMEOUT_S = 60


def qemu_has_accel():
    """Distributions leave the engine out; a machine that is stopped does as well, but nobody can
    move its time."""
    return bool(QEMU) and subprocess.run(
        [QEMU, "-M", "none", "-accel", "qtest", "-display", "none", "-monitor", "stdio"],
        input=b"quit\n", capture_output=True, check=False).returncode == 0



# What `@pl061` in a script means to QEMU: the type of the object.
QEMU_TYPES = {"gic": ("arm-gicv3", "arm_gic"), "pl061": ("pl061",), "pl031": ("pl031",),
              "pl011": ("pl011",)}


class Machine:
    """with Machine("pando", ["-smp", "2"]) as m: m.command("readl 0x9010000")"""

    def __init__(self, which, args=(), accel="qtest"):
        self.which = which
        self.folder = tempfile.mkdtemp(prefix="qtest-")
        self.events = []
        path = os.path.join(self.folder, "q")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(TIMEOUT_S)
        command = [PANDO if which == "pando" else QEMU, "-M", "virt", "-accel", accel,
                   "-nodefaults", "-display", "none", "-qtest", f"unix:{path}"]
        self.qmp_path = os.path.join(self.folder, "qmp")
        if which == "qemu":
            # Its real-time clock follows guest time, as pando's does.
            command += ["-S", "-qtest-log", "none", "-rtc", "clock=vm",
                        "-qmp", f"unix:{self.qmp_path},server=on,wait=off"]
        self.process = subprocess.Popen(command + list(args), stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        try:
            self.socket = self.accept(listener)
        except OSError as error:
            self.process.kill()
            _, text = self.process.communicate()
            raise RuntimeError(f"{which} does not start: {text.decode()}") from error
        self.stream = self.socket.makefile("rw", newline="\n")

    def accept(self, listener):
        listener.settimeout(0.2)
        for _ in range(TIMEOUT_S * 5):
            try:
                connection = listener.accept()[0]
                connection.settimeout(TIMEOUT_S)
                return connection
            except socket.timeout:
                if self.process.poll() is not None:
                    raise OSError("it has ended") from None
        raise OSError("no connection")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, text):
        """The reply, after the interrupts that came before it: "IRQ raise 2; OK"."""
        self.stream.write(text + "\n")
        self.stream.flush()
        lines = []
        while True:
            line = self.stream.readline()
            if not line:
                raise RuntimeError(f"{self.which} has ended at: {text}: "
                                   + self.process.stderr.read().decode())
            lines.append(line.strip())
            if not line.startswith("IRQ "):
                return "; ".join(lines)

    def read(self, gpa, size=4):
        """A register's value."""
        reply = self.command(f"read{'bwlq'[size.bit_length() - 1]} {gpa:#x}")
        return int(reply.rsplit(" ", 1)[1], 0)

    def write(self, gpa, value, size=4):
        return self.command(f"write{'bwlq'[size.bit_length() - 1]} {gpa:#x} {value:#x}")

    def path_of(self, name):
        """What irq_intercept_* and set_irq_in call the device of this class."""
        if self.which == "pando":
            return name
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.qmp_path)
            stream = s.makefile("rw")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"},
                            {"execute": "qom-list",
                             "arguments": {"path": "/machine/unattached"}}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
        types = {f"child<{t}>" for t in QEMU_TYPES.get(name, (name,))}
        for row in answer["return"]:
            if row["type"] in types:
                return "/machine/unattached/" + row["name"]
        raise RuntimeError(f"QEMU has no {name}")
