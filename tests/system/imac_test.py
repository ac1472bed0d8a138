"""From power-on to the last line: real firmware in QEMU plays Apple's NetBoot, then the real GRUB or iPXE finds its network."""

import pathlib

import captures
import daemon
import lab
import peers
import virtual_imac

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
TOOL = TOOLS / "virtual-imac"
SNPONLY = pathlib.Path("/usr/lib/ipxe/snponly.efi")
SECOND_MAC = "40:6c:8f:12:34:02"

# What any loader for Macs has to do: an address, a server, its configuration.
EMBEDDED = ["echo loader: started", "net_bootp efinet0",
            "echo loader: address $net_efinet0_dhcp_ip server $net_efinet0_dhcp_next_server.",
            "echo loader: file $net_efinet0_dhcp_boot_file",
            "set net_default_server=$net_efinet0_dhcp_next_server", "set root=tftp",
            "configfile (tftp)/mac/${net_efinet0_dhcp_mac}.cfg",
            "echo loader: at its end", "halt"]
# A DHCP server's OFFER: its first option is 53 = 2, behind 8 octets of UDP and 240 of BOOTP.
DHCP_OFFERS = "udp sport 67 @th,1984,24 0x350102"


class ImacTest(daemon.ServerTestCase):
    def setUp(self):
        super().setUp()
        self.images = daemon.Images(self.lab)
        self.tftp_root = self.lab.path("tftp", "mac", "x").parent.parent
        for folder in (self.tftp_root, self.tftp_root / "mac"):
            folder.chmod(0o755)

    def publish(self, name, content):
        (self.tftp_root / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def configure(self, *commands, mac=virtual_imac.MAC):
        """The configuration of one machine."""
        self.publish(f"mac/{mac}.cfg", "\n".join(commands) + "\n")

    def add_grub(self, *commands, folder="grub", index=4097, **more):
        return self.images.add(folder, index, program=virtual_imac.grub(self.lab, *(commands or EMBEDDED)),
                               IsDefault=True, **more)

    def serve_beside_dhcpd(self, *arguments, same_host=False):
        """Pomona at 10.0.1.11 and, there or at 10.0.1.2, a DHCP server that leaves BOOTP clients alone."""
        self.server = daemon.serve(self, self.lan, images=self.images,
                                   arguments=["--tftp-root", str(self.tftp_root), *arguments])
        host = self.server.namespace
        if not same_host:
            host = self.lab.namespace("dhcp")
            self.lan.join(host, "eth0", "10.0.1.2/24")
        self.dhcpd = peers.isc_dhcpd(host, "eth0")
        self.server.start()

    def power_on(self, **settings):
        return virtual_imac.Imac(self.lab, self.lan, **settings).power_on()

    def only_pomona_answers_the_loaders(self, *imacs, after=0):
        """From their leases on, the Macs hear no OFFER of the DHCP server: whoever is quicker does not matter then."""
        for imac in imacs:
            imac.wait_for(r"imac: address 10\.0\.1\.1\d\d ", after=after)
        self.lan.lose(100, DHCP_OFFERS)

    # The story

    def tell_the_story(self, same_host):
        self.add_grub()
        self.publish("vmlinuz", virtual_imac.kernel().read_bytes())
        self.publish("initrd", virtual_imac.initrd(self.lab))
        self.configure("echo loader: configured", "linux /vmlinuz console=ttyS0,115200 panic=1 story=told",
                       "initrd /initrd", "boot")
        self.serve_beside_dhcpd(same_host=same_host)
        imac = virtual_imac.Imac(self.lab, self.lan)
        capture = captures.Capture(self.lan.switch, "br0", expression="udp port 67 or udp port 68 or arp")
        imac.power_on()
        self.only_pomona_answers_the_loaders(imac)
        # An INFORM gets the DHCP server's ACK, too.
        imac.wait_for(r"imac: passed over an ACK of 10\.0\.1\.")
        imac.wait_for(r"imac: chose 81001001 grub of 10\.0\.1\.11")
        imac.wait_for(r"loader: address 10\.0\.1\.100 server 10\.0\.1\.11\.$")
        imac.wait_for(r"loader: file nbi/NetBootSP0/grub\.nbi/i386/booter")
        imac.wait_for(r"loader: configured")
        said = imac.wait_off()
        self.assertRegex(said, r"linux: BOOT_IMAGE=/vmlinuz .*story=told")
        self.server.process.wait_for(r"reply=BOOTREPLY .*address=10\.0\.1\.100 source=learned")
        pcap = capture.stop()
        captures.assert_no_malformed(pcap, checksums=False)
        replies = captures.frames(pcap, "dhcp.type == 2 && !dhcp.option.dhcp", "ip.src", "dhcp.ip.your", "eth.dst")
        self.assertEqual(set(replies), {("10.0.1.11", "10.0.1.100", imac.mac)})

    def test_the_story_with_dhcpd_on_the_same_host(self):
        self.tell_the_story(same_host=True)

    def test_the_story_with_dhcpd_on_another_host(self):
        self.tell_the_story(same_host=False)

    def test_whoever_is_quicker_grub_has_the_address_of_its_mac(self):
        self.add_grub("net_bootp efinet0", "echo loader: address $net_efinet0_dhcp_ip", "halt")
        self.serve_beside_dhcpd()
        imac = self.power_on()
        self.assertRegex(imac.wait_off(), r"loader: address 10\.0\.1\.100")

    def test_without_our_answer_grub_knows_no_server(self):
        at = EMBEDDED.index("set root=tftp") + 1
        self.add_grub(*EMBEDDED[:at], "cat (tftp)/mac/${net_efinet0_dhcp_mac}.cfg", *EMBEDDED[at:])
        self.configure("echo loader: configured")
        self.serve_beside_dhcpd("--bootp", "off")
        imac = self.power_on()
        said = imac.wait_off()
        self.assertRegex(said, r"loader: address 10\.0\.1\.100 server \.")
        # GRUB takes the empty server for a name.
        self.assertIn("error: no DNS servers configured", said)
        self.assertNotIn("loader: configured", said)
        self.server.process.wait_for(r"silence .*reason=bootp-discover-off")

    # Other Macs

    def test_both_widths_from_one_file(self):
        program = virtual_imac.universal(virtual_imac.grub(self.lab, "echo loader: of 64 bits", "halt"),
                                         virtual_imac.grub(self.lab, "echo loader: of 32 bits", *EMBEDDED, ia32=True))
        self.images.add("grub", 4097, program=program, IsDefault=True)
        self.configure("echo loader: configured")
        self.serve_beside_dhcpd()
        old = self.power_on(label="old", ia32=True, model="iMac5,1")
        new = self.power_on(label="new", mac=SECOND_MAC)
        self.only_pomona_answers_the_loaders(old, new)
        said = old.wait_off()
        self.assertRegex(said, r"slice 2 of 2 for ia32")
        self.assertRegex(said, r"loader: of 32 bits")
        self.assertRegex(said, r"loader: configured")
        said = new.wait_off()
        self.assertRegex(said, r"slice 1 of 2 for x86_64")
        self.assertRegex(said, r"loader: of 64 bits")

    def test_a_wireless_card_in_front_that_cannot_send(self):
        self.add_grub("net_ls_cards", "net_bootp", *EMBEDDED)
        self.configure("echo loader: configured")
        self.serve_beside_dhcpd()
        imac = self.power_on(wifi=True)
        self.only_pomona_answers_the_loaders(imac)
        said = imac.wait_off()
        self.assertLess(said.index("efinet1 02:57:49:46:49:01"), said.index(f"efinet0 {imac.mac}"))
        self.assertIn("couldn't send network packet", said)
        self.assertRegex(said, r"loader: address 10\.0\.1\.100 server 10\.0\.1\.11\.")
        self.assertIn("loader: configured", said)

    def test_grub_needs_neither_its_device_nor_a_card_of_its_own(self):
        self.add_grub()
        self.configure("echo loader: configured")
        self.serve_beside_dhcpd()
        imac = self.power_on(device_path=False, keep_card=True)
        self.only_pomona_answers_the_loaders(imac)
        self.assertIn("loader: configured", imac.wait_off())

    def test_two_at_once_choose_two_images(self):
        for index, name in ((4097, "first"), (4098, "second")):
            self.add_grub(f"echo loader: {name}", *EMBEDDED, folder=name, index=index)
        self.configure("echo loader: for the one")
        self.configure("echo loader: for the other", mac=SECOND_MAC)
        self.serve_beside_dhcpd()
        one = self.power_on(choose="first")
        other = self.power_on(label="other", mac=SECOND_MAC, choose="81001002")
        self.only_pomona_answers_the_loaders(one, other)
        for imac, name, whose in ((one, "first", "one"), (other, "second", "other")):
            said = imac.wait_off()
            self.assertIn(f"loader: {name}", said)
            self.assertIn("server 10.0.1.11.", said)
            self.assertRegex(said, rf"loader: file nbi/NetBootSP0/{name}\.nbi/i386/booter")
            self.assertIn(f"loader: for the {whose}", said)

    # Trouble

    def test_the_reset_button_in_the_middle(self):
        self.add_grub()
        self.configure("echo loader: configured")
        self.serve_beside_dhcpd()
        imac = self.power_on()
        self.only_pomona_answers_the_loaders(imac)
        imac.wait_for(r"imac: SELECT: file")
        mark = imac.mark()
        imac.reset()
        # The firmware asks for its address again, and its DHCP server may answer.
        self.lan.heal()
        self.only_pomona_answers_the_loaders(imac, after=mark)
        # The server has remembered the choice that was not carried out.
        imac.wait_for(r"default 81001001, selected 81001001", after=mark)
        imac.wait_for(r"loader: configured", after=mark)
        imac.wait_off()

    def test_a_server_that_restarts_between_select_and_bootp(self):
        self.add_grub()
        self.configure("echo loader: configured")
        self.serve_beside_dhcpd()
        imac = self.power_on()
        imac.wait_for(r"imac: SELECT: file")
        # The loader is not heard before the server is back; it asks several times.
        self.lan.lose(100, "udp dport 67")
        imac.wait_for(r"loader: started")
        self.server.stop()
        self.assertEqual(self.server.process.count("reply=BOOTREPLY"), 0)
        self.server.start()
        self.lan.lose(100, DHCP_OFFERS)
        said = imac.wait_off()
        self.assertRegex(said, r"loader: address 10\.0\.1\.100 server 10\.0\.1\.11\.")
        self.assertIn("loader: configured", said)

    def test_an_image_that_is_gone_is_refused_in_words(self):
        self.add_grub()
        self.serve_beside_dhcpd()
        said = self.power_on(choose="81009999").wait_off()
        self.assertIn("nobody lists 81009999", said)
        self.assertIn("imac: FAILED: 10.0.1.11 refuses image 81009999: ACK[FAILED]", said)

    def test_a_list_longer_than_one_option(self):
        self.add_grub("echo loader: started", "halt")
        for number in range(40):
            self.images.add(f"more{number:02}", 5000 + number, f"Image number {number:02}")
        program = virtual_imac.grub(self.lab, "echo loader: the last of the list", "halt")
        self.images.add("zlast", 6000, "The last one", program=program)
        self.serve_beside_dhcpd()
        self.assertIn("loader: the last of the list", self.power_on(choose="The last one").wait_off())

    def test_a_reply_port_of_its_own(self):
        self.add_grub("echo loader: started", "halt")
        self.serve_beside_dhcpd()
        said = self.power_on(reply_port=993).wait_off()
        self.assertIn("loader: started", said)
        self.server.process.wait_for(r"reply=ACK\[SELECT\] to=10\.0\.1\.100:993")

    # The loaders of tools/make-loaders, as a newcomer has them

    def add_ready_grub(self, **configurations):
        """One universal file; `configurations` are files beside nbi/grub.nbi/grub/grub.cfg."""
        loaders = self.lab.path("loaders", "x").parent
        self.lan.switch.run(TOOLS / "make-loaders", "--output", loaders)
        self.lan.switch.run(daemon.PROGRAM, "image", "make", "grub", "--x64", loaders / "grub-x64.efi", "--ia32",
                            loaders / "grub-ia32.efi", "--title", "GRUB", "--default", "--add",
                            TOOLS.parent / "nbi" / "grub.nbi" / "grub", "--output", self.images.path, "--image-root",
                            self.images.path)
        for mac, commands in configurations.items():
            name = f"grub.cfg-01-{mac.replace(':', '-')}"
            (self.images.path / "grub.nbi" / "grub" / name).write_text(commands + "\n", encoding="ascii")

    def test_the_ready_loader_finds_its_configuration_on_both_widths(self):
        """Whoever answers first: the program knows its server."""
        self.add_ready_grub(**{virtual_imac.MAC: "echo ready: sixty-four\nhalt", SECOND_MAC: "echo ready: thirty-two\nhalt"})
        self.serve_beside_dhcpd()
        new = self.power_on(model="iMac12,1")
        old = self.power_on(label="old", model="iMac4,1", mac=SECOND_MAC, ia32=True)
        for imac, line in ((new, "ready: sixty-four"), (old, "ready: thirty-two")):
            said = imac.wait_off()
            self.assertIn("Pomona: the server is 10.0.1.11", said)
            self.assertIn("Pomona: configuration on http,10.0.1.11:", said)
            self.assertIn(line, said)

    def test_the_ready_loader_by_tftp_with_a_wireless_card_in_front(self):
        self.add_ready_grub(**{virtual_imac.MAC: "echo ready: steady\nhalt"})
        self.serve_beside_dhcpd("--http", "off")
        said = self.power_on(wifi="on").wait_off()
        self.assertIn("Pomona: configuration on tftp,10.0.1.11:", said)
        self.assertIn("ready: steady", said)

    def test_the_ready_loader_comes_again_at_once_over_http(self):
        """GRUB begins at the same port after every start; what is left of its last connection must not be in the way."""
        self.add_ready_grub(**{virtual_imac.MAC: "echo ready: again\nsleep 60\nhalt"})
        self.serve_beside_dhcpd()
        imac = self.power_on()
        imac.wait_for(r"ready: again")
        mark = imac.mark()
        imac.reset()
        # In the way, it would cost 16 seconds and then send GRUB to TFTP.
        imac.wait_for(r"Pomona: configuration on \w+,10\.0\.1\.11:", after=mark)
        imac.wait_for(r"ready: again", after=mark)
        imac.power_off()
        self.assertNotIn("Pomona: configuration on tftp", imac.output)

    # The tool

    def by_hand(self, namespace, interface, model, *arguments):
        tool = namespace.start(TOOL, "--no-install", *arguments, interface, f"model={model}", name="tool")
        tool.wait_for(rf"imac: a virtual {model}", virtual_imac.BOOT_SECONDS)
        tool.wait_for(r"loader: started", virtual_imac.BOOT_SECONDS)
        self.assertEqual(tool.wait(60), 0)
        left = namespace.ip("-o", "link", "show").stdout
        self.assertNotIn("imac", left)

    def test_by_hand_at_a_bridge(self):
        self.add_grub("echo loader: started", "halt")
        self.serve_beside_dhcpd()
        self.by_hand(self.lan.switch, "br0", "iMac12,1")

    def test_by_hand_beside_an_interface(self):
        program = virtual_imac.grub(self.lab, "echo loader: started", "halt", ia32=True)
        self.images.add("grub", 4097, program=program, IsDefault=True)
        self.serve_beside_dhcpd()
        host = self.lab.namespace("host")
        self.lan.join(host, "eth0", "10.0.1.50/24")
        self.by_hand(host, "eth0", "iMac5,1", "--ia32")

    # iPXE

    def add_ipxe(self, script):
        self.images.add("ipxe", 4098, program=SNPONLY.read_bytes(), IsDefault=True, PomonaLoaderScript="i386/boot.ipxe")
        (self.images.path / "ipxe.nbi" / "i386" / "boot.ipxe").write_text("#!ipxe\n" + script, encoding="ascii")

    def boot_ipxe(self, **settings):
        self.add_ipxe("echo script: ${net0/ip} from ${next-server}\nexit\n")
        self.serve_beside_dhcpd()
        return self.power_on(**settings).wait_off()

    def test_ipxe_finds_its_script(self):
        said = self.boot_ipxe()
        self.assertRegex(said, r"script: 10\.0\.1\.100 from 10\.0\.1\.11")
        self.assertIn("imac: the program came back", said)

    def test_ipxe_finds_no_card_without_the_device_path(self):
        said = self.boot_ipxe(device_path=False)
        self.assertIn("No more network devices", said)
        self.assertNotIn("script:", said)

    def test_ipxe_finds_no_card_that_the_firmware_keeps(self):
        said = self.boot_ipxe(keep_card=True)
        self.assertIn("No more network devices", said)
        self.assertNotIn("script:", said)


if __name__ == "__main__":
    lab.main()
