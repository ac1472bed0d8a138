"""A boot loader without an address, on a Mac's card: it speaks and hears frames, as GRUB's network does."""

import contextlib
import socket
import time

import bsdp
import lab

ETH_P_ALL = 0x0003


def bootrequest(mac, xid=0x65000000, **more):
    """What GRUB up to 2.02 sends: the time of day in xid and secs, no cookie, zeros behind the fixed part."""
    more = {"secs": xid & 0xFFFF, "cookie": b"", **more}
    packet = bsdp.message(xid=xid, mac=mac, **more)
    return packet[:236] + bytes(64) if not more["cookie"] else packet


def bare_discover(mac, xid=0x65000000):
    """What GRUB from 2.04 on sends: 300 octets with nothing but option 53."""
    return bsdp.message(xid=xid, mac=mac, secs=xid & 0xFFFF, body=bsdp.options((53, bytes([bsdp.DISCOVER]))))


def ipxe_discover(mac, xid=0x77000000):
    """The options of iPXE's DISCOVER that matter, on x86-64 EFI."""
    return bsdp.message(xid=xid, mac=mac, secs=4, body=bsdp.options(
        (53, bytes([bsdp.DISCOVER])), (57, b"\x05\xc0"), (93, b"\x00\x07"), (94, b"\x01\x03\x0a"),
        (60, b"PXEClient:Arch:00007:UNDI:003010"), (77, b"iPXE"), (55, bytes([1, 3, 6, 7, 12, 15, 17, 43, 60, 66, 67])),
        (97, bytes(17))))


class Loader:
    """The card `interface` of `namespace` with the given MAC; whatever address it had is gone."""

    def __init__(self, namespace, interface, mac):
        self.namespace = namespace
        self.interface = interface
        self.mac = mac
        namespace.ip("address", "flush", "dev", interface)
        with namespace.entered():
            self._port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._port.bind((interface, 0))

    def close(self):
        self._port.close()

    def send(self, packet):
        whole = bsdp.datagram(packet, "0.0.0.0", 68, "255.255.255.255", 67)
        self._port.send(bsdp.frame(whole, self.mac))

    def replies(self, seconds, enough=None):
        """The messages to port 68 with our MAC within the time, as (Reply, link destination)."""
        found = []
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._port.settimeout(left)
            try:
                raw, info = self._port.recvfrom(65535)
            except TimeoutError:
                break
            if info[2] == socket.PACKET_OUTGOING or raw[12:14] != b"\x08\x00" or raw[23] != 17:
                continue
            start = 14 + (raw[14] & 15) * 4
            if int.from_bytes(raw[start + 2:start + 4], "big") != 68:
                continue
            reply = bsdp.parse(raw[start + 8:], (socket.inet_ntoa(raw[26:30]), 67))
            if reply.mac != self.mac:
                continue
            found.append((reply, bsdp.mac_text(raw[:6])))
            if enough and len(found) >= enough:
                break
        return found

    def ask(self, packet, seconds=2, tries=4):
        """The first answer, asked for again as loaders do."""
        for _ in range(tries):
            self.send(packet)
            for found in self.replies(seconds * lab.PATIENCE, enough=1):
                return found
        raise AssertionError(f"no answer to the loader of {self.mac}")

    def assert_silence(self, packet, server, reason):
        """No answer, for the named reason; nothing else was heard until the server had said so."""
        mark = server.process.mark()
        self.send(packet)
        server.process.wait_for(rf"silence .*mac={self.mac}.*reason={reason}", after=mark)
        for reply, _ in self.replies(0.2):
            if reply.source[0] == "10.0.1.11":
                raise AssertionError(f"an answer came where none should: {reply}")


@contextlib.contextmanager
def of(mac):
    """The loader that runs on a Mac after its firmware; the Mac's address is gone meanwhile."""
    loader = Loader(mac.namespace, mac.interface, mac.mac)
    try:
        yield loader
    finally:
        loader.close()
