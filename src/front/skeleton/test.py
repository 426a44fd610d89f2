#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives the device without a guest: -accel qtest lets time stand until we move it."""
import os
import socket
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = 0x0c000000               # the first device on the platform bus
ID, CONTROL, PERIOD, STATUS, TICKS, BUFFER = 0x00, 0x04, 0x08, 0x0c, 0x10, 0x18
MEMORY = 0x44000000
MS = 1000000


class Bench:
    def __init__(self, device):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "q")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(30)
            self.process = subprocess.Popen(
                [os.environ.get("PANDO", "pando"), "-M", "virt", "-accel", "qtest", "-nodefaults",
                 "-display", "none", "-qtest", f"unix:{path}", "-device", device])
            self.stream = listener.accept()[0].makefile("rw")
        self.irq = False

    def command(self, text):
        self.stream.write(text + "\n")
        self.stream.flush()
        while (line := self.stream.readline()).startswith("IRQ "):
            self.irq = line.split()[1] == "raise"
        assert line.startswith("OK"), f"{text}: {line}"
        return line.split()[-1]

    def read(self, offset):
        return int(self.command(f"readl {BASE + offset:#x}"), 0)

    def write(self, offset, value):
        self.command(f"writel {BASE + offset:#x} {value:#x}")


def expect(what, is_value, value):
    assert is_value == value, f"{what}: {is_value:#x}, not {value:#x}"


def main():
    b = Bench(os.path.join(HERE, "@name@.so") + ",period=20,id=dut")
    try:
        b.command("irq_intercept_out dut")
        expect("ID", b.read(ID), 0x31544143)
        expect("the option", b.read(PERIOD), 20)
        b.write(PERIOD, 10)
        b.command(f"writeq {BASE + BUFFER:#x} {MEMORY:#x}")
        b.write(CONTROL, 1)
        b.command(f"clock_step {9 * MS}")
        expect("too early", b.read(STATUS), 0)
        b.command(f"clock_step {1 * MS}")
        expect("the interrupt", b.irq, True)
        expect("TICKS", b.read(TICKS), 1)
        b.write(STATUS, 1)
        expect("the acknowledged interrupt", b.irq, False)
        b.command(f"clock_step {45 * MS}")
        expect("TICKS", b.read(TICKS), 5)
        expect("in memory", int(b.command(f"readl {MEMORY:#x}"), 0), 5)
        b.write(CONTROL, 0)
        b.command(f"clock_step {100 * MS}")
        expect("TICKS after the end", b.read(TICKS), 5)
        # What a bad driver does changes nothing.
        b.write(PERIOD, 0)
        expect("PERIOD", b.read(PERIOD), 10)
        b.write(ID, 1)
        b.command(f"writeb {BASE + 0x1f:#x} 1")
        expect("where nothing is", b.read(0x14), 0)
    finally:
        b.process.terminate()
        b.process.wait()
    print("ok @name@")


if __name__ == "__main__":
    main()
