"""Packets that are none of ours, or nearly ours: silence, and the server goes on."""

import random
import struct

import bsdp
import daemon
import lab
import virtual_mac


class ForeignTest(daemon.ServerTestCase):
    def test_silence(self):
        self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        own = ("40:6c:8f:37:95:27", "10.0.1.32")
        cases = {
            "a reply": bsdp.inform_list(1, *own, op=2),
            "no client address": bsdp.inform_list(2, own[0], "0.0.0.0"),
            "another class": bsdp.inform_list(3, *own, vendor_class=b"PXEClient:Arch:00007:UNDI:003016"),
            "class with two parts": bsdp.inform_list(4, *own, vendor_class=b"AAPLBSDPC/i386"),
            "class with a suffix": bsdp.inform_list(5, *own, vendor_class=b"AAPLBSDPCX/i386/iMac12,1"),
            "class with a NUL": bsdp.inform_list(6, *own, vendor_class=b"AAPLBSDPC/i386/iMac\x0012,1"),
            "PowerPC, for which there is no image": bsdp.inform_list(7, *own, arch="ppc", model="PowerMac3,1"),
            "no version": bsdp.inform_list(8, *own, version=None),
            "unknown version": bsdp.inform_list(9, *own, version=b"\x02\x00"),
            "version of one byte": bsdp.inform_list(10, *own, version=b"\x01"),
            "no message type of a client": bsdp.inform(bsdp.FAILED, 11, *own),
            "unknown message type": bsdp.inform(9, 12, *own),
            "reply port 0": bsdp.inform_list(13, *own, subs=((5, b"\0\0"),)),
            "NetBoot 1.0 firmware": bsdp.inform_list(14, *own, subs=((10, b""),)),
            "SELECT without a server": bsdp.inform(bsdp.SELECT, 15, *own, subs=((8, b"\x81\x00\x10\x01"),)),
            "token ring": bsdp.inform_list(16, *own, htype=6),
            "for another boot server by address": bsdp.inform_list(17, *own, siaddr="10.0.1.99"),
            "for another boot server by name": bsdp.inform_list(18, *own, sname=b"somebody-else"),
            "wrong cookie": bsdp.inform_list(19, *own, cookie=b"\x63\x82\x53\x64"),
            "a sub-option past the end": bsdp.message(xid=20, mac=own[0], ciaddr=own[1], body=bsdp.options(
                (53, b"\x08"), (60, b"AAPLBSDPC/i386/iMac12,1"), (43, b"\x01\x01\x01\x02\x02\x01\x01\x05\x09\x03"))),
            "an option past the end": bsdp.message(xid=21, mac=own[0], ciaddr=own[1], pad_to=0, body=bsdp.options(
                (53, b"\x08"), (60, b"AAPLBSDPC/i386/iMac12,1")) + b"\x2b\xff\x01\x01\x01"),
            "DISCOVER": bsdp.message(xid=22, mac=own[0], body=bsdp.options(
                (53, b"\x01"), (60, b"AAPLBSDPC/i386/iMac12,1"), (43, b"\x02\x02\x01\x01"))),
            "plain BOOTP of a stranger": bsdp.message(xid=23, mac="40:6c:8f:37:95:99"),
            "a few bytes": b"\x01\x01\x06\x00" + struct.pack("!I", 24),
            "nothing but zeros": bytes(300),
        }
        for title, packet in cases.items():
            with self.subTest(title):
                mac.assert_silence(packet)

    def test_a_reply_port_of_1024_is_no_reflector(self):
        self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        mac.assert_silence(mac.list_request(subs=((5, struct.pack("!H", 1024)),)), port=1024)
        mac.assert_silence(mac.list_request(subs=((5, struct.pack("!H", 5353)),)), port=5353)

    def test_noise_is_survived(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        chance = random.Random(20)
        good = mac.list_request(xid=1)
        with mac.port(68) as endpoint:
            for _ in range(2000):
                bad = bytearray(good[:chance.randrange(200, 300)])
                for _ in range(chance.randrange(1, 6)):
                    bad[chance.randrange(len(bad))] = chance.randrange(256)
                # Other xids, so that what is still a good request is not mistaken for an answer below.
                bad[4:8] = b"\xff\xff\xff\xff"
                endpoint.sendto(bad, ("255.255.255.255", 67))
        self.assertTrue(mac.list().images)
        self.assertTrue(server.process.running)

    def test_broken_frames_are_survived(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        whole = bsdp.frame(bsdp.datagram(mac.list_request(), "10.0.1.32", 68, "255.255.255.255", 67), mac.mac)
        for cut in range(14, len(whole), 7):
            mac.namespace.send_frame("en0", whole[:cut])
        long_udp = bytearray(whole)
        struct.pack_into("!H", long_udp, 14 + 20 + 4, 9000)
        mac.namespace.send_frame("en0", bytes(long_udp))
        long_header = bytearray(whole)
        long_header[14] = 0x4F
        mac.namespace.send_frame("en0", bytes(long_header))
        self.assertTrue(mac.list().images)
        self.assertTrue(server.process.running)

    def test_strangers_do_not_fill_the_memory(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        image = mac.list().default
        with mac.port(68) as endpoint:
            for number in range(500):
                stranger = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
                endpoint.sendto(bsdp.inform_list(number, stranger, "10.0.1.32"), ("255.255.255.255", 67))
        mac.select("10.0.1.11", image)
        self.assertEqual(len(server.machines()), 1)


class StrangersTest(daemon.ServerTestCase):
    """Anybody on the network can make up MAC addresses and choose for them."""

    ROOM = 500
    COUNT = 50_000

    def test_made_up_macs_fill_neither_memory_nor_disk(self):
        server = daemon.serve(self, self.lan, arguments=("--max-machines", str(self.ROOM)))
        server.arguments[server.arguments.index("--log-level") + 1] = "info"
        server.start()
        mac = virtual_mac.new(self.lab, self.lan)
        image = mac.list().default
        server.command("machine", "select", "40:6c:8f:00:00:01", hex(image), "--model", "iMac12,1")
        chance = random.Random(3)
        packet = bytearray(mac.select_request("10.0.1.11", image))
        largest = 0
        with mac.port(68) as endpoint:
            for number in range(self.COUNT):
                # chaddr; a locally administered address.
                packet[28:34] = b"\x02" + chance.randbytes(5)
                endpoint.sendto(packet, ("255.255.255.255", 67))
                if number == self.COUNT // 10:
                    self.settle(mac)
                    early = self.resident(server)
                elif number % 500 == 499:
                    self.settle(mac)
                    largest = max(largest, self.on_disk(server))
        self.settle(mac)
        machines = server.machines()
        self.assertEqual(len(machines), self.ROOM)
        self.assertIn("40:6c:8f:00:00:01", [each["mac"] for each in machines], "what was chosen by hand stays")
        # A sanitizer keeps what was freed, to find uses of it.
        if lab.PATIENCE == 1:
            self.assertLess(self.resident(server) - early, 4 << 20)
        self.assertLess(largest, 70 << 20)
        # Once it was quiet for a second, the next choice cuts the log of the database.
        lab.eventually(lambda: mac.select("10.0.1.11", image) and self.on_disk(server) < 4 << 20,
                       "the files to become small again", 20, pause=2)

    @staticmethod
    def settle(mac):
        """The server has dealt with everything so far; a burst larger than its buffer would prove nothing."""
        lab.eventually(lambda: mac.answers(mac.list_request(), seconds=1, enough=1), "an answer to LIST")

    @staticmethod
    def resident(server):
        with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as numbers:
            return int(numbers.read().split()[1]) * 4096

    @staticmethod
    def on_disk(server):
        return sum(path.stat().st_size for path in server.state.glob("clients.db*"))


class TftpTest(daemon.ServerTestCase):
    """What may not leave by TFTP; how a good transfer goes is in exchange_test.py."""

    def test_refusals(self):
        server = self.serve()
        secret = self.lab.path("secret")
        secret.write_text("not for Macs", encoding="ascii")
        secret.chmod(0o644)
        folder = server.images.path / "grub.nbi" / "i386"
        (folder / "link").symlink_to(secret)
        mac = virtual_mac.new(self.lab, self.lan)
        boot_file = mac.select("10.0.1.11", mac.list().default).file
        beside = boot_file.rsplit("/", 1)[0]
        for path in (str(secret), f"{beside}/link", f"{beside}/../../../../secret", "../secret", "/etc/passwd",
                     "nbi/NetBootSP0/../../../../../../../etc/passwd", f"{beside}/missing", beside, ""):
            with self.subTest(path), self.assertRaises(virtual_mac.TftpError):
                mac.download("10.0.1.11", path)
        self.assertEqual(len(mac.download("10.0.1.11", boot_file)), 60_000)

    def test_writing_is_refused(self):
        self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        with mac.namespace.udp_socket(mac.address) as endpoint:
            endpoint.settimeout(5)
            endpoint.sendto(struct.pack("!H", 2) + b"new\0octet\0", ("10.0.1.11", 69))
            self.assertEqual(struct.unpack_from("!H", endpoint.recv(600))[0], virtual_mac.ERROR)

    def test_other_clients_agree(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        boot_file = mac.select("10.0.1.11", mac.list().default).file
        expected = daemon.sha256(server.images.booter("grub"))
        target = self.lab.path("got")
        mac.namespace.run("curl", "--silent", "--show-error", "--max-time", "20", "-o", target,
                          f"tftp://10.0.1.11/{boot_file}")
        self.assertEqual(daemon.sha256(target), expected)
        target.unlink()
        mac.namespace.run("tftp", "-m", "binary", "10.0.1.11", "-c", "get", boot_file, target)
        self.assertEqual(daemon.sha256(target), expected)
        target.unlink()
        mac.namespace.run("atftp", "--option", "blksize 1400", "--get", "-r", boot_file, "-l", target, "10.0.1.11")
        self.assertEqual(daemon.sha256(target), expected)

    def test_block_size_is_limited(self):
        self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        boot_file = mac.select("10.0.1.11", mac.list().default).file
        transfer = virtual_mac.Download(mac, "10.0.1.11", boot_file, blksize=8192)
        self.assertEqual(len(transfer.run()), 60_000)
        self.assertEqual(transfer.granted, {"blksize": 1456, "tsize": 60_000})


if __name__ == "__main__":
    lab.main()
