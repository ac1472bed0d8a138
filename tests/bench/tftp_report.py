"""Runs tftp_bench.py as the measurement of TFTP and turns its figures into a section and targets."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import tftp_bench
from bench_report import Target

PEERS = ("tftpd-hpa", "atftpd", "dnsmasq")
TRAIN_WINDOW = 16

# Of each server in each cell.
SECONDS = 2.0

QUICK = ("--clients", "1,50", "--sizes", "1.5", "--windows", "1,16", "--losses", "0", "--seconds", "1")


def share_target(text, cells, holds):
    good = sum(1 for cell in cells if holds(cell))
    return Target(text, f"{good} of {len(cells)} cells", good == len(cells))


def peers_in(cell):
    return [cell["servers"][name] for name in PEERS if name in cell["servers"]]


def targets_of(cells):
    def ratio(cell):
        best = max(peer["rate"] for peer in peers_in(cell))
        return cell["servers"]["pomona"]["rate"] / best if best else float("inf")

    def thrifty(cell):
        theirs = [peer["cpu_per_gb"] for peer in peers_in(cell) if peer["cpu_per_gb"] and not peer["failures"]]
        ours = cell["servers"]["pomona"]["cpu_per_gb"]
        return not theirs or (ours is not None and ours <= min(theirs))

    trains = [cell for cell in cells if cell["windowsize"] >= TRAIN_WINDOW and not cell["loss"]]
    crowds = [cell for cell in cells if cell["clients"] >= 1_000]
    targets = [share_target("TFTP: at least the rate of the best peer", cells, lambda cell: ratio(cell) >= 1)]
    if trains:
        targets.append(share_target(f"TFTP from window {TRAIN_WINDOW}, no loss: at least 4 times the best peer", trains,
                                    lambda cell: ratio(cell) >= 4))
    if crowds:
        targets.append(share_target("TFTP, 1,000 clients: no failed transfer", crowds,
                                    lambda cell: not cell["servers"]["pomona"]["failures"]))
    targets.append(share_target("TFTP: processor time per GB no higher than of any peer that failed no transfer", cells,
                                thrifty))
    return targets


def measure(build, quick, rounds):
    """One pass whatever `rounds` says: it has many cells, and each runs every server in turn."""
    del rounds
    script = Path(__file__).with_name("tftp_bench.py")
    with tempfile.TemporaryDirectory(prefix="pomona-bench-") as folder:
        figures, text = Path(folder) / "figures.json", Path(folder) / "table.md"
        subprocess.run([sys.executable, script, "--build", build, "--json", figures, "--markdown", text,
                        "--seconds", str(SECONDS), *(QUICK if quick else ())], check=True, stdout=subprocess.DEVNULL)
        cells = json.loads(figures.read_text())
        memory = tftp_bench.memory_per_transfer(Path(build))
        section = "\n".join([
            "## Downloading (TFTP)", "", text.read_text(),
            "Resident memory of `pomona serve` with 1,000 running transfers, above idle, KiB per transfer: "
            + ", ".join(f"{kib:.1f} with window {window}" for window, kib in memory.items()) + ".", ""])
    most = max(memory.values())
    held = Target("Memory per running transfer, of the daemon with 1,000: at most 64 KiB", f"{most:.1f}", most <= 64)
    return section, [*targets_of(cells), held]
