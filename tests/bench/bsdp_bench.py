"""LIST and SELECT measured side by side: the floor, Pomona, dnsmasq and ISC dhcpd, each alone on the same path.

measure() runs every server once per round, one after the other, so that a slow moment of the machine hits all of
them, and takes the median of the rounds; of losses it takes the worst.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench_lab import Lab, Macs
from bench_report import Target, table
from bench_servers import Dnsmasq, Floor, IscDhcpd, Pomona

PEERS = ("dnsmasq", "dhcpd")
REMEMBERED_MACS = 20_000
SETTLING_SECONDS = 1.0


def resident_kib(process):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def measure_server(lab, macs, server, quick):
    """One round of one server, as a flat dict of numbers."""
    folder = Path(tempfile.mkdtemp(prefix=f"pomona-bench-{server.name}-"))
    try:
        command = server.command(folder)
        process, first = macs.time_first_answer(lambda: lab.start_server(command, folder / "log"))
        try:
            return {"first_ms": first * 1000, **measure_running(macs, process, quick)}
        except BaseException:
            print((folder / "log").read_text(errors="replace")[-2000:])
            raise
        finally:
            lab.stop(process)
    finally:
        shutil.rmtree(folder)


def measure_running(macs, process, quick):
    seconds = 1.5 if quick else 3.5
    pid = process.pid
    # The first answer may come before a server has mapped all that it keeps.
    time.sleep(SETTLING_SECONDS)
    numbers = {"idle_kib": resident_kib(process)}

    busy = macs.run("list", pid=pid, macs=2_000, outstanding=64, seconds=seconds, warmup=0.5)
    numbers["list_per_s"] = busy["answers_per_s"]
    numbers["list_cpu_us"] = busy["server_cpu_seconds"] / max(busy["answers"], 1) * 1e6
    numbers["list_busy_p99_us"] = busy["list_p99_us"]
    numbers["list_lost"] = busy["lists_lost"]
    numbers["generator_idle"] = busy["generator_idle"]

    calm = macs.run("list", pid=pid, macs=2_000, outstanding=1, seconds=seconds, warmup=0.5)
    numbers["list_median_us"] = calm["list_median_us"]
    numbers["list_p99_us"] = calm["list_p99_us"]

    burst = macs.run("burst", pid=pid, macs=5_000, seconds=20)
    numbers["burst_first"] = burst["answered_at_first_packet"]
    numbers["burst_p99_ms"] = burst["list_p99_us"] / 1000
    numbers["burst_all_ms"] = burst["seconds"] * 1000
    numbers["burst_unanswered"] = burst["unanswered"]

    flood = macs.run("foreign", pid=pid, macs=200, outstanding=200, pause_ms=200, foreign_rate=50_000,
                     seconds=2 if quick else 5)
    numbers["flood_rate"] = flood["foreign_per_s"]
    numbers["flood_selects"] = flood["selects_per_s"]
    numbers["flood_selects_lost"] = flood["selects_lost"]
    numbers["flood_lists_lost"] = flood["lists_lost"]
    numbers["flood_cpu"] = flood["server_cpu_seconds"] / flood["seconds"]

    select = macs.run("select", pid=pid, macs=REMEMBERED_MACS, count=REMEMBERED_MACS, outstanding=64, seconds=30)
    numbers["select_per_s"] = select["selects_per_s"]
    numbers["select_median_us"] = select["select_median_us"]
    numbers["select_p99_us"] = select["select_p99_us"]
    numbers["select_lost"] = select["selects_lost"] + select["lists_lost"]
    # Beside the records, all that the work left in the heap.
    numbers["per_mac_bytes"] = (resident_kib(process) - numbers["idle_kib"]) * 1024 / REMEMBERED_MACS
    numbers["wrong"] = busy["wrong"] + calm["wrong"] + burst["wrong"] + flood["wrong"] + select["wrong"]
    return numbers


WORST = {"burst_first": min}
LOSSES = ("list_lost", "select_lost", "flood_selects_lost", "flood_lists_lost", "burst_unanswered", "wrong")


def combine(rounds):
    combined = {}
    for key in rounds[0]:
        choose = WORST.get(key, max if key in LOSSES else statistics.median)
        combined[key] = choose(numbers[key] for numbers in rounds)
    return combined


ROWS = (
    ("LIST, 64 outstanding, 2,000 Macs: answers per second", "list_per_s", "{:,.0f}"),
    ("... processor time of the server per answer, µs", "list_cpu_us", "{:.2f}"),
    ("... 99th percentile, µs", "list_busy_p99_us", "{:,.0f}"),
    ("... lost", "list_lost", "{:,}"),
    ("LIST, one outstanding: median, µs", "list_median_us", "{:.1f}"),
    ("... 99th percentile, µs", "list_p99_us", "{:.1f}"),
    ("LIST then SELECT, 64 outstanding, 20,000 Macs: pairs per second", "select_per_s", "{:,.0f}"),
    ("... SELECT: median, µs", "select_median_us", "{:,.0f}"),
    ("... SELECT: 99th percentile, µs", "select_p99_us", "{:,.0f}"),
    ("... lost", "select_lost", "{:,}"),
    ("5,000 LISTs at once: answered at the first packet", "burst_first", "{:,}"),
    ("... 99th percentile, ms", "burst_p99_ms", "{:,.1f}"),
    ("... last answer after, ms", "burst_all_ms", "{:,.1f}"),
    ("50,000 foreign packets/s beside 200 Macs: SELECTs lost", "flood_selects_lost", "{:,}"),
    ("... LISTs lost", "flood_lists_lost", "{:,}"),
    ("... SELECTs answered per second (1,000 is all)", "flood_selects", "{:,.0f}"),
    ("... processor, of one", "flood_cpu", "{:.2f}"),
    ("Resident memory when idle, KiB", "idle_kib", "{:,.0f}"),
    ("... more per remembered Mac, bytes", "per_mac_bytes", "{:,.0f}"),
    ("Start to first answer, ms", "first_ms", "{:.1f}"),
)


def targets_of(results):
    pomona, floor = results["pomona"], results["floor"]
    peers = [results[name] for name in PEERS]

    def best(key, choose):
        return choose(peer[key] for peer in peers)

    def at_least(text, value, wanted, form="{:.2f}"):
        return Target(text, form.format(value), value >= wanted)

    def at_most(text, value, wanted, form="{:.2f}"):
        return Target(text, form.format(value), value <= wanted)

    return [
        at_least("LIST, 64 outstanding: at least 3 times the better peer",
                 pomona["list_per_s"] / best("list_per_s", max), 3),
        at_least("LIST, 64 outstanding: at least 0.6 of the floor", pomona["list_per_s"] / floor["list_per_s"], 0.6),
        at_most("LIST, one outstanding: median at most 1.2 times the floor's",
                pomona["list_median_us"] / floor["list_median_us"], 1.2),
        at_least("LIST then SELECT, kept: at least 2 times the better peer, which keeps nothing",
                 pomona["select_per_s"] / best("select_per_s", max), 2),
        at_least("5,000 at once: every one answered at its first packet", pomona["burst_first"], 5_000, "{:,}"),
        at_most("5,000 at once: 99th percentile at most 3 times the floor's",
                pomona["burst_p99_ms"] / floor["burst_p99_ms"], 3),
        at_most("50,000 foreign packets/s: no SELECT lost", pomona["flood_selects_lost"], 0, "{:,}"),
        at_most("Resident memory when idle: at most 16 MiB", pomona["idle_kib"] / 1024, 16, "{:.1f}"),
        at_most("Memory per remembered Mac: at most 1,024 bytes", pomona["per_mac_bytes"], 1024, "{:,.0f}"),
        *(at_most(f"Start to first answer: no longer than {name}", pomona["first_ms"] / results[name]["first_ms"], 1)
          for name in PEERS),
    ]


def measure(build, quick, rounds):
    """Returns a section of Markdown and the list of targets."""
    programs = build / "tests" / "bench"
    servers = [Floor(programs / "bench_floor"), Pomona(build / "src" / "app" / "pomona"), Dnsmasq(), IscDhcpd()]
    collected = {server.name: [] for server in servers}
    with Lab() as lab:
        macs = Macs(lab, programs / "bench_bsdp_load")
        for turn in range(rounds):
            for server in servers:
                print(f"bsdp: round {turn + 1} of {rounds}: {server.name}", flush=True)
                collected[server.name].append(measure_server(lab, macs, server, quick))
    results = {name: combine(numbers) for name, numbers in collected.items()}
    broken = [name for name, numbers in results.items() if numbers["wrong"]]
    if broken:
        raise RuntimeError("wrong answers from " + ", ".join(broken))
    names = [server.name for server in servers]
    lines = ["## Finding and choosing an image (BSDP)", "",
             "The same Macs, packets and path for all; every server offers one image and writes its ordinary log to a "
             "file. dnsmasq and dhcpd answer with fixed octets and remember nothing; Pomona keeps every choice so "
             "that it survives the sudden end of the process before the Mac hears of it.", ""]
    lines += table(["", *names], [[text, *(form.format(results[name][key]) for name in names)]
                                  for text, key, form in ROWS])
    lines += ["", "Versions:", ""] + [f"- {server.name}: {server.version()}" for server in servers]
    idle = min(numbers["generator_idle"] for numbers in results.values())
    lines += ["", f"The load generator was idle for at least {idle:.0%} of the time of every 64-outstanding run.", ""]
    return "\n".join(lines), targets_of(results)
