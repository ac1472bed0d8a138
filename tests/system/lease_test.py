"""Addresses for machines that speak nothing but BOOTP: borrowed from the site's DHCP server, or from a pool of our own."""

import pathlib
import re
import socket
import sqlite3

import bsdp
import daemon
import lab
import loader
import peers

KLIBC_IPCONFIG = "/usr/lib/klibc/bin/ipconfig"
PC = "40:6c:8f:37:95:77"


class LeaseTestCase(daemon.ServerTestCase):
    def machine(self, mac=PC, label="pc"):
        namespace = self.lab.namespace(label)
        self.lan.join(namespace, "en0", mac=mac)
        machine = loader.Loader(namespace, "en0", mac)
        self.addCleanup(machine.close)
        return machine


class BorrowTest(LeaseTestCase):
    def borrow(self, start, same_host):
        """A stranger's BOOTP is answered with a lease that the DHCP server has given for its MAC."""
        server = daemon.serve(self, self.lan, arguments=["--bootp-borrow", "on", "--bootp-borrow-time", "2"])
        host = server.namespace
        if not same_host:
            host = self.lab.namespace("dhcp")
            self.lan.join(host, "eth0", "10.0.1.2/24")
        dhcp = start(host, "eth0")
        server.start()
        pc = self.machine()
        # Asked for again until the loan is there, as loaders do.
        reply, link = pc.ask(loader.bootrequest(PC), seconds=3, tries=6)
        self.assertRegex(reply.yiaddr, r"^10\.0\.1\.1\d\d$")
        self.assertEqual((reply.siaddr, link, reply.type), ("10.0.1.11", PC, None))
        self.assertEqual(socket.inet_ntoa(reply.option(3)), "10.0.1.1")
        server.process.wait_for(rf"address-borrowed mac={PC} address={re.escape(reply.yiaddr)}")
        # The same address while it asks, and back it goes two seconds after it asked last.
        self.assertEqual(pc.ask(loader.bootrequest(PC))[0].yiaddr, reply.yiaddr)
        server.process.wait_for(rf"address-returned mac={PC} address={re.escape(reply.yiaddr)}")
        return dhcp, reply.yiaddr

    def leases_file(self):
        return next(pathlib.Path(self.lab.folder).rglob("dhcpd.leases"))

    def test_from_isc_dhcpd_on_another_host(self):
        dhcp, address = self.borrow(peers.isc_dhcpd, same_host=False)
        self.assertIn(f"hardware ethernet {PC}", self.leases_file().read_text(encoding="ascii"))
        dhcp.wait_for(rf"DHCPRELEASE of {re.escape(address)} from {PC}")

    def test_from_isc_dhcpd_on_the_same_host(self):
        dhcp, address = self.borrow(peers.isc_dhcpd, same_host=True)
        dhcp.wait_for(rf"DHCPRELEASE of {re.escape(address)} from {PC}")

    def test_from_dnsmasq_on_another_host(self):
        dhcp, address = self.borrow(peers.dnsmasq, same_host=False)
        dhcp.wait_for(rf"DHCPRELEASE\(eth0\) {re.escape(address)} {PC}")

    def test_from_dnsmasq_on_the_same_host(self):
        self.borrow(peers.dnsmasq, same_host=True)

    def test_from_kea_on_another_host(self):
        self.borrow(peers.kea_dhcp4, same_host=False)

    def test_from_isc_dhcpd_behind_a_router(self):
        far = self.lab.lan("far")
        router = self.lab.namespace("router")
        self.lan.join(router, "net1", "10.0.1.1/24")
        far.join(router, "net2", "10.0.2.1/24")
        router.set("net/ipv4/ip_forward", 1)
        host = self.lab.namespace("dhcp")
        far.join(host, "eth0", "10.0.2.2/24")
        host.ip("route", "add", "default", "via", "10.0.2.1")
        net = "subnet 10.0.1.0 netmask 255.255.255.0 { range 10.0.1.100 10.0.1.110; option routers 10.0.1.1; }"
        dhcp = peers.isc_dhcpd(host, "eth0", network="10.0.2.0/24", more=net)
        server = daemon.serve(self, self.lan, arguments=["--bootp-borrow", "on", "--bootp-borrow-time", "2",
                                                         "--bootp-borrow-server", "10.0.2.2"])
        server.namespace.ip("route", "add", "default", "via", "10.0.1.1")
        server.start()
        pc = self.machine()
        reply, _ = pc.ask(loader.bootrequest(PC), seconds=3, tries=6)
        self.assertRegex(reply.yiaddr, r"^10\.0\.1\.1\d\d$")
        dhcp.wait_for(rf"DHCPRELEASE of {re.escape(reply.yiaddr)} from {PC}")

    def test_a_server_here_cannot_be_named(self):
        server = daemon.serve(self, self.lan, arguments=["--bootp-borrow", "on", "--bootp-borrow-server", "10.0.1.11"])
        code, said = server.refused()
        self.assertEqual(code, 1)
        self.assertIn("bootp-borrow-server (flag --bootp-borrow-server): 10.0.1.11 is this host", said)

    def test_a_pure_bootp_client(self):
        server = daemon.serve(self, self.lan, arguments=["--bootp-borrow", "on"])
        host = self.lab.namespace("dhcp")
        self.lan.join(host, "eth0", "10.0.1.2/24")
        peers.isc_dhcpd(host, "eth0", authoritative=False)
        server.start()
        pc = self.lab.namespace("pc")
        self.lan.join(pc, "en0", mac=PC)
        done = pc.run(KLIBC_IPCONFIG, "-t", "12", "-c", "bootp", "-d", "en0")
        self.assertRegex(done.stdout + done.stderr, r"10\.0\.1\.1\d\d")
        self.assertRegex(pc.ip("-o", "-4", "address", "show", "dev", "en0").stdout, r"10\.0\.1\.1\d\d/24")

    def test_without_a_dhcp_server_the_reason_is_told(self):
        server = self.serve(arguments=["--bootp-borrow", "on"])
        pc = self.machine()
        pc.send(loader.bootrequest(PC))
        server.process.wait_for(rf"loan-refused mac={PC}.*no DHCP server offers", seconds=30)
        pc.assert_silence(loader.bootrequest(PC), server, "loan-refused")

    def test_an_address_that_somebody_uses_goes_back_and_another_is_asked_for(self):
        server = daemon.serve(self, self.lan, arguments=["--bootp-borrow", "on"])
        host = self.lab.namespace("dhcp")
        self.lan.join(host, "eth0", "10.0.1.2/24")
        dhcp = peers.isc_dhcpd(host, "eth0", first=100, last=102)
        squatter = self.lab.namespace("squatter")
        self.lan.join(squatter, "en0", "10.0.1.100/24")
        squatter.ip("address", "add", "10.0.1.102/24", "dev", "en0")
        server.start()
        pc = self.machine()
        self.assertEqual(pc.ask(loader.bootrequest(PC), seconds=2, tries=8)[0].yiaddr, "10.0.1.101")
        server.process.wait_for(rf"loan-declined mac={PC} address=10\.0\.1\.10[02]")
        dhcp.wait_for(rf"DHCPDECLINE of 10\.0\.1\.10[02] from {PC}")

    def test_grubs_discover_of_a_stranger_is_left_to_its_dhcp_server(self):
        server = self.serve(arguments=["--bootp-borrow", "on", "--bootp-pool", "10.0.1.200-10.0.1.210"])
        self.machine().assert_silence(loader.bare_discover(PC), server, "bare-discover")

    def test_leases_go_back_when_the_server_ends(self):
        server = daemon.serve(self, self.lan, arguments=["--bootp-borrow", "on"])
        host = self.lab.namespace("dhcp")
        self.lan.join(host, "eth0", "10.0.1.2/24")
        dhcp = peers.isc_dhcpd(host, "eth0", authoritative=False)
        server.start()
        pc = self.machine()
        reply, _ = pc.ask(loader.bootrequest(PC), seconds=3, tries=6)
        server.stop()
        dhcp.wait_for(rf"DHCPRELEASE of {re.escape(reply.yiaddr)} from {PC}")


