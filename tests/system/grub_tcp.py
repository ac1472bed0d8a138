"""A TCP client that behaves as GRUB's: no options in its SYN, always the same source port first, deaf once it has closed.

It writes its own segments on a raw socket. The kernel of the namespace knows nothing of these connections and would
reset them; a rule of nftables keeps it silent.
"""

import select
import socket
import struct
import time

import lab

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
FIRST_PORT = 21550
WINDOW = 8192


def silence_the_kernel(namespace):
    namespace.nft("""
table ip grub {
    chain output {
        type filter hook output priority 0;
        tcp sport 21550-21599 tcp flags & rst == rst drop
    }
}
""")


class Segment:
    def __init__(self, packet):
        header = (packet[0] & 15) * 4
        self.source = socket.inet_ntoa(packet[12:16])
        tcp = packet[header:struct.unpack_from("!H", packet, 2)[0]]
        self.sport, self.dport, self.seq, self.ack, offset, self.flags = struct.unpack_from("!HHIIBB", tcp)
        self.data = tcp[(offset >> 4) * 4:]


class GrubTcp:
    def __init__(self, namespace, address, server, port=80):
        self.address, self.server, self.port = address, server, port
        with namespace.entered():
            self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.raw.bind((address, 0))
        self.biggest = 0

    def close_socket(self):
        self.raw.close()

    def _send(self, flags, data=b"", window=WINDOW):
        head = struct.pack("!HHIIBBHHH", self.own_port, self.port, self.seq & 0xFFFFFFFF, self.expected & 0xFFFFFFFF,
                           5 << 4, flags, window, 0, 0)
        pseudo = socket.inet_aton(self.address) + socket.inet_aton(self.server) + struct.pack("!BBH", 0, 6, len(head + data))
        octets = pseudo + head + data + b"\0" * (len(data) % 2)
        total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        head = head[:16] + struct.pack("!H", ~total & 0xFFFF) + head[18:]
        self.raw.sendto(head + data, (self.server, 0))

    def receive(self, seconds=2):
        """The next segment of the server to our port, or None."""
        deadline = time.monotonic() + seconds * lab.PATIENCE
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.raw], [], [], left)[0]:
                return None
            segment = Segment(self.raw.recv(65536))
            if (segment.source, segment.sport, segment.dport) == (self.server, self.port, self.own_port):
                return segment

    def connect(self, own_port=FIRST_PORT, sequence=1000, seconds=1):
        """True if the server takes the connection in time; GRUB's SYN says nothing but its window."""
        self.own_port, self.seq, self.expected = own_port, sequence, 0
        self._send(SYN)
        answer = self.receive(seconds)
        if answer is None or answer.flags & (SYN | ACK) != SYN | ACK or answer.ack != sequence + 1:
            return False
        self.seq = sequence + 1
        self.expected = answer.seq + 1
        self._send(ACK)
        return True

    def request(self, path):
        text = f"GET {path} HTTP/1.1\r\nHost: {self.server}\r\nUser-Agent: GRUB 2.06-13+deb12u2\r\n\r\n".encode()
        self._send(PSH | ACK, text)
        self.seq += len(text)

    def read(self, octets, seconds=10):
        """So many octets at least, or what came until the server ended it; every segment is acknowledged."""
        got = b""
        while len(got) < octets:
            segment = self.receive(seconds)
            if segment is None or segment.flags & RST:
                break
            if segment.data and segment.seq == self.expected:
                got += segment.data
                self.biggest = max(self.biggest, len(segment.data))
                self.expected += len(segment.data)
            if segment.flags & FIN and segment.seq + len(segment.data) == self.expected:
                self.expected += 1
            if segment.data or segment.flags & FIN:
                self._send(ACK)
        return got

    def fetch(self, path):
        """The body of the answer, by its Content-Length."""
        self.request(path)
        got = self.read(1)
        while b"\r\n\r\n" not in got:
            more = self.read(1)
            if not more:
                return got, b""
            got += more
        head, body = got.split(b"\r\n\r\n", 1)
        [length] = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
        while len(body) < length:
            more = self.read(length - len(body))
            if not more:
                break
            body += more
        return head, body

    def finish(self):
        """FIN with a window of 0. From now on nothing is acknowledged, whatever comes."""
        self._send(FIN | ACK, window=0)
        self.seq += 1

    def ending(self, seconds=2, beyond_finish=False):
        """How the server ends it: "reset", "finish" unless one waits for more, or "silence"."""
        deadline = time.monotonic() + seconds * lab.PATIENCE
        while time.monotonic() < deadline:
            segment = self.receive(deadline - time.monotonic())
            if segment is None:
                break
            if segment.flags & RST:
                return "reset"
            if segment.flags & FIN and not beyond_finish:
                return "finish"
        return "silence"
