#!/usr/bin/env python3
"""Checks the includes of src/ and include/ against the table of layers (docs/structure.md).

Usage: check_layers.py [ROOT]        exit code 1 and one line per breach if there is one
       check_layers.py --self-test   checks the check on a made-up tree
"""

import pathlib
import re
import sys
import tempfile

# module -> modules it may include (itself always)
ALLOWED = {
    "base": set(),
    "codec": {"base"},
    "model": {"base", "codec"},
    "policy": {"base", "codec", "model"},
    "io": {"base"},
    "store": {"base", "codec", "model", "io"},
    "servers": {"base", "codec", "model", "policy", "io", "store"},
    "app": {"base", "codec", "model", "policy", "io", "store", "servers"},
}
# Headers of these lie in include/pomona/<module>/ and they know no system: no sockets, files, clocks, logs.
PURE = {"base", "codec", "model", "policy"}

# Libraries: a pattern of the include, and where it may stand: modules, or files without their ending.
LIBRARIES = [
    (r"pcap(/.*|\.h$)", {"io/frame_port"}),
    (r"pugixml", {"codec/plist", "codec/plist_xml", "codec/plist_xml_writer"}),
    (r"sqlite3", {"store"}),
    (r"libpq|postgresql", {"store"}),
    (r"(spdlog|fmt)/", {"servers", "app"}),
    (r"boost/asio", {"io", "store", "servers", "app"}),
    (r"boost/program_options", {"app"}),
    (r"nlohmann/", {"servers", "app"}),
    (r"microhttpd", {"servers"}),
    (r"prometheus/", {"servers"}),
    (r"systemd/", {"app"}),
    (r"seccomp", {"app"}),
    (r"sys/capability|linux/capability", {"app"}),
]
KNOWN_LIBRARY = re.compile("|".join(f"(?:{pattern})" for pattern, _ in LIBRARIES))
# What a pure module may take of the standard library excludes all that reaches out of the process.
OUTSIDE_WORLD = {
    "condition_variable", "filesystem", "fstream", "future", "iostream", "semaphore", "stop_token", "thread",
    "random",
}
CLOCKS = re.compile(r"\b(system_clock|steady_clock|high_resolution_clock)::now\b|\b(std::)?time\(nullptr\)")
# <cstdio> is there for snprintf alone.
FILES = re.compile(r"\b(fopen|popen|printf|fprintf|puts|fputs|fwrite|perror)\(|\bstd(out|err)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def module_of(header):
    """The module of ours that a header belongs to, or None."""
    name = header.removeprefix("pomona/")
    first = name.split("/")[0]
    return first if "/" in name and first in ALLOWED else None


def library_breach(module, unit, header):
    for pattern, places in LIBRARIES:
        if re.match(pattern, header) and module not in places and unit not in places:
            return f"<{header}> may stand only in {', '.join(sorted(places))}"
    return None


def breaches_of_include(module, unit, quote, header, beside):
    """Why this include may not stand here, or None."""
    other = module_of(header)
    if other is not None:
        if other != module and other not in ALLOWED[module]:
            return f"{module} may not include {other} ({header})"
        in_public_tree = header.startswith("pomona/")
        if in_public_tree != (other in PURE):
            opening = "<pomona/" if other in PURE else '"'
            return f"{header}: headers of {other} are included as {opening}{other}/..."
        if in_public_tree != (quote == "<"):
            return f"{header}: write {'<...>' if in_public_tree else 'double quotes'}"
        return None
    if quote == '"':
        # What a pure module keeps to itself lies beside its sources.
        if module in PURE and "/" not in header and (beside / header).exists():
            return None
        return f'"{header}" is no header of a module'
    breach = library_breach(module, unit, header)
    if breach is not None:
        return breach
    if module in PURE and not KNOWN_LIBRARY.match(header):
        if header in OUTSIDE_WORLD:
            return f"<{header}> reaches out of the process: {module} is pure"
        if "/" in header or header.endswith(".h"):
            return f"<{header}> is of the system: {module} is pure"
    return None


def check_file(root, path, found):
    relative = path.relative_to(root)
    parts = relative.parts
    inner = parts[2:] if parts[0] == "include" else parts[1:]
    if parts[0] == "include" and (len(parts) < 4 or parts[1] != "pomona" or parts[2] not in PURE):
        found.append(f"{relative}: only headers of pure modules lie below include/pomona/")
        return
    module = inner[0]
    if len(inner) < 2 or module not in ALLOWED:
        found.append(f"{relative}: it belongs to no module")
        return
    if parts[0] == "src" and module in PURE and path.suffix == ".hpp" and (
            root / "include" / "pomona" / module / path.name).exists():
        found.append(f"{relative}: a header of that name lies below include/pomona/")
    unit = "/".join(inner).rsplit(".", 1)[0]
    in_comment = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = INCLUDE.match(line)
        if match:
            breach = breaches_of_include(module, unit, *match.groups(), path.parent)
            if breach is not None:
                found.append(f"{relative}:{number}: {breach}")
        if "/*" in line or "*/" in line:
            in_comment = "/*" in line and "*/" not in line
        code = line.split("//")[0]
        if module in PURE and not in_comment and CLOCKS.search(code):
            found.append(f"{relative}:{number}: {module} is pure: time is an argument")
        if module in PURE and not in_comment and FILES.search(code):
            found.append(f"{relative}:{number}: {module} is pure: it writes nothing")


def check_tree(root):
    found = []
    files = [path for top in ("src", "include") for path in sorted((root / top).rglob("*"))
             if path.suffix in (".hpp", ".cpp", ".h", ".cc")]
    if not files:
        found.append(f"{root}: there are no sources")
    for path in files:
        check_file(root, path, found)
    return found


# A made-up tree: file -> (its text, what the check must say of it, or None)
MADE_UP = {
    "include/pomona/base/good.hpp": ("#include <string>\n#include <cstdint>\n", None),
    "include/pomona/policy/good.hpp": ("#include <pomona/base/good.hpp>\n#include <pomona/model/x.hpp>\n", None),
    "src/codec/plist.cpp": ("#include <pomona/codec/plist.hpp>\n#include <pugixml.hpp>\n", None),
    "src/io/frame_port.cpp": ('#include "io/frame_port.hpp"\n#include <pcap/pcap.h>\n#include <net/if.h>\n', None),
    "src/store/good.cpp": ('#include "store/good.hpp"\n#include <sqlite3.h>\n', None),
    "src/servers/good.cpp": ('#include "io/x.hpp"\n#include <spdlog/logger.h>\n', None),
    "src/app/good.cpp": ('#include "servers/x.hpp"\n#include <boost/program_options/parsers.hpp>\n', None),
    "src/model/rules.hpp": ("\n", None),
    "src/model/inner.cpp": ('#include "rules.hpp"\n#include <cstdio>\nauto n = std::snprintf(a, 1, "");\n', None),
    "src/policy/commented.cpp": ("// steady_clock::now is not for us\n", None),
    "include/pomona/base/upward.hpp": ("#include <pomona/codec/x.hpp>\n", "base may not include codec"),
    "src/policy/upward.cpp": ('#include "servers/log.hpp"\n', "policy may not include servers"),
    "src/io/sideways.cpp": ('#include "store/x.hpp"\n', "io may not include store"),
    "src/store/sideways.cpp": ("#include <pomona/policy/x.hpp>\n", "store may not include policy"),
    "src/servers/upward.cpp": ('#include "app/settings.hpp"\n', "servers may not include app"),
    "src/io/other.cpp": ("#include <pcap.h>\n", "<pcap.h> may stand only in io/frame_port"),
    "src/codec/other.cpp": ("#include <pugixml.hpp>\n", "<pugixml.hpp> may stand only in codec/plist"),
    "src/app/database.cpp": ("#include <sqlite3.h>\n", "<sqlite3.h> may stand only in store"),
    "src/policy/logs.cpp": ("#include <spdlog/spdlog.h>\n", "may stand only in app, servers"),
    "src/codec/socket.cpp": ("#include <sys/socket.h>\n", "<sys/socket.h> is of the system: codec is pure"),
    "src/model/disk.cpp": ("#include <filesystem>\n", "<filesystem> reaches out of the process: model is pure"),
    "src/policy/clock.cpp": ("auto now = std::chrono::system_clock::now();\n", "time is an argument"),
    "src/model/prints.cpp": ('#include <cstdio>\nauto n = std::printf("");\n', "it writes nothing"),
    "src/app/wrong_quotes.cpp": ('#include "pomona/base/x.hpp"\n', "write <...>"),
    "src/app/wrong_place.cpp": ('#include "base/x.hpp"\n', "headers of base are included as <pomona/base/"),
    "src/app/beside.cpp": ('#include "settings.hpp"\n', "is no header of a module"),
    "src/helpers/x.cpp": ("\n", "it belongs to no module"),
    "src/stray.cpp": ("\n", "it belongs to no module"),
    "include/pomona/servers/x.hpp": ("\n", "only headers of pure modules"),
}


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        if not check_tree(root):
            print("self-test: an empty tree passed")
            return 1
        for name, (text, _) in MADE_UP.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        found = check_tree(root)
    wrong = 0
    for name, (_, expected) in MADE_UP.items():
        said = [line for line in found if line.startswith((name + ":", name + " "))]
        fits = not said if expected is None else len(said) == 1 and expected in said[0]
        if not fits:
            print(f"self-test: {name}: expected {expected!r}, got {said}")
            wrong += 1
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    here = pathlib.Path(__file__).resolve().parent.parent
    found = check_tree(pathlib.Path(arguments[0]).resolve() if arguments else here)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
