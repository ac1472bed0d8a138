"""The bytes of a Mac's requests and of the answers, made and read from Apple's BSDP document 1.0.8 and RFC 2131.

Written a second time, in another language, on purpose: it shares nothing with the server, so a field that both sides
of the server's own code misread does not stay hidden. Addresses are dotted strings, MAC addresses "aa:bb:cc:dd:ee:ff",
integers are in host order.
"""

import dataclasses
import socket
import struct

COOKIE = bytes([0x63, 0x82, 0x53, 0x63])
HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
LIST, SELECT, FAILED = 1, 2, 3
VERSION = bytes([1, 1])


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(raw):
    return ":".join(f"{octet:02x}" for octet in raw[:6])


def option(code, value):
    assert len(value) < 256
    return bytes([code, len(value)]) + value


def options(*pairs):
    return b"".join(option(code, value) for code, value in pairs)


def message(op=1, xid=0, mac="00:00:00:00:00:00", ciaddr="0.0.0.0", yiaddr="0.0.0.0", siaddr="0.0.0.0",
            giaddr="0.0.0.0", flags=0, secs=0, hops=0, htype=1, hlen=6, sname=b"", file=b"", body=b"",
            cookie=COOKIE, pad_to=300):
    """A BOOTP message with `body` (options without the end mark) behind the cookie."""
    head = HEADER.pack(op, htype, hlen, hops, xid, secs, flags, socket.inet_aton(ciaddr), socket.inet_aton(yiaddr),
                       socket.inet_aton(siaddr), socket.inet_aton(giaddr), mac_bytes(mac), sname, file)
    packet = head + cookie + body + b"\xff"
    return packet + bytes(max(0, pad_to - len(packet)))


def class_of(arch, model):
    return f"AAPLBSDPC/{arch}/{model}".encode()


def inform(kind, xid, mac, ciaddr, arch="i386", model="iMac12,1", subs=(), version=VERSION, size=1500,
           vendor_class=None, wanted=(1, 3, 67, 43, 60), **header):
    """INFORM[LIST] or INFORM[SELECT] as firmware sends it; `subs` are further sub-options of option 43."""
    inner = options((1, bytes([kind])))
    if version is not None:
        inner += option(2, version)
    inner += options(*subs)
    body = options((53, bytes([INFORM])), (55, bytes(wanted)))
    if size is not None:
        body += option(57, struct.pack("!H", size))
    body += options((60, class_of(arch, model) if vendor_class is None else vendor_class), (43, inner))
    return message(xid=xid, mac=mac, ciaddr=ciaddr, body=body, **header)


def inform_list(xid, mac, ciaddr, **more):
    return inform(LIST, xid, mac, ciaddr, **more)


def inform_select(xid, mac, ciaddr, server, image, subs=(), **more):
    chosen = ((3, socket.inet_aton(server)), (8, struct.pack("!I", image)))
    return inform(SELECT, xid, mac, ciaddr, subs=chosen + tuple(subs), **more)


@dataclasses.dataclass
class Image:
    id: int
    name: str

    @property
    def index(self):
        return self.id & 0xFFFF


@dataclasses.dataclass
class Reply:
    """One answer, with everything a test may want to look at. `source` is (address, port) of its datagram."""

    op: int
    xid: int
    ciaddr: str
    yiaddr: str
    siaddr: str
    giaddr: str
    mac: str
    sname: str
    file: str
    options: list
    size: int
    source: tuple = None

    def option(self, code):
        for found, value in self.options:
            if found == code:
                return value
        return None

    @property
    def type(self):
        value = self.option(53)
        return value[0] if value else None

    @property
    def server(self):
        value = self.option(54)
        return socket.inet_ntoa(value) if value and len(value) == 4 else None

    @property
    def vendor_class(self):
        return self.option(60)

    def sub(self, code):
        """The first occurrence; all of them joined for the image list, as a Mac reads it."""
        found = [value for number, value in self.subs() if number == code]
        if not found:
            return None
        return b"".join(found) if code == 9 else found[0]

    def subs(self):
        """Every sub-option; each instance of option 43 is read on its own, as Apple's clients do."""
        result = []
        for code, value in self.options:
            if code == 43:
                result += walk(value, f"option 43 of {len(value)} bytes")
        return result

    @property
    def bsdp_type(self):
        value = self.sub(1)
        return value[0] if value else None

    @property
    def priority(self):
        value = self.sub(4)
        return struct.unpack("!H", value)[0] if value else None

    @property
    def default(self):
        value = self.sub(7)
        return struct.unpack("!I", value)[0] if value else None

    @property
    def selected(self):
        value = self.sub(8)
        return struct.unpack("!I", value)[0] if value else None

    @property
    def images(self):
        raw = self.sub(9) or b""
        found = []
        at = 0
        while at < len(raw):
            if at + 5 > len(raw) or at + 5 + raw[at + 4] > len(raw):
                raise ValueError(f"image description at byte {at} runs past the end of the list")
            name = raw[at + 5:at + 5 + raw[at + 4]]
            found.append(Image(struct.unpack_from("!I", raw, at)[0], name.decode("utf-8")))
            at += 5 + len(name)
        return found


def walk(raw, where):
    """Tag-length-value until the end mark; a value that runs past the end is an error, not a shorter value."""
    found = []
    at = 0
    while at < len(raw):
        code = raw[at]
        if code == 0:
            at += 1
            continue
        if code == 255:
            break
        if at + 2 > len(raw) or at + 2 + raw[at + 1] > len(raw):
            raise ValueError(f"{where}: code {code} at byte {at} runs past the end")
        found.append((code, raw[at + 2:at + 2 + raw[at + 1]]))
        at += 2 + raw[at + 1]
    return found


def parse(packet, source=None):
    """A Reply, or ValueError that says what is wrong with the bytes."""
    if len(packet) < HEADER.size + 4:
        raise ValueError(f"{len(packet)} bytes are no BOOTP message")
    (op, htype, hlen, _hops, xid, _secs, _flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname,
     file) = HEADER.unpack_from(packet)
    if (htype, hlen) != (1, 6):
        raise ValueError(f"htype {htype}, hlen {hlen}")
    if packet[HEADER.size:HEADER.size + 4] != COOKIE:
        raise ValueError("no magic cookie")
    return Reply(op, xid, *(socket.inet_ntoa(part) for part in (ciaddr, yiaddr, siaddr, giaddr)), mac_text(chaddr),
                 sname.split(b"\0")[0].decode(), file.split(b"\0")[0].decode(),
                 walk(packet[HEADER.size + 4:], "options"), len(packet), source)


def _sum16(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(payload, source, source_port, destination, destination_port):
    """An IPv4 packet with UDP inside, both checksums filled in."""
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 17, 8 + len(payload))
    udp = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0)
    checksum = _sum16(pseudo + udp + payload) or 0xFFFF
    udp = udp[:6] + struct.pack("!H", checksum)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, socket.inet_aton(source),
                     socket.inet_aton(destination))
    ip = ip[:10] + struct.pack("!H", _sum16(ip)) + ip[12:]
    return ip + udp + payload


def frame(packet, source_mac, destination_mac="ff:ff:ff:ff:ff:ff", vlan=None):
    """An Ethernet frame around an IPv4 packet, tagged when `vlan` is given."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return mac_bytes(destination_mac) + mac_bytes(source_mac) + tag + b"\x08\x00" + packet
