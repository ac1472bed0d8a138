"""Two network namespaces with a wire between them, a TFTP server in one, clients in the other."""

import os
import pathlib
import random
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time

SERVER = "10.78.0.1"
CLIENT = "10.78.0.2"


class TftpLab:
    """Everything it makes goes away with close(): processes by their id, namespaces, the folder."""

    _count = 0

    def __init__(self, program):
        TftpLab._count += 1
        tag = f"{os.getpid()}-{TftpLab._count}"
        self.server, self.client = f"tl{tag}s", f"tl{tag}c"
        self.program = program
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tftp-lab-"))
        self.folder.chmod(0o755)
        (self.folder / "root").mkdir()
        (self.folder / "out").mkdir()
        self.process = None
        self.collector = None
        self.lines = []
        for name in (self.server, self.client):
            self._run("ip", "netns", "add", name)
        self._run("ip", "link", "add", "wire", "netns", self.server, "type", "veth", "peer", "name", "wire",
                  "netns", self.client)
        for name, address in ((self.server, SERVER), (self.client, CLIENT)):
            self._run("ip", "-n", name, "link", "set", "lo", "up")
            self._run("ip", "-n", name, "link", "set", "wire", "up")
            self._run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "wire")

    @staticmethod
    def _run(*command):
        subprocess.run(command, check=True)

    def close(self):
        self.stop()
        for name in (self.server, self.client):
            subprocess.run(["ip", "netns", "del", name], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name, content):
        path = self.folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def start(self, *options):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.server, self.program, "--root", str(self.folder / "root"), *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        ready = self.process.stdout.readline()
        if not ready.startswith("ready"):
            raise RuntimeError(f"the server did not start: {ready}")
        self.collector = threading.Thread(target=self._collect, args=(self.process.stdout,))
        self.collector.start()

    def _collect(self, output):
        with output:
            for line in output:
                self.lines.append(line.rstrip("\n"))

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process = None
            if self.collector is not None:
                self.collector.join()

    def wait_for_line(self, text, seconds=5):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.lines:
                if text in line:
                    return line
            time.sleep(0.01)
        raise AssertionError(f"no line with {text!r} in {self.lines}")

    def run_client(self, *command, seconds=60):
        """Runs a program in the client's namespace and in its own folder."""
        return subprocess.run(["ip", "netns", "exec", self.client, *command], cwd=self.folder / "out",
                              capture_output=True, text=True, errors="replace", timeout=seconds)

    def drop_every(self, count, namespace):
        """Drops one of so many UDP packets that arrive in the namespace."""
        rules = (f"table inet lossy {{\n chain input {{\n  type filter hook input priority 0\n"
                 f"  meta l4proto udp numgen random mod {count} 0 drop\n }}\n}}\n")
        subprocess.run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=rules, text=True, check=True)

    def socket_in_client(self):
        return self.socket_in(self.client)

    @staticmethod
    def socket_in(namespace):
        """A UDP socket of this process that lives in another namespace."""
        result = []

        def make():
            with open(f"/run/netns/{namespace}", "rb") as there:
                libc_setns(there.fileno())
            result.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

        # The namespace belongs to the thread, and the thread ends here.
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return result[0]


def libc_setns(descriptor):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000
    if libc.setns(descriptor, clone_newnet) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class BadWire:
    """A relay in the client's namespace that loses, doubles and reorders packets of clients of its port 69."""

    def __init__(self, lab, loss=0.0, doubling=0.0, reordering=0.0, seed=1):
        self.loss, self.doubling, self.reordering = loss, doubling, reordering
        self.random = random.Random(seed)
        self.lab = lab
        self.front = lab.socket_in_client()
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.front.bind(("127.0.0.1", 69))
        self.ends = {}  # client port -> [socket to the server, address there, socket to the client]
        self.held = None
        self.stopping = False
        self.counts = {"lost": 0, "doubled": 0, "reordered": 0}
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def close(self):
        self.stopping = True
        self.thread.join()
        self.front.close()
        for back, _, near in self.ends.values():
            back.close()
            near.close()

    def _pass(self, sock, data, to):
        chance = self.random.random
        if chance() < self.loss:
            self.counts["lost"] += 1
            return
        if self.held is None and chance() < self.reordering:
            self.counts["reordered"] += 1
            self.held = (sock, data, to)
            return
        sock.sendto(data, to)
        if chance() < self.doubling:
            self.counts["doubled"] += 1
            sock.sendto(data, to)
        if self.held is not None:
            held, self.held = self.held, None
            held[0].sendto(held[1], held[2])

    def _serve(self):
        while not self.stopping:
            sockets = [self.front] + [end[i] for end in self.ends.values() for i in (0, 2)]
            ready, _, _ = select.select(sockets, [], [], 0.02)
            if not ready and self.held is not None:
                held, self.held = self.held, None
                held[0].sendto(held[1], held[2])
            for sock in ready:
                try:
                    data, origin = sock.recvfrom(65536)
                except ConnectionRefusedError:
                    continue
                if sock is self.front:
                    end = self.ends.get(origin[1])
                    if end is None:
                        near = self.lab.socket_in_client()
                        near.bind(("127.0.0.1", 0))
                        end = self.ends[origin[1]] = [self.lab.socket_in_client(), (SERVER, 69), near]
                    self._pass(end[0], data, (SERVER, 69))
                    continue
                for port, end in self.ends.items():
                    if sock is end[0]:
                        end[1] = origin
                        self._pass(end[2], data, ("127.0.0.1", port))
                    elif sock is end[2]:
                        self._pass(end[0], data, end[1])
