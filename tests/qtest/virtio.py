# SPDX-License-Identifier: Apache-2.0
"""The driver's side of a virtio device on virtio-mmio, over the qtest protocol."""

import time

# The transport that the first -device without bus= gets, as info mtree has it.
FIRST_TRANSPORT = 0x0a003e00
TRANSPORT_BYTES = 0x200
MAGIC, VERSION, DEVICE_ID, FEATURES, FEATURES_SEL = 0x00, 0x04, 0x08, 0x10, 0x14
DRIVER_FEATURES, DRIVER_FEATURES_SEL, PAGE_SIZE, QUEUE_SEL = 0x20, 0x24, 0x28, 0x30
QUEUE_NUM_MAX, QUEUE_NUM, QUEUE_ALIGN, QUEUE_PFN, QUEUE_READY = 0x34, 0x38, 0x3c, 0x40, 0x44
QUEUE_NOTIFY, ISR, ACK, STATUS, QUEUE_DESC, QUEUE_DRIVER = 0x50, 0x60, 0x64, 0x70, 0x80, 0x90
QUEUE_DEVICE, CONFIG = 0xa0, 0x100
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 64
F_VERSION_1 = 1 << 32
PAGE = 4096


class Queue:
    def __init__(self, device, number, size, base):
        self.device, self.number, self.size = device, number, size
        self.desc = base
        self.avail = base + 16 * size
        self.used = (self.avail + 6 + 2 * size + PAGE - 1) & ~(PAGE - 1)
        self.added = self.seen = 0

    def add(self, out, into):
        """A chain of [(gpa, bytes)], what the device reads and then what it writes; its head."""
        m, chain = self.device.m, [(g, n, 0) for g, n in out] + [(g, n, 2) for g, n in into]
        for i, (gpa, n, flags) in enumerate(chain):
            flags |= 1 if i + 1 < len(chain) else 0
            row = gpa.to_bytes(8, "little") + n.to_bytes(4, "little") + \
                flags.to_bytes(2, "little") + (i + 1).to_bytes(2, "little")
            m.command(f"write {self.desc + 16 * i:#x} 16 0x{row.hex()}")
        m.write(self.avail + 4 + 2 * (self.added % self.size), 0, 2)
        self.added = self.added + 1 & 0xffff
        m.write(self.avail + 2, self.added, 2)
        return 0

    def kick(self):
        self.device.write(QUEUE_NOTIFY, self.number)

    def wait(self):
        """(head, bytes written) of the next used chain; None when there is none in 3 s, or at once
        when the device has stopped."""
        m = self.device.m
        for _ in range(3000):
            if self.device.read(STATUS) & NEEDS_RESET:
                return None
            if m.read(self.used + 2, 2) != self.seen:
                entry = self.used + 4 + 8 * (self.seen % self.size)
                self.seen = self.seen + 1 & 0xffff
                return m.read(entry), m.read(entry + 4)
            time.sleep(0.001)
        return None


class Virtio:
    """A device that is set up as far as DRIVER_OK; `legacy` as -global virtio-mmio.force-legacy."""

    def __init__(self, machine, ram, features=F_VERSION_1, queues=1, size=8,
                 base=FIRST_TRANSPORT):
        self.m, self.base = machine, base
        self.queue = []
        assert self.read(MAGIC) == 0x74726976
        self.legacy = self.read(VERSION) == 1
        for status in (0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER):
            self.write(STATUS, status)
        for i in range(2):
            self.write(DRIVER_FEATURES_SEL, i)
            self.write(DRIVER_FEATURES, features >> 32 * i & 0xffffffff)
        status = ACKNOWLEDGE | DRIVER
        if not self.legacy:
            status |= FEATURES_OK
            self.write(STATUS, status)
        self.accepted = bool(self.read(STATUS) & FEATURES_OK) or self.legacy
        for number in range(queues):
            q = Queue(self, number, size, ram + number * 3 * PAGE)
            machine.command(f"memset {q.desc:#x} {3 * PAGE} 0")
            self.write(QUEUE_SEL, number)
            self.write(QUEUE_NUM, size)
            if self.legacy:
                self.write(PAGE_SIZE, PAGE)
                self.write(QUEUE_ALIGN, PAGE)
                self.write(QUEUE_PFN, q.desc // PAGE)
            else:
                for off, gpa in ((QUEUE_DESC, q.desc), (QUEUE_DRIVER, q.avail),
                                 (QUEUE_DEVICE, q.used)):
                    self.write(off, gpa & 0xffffffff)
                    self.write(off + 4, gpa >> 32)
                self.write(QUEUE_READY, 1)
            self.queue.append(q)
        self.write(STATUS, status | DRIVER_OK)

    def read(self, off, size=4):
        return self.m.read(self.base + off, size)

    def write(self, off, value, size=4):
        self.m.write(self.base + off, value, size)
