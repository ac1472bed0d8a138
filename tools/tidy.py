#!/usr/bin/env python3
"""Runs clang-tidy over the sources that the dev build compiles; a file that has passed is not looked at again
until it changes.

Usage: tools/tidy.py [-j JOBS] [--times] [--all] [FILE-PATTERN...]    patterns are searched for in the file's path

A file has passed with: the text of every file it includes (asked from the compiler), its compile command, the
.clang-tidy files above it and the version of clang-tidy. All this is noted in .cache/clang-tidy/ when it passes
and compared the next time. --all looks at every file; --times adds the seconds of each.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/dev"
CACHE = ROOT / ".cache/clang-tidy"
TIDY = "clang-tidy-19"


def digest_of(path: str) -> str:
    try:
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    except OSError:
        return "gone"


# The system's headers stay as they are during a run; they are read once.
digest_of_system_file = functools.cache(digest_of)


def digests_of(paths) -> dict[str, str]:
    return {path: digest_of(path) if path.startswith(f"{ROOT}/") else digest_of_system_file(path) for path in paths}


@functools.cache
def version() -> str:
    return subprocess.run([TIDY, "--version"], capture_output=True, text=True, check=True).stdout


def settings_of(path: str) -> str:
    """The program, and every .clang-tidy in a folder above the file."""
    configs = [folder / ".clang-tidy" for folder in pathlib.PurePath(path).parents]
    return version() + "".join(f"{config} {digest_of(str(ROOT / config))}\n" for config in configs)


class Unit:
    """One source file with its command in the compilation database."""

    def __init__(self, entry: dict):
        self.path = os.path.relpath(entry["file"], ROOT)
        self.folder = entry["directory"]
        self.command = shlex.split(entry["command"])
        self.record = CACHE / (self.path.replace("/", "+") + ".json")

    def has_passed(self) -> bool:
        try:
            passed = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return False
        return (passed["settings"] == settings_of(self.path) and passed["command"] == self.command
                and passed["files"] == digests_of(passed["files"]))

    def included_files(self) -> list[str]:
        command = list(self.command)
        if os.path.basename(command[0]) == "ccache":
            del command[0]
        at = command.index("-o")
        del command[at:at + 2]
        rule = subprocess.run([*command, "-M"], cwd=self.folder, capture_output=True, text=True, check=True).stdout
        names = shlex.split(rule.replace("\\\n", " "))[1:]
        return [os.path.realpath(os.path.join(self.folder, name)) for name in names]

    def look(self) -> tuple[bool, str, float]:
        """True if clang-tidy has nothing to say; else what it says."""
        started = time.monotonic()
        settings = settings_of(self.path)
        try:
            files = digests_of(self.included_files())
        except subprocess.CalledProcessError as error:
            return False, error.stderr, time.monotonic() - started
        done = subprocess.run([TIDY, "--quiet", "-p", str(BUILD), str(ROOT / self.path)],
                              cwd=ROOT, capture_output=True, text=True)
        passed = done.returncode == 0 and not re.search(r"(warning|error):", done.stdout)
        # Whoever edits a file meanwhile does not know which of its versions has passed.
        if passed and files == digests_of(files):
            CACHE.mkdir(parents=True, exist_ok=True)
            fresh = self.record.with_suffix(".new")
            fresh.write_text(json.dumps({"settings": settings, "command": self.command, "files": files}))
            fresh.replace(self.record)
        return passed, done.stdout or done.stderr, time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("patterns", nargs="*")
    options = parser.parse_args()

    # Again each time: sources may have come since. It takes a moment and changes nothing that is up to date.
    subprocess.run(["cmake", "--preset", "dev"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    database = json.loads((BUILD / "compile_commands.json").read_text())
    units = {unit.path: unit for unit in map(Unit, database)}
    wanted = [unit for path, unit in sorted(units.items())
              if not options.patterns or any(re.search(pattern, path) for pattern in options.patterns)]
    left = [unit for unit in wanted if options.all or not unit.has_passed()]

    failed = 0
    said_before = set()
    saying = threading.Lock()

    def report(unit: Unit):
        nonlocal failed
        passed, said, seconds = unit.look()
        with saying:
            if options.times:
                print(f"{seconds:6.1f} s  {unit.path}", flush=True)
            if passed:
                return
            failed += 1
            # A finding in a header comes once from every file that includes it.
            for finding in re.split(r"\n(?=/)", said):
                if finding not in said_before:
                    said_before.add(finding)
                    print(finding.replace(f"{ROOT}/", ""), flush=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(report, left))
    print(f"{len(wanted)} files, {len(left)} looked at, {failed} not clean")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
