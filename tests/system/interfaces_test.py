"""Several interfaces, several addresses, VLANs, and interfaces that come, go and change while serving."""

import bsdp
import captures
import daemon
import lab
import virtual_mac
import vlan


class InterfacesTest(daemon.ServerTestCase):
    def test_two_interfaces_each_speak_for_themselves(self):
        other = self.lab.lan("other")
        server = daemon.serve(self, self.lan)
        other.join(server.namespace, "eth1", "10.0.2.11/24")
        server.arguments += ["--interface", "eth1"]
        server.start()
        one = virtual_mac.new(self.lab, self.lan)
        two = virtual_mac.new(self.lab, other, "two", "10.0.2.32/24", "40:6c:8f:37:95:28")
        for mac, own in ((one, "10.0.1.11"), (two, "10.0.2.11")):
            seen = mac.list()
            self.assertEqual((seen.server, seen.source[0]), (own, own))
            chosen = mac.select(own, seen.default)
            self.assertEqual((chosen.server, chosen.siaddr), (own, own))
            self.assertEqual(len(mac.download(chosen.siaddr, chosen.file)), 60_000)

    def test_every_suitable_interface_without_being_told(self):
        other = self.lab.lan("other")
        server = daemon.serve(self, self.lan)
        other.join(server.namespace, "eth1", "10.0.2.11/24")
        at = server.arguments.index("--interface")
        del server.arguments[at:at + 2]
        server.start()
        mac = virtual_mac.new(self.lab, other, "two", "10.0.2.32/24", "40:6c:8f:37:95:28")
        self.assertEqual(mac.list().server, "10.0.2.11")
        self.assertEqual(virtual_mac.new(self.lab, self.lan).list().server, "10.0.1.11")
        server.process.wait_for(r"\blo\b")

    def test_the_address_of_the_macs_network_is_the_identifier(self):
        self.serve(address=("10.0.1.11/24", "10.0.3.11/24"))
        here = virtual_mac.new(self.lab, self.lan)
        there = virtual_mac.new(self.lab, self.lan, "there", "10.0.3.32/24", "40:6c:8f:37:95:28")
        self.assertEqual(here.list().source, ("10.0.1.11", 67))
        seen = there.list()
        self.assertIn(seen.server, ("10.0.1.11", "10.0.3.11"))
        self.assertEqual(seen.source[0], seen.server)

    def test_every_own_address_is_us(self):
        self.serve(address=("10.0.1.11/24", "10.0.1.12/24"))
        mac = virtual_mac.new(self.lab, self.lan)
        image = mac.list().default
        for own in ("10.0.1.12", "10.0.1.11"):
            chosen = mac.select(own, image)
            self.assertEqual((chosen.server, chosen.source[0]), (own, own))
            self.assertEqual(mac.list().selected, image)

    def test_a_changed_address_is_used_at_once(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        self.assertEqual(mac.list().server, "10.0.1.11")
        server.namespace.add_address("eth0", "10.0.1.77/24")
        server.namespace.ip("address", "del", "10.0.1.11/24", "dev", "eth0")
        # Deleting the first address takes those after it along unless the kernel promotes them.
        server.namespace.ip("address", "replace", "10.0.1.77/24", "broadcast", "+", "dev", "eth0")
        lab.eventually(lambda: mac.list().server == "10.0.1.77", "the new address")
        self.assertEqual(mac.list().source, ("10.0.1.77", 67))

    def test_an_interface_goes_and_comes_back(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        mac.list()
        server.namespace.ip("link", "delete", "eth0")
        server.process.wait_for(r"interface-closed interface=eth0")
        self.assertTrue(server.process.running)
        self.lan.join(server.namespace, "eth0", "10.0.1.11/24")
        self.answers_again(mac)
        self.assertEqual(mac.list().server, "10.0.1.11")

    def test_an_interface_that_comes_later(self):
        other = self.lab.lan("other")
        server = daemon.serve(self, self.lan)
        at = server.arguments.index("--interface")
        del server.arguments[at:at + 2]
        server.start()
        other.join(server.namespace, "eth1", "10.0.2.11/24")
        mac = virtual_mac.new(self.lab, other, "two", "10.0.2.32/24", "40:6c:8f:37:95:28")
        self.answers_again(mac)

    def test_an_interface_taken_down_and_up(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        mac.list()
        server.namespace.ip("link", "set", "eth0", "down")
        server.namespace.ip("link", "set", "eth0", "up")
        self.answers_again(mac)

    @staticmethod
    def answers_again(mac):
        lab.eventually(lambda: mac.answers(mac.list_request(), seconds=0.3, enough=1), "an answer to LIST", 20)

    def test_a_vlan_interface(self):
        host = self.lab.namespace("server")
        self.lan.join(host, "eth0")
        tagged = vlan.VlanDevice(host, "eth0", 5)
        self.addCleanup(tagged.close)
        host.add_address(tagged.name, "10.0.5.11/24")
        images = daemon.Images(self.lab)
        image = images.add("grub", daemon.GRUB_INDEX, IsDefault=True)
        server = daemon.Pomona(host, tagged.name, images=images).start()
        self.addCleanup(server.stop)

        mac_host = self.lab.namespace("mac")
        self.lan.join(mac_host, "en0")
        on_vlan = vlan.VlanDevice(mac_host, "en0", 5)
        self.addCleanup(on_vlan.close)
        mac_host.add_address(on_vlan.name, "10.0.5.32/24")
        mac = virtual_mac.Mac(mac_host, on_vlan.name, address="10.0.5.32")
        capture = captures.Capture(mac_host, "en0", expression="")
        seen = mac.list()
        self.assertEqual((seen.server, seen.default), ("10.0.5.11", image))
        chosen = mac.select(seen.server, image)
        self.assertEqual(len(mac.download(chosen.siaddr, chosen.file)), 60_000)
        pcap = capture.stop()
        self.assertEqual(set(captures.frames(pcap, "dhcp.type == 2", "vlan.id")), {("5",)})

    def test_a_tagged_frame_is_not_answered_untagged(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        packet = mac.list_request()
        whole = bsdp.frame(bsdp.datagram(packet, "10.0.1.32", 68, "255.255.255.255", 67), mac.mac, vlan=5)
        capture = captures.Capture(mac.namespace, "en0", expression="")
        mac.namespace.send_frame("en0", whole)
        mac.list()
        xid = int.from_bytes(packet[4:8], "big")
        answers = captures.frames(capture.stop(), f"dhcp.type == 2 && dhcp.id == {xid:#x} && !vlan", "ip.dst")
        self.assertEqual(answers, [])
        self.assertTrue(server.process.running)


if __name__ == "__main__":
    lab.main()
