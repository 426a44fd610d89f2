# SPDX-License-Identifier: Apache-2.0
"""Machines for tests: processes of one virtual machine, their output, and a check that nothing
of them is left behind."""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PANDO = os.environ.get("PANDO", os.path.join(TOP, "build", "src", "front", "pando"))
QEMU = "qemu-system-aarch64"
GUEST = os.path.join(TOP, ".cache", "guest")


class Failed(Exception):
    pass


def want(condition, text):
    if not condition:
        raise Failed(text)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """One process; its output goes to a file, so that it never waits for us."""

    def __init__(self, name, args, folder, stdin=subprocess.DEVNULL):
        self.name, self.args = name, args
        self.log = os.path.join(folder, name + ".log")
        self.out = open(self.log, "wb")
        # Its temporary files go where we look for leftovers.
        self.tmp = os.path.join(folder, name + ".tmp")
        os.makedirs(self.tmp, exist_ok=True)
        self.popen = subprocess.Popen(args, stdin=stdin, stdout=self.out,
                                      stderr=subprocess.STDOUT, cwd=self.tmp,
                                      env={**os.environ, "TMPDIR": self.tmp})

    def text(self):
        with open(self.log, "rb") as f:
            return f.read().decode(errors="replace").replace("\r", "")

    def status(self, seconds):
        """Waits for the end; the exit status."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} does not end within {seconds} s; it said:\n"
                         f"{self.text()[-3000:]}") from None

    def wait_for(self, pattern, seconds):
        """Waits until a line matches; the match."""
        end = time.monotonic() + seconds
        while True:
            ended = self.popen.poll() is not None
            match = re.search(pattern, self.text(), re.M)
            if match:
                return match
            if ended or time.monotonic() > end:
                raise Failed(f"{self.name}: no '{pattern}' "
                             f"{'before it ended' if ended else f'within {seconds} s'}; it "
                             f"said:\n{self.text()[-3000:]}")
            time.sleep(0.05)

    def kill(self, signo=signal.SIGKILL):
        if self.popen.poll() is None:
            self.popen.send_signal(signo)

    def close(self):
        self.kill()
        self.popen.wait()
        self.out.close()


class Machine:
    """A machine of `nodes` processes.  Used with `with`; at its end all processes are gone, and
    files that they left are an error."""

    def __init__(self, options, nodes=1, cpus=1, memory_mib=512, qemu=False, root_options=()):
        self.folder = tempfile.TemporaryDirectory(prefix="pando-test.")
        path = self.folder.name
        self.processes = []
        common = ["-M", "virt", "-smp", str(nodes * cpus), "-m", f"{nodes * memory_mib}M",
                  "-nographic", "-no-reboot", *options]
        if qemu:
            nic = [] if "-netdev" in options else ["-nic", "none"]
            self.root = self.start("root", [QEMU, "-cpu", "max,pauth-impdef=on", *common, *nic])
            return
        command = [PANDO, *common, *root_options]
        if nodes == 1:
            self.root = self.start("root", command)
            return
        self.secret = os.path.join(path, "secret")
        with open(self.secret, "w") as f:
            f.write(os.urandom(32).hex())
        os.chmod(self.secret, 0o600)
        self.port = free_port()
        self.root = self.start("root", [
            *command, "-cluster", f"listen=127.0.0.1:{self.port},nodes={nodes},"
            f"secret={self.secret}"])
        for node in range(1, nodes):
            self.join(f"node{node}", cpus, memory_mib)

    def start(self, name, args):
        process = Process(name, args, self.folder.name)
        self.processes.append(process)
        return process

    def join(self, name, cpus, memory_mib, secret=None):
        return self.start(name, [PANDO, "join", f"127.0.0.1:{self.port}", "--secret",
                                 secret or self.secret, "--cpus", str(cpus), "--memory",
                                 f"{memory_mib}M"])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        ended = [p for p in self.processes if p.popen.poll() is not None]
        for process in self.processes:
            process.close()
        left = [os.path.join(p.name + ".tmp", f) for p in ended for f in os.listdir(p.tmp)]
        self.folder.cleanup()
        if kind is None:
            want(not left, f"files are left behind: {left}")

    def end(self, seconds, status=0):
        """All processes end by themselves with this status."""
        for process in self.processes:
            got = process.status(seconds)
            want(got == status, f"{process.name} ended with status {got}, not {status}; it "
                 f"said:\n{process.text()[-3000:]}")
