"""Addresses for loaders, measured side by side: how many BOOTP answers a second, and how long GRUB waits for its own."""

import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench_lab import Lab, LoadGenerator
from bench_report import Target, table
from bootp_servers import MACS, Dnsmasq, Floor, IscDhcpd, Kea, Pomona

# Seconds; GRUB itself gives up after 12.6.
PATIENCE_QUICK = 2.0
QUEUE = 8


class Running:
    """A `with` block in which the server runs and is ready."""

    def __init__(self, lab, server):
        self.lab = lab
        self.server = server

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pomona-bench-bootp-"))
        self.log = self.folder / "log"
        self.process = None
        try:
            self.process = self.lab.start_server(self.server.command(self.folder), self.log)
            self._wait()
        except BaseException:
            self.__exit__(*[None] * 3)
            raise
        return self

    def _wait(self):
        deadline = time.monotonic() + 15
        while self.server.ready and not re.search(self.server.ready, self.log.read_text(errors="replace")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.server.name} did not start: " + self.log.read_text(errors="replace")[-2000:])
            time.sleep(0.01)

    def __exit__(self, *_):
        if self.process:
            self.lab.stop(self.process)
        shutil.rmtree(self.folder)


def choose(loaders, macs):
    """The firmware's part; then the loader is on its way, as it is in the first second after a choice."""
    # Pomona begins to listen to ARP a moment after its start, when the first Macs have been answered.
    time.sleep(0.5)
    chosen = loaders.run("choose", macs=macs)
    if chosen["answers"] != macs:
        raise RuntimeError(f"{macs - chosen['answers']} choices of {macs} were not answered")
    time.sleep(0.3)


def measure_crowd(lab, loaders, server, quick):
    seconds = 1 if quick else 2.5
    with Running(lab, server) as running:
        if isinstance(server, Pomona) and not server.fixed:
            choose(loaders, MACS)
        pid = running.process.pid
        busy = loaders.run("crowd", pid=pid, macs=MACS, outstanding=64, seconds=seconds, warmup=0.3)
        calm = loaders.run("crowd", macs=MACS, outstanding=1, seconds=seconds, warmup=0.3)
    return {"per_s": busy["answers_per_s"],
            "cpu_us": busy["server_cpu_seconds"] / max(busy["answers"], 1) * 1e6,
            "p99_us": busy["answer_p99_us"],
            "lost": busy["lost"] + calm["lost"],
            "wrong": busy["wrong"] + calm["wrong"],
            "calm_us": calm["answer_median_us"],
            "idle": busy["generator_idle"]}


def measure_wait(lab, loaders, server, form, quick):
    """Of a row of machines that this server never saw before, except that it is Pomona's business to have seen them."""
    with Running(lab, server):
        if isinstance(server, Pomona):
            choose(loaders, QUEUE)
        patience = PATIENCE_QUICK if quick else 20
        return loaders.run("queue", macs=QUEUE, form=form, patience=patience)


ROWS = (
    ("BOOTP, 64 outstanding, 2,000 machines: answers per second", "per_s", "{:,.0f}"),
    ("... processor time of the server per answer, µs", "cpu_us", "{:.2f}"),
    ("... 99th percentile, µs", "p99_us", "{:,.0f}"),
    ("... lost", "lost", "{:,}"),
    ("BOOTP, one outstanding: median, µs", "calm_us", "{:.1f}"),
)


def combine(rounds):
    return {key: (max if key in ("lost", "wrong") else statistics.median)(numbers[key] for numbers in rounds)
            for key in rounds[0]}


def wait_text(figures):
    if figures["lost"]:
        return f"none in {figures['seconds']:.1f} s" if figures["answers"] == 0 else f"{figures['answers']} of {QUEUE}"
    return f"{figures['answer_median_us'] / 1000:,.2f} ({figures['answer_max_us'] / 1000:,.2f})"


FORMS = (("GRUB 2.02: BOOTP, no cookie", "grub-2.02"), ("GRUB 2.06: DISCOVER", "grub-2.06"))


def crowd_servers(build):
    program = build / "src" / "app" / "pomona"
    return [Floor(build / "tests" / "bench" / "bench_floor"), Pomona(program, "pomona, hosts", fixed=True),
            Pomona(program, "pomona, learned"), Kea("Kea, hosts"), IscDhcpd("dhcpd, hosts", fixed=True),
            IscDhcpd("dhcpd, dynamic-bootp", leased=True), Dnsmasq("dnsmasq, hosts", fixed=True, leased=True),
            Dnsmasq("dnsmasq, bootp-dynamic", leased=True)]


