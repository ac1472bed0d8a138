"""The loader's turn: it gets the address that its Mac holds, beside a DHCP server that ignores BOOTP, and nobody else does."""

import socket
import time

import bsdp
import captures
import daemon
import lab
import loader
import peers
import virtual_mac

KLIBC_IPCONFIG = "/usr/lib/klibc/bin/ipconfig"


def address_of(reply, code):
    value = reply.option(code)
    return socket.inet_ntoa(value) if value else None


class BootpTest(daemon.ServerTestCase):
    def boot(self, mac=None, **more):
        """A Mac that has chosen an image; the loader is next."""
        mac = mac or virtual_mac.new(self.lab, self.lan, **more)
        seen = mac.list()
        mac.select(seen.server, seen.default)
        return mac

    def test_the_address_that_the_mac_holds(self):
        server = self.serve()
        mac = self.boot()
        capture = captures.Capture(mac.namespace, "en0")
        with loader.of(mac) as grub:
            reply, link = grub.ask(loader.bootrequest(mac.mac))
            self.assertEqual((reply.op, reply.xid, reply.yiaddr, reply.siaddr, reply.size, link),
                             (2, 0x65000000, "10.0.1.32", "10.0.1.11", 300, mac.mac))
            self.assertEqual(reply.file, "nbi/NetBootSP0/grub.nbi/i386/booter")
            self.assertEqual([code for code, _ in reply.options], [1])
            # A broadcast answer for those who ask for one.
            reply, link = grub.ask(loader.bootrequest(mac.mac, flags=0x8000))
            self.assertEqual((reply.yiaddr, link), ("10.0.1.32", "ff:ff:ff:ff:ff:ff"))
        captures.assert_no_malformed(capture.stop(), "udp.srcport == 67")
        server.process.wait_for(r"reply=BOOTREPLY.*address=10\.0\.1\.32 source=learned")

    def test_grubs_discover_is_answered_the_same_way(self):
        server = self.serve()
        mac = self.boot()
        with loader.of(mac) as grub:
            reply, _ = grub.ask(loader.bare_discover(mac.mac))
            self.assertEqual((reply.type, reply.yiaddr, reply.siaddr), (None, "10.0.1.32", "10.0.1.11"))
        stranger = loader.Loader(mac.namespace, "en0", "40:6c:8f:37:95:99")
        self.addCleanup(stranger.close)
        stranger.assert_silence(loader.bare_discover(stranger.mac), server, "bare-discover")

    def test_ipxe_learns_where_it_came_from_and_gets_no_address(self):
        images = daemon.Images(self.lab)
        chosen = images.add("ipxe", 4098, "iPXE", IsDefault=True, PomonaLoaderScript="i386/boot.ipxe")
        (images.path / "ipxe.nbi" / "i386" / "boot.ipxe").write_text("#!ipxe\n", encoding="ascii")
        self.serve(images=images)
        mac = virtual_mac.new(self.lab, self.lan)
        capture = captures.Capture(mac.namespace, "en0")
        mac.select("10.0.1.11", chosen)
        with loader.of(mac) as ipxe:
            reply, _ = ipxe.ask(loader.ipxe_discover(mac.mac))
            self.assertEqual((reply.type, reply.yiaddr, reply.siaddr, reply.vendor_class),
                             (bsdp.OFFER, "0.0.0.0", "10.0.1.11", b"PXEClient"))
            self.assertEqual(reply.file, "nbi/NetBootSP0/ipxe.nbi/i386/boot.ipxe")
            self.assertEqual(reply.option(97), bytes(17))
        captures.assert_no_malformed(capture.stop(), "udp.srcport == 67")

    def test_klibc_as_a_pure_bootp_client(self):
        self.serve()
        mac = self.boot()
        mac.namespace.ip("address", "flush", "dev", "en0")
        done = mac.namespace.run(KLIBC_IPCONFIG, "-t", "8", "-c", "bootp", "-d", "en0")
        self.assertIn("10.0.1.32", done.stdout + done.stderr)
        found = mac.namespace.ip("-o", "-4", "address", "show", "dev", "en0").stdout
        self.assertIn("10.0.1.32/24", found)

    def test_strangers_get_silence(self):
        server = self.serve()
        mac = self.boot()
        with loader.of(mac) as grub:
            stranger = loader.Loader(mac.namespace, "en0", "40:6c:8f:37:95:99")
            self.addCleanup(stranger.close)
            stranger.assert_silence(loader.bootrequest(stranger.mac), server, "no-address-known")
            self.assertEqual(grub.ask(loader.bootrequest(mac.mac))[0].yiaddr, "10.0.1.32")

    def test_switched_off(self):
        server = self.serve(arguments=["--bootp", "off"])
        mac = self.boot()
        with loader.of(mac) as grub:
            grub.assert_silence(loader.bootrequest(mac.mac), server, "bootp-off")
            grub.assert_silence(loader.bare_discover(mac.mac), server, "bootp-discover-off")

    def test_not_when_another_host_has_the_address(self):
        server = self.serve()
        mac = self.boot()
        thief = self.lab.namespace("thief")
        self.lan.join(thief, "en0", mac="40:6c:8f:00:00:66")
        with loader.of(mac) as grub:
            thief.add_address("en0", "10.0.1.32/24")
            grub.assert_silence(loader.bootrequest(mac.mac), server, "address-contested")
            server.process.wait_for(r"address-contested .*address=10\.0\.1\.32 owner=40:6c:8f:00:00:66")
            # Known now, it is not asked for again.
            thief.ip("address", "flush", "dev", "en0")
            grub.assert_silence(loader.bootrequest(mac.mac), server, "address-contested")
        # The Mac shows its address again.
        mac.namespace.add_address("en0", "10.0.1.32/24")
        mac.list()
        with loader.of(mac) as grub:
            self.assertEqual(grub.ask(loader.bootrequest(mac.mac))[0].yiaddr, "10.0.1.32")

    def test_not_when_the_time_is_over(self):
        server = self.serve(arguments=["--bootp-lifetime", "1"])
        mac = self.boot()
        with loader.of(mac) as grub:
            lab.eventually(lambda: self.is_expired(grub, server), "the address to expire")

    def is_expired(self, grub, server):
        mark = server.process.mark()
        grub.send(loader.bootrequest(grub.mac))
        line = server.process.wait_for(rf"(reply=BOOTREPLY|silence) ?.*mac={grub.mac}|mac={grub.mac}.*reply=BOOTREPLY",
                                       after=mark)
        return "reason=address-expired" in line

    def test_after_a_restart(self):
        server = self.serve()
        mac = self.boot()
        server.process.kill()
        server.start()
        with loader.of(mac) as grub:
            reply, _ = grub.ask(loader.bootrequest(mac.mac))
            self.assertEqual((reply.yiaddr, reply.file), ("10.0.1.32", "nbi/NetBootSP0/grub.nbi/i386/booter"))
            self.assertIsNone(grub.ask(loader.bare_discover(mac.mac))[0].type)

    def test_a_fixed_address(self):
        stranger = "40:6c:8f:37:95:77"
        self.serve(arguments=["--host", f"{stranger} 10.0.1.77 grub.efi", "--bootp-network",
                              "10.0.0.0/16 router=10.0.0.1 dns=10.0.0.2 domain=lab.example"])
        namespace = self.lab.namespace("pc")
        self.lan.join(namespace, "en0", mac=stranger)
        pc = loader.Loader(namespace, "en0", stranger)
        self.addCleanup(pc.close)
        reply, _ = pc.ask(loader.bootrequest(stranger))
        self.assertEqual((reply.yiaddr, reply.file), ("10.0.1.77", "grub.efi"))
        self.assertEqual((address_of(reply, 1), address_of(reply, 3), address_of(reply, 6), reply.option(15)),
                         ("255.255.0.0", "10.0.0.1", "10.0.0.2", b"lab.example"))
        self.assertEqual([code for code, _ in reply.options], [1, 3, 15, 6])

    def test_foreign_requests_leave_macs_undisturbed(self):
        server = self.serve()
        mac = virtual_mac.new(self.lab, self.lan)
        noise = self.lab.namespace("noise")
        self.lan.join(noise, "en0")
        with noise.entered():
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        port.bind(("en0", 0))
        sent = 0
        served = 0
        with port:
            begin = time.monotonic()
            # 10,000 a second for three seconds, from 5,000 machines.
            while (now := time.monotonic() - begin) < 3:
                while sent < now * 10_000:
                    stranger = f"02:00:00:00:{sent % 5000 >> 8:02x}:{sent & 255:02x}"
                    whole = bsdp.datagram(loader.bootrequest(stranger), "0.0.0.0", 68, "255.255.255.255", 67)
                    port.send(bsdp.frame(whole, stranger))
                    sent += 1
                # One try each: a lost answer fails.
                seen = mac.ask(mac.list_request(), kind=bsdp.LIST, tries=1)
                mac.ask(mac.select_request(seen.server, seen.default), kind=bsdp.SELECT, tries=1)
                served += 1
        self.assertGreater(sent, 25_000)
        self.assertGreater(served, 10)
        self.assertEqual(server.process.count("reply=BOOTREPLY"), 0)


