#!/usr/bin/env python3
"""Real TFTP clients against the server: sizes, modes, options, a bad wire. Needs root; makes its own namespaces."""

import hashlib
import os
import random
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from tftp_lab import CLIENT, SERVER, BadWire, TftpLab  # noqa: E402

PROGRAM = os.environ.get("POMONA_TFTP_ONLY", "build/dev/tests/support/tftp_only")
SIZES = (0, 1, 511, 512, 513, 1_500_000)
WRAP = 33_600_000  # more than 65,535 blocks of 512


def octets(size):
    return random.Random(size).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


class TftpCase(unittest.TestCase):
    def setUp(self):
        self.lab = TftpLab(os.path.abspath(PROGRAM))
        self.addCleanup(self.lab.close)

    def fetched(self, name):
        path = self.lab.folder / "out" / name
        data = path.read_bytes() if path.exists() else None
        if data is not None:
            path.unlink()
        return data

    def assert_same(self, name, content, told=""):
        data = self.fetched(name)
        self.assertIsNotNone(data, f"{name} was not fetched: {told}")
        self.assertEqual((len(data), digest(data)), (len(content), digest(content)), f"{name}: {told}")

    def with_tftp(self, name, mode="binary", server=SERVER):
        done = self.lab.run_client("tftp", "-m", mode, server, "-c", "get", name)
        return done.stdout + done.stderr

    def with_atftp(self, name, *options, server=SERVER):
        flags = [part for option in options for part in ("--option", option)]
        done = self.lab.run_client("atftp", *flags, "-g", "-r", name, "-l", name, server)
        return done.stdout + done.stderr

    def with_curl(self, name, *flags, server=SERVER):
        done = self.lab.run_client("curl", "-sS", *flags, "-o", name, f"tftp://{server}/{name}")
        return done.stdout + done.stderr


class Clients(TftpCase):
    def check_all(self, *options):
        files = {f"file-{size}": self.lab.file(f"file-{size}", octets(size)) for size in (*SIZES, WRAP)}
        self.lab.start(*options)
        for name, content in files.items():
            with self.subTest(file=name):
                self.assert_same(name, content, self.with_tftp(name))
                self.assert_same(name, content, self.with_atftp(name, "blksize 1456", "windowsize 16"))
                if content:  # curl writes no file for nothing
                    self.assert_same(name, content, self.with_curl(name, "--tftp-blksize", "1456"))
        for options in (("blksize 512", "windowsize 64"), ("blksize 8192",), ("windowsize 3",), ("timeout 2",)):
            with self.subTest(options=options):
                self.assert_same(f"file-{WRAP}", files[f"file-{WRAP}"], self.with_atftp(f"file-{WRAP}", *options))
        self.assert_same(f"file-{WRAP}", files[f"file-{WRAP}"], self.with_curl(f"file-{WRAP}", "--tftp-no-options"))
        self.lab.stop()
        self.assertIn("failed=0", self.lab.wait_for_line("counters"))

    def test_a_port_per_transfer(self):
        self.check_all()

    def test_a_single_port(self):
        self.check_all("--single-port")

    def test_without_trains(self):
        content = self.lab.file("file", octets(1_500_000))
        self.lab.start("--no-trains")
        self.assert_same("file", content, self.with_atftp("file", "blksize 1456", "windowsize 64"))

    def test_netascii(self):
        text = b"one\ntwo\r\nthree\rfour\n" * 3000
        self.lab.file("text", text)
        self.lab.start()
        # Both clients undo what the server did: CR LF to LF, CR NUL to CR.
        self.assert_same("text", text, self.with_tftp("text", mode="netascii"))
        self.assert_same("text", text, self.with_atftp("text", "mode netascii"))

    def test_large_blocks_leave_in_fragments(self):
        content = self.lab.file("file", octets(1_500_000))
        self.lab.start("--max-blksize", "65464")
        self.assert_same("file", content, self.with_atftp("file", "blksize 8192", "windowsize 8"))
        self.lab.stop()
        self.assertIn("trains_refused=1", self.lab.wait_for_line("counters"))

    def test_images_by_all_their_names(self):
        content = octets(5000)
        folder = self.lab.folder / "images/My Image.nbi/i386"
        folder.mkdir(parents=True)
        (folder / "booter").write_bytes(content)
        self.lab.start("--share", f"NetBootSP0={self.lab.folder}/images")
        for path in ("nbi/NetBootSP0/My Image.nbi/i386/booter",
                     "/private/tftpboot/NetBoot/NetBootSP0/My Image.nbi/i386/booter"):
            done = self.lab.run_client("atftp", "-g", "-r", path, "-l", "booter", SERVER)
            self.assert_same("booter", content, done.stdout + done.stderr)

    def test_errors_are_told(self):
        self.lab.file("file", b"x")
        self.lab.start()
        self.assertIn("no such file", self.with_tftp("missing"))
        line = self.lab.wait_for_line("end=not-found")
        self.assertIn(f"file={self.lab.folder}/root/missing", line)
        self.assertIn(f"client={CLIENT}:", line)
        self.assertIn("not allowed", self.with_tftp("../file"))
        (self.lab.folder / "out" / "new").write_bytes(b"y")
        done = self.lab.run_client("tftp", "-m", "binary", SERVER, "-c", "put", "new")
        self.assertIn("read-only", done.stdout + done.stderr)
        self.assertFalse((self.lab.folder / "root" / "new").exists())