def wait_servers(build):
    program = build / "src" / "app" / "pomona"
    return [Pomona(program, "pomona"), Pomona(program, "pomona, bootp off", bootp=False),
            IscDhcpd("dhcpd", dynamic_bootp=False), IscDhcpd("dhcpd, dynamic-bootp"), IscDhcpd("... no ping", ping=False),
            Dnsmasq("dnsmasq, bootp-dynamic"), Dnsmasq("... no ping", ping=False)]


def measure_crowds(lab, loaders, servers, quick, rounds):
    """{name: figures} of all servers, which take turns."""
    collected = {server.name: [] for server in servers}
    for turn in range(rounds):
        for server in servers:
            print(f"bootp: round {turn + 1} of {rounds}: {server.name}", flush=True)
            collected[server.name].append(measure_crowd(lab, loaders, server, quick))
    results = {name: combine(numbers) for name, numbers in collected.items()}
    broken = [name for name, numbers in results.items() if numbers["wrong"]]
    if broken:
        raise RuntimeError("wrong answers from " + ", ".join(broken))
    return results


def measure_waits(lab, loaders, servers, form, quick):
    """The figures of each server."""
    row = []
    for server in servers:
        print(f"bootp: {form}: {server.name}", flush=True)
        row.append(measure_wait(lab, loaders, server, form, quick))
        if row[-1]["wrong"]:
            raise RuntimeError("wrong answers from " + server.name)
    return row


def measure(build, quick, rounds):
    """Returns a section of Markdown and the list of targets."""
    crowd, waits = crowd_servers(build), wait_servers(build)
    with Lab(client_addresses=False) as lab:
        loaders = LoadGenerator(lab, build / "tests" / "bench" / "bench_bootp_load")
        results = measure_crowds(lab, loaders, crowd, quick, rounds)
        waited = [(text, measure_waits(lab, loaders, waits, form, quick)) for text, form in FORMS]
    return section(crowd, results, waits, waited), targets_of(results, waited)


def section(crowd, results, waits, waited):
    names = [server.name for server in crowd]
    lines = ["## An address for a loader (BOOTP)", "",
             "*hosts*: the administrator gave each of the machines its address. *learned*: Pomona gives the address that "
             "the Mac chose its image with. Of dhcpd and dnsmasq each machine has its lease from before: a new one "
             "costs them a write to the disk. The requests have the magic cookie, since Kea does not answer without it.", ""]
    lines += table(["", *names], [[text, *(form.format(results[name][key]) for name in names)]
                                  for text, key, form in ROWS])
    idle = min(numbers["idle"] for numbers in results.values())
    lines += ["", f"The load generator was idle for at least {idle:.0%} of the time of every 64-outstanding run.", "",
              f"How long GRUB waits for its address, from its first packet: median (longest) of {QUEUE} machines in ms, one "
              "after the other, each new to the server. Pomona's have chosen an image before, as Macs do. GRUB's own pauses "
              "are not in it: it looks for an answer every 0.2 to 0.4 s, and repeats its request after 0.2, 0.6, 1.4, 3 and "
              "6.2 s (2.02) or 0.4, 1.2, 2.9 and 6.1 s (2.06). By DHCP it is two exchanges. dhcpd and dnsmasq ping an "
              "address before they give it, unless they are told not to.", ""]
    lines += table(["", *(server.name for server in waits)],
                   [[text, *map(wait_text, row)] for text, row in waited])
    lines += ["", "Versions:", ""]
    lines += [f"- {text}" for text in dict.fromkeys(
        f"floor: {server.version()}" if isinstance(server, Floor) else server.version() for server in crowd)]
    lines.append("")
    return "\n".join(lines)


def targets_of(results, waited):
    peers = [name for name in results if name.startswith(("Kea", "dhcpd", "dnsmasq"))]
    best = max(results[name]["per_s"] for name in peers)
    targets = []
    for kind in ("hosts", "learned"):
        ratio = results[f"pomona, {kind}"]["per_s"] / best
        targets.append(Target(f"BOOTP, 64 outstanding, {kind}: at least 3 times the best peer", f"{ratio:.2f}", ratio >= 3))
    for text, row in waited:
        at_once = min(row[0]["answers"], 2 * QUEUE - row[0]["packets"])
        targets.append(Target(f"{text}: answered at the first packet", f"{at_once} of {QUEUE}", at_once == QUEUE))
    return targets
