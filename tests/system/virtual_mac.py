"""A Mac made of sockets: it takes an address, asks for images, chooses one and downloads the program (RFC 1350, 2347-2349)."""

import contextlib
import dataclasses
import random
import selectors
import socket
import struct
import time

import bsdp
import lab

OACK, ERROR, ACK, DATA, RRQ = 6, 5, 4, 3, 1


@dataclasses.dataclass
class Lease:
    address: str
    server: str
    mask: str


class TftpError(Exception):
    def __init__(self, code, text):
        super().__init__(f"TFTP error {code}: {text}")
        self.code = code


class Mac:
    """One Mac in a namespace of its own, or one of many that share a namespace and an interface."""

    def __init__(self, namespace, interface, mac=None, address=None, model="iMac12,1", arch="i386"):
        self.namespace = namespace
        self.interface = interface
        self.mac = mac or namespace.mac(interface)
        self.address = address
        self.model = model
        self.arch = arch

    # The exchange

    def list_request(self, xid=None, **more):
        return bsdp.inform_list(new_xid() if xid is None else xid, self.mac, self.address,
                                **{"arch": self.arch, "model": self.model, **more})

    def select_request(self, server, image, xid=None, **more):
        return bsdp.inform_select(new_xid() if xid is None else xid, self.mac, self.address, server, image,
                                  **{"arch": self.arch, "model": self.model, **more})

    def list(self, to="255.255.255.255", port=68, **more):
        """The ACK[LIST] of one server; asks again as firmware does when nothing comes."""
        if port != 68:
            more["subs"] = ((5, struct.pack("!H", port)), *more.get("subs", ()))
        return self.ask(self.list_request(**more), to=to, port=port, kind=bsdp.LIST)

    def select(self, server, image, to="255.255.255.255", port=68, kind=bsdp.SELECT, **more):
        """The ACK[SELECT], or with kind=FAILED the ACK[FAILED]."""
        return self.ask(self.select_request(server, image, **more), to=to, port=port, kind=kind)

    def ask(self, packet, to="255.255.255.255", port=68, kind=None, seconds=2, tries=4):
        for _ in range(tries):
            for reply in self.answers(packet, to=to, port=port, seconds=seconds * lab.PATIENCE, enough=1, kind=kind):
                return reply
        raise AssertionError(f"no answer of kind {kind} to {self.mac} {self.address} on port {port}")

    def answers(self, packet, to="255.255.255.255", port=68, seconds=1.0, enough=None, kind=None):
        """Every BSDP answer to `packet` within the time, or the first `enough` of them."""
        with self.port(port) as endpoint:
            endpoint.sendto(packet, (to, 67))
            return self.collect(endpoint, packet, seconds, enough, kind)

    def collect(self, endpoint, packet, seconds, enough=None, kind=None):
        xid = struct.unpack_from("!I", packet, 4)[0]
        found = []
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            endpoint.settimeout(left)
            try:
                raw, source = endpoint.recvfrom(65535)
            except TimeoutError:
                break
            reply = bsdp.parse(raw, source)
            if reply.xid != xid or reply.mac != self.mac or not self.is_for_a_mac(reply):
                continue
            if kind is not None and reply.bsdp_type != kind:
                continue
            found.append(reply)
            if enough and len(found) >= enough:
                break
        return found

    def is_for_a_mac(self, reply):
        """What Apple's client demands of an answer; a DHCP server's own ACK to an INFORM does not pass."""
        return reply.op == 2 and reply.type == bsdp.ACK and reply.vendor_class == b"AAPLBSDPC" and \
            reply.ciaddr == self.address and reply.server is not None

    @contextlib.contextmanager
    def port(self, number):
        with self.namespace.udp_socket(self.address, number, self.interface) as endpoint:
            # A broadcast also reaches other Macs' sockets of this namespace; ours is bound to its own address.
            yield endpoint

    def assert_silence(self, packet, to="255.255.255.255", port=68, kind=None):
        """No answer to `packet`, proved without waiting: a LIST sent after it is answered and nothing came before."""
        probe = self.list_request()
        with self.port(port) as endpoint, contextlib.ExitStack() as stack:
            # The proving LIST is answered on port 68, whatever port the packet in question names.
            ordinary = endpoint if port == 68 else stack.enter_context(self.port(68))
            endpoint.sendto(packet, (to, 67))
            for _ in range(4):
                ordinary.sendto(probe, ("255.255.255.255", 67))
                heard, proved = self._hear(endpoint, ordinary, probe)
                for reply in heard:
                    raise AssertionError(f"an answer came where none should: {reply}")
                if proved:
                    return
        raise AssertionError("the server does not answer an ordinary LIST either")

    def _hear(self, endpoint, ordinary, probe):
        heard, proved = [], False
        xid = struct.unpack_from("!I", probe, 4)[0]
        deadline = time.monotonic() + 2 * lab.PATIENCE
        with selectors.DefaultSelector() as selector:
            for each in {endpoint, ordinary}:
                selector.register(each, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    raw, source = key.fileobj.recvfrom(65535)
                    reply = bsdp.parse(raw, source)
                    if reply.xid == xid:
                        if not proved:
                            # An answer that waited for the disk may still be on its way.
                            deadline = time.monotonic() + 0.15
                        proved = True
                    elif reply.vendor_class == b"AAPLBSDPC":
                        heard.append(reply)
        return heard, proved

    # Ordinary DHCP

    def dhcp(self, seconds=20, configure=True):
        """A lease from whatever DHCP server is there, taken as firmware takes it; the interface gets the address."""
        deadline = time.monotonic() + seconds * lab.PATIENCE
        with self.namespace.udp_socket("0.0.0.0", 68, self.interface) as endpoint:
            while time.monotonic() < deadline:
                offer = self._dhcp_step(endpoint, bsdp.DISCOVER, (), bsdp.OFFER)
                if not offer:
                    continue
                want = ((50, socket.inet_aton(offer.yiaddr)), (54, offer.option(54)))
                ack = self._dhcp_step(endpoint, bsdp.REQUEST, want, bsdp.ACK)
                if ack:
                    mask = socket.inet_ntoa(ack.option(1))
                    lease = Lease(ack.yiaddr, ack.server, mask)
                    if configure:
                        self.namespace.add_address(self.interface, f"{lease.address}/{mask_bits(mask)}")
                        self.address = lease.address
                    return lease
        raise AssertionError(f"{self.mac} got no lease")

    def _dhcp_step(self, endpoint, kind, extra, wanted):
        xid = new_xid()
        body = bsdp.options((53, bytes([kind])), (55, bytes([1, 3, 43, 60])), *extra,
                            (60, bsdp.class_of(self.arch, self.model)), (43, bsdp.options((2, bsdp.VERSION))))
        endpoint.sendto(bsdp.message(xid=xid, mac=self.mac, flags=0x8000, body=body), ("255.255.255.255", 67))
        deadline = time.monotonic() + 3 * lab.PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            endpoint.settimeout(left)
            try:
                reply = bsdp.parse(*endpoint.recvfrom(65535))
            except TimeoutError:
                return None
            if reply.xid == xid and reply.type == wanted:
                return reply
        return None

    def renew(self, lease):
        """Renews by unicast from the leased address, as a client does at half time; fails without an ACK."""
        with self.namespace.udp_socket(lease.address, 68) as endpoint:
            for _ in range(4):
                xid = new_xid()
                body = bsdp.options((53, bytes([bsdp.REQUEST])), (60, bsdp.class_of(self.arch, self.model)))
                endpoint.sendto(bsdp.message(xid=xid, mac=self.mac, ciaddr=lease.address, body=body), (lease.server, 67))
                endpoint.settimeout(2 * lab.PATIENCE)
                with contextlib.suppress(TimeoutError):
                    while True:
                        reply = bsdp.parse(*endpoint.recvfrom(65535))
                        if reply.xid == xid and reply.type == bsdp.ACK:
                            return reply
        raise AssertionError(f"the lease of {lease.address} was not renewed by {lease.server}")

    # The download

    def download(self, server, path, blksize=1456, tsize=True, windowsize=None, twice=False, tries=12, timeout=0.7):
        """The bytes of a file. With twice=True every ACK is sent two times, as a network that duplicates would."""
        return Download(self, server, path, blksize, tsize, windowsize, twice, tries, timeout).run()


class Download:
    """One TFTP transfer, seen from the client."""

    def __init__(self, mac, server, path, blksize=1456, tsize=True, windowsize=None, twice=False, tries=12, timeout=0.7):
        self._server = server
        self._timeout = timeout * lab.PATIENCE
        self._tries = tries
        self._times = 2 if twice else 1
        self._window = 1
        self._blksize = 512
        self._content = []
        self.granted = {}
        asked = [("blksize", blksize), ("tsize", 0 if tsize else None), ("windowsize", windowsize)]
        request = b"".join(f"{key}\0{value}\0".encode() for key, value in asked if value is not None)
        self._packet = struct.pack("!H", RRQ) + path.encode() + b"\0octet\0" + request
        self.endpoint = mac.namespace.udp_socket(mac.address, 0)
        self._peer = (server, 69)
        self._block = 0
        self._since_ack = 0
        self._gap_named = False
        self._answered_from = None

    @property
    def content(self):
        return b"".join(self._content)

    def run(self):
        with self.endpoint:
            self.send()
            left = self._tries
            while True:
                self.endpoint.settimeout(self._timeout)
                try:
                    raw, source = self.endpoint.recvfrom(65535)
                except TimeoutError:
                    left -= 1
                    if left == 0:
                        raise AssertionError(f"the transfer stopped after block {self._block}") from None
                    self.send()
                    continue
                left = self._tries
                if self.take(raw, source):
                    return self.content

    def send(self):
        """The last packet once more: the request or the newest ACK."""
        self._since_ack = 0
        for _ in range(self._times):
            self.endpoint.sendto(self._packet, self._peer)

    def take(self, raw, source):
        """Handles one packet; true when the file is complete."""
        if source[0] != self._server:
            return False
        if self._answered_from not in (None, source):
            # A doubled request may have started a second transfer; the first one stays the only one (RFC 1350).
            self.endpoint.sendto(struct.pack("!HH", ERROR, 5) + b"unknown transfer\0", source)
            return False
        kind = struct.unpack_from("!H", raw)[0]
        if kind == ERROR:
            raise TftpError(struct.unpack_from("!H", raw, 2)[0], raw[4:].split(b"\0")[0].decode())
        self._answered_from = self._peer = source
        if kind == OACK and self._block == 0 and not self._content:
            words = raw[2:].split(b"\0")
            self.granted = {words[at].decode().lower(): int(words[at + 1]) for at in range(0, len(words) - 1, 2)}
            self._blksize = self.granted.get("blksize", 512)
            self._window = self.granted.get("windowsize", 1)
            self._acknowledge()
        elif kind == DATA:
            return self._data(struct.unpack_from("!H", raw, 2)[0], raw[4:])
        return False

    def _data(self, number, content):
        ahead = (number - self._block) & 0xFFFF
        if ahead != 1:
            # The newest block once more means that its ACK was lost. A gap is named once, or the server would begin
            # the window anew for each block behind it.
            if ahead == 0 or (ahead < 0x8000 and not self._gap_named):
                self._acknowledge()
                self._gap_named = ahead != 0
            return False
        self._gap_named = False
        self._block += 1
        self._content.append(content)
        self._since_ack += 1
        last = len(content) < self._blksize
        if last or self._since_ack >= self._window:
            self._acknowledge()
        return last

    def _acknowledge(self):
        self._packet = struct.pack("!HH", ACK, self._block & 0xFFFF)
        self.send()


def new_xid():
    return random.getrandbits(32)


def mask_bits(mask):
    return bin(struct.unpack("!I", socket.inet_aton(mask))[0]).count("1")


def new(lab_, lan, label="mac", address="10.0.1.32/24", mac="40:6c:8f:37:95:27", **more):
    """A Mac at the end of its own cable; without an address it has to ask for one."""
    namespace = lab_.namespace(label)
    lan.join(namespace, "en0", *([address] if address else []), mac=mac)
    return Mac(namespace, "en0", mac=mac, address=address.split("/")[0] if address else None, **more)
