"""Starts `pomona serve` in a namespace, makes image folders for it, and asks its other subcommands."""

import hashlib
import json
import os
import pathlib
import plistlib
import random
import signal
import struct

import lab

PROGRAM = os.environ.get("POMONA_BIN", "pomona")
GRUB_INDEX = 4097


def efi_program(size=60_000, machine=0x8664, seed=1):
    """The header of an EFI program of the given width, then bytes that compress badly and never repeat."""
    head = bytearray(0x100)
    head[0:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    head[0x80:0x84] = b"PE\0\0"
    optional = 0x20B if machine == 0x8664 else 0x10B
    struct.pack_into("<HHIIIHH", head, 0x84, machine, 0, 0, 0, 0, 0xF0, 0x22)
    struct.pack_into("<H", head, 0x98, optional)
    # Subsystem of the optional header: an EFI application.
    struct.pack_into("<H", head, 0x98 + 68, 10)
    return bytes(head) + random.Random(seed).randbytes(size - len(head))


def image_id(index, install=True, kind=1):
    return (0x80000000 if install else 0) | kind << 24 | index


class Images:
    """An image root. Folders appear in it whole, by rename, as a careful administrator would put them there."""

    def __init__(self, lab_, name="images"):
        self.path = lab_.path(name, "x").parent
        self.path.chmod(0o755)

    def add(self, folder, index, name=None, program=None, binary=False, **keys):
        """Makes FOLDER.nbi and returns its id; `keys` go into the property list, None removes one."""
        plist = {"Name": name or folder, "Index": index, "Type": "BootFileOnly", "Kind": 1, "IsInstall": True,
                 "IsEnabled": True, "IsDefault": False, "Architectures": ["i386"], "BootFile": "booter", **keys}
        plist = {key: value for key, value in plist.items() if value is not None}
        made = self.path / f".{folder}.new"
        (made / "i386").mkdir(parents=True)
        (made / "i386" / "booter").write_bytes(efi_program() if program is None else program)
        form = plistlib.FMT_BINARY if binary else plistlib.FMT_XML
        (made / "NBImageInfo.plist").write_bytes(plistlib.dumps(plist, fmt=form))
        made.rename(self.path / f"{folder}.nbi")
        return image_id(index, keys.get("IsInstall", True), keys.get("Kind", 1))

    def booter(self, folder):
        return self.path / f"{folder}.nbi" / "i386" / "booter"


class Pomona:
    """The settings of one server, and the process while it runs."""

    def __init__(self, namespace, *interfaces, images, name="pomona", user="", arguments=()):
        self.namespace = namespace
        self.name = name
        self.state = namespace.lab.path(name, "state", "x").parent
        # The folder of a server that gives up root must belong to the user it becomes.
        self.state.parent.chmod(0o755)
        self.state.chmod(0o777)
        self.control = self.state / "control.sock"
        self.images = images
        self.arguments = ["--image-root", f"NetBootSP0={images.path}", "--state-dir", str(self.state),
                          "--control-socket", str(self.control), "--user", user, "--log-level", "debug",
                          *arguments]
        for interface in interfaces:
            self.arguments += ["--interface", interface]
        empty = namespace.lab.path("empty.conf")
        empty.touch()
        # A server installed on this host keeps its own settings to itself.
        self.environment = dict(lab.ENVIRONMENT, POMONA_CONFIG=str(empty))
        self.process = None
        self._starts = 0

    def start(self, ready=True):
        """Starts serving and waits until it says so."""
        self._starts += 1
        self.process = self.namespace.start(PROGRAM, "serve", *self.arguments, name=f"{self.name}-{self._starts}",
                                            env=self.environment)
        if ready:
            self.process.wait_for(r"\bserving\b")
        return self

    def stop(self):
        """Ends serving in an orderly way and checks that it was one."""
        code = self.process.stop(signal.SIGTERM)
        output = self.process.output
        assert code == 0, f"pomona serve ended with {code}:\n{output[-4000:]}"
        for word in ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:"):
            assert word not in output, f"{word} spoke:\n{output[-8000:]}"

    def refused(self, seconds=15):
        """Starts a server that must give up; returns its exit code and what it said."""
        self.start(ready=False)
        code = self.process.wait(seconds)
        return code, self.process.output

    def command(self, *arguments, check=True):
        """Another subcommand of the program, on the same machine and with the same control socket and state."""
        return self.namespace.run(PROGRAM, *arguments, "--control-socket", str(self.control), "--state-dir",
                                  str(self.state), check=check, env=self.environment)

    def machines(self):
        """What `machine list --json` says."""
        return json.loads(self.command("machine", "list", "--json").stdout)["machines"]


def sha256(data):
    if isinstance(data, pathlib.Path):
        data = data.read_bytes()
    return hashlib.sha256(data).hexdigest()


def serve(test, lan, address="10.0.1.11/24", arguments=(), images=None, **more):
    """The usual scene: a server at `address` with one default image "grub"; it is stopped when the test ends."""
    namespace = test.lab.namespace("server")
    lan.join(namespace, "eth0", *([address] if isinstance(address, str) else address))
    if images is None:
        images = Images(test.lab)
        images.add("grub", GRUB_INDEX, "GRUB 2 (lab)", IsDefault=True)
    server = Pomona(namespace, "eth0", images=images, arguments=arguments, **more)
    test.addCleanup(lambda: server.process and server.process.running and server.stop())
    return server


class ServerTestCase(lab.LabTestCase):
    """A test with a LAN; most start their server by self.serve()."""

    def setUp(self):
        super().setUp()
        self.lan = self.lab.lan()

    def serve(self, **more):
        return serve(self, self.lan, **more).start()
