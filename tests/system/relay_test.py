"""Two networks and a relay agent between them: requests come from the relay, answers go straight to the Mac."""

import bsdp
import captures
import daemon
import lab
import peers
import virtual_mac


class RelayTest(daemon.ServerTestCase):
    def setUp(self):
        super().setUp()
        self.far = self.lab.lan("far")
        self.router = self.lab.namespace("router")
        self.lan.join(self.router, "net1", "10.0.1.1/24")
        self.far.join(self.router, "net2", "10.0.2.1/24")
        self.router.set("net/ipv4/ip_forward", 1)
        self.server = daemon.serve(self, self.lan)
        self.server.namespace.ip("route", "add", "default", "via", "10.0.1.1")
        self.mac = virtual_mac.new(self.lab, self.far, address="10.0.2.40/24")
        self.mac.namespace.ip("route", "add", "default", "via", "10.0.2.1")

    def test_a_mac_behind_dhcrelay_boots(self):
        self.server.start()
        peers.dhcrelay(self.router, "net2", "net1", "10.0.1.11")
        capture = captures.Capture(self.mac.namespace, "en0")
        seen = self.mac.list()
        self.assertEqual((seen.server, seen.source, seen.giaddr), ("10.0.1.11", ("10.0.1.11", 67), "10.0.2.1"))
        chosen = self.mac.select(seen.server, seen.default)
        self.assertEqual(len(self.mac.download(chosen.siaddr, chosen.file)), 60_000)
        self.assertEqual(self.mac.list().selected, seen.default)
        # Routed answers pass a kernel that completes checksums only on a real card.
        captures.assert_no_malformed(capture.stop(), "udp.srcport == 67", checksums=False)

    def test_a_large_list_crosses_the_router(self):
        for number in range(200):
            self.server.images.add(f"image{number:03}", 5000 + number, f"Image number {number:03}, thirty ch")
        self.server.start()
        peers.dhcrelay(self.router, "net2", "net1", "10.0.1.11")
        seen = self.mac.list(subs=((12, (8192).to_bytes(2, "big")),))
        self.assertGreater(len(seen.images), 180)

    def test_a_dhcp_server_beside_us_keeps_its_relayed_clients(self):
        net = "subnet 10.0.2.0 netmask 255.255.255.0 { range 10.0.2.100 10.0.2.110; option routers 10.0.2.1; }"
        peers.isc_dhcpd(self.server.namespace, "eth0", more=net)
        self.server.start()
        peers.dhcrelay(self.router, "net2", "net1", "10.0.1.11")
        mac = virtual_mac.new(self.lab, self.far, "fresh", None, "40:6c:8f:37:95:29")
        lease = mac.dhcp()
        self.assertTrue(lease.address.startswith("10.0.2."))
        mac.namespace.ip("route", "add", "default", "via", "10.0.2.1")
        self.assertEqual(mac.list().server, "10.0.1.11")
        mac.renew(lease)

    def test_a_routed_unicast_without_relay_is_answered(self):
        self.server.start()
        self.assertEqual(self.mac.list(to="10.0.1.11").server, "10.0.1.11")

    def test_a_network_without_a_route_costs_nothing(self):
        self.server.namespace.ip("route", "del", "default")
        self.server.start()
        near = virtual_mac.new(self.lab, self.lan, "near", "10.0.1.32/24", "40:6c:8f:37:95:28")
        packet = bsdp.inform_list(5, "40:6c:8f:37:95:27", "10.0.2.40", giaddr="10.0.2.1", hops=1)
        relayed = bsdp.datagram(packet, "10.0.1.1", 67, "10.0.1.11", 67)
        self.router.send_frame("net1", bsdp.frame(relayed, self.router.mac("net1"), self.server.namespace.mac("eth0")))
        near.list()
        self.assertTrue(self.server.process.running)


if __name__ == "__main__":
    lab.main()