class BadWires(TftpCase):
    def test_lost_packets(self):
        content = self.lab.file("file", octets(1_500_000))
        self.lab.drop_every(100, self.lab.server)
        self.lab.drop_every(100, self.lab.client)
        self.lab.start()
        self.assert_same("file", content, self.with_tftp("file"))
        self.assert_same("file", content, self.with_atftp("file", "blksize 1456", "windowsize 4"))
        # curl asks for a timeout of 6 s and gets it, so each lost packet costs that long.
        short = self.lab.file("short", octets(50_000))
        self.assert_same("short", short, self.with_curl("short", "--tftp-blksize", "1456"))

    def through(self, **troubles):
        content = self.lab.file("file", octets(700_000))
        self.lab.start()
        for options in (("blksize 1456",), ("blksize 1456", "windowsize 4"), ("windowsize 16",)):
            with self.subTest(options=options):
                wire = BadWire(self.lab, **troubles)
                try:
                    told = self.with_atftp("file", *options, server="127.0.0.1")
                finally:
                    wire.close()
                self.assert_same("file", content, told)
                self.assertGreater(sum(wire.counts.values()), 0, "the wire was not bad at all")
        short = self.lab.file("short", octets(30_000))
        wire = BadWire(self.lab, **troubles)
        try:
            told = self.with_curl("short", server="127.0.0.1")
        finally:
            wire.close()
        self.assert_same("short", short, told)

    def test_loss(self):
        self.through(loss=0.01)

    def test_doubling(self):
        self.through(doubling=0.1)

    def test_reordering(self):
        self.through(reordering=0.05)

    def test_everything(self):
        self.through(loss=0.01, doubling=0.03, reordering=0.03)


