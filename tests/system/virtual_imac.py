"""A virtual iMac: UEFI firmware in QEMU whose only network boot is Apple's, played by the program of tests/imac; then
whatever real loader it was given. Emulated without help of the processor, so that it runs anywhere."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile

import lab

PROGRAMS = pathlib.Path(os.environ.get("POMONA_IMAC_DIR", "build/dev/tests/imac"))
CACHE = pathlib.Path("/var/cache/pomona-tests")
MAC = "40:6c:8f:12:34:01"

_OVMF = pathlib.Path("/usr/share/OVMF")
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;=?]*[A-Za-z]|[()][A-Z0-9]|c)|\r")
# What a loader's messages may take here, from power-on.
BOOT_SECONDS = 90


def _setting(value):
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


class Imac:
    """One iMac at a port of `lan`; `settings` are those of imac.cfg, with _ for -. power_on() starts it."""

    def __init__(self, lab_, lan, label="imac", mac=MAC, ia32=False, **settings):
        self.label = label
        self.mac = mac
        self.ia32 = ia32
        self.process = None
        self._switch = lan.switch
        self.port = lan.tap()
        self._folder = lab_.path(label, "x").parent
        self._monitor = self._folder / "monitor.sock"
        self._starts = 0
        self.disk = self._folder / "disk.img"
        config = "".join(f"{key.replace('_', '-')}={_setting(value)}\n" for key, value in settings.items())
        make_disk(self.disk, PROGRAMS / ("imac-ia32.efi" if ia32 else "imac-x64.efi"), config, ia32)

    def power_on(self):
        self._starts += 1
        # Firmware writes into its variables; each start finds them as they were delivered.
        variables = self._folder / "variables.fd"
        shutil.copyfile(_OVMF / ("OVMF32_VARS_4M.fd" if self.ia32 else "OVMF_VARS.fd"), variables)
        self.process = self._switch.start("qemu-system-x86_64", *self._arguments(variables),
                                          name=f"{self.label}-{self._starts}",
                                          clean=lambda line: _ESCAPES.sub("", line))
        return self

    def _arguments(self, variables):
        code = "OVMF32_CODE_4M.secboot.fd" if self.ia32 else "OVMF_CODE.fd"
        # Debian's 32-bit firmware is only there in the kind that keeps its variables behind system management mode.
        width = ["-machine", "q35,accel=tcg,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"] \
            if self.ia32 else ["-machine", "q35,accel=tcg"]
        return [*width, "-cpu", "max", "-m", "768", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
                "-qmp", f"unix:{self._monitor},server=on,wait=off",
                "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={_OVMF / code}",
                "-drive", f"if=pflash,format=raw,unit=1,file={variables}",
                # A Mac has no PXE, and loaders behave differently where there is one.
                "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
                "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n",
                "-drive", f"if=none,id=disk,format=raw,readonly=on,file={self.disk}",
                "-device", "virtio-blk-pci,drive=disk,bootindex=0",
                # Without a boot index the firmware leaves the card alone, without romfile= a loader of QEMU's takes it.
                "-netdev", f"tap,id=net,ifname={self.port},script=no,downscript=no",
                "-device", f"virtio-net-pci,netdev=net,mac={self.mac},romfile=,bootindex=1"]

    def wait_for(self, pattern, seconds=BOOT_SECONDS, after=0):
        """The first line of its console that holds the regular expression; escape sequences are left out."""
        return self.process.wait_for(pattern, seconds, after)

    def mark(self):
        return self.process.mark()

    @property
    def output(self):
        return self.process.output

    def wait_off(self, seconds=BOOT_SECONDS):
        """Waits until it has switched itself off, and returns everything that it said."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.label} is still on:\n{self.output[-3000:]}") from None
        assert code == 0, f"QEMU ended with {code}:\n{self.output[-3000:]}"
        return self.output

    def power_off(self):
        """Pulls the plug."""
        self.process.kill()

    def reset(self):
        """Presses the reset button."""
        with self._commands() as command:
            command("set-action", reboot="reset")
            command("system_reset")
            command("set-action", reboot="shutdown")

    @contextlib.contextmanager
    def _commands(self):
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(10 * lab.PATIENCE)
            monitor.connect(str(self._monitor))
            lines = monitor.makefile("rw", encoding="utf-8")
            lines.readline()

            def command(name, **arguments):
                lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                lines.flush()
                while "return" not in (answer := json.loads(lines.readline())):
                    assert "error" not in answer, f"QEMU refuses {name}: {answer}"

            command("qmp_capabilities")
            yield command


