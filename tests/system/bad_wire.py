"""A cable that lets frames overtake each other, for kernels without netem: packets pass through this program."""

import heapq
import itertools
import random
import select
import socket
import threading
import time

import lab

_PACKET_VNET_HDR = 15
_OUTGOING = 4


class BadWire:
    """Joins `interface` of `namespace` to the switch by a machine in between that delays frames at random.

    Frames carry their offload header along (packet(7), PACKET_VNET_HDR), or unfinished checksums would be lost.
    """

    def __init__(self, lab_, lan, namespace, interface, *addresses, mac=None, share=0.3, delay=0.01):
        self._share = share
        self._delay = delay
        self._chance = random.Random(9)
        self._waiting = []
        self._numbers = itertools.count()
        self.overtaken = 0
        self._last_sent = {}
        between = lab_.namespace("wire")
        lan.join(between, "near")
        lab._run("ip", "link", "add", "far", "netns", between.name, "type", "veth", "peer", "name", interface, "netns",
                 namespace.name)
        if mac:
            namespace.ip("link", "set", interface, "address", mac)
        for address in addresses:
            namespace.add_address(interface, address)
        between.ip("link", "set", "far", "up")
        namespace.ip("link", "set", interface, "up")
        with between.entered():
            self._ends = [self._end(name) for name in ("near", "far")]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _end(name):
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        end.setsockopt(263, _PACKET_VNET_HDR, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        # Promiscuous: the frames are for others.
        index = socket.if_nametoindex(name)
        end.setsockopt(263, 1, index.to_bytes(4, "little") + (1).to_bytes(2, "little") + bytes(10))
        end.bind((name, 0x0003))
        end.setblocking(False)
        return end

    def _run(self):
        while not self._stop.is_set():
            left = 0.1 if not self._waiting else max(0.0, self._waiting[0][0] - time.monotonic())
            readable, _, _ = select.select(self._ends, [], [], min(left, 0.1))
            for end in readable:
                self._take(end)
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, number, to, frame = heapq.heappop(self._waiting)
                self.overtaken += number < self._last_sent.get(to, 0)
                self._last_sent[to] = max(number, self._last_sent.get(to, 0))
                try:
                    self._ends[to].send(frame)
                except OSError:
                    # The other end is not up yet; a cable loses that too.
                    continue

    def _take(self, end):
        while True:
            try:
                frame, address = end.recvfrom(70_000)
            except BlockingIOError:
                return
            if address[2] == _OUTGOING:
                continue
            late = self._delay if self._chance.random() < self._share else 0.0
            to = 1 - self._ends.index(end)
            heapq.heappush(self._waiting, (time.monotonic() + late, next(self._numbers), to, frame))

    def close(self):
        self._stop.set()
        self._thread.join()
        for end in self._ends:
            end.close()