class NeighbourTest(daemon.ServerTestCase):
    """Beside a DHCP server as people have it, which answers no BOOTP."""

    def story(self, dhcp_namespace, server):
        dhcpd = peers.isc_dhcpd(dhcp_namespace, "eth0", authoritative=False)
        server.start()
        mac = virtual_mac.new(self.lab, self.lan, address=None)
        lease = mac.dhcp()
        seen = mac.list()
        mac.select(seen.server, seen.default)
        with loader.of(mac) as grub:
            reply, _ = grub.ask(loader.bootrequest(mac.mac))
            self.assertEqual((reply.yiaddr, reply.siaddr), (lease.address, "10.0.1.11"))
            self.assertEqual(address_of(reply, 1), "255.255.255.0")
            reply, _ = grub.ask(loader.bare_discover(mac.mac))
            self.assertEqual(reply.yiaddr, lease.address)
        dhcpd.wait_for("BOOTP from dynamic client and no dynamic leases")

    def test_isc_dhcpd_on_the_same_host(self):
        server = daemon.serve(self, self.lan)
        self.story(server.namespace, server)

    def test_isc_dhcpd_on_another_host(self):
        server = daemon.serve(self, self.lan)
        other = self.lab.namespace("dhcp")
        self.lan.join(other, "eth0", "10.0.1.2/24")
        self.story(other, server)

    def test_what_a_dhcp_server_on_the_same_host_says_is_overheard(self):
        server = daemon.serve(self, self.lan)
        self.overhearing(server.namespace, server)

    def test_what_a_dhcp_server_on_another_host_says_is_overheard(self):
        server = daemon.serve(self, self.lan)
        other = self.lab.namespace("dhcp")
        self.lan.join(other, "eth0", "10.0.1.2/24")
        self.overhearing(other, server)

    def overhearing(self, dhcp_namespace, server):
        peers.isc_dhcpd(dhcp_namespace, "eth0", authoritative=False)
        server.start()
        mac = virtual_mac.new(self.lab, self.lan, address=None)
        mac.dhcp()
        # The side channel opens a moment after the start; then nothing is missed.
        lab.eventually(lambda: self.router_told(mac), "the router to be overheard")

    def router_told(self, mac):
        mac.namespace.ip("address", "flush", "dev", "en0")
        mac.dhcp()
        mac.list()
        address = mac.address
        with loader.of(mac) as grub:
            reply, _ = grub.ask(loader.bootrequest(mac.mac))
        mac.namespace.add_address("en0", f"{address}/24")
        return address_of(reply, 3) == "10.0.1.1"

    def test_an_address_that_the_dhcp_server_gives_to_another_is_dropped(self):
        server = daemon.serve(self, self.lan)
        dhcp = self.lab.namespace("dhcp")
        self.lan.join(dhcp, "eth0", "10.0.1.2/24")
        # One address for all, and no memory of who had it.
        peers.isc_dhcpd(dhcp, "eth0", first=100, last=100, authoritative=True)
        server.start()
        mac = virtual_mac.new(self.lab, self.lan, address=None)
        lease = mac.dhcp()
        mac.list()
        release = bsdp.message(xid=9, mac=mac.mac, ciaddr=lease.address, body=bsdp.options(
            (53, bytes([bsdp.RELEASE])), (54, socket.inet_aton("10.0.1.2"))))
        # Straight to the DHCP server: we do not see it.
        with mac.port(68) as endpoint:
            endpoint.sendto(release, ("10.0.1.2", 67))
        mac.namespace.ip("address", "flush", "dev", "en0")
        other = virtual_mac.new(self.lab, self.lan, "other", None, "40:6c:8f:37:95:28")
        self.assertEqual(other.dhcp().address, lease.address)
        with loader.of(mac) as grub:
            grub.assert_silence(loader.bootrequest(mac.mac), server, "no-address-known")


class RelayTest(daemon.ServerTestCase):
    def test_a_loader_behind_a_relay(self):
        far = self.lab.lan("far")
        router = self.lab.namespace("router")
        self.lan.join(router, "net1", "10.0.1.1/24")
        far.join(router, "net2", "10.0.2.1/24")
        router.set("net/ipv4/ip_forward", 1)
        server = daemon.serve(self, self.lan)
        server.namespace.ip("route", "add", "default", "via", "10.0.1.1")
        server.start()
        peers.dhcrelay(router, "net2", "net1", "10.0.1.11")
        mac = virtual_mac.new(self.lab, far, address="10.0.2.40/24")
        mac.namespace.ip("route", "add", "default", "via", "10.0.2.1")
        seen = mac.list()
        mac.select(seen.server, seen.default)
        mac.namespace.ip("address", "flush", "dev", "en0")
        done = mac.namespace.run(KLIBC_IPCONFIG, "-t", "8", "-c", "bootp", "-d", "en0", timeout=20)
        self.assertIn("10.0.2.40", done.stdout + done.stderr)
        self.assertIn("10.0.2.1", done.stdout + done.stderr)


if __name__ == "__main__":
    lab.main()