class Packets(TftpCase):
    """What no client program sends, by hand."""

    def test_the_answer_comes_from_the_address_asked(self):
        self.lab.file("file", b"x" * 600)
        self.lab._run("ip", "-n", self.lab.server, "address", "add", "10.78.0.99/24", "dev", "wire")
        for options in ((), ("--single-port",)):
            with self.subTest(options=options):
                self.lab.start(*options)
                sock = self.lab.socket_in_client()
                self.addCleanup(sock.close)
                sock.settimeout(3)
                for address in (SERVER, "10.78.0.99"):
                    sock.sendto(b"\0\1file\0octet\0", (address, 69))
                    data, origin = sock.recvfrom(2000)
                    self.assertEqual(origin[0], address)
                    self.assertEqual(data[:4], b"\0\3\0\1")
                    sock.sendto(b"\0\4\0\1", origin)
                    data, origin = sock.recvfrom(2000)
                    self.assertEqual((origin[0], data[:4]), (address, b"\0\3\0\2"))
                    sock.sendto(b"\0\4\0\2", origin)
                    self.lab.wait_for_line(f"local={address} ")
                    sock.sendto(b"\0\1gone\0octet\0", (address, 69))
                    data, origin = sock.recvfrom(2000)
                    self.assertEqual((origin[0], data[:4]), (address, b"\0\5\0\1"))
                self.lab.stop()

    def sock(self):
        sock = self.lab.socket_in_client()
        self.addCleanup(sock.close)
        sock.settimeout(3)
        return sock

    def test_uefi_asks_for_the_size_and_then_for_the_file(self):
        # As edk2's PXE client does it: ERROR 8 after the OACK ends what was never meant to be a transfer.
        content = self.lab.file("grub.efi", octets(10_000))
        for options in ((), ("--single-port",)):
            with self.subTest(options=options):
                self.lab.start(*options)
                sock = self.sock()
                sock.sendto(b"\0\1grub.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0", (SERVER, 69))
                oack, origin = sock.recvfrom(2000)
                self.assertEqual(oack, b"\0\6tsize\x0010000\0blksize\x001456\0windowsize\x004\0")
                sock.sendto(b"\0\5\0\x08User aborted the transfer\0", origin)
                self.lab.wait_for_line("end=declined")
                sock.sendto(b"\0\1grub.efi\0octet\0blksize\x001468\0windowsize\x004\0", (SERVER, 69))
                oack, origin = sock.recvfrom(2000)
                self.assertEqual(oack, b"\0\6blksize\x001456\0windowsize\x004\0")
                sock.sendto(b"\0\4\0\0", origin)
                got = b""
                while len(got) < len(content):
                    for _ in range(4):
                        data = sock.recv(2000)
                        got += data[4:]
                        if len(data) < 4 + 1456:
                            break
                    sock.sendto(b"\0\4" + data[2:4], origin)
                self.assertEqual(digest(got), digest(content))
                self.lab.stop()

    def test_grub_gets_the_oack_that_it_cannot_do_without(self):
        self.lab.file("grub/grub.cfg", b"x" * 1500)
        self.lab.start()
        # With the slash as GRUB writes it, doubled as GRUB 2.02 may, and without as PXE firmware does.
        for name in (b"/grub/grub.cfg", b"//grub//grub.cfg", b"grub/grub.cfg"):
            sock = self.sock()
            sock.sendto(b"\0\1" + name + b"\0octet\0blksize\x001024\0tsize\x000\0", (SERVER, 69))
            oack, origin = sock.recvfrom(2000)
            self.assertEqual(oack, b"\0\6tsize\x001500\0blksize\x001024\0")
            sock.sendto(b"\0\4\0\0", origin)
            self.assertEqual(sock.recv(2000), b"\0\3\0\1" + b"x" * 1024)
            # GRUB does not repeat its ACK; it waits for ours.
            self.assertEqual(sock.recv(2000), b"\0\3\0\1" + b"x" * 1024)
            sock.sendto(b"\0\4\0\1", origin)
            self.assertEqual(sock.recv(2000), b"\0\3\0\2" + b"x" * 476)
            sock.sendto(b"\0\4\0\2", origin)

    def test_names_of_other_machines_are_missed_at_once(self):
        # A loader asks for a dozen names; each miss costs one round trip, and its text ends with a NUL.
        self.lab.start()
        names = ["pxelinux.cfg/01-52-54-00-12-34-01", "/grub/grub.cfg-01-52-54-00-12-34-01", "autoexec.ipxe"]
        names += [f"pxelinux.cfg/{'0A4E000C'[:digits]}" for digits in range(8, 0, -1)]
        sock = self.sock()
        began = time.monotonic()
        for name in names:
            sock.sendto(b"\0\1" + name.encode() + b"\0octet\0tsize\x000\0blksize\x001408\0", (SERVER, 69))
            error = sock.recv(2000)
            self.assertEqual(error[:4], b"\0\5\0\1")
            self.assertRegex(error[4:], rb"^[ -~]+\0$")
        self.assertLess(time.monotonic() - began, 0.1 * len(names))

    def test_broadcast_requests_are_ignored(self):
        self.lab.file("file", b"x")
        self.lab.start()
        sock = self.lab.socket_in_client()
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.settimeout(0.5)
        sock.sendto(b"\0\1file\0octet\0", ("10.78.0.255", 69))
        self.assertRaises(TimeoutError, sock.recvfrom, 2000)

    def test_garbage_kills_nothing(self):
        content = self.lab.file("file", octets(100_000))
        self.lab.start()
        sock = self.lab.socket_in_client()
        self.addCleanup(sock.close)
        dice = random.Random(4)
        for _ in range(2000):
            opcode = struct.pack("!H", dice.randrange(9))
            sock.sendto(opcode + dice.randbytes(dice.randrange(0, 1400)), (SERVER, 69))
        self.assert_same("file", content, self.with_tftp("file"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
