"""Markdown tables and targets, shared by the measurements."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Target:
    text: str
    measured: str
    met: bool


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def target_table(targets):
    return table(["target", "measured", ""],
                 [[target.text, target.measured, "met" if target.met else "**not met**"] for target in targets])


def machine():
    processor = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} processors ({processor}), {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, "
            f"veth between two network namespaces")
