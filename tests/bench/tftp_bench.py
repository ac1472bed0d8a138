#!/usr/bin/env python3
"""TFTP side by side: Pomona, the floor and the servers of Debian, in network namespaces over veth.

Each cell (clients, file size, block size, window, loss) runs every server for the same few seconds, one after
the other. Prints a markdown table; --json keeps every figure.
"""

import argparse
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from bench_servers import write_image

SERVER = "10.77.0.1"
SIZES = {"1.5": 1_500_000, "30": 30_000_000}



class Lab:
    """Two namespaces and a wire; everything goes away at the end."""

    def __init__(self):
        tag = str(os.getpid())
        self.server, self.client = f"tb{tag}s", f"tb{tag}c"
        self.cgroup = pathlib.Path("/sys/fs/cgroup/cpuacct") / f"tb{tag}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tftp-bench-"))
        self.folder.chmod(0o755)

    def __enter__(self):
        run = lambda *a: subprocess.run(a, check=True)
        run("ip", "netns", "add", self.server)
        run("ip", "netns", "add", self.client)
        run("ip", "link", "add", "wire", "netns", self.server, "type", "veth", "peer", "name", "wire", "netns",
            self.client)
        for name, base in ((self.server, 1), (self.client, 10)):
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", "wire", "up")
            for i in range(1 if base == 1 else 16):
                run("ip", "-n", name, "address", "add", f"10.77.0.{base + i}/24", "dev", "wire")
        if self.cgroup.parent.is_dir():
            self.cgroup.mkdir()
        for name, size in SIZES.items():
            path = self.folder / f"{name}.bin"
            path.write_bytes(os.urandom(size))
            path.chmod(0o644)
        return self

    def __exit__(self, *_):
        for name in (self.server, self.client):
            subprocess.run(["ip", "netns", "del", name], check=False)
        if self.cgroup.is_dir():
            self.cgroup.rmdir()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu(self):
        """Processor seconds of all that ever ran in the server's group."""
        try:
            return int((self.cgroup / "cpuacct.usage").read_text()) / 1e9
        except FileNotFoundError:
            return 0.0

    def start(self, command):
        def join():
            os.nice(self.nice)
            os.setsid()
            if self.cgroup.is_dir():
                (self.cgroup / "cgroup.procs").write_text("0")

        return subprocess.Popen(["ip", "netns", "exec", self.server, *command], preexec_fn=join,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, process):
        """Ends the server with all its children: they are a process group of their own."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, how)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                process.poll()
                try:
                    os.killpg(process.pid, 0)
                except ProcessLookupError:
                    break
                time.sleep(0.01)
            else:
                continue
            break
        process.wait()


def servers(build, folder, size, clients):
    many = str(max(2000, clients))
    tool = lambda name: str(build / "tests" / name)
    found = {
        "pomona": [tool("support/tftp_only"), "--root", str(folder), "--quiet", "--max-transfers", many,
                   "--max-per-client", many],
        "pomona-plain": [tool("support/tftp_only"), "--root", str(folder), "--quiet", "--max-transfers", many,
                         "--max-per-client", many, "--no-trains"],
        "pomona-single": [tool("support/tftp_only"), "--root", str(folder), "--quiet", "--max-transfers", many,
                          "--max-per-client", many, "--single-port"],
        "floor": [tool("bench/tftp_floor"), "--size", str(size)],
        "floor-gso": [tool("bench/tftp_floor"), "--size", str(size), "--trains"],
        "tftpd-hpa": [shutil.which("in.tftpd") or "/usr/sbin/in.tftpd", "-L", "-s", "-u", "root", str(folder)],
        "dnsmasq": [shutil.which("dnsmasq") or "/usr/sbin/dnsmasq", "-k", "--port=0", "--user=root",
                    "--conf-file=/dev/null", "--pid-file=", "--log-facility=/dev/null", "--enable-tftp",
                    f"--tftp-root={folder}", f"--tftp-max={many}"],
    }
    for path in ("/usr/sbin/atftpd", "/opt/atftpd/usr/sbin/atftpd"):
        if os.path.exists(path):
            found["atftpd"] = [path, "--daemon", "--no-fork", "--user", "root.root", "--maxthread", many,
                               "--logfile", "/dev/null", str(folder)]
            break
    return {name: command for name, command in found.items() if os.path.exists(command[0])}


def measure(lab, build, command, cell, args):
    clients, size_name, blksize, window, loss = cell
    process = lab.start(command)
    time.sleep(0.25)
    before = lab.cpu()
    load = [str(build / "tests/bench/tftp_load"), "--server", SERVER, "--path", f"{size_name}.bin", "--size",
            str(SIZES[size_name]), "--clients", str(clients), "--blksize", str(blksize), "--windowsize",
            str(window), "--loss", str(loss), "--seconds", str(args.seconds)]
    if args.gro:
        load.append("--gro")
    if args.once:
        load.append("--once")
    for i in range(16):
        load += ["--source", f"10.77.0.{10 + i}"]
    try:
        done = subprocess.run(["ip", "netns", "exec", lab.client, *load], check=True, capture_output=True, text=True,
                              timeout=args.seconds + 30, preexec_fn=lambda: os.nice(args.nice))
        result = json.loads(done.stdout)
        result["server_cpu"] = lab.cpu() - before
        result["died"] = process.poll() is not None
    finally:
        lab.stop(process)
    gigabytes = result["bytes"] / 1e9
    result["cpu_per_gb"] = result["server_cpu"] / gigabytes if gigabytes else None
    return result


def resident_kib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def memory_per_transfer(build, clients=1000):
    """Resident memory of the daemon itself, `pomona serve`, while so many transfers run, above what it holds when
    idle, in KiB per transfer: of windows of 16 blocks, and of lockstep."""
    found = {}
    for window in (1, 16):
        with Lab() as lab:
            lab.nice = 0
            write_image(lab.folder / "images")
            (lab.folder / "state").mkdir()
            process = lab.start([str(build / "src/app/pomona"), "serve", "--interface", "wire", "--user", "", "--http",
                                 "off", "--image-root", f"bench={lab.folder / 'images'}", "--tftp-root",
                                 str(lab.folder), "--state-dir", str(lab.folder / "state"), "--control-socket",
                                 str(lab.folder / "control.sock"), "--log-level", "warn", "--tftp-max-transfers",
                                 "2000", "--tftp-max-transfers-per-client", "2000"])
            try:
                # Its second capture ports come a moment later and are no transfer's.
                time.sleep(1.5)
                idle = most = resident_kib(process)
                load = [str(build / "tests/bench/tftp_load"), "--server", SERVER, "--path", "30.bin", "--size",
                        str(SIZES["30"]), "--clients", str(clients), "--windowsize", str(window), "--seconds", "2"]
                for i in range(16):
                    load += ["--source", f"10.77.0.{10 + i}"]
                clients_process = subprocess.Popen(["ip", "netns", "exec", lab.client, *load], text=True,
                                                   stdout=subprocess.PIPE)
                while clients_process.poll() is None:
                    most = max(most, resident_kib(process))
                    time.sleep(0.02)
                result = json.loads(clients_process.communicate()[0])
                if clients_process.returncode or result["failures"] or not result["bytes"]:
                    raise RuntimeError(f"transfers failed: {result}")
                found[window] = (most - idle) / clients
            finally:
                lab.stop(process)
    return found


def numbers(text):
    return [int(part) for part in text.split(",")]


def table(rows, names):
    lines = ["| clients | MB | blksize | window | loss % | " + " | ".join(names) + " | best peer | ratio |",
             "|" + "---|" * (len(names) + 7)]
    peers = [name for name in names if name in ("tftpd-hpa", "atftpd", "dnsmasq")]
    for cell, results in rows:
        shown = []
        for name in names:
            r = results.get(name)
            if r is None:
                shown.append("-")
                continue
            text = f"{r['rate'] / 1e6:.1f}"
            if r["cpu_per_gb"]:
                text += f" ({r['cpu_per_gb']:.1f})"
            if r["failures"]:
                text += f" **{r['failures']} failed**"
            shown.append(text)
        best = max(peers, key=lambda name: results[name]["rate"] if name in results else 0, default=None)
        ratio = ""
        if best and "pomona" in results and results[best]["rate"]:
            ratio = f"{results['pomona']['rate'] / results[best]['rate']:.2f}"
        lines.append("| " + " | ".join(map(str, cell)) + " | " + " | ".join(shown) + f" | {best} | {ratio} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--servers", default="pomona,floor,floor-gso,tftpd-hpa,atftpd,dnsmasq")
    parser.add_argument("--clients", type=numbers, default=[1, 50, 200, 1000])
    parser.add_argument("--sizes", default="1.5,30")
    parser.add_argument("--blksizes", type=numbers, default=[512, 1456])
    parser.add_argument("--windows", type=numbers, default=[1, 16, 64])
    parser.add_argument("--losses", type=numbers, default=[0, 1])
    parser.add_argument("--seconds", type=float, default=2.0, help="per server and cell")
    parser.add_argument("--gro", action="store_true", help="clients take trains whole")
    parser.add_argument("--nice", type=int, default=0, help="priority of servers and clients, for busy machines")
    parser.add_argument("--once", action="store_true", help="each client fetches the file once")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    args = parser.parse_args()
    # Ended from outside, the namespaces and servers go away all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    build = args.build.resolve()
    names = args.servers.split(",")
    rows = []
    with Lab() as lab:
        lab.nice = args.nice
        for cell in itertools.product(args.clients, args.sizes.split(","), args.blksizes, args.windows,
                                      args.losses):
            commands = servers(build, lab.folder, SIZES[cell[1]], cell[0])
            results = {name: measure(lab, build, commands[name], cell, args) for name in names if name in commands}
            rows.append((cell, results))
            print(table(rows[-1:], names).splitlines()[-1], flush=True, file=sys.stderr)
    text = "MB/s (processor seconds of the server per GB)\n\n" + table(rows, names) + "\n"
    print(text)
    if args.markdown:
        args.markdown.write_text(text)
    if args.json:
        keys = ("clients", "megabytes", "blksize", "windowsize", "loss")
        args.json.write_text(json.dumps([{**dict(zip(keys, cell)), "servers": results} for cell, results in rows],
                                        indent=1) + "\n")


if __name__ == "__main__":
    main()
