"""HTTP side by side: Pomona and nginx (one worker, at its best settings), in network namespaces over veth.

Three loads of 50 connections: a script of a loader again and again, random parts of 64 KiB of a large file, and that
file whole, once for each connection. Both servers keep what they open in the page cache; neither writes a log. The
servers take turns.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time

import tftp_bench
from bench_report import Target

CONNECTIONS = 50
SCRIPT = b"#!ipxe\nkernel http://10.77.0.1/vmlinuz console=ttyS0\ninitrd http://10.77.0.1/initrd\nboot\n" * 3
PART = 65536
LOADS = ("scripts", "parts", "downloads")
UNITS = {"scripts": "answers/s", "parts": "answers/s", "downloads": "MB/s"}


class Lab(tftp_bench.Lab):
    nice = 0

    def __init__(self, large):
        super().__init__()
        self.large = large

    def __enter__(self):
        super().__enter__()
        (self.folder / "boot.ipxe").write_bytes(SCRIPT)
        with open(self.folder / "large.dmg", "wb") as file:
            for _ in range(self.large >> 20):
                file.write(os.urandom(1 << 20))
        return self


def pomona(build, folder):
    return [build / "tests/support/http_only", "--root", folder, "--quiet"]


def nginx(build, folder):
    del build
    (folder / "nginx.conf").write_text(f"""
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log /dev/null;
events {{ worker_connections 4096; use epoll; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    server {{ listen 80 backlog=4096; root {folder}; }}
}}
""")
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", folder]


SERVERS = {"pomona": pomona, "nginx": nginx}


def memory(process):
    """Octets that the server's processes have for themselves, their share of what they share included."""
    total = 0
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            group = int(status.read_text().rsplit(")", 1)[1].split()[2])
            if group != process.pid:
                continue
            for line in (status.parent / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except (OSError, IndexError):
            continue
    return total


def run(lab, build, name, load, seconds):
    process = lab.start([str(part) for part in SERVERS[name](build, lab.folder)])
    command = [build / "tests/bench/http_load", "--server", tftp_bench.SERVER, "--connections", CONNECTIONS]
    command += {"scripts": ["--path", "/boot.ipxe", "--size", len(SCRIPT), "--seconds", seconds],
                "parts": ["--path", "/large.dmg", "--size", lab.large, "--part", PART, "--seconds", seconds],
                "downloads": ["--path", "/large.dmg", "--size", lab.large, "--once"]}[load]
    try:
        deadline = time.monotonic() + 5
        probe = ["ip", "netns", "exec", lab.client, "curl", "-s", "-o", "/dev/null", f"http://{tftp_bench.SERVER}/boot.ipxe"]
        while subprocess.run(probe, check=False).returncode and time.monotonic() < deadline:
            time.sleep(0.02)
        before = lab.cpu()
        client = subprocess.Popen(["ip", "netns", "exec", lab.client, *map(str, command)], stdout=subprocess.PIPE, text=True)
        most = 0
        while client.poll() is None:
            most = max(most, memory(process))
            time.sleep(0.25)
        figures = json.loads(client.stdout.read())
        figures["cpu"] = lab.cpu() - before
        figures["memory"] = most
        figures["rate"] = (figures["bytes"] / 1e6 if load == "downloads" else figures["answers"]) / figures["seconds"]
        return figures
    finally:
        lab.stop(process)


def nginx_version():
    said = subprocess.run([shutil.which("nginx") or "/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True)
    return said.stderr.strip().removeprefix("nginx version: ")


def measure(build, quick, rounds):
    large = 64 << 20 if quick else 1 << 30
    results = {(load, name): [] for load in LOADS for name in SERVERS}
    with Lab(large) as lab:
        for _ in range(rounds):
            for load in LOADS:
                for name in SERVERS:
                    results[load, name].append(run(lab, build, name, load, 2 if quick else 4))
    median = lambda load, name, key: statistics.median(figures[key] for figures in results[load, name])
    lines = ["## Files over HTTP", "",
             f"{CONNECTIONS} connections; a script of {len(SCRIPT)} octets, parts of {PART // 1024} KiB of a file of "
             f"{large >> 20} MiB, that file whole. The peer: {nginx_version()}, one worker, open_file_cache, no log.", "",
             "| load | unit | pomona | nginx | ratio | processor s, pomona | nginx | memory MB, pomona | nginx | failed |",
             "|" + "---|" * 10]
    targets = []
    for load in LOADS:
        ours, theirs = (median(load, name, "rate") for name in SERVERS)
        cells = [load, UNITS[load], f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.2f}"]
        cells += [f"{median(load, name, 'cpu'):.2f}" for name in SERVERS]
        cells += [f"{median(load, name, 'memory') / 1e6:.1f}" for name in SERVERS]
        cells.append(str(sum(figures["failures"] for name in SERVERS for figures in results[load, name])))
        lines.append("| " + " | ".join(cells) + " |")
        targets.append(Target(f"HTTP, {load}: ahead of nginx", f"{ours / theirs:.2f} times", ours >= theirs))
        heavier = median(load, "pomona", "memory") / median(load, "nginx", "memory")
        targets.append(Target(f"HTTP, {load}: no more memory than nginx", f"{heavier:.2f} times", heavier <= 1))
    lines.append("")
    return "\n".join(lines), targets

