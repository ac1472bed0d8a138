"""A network in a box for the system tests: namespaces, cables, switches, processes, and their clean end.

Everything is made of Linux network namespaces with names of our own, so nothing of the host's network is touched. Needs
root. What a test makes is taken apart when it ends, also when it fails; logs of a failed test stay in a folder whose
name is printed. Waiting is always for something (a log line, a socket, a link), never for time to pass.
"""

import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PREFIX = "pomlab"
_numbers = itertools.count(1)

# A build with sanitizers is several times slower: the caller says by how much to stretch every deadline.
PATIENCE = float(os.environ.get("POMONA_TEST_PATIENCE", "1"))


# Pomona reads POMONA_* variables as settings; those that are meant for the tests, or for a server on this host, are not.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("POMONA_")}


def eventually(question, what, seconds=10, pause=0.02):
    """Asks until the answer is true and returns it; fails with `what` when time is up."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds * PATIENCE:.0f} s in vain for {what}")
        time.sleep(pause)


def _run(*command, check=True, stdin=None, timeout=60, env=None):
    done = subprocess.run([str(part) for part in command], input=stdin, capture_output=True, text=True,
                          timeout=timeout * PATIENCE, env=env or ENVIRONMENT)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


class Process:
    """A running program whose output is kept line by line; `clean` may change a line before."""

    def __init__(self, command, name, folder, env=None, clean=None):
        self.name = name
        self._clean = clean or (lambda line: line)
        self.lines = []
        self._heard = threading.Condition()
        self._log = open(folder / f"{name}.log", "w", encoding="utf-8")
        self._log.write("$ " + " ".join(map(str, command)) + "\n")
        self._popen = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env or ENVIRONMENT,
                                       start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self):
        return self._popen.pid

    @property
    def running(self):
        return self._popen.poll() is None

    @property
    def output(self):
        with self._heard:
            return "\n".join(self.lines)

    def _read(self):
        for raw in self._popen.stdout:
            line = self._clean(raw.decode("utf-8", "replace").rstrip("\n"))
            with self._heard:
                self.lines.append(line)
                self._log.write(line + "\n")
                self._log.flush()
                self._heard.notify_all()
        self._popen.stdout.close()
        self._log.close()
        with self._heard:
            self._heard.notify_all()

    def mark(self):
        """A place in the output, to be given to wait_for as `after`."""
        with self._heard:
            return len(self.lines)

    def wait_for(self, pattern, seconds=15, after=0):
        """The first line from `after` on that holds the regular expression; fails when the program ends without it."""
        wanted = re.compile(pattern)
        deadline = time.monotonic() + seconds * PATIENCE
        at = after
        with self._heard:
            while True:
                while at < len(self.lines):
                    if wanted.search(self.lines[at]):
                        return self.lines[at]
                    at += 1
                left = deadline - time.monotonic()
                if left <= 0 or (not self.running and not self._reader.is_alive()):
                    how = "is silent about" if self.running else f"ended with {self._popen.returncode} without"
                    raise AssertionError(f"{self.name} {how} /{pattern}/:\n" + "\n".join(self.lines[-25:]))
                self._heard.wait(min(left, 0.2))

    def count(self, pattern, after=0):
        with self._heard:
            return sum(1 for line in self.lines[after:] if re.search(pattern, line))

    def send_signal(self, number):
        self._popen.send_signal(number)

    def wait(self, seconds=15):
        """The exit code; the output is complete afterwards."""
        code = self._popen.wait(seconds * PATIENCE)
        self._reader.join(5)
        return code

    def stop(self, number=signal.SIGTERM, seconds=15):
        """Ends the program and returns its exit code."""
        if self.running:
            self.send_signal(number)
        try:
            code = self.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self.wait()
            raise AssertionError(f"{self.name} did not end on signal {number}:\n" + "\n".join(self.lines[-25:])) from None
        return code

    def kill(self):
        """The end without a chance to tidy up."""
        if self.running:
            self._popen.kill()
        self.wait()


class Namespace:
    """One machine of the lab."""

    def __init__(self, lab, label):
        self.lab = lab
        self.label = label
        self.name = f"{_PREFIX}-{os.getpid()}-{next(_numbers)}-{label}"
        _run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        self.set("net/ipv6/conf/all/disable_ipv6", 1)
        self.set("net/ipv6/conf/default/disable_ipv6", 1)

    def command(self, *command):
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command, **more):
        """Runs a program to its end; its exit code must be 0 unless check=False."""
        return _run(*self.command(*command), **more)

    def ip(self, *arguments, check=True):
        return _run("ip", "-n", self.name, *arguments, check=check)

    def ip_batch(self, lines):
        return _run("ip", "-n", self.name, "-batch", "-", stdin="\n".join(lines) + "\n")

    def start(self, *command, name=None, env=None, clean=None):
        """Starts a program that runs beside the test; the lab ends it."""
        process = Process(self.command(*command), name or f"{self.label}-{pathlib.Path(command[0]).name}",
                          self.lab.logs, env, clean)
        self.lab.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is inside this namespace; sockets opened here stay here."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{self.name}", "rb") as there:
            self._setns(there)
            try:
                yield
            finally:
                self._setns(home)

    @staticmethod
    def _setns(file):
        if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def set(self, key, value):
        """Writes a sysctl of this namespace."""
        with self.entered():
            pathlib.Path("/proc/sys", key).write_text(f"{value}\n", encoding="ascii")

    def udp_socket(self, address="0.0.0.0", port=0, interface=None):
        with self.entered():
            endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if interface:
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            endpoint.bind((address, port))
        except OSError:
            endpoint.close()
            raise
        return endpoint

    def send_frame(self, interface, frame):
        with self.entered():
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with port:
            port.bind((interface, 0))
            port.send(frame)

    def mac(self, interface):
        return json.loads(self.ip("-j", "link", "show", interface).stdout)[0]["address"]

    def add_address(self, interface, address):
        self.ip("address", "add", address, "broadcast", "+", "dev", interface)

    def nft(self, rules):
        """Loads nftables rules; they end with the namespace."""
        self.run("nft", "-f", "-", stdin=rules)


class Lan:
    """A switch and the network behind it."""

    def __init__(self, lab, label):
        self.switch = lab.namespace(label)
        self._ports = itertools.count(1)
        self.switch.ip("link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0")
        self.switch.ip("link", "set", "br0", "up")

    def join(self, namespace, interface, *addresses, mac=None):
        """A cable from the switch to a new interface of `namespace`; returns the port's name at the switch."""
        port = f"p{next(self._ports)}"
        _run("ip", "link", "add", interface, "netns", namespace.name, "type", "veth", "peer", "name", port, "netns",
             self.switch.name)
        self.switch.ip("link", "set", port, "master", "br0", "up")
        if mac:
            namespace.ip("link", "set", interface, "address", mac)
        for address in addresses:
            namespace.add_address(interface, address)
        namespace.ip("link", "set", interface, "up")
        return port

    def tap(self):
        """A port of the switch for a virtual machine, whose program runs in the switch's namespace; returns its name."""
        port = f"t{next(self._ports)}"
        self.switch.ip("tuntap", "add", "dev", port, "mode", "tap")
        self.switch.ip("link", "set", port, "master", "br0", "up")
        return port

    def lose(self, share, match=""):
        """From now on the switch loses `share` percent of the frames that fit the nftables expression."""
        chance = "" if share >= 100 else f"numgen random mod 100 < {share}"
        self.switch.nft(f"""
table bridge loss
delete table bridge loss
table bridge loss {{
    chain forward {{
        type filter hook forward priority 0;
        {match} {chance} counter drop
    }}
}}
""")

    def lost(self):
        """How many frames the switch has lost so far."""
        rules = self.switch.run("nft", "-j", "list", "table", "bridge", "loss").stdout
        return sum(int(found) for found in re.findall(r'"packets": (\d+)', rules))

    def heal(self):
        self.switch.nft("table bridge loss\ndelete table bridge loss\n")