class PoolTest(LeaseTestCase):
    def test_each_machine_has_its_own_also_after_a_crash(self):
        server = self.serve(arguments=["--bootp-pool", "10.0.1.200-10.0.1.201"])
        one, other, third = (self.machine(f"40:6c:8f:37:95:7{n}", f"pc{n}") for n in range(3))
        self.assertEqual(one.ask(loader.bootrequest(one.mac))[0].yiaddr, "10.0.1.200")
        self.assertEqual(other.ask(loader.bootrequest(other.mac))[0].yiaddr, "10.0.1.201")
        third.assert_silence(loader.bootrequest(third.mac), server, "pool-empty")
        # Written behind: wait until the lease is on disk before the crash.
        lab.eventually(lambda: self.stored(server) == 2, "the leases to be stored")
        server.process.kill()
        server.start()
        self.assertEqual(other.ask(loader.bootrequest(other.mac))[0].yiaddr, "10.0.1.201")
        self.assertEqual(one.ask(loader.bootrequest(one.mac))[0].yiaddr, "10.0.1.200")

    @staticmethod
    def stored(server):
        with sqlite3.connect(f"file:{server.state}/leases.db?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM leases").fetchone()[0]

    def test_an_address_that_somebody_uses_is_passed_over(self):
        server = self.serve(arguments=["--bootp-pool", "10.0.1.200-10.0.1.201"])
        squatter = self.lab.namespace("squatter")
        self.lan.join(squatter, "en0", "10.0.1.200/24")
        pc = self.machine()
        self.assertEqual(pc.ask(loader.bootrequest(PC))[0].yiaddr, "10.0.1.201")
        server.process.wait_for(r"address-contested .*address=10\.0\.1\.200")

    def test_a_pool_elsewhere_is_refused_at_the_start(self):
        server = daemon.serve(self, self.lan, arguments=["--bootp-pool", "10.9.1.200-10.9.1.201"])
        code, said = server.refused()
        self.assertEqual(code, 1)
        self.assertIn("bootp-pool (flag --bootp-pool): 10.9.1.200-10.9.1.201 lies in no network of a served interface", said)


if __name__ == "__main__":
    lab.main()
