"""LIST, SELECT, TFTP: a Mac on the LAN finds the images, picks one and downloads it; every frame is sound."""

import json
import os
import signal

import bsdp
import captures
import daemon
import lab
import virtual_mac


class ExchangeTest(daemon.ServerTestCase):
    def setUp(self):
        super().setUp()
        self.images = daemon.Images(self.lab)
        self.grub = self.images.add("grub", daemon.GRUB_INDEX, "GRUB 2 (lab)", IsDefault=True)
        self.ipxe = self.images.add("ipxe", 4098, "iPXE – Lab", program=daemon.efi_program(300_001, seed=2), binary=True)

    def test_a_mac_boots(self):
        server = self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        capture = captures.Capture(mac.namespace, "en0")
        seen = mac.list()
        self.assertEqual([(each.id, each.name) for each in seen.images],
                         [(self.grub, "GRUB 2 (lab)"), (self.ipxe, "iPXE – Lab")])
        self.assertEqual((seen.server, seen.siaddr, seen.source), ("10.0.1.11", "10.0.1.11", ("10.0.1.11", 67)))
        self.assertEqual((seen.priority, seen.default, seen.selected), (32768, self.grub, None))
        self.assertEqual((seen.yiaddr, seen.file, seen.size >= 300), ("0.0.0.0", "", True))

        chosen = mac.select(seen.server, self.ipxe)
        self.assertEqual((chosen.selected, chosen.siaddr, chosen.option(17)), (self.ipxe, "10.0.1.11", None))
        self.assertLess(len(chosen.file), 128)
        program = mac.download(chosen.siaddr, chosen.file)
        self.assertEqual(daemon.sha256(program), daemon.sha256(self.images.booter("ipxe")))

        again = mac.list()
        self.assertEqual((again.selected, again.default), (self.ipxe, self.grub))
        self.assertEqual(again.priority, 32767)
        captures.assert_no_malformed(capture.stop(), "udp.srcport == 67")
        server.process.wait_for(r"mac=40:6c:8f:37:95:27.*message=\S*SELECT")

    def test_a_startup_disk_tool_is_answered_on_its_own_port(self):
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        seen = mac.list(port=997)
        chosen = mac.select(seen.server, self.grub, port=997, subs=((5, (997).to_bytes(2, "big")),))
        self.assertEqual(chosen.selected, self.grub)

    def test_an_unknown_image_is_refused_in_words(self):
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        self.assertEqual(mac.select("10.0.1.11", 0x81000999, kind=bsdp.FAILED).subs(), [(1, b"\x03")])
        self.assertIsNone(mac.list().selected)

    def test_choosing_another_server_is_forgetting(self):
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        mac.select("10.0.1.11", self.grub)
        mac.assert_silence(mac.select_request("10.0.1.99", self.grub))
        self.assertIsNone(mac.list().selected)

    def test_a_select_for_nobody_does_not_erase(self):
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        mac.select("10.0.1.11", self.grub)
        mac.assert_silence(mac.select_request("0.0.0.0", 0))
        self.assertEqual(mac.list().selected, self.grub)

    def test_a_repeated_select_gets_the_same_answer(self):
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        packet = mac.select_request("10.0.1.11", self.grub, xid=77)
        first = mac.ask(packet, kind=bsdp.SELECT)
        second = mac.ask(packet, kind=bsdp.SELECT)
        self.assertEqual(first.options, second.options)
        self.assertEqual(mac.list().priority, 32767)

    def test_the_other_implementation_agrees(self):
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        client = os.environ["POMONA_BSDP_GO"]
        found = json.loads(mac.namespace.run(client, "-interface", "en0").stdout)
        self.assertEqual((found["default"], found["priority"], found["remembered"]), (self.grub, 32768, None))
        self.assertEqual([each["name"] for each in found["images"]], ["GRUB 2 (lab)", "iPXE – Lab"])
        self.assertEqual((found["select_kind"], found["selected"]), ("SELECT", self.grub))
        self.assertEqual((found["list_server"], found["select_server"], found["tftp_server"]), ("10.0.1.11",) * 3)
        program = mac.download(found["tftp_server"], found["boot_file"])
        self.assertEqual(daemon.sha256(program), daemon.sha256(self.images.booter("grub")))
        found = json.loads(mac.namespace.run(client, "-interface", "en0", "-image", "4098").stdout)
        self.assertEqual((found["remembered"], found["selected"]), (self.grub, self.ipxe))

    def test_the_probe_does_what_a_mac_does(self):
        self.serve(images=self.images)
        host = self.lab.namespace("probe")
        self.lan.join(host, "en0", "10.0.1.40/24")
        done = host.run(daemon.PROGRAM, "probe", "--interface", "en0", "--mac", "40:6c:8f:37:95:28", "--model",
                        "iMac12,1", "--address", "10.0.1.41", "--select", "default", "--download", "--json", check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(daemon.sha256(self.images.booter("grub")), done.stdout)
        json.loads(done.stdout)

    def test_a_list_larger_than_a_frame_arrives_in_fragments(self):
        for number in range(300):
            self.images.add(f"image{number:03}", 5000 + number, f"Image number {number:03}, thirty ch")
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        capture = captures.Capture(mac.namespace, "en0", expression="ip")
        tool = mac.list(port=997, subs=((12, (8192).to_bytes(2, "big")),))
        self.assertGreater(len(tool.images), 200)
        self.assertGreater(tool.size, 6000)
        self.assertLessEqual(tool.size, 8164)
        self.assertIn(tool.default, [each.id for each in tool.images])
        firmware = mac.list()
        self.assertLessEqual(firmware.size, 1472)
        self.assertGreater(len(firmware.images), 20)
        small = mac.list(size=None)
        self.assertLessEqual(small.size, 520)
        pcap = capture.stop()
        fragments = captures.frames(pcap, "ip.src == 10.0.1.11 && (ip.flags.mf == 1 || ip.frag_offset > 0)", "ip.len")
        self.assertGreaterEqual(len(fragments), 5)
        self.assertTrue(all(int(each[0]) <= 1500 for each in fragments), fragments)
        captures.assert_no_malformed(pcap, "udp.srcport == 67")


class CatalogueTest(daemon.ServerTestCase):
    """What the folder says reaches the Macs, also while serving."""

    def test_each_model_sees_its_own_images(self):
        images = daemon.Images(self.lab)
        old = images.add("old", 10, program=daemon.efi_program(machine=0x014C), EnabledSystemIdentifiers=["MacBook2,1"])
        new = images.add("new", 11, EnabledSystemIdentifiers=["iMac12,1"])
        self.serve(images=images)
        mac = virtual_mac.new(self.lab, self.lan)
        for model, expected in (("MacBook2,1", old), ("iMac12,1", new)):
            self.assertEqual([each.id for each in mac.list(model=model).images], [expected])

    def make(self, images, *arguments):
        """What `pomona image make` with both programs says of the folder it made."""
        programs = {"x64": daemon.efi_program(70_001, seed=3), "ia32": daemon.efi_program(50_003, machine=0x014C, seed=4)}
        for width, program in programs.items():
            self.lab.path(f"{width}.efi").write_bytes(program)
        host = self.lab.namespace("maker")
        done = host.run(daemon.PROGRAM, "image", "make", "made", "--x64", str(self.lab.path("x64.efi")), "--ia32",
                        str(self.lab.path("ia32.efi")), "--image-root", str(images.path), "--json", *arguments)
        return programs, int(json.loads(done.stdout)["id"], 16)

    def test_a_made_universal_image_boots_both_widths(self):
        images = daemon.Images(self.lab)
        programs, made = self.make(images, "--title", "Made", "--default")
        file = images.booter("made").read_bytes()
        for width, offset in (("ia32", 20), ("x64", 40)):
            at, size = (int.from_bytes(file[each:each + 4], "little") for each in (offset - 4, offset))
            self.assertEqual(file[at:at + size], programs[width])
        self.serve(images=images)
        mac = virtual_mac.new(self.lab, self.lan)
        for model in ("iMac4,1", "iMac12,1", "Unknown1,1"):
            seen = mac.list(model=model)
            self.assertEqual([(each.id, each.name) for each in seen.images], [(made, "Made")])
            chosen = mac.select(seen.server, made, model=model)
            self.assertEqual(mac.download(chosen.siaddr, chosen.file), file)

    def test_a_separate_image_sends_each_width_its_own_program(self):
        images = daemon.Images(self.lab)
        programs, made = self.make(images, "--separate")
        self.serve(images=images, arguments=["--ia32-model", "Unknown2,*"])
        mac = virtual_mac.new(self.lab, self.lan)
        for model, width in (("iMac4,1", "ia32"), ("iMac12,1", "x64"), ("Unknown1,1", "x64"), ("Unknown2,1", "ia32")):
            chosen = mac.select(mac.list(model=model).server, made, model=model)
            self.assertEqual(chosen.file.endswith("/i386/booter-ia32"), width == "ia32", model)
            self.assertEqual(mac.download(chosen.siaddr, chosen.file), programs[width], model)

    def test_a_program_of_one_width_is_hidden_from_the_other(self):
        images = daemon.Images(self.lab)
        old = images.add("old", 10, program=daemon.efi_program(machine=0x014C), IsDefault=True)
        new = images.add("new", 11, IsDefault=True)
        self.serve(images=images)
        mac = virtual_mac.new(self.lab, self.lan)
        for model, expected in (("iMac4,1", [old]), ("iMac12,1", [new]), ("Unknown1,1", [new]), ("MacBook3,1", [new, old])):
            self.assertEqual([each.id for each in mac.list(model=model).images], expected, model)
        mac.select("10.0.1.11", old, kind=bsdp.FAILED, model="iMac12,1")

    def test_a_new_folder_appears_while_serving(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        self.assertEqual(len(mac.list().images), 1)
        added = server.images.add("later", 4200, "Added later")
        lab.eventually(lambda: added in [each.id for each in mac.list().images], "the new folder to be published")

    def test_hangup_reads_the_folders_again(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        added = server.images.add("later", 4200, "Added later")
        server.process.send_signal(signal.SIGHUP)
        lab.eventually(lambda: added in [each.id for each in mac.list().images], "the reload")
        self.assertTrue(server.process.running)

    def test_a_broken_folder_hides_no_other(self):
        images = daemon.Images(self.lab)
        good = images.add("good", 20, IsDefault=True)
        images.add("broken", 21)
        (images.path / "broken.nbi" / "NBImageInfo.plist").write_text("<plist><dict><key>Name</key>", encoding="ascii")
        server = self.serve(images=images)
        mac = virtual_mac.new(self.lab, self.lan)
        self.assertEqual([each.id for each in mac.list().images], [good])
        server.process.wait_for(r"broken\.nbi")


if __name__ == "__main__":
    lab.main()
