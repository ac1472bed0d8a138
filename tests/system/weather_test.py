"""Bad networks and busy days: loss, duplicates, five hundred Macs in the same instant."""

import selectors
import time

import bad_wire
import bsdp
import captures
import daemon
import lab
import crowd
import virtual_mac


class LossTest(daemon.ServerTestCase):
    def test_a_mac_boots_through_a_bad_cable(self):
        images = daemon.Images(self.lab)
        image = images.add("grub", daemon.GRUB_INDEX, program=daemon.efi_program(200_000), IsDefault=True)
        server = self.serve(images=images)
        mac = virtual_mac.new(self.lab, self.lan)
        self.lan.lose(10, "ip protocol udp")
        seen = mac.ask(mac.list_request(), kind=bsdp.LIST, seconds=0.4, tries=20)
        chosen = mac.ask(mac.select_request(seen.server, image), kind=bsdp.SELECT, seconds=0.4, tries=20)
        program = mac.download(chosen.siaddr, chosen.file, timeout=0.2, tries=40)
        self.assertEqual(daemon.sha256(program), daemon.sha256(images.booter("grub")))
        self.assertGreater(self.lan.lost(), 5)
        self.lan.heal()
        self.assertEqual(len(server.machines()), 1)

    def test_a_lost_window_is_sent_again(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        boot_file = mac.select("10.0.1.11", mac.list().default).file
        self.lan.lose(5, "udp sport != 67 udp dport != 67")
        transfer = virtual_mac.Download(mac, "10.0.1.11", boot_file, blksize=512, windowsize=8, timeout=0.3, tries=40)
        self.assertEqual(daemon.sha256(transfer.run()), daemon.sha256(server.images.booter("grub")))
        self.assertEqual(transfer.granted["windowsize"], 8)

    def test_the_server_repeats_when_the_client_is_silent(self):
        self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        boot_file = mac.select("10.0.1.11", mac.list().default).file
        transfer = virtual_mac.Download(mac, "10.0.1.11", boot_file, timeout=8)
        self.lan.lose(8, "udp sport != 67 udp dport != 67 udp dport != 69")
        # The client itself repeats nothing within eight seconds: every gap is closed by the server's own clock.
        self.assertEqual(len(transfer.run()), 60_000)

    def test_duplicates_do_not_multiply(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        boot_file = mac.select("10.0.1.11", mac.list().default).file
        capture = captures.Capture(mac.namespace, "en0")
        program = mac.download("10.0.1.11", boot_file, blksize=512, twice=True)
        self.assertEqual(daemon.sha256(program), daemon.sha256(server.images.booter("grub")))
        blocks = captures.frames(capture.stop(), "udp.length == 524 && ip.src == 10.0.1.11", "udp.port")
        # 60,000 bytes are 117 whole blocks. Were every duplicate ACK answered, there would be twice as many.
        self.assertLess(len(blocks), 150)
        self.assertGreaterEqual(len(blocks), 117)


class ReorderingTest(daemon.ServerTestCase):
    def test_frames_that_overtake_each_other(self):
        images = daemon.Images(self.lab)
        image = images.add("grub", daemon.GRUB_INDEX, program=daemon.efi_program(400_000), IsDefault=True)
        for number in range(100):
            images.add(f"image{number:03}", 5000 + number, f"Image number {number:03}, thirty ch")
        server = self.serve(images=images)
        # A train of datagrams would cross as one frame otherwise, and keep its order.
        server.namespace.ip("link", "set", "eth0", "gso_max_segs", "1")
        host = self.lab.namespace("mac")
        wire = bad_wire.BadWire(self.lab, self.lan, host, "en0", "10.0.1.32/24", mac="40:6c:8f:37:95:27")
        self.addCleanup(wire.close)
        mac = virtual_mac.Mac(host, "en0", address="10.0.1.32")
        # The list of a tool leaves in several fragments, which arrive in any order.
        listed = mac.list(port=997, subs=((12, (8192).to_bytes(2, "big")),))
        self.assertGreater(len(listed.images), 90)
        chosen = mac.select("10.0.1.11", image)
        for blksize, windowsize in ((1456, None), (1456, 16), (512, 64)):
            with self.subTest(blksize=blksize, windowsize=windowsize):
                program = mac.download(chosen.siaddr, chosen.file, blksize=blksize, windowsize=windowsize, timeout=0.3,
                                       tries=40)
                self.assertEqual(daemon.sha256(program), daemon.sha256(images.booter("grub")))
        self.assertGreater(wire.overtaken, 20)
        # The last ACKs may still be on their way.
        lab.eventually(lambda: server.process.count(r" tftp .*end=completed") == 3, "three complete transfers")


class CrowdTest(daemon.ServerTestCase):
    COUNT = 500

    def test_five_hundred_macs_at_once(self):
        images = daemon.Images(self.lab)
        program = daemon.efi_program(40_000)
        image = images.add("grub", daemon.GRUB_INDEX, program=program, IsDefault=True)
        server = self.serve(images=images, address="10.0.1.11/16")
        macs = crowd.Crowd(self.lab, self.lan, self.COUNT)

        listed = self.everybody(macs, lambda mac: mac.list_request(), bsdp.LIST)
        self.assertEqual({reply.default for reply in listed.values()}, {image})
        chosen = self.everybody(macs, lambda mac: mac.select_request("10.0.1.11", image), bsdp.SELECT)
        self.assertEqual(len(server.machines()), self.COUNT)
        self.download_all(macs, chosen, program)

    def everybody(self, macs, request, kind):
        """Sends one request per Mac in one go; returns the answers; asks again, like a Mac, only after two seconds."""
        answers = {}
        with selectors.DefaultSelector() as selector:
            endpoints = {}
            for mac in macs.macs.values():
                endpoints[mac] = macs.namespace.udp_socket(mac.address, 68, "en0")
                selector.register(endpoints[mac], selectors.EVENT_READ, mac)
            try:
                for _ in range(4):
                    for mac, endpoint in endpoints.items():
                        if mac.mac not in answers:
                            endpoint.sendto(request(mac), ("255.255.255.255", 67))
                    deadline = time.monotonic() + 2 * lab.PATIENCE
                    while len(answers) < self.COUNT and (left := deadline - time.monotonic()) > 0:
                        for key, _ in selector.select(left):
                            reply = bsdp.parse(*key.fileobj.recvfrom(65535))
                            if reply.mac == key.data.mac and reply.bsdp_type == kind:
                                answers[reply.mac] = reply
                    if len(answers) == self.COUNT:
                        return answers
            finally:
                for endpoint in endpoints.values():
                    endpoint.close()
        raise AssertionError(f"{self.COUNT - len(answers)} of {self.COUNT} Macs had no answer")

    def download_all(self, macs, chosen, program):
        """Every transfer at the same time, in one thread."""
        running = {}
        repeat = 1.0 * lab.PATIENCE
        with selectors.DefaultSelector() as selector:
            try:
                for mac in macs.macs.values():
                    transfer = virtual_mac.Download(mac, "10.0.1.11", chosen[mac.mac].file)
                    running[mac.mac] = [transfer, time.monotonic()]
                    selector.register(transfer.endpoint, selectors.EVENT_READ, mac.mac)
                    transfer.send()
                deadline = time.monotonic() + 60 * lab.PATIENCE
                next_look = time.monotonic() + repeat
                while running and time.monotonic() < deadline:
                    for key, _ in selector.select(0.2):
                        transfer = running[key.data][0]
                        running[key.data][1] = time.monotonic()
                        if transfer.take(*key.fileobj.recvfrom(65535)):
                            self.assertEqual(transfer.content, program)
                            selector.unregister(key.fileobj)
                            transfer.endpoint.close()
                            del running[key.data]
                    if time.monotonic() > next_look:
                        next_look = time.monotonic() + repeat
                        for transfer, heard in running.values():
                            if time.monotonic() - heard > repeat:
                                transfer.send()
            finally:
                for transfer, _ in running.values():
                    transfer.endpoint.close()
        self.assertEqual(len(running), 0, "transfers that did not end")


if __name__ == "__main__":
    lab.main()
