"""UDP 67 and 69, owned by us, by somebody else or by nobody; and a second server that must not start."""

import socket

import captures
import daemon
import lab
import peers
import virtual_mac


class Port67Test(daemon.ServerTestCase):
    def test_no_icmp_when_nobody_else_owns_the_port(self):
        self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        capture = captures.Capture(mac.namespace, "en0")
        seen = mac.list(to="10.0.1.11")
        mac.select(seen.server, seen.default, to="10.0.1.11")
        pcap = capture.stop()
        self.assertEqual(captures.frames(pcap, f"icmp && eth.src != {mac.mac}", "ip.src", "icmp.type"), [])
        self.assertEqual({each for each in captures.frames(pcap, "dhcp.type == 2", "ip.src", "udp.srcport")},
                         {("10.0.1.11", "67")})

    def test_another_owner_of_the_port_changes_nothing(self):
        server = daemon.serve(self, self.lan)
        # The strictest owner there is: no option that would let anybody share.
        with server.namespace.entered():
            owner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with owner:
            owner.bind(("0.0.0.0", 67))
            server.start()
            mac = virtual_mac.new(self.lab, self.lan)
            seen = mac.list()
            self.assertEqual(seen.source, ("10.0.1.11", 67))
            self.assertEqual(mac.select(seen.server, seen.default, to="10.0.1.11").source, ("10.0.1.11", 67))
            # The owner still hears everything that is sent to its port.
            owner.settimeout(5)
            self.assertTrue(owner.recv(2000))

    def test_the_port_stays_free_for_a_server_that_starts_later(self):
        server = self.serve()
        dhcp = peers.dnsmasq(server.namespace, "eth0")
        mac = virtual_mac.new(self.lab, self.lan, address=None)
        mac.renew(mac.dhcp())
        self.assertTrue(dhcp.running)


class Port69Test(daemon.ServerTestCase):
    def test_serving_goes_on_without_tftp_and_says_so(self):
        server = daemon.serve(self, self.lan)
        with server.namespace.udp_socket("0.0.0.0", 69):
            server.start()
            server.process.wait_for(r"(?i)\b(warn|error)\S*\b.*(\b69\b|tftp)")
            mac = virtual_mac.new(self.lab, self.lan)
            seen = mac.list()
            self.assertEqual(mac.select(seen.server, seen.default).selected, seen.default)

    def test_external_tftp_is_no_reason_to_warn(self):
        server = daemon.serve(self, self.lan, arguments=("--tftp", "external", "--tftp-root", str(self.lab.path("images", "x").parent)))
        with server.namespace.udp_socket("0.0.0.0", 69):
            server.start()
            mac = virtual_mac.new(self.lab, self.lan)
            mac.list()
        self.assertEqual(server.process.count(r"(?i)\bwarn\S*\b.*tftp"), 0)


class StartTest(daemon.ServerTestCase):
    def test_a_second_server_on_the_same_state_is_refused(self):
        server = self.serve()
        twin = daemon.Pomona(server.namespace, "eth0", images=server.images)
        code, said = twin.refused()
        self.assertEqual(code, 1, said)
        self.assertRegex(said, r"(?i)already|another|lock|in use")
        # The first one did not notice.
        mac = virtual_mac.new(self.lab, self.lan)
        mac.list()
        server.command("machine", "list")

    def test_wrong_settings_are_named_and_nothing_starts(self):
        host = self.lab.namespace("host")
        self.lan.join(host, "eth0", "10.0.1.11/24")
        images = daemon.Images(self.lab)
        images.add("grub", 4097)
        for title, arguments, code, words in (
                ("unknown option", ("--colour", "red"), 2, "colour"),
                ("wrong value", ("--log-level", "shouting"), 2, "log-level"),
                ("no such interface", ("--interface", "eth9"), 1, "eth9"),
                ("no such image root", ("--image-root", "More=/nowhere/at/all"), 1, "/nowhere/at/all")):
            with self.subTest(title):
                ended, said = daemon.Pomona(host, "eth0", images=images, arguments=arguments).refused()
                self.assertEqual(ended, code, said)
                self.assertIn(words, said)
                self.assertNotIn("serving", said)

    def test_a_root_that_goes_while_serving_is_no_reason_to_end(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        aside = self.lab.path("aside")
        server.images.path.rename(aside)
        server.process.wait_for("image-problem.*images")
        aside.rename(server.images.path)
        lab.eventually(lambda: mac.answers(mac.list_request(), seconds=0.3, enough=1), "the images to come back", 20)


if __name__ == "__main__":
    lab.main()