class Lab:
    """Owns everything one test has made."""

    def __init__(self, name):
        # Short, since the path of a socket in it may have 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"pomona-lab-{name[:40]}-"))
        # The daemon serves as an unprivileged user; it must be able to reach the image folders in here.
        self.folder.chmod(0o755)
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.namespaces = []
        self.processes = []

    def namespace(self, label):
        made = Namespace(self, label)
        self.namespaces.append(made)
        return made

    def lan(self, label="lan"):
        return Lan(self, label)

    def path(self, *parts):
        """A path inside the test's own folder; parents exist."""
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def close(self):
        for process in reversed(self.processes):
            process.kill()
        for namespace in reversed(self.namespaces):
            _run("ip", "netns", "delete", namespace.name, check=False)

    def tails(self, lines=30):
        text = []
        for log in sorted(self.logs.glob("*.log")):
            text += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(text)


def remove_leftovers():
    """Namespaces of a test run that was killed: their names carry the process that made them."""
    listed = _run("ip", "netns", "list", check=False).stdout
    for name, owner in re.findall(rf"^({_PREFIX}-(\d+)-\S+)", listed, re.MULTILINE):
        if not os.path.exists(f"/proc/{owner}"):
            for pid in _run("ip", "netns", "pids", name, check=False).stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            _run("ip", "netns", "delete", name, check=False)


class LabTestCase(unittest.TestCase):
    """A test with a lab of its own in self.lab; the logs stay when it fails."""

    def setUp(self):
        self.lab = Lab(self._testMethodName)
        self.addCleanup(self.lab.close)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        try:
            return super().run(result)
        finally:
            lab = getattr(self, "lab", None)
            if lab and len(result.failures) + len(result.errors) > before:
                print(f"\n{self.id()} failed; its folder is {lab.folder}\n{lab.tails()}", file=sys.stderr, flush=True)
            elif lab:
                shutil.rmtree(lab.folder, ignore_errors=True)


def main():
    """What every test file ends with."""
    if os.geteuid() != 0:
        sys.exit("The system tests build network namespaces and need root: sudo tools/test system. "
                 "Without root, run the others: ctest --label-exclude system.")
    remove_leftovers()
    unittest.main(verbosity=2)
