"""Many Macs behind one cable, for storms."""

import selectors
import time

import bsdp
import lab
import virtual_mac


class Crowd:
    """Many Macs behind one interface: each has its own address and link-level identity in its packets."""

    def __init__(self, lab_, lan, count, label="crowd"):
        self.namespace = lab_.namespace(label)
        lan.join(self.namespace, "en0", "10.0.1.250/16")
        addresses = [f"10.0.{4 + number // 200}.{1 + number % 200}" for number in range(count)]
        self.namespace.ip_batch(f"address add {address}/16 dev en0" for address in addresses)
        self.macs = {}
        for number, address in enumerate(addresses):
            name = f"40:6c:8f:10:{number >> 8:02x}:{number & 255:02x}"
            self.macs[name] = virtual_mac.Mac(self.namespace, "en0", mac=name, address=address)

    def storm(self, image, stop_after, then, server="10.0.1.11", seconds=30):
        """Everybody chooses at once; calls `then` when so many are acknowledged; returns who got an ACK[SELECT]."""
        acknowledged = set()
        done = False
        with selectors.DefaultSelector() as selector:
            endpoints = {}
            for mac in self.macs.values():
                endpoints[mac] = self.namespace.udp_socket(mac.address, 68, "en0")
                endpoints[mac].setblocking(False)
                selector.register(endpoints[mac], selectors.EVENT_READ, mac)
            try:
                waiting = iter(endpoints.items())
                deadline = time.monotonic() + seconds * lab.PATIENCE
                quiet = None
                while time.monotonic() < deadline and not (quiet and time.monotonic() > quiet):
                    for mac, endpoint in [pair for pair, _ in zip(waiting, range(10 if not done else 0))]:
                        endpoint.sendto(mac.select_request(server, image), ("255.255.255.255", 67))
                    for key, _ in selector.select(0.001):
                        reply = bsdp.parse(*key.fileobj.recvfrom(65535))
                        if reply.bsdp_type == bsdp.SELECT and reply.mac == key.data.mac:
                            acknowledged.add(reply.mac)
                    if not done and len(acknowledged) >= stop_after:
                        then()
                        done = True
                        # What is in flight may still arrive and counts: it was acknowledged.
                        quiet = time.monotonic() + 0.5
            finally:
                for endpoint in endpoints.values():
                    endpoint.close()
        assert done, f"only {len(acknowledged)} choices were acknowledged"
        return acknowledged
