"""ISC dhcpd, dnsmasq and Kea, unchanged, on the same host as Pomona and on another one: neither disturbs the other."""

import captures
import daemon
import lab
import peers
import virtual_mac


class NeighbourTest(daemon.ServerTestCase):
    def neighbour(self, start, same_host, pomona_first, arguments):
        """Both servers in the order wished; returns Pomona and the address of the DHCP server."""
        server = daemon.serve(self, self.lan, arguments=arguments)
        host, interface, address = server.namespace, "eth0", "10.0.1.11"
        if not same_host:
            host, interface, address = self.lab.namespace("dhcp"), "eth0", "10.0.1.1"
            self.lan.join(host, interface, f"{address}/24")
        if pomona_first:
            server.start()
        self.dhcp = start(host, interface)
        if not pomona_first:
            server.start()
        return server, address

    def live_together(self, start, same_host, pomona_first=False, arguments=()):
        server, address = self.neighbour(start, same_host, pomona_first, arguments)
        mac = virtual_mac.new(self.lab, self.lan, address=None)
        capture = captures.Capture(mac.namespace, "en0")
        lease = mac.dhcp()
        self.assertEqual(lease.server, address)

        seen = mac.list()
        self.assertEqual((seen.server, seen.source), ("10.0.1.11", ("10.0.1.11", 67)))
        chosen = mac.select(seen.server, seen.default)
        self.assertEqual(chosen.source, ("10.0.1.11", 67))
        program = mac.download(chosen.siaddr, chosen.file)
        self.assertEqual(daemon.sha256(program), daemon.sha256(server.images.booter("grub")))
        # A Mac that was told one server by NVRAM asks it by unicast.
        self.assertEqual(mac.list(to="10.0.1.11").selected, seen.default)

        # The lease is renewed by unicast to port 67, which reaches only the program that owns the port.
        mac.renew(lease)
        another = virtual_mac.new(self.lab, self.lan, "other", None, "40:6c:8f:37:95:99")
        self.assertNotEqual(another.dhcp().address, lease.address)
        self.assertTrue(self.dhcp.running)

        pcap = capture.stop()
        captures.assert_no_malformed(pcap, "udp.srcport == 67 && dhcp.option.vendor_class_id == \"AAPLBSDPC\"")
        # The Mac's own kernel may refuse what comes after its socket was closed; no server may refuse a Mac.
        self.assertEqual(captures.frames(pcap, f"icmp && eth.src != {mac.mac}", "ip.src", "icmp.type"), [])

    def test_isc_dhcpd_on_the_same_host(self):
        self.live_together(peers.isc_dhcpd, same_host=True)

    def test_isc_dhcpd_started_after_us(self):
        self.live_together(peers.isc_dhcpd, same_host=True, pomona_first=True)

    def test_isc_dhcpd_on_another_host(self):
        self.live_together(peers.isc_dhcpd, same_host=False)

    def test_dnsmasq_on_the_same_host(self):
        self.live_together(peers.dnsmasq, same_host=True)

    def test_dnsmasq_started_after_us(self):
        self.live_together(peers.dnsmasq, same_host=True, pomona_first=True)

    def test_dnsmasq_on_another_host(self):
        self.live_together(peers.dnsmasq, same_host=False)

    def test_kea_on_the_same_host(self):
        self.live_together(peers.kea_dhcp4, same_host=True)

    def test_kea_started_after_us(self):
        # Kea shares the port with nobody, not even with a socket that only holds it.
        self.live_together(peers.kea_dhcp4, same_host=True, pomona_first=True, arguments=("--hold-port", "off"))

    def test_kea_gets_the_port_back_when_it_restarts(self):
        server, _ = self.neighbour(peers.kea_dhcp4, same_host=True, pomona_first=False, arguments=())
        self.dhcp.stop()
        peers.kea_dhcp4(server.namespace, "eth0")
        mac = virtual_mac.new(self.lab, self.lan, address=None)
        mac.renew(mac.dhcp())
        mac.list()

    def test_kea_on_another_host(self):
        self.live_together(peers.kea_dhcp4, same_host=False)

    def test_two_pomonas_are_told_apart(self):
        first = self.serve()
        other = self.lab.namespace("second")
        self.lan.join(other, "eth0", "10.0.1.12/24")
        second = daemon.Pomona(other, "eth0", images=first.images, name="second").start()
        self.addCleanup(second.stop)
        mac = virtual_mac.new(self.lab, self.lan)
        found = lab.eventually(lambda: self.both(mac), "both servers to answer")
        self.assertEqual(sorted(found), ["10.0.1.11", "10.0.1.12"])
        mac.select("10.0.1.11", mac.list().default)
        lab.eventually(lambda: self.both(mac).get("10.0.1.11"), "the first server to remember")
        mac.select("10.0.1.12", mac.list().default)
        lab.eventually(lambda: self.both(mac) == {"10.0.1.11": None, "10.0.1.12": daemon.image_id(daemon.GRUB_INDEX)},
                       "the first server to forget and the second to remember")

    @staticmethod
    def both(mac):
        return {each.server: each.selected for each in mac.answers(mac.list_request(), seconds=2, enough=2)}


if __name__ == "__main__":
    lab.main()
