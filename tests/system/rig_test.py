"""The lab itself: its peers work without Pomona, its packets are sound, its switch loses what it is told to."""

import json
import pathlib
import subprocess
import tempfile
import unittest

import bsdp
import captures
import lab
import peers
import virtual_mac
import vlan


class RigTest(lab.LabTestCase):
    def test_every_dhcp_server_leases_and_renews(self):
        for name, start in peers.SERVERS.items():
            with self.subTest(name):
                lan = self.lab.lan(f"lan-{name[:3]}")
                host = self.lab.namespace(name[:3])
                lan.join(host, "eth0", "10.0.1.1/24")
                start(host, "eth0")
                mac = virtual_mac.new(self.lab, lan, address=None)
                capture = captures.Capture(mac.namespace, "en0", name)
                lease = mac.dhcp()
                mac.renew(lease)
                captures.assert_no_malformed(capture.stop(), checksums=False)
                self.assertEqual(lease.server, "10.0.1.1")

    def test_relay_carries_dhcp_between_two_networks(self):
        upper, lower = self.lab.lan("upper"), self.lab.lan("lower")
        host = self.lab.namespace("dhcp")
        upper.join(host, "eth0", "10.0.1.1/24")
        host.ip("route", "add", "10.0.2.0/24", "via", "10.0.1.254")
        router = self.lab.namespace("router")
        upper.join(router, "net1", "10.0.1.254/24")
        lower.join(router, "net2", "10.0.2.1/24")
        router.set("net/ipv4/ip_forward", 1)
        peers.isc_dhcpd(host, "eth0", more="subnet 10.0.2.0 netmask 255.255.255.0 { range 10.0.2.100 10.0.2.110; }")
        peers.dhcrelay(router, "net2", "net1", "10.0.1.1")
        mac = virtual_mac.new(self.lab, lower, address=None)
        self.assertTrue(mac.dhcp().address.startswith("10.0.2."))

    def test_switch_loses_and_heals(self):
        lan = self.lab.lan()
        one = virtual_mac.new(self.lab, lan, "one", "10.0.1.1/24", "40:6c:8f:37:95:26")
        two = virtual_mac.new(self.lab, lan, "two", "10.0.1.2/24", "40:6c:8f:37:95:27")
        with two.port(67) as receiver, one.port(68) as sender:
            lan.lose(100, "udp dport 67")
            sender.sendto(b"lost", ("10.0.1.2", 67))
            lab.eventually(lambda: lan.lost() == 1, "the lost frame to be counted")
            lan.heal()
            sender.sendto(b"found", ("10.0.1.2", 67))
            receiver.settimeout(5)
            self.assertEqual(receiver.recv(100), b"found")

    def test_a_vlan_is_a_network_of_its_own(self):
        lan = self.lab.lan()
        hosts = []
        for number in (1, 2):
            host = self.lab.namespace(f"host{number}")
            lan.join(host, "eth0", f"10.0.1.{number}/24")
            tagged = vlan.VlanDevice(host, "eth0", 5)
            self.addCleanup(tagged.close)
            host.add_address(tagged.name, f"10.0.5.{number}/24")
            hosts.append(host)
        capture = captures.Capture(hosts[1], "eth0", expression="")
        with hosts[0].udp_socket("10.0.5.1", 1000) as one, hosts[1].udp_socket("10.0.5.2", 1000) as two:
            one.sendto(b"tagged", ("10.0.5.2", 1000))
            two.settimeout(5)
            self.assertEqual(two.recv(100), b"tagged")
        with hosts[0].udp_socket("10.0.1.1", 1000) as one, hosts[1].udp_socket("10.0.1.2", 1000) as two:
            one.sendto(b"plain", ("10.0.1.2", 1000))
            two.settimeout(5)
            self.assertEqual(two.recv(100), b"plain")
        self.assertEqual(captures.frames(capture.stop(), "udp", "vlan.id"), [("5",), ("",)])

    def test_output_of_a_program_that_ends_early_is_told(self):
        host = self.lab.namespace("host")
        process = host.start("sh", "-c", "echo the reason; exit 3")
        with self.assertRaisesRegex(AssertionError, "(?s)ended with 3 without /ready/.*the reason"):
            process.wait_for("ready")


class BytesTest(unittest.TestCase):
    def test_our_requests_are_what_tshark_expects(self):
        packet = bsdp.inform_select(0x1A2B3C02, "40:6c:8f:37:95:27", "10.0.1.32", "10.0.1.11", 0x81001001)
        whole = bsdp.frame(bsdp.datagram(packet, "10.0.1.32", 68, "255.255.255.255", 67), "40:6c:8f:37:95:27")
        with tempfile.TemporaryDirectory() as folder:
            text = pathlib.Path(folder, "frame.txt")
            text.write_text("000000 " + whole.hex(" ") + "\n", encoding="ascii")
            pcap = pathlib.Path(folder, "frame.pcap")
            subprocess.run(["text2pcap", "-q", str(text), str(pcap)], check=True, capture_output=True)
            captures.assert_no_malformed(pcap)
            fields = captures.frames(pcap, "dhcp", "dhcp.option.vendor.bsdp.message_type",
                                     "dhcp.option.vendor.bsdp.server_identifier", "dhcp.ip.client")
        self.assertEqual(fields, [("2", "10.0.1.11", "10.0.1.32")])

    def test_an_answer_is_read_back(self):
        names = bsdp.options((1, b"\x01"), (4, b"\x80\x00"), (7, bytes.fromhex("81001001")),
                             (9, bytes.fromhex("81001001") + b"\x04GRUB"))
        more = bsdp.options((9, bytes.fromhex("81001002") + b"\x04iPXE"))
        body = bsdp.options((53, b"\x05"), (54, bytes([10, 0, 1, 11])), (60, b"AAPLBSDPC"), (43, names), (43, more))
        reply = bsdp.parse(bsdp.message(op=2, xid=7, mac="40:6c:8f:37:95:27", file=b"nbi/x", body=body))
        self.assertEqual([(each.id, each.name) for each in reply.images], [(0x81001001, "GRUB"), (0x81001002, "iPXE")])
        self.assertEqual((reply.server, reply.priority, reply.default, reply.file), ("10.0.1.11", 32768, 0x81001001, "nbi/x"))

    def test_a_description_cut_in_two_is_refused(self):
        cut = bsdp.options((9, bytes.fromhex("81001001") + b"\x09GRUB"))
        reply = bsdp.parse(bsdp.message(op=2, body=bsdp.options((53, b"\x05"), (43, cut))))
        with self.assertRaisesRegex(ValueError, "runs past the end"):
            print(json.dumps([each.name for each in reply.images]))


if __name__ == "__main__":
    lab.main()
