"""An interface for one VLAN of a cable, also where the kernel has no 802.1Q devices."""

import contextlib
import ctypes
import fcntl
import socket
import struct
import threading


class VlanDevice:
    """An interface that tags and untags, such as eth0.5: the kernel's own where it has one, else one made of
    a veth pair and two threads that add and remove the tag."""

    def __init__(self, namespace, parent, number):
        self.name = f"{parent}.{number}"
        self._sockets = []
        made = namespace.ip("link", "add", "link", parent, "name", self.name, "type", "vlan", "id", number, check=False)
        if made.returncode != 0:
            self._imitate(namespace, parent, number)
        namespace.ip("link", "set", self.name, "up")

    def _imitate(self, namespace, parent, number):
        # The far end of the pair belongs to the two threads alone.
        inner = f"tag{number}"
        namespace.ip("link", "add", self.name, "type", "veth", "peer", "name", inner)
        namespace.ip("link", "set", self.name, "address", namespace.mac(parent))
        namespace.ip("link", "set", inner, "up")
        for each in (self.name, parent):
            _complete_checksums(namespace, each)
        tag = bytes([0x81, 0x00, 0x00, number])
        with namespace.entered():
            outside, inside = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) for _ in range(2))
        outside.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the kernel keeps a received tag beside the frame
        outside.bind((parent, 0x0003))
        inside.bind((inner, 0x0003))
        self._sockets = [outside, inside]

        def untag():
            frame, notes, _, source = outside.recvmsg(65535, 256)
            aux = next((value for level, kind, value in notes if (level, kind) == (263, 8)), b"")
            status, found = int.from_bytes(aux[0:4], "little"), int.from_bytes(aux[16:18], "little") & 0xFFF
            if source[2] != socket.PACKET_OUTGOING and status & 0x10 and found == number:
                inside.send(frame)

        def retag():
            frame, source = inside.recvfrom(65535)
            if source[2] != socket.PACKET_OUTGOING:
                outside.send(frame[:12] + tag + frame[12:])

        def forever(work):
            # The end of an interface or of the test is an error of the sockets.
            with contextlib.suppress(OSError):
                while True:
                    work()

        for each in (untag, retag):
            threading.Thread(target=forever, args=(each,), daemon=True).start()

    def close(self):
        for each in self._sockets:
            # shutdown wakes a thread that waits in recv; close alone does not.
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _complete_checksums(namespace, interface):
    """Makes the kernel fill in checksums itself: the threads would pass on a frame that still waits for its own."""
    value = ctypes.create_string_buffer(struct.pack("II", 0x17, 0), 8)  # ETHTOOL_STXCSUM, off
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
    with namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8946, request)  # SIOCETHTOOL