def make_disk(disk, program, config, ia32=False):
    """A FAT image from which UEFI firmware of that width starts `program`, with its settings beside it."""
    with open(disk, "wb") as made:
        made.truncate(4 << 20)

    def mtool(name, *arguments, stdin=None):
        subprocess.run([name, "-i", str(disk), *arguments], check=True, input=stdin, capture_output=True, timeout=30)

    mtool("mformat", "::")
    mtool("mmd", "::/EFI", "::/EFI/BOOT")
    mtool("mcopy", str(program), f"::/EFI/BOOT/{'BOOTIA32' if ia32 else 'BOOTX64'}.EFI")
    mtool("mcopy", "-", "::/imac.cfg", stdin=config.encode())


# Loaders

GRUB_MODULES = ["normal", "efinet", "tftp", "http", "net", "configfile", "echo", "test", "serial", "terminal", "boot",
                "linux", "cat", "sleep", "halt", "reboot"]


def grub(lab_, *commands, ia32=False):
    """Debian's GRUB as a file with an embedded configuration, on the serial line only."""
    form = "i386-efi" if ia32 else "x86_64-efi"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="grub-", dir=lab_.folder))
    config = folder / "embedded.cfg"
    config.write_text("\n".join(["serial --unit=0 --speed=115200", "terminal_output serial", *commands]) + "\n",
                      encoding="ascii")
    made = folder / "grub.efi"
    subprocess.run(["grub-mkimage", "-O", form, "-d", f"/usr/lib/grub/{form}", "-c", config, "-p", "/grub", "-o", made,
                    *GRUB_MODULES], check=True, capture_output=True, timeout=60)
    return made.read_bytes()


def universal(x64, ia32):
    """Apple's container with a program of each width."""
    slices = [(0x01000007, x64), (0x00000007, ia32)]
    at = 8 + 20 * len(slices)
    head = struct.pack("<II", 0x0EF1FAB9, len(slices))
    for cpu, program in slices:
        head += struct.pack("<IIIII", cpu, 3, at, len(program), 0)
        at += len(program)
    return head + x64 + ia32


# Linux

def kernel():
    """Debian's kernel for virtual machines; fetched with apt once and kept."""
    CACHE.mkdir(parents=True, exist_ok=True)
    kept = CACHE / "vmlinuz"
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _fetch_kernel(kept)
    return kept


def _fetch_kernel(kept):
    def output(*command, **more):
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, **more).stdout

    package = re.search(r"Depends: (linux-image-[0-9]\S*-cloud-amd64)",
                        output("apt-cache", "depends", "linux-image-cloud-amd64"))
    assert package, "apt knows no linux-image-cloud-amd64: run apt-get update"
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        # apt downloads as a user of its own.
        os.chmod(folder, 0o777)
        output("apt-get", "download", package[1], cwd=folder)
        output("dpkg-deb", "-x", str(next(pathlib.Path(folder).glob("*.deb"))), f"{folder}/unpacked")
        next(pathlib.Path(folder, "unpacked/boot").glob("vmlinuz-*")).rename(kept)


_INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo "linux: $(/bin/busybox cat /proc/cmdline)"
/bin/busybox poweroff -f
"""


def initrd(lab_):
    """A root whose whole life is to print `linux: ` and the kernel's command line, and to switch off."""
    root = lab_.path("initrd", "bin", "x").parent.parent
    (root / "proc").mkdir()
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    (root / "init").write_text(_INIT, encoding="ascii")
    (root / "init").chmod(0o755)
    names = "\n".join([".", *sorted(str(path.relative_to(root)) for path in root.rglob("*"))])
    return subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=root, input=names.encode(), check=True,
                          capture_output=True, timeout=60).stdout
